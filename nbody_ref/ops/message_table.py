"""Tables of a message: which parts couple with which degree of the edge harmonics to what, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from nbody_ref.errors import IrrepsError
from nbody_ref.irreps import Irrep, Irreps, check_integer
from nbody_ref.kernels.message import MessageArrays
from nbody_ref.tables import CGTable, cg_coo, check_basis, check_degree

__all__ = ["MessagePath", "MessageTable", "listed_paths"]

MessagePath = tuple[int, int, Irrep]
Coupling = Callable[[int, int, int], CGTable]


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

    @property
    def irreps_out(self) -> Irreps:
        """One part for each path, as many channels as the part of x has."""
        return Irreps((self.irreps_in[part].mul, irrep) for part, _, irrep in self.paths)

    @property
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
    """Paths as a tuple of triples."""
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
    first: dict[tuple[int, int, int], int] = {}
    rows: list[tuple[int, ...]] = []
    folds: list[tuple[int, int, Any]] = []
    terms: list[list[tuple[Any, ...]]] = [[] for _ in range(table.dim_y)]
    size = weight = z = 0
    for (part, l2, irrep), o in zip(table.paths, table.irreps_out.offsets, strict=True):
        mul, l1, l = table.irreps_in[part].mul, table.irreps_in[part].irrep.l, irrep.l
        coo = coupling(l1, l2, l)
        if (l1, l2, l) not in first:
            first[l1, l2, l] = size
            folds += [(size + a, size + b, js) for a, b, js in _folds(coo, l1, l2, l)]
            size += (2 * l1 + 1) * (2 * l + 1)
        for i, j, k, value in zip(*coo, strict=True):
            terms[l2 * l2 + int(j)].append((mul, o + int(k) * mul, z + int(i) * mul, value))
        rows.append((table.irreps_in.offsets[part], o, weight, first[l1, l2, l], 2 * l1 + 1, 2 * l + 1, mul))
        weight, z = weight + mul, z + (2 * l1 + 1) * mul
    pairs = [pair for _, _, js in folds for pair in js]
    blocks = _blocks(terms, max(table.irreps_in[part].mul for part, _, _ in table.paths))
    return MessageArrays(
        _index(rows).reshape(-1),
        _index([a for a, _, _ in folds]),
        _index([b for _, b, _ in folds]),
        _index([j for j, _ in pairs]),
        np.array([v for _, v in pairs], dtype),
        _index([at for at, _ in blocks]).reshape(-1),
        np.array([values for _, values in blocks], dtype).reshape(-1),
        _index([table.irreps_in.dim, table.dim_y, table.n_weights, table.irreps_out.dim]),
    )


def _folds(coo: CGTable, l1: int, l2: int, l: int) -> list[tuple[int, int, list[tuple[int, Any]]]]:
    """Entries (k, i) of M with their terms (place of j in Y, value): |m| = |m1| +- |m2| leaves at most two."""
    found: dict[tuple[int, int], list[tuple[int, Any]]] = {}
    for i, j, k, value in zip(*coo, strict=True):
        found.setdefault((int(k), int(i)), []).append((l2 * l2 + int(j), value))
    pad = [(l2 * l2, coo.value[0] * 0)]
    return [(k * (2 * l1 + 1) + i, i * (2 * l + 1) + k, js + pad * (2 - len(js))) for (k, i), js in found.items()]


def _blocks(terms: list[list[tuple[Any, ...]]], width: int) -> list[tuple[tuple[int, ...], tuple[Any, Any]]]:
    """Pairs of terms (mul, offset in out, offset in z, value) of one j and mul; P has rows of `width`."""
    found: list[tuple[tuple[int, ...], tuple[Any, Any]]] = []
    for j, of_j in enumerate(terms):
        for mul in sorted({term[0] for term in of_j}):
            group = [term for term in of_j if term[0] == mul]
            group += [(*group[-1][:3], group[-1][3] * 0)] * (len(group) % 2)
            for (_, g0, z0, v0), (_, g1, z1, v1) in zip(group[::2], group[1::2], strict=True):
                found.append(((j * width, mul, g0, g1, z0, z1), (v0, v1)))
    return found


def _index(values: Any) -> np.ndarray[Any, np.dtype[np.uintp]]:
    return np.array(values, dtype=np.uintp)
