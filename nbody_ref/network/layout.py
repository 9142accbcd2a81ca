"""Where the gates of a network stand: on neighbourhoods it finds, or on composition schemes given by hand.

A layout names what the program of a network reads (edges, kinds, node positions) and makes these entries for a batch.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from nbody_ref.errors import SchemeError
from nbody_ref.gates.build import Builder, Place, Source, State
from nbody_ref.gates.chain import Array, Entry
from nbody_ref.graphs import Edges, Graph
from nbody_ref.hierarchy import Level, levels_from_schemes
from nbody_ref.ops.linear import AFFINE
from nbody_ref.scheme import Scheme

__all__ = ["Layout", "Neighbourhoods", "SchemeGraph", "Schemes"]


@dataclass(frozen=True)
class SchemeGraph(Graph):
    """A batch of molecules with a composition scheme for each; elementary part i of a scheme is atom i of its frame."""

    schemes: tuple[Scheme, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.schemes, tuple) or not all(isinstance(scheme, Scheme) for scheme in self.schemes):
            raise SchemeError(f"Network.graph: 'schemes' must be Schemes, got {self.schemes!r}")


class Layout(Protocol):
    """What `Network` asks of a layout; levels are counted from 1, the root is the last."""

    def place(self, builder: Builder, level: int, states: Sequence[State]) -> Place:
        """Where the gate of a level stands; `states` are those of the levels below, leaves first."""
        ...

    def batch(self, graph: Graph, kinds: Array) -> dict[str, Any]:
        """Entries that the program reads, for atoms of the given kinds of species."""
        ...


@dataclass(frozen=True)
class Neighbourhoods:
    """Atoms -> neighbourhoods -> wider neighbourhoods ... -> molecule; a neighbourhood sits at its atom.

    All levels share one list of edges, so that harmonics and radial functions are computed once.
    """

    n_species: int
    depth: int

    def place(self, builder: Builder, level: int, states: Sequence[State]) -> Place:
        """The gate of a level of neighbourhoods, or of the root above them."""
        below = states[-1]
        if level <= self.depth:
            names = (Entry("neighbours and centre"), Entry("neighbours"), Entry("centre"))
            sources = {level - 1: Source(below, "r", *names)}
            return Place(f"level{level}", "r", sources, level - 1, Entry("kind"), Entry("shared"), self.n_species)
        sources = {level - 1: Source(below, "r", Entry("molecule"), None, None)}
        return Place("root", "r", sources, level - 1, Entry("root kind"), Entry("root kind"), 1)

    def batch(self, graph: Graph, kinds: Array) -> dict[str, Any]:
        """Edges and kinds from the graph alone."""
        if isinstance(graph, SchemeGraph):
            raise SchemeError("Network: this network finds neighbourhoods itself, got a graph with schemes")
        n = graph.n_atoms
        atoms, edges = np.arange(n), graph.edges
        receivers = np.concatenate([atoms, edges.receivers.astype(np.intp)])
        senders = np.concatenate([atoms, edges.senders.astype(np.intp)])
        return {
            "neighbours": edges,
            "centre": Edges.build(atoms, atoms, n, n),
            "neighbours and centre": Edges.build(receivers, senders, n, n),
            "molecule": Edges.build(graph.frame, atoms, graph.n_frames, n),
            "leaf kind": kinds,
            "leaf atom": atoms,
            "kind": kinds,
            "shared": np.zeros(n, dtype=np.uintp),
            "root kind": np.zeros(graph.n_frames, dtype=np.uintp),
        }


@dataclass(frozen=True)
class Schemes:
    """Any composition schemes whose levels and kinds of nodes are those declared.

    Parameters
    ----------
    kinds : tuple over levels 1.. of tuples of labels
        Kinds of nodes at each level; nodes of one kind share their weights. The last level holds the roots.
    sources : tuple over levels 1.. of tuples of int
        Levels at which the children of a level are found.

    Raises
    ------
    SchemeError
        If there is no level, or a level has no kind, no source, or a source that is not below it.

    Examples
    --------
    >>> from nbody_ref.network import Schemes
    >>> schemes = Schemes(kinds=(("pair",), ("molecule",)), sources=((0,), (1,)))
    >>> Schemes.from_dict(schemes.to_dict()) == schemes
    True
    """

    kinds: tuple[tuple[Hashable, ...], ...]
    sources: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        kinds, sources = _plain(self.kinds), _plain(self.sources)
        if not (isinstance(kinds, tuple) and isinstance(sources, tuple) and 0 < len(kinds) == len(sources)):
            raise SchemeError(f"Schemes: 'kinds' and 'sources' must list the same levels, got {kinds} and {sources}")
        for level, (labels, below) in enumerate(zip(kinds, sources, strict=True), start=1):
            if not isinstance(labels, tuple) or not labels or len(set(labels)) != len(labels):
                raise SchemeError(f"Schemes: 'kinds' of level {level} must be different labels, got {labels!r}")
            if not isinstance(below, tuple) or not below or not set(below) <= set(range(level)):
                raise SchemeError(f"Schemes: 'sources' of level {level} must be levels below it, got {below!r}")
        object.__setattr__(self, "kinds", kinds)
        object.__setattr__(self, "sources", sources)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description.

        Raises
        ------
        SchemeError
            If a label is anything but a text, a number, or a tuple of them.
        """
        return {"kinds": _thaw(self.kinds), "sources": _thaw(self.sources)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Schemes:
        """Inverse of `to_dict`."""
        return cls(_freeze(data["kinds"]), _freeze(data["sources"]))

    @classmethod
    def like(cls, schemes: Sequence[Scheme]) -> Schemes:
        """The layout of the given schemes: every level, kind and link that occurs in any of them."""
        hierarchy = levels_from_schemes(schemes)
        inner = hierarchy.levels[1:]
        return cls(
            tuple(level.kinds for level in inner), tuple(tuple(k.source for k in level.links) for level in inner)
        )

    def place(self, builder: Builder, level: int, states: Sequence[State]) -> Place:
        """The gate of one level; positions of its nodes and of its children are affine maps of the atoms."""
        name = "root" if level == len(self.kinds) else f"level{level}"
        sources = {
            s: Source(states[s], _position(builder, s), *(Entry(f"{level}<{s}/{k}") for k in _PARTS))
            for s in self.sources[level - 1]
        }
        here = Entry(f"kind{level}"), Entry(f"shared{level}")
        return Place(name, _position(builder, level), sources, max(sources), *here, len(self.kinds[level - 1]))

    def batch(self, graph: Graph, kinds: Array) -> dict[str, Any]:
        """Edges, kinds and position maps of the schemes, one scheme for each frame of the graph."""
        sizes = np.diff(graph.frame_ptr).astype(int).tolist()
        schemes = graph.schemes if isinstance(graph, SchemeGraph) else ()
        came = [scheme.n_parts for scheme in schemes]
        if came != sizes:
            raise SchemeError(f"Network: 'schemes' must be one for each frame, of {sizes} atoms, got {came}")
        leaves = tuple({node.kind: None for scheme in schemes for node in scheme.nodes if not node.children})
        levels, root_level, root = levels_from_schemes(schemes, (leaves, *self.kinds))
        if len(levels) != len(self.kinds) + 1 or np.any(root_level != len(self.kinds)):
            raise SchemeError(f"Network: every scheme must have its root at level {len(self.kinds)}, got {root_level}")
        if not np.array_equal(root, np.arange(len(schemes))):
            raise SchemeError("Network: the last level must hold the roots and nothing else")
        atoms = levels[0].positions.atoms
        batch: dict[str, Any] = {"leaf kind": kinds[atoms], "leaf atom": atoms}
        for t, level in enumerate(levels):
            batch[f"positions{t}"] = _matrix(level, graph.n_atoms)
            batch[f"kind{t}"] = level.kind
            batch[f"shared{t}"] = np.zeros(level.n_nodes, dtype=np.uintp)
            for link in level.links:
                if link.source not in self.sources[t - 1]:
                    raise SchemeError(f"Network: children of level {t} at level {link.source} are read by no gate")
                batch |= {f"{t}<{link.source}/{k}": getattr(link, k) for k in _PARTS}
            for s in set(self.sources[t - 1]) - {link.source for link in level.links} if t else ():
                none = Edges.build([], [], level.n_nodes, levels[s].n_nodes)
                batch |= {f"{t}<{s}/{k}": none for k in _PARTS}
        return batch


_PARTS = ("all", "directed", "centre")


def _position(builder: Builder, level: int) -> str:
    return builder.emit(AFFINE, ("r",), f"r{level}", Entry(f"positions{level}"))


def _matrix(level: Level, n_atoms: int) -> csr_array:
    row_ptr, atoms, coefficients = level.positions
    return csr_array((coefficients, atoms.astype(np.intp), row_ptr.astype(np.intp)), (level.n_nodes, n_atoms))


def _plain(value: Any) -> Any:
    """Labels with Python's numbers in place of NumPy's, which are not JSON."""
    if isinstance(value, (tuple, list)):
        return tuple(_plain(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value


def _thaw(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_thaw(v) for v in value]
    if value is not None and not isinstance(value, (str, int, float)):
        raise SchemeError(f"Schemes: labels in a file must be texts, numbers, or tuples of them, got {value!r}")
    return value


def _freeze(value: Any) -> Any:
    return tuple(_freeze(v) for v in value) if isinstance(value, list) else value
