"""Training of all weights: steps of AdamW or L-BFGS on an objective, kept safe at every step.

The run is a function of its options, its frames and where it starts: the frames of step t are drawn from the seed and
t alone. The state after each step is written to a checkpoint; a run that goes on from it reaches the same bits as one
that was never interrupted. What is returned is the state that did best on the hold-out, never worse than the start.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.checks import check_integer, check_number, check_word, set_fields
from nbody_ref.errors import FileError
from nbody_ref.files import load_model, save_model
from nbody_ref.fit.adamw import AdamW
from nbody_ref.fit.objectives import Objective

__all__ = ["Descent", "DescentOptions", "descend"]

Array = np.ndarray[Any, Any]
Log = Callable[[str], None]

KIND = "training"
LBFGS_ITERATIONS = 10  # in one step; each begins without memory, so that resuming repeats it


@dataclass(frozen=True)
class DescentOptions:
    """Choices of a training.

    Parameters
    ----------
    optimiser : {"adamw", "lbfgs"}
        "lbfgs" uses all training frames in every step and suits up to a few hundred.
    steps : int
        The step size falls to zero over this many, as half a cosine.
    rate : float
        First step size of AdamW, relative to the scale of a weight.
    batch : int
        Frames in a step of AdamW.
    ema : float
        Decay of the moving average of the weights; the average is what is tested and kept.
    weight_decay : float
    check_every : int
        Steps between two tests on the hold-out.
    patience : int
        Tests without a better hold-out, after which the training ends.
    seed : int
        Of the order of frames.

    Raises
    ------
    ArgumentError
        If a value is of another kind or out of range.

    Examples
    --------
    >>> from nbody_ref.fit import DescentOptions
    >>> DescentOptions(steps=50).optimiser
    'adamw'
    """

    optimiser: str = "adamw"
    steps: int = 200
    rate: float = 0.03
    batch: int = 48
    ema: float = 0.9
    weight_decay: float = 0.0
    check_every: int = 20
    patience: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        set_fields(self, check_word, "optimiser", words=("adamw", "lbfgs"))
        set_fields(self, check_integer, "steps", "batch", "check_every", "patience", least=1)
        set_fields(self, check_integer, "seed")
        set_fields(self, check_number, "rate", words="a positive number", within=lambda x: 0 < x < inf)
        set_fields(self, check_number, "ema", words="a number in [0, 1)", within=lambda x: 0 <= x < 1)
        set_fields(self, check_number, "weight_decay", words="a number, not negative", within=lambda x: 0 <= x < inf)


@dataclass
class Descent:
    """Where a training stands.

    Attributes
    ----------
    adam : AdamW
    best : (n,) float64
        The vector that did best on the hold-out, at `best_step`, with `best_score`: what it is, the objective says.
    stale : int
        Tests since then.
    history : list of dict
        ``step``, ``value`` (of the objective, mean since the last test, None at the start) and ``holdout`` (the score)
        of each test.
    values : list of float
        Of the objective since the last test.
    ended : str
        Why the last run ended; not part of a checkpoint.
    """

    adam: AdamW
    best: Array
    best_score: float
    best_step: int = 0
    stale: int = 0
    history: list[dict[str, float | None]] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    ended: str = ""

    def test(self, objective: Objective) -> None:
        """Test the average on the hold-out, and keep it if it is the best."""
        score = objective.score(self.adam.average)
        if score < self.best_score:
            self.best, self.best_score, self.best_step, self.stale = self.adam.average, score, self.adam.step, 0
        else:
            self.stale += 1
        mean = float(np.mean(self.values)) if self.values else None
        self.history.append({"step": self.adam.step, "value": mean, "holdout": score})
        self.values = []

    def save(self, path: str | os.PathLike[str], identity: dict[str, Any]) -> None:
        """Write the state, atomically."""
        numbers = {k: v for k, v in vars(self).items() if k not in ("adam", "best", "ended")}
        arrays = {name: getattr(self.adam, name) for name in ("x", "mean", "square", "average")}
        config = {"kind": KIND, **identity}
        save_model(path, config, {**arrays, "best": self.best}, {**numbers, "step": self.adam.step})

    @classmethod
    def load(cls, path: str | os.PathLike[str], identity: dict[str, Any]) -> Descent:
        """Read a state.

        Raises
        ------
        FileError
            If the file belongs to another run: the message names what differs.
        """
        found = load_model(path)
        wanted = {"kind": KIND, **identity}
        differ = sorted(k for k in wanted.keys() | found.config.keys() if wanted.get(k) != found.config.get(k))
        if differ:
            raise FileError(f"{path}: belongs to another training, {', '.join(differ)} differ; remove it to start anew")
        numbers, arrays = dict(found.metadata), dict(found.arrays)
        best, step = arrays.pop("best"), numbers.pop("step")
        return cls(AdamW(**arrays, step=step), best, **numbers)


def descend(
    objective: Objective,
    train: Sequence[int],
    options: DescentOptions,
    checkpoint: str | os.PathLike[str] | None = None,
    seconds: float = np.inf,
    log: Log | None = None,
    progress: bool = False,
) -> Descent:
    """Make an objective small.

    Parameters
    ----------
    objective : Objective
    train : sequence of int
        Frames that steps draw from.
    options : DescentOptions
    checkpoint : path, optional
        Written after every step; if the file is there and belongs to this run, the run goes on from it.
    seconds : float
        The run ends before a step that would end later than this.
    log : function of str, optional
    progress : bool
        Show a progress bar.

    Returns
    -------
    Descent
        `best` holds what did best on the hold-out.

    Raises
    ------
    FileError
        If the checkpoint belongs to another run.

    Notes
    -----
    Interrupted (Ctrl-C), it returns what it has.
    """
    say = log or (lambda line: None)
    run = _Run(objective, list(train), options, checkpoint, time.perf_counter() + seconds)
    state = run.resume()
    first = state.history[0]["holdout"]
    try:
        state.ended = run.go(state, progress)
    except KeyboardInterrupt:
        state.ended = "interrupted"
    say(
        f"{state.ended} after {state.adam.step} steps; {objective.measures} on the hold-out: "
        f"{objective.words(first or 0.0)} -> {objective.words(state.best_score)} at step {state.best_step}"
    )
    return state


@dataclass
class _Run:
    objective: Objective
    train: list[int]
    options: DescentOptions
    checkpoint: str | os.PathLike[str] | None
    end: float
    seconds_of_test: float = 0.0

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with: options, frames, labels, model, and where the run starts."""
        start = hashlib.sha256(np.ascontiguousarray(self.objective.start(), "<f8").tobytes()).hexdigest()
        return {"options": asdict(self.options), "train": self.train, "start": start, **self.objective.identity()}

    def resume(self) -> Descent:
        """The state of the checkpoint if there is one, else the start."""
        if self.checkpoint is not None and Path(self.checkpoint).exists():
            return Descent.load(self.checkpoint, self.identity)
        x = self.objective.start()
        state, begun = Descent(AdamW.at(x), x, np.inf), time.perf_counter()
        state.test(self.objective)
        self.seconds_of_test = time.perf_counter() - begun
        return state

    def go(self, state: Descent, progress: bool) -> str:
        """Steps until they, the time or the patience end; says which."""
        from tqdm import tqdm

        step = self.adamw if self.options.optimiser == "adamw" else self.lbfgs
        longest, test = 0.0, self.seconds_of_test
        with tqdm(total=self.options.steps, initial=state.adam.step, unit="step", disable=not progress) as bar:
            while state.adam.step < self.options.steps:
                begun = time.perf_counter()
                if begun + longest + test > self.end:
                    self.test(state, bar)
                    return "time is up"
                state.values.append(step(state.adam))
                longest = max(longest, time.perf_counter() - begun)
                if state.adam.step in (self.options.steps, *range(0, self.options.steps, self.options.check_every)):
                    self.test(state, bar)
                self.save(state)
                bar.update()
                if state.stale >= self.options.patience:
                    return f"no better for {self.options.patience} tests"
        return "done"

    def test(self, state: Descent, bar: Any) -> None:
        """Test the average, if there was a step since the last test."""
        if state.values:
            state.test(self.objective)
            bar.set_postfix(holdout=self.objective.words(state.best_score))

    def save(self, state: Descent) -> None:
        """Write the checkpoint, if there is to be one."""
        if self.checkpoint is not None:
            state.save(self.checkpoint, self.identity)

    def adamw(self, adam: AdamW) -> float:
        """One step on frames that depend on the seed and the number of the step alone."""
        options = self.options
        order = np.random.default_rng([options.seed, adam.step]).permutation(len(self.train))
        batch = [self.train[i] for i in order[: options.batch]]
        value, gradient = self.objective.gradient(adam.x, batch)
        rate = options.rate * 0.5 * (1 + np.cos(np.pi * adam.step / options.steps))
        adam.update(gradient / max(value, 1e-300), rate, decay=options.weight_decay, ema=options.ema)
        return value

    def lbfgs(self, adam: AdamW) -> float:
        """A few iterations of L-BFGS on all training frames."""
        from scipy.optimize import minimize

        def whole(x: Array) -> tuple[float, Array]:
            return self.objective.gradient(x, self.train)

        limits: Any = {"maxiter": LBFGS_ITERATIONS, "maxcor": 20}
        found: Any = minimize(whole, adam.x, jac=True, method="L-BFGS-B", options=limits)
        adam.x = adam.average = np.asarray(found.x)
        adam.step += 1
        return float(found.fun)
