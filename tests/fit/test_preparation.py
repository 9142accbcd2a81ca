"""Frames before a fit: drawn, told apart from their copies, and refused if they cannot be judged."""

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, DataError
from nbody_ref.fit import Frames, prepare
from nbody_ref.fit.frames import Frame
from nbody_ref.fit.preparation import check_test_frames


def test_frames_are_drawn_and_named_by_their_place_in_the_file(frames):
    found = prepare(frames[10:30], n_train=15, seed=3)
    assert (len(found.frames), len(found.test)) == (15, 5)
    assert sorted(found.frames.indices + found.test.indices) == list(frames.indices[10:30])
    assert found.record["test_split"] == {
        "seed": 3,
        "train": list(found.frames.indices),
        "test": list(found.test.indices),
    }
    assert found.notes[0].startswith("test split with seed 3: train ")


def test_test_frames_that_are_copies_are_left_out_of_a_draw_and_counted_in_a_set(frames):
    twice = Frames(2 * tuple(frames)[:8])
    drawn = prepare(twice, n_train=8, seed=0)
    known = {i % 8 for i in drawn.frames.indices}
    assert len(drawn.test) == 2 * (8 - len(known)) and any(
        "copies of training frames and are left out" in n for n in drawn.notes
    )
    given = prepare(frames[:8], test=frames[4:12])
    assert len(given.test) == 8 and given.notes[0].startswith("4 of 8 test frames are copies of training frames")
    assert prepare(frames[:8])[1:] == (None, {}, [])


def test_numbers_of_frames_that_are_none_are_refused(frames):
    for wrong in (2.5, "3", True, -1):
        with pytest.raises(ArgumentError, match="'n_train' must be a non-negative integer"):
            prepare(frames[:8], n_train=wrong)
    with pytest.raises(DataError, match="cannot draw 99"):
        prepare(frames[:8], n_train=99)


def test_test_frames_that_a_fit_cannot_judge_are_refused_before_it(frames):
    bare, first = Frames(frames[:6].frames), frames[0]
    check_test_frames(bare, frames[6:9])
    nitrogen = first._replace(numbers=np.where(first.numbers == 8, 7, first.numbers))
    with pytest.raises(DataError, match=r"test frame 4 holds N, which is not in the training data \(H, C, O\)"):
        check_test_frames(frames[:6], Frames((first, nitrogen), indices=(3, 4)))
    methane = Frames((Frame(np.array([6, 1, 1, 1, 1]), np.eye(5, 3), 0.0, np.zeros((5, 3))),))
    check_test_frames(frames[:6], methane)  # isolated atoms are known
    with pytest.raises(DataError, match="test frame 0 is CH4, and its energy does not follow"):
        check_test_frames(bare, methane)
