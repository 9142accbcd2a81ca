r"""From the real gauge to the complex one and back: components, not information.

.. math:: v_{real} = U_l\, v_{complex}, \qquad v_{complex} = U_l^\dagger\, v_{real}

U_l is `nbody_ref.tables.real_to_complex`. `fragments` does it for real harmonics and is a step of programs, with
derivatives; `to_complex` and `to_real` do it for whole states. Derivation: docs/derivations/gauge.md.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.certified.lowering import Lowering
from nbody_ref.certified.program import Sum
from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.exact.cg import real_unitary
from nbody_ref.irreps import Irreps
from nbody_ref.ops._check import REAL, REAL_OR_COMPLEX, check_array
from nbody_ref.ops._op import Arguments, Example, Gauges, Linear, Rows
from nbody_ref.tables import check_degree, real_to_complex

__all__ = ["FRAGMENTS", "fragments", "fragments_jvp", "fragments_vjp", "fragments_vjp_jvp", "to_complex", "to_real"]

Array = np.ndarray[Any, Any]


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

    Examples
    --------
    >>> from nbody_ref.ops.gauge import fragments
    >>> import numpy as np
    >>> fragments(np.array([[1.0, 0.0, 1.0, 0.0]]), 1).shape
    (1, 4)
    """
    return FRAGMENTS.value(Y, lmax)


class _Fragments(Linear):
    inputs, statics, result = ("Y",), ("lmax",), "v"

    def check(self, function: str, Y: Any, lmax: Any) -> Arguments:
        lmax = check_degree(function, "lmax", lmax)
        Y = check_array(function, "Y", Y, (None, (lmax + 1) ** 2), REAL)
        return Arguments((Y,), (_table(lmax, Y.dtype.name),), Y.shape, np.result_type(Y.dtype, np.complex64))

    def forward(self, Y: Array, table: _Table) -> Array:
        out = np.empty(Y.shape, np.result_type(Y.dtype, np.complex64))
        out.real = Y[:, table.plus] * table.real
        out.imag = Y[:, table.minus] * table.imag
        return out

    def adjoint(self, k: int, v_bar: Array, Y: Array, table: _Table) -> Array:
        r"""The real part of the transpose, :math:`\bar Y = \mathrm{Re}(\bar v\, U^\dagger)`."""
        a, b = v_bar.real * table.real, v_bar.imag * table.imag
        a, b = a + a[:, table.partner], -(b + b[:, table.partner])
        return np.where(table.m > 0, a, np.where(table.m < 0, b, v_bar.real))  # D3

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 9))], [2]

    def exact(self, gauges: Gauges, Y: Rows, lmax: int) -> Rows:
        return Y

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, lmax: int) -> None:
        """conj(Y_complex) = U^dagger Y_real."""
        entries = []
        for l in range(lmax + 1):
            for m, n, k, value in real_unitary(l):  # U[m, n] = i^k value; its conjugate is i^-k value
                sign = -1 if k in (1, 2) else 1
                entries.append((2 * (l * l + l + n) + k % 2, l * l + l + m, value * sign))
        name, rows = inputs[0], np.arange(low.shape(inputs[0])[0])
        to, fro = (np.array([entry[i] for entry in entries]) for i in range(2))
        shape, legs = (len(rows), 2 * (lmax + 1) ** 2), (Leg(name, rows, fro),)
        table = tuple(entry[2] for entry in entries)
        terms = Terms(rows, to, shape, legs, np.arange(len(entries)), table, {name: low.shape(name)})
        low.program.add(Sum(out, (terms,)))
        low.complex.add(out)


FRAGMENTS = _Fragments(fragments)
fragments_jvp, fragments_vjp, fragments_vjp_jvp = FRAGMENTS.derivatives()


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

    Examples
    --------
    >>> from nbody_ref.ops.gauge import to_complex
    >>> import numpy as np
    >>> to_complex(np.array([[0.0, 1.0, 0.0]]), "1x1o").round(3)
    array([[0.+0.j, 1.+0.j, 0.+0.j]])
    """
    return _turn("to_complex", state, Irreps(irreps), lambda l: real_to_complex(l).conj().T)


def to_real(state: Array, irreps: Irreps | str) -> Array:
    """A state of the complex gauge in components of the real gauge; the inverse of `to_complex`.

    The result is complex: it has vanishing imaginary part (up to rounding) exactly for states that are real in the real
    gauge, such as those of real networks.

    Examples
    --------
    >>> from nbody_ref.ops.gauge import to_complex, to_real
    >>> import numpy as np
    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> bool(np.abs(to_real(to_complex(x, "1x1o"), "1x1o") - x).max() < 1e-15)
    True
    """
    return _turn("to_real", state, Irreps(irreps), real_to_complex)


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
