r"""From the real gauge to the complex one and back: components, not information.

.. math:: v_{real} = U_l\, v_{complex}, \qquad v_{complex} = U_l^\dagger\, v_{real}

U_l is `nbody_ref.tables.real_to_complex`. `fragments` does it for real harmonics and is a step of programs, with
derivatives; `to_complex` and `to_real` do it for whole states. Derivation: docs/derivations/gauge.md.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.irreps import Irreps
from nbody_ref.ops._check import REAL, REAL_OR_COMPLEX, check_array, check_needs
from nbody_ref.tables import check_degree, real_to_complex

__all__ = ["fragments", "fragments_jvp", "fragments_vjp", "fragments_vjp_jvp", "to_complex", "to_real"]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...] | None


def fragments(Y: Array, lmax: int) -> Array:
    r"""Fragments of directions in the complex gauge, conj(Y^l_m), from real harmonics.

    .. math:: v_{l,m} = (-1)^m (Y_{l,m} - i\, Y_{l,-m}) / \sqrt2, \quad v_{l,-m} = (Y_{l,m} + i\, Y_{l,-m}) / \sqrt2
              \quad (m > 0), \qquad v_{l,0} = Y_{l,0}

    Parameters
    ----------
    Y : (E, (lmax + 1)**2) float64 or float32
        Real harmonics or solid harmonics, index l(l+1)+m.
    lmax : int

    Returns
    -------
    (E, (lmax + 1)**2) complex128 or complex64

    Raises
    ------
    IrrepsError
        If `lmax` is not a non-negative integer.
    ShapeError, DTypeError
        If `Y` is not such an array.

    Notes
    -----
    |computed - exact| <= 2 u |Y| in the real and the imaginary part each. Gradient `fragments_vjp`; derivation:
    docs/derivations/gauge.md.
    """
    return _fragments("fragments", "Y", Y, lmax)


def fragments_jvp(Y: Array, Y_dot: Array | None, lmax: int) -> Array | None:
    """Tangent of `fragments`, which is linear."""
    return None if Y_dot is None else _fragments("fragments_jvp", "Y_dot", Y_dot, lmax)  # D1


def fragments_vjp(v_bar: Array, Y: Array, lmax: int, needs: Needs = None) -> tuple[Array | None]:
    r"""Cotangent of `fragments`: the real part of the transpose, :math:`\bar Y = \mathrm{Re}(\bar v\, U^\dagger)`."""
    if not check_needs("fragments_vjp", needs, 1)[0]:
        return (None,)
    lmax = check_degree("fragments_vjp", "lmax", lmax)
    Y = check_array("fragments_vjp", "Y", Y, (None, (lmax + 1) ** 2), REAL)
    v = check_array("fragments_vjp", "v_bar", v_bar, Y.shape, (np.result_type(Y.dtype, np.complex64),))
    table = _table(lmax, Y.dtype.name)
    a, b = v.real * table.real, v.imag * table.imag
    a, b = a + a[:, table.partner], -(b + b[:, table.partner])
    return (np.where(table.m > 0, a, np.where(table.m < 0, b, v.real)),)  # D3


def fragments_vjp_jvp(
    v_bar: Array, Y: Array, v_bar_dot: Array | None, Y_dot: Array | None, lmax: int, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent: the cotangent of v_bar_dot."""
    return (None,) if v_bar_dot is None else fragments_vjp(v_bar_dot, Y, lmax, needs)  # D4


def to_complex(state: Array, irreps: Irreps | str) -> Array:
    """A state of the real gauge in components of the complex gauge.

    Parameters
    ----------
    state : (..., irreps.dim) float or complex
        Complex numbers in the real gauge are allowed; components are changed, numbers are not conjugated.
    irreps : Irreps or str

    Returns
    -------
    (..., irreps.dim) complex of the same precision

    Notes
    -----
    |computed - exact| <= 4 u times the two components combined.
    """
    return _turn("to_complex", state, Irreps(irreps), lambda l: real_to_complex(l).conj().T)


def to_real(state: Array, irreps: Irreps | str) -> Array:
    """A state of the complex gauge in components of the real gauge; the inverse of `to_complex`.

    The result is complex: it has vanishing imaginary part (up to rounding) exactly for states that are real in the real
    gauge, such as those of real networks.
    """
    return _turn("to_real", state, Irreps(irreps), real_to_complex)


def _fragments(function: str, name: str, Y: Array, lmax: int) -> Array:
    lmax = check_degree(function, "lmax", lmax)
    Y = check_array(function, name, Y, (None, (lmax + 1) ** 2), REAL)
    table = _table(lmax, Y.dtype.name)
    out = np.empty(Y.shape, np.result_type(Y.dtype, np.complex64))
    out.real = Y[:, table.plus] * table.real
    out.imag = Y[:, table.minus] * table.imag
    return out


def _turn(function: str, state: Array, irreps: Irreps, matrix: Any) -> Array:
    x = check_array(function, "state", state, (..., irreps.dim), REAL_OR_COMPLEX)
    out = np.empty(x.shape, np.result_type(x.dtype, np.complex64))
    for start, part in zip(irreps.offsets, irreps, strict=True):
        span = slice(start, start + part.dim)
        block = x[..., span].reshape(*x.shape[:-1], part.irrep.dim, part.mul)
        turned = np.einsum("ij,...jc->...ic", matrix(part.irrep.l).astype(out.dtype), block)
        out[..., span] = turned.reshape(*x.shape[:-1], part.dim)
    return out


class _Table(NamedTuple):
    m: Array
    plus: Array  # index of |m|, of -|m| and of -m of the same degree
    minus: Array
    partner: Array
    real: Array
    imag: Array


@cache
def _table(lmax: int, dtype: str) -> _Table:
    l = np.concatenate([np.full(2 * k + 1, k) for k in range(lmax + 1)])
    m = np.concatenate([np.arange(-k, k + 1) for k in range(lmax + 1)])
    centre, half, sign = l * (l + 1), np.sqrt(0.5), 1.0 - 2.0 * (m % 2)
    real = np.where(m > 0, sign * half, np.where(m < 0, half, 1.0)).astype(dtype)
    imag = np.where(m > 0, -sign * half, np.where(m < 0, half, 0.0)).astype(dtype)
    table = _Table(m, centre + abs(m), centre - abs(m), centre - m, real, imag)
    for array in table:
        array.setflags(write=False)
    return table
