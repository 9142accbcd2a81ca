"""Are these numbers eV and Angstrom? Checks that catch labels passed in other units.

Facts that hold for every molecule and every all-electron method (pseudopotentials make energies smaller, not larger):

- The total energy of neutral atoms is close to the Thomas-Fermi law -20.9 Z^(7/3) eV and never far below it; a
  number several times larger is kcal/mol or kJ/mol.
- At temperatures where molecules live, forces are of the order of eV/Angstrom: the root mean square is about 1 at
  500 K; 10 and more means kcal/(mol Angstrom).
- Total energies close to the same law in Hartree, -0.77 Z^(7/3), are Hartree: as eV they would be much too small.
- An atom of a molecule has its nearest neighbour at about the sum of their covalent radii: the ratio is 0.8 to 1.2 in
  five measured data sets, so that 1.9 is bohr and 0.5 is Angstrom taken for bohr.
- A stretched bond pulls and a compressed one pushes: lengths of bonds and the forces along them are correlated, by
  -0.83 to -0.93 in the same sets, with a slope of minus a force constant, 20 to 40 eV/Angstrom^2. The same with a plus
  means gradients, which are forces with the other sign. (Differences between two methods may have either sign of
  correlation, but a small slope.)
- Energies of one molecule vary by what its forces do over thermal displacements, 0.02 to 0.04 Angstrom times the norm
  of a frame's forces; ten times that means that energies and forces are in different units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.frames import Frame, Frames

__all__ = ["check_plausible"]

Array = np.ndarray[Any, Any]

THOMAS_FERMI_EV = 20.9
HARTREE_EV = 27.2114
MAX_FORCE_RMS = 12.0  # eV/Angstrom
HARTREE_RATIO = (0.6, 0.95)  # |E| over the law where all-electron molecules lie: 0.76 in measured data sets
MAX_SPREAD = 0.3  # Angstrom: standard deviation of energies over the norm of a frame's forces
MIN_FORCE_RMS = 0.1  # eV/Angstrom: below it (relaxed geometries) forces say nothing about energies
FAR, NEAR = 1.45, 0.7  # nearest neighbour over covalent radii: beyond for 95 % of the atoms is another unit of length
NOBLE = (2, 10, 18, 36, 54, 86)
BOND = 1.2  # of covalent radii: below, every bond is within the part of its energy curve that bends upwards
MIN_BONDS = 30  # lengths and forces whose correlation is judged
MAX_CORRELATION = 0.5
MAX_SLOPE = 8.0  # eV/Angstrom^2
MIN_STRETCH = 3e-3  # Angstrom, root mean square: below, bonds were held fixed and their lengths are rounding
FEW = 200  # frames that are looked at
HINT = "If so, say it by units (--units {}); if the numbers are right, set trust_units (--trust-units)"


def check_plausible(frames: Frames) -> None:
    """Refuse energies and forces whose size no molecule has in eV and eV/Angstrom.

    Parameters
    ----------
    frames : Frames

    Raises
    ------
    DataError
        If forces are implausibly large, energies lie far below those of atoms, the two disagree with each other, no
        atom has a neighbour at the distance of a bond, or forces push stretched bonds further apart.
    """
    if not len(frames):
        return
    law = np.array([THOMAS_FERMI_EV * np.sum(frame.numbers ** (7 / 3)) for frame in frames])
    ratio = float(np.median(np.abs(frames.energies) / law))
    rms = float(np.sqrt(np.mean(frames.forces**2)))
    if rms == 0.0 and np.ptp(frames.energies) > 1e-3:
        raise DataError(
            f"all forces are exactly zero although energies vary by {np.ptp(frames.energies):.3g} eV: were they not "
            f"computed? If the numbers are right, set trust_units (--trust-units)"
        )
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
    if rms > MIN_FORCE_RMS:  # molecules at rest, and those that hardly feel each other, say nothing
        few = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, FEW).astype(int))]
        _check_lengths(few)
        _check_sign(few)


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


def _ratios(frame: Frame) -> Array:
    """Distances between atoms over the sums of their covalent radii, (n, n); infinite on the diagonal."""
    from ase.data import covalent_radii

    radii = covalent_radii[frame.numbers]
    dist = np.linalg.norm(frame.positions[:, None] - frame.positions, axis=-1)
    np.fill_diagonal(dist, np.inf)
    return np.asarray(dist / (radii[:, None] + radii))


def _check_lengths(frames: Sequence[Frame]) -> None:
    """Nearest neighbours must be at the distance of a bond; pairs of atoms and noble gases are left out."""
    nearest = [_ratios(frame).min(axis=1)[~np.isin(frame.numbers, NOBLE)] for frame in frames if len(frame.numbers) > 2]
    ratios = np.concatenate([*nearest, np.zeros(0)])
    if not len(ratios):
        return
    typical = float(np.median(ratios))
    if np.quantile(ratios, 0.05) > FAR:
        raise DataError(
            f"atoms have their nearest neighbour at {typical:.2f} times the sum of covalent radii, expected is about "
            f"1: are positions in bohr (1.9) or nm, passed as Angstrom? {HINT.format('eV,bohr')}"
        )
    if np.quantile(ratios, 0.95) < NEAR:
        raise DataError(
            f"atoms have their nearest neighbour at {typical:.2f} times the sum of covalent radii, expected is about "
            f"1: are positions in Angstrom, taken for bohr? {HINT.format('ENERGY,A')}"
        )


def _check_sign(frames: Sequence[Frame]) -> None:
    """Forces along bonds must fall with the length of the bond, each bond compared with itself in other frames."""
    bonds: dict[tuple[bytes, int, int], list[tuple[float, float]]] = {}
    for frame in frames:
        ratios = _ratios(frame)
        for i, j in np.argwhere(np.triu(ratios < BOND)).tolist():
            r_rel = frame.positions[j] - frame.positions[i]
            dist = float(np.linalg.norm(r_rel))
            apart = float((frame.forces[j] - frame.forces[i]) @ r_rel / (2 * dist))
            bonds.setdefault((frame.numbers.tobytes(), i, j), []).append((dist, apart))
    centred = [np.array(bond) - np.mean(bond, axis=0) for bond in bonds.values() if len(bond) > 1]
    lengths, apart = np.concatenate([*centred, np.zeros((0, 2))]).T
    if len(lengths) < MIN_BONDS or np.sqrt(np.mean(lengths**2)) < MIN_STRETCH or not apart.any():
        return
    correlation = float(lengths @ apart / (np.linalg.norm(lengths) * np.linalg.norm(apart)))
    slope = float(lengths @ apart / (lengths @ lengths))
    if correlation > MAX_CORRELATION and slope > MAX_SLOPE:
        raise DataError(
            f"forces push stretched bonds further apart (correlation of length and force {correlation:+.2f}, expected "
            f"is about -0.9; slope {slope:+.0f} eV/A^2): are they gradients, with the sign of forces flipped? If so, "
            f"multiply them by -1; if the numbers are right, set trust_units (--trust-units)"
        )
