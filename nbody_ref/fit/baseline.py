"""Atomic baselines: the part of an energy that only counts atoms, always in float64."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.frames import Frames, symbols

__all__ = ["Baseline", "Composition", "composition", "counts", "independent", "pseudo_inverse"]

Array = np.ndarray[Any, Any]
Composition = tuple[int, ...]  # atoms of each species, ascending atomic number


def composition(numbers: Array, species: Iterable[int]) -> Composition:
    """How many atoms of each species a molecule has."""
    return tuple(int(np.count_nonzero(numbers == z)) for z in species)


def counts(frames: Frames, species: tuple[int, ...]) -> Array:
    """How many atoms of each species every frame has, (F, S) float64."""
    found = [composition(frame.numbers, species) for frame in frames]
    return np.array(found, dtype=np.float64).reshape(len(frames), len(species))


def independent(compositions: Iterable[Sequence[int]]) -> tuple[Composition, ...]:
    """The compositions that are no rational combination of those before them: elimination in exact fractions.

    As many as the rank of all of them; every composition given is a combination of those returned.
    """
    kept: list[Composition] = []
    pivots: list[tuple[int, list[Fraction]]] = []
    for given in dict.fromkeys(tuple(int(n) for n in row) for row in compositions):
        row = [Fraction(n) for n in given]
        for column, pivot in pivots:
            row = [a - row[column] * b for a, b in zip(row, pivot, strict=True)]
        first = next((k for k, value in enumerate(row) if value), None)
        if first is not None:
            pivots.append((first, [value / row[first] for value in row]))
            kept.append(given)
    return tuple(kept)


def pseudo_inverse(count: Array) -> Array:
    """Pseudo-inverse of `counts`, (S, F): least squares of smallest norm, for as many compositions as there are.

    Counts are small integers, so that a singular value below 1e-8 of the largest is a zero that was rounded.
    """
    return np.asarray(np.linalg.pinv(count, rcond=1e-8))


@dataclass(frozen=True)
class Baseline:
    r"""Energy of free or averaged atoms, :math:`E_0 = \sum_i e_{z_i}`.

    Parameters
    ----------
    energies : mapping of int to float
        Energy of one atom by atomic number, eV.
    kind : {"isolated", "least squares", "none"}
        Where the energies come from; "none": the data have no energies of molecules, only forces, and the zero of
        energy is the mean over the frames.
    compositions : tuple of tuple of int
        Linearly independent compositions of the data, numbers of atoms by ascending atomic number. Least squares
        determine the energies of their combinations and of no other composition.

    Examples
    --------
    >>> from nbody_ref.fit import Baseline
    >>> Baseline({1: -13.6, 8: -2041.0}, "isolated").energies[1]
    -13.6
    """

    energies: Mapping[int, float]
    kind: str
    compositions: tuple[Composition, ...] = ()

    @classmethod
    def build(cls, frames: Frames) -> Baseline:
        """Isolated atoms if the data has them for every species, else least squares.

        Least squares finds the energies of smallest norm among those that fit the total energies best: data of one
        composition only determine their sum over a molecule.

        Raises
        ------
        DataError
            If the data has isolated atoms for some of its species only.
        """
        species, labelled = frames.species, frames[np.flatnonzero(frames.has_energy)]
        if not len(labelled):
            known = independent(composition(frame.numbers, species) for frame in frames)
            return cls(dict.fromkeys(species, 0.0), "none", known)
        if frames.atoms:
            missing = sorted(set(species) - set(frames.atoms))
            if missing:
                there, lacking = (", ".join(symbols(sorted(some))) for some in (frames.atoms, missing))
                raise DataError(
                    f"the data has isolated atoms of {there} but none of {lacking}: add them, say all energies of "
                    f"atoms (--e0 H:-13.6,...), or leave them out (--e0 none)"
                )
            return cls({z: float(frames.atoms[z]) for z in species}, "isolated")
        solution = pseudo_inverse(counts(labelled, species)) @ labelled.energies
        energies = {z: float(e) for z, e in zip(species, solution, strict=True)}
        return cls(energies, "least squares", independent(composition(frame.numbers, species) for frame in labelled))

    def determines(self, numbers: Array) -> bool:
        """Whether the data determine the sum of these atoms' energies.

        Isolated atoms do so for any molecule. Least squares do if its composition is a combination of theirs: from
        ethanol alone, C2H6O, the energy of C4H12O2 follows, that of C5H8O2 does not.
        """
        if self.kind == "isolated":
            return True
        one = composition(numbers, sorted(self.energies))
        return len(independent((*self.compositions, one))) == len(self.compositions)

    def atom_energies(self, numbers: Array) -> Array:
        """Baseline energy of every atom, (n,) float64, eV."""
        return np.array([self.energies[int(z)] for z in numbers], dtype=np.float64)

    def energy(self, frames: Frames) -> Array:
        """Baseline energy of every frame, (F,) float64, eV."""
        return np.array([self.atom_energies(frame.numbers).sum() for frame in frames])
