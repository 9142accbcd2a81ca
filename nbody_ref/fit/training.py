"""Training of any model with an energy by steps: networks with several outputs, and the published models."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from nbody_ref.checks import check_number
from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.descent import Descent, DescentOptions, descend
from nbody_ref.fit.frames import Frames
from nbody_ref.fit.objectives import Loss
from nbody_ref.fit.splits import split
from nbody_ref.network.energy import EnergyModel

__all__ = ["train"]

Array = np.ndarray[Any, Any]
WORDS = "such that frames are left on both sides"
Model = TypeVar("Model", bound=EnergyModel)


def train(
    model: Model,
    frames: Frames,
    options: DescentOptions | None = None,
    *,
    holdout: float = 0.1,
    others: Mapping[str, Array] | None = None,
    weights: Mapping[str, float] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    seconds: float = np.inf,
    log: Callable[[str], None] | None = None,
    progress: bool = False,
) -> tuple[Model, Descent]:
    """Train all weights of a model on energies above the baseline, forces, and other outputs.

    Parameters
    ----------
    model : EnergyModel
        A network or a published model; where it stands is where the training starts.
    frames : Frames
    options : DescentOptions, optional
    holdout : float
        Part of the frames that no step sees; they decide which weights are kept.
    others : mapping of str to (n, dim) float64, optional
        Labels of further outputs, as states: ``{"dipole": from_vector(dipoles)}`` with `nbody_ref.network.cartesian`.
    weights : mapping of str to float, optional
        Of these outputs in the loss, forces (eV/Angstrom) having 1.
    checkpoint : path, optional
        Written after every step; if it is there, the training goes on from it to the same bits.
    seconds : float
        The training ends in time.
    log : function of str, optional
    progress : bool
        Show a progress bar.

    Returns
    -------
    model, Descent
        The model with the weights that did best on the hold-out, and how it went.

    Raises
    ------
    ArgumentError
        If the hold-out leaves no frame on one side.
    DataError
        If a frame lacks its energy or forces, or labels do not fit the model's outputs.
    FileError
        If the checkpoint belongs to another training.

    Examples
    --------
    >>> from nbody_ref.fit import DescentOptions, ethanol, train
    >>> from nbody_ref.network import default
    >>> model, descent = train(default([1, 6, 8]), ethanol()[:6], DescentOptions(steps=1))
    >>> model.species
    (1, 6, 8)
    """
    if not (frames.has_energy.all() and frames.has_forces.all()):
        raise DataError("train: every frame must have its energy and its forces, some have not")
    part = check_number("train", "holdout", holdout, WORDS, lambda x: 0 < round(x * len(frames)) < len(frames))
    n = round(part * len(frames))
    choice = options or DescentOptions(rate=0.01, batch=5, steps=1000, ema=0.99)
    parts = split(len(frames), len(frames) - n, choice.seed)
    targets = frames.energies - Baseline.build(frames).energy(frames)
    objective = Loss(model, frames, targets, list(parts.test), others or {}, weights or {})
    with threadpool_limits(limits=1, user_api="blas"):
        state = descend(objective, list(parts.train), choice, checkpoint, seconds, log, progress)
        if log is not None:
            before, after = (1e3 * objective.force_error(x) for x in (objective.start(), state.best))
            log(f"force error on the hold-out, rms: {before:.2f} -> {after:.2f} meV/A")
    return model.with_parameters(objective.weights(state.best)), state
