"""A batch of composition schemes as arrays: one `Level` after another, each with its edges to the levels below.

This is what networks on given schemes compute on; networks that find neighbourhoods themselves need none of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.errors import SchemeError
from nbody_ref.graphs import Edges
from nbody_ref.scheme import Node, Scheme

__all__ = ["Hierarchy", "Level", "Link", "Positions", "levels_from_schemes"]

Array = np.ndarray[Any, Any]
IndexArray = np.ndarray[Any, np.dtype[np.uintp]]


class Positions(NamedTuple):
    """Affine map from atom positions to node positions.

    Node n sits at the sum of ``coefficients[k] * r[atoms[k]]`` over k in ``row_ptr[n]:row_ptr[n + 1]``.
    """

    row_ptr: IndexArray
    atoms: IndexArray
    coefficients: Array


class Link(NamedTuple):
    """Children that the nodes of one level have at level `source`.

    `all` lists every child, in the order of the scheme. `directed` and `centre` split it: a child at its parent's own
    position (the same coefficients) has no direction and is a centre.
    """

    source: int
    all: Edges
    directed: Edges
    centre: Edges


class Level(NamedTuple):
    """All nodes of one level, frame by frame.

    kinds : tuple of hashables, sorted
    kind : (n,) uintp, place of each node's kind in `kinds`
    frame : (n,) uintp
    positions : Positions
    links : tuple of Link, by source level; none at level 0
    """

    kinds: tuple[Hashable, ...]
    kind: IndexArray
    frame: IndexArray
    positions: Positions
    links: tuple[Link, ...]

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.kind)


class Hierarchy(NamedTuple):
    """Levels from atoms up; the root of frame f is node ``root[f]`` of level ``root_level[f]``."""

    levels: tuple[Level, ...]
    root_level: IndexArray
    root: IndexArray


def levels_from_schemes(schemes: Sequence[Scheme], kinds: Sequence[Sequence[Hashable]] | None = None) -> Hierarchy:
    """Put the nodes of a batch of schemes side by side, level by level.

    Parameters
    ----------
    schemes : sequence of Scheme
        One per frame; elementary part i of a scheme is atom i of its frame.
    kinds : sequence over levels of kinds, optional
        The numbering of kinds at each level, as a network fixes it. None: those present, sorted.

    Returns
    -------
    Hierarchy

    Raises
    ------
    SchemeError
        If there is no scheme, or a kind or a level is not in `kinds`.
    """
    if not isinstance(schemes, (tuple, list)) or not all(isinstance(scheme, Scheme) for scheme in schemes):
        raise SchemeError(f"levels_from_schemes: 'schemes' must be a list of Scheme, got {schemes!r}")
    if not schemes:
        raise SchemeError("levels_from_schemes: 'schemes' must not be empty")
    first_atom = np.cumsum([0] + [scheme.n_parts for scheme in schemes])
    rows: list[list[tuple[int, int]]] = [[] for _ in range(max(max(scheme.levels) for scheme in schemes) + 1)]
    place: dict[tuple[int, int], int] = {}
    for f, scheme in enumerate(schemes):
        for i, level in enumerate(scheme.levels):
            place[f, i] = len(rows[level])
            rows[level].append((f, i))
    counts = [len(row) for row in rows]
    if kinds is not None and len(kinds) < len(rows):
        raise SchemeError(f"levels_from_schemes: 'kinds' must list the kinds of {len(rows)} levels, got {len(kinds)}")
    levels = []
    for level, row in enumerate(rows):
        nodes = [schemes[f].nodes[i] for f, i in row]
        names = _sorted({node.kind for node in nodes}) if kinds is None else tuple(kinds[level])
        kind = [_find(names, node.kind, level) for node in nodes]
        frame = [f for f, _ in row]
        positions = _positions(nodes, [int(first_atom[f]) for f in frame])
        levels.append(Level(names, _index(kind), _index(frame), positions, _links(level, row, schemes, place, counts)))
    roots = [(scheme.levels[scheme.root], place[f, scheme.root]) for f, scheme in enumerate(schemes)]
    return Hierarchy(tuple(levels), _index([level for level, _ in roots]), _index([i for _, i in roots]))


def _links(
    level: int,
    row: list[tuple[int, int]],
    schemes: Sequence[Scheme],
    place: dict[tuple[int, int], int],
    counts: list[int],
) -> tuple[Link, ...]:
    """Children of one level, by source level and by whether they sit at their parent's position."""
    found: dict[int, list[tuple[int, int, bool]]] = {}
    for receiver, (f, i) in enumerate(row):
        parent = schemes[f].nodes[i]
        for child in parent.children:
            same = schemes[f].nodes[child].position == parent.position
            found.setdefault(schemes[f].levels[child], []).append((receiver, place[f, child], same))
    links = []
    for source in sorted(found):
        pairs = found[source]
        chosen = (pairs, [p for p in pairs if not p[2]], [p for p in pairs if p[2]])
        edges = (
            Edges.build(_index([p[0] for p in some]), _index([p[1] for p in some]), counts[level], counts[source])
            for some in chosen
        )
        links.append(Link(source, *edges))
    return tuple(links)


def _positions(nodes: list[Node], first_atom: list[int]) -> Positions:
    rows = [list(node.position.items()) for node in nodes]
    atoms = [start + i for row, start in zip(rows, first_atom) for i, _ in row]
    values = [float(value) for row in rows for _, value in row]
    return Positions(_index(np.cumsum([0] + [len(row) for row in rows])), _index(atoms), np.array(values))


def _find(names: tuple[Hashable, ...], kind: Hashable, level: int) -> int:
    if kind not in names:
        raise SchemeError(f"levels_from_schemes: 'kinds' must contain {kind!r} at level {level}, got {list(names)}")
    return names.index(kind)


def _sorted(kinds: set[Hashable]) -> tuple[Hashable, ...]:
    try:
        return tuple(sorted(kinds))  # type: ignore[type-var]
    except TypeError:  # labels of several types have no order of their own
        return tuple(sorted(kinds, key=repr))


def _index(values: Any) -> IndexArray:
    return np.array(values, dtype=np.uintp)
