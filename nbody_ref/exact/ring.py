"""Gaussian numbers a + i b over any ring: integers and rationals exactly, floats when asked.

The monomial gauge needs no other numbers: Wigner matrices of integer quaternions, fragments of rational positions and
whole networks live in the Gaussian rationals, where a residual is zero or it is not.
"""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from numbers import Real
from typing import Any

from nbody_ref.errors import ArgumentError

__all__ = ["LARGEST_DEGREE", "Gauss", "I", "as_rational", "check_size", "divide", "plain"]

LARGEST_DEGREE = 100_000  # factorials of more have millions of digits


class Gauss:
    """The number re + i im, with `re` and `im` from one ring (int, Fraction, float, ...).

    Parameters
    ----------
    re, im : int, Fraction or float
        Integers stay integers, of Python's kind: NumPy's wrap around. Division by an integer gives Fractions.

    Examples
    --------
    >>> Gauss(1, 2) * Gauss(1, -2)
    Gauss(5, 0)
    >>> Gauss(1, 1) / 2
    Gauss(Fraction(1, 2), Fraction(1, 2))
    """

    __slots__ = ("im", "re")

    def __init__(self, re: Any, im: Any = 0) -> None:
        self.re = re if type(re) is int else plain(re)
        self.im = im if type(im) is int else plain(im)

    def conjugate(self) -> Gauss:
        """Return re - i im."""
        return Gauss(self.re, -self.im)

    def norm(self) -> Any:
        """Return re^2 + im^2."""
        return self.re * self.re + self.im * self.im

    def __add__(self, other: Any) -> Gauss:
        if isinstance(other, Gauss):
            return Gauss(self.re + other.re, self.im + other.im)
        return Gauss(self.re + plain(other), self.im)

    __radd__ = __add__

    def __neg__(self) -> Gauss:
        return Gauss(-self.re, -self.im)

    def __sub__(self, other: Any) -> Gauss:
        if isinstance(other, Gauss):
            return Gauss(self.re - other.re, self.im - other.im)
        return Gauss(self.re - plain(other), self.im)

    def __rsub__(self, other: Any) -> Gauss:
        return Gauss(plain(other) - self.re, -self.im)

    def __mul__(self, other: Any) -> Gauss:
        if isinstance(other, Gauss):
            return Gauss(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
        other = plain(other)
        return Gauss(self.re * other, self.im * other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Gauss:
        above, below = (self * other.conjugate(), other.norm()) if isinstance(other, Gauss) else (self, other)
        return Gauss(divide(above.re, below), divide(above.im, below))

    def __rtruediv__(self, other: Any) -> Gauss:
        return Gauss(other, 0 * other) / self

    def __pow__(self, exponent: int) -> Gauss:
        if exponent < 0:
            return Gauss(1, 0) / self**-exponent
        result = Gauss(1, 0)
        for _ in range(exponent):
            result = result * self
        return result

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Gauss):
            return bool(self.re == other.re and self.im == other.im)
        return bool(self.re == other and self.im == 0)

    def __hash__(self) -> int:
        return hash(self.re) if self.im == 0 else hash((self.re, self.im))

    def __bool__(self) -> bool:
        return bool(self.re) or bool(self.im)

    def __complex__(self) -> complex:
        return complex(float(self.re), float(self.im))

    def __repr__(self) -> str:
        return f"Gauss({self.re!r}, {self.im!r})"


I = Gauss(0, 1)


def divide(x: Any, y: Any) -> Any:
    """Quotient in the field of `x` and `y`: a Fraction for two ints, where Python's ``/`` would give a float."""
    x, y = plain(x), plain(y)
    if isinstance(x, int) and isinstance(y, int):
        return Fraction(x, y)
    return x / y


def plain(x: Any) -> Any:
    """Return a ring element as it is, but an integer of any kind, also within a Fraction, as one of Python's.

    NumPy's integers have 64 bits or less and wrap around silently, which no exact number may.
    """
    kind = type(x)
    if kind is int or kind is float or kind is Gauss:
        return x
    if kind is Fraction:
        exact = type(x.numerator) is int and type(x.denominator) is int
        return x if exact else Fraction(int(x.numerator), int(x.denominator))
    try:
        return int(operator.index(x))
    except TypeError:
        return x


def as_rational(value: Any) -> Fraction | None:
    """Exact value of an integer, a Fraction or a finite float of any kind; None for everything else.

    Texts, complex numbers and bools are none: an exact door says so instead of guessing.
    """
    if isinstance(value, bool):
        return None
    found = plain(value)
    if isinstance(found, (int, Fraction)):
        return Fraction(found)
    if isinstance(found, Real) and math.isfinite(found):
        return Fraction(float(found))
    return None


def check_size(function: str, name: str, degree: int | Fraction) -> None:
    """Raise ArgumentError if a degree is beyond `LARGEST_DEGREE`, where nothing would come back in a lifetime."""
    if degree > LARGEST_DEGREE:
        raise ArgumentError(f"{function}: '{name}' must be at most {LARGEST_DEGREE}, got {float(degree):.3g}")
