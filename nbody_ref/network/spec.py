"""Everything about a network but its weights, as a value that can be compared and written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isinf
from typing import Any

import numpy as np

from nbody_ref.checks import check_number, check_species, check_word, set_fields
from nbody_ref.errors import ArgumentError
from nbody_ref.gates.terms import Gate
from nbody_ref.irreps import Irreps
from nbody_ref.network.layout import Layout, Neighbourhoods, Schemes

__all__ = ["Spec"]


@dataclass(frozen=True)
class Spec:
    """Everything about a network but its weights.

    Parameters
    ----------
    species : tuple of int
        Atomic numbers the network knows, in the order of the one-hot leaf states.
    cutoff : float
        Radius of a neighbourhood, Angstrom. At this distance every term of a neighbourhood must vanish, or the energy
        jumps there; infinite: all atoms of a molecule are neighbours.
    gates : tuple of Gate
        One for each level of neighbourhoods, then the root's.
    dtype : {"float64", "float32", "complex128", "complex64"}
        Of states and weights; positions, energies and sums over atoms are always float64.
    schemes : Schemes, optional
        Levels and kinds of composition schemes given by hand, one gate for each level. None: neighbourhoods.
    basis : {"real", "complex"}
        Gauge of states: real harmonics, or the paper's complex ones, which need a complex dtype.
    group : {"O(3)", "SO(3)"}
        Whether states carry parities. The leaves are of type n x 0e or n x 0, and all types of `gates` follow suit.
    outputs : tuple of (str, str)
        Name and type of each output, side by side in the root's state: ``(("energy", "1x0e"), ("dipole", "1x1o"))``.
        Empty: the whole state is the energy.
    given : str
        Type of a state that every atom comes with, such as ``"1x0e + 1x1o"`` for a charge and a dipole (Def. 3, item 2:
        the state of a leaf is determined by its particle); it stands beside the species in the leaves.

    Raises
    ------
    ArgumentError
        If a field is not what it must be, or a term of a neighbourhood does not vanish at the cutoff.

    Examples
    --------
    >>> from nbody_ref.gates import Bare, Gate
    >>> import math
    >>> from nbody_ref.network import Spec
    >>> spec = Spec((1, 8), math.inf, (Gate((Bare(),), "2x0e"), Gate((Bare(),), "1x0e")))
    >>> Spec.from_dict(spec.to_dict()) == spec
    True
    """

    species: tuple[int, ...]
    cutoff: float
    gates: tuple[Gate, ...]
    dtype: str = "float64"
    schemes: Schemes | None = None
    basis: str = "real"
    group: str = "O(3)"
    outputs: tuple[tuple[str, str], ...] = ()
    given: str = ""

    def __post_init__(self) -> None:
        set_fields(self, check_species, "species")
        set_fields(self, check_number, "cutoff", words="a positive length in Angstrom", within=lambda x: x > 0)
        object.__setattr__(self, "gates", _tuple("gates", self.gates))
        if not all(isinstance(gate, Gate) for gate in self.gates):
            raise ArgumentError(f"Spec: 'gates' must be Gates, got {self.gates!r}")
        if not isinstance(self.schemes, Schemes | None):
            raise ArgumentError(f"Spec: 'schemes' must be a layout, such as Schemes.like([...]), got {self.schemes!r}")
        object.__setattr__(self, "dtype", _dtype(self.dtype))
        if self.dtype not in ("float64", "float32", "complex128", "complex64"):
            raise ArgumentError(f"Spec: 'dtype' must be a float or complex one of 32 or 64 bits, got {self.dtype!r}")
        known = isinstance(self.basis, str) and self.basis in ("real", "complex")
        if not known or (self.basis == "complex" and not self.is_complex):
            came = f"{self.basis!r} with dtype {self.dtype!r}"
            raise ArgumentError(f"Spec: 'basis' must be 'real', or 'complex' with a complex dtype, got {came}")
        set_fields(self, check_word, "group", words=("O(3)", "SO(3)"))
        object.__setattr__(self, "given", str(Irreps(self.given)))
        if self.given and Irreps(self.given).has_parity != (self.group == "O(3)"):
            raise ArgumentError(f"Spec: 'given' must be a type of {self.group}, got {self.given!r}")
        rows = _tuple("outputs", self.outputs)
        if not all(isinstance(row, (tuple, list)) and len(row) == 2 and isinstance(row[0], str) for row in rows):
            raise ArgumentError(f"Spec: 'outputs' must be pairs (name, irreps), got {self.outputs!r}")
        names = [name for name, _ in rows]
        if len(set(names)) < len(names) or "forces" in names:
            raise ArgumentError(f"Spec: 'outputs' must have names of their own, other than 'forces', got {names}")
        if self.schemes is None and len(self.gates) < 2:
            raise ArgumentError(f"Spec: 'gates' must hold a level of neighbourhoods and a root, got {len(self.gates)}")
        if self.schemes is not None and len(self.gates) != len(self.schemes.kinds):
            wanted = len(self.schemes.kinds)
            raise ArgumentError(f"Spec: 'gates' must hold one for each of {wanted} levels, got {len(self.gates)}")
        self._check_reach()

    def _check_reach(self) -> None:
        """Where neighbours are found by distance, each must fade before it is lost; who is in a molecule is fixed."""
        for level, gate in enumerate(self.gates[:-1] if self.schemes is None else (), start=1):
            for term in gate.terms:
                if term.reach > self.cutoff:
                    far = f"a {type(term).__name__} of level {level} that reaches {term.reach:g} Angstrom"
                    rule = f"terms that vanish at the 'cutoff' of {self.cutoff:g} Angstrom, or the energy jumps there"
                    hint = "; with cutoff=math.inf all atoms are neighbours" if isinf(term.reach) else ""
                    raise ArgumentError(f"Spec: 'gates' must hold {rule}{hint}, got {far}")

    @property
    def is_complex(self) -> bool:
        """Whether states and weights are complex numbers."""
        return self.dtype.startswith("complex")

    @property
    def leaves(self) -> Irreps:
        """Type of the leaves: a scalar for each species, and the state that an atom comes with."""
        return Irreps([(len(self.species), "0e" if self.group == "O(3)" else "0"), *Irreps(self.given)])

    @property
    def layout(self) -> Layout:
        """Where the gates stand."""
        return Neighbourhoods(len(self.species), len(self.gates) - 1) if self.schemes is None else self.schemes

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; an infinite cutoff is None."""
        return {
            "species": list(self.species),
            "cutoff": None if isinf(self.cutoff) else self.cutoff,
            "gates": [gate.to_dict() for gate in self.gates],
            "dtype": self.dtype,
            "schemes": None if self.schemes is None else self.schemes.to_dict(),
            "basis": self.basis,
            "group": self.group,
            "outputs": [list(output) for output in self.outputs],
            **({"given": self.given} if self.given else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Spec:
        """Inverse of `to_dict`."""
        gates = tuple(Gate.from_dict(gate) for gate in data["gates"])
        schemes = None if data.get("schemes") is None else Schemes.from_dict(data["schemes"])
        rest = {name: data[name] for name in ("basis", "group", "given") if name in data}
        rest["outputs"] = tuple((str(name), str(irreps)) for name, irreps in data.get("outputs", ()))
        cutoff = inf if data["cutoff"] is None else float(data["cutoff"])
        return cls(tuple(data["species"]), cutoff, gates, data["dtype"], schemes, **rest)


def _tuple(name: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, (tuple, list)):
        return tuple(values)
    raise ArgumentError(f"Spec: '{name}' must be a tuple, got {values!r}")


def _dtype(dtype: Any) -> str:
    """Name of a dtype given by name, as a class or as a NumPy dtype."""
    try:
        return np.dtype(dtype).name if isinstance(dtype, (str, type, np.dtype)) else repr(dtype)
    except (TypeError, ValueError, SyntaxError):
        return str(dtype)
