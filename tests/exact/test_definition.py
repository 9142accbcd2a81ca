"""Gates straight from the paper: types, hand-computed values, covariance exactly zero, and the errata that matter."""

import random
from fractions import Fraction

import pytest

from nbody_ref.errors import GeometryError, IrrepsError, ShapeError
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
    summed_leg,
    zeroth_order,
)
from nbody_ref.exact.gauges import MONOMIAL, real_gauge
from nbody_ref.exact.network import flatten, rational_points, rotate, transform, unflatten
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.surd import surd_sum
from nbody_ref.exact.wigner import monomial_D, wigner_D_real
from nbody_ref.irreps import Irrep, Irreps

Q = (1, 2, 3, 4)
REAL = real_gauge(Fraction, normalization="norm")


def random_state(tau, rng):
    return unflatten(tau, [Gauss(rng.randrange(-4, 5), rng.randrange(-4, 5)) for _ in range(Irreps(tau).dim)])


def children(count, tau="1x0e + 1x1o", seed=1):
    rng = random.Random(seed)
    return [Child(r, random_state(tau, rng)) for r in rational_points(count)]


def turned(kids, inversion=False):
    return [Child(rotate(k.r_rel, Q, inversion), transform(k.psi, matrix, inversion), k.own) for k in kids]


def matrix(l):
    return monomial_D(l, Q)


def type_of(state):
    return Irreps((len(fragments), irrep) for irrep, fragments in state)


def test_zeroth_order_gate_has_the_corrected_type_of_the_paper():
    """Erratum E1: (1,..,1) x (0,1) has tau = (1, 3, ..., 3, 2, 1) and the gate three times as many."""
    for L, counts in [(1, (1, 2, 1)), (2, (1, 3, 2, 1)), (3, (1, 3, 3, 2, 1)), (4, (1, 3, 3, 3, 2, 1))]:
        tau = " + ".join(f"1x{l}" for l in range(L + 1))
        state = unflatten(tau, [1] * Irreps(tau).dim)
        for powers, factor in [((0,), 1), ((0, 1, 2), 3)]:
            found = type_of(zeroth_order([Child((1, 2, 2), state)], REAL, powers))
            assert tuple(found.count(str(l)) for l in range(L + 2)) == tuple(factor * n for n in counts)


def test_zeroth_order_gate_of_charges_is_the_dipole_and_the_coulomb_field():
    """Scalar states q_i: the gate is sum q r, sum q r / |r|, sum q r / |r|^2, in (y, z, x)."""
    charges, points = (3, -2), ((1, 2, 2), (2, -3, 6))
    kids = [Child(r, [(Irrep(0), [[q]])]) for q, r in zip(charges, points)]
    (_, (dipole,)), (_, (first,)), (_, (second,)) = zeroth_order(kids, REAL)
    for power, fragment in enumerate((dipole, first, second)):
        expected = [
            sum(q * Fraction(r[axis]) / length**power for q, r, length in zip(charges, points, (3, 7)))
            for axis in (1, 2, 0)
        ]
        assert fragment == expected


def test_product_of_vectors_is_dot_cross_and_channels_run_u_times_mul_b_plus_v():
    a = [(Irrep(1), [[2, 3, 1], [0, 0, 1]])]  # (y, z, x): the vectors (1, 2, 3) and x
    b = [(Irrep(1), [[5, 6, 4], [0, 1, 0], [1, 0, 0]])]  # (4, 5, 6), z and y
    parts = product(a, b, real_gauge())
    assert [str(irrep) for irrep, _ in parts] == ["0", "1", "2"] and [len(f) for _, f in parts] == [6, 6, 6]
    dots = [fragment[0] * -(3**0.5) for fragment in parts[0][1]]
    assert dots == pytest.approx([32, 3, 2, 4, 0, 0], abs=1e-14)
    cross = [x * 2**0.5 for x in parts[1][1][0]]
    assert cross == pytest.approx([6, -3, -3], abs=1e-14)  # (1,2,3) x (4,5,6) = (-3, 6, -3) in (y, z, x)


def test_mixing_is_a_right_product_on_concatenated_parts():
    state = [(Irrep(1), [[1, 2, 3]]), (Irrep(0), [[7]]), (Irrep(1), [[4, 5, 6], [0, 0, 1]])]
    mixed = mixing(state, [(Irrep(1), [[1, 0], [2, 0], [0, 3]]), (Irrep(0), [[-1]])])
    assert mixed == [(Irrep(1), [[9, 12, 15], [0, 0, 3]]), (Irrep(0), [[-7]])]
    with pytest.raises(ShapeError, match="must have 3 rows for irrep 1, got 2"):
        mixing(state, [(Irrep(1), [[1], [2]])])
    with pytest.raises(IrrepsError, match="no fragment of irrep 2"):
        mixing(state, [(Irrep(2), [[1]])])


@pytest.mark.parametrize("inversion", [False, True])
def test_every_gate_is_covariant_with_residual_exactly_zero(inversion):
    kids = children(3)
    keep = (Irrep(0, 1), Irrep(1, -1), Irrep(2, 1))
    legs = [Leg((0, 1), inverse_power(3)), Leg((2,), state=False), Leg()]
    for gate in (
        lambda c: zeroth_order(c, MONOMIAL),
        lambda c: relative(c, MONOMIAL),
        lambda c: first_order(c[:2], MONOMIAL, powers=(0, 1), keep=keep),
        lambda c: legs_product(c, legs, MONOMIAL, keep),
        lambda c: pair_term(c, MONOMIAL, (0, 2), inverse_power(1), keep),
    ):
        before = gate(kids)
        assert any(flatten(before)) and gate(turned(kids, inversion)) == transform(before, matrix, inversion)


def test_planted_errors_break_covariance():
    """One sign of one coupling; components mixed with each other; a radial that is no function of |r|."""
    kids = children(2)
    for gate in (
        lambda c: product(c[0].psi, c[1].psi, flipped()),
        lambda c: summed_leg(c, LOPSIDED, MONOMIAL),
        component_mixer,
    ):
        assert gate(turned(kids)) != transform(gate(kids), matrix)


LOPSIDED = Leg((1,), lambda r: r[0])


def flipped():
    def coupling(l1, l2, l):
        table = list(MONOMIAL.coupling(l1, l2, l))
        if (l1, l2, l) == (1, 1, 2):
            m1, m2, m, entry = table[3]
            table[3] = (m1, m2, m, -entry)
        return table

    return type(MONOMIAL)("flipped", coupling, MONOMIAL.harmonic, MONOMIAL.vector)


def component_mixer(kids):
    return [(irrep, [f[1:] + f[:1] for f in fragments]) for irrep, fragments in kids[0].psi]


def test_gates_do_not_depend_on_the_order_of_the_children():
    kids = children(3)
    for gate in (zeroth_order, relative):
        assert gate(kids, MONOMIAL) == gate(kids[::-1], MONOMIAL)


def test_first_order_gate_is_the_product_of_summed_legs_up_to_recoupling():
    """Eq. (11) for scalar states: sum_ij q_i q_j r_i x r_j = (sum q r) x (sum q r), order k^2 against order k."""
    kids = [Child(r, [(Irrep(0), [[q]])]) for q, r in zip((3, -2, 5), rational_points(3))]
    leg = Leg((1,), inverse_power(2))
    assert first_order(kids, REAL, powers=(2,)) == legs_product(kids, [leg, leg], REAL)


def test_pairs_leave_out_the_diagonal_and_refuse_coincident_children():
    kids = children(2)
    total = relative(kids, MONOMIAL, powers=(0,))
    both = [pair_term([a, b], MONOMIAL) for a, b in [kids]]
    assert total == both[0]
    with pytest.raises(GeometryError, match="children 0 and 1 are at the same position"):
        relative([kids[0], kids[0]], MONOMIAL)


def test_own_child_enters_bare_terms_only():
    psi = [(Irrep(0), [[2]])]
    kids = [Child((0, 0, 0), psi, own=True), Child((1, 2, 2), psi)]
    assert summed_leg(kids, Leg(), REAL) == [(Irrep(0), [[4]])]
    assert summed_leg(kids, Leg((0,)), REAL) == [(Irrep(0), [[2]])]
    assert zeroth_order(kids, REAL, powers=(2,)) == zeroth_order(kids[1:], REAL, powers=(2,))
    with pytest.raises(GeometryError, match="does not exist at r = 0"):
        zeroth_order([Child((0, 0, 0), psi)], REAL, powers=(1,))


def test_inverse_powers_are_exact_where_they_exist():
    assert [inverse_power(s)((1, 2, 2)) for s in range(4)] == [1, Fraction(1, 3), Fraction(1, 9), Fraction(1, 27)]
    assert inverse_power(2)((1, 1, 0)) == Fraction(1, 2)
    assert inverse_power(3)((0.0, 3.0, 4.0)) == 1 / 125.0
    with pytest.raises(GeometryError, match="irrational for r\\^2 = 2"):
        inverse_power(1)((1, 1, 0))


def test_gates_run_over_floats_and_over_the_exact_values_of_the_rounded_tables():
    """The float gate differs from its exact value by rounding only: k u S with S from absolute values."""
    tau, rng = "1x0e + 1x1o", random.Random(3)
    points = [tuple(map(float, r)) for r in rational_points(3)]
    kids = [Child(r, unflatten(tau, [rng.uniform(-1, 1) for _ in range(4)])) for r in points]
    exact = [Child(tuple(map(Fraction, k.r_rel)), unflatten(tau, list(map(Fraction, flatten(k.psi))))) for k in kids]
    size = [Child(tuple(map(abs, k.r_rel)), unflatten(tau, list(map(abs, flatten(k.psi))))) for k in kids]
    floats = flatten(zeroth_order(kids, real_gauge(normalization="norm"), powers=(0, 2)))
    truth = flatten(zeroth_order(exact, REAL, powers=(0, 2)))
    absolute = type(REAL)("absolute", lambda *t: [(*e[:3], abs(e[3])) for e in REAL.coupling(*t)], None, REAL.vector)
    gauge = [float(x) for x in flatten(zeroth_order(size, absolute, powers=(0, 2)))]
    for a, b, s in zip(floats, truth, gauge):
        # chain: r^2 (3), its inverse (1), two products per term, 3 terms per component, the factor, 3 children
        assert abs(a - b) <= 14 * 2.0**-53 * s


def test_real_gauge_gate_is_covariant_in_surds():
    """One charge per child: sum q r turns with the orthogonal D^1 of surds."""
    kids = [Child(r, [(Irrep(0), [[q]])]) for q, r in zip((3, -2), rational_points(2))]
    (_, (before,)), (_, (after,)) = (
        zeroth_order(k, REAL, powers=(0,))[0] for k in (kids, [Child(rotate(c.r_rel, Q), c.psi) for c in kids])
    )
    assert [surd_sum([d * x for d, x in zip(row, before)]) for row in wigner_D_real(1, Q)] == after


def test_sums_need_one_type_and_parities_do_not_mix():
    with pytest.raises(IrrepsError, match="same type"):
        add([[(Irrep(0), [[1]])], [(Irrep(1), [[1, 2, 3]])]])
    with pytest.raises(IrrepsError, match="cannot mix"):
        product([(Irrep(0), [[1]])], [(Irrep(0, 1), [[1]])], REAL)
    assert scale([(Irrep(0), [[3]])], 2) == [(Irrep(0), [[6]])] and add([]) == []
