"""What dynamics ask of a method: energies, forces and, where there are any, couplings or states of several surfaces.

Two things may come with a random sign for each state, from every program and at every step: couplings and the columns
of `vectors`. `aligned` fixes them against the step before, so that nothing that follows depends on them, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np

from nbody_ref.errors import DataError, ShapeError

__all__ = ["Electronic", "Surfaces", "aligned", "from_calculators", "pairs"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Electronic:
    """Several states of T molecules of N atoms.

    Parameters
    ----------
    energies : (T, S) float64
        eV, ascending.
    forces : (T, S, N, 3) float64
        eV/Angstrom.
    couplings : (T, P, N, 3) float64, optional
        (E_b - E_a) <a|d/dR b> of the pairs of `pairs`, eV/Angstrom: no division by the gap, so nothing is singular.
    vectors : (T, S, S) float64, optional
        Columns are the adiabatic states in a basis that is the same for all geometries.
    outside : (T,) bool, optional
        True where the method does not vouch for its numbers.
    """

    energies: Array
    forces: Array
    couplings: Array | None = None
    vectors: Array | None = None
    outside: Array | None = None

    def __getitem__(self, chosen: Any) -> Electronic:
        """The same of some of the molecules."""
        parts: list[Any] = [None if part is None else part[chosen] for part in self._parts()]
        return Electronic(*parts)

    def put(self, chosen: Array, other: Electronic) -> None:
        """Overwrite some molecules, in place."""
        for mine, new in zip(self._parts(), other._parts(), strict=True):
            if mine is not None and new is not None:
                mine[chosen] = new

    def copy(self) -> Electronic:
        """Arrays of its own."""
        parts: list[Any] = [None if part is None else np.array(part) for part in self._parts()]
        return Electronic(*parts)

    def _parts(self) -> list[Any]:
        return [getattr(self, field.name) for field in fields(self)]

    def coupling(self, a: int, b: int, t: int) -> Array:
        """Coupling of one pair of one molecule, (N, 3); antisymmetry of <a|d/dR b> times that of the gap: symmetric."""
        if self.couplings is None:
            raise DataError("Electronic: there are no couplings to rescale along; ask for rescaling by velocity")
        found: Array = self.couplings[t, pairs(self.energies.shape[1]).index((min(a, b), max(a, b)))]
        return found


Surfaces = Callable[[Array], Electronic]  # positions (T, N, 3) in Angstrom -> Electronic


def pairs(states: int) -> list[tuple[int, int]]:
    """Order of couplings: (0, 1), (0, 2), ..., (1, 2), ..."""
    return [(a, b) for a in range(states) for b in range(a + 1, states)]


def aligned(new: Electronic, old: Electronic | None) -> Electronic:
    """Signs of states chosen by the step before, or, without one, by the number of largest magnitude.

    Multiplication by -1 is exact: whatever signs come in, the same bits go out.
    """
    if new.vectors is not None:
        signs = _vector_signs(new.vectors, None if old is None else old.vectors)
    elif new.couplings is not None:
        signs = _coupling_signs(new.couplings, None if old is None else old.couplings, new.energies.shape[1])
    else:
        return new
    vectors = None if new.vectors is None else new.vectors * signs[:, None, :]
    couplings = new.couplings
    if couplings is not None:
        first, second = np.array(pairs(signs.shape[1])).T
        couplings = couplings * (signs[:, first] * signs[:, second])[:, :, None, None]
    return replace(new, vectors=vectors, couplings=couplings)


def _vector_signs(new: Array, old: Array | None) -> Array:
    """Sign of each column that makes its largest overlap with an old column, or its largest component, positive."""
    overlap = new if old is None else np.einsum("tka,tkb->tab", old, new)
    rows = np.argmax(np.abs(overlap), axis=1)
    return _sign(np.take_along_axis(overlap, rows[:, None, :], axis=1)[:, 0])


def _coupling_signs(new: Array, old: Array | None, states: int) -> Array:
    """Signs of states, the first +1, for which the couplings resemble the old ones most."""
    flat = new.reshape(*new.shape[:2], -1)
    if old is None:
        largest = np.argmax(np.abs(flat), axis=2)
        along = np.take_along_axis(flat, largest[:, :, None], axis=2)[:, :, 0]
    else:
        along = np.einsum("tpx,tpx->tp", flat, old.reshape(flat.shape))
    choices = np.array([(1.0, *rest) for rest in product((1.0, -1.0), repeat=states - 1)])
    first, second = np.array(pairs(states)).T
    scores = along @ (choices[:, first] * choices[:, second]).T
    found: Array = choices[np.argmax(scores, axis=1)]
    return found


def _sign(x: Array) -> Array:
    return np.where(x < 0, -1.0, 1.0)


def from_calculators(calculators: Sequence[Any], numbers: Sequence[int]) -> Surfaces:
    """Surfaces from calculators of ASE with results "state_energies" (S,) and "state_forces" (S, N, 3).

    Parameters
    ----------
    calculators : sequence of ase Calculator
        One for all trajectories, or one for each (those that carry orbitals along need their own). Used if they have
        them: "state_couplings" (P, N, 3) and "state_vectors" (S, S); "outside" marks geometries that are not vouched
        for.
    numbers : (N,) int
        Atomic numbers.

    Returns
    -------
    Surfaces

    Raises
    ------
    DataError
        On a call, if a calculator gives no states.
    """
    from ase import Atoms

    def surfaces(positions: Array) -> Electronic:
        if len(calculators) not in (1, len(positions)):
            raise ShapeError(f"surfaces: {len(calculators)} calculators for {len(positions)} geometries")
        found = []
        for t, geometry in enumerate(positions):
            calculator = calculators[t % len(calculators)]
            known = [name for name in OPTIONAL if name in calculator.implemented_properties]
            calculator.calculate(Atoms(numbers, geometry), ["state_energies", "state_forces", *known])
            missing = {"state_energies", "state_forces"} - set(calculator.results)
            if missing:
                raise DataError(f"surfaces: the calculator gives no {sorted(missing)}")
            found.append(
                [calculator.results.get(name) for name in ("state_energies", "state_forces", *OPTIONAL, "outside")]
            )
        columns = [None if any(x is None for x in column) else np.array(column) for column in zip(*found, strict=True)]
        energies, forces, couplings, vectors, outside = columns
        flags = None if outside is None else np.array([bool(x) for x in outside])
        return Electronic(energies, forces, couplings, vectors, flags)  # type: ignore[arg-type]

    return surfaces


OPTIONAL = ("state_couplings", "state_vectors")
