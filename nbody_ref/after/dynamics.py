"""Dynamics of one molecule that can be cut short and go on to the same bits, and that end where the data ended."""

from __future__ import annotations

import io
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.after.geometries import outside
from nbody_ref.checks import check_integer, check_number, check_word
from nbody_ref.errors import DataError, FileError, GeometryError
from nbody_ref.files import write_atomically
from nbody_ref.fit.dynamics import draw_momenta, thermalise
from nbody_ref.fit.interrupt import deferred
from nbody_ref.fit.potential import Potential

__all__ = ["Settings", "Walk", "with_error"]

Array = np.ndarray[Any, Any]

CHUNK = 100  # steps between two writings, which Ctrl-C waits for
BLOCKS = 10  # of a mean with its standard error


@dataclass(frozen=True)
class Settings:
    """How a molecule moves.

    Parameters
    ----------
    temperature : float
        Mean, K.
    ensemble : {"nve", "langevin"}
    time_step : float
        fs.
    friction : float
        Of Langevin dynamics, 1/ps.
    every : int
        Steps between frames of the trajectory.
    seed : int

    Raises
    ------
    ArgumentError
        If a value is of another kind or out of range.
    """

    temperature: float = 300.0
    ensemble: str = "nve"
    time_step: float = 0.5
    friction: float = 10.0
    every: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("temperature", "time_step", "friction"):
            check_number("md", name, getattr(self, name), "a positive number", lambda x: 0 < x < float("inf"))
        check_word("md", "ensemble", self.ensemble, ("nve", "langevin"))
        check_integer("md", "every", self.every, 1)
        check_integer("md", "seed", self.seed)


@dataclass
class Walk:
    """One trajectory in a folder: ``trajectory.xyz``, ``energies.csv`` and ``state.npz``, from which it goes on.

    Parameters
    ----------
    potential : Potential
    settings : Settings
    folder : Path
    name : str
        Behind the names of the files, for one of several replicas.

    Attributes
    ----------
    step : int
    why : list of str
        Why the walk ended before its time: what was outside the training data; empty as long as it goes on.
    """

    potential: Potential
    settings: Settings
    folder: Path
    name: str = ""
    step: int = field(default=0, init=False)
    why: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.trajectory = self.folder / f"trajectory{self.name}.xyz"
        self.table = self.folder / f"energies{self.name}.csv"
        self.state = self.folder / f"state{self.name}.npz"
        self._files = {"trajectory": self.trajectory, "table": self.table}
        self._lines: dict[str, list[str]] = {what: [] for what in self._files}  # since the last state

    def begin(self, atoms: Any, number: int = 0) -> None:
        """Go on from the state in the folder, or thermalise a copy of the atoms and start.

        Raises
        ------
        FileError
            If the state in the folder belongs to another run.
        GeometryError
            If the start is a single atom, or leaves what the potential can answer.
        """
        if len(atoms) < 2:
            raise GeometryError("md: 'atoms' must be a molecule of at least two atoms, got one")
        self.atoms = atoms.copy()
        self.atoms.calc = self.potential.calculator()
        self._rng = np.random.default_rng([self.settings.seed, number])
        self._identity = json.dumps(
            [asdict(self.settings), self._parameters(), number, atoms.numbers.tolist(), atoms.positions.tolist()]
        )
        if self.state.exists():
            self._restore()
        else:
            for path in self._files.values():
                path.write_bytes(b"")
            thermalise(self.atoms, self.settings.temperature, self._rng, self.settings.time_step)
            if self.settings.ensemble == "langevin":  # turns as well
                draw_momenta(self.atoms, self.settings.temperature, self._rng)
            self.why = outside(self.atoms)
            self._lines["table"].append("fs,temperature_K,potential_eV,total_eV\n")
            self._record()
            self._save()
        self._dynamics = self._integrator()

    def run(self, steps: int, progress: Any = None) -> None:
        """Go on until `steps` are done or the molecule is outside the training data; `progress` is told of each."""
        while self.step < steps and not self.why:
            with deferred():
                for _ in range(min(CHUNK, steps - self.step)):
                    try:
                        self._dynamics.run(1)
                        self.why = outside(self.atoms)
                    except GeometryError as error:
                        self.why = [str(error)]
                        break
                    self.step += 1
                    self._record()
                    if progress is not None:
                        progress.update(1)
                    if self.why:
                        break
                self._save()

    def summary(self) -> dict[str, Any]:
        """JSON-ready: length, mean temperature with its standard error, drift, and why it ended."""
        table = np.loadtxt(self.table, delimiter=",", skiprows=1, ndmin=2)
        mean, error = with_error(table[:, 1])
        slope = np.polyfit(table[:, 0], table[:, 3], 1)[0] if len(table) > 2 else 0.0
        return {
            "trajectory": self.trajectory.name,
            "femtoseconds": self.step * self.settings.time_step,
            "temperature_K": mean,
            "temperature_error_K": error,
            "drift_meV_per_atom_ps": float(slope * 1e6 / len(self.atoms)),
            "fluctuation_meV_per_atom": float(table[:, 3].std() * 1e3 / len(self.atoms)),
            "outside": self.why,
        }

    def _integrator(self) -> Any:
        from ase import units
        from ase.md.langevin import Langevin
        from ase.md.verlet import VelocityVerlet

        step = self.settings.time_step * units.fs
        if self.settings.ensemble == "nve":
            return VelocityVerlet(self.atoms, step)
        friction = self.settings.friction / (1000 * units.fs)
        kelvin = self.settings.temperature
        return Langevin(self.atoms, step, temperature_K=kelvin, friction=friction, fixcm=False, rng=self._rng)

    def _record(self) -> None:
        """A line of the table, and now and then a frame."""
        from ase import units
        from ase.io import write

        kinetic, potential = self.atoms.get_kinetic_energy(), self.atoms.get_potential_energy()
        free = 3 * len(self.atoms) if self.settings.ensemble == "langevin" else max(3 * len(self.atoms) - 6, 1)
        kelvin = 2 * kinetic / (free * units.kB)
        numbers = (self.step * self.settings.time_step, kelvin, potential, kinetic + potential)
        self._lines["table"].append(",".join(repr(float(x)) for x in numbers) + "\n")
        if self.step % self.settings.every == 0 or self.why:
            text = io.StringIO()
            write(text, self.atoms, format="extxyz")
            self._lines["trajectory"].append(text.getvalue())

    def _parameters(self) -> str:
        import hashlib

        found = self.potential.network.parameters
        return hashlib.sha256(b"".join(np.ascontiguousarray(found[k]).tobytes() for k in sorted(found))).hexdigest()

    def _save(self) -> None:
        for what, path in self._files.items():
            try:
                with open(path, "a", encoding="utf-8", newline="") as file:
                    file.writelines(self._lines[what])
            except OSError as error:
                raise FileError(f"cannot write {path}: {error.strerror or error}") from error
            self._lines[what].clear()
        buffer = io.BytesIO()
        record = {
            "identity": self._identity,
            "step": self.step,
            "why": self.why,
            "rng": self._rng.bit_generator.state,
            "sizes": {what: path.stat().st_size for what, path in self._files.items()},
        }
        np.savez(buffer, r=self.atoms.positions, p=self.atoms.get_momenta(), record=np.array(json.dumps(record)))
        write_atomically(self.state, buffer.getvalue())

    def _restore(self) -> None:
        try:
            with np.load(self.state, allow_pickle=False) as found:
                record = json.loads(str(found["record"]))
                positions, momenta = found["r"], found["p"]
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise FileError(f"{self.state}: cannot be read as the state of a dynamics: {error}") from error
        if record["identity"] != self._identity:
            raise FileError(
                f"{self.folder} holds a dynamics of another potential, start or settings: choose another folder (-o "
                f"DIR), or replace it (--overwrite)"
            )
        self.atoms.positions[:] = positions
        self.atoms.set_momenta(momenta)
        self.step, self.why, self._rng.bit_generator.state = record["step"], record["why"], record["rng"]
        for what, size in record["sizes"].items():  # what was written after the state is written again
            if not self._files[what].exists() or self._files[what].stat().st_size < size:
                raise DataError(f"{self._files[what]} is shorter than {self.state} says: it was changed")
            os.truncate(self._files[what], size)


def with_error(values: Array) -> tuple[float, float | None]:
    """Mean of a series and its standard error from `BLOCKS` blocks; None if it is too short for one.

    Examples
    --------
    >>> with_error(np.ones(100))
    (1.0, 0.0)
    """
    if len(values) < 2 * BLOCKS:
        return float(np.mean(values)), None
    means = np.array([block.mean() for block in np.array_split(values, BLOCKS)])
    return float(np.mean(values)), float(means.std(ddof=1) / np.sqrt(BLOCKS))
