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

from nbody_ref.certified.lowering import Lowering, kinds
from nbody_ref.errors import IrrepsError
from nbody_ref.exact.network import flatten, unflatten
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.kernels.channel_mixing import ChannelMixingArrays, channel_mixing_forward, channel_mixing_weights
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_index, check_same_dtype, check_type
from nbody_ref.ops._op import Arguments, Example, Gauges, Multilinear, Rows

__all__ = [
    "CHANNEL_MIXING",
    "ChannelMixingTable",
    "channel_mixing",
    "channel_mixing_jvp",
    "channel_mixing_vjp",
    "channel_mixing_vjp_jvp",
]

Array = np.ndarray[Any, Any]


class ChannelBlock(NamedTuple):
    """Weights of one part of the result, (n_paths, mul) row-major, starting at `offset` of the flat weights."""

    irrep: Irrep
    n_paths: int
    mul: int
    offset: int


@dataclass(frozen=True)
class ChannelMixingTable:
    """One block for each part of `irreps_out`; its rows are all parts of that irrep in `irreps_in`, as written.

    Raises
    ------
    IrrepsError
        If an irrep of the result has no input, or one with another number of channels.

    Examples
    --------
    >>> from nbody_ref.ops.channel_mixing import ChannelMixingTable
    >>> from nbody_ref import Irreps
    >>> ChannelMixingTable(Irreps("2x1o + 2x1o"), Irreps("2x1o")).irreps_out
    Irreps('2x1o')
    """

    irreps_in: Irreps
    irreps_out: Irreps

    def __post_init__(self) -> None:
        for name in ("irreps_in", "irreps_out"):
            object.__setattr__(self, name, Irreps(getattr(self, name)))
        for part in self.irreps_out:
            muls = {p.mul for p in self.irreps_in if p.irrep == part.irrep}
            if muls != {part.mul}:
                came = f"with {sorted(muls)} channels" if muls else "nowhere"
                raise IrrepsError(
                    f"ChannelMixingTable: 'irreps_out' has {part}; 'irreps_in' must have {part.irrep} "
                    f"with {part.mul} channels, got it {came}"
                )

    @classmethod
    def build(cls, irreps_in: Irreps | str, irreps_out: Irreps | str) -> ChannelMixingTable:
        """Check that every irrep of the result has an input, with as many channels.

        Raises
        ------
        IrrepsError
            If one has none, or another number of channels.
        """
        return cls(Irreps(irreps_in), Irreps(irreps_out))

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

    Examples
    --------
    >>> from nbody_ref.ops.channel_mixing import ChannelMixingTable, channel_mixing
    >>> import numpy as np
    >>> from nbody_ref import Irreps
    >>> table = ChannelMixingTable(Irreps("2x0e + 2x0e"), Irreps("2x0e"))
    >>> channel_mixing(np.ones((1, 4)), np.arange(4.0)[None], np.zeros(1, int), table)
    array([[2., 4.]])
    """
    return CHANNEL_MIXING.value(F, W, kind, table)


class _ChannelMixing(Multilinear):
    inputs, statics = ("F", "W"), ("kind", "table")

    def check(self, function: str, F: Any, W: Any, kind: Any, table: Any) -> Arguments:
        check_type(function, "table", table, ChannelMixingTable)
        F = check_array(function, "F", F, (None, table.irreps_in.dim), REAL_OR_COMPLEX)
        W = check_array(function, "W", W, (None, table.n_weights), REAL_OR_COMPLEX)
        check_same_dtype(function, F=F, W=W)
        kind = check_index(function, "kind", kind, len(W), (len(F),))
        return Arguments((F, W), (kind, table), (len(F), table.irreps_out.dim), F.dtype)

    def forward(self, F: Array, W: Array, kind: Array, table: ChannelMixingTable, out: Array | None = None) -> Array:
        out = np.zeros((len(F), table.irreps_out.dim), F.dtype) if out is None else out
        return _apply(out, F, W, kind, _arrays(table)[0])

    def adjoint(
        self, k: int, y_bar: Array, F: Array, W: Array, kind: Array, table: ChannelMixingTable, out: Array | None = None
    ) -> Array:
        r""".. math:: \bar F_{n,p,m,c} = \bar y_{n,m,c} W_{k(n),p,c}, \qquad
        \bar W_{k,p,c} = \sum_{n:\,k(n)=k} \sum_m F_{n,p,m,c}\, \bar y_{n,m,c}
        """
        forward, backward = _arrays(table)
        out = np.zeros_like((F, W)[k]) if out is None else out
        if k == 0:
            return _apply(out, y_bar, W, kind, backward)  # D2
        return _add_weights(out, F, y_bar, kind, forward)  # D3

    def example(self, rng: np.random.Generator) -> Example:
        table = ChannelMixingTable.build("2x0e + 3x1o + 2x0e", "2x0e + 3x1o")
        arrays = [rng.normal(size=(3, table.irreps_in.dim)), rng.normal(size=(2, table.n_weights))]
        return arrays, [np.array([0, 1, 0], np.uintp), table]

    def exact(self, gauges: Gauges, F: Rows, W: Rows, kind: Any, table: ChannelMixingTable) -> Rows:
        found = []
        for row, k in zip(F, kind, strict=True):
            state, row_out = unflatten(table.irreps_in, row), []
            for block in table.blocks:
                paths = [fragments for irrep, fragments in state if irrep == block.irrep]
                weights = [W[int(k)][block.offset + p * block.mul :] for p in range(block.n_paths)]
                fragments = []
                for c in range(block.mul):
                    terms = [[v * w[c] for v in path[c]] for path, w in zip(paths, weights, strict=True)]
                    fragments.append([sum(column[1:], column[0]) for column in zip(*terms, strict=True)])
                row_out.append((block.irrep, fragments))
            found.append(flatten(row_out))
        return found

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, kind: Any, table: ChannelMixingTable) -> None:
        paths = _arrays(table)[0].paths.reshape(-1, 5).astype(np.int64)
        spread = [(o, f, w, *np.indices((d, mul)).reshape(2, -1), mul) for d, mul, f, o, w in paths]
        columns = [(o + m * mul + c, f + m * mul + c, w + c) for o, f, w, m, c, mul in spread]
        y, f, w = (np.concatenate(column) for column in zip(*columns))
        rows = np.arange(low.shape(inputs[0])[0])
        legs = (inputs[0], rows, f), (inputs[1], kinds(kind), w)
        low.sum(out, low.terms((rows, y), (len(rows), table.irreps_out.dim), *legs))


CHANNEL_MIXING = _ChannelMixing(channel_mixing)
channel_mixing_jvp, channel_mixing_vjp, channel_mixing_vjp_jvp = CHANNEL_MIXING.derivatives()


def _apply(out: Array, F: Array, W: Array, kind: Array, arrays: ChannelMixingArrays) -> Array:
    flat = out.reshape(-1), F.reshape(-1), W.reshape(-1)
    channel_mixing_forward(*flat, kind, np.uintp(0), np.uintp(len(F)), arrays)
    return out


def _add_weights(W_bar: Array, F: Array, y_bar: Array, kind: Array, arrays: ChannelMixingArrays) -> Array:
    """Add the sum over the nodes of each kind of F times y_bar."""
    total, zero = np.zeros_like(W_bar[0]), np.zeros(1, W_bar.dtype)[0]
    order = np.argsort(kind, kind="stable").astype(np.uintp)
    ends = np.cumsum(np.bincount(kind.astype(np.intp), minlength=len(W_bar))).astype(np.uintp)
    first = np.uintp(0)
    for k, last in enumerate(ends):
        channel_mixing_weights(W_bar[k], F.reshape(-1), y_bar.reshape(-1), order, first, last, arrays, total, zero)
        first = last
    return W_bar


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
