r"""Norms of fragments, the invariants that norm nonlinearities act on.

.. math:: y_c = \sqrt{\textstyle\sum_m |x_{m c}|^2 + \epsilon^2}, \qquad q_c = \sum_m |x_{m c}|^2

q is a polynomial of real components. The norm is not differentiable at x = 0 if epsilon = 0: there all its derivatives
are taken as zero (the mean over all directions). With epsilon > 0 it is smooth everywhere. Derivation:
docs/derivations/norm.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np

from nbody_ref.certified.lowering import Lowering
from nbody_ref.certified.program import ONE, Sum
from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.errors import GeometryError
from nbody_ref.irreps import Irreps
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_type
from nbody_ref.ops._op import Arguments, CheckedOp, Example

__all__ = [
    "NORMS",
    "SQUARED_NORMS",
    "norms",
    "norms_jvp",
    "norms_vjp",
    "norms_vjp_jvp",
    "squared_norms",
    "squared_norms_jvp",
    "squared_norms_vjp",
    "squared_norms_vjp_jvp",
]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...]
Bars = tuple[Array, ...]


def squared_norms(x: Any, irreps: Irreps) -> Array:
    r"""Squared norm of every fragment, :math:`q_c = \sum_m |x_{m c}|^2`.

    Parameters
    ----------
    x : (N, irreps.dim) float64, float32, complex128 or complex64
        States in the real or the complex gauge.
    irreps : Irreps

    Returns
    -------
    (N, number of fragments) float64 or float32
        Fragments part by part, channel fastest.

    Raises
    ------
    ShapeError, DTypeError
        If `x` is not such an array.

    Notes
    -----
    |computed - exact| <= (2l + 3) u q. Gradient: `squared_norms_vjp`.

    Examples
    --------
    >>> from nbody_ref.ops.norm import squared_norms
    >>> import numpy as np
    >>> from nbody_ref import Irreps
    >>> squared_norms(np.array([[3.0, 0.0, 4.0]]), Irreps("1x1o"))
    array([[25.]])
    """
    return SQUARED_NORMS.value(x, irreps)


class _SquaredNorms(CheckedOp):
    statics, result = ("irreps",), "q"

    def check(self, function: str, x: Any, irreps: Any) -> Arguments:
        return _checked(function, x, irreps)

    def forward(self, x: Array, irreps: Irreps) -> Array:
        return _dot(x, x, irreps)  # D1

    def tangent(self, x: Array, x_dot: Array, irreps: Irreps) -> Array:
        return 2 * _dot(x, x_dot, irreps)  # D2

    def cotangents(self, needs: Needs, q_bar: Array, x: Array, irreps: Irreps) -> Bars:
        r""":math:`\bar x = 2 \bar q x^*`."""
        return (2 * (_spread(q_bar, irreps) * x.conj()),)  # D3

    def turning(
        self, needs: Needs, q_bar: Array, x: Array, q_bar_dot: Array | None, x_dot: Array | None, irreps: Irreps
    ) -> Bars:
        pairs = ((q_bar_dot, x), (q_bar, x_dot))
        terms = [2 * (_spread(a, irreps) * b.conj()) for a, b in pairs if a is not None and b is not None]
        return (sum(terms[1:], terms[0]),)  # D4

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 5))], [Irreps("2x0e + 1x1o")]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, irreps: Irreps) -> None:
        """re^2 + im^2, summed over components."""
        name, places = inputs[0], [(at, start, part) for at, start, part in _placed(irreps)]
        to = np.concatenate([np.tile(at + np.arange(part.mul), part.irrep.dim) for at, _, part in places])
        fro = np.concatenate([start + np.arange(part.dim) for _, start, part in places])
        if name in low.complex:
            to, fro = np.repeat(to, 2), np.stack([2 * fro, 2 * fro + 1], axis=1).reshape(-1)
        shape = low.program.shapes[name]
        rows = np.arange(shape[0])
        legs, zero = (Leg(name, rows, fro),) * 2, np.zeros(len(fro), np.int64)
        terms = Terms(rows, to, (shape[0], sum(part.mul for part in irreps)), legs, zero, ONE, {name: shape})
        low.program.add(Sum(out, (terms,)))


SQUARED_NORMS = _SquaredNorms(squared_norms)
squared_norms_jvp, squared_norms_vjp, squared_norms_vjp_jvp = SQUARED_NORMS.derivatives()


def norms(x: Any, irreps: Irreps, epsilon: float = 0.0) -> Array:
    r"""Norm of every fragment, :math:`y_c = \sqrt{\sum_m |x_{m c}|^2 + \epsilon^2}`.

    Parameters
    ----------
    x : (N, irreps.dim) float64, float32, complex128 or complex64
        States in the real or the complex gauge.
    irreps : Irreps
    epsilon : float
        In the unit of x. Zero: the norm itself, whose derivatives at x = 0 are taken as zero.

    Returns
    -------
    (N, number of fragments) float64 or float32
        Fragments part by part, channel fastest.

    Raises
    ------
    ShapeError, DTypeError
        If `x` is not such an array.
    GeometryError
        If `epsilon` is negative or not finite.

    Notes
    -----
    |computed - exact| <= (2l + 4) u y while no square underflows: components below 1e-154 (float32: 1e-19) count as
    zero. Gradient: `norms_vjp`.

    Examples
    --------
    >>> from nbody_ref.ops.norm import norms
    >>> import numpy as np
    >>> from nbody_ref import Irreps
    >>> norms(np.array([[3.0, 0.0, 4.0]]), Irreps("1x1o"))
    array([[5.]])
    """
    return NORMS.value(x, irreps, epsilon)


class _Norms(CheckedOp):
    statics, defaults = ("irreps", "epsilon"), {"epsilon": 0.0}

    def check(self, function: str, x: Any, irreps: Any, epsilon: Any = 0.0) -> Arguments:
        given = _checked(function, x, irreps)
        if isinstance(epsilon, bool) or not isinstance(epsilon, Real) or not 0 <= float(epsilon) < np.inf:
            raise GeometryError(f"{function}: 'epsilon' must be non-negative and finite, got {epsilon}")
        q = _dot(given.arrays[0], given.arrays[0], irreps)
        y = np.sqrt(q + q.dtype.type(float(epsilon) ** 2)) if epsilon else np.sqrt(q)
        return given._replace(statics=(irreps, y))

    def forward(self, x: Array, irreps: Irreps, y: Array) -> Array:
        return y

    def tangent(self, x: Array, x_dot: Array, irreps: Irreps, y: Array) -> Array:
        return _dot(x, x_dot, irreps) * _inverse(y)  # D5

    def cotangents(self, needs: Needs, y_bar: Array, x: Array, irreps: Irreps, y: Array) -> Bars:
        r""":math:`\bar x = \bar y x^* / y`."""
        return (_spread(y_bar * _inverse(y), irreps) * x.conj(),)  # D6

    def turning(self, needs: Needs, y_bar: Array, x: Array, *rest: Any) -> Bars:
        r""":math:`\dot{\bar y}\,x^*/y + \bar y\,(\dot x^* - x^*\,\dot y / y)/y`."""
        y_bar_dot, x_dot, irreps, y = rest
        inverse = _inverse(y)
        along = np.zeros_like(y_bar) if y_bar_dot is None else y_bar_dot * inverse
        if x_dot is None:
            return (_spread(along, irreps) * x.conj(),)
        across = y_bar * inverse
        along = along - across * (_dot(x, x_dot, irreps) * inverse) * inverse
        return (_spread(along, irreps) * x.conj() + _spread(across, irreps) * x_dot.conj(),)  # D7

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 5))], [Irreps("2x0e + 1x1o"), 0.5]


NORMS = _Norms(norms)
norms_jvp, norms_vjp, norms_vjp_jvp = NORMS.derivatives()


def _inverse(y: Array) -> Array:
    """1 / y, and zero where y is: the convention for the point where the norm has no derivative."""
    return np.divide(1, y, out=np.zeros_like(y), where=y > 0)


def _dot(x: Array, z: Array, irreps: Irreps) -> Array:
    """Re sum over m of conj(x) z for every fragment, m by m."""
    out = np.zeros((len(x), sum(part.mul for part in irreps)), x.real.dtype)
    for (column, _, part), a, b in zip(_placed(irreps), _parts(x, irreps), _parts(z, irreps), strict=True):
        columns = slice(column, column + part.mul)
        for m in range(a.shape[1]):
            out[:, columns] += a[:, m].real * b[:, m].real
            if x.dtype.kind == "c":
                out[:, columns] += a[:, m].imag * b[:, m].imag
    return out


def _spread(s: Array, irreps: Irreps) -> Array:
    """A number for each fragment, repeated for its components: (N, fragments) -> (N, dim)."""
    out = np.empty((len(s), irreps.dim), s.dtype)
    for (column, _, part), block in zip(_placed(irreps), _parts(out, irreps), strict=True):
        block[...] = s[:, None, column : column + part.mul]
    return out


def _parts(x: Array, irreps: Irreps) -> Iterator[Array]:
    for _, start, part in _placed(irreps):
        yield x[:, start : start + part.dim].reshape(len(x), part.irrep.dim, part.mul)


def _placed(irreps: Irreps) -> Iterator[tuple[int, int, Any]]:
    """First fragment of each part, where it starts in a state, and the part."""
    column = 0
    for start, part in zip(irreps.offsets, irreps, strict=True):
        yield column, start, part
        column += part.mul


def _checked(function: str, x: Any, irreps: Any) -> Arguments:
    check_type(function, "irreps", irreps, Irreps)
    x = check_array(function, "x", x, (None, irreps.dim), REAL_OR_COMPLEX)
    return Arguments((x,), (irreps,), (len(x), sum(part.mul for part in irreps)), x.real.dtype)
