"""The fusion block of every edge as a term: exactly its brute force, the planner changes no function."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, IrrepsError
from nbody_ref.exact.definition import fragment_product, inverse_power
from nbody_ref.exact.gauges import MONOMIAL
from nbody_ref.exact.network import rational_points, unflatten
from nbody_ref.exact.ring import Gauss
from nbody_ref.gates import Bare, EdgeFusion, Gate
from nbody_ref.gates import edge_fusion as module
from nbody_ref.gates.build import program
from nbody_ref.gates.edge_fusion import EdgeBlock
from nbody_ref.gates.over_ring import run
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irrep
from nbody_ref.ops.edge_fusion import EDGE_FUSION
from nbody_ref.ops.edge_fusion_table import TREES
from nbody_ref.ops.radial import Bessel, InversePowers

U = 2.0**-53
PSI = "2x0e + 2x1o"
N = 3
SENDERS, RECEIVERS = [1, 2, 0, 2, 0], [0, 0, 1, 1, 2]
BATCH = {
    "directed": Edges.build(RECEIVERS, SENDERS, N, N),
    "centre": Edges.build(range(N), range(N), N, N),
    "kind": np.array([1, 0, 1], np.uintp),
    "shared": np.zeros(N, np.uintp),
}
TYPES = ("0e", "1o", "1e")


def fragments(psi, i, j, r, tree, k, both, keep=TYPES):
    """All diagrams of one edge with internal spin k, parts of the centre outer, as (irrep, fragments)."""
    y = [MONOMIAL.harmonic(l, r) for l in range(2)]
    for part_o, O in psi[i]:
        for l in range(2):
            for part_j, X in psi[j]:
                legs = {"o": (part_o, O), "Y": (_harmonic(l), [y[l]] * 2), "j": (part_j, X)}
                (a, A), (b, B), (last, L) = (legs[leg] for leg in TREES[tree])
                for inner in a * b:
                    if inner.l != k or not (both or inner.p == (-1) ** k):
                        continue
                    t = [fragment_product(x, z, k, MONOMIAL) for x, z in zip(A, B, strict=True)]
                    for J in inner * last:
                        if str(J) in keep:
                            pairs = zip(L, t, strict=True) if tree == "o(Yj)" else zip(t, L, strict=True)
                            yield J, l, [fragment_product(u, v, J.l, MONOMIAL) for u, v in pairs]


def _harmonic(l):
    return Irrep(l, (-1) ** l)


def brute_force(psi, points, i, tree, k, both, powers, states=None):
    """Diagrams of centre i, summed over its edges one by one, for every power of the distance."""
    total = {}
    centre = psi if states is None else states
    for to, fro in zip(RECEIVERS, SENDERS, strict=True):
        if to != i:
            continue
        r = [a - b for a, b in zip(points[fro], points[i], strict=True)]
        mixed = {0: centre[i], 1: psi[fro]}
        for p, (J, l, values) in enumerate(fragments(mixed, 0, 1, r, tree, k, both)):
            for n, s in enumerate(powers):
                factor = inverse_power(s + l)(r)
                scaled = [[factor * x for x in f] for f in values]
                at = total.setdefault((p, n), (J, scaled))
                if at[1] is not scaled:
                    at[1][:] = [[x + y for x, y in zip(*pair, strict=True)] for pair in zip(at[1], scaled, strict=True)]
    return [total[key] for key in sorted(total)]


def ring_run(term, seed=0):
    builder, out = program(Gate((term,)), PSI, 2)
    rng, chain = np.random.default_rng(seed), builder.chain()
    points = rational_points(N)
    psi = [[Gauss(int(a), int(b)) for a, b in rng.integers(-3, 4, (8, 2))] for _ in range(N)]
    leaves = {"psi": psi, "r_child": points, "r_parent": points}
    for name, weights in builder.parameters.items():
        leaves[name] = [[Gauss(int(a), int(b)) for a, b in row] for row in rng.integers(-2, 3, (*weights.shape, 2))]
    values = run(chain, leaves, BATCH, MONOMIAL)
    return builder, out, values, [unflatten(PSI, row) for row in psi], points


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("tree", TREES)
def test_sparse_blocks_are_their_brute_force_with_residual_zero(tree, both):
    powers = (-2, 0)
    term = EdgeFusion(InversePowers((2, 0)), 1, TYPES, tree, (0, 1), both_parities=both, normalization="norm")
    _, out, values, psi, points = ring_run(term)
    for i in range(N):
        wanted = [
            fragment
            for k in (0, 1)
            for fragment in brute_force(psi, points, i, tree, k, both, tuple(-s for s in powers))
        ]
        found = unflatten(out.irreps, values[out][i])
        assert [irrep for irrep, _ in found] == [J for J, _ in wanted]
        assert [x for _, x in found] == [x for _, x in wanted]
        assert any(x != 0 for _, fragment in found for column in fragment for x in column)


@pytest.mark.parametrize("tree", TREES)
def test_dense_blocks_are_nested_brute_forces_with_residual_zero(tree):
    term = EdgeFusion(InversePowers((0,)), 1, TYPES, tree, (0, 1), "dense", True, normalization="norm")
    builder, out, values, psi, points = ring_run(term)
    weights = {name: values[name] for name in builder.parameters}
    assert sorted(weights) == ["gate/term1/0/nested", "gate/term1/sums"]

    def weighed(diagrams, W):
        """One part for each irrep in order of appearance, a weight for each diagram of it and channel."""
        found, at = [], 0
        for J in dict.fromkeys(J for J, _ in diagrams):
            mine, total = [f for root, f in diagrams if root == J], None
            for fragment in mine:
                scaled = [[W[at + c] * x for x in f] for c, f in enumerate(fragment)]
                at += len(fragment)
                total = (
                    scaled
                    if total is None
                    else [[x + y for x, y in zip(*pair, strict=True)] for pair in zip(total, scaled, strict=True)]
                )
            found.append((J, total))
        return found

    nested = {}
    for i in range(N):
        kind = int(BATCH["kind"][i])
        nested[i] = weighed(brute_force(psi, points, i, tree, 0, True, (0,)), weights["gate/term1/0/nested"][kind])
    for i in range(N):
        every = brute_force(psi, points, i, tree, 0, True, (0,))
        every += brute_force(psi, points, i, tree, 1, True, (0,), nested)
        every += brute_force(psi, points, i, tree, 1, True, (0,))
        wanted = weighed(every, weights["gate/term1/sums"][int(BATCH["kind"][i])])
        assert unflatten(out.irreps, values[out][i]) == [(J, f) for J, f in wanted]


def test_a_scaled_coupling_of_the_inner_vertex_would_be_seen(monkeypatch):
    right = fragment_product

    def wrong(x, y, l, gauge):
        return [value * (1 + Fraction(l == 1, 10**9)) for value in right(x, y, l, gauge)]

    monkeypatch.setitem(globals(), "fragment_product", wrong)
    with pytest.raises(AssertionError):
        test_sparse_blocks_are_their_brute_force_with_residual_zero("(oj)Y", False)


def by_edges(builder, legs, table, weights, name, pairs):
    """The block along o(Yj) without the planner: edge by edge."""
    table = replace(table, diagrams=tuple(d for d, _ in pairs))
    muls = [part.mul for part in table.irreps_out]
    w = weights.emit(builder, [d.Y for d, _ in pairs], muls, [copy for _, copy in pairs], f"{name}/w")
    return builder.emit(EDGE_FUSION, (*legs[:3], w), name, legs.edges, table, irreps=table.irreps_out)


@pytest.mark.parametrize("weights", ["copies", "learned"])
@pytest.mark.parametrize("block", ["sparse", "dense"])
def test_taking_the_neighbour_sum_first_changes_no_function(block, weights, monkeypatch):
    """The same parameters; roundings: two vertices, weights, 3 edges, 40 diagrams, twice nested."""
    term = EdgeFusion(Bessel(2, 5.0), 1, TYPES, "o(Yj)", (0, 1), block, True, "channelwise", weights)
    rng, found = np.random.default_rng(1), []
    leaves = {"psi": rng.standard_normal((N, 8)), "r_child": rng.standard_normal((N, 3))}
    leaves["r_parent"] = leaves["r_child"]
    for first in (True, False):
        if not first:
            monkeypatch.setattr(module, "_summed_first", by_edges)
        builder, out = program(Gate((term,)), PSI, 2)
        draws = np.random.default_rng(2)
        given = {name: draws.standard_normal(w.shape) for name, w in builder.parameters.items()}
        values = builder.chain().forward({**leaves, **given}, BATCH)
        ops = [step.op.name for step in builder.steps]
        assert ("edge_fusion" in ops) is not first and ("message" in ops) is first
        one = np.ones_like(values[out])
        bars = builder.chain().vjp(values, BATCH, {out: one}, list(given) + ["psi", "r_child"])
        S = sum(np.sum(np.abs(bar) * np.abs(values[name])) for name, bar in bars.items())
        found.append((values[out], S))
    (a, S), (b, _) = found
    assert np.abs(a - b).max() <= 400 * U * S and np.abs(a).max() > 1e3 * U * S


def test_descriptions_come_back_and_what_cannot_be_is_refused():
    term = EdgeFusion(Bessel(2, 5.0), 1, TYPES, "(oY)j", (2, 0), "sparse", True, "full", "learned", 3, (1,), "norm", 0)
    gate = Gate((Bare("centre"), term), "2x0e")
    assert Gate.from_dict(json.loads(json.dumps(gate.to_dict()))) == gate
    assert EdgeBlock(internal_spins=(2, 0, 1)).spins == [(0,), (0, 1), (0, 1, 2), (0, 2), (1,), (1, 2), (2,)]
    for field, wrong in (("tree", "(jo)Y"), ("block", "thick"), ("internal_spins", ()), ("internal_spins", (1, 1))):
        with pytest.raises(ArgumentError, match=f"EdgeFusion: '{field}' must be"):
            EdgeFusion(Bessel(2, 5.0), 1, **{field: wrong})
    with pytest.raises(ArgumentError, match="'mode' must be 'channelwise' in a dense block"):
        EdgeFusion(Bessel(2, 5.0), 1, block="dense", mode="full")
    for block in ("sparse", "dense"):
        with pytest.raises(IrrepsError, match="no diagram of"):
            program(Gate((EdgeFusion(Bessel(2, 5.0), 1, ("5e",), block=block),)), PSI)
