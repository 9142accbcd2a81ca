r"""Loops of `nbody_ref.ops.message`, adjoint: cotangents of senders, edges and weights in one walk along the senders.

Tables and panels are those of `nbody_ref.kernels.message`. Derivation of every line: docs/derivations/message.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["message_adjoint"]

ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT, NINE, TEN = (np.uintp(i) for i in range(11))
PANEL, PANEL2 = np.uintp(32), np.uintp(64)
PULL_COLUMNS, TERM_COLUMNS = NINE, TEN  # of the tables


@kernel(contract=True)
def message_adjoint(
    bars: Any, values: Any, tangents: Any, needs: Any, dots: Any, tangent: Any,
    receivers: Any, t_ptr: Any, t_edge: Any, first: Any, last: Any, t: Any, scratch: Any, zero: Any,
) -> None:  # fmt: skip
    """Write the cotangents that senders first..last-1 and their edges receive, or their tangents if `tangent`.

    `bars` and `needs` run over (x, Y, w); `values`, `tangents` and `dots` (which are not zero) over (g, x, Y, w).
    Scratch is (M, M_dot, P, z, z_sink, acc, acc_sink, w_sink), M and M_dot zero at the start; the sinks take what is
    not wanted. An edge has one sender, so that blocks of senders are independent.
    """
    x_bar, Y_bar, w_bar = bars
    g, x, Y, w = values
    g_dot, x_dot, Y_dot, w_dot = tangents
    need_x, need_Y, need_w = needs
    dot_g, dot_x, dot_Y, dot_w = dots
    M, M_dot, P, z, z_sink, acc, acc_sink, w_sink = scratch
    at, js, vs, single = t.fold_at_t, t.fold_j, t.fold_v, t.sizes[4]
    pulls, ends, terms, term_v, weighed = t.pulls, t.pull_ends, t.terms, t.term_v, t.weighed
    dx, dy, dw, do, width = t.sizes[0], t.sizes[1], t.sizes[2], t.sizes[3], t.sizes[9]
    to_w, sw = (w_bar, dw) if need_w else (w_sink, ZERO)
    also_w, aw = (w_bar, dw) if need_w and dot_x else (w_sink, ZERO)
    also_x = acc if dot_w else acc_sink
    values_move = need_x or need_w
    dots_move = (need_x and dot_w) or (need_w and dot_x)
    for s in range(first, last):
        xs = s * dx
        for c in range(np.uintp(len(acc))):
            acc[c] = zero
        for b in range(t_ptr[s], t_ptr[s + ONE]):
            e = t_edge[b]
            ge, we, ey = receivers[e] * do, e * dw, e * dy
            for c in range(dw):
                to_w[e * sw + c] = zero
            for c in range(np.uintp(len(P))):
                P[c] = zero
            if values_move:
                _fold(M, at, js, vs, Y, ey, single)
            if values_move and dot_Y:
                _fold(M_dot, at, js, vs, Y_dot, ey, single)
            if values_move and not tangent:
                _pull(acc, to_w, e * sw, z, x, xs, w, we, M, g, ge, pulls, ends)  # D3, D4
            if values_move and dot_Y:
                _pull(acc, to_w, e * sw, z, x, xs, w, we, M_dot, g, ge, pulls, ends)  # D6
            if values_move and dot_g:
                _pull(acc, to_w, e * sw, z, x, xs, w, we, M, g_dot, ge, pulls, ends)  # D6
            if dots_move:
                _pull(also_x, also_w, e * aw, z_sink, x_dot, xs, w_dot, we, M, g, ge, pulls, ends)  # D6
            if need_Y and not values_move:
                _weigh(z, x, xs, w, we, weighed, False)
            if need_Y and not tangent:
                _add_terms(P, g, ge, z, terms, term_v)  # D5
            if need_Y and dot_g:
                _add_terms(P, g_dot, ge, z, terms, term_v)  # D6
            if need_Y and dot_x:
                _weigh(z, x_dot, xs, w, we, weighed, False)
            if need_Y and dot_w:
                _weigh(z, x, xs, w_dot, we, weighed, dot_x)
            if need_Y and (dot_x or dot_w):
                _add_terms(P, g, ge, z, terms, term_v)  # D6
            if need_Y:
                _sum_channels(Y_bar, ey, P, width, dy, zero)
        if need_x:
            _copy_rows(x_bar, xs, acc, t.x_rows)


@kernel(contract=True, distinct=True)
def _fold(M: Any, at: Any, js: Any, vs: Any, Y: Any, y0: Any, single: Any) -> None:
    """M[at] = sum_j v Y[j]: the coupling folded into the edge vector, D1; only the first terms overwrite."""
    for n in range(single):
        M[at[n]] = vs[n] * Y[y0 + js[n]]
    for n in range(single, np.uintp(len(at))):
        M[at[n]] += vs[n] * Y[y0 + js[n]]


@kernel(distinct=True)
def _copy_rows(out: Any, o: Any, acc: Any, places: Any) -> None:
    """Rows of a panel to their places."""
    for n in range(np.uintp(len(places)) // THREE):
        q = n * THREE
        a, b = places[q], o + places[q + ONE]
        for c in range(places[q + TWO]):
            out[b + c] = acc[a + c]


@kernel(contract=True)
def _pull(
    x_bar: Any, w_bar: Any, wb: Any, z: Any, x: Any, xs: Any, w: Any, we: Any,
    M: Any, g: Any, ge: Any, pulls: Any, ends: Any,
) -> None:  # fmt: skip
    """x_bar += w (M^T g), w_bar += x (M^T g), z = w x along all paths, D3 to D5; M is stored as [i, k]."""
    a, b, c, d = ends[0], ends[1], ends[2], ends[3]
    if a > ZERO:
        _pull1x1(x_bar, w_bar, wb, z, x, xs, w, we, M, g, ge, pulls, ZERO, a)
    if b > a:
        _pull1x3(x_bar, w_bar, wb, z, x, xs, w, we, M, g, ge, pulls, a, b)
    if c > b:
        _pull1x5(x_bar, w_bar, wb, z, x, xs, w, we, M, g, ge, pulls, b, c)
    if d > c:
        _pull1x7(x_bar, w_bar, wb, z, x, xs, w, we, M, g, ge, pulls, c, d)
    a, b, c, e = ends[4], ends[5], ends[6], ends[7]
    if a > d:
        _pull3x1(x_bar, w_bar, wb, z, x, xs, w, we, M, g, ge, pulls, d, a)
    if b > a:
        _pull3x3(x_bar, w_bar, wb, z, x, xs, w, we, M, g, ge, pulls, a, b)
    if c > b:
        _pull3x5(x_bar, w_bar, wb, z, x, xs, w, we, M, g, ge, pulls, b, c)
    if e > c:
        _pull3x7(x_bar, w_bar, wb, z, x, xs, w, we, M, g, ge, pulls, c, e)


# ---------------- written by tests/kernels/write_unrolled.py: pulls ----------------


@kernel(contract=True, distinct=True)
def _pull1x1(
    x_bar: Any, w_bar: Any, wb: Any, z: Any, x: Any, xs: Any, w: Any, we: Any,
    M: Any, g: Any, ge: Any, pulls: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """1 row i, 1 value of k: u = sum_k M[i, k] g[k]; x_bar += w u, w_bar += x u, z = w x, D3 to D5."""
    for b in range(first, last):
        q = b * PULL_COLUMNS
        x0, width, o = xs + pulls[q + ONE], pulls[q + THREE], pulls[q + FOUR]
        wi, wo, g0 = we + pulls[q + FIVE], wb + pulls[q + FIVE], ge + pulls[q + SIX]
        m, zo = pulls[q + SEVEN], pulls[q + EIGHT]
        a0 = M[m]
        for v in range(width):
            y0 = g[g0 + v]
            u0 = a0 * y0
            f, h0 = w[wi + v], x[x0 + v]
            x_bar[o + v] += f * u0
            z[zo + v] = f * h0
            w_bar[wo + v] += h0 * u0


@kernel(contract=True, distinct=True)
def _pull1x3(
    x_bar: Any, w_bar: Any, wb: Any, z: Any, x: Any, xs: Any, w: Any, we: Any,
    M: Any, g: Any, ge: Any, pulls: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """1 row i, 3 values of k: u = sum_k M[i, k] g[k]; x_bar += w u, w_bar += x u, z = w x, D3 to D5."""
    for b in range(first, last):
        q = b * PULL_COLUMNS
        x0, mul, width, o = xs + pulls[q + ONE], pulls[q + TWO], pulls[q + THREE], pulls[q + FOUR]
        wi, wo, g0 = we + pulls[q + FIVE], wb + pulls[q + FIVE], ge + pulls[q + SIX]
        m, zo = pulls[q + SEVEN], pulls[q + EIGHT]
        a0, a1, a2 = M[m], M[m + ONE], M[m + TWO]
        g1, g2 = g0 + mul, g0 + TWO * mul
        for v in range(width):
            y0, y1, y2 = g[g0 + v], g[g1 + v], g[g2 + v]
            u0 = a0 * y0 + a1 * y1 + a2 * y2
            f, h0 = w[wi + v], x[x0 + v]
            x_bar[o + v] += f * u0
            z[zo + v] = f * h0
            w_bar[wo + v] += h0 * u0


@kernel(contract=True, distinct=True)
def _pull1x5(
    x_bar: Any, w_bar: Any, wb: Any, z: Any, x: Any, xs: Any, w: Any, we: Any,
    M: Any, g: Any, ge: Any, pulls: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """1 row i, 5 values of k: u = sum_k M[i, k] g[k]; x_bar += w u, w_bar += x u, z = w x, D3 to D5."""
    for b in range(first, last):
        q = b * PULL_COLUMNS
        x0, mul, width, o = xs + pulls[q + ONE], pulls[q + TWO], pulls[q + THREE], pulls[q + FOUR]
        wi, wo, g0 = we + pulls[q + FIVE], wb + pulls[q + FIVE], ge + pulls[q + SIX]
        m, zo = pulls[q + SEVEN], pulls[q + EIGHT]
        a0, a1, a2, a3, a4 = M[m], M[m + ONE], M[m + TWO], M[m + THREE], M[m + FOUR]
        g1, g2, g3 = g0 + mul, g0 + TWO * mul, g0 + THREE * mul
        g4 = g0 + FOUR * mul
        for v in range(width):
            y0, y1, y2, y3, y4 = g[g0 + v], g[g1 + v], g[g2 + v], g[g3 + v], g[g4 + v]
            u0 = a0 * y0 + a1 * y1 + a2 * y2 + a3 * y3 + a4 * y4
            f, h0 = w[wi + v], x[x0 + v]
            x_bar[o + v] += f * u0
            z[zo + v] = f * h0
            w_bar[wo + v] += h0 * u0


@kernel(contract=True, distinct=True)
def _pull1x7(
    x_bar: Any, w_bar: Any, wb: Any, z: Any, x: Any, xs: Any, w: Any, we: Any,
    M: Any, g: Any, ge: Any, pulls: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """1 row i, 7 values of k: u = sum_k M[i, k] g[k]; x_bar += w u, w_bar += x u, z = w x, D3 to D5."""
    for b in range(first, last):
        q = b * PULL_COLUMNS
        x0, mul, width, o = xs + pulls[q + ONE], pulls[q + TWO], pulls[q + THREE], pulls[q + FOUR]
        wi, wo, g0 = we + pulls[q + FIVE], wb + pulls[q + FIVE], ge + pulls[q + SIX]
        m, zo = pulls[q + SEVEN], pulls[q + EIGHT]
        a0, a1, a2, a3, a4, a5, a6 = M[m], M[m + ONE], M[m + TWO], M[m + THREE], M[m + FOUR], M[m + FIVE], M[m + SIX]
        g1, g2, g3 = g0 + mul, g0 + TWO * mul, g0 + THREE * mul
        g4, g5, g6 = g0 + FOUR * mul, g0 + FIVE * mul, g0 + SIX * mul
        for v in range(width):
            y0, y1, y2, y3, y4, y5, y6 = g[g0 + v], g[g1 + v], g[g2 + v], g[g3 + v], g[g4 + v], g[g5 + v], g[g6 + v]
            u0 = a0 * y0 + a1 * y1 + a2 * y2 + a3 * y3 + a4 * y4 + a5 * y5 + a6 * y6
            f, h0 = w[wi + v], x[x0 + v]
            x_bar[o + v] += f * u0
            z[zo + v] = f * h0
            w_bar[wo + v] += h0 * u0


@kernel(contract=True, distinct=True)
def _pull3x1(
    x_bar: Any, w_bar: Any, wb: Any, z: Any, x: Any, xs: Any, w: Any, we: Any,
    M: Any, g: Any, ge: Any, pulls: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """3 rows i, 1 value of k: u = sum_k M[i, k] g[k]; x_bar += w u, w_bar += x u, z = w x, D3 to D5."""
    for b in range(first, last):
        q = b * PULL_COLUMNS
        x0, mul, width, o = xs + pulls[q + ONE], pulls[q + TWO], pulls[q + THREE], pulls[q + FOUR]
        wi, wo, g0 = we + pulls[q + FIVE], wb + pulls[q + FIVE], ge + pulls[q + SIX]
        step, m, zo = pulls[q], pulls[q + SEVEN], pulls[q + EIGHT]
        x1, x2, n, p = x0 + mul, x0 + TWO * mul, m + step, m + TWO * step
        a0 = M[m]
        b0 = M[n]
        c0 = M[p]
        for v in range(width):
            y0 = g[g0 + v]
            u0 = a0 * y0
            u1 = b0 * y0
            u2 = c0 * y0
            f, h0, h1, h2 = w[wi + v], x[x0 + v], x[x1 + v], x[x2 + v]
            x_bar[o + v] += f * u0
            x_bar[o + v + PANEL] += f * u1
            x_bar[o + v + PANEL2] += f * u2
            z[zo + v] = f * h0
            z[zo + v + PANEL] = f * h1
            z[zo + v + PANEL2] = f * h2
            w_bar[wo + v] += h0 * u0 + h1 * u1 + h2 * u2


@kernel(contract=True, distinct=True)
def _pull3x3(
    x_bar: Any, w_bar: Any, wb: Any, z: Any, x: Any, xs: Any, w: Any, we: Any,
    M: Any, g: Any, ge: Any, pulls: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """3 rows i, 3 values of k: u = sum_k M[i, k] g[k]; x_bar += w u, w_bar += x u, z = w x, D3 to D5."""
    for b in range(first, last):
        q = b * PULL_COLUMNS
        x0, mul, width, o = xs + pulls[q + ONE], pulls[q + TWO], pulls[q + THREE], pulls[q + FOUR]
        wi, wo, g0 = we + pulls[q + FIVE], wb + pulls[q + FIVE], ge + pulls[q + SIX]
        step, m, zo = pulls[q], pulls[q + SEVEN], pulls[q + EIGHT]
        x1, x2, n, p = x0 + mul, x0 + TWO * mul, m + step, m + TWO * step
        a0, a1, a2 = M[m], M[m + ONE], M[m + TWO]
        b0, b1, b2 = M[n], M[n + ONE], M[n + TWO]
        c0, c1, c2 = M[p], M[p + ONE], M[p + TWO]
        g1, g2 = g0 + mul, g0 + TWO * mul
        for v in range(width):
            y0, y1, y2 = g[g0 + v], g[g1 + v], g[g2 + v]
            u0 = a0 * y0 + a1 * y1 + a2 * y2
            u1 = b0 * y0 + b1 * y1 + b2 * y2
            u2 = c0 * y0 + c1 * y1 + c2 * y2
            f, h0, h1, h2 = w[wi + v], x[x0 + v], x[x1 + v], x[x2 + v]
            x_bar[o + v] += f * u0
            x_bar[o + v + PANEL] += f * u1
            x_bar[o + v + PANEL2] += f * u2
            z[zo + v] = f * h0
            z[zo + v + PANEL] = f * h1
            z[zo + v + PANEL2] = f * h2
            w_bar[wo + v] += h0 * u0 + h1 * u1 + h2 * u2


@kernel(contract=True, distinct=True)
def _pull3x5(
    x_bar: Any, w_bar: Any, wb: Any, z: Any, x: Any, xs: Any, w: Any, we: Any,
    M: Any, g: Any, ge: Any, pulls: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """3 rows i, 5 values of k: u = sum_k M[i, k] g[k]; x_bar += w u, w_bar += x u, z = w x, D3 to D5."""
    for b in range(first, last):
        q = b * PULL_COLUMNS
        x0, mul, width, o = xs + pulls[q + ONE], pulls[q + TWO], pulls[q + THREE], pulls[q + FOUR]
        wi, wo, g0 = we + pulls[q + FIVE], wb + pulls[q + FIVE], ge + pulls[q + SIX]
        step, m, zo = pulls[q], pulls[q + SEVEN], pulls[q + EIGHT]
        x1, x2, n, p = x0 + mul, x0 + TWO * mul, m + step, m + TWO * step
        a0, a1, a2, a3, a4 = M[m], M[m + ONE], M[m + TWO], M[m + THREE], M[m + FOUR]
        b0, b1, b2, b3, b4 = M[n], M[n + ONE], M[n + TWO], M[n + THREE], M[n + FOUR]
        c0, c1, c2, c3, c4 = M[p], M[p + ONE], M[p + TWO], M[p + THREE], M[p + FOUR]
        g1, g2, g3 = g0 + mul, g0 + TWO * mul, g0 + THREE * mul
        g4 = g0 + FOUR * mul
        for v in range(width):
            y0, y1, y2, y3, y4 = g[g0 + v], g[g1 + v], g[g2 + v], g[g3 + v], g[g4 + v]
            u0 = a0 * y0 + a1 * y1 + a2 * y2 + a3 * y3 + a4 * y4
            u1 = b0 * y0 + b1 * y1 + b2 * y2 + b3 * y3 + b4 * y4
            u2 = c0 * y0 + c1 * y1 + c2 * y2 + c3 * y3 + c4 * y4
            f, h0, h1, h2 = w[wi + v], x[x0 + v], x[x1 + v], x[x2 + v]
            x_bar[o + v] += f * u0
            x_bar[o + v + PANEL] += f * u1
            x_bar[o + v + PANEL2] += f * u2
            z[zo + v] = f * h0
            z[zo + v + PANEL] = f * h1
            z[zo + v + PANEL2] = f * h2
            w_bar[wo + v] += h0 * u0 + h1 * u1 + h2 * u2


@kernel(contract=True, distinct=True)
def _pull3x7(
    x_bar: Any, w_bar: Any, wb: Any, z: Any, x: Any, xs: Any, w: Any, we: Any,
    M: Any, g: Any, ge: Any, pulls: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """3 rows i, 7 values of k: u = sum_k M[i, k] g[k]; x_bar += w u, w_bar += x u, z = w x, D3 to D5."""
    for b in range(first, last):
        q = b * PULL_COLUMNS
        x0, mul, width, o = xs + pulls[q + ONE], pulls[q + TWO], pulls[q + THREE], pulls[q + FOUR]
        wi, wo, g0 = we + pulls[q + FIVE], wb + pulls[q + FIVE], ge + pulls[q + SIX]
        step, m, zo = pulls[q], pulls[q + SEVEN], pulls[q + EIGHT]
        x1, x2, n, p = x0 + mul, x0 + TWO * mul, m + step, m + TWO * step
        a0, a1, a2, a3, a4, a5, a6 = M[m], M[m + ONE], M[m + TWO], M[m + THREE], M[m + FOUR], M[m + FIVE], M[m + SIX]
        b0, b1, b2, b3, b4, b5, b6 = M[n], M[n + ONE], M[n + TWO], M[n + THREE], M[n + FOUR], M[n + FIVE], M[n + SIX]
        c0, c1, c2, c3, c4, c5, c6 = M[p], M[p + ONE], M[p + TWO], M[p + THREE], M[p + FOUR], M[p + FIVE], M[p + SIX]
        g1, g2, g3 = g0 + mul, g0 + TWO * mul, g0 + THREE * mul
        g4, g5, g6 = g0 + FOUR * mul, g0 + FIVE * mul, g0 + SIX * mul
        for v in range(width):
            y0, y1, y2, y3, y4, y5, y6 = g[g0 + v], g[g1 + v], g[g2 + v], g[g3 + v], g[g4 + v], g[g5 + v], g[g6 + v]
            u0 = a0 * y0 + a1 * y1 + a2 * y2 + a3 * y3 + a4 * y4 + a5 * y5 + a6 * y6
            u1 = b0 * y0 + b1 * y1 + b2 * y2 + b3 * y3 + b4 * y4 + b5 * y5 + b6 * y6
            u2 = c0 * y0 + c1 * y1 + c2 * y2 + c3 * y3 + c4 * y4 + c5 * y5 + c6 * y6
            f, h0, h1, h2 = w[wi + v], x[x0 + v], x[x1 + v], x[x2 + v]
            x_bar[o + v] += f * u0
            x_bar[o + v + PANEL] += f * u1
            x_bar[o + v + PANEL2] += f * u2
            z[zo + v] = f * h0
            z[zo + v + PANEL] = f * h1
            z[zo + v + PANEL2] = f * h2
            w_bar[wo + v] += h0 * u0 + h1 * u1 + h2 * u2


# ---------------- end of what is written ----------------


@kernel(contract=True, distinct=True)
def _weigh(z: Any, x: Any, xs: Any, w: Any, we: Any, weighed: Any, add: Any) -> None:
    """z[p, i, c] = w[p, c] x[p, i, c] along all paths, on top of z if `add`, D5."""
    for n in range(np.uintp(len(weighed)) // FOUR):
        q = n * FOUR
        a, xo, wo = weighed[q], xs + weighed[q + ONE], we + weighed[q + TWO]
        if add:
            for c in range(weighed[q + THREE]):
                z[a + c] += w[wo + c] * x[xo + c]
        else:
            for c in range(weighed[q + THREE]):
                z[a + c] = w[wo + c] * x[xo + c]


@kernel(contract=True, distinct=True)
def _add_terms(P: Any, g: Any, ge: Any, z: Any, terms: Any, values: Any) -> None:
    """P[j, c] += sum_{p k i} C[i, j, k] g[p, k, c] z[p, i, c], four terms at a time, D5."""
    for n in range(np.uintp(len(terms)) // TERM_COLUMNS):
        q, v = n * TERM_COLUMNS, n * FOUR
        o, mul = terms[q], terms[q + ONE]
        g0, g1, g2, g3 = ge + terms[q + TWO], ge + terms[q + THREE], ge + terms[q + FOUR], ge + terms[q + FIVE]
        z0, z1, z2, z3 = terms[q + SIX], terms[q + SEVEN], terms[q + EIGHT], terms[q + NINE]
        v0, v1, v2, v3 = values[v], values[v + ONE], values[v + TWO], values[v + THREE]
        for c in range(mul):
            low = (v0 * g[g0 + c]) * z[z0 + c] + (v1 * g[g1 + c]) * z[z1 + c]
            P[o + c] += low + ((v2 * g[g2 + c]) * z[z2 + c] + (v3 * g[g3 + c]) * z[z3 + c])


@kernel(contract=True, distinct=True)
def _sum_channels(Y_bar: Any, y0: Any, P: Any, width: Any, rows: Any, zero: Any) -> None:
    """Y_bar[j] = sum_c P[j, c] in four interleaved sums, D5: width/4 + 3 roundings."""
    for j in range(rows):
        o = j * PANEL
        s0, s1, s2, s3 = zero, zero, zero, zero
        for b in range(width // FOUR):
            c = o + b * FOUR
            s0, s1, s2, s3 = s0 + P[c], s1 + P[c + ONE], s2 + P[c + TWO], s3 + P[c + THREE]
        for rest in range(o + width // FOUR * FOUR, o + width):
            s0 = s0 + P[rest]
        Y_bar[y0 + j] = (s0 + s1) + (s2 + s3)
