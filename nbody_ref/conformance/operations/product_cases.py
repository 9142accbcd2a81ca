"""Inputs that bring errors of products to light; everything is deterministic in the seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.conformance.formats import HALVES, normal, rounded
from nbody_ref.conformance.operations.operation import Case, random

if TYPE_CHECKING:
    from nbody_ref.conformance.operations.product import TensorProduct

__all__ = ["all_orders", "million_cases", "product_cases", "product_inputs"]

Array = np.ndarray[Any, Any]


def product_inputs(
    op: TensorProduct, dtype: str, *seeds: Any, rows: int = 24, nodes: int = 7, scale: float = 1.0, order: int = 0
) -> dict[str, Array]:
    """Random inputs, with cotangent and tangents where the order needs them."""
    shapes = op.shapes(rows, nodes)
    found = {name: random(shapes[name], dtype, name, *seeds, scale=scale) for name in op.differentiable}
    if op.graph:
        draw = np.random.default_rng([rows, nodes, 5])
        found["senders"] = draw.integers(0, max(nodes, 1), rows)
        found["receivers"] = draw.integers(0, max(nodes, 1), rows)
    if order:
        found["cotangent"] = random(shapes["out"], dtype, "g", *seeds, scale=scale)
    if order == 2:
        found |= {f"{name}_dot": random(shapes[name], dtype, "v", name, *seeds) for name in op.differentiable}
    return found


def all_orders(
    check: str, op: TensorProduct, dtype: str, orders: tuple[int, ...], *seeds: Any, **more: Any
) -> Iterator[Case]:
    """The same inputs at every order, second gradients for one tangent at a time."""
    note, scale = more.pop("note", ""), more.get("scale", 1.0)
    for order in orders:
        inputs = product_inputs(op, dtype, check, *seeds, order=order, **more)
        for tangent in op.differentiable if order == 2 else ("",):
            yield Case(check, op, inputs, order, tangent, note=note, scale=scale)


def product_cases(
    op: TensorProduct, dtype: str, orders: tuple[int, ...], seed: int = 0, first: bool = True
) -> Iterator[Case]:
    """Cases of one product; gradients beside values where the backend has them."""
    low = tuple(order for order in orders if order < 2)
    yield _impulse(op)
    for scale in (1.0, 2.0**-3, 2.0**3) if dtype in HALVES else (1.0, 2.0**-20, 2.0**20):
        only = orders if scale == 1.0 else low
        yield from all_orders("random", op, dtype, only, seed, scale=scale, note=f"scale {scale:g}")
    for p in range(len(op.instructions)):
        yield from all_orders("alone", op.alone(p), dtype, low, seed, p, rows=5, nodes=3, note=f"path {p}")
    if not first:
        return
    for rows in (0, 1, 2, 3, 31, 32, 33, 63, 65, 129):
        yield from all_orders("sizes", op, dtype, low, seed, rows=rows, nodes=max(min(rows, 9), 2), note=f"{rows} rows")
    yield _denormal(op, dtype, seed)
    if op.graph:
        yield from _graph_cases(op, dtype, orders, seed)


def _impulse(op: TensorProduct) -> Case:
    """All pairs of unit vectors at once, weights distinct powers of two: every structure constant stands alone."""
    shapes = op.shapes(1)
    d1, d2 = shapes["x1"][1], shapes["x2"][1]
    i, j = (index.reshape(-1) for index in np.indices((d1, d2)))
    rows = len(i)
    inputs: dict[str, Array] = {"x1": np.zeros((rows, d1)), "x2": np.zeros((rows, d2))}
    inputs["x1"][np.arange(rows), i] = 2.0 ** (i % 3)
    inputs["x2"][np.arange(rows), j] = 2.0 ** -(j % 5)
    if op.weighted:
        inputs["w"] = np.broadcast_to(2.0 ** (np.arange(shapes["w"][1]) % 13 - 6.0), (rows, shapes["w"][1])).copy()
    if op.graph:
        inputs |= {"senders": np.arange(rows), "receivers": np.arange(rows)[::-1].copy()}
    return Case("impulse", op, inputs, note=f"{rows} pairs of unit vectors")


def _denormal(op: TensorProduct, dtype: str, seed: int) -> Case:
    """Inputs at the edge of the normal range; every product with a coefficient below one is denormal."""
    inputs = product_inputs(op, dtype, "denormals", seed, rows=6, nodes=4)
    tiny = normal(dtype)
    inputs["x1"] = rounded(inputs["x1"] * (tiny / 8), dtype)
    for name in op.differentiable[1:]:
        inputs[name] = np.sign(inputs[name])
    return Case("denormals", op, inputs, note=f"x1 of size {tiny / 8:.0e}")


def _graph_cases(op: TensorProduct, dtype: str, orders: tuple[int, ...], seed: int) -> Iterator[Case]:
    low = tuple(order for order in orders if order < 2)
    for note, senders, receivers in _graphs(48, 7):
        for case in all_orders("graph", op, dtype, low, seed, rows=48, nodes=7, note=note):
            case.inputs |= {"senders": senders, "receivers": receivers}
            yield case
    if op.weighted:
        yield _cancellation(op, dtype, seed)
    for rows in () if dtype in HALVES else (1, 100, 5000):
        yield _integers(op.convolution("3x0e", 0, basis=op.basis), rows, seed)
    square = op.convolution("3x0e", 2, basis=op.basis)
    yield from all_orders("coincidence", square, dtype, orders, seed, note="3 channels, 3 paths")
    if dtype not in HALVES:
        yield _integers(op.convolution("1x0e", 0, basis=op.basis), 66_000, seed, "large")


def million_cases(
    op: TensorProduct, dtype: str, orders: tuple[int, ...], seed: int, rows: int = 1_000_000
) -> Iterator[Case]:
    """A million edges between a hundred nodes, 10^4 terms to a sum, values and gradients."""
    low = tuple(order for order in orders if order < 2)
    yield from all_orders("million", op, dtype, low, seed, rows=rows, nodes=100, note=f"{rows} edges")


def _cancellation(op: TensorProduct, dtype: str, seed: int) -> Case:
    inputs = product_inputs(op, dtype, "cancellation", seed, rows=40, nodes=5)
    for name in ("senders", "receivers"):
        inputs[name] = np.repeat(inputs[name][::2], 2)
    inputs["x2"] = np.repeat(inputs["x2"][::2], 2, axis=0)
    inputs["w"][1::2] = -rounded(inputs["w"][::2] * (1 + 2.0**-10), dtype)
    return Case("cancellation", op, inputs, note="edges in pairs, a part in 1024 survives")


def _graphs(rows: int, nodes: int) -> Iterator[tuple[str, Array, Array]]:
    draw = np.random.default_rng(9)
    senders, receivers = draw.integers(0, nodes, rows), np.sort(draw.integers(0, nodes, rows))
    yield "sorted receivers", senders, receivers
    yield "reversed receivers", senders, receivers[::-1].copy()
    yield "self-loops and duplicates", receivers.copy(), receivers
    yield "all edges at one node", senders, np.full(rows, nodes - 1)
    yield "isolated nodes", senders % 3, receivers % 2


def _integers(op: TensorProduct, rows: int, seed: int, check: str = "integers") -> Case:
    draw = np.random.default_rng([rows, seed])
    nodes = 5
    shapes = op.shapes(rows, nodes)
    inputs: dict[str, Array] = {n: draw.integers(-7, 8, shapes[n]).astype(np.float64) for n in op.differentiable}
    inputs |= {name: draw.integers(0, nodes, rows) for name in ("senders", "receivers")}
    return Case(check, op, inputs, exact=True, note=f"{rows} edges")
