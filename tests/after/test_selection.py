"""What is selected lowers the variance most; near-copies are not selected."""

import numpy as np
import pytest

from nbody_ref.after.selection import NOISE, greedy, select
from nbody_ref.errors import ArgumentError
from nbody_ref.fit import ethanol
from nbody_ref.fit.frames import Frames


def test_each_choice_is_the_one_that_leaves_the_least_variance():
    """Against the posterior of every candidate, by its definition."""
    x = np.random.default_rng(5).standard_normal((7, 2, 9))
    flat = x.reshape(14, 9)
    k, taken = flat @ flat.T, []
    noise = NOISE * np.trace(k) / 14

    def left(frames):
        at = [2 * f + r for f in frames for r in range(2)]
        gain = k[:, at] @ np.linalg.solve(k[np.ix_(at, at)] + noise * np.eye(len(at)), k[at])
        return np.diag(k - gain)

    def lowered_by_rows(frame):  # of the sum over the pool, row by row, as the docstring says
        p = k - k[:, at] @ np.linalg.solve(k[np.ix_(at, at)] + noise * np.eye(len(at)), k[at]) if (at := rows) else k
        own = [2 * frame, 2 * frame + 1]
        pool = [2 * f + r for f in range(7) if f not in taken for r in range(2)]
        return sum((p[pool, j] ** 2).sum() / (p[j, j] + noise) for j in own)

    for choice in greedy(k.copy(), 2, 4):
        rows = [2 * f + r for f in taken for r in range(2)]
        assert choice == max((f for f in range(7) if f not in taken), key=lowered_by_rows)
        taken.append(choice)
    assert left(taken).sum() < left(taken[:2]).sum() < np.trace(k)


def test_near_copies_are_not_selected_while_there_is_something_else():
    frames = ethanol()[:8]
    pool = Frames((*frames.frames, *frames.frames))  # each twice
    chosen = select(pool, 8)
    assert sorted(i % 8 for i in chosen) == list(range(8))
    assert not {i % 8 for i in select(pool, 4, known=frames[:4])} & {0, 1, 2, 3}


@pytest.mark.parametrize("n", [0, 9, True])
def test_more_than_there_is_cannot_be_selected(n):
    with pytest.raises(ArgumentError, match="select: 'n' must be"):
        select(ethanol()[:8], n)
