r"""Mixing of channels, eq. (9): every covariant linear map of a state multiplies each F^l from the right by a W^l.

.. math:: y^{l}_{n,m,c'} = \sum_c F^{l}_{n,m,c}\, W^{l}_{k(n),c,c'}

W depends on the kind k(n) of the node. Bilinear in (F, W). Derivation: docs/derivations/mixing.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.certified.lowering import Lowering, kinds
from nbody_ref.certified.program import ONE
from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.errors import IrrepsError
from nbody_ref.exact import definition
from nbody_ref.exact.network import flatten, unflatten
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.kernels.mixing import NODES, MixingArrays, mixing_forward, mixing_weights
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_index, check_same_dtype, check_type
from nbody_ref.ops._op import POWERS_OF_I, Arguments, Example, Exponents, Gauges, Multilinear, Rows

__all__ = ["MIXING", "MixingBlock", "MixingTable", "mixing", "mixing_jvp", "mixing_vjp", "mixing_vjp_jvp"]

Array = np.ndarray[Any, Any]
Placed = tuple[int, list[tuple[int, int]], list[tuple[int, int]], int]


class MixingBlock(NamedTuple):
    """One W^l, (mul_in, mul_out) row-major, starting at `offset` of the flat weights.

    Examples
    --------
    >>> from nbody_ref.ops.mixing import MixingBlock, MixingTable
    >>> from nbody_ref import Irreps
    >>> MixingTable(Irreps("2x1o"), Irreps("3x1o")).blocks[0].mul_out
    3
    """

    irrep: Irrep
    mul_in: int
    mul_out: int
    offset: int

    def at(self, c: int) -> int:
        """Where row c starts."""
        return self.offset + c * self.mul_out


@dataclass(frozen=True)
class MixingTable:
    """One block for each part of `irreps_out`; its rows are all parts of that irrep in `irreps_in`, as written.

    Examples
    --------
    >>> from nbody_ref.ops.mixing import MixingTable
    >>> from nbody_ref import Irreps
    >>> [block.offset for block in MixingTable(Irreps("3x0e + 2x1o"), Irreps("2x0e + 1x1o")).blocks]
    [0, 6]
    """

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

    @cached_property
    def blocks(self) -> tuple[MixingBlock, ...]:
        """The W^l in the order of `irreps_out`."""
        found, at = [], 0
        for mul, irrep in self.irreps_out:
            found.append(MixingBlock(irrep, self.irreps_in.count(irrep), mul, at))
            at += found[-1].mul_in * mul
        return tuple(found)

    @cached_property
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

    Examples
    --------
    >>> from nbody_ref.ops.mixing import MixingTable, mixing
    >>> import numpy as np
    >>> from nbody_ref import Irreps
    >>> table = MixingTable(Irreps("2x0e"), Irreps("1x0e"))
    >>> mixing(np.array([[1.0, 2.0]]), np.array([[10.0, 1.0]]), np.zeros(1, int), table)
    array([[12.]])
    """
    return MIXING.value(F, W, kind, table)


class _Mixing(Multilinear):
    inputs, statics = ("F", "W"), ("kind", "table")

    def check(self, function: str, F: Any, W: Any, kind: Any, table: Any) -> Arguments:
        check_type(function, "table", table, MixingTable)
        F = check_array(function, "F", F, (None, table.irreps_in.dim), REAL_OR_COMPLEX)
        W = check_array(function, "W", W, (None, table.n_weights), REAL_OR_COMPLEX)
        check_same_dtype(function, F=F, W=W)
        kind = check_index(function, "kind", kind, len(W), (len(F),))
        return Arguments((F, W), (kind, table), (len(F), table.irreps_out.dim), F.dtype)

    def forward(self, F: Array, W: Array, kind: Array, table: MixingTable, out: Array | None = None) -> Array:
        out = np.zeros((len(F), table.irreps_out.dim), F.dtype) if out is None else out
        return apply(out, F, W, kind, _arrays(table)[0])

    def adjoint(
        self, k: int, y_bar: Array, F: Array, W: Array, kind: Array, table: MixingTable, out: Array | None = None
    ) -> Array:
        r""".. math:: \bar F_{n,m,c} = \sum_{c'} \bar y_{n,m,c'} W_{k(n),c,c'}, \qquad
        \bar W_{k,c,c'} = \sum_{n:\,k(n)=k} \sum_m F_{n,m,c}\, \bar y_{n,m,c'}
        """
        forward, backward = _arrays(table)
        out = np.zeros_like((F, W)[k]) if out is None else out
        if k == 0:
            return apply(out, y_bar, transposed(W, forward), kind, backward)  # D2
        return add_outer(out, F, y_bar, kind, forward)  # D3

    def example(self, rng: np.random.Generator) -> Example:
        table = MixingTable.build("2x0e + 3x1o", "4x1o + 1x0e")
        arrays = [rng.normal(size=(3, table.irreps_in.dim)), rng.normal(size=(2, table.n_weights))]
        return arrays, [np.array([0, 1, 0], np.uintp), table]

    def exact(self, gauges: Gauges, F: Rows, W: Rows, kind: Any, table: MixingTable) -> Rows:
        found = []
        for row, k in zip(F, kind, strict=True):
            w = [(b.irrep, [W[int(k)][b.at(c) : b.at(c + 1)] for c in range(b.mul_in)]) for b in table.blocks]
            found.append(flatten(definition.mixing(unflatten(table.irreps_in, row), w)))
        return found

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, kind: Any, table: MixingTable) -> None:
        low.sum(out, mixing_terms(table, kind, inputs, {name: low.shape(name) for name in inputs}))

    def weight_phase(self, known: Sequence[Exponents], kind: Any, table: MixingTable) -> tuple[int, Array]:
        phases = np.empty(table.n_weights, np.complex128)
        for irrep, mul_in, mul_out, offset in table.blocks:
            parts = zip(table.irreps_in, known[0], strict=True)
            rows = [e for part, e in parts if part.irrep == irrep for _ in range(part.mul)]
            phases[offset : offset + mul_in * mul_out] = np.repeat(POWERS_OF_I[rows], mul_out)
        return 1, phases


MIXING = _Mixing(mixing)
mixing_jvp, mixing_vjp, mixing_vjp_jvp = MIXING.derivatives()


def mixing_terms(table: MixingTable, kind: Any, names: tuple[str, ...], shapes: dict[str, tuple[int, ...]]) -> Terms:
    """Terms of F W for the arrays `names`: blocks of W in the order of the result's parts."""
    found: list[list[Array]] = [[], [], []]
    start = 0
    for o, (mul, irrep) in zip(table.irreps_out.offsets, table.irreps_out):
        m, c = (x.reshape(-1) for x in np.indices((irrep.dim, mul)))
        for at, part in zip(table.irreps_in.offsets, table.irreps_in):
            for u in range(part.mul if part.irrep == irrep else 0):
                for column, values in zip(found, (o + m * mul + c, at + m * part.mul + u, start + c)):
                    column.append(values)
                start += mul
    out, f, w = (np.concatenate(column) for column in found)
    rows = np.arange(len(kind))
    legs = (Leg(names[0], rows, f), Leg(names[1], kinds(kind), w))
    zero = np.zeros(len(out), np.int64)
    return Terms(rows, out, (len(kind), table.irreps_out.dim), legs, zero, ONE, shapes)


def apply(out: Array, F: Array, W: Array, kind: Array, arrays: MixingArrays) -> Array:
    """Add F W to out, unchecked and over any ring."""
    flat = out.reshape(-1), F.reshape(-1), W.reshape(-1)
    a, b, zero = _scratch(arrays, out.dtype)
    order = np.argsort(kind, kind="stable").astype(np.uintp)
    mixing_forward(*flat, kind, order, np.uintp(0), np.uintp(len(F)), arrays, a, b, zero)
    return out


def add_outer(W_bar: Array, F: Array, y_bar: Array, kind: Array, arrays: MixingArrays) -> Array:
    """Add the sum over nodes of F^T y_bar to the W_bar of each kind, unchecked and over any ring."""
    order = np.argsort(kind, kind="stable").astype(np.uintp)
    ends = np.cumsum(np.bincount(kind.astype(np.intp), minlength=len(W_bar))).astype(np.uintp)
    a, b, zero = _scratch(arrays, F.dtype)
    total, first = np.zeros_like(W_bar[0]), np.uintp(0)
    for k, last in enumerate(ends):
        mixing_weights(W_bar[k], F.reshape(-1), y_bar.reshape(-1), order, first, last, arrays, a, b, total, zero)
        first = last
    return W_bar


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
    """Rows of as many nodes as go together, of the widest block on either side, and zero."""
    d, mul_in, mul_out = (arrays.blocks.reshape(-1, 8)[:, i].astype(np.intp) for i in range(3))
    n = int(NODES)
    return np.zeros(n * (d * mul_in).max(), dtype), np.zeros(n * (d * mul_out).max(), dtype), np.zeros(1, dtype)[0]
