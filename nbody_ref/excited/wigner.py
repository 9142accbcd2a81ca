"""Starts of trajectories: the Wigner distribution of harmonic modes, from any surface's Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ase import units

from nbody_ref.checks import check_integer, check_number
from nbody_ref.errors import GeometryError
from nbody_ref.excited.hops import HBAR

__all__ = ["hessian", "modes", "sample"]

Array = np.ndarray[Any, Any]

SOFT_PER_CM = 50.0  # modes below are no vibrations: the structure is no minimum, or it is linear


def hessian(forces: Callable[[Array], Array], positions: Array, step: float = 0.005) -> Array:
    """Second derivatives (3N, 3N), eV/Angstrom^2, by central differences of forces (T, N, 3) of positions (T, N, 3)."""
    n = positions.size
    shifts = step * np.eye(n).reshape(n, *positions.shape)
    difference = forces(positions - shifts) - forces(positions + shifts)
    rows = difference.reshape(n, n) / (2 * step)
    found: Array = (rows + rows.T) / 2
    return found


def modes(positions: Array, masses: Array, second: Array) -> tuple[Array, Array]:
    """Angular frequencies (M,), 1/ASE's unit of time, and mass-weighted modes (3N, M), M = 3N - 6.

    Translations and rotations are projected out, not sorted out.

    Raises
    ------
    GeometryError
        If a frequency is imaginary or below 50/cm.
    """
    root = np.sqrt(np.repeat(masses, 3))
    centred = positions - masses @ positions / masses.sum()
    moved = np.stack([np.tile(axis, len(masses)) for axis in np.eye(3)])
    turned = np.stack([np.cross(axis, centred).ravel() for axis in np.eye(3)])
    basis, _ = np.linalg.qr((np.concatenate([moved, turned]) * root).T, mode="complete")
    inner = basis[:, 6:]
    squares, vectors = np.linalg.eigh(inner.T @ (second / np.outer(root, root)) @ inner)
    limit = (SOFT_PER_CM * units.invcm / HBAR) ** 2
    if squares[0] < limit:
        wave = np.sign(squares[0]) * np.sqrt(abs(squares[0])) * HBAR / units.invcm
        raise GeometryError(f"modes: 'positions' must be a minimum, the lowest frequency is {wave:.0f}/cm")
    return np.sqrt(squares), inner @ vectors


def sample(
    positions: Array, masses: Array, second: Array, count: int, temperature: float = 0.0, seed: int = 0
) -> tuple[Array, Array]:
    r"""Positions and velocities from the Wigner function of the harmonic ground state, or a thermal one.

    .. math:: \langle q^2 \rangle = \frac{\hbar}{2 \omega} \coth\frac{\hbar\omega}{2 k T}, \qquad
              \langle p^2 \rangle = \omega^2 \langle q^2 \rangle

    Parameters
    ----------
    positions : (N, 3) float64
        A minimum, Angstrom.
    masses : (N,) float64
    second : (3N, 3N) float64
        `hessian` there.
    count : int
    temperature : float
        K.
    seed : int

    Returns
    -------
    (count, N, 3) float64, (count, N, 3) float64
        Angstrom; Angstrom per ASE's unit of time. Neither the centre of mass nor, to first order, the molecule turns.
    """
    count = check_integer("sample", "count", count, least=1)
    warm = check_number("sample", "temperature", temperature, "0 or positive", lambda x: 0 <= x < np.inf) * units.kB
    omega, vectors = modes(positions, masses, second)
    ratio = 1.0 if warm == 0 else 1 / np.tanh(HBAR * omega / (2 * warm))
    width = np.sqrt(HBAR / (2 * omega) * ratio)
    q, p = np.random.default_rng(check_integer("sample", "seed", seed)).standard_normal((2, count, len(omega)))
    root = np.sqrt(np.repeat(masses, 3))
    move = (q * width) @ vectors.T / root
    velocity = (p * width * omega) @ vectors.T / root
    return positions + move.reshape(count, -1, 3), velocity.reshape(count, -1, 3)
