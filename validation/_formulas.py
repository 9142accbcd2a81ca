"""The multilinear operations as the formulas of their derivation pages, loops over hyper-dual integers.

A hyper-dual number is a + b s + c t + d s t with s^2 = t^2 = 0: its coefficients of s, of t and of s t are derivatives.
Shared by the scripts that judge gradients and rounding; each sets `coupling` to the numbers it wants in place of C.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse

from nbody_ref import Irreps
from nbody_ref.graphs import Edges
from nbody_ref.ops import cg_product, message, mixing, radial_weights

Array = np.ndarray[Any, Any]


def coupling(l1: int, l2: int, l: int) -> Array:
    """Array (m1, m2, m) of integers in place of C; replaced by the scripts."""
    raise NotImplementedError("a script sets _formulas.coupling")


class Hyper:
    """Array of hyper-dual integers; `parts` maps the bits of s (1), t (2) to integer arrays."""

    def __init__(self, parts: dict[int, Array]) -> None:
        self.parts = parts

    def __getitem__(self, index: Any) -> Hyper:
        return Hyper({bits: array[index] for bits, array in self.parts.items()})

    def __add__(self, other: Hyper) -> Hyper:
        bits = self.parts.keys() | other.parts.keys()
        return Hyper({b: sum(x.parts[b] for x in (self, other) if b in x.parts) for b in bits})

    def reshape(self, *shape: int) -> Hyper:
        """The same numbers in another shape."""
        return Hyper({bits: array.reshape(*shape) for bits, array in self.parts.items()})


def contract(spec: str, left: Hyper, right: Hyper) -> Hyper:
    """`numpy.einsum` of two hyper-dual arrays."""
    found: dict[int, Array] = {}
    for a, x in left.parts.items():
        for b, y in right.parts.items():
            if not a & b:
                found[a | b] = found.get(a | b, 0) + np.einsum(spec, x, y)
    return Hyper(found)


def dense(l1: int, l2: int, l: int) -> Hyper:
    """The coupling as a constant."""
    return Hyper({0: coupling(l1, l2, l)})


def part(x: Hyper, irreps: Irreps, k: int) -> Hyper:
    """Part k of a flat state, (2l + 1, mul)."""
    mul, irrep = irreps[k]
    start = irreps.offsets[k]
    return x[start : start + mul * irrep.dim].reshape(irrep.dim, mul)


def stack(blocks: Sequence[Hyper]) -> Hyper:
    """Blocks flattened, side by side."""
    bits = set().union(*(block.parts for block in blocks))
    sizes = [next(iter(block.parts.values())).size for block in blocks]
    found = {}
    for b in bits:
        pairs = zip(blocks, sizes)
        zeros = (block.parts[b].reshape(-1) if b in block.parts else np.zeros(size, np.int64) for block, size in pairs)
        found[b] = np.concatenate(list(zeros))
    return Hyper(found)


EDGES = Edges.build([0, 0, 1, 1, 1, 2], [0, 2, 0, 1, 3, 2], 3, 4)
PSI = Irreps("2x0e + 1x1o + 2x1o + 1x2e")
MESSAGE = message.MessageTable.build(PSI, 2, out=("0e", "1o", "1e", "2e"))


def message_of(table: Any, edges: Edges) -> Callable[[Hyper, Hyper, Hyper], Hyper]:
    """sum_e w C x Y, edge by edge and path by path."""
    irreps, n_out = table.irreps_in, table.irreps_out.dim

    def formula(x: Hyper, Y: Hyper, w: Hyper) -> Hyper:
        rows = [[Hyper({0: np.zeros(n_out, np.int64)})] for _ in range(edges.n_receivers)]
        for e, (i, j) in enumerate(zip(edges.receivers, edges.senders)):
            blocks, at = [], 0
            for k, l2, irrep in table.paths:
                mul, l1 = irreps[k].mul, irreps[k].irrep.l
                folded = contract("ijk,j->ik", dense(l1, l2, irrep.l), Y[e, l2 * l2 : (l2 + 1) ** 2])
                product = contract("ik,ic->kc", folded, part(x[j], irreps, k))
                blocks.append(contract("kc,c->kc", product, w[e, at : at + mul]))
                at += mul
            rows[i].append(stack(blocks))
        return stack([sum(row[1:], row[0]) for row in rows]).reshape(edges.n_receivers, n_out)

    return formula


A, B = Irreps("2x0e + 1x1o + 2x2e"), Irreps("2x1o + 1x1e + 2x0o")
FULL = cg_product.ProductTable.build(A, B)
SQUARE = Irreps("2x0e + 2x1o + 2x2e")
CHANNELWISE = cg_product.ProductTable.build(SQUARE, SQUARE, mode="channelwise")


def product_formula(table: Any) -> Callable[..., Hyper]:
    """sum C a b, row by row and path by path."""

    def formula(a: Hyper, b: Hyper) -> Hyper:
        count = next(iter(a.parts.values())).shape[0]
        rows = []
        for n in range(count):
            blocks = []
            for i, j, irrep in table.paths:
                C = dense(table.irreps_a[i].irrep.l, table.irreps_b[j].irrep.l, irrep.l)
                left = contract("ijk,iu->jku", C, part(a[n], table.irreps_a, i))
                spec = "jku,jv->kuv" if table.mode == "full" else "jku,ju->ku"
                blocks.append(contract(spec, left, part(b[n], table.irreps_b, j)))
            rows.append(stack(blocks))
        return stack(rows).reshape(count, table.irreps_out.dim)

    return formula


MIXING = mixing.MixingTable.build("2x0e + 1x1o + 1x0e + 2x1o", "1x1o + 3x0e + 2x1o")
KIND = np.array([1, 0, 1, 1])


def mixing_of(table: Any, kinds: Sequence[int]) -> Callable[[Hyper, Hyper], Hyper]:
    """F^l W^l with the parts of equal irrep side by side."""

    def formula(F: Hyper, W: Hyper) -> Hyper:
        rows = []
        for n, kind in enumerate(kinds):
            blocks = []
            for irrep, mul_in, mul_out, at in table.blocks:
                matrix, row = W[kind, at : at + mul_in * mul_out].reshape(mul_in, mul_out), 0
                terms = []
                for k, (mul, other) in enumerate(table.irreps_in):
                    if other == irrep:
                        terms.append(contract("mc,cd->md", part(F[n], table.irreps_in, k), matrix[row : row + mul]))
                        row += mul
                blocks.append(sum(terms[1:], terms[0]))
            rows.append(stack(blocks))
        return stack(rows).reshape(len(kinds), table.irreps_out.dim)

    return formula


def neighbours_of(edges: Edges, dim: int) -> Callable[[Hyper], Hyper]:
    """Sum over the senders of each receiver."""

    def formula(x: Hyper) -> Hyper:
        rows = [[Hyper({0: np.zeros(dim, np.int64)})] for _ in range(edges.n_receivers)]
        for i, j in zip(edges.receivers, edges.senders):
            rows[i].append(x[j])
        return stack([sum(row[1:], row[0]) for row in rows]).reshape(edges.n_receivers, dim)

    return formula


message_formula = message_of(MESSAGE, EDGES)
mixing_formula = mixing_of(MIXING, KIND)
neighbour_formula = neighbours_of(EDGES, 3)


def relative_formula(a: Hyper, b: Hyper) -> Hyper:
    """Sender minus receiver."""
    minus = Hyper({0: np.int64(-1)})
    rows = [a[j] + contract(",k->k", minus, b[i]) for i, j in zip(EDGES.receivers, EDGES.senders)]
    return stack(rows).reshape(EDGES.n_edges, 3)


N_RADIAL = 2
WEIGHTS = radial_weights.RadialTable.build(MESSAGE, N_RADIAL, [k % N_RADIAL for k in range(len(MESSAGE.paths))])
EDGE_KIND = np.array([0, 1, 1, 0, 1, 0])


def weights_formula(R: Hyper, V: Hyper) -> Hyper:
    """sum_n R V by path."""
    rows = []
    for e, kind in enumerate(EDGE_KIND):
        blocks, at = [], 0
        for k, l2, _ in MESSAGE.paths:
            mul = PSI[k].mul
            block = V[kind, at : at + N_RADIAL * mul].reshape(N_RADIAL, mul)
            blocks.append(contract("n,nc->c", R[e, l2], block))
            at += N_RADIAL * mul
        rows.append(stack(blocks))
    return stack(rows).reshape(len(EDGE_KIND), MESSAGE.n_weights)


def copies_formula(R: Hyper) -> Hyper:
    """One radial function per path."""
    rows = []
    for e in range(EDGES.n_edges):
        blocks = []
        for p, (k, l2, _) in enumerate(MESSAGE.paths):
            ones = Hyper({0: np.ones(PSI[k].mul, np.int64)})
            blocks.append(contract(",c->c", R[e, l2, p % N_RADIAL], ones))
        rows.append(stack(blocks))
    return stack(rows).reshape(EDGES.n_edges, MESSAGE.n_weights)


MATRIX = scipy.sparse.csr_array(np.array([[2.0, -1, 0, 0], [0, 0, 1, 0], [1, 1, 1, -2]]))


def affine_formula(r: Hyper) -> Hyper:
    """Combinations of points."""
    return contract("ij,jk->ik", Hyper({0: MATRIX.toarray().astype(np.int64)}), r)


def concat_formula(a: Hyper, b: Hyper) -> Hyper:
    """States side by side."""
    return stack([stack([a[n], b[n]]) for n in range(3)]).reshape(3, 7)
