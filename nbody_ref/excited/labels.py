"""Frames of one molecule with labels of several states, and the files that hold them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import units

from nbody_ref.checks import check_word
from nbody_ref.errors import DataError
from nbody_ref.excited.surfaces import pairs
from nbody_ref.fit.frames import Frame, Frames, check_geometry

__all__ = ["StateFrames", "read_states", "without_translation"]

Array = np.ndarray[Any, Any]

ENERGY_UNITS = {"eV": 1.0, "Hartree": units.Hartree, "kcal/mol": units.kcal / units.mol}
LENGTH_UNITS = {"A": 1.0, "Bohr": units.Bohr}
NAMES = {  # of arrays, as programs write them; what is first in a list is preferred
    "numbers": ("numbers", "Z", "z", "atomic_numbers", "atNums", "nuclear_charges"),
    "positions": ("R", "positions", "atXYZ", "coords", "R_bohr", "geometries"),
    "energies": ("E", "energy", "energies", "E_hartree", "state_energies"),
    "forces": ("F", "forces", "force", "F_hartree_bohr", "state_forces"),
    "gradients": ("G", "gradients", "gradient"),
    "products": ("H", "gap_couplings", "smooth_nacs", "state_couplings"),  # gap times coupling
    "couplings": ("nacs", "nac", "NAC", "couplings"),  # 1 / length
    "trajectory": ("trajectory", "trajid", "trajectory_id"),
}


@dataclass(frozen=True)
class StateFrames:
    """Geometries of one molecule; NaN is a label that is not there.

    Parameters
    ----------
    numbers : (N,) int
    positions : (F, N, 3) float64
        Angstrom.
    energies : (F, S) float64
        eV.
    forces : (F, S, N, 3) float64
        eV/Angstrom.
    couplings : (F, P, N, 3) float64
        (E_b - E_a) <a|d/dR b> for the pairs of `nbody_ref.excited.surfaces.pairs`, eV/Angstrom, signs random.
    trajectory : (F,) int
        Frames of one trajectory are no independent tests of each other.
    """

    numbers: Array
    positions: Array
    energies: Array
    forces: Array
    couplings: Array
    trajectory: Array

    def __post_init__(self) -> None:
        count, atoms, s = len(self.positions), len(self.numbers), self.energies.shape[-1]
        shapes = {
            "positions": (count, atoms, 3),
            "energies": (count, s),
            "forces": (count, s, atoms, 3),
            "couplings": (count, s * (s - 1) // 2, atoms, 3),
            "trajectory": (count,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise DataError(f"StateFrames: '{name}' must be {shape}, got {getattr(self, name).shape}")
        for i, geometry in enumerate(self.positions):
            check_geometry(f"frame {i}", np.asarray(self.numbers), geometry)
        if np.isinf(self.energies).any() or np.isinf(self.forces).any() or np.isinf(self.couplings).any():
            raise DataError("StateFrames: labels must be finite, or NaN where there are none")
        falling = np.flatnonzero((np.diff(self.energies, axis=1) < 0).any(axis=1))
        if len(falling):
            raise DataError(f"StateFrames: 'energies' must ascend, frame {falling[0]} has {self.energies[falling[0]]}")

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, chosen: Any) -> StateFrames:
        """The same of some frames."""
        parts = {
            name: getattr(self, name)[chosen] for name in ("positions", "energies", "forces", "couplings", "trajectory")
        }
        return replace(self, **parts)

    @property
    def states(self) -> int:
        """Number of states."""
        return int(self.energies.shape[1])

    @property
    def geometries(self) -> list[tuple[Array, Array]]:
        """Pairs (positions, numbers), as networks read them."""
        return [(geometry, np.asarray(self.numbers)) for geometry in self.positions]

    def of_state(self, energies: Array, forces: Array) -> Frames:
        """Frames with one energy (F,) and force (F, N, 3), for `nbody_ref.fit.fit`; those without labels left out."""
        known = np.isfinite(energies) & np.isfinite(forces).all(axis=(1, 2))
        numbers = np.asarray(self.numbers)
        rows = [Frame(numbers, self.positions[i], float(energies[i]), forces[i]) for i in np.flatnonzero(known)]
        return Frames(tuple(rows))

    def gaps(self) -> Array:
        """Least gap of neighbouring states of each frame, (F,), eV."""
        found: Array = np.diff(self.energies, axis=1).min(axis=1)
        return found


def without_translation(couplings: Array) -> Array:
    """The part of couplings (..., N, 3) that adds up to zero over the atoms: what a translation-free model can give.

    Couplings computed without translation factors do not add up to zero; the mean over the atoms is subtracted.
    """
    found: Array = couplings - couplings.mean(axis=-2, keepdims=True)
    return found


def read_states(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    energy: str = "eV",
    length: str = "A",
    atoms_first: bool | None = None,
    names: Mapping[str, str] | None = None,
) -> StateFrames:
    """Read labels of several states.

    Parameters
    ----------
    path : path, or one extxyz file for each state
        ``.npz``: arrays by the names that SPaiNN, SHNITSEL and others use, see `NAMES`. ``.xyz``, ``.extxyz``: one
        file for each state with ``energy`` and ``forces`` (as xxMD's), or one file with ``energies`` (S numbers) in the
        comment and columns ``forces_0``, ``forces_1``, ...; ``couplings_0_1`` if they are there.
    energy, length : str
        Units of the file: eV, Hartree, kcal/mol; A, Bohr.
    atoms_first : bool, optional
        Whether forces and couplings are (F, N, S, 3), not (F, S, N, 3). None: by the shapes, where they tell.
    names : mapping, optional
        Names of arrays of a ``.npz`` file by role, where they are none of `NAMES`.

    Returns
    -------
    StateFrames
        Couplings in 1/length are multiplied by the gap; gradients become forces; NaN where a label is missing.

    Raises
    ------
    DataError
        If arrays are missing, do not fit together, or their axes are ambiguous.
    """
    check_word("read_states", "energy", energy, ENERGY_UNITS)
    check_word("read_states", "length", length, LENGTH_UNITS)
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    try:
        if len(paths) == 1 and Path(paths[0]).suffix == ".npz":
            found = _from_npz(Path(paths[0]), names or {})
        else:
            found = _from_xyz([Path(p) for p in paths])
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"read_states: {paths[0]} cannot be read: {error}") from error
    return _built(found, ENERGY_UNITS[energy], LENGTH_UNITS[length], atoms_first)


def _from_npz(path: Path, names: Mapping[str, str]) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as data:
        chosen = {role: names.get(role) or next((n for n in known if n in data), None) for role, known in NAMES.items()}
        return {role: np.asarray(data[name]) for role, name in chosen.items() if name}


def _from_xyz(paths: list[Path]) -> dict[str, Array]:
    from ase.io import read

    files: list[Any] = [read(path, ":") for path in paths]
    first = files[0]
    found = {"numbers": first[0].numbers, "positions": np.array([atoms.positions for atoms in first])}
    if len(files) > 1:
        for other in files[1:]:
            if len(other) != len(first) or any(
                np.abs(a.positions - b.positions).max() > 1e-6 for a, b in zip(first, other)
            ):
                raise ValueError("the files of the states must hold the same geometries")
        found["energies"] = np.array([[atoms.get_potential_energy() for atoms in file] for file in files]).T
        found["forces"] = np.array([[atoms.get_forces() for atoms in file] for file in files]).transpose(1, 0, 2, 3)
        return found
    found["energies"] = np.array([atoms.info["energies"] for atoms in first], dtype=float)
    s, missing = found["energies"].shape[1], np.full(first[0].positions.shape, np.nan)
    found["forces"] = np.array([[a.arrays.get(f"forces_{i}", missing) for i in range(s)] for a in first])
    found["products"] = np.array([[a.arrays.get(f"couplings_{i}_{j}", missing) for i, j in pairs(s)] for a in first])
    if "trajectory" in first[0].info:
        found["trajectory"] = np.array([int(atoms.info["trajectory"]) for atoms in first])
    return found


def _built(found: dict[str, Array], energy: float, length: float, atoms_first: bool | None) -> StateFrames:
    for role in ("numbers", "positions", "energies"):
        if role not in found:
            raise DataError(f"read_states: there is no array of {role}; known names: {', '.join(NAMES[role])}")
    numbers = found["numbers"][0] if found["numbers"].ndim == 2 else found["numbers"]
    energies, count = found["energies"] * energy, len(found["positions"])
    s, atoms, p = energies.shape[1], len(numbers), len(pairs(energies.shape[1]))
    forces = found.get("forces")
    if forces is None and "gradients" in found:
        forces = -found["gradients"]
    forces = _ordered("forces", forces, (count, s, atoms, 3), atoms_first)
    products = _ordered("products", found.get("products"), (count, p, atoms, 3), atoms_first) * energy / length
    if "products" not in found and "couplings" in found:
        couplings = _ordered("couplings", found["couplings"], (count, p, atoms, 3), atoms_first) / length
        gaps = np.stack([energies[:, b] - energies[:, a] for a, b in pairs(s)], axis=1)
        products = gaps[:, :, None, None] * couplings
    trajectory = found.get("trajectory", np.zeros(count, dtype=int))
    order = np.argsort(energies, axis=1)
    if not np.array_equal(order, np.broadcast_to(np.arange(s), order.shape)):
        raise DataError("read_states: 'energies' must ascend in every frame")
    positions = np.asarray(found["positions"], dtype=np.float64) * length
    return StateFrames(numbers.astype(int), positions, energies, forces * energy / length, products, trajectory)


def _ordered(name: str, given: Array | None, shape: tuple[int, ...], atoms_first: bool | None) -> Array:
    """An array as (F, S or P, N, 3); NaN if there is none."""
    if given is None:
        return np.full(shape, np.nan)
    swapped = (shape[0], shape[2], shape[1], shape[3])
    fits, fits_swapped = given.shape == shape, given.shape == swapped
    if atoms_first is None and fits and fits_swapped:
        raise DataError(f"read_states: the axes of '{name}' {given.shape} may be either way: say 'atoms_first'")
    if fits_swapped and (atoms_first or (atoms_first is None and not fits)):
        return given.transpose(0, 2, 1, 3).astype(np.float64)
    if fits and not atoms_first:
        return given.astype(np.float64)
    raise DataError(f"read_states: '{name}' must be {shape} or {swapped}, got {given.shape}")
