"""Exercises of lessons 10 and 11: fusion diagrams, fusion blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product as tuples
from typing import Any

from nbody_ref.exact import clebsch_gordan, six_j
from nbody_ref.exact.definition import fragment_product
from nbody_ref.exact.gauges import monomial_coupling
from nbody_ref.exact.surd import Surd, surd_sum
from nbody_ref.lessons.exercise import Exercise, Slip
from nbody_ref.lessons.products import REAL, couple
from nbody_ref.lessons.reading import Arrays, Function, Number, Words
from nbody_ref.lessons.symmetry import array

__all__ = ["EXERCISES"]

M = (-1, 0, 1)
Products = Callable[[Any, Any, int], Any]


# 10. Fusion diagrams


def f_move() -> Surd:
    """Overlap of ((0 1)_1 2)_1 with (0 (1 2)_2)_1 for three vectors, at M = 0: sums of products of coefficients."""
    terms = []
    for a, b in tuples(M, M):
        c = -a - b
        left = clebsch_gordan(1, a, 1, b, 1, a + b) * clebsch_gordan(1, a + b, 1, c, 1, 0)
        right = clebsch_gordan(1, b, 1, c, 2, b + c) * clebsch_gordan(1, a, 2, b + c, 1, 0)
        terms.append(left * right)
    return surd_sum(terms)


def labelings() -> int:
    """How often a vector occurs in the product of four: components M = 1 less components M = 2, counted."""
    weights = Counter(sum(ms) for ms in tuples(M, repeat=4))
    return weights[1] - weights[2]


def braids() -> list[int]:
    """Sign of |(2 1)_k> against |(1 2)_k> for k = 1, 2, 3, read off the coefficients."""
    signs = []
    for k in (1, 2, 3):
        pairs = [
            (clebsch_gordan(2, b, 1, a, k, a + b), clebsch_gordan(1, a, 2, b, k, a + b))
            for a in M
            for b in range(-2, 3)
        ]
        (ratio,) = {x / y for x, y in pairs if y}
        signs.append(ratio.sign)
    return signs


# 11. Fusion blocks: centre o, neighbours j, edges Y


def fuse(o: Any, j: Any, Y: Any, k: int, J: int) -> list[float]:
    """((o j)_k Y)_J by the definition."""
    a, b, c = ([Fraction(float(x)) for x in v] for v in (o, j, Y))
    return [float(x) for x in fragment_product(fragment_product(a, b, k, REAL), c, J, REAL)]


def _block_inputs() -> list[tuple[Any, ...]]:
    o, j, Y = array([1, 2, -0.5]), array([0.5, -1, 3]), array([2, 0.25, 1])
    return [(o, j, Y, k, J) for k, J in ((1, 0), (1, 1), (1, 2), (2, 1), (0, 1))]


def summable() -> set[str]:
    """Trees in which neighbours may be summed before the centre comes in: tried over rationals."""
    o = [Fraction(1), Fraction(-2), Fraction(3)]
    pairs = [
        ([Fraction(x) for x in j], [Fraction(x) for x in Y])
        for j, Y in (((1, 0, 2), (0, 3, 1)), ((-1, 4, 1), (2, 1, -2)))
    ]

    def f(a: Any, b: Any, l: int) -> Any:
        return fragment_product(a, b, l, REAL)

    def total(vectors: Sequence[Any]) -> list[Any]:
        return [sum(column) for column in zip(*vectors)]

    j_sum, Y_sum = total([j for j, _ in pairs]), total([Y for _, Y in pairs])
    rules = {
        "(oj)Y": (total([f(f(o, j, 1), Y, 1) for j, Y in pairs]), f(f(o, j_sum, 1), Y_sum, 1)),
        "(oY)j": (total([f(f(o, Y, 1), j, 1) for j, Y in pairs]), f(f(o, Y_sum, 1), j_sum, 1)),
        "o(Yj)": (
            total([f(o, f(Y, j, 1), 1) for j, Y in pairs]),
            f(o, total([f(Y, j, 1) for j, Y in pairs]), 1),
        ),
    }
    return {name for name, (one_by_one, at_once) in rules.items() if one_by_one == at_once}


def diagrams(J: int, largest: int) -> int:
    """Labelled diagrams ((o j)_k Y)_J, legs of degree 0 to 2, bond k up to `largest`: couplings that are not empty."""
    legs = tuples(range(3), repeat=3)
    return sum(
        bool(monomial_coupling(o, j, k)) and bool(monomial_coupling(k, Y, J))
        for o, j, Y in legs
        for k in range(largest + 1)
    )


EXERCISES = (
    Exercise(
        "10.1",
        "Three vectors. With which coefficient does (0 (1 2)_2)_1 occur in ((0 1)_1 2)_1? Exactly, as a text.",
        Number(),
        f_move,
        (
            Slip("the 6j symbol alone", six_j(1, 1, 1, 1, 1, 2), "times sqrt((2 k12 + 1)(2 k23 + 1)), and a sign"),
            Slip("sign", -f_move(), "the sign is (-1) to the sum of the three legs and the root"),
            Slip("one dimension", six_j(1, 1, 1, 1, 1, 2) * Surd(1, 5), "both bonds give a factor sqrt(2k + 1)"),
        ),
    ),
    Exercise(
        "10.2",
        "Four vectors, left comb, root 1. How many labelings has the diagram?",
        Number(0.0),
        labelings,
        (
            Slip("root 0", 3, "for the root 0 the last bond must be 1; here it may be 0, 1 or 2"),
            Slip("the last vertex", 7, "|k - 1| <= 1 <= k + 1 must hold at the root too: k = 3 does not reach 1"),
            Slip("all roots", 19, "only diagrams whose root is a vector count"),
        ),
    ),
    Exercise(
        "10.3",
        "A braid exchanges the branches of a vertex, |(2 1)_k> = s |(1 2)_k>. Give the signs s for k = 1, 2, 3.",
        Arrays((3,), 0.0),
        braids,
        (
            Slip("sign", [-1, 1, -1], "s = (-1)^(1 + 2 - k)"),
            Slip("no sign", [1, 1, 1], "the cross product changes sign when its factors are exchanged"),
            Slip("k is left out", [-1, -1, -1], "the sign depends on k: (-1)^(1 + 2 - k)"),
        ),
    ),
    Exercise(
        "11.1",
        "Write fuse(o, j, Y, k, J), the diagram ((o j)_k Y)_J on three vectors; nbody_ref.clebsch_gordan(l1, "
        "l2, l) gives C.",
        Function("fuse(o, j, Y, k, J)", _block_inputs),
        lambda: fuse,
        (
            Slip(
                "the other tree",
                lambda o, j, Y, k, J: couple(o, couple(j, Y, k), J),
                "o and j meet first, then the edge",
            ),
            Slip("the edge first", lambda o, j, Y, k, J: couple(couple(o, Y, k), j, J), "that is the tree (o Y) j"),
            Slip("a braid", lambda o, j, Y, k, J: couple(couple(j, o, k), Y, J), "o comes first: (-1)^(1 + 1 - k)"),
        ),
    ),
    Exercise(
        "11.2",
        "Trees (oj)Y, (oY)j, o(Yj). In which may the neighbours be summed before the centre o comes in?",
        Words(("(oj)Y", "(oY)j", "o(Yj)")),
        summable,
        (
            Slip("the edge last", ["(oj)Y"], "o meets each j before the edge comes in: nothing to sum before"),
            Slip("the edge first", ["(oY)j"], "o meets each Y before j comes in: nothing to sum before"),
            Slip("all of them", ["(oj)Y", "(oY)j", "o(Yj)"], "a product of sums is not the sum of products"),
        ),
    ),
    Exercise(
        "11.3",
        "Centre, neighbour and edge have one fragment of each degree 0, 1, 2. How many diagrams ((o j)_k Y)_1 "
        "are there with k = 0, 1, 2?",
        Number(0.0),
        lambda: diagrams(1, 2),
        (
            Slip("no cutoff", diagrams(1, 4), "bonds up to 4 exist, but k = 3 and 4 are left out here"),
            Slip("the root", diagrams(0, 2), "that counts the root 0; here it is 1"),
            Slip("k up to 1", diagrams(1, 1), "the bond 2 belongs to it"),
        ),
    ),
)
