"""The arrays of a batch say what its schemes say, node by node."""

from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.errors import SchemeError
from nbody_ref.graphs import build_graph
from nbody_ref.hierarchy import levels_from_schemes
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


def spelled_out(hierarchy, sizes):
    """The schemes' nodes read back from the arrays: frame, level, kind, children, position in atoms of the frame."""
    starts, found = np.cumsum([0, *sizes]), []
    for depth, level in enumerate(hierarchy.levels):
        for n in range(level.n_nodes):
            frame = int(level.frame[n])
            span = slice(int(level.positions.row_ptr[n]), int(level.positions.row_ptr[n + 1]))
            atoms = (level.positions.atoms[span].astype(int) - starts[frame]).tolist()
            position = dict(zip(atoms, level.positions.coefficients[span].tolist()))
            children = [
                (link.source, int(j), i == n and j in link.centre.senders[link.centre.receivers == n])
                for link in level.links
                for i, j in zip(link.all.receivers.tolist(), link.all.senders.tolist())
                if i == n
            ]
            found.append((frame, depth, level.kinds[int(level.kind[n])], sorted(children), position))
    return found


def expected(schemes):
    """The same from the schemes, the slow way."""
    order = sorted((scheme.levels[i], f, i) for f, scheme in enumerate(schemes) for i in range(len(scheme.nodes)))
    place, counts = {}, {}
    for level, f, i in order:
        place[f, i] = counts.setdefault(level, 0)
        counts[level] += 1
    found = []
    for level, f, i in order:
        node, nodes = schemes[f].nodes[i], schemes[f].nodes
        same = {c: nodes[c].position == node.position for c in node.children}
        children = sorted((schemes[f].levels[c], place[f, c], same[c]) for c in node.children)
        found.append((f, level, node.kind, children, {a: float(x) for a, x in node.position.items()}))
    return found


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_levels_of_neighbourhoods_are_their_schemes(depth):
    graph = example()
    schemes = frame_schemes(graph, depth)
    hierarchy = levels_from_schemes(schemes)
    sizes = np.diff(graph.frame_ptr).astype(int)
    assert spelled_out(hierarchy, sizes) == expected(schemes)
    assert hierarchy.root_level.tolist() == [depth + 1] * 4 and hierarchy.root.tolist() == [0, 1, 2, 3]
    other = frame_schemes(example(seed=4), depth)
    assert spelled_out(hierarchy, sizes) != expected(other)  # the comparison sees other neighbours


def test_directed_and_centre_are_a_partition_of_all_children():
    for level in levels_from_schemes(frame_schemes(example(), 2)).levels:
        for link in level.links:
            three = link.all, link.directed, link.centre
            pairs = [sorted(zip(edges.receivers.tolist(), edges.senders.tolist())) for edges in three]
            assert pairs[0] == sorted(pairs[1] + pairs[2]) and not set(pairs[1]) & set(pairs[2])


def test_kinds_can_be_numbered_as_a_network_does():
    schemes = frame_schemes(example(), 1)
    plain = levels_from_schemes(schemes)
    kinds = [tuple(reversed(level.kinds)) for level in plain.levels]
    turned = levels_from_schemes(schemes, kinds)
    for level, other in zip(plain.levels, turned.levels):
        assert [level.kinds[k] for k in level.kind.tolist()] == [other.kinds[k] for k in other.kind.tolist()]
    with pytest.raises(SchemeError, match=r"'kinds' must contain \('atom', 8\) at level 0"):
        levels_from_schemes(schemes, [[("atom", 1), ("atom", 6)], *kinds[1:]])
    with pytest.raises(SchemeError, match="'kinds' must list the kinds of 3 levels, got 1"):
        levels_from_schemes(schemes, kinds[:1])


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


def test_mixed_labels_are_ordered_too():
    schemes = [Scheme([Node([0], kind=kind), Node([0], [0], "root")]) for kind in ("a", 3, ("b", 1))]
    assert len(levels_from_schemes(schemes).levels[0].kinds) == 3


def test_bad_requests_are_named():
    with pytest.raises(SchemeError, match="'schemes' must not be empty"):
        levels_from_schemes([])
    for wrong in ([None], [5], None, 3):
        with pytest.raises(SchemeError, match="'schemes' must"):
            levels_from_schemes(wrong)
