"""Frames that are copies of each other: what is learned from one is known about the other.

A potential does not see translations, rotations, reflections or the order of like atoms; neither does this comparison.
Two frames of one composition are copies if their distances between atoms, sorted for each pair of elements, agree to
`TOLERANCE`: files with three decimals do, frames of a trajectory do not, not even 0.1 fs apart. Sorting moves no list
of numbers away from another (its largest difference does not grow), so that rounding cannot hide a copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from nbody_ref.fit.frames import Frames, pair_distances

__all__ = ["copies", "copies_of", "spread_of_copies"]

Array = np.ndarray[Any, Any]

TOLERANCE = 2e-3  # Angstrom


def copies(frames: Frames) -> Array:
    """For each frame the first that it is a copy of, itself if there is none.

    Parameters
    ----------
    frames : Frames

    Returns
    -------
    (F,) intp
        Copies of copies belong together: ``copies(frames)[i] == copies(frames)[j]`` groups the frames.
    """
    first = np.arange(len(frames))
    for members in _compositions(frames).values():
        if len(members) < 2:
            continue
        tree = cKDTree(_distances(frames[members]))
        for a, b in sorted(tree.query_pairs(TOLERANCE, p=np.inf)):
            low, high = sorted((first[members[a]], first[members[b]]))
            first[first == high] = low
    return first


def copies_of(frames: Frames, others: Frames) -> Array:
    """Which of the frames are copies of one of the `others`, (F,) bool."""
    if not len(frames):
        return np.zeros(0, dtype=bool)
    both = Frames((*others.frames, *frames.frames))
    return np.asarray(copies(both)[len(others) :] < len(others))


def spread_of_copies(frames: Frames, groups: Array) -> float:
    """Largest difference between the energies of copies, eV."""
    energies, known = frames.energies, frames.has_energy
    energies, groups = energies[known], groups[known]
    return max((float(np.ptp(energies[groups == g])) for g in np.unique(groups)), default=0.0)


def _compositions(frames: Frames) -> dict[bytes, list[int]]:
    groups: dict[bytes, list[int]] = {}
    for i, frame in enumerate(frames):
        groups.setdefault(np.sort(frame.numbers).tobytes(), []).append(i)
    return groups


def _distances(frames: Frames) -> Array:
    """Distances between atoms, sorted for each pair of elements, (F, n (n - 1) / 2); of one composition."""
    dist = np.array(pair_distances(frames.frames))
    for kind in {frame.numbers.tobytes() for frame in frames}:
        members = np.flatnonzero([frame.numbers.tobytes() == kind for frame in frames])
        numbers = frames[int(members[0])].numbers
        i, j = np.triu_indices(len(numbers), 1)
        pair = 1000 * np.minimum(numbers[i], numbers[j]) + np.maximum(numbers[i], numbers[j])
        mine = dist[members][:, np.argsort(pair, kind="stable")]
        ends = np.cumsum(np.unique(pair, return_counts=True)[1])
        dist[members] = np.concatenate([np.sort(part, axis=1) for part in np.split(mine, ends[:-1], axis=1)], axis=1)
    return dist
