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

from nbody_ref.errors import GeometryError
from nbody_ref.irreps import Irreps
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_like, check_needs, check_type

__all__ = [
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
Needs = tuple[bool, ...] | None


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
    """
    x = _state("squared_norms", x, irreps)
    return _dot(x, x, irreps)  # D1


def squared_norms_jvp(x: Any, x_dot: Any, irreps: Irreps) -> Array | None:
    """Tangent of `squared_norms`: 2 Re sum conj(x) x_dot; None for None."""
    x = _state("squared_norms_jvp", x, irreps)
    x_dot = check_like("squared_norms_jvp", "x_dot", x_dot, x)
    return None if x_dot is None else 2 * _dot(x, x_dot, irreps)  # D2


def squared_norms_vjp(q_bar: Any, x: Any, irreps: Irreps, needs: Needs = None) -> tuple[Array | None]:
    """Cotangent of `squared_norms`: 2 q_bar conj(x)."""
    x, q_bar = _checked("squared_norms_vjp", x, q_bar, irreps)
    if not check_needs("squared_norms_vjp", needs, 1)[0]:
        return (None,)
    return (2 * (_spread(q_bar, irreps) * x.conj()),)  # D3


def squared_norms_vjp_jvp(
    q_bar: Any, x: Any, q_bar_dot: Any, x_dot: Any, irreps: Irreps, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent: 2 q_bar_dot conj(x) + 2 q_bar conj(x_dot); None where both tangents are."""
    name = "squared_norms_vjp_jvp"
    x, q_bar = _checked(name, x, q_bar, irreps)
    q_bar_dot, x_dot = check_like(name, "q_bar_dot", q_bar_dot, q_bar), check_like(name, "x_dot", x_dot, x)
    if not check_needs(name, needs, 1)[0]:
        return (None,)
    pairs = ((q_bar_dot, x), (q_bar, x_dot))
    terms = [2 * (_spread(a, irreps) * b.conj()) for a, b in pairs if a is not None and b is not None]
    return (sum(terms[1:], terms[0]) if terms else None,)  # D4


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
    """
    x = _state("norms", x, irreps)
    return _norms("norms", x, irreps, epsilon)


def norms_jvp(x: Any, x_dot: Any, irreps: Irreps, epsilon: float = 0.0) -> Array | None:
    """Tangent of `norms`: Re sum conj(x) x_dot / y; None for None."""
    x = _state("norms_jvp", x, irreps)
    x_dot = check_like("norms_jvp", "x_dot", x_dot, x)
    if x_dot is None:
        return None
    return _dot(x, x_dot, irreps) * _inverse(_norms("norms_jvp", x, irreps, epsilon))  # D5


def norms_vjp(y_bar: Any, x: Any, irreps: Irreps, epsilon: float = 0.0, needs: Needs = None) -> tuple[Array | None]:
    """Cotangent of `norms`: y_bar conj(x) / y."""
    x, y_bar = _checked("norms_vjp", x, y_bar, irreps)
    inverse = _inverse(_norms("norms_vjp", x, irreps, epsilon))
    if not check_needs("norms_vjp", needs, 1)[0]:
        return (None,)
    return (_spread(y_bar * inverse, irreps) * x.conj(),)  # D6


def norms_vjp_jvp(
    y_bar: Any, x: Any, y_bar_dot: Any, x_dot: Any, irreps: Irreps, epsilon: float = 0.0, needs: Needs = None
) -> tuple[Array | None]:
    r"""Tangent of the cotangent, :math:`\dot{\bar y}\,x^*/y + \bar y\,(\dot x^* - x^*\,\dot y / y)/y`."""
    name = "norms_vjp_jvp"
    x, y_bar = _checked(name, x, y_bar, irreps)
    y_bar_dot, x_dot = check_like(name, "y_bar_dot", y_bar_dot, y_bar), check_like(name, "x_dot", x_dot, x)
    if not check_needs(name, needs, 1)[0] or (y_bar_dot is None and x_dot is None):
        return (None,)
    inverse = _inverse(_norms(name, x, irreps, epsilon))
    along = np.zeros_like(y_bar) if y_bar_dot is None else y_bar_dot * inverse
    if x_dot is None:
        return (_spread(along, irreps) * x.conj(),)
    across = y_bar * inverse
    along = along - across * (_dot(x, x_dot, irreps) * inverse) * inverse
    return (_spread(along, irreps) * x.conj() + _spread(across, irreps) * x_dot.conj(),)  # D7


def _norms(function: str, x: Array, irreps: Irreps, epsilon: float) -> Array:
    if isinstance(epsilon, bool) or not isinstance(epsilon, Real) or not 0 <= float(epsilon) < np.inf:
        raise GeometryError(f"{function}: 'epsilon' must be non-negative and finite, got {epsilon}")
    q = _dot(x, x, irreps)
    return np.sqrt(q + q.dtype.type(float(epsilon) ** 2)) if epsilon else np.sqrt(q)


def _inverse(y: Array) -> Array:
    """1 / y, and zero where y is: the convention for the point where the norm has no derivative."""
    return np.divide(1, y, out=np.zeros_like(y), where=y > 0)


def _dot(x: Array, z: Array, irreps: Irreps) -> Array:
    """Re sum over m of conj(x) z for every fragment, m by m."""
    out = np.zeros((len(x), sum(part.mul for part in irreps)), x.real.dtype)
    for column, a, b in zip(_columns(irreps), _parts(x, irreps), _parts(z, irreps), strict=True):
        for m in range(a.shape[1]):
            out[:, column] += a[:, m].real * b[:, m].real
            if x.dtype.kind == "c":
                out[:, column] += a[:, m].imag * b[:, m].imag
    return out


def _spread(s: Array, irreps: Irreps) -> Array:
    """A number for each fragment, repeated for its components: (N, fragments) -> (N, dim)."""
    out = np.empty((len(s), irreps.dim), s.dtype)
    for column, part in zip(_columns(irreps), _parts(out, irreps), strict=True):
        part[...] = s[:, None, column]
    return out


def _parts(x: Array, irreps: Irreps) -> Iterator[Array]:
    for start, part in zip(irreps.offsets, irreps, strict=True):
        yield x[:, start : start + part.dim].reshape(len(x), part.irrep.dim, part.mul)


def _columns(irreps: Irreps) -> Iterator[slice]:
    start = 0
    for part in irreps:
        yield slice(start, start + part.mul)
        start += part.mul


def _state(function: str, x: Any, irreps: Irreps) -> Array:
    check_type(function, "irreps", irreps, Irreps)
    return check_array(function, "x", x, (None, irreps.dim), REAL_OR_COMPLEX)


def _checked(function: str, x: Any, y_bar: Any, irreps: Irreps) -> tuple[Array, Array]:
    x = _state(function, x, irreps)
    shape = len(x), sum(part.mul for part in irreps)
    return x, check_array(function, "y_bar", y_bar, shape, (x.real.dtype,))
