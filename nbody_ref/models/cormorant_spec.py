"""Description of a Cormorant: sizes, and its peculiarities as named options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import inf, isinf
from typing import Any

from nbody_ref.errors import GeometryError, IrrepsError, NBodyRefError
from nbody_ref.gates.fusion_block import TYINGS

__all__ = ["CormorantSpec"]

LEGS = ("centre", "neighbours")


@dataclass(frozen=True)
class CormorantSpec:
    """Everything about a Cormorant but its weights; defaults are those of the published program.

    Parameters
    ----------
    species : tuple of int
        Atomic numbers.
    cutoff : float
        Angstrom; pairs farther apart are left out. Infinite, as published: all pairs of a molecule.
    n_levels : int
        Levels of atoms S.
    lmax, lmax_edge : int
        Largest degree of states and of the harmonics of edges.
    n_channels : int
    charge_power : int
        The atoms start from (Z / Z_max)^p, p = 0..charge_power.
    level_gain : float
        Scale of the initial weights of the levels.
    n_sines, n_powers : int
        N and K of the radial features: 2 (N + 1) sines over powers 0..K of the distance, K odd.
    radial : {"sines", "even powers"}
        "even powers": d^(2q), q = 0..(N + 1)(K + 1) - 1, in their place: polynomials in the positions, for exact work.
    mask : {"learned", "none"}
        The learned soft cutoff of every edge, or none.
    soft_cutoff, soft_width : float
        Where the learned cutoff starts from, Angstrom.
    self_edge : bool
        The published program keeps an edge from each atom to itself, of degree 0; False leaves it out.
    group : {"SO(3)", "O(3)"}
        "SO(3)", as published: parity is not tracked and a mirror image may have another energy. "O(3)": states carry
        parities, those of harmonics (-1)^l.
    fusion : tuple of tuples of {"centre", "neighbours"}
        The variant with fusion blocks: legs of each block, psi_i or the mixed sum over neighbours. Empty: published.
    fusion_bond : int, optional
        Largest degree of an inner edge of a block.
    fusion_weights : {"mixed", "diagonal", "vertices"}
        As in `nbody_ref.gates.FusionBlock`.
    scale : float
        Of the energies, eV; the published program learns (E - mean) / deviation.
    dtype : {"complex128", "complex64"}
    """

    species: tuple[int, ...]
    cutoff: float = inf
    n_levels: int = 4
    lmax: int = 3
    lmax_edge: int = 3
    n_channels: int = 10
    charge_power: int = 2
    level_gain: float = 10.0
    n_sines: int = 3
    n_powers: int = 3
    radial: str = "sines"
    mask: str = "learned"
    soft_cutoff: float = 1.73
    soft_width: float = 0.2
    self_edge: bool = True
    group: str = "SO(3)"
    fusion: tuple[tuple[str, ...], ...] = ()
    fusion_bond: int | None = None
    fusion_weights: str = "mixed"
    scale: float = 1.0
    dtype: str = "complex128"

    def __post_init__(self) -> None:
        if not self.species or len(set(self.species)) != len(self.species):
            raise NBodyRefError(f"CormorantSpec: 'species' must be distinct atomic numbers, got {self.species}")
        words = {
            "radial": ("sines", "even powers"),
            "mask": ("learned", "none"),
            "group": ("SO(3)", "O(3)"),
            "fusion_weights": TYINGS,
            "dtype": ("complex128", "complex64"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise NBodyRefError(
                    f"CormorantSpec: '{name}' must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )
        if not self.cutoff > 0:
            raise GeometryError(f"CormorantSpec: 'cutoff' must be a positive length in Angstrom, got {self.cutoff}")
        if min(self.n_levels, self.n_channels) < 1 or min(self.lmax, self.lmax_edge, self.charge_power) < 0:
            raise IrrepsError("CormorantSpec: levels and channels must be positive, degrees and powers not negative")
        if self.n_sines < 0 or self.n_powers < 1 or self.n_powers % 2 == 0:
            came = f"{self.n_sines} and {self.n_powers}"
            raise IrrepsError(f"CormorantSpec: 'n_powers' must be odd and 'n_sines' not negative, got {came}")
        for legs in self.fusion:
            if len(legs) < 2 or not set(legs) <= set(LEGS):
                raise NBodyRefError(f"CormorantSpec: 'fusion' must list two or more of {LEGS} for a block, got {legs}")

    @property
    def n_radial(self) -> int:
        """Complex radial features, (N + 1)(K + 1)."""
        return (self.n_sines + 1) * (self.n_powers + 1)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; an infinite cutoff is None."""
        return {"model": "Cormorant", **asdict(self), "cutoff": None if isinf(self.cutoff) else self.cutoff}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CormorantSpec:
        """Inverse of `to_dict`."""
        found: dict[str, Any] = {field.name: data[field.name] for field in fields(cls)}
        found["species"] = tuple(found["species"])
        found["fusion"] = tuple(tuple(legs) for legs in found["fusion"])
        found["cutoff"] = inf if found["cutoff"] is None else found["cutoff"]
        return cls(**found)
