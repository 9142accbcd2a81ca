"""The fast path for neighbourhoods equals the general one, and the general one equals the schemes node by node."""

from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.errors import SchemeError
from nbody_ref.graphs import build_graph
from nbody_ref.hierarchy import levels_from_schemes, neighbourhood_levels
from nbody_ref.scheme import Node, Scheme, neighbourhoods


def example(seed=3, sizes=(5, 1, 2, 8)):
    rng = np.random.default_rng(seed)
    grid = np.array([[i, j, k] for i in range(3) for j in range(3) for k in range(3)], float) - 1
    frames = [rng.permutation(grid)[:n] + rng.uniform(-0.2, 0.2, (n, 3)) for n in sizes]
    return build_graph(frames, [rng.choice([8, 1, 6], n) for n in sizes], 1.4)


def frame_schemes(graph, depth):
    schemes = []
    for start, stop in zip(graph.frame_ptr[:-1].astype(int), graph.frame_ptr[1:].astype(int)):
        around = [graph.edges.senders[graph.edges.receivers == i].astype(int) - start for i in range(start, stop)]
        schemes.append(neighbourhoods([a.tolist() for a in around], graph.species[start:stop].tolist(), depth))
    return schemes


def flat(value):
    """All arrays and plain values of nested named tuples, in order."""
    if isinstance(value, np.ndarray) or not isinstance(value, tuple):
        return [value]
    return [leaf for item in value for leaf in flat(item)]


def same(a, b):
    left, right = flat(a), flat(b)
    return len(left) == len(right) and all(
        np.array_equal(x, y) and getattr(x, "dtype", None) == getattr(y, "dtype", None) for x, y in zip(left, right)
    )


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_neighbourhood_levels_equal_levels_of_the_schemes(depth):
    graph = example()
    assert same(neighbourhood_levels(graph, depth), levels_from_schemes(frame_schemes(graph, depth)))


def test_comparison_sees_a_missing_edge():
    graph, other = example(), example(seed=4)
    assert not same(neighbourhood_levels(graph, 1), levels_from_schemes(frame_schemes(other, 1)))
    assert not same(neighbourhood_levels(graph, 1), neighbourhood_levels(graph, 2))


def test_kinds_can_be_numbered_as_a_network_does():
    graph = example()
    levels = neighbourhood_levels(graph, 1, species=[6, 1, 8, 9]).levels
    assert np.array_equal(np.array([6, 1, 8, 9])[levels[1].kind.astype(int)], graph.species)
    kinds = [level.kinds for level in levels]
    assert same(levels_from_schemes(frame_schemes(graph, 1), kinds).levels, levels)
    with pytest.raises(SchemeError, match="'species' must contain 8 of atom"):
        neighbourhood_levels(graph, 1, species=[1, 6])
    with pytest.raises(SchemeError, match=r"'kinds' must contain \('atom', 8\) at level 0"):
        levels_from_schemes(frame_schemes(graph, 1), [[("atom", 1), ("atom", 6)], *kinds[1:]])


def dimer():
    """Two pairs and a lone atom; the second pair sits at its first atom, and the lone atom hangs from the root."""
    pair, at_first = Node([0, 1], [0, 1], "pair"), Node([2, 3], [2, 3], "pair", {2: 1})
    root = Node(range(5), [5, 6, 4], "all", {0: Fraction(1, 2), 4: Fraction(1, 2)})
    return Scheme([*(Node([i], kind="atom") for i in range(5)), pair, at_first, root])


def test_general_schemes_become_levels():
    hierarchy = levels_from_schemes([dimer(), Scheme([Node([0], kind="atom")]), dimer()])
    atoms, pairs, top = hierarchy.levels
    assert (atoms.n_nodes, pairs.n_nodes, top.n_nodes) == (11, 4, 2)
    assert pairs.frame.tolist() == [0, 0, 2, 2] and hierarchy.root_level.tolist() == [2, 0, 2]
    assert hierarchy.root.tolist() == [0, 5, 1]
    assert [link.source for link in top.links] == [0, 1]
    assert top.links[0].all.senders.tolist() == [4, 10] and top.links[1].all.senders.tolist() == [0, 1, 2, 3]
    link = pairs.links[0]
    assert link.all.senders.tolist() == [0, 1, 2, 3, 6, 7, 8, 9]
    assert link.directed.senders.tolist() == [0, 1, 3, 6, 7, 9] and link.centre.senders.tolist() == [2, 8]
    assert link.centre.receivers.tolist() == [1, 3] and link.all.n_receivers == 4 and link.all.n_senders == 11


def test_node_positions_are_affine_in_the_atoms_and_their_adjoint_is_exact():
    rng = np.random.default_rng(5)
    r = rng.integers(-50, 50, (11, 3)) * 2.0
    hierarchy = levels_from_schemes([dimer(), Scheme([Node([0], kind="atom")]), dimer()])
    for level in hierarchy.levels:
        at = level.positions.apply(r)
        bar = rng.integers(-50, 50, at.shape).astype(float)
        # halves of even integers: every product and sum is exact
        assert np.sum(bar * at) == np.sum(level.positions.apply_vjp(bar, 11) * r)
    assert np.array_equal(hierarchy.levels[1].positions.apply(r)[1], r[2])
    assert np.array_equal(hierarchy.levels[2].positions.apply(r)[0], (r[0] + r[4]) / 2)


def test_mixed_labels_are_ordered_too():
    schemes = [Scheme([Node([0], kind=kind), Node([0], [0], "root")]) for kind in ("a", 3, ("b", 1))]
    assert len(levels_from_schemes(schemes).levels[0].kinds) == 3


def test_bad_requests_are_named():
    with pytest.raises(SchemeError, match="'schemes' must not be empty"):
        levels_from_schemes([])
    with pytest.raises(SchemeError, match="'depth' must be at least 1"):
        neighbourhood_levels(example(), 0)
