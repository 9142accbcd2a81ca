"""Ways in which kernels misread the inputs of a product: layouts, orders of parts, weights, edges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.irreps import Irreps

if TYPE_CHECKING:
    from nbody_ref.conformance.operations.product import TensorProduct

__all__ = ["readings"]

Array = np.ndarray[Any, Any]
Reading = tuple[str, dict[str, Array], Callable[[str, Array], Array]]  # words, inputs, what becomes of a result


def readings(op: TensorProduct, inputs: dict[str, Array]) -> Iterator[Reading]:
    """Misreadings of a real product that would change it."""
    types = {"x1": op.irreps_1, "x2": op.irreps_2, "out": op.irreps_out}
    for name, irreps in types.items():
        for words, order in _orders(irreps):
            yield _permuted(f"{'the result' if name == 'out' else name} {words}", name, order, inputs)
    if op.weighted:
        for words, order in _weights(op):
            yield _permuted(f"weights {words}", "w", order, inputs)
        yield "weights of row 0 used for all rows", _of_first(inputs), _same
    if op.irreps_1 == op.irreps_2 and inputs["x1"].shape == inputs["x2"].shape:
        swap = {"x1": "x2", "x2": "x1", "x1_dot": "x2_dot", "x2_dot": "x1_dot"}
        yield "operands x1 and x2 swapped", {swap.get(name, name): x for name, x in inputs.items()}, _same
    if op.graph:
        yield from _edges(inputs)


def _same(name: str, result: Array) -> Array:
    return result


def _permuted(words: str, which: str, order: Array, inputs: dict[str, Array]) -> Reading:
    """Columns of an input, and of its gradient, or of the result and its cotangent, in another order."""
    names = ("cotangent",) if which == "out" else (which, f"{which}_dot")
    back = np.argsort(order)
    moved = {name: x[:, back if which == "out" else order] if name in names else x for name, x in inputs.items()}

    def result(name: str, x: Array) -> Array:
        if which == "out":
            return x[:, order] if name in ("out", "cotangent") else x
        return x[:, back] if name == which else x

    return words, moved, result


def _orders(irreps: Irreps) -> Iterator[tuple[str, Array]]:
    """Columns as (channel, component) instead of (component, channel), and parts sorted by type."""
    places = [start + np.arange(part.dim) for start, part in zip(irreps.offsets, irreps)]
    turned = [at.reshape(part.irrep.dim, part.mul).T.reshape(-1) for at, part in zip(places, irreps)]
    back = [at[0] + np.argsort(other - at[0]) for at, other in zip(places, turned) if len(at)]
    yield "read with channels outermost, (mul, 2l+1)", np.concatenate(back)
    yield "stored with channels outermost, (mul, 2l+1)", np.concatenate(turned)
    order = sorted(range(len(places)), key=lambda k: (irreps[k].irrep.l, irreps[k].irrep.p or 0))
    falling = sorted(range(len(places)), key=lambda k: (irreps[k].irrep.l, -(irreps[k].irrep.p or 0)))
    for words, found in (("sorted by degree", order), ("sorted by degree, even parity first", falling)):
        yield f"with its parts {words}", np.concatenate([places[k] for k in found])
        yield f"taken to have its parts {words}", np.argsort(np.concatenate([places[k] for k in found]))


def _weights(op: TensorProduct) -> Iterator[tuple[str, Array]]:
    """Axes of the weights of every path in another order; paths and channels exchanged."""
    shapes = [op.weight_shape(p) for p in range(len(op.instructions))]
    if len({len(shape) for shape in shapes}) == 1:
        letters = "uvw"[: len(shapes[0])]
        for axes in list(permutations(range(len(letters))))[1:]:
            blocks = []
            for start, shape in zip(op.weight_offsets, shapes):
                block = start + np.arange(np.prod(shape, dtype=int))
                blocks.append(block.reshape([shape[a] for a in axes]).transpose(np.argsort(axes)).reshape(-1))
            yield f"read as {[letters[a] for a in axes]}", np.concatenate(blocks)
    if len(set(shapes)) == 1 and len(shapes) > 1:
        grid = np.arange(op.weight_offsets[-1])
        yield "read as [channel][path]", grid.reshape(-1, len(shapes)).T.reshape(-1)


def _of_first(inputs: dict[str, Array]) -> dict[str, Array]:
    return {name: np.broadcast_to(x[:1], x.shape).copy() if name == "w" else x for name, x in inputs.items()}


def _edges(inputs: dict[str, Array]) -> Iterator[Reading]:
    """Edges that are dropped, merged, sorted or turned round."""
    fro, to = inputs["senders"], inputs["receivers"]
    pairs = np.stack([fro, to], axis=1)
    _, first, inverse = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
    kept, last = np.zeros(len(to), bool), np.zeros(len(to), bool)
    kept[first] = True
    last[[np.flatnonzero(inverse.reshape(-1) == k)[-1] for k in range(len(first))]] = True
    for words, keep in (
        ("edges with the same ends merged: the first one is kept", kept),
        ("edges with the same ends merged: the last one is kept", last),
        ("self-loops are left out", fro != to),
    ):
        yield words, {**inputs, "x2": inputs["x2"] * keep[:, None]}, _same
    yield "receivers taken as sorted", {**inputs, "receivers": np.sort(to)}, _same
    yield "senders and receivers exchanged", {**inputs, "senders": to, "receivers": fro}, _same
