"""Trainings: the same bits whether or not they are interrupted, ends in time, and never worse than the start."""

import dataclasses
import time

import numpy as np
import pytest

from nbody_ref.errors import DataError, FileError
from nbody_ref.fit.adamw import AdamW
from nbody_ref.fit.descent import DescentOptions, descend

OPTIONS = DescentOptions(steps=24, batch=3, rate=0.2, check_every=5)


class Parabola:
    """Mean over frames of |x - frame|^2 / 2; the hold-out asks for the distance to the mean of all."""

    def __init__(self, stop_at=None, seconds=0.0):
        self.targets = np.random.default_rng(0).standard_normal((12, 4))
        self.calls, self.stop_at, self.seconds = 0, stop_at, seconds

    def start(self):
        return np.full(4, 3.0)

    def gradient(self, x, indices):
        self.calls += 1
        time.sleep(self.seconds)
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        away = x - self.targets[list(indices)]
        return 0.5 * float(np.mean(np.sum(away**2, axis=1))), away.mean(axis=0)

    def score(self, x):
        return float(np.linalg.norm(x - self.targets.mean(axis=0)))


@pytest.mark.parametrize("optimiser", ["adamw", "lbfgs"])
def test_training_makes_the_holdout_better(optimiser):
    objective = Parabola()
    state = descend(objective, range(12), dataclasses.replace(OPTIONS, optimiser=optimiser))
    assert state.best_score < 0.2 * objective.score(objective.start())
    assert [row["step"] for row in state.history] == [0, 5, 10, 15, 20, 24]
    assert state.best_score == min(row["holdout"] for row in state.history)


@pytest.mark.parametrize("optimiser", ["adamw", "lbfgs"])
@pytest.mark.parametrize("stop_at", [1, 5, 6, 17])
def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(tmp_path, optimiser, stop_at):
    options = dataclasses.replace(OPTIONS, optimiser=optimiser)
    whole = descend(Parabola(), range(12), options)
    path = tmp_path / "training.safetensors"
    first = descend(Parabola(stop_at), range(12), options, path)
    assert first.adam.step < options.steps
    second = descend(Parabola(), range(12), options, path)
    for name in ("x", "mean", "square", "average"):
        np.testing.assert_array_equal(getattr(second.adam, name), getattr(whole.adam, name))
    np.testing.assert_array_equal(second.best, whole.best)
    assert second.history == whole.history


def test_a_killed_run_loses_at_most_the_step_under_way(tmp_path):
    path = tmp_path / "training.safetensors"

    class Killed(Parabola):
        def gradient(self, x, indices):
            if self.calls == 9:
                raise MemoryError  # nothing catches it
            return super().gradient(x, indices)

    with pytest.raises(MemoryError):
        descend(Killed(), range(12), OPTIONS, path)
    lines = []
    state = descend(Parabola(stop_at=1), range(12), OPTIONS, path, log=lines.append)
    assert state.adam.step == 9
    assert lines[0].startswith("interrupted after 9 steps")


def test_checkpoint_of_another_run_is_refused_by_what_differs(tmp_path):
    path = tmp_path / "training.safetensors"
    descend(Parabola(), range(12), OPTIONS, path)
    with pytest.raises(FileError, match="belongs to another training, options differ"):
        descend(Parabola(), range(12), dataclasses.replace(OPTIONS, rate=0.1), path)
    with pytest.raises(FileError, match="belongs to another training, train differ"):
        descend(Parabola(), range(11), OPTIONS, path)


def test_training_ends_in_time_and_keeps_the_best():
    lines = []
    state = descend(Parabola(seconds=0.05), range(12), OPTIONS, seconds=0.4, log=lines.append)
    assert 0 < state.adam.step <= 8
    assert lines[0].startswith("time is up")
    assert state.best_score <= Parabola().score(Parabola().start())


def test_training_that_only_gets_worse_keeps_the_start_and_stops():
    class Uphill(Parabola):
        def gradient(self, x, indices):
            value, gradient = super().gradient(x, indices)
            return value, -gradient

    objective, lines = Uphill(), []
    state = descend(objective, range(12), dataclasses.replace(OPTIONS, patience=2), log=lines.append)
    np.testing.assert_array_equal(state.best, objective.start())
    assert state.best_step == 0
    assert lines[0].startswith("no better for 2 tests after 10 steps")


@pytest.mark.parametrize(
    ("name", "value"),
    [("rate", 0.0), ("rate", np.nan), ("steps", -1), ("batch", 0), ("ema", 1.0), ("optimiser", "sgd")],
)
def test_options_that_make_no_sense_are_refused(name, value):
    with pytest.raises(DataError, match=f"'{name}'"):
        DescentOptions(**{name: value})


def test_first_step_of_adamw_is_the_rate_against_the_sign():
    """m / (1 - b1) = g and s / (1 - b2) = g^2, so the step is the rate, whatever the gradient's size."""
    x, gradient = np.array([1.0, -2.0, 3.0]), np.array([1e3, -1e-3, 4.0])
    adam = AdamW.at(x)
    adam.update(gradient, 0.25, ema=0.0)
    expected = x - 0.25 * np.sign(gradient)
    assert np.all(np.abs(adam.x - expected) <= 8 * np.finfo(float).eps * np.abs(x) + 0.25 * 1e-12 / np.abs(gradient))
    np.testing.assert_array_equal(adam.average, adam.x)


def test_weight_decay_alone_shrinks_geometrically():
    adam = AdamW.at(np.array([1.0, -8.0]))
    for _ in range(3):
        adam.update(np.zeros(2), 0.5, decay=0.5)
    np.testing.assert_array_equal(adam.x, np.array([1.0, -8.0]) * 0.75**3)
