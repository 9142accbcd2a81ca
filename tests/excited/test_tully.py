"""Scattering on Tully's models: the published behaviour of hops, conservation laws, and what the wave packet says."""

import json
from pathlib import Path

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import ArgumentError
from nbody_ref.excited import tully
from nbody_ref.kernels import tully as loops

WAYS = ("T1", "T2", "R1", "R2")
REFERENCE = {  # fewest switches and Landau-Zener of an independent program, 1000 trajectories each
    ("SAC", 10): ((0.842, 0.158, 0, 0), (0.690, 0.310, 0, 0)),
    ("SAC", 20): ((0.515, 0.485, 0, 0), (0.441, 0.559, 0, 0)),
    ("SAC", 30): ((0.281, 0.719, 0, 0), (0.332, 0.668, 0, 0)),
    ("DAC", 16): ((0.899, 0.101, 0, 0), (0.900, 0.100, 0, 0)),
    ("DAC", 30): ((0.340, 0.660, 0, 0), (0.657, 0.343, 0, 0)),
    ("DAC", 50): ((0.995, 0.005, 0, 0), (0.529, 0.471, 0, 0)),
    ("ECR", 10): ((0.695, 0, 0.291, 0.014), (1, 0, 0, 0)),
    ("ECR", 20): ((0.597, 0, 0.337, 0.066), (1, 0, 0, 0)),
    ("ECR", 30): ((0.551, 0.449, 0, 0), (1, 0, 0, 0)),
}
EXACT = {  # an independent split operator
    ("SAC", 20): (0.508, 0.492, 0, 0),
    ("DAC", 30): (0.345, 0.655, 0, 0),
    ("ECR", 20): (0.605, 0, 0.157, 0.239),
}


def off(found, wanted, n=1000):
    """Largest deviation in standard errors of n trajectories."""
    found, wanted = np.array([found[way] for way in WAYS]), np.array(wanted, dtype=float)
    return np.max(np.abs(found - wanted) / np.sqrt(np.maximum(wanted * (1 - wanted), 1 / n) / n))


@pytest.mark.parametrize("model, k", REFERENCE, ids=str)
def test_hops_reproduce_an_independent_program(model, k):
    for method, wanted in zip(("fssh", "lzsh"), REFERENCE[model, k]):
        assert off(tully.scatter(model, k, method, 1000), wanted) < 3


def test_comparison_sees_probabilities_that_are_off():
    """Twin: fewest switches do not pass for Landau-Zener hops, nor one momentum for another."""
    assert off(tully.scatter("DAC", 50, "fssh"), REFERENCE["DAC", 50][1]) > 3
    assert off(tully.scatter("SAC", 20, "fssh"), REFERENCE["SAC", 30][0]) > 3


@pytest.mark.parametrize("model, k", EXACT, ids=str)
def test_wave_packet_reproduces_an_independent_split_operator(model, k):
    found = tully.scatter(model, k)
    assert all(abs(found[way] - p) < 0.001 for way, p in zip(WAYS, EXACT[model, k]))
    assert abs(sum(found.values()) - 1) < 1e-4


def test_hopping_fails_where_the_wave_packet_says_so():
    """Reflection with extended coupling lacks decoherence; Landau-Zener hops know no phases and see no minimum."""
    exact, hops = tully.scatter("ECR", 20), tully.scatter("ECR", 20, "fssh")
    assert hops["R1"] > 1.8 * exact["R1"] and hops["R2"] < 0.5 * exact["R2"]
    assert tully.scatter("ECR", 20, "lzsh")["T1"] == 1 and tully.hop("ECR", 20, "lzsh").hops == 0
    assert tully.scatter("DAC", 50)["T2"] < 0.01 and tully.scatter("DAC", 50, "lzsh")["T2"] > 0.4


def test_norm_of_amplitudes_is_conserved_to_rounding():
    """Each of the some 2700 steps multiplies by a rotation whose entries carry at most 8 roundings."""
    run = tully.hop("SAC", 30, "fssh", trajectories=100)
    assert 0 < run.norm < 2700 * 8 * 2**-53


def test_energy_error_is_of_second_order_in_the_time_step():
    coarse, fine = (tully.hop("SAC", 20, "lzsh", 20, dt=dt).drift for dt in (2.0, 1.0))
    assert 3.5 < coarse / fine < 4.5


@pytest.mark.parametrize("model", tully.MODELS)
def test_gradients_and_coupling_are_derivatives_of_the_eigenvalues_and_states(model):
    number, constants = tully.MODELS[model]
    for x in (-7.3, -1.1, -0.2, 0.4, 2.9):
        e0, e1, g0, g1, d = loops.adiabatic(number, constants, x)
        for i, (energy, gradient) in enumerate(((e0, g0), (e1, g1))):
            exact = mpmath.diff(lambda y, i=i: eigen(model, y)[0][i], x)
            assert abs(energy - eigen(model, x)[0][i]) < 8 * 2**-53 * 0.2
            assert abs(gradient - exact) < 1e-13
        turn = mpmath.diff(lambda y: eigen(model, y)[1], x)
        assert abs(abs(d) - abs(turn)) < 1e-12 * (1 + abs(turn))


def eigen(model, x):
    """Energies and the angle of the lower state, by mpmath from the printed potentials."""
    x = mpmath.mpf(x)
    if model == "SAC":
        a = mpmath.sign(x) * mpmath.mpf(0.01) * (1 - mpmath.exp(-mpmath.mpf(1.6) * abs(x)))
        b, c = -a, mpmath.mpf(0.005) * mpmath.exp(-x * x)
    elif model == "DAC":
        a, b = mpmath.mpf(0), mpmath.mpf(0.05) - mpmath.mpf(0.1) * mpmath.exp(-mpmath.mpf(0.28) * x * x)
        c = mpmath.mpf(0.015) * mpmath.exp(-mpmath.mpf(0.06) * x * x)
    else:
        a, tail = mpmath.mpf(6e-4), mpmath.mpf(0.1) * mpmath.exp(-mpmath.mpf(0.9) * abs(x))
        b, c = -a, tail if x < 0 else mpmath.mpf(0.2) - tail
    g = mpmath.sqrt(((a - b) / 2) ** 2 + c * c)
    return ((a + b) / 2 - g, (a + b) / 2 + g), mpmath.atan2(2 * c, a - b) / 2


def test_same_seed_same_bits_other_seed_other_hops():
    first, again, other = (tully.hop("SAC", 20, "fssh", 200, seed) for seed in (3, 3, 4))
    assert first == again and first != other


@pytest.mark.parametrize(
    "arguments, word",
    [
        (("XYZ", 20), "'model'"),
        (("SAC", 0), "'k'"),
        (("SAC", np.nan), "'k'"),
        (("SAC", 20, "ehrenfest"), "'method'"),
        (("SAC", 20, "fssh", 0), "'trajectories'"),
        (("SAC", 20, "fssh", 10, -1), "'seed'"),
    ],
)
def test_arguments_are_refused_by_name(arguments, word):
    with pytest.raises(ArgumentError, match=word):
        tully.scatter(*arguments)


def test_committed_table_is_what_the_trajectories_give():
    kept = json.loads((Path(__file__).parents[2] / "benchmarks" / "tully.json").read_text())
    assert len(kept) == 27
    found = tully.scatter("DAC", 30, "fssh")
    assert all(abs(kept["DAC 30 fssh"][way] - found[way]) < 0.005 for way in WAYS)
