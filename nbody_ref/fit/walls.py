r"""No holes: what was learned is frozen inside the shortest distances of the data, and a wall rises there.

With e the edge of a pair of elements, t = e - r > 0 the depth of a pair of atoms inside it and v their relative vector,

.. math:: y = P(P(\ldots P(x))), \quad P(x)_i = x_i + \sum_j \tfrac12 p(t_{ij})\, \hat v_{ij}, \quad
          p(t) = t - t\,(1 + (t/\delta)^3)^{-1/3},

pushes pairs apart to within delta of their edges, and the energy is

.. math:: E(x) = E_\text{learned}(y(x)) + \sum_{ij} V(t_{ij} / r_{ij}), \qquad V(z) = A\, z^3 / (z + c).

The learned part never sees a much shorter distance than the data, so that squeezing a pair leaves it as it is, and V
alone decides. Where no pair is inside its edge y = x, V = 0, and nothing is touched. E has two continuous derivatives.
Derivation of the forces: docs/derivations/walls.md.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.fit.support import MARGIN, Support

__all__ = ["Walls"]

Array = np.ndarray[Any, Any]

DELTA = 0.03  # Angstrom inside its edge that a distance may look to the learned part
ROUNDS = 8  # of pushing apart
SOFT = 0.1  # c: the wall is cubic below, quadratic above
CLOSEST = 0.3  # Angstrom, nearer than which no calculation is done
HEIGHT = 500.0  # eV there
UNSEEN = 0.8  # edge of a pair without data, in sums of covalent radii


class _Round(NamedTuple):
    """Pairs that one round pushes apart: indices, unit vectors, distances, p and p'."""

    i: Array
    j: Array
    unit: Array
    dist: Array
    push: Array
    slope: Array


class Walls:
    """Edges and strengths of the walls of a potential.

    Parameters
    ----------
    support : Support
        Of its training data: the edge of a pair of elements is its shortest distance less 0.05 Angstrom, 0.8 of the
        sum of covalent radii without data, and at least 0.35 Angstrom.
    """

    def __init__(self, support: Support) -> None:
        from ase.data import covalent_radii

        n = 1 + max(support.species)
        self.edges, self.strengths = np.zeros((n, n)), np.zeros((n, n))
        for a, b in combinations_with_replacement(support.species, 2):
            seen = support.shortest.get((a, b))
            edge = UNSEEN * (covalent_radii[a] + covalent_radii[b]) if seen is None else seen - MARGIN
            edge = min(max(float(edge), CLOSEST + MARGIN), support.cutoff)
            z = (edge - CLOSEST) / CLOSEST
            self.edges[a, b] = self.edges[b, a] = edge
            self.strengths[a, b] = self.strengths[b, a] = HEIGHT * (z + SOFT) / z**3

    def pushed(self, positions: Array, numbers: Array) -> tuple[Array, list[_Round]]:
        """The geometry that the learned part sees, (n, 3), and the rounds that led to it; none if nothing is inside."""
        if len(numbers) < 2:
            return positions, []
        a, b = np.triu_indices(len(numbers), 1)
        y: Array = positions
        edge, rounds = self.edges[numbers[a], numbers[b]], list[_Round]()
        for _ in range(ROUNDS):
            v = y[a] - y[b]
            dist = np.sqrt(np.einsum("px,px->p", v, v))
            mine = np.flatnonzero((dist < edge) & (dist > 0))
            if not len(mine):
                break
            t, i, j = edge[mine] - dist[mine], a[mine], b[mine]
            base = 1 + (t / DELTA) ** 3
            unit = v[mine] / dist[mine, None]
            rounds.append(_Round(i, j, unit, dist[mine], t - t * base ** (-1 / 3), 1 - base ** (-4 / 3)))
            y = _spread(y, i, j, 0.5 * rounds[-1].push[:, None] * unit)
        return y, rounds

    def pulled_back(self, forces: Array, rounds: list[_Round]) -> Array:
        """Forces on x from forces on y: the adjoint of the pushing, round by round."""
        for i, j, unit, dist, push, slope in reversed(rounds):
            w = 0.5 * (forces[i] - forces[j])  # D2
            along = np.einsum("px,px->p", unit, w)[:, None] * unit
            forces = _spread(forces, i, j, -slope[:, None] * along + (push / dist)[:, None] * (w - along))  # D3
        return forces

    def energies_and_forces(self, positions: Array, numbers: Array) -> tuple[Array, Array]:
        """Energies of the walls by atom (n,), eV, half to each of a pair, and their forces (n, 3), eV/Angstrom."""
        a, b = np.triu_indices(len(numbers), 1)
        v = positions[a] - positions[b]
        dist = np.sqrt(np.einsum("px,px->p", v, v))
        edge, strength = self.edges[numbers[a], numbers[b]], self.strengths[numbers[a], numbers[b]]
        mine = np.flatnonzero(dist < edge)
        i, j, v, dist = a[mine], b[mine], v[mine], dist[mine]
        edge, strength = edge[mine], strength[mine]
        z = (edge - dist) / dist
        energy = strength * z**3 / (z + SOFT)
        steep = strength * z**2 * (2 * z + 3 * SOFT) / (z + SOFT) ** 2 * edge / dist**2  # -dV/dr, D5
        shares = np.bincount(i, energy / 2, len(numbers)) + np.bincount(j, energy / 2, len(numbers))
        return shares, _spread(np.zeros((len(numbers), 3)), i, j, steep[:, None] * v / dist[:, None])


def _spread(array: Array, i: Array, j: Array, vectors: Array) -> Array:
    """The array with vectors of pairs added to their first atoms and taken from their second."""
    out = array.copy()
    np.add.at(out, i, vectors)
    np.subtract.at(out, j, vectors)
    return out
