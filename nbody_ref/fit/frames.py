"""Molecules with their labels: a list of frames in eV and Angstrom."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.errors import DataError, NBodyRefError
from nbody_ref.graphs import FARTHEST

__all__ = ["Finding", "Frame", "Frames", "check_geometry", "pair_distances", "symbols"]

Array = np.ndarray[Any, Any]


class Finding(NamedTuple):
    """One thing that was found out about data.

    Parameters
    ----------
    kind : str
        A word for it: ``units``, ``outlier``, ``charge``, ...
    wrong : bool
        Whether it cannot be right: then nothing is fitted. Otherwise it is something to know.
    text : str
        What it is and where.
    advice : str
        What to pass or to do, if anything.
    frames : tuple of int
        Frames that it is about, by where they stand in their file.
    """

    kind: str
    wrong: bool
    text: str
    advice: str = ""
    frames: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.text + (f"; {self.advice}" if self.advice else "")


class Frame(NamedTuple):
    """One labelled geometry.

    Parameters
    ----------
    numbers : (n,) int
        Atomic numbers.
    positions : (n, 3) float64
        Angstrom.
    energy : float
        eV; NaN if it is not known.
    forces : (n, 3) float64
        eV/Angstrom; NaN throughout if they are not known.
    energy_weight, forces_weight : float
        Of the squared errors of this frame, relative to other frames.

    Examples
    --------
    >>> from nbody_ref.fit import ethanol
    >>> frame = ethanol()[0]
    >>> frame.numbers.shape, frame.positions.shape, round(frame.energy, 2)
    ((9,), (9, 3), -4204.2)
    """

    numbers: Array
    positions: Array
    energy: float
    forces: Array
    energy_weight: float = 1.0
    forces_weight: float = 1.0

    @property
    def has_energy(self) -> bool:
        """Whether its energy is known."""
        return not math.isnan(self.energy)

    @property
    def has_forces(self) -> bool:
        """Whether its forces are known."""
        return not bool(np.isnan(self.forces).all())


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
    findings : tuple of Finding
        What reading found that a user should know, or that cannot be right.

    Examples
    --------
    >>> from nbody_ref.fit import ethanol
    >>> frames = ethanol()
    >>> len(frames), len(frames[:50]), sorted(frames.atoms)
    (300, 50, [1, 6, 8])
    """

    frames: tuple[Frame, ...]
    atoms: Mapping[int, float] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)
    indices: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()

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
        """Energies (F,), eV; NaN where they are not known."""
        return np.array([frame.energy for frame in self], dtype=np.float64)

    @property
    def has_energy(self) -> Array:
        """Which frames have an energy, (F,) bool."""
        return np.array([frame.has_energy for frame in self], dtype=bool)

    @property
    def has_forces(self) -> Array:
        """Which frames have forces, (F,) bool."""
        return np.array([frame.has_forces for frame in self], dtype=bool)

    @property
    def forces(self) -> Array:
        """Forces of all atoms, frame after frame, (N, 3), eV/Angstrom; NaN where they are not known."""
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

        keys = [frame.numbers.astype(np.int64).tobytes() for frame in self]
        names = {k: Formula.from_list(symbols(np.frombuffer(k, np.int64))).format("hill") for k in set(keys)}
        return [names[key] for key in keys]


def pair_distances(frames: Sequence[Frame]) -> list[Array]:
    """Distances between the atoms of each frame, pair after pair as `numpy.triu_indices` counts them, Angstrom."""
    sizes = np.array([len(frame.numbers) for frame in frames])
    found: list[Array] = [np.zeros(0)] * len(frames)
    for n in np.unique(sizes):
        members = np.flatnonzero(sizes == n)
        i, j = np.triu_indices(int(n), 1)
        for some in np.array_split(members, max(1, len(members) * len(i) // 100_000)):
            r = np.array([frames[k].positions for k in some])
            for k, dist in zip(some, np.linalg.norm(r[:, i] - r[:, j], axis=2), strict=True):
                found[k] = dist
    return found


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
        hint = "; if positions are in nm, say it (--units kJ/mol,nm)" if 0.06 < dist < 0.2 else ""
        raise error(
            f"{where}: atoms {i} ({a}) and {j} ({b}) are {dist:.3f} Angstrom apart, nearer than {closest}{hint}"
        )
