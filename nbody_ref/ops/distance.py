r"""Relative vectors of edges and their lengths: the paper's :math:`\hat r`, sec. 4, and its norm.

Derivations: docs/derivations/distance.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nbody_ref.certified.functions import SquareRoot
from nbody_ref.certified.lowering import Lowering, kinds
from nbody_ref.certified.program import Apply
from nbody_ref.errors import GeometryError
from nbody_ref.graphs import Edges
from nbody_ref.kernels.neighbour_sum import gather_sum
from nbody_ref.ops._check import check_array, check_finite, check_same_dtype, check_type
from nbody_ref.ops._op import Arguments, CheckedOp, Example, Gauges, Linear, Rows

__all__ = [
    "DISTANCE",
    "PAIR_DISTANCE",
    "RELATIVE",
    "distance",
    "distance_jvp",
    "distance_vjp",
    "distance_vjp_jvp",
    "pair_distance",
    "relative",
    "relative_jvp",
    "relative_vjp",
    "relative_vjp_jvp",
]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...]
Bars = tuple[Array, ...]


def relative(r_senders: Any, r_receivers: Any, edges: Edges) -> Array:
    """Relative vectors of all edges, from the receiver to the sender.

    .. math:: r_{rel,e} = r_{sender(e)} - r_{receiver(e)}

    Parameters
    ----------
    r_senders : (n_senders, 3) float64 or float32
        Positions of the nodes that send, Angstrom.
    r_receivers : (n_receivers, 3) same dtype
    edges : Edges

    Returns
    -------
    (E, 3) same dtype, edges in the order of `edges`

    Raises
    ------
    ShapeError
        If an array is not (n, 3) with the n of `edges`.
    DTypeError
        If a dtype is not real floating, or the two differ.

    Notes
    -----
    One subtraction: |computed - exact| <= u |r_rel|. Gradient: `relative_vjp`; derivation:
    docs/derivations/distance.md.

    Examples
    --------
    >>> from nbody_ref.ops.distance import relative
    >>> import numpy as np
    >>> from nbody_ref.graphs import Edges
    >>> edges = Edges.build(np.array([0]), np.array([1]), 2, 2)
    >>> relative(np.eye(3)[:2], np.eye(3)[:2], edges)
    array([[-1.,  1.,  0.]])
    """
    return RELATIVE.value(r_senders, r_receivers, edges)


class _Relative(Linear):
    inputs, statics, result = ("r_senders", "r_receivers"), ("edges",), "r"
    dots = ("senders_dot", "receivers_dot")

    def check(self, function: str, r_senders: Any, r_receivers: Any, edges: Any) -> Arguments:
        check_type(function, "edges", edges, Edges)
        a = check_array(function, "r_senders", r_senders, (edges.n_senders, 3))
        b = check_array(function, "r_receivers", r_receivers, (edges.n_receivers, 3))
        check_same_dtype(function, r_senders=a, r_receivers=b)
        return Arguments((a, b), (edges,), (edges.n_edges, 3), a.dtype)

    def forward(self, a: Array, b: Array, edges: Edges) -> Array:
        return a[edges.senders] - b[edges.receivers]  # D1

    def adjoint(self, k: int, r_bar: Array, a: Array, b: Array, edges: Edges) -> Array:
        """The cotangents of a node's edges, summed; for the receivers with a minus sign."""
        if k == 0:
            return _sums(r_bar, edges.t_ptr, edges.t_edge)  # D2
        return 0 - _sums(r_bar, edges.row_ptr, np.arange(edges.n_edges, dtype=np.uintp))  # D3

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(3, 3)), rng.normal(size=(3, 3))], [_SOME_EDGES]

    def exact(self, gauges: Gauges, a: Rows, b: Rows, edges: Edges) -> Rows:
        pairs = zip(edges.senders, edges.receivers, strict=True)
        return [[x - y for x, y in zip(a[int(i)], b[int(j)])] for i, j in pairs]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, edges: Edges) -> None:
        shape, xyz, rows = (edges.n_edges, 3), np.arange(3), np.arange(edges.n_edges)
        pairs = zip(inputs, (edges.senders, edges.receivers), (1, -1))
        low.sum(out, *(low.linear((rows, xyz), shape, name, (kinds(to), xyz), s) for name, to, s in pairs))


_SOME_EDGES = Edges.build([0, 0, 1, 2], [1, 2, 2, 0], 3, 3)
RELATIVE = _Relative(relative)
relative_jvp, relative_vjp, relative_vjp_jvp = RELATIVE.derivatives()


def distance(r_rel: Any, edges: Edges | None = None) -> Array:
    """Lengths of relative vectors.

    .. math:: d_e = (x_e^2 + y_e^2 + z_e^2)^{1/2}

    Parameters
    ----------
    r_rel : (E, 3) float64 or float32
        Any unit.
    edges : Edges, optional
        Only to name sender and receiver in the error.

    Returns
    -------
    (E,) same dtype

    Raises
    ------
    ShapeError, DTypeError
        If `r_rel` is not (E, 3) and real floating.
    GeometryError
        If a vector is zero (or so short that its square underflows), NaN or infinite: the pair is named.

    Notes
    -----
    |computed - exact| <= 3 u d. Gradient: `distance_vjp`; derivation: docs/derivations/distance.md.

    Examples
    --------
    >>> from nbody_ref.ops.distance import distance
    >>> import numpy as np
    >>> distance(np.array([[3.0, 4.0, 0.0]]))
    array([5.])
    """
    return DISTANCE.value(r_rel, edges)


class _Distance(CheckedOp):
    inputs, dots, result = ("r_rel",), ("r_dot",), "dist"
    statics: tuple[str, ...] = ("edges",)
    defaults: Mapping[str, Any] = {"edges": None}

    def check(self, function: str, r_rel: Any, edges: Any = None) -> Arguments:
        """Also the lengths, each at least the square root of the smallest normal number."""
        r = check_array(function, "r_rel", r_rel, (None, 3))
        if edges is not None:
            check_type(function, "edges", edges, Edges)
            check_array(function, "r_rel", r, (edges.n_edges, 3))
        with np.errstate(all="ignore"):  # what cannot be represented is named below
            dist = np.sqrt(_dot(r, r))
        good = (dist >= np.sqrt(np.finfo(r.dtype).tiny)) & np.isfinite(dist)  # NaN compares false
        if not good.all():
            check_finite(function, "r_rel", r)
            e = int(np.argmin(good))
            pair = "" if edges is None else f" (sender {edges.senders[e]}, receiver {edges.receivers[e]})"
            raise GeometryError(f"{function}: 'r_rel' must be nonzero and representable, got {r[e]} at edge {e}{pair}")
        return Arguments((r,), (dist,), dist.shape, r.dtype)

    def forward(self, r: Array, dist: Array) -> Array:
        return dist

    def tangent(self, r: Array, v: Array, dist: Array) -> Array:
        return _dot(r, v) / dist  # D5

    def cotangents(self, needs: Needs, g: Array, r: Array, dist: Array) -> Bars:
        """The cotangent times the unit vector, (E, 3)."""
        return ((g / dist)[:, None] * r,)  # D6

    def turning(self, needs: Needs, g: Array, r: Array, g_dot: Array | None, v: Array | None, dist: Array) -> Bars:
        r_bar_dot = np.zeros_like(r)
        if g_dot is not None:
            r_bar_dot += (g_dot / dist)[:, None] * r  # D7
        if v is not None:
            unit = r / dist[:, None]
            r_bar_dot += (g / dist)[:, None] * (v - unit * _dot(unit, v)[:, None])  # D8
        return (r_bar_dot,)

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 3))], [_SOME_EDGES]

    def exact(self, gauges: Gauges, r_rel: Rows, *entries: Any) -> Rows:
        """The square stands for the length."""
        return [[r[0] * r[0] + r[1] * r[1] + r[2] * r[2]] for r in r_rel]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, *entries: Any) -> None:
        rows = low.shape(inputs[0])[0]
        low.program.add(Apply(out, squared_lengths(low, inputs[0], f"{out}/square"), SquareRoot(), 0, rows))


DISTANCE = _Distance(distance)
distance_jvp, distance_vjp, distance_vjp_jvp = DISTANCE.derivatives()


def pair_distance(r_rel: Any, pairs: Edges, slots: Edges, parents: Edges) -> Array:
    """Lengths of the relative vectors of pairs of children of one parent, (E,); `distance` whose error names all three.

    Parameters
    ----------
    r_rel : (E, 3) float64 or float32
    pairs, slots, parents : Edges
        From a child to the slot of another, from children to slots, from slots to parents; `nbody_ref.gates.pairs`.

    Raises
    ------
    ShapeError, DTypeError, GeometryError
        As `distance`; if two children of one parent are at the same position, they are named.

    Examples
    --------
    >>> from nbody_ref.ops.distance import pair_distance
    >>> import numpy as np
    >>> from nbody_ref.graphs import Edges
    >>> one = Edges.build(np.array([0]), np.array([0]), 1, 1)
    >>> pair_distance(np.array([[0.0, 3.0, 4.0]]), one, one, one)
    array([5.])
    """
    return PAIR_DISTANCE.value(r_rel, pairs, slots, parents)


class _PairDistance(_Distance):
    statics = ("pairs", "slots", "parents")
    defaults: Mapping[str, Any] = {}

    def check(self, function: str, r_rel: Any, pairs: Any, slots: Any, parents: Any) -> Arguments:  # type: ignore[override]
        for name, edges in zip(self.statics, (pairs, slots, parents)):
            check_type(function, name, edges, Edges)
        r = check_array(function, "r_rel", r_rel, (pairs.n_edges, 3))
        zero = ~r.any(axis=1)
        if zero.any():
            edge = int(np.argmax(zero))
            slot = int(pairs.receivers[edge])
            one, other = sorted((int(pairs.senders[edge]), int(slots.senders[slot])))
            parent = int(parents.receivers[parents.t_edge[parents.t_ptr[slot]]])
            raise GeometryError(
                f"Pairs: children must be at different positions, got children {one} and {other} of parent {parent} "
                f"at the same one"
            )
        return super().check(function, r)

    def example(self, rng: np.random.Generator) -> Example:
        pairs = Edges.build([0, 1], [1, 0], 2, 2)
        return [rng.normal(size=(2, 3))], [pairs, Edges.build([0, 1], [0, 1], 2, 2), Edges.build([0, 0], [0, 1], 1, 2)]


PAIR_DISTANCE = _PairDistance(pair_distance)
pair_distance_jvp, pair_distance_vjp, pair_distance_vjp_jvp = PAIR_DISTANCE.derivatives()


def squared_lengths(low: Lowering, name: str, out: str) -> str:
    """Append the squares of the lengths of vectors (n, 3)."""
    rows, xyz = np.arange(low.shape(name)[0]), np.arange(3)
    return low.sum(out, low.terms((rows, 0 * xyz), (len(rows),), (name, rows, xyz), (name, rows, xyz)))


def _dot(a: Array, b: Array) -> Array:
    """x_a x_b + y_a y_b + z_a z_b of each row."""
    found: Array = a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]
    return found


def _sums(g: Array, ptr: Array, index: Array) -> Array:
    """Sums of the rows g[index[b]] over b in ptr[i]..ptr[i+1]-1."""
    out = np.zeros((len(ptr) - 1, 3), g.dtype)
    gather_sum(out.reshape(-1), g.reshape(-1), ptr, index, np.uintp(3))
    return out
