"""Rows: the linear equations are those of the network's own energies and forces, for any readout."""

import numpy as np
import pytest

from nbody_ref.fit.frames import Frame, Frames
from nbody_ref.fit.reading import ethanol
from nbody_ref.fit.rows import bytes_per_frame, column_orders, frame_chunks, rows, rows_along
from nbody_ref.network import default

U = 2.0**-53


@pytest.fixture(scope="module")
def mixed():
    """Ethanol, water and a pair of hydrogens: one batch of different molecules."""
    rng = np.random.default_rng(5)
    water = np.array([[0.0, 0.0, 0.1], [0.2, 0.8, -0.5], [-0.1, -0.7, -0.4]]) + 0.05 * rng.standard_normal((3, 3))
    pair = np.array([[0.3, -0.2, 0.5], [0.1, 0.4, 0.7]])
    small = [Frame(np.array([8, 1, 1]), water, 0.0, water), Frame(np.array([1, 1]), pair, 0.0, pair)]
    return Frames((*ethanol()[:2].frames, *small))


@pytest.fixture(scope="module")
def network():
    return default((1, 6, 8), cutoff=4.0, size=(6, 5, 3), seed=2)


def test_rows_times_readout_are_energies_and_forces_of_the_network(network, mixed):
    """Forward mode here, reverse mode there: two derivations of one derivative."""
    found = rows(network, mixed)
    w = np.random.default_rng(0).standard_normal(found.energy.shape[1])
    graph = network.graph(mixed.geometries)
    energy, forces = network.with_parameters({network.readout: w.reshape(3, -1)}).energy_and_forces(graph)
    # every entry passes through about 200 roundings (radials, harmonics, products of four, sums over neighbours)
    assert np.all(np.abs(found.energy @ w - energy) <= 200 * U * (np.abs(found.energy) @ np.abs(w)))
    gauge = np.abs(found.forces) @ np.abs(w)
    atoms = np.repeat(np.arange(len(mixed)), 3 * mixed.n_atoms)
    largest = np.array([gauge[atoms == f].max() for f in range(len(mixed))])[atoms]
    error = np.abs(found.forces @ w - forces.ravel())
    assert np.all(error <= 200 * U * largest)
    planted = found.forces.copy()
    planted[5] *= 1 + 1e-9
    assert not np.all(np.abs(planted @ w - forces.ravel()) <= 200 * U * largest)


def test_rows_of_a_batch_are_those_of_its_frames(network, mixed):
    whole = rows(network, mixed)
    parts = [rows(network, mixed[[i]]) for i in range(len(mixed))]
    for k in range(2):
        separate = np.concatenate([part[k] for part in parts])
        size = np.abs(separate).max(axis=0)
        assert np.all(np.abs(whole[k] - separate) <= 200 * U * size)


def test_rows_along_directions_are_components_of_the_rows_of_coordinates(network, mixed):
    """The last atom moves as well, which `rows` leaves to translation invariance."""
    directions = np.random.default_rng(4).standard_normal((4, mixed.n_atoms.sum(), 3))
    whole, along = rows(network, mixed), rows_along(network, mixed, directions)
    assert np.array_equal(along.energy, whole.energy)
    first, found, size = 0, along.forces.reshape(len(mixed), 4, -1), np.abs(whole.forces).max(axis=0)
    for f, n in enumerate(mixed.n_atoms):
        q, block = directions[:, first : first + n].reshape(4, -1), whole.forces[3 * first : 3 * (first + n)]
        bound = 200 * U * np.abs(q).sum(axis=1)[:, None] * size
        assert np.all(np.abs(found[f] - q @ block) <= bound)
        assert not np.all(np.abs(found[f] - q[:, ::-1] @ block) <= bound)  # planted: coordinates in another order
        first += n


def test_forces_of_a_frame_sum_to_zero_in_every_column(network, mixed):
    forces = rows(network, mixed[:1]).forces.reshape(9, 3, -1)
    assert np.all(np.abs(forces.sum(axis=0)) <= 16 * U * np.abs(forces).sum(axis=0))


def test_atoms_beyond_the_cutoff_give_no_force(network):
    far = Frames((Frame(np.array([1, 1]), np.array([[0.0, 0, 0], [0, 0, 9.0]]), 0.0, np.zeros((2, 3))),))
    assert np.all(rows(network, far).forces == 0.0)


def test_chunks_are_consecutive_and_within_the_budget(network, mixed):
    one = bytes_per_frame(network, 9)
    for budget in (0, one, 2.5 * one, 100 * one):
        chunks = list(frame_chunks(network, mixed, budget))
        assert [i for chunk in chunks for i in chunk] == list(range(len(mixed)))
        for chunk in chunks:
            largest = max(len(mixed[i].numbers) for i in chunk)
            assert len(chunk) == 1 or len(chunk) * bytes_per_frame(network, largest) <= budget


def test_orders_count_the_legs_behind_each_column(network, mixed):
    orders = column_orders(network).reshape(3, -1)
    assert np.all(orders == orders[0]) and set(orders[0]) == {0, 1, 2, 3, 4}
    # psi of the centre: one column for each species; pairs: species times eight radial functions; 6 channels, l <= 3
    assert [np.count_nonzero(orders[0] == k) for k in range(3)] == [3, 24, 24]
