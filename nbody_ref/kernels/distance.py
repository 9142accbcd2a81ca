"""Loops over vectors for `nbody_ref.ops.harmonics`: unit vectors, and the derivative of forming them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["project", "unit"]

_X, _Y, _Z = np.uintp(0), np.uintp(1), np.uintp(2)


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
