"""Solid harmonics against mpmath's spherical harmonics, rounding included, and the theorems that define them."""

import math
import random
from fractions import Fraction

import mpmath
import pytest

from nbody_ref.errors import ArgumentError
from nbody_ref.exact.harmonics import (
    fragment_polynomial,
    monomial_fragments,
    pi_enclosure,
    round_over_root_4pi,
    solid_harmonic,
)
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.surd import FORMATS, Surd, surd_sum
from nbody_ref.exact.wigner import monomial_D, rotation_matrix, wigner_D_real

POINT = (Fraction(1, 3), -2, Fraction(5, 7))
Q = (1, 2, 3, 4)


def mpmath_harmonic(l, m, r):
    """conj(r^l Y^l_m(r)) by mpmath, "integral" normalization, Condon-Shortley phase."""
    x, y, z = (mpmath.mpf(Fraction(part).numerator) / Fraction(part).denominator for part in r)
    length = mpmath.sqrt(x * x + y * y + z * z)
    value = mpmath.spherharm(l, m, mpmath.acos(z / length), mpmath.atan2(y, x))
    return mpmath.conj(value) * length**l


def mpmath_real(l, m, r):
    """Real harmonics without Condon-Shortley phase from the complex ones."""
    value = mpmath_harmonic(l, abs(m), r) * (-1) ** m
    if m == 0:
        return value.real
    return mpmath.sqrt(2) * (value.real if m > 0 else -value.imag)


@pytest.mark.parametrize("l", [0, 1, 2, 3, 4, 8, 20])
def test_values_are_mpmath_values_correctly_rounded(l, nearest):
    components = range(-l, l + 1) if l <= 4 else (-l, -3, 0, 1, l - 1)
    with mpmath.workdps(80):
        for m in components:
            expected = mpmath_real(l, m, POINT)
            ours = solid_harmonic(l, m)
            for fmt in FORMATS:
                assert ours.rounded_value(POINT, fmt) == nearest(expected, fmt), (l, m, fmt)
            expected = mpmath_harmonic(l, m, POINT)
            value = solid_harmonic(l, m, basis="complex").rounded_value(POINT)
            assert (value.real, value.imag) == (nearest(expected.real, "float64"), nearest(expected.imag, "float64"))


def test_normalizations_differ_by_the_stated_constants():
    for l in range(5):
        for normalization, total in [("norm", 1), ("component", 2 * l + 1)]:
            values = [solid_harmonic(l, m, normalization).value(POINT).square() for m in range(-l, l + 1)]
            assert sum(values) == total * sum(Fraction(part) ** 2 for part in POINT) ** l
        assert solid_harmonic(l, 0).over_4pi and solid_harmonic(l, 0).scale == solid_harmonic(l, 0, "component").scale


def test_degree_one_is_the_position_in_yzx_order():
    assert [solid_harmonic(1, m, "norm").value(POINT) for m in (-1, 0, 1)] == [POINT[1], POINT[2], POINT[0]]


def laplacian(terms):
    found = {}
    for powers, a in terms.items():
        for axis in range(3):
            n = powers[axis]
            if n >= 2:
                lower = powers[:axis] + (n - 2,) + powers[axis + 1 :]
                found[lower] = found.get(lower, 0) + a * (n * (n - 1))
    return {powers: a for powers, a in found.items() if a}


def test_laplacian_vanishes_and_a_planted_coefficient_is_seen():
    for l in range(9):
        for m in range(-l, l + 1):
            terms = solid_harmonic(l, m).terms
            assert not laplacian(terms) and all(sum(powers) == l for powers in terms)
    wrong = dict(solid_harmonic(3, 0).terms)
    wrong[0, 0, 3] += Fraction(1, 10**9)
    assert laplacian(wrong)


def test_harmonics_are_covariant_exactly_in_both_gauges():
    turned = [sum(a * b for a, b in zip(row, POINT)) for row in rotation_matrix(Q)]
    before, after = monomial_fragments(6, POINT), monomial_fragments(6, turned)
    for l in range(7):
        assert [sum((a * b for a, b in zip(row, before[l])), Gauss(0)) for row in monomial_D(l, Q)] == after[l]
        real = [solid_harmonic(l, m, "norm") for m in range(-l, l + 1)]
        for row, target in zip(wigner_D_real(l, Q), real):
            assert surd_sum([a * h.value(POINT) for a, h in zip(row, real)]) == target.value(turned)


def test_recursion_and_closed_form_agree_over_integers_and_floats():
    for r in [POINT, (1, -2, 3), (0.5, -0.25, 2.0)]:
        for l, fragment in enumerate(monomial_fragments(5, r)):
            for m, value in zip(range(-l, l + 1), fragment):
                closed = solid_harmonic(l, m, "norm", "complex").evaluate(r)
                assert abs(complex(closed - value)) <= 1e-14 * abs(complex(closed))
                assert closed == value or isinstance(r[0], float)


def test_monomial_and_complex_components_differ_by_the_factorials():
    assert solid_harmonic(3, 2, "norm", "complex").scale == Surd(1, math.factorial(5), 1)
    assert fragment_polynomial(1, 1) == {(0, 1, 0): Gauss(0, Fraction(1, 2)), (1, 0, 0): Gauss(Fraction(-1, 2))}


def test_pi_is_enclosed_and_its_roundings_are_correct(nearest):
    rng = random.Random(3)
    with mpmath.workprec(1200):
        for bits in (64, 128, 1024):
            low, high = pi_enclosure(bits)
            below, above = (mpmath.mpf(end.numerator) / end.denominator for end in (low, high))
            assert below < mpmath.pi < above
            assert high - low < Fraction(bits, 1 << (bits - 6))
        for _ in range(300):
            number = Surd(rng.choice((-1, 1)), rng.randrange(1, 10**9), rng.randrange(1, 10**9))
            exact = number.sign * mpmath.sqrt(mpmath.mpf(number.p) / number.q / (4 * mpmath.pi))
            for fmt in FORMATS:
                assert round_over_root_4pi(number, fmt) == nearest(exact, fmt)
    assert round_over_root_4pi(Surd(0, 0, 1)) == 0.0


def test_enclosure_is_narrowed_where_the_first_one_cannot_decide(nearest):
    """A radicand built so that the root over sqrt(4 pi) is a tie up to 2^-120: the first enclosure straddles it."""
    with mpmath.workprec(400):
        target = (1 + mpmath.mpf(2) ** -53) ** 2 * 4 * mpmath.pi
        radicand = Fraction(int(mpmath.nint(target * 2**250)), 2**250)
        number = Surd(1, radicand.numerator, radicand.denominator)
        exact = mpmath.sqrt(mpmath.mpf(radicand.numerator) / radicand.denominator / (4 * mpmath.pi))
        assert round_over_root_4pi(number) == nearest(exact, "float64")


def test_errors_name_what_is_wrong():
    with pytest.raises(ArgumentError, match="'m' must be an integer from -l to l"):
        solid_harmonic(1, 2)
    with pytest.raises(ArgumentError, match="'normalization' must be one of"):
        solid_harmonic(1, 0, "unit")
    with pytest.raises(ArgumentError, match="'basis' must be"):
        solid_harmonic(1, 0, basis="cubic")
    with pytest.raises(ArgumentError, match="are surds"):
        solid_harmonic(1, 0).value(POINT)
