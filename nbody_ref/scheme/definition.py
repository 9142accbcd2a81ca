"""Composition schemes, Definition 1 of the N-body paper: a system as a hierarchy of subsystems.

A scheme is a directed acyclic graph. Its leaves are the elementary parts (atoms), its single root is the whole system,
and the subsystem of a child lies within that of its parent. A node may have several parents: neighbourhoods overlap.
Departure from the paper: a child may be as large as its parent, since in a small molecule a neighbourhood can be
everything.
"""

from __future__ import annotations

import operator
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from nbody_ref.checks import check_integer, check_list
from nbody_ref.errors import SchemeError

__all__ = ["Node", "Scheme"]

Coefficients = Mapping[int, Fraction]


@dataclass(frozen=True, init=False)
class Node:
    """One subsystem of a scheme.

    Parameters
    ----------
    part : iterable of int
        The elementary parts that the subsystem consists of, the paper's P_i.
    children : sequence of int
        Numbers of the nodes it is made from; none for a leaf.
    kind : hashable
        Nodes of one kind share their weights.
    position : mapping from elementary part to int or Fraction, optional
        Affine coefficients of the position over the elementary parts, summing to one. None: the centroid of `part`.

    Raises
    ------
    SchemeError
        If a coefficient is neither an integer nor a Fraction (a sum of floats is not exactly one), a part or a child
        is no integer, or `kind` is not hashable.
    """

    part: frozenset[int]
    children: tuple[int, ...]
    kind: Hashable
    position: Coefficients = field(hash=False)

    def __init__(
        self,
        part: Iterable[int],
        children: Iterable[int] = (),
        kind: Hashable = None,
        position: Mapping[int, int | Fraction] | None = None,
    ) -> None:
        members = frozenset(_wholes("part", part))
        try:
            hash(kind)
        except TypeError as error:
            raise SchemeError(f"Node: 'kind' must be hashable, got {kind!r}") from error
        if position is None:
            position = {i: Fraction(1, len(members)) for i in sorted(members)}
        if not isinstance(position, Mapping):
            raise SchemeError(f"Node: 'position' must map parts to coefficients, got {position!r}")
        exact = {check_integer("Node", "position", i, None): _coefficient(i, value) for i, value in position.items()}
        object.__setattr__(self, "part", members)
        object.__setattr__(self, "children", _wholes("children", children))
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "position", {i: exact[i] for i in sorted(exact) if exact[i] != 0})


class Scheme:
    """A composition scheme, checked against Definition 1.

    Parameters
    ----------
    nodes : iterable of Node
        In any order; children are named by their place in this list.
    n_parts : int, optional
        Number n of elementary parts 0..n-1 of the system. None: as many as the nodes mention.

    Attributes
    ----------
    nodes : tuple of Node
    n_parts : int
    root : int
        Number of the node that is the whole system.
    levels : tuple of int
        Longest way down to a leaf, per node; leaves are at level 0.

    Raises
    ------
    SchemeError
        If the nodes are not a composition scheme; the message names the node and what is wrong with it.

    Examples
    --------
    >>> atoms = [Node([0], kind="O"), Node([1], kind="H"), Node([2], kind="H")]
    >>> print(Scheme([*atoms, Node([0, 1, 2], [0, 1, 2], "H2O")]))
    'H2O' {0, 1, 2} at 1/3 r0 + 1/3 r1 + 1/3 r2
    |-- 'O' {0} at r0
    |-- 'H' {1} at r1
    '-- 'H' {2} at r2
    """

    nodes: tuple[Node, ...]
    n_parts: int
    root: int
    levels: tuple[int, ...]

    def __init__(self, nodes: Iterable[Node], n_parts: int | None = None) -> None:
        self.nodes = check_list("Scheme", "nodes", nodes, "Nodes")
        if not all(isinstance(node, Node) for node in self.nodes):
            raise SchemeError(f"Scheme: 'nodes' must be Nodes, got {nodes!r}")
        if not self.nodes:
            raise SchemeError("Scheme: 'nodes' must not be empty")
        mentioned = frozenset[int]().union(*(node.part for node in self.nodes))
        self.n_parts = (
            max(mentioned, default=-1) + 1 if n_parts is None else check_integer("Scheme", "n_parts", n_parts, None)
        )
        for i, node in enumerate(self.nodes):
            _check_node(i, node, len(self.nodes), self.n_parts)
        self.levels = _levels(self.nodes)
        for i, node in enumerate(self.nodes):
            _check_children(i, node, self.nodes)
        self.root = _check_root(self.nodes, self.n_parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scheme) and (self.nodes, self.n_parts) == (other.nodes, other.n_parts)

    def __hash__(self) -> int:
        return hash((self.nodes, self.n_parts))

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"<Scheme of {self.n_parts} elementary parts, {len(self)} nodes, {max(self.levels) + 1} levels>"

    def __str__(self) -> str:
        """Draw the scheme as a tree; a node met again is named by its number instead of being drawn again."""
        lines: list[str] = []
        self._draw(self.root, "", "", lines, set())
        return "\n".join(lines)

    def _draw(self, i: int, first: str, rest: str, lines: list[str], seen: set[int]) -> None:
        node = self.nodes[i]
        members = ", ".join(map(str, sorted(node.part)))
        text = f"{node.kind!r} {{{members}}}"
        if i in seen and node.children:
            lines.append(f"{first}{text} as above")
            return
        seen.add(i)
        lines.append(f"{first}{text} at {_show_position(node.position)}")
        for child in node.children:
            last = child == node.children[-1]
            self._draw(child, rest + ("'-- " if last else "|-- "), rest + ("    " if last else "|   "), lines, seen)


def _wholes(name: str, values: Iterable[int]) -> tuple[int, ...]:
    return tuple(check_integer("Node", name, value, None) for value in check_list("Node", name, values, "integers"))


def _coefficient(i: int, value: Any) -> Fraction:
    if isinstance(value, Fraction):
        return Fraction(int(value.numerator), int(value.denominator))  # of Python's integers
    try:
        if isinstance(value, bool):
            raise TypeError
        return Fraction(operator.index(value))
    except TypeError as error:
        raise SchemeError(f"Node: 'position' must hold integers or Fractions, got {value!r} for part {i}") from error


def _check_node(i: int, node: Node, n_nodes: int, n_parts: int) -> None:
    """What can be said of a node alone."""
    if not node.part:
        raise SchemeError(f"Scheme: node {i} must have a part, got an empty one")
    for what, index, count in (("part", node.part, n_parts), ("children", node.children, n_nodes)):
        for j in index:
            if not 0 <= j < count:
                raise SchemeError(f"Scheme: '{what}' of node {i} must lie in 0..{count - 1}, got {j}")
    if len(set(node.children)) != len(node.children):
        raise SchemeError(f"Scheme: node {i} must list each child once, got {list(node.children)}")
    if not node.children and len(node.part) != 1:
        raise SchemeError(f"Scheme: leaf node {i} must have a single elementary part, got {sorted(node.part)}")
    if not node.position.keys() <= node.part:
        outside = sorted(node.position.keys() - node.part)
        raise SchemeError(f"Scheme: the position of node {i} must depend on its own part only, got parts {outside}")
    total = sum(node.position.values())
    if total != 1:
        raise SchemeError(f"Scheme: position coefficients of node {i} must sum to one, got {total}")


def _levels(nodes: Sequence[Node]) -> tuple[int, ...]:
    """Longest way down to a leaf; raises on a cycle, naming it. Depth first, without recursion."""
    level: dict[int, int] = {}
    for start in range(len(nodes)):
        way = [start]
        while way:
            waiting = [child for child in nodes[way[-1]].children if child not in level]
            if not waiting:
                i = way.pop()
                level[i] = 1 + max((level[child] for child in nodes[i].children), default=-1)
            elif waiting[0] in way:
                cycle = [*way[way.index(waiting[0]) :], waiting[0]]
                raise SchemeError(f"Scheme: nodes must not be their own descendants, got {' > '.join(map(str, cycle))}")
            else:
                way.append(waiting[0])
    return tuple(level[i] for i in range(len(nodes)))


def _check_children(i: int, node: Node, nodes: Sequence[Node]) -> None:
    for child in node.children:
        outside = sorted(nodes[child].part - node.part)
        if outside:
            raise SchemeError(
                f"Scheme: the part of child {child} must lie within that of its parent {i}, got {outside} outside"
            )


def _check_root(nodes: Sequence[Node], n_parts: int) -> int:
    """The single root; every elementary part must be the leaf of something."""
    below = {child for node in nodes for child in node.children}
    roots = [i for i in range(len(nodes)) if i not in below]
    if len(roots) != 1:
        raise SchemeError(f"Scheme: there must be one root, got nodes {roots} without a parent")
    missing = sorted(set(range(n_parts)) - nodes[roots[0]].part)
    if missing:
        raise SchemeError(f"Scheme: the root, node {roots[0]}, must be everything, got {missing} outside it")
    leaves = {part for node in nodes if not node.children for part in node.part}
    missing = sorted(set(range(n_parts)) - leaves)
    if missing:
        raise SchemeError(f"Scheme: every elementary part must have a leaf, got none for {missing}")
    return roots[0]


def _show_position(position: Coefficients) -> str:
    return " + ".join(f"r{i}" if value == 1 else f"{value} r{i}" for i, value in position.items())
