"""The part of a fit that trains all weights: covariant ones by steps, the readout in closed form before and after.

What the random covariant weights give is fitted first: it is what the training has to beat, and what is kept if it does
not. Frames of the hold-out are never stepped on; they decide what is kept.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.files import load_model
from nbody_ref.fit.cross_validation import CrossValidation
from nbody_ref.fit.descent import Descent, DescentOptions, descend
from nbody_ref.fit.potential import Potential
from nbody_ref.fit.solver import Task, fit_readout
from nbody_ref.network import Network

__all__ = ["train_covariant_weights"]

BATCH = 300  # frames of a step at most, two thirds of them for the readout
ROWS_PER_COLUMN = 1.25  # that those two thirds have, if they have so many
TESTED_FRAMES = 40
TESTS = 3  # on the hold-out, after the start
RATE = 0.15  # of AdamW
MAX_STEPS, MIN_STEPS = 400, 10
RESERVE = 1.3  # times the duration of the first closed form is kept for the last one


@dataclass
class _Clock:
    """Time left of what a fit may take."""

    end: float

    def left(self) -> float:
        return self.end - time.perf_counter()


def train_covariant_weights(task: Task, first: Potential, seconds_of_first: float, end: float) -> Potential:
    """Train the covariant weights of a fitted potential and solve its readout again; keep the better one.

    Parameters
    ----------
    task : Task
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
    data, choice, say = task.data, task.choice, task.tell.say
    train, held = data.train, data.held
    if clock.left() <= 0 or len(train) < 3:
        say("training: no time left for it" if clock.left() <= 0 else "training: too few frames")
        return first
    energies = data.labels(range(len(data.frames))).energies
    seen = max(1, 2 * min(BATCH, len(train)) // 3)
    begun = time.perf_counter()
    objective = CrossValidation(
        cast(Network, first.network),  # what was fitted has a readout
        data.frames,
        energies,
        train[:seen],
        held[:TESTED_FRAMES],
        data.constants,
        directions=_directions(task, first, train[:seen]),
    )
    options = _planned(task, objective, train, clock, time.perf_counter() - begun)
    count = len(objective.start()) - 1
    say(f"training {count} covariant weights, at most {options.steps} steps of {options.batch} frames")
    state = descend(objective, train, options, choice.checkpoint, max(clock.left(), 0.0), say, choice.progress)
    stopped = state.ended == "interrupted"
    if state.best_step == 0:
        say("training: no step did better than the weights as drawn; they are kept")
        second = chosen = first
    else:
        second = _solved(task, objective, state, first)
        stopped = stopped or second is first or second.metadata["interrupted"]
        chosen = second if _score(second) < _score(first) else first
        say(
            f"hold-out, forces rms: {_score(first):.2f} meV/A with covariant weights as drawn, {_score(second):.2f} "
            f"trained" + ("" if chosen is second else "; the trained ones are not kept")
        )
    chosen.metadata["training"] = {
        "options": asdict(options),
        "steps": state.adam.step,
        "best_step": state.best_step,
        "history": state.history,
        "holdout_before": first.metadata["holdout_errors"],
        "holdout_after": second.metadata["holdout_errors"],
        "kept": "drawn" if chosen is first else "trained",
    }
    chosen.metadata["interrupted"] = chosen.metadata["interrupted"] or stopped
    if choice.checkpoint is not None and stopped:
        say(f"the same command goes on from {choice.checkpoint}")
    elif choice.checkpoint is not None:
        return replace(chosen, checkpoint=Path(choice.checkpoint))  # until it is saved that is all there is on disk
    return chosen


def _planned(
    task: Task, objective: CrossValidation, train: list[int], clock: _Clock, seconds_of_test: float
) -> DescentOptions:
    """Options of the checkpoint if there is one; else as many steps as there is time for, from the duration of one.

    A test on the hold-out takes as long as making the objective, which tests the start.
    """
    path, given = task.choice.checkpoint, task.choice.steps
    if path is not None and Path(path).exists():
        stored = load_model(path).config.get("options")
        if not isinstance(stored, Mapping):
            raise DataError(f"training: {path} is not a checkpoint; remove it to start anew")
        return DescentOptions(**stored)
    batch, seed = min(BATCH, len(train)), task.choice.seed
    if given is None:
        objective.gradient(objective.start(), train[:3])  # compiles
        begun = time.perf_counter()
        objective.gradient(objective.start(), train[:batch])
        step = time.perf_counter() - begun
        given = int(np.clip((0.95 * clock.left() - (TESTS + 1) * seconds_of_test) / step, MIN_STEPS, MAX_STEPS))
    every = max(1, -(-given // TESTS))
    return DescentOptions(batch=batch, seed=seed, steps=given, rate=RATE, check_every=every, patience=TESTS)


def _directions(task: Task, first: Potential, seen: list[int]) -> int:
    """Rows of the forces on each frame, so that the frames that a readout is solved on have more than columns."""
    columns, coordinates = first.metadata["columns"], 3 * int(task.data.frames[seen].n_atoms.min())
    return int(np.clip(np.ceil(ROWS_PER_COLUMN * columns / len(seen)), 1, coordinates))


def _solved(task: Task, objective: CrossValidation, state: Descent, first: Potential) -> Potential:
    """The readout in closed form on the trained covariant weights; if Ctrl-C comes again, what there was before."""
    network = objective.network.with_parameters(objective.weights(state.best))
    try:
        return fit_readout(task, network, first.metadata["solver"], objective.scale, state.ended == "interrupted")
    except KeyboardInterrupt:
        return first


def _score(potential: Potential) -> float:
    return float(potential.metadata["holdout_errors"]["forces_rmse_meV_per_A"])
