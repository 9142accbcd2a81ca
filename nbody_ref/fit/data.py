"""What a fit is given: frames, the baseline of their atoms, and which frames the choices are made on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.fit.baseline import Baseline, counts
from nbody_ref.fit.blocks import Blocks
from nbody_ref.fit.frames import Frames
from nbody_ref.fit.splits import Split

__all__ = ["FitData", "Labels"]

Array = np.ndarray[Any, Any]


class Labels(NamedTuple):
    """Labels of some frames.

    Parameters
    ----------
    energies : (F,) float64
        Above the baseline, eV.
    forces : (N, 3) float64
        eV/Angstrom.
    counts : (F, S) float64
        Atoms of each species.
    energy_factors : (F,) float64
        Roots of the weights of the squared errors of the energies; 0 where there is no energy.
    forces_factors : (3 N,) float64
        The same for components of forces.
    """

    energies: Array
    forces: Array
    counts: Array
    energy_factors: Array
    forces_factors: Array

    def weighted(self, energy_rows: Array, force_rows: Array) -> tuple[Array, Array, Array, Array, Array]:
        """Energy rows, force rows, energies, forces and counts of what is labelled, times the roots of weights."""
        e, f = self.energy_factors, self.forces_factors
        if (e == 1.0).all() and (f == 1.0).all():
            return energy_rows, force_rows, self.energies, self.forces, self.counts
        i, j = e > 0, f > 0
        return (
            energy_rows[i] * e[i, None],
            force_rows[j] * f[j, None],
            self.energies[i] * e[i],
            self.forces.ravel()[j] * f[j],
            self.counts[i] * e[i, None],
        )


@dataclass(frozen=True)
class FitData:
    """Frames with their baseline and their hold-out; nothing of it changes during a fit.

    Parameters
    ----------
    frames : Frames
    baseline : Baseline
    split : Split
        Its ``train`` part is fitted to first, its ``test`` part is the hold-out.
    energy_weight : float
        Of the energies of all frames, relative to the usual one: a factor of their errors, not of the squares.
    blocks : Blocks, optional
        Frames that depend on each other; None: each stands for itself.
    """

    frames: Frames
    baseline: Baseline
    split: Split
    energy_weight: float = 1.0
    blocks: Blocks | None = None

    @property
    def train(self) -> list[int]:
        """Frames that are not held out, in the order in which they are read."""
        return list(self.split.train)

    @property
    def held(self) -> list[int]:
        """Frames of the hold-out."""
        return list(self.split.test)

    @property
    def n_force_rows(self) -> int:
        """Components of all forces that are known."""
        return 3 * int(self.frames.n_atoms[self.frames.has_forces].sum())

    @property
    def n_equations(self) -> int:
        """Energies and components of forces that are known."""
        return self.n_force_rows + int(self.frames.has_energy.sum())

    @property
    def complete(self) -> bool:
        """Whether every frame has its energy and its forces."""
        return bool(self.frames.has_energy.all() and self.frames.has_forces.all())

    @property
    def constants(self) -> bool:
        """Whether each species has a constant that is free: above isolated atoms there is none."""
        return self.baseline.kind != "isolated"

    def labels(self, indices: Sequence[int]) -> Labels:
        """Labels of some frames."""
        chosen = self.frames[indices]
        energies = chosen.energies - self.baseline.energy(chosen)
        weights = np.array([(frame.energy_weight, frame.forces_weight) for frame in chosen]).reshape(-1, 2)
        e = self.energy_weight * np.sqrt(weights[:, 0]) * chosen.has_energy
        f = np.repeat(np.sqrt(weights[:, 1]) * chosen.has_forces, 3 * chosen.n_atoms)
        return Labels(energies, chosen.forces, counts(chosen, self.frames.species), e, f)
