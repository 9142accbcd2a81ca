r"""Wigner's 3j, 6j and 9j symbols, Racah's W, and integrals of three spherical harmonics, exactly.

Every symbol is one signed surd: in the sums below the radicands of all terms differ by squares. The integrals carry one
more factor 1/sqrt(pi). ``float`` of any result is the nearest float64; ``.round("float32")`` and so on round once to
other formats. Derivation and symmetries: docs/derivations/symbols.md.

Labels are ints, Fractions or floats that are multiples of 1/2. Lists of labels give lists of results, element by
element, and NumPy arrays (broadcast as usual) give arrays of results, which ``astype(float)`` rounds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import comb, factorial
from typing import Any

from nbody_ref.errors import ArgumentError, ShapeError
from nbody_ref.exact.cg import _coefficient, _column, _degree, _delta, _double, _triangle
from nbody_ref.exact.harmonics import round_over_root_4pi
from nbody_ref.exact.surd import Surd, SurdLike

__all__ = ["OverRootPi", "gaunt", "nine_j", "racah_w", "real_gaunt", "six_j", "three_j"]

ZERO = Surd(0, 0, 1)


@dataclass(frozen=True, eq=False, slots=True)
class OverRootPi:
    """The real number surd / sqrt(pi).

    Parameters
    ----------
    surd : Surd

    Examples
    --------
    >>> float(OverRootPi(Surd(1, 1, 4)))
    0.28209479177387814
    """

    surd: Surd

    def round(self, fmt: str = "float64") -> float:
        """Nearest number of a format, as `Surd.round`; pi is enclosed until its two bounds round alike."""
        return round_over_root_4pi(self.surd * 2, fmt)

    def __float__(self) -> float:
        return self.round("float64")

    def __bool__(self) -> bool:
        return bool(self.surd)

    def __neg__(self) -> OverRootPi:
        return OverRootPi(-self.surd)

    def __mul__(self, other: SurdLike) -> OverRootPi:
        return OverRootPi(self.surd * other)

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, OverRootPi):
            return self.surd == other.surd
        return not self.surd if other == 0 else NotImplemented

    def __hash__(self) -> int:
        return hash((OverRootPi, self.surd)) if self.surd else hash(0)

    def __str__(self) -> str:
        sign = "-" if self.surd.sign < 0 else ""
        return f"{sign}sqrt({self.surd.square()}/pi)" if self.surd else "0"


def three_j(j1: Any, m1: Any, j2: Any, m2: Any, j3: Any, m3: Any) -> Any:
    r"""Wigner's 3j symbol (j1 j2 j3; m1 m2 m3).

    .. math:: \begin{pmatrix} j_1 & j_2 & j_3 \\ m_1 & m_2 & m_3 \end{pmatrix}
              = \frac{(-1)^{j_1-j_2-m_3}}{\sqrt{2j_3+1}}\, \langle j_1 m_1 j_2 m_2 | j_3\, {-m_3}\rangle

    Parameters
    ----------
    j1, m1, j2, m2, j3, m3 : int, Fraction, float, or lists or arrays of them
        Integers or half-integers, spin and component by turns; each m differs from its j by an integer.

    Returns
    -------
    Surd, or list or array of Surd
        Exact; zero outside the triangle rule, for m1 + m2 + m3 != 0, and for any abs(m) > j.

    Raises
    ------
    ArgumentError
        If a label is no multiple of 1/2, a j is negative, or j - m is no integer.
    ShapeError
        If lists or arrays of labels do not go together.

    Examples
    --------
    >>> three_j(1, 0, 1, 0, 2, 0)
    Surd(1, 2, 15)
    >>> [float(x) for x in three_j(0.5, [0.5, -0.5], 0.5, [-0.5, 0.5], 1, 0)]
    [0.408248290463863, 0.408248290463863]
    """
    return _each(_three_j, j1, m1, j2, m2, j3, m3)


def six_j(j1: Any, j2: Any, j3: Any, j4: Any, j5: Any, j6: Any) -> Any:
    r"""Wigner's 6j symbol {j1 j2 j3; j4 j5 j6} by Racah's formula.

    .. math:: \sqrt{\Delta_{123}\Delta_{156}\Delta_{426}\Delta_{453}} \sum_t \frac{(-1)^t (t+1)!}
              {\prod_{i=1}^4 (t-a_i)!\ \prod_{i=1}^3 (b_i-t)!}

    with Delta_abc = (a+b-c)!(a-b+c)!(-a+b+c)!/(a+b+c+1)!, a_i the four triad sums, b_i the three quad sums.

    Parameters
    ----------
    j1, j2, j3, j4, j5, j6 : int, Fraction, float, or lists or arrays of them
        Integers or half-integers, first row then second row.

    Returns
    -------
    Surd, or list or array of Surd
        Exact value; zero if one of the four triads violates the triangle rule.

    Raises
    ------
    ArgumentError
        If an argument is negative or no multiple of 1/2.
    ShapeError
        As `three_j`.

    Examples
    --------
    >>> six_j(1, 1, 1, 1, 1, 1)
    Surd(1, 1, 36)
    """
    return _each(_six_j, j1, j2, j3, j4, j5, j6)


def racah_w(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    r"""Racah's W(a b c d; e f), the 6j symbol with the sign of the coupling ((a b)e d)c -> (a (b d)f)c.

    .. math:: W(abcd;ef) = (-1)^{a+b+c+d} \begin{Bmatrix} a & b & e \\ d & c & f \end{Bmatrix}

    Parameters, returns, raises: as `six_j`.

    Examples
    --------
    >>> racah_w(1, 0, 2, 1, 1, 1)
    Surd(1, 1, 9)
    """
    return _each(_racah_w, a, b, c, d, e, f)


def nine_j(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, i: Any) -> Any:
    r"""Wigner's 9j symbol {a b c; d e f; g h i}.

    .. math:: \sum_x (-1)^{2x} (2x+1) \begin{Bmatrix} a & b & c \\ f & i & x \end{Bmatrix}
              \begin{Bmatrix} d & e & f \\ b & x & h \end{Bmatrix} \begin{Bmatrix} g & h & i \\ x & a & d \end{Bmatrix}

    Parameters
    ----------
    a, b, c, d, e, f, g, h, i : int, Fraction, float, or lists or arrays of them
        Integers or half-integers, row by row.

    Returns
    -------
    Surd, or list or array of Surd
        Exact; zero if a row or a column violates the triangle rule.

    Raises
    ------
    ArgumentError
        If an argument is negative or no multiple of 1/2.
    ShapeError
        As `three_j`.

    Examples
    --------
    >>> nine_j(1, 1, 2, 1, 1, 2, 2, 2, 4)
    Surd(1, 1, 625)
    """
    return _each(_nine_j, a, b, c, d, e, f, g, h, i)


def gaunt(l1: Any, m1: Any, l2: Any, m2: Any, l3: Any, m3: Any) -> Any:
    r"""Gaunt coefficient, the integral of three complex (Condon-Shortley) spherical harmonics over the sphere.

    .. math:: \int Y_{l_1}^{m_1} Y_{l_2}^{m_2} Y_{l_3}^{m_3}\, d\Omega
              = \sqrt{\frac{(2l_1+1)(2l_2+1)(2l_3+1)}{4\pi}} \begin{pmatrix} l_1 & l_2 & l_3 \\ 0 & 0 & 0 \end{pmatrix}
              \begin{pmatrix} l_1 & l_2 & l_3 \\ m_1 & m_2 & m_3 \end{pmatrix}

    Parameters
    ----------
    l1, m1, l2, m2, l3, m3 : int, or lists or arrays of them
        Degrees and components by turns; no harmonic is conjugated.

    Returns
    -------
    OverRootPi, or list or array of OverRootPi
        Exact; zero where a 3j symbol is, so for odd l1 + l2 + l3.

    Raises
    ------
    ArgumentError
        If an argument is no integer or an l is negative.
    ShapeError
        As `three_j`.

    Examples
    --------
    >>> print(gaunt(1, 0, 1, 0, 2, 0), float(gaunt(1, 0, 1, 0, 2, 0)))
    sqrt(1/5/pi) 0.252313252202016
    """
    return _each(_gaunt, l1, m1, l2, m2, l3, m3)


def real_gaunt(l1: Any, m1: Any, l2: Any, m2: Any, l3: Any, m3: Any) -> Any:
    r"""Integral of three real spherical harmonics (the package's: no Condon-Shortley phase) over the sphere.

    .. math:: \int Y_{l_1 m_1} Y_{l_2 m_2} Y_{l_3 m_3}\, d\Omega
              = \sum_{n_1 n_2 n_3} U_{m_1 n_1} U_{m_2 n_2} U_{m_3 n_3}\ \mathrm{gaunt}(l_1 n_1, l_2 n_2, l_3 n_3)

    with the unitary matrices of `real_unitary`. Parameters, returns, raises: as `gaunt`.

    Examples
    --------
    >>> print(real_gaunt(1, 1, 1, 1, 2, 2))
    sqrt(3/20/pi)
    """
    return _each(_real_gaunt, l1, m1, l2, m2, l3, m3)


def _each(function: Callable[..., Any], *labels: Any) -> Any:
    """Apply a function of single labels to labels, or element by element to lists or arrays of them."""
    lists = [x for x in labels if isinstance(x, list | tuple | range)]
    if any(getattr(x, "shape", ()) for x in labels):
        numpy = sys.modules["numpy"]  # loaded already, or there would be no array
        try:
            return numpy.frompyfunc(function, len(labels), 1)(*labels)
        except ValueError as error:
            if isinstance(error, ArgumentError):
                raise
            raise ShapeError(f"{function.__name__[1:]}: arrays of labels must go together: {error}") from error
    if not lists:
        return function(*labels)
    lengths = {len(x) for x in lists}
    if len(lengths) > 1:
        raise ShapeError(f"{function.__name__[1:]}: lists of labels must have one length, got {sorted(lengths)}")
    count = lengths.pop()
    rows = [x if isinstance(x, list | tuple | range) else [x] * count for x in labels]
    return [_each(function, *row) for row in zip(*rows)]


# Below, spins and components are doubled integers once they are checked.


def _spins(function: str, names: str, values: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(_degree(function, name, value) for name, value in zip(names.split(), values))


def _three_j(*labels: Any) -> Surd:
    j1, j2, j3 = _spins("three_j", "j1 j2 j3", labels[::2])
    m1, m2, m3 = (_double("three_j", f"m{k}", value) for k, value in enumerate(labels[1::2], start=1))
    for k, (j, m) in enumerate(((j1, m1), (j2, m2), (j3, m3)), start=1):
        if (j - m) % 2:
            got = f"m={labels[2 * k - 1]!r}, j={labels[2 * k - 2]!r}"
            raise ArgumentError(f"three_j: 'm{k}' must differ from 'j{k}' by an integer, got {got}")
    return _three(j1, m1, j2, m2, j3, m3)


def _three(j1: int, m1: int, j2: int, m2: int, j3: int, m3: int) -> Surd:
    value = _coefficient(j1, m1, j2, m2, j3, -m3)
    sign = -1 if value and (j1 - j2 - m3) // 2 % 2 else 1
    return Surd(sign * value.sign, value.p, value.q * (j3 + 1))


def _six_j(*labels: Any) -> Surd:
    return _six(*_spins("six_j", "j1 j2 j3 j4 j5 j6", labels))


def _six(a: int, b: int, c: int, d: int, e: int, f: int) -> Surd:
    triads = ((a, b, c), (a, e, f), (d, b, f), (d, e, c))
    if not all(_triangle(*triad) for triad in triads):
        return ZERO
    return _root_of_deltas(triads) * _racah_sum(a, b, c, d, e, f)


def _root_of_deltas(triads: tuple[tuple[int, int, int], ...]) -> Surd:
    radicand = Fraction(1)
    for triad in triads:
        radicand *= _delta(*triad)
    return Surd(1, radicand.numerator, radicand.denominator)


@lru_cache(maxsize=65536)
def _racah_sum(a: int, b: int, c: int, d: int, e: int, f: int) -> Fraction:
    """Sum over t of `six_j`, an integer sum of products of binomials times a ratio of factorials (step Y3)."""
    s1, s2, s3, s4 = (a + b + c) // 2, (a + e + f) // 2, (d + b + f) // 2, (d + e + c) // 2
    q1, q2, q3 = (a + b + d + e) // 2, (b + c + e + f) // 2, (a + c + d + f) // 2
    t, last = max(s1, s2, s3, s4), min(q1, q2, q3)
    term = comb(t + 1, s1 + 1) * comb(q1 - s2, t - s2) * comb(q2 - s3, t - s3) * comb(q3 - s4, t - s4)
    term = -term if t % 2 else term
    total = term
    while t < last:
        up = (t + 2) * (q1 - t) * (q2 - t) * (q3 - t)
        term = -term * up // ((t + 1 - s1) * (t + 1 - s2) * (t + 1 - s3) * (t + 1 - s4))  # exact: again binomials
        total += term
        t += 1
    return Fraction(total * factorial(s1 + 1), factorial(q1 - s2) * factorial(q2 - s3) * factorial(q3 - s4))


def _racah_w(*labels: Any) -> Surd:
    a, b, c, d, e, f = _spins("racah_w", "a b c d e f", labels)
    value = _six(a, b, e, d, c, f)
    return -value if value and (a + b + c + d) // 2 % 2 else value


def _nine_j(*labels: Any) -> Surd:
    a, b, c, d, e, f, g, h, i = _spins("nine_j", "a b c d e f g h i", labels)
    outer = ((a, b, c), (d, e, f), (g, h, i), (a, d, g), (b, e, h), (c, f, i))
    if not all(_triangle(*triad) for triad in outer):
        return ZERO
    total = Fraction(0)
    for x in range(max(abs(a - i), abs(d - h), abs(b - f)), min(a + i, d + h, b + f) + 1, 2):
        term = _racah_sum(a, b, c, f, i, x) * _racah_sum(d, e, f, b, x, h) * _racah_sum(g, h, i, x, a, d)
        total += (-1) ** x * (x + 1) * term * _delta(a, i, x) * _delta(f, b, x) * _delta(d, x, h)
    return _root_of_deltas(outer) * total


def _integers(function: str, labels: tuple[Any, ...]) -> tuple[int, ...]:
    found = []
    for k, (l, m) in enumerate(zip(labels[::2], labels[1::2]), start=1):
        for name, value, doubled in (
            (f"l{k}", l, _degree(function, f"l{k}", l)),
            (f"m{k}", m, _double(function, f"m{k}", m)),
        ):
            if doubled % 2:
                raise ArgumentError(f"{function}: '{name}' must be an integer, got {value!r}")
            found.append(doubled // 2)
    return tuple(found)


def _gaunt(*labels: Any) -> OverRootPi:
    return _integral(*_integers("gaunt", labels))


def _integral(l1: int, m1: int, l2: int, m2: int, l3: int, m3: int) -> OverRootPi:
    value = _three(2 * l1, 2 * m1, 2 * l2, 2 * m2, 2 * l3, 2 * m3)
    if value:
        value = value * _three(2 * l1, 0, 2 * l2, 0, 2 * l3, 0) * Surd(1, (2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1), 4)
    return OverRootPi(value)


def _real_gaunt(*labels: Any) -> OverRootPi:
    l1, m1, l2, m2, l3, m3 = _integers("real_gaunt", labels)
    terms = [
        (n, sum(phases) % 4)
        for pairs in product(*(_row(m) for m in (m1, m2, m3)))
        for n, phases in [tuple(zip(*pairs))]
        if sum(n) == 0
    ]
    if not terms:
        return OverRootPi(ZERO)
    n1, n2, n3 = terms[0][0]  # the only other term is its reflection, of equal value since l1 + l2 + l3 is even
    count = sum((1, 0, -1, 0)[phase] for _, phase in terms)
    halvings = sum(m != 0 for m in (m1, m2, m3))
    return _integral(l1, n1, l2, n2, l3, n3) * Surd((count > 0) - (count < 0), count * count, 1 << halvings)


def _row(m: int) -> list[tuple[int, int]]:
    """Row m of the unitary: pairs (n, k) with U[m, n] = i^k, times 1/sqrt(2) unless m = 0."""
    return [(n, k) for n in sorted({-m, m}) for row, k in _column(n) if row == m]
