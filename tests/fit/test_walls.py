"""Inside the shortest distances of the data energies rise, forces are their derivatives, and nothing else changes."""

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pytest

from nbody_ref.fit.walls import Walls

DEEP = 0.3


def test_dimers_of_every_pair_of_elements_rise_by_ten_electronvolts(potential):
    for a, b in combinations_with_replacement(potential.network.species, 2):
        edge = potential._walls.edges[a, b]
        dist = np.linspace(edge, DEEP, 12)
        energies = potential.predict([(np.array([[0.0, 0, 0], [d, 0, 0]]), np.array([a, b])) for d in dist]).energies
        assert energies[-1] - energies[0] > 10 and (np.diff(energies[3:]) > 0).all(), (a, b)


def test_what_was_learned_is_not_touched_outside_the_walls(potential, frames):
    bare = replace(potential, support=None)
    for ours, other in zip(potential.predict(frames[:8].geometries), bare.predict(frames[:8].geometries), strict=True):
        assert np.array_equal(ours, other)


def clash(frame):
    """Noise that pushes atoms into each other."""
    return frame.positions + np.random.default_rng(1).normal(0, 0.3, frame.positions.shape)


def derivative(energy, positions, direction, h=1e-4):
    """Fourth-order difference."""
    e = [energy(positions + k * h * direction) for k in (-2, -1, 1, 2)]
    return (e[0] - 8 * e[1] + 8 * e[2] - e[3]) / (12 * h)


def test_forces_inside_a_wall_are_the_derivative_of_the_energy(potential, frames):
    frame, positions = frames[0], clash(frames[0])
    assert potential._walls.pushed(positions, frame.numbers)[1]
    forces = potential.predict([(positions, frame.numbers)]).forces
    direction = np.random.default_rng(2).normal(size=positions.shape)

    def energy(r):
        return potential.predict([(r, frame.numbers)]).energies[0]

    slope = -derivative(energy, positions, direction)
    # the fifth derivative of a push of scale 0.03 A times h^4/30 is below 1e-5 of the slope
    assert abs(slope - np.sum(forces * direction)) < 1e-4 * np.abs(forces).max()
    assert np.abs(forces.sum(axis=0)).max() < 1e-9 * np.abs(forces).max()


@pytest.mark.parametrize("broken", [False, True])
def test_pulling_back_is_the_adjoint_of_pushing(potential, frames, broken):
    walls, numbers, positions = Walls(potential.support), frames[0].numbers, clash(frames[0])
    bar, direction = np.random.default_rng(3).normal(size=(2, *positions.shape))
    rounds = walls.pushed(positions, numbers)[1]
    if broken:
        rounds = [part._replace(slope=0 * part.slope) for part in rounds]
    h = 1e-5
    y = [walls.pushed(positions + s * h * direction, numbers)[0] for s in (1, -1)]
    wanted = np.sum(bar * (y[0] - y[1])) / (2 * h)
    error = abs(wanted - np.sum(walls.pulled_back(bar, rounds) * direction))
    assert (error > 1e-2) if broken else (error < 1e-4)
