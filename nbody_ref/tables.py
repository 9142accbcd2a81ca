"""Tables: the only bridge from the exact definition to floating point.

Every entry is the exact number of `nbody_ref.exact`, rounded once and correctly (error at most half a unit in the last
place). Tables are computed when first asked for, kept, and read-only, so that everybody shares one copy.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import ArgumentError, DTypeError
from nbody_ref.exact.cg import cg_table, cg_table_real

__all__ = [
    "LARGEST_DEGREE",
    "CGTable",
    "HarmonicTable",
    "cg_coo",
    "check_basis",
    "check_degree",
    "check_dtype",
    "check_normalization",
    "clebsch_gordan",
    "harmonic_table",
    "real_to_complex",
]

IndexArray = np.ndarray[Any, np.dtype[np.uintp]]
Array = np.ndarray[Any, Any]
RealArray = np.ndarray[Any, np.dtype[Any]]
ComplexArray = np.ndarray[Any, np.dtype[np.complex128]]

_BASES = ("real", "complex")
_NORMALIZATIONS = ("integral", "component", "norm")
LARGEST_DEGREE = 1024  # the table of harmonics has l^2 / 2 exact entries, a Wigner matrix 4 l^2: minutes and gigabytes


class CGTable(NamedTuple):
    """Non-zero Clebsch-Gordan coefficients ``C[m1, m2, m] = value``, ordered by (m, m1, m2); indices count from 0."""

    m1: IndexArray
    m2: IndexArray
    m: IndexArray
    value: RealArray


def clebsch_gordan(l1: int, l2: int, l: int, basis: str = "real", dtype: Any = np.float64) -> RealArray:
    r"""Clebsch-Gordan coefficients C[m1, m2, m] of the product of degrees l1 and l2, sec. 4.1 of the N-body paper.

    .. math:: [a \times b]^l_m = \sum_{m_1 m_2} C_{m_1 m_2 m}\, a_{m_1} b_{m_2}, \qquad
              \sum_{m_1 m_2} C_{m_1 m_2 m} C_{m_1 m_2 m'} = \delta_{m m'}

    Parameters
    ----------
    l1, l2, l : int
        Degrees; a triple that violates |l1 - l2| <= l <= l1 + l2 is an error.
    basis : {"real", "complex"}
        Gauge of all three legs. "complex" is <l1 m1 l2 m2|l m> with Condon-Shortley phases; "real" belongs to the real
        harmonics without them. The table is real in both.
    dtype : numpy.float64 or numpy.float32

    Returns
    -------
    (2*l1 + 1, 2*l2 + 1, 2*l + 1) `dtype`
        Components ascending, m = -l..l. Correctly rounded and read-only; copy it to change it.

    Raises
    ------
    ArgumentError
        If a degree is not a non-negative integer, the triple is not admissible, or `basis` is unknown.
    DTypeError
        If `dtype` is neither float64 nor float32.

    Notes
    -----
    |computed - exact| <= ulp/2 in every entry; zeros are exact. Real = i^s U_l C (U_l1^dagger x U_l2^dagger) with
    s = (l1 + l2 + l) mod 2 and U = `real_to_complex`. Hence, for vectors in (y, z, x) order, [a x b]^0 = -a.b/sqrt(3)
    and [a x b]^1 = (a cross b)/sqrt(2).

    Examples
    --------
    >>> clebsch_gordan(1, 1, 0)[:, :, 0].diagonal()
    array([-0.57735027, -0.57735027, -0.57735027])
    """
    return _dense(*_check("clebsch_gordan", l1, l2, l, basis, dtype))


def cg_coo(l1: int, l2: int, l: int, basis: str = "real", dtype: Any = np.float64) -> CGTable:
    """Non-zero entries of `clebsch_gordan` as four arrays, the form in which kernels read them.

    Parameters
    ----------
    l1, l2, l, basis, dtype
        As in `clebsch_gordan`.

    Returns
    -------
    CGTable
        m1, m2, m : (n,) uintp, counted from 0; value : (n,) `dtype`; ordered by (m, m1, m2); all read-only.

    Raises
    ------
    ArgumentError, DTypeError
        As in `clebsch_gordan`.

    Examples
    --------
    >>> [index.tolist() for index in cg_coo(1, 1, 0)[:3]]
    [[0, 1, 2], [0, 1, 2], [0, 0, 0]]
    """
    return _coo(*_check("cg_coo", l1, l2, l, basis, dtype))


def check_degree(function: str, name: str, value: Any) -> int:
    """Return a degree as a Python integer; called before any table is looked up, so that no cache sees other types.

    Parameters
    ----------
    function, name : str
        What the message calls the function and the argument.
    value : int or NumPy integer

    Raises
    ------
    ArgumentError
        If `value` is not an integer from 0 to `LARGEST_DEGREE`.
    """
    degree = check_integer(function, name, value)
    if degree > LARGEST_DEGREE:
        raise ArgumentError(f"{function}: '{name}' must be at most {LARGEST_DEGREE}, got {degree}")
    return degree


def check_basis(function: str, basis: Any) -> None:
    """Raise ArgumentError unless `basis` is "real" or "complex"."""
    if not isinstance(basis, str) or basis not in _BASES:
        raise ArgumentError(f"{function}: 'basis' must be 'real' or 'complex', got {basis!r}")


def check_normalization(function: str, normalization: Any) -> None:
    """Raise ArgumentError unless `normalization` is "integral", "component" or "norm"."""
    if not isinstance(normalization, str) or normalization not in _NORMALIZATIONS:
        raise ArgumentError(f"{function}: 'normalization' must be integral, component or norm, got {normalization!r}")


def real_to_complex(l: int) -> ComplexArray:
    r"""Unitary U_l between the gauges: Y_real = U_l conj(Y_complex), so v_real = U_l v_complex for covariant vectors.

    .. math:: U_{m m} = (-1)^m/\sqrt2,\; U_{m,-m} = 1/\sqrt2,\; U_{-m,-m} = -i/\sqrt2,\; U_{-m,m} = i(-1)^m/\sqrt2
              \quad (m > 0), \qquad U_{0 0} = 1

    Parameters
    ----------
    l : int

    Returns
    -------
    (2*l + 1, 2*l + 1) complex128
        Rows real, columns complex components, m = -l..l. Correctly rounded and read-only. The other way is its adjoint.

    Raises
    ------
    ArgumentError
        If `l` is not a non-negative integer.

    Examples
    --------
    >>> real_to_complex(0)
    array([[1.+0.j]])
    """
    return _unitary(check_degree("real_to_complex", "l", l))


@cache
def _unitary(l: int) -> ComplexArray:
    half = np.sqrt(0.5)
    U = np.zeros((2 * l + 1, 2 * l + 1), np.complex128)
    U[l, l] = 1.0
    for m in range(1, l + 1):
        sign = -1.0 if m % 2 else 1.0
        U[l + m, l + m], U[l + m, l - m] = sign * half, half
        U[l - m, l - m], U[l - m, l + m] = -1j * half, 1j * sign * half
    return _frozen(U)


class HarmonicTable(NamedTuple):
    """Coefficients of the recursions of `kernels.harmonics`; docs/derivations/harmonics.md, (A), (B), (E).

    Each of `a`, `b`, `along_z`, `along_s` runs over the columns m = 0..lmax and, within a column, over l = m+1..lmax.
    """

    diagonal: RealArray  # (lmax + 1,) Q_m^m
    a: RealArray  # Q_l^m = a z Q_{l-1}^m + b s Q_{l-2}^m
    b: RealArray
    along_z: RealArray  # dQ_l^m/dz = along_z Q_{l-1}^m, with s following z
    along_s: RealArray  # 2 dQ_l^{m-1}/ds = along_s Q_{l-1}^m, entry (l, m); zero in column 0
    unit: RealArray  # (2,) zero and one of the dtype


def harmonic_table(lmax: int, normalization: str = "integral", dtype: Any = np.float64) -> HarmonicTable:
    """Recursion table of the real solid harmonics up to degree lmax, every entry correctly rounded and read-only.

    Parameters
    ----------
    lmax : int
    normalization : {"integral", "component", "norm"}
        Orthonormal on the sphere; sum_m Y^2 = 2l + 1; sum_m Y^2 = 1.
    dtype : numpy.float64 or numpy.float32

    Raises
    ------
    ArgumentError
        If `lmax` is not a non-negative integer or `normalization` is unknown.
    DTypeError
        If `dtype` is neither float64 nor float32.
    """
    lmax = check_degree("harmonic_table", "lmax", lmax)
    check_normalization("harmonic_table", normalization)
    return _recursion(lmax, normalization, check_dtype("harmonic_table", dtype))


@cache
def _recursion(lmax: int, normalization: str, name: str) -> HarmonicTable:
    from nbody_ref.exact.harmonics import round_over_root_4pi
    from nbody_ref.exact.surd import Surd

    def weight(l: int) -> int:  # square of the factor that turns "norm" into "component"
        return 1 if normalization == "norm" else 2 * l + 1

    diagonal, columns = [Surd(1, 1)], []
    for m in range(1, lmax + 1):  # Q_m^m / Q_{m-1}^{m-1}
        diagonal.append(diagonal[-1] * Surd(1, (2 if m == 1 else 1) * (2 * m - 1) * weight(m), 2 * m * weight(m - 1)))
    for m in range(lmax + 1):
        for l in range(m + 1, lmax + 1):
            low = (l - m) * (l + m)
            a = Surd(1, (2 * l - 1) ** 2 * weight(l), low * weight(l - 1))
            b = Surd(-1, ((l - 1) ** 2 - m * m) * weight(l), low * weight(l - 2)) if l > m + 1 else Surd(0, 0)
            z = Surd(1, low * weight(l), weight(l - 1))
            s = Surd(-1, (l - m + 1) * (l - m) * weight(l), (2 if m == 1 else 1) * weight(l - 1)) if m else Surd(0, 0)
            columns.append([entry.round(name) for entry in (a, b, z, s)])
    start = [round_over_root_4pi(q, name) if normalization == "integral" else q.round(name) for q in diagonal]
    rows = np.array(columns, name).reshape(-1, 4).T
    unit = np.array([0, 1], name)
    return HarmonicTable(*(_frozen(np.ascontiguousarray(x)) for x in (np.array(start, name), *rows, unit)))


@cache
def _coo(l1: int, l2: int, l: int, basis: str, dtype: str) -> CGTable:
    entries = cg_table_real(l1, l2, l) if basis == "real" else cg_table(l1, l2, l)
    shift = np.array((l1, l2, l))
    index = (np.array([entry[:3] for entry in entries], np.int64) + shift).astype(np.uintp)
    m1, m2, m = (_frozen(np.ascontiguousarray(column)) for column in index.T)
    return CGTable(m1, m2, m, _frozen(np.array([surd.round(dtype) for *_, surd in entries], dtype)))


@cache
def _dense(l1: int, l2: int, l: int, basis: str, dtype: str) -> RealArray:
    m1, m2, m, value = _coo(l1, l2, l, basis, dtype)
    C = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1), dtype)
    C[m1, m2, m] = value
    return _frozen(C)


def _check(function: str, l1: Any, l2: Any, l: Any, basis: str, dtype: Any) -> tuple[int, int, int, str, str]:
    l1, l2, l = (check_degree(function, name, value) for name, value in (("l1", l1), ("l2", l2), ("l", l)))
    if not abs(l1 - l2) <= l <= l1 + l2:
        raise ArgumentError(f"{function}: |l1 - l2| <= l <= l1 + l2 must hold, got l1={l1}, l2={l2}, l={l}")
    check_basis(function, basis)
    return l1, l2, l, basis, check_dtype(function, dtype)


def check_dtype(function: str, dtype: Any) -> str:
    """Name of a table's dtype, float64 or float32; DTypeError for any other."""
    kind = dtype.type if isinstance(dtype, np.dtype) else dtype
    if kind is np.float64 or kind is np.float32:  # NumPy takes ten times as long to name a dtype
        return "float64" if kind is np.float64 else "float32"
    try:
        name = "" if dtype is None else np.dtype(dtype).name
    except (TypeError, ValueError, SyntaxError):  # whatever NumPy makes of a text
        name = ""
    if name not in ("float64", "float32"):
        raise DTypeError(f"{function}: 'dtype' must be float64 or float32, got {name or repr(dtype)}")
    return name


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array
