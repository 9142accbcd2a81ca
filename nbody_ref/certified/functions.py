"""Functions of one number that programs apply to lengths: their derivatives enclosed, and what rounding costs.

A function has several columns, one value each; derivatives of any order come from Leibniz' rule on enclosures, so that
truth needs no formula that a kernel uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb, prod
from typing import Any

from nbody_ref.certified.enclosure import Enclosed, enclosed_exp, enclosed_sqrt
from nbody_ref.errors import NBodyRefError

__all__ = [
    "ActivationFunction",
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

    columns: int

    def derivative(self, x: Fraction, order: int) -> Sequence[Enclosed]:
        """The derivative of that order of every column."""
        raise NotImplementedError

    def sizes(self, x: float, order: int) -> Sequence[float]:
        """S of every column, for orders up to two."""
        raise NotImplementedError

    def roundings(self, order: int) -> Sequence[float]:
        """k of every column."""
        raise NotImplementedError


class SquareRoot(Function):
    """The length of a vector from its square."""

    columns = 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SquareRoot)

    def __hash__(self) -> int:
        return 1

    def derivative(self, x: Fraction, order: int) -> Sequence[Enclosed]:
        """x^(1/2 - k) times a falling factorial."""
        return [enclosed_sqrt(x).times(_falling(order) / x**order)]

    def sizes(self, x: float, order: int) -> Sequence[float]:
        """Its size."""
        return [abs(float(_falling(order))) * x ** (0.5 - order)]

    def roundings(self, order: int) -> Sequence[float]:
        """A root, and divisions."""
        return [4.0 + 2 * order]


class InversePowersOfRoot(Function):
    """|r|^-l from the square of |r|, one column for each l = 0..lmax."""

    def __init__(self, lmax: int) -> None:
        self.lmax, self.columns = lmax, lmax + 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InversePowersOfRoot) and self.lmax == other.lmax

    def __hash__(self) -> int:
        return self.lmax

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


class ActivationFunction(Function):
    """silu, sigmoid and tanh times a constant, from one exponential.

    Derivatives of the sigmoid s are polynomials in it, since s' = s - s^2.

    Raises
    ------
    NBodyRefError
        For functions with a logarithm or a kink.
    """

    columns = 1

    def __init__(self, kind: Any) -> None:
        if kind.name not in ("silu", "sigmoid", "tanh"):
            raise NBodyRefError(f"conformance: no certified values are known for {kind.name}")
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActivationFunction) and self.kind == other.kind

    def __hash__(self) -> int:
        return hash(self.kind)

    def derivative(self, x: Fraction, order: int) -> Sequence[Enclosed]:
        """silu = x s, tanh = 2 s(2x) - 1."""
        slow = 2 if self.kind.name == "tanh" else 1
        jet = _sigmoid(x * slow, order)
        value = jet[order].times(slow**order)
        if self.kind.name == "silu":
            value = jet[order].times(x) + (jet[order - 1].times(order) if order else ZERO)
        if self.kind.name == "tanh":
            value = value.times(2) + Enclosed(Fraction(-1 if order == 0 else 0))
        return [value.times(Fraction(self.kind.factor))]

    def sizes(self, x: float, order: int) -> Sequence[float]:
        """Terms with positive signs."""
        size = (1 + abs(x)) * (abs(x) + 1) if self.kind.name == "silu" else 2 * (1 + abs(x))
        return [abs(self.kind.factor) * size * (1, 2, 6)[order]]

    def roundings(self, order: int) -> Sequence[float]:
        """k of docs/derivations/activation.md."""
        return [16.0]


def _sigmoid(x: Fraction, order: int) -> Jet:
    """1 / (1 + exp(-x)) and its derivatives, as polynomials in itself."""
    y = enclosed_exp(-abs(x))  # at most one
    below, spread = 1 + y.mid, y.rad
    s = Enclosed((1 if x >= 0 else y.mid) / below, 4 * spread).cut()
    polynomial, jet = {1: 1}, []
    for _ in range(order + 1):
        total, power = ZERO, Enclosed(Fraction(1))
        for k in range(1, max(polynomial) + 1):
            power = power * s
            total = total + power.times(polynomial.get(k, 0))
        jet.append(total)
        slope: dict[int, int] = {}
        for k, c in polynomial.items():
            slope[k] = slope.get(k, 0) + k * c
            slope[k + 1] = slope.get(k + 1, 0) - k * c
        polynomial = slope
    return jet


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
