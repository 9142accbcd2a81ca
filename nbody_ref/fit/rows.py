r"""The linear equations of a fit: energies and forces as linear functions of the readout weights.

With features B_i (P,) of atom i, kinds k(i) and readout W (n_kinds, P), energy and forces are

.. math:: E_f = \sum_{i \in f} W_{k(i)} \cdot B_i, \qquad
          F_{ax} = -\sum_i W_{k(i)} \cdot \partial B_i / \partial r_{ax},

so a frame of n atoms gives one energy row and 3n force rows over the n_kinds P weights. The derivatives are tangents
of the features along 3n - 3 directions; those of the last atom follow from translation invariance, as minus the sum of
the others. A row of the force along any other direction costs one tangent as well: a few random directions of many
frames say more than all directions of a few (`rows_along`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbody_ref.errors import NBodyRefError
from nbody_ref.fit.frames import Frames

if TYPE_CHECKING:
    from nbody_ref.gates.terms import Term
    from nbody_ref.network import Network

__all__ = ["Rows", "bytes_per_frame", "column_orders", "column_smoothness", "frame_chunks", "rows", "rows_along"]

Array = np.ndarray[Any, Any]

ARRAYS_PER_FEATURE = 26  # values and tangents of all variables of a pass, in units of the features, measured


class Rows(NamedTuple):
    """Equations of some frames.

    Parameters
    ----------
    energy : (F, n_kinds * P) float64
    forces : (3 N, n_kinds * P) float64
        Row 3 a + x is component x of the force on atom a, frame after frame.
    """

    energy: Array
    forces: Array


def rows(network: Network, frames: Frames) -> Rows:
    """Energy and force rows of some frames, computed in one batch.

    Parameters
    ----------
    network : Network
        Its readout must be linear (`Network.readout`).
    frames : Frames

    Returns
    -------
    Rows
        Columns are the readout weights, kind by kind.

    Raises
    ------
    NBodyRefError
        If the readout also mixes fragments that are not invariant.
    """
    tangents = _Tangents(network, frames)
    first, n_moved = tangents.first, 3 * (frames.n_atoms - 1)
    forces = np.empty((3 * tangents.graph.n_atoms, tangents.energy.shape[1]))
    for d in range(int(n_moved.max())):
        moved = d < n_moved
        velocity = np.zeros((tangents.graph.n_atoms, 3))
        velocity[first[moved] + d // 3, d % 3] = 1.0
        forces[3 * first[moved] + d] = -tangents.along(velocity)[moved]
    for start, n in zip(first, frames.n_atoms, strict=True):
        block = forces[3 * start : 3 * (start + n)]
        block[-3:] = -block[:-3].reshape(n - 1, 3, -1).sum(axis=0)
    return Rows(tangents.energy, forces)


def rows_along(network: Network, frames: Frames, directions: Array) -> Rows:
    """Energy rows, and rows of the force along some directions of every frame.

    Parameters
    ----------
    network : Network
        Its readout must be linear (`Network.readout`).
    frames : Frames
    directions : (D, N, 3) float64
        Direction d of a frame is a vector of its 3 n coordinates; atoms of all frames side by side.

    Returns
    -------
    Rows
        Row D f + d of ``forces`` (F D, columns) is the sum of direction d of frame f times its forces.

    Raises
    ------
    NBodyRefError
        If the readout also mixes fragments that are not invariant.
    """
    tangents = _Tangents(network, frames)
    forces = np.empty((len(frames), len(directions), tangents.energy.shape[1]))
    for d, velocity in enumerate(directions):
        np.negative(tangents.along(velocity), out=forces[:, d])
    return Rows(tangents.energy, forces.reshape(-1, forces.shape[2]))


class _Tangents:
    """A batch of frames that has been run once, ready for tangents: one pass for each direction.

    Attributes
    ----------
    graph : Graph
    first : (F,) int
        First atom of each frame.
    energy : (F, columns) float64
        Features, summed over the atoms of each kind.
    """

    def __init__(self, network: Network, frames: Frames) -> None:
        from scipy.sparse import csr_array

        self.graph = network.graph(frames.geometries)
        self.first = self.graph.frame_ptr[:-1].astype(np.intp)
        self._values, self._batch = network.forward(self.graph)
        self._name = network.readout_fragments
        self._chain = network.chain.upto((self._name,))
        n_kinds, n_features = network.parameters[network.readout].shape
        if self._values[self._name].shape[1] != n_features:
            raise NBodyRefError("rows: every fragment that the readout mixes must be invariant, some are not")
        self._shape = (len(frames), n_kinds * n_features)
        group = n_kinds * np.repeat(np.arange(len(frames)), frames.n_atoms) + network.kinds(self.graph)
        ones, atoms = np.ones(self.graph.n_atoms), np.arange(self.graph.n_atoms)
        self._sum = csr_array((ones, (group, atoms)), shape=(len(frames) * n_kinds, self.graph.n_atoms))
        self.energy = (self._sum @ self._values[self._name]).reshape(self._shape)

    def along(self, velocity: Array) -> Array:
        """Derivative of `energy` as the atoms move with a velocity (N, 3)."""
        dots = self._chain.jvp(self._values, self._batch, {"r": velocity}).get(self._name)
        if dots is None:  # no atom has a neighbour
            return np.zeros(self._shape)
        return np.asarray(self._sum @ dots).reshape(self._shape)


def bytes_per_frame(network: Network, n_atoms: int) -> int:
    """Memory that `rows` needs for one frame of `n_atoms` atoms, estimated."""
    n_kinds, n_features = (int(n) for n in network.parameters[network.readout].shape)
    return 8 * n_atoms * n_features * (ARRAYS_PER_FEATURE + 6 * n_kinds)


def frame_chunks(network: Network, frames: Frames, budget: float) -> Iterator[Sequence[int]]:
    """Consecutive ranges of frames whose rows can be computed within `budget` bytes, one frame at least."""
    start, largest = 0, 0
    for i, n in enumerate(frames.n_atoms):
        largest = max(largest, int(n))
        if i > start and (i + 1 - start) * bytes_per_frame(network, largest) > budget:
            yield range(start, i)
            start, largest = i, int(n)
    if start < len(frames):
        yield range(start, len(frames))


def column_orders(network: Network) -> Array:
    """Number of legs of the product behind each column, (n_kinds P,): 0 for the centre itself, 1 for pairs, ..."""
    orders = [term.n_factors for term, fragments in _columns(network) for _ in range(network.irreps[fragments].dim)]
    return np.tile(np.array(orders, dtype=np.intp), network.parameters[network.readout].shape[0])


def column_smoothness(network: Network) -> Array:
    """Product of (n + 1)^-smoothness over the radial numbers n of the factors behind each column, (n_kinds P,).

    Of `Correlations`, whose factors are not mixed; 1 for other terms, whose legs are mixed by weights that fall so.
    """
    found: list[float] = []
    for _, fragments in _columns(network):
        found += network.builder.decay.get(fragments, (1.0,) * network.irreps[fragments].dim)
    return np.tile(np.array(found), network.parameters[network.readout].shape[0])


def _columns(network: Network) -> list[tuple[Term, str]]:
    """Terms of the gate below the root, with the variables of their columns."""
    gate = network.spec.gates[-2]
    step = next(s for s in network.chain.steps if s.output == network.readout_fragments)
    names = step.inputs if len(gate.terms) > 1 else (network.readout_fragments,)
    return list(zip(gate.terms, names, strict=True))
