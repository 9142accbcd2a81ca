"""Reduction of Yutsis graphs to sums over products of 6j symbols, by named steps.

theta and bubble (orthogonality), tadpole, triangle (a 6j symbol), and where none applies interchange (a sum over one).
The rules are in `nbody_ref.fusion.rewriting`, their derivations in docs/derivations/yutsis.md. A beam search over
interchanges that shorten a shortest cycle keeps the number of 6j symbols small; it promises no minimum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbody_ref.checks import check_integer
from nbody_ref.errors import IrrepsError
from nbody_ref.exact import Surd, surd_sum
from nbody_ref.fusion.contraction import Vertex, check_components, contract, couples
from nbody_ref.fusion.factor import Factor, latex_name
from nbody_ref.fusion.rewriting import State, Step

if TYPE_CHECKING:
    from nbody_ref.fusion.yutsis import YutsisGraph

__all__ = ["Reduction", "reduce_graph"]


@dataclass(frozen=True)
class Reduction:
    """Result of `YutsisGraph.simplify`: a graph is a factor times what is left of it, nothing if it was closed.

    Attributes
    ----------
    graph : YutsisGraph
    steps : tuple of Step
    factor : Factor
        Product of the factors of all steps, with sums done where a bubble forces a summed spin.
    rest : tuple of vertices
        Trees of the open lines.

    Examples
    --------
    >>> from nbody_ref.fusion import Diagram, overlap_graph
    >>> diagram = Diagram(((0, 1), 2), ["1"] * 3, ["1", "1"])
    >>> reduction = overlap_graph(diagram, diagram)[0].simplify()
    >>> [step.name for step in reduction.steps], reduction.rest
    (['bubble', 'theta'], ())
    """

    graph: YutsisGraph
    steps: tuple[Step, ...]
    factor: Factor
    rest: tuple[Vertex, ...]

    @property
    def number_of_six_j(self) -> int:
        """6j symbols in each term."""
        return len(self.factor.six)

    def value(self, components: Mapping[str, Any] | None = None) -> Surd:
        """Exact value from the formula; arguments and errors as `YutsisGraph.value`."""
        spins = dict(self.graph.spins)
        if not spins and self.graph.vertices:
            raise IrrepsError("Reduction.value: 'spins' of the graph must be given")
        fixed = check_components("Reduction.value", self.graph.open_lines, spins, components)
        if not all(couples(*(spins[name] for name, _ in vertex)) for vertex in self.graph.vertices):
            return Surd(0, 0)
        return surd_sum([x * contract(self.rest, known, fixed) for x, known in self.factor.terms(spins)])

    def latex(self) -> str:
        """The derivation, one line for each step, then the formula: an ``align*`` environment."""
        lines = [r"\begin{align*}"]
        for k, step in enumerate(self.steps):
            after = rf"\ \mathcal{{G}}_{{{k + 1}}}" if step.vertices else ""
            what = f"{step.name} ${', '.join(map(latex_name, step.lines))}$"
            lines.append(rf"\mathcal{{G}}_{{{k}}} &= {step.factor.latex() or '1'}{after} && \text{{{what}}} \\")
        rest = rf"\ \mathcal{{G}}_{{{len(self.steps)}}}" if self.rest else ""
        return "\n".join([*lines, rf"\mathcal{{G}}_{{0}} &= {self.factor.latex() or '1'}{rest}", r"\end{align*}"])


def reduce_graph(graph: YutsisGraph, width: int = 4) -> Reduction:
    """Reduce a graph; what `YutsisGraph.simplify` calls. Same argument.

    Raises
    ------
    ArgumentError
        If `width` is no integer from 1 to 1000.
    """
    width = check_integer("YutsisGraph.simplify", "width", width, 1, 1000)
    start = State({k: list(vertex) for k, vertex in enumerate(graph.vertices)}, graph.lines)
    start.shrink()
    beam, best = [start], None
    while best is None:
        done = [state for state in beam if not state.cycles[1]]
        if done:
            best = min(done, key=lambda state: len(state.total.six))
            break
        children: dict[Any, State] = {}
        for state in beam:
            for move in state.cycles[1]:
                child = state.copy()
                child.interchange(*move)
                child.shrink()
                key = tuple(sorted(tuple(sorted(ends)) for ends in child.places().values()))
                if key not in children or children[key].cost() > child.cost():
                    children[key] = child
        beam = sorted(children.values(), key=State.score)[:width]
    again = State({k: list(vertex) for k, vertex in enumerate(graph.vertices)}, graph.lines)
    again.record = True
    again.shrink()
    for move in best.history:
        again.interchange(*move)
        again.shrink()
    again.total.drop_implied()
    rest = tuple((a, b, c) for a, b, c in again.vertices.values())
    return Reduction(graph, tuple(again.steps), again.total, rest)
