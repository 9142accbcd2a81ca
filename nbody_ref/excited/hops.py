r"""When to hop, and what a hop does to the nuclei: formulas for T trajectories of S states at once.

Amplitudes obey :math:`i\hbar\,\dot c_a = E_a c_a - i\hbar \sum_b v \cdot d_{ab} c_b`. Over a step the adiabatic states
of its end are turned by an orthogonal matrix :math:`O_{ab} = \langle a(t) | b(t + dt) \rangle` against those of its
beginning: in the basis of the beginning the Hamiltonian goes from diag(E) to :math:`O\, \mathrm{diag}(E')\, O^T`
(local diabatisation, Granucci, Persico and Toniolo 2001). Where O comes from state vectors, no gap is divided by.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import units

from nbody_ref.excited.surfaces import Electronic, pairs

__all__ = ["HBAR", "decohere", "landau_zener", "propagate", "rescale", "rotation", "switches"]

Array = np.ndarray[Any, Any]

HBAR = units._hbar * units.J * units.second  # eV times ASE's unit of time
DECOHERENCE_EV = 0.1 * units.Hartree  # Granucci and Persico 2007


def landau_zener(gaps: Array, dt: float) -> Array:
    r"""Probability of a hop where the gap had a minimum one step ago (Belyaev and Lebedev 2011), else 0.

    .. math:: P = \exp\Big(-\frac{\pi}{2 \hbar} \sqrt{Z^3 / \ddot Z}\Big)

    Parameters
    ----------
    gaps : (3, ...) float64
        Gap two steps ago, one step ago, now; infinite where there was none.
    dt : float
        Step, ASE's unit of time.

    Returns
    -------
    (...) float64
    """
    before, least, now = gaps
    minimum = np.isfinite(before) & (least < before) & (least < now)
    curvature = np.where(minimum, np.where(minimum, before, 0) - 2 * np.where(minimum, least, 0) + now, 1) / dt**2
    depth = np.where(minimum, least, 0.0)
    found: Array = np.where(minimum, np.exp(-np.pi / (2 * HBAR) * np.sqrt(depth**3 / curvature)), 0.0)
    return found


def rotation(old: Electronic, new: Electronic, step: Array, dt: float) -> Array:
    """O (T, S, S) of a step that moved the atoms by `step` (T, N, 3), from vectors or else from couplings.

    Vectors give it exactly. Couplings give exp(integral of v . d), by the trapezoid rule. Signs as `aligned` left them.
    """
    if old.vectors is not None and new.vectors is not None:
        overlap: Array = np.einsum("tka,tkb->tab", old.vectors, new.vectors)
        return overlap
    from scipy.linalg import expm

    n = old.energies.shape[1]
    generator = np.zeros((len(step), n, n))
    for p, (a, b) in enumerate(pairs(n)):
        for state in (old, new):
            if state.couplings is None:
                raise ValueError("rotation: states carry neither vectors nor couplings")
            along = np.einsum("tnx,tnx->t", state.couplings[:, p], step)
            generator[:, a, b] += along / (2 * (state.energies[:, b] - state.energies[:, a]))
        generator[:, b, a] = -generator[:, a, b]
    turned: Array = expm(generator)
    return turned


def propagate(amplitudes: Array, old: Array, new: Array, turn: Array, dt: float, substeps: int = 20) -> Array:
    """Amplitudes (T, S) in the adiabatic states at the end of a step, by local diabatisation.

    The Hamiltonian in the states of the beginning goes linearly from diag(old) to O diag(new) O^T; each of the substeps
    is solved exactly with its middle, so the norm stays 1 to rounding.
    """
    target = np.einsum("tab,tb,tcb->tac", turn, new, turn)
    start = old[:, :, None] * np.eye(old.shape[1])
    psi = amplitudes
    for k in range(substeps):
        share = (k + 0.5) / substeps
        energies, states = np.linalg.eigh((1 - share) * start + share * target)
        inside = np.exp(-1j * dt / (substeps * HBAR) * energies) * np.einsum("tka,tk->ta", states, psi)
        psi = np.einsum("tka,ta->tk", states, inside)
    found: Array = np.einsum("tab,ta->tb", turn, psi)
    return found


def switches(before: Array, after: Array, state: Array) -> Array:
    r"""Probabilities (T, S) to leave the active state: fewest switches by the change of all populations over a step.

    .. math:: P_{a \to b} = \max\Big(0, \frac{-\Delta\rho_a}{\rho_a}\Big)\,
              \frac{\max(0, \Delta\rho_b)}{\sum_c \max(0, \Delta\rho_c)}

    (global flux, Wang, Trivedi and Prezhdo 2014). Of two states this is Tully's formula integrated over the step.
    """
    rows = np.arange(len(state))
    change = np.abs(after) ** 2 - np.abs(before) ** 2
    gains = np.maximum(change, 0)
    gains[rows, state] = 0
    total = gains.sum(axis=1)
    loss = np.maximum(0, -change[rows, state]) / np.maximum(np.abs(before[rows, state]) ** 2, 1e-300)
    share: Array = np.minimum(loss, 1)[:, None] * gains / np.where(total > 0, total, 1)[:, None]
    return share


def decohere(amplitudes: Array, energies: Array, state: Array, kinetic: Array, dt: float) -> Array:
    """Amplitudes of all states but the active one fade with time hbar / gap (1 + 0.1 Hartree / kinetic energy)."""
    rows = np.arange(len(state))
    gap = np.abs(energies - energies[rows, state][:, None])
    time = HBAR * (1 + DECOHERENCE_EV / np.maximum(kinetic, 1e-12))[:, None]
    faded = amplitudes * np.exp(-dt * gap / time)
    active = amplitudes[rows, state]
    rest = np.sum(np.abs(faded) ** 2, axis=1) - np.abs(faded[rows, state]) ** 2
    size = np.abs(active)
    faded[rows, state] = active * np.sqrt(np.maximum(1 - rest, 0)) / np.where(size > 0, size, 1)
    found: Array = faded
    return found


def rescale(velocity: Array, masses: Array, direction: Array, gain: float) -> Array | None:
    """Velocity (N, 3) whose kinetic energy is larger by `gain`, changed along direction / mass; None: not possible.

    Of the two solutions the one nearer to the old velocity. ``direction = masses v`` scales the velocity.
    """
    change = direction / masses[:, None]
    a, b = 0.5 * np.sum(direction * change), np.sum(velocity * direction)
    inside = b * b + 4 * a * gain
    if a == 0 or inside < 0:
        return None
    root = np.sqrt(inside)
    amount = (root - b) / (2 * a) if b > 0 else -(root + b) / (2 * a)
    found: Array = velocity + amount * change
    return found
