r"""What a training of all weights makes small: the error of the closed form on frames it has not seen, or a plain loss.

**Cross-validation.** The readout w is never trained by steps: on some frames T it is the solution of the regularised
least-squares problem (`nbody_ref.fit.ridge`), whose rows A(W) depend on the covariant weights W, and what is made small
is its error on other frames V, with rows B(W):

.. math:: L(W, \mu) = \frac{1}{2 n_V} \| B w - z \|^2, \qquad
          w = \operatorname*{argmin}_w \tfrac12 \| A w - y \|^2 + \tfrac{\mu}{2} \| D^{-1} w \|^2 .

With r = A w - y, s = B w - z, H = A^T A + mu D^-2 and v = H^-1 B^T s, the differential is

.. math:: n_V\, dL = \langle s, dB\, w \rangle - \langle r, dA\, v \rangle - \langle A v, dA\, w \rangle
                     - \langle D^{-1} v, D^{-1} w \rangle\, d\mu .

Each bracket is a sum of energies and forces of the network with readout w or v, weighted by residuals, so that its
derivative by W is one `weight_gradient`: no derivative of a row is ever formed. docs/derivations/training.md.

**Loss.** For any model: the weighted squares of energy and force errors, by forward over reverse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import scipy.linalg

from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import counts
from nbody_ref.fit.frames import Frames
from nbody_ref.fit.ridge import ENERGY_WEIGHT, column_scale
from nbody_ref.fit.rows import column_orders, column_smoothness, frame_chunks, rows
from nbody_ref.gates.weights import Mixing
from nbody_ref.network import Network, Parameters
from nbody_ref.network.energy import EnergyModel

__all__ = ["CrossValidation", "Loss", "Objective"]

Array = np.ndarray[Any, Any]

CHUNK_BYTES = 256e6
GRADIENT_FRAMES = 16  # in one run of forward over reverse
LAMBDAS = tuple(10.0**-k for k in range(2, 9))  # that the hold-out is tested with
ABOVE = 1000.0
REFINEMENTS = 2  # of v, which loses digits to cancellation where mu is small


class Objective(Protocol):
    """A function of a vector of scaled weights that is a mean over frames."""

    def start(self) -> Array:
        """The vector to begin with."""
        ...

    def gradient(self, x: Array, indices: Sequence[int]) -> tuple[float, Array]:
        """Value and gradient on some frames, in the order in which they are given."""
        ...

    def score(self, x: Array) -> float:
        """Force error on the hold-out, root mean square, eV/Angstrom."""
        ...


@dataclass
class CrossValidation:
    """The error of the closed form on frames that it has not seen, as a function of the covariant weights.

    The vector holds every covariant weight, divided by the scale it was drawn with, and log lambda. It begins with a
    lambda far above the best one: near the best, the readout nearly passes through its labels, and the gradient is
    mostly noise of the few frames that it comes from (measured: no progress in 60 steps, against a sixth in 132).
    `score` is the smallest over all lambda of the list, so that it does not depend on where lambda stands.

    Parameters
    ----------
    network : Network
        Its readout must be linear and mix invariants alone.
    frames : Frames
    targets : (n,) float64
        Energies above the baseline, eV.
    reference : sequence of int
        Frames that fix D, and that the readout is solved on for `score`.
    held : sequence of int
        Frames that `score` is computed on.
    constants : bool
        Whether each species has a constant, free of charge.
    regularisation : float, optional
        lambda to begin with, as in `nbody_ref.fit.ridge`; None: `ABOVE` times the best of the list on the hold-out.
    """

    network: Network
    frames: Frames
    targets: Array
    reference: Sequence[int]
    held: Sequence[int]
    constants: bool = True
    regularisation: float | None = None
    scale: Array = field(init=False)
    _unit: Array = field(init=False)

    def __post_init__(self) -> None:
        self.names = tuple(name for name in self.network.parameters if name != self.network.readout)
        if not self.names:
            raise DataError("training: this network has no covariant weights to train")
        block = self.design(self.network, self.reference)[len(self.reference) :]
        squares = np.einsum("rc,rc->c", block, block)
        orders = column_orders(self.network)
        self.scale = column_scale(squares, len(block), orders) * column_smoothness(self.network)
        self._mean = float(np.mean(squares * self.scale**2)) / len(block)
        self._unit = np.concatenate([_drawn(self.network, name) for name in self.names])
        if self.regularisation is None:
            self.regularisation = ABOVE * LAMBDAS[int(np.argmin(self._scores(self.network)))]

    def start(self) -> Array:
        """Covariant weights over their scales, then log lambda."""
        weights = np.concatenate([self.network.parameters[name].ravel() for name in self.names])
        return np.append(weights / self._unit, np.log(self.regularisation or LAMBDAS[0]))

    def weights(self, x: Array) -> dict[str, Array]:
        """The covariant weights of a vector."""
        parts, begin = {}, 0
        for name in self.names:
            array = self.network.parameters[name]
            scaled = x[begin : begin + array.size] * self._unit[begin : begin + array.size]
            parts[name], begin = scaled.reshape(array.shape), begin + array.size
        return parts

    def gradient(self, x: Array, indices: Sequence[int]) -> tuple[float, Array]:
        """L and its gradient: the first two thirds of the frames are T, the others V."""
        cut = len(indices) - max(1, len(indices) // 3)
        seen, unseen = list(indices[:cut]), list(indices[cut:])
        network = self.network.with_parameters(self.weights(x))
        system = self.system(network, seen, float(np.exp(x[-1])))
        b, z = self.scaled(network, unseen), self.labels(unseen)
        u = system.solve(system.a.T @ system.y)
        s = b @ u - z
        v = system.solve(b.T @ s)
        w_, v_ = self.readout(u), self.readout(v)
        total = self.pull(network, unseen, w_, s)
        total = total - self.pull(network, seen, v_, system.a @ u - system.y)
        total = total - self.pull(network, seen, w_, system.a @ v)
        slope = -system.mu * float(v @ u)
        return 0.5 * float(s @ s) / len(s), np.append(total * self._unit, slope) / len(s)

    def score(self, x: Array) -> float:
        """Force error on the hold-out of the readout solved on the reference frames, with the best lambda."""
        return float(np.min(self._scores(self.network.with_parameters(self.weights(x)))))

    def _scores(self, network: Network) -> list[float]:
        """Force error on the hold-out for each lambda of the list."""
        b, z, found = self.scaled(network, self.held), self.labels(self.held), []
        system = self.system(network, self.reference, LAMBDAS[0])
        for value in LAMBDAS:
            try:
                system = system.at(self._mu(value, self.reference))
            except scipy.linalg.LinAlgError:  # no solution in float64
                found.append(np.inf)
                continue
            s = b @ system.solve(system.a.T @ system.y) - z
            found.append(float(np.sqrt(np.mean(s[len(self.held) :] ** 2))))
        return found

    def design(self, network: Network, indices: Sequence[int]) -> Array:
        """Rows of some frames, energies times omega first."""
        chosen = self.frames[list(indices)]
        parts = [rows(network, chosen[list(chunk)]) for chunk in frame_chunks(network, chosen, CHUNK_BYTES)]
        return np.concatenate([*(ENERGY_WEIGHT * part.energy for part in parts), *(part.forces for part in parts)])

    def scaled(self, network: Network, indices: Sequence[int]) -> Array:
        """Rows times D, and columns for the constants of the species, which a large scale leaves free."""
        design = self.design(network, indices) * self.scale
        if not self.constants:
            return design
        constants = np.zeros((len(design), len(network.species)))
        constants[: len(indices)] = ENERGY_WEIGHT * counts(self.frames[list(indices)], network.species)
        return np.concatenate([design, constants * np.sqrt(self._mean * len(self.scale))], axis=1)

    def labels(self, indices: Sequence[int]) -> Array:
        """Energies times omega, then forces."""
        chosen = list(indices)
        return np.concatenate([ENERGY_WEIGHT * self.targets[chosen], self.frames[chosen].forces.ravel()])

    def system(self, network: Network, indices: Sequence[int], regularisation: float) -> _System:
        """The regularised equations of some frames."""
        return _System(self.scaled(network, indices), self.labels(indices), self._mu(regularisation, indices))

    def _mu(self, regularisation: float, indices: Sequence[int]) -> float:
        """lambda times the mean square norm that the scaled force columns of some frames had at the start."""
        return regularisation * self._mean * 3 * int(self.frames[list(indices)].n_atoms.sum())

    def readout(self, u: Array) -> Array:
        """Readout weights of a vector of scaled ones."""
        shape = self.network.parameters[self.network.readout].shape
        return (u[: len(self.scale)] * self.scale).reshape(shape)

    def pull(self, network: Network, indices: Sequence[int], readout: Array, bar: Array) -> Array:
        """Derivative by the covariant weights of <bar, rows . readout>."""
        network = network.with_parameters({network.readout: readout})
        total, begin = np.zeros(len(self._unit)), len(indices)
        for i in range(0, len(indices), GRADIENT_FRAMES):
            part = list(indices[i : i + GRADIENT_FRAMES])
            graph = network.graph(self.frames[part].geometries)
            forces_bar = bar[begin : begin + 3 * graph.n_atoms].reshape(-1, 3)
            found = network.weight_gradient(graph, ENERGY_WEIGHT * bar[i : i + len(part)], forces_bar, self.names)
            total += np.concatenate([found[name].ravel() for name in self.names])
            begin += 3 * graph.n_atoms
        return total


@dataclass
class _System:
    """(A^T A + mu) u = b with its Cholesky factor, of A A^T + mu or of A^T A + mu, whichever is smaller."""

    a: Array
    y: Array
    mu: float
    gram: Array | None = None

    def at(self, mu: float) -> _System:
        """The same equations with another mu."""
        return _System(self.a, self.y, mu, self.gram)

    def __post_init__(self) -> None:
        self._dual = len(self.a) <= self.a.shape[1]
        if self.gram is None:
            self.gram = self.a @ self.a.T if self._dual else self.a.T @ self.a
        shifted = self.gram.copy()
        shifted[np.diag_indices(len(shifted))] += self.mu
        self._factor = scipy.linalg.cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)

    def solve(self, b: Array) -> Array:
        """u, refined against cancellation."""
        u = self._once(b)
        for _ in range(REFINEMENTS):
            u = u + self._once(b - self.a.T @ (self.a @ u) - self.mu * u)
        return u

    def _once(self, b: Array) -> Array:
        if not self._dual:
            return np.asarray(scipy.linalg.cho_solve(self._factor, b, check_finite=False))
        inner = scipy.linalg.cho_solve(self._factor, self.a @ b, check_finite=False)
        return np.asarray((b - self.a.T @ inner) / self.mu)


def _drawn(network: Network, name: str) -> Array:
    """Scale that each weight of a mixing was drawn with."""
    mixing = network.builder.parameters[name]
    if not isinstance(mixing, Mixing):
        return np.ones(int(np.prod(mixing.shape)))
    return np.tile(mixing.scales(), mixing.n_kinds)


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

    def __post_init__(self) -> None:
        for name, labels in self.others.items():
            irreps = self.model.outputs.get(name)
            if irreps is None or np.shape(labels) != (len(self.frames), irreps.dim):
                shape = (len(self.frames), 0 if irreps is None else irreps.dim)
                wanted = f"one of {list(self.model.outputs)}" if irreps is None else f"labels of shape {shape}"
                raise DataError(f"training: {name!r} must be {wanted}, got shape {np.shape(labels)}")

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
        """Root mean square error on the hold-out, all terms of the loss together."""
        model, total, count = self.model.with_parameters(self.weights(x)), 0.0, 0
        for i in range(0, len(self.held), GRADIENT_FRAMES):
            chosen = list(self.held[i : i + GRADIENT_FRAMES])
            graph = model.graph(self.frames[chosen].geometries)
            found = model.predict_with_forces(graph)
            for name, (label, weight) in self._labels(chosen).items():
                total += weight**2 * float(np.sum((found[name] - label) ** 2))
            count += found["forces"].size
        return float(np.sqrt(total / count))

    def _labels(self, chosen: list[int]) -> dict[str, tuple[Array, float]]:
        """Labels and weight of each term."""
        known = {"energy": (self.targets[chosen, None], ENERGY_WEIGHT), "forces": (self.frames[chosen].forces, 1.0)}
        return known | {name: (labels[chosen], self.weights_of.get(name, 1.0)) for name, labels in self.others.items()}
