"""Truth of programs: enclosures hold the exact value, adjoints are derivatives, gates hold, all against mpmath."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from nbody_ref.certified.enclosure import enclosed_exp, enclosed_sqrt, sin_cos_pi
from nbody_ref.certified.functions import SquareRoot
from nbody_ref.certified.program import program_derivatives
from nbody_ref.certified.program_sums import certify_program, run_program
from nbody_ref.certified.sums import Ball
from nbody_ref.certified.waves import Waves
from nbody_ref.conformance import Capabilities
from nbody_ref.conformance.operations.registry import REGISTRY
from nbody_ref.conformance.truth.lowering import lower
from nbody_ref.errors import NBodyRefError
from nbody_ref.gates.chain import Chain, Op, Step
from nbody_ref.ops.activation import Activation, ActivationFunction
from nbody_ref.ops.radial import Bessel, ExponentialCosine, InversePowers, Radial, RadialFunction


def composite_operations(name, lmax):
    return REGISTRY[name].suite(name, Capabilities(lmax=lmax))


FAMILIES = (InversePowers((-1, 0, 3)), Bessel(3, 5.0, 6), ExponentialCosine(3, 5.0, 4, 1.5))


def mp(x):
    return mpmath.mpf(x.numerator) / x.denominator


@pytest.mark.parametrize(
    "x", [Fraction(1, 3), Fraction(-7, 5), Fraction(10**9 + 7, 1000), Fraction(1, 2), Fraction(5), Fraction(1, 10**30)]
)
def test_enclosures_hold_the_exact_value(x):
    with mpmath.workdps(120):
        s, c = sin_cos_pi(x)
        small = Fraction(x.numerator % 1000, x.denominator)
        pairs = [(s, mpmath.sin(mpmath.pi * mp(x))), (c, mpmath.cos(mpmath.pi * mp(x)))]
        pairs += [(enclosed_exp(-small), mpmath.exp(-mp(small))), (enclosed_sqrt(abs(x)), mpmath.sqrt(abs(mp(x))))]
        for found, exact in pairs:
            assert abs(mp(found.mid) - exact) <= mp(found.rad) + mpmath.mpf(10) ** -115
            assert found.rad <= Fraction(1, 2**150) * max(1, abs(found.mid))


def test_an_enclosure_that_is_too_narrow_would_be_seen():
    s = sin_cos_pi(Fraction(1, 3))[0]
    with mpmath.workdps(120):
        assert abs(mp(s.mid) + mpmath.mpf(2) ** -200 - mpmath.sin(mpmath.pi / 3)) > mp(s.rad)


def definition(basis, n, l):
    """A radial function written straight from its published formula."""
    if isinstance(basis, InversePowers):
        return lambda d: d ** -(basis.powers[n] + l)
    p, rc = basis.p, mpmath.mpf(basis.cutoff)

    def cutoff(x):
        return 1 - (p + 1) * (p + 2) * x**p / 2 + p * (p + 2) * x ** (p + 1) - p * (p + 1) * x ** (p + 2) / 2

    if isinstance(basis, Bessel):
        return lambda d: mpmath.sqrt(2 / rc) * mpmath.sin((n + 1) * mpmath.pi * d / rc) / d * cutoff(d / rc) * d**-l
    return lambda d: mpmath.cos(n * mpmath.pi * mpmath.exp(-d / mpmath.mpf(basis.scale))) * cutoff(d / rc) * d**-l


@pytest.mark.parametrize("basis", FAMILIES, ids=lambda basis: type(basis).__name__)
def test_radial_functions_and_three_derivatives_equal_their_definitions(basis):
    function = RadialFunction(basis, 2)
    with mpmath.workdps(60):
        for d in (0.3, 4.9):
            for order in range(4):
                found = function.derivative(Fraction(d), order)
                for column, value in enumerate(found):
                    exact = mpmath.diff(definition(basis, column % basis.n, column // basis.n), mpmath.mpf(d), order)
                    assert abs(mp(value.mid) - exact) <= mpmath.mpf(10) ** -18 * (abs(exact) + mpmath.mpf(10) ** -3)
    assert all(value.mid == 0 for value in RadialFunction(FAMILIES[1], 1).derivative(Fraction(5), 1))


def test_square_roots_and_activations_and_their_derivatives():
    with mpmath.workdps(60):
        for name, function in {
            "silu": lambda x: x / (1 + mpmath.exp(-x)),
            "tanh": mpmath.tanh,
            "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
            "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
            "shifted_softplus": lambda x: mpmath.log((1 + mpmath.exp(x)) / 2),
            "leaky_relu": lambda x: x if x > 0 else mpmath.mpf(0.01) * x,
            "reciprocal": lambda x: 1 / x,
        }.items():
            for x in (-3.25, 2.0**-12, 1.5):
                for order in range(4):
                    (found,) = ActivationFunction(Activation(name, 1.5)).derivative(Fraction(x), order)
                    exact = 1.5 * mpmath.diff(function, mpmath.mpf(x), order)
                    assert abs(mp(found.mid) - exact) <= mpmath.mpf(10) ** -18 * (1 + abs(exact))
        for order in range(4):
            (found,) = SquareRoot().derivative(Fraction(7, 3), order)
            exact = mpmath.diff(mpmath.sqrt, mpmath.mpf(7) / 3, order)
            assert abs(mp(found.mid) - exact) <= mpmath.mpf(10) ** -18


def test_waves_and_their_derivatives():
    with mpmath.workdps(60):
        for turns, factor in ((True, 2 * mpmath.pi), (False, 1)):
            for x in (0.0, -1.375, 40.625):
                for order in range(4):
                    found = Waves(turns).derivative(Fraction(x), order)
                    for value, function in zip(found, (mpmath.sin, mpmath.cos)):
                        exact = mpmath.diff(lambda y, f=function, a=factor: f(a * y), mpmath.mpf(x), order)
                        assert abs(mp(value.mid) - exact) <= mpmath.mpf(10) ** -18 * (1 + abs(exact))


def test_functions_without_certified_values_are_refused():
    class Own(Radial):
        n = 1

    with pytest.raises(NBodyRefError, match="no certified values are known"):
        RadialFunction(Own(), 1)
    step = Step(Op("mine", *4 * [lambda *x: x]), ("a",), "b")
    with pytest.raises(NBodyRefError, match="a step 'mine' has no certified values"):
        lower(Chain((step,)), {"a": np.zeros((1, 1))}, {})


def test_kinks_have_no_certified_values_near_an_inexact_argument():
    kink = ActivationFunction(Activation("leaky_relu")).kink
    assert kink(Fraction(1, 2**60), 2.0**-60) and not kink(Fraction(1, 2**60), 2.0**-61) and not kink(Fraction(0), 0.0)


@pytest.fixture(scope="module")
def network():
    """A whole model, its program, and its leaves."""
    op = composite_operations("model", 2)[0]
    rng = np.random.default_rng(3)
    inputs = {"r": rng.standard_normal((3, 3)), "species": np.array([6, 1, 1]), "frame_ptr": np.array([0, 3])}
    inputs |= {name: rng.standard_normal(x.shape) for name, x in op.model.parameters.items()}
    program, out, constants = op.lowered(inputs)
    return op, program, out, inputs | constants


def test_adjoint_programs_are_derivatives_of_their_programs(network):
    """The gradient's truth, along a direction, is the derivative of the value's truth; so is the second order."""
    op, program, out, inputs = network
    names, g = ("r", *op.model.parameters), np.array([[1.25]])
    first, bars = program_derivatives(program, out, names, 1)
    second, twice = program_derivatives(program, out, names, 2, "r")
    rng = np.random.default_rng(4)
    direction = {name: rng.standard_normal(inputs[name].shape) for name in names}
    given = inputs | {"cotangent": g, "r_dot": rng.standard_normal(inputs["r"].shape)}
    step = 2.0**-16

    def along(longer, wanted):
        """Central difference of sum(weight * wanted) along `direction`."""
        total = Fraction(0)
        for sign in (1, -1):
            moved = {name: Ball.exactly(x) for name, x in given.items()}
            for name in names:
                exact = [
                    Fraction(float(x)) + sign * Fraction(float(v) * step)
                    for x, v in zip(given[name].ravel(), direction[name].ravel())
                ]
                hi = np.array([float(x) for x in exact]).reshape(given[name].shape)
                lo = np.array([float(x - Fraction(float(h))) for x, h in zip(exact, hi.ravel())]).reshape(hi.shape)
                moved[name] = Ball(hi, lo, np.zeros_like(hi))
            values, _ = run_program(longer, moved)
            for variable, weight in wanted:
                ball = values[variable]
                pairs = zip(ball.hi.ravel(), ball.lo.ravel(), weight.ravel())
                total += sign * sum((Fraction(a) + Fraction(b)) * Fraction(c) for a, b, c in pairs)
        return float(total / Fraction(2 * step))

    for longer, results, wanted in (
        (first, bars, [(out, g)]),
        (second, {k: v for k, v in twice.items() if k != "cotangent"}, [(bars["r"], given["r_dot"])]),
    ):
        values, _ = run_program(longer, {name: Ball.exactly(x) for name, x in given.items()})
        slope = sum(float(np.sum(values[results[name]].hi * direction[name])) for name in results)
        size = sum(float(np.sum(np.abs(values[results[name]].hi * direction[name]))) for name in results)
        source = program if longer is first else first
        assert abs(slope - along(source, wanted)) <= 1e-6 * size  # third derivative times the squared step
    assert set(bars) == set(names) and set(twice) == {*names, "cotangent"}


def test_truth_of_programs_is_decided_to_the_last_bit_and_lies_within_its_gate(network):
    op, program, out, inputs = network
    for order, tangent in ((0, ""), (1, ""), (2, "r")):
        longer, results = program_derivatives(program, out, op.differentiable, order, tangent)
        given = inputs | {"cotangent": np.array([[1.25]]), "r_dot": np.linspace(-1, 1, 9).reshape(3, 3)}
        for truth in certify_program(longer, results, given).values():
            assert truth.undecided == 0 and (truth.radius <= 2.0**-90 * truth.S).all()
            assert (truth.S >= np.abs(truth.value) * 2.0**-6).all()
