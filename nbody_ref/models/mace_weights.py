r"""Weights of MACE in the published order, and the constant maps from them to what our ops read.

A linear layer of e3nn multiplies stored weights by 1/sqrt(fan-in) and a path of its tensor product carries the sign of
its own couplings. All of that is one sparse matrix M for each array, y = M w (`nbody_ref.ops.weight_map`), so that the
parameters of a `Mace` are the published numbers and gradients come out in the published order.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.models.mace_paths import coupling_sign, symmetric
from nbody_ref.ops.message_table import MessagePath, MessageTable
from nbody_ref.ops.mixing import MixingTable
from nbody_ref.ops.weight_map import WeightMap

__all__ = ["contraction_map", "flat_map", "layer_map", "linear_map", "message_table", "path_signs", "reachable"]


def reachable(irreps_in: Irreps, irreps_out: Irreps) -> Irreps:
    """Parts of the result that a linear map can reach; e3nn leaves the others zero."""
    return Irreps(part for part in irreps_out if irreps_in.count(part.irrep))


def linear_map(
    irreps_in: Irreps, irreps_out: Irreps, n_kinds: int = 0, factors: Sequence[float] | None = None
) -> WeightMap:
    """From the weights of e3nn's `Linear`, or `FullyConnectedTensorProduct` with a one-hot vector, to `mixing`.

    Parameters
    ----------
    irreps_in, irreps_out : Irreps
        Every part of the result must have an input.
    n_kinds : int
        Length of the one-hot vector; 0: a `Linear`.
    factors : sequence of float
        One for each part of the input, by default 1.

    Returns
    -------
    WeightMap
        From (n,), blocks (mul_in, n_kinds, mul_out) by parts of the input, then of the result, to (n_kinds or 1,
        table.n_weights). Entries: factor / sqrt(fan-in).
    """
    table, kinds = MixingTable.build(irreps_in, irreps_out), max(n_kinds, 1)
    rows, columns, values, at, reached = [], [], [], 0, dict.fromkeys((part.irrep for part in irreps_in), 0)
    for i, part in enumerate(irreps_in):
        before, factor = reached[part.irrep], 1.0 if factors is None else factors[i]
        reached[part.irrep] += part.mul
        for block in table.blocks:
            if block.irrep != part.irrep:
                continue
            mul = block.mul_out
            u, z, v = np.ogrid[: part.mul, :kinds, :mul]
            rows.append((z * table.n_weights + block.offset + (before + u) * mul + v).ravel())
            columns.append((at + (u * kinds + z) * mul + v).ravel())
            values.append(np.full(columns[-1].size, factor / sqrt(block.mul_in * kinds)))
            at += part.mul * kinds * mul
    entries = (np.concatenate(found) for found in (rows, columns, values))
    return WeightMap.build((at,), (kinds, table.n_weights), *entries)


def layer_map(n_in: int, n_out: int) -> WeightMap:
    """From the weights (n_in, n_out) of a layer of e3nn's `FullyConnectedNet` to (1, n_in * n_out)."""
    index = np.arange(n_in * n_out)
    return WeightMap.build((n_in, n_out), (1, n_in * n_out), index, index, 1.0 / sqrt(n_in))


def message_table(states: Irreps, messages: Irreps, lmax: int) -> MessageTable:
    """Paths of eq. (M2) in the published order: by irrep of the result, then part of the state, then degree of Y."""
    kept = {part.irrep for part in messages}
    every: list[MessagePath] = [path for path in MessageTable.build(states, lmax).paths if path[2] in kept]
    every.sort(key=lambda path: (path[2].l, path[2].p or 0))
    return MessageTable.build(states, lmax, paths=every)


def path_signs(table: MessageTable, convention: str) -> list[int]:
    """Sign of every path: e3nn's coupling over ours, and (-1)^l2 since MACE's edges point the other way."""
    triples = [(table.irreps_in[part].irrep.l, l2, irrep.l) for part, l2, irrep in table.paths]
    return [coupling_sign(convention, *triple) * (-1) ** triple[1] for triple in triples]


def contraction_map(messages: Irreps, n: int, root: Irrep, n_kinds: int, convention: str) -> WeightMap:
    """From the weights (n_kinds, published paths, channels) of eq. (M4) to (n_kinds, independent paths * channels)."""
    both, mul = symmetric(messages, n, root, convention), messages[0].mul
    paths = np.array([(k, i) for k, i, _ in both.expansion]).reshape(-1, 2)
    factors = np.array([value for _, _, value in both.expansion])
    z, e, c = np.ogrid[:n_kinds, : len(paths), :mul]
    rows = (z * both.n_independent + paths[:, 1][e]) * mul + c
    columns = (z * both.n_published + paths[:, 0][e]) * mul + c
    values = np.broadcast_to(factors[e], rows.shape)
    return WeightMap.build(
        (n_kinds, both.n_published, mul), (n_kinds, both.n_independent * mul), rows, columns, values.ravel()
    )


def flat_map(shape: tuple[int, int, int]) -> WeightMap:
    """From weights (n_kinds, paths, channels) to (n_kinds, paths * channels), unchanged."""
    index = np.arange(shape[0] * shape[1] * shape[2])
    return WeightMap.build(shape, (shape[0], shape[1] * shape[2]), index, index, 1.0)
