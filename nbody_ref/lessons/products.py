"""Exercises of lessons 4 to 6: Clebsch-Gordan products, mixing, gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import permutations
from math import factorial
from typing import Any

from nbody_ref.exact.aggregation import aggregation
from nbody_ref.exact.definition import Child, State, first_order, fragment_product, mixing, relative, zeroth_order
from nbody_ref.exact.gauges import coupling_constant, monomial_coupling, real_gauge
from nbody_ref.exact.network import flatten, rational_points
from nbody_ref.exact.surd import Surd
from nbody_ref.exact.wigner import rational_D
from nbody_ref.irreps import Irrep
from nbody_ref.lessons.exercise import Exercise, Slip
from nbody_ref.lessons.reading import Degrees, Function, Number, Words
from nbody_ref.lessons.symmetry import TURN, array, root

__all__ = ["EXERCISES", "couple"]

REAL = real_gauge(Fraction, normalization="norm")


# 4. Clebsch-Gordan


def coefficient() -> Surd:
    """<1 1 1 -1 | 2 0> by way of the integer coupling of the monomial gauge."""
    K = {entry[:3]: entry[3] for entry in monomial_coupling(1, 1, 2)}[1, -1, 0]
    weight = Surd(1, factorial(2) * factorial(2), factorial(2) * factorial(2))  # (l+m)!(l-m)!: l = 2 over l = 1 twice
    return coupling_constant(1, 1, 2) * weight * K


def response() -> str:
    """Degrees and parities in 2e x 1o, from the integer couplings that are not empty."""
    return " + ".join(f"1x{Irrep(l, -1)}" for l in range(5) if monomial_coupling(2, 1, l))


def vanishing() -> list[str]:
    """Degrees at which a fragment of degree 2 couples with itself to zero, from the integers themselves."""
    tables = {l: {entry[:3]: entry[3] for entry in monomial_coupling(2, 2, l)} for l in range(5)}
    return [str(l) for l, K in tables.items() if all(K.get((b, a, m), 0) == -v for (a, b, m), v in K.items())]


def couple(x: Sequence[Any], y: Sequence[Any], l: int) -> list[float]:
    """Product of two fragments by the definition, over Fractions."""
    a, b = ([Fraction(float(v)) for v in z] for z in (x, y))
    return [float(v) for v in fragment_product(a, b, l, REAL)]


def _couple(swap: bool = False, l: int | None = None, scale: bool = False) -> Callable[[Any, Any, Any], Any]:
    def product(x: Any, y: Any, C: Any) -> list[float]:
        degree = (len(C[0][0]) - 1) // 2
        found = couple(y, x, degree) if swap else couple(x, y, degree)
        factor = (2 * degree + 1) ** 0.5 if scale else 1.0
        return [v / factor for v in found]

    return product


def _absolute(x: Any, y: Any, C: Any) -> list[float]:
    rows = range(len(x)), range(len(y))
    return [sum(abs(float(C[i][j][m])) * x[i] * y[j] for i in rows[0] for j in rows[1]) for m in range(len(C[0][0]))]


def _product_inputs() -> list[tuple[Any, ...]]:
    found = []
    for l1, l2, l in ((1, 1, 1), (1, 2, 2), (2, 1, 3), (2, 2, 0)):
        C = [[[0.0] * (2 * l + 1) for _ in range(2 * l2 + 1)] for _ in range(2 * l1 + 1)]
        for m1, m2, m, value in REAL.coupling(l1, l2, l):
            C[m1 + l1][m2 + l2][m + l] = float(value)
        x, y = ([(3 * k * k - 5 * k + s) / 4 for k in range(2 * n + 1)] for n, s in ((l1, 1), (l2, -2)))
        found.append((array(x), array(y), array(C)))
    return found


# 5. Mixing: a state of type 1x0 + 2x1, its vectors u and v; matrices act on (s; u_y, v_y; u_z, v_z; u_x, v_x)

MAPS: dict[str, Callable[[Any, Any, Any], tuple[Any, Any, Any]]] = {
    "A": lambda s, u, v: (2 * s, [3 * a for a in u], [5 * a for a in v]),
    "B": lambda s, u, v: (s, [a + 2 * b for a, b in zip(u, v)], [a - b for a, b in zip(u, v)]),
    "C": lambda s, u, v: (s, [u[0], u[1] + s, u[2]], v),
    "D": lambda s, u, v: (s, [u[0], 2 * u[1], u[2]], v),
    "E": lambda s, u, v: (s, [u[0], v[1], u[2]], [v[0], u[1], v[2]]),
}


def commuting() -> set[str]:
    """Which maps commute with a rational rotation in general position; over Fractions, so the answer is yes or no."""
    D = rational_D(1, TURN)
    state = (Fraction(7), [Fraction(k) for k in (1, -2, 5)], [Fraction(k) for k in (3, 4, -6)])

    def turn(s: Any, u: Any, v: Any) -> tuple[Any, Any, Any]:
        return s, *([sum(a * x for a, x in zip(row, w)) for row in D] for w in (u, v))

    return {name for name, f in MAPS.items() if tuple(f(*turn(*state))) == tuple(turn(*f(*state)))}


def free_weights() -> int:
    """Free numbers of a map 4x0 + 2x1 -> 3x0 + 5x1 that commutes with rotations: pairs of equal irreps, counted."""
    source, target = [0] * 4 + [1] * 2, [0] * 3 + [1] * 5
    return sum(len(monomial_coupling(a, b, 0)) > 0 for a in source for b in target)


def mixed(F: Any, W: Any) -> list[list[complex]]:
    """F W by the definition: fragments are columns."""
    l = (len(F) - 1) // 2
    columns = [list(map(complex, column)) for column in zip(*F)]
    ((_, result),) = mixing([(Irrep(l), columns)], [(Irrep(l), [list(map(complex, row)) for row in W])])
    return [list(row) for row in zip(*result)]


def _mixed(change: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda F, W: mixed(F, change(W))


def _mixing_inputs() -> list[tuple[Any, Any]]:
    import numpy as np

    F = np.array([[1 + 2j, -1], [0.5j, 2], [3, 1 - 1j]])
    return [(F, np.array([[1, 2j], [-1 + 1j, 0.5]])), (2 * F[::-1], np.array([[0, 1], [2, -1j]]))]


# 6. Gates


def before_mixing() -> list[int]:
    """Type of what eq. (10) collects from children of type 2x0 + 1x1, counted on the definition's fragments."""
    state: State = [(Irrep(0), [[1], [1]]), (Irrep(1), [[1, 2, 3]])]
    counts = [0] * 3
    for irrep, fragments in zeroth_order([Child((1, 2, 2), state)], REAL):
        counts[irrep.l] += len(fragments)
    return counts


def scalars_of(psi: Any, r: Any) -> list[float]:
    """Scalars of eq. (10) for children with one vector each, s = 0, 1, 2: by the definition, lengths to 100 bits."""
    result = [Fraction(0)] * 3
    for state, place in zip(psi, r):
        a, b = ([Fraction(float(x)) for x in v] for v in (state, place))
        length = root(sum((x * x for x in b), Fraction(0)))
        (dot,) = fragment_product(a, REAL.vector(b), 0, REAL)
        result = [total + dot / length**s for s, total in enumerate(result)]
    return [float(x) for x in result]


def _scalars(factor: float = 1.0, powers: tuple[int, ...] = (0, 1, 2), together: bool = False) -> Callable[..., Any]:
    def gate(psi: Any, r: Any) -> list[float]:
        if together:
            psi, r = [[sum(column) for column in zip(*psi)]], [[sum(column) for column in zip(*r)]]
        lengths = [sum(float(x) ** 2 for x in place) ** 0.5 for place in r]
        dots = [sum(float(a) * float(b) for a, b in zip(s, (p[1], p[2], p[0]))) for s, p in zip(psi, r)]
        return [sum(-factor / 3**0.5 * dot / d**s for dot, d in zip(dots, lengths)) for s in powers]

    return gate


def _xyz(psi: Any, r: Any) -> list[float]:
    return scalars_of(psi, [[p[2], p[0], p[1]] for p in r])


def _gate_inputs() -> list[tuple[Any, Any]]:
    return [
        (array([[1, 0.5, -2], [0, 3, 1]]), array([[0.5, 1, 2], [-1, 0.25, 1]])),
        (array([[2, -1, 0.5]]), array([[1, 2, -2]])),
        (array([[1, 1, 0], [0, 2, -1], [3, 0, 0.5]]), array([[1, 0, 0.5], [0, -2, 1], [0.25, 1, 1]])),
    ]


def symmetric_gates() -> set[str]:
    """Gates whose value stays when children change places, tried over rationals with all orders of three children."""
    points = rational_points(3)
    children = [Child(p, [(Irrep(0), [[k + 2]])]) for k, p in enumerate(points)]
    rules: dict[str, Callable[[list[Child]], Any]] = {
        "(6)": lambda c: [flatten(term.state) for term in aggregation(c, REAL, 1, 0, 0)],
        "(10)": lambda c: flatten(zeroth_order(c, REAL)),
        "(11)": lambda c: flatten(first_order(c, REAL, powers=(0, 2))),
        "(12)": lambda c: flatten(relative(c, REAL, powers=(0, 2))),
    }
    return {
        name for name, rule in rules.items() if all(rule(list(c)) == rule(children) for c in permutations(children))
    }


EXERCISES = (
    Exercise(
        "4.1",
        "What is <1 1 1 -1 | 2 0>, exactly? A text such as 'sqrt(2/3)' or '-1/2' will do.",
        Number(),
        coefficient,
        (
            Slip("the root", "1/6", "1/6 is its square; coefficients are square roots of rationals"),
            Slip("sign", "-sqrt(1/6)", "all <1 m 1 -m | 2 0> are positive; those to l = 0 alternate"),
            Slip("the m's", "sqrt(2/3)", "that is <1 0 1 0 | 2 0>; the three squares sum to 1"),
            Slip("sqrt(2l + 1)", "sqrt(1/30)", "that is the 3j symbol, smaller by sqrt(2l + 1) = sqrt(5)"),
        ),
    ),
    Exercise(
        "4.2",
        "A quadrupole, 1x2e, in an electric field, 1x1o: which type has the response? With parity letters.",
        Degrees(),
        response,
        (
            Slip("parity", "1x1o + 1x2e + 1x3o", "parities multiply: e times o is o for every degree, also for l = 2"),
            Slip("the lower end", "1x0o + 1x1o + 1x2o + 1x3o", "l begins at |2 - 1| = 1"),
            Slip("the upper end", "1x1o + 1x2o", "l runs up to 2 + 1 = 3: 15 components in all"),
        ),
    ),
    Exercise(
        "4.3",
        "A fragment of degree 2 is coupled with itself. For which l is the result always zero? Give words, "
        "['0', '1', ...].",
        Words(tuple("012345")),
        vanishing,
        (
            Slip("the other half", ["0", "2", "4"], "these are symmetric in the two factors and remain"),
            Slip("beyond the triangle", ["1", "3", "5"], "5 > 2 + 2 does not occur at all"),
            Slip("only the cross product", ["1"], "every antisymmetric coupling vanishes, the sign is (-1)^l"),
        ),
    ),
    Exercise(
        "4.4",
        "Write product(x, y, C): the fragment sum over m1, m2 of C[m1, m2, m] x[m1] y[m2].",
        Function("product(x, y, C)", _product_inputs),
        lambda: _couple(),
        (
            Slip("the factors are exchanged", _couple(swap=True), "x goes with the first axis of C, y with the second"),
            Slip("sqrt(2l + 1)", _couple(scale=True), "C has orthonormal columns already, nothing is to be divided"),
            Slip("signs of C", _absolute, "coefficients have signs; without them nothing is covariant"),
        ),
    ),
    Exercise(
        "5.1",
        "A state holds a scalar s and vectors u, v. Which maps are covariant? A: (2s, 3u, 5v). B: (s, u + 2v, u "
        "- v). C: s is added to the middle component of u. D: the middle component of u is doubled. E: the "
        "middle components of u and v are exchanged.",
        Words(tuple("ABCDE")),
        commuting,
        (
            Slip("channels may mix", ["A"], "B mixes whole fragments of one degree, all components alike: F W"),
            Slip("degrees", ["A", "B", "C"], "C sends a scalar into one component; a rotation takes it elsewhere"),
            Slip("components", ["A", "B", "E"], "E treats one component otherwise than the others, as D does"),
        ),
    ),
    Exercise(
        "5.2",
        "How many weights has a covariant linear map from 4x0 + 2x1 to 3x0 + 5x1?",
        Number(0.0),
        free_weights,
        (
            Slip("a full matrix", 180, "10 x 18 entries, but most of them must be zero or equal"),
            Slip("degrees mixed", 48, "6 x 8 pairs of fragments; only pairs of one degree may mix"),
            Slip("components apart", 42, "one weight serves all 2l + 1 components of a pair"),
        ),
    ),
    Exercise(
        "5.3",
        "Write mix(F, W), eq. (9), for a complex part F (2l + 1, mul_in) and weights W (mul_in, mul_out).",
        Function("mix(F, W)", _mixing_inputs),
        lambda: mixed,
        (
            Slip("transposed", _mixed(lambda W: W.T), "the row of W is the channel that comes in"),
            Slip("conjugated", _mixed(lambda W: W.conj()), "eq. (9) multiplies by W itself"),
            Slip("transposed and conjugated", _mixed(lambda W: W.conj().T), "F W, not F times the adjoint of W"),
        ),
    ),
    Exercise(
        "6.1",
        "Children are of type 2x0 + 1x1. Which type has what the gate (10) collects, before mixing? Counts for "
        "l = 0, 1, 2.",
        Degrees(parity=False),
        before_mixing,
        (
            Slip("one exponent", [1, 3, 1], "the terms s = 0, 1, 2 stand side by side: three times as many"),
            Slip("0 x 1", [3, 3, 3], "each scalar times r is a vector as well"),
            Slip("degree 2", [3, 9], "1 x 1 reaches l = 2"),
        ),
    ),
    Exercise(
        "6.2",
        "Write gate(psi, r): children with one vector each, psi (k, 3) in the order (y, z, x), at r (k, 3) in "
        "the order (x, y, z). Return the three scalars of eq. (10), s = 0, 1, 2.",
        Function("gate(psi, r)", _gate_inputs),
        lambda: scalars_of,
        (
            Slip("sign", _scalars(-1.0), "the coefficients of 1 x 1 -> 0 are -1/sqrt(3)"),
            Slip("sqrt(3)", _scalars(3**0.5), "the product is -a.b/sqrt(3), not -a.b"),
            Slip("squared lengths", _scalars(powers=(0, 2, 4)), "|r|^-s is a power of the length, not of its square"),
            Slip("sums before the product", _scalars(together=True), "the sum runs over products psi_i x r_i"),
            Slip("axis order", _xyz, "psi is (y, z, x), r is (x, y, z): bring them to one order"),
        ),
    ),
    Exercise(
        "6.3",
        "Which rules give the same when children change places: the general rule (6) with children in order, "
        "(10), (11), (12)?",
        Words(("(6)", "(10)", "(11)", "(12)")),
        symmetric_gates,
        (
            Slip(
                "order", ["(6)", "(10)", "(11)", "(12)"], "(6) takes its children one by one; each has its own factor"
            ),
            Slip("pairs", ["(10)"], "a sum over all pairs does not know their order either"),
            Slip("r_ij", ["(10)", "(11)"], "r_ij changes sign, but the pair (j, i) is in the sum as well"),
        ),
    ),
)
