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
from nbody_ref.fit.interrupt import deferred
from nbody_ref.fit.narrator import Narrator
from nbody_ref.fit.options import Options, available_memory
from nbody_ref.fit.potential import Potential
from nbody_ref.fit.ridge import ENERGY_WEIGHT, Equations, Solution
from nbody_ref.fit.rows import Rows, bytes_per_frame, column_orders, column_smoothness, frame_chunks, rows
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
    "planned",
    "take_in",
]

Array = np.ndarray[Any, Any]

MIN_FRAMES = 5
SCAN_FRAMES = 60  # the smoothness is chosen on as many frames at most
CHUNK_BYTES = 256e6
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
    """

    data: FitData
    choice: Options
    tell: Narrator
    given: Network | None = None

    def network(self, smoothness: float, size: str | None = None) -> Network:
        """The network that was given, or the default one for these frames."""
        if self.given is not None:
            return self.given
        choice = self.choice
        size = size or choice.network_size(self.data.n_force_rows)
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
        network = task.network(exponent, "small")
        system = equations(data, network, "dual")
        for chunk, block in _stream(data, network, train):
            system.add(block, *data.labels(chunk))
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
        readout = _with_holdout(task, systems[-1], held, honest)
    except KeyboardInterrupt:
        interrupted = True
        task.tell.interrupted_solving(len(curve[-1].frames) if curve else None)
        if not curve:
            raise
        readout = curve[-1]
    points = [{"frames": len(found.frames), **found.errors} for found in curve]
    record = {"interrupted": interrupted, "solver": solver, "learning_curve": points}
    return _potential(task, network, readout, record)


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
                        for system in systems:
                            system.add(block, *data.labels(chunk))
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


def _with_holdout(task: Task, system: Equations, held: Rows, honest: Readout) -> Readout:
    """The readout solved again with the hold-out among the rows, with the regularisation chosen without."""
    data = task.data
    with deferred():
        system.add(held, *data.labels(data.held))
    chosen = honest.solution.regularisation
    lambdas = [chosen * 10.0**k for k in range(20)]  # more of it where float64 has no solution
    final = next((found for found in system.solve(lambdas) if np.isfinite(found.weights).all()), None)
    if final is None:
        raise DataError(f"fit: no solution in float64 with regularisation {chosen}; add larger ones")
    frames = honest.frames + data.held
    task.tell.solved(final.regularisation, honest.errors, len(frames))
    for what in _not_learned(data, honest):
        task.tell.nothing_learned(what)
    return Readout(final, frames, honest.errors)


def _not_learned(data: FitData, honest: Readout) -> list[str]:
    """What the hold-out says is predicted worse than by the mean of the training energies, or by no forces at all."""
    energies, _, number = data.labels(honest.frames)
    held_energies, held_forces, held_number = data.labels(data.held)
    by_mean = held_number @ (pseudo_inverse(number) @ energies) - held_energies
    trivial = {"energies": np.abs(by_mean).mean(), "forces": np.abs(held_forces).mean()}
    found = {"energies": honest.errors["energy_mae_meV"], "forces": honest.errors["forces_mae_meV_per_A"]}
    return [what for what, error in found.items() if error > 1e3 * trivial[what]]


def _potential(task: Task, network: Network, readout: Readout, record: dict[str, Any]) -> Potential:
    """The finished potential with its record."""
    data, shape = task.data, network.parameters[network.readout].shape
    species, used = network.species, data.frames[readout.frames]
    mean = pseudo_inverse(counts(used, species)) @ used.energies
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
        "energy_weight": ENERGY_WEIGHT,
        "holdout_errors": readout.errors,
        "learning_curve": record["learning_curve"],
        "mean_atom_energies": {str(z): float(e) for z, e in zip(species, mean, strict=True)},
    }
    fitted = network.with_parameters({network.readout: readout.solution.weights.reshape(shape)})
    constants = {z: float(c) for z, c in zip(species, readout.solution.constants, strict=True)}
    known = independent(composition(frame.numbers, species) for frame in used)
    baseline = replace(data.baseline, compositions=known if data.baseline.compositions else ())
    return Potential(fitted, baseline, constants, metadata)


def usual_solver(data: FitData, network: Network) -> str:
    """Dual if columns outnumber rows, else primal."""
    equations = data.n_force_rows + len(data.frames)
    return "dual" if equations < network.parameters[network.readout].size else "primal"


def planned(task: Task, network: Network) -> str:
    """The solver. Says what memory it needs, and refuses if that is too much.

    Raises
    ------
    DataError
        If the fit would need more memory than it may use.
    """
    data, choice = task.data, task.choice
    columns = int(np.prod(network.parameters[network.readout].shape))
    force_rows, usual = data.n_force_rows, usual_solver(data, network)
    solver = usual if choice.solver == "auto" else choice.solver
    held = 3 * int(data.frames[data.held].n_atoms.sum()) + 3 * len(data.frames)
    core = {
        "primal": 3.0 * columns**2,
        "dual": 2.0 * force_rows * columns + 2.0 * force_rows**2,
        "qr": 6.0 * columns * min(columns, force_rows),
    }
    chunk = max(CHUNK_BYTES, float(bytes_per_frame(network, int(data.frames.n_atoms.max()))))
    need = (8 * (sum(core[name] for name in {solver, usual}) + held * columns) + 2 * chunk) / 1e9
    limit = available_memory() if choice.memory is None else choice.memory
    task.tell.memory(columns, force_rows + len(data.frames), solver, need)
    if need > limit:
        raise DataError(
            f"fit: would need {need:.1f} GB, may use {limit:.1f}: take fewer frames, a smaller size "
            f"(--size small), or allow more memory (--memory)"
        )
    return solver


def equations(data: FitData, network: Network, solver: str, scale: Array | None = None) -> Equations:
    """Empty equations for the readout of a network."""
    return Equations(column_orders(network), solver, data.constants, scale, column_smoothness(network))


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

    Every regularisation is tried: the error has several minima as a function of it. Of those that differ by less
    than `TIE` the largest is taken, so that rounding does not decide.
    """
    found: list[tuple[float, float, Solution]] = []
    for solution in system.solve(sorted(regularisations, reverse=True)):
        de, df = residuals(solution, held, data, indices)
        score = float(ENERGY_WEIGHT**2 * np.sum(de**2) + np.sum(df**2))
        if np.isfinite(score):
            found.append((score, float(np.abs(df).mean()), solution))
    if not found:
        raise DataError("fit: no regularisation in the list gives a solution in float64; add larger ones")
    limit = (1 + TIE) * min(score for score, _, _ in found)
    return next((error, solution) for score, error, solution in found if score <= limit)


def residuals(solution: Solution, held: Rows, data: FitData, indices: Sequence[int]) -> tuple[Array, Array]:
    """Errors of energies (F,) and forces (3 N,) on frames whose rows are given."""
    energies, forces, number = data.labels(indices)
    return (
        held.energy @ solution.weights + number @ solution.constants - energies,
        held.forces @ solution.weights - forces.ravel(),
    )


def errors(solution: Solution, held: Rows, data: FitData, indices: Sequence[int]) -> dict[str, float]:
    """Errors on the hold-out in meV and meV/Angstrom."""
    de, df = (1e3 * part for part in residuals(solution, held, data, indices))
    return {
        "energy_mae_meV": float(np.abs(de).mean()),
        "energy_rmse_meV": float(np.sqrt(np.mean(de**2))),
        "forces_mae_meV_per_A": float(np.abs(df).mean()),
        "forces_rmse_meV_per_A": float(np.sqrt(np.mean(df**2))),
    }
