r"""Linear maps without learned weights: stacking states, changing precision, affine combinations of points.

For y = A x all four functions follow from A and its transpose: the tangent is A x_dot, the cotangent A^T y_bar, and
the tangent of the cotangent A^T y_bar_dot. Derivation: docs/derivations/linear.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

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
    """States side by side, (..., dim_1) ... (..., dim_n) -> (..., dim_1 + ... + dim_n): the direct sum of eq. (4)."""
    return np.concatenate(states, axis=-1)


def concat_jvp(*states_and_dots: Array | None) -> Array | None:
    """Tangent of `concat`; an absent tangent is a block of zeros."""
    half = len(states_and_dots) // 2
    states, dots = states_and_dots[:half], states_and_dots[half:]
    if all(dot is None for dot in dots):
        return None
    return np.concatenate([_zeros(x) if dot is None else dot for x, dot in zip(states, dots, strict=True)], axis=-1)


def concat_vjp(y_bar: Array, *states: Array, needs: tuple[bool, ...] | None = None) -> tuple[Array | None, ...]:
    """Cotangent of `concat`: the blocks of y_bar."""
    ends = np.cumsum([x.shape[-1] for x in states])[:-1]
    blocks = np.split(y_bar, ends, axis=-1)
    return tuple(b if needs is None or needs[i] else None for i, b in enumerate(blocks))


def concat_vjp_jvp(
    y_bar: Array, *rest: Array | None, needs: tuple[bool, ...] | None = None
) -> tuple[Array | None, ...]:
    """Tangent of the cotangent: the blocks of y_bar_dot, which stands between the states and their tangents."""
    half = (len(rest) - 1) // 2
    states, y_bar_dot = rest[:half], rest[half]
    if y_bar_dot is None:
        return (None,) * half
    return concat_vjp(y_bar_dot, *(x for x in states if x is not None), needs=needs)


def cast(x: Array, dtype: Any) -> Array:
    """The same numbers in another precision; displacements are formed in float64 and cast afterwards."""
    return x.astype(dtype, copy=False)


def cast_jvp(x: Array, x_dot: Array | None, dtype: Any) -> Array | None:
    """Tangent of `cast`."""
    return None if x_dot is None else x_dot.astype(dtype, copy=False)


def cast_vjp(y_bar: Array, x: Array, dtype: Any, needs: tuple[bool, ...] | None = None) -> tuple[Array | None]:
    """Cotangent of `cast`, in the precision of x; its real part if x is real."""
    return (_real_if(x, y_bar).astype(x.dtype, copy=False),)


def cast_vjp_jvp(
    y_bar: Array,
    x: Array,
    y_bar_dot: Array | None,
    x_dot: Array | None,
    dtype: Any,
    needs: tuple[bool, ...] | None = None,
) -> tuple[Array | None]:
    """Tangent of the cotangent of `cast`."""
    return (None if y_bar_dot is None else _real_if(x, y_bar_dot).astype(x.dtype, copy=False),)


def affine(r: Array, coefficients: Any) -> Array:
    """Points as affine combinations of points, (N, 3) -> (M, 3), for a sparse (M, N) matrix whose rows sum to one."""
    return np.ascontiguousarray(coefficients @ r)


def affine_jvp(r: Array, r_dot: Array | None, coefficients: Any) -> Array | None:
    """Tangent of `affine`."""
    return None if r_dot is None else affine(r_dot, coefficients)


def affine_vjp(y_bar: Array, r: Array, coefficients: Any, needs: tuple[bool, ...] | None = None) -> tuple[Array | None]:
    """Cotangent of `affine`: the transposed combination."""
    return (np.ascontiguousarray(coefficients.T @ y_bar),)


def affine_vjp_jvp(
    y_bar: Array,
    r: Array,
    y_bar_dot: Array | None,
    r_dot: Array | None,
    coefficients: Any,
    needs: tuple[bool, ...] | None = None,
) -> tuple[Array | None]:
    """Tangent of the cotangent of `affine`."""
    return (None if y_bar_dot is None else affine_vjp(y_bar_dot, r, coefficients)[0],)


def _real_if(x: Array, y: Array) -> Array:
    return y.real if y.dtype.kind == "c" and x.dtype.kind != "c" else y


def _zeros(x: Array | None) -> Array:
    return np.zeros_like(x)  # a state always comes with its tangent; only the tangent may be absent
