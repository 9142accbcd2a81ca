"""Columns of the terms of Clebsch-Gordan products: one term for every coupling and every set of channels that meets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.certified.lowering import Lowering
from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.exact.cg import cg_table, cg_table_real
from nbody_ref.exact.surd import Surd
from nbody_ref.irreps import Irreps

__all__ = ["CoupledColumns", "CoupledPath", "coupled_columns"]

Array = np.ndarray[Any, Any]
ONE = Surd(1, 1)


class CoupledPath(NamedTuple):
    """Parts i1 and i2 are coupled into part `out`.

    `letters` name the channels of (part 1, part 2, weight, result): "u", "v", "uv", "u" weighs a[u] b[v] by w[u, v] and
    sums over v.
    """

    i1: int
    i2: int
    out: int
    letters: tuple[str, str, str, str]
    coefficient: Surd = ONE


class CoupledColumns(NamedTuple):
    """For each term of a row: columns of the result, of the factors and of the weights; index of the coefficient."""

    out: Array
    x1: Array
    x2: Array
    w: Array
    coef: Array
    table: tuple[Surd, ...]

    def terms(
        self, low: Lowering, names: tuple[str, ...], to: Array, shape: tuple[int, ...], fro: tuple[Array, ...]
    ) -> Terms:
        """Terms of the variables `names`, two or with weights three: rows `to` of the result, `fro` of each factor."""
        legs = tuple(Leg(name, rows, columns) for name, rows, columns in zip(names, fro, self[1:4]))
        shapes = {name: low.shape(name) for name in names}
        return Terms(to, self.out, shape, legs, self.coef, self.table, shapes)


def coupled_columns(
    types: tuple[Irreps, Irreps, Irreps], paths: Iterable[CoupledPath], basis: str = "real"
) -> CoupledColumns:
    """Terms of the paths between two states of these types and a result; weights path by path, letters row-major."""
    found: list[list[Array]] = [[], [], [], [], []]
    table: dict[Surd, int] = {}
    start = 0
    for path in paths:
        parts = tuple(irreps[i] for irreps, i in zip(types, path[:3]))
        l1, l2, l = degrees = tuple(part.irrep.l for part in parts)
        sizes: dict[str, int] = {}
        for letter, part in zip((*path.letters[:2], path.letters[3]), parts):
            if len(letter) == 1:
                sizes.setdefault(letter, part.mul)
        entries = (cg_table_real if basis == "real" else cg_table)(l1, l2, l)
        c = np.array([table.setdefault(value * path.coefficient, len(table)) for *_, value in entries], np.int64)
        m1, m2, m = (np.array([entry[k] for entry in entries]) + degrees[k] for k in range(3))
        letters = sorted(sizes)
        grid = dict(zip(letters, np.indices([sizes[letter] for letter in letters]).reshape(len(letters), -1)))
        first, second, weight, result = (_channel(text, grid, sizes) for text in path.letters)
        places = ((2, path.out, m, result), (0, path.i1, m1, first), (1, path.i2, m2, second))
        for column, (k, i, component, channel) in zip(found, places):
            column.append((types[k].offsets[i] + component[:, None] * types[k][i].mul + channel).reshape(-1))
        found[3].append(np.broadcast_to(start + weight, (len(c), len(weight))).reshape(-1))
        found[4].append(np.broadcast_to(c[:, None], (len(c), len(weight))).reshape(-1))
        start += int(np.prod([sizes[letter] for letter in path.letters[2]]))
    out, x1, x2, w, coef = (np.concatenate([np.empty(0, np.int64), *column]) for column in found)
    return CoupledColumns(out, x1, x2, w, coef, tuple(table))


def _channel(letters: str, grid: dict[str, Array], sizes: dict[str, int]) -> Array:
    """Flat channel number of some letters, C order."""
    index = np.zeros_like(next(iter(grid.values())))
    for letter in letters:
        index = index * sizes[letter] + grid[letter]
    return index
