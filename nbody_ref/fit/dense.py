"""Large symmetric matrices in blocks: Gram matrices, Cholesky factors, solutions.

BLAS libraries in wide use end in a segmentation fault in one symmetric product of some fifteen thousand columns on two
threads. Here no call sees more than `BLOCK` columns of a triangle, and what is below one block is one call, as ever.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from scipy.linalg.blas import dsyrk

__all__ = ["BLOCK", "add_gram", "cholesky", "outer_gram", "solve_cholesky"]

Array = np.ndarray[Any, Any]

BLOCK = 4096  # columns


def add_gram(lower: Array, rows: Array, block: int = BLOCK) -> Array:
    """Add rows^T rows to the lower triangle of a matrix, in place.

    Parameters
    ----------
    lower : (n, n) float64, Fortran order
        Only its lower triangle is read and written.
    rows : (m, n) float64

    Returns
    -------
    (n, n) float64
        `lower`.

    Examples
    --------
    >>> add_gram(np.zeros((2, 2), order="F"), np.array([[1.0, 2.0]])).tolist()
    [[1.0, 0.0], [2.0, 4.0]]
    """
    n = len(lower)
    if n <= 2 * block:
        return np.asarray(dsyrk(1.0, rows.T, beta=1.0, c=lower, lower=1, overwrite_c=1))
    for start in range(0, n, block):
        stop = min(start + block, n)
        lower[start:stop, start:stop] += np.tril(rows[:, start:stop].T @ rows[:, start:stop].copy())
        if stop < n:
            lower[stop:, start:stop] += rows[:, stop:].T @ rows[:, start:stop]
    return lower


def outer_gram(rows: Array, block: int = BLOCK) -> Array:
    """The lower triangle of rows rows^T, Fortran order; what is above it has no meaning."""
    if len(rows) <= 2 * block:
        return np.asarray(dsyrk(1.0, rows.T, trans=1, lower=1))
    lower = np.zeros((len(rows), len(rows)), order="F")
    for start in range(0, len(rows), block):
        lower[start:, start : start + block] = rows[start:] @ rows[start : start + block].T
    return lower


def cholesky(lower: Array, block: int = BLOCK) -> Array:
    r"""L of a positive definite matrix L L^T, from its lower triangle, in place.

    .. math:: L_{jj} L_{jj}^T = A_{jj}, \; L_{ij} = A_{ij} L_{jj}^{-T}, \; A_{ik} \leftarrow A_{ik} - L_{ij} L_{kj}^T.

    Raises
    ------
    scipy.linalg.LinAlgError
        If the matrix is not positive definite in float64.
    """
    n = len(lower)
    if n <= 2 * block:
        return np.asarray(scipy.linalg.cho_factor(lower, lower=True, overwrite_a=True, check_finite=False)[0])
    for start in range(0, n, block):
        stop = min(start + block, n)
        diagonal = scipy.linalg.cholesky(lower[start:stop, start:stop], lower=True, check_finite=False)
        lower[start:stop, start:stop] = diagonal
        if stop == n:
            break
        panel = scipy.linalg.solve_triangular(diagonal, lower[stop:, start:stop].T, lower=True, check_finite=False).T
        lower[stop:, start:stop] = panel
        for first in range(stop, n, block):  # of the triangle that is left, block by block
            last = min(first + block, n)
            right = panel[first - stop : last - stop]
            lower[first:, first:last] -= panel[first - stop :] @ right.T
    return lower


def solve_cholesky(factor: Array, right: Array) -> Array:
    """x with L L^T x = right, from the lower triangle of L."""
    return np.asarray(scipy.linalg.cho_solve((factor, True), right, check_finite=False))
