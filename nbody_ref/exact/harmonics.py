r"""Solid harmonics as polynomials with exact coefficients: the fragments that carry a position, secs. 4.0.1 and 4.1.

One polynomial identity defines them all. The position r is the quadratic form
w = ((x + i y)/2) v^2 + z u v - ((x - i y)/2) u^2, and the fragment of degree l is the form w^l / l!; the coefficient
a_m of u^{l+m} v^{l-m} is a polynomial over the Gaussian rationals (monomial gauge). With "norm" normalization,
conj(Y^l_m) = sqrt((l+m)!(l-m)!) a_m (complex gauge), and the real harmonics are s_m Re a_{-m} for m >= 0 and
s_m Im a_m for m < 0, with s_m = `real_scale(l, m)`. Derivation: docs/derivations/exact_wigner.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import factorial
from typing import Any

from nbody_ref.checks import check_integer
from nbody_ref.errors import ArgumentError, GeometryError
from nbody_ref.exact.ring import Gauss, check_size, divide, plain
from nbody_ref.exact.surd import Surd
from nbody_ref.exact.wigner import real_scale

__all__ = [
    "NORMALIZATIONS",
    "Harmonic",
    "fragment_polynomial",
    "monomial_fragments",
    "pi_enclosure",
    "round_over_root_4pi",
    "solid_harmonic",
]

NORMALIZATIONS = ("integral", "component", "norm")
Exponents = tuple[int, int, int]


@dataclass(frozen=True)
class Harmonic:
    """Solid harmonic r^l Y: one common real factor times a polynomial with (Gaussian-)rational coefficients.

    Parameters
    ----------
    scale : Surd
        Common factor, without the 1/sqrt(4 pi) of "integral".
    over_4pi : bool
        Whether the factor 1/sqrt(4 pi) belongs to it.
    terms : dict of (i, j, k) -> Fraction or Gauss
        Coefficients of x^i y^j z^k; Fractions in the real gauge.
    """

    scale: Surd
    over_4pi: bool
    terms: dict[Exponents, Any]

    def evaluate(self, r: Sequence[Any]) -> Any:
        """Polynomial without `scale`, at a position over any ring."""
        x, y, z = _vector("Harmonic.evaluate", r)
        total: Any = 0
        for (i, j, k), coefficient in self.terms.items():
            total = total + coefficient * (x**i * y**j * z**k)
        return total

    def value(self, r: Sequence[int | Fraction]) -> Surd:
        """Exact value at a rational position, for real harmonics without the factor 1/sqrt(4 pi).

        Raises
        ------
        ArgumentError
            If the value is no surd: complex gauge, or "integral" normalisation.
        GeometryError
            If `r` is no vector of three.
        """
        polynomial = self.evaluate(r)
        if self.over_4pi or isinstance(polynomial, Gauss):
            raise ArgumentError("Harmonic.value: only real harmonics in 'norm' or 'component' normalization are surds")
        return self.scale * Fraction(polynomial)

    def round(self, fmt: str = "float64") -> dict[Exponents, Any]:
        """Correctly rounded coefficients, floats in the real gauge, complex numbers in the complex gauge."""
        return {powers: self._rounded(coefficient, fmt) for powers, coefficient in self.terms.items()}

    def rounded_value(self, r: Sequence[int | Fraction], fmt: str = "float64") -> Any:
        """Correctly rounded value at a rational position, in any normalization and either gauge."""
        return self._rounded(self.evaluate(r), fmt)

    def _rounded(self, coefficient: Any, fmt: str) -> Any:
        if isinstance(coefficient, Gauss):
            return complex(self._rounded(coefficient.re, fmt), self._rounded(coefficient.im, fmt))
        number = self.scale * Fraction(coefficient)
        return round_over_root_4pi(number, fmt) if self.over_4pi else number.round(fmt)


def solid_harmonic(l: int, m: int, normalization: str = "integral", basis: str = "real") -> Harmonic:
    r"""Solid harmonic of degree l and component m as a polynomial.

    Parameters
    ----------
    l, m : int
        Degree and component, -l <= m <= l.
    normalization : {"integral", "component", "norm"}
        Sum over m of abs(Y)^2 on the unit sphere: (2l+1)/(4 pi), 2l+1, 1.
    basis : {"real", "complex"}
        Real harmonics without Condon-Shortley phase, or **conj(Y^l_m)** with it: the fragment of the direction.

    Returns
    -------
    Harmonic

    Raises
    ------
    ArgumentError
        If l or m is out of range, or a name is unknown.

    Examples
    --------
    >>> solid_harmonic(1, 0, "component").round()
    {(0, 0, 1): 1.7320508075688772}
    >>> solid_harmonic(2, -2, "norm").scale, solid_harmonic(2, -2, "norm").terms
    (Surd(1, 48, 1), {(1, 1, 0): Fraction(1, 4)})
    """
    l, m = _check_component("solid_harmonic", l, m)
    if not isinstance(normalization, str) or normalization not in NORMALIZATIONS:
        raise ArgumentError(f"solid_harmonic: 'normalization' must be one of {NORMALIZATIONS}, got {normalization!r}")
    width = Surd(1, 1 if normalization == "norm" else 2 * l + 1, 1)
    integral = normalization == "integral"
    if not isinstance(basis, str) or basis not in ("real", "complex"):
        raise ArgumentError(f"solid_harmonic: 'basis' must be 'real' or 'complex', got {basis!r}")
    if basis == "complex":
        polynomial = fragment_polynomial(l, m)
        return Harmonic(Surd(1, factorial(l + m) * factorial(l - m)) * width, integral, polynomial)
    polynomial = fragment_polynomial(l, -abs(m))
    parts = {powers: Fraction(a.re if m >= 0 else a.im) for powers, a in polynomial.items()}
    return Harmonic(real_scale(l, m) * width, integral, {powers: a for powers, a in parts.items() if a})


def fragment_polynomial(l: int, m: int) -> dict[Exponents, Gauss]:
    r"""Coefficient of u^{l+m} v^{l-m} in w^l / l!, as a polynomial in x, y, z.

    .. math:: a_m = \sum_{p-q=m,\ p+q\le l} \frac{1}{p!\,q!\,(l-p-q)!}
              \Big(-\frac{x-iy}{2}\Big)^p \Big(\frac{x+iy}{2}\Big)^q z^{l-p-q}

    Parameters
    ----------
    l, m : int

    Returns
    -------
    dict of (i, j, k) -> Gauss
        Nonzero coefficients of x^i y^j z^k over the Gaussian rationals.

    Raises
    ------
    ArgumentError
        If not 0 <= l and -l <= m <= l.
    """
    l, m = _check_component("fragment_polynomial", l, m)
    terms: dict[Exponents, Gauss] = {}
    for q in range(max(0, -m), (l - m) // 2 + 1):
        p = q + m
        weight = Fraction((-1) ** p, factorial(p) * factorial(q) * factorial(l - p - q) * 2 ** (p + q))
        for y_power, phase in enumerate(_minus_plus(p, q)):
            powers = (p + q - y_power, y_power, l - p - q)
            terms[powers] = terms.get(powers, Gauss(0)) + phase * weight
    return {powers: a for powers, a in sorted(terms.items()) if a}


def monomial_fragments(lmax: int, r: Sequence[Any]) -> list[list[Any]]:
    """Fragments of a position in the monomial gauge, degrees 0..lmax, over any ring.

    Parameters
    ----------
    lmax : int
    r : (x, y, z)
        Position over any ring that allows division by integers.

    Returns
    -------
    list over l of list over m = -l..l of Gauss

    Raises
    ------
    ArgumentError
        If `lmax` is not a non-negative integer.
    GeometryError
        If `r` is no vector of three.
    """
    lmax = check_integer("monomial_fragments", "lmax", lmax)
    check_size("monomial_fragments", "lmax", lmax)
    x, y, z = _vector("monomial_fragments", r)
    form = [Gauss(divide(x, 2), divide(y, 2)), Gauss(z, 0 * z), Gauss(divide(-x, 2), divide(y, 2))]
    fragments = [[Gauss(1, 0)]]
    for l in range(1, lmax + 1):
        product: list[Any] = [Gauss(0, 0)] * (2 * l + 1)
        for k, a in enumerate(fragments[-1]):
            for shift, b in enumerate(form):
                product[k + shift] = product[k + shift] + a * b
        fragments.append([a / l for a in product])
    return fragments


def round_over_root_4pi(number: Surd, fmt: str = "float64") -> float:
    """Correctly rounded number / sqrt(4 pi), from an integer enclosure of pi that is narrowed until both ends agree."""
    bits = 128
    while number:
        low, high = pi_enclosure(bits)
        ends = {
            Surd(number.sign, number.p * bound.denominator, 4 * number.q * bound.numerator).round(fmt)
            for bound in (low, high)
        }
        if len(ends) == 1:
            return ends.pop()
        bits *= 2  # ends after few rounds: pi is irrational, so no rounding boundary is hit
    return 0.0


@lru_cache(maxsize=8)
def pi_enclosure(bits: int) -> tuple[Fraction, Fraction]:
    """Rationals below and above pi, closer than bits * 2^(6 - bits), by Machin's formula in integers.

    pi = 16 arctan(1/5) - 4 arctan(1/239); the alternating series are cut below one unit of 2^-bits, and every
    truncated division errs by less than one unit.
    """
    unit = 1 << bits
    value, slack = 0, 0
    for factor, inverse in ((16, 5), (-4, 239)):
        power, k, total = unit // inverse, 0, 0
        while power:
            total += (-power if k % 2 else power) // (2 * k + 1)
            power //= inverse * inverse
            k += 1
        value += factor * total
        slack += abs(factor) * (2 * k + 2)  # two truncations per term, and the tail
    return Fraction(value - slack, unit), Fraction(value + slack, unit)


def _check_component(function: str, l: Any, m: Any) -> tuple[int, int]:
    found = check_integer(function, "l", l), plain(m)
    check_size(function, "l", found[0])
    if isinstance(m, bool) or not isinstance(found[1], int) or abs(found[1]) > found[0]:
        raise ArgumentError(f"{function}: 'm' must be an integer from -l to l, got l={l!r}, m={m!r}")
    return found


def _vector(function: str, r: Sequence[Any]) -> list[Any]:
    """Three ring elements; NumPy's integers as Python's."""
    try:
        found = [plain(x) for x in r]
    except TypeError:
        found = []
    if len(found) != 3:
        raise GeometryError(f"{function}: 'r' must be a vector (x, y, z), got {r!r}")
    return found


def _minus_plus(p: int, q: int) -> list[Gauss]:
    """Coefficients of x^{p+q-k} y^k in (x - i y)^p (x + i y)^q."""
    row = [Gauss(1, 0)]
    for unit in [Gauss(0, -1)] * p + [Gauss(0, 1)] * q:
        row = [
            (row[k] if k < len(row) else Gauss(0)) + (row[k - 1] * unit if k else Gauss(0)) for k in range(len(row) + 1)
        ]
    return row
