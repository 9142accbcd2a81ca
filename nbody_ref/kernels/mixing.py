"""Loops of `nbody_ref.ops.mixing`: F W for every node with the W of its kind, and the sum of F^T y_bar."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["BLOCK", "MixingArrays", "mixing_forward", "mixing_weights"]

ONE, TWO, THREE, FOUR, FIVE = (np.uintp(i) for i in range(1, 6))
COLUMNS = np.uintp(6)  # of the table of links
BLOCK = np.uintp(64)  # nodes summed into a scratch before that is added to the total


class MixingArrays(NamedTuple):
    """Links of a mixing as the kernels read them.

    Attributes
    ----------
    links : (n_links * 6,) uintp
        Rows (offset in F, offset in the result, 2*l + 1, mul_in, mul_out, offset in W).
    sizes : (3,) uintp
        Lengths of a row of F, of the result and of W.
    """

    links: Any
    sizes: Any


@kernel(contract=True)
def mixing_forward(out: Any, F: Any, W: Any, kind: Any, first: Any, last: Any, t: Any) -> None:
    """out[n, m, c_out] += sum over c_in of F[n, m, c_in] W[kind[n], c_in, c_out] along every link; arrays flat."""
    df, do, dw = t.sizes[0], t.sizes[1], t.sizes[2]
    for n in range(first, last):
        for p in range(np.uintp(len(t.links)) // COLUMNS):
            q = p * COLUMNS
            fo, oo = n * df + t.links[q], n * do + t.links[q + ONE]
            d, mi, mo = t.links[q + TWO], t.links[q + THREE], t.links[q + FOUR]
            wo = kind[n] * dw + t.links[q + FIVE]
            fours = mi // FOUR
            for b in range(fours):
                i = b * FOUR
                w0 = wo + i * mo
                w1, w2, w3 = w0 + mo, w0 + TWO * mo, w0 + THREE * mo
                for m in range(d):
                    f, o = fo + m * mi + i, oo + m * mo
                    f0, f1, f2, f3 = F[f], F[f + ONE], F[f + TWO], F[f + THREE]
                    for c in range(mo):
                        out[o + c] += (f0 * W[w0 + c] + f1 * W[w1 + c]) + (f2 * W[w2 + c] + f3 * W[w3 + c])
            for rest in range(fours * FOUR, mi):
                w0 = wo + rest * mo
                for m in range(d):
                    f0, o = F[fo + m * mi + rest], oo + m * mo
                    for c in range(mo):
                        out[o + c] += f0 * W[w0 + c]


@kernel(contract=True)
def mixing_weights(
    W_bar: Any, F: Any, g: Any, order: Any, first: Any, last: Any, t: Any, scratch: Any, zero: Any,
) -> None:  # fmt: skip
    """W_bar[c_in, c_out] += sum over nodes order[first..last-1] and m of F[n, m, c_in] g[n, m, c_out]; one kind.

    Nodes are summed in blocks of `BLOCK` into scratch, shaped as W_bar, so that the chain of roundings stays short.
    """
    df, do, dw = t.sizes[0], t.sizes[1], t.sizes[2]
    start: Any = first
    while start < last:
        stop = start + min(BLOCK, last - start)
        for i in range(dw):
            scratch[i] = zero
        for p in range(np.uintp(len(t.links)) // COLUMNS):
            q = p * COLUMNS
            d, mi, mo, wo = t.links[q + TWO], t.links[q + THREE], t.links[q + FOUR], t.links[q + FIVE]
            for b in range(start, stop):
                fo, go = order[b] * df + t.links[q], order[b] * do + t.links[q + ONE]
                for i in range(mi):
                    w = wo + i * mo
                    for m in range(d):
                        f, o = F[fo + m * mi + i], go + m * mo
                        for c in range(mo):
                            scratch[w + c] += f * g[o + c]
        for i in range(dw):
            W_bar[i] += scratch[i]
        start = stop
