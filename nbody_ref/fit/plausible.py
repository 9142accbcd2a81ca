"""Are these numbers eV and Angstrom? Checks that catch labels passed in other units.

Facts that hold for every molecule and every all-electron method (pseudopotentials make energies smaller, not larger):

- The total energy of neutral atoms is close to the Thomas-Fermi law -20.9 Z^(7/3) eV and never far below it; a
  number several times larger is kcal/mol or kJ/mol.
- At temperatures where molecules live, forces are of the order of eV/Angstrom: the root mean square is about 1 at
  500 K; 10 and more means kcal/(mol Angstrom).
- Total energies close to the same law in Hartree, -0.77 Z^(7/3), are Hartree: as eV they would be much too small.
- Energies of one molecule vary by what its forces do over thermal displacements, 0.02 to 0.04 Angstrom times the norm
  of a frame's forces; ten times that means that energies and forces are in different units.
"""

from __future__ import annotations

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.frames import Frames

__all__ = ["check_plausible"]

THOMAS_FERMI_EV = 20.9
HARTREE_EV = 27.2114
MAX_FORCE_RMS = 12.0  # eV/Angstrom
HARTREE_RATIO = (0.6, 0.95)  # |E| over the law where all-electron molecules lie: 0.76 in measured data sets
MAX_SPREAD = 0.3  # Angstrom: standard deviation of energies over the norm of a frame's forces
MIN_FORCE_RMS = 0.1  # eV/Angstrom: below it (relaxed geometries) forces say nothing about energies
HINT = "If so, say it by units (--units {}); if the numbers are right, set trust_units (--trust-units)"


def check_plausible(frames: Frames) -> None:
    """Refuse energies and forces whose size no molecule has in eV and eV/Angstrom.

    Parameters
    ----------
    frames : Frames

    Raises
    ------
    DataError
        If forces are implausibly large, energies lie far below those of atoms, or the two disagree with each other.
    """
    if not len(frames):
        return
    law = np.array([THOMAS_FERMI_EV * np.sum(frame.numbers ** (7 / 3)) for frame in frames])
    ratio = float(np.median(np.abs(frames.energies) / law))
    rms = float(np.sqrt(np.mean(frames.forces**2)))
    if rms > MAX_FORCE_RMS:
        raise DataError(
            f"forces have a root mean square of {rms:.1f} eV/Angstrom, expected is about 1: are they "
            f"kcal/mol/Angstrom, passed as eV/Angstrom? {HINT.format('kcal/mol,A')}"
        )
    if ratio > 2.0:
        raise DataError(
            f"energies are {ratio:.1f} times what the Thomas-Fermi law gives for these atoms in eV: are they kcal/mol, "
            f"passed as eV? {HINT.format('kcal/mol,A')}"
        )
    if HARTREE_RATIO[0] < ratio * HARTREE_EV < HARTREE_RATIO[1]:
        raise DataError(
            f"energies are what these atoms have in Hartree (forces: root mean square {rms:.3f}): are they Hartree and "
            f"Hartree/bohr, passed as eV and eV/Angstrom? {HINT.format('Ha,bohr')}"
        )
    _check_agreement(frames)


def _check_agreement(frames: Frames) -> None:
    """Energies of one molecule must not vary more than its forces can explain."""
    groups: dict[bytes, list[int]] = {}
    for i, frame in enumerate(frames):
        groups.setdefault(np.sort(frame.numbers).tobytes(), []).append(i)
    for members in groups.values():
        if len(members) < 5:
            continue
        spread = float(np.std(frames.energies[members]))
        norm = float(np.sqrt(np.mean([np.sum(frames[i].forces ** 2) for i in members])))
        if norm > MIN_FORCE_RMS * np.sqrt(3 * len(frames[members[0]].numbers)) and spread > MAX_SPREAD * norm:
            raise DataError(
                f"energies vary by {spread:.3g} eV although forces (norm {norm:.3g} eV/Angstrom for a frame) explain "
                f"some {0.03 * norm:.2g} eV: are energies and forces in different units, or labels of different "
                f"frames? {HINT.format('ENERGY,LENGTH')}"
            )
