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
from nbody_ref.fit.conversion import energy_units, force_units
from nbody_ref.fit.frames import Finding, Frame, Frames

__all__ = [
    "check_plausible",
    "constant_energies",
    "implausible",
    "moving",
    "usual_units",
]

Array = np.ndarray[Any, Any]

THOMAS_FERMI_EV = 20.9
MAX_FORCE_RMS = 12.0  # eV/Angstrom, where bonds do not say more
ELECTRONS = (0.6, 0.95)  # |E| over the law where all-electron molecules lie: 0.76 in measured data sets
MAX_SPREAD = 0.3  # Angstrom: standard deviation of energies over the norm of a frame's forces
MIN_FORCE_RMS = 0.1  # eV/Angstrom: below it (relaxed geometries) forces say nothing about energies
FAR, NEAR = 1.45, 0.7  # nearest neighbour over covalent radii: beyond for 95 % of the atoms is another unit of length
NOBLE = (2, 10, 18, 36, 54, 86)
BOND = 1.2  # of covalent radii: below, every bond is within the part of its energy curve that bends upwards
MIN_BONDS = 30  # lengths and forces whose correlation is judged
MAX_CORRELATION = 0.5
MAX_SLOPE = 8.0  # eV/Angstrom^2
STIFF = 300.0  # eV/Angstrom^2: twice the stiffest bond there is
SOFT = 3.0  # eV/Angstrom^2
USUAL_SLOPE = 33.0  # eV/Angstrom^2, of bonds of organic molecules
MIN_STRETCH = 3e-3  # Angstrom, root mean square: below, bonds were held fixed and their lengths are rounding
MAX_NET = 0.2  # net force, and torque, of a frame relative to what unrelated vectors have
TYPICAL_NET = 0.03  # of half of the frames: then it is no single one that went wrong
FEW = 200  # frames that are looked at
TRUST = "if the numbers are right, set trust_units (--trust-units)"


def usual_units(molecules: Sequence[Any], key: str | None, origin: dict[str, Any]) -> str:
    """Units of a file that does not say any: eV and Angstrom; in npz kcal/mol if energies are all-electron ones in it.

    sGDML and rMD17 write kcal/mol by convention, others eV.
    """
    if not str(origin.get("file", "")).endswith(".npz"):
        return "eV,A"
    labelled = [atoms for _, atoms in molecules if key in atoms.info]
    ratios = [abs(float(atoms.info[key])) / _law(atoms.numbers) for atoms in labelled[:FEW]]
    kcal = energy_units()["kcal/mol"]
    return "kcal/mol,A" if ratios and ELECTRONS[0] < float(np.median(ratios)) * kcal < ELECTRONS[1] else "eV,A"


def _law(numbers: Array) -> float:
    return THOMAS_FERMI_EV * float(np.sum(np.asarray(numbers, dtype=float) ** (7 / 3)))


def check_plausible(frames: Frames) -> None:
    """Refuse energies and forces whose size no molecule has in eV and eV/Angstrom.

    Parameters
    ----------
    frames : Frames

    Raises
    ------
    DataError
        If forces are implausibly large, do not belong to the positions or have the wrong sign, energies lie far below
        those of atoms, the two disagree with each other, or no atom has a neighbour at the distance of a bond.
    """
    for found in implausible(frames):
        if found.wrong:
            raise DataError(str(found))


def implausible(frames: Frames) -> list[Finding]:
    """What `check_plausible` refuses, as findings."""
    if not len(frames):
        return []
    few = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, FEW).astype(int))]
    labelled = [frame for frame in few if frame.has_forces]
    components = np.concatenate([*(frame.forces.ravel() for frame in labelled), np.zeros(0)])
    rms = float(np.sqrt(np.mean(components**2))) if len(components) else 0.0
    found = [_zero_forces(frames, labelled, rms)]
    lengths = _lengths_of_bonds(few) if rms > MIN_FORCE_RMS or not labelled else None
    slope = _bond_slope(labelled) if rms > MIN_FORCE_RMS else None  # molecules at rest say nothing
    stiff = slope is not None and slope[0] < -MAX_CORRELATION and MAX_SLOPE < -slope[1] < STIFF
    found += [lengths, _energies_of_atoms(few, lengths is None, stiff)]
    if rms > MIN_FORCE_RMS:
        found += [_force_sizes(labelled, rms, slope), _spread(frames), _sign(slope), _soft(slope)]
    return [one for one in found if one is not None]


def _wrong(text: str, advice: str, frames: tuple[int, ...] = ()) -> Finding:
    return Finding("units", True, text, advice, frames)


def constant_energies(frames: Frames) -> list[Finding]:
    """Energies that are one number although forces are not zero."""
    energies, forces = frames.energies[frames.has_energy], frames.forces[np.isfinite(frames.forces).all(axis=1)]
    rms = float(np.sqrt(np.mean(forces**2))) if len(forces) else 0.0
    if len(energies) < 5 or np.ptp(energies) > 0 or rms < MIN_FORCE_RMS or len(set(frames.formulas)) > 1:
        return []
    value = energies[0] + 0.0  # never -0
    text = f"all {len(energies)} energies are {value:.6g} eV although forces are not zero: they are no energies"
    return [Finding("energies", True, text, "fit the forces alone (--ignore energies)")]


def _zero_forces(frames: Frames, labelled: Sequence[Frame], rms: float) -> Finding | None:
    energies = frames.energies[frames.has_energy]
    if not labelled or rms or len(energies) < 2 or np.ptp(energies) < 1e-3:
        return None
    text = f"all forces are exactly zero although energies vary by {np.ptp(energies):.3g} eV: were they not computed?"
    return Finding("forces", True, text, f"fit the energies alone (--ignore forces); {TRUST}")


def _energies_of_atoms(few: Sequence[Frame], angstrom: bool, stiff: bool) -> Finding | None:
    """Energies that no atoms have in eV, and the unit in which these atoms have them.

    Bonds that are `stiff` as they should be in eV speak against Hartree: then it is a pseudopotential.
    """
    ratios = [abs(frame.energy) / _law(frame.numbers) for frame in few if frame.has_energy]
    ratio = float(np.median(ratios)) if ratios else ELECTRONS[0]
    length = "A" if angstrom else "bohr"
    hartree = energy_units()["Ha"]
    if ELECTRONS[0] < ratio * hartree < ELECTRONS[1] and not stiff:
        more = " --force-units Ha/bohr" if angstrom else ""
        return _wrong(
            "energies are what these atoms have in Hartree: are they Hartree, passed as eV?",
            f"If so, say it (--units Ha,{length}{more}); {TRUST}",
        )
    if ratio <= 2.0:
        return None
    text = f"energies are {ratio:.1f} times what the Thomas-Fermi law gives for these atoms in eV: "
    for name, factor in energy_units().items():
        if factor < 1 and ELECTRONS[0] < ratio * factor < ELECTRONS[1]:
            text += "" if name == "kcal/mol" else "in kcal/mol it would be 18, "
            return _wrong(f"{text}are they {name}, passed as eV?", f"If so, say it (--units {name},{length}); {TRUST}")
    for name, factor in energy_units().items():
        if factor != 1 and ELECTRONS[0] < ratio * min(factor, 1 / factor) ** 2 < ELECTRONS[1]:
            q = max(factor, 1 / factor) ** 2
            return _wrong(
                f"{text}were they converted from or to {name} the wrong way, multiplied instead of divided ({q:.4g})?",
                f"Convert the original numbers again; {TRUST}",
            )
    return _wrong(f"{text}are they kcal/mol, passed as eV?", f"If so, say it (--units kcal/mol,{length}); {TRUST}")


def _force_sizes(labelled: Sequence[Frame], rms: float, slope: tuple[float, float] | None) -> Finding | None:
    """Forces that are too large, by the stiffness of bonds where it can be seen, else by their size."""
    if slope is not None and abs(slope[0]) > MAX_CORRELATION:
        stiff = abs(slope[1])
        if stiff < STIFF:
            return None
        units = {name: value for name, value in force_units().items() if value < 0.1}
        unit = min(units, key=lambda name: abs(np.log(stiff * units[name] / USUAL_SLOPE)))
        text = f"bonds have a stiffness of {stiff:.0f} eV/Angstrom^2, expected is about {USUAL_SLOPE:g}"
    elif rms > MAX_FORCE_RMS and not _is_scan(labelled):
        unit, text = "kcal/mol/A", f"forces have a root mean square of {rms:.1f} eV/Angstrom, expected is about 1"
    else:
        return None
    options = f"--units {unit.rpartition('/')[0]},A, or --force-units {unit} if energies are right"
    advice = f"If so, say it ({options}); {TRUST}"
    return _wrong(f"{text}: are forces {unit}, passed as eV/Angstrom?", advice)


def _soft(slope: tuple[float, float] | None) -> Finding | None:
    """Bonds that are softer than any in an organic molecule: other units, or differences between two methods."""
    if slope is None or slope[0] > -0.8 or abs(slope[1]) > SOFT:
        return None
    text = f"bonds have a stiffness of {-slope[1]:.2g} eV/Angstrom^2, in organic molecules it is about {USUAL_SLOPE:g}"
    advice = (
        "right for weak bonds and for differences between two methods; if energies are in Hartree, say it (--units)"
    )
    return Finding("units", False, text, advice)


def _is_scan(labelled: Sequence[Frame]) -> bool:
    """Whether distances vary by more than heat makes them, or there are but pairs of atoms."""
    nearest = [float(_ratios(frame).min()) for frame in labelled]
    return all(len(frame.numbers) == 2 for frame in labelled) or float(np.ptp(nearest)) > 0.35


def _spread(frames: Frames) -> Finding | None:
    """Energies of one molecule must not vary more than its forces can explain over the way that it moves."""
    groups: dict[bytes, list[int]] = {}
    for i in np.flatnonzero(frames.has_energy & frames.has_forces):
        groups.setdefault(frames[int(i)].numbers.tobytes(), []).append(int(i))
    for members in groups.values():
        if len(members) < 5:
            continue
        spread = float(np.std(frames.energies[members]))
        norm = float(np.sqrt(np.mean([np.sum(frames[i].forces ** 2) for i in members])))
        n = len(frames[members[0]].numbers)
        if norm < MIN_FORCE_RMS * np.sqrt(3 * n) or spread < MAX_SPREAD * norm:
            continue
        moved = np.array([np.linalg.norm(f.positions[:, None] - f.positions, axis=2) for f in frames[members]])
        way = float(np.sqrt(np.sum(np.var(moved, axis=0)) / (2 * n)))  # of all atoms together
        if spread > 0.8 * norm * way:
            text = (
                f"energies vary by {spread:.3g} eV although forces (norm {norm:.3g} eV/Angstrom for a frame) explain "
                f"some {0.3 * norm * way:.2g} eV: are energies and forces in different units, or of different frames?"
            )
            return _wrong(text, f"If units differ, say them (--units ENERGY,LENGTH --force-units E/L); {TRUST}")
    return None


def moving(frames: Frames) -> list[Finding]:
    """Forces of a molecule neither move nor turn it as a whole."""
    net, turn, index = [], [], []
    for i, frame in zip(frames.indices, frames, strict=True):
        size = float(np.linalg.norm(frame.forces)) if frame.has_forces else 0.0
        if size < MIN_FORCE_RMS * np.sqrt(3 * len(frame.numbers)):
            continue
        r, total = frame.positions - frame.positions.mean(axis=0), frame.forces.sum(axis=0)
        moments = r.T @ (frame.forces - total / len(r))
        torque = np.sqrt(0.5 * np.sum((moments - moments.T) ** 2))
        net.append(float(np.linalg.norm(total)) / (size * np.sqrt(len(r))))
        turn.append(float(torque) / (size * float(np.linalg.norm(r))))
        index.append(i)
    found = []
    for values, what, why in (
        (net, "do not add up to zero", "are atoms held fixed, or forces of other things in them?"),
        (turn, "turn the molecule as a whole", "are they in another orientation or order of atoms than the positions?"),
    ):
        limit = MAX_NET if values and float(np.median(values)) < TYPICAL_NET else TYPICAL_NET
        bad = [i for i, value in zip(index, values, strict=True) if value > limit]
        if bad:
            which = "all frames" if len(bad) == len(index) else f"{len(bad)} of {len(index)} frames"
            named = "" if len(bad) == len(index) else f" (frame {', '.join(map(str, bad[:8]))})"
            text = f"forces of {which}{named} {what}, by {np.max(values):.2f} of what unrelated vectors would: {why}"
            found.append(Finding("forces", True, text, TRUST, tuple(bad)))
    return found


def _ratios(frame: Frame) -> Array:
    """Distances between atoms over the sums of their covalent radii, (n, n); infinite on the diagonal."""
    from ase.data import covalent_radii

    radii = covalent_radii[frame.numbers]
    dist = np.linalg.norm(frame.positions[:, None] - frame.positions, axis=-1)
    np.fill_diagonal(dist, np.inf)
    return np.asarray(dist / (radii[:, None] + radii))


def _lengths_of_bonds(frames: Sequence[Frame]) -> Finding | None:
    """Nearest neighbours must be at the distance of a bond; pairs of atoms and noble gases are left out."""
    nearest = [_ratios(frame).min(axis=1)[~np.isin(frame.numbers, NOBLE)] for frame in frames if len(frame.numbers) > 2]
    ratios = np.concatenate([*nearest, np.zeros(0)])
    if not len(ratios):
        return None
    typical = float(np.median(ratios))
    text = f"atoms have their nearest neighbour at {typical:.2f} times the sum of covalent radii, expected is about 1: "
    if np.quantile(ratios, 0.05) > FAR:
        return _wrong(
            f"{text}are positions in bohr (1.9) or nm (10), passed as Angstrom?",
            f"If so, say it (--units ENERGY,bohr or ENERGY,nm); {TRUST}",
        )
    if np.quantile(ratios, 0.95) < NEAR:
        return _wrong(
            f"{text}are positions in Angstrom, taken for bohr?",
            f"If so, say it (--units ENERGY,A --force-units Ha/bohr, for instance); {TRUST}",
        )
    return None


def _bond_slope(frames: Sequence[Frame]) -> tuple[float, float] | None:
    """Correlation of length and force of bonds, each compared with itself in other frames, and its slope."""
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
        return None
    correlation = float(lengths @ apart / (np.linalg.norm(lengths) * np.linalg.norm(apart)))
    return correlation, float(lengths @ apart / (lengths @ lengths))


def _sign(slope: tuple[float, float] | None) -> Finding | None:
    """Forces along bonds must fall with the length of the bond."""
    if slope is None or slope[0] < MAX_CORRELATION or slope[1] < MAX_SLOPE:
        return None
    text = (
        f"forces push stretched bonds further apart (correlation of length and force {slope[0]:+.2f}, expected is "
        f"about -0.9; slope {slope[1]:+.0f} eV/A^2): are they gradients, with the sign of forces flipped?"
    )
    return Finding("sign", True, text, f"If so, say it (--forces-are-gradients); {TRUST}")
