"""Tables of a message: which parts couple with which degree of the edge harmonics to what, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import IrrepsError
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.kernels.message import MessageArrays
from nbody_ref.tables import CGTable, cg_coo, check_basis, check_degree

__all__ = ["MessagePath", "MessageTable", "listed_paths"]

MessagePath = tuple[int, int, Irrep]
Coupling = Callable[[int, int, int], CGTable]
PANEL = 32  # channels of a row of a panel, as in the kernels
ZEROS = 7  # entries of M that stay zero, as many as a row has at most
PIECES, PULLED = (1, 3, 5, 7), (1, 3)  # numbers of components that a kernel takes at a time


@dataclass(frozen=True)
class MessageTable:
    """Paths of a message: part of x, degree of Y, irrep of the result.

    Attributes
    ----------
    irreps_in, irreps_out : Irreps
        Types of x and of the result; the latter has one part for each path, in path order.
    lmax : int
        Y holds the degrees 0..lmax.
    paths : tuple of (int, int, Irrep)
        (part of x, l2, irrep); repeats are allowed (radial copies).
    basis : {"real", "complex"}

    Raises
    ------
    IrrepsError
        If a path does not exist or there is none.

    Examples
    --------
    >>> from nbody_ref.ops.message_table import MessageTable
    >>> str(MessageTable.build("1x0e", 1).irreps_out)
    '1x0e + 1x1o'
    """

    irreps_in: Irreps
    lmax: int
    paths: tuple[MessagePath, ...]
    basis: str = "real"

    def __post_init__(self) -> None:
        irreps, lmax = Irreps(self.irreps_in), check_degree("MessageTable", "lmax", self.lmax)
        paths = tuple(_checked(irreps, lmax, path) for path in self.paths)
        if not paths:
            raise IrrepsError(f"MessageTable: no path from {irreps} with 'lmax' {lmax} to the irreps asked for")
        check_basis("MessageTable", self.basis)
        for name, value in (("irreps_in", irreps), ("lmax", lmax), ("paths", paths)):
            object.__setattr__(self, name, value)  # NumPy's integers would overflow

    @classmethod
    def build(
        cls,
        irreps_x: Irreps | str,
        lmax: int,
        paths: Iterable[MessagePath] | None = None,
        out: Collection[Irrep | str] | None = None,
        basis: str = "real",
    ) -> MessageTable:
        """Check the paths, or list all admissible ones.

        Parameters
        ----------
        irreps_x : Irreps or str
            Type of the senders' states. With parities, Y of degree l2 has parity (-1)^l2.
        lmax : int
            Largest degree of Y.
        paths : iterable of (part of x, l2, Irrep), optional
            None: all, parts of x as written, then l2 ascending, then l ascending.
        out : collection of Irrep, optional
            Irreps of the result to keep; None keeps all.
        basis : {"real", "complex"}
            Gauge of states and edge vectors.

        Raises
        ------
        IrrepsError
            If `lmax` is negative, a path does not exist, or none is left.
        """
        irreps, lmax = Irreps(irreps_x), check_degree("MessageTable", "lmax", lmax)
        found = tuple(_all_paths(irreps, lmax)) if paths is None else listed_paths("MessageTable", paths)
        if out is not None:
            kept = {Irrep.parse(irrep) for irrep in out}
            found = tuple(path for path in found if Irrep.parse(path[2]) in kept)
        return cls(irreps, lmax, found, basis)

    @cached_property
    def irreps_out(self) -> Irreps:
        """One part for each path, as many channels as the part of x has."""
        return Irreps((self.irreps_in[part].mul, irrep) for part, _, irrep in self.paths)

    @cached_property
    def n_weights(self) -> int:
        """Channels of all paths together: the length of w of one edge."""
        return sum(self.irreps_in[part].mul for part, _, _ in self.paths)

    @property
    def dim_y(self) -> int:
        """Length of the harmonics of one edge, (lmax + 1)^2."""
        return (self.lmax + 1) ** 2

    def arrays(self, dtype: Any) -> MessageArrays:
        """The form in which kernels read the table, values in the real precision of `dtype`; shared, read-only."""
        single = np.dtype(dtype) in (np.float32, np.complex64)
        return _arrays(self, "float32" if single else "float64")


def _all_paths(irreps: Irreps, lmax: int) -> Iterable[MessagePath]:
    for i, part in enumerate(irreps):
        for l2 in range(lmax + 1):
            for irrep in part.irrep * _harmonic(irreps, l2):
                yield i, l2, irrep


def _harmonic(irreps: Irreps, l2: int) -> Irrep:
    return Irrep(l2, (-1) ** l2 if irreps.has_parity else None)


def _checked(irreps: Irreps, lmax: int, path: MessagePath) -> MessagePath:
    given = listed_paths("MessageTable", (path,))[0]
    part, l2 = (check_integer("MessageTable", "paths", number) for number in given[:2])
    irrep = Irrep.parse(given[2])
    if part >= len(irreps) or l2 > lmax or irrep not in irreps[part].irrep * _harmonic(irreps, l2):
        raise IrrepsError(f"MessageTable: 'paths' has ({part}, {l2}, {irrep}), which {irreps} x Y(0..{lmax}) lacks")
    return part, l2, irrep


def listed_paths(function: str, paths: Any) -> tuple[Any, ...]:
    """Paths as a tuple of triples.

    Examples
    --------
    >>> from nbody_ref.ops.message_table import listed_paths
    >>> listed_paths("f", [[0, 1, 1]])
    ((0, 1, 1),)
    """
    try:
        found = tuple(tuple(path) for path in paths)
    except TypeError:
        found = ((),)
    if any(len(path) != 3 for path in found):
        raise IrrepsError(f"{function}: 'paths' must be triples (number, number, irrep), got {paths!r}")
    return found


@cache
def _arrays(table: MessageTable, dtype: str) -> MessageArrays:
    arrays = message_arrays(table, lambda l1, l2, l: cg_coo(l1, l2, l, table.basis, dtype), np.dtype(dtype))
    for array in arrays:
        array.flags.writeable = False
    return arrays


def message_arrays(table: MessageTable, coupling: Coupling, dtype: Any) -> MessageArrays:
    """Lay out paths and couplings for the kernels; any ring, since `coupling` supplies the values."""
    at, folds, size = _folds(table, coupling)
    chunks = _chunks(table)
    rows, out_rows, acc = _rows(chunks, at)
    pulls = sorted(_pulls(chunks, at), key=lambda pull: pull[0])
    x_rows, x_acc = _x_rows(table)
    terms = _terms(chunks, coupling)
    weighed = [(c.z + i * PANEL, c.x + i * c.mul, c.w, c.width) for c in chunks for i in range(c.dim_x)]
    sizes = [table.irreps_in.dim, table.dim_y, table.n_weights, table.irreps_out.dim]
    sizes += [sum(first for first, *_ in folds), size, acc, x_acc, PANEL * len(weighed), max(c.width for c in chunks)]
    return MessageArrays(
        fold_at=_index([at for _, at, _, _, _ in folds]),
        fold_at_t=_index([at for _, _, at, _, _ in folds]),
        fold_j=_index([j for *_, j, _ in folds]),
        fold_v=np.array([value for *_, value in folds], dtype),
        rows=_index(rows),
        row_ends=_ends([row[0] for row in rows], PIECES),
        out_rows=_index(out_rows),
        pulls=_index([pull for _, pull in pulls]),
        pull_ends=_ends([kind for kind, _ in pulls], [(r, k) for r in PULLED for k in PIECES]),
        x_rows=_index(x_rows),
        terms=_index([places for places, _ in terms]),
        term_v=np.array([values for _, values in terms], dtype).reshape(-1),
        weighed=_index(weighed),
        sizes=_index(sizes),
    )


class _Chunk(NamedTuple):
    """At most 32 channels of a path; offsets of its first component in x, w, out, the panel of x_bar and z."""

    triple: tuple[int, int, int]
    mul: int
    width: int
    x: int
    w: int
    out: int
    acc: int
    z: int

    @property
    def dim_x(self) -> int:
        return 2 * self.triple[0] + 1

    @property
    def dim_out(self) -> int:
        return 2 * self.triple[2] + 1


def _chunks(table: MessageTable) -> list[_Chunk]:
    """All paths, 32 channels at a time."""
    found, weight, z, panels = [], 0, 0, _panels(table)
    for (part, l2, irrep), out in zip(table.paths, table.irreps_out.offsets, strict=True):
        (mul, of_x), x = table.irreps_in[part], table.irreps_in.offsets[part]
        for c, width in _split(mul):
            offsets = x + c, weight + c, out + c, panels[part] + c * (2 * of_x.l + 1), z
            found.append(_Chunk((of_x.l, l2, irrep.l), mul, width, *offsets))
            z += PANEL * (2 * of_x.l + 1)
        weight += mul
    return found


def _split(mul: int) -> list[tuple[int, int]]:
    """First channel and number of channels of each chunk."""
    return [(c, min(PANEL, mul - c)) for c in range(0, mul, PANEL)]


def _panels(table: MessageTable) -> list[int]:
    """Offset of each part in the panel of x_bar, and its length: chunk by chunk, a row of 32 for each component."""
    sizes = [(2 * irrep.l + 1) * PANEL * len(_split(mul)) for mul, irrep in table.irreps_in]
    return [0, *accumulate(sizes)]


def _folds(table: MessageTable, coupling: Coupling) -> tuple[dict[Any, int], list[tuple[Any, ...]], int]:
    """Where M of (l1, l2, l) begins, terms (first at its entry?, at [k, i], at [i, k], place in Y, value), len(M)."""
    first: dict[tuple[int, int, int], int] = {}
    found, size = [], ZEROS
    for part, l2, irrep in table.paths:
        l1, l = table.irreps_in[part].irrep.l, irrep.l
        if (l1, l2, l) in first:
            continue
        first[l1, l2, l], seen = size, set()
        for i, j, k, value in zip(*coupling(l1, l2, l), strict=True):
            at, at_t = int(k) * (2 * l1 + 1) + int(i), int(i) * (2 * l + 1) + int(k)
            found.append((at not in seen, size + at, size + at_t, l2 * l2 + int(j), value))
            seen.add(at)
        size += (2 * l1 + 1) * (2 * l + 1)
    return first, sorted(found, key=lambda term: not term[0]), size


def _rows(chunks: list[_Chunk], at: dict[Any, int]) -> tuple[list[Any], list[Any], int]:
    """Blocks of four rows that read the same channels of x, where the rows go, and the length of their panel."""
    rows, places, acc = [], [], 0
    for x in sorted({chunk.x for chunk in chunks}):
        readers = [chunk for chunk in chunks if chunk.x == x]
        dim, mul, width = readers[0].dim_x, readers[0].mul, readers[0].width
        found = [(c.w, at[c.triple] + k * dim, c.out + k * mul) for c in readers for k in range(c.dim_out)]
        for n in range(0, len(found), 4):
            four = found[n : n + 4]
            places += [(acc + r * PANEL, out, width) for r, (_, _, out) in enumerate(four)]
            absent = 4 - len(four)
            w = [w for w, _, _ in four] + [four[0][0]] * absent
            for start, size in _pieces(dim, PIECES):
                m = [m + start for _, m, _ in four] + [0] * absent
                rows.append((size, x + start * mul, mul, width, acc, *w, *m))
            acc += 4 * PANEL
    return sorted(rows, key=lambda row: row[0]), places, acc


def _pulls(chunks: list[_Chunk], at: dict[Any, int]) -> Iterable[tuple[tuple[int, int], tuple[int, ...]]]:
    """Blocks (rows of x_bar and values of k, row of the table)."""
    for c in chunks:
        for i, rows in _pieces(c.dim_x, PULLED):
            for k, size in _pieces(c.dim_out, PIECES):
                x, acc, g, m = c.x + i * c.mul, c.acc + i * PANEL, c.out + k * c.mul, at[c.triple] + i * c.dim_out + k
                yield (rows, size), (c.dim_out, x, c.mul, c.width, acc, c.w, g, m, c.z + i * PANEL)


def _x_rows(table: MessageTable) -> tuple[list[Any], int]:
    """Where the rows of the panel of x_bar go, and its length."""
    places, panels = [], _panels(table)
    for (mul, irrep), x, start in zip(table.irreps_in, table.irreps_in.offsets, panels, strict=False):
        for c, width in _split(mul):
            for i in range(2 * irrep.l + 1):
                places.append((start + c * (2 * irrep.l + 1) + i * PANEL, x + i * mul + c, width))
    return places, panels[-1]


def _terms(chunks: list[_Chunk], coupling: Coupling) -> list[tuple[Any, Any]]:
    """Fours of terms (offset in P, channels, offsets in out, offsets in z) of one j and their values."""
    of: dict[tuple[int, int], list[tuple[int, int, Any]]] = {}
    for c in chunks:
        for i, j, k, value in zip(*coupling(*c.triple), strict=True):
            place = c.triple[1] ** 2 + int(j), c.width
            of.setdefault(place, []).append((c.out + int(k) * c.mul, c.z + int(i) * PANEL, value))
    found: list[tuple[Any, Any]] = []
    for (j, width), group in sorted(of.items()):
        group += [(*group[-1][:2], group[-1][2] * 0)] * (-len(group) % 4)
        for n in range(0, len(group), 4):
            g, z, values = zip(*group[n : n + 4], strict=True)
            found.append(((j * PANEL, width, *g, *z), values))
    return found


def _pieces(count: int, sizes: Collection[int]) -> list[tuple[int, int]]:
    """(start, size) of pieces that make up `count`, the largest first."""
    found, start = [], 0
    while start < count:
        size = max(size for size in sizes if size <= count - start)
        found.append((start, size))
        start += size
    return found


def _ends(kinds: list[Any], order: Collection[Any]) -> np.ndarray[Any, np.dtype[np.uintp]]:
    return _index(list(accumulate(kinds.count(kind) for kind in order)))


def _index(values: Any) -> np.ndarray[Any, np.dtype[np.uintp]]:
    return np.array(values, dtype=np.uintp).reshape(-1)
