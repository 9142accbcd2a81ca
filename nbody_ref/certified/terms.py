"""Multilinear expressions written out as sums of terms, c times one element of each leg, and their derivatives.

Every derivative of a multilinear expression is the same list of terms read towards another leg, so the gradients and
the second gradients need no formulas of their own: docs/derivations/certified_sums.md.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product as choices
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.exact.surd import Surd

__all__ = ["Leg", "Terms", "complexified", "derivatives", "renamed_inputs"]

Array = np.ndarray[Any, Any]


class Leg(NamedTuple):
    """A factor of the terms: entry (rows[e], columns[t]) of the input `name`."""

    name: str
    rows: Array
    columns: Array


@dataclass(frozen=True)
class Terms:
    """Result[rows[e], columns[t]] = sum over e, t of table[coef[t]] times the product over the legs.

    Arrays are read as matrices: rows by all remaining axes.

    Parameters
    ----------
    rows : (E,) int64
        Row of the result for each row of work (an edge, a node).
    columns : (T,) int64
        Column of the result for each term of a row.
    shape : tuple of int
        Shape of the result.
    legs : tuple of Leg
        An input may stand on several legs.
    coef : (T,) int64
    table : tuple of Surd
    shapes : dict of str to tuple of int
        Shapes of the inputs.
    over_4pi : bool
        Divide the coefficients by sqrt(4 pi).
    sizes : tuple of float, optional
        What S counts for each entry of the table, at least its size; None: its size.
    slack : float
        Roundings of a correct kernel beside those of the sum.
    """

    rows: Array
    columns: Array
    shape: tuple[int, ...]
    legs: tuple[Leg, ...]
    coef: Array
    table: tuple[Surd, ...]
    shapes: dict[str, tuple[int, ...]]
    over_4pi: bool = False
    sizes: tuple[float, ...] | None = None
    slack: float = 8.0

    def towards(self, k: int, cotangent: str = "cotangent") -> Terms:
        """Adjoint in leg k: that leg becomes the result, the result becomes the leg `cotangent`."""
        leg = self.legs[k]
        legs = (*self.legs[:k], *self.legs[k + 1 :], Leg(cotangent, self.rows, self.columns))
        shapes = self.shapes | {cotangent: self.shape}
        return replace(self, rows=leg.rows, columns=leg.columns, shape=self.shapes[leg.name], legs=legs, shapes=shapes)

    def renamed(self, k: int, new: str) -> Terms:
        """The same terms with another array on leg k: the derivative in that leg along a tangent."""
        legs = (*self.legs[:k], self.legs[k]._replace(name=new), *self.legs[k + 1 :])
        return replace(self, legs=legs, shapes=self.shapes | {new: self.shapes[self.legs[k].name]})

    def places(self, name: str) -> list[int]:
        """Legs on which an input stands."""
        return [k for k, leg in enumerate(self.legs) if leg.name == name]

    @property
    def out(self) -> Array:
        """Flat index of the result for every term of every row, (E T,)."""
        return _flat(self.rows, self.columns, self.shape)

    def index(self, k: int) -> Array:
        """Flat index into the input of leg k for every term of every row, (E T,)."""
        leg = self.legs[k]
        return _flat(leg.rows, leg.columns, self.shapes[leg.name])


def _flat(rows: Array, columns: Array, shape: tuple[int, ...]) -> Array:
    return np.asarray(rows[:, None] * width(shape) + columns).reshape(-1)


def width(shape: tuple[int, ...]) -> int:
    """Columns of an array read as a matrix."""
    return int(np.prod(shape[1:], dtype=np.int64))


def derivatives(
    forward: Terms | Sequence[Terms], order: int, tangent: str = "", inputs: Iterable[str] | None = None
) -> dict[str, tuple[Terms, ...]]:
    """All results of one order: {"out"}; gradients by input; second gradients by input and ``cotangent``.

    The second order is that of training on forces: with one tangent v of input k, the gradients in all inputs and in
    the cotangent of <v, adjoint in k>. What vanishes identically is left out.

    Parameters
    ----------
    forward : Terms or sequence of Terms
        The sum of several expressions with one result.
    order : {0, 1, 2}
    tangent : str
        Input that the tangent belongs to.
    inputs : iterable of str, optional
        Inputs to differentiate in; by default all.
    """
    parts = (forward,) if isinstance(forward, Terms) else tuple(forward)
    names = tuple(dict.fromkeys(leg.name for part in parts for leg in part.legs)) if inputs is None else tuple(inputs)
    if order == 0:
        return {"out": parts}
    if order == 2:
        dot = f"{tangent}_dot"
        parts = tuple(part.renamed(k, dot) for part in parts for k in part.places(tangent))
    found = {name: tuple(part.towards(k) for part in parts for k in part.places(name)) for name in names}
    kept = {name: terms for name, terms in found.items() if terms}
    return kept if order == 1 else kept | {"cotangent": parts}


def renamed_inputs(terms: Terms, names: dict[str, str], slack: float) -> Terms:
    """The same terms of inputs with other names."""
    legs = tuple(leg._replace(name=names[leg.name]) for leg in terms.legs)
    shapes = {names[leg.name]: terms.shapes[leg.name] for leg in terms.legs}
    return replace(terms, legs=legs, shapes=shapes, slack=slack)


def complexified(terms: Terms, names: Container[str] | None = None) -> tuple[Terms, ...]:
    """Terms of complex numbers as terms of their real and imaginary parts, which stand side by side.

    A product of K factors has one term for each choice of parts; every pair of imaginary parts brings a sign. Inputs
    that are not among `names` are real.
    """
    is_complex = [names is None or leg.name in names for leg in terms.legs]
    doubled = {
        name: (*shape[:-1], 2 * shape[-1]) if names is None or name in names else shape
        for name, shape in terms.shapes.items()
    }
    found = []
    for parts in choices(*((0, 1) if wide else (0,) for wide in is_complex)):
        imaginary = sum(parts)
        table = tuple(-c for c in terms.table) if imaginary % 4 in (2, 3) else terms.table
        legs = tuple(
            leg._replace(columns=2 * leg.columns + part) if wide else leg
            for leg, part, wide in zip(terms.legs, parts, is_complex)
        )
        shape = (*terms.shape[:-1], 2 * terms.shape[-1])
        found.append(
            replace(
                terms,
                columns=2 * terms.columns + imaginary % 2,
                shape=shape,
                legs=legs,
                table=table,
                shapes=doubled,
                slack=terms.slack + 4,
            )
        )
    return tuple(found)
