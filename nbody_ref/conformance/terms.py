"""Products written out as sums of terms, c times one element of each input, and their derivatives.

Every derivative of a multilinear expression is the same list of terms read towards another leg, so the gradients and
the second gradients need no formulas of their own: docs/derivations/certified_sums.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from nbody_ref.conformance.operation import MODES, Product
from nbody_ref.exact.cg import cg_table_real
from nbody_ref.exact.surd import Surd

__all__ = ["Terms", "derivatives", "product_terms"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Terms:
    """Result[out] = sum of table[coef] times the product over legs of inputs[name][index].

    Parameters
    ----------
    out : (T,) int64
        Flat index of the result that the term belongs to.
    shape : tuple of int
        Shape of the result.
    legs : dict of str to (T,) int64
        Flat index into each input.
    coef : (T,) int64
    table : tuple of Surd
    shapes : dict of str to tuple of int
        Shapes of the inputs.
    """

    out: Array
    shape: tuple[int, ...]
    legs: dict[str, Array]
    coef: Array
    table: tuple[Surd, ...]
    shapes: dict[str, tuple[int, ...]]

    def towards(self, name: str) -> Terms:
        """Adjoint in one input: that leg becomes the result, the result becomes the leg ``cotangent``."""
        legs = {key: index for key, index in self.legs.items() if key != name} | {"cotangent": self.out}
        shapes = self.shapes | {"cotangent": self.shape}
        return replace(self, out=self.legs[name], shape=self.shapes[name], legs=legs, shapes=shapes)

    def renamed(self, name: str, new: str) -> Terms:
        """The same terms with another array on one leg: the derivative in that input along a tangent."""
        legs = {(new if key == name else key): index for key, index in self.legs.items()}
        return replace(self, legs=legs, shapes=self.shapes | {new: self.shapes[name]})


def derivatives(forward: Terms, order: int, tangent: str = "") -> dict[str, Terms]:
    """All results of one order: {"out"}; gradients by input; second gradients by input and ``cotangent``.

    The second order is that of training on forces: with one tangent v of input k, the gradients in all inputs and in
    the cotangent of <v, adjoint in k>. The gradient in input k itself vanishes, since terms are linear in each leg.
    """
    if order == 0:
        return {"out": forward}
    if order == 1:
        return {name: forward.towards(name) for name in forward.legs}
    dot = f"{tangent}_dot"
    found = {name: forward.towards(name).renamed(tangent, dot) for name in forward.legs if name != tangent}
    return found | {"cotangent": forward.renamed(tangent, dot)}


def product_terms(product: Product, inputs: dict[str, Array]) -> Terms:
    """Terms of a product for the rows (and the graph) of `inputs`."""
    out, x1, x2, w, coef, table = _template(product)
    rows = len(inputs["x2"])
    nodes = len(inputs["x1"])
    shapes = product.shapes(rows, nodes)
    b = np.arange(rows, dtype=np.int64)
    to, fro = (inputs["receivers"], inputs["senders"]) if product.graph else (b, b)
    legs = {"x1": _spread(fro, shapes["x1"], x1), "x2": _spread(b, shapes["x2"], x2)}
    if product.weighted:
        legs["w"] = _spread(b, shapes["w"], w)
    return Terms(_spread(to, shapes["out"], out), shapes["out"], legs, np.tile(coef, rows), table, shapes)


def _spread(row: Array, shape: tuple[int, ...], template: Array) -> Array:
    return (np.asarray(row, np.int64)[:, None] * shape[1] + template).reshape(-1)


@lru_cache(maxsize=256)
def _template(product: Product) -> tuple[Array, Array, Array, Array, Array, tuple[Surd, ...]]:
    """Indices of one row: result, x1, x2, w, coefficient."""
    found: list[list[Array]] = [[], [], [], [], []]
    table: dict[Surd, int] = {}
    start = 0
    for p, i in enumerate(product.instructions):
        (l1, l2, l), sizes = product.degrees(p), product.channels(p)
        entries = cg_table_real(l1, l2, l)
        c = np.array([table.setdefault(value * i.coefficient, len(table)) for *_, value in entries], np.int64)
        m1, m2, m = (np.array([entry[k] for entry in entries]) + (l1, l2, l)[k] for k in range(3))
        letters = sorted(sizes)
        grid = dict(zip(letters, np.indices([sizes[letter] for letter in letters]).reshape(len(letters), -1)))
        first, second, weight, result = (_channel(text, grid, sizes) for text in MODES[i.mode])
        parts = (
            (product.irreps_out, i.out, m, result), (product.irreps_1, i.i1, m1, first),
            (product.irreps_2, i.i2, m2, second),
        )  # fmt: skip
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
