"""A molecule in a periodic box: put together again, and told apart from its images."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.frames import Finding

__all__ = ["as_molecule"]

Array = np.ndarray[Any, Any]


def as_molecule(atoms: Any, index: int, length: float, wanted: bool, vacuum: float) -> tuple[Array, list[Finding]]:
    """Positions of a molecule in a periodic cell, unwrapped, in Angstrom, and whether its images are far enough.

    Parameters
    ----------
    atoms : ase.Atoms
    index : int
        Where the frame stands in its file.
    length : float
        Of its unit, Angstrom.
    wanted : bool
        Whether it is said to be a molecule.
    vacuum : float
        Least distance to an image, Angstrom.

    Returns
    -------
    (n, 3) float64, list of Finding
        Atoms follow each other by the shortest way through the cell, the nearest pair first.

    Raises
    ------
    DataError
        If it is not said to be a molecule.
    """
    if not wanted:
        raise DataError(
            f"frame {index} has a periodic cell (pbc {np.asarray(atoms.pbc).tolist()}); only molecules are supported. "
            f"If it is one molecule in a vacuum, say so (--molecule)"
        )
    cell, pbc = np.asarray(atoms.cell) * length, np.asarray(atoms.pbc)
    positions = np.array(atoms.positions) * length
    shifts = np.array(list(product(*((-1, 0, 1) if axis else (0,) for axis in pbc)))) @ cell
    placed, rest = [0], list(range(1, len(positions)))
    if rest:
        fractional = np.linalg.solve(cell.T, positions.T).T if pbc.all() else None
        if fractional is not None:
            positions = (fractional - np.floor(fractional)) @ cell
    nearest = np.full(len(positions), np.inf)
    best = positions.copy()
    while rest:
        last = positions[placed[-1]]
        candidates = positions[rest][:, None] + shifts
        dist = np.linalg.norm(candidates - last, axis=2)
        k = np.argmin(dist, axis=1)
        for row, atom in enumerate(rest):
            if dist[row, k[row]] < nearest[atom]:
                nearest[atom], best[atom] = dist[row, k[row]], candidates[row, k[row]]
        chosen = rest[int(np.argmin(nearest[rest]))]
        positions[chosen] = best[chosen]
        placed.append(chosen)
        rest.remove(chosen)
    return positions, _images(positions, shifts, index, vacuum)


def _images(positions: Array, shifts: Array, index: int, vacuum: float) -> list[Finding]:
    """Whether an atom is nearer to an image of the molecule than the vacuum."""
    moved = [shift for shift in shifts if shift.any()]
    if not moved:
        return []
    nearest = min(float(np.linalg.norm(positions[:, None] - positions - shift, axis=2).min()) for shift in moved)
    if nearest >= vacuum:
        return []
    text = f"frame {index}: the molecule is {nearest:.2f} Angstrom from its image, nearer than {vacuum:g}"
    return [Finding("box", True, text, "it is no single molecule: use a larger cell or a smaller --cutoff", (index,))]
