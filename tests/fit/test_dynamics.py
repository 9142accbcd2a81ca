"""The molecule moves: it relaxes to a minimum, and dynamics keep its energy."""

import numpy as np
from ase import Atoms

from nbody_ref.fit import nve, relax


def test_relaxation_ends_at_a_stationary_point_lower_in_energy(potential, frames):
    atoms = Atoms(frames[0].numbers, frames[0].positions)
    relaxed = relax(potential, atoms, max_force=0.02)
    assert relaxed.converged and relaxed.max_force < 0.02 and relaxed.energy_drop > 0.05
    assert np.array_equal(atoms.positions, frames[0].positions)  # a copy was relaxed
    bonds = np.linalg.norm(relaxed.atoms.positions[0] - relaxed.atoms.positions[1])
    assert 1.45 < bonds < 1.60  # C-C, experiment 1.51 A


def test_dynamics_keep_the_energy_to_the_order_of_velocity_verlet(potential, frames):
    relaxed = relax(potential, Atoms(frames[0].numbers, frames[0].positions), max_force=0.05).atoms
    trajectory = nve(potential, relaxed, temperature=300.0, femtoseconds=60.0)
    assert len(trajectory.times) == 121 and trajectory.times[-1] == 60.0
    kinetic = trajectory.total - trajectory.potential
    assert abs(kinetic[0] - 21 * 8.617333e-5 * 300) < 1e-5  # twice that of 21 vibrations at 300 K: half of it leaves
    assert kinetic.min() > 0
    # energy oscillates by (omega dt)^2/8 of that of an O-H stretch, omega dt = 0.35, and does not run away
    assert np.ptp(trajectory.total) < 0.02 * kinetic[0] + 0.005
    assert np.ptp(trajectory.potential) > 5 * np.ptp(trajectory.total)
