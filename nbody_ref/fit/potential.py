"""A fitted potential: energies and forces of molecules, saved to and loaded from one file."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbody_ref.errors import FileError, GeometryError, NBodyRefError
from nbody_ref.files import load_model, save_model
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.frames import Frames, symbols
from nbody_ref.fit.support import Outside, Support
from nbody_ref.fit.walls import Walls
from nbody_ref.models.base import PublishedModel
from nbody_ref.models.registry import model_from_dict
from nbody_ref.network import Network, Spec

if TYPE_CHECKING:
    from nbody_ref.fit.calculator import PotentialCalculator
    from nbody_ref.fit.honest import LeftOut

__all__ = ["Potential", "Prediction", "load", "told_errors", "undetermined"]

Array = np.ndarray[Any, Any]

ERRORS = ("holdout_errors", "left_out_errors", "test_errors")
BATCH = 64  # molecules evaluated together
WORDS = {"frames_used": "frames", "regularisation": "lambda", "package": "nbody_ref"}  # where a record is shown


class Prediction(NamedTuple):
    """Energies and forces of a list of molecules.

    Parameters
    ----------
    energies : (F,) float64
        eV.
    forces : (N, 3) float64
        eV/Angstrom, molecule after molecule.
    atom_energies : (N,) float64
        eV; they add up to the energies of the molecules.

    Examples
    --------
    >>> from nbody_ref.fit import Prediction
    >>> Prediction([0.0], [[0.0] * 3], [0.0])._fields
    ('energies', 'forces', 'atom_energies')
    """

    energies: Array
    forces: Array
    atom_energies: Array


@dataclass(frozen=True)
class Potential:
    """Energy of a molecule: baseline of its atoms, a constant for each, and the network.

    Parameters
    ----------
    network : Network or PublishedModel
        Its root is one scalar.
    baseline : Baseline
    constants : mapping of int to float
        Energy of one atom of each species that the fit left over, eV.
    metadata : dict
        JSON record of data, split, choices and errors.
    checkpoint : Path, optional
        Of the training that it comes from; removed once the potential is saved.
    left_out : LeftOut, optional
        After a fit: its errors on every frame by the fit without it. Not saved.
    support : Support, optional
        Of the training data: inside their shortest distances there are walls (`nbody_ref.fit.walls`).

    Examples
    --------
    >>> from nbody_ref.fit import Baseline, Potential
    >>> from nbody_ref.network import default
    >>> potential = Potential(default([1]), Baseline({1: -13.6}, "isolated"), {1: 0.0}, {})
    >>> potential.predict([([[0, 0, 0], [0, 0, 0.74]], [1, 1])]).forces.shape
    (2, 3)
    """

    network: Network | PublishedModel
    baseline: Baseline
    constants: Mapping[int, float]
    metadata: dict[str, Any] = field(default_factory=dict)
    checkpoint: Path | None = field(default=None, repr=False, compare=False)
    left_out: LeftOut | None = field(default=None, repr=False, compare=False)
    support: Support | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, model: Network | PublishedModel, frames: Frames) -> Potential:
        """A trained model above the baseline of the frames that it was trained on.

        Parameters
        ----------
        model : Network or PublishedModel
            As `nbody_ref.fit.train` returns it.
        frames : Frames
        """
        support = Support.build(frames, model.species, model.cutoff)
        return cls(model, Baseline.build(frames), dict.fromkeys(model.species, 0.0), support=support)

    def predict(self, geometries: Sequence[tuple[Array, ...]]) -> Prediction:
        """Energies and forces of molecules.

        Parameters
        ----------
        geometries : sequence of ((n, 3) float64 positions in Angstrom, (n,) atomic numbers)
            And a third array, the states that atoms come with, if the network wants them (`Spec.given`).

        Returns
        -------
        Prediction

        Raises
        ------
        GeometryError
            If a species was not in the training data, the training data do not determine the energy of a composition,
            a coordinate is not finite, or two atoms coincide nearly.
        """
        molecules = _pairs(geometries)
        for i, (_, numbers, *_) in enumerate(molecules):
            self.check_species(numbers, f"molecule {i}")
            self.check_composition(numbers, f"molecule {i}")
        return self._batches(molecules)

    def forces(self, geometries: Sequence[tuple[Array, ...]]) -> Array:
        """Forces alone, (N, 3) float64, eV/Angstrom: for molecules of any composition, see `predict`."""
        molecules = _pairs(geometries)
        for i, (_, numbers, *_) in enumerate(molecules):
            self.check_species(numbers, f"molecule {i}")
        return self._batches(molecules).forces

    def _batches(self, molecules: Sequence[tuple[Array, ...]]) -> Prediction:
        parts = [self._predict(molecules[i : i + BATCH]) for i in range(0, len(molecules), BATCH)]
        if not parts:
            return Prediction(np.zeros(0), np.zeros((0, 3)), np.zeros(0))
        return Prediction(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _predict(self, geometries: Sequence[tuple[Array, ...]]) -> Prediction:
        seen, rounds, walls = list(geometries), {}, self._walls
        if walls is not None:
            for k, (positions, numbers, *given) in enumerate(geometries):
                y, pushed = walls.pushed(positions, numbers)
                if pushed:
                    seen[k], rounds[k] = (y, numbers, *given), pushed
        network, graph = self.network, self.network.graph(seen)
        atoms, forces = network.node_energies_and_forces(graph)
        for k, ((positions, numbers, *_), start) in enumerate(zip(geometries, graph.frame_ptr, strict=False)):
            mine = slice(int(start), int(start) + len(numbers))
            constants = np.array([self.constants[int(z)] for z in numbers])
            atoms[mine] += self.baseline.atom_energies(numbers) + constants
            if walls is not None and k in rounds:
                shares, pushing = walls.energies_and_forces(positions, numbers)
                atoms[mine] += shares
                forces[mine] = walls.pulled_back(forces[mine], rounds[k]) + pushing
        energies = np.add.reduceat(atoms, graph.frame_ptr[:-1].astype(np.intp))
        return Prediction(energies, forces, atoms)

    @cached_property
    def _walls(self) -> Walls | None:
        return None if self.support is None else Walls(self.support)

    def outside(self, numbers: Array, positions: Array) -> list[Outside]:
        """What of a molecule lies outside the training data; empty if nothing does or the data are not known."""
        return [] if self.support is None else self.support.outside(numbers, positions)

    def check_species(self, numbers: Array, where: str) -> None:
        """Refuse elements that were not in the training data, by name."""
        known = self.network.species
        for atom, z in enumerate(numbers):
            if int(z) not in known:
                name, names = symbols([z])[0], ", ".join(symbols(known))
                raise GeometryError(f"{where}: atom {atom} is {name}, which was not in the training data ({names})")

    def check_composition(self, numbers: Array, where: str) -> None:
        """Refuse compositions whose energy the training data leave open."""
        if not self.baseline.determines(numbers):
            raise GeometryError(undetermined(where, numbers, self.baseline))

    def summary(self) -> str:
        """A few lines for people: what the potential is of, what it was fitted to, how large its errors were."""
        network, record = self.network, self.metadata
        known = [_formula(dict(zip(symbols(network.species), row, strict=True))) for row in self.baseline.compositions]
        kinds = {"isolated": "atomisation, above isolated atoms", "none": f"up to a constant, of {', '.join(known)}"}
        whose = kinds.get(self.baseline.kind, f"combinations of {', '.join(known)}")
        lines = [
            f"potential for {', '.join(symbols(network.species))}",
            f"energies of  {whose} (baseline: {self.baseline.kind})",
            f"network      cutoff {network.cutoff:g} A, {_weights(network)}",
        ]
        lines += ["trained on   unknown: the file says nothing"] if self.support is None else self.support.lines()
        data = record.get("data", {})
        if "file" in data:
            lines.append(
                f"data         {data['file']}, energies from {data.get('energy_key')!r}, forces from "
                f"{data.get('forces_key')!r}, units {data.get('units')}"
            )
        for key in ("frames_used", "interrupted", "solver", "smoothness", "regularisation", "seconds", "package"):
            if record.get(key):
                lines.append(f"{WORDS.get(key, key):<13}{record[key]}")
        named = (("holdout_errors", "hold-out"), ("left_out_errors", "left out"), ("test_errors", "test"))
        for key, name in named:
            errors = record.get(key, {})
            told = told_errors(errors)
            if told:
                lines.append(f"{name:<13}MAE: {told}")
        return "\n".join(lines)

    def calculator(self) -> PotentialCalculator:
        """An ASE calculator of energy, energies of atoms, and forces."""
        from nbody_ref.fit.calculator import PotentialCalculator

        return PotentialCalculator(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the potential to one ``.safetensors`` file, atomically; then remove the checkpoint of its training.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        baseline = {
            "kind": self.baseline.kind,
            "energies": {str(z): e for z, e in self.baseline.energies.items()},
            "compositions": [list(row) for row in self.baseline.compositions],
        }
        config = {
            "kind": "potential",
            "network": self.network.spec.to_dict(),
            "baseline": baseline,
            "constants": {str(z): e for z, e in self.constants.items()},
        }
        if self.support is not None:
            config["support"] = self.support.to_dict()
        save_model(path, config, dict(self.network.parameters), self.metadata)
        if self.checkpoint is not None:
            self.checkpoint.unlink(missing_ok=True)


def told_errors(errors: Mapping[str, Any]) -> str:
    """Mean absolute errors for people, with their standard errors as far as they are known."""
    parts = []
    for name, unit, words in (("energy", "meV", "meV"), ("forces", "meV_per_A", "meV/A")):
        if f"{name}_mae_{unit}" in errors:
            bar = errors.get(f"{name}_mae_error_{unit}")
            more = "" if bar is None else f" +- {bar:.2f}"
            parts.append(f"{name} {errors[f'{name}_mae_{unit}']:.2f}{more} {words}")
    return ", ".join(parts)


def undetermined(where: str, numbers: Array, baseline: Baseline) -> str:
    """The sentence for a molecule whose energy the data of a baseline leave open."""
    names = symbols(sorted(baseline.energies))
    known = [_formula(dict(zip(names, row, strict=True))) for row in baseline.compositions]
    named = symbols(numbers)
    return (
        f"{where} is {_formula({name: named.count(name) for name in names})}, and its energy does not follow from the "
        f"training data: they hold {', '.join(known)} without isolated atoms, so that the energy of an atom is not "
        f"known. Add the isolated atoms to the training data (frames of one atom), or ask for its forces only"
    )


def _formula(counts: Mapping[str, int]) -> str:
    from ase.formula import Formula

    return str(Formula.from_dict({name: n for name, n in counts.items() if n}).format("hill"))


def _pairs(geometries: Any) -> list[tuple[Array, ...]]:
    """Geometries as pairs of arrays, or triples where atoms come with states."""
    rule = "predict: 'geometries' must be pairs of positions (n, 3) and atomic numbers (n,)"
    try:
        pairs = [
            (np.asarray(positions, dtype=np.float64), np.asarray(numbers), *map(np.asarray, given))
            for positions, numbers, *given in geometries
        ]
    except (TypeError, ValueError) as error:
        raise GeometryError(f"{rule}: {error}") from error
    for i, (positions, numbers, *given) in enumerate(pairs):
        if (
            len(given) > 1
            or numbers.ndim != 1
            or numbers.dtype.kind not in "iu"
            or positions.shape != (len(numbers), 3)
        ):
            came = f"positions of shape {positions.shape}, numbers {numbers.dtype} of shape {numbers.shape}"
            raise GeometryError(f"{rule}, got {came} for molecule {i}")
    return pairs


def load(path: str | os.PathLike[str]) -> Potential:
    """Read a potential written by `Potential.save`.

    Parameters
    ----------
    path : path

    Returns
    -------
    Potential

    Raises
    ------
    FileError
        If the file is truncated, foreign or inconsistent, or a number in it is NaN or infinite; the message says how.

    Examples
    --------
    >>> import tempfile
    >>> from nbody_ref.fit import Baseline, Potential, load
    >>> from nbody_ref.network import default
    >>> folder = tempfile.mkdtemp()
    >>> Potential(default([1]), Baseline({1: -13.6}, "isolated"), {1: 0.0}, {}).save(f"{folder}/h.npz")
    >>> load(f"{folder}/h.npz").network.species
    (1,)
    """
    config, arrays, metadata = load_model(path)
    if config.get("kind") != "potential":
        raise FileError(f"{path}: holds a {config.get('kind')!r}, not a potential")
    try:
        network = _network(config["network"], arrays)
        baseline = _baseline(config["baseline"], network.species)
        constants = _by_number(config["constants"], network.species)
        _check_record(metadata)
        support = None
        if "support" in config:
            support = Support.from_dict(config["support"], network.species, network.cutoff)
    except (KeyError, TypeError, ValueError, AttributeError, NBodyRefError) as error:
        raise FileError(f"{path}: its description does not fit together: {type(error).__name__}: {error}") from error
    if support is None and "frames_used" in metadata:
        text = f"{path}: unknown support: the file does not say which distances and molecules it was fitted to"
        warnings.warn(text, stacklevel=2)
    return Potential(network, baseline, constants, metadata, support=support)


def _network(config: Mapping[str, Any], arrays: Mapping[str, Array]) -> Network | PublishedModel:
    """A network of gates, or the published model that the description names."""
    if "model" in config:
        return model_from_dict(config, arrays)
    return Network(Spec.from_dict(config), arrays)


def _weights(network: Network | PublishedModel) -> str:
    if isinstance(network, Network):
        return f"{network.parameters[network.readout].size} fitted weights of {network.parameters.n}"
    return f"{network.parameters.n} weights of {network.spec.to_dict()['model']}"


def _baseline(given: Mapping[str, Any], species: tuple[int, ...]) -> Baseline:
    """The baseline of a model file."""
    kind, rows = given["kind"], given["compositions"]
    if kind not in ("isolated", "least squares", "none") or (kind != "isolated") != bool(rows):
        raise ValueError(f"a baseline of kind {kind!r} with {len(rows)} compositions")
    if not all(len(row) == len(species) and all(type(n) is int and n >= 0 for n in row) for row in rows):
        raise ValueError(f"compositions must be numbers of atoms of {len(species)} species, got {rows}")
    return Baseline(_by_number(given["energies"], species), kind, tuple(tuple(row) for row in rows))


def _by_number(energies: Mapping[str, Any], species: tuple[int, ...]) -> dict[int, float]:
    """Energies by atomic number, one for each species."""
    return {z: _number(energies[str(z)], f"energy of atomic number {z}") for z in species}


def _number(value: Any, what: str) -> float:
    """A finite number of a JSON record; texts, true and NaN are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{what} must be a finite number, got {value!r}")
    return float(value)


def _check_record(metadata: Mapping[str, Any]) -> None:
    """The parts of a record that are read again, by `evaluate`, by `Potential.summary` and by the report."""
    for name in ("mean_atom_energies", "mean_energies", "data", *ERRORS):
        if not isinstance(metadata.get(name, {}), dict):
            raise ValueError(f"{name!r} must be an object, got {metadata[name]!r}")
    for name in ("mean_atom_energies", "mean_energies"):
        for z, energy in metadata.get(name, {}).items():
            _number(energy, f"{name!r} of {z!r}")
    points = metadata.get("learning_curve", [])
    errors = [metadata[name] for name in ERRORS if metadata.get(name)]
    for point in (*points, *errors):
        there = [key for key in ("energy_mae_meV", "forces_mae_meV_per_A") if key in point]
        for key in there or ["energy_mae_meV"]:
            _number(point[key], f"{key!r} of the errors")
    for point in points:
        _number(point["frames"], "'frames' in 'learning_curve'")
