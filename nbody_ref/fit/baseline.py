"""Atomic baselines: the part of an energy that only counts atoms, always in float64."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.frames import Frames

__all__ = ["Baseline", "counts", "pseudo_inverse"]

Array = np.ndarray[Any, Any]


def counts(frames: Frames, species: tuple[int, ...]) -> Array:
    """How many atoms of each species every frame has, (F, S) float64."""
    return np.array([[np.count_nonzero(frame.numbers == z) for z in species] for frame in frames], dtype=np.float64)


def pseudo_inverse(count: Array) -> Array:
    """Pseudo-inverse of `counts`, (S, F): least squares of smallest norm, for as many compositions as there are.

    Counts are small integers, so that a singular value below 1e-8 of the largest is a zero that was rounded.
    """
    return np.asarray(np.linalg.pinv(count, rcond=1e-8))


@dataclass(frozen=True)
class Baseline:
    r"""Energy of free or averaged atoms, :math:`E_0 = \sum_i e_{z_i}`.

    Parameters
    ----------
    energies : mapping of int to float
        Energy of one atom by atomic number, eV.
    kind : {"isolated", "least squares"}
        Where the energies come from.
    """

    energies: Mapping[int, float]
    kind: str

    @classmethod
    def build(cls, frames: Frames) -> Baseline:
        """Isolated atoms if the data has them for every species, else least squares.

        Least squares finds the energies of smallest norm among those that fit the total energies best: data of one
        composition only determine their sum over a molecule.

        Raises
        ------
        DataError
            If the data has isolated atoms for some of its species only.
        """
        species = frames.species
        if frames.atoms:
            missing = sorted(set(species) - set(frames.atoms))
            if missing:
                raise DataError(
                    f"the data has isolated atoms of {sorted(frames.atoms)} (atomic numbers) but none of {missing}: "
                    f"add them, or leave all of them out"
                )
            return cls({z: float(frames.atoms[z]) for z in species}, "isolated")
        solution = pseudo_inverse(counts(frames, species)) @ frames.energies
        return cls({z: float(e) for z, e in zip(species, solution, strict=True)}, "least squares")

    def atom_energies(self, numbers: Array) -> Array:
        """Baseline energy of every atom, (n,) float64, eV."""
        return np.array([self.energies[int(z)] for z in numbers], dtype=np.float64)

    def energy(self, frames: Frames) -> Array:
        """Baseline energy of every frame, (F,) float64, eV."""
        return np.array([self.atom_energies(frame.numbers).sum() for frame in frames])
