"""An edge block beside MACE's symmetric contraction at equal channels, and what summing over neighbours first saves.

    NUMBA_NUM_THREADS=1 python benchmarks/bench_edge_fusion.py [--atoms 64] [--neighbours 16] [--channels 8 16 32]

States 0e + 1o + 2e, harmonics to degree 2, results 0e + 1o + 2e, internal spins 0, 1, 2; the weights of edges are given
numbers, perceptrons are not in the times. MACE: all products of two and of three A to the same results, on the
independent paths, weighed by path and channel. Milliseconds, the least of several rounds in turns; the gradient is that
of a sum towards states, harmonics and weights.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402  after the variables that it reads

from nbody_ref.fusion.fuse import FUSE  # noqa: E402
from nbody_ref.fusion.table import FusionTable  # noqa: E402
from nbody_ref.gates import steps  # noqa: E402
from nbody_ref.gates.build import Builder, State  # noqa: E402
from nbody_ref.gates.chain import Entry  # noqa: E402
from nbody_ref.gates.edge_fusion import EdgeBlock, EdgeLegs, fuse_edges  # noqa: E402
from nbody_ref.gates.weights import Paths  # noqa: E402
from nbody_ref.graphs import Edges  # noqa: E402
from nbody_ref.irreps import Irreps  # noqa: E402
from nbody_ref.models.mace_paths import symmetric  # noqa: E402
from nbody_ref.network.parameters import draw  # noqa: E402
from nbody_ref.ops.channel_mixing import CHANNEL_MIXING, ChannelMixingTable  # noqa: E402
from nbody_ref.ops.edge_fusion import EDGE_FUSION  # noqa: E402

KEEP, LMAX, KIND = ("0e", "1o", "2e"), 2, Entry("kind")


class Numbers:
    """Weights of edges as an input of the program."""

    n, shared = 1, False

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes

    def emit(self, builder: Builder, degrees: Any, muls: Any, copies: Any, name: str) -> State:
        self.sizes[name] = sum(muls)
        return builder.state(name)


def contraction(builder: Builder, A: State, sizes: dict[str, int]) -> State:
    """Products of two and three A, MACE's (M3) and (M4)."""
    products = [A]
    for n in (2, 3):
        terms = [term for part in A.irreps for term in symmetric(A.irreps, n, part.irrep).terms]
        table = FusionTable.build([A.irreps], terms)
        products.append(builder.emit(FUSE, (A,), f"A^{n}", table, irreps=table.irreps_out))
    irreps = Irreps(part for state in products for part in state.irreps)
    every = builder.emit(steps.CONCAT, tuple(products), "A to A^3", irreps=irreps)
    mixing = ChannelMixingTable.build(irreps, A.irreps)
    builder.parameters["W"] = Paths(mixing, 1)
    return builder.emit(CHANNEL_MIXING, (every, "W"), "m", KIND, mixing, irreps=A.irreps)


def edge_block(
    tree: str, block: str = "sparse", first: bool = True
) -> Callable[[Builder, State, dict[str, int]], State]:
    """The block of one tree; with `first` False the edges of o(Yj) are fused one by one too."""

    def emit(builder: Builder, A: State, sizes: dict[str, int]) -> State:
        Y = builder.input("Y", Irreps.harmonics(LMAX))
        legs = EdgeLegs(A, A, Y, LMAX, Entry("edges"))
        chosen = EdgeBlock(KEEP, tree, (0, 1, 2), block)
        if first:
            return fuse_edges(builder, legs, chosen, Numbers(sizes), "block", KIND)
        from nbody_ref.ops.edge_fusion import EdgeFusionTable

        table = EdgeFusionTable.build(A.irreps, A.irreps, LMAX, tree, (0, 1, 2), KEEP, both_parities=False)
        sizes["block/w"] = table.n_weights
        inputs = (A, A, Y, builder.state("block/w"))
        return builder.emit(EDGE_FUSION, inputs, "block", legs.edges, table, irreps=table.irreps_out)

    return emit


PROGRAMS: dict[str, Callable[[Builder, State, dict[str, int]], State]] = {
    "MACE, nu = 2 and 3": contraction,
    "(oj)Y": edge_block("(oj)Y"),
    "(oY)j": edge_block("(oY)j"),
    "o(Yj), sum first": edge_block("o(Yj)"),
    "o(Yj), edge by edge": edge_block("o(Yj)", first=False),
    "(oj)Y, dense": edge_block("(oj)Y", "dense"),
    "o(Yj), dense": edge_block("o(Yj)", "dense"),
}


def prepared(name: str, channels: int, atoms: int, neighbours: int) -> tuple[Any, ...]:
    """A program with its values: run forward, and towards everything it is given."""
    builder, sizes, rng = Builder(), dict[str, int](), np.random.default_rng(0)
    A = builder.input("A", Irreps((channels, irrep) for irrep in KEEP))
    out, chain = PROGRAMS[name](builder, A, sizes), builder.chain()
    receivers = np.repeat(np.arange(atoms), neighbours)
    edges = Edges.build(receivers, rng.integers(0, atoms, len(receivers)), atoms, atoms)
    values = {"A": rng.standard_normal((atoms, A.irreps.dim)), **draw(builder.parameters, 0)}
    if sizes:
        values["Y"] = rng.standard_normal((edges.n_edges, (LMAX + 1) ** 2))
        values |= {key: rng.standard_normal((edges.n_edges, size)) for key, size in sizes.items()}
    batch = {"edges": edges, "kind": np.zeros(atoms, np.uintp)}
    numbers = {"edges": sum(sizes.values()), "learned": sum(int(np.prod(w.shape)) for w in builder.parameters.values())}
    return chain, values, batch, out, numbers, chain.forward(values, batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--atoms", type=int, default=64)
    parser.add_argument("--neighbours", type=int, default=16)
    parser.add_argument("--channels", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print("| channels | program | size of the result | forward, ms | gradient, ms | forward / MACE | gradient / MACE |")
    print("|---|---|---|---|---|---|---|")
    for channels in options.channels:
        made = {name: prepared(name, channels, options.atoms, options.neighbours) for name in PROGRAMS}
        best = {name: [np.inf, np.inf] for name in PROGRAMS}
        for _ in range(options.rounds):
            for name, (chain, given, batch, out, _, values) in made.items():
                one, wrt = np.ones_like(values[out]), tuple(given)
                for k, call in enumerate(
                    (
                        lambda c=chain, g=given, b=batch: c.forward(g, b),
                        lambda c=chain, v=values, b=batch, o=out, s=one, w=wrt: c.vjp(v, b, {o: s}, w),
                    )
                ):
                    start = time.perf_counter()
                    call()
                    best[name][k] = min(best[name][k], time.perf_counter() - start)
        mace = best["MACE, nu = 2 and 3"]
        for name, (forward, gradient) in best.items():
            dim = made[name][3].irreps.dim
            print(
                f"| {channels} | {name} | {dim} | {1e3 * forward:.2f} | {1e3 * gradient:.2f} | "
                f"{forward / mace[0]:.1f} | {gradient / mace[1]:.1f} |"
            )


if __name__ == "__main__":
    main()
