"""Edge blocks against their definition written with loops, derivatives against exact theorems, and what trees span."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from nbody_ref.certified.lowering import Lowering
from nbody_ref.certified.program_sums import certify_program
from nbody_ref.errors import ArgumentError, IrrepsError, ShapeError
from nbody_ref.exact.definition import fragment_product
from nbody_ref.exact.gauges import MONOMIAL
from nbody_ref.graphs import Edges
from nbody_ref.ops import edge_fusion as op
from nbody_ref.ops import edge_fusion_table
from nbody_ref.ops.edge_fusion import EdgeFusionTable, edge_fusion
from nbody_ref.ops.edge_fusion_table import TREES
from nbody_ref.tables import cg_coo

U = 2.0**-53
EDGES = Edges.build([2, 0, 0, 2, 3], [1, 0, 3, 2, 3], 4, 5)  # receiver 1 and sender 4 have no edge
TABLES = {
    "(oj)Y": EdgeFusionTable.build("2x0e + 2x1o", "2x1o + 2x0e", 1, "(oj)Y", (1, 0), ("0e", "1o", "1e")),
    "(oY)j": EdgeFusionTable.build("2x1", "2x0 + 2x2", 2, "(oY)j", (0, 1, 2), ("1",), degrees=(1, 2)),
    "o(Yj)": EdgeFusionTable.build("1x0e + 1x1o", "1x1o", 1, "o(Yj)", both_parities=False),
    "full": EdgeFusionTable.build("2x0 + 2x1", "3x1", 1, "(oY)j", (0, 1), ("0", "1"), mode="full"),
}


def definition(o, x, Y, w, edges, table, coupling):
    """The formula of the module, term by term, over any ring."""
    out = np.zeros((edges.n_receivers, table.irreps_out.dim), o.dtype)
    for e, (i, j) in enumerate(zip(edges.receivers, edges.senders, strict=True)):
        for p, (d, start) in enumerate(zip(table.diagrams, table.irreps_out.offsets, strict=True)):
            states, channels = {"o": (table.irreps_o, o[i]), "j": (table.irreps_j, x[j])}, table.channels
            for c, uv in enumerate(zip(*channels, strict=True)):
                legs = {"Y": (d.Y, Y[e, d.Y**2 : (d.Y + 1) ** 2])}
                for (leg, (irreps, row)), u in zip(states.items(), uv, strict=True):
                    part, first = irreps[getattr(d, leg)], irreps.offsets[getattr(d, leg)]
                    legs[leg] = part.irrep.l, row[first : first + part.dim].reshape(-1, part.mul)[:, u]
                (la, a), (lb, b), (ll, last) = (legs[leg] for leg in TREES[table.tree])
                inner = [0] * (2 * d.k.l + 1)
                for m1, m2, m, value in zip(*coupling(la, lb, d.k.l), strict=True):
                    inner[int(m)] += value * a[int(m1)] * b[int(m2)]
                first = table.tree == "o(Yj)"
                for m1, m2, M, value in zip(*(coupling(ll, d.k.l, d.J.l) if first else coupling(d.k.l, ll, d.J.l))):
                    pair = last[int(m1)] * inner[int(m2)] if first else inner[int(m1)] * last[int(m2)]
                    out[i, start + int(M) * len(channels[0]) + c] += w[e, p * len(channels[0]) + c] * value * pair
    return out


def shapes(table, edges=EDGES):
    yield edges.n_receivers, table.irreps_o.dim
    yield edges.n_senders, table.irreps_j.dim
    yield edges.n_edges, table.dim_y
    yield edges.n_edges, table.n_weights


@pytest.fixture(params=TABLES)
def case(request, exact, allow, monkeypatch):
    """Integers: couplings are random integers where Clebsch-Gordan coefficients are not zero."""
    allow(op)
    table = TABLES[request.param]
    arrays = edge_fusion_table.edge_fusion_arrays(table, exact.coupling, exact.real)
    monkeypatch.setattr(edge_fusion_table, "_arrays", lambda *_: arrays)
    return table, [exact.draw(shape, seed) for seed, shape in enumerate(shapes(table))]


def test_edge_fusion_is_its_definition_exactly(case, exact):
    table, values = case
    found, wanted = edge_fusion(*values, EDGES, table), definition(*values, EDGES, table, exact.coupling)
    assert found.dtype == exact.dtype and (found == wanted).all() and not found[1].any()


def test_edge_fusion_derivatives_are_exact(case, exact):
    table, values = case
    assert exact.quadruple(op, "edge_fusion", values, (EDGES, table)).all_hold()


def flipped(values):
    return np.concatenate([[-values[0]], values[1:]]).astype(values.dtype)


def frozen(values):
    values.flags.writeable = False
    return values


PLANTED = {
    "sign of a coupling of the first vertex": lambda a: a._replace(first_v=flipped(a.first_v)),
    "sign of a coupling of the second vertex": lambda a: a._replace(second_v=flipped(a.second_v)),
    "a term dropped": lambda a: a._replace(second=a.second[4:], second_v=a.second_v[1:].copy()),
    "fragments of the neighbour swapped": lambda a: a._replace(channel_x=frozen(a.channel_x[::-1].copy())),
    "components of the centre swapped": lambda a: a._replace(rows_o=frozen(np.roll(a.rows_o, 1))),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_errors_are_caught(planted, exact, allow, monkeypatch):
    allow(op)
    table = TABLES["(oj)Y"]
    wrong = PLANTED[planted](edge_fusion_table.edge_fusion_arrays(table, exact.coupling, exact.real))
    monkeypatch.setattr(edge_fusion_table, "_arrays", lambda *_: wrong)
    values = [exact.draw(shape, seed) for seed, shape in enumerate(shapes(table))]
    assert not (edge_fusion(*values, EDGES, table) == definition(*values, EDGES, table, exact.coupling)).all()


@pytest.mark.parametrize("name", TABLES)
def test_edge_fusion_with_clebsch_gordan_is_within_the_derived_bound(name):
    """k: two tables, 2 x 5 terms of a vertex and a product each, the weight and its product, 2 edges: 18."""
    table, rng = TABLES[name], np.random.default_rng(3)
    values = [rng.standard_normal(shape) for shape in shapes(table)]
    S = definition(*map(abs, values), EDGES, table, lambda *l: (c := cg_coo(*l))._replace(value=abs(c.value)))
    long = definition(*(v.astype(np.longdouble) for v in values), EDGES, table, cg_coo)
    error = np.abs(edge_fusion(*values, EDGES, table) - long)
    assert (error <= 18 * U * S).all() and (error > 0).any()


@pytest.mark.parametrize("name", TABLES)
def test_lowered_programs_have_the_certified_value(name):
    table, rng = TABLES[name], np.random.default_rng(4)
    values = dict(zip("oxYw", (rng.standard_normal(shape) for shape in shapes(table)), strict=True))
    low = Lowering(values)
    op.EDGE_FUSION.lower(low, tuple("oxYw"), "out", EDGES, table)
    (truth,) = certify_program(low.program, {"out": "out"}, values).values()
    found = edge_fusion(*values.values(), EDGES, table)
    assert truth.undecided == 0 and (np.abs(found - truth.value) <= 18 * U * truth.S).all()
    assert not (np.abs(found * (1 + 1e-13) - truth.value) <= 18 * U * truth.S).all()


def coefficients(table):
    """Every diagram as a vector of integers, its coupling tensor in the gauge of monomials, legs apart."""
    found = []
    for d in table.diagrams:
        vector = {}
        for units in product(*(range(2 * l + 1) for l in (d.o, d.Y, d.j))):
            unit = dict(zip("oYj", ([int(m == u) for m in range(2 * l + 1)] for l, u in zip((d.o, d.Y, d.j), units))))
            a, b, last = (unit[leg] for leg in TREES[table.tree])
            inner = fragment_product(a, b, d.k.l, MONOMIAL)
            pair = (last, inner) if table.tree == "o(Yj)" else (inner, last)
            for M, value in enumerate(fragment_product(*pair, d.J.l, MONOMIAL)):
                vector[d.o, d.Y, d.j, units, M] = Fraction(value)
        found.append(vector)
    return found


def rank(vectors):
    """Over the rationals, by elimination."""
    rows, count = [dict(v) for v in vectors], 0
    while rows:
        row = {k: x for k, x in rows.pop().items() if x}
        if not row:
            continue
        count += 1
        pivot = next(iter(row))
        for other in rows:
            factor = other.get(pivot, 0) / row[pivot]
            if factor:
                for k, x in row.items():
                    other[k] = other.get(k, 0) - factor * x
    return count


def test_each_tree_spans_33_of_36_maps_with_internal_spins_to_2():
    legs = "1x0 + 1x1 + 1x2"
    cut = {tree: coefficients(EdgeFusionTable.build(legs, legs, 2, tree, range(3), ("1",))) for tree in TREES}
    assert [rank(vectors) for vectors in cut.values()] == [33, 33, 33]
    assert rank([v for vectors in cut.values() for v in vectors]) == 36
    for tree in TREES:  # all internal spins: every tree spans the same space
        assert rank(coefficients(EdgeFusionTable.build(legs, legs, 2, tree, None, ("1",)))) == 36
    assert rank(cut["(oj)Y"] + cut["(oj)Y"][:5]) == 33  # repeats add nothing


def test_what_is_no_table_and_what_does_not_fit_is_refused():
    with pytest.raises(ArgumentError, match="'tree' must be"):
        EdgeFusionTable.build("1x0e", "1x0e", 1, "(jo)Y")
    with pytest.raises(IrrepsError, match="one number of fragments in every part"):
        EdgeFusionTable.build("1x0e + 2x1o", "1x0e", 1, "(oj)Y")
    with pytest.raises(IrrepsError, match="channelwise the same for both"):
        EdgeFusionTable.build("1x0e", "2x0e", 1, "(oj)Y")
    with pytest.raises(IrrepsError, match="no diagram of"):
        EdgeFusionTable.build("1x0e", "1x0e", 1, "(oj)Y", (1,))
    with pytest.raises(IrrepsError, match="lack"):
        EdgeFusionTable("1x0e", "1x0e", 1, "(oj)Y", [(0, 2, 0, "0e", "2e")])
    table = TABLES["(oj)Y"]
    values = [np.ones(shape) for shape in shapes(table)]
    with pytest.raises(ShapeError, match="edge_fusion: 'w' must"):
        edge_fusion(*values[:3], values[3][:, 1:], EDGES, table)
