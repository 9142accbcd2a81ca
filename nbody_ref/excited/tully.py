r"""Tully's three models (J. Chem. Phys. 93, 1061, 1990): where surface hopping can be held to the truth.

A particle of 2000 electron masses comes from the left on the lower of two surfaces,

.. math:: i \partial_t \psi = \Big(-\frac{1}{2m} \partial_x^2 + V(x)\Big) \psi, \qquad V(x) \in \mathbb{R}^{2 \times 2},

and leaves transmitted (T) or reflected (R) on the lower (1) or upper (2) one. "SAC" is the simple avoided crossing,
"DAC" the dual one, "ECR" the extended coupling with reflection. Atomic units throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.checks import LARGEST, check_integer, check_number, check_word
from nbody_ref.kernels import tully as loops

__all__ = ["MASS", "MODELS", "Scattering", "hop", "potential", "scatter", "wave_packet"]

Array = np.ndarray[Any, Any]

MASS = 2000.0
MODELS = {
    "SAC": (loops.SAC, np.array([0.01, 1.6, 0.005, 1.0, 0.0])),
    "DAC": (loops.DAC, np.array([0.1, 0.28, 0.015, 0.06, 0.05])),
    "ECR": (loops.ECR, np.array([6e-4, 0.1, 0.9, 0.0, 0.0])),
}
METHODS = ("exact", "fssh", "lzsh")
START, BOX = -10.0, (-10.5, 10.0)
PACKET, LEAST_WIDTH = -12.0, 0.5  # bohr; a narrower packet would spread by more than 1/bohr in momentum
STRATIFIED = 8  # hops of a trajectory whose random numbers are a Latin hypercube
POINTS, LENGTH = 4096, 120.0  # of the wave packet's grid


@dataclass(frozen=True)
class Scattering:
    """Where trajectories went, with what they did on the way.

    Parameters
    ----------
    fractions : dict
        "T1", "T2", "R1", "R2".
    hops, frustrated : int
        Of all trajectories together; a frustrated hop leaves the velocity as it is.
    drift : float
        Largest error of any trajectory's total energy, Hartree.
    norm : float
        Largest deviation of the amplitudes' norm from 1 (0 for Landau-Zener hops, which have none).
    """

    fractions: dict[str, float]
    hops: int
    frustrated: int
    drift: float
    norm: float


def scatter(model: str, k: float, method: str = "exact", trajectories: int = 1000, seed: int = 0) -> dict[str, float]:
    """Probabilities of the four ways out.

    Parameters
    ----------
    model : {"SAC", "DAC", "ECR"}
    k : float
        Momentum of the incoming particle, positive, 1/bohr.
    method : {"exact", "fssh", "lzsh"}
        A wave packet by the split operator; fewest switches with the analytic coupling, sharp momentum, no decoherence
        and frustrated hops that keep their velocity; or hops by the Landau-Zener formula, from energies alone.
    trajectories, seed : int
        Of the two hopping methods. The trajectories' random numbers are spread evenly (a Latin hypercube), so that the
        standard error of a probability p is at most about sqrt(p (1 - p) / trajectories), mostly far less.

    Returns
    -------
    dict
        "T1", "T2", "R1", "R2".

    Raises
    ------
    ArgumentError
        If the model or method is unknown, k is not positive, or there is no trajectory.

    Examples
    --------
    >>> from nbody_ref.excited import tully
    >>> sum(tully.scatter("SAC", 20, method="fssh", trajectories=50).values())
    1.0
    """
    if check_word("scatter", "method", method, METHODS) == "exact":
        return wave_packet(model, k)
    return hop(model, k, method, trajectories, seed).fractions


def potential(model: str, x: Array) -> Array:
    """The diabatic matrices V(x), (..., 2, 2), Hartree."""
    check_word("potential", "model", model, MODELS)
    number, constants = MODELS[model]
    flat = np.ascontiguousarray(x, dtype=np.float64).ravel()
    out = np.empty((len(flat), 2, 2))
    loops.potentials(number, constants, flat, out)
    return out.reshape(*np.shape(x), 2, 2)


def hop(model: str, k: float, method: str, trajectories: int = 1000, seed: int = 0, dt: float = 1.0) -> Scattering:
    """Trajectories of `scatter`, with hops counted and conserved quantities watched.

    Parameters
    ----------
    model, k, method, trajectories, seed
        As for `scatter`; not "exact".
    dt : float
        Time step of velocity Verlet, atomic units.

    Returns
    -------
    Scattering

    Raises
    ------
    ArgumentError
        As `scatter`.
    """
    number, constants = MODELS[check_word("hop", "model", model, MODELS)]
    k, dt = (check_number("hop", *pair, POSITIVE, _positive) for pair in (("k", k), ("dt", dt)))
    fewest_switches = check_word("hop", "method", method, METHODS[1:]) == "fssh"
    n = check_integer("hop", "trajectories", trajectories, least=1, most=LARGEST)
    rng = np.random.default_rng(check_integer("hop", "seed", seed))
    draws = (rng.permuted(np.tile(np.arange(n), (STRATIFIED, 1)), axis=1).T + rng.random((n, STRATIFIED))) / n
    out, state, box = np.zeros((n, 6)), np.zeros(n, dtype=np.int64), np.array([START, *BOX])
    loops.trajectories(number, constants, MASS, k, box, dt, fewest_switches, rng, draws, out, state)
    right, upper = out[:, loops.X] > 0, state == 1
    ways = {"T1": right & ~upper, "T2": right & upper, "R1": ~right & ~upper, "R2": ~right & upper}
    return Scattering(
        {name: float(np.mean(way)) for name, way in ways.items()},
        int(out[:, loops.HOPS].sum()),
        int(out[:, loops.FRUSTRATED].sum()),
        float(out[:, loops.DRIFT].max()),
        float(np.abs(out[:, loops.NORM] - 1).max()),
    )


def wave_packet(model: str, k: float, width: float | None = None) -> dict[str, float]:
    r"""A Gaussian packet sent through the model by Strang's split operator.

    .. math:: \psi(t + dt) = e^{-i V dt / 2}\, e^{-i T dt}\, e^{-i V dt / 2}\, \psi(t) + O(dt^3)

    It starts at x = -12 on the lower surface.

    Parameters
    ----------
    model : str
    k : float
        Mean momentum.
    width : float, optional
        Standard deviation of the density at the start, bohr; None: 10 / k, but not less than 0.5. What is seen of
        reflection and of phases depends on it: in "DAC" at k = 50 T2 is 0.002, with 10 / k = 0.2 bohr it is 0.015.

    Returns
    -------
    dict
        "T1", "T2", "R1", "R2" when less than 1e-4 of the density is left in |x| < 9; they add up to 1 but for rounding.
    """
    from scipy.fft import fft, fftfreq, ifft

    k = check_number("wave_packet", "k", k, POSITIVE, _positive)
    width = (
        max(10.0 / k, LEAST_WIDTH)
        if width is None
        else check_number("wave_packet", "width", width, POSITIVE, _positive)
    )
    dx, dt = LENGTH / POINTS, min(2.0, 0.2 * np.pi / (k * k / (2 * MASS) + 0.05))
    x = np.arange(POINTS) * dx - LENGTH / 2
    energies, states = np.linalg.eigh(potential(check_word("wave_packet", "model", model, MODELS), x))
    packet = np.exp(-(((x - PACKET) / (2 * width)) ** 2) + 1j * k * x)
    psi = states[:, :, 0].T * packet / np.sqrt(dx * np.sum(np.abs(packet) ** 2))  # states[x, diabatic, adiabatic]
    half, step = (
        np.einsum("xia,xa,xja->ijx", states, np.exp(-1j * share * dt * energies), states) for share in (0.5, 1.0)
    )
    kinetic = np.exp(-0.5j * dt / MASS * (2 * np.pi * fftfreq(POINTS, dx)) ** 2)
    limit, inside, edge = int(52 * MASS / k / dt), np.abs(x) < 9, np.abs(x) > LENGTH / 2 - 4
    psi = ifft(kinetic * fft(_times(half, psi)))
    for i in range(limit):
        psi = ifft(kinetic * fft(_times(step, psi)))
        if i % 100 == 0 and i > limit // 4:
            density = dx * np.sum(np.abs(psi) ** 2, axis=0)
            if density[inside].sum() < 1e-4 or density[edge].sum() > 1e-4:
                break
    psi = _times(half, psi)
    density = dx * np.abs(np.einsum("xia,ix->ax", states, psi)) ** 2
    return {
        name: float(density[i, x > 0 if name[0] == "T" else x < 0].sum())
        for name, i in (("T1", 0), ("T2", 1), ("R1", 0), ("R2", 1))
    }


POSITIVE = "a positive number"


def _positive(value: float) -> bool:
    return 0 < value < np.inf


def _times(matrix: Array, psi: Array) -> Array:
    """(2, 2, x) times (2, x), point by point."""
    product: Array = matrix[:, 0] * psi[0] + matrix[:, 1] * psi[1]
    return product
