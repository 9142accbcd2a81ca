"""Fit of a potential: frozen covariant layers, readout in closed form on energies and forces.

The random weights of the covariant layers are drawn from a seed and stay; the energy is linear in the readout, whose
weights are the solution of one regularised least-squares problem (`nbody_ref.fit.ridge`). What is left to choose, the
smoothness of the radial functions and the regularisation, is chosen on a hold-out inside the training frames; then the
readout is solved again with all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import nbody_ref
from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import Baseline, counts, pseudo_inverse
from nbody_ref.fit.frames import Frames, symbols
from nbody_ref.fit.options import Options, available_memory
from nbody_ref.fit.potential import Potential
from nbody_ref.fit.reading import frames_from_atoms
from nbody_ref.fit.ridge import ENERGY_WEIGHT, Equations, Solution
from nbody_ref.fit.rows import Rows, bytes_per_frame, column_orders, frame_chunks, rows
from nbody_ref.fit.splits import Split, split
from nbody_ref.network import Network, default

__all__ = ["fit"]

Array = np.ndarray[Any, Any]
Log = Callable[[str], None]

MIN_FRAMES = 5
SCAN_FRAMES = 60  # the smoothness is chosen on as many frames at most
MAX_HOLDOUT = 100
CHUNK_BYTES = 256e6
THREADED_COLUMNS = 4000  # below, several BLAS threads spend more time waiting for each other than they save


def fit(frames: Frames | Sequence[Any], log: Log | None = None, **options: Any) -> Potential:
    """Fit a potential to energies and forces.

    Parameters
    ----------
    frames : Frames or sequence of ase.Atoms
        Labelled geometries, at least five; see `nbody_ref.fit.read_frames`.
    log : function of str, optional
        Receives one line of progress at a time, `print` for instance.
    **options
        Fields of `nbody_ref.fit.Options`: cutoff, size, smoothness, regularisation, holdout, solver, memory, seed, ...

    Returns
    -------
    Potential
        Its `metadata` hold the split, the choices, the errors on the hold-out and a learning curve.

    Raises
    ------
    DataError
        If there are fewer than five frames, an option is unknown, or the fit would need more memory than it may use.

    Notes
    -----
    Interrupted (Ctrl-C) while it reads frames, the fit ends with those it has read. Every number is float64. BLAS runs
    on one thread below 4000 weights, so that results repeat to the bit; above, on as many as it is given.
    """
    if not isinstance(frames, Frames):
        frames = frames_from_atoms(frames)
    choice, say = Options.build(options), log or (lambda line: None)
    if len(frames) < MIN_FRAMES:
        came = "1 frame" if len(frames) == 1 else f"{len(frames)} frames"
        raise DataError(f"fit: needs at least {MIN_FRAMES} frames to fit to and to choose from, got {came}")
    start = time.perf_counter()
    job = _Job(frames, choice, say, Baseline.build(frames), _holdout(frames, choice))
    held = job.split.listed("test")
    say(f"{len(frames)} frames of {_formulas(frames)}; choices on a hold-out, seed {job.split.seed}: frames {held}")
    energies = zip(symbols(frames.species), job.baseline.energies.values(), strict=True)
    say(f"baseline ({job.baseline.kind}): " + ", ".join(f"{name} {energy:.4f} eV" for name, energy in energies))
    first = job.network(choice.smoothness[0])
    solver = job.solver(first)
    large = first.parameters[first.readout].size >= THREADED_COLUMNS
    with threadpool_limits(limits=1, user_api="blas"):
        smoothness = job.choose_smoothness()
    with threadpool_limits(limits=None if large else 1, user_api="blas"):
        potential = job.fit_readout(job.network(smoothness), solver)
    potential.metadata["smoothness"] = smoothness
    potential.metadata["seconds"] = round(time.perf_counter() - start, 1)
    return potential


def _formulas(frames: Frames) -> str:
    names = sorted(set(frames.formulas))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _rises_twice(scores: list[float]) -> bool:
    """Whether the last two scores are both above the smallest."""
    return len(scores) > 2 and min(scores[-2:]) > min(scores[:-2])


def _holdout(frames: Frames, choice: Options) -> Split:
    n = min(max(1, round(choice.holdout * len(frames))), MAX_HOLDOUT)
    return split(len(frames), len(frames) - n, choice.seed)


@dataclass
class _Job:
    """One fit: its data, choices and what it found on the way."""

    frames: Frames
    choice: Options
    say: Log
    baseline: Baseline
    split: Split
    curve: list[dict[str, float]] = field(default_factory=list)
    largest: float = np.inf  # regularisation chosen for the learning curve last

    def network(self, smoothness: float) -> Network:
        """The default network for these frames."""
        size = self.choice.network_size(3 * int(self.frames.n_atoms.sum()))
        return default(
            self.frames.species, cutoff=self.choice.cutoff, smoothness=smoothness, size=size, seed=self.choice.seed
        )

    def choose_smoothness(self) -> float:
        """Exponent with the smallest error on the hold-out, from fits to at most `SCAN_FRAMES` frames."""
        exponents = self.choice.smoothness
        if len(exponents) == 1:
            return exponents[0]
        train = list(self.split.train[:SCAN_FRAMES])
        test = list(self.split.test[: max(1, SCAN_FRAMES // 4)])
        scores = []
        small = replace(self, choice=replace(self.choice, size="small"))
        for exponent in exponents:
            network = small.network(exponent)
            equations = self.equations(network, "dual")
            self.take_in(network, equations, train, None)
            score, _ = self.best(equations, self.design(network, test), test)
            scores.append(score)
        chosen = exponents[int(np.argmin(scores))]
        listed = ", ".join(f"{s:g}: {1e3 * x:.1f}" for s, x in zip(exponents, scores, strict=True))
        self.say(f"smoothness {chosen:g} (force error on the hold-out, meV/A: {listed}; {len(train)} frames)")
        return chosen

    def fit_readout(self, network: Network, solver: str) -> Potential:
        """Regularisation from the hold-out, then the readout from all frames."""
        equations = self.equations(network, solver)
        train, test = list(self.split.train), list(self.split.test)
        held = self.design(network, test)
        used = self.take_in(network, equations, train, held)
        _, honest = self.best(equations, held, test)
        errors = self.errors(honest, held, test)
        self.curve.append({"frames": used, **errors})
        self.add(equations, held, test)
        final = next(equations.solve([honest.regularisation]))
        self.say(
            f"regularisation {honest.regularisation:.1e}; hold-out: energy MAE {errors['energy_mae_meV']:.2f} meV, "
            f"forces MAE {errors['forces_mae_meV_per_A']:.2f} meV/A; readout refitted to {used + len(test)} frames"
        )
        return self.potential(network, final, solver, errors, used)

    def potential(
        self, network: Network, solution: Solution, solver: str, errors: dict[str, float], used: int
    ) -> Potential:
        """The finished potential with its record."""
        shape = network.parameters[network.readout].shape
        species = network.species
        mean = pseudo_inverse(counts(self.frames, species)) @ self.frames.energies
        metadata = {
            "package": nbody_ref.__version__,
            "data": self.frames.origin,
            "frames": len(self.frames),
            "split": self.split.to_dict(),
            "frames_used": used + len(self.split.test),
            "options": self.choice.to_dict(),
            "solver": solver,
            "columns": int(np.prod(shape)),
            "regularisation": solution.regularisation,
            "energy_weight": ENERGY_WEIGHT,
            "holdout_errors": errors,
            "learning_curve": self.curve,
            "mean_atom_energies": {str(z): float(e) for z, e in zip(species, mean, strict=True)},
        }
        fitted = network.with_parameters({network.readout: solution.weights.reshape(shape)})
        constants = {z: float(c) for z, c in zip(species, solution.constants, strict=True)}
        return Potential(fitted, self.baseline, constants, metadata)

    def solver(self, network: Network) -> str:
        """The solver: dual if columns outnumber rows. Says what memory it needs, and refuses if that is too much."""
        columns = int(np.prod(network.parameters[network.readout].shape))
        force_rows = 3 * int(self.frames.n_atoms.sum())
        solver = self.choice.solver
        if solver == "auto":
            solver = "dual" if force_rows + len(self.frames) < columns else "primal"
        held = 3 * int(self.frames[list(self.split.test)].n_atoms.sum()) + 3 * len(self.frames)
        core = {
            "primal": 3.0 * columns**2,
            "dual": 2.0 * force_rows * columns + 2.0 * force_rows**2,
            "qr": 5.0 * columns**2,
        }[solver]
        chunk = max(CHUNK_BYTES, float(bytes_per_frame(network, int(self.frames.n_atoms.max()))))
        need = (8 * (core + held * columns) + 2 * chunk) / 1e9
        limit = available_memory() if self.choice.memory is None else self.choice.memory
        self.say(f"{columns} weights, {force_rows + len(self.frames)} equations, {solver} solver, memory {need:.2f} GB")
        if need > limit:
            raise DataError(
                f"fit: would need {need:.1f} GB, may use {limit:.1f}: take fewer frames, a smaller size "
                f"(--size small), or allow more memory (--memory)"
            )
        return solver

    def equations(self, network: Network, solver: str) -> Equations:
        """Empty equations for the readout of a network."""
        return Equations(column_orders(network, self.frames), solver, self.baseline.kind != "isolated")

    def labels(self, indices: Sequence[int]) -> tuple[Array, Array, Array]:
        """Energies above the baseline, forces, and numbers of atoms of each species."""
        chosen = self.frames[indices]
        return chosen.energies - self.baseline.energy(chosen), chosen.forces, counts(chosen, self.frames.species)

    def add(self, equations: Equations, design: Rows, indices: Sequence[int]) -> None:
        """Rows of some frames, with their labels."""
        equations.add(design, *self.labels(indices))

    def design(self, network: Network, indices: Sequence[int]) -> Rows:
        """Rows of a few frames, kept in memory."""
        chosen = self.frames[indices]
        parts = [rows(network, chosen[list(chunk)]) for chunk in frame_chunks(network, chosen, CHUNK_BYTES)]
        return Rows(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def take_in(self, network: Network, equations: Equations, indices: list[int], held: Rows | None) -> int:
        """Stream frames into the equations; returns how many. A learning curve is recorded if `held` is given."""
        from tqdm import tqdm

        marks = {len(indices) // 4, len(indices) // 2} if held is not None and self.choice.curve else set()
        done = 0
        with tqdm(total=len(indices), unit="frame", disable=not self.choice.progress, leave=False) as bar:
            try:
                for chunk in frame_chunks(network, self.frames[indices], CHUNK_BYTES):
                    ids = [indices[i] for i in chunk]
                    self.add(equations, rows(network, self.frames[ids]), ids)
                    done += len(ids)
                    bar.update(len(ids))
                    passed = {m for m in marks if m <= done}
                    if passed and held is not None:
                        marks -= passed
                        self.point(equations, held, done)
            except KeyboardInterrupt:
                if done < MIN_FRAMES:
                    raise
                self.say(f"interrupted: going on with the {done} frames read so far")
        return done

    def point(self, equations: Equations, held: Rows, done: int) -> None:
        """One point of the learning curve."""
        test = list(self.split.test)
        _, solution = self.best(equations, held, test)
        self.curve.append({"frames": done, **self.errors(solution, held, test)})

    def best(self, equations: Equations, held: Rows, indices: Sequence[int]) -> tuple[float, Solution]:
        """Solution with the smallest weighted error on the hold-out, and its force error (eV/Angstrom).

        Regularisation falls until the error has risen twice, or a solution does not exist in float64. More frames need
        less of it: where a solution is expensive, the search starts two steps above what fewer frames chose.
        """
        lambdas = sorted(self.choice.regularisation, reverse=True)
        if equations.solver != "dual":
            larger = sum(value > self.largest for value in lambdas)
            lambdas = lambdas[max(0, larger - 2) :]
        found: list[tuple[float, float, Solution]] = []
        for solution in equations.solve(lambdas):
            de, df = self.residuals(solution, held, indices)
            score = float(ENERGY_WEIGHT**2 * np.sum(de**2) + np.sum(df**2))
            if np.isfinite(score):
                found.append((score, float(np.abs(df).mean()), solution))
            if found and (not np.isfinite(score) or _rises_twice([item[0] for item in found])):
                break
        if not found:
            raise DataError("fit: no regularisation in the list gives a solution in float64; add larger ones")
        _, error, solution = min(found, key=lambda item: item[0])
        if equations.solver != "dual":
            self.largest = solution.regularisation
        return error, solution

    def residuals(self, solution: Solution, held: Rows, indices: Sequence[int]) -> tuple[Array, Array]:
        """Errors of energies (F,) and forces (3 N,) on frames whose rows are given."""
        energies, forces, number = self.labels(indices)
        return (
            held.energy @ solution.weights + number @ solution.constants - energies,
            held.forces @ solution.weights - forces.ravel(),
        )

    def errors(self, solution: Solution, held: Rows, indices: Sequence[int]) -> dict[str, float]:
        """Errors on the hold-out in meV and meV/Angstrom."""
        de, df = (1e3 * part for part in self.residuals(solution, held, indices))
        return {
            "energy_mae_meV": float(np.abs(de).mean()),
            "energy_rmse_meV": float(np.sqrt(np.mean(de**2))),
            "forces_mae_meV_per_A": float(np.abs(df).mean()),
            "forces_rmse_meV_per_A": float(np.sqrt(np.mean(df**2))),
        }
