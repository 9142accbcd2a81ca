"""The general rule (6): its type, its value against the equation written out, exact covariance, and its bound."""

import json
from fractions import Fraction
from itertools import product as pairs

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, IrrepsError, SchemeError
from nbody_ref.exact.aggregation import aggregation
from nbody_ref.exact.definition import Child
from nbody_ref.exact.gauges import MONOMIAL, Gauge, real_gauge
from nbody_ref.exact.network import flatten, rational_points, rotate, transform, unflatten
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.wigner import monomial_D
from nbody_ref.gates import Aggregation, Gate
from nbody_ref.gates.aggregation import aggregation_type, leg_type
from nbody_ref.gates.build import program
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irreps
from nbody_ref.network.parameters import draw

U = 2.0**-53
PSI = Irreps("1x0e + 1x1o")
P, Q, S, N = 2, 1, 1, 2
# Two legs: displacement 1, length 4, powers 3, vector 14, each product of a leg at most 2 (2l + 1) + 2 terms, l <= 3.
K = 2 * (1 + 4 + 3 + 14 + 4 * 16) + 32


def children():
    rng = np.random.default_rng(0)
    return rng.standard_normal((N, 3)), rng.standard_normal((N, PSI.dim))


def run(gate, r=None, count=N):
    moved, psi = children()
    builder, output = program(gate, PSI)
    edges, zero = Edges.build(np.zeros(count, int), np.arange(count), 1, N), np.zeros(1, dtype=np.uintp)
    batch = {"all": edges, "directed": edges, "centre": edges, "kind": zero, "shared": zero}
    leaves = {"psi": psi, "r_child": moved if r is None else r, "r_parent": np.zeros((1, 3))}
    return builder, output, builder.chain().forward({**leaves, **draw(builder.parameters, 3)}, batch), batch


def leg_labels():
    """(p, q) and channels of every part of one leg, in the order of the program."""
    powers = [(0, Irreps("1x0e")), (1, Irreps("1x1o")), (2, Irreps("1x0e + 1x1e + 1x2e"))]
    found = []
    for p, a in powers:
        for part in a:
            for q, b in ((0, Irreps("1x0e")), (1, PSI)):
                for other in b:
                    found += [(p, q, irrep) for irrep in part.irrep * other.irrep]
    return found


def labels():
    return [((p1, p2), (q1, q2)) for (p1, q1, a), (p2, q2, b) in pairs(leg_labels(), leg_labels()) for _ in a * b]


def oracle(magnitude):
    r, psi = children()
    number = np.vectorize(mpmath.mpf, otypes=[object])
    gauge = real_gauge(lambda a: mpmath.mpf(abs(a) if magnitude else a), "float64", "norm")
    if magnitude:
        r, psi = np.abs(r), np.abs(psi)
    kids = [Child(list(number(r[i])), unflatten(PSI, list(number(psi[i])))) for i in range(N)]
    terms = aggregation(kids, Gauge("g", gauge.coupling, gauge.harmonic, gauge.vector), P, Q, S)
    return {(term.p, term.q, term.s): iter(term.state) for term in terms}


def compare(values, output):
    """Every part of the program, with its (S + 1)^N channels, beside the next part of the summands with its label."""
    with mpmath.workdps(40):
        exact, bound = oracle(False), oracle(True)
        states = []
        for found in (exact, bound):
            state = []
            for p, q in labels():
                parts = [next(found[p, q, s]) for s in pairs(range(S + 1), repeat=N)]
                state.append((parts[0][0], [f for _, fragments in parts for f in fragments]))
            states.append(state)
        assert all(next(rest, None) is None for rest in exact.values())
        wanted, size = (np.array([float(x) for x in flatten(state)]) for state in states)
    computed = values[output][0]
    assert computed.shape == wanted.shape
    assert np.all(np.abs(computed - wanted) <= (K + 1) * U * size)


def test_program_is_equation_6():
    builder, output, values, _ = run(Gate((Aggregation(P, Q, S, N),)))
    compare(values, output)
    counts = {part.irrep: part.mul for part in builder.irreps[output].merged()}
    assert counts == {part.irrep: part.mul for part in aggregation_type(PSI, P, Q, S, N)}


def test_a_leg_in_another_order_is_caught():
    _, output, values, _ = run(Gate((Aggregation(P, Q, S, N),)), children()[0][::-1])
    with pytest.raises(AssertionError):
        compare(values, output)


def test_dimension_is_the_product_over_children():
    d = PSI.dim
    leg = (S + 1) * (1 + 3 + 9) * (1 + d)
    assert leg_type(PSI, P, Q, S).dim == leg
    assert aggregation_type(PSI, P, Q, S, 3).dim == leg**3
    assert aggregation_type("1x0 + 1x1", 1, 1, 0, 1) == Irreps("3x0 + 4x1 + 1x2")


@pytest.mark.parametrize("inversion", [False, True])
@pytest.mark.parametrize("q", [(2, 1, 0, 0), (2, 0, 0, 1), (1, -2, 3, 1)])
def test_equation_6_is_covariant_over_gaussian_rationals(q, inversion):
    rng = np.random.default_rng(1)
    numbers = rng.integers(-4, 5, (N, PSI.dim, 2))
    kids = [
        Child(r, unflatten(PSI, [Gauss(Fraction(int(a), 2), int(b)) for a, b in row]))
        for r, row in zip(rational_points(N), numbers)
    ]

    def matrix(l):
        return monomial_D(l, q)

    turned = [Child(rotate(k.r_rel, q, inversion), transform(k.psi, matrix, inversion)) for k in kids]
    before, after = (list(aggregation(each, MONOMIAL, 1, 1, 2)) for each in (kids, turned))
    assert any(any(flatten(term.state)) for term in before)
    for one, other in zip(before, after, strict=True):
        assert transform(one.state, matrix, inversion) == other.state
    wrong = [Child(r, [(ir, [f[1:] + f[:1] for f in fs]) for ir, fs in psi]) for r, psi, _ in turned]
    assert any(
        transform(one.state, matrix, inversion) != other.state
        for one, other in zip(before, aggregation(wrong, MONOMIAL, 1, 1, 2), strict=True)
    )


def test_derivatives_are_adjoint_and_symmetric():
    gate = Gate((Aggregation(1, 1, 1, N, keep=("0e", "1o")),), Irreps("1x0e + 1x1o"))
    builder, output, values, batch = run(gate)
    chain, rng = builder.chain(), np.random.default_rng(9)
    leaves = ["psi", "r_child", "r_parent", *builder.parameters]
    u, v = ({name: rng.standard_normal(values[name].shape) for name in leaves} for _ in range(2))
    tangents = chain.jvp(values, batch, u)
    bars = chain.vjp(values, batch, {output: rng.standard_normal(values[output].shape)}, leaves)
    names = {name for step in chain.steps for name in (*step.inputs, step.output)}

    def size(bar, dot):
        return sum(np.sum(np.abs(bar[n]) * np.abs(dot[n])) for n in names if n in bar and n in dot)

    left, right = np.sum(bars[output] * tangents[output]), sum(np.sum(bars[n] * u[n]) for n in leaves)
    assert abs(left - right) <= 2 * K * U * size(bars, tangents) < abs(np.sum(bars["psi"] * u["psi"]))
    forms, total = [], 0.0
    for one, other in ((u, v), (v, u)):
        dots = chain.vjp_jvp(values, batch, chain.jvp(values, batch, one), bars, leaves)
        forms.append(sum(np.sum(dots[name] * other[name]) for name in leaves))
        total += size(dots, chain.jvp(values, batch, other))
    assert abs(forms[0] - forms[1]) <= 2 * K * U * total


def test_too_large_a_gate_is_refused_before_it_is_built():
    with pytest.raises(IrrepsError, match=r"'max_dim' must be at least 74529 .* got 20000"):
        program(Gate((Aggregation(2, 2, 0, 3),)), Irreps("1x0e + 1x1o"))
    with pytest.raises(ArgumentError, match="'P' must be a non-negative integer, got -1"):
        Aggregation(-1, 1, 0, 2)


def test_wrong_number_of_children_is_named():
    with pytest.raises(SchemeError, match="every parent must have 2 children, parent 0 has 1"):
        run(Gate((Aggregation(1, 1, 0, 2),)), count=1)


def test_survives_json():
    gate = Gate((Aggregation(1, 2, 0, 2, keep=("0e",)),), Irreps("1x0e"))
    assert Gate.from_dict(json.loads(json.dumps(gate.to_dict()))) == gate
