"""Description of a Cormorant: sizes, and its peculiarities as named options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import inf, isinf
from typing import Any, Self

from nbody_ref.errors import ArgumentError
from nbody_ref.gates.fields import check_flags, check_integers, check_words
from nbody_ref.models.checks import check_numbers, check_species

__all__ = ["CormorantSpec"]


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
        The atoms start from (Z / charge_scale)^p, p = 0..charge_power.
    charge_scale : float, optional
        None, as published: the largest of `species`.
    level_gain : float
        Scale of the initial weights of the levels.
    n_sines, n_powers : int
        N and K of the radial features: 2 (N + 1) sines over powers 0..K of the distance.
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
    constant : {"molecule", "species"}
        The learned constant: one for each molecule of any size, as published, or one for each atom of a species.
    input, readout : {"linear", "messages"}, {"linear", "perceptrons"}
        "linear": as published for MD17. "messages" and "perceptrons": as published for QM9, see
        `nbody_ref.models.cormorant_qm9`; `constant` is of no effect then.
    hidden, mixed : int
        Widths of these perceptrons: of their hidden layer, and of what is summed over atoms.
    scale : float
        Of the energies, eV; the published program learns (E - mean) / deviation.
    dtype : {"complex128", "complex64"}
    jumps : bool
        A finite cutoff is refused without this: the learned mask, or none, is not zero at any distance, so that
        energies jump where a pair is left out. The published program allows it.

    Raises
    ------
    NBodyRefError, IrrepsError, GeometryError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.models import CormorantSpec
    >>> CormorantSpec((1, 8)).group
    'SO(3)'
    """

    species: tuple[int, ...]
    cutoff: float = inf
    n_levels: int = 4
    lmax: int = 3
    lmax_edge: int = 3
    n_channels: int = 10
    charge_power: int = 2
    charge_scale: float | None = None
    level_gain: float = 10.0
    n_sines: int = 3
    n_powers: int = 3
    radial: str = "sines"
    mask: str = "learned"
    soft_cutoff: float = 1.73
    soft_width: float = 0.2
    self_edge: bool = True
    group: str = "SO(3)"
    constant: str = "molecule"
    input: str = "linear"
    readout: str = "linear"
    hidden: int = 256
    mixed: int = 64
    scale: float = 1.0
    dtype: str = "complex128"
    jumps: bool = False

    model = "Cormorant"

    def __post_init__(self) -> None:
        check_species(self)
        words = {
            "radial": ("sines", "even powers"),
            "mask": ("learned", "none"),
            "group": ("SO(3)", "O(3)"),
            "constant": ("molecule", "species"),
            "input": ("linear", "messages"),
            "readout": ("linear", "perceptrons"),
            "dtype": ("complex128", "complex64"),
        }
        check_words(self, words)
        check_integers(self, dict.fromkeys(("n_levels", "n_channels", "hidden", "mixed"), 1))
        check_integers(self, dict.fromkeys(("lmax", "lmax_edge", "charge_power", "n_sines", "n_powers"), 0))
        check_numbers(
            self, ("soft_cutoff", "soft_width", "scale"), positive=("cutoff", "level_gain"), infinite=("cutoff",)
        )
        if self.charge_scale is not None:
            check_numbers(self, (), positive=("charge_scale",))
        check_flags(self, "self_edge", "jumps")
        if not (isinf(self.cutoff) or self.jumps):
            rule = "infinite, or energies jump where a pair is left out, which 'jumps' allows"
            raise ArgumentError(f"{type(self).__name__}: 'cutoff' must be {rule}, got {self.cutoff:g}")

    @property
    def unit_charge(self) -> float:
        """The charge that counts as 1, (C0)."""
        return float(max(self.species)) if self.charge_scale is None else self.charge_scale

    @property
    def n_radial(self) -> int:
        """Complex radial features, (N + 1)(K + 1)."""
        return (self.n_sines + 1) * (self.n_powers + 1)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; an infinite cutoff is None."""
        return {"model": self.model, **asdict(self), "cutoff": None if isinf(self.cutoff) else self.cutoff}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`."""
        found: dict[str, Any] = {field.name: data[field.name] for field in fields(cls) if field.name != "jumps"}
        found["jumps"] = data.get("jumps", False)
        if data.get("fusion"):  # of files written before there was CoFD
            raise ArgumentError(f"{cls.__name__}: blocks with a bond cutoff are no more, got 'fusion' {data['fusion']}")
        found["cutoff"] = inf if found["cutoff"] is None else found["cutoff"]
        found |= {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
        return cls(**found)
