"""Relative vectors and lengths against integers and mpmath; every bound is k u S with the k of the derivation page."""

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import DTypeError, GeometryError, ShapeError
from nbody_ref.graphs import Edges
from nbody_ref.ops import distance as d

mpmath.mp.dps = 40
RECEIVERS, SENDERS = [2, 0, 1, 2, 0, 0], [0, 3, 0, 1, 1, 3]
EDGES = Edges.build(RECEIVERS, SENDERS, 3, 4)


def integers(rng, *shape):
    return rng.integers(-9, 10, shape).astype(float)


def vectors(seed, dtype):
    """Signed points in all octants, on the axes, very long and very short."""
    rng = np.random.default_rng(seed)
    r = np.concatenate([rng.normal(size=(20, 3)), np.eye(3), -np.eye(3), rng.normal(size=(3, 3)) * 1e-12])
    r = np.concatenate([r, rng.normal(size=(3, 3)) * 1e12]).astype(dtype)
    return r, rng.normal(size=r.shape).astype(dtype), rng.normal(size=len(r)).astype(dtype), rng


def mp(a):
    return [[mpmath.mpf(float(x)) for x in row] for row in np.atleast_2d(a)]


def dot(a, b):
    return mpmath.fsum(x * y for x, y in zip(a, b))


def test_relative_is_the_difference_along_each_edge():
    rng = np.random.default_rng(1)
    a, b = integers(rng, 4, 3), integers(rng, 3, 3)
    expected = [a[j] - b[i] for i, j in sorted(zip(RECEIVERS, SENDERS), key=lambda edge: edge[0])]
    assert (d.relative(a, b, EDGES) == np.array(expected)).all()


@pytest.mark.parametrize("given", [(True, True), (True, False), (False, True)])
def test_relative_vjp_is_exact_adjoint(given):
    rng = np.random.default_rng(2)
    a, b, g = integers(rng, 4, 3), integers(rng, 3, 3), integers(rng, 6, 3)
    a_dot = integers(rng, 4, 3) if given[0] else None
    b_dot = integers(rng, 3, 3) if given[1] else None
    r_dot = d.relative_jvp(a, b, a_dot, b_dot, EDGES)
    bars = d.relative_vjp(g, a, b, EDGES, needs=given)
    assert [bar is not None for bar in bars] == list(given)
    pairing = sum((bar * v).sum() for bar, v in zip(bars, (a_dot, b_dot)) if v is not None)
    assert (g * r_dot).sum() == pairing
    wrong = bars[0] if given[0] else bars[1]
    wrong[0, 0] += 1.0  # planted error
    planted = sum((bar * v).sum() for bar, v in zip(bars, (a_dot, b_dot)) if v is not None)
    assert planted != pairing or (a_dot if given[0] else b_dot)[0, 0] == 0


def test_relative_vjp_jvp_is_the_adjoint_of_the_cotangents_tangent():
    rng = np.random.default_rng(3)
    a, b, g, g_dot = integers(rng, 4, 3), integers(rng, 3, 3), integers(rng, 6, 3), integers(rng, 6, 3)
    got = d.relative_vjp_jvp(g, a, b, g_dot, a, b, EDGES)
    for x, y in zip(got, d.relative_vjp(g_dot, a, b, EDGES)):
        assert (x == y).all()
    assert d.relative_vjp_jvp(g, a, b, None, a, b, EDGES) == (None, None)
    assert d.relative_jvp(a, b, None, None, EDGES) is None


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_distance_is_within_three_roundings(dtype):
    r, _, _, _ = vectors(4, dtype)
    u = np.finfo(dtype).eps / 2
    got = d.distance(r)
    assert got.dtype == dtype
    for value, row in zip(got, mp(r)):
        exact = mpmath.sqrt(dot(row, row))
        assert abs(mpmath.mpf(float(value)) - exact) <= 3 * u * exact
        assert abs(mpmath.mpf(float(value)) * (1 + 8 * u) - exact) > 3 * u * exact  # planted error


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_distance_derivatives_against_mpmath(dtype):
    r, v, g, rng = vectors(5, dtype)
    g_dot = rng.normal(size=len(r)).astype(dtype)
    u = np.finfo(dtype).eps / 2
    jvp, (vjp,) = d.distance_jvp(r, v), d.distance_vjp(g, r)
    (both,), (only_r,) = d.distance_vjp_jvp(g, r, g_dot, v), d.distance_vjp_jvp(g, r, None, v)
    (only_g,) = d.distance_vjp_jvp(g, r, g_dot, None)
    for e, (x, y) in enumerate(zip(mp(r), mp(v))):
        n, c, c_dot = mpmath.sqrt(dot(x, x)), mpmath.mpf(float(g[e])), mpmath.mpf(float(g_dot[e]))
        size = dot([abs(t) for t in x], [abs(t) for t in y]) / n
        assert abs(mpmath.mpf(float(jvp[e])) - dot(x, y) / n) <= 7 * u * size
        for k in range(3):
            assert abs(mpmath.mpf(float(vjp[e, k])) - c * x[k] / n) <= 5 * u * abs(c * x[k] / n)
            curved = c * (y[k] - x[k] * dot(x, y) / n**2) / n
            flat = c_dot * x[k] / n
            s = abs(c) * (abs(y[k]) + abs(x[k]) * size / n) / n + abs(flat)
            assert abs(mpmath.mpf(float(both[e, k])) - curved - flat) <= 19 * u * s
            assert abs(mpmath.mpf(float(only_r[e, k])) - curved) <= 19 * u * s
            assert abs(mpmath.mpf(float(only_g[e, k])) - flat) <= 5 * u * abs(flat)
    planted = d.distance_vjp_jvp(g, r, g_dot, -v)[0]  # a sign error in the curvature
    assert np.abs(planted - both).max() > 1e-3


def test_adjoint_identity_of_distance():
    r, v, g, _ = vectors(6, np.float64)
    left, right = g * d.distance_jvp(r, v), (d.distance_vjp(g, r)[0] * v).sum(axis=1)
    size = np.abs(g) * (np.abs(r) * np.abs(v)).sum(axis=1) / d.distance(r)
    assert (np.abs(left - right) <= 16 * np.finfo(float).eps / 2 * size).all()


def test_absent_tangents_and_unneeded_adjoints_cost_nothing():
    r, v, g, _ = vectors(7, np.float64)
    assert d.distance_jvp(r, None) is None
    assert d.distance_vjp(g, r, needs=(False,)) == (None,)
    assert d.distance_vjp_jvp(g, r, None, None) == (None,)
    assert d.distance_vjp_jvp(g, r, g, v, needs=(False,)) == (None,)


def test_coincident_pair_is_named():
    r = np.ones((6, 3))
    r[4] = 0.0
    pair = f"edge 4 .sender {EDGES.senders[4]}, receiver {EDGES.receivers[4]}"
    with pytest.raises(GeometryError, match=pair):
        d.distance(r, EDGES)
    r[4] = 1e-170  # its square underflows: the length would be lost
    with pytest.raises(GeometryError, match="distance_vjp: 'r_rel' must be nonzero and representable"):
        d.distance_vjp(np.ones(6), r, EDGES)
    r[4, 1] = np.nan
    with pytest.raises(GeometryError, match=r"'r_rel' must be finite, got nan at index \(4, 1\)"):
        d.distance(r)


def test_wrong_arguments_are_named():
    r = np.ones((6, 3))
    with pytest.raises(ShapeError, match=r"relative: 'r_senders' must have shape \(4, 3\), got \(3, 3\)"):
        d.relative(np.ones((3, 3)), np.ones((3, 3)), EDGES)
    with pytest.raises(DTypeError, match="must share one dtype"):
        d.relative(np.ones((4, 3)), np.ones((3, 3), np.float32), EDGES)
    with pytest.raises(ShapeError, match=r"distance_vjp: 'dist_bar' must have shape \(6,\), got \(5,\)"):
        d.distance_vjp(np.ones(5), r)
    with pytest.raises(ShapeError, match="distance_vjp: 'needs' must have 1 flags, got 2"):
        d.distance_vjp(np.ones(6), r, None, (True, True))
