r"""Do energies belong to their forces? Forces alone are fitted, and the energies that follow are compared with labels.

A small network is fitted to forces of some frames along random directions: :math:`\alpha = (A A^T + \mu)^{-1} y`. Every
frame is predicted by a fit that has not seen it: :math:`\alpha^{(-S)} = \alpha - C_{:S} C_{SS}^{-1} \alpha_S` with
:math:`C = (A A^T + \mu)^{-1}`. For right data labelled energies rise with predicted ones with slope 1 (0.99 for 40
frames of ethanol); another slope is the ratio of two units. A frame stands out if its energy is far from that line, or
if its forces are, in units of what the fit does not know about them: far from all other frames it knows little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.fit.frames import Frames
from nbody_ref.fit.ridge import column_scale
from nbody_ref.fit.rows import column_orders, column_smoothness, rows_along
from nbody_ref.network import Network, default

__all__ = ["Consistency", "consistency"]

Array = np.ndarray[Any, Any]

SIZES = ((24, 16, 4), 8), ((16, 8, 3), 6)  # channels and radial functions of the network, for few frames and for many
MANY = 200
SMOOTHNESS = 2.0
LAMBDAS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
MOST_FRAMES, DIRECTIONS = 64, 8
MOST_ATOMS = 700  # of the frames that forces are fitted to
MOST_ASKED = 1500
SURPRISING = 5.0
LARGE = 0.25  # of the forces of a frame: errors below are no surprise
TINY = 1e-6  # eV/Angstrom
MIN_FRAMES, MIN_ENERGIES = 8, 8


@dataclass(frozen=True)
class Consistency:
    """What energies and forces say about each other.

    Parameters
    ----------
    slope : float
        Of labelled over predicted energies, by robust regression within each composition; NaN without energies.
    correlation : float
        Of the two, without outliers.
    explained : float
        Part of the squares of the forces along the directions that is predicted for frames left out.
    energies : (F,) float64
        Distance of each label from the line, eV; NaN for frames that were not asked.
    noise : float
        Its robust standard deviation, eV.
    forces : (F,) float64
        Root mean square error of the forces of a frame, eV/Angstrom; NaN for frames that were not asked.
    surprise : (F,) float64
        Error of the forces of each frame in units of what the fit does not know of them, its median being 1; NaN for
        frames that were not left out one by one.
    n : int
        Energies that the slope comes from.
    spread : tuple of float
        Standard deviations of labelled and of predicted energies within a composition, eV.
    """

    slope: float
    correlation: float
    explained: float
    energies: Array
    noise: float
    forces: Array
    surprise: Array
    n: int
    spread: tuple[float, float] = (0.0, 0.0)


def consistency(frames: Frames, cutoff: float = 5.0) -> Consistency | None:
    """Compare energies with forces; None if too few frames have forces.

    Parameters
    ----------
    frames : Frames
    cutoff : float
        Angstrom.
    """
    labelled = np.flatnonzero(frames.has_forces)
    most = min(MOST_FRAMES, max(MIN_FRAMES, int(MOST_ATOMS / frames.n_atoms.mean())))
    chosen = labelled[np.unique(np.linspace(0, len(labelled) - 1, most).astype(int))] if len(labelled) else labelled
    if len(chosen) < MIN_FRAMES or not np.any(np.abs(frames[chosen].forces) > TINY):
        return None
    channels, radial = SIZES[len(frames) > MANY]
    network = default(frames.species, cutoff, SMOOTHNESS, channels, radial)
    energies, size, surprise = (np.full(len(frames), np.nan) for _ in range(3))
    for again in (True, False):  # a second time without frames that spoil the first
        try:
            fitted = _Forces(network, frames[chosen])
        except (np.linalg.LinAlgError, ValueError):
            return None
        surprise[chosen] = np.fmax(surprise[chosen], fitted.surprise)
        good = surprise[chosen] < SURPRISING
        if good.all() or good.sum() < MIN_FRAMES or not again:
            break
        chosen = chosen[good]
    rest = np.setdiff1d(np.flatnonzero(frames.has_energy | frames.has_forces), chosen)
    rest = rest[np.unique(np.linspace(0, len(rest) - 1, MOST_ASKED).astype(int))] if len(rest) > MOST_ASKED else rest
    energies[chosen], size[chosen] = fitted.energies, fitted.errors
    if len(rest):
        energies[rest] = fitted.predict(frames[rest])
    slope, correlation, away, n, spread = _line(frames, energies)
    noise = 1.4826 * float(np.nanmedian(np.abs(away))) if n else float("nan")
    far = np.flatnonzero((np.abs(away) > 6 * noise) & np.isnan(size) & frames.has_forces)[:MOST_FRAMES]
    if len(far):
        size[far] = fitted.force_errors(frames[far])
    return Consistency(slope, correlation, fitted.explained, away, noise, size, surprise, n, spread)


class _Forces:
    """A fit to the forces of some frames along random directions, and what it says of each frame without it."""

    def __init__(self, network: Network, frames: Frames) -> None:
        n, count = len(frames), min(DIRECTIONS, 3 * int(frames.n_atoms.min()) - 3)
        rng, parts = np.random.default_rng(0), []
        for atoms in frames.n_atoms:
            axes = np.linalg.qr(rng.standard_normal((3 * atoms, count)))[0]
            parts.append(np.sqrt(3 * atoms / count) * axes.T.reshape(count, atoms, 3))
        directions = np.concatenate(parts, axis=1)
        found = rows_along(network, frames, directions)
        starts = np.concatenate([[0], np.cumsum(frames.n_atoms)])
        y = np.array(
            [np.tensordot(parts[i], frames.forces[starts[i] : starts[i + 1]], axes=2) for i in range(n)]
        ).ravel()
        squares = np.einsum("rc,rc->c", found.forces, found.forces)
        self._scale = column_scale(squares, len(found.forces), column_orders(network)) * column_smoothness(network)
        a = found.forces * self._scale
        gram, unit = a @ a.T, float(np.mean(np.sum(a**2, axis=0)))
        tried = [self._left_out(gram + value * unit * np.eye(len(gram)), y, n) for value in LAMBDAS]
        c, alpha, e = min(tried, key=lambda one: float(np.median(np.sum(one[2] ** 2, axis=1))))
        self.network, self._weights = network, (a.T @ alpha) * self._scale
        whole = float(np.median(np.sum(y.reshape(n, -1) ** 2, axis=1)))
        self.explained = 1.0 - float(np.median(np.sum(e**2, axis=1))) / max(whole, 1e-30)
        self.errors = np.sqrt(np.mean(e**2, axis=1) * count / (3 * frames.n_atoms))
        r = alpha.reshape(n, -1)
        chi = np.sqrt(np.abs(np.sum(r * e, axis=1)))
        small = np.sum(e**2, axis=1) < LARGE**2 * np.sum(y.reshape(n, -1) ** 2, axis=1)
        self.surprise = np.where(small, 0.0, chi / max(float(np.median(chi)), 1e-30))
        formulas = frames.formulas
        self._centre = {f: found.energy[[g == f for g in formulas]].mean(axis=0) for f in set(formulas)}
        # forces leave the zero of energies open, and each fit has another: each frame is compared with the mean of all
        energy = (found.energy - [self._centre[f] for f in formulas]) * self._scale
        cross, blocks = energy @ a.T, np.arange(len(y)).reshape(n, -1)
        self.energies = np.array([cross[i] @ (alpha - c[:, s] @ e[i]) for i, s in enumerate(blocks)])

    @staticmethod
    def _left_out(shifted: Array, y: Array, n: int) -> tuple[Array, Array, Array]:
        """C, alpha, and label minus prediction for each frame without it (n, D)."""
        c = np.linalg.inv(shifted)
        alpha, size = c @ y, len(y) // n
        e = [np.linalg.solve(c[i : i + size, i : i + size], alpha[i : i + size]) for i in range(0, len(y), size)]
        return c, alpha, np.array(e)

    def _network(self) -> Network:
        name = self.network.readout
        return self.network.with_parameters({name: self._weights.reshape(self.network.parameters[name].shape)})

    def force_errors(self, frames: Frames) -> Array:
        """Root mean square errors of the forces of frames."""
        network = self._network()
        square = np.sum((network.energy_and_forces(network.graph(frames.geometries))[1] - frames.forces) ** 2, axis=1)
        ends = np.concatenate([[0], np.cumsum(frames.n_atoms)])[:-1]
        return np.asarray(np.sqrt(np.add.reduceat(square, ends) / (3 * frames.n_atoms)))

    def predict(self, frames: Frames) -> Array:
        """Energies of frames above those of the frames of the fit."""
        network, energies = self._network(), []
        for i in range(0, len(frames), 64):
            some = frames[i : i + 64]
            energy = network.energy(network.graph(some.geometries))
            zero = [self._centre[f] @ self._weights if f in self._centre else 0.0 for f in some.formulas]
            energies.append(np.ravel(energy) - zero)
        return np.concatenate(energies)


def _line(frames: Frames, predicted: Array) -> tuple[float, float, Array, int, tuple[float, float]]:
    """Robust slope and correlation of labels over predictions about the median of each composition, and distances."""
    asked, formulas = frames.has_energy & np.isfinite(predicted), np.array(frames.formulas)
    x, y = np.full(len(frames), np.nan), np.full(len(frames), np.nan)
    for name in set(formulas[asked].tolist()):
        members = asked & (formulas == name)
        if members.sum() >= 3:
            x[members], y[members] = predicted[members], frames.energies[members]
            x[members] -= np.median(x[members])
            y[members] -= np.median(y[members])
    known = np.isfinite(x)
    if known.sum() < MIN_ENERGIES:
        return float("nan"), float("nan"), np.full(len(frames), np.nan), 0, (0.0, 0.0)
    slope, weights = _robust(x[known], y[known])
    away = y - slope * x
    for name in set(formulas[known].tolist()):
        away[known & (formulas == name)] -= np.median(away[known & (formulas == name)])
    root = np.sqrt(weights)
    both = float((root * x[known]) @ (root * y[known]))
    size = float(np.linalg.norm(root * x[known]) * np.linalg.norm(root * y[known]))
    return (
        slope,
        float(both / max(size, 1e-30)),
        away,
        int(known.sum()),
        (float(np.std(y[known])), float(np.std(x[known]))),
    )


def _robust(x: Array, y: Array) -> tuple[float, Array]:
    """Slope of a line through the origin by Tukey's weights, from the median of ratios; and the weights."""
    large = np.abs(x) >= float(np.median(np.abs(x)))
    slope = float(np.median(y[large] / np.where(x[large] == 0, 1e-30, x[large])))
    weights: Array = np.ones(len(x))
    for _ in range(30):
        away = y - slope * x
        scale = max(1.4826 * float(np.median(np.abs(away))), 1e-12)
        weights = np.clip(1 - (away / (6 * scale)) ** 2, 0, None) ** 2
        slope = float((weights * x) @ y) / max(float((weights * x) @ x), 1e-30)
    return slope, weights
