r"""Loops of `nbody_ref.ops.edge_fusion`: diagrams of three legs, centre, edge and neighbour, summed over the edges.

One edge at a time: its legs, the inner edges t of all diagrams and the cotangents lie side by side in a scratch row S
of panels of C channels, so that nothing of the size edges x channels x paths is ever in memory. A vertex is a list of
terms of three rows of S; which legs meet at the first vertex is the table's business, so one kernel serves the three
trees. All arrays are flat and all indices unsigned. Derivation: docs/derivations/edge_fusion.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["EdgeFusionArrays", "fusion_forward", "fusion_to_receivers", "fusion_to_senders"]

ZERO, ONE, TWO, THREE, FOUR = (np.uintp(i) for i in range(5))


class EdgeFusionArrays(NamedTuple):
    """Terms of both vertices as the kernels read them.

    Attributes
    ----------
    first : (n * 3,) uintp
        Terms value * S[a] S[b] of inner edges: rows (t, a, b), places in S.
    first_v : (n,)
    second : (n * 4,) uintp
        Terms value * w S[t] S[d] of the result: rows (place in a row of out, t, d, place in a row of w).
    second_v : (n,)
    rows_o, rows_x : (n,) uintp
        Where every row of a leg in S starts in a row of the state; S holds the rows of o, of x, of Y and of t.
    channel_o, channel_x : (C,) uintp
        The fragment of the state that is in each channel.
    sizes : (10,) uintp
        C; lengths of a row of o, x, Y, w and out; places in S of x, Y and t; the length of S.
    """

    first: Any
    first_v: Any
    second: Any
    second_v: Any
    rows_o: Any
    rows_x: Any
    channel_o: Any
    channel_x: Any
    sizes: Any


@kernel(contract=True)
def fusion_forward(
    out: Any, arrays: Any, senders: Any, row_ptr: Any, first: Any, last: Any, t: Any, S: Any, zero: Any
) -> None:
    """Add the diagrams of all edges to receivers first..last-1 of out; `arrays` are o, x, Y, w."""
    o, x, Y, w = arrays
    C, do, dx, dw, dout = t.sizes[0], t.sizes[1], t.sizes[2], t.sizes[4], t.sizes[5]
    at_x, second, second_v = t.sizes[6], t.second, t.second_v
    for i in range(first, last):
        _load(S, ZERO, o, i * do, t.rows_o, t.channel_o)
        for e in range(row_ptr[i], row_ptr[i + ONE]):
            _load(S, at_x, x, senders[e] * dx, t.rows_x, t.channel_x)
            _couple(S, Y, e, t, zero)
            for p in range(np.uintp(len(second_v))):  # D2
                q = p * FOUR
                to, at, leg, we, v = i * dout + second[q], second[q + ONE], second[q + TWO], e * dw, second_v[p]
                we += second[q + THREE]
                for c in range(C):
                    out[to + c] += (v * w[we + c]) * (S[at + c] * S[leg + c])


@kernel(contract=True)
def fusion_to_receivers(
    bars: Any,
    needs: Any,
    out_bar: Any,
    arrays: Any,
    senders: Any,
    row_ptr: Any,
    first: Any,
    last: Any,
    t: Any,
    scratch: Any,
    zero: Any,
) -> None:
    """Add to the cotangents of o, Y and w what receivers first..last-1 and their edges contribute.

    `bars` and `needs` run over (o, Y, w); `scratch` is S and its cotangent.
    """
    o, x, Y, w = arrays
    o_bar, Y_bar, w_bar = bars
    need_o, need_y, need_w = needs
    S, G = scratch
    C, do, dx, dy, dw, dout, at_x, at_y = (
        t.sizes[0],
        t.sizes[1],
        t.sizes[2],
        t.sizes[3],
        t.sizes[4],
        t.sizes[5],
        t.sizes[6],
        t.sizes[7],
    )
    for i in range(first, last):
        _load(S, ZERO, o, i * do, t.rows_o, t.channel_o)
        for c in range(at_x):
            G[c] = zero
        for e in range(row_ptr[i], row_ptr[i + ONE]):
            _load(S, at_x, x, senders[e] * dx, t.rows_x, t.channel_x)
            _couple(S, Y, e, t, zero)
            for c in range(at_x, np.uintp(len(G))):
                G[c] = zero
            if need_w:
                _to_weights(w_bar, e * dw, S, out_bar, i * dout, t)
            if need_o or need_y:
                _pull(G, S, w, e * dw, out_bar, i * dout, t)
            if need_y:
                for m in range(dy):  # D5
                    total = zero
                    for c in range(C):
                        total += G[at_y + m * C + c]
                    Y_bar[e * dy + m] += total
        if need_o:
            _store(o_bar, i * do, G, ZERO, t.rows_o, t.channel_o)  # D4


@kernel(contract=True)
def fusion_to_senders(
    x_bar: Any,
    out_bar: Any,
    arrays: Any,
    receivers: Any,
    t_ptr: Any,
    t_edge: Any,
    first: Any,
    last: Any,
    t: Any,
    scratch: Any,
    zero: Any,
) -> None:
    """Add to the cotangent of x what the edges of senders first..last-1 contribute."""
    o, x, Y, w = arrays
    S, G = scratch
    do, dx, dw, dout, at_x = t.sizes[1], t.sizes[2], t.sizes[4], t.sizes[5], t.sizes[6]
    for j in range(first, last):
        _load(S, at_x, x, j * dx, t.rows_x, t.channel_x)
        for b in range(t_ptr[j], t_ptr[j + ONE]):
            e = t_edge[b]
            i = receivers[e]
            _load(S, ZERO, o, i * do, t.rows_o, t.channel_o)
            _couple(S, Y, e, t, zero)
            for c in range(np.uintp(len(G))):
                G[c] = zero
            _pull(G, S, w, e * dw, out_bar, i * dout, t)
            _store(x_bar, j * dx, G, at_x, t.rows_x, t.channel_x)  # D4


@kernel(contract=True)
def _load(S: Any, at: Any, x: Any, start: Any, rows: Any, channel: Any) -> None:
    """Rows of a state into panels of S."""
    C = np.uintp(len(channel))
    for r in range(np.uintp(len(rows))):
        for c in range(C):
            S[at + r * C + c] = x[start + rows[r] + channel[c]]


@kernel(contract=True)
def _store(x_bar: Any, start: Any, G: Any, at: Any, rows: Any, channel: Any) -> None:
    """Panels of cotangents added to the rows they were read from."""
    C = np.uintp(len(channel))
    for r in range(np.uintp(len(rows))):
        for c in range(C):
            x_bar[start + rows[r] + channel[c]] += G[at + r * C + c]


@kernel(contract=True)
def _couple(S: Any, Y: Any, e: Any, t: Any, zero: Any) -> None:
    """The edge's harmonics in every channel of their panels, and the inner edges, D1."""
    C, dy, at_y, at_t = t.sizes[0], t.sizes[3], t.sizes[7], t.sizes[8]
    first, first_v = t.first, t.first_v
    for m in range(dy):
        for c in range(C):
            S[at_y + m * C + c] = Y[e * dy + m]
    for c in range(at_t, np.uintp(len(S))):
        S[c] = zero
    for p in range(np.uintp(len(first_v))):
        q = p * THREE
        to, a, b, v = first[q], first[q + ONE], first[q + TWO], first_v[p]
        for c in range(C):
            S[to + c] += v * (S[a + c] * S[b + c])


@kernel(contract=True)
def _to_weights(w_bar: Any, we: Any, S: Any, out_bar: Any, o: Any, t: Any) -> None:
    """w_bar += v S[t] S[d] out_bar, D6."""
    C, second, second_v = t.sizes[0], t.second, t.second_v
    for p in range(np.uintp(len(second_v))):
        q = p * FOUR
        fro, at, leg, to, v = o + second[q], second[q + ONE], second[q + TWO], we + second[q + THREE], second_v[p]
        for c in range(C):
            w_bar[to + c] += v * out_bar[fro + c] * (S[at + c] * S[leg + c])


@kernel(contract=True)
def _pull(G: Any, S: Any, w: Any, we: Any, out_bar: Any, o: Any, t: Any) -> None:
    """Cotangents of the inner edges and of the legs of both vertices, D3."""
    C, first, first_v, second, second_v = t.sizes[0], t.first, t.first_v, t.second, t.second_v
    for p in range(np.uintp(len(second_v))):
        q = p * FOUR
        fro, at, leg, by, v = o + second[q], second[q + ONE], second[q + TWO], we + second[q + THREE], second_v[p]
        for c in range(C):
            g = (v * w[by + c]) * out_bar[fro + c]
            G[at + c] += g * S[leg + c]
            G[leg + c] += g * S[at + c]
    for p in range(np.uintp(len(first_v))):
        q = p * THREE
        at, a, b, v = first[q], first[q + ONE], first[q + TWO], first_v[p]
        for c in range(C):
            g = v * G[at + c]
            G[a + c] += g * S[b + c]
            G[b + c] += g * S[a + c]
