r"""Weights of messages from radial functions.

Learned combinations of radial functions, one matrix V for each path and kind of edge, or plain copies, where path p
carries one radial function (the factors |r|^-s of eq. (10)):

.. math:: w_{e,p,c} = \sum_n R_{e,l_2(p),n}\, V^{p}_{k(e),n,c} \qquad\text{or}\qquad w_{e,p,c} = R_{e,l_2(p),n(p)}

Derivation: docs/derivations/radial_weights.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from nbody_ref.certified.lowering import Lowering
from nbody_ref.checks import check_integer
from nbody_ref.errors import GeometryError, IrrepsError
from nbody_ref.kernels.mixing import MixingArrays
from nbody_ref.kernels.radial_weights import copies_adjoint, copies_forward
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_index, check_same_dtype, check_type
from nbody_ref.ops._op import Arguments, Example, Gauges, Linear, Multilinear, Rows
from nbody_ref.ops.message_table import MessageTable
from nbody_ref.ops.mixing import Placed, add_outer, apply, both_ways, transposed

__all__ = [
    "RADIAL_COPIES",
    "RADIAL_WEIGHTS",
    "RadialTable",
    "radial_copies",
    "radial_copies_jvp",
    "radial_copies_vjp",
    "radial_copies_vjp_jvp",
    "radial_weights",
    "radial_weights_jvp",
    "radial_weights_vjp",
    "radial_weights_vjp_jvp",
]

Array = np.ndarray[Any, Any]


_COLUMNS = (("degrees", 0), ("muls", 1), ("index", 0))  # and the least value of each


@dataclass(frozen=True)
class RadialTable:
    """Degree, channels and radial index of each path.

    Attributes
    ----------
    lmax, n : int
        Degrees and radial functions of R, (E, lmax + 1, n).
    degrees, muls : tuple of int
        Degree l2 and number of channels of each path.
    index : tuple of int
        Radial function of each path, for `radial_copies`; empty if there is none.

    Raises
    ------
    IrrepsError
        If the numbers do not fit each other.

    Examples
    --------
    >>> from nbody_ref.ops.radial_weights import RadialTable
    >>> RadialTable(lmax=1, n=2, degrees=(0, 1), muls=(3, 3)).degrees
    (0, 1)
    """

    lmax: int
    n: int
    degrees: tuple[int, ...]
    muls: tuple[int, ...]
    index: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        lmax, n = check_integer("RadialTable", "lmax", self.lmax), check_integer("RadialTable", "n", self.n, 1)
        rows = {name: _integers(name, getattr(self, name), least) for name, least in _COLUMNS}
        degrees, muls, index = rows.values()
        if not degrees or len(degrees) != len(muls) or max(degrees) > lmax:
            raise IrrepsError(f"RadialTable: 'degrees' up to {lmax} and 'muls' must fit, got {degrees} and {muls}")
        if index and (len(index) != len(muls) or max(index) >= n):
            raise IrrepsError(f"RadialTable: 'index' must give {len(muls)} numbers below {n}, got {index}")
        for name, value in (("lmax", lmax), ("n", n), *rows.items()):
            object.__setattr__(self, name, value)  # NumPy's integers would overflow

    @classmethod
    def build(cls, table: MessageTable, n: int, index: Iterable[int] | None = None) -> RadialTable:
        """Take the paths of a message.

        Parameters
        ----------
        table : MessageTable
        n : int
            Number of radial functions for each degree.
        index : iterable of int, optional
            Radial function that each path carries; needed by `radial_copies` only.

        Raises
        ------
        IrrepsError
            If `index` does not give a number below `n` for each path.
        """
        found = () if index is None else _integers("index", index, 0)
        check_type("RadialTable", "table", table, MessageTable)
        if index is not None and len(found) != len(table.paths):
            raise IrrepsError(f"RadialTable: 'index' must give {len(table.paths)} numbers below {n}, got {found}")
        muls = tuple(table.irreps_in[part].mul for part, _, _ in table.paths)
        return cls(table.lmax, n, tuple(l2 for _, l2, _ in table.paths), muls, found)

    @property
    def n_weights(self) -> int:
        """Length of w for one edge."""
        return sum(self.muls)

    @property
    def n_parameters(self) -> int:
        """Length of V for one kind: blocks (n, mul) of the paths in order."""
        return self.n * self.n_weights

    def placed(self) -> list[Placed]:
        """Blocks (1, place in R, place in w, offset in V): the same arithmetic as a mixing of scalars."""
        ends = np.cumsum((0, *self.muls)).tolist()
        paths = zip(self.degrees, self.muls, ends, strict=False)
        return [(1, [(l2 * self.n, self.n)], [(o, mul)], self.n * o) for l2, mul, o in paths]


def radial_weights(R: Array, V: Array, kind: Array, table: RadialTable) -> Array:
    r"""Weights of messages as learned combinations of radial functions; they stand for |r|^-s in eq. (10).

    .. math:: w_{e,p,c} = \sum_n R_{e,l_2(p),n} V^{p}_{k(e),n,c}

    Parameters
    ----------
    R : (E, lmax + 1, n) float64, float32, complex128 or complex64
        Radial functions of the edges for each degree, from `nbody_ref.ops.radial`.
    V : (n_kinds, table.n_parameters) same dtype
        Blocks (n, mul) of the paths in order, row-major.
    kind : (E,) integers below n_kinds
    table : RadialTable

    Returns
    -------
    (E, table.n_weights) same dtype

    Raises
    ------
    ShapeError, DTypeError
        If a shape, an index or a dtype does not match.

    Notes
    -----
    |computed - exact| <= (n/4 + 3) u sum|R V|. Derivation: docs/derivations/radial_weights.md; gradient
    `radial_weights_vjp`.

    Examples
    --------
    >>> from nbody_ref.ops.radial_weights import RadialTable, radial_weights
    >>> import numpy as np
    >>> table = RadialTable(lmax=0, n=2, degrees=(0,), muls=(1,))
    >>> radial_weights(np.array([[[1.0, 2.0]]]), np.array([[10.0, 1.0]]), np.zeros(1, int), table)
    array([[12.]])
    """
    return RADIAL_WEIGHTS.value(R, V, kind, table)


class _RadialWeights(Multilinear):
    inputs, statics, result = ("R", "V"), ("kind", "table"), "w"

    def check(self, function: str, R: Any, V: Any, kind: Any, table: Any) -> Arguments:
        R = _checked_radial(function, R, table)
        V = check_array(function, "V", V, (None, table.n_parameters), REAL_OR_COMPLEX)
        check_same_dtype(function, R=R, V=V)
        kind = check_index(function, "kind", kind, len(V), (len(R),))
        return Arguments((R, V), (kind, table), (len(R), table.n_weights), R.dtype)

    def forward(self, R: Array, V: Array, kind: Array, table: RadialTable, out: Array | None = None) -> Array:
        out = np.zeros((len(R), table.n_weights), R.dtype) if out is None else out
        return apply(out, R, V, kind, _arrays(table)[0])

    def adjoint(
        self, k: int, w_bar: Array, R: Array, V: Array, kind: Array, table: RadialTable, out: Array | None = None
    ) -> Array:
        r""".. math:: \bar R_{e,l,n} = \sum_{p:\,l_2(p)=l} \sum_c \bar w_{e,p,c} V^{p}_{k(e),n,c}, \qquad
        \bar V^{p}_{k,n,c} = \sum_{e:\,k(e)=k} R_{e,l_2(p),n} \bar w_{e,p,c}
        """
        forward, backward = _arrays(table)
        out = np.zeros_like((R, V)[k]) if out is None else out
        if k == 0:
            return apply(out, w_bar, transposed(V, forward), kind, backward)  # D2
        return add_outer(out, R, w_bar, kind, forward)  # D3

    def example(self, rng: np.random.Generator) -> Example:
        table = RadialTable.build(MessageTable.build("2x0e + 2x1o", 1), 3)
        arrays = [rng.normal(size=(4, 2, 3)), rng.normal(size=(2, table.n_parameters))]
        return arrays, [np.array([0, 1, 0, 1], np.uintp), table]


RADIAL_WEIGHTS = _RadialWeights(radial_weights)
radial_weights_jvp, radial_weights_vjp, radial_weights_vjp_jvp = RADIAL_WEIGHTS.derivatives()


def radial_copies(R: Array, table: RadialTable) -> Array:
    r"""Weights of messages where each path carries one radial function, the factors |r|^-s of eq. (10).

    .. math:: w_{e,p,c} = R_{e,l_2(p),n(p)}

    Parameters
    ----------
    R : (E, lmax + 1, n) float64, float32, complex128 or complex64
    table : RadialTable
        Built with `index`.

    Returns
    -------
    (E, table.n_weights) same dtype

    Raises
    ------
    ShapeError, DTypeError
        If the shape or the dtype of R does not match.
    IrrepsError
        If `table` was built without `index`.

    Notes
    -----
    Exact: nothing is rounded. Derivation: docs/derivations/radial_weights.md; gradient `radial_copies_vjp`.

    Examples
    --------
    >>> from nbody_ref.ops.radial_weights import RadialTable, radial_copies
    >>> import numpy as np
    >>> table = RadialTable(lmax=0, n=2, degrees=(0,), muls=(2,), index=(1,))
    >>> radial_copies(np.array([[[1.0, 2.0]]]), table)
    array([[2., 2.]])
    """
    return RADIAL_COPIES.value(R, table)


class _RadialCopies(Linear):
    inputs, statics, result = ("R",), ("table",), "w"

    def check(self, function: str, R: Any, table: Any) -> Arguments:
        R = _checked_radial(function, R, table)
        return Arguments((R,), (table,), (len(R), table.n_weights), R.dtype)

    def forward(self, R: Array, table: RadialTable) -> Array:
        w = np.empty((len(R), table.n_weights), R.dtype)
        copies_forward(w.reshape(-1), R.reshape(-1), *_copies(table), *_sizes(R))
        return w

    def adjoint(self, k: int, w_bar: Array, R: Array, table: RadialTable) -> Array:
        r""".. math:: \bar R_{e,l,n} = \sum_{p:\,l_2(p)=l,\,n(p)=n} \sum_c \bar w_{e,p,c}"""
        R_bar = np.zeros_like(R)
        copies_adjoint(R_bar.reshape(-1), w_bar.reshape(-1), *_copies(table), *_sizes(R))  # D5
        return R_bar

    def example(self, rng: np.random.Generator) -> Example:
        message = MessageTable.build("2x0e + 2x1o", 1)
        return [rng.normal(size=(4, 2, 3))], [RadialTable.build(message, 3, [0] * len(message.paths))]

    def exact(self, gauges: Gauges, R: Rows, table: RadialTable) -> Rows:
        places = _columns(table).tolist()
        if any(row[place] is None for row in R for place in places):
            raise GeometryError("run: an odd power of an irrational length has no value in an exact ring")
        return [[row[place] for place in places] for row in R]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, table: RadialTable) -> None:
        low.columns(out, inputs[0], _columns(table))


RADIAL_COPIES = _RadialCopies(radial_copies)
radial_copies_jvp, radial_copies_vjp, radial_copies_vjp_jvp = RADIAL_COPIES.derivatives()


def _integers(name: str, values: Any, least: int) -> tuple[int, ...]:
    try:
        found = tuple(values)
    except TypeError:
        found = (values,)
    return tuple(check_integer("RadialTable", name, value, least) for value in found)


@cache
def _arrays(table: RadialTable) -> tuple[MixingArrays, ...]:
    return both_ways(table.placed(), (table.lmax + 1) * table.n, table.n_weights, table.n_parameters)


@cache
def _copies(table: RadialTable) -> tuple[Array, Array]:
    if len(table.index) != len(table.muls):
        raise IrrepsError("radial_copies: 'table' must be built with 'index', the radial function of each path")
    at = [l2 * table.n + i for l2, i in zip(table.degrees, table.index, strict=True)]
    return np.array(at, np.uintp), np.array(table.muls, np.uintp)


def _columns(table: RadialTable) -> Array:
    """For each weight the entry of R, taken flat, that it copies."""
    at, muls = (x.astype(np.intp) for x in _copies(table))
    return np.repeat(at, muls)


def _sizes(R: Array) -> tuple[Any, Any]:
    return np.uintp(len(R)), np.uintp(R.shape[1] * R.shape[2])


def _checked_radial(function: str, R: Array, table: RadialTable) -> Array:
    check_type(function, "table", table, RadialTable)
    return check_array(function, "R", R, (None, table.lmax + 1, table.n), REAL_OR_COMPLEX)
