"""Edge lists against a double loop; every impossible geometry refused by name."""

import dataclasses

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, DTypeError, GeometryError, ShapeError
from nbody_ref.graphs import Edges, build_graph


def clouds(sizes, seed=0):
    """Random frames with atoms at least 0.5 apart, signed coordinates."""
    rng = np.random.default_rng(seed)
    frames = []
    for n in sizes:
        r = np.empty((0, 3))
        while len(r) < n:
            new = rng.uniform(-2, 2, 3)
            if not len(r) or np.linalg.norm(r - new, axis=1).min() > 0.5:
                r = np.vstack([r, new])
        frames.append(r)
    return frames, [rng.choice([1, 6, 8], n) for n in sizes]


def naive_pairs(frames, cutoff):
    start, found = 0, []
    for r in frames:
        found += [
            (start + i, start + j)
            for i in range(len(r))
            for j in range(len(r))
            if i != j and np.linalg.norm(r[i] - r[j]) <= cutoff
        ]
        start += len(r)
    return found


@pytest.mark.parametrize("cutoff", [0.6, 1.7, 100.0, np.inf])
def test_edges_are_the_pairs_within_the_cutoff_in_order(cutoff):
    frames, numbers = clouds([5, 1, 9, 2])
    graph = build_graph(frames, numbers, cutoff)
    edges = graph.edges
    assert list(zip(edges.receivers.tolist(), edges.senders.tolist())) == naive_pairs(frames, cutoff)
    assert all(index.dtype == np.uintp for index in edges)
    assert np.array_equal(graph.frame, np.repeat([0, 1, 2, 3], [5, 1, 9, 2]))
    assert graph.frame.dtype == graph.frame_ptr.dtype == np.uintp
    assert (graph.n_frames, graph.n_atoms) == (4, 17)


def test_pair_check_can_fail():
    frames, numbers = clouds([5, 1, 9, 2])
    edges = build_graph(frames, numbers, 1.7).edges
    assert list(zip(edges.receivers.tolist(), edges.senders.tolist())) != naive_pairs(frames, 2.5)


def test_transposed_list_finds_the_edges_of_each_sender():
    rng = np.random.default_rng(1)
    receivers, senders = rng.integers(0, 5, 30), rng.integers(0, 7, 30)
    edges = Edges.build(receivers, senders, 6, 7)
    assert (edges.n_edges, edges.n_receivers, edges.n_senders) == (30, 6, 7)
    for i in range(6):
        assert set(edges.receivers[int(edges.row_ptr[i]) : int(edges.row_ptr[i + 1])]) <= {i}
    for j in range(7):
        numbers = edges.t_edge[int(edges.t_ptr[j]) : int(edges.t_ptr[j + 1])]
        assert np.array_equal(numbers, np.flatnonzero(edges.senders == j))
    assert sorted(zip(edges.receivers, edges.senders)) == sorted(zip(receivers, senders))


def test_edges_out_of_range_are_refused():
    with pytest.raises(ShapeError, match=r"'senders' must lie in 0\.\.1, got 0\.\.2"):
        Edges.build([0, 1], [0, 2], 2, 2)
    with pytest.raises(ShapeError, match="of one length"):
        Edges.build([0, 1], [0], 2, 2)


def test_single_atom_and_lonely_atoms_have_no_edges():
    assert build_graph([[[0, 0, 0]]], [[1]], 3.0).edges.n_edges == 0
    graph = build_graph([[[0, 0, 0], [0, 0, 9]], [[0, 0, 0], [0, 0, 1]]], [[1, 1], [1, 1]], 3.0)
    assert graph.edges.receivers.tolist() == [2, 3]


def test_positions_move_and_edges_stay():
    frames, numbers = clouds([4])
    graph = build_graph(frames, numbers, 1.5)
    moved = graph.with_positions(2 * graph.positions)
    assert moved.edges is graph.edges and np.array_equal(moved.positions, 2 * graph.positions)
    with pytest.raises(ShapeError, match=r"'positions' must have shape \(4, 3\), got \(3, 3\)"):
        graph.with_positions(np.zeros((3, 3)))
    frames[0][:] = 7.0
    assert not np.any(graph.positions == 7.0), "a graph must not follow the caller's array"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_named_by_frame_and_atom(value):
    frames, numbers = clouds([4, 5])
    frames[1][3, 1] = value
    with pytest.raises(GeometryError, match=r"'positions' must be finite, got .* for atom 3 of frame 1"):
        build_graph(frames, numbers, 2.0)
    good, _ = clouds([4, 5])
    with pytest.raises(GeometryError, match="for atom 3 of frame 1"):
        build_graph(good, numbers, 2.0).with_positions(np.concatenate(frames))


def test_atoms_on_top_of_each_other_are_named():
    frames, numbers = clouds([4, 5])
    frames[1][4] = frames[1][2] + 0.01
    with pytest.raises(GeometryError, match=r"at least 0\.3 Angstrom apart, got 0\.0173 for atoms 2 and 4 of frame 1"):
        build_graph(frames, numbers, 2.0)
    assert build_graph(frames, numbers, 2.0, min_distance=0.0).n_atoms == 9
    frames[1][4] = frames[1][2]
    with pytest.raises(GeometryError, match="got 0 for atoms 2 and 4"):
        build_graph(frames, numbers, 2.0, min_distance=0.0)


def test_periodic_cells_and_shifts_are_refused_for_now():
    frames, numbers = clouds([4])
    graph = build_graph(frames, numbers, 4.0, cells=[np.zeros((3, 3))])
    with pytest.raises(GeometryError, match="periodic systems are not supported yet"):
        build_graph(frames, numbers, 2.0, cells=[np.eye(3)])
    with pytest.raises(GeometryError, match="periodic systems are not supported yet"):
        dataclasses.replace(graph, shifts=graph.shifts + 1)
    with pytest.raises(ShapeError, match="'cells' must have shape"):
        build_graph(frames, numbers, 2.0, cells=np.zeros((2, 3, 3)))


@pytest.mark.parametrize(
    ("positions", "numbers", "cutoff", "error", "message"),
    [
        ([], [], 2.0, ShapeError, "one at least, got 0 and 0"),
        ([[[0, 0, 0]]], [[1], [1]], 2.0, ShapeError, "got 1 and 2"),
        ([np.zeros((0, 3))], [[]], 2.0, ShapeError, r"'positions\[0\]' must have shape \(n, 3\) with n >= 1"),
        ([[[0, 0]]], [[1]], 2.0, ShapeError, r"'positions\[0\]' must have shape \(n, 3\)"),
        ([[[0, 0, 0]]], [[1, 1]], 2.0, ShapeError, r"'numbers\[0\]' must have shape \(1,\), got \(2,\)"),
        ([[[0, 0, 0]]], [[1.0]], 2.0, DTypeError, r"'numbers\[0\]' must be integers"),
        ([[[0, 0, 1j]]], [[1]], 2.0, DTypeError, r"'positions\[0\]' must be real numbers, got complex128"),
        ([[["0", "0", "0"]]], [[1]], 2.0, DTypeError, r"'positions\[0\]' must be real numbers"),
        ([[[0, 0, 0]]], [[0]], 2.0, GeometryError, "'numbers' must be from 1 to .*, got 0 for atom 0 of frame 0"),
        ([[[0, 0, 0]]], [[1]], 0.3, GeometryError, "'cutoff' must be larger than 0.3 Angstrom, got 0.3"),
        ([[[0, 0, 0]]], [[1]], np.nan, GeometryError, "'cutoff' must be larger"),
    ],
)
def test_impossible_input_is_refused(positions, numbers, cutoff, error, message):
    with pytest.raises(error, match=message):
        build_graph(positions, numbers, cutoff)


def test_a_graph_put_together_by_hand_is_checked():
    frames, numbers = clouds([3, 2])
    graph = build_graph(frames, numbers, 1.9)
    wrong = {
        "edges": (Edges.build([], [], 4, 5), ShapeError),
        "positions": (graph.positions.astype(np.float32), DTypeError),
        "species": (graph.species.tolist(), DTypeError),
        "frame_ptr": (np.array([0, 3, 2, 5], np.uintp), ShapeError),
        "shifts": (graph.shifts.astype(float), DTypeError),
        "cell": (graph.cell[:1], ShapeError),
    }
    for name, (value, error) in wrong.items():
        with pytest.raises(error, match=f"Graph: '{name}' must"):
            dataclasses.replace(graph, **{name: value})
    assert dataclasses.replace(graph).n_atoms == 5
    with pytest.raises(ShapeError, match=r"'frame_ptr' must ascend from 0"):
        dataclasses.replace(graph, frame_ptr=np.zeros(0, np.uintp))
    for atom in (-1, 5):
        with pytest.raises(ShapeError, match=r"Graph\.locate: 'atom' must lie in 0\.\.4"):
            graph.locate(atom)


@pytest.mark.parametrize(
    ("receivers", "senders", "counts", "error"),
    [
        ([0.5], [0], (1, 1), DTypeError),
        ([True], [0], (1, 1), DTypeError),
        (["0"], [0], (1, 1), DTypeError),
        ([[0]], [[0]], (1, 1), ShapeError),
        ([0, [1]], [0, 1], (2, 2), ShapeError),
        ([0], [0], (1.5, 1), ArgumentError),
        ([0], [0], (1, -1), ArgumentError),
        (np.ma.array([0], mask=[True]), [0], (1, 1), DTypeError),
    ],
)
def test_edges_of_anything_but_integers_are_refused(receivers, senders, counts, error):
    with pytest.raises(error, match="Edges: "):
        Edges.build(receivers, senders, *counts)
    assert Edges.build([], [], np.uint8(2), 0).n_receivers == 2


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"positions": None}, ShapeError),
        ({"positions": iter([])}, ShapeError),
        ({"positions": [[[0, 0, 0], [1]]]}, ShapeError),
        ({"positions": ["abc"]}, DTypeError),
        ({"numbers": [[1.0]]}, DTypeError),
        ({"numbers": [[2**40]]}, GeometryError),
        ({"numbers": [np.array([2**63 + 1], np.uint64)]}, GeometryError),
        ({"cutoff": "3"}, GeometryError),
        ({"cutoff": None}, GeometryError),
        ({"cutoff": np.nan}, GeometryError),
        ({"cutoff": True}, GeometryError),
        ({"min_distance": np.nan}, GeometryError),
        ({"min_distance": "x"}, GeometryError),
        ({"cells": "abc"}, DTypeError),
        ({"cells": [np.zeros((2, 2))]}, ShapeError),
    ],
)
def test_whatever_is_no_geometry_is_refused_in_words(change, error):
    arguments = {"positions": [[[0, 0, 0]]], "numbers": [[1]], "cutoff": 3.0, **change}
    with pytest.raises(error, match="build_graph: '"):
        build_graph(**arguments)


def u(*values):
    return np.array(values, np.uintp)


HOSTILE = (
    {"senders": u(1, 2, 0, 10**12)},
    {"senders": u(1, 2, 0, 3)},
    {"senders": np.array([1, 2, 0, -1]).astype(np.uintp)},
    {"senders": u(1, 2, 0)},
    {"senders": np.array([1, 2, 0, 0])},
    {"senders": [1, 2, 0, 0]},
    {"senders": u(1, 2, 0, 0)[::1].repeat(2)[::2]},
    {"senders": u(2, 1, 0, 0)},
    {"receivers": u(0, 0, 1, 10**9)},
    {"receivers": u(0, 1, 0, 2)},
    {"row_ptr": u(0, 2, 3, 4000)},
    {"row_ptr": u(0, 3, 2, 4)},
    {"row_ptr": u(1, 2, 3, 4)},
    {"row_ptr": u()},
    {"row_ptr": u(0, 1, 3, 4)},
    {"t_ptr": u(0, 2, 3, 10**15)},
    {"t_ptr": u(0, 1, 3, 4)},
    {"t_edge": u(2, 3, 0, 4000)},
    {"t_edge": u(2, 2, 0, 1)},
    {"t_edge": u(2, 3, 1, 0)},
)


@pytest.mark.parametrize("change", HOSTILE)
def test_lists_of_edges_that_a_kernel_could_not_follow_are_refused(change):
    edges = Edges.build([0, 0, 1, 2], [1, 2, 0, 0], 3, 3)
    assert edges._replace() == Edges(*edges) == Edges._make(edges)  # the twin that is right
    for make in (lambda: edges._replace(**change), lambda: Edges(**{**edges._asdict(), **change})):
        with pytest.raises((ShapeError, DTypeError), match="Edges: '"):
            make()


def test_lists_of_no_edge_are_edges():
    assert Edges(*Edges.build([], [], 0, 2)).n_senders == 2
    with pytest.raises(DTypeError, match="'edges' must be Edges"):
        dataclasses.replace(build_graph([[[0, 0, 0]]], [[1]], 2.0), edges=tuple(Edges.build([], [], 1, 1)))
