"""Fusion diagrams as sums of terms: coupling tensors written out, with the sizes of a kernel that goes by vertices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.exact.cg import cg_table_real
from nbody_ref.exact.surd import Surd
from nbody_ref.fusion.diagram import Diagram
from nbody_ref.fusion.evaluate import coupling_tensor
from nbody_ref.fusion.table import Term
from nbody_ref.irreps import Irreps

__all__ = ["DiagramTensor", "diagram_slack", "diagram_tensor", "diagram_terms"]

Array = np.ndarray[Any, Any]
ONE = Surd(1, 1)


def diagram_slack(terms: Sequence[Term]) -> float:
    """Roundings of a correct kernel beside those of the sum: two more for each leg than a product."""
    return 8.0 + 2 * max(len(term.sources) for term in terms)


def diagram_terms(
    types: tuple[Sequence[Irreps], Irreps],
    terms: Sequence[Term],
    mode: str,
    names: Sequence[str],
    n: int,
    coefficients: Sequence[Surd] = (),
    slack: float = 8.0,
) -> tuple[Terms, ...]:
    """One group of terms for each diagram on the states `names`, n rows each.

    Parameters
    ----------
    types : (sequence of Irreps, Irreps)
        Types of the states, and of the result: one part for each term.
    terms : sequence of Term
    mode : {"channelwise", "full"}
    names : sequence of str
    n : int
    coefficients : sequence of Surd, optional
        Factor of every term.
    slack : float
    """
    irreps, out = types
    rows, found = np.arange(n), []
    shapes: dict[str, tuple[int, ...]] = {name: (n, tau.dim) for name, tau in zip(names, irreps)}
    for t, term in enumerate(terms):
        tensor, order = diagram_tensor(term.diagram, coefficients[t] if coefficients else ONE), _leg_order(term)
        muls = [irreps[s][p].mul for s, p in (term.sources[k] for k in order)]
        channels = np.broadcast_to(np.arange(muls[0]), (len(muls), muls[0]))
        if mode == "full":
            channels = np.indices(muls).reshape(len(muls), -1)
        columns = []
        for k, (s, p) in enumerate(term.sources):
            start, part = irreps[s].offsets[p], irreps[s][p]
            columns.append(start + tensor.components[k][:, None] * part.mul + channels[order.index(k)])
        count = channels.shape[1]
        result = out.offsets[t] + tensor.components[-1][:, None] * count + np.arange(count)
        legs = tuple(Leg(names[s], rows, c.reshape(-1)) for (s, _), c in zip(term.sources, columns))
        coef, sizes = np.repeat(np.arange(len(tensor.table)), count), tensor.sizes
        shape = (n, out.dim)
        group = Terms(rows, result.reshape(-1), shape, legs, coef, tensor.table, shapes, sizes=sizes, slack=slack)
        found.append(group)
    return tuple(found)


@dataclass(frozen=True)
class DiagramTensor:
    """Components of every leg and of the root, coefficients, and sizes of the terms of a vertex-by-vertex kernel."""

    components: tuple[Array, ...]
    table: tuple[Surd, ...]
    sizes: tuple[float, ...]


@lru_cache(maxsize=4096)
def diagram_tensor(diagram: Diagram, factor: Surd = ONE) -> DiagramTensor:
    """The coupling tensor of a diagram times a factor, in the real gauge."""
    exact, sizes = coupling_tensor(diagram, "real"), _absolute(diagram)
    keys = list(sizes)
    degrees = [label.l for label in (*diagram.legs, diagram.root)]  # type: ignore[union-attr]
    components = tuple(np.array([int(key[i]) + l for key in keys], np.int64) for i, l in enumerate(degrees))
    scale = float(factor) * factor.sign
    zero = Surd(0, 0)
    return DiagramTensor(
        components, tuple(exact.get(key, zero) * factor for key in keys), tuple(sizes[key] * scale for key in keys)
    )


def _absolute(diagram: Diagram) -> dict[tuple[int, ...], float]:
    """Sum over the bonds of products of absolute coupling coefficients, by components of legs and root."""

    def grow(node: Any) -> tuple[tuple[int, ...], int, dict[tuple[int, ...], float]]:
        if isinstance(node, int):
            l = diagram.legs[node].l  # type: ignore[union-attr]
            return (node,), l, {(m, m): 1.0 for m in range(-l, l + 1)}
        label, left, right = node
        (order_a, la, a), (order_b, lb, b) = grow(left), grow(right)
        found: dict[tuple[int, ...], float] = {}
        for ma, mb, m, value in cg_table_real(la, lb, label.l):
            for key_a, x in a.items():
                for key_b, y in b.items():
                    if key_a[-1] == ma and key_b[-1] == mb:
                        key = (*key_a[:-1], *key_b[:-1], m)
                        found[key] = found.get(key, 0.0) + x * y * abs(float(value))
        return order_a + order_b, label.l, found

    order, _, tensor = grow(diagram.nodes)
    place = [order.index(leaf) for leaf in range(len(order))]
    return {(*(key[p] for p in place), key[-1]): value for key, value in tensor.items()}


def _leg_order(term: Term) -> list[int]:
    """Legs from left to right in the tree."""

    def walk(node: Any) -> list[int]:
        return [node] if isinstance(node, int) else walk(node[1]) + walk(node[2])

    return walk(term.diagram.nodes)
