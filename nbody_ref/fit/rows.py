r"""The linear equations of a fit: energies and forces as linear functions of the readout weights.

With features B_i (P,) of atom i, kinds k(i) and readout W (n_kinds, P), energy and forces are

.. math:: E_f = \sum_{i \in f} W_{k(i)} \cdot B_i, \qquad
          F_{ax} = -\sum_i W_{k(i)} \cdot \partial B_i / \partial r_{ax},

so a frame of n atoms gives one energy row and 3n force rows over the n_kinds P weights. The derivatives are tangents
of the features along 3n - 3 directions (one copy of the frame for each); those of the last atom follow from
translation invariance, as minus the sum of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbody_ref.errors import NBodyRefError
from nbody_ref.fit.frames import Frames
from nbody_ref.graphs import replicate

if TYPE_CHECKING:
    from nbody_ref.gates.terms import Term
    from nbody_ref.graphs import Graph
    from nbody_ref.network import Network

__all__ = ["Rows", "bytes_per_frame", "column_orders", "column_smoothness", "frame_chunks", "rows"]

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
    graph = network.graph(frames.geometries)
    n_kinds, n_features = network.parameters[network.readout].shape
    kinds = network.kinds(graph)
    values, _ = network.forward(graph)
    features = values[network.readout_fragments]
    if features.shape[1] != n_features:
        raise NBodyRefError("rows: every fragment that the readout mixes must be invariant, some are not")
    energy = np.empty((len(frames), n_kinds, n_features))
    forces = np.empty((3 * graph.n_atoms, n_kinds, n_features))
    dots = _tangents(network, graph, values, frames.n_atoms)
    start = 0
    for f, n in enumerate(frames.n_atoms):
        block = forces[3 * start : 3 * (start + n)]
        for kind in range(n_kinds):  # sums of a few atoms: many small BLAS calls would cost more in waiting threads
            atoms = start + np.flatnonzero(kinds[start : start + n] == kind)
            np.sum(features[atoms], axis=0, out=energy[f, kind])
            np.sum(dots[: 3 * (n - 1), atoms], axis=1, out=block[:-3, kind])
        np.negative(block[:-3], out=block[:-3])
        block[-3:] = -block[:-3].reshape(n - 1, 3, n_kinds, n_features).sum(axis=0)
        start += n
    return Rows(energy.reshape(len(frames), -1), forces.reshape(3 * graph.n_atoms, -1))


def _tangents(network: Network, graph: Graph, values: Mapping[str, Array], n_atoms: Array) -> Array:
    """Tangents of the features (directions, N, P): direction 3 a + x moves atom a of every frame along x.

    One pass over as many copies of the batch as there are directions; the values in all copies are the same and are
    copied, not computed again.
    """
    directions = max(3 * (int(n_atoms.max()) - 1), 1)
    velocity = np.zeros((directions, graph.n_atoms, 3))
    for start, n in zip(graph.frame_ptr.astype(np.intp), n_atoms, strict=False):
        for d in range(3 * (n - 1)):
            velocity[d, start + d // 3, d % 3] = 1.0
    chain = network.chain.upto((network.readout_fragments,))
    many = replicate(graph, directions)
    batch = network.spec.layout.batch(many, network.kinds(many))
    moving = chain.depends(("r",))
    read = {name for step in chain.steps if moving.intersection(step.inputs) for name in step.inputs}
    copied = {
        name: x if name in network.parameters else np.tile(x, (directions, 1, 1)[: x.ndim])
        for name, x in values.items()
        if name in read
    }
    dots = chain.jvp(copied, batch, {"r": velocity.reshape(-1, 3)})
    features = dots.get(network.readout_fragments)
    if features is None:  # no atom has a neighbour
        features = np.zeros((directions * graph.n_atoms, values[network.readout_fragments].shape[1]))
    return features.reshape(directions, graph.n_atoms, -1)


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


def column_orders(network: Network) -> Array:
    """Number of legs of the product behind each column, (n_kinds P,): 0 for the centre itself, 1 for pairs, ..."""
    from nbody_ref.gates.terms import Bare, Correlations, Product

    def order(term: Term) -> int:
        if isinstance(term, Correlations):
            return term.order
        return len(term.legs) if isinstance(term, Product) else int(not isinstance(term, Bare))

    found = [[order(term)] * columns for term, columns in _columns(network)]
    orders = np.array([k for part in found for k in part], dtype=np.intp)
    return np.tile(orders, network.parameters[network.readout].shape[0])


def column_smoothness(network: Network) -> Array:
    """Product of (n + 1)^-smoothness over the radial numbers n of the factors behind each column, (n_kinds P,).

    Of `Correlations`, whose factors are not mixed; 1 for other terms, whose legs are mixed by weights that fall so.
    """
    from nbody_ref.gates.correlations import factors
    from nbody_ref.gates.terms import Correlations

    found: list[float] = []
    for i, (term, columns) in enumerate(_columns(network)):
        if isinstance(term, Correlations):
            density = network.irreps[_density(network, i)]
            numbers = factors(density, term)
            found += [float(np.prod([n + 1.0 for n in label])) ** -term.leg.smoothness for label in numbers]
        else:
            found += [1.0] * columns
    return np.tile(np.array(found), network.parameters[network.readout].shape[0])


def _columns(network: Network) -> list[tuple[Term, int]]:
    """Terms of the gate below the root, with the number of their columns."""
    gate = network.spec.gates[-2]
    step = next(s for s in network.chain.steps if s.output == network.readout_fragments)
    names = step.inputs if len(gate.terms) > 1 else (network.readout_fragments,)
    return [(term, network.irreps[name].dim) for term, name in zip(gate.terms, names, strict=True)]


def _density(network: Network, term: int) -> str:
    """Variable that the products of a term start from."""
    pairs = next(s for s in network.chain.steps if s.output.endswith(f"/term{term + 1}/pairs"))
    return pairs.inputs[0]
