"""Solid harmonics as polynomials, from Rodrigues' formula: dictionaries of exponents and rational coefficients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import sympy

Poly = dict[tuple[int, ...], Any]


def add(p: Poly, q: Poly, factor: Any = 1) -> Poly:
    """p + factor q, without zeros."""
    found = dict(p)
    for powers, c in q.items():
        found[powers] = found.get(powers, 0) + factor * c
    return {powers: c for powers, c in found.items() if c != 0}


def times(p: Poly, q: Poly) -> Poly:
    """Product of polynomials."""
    found: Poly = {}
    for a, c in p.items():
        for b, d in q.items():
            powers = tuple(i + k for i, k in zip(a, b))
            found[powers] = found.get(powers, 0) + c * d
    return {powers: c for powers, c in found.items() if c != 0}


def derivative(p: Poly, axis: int) -> Poly:
    """Partial derivative."""
    return {
        tuple(n - (k == axis) for k, n in enumerate(powers)): c * powers[axis]
        for powers, c in p.items()
        if powers[axis]
    }


def value(p: Poly, r: Any) -> Any:
    """Value at a point."""
    return sum((c * math.prod(x**n for x, n in zip(r, powers)) for powers, c in p.items()), start=0 * r[0])


SQUARE: Poly = {(2, 0, 0): 1, (0, 2, 0): 1, (0, 0, 2): 1}


@cache
def legendre(l: int, m: int) -> tuple[Fraction, ...]:
    """Coefficients of the m-th derivative of P_l, by Rodrigues' formula."""
    t = sympy.Symbol("t")
    p = sympy.Poly(sympy.diff((t * t - 1) ** l, t, l + m) / (2**l * sympy.factorial(l)), t)
    coefficients = [Fraction(int(c.p), int(c.q)) for c in reversed(p.all_coeffs())]
    return tuple(coefficients)


@cache
def column(l: int, m: int) -> dict[tuple[int, ...], Fraction]:
    """r^(l-m) P_l^(m)(z/r) as a polynomial."""
    total: Poly = {}
    for k, c in enumerate(legendre(l, m)):
        if c:
            power: Poly = {(0, 0, k): c}
            for _ in range((l - m - k) // 2):
                power = times(power, SQUARE)
            total = add(total, power)
    return total


@cache
def circle(m: int) -> tuple[Poly, Poly]:
    """Real and imaginary part of (x + i y)^m."""
    c: Poly = {(0, 0, 0): Fraction(1)}
    v: Poly = {}
    x, y = {(1, 0, 0): 1}, {(0, 1, 0): 1}
    for _ in range(m):
        c, v = add(times(x, c), times(y, v), -1), add(times(x, v), times(y, c))
    return c, v


def real_polynomial(l: int, m: int) -> tuple[Fraction, Poly]:
    """Square of the constant, and polynomial, of the real solid harmonic of norm 1, without Condon-Shortley phase."""
    n = abs(m)
    constant = Fraction(math.factorial(l - n), math.factorial(l + n)) * (2 if n else 1)
    return constant, times(column(l, n), circle(n)[0 if m >= 0 else 1])


def complex_polynomial(l: int, m: int) -> tuple[Fraction, Poly, Poly]:
    """Square of the constant, real and imaginary part of conj(r^l Y_lm) sqrt(4 pi / (2l+1)), Condon-Shortley."""
    n = abs(m)
    constant = Fraction(math.factorial(l - n), math.factorial(l + n))
    c, v = (times(column(l, n), part) for part in circle(n))
    if m >= 0:
        return constant, add({}, c, (-1) ** n), add({}, v, -((-1) ** n))
    return constant, c, v  # conj(Y_-n) = (-1)^n Y_n


def degrees(full: bool, top: int) -> Iterator[tuple[int, int]]:
    """All (l, m)."""
    for l in range(top + 1 if full else 4):
        for m in range(-l, l + 1):
            yield l, m


@cache
def absolute(l: int, m: int) -> Poly:
    """S of docs/derivations/harmonics.md in |x|, |y|, |z|, norm 1: the recursion (A), (B) with plus signs, floats."""
    n = abs(m)
    c: Poly = {(0, 0, 0): 1.0}
    v: Poly = {}
    x, y = {(1, 0, 0): 1.0}, {(0, 1, 0): 1.0}
    for k in range(n):
        c, v = (x, y) if k == 0 else (add(times(x, c), times(y, v)), add(times(x, v), times(y, c)))
    diagonal = math.sqrt(math.prod((2 if k == 1 else 1) * (2 * k - 1) / (2 * k) for k in range(1, n + 1)))
    before: Poly = {}
    q: Poly = {(0, 0, 0): diagonal}
    for k in range(n + 1, l + 1):
        a = (2 * k - 1) / math.sqrt((k - n) * (k + n))
        b = math.sqrt(((k - 1) ** 2 - n * n) / ((k - n) * (k + n)))
        q, before = add(times({(0, 0, 1): a}, q), times(SQUARE, before), b), q
    return times(q, c if m >= 0 else v)
