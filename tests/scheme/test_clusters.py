"""All clusters up to n atoms: as many as there are subsets, each made from those one atom smaller."""

from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbody_ref.errors import ArgumentError, SchemeError
from nbody_ref.scheme import Scheme, clusters


@settings(deadline=None)
@given(st.lists(st.sampled_from([1, 6, 8]), min_size=1, max_size=7), st.data())
def test_clusters_are_the_subsets_and_obey_definition_1(species, data):
    n = len(species)
    order = data.draw(st.integers(1, n))
    scheme = clusters(species, order)
    assert scheme == Scheme(scheme.nodes, n)
    inner = scheme.nodes[:-1]
    subsets = [set(s) for k in range(1, order + 1) for s in combinations(range(n), k)]
    assert [set(node.part) for node in inner] == subsets
    assert len(scheme) == 1 + sum(comb(n, k) for k in range(1, order + 1))
    for node, level in zip(inner, scheme.levels):
        assert level == len(node.part) - 1
        made_from = sorted(sorted(inner[c].part) for c in node.children)
        k = len(node.part)
        assert made_from == (sorted(map(sorted, combinations(sorted(node.part), k - 1))) if k > 1 else [])
    root = scheme.nodes[scheme.root]
    assert root.children == tuple(range(len(inner))) and scheme.levels[scheme.root] == order


def test_kinds_do_not_depend_on_the_order_of_atoms():
    species = [8, 1, 6, 1]
    counted = None
    for order in permutations(range(4)):
        kinds = sorted(str(node.kind) for node in clusters([species[i] for i in order], 3).nodes)
        counted = counted or kinds
        assert kinds == counted
    assert "('cluster', (1, 1, 8))" in counted
    assert sorted(str(node.kind) for node in clusters([8, 1, 6, 6], 3).nodes) != counted


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 7))
    pairs = draw(st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] < p[1])))
    return n, pairs


@settings(deadline=None)
@given(graphs(), st.integers(1, 4))
def test_neighbours_leave_the_clusters_that_are_all_neighbours(graph, order):
    n, pairs = graph
    around = [[j for j in range(n) if (min(i, j), max(i, j)) in pairs] for i in range(n)]
    wanted = [
        s for k in range(1, order + 1) for s in combinations(range(n), k) if all(p in pairs for p in combinations(s, 2))
    ]
    if order > n or not any(len(s) == order for s in wanted):
        with pytest.raises(SchemeError, match="'order' must"):
            clusters([1] * n, order, around)
        return
    scheme = clusters([1] * n, order, around)
    assert [tuple(sorted(node.part)) for node in scheme.nodes[:-1]] == wanted


def test_too_many_clusters_are_refused_before_any_is_made():
    with pytest.raises(SchemeError, match=r"at most 100000 nodes \('max_nodes'\), but 1000 atoms have 166667500 "):
        clusters([1] * 1000, 3)
    with pytest.raises(SchemeError, match="at most 10 nodes"):
        clusters([1] * 4, 2, max_nodes=10)
    assert len(clusters([1] * 4, 2, max_nodes=11)) == 11
    everybody = [[j for j in range(60) if j != i] for i in range(60)]
    with pytest.raises(SchemeError, match="more clusters of up to 30"):
        clusters([1] * 60, 30, everybody)
    line = [[j for j in (i - 1, i + 1) if 0 <= j < 2000] for i in range(2000)]
    assert len(clusters([1] * 2000, 2, line)) == 2000 + 1999 + 1  # linear in the number of atoms


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 1], 0), r"'order' must lie in 1\.\.2"),
        (([1, 1], 3), r"'order' must lie in 1\.\.2"),
        (([1, 1], 1.5), "'order' must be an integer, got 1.5"),
        (([1, 1], True), "'order' must be an integer"),
        (([1, 1], 1, None, 2.5), "'max_nodes' must be an integer"),
        (([1, 1], 2, [[1], []]), "'neighbours' must be mutual, atom 0 has 1, which does not have 0"),
        (([1, 1], 2, [[], []]), "'order' must be at most 1, no 2 atoms are all neighbours"),
        (([1, 1], 2, [[2], []]), r"must lie in 0\.\.1, got 2 for atom 0"),
        (([1, 1], 2, [[0], []]), "each other atom once at most"),
        (([1, 1], 2, [[1]]), "'neighbours' must have one entry per atom, 2, got 1"),
        (([1, 1], 2, 7), "'neighbours' must have one entry per atom"),
    ],
)
def test_what_cannot_be_is_named(arguments, message):
    with pytest.raises((SchemeError, ArgumentError), match=message):
        clusters(*arguments)


def test_small_integers_of_numpy_do_not_wrap_around():
    assert len(clusters(np.full(20, 8, np.int8), np.uint8(3), None, np.int16(2000))) == 1 + 20 + 190 + 1140
