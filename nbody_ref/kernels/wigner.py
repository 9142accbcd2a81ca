"""Wigner matrices from quaternions, by adding one spin 1/2 at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["wigner"]

_ZERO, _ONE = np.uintp(0), np.uintp(1)


@kernel()
def wigner(spin: Any, root: Any, D: Any) -> None:
    """D[e] = D^l of the SU(2) matrix spin[e], for degree l = (D.shape[1] - 1) / 2, all indices from 0 (m = -l).

    spin (n, 2, 2) complex, rows and columns m = -1/2, 1/2; root[j, k] = sqrt(k / j), (2l + 1, 2l + 1);
    D (n, 2l + 1, 2l + 1) complex, written. A step j - 1 -> j needs only entries of smaller index, hence the descending
    loops, in place.
    """
    size = np.uintp(D.shape[1])
    for e in range(np.uintp(D.shape[0])):
        d00, d01, d10, d11 = spin[e, _ZERO, _ZERO], spin[e, _ZERO, _ONE], spin[e, _ONE, _ZERO], spin[e, _ONE, _ONE]
        D[e, _ZERO, _ZERO] = 1  # D^0
        for j in range(_ONE, size):
            for up in range(j + _ONE):
                p = j - up
                for across in range(j + _ONE):
                    q = j - across
                    total = d00 * 0
                    if p < j and q < j:
                        total += root[j, j - p] * root[j, j - q] * d00 * D[e, p, q]
                    if p < j and q > _ZERO:
                        total += root[j, j - p] * root[j, q] * d01 * D[e, p, q - _ONE]
                    if p > _ZERO and q < j:
                        total += root[j, p] * root[j, j - q] * d10 * D[e, p - _ONE, q]
                    if p > _ZERO and q > _ZERO:
                        total += root[j, p] * root[j, q] * d11 * D[e, p - _ONE, q - _ONE]
                    D[e, p, q] = total
