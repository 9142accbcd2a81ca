r"""Linear maps without learned weights: stacking states, changing precision, affine combinations of points.

For y = A x all four functions follow from A and its transpose: the tangent is A x_dot, the cotangent A^T y_bar, and
the tangent of the cotangent A^T y_bar_dot. Derivation: docs/derivations/linear.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbody_ref.errors import DTypeError, ShapeError
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_like, check_needs

__all__ = [
    "affine",
    "affine_jvp",
    "affine_vjp",
    "affine_vjp_jvp",
    "cast",
    "cast_jvp",
    "cast_vjp",
    "cast_vjp_jvp",
    "concat",
    "concat_jvp",
    "concat_vjp",
    "concat_vjp_jvp",
]

Array = np.ndarray[Any, Any]


def concat(*states: Array) -> Array:
    """States side by side, (..., dim_1) ... (..., dim_n) -> (..., dim_1 + ... + dim_n): the direct sum of eq. (4).

    Parameters
    ----------
    states : arrays of one dtype, real or complex
        Leading axes equal; at least one.

    Raises
    ------
    ShapeError, DTypeError
        If there is none, or the leading axes or dtypes differ.
    """
    return np.concatenate(_states("concat", states), axis=-1)


def concat_jvp(*states_and_dots: Array | None) -> Array | None:
    """Tangent of `concat`; an absent tangent is a block of zeros."""
    half = len(states_and_dots) // 2
    states = _states("concat_jvp", states_and_dots[:half])
    dots = [check_like("concat_jvp", "dots", dot, x) for dot, x in zip(states_and_dots[half:], states, strict=False)]
    if len(states_and_dots) != 2 * half:
        raise ShapeError(f"concat_jvp: there must be a tangent for each state, got {len(states_and_dots)} arguments")
    if all(dot is None for dot in dots):
        return None
    return np.concatenate([np.zeros_like(x) if dot is None else dot for x, dot in zip(states, dots)], axis=-1)


def concat_vjp(y_bar: Array, *states: Array, needs: tuple[bool, ...] | None = None) -> tuple[Array | None, ...]:
    """Cotangent of `concat`: the blocks of y_bar."""
    given = _states("concat_vjp", states)
    ends = np.cumsum([x.shape[-1] for x in given])
    shape = (*given[0].shape[:-1], int(ends[-1]))
    g = check_array("concat_vjp", "y_bar", y_bar, shape, (given[0].dtype,))
    wanted = check_needs("concat_vjp", needs, len(given))
    return tuple(b if need else None for b, need in zip(np.split(g, ends[:-1], axis=-1), wanted))


def concat_vjp_jvp(
    y_bar: Array, *rest: Array | None, needs: tuple[bool, ...] | None = None
) -> tuple[Array | None, ...]:
    """Tangent of the cotangent: the blocks of y_bar_dot, which stands between the states and their tangents."""
    half = (len(rest) - 1) // 2
    states, y_bar_dot = rest[:half], rest[half]
    if y_bar_dot is None:
        return (None,) * half
    return concat_vjp(y_bar_dot, *_states("concat_vjp_jvp", states), needs=needs)


def cast(x: Array, dtype: Any) -> Array:
    """The same numbers in another precision; displacements are formed in float64 and cast afterwards.

    Raises
    ------
    DTypeError
        If `x` or `dtype` is neither real nor complex floating, or complex numbers would lose their imaginary part.
    """
    return _cast("cast", x, dtype)


def cast_jvp(x: Array, x_dot: Array | None, dtype: Any) -> Array | None:
    """Tangent of `cast`."""
    return None if x_dot is None else _cast("cast_jvp", x_dot, dtype)


def cast_vjp(y_bar: Array, x: Array, dtype: Any, needs: tuple[bool, ...] | None = None) -> tuple[Array | None]:
    """Cotangent of `cast`, in the precision of x; its real part if x is real."""
    if not check_needs("cast_vjp", needs, 1)[0]:
        return (None,)
    x = check_array("cast_vjp", "x", x, (...,), REAL_OR_COMPLEX)
    g = check_array("cast_vjp", "y_bar", y_bar, x.shape, (_target("cast_vjp", x, dtype),))
    return (_real_if(x, g).astype(x.dtype, copy=False),)


def cast_vjp_jvp(
    y_bar: Array,
    x: Array,
    y_bar_dot: Array | None,
    x_dot: Array | None,
    dtype: Any,
    needs: tuple[bool, ...] | None = None,
) -> tuple[Array | None]:
    """Tangent of the cotangent of `cast`."""
    return (None,) if y_bar_dot is None else cast_vjp(y_bar_dot, x, dtype, needs)


def affine(r: Array, coefficients: Any) -> Array:
    """Points as affine combinations of points, (N, 3) -> (M, 3), for a sparse (M, N) matrix whose rows sum to one.

    Raises
    ------
    ShapeError, DTypeError
        If `r` is not (N, 3) and real floating, or `coefficients` is no matrix with N columns.
    """
    r = check_array("affine", "r", r, (None, 3))
    return np.ascontiguousarray(_matrix("affine", coefficients, len(r)) @ r)


def affine_jvp(r: Array, r_dot: Array | None, coefficients: Any) -> Array | None:
    """Tangent of `affine`."""
    dot = check_like("affine_jvp", "r_dot", r_dot, check_array("affine_jvp", "r", r, (None, 3)))
    return None if dot is None else affine(dot, coefficients)


def affine_vjp(y_bar: Array, r: Array, coefficients: Any, needs: tuple[bool, ...] | None = None) -> tuple[Array | None]:
    """Cotangent of `affine`: the transposed combination."""
    if not check_needs("affine_vjp", needs, 1)[0]:
        return (None,)
    r = check_array("affine_vjp", "r", r, (None, 3))
    matrix = _matrix("affine_vjp", coefficients, len(r))
    g = check_array("affine_vjp", "y_bar", y_bar, (matrix.shape[0], 3), (r.dtype,))
    return (np.ascontiguousarray(matrix.T @ g),)


def affine_vjp_jvp(
    y_bar: Array,
    r: Array,
    y_bar_dot: Array | None,
    r_dot: Array | None,
    coefficients: Any,
    needs: tuple[bool, ...] | None = None,
) -> tuple[Array | None]:
    """Tangent of the cotangent of `affine`."""
    return (None,) if y_bar_dot is None else affine_vjp(y_bar_dot, r, coefficients, needs)


def _states(function: str, states: Sequence[Any]) -> list[Array]:
    """States with equal leading axes and one dtype, one state at least."""
    if not states:
        raise ShapeError(f"{function}: 'states' must be one at least, got none")
    first = check_array(function, "states", states[0], (..., None), REAL_OR_COMPLEX)
    leading = first.shape[:-1]
    return [check_array(function, "states", x, (*leading, None), (first.dtype,)) for x in states]


def _target(function: str, x: Array, dtype: Any) -> Any:
    """The dtype of a cast of x."""
    try:
        found = None if dtype is None else np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or not any(found == allowed for allowed in REAL_OR_COMPLEX):
        raise DTypeError(f"{function}: 'dtype' must be a real or complex floating one, got {dtype!r}")
    if x.dtype.kind == "c" and found.kind != "c":
        raise DTypeError(f"{function}: 'dtype' must be complex for complex numbers, got {found}")
    return found


def _cast(function: str, x: Any, dtype: Any) -> Array:
    found = check_array(function, "x", x, (...,), REAL_OR_COMPLEX)
    return found.astype(_target(function, found, dtype), copy=False)


def _matrix(function: str, coefficients: Any, columns: int) -> Any:
    if len(getattr(coefficients, "shape", ())) != 2 or not hasattr(coefficients, "T"):
        raise DTypeError(f"{function}: 'coefficients' must be a matrix, got {type(coefficients).__name__}")
    if coefficients.shape[1] != columns:
        raise ShapeError(f"{function}: 'coefficients' must have {columns} columns, got {coefficients.shape[1]}")
    return coefficients


def _real_if(x: Array, y: Array) -> Array:
    return y.real if y.dtype.kind == "c" and x.dtype.kind != "c" else y
