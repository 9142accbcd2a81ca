"""Exercises of lessons 7 to 9: composition schemes, gradients by hand, learning a potential."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from nbody_ref.errors import SchemeError
from nbody_ref.exact.definition import mixing
from nbody_ref.irreps import Irrep
from nbody_ref.lessons.exercise import Exercise, Slip
from nbody_ref.lessons.products import REAL, couple
from nbody_ref.lessons.reading import Arrays, Function, Number, Words
from nbody_ref.lessons.symmetry import array, root
from nbody_ref.scheme import Node, Scheme, neighbourhoods

__all__ = ["EXERCISES"]


# 7. Composition schemes; water, atom 0 is the oxygen

LEAVES = [Node([k]) for k in range(3)]
DRAWINGS = {
    "A": [*LEAVES, Node([0, 1, 2], [0, 1, 2])],
    "B": [*LEAVES, Node([0, 1], [0, 1]), Node([0, 2], [0, 2]), Node([0, 1, 2], [3, 4])],
    "C": [*LEAVES, Node([0, 1, 2], [0, 1, 2, 4]), Node([0, 1, 2], [3])],
    "D": [*LEAVES, Node([0, 1], [0, 1]), Node([0, 2], [0, 2])],
    "E": [*LEAVES, Node([0, 1], [0, 1, 2]), Node([0, 1, 2], [3])],
}


def schemes() -> set[str]:
    """Which drawings pass the checks of Definition 1."""

    def valid(nodes: list[Node]) -> bool:
        try:
            return Scheme(nodes, 3) is not None
        except SchemeError:
            return False

    return {name for name, nodes in DRAWINGS.items() if valid(nodes)}


def reach() -> int:
    """Atoms that the second level of neighbourhoods of the third atom of a chain of six consists of."""
    chain = neighbourhoods([[j for j in (i - 1, i + 1) if 0 <= j < 6] for i in range(6)], [6] * 6, depth=2)
    return len(chain.nodes[2 * 6 + 2].part)


# 8. Gradients by hand: a bilinear map is differentiated by putting unit vectors in, so the answer is exact


def product_vjp(y_bar: Any, a: Any, b: Any, C: Any) -> tuple[list[float], list[float]]:
    """Adjoint of the product of two fragments, <y_bar, unit x b> and <y_bar, a x unit>, by the definition."""
    l = (len(y_bar) - 1) // 2
    a_bar = [_dot(y_bar, couple(e, b, l)) for e in _units(len(a))]
    return a_bar, [_dot(y_bar, couple(a, e, l)) for e in _units(len(b))]


def _exchanged(y_bar: Any, a: Any, b: Any, C: Any) -> tuple[list[float], list[float]]:
    a_bar, b_bar = product_vjp(y_bar, a, b, C)
    return b_bar, a_bar


def _transposed(y_bar: Any, a: Any, b: Any, C: Any) -> tuple[list[float], list[float]]:
    l = (len(y_bar) - 1) // 2
    a_bar = [_dot(y_bar, couple(b, e, l)) for e in _units(len(a))]
    return a_bar, [_dot(y_bar, couple(e, a, l)) for e in _units(len(b))]


def _own_factor(y_bar: Any, a: Any, b: Any, C: Any) -> tuple[list[float], list[float]]:
    return product_vjp(y_bar, b, a, C)


def _units(n: int) -> list[list[int]]:
    return [[int(i == k) for i in range(n)] for k in range(n)]


def _dot(x: Sequence[Any], y: Sequence[Any]) -> float:
    return float(sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(x, y)))


def _vjp_inputs() -> list[tuple[Any, ...]]:
    found = []
    for l1, l in ((1, 1), (1, 2), (2, 3), (2, 2)):
        C = [[[0.0] * (2 * l + 1) for _ in range(2 * l1 + 1)] for _ in range(2 * l1 + 1)]
        for m1, m2, m, value in REAL.coupling(l1, l1, l):
            C[m1 + l1][m2 + l1][m + l] = float(value)
        y, a, b = (
            [(k * k - 3 * k + s) / 2 for k in range(n)] for n, s in ((2 * l + 1, 1), (2 * l1 + 1, 2), (2 * l1 + 1, -3))
        )
        b = [x * (k + 1) for k, x in enumerate(b)]
        found.append((array(y), array(a), array(b), array(C)))
    return found


def gradient() -> list[float]:
    """Gradient of 1/d^2 at (1, 2, 2): -q'/q^2, q' by a difference that is exact for the square q."""
    at = [1, 2, 2]

    def q(k: int, h: int) -> int:
        return sum((x + h * (i == k)) ** 2 for i, x in enumerate(at))

    return [float(Fraction(-(q(k, 1) - q(k, -1)), 2 * q(k, 0) ** 2)) for k in range(3)]


def weights_vjp(F: Any, y_bar: Any) -> list[list[complex]]:
    """Adjoint of eq. (9) by the weights: pair y_bar with F times a unit matrix, entry by entry."""
    l, columns = (len(F) - 1) // 2, [list(map(complex, column)) for column in zip(*F)]
    rows, outputs = len(columns), len(y_bar[0])
    found = []
    for i in range(rows):
        line = []
        for c in range(outputs):
            unit = [[int((k, n) == (i, c)) for n in range(outputs)] for k in range(rows)]
            ((_, image),) = mixing([(Irrep(l), columns)], [(Irrep(l), unit)])
            line.append(sum(image[n][m] * complex(y_bar[m][n]) for n in range(outputs) for m in range(len(F))))
        found.append(line)
    return found


def _weights(change: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda F, y_bar: change(F, y_bar)


def _weights_inputs() -> list[tuple[Any, Any]]:
    import numpy as np

    F = np.array([[1 + 2j, -1], [0.5j, 2], [3, 1 - 1j]])
    return [(F, np.array([[1, 2j], [0, 1], [1j, -1]])), (F[:, ::-1], np.array([[2, 1], [1, 1j], [0.5, 0]]))]


# 9. Learning

A, Y = [[1, 0], [1, 1], [0, 2]], [1, 2, 2]


def ridge(diagonal: int, everywhere: int = 0) -> list[float]:
    """Solution of (A^T A + lambda) w = A^T y by Cramer's rule over the rationals."""
    G = [[Fraction(sum(r[i] * r[j] for r in A) + everywhere + diagonal * (i == j)) for j in (0, 1)] for i in (0, 1)]
    g = [sum(r[i] * y for r, y in zip(A, Y)) for i in (0, 1)]
    det = G[0][0] * G[1][1] - G[0][1] * G[1][0]
    return [float((g[0] * G[1][1] - g[1] * G[0][1]) / det), float((g[1] * G[0][0] - g[0] * G[1][0]) / det)]


def rows() -> int:
    """Equations of ten labelled frames of ethanol, one by one."""
    return sum(
        1 for frame in range(10) for label in ("energy", *(f"{atom}{axis}" for atom in range(9) for axis in "xyz"))
    )


EXERCISES = (
    Exercise(
        "7.1",
        "Water, every atom a neighbour of O. How many nodes has its scheme with two levels of neighbourhoods?",
        Number(0.0),
        lambda: len(neighbourhoods([[1, 2], [0], [0]], [8, 1, 1], depth=2)),
        (
            Slip("the root", 9, "the molecule is a node as well"),
            Slip("one level", 7, "each level has a neighbourhood of every atom: 3 + 3 + 3, and the root"),
            Slip("the leaves", 6, "atoms are nodes too, the leaves; and so is the root"),
        ),
    ),
    Exercise(
        "7.2",
        "Atoms 0, 1, 2. Which are composition schemes? A: one node of all three. B: nodes {0, 1} and {0, 2}, "
        "and the root of these two. C: as A, and the root is a child of its own child. D: nodes {0, 1} and {0, "
        "2}, nothing above. E: a node {0, 1} with children 0, 1 and 2, and a root above.",
        Words(tuple("ABCDE")),
        schemes,
        (
            Slip("a shared part", ["A"], "B is no tree but a DAG: the atom 0 may belong to two nodes"),
            Slip("the root", ["A", "B", "D"], "there must be one node that is everything"),
            Slip("part of the parent", ["A", "B", "E"], "child 2 of E does not lie within its parent {0, 1}"),
            Slip("a cycle", ["A", "B", "C"], "no node may be its own descendant"),
        ),
    ),
    Exercise(
        "7.3",
        "A chain of six atoms, each a neighbour of the next. On how many atoms can the state of the third "
        "depend after two levels of neighbourhoods?",
        Number(0.0),
        reach,
        (
            Slip("one level", 3, "the neighbours' states know of their own neighbours already"),
            Slip("itself", 4, "the atom is a child of its own neighbourhood"),
            Slip("all", 6, "two levels reach two bonds far: atoms 0 to 4"),
        ),
    ),
    Exercise(
        "8.1",
        "Write product_vjp(y_bar, a, b, C) for the product y[m] = sum C[i, j, m] a[i] b[j]; return (a_bar, b_bar).",
        Function("product_vjp(y_bar, a, b, C)", _vjp_inputs),
        lambda: product_vjp,
        (
            Slip("the results are exchanged", _exchanged, "return them in the order of the arguments, a_bar first"),
            Slip("axes of C", _transposed, "a goes with the first axis of C also on the way back"),
            Slip("the other factor", _own_factor, "the derivative by a holds b, not a"),
        ),
    ),
    Exercise(
        "8.2",
        "What is the gradient of 1/|r|^2 at r = (1, 2, 2), in the order x, y, z?",
        Arrays((3,)),
        gradient,
        (
            Slip("sign", [2 / 81, 4 / 81, 4 / 81], "1/d^2 falls as d grows"),
            Slip("power", [-2 / 27, -4 / 27, -4 / 27], "-2 d^-3 times the unit vector r/d: d^4 = 81 below r"),
            Slip("the factor 2", [-1 / 81, -2 / 81, -2 / 81], "the derivative of d^-s is -s d^(-s-1)"),
        ),
    ),
    Exercise(
        "8.3",
        "Write weights_vjp(F, y_bar), the derivative of Re sum(y_bar * (F W)) by W, complex, paired without "
        "conjugation.",
        Function("weights_vjp(F, y_bar)", _weights_inputs),
        lambda: weights_vjp,
        (
            Slip("transposed", _weights(lambda F, y: y.T @ F), "W_bar has the shape of W: channels in, channels out"),
            Slip(
                "conjugated", _weights(lambda F, y: F.conj().T @ y), "the adjoint here is the transpose, no conjugate"
            ),
            Slip("the sum over m", _weights(lambda F, y: F[:1].T @ y[:1]), "all components share W, so all contribute"),
        ),
    ),
    Exercise(
        "9.1",
        "Ten frames of ethanol with energies and forces: how many equations for the weights is that?",
        Number(0.0),
        rows,
        (
            Slip("the energies", 270, "each frame has one energy besides its 27 forces"),
            Slip("components", 100, "a force has three components"),
            Slip("the forces", 10, "each frame has 9 x 3 of them, and they are the most of it"),
        ),
    ),
    Exercise(
        "9.2",
        "Rows A = [[1, 0], [1, 1], [0, 2]], labels y = [1, 2, 2]. Which weights minimise |A w - y|^2 + 2 |w|^2?",
        Arrays((2,)),
        lambda: ridge(2),
        (
            Slip("no regularisation", ridge(0), "2 is added on the diagonal of A^T A"),
            Slip("everywhere", ridge(0, 2), "lambda is added on the diagonal only: lambda times the unit matrix"),
            Slip("lambda squared", ridge(4), "lambda stands before |w|^2 as it is"),
        ),
    ),
    Exercise(
        "9.3",
        "A potential errs by 1, -1, 2, -4 meV. What is its root mean square error?",
        Number(),
        lambda: float(root(Fraction(1 + 1 + 4 + 16, 4))),
        (
            Slip("mean absolute error", 2, "squares first, then the mean, then the root"),
            Slip("signed mean", -0.5, "signs must not cancel"),
            Slip("the mean", 22**0.5, "divide the sum of squares by the number of errors"),
        ),
    ),
)
