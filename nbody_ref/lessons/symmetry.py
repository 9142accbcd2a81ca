"""Exercises of lessons 0 to 3: a potential, invariance and covariance, Wigner matrices, types and layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import isqrt
from typing import Any

from nbody_ref.exact.definition import Child, product, zeroth_order
from nbody_ref.exact.gauges import real_gauge
from nbody_ref.exact.network import flatten, rotate, unflatten
from nbody_ref.exact.wigner import rotation_matrix, wigner_D_real
from nbody_ref.irreps import Irrep
from nbody_ref.lessons.exercise import Exercise, Slip
from nbody_ref.lessons.reading import Arrays, Degrees, Function, Number, Words

__all__ = ["EXERCISES", "array", "root"]

REAL = real_gauge(Fraction, normalization="norm")
TURN = (3, 1, -2, 1)  # a quaternion in general position
Vector = Sequence[Any]


def array(values: Any) -> Any:
    """What a learner's function gets: a NumPy array of floats."""
    import numpy as np

    return np.array(values, dtype=float)


def root(q: Fraction) -> Fraction:
    """Square root of a rational to 100 bits after the point."""
    return Fraction(isqrt((q.numerator << 200) // q.denominator), 1 << 100)


# 0. A potential


def count_weights() -> int:
    """Rows of eq. (9) are counted by running eq. (10) over integers, not by a formula."""
    total, below, species = 0, [2], 2
    for degree, channels in ((1, 8), (0, 1)):
        state = [(Irrep(l), [[1] * (2 * l + 1)] * n) for l, n in enumerate(below) if n]
        children = [Child((Fraction(1), Fraction(2), Fraction(2)), state)]
        F = zeroth_order(children, REAL, keep=[Irrep(degree)])
        total += species * sum(len(fragments) for _, fragments in F) * channels
        below = [0] * degree + [channels]
    return total


def vector_fragment() -> list[float]:
    """The term s = 1 of eq. (10) for two children, by the definition."""
    children = [Child((1, 2, 2), [(Irrep(0), [[1]])]), Child((2, -1, 2), [(Irrep(0), [[3]])])]
    ((_, (fragment,)),) = zeroth_order(children, REAL, powers=(1,))
    return [float(x) for x in fragment]


def charges(power: int, factor: int) -> Callable[[Any], Any]:
    """Forces factor * sum over j of (r_i - r_j) / d^power, over Fractions."""

    def forces(positions: Any) -> Any:
        points = [[Fraction(float(x)) for x in row] for row in positions]
        result = []
        for a in points:
            total = [Fraction(0)] * 3
            for b in points:
                d = root(sum(((x - y) ** 2 for x, y in zip(a, b)), Fraction(0)))
                if d:
                    total = [t + factor * (x - y) / d**power for t, x, y in zip(total, a, b)]
            result.append([float(t) for t in total])
        return result

    return forces


def _clouds() -> list[tuple[Any]]:
    return [
        (array([[0, 0, 0], [1, 0.5, -0.25]]),),
        (array([[0.5, -1, 0.25], [1.5, 0.5, 0], [-0.75, 0.25, 1], [0, -0.5, -1.25]]),),
    ]


# 1. Scalars and vectors


def invariant_names() -> set[str]:
    """Which quantities of three atoms do not change: decided over rationals, by one rotation in general position."""
    points = [[1, 2, 3], [0, 1, 4], [5, -6, 0]]
    turned = [rotate(p, TURN) for p in points]
    found = {
        "distance": lambda r: sum((a - b) ** 2 for a, b in zip(r[0], r[1])),
        "angle": lambda r: sum(a * b for a, b in zip(r[0], r[1])),
        "sum of positions": lambda r: [sum(column) for column in zip(*r)],
        "triple product": _determinant,
        "sorted coordinates": lambda r: sorted(x for p in r for x in p),
    }
    return {name for name, f in found.items() if f(points) == f(turned)}  # type: ignore[no-untyped-call]


def _determinant(r: Sequence[Vector]) -> Any:
    (a, b, c), (d, e, f), (g, h, i) = r
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def cross_type() -> str:
    """Type of r_i x r_j, read off the antisymmetric product of two vectors with parities."""
    vectors = [[(Irrep(1, -1), [list(v)])] for v in ((1, 2, 3), (4, -5, 6))]
    one, two = (product(a, b, REAL) for a, b in (vectors, vectors[::-1]))
    (found,) = (p for (p, x), (_, y) in zip(one, two) if flatten([(p, x)]) == [-c for c in flatten([(p, y)])])
    return f"1x{found}"


def gap_of(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], float]:
    """Largest entry of what `compare` makes of f(R r) and f(r), with R r by exact rows."""

    def covariance_gap(f: Any, r: Any, R: Any) -> float:
        turned = array([[_dot(row, p) for row in R] for p in r])
        left, right = f(turned), f(r)
        return float(max(abs(x) for row in compare((left, R), right) for x in row))

    return covariance_gap


def _dot(a: Vector, b: Vector) -> Any:
    return sum(x * y for x, y in zip(a, b))


def _matrix_gap(transpose: bool, turn: bool) -> Callable[[Any, Any], Any]:
    def compare(left: Any, right: Any) -> list[list[float]]:
        values, R = left
        rows = [list(column) for column in zip(*R)] if transpose else R
        expected = [[_dot(row, p) for row in rows] for p in right] if turn else right
        return [[a - b for a, b in zip(x, y)] for x, y in zip(values, expected)]

    return compare


def _signed_gap(f: Any, r: Any, R: Any) -> float:
    turned = array([[_dot(row, p) for row in R] for p in r])
    rows = [[_dot(row, p) for row in R] for p in f(r)]
    return float(max(a - b for x, y in zip(f(turned), rows) for a, b in zip(x, y)))


def _gap_inputs() -> list[tuple[Any, ...]]:
    R = array([[float(x) for x in row] for row in rotation_matrix(TURN)])
    r = array([[1, 2, 3], [0, 1, 4], [5, -6, 0]])
    return [(lambda r: 2 * r + 1, r, R), (lambda r: r * r, r, R), (lambda r: -r, r, R), (lambda r: -5 - r, r, R)]


# 2. Wigner matrices

QUARTER = (1, 0, 0, 1)  # a quarter turn about z


def quarter_turn() -> list[list[float]]:
    """D^1 of a quarter turn about z in the real gauge, from integer quaternions."""
    return [[float(x) for x in row] for row in wigner_D_real(1, QUARTER)]


def trace() -> int:
    """Trace of D^2 of a quarter turn, from the exact matrix."""
    D = wigner_D_real(2, QUARTER)
    return round(sum(float(D[k][k]) for k in range(5)))


CASES = {
    "identity, any direction": ((1, 0, 0, 0), (1, 2, 3)),
    "half turn, off the axis": ((0, 0, 0, 1), (1, 2, 3)),
    "quarter turn, on the axis": (QUARTER, (0, 0, 1)),
    "quarter turn, off the axis": (QUARTER, (1, 2, 3)),
}


def telling_cases() -> set[str]:
    """In which cases D u and D^T u differ, over rationals."""
    found = set()
    for name, (q, u) in CASES.items():
        inverse = (q[0], -q[1], -q[2], -q[3])
        if rotate(u, q) != rotate(u, inverse):
            found.add(name)
    return found


# 3. Types and layout


def product_with_a_vector() -> list[int]:
    """Type of (1, 1, 1, 1) x (0, 1), counted on the fragments that the definition forms."""
    state = [(Irrep(l), [[1] * (2 * l + 1)]) for l in range(4)]
    found = [irrep.l for irrep, _ in product(state, [(Irrep(1), [[1, 1, 1]])], REAL)]
    return [found.count(l) for l in range(5)]


def place() -> int:
    """Where component m = 0 of the second vector lies in a state of type 4x0e + 2x1o + 1x2e, by marking it."""
    state = unflatten("4x0e + 2x1o + 1x2e", [0] * 15)
    state[1][1][1][1] = 1
    return flatten(state).index(1)


def vectors_of(state: Any) -> Any:
    """The vectors of a state of type 2x0e + 3x1o, (3 components, 3 channels), by the definition's layout."""
    _, (_, vectors) = unflatten("2x0e + 3x1o", [float(x) for x in state])
    return [list(row) for row in zip(*vectors)]


def _slice(start: int, order: str) -> Callable[[Any], Any]:
    def vectors(state: Any) -> Any:
        flat = [float(x) for x in state[start : start + 9]]
        rows = [flat[3 * k : 3 * k + 3] for k in range(3)]
        return [list(column) for column in zip(*rows)] if order == "mul_ir" else rows

    return vectors


EXERCISES = (
    Exercise(
        "0.1",
        "How many weights has the network of `tiny` for two species with types [{1: 8}, {0: 1}]?",
        Number(0.0),
        count_weights,
        (
            Slip("parents of all species share", 72, "each species of the parent has its own W: W[z[i]]"),
            Slip("one exponent instead of three", 48, "eq. (10) has the terms s = 0, 1, 2 side by side"),
            Slip("a weight for each component", 336, "eq. (9) uses one W for all 2l + 1 components of a fragment"),
        ),
    ),
    Exercise(
        "0.2",
        "Children at r = (1, 2, 2) and (2, -1, 2) carry the scalars 1 and 3. What is the term s = 1 of eq. "
        "(10), as three components in the order of degree 1?",
        Arrays((3,)),
        vector_fragment,
        (
            Slip("axis order", [7 / 3, -1 / 3, 8 / 3], "these are (x, y, z); components of degree 1 are (y, z, x)"),
            Slip("the factor 1/|r| is missing", [-1, 8, 7], "s = 1 divides by the length, which is 3 for both"),
            Slip("the exponent is 2", [-1 / 9, 8 / 9, 7 / 9], "|r|^-s with s = 1 is 1/3"),
            Slip(
                "the states are left out", [1 / 3, 4 / 3, 1], "the product psi x r multiplies each vector by its scalar"
            ),
            Slip("sign", [1 / 3, -8 / 3, -7 / 3], "r points from the parent to the child"),
        ),
    ),
    Exercise(
        "0.3",
        "Write forces(positions) of E = sum over pairs of 1/d, (n, 3) to (n, 3), by hand.",
        Function("forces(positions)", _clouds),
        lambda: charges(3, 1),
        (
            Slip("sign", charges(3, -1), "the force is minus the derivative: equal charges push apart"),
            Slip("power", charges(2, 1), "the derivative of 1/d is -1/d^2 times the unit vector r/d: d^3 below r"),
            Slip("counted twice", charges(3, 2), "each pair stands once in E; its derivative by r_i is one term"),
        ),
    ),
    Exercise(
        "1.1",
        "Which of these quantities of three atoms are invariant under rotations about the origin: distance, "
        "angle, sum of positions, triple product, sorted coordinates?",
        Words(("distance", "angle", "sum of positions", "triple product", "sorted coordinates")),
        invariant_names,
        (
            Slip(
                "the pseudoscalar",
                {"distance", "angle"},
                "r1 . (r2 x r3) changes sign in a mirror, but a rotation is none",
            ),
            Slip(
                "covariant is not invariant",
                {"distance", "angle", "triple product", "sum of positions"},
                "a vector turns with the molecule; only its length stays",
            ),
            Slip(
                "sorting does not help",
                {"distance", "angle", "triple product", "sorted coordinates"},
                "sorting undoes an exchange of atoms; a rotation changes the coordinates themselves",
            ),
        ),
    ),
    Exercise(
        "1.2",
        "Which type has the vector sum over i < j of r_i x r_j of a numbered molecule?",
        Degrees(),
        cross_type,
        (
            Slip("parity", "1x1o", "under the inversion both factors change sign, so the product does not"),
            Slip("a cross product is a vector", "1x0e", "three numbers that a rotation mixes are of degree 1"),
            Slip("the triple product", "1x0o", "that is r_i . (r_j x r_k); here are two factors"),
        ),
    ),
    Exercise(
        "1.3",
        "Write covariance_gap(f, r, R): the largest entry of |f(R r) - R f(r)| for f from (n, 3) to (n, 3) and "
        "a matrix R.",
        Function("covariance_gap(f, r, R)", _gap_inputs),
        lambda: gap_of(_matrix_gap(False, True)),
        (
            Slip("invariance", gap_of(_matrix_gap(False, False)), "f(R r) - f(r) asks whether f stays; a vector turns"),
            Slip("transposed", gap_of(_matrix_gap(True, True)), "rows of f(r) are vectors: f(r) @ R.T turns each by R"),
            Slip("no absolute value", _signed_gap, "a gap of -1 is as bad as one of +1"),
        ),
    ),
    Exercise(
        "2.1",
        "Give D^1, in the order (y, z, x), of the quarter turn about z that takes x to y.",
        Arrays((3, 3)),
        quarter_turn,
        (
            Slip("transposed", [[0, 0, -1], [0, 1, 0], [1, 0, 0]], "that is the turn back; D takes x to y"),
            Slip("axis order", [[0, -1, 0], [1, 0, 0], [0, 0, 1]], "these are rows x, y, z; degree 1 is (y, z, x)"),
            Slip("half turn", [[-1, 0, 0], [0, 1, 0], [0, 0, -1]], "a quarter turn takes x to y, not to -x"),
        ),
    ),
    Exercise(
        "2.2",
        "The trace of D^l depends on the angle of rotation only. What is it for l = 2 and a quarter turn?",
        Number(1e-9),
        trace,
        (
            Slip("degree 1", 1, "1 + 2 cos 90 is the trace of the rotation matrix itself"),
            Slip("the identity", 5, "2l + 1 is the trace at angle 0"),
            Slip("m = 0 forgotten", -2, "the sum of e^{i m angle} runs over m = -2..2, m = 0 gives 1"),
        ),
    ),
    Exercise(
        "2.3",
        "Somebody's matrix is D or its transpose. Which tests of Y(R u) = M Y(u) can tell: identity, any "
        "direction; half turn, off the axis; quarter turn, on the axis; quarter turn, off the axis? Give a "
        "list.",
        Words(tuple(CASES)),
        telling_cases,
        (
            Slip(
                "the half turn",
                ["half turn, off the axis", "quarter turn, off the axis"],
                "a half turn is its own inverse, so D and its transpose are one matrix",
            ),
            Slip(
                "the axis",
                ["quarter turn, on the axis", "quarter turn, off the axis"],
                "what lies on the axis stays where it is, whichever way the turn goes",
            ),
            Slip("all of them", list(CASES), "the identity tells nothing, its matrix is symmetric"),
        ),
    ),
    Exercise(
        "3.1",
        "Which type has the product of a state of type (1, 1, 1, 1) with a vector, type (0, 1)? Give counts for "
        "l = 0..4.",
        Degrees(parity=False),
        product_with_a_vector,
        (
            Slip(
                "the printed pattern",
                [1, 3, 2, 2, 1],
                "(1, 3, 2, .., 2, 1) is right for L = 2 only; count the pairs that give l = 2",
            ),
            Slip("length", [1, 3, 2, 1], "the product reaches l = 4, so there are five entries; 48 components in all"),
            Slip("0 x 1", [2, 3, 3, 2, 1], "a scalar times a vector is a vector, |0 - 1| <= l <= 1"),
        ),
    ),
    Exercise(
        "3.2",
        "Where in a flat state of type 4x0e + 2x1o + 1x2e is component m = 0 of the second vector? Count from 0.",
        Number(0.0),
        place,
        (
            Slip("channel slow", 8, "that is mul_ir; here the channel runs fastest, m * mul + c"),
            Slip("m counts from -l", 5, "component m = 0 of a vector is row 1 of rows m = -1, 0, 1"),
            Slip("the offset", 3, "the part of vectors begins after the four scalars"),
        ),
    ),
    Exercise(
        "3.3",
        "Write vectors(state) that returns the vectors of a flat state of type 2x0e + 3x1o as an array (3, 3): "
        "components in rows, channels in columns.",
        Function("vectors(state)", lambda: [(array([5, 6, *range(10, 19)]),), (array([0.5, -2, *range(-9, 0)]),)]),
        lambda: vectors_of,
        (
            Slip("transposed", _slice(2, "mul_ir"), "the channel runs fastest: reshape(3, 3) as it lies in memory"),
            Slip("the offset", _slice(0, "ir_mul"), "two scalars come first"),
            Slip("the offset counts parts", _slice(1, "ir_mul"), "the first part holds two numbers, not one"),
        ),
    ),
)
