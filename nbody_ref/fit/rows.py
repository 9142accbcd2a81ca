r"""The linear equations of a fit: energies and forces as linear functions of the readout weights.

With features B_i (P,) of atom i, kinds k(i) and readout W (n_kinds, P), energy and forces are

.. math:: E_f = \sum_{i \in f} W_{k(i)} \cdot B_i, \qquad
          F_{ax} = -\sum_i W_{k(i)} \cdot \partial B_i / \partial r_{ax},

so a frame of n atoms gives one energy row and 3n force rows over the n_kinds P weights. The derivatives are tangents
of the features along 3n - 3 directions (one copy of the frame for each); those of the last atom follow from
translation invariance, as minus the sum of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbody_ref.fit.frames import Frames
from nbody_ref.graphs import replicate

if TYPE_CHECKING:
    from nbody_ref.network import Network

__all__ = ["Rows", "bytes_per_frame", "column_orders", "frame_chunks", "rows"]

Array = np.ndarray[Any, Any]

ARRAYS_PER_FEATURE = 6  # values, tangents and their sums that are alive at once, measured


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
    """
    graph = network.graph(frames.geometries)
    n_kinds, n_features = network.parameters[network.readout].shape
    total = len(graph.species)
    by_kind = np.zeros((graph.n_frames, n_kinds, total))
    by_kind[graph.frame.astype(np.intp), network.kinds(graph).astype(np.intp), np.arange(total)] = 1.0
    by_kind = by_kind.reshape(-1, total)
    energy = (by_kind @ network.readout_features(graph)).reshape(graph.n_frames, -1)

    directions = 3 * (int(frames.n_atoms.max()) - 1)
    velocity = np.zeros((directions, total, 3))
    start = np.asarray(graph.frame_ptr[:-1], dtype=np.intp)
    for f, n in enumerate(frames.n_atoms):
        for d in range(3 * (n - 1)):
            velocity[d, start[f] + d // 3, d % 3] = 1.0
    forces = np.zeros((3 * total, n_kinds * n_features))
    if directions:
        dots = network.readout_features_jvp(replicate(graph, directions), velocity.reshape(-1, 3))
        summed = (by_kind @ dots.reshape(directions, total, n_features)).reshape(directions, graph.n_frames, -1)
        for f, n in enumerate(frames.n_atoms):
            block = forces[3 * start[f] : 3 * (start[f] + n)]
            np.negative(summed[: 3 * (n - 1), f], out=block[:-3])
            block[-3:] = -block[:-3].reshape(n - 1, 3, -1).sum(axis=0)
    return Rows(energy, forces)


def bytes_per_frame(network: Network, n_atoms: int) -> int:
    """Memory that `rows` needs for one frame of `n_atoms` atoms, estimated."""
    n_kinds, n_features = (int(n) for n in network.parameters[network.readout].shape)
    return 8 * 3 * n_atoms * n_features * (ARRAYS_PER_FEATURE * n_atoms + 2 * n_kinds)


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


def column_orders(network: Network, frames: Frames) -> Array:
    """Number of legs of the product behind each column, (n_kinds P,): 0 for the centre itself, 1 for pairs, ..."""
    from nbody_ref.gates.terms import Bare, Product

    gate = network.spec.gates[-2]
    values, _ = network.forward(network.graph(frames[:1].geometries))
    step = next(s for s in network.chain.steps if s.output == network.readout_fragments)
    names = step.inputs if len(gate.terms) > 1 else (network.readout_fragments,)
    orders: list[int] = []
    for term, name in zip(gate.terms, names, strict=True):
        order = len(term.legs) if isinstance(term, Product) else int(not isinstance(term, Bare))
        orders += [order] * int(values[name].shape[1])
    n_kinds, n_features = network.parameters[network.readout].shape
    return np.tile(np.array(orders, dtype=np.intp)[:n_features], n_kinds)
