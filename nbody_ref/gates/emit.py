"""Programs of the terms that are more than one sum over children: pairs, eq. (12), and the general rule, eq. (6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbody_ref.gates import steps
from nbody_ref.gates.aggregation import Aggregation, NthChild
from nbody_ref.gates.chain import Entry
from nbody_ref.gates.pairs import PAIR_DISTANCE, pair_entries
from nbody_ref.gates.terms import Pairs
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops import cg_product, message, radial_weights
from nbody_ref.ops.radial import InversePowers

if TYPE_CHECKING:
    from nbody_ref.gates.build import Builder, Place, Source

__all__ = ["aggregation", "pairs"]


def pairs(builder: Builder, term: Pairs, place: Place) -> str:
    """The sum over pairs of different children: a message to slots (parent, child), times the slot's own state."""
    source, n = place.source(term.level), term.radial.n
    psi, name = builder.irreps[source.psi], f"{place.name}/pairs"
    message_table, product = _pair_tables(term, psi, n, builder.basis)
    slots, edges, parents = pair_entries(source.all)
    where = f"{source.r}[{source.all.name}/pairs]"
    r_slot = builder.emit(steps.SUM, (source.r,), f"{source.r}[{source.all.name}/slots]", slots)
    r = builder.emit(steps.RELATIVE, (source.r, r_slot), f"{where}/r_rel", edges)
    dist = builder.emit(PAIR_DISTANCE, (r,), f"{where}/dist", edges, slots, parents)
    y, g = builder.functions(r, dist, where, term)
    index = tuple(range(n)) * (len(message_table.paths) // n)
    copies = radial_weights.RadialTable.build(message_table, n, index)
    w = builder.emit(steps.COPIES, (g,), f"{where}/{term.radial}/copies of {psi}", copies)
    first = builder.emit(steps.MESSAGE, (source.psi, y, w), f"{name}/first", edges, message_table)
    second = builder.emit(steps.SUM, (source.psi,), f"{name}/second", slots)
    both = builder.emit(steps.PRODUCT, (first, second), f"{name}/product", product)
    total = builder.emit(steps.SUM, (both,), f"{name}", parents)
    builder.irreps |= {first: message_table.irreps_out, second: psi}
    builder.irreps |= {both: product.irreps_out, total: product.irreps_out}
    return total


def aggregation(builder: Builder, term: Aggregation, place: Place) -> str:
    """Eq. (6) as a product over the children of (1 + r + ...) x (1 + psi + ...) x (1, 1/|r|, ...), from the left."""
    source = place.source(term.level)
    term.check_size(builder.irreps[source.psi])
    legs = [_leg(builder, term, place, source, i) for i in range(term.children)]
    keep = None if term.keep is None else [Irrep.parse(k) for k in term.keep]
    total = legs[0]
    for i, leg in enumerate(legs[1:], start=2):
        last = i == len(legs)
        total = _product(builder, total, leg, f"{place.name}/aggregation/children1-{i}", keep if last else None)
    return total


def _leg(builder: Builder, term: Aggregation, place: Place, source: Source, i: int) -> str:
    """The factor of one child."""
    edges = Entry(source.all.name, f"child{i}of{term.children}", NthChild(i, term.children))
    name = f"{place.name}/child{i + 1}"
    parity = builder.irreps[source.psi].has_parity
    psi = builder.emit(steps.SUM, (source.psi,), f"{name}/psi", edges)
    r = builder.emit(steps.RELATIVE, (source.r, place.r), f"{name}/r_rel", edges)
    one = builder.harmonics(r, f"{name}/one", 0, "norm")
    vector = builder.harmonics(r, f"{name}/one and r", 1, "norm") if term.P else one
    builder.irreps |= {psi: builder.irreps[source.psi], one: Irreps.harmonics(0, parity)}
    builder.irreps[vector] = Irreps.harmonics(min(term.P, 1), parity)
    vectors, states = [vector], [one]
    for n in range(2, term.P + 1):
        vectors.append(_product(builder, vectors[-1], vector, f"{name}/r^{n}", None, skip=1))
    for n in range(1, term.Q + 1):
        states.append(psi if n == 1 else _product(builder, states[-1], psi, f"{name}/psi^{n}", None))
    r_powers, psi_powers = _join(builder, vectors, f"{name}/r powers"), _join(builder, states, f"{name}/psi powers")
    leg = _product(builder, r_powers, psi_powers, f"{name}/r and psi", None)
    return _product(builder, leg, _inverse(builder, term, r, name, parity), f"{name}/leg", None) if term.S else leg


def _inverse(builder: Builder, term: Aggregation, r: str, name: str, parity: bool) -> str:
    """The scalars |r|^-s, s = 0..S, as a state."""
    n = term.S + 1
    dist = builder.emit(steps.DISTANCE, (r,), f"{name}/dist")
    g = builder.emit(steps.RADIAL, (dist,), f"{name}/inverse/radial", InversePowers(tuple(range(n))), 0)
    copies = radial_weights.RadialTable(0, n, (0,) * n, (1,) * n, tuple(range(n)))
    w = builder.emit(steps.COPIES, (builder.cast(g),), f"{name}/inverse", copies)
    builder.irreps[w] = Irreps([(n, Irrep(0, 1 if parity else None))])
    return w


def _join(builder: Builder, found: list[str], name: str) -> str:
    if len(found) == 1:
        return found[0]
    joined = builder.emit(steps.CONCAT, tuple(found), name)
    builder.irreps[joined] = Irreps(part for state in found for part in builder.irreps[state])
    return joined


def _product(builder: Builder, a: str, b: str, name: str, keep: list[Irrep] | None, skip: int = 0) -> str:
    """Full product of two states; the first `skip` parts of `b`, and of `a` if it is the same, are left out."""
    types = builder.irreps[a], builder.irreps[b]
    first = skip if a == b else 0
    paths = [
        (i, j, irrep)
        for i in range(first, len(types[0]))
        for j in range(skip, len(types[1]))
        for irrep in types[0][i].irrep * types[1][j].irrep
    ]
    table = cg_product.ProductTable.build(*types, "full", paths=paths, out=keep, basis=builder.basis)
    state = builder.emit(steps.PRODUCT, (a, b), name, table)
    builder.irreps[state] = table.irreps_out
    return state


def _pair_tables(term: Pairs, psi: Irreps, n: int, basis: str) -> tuple[message.MessageTable, cg_product.ProductTable]:
    """psi_i x Y, the paths that reach what is kept, one copy for each radial function; then that times psi_j."""
    degrees = range(term.lmax + 1) if term.degrees is None else term.degrees
    keep = None if term.keep is None else {Irrep.parse(k) for k in term.keep}

    def useful(irrep: Irrep) -> bool:
        return keep is None or any(keep.intersection(irrep * part.irrep) for part in psi)

    every = [p for p in message.MessageTable.build(psi, term.lmax).paths if p[1] in degrees and useful(p[2])]
    paths = [path for path in every for _ in range(n)]
    table = message.MessageTable.build(psi, term.lmax, paths=paths, basis=basis)
    return table, cg_product.ProductTable.build(table.irreps_out, psi, "full", out=keep, basis=basis)
