"""Calibration of the gate of the conformance kit: rho and rho / gate of correct float32 backends.

    PYTHONPATH=docs/adapters python benchmarks/calibrate_gate.py --write benchmarks/calibrate_gate.json

The gate of an entry, (n + slack) u S, is a theorem. This measures how far below it correct kernels stay: ours, NumPy
einsum, e3nn and e3nn-jax (those that are installed), over degrees up to 6, sums of up to 10^4 equal, positive and
signed terms over the edges of one node, and chains of up to 3 products. A ratio above 1 would be a false alarm.

Chains are judged twice: every stage with the backend's own inputs to it, and the end of the chain by the first-order
gauge, sum over stages of abs(adjoint) (n + slack) u S.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.conformance import Product
from nbody_ref.conformance.backend import call
from nbody_ref.conformance.operations.operation import Case
from nbody_ref.conformance.operations.product_cases import product_inputs
from nbody_ref.conformance.planted.model import Model
from nbody_ref.conformance.reference import Messages

Array = np.ndarray[Any, Any]
U = 2.0**-24
SEEDS = 10
DEGREES = range(7)
FAN_IN = (1, 10, 100, 1000, 10_000)
KINDS = ("equal", "positive", "signed")
DEPTHS = (1, 2, 3)
QUANTILES = (0.5, 0.99, 1.0)


def backends() -> dict[str, Any]:
    """Correct backends, those that are installed."""
    einsum = Model()
    einsum.name = f"NumPy einsum, numpy {np.__version__}"
    ours = Messages()
    ours.name = "nbody_ref messages"
    found: dict[str, Any] = {"ours": ours, "einsum": einsum}
    for key, library, module, name in (
        ("e3nn", "e3nn", "e3nn_backend", "E3nn"),
        ("e3nn-jax", "e3nn_jax", "e3nn_jax_backend", "E3nnJax"),
    ):
        if find_spec(library) and find_spec(module):
            found[key] = getattr(import_module(module), name)()
    return found


def floats(x: Array) -> Array:
    """Nearest float32 numbers."""
    return np.asarray(x.astype(np.float32), np.float64)


def ratios(backend: Any, case: Case) -> tuple[float, float]:
    """Largest rho, and largest rho / gate, of all results of a case."""
    found, rho, ratio = call(backend, case.op, "float32", case.inputs, case.order), 0.0, 0.0
    for name, truth in case.truth.items():
        error = np.abs((found[name] - truth.value) - truth.low)
        unit = np.where(truth.S > 0, U * truth.S, np.inf)
        rho = max(rho, float(np.max(error / unit, initial=0.0)))
        ratio = max(ratio, float(np.max(error / (unit * (truth.n + case.slack)), initial=0.0)))
    return rho, ratio


def degree_cases(l: int, seed: int) -> Iterator[Case]:
    """All paths of two channels of degree l with harmonics up to degree l, into degrees up to 6."""
    op = Product.convolution(f"2x{l}{'eo'[l % 2]}", l, [f"{k}{p}" for k in range(7) for p in "eo"])
    for order in (0, 1):
        inputs = product_inputs(op, "float32", "calibration", seed, rows=6, nodes=3, order=order)
        yield Case("random", op, inputs, order)


def fan_in_cases(n: int, kind: str, seed: int) -> Iterator[Case]:
    """n edges at one node."""
    op = Product.convolution("1x0e + 1x1o", 1)
    for order in (0, 1):
        inputs = product_inputs(op, "float32", "fan-in", seed, rows=n, nodes=2, order=order)
        inputs |= {"senders": np.zeros(n, int), "receivers": np.ones(n, int)}
        for name in ("x2", "w"):
            if kind == "equal":
                inputs[name] = np.repeat(inputs[name][:1], n, axis=0)
            if kind != "signed":
                inputs[name] = np.abs(inputs[name])
        yield Case("random", op, inputs, order)


CHAIN = Product.convolution("2x0e + 2x1o + 2x2e", 2, ["0e", "1o", "2e"])


def folded() -> Product:
    """The chain's product with its paths added into the parts of its input, so that it can be repeated."""
    place = {part.irrep: k for k, part in enumerate(CHAIN.irreps_1)}
    rows = tuple(replace(i, out=place[CHAIN.irreps_out[i.out].irrep]) for i in CHAIN.instructions)
    return replace(CHAIN, irreps_out=CHAIN.irreps_1, instructions=rows)


def chain(backend: Any, depth: int, seed: int) -> Iterator[tuple[str, float, float]]:
    """Every stage by its own inputs, and the end of the chain by the first-order gauge; ("stage" or "chain", ...)."""
    op, rows = folded(), 4
    graph = {name: np.arange(rows) for name in ("senders", "receivers")}
    x = exact = product_inputs(op, "float32", "chain", seed, rows=rows, nodes=rows)["x1"]
    local, gates, maps = [], [], []
    for stage in range(depth):
        drawn = product_inputs(op, "float32", "chain", seed, stage + 1, rows=rows, nodes=rows)
        inputs = {"x1": x, "x2": drawn["x2"], "w": drawn["w"]} | graph
        case = Case("random", op, inputs)
        yield ("stage", *ratios(backend, case))
        truth = case.truth["out"]
        local.append(U * truth.S)
        gates.append((truth.n + case.slack) * U * truth.S)
        maps.append(matrices(op, inputs))
        exact = np.einsum("bij,bj->bi", maps[-1], exact)
        x = call(backend, op, "float32", inputs)["out"]
    error = np.abs(x - exact)
    yield "chain", float(np.max(error / first_order(local, maps))), float(np.max(error / first_order(gates, maps)))


def first_order(local: list[Array], maps: list[Array]) -> Array:
    """Sum over stages of the absolute adjoint of the end times what a stage contributes."""
    rows, size = local[-1].shape
    bound, after = np.zeros((rows, size)), np.broadcast_to(np.eye(size), (rows, size, size))
    for part, linear in zip(reversed(local), reversed(maps)):
        bound += np.einsum("bij,bj->bi", np.abs(after), part)
        after = np.einsum("bij,bjk->bik", after, linear)
    return bound


def matrices(op: Product, inputs: dict[str, Array]) -> Array:
    """The linear maps of x1 that the rows of a product are, in float64."""
    rows, size = inputs["x1"].shape
    big = {name: np.repeat(inputs[name], size, axis=0) for name in ("x2", "w")}
    big["x1"] = np.tile(np.eye(size), (rows, 1))
    big |= {name: np.arange(rows * size) for name in ("senders", "receivers")}
    out = np.asarray(Model().forward(op, big))
    return out.reshape(rows, size, -1).transpose(0, 2, 1)


def measure(backend: Any, seeds: int) -> Iterator[tuple[str, float, float]]:
    """(family and its parameter, rho, rho / gate), one for each case."""
    for seed in range(seeds):
        for l in DEGREES:
            for case in degree_cases(l, seed):
                yield (f"degree {l}", *ratios(backend, case))
        for n in FAN_IN:
            for kind in KINDS:
                for case in fan_in_cases(n, kind, seed):
                    yield (f"{kind} terms, fan-in {n}", *ratios(backend, case))
        for depth in DEPTHS:
            for what, rho, ratio in chain(backend, depth, seed):
                yield f"depth {depth}, {what}", rho, ratio


def distribution(backend: Any, seeds: int) -> dict[str, Any]:
    """Quantiles of rho and of rho / gate for every family."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for family, rho, ratio in measure(backend, seeds):
        rows.setdefault(family, []).append((rho, ratio))
    found = {}
    for family, values in rows.items():
        rho, ratio = np.array(values).T
        found[family] = {
            "cases": len(values),
            "rho": [round(float(np.quantile(rho, q)), 3) for q in QUANTILES],
            "rho/gate": [round(float(np.quantile(ratio, q)), 4) for q in QUANTILES],
            "alarms": int(np.sum(ratio > 1)),
        }
    return {"name": backend.name, "families": found}


def table(results: dict[str, Any]) -> str:
    """A table for the terminal and for the documentation."""
    kinds = ["degree 0", "degree 6", *(f"{k} terms, fan-in {FAN_IN[-1]}" for k in KINDS)]
    kinds += ["depth 3, stage", "depth 3, chain"]
    lines = ["| family | " + " | ".join(r["name"] for r in results.values()) + " |", "|---" * (len(results) + 1) + "|"]
    for kind in kinds:
        cells = (r["families"][kind] for r in results.values())
        lines.append(f"| {kind} | " + " | ".join(f"{c['rho'][2]:.3g} ({c['rho/gate'][2]:.2g})" for c in cells) + " |")
    total = ("cases", "alarms")
    for what in total:
        sums = (sum(c[what] for c in r["families"].values()) for r in results.values())
        lines.append(f"| {what} | " + " | ".join(str(n) for n in sums) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Measure; 1 if there was a false alarm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", action="append", help="only this backend: ours, einsum, e3nn, e3nn-jax")
    parser.add_argument("--write", type=Path, metavar="JSON", help="write the distribution; backends not run are kept")
    options = parser.parse_args(arguments)
    chosen = {key: b for key, b in backends().items() if options.only is None or key in options.only}
    results = {key: distribution(backend, options.seeds) for key, backend in chosen.items()}
    print(table(results))
    if options.write is not None:
        old = json.loads(options.write.read_text())["backends"] if options.write.exists() else {}
        about = {"dtype": "float32", "seeds": options.seeds, "quantiles": QUANTILES}
        about["platform"] = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
        options.write.write_text(json.dumps(about | {"backends": old | results}, indent=1) + "\n")
    return int(any(c["alarms"] for r in results.values() for c in r["families"].values()))


if __name__ == "__main__":
    sys.exit(main())
