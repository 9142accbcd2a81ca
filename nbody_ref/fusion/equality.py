"""Layers shown equal: whether two sets of diagrams are the same functions, and which diagram depends on others.

Channel by channel a layer is the span of its diagrams, the mixing being free. In the monomial gauge every coupling
tensor is one of integers times a single surd, so that dependence is decided by elimination over the rationals, and
every coefficient of a derivation is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations, product
from typing import NamedTuple, TypeVar

from nbody_ref.checks import check_list
from nbody_ref.errors import ArgumentError
from nbody_ref.exact import Surd
from nbody_ref.fusion.diagram import Diagram
from nbody_ref.fusion.draw import linear
from nbody_ref.fusion.evaluate import coupling_norm, integer_tensor

__all__ = ["Derivation", "compare_layers", "express"]

Key = tuple[object, ...]
Vector = dict[Key, Fraction]
K = TypeVar("K")


class Derivation(NamedTuple):
    """What `compare_layers` found.

    Parameters
    ----------
    equal : bool
        Whether both sets span the same functions.
    dimensions : (int, int, int)
        Of the first, of the second, and of both together.
    text : str
        A line for each diagram: the combination that it is, or that it is none.
    """

    equal: bool
    dimensions: tuple[int, int, int]
    text: str

    def __str__(self) -> str:
        return self.text


def express(diagram: Diagram, others: Sequence[Diagram], same: Sequence[Sequence[int]] = ()) -> dict[int, Surd] | None:
    r"""A diagram as a combination of others, :math:`D = \sum_k c_k D_k` as functions of the legs; None if it is none.

    Parameters
    ----------
    diagram : Diagram
    others : sequence of Diagram
        Of the same legs and root.
    same : sequence of sequences of int
        Groups of legs that carry one and the same state; others are independent.

    Returns
    -------
    dict of int to Surd, or None
        Number in `others` to coefficient, zeros left out; empty for a diagram that vanishes on equal legs.

    Raises
    ------
    ArgumentError
        If legs or roots differ, or legs that are `same` have different labels.

    Examples
    --------
    >>> left = [Diagram(((0, 1), 2), ["1", "1", "1"], [k, "0"]) for k in ("1",)]
    >>> express(Diagram((0, (1, 2)), ["1", "1", "1"], ["1", "0"]), left)
    {0: Surd(1, 1, 1)}
    """
    chosen = _checked("express", [*others, diagram], same)
    rows = [_tensor(d, same) for d in chosen]
    solution = _solve(rows[:-1], rows[-1])
    if solution is None:
        return None
    norms = [coupling_norm(d) for d in chosen]
    return {
        k: Surd(1 if r > 0 else -1, r.numerator**2, r.denominator**2) * norms[-1] / norms[k]
        for k, r in solution.items()
    }


def compare_layers(one: Sequence[Diagram], two: Sequence[Diagram], same: Sequence[Sequence[int]] = ()) -> Derivation:
    """Whether two layers are the same functions, with a derivation of each diagram from those of the other.

    Parameters
    ----------
    one, two : sequence of Diagram
        All of the same legs and root.
    same : sequence of sequences of int
        As in `express`.

    Raises
    ------
    ArgumentError
        As `express`, or if a set is empty.
    """
    first = check_list("compare_layers", "one", one, "Diagrams", 1)
    second = check_list("compare_layers", "two", two, "Diagrams", 1)
    rows = [_tensor(d, same) for d in _checked("compare_layers", [*first, *second], same)]
    ranks = tuple(_rank(some) for some in (rows[: len(first)], rows[len(first) :], rows))
    lines = [_line(d, express(d, second, same), second) for d in first]
    lines += [_line(d, express(d, first, same), first) for d in second]
    return Derivation(ranks[0] == ranks[1] == ranks[2], (ranks[0], ranks[1], ranks[2]), "\n".join(lines))


def _line(diagram: Diagram, found: dict[int, Surd] | None, others: Sequence[Diagram]) -> str:
    if found is None:
        return f"{linear(diagram)} is no combination of these"
    return f"{linear(diagram)} = {' '.join(_term(c, others[k]) for k, c in found.items()) or '0'}"


def _term(c: Surd, diagram: Diagram) -> str:
    rational = c.as_fraction()
    size = f"sqrt({Fraction(c.p, c.q)})" if rational is None else str(abs(rational))
    return f"{'-' if c.sign < 0 else '+'} {size} {linear(diagram)}"


def _checked(function: str, diagrams: Sequence[Diagram], same: Sequence[Sequence[int]]) -> list[Diagram]:
    if not all(isinstance(d, Diagram) for d in diagrams):
        raise ArgumentError(f"{function}: layers must be made of Diagrams, got {diagrams!r}")
    for d in diagrams:
        if (d.legs, d.root) != (diagrams[0].legs, diagrams[0].root):
            raise ArgumentError(f"{function}: diagrams must have the same legs and root, got {diagrams[0]!r} and {d!r}")
    for group in same:
        if len({diagrams[0].legs[leg] for leg in group}) > 1:
            raise ArgumentError(f"{function}: 'same' must join legs of one label, got {group!r}")
    return list(diagrams)


def _tensor(diagram: Diagram, same: Sequence[Sequence[int]]) -> Vector:
    """The integer tensor, summed over all exchanges of legs that carry the same state."""
    entries, found = integer_tensor(diagram), dict[tuple[object, ...], Fraction]()
    for exchange in product(*(permutations(group) for group in same)):
        for key, value in entries.items():
            moved = list(key)
            for group, new in zip(same, exchange, strict=True):
                for old, place in zip(group, new, strict=True):
                    moved[place] = key[old]
            found[tuple(moved)] = found.get(tuple(moved), Fraction(0)) + value
    return {key: value for key, value in found.items() if value}


def _solve(rows: Sequence[Vector], wanted: Vector) -> dict[int, Fraction] | None:
    """Coefficients of a combination of rows, or None; rows that depend on earlier ones are not used."""
    basis: list[tuple[Key, Vector, dict[int, Fraction]]] = []

    def reduced(row: Vector, history: dict[int, Fraction]) -> tuple[Vector, dict[int, Fraction]]:
        for pivot, other, made in basis:
            factor = row.get(pivot, Fraction(0)) / other[pivot]
            if factor:
                row, history = _minus(row, other, factor), _minus(history, made, factor)
        return row, history

    for k, row in enumerate(rows):
        rest, made = reduced(row, {k: Fraction(1)})
        if rest:
            basis.append((min(rest, key=repr), rest, made))
    rest, made = reduced(wanted, {})
    return None if rest else {k: -c for k, c in sorted(made.items())}


def _minus(a: dict[K, Fraction], b: dict[K, Fraction], factor: Fraction) -> dict[K, Fraction]:
    found = {key: a.get(key, Fraction(0)) - factor * b.get(key, Fraction(0)) for key in {**a, **b}}
    return {key: value for key, value in found.items() if value}


def _rank(rows: Sequence[Vector]) -> int:
    return sum(_solve(rows[:k], row) is None for k, row in enumerate(rows))
