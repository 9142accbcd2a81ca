"""Outputs that ASE does not read as ASE atoms: engrad of ORCA and xTB, logs of PySCF, and what cclib knows."""

from __future__ import annotations

import io
import logging
import re
from itertools import pairwise
from typing import Any

import numpy as np

from nbody_ref.errors import DataError

__all__ = ["read_output"]


def read_output(content: bytes) -> list[Any] | None:
    """Geometries in Angstrom with ``energy`` and ``forces`` in eV and eV/Angstrom; None if it is no such output."""
    text = content.decode("utf-8", "replace")
    if "# Number of atoms" in text[:200]:
        return _engrad(text)
    return _pyscf(text) if "PySCF" in text[:4000] else _by_cclib(text)


def _labelled(numbers: Any, positions: Any, energy: Any, forces: Any | None) -> Any:
    from ase import Atoms

    atoms = Atoms(numbers, positions)
    atoms.info["energy"] = float(energy)
    if forces is not None:
        atoms.arrays["forces"] = np.asarray(forces, dtype=np.float64)
    return atoms


def _engrad(text: str) -> list[Any]:
    """Atoms, energy in Hartree, gradient in Hartree/bohr; then number and place in bohr of each atom."""
    from ase.units import Bohr, Hartree

    values = [float(x) for line in text.splitlines() if not line.startswith("#") for x in line.split()]
    n = int(values[0])
    gradient, rows = np.reshape(values[2 : 2 + 3 * n], (n, 3)), np.reshape(values[2 + 3 * n : 2 + 7 * n], (n, 4))
    return [_labelled(rows[:, 0].astype(int), rows[:, 1:] * Bohr, values[1] * Hartree, -gradient * Hartree / Bohr)]


def _pyscf(text: str) -> list[Any] | None:
    """The geometry of each gradient in a log (verbose 4 or more), with the last energy before it."""
    from ase.units import Bohr, Hartree

    number = r"\s+(-?\d+\.\d+)"
    atom = rf"^\[INPUT\]\s*\d+ ([A-Z][a-z]?)\w*{3 * number} AA"
    energy = r"(?:converged SCF energy|E\([\w()]+\)) =\s*(-?\d+\.\d+)"
    images: list[Any] = []
    blocks = re.split(r"-+ \w+ gradients -+\n.*\n", text)
    for before, after in pairwise(blocks):
        found, last = re.findall(atom, before, re.M), re.findall(energy, before)
        if not found or not last:
            raise DataError(
                f"gradient {len(images)} of the log has no geometry or energy before it (verbose=4 prints them)"
            )
        gradient = np.array([line.split()[2:] for line in after.splitlines()[: len(found)]], dtype=float)
        numbers, positions = [row[0] for row in found], np.array([row[1:] for row in found], dtype=float)
        images.append(_labelled(numbers, positions, float(last[-1]) * Hartree, -gradient * Hartree / Bohr))
    return images or None


def _by_cclib(text: str) -> list[Any] | None:
    """Output of a program of quantum chemistry by cclib, if it is installed and knows it; in eV and Angstrom.

    Its gradients are in Hartree/bohr; of Gaussian, which prints forces, they are forces. Its energies are eV up to
    version 1, Hartree from version 2 on.
    """
    try:
        import cclib
    except ImportError:
        return None
    from ase.units import Bohr, Hartree

    try:
        text = text.replace("Git: Rev {}", "Git: Rev {none}")  # Psi4 of distributions, which cclib 1.8 stumbles over
        data = cclib.io.ccread(io.StringIO(text), loglevel=logging.CRITICAL + 1)
    except Exception:
        return None
    if data is None or not hasattr(data, "atomcoords"):
        return None
    energies = next((getattr(data, n) for n in ("ccenergies", "mpenergies", "scfenergies") if hasattr(data, n)), None)
    if energies is None:
        return None
    unit = 1.0 if cclib.__version__.startswith("1.") else Hartree
    energies = unit * np.asarray(energies).reshape(len(energies), -1)[:, -1]
    sign = 1.0 if data.metadata.get("package") == "Gaussian" else -1.0
    forces = getattr(data, "grads", None)
    images = []
    for i, r in enumerate(data.atomcoords[: len(energies)]):
        known = forces is not None and i < len(forces)
        force = sign * np.asarray(forces)[i] * Hartree / Bohr if known else None
        images.append(_labelled(data.atomnos, r, energies[i], force))
        images[-1].info |= {"charge": getattr(data, "charge", 0), "multiplicity": getattr(data, "mult", 1)}
    return images
