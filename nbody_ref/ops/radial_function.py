"""The radial families enclosed, with the error sizes of docs/derivations/radial.md."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import comb, exp, pi, prod, sqrt
from typing import Any

from nbody_ref.certified.enclosure import Enclosed, enclosed_exp, enclosed_sqrt, sin_cos_pi
from nbody_ref.certified.functions import ZERO, Function, Jet, inverse_power, leibniz, leibniz_all
from nbody_ref.errors import NBodyRefError
from nbody_ref.exact.harmonics import pi_enclosure
from nbody_ref.ops.radial import Bessel, ExponentialCosine, InversePowers, Radial

__all__ = ["RadialFunction"]


class RadialFunction(Function):
    """g_n(d) d^-l, column l n_functions + n; error sizes of docs/derivations/radial.md.

    Raises
    ------
    NBodyRefError
        If the family is none whose exact values are known here.
    """

    def __init__(self, basis: Radial, lmax: int) -> None:
        if not isinstance(basis, InversePowers | Bessel | ExponentialCosine):
            raise NBodyRefError(f"conformance: no certified values are known for {basis}")
        self.basis, self.lmax, self.columns = basis, lmax, (lmax + 1) * basis.n

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RadialFunction) and (self.basis, self.lmax) == (other.basis, other.lmax)

    def __hash__(self) -> int:
        return hash((self.basis, self.lmax))

    def derivative(self, x: Fraction, order: int) -> Sequence[Enclosed]:
        """Leibniz' rule on the factor with the wave, the cutoff, and the inverse power."""
        found = []
        for l in range(self.lmax + 1):
            for n in range(self.basis.n):
                if isinstance(self.basis, InversePowers):
                    found.append(inverse_power(x, self.basis.powers[n] + l, order)[order])
                elif x >= Fraction(self.basis.cutoff):
                    found.append(ZERO)
                else:
                    wave = _wave(self.basis, n, x, order)
                    found.append(leibniz(leibniz_all(wave, _cutoff(self.basis, x, order)), inverse_power(x, l, order)))
        return found

    def sizes(self, x: float, order: int) -> Sequence[float]:
        """S of a kernel that evaluates the factors one by one."""
        return [_size(self.basis, n, l, x, order) for l in range(self.lmax + 1) for n in range(self.basis.n)]

    def roundings(self, order: int) -> Sequence[float]:
        """k of the page, and two for a conversion of the argument."""
        return [_chain(self.basis, n, l) + 2 for l in range(self.lmax + 1) for n in range(self.basis.n)]


@lru_cache(maxsize=65536)
def _cutoff(basis: Any, x: Fraction, order: int) -> Jet:
    """f_p(d / r_c) and its derivatives, exactly: a polynomial."""
    p, rc = basis.p, Fraction(basis.cutoff)
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


@lru_cache(maxsize=65536)
def _wave(basis: Any, n: int, x: Fraction, order: int) -> Jet:
    """The factor with sine or cosine, and its derivatives."""
    pi_low, pi_high = pi_enclosure(280)
    pi_ = Enclosed((pi_low + pi_high) / 2, pi_high - pi_low).cut()
    if isinstance(basis, Bessel):
        rc = Fraction(basis.cutoff)
        s, c = sin_cos_pi((n + 1) * x / rc)
        a, jet, power = pi_.times(Fraction(n + 1) / rc), [], Enclosed(Fraction(1))
        for k in range(order + 1):
            jet.append(power * (s, c, s.times(-1), c.times(-1))[k % 4])
            power = power * a
        root = enclosed_sqrt(2 / rc)
        return [root * value for value in leibniz_all(jet, inverse_power(x, 1, order))]
    sigma = Fraction(basis.scale)
    y = enclosed_exp(-x / sigma).times(n)
    s, c = _at(y)
    z = y * pi_
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


def _at(y: Enclosed) -> tuple[Enclosed, Enclosed]:
    """sin and cos of pi y for an enclosed y: the slope is below four."""
    s, c = sin_cos_pi(y.mid)
    return Enclosed(s.mid, s.rad + 4 * y.rad), Enclosed(c.mid, c.rad + 4 * y.rad)


def _euler(terms: dict[tuple[int, bool], Fraction]) -> dict[tuple[int, bool], Fraction]:
    """z d/dz of a sum of z^j cos z and z^j sin z."""
    found: dict[tuple[int, bool], Fraction] = {}
    for (j, cosine), c in terms.items():
        for key, value in (((j, cosine), c * j), ((j + 1, not cosine), -c if cosine else c)):
            if value:
                found[key] = found.get(key, Fraction(0)) + value
    return found


def _size(basis: Any, n: int, l: int, d: float, order: int) -> float:
    """S of docs/derivations/radial.md: the factors' sizes by Leibniz' rule with plus signs."""
    power = [float(prod(range(l, l + k))) * d ** -(l + k) for k in range(3)]
    if isinstance(basis, InversePowers):
        s = basis.powers[n]
        g = [abs(prod(range(s, s + k))) * d ** -(s + k) for k in range(3)]
    elif d >= basis.cutoff:
        return 0.0
    else:
        rc, p, x = basis.cutoff, basis.p, d / basis.cutoff
        c = p * (p + 1) * (p + 2) / 2
        value = (1 - x) ** 3 * sum((k + 1) * (k + 2) / 2 * x**k for k in range(p))
        f = [
            value + c * x**p * (1 - x) ** 2,
            c * x ** (p - 1) * (1 - x) * (1 + x) / rc,
            c * x ** (p - 2) * ((p - 1) * (1 - x) + 2 * x) / rc**2,
        ]
        if isinstance(basis, Bessel):
            A, a = sqrt(2 / rc), (n + 1) * pi / rc
            h = [A / d, A * (a + 1 / d) / d, A * (a * a + 2 * (a + 1 / d) / d) / d]
        else:
            z = n * pi * exp(-d / basis.scale)
            h = [1.0, z / basis.scale, z * (1 + z) / basis.scale**2]
        g = [sum(comb(k, i) * h[i] * f[k - i] for i in range(k + 1)) for k in range(3)]
    return float(sum(comb(order, i) * g[i] * power[order - i] for i in range(order + 1)))


def _chain(basis: Radial, n: int, l: int) -> int:
    if isinstance(basis, InversePowers):
        return 2 * abs(basis.powers[n]) + 12 + 2 * l
    p = basis.p if isinstance(basis, Bessel | ExponentialCosine) else 0
    return 15 * (n + isinstance(basis, Bessel)) + 2 * p + 24 + 2 * l
