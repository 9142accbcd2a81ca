"""Loops of `nbody_ref.ops.mixing`: F W for every node with the W of its kind, and the sum of F^T y_bar.

The channels of one irrep may lie in several parts. They are gathered to a dense row first and scattered afterwards, so
that the products run over contiguous memory, four channels or rows at a time, for several nodes of one kind.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["BLOCK", "NODES", "MixingArrays", "mixing_forward", "mixing_weights"]

ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT = (np.uintp(i) for i in range(9))
COLUMNS = EIGHT  # of the table of blocks
NODES = np.uintp(16)  # that are multiplied by one W together
BLOCK = np.uintp(64)  # nodes summed into a scratch before that is added to the total


class MixingArrays(NamedTuple):
    """Blocks of a mixing as the kernels read them.

    Attributes
    ----------
    blocks : (n_blocks * 8,) uintp
        Rows (2*l + 1, mul_in, mul_out, offset in W, first and last + 1 part of the input, the same of the result).
    ins, outs : (n * 2,) uintp
        Parts (offset in F or in the result, mul), each (2*l + 1, mul) row-major.
    sizes : (3,) uintp
        Lengths of a row of F, of the result and of W.
    """

    blocks: Any
    ins: Any
    outs: Any
    sizes: Any


@kernel(contract=True)
def mixing_forward(
    out: Any, F: Any, W: Any, kind: Any, order: Any, first: Any, last: Any, t: Any, a: Any, b: Any, zero: Any
) -> None:
    """out[n, m, c_out] += sum over c_in of F[n, m, c_in] W[kind[n], c_in, c_out] in every block, n = order[first..].

    `order` goes kind by kind, so that up to `NODES` nodes read one W while it is near; a and b hold their rows.
    """
    blocks, ins, outs = t.blocks, t.ins, t.outs
    df, do, dw = t.sizes[0], t.sizes[1], t.sizes[2]
    begin = first
    while begin < last:
        k, count = kind[order[begin]], ONE
        while count < NODES and begin + count < last and kind[order[begin + count]] == k:
            count = count + ONE
        for p in range(np.uintp(len(blocks)) // COLUMNS):
            q = p * COLUMNS
            d, mi, mo, wo = blocks[q], blocks[q + ONE], blocks[q + TWO], k * dw + blocks[q + THREE]
            for i in range(count):
                _gather(a, i * d * mi, F, order[begin + i] * df, ins, blocks[q + FOUR], blocks[q + FIVE], d, mi)
            for c in range(count * d * mo):
                b[c] = zero
            _product(b, a, W, wo, count * d, mi, mo)
            for i in range(count):
                _scatter(out, order[begin + i] * do, b, i * d * mo, outs, blocks[q + SIX], blocks[q + SEVEN], d, mo)
        begin = begin + count


@kernel(contract=True)
def mixing_weights(
    W_bar: Any, F: Any, g: Any, order: Any, first: Any, last: Any, t: Any, a: Any, b: Any, total: Any, zero: Any
) -> None:
    """W_bar[c_in, c_out] += sum over nodes order[first..last-1] and m of F[n, m, c_in] g[n, m, c_out]; one kind.

    Nodes are summed in blocks of `BLOCK` into total, shaped as W_bar, so that the chain of roundings stays short; a and
    b hold the rows of four nodes.
    """
    blocks, ins, outs = t.blocks, t.ins, t.outs
    df, do, dw = t.sizes[0], t.sizes[1], t.sizes[2]
    for piece in range((last - first + BLOCK - ONE) // BLOCK):
        start = first + piece * BLOCK
        stop = start + min(BLOCK, last - start)
        for c in range(dw):
            total[c] = zero
        for p in range(np.uintp(len(blocks)) // COLUMNS):
            q = p * COLUMNS
            d, mi, mo = blocks[q], blocks[q + ONE], blocks[q + TWO]
            for four in range((stop - start + THREE) // FOUR):
                begin = start + four * FOUR
                count = min(FOUR, stop - begin)
                for k in range(count):
                    n = order[begin + k]
                    _gather(a, k * d * mi, F, n * df, ins, blocks[q + FOUR], blocks[q + FIVE], d, mi)
                    _gather(b, k * d * mo, g, n * do, outs, blocks[q + SIX], blocks[q + SEVEN], d, mo)
                _outer(total, blocks[q + THREE], a, b, count * d, mi, mo)
        for c in range(dw):
            W_bar[c] += total[c]


@kernel(contract=True)
def _gather(a: Any, o: Any, F: Any, row: Any, parts: Any, first: Any, last: Any, d: Any, width: Any) -> None:
    """a[m, :] = the parts side by side; rows of a of length `width`."""
    left = o
    for p in range(first, last):
        at, mul = row + parts[p * TWO], parts[p * TWO + ONE]
        for m in range(d):
            for c in range(mul):
                a[left + m * width + c] = F[at + m * mul + c]
        left = left + mul


@kernel(contract=True)
def _scatter(out: Any, row: Any, b: Any, o: Any, parts: Any, first: Any, last: Any, d: Any, width: Any) -> None:
    """The parts += b[m, :]; rows of b of length `width`, from o on."""
    left = o
    for p in range(first, last):
        at, mul = row + parts[p * TWO], parts[p * TWO + ONE]
        for m in range(d):
            for c in range(mul):
                out[at + m * mul + c] += b[left + m * width + c]
        left = left + mul


@kernel(contract=True, distinct=True)
def _product(b: Any, a: Any, W: Any, wo: Any, rows: Any, mi: Any, mo: Any) -> None:
    """b[m, c] += sum_r a[m, r] W[r, c], D1 and D2: four values of r at a time, and two rows m, which share W."""
    for four in range(mi // FOUR):
        i = four * FOUR
        w0 = wo + i * mo
        w1, w2, w3 = w0 + mo, w0 + TWO * mo, w0 + THREE * mo
        for two in range(rows // TWO):
            f, o = two * TWO * mi + i, two * TWO * mo
            g, p = f + mi, o + mo
            f0, f1, f2, f3 = a[f], a[f + ONE], a[f + TWO], a[f + THREE]
            g0, g1, g2, g3 = a[g], a[g + ONE], a[g + TWO], a[g + THREE]
            for c in range(mo):
                v0, v1, v2, v3 = W[w0 + c], W[w1 + c], W[w2 + c], W[w3 + c]
                b[o + c] += (f0 * v0 + f1 * v1) + (f2 * v2 + f3 * v3)
                b[p + c] += (g0 * v0 + g1 * v1) + (g2 * v2 + g3 * v3)
        for m in range(rows // TWO * TWO, rows):
            f, o = m * mi + i, m * mo
            f0, f1, f2, f3 = a[f], a[f + ONE], a[f + TWO], a[f + THREE]
            for c in range(mo):
                b[o + c] += (f0 * W[w0 + c] + f1 * W[w1 + c]) + (f2 * W[w2 + c] + f3 * W[w3 + c])
    for r in range(mi // FOUR * FOUR, mi):
        w0 = wo + r * mo
        for m in range(rows):
            f0, o = a[m * mi + r], m * mo
            for c in range(mo):
                b[o + c] += f0 * W[w0 + c]


@kernel(contract=True)
def _outer(total: Any, wo: Any, a: Any, b: Any, rows: Any, mi: Any, mo: Any) -> None:
    """total[r, c] += sum over rows k of a[k, r] b[k, c], D3."""
    for four in range(rows // FOUR):
        k = four * FOUR
        b0, b1, b2, b3 = k * mo, (k + ONE) * mo, (k + TWO) * mo, (k + THREE) * mo
        for r in range(mi):
            f, w = k * mi + r, wo + r * mo
            f0, f1, f2, f3 = a[f], a[f + mi], a[f + TWO * mi], a[f + THREE * mi]
            for c in range(mo):
                total[w + c] += (f0 * b[b0 + c] + f1 * b[b1 + c]) + (f2 * b[b2 + c] + f3 * b[b3 + c])
    for rest in range(rows // FOUR * FOUR, rows):
        for r in range(mi):
            f0, w, b0 = a[rest * mi + r], wo + r * mo, rest * mo
            for c in range(mo):
                total[w + c] += f0 * b[b0 + c]
