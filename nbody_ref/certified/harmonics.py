"""Solid harmonics as monomials, and what the rounding of their recursion costs: itself with all signs positive."""

from __future__ import annotations

from functools import lru_cache
from math import pi, sqrt
from typing import Any

import numpy as np

from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.exact.harmonics import solid_harmonic
from nbody_ref.exact.surd import Surd

__all__ = ["Polynomial", "absolute_recursion", "shift", "solid_terms"]

Polynomial = dict[tuple[int, int, int], Any]


def solid_terms(name: str, rows: int, lmax: int, normalization: str) -> list[Terms]:
    """Solid harmonics of the vectors `name` (rows, 3), one group for each degree; S is that of the recursion."""
    every, found = np.arange(rows), []
    for l in range(lmax + 1):
        columns: list[int] = []
        monomials: list[tuple[int, ...]] = []
        table: list[Surd] = []
        sizes: list[float] = []
        for m in range(-l, l + 1):
            exact = solid_harmonic(l, m, normalization)
            for powers, size in absolute_recursion(l, m, normalization).items():
                columns.append(l * l + l + m)
                monomials.append(tuple(i for i in range(3) for _ in range(powers[i])))
                table.append(exact.scale * exact.terms.get(powers, 0))
                sizes.append(size)
        legs = tuple(Leg(name, every, np.array([axes[k] for axes in monomials])) for k in range(l))
        shape, coef = (rows, (lmax + 1) ** 2), np.arange(len(columns))
        more = (normalization == "integral", tuple(sizes), 8.0 * l + 12)
        found.append(Terms(every, np.array(columns), shape, legs, coef, tuple(table), {name: (rows, 3)}, *more))
    return found


def absolute_recursion(l: int, m: int, normalization: str) -> Polynomial:
    """Coefficients by monomial of the recursion of one solid harmonic with all signs positive."""
    return _absolute(l, abs(m), normalization)[m < 0]


@lru_cache(maxsize=4096)
def _absolute(l: int, m: int, normalization: str) -> tuple[Polynomial, Polynomial]:
    """Recursions of the harmonics (l, m) and (l, -m) with all signs positive, as polynomials."""
    cosine, sine = {(0, 0, 0): 1.0}, dict[tuple[int, int, int], float]()
    for _ in range(m):
        cosine, sine = (
            _add(_shifted(cosine, 0), _shifted(sine, 1)),
            _add(_shifted(sine, 0), _shifted(cosine, 1)),
        )
    column = [_diagonal(m)]  # Q_m^m, Q_{m+1}^m, ... with "norm" normalization
    for k in range(m + 1, l + 1):
        low = sqrt((k - m) * (k + m))
        step = [({(0, 0, 1): (2 * k - 1) / low}, column[-1])]
        if k > m + 1:
            b = sqrt((k - 1) ** 2 - m * m) / low
            step.append(({(2, 0, 0): b, (0, 2, 0): b, (0, 0, 2): b}, column[-2]))
        column.append(_add(*[_times(p, q) for p, q in step], {}))
    factor = {"norm": 1.0, "component": sqrt(2 * l + 1), "integral": sqrt((2 * l + 1) / (4 * pi))}[normalization]
    scaled = {powers: factor * c for powers, c in column[-1].items()}
    return _times(scaled, cosine), _times(scaled, sine)


def _diagonal(m: int) -> Polynomial:
    square = 1.0
    for k in range(1, m + 1):
        square *= (2 * k - 1) / (2 * k) * (2 if k == 1 else 1)
    return {(0, 0, 0): sqrt(square)}


def shift(powers: tuple[int, int, int], i: int, by: int) -> tuple[int, int, int]:
    """Exponents with one raised."""
    found = list(powers)
    found[i] += by
    return found[0], found[1], found[2]


def _shifted(p: Polynomial, i: int) -> Polynomial:
    return {shift(powers, i, 1): c for powers, c in p.items()}


def _add(*polynomials: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for p in polynomials:
        for powers, c in p.items():
            total[powers] = total.get(powers, 0) + c
    return total


def _times(p: Polynomial, q: Polynomial) -> Polynomial:
    return _add(*[{(a + i, b + j, c + k): x * y for (i, j, k), y in q.items()} for (a, b, c), x in p.items()])
