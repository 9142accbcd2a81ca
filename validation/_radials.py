"""Radial functions from their published definitions in mpmath, with S and k of docs/derivations/radial.md."""

from __future__ import annotations

import math
from typing import Any

import mpmath

from nbody_ref.ops.radial import Bessel, InversePowers


def cutoff(x: Any, p: int) -> Any:
    """The polynomial in its published form, 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2)."""
    if x >= 1:
        return mpmath.mpf(0)
    return 1 - (p + 1) * (p + 2) * x**p / 2 + p * (p + 2) * x ** (p + 1) - p * (p + 1) * x ** (p + 2) / 2


def function(basis: Any, n: int, l: int) -> Any:
    """R_ln(d) from its definition."""
    if isinstance(basis, InversePowers):
        return lambda d: d ** -(basis.powers[n] + l)
    rc = mpmath.mpf(basis.cutoff)
    if isinstance(basis, Bessel):
        return lambda d: (
            mpmath.sqrt(2 / rc) * mpmath.sin((n + 1) * mpmath.pi * d / rc) / d * cutoff(d / rc, basis.p) / d**l
        )
    sigma = mpmath.mpf(basis.scale)
    return lambda d: mpmath.cos(n * mpmath.pi * mpmath.exp(-d / sigma)) * cutoff(d / rc, basis.p) / d**l


def sizes(basis: Any, n: int, l: int, d: float) -> list[float]:
    """S of value, first and second derivative: the table of the page and Leibniz' rule with plus signs."""
    if isinstance(basis, InversePowers):
        s = basis.powers[n]
        g = [abs(math.prod(range(s, s + k))) * d ** -(s + k) if k else d**-s for k in range(3)]
    else:
        rc, p, x = basis.cutoff, basis.p, d / basis.cutoff
        c = p * (p + 1) * (p + 2) / 2
        value = float(cutoff(mpmath.mpf(x), p))
        f = [
            value + c * x**p * (1 - x) ** 2,
            c * x ** (p - 1) * (1 - x) * (1 + x) / rc,
            c * x ** (p - 2) * ((p - 1) * (1 - x) + 2 * x) / rc**2,
        ]
        if isinstance(basis, Bessel):
            A, a = math.sqrt(2 / rc), (n + 1) * math.pi / rc
            h = [A / d, A * (a + 1 / d) / d, A * (a * a + 2 * (a + 1 / d) / d) / d]
        else:
            z = n * math.pi * math.exp(-d / basis.scale)
            h = [1.0, z / basis.scale, z * (1 + z) / basis.scale**2]
        g = [h[0] * f[0], h[1] * f[0] + h[0] * f[1], h[2] * f[0] + 2 * h[1] * f[1] + h[0] * f[2]]
    power = [d**-l, l * d ** -(l + 1), l * (l + 1) * d ** -(l + 2)]
    return [g[0] * power[0], g[1] * power[0] + g[0] * power[1], g[2] * power[0] + 2 * g[1] * power[1] + g[0] * power[2]]


def chain(basis: Any, n: int, l: int) -> int:
    """k of the page."""
    if isinstance(basis, InversePowers):
        return 2 * abs(basis.powers[n]) + 12 + 2 * l
    return 15 * (n + isinstance(basis, Bessel)) + 2 * basis.p + 24 + 2 * l
