"""Constant maps of weights: the matrix, its transpose, and nothing else; exact on integers."""

import numpy as np
import pytest

from nbody_ref.errors import DTypeError, ShapeError
from nbody_ref.ops import weight_map as op
from nbody_ref.ops.weight_map import WeightMap, weight_map

MATRIX = np.array([[0, 2, 0, 0, 0, 0], [0, 0, 0, -1, 0, 3], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 5, 0]])


@pytest.fixture
def table():
    rows, columns = np.nonzero(MATRIX)
    return WeightMap.build((2, 3), (4, 1), rows, columns, MATRIX[rows, columns])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
def test_weight_map_is_the_matrix_on_flat_arrays(table, dtype):
    w = np.random.default_rng(1).integers(-9, 10, (2, 3)).astype(dtype)
    found = weight_map(w, table)
    assert found.dtype == dtype
    assert (found == (MATRIX @ w.reshape(-1)).reshape(4, 1)).all()


def test_weight_map_derivatives_are_exact(table, exact):
    if exact.dtype is object:
        pytest.skip("sparse matrices hold floating-point numbers")
    assert exact.quadruple(op, "weight_map", [exact.draw((2, 3))], (table,)).all_hold()


def test_a_matrix_that_is_not_transposed_is_caught(exact, monkeypatch):
    if exact.dtype is object:
        pytest.skip("sparse matrices hold floating-point numbers")
    table = WeightMap.build((2,), (2,), [0, 1], [1, 1], [2.0, 3.0])
    right = op._product
    monkeypatch.setattr(op, "_product", lambda matrix, x, shape: right(table.matrix, x, shape))
    assert not exact.quadruple(op, "weight_map", [exact.draw((2,))], (table,)).adjoint_is_exact()


def test_entries_that_do_not_fit_are_refused(table):
    with pytest.raises(ShapeError, match=r"WeightMap: 'columns' must lie in 0\.\.5, got 6\.\.6"):
        WeightMap.build((2, 3), (4,), [0], [6], 1.0)
    with pytest.raises(ShapeError, match=r"weight_map: 'w' must have shape \(2, 3\)"):
        weight_map(np.ones(6), table)
    with pytest.raises(DTypeError, match="weight_map: 'w'"):
        weight_map(np.ones((2, 3), int), table)
