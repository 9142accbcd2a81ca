r"""Which diagrams an edge fuses: three legs, a tree, an internal spin each, and the list of terms that kernels read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.checks import check_integer, check_word
from nbody_ref.errors import IrrepsError
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.kernels.edge_fusion import EdgeFusionArrays
from nbody_ref.tables import CGTable, cg_coo, check_basis

__all__ = ["TREES", "EdgeDiagram", "EdgeFusionTable", "edge_fusion_arrays"]

TREES = {"(oj)Y": ("o", "j", "Y"), "(oY)j": ("o", "Y", "j"), "o(Yj)": ("Y", "j", "o")}
"""Legs of the first vertex, and the one that joins at the second; in "o(Yj)" that one comes first."""
Coupling = Callable[[int, int, int], CGTable]


class EdgeDiagram(NamedTuple):
    """One fusion diagram of an edge.

    o, Y, j : int
        Part of the centre's state, degree of the harmonics, part of the neighbour's state.
    k, J : Irrep
        Internal spin, between the two vertices, and the result.

    Examples
    --------
    >>> from nbody_ref.ops.edge_fusion_table import EdgeDiagram, EdgeFusionTable
    >>> [diagram.Y for diagram in EdgeFusionTable.build("1x0e", "1x0e", 1, "(oj)Y").diagrams]
    [0, 1]
    """

    o: int
    Y: int
    j: int
    k: Irrep
    J: Irrep


@dataclass(frozen=True)
class EdgeFusionTable:
    """Diagrams of three legs, centre o, edge Y and neighbour j, all with one tree.

    Attributes
    ----------
    irreps_o, irreps_j : Irreps
        Types of the states of centre and neighbour, each with one number of fragments in every part.
    lmax : int
        Y holds the degrees 0..lmax.
    tree : {"(oj)Y", "(oY)j", "o(Yj)"}
        Order of coupling.
    diagrams : tuple of EdgeDiagram
    mode : {"channelwise", "full"}
        "channelwise": fragment c of the centre with fragment c of the neighbour; "full": each with every other,
        channel (u, v) = u * mul_j + v.
    basis : {"real", "complex"}

    Raises
    ------
    IrrepsError
        If a diagram does not exist or there is none, or numbers of fragments do not fit.
    ArgumentError
        If another argument is not what it must be.

    Examples
    --------
    >>> from nbody_ref.ops.edge_fusion_table import EdgeFusionTable
    >>> table = EdgeFusionTable.build("1x0e", "1x0e", 1, "(oj)Y")
    >>> str(table.irreps_out)
    '1x0e + 1x1o'
    """

    irreps_o: Irreps
    irreps_j: Irreps
    lmax: int
    tree: str
    diagrams: tuple[EdgeDiagram, ...]
    mode: str = "channelwise"
    basis: str = "real"

    def __post_init__(self) -> None:
        name = "EdgeFusionTable"
        check_word(name, "tree", self.tree, TREES)
        check_word(name, "mode", self.mode, ("channelwise", "full"))
        check_basis(name, self.basis)
        o, j, lmax = Irreps(self.irreps_o), Irreps(self.irreps_j), check_integer(name, "lmax", self.lmax, 0, 1000)
        muls = tuple({part.mul for part in irreps} for irreps in (o, j))
        if any(len(mul) != 1 for mul in muls) or (self.mode == "channelwise" and muls[0] != muls[1]):
            rule = "one number of fragments in every part, channelwise the same for both"
            raise IrrepsError(f"{name}: 'irreps_o' and 'irreps_j' must have {rule}, got {o} and {j}")
        found = tuple(EdgeDiagram(*diagram) for diagram in self.diagrams)
        if not found:
            raise IrrepsError(f"{name}: no diagram of ({o}), Y to {lmax} and ({j}) gives the irreps asked for")
        known = set(_diagrams(o, j, lmax, self.tree))
        for diagram in found:
            if diagram not in known:
                raise IrrepsError(
                    f"{name}: 'diagrams' has {diagram}, which {o}, Y(0..{lmax}), {j} along {self.tree} lack"
                )
        for field, value in (("irreps_o", o), ("irreps_j", j), ("lmax", lmax), ("diagrams", found)):
            object.__setattr__(self, field, value)

    @classmethod
    def build(
        cls,
        irreps_o: Irreps | str,
        irreps_j: Irreps | str,
        lmax: int,
        tree: str,
        spins: Iterable[int] | None = None,
        keep: Collection[Irrep | str] | None = None,
        degrees: Collection[int] | None = None,
        both_parities: bool = True,
        **others: Any,
    ) -> EdgeFusionTable:
        """All diagrams with an internal spin among `spins` that end in `keep`.

        Parameters
        ----------
        irreps_o, irreps_j, lmax, tree
            As the attributes.
        spins : iterable of int, optional
            Internal spins; the diagrams are listed spin by spin in this order. None: all that occur.
        keep : collection of Irrep, optional
            Irreps of the result; None: all.
        degrees : collection of int, optional
            Degrees of Y; None: all.
        both_parities : bool
            Internal irreps of either parity; otherwise those of harmonics, (-1)^k, alone.
        **others
            `mode`, `basis`.
        """
        o, j, name = Irreps(irreps_o), Irreps(irreps_j), "EdgeFusionTable"
        check_word(name, "tree", tree, TREES)
        every = list(_diagrams(o, j, check_integer(name, "lmax", lmax, 0, 1000), tree))
        order = sorted({d.k.l for d in every}) if spins is None else [check_integer(name, "spins", k) for k in spins]
        kept = None if keep is None else {Irrep.parse(irrep) for irrep in keep}
        found = [
            d
            for k in dict.fromkeys(order)
            for d in every
            if d.k.l == k
            and (kept is None or d.J in kept)
            and (degrees is None or d.Y in degrees)
            and (both_parities or d.k.p in (None, (-1) ** k))
        ]
        return cls(o, j, lmax, tree, tuple(found), **others)

    @property
    def channels(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The fragment of the centre and of the neighbour in each channel of the result."""
        mul_o, mul_j = self.irreps_o[0].mul, self.irreps_j[0].mul
        if self.mode == "channelwise":
            return np.arange(mul_o), np.arange(mul_o)
        return np.repeat(np.arange(mul_o), mul_j), np.tile(np.arange(mul_j), mul_o)

    @cached_property
    def irreps_out(self) -> Irreps:
        """One part for each diagram."""
        return Irreps((len(self.channels[0]), d.J) for d in self.diagrams)

    @property
    def n_weights(self) -> int:
        """Length of w of one edge: a number for each diagram and channel."""
        return len(self.diagrams) * len(self.channels[0])

    @property
    def dim_y(self) -> int:
        """Length of the harmonics of one edge."""
        return (self.lmax + 1) ** 2

    @cached_property
    def inner(self) -> tuple[tuple[Any, ...], ...]:
        """Different inner edges: (what comes first, what comes second, irrep), each once."""
        return tuple(dict.fromkeys(self.inner_of(d) for d in self.diagrams))

    def inner_of(self, d: EdgeDiagram) -> tuple[Any, ...]:
        """The inner edge of a diagram."""
        a, b, _ = TREES[self.tree]
        return getattr(d, a), getattr(d, b), d.k

    def irrep(self, leg: str, place: int) -> Irrep:
        """Irrep of a part of a leg, or of the harmonics of a degree."""
        if leg == "Y":
            return Irrep(place, (-1) ** place if self.irreps_o.has_parity else None)
        return (self.irreps_o if leg == "o" else self.irreps_j)[place].irrep

    def arrays(self, dtype: Any) -> EdgeFusionArrays:
        """The form in which kernels read the table, values in the real precision of `dtype`; shared, read-only."""
        return _arrays(self, "float32" if np.dtype(dtype) in (np.float32, np.complex64) else "float64")


def _diagrams(o: Irreps, j: Irreps, lmax: int, tree: str) -> Iterator[EdgeDiagram]:
    """All diagrams: parts of o, degrees of Y, parts of j, k ascending, J ascending."""
    degrees = [Irrep(l, (-1) ** l if o.has_parity else None) for l in range(lmax + 1)]
    for (i, po), (l, y), (m, pj) in product(enumerate(o), enumerate(degrees), enumerate(j)):
        legs = {"o": po.irrep, "Y": y, "j": pj.irrep}
        a, b, last = (legs[leg] for leg in TREES[tree])
        for k in a * b:
            for J in k * last:
                yield EdgeDiagram(i, l, m, k, J)


@cache
def _arrays(table: EdgeFusionTable, dtype: str) -> EdgeFusionArrays:
    return edge_fusion_arrays(table, lambda l1, l2, l: cg_coo(l1, l2, l, table.basis, dtype), np.dtype(dtype))


def edge_fusion_arrays(table: EdgeFusionTable, coupling: Coupling, dtype: Any) -> EdgeFusionArrays:
    """Lay out the terms of both vertices; any ring, since `coupling` supplies the values."""
    channel_o, channel_x = table.channels
    C, (a, b, last) = len(channel_o), TREES[table.tree]
    rows = {"o": _starts(table.irreps_o), "j": _starts(table.irreps_j)}
    at_x = len(rows["o"][1]) * C
    at_y = at_x + len(rows["j"][1]) * C
    at_t = at_y + table.dim_y * C
    where = {"o": [C * r for r in rows["o"][0]], "j": [at_x + C * r for r in rows["j"][0]]}
    where["Y"] = [at_y + C * l * l for l in range(table.lmax + 1)]
    first, first_v, at = [], [], {}
    end = at_t
    for i, j, k in table.inner:
        at[i, j, k] = end
        for m1, m2, m, v in _terms(coupling(table.irrep(a, i).l, table.irrep(b, j).l, k.l)):
            first.append((end + m * C, where[a][i] + m1 * C, where[b][j] + m2 * C))
            first_v.append(v)
        end += C * k.dim
    second, second_v, offsets = [], [], table.irreps_out.offsets
    for p, d in enumerate(table.diagrams):
        inner, leg = at[table.inner_of(d)], where[last][getattr(d, last)]
        l, outer_first = table.irrep(last, getattr(d, last)).l, last == "o"
        for m1, m2, m, v in _terms(coupling(l, d.k.l, d.J.l) if outer_first else coupling(d.k.l, l, d.J.l)):
            mk, ml = (m2, m1) if outer_first else (m1, m2)
            second.append((offsets[p] + m * C, inner + mk * C, leg + ml * C, p * C))
            second_v.append(v)
    sizes = (C, table.irreps_o.dim, table.irreps_j.dim, table.dim_y, table.n_weights, table.irreps_out.dim)
    return EdgeFusionArrays(
        _index(first),
        np.array(first_v, dtype),
        _index(second),
        np.array(second_v, dtype),
        _index(rows["o"][1]),
        _index(rows["j"][1]),
        _index(channel_o),
        _index(channel_x),
        _index([*sizes, at_x, at_y, at_t, end]),
    )


def _starts(irreps: Irreps) -> tuple[list[int], list[int]]:
    """Number of the first row of each part, and where every row starts in the flat state."""
    rows = [
        start + m * part.mul for start, part in zip(irreps.offsets, irreps, strict=True) for m in range(part.irrep.dim)
    ]
    return list(np.cumsum([0, *(part.irrep.dim for part in irreps)]).tolist()), rows


def _terms(table: CGTable) -> Iterator[tuple[int, int, int, Any]]:
    for m1, m2, m, value in zip(*table, strict=True):
        yield int(m1), int(m2), int(m), value


def _index(values: Any) -> np.ndarray[Any, Any]:
    found = np.array(values, np.uintp).reshape(-1)
    found.flags.writeable = False
    return found
