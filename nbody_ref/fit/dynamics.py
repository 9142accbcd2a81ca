"""Relaxation and dynamics at constant energy of one molecule, with ASE's own tools."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.fit.potential import Potential
from nbody_ref.fit.report import Trajectory

__all__ = ["Relaxed", "nve", "relax"]

TIME_STEP_FS = 0.5


class Relaxed(NamedTuple):
    """Where a relaxation ended.

    Parameters
    ----------
    atoms : ase.Atoms
    energy_drop : float
        eV.
    max_force : float
        eV/Angstrom.
    steps : int
    converged : bool
    """

    atoms: Any
    energy_drop: float
    max_force: float
    steps: int
    converged: bool


def relax(potential: Potential, atoms: Any, max_force: float = 0.01, steps: int = 300) -> Relaxed:
    """Relax a copy of the atoms by BFGS until no force exceeds `max_force` (eV/Angstrom).

    Examples
    --------
    >>> from ase import Atoms
    >>> from nbody_ref.fit import Baseline, Potential, relax
    >>> from nbody_ref.network import default
    >>> potential = Potential(default([1]), Baseline({1: -13.6}, "isolated"), {1: 0.0}, {})
    >>> relax(potential, Atoms("H2", [[0, 0, 0], [0, 0, 0.74]]), steps=1).steps <= 1
    True
    """
    from ase.optimize import BFGS

    molecule = atoms.copy()
    molecule.calc = potential.calculator()
    first = molecule.get_potential_energy()
    search: Any = BFGS(molecule, logfile=None)
    converged = bool(search.run(fmax=max_force, steps=steps))
    largest = float(np.linalg.norm(molecule.get_forces(), axis=1).max())
    return Relaxed(molecule, float(first - molecule.get_potential_energy()), largest, search.nsteps, converged)


def nve(
    potential: Potential, atoms: Any, temperature: float = 300.0, femtoseconds: float = 1000.0, seed: int = 0
) -> Trajectory:
    """Velocity-Verlet dynamics of a copy of the atoms at constant energy, in steps of 0.5 fs.

    Velocities are drawn at `temperature` (K), without motion or rotation of the whole.

    Examples
    --------
    >>> from ase import Atoms
    >>> from nbody_ref.fit import Baseline, Potential, nve
    >>> from nbody_ref.network import default
    >>> potential = Potential(default([1]), Baseline({1: -13.6}, "isolated"), {1: 0.0}, {})
    >>> nve(potential, Atoms("H3", [[0, 0, 0], [0, 0, 0.9], [0, 0.9, 0]]), femtoseconds=1.0).times
    array([0. , 0.5, 1. ])
    """
    from ase import units
    from ase.md.velocitydistribution import Stationary, ZeroRotation
    from ase.md.verlet import VelocityVerlet

    molecule = atoms.copy()
    molecule.calc = potential.calculator()
    thermal = np.sqrt(molecule.get_masses() * units.kB * temperature)[:, None]
    molecule.set_momenta(thermal * np.random.default_rng(seed).standard_normal((len(molecule), 3)))
    Stationary(molecule)
    ZeroRotation(molecule)
    count = round(femtoseconds / TIME_STEP_FS)
    energies = np.empty((count + 1, 2))
    dynamics: Any = VelocityVerlet(molecule, TIME_STEP_FS * units.fs)
    for step in range(count + 1):
        if step:
            dynamics.run(1)
        energies[step] = molecule.get_total_energy(), molecule.get_potential_energy()
    return Trajectory(TIME_STEP_FS * np.arange(count + 1), energies[:, 0], energies[:, 1], len(molecule))
