"""All clusters of up to n atoms as a scheme: the hierarchy behind expansions in n-body terms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb

from nbody_ref.checks import check_integer
from nbody_ref.errors import SchemeError
from nbody_ref.scheme.builders import check_neighbours, check_species
from nbody_ref.scheme.definition import Node, Scheme

__all__ = ["clusters"]

Cluster = tuple[int, ...]


def clusters(
    species: Sequence[int],
    order: int,
    neighbours: Sequence[Iterable[int]] | None = None,
    max_nodes: int = 100_000,
) -> Scheme:
    r"""Atoms, pairs, triples, ... up to clusters of `order` atoms, and the molecule made from all of them.

    .. math:: \#\text{nodes} = \sum_{k=1}^{n} \binom{N}{k} + 1 \quad\text{without neighbours}

    A cluster of k atoms sits at its centroid and is made from its k sub-clusters of k - 1 atoms, which it shares with
    other clusters. The molecule has every cluster as a child, so that a gate of the root may sum over each size.

    Parameters
    ----------
    species : sequence over atoms of int
        Atomic numbers, in the kinds ``("atom", Z)`` and ``("cluster", (Z1, Z2, ...))``, ascending.
    order : int
        Atoms of the largest clusters, from 1 to the number of atoms.
    neighbours : sequence over atoms of iterable of int, optional
        Only clusters whose atoms are all neighbours of each other: their number then grows linearly. None: all.
    max_nodes : int
        Largest number of nodes; more are refused before any is made.

    Returns
    -------
    Scheme
        Atoms at level 0, clusters of k atoms at level k - 1, the molecule one level above the largest. Nodes are
        numbered size by size, and within a size lexicographically.

    Raises
    ------
    SchemeError
        If there is no atom, `order` is out of range, a neighbour list is wrong, there would be more than `max_nodes`
        nodes, or no `order` atoms are neighbours of each other.

    Examples
    --------
    >>> water = clusters([8, 1, 1], 2)
    >>> [(node.kind, sorted(node.part)) for node in water.nodes[3:6]]
    [(('cluster', (1, 8)), [0, 1]), (('cluster', (1, 8)), [0, 2]), (('cluster', (1, 1)), [1, 2])]
    """
    species, order = check_species("clusters", species), check_integer("clusters", "order", order, None)
    n, limit = len(species), check_integer("clusters", "max_nodes", max_nodes, None)
    if not 1 <= order <= n:
        raise SchemeError(f"clusters: 'order' must lie in 1..{n}, the number of atoms, got {order}")
    if neighbours is None:
        total = 1 + sum(comb(n, k) for k in range(1, order + 1))
        _check_size(total, limit, f"{n} atoms have {total - 1} clusters of up to {order}")
        sizes = [list(combinations(range(n), k)) for k in range(1, order + 1)]
    else:
        sizes = _cliques(check_neighbours("clusters", neighbours, n), order, limit)
    number = {cluster: i for i, cluster in enumerate(cluster for size in sizes for cluster in size)}
    nodes = [Node([i], kind=("atom", z)) for i, z in enumerate(species)]
    for cluster in list(number)[n:]:
        kind = "cluster", tuple(sorted(species[i] for i in cluster))
        nodes.append(Node(cluster, [number[part] for part in combinations(cluster, len(cluster) - 1)], kind))
    nodes.append(Node(range(n), range(len(nodes)), ("molecule",)))
    return Scheme(nodes, n)


def _cliques(around: list[list[int]], order: int, limit: int) -> list[list[Cluster]]:
    """Sets of mutual neighbours, size by size, each extended by the atoms after its last one."""
    known = [frozenset(js) for js in around]
    one_way = next(((i, j) for i, js in enumerate(around) for j in js if i not in known[j]), None)
    if one_way is not None:
        i, j = one_way
        raise SchemeError(f"clusters: 'neighbours' must be mutual, atom {i} has {j}, which does not have {i}")
    sizes: list[list[Cluster]] = [[(i,) for i in range(len(around))]]
    total = 1 + len(around)
    while len(sizes) < order:
        larger: list[Cluster] = []
        for cluster in sizes[-1]:
            shared = frozenset.intersection(*(known[i] for i in cluster))
            larger += [(*cluster, j) for j in sorted(shared) if j > cluster[-1]]
            _check_size(total + len(larger), limit, f"there are more clusters of up to {order}")
        if not larger:
            raise SchemeError(f"clusters: 'order' must be at most {len(sizes)}, no {order} atoms are all neighbours")
        total += len(larger)
        sizes.append(larger)
    return sizes


def _check_size(total: int, limit: int, why: str) -> None:
    if total > limit:
        raise SchemeError(f"clusters: the scheme must have at most {limit} nodes ('max_nodes'), but {why}")
