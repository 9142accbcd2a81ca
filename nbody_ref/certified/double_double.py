"""Sums of products in double-double arithmetic: the first step towards correctly rounded truth.

Error-free transformations of Dekker and Knuth; no fused operations, which would break them. Error bound:
docs/derivations/certified_sums.md.
"""

from __future__ import annotations

from typing import Any

from nbody_ref.kernels._jit import kernel

__all__ = ["add_terms"]

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
def add_terms(
    first: Any,
    last: Any,
    ptr: Any,
    order: Any,
    starts: Any,
    columns: Any,
    out: Any,
    coef: Any,
    x_hi: Any,
    x_lo: Any,
    x_rad: Any,
    c_hi: Any,
    c_lo: Any,
    c_size: Any,
    hi: Any,
    lo: Any,
    rad: Any,
    S: Any,
    n: Any,
) -> None:
    """Add to rows first..last-1 of a matrix the terms c times a product of legs, each leg hi + lo +- rad.

    Row g takes the rows of work order[ptr[g]..ptr[g+1]]; factor k of term t is x[starts[k, e] + columns[k, t]]. S adds
    the sizes of the terms, n counts those that do not vanish, rad adds what the radii of the factors amount to.
    """
    for g in range(first, last):
        for place in range(ptr[g], ptr[g + 1]):
            e = order[place]
            for t in range(len(out)):
                p, q, size, spread = 1.0, 0.0, 1.0, 0.0
                for k in range(len(starts)):
                    i = starts[k, e] + columns[k, t]
                    spread = spread * (abs(x_hi[i]) + x_rad[i]) + size * x_rad[i]
                    size *= abs(x_hi[i])
                    if k == 0:
                        p, q = x_hi[i], x_lo[i]
                    else:
                        p, q = times(p, q, x_hi[i], x_lo[i])
                c = coef[t]
                j = out[t]
                rad[g, j] += spread * abs(c_hi[c])
                S[g, j] += size * c_size[c]
                p, q = times(p, q, c_hi[c], c_lo[c])
                if p != 0.0:
                    hi[g, j], lo[g, j] = plus(hi[g, j], lo[g, j], p, q)
                    n[g, j] += 1
