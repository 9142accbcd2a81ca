"""Copies of a frame are found however they were moved, and frames that differ are not taken for copies."""

import numpy as np
from scipy.spatial.transform import Rotation

from nbody_ref.fit import ethanol
from nbody_ref.fit.copies import TOLERANCE, copies, copies_of, spread_of_copies
from nbody_ref.fit.frames import Frames


def moved(frame, seed, mirror=1.0, noise=0.0, energy=0.0):
    """The same molecule elsewhere: turned, shifted, mirrored, its atoms in another order, its digits cut."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(frame.numbers))
    r = mirror * Rotation.random(random_state=seed).apply(frame.positions) + rng.standard_normal(3)
    r = (r + noise * rng.uniform(-1, 1, r.shape))[order]
    return frame._replace(numbers=frame.numbers[order], positions=r, energy=frame.energy + energy)


def test_moved_mirrored_reordered_and_rounded_copies_are_found():
    frames = ethanol()[:6].frames
    rounded = moved(frames[3], 3)
    rounded = rounded._replace(positions=np.round(rounded.positions, 3))
    data = Frames((*frames, moved(frames[0], 1), moved(frames[2], 2, mirror=-1.0, energy=0.5), rounded, frames[0]))
    groups = copies(data)
    assert groups.tolist() == [0, 1, 2, 3, 4, 5, 0, 2, 3, 0]
    assert spread_of_copies(data, groups) == 0.5
    assert copies_of(Frames((*data.frames[6:8], frames[5])), Frames(frames[:3])).tolist() == [True, True, False]
    assert copies_of(data[:0], data).tolist() == []


def test_frames_that_differ_by_more_than_rounding_are_not_copies():
    """One atom moved along a bond by 3 tolerances; and a planted twin within a third of it."""
    first = ethanol()[0]
    for step, same in ((3 * TOLERANCE, False), (TOLERANCE / 3, True)):
        positions = first.positions.copy()
        positions[0] += step * (positions[1] - positions[0]) / np.linalg.norm(positions[1] - positions[0])
        groups = copies(Frames((first, first._replace(positions=positions))))
        assert (groups[1] == 0) == same


def test_no_frame_of_real_dynamics_is_a_copy_and_other_compositions_never_are():
    frames = ethanol()
    assert copies(frames).tolist() == list(range(len(frames)))
    other = frames[0]._replace(numbers=np.where(frames[0].numbers == 8, 16, frames[0].numbers))
    assert copies(Frames((frames[0], other))).tolist() == [0, 1]


def test_copies_of_copies_belong_together():
    """A chain of small steps is one group: what is learned from one end leaks to the other."""
    first = ethanol()[0]
    direction = first.positions[1] - first.positions[0]
    direction /= np.linalg.norm(direction)
    chain = []
    for k in range(5):
        positions = first.positions.copy()
        positions[0] += 0.6 * TOLERANCE * k * direction
        chain.append(first._replace(positions=positions))
    assert copies(Frames(tuple(chain))).tolist() == [0] * 5
    assert copies(Frames((chain[0], chain[4]))).tolist() == [0, 1]
