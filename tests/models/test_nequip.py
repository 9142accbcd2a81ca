"""NequIP: parameters in published order, counts, refusals. Symmetries: test_models.py; e3nn: test_nequip_e3nn.py."""

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, IrrepsError, NBodyRefError
from nbody_ref.models.nequip import NequIP, NequIPSpec
from nbody_ref.ops.activation import Activation


def test_parameters_have_the_published_order_and_sizes():
    model = NequIP(NequIPSpec((1, 8), 4.0, "4x0e + 3x1o", lmax=1, n_layers=2, n_radial=5, radial_widths=(6,)))
    sizes = {name: array.size for name, array in model.parameters.items()}
    first = ["linear_1", "radial/0", "radial/1", "linear_2", "self_connection"]
    layers = [f"layer{t}/{part}" for t in (1, 2) for part in first]
    assert list(sizes) == ["embedding", *layers, "readout/hidden", "readout/energy", "readout/shift"]
    # layer 1: 4x0e couples to 0e and 1o by one path each; 4 scalars and 3 gates come out
    assert [sizes[f"layer1/{part}"] for part in first] == [16, 30, 6 * 8, 4 * 7 + 4 * 3, 2 * 4 * 7]
    # layer 2: 0e 0e, 1o 1o -> 0e; 0e 1o, 1o 0e -> 1o (1o 1o -> 1e, 2e are not hidden irreps)
    assert [sizes[f"layer2/{part}"] for part in first] == [25, 30, 6 * 14, 7 * 7 + 7 * 3, 2 * (4 * 7 + 9)]
    ends = ("embedding", "readout/hidden", "readout/energy", "readout/shift")
    assert [sizes[name] for name in ends] == [8, 8, 2, 2]


def test_what_the_first_layer_cannot_reach_is_left_out():
    model = NequIP(NequIPSpec((1, 8), 4.0, "4x0e + 2x0o + 3x1o + 2x1e", lmax=1, n_layers=3))
    types = [str(model.irreps[f"layer{t}/h"]) for t in (1, 2, 3)]
    assert types[0] == "4x0e + 3x1o" and "1e" in types[1] and "0o" not in types[1] and "0o" in types[2]


def test_constants_are_in_the_model_not_hidden():
    exact, other = Activation.normalized("silu"), Activation("silu", 1.679)
    spec = NequIPSpec((1, 8), 4.0, "2x0e", lmax=0, n_layers=1)
    one, two = (NequIP(NequIPSpec(**{**vars(spec), "even": f}), seed=0) for f in (exact, other))
    graph = one.graph([(np.array([[0.0, 0, 0], [0, 0, 1.0]]), np.array([8, 1]))])
    assert one.energy(graph) != two.energy(graph)


def test_wrong_descriptions_are_named():
    with pytest.raises(NBodyRefError, match="'species' must be distinct atomic numbers"):
        NequIPSpec((1, 1), 4.0)
    with pytest.raises(NBodyRefError, match="'nonlinearity' must be 'gate' or 'norm' or 'norm with bias', got 'relu'"):
        NequIPSpec((1,), 4.0, nonlinearity="relu")
    with pytest.raises(NBodyRefError, match="'dtype' must be 'float64' or 'float32', got 'int8'"):
        NequIPSpec((1,), 4.0, dtype="int8")
    with pytest.raises(ArgumentError, match=r"'mean_neighbours' must be a positive number, got 0\.0"):
        NequIPSpec((1,), 4.0, mean_neighbours=0.0)
    with pytest.raises(ArgumentError, match="'cutoff' must be a positive number"):
        NequIPSpec((1,), -4.0)
    with pytest.raises(IrrepsError, match="'hidden' must hold scalars 0e, and each irrep once, got 3x1o"):
        NequIPSpec((1,), 4.0, "3x1o")
    with pytest.raises(NBodyRefError, match=r"parameters are missing: \['layer1/"):
        NequIP(NequIPSpec((1,), 4.0), {"embedding": np.zeros((1, 32))})


def test_float32_runs_through_the_same_program():
    spec = NequIPSpec((1, 8), 4.0, "4x0e + 2x1o", n_layers=1)
    double = NequIP(spec, seed=2)
    single = NequIP(
        NequIPSpec(**{**vars(spec), "dtype": "float32"}),
        {k: a.astype(np.float32) for k, a in double.parameters.items()},
    )
    graph = double.graph([(np.array([[0.0, 0, 0], [0, 0, 1.0], [0, 0.9, -0.3]]), np.array([8, 1, 1]))])
    e, f = single.energy_and_forces(graph)
    assert e.dtype == f.dtype == np.float64
    assert abs(e - double.energy(graph))[0] < 2.0**-16
