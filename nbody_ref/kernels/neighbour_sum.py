"""Loop of `nbody_ref.ops.neighbour_sum`: sums of rows along a compressed list, forward and adjoint alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["gather_sum"]

ONE = np.uintp(1)


@kernel()
def gather_sum(out: Any, x: Any, ptr: Any, index: Any, dim: Any) -> None:
    """out[i, :] += sum over b in ptr[i]..ptr[i+1]-1 of x[index[b], :]; out and x flat, rows of length dim."""
    for i in range(np.uintp(len(ptr)) - ONE):
        o = i * dim
        for b in range(ptr[i], ptr[i + ONE]):
            a = index[b] * dim
            for c in range(dim):
                out[o + c] += x[a + c]
