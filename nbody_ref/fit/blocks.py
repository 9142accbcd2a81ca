r"""How many of the frames are independent: those near in the file and near in space are one block.

Frames of a trajectory a femtosecond apart are nearly the same frame; errors on one that was left out say nothing while
its neighbours were learned from. The distance of two frames of one molecule is that of all distances between atoms,

.. math:: d_{ij} = \frac{|x_i - x_j|^2}{2 \sigma^2},

relative to the variance sigma^2 over the frames, so that it is 1 on average for independent ones. Frames that follow
each other with d < 1/10 are a run. A run is cut into pieces of twice the lag at which the mean of d reaches 1/2; if
forces are the accelerations of the frames (second differences of positions, times mass, are parallel to them), they say
the time between frames, and a piece lasts a tenth of a picosecond at least. Frames whose bonds have forgotten each
other may still share a slow motion: if along a principal axis with a tenth of the variance the same ratio is below
1/6 from frame to frame, all are a run, and a piece lasts until it reaches 0.3. A scan, whose frames lie on one line
in order, is no trajectory: its frames stand for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from nbody_ref.fit.frames import Frame, Frames, pair_distances

__all__ = ["Blocks", "alone", "blocks", "merged"]

Array = np.ndarray[Any, Any]

NEAR = 0.1
DECORRELATED = 0.5
LASTS = 100.0  # fs
PARALLEL = 0.8  # correlation of second differences and accelerations
ON_A_LINE = 0.999  # part of the variance of positions in a scan that one direction has
FEMTOSECOND = 0.09822694743  # of ASE's unit of time, Angstrom sqrt(u / eV)
LARGE, SLOW, FORGOTTEN, MIN_RUN = 0.1, 0.165, 0.3, 20  # principal axes, what is slow along them, frames that show it
MOST_PAIRS = 150
JUMP = 4.0  # times the usual step: another trajectory begins
PARTS = 5  # that one block is cut into, for want of others


@dataclass(frozen=True)
class Blocks:
    """Blocks of frames.

    Parameters
    ----------
    of : (F,) intp
        Block of each frame.
    femtoseconds : float or None
        Time between frames of a trajectory, if forces say it.
    pairs : tuple of pairs of int
        Blocks that go over into each other.
    """

    of: Array
    femtoseconds: float | None
    pairs: tuple[tuple[int, int], ...] = ()

    @property
    def count(self) -> int:
        """Number of independent frames."""
        return len(np.unique(self.of))

    def parts(self) -> Array:
        """Blocks to leave out one after another; consecutive fifths where all frames are one block, (F,) intp."""
        if self.count > 1:
            return self.of
        return np.arange(len(self.of)) * min(PARTS, len(self.of)) // max(len(self.of), 1)

    def beside(self) -> dict[int, set[int]]:
        """For each block those that it goes over into: what is left out with it, but not asked."""
        found: dict[int, set[int]] = {}
        for a, b in self.pairs:
            found.setdefault(a, set()).add(b)
            found.setdefault(b, set()).add(a)
        return found


def blocks(frames: Frames) -> Blocks:
    """Blocks of frames that depend on each other.

    Parameters
    ----------
    frames : Frames
        In any order; what is near in the file is said by their `indices`.

    Returns
    -------
    Blocks
    """
    order = np.argsort(frames.indices, kind="stable")
    found = _blocks(frames[order])
    of = np.empty(len(frames), dtype=np.intp)
    of[order] = found.of
    return replace(found, of=of)


def alone(n: int) -> Blocks:
    """Frames of which each stands for itself."""
    return Blocks(np.arange(n), None)


def _blocks(frames: Frames) -> Blocks:
    """Blocks of frames in the order of their file."""
    shapes, kinds = pair_distances(frames.frames), [frame.numbers.tobytes() for frame in frames]
    members = {kind: [k for k, other in enumerate(kinds) if other == kind] for kind in dict.fromkeys(kinds)}
    variance = {kind: float(np.var([shapes[k] for k in some], axis=0).sum()) for kind, some in members.items()}
    near, times, time = _near(shapes, kinds, variance), np.full(len(frames), np.nan), None
    lags = np.ones(len(frames), dtype=int)
    for start, end in _runs(np.array([False, *(a == b for a, b in pairwise(kinds))])):
        x = np.array(shapes[start:end])
        lag = _slow_lag(x) if end - start >= MIN_RUN else 1
        if lag > 1:
            steps = np.sum(np.diff(x, axis=0) ** 2, axis=1)
            near[start + 1 : end] |= steps < JUMP * np.median(steps)
            lags[start:end] = lag
        found = _femtoseconds([frames[i] for i in range(start, end)])
        if found is not None:
            time, inside = found[0], slice(start + 1, end)
            near[inside], times[inside] = near[inside] | found[1], time
    of, after = np.arange(len(frames)), np.zeros(len(frames), dtype=bool)
    for start, end in _runs(near):
        if end - start == 2:
            of[end - 1] = start
        elif end - start > 2 and not _is_scan([frames[i] for i in range(start, end)]):
            length = max(_length(np.array(shapes[start:end]), variance[kinds[start]], times[end - 1]), lags[start])
            pieces = max(1, (end - start) // length)
            of[start:end] = start + np.arange(end - start) * pieces // (end - start)
            after[start + 1 : end] = length > 1
    of = np.unique(of, return_inverse=True)[1]
    met = {(int(of[i - 1]), int(of[i])) for i in np.flatnonzero(after) if of[i - 1] != of[i]}
    return Blocks(of, time, tuple(sorted(met)))


def _runs(linked: Array) -> list[tuple[int, int]]:
    """Begin and end of what is linked: `linked` says whether each one is linked to the one before it."""
    starts = [i for i, link in enumerate(linked) if not link or i == 0]
    return list(zip(starts, [*starts[1:], len(linked)], strict=True))


def merged(first: Array, second: Array) -> Array:
    """The finest grouping in which frames that are together in either stay together, (F,) intp."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, a, b = len(first), np.unique(first, return_inverse=True)[1], np.unique(second, return_inverse=True)[1]
    rows = np.concatenate([np.arange(n), np.arange(n)])
    columns = np.concatenate([n + a, n + len(a) + b])
    size = n + len(a) + len(b) + 2
    links = coo_array((np.ones(2 * n), (rows, columns)), shape=(size, size))
    return np.unique(connected_components(links, directed=False)[1][:n], return_inverse=True)[1]


def _near(shapes: Sequence[Array], kinds: Sequence[bytes], variance: Mapping[bytes, float]) -> Array:
    """Whether each frame is near the one before it, and those around it are on the whole; (F,) bool."""
    d: Array = np.full(len(shapes), np.inf)
    for i in range(1, len(shapes)):
        if kinds[i] == kinds[i - 1]:
            d[i] = float(np.sum((shapes[i] - shapes[i - 1]) ** 2)) / max(2 * variance[kinds[i]], 1e-300)
    around = [float(np.median(d[max(1, i - 2) : i + 3])) if i else np.inf for i in range(len(d))]
    return np.asarray((d < NEAR / 10) | ((d < NEAR) & (np.array(around) < 2 * NEAR)))


def _length(x: Array, variance: float, time: float) -> int:
    """Frames of a run, whose distances between atoms are given, that are one block; `time` between them or NaN."""
    lag = len(x)
    for k in range(1, len(x)):
        if float(np.mean(np.sum((x[k:] - x[:-k]) ** 2, axis=1))) >= DECORRELATED * 2 * variance:
            lag = k
            break
    length = 1 if lag == 1 else 2 * lag
    if not np.isnan(time):
        length = max(length, int(np.ceil(LASTS / time)))
    return len(x) if 3 * length > len(x) else length


def _slow_lag(x: Array) -> int:
    """Frames until the slowest of the large motions is forgotten; 1 if none is slow."""
    x = x[:, :: max(1, x.shape[1] // MOST_PAIRS)]
    w, v = np.linalg.eigh(np.cov(x.T).reshape(x.shape[1], -1))
    p = (x - x.mean(axis=0)) @ v[:, w > LARGE * np.sum(w)]
    if not p.shape[1] or not p.any():
        return 1
    for lag in range(1, len(x) // 2):
        ratio = np.min(np.mean((p[lag:] - p[:-lag]) ** 2, axis=0) / (2 * np.var(p, axis=0)))
        if ratio >= (SLOW if lag == 1 else FORGOTTEN):
            return lag
    return len(x)


def _is_scan(run: Sequence[Frame]) -> bool:
    """Whether frames lie in order on one line: of positions, or of the one distance of a pair of atoms."""
    x = np.array(pair_distances(run) if len(run[0].numbers) == 2 else [f.positions.ravel() for f in run])
    x = x - x.mean(axis=0)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    steps = np.diff(u[:, 0])
    return bool(s[0] ** 2 > ON_A_LINE * np.sum(s**2) and ((steps > 0).all() or (steps < 0).all()))


def _femtoseconds(run: Sequence[Frame]) -> tuple[float, Array] | None:
    """Time between frames by Newton's law, and which steps are no jumps; None where frames do not obey it."""
    from ase.data import atomic_masses

    if len(run) < 5 or not all(frame.has_forces for frame in run):
        return None
    root = np.sqrt(atomic_masses[run[0].numbers])[:, None]
    r = root * np.array([frame.positions for frame in run])
    steps = np.linalg.norm(np.diff(r, axis=0), axis=(1, 2))
    smooth = steps < JUMP * np.median(steps)
    whole = np.flatnonzero(smooth[1:] & smooth[:-1]) + 1
    second = (r[whole + 1] - 2 * r[whole] + r[whole - 1]).ravel()
    pull = np.array([run[int(i)].forces / root for i in whole]).ravel()
    both = float(second @ pull)
    if len(whole) < 3 or both <= PARALLEL * np.linalg.norm(second) * np.linalg.norm(pull):
        return None
    return float(np.sqrt(both / (pull @ pull)) / FEMTOSECOND), smooth
