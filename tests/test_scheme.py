"""Definition 1, sentence by sentence: each violation has its own message, and random schemes obey all of it."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbody_ref.errors import ArgumentError, SchemeError
from nbody_ref.scheme import Node, Scheme, barycentre, neighbourhoods

A, B, C = Node([0]), Node([1]), Node([2])


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([], "'nodes' must not be empty"),
        ([A, B, Node([0, 1], [1, 3]), Node([0, 1], [0, 2])], "nodes must not be their own descendants, got 2 > 3 > 2"),
        ([Node([0], [0])], "got 0 > 0"),
        ([A, B], r"there must be one root, got nodes \[0, 1\]"),
        ([A, B, C, Node([0, 1], [0, 1])], r"there must be one root, got nodes \[2, 3\]"),
        ([Node([0, 1])], r"leaf node 0 must have a single elementary part, got \[0, 1\]"),
        ([A, Node([1]), Node([0], [0, 1])], r"part of child 1 must lie within that of its parent 2, got \[1\] outside"),
        ([A, Node([0, 1], [0])], r"every elementary part must have a leaf, got none for \[1\]"),
        ([A, Node([0], [0, 2])], r"'children' of node 1 must lie in 0\.\.1, got 2"),
        ([A, Node([0], [0, -1])], r"'children' of node 1 must lie in 0\.\.1, got -1"),
        ([A, Node([0], [0, 0])], r"node 1 must list each child once, got \[0, 0\]"),
        ([A, B, Node([0, 1], [0, 1], position={0: Fraction(1, 3)})], "must sum to one, got 1/3"),
        ([A, B, Node([0, 1], [0, 1], position={2: 1})], r"must depend on its own part only, got parts \[2\]"),
        ([Node([], position={})], "node 0 must have a part"),
        ([Node([-1])], r"'part' of node 0 must lie in 0\.\."),
    ],
)
def test_each_violation_of_definition_1_is_named(nodes, message):
    with pytest.raises(SchemeError, match=message):
        Scheme(nodes)


def test_root_must_be_everything():
    with pytest.raises(SchemeError, match=r"the root, node 2, must be everything, got \[2\] outside it"):
        Scheme([A, B, Node([0, 1], [0, 1])], n_parts=3)
    with pytest.raises(SchemeError, match=r"'part' of node 1 must lie in 0\.\.0, got 1"):
        Scheme([A, B, Node([0, 1], [0, 1])], n_parts=1)


def test_position_coefficients_are_exact():
    with pytest.raises(SchemeError, match=r"'position' must hold integers or Fractions, got 0\.5 for part 0"):
        Node([0, 1], position={0: 0.5, 1: 0.5})
    centroid = Node(range(3)).position
    assert centroid == {i: Fraction(1, 3) for i in range(3)} and sum(centroid.values()) == 1
    assert Node([0, 1], position={0: 1, 1: 0}).position == {0: 1}


def test_a_child_may_be_as_large_as_its_parent_and_have_several_parents():
    pair = Node([0, 1], [0, 1], "pair")
    scheme = Scheme([A, B, pair, pair, Node([0, 1], [2, 3, 0])])
    assert scheme.root == 4 and scheme.levels == (0, 0, 1, 1, 2)


def test_single_atom_is_a_scheme():
    assert Scheme([A]).root == 0
    assert neighbourhoods([[]], [2], depth=2).levels == (0, 1, 2, 3)


def test_neighbourhoods_grow_with_the_level():
    chain = neighbourhoods([[1], [0, 2], [1, 3], [2]], [6, 1, 1, 8], depth=2)
    assert [sorted(node.part) for node in chain.nodes[4:12]] == [
        [0, 1],
        [0, 1, 2],
        [1, 2, 3],
        [2, 3],
        [0, 1, 2],
        [0, 1, 2, 3],
        [0, 1, 2, 3],
        [1, 2, 3],
    ]
    assert chain.nodes[9].children == (4, 5, 6)
    assert chain.nodes[9].kind == ("neighbourhood", 2, 1) and chain.nodes[9].position == {1: 1}
    assert chain.nodes[chain.root].children == (8, 9, 10, 11) and chain.levels[chain.root] == 3
    assert chain.nodes[chain.root].position == {i: Fraction(1, 4) for i in range(4)}


@pytest.mark.parametrize(
    ("neighbours", "depth", "message"),
    [
        ([[2], [0]], 1, r"must lie in 0\.\.1, got 2 for atom 0"),
        ([[0], [0]], 1, "each other atom once at most, got .* for atom 0"),
        ([[1, 1], [0]], 1, "each other atom once at most"),
        ([[1]], 1, "one entry per atom"),
    ],
)
def test_bad_neighbour_lists_are_named(neighbours, depth, message):
    with pytest.raises(SchemeError, match=message):
        neighbourhoods(neighbours, [1, 1], depth)
    with pytest.raises(ArgumentError, match="'depth' must be a positive integer, got 0"):
        neighbourhoods([[1], [0]], [1, 1], 0)


def test_barycentre_sums_to_one_exactly():
    centre = barycentre({0: Fraction(15999, 1000), 1: Fraction(1008, 1000)})
    assert sum(centre.values()) == 1 and centre[0] / centre[1] == Fraction(15999, 1008)
    with pytest.raises(SchemeError, match="must not sum to zero"):
        barycentre({0: 1, 1: -1})


def test_drawing_shows_each_subsystem_once():
    text = str(neighbourhoods([[1], [0]], [8, 1]))
    assert text.splitlines()[0] == "('molecule',) {0, 1} at 1/2 r0 + 1/2 r1"
    assert text.count("('neighbourhood', 1, 8)") == 1 and text.count("('atom', 1)") == 2
    shared = Scheme([A, B, Node([0, 1], [0, 1], "pair"), Node([0, 1], [2], "x"), Node([0, 1], [2, 3], "y")])
    assert str(shared).splitlines()[-1] == "    '-- 'pair' {0, 1} as above"
    assert repr(shared) == "<Scheme of 2 elementary parts, 5 nodes, 4 levels>"


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 6))
    pairs = draw(st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] < p[1])))
    return [[j for j in range(n) if (min(i, j), max(i, j)) in pairs] for i in range(n)], draw(st.integers(1, 3))


@given(graphs())
def test_neighbourhoods_obey_definition_1(case):
    around, depth = case
    scheme = neighbourhoods(around, [1] * len(around), depth)
    assert scheme == Scheme(scheme.nodes, scheme.n_parts) and hash(scheme) == hash(Scheme(scheme.nodes))
    for node in scheme.nodes:
        assert sum(node.position.values()) == 1
        assert all(scheme.nodes[child].part <= node.part for child in node.children)
    for i, node in enumerate(scheme.nodes[:-1]):
        level, atom = divmod(i, len(around))
        assert node.part == within(around, atom, level)


def within(around, start, steps):
    """Atoms within so many bonds: breadth first, the oracle."""
    reached = {start}
    for _ in range(steps):
        reached |= {j for i in reached for j in around[i]}
    return reached
