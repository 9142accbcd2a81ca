r"""Linear steps that move, add and scale the entries of a state: parts of it, sums, constant factors, a bias.

For y = A x all four functions follow from A and its transpose. `bias` is linear in both its arguments. Derivation:
docs/derivations/arrange.md.
"""

from __future__ import annotations

import operator
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from nbody_ref.certified.lowering import Lowering, kinds
from nbody_ref.errors import ShapeError
from nbody_ref.exact.ring import Gauss
from nbody_ref.ops._check import REAL, REAL_OR_COMPLEX, check_array, check_index
from nbody_ref.ops._op import Arguments, Example, Gauges, Linear, Rows

__all__ = [
    "ADD",
    "BIAS",
    "COMPLEX_FROM_PAIRS",
    "PAIRS_FROM_COMPLEX",
    "RESCALE",
    "TAKE",
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
Spans = tuple[tuple[int, int], ...]
Runs = tuple[tuple[float, int], ...]


def take(x: Any, spans: Spans) -> Array:
    """Columns of a state, side by side: x (N, dim) -> (N, sum of stop - start), spans ((start, stop), ...).

    Examples
    --------
    >>> from nbody_ref.ops.arrange import take
    >>> import numpy as np
    >>> take(np.array([[1.0, 2.0, 3.0]]), ((1, 3),))
    array([[2., 3.]])
    """
    return TAKE.value(x, spans)


class _Take(Linear):
    statics = ("spans",)

    def check(self, function: str, x: Any, spans: Any) -> Arguments:
        x = check_array(function, "x", x, (None, None), REAL_OR_COMPLEX)
        try:
            found = tuple((operator.index(start), operator.index(stop)) for start, stop in spans)
        except (TypeError, ValueError):
            found = ()
        if not found or not all(0 <= start < stop <= x.shape[1] for start, stop in found):
            raise ShapeError(f"{function}: 'spans' must be pairs of columns in 0..{x.shape[1]}, got {spans!r}")
        return Arguments((x,), (found,), (len(x), sum(stop - start for start, stop in found)), x.dtype)

    def forward(self, x: Array, spans: Spans) -> Array:
        return np.concatenate([x[:, start:stop] for start, stop in spans], axis=1)

    def adjoint(self, k: int, y_bar: Array, x: Array, spans: Spans) -> Array:
        """y_bar put back where it came from, zero elsewhere."""
        x_bar, at = np.zeros_like(x), 0
        for start, stop in spans:
            x_bar[:, start:stop] += y_bar[:, at : at + stop - start]  # D2
            at += stop - start
        return x_bar

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 5))], [((0, 2), (1, 5))]

    def exact(self, gauges: Gauges, x: Rows, spans: Spans) -> Rows:
        return [[value for start, stop in spans for value in row[start:stop]] for row in x]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, spans: Spans) -> None:
        places = np.concatenate([np.arange(start, stop) for start, stop in spans])
        low.columns(out, inputs[0], places, np.ones(len(places)))


TAKE = _Take(take)
take_jvp, take_vjp, take_vjp_jvp = TAKE.derivatives()


def add(*states: Any) -> Array:
    """Sum of states of one type, from left to right.

    Examples
    --------
    >>> from nbody_ref.ops.arrange import add
    >>> import numpy as np
    >>> add(np.ones((1, 2)), np.ones((1, 2)))
    array([[2., 2.]])
    """
    return ADD.value(*states)


class _Add(Linear):
    inputs = ("x_*",)

    def check(self, function: str, *states: Any) -> Arguments:
        if not states:
            raise ShapeError(f"{function}: there must be one state at least, got none")
        first = check_array(function, "x_0", states[0], (...,), REAL_OR_COMPLEX)
        rest = enumerate(states[1:], start=1)
        found = [first, *(check_array(function, f"x_{i}", x, first.shape, (first.dtype,)) for i, x in rest)]
        return Arguments(found, (), first.shape, first.dtype)

    def forward(self, *states: Array) -> Array:
        total = states[0].copy()
        for state in states[1:]:
            total += state
        return total

    def adjoint(self, k: int, y_bar: Array, *states: Array) -> Array:
        """y_bar for every state."""
        return y_bar

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 5)), rng.normal(size=(4, 5))], []

    def exact(self, gauges: Gauges, *states: Rows) -> Rows:
        return [[sum(entries[1:], entries[0]) for entries in zip(*rows)] for rows in zip(*states)]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str) -> None:
        low.whole(out, *inputs)


ADD = _Add(add)
add_jvp, add_vjp, add_vjp_jvp = ADD.derivatives()


def rescale(x: Any, runs: Runs) -> Array:
    """Columns times constants: x (..., dim), runs ((factor, number of columns), ...) that cover all columns.

    Stored weights of a published model meet its constants here: path factors, 1/sqrt(fan-in), 1/(mean neighbours).

    Examples
    --------
    >>> from nbody_ref.ops.arrange import rescale
    >>> import numpy as np
    >>> rescale(np.ones((1, 3)), ((2.0, 1), (3.0, 2)))
    array([[2., 3., 3.]])
    """
    return RESCALE.value(x, runs)


class _Rescale(Linear):
    statics = ("runs",)

    def check(self, function: str, x: Any, runs: Any) -> Arguments:
        try:
            found = tuple((float(factor), operator.index(count)) for factor, count in runs)
        except (TypeError, ValueError, OverflowError):
            found = ()
        if not found or not all(np.isfinite(factor) and count > 0 for factor, count in found):
            raise ShapeError(f"{function}: 'runs' must be pairs (factor, number of columns), got {runs!r}")
        x = check_array(function, "x", x, (..., sum(count for _, count in found)), REAL_OR_COMPLEX)
        return Arguments((x,), (_factors(found, x.real.dtype.name),), x.shape, x.dtype)

    def forward(self, x: Array, factors: Array) -> Array:
        return x * factors

    def adjoint(self, k: int, y_bar: Array, x: Array, factors: Array) -> Array:
        """y_bar times the same factors."""
        return y_bar * factors  # D3

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 5))], [((2.0, 3), (0.5, 2))]

    def exact(self, gauges: Gauges, x: Rows, runs: Runs) -> Rows:
        factors = [Fraction(factor) for factor, count in runs for _ in range(count)]
        return [
            [value * (f if isinstance(value, int | Fraction | Gauss) else float(f)) for value, f in zip(row, factors)]
            for row in x
        ]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, runs: Runs) -> None:
        factors = _factors(runs, "float64")
        low.columns(out, inputs[0], np.arange(len(factors)), factors)


RESCALE = _Rescale(rescale)
rescale_jvp, rescale_vjp, rescale_vjp_jvp = RESCALE.derivatives()


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

    Examples
    --------
    >>> from nbody_ref.ops.arrange import bias
    >>> import numpy as np
    >>> bias(np.zeros((2, 2)), np.array([[1.0, 2.0]]), np.array([0, 0]))
    array([[1., 2.],
           [1., 2.]])
    """
    return BIAS.value(x, b, kind)


class _Bias(Linear):
    inputs, statics = ("x", "b"), ("kind",)

    def check(self, function: str, x: Any, b: Any, kind: Any) -> Arguments:
        x = check_array(function, "x", x, (None, None), REAL_OR_COMPLEX)
        b = check_array(function, "b", b, (None, x.shape[1]), (x.dtype,))
        kind = check_index(function, "kind", kind, len(b), (len(x),)).astype(np.intp)
        return Arguments((x, b), (kind,), x.shape, x.dtype)

    def forward(self, x: Array, b: Array, kind: Array) -> Array:
        return np.asarray(x + b[kind])

    def adjoint(self, k: int, y_bar: Array, x: Array, b: Array, kind: Array) -> Array:
        """y_bar, and its sum over the rows of each kind."""
        if k == 0:
            return y_bar
        wide = np.result_type(b.dtype, np.float64)
        return np.stack([y_bar[kind == j].sum(axis=0, dtype=wide) for j in range(len(b))]).astype(b.dtype)  # D4

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 5)), rng.normal(size=(2, 5))], [np.array([0, 1, 0, 1], np.uintp)]

    def exact(self, gauges: Gauges, x: Rows, b: Rows, kind: Any) -> Rows:
        return [[value + shift for value, shift in zip(row, b[int(k)])] for row, k in zip(x, kind, strict=True)]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, kind: Any) -> None:
        shape = low.shape(inputs[0])
        rows, columns = np.arange(shape[0]), np.arange(shape[1])
        legs = zip(inputs, (rows, kinds(kind)))
        low.sum(out, *(low.linear((rows, columns), shape, name, (at, columns)) for name, at in legs))


BIAS = _Bias(bias)
bias_jvp, bias_vjp, bias_vjp_jvp = BIAS.derivatives()


def complex_from_pairs(x: Any) -> Array:
    """Pairs (re, im) read as complex numbers: (N, 2 n) float64 or float32 -> (N, n) complex.

    Examples
    --------
    >>> from nbody_ref.ops.arrange import complex_from_pairs
    >>> import numpy as np
    >>> complex_from_pairs(np.array([[1.0, 2.0]]))
    array([[1.+2.j]])
    """
    return COMPLEX_FROM_PAIRS.value(x)


class _ComplexFromPairs(Linear):
    def check(self, function: str, x: Any) -> Arguments:
        x = check_array(function, "x", x, (None, None), REAL)
        if x.shape[1] % 2:
            raise ShapeError(f"{function}: 'x' must have an even number of columns, got {x.shape}")
        return Arguments((x,), (), (len(x), x.shape[1] // 2), np.result_type(x.dtype, np.complex64))

    def forward(self, x: Array) -> Array:
        return _as_complex(x)

    def adjoint(self, k: int, y_bar: Array, x: Array) -> Array:
        """Re(y_bar (a + ib)) has the cotangents Re y_bar and -Im y_bar."""
        return _as_pairs(y_bar.conj())  # D5

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 6))], []

    def exact(self, gauges: Gauges, x: Rows) -> Rows:
        exact = bool(x) and isinstance(x[0][0], int | Fraction)
        return [[Gauss(a, b) if exact else a + 1j * b for a, b in zip(row[::2], row[1::2])] for row in x]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str) -> None:
        low.copy(out, inputs[0], is_complex=True)


COMPLEX_FROM_PAIRS = _ComplexFromPairs(complex_from_pairs)
complex_from_pairs_jvp, complex_from_pairs_vjp, complex_from_pairs_vjp_jvp = COMPLEX_FROM_PAIRS.derivatives()


def pairs_from_complex(x: Any) -> Array:
    """Complex numbers as pairs (re, im): (N, n) complex128 or complex64 -> (N, 2 n) real.

    Examples
    --------
    >>> from nbody_ref.ops.arrange import pairs_from_complex
    >>> import numpy as np
    >>> pairs_from_complex(np.array([[1 + 2j]]))
    array([[1., 2.]])
    """
    return PAIRS_FROM_COMPLEX.value(x)


class _PairsFromComplex(Linear):
    def check(self, function: str, x: Any) -> Arguments:
        x = check_array(function, "x", x, (None, None), (np.complex128, np.complex64))
        return Arguments((x,), (), (len(x), 2 * x.shape[1]), x.real.dtype)

    def forward(self, x: Array) -> Array:
        return _as_pairs(x)

    def adjoint(self, k: int, y_bar: Array, x: Array) -> Array:
        """From a a_dot + b b_dot = Re((a - ib)(a_dot + i b_dot))."""
        return _as_complex(y_bar).conj()  # D6

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 3)) + 1j * rng.normal(size=(4, 3))], []

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str) -> None:
        low.copy(out, inputs[0], is_complex=False)


PAIRS_FROM_COMPLEX = _PairsFromComplex(pairs_from_complex)
pairs_from_complex_jvp, pairs_from_complex_vjp, pairs_from_complex_vjp_jvp = PAIRS_FROM_COMPLEX.derivatives()


def _as_complex(x: Array) -> Array:
    out = np.empty((len(x), x.shape[1] // 2), np.result_type(x.dtype, np.complex64))
    out.real, out.imag = x[:, ::2], x[:, 1::2]
    return out


def _as_pairs(x: Array) -> Array:
    out = np.empty((len(x), 2 * x.shape[1]), x.real.dtype)
    out[:, ::2], out[:, 1::2] = x.real, x.imag
    return out
