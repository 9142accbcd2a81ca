"""What a fit is given: frames, the baseline of their atoms, and which frames the choices are made on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.fit.baseline import Baseline, counts
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
    """

    energies: Array
    forces: Array
    counts: Array


@dataclass(frozen=True)
class FitData:
    """Frames with their baseline and their hold-out; nothing of it changes during a fit.

    Parameters
    ----------
    frames : Frames
    baseline : Baseline
    split : Split
        Its ``train`` part is fitted to first, its ``test`` part is the hold-out.
    """

    frames: Frames
    baseline: Baseline
    split: Split

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
        """Coordinates of all atoms of all frames."""
        return 3 * int(self.frames.n_atoms.sum())

    @property
    def constants(self) -> bool:
        """Whether each species has a constant that is free: above isolated atoms there is none."""
        return self.baseline.kind != "isolated"

    def labels(self, indices: Sequence[int]) -> Labels:
        """Labels of some frames."""
        chosen = self.frames[indices]
        energies = chosen.energies - self.baseline.energy(chosen)
        return Labels(energies, chosen.forces, counts(chosen, self.frames.species))
