"""The part of a fit that trains all weights: covariant ones by steps, the readout in closed form before and after.

What the random covariant weights give is fitted first: it is what the training has to beat, and what is kept if it does
not. Frames of the hold-out are never stepped on; they decide what is kept.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.files import load_model
from nbody_ref.fit.descent import Descent, DescentOptions, descend
from nbody_ref.fit.job import Job
from nbody_ref.fit.objectives import CrossValidation
from nbody_ref.fit.potential import Potential

__all__ = ["train_covariant_weights"]

REFERENCE_FRAMES = 64  # the readout is solved on, for tests on the hold-out
TESTED_FRAMES = 40
MAX_STEPS, MIN_STEPS = 400, 10
RESERVE = 1.3  # times the duration of the first closed form is kept for the last one


@dataclass
class _Clock:
    """Time left of what a fit may take."""

    end: float

    def left(self) -> float:
        return self.end - time.perf_counter()


def train_covariant_weights(job: Job, first: Potential, seconds_of_first: float, end: float) -> Potential:
    """Train the covariant weights of a fitted potential and solve its readout again; keep the better one.

    Parameters
    ----------
    job : Job
        The fit, with its frames and choices.
    first : Potential
        The closed form with the covariant weights as they were drawn.
    seconds_of_first : float
        How long that took: as long will be needed again.
    end : float
        Of the whole fit, on the clock `time.perf_counter`.

    Returns
    -------
    Potential
        Whichever has the smaller force error on the hold-out; ``metadata["training"]`` says what happened.
    """
    clock = _Clock(end - RESERVE * seconds_of_first)
    train, held = list(job.split.train), list(job.split.test)
    if clock.left() <= 0 or len(train) < 3:
        job.say("training: no time left for it" if clock.left() <= 0 else "training: too few frames")
        return first
    energies, _, _ = job.labels(range(len(job.frames)))
    objective = CrossValidation(
        first.network,
        job.frames,
        energies,
        train[: min(REFERENCE_FRAMES, max(1, 2 * len(train) // 3))],
        held[:TESTED_FRAMES],
        job.baseline.kind != "isolated",
    )
    options = _planned(job, objective, train, clock)
    count = len(objective.start()) - 1
    job.say(f"training {count} covariant weights, at most {options.steps} steps of {options.batch} frames")
    state = descend(
        objective, train, options, job.choice.checkpoint, max(clock.left(), 0.0), job.say, job.choice.progress
    )
    job.interrupted = state.ended == "interrupted"
    second = _solved(job, objective, state, first)
    chosen = second if _score(second) < _score(first) else first
    job.say(
        f"hold-out, forces rms: {_score(first):.2f} meV/A with covariant weights as drawn, {_score(second):.2f} trained"
        + ("" if chosen is second else "; the trained ones are not kept")
    )
    chosen.metadata["training"] = {
        "options": asdict(options),
        "steps": state.adam.step,
        "best_step": state.best_step,
        "history": state.history,
        "holdout_before": first.metadata["holdout_errors"],
        "holdout_after": second.metadata["holdout_errors"],
        "kept": "trained" if chosen is second else "drawn",
    }
    if job.choice.checkpoint is not None:
        if state.ended == "interrupted":
            job.say(f"the same command goes on from {job.choice.checkpoint}")
        else:
            Path(job.choice.checkpoint).unlink(missing_ok=True)
    return chosen


def _planned(job: Job, objective: CrossValidation, train: list[int], clock: _Clock) -> DescentOptions:
    """Options of the checkpoint if there is one; else as many steps as there is time for, from the duration of one."""
    path, given = job.choice.checkpoint, job.choice.steps
    if path is not None and Path(path).exists():
        stored = load_model(path).config.get("options")
        if not isinstance(stored, Mapping):
            raise DataError(f"training: {path} is not a checkpoint; remove it to start anew")
        return DescentOptions(**stored)
    options = DescentOptions(batch=min(DescentOptions.batch, len(train)), seed=job.choice.seed)
    if given is None:
        durations = []
        for _ in range(2):  # kernels are compiled in the first
            begun = time.perf_counter()
            objective.gradient(objective.start(), train[: options.batch])
            durations.append(time.perf_counter() - begun)
        tests = (REFERENCE_FRAMES + TESTED_FRAMES) / options.batch / options.check_every
        given = int(np.clip(0.9 * clock.left() / (durations[-1] * (1 + tests)), MIN_STEPS, MAX_STEPS))
    return DescentOptions(batch=options.batch, seed=options.seed, steps=given)


def _solved(job: Job, objective: CrossValidation, state: Descent, first: Potential) -> Potential:
    """The readout in closed form on the trained covariant weights; if Ctrl-C comes again, what there was before."""
    network = first.network.with_parameters(objective.weights(state.best))
    job.restart(objective.scale)
    try:
        return job.fit_readout(network, first.metadata["solver"])
    except KeyboardInterrupt:
        return first


def _score(potential: Potential) -> float:
    return float(potential.metadata["holdout_errors"]["forces_rmse_meV_per_A"])
