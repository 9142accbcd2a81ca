r"""Fusion diagrams evaluated on states, eq. (F6) without its weights, with all derivatives.

.. math:: y^{J}_{t,M,c} = \sum_{m_1 \ldots m_n} C^{(t)}_{m_1 \ldots m_n; M} \prod_a x^{(a)}_{m_a, c_a}

A chain of Clebsch-Gordan products and one constant linear map, laid down in a `FusionTable`; the derivative functions
run the same chain forward or backward. Derivation: docs/derivations/fusion_evaluation.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product as cartesian
from typing import Any

import numpy as np

from nbody_ref.certified.lowering import Lowering
from nbody_ref.errors import ShapeError
from nbody_ref.exact.definition import fragment_product
from nbody_ref.exact.gauges import Gauge
from nbody_ref.exact.network import flatten, unflatten
from nbody_ref.fusion.diagram_terms import diagram_slack, diagram_terms
from nbody_ref.fusion.table import FusionTable, all_terms
from nbody_ref.fusion.tree import left_comb
from nbody_ref.kernels.combine import add_parts
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_same_dtype
from nbody_ref.ops._op import Arguments, CheckedOp, Example, Gauges, Rows
from nbody_ref.ops.cg_product import CG_PRODUCT

__all__ = ["FUSE", "fuse", "fuse_jvp", "fuse_vjp", "fuse_vjp_jvp"]

Array = np.ndarray[Any, Any]
Slots = list[Any]


def fuse(*states_and_table: Any) -> Array:
    r"""Values of all terms of a table, ``fuse(x_0, ..., x_k, table)``, eq. (F6).

    Parameters
    ----------
    x_0, ..., x_k : (N, table.irreps[i].dim) float64, float32, complex128 or complex64
        States, parts (2l+1, mul) side by side, m = -l..l.
    table : FusionTable

    Returns
    -------
    (N, table.irreps_out.dim) same dtype
        One part per term, in the order of `table.terms`.

    Raises
    ------
    ShapeError, DTypeError
        If the number of states, a shape or a dtype does not match.

    Notes
    -----
    Error bound by composition: that of `cg_product` at every vertex. Gradient: `fuse_vjp`;
    derivation: docs/derivations/fusion_evaluation.md.

    Examples
    --------
    >>> import numpy as np
    >>> from nbody_ref.fusion import Diagram, FusionTable, Term, fuse
    >>> dot = Term(Diagram((0, 1), ["1o", "1o"], ["0e"]), ((0, 0), (0, 0)))
    >>> fuse(np.array([[3.0, 0.0, 4.0]]), FusionTable.build(["1x1o"], [dot])).round(3)
    array([[-14.434]])
    """
    return FUSE.value(*states_and_table)


class _Fuse(CheckedOp):
    inputs, statics = ("x_*",), ("table",)

    def check(self, function: str, *arguments: Any) -> Arguments:
        *given, table = arguments
        if not isinstance(table, FusionTable):
            raise ShapeError(f"{function}: the last argument must be a FusionTable, got {type(table).__name__}")
        if len(given) != len(table.irreps):
            raise ShapeError(f"{function}: 'table' needs {len(table.irreps)} arrays, got {len(given)}")
        found: Slots = []
        for k, (x, kind) in enumerate(zip(given, table.irreps)):
            rows = len(found[0]) if found else None
            found.append(check_array(function, f"x_{k}", x, (rows, kind.dim), REAL_OR_COMPLEX))
        check_same_dtype(function, **{f"x_{k}": x for k, x in enumerate(found)})
        return Arguments(found, (table,), (len(found[0]), table.irreps_out.dim), found[0].dtype)

    def forward(self, *arguments: Any) -> Array:
        *states, table = arguments
        return _select(_forward(states, table), table)

    def tangent(self, *arguments: Any) -> Array:
        states, dots, (table,) = self._split(self.name, arguments, 0)
        return _select(_tangents(_forward(states, table), dots, table), table)

    def cotangents(self, needs: tuple[bool, ...], y_bar: Array, *arguments: Any) -> Slots:
        """Backwards through the vertices; zero where no term reads a state."""
        *states, table = arguments
        bars = _cotangents(_forward(states, table), y_bar, table, _active(needs, table))
        return [np.zeros_like(x) if bar is None else bar for bar, x in zip(bars, states)]

    def turning(self, needs: tuple[bool, ...], y_bar: Array, *arguments: Any) -> Slots:
        states, (y_bar_dot, *dots), (table,) = self._split(self.name, arguments, 1)
        slots, active = _forward(states, table), _active(needs, table)
        slot_dots, bars = _tangents(slots, dots, table), _cotangents(slots, y_bar, table, active)
        out = _split(y_bar_dot, table)
        for k, stage in reversed(list(enumerate(table.stages, start=len(states)))):
            need = active[stage.a], active[stage.b]
            if not any(need) or (bars[k] is None and out[k] is None):
                continue
            seed = np.zeros_like(out[k]) if bars[k] is None else bars[k]
            inner = seed, slots[stage.a], slots[stage.b], out[k], slot_dots[stage.a], slot_dots[stage.b]
            _add(out, stage.a, stage.b, CG_PRODUCT.vjp_jvp(*inner, stage.table, needs=need))  # E9
        return out[: len(states)]

    def example(self, rng: np.random.Generator) -> Example:
        types = ("2x0e + 2x1o", "2x1o")
        table = FusionTable.build(types, all_terms(types, left_comb(2)))
        return [rng.normal(size=(3, 8)), rng.normal(size=(3, 6))], [table]

    def exact(self, gauges: Gauges, *arguments: Any) -> Rows:
        """Every diagram by itself, vertex by vertex, as drawn."""
        *states, table = arguments
        gauge, found = gauges("norm"), []
        types = zip(table.irreps, states, strict=True)
        for row in zip(*([unflatten(tau, x) for x in rows] for tau, rows in types), strict=True):
            parts = []
            for term in table.terms:
                legs = [row[s][p][1] for s, p in term.sources]
                channels = zip(*legs, strict=True) if table.mode == "channelwise" else cartesian(*legs)
                parts.append((term.diagram.root, [_drawn(term.diagram.nodes, c, gauge) for c in channels]))
            found.append(flatten(parts))
        return found

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, table: FusionTable) -> None:
        types, slack, rows = (table.irreps, table.irreps_out), diagram_slack(table.terms), low.shape(inputs[0])[0]
        low.sum(out, *diagram_terms(types, table.terms, table.mode, inputs, rows, slack=slack))


FUSE = _Fuse(fuse)
fuse_jvp, fuse_vjp, fuse_vjp_jvp = FUSE.derivatives()


def _drawn(node: Any, legs: Sequence[Any], gauge: Gauge) -> Any:
    if isinstance(node, int):
        return legs[node]
    label, left, right = node
    return fragment_product(_drawn(left, legs, gauge), _drawn(right, legs, gauge), label.l, gauge)


def _forward(states: Slots, table: FusionTable) -> Slots:
    slots = list(states)
    for stage in table.stages:
        slots.append(CG_PRODUCT.f(slots[stage.a], slots[stage.b], stage.table))  # E6
    return slots


def _tangents(slots: Slots, dots: Slots, table: FusionTable) -> Slots:
    found = list(dots)
    for stage in table.stages:
        pair = slots[stage.a], slots[stage.b], found[stage.a], found[stage.b]
        found.append(CG_PRODUCT.jvp(*pair, stage.table))  # E7
    return found


def _cotangents(slots: Slots, g: Array, table: FusionTable, active: list[bool]) -> Slots:
    bars = _split(g, table)
    for k, stage in reversed(list(enumerate(table.stages, start=len(table.irreps)))):
        need = active[stage.a], active[stage.b]
        if bars[k] is not None and any(need):
            both = CG_PRODUCT.vjp(bars[k], slots[stage.a], slots[stage.b], stage.table, needs=need)
            _add(bars, stage.a, stage.b, both)  # E8
    return bars


def _select(slots: Slots, table: FusionTable) -> Array:
    """Terms from the computed parts, y = R X (E6); an absent slot is zero."""
    given = next(slot for slot in slots if slot is not None)
    out = np.zeros((len(given), table.irreps_out.dim), given.dtype)
    for slot, (places, weights, _) in zip(slots, _entries(table, _real(given.dtype))):
        if slot is not None:
            _add_parts(out, slot, places, weights)
    return out


def _split(g: Array | None, table: FusionTable) -> Slots:
    """Transpose of `_select`: the cotangent of every slot (E8), None where no term reads it."""
    found: Slots = [None] * (len(table.irreps) + len(table.stages))
    if g is not None:
        for k, (places, weights, dim) in enumerate(_entries(table, _real(g.dtype))):
            if len(weights):
                found[k] = np.zeros((len(g), dim), g.dtype)
                _add_parts(found[k], g, places[:, [1, 0, 2]], weights)
    return found


def _add_parts(out: Array, x: Array, places: Array, weights: Array) -> None:
    sizes = np.array([len(x), out.shape[1], x.shape[1]], np.uintp)
    add_parts(out.reshape(-1), x.reshape(-1), np.ascontiguousarray(places).reshape(-1), weights, sizes)


@lru_cache(maxsize=256)
def _entries(table: FusionTable, dtype: str) -> tuple[tuple[Array, Array, int], ...]:
    """For each slot its share of R: places (n, 3) in the result and in the slot, lengths; weights (n,); slot length."""
    kinds = [*table.irreps, *(stage.table.irreps_out for stage in table.stages)]
    offsets = [kind.offsets for kind in kinds]
    places: list[list[tuple[int, int, int]]] = [[] for _ in kinds]
    weights: list[list[float]] = [[] for _ in kinds]
    for at, part, row in zip(table.irreps_out.offsets, table.irreps_out, table.selection):
        for slot, index, value in row:
            places[slot].append((at, offsets[slot][index], part.dim))
            weights[slot].append(value.round(dtype))
    return tuple(
        (np.array(p, np.uintp).reshape(-1, 3), np.array(w, dtype), kind.dim)
        for p, w, kind in zip(places, weights, kinds)
    )


def _active(wanted: tuple[bool, ...], table: FusionTable) -> list[bool]:
    """Which slots depend on a wanted state."""
    active = list(wanted)
    for stage in table.stages:
        active.append(active[stage.a] or active[stage.b])
    return active


def _add(bars: Slots, a: int, b: int, both: tuple[Array | None, ...]) -> None:
    for slot, bar in zip((a, b), both):
        if bar is not None:
            bars[slot] = bar if bars[slot] is None else bars[slot] + bar


def _real(dtype: Any) -> str:
    return "float32" if np.dtype(dtype) in (np.float32, np.complex64) else "float64"
