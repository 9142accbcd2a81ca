"""How an array is laid out: what another gauge does to it, what a rotation does, and what its entries are called."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.conventions import Convention
from nbody_ref.irreps import Irreps

__all__ = ["Couplings", "HarmonicColumns", "Layout", "Place", "Positions", "Quaternions", "Rotations", "State"]

Array = np.ndarray[Any, Any]


class Place(NamedTuple):
    """An entry in words: the part, path or degree that it belongs to, and which entry of that."""

    group: str
    entry: str


class Layout:
    """Plain numbers, alike in every gauge and at rest under rotations."""

    plain = True

    def from_native(self, gauge: Convention, x: Array) -> Array:
        """An array of ours in another gauge."""
        return x

    def to_native(self, gauge: Convention, x: Array) -> Array:
        """The inverse."""
        return x

    def place(self, column: int) -> Place | None:
        """An entry of a row in words, if it has a name."""
        return None

    def matrix(self, turn: Any, inversion: bool) -> Array | None:
        """What a rotation (and the inversion) multiplies rows by; None where it does nothing."""
        return None


@dataclass(frozen=True)
class State(Layout):
    """A state; `pairs`: of complex numbers, (re, im) side by side."""

    irreps: Irreps
    pairs: bool = False
    plain = False

    def from_native(self, gauge: Convention, x: Array) -> Array:
        return gauge.state_from_native(self.irreps, x)

    def to_native(self, gauge: Convention, x: Array) -> Array:
        return gauge.state_to_native(self.irreps, x)

    def part(self, column: int) -> int:
        """Number of the part that a column belongs to."""
        column //= 1 + self.pairs
        return max(n for n, start in enumerate(self.irreps.offsets) if start <= column)

    def place(self, column: int) -> Place:
        n, half = self.part(column), (" (real)", " (imaginary)")[column % 2] if self.pairs else ""
        part, at = self.irreps[n], column // (1 + self.pairs) - self.irreps.offsets[n]
        m, channel = divmod(at, part.mul)
        return Place(f"part {n} ({part.irrep})", f" m={m - part.irrep.l} channel {channel}{half}")

    def matrix(self, turn: Any, inversion: bool) -> Array:
        return np.asarray(self.irreps.D(turn, inversion and self.irreps.has_parity))


class Positions(Layout):
    """Vectors (x, y, z)."""

    plain = False

    def from_native(self, gauge: Convention, x: Array) -> Array:
        return gauge.positions_from_native(x)

    def to_native(self, gauge: Convention, x: Array) -> Array:
        return gauge.positions_to_native(x)

    def place(self, column: int) -> Place:
        return Place("", "xyz"[column])

    def matrix(self, turn: Any, inversion: bool) -> Array:
        return np.asarray(turn.as_matrix() * (-1 if inversion else 1))


@dataclass(frozen=True)
class HarmonicColumns(Layout):
    """Harmonics of degrees 0..lmax, entry l(l+1)+m."""

    lmax: int
    plain = False

    def from_native(self, gauge: Convention, x: Array) -> Array:
        return self.to_native(gauge, x)

    def to_native(self, gauge: Convention, x: Array) -> Array:
        """Component order and signs, both ways alike; the norm is part of the operation."""
        return gauge.harmonics_to_native(x, gauge.normalization)

    def place(self, column: int) -> Place:
        l = isqrt(column)
        return Place(f"l={l}", f" m={column - l * l - l}")

    def matrix(self, turn: Any, inversion: bool) -> Array:
        return np.asarray(Irreps.harmonics(self.lmax).D(turn, inversion))


class Quaternions(Layout):
    """Quaternions (x, y, z, w)."""

    plain = False

    def from_native(self, gauge: Convention, x: Array) -> Array:
        """In the order of the gauge, about its axes."""
        vector, scalar = gauge.positions_from_native(x[..., :3]), x[..., 3:]
        return np.concatenate([vector, scalar] if gauge.quaternion == "xyzw" else [scalar, vector], axis=-1)


@dataclass(frozen=True)
class Rotations(Layout):
    """Matrices D of degree l; they are results only, as coupling tensors are."""

    l: int
    plain = False

    def to_native(self, gauge: Convention, x: Array) -> Array:
        return gauge.D_to_native(self.l, x)


@dataclass(frozen=True)
class Couplings(Layout):
    """A coupling tensor."""

    triple: tuple[int, int, int]
    plain = False

    def to_native(self, gauge: Convention, x: Array) -> Array:
        return gauge.cg_to_native(*self.triple, x)
