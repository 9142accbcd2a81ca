r"""Linear maps without learned weights: stacking states, changing precision, affine combinations of points.

For y = A x all four functions follow from A and its transpose: the tangent is A x_dot, the cotangent A^T y_bar, and
the tangent of the cotangent A^T y_bar_dot. Derivation: docs/derivations/linear.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from nbody_ref.certified.lowering import Lowering, kinds
from nbody_ref.certified.program import Sum
from nbody_ref.certified.terms import width
from nbody_ref.errors import DTypeError, ShapeError
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_sparse
from nbody_ref.ops._op import Arguments, Example, Exponents, Gauges, Linear, Rows

__all__ = [
    "AFFINE",
    "CAST",
    "CONCAT",
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

    Examples
    --------
    >>> from nbody_ref.ops.linear import concat
    >>> import numpy as np
    >>> concat(np.zeros((1, 1)), np.ones((1, 2)))
    array([[0., 1., 1.]])
    """
    return CONCAT.value(*states)


class _Concat(Linear):
    inputs = ("x_*",)

    def check(self, function: str, *states: Any) -> Arguments:
        if not states:
            raise ShapeError(f"{function}: 'states' must be one at least, got none")
        first = check_array(function, "states", states[0], (..., None), REAL_OR_COMPLEX)
        leading = first.shape[:-1]
        found = [check_array(function, "states", x, (*leading, None), (first.dtype,)) for x in states]
        return Arguments(found, (), (*leading, sum(x.shape[-1] for x in found)), first.dtype)

    def forward(self, *states: Array) -> Array:
        return np.concatenate(states, axis=-1)

    def adjoint(self, k: int, y_bar: Array, *states: Array) -> Array:
        """The blocks of y_bar."""
        start = sum(x.shape[-1] for x in states[:k])
        return y_bar[..., start : start + states[k].shape[-1]]

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(3, 2)), rng.normal(size=(3, 4))], []

    def exact(self, gauges: Gauges, *states: Rows) -> Rows:
        return [[x for part in parts for x in part] for parts in zip(*states, strict=True)]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str) -> None:
        dims = [low.shape(name)[1] for name in inputs]
        rows, starts = np.arange(low.shape(inputs[0])[0]), np.cumsum([0, *dims])
        shape, columns = (len(rows), int(starts[-1])), [np.arange(dim) for dim in dims]
        legs = zip(starts, columns, inputs)
        low.sum(out, *(low.linear((rows, at + c), shape, name, (rows, c)) for at, c, name in legs))

    def phase(self, known: Sequence[Exponents]) -> Exponents:
        return tuple(e for part in known for e in part)


CONCAT = _Concat(concat)
concat_jvp, concat_vjp, concat_vjp_jvp = CONCAT.derivatives()


def cast(x: Array, dtype: Any) -> Array:
    """The same numbers in another precision; displacements are formed in float64 and cast afterwards.

    Raises
    ------
    DTypeError
        If `x` or `dtype` is neither real nor complex floating, or complex numbers would lose their imaginary part.

    Examples
    --------
    >>> from nbody_ref.ops.linear import cast
    >>> import numpy as np
    >>> cast(np.ones((1, 2)), np.float32).dtype
    dtype('float32')
    """
    return CAST.value(x, dtype)


class _Cast(Linear):
    statics = ("dtype",)

    def check(self, function: str, x: Any, dtype: Any) -> Arguments:
        x = check_array(function, "x", x, (...,), REAL_OR_COMPLEX)
        try:
            found = None if dtype is None else np.dtype(dtype)
        except TypeError:
            found = None
        if found is None or not any(found == allowed for allowed in REAL_OR_COMPLEX):
            raise DTypeError(f"{function}: 'dtype' must be a real or complex floating one, got {dtype!r}")
        if x.dtype.kind == "c" and found.kind != "c":
            raise DTypeError(f"{function}: 'dtype' must be complex for complex numbers, got {found}")
        return Arguments((x,), (found,), x.shape, found)

    def forward(self, x: Array, dtype: Any) -> Array:
        return x.astype(dtype, copy=False)

    def adjoint(self, k: int, y_bar: Array, x: Array, dtype: Any) -> Array:
        """y_bar in the precision of x; its real part if x is real."""
        real = y_bar.dtype.kind == "c" and x.dtype.kind != "c"
        return (y_bar.real if real else y_bar).astype(x.dtype, copy=False)

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(3, 2))], [np.float32]

    def exact(self, gauges: Gauges, x: Rows, dtype: Any) -> Rows:
        return x

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, dtype: Any) -> None:
        name, shape = inputs[0], low.shape(inputs[0])
        if np.dtype(dtype).kind != "c" or name in low.complex:
            low.whole(out, name)
            return
        rows, columns, doubled = np.arange(shape[0]), np.arange(width(shape)), (*shape[:-1], 2 * shape[-1])
        low.program.add(Sum(out, (low.linear((rows, 2 * columns), doubled, name, (rows, columns)),)))
        low.complex.add(out)


CAST = _Cast(cast)
cast_jvp, cast_vjp, cast_vjp_jvp = CAST.derivatives()


def affine(r: Array, coefficients: Any) -> Array:
    """Points as affine combinations of points, (N, 3) -> (M, 3), for a sparse (M, N) matrix whose rows sum to one.

    Raises
    ------
    ShapeError, DTypeError
        If `r` is not (N, 3) and real floating, or `coefficients` is no matrix with N columns.

    Examples
    --------
    >>> from nbody_ref.ops.linear import affine
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> affine(np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]]), csr_array([[0.5, 0.5]]))
    array([[1., 0., 0.]])
    """
    return AFFINE.value(r, coefficients)


class _Affine(Linear):
    inputs, statics = ("r",), ("coefficients",)

    def check(self, function: str, r: Any, coefficients: Any) -> Arguments:
        r = check_array(function, "r", r, (None, 3))
        check_sparse(function, "coefficients", coefficients)
        if len(getattr(coefficients, "shape", ())) != 2 or not hasattr(coefficients, "T"):
            raise DTypeError(f"{function}: 'coefficients' must be a matrix, got {type(coefficients).__name__}")
        if coefficients.shape[1] != len(r):
            raise ShapeError(f"{function}: 'coefficients' must have {len(r)} columns, got {coefficients.shape[1]}")
        return Arguments((r,), (coefficients,), (coefficients.shape[0], 3), r.dtype)

    def forward(self, r: Array, coefficients: Any) -> Array:
        return np.ascontiguousarray(coefficients @ r)

    def adjoint(self, k: int, y_bar: Array, r: Array, coefficients: Any) -> Array:
        """The transposed combination."""
        return np.ascontiguousarray(coefficients.T @ y_bar)

    def example(self, rng: np.random.Generator) -> Example:
        from scipy.sparse import csr_array

        return [rng.normal(size=(3, 3))], [csr_array(np.eye(3))]

    def exact(self, gauges: Gauges, r: Rows, coefficients: Any) -> Rows:
        exact, table, found = isinstance(r[0][0], int | Fraction), coefficients.tocsr(), []
        for row in range(table.shape[0]):
            span = range(table.indptr[row], table.indptr[row + 1])
            terms = [(int(table.indices[k]), float(table.data[k])) for k in span]
            weights = [(atom, Fraction(w).limit_denominator(10**6) if exact else w) for atom, w in terms]
            found.append([sum(w * r[atom][axis] for atom, w in weights) for axis in range(3)])
        return found

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, coefficients: Any) -> None:
        coo, xyz, zero = coefficients.tocoo(), np.arange(3), np.zeros(3, np.int64)
        factors = low.constant(coo.data[:, None])
        legs = (inputs[0], kinds(coo.coords[1]), xyz), (factors, np.arange(coo.nnz), zero)
        low.sum(out, low.terms((kinds(coo.coords[0]), xyz), (coefficients.shape[0], 3), *legs))


AFFINE = _Affine(affine)
affine_jvp, affine_vjp, affine_vjp_jvp = AFFINE.derivatives()
