"""Exact checks of the gates (10), (11), (12), of products of legs, and of a whole two-layer network.

States and positions are Gaussian rationals, so a gate is covariant exactly when the difference of two states is zero.
Every case is one gate under one element of O(3): both generating rotations and a general one, each with and without the
inversion.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction
from typing import Any

from nbody_ref.exact.aggregation import aggregation
from nbody_ref.exact.definition import (
    Child,
    Leg,
    State,
    first_order,
    inverse_power,
    legs_product,
    mixing,
    relative,
    summed_leg,
    zeroth_order,
)
from nbody_ref.exact.network import evaluate_scheme, flatten, rational_points, rotate, transform, unflatten
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.subject import Outcome, Subject
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.scheme import neighbourhoods

__all__ = [
    "aggregation_gate",
    "first_order_gate",
    "legs_gate",
    "network_covariance",
    "relative_gate",
    "zeroth_order_gate",
]

ROTATIONS = ((2, 1, 0, 0), (2, 0, 0, 1), (1, -2, 3, 1))
SCALAR_AND_VECTOR = (Irrep(0, 1), Irrep(1, -1))
Gate = Callable[[list[Child]], State]


def zeroth_order_gate(lmax: int, subject: Subject) -> Outcome:
    """Gate (10) with s = 0, 1, 2 on four children with states up to degree 3."""
    tau = " + ".join(f"1x{l}{'eo'[l % 2]}" for l in range(min(lmax, 3) + 1))
    return _gate_covariance(lambda children: zeroth_order(children, subject.gauge), tau, 4, subject)


def first_order_gate(lmax: int, subject: Subject) -> Outcome:
    """Gate (11) with s = 0..3 on two children, scalar and vector outputs."""
    gate: Gate = lambda children: first_order(children, subject.gauge, keep=SCALAR_AND_VECTOR)  # noqa: E731
    return _gate_covariance(gate, "1x0e + 1x1o", 2, subject)


def relative_gate(lmax: int, subject: Subject) -> Outcome:
    """Gate (12) with s = 0..3 on three children at rational distances from each other."""
    return _gate_covariance(lambda children: relative(children, subject.gauge), "2x0e + 1x1o", 3, subject)


def legs_gate(lmax: int, subject: Subject) -> Outcome:
    """A term of eq. (6): a product of three summed legs with harmonics to degree 2 and an odd inverse power."""
    legs = [Leg((0, 1, 2), inverse_power(3)), Leg((1,)), Leg((2,), state=False)]
    gate: Gate = lambda children: legs_product(children, legs, subject.gauge, SCALAR_AND_VECTOR)  # noqa: E731
    return _gate_covariance(gate, "1x0e + 1x1o", 3, subject)


def aggregation_gate(lmax: int, subject: Subject) -> Outcome:
    """The general rule (6) with P, Q, S = 1, 1, 2 on two ordered children, every summand."""

    def gate(children: list[Child]) -> State:
        return [part for term in aggregation(children, subject.gauge, 1, 1, 2) for part in term.state]

    return _gate_covariance(gate, "1x0e + 1x1o", 2, subject)


def network_covariance(lmax: int, subject: Subject) -> Outcome:
    """Definition 3: three atoms, their overlapping neighbourhoods, the molecule at its centroid; states to degree 2."""
    rng = random.Random(7)
    scheme = neighbourhoods([(1, 2), (0,), (0,)], [8, 1, 1])
    atoms = [[Fraction(rng.randrange(-9, 10), rng.randrange(1, 5)) for _ in range(3)] for _ in range(3)]
    leaves = {atom: _random_state("2x0e + 1x1o", rng) for atom in range(3)}
    gates = _network_gates(subject)
    before = evaluate_scheme(scheme, atoms, leaves, gates)[scheme.root]
    cases, failures = 0, [] if any(flatten(before)) else ["the output vanishes identically"]
    for q, inversion in _elements():
        cases += 1
        matrix = _representation(subject, q)
        turned = [rotate(r, q, inversion) for r in atoms]
        states = {atom: transform(state, matrix, inversion) for atom, state in leaves.items()}
        after = evaluate_scheme(scheme, turned, states, gates)[scheme.root]
        if after != transform(before, matrix, inversion):
            failures.append(f"quaternion {q}{', inverted' if inversion else ''}")
    return cases, failures


def _network_gates(subject: Subject) -> dict[Hashable, Gate]:
    """Neighbourhoods: bare states and gate (10) with s = 0, 2; molecule: gate (12) with s = 0, 2."""
    hidden, out = Irreps("2x0e + 1x1o + 1x2e"), Irreps("1x0e + 1x1o + 1x2e")
    keep_hidden, keep_out = [part.irrep for part in hidden], [part.irrep for part in out]

    def lower(children: list[Child]) -> State:
        bare = summed_leg(children, Leg(), subject.gauge)
        return _mixed(bare + zeroth_order(children, subject.gauge, (0, 2), keep_hidden), hidden, 11)

    def upper(children: list[Child]) -> State:
        return _mixed(relative(children, subject.gauge, (0, 2), keep_out), out, 12)

    return {("neighbourhood", 1, 8): lower, ("neighbourhood", 1, 1): lower, ("molecule",): upper}


def _mixed(F: State, out: Irreps, seed: int) -> State:
    """Mixing with seeded integer weights; the irreps of `out` that `F` does not offer are left out."""
    rng = random.Random(seed)
    weights = []
    for mul, irrep in out:
        rows = sum(len(fragments) for part, fragments in F if part == irrep)
        matrix = [[rng.randrange(-3, 4) for _ in range(mul)] for _ in range(rows)]
        if rows:
            weights.append((irrep, matrix))
    return mixing(F, weights)


def _gate_covariance(gate: Gate, tau: str, count: int, subject: Subject) -> Outcome:
    rng = random.Random(5)
    children = [Child(r, _random_state(tau, rng)) for r in rational_points(count)]
    before = gate(children)
    cases, failures = 0, [] if any(flatten(before)) else ["the output vanishes identically"]
    for q, inversion in _elements():
        cases += 1
        matrix = _representation(subject, q)
        turned = [Child(rotate(r, q, inversion), transform(psi, matrix, inversion)) for r, psi, _ in children]
        if gate(turned) != transform(before, matrix, inversion):
            failures.append(f"quaternion {q}{', inverted' if inversion else ''}")
    return cases, failures


def _representation(subject: Subject, q: Sequence[int]) -> Callable[[int], Any]:
    norm = sum(part * part for part in q)
    cache: dict[int, Any] = {}

    def matrix(l: int) -> Any:
        if l not in cache:
            cache[l] = [[entry / norm**l for entry in row] for row in subject.matrix(l, q)]
        return cache[l]

    return matrix


def _elements() -> list[tuple[tuple[int, int, int, int], bool]]:
    return [(q, inversion) for q in ROTATIONS for inversion in (False, True)]


def _random_state(tau: str, rng: random.Random) -> State:
    numbers = [Gauss(Fraction(rng.randrange(-5, 6), rng.randrange(1, 4)), rng.randrange(-5, 6)) for _ in range(64)]
    return unflatten(tau, numbers[: Irreps(tau).dim])
