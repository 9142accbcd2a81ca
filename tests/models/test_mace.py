"""MACE: counts and order of its product basis, its bases against each other, and numbers that mace-torch computed."""

import json
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, IrrepsError, NBodyRefError, ShapeError
from nbody_ref.fusion import symmetric_dimension
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.models.mace import Mace, MaceSpec
from nbody_ref.models.mace_paths import published_paths, symmetric
from nbody_ref.ops.activation import Activation

U = 2.0**-53
K = 1000  # more roundings than any way through three layers and back has
GRADIENT = 1e-10  # what is promised for weight gradients, relative to the largest of an array; rounding is at 1e-14
REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "mace_reference.json").read_text())
FRAMES = [(np.array(r), np.array(z)) for r, z in REFERENCE["frames"]]

# lmax -> nu -> root -> (comb paths, dimension of the symmetric space), reference counts of the MACE paper's code
COUNTS = {
    1: {
        2: {"0e": (2, 2), "1o": (2, 1), "2e": (1, 1)},
        3: {"0e": (4, 2), "1o": (6, 2), "2e": (3, 1)},
        4: {"0e": (10, 3), "1o": (16, 2), "2e": (12, 2)},
    },
    2: {
        2: {"0e": (3, 3), "1o": (4, 2), "2e": (4, 3)},
        3: {"0e": (11, 5), "1o": (21, 5), "2e": (23, 6)},
        4: {"0e": (55, 9), "1o": (124, 9), "2e": (148, 13)},
    },
    3: {
        2: {"0e": (4, 4), "1o": (6, 3), "2e": (7, 5)},
        3: {"0e": (23, 8), "1o": (51, 12), "2e": (65, 14)},
        4: {"0e": (204, 23), "1o": (520, 31), "2e": (720, 46)},
    },
}


def generator():
    """tests/models/mace_reference.py as a module."""
    spec = util.spec_from_file_location("mace_reference", Path(__file__).with_name("mace_reference.py"))
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PATTERN = generator().pattern


def spec_of(name):
    found = REFERENCE["models"][name]
    silu = {"name": "silu", "factor": found["silu_factor"]}
    return MaceSpec.from_dict(found["config"] | {"radial_activation": silu, "readout_activation": silu})


def model_of(name, **changes):
    empty = Mace(MaceSpec.from_dict(spec_of(name).to_dict() | changes))
    weights = {n: PATTERN(w.shape, k) for k, (n, w) in enumerate(empty.parameters.items())}
    return empty.with_parameters(weights)


@pytest.mark.parametrize("lmax", COUNTS)
def test_paths_and_symmetric_dimensions_are_the_published_integers(lmax):
    messages = Irreps([(1, irrep) for _, irrep in Irreps.harmonics(lmax)])
    for nu, by_root in COUNTS[lmax].items():
        for root, (combs, independent) in by_root.items():
            assert len(published_paths(messages, nu, Irrep.parse(root))) == combs
            assert symmetric_dimension(messages, nu, root) == independent
            if nu < 4:
                both = symmetric(messages, nu, Irrep.parse(root))
                assert (both.n_published, both.n_independent) == (combs, independent)


def test_symmetric_counts_over_all_orders_are_the_anchors_13_16_20():
    for root, total in (("0e", 13), ("1o", 16), ("2e", 20)):
        assert sum(symmetric_dimension("0e + 1o + 2e + 3o", nu, root) for nu in (1, 2, 3)) == total


@pytest.mark.parametrize("name", REFERENCE["models"])
def test_energies_and_forces_are_those_of_mace_torch(name):
    model, wanted = model_of(name), REFERENCE["models"][name]
    assert list(model.parameters) == list(wanted["gradients"])  # names and order
    energy, forces, S, slope_S = measured(model)
    assert (abs(energy - wanted["energies"]) <= K * U * S).all()
    assert (abs(forces - wanted["forces"]) <= K * U * slope_S).all()


@pytest.mark.parametrize("name", REFERENCE["models"])
def test_weight_gradients_of_a_force_loss_are_those_of_mace_torch(name):
    model, wanted = model_of(name), REFERENCE["models"][name]["gradients"]
    graph = model.graph(FRAMES)
    gradient = model.weight_gradient(graph, PATTERN((2,), 1), PATTERN((9, 3), 2))
    for k, (n, g) in enumerate(gradient.items()):
        pattern = PATTERN(g.shape, k + 3)
        assert abs((g * pattern).sum() - wanted[n]) <= GRADIENT * (abs(g) * abs(pattern)).sum(), n


def measured(model):
    """Energies and forces, and the first-order gauge of each: the sum over all variables of |adjoint| |value|."""
    graph = model.graph(FRAMES)
    values, batch = model.forward(graph)
    wrt = ("r", *model.parameters)
    bars = model.chain.vjp(values, batch, {model.root: np.ones_like(values[model.root])}, wrt)
    S = sum(np.sum(abs(x) * abs(values[n])) for n, x in bars.items())
    slope_S = np.zeros(graph.positions.shape)
    for place in np.ndindex(slope_S.shape):
        v = np.zeros_like(slope_S)
        v[place] = 1.0
        dots = model.chain.jvp(values, batch, {"r": v})
        bars_dot = model.chain.vjp_jvp(values, batch, dots, bars, wrt)
        slope_S[place] = sum(np.sum(abs(x) * abs(values[n])) for n, x in bars_dot.items())
        slope_S[place] += sum(np.sum(abs(x) * abs(dots[n])) for n, x in bars.items() if n in dots)
    return *model.energy_and_forces(graph), S, slope_S


PLANTED = {
    "couplings of another version of e3nn": {"convention": "nbody_ref"},
    "another cutoff polynomial": {"p": 6},
    "the exact second moment of silu": {"radial_activation": Activation.normalized("silu").to_dict()},
    "no division by the mean number of neighbours": {"neighbours": 1.0},
    "no scale": {"scale": 1.0},
}


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_errors_are_caught(planted):
    name = "defaults in small"
    wanted, (_, forces, _, slope_S) = REFERENCE["models"][name], measured(model_of(name, **PLANTED[planted]))
    assert not (abs(forces - wanted["forces"]) <= K * U * slope_S).all()


def test_exchanged_weights_of_two_paths_are_caught():
    name, key = "defaults in small", "products.0.symmetric_contractions.contractions.1.weights_max"
    model = model_of(name)
    weights = model.parameters[key].copy()
    assert weights.shape == (3, 51, 4)
    weights[:, [3, 4]] = weights[:, [4, 3]]
    _, forces, _, slope_S = measured(model.with_parameters({key: weights}))
    assert not (abs(forces - REFERENCE["models"][name]["forces"]) <= K * U * slope_S).all()


def test_reduced_basis_is_the_same_function_with_fewer_weights():
    """Weights folded by the exact expansion give the energies and forces of the published ones."""
    model = model_of("defaults in small")
    reduced = Mace(MaceSpec.from_dict(model.spec.to_dict() | {"product": "reduced"}))
    weights = dict(model.parameters)
    for name, array in reduced.parameters.items():
        if "contractions" in name:
            nu = 3 if name.endswith("max") else 2 - int(name.split(".")[-1])
            root = ("0e", "1o")[int(name.split(".")[4])]
            M = np.zeros((weights[name].shape[1], array.shape[1]))
            for k, i, value in symmetric(model.spec.messages, nu, Irrep.parse(root)).expansion:
                M[k, i] = value
            weights[name] = np.einsum("ki,zkc->zic", M, weights[name])
    again = Mace(reduced.spec, weights)
    assert again.parameters.n < model.parameters.n
    one, two = measured(model), measured(again)
    assert (abs(one[0] - two[0]) <= K * U * one[2]).all()
    assert (abs(one[1] - two[1]) <= K * U * one[3]).all()


def test_single_precision_follows_double():
    name = "defaults in small"
    model = model_of(name)
    single = Mace(
        MaceSpec.from_dict(model.spec.to_dict() | {"dtype": "float32"}),
        {n: w.astype(np.float32) for n, w in model.parameters.items()},
    )
    energy, forces, S, slope_S = measured(model)
    found, found_forces = single.energy_and_forces(single.graph(FRAMES))
    u = 2.0**-24
    assert (abs(found - energy) <= K * u * S).all() and (abs(found_forces - forces) <= K * u * slope_S).all()
    assert not (abs(found_forces - forces) <= K * U * slope_S).all()


BAD = {
    "'species' must be distinct": (NBodyRefError, {"species": (1, 1)}),
    "'cutoff' must be a positive number": (ArgumentError, {"cutoff": 0.0}),
    "'scale' must be a finite number": (ArgumentError, {"scale": float("nan")}),
    "'residual' must have 2 entries, got 1": (NBodyRefError, {"residual": (True,)}),
    "'residual' must be True or False": (NBodyRefError, {"residual": (0, 1)}),
    "'correlation' must be": (ArgumentError, {"correlation": (0, 1)}),
    "'product' must be 'published' or": (NBodyRefError, {"product": "comb"}),
    "'convention' must be '": (NBodyRefError, {"convention": "e3nn 7"}),
    "'hidden' must be irreps of O": (IrrepsError, {"hidden": "4x0e + 3x1o"}),
    "'energies' must have 2 entries, got 1": (NBodyRefError, {"energies": (1.0,)}),
    "'energies' must be finite": (NBodyRefError, {"energies": (1.0, float("inf"))}),
}


@pytest.mark.parametrize("message", BAD)
def test_descriptions_that_cannot_be_are_refused(message):
    error, change = BAD[message]
    with pytest.raises(error, match=message):
        MaceSpec(**{"species": (1, 6), "cutoff": 4.0} | change)


def test_parts_that_cannot_be_reached_and_weights_that_do_not_fit_are_refused():
    with pytest.raises(IrrepsError, match="2e"):
        Mace(MaceSpec((1,), 4.0, hidden="2x0e + 2x2e", lmax=1, correlation=(1, 1)))
    model = model_of("one layer")
    with pytest.raises(ShapeError, match=r"'node_embedding.linear.weight' must have shape \(9,\)"):
        model.with_parameters({"node_embedding.linear.weight": np.ones(8)})
    with pytest.raises(NBodyRefError, match="parameters are missing"):
        Mace(model.spec, {"node_embedding.linear.weight": np.ones(9)})
