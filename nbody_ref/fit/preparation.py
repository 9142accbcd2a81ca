"""Before a fit: which frames it sees, which it is tested on, and what there is to say about copies among them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.blocks import blocks
from nbody_ref.fit.copies import copies_of
from nbody_ref.fit.frames import Frames, symbols
from nbody_ref.fit.potential import undetermined
from nbody_ref.fit.splits import Split, in_file, split

__all__ = ["Prepared", "check_test_frames", "prepare"]


class Prepared(NamedTuple):
    """Frames for a fit.

    Parameters
    ----------
    frames : Frames
        To fit to.
    test : Frames or None
        To test on; None if there are none.
    record : dict
        JSON-ready: the split, if there was one.
    notes : list of str
        What there is to say.

    Examples
    --------
    >>> from nbody_ref.fit import ethanol, prepare
    >>> prepare(ethanol()[:20], n_train=10)._fields
    ('frames', 'test', 'record', 'notes')
    """

    frames: Frames
    test: Frames | None
    record: dict[str, Any]
    notes: list[str]


def prepare(frames: Frames, test: Frames | None = None, n_train: int | None = None, seed: int = 0) -> Prepared:
    """Choose the frames of a fit and of its test, so that no test frame is known from training.

    Parameters
    ----------
    frames : Frames
    test : Frames, optional
        To test on.
    n_train : int, optional
        Fit to as many frames, drawn at random; the others are for testing if `test` is not given, except copies of
        training frames.
    seed : int
        Of that draw.

    Returns
    -------
    Prepared

    Raises
    ------
    ArgumentError
        If a number is no integer or negative.
    DataError
        If there are not that many frames, or a test frame holds an element that the frames to fit to do not, or has an
        energy that does not follow from theirs.

    Examples
    --------
    >>> from nbody_ref.fit import ethanol, prepare
    >>> chosen = prepare(ethanol(), n_train=50)
    >>> len(chosen.frames), len(chosen.test)
    (50, 250)
    """
    record: dict[str, Any] = {}
    notes: list[str] = []
    if n_train is not None:
        parts = _drawn(frames, n_train, seed, notes)
        named = in_file(parts, frames)
        record["test_split"] = named.to_dict()
        notes.append(f"test {named}")
        frames, rest = frames[parts.train], frames[parts.test]
        if test is None:
            copied = copies_of(rest, frames)
            test = rest[[i for i, copy in enumerate(copied) if not copy]]
            if copied.any():
                notes.append(f"{copied.sum()} test frames are copies of training frames and are left out")
    elif test is not None:
        copied = copies_of(test, frames)
        if copied.any():
            notes.append(
                f"{copied.sum()} of {len(test)} test frames are copies of training frames: errors on those "
                f"say nothing about other frames"
            )
    if test is not None:
        check_test_frames(frames, test)
    return Prepared(frames, test, record, notes)


def _drawn(frames: Frames, n_train: int, seed: int, notes: list[str]) -> Split:
    """A random split that leaves no frame of a trajectory beside one that is learned from."""
    known = blocks(frames)
    if known.count == len(frames):
        return split(len(frames), n_train, seed)
    if known.count == 1:
        parts = split(len(frames), n_train, seed)
        order = np.argsort(frames.indices, kind="stable").tolist()
        notes.append(
            "all frames are one independent frame: the last ones in the file are tested on, and errors are a lower "
            "bound of those on other geometries"
        )
        return Split(tuple(order[: len(parts.train)]), tuple(order[len(parts.train) :]), seed)
    notes.append(f"{known.count} independent frames of {len(frames)}: frames that depend on each other stay together")
    return split(len(frames), n_train, seed, groups=known.of.tolist())


def check_test_frames(training: Frames, test: Frames, name: str = "test frame") -> None:
    """Refuse test frames that a fit to the training frames could not be evaluated on.

    Raises
    ------
    DataError
        If a frame holds an element that the training frames do not, or its energy does not follow from theirs.
    """
    baseline, known = Baseline.build(training), set(training.species)
    for i, frame in zip(test.indices, test, strict=True):
        unseen = [int(z) for z in frame.numbers if int(z) not in known]
        if unseen:
            names = ", ".join(symbols(sorted(known)))
            raise DataError(f"{name} {i} holds {symbols(unseen)[0]}, which is not in the training data ({names})")
        if not baseline.determines(frame.numbers):
            raise DataError(undetermined(f"{name} {i}", frame.numbers, baseline))
