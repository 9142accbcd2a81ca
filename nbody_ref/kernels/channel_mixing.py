"""Loops of `nbody_ref.ops.channel_mixing`: every channel of a path times its own weight, and the sum over paths."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["ChannelMixingArrays", "channel_mixing_forward", "channel_mixing_weights"]

ONE, TWO, THREE, FOUR, FIVE = (np.uintp(i) for i in range(1, 6))
BLOCK = np.uintp(64)  # nodes summed into a scratch before that is added to the total


class ChannelMixingArrays(NamedTuple):
    """Paths as the kernels read them.

    Attributes
    ----------
    paths : (n_paths * 5,) uintp
        Rows (2*l + 1, mul, offset in F, offset in the result, offset in W).
    sizes : (3,) uintp
        Lengths of a row of F, of the result and of W.
    """

    paths: Any
    sizes: Any


@kernel(contract=True)
def channel_mixing_forward(out: Any, F: Any, W: Any, kind: Any, first: Any, last: Any, t: Any) -> None:
    """out[n, m, c] += sum over paths p of F[n, p, m, c] W[kind[n], p, c], D1 and D2; all arrays flat."""
    paths, df, do, dw = t.paths, t.sizes[0], t.sizes[1], t.sizes[2]
    for n in range(first, last):
        for p in range(np.uintp(len(paths)) // FIVE):
            q = p * FIVE
            d, mul, f = paths[q], paths[q + ONE], n * df + paths[q + TWO]
            o, w = n * do + paths[q + THREE], kind[n] * dw + paths[q + FOUR]
            for m in range(d):
                for c in range(mul):
                    out[o + m * mul + c] += F[f + m * mul + c] * W[w + c]


@kernel(contract=True)
def channel_mixing_weights(
    W_bar: Any, F: Any, g: Any, order: Any, first: Any, last: Any, t: Any, total: Any, zero: Any
) -> None:
    """W_bar[p, c] += sum over nodes order[first..last-1] and m of F[n, p, m, c] g[n, m, c], D3; one kind.

    Nodes are summed in blocks of `BLOCK` into total, shaped as W_bar, so that the chain of roundings stays short.
    """
    paths, df, do, dw = t.paths, t.sizes[0], t.sizes[1], t.sizes[2]
    for piece in range((last - first + BLOCK - ONE) // BLOCK):
        start = first + piece * BLOCK
        stop = start + min(BLOCK, last - start)
        for c in range(dw):
            total[c] = zero
        for k in range(start, stop):
            n = order[k]
            for p in range(np.uintp(len(paths)) // FIVE):
                q = p * FIVE
                d, mul, f = paths[q], paths[q + ONE], n * df + paths[q + TWO]
                o, w = n * do + paths[q + THREE], paths[q + FOUR]
                for m in range(d):
                    for c in range(mul):
                        total[w + c] += F[f + m * mul + c] * g[o + m * mul + c]
        for c in range(dw):
            W_bar[c] += total[c]
