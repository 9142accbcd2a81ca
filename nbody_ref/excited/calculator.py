"""Several states as a calculator of ASE, for mudslide, and as the answer that SHARC reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units
from ase.calculators.calculator import Calculator, all_changes

from nbody_ref.excited.surfaces import Electronic, aligned, pairs

if TYPE_CHECKING:
    from nbody_ref.excited.states import StatesPotential

__all__ = ["StatesCalculator", "mudslide_model", "sharc_answer"]

Array = np.ndarray[Any, Any]


class StatesCalculator(Calculator):
    """Energy (eV) and forces (eV/Angstrom) of one state, and of all: "state_energies", "state_forces".

    Parameters
    ----------
    potential : StatesPotential
    state : int
        Whose are "energy" and "forces"; may be changed.

    Notes
    -----
    A diabatic matrix also gives "state_couplings" (P, N, 3), gap times coupling, and "state_vectors" (S, S). "outside"
    is a text, empty where the geometry lies within the training data.
    """

    implemented_properties = [
        "energy",
        "forces",
        "state_energies",
        "state_forces",
        "state_couplings",
        "state_vectors",
    ]

    def __init__(self, potential: StatesPotential, state: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.potential, self.state = potential, state

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Fill `results`; called by ASE."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        molecule: Any = self.atoms
        found = self.potential.surfaces(molecule.positions[None])
        self.results = {
            "energy": float(found.energies[0, self.state]),
            "forces": found.forces[0, self.state],
            "state_energies": found.energies[0],
            "state_forces": found.forces[0],
            "outside": "" if found.outside is None or not found.outside[0] else "a distance or the gap",
        }
        if found.couplings is not None and found.vectors is not None:
            self.results |= {"state_couplings": found.couplings[0], "state_vectors": found.vectors[0]}


def mudslide_model(potential: StatesPotential, masses: Array) -> Any:
    """A model that mudslide's surface hopping drives, in atomic units.

    Parameters
    ----------
    potential : StatesPotential
        A diabatic matrix.
    masses : (N,) float64
        Atomic mass units.

    Returns
    -------
    mudslide.models.electronics.ElectronicModel_
    """
    from mudslide.models.electronics import ElectronicModel_

    count = 3 * len(potential.numbers)

    class Model(ElectronicModel_):  # type: ignore[misc]
        def __init__(self, states: int) -> None:
            super().__init__("adiabatic", None, nstates=states, ndims=3, nparticles=count // 3)
            self.mass = np.repeat(np.asarray(masses), 3) * units._amu / units._me

        def compute(self, X: Array, gradients: Any = None, couplings: Any = None, reference: Any = None) -> None:
            """Energies, forces and derivative couplings at positions (3N,) in bohr."""
            self._position = np.array(X)
            found = potential.surfaces(self._position.reshape(1, -1, 3) * units.Bohr)
            before: Any = getattr(self, "_reference", None)
            found = aligned(found, None if before is None else Electronic(found.energies, found.forces, None, before))
            self._reference = found.vectors
            s = found.energies.shape[1]
            self._hamiltonian = np.diag(found.energies[0]) / units.Hartree
            self._force = found.forces[0].reshape(s, count) / units.Hartree * units.Bohr
            self._forces_available = np.ones(s, dtype=bool)
            self._derivative_coupling = np.zeros((s, s, count))
            self._derivative_couplings_available = np.ones((s, s), dtype=bool)
            products = found.couplings
            for p, (a, b) in enumerate(pairs(s)):
                gap = found.energies[0, b] - found.energies[0, a]
                along = np.zeros(count) if products is None else products[0, p].ravel()
                self._derivative_coupling[a, b] = along / gap * units.Bohr
                self._derivative_coupling[b, a] = -self._derivative_coupling[a, b]
            self._force_matrix = np.zeros((s, s, count))
            self._force_matrix[range(s), range(s)] = self._force

    probe = potential.matrices(np.zeros((1, count // 3, 3)) + np.arange(count // 3)[None, :, None] * 1.5)[0]
    return Model(probe.shape[1])


def sharc_answer(found: Electronic, t: int = 0) -> str:
    """The file ``QM.out`` of one geometry for SHARC: Hamiltonian (1), gradients (3), couplings (5); atomic units.

    Parameters
    ----------
    found : Electronic
    t : int
        Which geometry.
    """
    energies, forces = found.energies[t] / units.Hartree, found.forces[t] / units.Hartree * units.Bohr
    s, n = len(energies), forces.shape[1]
    lines = [f"! 1 Hamiltonian Matrix ({s}x{s}, complex)", f"{s} {s}"]
    lines += [" ".join(f"{energies[i] if i == j else 0:.12e} {0:.12e}" for j in range(s)) for i in range(s)]
    lines += ["", f"! 3 Gradient Vectors ({s}x{n}x3, real)"]
    for i in range(s):
        lines += [f"{n} 3 ! m1 1 s1 {i + 1} ms1 0", *_rows(-forces[i])]
    if found.couplings is not None:
        lines += ["", f"! 5 Non-adiabatic couplings (ddr) ({s}x{s}x{n}x3, real)"]
        order = pairs(s)
        for i in range(s):
            for j in range(s):
                vector = np.zeros((n, 3))
                if i != j:
                    a, b = min(i, j), max(i, j)
                    vector = found.couplings[t, order.index((a, b))] / (found.energies[t, b] - found.energies[t, a])
                    vector = vector * units.Bohr * (1 if i < j else -1)
                lines += [f"{n} 3 ! m1 1 s1 {i + 1} ms1 0   m2 1 s2 {j + 1} ms2 0", *_rows(vector)]
    return "\n".join(lines) + "\n"


def _rows(vectors: Array) -> list[str]:
    return [" ".join(f"{x:.12e}" for x in row) for row in vectors]
