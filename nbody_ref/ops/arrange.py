r"""Linear steps that move, add and scale the entries of a state: parts of it, sums, constant factors, a bias.

For y = A x all four functions follow from A and its transpose. `bias` is linear in both its arguments. Derivation:
docs/derivations/arrange.md.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nbody_ref.errors import ShapeError
from nbody_ref.ops._check import REAL, REAL_OR_COMPLEX, check_array, check_index, check_like, check_needs

__all__ = [
    "add", "add_jvp", "add_vjp", "add_vjp_jvp",
    "bias", "bias_jvp", "bias_vjp", "bias_vjp_jvp",
    "complex_from_pairs", "complex_from_pairs_jvp", "complex_from_pairs_vjp", "complex_from_pairs_vjp_jvp",
    "pairs_from_complex", "pairs_from_complex_jvp", "pairs_from_complex_vjp", "pairs_from_complex_vjp_jvp",
    "rescale", "rescale_jvp", "rescale_vjp", "rescale_vjp_jvp",
    "take", "take_jvp", "take_vjp", "take_vjp_jvp",
]  # fmt: skip

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...] | None
Spans = tuple[tuple[int, int], ...]
Runs = tuple[tuple[float, int], ...]


def take(x: Array, spans: Spans) -> Array:
    """Columns of a state, side by side: x (N, dim) -> (N, sum of stop - start), spans ((start, stop), ...)."""
    x = check_array("take", "x", x, (None, None), REAL_OR_COMPLEX)
    for start, stop in spans:
        if not 0 <= start < stop <= x.shape[1]:
            raise ShapeError(f"take: 'spans' must lie in 0..{x.shape[1]}, got ({start}, {stop})")
    return np.concatenate([x[:, start:stop] for start, stop in spans], axis=1)


def take_jvp(x: Array, x_dot: Array | None, spans: Spans) -> Array | None:
    """Tangent of `take`."""
    return None if x_dot is None else take(x_dot, spans)


def take_vjp(y_bar: Array, x: Array, spans: Spans, needs: Needs = None) -> tuple[Array | None]:
    """Cotangent of `take`: y_bar put back where it came from, zero elsewhere."""
    if not check_needs("take_vjp", needs, 1)[0]:
        return (None,)
    x_bar, at = np.zeros_like(x), 0
    for start, stop in spans:
        x_bar[:, start:stop] += y_bar[:, at : at + stop - start]  # D2
        at += stop - start
    return (x_bar,)


def take_vjp_jvp(
    y_bar: Array, x: Array, y_bar_dot: Array | None, x_dot: Array | None, spans: Spans, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent."""
    return (None,) if y_bar_dot is None else take_vjp(y_bar_dot, x, spans, needs)


def add(*states: Array) -> Array:
    """Sum of states of one type, from left to right."""
    first = check_array("add", "x_0", states[0], (...,), REAL_OR_COMPLEX)
    total = first.copy()
    for i, state in enumerate(states[1:], start=1):
        total += check_array("add", f"x_{i}", state, first.shape, (first.dtype,))
    return total


def add_jvp(*states_and_dots: Array | None) -> Array | None:
    """Tangent of `add`: the sum of the tangents that are present."""
    half = len(states_and_dots) // 2
    dots = [dot for dot in states_and_dots[half:] if dot is not None]
    return add(*dots) if dots else None


def add_vjp(y_bar: Array, *states: Array, needs: Needs = None) -> tuple[Array | None, ...]:
    """Cotangent of `add`: y_bar for every state."""
    return tuple(y_bar if need else None for need in check_needs("add_vjp", needs, len(states)))


def add_vjp_jvp(y_bar: Array, *rest: Array | None, needs: Needs = None) -> tuple[Array | None, ...]:
    """Tangent of the cotangent: y_bar_dot, which stands between the states and their tangents, for every state."""
    half = (len(rest) - 1) // 2
    y_bar_dot = rest[half]
    return tuple(y_bar_dot if need else None for need in check_needs("add_vjp_jvp", needs, half))


def rescale(x: Array, runs: Runs) -> Array:
    """Columns times constants: x (..., dim), runs ((factor, number of columns), ...) that cover all columns.

    Stored weights of a published model meet its constants here: path factors, 1/sqrt(fan-in), 1/(mean neighbours).
    """
    width = sum(count for _, count in runs)
    x = check_array("rescale", "x", x, (..., width), REAL_OR_COMPLEX)
    return x * _factors(runs, x.real.dtype.name)


def rescale_jvp(x: Array, x_dot: Array | None, runs: Runs) -> Array | None:
    """Tangent of `rescale`."""
    return None if x_dot is None else rescale(x_dot, runs)


def rescale_vjp(y_bar: Array, x: Array, runs: Runs, needs: Needs = None) -> tuple[Array | None]:
    """Cotangent of `rescale`: the same factors."""
    return (rescale(y_bar, runs) if check_needs("rescale_vjp", needs, 1)[0] else None,)  # D3


def rescale_vjp_jvp(
    y_bar: Array, x: Array, y_bar_dot: Array | None, x_dot: Array | None, runs: Runs, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent."""
    return (None,) if y_bar_dot is None else rescale_vjp(y_bar_dot, x, runs, needs)


@cache
def _factors(runs: Runs, dtype: str) -> Array:
    return np.repeat(np.array([f for f, _ in runs], dtype), [count for _, count in runs])


def bias(x: Array, b: Array, kind: Array) -> Array:
    r"""A learned constant added to every row, :math:`y_{n,c} = x_{n,c} + b_{k(n),c}`; covariant on scalars only.

    Parameters
    ----------
    x : (N, dim) float64, float32, complex128 or complex64
    b : (n_kinds, dim) same dtype
    kind : (N,) integers below n_kinds
    """
    x, b, kind = _checked_bias("bias", x, b, kind)
    return x + b[kind]


def bias_jvp(x: Array, b: Array, x_dot: Array | None, b_dot: Array | None, kind: Array) -> Array | None:
    """Tangent of `bias`; None where both tangents are None."""
    x, b, kind = _checked_bias("bias_jvp", x, b, kind)
    x_dot, b_dot = check_like("bias_jvp", "x_dot", x_dot, x), check_like("bias_jvp", "b_dot", b_dot, b)
    if b_dot is None:
        return x_dot
    return b_dot[kind] if x_dot is None else x_dot + b_dot[kind]


def bias_vjp(y_bar: Array, x: Array, b: Array, kind: Array, needs: Needs = None) -> tuple[Array | None, ...]:
    r"""Cotangents of `bias`: y_bar, and its sum over the rows of each kind."""
    x, b, kind = _checked_bias("bias_vjp", x, b, kind)
    y_bar = check_array("bias_vjp", "y_bar", y_bar, x.shape, (x.dtype,))
    need_x, need_b = check_needs("bias_vjp", needs, 2)
    b_bar = None
    if need_b:
        wide = np.result_type(b.dtype, np.float64)
        b_bar = np.stack([y_bar[kind == k].sum(axis=0, dtype=wide) for k in range(len(b))]).astype(b.dtype)  # D4
    return y_bar if need_x else None, b_bar


def bias_vjp_jvp(
    y_bar: Array, x: Array, b: Array,
    y_bar_dot: Array | None, x_dot: Array | None, b_dot: Array | None,
    kind: Array, needs: Needs = None,
) -> tuple[Array | None, ...]:  # fmt: skip
    """Tangents of the cotangents."""
    return (None, None) if y_bar_dot is None else bias_vjp(y_bar_dot, x, b, kind, needs)


def _checked_bias(function: str, x: Array, b: Array, kind: Array) -> tuple[Array, Array, Array]:
    x = check_array(function, "x", x, (None, None), REAL_OR_COMPLEX)
    b = check_array(function, "b", b, (None, x.shape[1]), (x.dtype,))
    return x, b, check_index(function, "kind", kind, len(b), (len(x),)).astype(np.intp)


def complex_from_pairs(x: Array) -> Array:
    """Pairs (re, im) read as complex numbers: (N, 2 n) float64 or float32 -> (N, n) complex."""
    x = check_array("complex_from_pairs", "x", x, (None, None), REAL)
    if x.shape[1] % 2:
        raise ShapeError(f"complex_from_pairs: 'x' must have an even number of columns, got {x.shape}")
    return x.view(np.result_type(x.dtype, np.complex64))


def complex_from_pairs_jvp(x: Array, x_dot: Array | None) -> Array | None:
    """Tangent of `complex_from_pairs`."""
    return None if x_dot is None else complex_from_pairs(x_dot)


def complex_from_pairs_vjp(y_bar: Array, x: Array, needs: Needs = None) -> tuple[Array | None]:
    """Cotangent of `complex_from_pairs`: Re(y_bar (a + ib)) has the cotangents Re y_bar and -Im y_bar."""
    if not check_needs("complex_from_pairs_vjp", needs, 1)[0]:
        return (None,)
    return (np.ascontiguousarray(y_bar.conj()).view(x.dtype),)  # D5


def complex_from_pairs_vjp_jvp(
    y_bar: Array, x: Array, y_bar_dot: Array | None, x_dot: Array | None, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent."""
    return (None,) if y_bar_dot is None else complex_from_pairs_vjp(y_bar_dot, x, needs)


def pairs_from_complex(x: Array) -> Array:
    """Complex numbers as pairs (re, im): (N, n) complex128 or complex64 -> (N, 2 n) real."""
    x = check_array("pairs_from_complex", "x", x, (None, None), (np.complex128, np.complex64))
    return x.view(x.real.dtype)


def pairs_from_complex_jvp(x: Array, x_dot: Array | None) -> Array | None:
    """Tangent of `pairs_from_complex`."""
    return None if x_dot is None else pairs_from_complex(x_dot)


def pairs_from_complex_vjp(y_bar: Array, x: Array, needs: Needs = None) -> tuple[Array | None]:
    """Cotangent of `pairs_from_complex`: a a_dot + b b_dot = Re((a - ib)(a_dot + i b_dot))."""
    if not check_needs("pairs_from_complex_vjp", needs, 1)[0]:
        return (None,)
    return (np.ascontiguousarray(y_bar).view(x.dtype).conj(),)  # D6


def pairs_from_complex_vjp_jvp(
    y_bar: Array, x: Array, y_bar_dot: Array | None, x_dot: Array | None, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent."""
    return (None,) if y_bar_dot is None else pairs_from_complex_vjp(y_bar_dot, x, needs)
