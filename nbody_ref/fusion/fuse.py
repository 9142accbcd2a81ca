r"""Fusion diagrams evaluated on states, eq. (F6) without its weights, with all derivatives.

.. math:: y^{J}_{t,M,c} = \sum_{m_1 \ldots m_n} C^{(t)}_{m_1 \ldots m_n; M} \prod_a x^{(a)}_{m_a, c_a}

A chain of Clebsch-Gordan products and one constant linear map, laid down in a `FusionTable`; the derivative functions
run the same chain forward or backward. Derivation: docs/derivations/fusion_evaluation.md.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from nbody_ref.errors import ShapeError
from nbody_ref.fusion.table import FusionTable
from nbody_ref.kernels.combine import add_parts
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_like, check_needs, check_same_dtype
from nbody_ref.ops.cg_product import cg_product, cg_product_jvp, cg_product_vjp, cg_product_vjp_jvp

__all__ = ["fuse", "fuse_jvp", "fuse_vjp", "fuse_vjp_jvp"]

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
    """
    table, states = _table("fuse", states_and_table, 0)
    slots = _forward(_states("fuse", states, table), table)
    return _select(slots, table)


def fuse_jvp(*arguments: Any) -> Array | None:
    """Tangent, ``fuse_jvp(x_0, ..., x_k, x_0_dot, ..., x_k_dot, table)``; None where all tangents are."""
    table, given = _table("fuse_jvp", arguments, 1)
    k = len(table.irreps)
    states = _states("fuse_jvp", given[:k], table)
    dots = _likes("fuse_jvp", given[k:], states)
    if all(dot is None for dot in dots):
        return None
    return _select(_tangents(_forward(states, table), dots, table), table)


def fuse_vjp(y_bar: Array, *states_and_table: Any, needs: tuple[bool, ...] | None = None) -> tuple[Array | None, ...]:
    """Cotangents of the states, ``fuse_vjp(y_bar, x_0, ..., x_k, table, needs=None)``."""
    table, given = _table("fuse_vjp", states_and_table, 0)
    states = _states("fuse_vjp", given, table)
    wanted = check_needs("fuse_vjp", needs, len(states))
    g = check_array("fuse_vjp", "y_bar", y_bar, (len(states[0]), table.irreps_out.dim), (states[0].dtype,))
    bars = _cotangents(_forward(states, table), g, table, _active(wanted, table))
    return _leaves(bars, states, wanted)


def fuse_vjp_jvp(y_bar: Array, *arguments: Any, needs: tuple[bool, ...] | None = None) -> tuple[Array | None, ...]:
    """Tangents of the cotangents, ``fuse_vjp_jvp(y_bar, x_0, ..., y_bar_dot, x_0_dot, ..., table, needs=None)``."""
    table, given = _table("fuse_vjp_jvp", arguments, 1, extra=1)
    k = len(table.irreps)
    states = _states("fuse_vjp_jvp", given[:k], table)
    wanted = check_needs("fuse_vjp_jvp", needs, k)
    g = check_array("fuse_vjp_jvp", "y_bar", y_bar, (len(states[0]), table.irreps_out.dim), (states[0].dtype,))
    g_dot, dots = check_like("fuse_vjp_jvp", "y_bar_dot", given[k], g), _likes("fuse_vjp_jvp", given[k + 1 :], states)
    slots, active = _forward(states, table), _active(wanted, table)
    slot_dots, bars = _tangents(slots, dots, table), _cotangents(slots, g, table, active)
    out = _split(g_dot, table)
    for k, stage in reversed(list(enumerate(table.stages, start=len(states)))):
        need = active[stage.a], active[stage.b]
        if not any(need) or (bars[k] is None and out[k] is None):
            continue
        seed = np.zeros_like(out[k]) if bars[k] is None else bars[k]
        inner = seed, slots[stage.a], slots[stage.b], out[k], slot_dots[stage.a], slot_dots[stage.b]
        _add(out, stage.a, stage.b, cg_product_vjp_jvp(*inner, stage.table, needs=need))  # E9
    return tuple(bar if want else None for bar, want in zip(out[: len(states)], wanted))


def _forward(states: Slots, table: FusionTable) -> Slots:
    slots = list(states)
    for stage in table.stages:
        slots.append(cg_product(slots[stage.a], slots[stage.b], stage.table))  # E6
    return slots


def _tangents(slots: Slots, dots: Slots, table: FusionTable) -> Slots:
    found = list(dots)
    for stage in table.stages:
        pair = slots[stage.a], slots[stage.b], found[stage.a], found[stage.b]
        found.append(cg_product_jvp(*pair, stage.table))  # E7
    return found


def _cotangents(slots: Slots, g: Array, table: FusionTable, active: list[bool]) -> Slots:
    bars = _split(g, table)
    for k, stage in reversed(list(enumerate(table.stages, start=len(table.irreps)))):
        need = active[stage.a], active[stage.b]
        if bars[k] is not None and any(need):
            both = cg_product_vjp(bars[k], slots[stage.a], slots[stage.b], stage.table, needs=need)
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


def _leaves(bars: Slots, states: Slots, wanted: tuple[bool, ...]) -> tuple[Array | None, ...]:
    return tuple(
        None if not want else np.zeros_like(x) if bar is None else bar for bar, x, want in zip(bars, states, wanted)
    )


def _real(dtype: Any) -> str:
    return "float32" if np.dtype(dtype) in (np.float32, np.complex64) else "float64"


def _table(function: str, arguments: tuple[Any, ...], tangents: int, extra: int = 0) -> tuple[FusionTable, Slots]:
    if not arguments or not isinstance(arguments[-1], FusionTable):
        raise ShapeError(f"{function}: the last argument must be a FusionTable, got {type(arguments[-1]).__name__}")
    table, given = arguments[-1], list(arguments[:-1])
    count = len(table.irreps) * (1 + tangents) + extra
    if len(given) != count:
        raise ShapeError(f"{function}: 'table' with {len(table.irreps)} states needs {count} arrays, got {len(given)}")
    return table, given


def _states(function: str, given: Slots, table: FusionTable) -> Slots:
    found: Slots = []
    for k, (x, kind) in enumerate(zip(given, table.irreps)):
        rows = len(found[0]) if found else None
        found.append(check_array(function, f"x_{k}", x, (rows, kind.dim), REAL_OR_COMPLEX))
    check_same_dtype(function, **{f"x_{k}": x for k, x in enumerate(found)})
    return found


def _likes(function: str, given: Slots, states: Slots) -> Slots:
    return [check_like(function, f"x_{k}_dot", dot, x) for k, (dot, x) in enumerate(zip(given, states))]
