r"""The fusion block of Li et al. (2024), algorithm 1: diagrams of centre, edge and neighbour, summed over neighbours.

.. math::
    \tilde\Psi_{o, k_\alpha} = \sum_{i \in N(o)} w(r_{oi})\;
        \mathrm{FusionBlock}_{k_\alpha}\big(\psi_o, Y(\hat r_{oi}), \psi_i\big), \qquad
    \Psi^{out} = \Big(\bigoplus_\alpha \tilde\Psi_{o, k_\alpha}\Big)\, W

A diagram has three legs, one tree and one internal spin k. Along o(Yj) the sum over neighbours commutes with the outer
vertex and is taken first: a message, then one product for each atom. Along (oj)Y and (oY)j it does not, and the edges
are fused one by one. Equations, readings and costs: docs/edge_fusion.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from nbody_ref.errors import ArgumentError, IrrepsError
from nbody_ref.gates import fields, steps
from nbody_ref.gates.build import Builder, Place, State, placed
from nbody_ref.gates.chain import Entry
from nbody_ref.gates.term import Term
from nbody_ref.gates.terms import Bare
from nbody_ref.gates.weights import Dense, Paths
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irreps
from nbody_ref.ops.channel_mixing import CHANNEL_MIXING, ChannelMixingTable
from nbody_ref.ops.edge_fusion import EDGE_FUSION, EdgeFusionTable
from nbody_ref.ops.edge_fusion_table import TREES
from nbody_ref.ops.message import MessageTable
from nbody_ref.ops.radial import Radial, radial_from_dict
from nbody_ref.ops.radial_weights import RADIAL_WEIGHTS, RadialTable

__all__ = ["EdgeBlock", "EdgeFusion", "EdgeLegs", "EdgeWeights", "fuse_edges"]

Array = np.ndarray[Any, Any]
WORDS = {"tree": tuple(TREES), "block": ("sparse", "dense")}


@dataclass(frozen=True)
class EdgeBlock:
    """Which diagrams of three legs are taken.

    Parameters
    ----------
    keep : tuple of str, optional
        Irreps of the result; None: all that occur.
    tree : {"(oj)Y", "(oY)j", "o(Yj)"}
        Which legs meet first: centre and neighbour, centre and edge, or edge and neighbour.
    internal_spins : tuple of int
        Internal spins k, each once.
    block : {"sparse", "dense"}
        "sparse": one fragment for each diagram, spin by spin. "dense": every increasing tuple of internal spins at
        once, the block of each spin nested in that of the next as its centre; diagrams are weighed by path and channel,
        and one part for each irrep comes out.
    both_parities : bool
        Internal irreps of either parity; otherwise those of harmonics, (-1)^k, alone.
    mode : {"channelwise", "full"}
        Fragment c of the centre with fragment c of the neighbour, or each with every other ("sparse" only).

    Raises
    ------
    ArgumentError, IrrepsError
        If a field is not what it must be.
    """

    keep: tuple[str, ...] | None = None
    tree: str = "(oj)Y"
    internal_spins: tuple[int, ...] = (0, 1, 2)
    block: str = "sparse"
    both_parities: bool = False
    mode: str = "channelwise"

    def __post_init__(self) -> None:
        check_block(self)

    @property
    def spins(self) -> list[tuple[int, ...]]:
        """Tuples of internal spins, in the order in which they are evaluated."""
        found: list[tuple[int, ...]] = []

        def grow(before: tuple[int, ...], rest: Sequence[int]) -> None:
            for i, k in enumerate(rest):
                found.append((*before, k))
                grow(found[-1], rest[i + 1 :])

        grow((), sorted(self.internal_spins))
        return found


def check_block(term: Any) -> None:
    """The fields of a block, for every description that has them.

    Raises
    ------
    ArgumentError, IrrepsError
        If one is not what it must be.
    """
    name = type(term).__name__
    fields.check_words(term, WORDS | {"mode": ("channelwise", "full")})
    fields.check_integers(term, {"internal_spins": 0}, lists=("internal_spins",))
    if not term.internal_spins or len(set(term.internal_spins)) < len(term.internal_spins):
        raise ArgumentError(f"{name}: 'internal_spins' must be different, at least one, got {term.internal_spins}")
    fields.check_flags(term, "both_parities")
    fields.check_irreps(term, "keep")
    if term.block == "dense" and term.mode == "full":
        raise ArgumentError(f"{name}: 'mode' must be 'channelwise' in a dense block, got 'full'")


class EdgeLegs(NamedTuple):
    """States of the centres and of the neighbours, harmonics up to a degree, and the edges from these to those."""

    o: State
    x: State
    Y: State
    lmax: int
    edges: Entry
    degrees: tuple[int, ...] | None = None


class EdgeWeights(Protocol):
    """Where the numbers w of edges, diagrams and channels come from.

    Attributes
    ----------
    n : int
        Each diagram comes so many times.
    shared : bool
        Diagrams with one degree of Y have the same numbers, so that those with one inner vertex are summed together.
    """

    n: int
    shared: bool

    def emit(
        self, builder: Builder, degrees: Sequence[int], muls: Sequence[int], copies: Sequence[int], name: str
    ) -> State:
        """Numbers of every edge, (E, sum of `muls`), for paths with these degrees of Y, channels and copies."""
        ...


def fuse_edges(
    builder: Builder, legs: EdgeLegs, block: EdgeBlock, weights: EdgeWeights, name: str, kind: Entry, n_kinds: int = 1
) -> State:
    """Emit a block on every edge and the sum over neighbours.

    Parameters
    ----------
    builder : Builder
    legs : EdgeLegs
    block : EdgeBlock
    weights : EdgeWeights
    name : str
        Of the result, and of what is learned.
    kind, n_kinds : Entry, int
        Which of the sets of weights of a dense block a centre uses.

    Returns
    -------
    State
        "sparse": a part for each diagram, spin by spin (and copy by copy of each); "dense": a part for each irrep.

    Raises
    ------
    IrrepsError
        If no diagram gives what is kept, or numbers of fragments do not fit.
    """
    if block.block == "sparse":
        return _fused(builder, legs, _table(builder, legs, block, block.internal_spins), weights, name)
    centres: dict[tuple[int, ...], State] = {(): legs.o}
    found = list[State]()
    for spins in block.spins:
        here, inner = f"{name}/{'.'.join(map(str, spins))}", centres.get(spins[:-1])
        if inner is None:
            continue
        try:
            table = _table(builder, legs._replace(o=inner), block, spins[-1:])
        except IrrepsError:  # this spin does not reach what is kept
            continue
        found.append(_fused(builder, legs._replace(o=inner), table, weights, here))
        if spins[-1] < max(block.internal_spins):
            centres[spins] = _weighed(builder, found[-1], f"{here}/nested", kind, n_kinds)
    if not found:
        raise IrrepsError(f"EdgeFusion: no diagram of {legs.o.irreps} and {legs.x.irreps} gives any of {block.keep}")
    irreps = Irreps(part for state in found for part in state.irreps)
    whole = found[0] if len(found) == 1 else builder.emit(steps.CONCAT, tuple(found), f"{name}/all", irreps=irreps)
    return _weighed(builder, whole, f"{name}/sums", kind, n_kinds)


def _weighed(builder: Builder, diagrams: State, name: str, kind: Entry, n_kinds: int) -> State:
    """Sums of the diagrams of each irrep, weighed by path and channel."""
    roots = dict.fromkeys(part.irrep for part in diagrams.irreps)
    table = ChannelMixingTable.build(diagrams.irreps, Irreps((diagrams.irreps[0].mul, J) for J in roots))
    builder.parameters[name] = Paths(table, n_kinds)
    return builder.emit(CHANNEL_MIXING, (diagrams, name), f"{name}/mixed", kind, table, irreps=table.irreps_out)


def _table(builder: Builder, legs: EdgeLegs, block: EdgeBlock, spins: Sequence[int]) -> EdgeFusionTable:
    return EdgeFusionTable.build(
        legs.o.irreps,
        legs.x.irreps,
        legs.lmax,
        block.tree,
        spins,
        block.keep,
        legs.degrees,
        block.both_parities,
        mode=block.mode,
        basis=builder.basis,
    )


def _fused(builder: Builder, legs: EdgeLegs, table: EdgeFusionTable, weights: EdgeWeights, name: str) -> State:
    """All diagrams of a table: the neighbour sum first where the tree lets it."""
    pairs = [(d, copy) for d in table.diagrams for copy in range(weights.n)]
    if table.tree == "o(Yj)":
        return _summed_first(builder, legs, table, weights, name, pairs)
    table = replace(table, diagrams=tuple(d for d, _ in pairs))
    muls = [part.mul for part in table.irreps_out]
    w = weights.emit(builder, [d.Y for d, _ in pairs], muls, [copy for _, copy in pairs], f"{name}/w")
    inputs = (legs.o, legs.x, legs.Y, w)
    return builder.emit(EDGE_FUSION, inputs, name, legs.edges, table, irreps=table.irreps_out)


def _summed_first(
    builder: Builder, legs: EdgeLegs, table: EdgeFusionTable, weights: EdgeWeights, name: str, pairs: Sequence[Any]
) -> State:
    """The inner vertices of all neighbours summed, then the product with the centre."""
    keys = [(d.j, d.Y, d.k, copy, None if weights.shared else p) for p, (d, copy) in enumerate(pairs)]
    inner = list(dict.fromkeys(keys))
    paths = [(j, l, k) for j, l, k, _, _ in inner]
    message = MessageTable.build(table.irreps_j, table.lmax, paths=paths, basis=builder.basis)
    muls = [part.mul for part in message.irreps_out]
    w = weights.emit(builder, [l for _, l, _ in paths], muls, [copy for *_, copy, _ in inner], f"{name}/w")
    A = builder.emit(steps.MESSAGE, (legs.x, legs.Y, w), f"{name}/A", legs.edges, message, irreps=message.irreps_out)
    signs = [(-1.0) ** (table.irreps_j[j].irrep.l + l + k.l) for j, l, k in paths]  # Y before x, as the tree says
    if min(signs) < 0:
        runs = tuple((sign, part.dim) for sign, part in zip(signs, A.irreps, strict=True))
        A = builder.emit(steps.RESCALE, (A,), f"{name}/A in order", runs, irreps=A.irreps)
    places = {key: place for place, key in enumerate(inner)}
    outer = [(d.o, places[key], d.J) for (d, _), key in zip(pairs, keys, strict=True)]
    return builder.product(legs.o, A, name, table.mode, outer)


@dataclass(frozen=True)
class EdgeFusion(Term):
    r"""Fusion diagrams of centre, edge and neighbour, summed over neighbours: algorithm 1 as a term of a gate.

    Parameters
    ----------
    radial : Radial
        Functions g_n of the edge's length.
    lmax : int
        Largest degree of the harmonics of the edge.
    keep, tree, internal_spins, block, both_parities, mode
        As in `EdgeBlock`.
    weights : {"copies", "learned"}
        "copies": each diagram once for every g_n, for the gate to mix; "learned": once, times a learned combination of
        the g_n for each diagram and channel.
    mul : int, optional
        Mix the centre's and the neighbours' states to `mul` fragments of each irrep; None: as they are.
    degrees, normalization, level
        As in `Directed`.

    Raises
    ------
    ArgumentError, IrrepsError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.gates import EdgeFusion
    >>> from nbody_ref.ops.radial_families import ExponentialCosine
    >>> EdgeFusion(ExponentialCosine(3, 5.0), lmax=1, keep=("0e",)).reach
    5.0
    """

    radial: Radial
    lmax: int
    keep: tuple[str, ...] | None = None
    tree: str = "(oj)Y"
    internal_spins: tuple[int, ...] = (0, 1, 2)
    block: str = "sparse"
    both_parities: bool = False
    mode: str = "channelwise"
    weights: str = "copies"
    mul: int | None = None
    degrees: tuple[int, ...] | None = None
    normalization: str = "component"
    level: int | None = None

    reads: ClassVar[dict[str, Any]] = {"radial": radial_from_dict}

    def __post_init__(self) -> None:
        fields.check_harmonics(self)
        check_block(self)
        fields.check_words(self, {"weights": ("copies", "learned")})
        fields.check_integers(self, {"mul": 1, "level": 0}, ("mul", "level"))

    def emit(self, builder: Builder, place: Place, name: str) -> State:
        """The legs, the numbers of the edges, and the block."""
        source = place.source(self.level)
        edges, x = placed(source.directed, place, "EdgeFusion"), source.psi
        o = Bare("centre", self.mul, self.level).emit(builder, place, f"{name}/centre")
        if self.mul is not None:
            out = Irreps((self.mul, part.irrep) for part in x.irreps.merged())
            x = builder.mix(x, out, f"{name}/neighbour", Entry(edges.name, "a zero for each sender", _per_sender), 1)
        r, dist, where = builder.displacements(source, place, edges)
        y, g = builder.functions(r, dist, where, self)
        legs = EdgeLegs(o, x, y, self.lmax, edges, self.degrees)
        block = EdgeBlock(self.keep, self.tree, self.internal_spins, self.block, self.both_parities, self.mode)
        weights = _Numbers(g, self.lmax, self.radial.n, self.weights == "learned", edges)
        return fuse_edges(builder, legs, block, weights, name, place.kind, place.n_kinds)


class _Numbers:
    """Radial functions as numbers of edges, copied or combined by learned weights."""

    def __init__(self, g: State, lmax: int, n: int, learned: bool, edges: Entry) -> None:
        self.g, self.lmax, self.radial, self.learned, self.edges = g, lmax, n, learned, edges
        self.n, self.shared = (1, False) if learned else (n, True)

    def emit(
        self, builder: Builder, degrees: Sequence[int], muls: Sequence[int], copies: Sequence[int], name: str
    ) -> State:
        """Numbers of every edge; learned ones are called `name`."""
        index = () if self.learned else tuple(copies)
        table = RadialTable(self.lmax, self.radial, tuple(degrees), tuple(muls), index)
        if not self.learned:
            return builder.emit(steps.COPIES, (self.g,), name, table)
        builder.parameters[name] = Dense((1, table.n_parameters), self.radial**-0.5)
        kind = Entry(self.edges.name, "a zero for each edge", _per_edge)
        return builder.emit(RADIAL_WEIGHTS, (self.g, name), f"{name}/combined", kind, table)


def _per_edge(edges: Edges) -> Array:
    return np.zeros(edges.n_edges, np.uintp)


def _per_sender(edges: Edges) -> Array:
    return np.zeros(edges.n_senders, np.uintp)
