"""Seeded splits that can be printed, stored and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import DataError
from nbody_ref.fit.frames import Frames

__all__ = ["Split", "in_file", "split"]


@dataclass(frozen=True)
class Split:
    """Two disjoint sets of frame indices, each in the order in which they were drawn.

    Parameters
    ----------
    train, test : tuple of int
    seed : int

    Examples
    --------
    >>> from nbody_ref.fit import Split
    >>> Split(train=(2, 0), test=(1,), seed=0).test
    (1,)
    """

    train: tuple[int, ...]
    test: tuple[int, ...]
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record."""
        return {"seed": self.seed, "train": list(self.train), "test": list(self.test)}

    def __str__(self) -> str:
        return f"split with seed {self.seed}: train {self.listed('train')}; test {self.listed('test')}"

    def listed(self, part: str) -> str:
        """Indices of "train" or "test" ascending, runs shortened: ``0-3 7 9-12``."""
        return _ranges(self.train if part == "train" else self.test)


def split(n: int, n_train: int, seed: int = 0, n_test: int | None = None, groups: Sequence[int] | None = None) -> Split:
    """Draw `n_train` of `n` frames at random; the rest, or `n_test` of it, is for testing.

    Parameters
    ----------
    n, n_train, seed, n_test : int
    groups : (n,) int, optional
        Frames of one group stay on one side (see `nbody_ref.fit.copies.copies`): whole groups are drawn for
        training until they are `n_train` frames or more, but never all groups. Without copies nothing changes.

    Raises
    ------
    ArgumentError
        If a number is no integer or negative.
    DataError
        If there are not that many frames or groups.

    Examples
    --------
    >>> from nbody_ref.fit import split
    >>> chosen = split(10, 6)
    >>> len(chosen.train), len(chosen.test), set(chosen.train) & set(chosen.test)
    (6, 4, set())
    """
    n, seed = check_integer("split", "n", n), check_integer("split", "seed", seed)
    n_train = check_integer("split", "n_train", n_train)
    wanted = n - n_train if n_test is None else check_integer("split", "n_test", n_test)
    if n_train < 1 or wanted < 0 or n_train + wanted > n:
        raise DataError(f"split: cannot draw {n_train} frames for training and {wanted} for testing from {n}")
    order = np.random.default_rng(seed).permutation(n).tolist()
    if groups is not None:
        n_train, order = _side_by_side(order, groups, n_train)
        wanted = n - n_train if n_test is None else min(wanted, n - n_train)
    return Split(tuple(order[:n_train]), tuple(order[n_train : n_train + wanted]), seed)


def in_file(parts: Split, frames: Frames) -> Split:
    """The same split by where the frames stand in their file, for people; `Frames` are indexed by the other one."""
    train, test = (tuple(frames.indices[i] for i in part) for part in (parts.train, parts.test))
    return Split(train, test, parts.seed)


def _side_by_side(order: list[int], groups: Sequence[int], n_train: int) -> tuple[int, list[int]]:
    """The order with groups closed up, each where its first frame stands, and where to cut it."""
    members: dict[int, list[int]] = {}
    for i in order:
        members.setdefault(int(groups[i]), []).append(i)
    together = list(members.values())
    if len(together) < 2:
        raise DataError("split: all frames are copies of one; there is nothing to test on")
    cut = 0
    for group in together[:-1]:
        if cut >= n_train:
            break
        cut += len(group)
    return cut, [i for group in together for i in group]


def _ranges(indices: tuple[int, ...]) -> str:
    """Indices ascending, runs shortened: ``0-3 7 9-12``."""
    runs: list[list[int]] = []
    for i in sorted(indices):
        if runs and i == runs[-1][1] + 1:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs) or "none"
