"""Physics of the network: what a rotation, an inversion, a translation and a relabelling do."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nbody_ref.errors import GeometryError, IrrepsError, NBodyRefError, SchemeError, ShapeError
from nbody_ref.gates import Bare, Directed, Gate, Product
from nbody_ref.irreps import Irreps
from nbody_ref.network import Network, Spec
from nbody_ref.ops.radial import Bessel

U = 2.0**-53
METHANOL = np.array(
    [
        [-0.047131, 0.664389, 0.0],
        [-0.047131, -0.758551, 0.0],
        [-1.092995, 0.969785, 0.0],
        [0.878534, -1.048458, 0.0],
        [0.437145, 1.080376, 0.891772],
        [0.437145, 1.080376, -0.891772],
    ]
)
NUMBERS = np.array([6, 8, 1, 1, 1, 1])


def molecule(seed=0):
    return METHANOL + 0.05 * np.random.default_rng(seed).standard_normal(METHANOL.shape)


def two_levels(dtype="float64"):
    """Covariant states at level 1, invariants at level 2, each term type used."""
    bessel = Bessel(4, 4.0)
    first = Gate((Directed(bessel, 2), Bare("centre")), Irreps("3x0e + 2x1o + 2x2e"))
    leg = Directed(bessel, 2, mul=3, mixed_lmax=2)
    second = Gate(
        (Directed(bessel, 2, keep=("0e",)), Product((leg, leg, leg), ("0e",), bond=2), Bare("centre")),
        Irreps("1x0e"),
    )
    return Network(Spec((1, 6, 8), 4.0, (first, second, Gate((Bare(),))), dtype), seed=1)


@pytest.fixture(scope="module")
def network():
    return two_levels()


@pytest.fixture(scope="module")
def gauge(network):
    """First-order rounding gauge of the energy and the forces."""
    return condition(network, molecule())


def condition(network, positions, step=1e-5):
    """S of the energy, sum |F| |r| + sum |node energy|, and of the forces, max over sum |dF/dr| |r| + |F|."""
    graph = network.graph([(positions, NUMBERS)])
    _, forces = network.energy_and_forces(graph)
    energy_scale = np.abs(network.node_energies(graph)).sum() + np.sum(np.abs(forces) * np.abs(positions))
    total = np.abs(forces)
    for i in np.ndindex(positions.shape):
        moved = positions.copy()
        moved[i] += step
        slope = (network.energy_and_forces(network.graph([(moved, NUMBERS)]))[1] - forces) / step
        total = total + np.abs(slope) * np.abs(positions[i])
    return energy_scale, total.max()


# Roundings along the longest way through two levels: distances 4, harmonics 12, radial 16, two messages of at most
# 5 neighbours, two mixings of at most 40 terms, two products, the sums over children; forward and back.
K = 2 * (4 + 12 + 16 + 2 * 20 + 2 * 40 + 20 + 12)


def energy_and_forces(network, positions, numbers=NUMBERS):
    energy, forces = network.energy_and_forces(network.graph([(positions, numbers)]))
    return energy[0], forces


@pytest.mark.parametrize("seed", range(3))
def test_rotation_leaves_energy_and_turns_forces(network, gauge, seed):
    rotation = Rotation.random(random_state=seed)
    positions = molecule()
    energy, forces = energy_and_forces(network, positions)
    turned_energy, turned = energy_and_forces(network, rotation.apply(positions))
    assert abs(turned_energy - energy) <= K * U * gauge[0]
    assert np.abs(turned - rotation.apply(forces)).max() <= K * U * gauge[1]


def test_inversion_leaves_energy_and_inverts_forces(network, gauge):
    energy, forces = energy_and_forces(network, molecule())
    other_energy, other = energy_and_forces(network, -molecule())
    assert abs(other_energy - energy) <= K * U * gauge[0]
    assert np.abs(other + forces).max() <= K * U * gauge[1]


def test_translation_by_a_dyadic_vector_changes_no_bit(network):
    positions = np.round(molecule() * 2**20) / 2**20
    moved = positions + np.array([4.0, -8.0, 16.0])
    assert energy_and_forces(network, moved)[0] == energy_and_forces(network, positions)[0]
    assert np.array_equal(energy_and_forces(network, moved)[1], energy_and_forces(network, positions)[1])


def test_relabelling_like_atoms_relabels_forces(network, gauge):
    order = np.array([0, 1, 4, 2, 5, 3])
    energy, forces = energy_and_forces(network, molecule())
    other_energy, other = energy_and_forces(network, molecule()[order], NUMBERS[order])
    assert abs(other_energy - energy) <= K * U * gauge[0]
    assert np.abs(other - forces[order]).max() <= K * U * gauge[1]


def test_net_force_and_torque_vanish(network, gauge):
    positions = molecule()
    _, forces = energy_and_forces(network, positions)
    assert np.abs(forces.sum(axis=0)).max() <= K * U * gauge[1] * len(positions)
    torque = np.cross(positions, forces).sum(axis=0)
    assert np.abs(torque).max() <= K * U * gauge[1] * len(positions) * np.abs(positions).max()


def test_a_term_that_is_not_covariant_is_caught(network, gauge):
    """Plant an error: one component of the harmonics of degree 1 scaled by 1 + 1e-6."""
    positions, rotation = molecule(), Rotation.random(random_state=0)

    def planted(where):
        values, batch = network.forward(network.graph([(where, NUMBERS)]))
        name = next(s.output for s in network.chain.steps if s.op.name == "solid")
        first = next(i for i, s in enumerate(network.chain.steps) if s.output == name)
        values[name] = values[name] * np.where(np.arange(values[name].shape[1]) == 2, 1 + 1e-6, 1.0)
        rest = type(network.chain)(network.chain.steps[first + 1 :])
        return rest.forward(values, batch)[network.root][0, 0]

    assert abs(planted(rotation.apply(positions)) - planted(positions)) > K * U * gauge[0]


def test_forces_are_minus_the_gradient(network):
    """Complex-free central differences at two steps: the error falls as the square of the step."""
    positions = molecule()
    _, forces = energy_and_forces(network, positions)
    direction = np.random.default_rng(3).standard_normal(positions.shape)
    slope = -np.sum(forces * direction)
    errors = []
    for h in (2e-3, 1e-3):
        plus, minus = (energy_and_forces(network, positions + s * h * direction)[0] for s in (1, -1))
        errors.append(abs((plus - minus) / (2 * h) - slope))
    assert errors[1] < errors[0] / 3.5
    assert errors[1] < 1e-4 * abs(slope)


def test_batch_equals_molecules_one_by_one(network):
    other = molecule(7)[:3]
    graph = network.graph([(molecule(), NUMBERS), (other, NUMBERS[:3]), (molecule(2), NUMBERS)])
    energy, forces = network.energy_and_forces(graph)
    for i, (r, z) in enumerate([(molecule(), NUMBERS), (other, NUMBERS[:3]), (molecule(2), NUMBERS)]):
        alone, alone_forces = network.energy_and_forces(network.graph([(r, z)]))
        assert energy[i] == alone[0]
        assert np.array_equal(forces[graph.frame == i], alone_forces)


def test_node_energies_add_up(network):
    graph = network.graph([(molecule(), NUMBERS), (molecule(1), NUMBERS)])
    nodes = network.node_energies(graph)
    sums = np.array([nodes[graph.frame == i].sum() for i in range(2)])
    assert np.all(np.abs(sums - network.energy(graph)) <= 6 * U * np.abs(nodes).sum())


def test_energy_is_linear_in_the_readout(network):
    graph = network.graph([(molecule(), NUMBERS)])
    features, weights = network.readout_features(graph), network.parameters[network.readout]
    terms = features * weights[network.kinds(graph).astype(int)]
    bound = (features.shape[1] + 6) * U * np.abs(terms).sum()
    assert abs(terms.sum() - network.energy(graph)[0]) <= bound


def test_readout_features_jvp_gives_the_forces(network):
    positions = molecule()
    graph = network.graph([(positions, NUMBERS)])
    r_dot = np.random.default_rng(5).standard_normal(positions.shape)
    weights = network.parameters[network.readout][network.kinds(graph).astype(int)]
    rate = network.readout_features_jvp(graph, r_dot) * weights
    forces = network.energy_and_forces(graph)[1]
    bound = K * U * (np.abs(rate).sum() + np.abs(forces * r_dot).sum())
    assert abs(rate.sum() + np.sum(forces * r_dot)) <= bound


def test_weight_gradient_of_a_force_loss_is_the_slope(network):
    """Central differences in one random direction of all weights, at two steps: the error falls as the square."""
    graph, rng = network.graph([(molecule(), NUMBERS), (molecule(1)[:4], NUMBERS[:4])]), np.random.default_rng(6)
    energy_target, forces_target = rng.standard_normal(2), rng.standard_normal(graph.positions.shape)

    def loss(weights):
        energy, forces = network.with_parameters(weights).energy_and_forces(graph)
        return 0.5 * np.sum((energy - energy_target) ** 2) + 0.5 * np.sum((forces - forces_target) ** 2)

    energy, forces = network.energy_and_forces(graph)
    gradient = network.weight_gradient(graph, energy - energy_target, forces - forces_target)
    direction = rng.standard_normal(network.parameters.n)
    slope = gradient.flat() @ direction
    errors = []
    for h in (1e-3, 5e-4):
        moved = [network.parameters.from_flat(network.parameters.flat() + s * h * direction) for s in (1, -1)]
        errors.append(abs((loss(moved[0]) - loss(moved[1])) / (2 * h) - slope))
    assert errors[1] < errors[0] / 3.5
    assert errors[1] < 1e-3 * abs(slope)


def test_weight_gradient_of_chosen_weights_is_the_same(network):
    graph = network.graph([(molecule(), NUMBERS)])
    bars = np.ones(1), np.ones((6, 3))
    whole, part = network.weight_gradient(graph, *bars), network.weight_gradient(graph, *bars, wrt=[network.readout])
    assert list(part) == [network.readout]
    assert np.array_equal(part[network.readout], whole[network.readout])


def test_float32_network_agrees_to_its_precision(gauge):
    energy, forces = energy_and_forces(two_levels(), molecule())
    single = two_levels("float32")
    low_energy, low_forces = energy_and_forces(single, molecule())
    assert single.forward(single.graph([(molecule(), NUMBERS)]))[0][single.root].dtype == np.float32
    assert abs(low_energy - energy) <= K * 2.0**-24 * gauge[0]
    assert np.abs(low_forces - forces).max() <= K * 2.0**-24 * gauge[1]


def test_single_atom_and_far_atoms_have_no_forces(network):
    far = np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]])
    energy, forces = network.energy_and_forces(network.graph([(far[:1], [6]), (far, [6, 6])]))
    assert np.all(forces == 0)
    assert energy[1] == 2 * energy[0]


def test_spec_survives_json(network):
    import json

    spec = Spec.from_dict(json.loads(json.dumps(network.spec.to_dict())))
    assert spec == network.spec


def test_flat_parameters_round_trip(network):
    flat = network.parameters.flat()
    again = network.parameters.from_flat(flat)
    assert list(again) == list(network.parameters)
    assert all(np.array_equal(again[k], network.parameters[k]) for k in again)


def test_bad_requests_are_explained(network):
    with pytest.raises(GeometryError, match=r"atom 1 has atomic number 7"):
        network.energy(network.graph([(METHANOL[:2], [6, 7])]))
    with pytest.raises(ShapeError, match="is not a parameter"):
        network.with_parameters({"nonsense": np.zeros(1)})
    with pytest.raises(ShapeError, match="must have shape"):
        network.with_parameters({network.readout: np.zeros(1)})
    with pytest.raises(NBodyRefError, match="distinct"):
        Spec((1, 1), 3.0, (Gate((Bare(),)), Gate((Bare(),))))
    with pytest.raises(IrrepsError, match="one scalar"):
        vector = Network(Spec((1, 6, 8), 4.0, (Gate((Directed(Bessel(2, 4.0), 1),), "1x1o"), Gate((Bare(),)))))
        vector.energy(vector.graph([(METHANOL, NUMBERS)]))


def test_species_of_numpy_integers_are_written_as_json():
    gates = two_levels().spec.gates
    spec = Spec(tuple(np.unique(NUMBERS)), 4.0, gates)
    assert spec == Spec((1, 6, 8), 4.0, gates)
    assert json.loads(json.dumps(spec.to_dict()))["species"] == [1, 6, 8]


@pytest.mark.parametrize("species", [(), (1, 1), (1.5,), (-1,), (0,), ("H",), 6])
def test_species_that_are_no_atomic_numbers_are_refused(species):
    with pytest.raises(NBodyRefError, match="'species' must be distinct atomic numbers"):
        Spec(species, 4.0, two_levels().spec.gates)


@pytest.mark.parametrize("term", [Directed(Bessel(2, 4.0), 1), Bare("centre")])
def test_a_root_without_position_refuses_terms_that_need_one(term):
    gate = Gate((Directed(Bessel(2, 4.0), 1),), Irreps("1x0e"))
    with pytest.raises(SchemeError, match=r"root: a term (Directed|Bare\(\"centre\"\)) needs parents with a position"):
        Network(Spec((1, 6), 4.0, (gate, Gate((term,), Irreps("1x0e")))))
