r"""Training of all weights, from the closed form on: AdamW or L-BFGS on energies and forces.

.. math:: L(W) = \frac{1}{3 N} \Big( \lambda_E^2 \sum_f (E_f - E_f^*)^2 + \sum_i |F_i - F_i^*|^2 \Big)

The gradient with respect to every weight is one run of forward over reverse (docs/derivations/chain.md, D5). Weights
are divided by the scale they start at, so that one step size suits covariant layers and readout alike. The state after
each step is written to a checkpoint, from which the run goes on to the same bits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.errors import DataError, FileError
from nbody_ref.files import load_model, save_model
from nbody_ref.fit.baseline import counts
from nbody_ref.fit.frames import Frames
from nbody_ref.fit.potential import Potential
from nbody_ref.fit.ridge import ENERGY_WEIGHT
from nbody_ref.fit.rows import column_orders
from nbody_ref.network import Network, Parameters

__all__ = ["Descent", "DescentOptions", "descend"]

Array = np.ndarray[Any, Any]
FORMAT = "nbody_ref training checkpoint 1"


@dataclass(frozen=True)
class DescentOptions:
    """Choices of the training of all weights.

    Parameters
    ----------
    optimiser : {"adamw", "lbfgs"}
        "lbfgs" uses all frames in every step and suits up to a few hundred.
    energy_weight : float
        lambda_E; forces in eV/Angstrom have weight one.
    batch : int
        Frames in a step of AdamW.
    rate : float
        First step size of AdamW, relative to the scale of a weight; halved whenever the hold-out stops improving.
    ema : float
        Decay of the moving average of the weights; the average is what is tested and kept.
    weight_decay : float
        Relative decay of a weight in one step of size one.
    patience : int
        Epochs without a better hold-out before the rate is halved; after `halvings` of them the training ends.
    halvings : int
    max_epochs : int
    max_minutes : float
        The training ends in time, with the best weights kept.
    seed : int
        Of the order of frames.
    """

    optimiser: str = "adamw"
    energy_weight: float = ENERGY_WEIGHT
    batch: int = 8
    rate: float = 2e-3
    ema: float = 0.99
    weight_decay: float = 0.0
    patience: int = 8
    halvings: int = 5
    max_epochs: int = 1000
    max_minutes: float = np.inf
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimiser not in ("adamw", "lbfgs"):
            raise DataError(f"descend: 'optimiser' must be 'adamw' or 'lbfgs', got {self.optimiser!r}")
        positive = ("energy_weight", "batch", "rate", "patience", "max_epochs", "max_minutes")
        for name in positive:
            if not getattr(self, name) > 0:
                raise DataError(f"descend: {name!r} must be positive, got {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise DataError(f"descend: 'ema' must lie in 0..1, one excluded, got {self.ema}")


@dataclass
class _State:
    """All that a step depends on; vectors are of scaled weights."""

    x: Array
    mean: Array
    square: Array
    average: Array
    best: Array
    best_score: float
    step: int = 0
    epoch: int = 0
    position: int = 0
    stale: int = 0
    halvings: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    ARRAYS = ("x", "mean", "square", "average", "best")

    def numbers(self) -> dict[str, Any]:
        """What is not an array, JSON-ready."""
        return {k: v for k, v in vars(self).items() if k not in self.ARRAYS}


def descend(
    potential: Potential,
    frames: Frames,
    train: Sequence[int],
    test: Sequence[int],
    options: DescentOptions | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    log: Callable[[str], None] | None = None,
    progress: bool = False,
) -> Potential:
    """Train all weights of a fitted potential further.

    Parameters
    ----------
    potential : Potential
        Where the training starts, usually the closed form.
    frames : Frames
    train, test : sequence of int
        Frames to train on, and the hold-out that decides what is kept.
    options : DescentOptions, optional
    checkpoint : path, optional
        Written after every step; if the file exists and belongs to this run, the training goes on from there.
    log : function of str, optional
    progress : bool
        Show a progress bar.

    Returns
    -------
    Potential
        With the weights that did best on the hold-out, never worse there than the start;
        ``metadata["training"]`` holds options and history.

    Raises
    ------
    DataError
        If there is nothing to train on or to test with.
    FileError
        If the checkpoint belongs to another run.

    Notes
    -----
    Interrupted (Ctrl-C), it returns the best weights so far.
    """
    if not len(train) or not len(test):
        raise DataError(f"descend: 'train' and 'test' must not be empty, got {len(train)} and {len(test)} frames")
    job = Descent(potential, frames, list(train), list(test), options or DescentOptions())
    state = job.resume(checkpoint)
    try:
        job.run(state, checkpoint, log or (lambda line: None), progress)
    except KeyboardInterrupt:
        (log or print)("interrupted: keeping the best weights so far")
    return job.potential_of(state)


class Descent:
    """One training run: what stays the same from step to step."""

    def __init__(
        self, potential: Potential, frames: Frames, train: list[int], test: list[int], options: DescentOptions
    ) -> None:
        self.potential, self.frames, self.options = potential, frames, options
        self.train, self.test = train, test
        self.network: Network = potential.network
        self.scale = _scales(self.network, frames)
        constants = np.array([potential.constants[z] for z in self.network.species])
        self.targets = frames.energies - potential.baseline.energy(frames) - counts(frames, self.network.species) @ constants

    def start(self) -> _State:
        """The state before the first step."""
        x = self.network.parameters.flat() / self.scale
        zero = np.zeros_like(x)
        return _State(x, zero, zero.copy(), x.copy(), x.copy(), self.score(x))

    def weights(self, x: Array) -> Parameters:
        """Weights of scaled weights."""
        return self.network.parameters.from_flat(x * self.scale)

    def loss(self, x: Array, indices: Sequence[int]) -> tuple[float, Array]:
        """L on some frames and its gradient with respect to the scaled weights."""
        network = self.network.with_parameters(self.weights(x))
        chosen = self.frames[list(indices)]
        graph = network.graph(chosen.geometries)
        targets, forces_targets = self.targets[list(indices)], chosen.forces
        squared, count = self.options.energy_weight**2, forces_targets.size

        def residuals(energy: Array, forces: Array) -> tuple[float, Array, Array]:
            de, df = energy - targets, forces - forces_targets
            value = (squared * np.sum(de**2) + np.sum(df**2)) / count
            return float(value), 2 * squared * de / count, 2 * df / count

        value, gradient = network.loss_gradient(graph, residuals)
        return value, gradient.flat() * self.scale

    def score(self, x: Array) -> float:
        """L on the hold-out, without its gradient."""
        network, total, count = self.network.with_parameters(self.weights(x)), 0.0, 0
        for start in range(0, len(self.test), 32):
            indices = self.test[start : start + 32]
            chosen = self.frames[indices]
            energy, forces = network.energy_and_forces(network.graph(chosen.geometries))
            de, df = energy - self.targets[indices], forces - chosen.forces
            total += float(self.options.energy_weight**2 * np.sum(de**2) + np.sum(df**2))
            count += df.size
        return total / count

    def run(self, state: _State, checkpoint: Any, log: Callable[[str], None], progress: bool) -> None:
        """Steps until the epochs, the time or the patience end."""
        from tqdm import tqdm

        options, begun = self.options, time.perf_counter()
        step = self.adamw_epoch if options.optimiser == "adamw" else self.lbfgs_epoch
        with tqdm(total=options.max_epochs, initial=state.epoch, unit="epoch", disable=not progress, leave=False) as bar:
            while state.epoch < options.max_epochs and state.halvings <= options.halvings:
                in_time = lambda: time.perf_counter() - begun < 60 * options.max_minutes  # noqa: E731
                if not in_time() or not step(state, checkpoint, in_time):
                    log(f"time is up after {state.epoch} epochs")
                    break
                self.end_epoch(state)
                self.save(state, checkpoint)
                bar.update()
                bar.set_postfix(rmse=f"{np.sqrt(state.best_score):.4f}")
        first = state.history[0]["holdout"] if state.history else state.best_score
        log(f"{state.epoch} epochs, {state.step} steps: hold-out loss {first:.4e} -> {state.best_score:.4e}")

    def adamw_epoch(self, state: _State, checkpoint: Any, in_time: Callable[[], bool]) -> bool:
        """One pass over the frames in an order that depends on seed and epoch only; False if time ran out."""
        order = np.random.default_rng([self.options.seed, state.epoch]).permutation(self.train)
        batches = [order[i : i + self.options.batch] for i in range(0, len(order), self.options.batch)]
        while state.position < len(batches):
            if not in_time():
                return False
            self.adamw_step(state, np.sort(batches[state.position]).tolist())
            state.position += 1
            self.save(state, checkpoint)
        return True

    def adamw_step(self, state: _State, indices: Sequence[int], betas: tuple[float, float] = (0.9, 0.999)) -> None:
        """One step of AdamW (Loshchilov and Hutter 2019, algorithm 2), and of the moving average."""
        _, gradient = self.loss(state.x, indices)
        state.step += 1
        one, two = betas
        state.mean = one * state.mean + (1 - one) * gradient
        state.square = two * state.square + (1 - two) * gradient**2
        mean, square = state.mean / (1 - one**state.step), state.square / (1 - two**state.step)
        rate = self.options.rate * 0.5**state.halvings
        state.x = state.x - rate * (mean / (np.sqrt(square) + 1e-12) + self.options.weight_decay * state.x)
        decay = min(self.options.ema, state.step / (state.step + 10.0))
        state.average = decay * state.average + (1 - decay) * state.x

    def lbfgs_epoch(self, state: _State, checkpoint: Any, in_time: Callable[[], bool]) -> bool:
        """Twenty iterations of L-BFGS on all frames; each epoch starts without memory, so that resuming repeats it."""
        from scipy.optimize import minimize

        class _OutOfTime(Exception):
            pass

        def whole(x: Array) -> tuple[float, Array]:
            value, gradient = 0.0, np.zeros_like(x)
            for start in range(0, len(self.train), 32):
                part = self.train[start : start + 32]
                share = self.frames[part].forces.size
                loss, slope = self.loss(x, part)
                value, gradient = value + share * loss, gradient + share * slope
            total = self.frames[self.train].forces.size
            if not in_time():
                raise _OutOfTime
            return value / total, gradient / total

        try:
            found = minimize(whole, state.x, jac=True, method="L-BFGS-B", options={"maxiter": 20, "maxcor": 20})
        except _OutOfTime:
            return False
        state.x = state.average = np.asarray(found.x)
        state.step += int(found.nit)
        return True

    def end_epoch(self, state: _State) -> None:
        """Test the average on the hold-out, keep it if it is the best, and slow down if it is not."""
        score = self.score(state.average)
        state.epoch, state.position = state.epoch + 1, 0
        state.history.append({"epoch": state.epoch, "holdout": score})
        if score < state.best_score:
            state.best, state.best_score, state.stale = state.average.copy(), score, 0
        else:
            state.stale += 1
        if state.stale >= self.options.patience:
            state.halvings, state.stale = state.halvings + 1, 0
            state.x = state.average = state.best.copy()

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with: options that decide the numbers, frames, and the start."""
        options = {k: v for k, v in asdict(self.options).items() if k not in ("max_epochs", "max_minutes")}
        start = float(np.sum(self.network.parameters.flat()))
        return {"format": FORMAT, "options": options, "train": self.train, "test": self.test, "start": start}

    def save(self, state: _State, path: str | os.PathLike[str] | None) -> None:
        """Write the state, atomically."""
        if path is not None:
            arrays = {name: getattr(state, name) for name in state.ARRAYS}
            save_model(path, self.identity(), arrays, state.numbers())

    def resume(self, path: str | os.PathLike[str] | None) -> _State:
        """The state of a checkpoint if there is one, else the start.

        Raises
        ------
        FileError
            If the file belongs to another run.
        """
        if path is None or not Path(path).exists():
            return self.start()
        found = load_model(path)
        if found.config != self.identity():
            raise FileError(f"descend: {path} belongs to another training (other data, options or start); remove it")
        return _State(**found.arrays, **found.metadata)

    def potential_of(self, state: _State) -> Potential:
        """The potential with the best weights and a record of the training."""
        record: Mapping[str, Any] = {
            "options": {k: v if np.isfinite(v) else None for k, v in asdict(self.options).items() if k != "optimiser"},
            "optimiser": self.options.optimiser,
            "epochs": state.epoch,
            "steps": state.step,
            "holdout_loss": state.best_score,
            "history": state.history,
        }
        network = self.network.with_parameters(self.weights(state.best))
        return replace(self.potential, network=network, metadata={**self.potential.metadata, "training": dict(record)})


def _scales(network: Network, frames: Frames) -> Array:
    """Size of each weight at the start: root mean square over its array, for the readout over the columns of a term."""
    scales = []
    orders = column_orders(network, frames)
    for name, array in network.parameters.items():
        size = np.empty(array.size)
        groups = orders if name == network.readout else np.zeros(array.size, dtype=int)
        for group in np.unique(groups):
            which = groups == group
            size[which] = np.sqrt(np.mean(array.ravel()[which] ** 2)) or 1.0
        scales.append(size)
    return np.concatenate(scales)
