r"""The general (P, Q, S)-order aggregation rule, eq. (6), for few children in a given order.

.. math:: \Phi = \mathcal{L}\Big(\bigoplus_{p,q,s} \bigotimes_i r_i^{\otimes p_i} \otimes \bigotimes_i
          \psi_i^{\otimes q_i} \prod_i |r_i|^{-s_i}\Big)

A direct sum over exponents of products is a product of direct sums, one factor for each child,
(1 + r + r x r ...) x (1 + psi + psi x psi ...) x (1, 1/|r|, ...); that is how it is evaluated, and why its size is a
product over the children: docs/derivations/gate_aggregation.md.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import IrrepsError, SchemeError
from nbody_ref.gates import fields, steps
from nbody_ref.gates.build import Builder, Place, Source, State
from nbody_ref.gates.chain import Entry
from nbody_ref.gates.term import Term
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops import radial_weights
from nbody_ref.ops.radial import InversePowers

__all__ = ["Aggregation", "NthChild", "aggregation_type", "leg_type"]


@dataclass(frozen=True)
class Aggregation(Term):
    """Term of eq. (6): all products of powers of the children's vectors, states and inverse distances.

    Parameters
    ----------
    P, Q, S : int
        Largest powers of r_i, psi_i and 1/|r_i|.
    children : int
        How many children every parent has; their order matters, it is that of the scheme.
    keep : tuple of str, optional
        Irreps to keep; None: all.
    max_dim : int
        Components of a state beyond which the gate is refused.
    level : int, optional
        Level of the children; None: the highest at which there are any.

    Raises
    ------
    ArgumentError, IrrepsError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.gates import Aggregation
    >>> Aggregation(P=1, Q=1, S=0, children=2).to_dict()["children"]
    2
    """

    P: int
    Q: int
    S: int
    children: int
    keep: tuple[str, ...] | None = None
    max_dim: int = 20_000
    level: int | None = None

    def __post_init__(self) -> None:
        least = {"P": 0, "Q": 0, "S": 0, "children": 1, "max_dim": 1, "level": 0}
        fields.check_integers(self, least, ("level",))
        fields.check_irreps(self, "keep")

    @property
    def reach(self) -> float:
        """Powers of the distance, which vanish nowhere."""
        return inf

    def emit(self, builder: Builder, place: Place, name: str) -> State:
        """A product over the children of (1 + r + ...) x (1 + psi + ...) x (1, 1/|r|, ...), from the left."""
        source = place.source(self.level)
        self.check_size(source.psi.irreps)
        legs = [self._leg(builder, place, source, i) for i in range(self.children)]
        keep, total = None if self.keep is None else [Irrep.parse(k) for k in self.keep], legs[0]
        for i, leg in enumerate(legs[1:], start=2):
            last = keep if i == len(legs) else None
            total = builder.product(total, leg, f"{place.name}/aggregation/children1-{i}", "full", out=last)
        return total

    def _leg(self, builder: Builder, place: Place, source: Source, i: int) -> State:
        """The factor of one child."""
        edges = Entry(source.all.name, f"child{i}of{self.children}", NthChild(i, self.children))
        name = f"{place.name}/child{i + 1}"
        parity = source.psi.irreps.has_parity
        psi = builder.emit(steps.SUM, (source.psi,), f"{name}/psi", edges, irreps=source.psi.irreps)
        r = builder.emit(steps.RELATIVE, (source.r, place.r), f"{name}/r_rel", edges)
        one = builder.harmonics(r, f"{name}/one", 0, "norm")
        vector = builder.harmonics(r, f"{name}/one and r", 1, "norm") if self.P else one
        builder.irreps |= {one: Irreps.harmonics(0, parity), vector: Irreps.harmonics(min(self.P, 1), parity)}
        vectors, states = [vector], [one]
        for n in range(2, self.P + 1):
            vectors.append(_times_vector(builder, vectors[-1], vector, f"{name}/r^{n}"))
        for n in range(1, self.Q + 1):
            states.append(psi if n == 1 else builder.product(states[-1], psi, f"{name}/psi^{n}", "full"))
        r_powers, psi_powers = _join(builder, vectors, f"{name}/r powers"), _join(builder, states, f"{name}/psi powers")
        leg = builder.product(r_powers, psi_powers, f"{name}/r and psi", "full")
        return builder.product(leg, self._inverse(builder, r, name, parity), f"{name}/leg", "full") if self.S else leg

    def _inverse(self, builder: Builder, r: str, name: str, parity: bool) -> State:
        """The scalars |r|^-s, s = 0..S, as a state."""
        n = self.S + 1
        dist = builder.emit(steps.DISTANCE, (r,), f"{name}/dist")
        g = builder.emit(steps.RADIAL, (dist,), f"{name}/inverse/radial", InversePowers(tuple(range(n))), 0)
        copies = radial_weights.RadialTable(0, n, (0,) * n, (1,) * n, tuple(range(n)))
        scalars = Irreps([(n, Irrep(0, 1 if parity else None))])
        return builder.emit(steps.COPIES, (builder.cast(g),), f"{name}/inverse", copies, irreps=scalars)

    def check_size(self, psi: Irreps) -> None:
        """Refuse a gate that is too large, before anything is built.

        Raises
        ------
        IrrepsError
            With the size it would have.
        """
        leg = leg_type(psi, self.P, self.Q, self.S)
        dim = leg.dim ** (self.children - 1)
        last = aggregation_type(psi, self.P, self.Q, self.S, self.children) if dim <= self.max_dim else Irreps()
        kept = Irreps(part for part in last if self.keep is None or str(part.irrep) in self.keep)
        dim = max(dim, leg.dim, kept.dim)
        if dim > self.max_dim:
            raise IrrepsError(
                f"Aggregation: 'max_dim' must be at least {dim} for P, Q, S = {self.P}, {self.Q}, {self.S}, "
                f"{self.children} children of type {psi}, got {self.max_dim}; products of summed legs cost less"
            )


def leg_type(psi: Irreps | str, P: int, Q: int, S: int) -> Irreps:
    """Type of one child's factor in eq. (6), equal irreps merged, degrees ascending; see `aggregation_type`."""
    P, Q, S = (check_integer("leg_type", name, value) for name, value in (("P", P), ("Q", Q), ("S", S)))
    tau = Irreps(psi)
    one = Counter({Irrep(0, 1 if tau.has_parity else None): 1})
    vector = Counter({Irrep(1, -1 if tau.has_parity else None): 1})
    state = Counter({part.irrep: part.mul for part in tau.merged()})
    total = _times(_powers(one, vector, P), _powers(one, state, Q))
    return _irreps(Counter({irrep: (S + 1) * mul for irrep, mul in total.items()}))


def aggregation_type(psi: Irreps | str, P: int, Q: int, S: int, children: int) -> Irreps:
    """Type of the argument of L in eq. (6), by the multiplicities kappa of sec. 4.1.

    Parameters
    ----------
    psi : Irreps or str
        Type of every child.
    P, Q, S, children : int

    Returns
    -------
    Irreps
        Equal irreps merged, degrees ascending. Its dimension is the product over the children of
        (S + 1) (1 + 3 + ... + 3^P) (1 + d + ... + d^Q), d = dim psi.

    Raises
    ------
    IrrepsError
        If `psi` is no type, or a number is not a non-negative integer, that of the children a positive one.

    Examples
    --------
    >>> aggregation_type("1x0e", 1, 1, 0, 2)
    Irreps('8x0e + 4x1e + 8x1o + 4x2e')
    """
    leg = Counter({part.irrep: part.mul for part in leg_type(psi, P, Q, S)})
    total = leg
    for _ in range(check_integer("aggregation_type", "children", children, 1) - 1):
        total = _times(total, leg)
    return _irreps(total)


@dataclass(frozen=True)
class NthChild:
    """From the edges of all children, those of the child number `index` of every parent; each must have `count`."""

    index: int
    count: int

    def __call__(self, edges: Edges) -> Edges:
        """One edge for each parent.

        Raises
        ------
        SchemeError
            If a parent has another number of children.
        """
        start = edges.row_ptr.astype(np.intp)
        wrong = np.flatnonzero(np.diff(start) != self.count)
        if wrong.size:
            parent, came = int(wrong[0]), int(np.diff(start)[wrong[0]])
            raise SchemeError(f"Aggregation: every parent must have {self.count} children, parent {parent} has {came}")
        parents = np.arange(edges.n_receivers)
        return Edges.build(parents, edges.senders[start[:-1] + self.index], edges.n_receivers, edges.n_senders)


def _times(a: Counter[Irrep], b: Counter[Irrep]) -> Counter[Irrep]:
    total: Counter[Irrep] = Counter()
    for x, n in a.items():
        for y, m in b.items():
            for irrep in x * y:
                total[irrep] += n * m
    return total


def _powers(one: Counter[Irrep], factor: Counter[Irrep], most: int) -> Counter[Irrep]:
    total, power = Counter(one), one
    for _ in range(most):
        power = _times(power, factor)
        total = total + power
    return total


def _irreps(counts: Counter[Irrep]) -> Irreps:
    def order(irrep: Irrep) -> Any:
        return irrep.l, -(irrep.p or 0)

    return Irreps((counts[irrep], irrep) for irrep in sorted(counts, key=order))


def _join(builder: Builder, found: list[State], name: str) -> State:
    if len(found) == 1:
        return found[0]
    irreps = Irreps(part for state in found for part in state.irreps)
    return builder.emit(steps.CONCAT, tuple(found), name, irreps=irreps)


def _times_vector(builder: Builder, power: State, vector: State, name: str) -> State:
    """r x r ... x r of one more factor; the part 1 of `vector`, and of `power` if it is the same, is left out."""
    first, last = int(power == vector), len(vector.irreps) - 1
    parts = list(power.irreps)[first:]
    paths = [
        (i, last, irrep) for i, part in enumerate(parts, first) for irrep in part.irrep * vector.irreps[last].irrep
    ]
    return builder.product(power, vector, name, "full", paths)
