"""Fits that train all weights: what is kept is what the hold-out says, and an interruption changes no bit of it."""

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, DataError, FileError
from nbody_ref.fit import ethanol, fit
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.cross_validation import CrossValidation
from nbody_ref.fit.descent import DescentOptions, descend
from nbody_ref.network import default

OPTIONS = {
    "size": "small",
    "smoothness": 1.5,
    "regularisation": (1e-3, 1e-5, 1e-7),
    "progress": False,
    "curve": False,
    "train": "all",
    "steps": 3,
}


@pytest.fixture(scope="module")
def frames():
    return ethanol()[:12]


@pytest.fixture(scope="module")
def whole(frames):
    lines = []
    return fit(frames, log=lines.append, **OPTIONS), lines


def test_the_better_on_the_holdout_is_kept_and_both_are_recorded(whole):
    potential, lines = whole
    record = potential.metadata["training"]
    before, after = (record[f"holdout_{name}"]["forces_rmse_meV_per_A"] for name in ("before", "after"))
    assert record["kept"] == ("trained" if after < before else "drawn")
    assert potential.metadata["holdout_errors"] == record["holdout_after" if after < before else "holdout_before"]
    assert record["steps"] == 3
    assert any(line.startswith("training 36864 covariant weights, at most 3 steps") for line in lines)


def test_interrupted_fit_goes_on_from_its_checkpoint_to_the_same_bits(frames, whole, tmp_path, monkeypatch):
    path, gradient, calls = tmp_path / "checkpoint", CrossValidation.gradient, []

    def interrupted(self, x, indices):
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        return gradient(self, x, indices)

    monkeypatch.setattr(CrossValidation, "gradient", interrupted)
    with pytest.raises(MemoryError):
        fit(frames, checkpoint=path, **OPTIONS)
    assert path.exists()
    potential = fit(frames, checkpoint=path, **OPTIONS)
    assert len(calls) == 4  # one step before, one that was lost, two after
    expected = whole[0].network.parameters
    for name, array in potential.network.parameters.items():
        np.testing.assert_array_equal(array, expected[name])
    assert path.exists()  # nothing else is on disk yet
    with pytest.raises(FileError):
        potential.save(tmp_path / "no folder" / "potential.safetensors")
    assert path.exists()
    potential.save(tmp_path / "potential.safetensors")
    assert not path.exists()


def test_ctrl_c_ends_the_training_with_the_best_so_far(frames, monkeypatch):
    def interrupted(self, x, indices):
        raise KeyboardInterrupt

    monkeypatch.setattr(CrossValidation, "gradient", interrupted)
    lines = []
    potential = fit(frames, log=lines.append, **OPTIONS)
    assert any(line.startswith("interrupted after 0 steps") for line in lines)
    assert potential.metadata["training"]["kept"] == "drawn"


def test_without_time_the_closed_form_is_the_result(frames):
    lines = []
    potential = fit(frames, log=lines.append, **(OPTIONS | {"steps": None, "max_minutes": 1e-3}))
    assert "training: no time left for it" in lines
    assert "training" not in potential.metadata


def test_options_of_the_training_belong_to_it(frames):
    with pytest.raises(ArgumentError, match="are for train='all'"):
        fit(frames, max_minutes=3)
    with pytest.raises(ArgumentError, match="'train' must be 'readout' or 'all', got 'some'"):
        fit(frames, train="some")
    with pytest.raises(ArgumentError, match="'steps' must be a positive integer, got 0"):
        fit(frames, train="all", steps=0)


def test_a_file_that_is_no_checkpoint_is_refused(frames, tmp_path, whole):
    path = tmp_path / "potential.safetensors"
    whole[0].save(path)
    with pytest.raises(DataError, match="is not a checkpoint"):
        fit(frames, checkpoint=path, **OPTIONS)
    assert path.exists()


def test_training_makes_frames_it_has_not_seen_better(frames):
    """Ten steps of a small network: the error of the closed form on other frames falls."""
    network = default(frames.species, cutoff=4.0, size=(2, 2, 1), n_radial=5, seed=0)
    data = ethanol()[:40]
    targets = data.energies - Baseline.build(data).energy(data)
    objective = CrossValidation(network, data, targets, list(range(8)), list(range(30, 40)), False)
    state = descend(objective, list(range(30)), DescentOptions(steps=10, batch=12, check_every=10))
    assert state.best_score < 0.95 * state.history[0]["holdout"]
