"""The paper's order of coupling and ours give the same gates: exactly over Gaussian rationals, and in floats."""

from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.errors import ShapeError
from nbody_ref.exact.definition import (
    Child,
    Leg,
    add,
    first_order,
    inverse_power,
    legs_product,
    mixing,
    pair_term,
    product,
    relative,
    scale,
)
from nbody_ref.exact.gauges import MONOMIAL, real_gauge
from nbody_ref.exact.network import flatten, rational_points, unflatten
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.surd import surd_sum
from nbody_ref.fusion import Diagram, coupling_norm
from nbody_ref.gates import named, recoupling
from nbody_ref.gates.build import program
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irrep, Irreps

PSI = Irreps("2x0e + 1x1o")
OUT = ["0e", "1o", "1e", "2e"]


def children(count=3, psi=PSI):
    rng = np.random.default_rng(4)
    numbers = rng.integers(-5, 6, (count, psi.dim, 2))
    states = [unflatten(psi, [Gauss(Fraction(int(a), 3), int(b)) for a, b in row]) for row in numbers]
    return [Child(r, state) for r, state in zip(rational_points(count), states)]


def columns(state, irrep):
    return [f for part, fs in state if part == Irrep.parse(irrep) for f in fs]


def rational(exact, legs, source, target, irrep):
    """The same matrix between monomial fragments: orthonormal tensors are coupling_norm times integer ones."""

    def norm(tree, fragment):
        irreps = [legs[leaf][part].irrep for leaf, part in fragment.parts]
        return coupling_norm(Diagram(tree, irreps, fragment.outputs))

    rows, cols = (recoupling.fragments(tree, legs, irrep) for tree in (target, source))
    found = [
        [(exact[i][k] * norm(target, row) / norm(source, col)).as_fraction() for k, col in enumerate(cols)]
        for i, row in enumerate(rows)
    ]
    assert all(entry is not None for line in found for entry in line)
    return found


def times(F, T):
    components, columns = range(len(F[0])), range(len(T[0]))
    return [[sum((f[m] * row[k] for f, row in zip(F, T)), Fraction(0)) for m in components] for k in columns]


def first_order_residual(irrep, twist=False):
    kids, vector = children(), Irreps("1x1o")
    exact = recoupling.first_order_matrix(PSI, irrep, "complex")
    if twist:
        exact[0] = [-entry for entry in exact[0]]
    legs = (PSI, PSI, vector, vector)
    T = rational(exact, legs, recoupling.PAPER_FIRST_ORDER, recoupling.LEGS, irrep)
    leg = Leg((1,), inverse_power(2))
    paper = columns(first_order(kids, MONOMIAL, (2,)), irrep)
    ours = columns(legs_product(kids, [leg, leg], MONOMIAL), irrep)
    return [[a - b for a, b in zip(x, y)] for x, y in zip(paper, times(ours, T), strict=True)], paper


@pytest.mark.parametrize("irrep", OUT)
def test_factorised_first_order_gate_is_equation_11_exactly(irrep):
    residual, paper = first_order_residual(irrep)
    assert any(any(f) for f in paper)
    assert not any(any(f) for f in residual)


@pytest.mark.parametrize("irrep", ["0e", "1o", "2e"])
@pytest.mark.parametrize(
    ("gate", "paper", "weights"),
    [
        (named.first_order, first_order, recoupling.first_order_weights),
        (named.relative, relative, recoupling.relative_weights),
    ],
)
def test_weights_of_the_paper_become_weights_of_the_gate(gate, paper, weights, irrep):
    """The gate with T W equals the definition with W, mixed by the definition."""
    powers, out, rng = (0, 1, 3), Irreps(f"2x{irrep}"), np.random.default_rng(6)
    r, psi = rng.standard_normal((3, 3)), rng.standard_normal((3, PSI.dim))
    kids = [Child(list(a), unflatten(PSI, list(b))) for a, b in zip(r, psi)]
    F = paper(kids, real_gauge(float, normalization="norm"), powers)
    W = rng.standard_normal((len(columns(F, irrep)), 2))
    wanted = np.array(flatten(mixing(F, [(Irrep.parse(irrep), W.tolist())])))
    builder, output = program(gate(out, powers), PSI)
    (name,) = builder.parameters
    edges, zero = Edges.build([0, 0, 0], [0, 1, 2], 1, 3), np.zeros(1, dtype=np.uintp)
    batch = {"all": edges, "directed": edges, "centre": edges, "kind": zero, "shared": zero}
    leaves = {"psi": psi, "r_child": r, "r_parent": np.zeros((1, 3))}
    made = {name: weights(PSI, irrep, W, len(powers)).reshape(1, -1)}
    found = builder.chain().forward({**leaves, **made}, batch)[output][0]
    size = np.abs(np.array(columns(F, irrep))).max() * np.abs(W).sum()
    k = 100 * len(W)  # roundings of either fragment times the rows mixed
    assert np.abs(found - wanted).max() <= k * 2.0**-53 * size
    wrong = {name: W.reshape(1, -1)}
    if len(W) > 3:
        other = builder.chain().forward({**leaves, **wrong}, batch)[output][0]
        assert np.abs(other - wanted).max() > k * 2.0**-53 * size
    with pytest.raises(ShapeError, match="'W' must have 3 x"):
        weights(PSI, irrep, W[:-1], len(powers))


@pytest.mark.parametrize("irrep", OUT)
def test_both_orders_agree_in_floats_of_the_real_gauge(irrep):
    """|F_paper - F_legs T| <= k u S; k: positions 4, power 3, vertices 3 x 9, sums over 9 pairs, 20 columns of T."""
    gauge, absolute = real_gauge(float, normalization="norm"), real_gauge(abs, normalization="norm")
    rng, T = np.random.default_rng(5), recoupling.to_array(recoupling.first_order_matrix(PSI, irrep))
    r, psi = rng.standard_normal((3, 3)), rng.standard_normal((3, PSI.dim))
    found = []
    for made, size in ((gauge, lambda x: x), (absolute, np.abs)):
        kids = [Child(list(size(a)), unflatten(PSI, list(size(b)))) for a, b in zip(r, psi)]
        leg = Leg((1,), inverse_power(1))
        paper = np.array(columns(first_order(kids, made, (1,)), irrep))
        found.append((paper, np.array(columns(legs_product(kids, [leg, leg], made), irrep))))
    (paper, ours), (_, size) = found
    bound = (4 + 3 + 27 + 9 + 20) * 2.0**-53 * (size.T @ np.abs(T)).T.clip(found[1][0])
    assert np.all(np.abs(paper - (ours.T @ T).T) <= bound)
    if len(T) > 1:
        assert np.any(np.abs(paper - (ours.T @ T[::-1]).T) > bound)


def test_a_wrong_sign_in_the_recoupling_is_caught():
    residual, _ = first_order_residual("0e", twist=True)
    assert any(any(f) for f in residual)


@pytest.mark.parametrize("irrep", OUT)
def test_pairs_in_our_order_are_equation_12_exactly(irrep):
    kids, vector = children(), Irreps("1x1o")
    exact = recoupling.relative_matrix(PSI, irrep, "complex")
    T = rational(exact, (PSI, PSI, vector), recoupling.PAPER_RELATIVE, recoupling.PAIRS, irrep)
    pairs = []
    for a in kids:
        for b in kids:
            if a is not b:
                r = [x - y for x, y in zip(a.r_rel, b.r_rel)]
                both = product(product(a.psi, [(Irrep(1, -1), [MONOMIAL.vector(r)])], MONOMIAL), b.psi, MONOMIAL)
                pairs.append(scale(both, inverse_power(3)(r)))
    paper, ours = columns(relative(kids, MONOMIAL, (3,)), irrep), columns(add(pairs), irrep)
    assert paper == columns(pair_term(kids, MONOMIAL, radial=inverse_power(3)), irrep)
    assert paper == times(ours, T)
    assert any(any(f) for f in paper)


@pytest.mark.parametrize("basis", ["real", "complex"])
@pytest.mark.parametrize("irrep", OUT)
def test_recoupling_matrices_are_orthogonal(irrep, basis):
    for exact in (recoupling.first_order_matrix(PSI, irrep, basis), recoupling.relative_matrix(PSI, irrep, basis)):
        for i, row in enumerate(exact):
            for k, other in enumerate(exact):
                assert surd_sum([x * y for x, y in zip(row, other)]) == (i == k)


def test_types_of_so3_recouple_too():
    assert len(recoupling.first_order_matrix("1x0 + 1x1", "1")) == len(
        recoupling.fragments(recoupling.LEGS, ["1x0 + 1x1"] * 2 + ["1x1"] * 2, "1")
    )
