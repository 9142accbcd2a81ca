r"""Fusion diagrams of the three legs of every edge, summed over neighbours, eq. (12) of the fusion paper, in one pass.

.. math::
    t_{e,k,m,c} = \sum_{m_1 m_2} C_{m_1 m_2 m}\, a_{e,m_1,c}\, b_{e,m_2,c}, \qquad
    y_{i,p,M,c} = \sum_{e:\,\mathrm{rec}(e) = i} w_{e,p,c} \sum_{m, m_3} C_{m m_3 M}\, t_{e,k,m,c}\, d_{e,m_3,c}

where (a, b; d) are the legs centre o_i, harmonics Y_e and neighbour x_j in the order of the tree, and p runs over
diagrams. Derivation: docs/derivations/edge_fusion.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbody_ref.certified.couplings import CoupledPath, coupled_columns
from nbody_ref.certified.lowering import Lowering, kinds
from nbody_ref.exact.definition import fragment_product
from nbody_ref.exact.network import unflatten
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irreps
from nbody_ref.kernels._threads import run_blocks
from nbody_ref.kernels.edge_fusion import EdgeFusionArrays, fusion_forward, fusion_to_receivers, fusion_to_senders
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_same_dtype, check_type
from nbody_ref.ops._op import Arguments, Example, Exponents, Gauges, Multilinear, Rows, is_odd
from nbody_ref.ops.edge_fusion_table import TREES, EdgeDiagram, EdgeFusionTable

__all__ = [
    "EDGE_FUSION",
    "EdgeDiagram",
    "EdgeFusionTable",
    "edge_fusion",
    "edge_fusion_jvp",
    "edge_fusion_vjp",
    "edge_fusion_vjp_jvp",
]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...]


def edge_fusion(o: Array, x: Array, Y: Array, w: Array, edges: Edges, table: EdgeFusionTable) -> Array:
    r"""Diagrams of centre, edge and neighbour, weighted and summed over the edges of every centre.

    .. math:: y_{i,p} = \sum_{e:\,\mathrm{rec}(e) = i} w_{e,p}\; \mathrm{diagram}_p(o_i, Y_e, x_{\mathrm{snd}(e)})

    Parameters
    ----------
    o : (n_receivers, table.irreps_o.dim) float64, float32, complex128 or complex64
        States of the centres.
    x : (n_senders, table.irreps_j.dim) same dtype
        States of the neighbours.
    Y : (E, table.dim_y) same dtype
        Harmonics of the edges, index l(l + 1) + m, any normalization.
    w : (E, table.n_weights) same dtype
        A number for each edge, diagram and channel.
    edges : Edges
    table : EdgeFusionTable

    Returns
    -------
    (n_receivers, table.irreps_out.dim) same dtype

    Raises
    ------
    ShapeError, DTypeError
        If an array or a static is not what it must be.

    Notes
    -----
    |computed - exact| <= k u S, k = terms of the longest sums of both vertices + 6 + edges of the centre, S the sum of
    |C C w a b d|. Derivation: docs/derivations/edge_fusion.md; gradient `edge_fusion_vjp`.

    Examples
    --------
    >>> from nbody_ref.ops.edge_fusion import EDGE_FUSION, edge_fusion
    >>> import numpy as np
    >>> arrays, (edges, table) = EDGE_FUSION.example(np.random.default_rng(0))
    >>> edge_fusion(*arrays, edges, table).shape[1] == table.irreps_out.dim
    True
    """
    return EDGE_FUSION.value(o, x, Y, w, edges, table)


class _EdgeFusion(Multilinear):
    inputs, statics = ("o", "x", "Y", "w"), ("edges", "table")

    def check(self, function: str, o: Any, x: Any, Y: Any, w: Any, edges: Any, table: Any) -> Arguments:
        check_type(function, "edges", edges, Edges)
        check_type(function, "table", table, EdgeFusionTable)
        shapes = (
            (edges.n_receivers, table.irreps_o.dim),
            (edges.n_senders, table.irreps_j.dim),
            (edges.n_edges, table.dim_y),
            (edges.n_edges, table.n_weights),
        )
        named = zip(self.inputs, (o, x, Y, w), shapes, strict=True)
        found = tuple(check_array(function, *argument, REAL_OR_COMPLEX) for argument in named)
        check_same_dtype(function, **dict(zip(self.inputs, found, strict=True)))
        dtype = found[0].dtype
        return Arguments(found, (edges, table.arrays(dtype)), (edges.n_receivers, table.irreps_out.dim), dtype)

    def forward(self, *arguments: Any, out: Array | None = None) -> Array:
        *arrays, edges, t = arguments
        return forward(arrays, edges, t, out)

    def adjoint(self, k: int, y_bar: Array, *arguments: Any, out: Array | None = None) -> Any:
        r""".. math::
            \bar t_{e,k,m} &= \sum_{p, m_3, M} C_{m m_3 M}\, w_{e,p}\, d_{e,m_3}\, \bar y_{i,p,M}, \qquad
            \bar d_{e,m_3} = \sum_{p, m, M} C_{m m_3 M}\, w_{e,p}\, t_{e,k,m}\, \bar y_{i,p,M} \\
            \bar a_{e,m_1} &= \sum_{k, m_2, m} C_{m_1 m_2 m}\, b_{e,m_2}\, \bar t_{e,k,m}, \qquad
            \bar w_{e,p} = \sum_{m, m_3, M} C_{m m_3 M}\, t_{e,k,m}\, d_{e,m_3}\, \bar y_{i,p,M}
        """
        *arrays, edges, t = arguments
        return adjoint(
            y_bar, arrays, edges, t, [i == k for i in range(4)], [out if i == k else None for i in range(4)]
        )[k]

    def cotangents(self, needs: Needs, y_bar: Array, *arguments: Any) -> Sequence[Any]:
        *arrays, edges, t = arguments
        return adjoint(y_bar, arrays, edges, t, needs, [None] * 4)  # D3 to D6, all legs in one pass

    def turning(self, needs: Needs, y_bar: Array, *arguments: Any) -> Sequence[Any]:
        """The product rule: every array replaced by its tangent once, for the other legs; and y_bar by its own."""
        arrays, (y_bar_dot, *dots), (edges, t) = self._split(self.name, arguments, 1)
        found: list[Array | None] = [None] * 4
        for k, dot in enumerate(dots):
            if dot is not None:
                moved, wanted = [*arrays[:k], dot, *arrays[k + 1 :]], [need and i != k for i, need in enumerate(needs)]
                found = adjoint(y_bar, moved, edges, t, wanted, found)  # D7
        return found if y_bar_dot is None else adjoint(y_bar_dot, arrays, edges, t, needs, found)

    def example(self, rng: np.random.Generator) -> Example:
        edges = Edges.build([0, 0, 1, 2], [1, 2, 2, 0], 3, 3)
        table = EdgeFusionTable.build("2x0e + 2x1o", "2x0e + 2x1o", 1, "(oj)Y", (0, 1), ("0e", "1o"))
        return [rng.normal(size=shape) for shape in ((3, 8), (3, 8), (4, 4), (4, table.n_weights))], [edges, table]

    def exact(self, gauges: Gauges, o: Rows, x: Rows, Y: Rows, w: Rows, edges: Edges, table: EdgeFusionTable) -> Rows:
        gauge, C = gauges("norm"), len(table.channels[0])
        found = [[0] * table.irreps_out.dim for _ in range(edges.n_receivers)]
        centres, neighbours = (
            [unflatten(t, row) for row in rows] for t, rows in ((table.irreps_o, o), (table.irreps_j, x))
        )
        for e, (i, j) in enumerate(zip(edges.receivers, edges.senders, strict=True)):
            for p, d in enumerate(table.diagrams):
                start = table.irreps_out.offsets[p]
                for c, (u, v) in enumerate(zip(*table.channels, strict=True)):
                    legs = {
                        "o": centres[int(i)][d.o][1][u],
                        "j": neighbours[int(j)][d.j][1][v],
                        "Y": Y[e][d.Y**2 : (d.Y + 1) ** 2],
                    }
                    a, b, last = (legs[leg] for leg in TREES[table.tree])
                    inner = fragment_product(a, b, d.k.l, gauge)
                    pair = (last, inner) if table.tree == "o(Yj)" else (inner, last)
                    for M, value in enumerate(fragment_product(*pair, d.J.l, gauge)):
                        found[int(i)][start + M * C + c] += w[e][p * C + c] * value
        return found

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, edges: Edges, table: EdgeFusionTable) -> None:
        """The inner edges of every edge, then the result; letters: u, v fragments of o, j, z pairs of them, y of Y."""
        (a, b, last), every, inner_name = TREES[table.tree], np.arange(edges.n_edges), f"{out}/inner"
        names = dict(zip("ojY", inputs[:3], strict=True))
        rows = {"o": kinds(edges.receivers), "j": kinds(edges.senders), "Y": every}
        harmonics = Irreps.harmonics(table.lmax, table.irreps_o.has_parity)
        types = {"o": table.irreps_o, "j": table.irreps_j, "Y": harmonics}
        letters = {"o": "u", "j": "u" if table.mode == "channelwise" else "v", "Y": "y"}
        channel = _union(letters[a], letters[b])
        sizes = {"u": table.irreps_o[0].mul, "v": table.irreps_j[0].mul}
        inner = Irreps((int(np.prod([sizes[letter] for letter in channel])), k) for *_, k in table.inner)
        paths = [CoupledPath(i, j, n, (letters[a], letters[b], "", channel)) for n, (i, j, _) in enumerate(table.inner)]
        first = coupled_columns((types[a], types[b], inner), paths, table.basis)
        shape = edges.n_edges, inner.dim
        low.sum(inner_name, first.terms(low, (names[a], names[b]), every, shape, (rows[a], rows[b])))
        channel = channel if len(channel) == 1 else "z"
        whole, swap = _union(channel, letters[last]), last == "o"
        paths = []
        for p, d in enumerate(table.diagrams):
            pair = (table.inner.index(table.inner_of(d)), channel), (getattr(d, last), letters[last])
            (i, one), (k, other) = reversed(pair) if swap else pair
            paths.append(CoupledPath(i, k, p, (one, other, whole, whole)))
        legs = (inner_name, inner, every), (names[last], types[last], rows[last])
        (n1, type1, rows1), (n2, type2, rows2) = reversed(legs) if swap else legs
        second = coupled_columns((type1, type2, table.irreps_out), paths, table.basis)
        shape = edges.n_receivers, table.irreps_out.dim
        low.sum(out, second.terms(low, (n1, n2, inputs[3]), rows["o"], shape, (rows1, rows2, every)))

    def phase(self, known: Sequence[Exponents], edges: Any, table: EdgeFusionTable) -> Exponents:
        found, (a, b, last) = [], TREES[table.tree]
        for d in table.diagrams:
            legs = {leg: table.irrep(leg, getattr(d, leg)) for leg in "oYj"}
            turns = is_odd(legs[a], legs[b], d.k) + is_odd(d.k, legs[last], d.J)
            found.append((known[0][d.o] + known[1][d.j] + turns) % 4)
        return tuple(found)


EDGE_FUSION = _EdgeFusion(edge_fusion)
edge_fusion_jvp, edge_fusion_vjp, edge_fusion_vjp_jvp = EDGE_FUSION.derivatives()


def forward(arrays: Sequence[Array], edges: Edges, t: EdgeFusionArrays, out: Array | None) -> Array:
    """Add the diagrams of all edges to `out`, or to zeros, unchecked and over any ring."""
    dtype, dim = arrays[0].dtype, int(t.sizes[5])
    out = np.zeros((edges.n_receivers, dim), dtype) if out is None else out
    flat, zero = tuple(x.reshape(-1) for x in arrays), np.zeros(1, dtype)[0]

    def block(first: Any, last: Any) -> None:
        S = np.zeros(int(t.sizes[9]), dtype)
        fusion_forward(out.reshape(-1), flat, edges.senders, edges.row_ptr, first, last, t, S, zero)

    run_blocks(block, edges.row_ptr, edges.n_edges * len(t.second_v) * int(t.sizes[0]))
    return out


def adjoint(
    y_bar: Array, arrays: Sequence[Array], edges: Edges, t: EdgeFusionArrays, needs: Sequence[bool], bars: list[Any]
) -> list[Any]:
    """Add to the cotangents of o, x, Y and w that are needed, or to zeros; unchecked and over any ring."""
    found = [
        np.zeros_like(x) if need and bar is None else bar for x, need, bar in zip(arrays, needs, bars, strict=True)
    ]
    flat, g, zero = tuple(x.reshape(-1) for x in arrays), y_bar.reshape(-1), np.zeros(1, y_bar.dtype)[0]
    none = np.zeros(0, y_bar.dtype)
    o_bar, x_bar, Y_bar, w_bar = (b.reshape(-1) if need else none for b, need in zip(found, needs, strict=True))
    size, work = int(t.sizes[9]), 3 * edges.n_edges * len(t.second_v) * int(t.sizes[0])
    wanted = needs[0], needs[2], needs[3]

    def to_receivers(first: Any, last: Any) -> None:
        S = np.zeros(size, y_bar.dtype), np.zeros(size, y_bar.dtype)
        bars = o_bar, Y_bar, w_bar
        fusion_to_receivers(bars, wanted, g, flat, edges.senders, edges.row_ptr, first, last, t, S, zero)

    def to_senders(first: Any, last: Any) -> None:
        S = np.zeros(size, y_bar.dtype), np.zeros(size, y_bar.dtype)
        fusion_to_senders(x_bar, g, flat, edges.receivers, edges.t_ptr, edges.t_edge, first, last, t, S, zero)

    if any(wanted):
        run_blocks(to_receivers, edges.row_ptr, work)
    if needs[1]:
        run_blocks(to_senders, edges.t_ptr, work)
    return found


def _union(*letters: str) -> str:
    """Letters of channels, each once, without that of Y, which has one."""
    return "".join(sorted(set("".join(letters)) - {"y"}))
