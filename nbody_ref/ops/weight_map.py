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

from nbody_ref.certified.lowering import Lowering, kinds
from nbody_ref.certified.program import ONE
from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.errors import ShapeError
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_sparse, check_type
from nbody_ref.ops._op import Arguments, Example, Linear

__all__ = ["WEIGHT_MAP", "WeightMap", "weight_map", "weight_map_jvp", "weight_map_vjp", "weight_map_vjp_jvp"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class WeightMap:
    """A sparse matrix between two arrays taken flat; compared by identity.

    Attributes
    ----------
    shape_in, shape_out : tuple of int
    matrix : scipy.sparse.csr_array of float64, (prod(shape_out), prod(shape_in))

    Raises
    ------
    ShapeError
        If the matrix has another shape, or indices beyond it.

    Examples
    --------
    >>> from nbody_ref.ops.weight_map import WeightMap
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> WeightMap((2,), (1,), csr_array([[1.0, 2.0]])).shape_out
    (1,)
    """

    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    matrix: Any

    def __post_init__(self) -> None:
        wanted = prod(self.shape_out), prod(self.shape_in)
        if getattr(self.matrix, "format", "") != "csr" or self.matrix.shape != wanted:
            came = f"{type(self.matrix).__name__} of shape {getattr(self.matrix, 'shape', ())}"
            raise ShapeError(f"WeightMap: 'matrix' must be a csr_array of shape {wanted}, got {came}")
        check_sparse("WeightMap", "matrix", self.matrix)

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

    Examples
    --------
    >>> from nbody_ref.ops.weight_map import WeightMap, weight_map
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> weight_map(np.array([10.0, 1.0]), WeightMap((2,), (1,), csr_array([[1.0, 2.0]])))
    array([12.])
    """
    return WEIGHT_MAP.value(w, table)


class _WeightMap(Linear):
    inputs, statics = ("w",), ("table",)

    def check(self, function: str, w: Any, table: Any) -> Arguments:
        check_type(function, "table", table, WeightMap)
        w = check_array(function, "w", w, table.shape_in, REAL_OR_COMPLEX)
        return Arguments((w,), (table,), table.shape_out, w.dtype)

    def forward(self, w: Array, table: WeightMap) -> Array:
        return _product(table.matrix, w, table.shape_out)

    def adjoint(self, k: int, y_bar: Array, w: Array, table: WeightMap) -> Array:
        r""".. math:: \bar w_b = \sum_a M_{ab} \bar y_a"""
        return _product(table.matrix.T, y_bar, table.shape_in)  # D2

    def example(self, rng: np.random.Generator) -> Example:
        table = WeightMap.build((2, 3), (4, 1), [0, 1, 3, 3], [1, 5, 0, 2], [2.0, -1.0, 0.5, 3.0])
        return [rng.normal(size=(2, 3))], [table]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, table: WeightMap) -> None:
        """Both arrays are read flat; the result gets its shape by a copy."""
        coo, name, zero = table.matrix.tocoo(), inputs[0], np.zeros(1, np.int64)
        rows, columns, every = kinds(coo.coords[0]), kinds(coo.coords[1]), np.arange(coo.nnz)
        factors, flat, sizes = low.constant(coo.data[:, None]), f"{out}/flat", (prod(table.shape_out),)
        shapes = {name: (prod(table.shape_in),), factors: (coo.nnz, 1)}
        legs = (Leg(name, columns, zero), Leg(factors, every, zero))
        low.sum(flat, Terms(rows, zero, sizes, legs, zero, ONE, shapes))
        first, dim = table.shape_out[0], prod(table.shape_out[1:])
        whole = (np.arange(first), np.arange(dim))
        low.sum(out, low.linear(whole, tuple(table.shape_out), flat, (dim * whole[0], whole[1]), slack=0.5))


WEIGHT_MAP = _WeightMap(weight_map)
weight_map_jvp, weight_map_vjp, weight_map_vjp_jvp = WEIGHT_MAP.derivatives()


def _product(matrix: Any, x: Array, shape: tuple[int, ...]) -> Array:
    found: Array = np.asarray(matrix @ x.reshape(-1)).astype(x.dtype, copy=False).reshape(shape)
    return found
