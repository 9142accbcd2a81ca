r"""Which geometries to label next: those after whose labels all others are known best.

To a fit in closed form, energies and forces are rows x of linear equations (`nbody_ref.fit.rows`), whose covariance
before any label is :math:`K = X D^2 X^T`. A label of row j with noise s^2 lowers the variance of every other row i by
:math:`K_{ij}^2 / (K_{jj} + s^2)`. Frames are taken one after another, each the one whose rows lower the sum over the
whole pool most: what is unusual, but not what is alone, and never a near-copy, about which nothing is left to be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import ArgumentError
from nbody_ref.fit.frames import Frame, Frames
from nbody_ref.fit.ridge import column_scale
from nbody_ref.fit.rows import column_orders, frame_chunks, rows_along
from nbody_ref.network import default

__all__ = ["select"]

Array = np.ndarray[Any, Any]

DIRECTIONS = 3  # along which the force of a frame stands for all of it
NOISE = 1e-3  # s^2, relative to the mean variance of a row before any label
LARGEST = 2000  # frames of a pool that are looked at: the covariance of their rows takes 0.3 GB
CHUNK_BYTES = 1e8


def select(frames: Frames, n: int, known: Frames | None = None, cutoff: float = 5.0, seed: int = 0) -> list[int]:
    """Frames to label, the most informative first.

    Parameters
    ----------
    frames : Frames
        The pool; labels are not looked at.
    n : int
        How many, at most as many as there are.
    known : Frames, optional
        Frames that have labels already.
    cutoff : float
        Of the fit, Angstrom.
    seed : int
        Of the random directions, and of the sample of a pool of more than 2000 frames.

    Returns
    -------
    list of int
        Indices into `frames`.

    Raises
    ------
    ArgumentError
        If `n` is not between 1 and the number of frames.
    """
    check_integer("select", "n", n, 1)
    if n > min(len(frames), LARGEST):
        raise ArgumentError(f"select: 'n' must be at most {min(len(frames), LARGEST)}, got {n}")
    rng = np.random.default_rng(seed)
    pool = np.arange(len(frames))
    if len(frames) > LARGEST:
        pool = np.sort(rng.choice(len(frames), LARGEST, replace=False))
    looked_at = [frames[int(i)] for i in pool]
    x = _rows(Frames((*looked_at, *(known or ()))), cutoff, rng)
    k = np.asarray(np.einsum("arc,bsc->arbs", x, x, optimize=True)).reshape((x.shape[0] * x.shape[1],) * 2)
    order = greedy(k, x.shape[1], n, range(len(pool), len(x)))
    return [int(pool[i]) for i in order]


def greedy(k: Array, rows: int, n: int, known: Sequence[int] = ()) -> list[int]:
    """Frames that lower the total variance most, one after another.

    Parameters
    ----------
    k : (F * rows, F * rows) float64
        Covariance of the rows of F frames, frame after frame; overwritten.
    rows : int
        Of each frame.
    n : int
    known : sequence of int
        Frames that have labels; they are not returned, and what they lower counts for nothing.
    """
    noise = NOISE * float(np.trace(k)) / len(k)
    free = np.ones(len(k) // rows, dtype=bool)
    for frame in known:
        _label(k, frame, rows, noise)
        free[frame] = False
    asked, chosen = np.repeat(free, rows), []
    for _ in range(n):
        gains = (k[asked] ** 2).sum(axis=0) / (np.diag(k) + noise)
        best = int(np.argmax(np.where(free, gains.reshape(-1, rows).sum(axis=1), -1.0)))
        chosen.append(best)
        free[best] = False
        _label(k, best, rows, noise)
    return chosen


def _label(k: Array, frame: int, rows: int, noise: float) -> None:
    """Condition the covariance on all rows of a frame."""
    mine = slice(frame * rows, (frame + 1) * rows)
    lower = np.linalg.cholesky(k[mine, mine] + noise * np.eye(rows))
    half = np.linalg.solve(lower, k[mine])
    k -= half.T @ half


def _rows(frames: Frames, cutoff: float, rng: np.random.Generator) -> Array:
    """Scaled rows of the force along some directions of each frame, (F, DIRECTIONS, columns)."""
    network = default(frames.species, cutoff=cutoff, smoothness=1.5, size="small", seed=0)
    waves, phases = rng.uniform(0, 3, DIRECTIONS), rng.uniform(0, 2 * np.pi, (DIRECTIONS, 120, 120))
    parts = []
    for chunk in frame_chunks(network, frames, CHUNK_BYTES):
        some = frames[list(chunk)]
        directions = np.concatenate([_directions(frame, waves, phases) for frame in some], axis=1)
        parts.append(rows_along(network, some, directions).forces)
    x = np.concatenate(parts)
    x *= column_scale((x**2).sum(axis=0), len(x), column_orders(network))
    return x.reshape(len(frames), DIRECTIONS, -1)


def _directions(frame: Frame, waves: Array, phases: Array) -> Array:
    """Motions (DIRECTIONS, n, 3) that turn with the molecule and follow its atoms: those of a copy are the same."""
    r_rel = frame.positions[None] - frame.positions[:, None]
    dist = np.linalg.norm(r_rel, axis=-1) + np.eye(len(r_rel))
    pull = np.cos(waves[:, None, None] * dist + phases[:, frame.numbers[:, None], frame.numbers]) / dist
    return np.asarray(np.einsum("dij,ijx->dix", pull, r_rel))
