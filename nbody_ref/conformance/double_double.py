"""Sums of products in double-double arithmetic: the first step towards correctly rounded truth.

Error-free transformations of Dekker and Knuth; no fused operations, which would break them. Error bound:
docs/derivations/certified_sums.md.
"""

from __future__ import annotations

from typing import Any

from nbody_ref.kernels._jit import kernel

__all__ = ["product_sums"]

SPLIT = 134217729.0  # 2^27 + 1


@kernel()
def two_sum(a: float, b: float) -> tuple[float, float]:
    """s + e = a + b exactly, s = fl(a + b)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@kernel()
def two_product(a: float, b: float) -> tuple[float, float]:
    """p + e = a b exactly, p = fl(a b)."""
    p = a * b
    t = SPLIT * a
    a1 = t - (t - a)
    a2 = a - a1
    t = SPLIT * b
    b1 = t - (t - b)
    b2 = b - b1
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


@kernel()
def times_double(h: float, l: float, b: float) -> tuple[float, float]:
    """(h + l) b with relative error below 3 u^2."""
    p, e = two_product(h, b)
    e = e + l * b
    s = p + e
    return s, e - (s - p)


@kernel()
def times(h: float, l: float, a: float, b: float) -> tuple[float, float]:
    """(h + l)(a + b) with relative error at most 7 u^2."""
    p, e = two_product(h, a)
    e = e + (h * b + l * a)
    s = p + e
    return s, e - (s - p)


@kernel()
def plus(h: float, l: float, a: float, b: float) -> tuple[float, float]:
    """(h + l) + (a + b) with relative error below 4 u^2."""
    s, e = two_sum(h, a)
    t, f = two_sum(l, b)
    e = e + t
    v = s + e
    w = e - (v - s)
    w = w + f
    s = v + w
    return s, w - (s - v)


@kernel()
def product_sums(
    ptr: Any, i0: Any, i1: Any, i2: Any, x0: Any, x1: Any, x2: Any, coef: Any, c_hi: Any, c_lo: Any,
    hi: Any, lo: Any, S: Any, n: Any,
) -> None:  # fmt: skip
    """For every j: sum over t in ptr[j]..ptr[j+1] of c[coef[t]] x0[i0[t]] x1[i1[t]] x2[i2[t]]; its S; its terms."""
    for j in range(len(hi)):
        h, l, size, count = 0.0, 0.0, 0.0, 0
        for t in range(ptr[j], ptr[j + 1]):
            p, e = two_product(x0[i0[t]], x1[i1[t]])
            p, e = times_double(p, e, x2[i2[t]])
            p, e = times(p, e, c_hi[coef[t]], c_lo[coef[t]])
            if p != 0.0:
                h, l = plus(h, l, p, e)
                size += abs(p)
                count += 1
        hi[j], lo[j], S[j], n[j] = h, l, size, count
