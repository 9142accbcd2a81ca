r"""Pairs of children of one parent, for gates like eq. (12): edge lists made from those of the children.

A slot is one child in its role as a child of one parent; a child of two parents has two slots. A pair edge leads from a
child i to the slot of another child j of the same parent. Derivation: docs/derivations/gate_relative.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

import numpy as np

from nbody_ref.gates import fields, steps
from nbody_ref.gates.build import Builder, Place, State
from nbody_ref.gates.chain import Entry
from nbody_ref.gates.term import Term
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops import message, radial_weights
from nbody_ref.ops.distance import PAIR_DISTANCE
from nbody_ref.ops.radial import Radial, radial_from_dict

__all__ = ["PAIR_DISTANCE", "Pairs", "pair_edges", "pair_entries", "parent_edges", "slot_edges"]


@dataclass(frozen=True)
class Pairs(Term):
    r"""Sum over pairs of different children,
    :math:`\sum_{i \ne j} (\psi_{ch_i} \otimes g_n(r_{ij})\, Y_l(r_{ij}/|r_{ij}|)) \otimes \psi_{ch_j}`, where
    :math:`r_{ij} = r_{ch_i} - r_{ch_j}`; the children's own distances from the parent do not enter.

    Parameters
    ----------
    radial, lmax, degrees, normalization, level
        As in `Directed`.
    keep : tuple of str, optional
        Irreps of the whole product to keep; None: all that occur.

    Raises
    ------
    ArgumentError, IrrepsError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.gates import Pairs
    >>> from nbody_ref.ops.radial_families import InversePowers
    >>> Pairs(InversePowers((1,)), lmax=1).n_factors
    1
    """

    radial: Radial
    lmax: int
    degrees: tuple[int, ...] | None = None
    normalization: str = "component"
    keep: tuple[str, ...] | None = None
    level: int | None = None

    reads: ClassVar[dict[str, Any]] = {"radial": radial_from_dict}

    def __post_init__(self) -> None:
        fields.check_harmonics(self)
        fields.check_irreps(self, "keep")
        fields.check_integers(self, {"level": 0}, ("level",))

    @property
    def reach(self) -> float:
        """Pairs of children count by their own distance, not by that from the parent."""
        return inf

    def emit(self, builder: Builder, place: Place, name: str) -> State:
        """A message to slots (parent, child), times the slot's own state, summed; two equal terms are one."""
        source, n = place.source(self.level), self.radial.n
        psi, name = source.psi.irreps, f"{place.name}/pairs"
        table, keep = self._messages(psi, builder.basis)
        slots, edges, parents = pair_entries(source.all)
        where = f"{source.r}[{source.all.name}/pairs]"
        r_slot = builder.emit(steps.SUM, (source.r,), f"{source.r}[{source.all.name}/slots]", slots)
        r = builder.emit(steps.RELATIVE, (source.r, r_slot), f"{where}/r_rel", edges)
        dist = builder.emit(PAIR_DISTANCE, (r,), f"{where}/dist", edges, slots, parents)
        y, g = builder.functions(r, dist, where, self)
        copies = radial_weights.RadialTable.build(table, n, tuple(range(n)) * (len(table.paths) // n))
        w = builder.emit(steps.COPIES, (g,), f"{where}/{self.radial}/copies of {psi}", copies)
        first = builder.emit(steps.MESSAGE, (source.psi, y, w), f"{name}/first", edges, table, irreps=table.irreps_out)
        second = builder.emit(steps.SUM, (source.psi,), f"{name}/second", slots, irreps=psi)
        both = builder.product(first, second, f"{name}/product", "full", out=keep)
        return builder.emit(steps.SUM, (both,), name, parents, irreps=both.irreps)

    def _messages(self, psi: Irreps, basis: str) -> tuple[message.MessageTable, list[Irrep] | None]:
        """psi_i x Y along the paths that reach what is kept, one copy for each radial function; and what is kept."""
        degrees = range(self.lmax + 1) if self.degrees is None else self.degrees
        keep = None if self.keep is None else [Irrep.parse(k) for k in self.keep]

        def useful(irrep: Irrep) -> bool:
            return keep is None or any(set(keep).intersection(irrep * part.irrep) for part in psi)

        every = [p for p in message.MessageTable.build(psi, self.lmax).paths if p[1] in degrees and useful(p[2])]
        paths = [path for path in every for _ in range(self.radial.n)]
        return message.MessageTable.build(psi, self.lmax, paths=paths, basis=basis), keep


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
