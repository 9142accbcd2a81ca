"""Clebsch-Gordan coefficients as exact surds, sec. 4.1 of the N-body paper, eq. (13).

The complex gauge is Condon-Shortley; the real gauge is that of the real harmonics (components y, z, x for l = 1).
Degrees may be half-integers: SU(2) is where fusion diagrams come from. Derivation: docs/derivations/exact_cg.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import groupby
from math import comb, factorial, gcd
from operator import itemgetter
from typing import Any

from nbody_ref.checks import check_integer
from nbody_ref.errors import ArgumentError
from nbody_ref.exact.ring import as_rational, check_size
from nbody_ref.exact.surd import Surd

__all__ = [
    "cg_integer",
    "cg_table",
    "cg_table_real",
    "clebsch_gordan",
    "clebsch_gordan_real",
    "real_unitary",
    "triples",
]

HalfInteger = int | Fraction | float
Entry = tuple[Any, Any, Any, Surd]  # components: int, or Fraction for half-integer degrees
ZERO = Surd(0, 0, 1)


def clebsch_gordan(
    l1: HalfInteger, m1: HalfInteger, l2: HalfInteger, m2: HalfInteger, l: HalfInteger, m: HalfInteger
) -> Surd:
    r"""Clebsch-Gordan coefficient <l1 m1 l2 m2 | l m>, eq. (13), Condon-Shortley phases.

    .. math:: C = S \sqrt{\frac{(2l+1)\,(l_1+m_1)!(l_1-m_1)!(l_2+m_2)!(l_2-m_2)!(l+m)!(l-m)!}
              {(l_1+l_2+l+1)!\,(l_1+l_2-l)!\,(l_1-l_2+l)!\,(-l_1+l_2+l)!}}

    with the integer S of `cg_integer`.

    Parameters
    ----------
    l1, m1, l2, m2, l, m : int, Fraction or float
        Integers or half-integers; each m differs from its l by an integer.

    Returns
    -------
    Surd
        Exact value; zero outside the triangle rule, for m != m1 + m2, and for any abs(m) > l.

    Raises
    ------
    ArgumentError
        If an argument is no multiple of 1/2, an l is negative, or l - m is no integer.

    Examples
    --------
    >>> clebsch_gordan(1, 0, 1, 0, 2, 0)
    Surd(1, 2, 3)
    >>> clebsch_gordan(0.5, 0.5, 0.5, -0.5, 0, 0)
    Surd(1, 1, 2)
    """
    j1, n1 = _pair("clebsch_gordan", "1", l1, m1)
    j2, n2 = _pair("clebsch_gordan", "2", l2, m2)
    j, n = _pair("clebsch_gordan", "", l, m)
    return _coefficient(j1, n1, j2, n2, j, n)


def cg_integer(l1: HalfInteger, m1: HalfInteger, l2: HalfInteger, m2: HalfInteger, l: HalfInteger) -> int:
    r"""Integer S that carries the sign and the zeros of <l1 m1 l2 m2 | l m1+m2>.

    .. math:: S = \sum_k (-1)^k \binom{l_1+l_2-l}{k} \binom{l_1-l_2+l}{l_1-m_1-k} \binom{-l_1+l_2+l}{l_2+m_2-k}

    Parameters
    ----------
    l1, m1, l2, m2, l : int, Fraction or float
        As in `clebsch_gordan`.

    Returns
    -------
    int
        Zero outside the triangle rule.

    Raises
    ------
    ArgumentError
        As `clebsch_gordan`.
    """
    j1, n1 = _pair("cg_integer", "1", l1, m1)
    j2, n2 = _pair("cg_integer", "2", l2, m2)
    j, n = _pair("cg_integer", "", l, Fraction(n1 + n2, 2))
    return _integer(j1, n1, j2, n2, j) if _admissible(j1, n1, j2, n2, j, n) else 0


def cg_table(l1: HalfInteger, l2: HalfInteger, l: HalfInteger) -> tuple[Entry, ...]:
    """Nonzero coefficients of one triple in the complex gauge.

    Parameters
    ----------
    l1, l2, l : int, Fraction or float
        Degrees, integers or half-integers.

    Returns
    -------
    tuple of (m1, m2, m, Surd)
        Ordered by (m, m1, m2); the m are ints for integer degrees, else Fractions. Empty if the triangle rule fails.

    Raises
    ------
    ArgumentError
        If a degree is negative or no multiple of 1/2.
    """
    return _table(_degree("cg_table", "l1", l1), _degree("cg_table", "l2", l2), _degree("cg_table", "l", l))


def clebsch_gordan_real(l1: int, m1: int, l2: int, m2: int, l: int, m: int) -> Surd:
    r"""Clebsch-Gordan coefficient in the real gauge, a single signed surd.

    .. math:: C^{real} = i^{s}\, U_l\, C\, (U_{l_1}^\dagger \otimes U_{l_2}^\dagger), \qquad s = (l_1+l_2+l) \bmod 2

    Parameters
    ----------
    l1, m1, l2, m2, l, m : int

    Returns
    -------
    Surd
        Exact value; zero outside the triangle rule and for abs(m) > l.

    Raises
    ------
    ArgumentError
        If an argument is no integer or an l is negative: half-integer degrees have no real gauge.

    Notes
    -----
    At most two terms of the sum differ from zero, and the reflection m -> -m maps them onto each other, hence a
    single surd. [a x b]^0 = -a.b/sqrt(3) and [a x b]^1 = (a cross b)/sqrt(2). docs/derivations/exact_cg.md.

    Examples
    --------
    >>> clebsch_gordan_real(1, 0, 1, 0, 0, 0)
    Surd(-1, 1, 3)
    """
    named = (("l1", l1), ("l2", l2), ("l", l)), (("m1", m1), ("m2", m2), ("m", m))
    degrees = tuple(_whole("clebsch_gordan_real", name, value, 0) for name, value in named[0])
    n1, n2, n = (_whole("clebsch_gordan_real", name, value) for name, value in named[1])
    return _real(*degrees).get((n1, n2, n), ZERO)


def cg_table_real(l1: int, l2: int, l: int) -> tuple[tuple[int, int, int, Surd], ...]:
    """Nonzero coefficients of one triple in the real gauge.

    Parameters
    ----------
    l1, l2, l : int

    Returns
    -------
    tuple of (m1, m2, m, Surd)
        Ordered by (m, m1, m2); see `clebsch_gordan_real`. Empty if the triangle rule fails.

    Raises
    ------
    ArgumentError
        If a degree is negative or no integer.
    """
    degrees = tuple(_whole("cg_table_real", name, value, 0) for name, value in (("l1", l1), ("l2", l2), ("l", l)))
    return tuple((*key, value) for key, value in _real(*degrees).items())


def triples(lmax: int) -> Iterator[tuple[int, int, int]]:
    """All admissible (l1, l2, l) with every degree at most lmax, in lexicographic order."""
    lmax = _whole("triples", "lmax", lmax, 0)
    for l1 in range(lmax + 1):
        for l2 in range(lmax + 1):
            for l in range(abs(l1 - l2), min(l1 + l2, lmax) + 1):
                yield l1, l2, l


def real_unitary(l: int) -> tuple[tuple[int, int, int, Surd], ...]:
    r"""Unitary U_l with Y_real = U_l conj(Y_complex), entry by entry.

    Parameters
    ----------
    l : int
        Degree.

    Returns
    -------
    tuple of (m, n, k, Surd)
        The nonzero entries U[m, n] = i^k times a surd, 0 <= k < 4, m the real and n the complex component.

    Raises
    ------
    ArgumentError
        If `l` is negative or no integer: half-integer degrees have no real gauge.

    Examples
    --------
    >>> real_unitary(0)
    ((0, 0, 0, Surd(1, 1, 1)),)
    """
    degree = _whole("real_unitary", "l", l, 0)
    return tuple(
        (m, n, k, Surd(1, 1, 2 if n else 1))
        for m in range(-degree, degree + 1)
        for n in sorted({-m, m})
        for row, k in _column(n)
        if row == m
    )


# Below, degrees and components are doubled integers: j = 2l, n = 2m.


def _double(function: str, name: str, value: HalfInteger) -> int:
    exact = as_rational(value)
    if exact is None or (2 * exact).denominator != 1:
        raise ArgumentError(f"{function}: {name!r} must be an integer or a half-integer, got {value!r}")
    return int(2 * exact)


def _whole(function: str, name: str, value: Any, least: int | None = None) -> int:
    found = check_integer(function, name, value, least)
    if least == 0:
        check_size(function, name, found)
    return found


def _degree(function: str, name: str, value: HalfInteger) -> int:
    doubled = _double(function, name, value)
    if doubled < 0:
        raise ArgumentError(f"{function}: {name!r} must not be negative, got {value!r}")
    check_size(function, name, doubled // 2)
    return doubled


def _pair(function: str, label: str, l: HalfInteger, m: HalfInteger) -> tuple[int, int]:
    j, n = _degree(function, "l" + label, l), _double(function, "m" + label, m)
    if (j - n) % 2:
        raise ArgumentError(f"{function}: 'm{label}' must differ from 'l{label}' by an integer, got m={m!r}, l={l!r}")
    return j, n


def _triangle(j1: int, j2: int, j: int) -> bool:
    return (j1 + j2 + j) % 2 == 0 and abs(j1 - j2) <= j <= j1 + j2


def _admissible(j1: int, n1: int, j2: int, n2: int, j: int, n: int) -> bool:
    return _triangle(j1, j2, j) and n == n1 + n2 and abs(n1) <= j1 and abs(n2) <= j2 and abs(n) <= j


def _integer(j1: int, n1: int, j2: int, n2: int, j: int) -> int:
    """S of an admissible coefficient."""
    a, b, c = (j1 + j2 - j) // 2, (j1 - j2 + j) // 2, (-j1 + j2 + j) // 2
    x, y = (j1 - n1) // 2, (j2 + n2) // 2
    total = 0
    for k in range(max(0, x - b, y - c), min(a, x, y) + 1):
        term = comb(a, k) * comb(b, x - k) * comb(c, y - k)
        total += -term if k & 1 else term
    return total


def _coefficient(j1: int, n1: int, j2: int, n2: int, j: int, n: int) -> Surd:
    if not _admissible(j1, n1, j2, n2, j, n):
        return ZERO
    s = _integer(j1, n1, j2, n2, j)
    top = (j + 1) * s * s
    for up, down in ((j1, n1), (j2, n2), (j, n)):
        top *= factorial((up + down) // 2) * factorial((up - down) // 2)
    bottom = factorial((j1 + j2 + j) // 2 + 1)
    for upper in (j1 + j2 - j, j1 - j2 + j, -j1 + j2 + j):
        bottom *= factorial(upper // 2)
    return Surd((s > 0) - (s < 0), top, bottom)


def _delta(a: int, b: int, c: int) -> Fraction:
    top = factorial((a + b - c) // 2) * factorial((a - b + c) // 2) * factorial((-a + b + c) // 2)
    return Fraction(top, factorial((a + b + c) // 2 + 1))


@lru_cache(maxsize=4096)
def _table(j1: int, j2: int, j: int) -> tuple[Entry, ...]:
    """Nonzero coefficients by (n, n1): a quarter of them by the formula, the rest by two symmetries, as the same surds.

    <l1 m1 l2 m2|l m> = (-1)^(l1+l2-l) <l2 m2 l1 m1|l m> = (-1)^(l1+l2-l) <l1 -m1 l2 -m2|l -m>.
    """
    if not _triangle(j1, j2, j):
        return ()
    odd = (j1 + j2 - j) // 2 % 2 == 1
    if j1 < j2:
        groups = (list(group)[::-1] for _, group in groupby(_table(j2, j1, j), itemgetter(2)))
        return tuple([(b, a, m, -v if odd else v) for group in groups for a, b, m, v in group])
    rows = _rows(j1, j2, j)
    mirrored = [(-a, -b, -m, -v if odd else v) for a, b, m, v in reversed(rows) if m]
    return (*rows, *mirrored)


def _rows(j1: int, j2: int, j: int) -> list[Entry]:
    """The coefficients with m <= 0, by the formula; what depends on the degrees alone is made once."""
    a, b, c = (j1 + j2 - j) // 2, (j1 - j2 + j) // 2, (-j1 + j2 + j) // 2
    A, B, C = ([comb(n, k) for k in range(n + 1)] for n in (a, b, c))
    bottom = factorial((j1 + j2 + j) // 2 + 1) * factorial(a) * factorial(b) * factorial(c)
    above, left, right = _factorials(j), _factorials(j1), _factorials(j2)
    found: list[Entry] = []
    for n in range(-j, 1, 2):
        top, m = (j + 1) * above[(n + j) // 2], _halve(n)
        for n1 in range(max(-j1, n - j2), min(j1, n + j2) + 1, 2):
            n2 = n - n1
            x, y = (j1 - n1) // 2, (j2 + n2) // 2
            total = 0
            for k in range(max(0, x - b, y - c), min(a, x, y) + 1):
                term = A[k] * B[x - k] * C[y - k]
                total += -term if k & 1 else term
            if total:
                p = top * left[(n1 + j1) // 2] * right[(n2 + j2) // 2] * total * total
                common = gcd(p, bottom)
                value = Surd.reduced(1 if total > 0 else -1, p // common, bottom // common)
                found.append((_halve(n1), _halve(n2), m, value))
    return found


@lru_cache(maxsize=256)
def _factorials(j: int) -> tuple[int, ...]:
    """(l + m)! (l - m)! for m = -l..l."""
    return tuple(factorial(k) * factorial(j - k) for k in range(j + 1))


def _column(n: int) -> tuple[tuple[int, int], ...]:
    """Column n of the unitary: pairs (m, k) with U[m, n] = i^k, times 1/sqrt(2) unless n = 0."""
    if n == 0:
        return ((0, 0),)
    odd = 2 * (n % 2)
    return ((n, odd), (-n, (1 + odd) % 4)) if n > 0 else ((-n, 0), (n, 3))


def _halve(n: int) -> int | Fraction:
    return Fraction(n, 2) if n % 2 else n // 2


@lru_cache(maxsize=4096)
def _real(l1: int, l2: int, l: int) -> dict[tuple[int, int, int], Surd]:
    """Nonzero entries of i^s U_l C (U_l1^dagger x U_l2^dagger), keyed (m1, m2, m), ordered by (m, m1, m2).

    What an entry sums are numbers of one size, times powers of i: counted, first of 1 and -1, then of i and -i.
    """
    odd = (l1 + l2 - l) % 2 == 1
    if l1 < l2:  # as in the complex gauge, whose unitaries stand on both sides
        other = sorted(_real(l2, l1, l).items(), key=lambda item: (item[0][2], item[0][1]))
        return {(b, a, m): -value if odd else value for (a, b, m), value in other}
    sums: dict[tuple[int, int, int], list[int]] = {}
    s = (l1 + l2 + l) % 2
    columns = {n: _column(n) for n in range(-max(l1, l), max(l1, l) + 1)}
    for n1, n2, n, value in _table(2 * l1, 2 * l2, 2 * l):
        p, q, start = value.p, value.q, s + 1 - value.sign  # i^s; a minus sign is i^2
        for m1, k1 in columns[n1]:
            for m2, k2 in columns[n2]:
                for m, k in columns[n]:
                    entry = sums.get((m, m1, m2))
                    if entry is None:
                        entry = sums[m, m1, m2] = [p, q, 0, 0]
                    if entry[0] != p or entry[1] != q:
                        raise ArgumentError(f"clebsch_gordan_real: degrees {(l1, l2, l)}: not a single surd")
                    phase = (start + k - k1 - k2) % 4  # the daggers conjugate
                    entry[2 + phase % 2] += 1 if phase < 2 else -1
    found = {}
    for key in sorted(sums):
        m, m1, m2 = key
        p, q, real, imaginary = sums[key]
        if imaginary:
            raise ArgumentError(f"clebsch_gordan_real: degrees {(l1, l2, l)}, components {key}: not real")
        if real:
            halvings = (m1 != 0) + (m2 != 0) + (m != 0)
            found[m1, m2, m] = Surd(1 if real > 0 else -1, p * real * real, q << halvings)
    return found
