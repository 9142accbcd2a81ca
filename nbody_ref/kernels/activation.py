"""Functions of one number with their first and second derivatives in one pass; always computed in double precision.

g (order + 1, n), order <= 2: g[k, i] is the derivative of order k at x[i]. Every exponential is of a non-positive
number, so nothing overflows. Steps are those of docs/derivations/activation.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["activate"]

_ZERO: Any = np.uintp(0)
_ONE: Any = np.uintp(1)
_TWO: Any = np.uintp(2)
_SLOPE = 0.01  # of leaky_relu below zero


@kernel()
def _sigmoids(x: Any) -> Any:
    """The logistic function at x and at -x, both to full relative accuracy; (D1)."""
    e = np.exp(-abs(x))
    large, small = 1.0 / (1.0 + e), e / (1.0 + e)
    return (large, small) if x >= 0 else (small, large)


@kernel()
def _one(x: Any, code: Any) -> Any:
    """Value, first and second derivative of function number `code` at x; (A1)-(A7)."""
    s, t = _sigmoids(x)
    if code == 0:  # silu
        return x * s, s * (1.0 + x * t), s * t * (2.0 + x * (t - s))  # A1
    if code == 1:  # sigmoid
        return s, s * t, s * t * (t - s)  # A2
    if code == 2:  # tanh
        e = np.exp(-2.0 * abs(x))
        slope = 4.0 * e / ((1.0 + e) * (1.0 + e))
        value = np.tanh(x)
        return value, slope, -2.0 * value * slope  # A3
    if code == 3:  # softplus
        return max(x, 0.0) + np.log1p(np.exp(-abs(x))), s, s * t  # A4
    if code == 4:  # softplus less its value at zero
        return max(x, 0.0) + np.log1p(0.5 * np.expm1(-abs(x))), s, s * t  # A5
    if code == 6:  # reciprocal
        inverse = 1.0 / x
        return inverse, -inverse * inverse, 2.0 * inverse * inverse * inverse  # A7
    slope = 1.0 if x > 0 else _SLOPE
    return slope * x, slope, 0.0 * x  # A6


@kernel()
def activate(x: Any, code: Any, factor: Any, g: Any) -> None:
    """g[k, i] = factor times the derivative of order k at x[i]; x (n,), g (order + 1, n) written."""
    for i in range(np.uintp(x.shape[0])):
        value, first, second = _one(np.float64(x[i]), code)
        g[_ZERO, i] = factor * value
        if g.shape[0] > 1:
            g[_ONE, i] = factor * first
        if g.shape[0] > 2:
            g[_TWO, i] = factor * second
