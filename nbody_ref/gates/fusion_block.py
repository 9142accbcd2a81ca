r"""Fusion blocks, eq. (F6): sums of fusion diagrams of several legs, with weights tied in one of three ways.

.. math::
    y^J_{M,c} = \sum_{D,\,k:\,k_e \le k_{\max}} \sum_{c_1 \ldots c_n} W^{D,k,J}_{c;c_1 \ldots c_n}
                \sum_m C^{D,k;JM}_{m_1 \ldots m_n} \prod_a x^{(a)\,j_a}_{m_a,c_a}

By eqs. (8) and (9) each choice of W is a covariant gate: a block is eq. (6) with its products restricted to chosen
couplings. What is the paper's and what is ours: docs/fusion_block.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nbody_ref.checks import check_kind
from nbody_ref.errors import ArgumentError, IrrepsError, SchemeError
from nbody_ref.fusion.fuse import FUSE
from nbody_ref.fusion.symmetric import symmetric_basis
from nbody_ref.fusion.table import FusionTable, all_terms
from nbody_ref.fusion.table import Term as FusionTerm
from nbody_ref.fusion.tree import check_tree, leaves, left_comb
from nbody_ref.gates import fields
from nbody_ref.gates.build import Builder, Place, State
from nbody_ref.gates.chain import Entry
from nbody_ref.gates.term import Term
from nbody_ref.gates.terms import Leg, read_legs
from nbody_ref.gates.weights import Paths
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops.channel_mixing import CHANNEL_MIXING, ChannelMixingTable

__all__ = ["TYINGS", "Fusion", "FusionBlock", "fuse_legs"]

TYINGS = ("mixed", "diagonal", "vertices")


@dataclass(frozen=True)
class FusionBlock:
    """Which diagrams a block sums, and how its weights are tied.

    Parameters
    ----------
    keep : tuple of str
        Irreps J of the roots.
    tree : nested pairs of leaf numbers, optional
        Shape of the diagrams; leaf a is leg a. None: the left comb.
    bond : int, optional
        Cutoff k_max: largest degree of an inner edge. None: no bound.
    weights : {"mixed", "diagonal", "vertices"}
        "mixed": channel c of every leg together; one fragment comes out for each diagram, labelling and channel, and
        the mixing of the gate weighs them (Cormorant's way). "diagonal": a weight for each labelling and channel, one
        set for each kind of node; one part comes out for each J (MACE's way). "vertices": a learned mixing of
        labellings and channels after every vertex; its parameters grow with vertices, not with labellings.
    reduced : bool
        Only labellings that are independent if all legs carry the same state; needs the left comb and no bond.

    Raises
    ------
    SchemeError
        If `tree` is no binary tree, or `reduced` stands with another tree, a bond or "vertices".
    IrrepsError
        If an irrep is malformed.
    ArgumentError
        If none is kept or one twice, or another field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.gates import FusionBlock
    >>> FusionBlock(("0e", "1o"), tree=((0, 1), (2, 3)), bond=1).weights
    'mixed'
    """

    keep: tuple[str, ...]
    tree: Any = None
    bond: int | None = None
    weights: str = "mixed"
    reduced: bool = False

    def __post_init__(self) -> None:
        fields.check_words(self, {"weights": TYINGS})
        fields.check_irreps(self, "keep", needed=True)
        fields.check_integers(self, {"bond": 0}, ("bond",))
        if self.tree is not None:
            object.__setattr__(self, "tree", check_tree("FusionBlock", self.tree))
        fields.check_flags(self, "reduced")
        comb = self.tree is None or self.tree == left_comb(len(leaves(self.tree)))
        if self.reduced and not (comb and self.bond is None and self.weights != "vertices"):
            raise SchemeError("FusionBlock: 'reduced' needs the left comb, no 'bond' and weights of labellings")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description."""
        return {**vars(self), "keep": list(self.keep), "tree": _lists(self.tree)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FusionBlock:
        """Inverse of `to_dict`.

        Raises
        ------
        ArgumentError, IrrepsError, SchemeError
            If `data` is no description of a block, or one that the block refuses.
        """
        try:
            return cls(**data)
        except TypeError as error:  # a name that is missing, unknown, or no name
            raise ArgumentError(f"FusionBlock.from_dict: 'data' must be what `to_dict` writes: {error}") from error


@dataclass(frozen=True)
class Fusion(Term):
    """A fusion block, eq. (F6), on summed legs; `Product` is its special case of a left comb with channels paired.

    Parameters
    ----------
    legs : tuple of Bare and Directed
        Two or more; ``Bare("centre")`` is a central leg, a `Directed` one a neighbour leg, summed over children by
        itself: the sum over tuples of children, repetitions included, at the cost of one. Equal numbers of fragments.
    block : FusionBlock
    shared : bool
        Legs declared alike are one state, mixed by the same weights; otherwise each has weights of its own.

    Raises
    ------
    ArgumentError
        If a field is not what it must be.
    SchemeError
        If the tree of the block has another number of leaves than there are legs.

    Examples
    --------
    >>> from nbody_ref.gates import Bare, Fusion, FusionBlock
    >>> Fusion((Bare(mul=2), Bare(mul=2)), FusionBlock(("0e",))).n_factors
    1
    """

    legs: tuple[Leg, ...]
    block: FusionBlock
    shared: bool = False

    reads: ClassVar[dict[str, Any]] = {"legs": read_legs, "block": FusionBlock.from_dict}

    def __post_init__(self) -> None:
        fields.check_parts(self, "legs", Leg, "summed terms", 2)
        check_kind("Fusion", "block", self.block, FusionBlock, "a FusionBlock")
        fields.check_flags(self, "shared")
        if self.block.tree is not None and len(leaves(self.block.tree)) != len(self.legs):
            came = f"{len(leaves(self.block.tree))} and {len(self.legs)}"
            raise SchemeError(f"Fusion: 'block' must have as many leaves as there are 'legs', got {came}")

    def emit(self, builder: Builder, place: Place, name: str) -> State:
        """The legs, then the block on them."""
        numbers = [self.legs.index(leg) if self.shared else i for i, leg in enumerate(self.legs)]
        legs = [leg.emit(builder, place, f"{name}/leg{i + 1}") for i, leg in zip(numbers, self.legs, strict=True)]
        return fuse_legs(builder, legs, self.block, name, place.kind, place.n_kinds)


def fuse_legs(
    builder: Builder, legs: Sequence[State], block: FusionBlock, name: str, kind: Entry, n_kinds: int
) -> State:
    """Emit a block on states; returns the variable of its fragments.

    Parameters
    ----------
    builder : Builder
    legs : sequence of State
        One for each leaf of the tree, all with equal numbers of channels; one that is named
        twice is on several legs.
    block : FusionBlock
    name : str
        Of the result and its weights.
    kind, n_kinds : Entry, int
        Which of the sets of "diagonal" weights a row uses.

    Returns
    -------
    State
        "mixed": one part for each labelling, by parts of the legs, then J as in `block.keep`; otherwise one part for
        each J.

    Raises
    ------
    SchemeError
        If the tree has another number of leaves than there are legs, or there are too many labellings.
    IrrepsError
        If channels differ, or some J cannot be reached.
    """
    tree = left_comb(len(legs)) if block.tree is None else block.tree
    if len(leaves(tree)) != len(legs):
        raise SchemeError(f"FusionBlock: 'tree' has {len(leaves(tree))} leaves, but there are {len(legs)} legs")
    muls = {part.mul for leg in legs for part in leg.irreps}
    if len(muls) != 1:
        came = [str(leg.irreps) for leg in legs]
        raise IrrepsError(f"FusionBlock: all legs must have one number of channels, got {came}")
    if block.weights == "vertices":
        return _vertices(builder, legs, block, name)
    states = list(dict.fromkeys(legs))
    table = _table(builder, states, legs, block)
    out = builder.emit(FUSE, tuple(states), f"{name}/diagrams", table, irreps=table.irreps_out)
    if block.weights == "mixed":
        return out
    sums = ChannelMixingTable.build(table.irreps_out, Irreps((*muls, j) for j in block.keep))
    builder.parameters[name] = Paths(sums, n_kinds)
    return builder.emit(CHANNEL_MIXING, (out, name), f"{name}/sums", kind, sums, irreps=sums.irreps_out)


def _table(builder: Builder, states: list[State], legs: Sequence[State], block: FusionBlock) -> FusionTable:
    types = [state.irreps for state in states]
    tree = left_comb(len(legs)) if block.tree is None else block.tree
    if block.reduced:
        if len(states) > 1:
            raise SchemeError("FusionBlock: 'reduced' needs the same state on all legs")
        terms: tuple[FusionTerm, ...] = tuple(
            FusionTerm(path.diagram, tuple((0, part) for part in path.parts))
            for j in block.keep
            for path in symmetric_basis(types[0], len(legs), j).paths
        )
    else:
        terms = all_terms(types, tree, [states.index(leg) for leg in legs], block.keep, block.bond)
    found = {str(term.diagram.root) for term in terms}
    missing = [j for j in block.keep if str(Irrep.parse(j)) not in found]
    if missing:
        raise IrrepsError(_unreachable(types, missing, block))
    return FusionTable.build(types, terms, basis=builder.basis)


def _vertices(builder: Builder, legs: Sequence[State], block: FusionBlock, name: str) -> State:
    """Tying (iii): product at a vertex, then mixing of all its labellings and channels of one irrep."""
    keep, shared = [Irrep.parse(j) for j in block.keep], Entry("shared")
    (mul,) = {part.mul for leg in legs for part in leg.irreps}
    count = 0

    def visit(tree: Any, root: bool) -> State:
        nonlocal count
        if isinstance(tree, int):
            return legs[tree]
        a, b = visit(tree[0], False), visit(tree[1], False)
        types, count = (a.irreps, b.irreps), count + 1
        here = f"{name}/vertex{count}"
        reached = {irrep for i in types[0] for j in types[1] for irrep in i.irrep * j.irrep}
        wanted = keep if root else sorted(reached, key=lambda irrep: (irrep.l, -(irrep.p or 0)))
        wanted = [k for k in wanted if k in reached and (root or block.bond is None or k.l <= block.bond)]
        if len(wanted) < (len(keep) if root else 1):
            raise IrrepsError(_unreachable(types, [str(k) for k in keep if k not in wanted], block))
        product = builder.product(a, b, f"{here}/product", out=wanted)
        return builder.mix(product, Irreps((mul, k) for k in wanted), here, shared, 1)

    tree = left_comb(len(legs)) if block.tree is None else block.tree
    return visit(tree, True)


def _unreachable(types: Sequence[Irreps], missing: Sequence[str], block: FusionBlock) -> str:
    legs = ", ".join(str(t) for t in types)
    return f"FusionBlock: no coupling of ({legs}) with 'bond' {block.bond} gives {', '.join(missing) or 'anything'}"


def _lists(tree: Any) -> Any:
    return [_lists(branch) for branch in tree] if isinstance(tree, tuple) else tree
