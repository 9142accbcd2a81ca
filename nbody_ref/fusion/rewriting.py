"""Rewriting of Yutsis graphs: the named steps, one rule each, and what an interchange costs.

Rules R1 to R5: docs/derivations/yutsis.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from nbody_ref.fusion.contraction import Slot
from nbody_ref.fusion.factor import Factor

__all__ = ["Move", "State", "Step", "Vertices"]

Vertices = dict[int, list[Slot]]
Move = tuple[str, str, str]  # a line, and the two lines at its ends that shall meet


@dataclass(frozen=True)
class Step:
    """One named step: graph before = factor times graph after.

    Attributes
    ----------
    name : {"theta", "bubble", "tadpole", "triangle", "interchange"}
    lines : tuple of str
        What disappears; for an interchange the old line and the new one.
    factor : Factor
    vertices : dict of int -> list of (name, arrow)
        The graph after the step. Numbers of vertices persist.
    merged : dict of int -> tuple of int
        Vertices that stand for several of the graph before.

    Examples
    --------
    >>> from nbody_ref.fusion import Diagram, overlap_graph
    >>> diagram = Diagram((0, 1), ["1", "1"], ["2"])
    >>> overlap_graph(diagram, diagram)[0].simplify().steps[0].name
    'theta'
    """

    name: str
    lines: tuple[str, ...]
    factor: Factor
    vertices: Vertices
    merged: dict[int, tuple[int, ...]]


class State:
    """A graph on its way: vertices by number, and the factor so far."""

    def __init__(self, vertices: Vertices, names: tuple[str, ...]) -> None:
        self.vertices, self.total, self.now = vertices, Factor(), Factor()
        self.names = set(names)
        self.history: list[Move] = []
        self.steps: list[Step] = []
        self.record = False
        self.known: tuple[int, list[Move], int] | None = None

    def copy(self) -> State:
        """The same graph and factor, without the steps."""
        found = State({k: list(vertex) for k, vertex in self.vertices.items()}, ())
        found.names, found.history, found.total = set(self.names), list(self.history), self.total.times(Factor())
        return found

    def places(self) -> dict[str, list[int]]:
        """Vertices at the ends of every line."""
        found: dict[str, list[int]] = {}
        for k, vertex in self.vertices.items():
            for name, _ in vertex:
                found.setdefault(name, []).append(k)
        return found

    def finish(self, name: str, lines: tuple[str, ...], merged: dict[int, tuple[int, ...]] | None = None) -> None:
        """Close a step: its factor joins the total."""
        self.known = None
        self.total = self.total.times(self.now)
        for drop, keep in self.now.equal:
            if drop in self.total.sums:
                self.total = self.total.with_name(drop, keep)
        if self.record:
            after = {k: list(vertex) for k, vertex in self.vertices.items()}
            self.steps.append(Step(name, lines, self.now, after, merged or {}))
        self.now = Factor()

    def turn(self, k: int, first: str, second: str) -> None:
        """Rotate a vertex so that `first`, `second` lead it; if they stand the other way round, with its sign."""
        vertex = self.vertices[k]
        names = [name for name, _ in vertex]
        start = names.index(first)
        vertex = vertex[start:] + vertex[:start]
        if vertex[1][0] != second:
            vertex = [vertex[0], vertex[2], vertex[1]]
            for name in names:
                self.now.sign(**{name: 1})
        self.vertices[k] = vertex

    def arrow(self, name: str, tail: int) -> None:
        """Let an inner line leave at vertex `tail`; turning it round is a sign (-1)^(2j)."""
        if (name, -1) in self.vertices[tail]:
            self.now.sign(**{name: 2})
            for vertex in self.vertices.values():
                for i, (other, sign) in enumerate(vertex):
                    if other == name:
                        vertex[i] = (name, -sign)

    def third(self, k: int, *names: str) -> str:
        """The line at a vertex that is not among the names."""
        return next(name for name, _ in self.vertices[k] if name not in names)

    def shrink(self) -> None:
        """Theta, bubbles, tadpoles and triangles until there are none."""
        while self._loop() or self._pair() or self._triangle():
            pass

    def _loop(self) -> bool:
        places = self.places()
        for k, vertex in self.vertices.items():
            names = [name for name, _ in vertex]
            loop = next((name for name in names if names.count(name) == 2), None)
            if loop is not None:
                stem = self.third(k, loop)
                other = next((end for end in places[stem] if end != k), None)
                if other is not None and not self._bare(places, other, stem):
                    self._tadpole(k, loop, stem, other)
                    return True
        return False

    def _bare(self, places: dict[str, list[int]], k: int, stem: str) -> bool:
        """Whether everything at a vertex but the stem is open."""
        return all(len(places[name]) == 1 for name, _ in self.vertices[k] if name != stem)

    def _tadpole(self, k: int, loop: str, stem: str, other: int) -> None:
        self.now.equal.append((stem, "0"))
        self._close_loop(k, loop, stem)
        rest = [name for name, _ in self.vertices[other] if name != stem]
        if rest[0] == rest[1]:
            self._close_loop(other, rest[0], stem)
        else:
            a, b = rest
            self.turn(other, stem, a)
            self.now.dim(a, -1)
            self._join(other, a, other, b)
            del self.vertices[other]
        self.finish("tadpole", (loop, stem))

    def _close_loop(self, k: int, loop: str, stem: str) -> None:
        """R4: (stem, loop, -loop) is sqrt(2 loop + 1) for a stem of spin 0."""
        vertex = self.vertices.pop(k)
        start = [name for name, _ in vertex].index(stem)
        if vertex[(start + 1) % 3][1] < 0:
            self.now.sign(**{loop: 2})
        self.now.dim(loop, 1)

    def _pair(self) -> bool:
        places, seen = self.places(), dict[tuple[int, ...], list[str]]()
        for name, ends in places.items():
            if len(ends) == 2 and ends[0] != ends[1]:
                seen.setdefault(tuple(sorted(ends)), []).append(name)
        for (u, v), names in seen.items():
            if len(names) == 3:
                self._theta(u, v, names)
                return True
            if len(names) == 2:
                k, l = self.third(u, *names), self.third(v, *names)
                if len(places[k]) == len(places[l]) == 1:
                    continue
                if len(places[k]) == 1:
                    u, v, k, l = v, u, l, k
                self._bubble(u, v, k, l, *names)
                return True
        return False

    def _theta(self, u: int, v: int, names: list[str]) -> None:
        """R1: (a, b, c)(-a, -b, -c) is one."""
        for k in (u, v):
            self.turn(k, names[0], names[1])
        for name in names:
            self.arrow(name, u)
        self.now.triads.append(tuple(name for name, _ in self.vertices[u]))
        del self.vertices[u], self.vertices[v]
        self.finish("theta", tuple(names))

    def _bubble(self, u: int, v: int, k: str, l: str, b: str, c: str) -> None:
        """R2: (k, b, c)(-l, -b, -c) is a line k = l over 2k + 1."""
        self.turn(u, k, b)
        self.turn(v, l, b)
        self.arrow(b, u)
        self.arrow(c, u)
        self.now.dim(k, -2)
        self._join(u, k, v, l)
        del self.vertices[u], self.vertices[v]
        self.finish("bubble", (b, c))

    def _join(self, u: int, k: str, v: int, l: str) -> None:
        """Line k at vertex u continues line l at vertex v: (-1)^(k - m) with opposite components at the two slots."""
        places = self.places()
        if len(places[k]) == 1:  # seen from the other end: a sign
            self.now.sign(**{k: 2})
            u, k, v, l = v, l, u, k
        self.arrow(k, u)
        if len(places[l]) == 2:
            self.arrow(l, next(end for end in places[l] if end != v))
        order = ["", *self.total.sums]  # an older name stays, and the name of an open line
        ranks = [order.index(name) if name in order else 0 for name in (k, l)]
        keep, drop = (l, k) if len(places[l]) == 1 or ranks[0] > ranks[1] else (k, l)
        arrow = next(sign for name, sign in self.vertices[v] if name == l)
        for number, vertex in self.vertices.items():
            for i, (name, sign) in enumerate(vertex):
                if number not in (u, v) and name in (k, l):
                    vertex[i] = (keep, arrow if len(places[l]) == 1 else sign)
        self.now.equal.append((drop, keep))

    def _triangle(self) -> bool:
        places = self.places()
        for u, v, w in self._triples(places):
            lines = [
                next(n for n, e in places.items() if sorted(e) == sorted(pair)) for pair in ((v, w), (w, u), (u, v))
            ]
            d, e, f = lines
            a, b, c = self.third(u, e, f), self.third(v, f, d), self.third(w, d, e)
            for k, first, second in ((u, a, e), (v, b, f), (w, c, d)):
                self.turn(k, first, second)
            for name, tail in ((f, u), (d, v), (e, w)):
                self.arrow(name, tail)
            self.now.six.append((a, b, c, d, e, f))  # R3
            self.vertices[u] = [self.vertices[k][0] for k in (u, v, w)]
            del self.vertices[v], self.vertices[w]
            self.finish("triangle", (d, e, f), {u: (u, v, w)})
            return True
        return False

    def _triples(self, places: dict[str, list[int]]) -> Iterator[tuple[int, int, int]]:
        """Three vertices, each joined to both others by one line."""
        near: dict[int, set[int]] = {k: set() for k in self.vertices}
        for ends in places.values():
            if len(ends) == 2 and ends[0] != ends[1]:
                near[ends[0]].add(ends[1])
                near[ends[1]].add(ends[0])
        for u in near:
            for v in near[u]:
                for w in near[u] & near[v]:
                    if u < v < w:
                        yield u, v, w

    def interchange(self, line: str, p: str, q: str) -> None:
        """R5: (a, p, e)(q, d, -e) is a sum over x of 6j symbols times (d, a, x)(p, q, -x)."""
        places = self.places()
        u, v = places[line] if any(name == p for name, _ in self.vertices[places[line][0]]) else places[line][::-1]
        a, d = self.third(u, line, p), self.third(v, line, q)
        self.turn(u, line, a)
        self.turn(v, line, q)
        self.arrow(line, u)
        x = next(name for name in (f"x{k}" for k in count(1)) if name not in self.names)
        self.names.add(x)
        self.now.sign(**{a: 1})
        self.now.sign(**{p: 3})
        self.now.sign(**{q: 1})
        self.now.sign(**{d: 1})
        self.now.dim(x, 2)
        self.now.six.append((a, p, line, q, d, x))
        self.now.sums[x] = ((a, d), (p, q))
        (_, at_a, at_p), (_, at_q, at_d) = self.vertices[u], self.vertices[v]
        self.vertices[u], self.vertices[v] = [at_d, at_a, (x, 1)], [at_p, at_q, (x, -1)]
        self.history.append((line, p, q))
        self.finish("interchange", (line, x))

    @property
    def cycles(self) -> tuple[int, list[Move], int]:
        """Length of a shortest cycle of three lines or more (0: none), what shortens one, moves for one line more."""
        if self.known is None:
            self.known = self._search()
        return self.known

    def _search(self) -> tuple[int, list[Move], int]:
        places = self.places()
        near: dict[int, list[tuple[str, int]]] = {k: [] for k in self.vertices}
        for name, ends in places.items():
            if len(ends) == 2:
                near[ends[0]].append((name, ends[1]))
                near[ends[1]].append((name, ends[0]))
        bound, found = len(near) + 1, dict[int, list[Move]]()
        for line, ends in places.items():
            if len(ends) == 2 and ends[0] != ends[1]:
                u, v = ends
                for p, start in near[u]:
                    if p != line and start != v:
                        distance = _distances(near, start, {u, v}, bound - 2)
                        for q, end in near[v]:
                            if q != line and end in distance:
                                length = distance[end] + 3
                                bound = min(bound, length)
                                found.setdefault(length, []).append((line, p, q))
        girth = min(found, default=0)
        return girth, found.get(girth, []), len(found.get(girth + 1, []))

    def cost(self) -> float:
        """6j symbols so far, and those of the triangles that are left at best."""
        return len(self.total.six) + len(self.vertices) / 2

    def score(self) -> tuple[float, ...]:
        """What the beam sorts by: cost, then short cycles and many of them."""
        girth, moves, more = self.cycles
        return self.cost(), girth, -len(moves), -more


def _distances(near: dict[int, list[tuple[str, int]]], start: int, without: set[int], most: int) -> dict[int, int]:
    """Numbers of lines from a vertex to others, up to `most`, not through the vertices `without`."""
    found, edge = {start: 0}, [start]
    for distance in range(1, most + 1):
        edge = [k for k in {k for here in edge for _, k in near[here]} if k not in found and k not in without]
        found |= dict.fromkeys(edge, distance)
        if not edge:
            break
    return found
