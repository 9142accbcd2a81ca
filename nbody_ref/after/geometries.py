"""Geometries that a potential is asked about, and what it says about its own limits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from nbody_ref.errors import DataError, GeometryError
from nbody_ref.fit.calculator import require_molecule
from nbody_ref.fit.formats import paths_of, read_source
from nbody_ref.fit.frames import Frame, Frames, check_geometry
from nbody_ref.fit.potential import Potential

__all__ = ["outside", "read_geometries", "unlabelled"]


def read_geometries(paths: Sequence[str | os.PathLike[str]], potential: Potential | None = None) -> list[Any]:
    """Molecules of some files, which the potential is then asked about: all that cannot be is refused before.

    Parameters
    ----------
    paths : sequence of paths or patterns
    potential : Potential, optional
        Whose elements the molecules must have.

    Returns
    -------
    list of ase.Atoms
        Without the labels of the files' calculators.

    Raises
    ------
    DataError
        If a file cannot be read, or its lengths are no Angstrom.
    GeometryError
        If a cell is periodic, an element is unknown, a coordinate is not finite, or two atoms nearly coincide.
    """
    images = []
    for path in paths_of(paths):
        source = read_source(path)
        if source.units is not None and not source.units.replace(" ", "").endswith((",A", ",Angstrom", ",Ang")):
            raise DataError(f"{path}: lengths must be in Angstrom, the file says {source.units}")
        images += source.images
    for i, atoms in enumerate(images):
        atoms.calc = None
        atoms.set_constraint()
        require_molecule(atoms)
        check_geometry(f"frame {i}", atoms.numbers, atoms.positions, error=GeometryError)
        if potential is not None:
            potential.check_species(atoms.numbers, f"frame {i}")
    return images


def unlabelled(images: Sequence[Any]) -> Frames:
    """Frames of molecules without their labels.

    Examples
    --------
    >>> from ase.build import molecule
    >>> len(unlabelled([molecule("H2O")]))
    1
    """
    nothing = [np.full((len(atoms), 3), np.nan) for atoms in images]
    return Frames(tuple(Frame(a.numbers, a.positions, float("nan"), f) for a, f in zip(images, nothing, strict=True)))


def outside(atoms: Any) -> list[str]:
    """What the calculator of the atoms found outside its training data, at its last calculation; empty: nothing."""
    found = atoms.calc.results.get("outside")
    return [] if not found else [found] if isinstance(found, str) else [str(one) for one in found]
