r"""The error of the closed form on frames it has not seen, as a function of the covariant weights.

The readout w is never trained by steps: on some frames T it is the solution of the regularised
least-squares problem (`nbody_ref.fit.ridge`), whose rows A(W) depend on the covariant weights W, and what is made small
is its error on other frames V, with rows B(W):

.. math:: L(W, \mu) = \frac{1}{2 n_V} \| B w - z \|^2, \qquad
          w = \operatorname*{argmin}_w \tfrac12 \| A w - y \|^2 + \tfrac{\mu}{2} \| D^{-1} w \|^2 .

With r = A w - y, s = B w - z, H = A^T A + mu D^-2 and v = H^-1 B^T s, the differential is

.. math:: n_V\, dL = \langle s, dB\, w \rangle - \langle r, dA\, v \rangle - \langle A v, dA\, w \rangle
                     - \langle D^{-1} v, D^{-1} w \rangle\, d\mu .

Each bracket is a sum of energies and forces of the network with readout w or v, weighted by residuals, so that its
derivative by W is one `weight_gradient`: no derivative of a row is ever formed, and no row of V. Of the forces on the
frames of T a few random directions are rows: many frames say more than all coordinates of a few.
docs/derivations/training.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.linalg

from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import counts
from nbody_ref.fit.dense import add_gram, cholesky, outer_gram, solve_cholesky
from nbody_ref.fit.frames import Frames
from nbody_ref.fit.objectives import digests
from nbody_ref.fit.ridge import ENERGY_WEIGHT, column_scale
from nbody_ref.fit.rows import Rows, column_orders, column_smoothness, frame_chunks, rows, rows_along
from nbody_ref.gates.weights import Mixing
from nbody_ref.kernels._threads import side_by_side
from nbody_ref.network import Network

__all__ = ["CrossValidation"]

Array = np.ndarray[Any, Any]

CHUNK_BYTES = 64e6
GRADIENT_FRAMES = 8  # in one run of forward over reverse
LAMBDAS = tuple(10.0**-k for k in range(2, 10))  # that the hold-out is tested with
ABOVE = 1000.0
FREE = 10.0  # columns of constants are as much larger than others
REFINEMENTS = 2  # of v, which loses digits to cancellation where mu is small


@dataclass
class CrossValidation:
    """The error of the closed form on frames that it has not seen, as a function of the covariant weights.

    The vector holds every covariant weight, divided by the scale it was drawn with, and log lambda. `score` is the
    smallest over all lambda of the list, so that it does not depend on where lambda stands.

    What is learned depends on how many rows T has. More than columns: the error on V is what the features cannot
    express, and steps lower it at the best lambda. Fewer: the readout nearly passes through its labels, and near the
    best lambda the gradient is mostly noise of the frames it comes from; it begins far above (`ABOVE`). Random
    `directions` of many frames give more for the same number of rows than all forces on a few:
    docs/derivations/training.md.

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
        lambda to begin with, as in `nbody_ref.fit.ridge`; None: the best of the list on the hold-out, or `ABOVE` times
        that if the reference frames have fewer rows than there are columns.
    directions : int
        Rows of the forces on each frame of T, and on each reference frame; at most as many as it has coordinates.
    """

    network: Network
    frames: Frames
    targets: Array
    reference: Sequence[int]
    held: Sequence[int]
    constants: bool = True
    regularisation: float | None = None
    directions: int = 8
    scale: Array = field(init=False)
    _unit: Array = field(init=False)

    def __post_init__(self) -> None:
        self.names = tuple(name for name in self.network.parameters if name != self.network.readout)
        if not self.names:
            raise DataError("training: this network has no covariant weights to train")
        design = self.design(self.network, self.reference, self.drawn(self.reference))
        block = design[len(self.reference) :]
        squares = np.einsum("rc,rc->c", block, block)
        orders = column_orders(self.network)
        self.scale = column_scale(squares, len(block), orders) * column_smoothness(self.network)
        self._mean = float(np.mean(squares * self.scale**2)) / len(block)
        self._unit = np.concatenate([_drawn(self.network, name) for name in self.names])
        if self.regularisation is None:
            best = LAMBDAS[int(np.argmin(self._scores(self.network, design)))]
            self.regularisation = best if len(block) > len(self.scale) else ABOVE * best

    def identity(self) -> dict[str, str]:
        """Digests of frames, labels and network, and of what it was chosen to see."""
        chosen = [list(map(int, self.reference)), list(map(int, self.held)), self.constants, self.directions]
        return digests(self.frames, {"targets": self.targets}, self.network.spec.to_dict(), chosen)

    def start(self) -> Array:
        """Covariant weights over their scales, then log lambda."""
        return np.append(self._flat(self.network.parameters) / self._unit, np.log(self.regularisation or LAMBDAS[0]))

    def _flat(self, arrays: Mapping[str, Array]) -> Array:
        """Covariant weights, or their gradients, one after another."""
        return np.concatenate([arrays[name].ravel() for name in self.names])

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
        u = system.solve(system.a.T @ system.y)
        squares, total, b = self.unseen(network, unseen, u)
        v = system.solve(b)
        total = total - self.pull(network, seen, v, system.a @ u - system.y)
        total = total - self.pull(network, seen, u, system.a @ v)
        count = len(unseen) + 3 * int(self.frames[unseen].n_atoms.sum())
        return 0.5 * squares / count, np.append(total * self._unit, -system.mu * float(v @ u)) / count

    @property
    def measures(self) -> str:
        """What `score` is."""
        return "force error, rms,"

    def words(self, score: float) -> str:
        """A score with its unit."""
        return f"{1e3 * score:.2f} meV/A"

    def score(self, x: Array) -> float:
        """Force error on the hold-out (rms, eV/Angstrom) of the readout solved on the reference frames, best lambda."""
        return float(np.min(self._scores(self.network.with_parameters(self.weights(x)))))

    def _scores(self, network: Network, design: Array | None = None) -> list[float]:
        """Force error on the hold-out for each lambda of the list; `design` is that of the reference frames."""
        held, found = self.frames[list(self.held)], []
        b = self.scaled(self.design(network, self.held), self.held)
        z = np.concatenate([ENERGY_WEIGHT * self.targets[list(self.held)], held.forces.ravel()])
        system = self.system(network, self.reference, LAMBDAS[0], design)
        for value in LAMBDAS:
            try:
                system = system.at(self._mu(value, self.reference))
            except scipy.linalg.LinAlgError:  # no solution in float64
                found.append(np.inf)
                continue
            s = b @ system.solve(system.a.T @ system.y) - z
            found.append(float(np.sqrt(np.mean(s[len(held) :] ** 2))))
        return found

    def drawn(self, indices: Sequence[int]) -> Array:
        """Random directions (D, N, 3) of some frames, always the same for the same frames.

        Orthogonal within a frame, and so long that the expectation of the squares of the components along them is the
        square of the whole vector.
        """
        chosen, rng, parts = self.frames[list(indices)], np.random.default_rng(list(indices)), []
        count = min(self.directions, 3 * int(chosen.n_atoms.min()))
        for n in chosen.n_atoms:
            axes = np.linalg.qr(rng.standard_normal((3 * n, count)))[0]
            parts.append(np.sqrt(3 * n / count) * axes.T.reshape(count, n, 3))
        return np.concatenate(parts, axis=1)

    def design(self, network: Network, indices: Sequence[int], directions: Array | None = None) -> Array:
        """Rows of some frames, energies times omega first; of all forces or along directions."""
        chosen = self.frames[list(indices)]
        ends = np.cumsum(chosen.n_atoms)

        def part(chunk: Sequence[int]) -> Rows:
            some = chosen[list(chunk)]
            if directions is None:
                return rows(network, some)
            return rows_along(network, some, directions[:, ends[chunk[0]] - some.n_atoms[0] : ends[chunk[-1]]])

        found = side_by_side(part, list(frame_chunks(network, chosen, CHUNK_BYTES)))
        return np.concatenate([*(ENERGY_WEIGHT * part.energy for part in found), *(part.forces for part in found)])

    def scaled(self, design: Array, indices: Sequence[int]) -> Array:
        """Rows times D, and columns for the constants of the species, if there are any."""
        constants = self._constants(indices)
        found = np.zeros((len(design), len(self.scale) + constants.shape[1]))
        np.multiply(design, self.scale, out=found[:, : len(self.scale)])
        found[: len(constants), len(self.scale) :] = constants
        return found

    def _constants(self, indices: Sequence[int]) -> Array:
        """Columns of constants in the energy rows, (n, S) or (n, 0), of a scale so large that mu leaves them free."""
        if not self.constants:
            return np.zeros((len(indices), 0))
        numbers = counts(self.frames[list(indices)], self.network.species)
        return np.asarray(ENERGY_WEIGHT * FREE * np.sqrt(self._mean) * numbers)

    def system(
        self, network: Network, indices: Sequence[int], regularisation: float, design: Array | None = None
    ) -> _System:
        """The regularised equations of some frames: their energies, and their forces along random directions.

        `design` are the rows that `design` gives for these directions, if they are known.
        """
        directions = self.drawn(indices)
        forces = _components(self.frames[list(indices)].forces, directions, self.frames[list(indices)].n_atoms)
        a = self.scaled(self.design(network, indices, directions) if design is None else design, indices)
        y = np.concatenate([ENERGY_WEIGHT * self.targets[list(indices)], forces.ravel()])
        return _System.least(a, y, self._mu(regularisation, indices))

    def _mu(self, regularisation: float, indices: Sequence[int]) -> float:
        """lambda times the mean square norm that the scaled force columns of some frames had at the start."""
        return regularisation * self._mean * 3 * int(self.frames[list(indices)].n_atoms.sum())

    def readout(self, u: Array) -> Array:
        """Readout weights of a vector of scaled ones."""
        shape = self.network.parameters[self.network.readout].shape
        return (u[: len(self.scale)] * self.scale).reshape(shape)

    def unseen(self, network: Network, indices: Sequence[int], u: Array) -> tuple[float, Array, Array]:
        """|s|^2, <s, dB w> by the covariant weights, and B^T s; rows of B are not formed."""
        network = network.with_parameters({network.readout: self.readout(u)})
        parts = [list(indices[i : i + GRADIENT_FRAMES]) for i in range(0, len(indices), GRADIENT_FRAMES)]
        squares, totals, bs = zip(*side_by_side(lambda part: self._unseen(network, part, u), parts), strict=True)
        return float(sum(squares)), np.sum(totals, axis=0), np.sum(bs, axis=0)

    def _unseen(self, network: Network, part: list[int], u: Array) -> tuple[float, Array, Array]:
        """`unseen` for frames of one run of forward over reverse."""
        labels, columns = self.frames[part].forces, self._constants(part)
        errors: list[Array] = []

        def loss(energy: Array, forces: Array) -> tuple[float, Array, Array]:
            s_e = ENERGY_WEIGHT * (energy - self.targets[part]) + columns @ u[len(self.scale) :]
            s_f = forces - labels
            errors.append(s_e)
            return float(np.sum(s_e**2) + np.sum(s_f**2)), ENERGY_WEIGHT * s_e, s_f

        names = (*self.names, network.readout)
        squares, found = network.loss_gradient(network.graph(self.frames[part].geometries), loss, names)
        return squares, self._flat(found), np.append(found[network.readout].ravel() * self.scale, columns.T @ errors[0])

    def pull(self, network: Network, indices: Sequence[int], u: Array, bar: Array) -> Array:
        """Derivative by the covariant weights of <bar, rows of `system` . readout>."""
        network = network.with_parameters({network.readout: self.readout(u)})
        directions, n_atoms = self.drawn(indices), self.frames[list(indices)].n_atoms
        lengths = bar[len(indices) :].reshape(len(indices), -1)
        forces_bar = np.einsum("dnx,nd->nx", directions, np.repeat(lengths, n_atoms, axis=0))
        ends = np.cumsum(n_atoms)

        def part(begin: int) -> Array:
            some = list(indices[begin : begin + GRADIENT_FRAMES])
            atoms = slice(ends[begin] - n_atoms[begin], ends[begin + len(some) - 1])
            graph, energy_bar = network.graph(self.frames[some].geometries), bar[begin : begin + len(some)]
            found = network.weight_gradient(graph, ENERGY_WEIGHT * energy_bar, forces_bar[atoms], self.names)
            return self._flat(found)

        return np.asarray(np.sum(side_by_side(part, range(0, len(indices), GRADIENT_FRAMES)), axis=0))


def _components(vectors: Array, directions: Array, n_atoms: Array) -> Array:
    """Components (F, D) of the vectors of all atoms of each frame along its directions."""
    products = np.einsum("dnx,nx->nd", directions, vectors)
    return np.add.reduceat(products, np.cumsum(n_atoms) - n_atoms, axis=0)


@dataclass
class _System:
    """(A^T A + mu) u = b with its Cholesky factor, of A A^T + mu or of A^T A + mu, whichever is smaller.

    Of `gram` the lower triangle alone is filled.
    """

    a: Array
    y: Array
    mu: float
    gram: Array

    @classmethod
    def least(cls, a: Array, y: Array, mu: float) -> _System:
        """With the least mu of mu, 10 mu, 100 mu ... for which float64 has a solution."""
        gram = _gram(a)
        while True:
            try:
                return cls(a, y, mu, gram)
            except scipy.linalg.LinAlgError:
                mu *= 10

    def at(self, mu: float) -> _System:
        """The same equations with another mu."""
        return _System(self.a, self.y, mu, self.gram)

    def __post_init__(self) -> None:
        self._dual = len(self.gram) == len(self.a)
        shifted = self.gram.copy()
        shifted[np.diag_indices(len(shifted))] += self.mu
        self._factor = cholesky(shifted)

    def solve(self, b: Array) -> Array:
        """u, refined against cancellation."""
        u = self._once(b)
        for _ in range(REFINEMENTS):
            u = u + self._once(b - self.a.T @ (self.a @ u) - self.mu * u)
        return u

    def _once(self, b: Array) -> Array:
        if not self._dual:
            return solve_cholesky(self._factor, b)
        inner = solve_cholesky(self._factor, self.a @ b)
        return np.asarray((b - self.a.T @ inner) / self.mu)


def _gram(a: Array) -> Array:
    """Lower triangle of A A^T or of A^T A, whichever is smaller."""
    return outer_gram(a) if len(a) <= a.shape[1] else add_gram(np.zeros((a.shape[1],) * 2, order="F"), a)


def _drawn(network: Network, name: str) -> Array:
    """Scale that each weight of a mixing was drawn with."""
    mixing = network.builder.parameters[name]
    if not isinstance(mixing, Mixing):
        return np.ones(int(np.prod(mixing.shape)))
    return np.tile(mixing.scales(), mixing.n_kinds)
