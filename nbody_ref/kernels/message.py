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

ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN = (np.uintp(i) for i in range(8))
COLUMNS, TERM_COLUMNS = SEVEN, SIX  # of the tables of paths and terms


class MessageArrays(NamedTuple):
    """The paths and couplings of a message as the kernels read them.

    Attributes
    ----------
    paths : (n_paths * 7,) uintp
        Rows (offset in x, offset in out, offset in w, offset in M, 2*l1 + 1, 2*l + 1, mul).
    fold_at, fold_at_t : (n,) uintp
        Entries of M[k, i] that can differ from zero, and the same entries in the transposed order [i, k].
    fold_j, fold_v : (2 * n,)
        The two terms value * Y[j] of each entry (the second may have value zero).
    terms : (blocks * 6,) uintp
        Pairs of terms C[i, j, k] of one j: rows (offset in P, mul, two offsets in out, two in z).
    term_v : (2 * blocks,)
        Their values; an odd number of terms is padded with a zero.
    sizes : (4,) uintp
        Lengths of a row of x, Y, w and out.
    """

    paths: Any
    fold_at: Any
    fold_at_t: Any
    fold_j: Any
    fold_v: Any
    terms: Any
    term_v: Any
    sizes: Any


@kernel(contract=True)
def message_forward(
    out: Any, values: Any, tangents: Any, dots: Any, senders: Any, row_ptr: Any, first: Any, last: Any, t: Any,
    M: Any, M_dot: Any,
) -> None:  # fmt: skip
    """Add the messages to receivers first..last-1, or their tangent if any of `dots` is set.

    `values`, `tangents` and `dots` run over (x, Y, w); out (n_receivers * dim_out,); M, M_dot are scratch, zero at the
    start.
    """
    x, Y, w = values
    x_dot, Y_dot, w_dot = tangents
    dot_x, dot_Y, dot_w = dots
    paths, fold_at, fold_j, fold_v = t.paths, t.fold_at, t.fold_j, t.fold_v
    dx, dy, dw, do = t.sizes[0], t.sizes[1], t.sizes[2], t.sizes[3]
    plain = not (dot_x or dot_Y or dot_w)
    for i in range(first, last):
        for e in range(row_ptr[i], row_ptr[i + ONE]):
            xs, oi, we = senders[e] * dx, i * do, e * dw
            _fold(M, fold_at, fold_j, fold_v, Y, e * dy)
            if dot_Y:
                _fold(M_dot, fold_at, fold_j, fold_v, Y_dot, e * dy)
            if plain:
                _couple(out, oi, w, we, M, x, xs, paths)
            if dot_w:
                _couple(out, oi, w_dot, we, M, x, xs, paths)
            if dot_Y:
                _couple(out, oi, w, we, M_dot, x, xs, paths)
            if dot_x:
                _couple(out, oi, w, we, M, x_dot, xs, paths)


@kernel(contract=True)
def message_adjoint(
    bars: Any, sink: Any, values: Any, tangents: Any, needs: Any, dots: Any, tangent: Any,
    receivers: Any, t_ptr: Any, t_edge: Any, first: Any, last: Any, t: Any,
    M: Any, M_dot: Any, z: Any, P: Any, zero: Any,
) -> None:  # fmt: skip
    """Add the cotangents that senders first..last-1 and their edges receive, or their tangents if `tangent`.

    `bars` and `needs` run over (x, Y, w); `values`, `tangents` and `dots` (which are not zero) over (g, x, Y, w).
    M, M_dot, z, P are scratch, M and M_dot zero at the start; what is not wanted goes to `sink`, a row as long as one
    of x or w. An edge has one sender, so that blocks of senders are independent.
    """
    x_bar, Y_bar, w_bar = bars
    g, x, Y, w = values
    g_dot, x_dot, Y_dot, w_dot = tangents
    need_x, need_Y, need_w = needs
    dot_g, dot_x, dot_Y, dot_w = dots
    paths, fold_at, fold_j, fold_v = t.paths, t.fold_at_t, t.fold_j, t.fold_v
    terms, term_v = t.terms, t.term_v
    dx, dy, dw, do = t.sizes[0], t.sizes[1], t.sizes[2], t.sizes[3]
    width = np.uintp(len(P)) // dy
    to_x, to_w = x_bar if need_x else sink, w_bar if need_w else sink
    also_x, also_w = x_bar if need_x and dot_w else sink, w_bar if need_w and dot_x else sink
    sx, sw = dx if need_x else ZERO, dw if need_w else ZERO
    ax, aw = dx if need_x and dot_w else ZERO, dw if need_w and dot_x else ZERO
    values_move = need_x or need_w
    dots_move = (need_x and dot_w) or (need_w and dot_x)
    for s in range(first, last):
        for b in range(t_ptr[s], t_ptr[s + ONE]):
            e = t_edge[b]
            xs, ge, we = s * dx, receivers[e] * do, e * dw
            if values_move:
                _fold(M, fold_at, fold_j, fold_v, Y, e * dy)
            if values_move and dot_Y:
                _fold(M_dot, fold_at, fold_j, fold_v, Y_dot, e * dy)
            if values_move and not tangent:
                _couple_adjoint(to_x, s * sx, to_w, e * sw, x, xs, w, we, M, g, ge, paths)  # D3, D4
            if values_move and dot_Y:
                _couple_adjoint(to_x, s * sx, to_w, e * sw, x, xs, w, we, M_dot, g, ge, paths)  # D6
            if values_move and dot_g:
                _couple_adjoint(to_x, s * sx, to_w, e * sw, x, xs, w, we, M, g_dot, ge, paths)  # D6
            if dots_move:
                _couple_adjoint(also_x, s * ax, also_w, e * aw, x_dot, xs, w_dot, we, M, g, ge, paths)  # D6
            if need_Y:
                for c in range(np.uintp(len(P))):
                    P[c] = zero
                if not tangent:
                    _weigh(z, x, xs, w, we, paths, False)
                    _add_terms(P, g, ge, z, terms, term_v)  # D5
                if dot_g:
                    _weigh(z, x, xs, w, we, paths, False)
                    _add_terms(P, g_dot, ge, z, terms, term_v)  # D6
                if dot_x:
                    _weigh(z, x_dot, xs, w, we, paths, False)
                if dot_w:
                    _weigh(z, x, xs, w_dot, we, paths, dot_x)
                if dot_x or dot_w:
                    _add_terms(P, g, ge, z, terms, term_v)  # D6
                _sum_channels(Y_bar, e * dy, P, width, dy, zero)


@kernel(contract=True)
def _fold(M: Any, at: Any, js: Any, vs: Any, Y: Any, y0: Any) -> None:
    """M[at] = v0 Y[j0] + v1 Y[j1]: the coupling folded into the edge vector, D1."""
    for n in range(np.uintp(len(at))):
        n2 = n * TWO
        M[at[n]] = vs[n2] * Y[y0 + js[n2]] + vs[n2 + ONE] * Y[y0 + js[n2 + ONE]]


@kernel(contract=True)
def _couple(out: Any, oi: Any, w: Any, we: Any, M: Any, x: Any, xs: Any, paths: Any) -> None:
    """out[p, k, c] += w[p, c] sum_i M[p, k, i] x[p, i, c] along all paths, the sum in pieces of 7, 5, 3, 1, D2."""
    for p in range(np.uintp(len(paths)) // COLUMNS):
        q = p * COLUMNS
        xo, o, wo, m = xs + paths[q], oi + paths[q + ONE], we + paths[q + TWO], paths[q + THREE]
        cols, rows, mul = paths[q + FOUR], paths[q + FIVE], paths[q + SIX]
        left = cols
        while left >= SEVEN:
            _couple7(out, o, w, wo, M, m + (cols - left), cols, x, xo + (cols - left) * mul, rows, mul)
            left = left - SEVEN
        if left >= FIVE:
            _couple5(out, o, w, wo, M, m + (cols - left), cols, x, xo + (cols - left) * mul, rows, mul)
            left = left - FIVE
        if left >= THREE:
            _couple3(out, o, w, wo, M, m + (cols - left), cols, x, xo + (cols - left) * mul, rows, mul)
            left = left - THREE
        while left >= ONE:
            _couple1(out, o, w, wo, M, m + (cols - left), cols, x, xo + (cols - left) * mul, rows, mul)
            left = left - ONE


@kernel(contract=True)
def _couple_adjoint(
    x_bar: Any, xb: Any, w_bar: Any, wb: Any, x: Any, xs: Any, w: Any, we: Any, M: Any, g: Any, ge: Any, paths: Any
) -> None:  # fmt: skip
    """x_bar += w (M^T g) and w_bar += x (M^T g) along all paths, D3 and D4; M is stored as [i, k]."""
    for p in range(np.uintp(len(paths)) // COLUMNS):
        q = p * COLUMNS
        b, v, m = xb + paths[q], wb + paths[q + TWO], paths[q + THREE]
        xo, go, wo = xs + paths[q], ge + paths[q + ONE], we + paths[q + TWO]
        rows, cols, mul = paths[q + FOUR], paths[q + FIVE], paths[q + SIX]
        left = cols
        while left >= SEVEN:
            k, n = m + (cols - left), go + (cols - left) * mul
            _adjoint7(x_bar, b, w_bar, v, x, xo, w, wo, M, k, cols, g, n, rows, mul)
            left = left - SEVEN
        if left >= FIVE:
            k, n = m + (cols - left), go + (cols - left) * mul
            _adjoint5(x_bar, b, w_bar, v, x, xo, w, wo, M, k, cols, g, n, rows, mul)
            left = left - FIVE
        if left >= THREE:
            k, n = m + (cols - left), go + (cols - left) * mul
            _adjoint3(x_bar, b, w_bar, v, x, xo, w, wo, M, k, cols, g, n, rows, mul)
            left = left - THREE
        while left >= ONE:
            k, n = m + (cols - left), go + (cols - left) * mul
            _adjoint1(x_bar, b, w_bar, v, x, xo, w, wo, M, k, cols, g, n, rows, mul)
            left = left - ONE


@kernel(contract=True)
def _couple1(
    out: Any, o: Any, w: Any, wo: Any, M: Any, m: Any, step: Any, x: Any, xo: Any, rows: Any, mul: Any
) -> None:  # fmt: skip
    """out[k, c] += w[c] sum_i M[k, i] x[i, c] over 1 value of i, D2."""
    for r in range(rows):
        q, a = m + r * step, o + r * mul
        m0 = M[q]
        for c in range(mul):
            out[a + c] += w[wo + c] * (m0 * x[xo + c])


@kernel(contract=True)
def _couple3(
    out: Any, o: Any, w: Any, wo: Any, M: Any, m: Any, step: Any, x: Any, xo: Any, rows: Any, mul: Any
) -> None:  # fmt: skip
    """out[k, c] += w[c] sum_i M[k, i] x[i, c] over 3 values of i, D2."""
    x1, x2 = xo + mul, xo + TWO * mul
    for r in range(rows):
        q, a = m + r * step, o + r * mul
        m0, m1, m2 = M[q], M[q + ONE], M[q + TWO]
        for c in range(mul):
            out[a + c] += w[wo + c] * (m0 * x[xo + c] + m1 * x[x1 + c] + m2 * x[x2 + c])


@kernel(contract=True)
def _couple5(
    out: Any, o: Any, w: Any, wo: Any, M: Any, m: Any, step: Any, x: Any, xo: Any, rows: Any, mul: Any
) -> None:  # fmt: skip
    """out[k, c] += w[c] sum_i M[k, i] x[i, c] over 5 values of i, D2."""
    x1, x2, x3, x4 = xo + mul, xo + TWO * mul, xo + THREE * mul, xo + FOUR * mul
    for r in range(rows):
        q, a = m + r * step, o + r * mul
        m0, m1, m2, m3, m4 = M[q], M[q + ONE], M[q + TWO], M[q + THREE], M[q + FOUR]
        for c in range(mul):
            low = m0 * x[xo + c] + m1 * x[x1 + c] + m2 * x[x2 + c]
            out[a + c] += w[wo + c] * (low + (m3 * x[x3 + c] + m4 * x[x4 + c]))


@kernel(contract=True)
def _couple7(
    out: Any, o: Any, w: Any, wo: Any, M: Any, m: Any, step: Any, x: Any, xo: Any, rows: Any, mul: Any
) -> None:  # fmt: skip
    """out[k, c] += w[c] sum_i M[k, i] x[i, c] over 7 values of i, D2."""
    x1, x2, x3 = xo + mul, xo + TWO * mul, xo + THREE * mul
    x4, x5, x6 = xo + FOUR * mul, xo + FIVE * mul, xo + SIX * mul
    for r in range(rows):
        q, a = m + r * step, o + r * mul
        m0, m1, m2, m3, m4, m5, m6 = M[q], M[q + ONE], M[q + TWO], M[q + THREE], M[q + FOUR], M[q + FIVE], M[q + SIX]
        for c in range(mul):
            low = m0 * x[xo + c] + m1 * x[x1 + c] + m2 * x[x2 + c] + m3 * x[x3 + c]
            out[a + c] += w[wo + c] * (low + (m4 * x[x4 + c] + m5 * x[x5 + c] + m6 * x[x6 + c]))


@kernel(contract=True)
def _adjoint1(
    x_bar: Any, xb: Any, w_bar: Any, v: Any, x: Any, xo: Any, w: Any, wo: Any,
    M: Any, m: Any, step: Any, g: Any, go: Any, rows: Any, mul: Any,
) -> None:  # fmt: skip
    """u[i, c] = sum_k M[i, k] g[k, c] over 1 value of k; x_bar += w u, w_bar += x u, D3 and D4."""
    for r in range(rows):
        q, a, b = m + r * step, xo + r * mul, xb + r * mul
        m0 = M[q]
        for c in range(mul):
            u = m0 * g[go + c]
            x_bar[b + c] += w[wo + c] * u
            w_bar[v + c] += x[a + c] * u


@kernel(contract=True)
def _adjoint3(
    x_bar: Any, xb: Any, w_bar: Any, v: Any, x: Any, xo: Any, w: Any, wo: Any,
    M: Any, m: Any, step: Any, g: Any, go: Any, rows: Any, mul: Any,
) -> None:  # fmt: skip
    """u[i, c] = sum_k M[i, k] g[k, c] over 3 values of k; x_bar += w u, w_bar += x u, D3 and D4."""
    g1, g2 = go + mul, go + TWO * mul
    for r in range(rows):
        q, a, b = m + r * step, xo + r * mul, xb + r * mul
        m0, m1, m2 = M[q], M[q + ONE], M[q + TWO]
        for c in range(mul):
            u = m0 * g[go + c] + m1 * g[g1 + c] + m2 * g[g2 + c]
            x_bar[b + c] += w[wo + c] * u
            w_bar[v + c] += x[a + c] * u


@kernel(contract=True)
def _adjoint5(
    x_bar: Any, xb: Any, w_bar: Any, v: Any, x: Any, xo: Any, w: Any, wo: Any,
    M: Any, m: Any, step: Any, g: Any, go: Any, rows: Any, mul: Any,
) -> None:  # fmt: skip
    """u[i, c] = sum_k M[i, k] g[k, c] over 5 values of k; x_bar += w u, w_bar += x u, D3 and D4."""
    g1, g2, g3, g4 = go + mul, go + TWO * mul, go + THREE * mul, go + FOUR * mul
    for r in range(rows):
        q, a, b = m + r * step, xo + r * mul, xb + r * mul
        m0, m1, m2, m3, m4 = M[q], M[q + ONE], M[q + TWO], M[q + THREE], M[q + FOUR]
        for c in range(mul):
            low = m0 * g[go + c] + m1 * g[g1 + c] + m2 * g[g2 + c]
            u = low + (m3 * g[g3 + c] + m4 * g[g4 + c])
            x_bar[b + c] += w[wo + c] * u
            w_bar[v + c] += x[a + c] * u


@kernel(contract=True)
def _adjoint7(
    x_bar: Any, xb: Any, w_bar: Any, v: Any, x: Any, xo: Any, w: Any, wo: Any,
    M: Any, m: Any, step: Any, g: Any, go: Any, rows: Any, mul: Any,
) -> None:  # fmt: skip
    """u[i, c] = sum_k M[i, k] g[k, c] over 7 values of k; x_bar += w u, w_bar += x u, D3 and D4."""
    g1, g2, g3 = go + mul, go + TWO * mul, go + THREE * mul
    g4, g5, g6 = go + FOUR * mul, go + FIVE * mul, go + SIX * mul
    for r in range(rows):
        q, a, b = m + r * step, xo + r * mul, xb + r * mul
        m0, m1, m2, m3, m4, m5, m6 = M[q], M[q + ONE], M[q + TWO], M[q + THREE], M[q + FOUR], M[q + FIVE], M[q + SIX]
        for c in range(mul):
            low = m0 * g[go + c] + m1 * g[g1 + c] + m2 * g[g2 + c] + m3 * g[g3 + c]
            u = low + (m4 * g[g4 + c] + m5 * g[g5 + c] + m6 * g[g6 + c])
            x_bar[b + c] += w[wo + c] * u
            w_bar[v + c] += x[a + c] * u


@kernel(contract=True)
def _weigh(z: Any, x: Any, xs: Any, w: Any, we: Any, paths: Any, add: Any) -> None:
    """z[p, i, c] = w[p, c] x[p, i, c] along all paths, on top of z if `add`, D5."""
    a = ZERO
    for p in range(np.uintp(len(paths)) // COLUMNS):
        q = p * COLUMNS
        xo, wo, mul = xs + paths[q], we + paths[q + TWO], paths[q + SIX]
        for _ in range(paths[q + FOUR]):
            if add:
                for c in range(mul):
                    z[a + c] += w[wo + c] * x[xo + c]
            else:
                for c in range(mul):
                    z[a + c] = w[wo + c] * x[xo + c]
            a, xo = a + mul, xo + mul


@kernel(contract=True)
def _add_terms(P: Any, g: Any, ge: Any, z: Any, terms: Any, values: Any) -> None:
    """P[j, c] += sum_{p k i} C[i, j, k] g[p, k, c] z[p, i, c], two terms at a time, D5."""
    for n in range(np.uintp(len(terms)) // TERM_COLUMNS):
        q, v = n * TERM_COLUMNS, n * TWO
        o, mul, z0, z1 = terms[q], terms[q + ONE], terms[q + FOUR], terms[q + FIVE]
        g0, g1 = ge + terms[q + TWO], ge + terms[q + THREE]
        v0, v1 = values[v], values[v + ONE]
        for c in range(mul):
            P[o + c] += (v0 * g[g0 + c]) * z[z0 + c] + (v1 * g[g1 + c]) * z[z1 + c]


@kernel(contract=True)
def _sum_channels(Y_bar: Any, y0: Any, P: Any, width: Any, rows: Any, zero: Any) -> None:
    """Y_bar[j] += sum_c P[j, c] in four interleaved sums, D5: width/4 + 3 roundings."""
    for j in range(rows):
        o = j * width
        s0, s1, s2, s3 = zero, zero, zero, zero
        for b in range(width // FOUR):
            c = o + b * FOUR
            s0, s1, s2, s3 = s0 + P[c], s1 + P[c + ONE], s2 + P[c + TWO], s3 + P[c + THREE]
        for c in range(o + width // FOUR * FOUR, o + width):
            s0 = s0 + P[c]
        Y_bar[y0 + j] += (s0 + s1) + (s2 + s3)
