r"""Harmonic vibrations of a molecule: frequencies, zero-point energy, thermochemistry of the ideal gas.

With masses M and the Hessian H, modes solve :math:`M^{-1/2} H M^{-1/2} q = \omega^2 q` in the space that is left when
translations and rotations are projected out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.excited.wigner import hessian
from nbody_ref.fit.potential import Potential

__all__ = ["Vibrations", "vibrations"]

Array = np.ndarray[Any, Any]

FLAT = 1e-4  # singular values of a rotation, relative to the largest, below which it moves nothing: about an axis


class Vibrations(NamedTuple):
    """Normal modes.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure, with its calculator.
    energies : (M,) complex128
        hbar omega, eV, ascending in omega^2; imaginary ones are purely so.
    modes : (M, N, 3) float64
        Cartesian displacements of unit norm.
    linear : bool
    """

    atoms: Any
    energies: Array
    modes: Array
    linear: bool

    @property
    def wavenumbers(self) -> Array:
        """(M,) float64, 1/cm; imaginary ones as negative numbers."""
        from ase import units

        return np.asarray((self.energies.real - self.energies.imag) / units.invcm)

    @property
    def imaginary(self) -> list[str]:
        """Each imaginary mode in words: its wavenumber and the atoms that it moves most."""
        told = []
        for k in np.flatnonzero(self.energies.imag > 0):
            share = (self.modes[k] ** 2).sum(axis=1)
            most = [i for i in np.argsort(-share)[:4] if share[i] > 0.1 * share.max()]
            names = ", ".join(f"{self.atoms.symbols[i]}{i}" for i in most)
            told.append(f"{abs(self.wavenumbers[k]):.0f}i cm-1, which moves {names} most")
        return told

    @property
    def zero_point_energy(self) -> float:
        """eV, of the real modes."""
        return float(self.energies.real.sum() / 2)

    def thermochemistry(
        self, temperature: float = 298.15, pressure: float = 101325.0, symmetry: int = 1, multiplicity: int = 1
    ) -> dict[str, float]:
        """Enthalpy, entropy and Gibbs energy of the ideal gas, rigid rotor and harmonic oscillator, by ASE.

        Parameters
        ----------
        temperature, pressure : float
            K, Pa.
        symmetry : int
            Number of rotations that leave the molecule as it is: 1 for ethanol, 2 for water, 12 for methane.
        multiplicity : int
            2 S + 1.
        """
        from ase.thermochemistry import IdealGasThermo

        energy = float(self.atoms.get_potential_energy())
        shape: Any = "monatomic" if len(self.atoms) == 1 else "linear" if self.linear else "nonlinear"
        gas: Any = IdealGasThermo(
            list(self.energies.real), shape, energy, self.atoms, symmetrynumber=symmetry, spin=(multiplicity - 1) / 2
        )
        return {
            "temperature_K": temperature,
            "pressure_Pa": pressure,
            "enthalpy_eV": float(gas.get_enthalpy(temperature, verbose=False)),
            "entropy_eV_per_K": float(gas.get_entropy(temperature, pressure, verbose=False)),
            "gibbs_energy_eV": float(gas.get_gibbs_energy(temperature, pressure, verbose=False)),
        }


def vibrations(potential: Potential, atoms: Any, step: float = 0.005) -> Vibrations:
    """Normal modes at a stationary point, from central differences of forces.

    Parameters
    ----------
    potential : Potential
    atoms : ase.Atoms
        Translations and rotations are projected out, which is right only where forces vanish.
    step : float
        Of the differences, Angstrom.
    """
    from ase import units

    molecule = atoms.copy()
    molecule.calc = potential.calculator()
    numbers = molecule.numbers

    def forces(positions: Array) -> Array:
        return potential.forces([(r, numbers) for r in positions]).reshape(positions.shape)

    root = np.sqrt(np.repeat(molecule.get_masses(), 3))
    second = hessian(forces, molecule.positions, step) / np.outer(root, root)
    inner, linear = _inner(molecule.positions - molecule.get_center_of_mass(), root)
    squares, vectors = np.linalg.eigh(inner.T @ second @ inner)
    energies = units._hbar * 1e10 / np.sqrt(units._e * units._amu) * np.sqrt(squares.astype(np.complex128))
    moves = (inner @ vectors / root[:, None]).T
    moves /= np.linalg.norm(moves, axis=1)[:, None]
    return Vibrations(molecule, energies, moves.reshape(-1, len(molecule), 3), linear)


def _inner(centred: Array, root: Array) -> tuple[Array, bool]:
    """Orthonormal basis (3N, M) of mass-weighted motions that neither move nor turn; whether the molecule is linear."""
    moved = np.stack([np.tile(axis, len(centred)) for axis in np.eye(3)])
    turned = np.stack([np.cross(axis, centred).ravel() for axis in np.eye(3)])
    rigid, sizes, _ = np.linalg.svd((np.concatenate([moved, turned]) * root).T)
    rank = int(np.sum(sizes > FLAT * sizes[0]))
    return rigid[:, rank:], rank == 5
