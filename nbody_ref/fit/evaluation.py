"""Errors of a potential on labelled frames, beside those of predicting the mean of each composition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import counts
from nbody_ref.fit.frames import Frames, symbols
from nbody_ref.fit.potential import Potential, Prediction
from nbody_ref.fit.reading import frames_from_atoms

__all__ = ["Evaluation", "evaluate", "evaluate_left_out"]

Array = np.ndarray[Any, Any]

LEFT_OUT = "left out"
MOST_COMPOSITIONS = 12  # that a table has lines for


@dataclass(frozen=True)
class Evaluation:
    """Labels, predictions and errors.

    Parameters
    ----------
    frames : Frames
    prediction : Prediction
        Energies and forces; NaN where there is none.
    mean : (F,) float64
        Energies predicted from the composition alone, by the mean of the training data; NaN if unknown.
    parts : (F,) int, optional
        Frames that depend on each other; None: each stands for itself.
    note : str
        What a reader of the errors must know.

    Examples
    --------
    >>> from nbody_ref.fit import Baseline, Potential, ethanol, evaluate
    >>> from nbody_ref.network import default
    >>> zero = dict.fromkeys((1, 6, 8), 0.0)
    >>> potential = Potential(default([1, 6, 8]), Baseline(zero, "isolated"), zero, {})
    >>> len(evaluate(potential, ethanol()[:2]).frames)
    2
    """

    frames: Frames
    prediction: Prediction
    mean: Array
    parts: Array | None = None
    note: str = ""

    @property
    def energy_errors(self) -> Array:
        """Predicted minus labelled energies, (F,), eV; NaN where one of them is missing."""
        return np.asarray(self.prediction.energies - self.frames.energies)

    @property
    def force_errors(self) -> Array:
        """Predicted minus labelled forces, (N, 3), eV/Angstrom; NaN where one of them is missing."""
        return np.asarray(self.prediction.forces - self.frames.forces)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready errors: energies of configurations in meV, per atom in meV/atom, forces in meV/A.

        Frames are named by where they stand in their file, counted from 0. What no frame has a label for is not there.
        """
        n_atoms, de, df = self.frames.n_atoms, 1e3 * self.energy_errors, 1e3 * self.force_errors
        indices, frame_of = self.frames.indices, np.repeat(np.arange(len(n_atoms)), n_atoms)
        out: dict[str, Any] = {"n_frames": len(self.frames)}
        if np.isfinite(de).any():
            known = np.flatnonzero(np.isfinite(de))
            out |= _statistics("energy", "meV", de) | _statistics("energy_per_atom", "meV", de / n_atoms)
            out |= {
                "n_energies": len(known),
                "energy_max_meV": float(np.abs(de[known]).max()),
                "energy_max_frame": indices[int(known[np.argmax(np.abs(de[known]))])],
            }
        if np.isfinite(df).any():
            size = np.nan_to_num(np.abs(df).max(axis=1), nan=-1.0)
            out |= _statistics("forces", "meV_per_A", df)
            out |= {
                "n_forces": int(np.isfinite(df).all(axis=1).sum()),
                "forces_max_meV_per_A": float(size.max()),
                "forces_max_frame": indices[int(frame_of[int(np.argmax(size))])],
            }
        out["species"] = {name: _statistics("forces", "meV_per_A", part) for name, part in self._by_species(df)}
        out["compositions"] = self._by_composition(de, df, frame_of)
        out["mean"] = _statistics("forces", "meV_per_A", np.where(np.isfinite(df), 1e3 * self.frames.forces, np.nan))
        if np.isfinite(self.mean[np.isfinite(de)]).all():
            known_mean = np.where(np.isfinite(de), 1e3 * (self.mean - self.frames.energies), np.nan)
            out["mean"] |= _statistics("energy", "meV", known_mean)
        return out | self._standard_errors(de, df, frame_of) | ({"note": self.note} if self.note else {})

    def _by_species(self, errors: Array) -> list[tuple[str, Array]]:
        numbers = np.concatenate([frame.numbers for frame in self.frames])
        names = symbols(self.frames.species)
        found = [(name, errors[numbers == z]) for name, z in zip(names, self.frames.species, strict=True)]
        return [(name, part) for name, part in found if np.isfinite(part).any()]

    def _by_composition(self, de: Array, df: Array, frame_of: Array) -> dict[str, Any]:
        """Errors of each composition, where there are several."""
        formulas = np.array(self.frames.formulas)
        names = sorted(set(formulas.tolist()))
        if len(names) < 2:
            return {}
        return {
            name: {"n_frames": int(np.sum(formulas == name))}
            | _statistics("energy", "meV", de[formulas == name])
            | _statistics("forces", "meV_per_A", df[(formulas == name)[frame_of]])
            for name in names
        }

    def _standard_errors(self, de: Array, df: Array, frame_of: Array) -> dict[str, float]:
        """Standard errors of the mean absolute errors, from what varies between independent parts."""
        of = np.arange(len(self.frames)) if self.parts is None else np.unique(self.parts, return_inverse=True)[1]
        out: dict[str, float] = {"n_independent": int(len(np.unique(of)))}
        for name, unit, errors, which in (("energy", "meV", de, of), ("forces", "meV_per_A", df, of[frame_of])):
            flat = errors.reshape(len(errors), -1)
            known = np.isfinite(flat).all(axis=1)
            sums = np.bincount(which[known], np.abs(flat[known]).sum(axis=1), minlength=of.max() + 1)
            sizes = np.bincount(which[known], minlength=of.max() + 1) * flat.shape[1]
            there = sizes > 0
            if there.sum() > 1:
                mean, n = sums.sum() / sizes.sum(), int(there.sum())
                scatter = np.sum((sums[there] - mean * sizes[there]) ** 2) * n / (n - 1)
                out[f"{name}_mae_error_{unit}"] = float(np.sqrt(scatter) / sizes.sum())
        return out

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

        line("energy, meV", d, "energy", "meV", d.get("energy_max_meV"))
        line("energy per atom, meV", d, "energy_per_atom", "meV")
        line("forces, meV/A", d, "forces", "meV_per_A", d.get("forces_max_meV_per_A"))
        for name, part in d["species"].items():
            line(f"  on {name}, meV/A", part, "forces", "meV_per_A")
        for name, part in list(d["compositions"].items())[:MOST_COMPOSITIONS]:
            line(f"energy of {name} ({part['n_frames']}), meV", part, "energy", "meV")
            line(f"forces of {name}, meV/A", part, "forces", "meV_per_A")
        line("predict the mean: energy, meV", d["mean"], "energy", "meV")
        line("predict the mean: forces, meV/A", d["mean"], "forces", "meV_per_A")
        return "\n".join([*_columns(lines), *self._remarks(d)])

    def _remarks(self, d: dict[str, Any]) -> list[str]:
        """What stands below the table: error bars, the worst frames, labels that are missing."""
        bars = [
            f"{name} {d[f'{name}_mae_{unit}']:.2f} +- {d[f'{name}_mae_error_{unit}']:.2f} {words}"
            for name, unit, words in (("energy", "meV", "meV"), ("forces", "meV_per_A", "meV/A"))
            if f"{name}_mae_error_{unit}" in d
        ]
        there = [name for name in ("energy", "forces") if f"{name}_max_frame" in d]
        worst = [f"{name} in frame {d[f'{name}_max_frame']}" for name in there]
        parts = [f"largest errors: {', '.join(worst)} (counted from 0)"] if d["n_frames"] > 1 and worst else []
        if bars:
            parts.append(f"MAE with standard error, {d['n_independent']} independent frames: {', '.join(bars)}")
        lines = ["; ".join(parts)] if parts else []
        missing = {"no energy": int(np.sum(~self.frames.has_energy)), "no forces": int(np.sum(~self.frames.has_forces))}
        lacking = [f"{n} have {what}" for what, n in missing.items() if n]
        if lacking:
            lines.append(f"of {d['n_frames']} frames {', '.join(lacking)} to compare with")
        return [*lines, *([self.note] if self.note else [])]


def _columns(lines: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of cells, aligned."""
    name, *numbers = (max(len(cell) for cell in column) for column in zip(*lines, strict=True))
    widths = [max(10, width + 2) for width in numbers]
    rows = []
    for first, *cells in lines:
        placed = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        rows.append((first.ljust(name + 3) + "".join(placed)).rstrip())
    return rows


def _statistics(name: str, unit: str, errors: Array) -> dict[str, float]:
    """Mean absolute and root mean square of the errors that are known; nothing if none is."""
    known = errors[np.isfinite(errors)]
    if not known.size:
        return {}
    return {
        f"{name}_mae_{unit}": float(np.abs(known).mean()),
        f"{name}_rmse_{unit}": float(np.sqrt(np.mean(known**2))),
    }


def evaluate(potential: Potential, frames: Frames | Iterable[Any], **reading: Any) -> Evaluation:
    """Compare a potential with labelled frames, one or more.

    Parameters
    ----------
    potential : Potential
    frames : Frames or ase.Atoms, several of them
        Energies or forces may be missing: what is there is compared.
    **reading
        How atoms are read, as in `nbody_ref.fit.read_frames`; labels have the names that the training data had, if
        nothing else is said and these names are there.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        If there is no frame, or atoms have no labels.
    GeometryError
        If a frame holds an element that was not in the training data.

    Notes
    -----
    A potential that was fitted to forces alone knows energies up to one constant for each composition: the mean error
    of each is taken off, and the note says so.

    Examples
    --------
    >>> from nbody_ref.fit import Baseline, Potential, ethanol, evaluate
    >>> from nbody_ref.network import default
    >>> zero = dict.fromkeys((1, 6, 8), 0.0)
    >>> potential = Potential(default([1, 6, 8]), Baseline(zero, "isolated"), zero, {})
    >>> evaluate(potential, ethanol()[:2]).prediction.forces.shape
    (18, 3)
    """
    if not isinstance(frames, Frames):
        listed = list(frames)
        frames = frames_from_atoms(listed, **{**_as_trained(potential, listed), **reading}) if listed else Frames(())
    if not len(frames):
        raise DataError("evaluate: 'frames' must hold at least one frame, got none")
    for i, frame in zip(frames.indices, frames, strict=True):
        potential.check_species(frame.numbers, f"frame {i}")
        potential.check_composition(frame.numbers, f"frame {i}")
    prediction = potential.predict(frames.geometries)
    note = ""
    if potential.baseline.kind == "none" and frames.has_energy.any():
        prediction = prediction._replace(energies=_shifted(prediction.energies, frames))
        note = "energies are compared up to one constant for each composition: the potential was fitted to forces alone"
    return Evaluation(frames, prediction, _means(potential, frames), None, note)


def evaluate_left_out(potential: Potential, frames: Frames) -> Evaluation | None:
    """Errors on the frames of a fit, each predicted without it and what it depends on; None if they are not known.

    Parameters
    ----------
    potential : Potential
        As `nbody_ref.fit.fit` returns it.
    frames : Frames
        That it was fitted to.
    """
    found = potential.left_out
    if found is None or len(found.energies) != len(frames):
        return None
    prediction = Prediction(
        frames.energies + found.energies, frames.forces + found.forces, np.full(len(found.forces), np.nan)
    )
    note = ""
    if found.independent == 1:
        note = (
            "all frames are one independent frame: these errors, of consecutive fifths left out, are a lower bound of "
            "those on other geometries"
        )
    return Evaluation(frames, prediction, _means(potential, frames), found.parts, note)


def _as_trained(potential: Potential, images: Sequence[Any]) -> dict[str, Any]:
    """Names of labels of the training data, as far as the images have them."""
    data = potential.metadata.get("data", {})
    names = {name for atoms in images for name in (*atoms.info, *atoms.arrays)} if images else set()
    return {"keys": tuple(data[key] if data.get(key) in names else None for key in ("energy_key", "forces_key"))}


def _shifted(energies: Array, frames: Frames) -> Array:
    """Energies with the mean error of each composition taken off."""
    moved, formulas = energies.copy(), np.array(frames.formulas)
    for name in set(formulas.tolist()):
        members = (formulas == name) & frames.has_energy
        if members.any():
            moved[formulas == name] -= np.mean(energies[members] - frames.energies[members])
    return moved


def _means(potential: Potential, frames: Frames) -> Array:
    """Energy of each frame by the mean of its composition, else by the mean energies of atoms."""
    by_formula = potential.metadata.get("mean_energies", {})
    known = potential.metadata.get("mean_atom_energies", {})
    atoms = np.array([known.get(str(z), np.nan) for z in potential.network.species])
    by_atoms = counts(frames, potential.network.species) @ atoms
    pairs = zip(frames.formulas, by_atoms, strict=True)
    return np.array([by_formula.get(name, value) for name, value in pairs], dtype=np.float64)
