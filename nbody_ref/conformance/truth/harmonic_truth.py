r"""Certified harmonics and their derivatives at floating-point positions, exactly from polynomials.

Solid and spherical harmonics are sums of p(r) |r|^-s with rational polynomials p, a class closed under derivatives:
d_i (p |r|^-s) = (d_i p) |r|^-s - s p r_i |r|^(-s-2). At a dyadic position every value is a rational times one square
root, and over sqrt(4 pi) for "integral". S is the same calculus on the recursion of the harmonics run on absolute
values, whose coefficients are all positive: docs/derivations/certified_sums.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import isqrt, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.certified.harmonics import Polynomial, absolute_recursion, shift
from nbody_ref.certified.sums import Certified, RootSum, round_root_sum
from nbody_ref.exact.harmonics import solid_harmonic

if TYPE_CHECKING:
    from nbody_ref.conformance.operations.harmonics import Harmonics

__all__ = ["certify_harmonics"]

Array = np.ndarray[Any, Any]
Pieces = list[tuple[Polynomial, int]]  # sum of p |r|^-s
AXES = range(3)


def certify_harmonics(
    op: Harmonics, r: Array, order: int, cotangent: Array | None = None, tangent: Array | None = None
) -> dict[str, Certified]:
    """Truth of the harmonics (order 0), their adjoint (1) and the second gradients along a tangent (2).

    Parameters
    ----------
    op : Harmonics
    r : (n, 3) float64
        Finite; nonzero where `op` is not solid.
    order : {0, 1, 2}
    cotangent : (n, (lmax + 1)**2), for orders 1 and 2
    tangent : (n, 3), for order 2

    Returns
    -------
    dict
        "out"; or "r"; or "r" and "cotangent": gradients of <tangent, adjoint>.
    """
    n, size = len(r), (op.lmax + 1) ** 2
    shapes = [{"out": (n, size)}, {"r": (n, 3)}, {"r": (n, 3), "cotangent": (n, size)}][order]
    found = {name: _empty(shape) for name, shape in shapes.items()}
    for e in range(n):
        point = _Point(op, [Fraction(float(x)) for x in r[e]])
        g = [] if cotangent is None else [Fraction(float(x)) for x in cotangent[e]]
        v = [] if tangent is None else [Fraction(float(x)) for x in tangent[e]]
        for name, array in found.items():
            for k in range(array.value.shape[1]):
                weights: list[tuple[int, tuple[int, ...], Fraction]]
                if order == 0:
                    weights = [(k, (), Fraction(1))]
                elif order == 1:
                    weights = [(lm, (k,), g[lm]) for lm in range(size)]
                elif name == "r":
                    weights = [(lm, tuple(sorted((k, j))), g[lm] * v[j]) for lm in range(size) for j in AXES]
                else:
                    weights = [(k, (j,), v[j]) for j in AXES]
                point.fill(array, (e, k), weights)
    return found


class _Point:
    """Values of all derivatives of all harmonics at one position, computed when asked for."""

    def __init__(self, op: Harmonics, r: list[Fraction]) -> None:
        self.op, self.r = op, r
        self.square = sum((x * x for x in r), Fraction(0))
        self.length = sqrt(self.square)
        self.cache: dict[tuple[int, tuple[int, ...]], tuple[Fraction, Fraction, float]] = {}

    def fill(self, array: Certified, at: tuple[int, int], weights: list[tuple[int, tuple[int, ...], Fraction]]) -> None:
        """Write the weighted sum of some derivatives."""
        total: RootSum = {}
        S, n = 0.0, 0
        for lm, along, weight in weights:
            if weight:
                rational, radicand, size = self.value(lm, along)
                S, n = S + abs(float(weight)) * size, n + 1
                if rational:
                    radicand, factor = _merged(radicand, total)
                    total[radicand] = total.get(radicand, Fraction(0)) + weight * rational * factor
        array.value[at], array.low[at] = round_root_sum(total, self.op.normalization == "integral")
        array.S[at], array.n[at] = S, n

    def value(self, lm: int, along: tuple[int, ...]) -> tuple[Fraction, Fraction, float]:
        """Rational and radicand of one derivative (without 1/sqrt(4 pi)), and its S (with it)."""
        if (lm, along) not in self.cache:
            l = isqrt(lm)
            pieces, absolute, radicand = _derivative(self.op, l, lm - l * l - l, along)
            powers = 0 if self.op.solid else l % 2
            rational = sum((_at(p, self.r) / self.square ** ((s - powers) // 2) for p, s in pieces), Fraction(0))
            sizes = [abs(float(x)) for x in self.r]
            S = sum(_at(p, sizes) * self.length**-s for p, s in absolute)
            self.cache[lm, along] = rational, radicand / self.square**powers, float(S)
        return self.cache[lm, along]


@lru_cache(maxsize=65536)
def _derivative(op: Harmonics, l: int, m: int, along: tuple[int, ...]) -> tuple[Pieces, Pieces, Fraction]:
    """Pieces of a derivative, those of its absolute program, and the square of the common factor."""
    exact = solid_harmonic(l, m, op.normalization)
    s = 0 if op.solid else l
    pieces: Pieces = [(dict(exact.terms), s)]
    absolute: Pieces = [(absolute_recursion(l, m, op.normalization), s)]
    for i in along:
        pieces, absolute = _differentiate(pieces, i, -1), _differentiate(absolute, i, 1)
    return pieces, absolute, exact.scale.square()


def _differentiate(pieces: Pieces, i: int, sign: int) -> Pieces:
    found: Pieces = []
    for p, s in pieces:
        slope: Polynomial = {}
        for powers, c in p.items():
            if powers[i]:
                slope[shift(powers, i, -1)] = c * powers[i]
        found.append((slope, s))
        if s:
            found.append(({shift(powers, i, 1): sign * s * c for powers, c in p.items()}, s + 2))
    return found


def _merged(radicand: Fraction, total: RootSum) -> tuple[Fraction, Fraction]:
    """A radicand in `total` (or 1) of which this one is a rational square multiple, and the root of the multiple."""
    for present in (Fraction(1), *total):
        ratio = radicand / present
        top, bottom = isqrt(ratio.numerator), isqrt(ratio.denominator)
        if top * top == ratio.numerator and bottom * bottom == ratio.denominator:
            return present, Fraction(top, bottom)
    return radicand, Fraction(1)


def _at(p: Polynomial, r: Sequence[Any]) -> Any:
    total: Any = 0
    for (i, j, k), c in p.items():
        total += c * r[0] ** i * r[1] ** j * r[2] ** k
    return total


def _empty(shape: tuple[int, ...]) -> Certified:
    value, low, S = np.zeros((3, *shape))
    return Certified(value, low, S, np.zeros(shape, np.int64), int(np.prod(shape)))
