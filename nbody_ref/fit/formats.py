"""Files of labelled geometries as ASE atoms: what ASE reads, npz of sGDML and rMD17, DeePMD folders, other outputs.

A file may say its units; then they need not be said again. Labels end up where ASE keeps values of its own
(``atoms.info``, ``atoms.arrays``, the results of a calculator), under the names that the file has for them.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.outputs import read_output

__all__ = ["Source", "paths_of", "read_source"]

Array = np.ndarray[Any, Any]
Path_ = str | os.PathLike[str]

UNPACK = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
NPZ = {
    "positions": ("R", "coords", "positions", "coordinates", "pos", "r"),
    "numbers": ("z", "nuclear_charges", "numbers", "atomic_numbers", "Z", "charges"),
    "energy": ("E", "energies", "energy", "e"),
    "forces": ("F", "forces", "force", "f"),
}
TEXTS = (".xyz", ".extxyz")


class Source(NamedTuple):
    """What is in a file.

    Parameters
    ----------
    images : list of ase.Atoms
    name : str
    sha256 : str
        Of the content; of all files of a folder.
    units : str or None
        Energy and length, if the file says them.
    """

    images: list[Any]
    name: str
    sha256: str
    units: str | None = None


def paths_of(path: Path_ | Sequence[Path_]) -> list[Path]:
    """One file, several, or patterns with ``*``, ``?`` or ``[]`` where no file has that very name.

    Raises
    ------
    DataError
        If a pattern fits no file, or nothing is given.
    """
    import glob

    given = [path] if isinstance(path, str | os.PathLike) else list(path)
    found: list[Path] = []
    for one in given:
        name = os.fspath(one)
        if not Path(name).exists() and glob.has_magic(name):
            matched = sorted(glob.glob(name, recursive=True))
            if not matched:
                raise DataError(f"cannot read {name}: no file fits this pattern")
            found += [Path(match) for match in matched]
        else:
            found.append(Path(name))
    if not found:
        raise DataError("no file to read was named")
    return found


def read_source(path: Path) -> Source:
    """Geometries of one file or DeePMD folder, which is read once.

    Raises
    ------
    DataError
        If it cannot be read, or holds no geometry.
    """
    try:
        if path.is_dir():
            return _deepmd(path)
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        name = path.name
        if path.suffix.lower() in UNPACK:
            content, name = UNPACK[path.suffix.lower()](content), path.stem
        if not content.strip():
            raise DataError(f"{path} is empty: it holds no geometry")
        if name.lower().endswith(".npz"):
            images, units = _npz(content)
        else:
            images, units = _by_ase(path, name, content)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except DataError:
        raise
    except Exception as error:  # whatever one of many readers raises
        raise DataError(f"cannot read {path} as a file of geometries: {type(error).__name__}: {error}") from error
    if Path(name).suffix.lower() in TEXTS:
        _refuse_half_a_number(path, content)
    if not images:
        raise DataError(f"cannot read {path}: no geometry was found in it")
    return Source(images, path.name, digest, units)


def _by_ase(path: Path, name: str, content: bytes) -> tuple[list[Any], str | None]:
    """By ASE, or as an output where ASE does not know the file or finds no labels in it."""
    import ase.io
    from ase.io.formats import filetype, get_ioformat, ioformats

    suffix, named = Path(name).suffix.lower(), io.BytesIO(content)
    named.name = name
    known = next((one.name for one in ioformats.values() if one.match_name(name)), None)
    try:
        known = known or filetype(named)
        if known in ("db", "json"):
            return _database(path)
        how = get_ioformat(known)
        if not how.acceptsfd:
            images = list(ase.io.read(path, index=":", format=how.name))
        elif suffix in TEXTS:
            images = _texts(content)
        else:
            text: Any = io.BytesIO(content) if how.isbinary else io.StringIO(content.decode(how.encoding or "utf-8"))
            images = list(ase.io.read(text, index=":", format=how.name))
    except Exception:
        found = None if suffix in TEXTS else read_output(content)
        if found is None:
            raise
        return found, None
    if suffix not in TEXTS and not any(atoms.calc for atoms in images):
        images = read_output(content) or images
    return images, None


def _texts(content: bytes) -> list[Any]:
    """Frames of an (ext)xyz text; an error says in which frame and line."""
    import ase.io

    text = content.decode("utf-8")
    try:
        return list(ase.io.read(io.StringIO(text), index=":", format="extxyz"))
    except Exception as error:
        where = _broken_frame(text.splitlines())
        raise (
            type(error)(f"{error}{where}")
            if isinstance(error, ValueError)
            else DataError(f"{type(error).__name__}: {error}{where}")
        ) from error


def _broken_frame(lines: list[str]) -> str:
    """Where an xyz text stops being one: in the first frame that cannot be read by itself."""
    import ase.io

    start, frame = 0, 0
    while start < len(lines) and lines[start].strip():
        try:
            end = start + 2 + int(lines[start])
            ase.io.read(io.StringIO("\n".join(lines[start:end]) + "\n"), format="extxyz")
        except Exception:
            return f" (in frame {frame}, which begins in line {start + 1})"
        start, frame = end, frame + 1
    return ""


def _database(path: Path) -> tuple[list[Any], str | None]:
    """An ASE database; labels may stand in ``row.data``, as SchNetPack writes them, units in its metadata."""
    from ase.db import connect

    images = []
    with connect(str(path)) as database:  # type: ignore[no-untyped-call]
        for row in database.select():
            atoms = row.toatoms()
            for name, value in {**row.key_value_pairs, **(row.data or {})}.items():
                _place(atoms, name, value)
            images.append(atoms)
        said = database.metadata or {}
    energy = (said.get("_property_unit_dict") or {}).get("energy")
    length = said.get("_distance_unit")
    return images, f"{energy},{length}" if energy and length else None


def _place(atoms: Any, name: str, value: Any) -> None:
    """A value of a frame by its shape: of the frame, of its atoms, or neither."""
    array = np.asarray(value)
    if array.dtype.kind in "fiu" and array.size == 1:
        atoms.info[name] = array.ravel()[0].item()
    elif array.shape == (len(atoms), 3) and array.dtype.kind in "fiu":
        atoms.arrays[name] = array.astype(np.float64)
    elif array.dtype.kind in "USfiub":
        atoms.info.setdefault(name, value)


def _npz(content: bytes) -> tuple[list[Any], str | None]:
    """Arrays of NumPy: sGDML (R, z, E, F, r_unit, e_unit), rMD17 (coords, nuclear_charges, ...), and alike."""
    from ase import Atoms

    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        arrays = {}
        for name in found.files:
            try:
                arrays[name] = found[name]
            except ValueError:  # an object, which is pickled: never loaded
                continue
    chosen = {what: next((n for n in names if n in arrays), None) for what, names in NPZ.items()}
    lacking = [f"{what} ({', '.join(NPZ[what])})" for what in ("positions", "numbers") if chosen[what] is None]
    if lacking:
        raise DataError(f"it holds no {' and no '.join(lacking)}; arrays that are there: {', '.join(sorted(arrays))}")
    positions = np.asarray(arrays[str(chosen["positions"])], dtype=np.float64)
    numbers = np.asarray(arrays[str(chosen["numbers"])]).astype(int)
    if positions.ndim == 2:
        positions = positions[None]
    numbers = np.broadcast_to(numbers, positions.shape[:2]) if numbers.ndim == 1 else numbers
    if positions.ndim != 3 or positions.shape[2] != 3 or numbers.shape != positions.shape[:2]:
        raise DataError(f"positions must be (frames, atoms, 3), numbers (atoms,): {positions.shape}, {numbers.shape}")
    others = {n: a for n, a in arrays.items() if n not in (chosen["positions"], chosen["numbers"])}
    images = []
    for i, (r, z) in enumerate(zip(positions, numbers, strict=True)):
        atoms = Atoms(z[z > 0], r[z > 0])
        for name, array in others.items():
            if array.ndim and len(array) == len(positions) and array.dtype.kind in "fiu":
                one = array[i][z > 0] if array[i].shape == (len(z), 3) else array[i]
                _place(atoms, _usual(name, chosen), one)
        images.append(atoms)
    return images, _npz_units(arrays)


def _usual(name: str, chosen: dict[str, str | None]) -> str:
    return next((what for what in ("energy", "forces") if chosen[what] == name), name)


def _npz_units(arrays: dict[str, Array]) -> str | None:
    """Units that a file says by ``e_unit`` and ``r_unit``."""
    said = [str(np.asarray(arrays[name])[()]) for name in ("e_unit", "r_unit") if name in arrays]
    return ",".join(text.removeprefix("b'").removesuffix("'") for text in said) if len(said) == 2 else None


def _deepmd(path: Path) -> Source:
    """A folder of DeePMD: type.raw, type_map.raw, set.*/coord.npy, energy.npy, force.npy and box.npy."""
    from ase import Atoms

    types = sorted(path.rglob("type.raw"))
    if not types:
        raise DataError(f"cannot read the folder {path}: it holds no type.raw, as a folder of DeePMD would")
    images, digest = [], hashlib.sha256()
    for file in types:
        system = file.parent
        if not (system / "type_map.raw").exists():
            raise DataError(f"{system} has no type_map.raw: which elements are its types?")
        names = (system / "type_map.raw").read_text().split()
        elements = [names[int(k)] for k in file.read_text().split()]
        for part in sorted(system.glob("set*")):
            arrays = {f.stem: np.load(f, allow_pickle=False) for f in sorted(part.glob("*.npy"))}
            for f in sorted(part.glob("*.npy")):
                digest.update(f.read_bytes())
            for i, r in enumerate(arrays["coord"]):
                atoms = Atoms(elements, r.reshape(-1, 3))
                if "box" in arrays and not (system / "nopbc").exists():
                    atoms.cell = arrays["box"][i].reshape(3, 3)
                    atoms.pbc = True
                if "energy" in arrays:
                    atoms.info["energy"] = float(np.ravel(arrays["energy"])[i])
                if "force" in arrays:
                    atoms.arrays["forces"] = arrays["force"][i].reshape(-1, 3)
                images.append(atoms)
    return Source(images, path.name, digest.hexdigest(), "eV,A")


def _refuse_half_a_number(path: Path, content: bytes) -> None:
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
