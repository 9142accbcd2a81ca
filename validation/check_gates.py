"""Gates and networks over the Gaussian rationals: eqs. (6), (10) to (12), Definition 3; docs/evidence.md."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from _claims import Cases, claim, main
from _judge import (
    symmetric_power,
    turn,
)

from nbody_ref import Irreps
from nbody_ref.exact import Gauss, definition
from nbody_ref.exact.gauges import MONOMIAL
from nbody_ref.exact.network import affine_position, evaluate

GENERATORS = ((2, 1, 0, 0), (2, 0, 0, 1))
ELEMENTS = [(q, parity) for q in GENERATORS for parity in (False, True)]


def act(state: Any, q: Sequence[int], inversion: bool) -> Any:
    """The action of O(3) on a state of binary forms, from the judge's own matrices."""
    norm, result = sum(a * a for a in q), []
    for irrep, fragments in state:
        re, im = symmetric_power(2 * irrep.l, q)
        sign = irrep.p if inversion else 1
        rows = range(2 * irrep.l + 1)
        turned = [
            [
                sum((Gauss(re[a, b], im[a, b]) * f[b] for b in rows), Gauss(0, 0)) * Fraction(sign, norm**irrep.l)
                for a in rows
            ]
            for f in fragments
        ]
        result.append((irrep, turned))
    return result


def move(r: Sequence[Any], q: Sequence[int], inversion: bool) -> list[Fraction]:
    """The action of O(3) on a position."""
    return [-a if inversion else a for a in turn(q, r)]


def points(count: int) -> list[list[Fraction]]:
    """Points on a circle above the origin with rational lengths and rational mutual distances, turned off the axes."""
    found = []
    for k in range(count):
        t = Fraction(k + 1, 2 * k + 3)
        c, s = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
        found.append(turn((1, 2, -1, 3), [c * c - s * s, 2 * c * s, Fraction(-4, 3)]))
    return found


def basis_states(tau: str) -> list[Any]:
    """The unit vectors of a type, as states over the Gaussian rationals."""
    irreps = Irreps(tau)
    found = []
    for part in range(len(irreps)):
        for channel in range(irreps[part].mul):
            for m in range(irreps[part].irrep.dim):
                found.append(
                    [
                        (
                            irrep,
                            [
                                [Gauss(int((i, c, k) == (part, channel, m)), 0) for k in range(irrep.dim)]
                                for c in range(mul)
                            ],
                        )
                        for i, (mul, irrep) in enumerate(irreps)
                    ]
                )
    return found


def wrong_gauge() -> Any:
    """Planted: a gauge whose couplings of odd l1 + l2 + l lack the factorials of m2."""

    def coupling(l1: int, l2: int, l: int) -> Any:
        return [
            (a, b, c, v * (2 if (l1, l2, l, a) == (1, 1, 1, 0) else 1)) for a, b, c, v in MONOMIAL.coupling(l1, l2, l)
        ]

    return replace(MONOMIAL, coupling=coupling)


def reflected_gauge() -> Any:
    """Planted: harmonics of the mirrored vector, (x, y, z) -> (x, y, -z)."""
    return replace(MONOMIAL, vector=lambda r: MONOMIAL.vector([r[0], r[1], -r[2]]))


GATES: dict[str, Any] = {
    "(10)": lambda gauge: lambda children: definition.zeroth_order(children, gauge),
    "(11)": lambda gauge: lambda children: definition.first_order(children, gauge),
    "(12)": lambda gauge: lambda children: definition.relative(children, gauge),
    "(6)": lambda gauge: (
        lambda children: definition.legs_product(
            children, [definition.Leg((0, 1), definition.inverse_power(3)), definition.Leg((2,), state=True)], gauge
        )
    ),
}
TYPES = {"(10)": "1x0e + 1x1o + 1x2e + 1x3o", "(11)": "1x0e + 1x1o", "(12)": "1x0e + 1x1o + 1x1e", "(6)": "1x0e + 1x1o"}
PLANTED = {"one coupling doubled": {"gauge": wrong_gauge()}, "z reflected": {"gauge": reflected_gauge()}}


@claim(
    "3.8",
    "eqs. (6), (10)-(12)",
    "every gate is covariant under O(3), on all basis vectors of its children",
    "own matrices on binary forms, Gaussian rationals",
    {"gauge": MONOMIAL},
    PLANTED,
)
def gates(subject: SimpleNamespace, full: bool) -> Cases:
    for name, make in GATES.items():
        gate, r = make(subject.gauge), points(2)
        units = basis_states(TYPES[name])
        linear = name == "(10)"
        for i, one in enumerate(units if full else units[:6]):
            for j, other in enumerate(units[:1] if linear else units if full else units[1:3]):
                before = gate([definition.Child(r[0], one), definition.Child(r[1], other)])
                for q, inversion in ELEMENTS:
                    children = [
                        definition.Child(move(a, q, inversion), act(psi, q, inversion))
                        for a, psi in zip(r, (one, other))
                    ]
                    yield (name, i, j, q, inversion), 0 if gate(children) == act(before, q, inversion) else 1


@claim(
    "3.9",
    "eqs. (6), (10)-(12)",
    "every gate is invariant to the order of the children",
    "rearrangement",
    {"gates": GATES},
    {
        "the last child dropped": {
            "gates": {"(10)": lambda gauge: lambda children: definition.zeroth_order(children[:-1], gauge)}
        }
    },
)
def permutations(subject: SimpleNamespace, full: bool) -> Cases:
    rng = random.Random(4)
    for name, make in subject.gates.items():
        children = [definition.Child(r, random_state(TYPES[name], rng)) for r in points(3)]
        reference = make(MONOMIAL)(children)
        for order in ((1, 0, 2), (2, 0, 1), (0, 2, 1)):
            yield (name, order), 0 if make(MONOMIAL)([children[i] for i in order]) == reference else 1


def random_state(tau: str, rng: random.Random) -> Any:
    """Small Gaussian rationals."""
    draw = lambda: Gauss(Fraction(rng.randrange(-5, 6), rng.randrange(1, 4)), rng.randrange(-5, 6))  # noqa: E731
    return [(irrep, [[draw() for _ in range(irrep.dim)] for _ in range(mul)]) for mul, irrep in Irreps(tau)]


def network(gauge: Any, drop_mixing: bool = False) -> Callable[[Any, Any, Any], Any]:
    """Two layers: gate (10) in two overlapping subsystems, gate (12) at the root, mixings between."""

    def mixed(F: Any, out: str, seed: int) -> Any:
        weights = []
        for mul, irrep in Irreps(out):
            rows = sum(len(f) for part, f in F if part == irrep)
            rng = random.Random(seed + irrep.l)
            weights.append(
                (irrep, [[Gauss(rng.randrange(-3, 4), rng.randrange(-3, 4)) for _ in range(mul)] for _ in range(rows)])
            )
        result = definition.mixing(F, weights)
        if drop_mixing:  # planted: a mixing that also mixes components
            result = [(irrep, [[f[0] + x for x in f] for f in fragments]) for irrep, fragments in result]
        return result

    hidden, keep = "2x0e + 2x1o + 1x2e", [part.irrep for part in Irreps("0e + 1o + 2e")]
    lower = lambda children: mixed(definition.zeroth_order(children, gauge, (0, 2), keep), hidden, 1)  # noqa: E731
    upper = lambda children: mixed(definition.relative(children, gauge, (0, 2), keep), "1x0e + 1x1o + 1x2e", 2)  # noqa: E731

    def run(atoms: Any, leaves: Any, order: Any) -> Any:
        a, b, c, d = order  # where the atoms that play these parts are found
        groups = ((a, b, c), (b, c, d))
        centres = [affine_position({k: Fraction(1, 3) for k in group}, atoms) for group in groups]
        root = affine_position({k: Fraction(1, 4) for k in range(4)}, atoms)
        return evaluate(
            [(), (), (), (), *groups, (4, 5)], [*atoms, *centres, root], leaves, {4: lower, 5: lower, 6: upper}
        )[6]

    return run


@claim(
    "3.10",
    "Definition 3",
    "a two-layer network: covariant under O(3), invariant to translations and to renumbering",
    "own matrices on binary forms, Gaussian rationals",
    {"network": network(MONOMIAL)},
    {
        "one coupling doubled": {"network": network(wrong_gauge())},
        "components mixed": {"network": network(MONOMIAL, True)},
    },
)
def networks(subject: SimpleNamespace, full: bool) -> Cases:
    for seed in range(3 if full else 1):
        rng = random.Random(seed)
        atoms = [[Fraction(rng.randrange(-9, 10), rng.randrange(1, 5)) for _ in range(3)] for _ in range(4)]
        leaves = {i: random_state("2x0e + 1x1o", rng) for i in range(4)}
        before = subject.network(atoms, leaves, (0, 1, 2, 3))
        yield (seed, "not zero"), 0 if any(x for _, fs in before for f in fs for x in f) else 1
        for q, inversion in ELEMENTS if full else ELEMENTS[1:3]:
            turned = {i: act(psi, q, inversion) for i, psi in leaves.items()}
            after = subject.network([move(r, q, inversion) for r in atoms], turned, (0, 1, 2, 3))
            yield (seed, q, inversion), 0 if after == act(before, q, inversion) else 1
        shifted = [[x + s for x, s in zip(r, (Fraction(7, 3), -5, Fraction(1, 9)))] for r in atoms]
        yield (seed, "translation"), 0 if subject.network(shifted, leaves, (0, 1, 2, 3)) == before else 1
        order = (2, 0, 3, 1)  # atom i is found at order[i]
        moved, states = [None] * 4, {}
        for i, k in enumerate(order):
            moved[k], states[k] = atoms[i], leaves[i]
        yield (seed, "renumbering"), 0 if subject.network(moved, states, order) == before else 1


if __name__ == "__main__":
    sys.exit(main())
