"""More errata of both papers (docs/paper_map.md): moments, charges, indices, counts.

The planted error of every claim is the printed statement itself. "As printed" is the equation as it stands; the words
around it, "a simple example", "might be done", promise less than a theorem and are quoted on the page.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import sympy
from _claims import Cases, claim, main

from nbody_ref import Irrep, Irreps
from nbody_ref.exact import Gauss, definition
from nbody_ref.exact.definition import Child
from nbody_ref.exact.gauges import MONOMIAL

State = list[Any]
SCALAR, VECTOR = Irrep(0), Irrep(1)


def charge(q: int) -> State:
    """A state of one scalar channel."""
    return [(SCALAR, [[Gauss(q, 0)]])]


def numbers(state: State) -> list[Any]:
    """All components of a state."""
    return [x for _, fragments in state for fragment in fragments for x in fragment]


def charges_of_a_molecule() -> list[Child]:
    """Four charges at rational distances from one another."""
    places = [(0, 0, 0), (3, 0, 0), (0, 4, 0), (3, 4, 0)]
    return [Child(r, charge(q)) for r, q in zip(places, (1, -2, 3, 5))]


def relative_gate(children: Sequence[Child]) -> list[Any]:
    """All fragments of (12)."""
    return numbers(definition.relative(children, MONOMIAL, (0, 1, 2, 3)))


def half_of_it(children: Sequence[Child]) -> list[Any]:
    """(12) with the pairs i < j alone, which no symmetry makes vanish."""
    pairs = itertools.combinations(children, 2)
    terms = []
    for a, b in pairs:
        r = [x - y for x, y in zip(a.r_rel, b.r_rel)]
        psi = definition.product(a.psi, b.psi, MONOMIAL)
        terms.append(definition.product(psi, [(VECTOR, [MONOMIAL.vector(r)])], MONOMIAL))
    return numbers(definition.add(terms))


@claim(
    "9.14",
    "sec. 4.0.2, eq. (12) (E14)",
    "(12) is identically zero on states of one scalar channel: it cannot be an energy of charges",
    "all components",
    {"gate": relative_gate},
    {"a sum that is not antisymmetric": {"gate": half_of_it}},
)
def relative_gate_of_charges(subject: SimpleNamespace, full: bool) -> Cases:
    found = subject.gate(charges_of_a_molecule())
    yield "fragments there are", 0 if found else 1
    yield "all are zero", sum(x != 0 for x in found)


@claim(
    "9.15",
    "sec. 4.0.2, eq. (11) (E15)",
    "an energy of charges is not separable in r_i and r_j, as the kernels of (11) are: sum_s w_s f_s(r_i) f_s(r_j)",
    "a Cauchy determinant, sympy",
    {"kernel": lambda a, b: Fraction(1, b - a)},
    {
        "printed: (11), 'might be done'": {
            "kernel": lambda a, b: sum((s + 2) * Fraction(a * b) ** (1 - s) for s in range(4))
        }
    },
)
def energy_of_charges(subject: SimpleNamespace, full: bool) -> Cases:
    """Charges a and b on one ray from the parent: four separable terms make a matrix of rank four."""
    for n in (5, 6, 7) if full else (5,):
        matrix = sympy.Matrix(n, n, lambda i, j, n=n: sympy.Rational(subject.kernel(i + 1, n + j + 1)))
        yield n, 0 if matrix.rank() == n else 1


def moment_gate(children: Sequence[Child]) -> list[Any]:
    """The bare sum beside (10)."""
    return numbers(definition.add([child.psi for child in children])) + zeroth_gate(children)


def zeroth_gate(children: Sequence[Child]) -> list[Any]:
    """All fragments of (10)."""
    return numbers(definition.zeroth_order(children, MONOMIAL, (0, 1, 2)))


@claim(
    "9.16",
    "sec. 4.0.1, eq. (10) (E16)",
    "dipoles of parts are passed up by a bare sum; the products of (10) with r alone cannot",
    "equal dipoles at r and -r",
    {"gate": moment_gate},
    {"printed: (10), 'can learn how to combine such moments'": {"gate": zeroth_gate}},
)
def dipole_of_the_whole(subject: SimpleNamespace, full: bool) -> Cases:
    """The dipole of the whole is twice that of a part; every fragment of (10) cancels."""
    for r in ((0, 0, 1), (2, 3, 6), (1, 2, 2)):
        psi = [(VECTOR, [[Gauss(1, 2), Gauss(0, 3), Gauss(-1, 1)]])]
        children = [Child(r, psi), Child(tuple(-x for x in r), psi)]
        yield r, 0 if any(x != 0 for x in subject.gate(children)) else 1


@claim(
    "9.17",
    "the equation before (7) (E17)",
    "distances enter with the exponents -s of (6): a term of order s falls as 2^-s when all distances double",
    "scaling",
    {"exponent": lambda s: -s},
    {"printed: +s": {"exponent": lambda s: s}},
)
def exponents_before_7(subject: SimpleNamespace, full: bool) -> Cases:
    for s in range(1, 4):
        one, two = (
            numbers(definition.zeroth_order([Child([k * x for x in (2, 3, 6)], charge(1))], MONOMIAL, (s,)))
            for k in (1, 2)
        )
        factor = Fraction(2) ** (1 + subject.exponent(s))  # one more for the vector
        yield s, sum(b != factor * a for a, b in zip(one, two))


@claim(
    "9.18",
    "eq. (13) (E18)",
    "kappa of (13) is that of two degrees: sum over l of kappa(l) (2l + 1) = (2 l1 + 1)(2 l2 + 1)",
    "dimensions",
    {"kappa": lambda l1, l2, tau1, tau2: [irrep.l for irrep in Irrep(l1) * Irrep(l2)]},
    {
        "printed: kappa of the types": {
            "kappa": lambda l1, l2, tau1, tau2: [
                irrep.l for a in tau1 for b in tau2 for irrep in a.irrep * b.irrep for _ in range(a.mul * b.mul)
            ]
        }
    },
)
def kappa_of_degrees(subject: SimpleNamespace, full: bool) -> Cases:
    tau = Irreps("2x0 + 1x1 + 1x2")
    for l1, l2 in itertools.product(range(4), repeat=2):
        found = sum(2 * l + 1 for l in subject.kappa(l1, l2, tau, tau))
        yield (l1, l2), found - (2 * l1 + 1) * (2 * l2 + 1)


def fragments_of_degree(L: int, l: int, c: int) -> int:
    """Rows of W_l in (10): three terms, each (c, .., c) x (0, 1)."""
    return 3 * c * sum(irrep.l == l for k in range(L + 1) for irrep in Irrep(k) * Irrep(1))


@claim(
    "9.19",
    "sec. 4.0.1 (E19)",
    "the richest output has the type (3c, 9c, .., 9c, 6c, 3c): the last part has 3c fragments, of degree L + 1",
    "dimensions of the product",
    {"last": lambda L, c: (L + 1, 3 * c)},
    {"printed: W_L of 6c x 6c beside a type that ends in 3c": {"last": lambda L, c: (L, 3 * c)}},
)
def last_matrix(subject: SimpleNamespace, full: bool) -> Cases:
    for L, c in itertools.product(range(2, 6), (1, 4)):
        degree, count = subject.last(L, c)
        yield (L, c), fragments_of_degree(L, degree, c) - count
        whole = sum(fragments_of_degree(L, l, c) * (2 * l + 1) for l in range(L + 2))
        yield (L, c, "all"), whole - 3 * c * 3 * (L + 1) ** 2


def layer(F: Sequence[Fraction], toy: Sequence[Sequence[Fraction]]) -> list[Fraction]:
    """(10) of the fusion paper on scalars: [F_i + F_i^2 + sum_j g_ij F_j] with weights one."""
    return [f + f * f + sum(g * x for g, x in zip(row, F)) for f, row in zip(F, toy)]


TOY = [[Fraction(int(i != j), 1 + i + 2 * j) for j in range(3)] for i in range(3)]
FEATURES = [Fraction(1, 2), Fraction(-3), Fraction(5, 7)]


@claim(
    "9.20",
    "fusion paper, eq. (10)",
    "the left side is F^s: the layer's output differs from its input F^(s-1)",
    "a layer of scalars",
    {"left": lambda before, after: after},
    {"printed: F^(s-1)": {"left": lambda before, after: before}},
)
def left_side_of_10(subject: SimpleNamespace, full: bool) -> Cases:
    after = layer(FEATURES, TOY)
    for i, (found, wanted) in enumerate(zip(subject.left(FEATURES, after), after)):
        yield i, found - wanted


@claim(
    "9.21",
    "fusion paper, eq. (11)",
    "the outer sum runs over the neighbours j of atom i: atoms in different surroundings differ",
    "three atoms on a line",
    {"update": lambda pairs: [sum(row) for row in pairs]},
    {"printed: a sum over i": {"update": lambda pairs: [sum(map(sum, pairs))] * len(pairs)}},
)
def outer_sum_of_11(subject: SimpleNamespace, full: bool) -> Cases:
    found = subject.update([[g * x for g, x in zip(row, FEATURES)] for row in TOY])
    yield "one value for each surrounding", 0 if len(set(found)) == len(found) else 1


@claim(
    "9.22",
    "fusion paper, sec. 3.2, dense",
    "of l internal spins 2^l - 1 selections can be made: one, a pair, a triple, and beyond",
    "counting",
    {"count": lambda n: 2**n - 1},
    {"printed: l!": {"count": math.factorial}},
)
def selections_of_spins(subject: SimpleNamespace, full: bool) -> Cases:
    for n in range(1, 7):
        found = sum(1 for k in range(1, n + 1) for _ in itertools.combinations(range(n), k))
        yield n, subject.count(n) - found


if __name__ == "__main__":
    sys.exit(main())
