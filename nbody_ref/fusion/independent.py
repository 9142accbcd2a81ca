"""Which couplings of equal states are independent, for any tree, as tables in a canonical order.

A coupling fed with n copies of one state is a polynomial in its components; of the labelings of a tree many are equal
or depend on each other. Kept is each labeling that the ones before it do not determine. The choice is proved: the kept
ones are independent at random integer states modulo a prime, hence over the rationals, and there are as many of them
as the character formula says there can be.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

from nbody_ref.errors import SchemeError
from nbody_ref.fusion.diagram import Diagram, labelings
from nbody_ref.fusion.evaluate import evaluate_monomial
from nbody_ref.fusion.label import Label, as_label
from nbody_ref.fusion.symmetric import CombPath, check_state, symmetric_dimension
from nbody_ref.fusion.tree import Tree, check_tree, leaves, left_comb

__all__ = ["CouplingTable", "independent_couplings"]

PRIME = 2**61 - 1


@dataclass(frozen=True)
class CouplingTable:
    """Independent couplings of a state with itself.

    Attributes
    ----------
    labels : tuple of labels
        Parts of the state.
    tree : nested pairs
    root : Irrep or Spin
    couplings : tuple of CombPath
        Part on each leg, and the labelled tree; parts ascending from leaf 0 on, lexicographically, then as `labelings`.

    Examples
    --------
    >>> from nbody_ref.fusion import independent_couplings
    >>> len(independent_couplings(["1o"], 3, "1o").couplings)
    1
    """

    labels: tuple[Label, ...]
    tree: Tree
    root: Label
    couplings: tuple[CombPath, ...]

    def json(self) -> str:
        """The table as JSON text, one coupling on a line: parts on the legs, labels of the bonds in post-order."""
        head = {
            "parts": [str(label) for label in self.labels],
            "tree": str(self.tree),
            "root": str(self.root),
            "count": len(self.couplings),
        }
        rows = [json.dumps([list(c.parts), [str(b) for b in c.diagram.bonds]]) for c in self.couplings]
        return json.dumps(head)[:-1] + ', "couplings": [\n' + ",\n".join(rows) + "\n]}"


def independent_couplings(parts: Any, n: int, root: Any, tree: Any = None) -> CouplingTable:
    """Independent couplings of the n-fold product of a state with itself, in canonical order.

    Parameters
    ----------
    parts, n, root
        As in `symmetric_dimension`. A part that occurs twice (radial channels) counts as two different parts.
    tree : nested pairs, optional
        Any tree on n leaves; None: the left comb of MACE. ``((0, 1), (2, 3))`` is the tree of four in FitSNAP.

    Returns
    -------
    CouplingTable
        With `symmetric_dimension` couplings.

    Raises
    ------
    SchemeError, IrrepsError
        As `symmetric_dimension`, and if `tree` has not n leaves.

    Examples
    --------
    >>> [[str(b) for b in c.diagram.bonds] for c in independent_couplings("1o", 4, "0e", ((0, 1), (2, 3))).couplings]
    [['0e', '0e']]
    """
    labels, n, wanted = check_state("independent_couplings", parts, n, root)
    shape = left_comb(n) if tree is None else check_tree("independent_couplings", tree)
    if len(leaves(shape)) != n:
        raise SchemeError(f"independent_couplings: 'tree' must have {n} leaves, got {len(leaves(shape))}")
    rng = random.Random(0)
    found: list[CombPath] = []
    for chosen in combinations_with_replacement(range(len(labels)), n):
        diagrams = labelings(shape, [labels[p] for p in chosen], wanted)
        found += [CombPath(chosen, diagram) for diagram in _independent(diagrams, labels, chosen, rng)]
    expected = symmetric_dimension(parts, n, as_label("independent_couplings", root))
    if len(found) != expected:  # states that are special modulo the prime: chance 1 in 10^16
        raise ArithmeticError(f"independent_couplings: {len(found)} found, the character formula has {expected}")
    return CouplingTable(labels, shape, wanted, tuple(found))


def _independent(
    diagrams: Sequence[Diagram], labels: Sequence[Label], chosen: Sequence[int], rng: random.Random
) -> list[Diagram]:
    """Diagrams whose highest component is no combination of the ones before, by elimination modulo a prime."""
    states = []
    for _ in diagrams:
        state = {p: [rng.randrange(PRIME) for _ in range(labels[p].dim)] for p in set(chosen)}
        states.append([state[p] for p in chosen])
    kept: list[Diagram] = []
    rows: dict[int, list[int]] = {}  # pivot -> row with a 1 there
    for diagram in diagrams:
        row = [evaluate_monomial(diagram, state)[-1] % PRIME for state in states]
        for pivot, other in rows.items():
            if row[pivot]:
                row = [(x - row[pivot] * y) % PRIME for x, y in zip(row, other)]
        pivot = next((k for k, x in enumerate(row) if x), -1)
        if pivot >= 0:
            inverse = pow(row[pivot], -1, PRIME)
            rows[pivot] = [x * inverse % PRIME for x in row]
            kept.append(diagram)
    return kept
