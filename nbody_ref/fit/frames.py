"""Molecules with their labels: a list of frames in eV and Angstrom."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.errors import DataError, NBodyRefError
from nbody_ref.graphs import FARTHEST

__all__ = ["Frame", "Frames", "check_geometry", "symbols"]

Array = np.ndarray[Any, Any]


class Frame(NamedTuple):
    """One labelled geometry.

    Parameters
    ----------
    numbers : (n,) int
        Atomic numbers.
    positions : (n, 3) float64
        Angstrom.
    energy : float
        eV.
    forces : (n, 3) float64
        eV/Angstrom.
    """

    numbers: Array
    positions: Array
    energy: float
    forces: Array


@dataclass(frozen=True)
class Frames(Sequence[Frame]):
    """Labelled geometries of one or several molecules, with a record of where they come from.

    Indexing by a number gives a `Frame`, by a slice or an array of indices a `Frames`.

    Parameters
    ----------
    frames : tuple of Frame
        Geometries of two or more atoms.
    atoms : mapping of int to float
        Energies of isolated atoms by atomic number, eV; empty if they are not known.
    origin : dict
        JSON record: file, sha256, keys and units that were used.
    indices : tuple of int
        Where each frame stands in the file that it was read from, counted from 0; 0, 1, ... if none are given.
    """

    frames: tuple[Frame, ...]
    atoms: Mapping[int, float] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)
    indices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.indices:
            object.__setattr__(self, "indices", tuple(range(len(self.frames))))
        elif len(self.indices) != len(self.frames):
            came = f"{len(self.indices)} for {len(self.frames)} frames"
            raise DataError(f"Frames: 'indices' must hold one for each frame, got {came}")

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (int, np.integer)):
            return self.frames[index]
        chosen = range(len(self))[index] if isinstance(index, slice) else [int(i) for i in np.asarray(index)]
        indices = tuple(self.indices[i] for i in chosen)
        return replace(self, frames=tuple(self.frames[i] for i in chosen), indices=indices)

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers that occur, ascending."""
        return tuple(sorted({int(z) for frame in self for z in frame.numbers}))

    @property
    def energies(self) -> Array:
        """Energies (F,), eV."""
        return np.array([frame.energy for frame in self])

    @property
    def forces(self) -> Array:
        """Forces of all atoms, frame after frame, (N, 3), eV/Angstrom."""
        return np.concatenate([frame.forces for frame in self]) if len(self) else np.zeros((0, 3))

    @property
    def n_atoms(self) -> Array:
        """Number of atoms of each frame, (F,)."""
        return np.array([len(frame.numbers) for frame in self], dtype=np.intp)

    def digest(self) -> str:
        """sha256 of geometries and labels: the same data, whatever file they came from."""
        found = hashlib.sha256()
        for frame in self:
            for array in (frame.numbers, frame.positions, np.float64(frame.energy), frame.forces):
                plain = np.ascontiguousarray(array, dtype="<i8" if array is frame.numbers else "<f8")
                found.update(np.array(plain.shape, "<i8").tobytes() + plain.tobytes())
        return found.hexdigest()

    @property
    def geometries(self) -> list[tuple[Array, Array]]:
        """Pairs (positions, numbers), as networks read them."""
        return [(frame.positions, frame.numbers) for frame in self]

    @property
    def formulas(self) -> list[str]:
        """Formula of each frame, such as ``C2H6O``."""
        from ase.formula import Formula

        return [Formula.from_list(symbols(frame.numbers)).format("hill") for frame in self]


def symbols(numbers: Iterable[int]) -> list[str]:
    """Names of elements."""
    from ase.data import chemical_symbols

    return [chemical_symbols[int(z)] if 0 <= int(z) < len(chemical_symbols) else f"element {int(z)}" for z in numbers]


def check_geometry(
    where: str, numbers: Array, positions: Array, closest: float = 0.3, error: type[NBodyRefError] = DataError
) -> None:
    """Refuse positions that no molecule has.

    Raises
    ------
    DataError, or the `error` that is given
        If a coordinate is NaN or infinite, or two atoms are nearer than `closest` Angstrom; the atoms are named.
    """
    finite = np.isfinite(positions).all(axis=1)
    if not finite.all():
        raise error(f"{where}: the position of atom {int(np.argmin(finite))} is NaN or infinite")
    near = (np.abs(positions) <= FARTHEST).all(axis=1)
    if not near.all():
        atom = int(np.argmin(near))
        raise error(f"{where}: atom {atom} is at {positions[atom]}, more than {FARTHEST:g} Angstrom from the origin")
    from scipy.spatial import cKDTree

    pairs = cKDTree(positions).query_pairs(closest) if len(positions) > 1 else set()
    if pairs:
        i, j = min(pairs)
        a, b = symbols(numbers[[i, j]])
        dist = float(np.linalg.norm(positions[i] - positions[j]))
        raise error(f"{where}: atoms {i} ({a}) and {j} ({b}) are {dist:.3f} Angstrom apart, nearer than {closest}")
