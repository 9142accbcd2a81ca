r"""Numbers of the field of n-th roots of unity, exactly: places on a regular polygon have such coordinates.

.. math:: a = \sum_{k < \varphi(n)} a_k\, \zeta^k, \qquad \zeta = e^{2 \pi i / n}

Powers of zeta are reduced by the n-th cyclotomic polynomial, whose roots are the primitive ones, so that a number is
zero exactly if all its coefficients are. With n a multiple of four the imaginary unit is among them.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Any

from nbody_ref.checks import check_integer
from nbody_ref.exact.ring import divide, plain

__all__ = ["Cyclotomic", "cyclotomic_polynomial", "on_a_circle"]

Coefficients = tuple[Any, ...]


@lru_cache(maxsize=64)
def cyclotomic_polynomial(n: int) -> tuple[int, ...]:
    """Coefficients of the n-th cyclotomic polynomial, constant first: x^n - 1 over those of all smaller divisors.

    Raises
    ------
    ArgumentError
        If `n` is not a positive integer.

    Examples
    --------
    >>> cyclotomic_polynomial(12)
    (1, 0, -1, 0, 1)
    """
    n = check_integer("cyclotomic_polynomial", "n", n, 1, 10_000)
    rest = [-1, *[0] * (n - 1), 1]
    for d in range(1, n):
        if n % d == 0:
            rest = _quotient(rest, cyclotomic_polynomial(d))
    return tuple(rest)


def _quotient(above: list[int], below: tuple[int, ...]) -> list[int]:
    """Exact quotient of integer polynomials, the lower one monic."""
    above, found = list(above), [0] * (len(above) - len(below) + 1)
    for k in reversed(range(len(found))):
        found[k] = above[k + len(below) - 1]
        for i, b in enumerate(below):
            above[k + i] -= found[k] * b
    return found


class Cyclotomic:
    """A number of the field of n-th roots of unity.

    Parameters
    ----------
    n : int
    coefficients : sequence of int or Fraction
        Of 1, zeta, zeta^2, ...; any number of them.

    Raises
    ------
    ArgumentError
        If `n` is not a positive integer.

    Examples
    --------
    >>> zeta = Cyclotomic(3, (0, 1))
    >>> 1 + zeta + zeta * zeta == 0
    True
    """

    __slots__ = ("coefficients", "n")

    def __init__(self, n: int, coefficients: Any) -> None:
        below, found = cyclotomic_polynomial(n), [plain(c) for c in coefficients]
        size = len(below) - 1
        for k in reversed(range(size, len(found))):
            top, found[k] = found[k], 0
            for i, b in enumerate(below[:-1]) if top else ():
                found[k - size + i] -= top * b
        self.n, self.coefficients = n, tuple(found[:size]) + (0,) * (size - len(found))

    @classmethod
    def root(cls, n: int, k: int) -> Cyclotomic:
        """The root of unity exp(2 pi i k / n)."""
        n = check_integer("Cyclotomic.root", "n", n, 1)
        return cls(n, (*[0] * (check_integer("Cyclotomic.root", "k", k, None) % n), 1))

    def __add__(self, other: Any) -> Cyclotomic:
        return Cyclotomic(self.n, [a + b for a, b in zip(self.coefficients, self._like(other), strict=True)])

    __radd__ = __add__

    def __neg__(self) -> Cyclotomic:
        return Cyclotomic(self.n, [-a for a in self.coefficients])

    def __sub__(self, other: Any) -> Cyclotomic:
        return Cyclotomic(self.n, [a - b for a, b in zip(self.coefficients, self._like(other), strict=True)])

    def __rsub__(self, other: Any) -> Cyclotomic:
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> Cyclotomic:
        if not isinstance(other, Cyclotomic):
            return Cyclotomic(self.n, [a * other for a in self.coefficients])
        found = [0] * (2 * len(self.coefficients) - 1)
        for i, a in enumerate(self.coefficients):
            for j, b in enumerate(self._like(other)) if a else ():
                found[i + j] += a * b
        return Cyclotomic(self.n, found)

    __rmul__ = __mul__

    def __truediv__(self, other: int | Fraction) -> Cyclotomic:
        return Cyclotomic(self.n, [divide(a, other) for a in self.coefficients])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Cyclotomic) and other.n != self.n:
            return False
        return self.coefficients == self._like(other)

    def __hash__(self) -> int:
        return hash((self.n, self.coefficients))

    def __bool__(self) -> bool:
        return any(self.coefficients)

    def __repr__(self) -> str:
        return f"Cyclotomic({self.n}, {self.coefficients})"

    def _like(self, other: Any) -> Coefficients:
        """Coefficients of a number of this field, or of a rational one."""
        if isinstance(other, Cyclotomic):
            if other.n != self.n:
                raise ValueError(f"Cyclotomic: numbers must be of one field, got roots of order {self.n} and {other.n}")
            return other.coefficients
        return (other, *[0] * (len(self.coefficients) - 1))


def on_a_circle(place: int, of: int) -> tuple[Cyclotomic, Cyclotomic, Cyclotomic]:
    """Position (cos, sin, 0) of a corner of a regular polygon, exactly.

    Parameters
    ----------
    place, of : int
        Angle 2 pi place / of.

    Examples
    --------
    >>> x, y, z = on_a_circle(5, 18)
    >>> x * x + y * y == 1 and z == 0
    True
    """
    n = lcm(4, check_integer("on_a_circle", "of", of, 1))  # the imaginary unit is zeta^(n / 4)
    forward, back = (Cyclotomic.root(n, sign * place * (n // of)) for sign in (1, -1))
    return (forward + back) / 2, (forward - back) * Cyclotomic.root(n, -n // 4) / 2, Cyclotomic(n, ())
