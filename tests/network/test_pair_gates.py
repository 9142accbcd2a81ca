"""Networks with first-order and relative gates, on neighbourhoods and on schemes: what rotations and forces do."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nbody_ref.errors import GeometryError
from nbody_ref.gates import Bare, Directed, Gate, Pairs, first_order, relative, zeroth_order
from nbody_ref.network import Network, Schemes, Spec
from nbody_ref.ops.radial import Bessel
from nbody_ref.scheme import Node, Scheme

U = 2.0**-53
NUMBERS = np.array([8, 1, 1, 1])
POSITIONS = np.array([[0.1, 0.0, -0.05], [0.9, 0.3, 0.2], [-0.4, 0.8, -0.3], [-0.2, -0.7, 0.6]])


def on_neighbourhoods():
    first = zeroth_order("2x0e + 2x1o")
    second = Gate((Directed(Bessel(2, 4.0), 1), Pairs(Bessel(2, 9.0), 2, keep=("0e",))), "1x0e")
    return Network(Spec((1, 8), np.inf, (Gate((*first.terms, Bare()), "2x0e + 1x1o"), second, Gate((Bare(),)))), seed=2)


def scheme():
    atoms = [Node([i], kind=int(z)) for i, z in enumerate(NUMBERS)]
    return Scheme([*atoms, Node([0, 1], [0, 1], "a"), Node([2, 3], [2, 3], "b"), Node(range(4), [4, 5], "all")])


def on_schemes():
    gates = (Gate((*first_order("2x0e + 1x1e").terms, Directed(Bessel(2, 4.0), 1)), "2x0e + 1x1o"), relative("1x0e"))
    return Network(Spec((1, 8), 4.0, gates, schemes=Schemes.like([scheme()])), seed=3)


def run(network, positions):
    graph = network.graph([(positions, NUMBERS)], [scheme()] if network.spec.schemes else None)
    energy, forces = network.energy_and_forces(graph)
    return energy[0], forces


# Roundings along the longest way: distances 4, harmonics 8, radial 16, inverse powers and their derivative 8, two sums
# over at most 3 children or 6 pairs with their products 2 * (6 + 8), two mixings of at most 12 terms, the sum over all
# atoms 4; forward and back, and as many again for the rotated positions themselves.
K = 2 * (4 + 8 + 16 + 8 + 28 + 24 + 4) + 12


def condition(network, positions, shift, step=1e-5):
    """First-order gauge S of the energy, |E| + sum |F| |r|, and of the forces, max over |F| + sum |dF/dr| |r|.

    The positions that are rounded are the shifted ones.
    """
    energy, forces = run(network, positions)
    size = np.linalg.norm(positions, axis=1, keepdims=True) + np.linalg.norm(shift)
    total = np.abs(forces)
    for i in np.ndindex(positions.shape):
        moved = positions.copy()
        moved[i] += step
        total = total + np.abs(run(network, moved)[1] - forces) / step * size[i[0]]
    return abs(energy) + np.sum(np.abs(forces) * size), total.max()


@pytest.mark.parametrize("make", [on_neighbourhoods, on_schemes])
def test_energy_is_invariant_and_forces_turn(make):
    network, shift = make(), [4.0, -8.0, 2.0]
    rotation = Rotation.random(random_state=1)
    energy, forces = run(network, POSITIONS)
    turned, turned_forces = run(network, -rotation.apply(POSITIONS) + shift)
    of_energy, of_forces = condition(network, POSITIONS, shift)
    assert abs(turned - energy) <= K * U * of_energy
    assert np.abs(turned_forces + rotation.apply(forces)).max() <= K * U * of_forces
    # positions wrong by 1e-9, and forces that did not turn, are seen
    wrong = -rotation.apply(POSITIONS) + shift
    wrong[0, 0] += 1e-9
    assert abs(run(network, wrong)[0] - energy) > K * U * of_energy
    assert np.abs(turned_forces + forces).max() > K * U * of_forces


@pytest.mark.parametrize("make", [on_neighbourhoods, on_schemes])
def test_forces_are_minus_the_gradient(make):
    """Central differences: the error falls with h^2, and what is left of it after that is taken out falls with h^4."""
    network, direction = make(), np.random.default_rng(0).standard_normal((4, 3))
    slope, steps = -np.sum(run(network, POSITIONS)[1] * direction), (2e-3, 1e-3, 5e-4)
    differences = []
    for h in steps:
        plus, minus = (run(network, POSITIONS + s * h * direction)[0] for s in (1, -1))
        differences.append((plus - minus) / (2 * h))
    coarse, fine = ((4 * b - a) / 3 for a, b in pairwise(differences))
    error = 2 * abs(fine - coarse)  # that of `fine` is a fifteenth of it, h^6 and rounding of E / h beside it
    assert abs(fine - slope) <= error
    assert abs(fine - slope * (1 + 1e-6)) > error  # a force wrong by a millionth is seen


@pytest.mark.parametrize(("dtype", "basis"), [("float64", "real"), ("complex64", "complex")])
def test_single_atoms_and_far_atoms_have_no_pairs(dtype, basis):
    gates = (Gate((Pairs(Bessel(2, 6.0), 1, keep=("0e",)), Bare("centre")), "1x0e"), Gate((Bare(),)))
    network = Network(Spec((1, 8), np.inf, gates, dtype, basis=basis), seed=0)
    far = np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]])
    energy, forces = network.energy_and_forces(network.graph([(far[:1], [8]), (far[1:], [1]), (far, [8, 1])]))
    assert np.all(forces == 0)
    assert energy[2] == energy[0] + energy[1]


def test_network_with_pairs_survives_pickling():
    network = on_schemes()
    copy = pickle.loads(pickle.dumps(network))
    assert run(copy, POSITIONS)[0] == run(network, POSITIONS)[0]


def test_subsystems_at_one_position_are_named():
    positions = np.round(POSITIONS * 2**20) / 2**20  # centroids without rounding
    positions[2:] = positions[:2] + [[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]
    with pytest.raises(GeometryError, match="children 0 and 1 of parent 0"):
        run(on_schemes(), positions)
