r"""Constant linear maps of learned weights, from the order and scale in which a model is published to those used here.

.. math:: y_a = \sum_b M_{ab} w_b

w is a learned array, y the array that another op reads, both taken flat; M is sparse and constant: permutations,
signs, factors such as 1/sqrt(fan-in), changes of basis. Gradients then come out in the published order.
Derivation: docs/derivations/weight_map.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from nbody_ref.errors import ShapeError
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_like, check_needs

__all__ = ["WeightMap", "weight_map", "weight_map_jvp", "weight_map_vjp", "weight_map_vjp_jvp"]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...] | None


@dataclass(frozen=True, eq=False)
class WeightMap:
    """A sparse matrix between two arrays taken flat; compared by identity.

    Attributes
    ----------
    shape_in, shape_out : tuple of int
    matrix : scipy.sparse.csr_array of float64, (prod(shape_out), prod(shape_in))
    """

    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    matrix: Any

    @classmethod
    def build(
        cls, shape_in: Sequence[int], shape_out: Sequence[int], rows: Any, columns: Any, values: Any
    ) -> WeightMap:
        """From the nonzeros: flat index in the result, flat index in the weights, value.

        Raises
        ------
        ShapeError
            If an index does not fit.
        """
        from scipy.sparse import coo_array

        flat = prod(shape_out), prod(shape_in)
        rows, columns = np.asarray(rows, np.intp).reshape(-1), np.asarray(columns, np.intp).reshape(-1)
        for name, index, size in (("rows", rows, flat[0]), ("columns", columns, flat[1])):
            if index.size and (index.min() < 0 or index.max() >= size):
                raise ShapeError(f"WeightMap: '{name}' must lie in 0..{size - 1}, got {index.min()}..{index.max()}")
        entries = np.broadcast_to(np.asarray(values, np.float64), rows.shape)
        matrix = coo_array((entries, (rows, columns)), shape=flat).tocsr()
        return cls(tuple(shape_in), tuple(shape_out), matrix)


def weight_map(w: Array, table: WeightMap) -> Array:
    """The mapped weights.

    Parameters
    ----------
    w : table.shape_in float64, float32, complex128 or complex64
    table : WeightMap

    Returns
    -------
    table.shape_out same dtype

    Raises
    ------
    ShapeError, DTypeError
        If `w` is not of that shape and one of these dtypes.

    Notes
    -----
    |computed - exact| <= (n + 1) u sum|M w| for rows of n nonzeros, summed in double precision. Gradient:
    `weight_map_vjp`.
    """
    w = check_array("weight_map", "w", w, table.shape_in, REAL_OR_COMPLEX)
    return _product(table.matrix, w, table.shape_out)


def weight_map_jvp(w: Array, w_dot: Array | None, table: WeightMap) -> Array | None:
    """Tangent of `weight_map`."""
    return None if w_dot is None else weight_map(w_dot, table)


def weight_map_vjp(y_bar: Array, w: Array, table: WeightMap, needs: Needs = None) -> tuple[Array | None]:
    r"""Cotangent of `weight_map`, :math:`\bar w_b = \sum_a M_{ab} \bar y_a`."""
    y_bar = check_array("weight_map_vjp", "y_bar", y_bar, table.shape_out, (np.asarray(w).dtype,))
    if not check_needs("weight_map_vjp", needs, 1)[0]:
        return (None,)
    return (_product(table.matrix.T, y_bar, table.shape_in),)  # D2


def weight_map_vjp_jvp(
    y_bar: Array, w: Array, y_bar_dot: Array | None, w_dot: Array | None, table: WeightMap, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent: M is constant, so only the tangent of y_bar counts."""
    y_bar_dot = check_like("weight_map_vjp_jvp", "y_bar_dot", y_bar_dot, np.asarray(y_bar))
    return (None,) if y_bar_dot is None else weight_map_vjp(y_bar_dot, w, table, needs)


def _product(matrix: Any, x: Array, shape: tuple[int, ...]) -> Array:
    found: Array = np.asarray(matrix @ x.reshape(-1)).astype(x.dtype, copy=False).reshape(shape)
    return found
