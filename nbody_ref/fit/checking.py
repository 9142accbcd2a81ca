"""What is wrong with labelled frames, by name, before anything is fitted to them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.blocks import blocks
from nbody_ref.fit.consistency import Consistency, consistency
from nbody_ref.fit.conversion import Units, force_units
from nbody_ref.fit.copies import copies, spread_of_copies
from nbody_ref.fit.frames import Finding, Frames, pair_distances, symbols
from nbody_ref.fit.inventory import inventory
from nbody_ref.fit.labels import some
from nbody_ref.fit.reading import frames_from_atoms, load_frames
from nbody_ref.fit.units import constant_energies, implausible, moving

__all__ = ["Check", "WrongDataError", "check", "refuse"]

Array = np.ndarray[Any, Any]

LEARNED, CERTAIN = 0.8, 0.97  # part of the forces that is explained
FOLLOWS = 0.4  # correlation below which energies do not follow from forces that are explained nearly wholly
TRUSTED = 0.9  # correlation above which a slope is judged
RIGHT, RATIO, ABSURD = 1.3, 1.12, 2.5  # slopes: right within, a known ratio within, wrong even without a known ratio
OUTLIER, LEAST = 12.0, 0.03  # times the robust deviation, and eV
WAY = 1.0  # Angstrom: an error of an energy that is larger than this times that of the forces is one of the label
SURPRISE = 5.0
MIXED = 5.0  # labelled energies over those that follow from forces
FEW_ATOMS = 4  # whose frames may be a dense scan
BINDING = (-12.0, 8.0)  # eV per atom, of molecules above their atoms
MANY, MANY_MORE = 20, 60  # frames from which something can be learned
COPY_SPREAD = 0.05  # eV, of copies; two geometries that agree to 2e-3 A differ by 0.01 eV


class WrongDataError(DataError):
    """Data with findings that are wrong; `check` holds all of them."""

    def __init__(self, result: Check) -> None:
        super().__init__("\n".join(str(found) for found in result.wrong))
        self.check = result


@dataclass(frozen=True)
class Check:
    """What was found about frames.

    Parameters
    ----------
    findings : tuple of Finding
        What is wrong first.
    record : dict
        JSON-ready: frames, compositions, charge, independent frames, temperature, distances, keys.
    """

    findings: tuple[Finding, ...]
    record: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """Findings that cannot be right."""
        return tuple(found for found in self.findings if found.wrong)

    def __str__(self) -> str:
        lines = [f"{'WRONG' if found.wrong else 'note '}  {found}" for found in self.findings]
        return "\n".join([*self.facts(), *lines])

    def facts(self) -> list[str]:
        """What the data are, in a few lines."""
        r = self.record
        kinds = ", ".join(f"{n} {name}" for name, n in list(r["compositions"].items())[:8])
        more = len(r["compositions"]) - 8
        lines = [f"{r['frames']} frames: {kinds}{f' and {more} more' if more > 0 else ''}{self._about()}"]
        step = "" if r["femtoseconds"] is None else f", {r['femtoseconds']:.2g} fs apart where they are a trajectory"
        lines.append(f"independent frames: {r['independent']}{step}")
        if r["temperature"] is not None:
            lines.append(f"temperature: about {r['temperature']:.0f} K ({r['temperature_from']})")
        pairs = [f"{name} {low:.2f}-{high:.2f}" for name, (low, high) in list(r["distances"].items())[:10]]
        lines.append(f"distances, Angstrom: {', '.join(pairs)}")
        return lines

    def _about(self) -> str:
        known = [f"{name} {self.record[name]}" for name in ("charge", "spin") if name in self.record]
        keys = f"energies from {self.record['energy_key']!r}, forces from {self.record['forces_key']!r}"
        units = f", units {self.record['units']}" if self.record.get("units") else ""
        more = f", {self.record['force_units']}" if self.record.get("force_units") else ""
        return f"; {keys}{units}{more}" + (f"; {', '.join(known)}" if known else "")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: ``ok``, ``findings`` and the record."""
        listed = [{**found._asdict(), "frames": list(found.frames)} for found in self.findings]
        return {"ok": self.ok, "findings": listed, **self.record}


def check(
    frames: Frames | Iterable[Any] | str | os.PathLike[str] | Sequence[str],
    *,
    cutoff: float = 5.0,
    trust_units: bool = False,
    **reading: Any,
) -> Check:
    """Find what is wrong with labelled frames.

    Parameters
    ----------
    frames : Frames, ase.Atoms (several), or names of files
    cutoff : float
        Of the fit, Angstrom.
    trust_units : bool
        Skip the checks of magnitudes, of the sign of forces, and of energies against forces.
    **reading
        How files or atoms are read, as in `nbody_ref.fit.read_frames`.

    Returns
    -------
    Check
        Its `ok` says whether nothing is wrong; `str` of it is one line for each finding.

    Raises
    ------
    DataError
        If the files cannot be read.

    Examples
    --------
    >>> from nbody_ref.fit import check, ethanol
    >>> check(ethanol()[:40]).ok
    True
    """
    frames = _frames(frames, reading)
    found, compared = list(frames.findings), consistency(frames, cutoff)
    sizes = [*constant_energies(frames), *([] if trust_units else implausible(frames))]
    found += sizes
    found += moving(frames)
    if not any(one.wrong and one.kind in ("units", "energies", "sign") for one in sizes):  # which would explain these
        found += _atoms(frames)
        found += [] if trust_units else _slope(frames, compared)
    found += _unrelated(frames, compared, cutoff)
    found += _outliers(frames, compared)
    groups, known = copies(frames), blocks(frames)
    found += [*_copies(frames, groups), *_independent(frames, known), *_rounded(frames)]
    first = [one for one in found if one.wrong]
    return Check((*first, *(one for one in found if not one.wrong)), inventory(frames, groups, known, compared))


def _frames(given: Any, reading: dict[str, Any]) -> Frames:
    if isinstance(given, Frames):
        return given
    if isinstance(given, str | os.PathLike):
        return load_frames(given, **reading)
    listed = list(given)
    if listed and all(isinstance(one, str | os.PathLike) for one in listed):
        return load_frames(listed, **reading)
    return frames_from_atoms(listed, trust_units=True, **reading)


def _atoms(frames: Frames) -> list[Finding]:
    """Energies of isolated atoms must be those of the same method: molecules are bound, by a few eV per atom."""
    try:
        baseline = Baseline.build(frames)
    except DataError as error:
        return [Finding("atoms", True, str(error))]
    labelled = frames[np.flatnonzero(frames.has_energy)]
    if baseline.kind != "isolated" or not len(labelled):
        return []
    charge = frames.origin.get("charge", 0.0)
    room = 15.0 * (max(abs(c) for c in charge) if isinstance(charge, list) else abs(float(charge)))
    bound = (labelled.energies - baseline.energy(labelled)) / labelled.n_atoms
    least = float(np.median(bound) if len(bound) < MANY else np.quantile(bound, 0.1))
    if BINDING[0] - room < least < BINDING[1] + room:
        return []
    listed = ", ".join(f"{symbols([z])[0]} {energy:.4g} eV" for z, energy in frames.atoms.items())
    text = (
        f"molecules lie {least:+.4g} eV per atom from the isolated atoms ({listed}), expected is -9 to +1: are the "
        f"atoms dummies, of another method, or one of the two in energies of atomisation?"
    )
    return [Finding("atoms", True, text, "say their energies (--e0 H:-13.6,...) or leave them out (--e0 none)")]


def _slope(frames: Frames, found: Consistency | None) -> list[Finding]:
    """The slope of labelled energies over those that follow from forces, and the units that it says."""
    if found is None or not found.n or abs(found.correlation) < TRUSTED or found.explained < 0.5:
        return []
    slope, ratio = found.slope, max(abs(found.slope), 1e-12)
    unsure = 1 + 4 * np.sqrt(max(1 - found.correlation**2, 0.0) / found.n)
    if slope > 0 and abs(np.log(ratio)) < np.log(max(RIGHT, unsure)):
        return []
    said = f"energies vary {slope:.3g} times as much as the forces say (slope over {found.n} frames, 1 is right)"
    advice, known = _units_of(frames, slope, max(RATIO, float(unsure)))
    if not known and slope > 0 and 1 / ABSURD < ratio < ABSURD:
        return [Finding("consistency", False, said, "do energies and forces come from the same method?")]
    return [Finding("consistency", True, said, advice)]


def _units_of(frames: Frames, slope: float, within: float) -> tuple[str, bool]:
    """What to pass for a slope, and whether it is a known ratio of units."""
    origin = frames.origin
    units = Units.parse(origin.get("units") or "eV,A", origin.get("force_units"))
    sign = "" if slope > 0 else "--forces-are-gradients"
    ratio = abs(slope)
    if 1 / RIGHT < ratio < RIGHT:
        return f"are they gradients, with the sign of forces flipped? If so, say it ({sign})", True
    text = origin.get("units") or "eV,A"
    distance = {f"--force-units {name}": ratio * units.force / value for name, value in force_units().items()}
    # or energies are in another unit than was said, and forces are right: their unit must then be said for itself
    kept = origin.get("force_units") or "/".join(part.strip() for part in text.split(","))
    length = text.split(",")[1].strip()
    for name in ("kcal/mol", "kJ/mol", "Ha", "meV", "eV", "Ry"):
        value = Units.parse(f"{name},A").energy
        distance[f"--units {name},{length} --force-units {kept}"] = ratio * value / units.energy
    n = float(frames.n_atoms.mean())
    if abs(np.log(ratio * n)) < np.log(within):
        return "are energies per atom? Multiply them by the number of atoms", True
    usual = ("Ha/bohr", "kcal/mol/A", "eV/A", "Ha/A", "kJ/mol/A", "kJ/mol/nm", "eV/bohr", "meV/A")
    rare = {option: 0.0 if option.split()[-1] in usual else 0.03 for option in distance}
    order = sorted(distance, key=lambda option: float(abs(np.log(distance[option])) + rare[option]))
    near = [option for option in order if abs(np.log(distance[option])) < np.log(within)][:3]
    if not near:
        return f"they are not in one unit, or not of one method{'; ' + sign if sign else ''}", False
    listed = " or ".join(f"{option} {sign}".strip() for option in near)
    return f"are they in different units? Pass what is true: {listed}", True


def _unrelated(frames: Frames, found: Consistency | None, cutoff: float) -> list[Finding]:
    """Labels that do not follow from what they should."""
    n = int(frames.has_forces.sum())
    if found is None:
        return []
    if found.explained < 0.05 and n >= MANY:
        text = (
            f"forces do not follow from the positions: of frames left out, nothing of them is predicted ({n} frames): "
            f"do they belong to other frames, or atoms in another order?"
        )
        return [Finding("forces", True, text, "if the data are right, and few, say --anyway")]
    mixed = _mixed(found)
    if mixed is not None:
        return [mixed]
    lost = abs(found.correlation) < FOLLOWS
    spread = np.std(frames.energies[frames.has_energy]) if frames.has_energy.any() else 0.0
    related = abs(found.correlation) * np.sqrt(found.n)  # about a standard normal variable if they are not
    sure = found.explained > (CERTAIN if found.n < MANY_MORE else LEARNED)
    near = all(float(dist.min()) < 0.8 * cutoff for dist in pair_distances(frames.frames))  # energies can be followed
    if near and found.n >= 12 and sure and spread > 0 and (related < 3 or (found.explained > CERTAIN and lost)):
        text = (
            f"energies do not follow from the forces (correlation {found.correlation:.2f} over {found.n} frames, "
            f"though {100 * found.explained:.0f} % of the forces are predicted): are they shuffled?"
        )
        return [Finding("shuffled", True, text, "fit the forces alone (--ignore energies)")]
    return []


def _mixed(found: Consistency) -> Finding | None:
    """Energies of several surfaces, or of another than the forces."""
    labelled, followed = found.spread
    apart = found.correlation < TRUSTED and labelled > max(MIXED * followed, 1.0)
    if found.n >= MANY and found.explained > 0.5 and apart:
        text = (
            f"energies vary by {labelled:.3g} eV, those that follow from the forces by {followed:.2g} eV "
            f"({found.n} frames): are states, methods or charges mixed?"
        )
        advice = "fit each of them by itself, or the forces alone (--ignore energies)"
        return Finding("mixed", True, text, advice)
    if found.n >= MANY_MORE and found.explained > 0.99 and found.noise > 0.2 and found.correlation < 0.85:
        text = (
            f"energies follow the forces but roughly ({found.noise:.2g} eV, correlation {found.correlation:.2f}), and "
            f"{100 * found.explained:.1f} % of the forces are predicted: are they of another state or method?"
        )
        return Finding("mixed", True, text, "fit the forces alone (--ignore energies)")
    return None


def _outliers(frames: Frames, found: Consistency | None) -> list[Finding]:
    """Frames whose labels stand apart from all others, by name."""
    out: list[Finding] = []
    if found is None:
        return out
    if found.n and found.noise > 0 and abs(found.correlation) >= FOLLOWS:
        away = np.nan_to_num(found.energies)
        unsure = WAY * np.nan_to_num(found.forces) * np.sqrt(3 * frames.n_atoms) * abs(found.slope)
        bad = np.flatnonzero(np.abs(away) > np.maximum(max(OUTLIER * found.noise, LEAST), unsure))
        if len(bad):
            worst = sorted(bad, key=lambda i: -abs(away[i]))[:6]
            listed = ", ".join(f"{away[i]:+.3g} eV in frame {frames.indices[i]}" for i in worst)
            text = (
                f"{_count(len(bad))} an energy that its forces do not explain: {listed} (others {found.noise:.2g} eV): "
                f"did the calculation converge, by the same method?"
            )
            out.append(_named("outlier", text, frames, bad))
    surprise = np.nan_to_num(found.surprise)
    bad = np.flatnonzero(surprise > SURPRISE)
    bad = bad[~_with_neighbours(frames, bad)]
    if len(bad) and len(bad) <= 0.2 * max(int(np.isfinite(found.surprise).sum()), 1) and found.explained > 0.5:
        listed = ", ".join(f"frame {frames.indices[i]} ({surprise[i]:.0f} times)" for i in bad[:6])
        text = f"{_count(len(bad))} forces that all others say are wrong: {listed}"
        out.append(_named("outlier", text, frames, bad))
    return out


def _with_neighbours(frames: Frames, bad: Array) -> Array:
    """Which of some frames of few atoms have one of the two next in space among them: a region, no mistake."""
    if not len(bad) or frames.n_atoms.max() > FEW_ATOMS or len(set(frames.n_atoms.tolist())) > 1:
        return np.zeros(len(bad), dtype=bool)
    x = np.array(pair_distances(frames.frames))
    dist = np.max(np.abs(x[bad][:, None] - x), axis=2)
    dist[np.arange(len(bad)), bad] = np.inf
    return np.asarray(np.isin(np.argsort(dist, axis=1)[:, :2], bad).any(axis=1))


def _count(n: int) -> str:
    return "1 frame has" if n == 1 else f"{n} frames have"


def _named(kind: str, text: str, frames: Frames, bad: Array) -> Finding:
    indices = tuple(int(frames.indices[i]) for i in bad)
    return Finding(kind, True, text, f"remove or recompute frame {some(indices)}", indices)


def _copies(frames: Frames, groups: Array) -> list[Finding]:
    """Copies, and copies whose energies differ: one geometry has one energy."""
    extra = np.flatnonzero(groups != np.arange(len(frames)))
    if not len(extra):
        return []
    indices = tuple(frames.indices[i] for i in extra)
    spread = spread_of_copies(frames, groups)
    if spread > COPY_SPREAD:
        text = f"copies of one geometry have energies that differ by {spread:.3g} eV (frames {some(indices)})"
        return [Finding("copies", True, text, "are methods, charges or states mixed?", indices)]
    return [Finding("copies", False, f"{len(extra)} frames are copies of others (frames {some(indices)})", "", indices)]


def _independent(frames: Frames, known: Any) -> list[Finding]:
    if known.count == len(frames):
        return []
    if known.count == 1:
        text = f"all {len(frames)} frames are one independent frame: they follow each other closely"
        return [Finding("independent", False, text, "errors are lower bounds of those on other geometries")]
    text = f"{len(frames)} frames hold {known.count} independent ones: frames near in the file are near in space"
    return [Finding("independent", False, text, "they are left out together")]


def _rounded(frames: Frames) -> list[Finding]:
    """Energies that were stored in single precision have lost what molecules differ by."""
    energies = frames.energies[frames.has_energy]
    if len(energies) < 5 or not np.any(energies) or np.any(energies.astype(np.float32) != energies):
        return []
    step = float(np.spacing(np.abs(energies).max().astype(np.float32)))
    if step < 1e-4:
        return []
    text = f"energies are rounded to {1e3 * step:.2g} meV: were they stored in single precision?"
    return [Finding("rounded", False, text)]


def refuse(result: Check) -> None:
    """Raise what is wrong.

    Raises
    ------
    WrongDataError
        If anything is.
    """
    if result.wrong:
        raise WrongDataError(result)
