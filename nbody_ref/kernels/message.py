r"""Loops of `nbody_ref.ops.message`: gather, couple with the edge vector, weight, sum over neighbours, in one pass.

Per edge the coupling is folded into the edge vector once, M[k, i] = sum_j C[i, j, k] Y[j]; what remains is a small
matrix times a panel of contiguous channels. All arrays are flat and all indices unsigned; zero is an argument, so that
every body runs unchanged on Python integers.
Derivation of every line: docs/derivations/message.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["MessageArrays", "message_adjoint", "message_forward"]

ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN = (np.uintp(i) for i in range(1, 8))
COLUMNS = np.uintp(9)  # of the table of paths


class MessageArrays(NamedTuple):
    """The paths and couplings of a message as the kernels read them.

    Attributes
    ----------
    paths : (n_paths * 9,) uintp
        Rows (offset in x, offset in out, offset in w, offset in M, 2*l1 + 1, 2*l + 1, mul, row of terms, 2*l2 + 1).
    fold_at, fold_at_t : (n,) uintp
        Entries of M[k, i] that can differ from zero, and the same entries in the transposed order [i, k].
    fold_j, fold_v : (2 * n,)
        The two terms value * Y[j] of each entry (the second may have value zero).
    term_ptr : (.,) uintp
        First block of four terms for each (coupling, j).
    term_k, term_i, term_v : (4 * blocks,)
        Terms C[i, j, k] sorted by j, each j padded with zeros to whole blocks of four.
    sizes : (4,) uintp
        Lengths of a row of x, Y, w and out.
    """

    paths: Any
    fold_at: Any
    fold_at_t: Any
    fold_j: Any
    fold_v: Any
    term_ptr: Any
    term_k: Any
    term_i: Any
    term_v: Any
    sizes: Any


@kernel(contract=True)
def message_forward(
    out: Any, values: Any, tangents: Any, dots: Any, senders: Any, row_ptr: Any,
    first: Any, last: Any, t: Any, M: Any, M_dot: Any, u: Any,
) -> None:  # fmt: skip
    """Add the messages to receivers first..last-1, or their tangent if any of `dots` is set.

    `values`, `tangents` and `dots` run over (x, Y, w); out (n_receivers * dim_out,); M, M_dot, u are scratch, zero at
    the start.
    """
    dx, dy, dw, do = t.sizes[0], t.sizes[1], t.sizes[2], t.sizes[3]
    x, Y, w = values
    x_dot, Y_dot, w_dot = tangents
    dot_x, dot_Y, dot_w = dots
    tangent = dot_x or dot_Y or dot_w
    n_paths = np.uintp(len(t.paths)) // COLUMNS
    for i in range(first, last):
        for e in range(row_ptr[i], row_ptr[i + ONE]):
            xs, we = senders[e] * dx, e * dw
            _fold(M, t.fold_at, t.fold_j, t.fold_v, Y, e * dy)
            if dot_Y:
                _fold(M_dot, t.fold_at, t.fold_j, t.fold_v, Y_dot, e * dy)
            for p in range(n_paths):
                q = p * COLUMNS
                xo, oo, wo, m = xs + t.paths[q], i * do + t.paths[q + ONE], we + t.paths[q + TWO], t.paths[q + THREE]
                d1, d3, mul = t.paths[q + FOUR], t.paths[q + FIVE], t.paths[q + SIX]
                if dot_w or not tangent:
                    _panel(u, M, m, x, xo, d3, d1, mul, False)
                    if tangent:
                        _add_weighted(out, oo, w_dot, wo, u, d3, mul)
                    else:
                        _add_weighted(out, oo, w, wo, u, d3, mul)
                if dot_Y:
                    _panel(u, M_dot, m, x, xo, d3, d1, mul, False)
                if dot_x:
                    _panel(u, M, m, x_dot, xo, d3, d1, mul, dot_Y)
                if dot_Y or dot_x:
                    _add_weighted(out, oo, w, wo, u, d3, mul)


@kernel(contract=True)
def message_adjoint(
    bars: Any, values: Any, tangents: Any, needs: Any, dots: Any, tangent: Any,
    receivers: Any, t_ptr: Any, t_edge: Any, first: Any, last: Any, t: Any,
    M: Any, M_dot: Any, u: Any, z: Any, P: Any, zero: Any,
) -> None:  # fmt: skip
    """Add the cotangents that senders first..last-1 and their edges receive, or their tangents if `tangent`.

    `bars` and `needs` run over (x, Y, w); `values`, `tangents` and `dots` (which are not zero) over (g, x, Y, w).
    M, M_dot, u, z, P are scratch; M and M_dot zero at the start. An edge has one sender, so that blocks of senders are
    independent.
    """
    dx, dy, dw, do = t.sizes[0], t.sizes[1], t.sizes[2], t.sizes[3]
    x_bar, Y_bar, w_bar = bars
    g, x, Y, w = values
    g_dot, x_dot, Y_dot, w_dot = tangents
    need_x, need_Y, need_w = needs
    dot_g, dot_x, dot_Y, dot_w = dots
    folds = need_x or need_w
    n_paths = np.uintp(len(t.paths)) // COLUMNS
    for s in range(first, last):
        for b in range(t_ptr[s], t_ptr[s + ONE]):
            e = t_edge[b]
            xs, gi, we = s * dx, receivers[e] * do, e * dw
            if folds:
                _fold(M, t.fold_at_t, t.fold_j, t.fold_v, Y, e * dy)
            if folds and dot_Y:
                _fold(M_dot, t.fold_at_t, t.fold_j, t.fold_v, Y_dot, e * dy)
            for c in range(len(P)):
                P[c] = zero
            for p in range(n_paths):
                q = p * COLUMNS
                xo, go, wo, m = xs + t.paths[q], gi + t.paths[q + ONE], we + t.paths[q + TWO], t.paths[q + THREE]
                d1, d3, mul = t.paths[q + FOUR], t.paths[q + FIVE], t.paths[q + SIX]
                row, d2 = t.paths[q + SEVEN], t.paths[q + SEVEN + ONE]
                if folds and (dot_x or dot_w or not tangent):
                    _panel(u, M, m, g, go, d1, d3, mul, False)
                    if tangent:
                        _add_rows(x_bar, w_bar, u, x_dot, w_dot, xo, wo, d1, mul, need_x and dot_w, need_w and dot_x)
                    else:
                        _add_rows(x_bar, w_bar, u, x, w, xo, wo, d1, mul, need_x, need_w)
                if folds and dot_Y:
                    _panel(u, M_dot, m, g, go, d1, d3, mul, False)
                if folds and dot_g:
                    _panel(u, M, m, g_dot, go, d1, d3, mul, dot_Y)
                if folds and (dot_Y or dot_g):
                    _add_rows(x_bar, w_bar, u, x, w, xo, wo, d1, mul, need_x, need_w)
                if need_Y and (dot_g or not tangent):
                    _weigh(z, x, xo, w, wo, d1, mul, False)
                    if tangent:
                        _add_terms(P, g_dot, go, z, t, row, d2, mul)
                    else:
                        _add_terms(P, g, go, z, t, row, d2, mul)
                if need_Y and dot_x:
                    _weigh(z, x_dot, xo, w, wo, d1, mul, False)
                if need_Y and dot_w:
                    _weigh(z, x, xo, w_dot, wo, d1, mul, dot_x)
                if need_Y and (dot_x or dot_w):
                    _add_terms(P, g, go, z, t, row, d2, mul)
            if need_Y:
                _sum_channels(Y_bar, e * dy, P, dy)


@kernel(contract=True)
def _fold(M: Any, at: Any, js: Any, vs: Any, Y: Any, y0: Any) -> None:
    """M[at] = v0 Y[j0] + v1 Y[j1]: the coupling folded into the edge vector, D1."""
    for n in range(np.uintp(len(at))):
        n2 = n * TWO
        M[at[n]] = vs[n2] * Y[y0 + js[n2]] + vs[n2 + ONE] * Y[y0 + js[n2 + ONE]]


@kernel(contract=True)
def _panel(
    u: Any, M: Any, m: Any, x: Any, xo: Any, rows: Any, cols: Any, mul: Any, add: Any
) -> None:  # fmt: skip
    """u[r, c] = sum_s M[r, s] x[s, c], on top of u if `add`; unrolled over s for 2l + 1 = 1, 3, 5, 7."""
    x1, x2, x3, x4, x5, x6 = xo + mul, xo + TWO * mul, xo + THREE * mul, xo + FOUR * mul, xo + FIVE * mul, xo + SIX * mul
    for r in range(rows):
        k, a = m + r * cols, r * mul
        m0 = M[k]
        if add:
            for c in range(mul):
                u[a + c] += m0 * x[xo + c]
        elif cols == ONE:
            for c in range(mul):
                u[a + c] = m0 * x[xo + c]
        elif cols == THREE:
            m1, m2 = M[k + ONE], M[k + TWO]
            for c in range(mul):
                u[a + c] = m0 * x[xo + c] + m1 * x[x1 + c] + m2 * x[x2 + c]
        elif cols == FIVE:
            m1, m2, m3, m4 = M[k + ONE], M[k + TWO], M[k + THREE], M[k + FOUR]
            for c in range(mul):
                low = m0 * x[xo + c] + m1 * x[x1 + c] + m2 * x[x2 + c]
                u[a + c] = low + (m3 * x[x3 + c] + m4 * x[x4 + c])
        else:
            m1, m2, m3, m4, m5, m6 = M[k + ONE], M[k + TWO], M[k + THREE], M[k + FOUR], M[k + FIVE], M[k + SIX]
            for c in range(mul):
                low = m0 * x[xo + c] + m1 * x[x1 + c] + m2 * x[x2 + c] + m3 * x[x3 + c]
                u[a + c] = low + (m4 * x[x4 + c] + m5 * x[x5 + c] + m6 * x[x6 + c])
            for s in range(SEVEN, cols):
                b, f = xo + s * mul, M[k + s]
                for c in range(mul):
                    u[a + c] += f * x[b + c]
        if add:
            for s in range(ONE, cols):
                b, f = xo + s * mul, M[k + s]
                for c in range(mul):
                    u[a + c] += f * x[b + c]


@kernel(contract=True)
def _add_weighted(out: Any, o: Any, w: Any, wo: Any, u: Any, rows: Any, mul: Any) -> None:
    """out[r, c] += w[c] u[r, c]."""
    for r in range(rows):
        a, b = o + r * mul, r * mul
        for c in range(mul):
            out[a + c] += w[wo + c] * u[b + c]


@kernel(contract=True)
def _add_rows(
    x_bar: Any, w_bar: Any, u: Any, x: Any, w: Any, xo: Any, wo: Any, rows: Any, mul: Any, need_x: Any, need_w: Any,
) -> None:  # fmt: skip
    """x_bar[i, c] += w[c] u[i, c] and w_bar[c] += sum_i x[i, c] u[i, c]."""
    for i in range(rows):
        a, b = xo + i * mul, i * mul
        if need_x:
            for c in range(mul):
                x_bar[a + c] += w[wo + c] * u[b + c]
        if need_w:
            for c in range(mul):
                w_bar[wo + c] += x[a + c] * u[b + c]


@kernel(contract=True)
def _weigh(z: Any, x: Any, xo: Any, w: Any, wo: Any, rows: Any, mul: Any, add: Any) -> None:
    """z[i, c] = w[c] x[i, c], on top of z if `add`."""
    for i in range(rows):
        a, b = xo + i * mul, i * mul
        if add:
            for c in range(mul):
                z[b + c] += w[wo + c] * x[a + c]
        else:
            for c in range(mul):
                z[b + c] = w[wo + c] * x[a + c]


@kernel(contract=True)
def _add_terms(P: Any, g: Any, go: Any, z: Any, t: Any, row: Any, d2: Any, mul: Any) -> None:
    """P[j, c] += sum_{k i} C[i, j, k] g[k, c] z[i, c], four terms at a time; `row` numbers (coupling, j)."""
    width = np.uintp(len(P)) // t.sizes[1]
    j0 = (d2 - ONE) // TWO
    for j in range(d2):
        o = (j0 * j0 + j) * width
        for b in range(t.term_ptr[row + j], t.term_ptr[row + j + ONE]):
            n = b * FOUR
            v0, v1, v2, v3 = t.term_v[n], t.term_v[n + ONE], t.term_v[n + TWO], t.term_v[n + THREE]
            g0, z0 = go + t.term_k[n] * mul, t.term_i[n] * mul
            g1, z1 = go + t.term_k[n + ONE] * mul, t.term_i[n + ONE] * mul
            g2, z2 = go + t.term_k[n + TWO] * mul, t.term_i[n + TWO] * mul
            g3, z3 = go + t.term_k[n + THREE] * mul, t.term_i[n + THREE] * mul
            for c in range(mul):
                left = (v0 * g[g0 + c]) * z[z0 + c] + (v1 * g[g1 + c]) * z[z1 + c]
                right = (v2 * g[g2 + c]) * z[z2 + c] + (v3 * g[g3 + c]) * z[z3 + c]
                P[o + c] += left + right


@kernel(contract=True)
def _sum_channels(Y_bar: Any, y0: Any, P: Any, rows: Any) -> None:
    """Y_bar[j] = sum_c P[j, c], by halving: log2 of the channels roundings, every level a vector."""
    width = np.uintp(len(P)) // rows
    for j in range(rows):
        o, n = j * width, width
        while n > ONE:
            half = (n + ONE) // TWO
            for c in range(n - half):
                P[o + c] += P[o + half + c]
            n = half
        Y_bar[y0 + j] += P[o]
