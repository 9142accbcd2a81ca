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
from typing import TYPE_CHECKING, Any

from nbody_ref.checks import check_integer
from nbody_ref.errors import IrrepsError, SchemeError
from nbody_ref.fusion.fuse import fuse, fuse_jvp, fuse_vjp, fuse_vjp_jvp
from nbody_ref.fusion.symmetric import symmetric_basis
from nbody_ref.fusion.table import FusionTable, Term, all_terms
from nbody_ref.fusion.tree import check_tree, leaves, left_comb
from nbody_ref.gates import steps
from nbody_ref.gates.chain import Entry, Op, op_of
from nbody_ref.gates.weights import Paths
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops import channel_mixing
from nbody_ref.ops.cg_product import ProductTable

if TYPE_CHECKING:
    from nbody_ref.gates.build import Builder

__all__ = ["TYINGS", "FusionBlock", "fuse_legs"]

TYINGS = ("mixed", "diagonal", "vertices")

_FUSE = Op("fuse", fuse, fuse_jvp, fuse_vjp, fuse_vjp_jvp)
_CHANNELS = op_of(channel_mixing, "channel_mixing")


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
        If an irrep is malformed, none is kept or one twice, or another field is not what it must be.
    """

    keep: tuple[str, ...]
    tree: Any = None
    bond: int | None = None
    weights: str = "mixed"
    reduced: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.weights, str) or self.weights not in TYINGS:
            raise IrrepsError(f"FusionBlock: 'weights' must be one of {', '.join(TYINGS)}, got {self.weights!r}")
        if not isinstance(self.keep, tuple | list) or not self.keep:
            raise IrrepsError(f"FusionBlock: 'keep' must name the irreps of the result, got {self.keep!r}")
        keep = tuple(str(Irrep.parse(irrep)) for irrep in self.keep)
        if len(set(keep)) != len(keep):
            raise IrrepsError(f"FusionBlock: 'keep' must name each irrep once, got {self.keep!r}")
        object.__setattr__(self, "keep", keep)
        if self.bond is not None:
            object.__setattr__(self, "bond", check_integer("FusionBlock", "bond", self.bond))
        if self.tree is not None:
            object.__setattr__(self, "tree", check_tree("FusionBlock", self.tree))
        if not isinstance(self.reduced, bool):
            raise IrrepsError(f"FusionBlock: 'reduced' must be True or False, got {self.reduced!r}")
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
        IrrepsError, SchemeError
            If `data` is no description of a block, or one that the block refuses.
        """
        try:
            return cls(**data)
        except TypeError as error:  # a name that is missing, unknown, or no name
            raise IrrepsError(f"FusionBlock.from_dict: 'data' must be what `to_dict` writes: {error}") from error


def fuse_legs(builder: Builder, legs: Sequence[str], block: FusionBlock, name: str, kind: Entry, n_kinds: int) -> str:
    """Emit a block on states; returns the variable of its fragments.

    Parameters
    ----------
    builder : Builder
    legs : sequence of str
        Variables of the states, one for each leaf of the tree, all with equal numbers of channels; one that is named
        twice is on several legs.
    block : FusionBlock
    name : str
        Of the result and its weights.
    kind, n_kinds : Entry, int
        Which of the sets of "diagonal" weights a row uses.

    Returns
    -------
    str
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
    muls = {part.mul for leg in legs for part in builder.irreps[leg]}
    if len(muls) != 1:
        came = [str(builder.irreps[leg]) for leg in legs]
        raise IrrepsError(f"FusionBlock: all legs must have one number of channels, got {came}")
    if block.weights == "vertices":
        return _vertices(builder, legs, block, name)
    states = list(dict.fromkeys(legs))
    table = _table(builder, states, legs, block)
    out = builder.emit(_FUSE, tuple(states), f"{name}/diagrams", table)
    builder.irreps[out] = table.irreps_out
    if block.weights == "mixed":
        return out
    sums = channel_mixing.ChannelMixingTable.build(table.irreps_out, Irreps((*muls, j) for j in block.keep))
    builder.parameters[name] = Paths(sums, n_kinds)
    total = builder.emit(_CHANNELS, (out, name), f"{name}/sums", kind, sums)
    builder.irreps[total] = sums.irreps_out
    return total


def _table(builder: Builder, states: list[str], legs: Sequence[str], block: FusionBlock) -> FusionTable:
    types = [builder.irreps[state] for state in states]
    tree = left_comb(len(legs)) if block.tree is None else block.tree
    if block.reduced:
        if len(states) > 1:
            raise SchemeError("FusionBlock: 'reduced' needs the same state on all legs")
        terms: tuple[Term, ...] = tuple(
            Term(path.diagram, tuple((0, part) for part in path.parts))
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


def _vertices(builder: Builder, legs: Sequence[str], block: FusionBlock, name: str) -> str:
    """Tying (iii): product at a vertex, then mixing of all its labellings and channels of one irrep."""
    keep, shared = [Irrep.parse(j) for j in block.keep], Entry("shared")
    (mul,) = {part.mul for leg in legs for part in builder.irreps[leg]}
    count = 0

    def visit(tree: Any, root: bool) -> str:
        nonlocal count
        if isinstance(tree, int):
            return legs[tree]
        a, b = visit(tree[0], False), visit(tree[1], False)
        types, count = (builder.irreps[a], builder.irreps[b]), count + 1
        here = f"{name}/vertex{count}"
        reached = {irrep for i in types[0] for j in types[1] for irrep in i.irrep * j.irrep}
        wanted = keep if root else sorted(reached, key=lambda irrep: (irrep.l, -(irrep.p or 0)))
        wanted = [k for k in wanted if k in reached and (root or block.bond is None or k.l <= block.bond)]
        if len(wanted) < (len(keep) if root else 1):
            raise IrrepsError(_unreachable(types, [str(k) for k in keep if k not in wanted], block))
        table = ProductTable.build(*types, "channelwise", out=wanted, basis=builder.basis)
        product = builder.emit(steps.PRODUCT, (a, b), f"{here}/product", table)
        builder.irreps[product] = table.irreps_out
        return builder.mix(product, Irreps((mul, k) for k in wanted), here, shared, 1)

    tree = left_comb(len(legs)) if block.tree is None else block.tree
    return visit(tree, True)


def _unreachable(types: Sequence[Irreps], missing: Sequence[str], block: FusionBlock) -> str:
    legs = ", ".join(str(t) for t in types)
    return f"FusionBlock: no coupling of ({legs}) with 'bond' {block.bond} gives {', '.join(missing) or 'anything'}"


def _lists(tree: Any) -> Any:
    return [_lists(branch) for branch in tree] if isinstance(tree, tuple) else tree
