"""Radial functions and two derivatives against mpmath's differentiation; bounds of docs/derivations/radial.md."""

import json
from functools import cache
from math import comb

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, DTypeError, GeometryError, ShapeError
from nbody_ref.ops import radial as r

mpmath.mp.dps = 50
LMAX = 3
CUTOFF = 5.0
DISTANCES = np.array([0.03, 0.4, 1.1, 2.345, 3.7, 4.6, 4.99, 4.999999, 5.0, 7.5])
BASES = [r.InversePowers((0, 1, 2, 6, -3)), r.Bessel(6, CUTOFF), r.Bessel(3, CUTOFF, 2), r.ExponentialCosine(6, CUTOFF)]
DTYPES = [np.float64, np.float32]


def exact_function(basis, i):
    """g_i as a function of an mpf, written from its definition."""
    if isinstance(basis, r.InversePowers):
        return lambda d: d ** -basis.powers[i]
    rc, p = mpmath.mpf(basis.cutoff), basis.p

    def envelope(d):  # the textbook form, which cancels near 1
        x = d / rc
        return 1 - (p + 1) * (p + 2) * x**p / 2 + p * (p + 2) * x ** (p + 1) - p * (p + 1) * x ** (p + 2) / 2

    if isinstance(basis, r.Bessel):
        n = i + 1
        return lambda d: mpmath.sqrt(2 / rc) * mpmath.sin(n * mpmath.pi * d / rc) / d * envelope(d)
    return lambda d: mpmath.cos(i * mpmath.pi * mpmath.exp(-d / mpmath.mpf(basis.scale))) * envelope(d)


def exact_derivatives(basis, d, order):
    """The derivative of that order of g_i(d) d^-l, (lmax + 1, n)."""
    if isinstance(basis, (r.Bessel, r.ExponentialCosine)) and d >= basis.cutoff:
        return [[mpmath.mpf(0)] * basis.n for _ in range(LMAX + 1)]
    x, found = mpmath.mpf(float(d)), []
    for l in range(LMAX + 1):
        functions = [divided(exact_function(basis, i), l) for i in range(basis.n)]
        found.append([mpmath.diff(g, x, order) if order else g(x) for g in functions])
    return found


def divided(g, l):
    return lambda d: g(d) * d**-l


def family_sizes(basis, d):
    """S of g, g', g'' for each function, and the number of roundings k."""
    if isinstance(basis, r.InversePowers):
        s = np.abs(np.array(basis.powers))
        power = d ** -np.array(basis.powers, float)
        return [power, s * power / d, s * (s + 1) * power / d**2], 2 * s + 12
    n, rc, p = basis.n, basis.cutoff, basis.p
    x = min(d / rc, 1.0)
    rest, c = 1 - x, p * (p + 1) * (p + 2) / 2
    f0 = rest**3 * sum((k + 1) * (k + 2) / 2 * x**k for k in range(p)) + c * x**p * rest**2
    f1 = c * x ** (p - 1) * rest * (rest + 2 * x) / rc
    f2 = c * x ** (p - 2) * ((p - 1) * rest + 2 * x) * (rest + x) / rc**2
    if isinstance(basis, r.Bessel):
        a = np.pi * np.arange(1, n + 1) / rc
        h0 = np.full(n, np.sqrt(2 / rc) / d)
        h1 = h0 * (a + 1 / d)
        h2 = h0 * a * a + 2 * h1 / d
        A, short = np.sqrt(2 / rc), a * d < 1  # the series (B4)
        h0, h1, h2 = (np.where(short, s, h) for s, h in ((A * a, h0), (A * a**3 * d / 2, h1), (A * a**3 / 2, h2)))
    else:
        z = np.pi * np.arange(n) * np.exp(-d / basis.scale)
        h0, h1, h2 = np.ones(n), z / basis.scale, z * (1 + z) / basis.scale**2
    k = 15 * n + 2 * p + 24
    return [h0 * f0, h1 * f0 + h0 * f1, h2 * f0 + 2 * h1 * f1 + h0 * f2], k


def sizes(basis, d, order):
    """k S of the derivative of that order of g_i d^-l, (lmax + 1, n)."""
    g, k = family_sizes(basis, float(d))
    found = []
    for l in range(LMAX + 1):
        rising = [1, l, l * (l + 1)]
        S = sum(comb(order, j) * rising[j] * d ** float(-l - j) * g[order - j] for j in range(order + 1))
        found.append((k + 2 * l) * S)
    return np.array(found)


def within(got, exact, allowed):
    return abs(mpmath.mpf(float(got)) - exact) <= mpmath.mpf(float(allowed)) + mpmath.mpf(10) ** -30


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("basis", BASES, ids=str)
def test_values_and_slopes_are_within_the_bound(basis, dtype):
    d, u = DISTANCES.astype(dtype), np.finfo(dtype).eps / 2
    value, slope = r.radial(d, basis, LMAX), r.radial_jvp(d, np.ones_like(d), basis, LMAX)
    assert value.dtype == slope.dtype == dtype
    assert value.shape == (len(d), LMAX + 1, basis.n)
    caught = 0
    for e, x in enumerate(d):
        for order, got in enumerate((value, slope)):
            exact, allowed = exact_derivatives(basis, x, order), sizes(basis, np.float64(x), order) * u
            for l in range(LMAX + 1):
                for i in range(basis.n):
                    assert within(got[e, l, i], exact[l][i], allowed[l, i])
                    wrong = got[e, l, i] * (1 + 4e3 * u)  # planted error
                    caught += not within(wrong, exact[l][i], allowed[l, i])
    assert caught > len(d)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("basis", BASES, ids=str)
def test_adjoint_and_its_tangent_are_within_the_bound(basis, dtype):
    d, u, rng = DISTANCES.astype(dtype), np.finfo(dtype).eps / 2, np.random.default_rng(3)
    y, y_dot = (rng.normal(size=(len(d), LMAX + 1, basis.n)).astype(dtype) for _ in range(2))
    v = rng.normal(size=len(d)).astype(dtype)
    d_bar, both = r.radial_vjp(y, d, basis, LMAX)[0], r.radial_vjp_jvp(y, d, y_dot, v, basis, LMAX)[0]
    wrong = r.radial_vjp_jvp(y, d, y_dot, -v, basis, LMAX)[0]
    caught = 0
    for e, x in enumerate(d):
        first, second = exact_derivatives(basis, x, 1), exact_derivatives(basis, x, 2)
        terms = [(l, i) for l in range(LMAX + 1) for i in range(basis.n)]
        S1, S2 = sizes(basis, np.float64(x), 1), sizes(basis, np.float64(x), 2)
        more = len(terms) + 4  # the sum over degrees and functions, two products
        slack = 1 + more / 12.0  # k >= 12 in S1 and S2, so this adds at least `more` roundings
        down = mpmath.fsum(mpmath.mpf(float(y[e, l, i])) * first[l][i] for l, i in terms)
        assert within(d_bar[e], down, u * (np.abs(y[e]) * S1 * slack).sum())
        turned = mpmath.fsum(
            mpmath.mpf(float(y_dot[e, l, i])) * first[l][i]
            + mpmath.mpf(float(y[e, l, i])) * second[l][i] * mpmath.mpf(float(v[e]))
            for l, i in terms
        )
        allowed = u * ((np.abs(y_dot[e]) * S1 + np.abs(y[e] * v[e]) * S2) * slack).sum()
        assert within(both[e], turned, allowed)
        caught += not within(wrong[e], turned, allowed)
    assert caught >= 6  # planted error: the curvature with the wrong sign


@cache
def bessel_coefficients(basis, i):
    """Coefficients of d^k in sqrt(2 / rc) a (1 - t^2/6 + ...) f, 60 of them."""
    a, rc, p = (i + 1) * mpmath.pi / mpmath.mpf(basis.cutoff), mpmath.mpf(basis.cutoff), basis.p
    fall = {0: 1, p: -(p + 1) * (p + 2) / mpmath.mpf(2), p + 1: p * (p + 2), p + 2: -p * (p + 1) / mpmath.mpf(2)}
    total = [mpmath.mpf(0)] * 60
    for k in range(0, 60, 2):
        for j, f in fall.items():
            if k + j < 60:
                wave = mpmath.sqrt(2 / rc) * a * (-1) ** (k // 2) * a**k / mpmath.factorial(k + 1)
                total[k + j] += wave * f / rc**j
    return total


@cache
def bessel_series(basis, i, d):
    """g and two derivatives by the power series at 0."""
    x, total = mpmath.mpf(d), bessel_coefficients(basis, i)
    return [mpmath.fsum(mpmath.ff(k, n) * c * x ** (k - n) for k, c in enumerate(total) if k >= n) for n in range(3)]


@pytest.mark.parametrize("basis", [r.Bessel(6, CUTOFF), r.Bessel(2, CUTOFF, 2)], ids=str)
def test_bessel_derivatives_do_not_cancel_at_tiny_distances(basis):
    u, caught = 2.0**-53, 0
    for d in (1e-30, 1e-8, 1e-6, 1e-3, 0.19, 0.2, 0.7, 1.5):
        g, k = family_sizes(basis, d)
        for order in range(3):
            got = sizes_free(basis, d, order)
            for i in range(basis.n):
                exact = bessel_series(basis, i, d)[order]
                assert within(got[i], exact, k * u * g[order][i])
                caught += not within(got[i] * (1 + 4e3 * u), exact, k * u * g[order][i])
        if d < 0.1 / basis.n:  # the gauge itself stays with the values: nothing is hidden in it
            assert all(g[2][i] <= 3 * abs(float(bessel_series(basis, i, d)[2])) for i in range(basis.n))
    assert caught > 8 * basis.n


@pytest.mark.parametrize("basis", BASES[1:], ids=str)
def test_functions_are_zero_beyond_the_cutoff_and_smooth_at_it(basis):
    beyond = np.array([CUTOFF, np.nextafter(CUTOFF, 9), 6.0, 100.0])
    y = np.ones((4, LMAX + 1, basis.n))
    assert (r.radial(beyond, basis, LMAX) == 0).all()
    assert (r.radial_vjp(y, beyond, basis, LMAX)[0] == 0).all()
    assert (r.radial_vjp_jvp(y, beyond, y, np.ones(4), basis, LMAX)[0] == 0).all()
    zeros = 4 if isinstance(basis, r.Bessel) else 3  # f = O((1 - x)^3), and the sines vanish at the cutoff themselves
    for order in (0, 1, 2):
        near = [sizes_free(basis, CUTOFF - gap, order) for gap in (1e-3, 5e-4)]
        ratio = near[0] / near[1]
        assert np.abs(ratio / 2 ** (zeros - order) - 1).max() < 0.05


def sizes_free(basis, d, order):
    """g, g' or g'' by the op itself: a cotangent that picks one function, lmax 0."""
    x, pick = np.array([d]), np.eye(basis.n)
    if order == 0:
        return r.radial(x, basis, 0)[0, 0]
    if order == 1:
        return np.array([r.radial_vjp(row.reshape(1, 1, -1), x, basis, 0)[0][0] for row in pick])
    ones = np.ones(1)
    return np.array([r.radial_vjp_jvp(row.reshape(1, 1, -1), x, None, ones, basis, 0)[0][0] for row in pick])


@pytest.mark.parametrize("basis", BASES, ids=str)
def test_adjoint_identity(basis):
    rng = np.random.default_rng(4)
    v, y = rng.normal(size=len(DISTANCES)), rng.normal(size=(len(DISTANCES), LMAX + 1, basis.n))
    terms = y * r.radial_jvp(DISTANCES, v, basis, LMAX)
    left, right = terms.sum(axis=(1, 2)), r.radial_vjp(y, DISTANCES, basis, LMAX)[0] * v
    allowed = 2 * (terms[0].size + 6) * np.finfo(float).eps / 2 * np.abs(terms).sum(axis=(1, 2))
    assert (np.abs(left - right) <= allowed + 1e-300).all()


@pytest.mark.parametrize("basis", BASES, ids=str)
def test_blocks_of_edges_do_not_change_a_bit(basis):
    d = np.random.default_rng(5).uniform(0.3, 6.0, 1100)
    whole = r.radial(d, basis, 2)
    assert (whole[700:] == r.radial(d[700:], basis, 2)).all()
    assert r.radial(d[:0], basis, 2).shape == (0, 3, basis.n)
    y = np.ones_like(whole)
    assert (r.radial_vjp(y, d, basis, 2)[0][:9] == r.radial_vjp(y[:9], d[:9], basis, 2)[0]).all()


@pytest.mark.parametrize("basis", BASES, ids=str)
def test_json_round_trip(basis):
    assert r.radial_from_dict(json.loads(json.dumps(basis.to_dict()))) == basis
    assert hash(basis) == hash(r.radial_from_dict(basis.to_dict()))


def test_absent_tangents_and_unneeded_adjoints_cost_nothing():
    basis, y = BASES[1], np.ones((len(DISTANCES), 1, 6))
    assert r.radial_jvp(DISTANCES, None, basis, 0) is None
    assert r.radial_vjp(y, DISTANCES, basis, 0, needs=(False,)) == (None,)
    assert r.radial_vjp_jvp(y, DISTANCES, None, None, basis, 0) == (None,)
    only = r.radial_vjp_jvp(y, DISTANCES, y, None, basis, 0)[0]
    assert (only == r.radial_vjp(y, DISTANCES, basis, 0)[0]).all()


def test_wrong_arguments_are_named():
    basis = r.Bessel(2, 5.0)
    with pytest.raises(GeometryError, match=r"radial: 'dist' must be positive and finite, got 0\.0 at edge 1"):
        r.radial(np.array([1.0, 0.0]), basis, 1)
    with pytest.raises(GeometryError, match="got nan at edge 0"):
        r.radial(np.array([np.nan, 1.0]), basis, 1)
    with pytest.raises(DTypeError, match="'dist' must be float64 or float32, got int64"):
        r.radial(np.array([1, 2]), basis, 1)
    with pytest.raises(ShapeError, match=r"radial_vjp: 'y_bar' must have shape \(1, 2, 2\), got \(1, 1, 2\)"):
        r.radial_vjp(np.ones((1, 1, 2)), np.ones(1), basis, 1)
    with pytest.raises(ArgumentError, match="'lmax' must be a non-negative integer, got -1"):
        r.radial(np.ones(1), basis, -1)
    with pytest.raises(ArgumentError, match=r"'radial' must be one of .*, got 'Gauss'"):
        r.radial_from_dict({"radial": "Gauss"})
    with pytest.raises(ArgumentError, match="'n' must be a positive integer, got 0"):
        r.Bessel(0, 5.0)
    with pytest.raises(GeometryError, match="'cutoff' must be a positive length"):
        r.Bessel(1, -5.0)
    with pytest.raises(GeometryError, match="'scale' must be a positive length"):
        r.ExponentialCosine(1, 5.0, scale=0.0)
    with pytest.raises(ArgumentError, match="'powers' must be integers"):
        r.InversePowers((1.5,))
