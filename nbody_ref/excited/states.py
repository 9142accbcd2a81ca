"""Several states from networks, in three ways: a network for each, invariants of two, or a small diabatic matrix.

- "specific": one potential for each state, in closed form, as the fusion paper does. Surfaces have cusps where they
  meet; smooth functions cannot have them.
- "invariants" (two states): mean and squared half gap are smooth and have no phases, so both are fitted in closed form.
  A constant error of the squared gap becomes an error of gap and forces that grows as 1 / gap, and where the squared
  gap comes out negative there is no answer: such geometries are marked as outside.
- "diabatic": elements of a symmetric matrix, smooth everywhere, trained on energies, forces and gap times coupling by
  `nbody_ref.excited.diabatic.matrix_loss`. What moves uses this.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist

from nbody_ref.checks import check_word
from nbody_ref.errors import DataError, FileError
from nbody_ref.excited.diabatic import Weights, adiabatic, matrix_loss, packed, unpacked
from nbody_ref.excited.labels import StateFrames
from nbody_ref.excited.surfaces import Electronic
from nbody_ref.files import load_model, save_model
from nbody_ref.fit.fitting import fit
from nbody_ref.fit.frames import Frame, Frames
from nbody_ref.fit.rows import rows
from nbody_ref.gates.terms import Gate
from nbody_ref.irreps import Irreps
from nbody_ref.network import Network, Spec
from nbody_ref.network.default import default
from nbody_ref.network.scalars import scalars_and_forces

__all__ = ["APPROACHES", "StatesPotential", "fit_states", "load_states"]

Array = np.ndarray[Any, Any]
Log = Callable[[str], None]

APPROACHES = ("specific", "invariants", "diabatic")
LEAST_GAP = 1e-3  # eV, half a gap that is divided by
ROOM = 0.15  # a distance may leave the range of the training data by this share of it
SIZE, CUTOFF = (32, 24, 8), 4.0  # channels of products, Angstrom
REGULARISATION = (1e-4, 1e-6)
ITERATIONS, STARTS = 500, 4  # of L-BFGS; the loss has saddles: a quarter of the steps goes to each start


@dataclass(frozen=True)
class StatesPotential:
    """Several surfaces of one molecule.

    Parameters
    ----------
    approach : {"specific", "invariants", "diabatic"}
    numbers : (N,) int
    models : tuple
        Potentials of the states, or of mean and squared half gap, or the one network of the matrix.
    labels : (N,) int
        What the matrix's network takes for atomic numbers: every atom its own, for a coupling may be odd under the
        exchange of two of them, which no invariant function is.
    offset : float
        eV, added to all energies.
    ranges : (2, N (N - 1) / 2) float64
        Least and largest distances of the training data.
    record : dict
        JSON.
    """

    approach: str
    numbers: Array
    models: tuple[Any, ...]
    labels: Array
    offset: float
    ranges: Array
    record: dict[str, Any] = field(default_factory=dict)

    def surfaces(self, positions: Array) -> Electronic:
        """States of T geometries (T, N, 3), as `nbody_ref.excited.swarm` asks for them."""
        found = {"specific": self._specific, "invariants": self._invariants, "diabatic": self._diabatic}
        states = found[self.approach](positions)
        dist = np.array([pdist(r) for r in positions])
        slack = ROOM * (self.ranges[1] - self.ranges[0])
        outside = ((dist < self.ranges[0] - slack) | (dist > self.ranges[1] + slack)).any(axis=1)
        return replace(states, outside=outside if states.outside is None else outside | states.outside)

    def matrices(self, positions: Array) -> tuple[Array, Array]:
        """Diabatic matrices (T, S, S) and their gradients (T, S, S, N, 3); of "diabatic" alone."""
        network = self.models[0]
        scalars, forces = scalars_and_forces(network, network.graph([(r, self.labels) for r in positions]))
        states = round((np.sqrt(8 * scalars.shape[1] + 1) - 1) / 2)
        gradients = -forces.reshape(scalars.shape[1], *positions.shape).transpose(1, 2, 3, 0)
        matrices = unpacked(scalars, states)
        return matrices, np.moveaxis(unpacked(gradients, states), (1, 2), (3, 4))

    def _diabatic(self, positions: Array) -> Electronic:
        states = adiabatic(*self.matrices(positions))
        return replace(states, energies=states.energies + self.offset)

    def _specific(self, positions: Array) -> Electronic:
        found = [model.predict([(r, self.numbers) for r in positions]) for model in self.models]
        energies = np.stack([part.energies for part in found], axis=1)
        return Electronic(energies, np.stack([part.forces.reshape(positions.shape) for part in found], axis=1))

    def _invariants(self, positions: Array) -> Electronic:
        mean, square = (model.predict([(r, self.numbers) for r in positions]) for model in self.models)
        half = np.sqrt(np.maximum(square.energies, LEAST_GAP**2))
        slope = square.forces.reshape(positions.shape) / (2 * half)[:, None, None]
        middle = mean.forces.reshape(positions.shape)
        energies = np.stack([mean.energies - half, mean.energies + half], axis=1)
        return Electronic(energies, np.stack([middle - slope, middle + slope], axis=1), outside=square.energies <= 0)

    def calculator(self, state: int = 0) -> Any:
        """An ASE calculator: energy and forces of `state`, and "state_energies", "state_forces", ... of all."""
        from nbody_ref.excited.calculator import StatesCalculator

        return StatesCalculator(self, state)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a diabatic matrix to one ``.safetensors`` file; the potentials of the others save themselves.

        Raises
        ------
        DataError
            If this is no diabatic matrix.
        """
        if self.approach != "diabatic":
            raise DataError(f"save: a file holds a diabatic matrix, this is {self.approach!r}: save its models")
        network, arrays = self.models[0], {"ranges": self.ranges, "numbers": self.numbers, "labels": self.labels}
        config = {"kind": "states", "network": network.spec.to_dict(), "offset": self.offset}
        parameters = {f"network/{name}": value for name, value in network.parameters.items()}
        save_model(path, config, arrays | parameters, self.record)


def load_states(path: str | os.PathLike[str]) -> StatesPotential:
    """Inverse of `StatesPotential.save`.

    Raises
    ------
    FileError
        If the file is none, or does not fit together.
    """
    config, arrays, record = load_model(path)[:3]
    if config.get("kind") != "states":
        raise FileError(f"{path}: holds a {config.get('kind')!r}, no states")
    try:
        weights = {name.removeprefix("network/"): a for name, a in arrays.items() if name.startswith("network/")}
        network = Network(Spec.from_dict(config["network"]), weights)
        numbers, labels, ranges = (np.array(arrays[name]) for name in ("numbers", "labels", "ranges"))
        return StatesPotential("diabatic", numbers, (network,), labels, float(config["offset"]), ranges, dict(record))
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path}: its description does not fit together: {error}") from error


def fit_states(
    frames: StateFrames, approach: str = "diabatic", seed: int = 0, log: Log | None = None, **options: Any
) -> Any:
    """Fit several states.

    Parameters
    ----------
    frames : StateFrames
    approach : {"specific", "invariants", "diabatic"}
    seed : int
    log : function of str, optional
    **options
        Of `nbody_ref.fit.fit` for the first two. For "diabatic": ``size``, ``cutoff``, ``regularisation`` (values to
        choose from on a fifth of the frames), ``labelled`` (False: atoms of an element are alike), ``weights``
        (`nbody_ref.excited.diabatic.Weights`), ``iterations``.

    Returns
    -------
    StatesPotential

    Raises
    ------
    DataError
        If invariants are asked for other than two states, or there are fewer than five frames.
    """
    check_word("fit_states", "approach", approach, APPROACHES)
    say, states = log or (lambda line: None), frames.states
    if approach == "invariants" and states != 2:
        raise DataError(f"fit_states: invariants are for two states, got {states}: roots of more may be complex")
    if len(frames) < 5:
        raise DataError(f"fit_states: needs at least 5 frames, got {len(frames)}")
    dist = np.array([pdist(r) for r in frames.positions])
    ranges, numbers = np.stack([dist.min(axis=0), dist.max(axis=0)]), np.asarray(frames.numbers)
    if approach == "diabatic":
        labels = np.arange(1, len(numbers) + 1) if options.pop("labelled", True) else numbers
        network, offset, record = _fit_matrix(frames, labels, seed, say, **options)
        return StatesPotential(approach, numbers, (network,), labels, offset, ranges, record)
    # sums and squares of energies are not what a check of data knows
    options = {"progress": False, "seed": seed, "anyway": True, **options}
    if approach == "specific":
        targets = [(frames.energies[:, s], frames.forces[:, s]) for s in range(states)]
    else:
        half = (frames.energies[:, 1] - frames.energies[:, 0]) / 2
        targets = [
            (frames.energies.mean(axis=1), frames.forces.mean(axis=1)),
            (half**2, half[:, None, None] * (frames.forces[:, 1] - frames.forces[:, 0])),
        ]
    models = tuple(fit(frames.of_state(*target), log, **options) for target in targets)
    return StatesPotential(approach, numbers, models, numbers, 0.0, ranges)


def _fit_matrix(
    frames: StateFrames,
    labels: Array,
    seed: int,
    say: Log,
    size: tuple[int, int, int] = SIZE,
    cutoff: float = CUTOFF,
    regularisation: tuple[float, ...] = REGULARISATION,
    weights: Weights | None = None,
    iterations: int = ITERATIONS,
) -> tuple[Network, float, dict[str, Any]]:
    """Elements of the matrix as linear readouts of one set of frozen features, trained by L-BFGS."""
    elements = frames.states * (frames.states + 1) // 2
    single = default(tuple(sorted(set(labels.tolist()))), cutoff, size=size, seed=seed)
    offset = float(np.nanmean(frames.energies))
    shifted = replace(frames, energies=frames.energies - offset)
    problem = _Problem(shifted, _features(single, frames, labels), weights or Weights(), seed, iterations)
    kept, held = problem.parts()
    first = problem.best_start(kept, regularisation[0])
    scores, found = {}, {}
    for strength in regularisation:
        found[strength] = problem.solve(first, kept, strength, iterations)
        scores[strength] = problem.loss(found[strength], held)[0] / len(held)
        say(f"regularisation {strength:g}: loss on {len(held)} frames that were held out {scores[strength]:.4g}")
    best = min(scores, key=lambda strength: scores[strength])
    readout = problem.solve(found[best], np.arange(len(frames)), best, iterations // 2) / problem.scale[:, None]
    gate, root = single.spec.gates
    spec = replace(single.spec, gates=(Gate(gate.terms, Irreps(f"{elements}x0e")), root))
    kinds, columns = single.parameters[single.readout].shape
    shaped = readout.reshape(kinds, columns * elements)
    network = Network(spec, {**single.parameters, single.readout: shaped})
    record = {"regularisation": best, "frames": len(frames), "columns": kinds * columns, "seed": seed}
    return network, offset, record


def _features(network: Network, frames: StateFrames, labels: Array) -> tuple[Array, Array]:
    """Rows of energies (F, C) and of forces (F, 3N, C) by the readout weights."""
    zero, parts = np.zeros((len(labels), 3)), []
    for start in range(0, len(frames), 20):
        batch = Frames(tuple(Frame(labels, r, 0.0, zero) for r in frames.positions[start : start + 20]))
        parts.append(rows(network, batch))
    energy = np.concatenate([part.energy for part in parts])
    return energy, np.concatenate([part.forces for part in parts]).reshape(len(frames), 3 * len(labels), -1)


class _Problem:
    """Loss of the readout (C, elements) on some frames, in scaled columns."""

    def __init__(
        self, frames: StateFrames, features: tuple[Array, Array], weights: Weights, seed: int, iterations: int
    ) -> None:
        energy, forces = features
        self.scale = np.sqrt(np.mean(forces**2, axis=(0, 1))) + 1e-12
        self.scale = np.maximum(self.scale, 1e-6 * self.scale.max())
        self.energy, self.forces = energy / self.scale, forces / self.scale
        self.frames, self.weights, self.seed, self.iterations = frames, weights, seed, iterations

    def parts(self) -> tuple[Array, Array]:
        """Four fifths of the frames, and the rest."""
        order = np.random.default_rng(self.seed).permutation(len(self.frames))
        cut = max(1, len(order) // 5)
        return np.sort(order[cut:]), np.sort(order[:cut])

    def loss(self, readout: Array, chosen: Array) -> tuple[float, Array]:
        """Value, and derivative (C, elements)."""
        labels, states, atoms = self.frames[chosen], self.frames.states, len(self.frames.numbers)
        energy, forces = self.energy[chosen], self.forces[chosen]
        matrices = unpacked(energy @ readout, states)
        gradients = -np.moveaxis(unpacked(forces @ readout, states), (2, 3), (1, 2))
        shape = (len(chosen), states, states, atoms, 3)
        value, by_matrix, by_gradient = matrix_loss(matrices, gradients.reshape(shape), labels, self.weights)
        flat = -np.moveaxis(by_gradient.reshape(len(chosen), states, states, -1), (1, 2), (2, 3))
        slope = energy.T @ packed(by_matrix)
        slope += np.tensordot(forces, packed(flat), axes=((0, 1), (0, 1)))
        return value, slope

    def solve(self, begin: Array, chosen: Array, strength: float, iterations: int) -> Array:
        """The readout that L-BFGS finds from a start."""
        from scipy.optimize import minimize

        penalty = strength * len(chosen)

        def value(flat: Array) -> tuple[float, Array]:
            readout = flat.reshape(begin.shape)
            found, slope = self.loss(readout, chosen)
            return found + 0.5 * penalty * float(flat @ flat), (slope + penalty * readout).ravel()

        found = minimize(
            value,
            begin.ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": iterations, "maxcor": 20, "ftol": 1e-14, "gtol": 1e-9},
        )
        result: Array = found.x.reshape(begin.shape)
        return result

    def best_start(self, chosen: Array, strength: float) -> Array:
        """Where a quarter of the steps ends lowest: from the fitted states, or from their mean split at random."""
        rng, states = np.random.default_rng(self.seed), self.frames.states
        diagonal = self._ridge(chosen, strength)
        mean = np.repeat(diagonal.mean(axis=1, keepdims=True), states, axis=1)
        found = []
        for k in range(STARTS):
            noise = rng.standard_normal((len(diagonal), states * (states + 1) // 2)) / np.sqrt(len(diagonal))
            begin = (0.3 if k else 0.1) * noise
            begin[:, :states] = mean + begin[:, :states] if k else diagonal
            end = self.solve(begin, chosen, strength, self.iterations // 4)
            found.append((self.loss(end, chosen)[0], k, end))
        return min(found, key=lambda row: row[:2])[2]

    def _ridge(self, chosen: Array, strength: float) -> Array:
        """Readouts (C, S) of the states themselves, in closed form."""
        labels, states = self.frames[chosen], self.frames.states
        root = np.sqrt(self.weights.energy)
        design = np.concatenate([root * self.energy[chosen], self.forces[chosen].reshape(-1, self.energy.shape[1])])
        targets = [np.concatenate([root * labels.energies[:, s], labels.forces[:, s].ravel()]) for s in range(states)]
        gram = design @ design.T
        ridge = max(strength, 1e-6) * len(chosen) * np.eye(len(gram))
        diagonal: Array = design.T @ np.linalg.solve(gram + ridge, np.nan_to_num(np.stack(targets, axis=1)))
        return diagonal
