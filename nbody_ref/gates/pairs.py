r"""Pairs of children of one parent, for gates like eq. (12): edge lists made from those of the children.

A slot is one child in its role as a child of one parent; a child of two parents has two slots. A pair edge leads from a
child i to the slot of another child j of the same parent. Derivation: docs/derivations/gate_relative.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.errors import GeometryError
from nbody_ref.gates.chain import Array, Entry, Op
from nbody_ref.graphs import Edges
from nbody_ref.ops import distance as lengths

__all__ = ["PAIR_DISTANCE", "pair_edges", "pair_entries", "parent_edges", "slot_edges"]

Needs = tuple[bool, ...] | None


def slot_edges(edges: Edges) -> Edges:
    """From each child to its slots; slot e belongs to edge e of the children."""
    return Edges.build(np.arange(edges.n_edges), edges.senders, edges.n_edges, edges.n_senders)


def parent_edges(edges: Edges) -> Edges:
    """From each slot to its parent."""
    return Edges.build(edges.receivers, np.arange(edges.n_edges), edges.n_receivers, edges.n_edges)


def pair_edges(edges: Edges) -> Edges:
    """From child i to the slot of child j, for all i != j of one parent, ordered by slot, then as the children are."""
    start = edges.row_ptr.astype(np.intp)
    count = np.diff(start)[edges.receivers.astype(np.intp)]  # children of the slot's parent
    slot = np.repeat(np.arange(edges.n_edges), count)
    first = np.repeat(start[edges.receivers.astype(np.intp)], count)
    other = first + np.arange(len(slot)) - np.repeat(np.cumsum(count) - count, count)
    kept = slot != other
    senders = edges.senders.astype(np.intp)[other[kept]]
    return Edges.build(slot[kept], senders, edges.n_edges, edges.n_senders)


def pair_entries(children: Entry) -> tuple[Entry, Entry, Entry]:
    """Batch entries of slots, pairs and parents, formed from the children's edges when a program first reads them."""
    made = (("slots", slot_edges), ("pairs", pair_edges), ("parents", parent_edges))
    slots, pairs, parents = (Entry(children.name, part, derive) for part, derive in made)
    return slots, pairs, parents


def pair_distance(r_rel: Array, pairs: Edges, slots: Edges, parents: Edges) -> Array:
    """Lengths of the relative vectors of pairs, (E,).

    Raises
    ------
    GeometryError
        If two children of one parent are at the same position; they are named.
    """
    zero = ~r_rel.any(axis=1)
    if zero.any():
        edge = int(np.argmax(zero))
        slot = int(pairs.receivers[edge])
        one, other = sorted((int(pairs.senders[edge]), int(slots.senders[slot])))
        parent = int(parents.receivers[parents.t_edge[parents.t_ptr[slot]]])
        raise GeometryError(
            f"Pairs: children must be at different positions, got children {one} and {other} of parent {parent} "
            f"at the same one"
        )
    return lengths.distance(r_rel)


def _jvp(r_rel: Array, r_dot: Array | None, *entries: Edges) -> Array | None:
    return lengths.distance_jvp(r_rel, r_dot)


def _vjp(dist_bar: Array, r_rel: Array, *entries: Edges, needs: Needs = None) -> tuple[Array | None]:
    return lengths.distance_vjp(dist_bar, r_rel, needs=needs)


def _vjp_jvp(
    dist_bar: Array, r_rel: Array, bar_dot: Array | None, r_dot: Array | None, *entries: Any, needs: Needs = None
) -> tuple[Array | None]:
    return lengths.distance_vjp_jvp(dist_bar, r_rel, bar_dot, r_dot, needs=needs)


PAIR_DISTANCE = Op("pair_distance", pair_distance, _jvp, _vjp, _vjp_jvp)
