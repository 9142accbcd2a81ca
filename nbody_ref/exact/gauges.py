"""Gauges: the two things that a covariant gate must know, how fragments couple and what fragment a vector is.

The gates of `definition` are written once, for any ring. In the monomial gauge they run over Gaussian rationals, with
integer couplings and residual exactly zero; in the real gauge they run over floats, or over the exact rational values
of correctly rounded tables, and speak the components of the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import factorial
from typing import Any

from nbody_ref.checks import check_integer
from nbody_ref.errors import ArgumentError, DTypeError
from nbody_ref.exact.cg import cg_integer, cg_table_real
from nbody_ref.exact.harmonics import monomial_fragments, solid_harmonic
from nbody_ref.exact.ring import check_size
from nbody_ref.exact.surd import Surd

__all__ = ["MONOMIAL", "Gauge", "coupling_constant", "coupling_from_table", "monomial_coupling", "real_gauge"]

Vector = Sequence[Any]
Coupling = Sequence[tuple[int, int, int, Any]]


@dataclass(frozen=True)
class Gauge:
    """Couplings and harmonics of one choice of components.

    Parameters
    ----------
    name : str
    coupling : callable (l1, l2, l) -> sequence of (m1, m2, m, number)
        Clebsch-Gordan coefficients, nonzero ones only.
    harmonic : callable (l, r) -> list of 2l + 1 ring elements
        Solid harmonics of a vector, the fragment of degree l.
    vector : callable r -> list of 3 ring elements
        The vector itself as a fragment of degree 1, without any normalization constant.
    """

    name: str
    coupling: Callable[[int, int, int], Coupling]
    harmonic: Callable[[int, Vector], list[Any]]
    vector: Callable[[Vector], list[Any]]


def monomial_coupling(l1: int, l2: int, l: int) -> tuple[tuple[int, int, int, int], ...]:
    r"""Integer coupling of the monomial gauge, covariant under integer quaternions.

    .. math:: K_{m_1 m_2 m} = S\,(l_1+m_1)!\,(l_1-m_1)!\,(l_2+m_2)!\,(l_2-m_2)!

    Parameters
    ----------
    l1, l2, l : int

    Returns
    -------
    tuple of (m1, m2, m, int)
        Nonzero entries ordered by (m, m1, m2).

    Notes
    -----
    K(M_l1 a, M_l2 b) = N^{l1 + l2 - l} M_l K(a, b). The orthonormal product is `coupling_constant` times this one.

    Raises
    ------
    ArgumentError
        If a degree is not a non-negative integer.
    """
    return _coupling(*_degrees("monomial_coupling", l1, l2, l))


@lru_cache(maxsize=4096)
def _coupling(l1: int, l2: int, l: int) -> tuple[tuple[int, int, int, int], ...]:
    found = []
    for m in range(-l, l + 1):
        for m1 in range(max(-l1, m - l2), min(l1, m + l2) + 1):
            s = cg_integer(l1, m1, l2, m - m1, l)
            if s:
                found.append((m1, m - m1, m, s * _weight(l1, m1) * _weight(l2, m - m1)))
    return tuple(found)


def coupling_constant(l1: int, l2: int, l: int) -> Surd:
    r"""Factor kappa between the integer and the orthonormal product, one per triple.

    .. math:: \kappa^2 = \frac{2l+1}{(l_1+l_2+l+1)!\,(l_1+l_2-l)!\,(l_1-l_2+l)!\,(-l_1+l_2+l)!}

    With psi_m = sqrt((l+m)!(l-m)!) a_m for all three fragments, C(psi1, psi2) = kappa K(a1, a2).

    Raises
    ------
    ArgumentError
        If a degree is not a non-negative integer, or the triangle rule fails.
    """
    l1, l2, l = _degrees("coupling_constant", l1, l2, l)
    if not abs(l1 - l2) <= l <= l1 + l2:
        raise ArgumentError(f"coupling_constant: |l1 - l2| <= l <= l1 + l2 must hold, got l1={l1}, l2={l2}, l={l}")
    below = factorial(l1 + l2 + l + 1)
    for upper in (l1 + l2 - l, l1 - l2 + l, -l1 + l2 + l):
        below *= factorial(upper)
    return Surd(1, 2 * l + 1, below)


def coupling_from_table(table: Sequence[tuple[int, int, int, Surd]], l1: int, l2: int, l: int) -> Coupling:
    """Monomial coupling of any table of orthonormal coefficients in the complex gauge.

    Parameters
    ----------
    table : sequence of (m1, m2, m, Surd)
        As `cg_table` returns it; a wrong table gives a wrong coupling, which is how the checks see it.
    l1, l2, l : int

    Returns
    -------
    tuple of (m1, m2, m, int or Fraction)
        Integers, if the table is right.

    Raises
    ------
    ValueError
        If an entry does not become rational: it cannot be a Clebsch-Gordan coefficient.
    """
    constant = coupling_constant(l1, l2, l)
    found = []
    for m1, m2, m, value in table:
        scale = Surd(1, _weight(l1, m1) * _weight(l2, m2), _weight(l, m))
        entry = (value * scale / constant).as_fraction()
        if entry is None:
            raise ValueError(f"coupling_from_table: <{l1} {m1} {l2} {m2}|{l} {m}> = {value} is no CG coefficient")
        found.append((m1, m2, m, entry.numerator if entry.denominator == 1 else entry))
    return tuple(found)


def real_gauge(number: Callable[[float], Any] = float, fmt: str = "float64", normalization: str = "integral") -> Gauge:
    """Gauge of the reference: real orthonormal components, constants correctly rounded to `fmt`.

    Parameters
    ----------
    number : callable float -> ring element
        ``float``, or ``Fraction`` for gates over the exact values of the rounded constants.
    fmt : {"float64", "float32", "float16", "bfloat16"}
    normalization : {"integral", "component", "norm"}
        Of the harmonics.

    Returns
    -------
    Gauge

    Raises
    ------
    DTypeError, ArgumentError
        If `number` is no function; when used, if `fmt` or `normalization` is unknown.
    """
    if not callable(number):
        raise DTypeError(f"real_gauge: 'number' must be a function of a float, got {number!r}")

    @lru_cache(maxsize=4096)
    def coupling(l1: int, l2: int, l: int) -> Coupling:
        return tuple((m1, m2, m, number(value.round(fmt))) for m1, m2, m, value in cg_table_real(l1, l2, l))

    @lru_cache(maxsize=64)
    def polynomials(l: int) -> list[list[tuple[tuple[int, int, int], Any]]]:
        rounded = [solid_harmonic(l, m, normalization).round(fmt) for m in range(-l, l + 1)]
        return [[(powers, number(a)) for powers, a in terms.items()] for terms in rounded]

    def harmonic(l: int, r: Vector) -> list[Any]:
        return [sum(a * (r[0] ** i * r[1] ** j * r[2] ** k) for (i, j, k), a in terms) for terms in polynomials(l)]

    return Gauge(f"real {fmt} {normalization}", coupling, harmonic, lambda r: [r[1], r[2], r[0]])


def _degrees(function: str, l1: int, l2: int, l: int) -> tuple[int, int, int]:
    """Degrees as Python's integers, before a cache sees them."""
    found = check_integer(function, "l1", l1), check_integer(function, "l2", l2), check_integer(function, "l", l)
    check_size(function, "l", max(found))
    return found


def _weight(l: int, m: int) -> int:
    return factorial(l + m) * factorial(l - m)


MONOMIAL = Gauge(
    "monomial",
    monomial_coupling,
    lambda l, r: monomial_fragments(l, r)[l],
    lambda r: monomial_fragments(1, r)[1],
)
