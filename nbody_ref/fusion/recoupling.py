"""Recoupling: F-moves by 6j symbols, braids by their sign, exact matrices between any two trees, eqs. (F4) and (F5).

A coupled state of one tree is a sum of coupled states of another. Every coefficient is a single surd: each sum below
runs over terms that are rational multiples of one another (docs/derivations/fusion.md, step D6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from nbody_ref.errors import SchemeError
from nbody_ref.exact import Surd, six_j, surd_sum
from nbody_ref.fusion.diagram import Diagram, Node, labelings
from nbody_ref.fusion.label import Label, as_label, as_labels, check_basis, product, twice
from nbody_ref.fusion.tree import Tree, check_tree, leaves

__all__ = ["Recoupling", "braid", "braid_sign", "f_symbol", "gauge_power", "recoupling", "rotate", "rotate_back"]

Term = tuple[Node, Surd]
ONE = Surd(1, 1, 1)


def f_symbol(j1: Label, j2: Label, k12: Label, j3: Label, root: Label, k23: Label) -> Surd:
    r"""Coefficient of an F-move, <(j1 (j2 j3) k23) J | ((j1 j2) k12 j3) J>, eq. (F4).

    .. math:: F = (-1)^{j_1+j_2+j_3+J} \sqrt{(2k_{12}+1)(2k_{23}+1)}
              \begin{Bmatrix} j_1 & j_2 & k_{12} \\ j_3 & J & k_{23} \end{Bmatrix}

    Parameters
    ----------
    j1, j2, k12, j3, root, k23 : Irrep or Spin

    Returns
    -------
    Surd
        Exact; zero if a vertex of either tree is inadmissible, parities included.

    Raises
    ------
    IrrepsError
        If a label is none, or groups are mixed.

    Examples
    --------
    >>> from nbody_ref.fusion import Spin
    >>> half = Spin("1/2")
    >>> f_symbol(half, half, Spin(0), half, half, Spin(1))
    Surd(1, 3, 4)
    """
    j1, j2, k12, j3, root, k23 = (as_label("f_symbol", label) for label in (j1, j2, k12, j3, root, k23))
    vertices = ((j1, j2, k12), (k12, j3, root), (j2, j3, k23), (j1, k23, root))
    if any(out not in product(a, b) for a, b, out in vertices):
        return Surd(0, 0)
    return _f_symbol(*(twice(label) for label in (j1, j2, k12, j3, root, k23)))


def braid_sign(a: Label, b: Label, out: Label) -> int:
    """Sign (-1)^(ja + jb - j) of a vertex when its two inputs are exchanged, eq. (F5).

    Parameters
    ----------
    a, b, out : Irrep or Spin

    Raises
    ------
    IrrepsError
        If a label is none.

    Examples
    --------
    >>> from nbody_ref import Irrep
    >>> [braid_sign(Irrep(1), Irrep(1), Irrep(l)) for l in (0, 1, 2)]
    [1, -1, 1]
    """
    a, b, out = as_label("braid_sign", a), as_label("braid_sign", b), as_label("braid_sign", out)
    return -1 if (twice(a) + twice(b) - twice(out)) // 2 % 2 else 1


def rotate(node: Node, legs: Sequence[Label]) -> list[Term]:
    """F-move at the root of a labelled tree, ((A B)k C)J = sum over k' of F (A (B C)k')J.

    Parameters
    ----------
    node : nested (label, left, right)
        `Diagram.nodes`, or a part of it; the left branch must be a vertex.
    legs : sequence of labels

    Returns
    -------
    list of (node, Surd)
    """
    root, (k, a, b), c = node
    ja, jb, jc = (_label(part, legs) for part in (a, b, c))
    return [
        ((root, a, (new, b, c)), f_symbol(ja, jb, k, jc, root, new))
        for new in product(jb, jc)
        if root in product(ja, new)
    ]


def rotate_back(node: Node, legs: Sequence[Label]) -> list[Term]:
    """Inverse of `rotate`, (A (B C)k')J = sum over k of F ((A B)k C)J; the right branch must be a vertex."""
    root, a, (k, b, c) = node
    ja, jb, jc = (_label(part, legs) for part in (a, b, c))
    return [
        ((root, (new, a, b), c), f_symbol(ja, jb, new, jc, root, k))
        for new in product(ja, jb)
        if root in product(new, jc)
    ]


def braid(node: Node, legs: Sequence[Label]) -> Term:
    """Exchange of the two branches at the root, (A B)J = sign (B A)J."""
    out, a, b = node
    return (out, b, a), ONE * braid_sign(_label(a, legs), _label(b, legs), out)


@dataclass(frozen=True)
class Recoupling:
    """Exact matrix between two trees on the same legs: source[k] = sum over k' of entries[k][k'] target[k'].

    Parameters
    ----------
    source, target : tuple of Diagram
        All labelings of either tree, in the order of `labelings`.
    entries : tuple of rows of Surd

    Examples
    --------
    >>> from nbody_ref.fusion import recoupling
    >>> matrix = recoupling(((0, 1), 2), (0, (1, 2)), ["1", "1", "1"], "1")
    >>> len(matrix.source), (matrix @ matrix.transpose).is_unitary()
    (3, True)
    """

    source: tuple[Diagram, ...]
    target: tuple[Diagram, ...]
    entries: tuple[tuple[Surd, ...], ...]

    def __matmul__(self, other: Recoupling) -> Recoupling:
        """Recoupling by way of a third tree.

        Raises
        ------
        SchemeError
            If the other does not begin at the tree where this one ends.
        """
        if not isinstance(other, Recoupling):
            return NotImplemented
        if self.target != other.source:
            raise SchemeError("Recoupling: 'other' must begin with the labelings that this one ends with")
        columns = tuple(zip(*other.entries))
        rows = tuple(
            tuple(surd_sum([x * y for x, y in zip(row, column)]) for column in columns) for row in self.entries
        )
        return Recoupling(self.source, other.target, rows)

    @property
    def transpose(self) -> Recoupling:
        """The way back, which is also the inverse."""
        return Recoupling(self.target, self.source, tuple(zip(*self.entries)))

    def is_unitary(self) -> bool:
        """Whether matrix times transpose is the unit matrix, decided with ``==``."""
        square = (self @ self.transpose).entries
        return all(value == (i == k) for i, row in enumerate(square) for k, value in enumerate(row))


def recoupling(source: Any, target: Any, legs: Sequence[Any], root: Any, basis: str = "complex") -> Recoupling:
    """Exact recoupling matrix between two trees, composed of F-moves and braids.

    Parameters
    ----------
    source, target : int or nested pairs
        Two trees on the same leaves; the leaves may stand in different orders.
    legs : sequence of Irrep, Spin or str
    root : Irrep, Spin or str
    basis : {"complex", "real"}
        Gauge of the coupling tensors. The vertices of the real gauge carry powers of i, which change some signs (D7).

    Returns
    -------
    Recoupling
        Orthogonal; entry (k, k') is the overlap of source labeling k with target labeling k'.

    Raises
    ------
    SchemeError, IrrepsError
        As `labelings`, and for an unknown `basis` or "real" spins.

    Notes
    -----
    For three legs the entries are 6j symbols, for four 9j symbols, times square roots of dimensions and signs.

    Examples
    --------
    >>> matrix = recoupling(((0, 1), 2), (0, (1, 2)), ["1", "1", "1"], "0")
    >>> matrix.entries, matrix.is_unitary()
    (((Surd(1, 1, 1),),), True)
    """
    legs = as_labels("recoupling", "legs", legs)
    check_basis("recoupling", basis, legs)
    goal = check_tree("recoupling", target)
    rows, columns = labelings(source, legs, root), labelings(goal, legs, root)
    index = {diagram.nodes: k for k, diagram in enumerate(columns)}
    entries = []
    for diagram in rows:
        row = [Surd(0, 0)] * len(columns)
        for node, value in to_tree(diagram.nodes, diagram.legs, goal):
            power = gauge_power(diagram.nodes, diagram.legs) - gauge_power(node, diagram.legs)
            row[index[node]] = -value if basis == "real" and power % 4 else value
        entries.append(tuple(row))
    return Recoupling(rows, columns, tuple(entries))


def gauge_power(node: Node, legs: Sequence[Label]) -> int:
    """Power of i that the real gauge of a diagram carries: one for every vertex whose degrees sum to odd (D7)."""
    if isinstance(node, int):
        return 0
    out, a, b = node
    odd = (twice(_label(a, legs)) + twice(_label(b, legs)) + twice(out)) // 2 % 2
    return odd + gauge_power(a, legs) + gauge_power(b, legs)


def to_tree(node: Node, legs: Sequence[Label], target: Tree) -> list[Term]:
    """One labelled tree as a combination of labelings of `target`.

    The leaves of each branch of the target are brought together under one edge, then each branch is treated alike.
    """
    if isinstance(target, int):
        return [(node, ONE)]
    left = frozenset(leaves(target[0]))
    terms = _collect([(split, value) for split, value in _split(node, legs, left)])
    out: list[Term] = []
    for (label, a, b), value in terms:
        for new_a, x in to_tree(a, legs, target[0]):
            out += [((label, new_a, new_b), value * x * y) for new_b, y in to_tree(b, legs, target[1])]
    return _collect(out)


def _split(node: Node, legs: Sequence[Label], wanted: frozenset[int]) -> list[Term]:
    """Rewrite a labelled tree so that its left branch holds exactly the leaves `wanted`, its right one the others."""
    out, a, b = node
    in_a, in_b = frozenset(_leaves(a)), frozenset(_leaves(b))
    if in_a == wanted:
        return [(node, ONE)]
    if in_b == wanted:
        return [braid(node, legs)]
    if in_b & wanted and not in_b <= wanted:  # the right branch is torn
        if not in_a & wanted or in_a <= wanted:  # and the left one is not: exchange them
            return _then(*braid(node, legs), lambda swapped: _split(swapped, legs, wanted))
        terms: list[Term] = []  # both are: pull the wanted part of the right branch over to the left
        for new_b, x in _split(b, legs, in_b & wanted):
            terms += _then((out, a, new_b), x, lambda n: rotate_back(n, legs))
        return _chain(terms, lambda n: _split(n, legs, wanted))
    found: list[Term] = []
    for new_a, x in _split(a, legs, in_a & wanted):  # ((W R) B): B joins R, or W
        if in_b <= wanted:
            found += [((out, na, b), x * y) for na, y in [braid(new_a, legs)]]
        else:
            found.append(((out, new_a, b), x))
    moved = _chain(found, lambda n: rotate(n, legs))
    return _chain(moved, lambda n: [braid(n, legs)]) if in_b <= wanted else moved


def _then(node: Node, value: Surd, move: Any) -> list[Term]:
    return [(new, value * x) for new, x in move(node)]


def _chain(terms: list[Term], move: Any) -> list[Term]:
    return _collect([term for node, value in terms for term in _then(node, value, move)])


def _collect(terms: list[Term]) -> list[Term]:
    """Add up the coefficients of equal diagrams; zeros drop out."""
    sums: dict[Node, list[Surd]] = {}
    for node, value in terms:
        sums.setdefault(node, []).append(value)
    totals = ((node, surd_sum(values)) for node, values in sums.items())
    return [(node, value) for node, value in totals if value]


def _leaves(node: Node) -> tuple[int, ...]:
    return (node,) if isinstance(node, int) else _leaves(node[1]) + _leaves(node[2])


def _label(node: Node, legs: Sequence[Label]) -> Label:
    return legs[node] if isinstance(node, int) else node[0]


@lru_cache(maxsize=65536)
def _f_symbol(j1: int, j2: int, k12: int, j3: int, root: int, k23: int) -> Surd:
    """F-symbol of doubled, admissible degrees."""
    sixj: Surd = six_j(*(Fraction(j, 2) for j in (j1, j2, k12, j3, root, k23)))
    sign = -1 if (j1 + j2 + j3 + root) // 2 % 2 else 1
    return sixj * Surd(sign, (k12 + 1) * (k23 + 1))
