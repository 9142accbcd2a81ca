r"""Errors on frames that were left out, from one factorisation of the fit to all of them.

With the rows A (energies times omega and free of constants: P A_E), labels y and

.. math:: M = P - A (A^T A + \mu)^{-1} A^T = \mu P (A A^T + \mu)^{-1} P, \qquad r = M y,

the fit that leaves out the rows S has the residuals :math:`e_S = M_{SS}^{-1} r_S` on them: exactly what it would have
if it were solved again without, its columns scaled alike. P = 1 - N N^+ acts on energies, and is 1 without constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from scipy.linalg.lapack import dpotri

from nbody_ref.fit.baseline import pseudo_inverse
from nbody_ref.fit.dense import cholesky, outer_gram
from nbody_ref.fit.ridge import ENERGY_WEIGHT, Equations, Solution

__all__ = ["Taken", "left_out"]

Array = np.ndarray[Any, Any]

SINGULAR = 1e-9  # of M / mu or M, relative to its largest: a constant that no other frame determines


class Taken(NamedTuple):
    """A part of the frames that is left out together.

    Parameters
    ----------
    energies : list of int
        Their energy rows, counted as the equations took them in.
    forces : list of int
        Their force rows, counted alike.
    """

    energies: list[int]
    forces: list[int]


def left_out(
    system: Equations, solution: Solution, parts: Sequence[Taken], force_rows: Callable[[int], Array], forces: Array
) -> list[tuple[Array, Array]]:
    """Prediction minus label of the energies (eV) and forces (eV/Angstrom) of each part, by the fit without it.

    Parameters
    ----------
    system : Equations
        Filled with all frames; solver "primal" or "dual".
    solution : Solution
        Of it.
    parts : sequence of Taken
    force_rows : function of int
        Rows of the forces of a part, by its number; asked for by the primal solver only, which does not keep them.
    forces : (M,) float64
        Labels of all force rows.

    Returns
    -------
    list of (energies, forces)
        NaN where the energy of a composition is not determined without the part.
    """
    rows, energies, counts = system.energy_rows()
    scale, pseudo = system.scale(), pseudo_inverse(counts) if system.constants else np.zeros(counts.T.shape)
    a = ENERGY_WEIGHT * (rows - counts @ (pseudo @ rows)) * scale
    mu = solution.regularisation * system.unit(a, scale)
    y = np.concatenate([ENERGY_WEIGHT * energies, forces])
    if system.solver == "dual":
        m = _dual(system.stacked(a, scale), mu, counts @ pseudo)
        whole = m @ y
        where = [[*part.energies, *(len(energies) + np.asarray(part.forces, dtype=int))] for part in parts]
        return [_without(m[np.ix_(s, s)], whole[s], len(part.energies)) for s, part in zip(where, parts, strict=True)]
    gram = system.gram(a, scale)
    gram[np.diag_indices(len(gram))] += mu
    factor = cholesky(gram)
    found = []
    for k, (e, f) in enumerate(parts):
        block = force_rows(k)
        half = scipy.linalg.solve_triangular(
            factor, np.concatenate([a[e], block * scale]).T, lower=True, check_finite=False
        )
        m = np.eye(len(e) + len(f)) - half.T @ half
        m[: len(e), : len(e)] -= counts[e] @ pseudo[:, e]
        r_e = ENERGY_WEIGHT * (energies[e] - rows[e] @ solution.weights - counts[e] @ solution.constants)
        found.append(_without(m, np.concatenate([r_e, forces[f] - block @ solution.weights]), len(e)))
    return found


def _dual(stacked: Array, mu: float, onto: Array) -> Array:
    """M / mu from the matrix of all rows; `onto` is N N^+."""
    small = outer_gram(stacked)
    small[np.diag_indices(len(small))] += mu
    factor = cholesky(small)
    lower = dpotri(factor, lower=1)[0]
    m = np.tril(lower) + np.tril(lower, -1).T
    n = len(onto)
    m[:n] -= onto @ m[:n]
    m[:, :n] -= m[:, :n] @ onto
    return np.asarray(m)


def _without(m: Array, r: Array, n_energies: int) -> tuple[Array, Array]:
    """M^-1 r with the sign of prediction minus label."""
    values, vectors = np.linalg.eigh((m + m.T) / 2)
    good = values > SINGULAR * values.max(initial=0.0)
    e = -(vectors[:, good] @ ((vectors[:, good].T @ r) / values[good]))
    if not good.all():
        e = np.where(np.abs(vectors[:, ~good]).max(axis=1) > 1e-3, np.nan, e)
    return e[:n_energies] / ENERGY_WEIGHT, e[n_energies:]
