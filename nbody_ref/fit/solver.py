"""The closed form in steps, functions of the data: smoothness chosen, frames read, readout solved.

Ctrl-C ends a fit with what is complete: never with a choice among candidates that saw different data.

- While the smoothness is chosen nothing is complete: the interruption is passed on.
- While frames are read, those that were read are a random sample: the readout is solved with them.
- While the readout is solved, the last complete fit, of the learning curve for instance, is the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

import nbody_ref
from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import composition, counts, independent, pseudo_inverse
from nbody_ref.fit.data import FitData
from nbody_ref.fit.frames import Frames
from nbody_ref.fit.honest import errors_left_out
from nbody_ref.fit.interrupt import deferred
from nbody_ref.fit.narrator import Narrator
from nbody_ref.fit.options import Options
from nbody_ref.fit.potential import Potential
from nbody_ref.fit.ridge import ENERGY_WEIGHT, Equations, Solution, column_scale
from nbody_ref.fit.rows import Rows, column_orders, column_smoothness, frame_chunks, rows
from nbody_ref.fit.support import Support
from nbody_ref.network import Network, default

__all__ = [
    "MIN_FRAMES",
    "Readout",
    "Task",
    "best",
    "choose_smoothness",
    "design",
    "equations",
    "errors",
    "fit_readout",
    "take_in",
    "usual_solver",
]

Array = np.ndarray[Any, Any]

MIN_FRAMES = 5
SCAN_FRAMES = 60  # the smoothness is chosen on as many frames at most
CHUNK_BYTES = 256e6
SCALE_FRAMES = 10  # that scale the columns where no force is known
ZERO_FRAMES = 200  # whose mean is the zero of energies where none is known
TIE = 1e-3  # regularisations whose errors differ by less are equal: the largest is taken


@dataclass(frozen=True)
class Task:
    """What is to be fitted, how, and to whom it is told.

    Parameters
    ----------
    data : FitData
    choice : Options
    tell : Narrator
    given : Network, optional
        To be fitted instead of the default one.
    size : str
        Of the default network; "auto": by the number of labels alone.
    """

    data: FitData
    choice: Options
    tell: Narrator
    given: Network | None = None
    size: str = "auto"

    def network(self, smoothness: float, size: str | None = None) -> Network:
        """The network that was given, or the default one for these frames."""
        if self.given is not None:
            return self.given
        choice = self.choice
        size = size or (choice.network_size(self.data.n_force_rows) if self.size == "auto" else self.size)
        return default(
            self.data.frames.species, cutoff=choice.cutoff, smoothness=smoothness, size=size, seed=choice.seed
        )


class Readout(NamedTuple):
    """A complete solution with what it was fitted to.

    Parameters
    ----------
    solution : Solution
    frames : list of int
        Frames whose rows are in it.
    errors : dict
        On the hold-out, of the fit to the training part alone.
    """

    solution: Solution
    frames: list[int]
    errors: dict[str, float]


def choose_smoothness(task: Task) -> float:
    """Exponent with the smallest error on the hold-out, from fits to at most `SCAN_FRAMES` frames."""
    exponents = task.choice.smoothness
    if len(exponents) == 1 or task.given is not None:
        return exponents[0]
    data = task.data
    train, held = data.train[:SCAN_FRAMES], data.held[: max(1, SCAN_FRAMES // 4)]
    scores = []
    for exponent in exponents:
        network = task.network(exponent)
        system = equations(data, network, "dual")
        for chunk, block in _stream(data, network, train):
            _add([system], data, chunk, block)
        scores.append(best(system, design(data, network, held), data, held, task.choice.regularisation)[0])
    chosen = exponents[int(np.argmin(scores))]
    task.tell.smoothness(chosen, dict(zip(exponents, scores, strict=True)), len(train))
    return chosen


def fit_readout(
    task: Task, network: Network, solver: str, scale: Array | None = None, interrupted: bool = False
) -> Potential:
    """Regularisation from the hold-out, then the readout from all frames.

    The choice is made with the same equations whatever the solver, so that it does not depend on it.

    Parameters
    ----------
    task : Task
    network : Network
    solver : {"primal", "dual", "qr"}
    scale : (columns,) float64, optional
        D; None: from the rows.
    interrupted : bool
        Whether what was done before was cut short; recorded.
    """
    data, regularisations = task.data, task.choice.regularisation
    names = dict.fromkeys((usual_solver(data, network), solver))
    systems = [equations(data, network, name, scale) for name in names]  # the first chooses, the last solves
    held = design(data, network, data.held)
    curve: list[Readout] = []

    def point(done: list[int]) -> Readout:
        _, solution = best(systems[0], held, data, data.held, regularisations)
        curve.append(Readout(solution, list(done), errors(solution, held, data, data.held)))
        return curve[-1]

    used, cut = take_in(task, network, systems, point)
    interrupted = interrupted or cut
    try:
        honest = point(used)
        readout = _with_holdout(task, systems, held, honest)
    except KeyboardInterrupt:
        interrupted = True
        task.tell.interrupted_solving(len(curve[-1].frames) if curve else None)
        if not curve:
            raise
        readout = curve[-1]
    points = [{"frames": len(found.frames), **found.errors} for found in curve]
    record = {"interrupted": interrupted, "solver": solver, "learning_curve": points}
    potential = _potential(task, network, readout, record)
    if interrupted or not task.choice.errors:
        return potential
    with deferred():
        found = errors_left_out(
            data, systems[0], readout.solution, readout.frames, lambda ids: design(data, network, ids)
        )
    return replace(potential, left_out=found)


def take_in(
    task: Task, network: Network, systems: Sequence[Equations], point: Callable[[list[int]], Any]
) -> tuple[list[int], bool]:
    """Stream the training part into equations; returns the frames taken in, and whether Ctrl-C came before all were.

    `point` is called with the frames taken in at each point of the learning curve but the last.
    """
    from tqdm import tqdm

    data, choice, indices = task.data, task.choice, task.data.train
    marks = sorted({len(indices) // 4, len(indices) // 2} - {0}) if choice.curve else []
    done: list[int] = []
    with tqdm(total=len(indices), unit="frame", disable=not choice.progress, leave=False) as bar:
        try:
            for end in (*marks, len(indices)):
                for chunk, block in _stream(data, network, indices[len(done) : end]):
                    with deferred():
                        _add(systems, data, chunk, block)
                        done += chunk
                    bar.update(len(chunk))
                if end < len(indices):
                    point(done)
        except KeyboardInterrupt:
            task.tell.interrupted_reading(len(done), len(indices), len(done) >= MIN_FRAMES)
            if len(done) < MIN_FRAMES:
                raise
            return done, True
    return done, False


def _with_holdout(task: Task, systems: Sequence[Equations], held: Rows, honest: Readout) -> Readout:
    """The readout solved again with the hold-out among the rows, with the regularisation chosen without."""
    data = task.data
    with deferred():
        _add(systems if task.choice.errors else systems[-1:], data, data.held, held)
    chosen = honest.solution.regularisation
    lambdas = [chosen * 10.0**k for k in range(20)]  # more of it where float64 has no solution
    final = next((found for found in systems[-1].solve(lambdas) if np.isfinite(found.weights).all()), None)
    if final is None:
        raise DataError(f"fit: no solution in float64 with regularisation {chosen}; add larger ones")
    frames = honest.frames + data.held
    task.tell.solved(final.regularisation, honest.errors, len(frames))
    for what in _not_learned(data, honest):
        task.tell.nothing_learned(what)
    return Readout(final, frames, honest.errors)


def _not_learned(data: FitData, honest: Readout) -> list[str]:
    """What the hold-out says is predicted worse than by the mean of the training energies, or by no forces at all."""
    seen, held = data.labels(honest.frames), data.labels(data.held)
    known, asked = seen.energy_factors > 0, held.energy_factors > 0
    by_mean = held.counts @ (pseudo_inverse(seen.counts[known]) @ seen.energies[known]) - held.energies
    trivial = {
        "energies": ("energy_mae_meV", by_mean[asked]),
        "forces": ("forces_mae_meV_per_A", held.forces.ravel()[held.forces_factors > 0]),
    }
    named = {what: (honest.errors.get(key), error) for what, (key, error) in trivial.items()}
    return [what for what, (own, error) in named.items() if own is not None and own > 1e3 * np.abs(error).mean()]


def _potential(task: Task, network: Network, readout: Readout, record: dict[str, Any]) -> Potential:
    """The finished potential with its record."""
    data, shape = task.data, network.parameters[network.readout].shape
    species, used = network.species, data.frames[readout.frames]
    labelled = used[np.flatnonzero(used.has_energy)]
    mean = pseudo_inverse(counts(labelled, species)) @ labelled.energies
    metadata = {
        "package": nbody_ref.__version__,
        "data": data.frames.origin,
        "frames": len(data.frames),
        "indices": list(data.frames.indices),
        "split": data.split.to_dict(),
        "frames_used": len(readout.frames),
        "interrupted": record["interrupted"],
        "options": task.choice.to_dict(),
        "solver": record["solver"],
        "columns": int(np.prod(shape)),
        "regularisation": readout.solution.regularisation,
        "energy_weight": task.choice.energy_weight,
        "holdout_errors": readout.errors,
        "learning_curve": record["learning_curve"],
        "mean_atom_energies": {str(z): float(e) for z, e in zip(species, mean, strict=True)} if len(labelled) else {},
        "mean_energies": _means(labelled),
    }
    fitted = network.with_parameters({network.readout: readout.solution.weights.reshape(shape)})
    constants = {z: float(c) for z, c in zip(species, readout.solution.constants, strict=True)}
    known = independent(composition(frame.numbers, species) for frame in (labelled if len(labelled) else used))
    baseline = replace(data.baseline, compositions=known if data.baseline.compositions else ())
    support = Support.build(used, species, network.cutoff)
    potential = Potential(fitted, baseline, constants, metadata, support=support)
    return potential if len(labelled) else _about_the_mean(potential, used)


def _means(labelled: Frames) -> dict[str, float]:
    """Mean energy of each composition, eV."""
    formulas, energies = np.array(labelled.formulas), labelled.energies
    return {name: float(np.mean(energies[formulas == name])) for name in sorted(set(formulas.tolist()))}


def _about_the_mean(potential: Potential, frames: Frames) -> Potential:
    """Where energies are not known their zero is the mean over (some of) the frames, for each composition."""
    some = frames[np.unique(np.linspace(0, len(frames) - 1, ZERO_FRAMES).astype(int))]
    number = counts(some, potential.network.species)
    shift = pseudo_inverse(number) @ potential.predict(some.geometries).energies
    moved = {z: c - float(s) for (z, c), s in zip(potential.constants.items(), shift, strict=True)}
    return replace(potential, constants=moved)


def _add(systems: Sequence[Equations], data: FitData, indices: Sequence[int], block: Rows) -> None:
    """Rows of some frames into systems of equations, with their labels, as far as there are any."""
    energy, forces, *labels = data.labels(indices).weighted(*block)
    for system in systems:
        system.add(Rows(energy, forces), *labels)


def usual_solver(data: FitData, network: Network) -> str:
    """Dual if columns outnumber rows, else primal."""
    return "dual" if data.n_equations < network.parameters[network.readout].size else "primal"


def equations(data: FitData, network: Network, solver: str, scale: Array | None = None) -> Equations:
    """Empty equations for the readout of a network."""
    orders, smoothness = column_orders(network), column_smoothness(network)
    if scale is None and not data.n_force_rows:  # columns are scaled by forces, whether or not their labels are known
        block = rows(network, data.frames[data.train[:SCALE_FRAMES]]).forces
        scale = column_scale(np.einsum("rc,rc->c", block, block), len(block), orders) * smoothness
    return Equations(orders, solver, data.constants, scale, smoothness)


def _stream(data: FitData, network: Network, indices: Sequence[int]) -> Iterator[tuple[list[int], Rows]]:
    """Frames and their rows, a chunk at a time."""
    for chunk in frame_chunks(network, data.frames[indices], CHUNK_BYTES):
        ids = [indices[i] for i in chunk]
        yield ids, rows(network, data.frames[ids])


def design(data: FitData, network: Network, indices: Sequence[int]) -> Rows:
    """Rows of a few frames, kept in memory."""
    parts = [block for _, block in _stream(data, network, indices)]
    return Rows(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def best(
    system: Equations, held: Rows, data: FitData, indices: Sequence[int], regularisations: Sequence[float]
) -> tuple[float, Solution]:
    """Solution with the smallest weighted error on the hold-out, and its force error (eV/Angstrom).

    Where no force is known that error is the one of energies, eV. Every regularisation is tried: the error has several
    minima as a function of it. Of those that differ by less than `TIE` the largest is taken, so that rounding does not
    decide.
    """
    found: list[tuple[float, float, Solution]] = []
    for solution in system.solve(sorted(regularisations, reverse=True)):
        (de, df), (e, f) = residuals(solution, held, data, indices)
        score = float(ENERGY_WEIGHT**2 * np.sum((e * de) ** 2) + np.sum((f * df) ** 2))
        if np.isfinite(score):
            found.append((score, float(np.abs(df if len(df) else de).mean()), solution))
    if not found:
        raise DataError("fit: no regularisation in the list gives a solution in float64; add larger ones")
    limit = (1 + TIE) * min(score for score, _, _ in found)
    return next((error, solution) for score, error, solution in found if score <= limit)


def residuals(
    solution: Solution, held: Rows, data: FitData, indices: Sequence[int]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Errors of the energies and forces that are known on frames whose rows are given, and the roots of weights."""
    labels = data.labels(indices)
    i, j = labels.energy_factors > 0, labels.forces_factors > 0
    de = held.energy @ solution.weights + labels.counts @ solution.constants - labels.energies
    df = held.forces @ solution.weights - labels.forces.ravel()
    return (de[i], df[j]), (labels.energy_factors[i], labels.forces_factors[j])


def errors(solution: Solution, held: Rows, data: FitData, indices: Sequence[int]) -> dict[str, float]:
    """Errors on the hold-out in meV and meV/Angstrom, of what is known there."""
    found = residuals(solution, held, data, indices)[0]
    out: dict[str, float] = {}
    for name, unit, part in zip(("energy", "forces"), ("meV", "meV_per_A"), found, strict=True):
        if len(part):
            out[f"{name}_mae_{unit}"] = float(np.abs(1e3 * part).mean())
            out[f"{name}_rmse_{unit}"] = float(np.sqrt(np.mean((1e3 * part) ** 2)))
    return out
