"""Radial families: functions of a distance that answer for themselves, in floating point and in exact arithmetic.

Derivation and error sizes: docs/derivations/radial.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb, exp, pi, prod, sqrt
from typing import Any

import numpy as np

from nbody_ref.certified.enclosure import Enclosed, enclosed_exp, enclosed_pi, enclosed_sqrt, sin_cos_pi
from nbody_ref.certified.functions import ZERO, Function, Jet, inverse_power, leibniz, leibniz_all
from nbody_ref.checks import check_integer
from nbody_ref.errors import ArgumentError, GeometryError, NBodyRefError
from nbody_ref.kernels import radial as loops
from nbody_ref.ops._op import load_ops

__all__ = ["FAMILIES", "Bessel", "ExponentialCosine", "InversePowers", "Radial", "RadialFunction", "radial_from_dict"]

Array = np.ndarray[Any, Any]
_LARGEST = 1000  # exponents and degrees of a cutoff: powers are formed by repeated multiplication
FAMILIES: dict[str, type[Radial]] = {}  # by name of the class


class Radial:
    """A family of `n` functions of a distance; subclasses are values that can be compared and written as JSON.

    A new family is a frozen dataclass with the number `n` and `fill`, in a module of this package or of the user's own.
    With `jet`, `sizes` and `chain` its values can be certified; with `exact` it is defined over any ring.
    """

    n: int

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        before = FAMILIES.get(cls.__name__, cls).__module__
        if before != cls.__module__ and before.startswith("nbody_ref."):
            raise ArgumentError(f"Radial: a family must have a new name, got {cls.__name__!r}, which {before} has")
        if not cls.__name__.startswith("_"):
            FAMILIES[cls.__name__] = cls

    def fill(self, d: Array, g: Array) -> None:
        """Write the derivatives of order 0..len(g) - 1 <= 2 at distances d (E,) into g (order + 1, E, n)."""
        raise TypeError(f"{type(self).__name__} must define fill(d, g)")

    def jet(self, n: int, x: Fraction, order: int) -> Jet | None:
        """g_n and its derivatives up to `order` at x, enclosed; None where they are zero.

        Raises
        ------
        NBodyRefError
            If they are not known.
        """
        raise NBodyRefError(f"conformance: no certified values are known for {self}")

    def divided(self, n: int, l: int, x: Fraction, order: int) -> Enclosed:
        """The derivative of g_n(x) x^-l, by Leibniz' rule."""
        jet = self.jet(n, x, order)
        return ZERO if jet is None else leibniz(jet, inverse_power(x, l, order))

    def sizes(self, n: int, d: float) -> Sequence[float] | None:
        """S of g_n and of its first two derivatives: sums of their terms with plus signs; None where they are zero."""
        raise NBodyRefError(f"conformance: no certified values are known for {self}")

    def chain(self, n: int) -> int:
        """k of the page of g_n: its longest chain of roundings."""
        raise NBodyRefError(f"conformance: no certified values are known for {self}")

    def exact(self, square: Any, l: int) -> list[Any]:
        """g_n(d) d^-l over any ring from the square of d, for every n; None for what has no value there.

        Raises
        ------
        NBodyRefError
            If the family is defined over no ring.
        """
        raise NBodyRefError(f"run: 'chain' must use inverse powers only, got {self}")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description, read back by `radial_from_dict`."""
        fields = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        return {"radial": type(self).__name__, **fields}


@dataclass(frozen=True)
class InversePowers(Radial):
    r"""The paper's radial functions, :math:`g_s(d) = d^{-s}` of eqs. (6), (10)-(12); s may be negative.

    Parameters
    ----------
    powers : tuple of int
    """

    powers: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self) -> None:
        try:
            powers = tuple(check_integer("InversePowers", "powers", s, -_LARGEST) for s in self.powers)
        except (ArgumentError, TypeError):
            powers = ()
        if not powers or max(powers) > _LARGEST:
            rule = f"integers from -{_LARGEST} to {_LARGEST}, at least one"
            raise ArgumentError(f"InversePowers: 'powers' must be {rule}, got {self.powers!r}")
        object.__setattr__(self, "powers", powers)

    @property
    def n(self) -> int:  # type: ignore[override]
        """Number of functions."""
        return len(self.powers)

    def fill(self, d: Array, g: Array) -> None:
        """Powers by repeated multiplication."""
        loops.inverse_powers(d, np.array(self.powers, np.int64), g)

    def divided(self, n: int, l: int, x: Fraction, order: int) -> Enclosed:
        """Exact, one power."""
        return inverse_power(x, self.powers[n] + l, order)[order]

    def sizes(self, n: int, d: float) -> Sequence[float]:
        """One term each."""
        s = self.powers[n]
        return [abs(prod(range(s, s + k))) * d ** -(s + k) for k in range(3)]

    def chain(self, n: int) -> int:
        """Repeated multiplication."""
        return 2 * abs(self.powers[n]) + 12

    def exact(self, square: Any, l: int) -> list[Any]:
        """Even powers are rational; odd ones have no value in an exact ring if the length is irrational."""
        return [_power(square, s + l) for s in self.powers]


@dataclass(frozen=True)
class _CutOff(Radial):
    """A family with the polynomial cutoff f_p: `wave` times it."""

    n: int
    cutoff: float
    p: int = 6

    def __post_init__(self) -> None:
        name = type(self).__name__
        n, p = check_integer(name, "n", self.n, 1), check_integer(name, "p", self.p, 1)
        if max(n, p) > _LARGEST:
            raise ArgumentError(f"{name}: 'n' and 'p' must be at most {_LARGEST}, got {n} and {p}")
        for key, value in (("n", n), ("cutoff", _length(name, "cutoff", self.cutoff)), ("p", p)):
            object.__setattr__(self, key, value)

    def wave(self, n: int, x: Fraction, order: int) -> Jet:
        """The factor beside the cutoff and its derivatives, enclosed."""
        raise NBodyRefError(f"conformance: no certified values are known for {self}")

    def wave_sizes(self, n: int, d: float) -> Sequence[float]:
        """S of that factor and of its first two derivatives."""
        raise NBodyRefError(f"conformance: no certified values are known for {self}")

    def jet(self, n: int, x: Fraction, order: int) -> Jet | None:
        """Leibniz' rule."""
        if x >= Fraction(self.cutoff):
            return None
        return leibniz_all(_wave(self, n, x, order), _cutoff(self.p, Fraction(self.cutoff), x, order))

    def sizes(self, n: int, d: float) -> Sequence[float] | None:
        """Leibniz' rule with plus signs."""
        if d >= self.cutoff:
            return None
        rc, p, x = self.cutoff, self.p, d / self.cutoff
        c = p * (p + 1) * (p + 2) / 2
        value = (1 - x) ** 3 * sum((k + 1) * (k + 2) / 2 * x**k for k in range(p))
        f = [
            value + c * x**p * (1 - x) ** 2,
            c * x ** (p - 1) * (1 - x) * (1 + x) / rc,
            c * x ** (p - 2) * ((p - 1) * (1 - x) + 2 * x) / rc**2,
        ]
        h = self.wave_sizes(n, d)
        return [sum(comb(k, i) * h[i] * f[k - i] for i in range(k + 1)) for k in range(3)]

    def chain(self, n: int) -> int:
        """15 for each half wave, 2 for each power of the cutoff."""
        return 15 * n + 2 * self.p + 24


@dataclass(frozen=True)
class Bessel(_CutOff):
    r"""Spherical Bessel functions of order zero with a polynomial cutoff,
    :math:`g_n(d) = \sqrt{2/r_c}\, \sin(n \pi d / r_c)/d\; f_p(d/r_c)`, n = 1..n.

    Parameters
    ----------
    n : int
    cutoff : float
        r_c, Angstrom.
    p : int
        Degree of the cutoff at small distance; value, first and second derivative vanish at r_c for every p >= 1.
    """

    n: int
    cutoff: float
    p: int = 6

    def fill(self, d: Array, g: Array) -> None:
        """Exactly zero from the cutoff on."""
        loops.bessel(d, float(self.cutoff), self.p, g)

    def wave(self, n: int, x: Fraction, order: int) -> Jet:
        """sqrt(2 / r_c) sin(a x) / x, a = (n + 1) pi / r_c."""
        rc, pi_ = Fraction(self.cutoff), enclosed_pi()
        s, c = sin_cos_pi((n + 1) * x / rc)
        a, jet, power = pi_.times(Fraction(n + 1) / rc), [], Enclosed(Fraction(1))
        for k in range(order + 1):
            jet.append(power * (s, c, s.times(-1), c.times(-1))[k % 4])
            power = power * a
        root = enclosed_sqrt(2 / rc)
        return [root * value for value in leibniz_all(jet, inverse_power(x, 1, order))]

    def wave_sizes(self, n: int, d: float) -> Sequence[float]:
        """Sine and cosine are at most one; below a d = 1 the terms of (B4) add up to less than t / 2 and 1 / 2."""
        A, a = sqrt(2 / self.cutoff), (n + 1) * pi / self.cutoff
        if a * d < 1:
            return [A * a, A * a**3 * d / 2, A * a**3 / 2]
        return [A / d, A * (a + 1 / d) / d, A * (a * a + 2 * (a + 1 / d) / d) / d]

    def chain(self, n: int) -> int:
        """That of a sine of n + 1 half waves."""
        return super().chain(n + 1)


@dataclass(frozen=True)
class ExponentialCosine(_CutOff):
    r"""Cosines of an exponential with a polynomial cutoff,
    :math:`g_n(d) = \cos(n \pi e^{-d/\sigma})\, f_p(d/r_c)`, n = 0..n-1.

    The variable y = exp(-d / sigma) resolves short distances, where forces change fastest; n counts half waves in y.

    Parameters
    ----------
    n : int
    cutoff : float
        r_c, Angstrom.
    p : int
        As in `Bessel`.
    scale : float
        sigma, Angstrom.
    """

    n: int
    cutoff: float
    p: int = 4
    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "scale", _length("ExponentialCosine", "scale", self.scale))

    def fill(self, d: Array, g: Array) -> None:
        """Exactly zero from the cutoff on."""
        loops.exponential_cosine(d, float(self.scale), float(self.cutoff), self.p, g)

    def wave(self, n: int, x: Fraction, order: int) -> Jet:
        """cos z, z = n pi exp(-x / sigma)."""
        sigma = Fraction(self.scale)
        y = enclosed_exp(-x / sigma).times(n)
        s, c = sin_cos_pi(y.mid)  # the slope in y is below four
        s, c = Enclosed(s.mid, s.rad + 4 * y.rad), Enclosed(c.mid, c.rad + 4 * y.rad)
        z = y * enclosed_pi()
        terms = {(0, True): Fraction(1)}  # sum of c z^j cos z (True) or sin z
        jet = []
        for k in range(order + 1):
            total = ZERO
            for (j, cosine), factor in terms.items():
                power = Enclosed(Fraction(1))
                for _ in range(j):
                    power = power * z
                total = total + (power * (c if cosine else s)).times(factor / (-sigma) ** k)
            jet.append(total)
            terms = _euler(terms)
        return jet

    def wave_sizes(self, n: int, d: float) -> Sequence[float]:
        """Sine and cosine are at most one."""
        z = n * pi * exp(-d / self.scale)
        return [1.0, z / self.scale, z * (1 + z) / self.scale**2]


def radial_from_dict(data: Mapping[str, Any]) -> Radial:
    """Inverse of `Radial.to_dict`.

    Raises
    ------
    ArgumentError
        If the family is unknown.
    """
    name = data.get("radial")
    if name not in FAMILIES:
        load_ops()
    if name not in FAMILIES:
        raise ArgumentError(f"radial_from_dict: 'radial' must be one of {sorted(FAMILIES)}, got {name!r}")
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k != "radial"}
    return FAMILIES[name](**fields)


@dataclass(frozen=True)
class RadialFunction(Function):
    """g_n(d) d^-l, column l n_functions + n, with the error sizes of the page.

    Raises
    ------
    NBodyRefError
        If the exact values of the family are not known.
    """

    basis: Radial
    lmax: int

    def __post_init__(self) -> None:
        self.basis.chain(0)

    @property
    def columns(self) -> int:
        """Degrees times functions."""
        return (self.lmax + 1) * self.basis.n

    def _each(self) -> list[tuple[int, int]]:
        return [(l, n) for l in range(self.lmax + 1) for n in range(self.basis.n)]

    def derivative(self, x: Fraction, order: int) -> Sequence[Enclosed]:
        """Of every function and degree."""
        return [self.basis.divided(n, l, x, order) for l, n in self._each()]

    def sizes(self, x: float, order: int) -> Sequence[float]:
        """S of a kernel that evaluates the factors one by one."""
        found = []
        for l, n in self._each():
            power, g = [float(prod(range(l, l + k))) * x ** -(l + k) for k in range(3)], self.basis.sizes(n, x)
            terms = () if g is None else (comb(order, i) * g[i] * power[order - i] for i in range(order + 1))
            found.append(float(sum(terms)))
        return found

    def roundings(self, order: int) -> Sequence[float]:
        """k of the page, and two for a conversion of the argument."""
        return [self.basis.chain(n) + 2 * l + 2 for l, n in self._each()]


@lru_cache(maxsize=65536)
def _wave(basis: _CutOff, n: int, x: Fraction, order: int) -> Jet:
    return basis.wave(n, x, order)


@lru_cache(maxsize=65536)
def _cutoff(p: int, rc: Fraction, x: Fraction, order: int) -> Jet:
    """f_p(d / r_c) and its derivatives, exactly: a polynomial."""
    terms = {
        0: Fraction(1),
        p: Fraction(-(p + 1) * (p + 2), 2),
        p + 1: Fraction(p * (p + 2)),
        p + 2: Fraction(-p * (p + 1), 2),
    }
    found = []
    for k in range(order + 1):
        total = sum(
            (c * prod(range(i - k + 1, i + 1)) * (x / rc) ** (i - k) for i, c in terms.items() if i >= k), Fraction(0)
        )
        found.append(Enclosed(total / rc**k))
    return found


def _euler(terms: dict[tuple[int, bool], Fraction]) -> dict[tuple[int, bool], Fraction]:
    """z d/dz of a sum of z^j cos z and z^j sin z."""
    found: dict[tuple[int, bool], Fraction] = {}
    for (j, cosine), c in terms.items():
        for key, value in (((j, cosine), c * j), ((j + 1, not cosine), -c if cosine else c)):
            if value:
                found[key] = found.get(key, Fraction(0)) + value
    return found


def _power(square: Any, s: int) -> Any:
    """|r|^-s from r^2, None if it is irrational and the ring exact."""
    if isinstance(square, int | Fraction):
        square = Fraction(square)
        if s % 2 == 0:
            return square ** (-s // 2)
        length = Fraction(math.isqrt(square.numerator), math.isqrt(square.denominator))
        return length**-s if length * length == square else None
    return square ** (-s // 2) if s % 2 == 0 else 1 / (square ** ((s - 1) // 2) * square**0.5)


def _length(name: str, argument: str, value: Any) -> float:
    """A positive length as a Python float, which is JSON; NumPy's float32 is not."""
    length = float(value) if isinstance(value, (int, float, np.integer, np.floating)) else 0.0
    if isinstance(value, bool) or not 0 < length < np.inf:
        raise GeometryError(f"{name}: '{argument}' must be a positive length in Angstrom, got {value!r}")
    return length
