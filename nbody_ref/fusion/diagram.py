"""Fusion diagrams, eq. (F1): labelled trees of Clebsch-Gordan vertices, and the list of their admissible labelings.

A diagram couples the irreps of its legs, pair by pair, to the irrep of its root. Definitions and conventions:
docs/fusion.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nbody_ref.checks import check_integer
from nbody_ref.errors import IrrepsError, SchemeError
from nbody_ref.fusion.checks import check_cutoff
from nbody_ref.fusion.label import Label, as_label, as_labels, degree, parity, product
from nbody_ref.fusion.lines import draw_lines
from nbody_ref.fusion.tree import Tree, check_tree, leaves, vertices

__all__ = ["LIMIT", "Diagram", "Node", "count_labelings", "labelings"]

LIMIT = 1_000_000  # labelings or tensor entries beyond which a request is refused rather than left to run for hours

Node = Any  # a leaf number, or (label, left node, right node)


@dataclass(frozen=True)
class Diagram:
    """A tree with an irrep on every leg, every bond (inner edge) and the root.

    Parameters
    ----------
    tree : int or nested pairs
        Shape, for example ``((0, 1), 2)``; see `nbody_ref.fusion.left_comb` and `balanced`.
    legs : sequence of Irrep, Spin or str
        Label of leaf 0, 1, ...; ``"1o"`` is read as an Irrep.
    outputs : sequence of Irrep, Spin or str
        Label of the outgoing edge of each vertex in post-order: the bonds, and last the root. Empty for a single leaf.

    Raises
    ------
    SchemeError
        If `tree` is no binary tree on the leaves 0..n-1, or the numbers of legs or outputs do not fit it.
    IrrepsError
        If a vertex is inadmissible: |ja - jb| <= j <= ja + jb or p = pa pb violated, or groups mixed.

    Examples
    --------
    >>> diagram = Diagram(((0, 1), 2), ["1o", "1o", "2e"], ["2e", "0e"])
    >>> print(diagram)
    0: 1o ─┐
           ├─ 2e ─┐
    1: 1o ─┘      │
                  ├─ 0e
    2: 2e ────────┘
    """

    tree: Tree
    legs: tuple[Label, ...]
    outputs: tuple[Label, ...]

    def __post_init__(self) -> None:
        tree = check_tree("Diagram", self.tree)
        legs, outputs = as_labels("Diagram", "legs", self.legs), as_labels("Diagram", "outputs", self.outputs)
        _check_legs("Diagram", tree, legs)
        if len(outputs) != len(legs) - 1:
            raise SchemeError(
                f"Diagram: 'outputs' must have {len(legs) - 1} labels, one per vertex, got {len(outputs)}"
            )
        for name, value in zip(("tree", "legs", "outputs"), (tree, legs, outputs)):
            object.__setattr__(self, name, value)
        for k, (a, b, label) in enumerate(self.triples):
            if label not in product(a, b):
                raise IrrepsError(_inadmissible(k, a, b, label))

    @property
    def root(self) -> Label:
        """Label J of the root."""
        return self.outputs[-1] if self.outputs else self.legs[0]

    @property
    def bonds(self) -> tuple[Label, ...]:
        """Labels of the inner edges, in post-order."""
        return self.outputs[:-1]

    @property
    def triples(self) -> tuple[tuple[Label, Label, Label], ...]:
        """The labels (left, right, out) of every vertex, in post-order."""
        out = dict(zip(vertices(self.tree), self.outputs))
        edge = [out[t] if isinstance(t, tuple) else self.legs[t] for v in vertices(self.tree) for t in v]
        return tuple(zip(edge[::2], edge[1::2], self.outputs))

    @property
    def nodes(self) -> Node:
        """The diagram as nested (label, left, right) with leaf numbers at the ends; `from_nodes` reads it back."""
        labels = iter(self.outputs)

        def build(tree: Tree) -> Node:
            if isinstance(tree, int):
                return tree
            left, right = build(tree[0]), build(tree[1])
            return next(labels), left, right

        return build(self.tree)

    @classmethod
    def from_nodes(cls, nodes: Node, legs: Sequence[Label]) -> Diagram:
        """Inverse of `nodes`.

        Raises
        ------
        SchemeError, IrrepsError
            If `nodes` are not built of leaf numbers and triples, and as `Diagram`.
        """
        outputs: list[Label] = []

        def read(node: Node) -> Tree:
            if isinstance(node, int):
                return node
            if not isinstance(node, tuple | list) or len(node) != 3:
                raise SchemeError(f"Diagram: 'nodes' must be leaf numbers and (label, left, right), got {node!r:.60}")
            pair = read(node[1]), read(node[2])
            outputs.append(node[0])
            return pair

        return cls(read(nodes), as_labels("Diagram", "legs", legs), tuple(outputs))

    def __str__(self) -> str:
        return draw_lines(self.tree, self.legs, self.outputs)


def labelings(
    tree: Any,
    legs: Sequence[Any],
    root: Any = None,
    bond_cutoff: Any = None,
    limit: int = LIMIT,
) -> tuple[Diagram, ...]:
    """All admissible labelings of a tree with fixed legs: by (F3) a basis of the covariant multilinear maps.

    Parameters
    ----------
    tree : int or nested pairs
    legs : sequence of Irrep, Spin or str
        Label of leaf 0, 1, ...
    root : Irrep, Spin, str or None
        Label of the root; None admits every root.
    bond_cutoff : int, Fraction or None
        Largest degree allowed on a bond (k_max in F6); legs and root are not restricted.
    limit : int
        Most labelings to list.

    Returns
    -------
    tuple of Diagram
        In lexicographic order of `outputs` read from the root down (root, then the vertices in reverse post-order).

    Raises
    ------
    SchemeError
        If the tree is malformed, the number of legs is wrong, or there are more than `limit` labelings.
    IrrepsError
        If a label is malformed or groups are mixed.

    Examples
    --------
    >>> [str(d.bonds[0]) for d in labelings(((0, 1), 2), ["1o", "1o", "1o"], root="1o")]
    ['0e', '1e', '2e']
    """
    shape, labels, wanted = _checked("labelings", tree, legs, root)
    bond_cutoff, limit = check_cutoff("labelings", bond_cutoff), check_integer("labelings", "limit", limit, 0)
    choices = [[label] for label in labels]
    count = count_over(shape, choices, wanted, bond_cutoff)
    if count > limit:
        raise SchemeError(f"labelings: 'limit' is {limit} labelings, but this tree has {count}; lower 'bond_cutoff'")
    edges: dict[Tree, list[Label]] = {}
    for subtree in (*range(len(labels)), *vertices(shape)):
        cutoff = None if subtree == shape else bond_cutoff
        edges[subtree] = _outgoing(subtree, edges, labels, cutoff)
    roots = edges[shape] if wanted is None else [wanted]
    return tuple(Diagram.from_nodes(nodes, labels) for label in roots for nodes in _expand(shape, edges, label))


def count_labelings(tree: Any, legs: Sequence[Any], root: Any = None, bond_cutoff: Any = None) -> int:
    """Number of labelings, counted without listing them; without a cutoff it does not depend on the tree.

    Parameters, raises: as `labelings`.

    Examples
    --------
    >>> count_labelings(((0, 1), (2, 3)), ["3o"] * 4, root="0e")
    7
    """
    shape, labels, wanted = _checked("count_labelings", tree, legs, root)
    return count_over(shape, [[label] for label in labels], wanted, check_cutoff("count_labelings", bond_cutoff))


def count_over(tree: Tree, choices: Sequence[Sequence[Label]], root: Label | None, cutoff: Any = None) -> int:
    """Number of labelings when each leg carries any one of several labels, again without listing; unchecked."""
    counts = _counts(tree, tree, choices, cutoff)
    return sum(counts.values()) if root is None else counts.get(root, 0)


def _checked(function: str, tree: Any, legs: Sequence[Any], root: Any) -> tuple[Tree, tuple[Label, ...], Label | None]:
    shape = check_tree(function, tree)
    labels = as_labels(function, "legs", legs)
    _check_legs(function, shape, labels)
    wanted = None if root is None else as_label(function, root)
    if wanted is not None:
        product(labels[0], wanted)  # raises if the groups differ
    return shape, labels, wanted


def _counts(tree: Tree, whole: Tree, choices: Sequence[Sequence[Label]], cutoff: Any) -> dict[Label, int]:
    """How many labelings a subtree has for each label of its outgoing edge."""
    if isinstance(tree, int):
        return dict(Counter(choices[tree]))
    found: dict[Label, int] = {}
    right = _counts(tree[1], whole, choices, cutoff)
    for a, na in _counts(tree[0], whole, choices, cutoff).items():
        for b, nb in right.items():
            for label in product(a, b):
                if tree is whole or cutoff is None or degree(label) <= cutoff:
                    found[label] = found.get(label, 0) + na * nb
    return found


def _outgoing(tree: Tree, edges: dict[Tree, list[Label]], legs: tuple[Label, ...], cutoff: Any) -> list[Label]:
    """Labels that the outgoing edge of a subtree can carry, degree ascending, given those of its branches."""
    if isinstance(tree, int):
        return [legs[tree]]
    found = {label for a in edges[tree[0]] for b in edges[tree[1]] for label in product(a, b)}
    return sorted((label for label in found if cutoff is None or degree(label) <= cutoff), key=_order)


def _expand(tree: Tree, edges: dict[Tree, list[Label]], label: Label) -> Iterator[Node]:
    """Labelled subtrees with `label` on the outgoing edge; the right branch varies slowest."""
    if isinstance(tree, int):
        if label in edges[tree]:
            yield tree
        return
    for b in edges[tree[1]]:
        lefts = [a for a in edges[tree[0]] if label in product(a, b)]
        for right in _expand(tree[1], edges, b) if lefts else ():
            for a in lefts:
                for left in _expand(tree[0], edges, a):
                    yield label, left, right


def _order(label: Label) -> tuple[Any, int]:
    return degree(label), -(parity(label) or 0)


def _check_legs(function: str, tree: Tree, legs: tuple[Label, ...]) -> None:
    n = len(leaves(tree))
    if len(legs) != n:
        raise SchemeError(f"{function}: 'legs' must have {n} labels, one per leaf of the tree, got {len(legs)}")
    for leg in legs[1:]:
        product(legs[0], leg)  # raises if the groups differ


def _inadmissible(vertex: int, a: Label, b: Label, label: Label) -> str:
    product(a, label)  # raises if the groups differ
    allowed = product(a, b)
    if parity(label) != parity(allowed[0]) and degree(label) in [degree(k) for k in allowed]:
        rule = "parities must multiply"
    else:
        rule = "|ja - jb| <= j <= ja + jb must hold"
    wanted = ", ".join(str(k) for k in allowed)
    return f"Diagram: vertex {vertex} of 'outputs' couples {a} and {b}: {rule}, one of {wanted}; got {label}"
