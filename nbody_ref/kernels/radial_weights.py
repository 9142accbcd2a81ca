"""Loops of `nbody_ref.ops.radial_weights` that only copy; the learned combination runs through kernels/mixing.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["copies_adjoint", "copies_forward"]


@kernel()
def copies_forward(w: Any, R: Any, at: Any, mul: Any, n_edges: Any, dim_r: Any) -> None:
    """w[e, p, c] = R[e, at[p]] for c below mul[p]; w and R flat, rows of R of length dim_r."""
    o = np.uintp(0)
    for e in range(n_edges):
        for p in range(np.uintp(len(at))):
            value = R[e * dim_r + at[p]]
            for c in range(mul[p]):
                w[o + c] = value
            o += mul[p]


@kernel()
def copies_adjoint(R_bar: Any, w_bar: Any, at: Any, mul: Any, n_edges: Any, dim_r: Any) -> None:
    """R_bar[e, at[p]] += sum over c of w_bar[e, p, c]."""
    o = np.uintp(0)
    for e in range(n_edges):
        for p in range(np.uintp(len(at))):
            for c in range(mul[p]):
                R_bar[e * dim_r + at[p]] += w_bar[o + c]
            o += mul[p]
