"""A fitted potential: energies and forces of molecules, saved to and loaded from one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbody_ref.errors import FileError, GeometryError, NBodyRefError
from nbody_ref.files import load_model, save_model
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.frames import symbols
from nbody_ref.network import Network, Spec

if TYPE_CHECKING:
    from nbody_ref.fit.calculator import PotentialCalculator

__all__ = ["Potential", "Prediction", "load"]

Array = np.ndarray[Any, Any]

BATCH = 64  # molecules evaluated together


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
    """

    energies: Array
    forces: Array
    atom_energies: Array


@dataclass(frozen=True)
class Potential:
    """Energy of a molecule: baseline of its atoms, a constant for each, and the network.

    Parameters
    ----------
    network : Network
        Its root is one scalar.
    baseline : Baseline
    constants : mapping of int to float
        Energy of one atom of each species that the fit left over, eV.
    metadata : dict
        JSON record of data, split, choices and errors.
    """

    network: Network
    baseline: Baseline
    constants: Mapping[int, float]
    metadata: dict[str, Any] = field(default_factory=dict)

    def predict(self, geometries: Sequence[tuple[Array, Array]]) -> Prediction:
        """Energies and forces of molecules.

        Parameters
        ----------
        geometries : sequence of ((n, 3) float64 positions in Angstrom, (n,) atomic numbers)

        Returns
        -------
        Prediction

        Raises
        ------
        GeometryError
            If a species was not in the training data, a coordinate is not finite, or two atoms coincide nearly.
        """
        parts = [self._predict(geometries[i : i + BATCH], i) for i in range(0, len(geometries), BATCH)]
        if not parts:
            return Prediction(np.zeros(0), np.zeros((0, 3)), np.zeros(0))
        return Prediction(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _predict(self, geometries: Sequence[tuple[Array, Array]], first: int) -> Prediction:
        for i, (_, numbers) in enumerate(geometries):
            self.check_species(numbers, f"molecule {first + i}")
        network, graph = self.network, self.network.graph(geometries)
        values, batch = network.forward(graph)
        one = np.ones_like(values[network.root])
        bars = network.chain.vjp(values, batch, {network.root: one}, ("r",))
        forces = -bars["r"] if "r" in bars else np.zeros_like(graph.positions)
        atoms = values[network.last_level][:, 0].astype(np.float64)
        for (_, numbers), start in zip(geometries, graph.frame_ptr, strict=False):
            constants = np.array([self.constants[int(z)] for z in numbers])
            atoms[int(start) : int(start) + len(numbers)] += self.baseline.atom_energies(numbers) + constants
        energies = np.add.reduceat(atoms, graph.frame_ptr[:-1].astype(np.intp))
        return Prediction(energies, forces, atoms)

    def check_species(self, numbers: Array, where: str) -> None:
        """Refuse elements that were not in the training data, by name."""
        known = self.network.species
        for atom, z in enumerate(numbers):
            if int(z) not in known:
                name, names = symbols([z])[0], ", ".join(symbols(known))
                raise GeometryError(f"{where}: atom {atom} is {name}, which was not in the training data ({names})")

    def calculator(self) -> PotentialCalculator:
        """An ASE calculator of energy, energies of atoms, and forces."""
        from nbody_ref.fit.calculator import PotentialCalculator

        return PotentialCalculator(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the potential to one ``.safetensors`` file, atomically.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        energies = {str(z): e for z, e in self.baseline.energies.items()}
        config = {
            "kind": "potential",
            "network": self.network.spec.to_dict(),
            "baseline": {"kind": self.baseline.kind, "energies": energies},
            "constants": {str(z): e for z, e in self.constants.items()},
        }
        save_model(path, config, dict(self.network.parameters), self.metadata)


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
        If the file is truncated, foreign or inconsistent; the message says how.
    """
    config, arrays, metadata = load_model(path)
    if config.get("kind") != "potential":
        raise FileError(f"{path}: holds a {config.get('kind')!r}, not a potential")
    try:
        network = Network(Spec.from_dict(config["network"]), arrays)
        energies = _by_number(config["baseline"]["energies"], network.species)
        constants = _by_number(config["constants"], network.species)
        baseline = Baseline(energies, str(config["baseline"]["kind"]))
    except (KeyError, TypeError, ValueError, AttributeError, NBodyRefError) as error:
        raise FileError(f"{path}: its description does not fit together: {type(error).__name__}: {error}") from error
    return Potential(network, baseline, constants, metadata)


def _by_number(energies: Mapping[str, Any], species: tuple[int, ...]) -> dict[int, float]:
    """Energies by atomic number, one for each species."""
    return {z: float(energies[str(z)]) for z in species}
