"""First-order and relative gates in floats against the definition in 40 digits; pairs and their derivatives."""

import json

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, GeometryError
from nbody_ref.exact.definition import Child, Leg, add, inverse_power, legs_product, product, scale
from nbody_ref.exact.gauges import Gauge, real_gauge
from nbody_ref.exact.network import flatten, unflatten
from nbody_ref.gates import Gate, Pairs, first_order, relative
from nbody_ref.gates.build import program
from nbody_ref.gates.pairs import pair_edges, parent_edges, slot_edges
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.network.parameters import draw
from nbody_ref.ops.radial import InversePowers

U = 2.0**-53
PSI = Irreps("2x0e + 1x1o")
N = 3
# Roundings on the longest way: displacement 1, length 4, power 3, harmonics 14, copy 1, message 8, its sum N.
K_LEG = 31 + N
# The message to the slot, the product with psi_j (2 l1 + 2 l2 + 2 terms) and the sum over slots.
K_PAIRS = K_LEG + 2 * PSI.dim + 4 + N


def children(seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, 3)), rng.standard_normal((N, PSI.dim))


def run(gate, seed=0, r=None):
    moved, psi = children(seed)
    builder, output = program(gate, PSI)
    edges, zero = Edges.build(np.zeros(N, int), np.arange(N), 1, N), np.zeros(1, dtype=np.uintp)
    batch = {"all": edges, "directed": edges, "centre": Edges.build([], [], 1, N), "kind": zero, "shared": zero}
    leaves = {"psi": psi, "r_child": moved if r is None else r, "r_parent": np.zeros((1, 3))}
    values = builder.chain().forward({**leaves, **draw(builder.parameters, 3)}, batch)
    return builder, output, values, batch


def ring(seed, magnitude=False):
    r, psi = children(seed)
    number = np.vectorize(mpmath.mpf, otypes=[object])
    psi = np.abs(psi) if magnitude else psi
    return [Child(list(number(r[i])), unflatten(PSI, list(number(psi[i])))) for i in range(N)]


def real(magnitude=False):
    if not magnitude:
        return real_gauge(mpmath.mpf, "float64", "norm")
    positive = real_gauge(lambda a: mpmath.mpf(abs(a)), "float64", "norm")
    return Gauge("absolute", positive.coupling, positive.harmonic, lambda r: positive.vector([abs(x) for x in r]))


def vectors_only(gauge):
    return Gauge("vectors", gauge.coupling, lambda l, r: gauge.vector(r), gauge.vector)


def our_pairs(kids, gauge, s, keep):
    """Eq. (12) coupled as (psi_i x r_ij) x psi_j; each |r| in S counts the roundings of both positions."""
    found = []
    for i, a in enumerate(kids):
        for j, b in enumerate(kids):
            if i != j:
                r = [x - y for x, y in zip(a.r_rel, b.r_rel)]
                first = product(a.psi, [(Irrep(1, -1), [gauge.vector(r)])], gauge)
                found.append(scale(product(first, b.psi, gauge, keep), inverse_power(s)(r)))
    return add(found)


def check(computed, exact, gauge, k):
    exact, gauge = (np.array([float(x) for x in flatten(state)]) for state in (exact, gauge))
    assert computed.shape == exact.shape
    assert np.all(np.abs(computed - exact) <= (k + 1) * U * gauge)


def relative_check(gate, seed):
    """Order of ours: path of the first product, then s, then path of the second; the definition has one s at a time."""
    builder, _, values, _ = run(gate, seed)
    keep = [Irrep.parse(i) for i in ("0e", "1o")]
    with mpmath.workdps(40):
        exact, bound = [], []
        firsts = [p for p in product(ring(0)[0].psi, [(Irrep(1, -1), [[1, 1, 1]])], real())]
        for k in range(len(firsts)):
            for s in range(4):
                for target, size in ((exact, False), (bound, True)):
                    each = our_pairs(ring(seed, size), real(size), s, keep)
                    target += [part for part, label in zip(each, labels(firsts, keep), strict=True) if label == k]
        check(values["gate/pairs"][0], exact, bound, K_PAIRS)
    assert builder.irreps["gate/pairs"] == Irreps([(len(f), irrep) for irrep, f in exact])


def labels(firsts, keep):
    """Which first product each kept part of the second belongs to."""
    return [k for k, (a, _) in enumerate(firsts) for part in PSI for b in a * part.irrep if b in keep]


@pytest.mark.parametrize("seed", range(2))
def test_relative_gate_is_equation_12(seed):
    relative_check(relative("1x0e + 2x1o"), seed)


def test_a_wrong_power_in_the_relative_gate_is_caught():
    with pytest.raises(AssertionError):
        relative_check(Gate((Pairs(InversePowers((-1, 0, 1, 3)), 1, (1,), "norm", ("0e", "1o")),)), 0)


@pytest.mark.parametrize("seed", range(2))
def test_first_order_gate_is_the_product_of_summed_legs(seed):
    """In the order of the definition's legs; tests/gates/test_recoupling.py equates it with eq. (11) itself."""
    builder, _, values, _ = run(first_order("1x0e + 2x1o"), seed)
    keep = [Irrep.parse(i) for i in ("0e", "1o")]
    fragments = values["gate/fragments"][0]
    with mpmath.workdps(40):
        found = []
        for size in (False, True):
            legs = [[Leg((1,), inverse_power(s))] * 2 for s in range(4)]
            gauge = vectors_only(real(size))
            each = [legs_product(ring(seed, size), pair, gauge, keep) for pair in legs]
            found.append([part for state in each for part in state])
        check(fragments, *found, 2 * K_LEG + 12 * PSI.dim)
    assert len(builder.parameters) == 1


def test_pairs_are_all_ordered_pairs_of_different_children_of_one_parent():
    edges = Edges.build([0, 0, 0, 2, 2], [1, 3, 0, 3, 2], 3, 4)
    pairs, slots, parents = pair_edges(edges), slot_edges(edges), parent_edges(edges)
    child = slots.senders.astype(int)
    found = {
        (int(parents.receivers[slot]), int(child[slot]), int(i)) for slot, i in zip(pairs.receivers, pairs.senders)
    }
    wanted = {(parent, j, i) for parent, kids in ((0, (1, 3, 0)), (2, (3, 2))) for j in kids for i in kids if i != j}
    assert found == wanted and pairs.n_edges == len(wanted)


def test_coincident_children_are_named():
    r = children(0)[0]
    r[2] = r[1]
    with pytest.raises(GeometryError, match="children 1 and 2 of parent 0"):
        run(relative("1x0e"), r=r)


def test_a_child_at_the_parent_is_a_child_like_the_others_here():
    r = children(0)[0]
    r[1] = 0.0
    _, output, values, _ = run(relative("1x0e"), r=r)
    assert np.isfinite(values[output]).all()


def derivative_gate():
    return Gate((Pairs(InversePowers((0, 2)), 2, keep=("0e", "1o", "2e")),), Irreps("1x0e + 1x1o + 1x2e"))


def test_derivatives_of_pairs_are_adjoint_and_symmetric():
    builder, output, values, batch = run(derivative_gate())
    chain, rng = builder.chain(), np.random.default_rng(9)
    leaves = ["psi", "r_child", *builder.parameters]
    u, v = ({name: rng.standard_normal(values[name].shape) for name in leaves} for _ in range(2))
    tangents = chain.jvp(values, batch, u)
    bars = chain.vjp(values, batch, {output: rng.standard_normal(values[output].shape)}, leaves)
    names = {name for step in chain.steps for name in (*step.inputs, step.output)}

    def size(bar, dot):
        return sum(np.sum(np.abs(bar[n]) * np.abs(dot[n])) for n in names if n in bar and n in dot)

    left, right = np.sum(bars[output] * tangents[output]), sum(np.sum(bars[n] * u[n]) for n in leaves)
    assert abs(left - right) <= 2 * K_PAIRS * U * size(bars, tangents)
    assert abs(left - right + bars["psi"][0, 0] * u["psi"][0, 0]) > 2 * K_PAIRS * U * size(bars, tangents)
    forms, total = [], 0.0
    for one, other in ((u, v), (v, u)):
        dots = chain.vjp_jvp(values, batch, chain.jvp(values, batch, one), bars, leaves)
        forms.append(sum(np.sum(dots[name] * other[name]) for name in leaves))
        total += size(dots, chain.jvp(values, batch, other))
    assert abs(forms[0] - forms[1]) <= 2 * K_PAIRS * U * total


def test_pairs_survive_json_and_explain_mistakes():
    gate = derivative_gate()
    assert Gate.from_dict(json.loads(json.dumps(gate.to_dict()))) == gate
    with pytest.raises(ArgumentError, match=r"Pairs: 'degrees' must lie in 0\.\.1"):
        Pairs(InversePowers(), 1, degrees=(2,))
