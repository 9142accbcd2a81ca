"""Wigner matrices of rational rotations: the representations rho_l of eqs. (2) and (3), exactly.

A rational quaternion q = (w, x, y, z) acts on column vectors by the active rotation `rotation_matrix`, and on the
binary forms of degree 2l by a Gaussian-integer matrix M_l(q) with D^l = M_l / N^l, N = w^2 + x^2 + y^2 + z^2: the
monomial gauge. The orthonormal gauges differ from it by diagonal square roots and by the unitary U_l.
Derivation: docs/derivations/exact_wigner.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import factorial, lcm
from typing import Any

from nbody_ref.errors import ArgumentError, GeometryError
from nbody_ref.exact.ring import Gauss, as_rational, check_size, plain
from nbody_ref.exact.surd import Surd

__all__ = [
    "monomial_D",
    "monomial_matrix",
    "quaternion_product",
    "rational_D",
    "real_scale",
    "rotation_matrix",
    "wigner_D",
    "wigner_D_real",
]

Quaternion = Sequence[int | Fraction]
IntegerQuaternion = tuple[int, int, int, int]
Matrix = tuple[tuple[Any, ...], ...]


def rotation_matrix(q: Quaternion) -> tuple[tuple[Fraction, ...], ...]:
    """Active rotation of column vectors (x, y, z) by a rational quaternion.

    Parameters
    ----------
    q : (w, x, y, z) of int or Fraction
        Scalar part first; any nonzero norm. (w, 0, 0, z) turns about the polar axis by twice the angle of w + i z.

    Returns
    -------
    3 x 3 tuple of Fraction

    Raises
    ------
    GeometryError
        If `q` is zero or has not four rational entries.
    """
    w, x, y, z = _integers("rotation_matrix", q)
    norm = w * w + x * x + y * y + z * z
    rows = (
        (w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z),
    )
    return tuple(tuple(Fraction(entry, norm) for entry in row) for row in rows)


def quaternion_product(p: Quaternion, q: Quaternion) -> tuple[Any, Any, Any, Any]:
    """Quaternion of the rotation that applies `q` first and `p` second."""
    for name, value in (("p", p), ("q", q)):
        if (not isinstance(value, Sequence) and getattr(value, "shape", None) != (4,)) or len(value) != 4:
            raise GeometryError(f"quaternion_product: '{name}' must have four entries, got {value!r}")
    a, b, c, d = map(plain, p)
    w, x, y, z = map(plain, q)
    return (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )


def monomial_matrix(l: int | Fraction | float, q: Quaternion) -> tuple[tuple[Gauss, ...], ...]:
    r"""Gaussian-integer matrix M_l = Sym^{2l}(U_q) on the coefficients of u^{l+m} v^{l-m}.

    .. math:: (a u + c v)^{l+m} (b u + d v)^{l-m} = \sum_{m'} M_{m' m}\, u^{l+m'} v^{l-m'}, \qquad
              U_q = \begin{pmatrix} a & b \\ c & d \end{pmatrix}
                  = \begin{pmatrix} w - i z & -y - i x \\ y - i x & w + i z \end{pmatrix}

    Parameters
    ----------
    l : int, Fraction or float
        Integer or half-integer degree.
    q : (w, x, y, z) of int
        Quaternion, scalar part first; a rational one is first brought to integers by its common denominator.

    Returns
    -------
    (2l + 1) x (2l + 1) tuple of Gauss
        Rows m', columns m, both ascending.

    Raises
    ------
    ArgumentError
        If `l` is negative or no multiple of 1/2.
    GeometryError
        If `q` is zero or has not four rational entries.
    """
    return _symmetric_power(_doubled("monomial_matrix", l), _integers("monomial_matrix", q))


def monomial_D(l: int, q: Quaternion) -> tuple[tuple[Gauss, ...], ...]:
    """D^l(q) = M_l / N^l in the monomial gauge, Gaussian rationals; `l` an integer, otherwise as `monomial_matrix`."""
    j, integers = _doubled("monomial_D", l), _integers("monomial_D", q)
    if j % 2:
        raise ArgumentError(f"monomial_D: 'l' must be an integer, got {l!r}; N^l is irrational for half-integers")
    matrix, norm = _symmetric_power(j, integers), _norm(integers) ** (j // 2)
    return tuple(tuple(entry / norm for entry in row) for row in matrix)


def wigner_D(l: int | Fraction | float, q: Quaternion) -> tuple[tuple[tuple[Surd, Surd], ...], ...]:
    r"""D^l_{m'm}(q) = <l m'|R|l m> in the complex gauge, eq. (3): real and imaginary parts as surds.

    .. math:: D_{m'm} = N^{-l} \sqrt{\frac{(l+m')!\,(l-m')!}{(l+m)!\,(l-m)!}}\; M_{m'm}

    Parameters
    ----------
    l : int, Fraction or float
        Integer or half-integer degree.
    q : (w, x, y, z) of int or Fraction
        Quaternion, scalar part first. For half-integer `l` its overall sign matters: that is SU(2).

    Returns
    -------
    (2l + 1) x (2l + 1) tuple of (Surd, Surd)
        Rows m', columns m, both ascending.

    Raises
    ------
    ArgumentError, GeometryError
        As `monomial_matrix`.
    """
    j, integers = _doubled("wigner_D", l), _integers("wigner_D", q)
    matrix, norm = _symmetric_power(j, integers), _norm(integers) ** j
    weights = [factorial(k) * factorial(j - k) for k in range(j + 1)]
    rows = []
    for up, line in zip(weights, matrix):
        ratios = [(up, down * norm) for down in weights]
        rows.append(tuple((_root(z.re, *ratio), _root(z.im, *ratio)) for z, ratio in zip(line, ratios)))
    return tuple(rows)


def rational_D(l: int, q: Quaternion) -> tuple[tuple[Fraction, ...], ...]:
    """D^l(q) in the real-rational gauge: the real gauge with component m divided by `real_scale(l, m)`.

    Parameters
    ----------
    l : int
    q : (w, x, y, z) of int or Fraction

    Returns
    -------
    (2l + 1) x (2l + 1) tuple of Fraction
        A representation over the rationals; not orthogonal.

    Raises
    ------
    ArgumentError
        If `l` is no integer: half-integer degrees have no real gauge.
    GeometryError
        If `q` is zero or has not four rational entries.
    """
    return _rational("rational_D", l, q)


def _rational(function: str, l: int, q: Quaternion) -> tuple[tuple[Fraction, ...], ...]:
    j, integers = _doubled(function, l), _integers(function, q)
    if j % 2:
        raise ArgumentError(f"{function}: 'l' must be an integer, got {l!r}")
    norm = _norm(integers) ** (j // 2)
    return tuple(tuple(Fraction(entry, norm) for entry in row) for row in _real_matrix(j // 2, integers))


def wigner_D_real(l: int, q: Quaternion) -> tuple[tuple[Surd, ...], ...]:
    """D^l(q) in the real gauge, an orthogonal matrix of surds; D^1 is the rotation matrix in the order (y, z, x).

    Parameters, raises: as `rational_D`.

    Returns
    -------
    (2l + 1) x (2l + 1) tuple of Surd
        Rows m', columns m, both ascending.
    """
    D = _rational("wigner_D_real", l, q)
    degree = len(D) // 2
    scales = [real_scale(degree, m) for m in range(-degree, degree + 1)]
    return tuple(
        tuple(scales[row] / scales[column] * entry for column, entry in enumerate(line)) for row, line in enumerate(D)
    )


def real_scale(l: int, m: int) -> Surd:
    """Factor s_m from the real-rational to the real gauge: sqrt(2 (l+m)! (l-m)!), and l! for m = 0."""
    return Surd(1, (2 if m else 1) * factorial(l + m) * factorial(l - m))


# Below, degrees are doubled integers j = 2l, and index k = l + m counts from 0.


@lru_cache(maxsize=512)
def _symmetric_power(j: int, q: IntegerQuaternion) -> tuple[tuple[Gauss, ...], ...]:
    w, x, y, z = q
    up = _powers(j, Gauss(y, -x), Gauss(w, -z))  # (c, a): coefficients of v and u in the image of u
    down = _powers(j, Gauss(w, z), Gauss(-y, -x))  # (d, b): the same for v
    columns = [_convolve(up[k], down[j - k]) for k in range(j + 1)]
    return tuple(tuple(columns[k][row] for k in range(j + 1)) for row in range(j + 1))


def _powers(j: int, low: Gauss, high: Gauss) -> list[list[Gauss]]:
    """Coefficients of (low v + high u)^k, k = 0..j, by ascending power of u."""
    found = [[Gauss(1, 0)]]
    for _ in range(j):
        found.append(_convolve(found[-1], [low, high]))
    return found


def _convolve(a: list[Gauss], b: list[Gauss]) -> list[Gauss]:
    real, imag = [0] * (len(a) + len(b) - 1), [0] * (len(a) + len(b) - 1)
    for i, s in enumerate(a):
        for k, t in enumerate(b, start=i):
            real[k] += s.re * t.re - s.im * t.im
            imag[k] += s.re * t.im + s.im * t.re
    return [Gauss(*pair) for pair in zip(real, imag)]


@lru_cache(maxsize=512)
def _real_matrix(l: int, q: IntegerQuaternion) -> tuple[tuple[int, ...], ...]:
    """M_l on the pairs f_m = Re a_{-m}, f_{-m} = Im a_{-m} (m > 0), f_0 = a_0 of a form with real meaning."""
    matrix = _symmetric_power(2 * l, q)
    rows = [[0] * (2 * l + 1) for _ in range(2 * l + 1)]
    for m in range(l + 1):
        line = matrix[l - m]
        images = [(l, line[l])]
        for n in range(1, l + 1):
            mirror = line[l + n] * (-1) ** n
            images += [(l + n, line[l - n] + mirror), (l - n, (line[l - n] - mirror) * Gauss(0, 1))]
        for column, image in images:
            rows[l - m][column] = image.im
            rows[l + m][column] = image.re  # for m = 0 the same row: a_0 is real
    return tuple(tuple(row) for row in rows)


def _root(value: int, top: int, bottom: int) -> Surd:
    """Return value * sqrt(top / bottom) as a surd."""
    return Surd((value > 0) - (value < 0), value * value * top, bottom)


def _norm(q: IntegerQuaternion) -> int:
    return sum(part * part for part in q)


def _doubled(function: str, l: int | Fraction | float) -> int:
    exact = as_rational(l)
    if exact is None or (2 * exact).denominator != 1 or exact < 0:
        raise ArgumentError(f"{function}: 'l' must be a non-negative integer or half-integer, got {l!r}")
    check_size(function, "l", exact)
    return int(2 * exact)


def _integers(function: str, q: Quaternion) -> IntegerQuaternion:
    """Quaternion times the common denominator of its entries."""
    try:
        parts = [plain(part) for part in q]
    except TypeError:
        parts = []
    if len(parts) != 4 or not all(isinstance(part, (int, Fraction)) for part in parts) or not any(parts):
        raise GeometryError(f"{function}: 'q' must be four rational numbers (w, x, y, z), not all zero, got {q!r}")
    common = lcm(*(Fraction(part).denominator for part in parts))
    w, x, y, z = (int(part * common) for part in parts)
    return w, x, y, z
