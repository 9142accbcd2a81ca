"""Gauges: the integer coupling is the orthonormal one up to diagonal roots; the real gauge is the same map again."""

import random
from fractions import Fraction

import pytest

from nbody_ref.exact.cg import cg_table, cg_table_real, clebsch_gordan, real_unitary, triples
from nbody_ref.exact.gauges import MONOMIAL, coupling_constant, coupling_from_table, monomial_coupling, real_gauge
from nbody_ref.exact.surd import Surd
from nbody_ref.exact.wigner import real_scale

PHASES = (1, 1j, -1, -1j)


def weight(l, m):
    return real_scale(l, m).square() / (2 if m else 1)


def test_integer_coupling_is_the_orthonormal_one_up_to_diagonal_roots():
    for l1, l2, l in triples(5):
        assert coupling_from_table(cg_table(l1, l2, l), l1, l2, l) == monomial_coupling(l1, l2, l)
        for m1, m2, m, entry in monomial_coupling(l1, l2, l):
            roots = weight(l, m) / weight(l1, m1) / weight(l2, m2)
            orthonormal = coupling_constant(l1, l2, l) * entry * Surd(1, roots.numerator, roots.denominator)
            assert orthonormal == clebsch_gordan(l1, m1, l2, m2, l, m)


def test_a_table_that_is_no_surd_of_the_right_class_is_refused():
    m1, m2, m, value = cg_table(1, 1, 2)[0]
    with pytest.raises(ValueError, match="is no CG coefficient"):
        coupling_from_table([(m1, m2, m, value * Surd(1, 2, 1))], 1, 1, 2)


def to_monomial(l, real):
    """Real components -> conj-U -> monomial components, in floating point."""
    complex_ones = [0] * (2 * l + 1)
    for m, n, k, size in real_unitary(l):
        complex_ones[n + l] += (PHASES[k] * float(size)).conjugate() * real[m + l]
    return [value / float(weight(l, n)) ** 0.5 for n, value in zip(range(-l, l + 1), complex_ones)]


def multiply(coupling, l1, l2, l, x, y):
    result = [0] * (2 * l + 1)
    for m1, m2, m, coefficient in coupling:
        result[m + l] += coefficient * x[m1 + l1] * y[m2 + l2]
    return result


def test_products_in_the_real_and_the_monomial_gauge_are_one_map():
    """C_real = i^s U C (U^+ x U^+): the product of transformed fragments is i^-s times the transformed product."""
    rng = random.Random(1)
    gauge = real_gauge()
    for l1, l2, l in triples(4):
        x, y = ([rng.uniform(-1, 1) for _ in range(2 * d + 1)] for d in (l1, l2))
        real = multiply(gauge.coupling(l1, l2, l), l1, l2, l, x, y)
        monomial = multiply(MONOMIAL.coupling(l1, l2, l), l1, l2, l, to_monomial(l1, x), to_monomial(l2, y))
        phase = PHASES[(l1 + l2 + l) % 2] * float(coupling_constant(l1, l2, l))
        for a, b in zip(to_monomial(l, real), monomial):
            assert abs(a - phase * b) < 1e-14


def test_real_gauge_holds_rounded_constants_in_the_number_type_asked_for():
    single = real_gauge(Fraction, "float32", "norm")
    for (m1, m2, m, number), (*key, value) in zip(single.coupling(2, 1, 1), cg_table_real(2, 1, 1)):
        assert [m1, m2, m] == key and number == Fraction(value.round("float32")) and isinstance(number, Fraction)
    r = (Fraction(1, 3), Fraction(-2), Fraction(5))
    assert single.harmonic(1, r) == single.vector(r) == [r[1], r[2], r[0]]
    assert abs(sum(x * x for x in real_gauge(normalization="component").harmonic(3, (0.6, 0.0, -0.8))) - 7) < 1e-13


def test_harmonics_of_the_two_gauges_are_one_fragment():
    r = (0.3, -0.7, 0.2)
    for l in range(5):
        for a, b in zip(to_monomial(l, real_gauge(normalization="norm").harmonic(l, r)), MONOMIAL.harmonic(l, r)):
            assert abs(a - complex(b)) < 1e-15
