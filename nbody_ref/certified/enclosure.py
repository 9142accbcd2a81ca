"""Enclosures of sin(pi x), cos(pi x), exp(x), log(1 + x) and sqrt(x) at rational x, by integers alone.

Every function returns numbers that are proven to hold the exact value between mid - rad and mid + rad; there is no
floating-point arithmetic and no precision setting. Proofs: docs/derivations/certified_programs.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import isqrt

from nbody_ref.exact.harmonics import pi_enclosure

__all__ = ["Enclosed", "enclosed_exp", "enclosed_log1p", "enclosed_pi", "enclosed_sqrt", "sin_cos_pi"]

BITS = 224
UNIT = Fraction(1, 2**BITS)
HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A real number within rad of mid."""

    mid: Fraction
    rad: Fraction = Fraction(0)

    def __add__(self, other: Enclosed) -> Enclosed:
        """Sum."""
        return Enclosed(self.mid + other.mid, self.rad + other.rad)

    def __mul__(self, other: Enclosed) -> Enclosed:
        """Product, its middle cut to `BITS` significant bits."""
        mid = self.mid * other.mid
        rad = abs(self.mid) * other.rad + abs(other.mid) * self.rad + self.rad * other.rad
        return Enclosed(mid, rad).cut()

    def times(self, factor: Fraction | int) -> Enclosed:
        """Multiple, exactly."""
        return Enclosed(self.mid * factor, self.rad * abs(Fraction(factor)))

    def cut(self) -> Enclosed:
        """The same number with shorter fractions."""
        mid, first = _cut(self.mid)
        rad, second = _cut(self.rad)
        return Enclosed(mid, rad + first + second)


def _cut(x: Fraction) -> tuple[Fraction, Fraction]:
    """A fraction with `BITS` significant bits, and a bound of what was cut off."""
    if x == 0 or x.denominator.bit_length() + x.numerator.bit_length() < 2 * BITS:
        return x, Fraction(0)
    scale = Fraction(2) ** (abs(x.numerator).bit_length() - x.denominator.bit_length() - BITS)
    return Fraction(x // scale) * scale, scale


def sin_cos_pi(x: Fraction) -> tuple[Enclosed, Enclosed]:
    """sin(pi x) and cos(pi x)."""
    turns = x - 2 * (x / 2).__floor__()  # in [0, 2)
    quarter = (2 * turns + HALF).__floor__()  # nearest multiple of 1/2
    s, c = _small_sin_cos(turns - HALF * quarter)
    return ((s, c), (c, s.times(-1)), (s.times(-1), c.times(-1)), (c.times(-1), s))[quarter % 4]


@lru_cache(maxsize=65536)
def _small_sin_cos(t: Fraction) -> tuple[Enclosed, Enclosed]:
    """For abs(t) <= 1/4: Taylor series in integers, every term cut down by less than one unit."""
    if t == 0:
        return Enclosed(Fraction(0)), Enclosed(Fraction(1))
    low, high = pi_enclosure(BITS + 8)
    angle = int((low + high) / 2 * t / UNIT)  # within two units, and below 0.8
    square = angle * angle >> BITS
    found = []
    for term, first in ((angle, 2), (1 << BITS, 1)):
        total, k = 0, first
        while term:
            total += term
            term = -(term * square >> BITS) // (k * (k + 1))
            k += 2
        found.append(Enclosed(total * UNIT, 512 * UNIT))
    return found[0], found[1]


@lru_cache(maxsize=8)
def enclosed_pi(bits: int = 280) -> Enclosed:
    """pi."""
    low, high = pi_enclosure(bits)
    return Enclosed((low + high) / 2, high - low).cut()


@lru_cache(maxsize=65536)
def enclosed_exp(x: Fraction) -> Enclosed:
    """exp(x): Taylor series of x / 2^k below 1/2, squared k times."""
    halvings = max((abs(x) * 4).__floor__().bit_length(), 0)
    small = int(x / 2**halvings / UNIT)
    total, term, k = 0, 1 << BITS, 1
    while abs(term) > 1:
        total += term
        term = (term * small >> BITS) // k
        k += 1
    found = Enclosed(total * UNIT, 512 * UNIT)
    for _ in range(halvings):
        found = found * found
    return found


def enclosed_log1p(y: Enclosed) -> Enclosed:
    """log(1 + y) for 0 <= y <= 1: twice the series of artanh at y / (2 + y) <= 1/3; its slope is one at most."""
    z = int(y.mid / (2 + y.mid) / UNIT)
    square, power, total, k = z * z >> BITS, z, 0, 1
    while power:
        total += power // k
        power, k = power * square >> BITS, k + 2
    return Enclosed(2 * total * UNIT, 1024 * UNIT + y.rad)


def enclosed_sqrt(x: Fraction) -> Enclosed:
    """Square root of x >= 0 with `BITS` significant bits."""
    if x == 0:
        return Enclosed(Fraction(0))
    shift = BITS - (x.numerator.bit_length() - x.denominator.bit_length()) // 2
    root = isqrt(int(x * Fraction(4) ** shift))
    unit = Fraction(2) ** -shift
    return Enclosed(root * unit + unit / 2, unit)
