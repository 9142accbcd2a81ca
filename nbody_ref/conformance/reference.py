"""This package's own operations as a backend: the kit runs on them too, and it is a worked example of an adapter.

nbody-ref conform run --backend nbody_ref.conformance.reference:Reference
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nbody_ref.conformance.backend import Backend, Capabilities
from nbody_ref.conformance.operations.product import TensorProduct
from nbody_ref.conformance.planted.model import Model
from nbody_ref.graphs import Edges
from nbody_ref.ops import cg_product as products
from nbody_ref.ops import message as messages

__all__ = ["Messages", "Reference"]

Array = np.ndarray[Any, Any]


class Reference(Model):
    """Harmonics, rotations, tables, and products without weights, "uvuv" and "uuu"."""

    name = "nbody_ref"
    capabilities = Capabilities(
        operations=("coupling", "rotation", "solid", "spherical", "product"), modes=("uvuv", "uuu"), weighted=False
    )

    def forward(self, op: Any, inputs: dict[str, Any]) -> Any:
        if op.name != "product":
            return super().forward(op, inputs)
        return _spread(op, products.cg_product(inputs["x1"], inputs["x2"], _table(op)))

    def vjp(self, op: Any, inputs: dict[str, Any], cotangent: Any) -> Mapping[str, Any]:
        if op.name != "product":
            return super().vjp(op, inputs, cotangent)
        found = products.cg_product_vjp(_collect(op, cotangent), inputs["x1"], inputs["x2"], _table(op))
        return dict(zip(("x1", "x2"), found))

    def double_vjp(
        self, op: Any, inputs: dict[str, Any], cotangent: Any, tangents: dict[str, Any]
    ) -> Mapping[str, Any]:
        if op.name != "product":
            return super().double_vjp(op, inputs, cotangent, tangents)
        x, y = inputs["x1"], inputs["x2"]
        dots = tuple(tangents.get(name) for name in ("x1", "x2"))
        g, table = _collect(op, cotangent), _table(op)
        found = dict(zip(("x1", "x2"), products.cg_product_vjp_jvp(g, x, y, None, dots[0], dots[1], table)))
        along = products.cg_product_jvp(x, y, dots[0], dots[1], table)
        return found | ({} if along is None else {"cotangent": _spread(op, along)})


class Messages(Backend):
    """The fused gather, product, weight and sum over edges, "uvu" with the harmonics of edges."""

    name = "nbody_ref messages"
    capabilities = Capabilities(operations=("convolution",), modes=("uvu",), unweighted=False)

    def forward(self, op: Any, inputs: dict[str, Any]) -> Any:
        (x, Y, w), (edges, table), _ = _message(op, inputs)
        return _spread(op, messages.message(x, Y, w, edges, table))

    def vjp(self, op: Any, inputs: dict[str, Any], cotangent: Any) -> Mapping[str, Any]:
        (x, Y, w), (edges, table), order = _message(op, inputs)
        return _unsorted(op, messages.message_vjp(_collect(op, cotangent), x, Y, w, edges, table), order)

    def double_vjp(
        self, op: Any, inputs: dict[str, Any], cotangent: Any, tangents: dict[str, Any]
    ) -> Mapping[str, Any]:
        (x, Y, w), (edges, table), order = _message(op, inputs)
        moved = _message(op, inputs | tangents)[0]
        a, b, c = (v if name in tangents else None for name, v in zip(("x1", "x2", "w"), moved))
        found = messages.message_vjp_jvp(_collect(op, cotangent), x, Y, w, None, a, b, c, edges, table)
        along = messages.message_jvp(x, Y, w, a, b, c, edges, table)
        return _unsorted(op, found, order) | ({} if along is None else {"cotangent": _spread(op, along)})


def _message(op: Any, inputs: dict[str, Any]) -> tuple[Any, Any, Array]:
    """Arguments with edges sorted by receiver and Y laid out by degree; the order of edges."""
    order = np.argsort(inputs["receivers"], kind="stable")
    lmax, n = op.irreps_2.lmax, len(inputs["x1"])
    Y = np.zeros((len(order), (lmax + 1) ** 2), inputs["x2"].dtype)
    Y[:, _degrees(op)] = inputs["x2"][order]
    paths = [(i.i1, op.irreps_2[i.i2].irrep.l, op.irreps_out[i.out].irrep) for i in op.instructions]
    edges = Edges.build(inputs["receivers"], inputs["senders"], n, n)
    return (inputs["x1"], Y, inputs["w"][order]), (edges, messages.MessageTable.build(op.irreps_1, lmax, paths)), order


def _unsorted(op: Any, found: tuple[Array | None, ...], order: Array) -> dict[str, Any]:
    """Gradients by name, edges in the order given."""
    x1, Y, w = found
    result: dict[str, Any] = {"x1": x1}
    for name, array in (("x2", None if Y is None else Y[:, _degrees(op)]), ("w", w)):
        if array is not None:
            result[name] = np.empty_like(array)
            result[name][order] = array
    return result


def _degrees(op: TensorProduct) -> Array:
    """Columns of Y that x2 holds."""
    columns = [np.arange(part.irrep.l**2, (part.irrep.l + 1) ** 2) for part in op.irreps_2]
    return np.concatenate(columns)


def _table(op: TensorProduct) -> Any:
    mode = "full" if op.modes == {"uvuv"} else "channelwise"
    paths = [(i.i1, i.i2, op.irreps_out[i.out].irrep) for i in op.instructions]
    return products.ProductTable.build(op.irreps_1, op.irreps_2, mode, paths)


def _blocks(op: TensorProduct) -> list[tuple[slice, slice, float]]:
    """Columns of every path in a result with one part for each path, and in the result asked for."""
    found, start = [], 0
    for i in op.instructions:
        size, to = op.irreps_out[i.out].dim, op.irreps_out.offsets[i.out]
        found.append((slice(start, start + size), slice(to, to + size), float(i.coefficient)))
        start += size
    return found


def _spread(op: Any, y: Array) -> Array:
    """Paths added into the parts they belong to."""
    out = np.zeros((len(y), op.irreps_out.dim), y.dtype)
    for path, part, factor in _blocks(op):
        out[:, part] += y[:, path] * y.dtype.type(factor)
    return out


def _collect(op: Any, g: Array) -> Array:
    """Adjoint of `_spread`."""
    return np.concatenate([g[:, part] * g.dtype.type(factor) for _, part, factor in _blocks(op)], axis=1)
