"""Fits: they learn, they repeat, they say what they need, and they keep what they have when interrupted."""

import numpy as np
import pytest

from nbody_ref.errors import DataError
from nbody_ref.fit import evaluate, fit, training
from nbody_ref.fit.frames import Frame, Frames

FAST = {"size": "small", "smoothness": 1.5, "progress": False, "curve": False}


def test_forty_frames_give_a_potential_of_ethanol(potential, frames):
    errors = evaluate(potential, frames[100:200]).to_dict()
    # measured 35 and 5; a wrong sign or unit anywhere gives hundreds
    assert errors["forces_mae_meV_per_A"] < 55 and errors["energy_mae_meV"] < 12
    assert errors["mean"]["forces_mae_meV_per_A"] > 700 and errors["mean"]["energy_mae_meV"] > 80


def test_the_record_holds_split_choices_and_data(potential, frames):
    record = potential.metadata
    assert sorted(record["split"]["train"] + record["split"]["test"]) == list(range(40))
    assert record["frames_used"] == 40 and record["data"]["sha256"] == frames.origin["sha256"]
    assert record["regularisation"] in record["options"]["regularisation"] and record["smoothness"] == 1.5
    assert record["holdout_errors"]["forces_mae_meV_per_A"] < 80


def test_hold_out_errors_are_those_of_a_fit_without_the_hold_out(potential, frames):
    """What the record calls hold-out errors is repeated by fitting the training part alone with the choice made."""
    part = potential.metadata["split"]
    job = training._Job(
        frames[:40], training.Options.build(FAST), lambda line: None, potential.baseline,
        training.Split(tuple(part["train"]), tuple(part["test"]), 0),
    )
    network = job.network(1.5)
    equations = job.equations(network, "dual")
    job.take_in(network, equations, part["train"], None)
    solution = next(equations.solve([potential.metadata["regularisation"]]))
    errors = job.errors(solution, job.design(network, part["test"]), part["test"])
    for key, value in potential.metadata["holdout_errors"].items():
        assert errors[key] == pytest.approx(value, rel=1e-6)


def test_a_fit_repeats_to_the_last_bit(frames):
    first, second = (fit(frames[:8], regularisation=1e-4, **FAST) for _ in range(2))
    name = first.network.readout
    assert np.array_equal(first.network.parameters[name], second.network.parameters[name])
    other = fit(frames[:8], regularisation=1e-4, seed=1, **FAST)
    assert not np.array_equal(first.network.parameters[name], other.network.parameters[name])


def test_primal_and_dual_are_one_potential(frames):
    predictions = []
    for solver in ("primal", "dual"):
        potential = fit(frames[:10], solver=solver, regularisation=1e-2, **FAST)
        predictions.append(potential.predict(frames[200:205].geometries))
    # rounding of either: u times the condition, at most columns / lambda = 3e5, times the 30^2 of energy rows: 3e-8
    assert np.abs(predictions[0].forces - predictions[1].forces).max() < 1e-7
    assert np.abs(predictions[0].energies - predictions[1].energies).max() < 1e-7


def test_energies_of_atoms_shift_nothing_but_the_constants(frames):
    shifted = Frames(tuple(f._replace(energy=f.energy + 1234.5) for f in frames[:8]))
    plain = Frames(frames[:8].frames)
    a, b = (fit(data, regularisation=1e-4, **FAST) for data in (plain, shifted))
    difference = b.predict(frames[8:12].geometries).energies - a.predict(frames[8:12].geometries).energies
    assert np.allclose(difference, 1234.5, rtol=0, atol=1e-6)


def test_several_molecules_and_choices_of_smoothness(frames):
    lines = []
    water = []
    rng = np.random.default_rng(0)
    for _ in range(6):
        r = np.array([[0.0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]) + 0.03 * rng.standard_normal((3, 3))
        d1, d2 = np.linalg.norm(r[1] - r[0]), np.linalg.norm(r[2] - r[0])
        pull = [20 * (d - 0.96) * (r[0] - x) / d for d, x in ((d1, r[1]), (d2, r[2]))]
        energy = -2078.0 + 10 * (d1 - 0.96) ** 2 + 10 * (d2 - 0.96) ** 2
        water.append(Frame(np.array([8, 1, 1]), r, energy, np.array([-pull[0] - pull[1], *pull])))
    data = Frames((*frames[:6].frames, *water))
    fast = {**FAST, "smoothness": (1.0, 2.0), "regularisation": (1e-3, 1e-5), "curve": True}
    potential = fit(data, log=lines.append, **fast)
    assert potential.metadata["smoothness"] in (1.0, 2.0)
    assert any("C2H6O, H2O" in line for line in lines) and any("memory" in line for line in lines)
    assert any("least squares" in line for line in lines)
    residual = potential.predict(data.geometries).energies - data.energies
    assert np.abs(residual).max() < 0.1


def test_learning_curve_has_points_before_the_end(frames):
    potential = fit(frames[:24], **{**FAST, "curve": True, "regularisation": (1e-3, 1e-4)})
    curve = potential.metadata["learning_curve"]
    counts = [point["frames"] for point in curve]
    assert len(curve) >= 2 and counts == sorted(set(counts)) and counts[-1] == 19


def test_one_frame_is_too_few_and_says_so(frames):
    with pytest.raises(DataError, match=r"at least 5 frames .* got 1 frame$"):
        fit(frames[:1])


def test_unknown_option_names_the_nearest(frames):
    with pytest.raises(DataError, match="'regularization'; did you mean 'regularisation'"):
        fit(frames[:10], regularization=1e-3)


@pytest.mark.parametrize(
    "option, value",
    [
        ("size", "huge"),
        ("solver", "svd"),
        ("holdout", 1.0),
        ("cutoff", -1.0),
        ("smoothness", ()),
        ("regularisation", -1),
    ],
)
def test_options_out_of_range_are_refused(frames, option, value):
    with pytest.raises(DataError, match=f"fit: '{option}' must"):
        fit(frames[:10], **{option: value})


def test_a_fit_that_needs_too_much_memory_is_refused_before_it_starts(frames, monkeypatch):
    monkeypatch.setattr(training, "rows", lambda *arguments: pytest.fail("started"))
    lines = []
    with pytest.raises(DataError, match=r"would need .* GB, may use 0.0: .*--size small"):
        fit(frames[:10], log=lines.append, memory=0.01, **FAST)
    assert any("memory" in line for line in lines)


@pytest.mark.parametrize("read", [3, 9])
def test_an_interrupted_fit_ends_with_the_frames_it_has_read(frames, monkeypatch, read):
    """Two frames of hold-out come first, one at a time; with fewer than five frames read there is nothing to save."""
    true_rows, calls, lines = training.rows, [], []

    def interrupted(network, chosen):
        calls.append(len(chosen))
        if len(calls) == 2 + read + 1:
            raise KeyboardInterrupt
        return true_rows(network, chosen)

    monkeypatch.setattr(training, "rows", interrupted)
    monkeypatch.setattr(training, "CHUNK_BYTES", 1.0)
    if read < training.MIN_FRAMES:
        with pytest.raises(KeyboardInterrupt):
            fit(frames[:40], log=lines.append, regularisation=1e-4, holdout=0.05, **FAST)
        return
    potential = fit(frames[:40], log=lines.append, regularisation=1e-4, holdout=0.05, **FAST)
    assert potential.metadata["frames_used"] == read + 2
    assert any(f"going on with the {read} frames" in line for line in lines)
