"""One fit in steps: the smoothness is chosen, frames are read, the readout is solved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

import nbody_ref
from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import Baseline, composition, counts, independent, pseudo_inverse
from nbody_ref.fit.frames import Frames
from nbody_ref.fit.interrupt import deferred
from nbody_ref.fit.options import Options, available_memory
from nbody_ref.fit.potential import Potential
from nbody_ref.fit.ridge import ENERGY_WEIGHT, Equations, Solution
from nbody_ref.fit.rows import Rows, bytes_per_frame, column_orders, column_smoothness, frame_chunks, rows
from nbody_ref.fit.splits import Split
from nbody_ref.network import Network, default

__all__ = ["MIN_FRAMES", "Job", "Log", "Readout"]

Array = np.ndarray[Any, Any]
Log = Callable[[str], None]

MIN_FRAMES = 5
SCAN_FRAMES = 60  # the smoothness is chosen on as many frames at most
CHUNK_BYTES = 256e6
TIE = 1e-3  # regularisations whose errors differ by less are equal: the largest is taken


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


@dataclass
class Job:
    """One fit: its data, choices and what it found on the way.

    Ctrl-C ends a fit with what is complete: never with a choice among candidates that saw different data.

    - While the smoothness is chosen nothing is complete: the interruption is passed on.
    - While frames are read, those that were read are a random sample: the readout is solved with them.
    - While the readout is solved, the last point of the learning curve is a complete fit: it is the result.
    """

    frames: Frames
    choice: Options
    say: Log
    baseline: Baseline
    split: Split
    curve: list[dict[str, float]] = field(default_factory=list)
    complete: Readout | None = None  # of the learning curve's last point
    interrupted: bool = False
    given: Network | None = None
    scale: Array | None = None  # of the columns, if it is not to follow from their rows

    def restart(self, scale: Array) -> None:
        """Begin again with another network and given scales of its columns."""
        self.curve, self.complete, self.scale = [], None, scale

    def network(self, smoothness: float, size: str | None = None) -> Network:
        """The network that was given, or the default one for these frames."""
        if self.given is not None:
            return self.given
        size = size or self.choice.network_size(3 * int(self.frames.n_atoms.sum()))
        return default(
            self.frames.species, cutoff=self.choice.cutoff, smoothness=smoothness, size=size, seed=self.choice.seed
        )

    def choose_smoothness(self) -> float:
        """Exponent with the smallest error on the hold-out, from fits to at most `SCAN_FRAMES` frames."""
        exponents = self.choice.smoothness
        if len(exponents) == 1 or self.given is not None:
            return exponents[0]
        train = list(self.split.train[:SCAN_FRAMES])
        test = list(self.split.test[: max(1, SCAN_FRAMES // 4)])
        scores = []
        for exponent in exponents:
            network = self.network(exponent, "small")
            equations = self.equations(network, "dual")
            for chunk, design in self.stream(network, train):
                self.add([equations], design, chunk)
            scores.append(self.best(equations, self.design(network, test), test)[0])
        chosen = exponents[int(np.argmin(scores))]
        listed = ", ".join(f"{1e3 * x:.1f} with {s:g}" for s, x in zip(exponents, scores, strict=True))
        self.say(f"smoothness {chosen:g}: forces MAE on the hold-out {listed} (meV/A, fits to {len(train)} frames)")
        return chosen

    def fit_readout(self, network: Network, solver: str) -> Potential:
        """Regularisation from the hold-out, then the readout from all frames.

        The choice is made with the same equations whatever the solver, so that it does not depend on it.
        """
        names = dict.fromkeys((self.usual_solver(network), solver))
        systems = [self.equations(network, name) for name in names]  # the first chooses, the last solves
        train, test = list(self.split.train), list(self.split.test)
        held = self.design(network, test)
        used = self.take_in(network, systems, train, held)
        try:
            readout = self.solve(systems, held, used)
        except KeyboardInterrupt:
            self.interrupted = True
            if self.complete is None:
                self.say("interrupted while the readout was solved: no fit is complete, nothing is kept")
                raise
            readout = self.complete
            self.say(f"interrupted while the readout was solved: this is the fit to {len(readout.frames)} frames")
        return self.potential(network, readout, solver)

    def solve(self, systems: Sequence[Equations], held: Rows, used: list[int]) -> Readout:
        """Choose the regularisation; solve again with the hold-out among the rows."""
        test = list(self.split.test)
        _, honest = self.best(systems[0], held, test)
        errors = self.errors(honest, held, test)
        self.curve.append({"frames": len(used), **errors})
        with deferred():
            self.add(systems[-1:], held, test)
        lambdas = [honest.regularisation * 10.0**k for k in range(20)]  # more of it where float64 has no solution
        final = next((found for found in systems[-1].solve(lambdas) if np.isfinite(found.weights).all()), None)
        if final is None:
            raise DataError(f"fit: no solution in float64 with regularisation {honest.regularisation}; add larger ones")
        self.say(
            f"regularisation {final.regularisation:.1e}; on the hold-out: energy MAE {errors['energy_mae_meV']:.2f} "
            f"meV, forces MAE {errors['forces_mae_meV_per_A']:.2f} meV/A; readout refitted to "
            f"{len(used) + len(test)} frames"
        )
        self.say_if_nothing_was_learned(errors, used)
        return Readout(final, used + test, errors)

    def say_if_nothing_was_learned(self, errors: dict[str, float], used: list[int]) -> None:
        """Compare errors on the hold-out with those of the mean of the training energies, and of no forces at all."""
        energies, _, number = self.labels(used)
        held_energies, held_forces, held_number = self.labels(list(self.split.test))
        by_mean = held_number @ (pseudo_inverse(number) @ energies) - held_energies
        for what, error, trivial in (
            ("energies", errors["energy_mae_meV"], 1e3 * np.abs(by_mean).mean()),
            ("forces", errors["forces_mae_meV_per_A"], 1e3 * np.abs(held_forces).mean()),
        ):
            if error > trivial:
                self.say(
                    f"the {what} of the hold-out are predicted no better than by their mean: are there too few "
                    f"frames, or do energies and forces not belong together?"
                )

    def potential(self, network: Network, readout: Readout, solver: str) -> Potential:
        """The finished potential with its record."""
        shape = network.parameters[network.readout].shape
        species, used = network.species, self.frames[readout.frames]
        mean = pseudo_inverse(counts(used, species)) @ used.energies
        metadata = {
            "package": nbody_ref.__version__,
            "data": self.frames.origin,
            "frames": len(self.frames),
            "indices": list(self.frames.indices),
            "split": self.split.to_dict(),
            "frames_used": len(readout.frames),
            "interrupted": self.interrupted,
            "options": self.choice.to_dict(),
            "solver": solver,
            "columns": int(np.prod(shape)),
            "regularisation": readout.solution.regularisation,
            "energy_weight": ENERGY_WEIGHT,
            "holdout_errors": readout.errors,
            "learning_curve": self.curve,
            "mean_atom_energies": {str(z): float(e) for z, e in zip(species, mean, strict=True)},
        }
        fitted = network.with_parameters({network.readout: readout.solution.weights.reshape(shape)})
        constants = {z: float(c) for z, c in zip(species, readout.solution.constants, strict=True)}
        rows = independent(composition(frame.numbers, species) for frame in used)
        baseline = replace(self.baseline, compositions=rows if self.baseline.compositions else ())
        return Potential(fitted, baseline, constants, metadata)

    def usual_solver(self, network: Network) -> str:
        """Dual if columns outnumber rows, else primal."""
        rows = 3 * int(self.frames.n_atoms.sum()) + len(self.frames)
        return "dual" if rows < network.parameters[network.readout].size else "primal"

    def solver(self, network: Network) -> str:
        """The solver. Says what memory it needs, and refuses if that is too much."""
        columns = int(np.prod(network.parameters[network.readout].shape))
        force_rows, usual = 3 * int(self.frames.n_atoms.sum()), self.usual_solver(network)
        solver = usual if self.choice.solver == "auto" else self.choice.solver
        held = 3 * int(self.frames[list(self.split.test)].n_atoms.sum()) + 3 * len(self.frames)
        core = {
            "primal": 3.0 * columns**2,
            "dual": 2.0 * force_rows * columns + 2.0 * force_rows**2,
            "qr": 6.0 * columns * min(columns, force_rows),
        }
        chunk = max(CHUNK_BYTES, float(bytes_per_frame(network, int(self.frames.n_atoms.max()))))
        need = (8 * (sum(core[name] for name in {solver, usual}) + held * columns) + 2 * chunk) / 1e9
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
        orders, smoothness = column_orders(network), column_smoothness(network)
        return Equations(orders, solver, self.baseline.kind != "isolated", self.scale, smoothness)

    def labels(self, indices: Sequence[int]) -> tuple[Array, Array, Array]:
        """Energies above the baseline, forces, and numbers of atoms of each species."""
        chosen = self.frames[indices]
        return chosen.energies - self.baseline.energy(chosen), chosen.forces, counts(chosen, self.frames.species)

    def add(self, systems: Sequence[Equations], design: Rows, indices: Sequence[int]) -> None:
        """Rows of some frames, with their labels, into systems of equations."""
        labels = self.labels(indices)
        for equations in systems:
            equations.add(design, *labels)

    def stream(self, network: Network, indices: list[int]) -> Iterator[tuple[list[int], Rows]]:
        """Frames and their rows, a chunk at a time."""
        for chunk in frame_chunks(network, self.frames[indices], CHUNK_BYTES):
            ids = [indices[i] for i in chunk]
            yield ids, rows(network, self.frames[ids])

    def design(self, network: Network, indices: list[int]) -> Rows:
        """Rows of a few frames, kept in memory."""
        parts = [design for _, design in self.stream(network, indices)]
        return Rows(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def take_in(self, network: Network, systems: Sequence[Equations], indices: list[int], held: Rows) -> list[int]:
        """Stream frames into the equations; returns those that came before Ctrl-C. Records the learning curve."""
        from tqdm import tqdm

        marks = sorted({len(indices) // 4, len(indices) // 2} - {0}) if self.choice.curve else []
        done: list[int] = []
        with tqdm(total=len(indices), unit="frame", disable=not self.choice.progress, leave=False) as bar:
            try:
                for end in (*marks, len(indices)):
                    for chunk, design in self.stream(network, indices[len(done) : end]):
                        with deferred():
                            self.add(systems, design, chunk)
                            done += chunk
                        bar.update(len(chunk))
                    if end < len(indices):
                        self.point(systems[0], held, done)
            except KeyboardInterrupt:
                if len(done) < MIN_FRAMES:
                    self.say(f"interrupted: {len(done)} of {len(indices)} frames are read, too few; nothing is kept")
                    raise
                self.interrupted = True
                self.say(f"interrupted: {len(done)} of {len(indices)} frames are read, the fit ends with these")
        return done

    def point(self, equations: Equations, held: Rows, done: list[int]) -> None:
        """One point of the learning curve, a complete fit."""
        test = list(self.split.test)
        _, solution = self.best(equations, held, test)
        errors = self.errors(solution, held, test)
        self.curve.append({"frames": len(done), **errors})
        self.complete = Readout(solution, list(done), errors)

    def best(self, equations: Equations, held: Rows, indices: Sequence[int]) -> tuple[float, Solution]:
        """Solution with the smallest weighted error on the hold-out, and its force error (eV/Angstrom).

        Every regularisation is tried: the error has several minima as a function of it. Of those that differ by less
        than `TIE` the largest is taken, so that rounding does not decide.
        """
        found: list[tuple[float, float, Solution]] = []
        for solution in equations.solve(sorted(self.choice.regularisation, reverse=True)):
            de, df = self.residuals(solution, held, indices)
            score = float(ENERGY_WEIGHT**2 * np.sum(de**2) + np.sum(df**2))
            if np.isfinite(score):
                found.append((score, float(np.abs(df).mean()), solution))
        if not found:
            raise DataError("fit: no regularisation in the list gives a solution in float64; add larger ones")
        limit = (1 + TIE) * min(score for score, _, _ in found)
        return next((error, solution) for score, error, solution in found if score <= limit)

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
