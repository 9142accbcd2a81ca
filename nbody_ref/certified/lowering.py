"""A program of certified value under construction: ops append their terms and functions to it, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbody_ref.certified.program import ONE, Program, Sum, identity
from nbody_ref.certified.terms import Leg, Terms, complexified, width
from nbody_ref.exact.surd import Surd

__all__ = ["Lowering", "kinds"]

Array = np.ndarray[Any, Any]
Places = tuple[Array, Array]  # rows, columns


class Lowering:
    """A program of terms, the constants it needs, and which of its variables are complex.

    Parameters
    ----------
    leaves : mapping of str to array
        The variables that it starts from; complex ones become pairs (re, im) side by side.

    Attributes
    ----------
    program : Program
    values : dict of str to array
        The leaves.
    complex : set of str
        Variables that hold complex numbers as pairs.
    constants : dict of str to array
        Values of leaves that the translation adds.
    """

    def __init__(self, leaves: Mapping[str, Array]) -> None:
        self.values = {name: np.asarray(x) for name, x in leaves.items()}
        self.complex = {name for name, x in self.values.items() if x.dtype.kind == "c"}
        shapes = {name: x.shape for name, x in self.values.items()}
        wide = {name: (*shapes[name][:-1], 2 * shapes[name][-1]) for name in self.complex}
        self.program = Program(shapes | wide)
        self.constants: dict[str, Array] = {}

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a variable, in complex numbers where it is complex."""
        shape = self.program.shapes[name]
        return (*shape[:-1], shape[-1] // 2) if name in self.complex else shape

    def sum(self, out: str, *terms: Terms) -> str:
        """Append a sum; of complex variables, as sums of real and imaginary parts."""
        if not any(leg.name in self.complex for part in terms for leg in part.legs):
            return self.program.add(Sum(out, terms))
        self.complex.add(out)
        wide = (complexified(part, self.complex) for part in terms)
        return self.program.add(Sum(out, tuple(part for parts in wide for part in parts)))

    def copy(self, out: str, name: str, is_complex: bool) -> None:
        """The same numbers, read as complex ones or as their parts side by side."""
        self.program.add(Sum(out, (identity(name, self.program.shapes[name]),)))
        if is_complex:
            self.complex.add(out)

    def constant(self, values: Any) -> str:
        """A leaf that is not differentiated."""
        name = f"constant {len(self.constants)}"
        self.constants[name] = np.asarray(values, np.float64)
        self.program.shapes[name] = self.constants[name].shape
        return name

    def terms(
        self, out: Places, shape: tuple[int, ...], *legs: tuple[str, Array, Array], sign: int = 1, slack: float = 8.0
    ) -> Terms:
        """Terms with coefficient `sign`: (rows, columns) of the result, (name, rows, columns) of each factor."""
        made, table = tuple(Leg(*leg) for leg in legs), (Surd(sign, 1),) if sign != 1 else ONE
        shapes = {leg.name: self.shape(leg.name) for leg in made}
        return Terms(*out, shape, made, np.zeros(len(out[1]), np.int64), table, shapes, slack=slack)

    def linear(
        self, out: Places, shape: tuple[int, ...], name: str, leg: Places, sign: int = 1, slack: float = 1.0
    ) -> Terms:
        """Terms with one variable."""
        return self.terms(out, shape, (name, *leg), sign=sign, slack=slack)

    def whole(self, out: str, *names: str) -> str:
        """A sum of variables of one shape."""
        shape = self.shape(names[0])
        every = np.arange(shape[0]), np.arange(width(shape))
        return self.sum(out, *(self.linear(every, shape, name, every) for name in names))

    def columns(self, out: str, name: str, places: Array, factors: Array | None = None) -> str:
        """Columns `places` of a variable, times constants if there are any."""
        rows, to = np.arange(self.shape(name)[0]), np.arange(len(places))
        shape = (len(rows), len(places))
        if factors is None:
            return self.sum(out, self.linear((rows, to), shape, name, (rows, places)))
        legs = (name, rows, places), (self.constant(factors[None]), 0 * rows, to)
        return self.sum(out, self.terms((rows, to), shape, *legs, slack=3.0))

    def flat(self, legs: Sequence[tuple[str, Array]], size: int, sign: int = 1, slack: float = 4.0) -> Terms:
        """Terms of a long vector, entry i the product of the entries places[i] of factors read flat."""
        zero = np.zeros(1, np.int64)
        shapes: dict[str, tuple[int, ...]] = {name: (int(np.prod(self.program.shapes[name])),) for name, _ in legs}
        made = tuple(Leg(name, places.reshape(-1), zero) for name, places in legs)
        return Terms(np.arange(size), zero, (size,), made, zero, (Surd(sign, 1),), shapes, slack=slack)


def kinds(x: Any) -> Array:
    """Indices as signed integers."""
    return np.asarray(x).astype(np.int64)
