"""Radial functions with their first and second derivatives in one pass, and their division by powers of the distance.

Every family fills g (order + 1, E, n), order <= 2: g[k, e, i] is the derivative of order k of function i at dist[e].
Steps are those of docs/derivations/radial.md.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["bessel", "contract", "divide", "exponential_cosine", "inverse_powers"]

_ZERO: Any = np.uintp(0)
_ONE: Any = np.uintp(1)
_TWO: Any = np.uintp(2)
_SERIES = tuple((-1.0) ** k * 2 * k / factorial(2 * k + 1) for k in range(9, 0, -1))  # the next is below u / 1000 at 1


@kernel()
def inverse_powers(dist: Any, powers: Any, g: Any) -> None:
    """d^-s and its derivatives -s d^(-s-1), s (s+1) d^(-s-2); powers (n,) integers of either sign."""
    for e in range(np.uintp(dist.shape[0])):
        inverse = 1 / dist[e]
        for i in range(np.uintp(powers.shape[0])):
            s = powers[i]
            value, factor = inverse / inverse, dist[e] if s < 0 else inverse
            for _ in range(abs(s)):
                value *= factor
            g[_ZERO, e, i] = value
            if g.shape[0] > 1:
                g[_ONE, e, i] = -s * value * inverse
            if g.shape[0] > 2:
                g[_TWO, e, i] = s * (s + 1) * value * inverse * inverse


@kernel()
def _cutoff(x: Any, p: Any) -> Any:
    """f_p(x) = (1-x)^3 sum_{k<p} (k+1)(k+2)/2 x^k and two derivatives, for 0 < x < 1; (C1)-(C3)."""
    rest, series, power = 1.0 - x, 0.0, 1.0 / x
    for k in range(p - 1, -1, -1):
        series = series * x + (k + 1) * (k + 2) / 2
        power *= x  # x^(p-1) at the end
    c = p * (p + 1) * (p + 2) / 2
    return rest * rest * rest * series, -c * power * rest * rest, -c * power / x * rest * ((p - 1) * rest - 2.0 * x)


@kernel()
def _store_product(h0: Any, h1: Any, h2: Any, f: Any, g: Any, e: Any, i: Any) -> None:
    """Derivatives of h(d) f(d), (C4)."""
    g[_ZERO, e, i] = h0 * f[0]
    if g.shape[0] > 1:
        g[_ONE, e, i] = h1 * f[0] + h0 * f[1]
    if g.shape[0] > 2:
        g[_TWO, e, i] = h2 * f[0] + 2.0 * h1 * f[1] + h0 * f[2]


@kernel()
def _short_wave(t: Any) -> Any:
    """phi'(t) and phi''(t) of phi = sin(t) / t for 0 <= t < 1, where the closed forms cancel; (B4)."""
    q, first, second = t * t, 0.0, 0.0
    for i in range(len(_SERIES)):
        first = first * q + _SERIES[i]
        second = second * q + _SERIES[i] * (2 * (len(_SERIES) - i) - 1)
    return first * t, second


@kernel()
def bessel(dist: Any, cutoff: Any, p: Any, g: Any) -> None:
    """sqrt(2 / rc) sin(n pi d / rc) / d f_p(d / rc), n = 1..; sines of multiples by turning, (B1)-(B4)."""
    scale = np.sqrt(2.0 / cutoff)
    for e in range(np.uintp(dist.shape[0])):
        d = np.float64(dist[e])
        if d >= cutoff:
            g[:, e, :] = 0.0
            continue
        f0, f1, f2 = _cutoff(d / cutoff, p)
        f = (scale * f0, scale * f1 / cutoff, scale * f2 / (cutoff * cutoff))
        angle = np.pi * d / cutoff
        c1, s1 = np.cos(angle), np.sin(angle)
        c, s, a = 1.0, 0.0, 0.0
        for i in range(np.uintp(g.shape[2])):
            c, s, a = c * c1 - s * s1, s * c1 + c * s1, a + np.pi / cutoff
            h0 = s / d
            h1 = (a * c - h0) / d
            h2 = -(a * a * s + 2.0 * h1) / d
            if a * d < 1.0:
                first, second = _short_wave(a * d)
                h1, h2 = a * a * first, a * a * a * second
            _store_product(h0, h1, h2, f, g, e, i)


@kernel()
def exponential_cosine(dist: Any, width: Any, cutoff: Any, p: Any, g: Any) -> None:
    """cos(n pi exp(-d / width)) f_p(d / rc), n = 0..; (E1)-(E3)."""
    for e in range(np.uintp(dist.shape[0])):
        d = np.float64(dist[e])
        if d >= cutoff:
            g[:, e, :] = 0.0
            continue
        f0, f1, f2 = _cutoff(d / cutoff, p)
        f = (f0, f1 / cutoff, f2 / (cutoff * cutoff))
        angle = np.pi * np.exp(-d / width)
        c1, s1 = np.cos(angle), np.sin(angle)
        c, s, z = 1.0, 0.0, 0.0
        for i in range(np.uintp(g.shape[2])):
            _store_product(c, z * s / width, -z * (s + z * c) / (width * width), f, g, e, i)
            c, s, z = c * c1 - s * s1, s * c1 + c * s1, z + angle


@kernel()
def divide(dist: Any, g: Any, R: Any) -> None:
    """R[e, l, i] = the derivative of order len(g) - 1 of g_i(d) d^-l, (D1)-(D3); R (E, lmax + 1, n) written."""
    for e in range(np.uintp(dist.shape[0])):
        inverse = 1 / dist[e]
        power, first, second = inverse / inverse, 0 * inverse, 0 * inverse
        for l in range(np.uintp(R.shape[1])):
            for i in range(np.uintp(R.shape[2])):
                if g.shape[0] == 1:
                    R[e, l, i] = power * g[_ZERO, e, i]  # D1
                elif g.shape[0] == 2:
                    R[e, l, i] = power * (g[_ONE, e, i] - first * g[_ZERO, e, i])  # D2
                else:
                    curved = g[_TWO, e, i] - 2 * first * g[_ONE, e, i] + second * g[_ZERO, e, i]
                    R[e, l, i] = power * curved  # D3
            power = power * inverse
            first = first + inverse  # l / d
            second = first * (first + inverse)  # l (l + 1) / d^2


@kernel()
def contract(y_bar: Any, dist: Any, g: Any, d_bar: Any) -> None:
    """d_bar[e] = sum over l, i of y_bar[e, l, i] times what `divide` would write; d_bar (E,) written."""
    for e in range(np.uintp(dist.shape[0])):
        inverse = 1 / dist[e]
        power, first, second, total = inverse / inverse, 0 * inverse, 0 * inverse, 0 * inverse
        for l in range(np.uintp(y_bar.shape[1])):
            part = 0 * inverse
            for i in range(np.uintp(y_bar.shape[2])):
                if g.shape[0] == 2:
                    part += y_bar[e, l, i] * (g[_ONE, e, i] - first * g[_ZERO, e, i])  # D4
                else:
                    curved = g[_TWO, e, i] - 2 * first * g[_ONE, e, i] + second * g[_ZERO, e, i]
                    part += y_bar[e, l, i] * curved  # D5
            total = total + power * part
            power = power * inverse
            first = first + inverse
            second = first * (first + inverse)
        d_bar[e] = total
