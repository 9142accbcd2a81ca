"""Harmonics and their derivatives against exact polynomials; bounds k u S of docs/derivations/harmonics.md."""

from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest
from scipy.special import sph_harm_y

from nbody_ref.errors import ArgumentError, DTypeError, GeometryError, ShapeError
from nbody_ref.exact.harmonics import solid_harmonic
from nbody_ref.ops import harmonics as h
from nbody_ref.tables import harmonic_table

mpmath.mp.dps = 40
LMAX = 5
SIZE = (LMAX + 1) ** 2
DTYPES = [np.float64, np.float32]
INDEX = [(l, m) for l in range(LMAX + 1) for m in range(-l, l + 1)]


def points(dtype, origin=True):
    """Signed points of every octant, both poles and all axes, a point near zero, a long one, and the origin."""
    rng = np.random.default_rng(11)
    octants = np.abs(rng.normal(size=(8, 3))) * np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, 8).T
    special = [*np.eye(3), *-np.eye(3), [1e-7, -2e-7, 3e-7], [80.0, -60.0, 90.0]]
    r = np.concatenate([octants, special, [[0.0, 0.0, 0.0]]] if origin else [octants, special]).astype(dtype)
    v, g, g_dot = (rng.normal(size=(len(r), k)).astype(dtype) for k in (3, SIZE, SIZE))
    return r, v, g, g_dot


# The oracle: polynomials over the rationals, differentiated exactly, evaluated with 40 digits.


@cache
def polynomial(l, m, *axes):
    """Terms {(i, j, k): coefficient} of the solid harmonic, differentiated along `axes`, and its irrational factor."""
    harmonic = solid_harmonic(l, m)
    terms = {powers: Fraction(a) for powers, a in harmonic.terms.items()}
    for axis in axes:
        lowered = {}
        for powers, a in terms.items():
            if powers[axis]:
                below = tuple(p - (k == axis) for k, p in enumerate(powers))
                lowered[below] = lowered.get(below, 0) + a * powers[axis]
        terms = lowered
    scale = mpmath.sqrt(mpmath.mpf(harmonic.scale.p) / harmonic.scale.q) / mpmath.sqrt(4 * mpmath.pi)
    return [(p, mpmath.mpf(a.numerator) / a.denominator * scale) for p, a in terms.items()]


def evaluate(l, m, r, *axes):
    return mpmath.fsum(a * r[0] ** i * r[1] ** j * r[2] ** k for (i, j, k), a in polynomial(l, m, *axes))


def solid_jet(l, m, r, v):
    """Value, gradient, and Hessian applied to v."""
    gradient = [evaluate(l, m, r, k) for k in range(3)]
    curved = [mpmath.fsum(evaluate(l, m, r, *sorted((j, k))) * v[j] for j in range(3)) for k in range(3)]
    return evaluate(l, m, r), gradient, curved


def spherical_jet(l, m, r, v):
    """The same of solid / |r|^l, by the quotient rule."""
    value, gradient, curved = solid_jet(l, m, r, v)
    d2 = mpmath.fsum(x * x for x in r)
    d, rv = mpmath.sqrt(d2), mpmath.fsum(x * y for x, y in zip(r, v))
    slope = mpmath.fsum(x * y for x, y in zip(gradient, v))
    first = [(gradient[k] - l * r[k] * value / d2) / d**l for k in range(3)]
    second = [
        curved[k] - l * (r[k] * slope + v[k] * value + rv * gradient[k]) / d2 + l * (l + 2) * rv * value * r[k] / d2**2
        for k in range(3)
    ]
    return value / d**l, first, [x / d**l for x in second]


# The sizes S: the recursions on absolute values, with tangents by dual numbers.


class Dual:
    def __init__(self, value, dot=0.0):
        self.value, self.dot = value, dot

    def __add__(self, other):
        return Dual(self.value + other.value, self.dot + other.dot)

    def __mul__(self, other):
        return Dual(self.value * other.value, self.value * other.dot + self.dot * other.value)


def sizes(r, v, g, g_dot, lmax=LMAX):
    """S of value and tangent (l, m) and of adjoint and its tangent (3,) at one point; all arguments absolute."""
    table = harmonic_table(lmax)
    x, y, z = (Dual(float(a), float(b)) for a, b in zip(np.abs(r), np.abs(v)))
    s, zero, t = x * x + y * y + z * z, Dual(0.0), 0
    Y, column = np.zeros((2, (lmax + 1) ** 2)), [zero] * (lmax + 1)
    bar, s_bar = [zero, zero, zero], zero
    c, w, c1, w1 = Dual(1.0), zero, zero, zero
    for m in range(lmax + 1):
        q1, q2, c_bar, w_bar = zero, zero, zero, zero
        for l in range(m, lmax + 1):
            q = Dual(table.diagonal[m])
            up, down = (Dual(abs(float(g[k])), abs(float(g_dot[k]))) for k in (l * l + l + m, l * l + l - m))
            q_bar = up * c + down * w if m else up
            if l > m:
                q = Dual(table.a[t]) * z * q1 + Dual(-table.b[t]) * s * q2
                bar[2] = bar[2] + Dual(table.along_z[t]) * q_bar * q1
                s_bar = s_bar + Dual(-table.along_s[t]) * column[l] * q1
                t += 1
            column[l] = q_bar
            c_bar, w_bar = c_bar + up * q, w_bar + down * q
            for k, product in ((l * l + l - m, q * w), (l * l + l + m, q * c)):
                Y[:, k] = product.value, product.dot
            q1, q2 = q, q1
        if m:
            bar[0] = bar[0] + Dual(m) * (c_bar * c1 + w_bar * w1)
            bar[1] = bar[1] + Dual(m) * (w_bar * c1 + c_bar * w1)
        c, w, c1, w1 = x * c + y * w, x * w + y * c, c, w
    bar[0], bar[1] = bar[0] + x * s_bar, bar[1] + y * s_bar
    return Y[0], Y[1], np.array([b.value for b in bar]), np.array([b.dot for b in bar])


def spherical_sizes(r, v, g, g_dot):
    r, v = np.abs(np.array(r, float)), np.abs(np.array(v, float))
    d = np.sqrt((r * r).sum())
    u = r / d

    def project(w):
        return (w + u * (u @ w)) / d

    u_dot = project(v)
    Y, Y_dot, bar, bar_dot = sizes(u, u_dot, g, g_dot)
    turned = project(bar_dot) + (u_dot * (u @ bar) + u * (u_dot @ bar) + (u @ v) * project(bar)) / d
    return Y, Y_dot, project(bar), turned


DEGREE = np.array([l for l, _ in INDEX])
ADDED = LMAX * (LMAX + 1) // 2
CASES = {
    "solid": (solid_jet, sizes, (4 * DEGREE + 2, 5 * DEGREE + 4, 4 * LMAX + 10 + ADDED, 5 * LMAX + 16 + ADDED)),
    "spherical": (
        spherical_jet,
        spherical_sizes,
        (8 * DEGREE + 2, 9 * DEGREE + 20, 8 * LMAX + 26 + ADDED, 9 * LMAX + 56 + ADDED),
    ),
}


def run(name, r, v, g, g_dot):
    f, jvp, vjp, both = (getattr(h, name + suffix) for suffix in ("", "_jvp", "_vjp", "_vjp_jvp"))
    return f(r, LMAX), jvp(r, v, LMAX), vjp(g, r, LMAX)[0], both(g, r, g_dot, v, LMAX)[0]


def deviations(name, arrays, got):
    """Largest error / (k u S) of value, tangent, adjoint, tangent of adjoint over all points."""
    jet, size, ks = CASES[name]
    worst = np.zeros(4)
    u = np.finfo(got[0].dtype).eps / 2
    tiny = np.finfo(got[0].dtype).tiny
    for e, (r, v, g, g_dot) in enumerate(zip(*arrays)):
        x, w, a, b = ([mpmath.mpf(float(t)) for t in row] for row in (r, v, g, g_dot))
        jets = [jet(l, m, x, w) for l, m in INDEX]
        exact = (
            [j[0] for j in jets],
            [mpmath.fsum(p * q for p, q in zip(j[1], w)) for j in jets],
            [mpmath.fsum(p * j[1][k] for p, j in zip(a, jets)) for k in range(3)],
            [mpmath.fsum(p * j[2][k] + q * j[1][k] for p, q, j in zip(a, b, jets)) for k in range(3)],
        )
        for n, (expected, S) in enumerate(zip(exact, size(r, v, g, g_dot))):
            error = np.array([float(abs(mpmath.mpf(float(c)) - t)) for c, t in zip(got[n][e], expected)])
            worst[n] = max(worst[n], (error / (ks[n] * u * S + tiny)).max())
    return worst


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["solid", "spherical"])
def test_values_and_derivatives_are_the_polynomials_to_the_derived_bound(name, dtype):
    arrays = points(dtype, origin=name == "solid")
    got = run(name, *arrays)
    assert all(array.dtype == dtype for array in got)
    assert (deviations(name, arrays, got) <= 1).all()


@pytest.mark.parametrize("name", ["solid", "spherical"])
def test_planted_errors_break_the_bound(name):
    arrays = points(np.float64, origin=False)
    few = [array[:3] for array in arrays]
    got = [array.copy() for array in run(name, *few)]
    got[0][:, [6, 8]] = got[0][:, [8, 6]]  # two components swapped
    got[1][:, 5] *= -1.0  # a sign in the tangent
    got[2][:, 2] *= 1.0 + 1e-12  # a last digit in the adjoint
    got[3] = getattr(h, name + "_vjp_jvp")(few[2], few[0], few[3], -few[1], LMAX)[0]  # curvature with the wrong sign
    assert (deviations(name, few, got) > 1).all()


def test_values_are_associated_legendre_functions():
    """An oracle that shares nothing with the polynomials: mpmath's Legendre functions of the polar angle."""
    r = points(np.float64, origin=False)[0][[0, 3, 5, 6, 14]]  # not on an axis, where its series do not end
    Y, u = h.solid(r, LMAX), np.finfo(float).eps / 2
    for e, row in enumerate(r):
        x, y, z = (mpmath.mpf(float(t)) for t in row)
        d, phi = mpmath.sqrt(x * x + y * y + z * z), mpmath.atan2(y, x)
        S = sizes(row, np.zeros(3), np.zeros(SIZE), np.zeros(SIZE))[0]
        for i, (l, m) in enumerate(INDEX):
            k = abs(m)
            N = mpmath.sqrt((2 * l + 1) / (4 * mpmath.pi) * mpmath.factorial(l - k) / mpmath.factorial(l + k))
            with mpmath.workdps(20):
                P = (-1) ** k * mpmath.legenp(l, k, z / d)
            turn = 1 if m == 0 else mpmath.sqrt(2) * (mpmath.cos(k * phi) if m > 0 else mpmath.sin(k * phi))
            assert abs(Y[e, i] - d**l * N * P * turn) <= (4 * l + 2) * u * S[i] + mpmath.mpf(10) ** -19


def test_complex_basis_is_the_conjugate_of_scipys_harmonics():
    r = points(np.float64, origin=False)[0]
    d = np.sqrt((r * r).sum(axis=1))
    theta, phi = np.arccos(r[:, 2] / d), np.arctan2(r[:, 1], r[:, 0])
    got = h.spherical_harmonics(LMAX, r, basis="complex")
    expected = np.stack([sph_harm_y(l, m, theta, phi) for l, m in INDEX], axis=1)
    # scipy goes through angles: an arccos near a pole loses half the digits, elsewhere l roundings of size sqrt(2l+1)
    assert np.abs(got - expected.conj()).max() <= LMAX * 4 * np.sqrt(np.finfo(float).eps)
    assert np.abs(got[:8] - expected[:8].conj()).max() <= 200 * LMAX * np.finfo(float).eps
    assert np.abs(got - expected).max() > 0.1  # planted error: without the conjugation
    assert h.solid_harmonics(1, r.astype(np.float32), basis="complex").dtype == np.complex64


@pytest.mark.parametrize("normalization, total", [("component", 1.0), ("norm", 0.0), ("integral", 0.25 / np.pi)])
def test_normalizations(normalization, total):
    Y = h.spherical_harmonics(LMAX, points(np.float64, origin=False)[0], normalization)
    for l in range(LMAX + 1):
        expected = 1.0 if normalization == "norm" else (2 * l + 1) * total
        square = (Y[:, l * l : (l + 1) ** 2] ** 2).sum(axis=1)
        allowed = 2 * (8 * l + 4) * np.finfo(float).eps / 2 * expected * (1 + np.sqrt(2)) ** (2 * l)
        assert np.abs(square - expected).max() <= allowed


def test_tables_are_correctly_rounded():
    for dtype, fmt in ((np.float64, "float64"), (np.float32, "float32")):
        table = harmonic_table(3, "component", dtype)
        assert table.diagonal[1] == solid_harmonic(1, 1, "component").rounded_value((1, 0, 0), fmt)
        assert table.diagonal[3] == solid_harmonic(3, 3, "component").rounded_value((1, 0, 0), fmt)
        assert not table.a.flags.writeable
    assert harmonic_table(0).diagonal[0] == float(1 / mpmath.sqrt(4 * mpmath.pi))


@pytest.mark.parametrize("name", ["solid", "spherical"])
def test_number_of_points_does_not_change_a_bit(name):
    arrays = points(np.float64, origin=False)
    whole = run(name, *arrays)
    for n in (0, 1, 2, 3, 5):
        for some, all_ in zip(run(name, *(array[:n] for array in arrays)), whole):
            assert (some == all_[:n]).all()


def test_solid_harmonics_at_the_origin():
    zero, g = np.zeros((1, 3)), np.ones((1, SIZE))
    assert (h.solid(zero, LMAX)[0] == [0.5 / np.sqrt(np.pi), *[0.0] * (SIZE - 1)]).all()
    assert np.abs(h.solid_vjp(g, zero, LMAX)[0] - np.sqrt(0.75 / np.pi)).max() <= np.finfo(float).eps


def test_spherical_harmonics_have_no_value_at_the_origin():
    r = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    with pytest.raises(GeometryError, match=r"spherical_harmonics: 'r' must be nonzero .* at index 1"):
        h.spherical_harmonics(1, r)
    assert np.ptp(h.spherical_harmonics(0, r)) == 0.0
    assert (h.spherical_vjp(np.ones((2, 1)), r, 0)[0] == 0).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200])
def test_directions_of_very_short_and_very_long_vectors(scale):
    r = np.array([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]])
    short, plain = h.spherical_harmonics(LMAX, r * scale), h.spherical_harmonics(LMAX, r)
    assert np.abs(short - plain).max() <= 2 * (8 * LMAX + 4) * np.finfo(float).eps / 2 * (1 + np.sqrt(2)) ** LMAX


def test_leading_axes_and_out():
    r = points(np.float64)[0][:12].reshape(2, 2, 3, 3)
    Y = h.solid_harmonics(2, r)
    assert Y.shape == (2, 2, 3, 9)
    assert (Y.reshape(-1, 9) == h.solid(r.reshape(-1, 3), 2)).all()
    assert h.solid_harmonics(2, r[0, 0, 0]).shape == (9,)
    out = np.empty((2, 2, 3, 9))
    assert h.solid_harmonics(2, r, out=out) is out
    assert (out == Y).all()
    with pytest.raises(ShapeError, match="'out' must have shape"):
        h.solid_harmonics(2, r, out=np.empty((12, 9)))


def test_absent_tangents_and_unneeded_adjoints_cost_nothing():
    r, v, g, g_dot = points(np.float64, origin=False)
    for name in ("solid", "spherical"):
        vjp, both = getattr(h, name + "_vjp"), getattr(h, name + "_vjp_jvp")
        assert getattr(h, name + "_jvp")(r, None, LMAX) is None
        assert vjp(g, r, LMAX, needs=(False,)) == (None,)
        assert both(g, r, None, None, LMAX) == (None,)
        assert (both(g, r, g_dot, None, LMAX)[0] == vjp(g_dot, r, LMAX)[0]).all()
        halves = both(g, r, None, v, LMAX)[0] + both(g, r, g_dot, None, LMAX)[0]
        assert np.abs(halves - both(g, r, g_dot, v, LMAX)[0]).max() <= 1e-12 * np.abs(halves).max()


def test_wrong_arguments_are_named():
    with pytest.raises(ShapeError, match=r"solid_harmonics: 'r' must have shape \(\.\.\., 3\), got \(4,\)"):
        h.solid_harmonics(1, np.zeros(4))
    with pytest.raises(DTypeError, match="'r' must be float64 or float32, got int64"):
        h.solid_harmonics(1, np.zeros(3, np.int64))
    with pytest.raises(ArgumentError, match="'basis' must be 'real' or 'complex', got 'x'"):
        h.solid_harmonics(1, np.zeros(3), basis="x")
    with pytest.raises(ArgumentError, match="'normalization' must be integral, component or norm, got '4pi'"):
        h.solid_harmonics(1, np.zeros(3), "4pi")
    with pytest.raises(ArgumentError, match="'lmax' must be a non-negative integer, got -1"):
        h.solid_harmonics(-1, np.zeros(3))
    with pytest.raises(GeometryError, match=r"'r' must be finite, got nan at index \(1, 2\)"):
        h.solid_harmonics(1, np.array([[0.0, 0.0, 0.0], [0.0, 0.0, np.nan]]))


@pytest.mark.parametrize(("lmax", "size"), [(30, 1e20), (12, 1e30), (5, 1e100), (1000, 4.0)])
def test_solid_harmonics_beyond_the_largest_number_say_so(lmax, size):
    r = np.array([[0.3, 0.4, 0.5], [0.1, -0.7, 0.7]])
    far = r * np.array([[1.0], [size]])
    with pytest.raises(GeometryError, match=rf"'r' must be so short that its power {lmax} is a number"):
        h.solid_harmonics(lmax, far)
    for near in (r, far * 10.0 ** (300 / lmax - 5) / size):  # the twins that are numbers
        assert np.isfinite(h.solid_harmonics(lmax, near)).all()
    assert np.isfinite(h.spherical_harmonics(min(lmax, 30), far)).all()
