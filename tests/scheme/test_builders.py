"""Groups that the user names become the DAG one would draw by hand; wrong lists are refused in words."""

import sys
from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, SchemeError
from nbody_ref.scheme import Node, Scheme, barycentre, clusters, groups, neighbourhoods

METHANOL = [6, 8, 1, 1, 1, 1]


def by_hand():
    """Methanol: the C-O bond is shared by methyl, which sits at its carbon, and hydroxyl; one H hangs from the root."""
    atoms = [Node([i], kind=("atom", z)) for i, z in enumerate(METHANOL)]
    bond = Node([0, 1], [0, 1], "CO")
    methyl = Node([0, 1, 2, 4], [6, 2, 4], "methyl", {0: 1})
    hydroxyl = Node([0, 1, 3], [6, 3], "hydroxyl")
    return Scheme([*atoms, bond, methyl, hydroxyl, Node(range(6), [7, 8, 5], ("molecule",))])


def test_groups_are_the_scheme_written_by_hand():
    listed = [("CO", [0, 1]), ("methyl", [0, 1, 2, 4], {0: 1}), ("hydroxyl", [0, 1, 3])]
    assert groups(METHANOL, listed) == by_hand()
    named = {"CO": [1, 0], "methyl": (0, 1, 2, 4), "hydroxyl": {3, 1, 0}}
    found = groups(METHANOL, named)
    assert [node.children for node in found.nodes] == [node.children for node in by_hand().nodes]
    assert found != by_hand()  # the position of methyl
    assert found.levels == by_hand().levels == (0,) * 6 + (1, 2, 2, 3)


def test_a_group_is_made_from_the_largest_groups_within_it_in_whatever_order_they_come():
    found = groups([1] * 4, [("four", range(4)), ("pair", [0, 1]), ("three", [0, 1, 2]), ("pair", [1, 2])])
    assert [found.nodes[i].children for i in range(4, 9)] == [(6, 3), (0, 1), (5, 7), (1, 2), (4,)]
    assert found.levels == (0, 0, 0, 0, 3, 1, 2, 1, 4)
    assert groups([8], {}).nodes[1].children == (0,)
    assert groups([8], {"O": [0]}).nodes[1].children == (0,)  # a group of one atom


def test_labels_of_any_kind_share_weights_by_name():
    found = groups([6, 1, 6, 1], [("CH", [0, 1]), ("CH", [2, 3])])
    assert found.nodes[4].kind == found.nodes[5].kind == "CH"


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ({"a": []}, "'a' must list different atoms in 0..2, one at least"),
        ({"a": [0, 0]}, "'a' must list different atoms"),
        ({"a": [0, 3]}, "'a' must list different atoms"),
        ({"a": [-1]}, "'a' must list different atoms"),
        ({"a": [0, 1], "b": [1, 0]}, "'b' must not have the atoms of a group before it"),
        ({"a": [0.0]}, "'groups' must be an integer, got 0.0"),
        ({"a": ["0"]}, "'groups' must be an integer"),
        ({"a": 1}, "'groups' must map labels to atoms"),
        ([("a",)], "'groups' must map labels to atoms"),
        (None, "'groups' must map labels to atoms"),
        ([("a", [0, 1], {0: 0.5, 1: 0.5})], "'position' must hold integers or Fractions"),
        ([("a", [0, 1], {2: 1})], "must depend on its own part only"),
        ([("a", [0, 1], {0: 2})], "must sum to one"),
        ([(["a"], [0, 1])], "'kind' must be hashable"),
    ],
)
def test_wrong_groups_are_named(listed, message):
    with pytest.raises((SchemeError, ArgumentError), match=message):
        groups([8, 1, 1], listed)


BUILDERS = (lambda z: neighbourhoods([[]], z)), (lambda z: groups(z, {})), (lambda z: clusters(z, 1))


@pytest.mark.parametrize("build", BUILDERS)
def test_species_are_integers_one_at_least(build):
    for wrong in ([], (), None, 5, "H", ["H"], [1.0], [None], [True], iter([1])):
        with pytest.raises((SchemeError, ArgumentError), match="'species' must"):
            build(wrong)
    plain = build([8])
    for kind in (np.int8, np.uint8, np.int64):
        assert build(np.array([8], kind)) == plain
        assert type(build(np.array([8], kind)).nodes[0].kind[1]) is int


def test_neighbours_and_depth_are_checked():
    for wrong in (None, 3, [[1]], [[1], None, []]):
        with pytest.raises((SchemeError, TypeError)):
            neighbourhoods(wrong, [1, 1, 1])
    for depth in (1.5, None, True, "1"):
        with pytest.raises(ArgumentError, match="'depth' must be a positive integer"):
            neighbourhoods([[1], [0]], [1, 1], depth)
    around = [np.array([1], np.uint8), np.array([0], np.int8)]
    assert neighbourhoods(around, [1, 1], np.int8(2)) == neighbourhoods([[1], [0]], [1, 1], 2)


def test_weights_of_a_barycentre_are_exact_whatever_kind_they_are():
    assert barycentre({0: 15.999, 1: 1.008}) == barycentre({0: Fraction(15.999), 1: Fraction(1.008)})
    wide = np.int64(2**62)
    assert barycentre({0: wide, 1: wide, 2: wide})[0] == Fraction(1, 3)  # the sum does not fit into 64 bits
    assert barycentre({np.uint8(0): Fraction(np.int64(3)), 1: np.float32(1)}) == {0: Fraction(3, 4), 1: Fraction(1, 4)}
    for wrong in (np.nan, np.inf, "1", None, True, 1j):
        with pytest.raises(SchemeError, match="'weights' must be finite numbers"):
            barycentre({0: wrong, 1: 1})


def test_nodes_keep_integers_of_python_and_refuse_what_is_none():
    node = Node(np.arange(2, dtype=np.uint8), np.arange(2), "x", {np.int8(0): np.int64(3), 1: Fraction(np.int64(-2))})
    assert node == Node([0, 1], [0, 1], "x", {0: 3, 1: -2})
    assert {type(x) for x in (*node.part, *node.children, *node.position)} == {int}
    assert {type(x.numerator) for x in node.position.values()} == {int}
    for make in (
        lambda: Node([0.0]),
        lambda: Node(3),
        lambda: Node([0], [1.5]),
        lambda: Node([0], kind=[]),
        lambda: Node([0], position=[1]),
        lambda: Node([0], position={0: True}),
        lambda: Scheme(5),
        lambda: Scheme([1]),
        lambda: Scheme([Node([0])], n_parts=1.0),
    ):
        with pytest.raises((SchemeError, ArgumentError), match="must"):
            make()


def test_deep_schemes_need_no_deep_stack():
    depth = 10 * sys.getrecursionlimit()
    chain = Scheme([Node([0]), *(Node([0], [i]) for i in range(depth))])
    assert chain.levels[chain.root] == depth
    backwards = Scheme([Node([0], [i + 1]) for i in range(depth)] + [Node([0])])
    assert backwards.root == 0 and backwards.levels[0] == depth
