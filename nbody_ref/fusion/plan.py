"""Plans of evaluation: the same terms as combinations of other diagrams, and what each plan costs.

Private to the package; `FusionTable.build` compares the plans. Steps E1 to E5: docs/derivations/fusion_evaluation.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbody_ref.exact import Surd, surd_sum
from nbody_ref.fusion.diagram import Node
from nbody_ref.fusion.label import Label
from nbody_ref.fusion.recoupling import braid_sign, gauge_power, to_tree
from nbody_ref.fusion.symmetric import symmetric_basis
from nbody_ref.fusion.tree import Tree, all_trees, left_comb
from nbody_ref.irreps import Irreps
from nbody_ref.tables import cg_coo

if TYPE_CHECKING:
    from nbody_ref.fusion.table import Term

MOST_LEGS = 6  # trees are compared up to this number of legs
MOST_TREES = 15  # and at most so many

Combination = tuple[tuple[Node, Surd], ...]  # labelled trees on the leaf numbers of the term
Sourced = tuple[tuple[tuple[int, int], ...], Combination]  # the same with sources of their own for the leaves
Key = tuple[Any, Any]  # (shape in terms of states, node in terms of parts)


@dataclass(frozen=True)
class Keys:
    """Distinct subdiagrams by shape, in order of dependence, and every term as a combination of them."""

    shapes: dict[Any, list[Node]]
    rows: list[tuple[tuple[Key, Surd], ...]]


def plans(
    types: Sequence[Irreps], terms: Sequence[Term], drawn: list[Combination], mode: str, order: str
) -> Iterator[tuple[str, list[Any]]]:
    """Names and combinations of the plans; the first is the one drawn."""
    yield "drawn", drawn
    n, states = len(terms[0].sources), {tuple(s for s, _ in term.sources) for term in terms}
    if order == "drawn" or mode == "full" or len(states) > 1 or not 2 < n <= MOST_LEGS:
        return
    (row,) = states
    trees = _distinct_trees(row)
    for tree in trees:
        yield str(tree), [_move(c, t.diagram.legs, tree) for c, t in zip(drawn, terms)]
    if len(set(row)) == 1:
        reduced = _reduce(types[row[0]], terms, drawn)
        for tree in trees:
            yield f"reduced {tree}", [tuple((s, _moved(s, c, types, tree)) for s, c in found) for found in reduced]


def keyed(types: Sequence[Irreps], terms: Sequence[Term], combinations: Sequence[Any], mode: str, basis: str) -> Keys:
    """Name every subdiagram by its labels and sources, up to braids in a channelwise product (E1, E3).

    Coefficients come in the complex gauge; in the real one they take the signs of D7.
    """
    shapes: dict[Any, list[Node]] = {}
    seen: set[Key] = set()
    rows = []
    for term, combination in zip(terms, combinations):
        power = gauge_power(term.diagram.nodes, term.diagram.legs)
        sums: dict[Key, list[Surd]] = {}
        for sources, pieces in _sourced(term, combination):
            legs = [types[s][p].irrep for s, p in sources]
            for node, coefficient in pieces:
                turned = basis == "real" and (power - gauge_power(node, legs)) % 4
                value = -coefficient if turned else coefficient
                key, sign = _key(node, sources, types, mode == "channelwise")
                if sign:
                    sums.setdefault(key, []).append(value * sign)
        totals = ((key, surd_sum(values)) for key, values in sums.items())
        row = tuple((key, value) for key, value in totals if value)
        rows.append(row)
        for key, _ in row:
            _register(key, shapes, seen)
    return Keys(shapes, rows)


def cost_of(keys: Keys, types: Sequence[Irreps], mode: str, basis: str) -> int:
    """Multiplications of all stages and of the recovery of the terms (E4)."""
    total = 0
    for shape, nodes in keys.shapes.items():
        for label, a, b in nodes:
            la, lb = _label(shape[0], a, types), _label(shape[1], b, types)
            channels = _channels((shape, (label, a, b)), types, mode)
            total += 2 * len(cg_coo(la.l, lb.l, label.l, basis).value) * channels
    for row in keys.rows:
        if len(row) > 1 or any(abs(value) != 1 for _, value in row):
            total += sum(_label(*key, types).dim * _channels(key, types, mode) for key, _ in row)
    return total


def _sourced(term: Term, combination: Any) -> Sequence[Sourced]:
    """Combinations of the term's own leaves are given its sources; reduced ones bring theirs."""
    if combination and isinstance(combination[0][1], Surd):
        return [(term.sources, combination)]
    return combination  # type: ignore[no-any-return]


def _key(node: Node, sources: Any, types: Sequence[Irreps], braids: bool) -> tuple[Key, int]:
    """Canonical name of a labelled subtree and its sign; the sign is 0 if it vanishes identically."""
    if isinstance(node, int):
        return (sources[node][0], sources[node][1]), 1
    label, left, right = node
    a, sign_a = _key(left, sources, types, braids)
    b, sign_b = _key(right, sources, types, braids)
    sign = sign_a * sign_b
    if braids:
        exchange = braid_sign(_label(*a, types), _label(*b, types), label)
        if a == b and exchange < 0:
            sign = 0
        elif repr(a) > repr(b):
            a, b, sign = b, a, sign * exchange
    return ((a[0], b[0]), (label, a[1], b[1])), sign


def _register(key: Key, shapes: dict[Any, list[Node]], seen: set[Key]) -> None:
    shape, node = key
    if isinstance(shape, int) or key in seen:
        return
    seen.add(key)
    _register((shape[0], node[1]), shapes, seen)
    _register((shape[1], node[2]), shapes, seen)
    shapes.setdefault(shape, []).append(node)


def _label(shape: Any, node: Node, types: Sequence[Irreps]) -> Any:
    return types[shape][node].irrep if isinstance(shape, int) else node[0]


def _channels(key: Key, types: Sequence[Irreps], mode: str) -> int:
    shape, node = key
    if isinstance(shape, int):
        return types[shape][node].mul
    left = _channels((shape[0], node[1]), types, mode)
    return left if mode == "channelwise" else left * _channels((shape[1], node[2]), types, mode)


def _distinct_trees(states: tuple[int, ...]) -> list[Tree]:
    """One tree of every shape that differs in terms of states."""
    found: dict[str, Tree] = {}
    for tree in all_trees(range(len(states))):
        found.setdefault(_shape(tree, states), tree)
        if len(found) == MOST_TREES:
            break
    return list(found.values())


def _shape(tree: Tree, states: tuple[int, ...]) -> str:
    return str(states[tree]) if isinstance(tree, int) else "({} {})".format(*sorted(_shape(t, states) for t in tree))


def _move(combination: Combination, legs: Sequence[Label], tree: Tree) -> Combination:
    return tuple((new, x * y) for node, x in combination for new, y in to_tree(node, legs, tree))


def _moved(sources: Any, combination: Combination, types: Sequence[Irreps], tree: Tree) -> Combination:
    return _move(combination, [types[s][p].irrep for s, p in sources], tree)


def _reduce(state: Irreps, terms: Sequence[Term], drawn: list[Combination]) -> list[list[Sourced]]:
    """Every term of a power of one state as a combination of independent comb diagrams with their own sources."""
    n, labels = len(terms[0].sources), [part.irrep for part in state]
    bases = {root: symmetric_basis(labels, n, root, basis="complex") for root in {term.diagram.root for term in terms}}
    index = {
        (path.parts, path.diagram.outputs): (basis, k) for basis in bases.values() for k, path in enumerate(basis.full)
    }
    found = []
    for term, combination in zip(terms, drawn):
        s, parts = term.sources[0][0], tuple(p for _, p in term.sources)
        pieces: list[Sourced] = []
        for node, x in _move(combination, term.diagram.legs, left_comb(n)):
            basis, k = index[parts, _comb_outputs(node)]
            for i, y in basis.expansion[k]:
                path = basis.paths[i]
                pieces.append((tuple((s, p) for p in path.parts), ((path.diagram.nodes, x * y),)))
        found.append(pieces)
    return found


def _comb_outputs(node: Node) -> tuple[Label, ...]:
    return () if isinstance(node, int) else (*_comb_outputs(node[1]), node[0])
