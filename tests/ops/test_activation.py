"""Functions of one number and two derivatives against mpmath; bounds of docs/derivations/activation.md."""

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import DTypeError, NBodyRefError, ShapeError
from nbody_ref.ops import activation as op
from nbody_ref.ops.activation import Activation, activation, activation_jvp, activation_vjp, activation_vjp_jvp

mpmath.mp.dps = 50
POINTS = np.array([-600.0, -60.0, -9.0, -2.5, -0.7, -1e-3, -1e-12, 0.0, 1e-9, 0.02, 0.3, 1.1, 4.0, 17.0, 80.0, 650.0])
DTYPES = [np.float64, np.float32]
NAMES = sorted(op._SHAPES)
SLOPE = mpmath.mpf(0.01)
K = 16


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


EXACT = {
    "silu": lambda x: x * sigmoid(x),
    "sigmoid": sigmoid,
    "tanh": mpmath.tanh,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "shifted_softplus": lambda x: mpmath.log1p(mpmath.exp(x)) - mpmath.log(2),
    "leaky_relu": lambda x: x if x > 0 else SLOPE * x,
    "reciprocal": lambda x: 1 / x,
}


def derivative(name, x, order):
    """By Cauchy's formula of mpmath, which knows nothing of our formulas; the kink of leaky_relu by hand."""
    x = mpmath.mpf(float(x))
    if name == "leaky_relu" and order:
        return mpmath.mpf(0) if order == 2 else (mpmath.mpf(1) if x > 0 else SLOPE)
    with mpmath.workdps(350):  # far from zero the functions differ from their limits by exp(-|x|)
        return mpmath.diff(EXACT[name], x, order) if order else EXACT[name](x)


def sizes(name, x):
    """S of the value and of two derivatives: the sizes of the terms of (A1)-(A6)."""
    x = np.asarray(x, float)
    with np.errstate(under="ignore"):
        e = np.exp(-abs(x))
        s, t = np.where(x >= 0, 1 / (1 + e), e / (1 + e)), np.where(x >= 0, e / (1 + e), 1 / (1 + e))
        slope = 4 * e * e / (1 + e * e) ** 2
        tail = np.log1p(e)
        table = {
            "silu": (abs(x) * s, s * (1 + abs(x) * t), s * t * (2 + abs(x))),
            "sigmoid": (s, s * t, s * t),
            "tanh": (abs(np.tanh(x)), slope, 2 * abs(np.tanh(x)) * slope),
            "softplus": (np.maximum(x, 0) + tail, s, s * t),
            "shifted_softplus": (np.maximum(x, 0) - np.log1p(np.expm1(-abs(x)) / 2), s, s * t),
            "leaky_relu": (np.where(x > 0, x, -0.01 * x), np.where(x > 0, 1, 0.01), 0 * x),
        }
    if name == "reciprocal":
        return 1 / abs(x), 1 / x**2, 2 / abs(x) ** 3
    return table[name]


def within(got, exact, allowed, dtype):
    floor = 4 * float(np.finfo(dtype).smallest_subnormal)
    return abs(mpmath.mpf(float(got)) - exact) <= mpmath.mpf(float(allowed)) + floor


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_activation_and_its_derivatives_are_within_the_bound(name, dtype):
    kind, u, x = Activation(name, 1.25), np.finfo(dtype).eps / 2, POINTS.astype(dtype)
    if dtype is np.float32:
        x = x[abs(x) < 80]  # exp(-80) is the smallest normal float32
    x = x[abs(x) > 1e-10] if name == "reciprocal" else x
    ones = np.ones_like(x)
    found = (activation(x, kind), activation_jvp(x, ones, kind), activation_vjp_jvp(ones, x, None, ones, kind)[0])
    caught = 0
    for order, (got, S) in enumerate(zip(found, sizes(name, x), strict=True)):
        assert got.dtype == dtype
        for i, point in enumerate(x):
            exact, allowed = 1.25 * derivative(name, point, order), K * u * 1.25 * S[i]
            assert within(got[i], exact, allowed, dtype), (name, order, point)
            wrong = 0.999 * got[i]  # planted error
            caught += not within(wrong, exact, allowed, dtype)
    assert caught > len(x)


@pytest.mark.parametrize("name", NAMES)
def test_adjoint_and_its_tangent_are_the_derivatives_times_the_seeds(name):
    kind, rng = Activation(name, -0.5), np.random.default_rng(1)
    x, v, g, g_dot = rng.standard_normal((4, 5, 7))
    ones = np.ones_like(x)
    first, second = activation_jvp(x, ones, kind), activation_vjp_jvp(ones, x, None, ones, kind)[0]
    assert (activation_jvp(x, v, kind) == first * v).all()
    assert (activation_vjp(g, x, kind)[0] == first * g).all()
    both = activation_vjp_jvp(g, x, g_dot, v, kind)[0]
    assert (both == first * g_dot + second * g * v).all()
    assert (activation_vjp_jvp(g, x, g_dot, None, kind)[0] == first * g_dot).all()
    if name != "leaky_relu":
        assert not (both == first * g_dot - second * g * v).any()  # planted error


@pytest.mark.parametrize("name", [name for name, shape in op._SHAPES.items() if shape.unit is not None])
def test_normalized_factor_gives_unit_second_moment(name):
    with mpmath.workdps(30):
        density = lambda z: EXACT[name](z) ** 2 * mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)  # noqa: E731
        moment = mpmath.quad(density, [-30, -12, -6, -3, -1, 0, 1, 3, 6, 12, 30])
        assert Activation.normalized(name).factor == float(1 / mpmath.sqrt(moment))


def test_absent_tangents_and_unneeded_adjoints_cost_nothing():
    kind, x = Activation("silu"), np.ones(3)
    assert activation_jvp(x, None, kind) is None
    assert activation_vjp(x, x, kind, needs=(False,)) == (None,)
    assert activation_vjp_jvp(x, x, None, None, kind) == (None,)
    assert activation(np.zeros((0, 4)), kind).shape == (0, 4)


def test_not_a_number_is_not_swallowed():
    assert np.isinf(activation(np.zeros(1), Activation("reciprocal"))).all()
    for name in NAMES:
        assert np.isnan(activation(np.array([np.nan]), Activation(name))).all()


def test_description_round_trips_and_wrong_arguments_are_named():
    kind = Activation.normalized("silu")
    assert Activation.from_dict(kind.to_dict()) == kind
    with pytest.raises(NBodyRefError, match=r"Activation: 'name' must be one of \[.*\], got 'gelu'"):
        Activation.normalized("gelu")
    with pytest.raises(NBodyRefError, match="'factor' must be finite"):
        Activation("silu", np.inf)
    with pytest.raises(DTypeError, match="activation: 'x' must be float64 or float32, got complex128"):
        activation(np.ones(2) + 0j, kind)
    with pytest.raises(ShapeError, match="activation_vjp: 'y_bar'"):
        activation_vjp(np.ones(3), np.ones(2), kind)
