"""Edge lists and batches of molecules as arrays.

A batch is one `Graph`: the atoms of all frames one after another, and an edge in both directions for every pair of
atoms of a frame within the cutoff.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import DTypeError, GeometryError, ShapeError

__all__ = ["Edges", "Graph", "build_graph"]

Array = np.ndarray[Any, Any]
IndexArray = np.ndarray[Any, np.dtype[np.uintp]]

_DTYPES = {"positions": np.float64, "species": np.int64, "frame_ptr": np.uintp, "shifts": np.int64, "cell": np.float64}
FARTHEST = 1e9  # Angstrom from the origin; farther away, distances have no digits left
_LARGEST = 2**31 - 1  # label of an element, number of nodes


class _Lists(NamedTuple):
    receivers: IndexArray
    senders: IndexArray
    row_ptr: IndexArray
    t_ptr: IndexArray
    t_edge: IndexArray


class Edges(_Lists):
    """Directed edges sender -> receiver, sorted by receiver, with the transposed list beside them.

    The edges of receiver i are ``row_ptr[i]:row_ptr[i + 1]``; those of sender j are the edge numbers
    ``t_edge[t_ptr[j]:t_ptr[j + 1]]``. All arrays are ``np.uintp``. Kernels follow these numbers without looking, so
    that lists made by hand, or by `_replace`, are checked here, once, in O(E).

    Raises
    ------
    DTypeError
        If a list is no array of ``np.uintp``.
    ShapeError
        If a list has another length, a number is out of range, or the lists contradict one another.
    """

    __slots__ = ()

    def __new__(cls, receivers: Any, senders: Any, row_ptr: Any, t_ptr: Any, t_edge: Any) -> Edges:
        """Check five lists against one another."""
        lists = _Lists(receivers, senders, row_ptr, t_ptr, t_edge)
        _check_lists(lists)
        return _Lists.__new__(cls, *lists)

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Edges:  # type: ignore[override]
        return cls(*iterable)

    @classmethod
    def build(cls, receivers: Any, senders: Any, n_receivers: int, n_senders: int) -> Edges:
        """Sort edges by receiver (stable) and index them by sender.

        Parameters
        ----------
        receivers, senders : (E,) integers
        n_receivers, n_senders : int
            Numbers of nodes on either side; a node may have no edge.

        Raises
        ------
        ShapeError
            If the two lists differ in length, an index is out of range, or a number of nodes is no count.
        DTypeError
            If the indices are not integers.
        """
        to, fro = _asarray("Edges", "receivers", receivers), _asarray("Edges", "senders", senders)
        if to.ndim != 1 or to.shape != fro.shape:
            raise ShapeError(f"Edges: 'receivers' and 'senders' must be of one length, got {to.shape}, {fro.shape}")
        n_receivers, n_senders = (
            check_integer("Edges", name, count, 0, _LARGEST)
            for name, count in (("n_receivers", n_receivers), ("n_senders", n_senders))
        )
        for name, index, count in (("receivers", to, n_receivers), ("senders", fro, n_senders)):
            if index.size and index.dtype.kind not in "iu":
                raise DTypeError(f"Edges: '{name}' must be integers, got {index.dtype}")
            if index.size and (index.min() < 0 or index.max() >= count):
                raise ShapeError(f"Edges: '{name}' must lie in 0..{count - 1}, got {index.min()}..{index.max()}")
        order = np.argsort(to, kind="stable")
        to, fro = to[order], fro[order]
        row_ptr = np.concatenate([[0], np.cumsum(np.bincount(to.astype(np.intp), minlength=n_receivers))])
        t_ptr = np.concatenate([[0], np.cumsum(np.bincount(fro.astype(np.intp), minlength=n_senders))])
        t_edge = np.argsort(fro, kind="stable")
        lists = (np.ascontiguousarray(a, dtype=np.uintp) for a in (to, fro, row_ptr, t_ptr, t_edge))
        return _Lists.__new__(cls, *lists)  # right by construction

    @property
    def n_edges(self) -> int:
        """Number of edges E."""
        return len(self.receivers)

    @property
    def n_receivers(self) -> int:
        """Number of receiving nodes, edges or not."""
        return len(self.row_ptr) - 1

    @property
    def n_senders(self) -> int:
        """Number of sending nodes, edges or not."""
        return len(self.t_ptr) - 1


def _check_lists(lists: _Lists) -> None:
    """Whether five lists are those that `Edges.build` makes of one graph."""
    for name, index in lists._asdict().items():
        if not isinstance(index, np.ndarray) or index.dtype != np.uintp or index.ndim != 1:
            came = f"{index.dtype} of shape {index.shape}" if isinstance(index, np.ndarray) else type(index).__name__
            raise DTypeError(f"Edges: '{name}' must be one row of uintp, got {came}")
        if not index.flags.c_contiguous:
            raise ShapeError(f"Edges: '{name}' must be contiguous, got strides {index.strides}")
    to, fro, row_ptr, t_ptr, t_edge = lists
    n = len(to)
    for name, index in (("senders", fro), ("t_edge", t_edge)):
        if len(index) != n:
            raise ShapeError(f"Edges: '{name}' must have an entry for each of {n} edges, got {len(index)}")
    for name, ptr in (("row_ptr", row_ptr), ("t_ptr", t_ptr)):
        if not len(ptr) or ptr[0] != 0 or ptr[-1] != n or np.any(ptr[1:] < ptr[:-1]):
            raise ShapeError(f"Edges: '{name}' must ascend from 0 to the number of edges, {n}, got {ptr}")
    for name, index, count in (("senders", fro, len(t_ptr) - 1), ("t_edge", t_edge, n)):
        if n and index.max() >= count:
            raise ShapeError(f"Edges: '{name}' must lie in 0..{count - 1}, got {index.max()}")
    if np.any(np.bincount(t_edge.view(np.intp), minlength=n) != 1):
        raise ShapeError("Edges: 't_edge' must hold every edge once")
    for name, index, ptr in (("receivers", to, row_ptr), ("senders[t_edge]", fro[t_edge], t_ptr)):
        if not np.array_equal(index, np.repeat(np.arange(len(ptr) - 1, dtype=np.uintp), np.diff(ptr).view(np.intp))):
            raise ShapeError(f"Edges: '{name}' must be sorted, and as often each as the pointers say, got {index}")


@dataclass(frozen=True)
class Graph:
    """A batch of molecules: atoms of all frames side by side, edges between neighbours within each frame.

    Parameters
    ----------
    positions : (N, 3) float64
        Angstrom.
    species : (N,) int64
        Atomic numbers.
    frame_ptr : (F + 1,) uintp
        Atoms of frame f are ``frame_ptr[f]:frame_ptr[f + 1]``.
    edges : Edges
        Both directions of every pair; ordered by receiver, then by sender.
    cutoff : float
        Angstrom; the radius the edges were found with.
    shifts : (E, 3) int64
        Lattice translations of the senders; only zeros are supported.
    cell : (F, 3, 3) float64
        Lattice vectors in rows; only zeros are supported.
    given : (N, dim) float64, optional
        States that the atoms come with, such as charges and dipoles, in the real gauge.

    Raises
    ------
    GeometryError
        If a position is NaN or infinite, or a shift or a cell is not zero.
    ShapeError
        If `positions` is not (N, 3), or another array, `frame_ptr` or `edges` does not fit.
    DTypeError
        If an array has another dtype than those above.
    """

    positions: Array
    species: Array
    frame_ptr: IndexArray
    edges: Edges
    cutoff: float
    shifts: Array
    cell: Array
    given: Array | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name, dtype in _DTYPES.items():
            if getattr(getattr(self, name), "dtype", None) != dtype:
                came = getattr(getattr(self, name), "dtype", type(getattr(self, name)).__name__)
                raise DTypeError(f"Graph: '{name}' must be an array of {np.dtype(dtype)}, got {came}")
        ptr = self.frame_ptr.astype(np.int64)
        if ptr.ndim != 1 or not ptr.size or ptr[0] != 0 or np.any(np.diff(ptr) < 0):
            raise ShapeError(f"Graph: 'frame_ptr' must ascend from 0, got {self.frame_ptr}")
        if not isinstance(self.edges, Edges):
            raise DTypeError(f"Graph: 'edges' must be Edges, got {type(self.edges).__name__}")
        n = int(ptr[-1])
        if (self.edges.n_receivers, self.edges.n_senders) != (n, n):
            came = f"{self.edges.n_receivers} and {self.edges.n_senders}"
            raise ShapeError(f"Graph: 'edges' must have {n} receivers and senders, got {came}")
        wanted = {"positions": (n, 3), "species": (n,)}
        wanted |= {"shifts": (self.edges.n_edges, 3), "cell": (self.n_frames, 3, 3)}
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ShapeError(f"Graph: '{name}' must have shape {shape}, got {getattr(self, name).shape}")
        if self.given is not None:
            given = _real("Graph", "given", self.given)
            if given.ndim != 2 or len(given) != n or not np.isfinite(given).all():
                raise ShapeError(f"Graph: 'given' must be finite, a row for each of {n} atoms, got shape {given.shape}")
            object.__setattr__(self, "given", given)
        if np.any(self.shifts) or np.any(self.cell):
            raise GeometryError("Graph: 'shifts' and 'cell' must be zero, periodic systems are not supported yet")
        bad = np.flatnonzero(~np.isfinite(self.positions).all(axis=1))
        if bad.size:
            frame, atom = self.locate(int(bad[0]))
            r = self.positions[bad[0]]
            raise GeometryError(f"Graph: 'positions' must be finite, got {r} for atom {atom} of frame {frame}")

    @property
    def n_atoms(self) -> int:
        """Number of atoms N of all frames."""
        return len(self.positions)

    @property
    def n_frames(self) -> int:
        """Number of frames F."""
        return len(self.frame_ptr) - 1

    @property
    def frame(self) -> IndexArray:
        """Frame of each atom, (N,) uintp."""
        return np.repeat(np.arange(self.n_frames, dtype=np.uintp), np.diff(self.frame_ptr).astype(np.intp))

    def locate(self, atom: int) -> tuple[int, int]:
        """Frame of an atom and its number there."""
        if not 0 <= atom < self.n_atoms:
            raise ShapeError(f"Graph.locate: 'atom' must lie in 0..{self.n_atoms - 1}, got {atom}")
        frame = int(np.searchsorted(self.frame_ptr, np.uintp(atom), side="right")) - 1
        return frame, atom - int(self.frame_ptr[frame])

    def with_positions(self, positions: Any) -> Graph:
        """The same edges at other positions; distances are not checked against the cutoff again.

        Raises
        ------
        ShapeError, DTypeError, GeometryError
            As for the graph itself.
        """
        return replace(self, positions=_real("Graph.with_positions", "positions", positions))


def build_graph(
    positions: Sequence[Any],
    numbers: Sequence[Any],
    cutoff: float,
    *,
    min_distance: float = 0.3,
    cells: Sequence[Any] | None = None,
) -> Graph:
    """Find the neighbours of every atom and put a batch of molecules side by side.

    Parameters
    ----------
    positions : sequence over frames of (n, 3) real
        Angstrom; at least one frame, at least one atom in each.
    numbers : sequence over frames of (n,) integers
        Atomic numbers.
    cutoff : float
        Angstrom; pairs at this distance or closer are neighbours. May be infinite.
    min_distance : float
        Angstrom; atoms closer than this cannot be meant.
    cells : sequence over frames of (3, 3) real, optional
        Lattice vectors; only zeros are supported.

    Returns
    -------
    Graph

    Raises
    ------
    ShapeError
        If there is no frame, a frame has no atom, or lengths and shapes differ.
    DTypeError
        If positions are not real or atomic numbers are not integers.
    GeometryError
        If a position is NaN or infinite, two atoms of a frame are closer than `min_distance`, an atomic number is not
        positive, `cutoff` is not larger than `min_distance`, or a cell is not zero.

    Notes
    -----
    Neighbours come from a k-d tree per frame, n log n for fixed density. The order of edges depends on the order of
    atoms only.

    Examples
    --------
    >>> graph = build_graph([[[0, 0, 0], [0, 0, 0.74]]], [[1, 1]], cutoff=3.0)
    >>> graph.edges.receivers.tolist(), graph.edges.senders.tolist()
    ([0, 1], [1, 0])
    """
    n_frames, n_numbers = (len(x) if hasattr(x, "__len__") else type(x).__name__ for x in (positions, numbers))
    if n_frames != n_numbers or not isinstance(n_frames, int) or n_frames == 0:
        raise ShapeError(
            "build_graph: 'positions' and 'numbers' must list the same frames, one at least, "
            f"got {n_frames} and {n_numbers}"
        )
    for name, value in (("cutoff", cutoff), ("min_distance", min_distance)):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise GeometryError(f"build_graph: '{name}' must be a length in Angstrom, got {value!r}")
    if not cutoff > max(min_distance, 0.0):
        raise GeometryError(f"build_graph: 'cutoff' must be larger than {min_distance} Angstrom, got {cutoff}")
    frames = [_check_frame(f, r, z) for f, (r, z) in enumerate(zip(positions, numbers))]
    starts = np.cumsum([0] + [len(z) for _, z in frames])
    pairs = [_pairs(f, r, float(cutoff), min_distance) + start for f, ((r, _), start) in enumerate(zip(frames, starts))]
    low, high = np.concatenate(pairs).T
    receivers, senders = np.concatenate([low, high]), np.concatenate([high, low])
    order = np.lexsort((senders, receivers))
    return Graph(
        positions=np.concatenate([r for r, _ in frames]),
        species=np.concatenate([z for _, z in frames]),
        frame_ptr=starts.astype(np.uintp),
        edges=Edges.build(receivers[order], senders[order], int(starts[-1]), int(starts[-1])),
        cutoff=float(cutoff),
        shifts=np.zeros((len(order), 3), np.int64),
        cell=_check_cells(cells, len(frames)),
    )


def _pairs(frame: int, r: Array, cutoff: float, min_distance: float) -> Array:
    """(n, 2) pairs i < j within the cutoff."""
    from scipy.spatial import cKDTree

    pairs = cKDTree(r).query_pairs(cutoff, output_type="ndarray").reshape(-1, 2)
    dist = np.sqrt(((r[pairs[:, 0]] - r[pairs[:, 1]]) ** 2).sum(axis=1))
    close = np.flatnonzero((dist < min_distance) | (dist == 0.0))
    if close.size:
        first = close[np.lexsort(pairs[close].T[::-1])[0]]
        i, j = pairs[first]
        raise GeometryError(
            f"build_graph: atoms must be at least {min_distance} Angstrom apart, "
            f"got {dist[first]:.3g} for atoms {i} and {j} of frame {frame}"
        )
    return np.asarray(pairs)


def _check_frame(frame: int, positions: Any, numbers: Any) -> tuple[Array, Array]:
    r = _real("build_graph", f"positions[{frame}]", positions)
    z = _asarray("build_graph", f"numbers[{frame}]", numbers)
    if r.ndim != 2 or r.shape[1:] != (3,) or not len(r):
        raise ShapeError(f"build_graph: 'positions[{frame}]' must have shape (n, 3) with n >= 1, got {r.shape}")
    if z.shape != (len(r),):
        raise ShapeError(f"build_graph: 'numbers[{frame}]' must have shape ({len(r)},), got {z.shape}")
    if z.dtype.kind not in "iu":
        raise DTypeError(f"build_graph: 'numbers[{frame}]' must be integers, got {z.dtype}")
    with np.errstate(invalid="ignore"):
        away = ~(np.abs(r) <= FARTHEST).all(axis=1)
    for name, bad in (("positions", away), ("numbers", (z < 1) | (z > _LARGEST))):
        if bad.any():
            atom = int(np.argmax(bad))
            near = "finite" if not np.isfinite(r[atom]).all() else f"within {FARTHEST:g} Angstrom of the origin"
            rule, got = (near, r[atom]) if name == "positions" else (f"from 1 to {_LARGEST}", z[atom])
            raise GeometryError(f"build_graph: '{name}' must be {rule}, got {got} for atom {atom} of frame {frame}")
    return r, z.astype(np.int64)


def _check_cells(cells: Sequence[Any] | None, n_frames: int) -> Array:
    if cells is None:
        return np.zeros((n_frames, 3, 3))
    cell = _real("build_graph", "cells", cells)
    if cell.shape != (n_frames, 3, 3):
        raise ShapeError(f"build_graph: 'cells' must have shape {(n_frames, 3, 3)}, got {cell.shape}")
    return cell


def _asarray(function: str, name: str, values: Any) -> Array:
    if isinstance(values, np.ma.MaskedArray):
        raise DTypeError(f"{function}: '{name}' must be a plain array, got a masked one")
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ShapeError(f"{function}: '{name}' must be an array: {error}") from error


def _real(function: str, name: str, values: Any) -> Array:
    array = _asarray(function, name, values)
    if array.dtype.kind not in "fiu":
        raise DTypeError(f"{function}: '{name}' must be real numbers, got {array.dtype}")
    return np.array(array, np.float64)  # a copy of our own: the caller may move the atoms later
