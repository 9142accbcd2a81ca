"""The shared checks say function, argument, what must hold and what came."""

import numpy as np
import pytest

from nbody_ref.errors import DTypeError, GeometryError, ShapeError
from nbody_ref.ops._check import check_array, check_finite, check_index, check_same_dtype


def test_array_that_fits_is_returned_uncopied():
    a = np.zeros((4, 3))
    assert check_array("f", "a", a, (None, 3)) is a
    assert check_array("f", "a", a, (..., 3)) is a
    assert check_array("f", "a", np.zeros(3), (..., 3)).shape == (3,)


def test_strided_array_comes_back_contiguous():
    a = np.arange(12.0).reshape(3, 4).T
    got = check_array("f", "a", a, (4, 3))
    assert got.flags.c_contiguous
    assert (got == a).all()


@pytest.mark.parametrize("shape", [(4,), (4, 2), (1, 4, 3)])
def test_wrong_shape_is_named(shape):
    with pytest.raises(ShapeError, match=r"f: 'a' must have shape \(any, 3\), got \("):
        check_array("f", "a", np.zeros(shape), (None, 3))


def test_wrong_dtype_is_named_and_never_cast():
    with pytest.raises(DTypeError, match="f: 'a' must be float64 or float32, got int64"):
        check_array("f", "a", np.zeros(3, np.int64), (3,))
    with pytest.raises(DTypeError, match="'x', 'y' must share one dtype, got x float64, y float32"):
        check_same_dtype("f", x=np.zeros(1), y=np.zeros(1, np.float32), z=None)


def test_nan_is_named_with_its_place():
    a = np.zeros((3, 2))
    check_finite("f", "a", a)
    a[2, 1] = np.nan
    with pytest.raises(GeometryError, match=r"f: 'a' must be finite, got nan at index \(2, 1\)"):
        check_finite("f", "a", a)


def test_index_range_and_dtype():
    assert check_index("f", "i", [0, 2], 3).dtype == np.uintp
    with pytest.raises(ShapeError, match=r"'i' must lie in 0\.\.2, got 0\.\.3"):
        check_index("f", "i", [0, 3], 3)
    with pytest.raises(ShapeError, match=r"got -1\.\.0"):
        check_index("f", "i", [0, -1], 3)
    with pytest.raises(DTypeError, match="must be integers, got float64"):
        check_index("f", "i", [0.0], 3)
