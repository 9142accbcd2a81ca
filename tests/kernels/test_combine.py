"""Constant combinations of parts: exact on Python integers, compiled and plain alike."""

import numpy as np
import pytest

from nbody_ref.kernels.combine import add_parts

PLACES = np.array([[0, 2, 3], [3, 0, 2], [0, 1, 3]], np.uintp)
WEIGHTS = [2, -3, 1]
MATRIX = np.zeros((6, 5), int)  # what PLACES and WEIGHTS mean, written out
for (to, start, length), weight in zip(PLACES.tolist(), WEIGHTS):
    for i in range(length):
        MATRIX[to + i, start + i] += weight


def run(function, x, places, width, dtype):
    out = np.zeros((len(x), width), dtype)
    sizes = np.array([len(x), width, x.shape[1]], np.uintp)
    function(out.reshape(-1), x.reshape(-1), places.reshape(-1), np.array(WEIGHTS, x.real.dtype), sizes)
    return out


@pytest.mark.parametrize("dtype", [object, np.float64, np.float32, np.complex128])
def test_add_parts_is_the_matrix_and_its_transpose_exactly(dtype):
    rng = np.random.default_rng(0)
    x, g = rng.integers(-9, 10, (4, 5)).astype(dtype), rng.integers(-9, 10, (4, 6)).astype(dtype)
    function = getattr(add_parts, "py_func", add_parts) if dtype is object else add_parts
    y = run(function, x, PLACES, 6, dtype)
    back = run(function, g, np.ascontiguousarray(PLACES[:, [1, 0, 2]]), 5, dtype)
    assert np.array_equal(y, x @ MATRIX.T.astype(dtype))
    assert np.array_equal(back, g @ MATRIX.astype(dtype))
    assert np.sum(g * y) == np.sum(back * x)
    wrong = run(function, g, PLACES, 6, dtype)  # places not exchanged: no transpose
    assert not np.array_equal(wrong[:, :5], back)
