r"""Loops of `nbody_ref.ops.cg_product`: a sparse trilinear form applied to rows, towards any of its three legs.

The form sum_t C_t out[t] a[t] b[t] comes as blocks of at most two terms with one output row. The same loops give the
product and both adjoints: only the roles of the legs, that is the table, change.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["CHANNELWISE", "SUM_BOTH", "SUM_LEFT", "TO_BOTH", "ProductArrays", "cg_terms"]

ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT = (np.uintp(i) for i in range(1, 9))
CHANNELWISE, TO_BOTH, SUM_LEFT, SUM_BOTH = (np.uintp(i) for i in range(4))
COLUMNS = EIGHT  # of the table of blocks


class ProductArrays(NamedTuple):
    """Blocks of terms as the kernel reads them; the form towards one leg.

    Attributes
    ----------
    role : uintp
        CHANNELWISE: out[c] += a[c] b[c]; TO_BOTH: out[u, v] += a[u] b[v]; SUM_LEFT: out[v] += a[u] b[u, v];
        SUM_BOTH: out[u] += a[v] b[u, v].
    blocks : (n * 8,) uintp
        Rows (number of terms, offset in out, mul_u, mul_v, two offsets in a, two in b).
    value : (2 * n,)
    sizes : (3,) uintp
        Lengths of a row of out, a and b.
    """

    role: Any
    blocks: Any
    value: Any
    sizes: Any


@kernel(contract=True)
def cg_terms(out: Any, a: Any, b: Any, first: Any, last: Any, t: Any, zero: Any) -> None:
    """Add the form to rows first..last-1 of out; out, a, b flat."""
    role, blocks, value, do, da, db = t.role, t.blocks, t.value, t.sizes[0], t.sizes[1], t.sizes[2]
    for n in range(first, last):
        if role == CHANNELWISE:
            _channelwise(out, n * do, a, n * da, b, n * db, blocks, value)
        elif role == TO_BOTH:
            _to_both(out, n * do, a, n * da, b, n * db, blocks, value)
        elif role == SUM_LEFT:
            _sum_left(out, n * do, a, n * da, b, n * db, blocks, value)
        else:
            _sum_both(out, n * do, a, n * da, b, n * db, blocks, value, zero)


@kernel(contract=True)
def _channelwise(out: Any, on: Any, a: Any, an: Any, b: Any, bn: Any, blocks: Any, value: Any) -> None:
    """out[c] += v a[c] b[c], D1."""
    for p in range(np.uintp(len(blocks)) // COLUMNS):
        q, r = p * COLUMNS, p * TWO
        o, mul, v0, v1 = on + blocks[q + ONE], blocks[q + TWO], value[r], value[r + ONE]
        a0, a1, b0, b1 = an + blocks[q + FOUR], an + blocks[q + FIVE], bn + blocks[q + SIX], bn + blocks[q + SEVEN]
        if blocks[q] == ONE:
            for c in range(mul):
                out[o + c] += (v0 * a[a0 + c]) * b[b0 + c]
        else:
            for c in range(mul):
                out[o + c] += (v0 * a[a0 + c]) * b[b0 + c] + (v1 * a[a1 + c]) * b[b1 + c]


@kernel(contract=True)
def _to_both(out: Any, on: Any, a: Any, an: Any, b: Any, bn: Any, blocks: Any, value: Any) -> None:
    """out[u, v] += C a[u] b[v], D1."""
    for p in range(np.uintp(len(blocks)) // COLUMNS):
        q, r = p * COLUMNS, p * TWO
        o, mu, mv, v0, v1 = on + blocks[q + ONE], blocks[q + TWO], blocks[q + THREE], value[r], value[r + ONE]
        a0, a1, b0, b1 = an + blocks[q + FOUR], an + blocks[q + FIVE], bn + blocks[q + SIX], bn + blocks[q + SEVEN]
        for u in range(mu):
            x0, x1, i = v0 * a[a0 + u], v1 * a[a1 + u], o + u * mv
            for c in range(mv):
                out[i + c] += x0 * b[b0 + c] + x1 * b[b1 + c]


@kernel(contract=True)
def _sum_left(out: Any, on: Any, a: Any, an: Any, b: Any, bn: Any, blocks: Any, value: Any) -> None:
    """out[v] += C sum_u a[u] b[u, v], D3."""
    for p in range(np.uintp(len(blocks)) // COLUMNS):
        q, r = p * COLUMNS, p * TWO
        o, mu, mv, v0, v1 = on + blocks[q + ONE], blocks[q + TWO], blocks[q + THREE], value[r], value[r + ONE]
        a0, a1, b0, b1 = an + blocks[q + FOUR], an + blocks[q + FIVE], bn + blocks[q + SIX], bn + blocks[q + SEVEN]
        for u in range(mu):
            x0, x1, i, j = v0 * a[a0 + u], v1 * a[a1 + u], b0 + u * mv, b1 + u * mv
            for c in range(mv):
                out[o + c] += x0 * b[i + c] + x1 * b[j + c]


@kernel(contract=True)
def _sum_both(out: Any, on: Any, a: Any, an: Any, b: Any, bn: Any, blocks: Any, value: Any, zero: Any) -> None:
    """out[u] += C sum_v a[v] b[u, v], D2."""
    for p in range(np.uintp(len(blocks)) // COLUMNS):
        q, r = p * COLUMNS, p * TWO
        o, mu, mv, v0, v1 = on + blocks[q + ONE], blocks[q + TWO], blocks[q + THREE], value[r], value[r + ONE]
        a0, a1, b0, b1 = an + blocks[q + FOUR], an + blocks[q + FIVE], bn + blocks[q + SIX], bn + blocks[q + SEVEN]
        for u in range(mu):
            s0, s1, i, j = zero, zero, b0 + u * mv, b1 + u * mv
            for c in range(mv):
                s0 = s0 + a[a0 + c] * b[i + c]
                s1 = s1 + a[a1 + c] * b[j + c]
            out[o + u] += v0 * s0 + v1 * s1
