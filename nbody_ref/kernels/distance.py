"""Loops over edges: relative vectors, their lengths, and sums of edge vectors into nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = [
    "add_to_receivers",
    "add_to_senders",
    "difference",
    "length",
    "length_jvp",
    "length_vjp",
    "length_vjp_jvp_add",
    "project",
    "unit",
]

_X, _Y, _Z = np.uintp(0), np.uintp(1), np.uintp(2)
_ONE = np.uintp(1)


@kernel()
def difference(r_senders: Any, r_receivers: Any, senders: Any, receivers: Any, r_rel: Any) -> None:
    """r_rel[e] = r_senders[senders[e]] - r_receivers[receivers[e]]; all (*, 3), r_rel (E, 3) written."""
    for e in range(np.uintp(senders.shape[0])):
        j, i = senders[e], receivers[e]
        r_rel[e, _X] = r_senders[j, _X] - r_receivers[i, _X]
        r_rel[e, _Y] = r_senders[j, _Y] - r_receivers[i, _Y]
        r_rel[e, _Z] = r_senders[j, _Z] - r_receivers[i, _Z]


@kernel()
def add_to_senders(t_ptr: Any, t_edge: Any, r_rel: Any, r_senders: Any) -> None:
    """r_senders[j] += sum of r_rel[e] over the edges that j sends."""
    for j in range(np.uintp(r_senders.shape[0])):
        for t in range(t_ptr[j], t_ptr[j + _ONE]):
            e = t_edge[t]
            r_senders[j, _X] += r_rel[e, _X]
            r_senders[j, _Y] += r_rel[e, _Y]
            r_senders[j, _Z] += r_rel[e, _Z]


@kernel()
def add_to_receivers(row_ptr: Any, r_rel: Any, r_receivers: Any) -> None:
    """r_receivers[i] -= sum of r_rel[e] over the edges that i receives."""
    for i in range(np.uintp(r_receivers.shape[0])):
        for e in range(row_ptr[i], row_ptr[i + _ONE]):
            r_receivers[i, _X] -= r_rel[e, _X]
            r_receivers[i, _Y] -= r_rel[e, _Y]
            r_receivers[i, _Z] -= r_rel[e, _Z]


@kernel()
def length(r_rel: Any, dist: Any) -> None:
    """dist[e] = |r_rel[e]|; r_rel (E, 3), dist (E,) written."""
    for e in range(np.uintp(dist.shape[0])):
        x, y, z = r_rel[e, _X], r_rel[e, _Y], r_rel[e, _Z]
        dist[e] = np.sqrt(x * x + y * y + z * z)


@kernel()
def length_jvp(r_rel: Any, dist: Any, r_dot: Any, dist_dot: Any) -> None:
    """dist_dot[e] = r . r_dot / d."""
    for e in range(np.uintp(dist.shape[0])):
        dot = r_rel[e, _X] * r_dot[e, _X] + r_rel[e, _Y] * r_dot[e, _Y] + r_rel[e, _Z] * r_dot[e, _Z]
        dist_dot[e] = dot / dist[e]


@kernel()
def length_vjp(dist_bar: Any, r_rel: Any, dist: Any, r_bar: Any) -> None:
    """r_bar[e] = dist_bar[e] r / d; r_bar (E, 3) written."""
    for e in range(np.uintp(dist.shape[0])):
        scale = dist_bar[e] / dist[e]
        r_bar[e, _X] = scale * r_rel[e, _X]
        r_bar[e, _Y] = scale * r_rel[e, _Y]
        r_bar[e, _Z] = scale * r_rel[e, _Z]


@kernel()
def length_vjp_jvp_add(dist_bar: Any, r_rel: Any, dist: Any, r_dot: Any, r_bar_dot: Any) -> None:
    """r_bar_dot[e] += dist_bar[e] (r_dot - u (u . r_dot)) / d with u = r / d."""
    for e in range(np.uintp(dist.shape[0])):
        d = dist[e]
        x, y, z = r_rel[e, _X] / d, r_rel[e, _Y] / d, r_rel[e, _Z] / d
        along = x * r_dot[e, _X] + y * r_dot[e, _Y] + z * r_dot[e, _Z]
        scale = dist_bar[e] / d
        r_bar_dot[e, _X] += scale * (r_dot[e, _X] - x * along)
        r_bar_dot[e, _Y] += scale * (r_dot[e, _Y] - y * along)
        r_bar_dot[e, _Z] += scale * (r_dot[e, _Z] - z * along)


@kernel()
def unit(r_rel: Any, dist: Any, u: Any) -> None:
    """u[e] = r_rel[e] / dist[e] with dist[e] = |r_rel[e]|; both written."""
    for e in range(np.uintp(dist.shape[0])):
        x, y, z = r_rel[e, _X], r_rel[e, _Y], r_rel[e, _Z]
        d = np.sqrt(x * x + y * y + z * z)
        dist[e] = d
        u[e, _X], u[e, _Y], u[e, _Z] = x / d, y / d, z / d


@kernel()
def project(u: Any, dist: Any, w: Any, out: Any) -> None:
    """out[e] = (w - u (u . w)) / d: the derivative of r / |r| applied to w; it is symmetric."""
    for e in range(np.uintp(dist.shape[0])):
        x, y, z, d = u[e, _X], u[e, _Y], u[e, _Z], dist[e]
        along = x * w[e, _X] + y * w[e, _Y] + z * w[e, _Z]
        out[e, _X] = (w[e, _X] - x * along) / d
        out[e, _Y] = (w[e, _Y] - y * along) / d
        out[e, _Z] = (w[e, _Z] - z * along) / d
