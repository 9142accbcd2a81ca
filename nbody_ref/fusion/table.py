"""Programs that evaluate many fusion diagrams on states at once: which products, in which order, shared by whom.

A term is a diagram with a source for every leg. Equal subdiagrams are computed once; two that differ by exchanged
branches are one up to the sign of (F5); a square whose braid sign is -1 is zero. The table may also evaluate on another
tree, or only the independent diagrams of a symmetric product, and recover the terms by an exact matrix, if that costs
less. Steps E1 to E5: docs/derivations/fusion_evaluation.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product as cartesian
from typing import Any

from nbody_ref.checks import check_integer, check_list
from nbody_ref.errors import ArgumentError, IrrepsError, SchemeError
from nbody_ref.exact import Surd
from nbody_ref.fusion.checks import check_cutoff
from nbody_ref.fusion.diagram import LIMIT, Diagram, Node, count_over, labelings
from nbody_ref.fusion.label import Spin
from nbody_ref.fusion.plan import Combination, Keys, cost_of, keyed, plans
from nbody_ref.fusion.tree import check_tree, leaves
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops._check import check_type
from nbody_ref.ops.cg_product import ProductTable

__all__ = ["Cost", "FusionTable", "Stage", "Term", "all_terms"]


@dataclass(frozen=True)
class Term:
    """A diagram on states: leg a takes part `sources[a][1]` of state `sources[a][0]`.

    Raises
    ------
    DTypeError
        If `diagram` is none.
    SchemeError
        If `sources` are no pairs of non-negative integers.

    Examples
    --------
    >>> from nbody_ref.fusion import Diagram, Term
    >>> Term(Diagram((0, 1), ["1o", "1o"], ["0e"]), ((0, 0), (0, 0))).sources
    ((0, 0), (0, 0))
    """

    diagram: Diagram
    sources: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        check_type("Term", "diagram", self.diagram, Diagram)
        given = check_list("Term", "sources", self.sources, "pairs (state, part)")
        pairs = [check_list("Term", "sources", pair, "pairs (state, part)") for pair in given]
        if any(len(pair) != 2 for pair in pairs):
            raise SchemeError(f"Term: 'sources' must be pairs (state, part), got {self.sources!r:.60}")
        found = tuple(
            (check_integer("Term", "sources", s, 0), check_integer("Term", "sources", p, 0)) for s, p in pairs
        )
        object.__setattr__(self, "sources", found)


@dataclass(frozen=True)
class Stage:
    """One product: slot `a` times slot `b` gives the next slot. Slots count the states first, then the stages."""

    a: int
    b: int
    table: ProductTable


@dataclass(frozen=True)
class Cost:
    """Multiplications per row of the states (a nonzero of a vertex takes two per channel).

    Attributes
    ----------
    tensor : int
        Contracting the coupling tensor of every diagram: one multiplication per leg, nonzero and channel. Channelwise
        products only; zero otherwise.
    separate : int
        Every diagram by itself, vertex by vertex.
    shared : int
        As drawn, equal subdiagrams once.
    chosen : int
        What the table does, recovery of the terms included.

    Examples
    --------
    >>> from nbody_ref.fusion import Diagram, FusionTable, Term
    >>> dot = Term(Diagram((0, 1), ["1o", "1o"], ["0e"]), ((0, 0), (0, 0)))
    >>> FusionTable.build(["2x1o"], [dot]).cost.shared
    12
    """

    tensor: int
    separate: int
    shared: int
    chosen: int


@dataclass(frozen=True)
class FusionTable:
    """A program for a list of terms; make one with `FusionTable.build`.

    Attributes
    ----------
    irreps : tuple of Irreps
        Types of the states.
    irreps_out : Irreps
        One part per term, in the order of the terms.
    terms : tuple of Term
    mode, basis : str
        As in `nbody_ref.ops.cg_product.ProductTable`.
    plan : str
        The plan that was chosen: "drawn", a tree, or "reduced" with a tree.
    stages : tuple of Stage
    selection : tuple of tuples of (slot, part, coefficient)
        Each term as a combination of computed parts; empty where it vanishes identically.
    cost : Cost

    Raises
    ------
    SchemeError
        If a stage reads a slot that is not there yet or of another type, or a term a part that is not there or another.

    Examples
    --------
    >>> from nbody_ref.fusion import Diagram, FusionTable, Term
    >>> dot = Term(Diagram((0, 1), ["1o", "1o"], ["0e"]), ((0, 0), (0, 0)))
    >>> str(FusionTable.build(["2x1o"], [dot]).irreps_out)
    '2x0e'
    """

    irreps: tuple[Irreps, ...]
    irreps_out: Irreps
    terms: tuple[Term, ...]
    mode: str
    basis: str
    plan: str
    stages: tuple[Stage, ...] = field(repr=False)
    selection: tuple[tuple[tuple[int, int, Surd], ...], ...] = field(repr=False)
    cost: Cost

    def __post_init__(self) -> None:
        slots = list(self.irreps)
        for number, stage in enumerate(self.stages):
            there = all(0 <= slot < len(slots) for slot in (stage.a, stage.b))
            if not there or (slots[stage.a], slots[stage.b]) != (stage.table.irreps_a, stage.table.irreps_b):
                raise SchemeError(f"FusionTable: 'stages' must multiply slots before them, number {number} does not")
            slots.append(stage.table.irreps_out)
        if not len(self.selection) == len(self.irreps_out) == len(self.terms):
            raise SchemeError("FusionTable: 'selection' and 'irreps_out' must have an entry for each of the terms")
        for row, out in zip(self.selection, self.irreps_out, strict=True):
            if not all(0 <= s < len(slots) and 0 <= p < len(slots[s]) and slots[s][p] == out for s, p, _ in row):
                raise SchemeError(f"FusionTable: 'selection' must name parts {out} of the slots, got {row}")

    @classmethod
    def build(
        cls,
        irreps: Sequence[Irreps | str],
        terms: Sequence[Term],
        mode: str = "channelwise",
        order: str = "cheapest",
        basis: str = "real",
    ) -> FusionTable:
        """Check the terms and choose the order of evaluation.

        Parameters
        ----------
        irreps : sequence of Irreps or str
            Types of the states.
        terms : sequence of Term
            All with the same number of legs; see `all_terms`.
        mode : {"channelwise", "full"}
            "channelwise": all states have equal multiplicities, channel c meets channel c. "full": every channel meets
            every channel; the channel of a term counts its legs from left to right in the tree, the last one fastest.
        order : {"cheapest", "drawn"}
            "drawn" keeps the trees of the diagrams. "cheapest" compares the multiplications of all plans (E5).
        basis : {"real", "complex"}

        Raises
        ------
        IrrepsError
            If a leg is not the irrep of its source, multiplicities differ in a channelwise product, or a word is
            unknown.
        SchemeError
            If there is no term, numbers of legs differ, or a source does not exist.
        """
        types = tuple(Irreps(t) for t in check_list("FusionTable", "irreps", irreps, "types, one for each state"))
        given = check_list("FusionTable", "terms", terms, "terms")
        _check(types, given, mode, order, basis)
        drawn: list[Combination] = [((term.diagram.nodes, Surd(1, 1)),) for term in given]
        priced = []
        for name, combinations in plans(types, given, drawn, mode, order):
            keys = keyed(types, given, combinations, mode, basis)
            priced.append((cost_of(keys, types, mode, basis), name, keys))
        chosen, name, keys = min(priced, key=lambda plan: plan[0])
        stages, selection = _compile(keys, types, mode, basis)
        cost = Cost(*_reference_costs(types, given, drawn, mode, basis), priced[0][0], chosen)
        out = Irreps((_channels(types, term, mode), term.diagram.root) for term in given)
        return cls(types, out, given, mode, basis, name, stages, selection, cost)

    def __hash__(self) -> int:
        return hash((self.irreps, len(self.terms), self.mode, self.basis, self.plan))  # cheap: kernels look it up


def all_terms(
    irreps: Sequence[Irreps | str],
    tree: Any,
    states: Sequence[int] | None = None,
    roots: Sequence[Any] | None = None,
    bond_cutoff: Any = None,
    limit: int = LIMIT,
) -> tuple[Term, ...]:
    """Every admissible term of a tree on given states, the diagrams of a fusion block, eq. (F6).

    Parameters
    ----------
    irreps : sequence of Irreps or str
        Types of the states.
    tree : int or nested pairs
    states : sequence of int, optional
        State at leaf 0, 1, ...; by default leaf a takes state a, or all leaves take the only state.
    roots : sequence of Irrep or str, optional
        Root irreps to keep, in this order; None keeps all, degree ascending.
    bond_cutoff : int, optional
        Largest degree on a bond, k_max.
    limit : int
        Most terms to list.

    Returns
    -------
    tuple of Term
        Parts of the legs lexicographically ascending; then roots; then in the order of `labelings`.

    Raises
    ------
    SchemeError
        If the tree is malformed, a state does not exist, or there are more than `limit` terms.
    IrrepsError
        If SO(3) and O(3) are mixed.

    Examples
    --------
    >>> len(all_terms(["4x0e + 4x1o + 4x2e + 4x3o"], ((0, 1), 2), roots=["0e"]))
    23
    """
    types = tuple(Irreps(t) for t in check_list("all_terms", "irreps", irreps, "types, one for each state"))
    shape, limit = check_tree("all_terms", tree), check_integer("all_terms", "limit", limit, 0)
    bond_cutoff = check_cutoff("all_terms", bond_cutoff)
    n = len(leaves(shape))
    chosen: tuple[Any, ...] = (0,) * n if len(types) == 1 else tuple(range(n))
    if states is not None:
        given = check_list("all_terms", "states", states, "numbers of states")
        chosen = tuple(check_integer("all_terms", "states", s, 0) for s in given)
    if len(chosen) != n or any(not 0 <= s < len(types) for s in chosen):
        raise SchemeError(f"all_terms: 'states' must name {n} of the {len(types)} states, one per leaf, got {chosen}")
    kept = None if roots is None else check_list("all_terms", "roots", roots, "irreps")
    wanted = [None] if kept is None else [Irrep.parse(root) for root in kept]
    choices = [[part.irrep for part in types[s]] for s in chosen]
    count = sum(count_over(shape, choices, root, bond_cutoff) for root in wanted)
    if count > limit:
        raise SchemeError(f"all_terms: 'limit' is {limit} terms, but there are {count}; lower 'bond_cutoff'")
    return tuple(
        Term(diagram, tuple(zip(chosen, parts)))
        for parts in cartesian(*(range(len(types[s])) for s in chosen))
        for root in wanted
        for diagram in labelings(shape, [types[s][p].irrep for s, p in zip(chosen, parts)], root, bond_cutoff)
    )


def _compile(
    keys: Keys, types: tuple[Irreps, ...], mode: str, basis: str
) -> tuple[tuple[Stage, ...], tuple[tuple[tuple[int, int, Surd], ...], ...]]:
    """One stage per shape of subtree, in order of dependence; the place of every subdiagram among its parts (E2)."""
    slot: dict[Any, int] = {s: s for s in range(len(types))}
    kinds, stages = list(types), []
    place: dict[Any, tuple[int, int]] = {}

    def find(shape: Any, node: Node) -> tuple[int, int]:
        return (shape, node) if isinstance(shape, int) else place[shape, node]

    for shape, nodes in keys.shapes.items():
        paths = [(find(shape[0], a)[1], find(shape[1], b)[1], label) for label, a, b in nodes]
        a, b = slot[shape[0]], slot[shape[1]]
        table = ProductTable.build(kinds[a], kinds[b], mode, paths, basis=basis)
        stages.append(Stage(a, b, table))
        slot[shape] = len(kinds)
        kinds.append(table.irreps_out)
        place.update({(shape, node): (slot[shape], k) for k, node in enumerate(nodes)})
    return tuple(stages), tuple(tuple((*find(*key), value) for key, value in row) for row in keys.rows)


def _reference_costs(
    types: tuple[Irreps, ...], terms: tuple[Term, ...], drawn: list[Combination], mode: str, basis: str
) -> tuple[int, int]:
    """Cost of the coupling tensors, and of every diagram by itself."""
    separate = sum(cost_of(keyed(types, [t], [c], mode, basis), types, mode, basis) for t, c in zip(terms, drawn))
    if mode == "full":
        return 0, separate
    n = len(terms[0].sources)
    return sum(n * _nonzeros(t.diagram, basis) * _channels(types, t, mode) for t in terms), separate


@cache
def _nonzeros(diagram: Diagram, basis: str) -> int:
    from nbody_ref.fusion.evaluate import coupling_tensor

    return len(coupling_tensor(diagram, basis))


def _channels(types: tuple[Irreps, ...], term: Term, mode: str) -> int:
    muls = [types[s][p].mul for s, p in term.sources]
    total = 1
    for mul in muls:
        total *= mul
    return muls[0] if mode == "channelwise" else total


def _check(types: tuple[Irreps, ...], terms: tuple[Term, ...], mode: str, order: str, basis: str) -> None:
    words = (("mode", mode, ("channelwise", "full")), ("order", order, ("cheapest", "drawn")))
    for name, value, allowed in (*words, ("basis", basis, ("real", "complex"))):
        if not isinstance(value, str) or value not in allowed:
            raise ArgumentError(f"FusionTable: {name!r} must be one of {', '.join(allowed)}, got {value!r}")
    if not terms:
        raise SchemeError("FusionTable: 'terms' must have at least one term")
    for term in terms:
        check_type("FusionTable", "terms", term, Term)
    sizes = {len(term.sources) for term in terms} | {len(term.diagram.legs) for term in terms}
    if len(sizes) > 1:
        raise SchemeError(f"FusionTable: all 'terms' must have the same number of legs, got {sorted(sizes)}")
    for term in terms:
        for leg, (s, p) in zip(term.diagram.legs, term.sources):
            if not (0 <= s < len(types) and 0 <= p < len(types[s])):
                raise SchemeError(f"FusionTable: 'terms' names part {p} of state {s}, which does not exist")
            if isinstance(leg, Spin) or leg != types[s][p].irrep:
                raise IrrepsError(
                    f"FusionTable: a leg of 'terms' has label {leg}, but part {p} of state {s} is {types[s][p].irrep}"
                )
        muls = {types[s][p].mul for s, p in term.sources}
        if mode == "channelwise" and len(muls) > 1:
            raise IrrepsError(f"FusionTable: a channelwise product needs equal multiplicities, got {sorted(muls)}")
