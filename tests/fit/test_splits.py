"""Splits: disjoint, complete, repeatable, printed in full."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbody_ref.errors import ArgumentError, DataError
from nbody_ref.fit import Split, ethanol, split
from nbody_ref.fit.splits import in_file


@given(st.integers(2, 60), st.data())
def test_split_is_a_partition_that_its_text_spells_out(n, data):
    n_train = data.draw(st.integers(1, n))
    seed = data.draw(st.integers(0, 5))
    parts = split(n, n_train, seed)
    assert sorted(parts.train + parts.test) == list(range(n)) and len(parts.train) == n_train
    assert parts == split(n, n_train, seed)
    for name, indices in (("train", parts.train), ("test", parts.test)):
        runs = re.search(rf"{name} ([\d\- ]*|none)(;|$)", str(parts))[1]
        listed = []
        for run in [] if runs == "none" else runs.split():
            first, last = (run.split("-") * 2)[:2]
            listed += range(int(first), int(last) + 1)
        assert listed == sorted(indices)


def test_seeds_differ_and_sizes_are_checked():
    assert split(50, 25, 0) != split(50, 25, 1)
    assert len(split(50, 10, 0, 5).test) == 5
    for arguments in ((5, 6), (5, 0), (5, 4, 0, 2)):
        with pytest.raises(DataError, match="cannot draw"):
            split(*arguments)


@given(st.integers(2, 40), st.data())
def test_groups_stay_on_one_side(n, data):
    groups = data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    n_train, seed = data.draw(st.integers(1, n - 1)), data.draw(st.integers(0, 5))
    if len(set(groups)) < 2:
        with pytest.raises(DataError, match="copies of one"):
            split(n, n_train, seed, groups=groups)
        return
    parts = split(n, n_train, seed, groups=groups)
    assert sorted(parts.train + parts.test) == list(range(n)) and parts.train and parts.test
    sides = [{groups[i] for i in side} for side in (parts.train, parts.test)]
    assert not sides[0] & sides[1]
    assert len(parts.train) >= n_train or len(sides[1]) == 1
    # a plain split of the same frames parts groups as a rule: without `groups` nothing prevents it
    assert split(n, n_train, seed, groups=list(range(n))) == split(n, n_train, seed)


def test_negative_seed_is_refused():
    with pytest.raises(ArgumentError, match="'seed' must be a non-negative integer, got -1"):
        split(10, 5, -1)


def test_frames_of_a_split_are_named_by_their_place_in_the_file():
    """The shipped file begins with three isolated atoms."""
    frames = ethanol()
    parts = split(10, 7)
    assert in_file(parts, frames).train == tuple(i + 3 for i in parts.train)
    chosen = frames[[50, 40, 30]]
    assert in_file(Split((2, 0), (1,), 5), chosen) == Split((33, 53), (43,), 5)
