"""Cormorant from a file of arrays of the original program.

A file ``.npz`` holds ``meta``, a JSON text of sizes; ``parameter/NAME``, the parameters as the original
program names and shapes them; and, if it likes, ``molecule/I/numbers``, ``positions`` (Angstrom) and ``energy``, what
that program computed with them.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from nbody_ref.errors import FileError, NBodyRefError
from nbody_ref.files import strict_json
from nbody_ref.models.cormorant import Cormorant
from nbody_ref.models.cormorant_arrays import from_original
from nbody_ref.models.imported import save_imported

__all__ = ["ConvertedCormorant", "import_cormorant"]

Array = np.ndarray[Any, Any]

ROUNDED = 1e-5  # relative; what the file says it computed may have been computed in single precision


@dataclass(frozen=True)
class ConvertedCormorant:
    """A converted model.

    Attributes
    ----------
    model : Cormorant
    deviations : tuple of float
        For each molecule of the file, |energy - the file's| over the sum of the absolute values of the terms of the
        readout; empty if it holds none.
    """

    model: Cormorant
    deviations: tuple[float, ...]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file that `nbody_ref.load` reads as a potential; its energy is the network's output, as eV.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        save_imported(path, self.model, {"from": "cormorant", "deviations": list(self.deviations)})


def import_cormorant(path: str | os.PathLike[str]) -> ConvertedCormorant:
    """Convert arrays of the original program; nothing in the file is executed.

    Parameters
    ----------
    path : path
        A ``.npz`` file as described above.

    Returns
    -------
    ConvertedCormorant

    Raises
    ------
    FileError
        If the file cannot be read, something is missing, unknown, of another shape, not finite or not supported, or if
        an energy of the file is not what its parameters give.
    """
    name, arrays = os.fspath(path), _arrays(path)
    try:
        meta = _meta(arrays)
        parameters = {key[10:]: value for key, value in arrays.items() if key.startswith("parameter/")}
        model = from_original(meta, parameters)
        return ConvertedCormorant(model, tuple(_deviations(model, arrays)))
    except FileError as error:
        raise FileError(f"{name}: {error}") from error


def _arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Everything in the file."""
    try:
        content = Path(path).read_bytes()
        if content[:2] != b"PK":
            raise FileError(f"{os.fspath(path)}: not a .npz file")
        with np.load(BytesIO(content), allow_pickle=False) as file:
            if len(set(file.zip.namelist())) != len(file.zip.namelist()):
                raise FileError(f"{os.fspath(path)}: an array is given twice")
            return {name: file[name] for name in file.files}
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot read {os.fspath(path)}: {error.strerror or error}") from error
    except (ValueError, BadZipFile, zlib.error, EOFError, KeyError, MemoryError, RuntimeError) as error:
        raise FileError(f"{os.fspath(path)}: not a readable .npz file: {error}") from error


def _meta(arrays: Mapping[str, Array]) -> dict[str, Any]:
    if "meta" not in arrays:
        raise FileError("'meta' is missing")
    if arrays["meta"].dtype.kind != "U" or arrays["meta"].ndim:
        raise FileError("'meta' must be one text")
    meta = strict_json(str(arrays["meta"]), "'meta'")
    if not isinstance(meta, dict):
        raise FileError("'meta' must be a JSON object")
    return meta


def _deviations(model: Cormorant, arrays: Mapping[str, Array]) -> Iterator[float]:
    """What the molecules of the file say against the model.

    Raises
    ------
    FileError
        If a molecule is incomplete or malformed, or its energy is another.
    """
    numbers = {key.split("/")[1] for key in arrays if key.startswith("molecule/")}
    for i in sorted(numbers, key=lambda text: (len(text), text)):
        for key in ("numbers", "positions", "energy"):
            if f"molecule/{i}/{key}" not in arrays:
                raise FileError(f"'molecule/{i}/{key}' is missing")
        z, r, energy = (arrays[f"molecule/{i}/{key}"] for key in ("numbers", "positions", "energy"))
        if energy.size != 1 or energy.dtype.kind != "f" or not np.isfinite(energy).all():
            raise FileError(f"'molecule/{i}/energy' must be one finite number, got {energy!r}")
        try:
            values, _ = model.forward(model.graph([(r, z)]))
        except NBodyRefError as error:
            raise FileError(f"molecule {i}: {error}") from error
        terms = (np.abs(values["readout/invariants"]) @ np.abs(model.parameters["readout"][0])).sum()
        gap = abs(float(values[model.root][0, 0]) - energy.item())
        deviation = gap / float(terms + abs(model.parameters["shift"]).sum() or 1.0)
        if not deviation <= ROUNDED:
            raise FileError(
                f"molecule {i}: its energy is {energy.item()}, its parameters give one that is {gap:.1e} away"
            )
        yield deviation
