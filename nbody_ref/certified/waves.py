"""Sines and cosines as functions of programs: of an angle, or of a number of turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import pi

from nbody_ref.certified.enclosure import Enclosed, enclosed_pi, sin_cos_pi
from nbody_ref.certified.functions import Function

__all__ = ["Waves"]


@dataclass(frozen=True)
class Waves(Function):
    """Columns sin x and cos x, or sin(2 pi x) and cos(2 pi x)."""

    turns: bool

    @property
    def columns(self) -> int:
        """Sine and cosine."""
        return 2

    def derivative(self, x: Fraction, order: int) -> Sequence[Enclosed]:
        """Cyclic, with a factor of 2 pi each time where x counts turns."""
        half = enclosed_pi(400)
        if self.turns:
            s, c = sin_cos_pi(2 * x)
        else:  # x / pi is off by less than abs(x) 2^-390, the slope in it below four
            s, c = sin_cos_pi(Fraction(int(x / half.mid * 2**300), 2**300))
            rad = (abs(x) + 1) * Fraction(1, 2**200)
            s, c = Enclosed(s.mid, s.rad + rad), Enclosed(c.mid, c.rad + rad)
        cycle = (s, c, s.times(-1), c.times(-1))
        found = [cycle[order % 4], cycle[(order + 1) % 4]]
        for _ in range(order if self.turns else 0):
            found = [value * half.times(2) for value in found]
        return found

    def sizes(self, x: float, order: int) -> Sequence[float]:
        """One, and what the rounding of the angle amounts to."""
        factor = 2 * pi if self.turns else 1.0
        return [factor**order * (1 + abs(factor * x))] * 2

    def roundings(self, order: int) -> Sequence[float]:
        """k of docs/derivations/learned_radial.md."""
        return [8.0 + 2 * order] * 2
