"""Programs of gates and networks: the steps that the package emits, run over rationals and in mpmath.

Claims 7.1 to 7.4 hold each step to its formula; here the judge's own formulas carry out the emitted program over the
rationals, in a rational form of the real gauge (components divided by square roots that do not depend on the channel,
one factor for each triple of degrees left out). Radial functions are replaced by rational functions of the squared
length: covariance cannot depend on which function of the length it is.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from _claims import Cases, claim, main
from _judge import of_surd, rational, real_rotation, real_scale, turn
from _programs import Numbers, interpret, network, part, side_by_side

from nbody_ref import Irreps, exact
from nbody_ref.gates import Aggregation, Bare, Directed, Gate, Pairs, Product, first_order, relative, zeroth_order
from nbody_ref.gates.build import program
from nbody_ref.graphs import Edges
from nbody_ref.ops.radial import Bessel, InversePowers

Array = np.ndarray[Any, Any]
ELEMENTS = [(q, inversion) for q in ((2, 1, 0, 0), (2, 0, 0, 1)) for inversion in (False, True)]


@cache
def coupling(l1: int, l2: int, l: int) -> Array:
    """The package's real coefficients on rational components, up to one factor for each triple."""
    scaled = {}
    for m1, m2, m, value in exact.cg_table_real(l1, l2, l):
        sign, square = of_surd(value)
        ratio = Fraction(real_scale(l1, m1) * real_scale(l2, m2), real_scale(l, m))
        scaled[m1 + l1, m2 + l2, m + l] = sign, square * ratio
    unit = next(iter(scaled.values()))[1]
    C = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1), object)
    for key, value in scaled.items():
        C[key] = rational(value, unit)
    return C


def wrong_coupling(l1: int, l2: int, l: int) -> Array:
    """Planted: one entry of 1 x 1 -> 1 doubled."""
    C = coupling(l1, l2, l)
    if (l1, l2, l) == (1, 1, 1):
        C = C.copy()
        C[0, 1] *= 2
    return C


def act(x: Array, irreps: Irreps, q: Sequence[int], inversion: bool) -> Array:
    """The action of O(3) on states."""
    norm = sum(a * a for a in q)
    blocks = []
    for k, (_, irrep) in enumerate(irreps):
        D = real_rotation(irrep.l, q) * Fraction(irrep.p if inversion else 1, norm**irrep.l)
        blocks.append(np.einsum("ab,nbc->nac", D, part(x, irreps, k)))
    return side_by_side(blocks)


def move(r: Array, q: Sequence[int], inversion: bool) -> Array:
    """The action of O(3) on positions."""
    turned = np.array([turn(q, row) for row in r], object).reshape(-1, 3)
    return -turned if inversion else turned


def draw(rng: random.Random, *shape: int) -> Array:
    """Small rationals."""
    flat = [Fraction(rng.randrange(-6, 7), rng.randrange(1, 3)) for _ in range(int(np.prod(shape)))]
    return np.array(flat, object).reshape(shape)


LEG = Directed(InversePowers((1, 2)), 2, mul=2, mixed_lmax=2)
TERMS = (
    Bare(),
    Directed(Bessel(2, 5.0), 2),
    Product((LEG, Bare(mul=2), LEG), ("0e", "1o", "1e"), bond=2),
    Pairs(InversePowers((2,)), 2, (2,), "norm", ("0e", "2e")),
)
MANY = Gate(TERMS, "2x0e + 2x1o + 1x2e")
POWERS = Gate((Aggregation(1, 1, 1, 2, ("0e", "1o", "1e", "2e")),), "2x0e + 1x1o + 1x1e + 1x2e")
GATES = {
    "(10)": (zeroth_order("2x0e + 2x1o + 1x2e"), "1x0e + 1x1o + 1x2e"),
    "(11)": (first_order("1x0e + 2x1e + 1x2e", (0, 2)), "1x0e + 1x1o"),
    "(12)": (relative("1x0e + 2x1o + 1x1e", (0, 1)), "1x0e + 1x1o"),
    "(6), legs and pairs": (MANY, "2x0e + 1x1o"),
    "(6), powers": (POWERS, "1x0e + 1x1o"),  # two children in a fixed order
}


def run_gate(name: str, C: Callable[..., Array], r: Array, psi: Array, rng_seed: int) -> tuple[Array, Irreps]:
    """A gate on three children of one parent, weights small integers."""
    gate, irreps = GATES[name]
    builder, output = program(gate, irreps)
    n = len(r)
    edges = Edges.build(np.zeros(n, int), np.arange(n), 1, n)
    none, zero = Edges.build([], [], 1, n), np.zeros(1, np.uintp)
    batch = {"all": edges, "directed": edges, "centre": none, "kind": zero, "shared": zero}
    rng = random.Random(rng_seed)
    weights = {key: draw(rng, *p.shape) for key, p in builder.parameters.items()}
    parent = sum(r) / Fraction(n)
    values = {"psi": psi, "r_child": r, "r_parent": parent.reshape(1, 3), **weights}
    return interpret(builder.chain().steps, values, batch, Numbers(C))[output], builder.irreps[output]


WRONG = {"one coefficient doubled": {"coupling": wrong_coupling}}


@claim(
    "3.12",
    "eqs. (6), (10)-(12)",
    "programs of the package's gates: O(3), translations and renumbering",
    "program carried out over rationals",
    {"coupling": coupling},
    WRONG,
)
def gates(subject: SimpleNamespace, full: bool) -> Cases:
    for name, (_, irreps) in GATES.items():
        rng = random.Random(40)
        ordered = name == "(6), powers"
        n = 2 if ordered else 3
        r, psi = draw(rng, n, 3), draw(rng, n, Irreps(irreps).dim)
        before, out = run_gate(name, subject.coupling, r, psi, 1)
        yield (name, "not zero"), 0 if all(np.any(part(before, out, k) != 0) for k in range(len(out))) else 1
        for q, inversion in ELEMENTS if full else ELEMENTS[1:2]:
            turned = act(psi, Irreps(irreps), q, inversion)
            after, _ = run_gate(name, subject.coupling, move(r, q, inversion), turned, 1)
            yield (name, q, inversion), np.count_nonzero(after - act(before, out, q, inversion))
        shifted, _ = run_gate(name, subject.coupling, r + draw(rng, 3), psi, 1)
        yield (name, "translation"), np.count_nonzero(shifted - before)
        if ordered:
            continue
        order = [2, 0, 1]
        renumbered, _ = run_gate(name, subject.coupling, r[order], psi[order], 1)
        yield (name, "renumbering"), np.count_nonzero(renumbered - before)


def run_network(C: Callable[..., Array], r: Array, numbers: Sequence[int]) -> tuple[Array, Irreps]:
    """The root's state over rationals; the graph and its batch come from the package."""
    net = network()
    values, batch = net.forward(net.graph([(r.astype(float), np.array(numbers))]))
    computed = {step.output for step in net.chain.steps}
    rng = random.Random(41)
    leaves: dict[str, Array] = {}
    for name, array in values.items():
        if name not in computed:
            weights = name in net.parameters
            leaves[name] = draw(rng, *array.shape) if weights else np.vectorize(Fraction, otypes=[object])(array)
    leaves["r"] = r
    return interpret(net.chain.steps, leaves, batch, Numbers(C))[net.root], net.irreps_out


@claim(
    "3.13",
    "Definition 3",
    "program of a network with scalar, vector and pseudovector outputs: the same",
    "program carried out over rationals",
    {"coupling": coupling},
    WRONG,
)
def networks(subject: SimpleNamespace, full: bool) -> Cases:
    numbers = [6, 1, 1, 6]
    for seed in range(2 if full else 1):
        r = draw(random.Random(seed), 4, 3) / 2
        before, out = run_network(subject.coupling, r, numbers)
        yield (seed, "not zero"), 0 if all(np.any(part(before, out, k) != 0) for k in range(len(out))) else 1
        for q, inversion in ELEMENTS if full else ELEMENTS[1:2]:
            after, _ = run_network(subject.coupling, move(r, q, inversion), numbers)
            yield (seed, q, inversion), np.count_nonzero(after - act(before, out, q, inversion))
        shifted, _ = run_network(subject.coupling, r + np.array([Fraction(1, 2), 3, -1], object), numbers)
        yield (seed, "translation"), np.count_nonzero(shifted - before)
        order = [3, 1, 0, 2]
        renumbered, _ = run_network(subject.coupling, r[order], [numbers[i] for i in order])
        yield (seed, "renumbering"), np.count_nonzero(renumbered - before)


if __name__ == "__main__":
    sys.exit(main())
