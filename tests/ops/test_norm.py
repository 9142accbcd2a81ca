"""Norms of fragments: squares exact on integers, roots against mpmath, and the convention at zero."""

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import GeometryError, ShapeError
from nbody_ref.irreps import Irreps
from nbody_ref.ops import norm as op
from nbody_ref.ops.norm import norms, norms_jvp, norms_vjp, norms_vjp_jvp, squared_norms

mpmath.mp.dps = 40
TAU = Irreps("2x0e + 3x1o + 2x2e")


def fragments(x):
    """(N, fragments) lists of components, written without the op."""
    found = []
    for row in x:
        for start, part in zip(TAU.offsets, TAU, strict=True):
            for c in range(part.mul):
                found.append([row[start + m * part.mul + c] for m in range(part.irrep.dim)])
    return found


def test_squared_norms_and_their_derivatives_are_exact(exact, allow):
    allow(op)
    x = exact.draw((4, TAU.dim), 1)
    wanted = [
        sum(abs(v) ** 2 if exact.dtype is not np.complex128 else v.real**2 + v.imag**2 for v in f) for f in fragments(x)
    ]
    assert (squared_norms(x, TAU).reshape(-1) == np.array(wanted)).all()
    if exact.dtype is np.complex128:
        return  # not holomorphic: the theorems in the real part are below
    assert exact.quadruple(op, "squared_norms", [x], (TAU,)).all_hold()


@pytest.mark.parametrize("name", ["squared_norms", "norms"])
def test_complex_derivatives_are_those_of_real_and_imaginary_parts(name):
    """A complex state is a real one of twice the channels; cotangents are paired by Re without conjugation."""
    rng = np.random.default_rng(2)
    both = Irreps("4x0e + 6x1o + 4x2e")
    z, v = rng.standard_normal((2, 5, TAU.dim)) + 1j * rng.standard_normal((2, 5, TAU.dim))
    g, g_dot = rng.standard_normal((2, 5, 7))

    def real(state):
        parts = []
        for start, part in zip(TAU.offsets, TAU, strict=True):
            block = state[:, start : start + part.dim].reshape(5, part.irrep.dim, part.mul)
            parts.append(np.concatenate([block.real, block.imag], axis=2).reshape(5, -1))
        return np.concatenate(parts, axis=1)

    f, jvp, vjp, vjp_jvp = (getattr(op, name + suffix) for suffix in ("", "_jvp", "_vjp", "_vjp_jvp"))
    summed = op._dot(real(z), real(z), both)
    pairs = np.concatenate(
        [summed[:, a : a + w] + summed[:, a + w : a + 2 * w] for a, w in ((0, 2), (4, 3), (10, 2))], axis=1
    )
    wanted = pairs if name == "squared_norms" else np.sqrt(pairs)
    u = np.finfo(float).eps / 2
    assert (abs(f(z, TAU) - wanted) <= 30 * u * wanted).all()
    left, right = g * jvp(z, v, TAU), (vjp(g, z, TAU)[0] * v).real
    assert abs(left.sum() - right.sum()) <= 100 * u * (abs(left).sum() + abs(right).sum())
    wrong = (vjp(g, z, TAU)[0].conj() * v).real
    assert abs(left.sum() - wrong.sum()) > 100 * u * (abs(left).sum() + abs(wrong).sum())
    step = 2.0**-12  # the tangent of the cotangent by central differences, in the last place of neither
    moved = [vjp(g + t * g_dot, z + t * v, TAU)[0] for t in (-2 * step, -step, step, 2 * step)]
    slope = (moved[0] - 8 * moved[1] + 8 * moved[2] - moved[3]) / (12 * step)
    assert abs(vjp_jvp(g, z, g_dot, v, TAU)[0] - slope).max() < 2.0**-30


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_norms_and_derivatives_are_within_the_derived_bounds(dtype, epsilon):
    """k = 2l + 4 for the value, (A2); the derivatives add at most 2l + 16, (A3)."""
    rng, u = np.random.default_rng(3), np.finfo(dtype).eps / 2
    x, v = rng.standard_normal((2, 3, TAU.dim)).astype(dtype)
    g, g_dot = rng.standard_normal((2, 3, 7)).astype(dtype)
    got, dot = norms(x, TAU, epsilon), norms_jvp(x, v, TAU, epsilon)
    bar, bar_dot = norms_vjp(g, x, TAU, epsilon)[0], norms_vjp_jvp(g, x, g_dot, v, TAU, epsilon)[0]
    caught = 0
    columns = zip(fragments(x), fragments(v), fragments(bar), fragments(bar_dot), strict=True)
    for i, (a, b, c, d) in enumerate(columns):
        a, b = [mpmath.mpf(float(t)) for t in a], [mpmath.mpf(float(t)) for t in b]
        h, h_dot = mpmath.mpf(float(g.flat[i])), mpmath.mpf(float(g_dot.flat[i]))
        y = mpmath.sqrt(sum(t * t for t in a) + mpmath.mpf(epsilon) ** 2)
        y_dot = sum(s * t for s, t in zip(a, b, strict=True)) / y
        size = sum(abs(s * t) for s, t in zip(a, b, strict=True)) / y
        k = len(a) + 3
        assert abs(got.flat[i] - y) <= k * u * y
        caught += abs(got.flat[i] * (1 + 64 * u) - y) > k * u * y
        assert abs(dot.flat[i] - y_dot) <= (2 * k + 16) * u * size
        for m in range(len(a)):
            assert abs(c[m] - h * a[m] / y) <= (2 * k + 16) * u * abs(h * a[m] / y)
            exact = h_dot * a[m] / y + h * (b[m] / y - a[m] * y_dot / y**2)
            terms = abs(h_dot * a[m] / y) + abs(h * b[m] / y) + abs(h * a[m]) * size / y**2
            assert abs(d[m] - exact) <= (3 * k + 16) * u * terms
    assert caught == 21


def test_at_zero_the_derivatives_are_zero_or_those_of_the_smooth_norm():
    x, v, g = np.zeros((1, TAU.dim)), np.ones((1, TAU.dim)), np.ones((1, 7))
    assert (norms(x, TAU) == 0).all() and (norms_jvp(x, v, TAU) == 0).all()
    assert (norms_vjp(g, x, TAU)[0] == 0).all() and (norms_vjp_jvp(g, x, g, v, TAU)[0] == 0).all()
    assert (norms(x, TAU, 0.25) == 0.25).all()
    assert (norms_vjp_jvp(g, x, None, v, TAU, 0.25)[0] == 4).all()  # the curvature 1 / epsilon


def test_absent_tangents_and_unneeded_adjoints_cost_nothing():
    x, g = np.ones((2, TAU.dim)), np.ones((2, 7))
    for name in ("norms", "squared_norms"):
        jvp, vjp, vjp_jvp = (getattr(op, name + suffix) for suffix in ("_jvp", "_vjp", "_vjp_jvp"))
        assert jvp(x, None, TAU) is None
        assert vjp(g, x, TAU, needs=(False,)) == (None,)
        assert vjp_jvp(g, x, None, None, TAU) == (None,)


def test_wrong_arguments_are_named():
    with pytest.raises(GeometryError, match="norms: 'epsilon' must be non-negative and finite, got -1"):
        norms(np.ones((1, TAU.dim)), TAU, -1)
    with pytest.raises(ShapeError, match=r"norms: 'x' must have shape \(any, 21\)"):
        norms(np.ones((1, 20)), TAU)
