"""Planted errors that need the products of published models: name -> (the bug in words, method of `Model`, change)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nbody_ref.conformance.operations.product import TensorProduct

__all__ = ["PLANS"]

Array = np.ndarray[Any, Any]


def _overwritten(f: Any, model: Any) -> Any:
    """A plan that takes results to be written in their order in memory."""

    def contract(op: TensorProduct, p: int, C: Array, legs: dict[str, Array], to: str) -> Array:
        rows = op.instructions
        lost = to == "out" and p + 1 < len(rows) and rows[p + 1].out < rows[p].out
        return np.asarray(f(op, p, C * (0 if lost else 1), legs, to))

    return contract


def _degree_3_weights(f: Any, model: Any) -> Any:
    """As it shipped: one instruction of 23, the gradient of its weights only."""
    return lambda op, p, dtype, to: f(op, p, dtype, to) * (1.53 if to == "w" and op.degrees(p) == (2, 3, 3) else 1)


PLANS: dict[str, tuple[str, str, Callable[[Any, Any], Any]]] = {
    "overwritten result": ("result of a path lost when the next path writes an earlier part", "contract", _overwritten),
    "degree 3 weights": ("weight gradient of path (2, 3, 3) only, of 23 paths", "tensor", _degree_3_weights),
}
