"""Functions of one number that programs apply to lengths: their derivatives enclosed, and what rounding costs.

A function has several columns, one value each; derivatives of any order come from Leibniz' rule on enclosures, so that
truth needs no formula that a kernel uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, prod

from nbody_ref.certified.enclosure import Enclosed, enclosed_sqrt

__all__ = [
    "Function",
    "InversePowersOfRoot",
    "Jet",
    "SquareRoot",
    "inverse_power",
    "leibniz",
    "leibniz_all",
]

ZERO = Enclosed(Fraction(0))
Jet = list[Enclosed]  # value and derivatives


class Function:
    """Columns of functions of one number; subclasses are values."""

    @property
    def columns(self) -> int:
        """How many there are."""
        return 1

    def derivative(self, x: Fraction, order: int) -> Sequence[Enclosed]:
        """The derivative of that order of every column."""
        raise NotImplementedError

    def kink(self, x: Fraction, spread: float) -> bool:
        """Whether a derivative jumps within `spread` of x, so that x's own enclosure bounds nothing."""
        return False

    def sizes(self, x: float, order: int) -> Sequence[float]:
        """S of every column, for orders up to two."""
        raise NotImplementedError

    def roundings(self, order: int) -> Sequence[float]:
        """k of every column."""
        raise NotImplementedError


@dataclass(frozen=True)
class SquareRoot(Function):
    """The length of a vector from its square."""

    def derivative(self, x: Fraction, order: int) -> Sequence[Enclosed]:
        """x^(1/2 - k) times a falling factorial."""
        return [enclosed_sqrt(x).times(_falling(order) / x**order)]

    def sizes(self, x: float, order: int) -> Sequence[float]:
        """Its size."""
        return [abs(float(_falling(order))) * x ** (0.5 - order)]

    def roundings(self, order: int) -> Sequence[float]:
        """A root, and divisions."""
        return [4.0 + 2 * order]


@dataclass(frozen=True)
class InversePowersOfRoot(Function):
    """|r|^-l from the square of |r|, one column for each l = 0..lmax."""

    lmax: int

    @property
    def columns(self) -> int:
        """Degrees."""
        return self.lmax + 1

    def derivative(self, x: Fraction, order: int) -> Sequence[Enclosed]:
        """x^(-l/2 - k) times a falling factorial."""
        root = enclosed_sqrt(x)
        found = []
        for l in range(self.columns):
            factor = prod((Fraction(-l, 2) - i for i in range(order)), start=Fraction(1)) / x**order
            power = x ** -((l + 1) // 2)  # x^(-l/2) is this, times the root where l is odd
            found.append((root if l % 2 else Enclosed(Fraction(1))).times(factor * power))
        return found

    def sizes(self, x: float, order: int) -> Sequence[float]:
        """Their sizes."""
        return [abs(prod(-l / 2 - i for i in range(order))) * x ** (-l / 2 - order) for l in range(self.columns)]

    def roundings(self, order: int) -> Sequence[float]:
        """A root, divisions and products."""
        return [4.0 + 3 * l + 2 * order for l in range(self.columns)]


def _falling(order: int) -> Fraction:
    return prod((Fraction(1, 2) - i for i in range(order)), start=Fraction(1))


def leibniz(a: Jet, b: Jet) -> Enclosed:
    """The highest derivative of a product."""
    k = len(a) - 1
    total = ZERO
    for i in range(k + 1):
        total = total + (a[i] * b[k - i]).times(comb(k, i))
    return total


def leibniz_all(a: Jet, b: Jet) -> Jet:
    return [leibniz(a[: k + 1], b[: k + 1]) for k in range(len(a))]


def inverse_power(x: Fraction, s: int, order: int) -> Jet:
    """d^-s and its derivatives, exactly."""
    return [Enclosed(Fraction(prod(range(-s - k + 1, -s + 1))) * x ** (-s - k)).cut() for k in range(order + 1)]
