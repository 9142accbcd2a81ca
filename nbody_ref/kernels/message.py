r"""Loops of `nbody_ref.ops.message`, forward: gather, couple with the edge vector, weight, sum, in one pass.

Per edge the coupling is folded into the edge vector once, M[k, i] = sum_j C[i, j, k] Y[j]; what remains is a small
matrix times a panel of contiguous channels. Rows of the result are made four at a time, whatever path they belong to,
in a panel of at most 32 channels whose rows lie a fixed distance apart, so that the compiler sees that they are
different. All arrays are flat and all indices unsigned; zero is an argument, so that every body runs unchanged on
Python integers. Derivation of every line: docs/derivations/message.md. Adjoint: `nbody_ref.kernels.message_adjoint`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["MessageArrays", "message_forward"]

ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT, NINE, TEN, ELEVEN, TWELVE = (np.uintp(i) for i in range(13))
PANEL, PANEL2, PANEL3 = (np.uintp(32 * i) for i in range(1, 4))
ROW_COLUMNS = np.uintp(13)  # of the table of rows


class MessageArrays(NamedTuple):
    """The paths and couplings of a message as the kernels read them.

    Channels come in chunks of at most 32; a row of a panel has room for one chunk.

    Attributes
    ----------
    fold_at, fold_at_t : (n,) uintp
        For each term value * Y[j] its entry of M[k, i], and of the transposed M[i, k]; first the terms that come first
        at their entry, then the rest. The first entries of M stay zero.
    fold_j : (n,) uintp
    fold_v : (n,)
    rows : (n_blocks * 13,) uintp
        Four rows of the result each: rows (values of i, offset in x, channels of the part, of the chunk, offset in the
        panel, four offsets in w, four in M), by the number of values of i. Rows missing to four point to zeros of M.
    row_ends : (4,) uintp
        Number of blocks with at most 1, 3, 5, 7 values of i.
    out_rows : (n_rows * 3,) uintp
        Where rows of the panel go: rows (offset in the panel, in out, channels).
    pulls : (n_blocks * 9,) uintp
        One or three rows of x_bar each: rows (length of a row of the transposed M, offset in x, channels of the part,
        of the chunk, offset in the panel of x_bar, in w, in g, in M, in z), by numbers of rows and of values of k.
    pull_ends : (8,) uintp
        Ends of the blocks of 1 row and 1, 3, 5, 7 values of k, then of 3 rows.
    x_rows : (n_rows * 3,) uintp
        As `out_rows`, for x_bar.
    terms : (blocks * 10,) uintp
        Four terms C[i, j, k] of one j: rows (offset in P, channels, four offsets in out, four in z).
    term_v : (4 * blocks,)
        Their values, padded with zeros.
    weighed : (n_rows * 4,) uintp
        Rows of z = w x: rows (offset in z, in x, in w, channels).
    sizes : (10,) uintp
        Lengths of a row of x, Y, w and out; terms that come first in a fold; lengths of M, of the panels of out and of
        x_bar, of z, and the longest chunk.
    """

    fold_at: Any
    fold_at_t: Any
    fold_j: Any
    fold_v: Any
    rows: Any
    row_ends: Any
    out_rows: Any
    pulls: Any
    pull_ends: Any
    x_rows: Any
    terms: Any
    term_v: Any
    weighed: Any
    sizes: Any


@kernel(contract=True)
def message_forward(
    out: Any,
    values: Any,
    tangents: Any,
    dots: Any,
    senders: Any,
    row_ptr: Any,
    first: Any,
    last: Any,
    t: Any,
    scratch: Any,
    zero: Any,
) -> None:
    """Write the messages to receivers first..last-1, or their tangent if any of `dots` is set.

    `values`, `tangents` and `dots` run over (x, Y, w); out (n_receivers * dim_out,). Scratch is (M, M_dot, acc), the
    first two zero at the start.
    """
    x, Y, w = values
    x_dot, Y_dot, w_dot = tangents
    dot_x, dot_Y, dot_w = dots
    M, M_dot, acc = scratch
    dx, dy, dw, do = t.sizes[0], t.sizes[1], t.sizes[2], t.sizes[3]
    at, js, vs, single, rows, ends = t.fold_at, t.fold_j, t.fold_v, t.sizes[4], t.rows, t.row_ends
    plain = not (dot_x or dot_Y or dot_w)
    for i in range(first, last):
        for c in range(np.uintp(len(acc))):
            acc[c] = zero
        for e in range(row_ptr[i], row_ptr[i + ONE]):
            xs, we = senders[e] * dx, e * dw
            _fold(M, at, js, vs, Y, e * dy, single)
            if dot_Y:
                _fold(M_dot, at, js, vs, Y_dot, e * dy, single)
            if plain:
                _couple(acc, w, we, M, x, xs, rows, ends)
            if dot_w:
                _couple(acc, w_dot, we, M, x, xs, rows, ends)
            if dot_Y:
                _couple(acc, w, we, M_dot, x, xs, rows, ends)
            if dot_x:
                _couple(acc, w, we, M, x_dot, xs, rows, ends)
        _copy_rows(out, i * do, acc, t.out_rows)


@kernel(contract=True, distinct=True)
def _fold(M: Any, at: Any, js: Any, vs: Any, Y: Any, y0: Any, single: Any) -> None:
    """M[at] = sum_j v Y[j]: the coupling folded into the edge vector, D1; only the first terms overwrite."""
    for n in range(single):
        M[at[n]] = vs[n] * Y[y0 + js[n]]
    for n in range(single, np.uintp(len(at))):
        M[at[n]] += vs[n] * Y[y0 + js[n]]


@kernel(contract=True)
def _couple(acc: Any, w: Any, we: Any, M: Any, x: Any, xs: Any, rows: Any, ends: Any) -> None:
    """acc[p, k, c] += w[p, c] sum_i M[p, k, i] x[p, i, c] along all paths, D2."""
    a, b, c, d = ends[0], ends[1], ends[2], ends[3]
    if a > ZERO:
        _rows1(acc, w, we, M, x, xs, rows, ZERO, a)
    if b > a:
        _rows3(acc, w, we, M, x, xs, rows, a, b)
    if c > b:
        _rows5(acc, w, we, M, x, xs, rows, b, c)
    if d > c:
        _rows7(acc, w, we, M, x, xs, rows, c, d)


@kernel(distinct=True)
def _copy_rows(out: Any, o: Any, acc: Any, places: Any) -> None:
    """Rows of a panel to their places."""
    for n in range(np.uintp(len(places)) // THREE):
        q = n * THREE
        a, b = places[q], o + places[q + ONE]
        for c in range(places[q + TWO]):
            out[b + c] = acc[a + c]


# ---------------- written by tests/kernels/write_unrolled.py: rows ----------------


@kernel(contract=True, distinct=True)
def _rows1(acc: Any, w: Any, we: Any, M: Any, x: Any, xs: Any, rows: Any, first: Any, last: Any) -> None:
    """Four rows of acc += w sum_i M[k, i] x[i] over 1 value of i, D2."""
    for b in range(first, last):
        q = b * ROW_COLUMNS
        x0, width, o = xs + rows[q + ONE], rows[q + THREE], rows[q + FOUR]
        w0, w1 = we + rows[q + FIVE], we + rows[q + SIX]
        w2, w3 = we + rows[q + SEVEN], we + rows[q + EIGHT]
        k0, k1, k2, k3 = rows[q + NINE], rows[q + TEN], rows[q + ELEVEN], rows[q + TWELVE]
        a0 = M[k0]
        b0 = M[k1]
        c0 = M[k2]
        d0 = M[k3]
        for v in range(width):
            y0 = x[x0 + v]
            acc[o + v] += w[w0 + v] * (a0 * y0)
            acc[o + v + PANEL] += w[w1 + v] * (b0 * y0)
            acc[o + v + PANEL2] += w[w2 + v] * (c0 * y0)
            acc[o + v + PANEL3] += w[w3 + v] * (d0 * y0)


@kernel(contract=True, distinct=True)
def _rows3(acc: Any, w: Any, we: Any, M: Any, x: Any, xs: Any, rows: Any, first: Any, last: Any) -> None:
    """Four rows of acc += w sum_i M[k, i] x[i] over 3 values of i, D2."""
    for b in range(first, last):
        q = b * ROW_COLUMNS
        x0, mul, width, o = xs + rows[q + ONE], rows[q + TWO], rows[q + THREE], rows[q + FOUR]
        w0, w1 = we + rows[q + FIVE], we + rows[q + SIX]
        w2, w3 = we + rows[q + SEVEN], we + rows[q + EIGHT]
        k0, k1, k2, k3 = rows[q + NINE], rows[q + TEN], rows[q + ELEVEN], rows[q + TWELVE]
        a0, a1, a2 = M[k0], M[k0 + ONE], M[k0 + TWO]
        b0, b1, b2 = M[k1], M[k1 + ONE], M[k1 + TWO]
        c0, c1, c2 = M[k2], M[k2 + ONE], M[k2 + TWO]
        d0, d1, d2 = M[k3], M[k3 + ONE], M[k3 + TWO]
        x1, x2 = x0 + mul, x0 + TWO * mul
        for v in range(width):
            y0, y1, y2 = x[x0 + v], x[x1 + v], x[x2 + v]
            acc[o + v] += w[w0 + v] * (a0 * y0 + a1 * y1 + a2 * y2)
            acc[o + v + PANEL] += w[w1 + v] * (b0 * y0 + b1 * y1 + b2 * y2)
            acc[o + v + PANEL2] += w[w2 + v] * (c0 * y0 + c1 * y1 + c2 * y2)
            acc[o + v + PANEL3] += w[w3 + v] * (d0 * y0 + d1 * y1 + d2 * y2)


@kernel(contract=True, distinct=True)
def _rows5(acc: Any, w: Any, we: Any, M: Any, x: Any, xs: Any, rows: Any, first: Any, last: Any) -> None:
    """Four rows of acc += w sum_i M[k, i] x[i] over 5 values of i, D2."""
    for b in range(first, last):
        q = b * ROW_COLUMNS
        x0, mul, width, o = xs + rows[q + ONE], rows[q + TWO], rows[q + THREE], rows[q + FOUR]
        w0, w1 = we + rows[q + FIVE], we + rows[q + SIX]
        w2, w3 = we + rows[q + SEVEN], we + rows[q + EIGHT]
        k0, k1, k2, k3 = rows[q + NINE], rows[q + TEN], rows[q + ELEVEN], rows[q + TWELVE]
        a0, a1, a2, a3, a4 = M[k0], M[k0 + ONE], M[k0 + TWO], M[k0 + THREE], M[k0 + FOUR]
        b0, b1, b2, b3, b4 = M[k1], M[k1 + ONE], M[k1 + TWO], M[k1 + THREE], M[k1 + FOUR]
        c0, c1, c2, c3, c4 = M[k2], M[k2 + ONE], M[k2 + TWO], M[k2 + THREE], M[k2 + FOUR]
        d0, d1, d2, d3, d4 = M[k3], M[k3 + ONE], M[k3 + TWO], M[k3 + THREE], M[k3 + FOUR]
        x1, x2, x3 = x0 + mul, x0 + TWO * mul, x0 + THREE * mul
        x4 = x0 + FOUR * mul
        for v in range(width):
            y0, y1, y2, y3, y4 = x[x0 + v], x[x1 + v], x[x2 + v], x[x3 + v], x[x4 + v]
            acc[o + v] += w[w0 + v] * (a0 * y0 + a1 * y1 + a2 * y2 + a3 * y3 + a4 * y4)
            acc[o + v + PANEL] += w[w1 + v] * (b0 * y0 + b1 * y1 + b2 * y2 + b3 * y3 + b4 * y4)
            acc[o + v + PANEL2] += w[w2 + v] * (c0 * y0 + c1 * y1 + c2 * y2 + c3 * y3 + c4 * y4)
            acc[o + v + PANEL3] += w[w3 + v] * (d0 * y0 + d1 * y1 + d2 * y2 + d3 * y3 + d4 * y4)


@kernel(contract=True, distinct=True)
def _rows7(acc: Any, w: Any, we: Any, M: Any, x: Any, xs: Any, rows: Any, first: Any, last: Any) -> None:
    """Four rows of acc += w sum_i M[k, i] x[i] over 7 values of i, D2."""
    for b in range(first, last):
        q = b * ROW_COLUMNS
        x0, mul, width, o = xs + rows[q + ONE], rows[q + TWO], rows[q + THREE], rows[q + FOUR]
        w0, w1 = we + rows[q + FIVE], we + rows[q + SIX]
        w2, w3 = we + rows[q + SEVEN], we + rows[q + EIGHT]
        k, l, m, n = rows[q + NINE], rows[q + TEN], rows[q + ELEVEN], rows[q + TWELVE]
        a0, a1, a2, a3, a4, a5, a6 = M[k], M[k + ONE], M[k + TWO], M[k + THREE], M[k + FOUR], M[k + FIVE], M[k + SIX]
        b0, b1, b2, b3, b4, b5, b6 = M[l], M[l + ONE], M[l + TWO], M[l + THREE], M[l + FOUR], M[l + FIVE], M[l + SIX]
        c0, c1, c2, c3, c4, c5, c6 = M[m], M[m + ONE], M[m + TWO], M[m + THREE], M[m + FOUR], M[m + FIVE], M[m + SIX]
        d0, d1, d2, d3, d4, d5, d6 = M[n], M[n + ONE], M[n + TWO], M[n + THREE], M[n + FOUR], M[n + FIVE], M[n + SIX]
        x1, x2, x3 = x0 + mul, x0 + TWO * mul, x0 + THREE * mul
        x4, x5, x6 = x0 + FOUR * mul, x0 + FIVE * mul, x0 + SIX * mul
        for v in range(width):
            y0, y1, y2, y3, y4, y5, y6 = x[x0 + v], x[x1 + v], x[x2 + v], x[x3 + v], x[x4 + v], x[x5 + v], x[x6 + v]
            acc[o + v] += w[w0 + v] * (a0 * y0 + a1 * y1 + a2 * y2 + a3 * y3 + a4 * y4 + a5 * y5 + a6 * y6)
            acc[o + v + PANEL] += w[w1 + v] * (b0 * y0 + b1 * y1 + b2 * y2 + b3 * y3 + b4 * y4 + b5 * y5 + b6 * y6)
            acc[o + v + PANEL2] += w[w2 + v] * (c0 * y0 + c1 * y1 + c2 * y2 + c3 * y3 + c4 * y4 + c5 * y5 + c6 * y6)
            acc[o + v + PANEL3] += w[w3 + v] * (d0 * y0 + d1 * y1 + d2 * y2 + d3 * y3 + d4 * y4 + d5 * y5 + d6 * y6)


# ---------------- end of what is written ----------------
