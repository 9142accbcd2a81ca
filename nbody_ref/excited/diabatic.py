r"""A small matrix of smooth functions whose eigenvalues are the states: its loss on labels without phases.

.. math:: H(R)\, u_a = E_a u_a, \qquad F_a = -u_a^T (\nabla H) u_a, \qquad
          (E_b - E_a) \langle a | \nabla b \rangle = u_a^T (\nabla H) u_b .

Where surfaces meet, H stays smooth; the eigenvectors of labels have random signs, so the loss takes the signs that fit
best. It knows H and its derivative only through the adiabatic matrix M = U^T (grad H) U, whose labels are forces on the
diagonal and couplings beside it.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.excited.labels import StateFrames
from nbody_ref.excited.surfaces import Electronic, pairs

__all__ = ["Weights", "adiabatic", "matrix_loss", "packed", "unpacked"]

Array = np.ndarray[Any, Any]


class Weights(NamedTuple):
    """Of the three parts of the loss, each for a squared error: 1/eV^2 and (A/eV)^2."""

    energy: float = 100.0
    force: float = 1.0
    coupling: float = 1.0


def unpacked(elements: Array, states: int) -> Array:
    """Symmetric matrices (..., S, S) from their S (S + 1) / 2 elements, diagonal first, then `pairs`."""
    out = np.empty((*elements.shape[:-1], states, states))
    for i in range(states):
        out[..., i, i] = elements[..., i]
    for p, (a, b) in enumerate(pairs(states)):
        out[..., a, b] = out[..., b, a] = elements[..., states + p]
    return out


def packed(matrices: Array) -> Array:
    """Adjoint of `unpacked`: (..., S (S + 1) / 2) from (..., S, S); off-diagonal elements count twice."""
    states = matrices.shape[-1]
    parts = [matrices[..., i, i] for i in range(states)]
    parts += [matrices[..., a, b] + matrices[..., b, a] for a, b in pairs(states)]
    return np.stack(parts, axis=-1)


def adiabatic(matrices: Array, gradients: Array) -> Electronic:
    """States of diabatic matrices.

    Parameters
    ----------
    matrices : (T, S, S) float64
        eV.
    gradients : (T, S, S, N, 3) float64
        eV/Angstrom.

    Returns
    -------
    Electronic
        With couplings and vectors, whose signs are those that the diagonalisation gave.
    """
    energies, vectors = np.linalg.eigh(matrices)
    inner = np.einsum("tka,tklnx,tlb->tabnx", vectors, gradients, vectors, optimize=True)
    forces = -np.moveaxis(np.diagonal(inner, axis1=1, axis2=2), -1, 1)
    first, second = np.array(pairs(matrices.shape[1])).T
    return Electronic(energies, forces, inner[:, first, second], vectors)


def matrix_loss(
    matrices: Array, gradients: Array, labels: StateFrames, weights: Weights | None = None
) -> tuple[float, Array, Array]:
    r"""Loss of diabatic matrices on labels, and its derivatives by matrices and gradients.

    Parameters
    ----------
    matrices : (F, S, S) float64
    gradients : (F, S, S, N, 3) float64
    labels : StateFrames
        What is NaN does not count.
    weights : Weights, optional

    Returns
    -------
    float, (F, S, S) float64, (F, S, S, N, 3) float64
        Half the weighted sum of squares; symmetric derivatives.

    Notes
    -----
    With residuals R_x of M_x (label signs chosen, weights included) the derivative by grad_x H is U R_x U^T, and by H,
    through the turning of the eigenvectors, U (diag(e) + K_ab / (E_a - E_b)) U^T with K = sum_x (R_x M_x - M_x R_x).
    """
    weights = weights or Weights()
    energies, vectors = np.linalg.eigh(matrices)
    f, s = energies.shape
    flat = gradients.reshape(f, s, s, -1)
    inner = np.einsum("tka,tklx,tlb->tabx", vectors, flat, vectors, optimize=True)
    diagonal = _known(energies - labels.energies)
    residual = np.zeros_like(inner)
    force = _known(inner[:, range(s), range(s)] + labels.forces.reshape(f, s, -1))
    residual[:, range(s), range(s)] = weights.force * force
    first, second = np.array(pairs(s)).T
    off = inner[:, first, second]
    wanted = labels.couplings.reshape(off.shape)
    off = _known(off - wanted * _best_signs(off, wanted, s)[:, :, None])
    residual[:, first, second] = residual[:, second, first] = 0.5 * weights.coupling * off
    value = weights.energy * np.sum(diagonal**2) + weights.force * np.sum(force**2) + weights.coupling * np.sum(off**2)
    turn = np.einsum("tacx,tcbx->tab", residual, inner, optimize=True)
    turn = turn - turn.transpose(0, 2, 1)
    gap = energies[:, :, None] - energies[:, None, :]
    centre = np.where(
        np.eye(s, dtype=bool), weights.energy * diagonal[:, :, None], turn / np.where(gap == 0, np.inf, gap)
    )
    by_matrix = np.einsum("tka,tab,tlb->tkl", vectors, centre, vectors, optimize=True)
    by_gradient = np.einsum("tka,tabx,tlb->tklx", vectors, residual, vectors, optimize=True)
    return 0.5 * float(value), by_matrix, by_gradient.reshape(gradients.shape)


def _known(difference: Array) -> Array:
    return np.where(np.isfinite(difference), difference, 0.0)


def _best_signs(found: Array, wanted: Array, states: int) -> Array:
    """Signs (F, P) of pairs, products of signs of states, for which couplings fit best."""
    choices = np.array([(1.0, *rest) for rest in product((1.0, -1.0), repeat=states - 1)])
    first, second = np.array(pairs(states)).T
    options = choices[:, first] * choices[:, second]
    along = np.einsum("tpx,tpx->tp", found, _known(wanted))
    best: Array = options[np.argmax(along @ options.T, axis=1)]
    return best
