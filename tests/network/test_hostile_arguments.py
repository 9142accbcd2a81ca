"""What does not belong to a network is refused in words, and nothing is spread over frames or atoms silently."""

import json

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, DTypeError, GeometryError, NBodyRefError, SchemeError, ShapeError
from nbody_ref.gates import Bare, Gate
from nbody_ref.graphs import build_graph
from nbody_ref.network import Network, Spec
from nbody_ref.network.default import default

WATER = np.array([[0.0, 0.0, 0.12], [0.0, 0.76, -0.47], [0.0, -0.76, -0.47]])
NUMBERS = [8, 1, 1]


@pytest.fixture(scope="module")
def network():
    return default((1, 8), 4.0, size=(2, 2, 2))


@pytest.fixture(scope="module")
def graph(network):
    return network.graph([(WATER, NUMBERS), (WATER * 1.1, NUMBERS)])


@pytest.mark.parametrize("wrong", [None, 5, "x", [], WATER, [WATER], [(WATER,)], [(WATER, NUMBERS, 1)], {1: 2}])
def test_frames_are_pairs_of_positions_and_numbers(network, wrong):
    with pytest.raises(ShapeError, match="must"):
        network.graph(wrong)


METHODS = ("energy", "energy_and_forces", "states", "node_energies", "readout_features", "trace")


@pytest.mark.parametrize("method", METHODS)
def test_only_graphs_of_the_networks_own_cutoff_are_taken(network, graph, method):
    run = getattr(network, method)
    run(graph)
    for wrong in (None, 5, [(WATER, NUMBERS)], WATER):
        with pytest.raises(DTypeError, match=r"'graph' must be made by its graph\(\), got"):
            run(wrong)
    for cutoff in (1.0, 5.0):  # neighbours are missing, or there are some too many: a wrong energy without a word
        with pytest.raises(GeometryError, match=r"'graph' must have the cutoff 4\.0, got one of cutoff"):
            run(build_graph([WATER], [NUMBERS], cutoff))


def test_derivatives_of_a_loss_have_the_shape_of_what_they_belong_to(network, graph):
    good = np.ones(2), np.ones((6, 3))
    gradient = network.weight_gradient(graph, *good).flat()
    assert np.abs(gradient).max() > 0
    for wrong in (np.ones(1), np.ones(()), np.ones((2, 1)), np.ones(3), None, "x"):  # the first two would be spread
        with pytest.raises(NBodyRefError, match="'energy_bar' must"):
            network.weight_gradient(graph, wrong, good[1])
    for wrong in (np.ones(3), np.ones((1, 3)), np.ones((6, 1)), None):
        with pytest.raises(NBodyRefError, match="'forces_bar' must"):
            network.weight_gradient(graph, good[0], wrong)
    for bars in (None, [1], {"dipole": np.ones((2, 3))}):
        with pytest.raises(NBodyRefError, match="derivatives by output"):
            network.outputs_gradient(graph, lambda found, bars=bars: (0.0, bars))
    with pytest.raises(NBodyRefError, match="'wrt' must name weights"):
        network.weight_gradient(graph, *good, wrt=["nonsense"])


def test_weights_keep_their_dtype_and_shape(network):
    parameters = network.parameters
    name = next(iter(parameters))
    for wrong in (parameters[name].astype(np.float32), parameters[name] * 1j, parameters[name].astype(int), None, "x"):
        with pytest.raises(NBodyRefError, match="must"):
            network.with_parameters({name: wrong})
    for wrong in (None, 5, [name]):
        with pytest.raises(DTypeError, match="'arrays' must map names to arrays"):
            network.with_parameters(wrong)
    for wrong in (None, "x", parameters.flat()[:-1], parameters.flat()[None]):
        with pytest.raises(NBodyRefError, match="'vector' must"):
            parameters.from_flat(wrong)
    listed = network.with_parameters({name: parameters[name].tolist()})
    assert np.array_equal(listed.parameters[name], parameters[name])


@pytest.mark.parametrize("schemes", [5, [None], "ab", [WATER]])
def test_schemes_are_schemes(network, schemes):
    with pytest.raises(SchemeError, match="'schemes' must be Schemes"):
        network.graph([(WATER, NUMBERS)], schemes)


GATES = Gate((Bare(),)), Gate((Bare(),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"species": None}, "'species' must be distinct atomic numbers"),
        ({"species": (1.0,)}, "'species' must be distinct"),
        ({"cutoff": "3"}, "'cutoff' must be a positive length"),
        ({"cutoff": np.nan}, "'cutoff' must be"),
        ({"cutoff": True}, "'cutoff' must be"),
        ({"cutoff": 3j}, "'cutoff' must be"),
        ({"gates": None}, "'gates' must be a tuple"),
        ({"gates": (1, 2)}, "'gates' must be Gates"),
        ({"dtype": None}, "'dtype' must be"),
        ({"dtype": "float16"}, "'dtype' must be"),
        ({"dtype": 1.0}, "'dtype' must be"),
        ({"schemes": 5}, "'schemes' must be a layout"),
        ({"basis": ["real"]}, "'basis' must be"),
        ({"group": np.array(["O(3)"])}, "'group' must be"),
        ({"outputs": 5}, "'outputs' must be a tuple"),
        ({"outputs": ("energy",)}, "'outputs' must be pairs"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(change, message):
    good = {"species": (1, 8), "cutoff": np.inf, "gates": GATES}
    with pytest.raises(NBodyRefError, match=message):
        Spec(**{**good, **change})


def test_a_spec_of_numpys_kinds_is_the_one_of_pythons():
    plain = Spec((1, 8), np.inf, GATES, "float32")
    for dtype in (np.float32, np.dtype("float32")):
        other = Spec(np.array([1, 8], np.uint8), np.float32(np.inf), list(GATES), dtype)
        assert other == plain and json.dumps(other.to_dict()) == json.dumps(plain.to_dict())


def test_a_network_is_made_from_a_spec_and_an_integer():
    spec = Spec((1, 8), np.inf, GATES)
    for wrong in (None, 5, spec.to_dict()):
        with pytest.raises(DTypeError, match="'spec' must be a Spec"):
            Network(wrong)
    for seed in (-1, 1.5, None, "0", True):
        with pytest.raises(ArgumentError, match="'seed' must be a non-negative integer"):
            Network(spec, seed=seed)
