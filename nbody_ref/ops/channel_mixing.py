r"""Weighted sums of paths, channel by channel: the weights of MACE's symmetric contraction.

.. math:: y^{l}_{n,m,c} = \sum_p F^{l}_{n,p,m,c}\, W^{l}_{k(n),p,c}

Eq. (9) of the N-body paper with W diagonal in the channels; p counts the parts of irrep l. W depends on the kind k(n)
of the node. Bilinear in (F, W). Derivation: docs/derivations/channel_mixing.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.errors import IrrepsError
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.kernels.channel_mixing import ChannelMixingArrays, channel_mixing_forward, channel_mixing_weights
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_index, check_like, check_needs, check_same_dtype

__all__ = [
    "ChannelMixingTable",
    "channel_mixing",
    "channel_mixing_jvp",
    "channel_mixing_vjp",
    "channel_mixing_vjp_jvp",
]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...] | None
Adjoints = tuple[Array | None, ...]


class ChannelBlock(NamedTuple):
    """Weights of one part of the result, (n_paths, mul) row-major, starting at `offset` of the flat weights."""

    irrep: Irrep
    n_paths: int
    mul: int
    offset: int


@dataclass(frozen=True)
class ChannelMixingTable:
    """One block for each part of `irreps_out`; its rows are all parts of that irrep in `irreps_in`, as written."""

    irreps_in: Irreps
    irreps_out: Irreps

    @classmethod
    def build(cls, irreps_in: Irreps | str, irreps_out: Irreps | str) -> ChannelMixingTable:
        """Check that every irrep of the result has an input, with as many channels.

        Raises
        ------
        IrrepsError
            If one has none, or another number of channels.
        """
        table = cls(Irreps(irreps_in), Irreps(irreps_out))
        for part in table.irreps_out:
            muls = {p.mul for p in table.irreps_in if p.irrep == part.irrep}
            if muls != {part.mul}:
                came = f"with {sorted(muls)} channels" if muls else "nowhere"
                raise IrrepsError(
                    f"ChannelMixingTable: 'irreps_out' has {part}; 'irreps_in' must have {part.irrep} "
                    f"with {part.mul} channels, got it {came}"
                )
        return table

    @property
    def blocks(self) -> tuple[ChannelBlock, ...]:
        """The weights in the order of `irreps_out`."""
        found, at = [], 0
        for mul, irrep in self.irreps_out:
            n_paths = sum(part.irrep == irrep for part in self.irreps_in)
            found.append(ChannelBlock(irrep, n_paths, mul, at))
            at += n_paths * mul
        return tuple(found)

    @property
    def n_weights(self) -> int:
        """Length of the weights of one kind."""
        return sum(block.n_paths * block.mul for block in self.blocks)


def channel_mixing(F: Array, W: Array, kind: Array, table: ChannelMixingTable) -> Array:
    r"""Weighted sum of paths, channel by channel, with weights chosen by the kind of each node.

    .. math:: y^{l}_{n,m,c} = \sum_p F^{l}_{n,p,m,c} W^{l}_{k(n),p,c}

    Parameters
    ----------
    F : (N, table.irreps_in.dim) float64, float32, complex128 or complex64
    W : (n_kinds, table.n_weights) same dtype
        Blocks in the order of `table.blocks`, each (n_paths, mul) row-major.
    kind : (N,) integers below n_kinds
    table : ChannelMixingTable

    Returns
    -------
    (N, table.irreps_out.dim) same dtype

    Raises
    ------
    ShapeError, DTypeError
        If a shape, an index or a dtype does not match.

    Notes
    -----
    |computed - exact| <= (n_paths + 1) u sum|F W|. Derivation: docs/derivations/channel_mixing.md; gradient
    `channel_mixing_vjp`.
    """
    F, W, kind = _checked("channel_mixing", F, W, kind, table)
    return _apply(F, W, kind, _arrays(table)[0])


def channel_mixing_jvp(
    F: Array, W: Array, F_dot: Array | None, W_dot: Array | None, kind: Array, table: ChannelMixingTable
) -> Array | None:
    """Tangent of `channel_mixing`; None where both tangents are None."""
    name = "channel_mixing_jvp"
    F, W, kind = _checked(name, F, W, kind, table)
    F_dot, W_dot = check_like(name, "F_dot", F_dot, F), check_like(name, "W_dot", W_dot, W)
    terms = [(F_dot, W), (F, W_dot)]
    return _sum(_apply(a, b, kind, _arrays(table)[0]) for a, b in terms if a is not None and b is not None)


def channel_mixing_vjp(
    y_bar: Array, F: Array, W: Array, kind: Array, table: ChannelMixingTable, needs: Needs = None
) -> Adjoints:
    r"""Cotangents of `channel_mixing`.

    .. math:: \bar F_{n,p,m,c} = \bar y_{n,m,c} W_{k(n),p,c}, \qquad
              \bar W_{k,p,c} = \sum_{n:\,k(n)=k} \sum_m F_{n,p,m,c}\, \bar y_{n,m,c}
    """
    F, W, kind = _checked("channel_mixing_vjp", F, W, kind, table)
    y_bar = check_array("channel_mixing_vjp", "y_bar", y_bar, (len(F), table.irreps_out.dim), (F.dtype,))
    need_F, need_W = check_needs("channel_mixing_vjp", needs, 2)
    forward, backward = _arrays(table)
    F_bar = _apply(y_bar, W, kind, backward) if need_F else None  # D2
    return F_bar, _weights(W, F, y_bar, kind, forward) if need_W else None  # D3


def channel_mixing_vjp_jvp(
    y_bar: Array,
    F: Array,
    W: Array,
    y_bar_dot: Array | None,
    F_dot: Array | None,
    W_dot: Array | None,
    kind: Array,
    table: ChannelMixingTable,
    needs: Needs = None,
) -> Adjoints:
    """Tangents of the cotangents: the product rule applied to the two lines of `channel_mixing_vjp`."""
    name = "channel_mixing_vjp_jvp"
    F, W, kind = _checked(name, F, W, kind, table)
    y_bar = check_array(name, "y_bar", y_bar, (len(F), table.irreps_out.dim), (F.dtype,))
    y_bar_dot = check_like(name, "y_bar_dot", y_bar_dot, y_bar)
    F_dot, W_dot = check_like(name, "F_dot", F_dot, F), check_like(name, "W_dot", W_dot, W)
    need_F, need_W = check_needs(name, needs, 2)
    forward, backward = _arrays(table)
    to_F = [(y_bar_dot, W), (y_bar, W_dot)] if need_F else []
    to_W = [(F_dot, y_bar), (F, y_bar_dot)] if need_W else []
    F_bar = _sum(_apply(a, b, kind, backward) for a, b in to_F if a is not None and b is not None)  # D2
    W_bar = _sum(_weights(W, a, b, kind, forward) for a, b in to_W if a is not None and b is not None)  # D3
    return F_bar, W_bar


def _apply(F: Array, W: Array, kind: Array, arrays: ChannelMixingArrays) -> Array:
    out = np.zeros((len(F), int(arrays.sizes[1])), F.dtype)
    flat = out.reshape(-1), F.reshape(-1), W.reshape(-1)
    channel_mixing_forward(*flat, kind, np.uintp(0), np.uintp(len(F)), arrays)
    return out


def _weights(W: Array, F: Array, y_bar: Array, kind: Array, arrays: ChannelMixingArrays) -> Array:
    """The sum over the nodes of each kind of F times y_bar, shaped as W."""
    W_bar, total, zero = np.zeros_like(W), np.zeros_like(W[0]), np.zeros(1, W.dtype)[0]
    order = np.argsort(kind, kind="stable").astype(np.uintp)
    ends = np.cumsum(np.bincount(kind.astype(np.intp), minlength=len(W))).astype(np.uintp)
    first = np.uintp(0)
    for k, last in enumerate(ends):
        channel_mixing_weights(W_bar[k], F.reshape(-1), y_bar.reshape(-1), order, first, last, arrays, total, zero)
        first = last
    return W_bar


def _sum(terms: Any) -> Array | None:
    found: Array | None = None
    for term in terms:
        found = term if found is None else found + term
    return found


@cache
def _arrays(table: ChannelMixingTable) -> tuple[ChannelMixingArrays, ChannelMixingArrays]:
    """Paths for the kernels: as they are, and with the places of F and the result exchanged."""
    rows = []
    for block, o in zip(table.blocks, table.irreps_out.offsets, strict=True):
        pairs = zip(table.irreps_in, table.irreps_in.offsets, strict=True)
        inputs = [f for part, f in pairs if part.irrep == block.irrep]
        rows += [(block.irrep.dim, block.mul, f, o, block.offset + p * block.mul) for p, f in enumerate(inputs)]
    paths, sizes = np.array(rows, np.uintp), (table.irreps_in.dim, table.irreps_out.dim, table.n_weights)
    back = np.ascontiguousarray(paths[:, [0, 1, 3, 2, 4]])
    reverse = np.array([sizes[1], sizes[0], sizes[2]], np.uintp)
    return ChannelMixingArrays(paths.reshape(-1), np.array(sizes, np.uintp)), ChannelMixingArrays(
        back.reshape(-1), reverse
    )


def _checked(function: str, F: Array, W: Array, kind: Array, table: ChannelMixingTable) -> tuple[Array, Array, Array]:
    F = check_array(function, "F", F, (None, table.irreps_in.dim), REAL_OR_COMPLEX)
    W = check_array(function, "W", W, (None, table.n_weights), REAL_OR_COMPLEX)
    check_same_dtype(function, F=F, W=W)
    return F, W, check_index(function, "kind", kind, len(W), (len(F),))
