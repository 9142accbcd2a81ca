"""Definition 3: a network over Gaussian rationals, its covariance, and how malformed networks are refused."""

import random
from fractions import Fraction

import pytest

from nbody_ref.errors import SchemeError, ShapeError
from nbody_ref.exact.definition import Leg, mixing, summed_leg, zeroth_order
from nbody_ref.exact.gauges import MONOMIAL
from nbody_ref.exact.network import (
    affine_position,
    evaluate,
    evaluate_scheme,
    flatten,
    rational_points,
    rotate,
    transform,
    unflatten,
)
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.wigner import monomial_D
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.scheme import neighbourhoods

Q = (2, 1, 0, 0)


def two_layers(positions, states, planted=None):
    """Three atoms, two pairs at their midpoints, the whole; gate (10) with s = 0, 2 everywhere."""
    half = Fraction(1, 2)
    nodes = [affine_position({a: half, b: half}, positions) for a, b in ((0, 1), (1, 2))]
    root = affine_position({0: half, 1: Fraction(1, 4), 2: Fraction(1, 4)}, positions)
    rng = random.Random(4)

    def gate(out):
        irreps = Irreps(out)
        weights = [[[rng.randrange(-3, 4) for _ in range(mul)] for _ in range(40)] for mul, _ in irreps]

        def rule(children):
            terms = zeroth_order(children, MONOMIAL, (0, 2), [irrep for _, irrep in irreps])
            counts = {irrep: sum(len(f) for part, f in terms if part == irrep) for _, irrep in irreps}
            mixed = mixing(terms, [(irrep, w[: counts[irrep]]) for (_, irrep), w in zip(irreps, weights)])
            return planted(mixed) if planted else mixed

        return rule

    middle = gate("2x0e + 2x1o")
    children = [(), (), (), (0, 1), (1, 2), (3, 4)]
    return evaluate(children, [*positions, *nodes, root], states, {3: middle, 4: middle, 5: gate("1x0e + 1x1o + 1x2e")})


def leaves():
    rng = random.Random(2)
    tau = Irreps("1x0e + 1x1o")
    return {k: unflatten(tau, [Gauss(rng.randrange(-4, 5), rng.randrange(-4, 5)) for _ in range(4)]) for k in range(3)}


def matrix(l):
    return monomial_D(l, Q)


def compare(planted=None, inversion=False):
    positions, states = rational_points(3), leaves()
    before = two_layers(positions, states, planted)
    moved = [[x + shift for x, shift in zip(rotate(r, Q, inversion), (5, -2, Fraction(1, 3)))] for r in positions]
    after = two_layers(moved, {k: transform(s, matrix, inversion) for k, s in states.items()}, planted)
    assert any(flatten(before[-1]))
    return all(transform(a, matrix, inversion) == b for a, b in zip(before, after))


@pytest.mark.parametrize("inversion", [False, True])
def test_network_is_covariant_and_translation_invariant_exactly_at_every_node(inversion):
    assert compare(inversion=inversion)


def test_componentwise_nonlinearity_breaks_the_covariance():
    """Section 4: no other nonlinearity; squaring every component is the planted error, squaring scalars is not."""
    assert not compare(lambda state: [(irrep, [[x * x for x in f] for f in fragments]) for irrep, fragments in state])
    assert compare(lambda state: [(i, [[x * x for x in f] for f in fs] if i == Irrep(0, 1) else fs) for i, fs in state])


def chain_network(positions, states):
    """Atoms in a row, their neighbourhoods on two levels, the molecule: bare states and gate (10) with s = 0, 2."""
    scheme = neighbourhoods([(1,), (0, 2), (1,)], [1, 6, 1], depth=2)
    keep = [Irrep(0, 1), Irrep(1, -1)]

    def rule(children):
        terms = summed_leg(children, Leg(), MONOMIAL) + zeroth_order(children, MONOMIAL, (0, 2), keep)
        rng, weights = random.Random(len(children)), []
        for irrep in keep:
            rows = sum(len(f) for part, f in terms if part == irrep)
            weights.append((irrep, [[rng.randrange(-3, 4)] for _ in range(rows)]))
        return mixing(terms, weights)

    return evaluate_scheme(scheme, positions, states, {node.kind: rule for node in scheme.nodes if node.children})


@pytest.mark.parametrize("inversion", [False, True])
def test_network_on_a_scheme_of_neighbourhoods_is_covariant_exactly(inversion):
    """The central atom of a neighbourhood enters the bare term only, and nothing is divided by 0."""
    positions, states = rational_points(3), leaves()
    before = chain_network(positions, states)
    moved = [[x + 7 for x in rotate(r, Q, inversion)] for r in positions]
    after = chain_network(moved, {k: transform(s, matrix, inversion) for k, s in states.items()})
    assert len(before) == 10 and any(flatten(before[-1]))
    assert all(transform(a, matrix, inversion) == b for a, b in zip(before, after))


def test_states_keep_the_layout_of_the_arrays():
    flat = list(range(8))
    state = unflatten("2x1o + 2x0e", flat)
    assert state[0] == (Irrep(1, -1), [[0, 2, 4], [1, 3, 5]]) and flatten(state) == flat
    with pytest.raises(ShapeError, match="must have 8 components, got 3"):
        unflatten("2x1o + 2x0e", [1, 2, 3])


def test_rational_points_have_rational_distances():
    points = rational_points(6)
    pairs = [(a, b) for k, a in enumerate(points) for b in [[0, 0, 0], *points[:k]]]
    for a, b in pairs:
        square = sum((x - y) ** 2 for x, y in zip(a, b))
        root = Fraction(round(square.numerator**0.5), round(square.denominator**0.5))
        assert root * root == square > 0


def test_malformed_networks_are_refused():
    with pytest.raises(SchemeError, match="its own descendant"):
        evaluate([(1,), (0,)], [(0, 0, 0)] * 2, {}, {0: len, 1: len})
    with pytest.raises(SchemeError, match="leaf 0 has no rule"):
        evaluate([()], [(0, 0, 0)], {}, {})
    with pytest.raises(SchemeError, match="inner node 1 has no rule"):
        evaluate([(), (0,)], [(0, 0, 0)] * 2, {0: []}, {})
    with pytest.raises(SchemeError, match="must sum to 1"):
        affine_position({0: Fraction(1, 2)}, [(0, 0, 0)])
