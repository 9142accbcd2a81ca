r"""Relative vectors of edges and their lengths: the paper's :math:`\hat r`, sec. 4, and its norm.

Derivations: docs/derivations/distance.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.errors import GeometryError
from nbody_ref.graphs import Edges
from nbody_ref.kernels.neighbour_sum import gather_sum
from nbody_ref.ops._check import check_array, check_finite, check_like, check_needs, check_same_dtype, check_type

__all__ = [
    "distance",
    "distance_jvp",
    "distance_vjp",
    "distance_vjp_jvp",
    "relative",
    "relative_jvp",
    "relative_vjp",
    "relative_vjp_jvp",
]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...] | None


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
    """
    a, b = _positions("relative", r_senders, r_receivers, edges)
    return a[edges.senders] - b[edges.receivers]


def relative_jvp(r_senders: Any, r_receivers: Any, senders_dot: Any, receivers_dot: Any, edges: Edges) -> Array | None:
    """Tangent of `relative`: the same difference of the tangents; None stands for zero."""
    a, b = _positions("relative_jvp", r_senders, r_receivers, edges)
    a_dot = check_like("relative_jvp", "senders_dot", senders_dot, a)
    b_dot = check_like("relative_jvp", "receivers_dot", receivers_dot, b)
    if a_dot is None:
        return None if b_dot is None else -b_dot[edges.receivers]  # D1
    if b_dot is None:
        return np.asarray(a_dot[edges.senders])  # D1
    return np.asarray(a_dot[edges.senders] - b_dot[edges.receivers])  # D1


def relative_vjp(
    r_bar: Any, r_senders: Any, r_receivers: Any, edges: Edges, needs: Needs = None
) -> tuple[Array | None, Array | None]:
    """Adjoint of `relative`: the cotangents of a node's edges, summed.

    Parameters
    ----------
    r_bar : (E, 3)
        Cotangent of the relative vectors.
    r_senders, r_receivers, edges
        As in `relative`.
    needs : (bool, bool), optional
        Which of the two adjoints to form; the other is None.

    Returns
    -------
    senders_bar : (n_senders, 3) or None
    receivers_bar : (n_receivers, 3) or None
    """
    a, _ = _positions("relative_vjp", r_senders, r_receivers, edges)
    g = check_array("relative_vjp", "r_bar", r_bar, (edges.n_edges, 3), (a.dtype,))
    wanted = check_needs("relative_vjp", needs, 2)
    senders_bar = _sums(g, edges.t_ptr, edges.t_edge) if wanted[0] else None  # D2
    receivers_bar = 0 - _sums(g, edges.row_ptr, np.arange(edges.n_edges, dtype=np.uintp)) if wanted[1] else None  # D3
    return senders_bar, receivers_bar


def relative_vjp_jvp(
    r_bar: Any,
    r_senders: Any,
    r_receivers: Any,
    r_bar_dot: Any,
    senders_dot: Any,
    receivers_dot: Any,
    edges: Edges,
    needs: Needs = None,
) -> tuple[Array | None, Array | None]:
    """Tangent of `relative_vjp`: linear, hence the adjoint of the cotangent's tangent alone."""
    del r_bar, senders_dot, receivers_dot
    if r_bar_dot is None:
        return None, None
    return relative_vjp(r_bar_dot, r_senders, r_receivers, edges, needs)  # D4


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
    """
    return _lengths("distance", r_rel, edges)[1]


def distance_jvp(r_rel: Any, r_dot: Any, edges: Edges | None = None) -> Array | None:
    """Tangent of `distance`: the component of r_dot along r_rel."""
    r, dist = _lengths("distance_jvp", r_rel, edges)
    v = check_like("distance_jvp", "r_dot", r_dot, r)
    if v is None:
        return None
    return _dot(r, v) / dist  # D5


def distance_vjp(dist_bar: Any, r_rel: Any, edges: Edges | None = None, needs: Needs = None) -> tuple[Array | None]:
    """Adjoint of `distance`: (E, 3), the cotangent times the unit vector."""
    r, dist = _lengths("distance_vjp", r_rel, edges)
    g = check_array("distance_vjp", "dist_bar", dist_bar, dist.shape, (r.dtype,))
    if not check_needs("distance_vjp", needs, 1)[0]:
        return (None,)
    return ((g / dist)[:, None] * r,)  # D6


def distance_vjp_jvp(
    dist_bar: Any, r_rel: Any, dist_bar_dot: Any, r_dot: Any, edges: Edges | None = None, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of `distance_vjp`: (E, 3); None if both tangents are."""
    r, dist = _lengths("distance_vjp_jvp", r_rel, edges)
    g = check_array("distance_vjp_jvp", "dist_bar", dist_bar, dist.shape, (r.dtype,))
    g_dot = check_like("distance_vjp_jvp", "dist_bar_dot", dist_bar_dot, g)
    v = check_like("distance_vjp_jvp", "r_dot", r_dot, r)
    if not check_needs("distance_vjp_jvp", needs, 1)[0] or (g_dot is None and v is None):
        return (None,)
    r_bar_dot = np.zeros_like(r)
    if g_dot is not None:
        r_bar_dot += (g_dot / dist)[:, None] * r  # D7
    if v is not None:
        unit = r / dist[:, None]
        r_bar_dot += (g / dist)[:, None] * (v - unit * _dot(unit, v)[:, None])  # D8
    return (r_bar_dot,)


def _positions(function: str, r_senders: Any, r_receivers: Any, edges: Edges) -> tuple[Array, Array]:
    check_type(function, "edges", edges, Edges)
    a = check_array(function, "r_senders", r_senders, (edges.n_senders, 3))
    b = check_array(function, "r_receivers", r_receivers, (edges.n_receivers, 3))
    check_same_dtype(function, r_senders=a, r_receivers=b)
    return a, b


def _dot(a: Array, b: Array) -> Array:
    """x_a x_b + y_a y_b + z_a z_b of each row."""
    found: Array = a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]
    return found


def _sums(g: Array, ptr: Array, index: Array) -> Array:
    """Sums of the rows g[index[b]] over b in ptr[i]..ptr[i+1]-1."""
    out = np.zeros((len(ptr) - 1, 3), g.dtype)
    gather_sum(out.reshape(-1), g.reshape(-1), ptr, index, np.uintp(3))
    return out


def _lengths(function: str, r_rel: Any, edges: Edges | None) -> tuple[Array, Array]:
    """Check r_rel and return it with its lengths, each at least sqrt of the smallest normal number."""
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
    return r, dist
