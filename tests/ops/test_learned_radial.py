"""Radial functions with learned constants against mpmath; bounds of docs/derivations/learned_radial.md."""

import itertools

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, DTypeError, GeometryError, ShapeError
from nbody_ref.ops import learned_radial as op

mpmath.mp.dps = 40
U = 2.0**-53
DISTANCES = np.array([0.4, 1.1, 2.345, 5.9])
S, PHI = np.array([[0.0, 1.0, -2.2]]), np.array([[1.6, -0.3, 0.01]])
RADIUS, WIDTH = np.array([[1.73, -2.5, 0.4, 0.0]]), np.array([[0.2, 0.7, -1.5, 0.3]])
CASES = {"sine_powers": ((DISTANCES, S, PHI), (3,)), "soft_cutoff": ((DISTANCES, RADIUS, WIDTH), ())}


def exact(name, arrays):
    """Values in mpmath, nested lists (E, n)."""
    d, x, y = arrays
    if name == "sine_powers":
        return [
            [r**-k * mpmath.sin(2 * mpmath.pi * s * r + p) for s, p in zip(x, y, strict=True) for k in range(4)]
            for r in d
        ]
    eps = mpmath.mpf(op.SMALLEST)
    return [
        [1 / (1 + mpmath.exp((r - max(eps, abs(a))) / max(eps, abs(b)))) for a, b in zip(x, y, strict=True)] for r in d
    ]


def numbers(array):
    return [mpmath.mpf(float(v)) for v in np.ravel(array)]


def moved(arrays, dots, h):
    return [[a + h * v for a, v in zip(numbers(x), numbers(v), strict=True)] for x, v in zip(arrays, dots, strict=True)]


def pairing(name, arrays, dots, g, g_dot, h):
    """<g + h g_dot, f(x + h v)>."""
    rows = exact(name, moved(arrays, dots, h))
    seeds = [a + h * b for a, b in zip(numbers(g), numbers(g_dot), strict=True)]
    return mpmath.fsum(a * b for a, b in zip(seeds, itertools.chain(*rows), strict=True))


def drawn(name, seed=0):
    (arrays, statics), rng = CASES[name], np.random.default_rng(seed)
    y = getattr(op, name)(*arrays, *statics)
    dots = [rng.standard_normal(a.shape) for a in arrays]
    return arrays, statics, y, dots, rng.standard_normal(y.shape), rng.standard_normal(y.shape)


def size(name, order):
    """S: d^-k (1 + |A|) with each derivative multiplying by at most (2 pi |s| + 2 pi d + 1 + 4/d); the cutoff alike."""
    if name == "sine_powers":
        grow = 2 * np.pi * (2.2 + DISTANCES) + 1 + 4 / DISTANCES
        return (DISTANCES[:, None] ** -np.arange(4.0)).max() * (1 + 2 * np.pi * 2.2 * 6) * grow.max() ** order
    return (1 + 30) * (30 / 0.2) ** order


@pytest.mark.parametrize("name", CASES)
def test_values_are_within_the_bound(name):
    arrays, _, y, *_ = drawn(name)
    rows = exact(name, [numbers(a) for a in arrays])
    for e, row in enumerate(rows):
        for i, value in enumerate(row):
            if name == "sine_powers":
                s, phi, k = S[0, i // 4], PHI[0, i // 4], i % 4
                bound = (3 + 8) * U * DISTANCES[e] ** -k * (1 + abs(2 * np.pi * s * DISTANCES[e]) + abs(phi))
            else:
                a, b = max(op.SMALLEST, abs(RADIUS[0, i])), max(op.SMALLEST, abs(WIDTH[0, i]))
                bound = 8 * U * y[e, i] * (1 + abs(a - DISTANCES[e]) / b)
            assert abs(y[e, i] - value) <= bound
            assert abs(y[e, i] * (1 + 1e-9) + 1e-9 * bound / U - value) > bound  # planted error


@pytest.mark.parametrize("name", CASES)
def test_tangents_adjoints_and_their_tangents_are_the_derivatives(name):
    """Central differences with h = 1e-12 in 40 digits, right to 1e-20, of <g, f(x)>."""
    arrays, statics, _, dots, g, g_dot = drawn(name)
    f = [getattr(op, name + suffix) for suffix in ("_jvp", "_vjp", "_vjp_jvp")]
    h = mpmath.mpf(10) ** -12
    none = np.zeros_like(g)
    slope = (pairing(name, arrays, dots, g, none, h) - pairing(name, arrays, dots, g, none, -h)) / (2 * h)
    allowed = 200 * U * size(name, 1) * np.abs(g).sum()
    assert abs((g * f[0](*arrays, *dots, *statics)).sum() - slope) <= allowed
    bars = f[1](g, *arrays, *statics)
    assert abs(sum((b * v).sum() for b, v in zip(bars, dots, strict=True)) - slope) <= allowed
    # second: derivative along (dots, g_dot) of <vjp(g, x), other>
    other = [np.random.default_rng(9 + i).standard_normal(a.shape) for i, a in enumerate(arrays)]
    found = f[2](g, *arrays, g_dot, *dots, *statics)
    total = sum((b * v).sum() for b, v in zip(found, other, strict=True))

    def mixed(t, u):
        """<g + t g_dot, f(x + t dots + u other)>."""
        both = [
            [a + t * v + u * w for a, v, w in zip(*map(numbers, triple), strict=True)]
            for triple in zip(arrays, dots, other, strict=True)
        ]
        seeds = [a + t * b for a, b in zip(numbers(g), numbers(g_dot), strict=True)]
        return mpmath.fsum(a * b for a, b in zip(seeds, itertools.chain(*exact(name, both)), strict=True))

    h = mpmath.mpf(10) ** -9
    curved = (mixed(h, h) - mixed(h, -h) - mixed(-h, h) + mixed(-h, -h)) / (4 * h * h)
    allowed = 400 * U * size(name, 2) * (np.abs(g).sum() + np.abs(g_dot).sum())
    assert abs(total - curved) <= allowed
    wrong = f[2](g, *arrays, g_dot, *[-v for v in dots], *statics)  # planted error
    assert abs(sum((b * v).sum() for b, v in zip(wrong, other, strict=True)) - curved) > allowed


@pytest.mark.parametrize("name", CASES)
def test_absent_tangents_are_zeros_and_unneeded_adjoints_none(name):
    arrays, statics, _, dots, g, g_dot = drawn(name)
    jvp, vjp, vjp_jvp = (getattr(op, name + suffix) for suffix in ("_jvp", "_vjp", "_vjp_jvp"))
    zeros = [np.zeros_like(a) for a in arrays]
    assert jvp(*arrays, None, None, None, *statics) is None
    assert vjp_jvp(g, *arrays, None, None, None, None, *statics) == (None,) * 3
    for i in range(3):
        some = [v if j == i else None for j, v in enumerate(dots)]
        full = [v if j == i else z for j, (v, z) in enumerate(zip(dots, zeros, strict=True))]
        assert (jvp(*arrays, *some, *statics) == jvp(*arrays, *full, *statics)).all()
        one, two = (vjp_jvp(g, *arrays, x, *y, *statics) for x, y in ((None, some), (0 * g, full)))
        assert all((a == b).all() for a, b in zip(one, two, strict=True))
        needs = tuple(j == i for j in range(3))
        assert [b is not None for b in vjp(g, *arrays, *statics, needs=needs)] == list(needs)
        assert [b is not None for b in vjp_jvp(g, *arrays, g_dot, *dots, *statics, needs=needs)] == list(needs)


def test_wrong_arguments_are_named():
    with pytest.raises(GeometryError, match=r"sine_powers: 'dist' must be positive and finite, got 0\.0 at edge 1"):
        op.sine_powers(np.array([1.0, 0.0]), S, PHI, 3)
    with pytest.raises(ArgumentError, match="'degree' must be a non-negative integer, got -1"):
        op.sine_powers(DISTANCES, S, PHI, -1)
    with pytest.raises(ShapeError, match=r"soft_cutoff: 'width' must have shape \(1, 4\), got \(1, 3\)"):
        op.soft_cutoff(DISTANCES, RADIUS, WIDTH[:, 1:])
    with pytest.raises(DTypeError, match="'dist' must be float64"):
        op.soft_cutoff(DISTANCES.astype(np.float32), RADIUS, WIDTH)
    assert op.sine_powers(np.zeros(0), S, PHI, 3).shape == op.sine_powers_jvp(np.zeros(0), S, PHI, None, S, S, 3).shape
    assert op.soft_cutoff(np.zeros(2), RADIUS, WIDTH).shape == (2, 4)
