"""What the judges share: exact linear algebra and SU(2) from its definition. Nothing here comes from `nbody_ref`.

Degrees are doubled integers (j = 2l, n = 2m) where the name says so, so that half-integers cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from math import factorial, gcd, isqrt, lcm
from typing import Any

import numpy as np

PRIME = 2**31 - 1
Squared = tuple[int, Fraction]  # sign and square of a real number


def of_surd(value: Any) -> Squared:
    """Sign and square of a Surd of the package, read from its three integers."""
    return value.sign, Fraction(value.p, value.q)


def root(square: Fraction) -> Fraction | None:
    """Exact non-negative square root of a rational, None if it is irrational."""
    top, bottom = isqrt(square.numerator), isqrt(square.denominator)
    return Fraction(top, bottom) if top * top == square.numerator and bottom * bottom == square.denominator else None


def rational(value: Squared, weight: Fraction | int) -> Fraction:
    """value / sqrt(weight) for a value that is a rational multiple of sqrt(weight).

    Raises
    ------
    ValueError
        If it is none.
    """
    found = root(value[1] / weight)
    if found is None:
        raise ValueError(f"{value} is no rational multiple of the square root of {weight}")
    return value[0] * found


def weight(j: int, n: int) -> int:
    """(l + m)! (l - m)!, the square of the norm of u^(l+m) v^(l-m) among binary forms."""
    return factorial((j + n) // 2) * factorial((j - n) // 2)


@cache
def ladder_column(j1: int, j2: int, j: int) -> tuple[Fraction, dict[tuple[int, int], Fraction]]:
    """The vectors |l m> of a product, from the theorem alone: no formula for the coefficients is used.

    In binary forms the generators act by J+ a_m = (l - m) a_m at m + 1 and J- a_m = (l + m) a_m at m - 1. The vector of
    highest weight solves J+ v = 0, and J- gives the others. Returns (scale, v) with
    <l1 m1 l2 m2|l m> = v[n1, n] sqrt(scale weight(j1, n1) weight(j2, n2) weight(j, n)); v[j1, j] > 0.
    """
    column = {j1: Fraction(1)}
    for n1 in range(j1, j - j2, -2):  # J+ v = 0 at (n1, n2 + 2): (l1-m1+1) v[m1-1] + (l2-m2) v[m1] = 0
        n2 = j - n1
        column[n1 - 2] = -column[n1] * Fraction(j2 - n2, 2) / Fraction(j1 - n1 + 2, 2)
    norm = sum(a * a * weight(j1, n1) * weight(j2, j - n1) for n1, a in column.items())
    found = {}
    for n in range(j, -j - 1, -2):
        found.update({(n1, n): a for n1, a in column.items()})
        lower: dict[int, Fraction] = {}
        for n1, a in column.items():
            n2 = n - n1
            for to, factor in ((n1 - 2, (j1 + n1) // 2), (n1, (j2 + n2) // 2)):
                if factor:
                    lower[to] = lower.get(to, Fraction(0)) + a * factor
        column = {n1: a / ((j - n) // 2 + 1) for n1, a in lower.items() if a}  # norms: v(m-1) = J- v(m) / (l - m + 1)
    return 1 / (norm * factorial(j)), found


def ladder_cg(j1: int, n1: int, j2: int, n2: int, j: int) -> Squared:
    """<l1 m1 l2 m2|l m1+m2> from `ladder_column`, as sign and square."""
    scale, found = ladder_column(j1, j2, j)
    a = found.get((n1, n1 + n2), Fraction(0))
    square = a * a * scale * weight(j1, n1) * weight(j2, n2) * weight(j, n1 + n2)
    return (a > 0) - (a < 0), square


def series(j1: int, j2: int) -> range:
    """Doubled degrees of a product."""
    return range(abs(j1 - j2), j1 + j2 + 1, 2)


def multiply(a: tuple[Any, Any], b: tuple[Any, Any]) -> tuple[Any, Any]:
    """Product of complex matrices given as (real, imaginary) object arrays of integers."""
    return a[0] @ b[0] - a[1] @ b[1], a[0] @ b[1] + a[1] @ b[0]


def su2(q: Sequence[int]) -> list[list[tuple[int, int]]]:
    """w - i (x sigma_x + y sigma_y + z sigma_z) as a 2 x 2 matrix of (real, imaginary)."""
    w, x, y, z = q
    return [[(w, -z), (-y, -x)], [(y, -x), (w, z)]]


def hamilton(p: Sequence[Any], q: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
    """Product of quaternions, i j = k."""
    (a, *u), (b, *v) = p, q
    cross = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
    scalar = a * b - sum(s * t for s, t in zip(u, v))
    return (scalar, *(a * v[k] + b * u[k] + cross[k] for k in range(3)))


def turn(q: Sequence[Any], r: Sequence[Any]) -> list[Fraction]:
    """Vector turned by a quaternion, q r q^-1."""
    conjugate = (q[0], -q[1], -q[2], -q[3])
    turned = hamilton(hamilton(q, (0, *r)), conjugate)
    norm = sum(Fraction(a) * a for a in q)
    return [Fraction(a) / norm for a in turned[1:]]


def symmetric_power(j: int, q: Sequence[int]) -> tuple[Any, Any]:
    """Action of `su2(q)` on forms of degree j by substitution, integers over |q|^j; rows and columns m ascending.

    Column m is the image of u^(l+m) v^(l-m), where u -> a u + c v and v -> b u + d v.
    """
    (a, b), (c, d) = su2(q)
    real, imag = np.zeros((j + 1, j + 1), object), np.zeros((j + 1, j + 1), object)
    for k in range(j + 1):
        form = [(1, 0)]
        for low, high in [(c, a)] * k + [(d, b)] * (j - k):
            longer = [(0, 0)] * (len(form) + 1)
            for i, (s, t) in enumerate(form):
                for shift, (x, y) in ((0, low), (1, high)):
                    old = longer[i + shift]
                    longer[i + shift] = (old[0] + s * x - t * y, old[1] + s * y + t * x)
            form = longer
        for row, (s, t) in enumerate(form):
            real[row, k], imag[row, k] = s, t
    return real, imag


def rank_modulo(rows: Iterable[dict[int, int]], columns: int, prime: int = PRIME) -> int:
    """Rank of a sparse integer matrix modulo a prime: at most the rank over the rationals."""
    dense = [row for row in rows if row]
    matrix = np.zeros((len(dense), columns), np.int64)
    for i, row in enumerate(dense):
        for k, a in row.items():
            matrix[i, k] = a % prime
    rank = 0
    for k in range(columns):
        candidates = np.flatnonzero(matrix[rank:, k])
        if not candidates.size:
            continue
        pivot = rank + candidates[0]
        matrix[[rank, pivot]] = matrix[[pivot, rank]]
        matrix[rank] = matrix[rank] * pow(int(matrix[rank, k]), -1, prime) % prime
        others = np.flatnonzero(matrix[:, k])
        others = others[others != rank]
        matrix[others] = (matrix[others] - matrix[others, k][:, None] * matrix[rank]) % prime
        rank += 1
        if rank == len(matrix):
            break
    return rank


def integers(values: Sequence[Fraction]) -> tuple[list[int], Fraction]:
    """Primitive integer vector and the factor that gives the values back."""
    common = lcm(*(value.denominator for value in values))
    whole = [int(value * common) for value in values]
    divisor = gcd(*whole) or 1
    return [a // divisor for a in whole], Fraction(divisor, common)


def real_rotation(l: int, q: Sequence[int]) -> Any:
    """|q|^2l times the matrix on f_m = Re a_-m, f_-m = Im a_-m (m > 0), f_0 = a_0, a rational real gauge."""
    re, im = symmetric_power(2 * l, q)
    found = np.zeros((2 * l + 1, 2 * l + 1), object)
    for m in range(-l, l + 1):  # the form with f_m = 1 has a_-n = 1 or i and a_n = (-1)^n conj(a_-n), n = |m|
        n = abs(m)
        x, y = (1, 0) if m >= 0 else (0, 1)
        terms = [(l - n, x, y)] + [(l + n, (-1) ** n * x, -((-1) ** n) * y)] * bool(n)
        image = [
            (
                sum(re[k, at] * s - im[k, at] * t for at, s, t in terms),
                sum(re[k, at] * t + im[k, at] * s for at, s, t in terms),
            )
            for k in range(2 * l + 1)
        ]
        for row in range(l + 1):
            found[l - row, m + l] = image[l - row][1]
            found[l + row, m + l] = image[l - row][0]
    return found


def real_scale(l: int, m: int) -> int:
    """Square of the factor from the components of `real_rotation` to the orthonormal real gauge."""
    return weight(2 * l, 2 * m) * (2 if m else 1)


def total(terms: Iterable[Squared]) -> Squared:
    """Exact sum of numbers +-sqrt(p/q) that are rational multiples of each other.

    Raises
    ------
    ValueError
        If they are not.
    """
    rest = [term for term in terms if term[0]]
    if not rest:
        return 0, Fraction(0)
    unit, amount = rest[0][1], Fraction(0)
    for sign, square in rest:
        ratio = root(square / unit)
        if ratio is None:
            raise ValueError("incommensurable terms")
        amount += sign * ratio
    return (amount > 0) - (amount < 0), amount * amount * unit


def times(*factors: Squared) -> Squared:
    """Product."""
    sign, square = 1, Fraction(1)
    for s, q in factors:
        sign, square = sign * s, square * q
    return sign, square if sign else Fraction(0)


def number(value: Fraction | int) -> Squared:
    """A rational as sign and square."""
    return (value > 0) - (value < 0), Fraction(value) ** 2
