r"""Message: gather, couple with the edge vector, weight and sum over neighbours, sec. 4.1 and eq. (10) of the paper.

.. math::
    y_{i,p,m,c} = \sum_{e:\,\mathrm{rec}(e)=i} w_{e,p,c} \sum_{m_1 m_2} C_{m_1 m_2 m}\,
                  x_{\mathrm{snd}(e),m_1,c}\, Y_{e,m_2}

One pass over the edges; no message is ever stored. Trilinear in (x, Y, w): every derivative below is a sum of the same
contractions. Derivation: docs/derivations/message.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from nbody_ref.certified.couplings import CoupledPath, coupled_columns
from nbody_ref.certified.lowering import Lowering, kinds
from nbody_ref.exact.definition import fragment_product
from nbody_ref.exact.network import flatten, unflatten
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.kernels._threads import run_blocks
from nbody_ref.kernels.message import MessageArrays, message_forward
from nbody_ref.kernels.message_adjoint import message_adjoint
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_same_dtype, check_type
from nbody_ref.ops._op import Arguments, CheckedOp, Example, Exponents, Gauges, Rows, is_odd
from nbody_ref.ops.message_table import PANEL, MessageTable
from nbody_ref.ops.neighbour_sum import sum_to_receivers

__all__ = ["MESSAGE", "MessageTable", "message", "message_jvp", "message_vjp", "message_vjp_jvp"]

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

    Examples
    --------
    >>> from nbody_ref.ops.message import message
    >>> import numpy as np
    >>> from nbody_ref.graphs import Edges
    >>> from nbody_ref.ops.message_table import MessageTable
    >>> table, edges = MessageTable.build("1x0e", 0), Edges.build(np.array([0]), np.array([1]), 2, 2)
    >>> message(np.array([[1.0], [2.0]]), np.ones((1, 1)), np.ones((1, 1)), edges, table)
    array([[2.],
           [0.]])
    """
    return MESSAGE.value(x, Y, w, edges, table)


class _Message(CheckedOp):
    inputs, statics = ("x", "Y", "w"), ("edges", "table")

    def check(self, function: str, x: Any, Y: Any, w: Any, edges: Any, table: Any) -> Arguments:
        check_type(function, "edges", edges, Edges)
        check_type(function, "table", table, MessageTable)
        shapes = (edges.n_senders, table.irreps_in.dim), (edges.n_edges, table.dim_y), (edges.n_edges, table.n_weights)
        named = zip(self.inputs, (x, Y, w), shapes, strict=True)
        found = tuple(check_array(function, *argument, REAL_OR_COMPLEX) for argument in named)
        check_same_dtype(function, **dict(zip(self.inputs, found)))
        dtype = found[0].dtype
        shape = edges.n_receivers, table.irreps_out.dim
        return Arguments(found, (edges, table.arrays(dtype)), shape, dtype)

    def forward(self, x: Array, Y: Array, w: Array, edges: Edges, arrays: MessageArrays) -> Array:
        return forward((x, Y, w), NONE, edges, arrays)

    def tangent(self, x: Array, Y: Array, w: Array, *rest: Any) -> Array:
        *dots, edges, arrays = rest
        return forward((x, Y, w), dots, edges, arrays)

    def cotangents(
        self, needs: Needs, y_bar: Array, x: Array, Y: Array, w: Array, edges: Edges, arrays: MessageArrays
    ) -> Adjoints:
        r""".. math::
            \bar x_{j,m_1,c} &= \sum_{e:\,\mathrm{snd}(e)=j} \sum_p w_{e,p,c}\, u_{e,p,m_1,c}, \qquad
            u_{e,p,m_1,c} = \sum_{m m_2} C_{m_1 m_2 m} Y_{e,m_2} \bar y_{i,p,m,c} \\
            \bar w_{e,p,c} &= \sum_{m_1} x_{j,m_1,c}\, u_{e,p,m_1,c}, \qquad
            \bar Y_{e,m_2} = \sum_{p,c,m_1,m} C_{m_1 m_2 m}\, \bar y_{i,p,m,c}\, w_{e,p,c}\, x_{j,m_1,c}
        """
        return adjoint((y_bar, x, Y, w), (None, *NONE), edges, arrays, needs, False)  # D3, D4, D5

    def turning(self, needs: Needs, y_bar: Array, x: Array, Y: Array, w: Array, *rest: Any) -> Adjoints:
        *dots, edges, arrays = rest
        some = [dot is not None for dot in dots]
        reached = [any(some[:k] + some[k + 1 :]) for k in range(1, 4)]  # x_bar does not depend on x
        wanted = tuple(need and reach for need, reach in zip(needs, reached, strict=True))
        return adjoint((y_bar, x, Y, w), dots, edges, arrays, wanted, True) if any(wanted) else NONE  # D6

    def example(self, rng: np.random.Generator) -> Example:
        edges, table = Edges.build([0, 0, 1, 2], [1, 2, 2, 0], 3, 3), MessageTable.build("2x0e + 2x1o", 1)
        return [rng.normal(size=shape) for shape in ((3, 8), (4, 4), (4, table.n_weights))], [edges, table]

    def exact(self, gauges: Gauges, x: Rows, Y: Rows, w: Rows, edges: Edges, table: MessageTable) -> Rows:
        gauge, messages = gauges("norm"), []
        for e, j in enumerate(edges.senders):
            psi, state, at = unflatten(table.irreps_in, x[int(j)]), [], 0
            for part, l, irrep in table.paths:
                y, fragments = Y[e][l * l : (l + 1) * (l + 1)], []
                for fragment in psi[part][1]:
                    coupled = fragment_product(fragment, y, irrep.l, gauge)
                    fragments.append([value * w[e][at] for value in coupled])
                    at += 1
                state.append((irrep, fragments))
            messages.append(flatten(state))
        return sum_to_receivers(edges, messages, table.irreps_out.dim)

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, edges: Edges, table: MessageTable) -> None:
        paths = [CoupledPath(part, l2, k, ("u", "v", "uv", "u")) for k, (part, l2, _) in enumerate(table.paths)]
        types = table.irreps_in, Irreps.harmonics(table.lmax, table.irreps_in.has_parity), table.irreps_out
        columns, every = coupled_columns(types, paths, table.basis), np.arange(edges.n_edges)
        shape = edges.n_receivers, table.irreps_out.dim
        low.sum(out, columns.terms(low, inputs, kinds(edges.receivers), shape, (kinds(edges.senders), every, every)))

    def phase(self, known: Sequence[Exponents], edges: Any, table: MessageTable) -> Exponents:
        return tuple((known[0][i] + is_odd(table.irreps_in[i], Irrep(l2), irrep)) % 4 for i, l2, irrep in table.paths)


MESSAGE = _Message(message)
message_jvp, message_vjp, message_vjp_jvp = MESSAGE.derivatives()


def forward(values: Values, dots: Sequence[Array | None], edges: Edges, arrays: MessageArrays) -> Array:
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
    values: Values, dots: Sequence[Array | None], edges: Edges, arrays: MessageArrays, needs: Needs, tangent: bool
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


def _tangents(dots: Sequence[Array | None], values: Values) -> tuple[Values, tuple[bool, ...]]:
    """Flat tangents, the value in place of one that is absent, and which are present."""
    flat = tuple(_flat(a if dot is None else dot) for dot, a in zip(dots, values, strict=True))
    return flat, tuple(dot is not None for dot in dots)


def _flat(array: Array) -> Array:
    return array.reshape(-1)
