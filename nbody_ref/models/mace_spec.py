"""Everything about a MACE model but its weights, as a value that can be compared and written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from nbody_ref.conventions import names
from nbody_ref.errors import IrrepsError, NBodyRefError
from nbody_ref.gates.fields import check_integers, check_words
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.models.checks import check_numbers, check_radial_activation, check_species
from nbody_ref.models.mace_paths import MACE
from nbody_ref.ops.activation import Activation

__all__ = ["MaceSpec"]

_SILU = Activation.normalized("silu")
PRODUCTS = ("published", "reduced")
SCALAR = Irrep(0, 1)


@dataclass(frozen=True)
class MaceSpec:
    """Everything about a MACE model but its weights; defaults are those of the published code where it has them.

    Parameters
    ----------
    species : tuple of int
        Atomic numbers, in the order of the one-hot vectors.
    cutoff : float
        r_max, Angstrom.
    hidden : str
        Type of the states between layers, eq. (M5); the same number of channels in every part, scalars first.
    lmax : int
        Largest degree of the harmonics and of A ("max_ell").
    correlation : tuple of int
        nu of each layer; its length is the number of layers ("num_interactions").
    residual : tuple of bool
        For each layer: "RealAgnosticResidualInteractionBlock" (a species-dependent skip is added to the update), else
        "RealAgnosticInteractionBlock" (A itself passes through a species-dependent linear map).
    n_radial, p : int
        Bessel functions and degree of the cutoff, eq. (M1).
    radial_mlp : tuple of int
        Widths of the hidden layers of the radial network.
    readout : int
        Width of the hidden layer of the last readout, eq. (M6); one layer of messages has a linear readout only.
    radial_activation, readout_activation : Activation
        With the constants that the model was made with.
    neighbours : float
        Mean number of neighbours that sums are divided by ("avg_num_neighbors").
    scale, shift : float
        Of the interaction energy of an atom; 1 and 0 for a model without ("MACE", not "ScaleShiftMACE"). eV.
    energies : tuple of float
        E0 of each species, eV.
    product : {"published", "reduced"}
        Basis of eq. (M3): all comb paths, or an independent set of them.
    convention : str
        Library whose signs of couplings the weights belong to.
    dtype : {"float64", "float32"}
        Of states and weights; positions and energies are float64 always.

    Raises
    ------
    NBodyRefError, IrrepsError, GeometryError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.models import MaceSpec
    >>> MaceSpec((1, 8), cutoff=5.0).hidden
    '16x0e + 16x1o'
    """

    species: tuple[int, ...]
    cutoff: float
    hidden: str = "16x0e + 16x1o"
    lmax: int = 3
    correlation: tuple[int, ...] = (3, 3)
    residual: tuple[bool, ...] = (False, True)
    n_radial: int = 8
    p: int = 5
    radial_mlp: tuple[int, ...] = (64, 64, 64)
    readout: int = 16
    radial_activation: Activation = _SILU
    readout_activation: Activation = _SILU
    neighbours: float = 1.0
    scale: float = 1.0
    shift: float = 0.0
    energies: tuple[float, ...] = ()
    product: str = "published"
    convention: str = MACE
    dtype: str = "float64"

    def __post_init__(self) -> None:
        check_species(self)
        object.__setattr__(self, "energies", tuple(self.energies) or (0.0,) * len(self.species))
        least = {"lmax": 0, "correlation": 1, "n_radial": 1, "p": 1, "radial_mlp": 1, "readout": 1}
        check_integers(self, least, lists=("correlation", "radial_mlp"))
        check_numbers(self, ("scale", "shift"), positive=("cutoff", "neighbours"))
        check_radial_activation(self, "radial_activation")
        words = {"product": PRODUCTS, "convention": names(), "dtype": ("float64", "float32")}
        check_words(self, words)
        for name, wanted in (("energies", len(self.species)), ("residual", len(self.correlation))):
            if len(getattr(self, name)) != wanted:
                raise NBodyRefError(f"MaceSpec: {name!r} must have {wanted} entries, got {len(getattr(self, name))}")
        if not self.correlation or not all(isinstance(flag, bool) for flag in self.residual):
            raise NBodyRefError(f"MaceSpec: 'residual' must be True or False for each layer, got {self.residual}")
        if not all(isfinite(e) for e in self.energies):
            raise NBodyRefError(f"MaceSpec: 'energies' must be finite, got {self.energies}")
        object.__setattr__(self, "hidden", str(Irreps(self.hidden)))
        self._check_hidden()

    def _check_hidden(self) -> None:
        hidden = Irreps(self.hidden)
        distinct = len({part.irrep for part in hidden}) == len(hidden)
        if not hidden.has_parity or hidden[0].irrep != SCALAR or len({part.mul for part in hidden}) > 1 or not distinct:
            raise IrrepsError(
                "MaceSpec: 'hidden' must be irreps of O(3), each once, all with the same number of channels, 0e first; "
                f"got {self.hidden}"
            )

    @property
    def layers(self) -> int:
        """Number of layers of messages."""
        return len(self.correlation)

    @property
    def channels(self) -> int:
        """Number of channels of every part."""
        return Irreps(self.hidden)[0].mul

    @property
    def messages(self) -> Irreps:
        """Type of A: every degree up to lmax with the parity of its harmonics."""
        return Irreps((self.channels, part.irrep) for part in Irreps.harmonics(self.lmax))

    def states(self, layer: int) -> Irreps:
        """Type of the states after a layer, counted from 0; the last keeps scalars only."""
        hidden = Irreps(self.hidden)
        return Irreps([hidden[0]]) if layer == self.layers - 1 else hidden

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description."""
        return (
            {"model": "MACE"}
            | asdict(self)
            | {
                "radial_activation": self.radial_activation.to_dict(),
                "readout_activation": self.readout_activation.to_dict(),
            }
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MaceSpec:
        """Inverse of `to_dict`.

        Raises
        ------
        TypeError, NBodyRefError
            If a field is unknown or does not fit.
        """
        gone = ("model", "tree", "bond_cutoff")  # the last two of files from before there was MoFD
        found: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k not in gone}
        for name in ("radial_activation", "readout_activation"):
            if name in found:
                found[name] = Activation.from_dict(found[name])
        return cls(**found)
