"""Checks that every op makes once, before any work: shape, dtype, finiteness, indices.

Each raises in the one style of `nbody_ref.errors`: function, argument in quotes, what must hold, what came.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import EllipsisType
from typing import Any

import numpy as np

from nbody_ref.errors import DTypeError, GeometryError, ShapeError

__all__ = [
    "REAL",
    "REAL_OR_COMPLEX",
    "check_array",
    "check_finite",
    "check_index",
    "check_like",
    "check_needs",
    "check_same_dtype",
]

Array = np.ndarray[Any, Any]
REAL: tuple[type, ...] = (np.float64, np.float32)
REAL_OR_COMPLEX: tuple[type, ...] = (np.float64, np.float32, np.complex128, np.complex64)


def check_array(
    function: str,
    name: str,
    array: Any,
    shape: tuple[int | EllipsisType | None, ...],
    dtypes: Iterable[Any] = REAL,
) -> Array:
    """Return `array` C-contiguous, or raise if its shape or dtype is not the one required.

    Parameters
    ----------
    function, name : str
        What the message calls the function and the argument.
    array : array_like
        Copied only if it is not C-contiguous; never cast.
    shape : tuple of int, None or ...
        Required shape. None allows any length of that axis; a leading ... any number of axes before the rest.
    dtypes : iterable of dtypes
        Those allowed.

    Raises
    ------
    ShapeError
        If the number of axes or a length differs.
    DTypeError
        If the dtype is none of `dtypes`.
    """
    found = np.asarray(array)
    if not _fits(found.shape, shape):
        raise ShapeError(f"{function}: '{name}' must have shape {_show(shape)}, got {found.shape}")
    if not any(found.dtype == dtype for dtype in dtypes):
        wanted = " or ".join(str(np.dtype(dtype)) for dtype in dtypes)
        raise DTypeError(f"{function}: '{name}' must be {wanted}, got {found.dtype}")
    return found if found.flags.c_contiguous else np.ascontiguousarray(found)


def check_same_dtype(function: str, **arrays: Array | None) -> None:
    """Raise unless all arrays given (None is skipped) share one dtype: nothing is cast silently.

    Raises
    ------
    DTypeError
        If two dtypes occur.
    """
    given = {name: array.dtype for name, array in arrays.items() if array is not None}
    if len(set(given.values())) > 1:
        came = ", ".join(f"{name} {dtype}" for name, dtype in given.items())
        names = ", ".join(f"'{name}'" for name in given)
        raise DTypeError(f"{function}: {names} must share one dtype, got {came}")


def check_like(function: str, name: str, array: Any, like: Array) -> Array | None:
    """Return a tangent or cotangent of `like`, C-contiguous; None, which stands for zero, passes through.

    Raises
    ------
    ShapeError, DTypeError
        If shape or dtype is not that of `like`.
    """
    return None if array is None else check_array(function, name, array, like.shape, (like.dtype,))


def check_needs(function: str, needs: tuple[bool, ...] | None, count: int) -> tuple[bool, ...]:
    """Return which adjoints are wanted, one flag for each differentiated array; None means all.

    Raises
    ------
    ShapeError
        If the number of flags is not `count`.
    """
    wanted = (True,) * count if needs is None else tuple(needs)
    if len(wanted) != count:
        raise ShapeError(f"{function}: 'needs' must have {count} flags, got {len(wanted)}")
    return wanted


def check_finite(function: str, name: str, array: Array) -> None:
    """Raise if `array` contains NaN or an infinity, naming the first row that does.

    Raises
    ------
    GeometryError
        With the index along the first axis.
    """
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise GeometryError(f"{function}: '{name}' must be finite, got {array[where]} at index {where}")


def check_index(function: str, name: str, index: Any, count: int, shape: tuple[int | None, ...] = (None,)) -> Array:
    """Return `index` as a C-contiguous array of uintp, all below `count`.

    Raises
    ------
    DTypeError
        If the dtype is not an integer one.
    ShapeError
        If the shape is wrong or an index is out of range.
    """
    found = np.asarray(index)
    if not _fits(found.shape, shape):
        raise ShapeError(f"{function}: '{name}' must have shape {_show(shape)}, got {found.shape}")
    if found.dtype.kind not in "iu":
        raise DTypeError(f"{function}: '{name}' must be integers, got {found.dtype}")
    if found.size and (found.min() < 0 or found.max() >= count):
        raise ShapeError(f"{function}: '{name}' must lie in 0..{count - 1}, got {found.min()}..{found.max()}")
    return np.ascontiguousarray(found, dtype=np.uintp)


def _fits(found: tuple[int, ...], wanted: tuple[int | EllipsisType | None, ...]) -> bool:
    if wanted and wanted[0] is ...:
        wanted = wanted[1:]
        if len(found) < len(wanted):
            return False
        found = found[len(found) - len(wanted) :]
    return len(found) == len(wanted) and all(w is None or f == w for f, w in zip(found, wanted))


def _show(shape: tuple[int | EllipsisType | None, ...]) -> str:
    inner = ", ".join("..." if n is ... else "any" if n is None else str(n) for n in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
