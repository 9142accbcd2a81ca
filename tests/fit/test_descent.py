"""Trainings: the same bits whether or not they are interrupted, ends in time, and never worse than the start."""

import dataclasses
import time

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, FileError
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

    measures = "distance to the mean"

    def identity(self):
        return {"frames": repr(self.targets.tolist())}

    def words(self, score):
        return f"{score:.3f} steps"

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
    other = Parabola()
    other.targets = other.targets[::-1]  # the same sum, the same start
    with pytest.raises(FileError, match="belongs to another training, frames differ"):
        descend(other, range(12), OPTIONS, path)
    assert descend(Parabola(), range(12), OPTIONS, path).ended == "done"  # the twin that belongs to it


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
    [
        *[(name, x) for name in ("steps", "batch", "check_every", "patience") for x in (0, -1, 2.5, "3", True, None)],
        *[("seed", x) for x in (-1, "a", 1.0, None, True)],
        *[(name, x) for name in ("rate", "ema", "weight_decay") for x in ("a", np.nan, np.inf, -0.1, True, None)],
        *[("rate", 0.0), ("ema", 1.0), ("optimiser", "sgd"), ("optimiser", None)],
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(name, value):
    with pytest.raises(ArgumentError, match=f"^DescentOptions: '{name}' must be .*, got"):
        DescentOptions(**{name: value})


def test_options_of_numpy_become_plain_numbers():
    found = DescentOptions(steps=np.int64(3), rate=np.float32(0.5), seed=np.array(4))
    assert (type(found.steps), type(found.rate), found.seed) == (int, float, 4)


def test_the_step_size_falls_to_zero_as_half_a_cosine(monkeypatch):
    rates = []
    monkeypatch.setattr(AdamW, "update", lambda self, gradient, rate, **others: rates.append(rate))
    monkeypatch.setattr(AdamW, "step", property(lambda self: len(rates), lambda self, value: None), raising=False)
    descend(Parabola(), range(12), dataclasses.replace(OPTIONS, steps=8, rate=0.4))
    expected = 0.2 * (1 + np.cos(np.pi * np.arange(8) / 8))
    assert np.all(np.abs(np.array(rates) - expected) <= 8 * np.finfo(float).eps * 0.4)
    assert rates[0] == 0.4 and rates[-1] < 0.02


def test_the_end_is_told_in_the_words_of_the_objective():
    lines = []
    state = descend(Parabola(), range(12), OPTIONS, log=lines.append)
    first = state.history[0]["holdout"]
    told = f"distance to the mean on the hold-out: {first:.3f} steps -> {state.best_score:.3f} steps at step"
    assert lines == [f"done after 24 steps; {told} {state.best_step}"]


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
