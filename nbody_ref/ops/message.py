r"""Message: gather, couple with the edge vector, weight and sum over neighbours, sec. 4.1 and eq. (10) of the paper.

.. math::
    y_{i,p,m,c} = \sum_{e:\,\mathrm{rec}(e)=i} w_{e,p,c} \sum_{m_1 m_2} C_{m_1 m_2 m}\,
                  x_{\mathrm{snd}(e),m_1,c}\, Y_{e,m_2}

One pass over the edges; no message is ever stored. Trilinear in (x, Y, w): every derivative below is a sum of the same
contractions. Derivation: docs/derivations/message.md.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np

from nbody_ref.graphs import Edges
from nbody_ref.kernels._threads import run_blocks
from nbody_ref.kernels.message import MessageArrays, message_forward
from nbody_ref.kernels.message_adjoint import message_adjoint
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_needs, check_same_dtype, check_type
from nbody_ref.ops.message_table import PANEL, MessageTable

__all__ = ["MessageTable", "message", "message_jvp", "message_vjp", "message_vjp_jvp"]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...]
Adjoints = tuple[Array | None, ...]
Values = tuple[Array, ...]
NONE = (None, None, None)


def message(x: Array, Y: Array, w: Array, edges: Edges, table: MessageTable) -> Array:
    r"""Sum over neighbours of weighted Clebsch-Gordan products of states and edge harmonics, eq. (10).

    .. math:: y_{i,p,m,c} = \sum_e w_{e,p,c} \sum_{m_1 m_2} C_{m_1 m_2 m} x_{\mathrm{snd}(e),m_1,c} Y_{e,m_2}

    Parameters
    ----------
    x : (n_senders, table.irreps_in.dim) float64, float32, complex128 or complex64
        States of the senders; any unit.
    Y : (E, (lmax + 1)**2) same dtype
        Harmonics of the edges, index l(l+1)+m.
    w : (E, table.n_weights) same dtype
        Weights of path p and channel c of each edge, paths in order, channel fastest.
    edges : Edges
    table : MessageTable

    Returns
    -------
    (n_receivers, table.irreps_out.dim) same dtype

    Raises
    ------
    ShapeError
        If a shape does not match `edges` and `table`.
    DTypeError
        If the dtypes differ or are none of those above.

    Notes
    -----
    |computed - exact| <= k u S with S the sum of |w C x Y| and k = n + 2 l1 + 5 for n
    neighbours (l1 <= 3). Bits do not depend on the number of threads. Derivation: docs/derivations/message.md;
    gradient `message_vjp`.
    """
    values = _checked("message", x, Y, w, edges, table)
    return forward(values, NONE, edges, table.arrays(values[0].dtype))


def message_jvp(
    x: Array,
    Y: Array,
    w: Array,
    x_dot: Array | None,
    Y_dot: Array | None,
    w_dot: Array | None,
    edges: Edges,
    table: MessageTable,
) -> Array | None:
    """Tangent of `message`; None where all tangents are None (zero)."""
    values = _checked("message_jvp", x, Y, w, edges, table)
    dots = _checked_dots("message_jvp", values, x_dot, Y_dot, w_dot)
    if all(dot is None for dot in dots):
        return None
    return forward(values, dots, edges, table.arrays(values[0].dtype))


def message_vjp(
    y_bar: Array, x: Array, Y: Array, w: Array, edges: Edges, table: MessageTable, needs: Needs | None = None
) -> Adjoints:
    r"""Cotangents of `message`.

    .. math::
        \bar x_{j,m_1,c} &= \sum_{e:\,\mathrm{snd}(e)=j} \sum_p w_{e,p,c}\, u_{e,p,m_1,c}, \qquad
        u_{e,p,m_1,c} = \sum_{m m_2} C_{m_1 m_2 m} Y_{e,m_2} \bar y_{i,p,m,c} \\
        \bar w_{e,p,c} &= \sum_{m_1} x_{j,m_1,c}\, u_{e,p,m_1,c}, \qquad
        \bar Y_{e,m_2} = \sum_{p,c,m_1,m} C_{m_1 m_2 m}\, \bar y_{i,p,m,c}\, w_{e,p,c}\, x_{j,m_1,c}

    Parameters
    ----------
    y_bar : (n_receivers, table.irreps_out.dim)
    x, Y, w, edges, table
        As in `message`.
    needs : three bools, optional
        Which of the cotangents are wanted.

    Returns
    -------
    x_bar, Y_bar, w_bar : arrays shaped as x, Y, w, or None where not wanted
    """
    values = _checked("message_vjp", x, Y, w, edges, table)
    g = _checked_bar("message_vjp", "y_bar", y_bar, values[0], edges, table)
    wanted = check_needs("message_vjp", needs, 3)
    return adjoint((g, *values), (None, *NONE), edges, table.arrays(g.dtype), wanted, False)  # D3, D4, D5


def message_vjp_jvp(
    y_bar: Array,
    x: Array,
    Y: Array,
    w: Array,
    y_bar_dot: Array | None,
    x_dot: Array | None,
    Y_dot: Array | None,
    w_dot: Array | None,
    edges: Edges,
    table: MessageTable,
    needs: Needs | None = None,
) -> Adjoints:
    """Tangents of the cotangents that `message_vjp` returns; None where one vanishes identically."""
    name = "message_vjp_jvp"
    values = _checked(name, x, Y, w, edges, table)
    dots = _checked_dots(name, values, x_dot, Y_dot, w_dot)
    g = _checked_bar(name, "y_bar", y_bar, values[0], edges, table)
    g_dot = None if y_bar_dot is None else _checked_bar(name, "y_bar_dot", y_bar_dot, values[0], edges, table)
    some_g, some_x, some_Y, some_w = (dot is not None for dot in (g_dot, *dots))
    reached = some_g or some_Y or some_w, some_g or some_x or some_w, some_g or some_x or some_Y
    wanted = tuple(need and reach for need, reach in zip(check_needs(name, needs, 3), reached, strict=True))
    if not any(wanted):
        return NONE
    return adjoint((g, *values), (g_dot, *dots), edges, table.arrays(g.dtype), wanted, True)  # D6


def forward(values: Values, dots: tuple[Array | None, ...], edges: Edges, arrays: MessageArrays) -> Array:
    """`message` of (x, Y, w), or its tangent if any of `dots` is given, unchecked and over any ring."""
    dtype = values[0].dtype
    out = np.empty((edges.n_receivers, int(arrays.sizes[3])), dtype)
    flat, (tangents, given) = tuple(map(_flat, values)), _tangents(dots, values)
    M, acc = (int(size) for size in arrays.sizes[5:7])

    def block(first: Any, last: Any) -> None:
        scratch = _scratch((M, M, acc), dtype)
        message_forward(
            _flat(out), flat, tangents, given, edges.senders, edges.row_ptr, first, last, arrays, scratch, scratch[1][0]
        )

    run_blocks(block, edges.row_ptr, edges.n_edges * int(arrays.sizes[2]))
    return out


def adjoint(
    values: Values, dots: tuple[Array | None, ...], edges: Edges, arrays: MessageArrays, needs: Needs, tangent: bool
) -> Adjoints:
    """`message_vjp` of (y_bar, x, Y, w), or `message_vjp_jvp` if `tangent`, unchecked and over any ring."""
    dtype = values[0].dtype
    bars = [np.empty(a.shape if need else (0,), dtype) for a, need in zip(values[1:], needs, strict=True)]
    flat, flat_bars, (tangents, given) = tuple(map(_flat, values)), tuple(map(_flat, bars)), _tangents(dots, values)
    _, dim_y, n_weights, _, _, M, _, acc, z, _ = map(int, arrays.sizes)

    def block(first: Any, last: Any) -> None:
        scratch = _scratch((M, M, dim_y * PANEL, z, z, acc, acc, n_weights), dtype)
        message_adjoint(
            flat_bars,
            flat,
            tangents,
            needs,
            given,
            tangent,
            edges.receivers,
            edges.t_ptr,
            edges.t_edge,
            first,
            last,
            arrays,
            scratch,
            scratch[1][0],
        )

    run_blocks(block, edges.t_ptr, edges.n_edges * int(arrays.sizes[2]))
    return tuple(bar if need else None for bar, need in zip(bars, needs, strict=True))


def _scratch(sizes: tuple[int, ...], dtype: Any) -> tuple[Array, ...]:
    """Zeros of these lengths, each from the start of a cache line on: vectors across two lines take twice as long."""
    width = np.dtype(dtype).itemsize
    line = max(64 // width, 1)
    starts = [0, *accumulate(-(-size // line) * line for size in sizes)]
    flat = np.zeros(starts[-1] + line, dtype)
    skip = -flat.ctypes.data % 64 // width
    return tuple(flat[skip + start : skip + start + size] for start, size in zip(starts, sizes, strict=False))


def _tangents(dots: tuple[Array | None, ...], values: Values) -> tuple[Values, tuple[bool, ...]]:
    """Flat tangents, the value in place of one that is absent, and which are present."""
    flat = tuple(_flat(a if dot is None else dot) for dot, a in zip(dots, values, strict=True))
    return flat, tuple(dot is not None for dot in dots)


def _flat(array: Array) -> Array:
    return array.reshape(-1)


def _checked(function: str, x: Array, Y: Array, w: Array, edges: Edges, table: MessageTable) -> Values:
    check_type(function, "edges", edges, Edges)
    check_type(function, "table", table, MessageTable)
    shapes = (edges.n_senders, table.irreps_in.dim), (edges.n_edges, table.dim_y), (edges.n_edges, table.n_weights)
    named = zip(("x", "Y", "w"), (x, Y, w), shapes, strict=True)
    found = tuple(check_array(function, *argument, REAL_OR_COMPLEX) for argument in named)
    check_same_dtype(function, x=found[0], Y=found[1], w=found[2])
    return found


def _checked_dots(function: str, values: Values, *dots: Array | None) -> tuple[Array | None, ...]:
    names = ("x_dot", "Y_dot", "w_dot")
    return tuple(
        None if dot is None else check_array(function, name, dot, value.shape, (value.dtype,))
        for name, value, dot in zip(names, values, dots, strict=True)
    )


def _checked_bar(function: str, name: str, bar: Array, x: Array, edges: Edges, table: MessageTable) -> Array:
    return check_array(function, name, bar, (edges.n_receivers, table.irreps_out.dim), (x.dtype,))
