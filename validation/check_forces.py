"""Energies and forces of whole networks against certified values, within the first-order gauge: docs/accuracy.md.

Truth is the program carried out in 200 digits with the published definitions, its derivative along x the quotient
(E(r + h x) - E(r)) / h with h = 10^-60: what the quotient leaves out is below 10^-40 of the bound. The bound of a force
adds the errors of the forward steps times tangents of cotangents, and those of the reverse steps times tangents.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main
from _gauge import TRUTH, first_order_gauge, reverse_gauge
from _low import rounded
from _programs import interpret

from nbody_ref.gates import Aggregation, Bare, Chain, Directed, Gate, Pairs, Product
from nbody_ref.network import Network, Schemes, Spec
from nbody_ref.ops.radial import Bessel, InversePowers
from nbody_ref.scheme import Node, Scheme

Array = np.ndarray[Any, Any]
ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}
LEG = Directed(Bessel(1, 6.0), 1, mul=2)
FIRST = Gate((Bare("centre"), Directed(Bessel(2, 6.0), 2)), "2x0e + 2x1o + 1x2e")
SECOND = Gate((Bare("centre"), Product((LEG, LEG), ("0e", "1o", "1e"), bond=1)), "2x0e + 1x1o")
PAIRS = Gate((Bare(), Pairs(InversePowers((1, 2)), 2, None, "norm", ("0e", "1o"))), "2x0e + 1x1o")
ENERGY = Gate((Bare(),), "1x0e")
POWERS = Gate((Aggregation(1, 1, 1, 2, ("0e", "1o")),), "2x0e + 1x1o")
PRODUCTS = Gate((Product((LEG, LEG), ("0e",), bond=1), Bare()), "1x0e")
NETWORKS: dict[str, tuple[Gate, ...]] = {
    "three levels": (FIRST, SECOND, ENERGY),
    "pairs, eq. (12)": (FIRST, PAIRS, ENERGY),
    "powers, eq. (6)": (POWERS, PRODUCTS),
}


def scheme() -> Scheme:
    """Two bonds that share an atom, and the molecule."""
    atoms = [Node([i], kind=z) for i, z in enumerate((6, 1, 1))]
    return Scheme([*atoms, Node([0, 1], [0, 1], "one"), Node([0, 2], [0, 2], "other"), Node(range(3), [3, 4], "all")])


@cache
def network(name: str, dtype: str) -> Network:
    """A network of the list."""
    schemes = Schemes.like([scheme()]) if name == "powers, eq. (6)" else None
    return Network(Spec((1, 6), np.inf, NETWORKS[name], dtype, schemes), seed=1)


def graph_of(net: Network, frame: Any) -> Any:
    """A molecule as the network takes it."""
    return net.graph([frame], [scheme()] if net.spec.schemes else None)


def by_package(net: Network, frame: Any) -> tuple[Array, Array]:
    """The public function."""
    return net.energy_and_forces(graph_of(net, frame))


def with_steps(change: Callable[[Any], Any]) -> Callable[[Network, Any], tuple[Array, Array]]:
    """Planted: the same network with other operations."""

    def evaluate(net: Network, frame: Any) -> tuple[Array, Array]:
        changed = copy.copy(net)
        changed.chain = Chain(tuple(replace(step, op=change(step.op)) for step in net.chain.steps))
        return by_package(changed, frame)

    return evaluate


def accumulated(bits: int) -> Callable[[Any], Any]:
    """Sums over neighbours and over components end in accumulators of fewer bits, in both directions."""

    def change(op: Any) -> Any:
        if op.name not in ("message", "neighbour_sum", "cg_product", "mixing"):
            return op
        back = lambda *args, **kwargs: tuple(  # noqa: E731
            None if x is None else rounded(x, bits) for x in op.vjp(*args, **kwargs)
        )
        return op.with_functions(f=lambda *args: rounded(op.f(*args), bits), vjp=back)

    return change


def single(net: Network, frame: Any) -> tuple[Array, Array]:
    """Planted: float32 arithmetic throughout, whatever the network asks for."""
    weights = {name: array.astype(np.float32) for name, array in net.parameters.items()}
    return by_package(Network(replace(net.spec, dtype="float32"), weights), frame)


def force_of_one_atom_forgotten(net: Network, frame: Any) -> tuple[Array, Array]:
    """Planted: the share of the receivers in relative positions is lost, as with F_i = -d phi_i / d r_i."""

    def change(op: Any) -> Any:
        if op.name != "relative":
            return op
        return op.with_functions(vjp=lambda *args, **kwargs: (op.vjp(*args, **kwargs)[0], None))

    return with_steps(change)(net, frame)


def certified(net: Network, values: dict[str, Array], batch: dict[str, Any]) -> tuple[Any, Array]:
    """Energy and forces in mpmath."""
    computed, h = {step.output for step in net.chain.steps}, mpmath.mpf(10) ** -60
    number = np.vectorize(lambda a: mpmath.mpf(float(a)), otypes=[object])
    leaves = {name: number(a) for name, a in values.items() if name not in computed}

    def energy(r: Array) -> Any:
        return interpret(net.chain.steps, {**leaves, "r": r}, batch, TRUTH)[net.root][0, 0]

    here, forces = energy(leaves["r"]), np.empty(leaves["r"].shape, object)
    for index in np.ndindex(forces.shape):
        r = leaves["r"].copy()
        r[index] += h
        forces[index] = -(energy(r) - here) / h
    return here, forces


def bounds(net: Network, values: dict[str, Array], batch: dict[str, Any]) -> tuple[float, Array]:
    """First-order gauges of the energy and of each force."""
    u, names = ROUNDOFF[net.spec.dtype], [name for name, a in values.items() if a.dtype.kind == "f"]
    bars = net.chain.vjp(values, batch, {net.root: np.ones_like(values[net.root])}, names)
    forces = np.zeros(values["r"].shape)
    for index in np.ndindex(forces.shape):
        along = np.zeros(forces.shape)
        along[index] = 1.0
        dots = net.chain.jvp(values, batch, {"r": along})
        second = net.chain.vjp_jvp(values, batch, dots, bars, names)
        forces[index] = u * (
            first_order_gauge(net, values, batch, second) + reverse_gauge(net, values, batch, bars, dots)
        )
    return u * first_order_gauge(net, values, batch, bars), forces


def frames(name: str, full: bool) -> Iterator[tuple[int, Any]]:
    """Molecules: random, one nearly linear, one with a short distance."""
    species = [6, 1, 1] if name == "powers, eq. (6)" else [6, 1, 1, 6]
    n = len(species)
    for seed in range(3 if full else 1):
        r = np.random.default_rng([70, seed]).standard_normal((n, 3))
        if seed == 1:
            r[:, :2] *= 1e-6
            r[:, 2] = np.arange(n) * 0.95
        if seed == 2:
            r[1] = r[0] + 0.31 * r[1] / np.linalg.norm(r[1])
        yield seed, (r, np.array(species))


@cache
def truth(name: str, dtype: str, full: bool) -> list[Any]:
    """Frame, certified values and bounds; the judge's part, formed once."""
    net, found = network(name, dtype), []
    with mpmath.workdps(200):
        for seed, frame in frames(name, full):
            values, batch = net.forward(graph_of(net, frame))
            found.append((seed, frame, *certified(net, values, batch), *bounds(net, values, batch)))
    return found


@claim(
    "8.8",
    "docs/accuracy.md",
    "energies and forces of whole networks, two precisions: certified values within the first-order gauge",
    "program carried out in mpmath, 200 digits",
    {"evaluate": by_package},
    {
        "float32 in place of float64": {"evaluate": single},
        "bfloat16 accumulation": {"evaluate": with_steps(accumulated(8))},
        "float16 accumulation": {"evaluate": with_steps(accumulated(11))},
        "TF32 accumulation": {"evaluate": with_steps(accumulated(11))},
        "force of one atom's own term only": {"evaluate": force_of_one_atom_forgotten},
    },
    "sum over steps of |derivative| k u S",
)
def forces(subject: SimpleNamespace, full: bool) -> Cases:
    for name in NETWORKS if full else list(NETWORKS)[-1:]:
        for dtype in ROUNDOFF if full else ("float64",):
            net = network(name, dtype)
            for seed, frame, energy, force, bound, force_bound in truth(name, dtype, full):
                found = subject.evaluate(net, frame)
                yield (name, dtype, seed, "energy"), float(abs(mpmath.mpf(found[0][0]) - energy)) / bound
                for index in np.ndindex(force.shape):
                    error = abs(mpmath.mpf(found[1][index]) - force[index])
                    yield (name, dtype, seed, index), float(error) / force_bound[index]


if __name__ == "__main__":
    sys.exit(main())
