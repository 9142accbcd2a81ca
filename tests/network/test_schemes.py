"""Networks on composition schemes given by hand."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nbody_ref.errors import NBodyRefError, SchemeError
from nbody_ref.gates import Bare, Directed, Gate, Product
from nbody_ref.network import Network, Schemes, Spec
from nbody_ref.ops.radial import Bessel, InversePowers
from nbody_ref.scheme import Node, Scheme, neighbourhoods

U = 2.0**-53
NUMBERS = np.array([6, 8, 1, 1, 1, 1])
METHANOL = np.array(
    [
        [-0.047131, 0.664389, 0.01],
        [-0.047131, -0.758551, 0.0],
        [-1.092995, 0.969785, 0.02],
        [0.878534, -1.048458, 0.0],
        [0.437145, 1.080376, 0.891772],
        [0.437145, 1.080376, -0.891772],
    ]
)


def groups():
    """Atoms, then CH3 and OH at their centroids sharing the C-O bond as a sub-part, then the molecule."""
    atoms = [Node([i], kind=int(z)) for i, z in enumerate(NUMBERS)]
    bond = Node([0, 1], [0, 1], "CO")
    methyl = Node([0, 1, 2, 4, 5], [6, 2, 4, 5], "methyl", {0: 1})
    hydroxyl = Node([0, 1, 3], [6, 3], "hydroxyl")
    return Scheme([*atoms, bond, methyl, hydroxyl, Node(range(6), [7, 8], "molecule")])


def group_network(seed=0):
    bessel = Bessel(3, 6.0)
    bond = Gate((Directed(InversePowers((1, 2)), 2),), "3x0e + 2x1o + 1x2e")
    leg = Directed(bessel, 1, mul=2, mixed_lmax=1)
    group = Gate((Directed(bessel, 2), Directed(bessel, 2, level=0), Product((leg, leg), ("0e", "1o"))), "3x0e + 2x1o")
    leg = Directed(InversePowers((0, 1)), 1, mul=2, mixed_lmax=1)
    root = Gate((Directed(InversePowers((1,)), 1, keep=("0e",)), Product((leg, leg), ("0e",)), Bare()), "1x0e")
    spec = Spec((1, 6, 8), 3.0, (bond, group, root), schemes=Schemes.like([groups()]))
    return Network(spec, seed=seed)


def run(network, positions):
    graph = network.graph([(positions, NUMBERS)], [groups()])
    energy, forces = network.energy_and_forces(graph)
    return energy[0], forces


def test_a_scheme_of_neighbourhoods_gives_the_network_of_neighbourhoods():
    gates = (
        Gate((Directed(Bessel(3, 2.0), 2), Bare("centre")), "2x0e + 2x1o"),
        Gate((Directed(Bessel(3, 2.0), 1), Bare("centre")), "1x0e"),
        Gate((Bare(),)),
    )
    found = Network(Spec((1, 6, 8), 2.0, gates), seed=4)
    plain = found.graph([(METHANOL, NUMBERS)])
    edges = [(int(i), int(j)) for i, j in zip(plain.edges.receivers, plain.edges.senders)]
    scheme = neighbourhoods([[j for i, j in edges if i == atom] for atom in range(6)], NUMBERS.tolist(), depth=2)
    kinds = tuple(tuple(("neighbourhood", level, z) for z in (1, 6, 8)) for level in (1, 2))
    layout = Schemes((*kinds, (("molecule",),)), ((0,), (1,), (2,)))
    given = Network(Spec((1, 6, 8), 2.0, gates, schemes=layout), dict(found.parameters))
    one, other = found.energy_and_forces(plain), given.energy_and_forces(given.graph([(METHANOL, NUMBERS)], [scheme]))
    assert one[0] == other[0]
    # forces are the same shares of edges, added level by level in another order: k = number of shares
    values, batch = found.forward(plain)
    bars = found.chain.vjp(values, batch, {found.root: np.ones((1, 1))}, ("r",))
    edge_bars = np.abs(bars["r-r[neighbours]/r_rel"]).sum(axis=0)
    assert np.all(np.abs(one[1] - other[1]) <= 4 * len(edges) * U * edge_bars)


def test_group_network_is_invariant_and_its_forces_are_the_gradient():
    network, rotation = group_network(), Rotation.random(random_state=1)
    energy, forces = run(network, METHANOL)
    turned_energy, turned = run(network, rotation.apply(METHANOL))
    # first-order gauge: what one rounding of each coordinate can do, times the roundings on the way
    size = np.abs(forces * METHANOL).sum() + abs(energy)
    assert abs(turned_energy - energy) <= 400 * U * size
    direction = np.random.default_rng(0).standard_normal(METHANOL.shape)
    slope, errors = -np.sum(forces * direction), []
    for h in (2e-3, 1e-3):
        plus, minus = (run(network, METHANOL + s * h * direction)[0] for s in (1, -1))
        errors.append(abs((plus - minus) / (2 * h) - slope))
    assert errors[1] < errors[0] / 3.5
    assert np.abs(turned - rotation.apply(forces)).max() < 1e-6 * np.abs(forces).max()  # differences above are sharper


def test_net_force_vanishes_when_positions_are_centroids():
    _, forces = run(group_network(), METHANOL)
    assert np.abs(forces.sum(axis=0)).max() <= 400 * U * np.abs(forces).sum()


def test_weight_gradient_is_the_slope_on_a_scheme():
    network = group_network()
    graph = network.graph([(METHANOL, NUMBERS)] * 2, [groups()] * 2)
    rng = np.random.default_rng(2)
    bars = rng.standard_normal(2), rng.standard_normal((12, 3))
    direction = rng.standard_normal(network.parameters.n)
    slope = network.weight_gradient(graph, *bars).flat() @ direction
    flat, errors = network.parameters.flat(), []
    for h in (1e-3, 5e-4):
        moved = []
        for s in (1, -1):
            energy, forces = network.with_parameters(
                network.parameters.from_flat(flat + s * h * direction)
            ).energy_and_forces(graph)
            moved.append(energy @ bars[0] + np.sum(forces * bars[1]))
        errors.append(abs((moved[0] - moved[1]) / (2 * h) - slope))
    assert errors[1] < errors[0] / 3.5


def test_spec_with_schemes_survives_json():
    spec = group_network().spec
    assert Spec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_labels_of_numpy_survive_json_and_others_are_refused():
    atoms = [Node([i], kind=z) for i, z in enumerate(NUMBERS[:2])]
    layout = Schemes.like([Scheme([*atoms, Node([0, 1], [0, 1], (np.int64(3), np.str_("pair")))])])
    assert Schemes.from_dict(json.loads(json.dumps(layout.to_dict()))) == layout
    strange = Schemes.like([Scheme([*atoms, Node([0, 1], [0, 1], frozenset([1]))])])
    with pytest.raises(SchemeError, match="labels in a file must be texts, numbers, or tuples"):
        strange.to_dict()


@pytest.mark.parametrize(
    ("kinds", "sources"),
    [
        ((), ()),
        ((("a",),), ()),
        ((("a",),), ((1,),)),
        ((("a",),), ((),)),
        (((),), ((0,),)),
        ((("a", "a"),), ((0,),)),
        (("a",), ((0,),)),
        ((("a",),), (0,)),
        (None, None),
    ],
)
def test_layouts_that_cannot_be_are_refused(kinds, sources):
    with pytest.raises(SchemeError, match=r"Schemes: '(kinds|sources)'"):
        Schemes(kinds, sources)


def test_what_does_not_fit_is_explained():
    network = group_network()
    with pytest.raises(SchemeError, match="one for each frame"):
        network.energy(network.graph([(METHANOL, NUMBERS)]))
    with pytest.raises(SchemeError, match="one for each frame"):
        network.energy(network.graph([(METHANOL[:5], NUMBERS[:5])], [groups()]))
    with pytest.raises(SchemeError, match="root at level 3"):
        flat = Scheme([*[Node([i], kind=int(z)) for i, z in enumerate(NUMBERS)], Node(range(6), range(6), "CO")])
        network.energy(network.graph([(METHANOL, NUMBERS)], [flat]))
    with pytest.raises(NBodyRefError, match="one for each of 3 levels"):
        Spec((1, 6, 8), np.inf, (Gate((Bare(),)),), schemes=Schemes.like([groups()]))
    with pytest.raises(SchemeError, match="'level' must be one of"):
        Network(Spec((1, 6, 8), np.inf, (Gate((Bare(level=2),)), Gate((Bare(),)))))
    found = Network(Spec((1, 6, 8), np.inf, (Gate((Bare(),)), Gate((Bare(),)))))
    with pytest.raises(SchemeError, match="finds neighbourhoods itself"):
        found.states(found.graph([(METHANOL, NUMBERS)], [groups()]))
