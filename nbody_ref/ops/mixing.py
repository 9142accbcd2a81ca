r"""Mixing of channels, eq. (9): every covariant linear map of a state multiplies each F^l from the right by a W^l.

.. math:: y^{l}_{n,m,c'} = \sum_c F^{l}_{n,m,c}\, W^{l}_{k(n),c,c'}

W depends on the kind k(n) of the node. Bilinear in (F, W). Derivation: docs/derivations/mixing.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.errors import IrrepsError
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.kernels.mixing import MixingArrays, mixing_forward, mixing_weights
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_index, check_needs, check_same_dtype, check_type

__all__ = ["MixingBlock", "MixingTable", "mixing", "mixing_jvp", "mixing_vjp", "mixing_vjp_jvp"]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...]
Adjoints = tuple[Array | None, ...]
Placed = tuple[int, list[tuple[int, int]], list[tuple[int, int]], int]


class MixingBlock(NamedTuple):
    """One W^l, (mul_in, mul_out) row-major, starting at `offset` of the flat weights."""

    irrep: Irrep
    mul_in: int
    mul_out: int
    offset: int


@dataclass(frozen=True)
class MixingTable:
    """One block for each part of `irreps_out`; its rows are all parts of that irrep in `irreps_in`, as written."""

    irreps_in: Irreps
    irreps_out: Irreps

    @classmethod
    def build(cls, irreps_in: Irreps | str, irreps_out: Irreps | str) -> MixingTable:
        """Check that every irrep of the result has an input.

        Raises
        ------
        IrrepsError
            If one has none.
        """
        return cls(Irreps(irreps_in), Irreps(irreps_out))

    def __post_init__(self) -> None:
        for name in ("irreps_in", "irreps_out"):
            object.__setattr__(self, name, Irreps(getattr(self, name)))
        for part in self.irreps_out:
            if not self.irreps_in.count(part.irrep):
                raise IrrepsError(f"MixingTable: 'irreps_out' has {part}, but 'irreps_in' has no {part.irrep}")

    @property
    def blocks(self) -> tuple[MixingBlock, ...]:
        """The W^l in the order of `irreps_out`."""
        found, at = [], 0
        for mul, irrep in self.irreps_out:
            found.append(MixingBlock(irrep, self.irreps_in.count(irrep), mul, at))
            at += found[-1].mul_in * mul
        return tuple(found)

    @property
    def n_weights(self) -> int:
        """Length of the weights of one kind."""
        return sum(block.mul_in * block.mul_out for block in self.blocks)

    def placed(self) -> list[Placed]:
        """For each block (2l + 1, parts of F, parts of the result, offset in W); a part is (offset, mul)."""
        found: list[Placed] = []
        for block, part, o in zip(self.blocks, self.irreps_out, self.irreps_out.offsets, strict=True):
            pairs = zip(self.irreps_in, self.irreps_in.offsets, strict=True)
            inputs = [(at, part_in.mul) for part_in, at in pairs if part_in.irrep == block.irrep]
            found.append((block.irrep.dim, inputs, [(o, part.mul)], block.offset))
        return found


def mixing(F: Array, W: Array, kind: Array, table: MixingTable) -> Array:
    r"""Covariant linear map of states, eq. (9), with weights chosen by the kind of each node.

    .. math:: y^{l}_{n,m,c'} = \sum_c F^{l}_{n,m,c} W^{l}_{k(n),c,c'}

    Parameters
    ----------
    F : (N, table.irreps_in.dim) float64, float32, complex128 or complex64
    W : (n_kinds, table.n_weights) same dtype
        Blocks in the order of `table.blocks`, each (mul_in, mul_out) row-major.
    kind : (N,) integers below n_kinds
    table : MixingTable

    Returns
    -------
    (N, table.irreps_out.dim) same dtype

    Raises
    ------
    ShapeError, DTypeError
        If a shape, an index or a dtype does not match.

    Notes
    -----
    |computed - exact| <= k u S, S = sum |F W|, k = mul_in/4 + 3 (a remainder counts one each). Independent of the
    number of threads and of the other rows. Derivation: docs/derivations/mixing.md; gradient `mixing_vjp`.
    """
    F, W, kind = _checked("mixing", F, W, kind, table)
    out = np.zeros((len(F), table.irreps_out.dim), F.dtype)
    apply(out, F, W, kind, _arrays(table)[0])
    return out


def mixing_jvp(
    F: Array, W: Array, F_dot: Array | None, W_dot: Array | None, kind: Array, table: MixingTable
) -> Array | None:
    """Tangent of `mixing`, F_dot W + F W_dot; None where both are None."""
    F, W, kind = _checked("mixing_jvp", F, W, kind, table)
    F_dot, W_dot = _like("mixing_jvp", "F_dot", F_dot, F), _like("mixing_jvp", "W_dot", W_dot, W)
    if F_dot is None and W_dot is None:
        return None
    out = np.zeros((len(F), table.irreps_out.dim), F.dtype)
    for left, right in ((F_dot, W), (F, W_dot)):
        if left is not None and right is not None:
            apply(out, left, right, kind, _arrays(table)[0])
    return out


def mixing_vjp(
    y_bar: Array, F: Array, W: Array, kind: Array, table: MixingTable, needs: Needs | None = None
) -> Adjoints:
    r"""Cotangents of `mixing`.

    .. math:: \bar F_{n,m,c} = \sum_{c'} \bar y_{n,m,c'} W_{k(n),c,c'}, \qquad
              \bar W_{k,c,c'} = \sum_{n:\,k(n)=k} \sum_m F_{n,m,c}\, \bar y_{n,m,c'}
    """
    F, W, kind = _checked("mixing_vjp", F, W, kind, table)
    y_bar = check_array("mixing_vjp", "y_bar", y_bar, (len(F), table.irreps_out.dim), (F.dtype,))
    need_F, need_W = check_needs("mixing_vjp", needs, 2)
    F_bar = W_bar = None
    if need_F:
        F_bar = np.zeros_like(F)
        forward, backward = _arrays(table)
        apply(F_bar, y_bar, transposed(W, forward), kind, backward)  # D2
    if need_W:
        W_bar = np.zeros_like(W)
        add_outer(W_bar, F, y_bar, kind, _arrays(table)[0])  # D3
    return F_bar, W_bar


def mixing_vjp_jvp(
    y_bar: Array,
    F: Array,
    W: Array,
    y_bar_dot: Array | None,
    F_dot: Array | None,
    W_dot: Array | None,
    kind: Array,
    table: MixingTable,
    needs: Needs | None = None,
) -> Adjoints:
    """Tangents of the cotangents of `mixing`: the product rule applied to the two lines of `mixing_vjp`."""
    F, W, kind = _checked("mixing_vjp_jvp", F, W, kind, table)
    like = np.broadcast_to(np.zeros((), F.dtype), (len(F), table.irreps_out.dim))
    y_bar = check_array("mixing_vjp_jvp", "y_bar", y_bar, like.shape, (F.dtype,))
    y_bar_dot = _like("mixing_vjp_jvp", "y_bar_dot", y_bar_dot, like)
    F_dot, W_dot = _like("mixing_vjp_jvp", "F_dot", F_dot, F), _like("mixing_vjp_jvp", "W_dot", W_dot, W)
    need_F, need_W = check_needs("mixing_vjp_jvp", needs, 2)
    F_bar = W_bar = None
    if need_F and (y_bar_dot is not None or W_dot is not None):
        F_bar = np.zeros_like(F)
        forward, backward = _arrays(table)
        for left, right in ((y_bar_dot, W), (y_bar, W_dot)):
            if left is not None and right is not None:
                apply(F_bar, left, transposed(right, forward), kind, backward)  # D2
    if need_W and (y_bar_dot is not None or F_dot is not None):
        W_bar = np.zeros_like(W)
        for left, right in ((F_dot, y_bar), (F, y_bar_dot)):
            if left is not None and right is not None:
                add_outer(W_bar, left, right, kind, _arrays(table)[0])  # D3
    return F_bar, W_bar


def apply(out: Array, F: Array, W: Array, kind: Array, arrays: MixingArrays) -> None:
    """Add F W to out, unchecked and over any ring."""
    flat = out.reshape(-1), F.reshape(-1), W.reshape(-1)
    a, b, zero = _scratch(arrays, out.dtype)
    mixing_forward(*flat, kind, np.uintp(0), np.uintp(len(F)), arrays, a, b, zero)


def add_outer(W_bar: Array, F: Array, y_bar: Array, kind: Array, arrays: MixingArrays) -> None:
    """Add the sum over nodes of F^T y_bar to the W_bar of each kind, unchecked and over any ring."""
    order = np.argsort(kind, kind="stable").astype(np.uintp)
    ends = np.cumsum(np.bincount(kind.astype(np.intp), minlength=len(W_bar))).astype(np.uintp)
    a, b, zero = _scratch(arrays, F.dtype)
    total, first = np.zeros_like(W_bar[0]), np.uintp(0)
    for k, last in enumerate(ends):
        mixing_weights(W_bar[k], F.reshape(-1), y_bar.reshape(-1), order, first, last, arrays, a, b, total, zero)
        first = last


def transposed(W: Array, arrays: MixingArrays) -> Array:
    """Every block of W transposed, in place of the block."""
    out = np.empty_like(W)
    for _, mul_in, mul_out, at, *_ in arrays.blocks.reshape(-1, 8).tolist():
        block = W[:, at : at + mul_in * mul_out].reshape(-1, mul_in, mul_out)
        out[:, at : at + mul_in * mul_out] = block.transpose(0, 2, 1).reshape(len(W), -1)
    return out


@cache
def _arrays(table: MixingTable) -> tuple[MixingArrays, ...]:
    return both_ways(table.placed(), table.irreps_in.dim, table.irreps_out.dim, table.n_weights)


def both_ways(blocks: list[Placed], dim_in: int, dim_out: int, n_weights: int) -> tuple[MixingArrays, ...]:
    """Blocks for the kernels: as they are, and reversed (for the transposed blocks)."""
    reverse = [(d, outputs, inputs, w) for d, inputs, outputs, w in blocks]
    return _one_way(blocks, (dim_in, dim_out, n_weights)), _one_way(reverse, (dim_out, dim_in, n_weights))


def _one_way(blocks: list[Placed], sizes: tuple[int, int, int]) -> MixingArrays:
    rows: list[tuple[int, ...]] = []
    ins: list[tuple[int, int]] = []
    outs: list[tuple[int, int]] = []
    for d, inputs, outputs, w in blocks:
        muls = sum(mul for _, mul in inputs), sum(mul for _, mul in outputs)
        ranges = len(ins), len(ins) + len(inputs), len(outs), len(outs) + len(outputs)
        rows.append((d, *muls, w, *ranges))
        ins, outs = ins + inputs, outs + outputs
    flat = (np.array(table, np.uintp).reshape(-1) for table in (rows, ins, outs))
    return MixingArrays(next(flat), next(flat), next(flat), np.array(sizes, np.uintp))


def _scratch(arrays: MixingArrays, dtype: Any) -> tuple[Array, Array, Any]:
    """Rows of four nodes of the widest block on either side, and zero."""
    d, mul_in, mul_out = (arrays.blocks.reshape(-1, 8)[:, i].astype(np.intp) for i in range(3))
    return np.zeros(4 * (d * mul_in).max(), dtype), np.zeros(4 * (d * mul_out).max(), dtype), np.zeros(1, dtype)[0]


def _checked(function: str, F: Array, W: Array, kind: Array, table: MixingTable) -> tuple[Array, Array, Array]:
    check_type(function, "table", table, MixingTable)
    F = check_array(function, "F", F, (None, table.irreps_in.dim), REAL_OR_COMPLEX)
    W = check_array(function, "W", W, (None, table.n_weights), REAL_OR_COMPLEX)
    check_same_dtype(function, F=F, W=W)
    return F, W, check_index(function, "kind", kind, len(W), (len(F),))


def _like(function: str, name: str, dot: Array | None, value: Array) -> Array | None:
    return None if dot is None else check_array(function, name, dot, value.shape, (value.dtype,))
