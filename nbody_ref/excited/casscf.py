"""State-averaged CASSCF (PySCF, extra ``data``) as a calculator of ASE that gives several states.

Energies, gradients and couplings of a few singlets, for molecules so small that the derivatives of all integrals fit
into memory: they are computed once for a geometry instead of once for every gradient and coupling. Orbitals are carried
from one geometry to the next. Couplings are ``(E_b - E_a) <a|d/dR b>`` with translation factors, so that they add up to
zero over the atoms, and with the signs that the diagonalisation happened to give.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import units
from ase.calculators.calculator import Calculator, all_changes

from nbody_ref.errors import NBodyRefError

__all__ = ["Casscf"]

Array = np.ndarray[Any, Any]


class Casscf(Calculator):
    """SA-CASSCF of singlets with equal weights.

    Parameters
    ----------
    basis : str
    charge : int
    states : int
    active : (electrons, orbitals)
    state : int
        The one whose energy and forces are "energy" and "forces".

    Notes
    -----
    Results: "state_energies" (S,) eV, "state_forces" (S, N, 3) eV/Angstrom, "state_couplings" (S (S - 1) / 2, N, 3)
    eV/Angstrom for pairs (0, 1), (0, 2), ..., (1, 2), ...; what was not asked for is not computed. `NBodyRefError`
    where the orbitals do not converge.
    """

    implemented_properties = ["energy", "forces", "state_energies", "state_forces", "state_couplings"]

    def __init__(
        self, basis: str = "6-31g", charge: int = 0, states: int = 2, active: tuple[int, int] = (2, 2), state: int = 0
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.basis, self.charge, self.states, self.active, self.state = basis, charge, states, active, state
        self.orbitals: Array | None = None

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Fill `results`; called by ASE."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        wanted = set(properties or ["energy"])
        solver = self.solve()
        energies = np.asarray(solver.e_states) * units.Hartree
        self.results = {"energy": float(energies[self.state]), "state_energies": energies}
        unit = units.Hartree / units.Bohr
        if "forces" in wanted or "state_forces" in wanted:
            chosen = range(self.states) if "state_forces" in wanted else [self.state]
            forces = {i: -unit * np.asarray(solver.nuc_grad_method().kernel(state=i)) for i in chosen}
            self.results["forces"] = forces[self.state]
            if "state_forces" in wanted:
                self.results["state_forces"] = np.stack([forces[i] for i in range(self.states)])
        if "state_couplings" in wanted:
            from pyscf.nac.sacasscf import NonAdiabaticCouplings

            pairs = zip(*np.triu_indices(self.states, 1))
            found = [
                NonAdiabaticCouplings(solver).kernel(state=(int(a), int(b)), use_etfs=True, mult_ediff=True)
                for a, b in pairs
            ]
            self.results["state_couplings"] = unit * np.array(found)

    def solve(self) -> Any:
        """Converged orbitals of the present geometry."""
        from pyscf import fci, mcscf, scf

        molecule = _molecule(self.atoms, self.basis, self.charge)
        mean_field = scf.RHF(molecule)
        mean_field.conv_tol = 1e-11
        mean_field.kernel()
        solver: Any = mcscf.CASSCF(mean_field, self.active[1], self.active[0])
        solver.fcisolver = fci.direct_spin0.FCI(molecule)  # singlets only
        solver = solver.state_average_([1 / self.states] * self.states)
        solver.conv_tol, solver.conv_tol_grad, solver.max_cycle_macro = 1e-10, 1e-6, 200
        start = None if self.orbitals is None else mcscf.project_init_guess(solver, self.orbitals)
        solver.kernel(start)
        if not solver.converged:
            raise NBodyRefError("Casscf: the orbitals did not converge")
        self.orbitals = solver.mo_coeff
        return solver


def _molecule(atoms: Any, basis: str, charge: int) -> Any:
    """A molecule of PySCF that keeps its derivative integrals, (nabla i j|k l)."""
    from pyscf import gto, lib
    from pyscf.grad import rhf

    lib.num_threads(1)

    class Kept(gto.Mole):  # type: ignore[misc]
        def intor(self, name: str, *args: Any, **options: Any) -> Any:
            if not name.startswith("int2e_ip1") or options.get("aosym") != "s2kl":
                return super().intor(name, *args, **options)
            shells = options.get("shls_slice") or (0, self.nbas, 0, self.nbas)
            i, j, k, m = self.ao_loc_nr()[list(shells[:4])]
            return self.derivatives()[:, i:j, k:m]

        def derivatives(self) -> Array:
            """(3, n, n, n (n + 1) / 2), pairs k >= l last."""
            if "_kept" not in self.__dict__:
                found = super().intor("int2e_ip1", comp=3, aosym="s2kl")
                self.__dict__["_kept"] = found.reshape(3, self.nao, self.nao, -1)
            return np.asarray(self.__dict__["_kept"])

    def coulomb_and_exchange(mol: Any, dm: Any) -> tuple[Array, Array]:
        if not isinstance(mol, Kept):
            return tuple(original(mol, dm))
        n = mol.nao
        full = lib.unpack_tril(mol.derivatives().reshape(3 * n * n, -1)).reshape(3, n, n, n, n)
        density = np.asarray(dm).reshape(-1, n, n)
        vj = np.einsum("xijkl,dlk->dxij", full, density, optimize=True)
        vk = np.einsum("xijkl,djk->dxil", full, density, optimize=True)
        shape = (*np.shape(dm)[:-2], 3, n, n)
        return -vj.reshape(shape), -vk.reshape(shape)

    original = getattr(rhf.get_jk, "original", rhf.get_jk)
    coulomb_and_exchange.original = original  # type: ignore[attr-defined]
    rhf.get_jk = coulomb_and_exchange
    pairs = list(zip(atoms.get_chemical_symbols(), atoms.positions))
    built: Any = Kept(atom=pairs, basis=basis, charge=charge, verbose=0, unit="Ang")
    return built.build()
