r"""Yutsis graphs: angular-momentum diagrams with cycles, closed or with open lines, and their exact value.

A vertex is a 3j symbol, a line sums over the component of its spin. Conventions and examples: docs/spin_symbols.md.

.. math:: \text{value} = \sum_{m} \prod_{\text{inner lines}} (-1)^{j-m} \prod_{\text{vertices}}
          \begin{pmatrix} a & b & c \\ \pm m_a & \pm m_b & \pm m_c \end{pmatrix}

with + where the arrow of a line leaves a vertex and - where it arrives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from nbody_ref.checks import check_integer, check_list
from nbody_ref.errors import IrrepsError, SchemeError
from nbody_ref.exact import Surd
from nbody_ref.fusion.contraction import Vertex, check_components, contract, sign_of
from nbody_ref.fusion.diagram import Diagram
from nbody_ref.fusion.label import Spin, twice
from nbody_ref.fusion.reduction import Reduction, reduce_graph
from nbody_ref.fusion.tree import vertices as subtrees
from nbody_ref.irreps import Irrep

__all__ = ["YutsisGraph", "overlap_graph"]


@dataclass(frozen=True)
class YutsisGraph:
    """Trivalent vertices joined by lines with arrows.

    Parameters
    ----------
    vertices : sequence of triples of str
        Names of the lines at each vertex, anticlockwise. A minus sign before a name marks the end where the arrow
        arrives: an inner line occurs as ``"j"`` and as ``"-j"``, an open line once.
    spins : mapping of str -> int, Fraction, float, str, Spin or Irrep, optional
        Spin of every line. `simplify` does without, `value` does not.
    signs : sequence of 1 and -1, optional
        -1 reads a vertex clockwise, which is a factor (-1)^(a+b+c). Stored as the order of its lines.

    Raises
    ------
    SchemeError
        If a vertex has not three lines, or a line occurs more than twice or twice with the same arrow.
    IrrepsError
        If a spin is none, or missing while others are given.

    Examples
    --------
    >>> theta = YutsisGraph([("a", "b", "c"), ("-a", "-b", "-c")], {"a": 1, "b": 1, "c": 2})
    >>> theta.value()
    Surd(1, 1, 1)
    """

    vertices: tuple[Vertex, ...]
    spins: Mapping[str, Fraction]

    def __init__(
        self, vertices: Sequence[Any], spins: Mapping[str, Any] | None = None, signs: Sequence[int] | None = None
    ) -> None:
        found = [_vertex(v) for v in check_list("YutsisGraph", "vertices", vertices, "triples of lines")]
        turns = [1] * len(found) if signs is None else check_list("YutsisGraph", "signs", signs, "1 and -1")
        if len(turns) != len(found) or any(turn not in (1, -1) for turn in turns):
            raise SchemeError(f"YutsisGraph: 'signs' must be {len(found)} times 1 or -1, got {signs!r:.60}")
        ordered = tuple((a, b, c) if turn == 1 else (c, b, a) for (a, b, c), turn in zip(found, turns))
        object.__setattr__(self, "vertices", ordered)
        for name in self.lines:
            arrows: list[int] = [arrow for vertex in ordered for other, arrow in vertex if other == name]
            if len(arrows) > 2 or sorted(arrows) in ([1, 1], [-1, -1]):
                raise SchemeError(f"YutsisGraph: line {name!r} of 'vertices' must leave and arrive once, got {arrows}")
        object.__setattr__(self, "spins", _spins(self.lines, spins))

    @classmethod
    def from_lcf(cls, jumps: Sequence[int], repeats: int = 1, spins: Mapping[str, Any] | None = None) -> YutsisGraph:
        """Graph on a Hamiltonian cycle in LCF notation: vertex k has a chord to vertex k + jump.

        Parameters
        ----------
        jumps : sequence of int
            Repeated `repeats` times: ``[3], 6`` is the graph of the 9j symbol, ``[4], 8`` the 12j of the first kind.
        repeats : int
        spins : mapping, optional
            Lines are called j1, j2, ... along the cycle, then k1, k2, ... for the chords.

        Raises
        ------
        SchemeError
            If the chords do not pair up the vertices.
        """
        steps = list(check_list("YutsisGraph.from_lcf", "jumps", jumps, "integers"))
        steps *= check_integer("YutsisGraph.from_lcf", "repeats", repeats, 1, 10_000)
        n = len(steps)
        mates = [(k + check_integer("YutsisGraph.from_lcf", "jumps", step, -n, n)) % n for k, step in enumerate(steps)]
        if any(mates[mate] != k or mate == k for k, mate in enumerate(mates)):
            raise SchemeError(f"YutsisGraph.from_lcf: 'jumps' must lead there and back, got {jumps!r:.60}")
        first = [k for k, mate in enumerate(mates) if k < mate]
        chords = {k: f"k{i + 1}" for i, k in enumerate(first)} | {mates[k]: f"-k{i + 1}" for i, k in enumerate(first)}
        return cls([(f"-j{(k - 1) % n + 1}", f"j{k + 1}", chords[k]) for k in range(n)], spins)

    @property
    def lines(self) -> tuple[str, ...]:
        """Names of all lines, in the order of their first occurrence."""
        return tuple(dict.fromkeys(name for vertex in self.vertices for name, _ in vertex))

    @property
    def open_lines(self) -> tuple[str, ...]:
        """Names that occur once."""
        names = [name for vertex in self.vertices for name, _ in vertex]
        return tuple(name for name in self.lines if names.count(name) == 1)

    def value(self, components: Mapping[str, Any] | None = None) -> Surd:
        """Exact value, by summing over the components of all inner lines: the definition, at exponential cost.

        Parameters
        ----------
        components : mapping of str -> int, Fraction or float, optional
            Component m of every open line. Where the arrow of an open line arrives, the 3j symbol takes -m and the
            value a factor (-1)^(j-m), so that two graphs are joined by summing over m.

        Returns
        -------
        Surd
            Zero where a triangle rule is violated or an abs(m) > j.

        Raises
        ------
        IrrepsError
            If the graph has no spins, or the components are not those of its open lines.

        Notes
        -----
        Always a single surd: docs/derivations/symbols.md, Y2.
        """
        if not self.spins and self.vertices:
            raise IrrepsError("YutsisGraph.value: 'spins' of the graph must be given")
        fixed = check_components("YutsisGraph.value", self.open_lines, self.spins, components)
        return contract(self.vertices, self.spins, fixed)

    def simplify(self, width: int = 4) -> Reduction:
        """Sum over products of 6j symbols, by named steps; see `nbody_ref.fusion.reduction`.

        Parameters
        ----------
        width : int
            How many ways are followed side by side; more may find fewer 6j symbols. No minimum is promised.

        Returns
        -------
        Reduction
        """
        return reduce_graph(self, width)


def overlap_graph(source: Diagram, target: Diagram) -> tuple[YutsisGraph, Surd]:
    """Closed graph and factor whose product is the recoupling coefficient of two coupled states.

    Parameters
    ----------
    source, target : Diagram
        Two trees on the same legs with the same root, of integer or half-integer labels; parities are ignored.

    Returns
    -------
    graph : YutsisGraph
        Lines l0, l1, ... are legs, a1, a2, ... bonds of `source`, b1, b2, ... of `target`, J the root.
    factor : Surd
        Signs and square roots of dimensions.

    Raises
    ------
    SchemeError
        If legs or roots differ, or there is only one leg.

    Examples
    --------
    >>> from nbody_ref.fusion import Diagram, overlap_graph
    >>> pair = [Diagram(((0, 1), 2), ["1"] * 3, ["1", "1"]), Diagram((0, (1, 2)), ["1"] * 3, ["2", "1"])]
    >>> graph, factor = overlap_graph(*pair)
    >>> factor, len(graph.simplify().factor.six)
    (Surd(1, 15, 1), 1)
    """
    same = source.legs == target.legs and source.root == target.root
    if not same or len(source.legs) < 2:
        raise SchemeError("overlap_graph: 'target' must have the legs and the root of 'source', and two legs or more")
    vertices: list[tuple[str, str, str]] = []
    spins = {"J": Fraction(twice(source.root), 2)}
    spins |= {f"l{k}": Fraction(twice(leg), 2) for k, leg in enumerate(source.legs)}
    sign, square = 1, Fraction(1, twice(source.root) + 1) ** 2
    for letter, diagram in (("a", source), ("b", target)):
        made = subtrees(diagram.tree)
        names: dict[Any, str] = {k: f"l{k}" for k in range(len(diagram.legs))}
        names |= {tree: "J" if k == len(made) - 1 else f"{letter}{k + 1}" for k, tree in enumerate(made)}
        for (left, right), (a, b, c) in zip(made, diagram.triples):
            j1, j2, j = twice(a), twice(b), twice(c)
            spins[names[left, right]] = Fraction(j, 2)
            square *= j + 1
            sign *= sign_of((j1 - j2 + j) // 2 + (j if letter == "b" else 0))
            ends = names[left], names[right], "-" + names[left, right]
            vertices.append(ends if letter == "a" else tuple(_reversed(end) for end in ends))  # type: ignore[arg-type]
    return YutsisGraph(vertices, spins), Surd(sign, square.numerator, square.denominator)


def _reversed(end: str) -> str:
    return end[1:] if end.startswith("-") else "-" + end


def _vertex(vertex: Any) -> Vertex:
    ends = check_list("YutsisGraph", "vertices", vertex, "lines")
    if len(ends) != 3 or not all(isinstance(end, str) and end.lstrip("-") not in ("", "0") for end in ends):
        rule = "triples of names of lines (none is called 0)"
        raise SchemeError(f"YutsisGraph: 'vertices' must be {rule}, got {vertex!r:.60}")
    a, b, c = ((end.removeprefix("-"), -1 if end.startswith("-") else 1) for end in ends)
    return a, b, c


def _spins(lines: Sequence[str], spins: Mapping[str, Any] | None) -> dict[str, Fraction]:
    if not spins:
        return {}
    missing, unknown = [x for x in lines if x not in spins], [x for x in spins if x not in lines]
    if missing or unknown:
        what = f"{missing[0]!r} is missing" if missing else f"{unknown[0]!r} is no line"
        raise IrrepsError(f"YutsisGraph: 'spins' must have one spin for every line; {what}")
    return {
        name: Fraction(twice(spins[name]), 2) if isinstance(spins[name], Spin | Irrep) else Spin(spins[name]).j
        for name in lines
    }
