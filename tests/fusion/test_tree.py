"""Trees: shapes, their number, and what is refused."""

import math

import pytest

from nbody_ref.errors import ArgumentError, SchemeError
from nbody_ref.fusion.tree import all_trees, balanced, check_tree, leaves, left_comb, right_comb, vertices


def depth(tree):
    return 0 if isinstance(tree, int) else 1 + max(depth(branch) for branch in tree)


@pytest.mark.parametrize("n", range(1, 10))
def test_builders_have_every_leaf_once_and_the_stated_depth(n):
    for build, wanted in ((left_comb, n - 1), (right_comb, n - 1), (balanced, math.ceil(math.log2(n)))):
        tree = build(n)
        assert leaves(tree) == tuple(range(n))
        assert depth(tree) == wanted
        assert len(vertices(tree)) == n - 1
        assert not vertices(tree) or vertices(tree)[-1] == tree


@pytest.mark.parametrize("n", range(1, 7))
def test_all_trees_are_double_factorial_in_number_and_distinct(n):
    def unordered(tree):
        return tree if isinstance(tree, int) else frozenset(unordered(branch) for branch in tree)

    trees = list(all_trees(range(n)))
    assert len(trees) == math.prod(range(1, 2 * n - 2, 2))
    assert len({unordered(tree) for tree in trees}) == len(trees)
    assert all(check_tree("test", tree) == tree for tree in trees)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (((0, 1), 1), "each leaf 0..2 once"),
        ((0, 2), "each leaf 0..1 once"),
        ((0, 1, 2), "two branches at every vertex, got 3"),
        ((0,), "two branches"),
        (("0", 1), "leaf numbers and pairs"),
        ((True, 0), "leaf numbers and pairs"),
        (None, "leaf numbers and pairs"),
    ],
)
def test_bad_trees_are_refused_with_the_reason(tree, message):
    with pytest.raises(SchemeError, match=message):
        check_tree("test", tree)


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "3"])
def test_builders_refuse_a_number_of_leaves_that_is_none(n):
    for build in (left_comb, right_comb, balanced):
        with pytest.raises(ArgumentError, match="'n' must be a positive integer"):
            build(n)


def test_lists_are_read_as_pairs():
    assert check_tree("test", [[0, 1], 2]) == ((0, 1), 2)
