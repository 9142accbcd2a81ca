"""Relaxation and dynamics at constant energy of one molecule, with ASE's own tools."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.fit.potential import Potential
from nbody_ref.fit.report import Trajectory

__all__ = ["Relaxed", "draw_momenta", "nve", "relax", "thermalise"]

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
        Never outside the training data.
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
    converged = converged and not molecule.calc.results.get("outside")
    return Relaxed(molecule, float(first - molecule.get_potential_energy()), largest, search.nsteps, converged)


def draw_momenta(atoms: Any, temperature: float, rng: np.random.Generator) -> None:
    """Give atoms momenta of the Maxwell-Boltzmann distribution at a temperature, K."""
    from ase import units

    rms = np.sqrt(atoms.get_masses() * units.kB * temperature)[:, None]
    atoms.set_momenta(rms * rng.standard_normal((len(atoms), 3)))


def thermalise(atoms: Any, temperature: float, rng: np.random.Generator, time_step: float = TIME_STEP_FS) -> None:
    """Bring atoms to a state whose dynamics at constant energy have this mean temperature, in 0.75 ps.

    Velocities drawn at a minimum give half of the temperature, since half of the kinetic energy becomes potential
    energy. Here Langevin dynamics come first (0.25 ps, friction 1/(20 fs)); then motion and rotation of the whole are
    taken off, and four times the mean over 0.125 ps at constant energy says how much kinetic energy is missing.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator; positions and momenta change.
    temperature : float
        K.
    rng : numpy.random.Generator
    time_step : float
        fs.
    """
    from ase import units
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import Stationary, ZeroRotation
    from ase.md.verlet import VelocityVerlet

    step, free = time_step * units.fs, max(3 * len(atoms) - 6, 1)
    draw_momenta(atoms, temperature, rng)
    bath: Any = Langevin(atoms, step, temperature_K=temperature, friction=0.05 / units.fs, fixcm=False, rng=rng)
    bath.run(round(250 / time_step))
    Stationary(atoms)
    ZeroRotation(atoms)
    for _ in range(4):
        dynamics: Any = VelocityVerlet(atoms, step)
        means = []
        for _ in range(round(125 / time_step)):
            dynamics.run(1)
            means.append(2 * atoms.get_kinetic_energy() / free)
        kinetic = atoms.get_kinetic_energy()
        wanted = kinetic + free * (units.kB * temperature - np.mean(means))
        atoms.set_momenta(atoms.get_momenta() * np.sqrt(max(wanted, 0.1 * kinetic) / kinetic))


def nve(
    potential: Potential, atoms: Any, temperature: float = 300.0, femtoseconds: float = 1000.0, seed: int = 0
) -> Trajectory:
    """Velocity-Verlet dynamics of a copy of the atoms at constant energy, in steps of 0.5 fs.

    The atoms should be at a minimum: velocities are drawn, and scaled to twice the kinetic energy of `temperature` (K),
    half of which becomes potential energy, so that the mean is `temperature` as far as vibrations are harmonic. Without
    motion or rotation of the whole. `thermalise` starts from anywhere.

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
    draw_momenta(molecule, temperature, np.random.default_rng(seed))
    Stationary(molecule)
    ZeroRotation(molecule)
    wanted = max(3 * len(molecule) - 6, 1) * units.kB * temperature
    molecule.set_momenta(molecule.get_momenta() * np.sqrt(wanted / molecule.get_kinetic_energy()))
    count = round(femtoseconds / TIME_STEP_FS)
    energies = np.empty((count + 1, 2))
    dynamics: Any = VelocityVerlet(molecule, TIME_STEP_FS * units.fs)
    for step in range(count + 1):
        if step:
            dynamics.run(1)
        energies[step] = molecule.get_total_energy(), molecule.get_potential_energy()
    return Trajectory(TIME_STEP_FS * np.arange(count + 1), energies[:, 0], energies[:, 1], len(molecule))
