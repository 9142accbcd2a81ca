"""Reading labelled geometries: files of many formats, with checks of keys, numbers and units."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.checks import check_flag, check_list, check_word
from nbody_ref.errors import ArgumentError, DataError
from nbody_ref.fit.boxes import as_molecule
from nbody_ref.fit.conversion import Units, unit_factors
from nbody_ref.fit.formats import Source, paths_of, read_source
from nbody_ref.fit.frames import Finding, Frame, Frames, check_geometry, symbols
from nbody_ref.fit.labels import (
    Keys,
    charges,
    choose_keys,
    energy_of,
    forces_of,
    ignored,
    other_names,
    rename,
    some,
    weights_of,
)
from nbody_ref.fit.units import check_plausible, usual_units

__all__ = ["Reading", "atom_energies", "ethanol", "frames_from_atoms", "load_frames", "read_frames", "unit_factors"]

Array = np.ndarray[Any, Any]
PathLike = str | os.PathLike[str]

ETHANOL = Path(__file__).with_name("data") / "ethanol.xyz"
SAME_ATOM = 1e-3  # eV: energies of one isolated atom that differ by less are one
UNSAID = ("free_energy",)  # of ASE's own making


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Parameters
    ----------
    units : str, optional
        Energy and length of the file, such as ``kcal/mol,A``. None: what the file says of itself, else ``eV,A``.
    force_units : str, optional
        Energy over length, such as ``Ha/bohr``; None: the units above.
    energy_key, forces_key : str, optional
        Names of the labels. None: ``REF_energy`` and ``REF_forces``, else ``energy`` and ``forces``, else the only ones
        whose names end so.
    gradients : bool
        Forces are given as gradients, with the other sign.
    ignore : tuple of str
        Labels that are not to be read: "energies", "forces".
    e0 : mapping of int or str to float, str, optional
        Energies of isolated atoms in eV, by atomic number or symbol, or as text (``H:-13.6,C:-1027``); "none": those of
        the file are not used.
    molecule : bool
        A periodic cell holds one molecule in a vacuum: it is unwrapped, and its images are checked to be far.
    vacuum : float
        How far the images must be, Angstrom.
    """

    units: str | None = None
    force_units: str | None = None
    energy_key: str | None = None
    forces_key: str | None = None
    gradients: bool = False
    ignore: tuple[str, ...] = ()
    e0: Mapping[Any, float] | str | None = None
    molecule: bool = False
    vacuum: float = 5.0

    def __post_init__(self) -> None:
        for name in ("gradients", "molecule"):
            check_flag("read_frames", name, getattr(self, name))
        for word in check_list("read_frames", "ignore", self.ignore, "words"):
            check_word("read_frames", "ignore", word, ("energies", "forces"))


def ethanol() -> Frames:
    """The data that the package ships: ethanol at 500 K, MP2/6-31G* energies and forces, and the free atoms.

    `validation/make_ethanol.py` in the source made it.

    Examples
    --------
    >>> from nbody_ref.fit import ethanol
    >>> ethanol()[0].numbers.tolist()
    [6, 6, 8, 1, 1, 1, 1, 1, 1]
    """
    return read_frames(ETHANOL)


def read_frames(path: PathLike | Sequence[PathLike], *, trust_units: bool = False, **how: Any) -> Frames:
    """Read labelled geometries from one file or several.

    Parameters
    ----------
    path : path, or several
        Anything that ASE reads (extxyz, trajectories, databases, outputs), npz of sGDML and rMD17, folders of DeePMD,
        outputs that cclib reads if it is installed; patterns such as ``runs/*.out``.
    trust_units : bool
        Skip the check that magnitudes are those of the units.
    **how
        Fields of `Reading`: units, force_units, energy_key, forces_key, gradients, ignore, e0, molecule, ...

    Returns
    -------
    Frames
        In eV and Angstrom. Frames of a single atom become its `atoms` (energies of isolated atoms); `origin` says what
        was read, `findings` what was found on the way. Energies or forces that a frame lacks are NaN.

    Raises
    ------
    ArgumentError
        If an option is unknown or out of range.
    DataError
        If a file cannot be read, is empty or ends within a number, labels are missing (the message names those that
        are there), a number is NaN or infinite, two atoms are nearer than 0.3 Angstrom, a cell is periodic, charges are
        mixed, isolated atoms of one element disagree, or magnitudes are not those of the units.

    Examples
    --------
    >>> from nbody_ref.fit.reading import ETHANOL, read_frames
    >>> len(read_frames(ETHANOL))
    300
    """
    frames = load_frames(path, **how)
    return frames if trust_units else _sound(frames)


def load_frames(path: PathLike | Sequence[PathLike], **how: Any) -> Frames:
    """`read_frames` without its checks of what was read, which `nbody_ref.fit.check` makes and reports as a whole."""
    sources = [read_source(one) for one in paths_of(path)]
    said = {source.units for source in sources}
    if len(said) > 1 and how.get("units") is None:
        raise DataError(f"the files say different units: {', '.join(str(s.units) + ' in ' + s.name for s in sources)}")
    reading = _reading(how)
    _name_alike(sources, reading)
    images = [atoms for source in sources for atoms in source.images]
    return _frames(images, reading, _origin(sources), said.pop())


def _name_alike(sources: Sequence[Source], how: Reading) -> None:
    """Give labels that other files call otherwise the names that they have in the first."""
    first: Keys | None = None
    for source in sources:
        molecules = [(i, atoms) for i, atoms in enumerate(source.images) if len(atoms) > 1]
        if len(sources) < 2 or not molecules or how.energy_key or how.forces_key:
            continue
        keys = choose_keys(molecules, (None, None), how.gradients, how.ignore)
        first = first or keys
        for old, new in ((keys.energy, first.energy), (keys.forces, first.forces)):
            if old and new and old != new:
                for _, atoms in molecules:
                    rename(atoms, old, new)


def frames_from_atoms(
    images: Iterable[Any],
    *,
    units: str | None = None,
    keys: tuple[str | None, str | None] = (None, None),
    trust_units: bool = False,
    origin: dict[str, Any] | None = None,
    **how: Any,
) -> Frames:
    """Turn ASE atoms with labels into `Frames`; see `read_frames` for the parameters and errors.

    Examples
    --------
    >>> from nbody_ref.fit import frames_from_atoms
    >>> from nbody_ref.fit.reading import ETHANOL
    >>> from ase.io import read
    >>> images = read(ETHANOL, "3:8")
    >>> len(frames_from_atoms(images))
    5
    """
    reading = _reading({"units": units, "energy_key": keys[0], "forces_key": keys[1], **how})
    frames = _frames(_list_of_atoms(images), reading, origin or {}, None)
    return frames if trust_units else _sound(frames)


def _reading(how: dict[str, Any]) -> Reading:
    try:
        return Reading(**how)
    except TypeError:
        known = ", ".join(Reading.__dataclass_fields__)
        wrong = ", ".join(repr(name) for name in how if name not in Reading.__dataclass_fields__)
        raise ArgumentError(f"read_frames: there is no option {wrong}; there are {known}, trust_units") from None


def _sound(frames: Frames) -> Frames:
    """The frames, unless what was found while they were read is wrong or magnitudes are."""
    wrong = next((found for found in frames.findings if found.wrong), None)
    if wrong is not None:
        raise DataError(str(wrong))
    check_plausible(frames)
    return frames


def _origin(sources: Sequence[Source]) -> dict[str, Any]:
    """Names and digests of the files; of several files one digest of theirs."""
    if len(sources) == 1:
        return {"file": sources[0].name, "sha256": sources[0].sha256}
    digest = hashlib.sha256("".join(source.sha256 for source in sources).encode()).hexdigest()
    counts = {source.name: len(source.images) for source in sources}
    return {"file": f"{sources[0].name} and {len(sources) - 1} more", "sha256": digest, "files": counts}


def _frames(images: list[Any], how: Reading, origin: dict[str, Any], said: str | None) -> Frames:
    """Molecules and isolated atoms in eV and Angstrom, with what was found on the way."""
    molecules = [(i, atoms) for i, atoms in enumerate(images) if len(atoms) > 1]
    if not molecules:
        raise DataError(f"no geometry of two or more atoms among {len(images)} frames")
    keys = choose_keys(molecules, (how.energy_key, how.forces_key), how.gradients, how.ignore)
    text = how.units or said or usual_units(molecules, keys.energy, origin)
    units = Units.parse(text, how.force_units)
    record, findings = charges(molecules)
    findings += (*keys.findings, *other_names(molecules, keys, (how.energy_key, how.forces_key)))
    frames, indices = [], []
    isolated: dict[int, list[tuple[int, float]]] = {}
    for index, atoms in enumerate(images):
        numbers = np.array(atoms.numbers, dtype=np.int64)
        positions = np.array(atoms.positions) * units.length
        if np.any(atoms.pbc):
            positions, found = as_molecule(atoms, index, units.length, how.molecule, how.vacuum)
            findings += found
        check_geometry(f"frame {index}", numbers, positions)
        energy = units.energy * energy_of(atoms, keys.energy, index)
        if len(atoms) == 1:
            isolated.setdefault(int(numbers[0]), []).append((index, energy))
        elif len(atoms):
            forces = keys.sign * units.force * forces_of(atoms, keys.forces, index)
            frames.append(Frame(numbers, positions, energy, forces, *weights_of(atoms, index)))
            indices.append(index)
    findings = _together(findings)
    given, found = _isolated(isolated, how, keys.energy is not None)
    record = {**origin, "energy_key": keys.energy, "forces_key": keys.forces, "units": text, **record}
    record |= {"force_units": how.force_units} if how.force_units else {}
    record |= {"gradients": True} if how.gradients else {}
    made = Frames(tuple(frames), given, record, tuple(indices), (*findings, *found, *_unread(molecules, keys)))
    return _labelled(made)


def _together(findings: list[Finding]) -> list[Finding]:
    """One finding about boxes instead of one for each frame."""
    boxes = [found for found in findings if found.kind == "box"]
    if len(boxes) < 2:
        return findings
    frames = tuple(i for found in boxes for i in found.frames)
    text = f"{boxes[0].text}; so it is in {len(boxes)} frames ({some(frames)})"
    return [*(found for found in findings if found.kind != "box"), boxes[0]._replace(text=text, frames=frames)]


def _labelled(frames: Frames) -> Frames:
    """Frames that have an energy or forces, and what is missing, said."""
    e, f = frames.has_energy, frames.has_forces
    found = []
    for what, has in (("energy", e), ("forces", f)):
        lacking = [frames.indices[i] for i in np.flatnonzero(~has)]
        key = frames.origin[f"{'energy' if what == 'energy' else 'forces'}_key"]
        if lacking and key is not None:
            text = f"{len(lacking)} of {len(frames)} frames have no {what} ({key!r}): frames {some(lacking)}"
            found.append(Finding("partial", False, text, "they are used for what they have", tuple(lacking)))
        elif lacking:
            have = "forces" if what == "energy" else "energies"
            text = f"no frame has {'an energy' if what == 'energy' else 'forces'}: only {have} are fitted"
            found.append(Finding("partial", False, text))
    useless = ~e & ~f
    if useless.all():
        raise DataError(f"frame {frames.indices[0]} has neither energy nor forces, nor has any other")
    kept: Frames = frames[np.flatnonzero(~useless)]
    if useless.any():
        text = f"{useless.sum()} frames have neither energy nor forces and are left out"
        found.append(Finding("partial", False, text, "", tuple(frames.indices[i] for i in np.flatnonzero(useless))))
    return replace(kept, findings=(*frames.findings, *found))


def _unread(molecules: Sequence[Any], keys: Any) -> list[Finding]:
    """One finding that names what a file holds and a fit does not use."""
    names = {name: n for name, n in ignored(molecules, keys).items() if name not in UNSAID}
    if not names:
        return []
    return [Finding("ignored", False, f"not read: {', '.join(sorted(names))}")]


def atom_energies(given: Mapping[Any, float] | str) -> dict[int, float]:
    """Energies of isolated atoms by atomic number, from a mapping or a text such as ``H:-13.6,C:-1027``.

    Raises
    ------
    ArgumentError
        If an element is unknown, or an energy is no finite number.
    """
    from ase.data import atomic_numbers

    pairs = [part.partition(":")[::2] for part in given.split(",")] if isinstance(given, str) else list(given.items())
    found = {}
    for name, value in pairs:
        try:
            z = atomic_numbers[name.strip()] if isinstance(name, str) and not name.strip().isdigit() else int(name)
            found[z] = float(value)
            good = np.isfinite(found[z]) and 0 < z < 119
        except (KeyError, TypeError, ValueError):
            good = False
        if not good:
            came = f"{name}:{value}"
            raise ArgumentError(f"read_frames: 'e0' must be elements with energies in eV, H:-13.6,..., got {came}")
    return found


def _isolated(
    read: dict[int, list[tuple[int, float]]], how: Reading, needed: bool
) -> tuple[dict[int, float], list[Finding]]:
    """Energies of isolated atoms, and whether the frames of one element disagree."""
    if how.e0 is not None:
        said = {} if how.e0 == "none" else atom_energies(how.e0)
        text = f"isolated atoms of the file are not used ({', '.join(symbols(sorted(read)))})"
        return said, [Finding("atoms", False, text)] if read else []
    energies, found = {}, []
    for z, frames in read.items():
        known = [(i, e) for i, e in frames if not np.isnan(e)]
        name = symbols([z])[0]
        if not known:
            text = f"the isolated atom {name} (frame {frames[0][0]}) has no energy and is left out"
            found += [Finding("atoms", False, text, "", (frames[0][0],))] if needed else []
            continue
        energies[z] = known[-1][1]
        if np.ptp([e for _, e in known]) > SAME_ATOM:
            listed = ", ".join(f"{e:.4f} eV in frame {i}" for i, e in known[:6])
            text = f"isolated atoms of {name} disagree: {listed}"
            advice = "keep one of each, or say their energies (--e0 H:-13.6,...)"
            found.append(Finding("atoms", True, text, advice, tuple(i for i, _ in known)))
    return energies, found


def _list_of_atoms(images: Any) -> list[Any]:
    """The images as a list; what is no collection of ASE atoms is refused with the way to make one."""
    from ase import Atoms

    wanted = "frames must be Frames or a list of ase.Atoms"
    if isinstance(images, str | os.PathLike):
        raise DataError(f"{wanted}, got the name {os.fspath(images)!r}: read the file by nbody_ref.fit.read_frames")
    if isinstance(images, Atoms):
        raise DataError(f"{wanted}, got one ase.Atoms: put it into a list")
    try:
        listed = list(images)
    except TypeError:
        raise DataError(f"{wanted}, got {type(images).__name__}") from None
    for i, atoms in enumerate(listed):
        if not isinstance(atoms, Atoms):
            raise DataError(f"{wanted}, got {type(atoms).__name__} at position {i}")
    return listed
