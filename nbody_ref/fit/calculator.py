"""The fitted potential as a calculator of ASE: relaxation, dynamics, vibrations with ASE's own tools."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from nbody_ref.errors import GeometryError
from nbody_ref.fit.frames import check_geometry

if TYPE_CHECKING:
    from nbody_ref.fit.potential import Potential
    from nbody_ref.fit.support import Outside

__all__ = ["PotentialCalculator"]


class PotentialCalculator(Calculator):
    """Energy (eV), energies of atoms (eV) and forces (eV/Angstrom) of one molecule.

    Energies of atoms are shares of a sum: chemistry is in the sum alone. `results` also holds "outside", a list of
    texts: what of the molecule lies outside the training data (`nbody_ref.fit.support`), empty if nothing does. The
    first time that it is not a warning is given.

    Parameters
    ----------
    potential : Potential
        If its atoms come with states (`Spec.given`), they are read from ``atoms.arrays["given"]``, (N, dim).

    Raises
    ------
    GeometryError
        On calculation: for a periodic cell, an element that was not in the training data, a NaN, or atoms nearer
        than 0.3 Angstrom; on calculation of an energy also for a composition whose energy the training data do not
        determine (one molecule without isolated atoms, for instance), forces of which can still be had.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces"]

    def __init__(self, potential: Potential, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self.potential = potential
        self._warned = False

    def check_state(self, atoms: Any, tol: float = 1e-15) -> list[str]:
        """What has changed since the last calculation: ASE's list, and the states that atoms come with."""
        changes: list[str] = super().check_state(atoms, tol)  # type: ignore[no-untyped-call]
        if self.atoms is not None and not np.array_equal(self.atoms.arrays.get("given"), atoms.arrays.get("given")):
            changes.append("given")
        return changes

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Fill `results`; called by ASE."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        molecule: Any = self.atoms
        require_molecule(molecule)
        self.potential.check_species(molecule.numbers, "calculator")
        check_geometry("calculator", molecule.numbers, molecule.positions, error=GeometryError)
        geometry = [(molecule.positions, molecule.numbers, *_given(self.potential, molecule))]
        if list(properties or []) == ["forces"] and not self.potential.baseline.determines(molecule.numbers):
            self.results = {"forces": self.potential.forces(geometry), "outside": self._outside(molecule)}
            return
        self.potential.check_composition(molecule.numbers, "calculator: the molecule")
        energies, forces, shares = self.potential.predict(geometry)
        energy = float(energies[0])
        self.results = {"energy": energy, "free_energy": energy, "energies": shares, "forces": forces}
        self.results["outside"] = self._outside(molecule)

    def _outside(self, molecule: Any) -> list[Outside]:
        found = self.potential.outside(molecule.numbers, molecule.positions)
        if found and not self._warned:
            self._warned = True
            warnings.warn(f"outside the training data, energies and forces may be wrong: {found[0]}", stacklevel=2)
        return found


def _given(potential: Potential, atoms: Any) -> list[Any]:
    """The states that the atoms come with, if the network wants them.

    Raises
    ------
    GeometryError
        If there are none, or they have another size.
    """
    irreps = potential.network.given
    if not irreps:
        return []
    found = atoms.arrays.get("given")
    if found is None or found.shape != (len(atoms), irreps.dim):
        came = "none" if found is None else f"shape {found.shape}"
        raise GeometryError(f"calculator: 'atoms.arrays[\"given\"]' must be {(len(atoms), irreps.dim)}, got {came}")
    return [np.asarray(found, dtype=np.float64)]


def require_molecule(atoms: Any) -> None:
    """Refuse a periodic cell."""
    if np.any(atoms.pbc):
        raise GeometryError(f"calculator: only molecules are supported, got a periodic cell (pbc {atoms.pbc.tolist()})")
