"""Certified truth against independent exact arithmetic."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from nbody_ref.certified.double_double import plus, times, two_product, two_sum
from nbody_ref.certified.sums import certify, evaluate_exactly, round_root_sum
from nbody_ref.certified.terms import derivatives
from nbody_ref.conformance import Harmonics, Instruction, Product
from nbody_ref.conformance.operations.product_cases import product_inputs
from nbody_ref.conformance.truth.harmonic_truth import certify_harmonics
from nbody_ref.errors import IrrepsError
from nbody_ref.exact.surd import Surd, round_fraction


def only_terms(op, inputs):
    (terms,) = op.terms(inputs)
    return terms


MIXED = Product.connected("2x0e+1x1o", "1x1o+1x2e", "2x1o+1x1e+1x2e")
U = Fraction(1, 2**53)


def decimal(root_sum):
    """A sum of roots to 60 digits, by mpmath."""
    with mpmath.workdps(60):
        total = mpmath.mpf(0)
        for r, Q in root_sum.items():
            total += mpmath.mpf(Q.numerator) / Q.denominator * mpmath.sqrt(mpmath.mpf(r.numerator) / r.denominator)
        return Fraction(mpmath.nstr(total, 55))


def draw(op, order, seed=0, rows=6):
    return product_inputs(op, "float64", seed, rows=rows, nodes=4, order=order)


@pytest.mark.parametrize("op", [MIXED, Product.convolution("2x0e+1x1o", 2), Product.full("2x1o", "1x2e")])
@pytest.mark.parametrize(("order", "tangent"), [(0, ""), (1, ""), (2, "x1"), (2, "x2")])
def test_sums_are_correctly_rounded_and_the_remainder_obeys_its_bound(op, order, tangent):
    inputs = draw(op, order)
    for (terms,) in derivatives(only_terms(op, inputs), order, tangent).values():
        truth = certify(terms, inputs)
        for j, exact in enumerate(evaluate_exactly(terms, inputs)):
            at = np.unravel_index(j, terms.shape)
            y = decimal(exact)
            assert truth.value[at] == round_fraction(y)
            bound = (4 * int(truth.n[at]) + 8 * len(terms.legs)) * U * U * Fraction(truth.S[at])
            assert abs(y - Fraction(truth.value[at]) - Fraction(truth.low[at])) <= bound


def test_cancellation_to_zero_is_decided_exactly_and_next_to_zero_is_not_zero():
    op = Product.full("1x1o", "1x1o", "uvuv")
    a = np.array([[0.1, 0.7, -0.3]])
    terms = only_terms(op, {"x1": a, "x2": a})
    truth = certify(terms, {"x1": a, "x2": a})
    cross = slice(op.irreps_out.offsets[1], op.irreps_out.offsets[2])
    assert (truth.value[0, cross] == 0).all() and truth.exact >= 3
    b = np.nextafter(a, 1)
    assert (certify(terms, {"x1": a, "x2": b}).value[0, cross] != 0).any()


def test_extreme_and_denormal_inputs_are_exact_too():
    op = Product.full("1x1o", "1x1o", "uvuv")
    inputs = {"x1": np.array([[5e-324, 1e-310, 0.0]]), "x2": np.array([[3e300, -1e290, 1.0]])}
    terms = only_terms(op, inputs)
    truth = certify(terms, inputs)
    for j, exact in enumerate(evaluate_exactly(terms, inputs)):
        assert truth.value.flat[j] == round_root_sum(exact)[0]
    assert truth.exact == truth.value.size


def test_error_free_transformations_are_exact():
    rng = np.random.default_rng(1)
    for a, b in rng.standard_normal((200, 2)) * 10.0 ** rng.integers(-30, 30, (200, 2)):
        for transform, exact in ((two_sum, Fraction(a) + Fraction(b)), (two_product, Fraction(a) * Fraction(b))):
            assert sum(map(Fraction, transform(a, b))) == exact
        x, y = two_sum(a, b * 1e-17), two_sum(b, a * 1e-18)
        product = sum(map(Fraction, x)) * sum(map(Fraction, y))
        total = sum(map(Fraction, x)) + sum(map(Fraction, y))
        assert abs(sum(map(Fraction, times(*x, *y))) - product) <= 7 * U * U * abs(product)
        assert abs(sum(map(Fraction, plus(*x, *y))) - total) <= 4 * U * U * abs(total)


def test_root_sums_round_correctly_where_double_rounding_would_not():
    tie = {Fraction(1): Fraction(2**53 + 1)}
    assert round_root_sum(tie) == (2.0**53, 1.0)
    above = tie | {Fraction(2): Fraction(1, 2**200)}
    assert round_root_sum(above)[0] == 2.0**53 + 2
    below = tie | {Fraction(2): Fraction(-1, 2**200)}
    assert round_root_sum(below)[0] == 2.0**53


@pytest.mark.parametrize("solid", [True, False])
@pytest.mark.parametrize("normalization", ["integral", "component", "norm"])
def test_harmonics_and_derivatives_agree_with_mpmath(solid, normalization):
    op = Harmonics(3, normalization, solid)
    r = np.array([[0.3, -1.25, 0.7]])
    g, v = np.linspace(-1, 1, 16)[None], np.array([[0.5, -0.25, 2.0]])
    orders = [certify_harmonics(op, r, k, g, v) for k in range(3)]

    def weighted(x, y, z):
        return mpmath.fsum(mpmath.mpf(g[0, k]) * f for k, f in enumerate(values(x, y, z)))

    def values(x, y, z):
        n = mpmath.sqrt(x * x + y * y + z * z)
        theta, phi = mpmath.acos(z / n), mpmath.atan2(y, x)
        for l in range(4):
            norm = {
                "integral": 1,
                "component": mpmath.sqrt(4 * mpmath.pi),
                "norm": mpmath.sqrt(4 * mpmath.pi / (2 * l + 1)),
            }[normalization]
            for m in range(-l, l + 1):
                Y = mpmath.spherharm(l, abs(m), theta, phi) * (-1) ** m * norm * (n**l if solid else 1)
                yield Y.real if m == 0 else mpmath.sqrt(2) * (Y.real if m > 0 else Y.imag)

    with mpmath.workdps(50):
        point = [mpmath.mpf(float(x)) for x in r[0]]
        for k, exact in enumerate(values(*point)):
            assert abs(exact - orders[0]["out"].value[0, k]) <= 2.0**-53 * abs(exact) + mpmath.mpf(10) ** -40
        for i in range(3):
            slope = mpmath.diff(weighted, point, tuple(int(i == k) for k in range(3)))
            assert abs(slope - orders[1]["r"].value[0, i]) <= 2.0**-52 * abs(slope)
            twice = [tuple(int(i == k) + int(j == k) for k in range(3)) for j in range(3)]
            parts = [float(v[0, j]) * mpmath.diff(weighted, point, twice[j]) for j in range(3)]
            curve = mpmath.fsum(parts)
            assert abs(curve - orders[2]["r"].value[0, i]) <= 2.0**-50 * orders[2]["r"].S[0, i]


def test_a_harmonic_that_vanishes_at_a_point_is_zero():
    truth = certify_harmonics(Harmonics(2), np.array([[1.0, 1.0, 0.0]]), 0)["out"]
    assert truth.value[0, 8] == 0.0 and truth.value[0, 2] == 0.0 and truth.value[0, 4] != 0.0


@pytest.mark.parametrize("op", [MIXED, Product.full("3x1o", "3x2e", "uuu", weighted=True)])
def test_products_survive_json(op):
    assert Product.from_dict(op.to_dict()) == op


def test_instructions_that_cannot_be_are_refused():
    for instruction, text in (
        (Instruction(0, 0, 3), "does not exist"),
        (Instruction(0, 0, 1, "uvw", Surd(1, 2)), "does not contain"),
        (Instruction(0, 0, 0, "uuu"), "equal multiplicities"),
        (Instruction(0, 0, 0, "uvv"), "gives 1 channels"),
    ):
        with pytest.raises(IrrepsError, match=text):
            Product(*map(MIXED.irreps_1.__class__, ("2x0e", "1x1o", "2x1o + 1x2e")), (instruction,))
