"""Checks that every op makes once, before any work: shape, dtype, finiteness, indices.

Each raises in the one style of `nbody_ref.errors`: function, argument in quotes, what must hold, what came.
"""

from __future__ import annotations

from collections.abc import Collection
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
    "check_out",
    "check_same_dtype",
    "check_sparse",
    "check_type",
]

Array = np.ndarray[Any, Any]
REAL: tuple[type, ...] = (np.float64, np.float32)
REAL_OR_COMPLEX: tuple[type, ...] = (np.float64, np.float32, np.complex128, np.complex64)


def check_array(
    function: str,
    name: str,
    array: Any,
    shape: tuple[int | EllipsisType | None, ...],
    dtypes: Collection[Any] = REAL,
) -> Array:
    """Return `array` C-contiguous and aligned, or raise if its shape or dtype is not the one required.

    Parameters
    ----------
    function, name : str
        What the message calls the function and the argument.
    array : array_like
        Copied only if it is not C-contiguous or not aligned; never cast.
    shape : tuple of int, None or ...
        Required shape. None allows any length of that axis; a leading ... any number of axes before the rest.
    dtypes : collection of dtypes
        Those allowed.

    Raises
    ------
    ShapeError
        If the number of axes or a length differs.
    DTypeError
        If the dtype is none of `dtypes`, or entries are masked.
    """
    found = _as_array(function, name, array)
    if not _fits(found.shape, shape):
        raise ShapeError(f"{function}: '{name}' must have shape {_show(shape)}, got {found.shape}")
    if found.dtype not in dtypes:
        wanted = " or ".join(str(np.dtype(dtype)) for dtype in dtypes)
        raise DTypeError(f"{function}: '{name}' must be {wanted}, got {found.dtype}")
    flags = found.flags
    return found if flags.c_contiguous and flags.aligned else np.array(found, order="C")


def check_out(function: str, out: Any, shape: tuple[int, ...], dtype: Any, *inputs: Array) -> Array:
    """Return the array that a caller wants the result in, or raise if the result cannot be written there.

    Raises
    ------
    ShapeError
        If the shape is wrong, or it is not C-contiguous, not writable, or in the memory of one of `inputs`.
    DTypeError
        If it is no array, or its dtype is not that of the result.
    """
    if not isinstance(out, np.ndarray):
        raise DTypeError(f"{function}: 'out' must be a NumPy array, got {type(out).__name__}")
    check_array(function, "out", out, shape, (dtype,))
    flags = out.flags
    if not (flags.c_contiguous and flags.aligned):
        raise ShapeError(f"{function}: 'out' must be C-contiguous and aligned, got strides {out.strides}")
    if not flags.writeable:
        raise ShapeError(f"{function}: 'out' must be writable, got a read-only array")
    if any(np.may_share_memory(out, x) for x in inputs):
        raise ShapeError(f"{function}: 'out' must have its own memory, got that of an argument")
    return out


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


def check_type(function: str, name: str, value: Any, kind: type) -> None:
    """Raise unless `value`, a table or a list of edges, is of the class that the function reads.

    Raises
    ------
    DTypeError
        If it is not.
    """
    if not isinstance(value, kind):
        raise DTypeError(f"{function}: '{name}' must be of type {kind.__name__}, got {type(value).__name__}")


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
    flat = needs is None or (isinstance(needs, tuple | list | np.ndarray) and all(np.ndim(need) == 0 for need in needs))
    if not flat:
        raise ShapeError(f"{function}: 'needs' must have {count} flags, got {needs!r}")
    wanted = (True,) * count if needs is None else tuple(bool(need) for need in needs)
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
    found = _as_array(function, name, index)
    if not _fits(found.shape, shape):
        raise ShapeError(f"{function}: '{name}' must have shape {_show(shape)}, got {found.shape}")
    if found.dtype.kind not in "iu":
        raise DTypeError(f"{function}: '{name}' must be integers, got {found.dtype}")
    if found.size and (found.min() < 0 or found.max() >= count):
        raise ShapeError(f"{function}: '{name}' must lie in 0..{count - 1}, got {found.min()}..{found.max()}")
    return np.ascontiguousarray(found, dtype=np.uintp)


def check_sparse(function: str, name: str, matrix: Any) -> None:
    """Raise if the index arrays of a sparse matrix in compressed rows or columns do not fit it; SciPy does not look.

    Raises
    ------
    ShapeError
        If one reaches beyond the matrix.
    """
    if getattr(matrix, "format", "") in ("csr", "csc"):
        try:
            matrix.check_format(full_check=True)
        except (ValueError, TypeError, IndexError) as error:
            raise ShapeError(f"{function}: '{name}' must have indices within {matrix.shape}: {error}") from error


def _as_array(function: str, name: str, values: Any) -> Array:
    if isinstance(values, np.ma.MaskedArray):
        raise DTypeError(f"{function}: '{name}' must be a plain array, got a masked one")
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ShapeError(f"{function}: '{name}' must be an array: {error}") from error


def _fits(found: tuple[int, ...], wanted: tuple[int | EllipsisType | None, ...]) -> bool:
    if found == wanted:
        return True
    if wanted and wanted[0] is ...:
        wanted = wanted[1:]
        if len(found) < len(wanted):
            return False
        found = found[len(found) - len(wanted) :]
    return len(found) == len(wanted) and all(w is None or f == w for f, w in zip(found, wanted))


def _show(shape: tuple[int | EllipsisType | None, ...]) -> str:
    inner = ", ".join("..." if n is ... else "any" if n is None else str(n) for n in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
