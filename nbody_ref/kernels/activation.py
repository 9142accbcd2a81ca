"""Functions of one number with their first and second derivatives in one pass; always computed in double precision.

g (order + 1, n), order <= 2: g[k, i] is the derivative of order k at x[i]. Exponentials come as an argument, e[i] =
exp(-|x[i]|) (of -2|x[i]| for tanh), never more than one: NumPy makes them many at a time, and without a call and
without a branch the loops below are vectorised. Steps are those of docs/derivations/activation.md.
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


@kernel(distinct=True)
def _logistic(x: Any, e: Any, silu: Any, factor: Any, start: Any, g: Any) -> None:
    """silu or the logistic function itself, for the block of x that begins at `start`; (D1), (A1), (A2)."""
    order = g.shape[0]
    for i in range(np.uintp(e.shape[0])):
        v = np.float64(x[start + i])
        large, small = 1.0 / (1.0 + e[i]), e[i] / (1.0 + e[i])
        s, t = (large, small) if v >= 0 else (small, large)
        g[_ZERO, start + i] = factor * (v * s if silu else s)  # A1, A2
        if order > 1:
            g[_ONE, start + i] = factor * (s * (1.0 + v * t) if silu else s * t)
        if order > 2:
            g[_TWO, start + i] = factor * (s * t * (2.0 + v * (t - s)) if silu else s * t * (t - s))


@kernel()
def _one(x: Any, e: Any, code: Any) -> Any:
    """Value, first and second derivative of function number `code` at x; (A3)-(A7)."""
    if code == 2:  # tanh, e = exp(-2 |x|)
        slope = 4.0 * e / ((1.0 + e) * (1.0 + e))
        value = np.tanh(x)
        return value, slope, -2.0 * value * slope  # A3
    if code == 6:  # reciprocal
        inverse = 1.0 / x
        return inverse, -inverse * inverse, 2.0 * inverse * inverse * inverse  # A7
    if code == 5:  # leaky_relu
        slope = 1.0 if x > 0 else _SLOPE
        return slope * x, slope, 0.0 * x  # A6
    large, small = 1.0 / (1.0 + e), e / (1.0 + e)
    s, t = (large, small) if x >= 0 else (small, large)
    if code == 3:  # softplus
        return max(x, 0.0) + np.log1p(e), s, s * t  # A4
    return max(x, 0.0) + np.log1p(0.5 * np.expm1(-abs(x))), s, s * t  # A5: softplus less its value at zero


@kernel()
def activate(x: Any, e: Any, code: Any, factor: Any, start: Any, g: Any) -> None:
    """g[k, i] = factor times the derivative of order k at x[i], i = start..start + len(e) - 1.

    x (n,), e (m,), g (order + 1, n).
    """
    if code < 2:
        _logistic(x, e, code == 0, factor, start, g)
        return
    for i in range(np.uintp(e.shape[0])):
        value, first, second = _one(np.float64(x[start + i]), e[i], code)
        g[_ZERO, start + i] = factor * value
        if g.shape[0] > 1:
            g[_ONE, start + i] = factor * first
        if g.shape[0] > 2:
            g[_TWO, start + i] = factor * second
