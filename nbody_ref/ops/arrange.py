r"""Linear steps that move, add and scale the entries of a state: parts of it, sums, constant factors, a bias.

For y = A x all four functions follow from A and its transpose. `bias` is linear in both its arguments. Derivation:
docs/derivations/arrange.md.
"""

from __future__ import annotations

import operator
from functools import cache
from typing import Any

import numpy as np

from nbody_ref.errors import ShapeError
from nbody_ref.ops._check import REAL, REAL_OR_COMPLEX, check_array, check_index, check_like, check_needs

__all__ = [
    "add",
    "add_jvp",
    "add_vjp",
    "add_vjp_jvp",
    "bias",
    "bias_jvp",
    "bias_vjp",
    "bias_vjp_jvp",
    "complex_from_pairs",
    "complex_from_pairs_jvp",
    "complex_from_pairs_vjp",
    "complex_from_pairs_vjp_jvp",
    "pairs_from_complex",
    "pairs_from_complex_jvp",
    "pairs_from_complex_vjp",
    "pairs_from_complex_vjp_jvp",
    "rescale",
    "rescale_jvp",
    "rescale_vjp",
    "rescale_vjp_jvp",
    "take",
    "take_jvp",
    "take_vjp",
    "take_vjp_jvp",
]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...] | None
Spans = tuple[tuple[int, int], ...]
Runs = tuple[tuple[float, int], ...]


def take(x: Any, spans: Spans) -> Array:
    """Columns of a state, side by side: x (N, dim) -> (N, sum of stop - start), spans ((start, stop), ...)."""
    x, spans, _ = _checked_spans("take", x, spans)
    return np.concatenate([x[:, start:stop] for start, stop in spans], axis=1)


def take_jvp(x: Any, x_dot: Any, spans: Spans) -> Array | None:
    """Tangent of `take`."""
    x, spans, _ = _checked_spans("take_jvp", x, spans)
    x_dot = check_like("take_jvp", "x_dot", x_dot, x)
    return None if x_dot is None else take(x_dot, spans)


def take_vjp(y_bar: Any, x: Any, spans: Spans, needs: Needs = None) -> tuple[Array | None]:
    """Cotangent of `take`: y_bar put back where it came from, zero elsewhere."""
    x, spans, width = _checked_spans("take_vjp", x, spans)
    y_bar = check_array("take_vjp", "y_bar", y_bar, (len(x), width), (x.dtype,))
    if not check_needs("take_vjp", needs, 1)[0]:
        return (None,)
    x_bar, at = np.zeros_like(x), 0
    for start, stop in spans:
        x_bar[:, start:stop] += y_bar[:, at : at + stop - start]  # D2
        at += stop - start
    return (x_bar,)


def take_vjp_jvp(
    y_bar: Any, x: Any, y_bar_dot: Any, x_dot: Any, spans: Spans, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent."""
    x, spans, width = _checked_spans("take_vjp_jvp", x, spans)
    check_like("take_vjp_jvp", "x_dot", x_dot, x)
    y_bar = check_array("take_vjp_jvp", "y_bar", y_bar, (len(x), width), (x.dtype,))
    y_bar_dot = check_like("take_vjp_jvp", "y_bar_dot", y_bar_dot, y_bar)
    wanted = check_needs("take_vjp_jvp", needs, 1)
    return (None,) if y_bar_dot is None else take_vjp(y_bar_dot, x, spans, wanted)


def _checked_spans(function: str, x: Any, spans: Any) -> tuple[Array, Spans, int]:
    x = check_array(function, "x", x, (None, None), REAL_OR_COMPLEX)
    try:
        found = tuple((operator.index(start), operator.index(stop)) for start, stop in spans)
    except (TypeError, ValueError):
        found = ()
    if not found or not all(0 <= start < stop <= x.shape[1] for start, stop in found):
        raise ShapeError(f"{function}: 'spans' must be pairs of columns in 0..{x.shape[1]}, got {spans!r}")
    return x, found, sum(stop - start for start, stop in found)


def add(*states: Any) -> Array:
    """Sum of states of one type, from left to right."""
    first, *others = _states("add", states)
    total = first.copy()
    for state in others:
        total += state
    return total


def add_jvp(*states_and_dots: Any) -> Array | None:
    """Tangent of `add`: the sum of the tangents that are present."""
    half = len(states_and_dots) // 2
    states = _states("add_jvp", states_and_dots[:half])
    dots = [check_like("add_jvp", f"x_{i}_dot", d, states[0]) for i, d in enumerate(states_and_dots[half:])]
    given = [dot for dot in dots if dot is not None]
    return add(*given) if given else None


def add_vjp(y_bar: Any, *states: Any, needs: Needs = None) -> tuple[Array | None, ...]:
    """Cotangent of `add`: y_bar for every state."""
    first = _states("add_vjp", states)[0]
    y_bar = check_array("add_vjp", "y_bar", y_bar, first.shape, (first.dtype,))
    return tuple(y_bar if need else None for need in check_needs("add_vjp", needs, len(states)))


def add_vjp_jvp(y_bar: Any, *rest: Any, needs: Needs = None) -> tuple[Array | None, ...]:
    """Tangent of the cotangent: y_bar_dot, which stands between the states and their tangents, for every state."""
    half = (len(rest) - 1) // 2
    first = _states("add_vjp_jvp", rest[:half])[0]
    check_array("add_vjp_jvp", "y_bar", y_bar, first.shape, (first.dtype,))
    y_bar_dot = check_like("add_vjp_jvp", "y_bar_dot", rest[half], first)
    for i, dot in enumerate(rest[half + 1 :]):
        check_like("add_vjp_jvp", f"x_{i}_dot", dot, first)
    return tuple(y_bar_dot if need else None for need in check_needs("add_vjp_jvp", needs, half))


def _states(function: str, states: Any) -> list[Array]:
    if not states:
        raise ShapeError(f"{function}: there must be one state at least, got none")
    first = check_array(function, "x_0", states[0], (...,), REAL_OR_COMPLEX)
    rest = enumerate(states[1:], start=1)
    return [first, *(check_array(function, f"x_{i}", x, first.shape, (first.dtype,)) for i, x in rest)]


def rescale(x: Any, runs: Runs) -> Array:
    """Columns times constants: x (..., dim), runs ((factor, number of columns), ...) that cover all columns.

    Stored weights of a published model meet its constants here: path factors, 1/sqrt(fan-in), 1/(mean neighbours).
    """
    x, factors = _checked_runs("rescale", x, runs)
    return np.asarray(x * factors)


def rescale_jvp(x: Any, x_dot: Any, runs: Runs) -> Array | None:
    """Tangent of `rescale`."""
    x, factors = _checked_runs("rescale_jvp", x, runs)
    x_dot = check_like("rescale_jvp", "x_dot", x_dot, x)
    return None if x_dot is None else x_dot * factors


def rescale_vjp(y_bar: Any, x: Any, runs: Runs, needs: Needs = None) -> tuple[Array | None]:
    """Cotangent of `rescale`: the same factors."""
    x, factors = _checked_runs("rescale_vjp", x, runs)
    y_bar = check_array("rescale_vjp", "y_bar", y_bar, x.shape, (x.dtype,))
    return (y_bar * factors if check_needs("rescale_vjp", needs, 1)[0] else None,)  # D3


def rescale_vjp_jvp(
    y_bar: Any, x: Any, y_bar_dot: Any, x_dot: Any, runs: Runs, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent."""
    x, factors = _checked_runs("rescale_vjp_jvp", x, runs)
    check_array("rescale_vjp_jvp", "y_bar", y_bar, x.shape, (x.dtype,))
    check_like("rescale_vjp_jvp", "x_dot", x_dot, x)
    y_bar_dot = check_like("rescale_vjp_jvp", "y_bar_dot", y_bar_dot, x)
    wanted = check_needs("rescale_vjp_jvp", needs, 1)[0]
    return (None if y_bar_dot is None or not wanted else y_bar_dot * factors,)


def _checked_runs(function: str, x: Any, runs: Any) -> tuple[Array, Array]:
    try:
        found = tuple((float(factor), operator.index(count)) for factor, count in runs)
    except (TypeError, ValueError, OverflowError):
        found = ()
    if not found or not all(np.isfinite(factor) and count > 0 for factor, count in found):
        raise ShapeError(f"{function}: 'runs' must be pairs (factor, number of columns), got {runs!r}")
    x = check_array(function, "x", x, (..., sum(count for _, count in found)), REAL_OR_COMPLEX)
    return x, _factors(found, x.real.dtype.name)


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
    return np.asarray(x + b[kind])


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
    y_bar: Array,
    x: Array,
    b: Array,
    y_bar_dot: Array | None,
    x_dot: Array | None,
    b_dot: Array | None,
    kind: Array,
    needs: Needs = None,
) -> tuple[Array | None, ...]:
    """Tangents of the cotangents."""
    name = "bias_vjp_jvp"
    x, b, kind = _checked_bias(name, x, b, kind)
    check_like(name, "x_dot", x_dot, x)
    check_like(name, "b_dot", b_dot, b)
    check_array(name, "y_bar", y_bar, x.shape, (x.dtype,))
    y_bar_dot = check_like(name, "y_bar_dot", y_bar_dot, x)
    wanted = check_needs(name, needs, 2)
    return (None, None) if y_bar_dot is None else bias_vjp(y_bar_dot, x, b, kind, wanted)


def _checked_bias(function: str, x: Array, b: Array, kind: Array) -> tuple[Array, Array, Array]:
    x = check_array(function, "x", x, (None, None), REAL_OR_COMPLEX)
    b = check_array(function, "b", b, (None, x.shape[1]), (x.dtype,))
    return x, b, check_index(function, "kind", kind, len(b), (len(x),)).astype(np.intp)


def complex_from_pairs(x: Any) -> Array:
    """Pairs (re, im) read as complex numbers: (N, 2 n) float64 or float32 -> (N, n) complex."""
    return _as_complex(_pairs("complex_from_pairs", x))


def complex_from_pairs_jvp(x: Any, x_dot: Any) -> Array | None:
    """Tangent of `complex_from_pairs`."""
    x_dot = check_like("complex_from_pairs_jvp", "x_dot", x_dot, _pairs("complex_from_pairs_jvp", x))
    return None if x_dot is None else _as_complex(x_dot)


def complex_from_pairs_vjp(y_bar: Any, x: Any, needs: Needs = None) -> tuple[Array | None]:
    """Cotangent of `complex_from_pairs`: Re(y_bar (a + ib)) has the cotangents Re y_bar and -Im y_bar."""
    z = _as_complex(_pairs("complex_from_pairs_vjp", x))
    y_bar = check_array("complex_from_pairs_vjp", "y_bar", y_bar, z.shape, (z.dtype,))
    return (_as_pairs(y_bar.conj()) if check_needs("complex_from_pairs_vjp", needs, 1)[0] else None,)  # D5


def complex_from_pairs_vjp_jvp(
    y_bar: Any, x: Any, y_bar_dot: Any, x_dot: Any, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent."""
    name = "complex_from_pairs_vjp_jvp"
    x = _pairs(name, x)
    z = _as_complex(x)
    check_like(name, "x_dot", x_dot, x)
    check_array(name, "y_bar", y_bar, z.shape, (z.dtype,))
    y_bar_dot = check_like(name, "y_bar_dot", y_bar_dot, z)
    wanted = check_needs(name, needs, 1)[0]
    return (None if y_bar_dot is None or not wanted else _as_pairs(y_bar_dot.conj()),)


def pairs_from_complex(x: Any) -> Array:
    """Complex numbers as pairs (re, im): (N, n) complex128 or complex64 -> (N, 2 n) real."""
    return _as_pairs(_complex("pairs_from_complex", x))


def pairs_from_complex_jvp(x: Any, x_dot: Any) -> Array | None:
    """Tangent of `pairs_from_complex`."""
    x_dot = check_like("pairs_from_complex_jvp", "x_dot", x_dot, _complex("pairs_from_complex_jvp", x))
    return None if x_dot is None else _as_pairs(x_dot)


def pairs_from_complex_vjp(y_bar: Any, x: Any, needs: Needs = None) -> tuple[Array | None]:
    """Cotangent of `pairs_from_complex`: a a_dot + b b_dot = Re((a - ib)(a_dot + i b_dot))."""
    pairs = _as_pairs(_complex("pairs_from_complex_vjp", x))
    y_bar = check_array("pairs_from_complex_vjp", "y_bar", y_bar, pairs.shape, (pairs.dtype,))
    return (_as_complex(y_bar).conj() if check_needs("pairs_from_complex_vjp", needs, 1)[0] else None,)  # D6


def pairs_from_complex_vjp_jvp(
    y_bar: Any, x: Any, y_bar_dot: Any, x_dot: Any, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent."""
    name = "pairs_from_complex_vjp_jvp"
    x = _complex(name, x)
    pairs = _as_pairs(x)
    check_like(name, "x_dot", x_dot, x)
    check_array(name, "y_bar", y_bar, pairs.shape, (pairs.dtype,))
    y_bar_dot = check_like(name, "y_bar_dot", y_bar_dot, pairs)
    wanted = check_needs(name, needs, 1)[0]
    return (None if y_bar_dot is None or not wanted else _as_complex(y_bar_dot).conj(),)


def _pairs(function: str, x: Any) -> Array:
    found = check_array(function, "x", x, (None, None), REAL)
    if found.shape[1] % 2:
        raise ShapeError(f"{function}: 'x' must have an even number of columns, got {found.shape}")
    return found


def _complex(function: str, x: Any) -> Array:
    return check_array(function, "x", x, (None, None), (np.complex128, np.complex64))


def _as_complex(x: Array) -> Array:
    out = np.empty((len(x), x.shape[1] // 2), np.result_type(x.dtype, np.complex64))
    out.real, out.imag = x[:, ::2], x[:, 1::2]
    return out


def _as_pairs(x: Array) -> Array:
    out = np.empty((len(x), 2 * x.shape[1]), x.real.dtype)
    out[:, ::2], out[:, 1::2] = x.real, x.imag
    return out
