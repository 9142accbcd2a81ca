"""Errors of a potential on labelled frames, beside those of predicting the mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import counts
from nbody_ref.fit.frames import Frames, symbols
from nbody_ref.fit.potential import Potential, Prediction

__all__ = ["Evaluation", "evaluate"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Evaluation:
    """Labels, predictions and errors.

    Parameters
    ----------
    frames : Frames
    prediction : Prediction
    mean : (F,) float64
        Energies predicted from the numbers of atoms alone, by the mean of the training data; NaN if unknown.
    """

    frames: Frames
    prediction: Prediction
    mean: Array

    @property
    def energy_errors(self) -> Array:
        """Predicted minus labelled energies, (F,), eV."""
        return self.prediction.energies - self.frames.energies

    @property
    def force_errors(self) -> Array:
        """Predicted minus labelled forces, (N, 3), eV/Angstrom."""
        return self.prediction.forces - self.frames.forces

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready errors: energies of configurations in meV, per atom in meV/atom, forces in meV/A.

        Frames are named by where they stand in their file, counted from 0.
        """
        n_atoms, de, df = self.frames.n_atoms, 1e3 * self.energy_errors, 1e3 * self.force_errors
        worst = int(np.argmax(np.abs(df).max(axis=1)))
        indices, frame_of = self.frames.indices, np.repeat(np.arange(len(n_atoms)), n_atoms)
        out: dict[str, Any] = {
            "n_frames": len(self.frames),
            **_statistics("energy", "meV", de),
            **_statistics("energy_per_atom", "meV", de / n_atoms),
            **_statistics("forces", "meV_per_A", df),
            "energy_max_meV": float(np.abs(de).max()),
            "energy_max_frame": indices[int(np.argmax(np.abs(de)))],
            "forces_max_meV_per_A": float(np.abs(df).max()),
            "forces_max_frame": indices[int(frame_of[worst])],
            "species": {name: _statistics("forces", "meV_per_A", part) for name, part in self._by_species(df)},
            "mean": _statistics("forces", "meV_per_A", 1e3 * self.frames.forces),
        }
        if np.isfinite(self.mean).all():
            out["mean"] |= _statistics("energy", "meV", 1e3 * (self.mean - self.frames.energies))
        return out

    def _by_species(self, errors: Array) -> list[tuple[str, Array]]:
        numbers = np.concatenate([frame.numbers for frame in self.frames])
        names = symbols(self.frames.species)
        return [(name, errors[numbers == z]) for name, z in zip(names, self.frames.species, strict=True)]

    def table(self) -> str:
        """One table of errors with units; "predict the mean" knows the composition and nothing else."""
        d = self.to_dict()
        frames = f"errors on {d['n_frames']} frame" + ("" if d["n_frames"] == 1 else "s")
        lines = [(frames, "MAE", "RMSE", "max")]

        def line(name: str, source: dict[str, Any], key: str, unit: str, most: float | None = None) -> None:
            if f"{key}_mae_{unit}" in source:
                last = "" if most is None else f"{most:.2f}"
                mae, rmse = source[f"{key}_mae_{unit}"], source[f"{key}_rmse_{unit}"]
                lines.append((name, f"{mae:.2f}", f"{rmse:.2f}", last))

        line("energy, meV", d, "energy", "meV", d["energy_max_meV"])
        line("energy per atom, meV", d, "energy_per_atom", "meV")
        line("forces, meV/A", d, "forces", "meV_per_A", d["forces_max_meV_per_A"])
        for name, part in d["species"].items():
            line(f"  on {name}, meV/A", part, "forces", "meV_per_A")
        line("predict the mean: energy, meV", d["mean"], "energy", "meV")
        line("predict the mean: forces, meV/A", d["mean"], "forces", "meV_per_A")
        name, *numbers = (max(len(cell) for cell in column) for column in zip(*lines, strict=True))
        widths = [max(10, width + 2) for width in numbers]
        rows = []
        for first, *cells in lines:
            placed = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
            rows.append((first.ljust(name + 3) + "".join(placed)).rstrip())
        if d["n_frames"] > 1:
            worst = f"energy in frame {d['energy_max_frame']}, forces in frame {d['forces_max_frame']}"
            rows.append(f"largest errors: {worst} (counted from 0)")
        return "\n".join(rows)


def _statistics(name: str, unit: str, errors: Array) -> dict[str, float]:
    return {
        f"{name}_mae_{unit}": float(np.abs(errors).mean()),
        f"{name}_rmse_{unit}": float(np.sqrt(np.mean(errors**2))),
    }


def evaluate(potential: Potential, frames: Frames) -> Evaluation:
    """Compare a potential with labelled frames, one or more.

    Parameters
    ----------
    potential : Potential
    frames : Frames

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        If there is no frame.
    GeometryError
        If a frame holds an element that was not in the training data.
    """
    if not len(frames):
        raise DataError("evaluate: 'frames' must hold at least one frame, got none")
    for i, frame in zip(frames.indices, frames, strict=True):
        potential.check_species(frame.numbers, f"frame {i}")
        potential.check_composition(frame.numbers, f"frame {i}")
    prediction = potential.predict(frames.geometries)
    known = potential.metadata.get("mean_atom_energies", {})
    atoms = np.array([known.get(str(z), np.nan) for z in potential.network.species])
    return Evaluation(frames, prediction, counts(frames, potential.network.species) @ atoms)
