"""Reading labelled geometries: any file that ASE reads, with checks of keys, numbers and units."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.frames import Frame, Frames, check_geometry
from nbody_ref.fit.units import check_plausible

__all__ = ["ethanol", "frames_from_atoms", "read_frames", "unit_factors"]

Array = np.ndarray[Any, Any]

ENERGY_KEYS = ("REF_energy", "energy")
FORCES_KEYS = ("REF_forces", "forces")
ETHANOL = Path(__file__).with_name("data") / "ethanol.xyz"


def ethanol() -> Frames:
    """The data that the package ships: ethanol at 500 K, MP2/6-31G* energies and forces, and the free atoms.

    `validation/make_ethanol.py` in the source made it.
    """
    return read_frames(ETHANOL)


def unit_factors(units: str) -> tuple[float, float]:
    """Factors that turn energies and lengths given in `units` into eV and Angstrom.

    Parameters
    ----------
    units : str
        Energy and length, such as ``eV,A``, ``kcal/mol,A`` or ``Ha,bohr``.

    Raises
    ------
    DataError
        If `units` is none that is known.
    """
    from ase import units as u

    energy = {"ev": 1.0, "mev": 1e-3, "kcal/mol": u.kcal / u.mol, "kj/mol": u.kJ / u.mol, "ha": u.Hartree, "ry": u.Ry}
    length = {"a": 1.0, "ang": 1.0, "angstrom": 1.0, "bohr": u.Bohr, "nm": 10.0}
    parts = [part.strip().lower().replace("hartree", "ha") for part in units.split(",")]
    if len(parts) != 2 or parts[0] not in energy or parts[1] not in length:
        raise DataError(
            f"units must be an energy (eV, meV, kcal/mol, kJ/mol, Ha, Ry) and a length (A, bohr, nm) with a comma "
            f"between them, such as 'kcal/mol,A', got {units!r}"
        )
    return energy[parts[0]], length[parts[1]]


def read_frames(
    path: str | os.PathLike[str],
    *,
    units: str = "eV,A",
    energy_key: str | None = None,
    forces_key: str | None = None,
    trust_units: bool = False,
) -> Frames:
    """Read labelled geometries from an extxyz file, or any other that ASE reads.

    Parameters
    ----------
    path : path
    units : str
        Units of the file, energy and length, such as ``kcal/mol,A``; everything is converted to eV and Angstrom.
    energy_key, forces_key : str, optional
        Names of the labels. By default ``REF_energy`` and ``REF_forces`` if they are there, else ``energy`` and
        ``forces``.
    trust_units : bool
        Skip the check that magnitudes are those of eV and Angstrom.

    Returns
    -------
    Frames
        Frames of a single atom become its `atoms` (energies of isolated atoms); `origin` says what was read.

    Raises
    ------
    DataError
        If the file cannot be read, is empty or ends within a number, labels are missing (the message names those that
        are there), a number is NaN or infinite, two atoms are nearer than 0.3 Angstrom, a cell is periodic, or
        magnitudes are not those of the units.
    """
    try:
        content = Path(path).read_bytes()
        images = _images(path, content) if content.strip() else []
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # whatever one of ASE's many readers raises
        raise DataError(f"cannot read {path} as a file of geometries: {type(error).__name__}: {error}") from error
    if Path(path).suffix.lower() in (".xyz", ".extxyz"):
        _refuse_half_a_number(path, content)
    if not images:
        raise DataError(f"{path} is empty: it holds no geometry")
    origin = {"file": Path(path).name, "sha256": hashlib.sha256(content).hexdigest()}
    keys = (energy_key, forces_key)
    return frames_from_atoms(images, units=units, keys=keys, trust_units=trust_units, origin=origin)


def _images(path: str | os.PathLike[str], content: bytes) -> list[Any]:
    """Geometries of a file that has been read; only formats that ASE reads by name alone are opened again."""
    import ase.io
    from ase.io.formats import filetype, get_ioformat, ioformats

    name = Path(path).name
    known = next((one.name for one in ioformats.values() if one.match_name(name)), None)
    if known is None:
        named = io.BytesIO(content)
        named.name = name
        known = filetype(named)
    how = get_ioformat(known)
    if not how.acceptsfd:
        return list(ase.io.read(Path(path), index=":"))
    text: Any = io.BytesIO(content) if how.isbinary else io.StringIO(content.decode(how.encoding or "utf-8"))
    return list(ase.io.read(text, index=":", format=known))


def _refuse_half_a_number(path: str | os.PathLike[str], content: bytes) -> None:
    """Refuse a text that ends without a line end, in a number with fewer decimals than all of those above it.

    A file cut within its last number is a valid file of another number. It shows where a column is written with a
    fixed number of decimals, as ASE and most programs do; where decimals vary nothing is concluded.
    """
    lines = content[-100_000:].split(b"\n")
    if not lines[-1].strip():
        return
    last, above = lines[-1].split(), []
    for line in reversed(lines[1:-1]):
        if len(line.split()) != len(last):
            break
        above.append(len(line.split()[-1].partition(b".")[2]))
    decimals = len(last[-1].partition(b".")[2])
    if len(above) > 1 and len(set(above)) == 1 and decimals < above[0]:
        raise DataError(
            f"{path} ends within a number: the last one, {last[-1].decode(errors='replace')}, has {decimals} decimals "
            f"instead of {above[0]}, and no line end follows. Was the file cut?"
        )


def frames_from_atoms(
    images: Iterable[Any],
    *,
    units: str = "eV,A",
    keys: tuple[str | None, str | None] = (None, None),
    trust_units: bool = False,
    origin: dict[str, Any] | None = None,
) -> Frames:
    """Turn ASE atoms with labels into `Frames`; see `read_frames` for the parameters and errors."""
    energy_factor, length_factor = unit_factors(units)
    images = _list_of_atoms(images)
    molecules = [i for i, atoms in enumerate(images) if len(atoms) > 1]
    if not molecules:
        raise DataError(f"no geometry of two or more atoms among {len(images)} frames")
    first = images[molecules[0]]
    energy_key = _choose("energy", keys[0], ENERGY_KEYS, _energy_labels(first), molecules[0])
    forces_key = _choose("forces", keys[1], FORCES_KEYS, _forces_labels(first), molecules[0])
    frames, isolated, indices = [], {}, []
    for index, atoms in enumerate(images):
        where = f"frame {index}"
        if np.any(atoms.pbc):
            raise DataError(f"{where} has a periodic cell (pbc {atoms.pbc.tolist()}); only molecules are supported")
        energy = _energy(atoms, energy_key, index) * energy_factor
        numbers, positions = np.array(atoms.numbers, dtype=np.int64), np.array(atoms.positions) * length_factor
        check_geometry(where, numbers, positions)
        if len(atoms) == 1:
            isolated[int(numbers[0])] = energy
        elif len(atoms):
            forces = _forces(atoms, forces_key, index) * (energy_factor / length_factor)
            frames.append(Frame(numbers, positions, energy, forces))
            indices.append(index)
    record = {**(origin or {}), "energy_key": energy_key, "forces_key": forces_key, "units": units}
    result = Frames(tuple(frames), isolated, record, tuple(indices))
    if not trust_units:
        check_plausible(result)
    return result


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


def _results(atoms: Any) -> dict[str, Any]:
    return dict(getattr(atoms.calc, "results", None) or {})


def _energy_labels(atoms: Any) -> dict[str, Any]:
    """Single values of a frame by name; what stands in the file beats what a calculator holds."""
    labels = {**_results(atoms), **atoms.info}
    return {key: value for key, value in labels.items() if np.ndim(value) == 0}


def _forces_labels(atoms: Any) -> dict[str, Any]:
    """Vectors for each atom of a frame by name."""
    labels = {**_results(atoms), **{k: v for k, v in atoms.arrays.items() if k not in ("positions", "numbers")}}
    return {key: value for key, value in labels.items() if np.shape(value) == (len(atoms), 3)}


def _choose(what: str, wanted: str | None, known: Sequence[str], there: dict[str, Any], index: int) -> str:
    for key in known if wanted is None else [wanted]:
        if key in there:
            return key
    names = ", ".join(repr(key) for key in sorted(there)) or "none"
    sought = " or ".join(repr(key) for key in (known if wanted is None else [wanted]))
    kind = "values per frame" if what == "energy" else "vectors per atom"
    raise DataError(
        f"frame {index} has no {what} named {sought}; {kind} that are there: {names}. "
        f"Name the right one by {what}_key (--{what}-key)"
    )


def _energy(atoms: Any, key: str, index: int) -> float:
    labels = _energy_labels(atoms)
    if len(atoms) == 1 and key not in labels:
        key = next((k for k in ENERGY_KEYS if k in labels), key)
    if key not in labels:
        raise DataError(f"frame {index} has no {key!r}, which the frames before it have")
    try:
        value = float(labels[key])
    except (TypeError, ValueError):
        raise DataError(f"frame {index}: {key!r} must be a number, got {labels[key]!r}") from None
    if not np.isfinite(value):
        raise DataError(f"frame {index}: {key!r} is {value}")
    return value


def _forces(atoms: Any, key: str, index: int) -> Array:
    labels = _forces_labels(atoms)
    if key not in labels:
        raise DataError(f"frame {index} has no {key!r}, which the frames before it have")
    try:
        forces = np.array(labels[key], dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"frame {index}: {key!r} must be numbers") from None
    finite = np.isfinite(forces).all(axis=1)
    if not finite.all():
        raise DataError(f"frame {index}, atom {int(np.argmin(finite))}: {key!r} is NaN or infinite")
    return forces
