"""Terms of the products of the kit: one term for every coupling, channel and row."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from nbody_ref.certified.terms import Leg, Terms, complexified, derivatives
from nbody_ref.conformance.operations.operation import MODES, Product
from nbody_ref.exact.cg import cg_table, cg_table_real
from nbody_ref.exact.surd import Surd

__all__ = ["product_derivatives", "product_terms", "template"]

Array = np.ndarray[Any, Any]


def product_derivatives(
    op: Product, inputs: dict[str, Array], order: int, tangent: str
) -> dict[str, tuple[Terms, ...]]:
    """Results of one order of a product, in the complex gauge over complex numbers without conjugation."""
    found = derivatives(product_terms(op, inputs), order, tangent)
    if op.basis == "real":
        return found
    return {name: tuple(part for terms in every for part in complexified(terms)) for name, every in found.items()}


def product_terms(product: Product, inputs: dict[str, Array]) -> Terms:
    """Terms of a product for the rows (and the graph) of `inputs`; in the complex gauge, terms of complex numbers."""
    out, x1, x2, w, coef, table = template(product)
    rows, nodes = len(inputs["x2"]), len(inputs["x1"])
    shapes = replace(product, basis="real").shapes(rows, nodes)
    b = np.arange(rows, dtype=np.int64)
    to, fro = (inputs["receivers"], inputs["senders"]) if product.graph else (b, b)
    legs = [Leg("x1", np.asarray(fro, np.int64), x1), Leg("x2", b, x2)]
    legs += [Leg("w", b, w)] if product.weighted else []
    return Terms(np.asarray(to, np.int64), out, shapes["out"], tuple(legs), coef, table, shapes)


@lru_cache(maxsize=256)
def template(product: Product) -> tuple[Array, Array, Array, Array, Array, tuple[Surd, ...]]:
    """Columns of one row: result, x1, x2, w; index of the coefficient; coefficients."""
    found: list[list[Array]] = [[], [], [], [], []]
    table: dict[Surd, int] = {}
    start = 0
    for p, i in enumerate(product.instructions):
        (l1, l2, l), sizes = product.degrees(p), product.channels(p)
        entries = (cg_table_real if product.basis == "real" else cg_table)(l1, l2, l)
        c = np.array([table.setdefault(value * i.coefficient, len(table)) for *_, value in entries], np.int64)
        m1, m2, m = (np.array([entry[k] for entry in entries]) + (l1, l2, l)[k] for k in range(3))
        letters = sorted(sizes)
        grid = dict(zip(letters, np.indices([sizes[letter] for letter in letters]).reshape(len(letters), -1)))
        first, second, weight, result = (_channel(text, grid, sizes) for text in MODES[i.mode])
        parts = (
            (product.irreps_out, i.out, m, result),
            (product.irreps_1, i.i1, m1, first),
            (product.irreps_2, i.i2, m2, second),
        )
        for column, (irreps, part, component, channel) in zip(found, parts):
            column.append((irreps.offsets[part] + component[:, None] * irreps[part].mul + channel).reshape(-1))
        found[3].append(np.broadcast_to(start + weight, (len(c), len(weight))).reshape(-1))
        found[4].append(np.broadcast_to(c[:, None], (len(c), len(weight))).reshape(-1))
        start += int(np.prod(product.weight_shape(p)))
    out, x1, x2, w, coef = (np.concatenate([np.empty(0, np.int64), *column]) for column in found)
    return out, x1, x2, w, coef, tuple(table)


def _channel(letters: str, grid: dict[str, Array], sizes: dict[str, int]) -> Array:
    """Flat channel number of some letters, C order."""
    index = np.zeros_like(next(iter(grid.values())))
    for letter in letters:
        index = index * sizes[letter] + grid[letter]
    return index
