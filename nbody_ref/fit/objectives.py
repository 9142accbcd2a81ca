"""What a training makes small: any `Objective`; here the weighted squares of energy and force errors of any model.

The other one, for networks with a linear readout, is `nbody_ref.fit.cross_validation`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.frames import Frames
from nbody_ref.fit.ridge import ENERGY_WEIGHT
from nbody_ref.network import Parameters
from nbody_ref.network.energy import EnergyModel

__all__ = ["Loss", "Objective", "digests"]

Array = np.ndarray[Any, Any]

GRADIENT_FRAMES = 16  # in one run, of tests on the hold-out


def digests(frames: Frames, labels: Mapping[str, Array], model: Any, choices: Any) -> dict[str, str]:
    """sha256 of the data, the labels, the description of a model, and further choices that are JSON."""
    found = {"frames": frames.digest()}
    for name, array in labels.items():
        found[name] = hashlib.sha256(np.ascontiguousarray(array, "<f8").tobytes()).hexdigest()
    for name, value in (("model", model), ("choices", choices)):
        found[name] = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
    return found


class Objective(Protocol):
    """A function of a vector of scaled weights that is a mean over frames.

    Attributes
    ----------
    measures : str
        What `score` is, for people: ``force error, rms``.
    """

    @property
    def measures(self) -> str: ...

    def identity(self) -> dict[str, str]:
        """Digests of what it is made from, by name: a checkpoint belongs to these."""
        ...

    def start(self) -> Array:
        """The vector to begin with."""
        ...

    def gradient(self, x: Array, indices: Sequence[int]) -> tuple[float, Array]:
        """Value and gradient on some frames, in the order in which they are given."""
        ...

    def score(self, x: Array) -> float:
        """What is compared on the hold-out: the smaller the better."""
        ...

    def words(self, score: float) -> str:
        """A score with its unit, for people."""
        ...


@dataclass
class Loss:
    r"""Weighted squares of the errors of energies, forces and other outputs, for any model and all of its weights.

    .. math:: L(W) = \frac{1}{3 N} \Big( \omega^2 \sum_f (E_f - E_f^*)^2 + \sum_i |F_i - F_i^*|^2
              + \sum_o \omega_o^2 \sum_f |o_f - o_f^*|^2 \Big)

    Parameters
    ----------
    model : EnergyModel
    frames : Frames
    targets : (n,) float64
        Energies above the baseline, eV.
    held : sequence of int
        Frames that `score` is computed on.
    others : mapping of str to (n, dim) float64
        Labels of further outputs by name, as states (`nbody_ref.network.cartesian` makes them of vectors and tensors).
    weights_of : mapping of str to float
        omega_o; 1 where it is not given.
    """

    model: EnergyModel
    frames: Frames
    targets: Array
    held: Sequence[int]
    others: Mapping[str, Array] = field(default_factory=dict)
    weights_of: Mapping[str, float] = field(default_factory=dict)

    @property
    def measures(self) -> str:
        """What `score` is."""
        return f"loss (energies times {ENERGY_WEIGHT:g}/A, forces and other outputs, rms)"

    def __post_init__(self) -> None:
        for name, labels in self.others.items():
            irreps = self.model.outputs.get(name)
            if irreps is None or np.shape(labels) != (len(self.frames), irreps.dim):
                shape = (len(self.frames), 0 if irreps is None else irreps.dim)
                wanted = f"one of {list(self.model.outputs)}" if irreps is None else f"labels of shape {shape}"
                raise DataError(f"training: {name!r} must be {wanted}, got shape {np.shape(labels)}")

    def identity(self) -> dict[str, str]:
        """Digests of frames, labels and model."""
        labels = {"targets": self.targets, **self.others}
        held = {"holdout": list(self.held), "weights": dict(self.weights_of)}
        return digests(self.frames, labels, self.model.spec.to_dict(), held)

    def start(self) -> Array:
        """All weights, as real numbers."""
        return self.model.parameters.as_real()

    def weights(self, x: Array) -> Parameters:
        """The weights of a vector."""
        return self.model.parameters.from_real(x)

    def gradient(self, x: Array, indices: Sequence[int]) -> tuple[float, Array]:
        """L on some frames and its gradient."""
        model, chosen = self.model.with_parameters(self.weights(x)), list(indices)

        def errors(found: dict[str, Array]) -> tuple[float, dict[str, Array]]:
            value, bars, count = 0.0, {}, found["forces"].size
            for name, (label, weight) in self._labels(chosen).items():
                error = found[name] - label
                value += weight**2 * float(np.sum(error**2)) / count
                bars[name] = 2 * weight**2 * error / count
            return value, bars

        value, gradient = model.outputs_gradient(model.graph(self.frames[chosen].geometries), errors)
        return value, gradient.conjugate().as_real()

    def score(self, x: Array) -> float:
        """Root mean square error on the hold-out, all terms of the loss together, eV/Angstrom."""
        total, _, count = self._squares(x)
        return float(np.sqrt(total / count))

    def words(self, score: float) -> str:
        """A score with its unit."""
        return f"{score:.5g} eV/A"

    def force_error(self, x: Array) -> float:
        """Root mean square error of the forces on the hold-out, eV/Angstrom."""
        _, forces, count = self._squares(x)
        return float(np.sqrt(forces / count))

    def _squares(self, x: Array) -> tuple[float, float, int]:
        """On the hold-out: squares of all terms of the loss, those of the forces, number of force components."""
        model, total, forces, count = self.model.with_parameters(self.weights(x)), 0.0, 0.0, 0
        for i in range(0, len(self.held), GRADIENT_FRAMES):
            chosen = list(self.held[i : i + GRADIENT_FRAMES])
            graph = model.graph(self.frames[chosen].geometries)
            found = model.predict_with_forces(graph)
            for name, (label, weight) in self._labels(chosen).items():
                squares = weight**2 * float(np.sum((found[name] - label) ** 2))
                total, forces = total + squares, forces + (squares if name == "forces" else 0.0)
            count += found["forces"].size
        return total, forces, count

    def _labels(self, chosen: list[int]) -> dict[str, tuple[Array, float]]:
        """Labels and weight of each term."""
        known = {"energy": (self.targets[chosen, None], ENERGY_WEIGHT), "forces": (self.frames[chosen].forces, 1.0)}
        return known | {name: (labels[chosen], self.weights_of.get(name, 1.0)) for name, labels in self.others.items()}
