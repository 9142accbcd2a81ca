"""Fit of a potential: frozen covariant layers, readout in closed form on energies and forces.

The random weights of the covariant layers are drawn from a seed and stay; the energy is linear in the readout, whose
weights are the solution of one regularised least-squares problem (`nbody_ref.fit.ridge`). What is left to choose, the
smoothness of the radial functions and the regularisation, is chosen on a hold-out inside the training frames; then the
readout is solved again with all of them. With ``train="all"`` the covariant weights are trained as well
(`nbody_ref.fit.covariant`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist
from threadpoolctl import threadpool_limits

from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.blocks import blocks, merged
from nbody_ref.fit.checking import check, refuse
from nbody_ref.fit.copies import copies
from nbody_ref.fit.covariant import train_covariant_weights
from nbody_ref.fit.data import FitData
from nbody_ref.fit.evaluation import evaluate_left_out
from nbody_ref.fit.frames import Frames, symbols
from nbody_ref.fit.narrator import Log, Narrator
from nbody_ref.fit.options import Options
from nbody_ref.fit.potential import Potential
from nbody_ref.fit.reading import frames_from_atoms
from nbody_ref.fit.ridge import ENERGY_WEIGHT
from nbody_ref.fit.sizes import planned, sized
from nbody_ref.fit.solver import MIN_FRAMES, Task, choose_smoothness, fit_readout
from nbody_ref.fit.splits import Split, split
from nbody_ref.network import Network

__all__ = ["fit"]

MAX_HOLDOUT = 100
DEFAULT_MINUTES = 20.0  # of a fit that trains all weights
THREADED_COLUMNS = 4000  # below, several BLAS threads spend more time waiting for each other than they save


def fit(
    frames: Frames | Iterable[Any], log: Log | None = None, network: Network | None = None, **options: Any
) -> Potential:
    """Fit a potential to energies and forces.

    Parameters
    ----------
    frames : Frames or ase.Atoms, several of them
        Labelled geometries, at least five different ones; see `nbody_ref.fit.read_frames`.
    log : function of str, optional
        Receives one line of progress at a time, `print` for instance.
    network : Network, optional
        What to fit: its readout must be linear and mix invariants alone (`Network.readout`), its own cutoff counts.
        None: `nbody_ref.network.default` in the size and smoothness of the options.
    **options
        Fields of `nbody_ref.fit.Options`: cutoff, size, smoothness, regularisation, holdout, solver, memory, seed, ...

    Returns
    -------
    Potential
        Its `metadata` hold the split, the choices, the errors on the hold-out and a learning curve.

    Raises
    ------
    ArgumentError
        If an option is unknown, of another kind or out of range.
    DataError
        If `nbody_ref.fit.check` finds the data wrong (unless ``anyway``), there are fewer than five different frames,
        no two atoms are nearer than the cutoff, or the fit would need more memory than it may use. All of it is checked
        before work starts.
    KeyboardInterrupt
        If Ctrl-C comes before any fit is complete.

    Notes
    -----
    Ctrl-C ends the fit with what is complete: while frames are read, with those that were read; while the readout is
    solved, with the last point of the learning curve; while the smoothness is chosen, with nothing. The log says which,
    `metadata["interrupted"]` is true. Copies of a frame (`nbody_ref.fit.copies`) stay on one side of the hold-out.
    Every number is float64. BLAS runs on one thread below 4000 weights, so that results repeat to the bit; above, on as
    many as it is given.

    Examples
    --------
    >>> from nbody_ref.fit import ethanol, fit
    >>> potential = fit(ethanol()[:8], size="small", smoothness=1.5, regularisation=1e-6)
    >>> potential.network.species
    (1, 6, 8)
    """
    if network is not None:
        options = {**options, "cutoff": network.cutoff}
    choice, tell = Options.build(options), Narrator(log or (lambda line: None))
    if not isinstance(frames, Frames):
        frames = frames_from_atoms(frames, trust_units=True)
    groups = copies(frames)
    _check_frames(frames, groups, choice)
    start = time.perf_counter()
    if not choice.anyway:
        refuse(check(frames, cutoff=choice.cutoff))
    known = blocks(frames)
    data = FitData(
        frames,
        Baseline.build(frames),
        _holdout(frames, merged(known.parts(), groups), choice),
        choice.energy_weight / ENERGY_WEIGHT,
        known,
    )
    task = sized(Task(data, choice, tell, network))
    first = task.network(choice.smoothness[0])
    _check_network(first, frames, choice)
    tell.data(data, groups)
    solver = planned(task, first)
    large = first.parameters[first.readout].size >= THREADED_COLUMNS
    with threadpool_limits(limits=1, user_api="blas"):
        try:
            smoothness = choose_smoothness(task)
        except KeyboardInterrupt:
            tell.interrupted_choosing()
            raise
    with threadpool_limits(limits=None if large else 1, user_api="blas"):
        begun = time.perf_counter()
        potential = fit_readout(task, task.network(smoothness), solver)
        if choice.train == "all" and not potential.metadata["interrupted"]:
            end = start + 60 * (DEFAULT_MINUTES if choice.max_minutes is None else choice.max_minutes)
            potential = train_covariant_weights(task, potential, time.perf_counter() - begun, end)
    potential.metadata["smoothness"] = smoothness
    potential.metadata["independent_frames"] = known.count
    honest = evaluate_left_out(potential, frames)
    if honest is not None:
        errors = honest.to_dict()
        potential.metadata["left_out_errors"] = errors
        point = {"frames": len(frames) * (1 - 1 / max(known.count, 1)), **_maes(errors)}
        if known.count > 1 and potential.metadata["learning_curve"] and len(_maes(errors)) > 1:
            potential.metadata["learning_curve"].append(point)
    potential.metadata["seconds"] = round(time.perf_counter() - start, 1)
    return potential


def _maes(errors: dict[str, Any]) -> dict[str, float]:
    return {name: errors[name] for name in ("energy_mae_meV", "forces_mae_meV_per_A") if name in errors}


def _check_frames(frames: Frames, groups: Any, choice: Options) -> None:
    different = len(np.unique(groups))
    if different < MIN_FRAMES:
        came = "1 frame" if len(frames) == 1 else f"{len(frames)} frames"
        if different < len(frames):
            came += f", copies of {different}"
        raise DataError(f"fit: needs at least {MIN_FRAMES} different frames to fit to and to choose from, got {came}")
    if not any(pdist(frame.positions).min() < choice.cutoff for frame in frames):
        raise DataError(f"fit: 'cutoff' must be larger than a distance of two atoms, got {choice.cutoff} Angstrom")


def _check_network(network: Network, frames: Frames, choice: Options) -> None:
    unknown = sorted(set(frames.species) - set(network.species))
    if unknown:
        names = ", ".join(symbols(network.species))
        missing = symbols(unknown)[0]
        raise DataError(f"fit: 'network' must know every element of the frames, it knows {names}, not {missing}")
    if choice.train == "all" and not (frames.has_energy.all() and frames.has_forces.all()):
        raise DataError("fit: 'train' is 'all', but some frames have no energy or no forces: all of them are needed")
    if choice.train == "all" and set(network.parameters) == {network.readout}:
        raise DataError("fit: 'train' is 'all', but this network has no covariant weights: its readout is all there is")


def _holdout(frames: Frames, groups: Any, choice: Options) -> Split:
    n = min(max(1, round(choice.holdout * len(frames))), MAX_HOLDOUT, len(frames) - 1)
    return split(len(frames), len(frames) - n, choice.seed, groups=groups)
