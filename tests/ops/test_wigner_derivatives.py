"""Wigner matrices of all degrees and their derivatives against Wigner's sum and its differences with 60 digits."""

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, DTypeError, GeometryError, ShapeError
from nbody_ref.ops.wigner import wigner, wigner_jvp, wigner_vjp, wigner_vjp_jvp
from nbody_ref.tables import real_to_complex

mpmath.mp.dps = 60
LMAX = 3
STARTS = [l * (4 * l * l - 1) // 3 for l in range(LMAX + 2)]
GAUGES = ["real", "complex"]
RNG = np.random.default_rng(4)
QUATERNIONS = np.concatenate(
    [
        RNG.normal(size=(4, 4)),
        np.eye(4),  # the identity and half turns about the axes
        [
            [0.6, 0, 0, -0.8],
            [1, 0, 1, 0],
            [1, 1e-9, -1e-12, 0],
            [1e-30, 1, 0, 1e-200],
            [5e-324, 0.5, 0, 5e-324],
            [-0.3, 1e-160, 0, 0.4],
        ],
    ]
)
OMEGA = np.random.default_rng(5).normal(size=(len(QUATERNIONS), 3))


def bound(l, basis):
    """docs/derivations/wigner.md, in units of u."""
    return 69 * l + 12 if basis == "real" else 49 * l + 4


def product(p, q):
    a, b, c, d = p
    w, x, y, z = q
    return (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )


def exponential(omega):
    angle = mpmath.sqrt(sum(mpmath.mpf(x) ** 2 for x in omega))
    half = mpmath.sin(angle / 2) / angle if angle else mpmath.mpf(0)
    return (mpmath.cos(angle / 2), *(half * mpmath.mpf(x) for x in omega))


def fragment_matrix(l, q, basis):
    """D^l by Wigner's sum: the binary form of l + m factors `up` and l - m factors `down`, turned factor by factor."""
    w, x, y, z = (mpmath.mpf(t) for t in q)
    norm = mpmath.sqrt(w * w + x * x + y * y + z * z)
    a, b = mpmath.mpc(w, z) / norm, mpmath.mpc(y, x) / norm  # down -> a down - b up, up -> conj(b) down + conj(a) up
    f, D = mpmath.factorial, np.zeros((2 * l + 1, 2 * l + 1), object)
    for row in range(-l, l + 1):
        for m in range(-l, l + 1):
            total = mpmath.mpf(0)
            for k in range(max(0, row + m), min(l + row, l + m) + 1):  # factors `up` that stay up
                others = l + row - k
                total += (
                    mpmath.binomial(l + m, k)
                    * mpmath.binomial(l - m, others)
                    * mpmath.conj(a) ** k
                    * mpmath.conj(b) ** (l + m - k)
                    * (-b) ** others
                    * a ** (l - m - others)
                )
            D[row + l, m + l] = total * mpmath.sqrt(f(l + row) * f(l - row) / f(l + m) / f(l - m))
    if basis == "complex":
        return D
    V = real_to_complex(l)
    exact = np.vectorize(lambda v: mpmath.mpc(np.sign(v.real), np.sign(v.imag)) * mpmath.sqrt(0.5 if l else 1))(V)
    exact[l, l] = mpmath.mpf(1)
    return np.vectorize(mpmath.re)(exact.dot(D).dot(np.vectorize(mpmath.conj)(exact.T)))


def all_degrees(q, basis):
    return np.concatenate([fragment_matrix(l, q, basis).reshape(-1) for l in range(LMAX + 1)])


def plain(values, basis):
    return np.array([complex(v) if basis == "complex" else float(v) for v in values])


def difference(f):
    step = mpmath.mpf(10) ** -15  # error about its square, far below u
    return (f(step) - f(-step)) / (2 * step)


def along(q, omega, basis, left=True):
    """Derivative of all D as R moves to exp(t omega) R, or to R exp(t omega)."""

    def moved(t):
        turn = exponential(t * omega)
        return all_degrees(product(turn, q) if left else product(q, turn), basis)

    return plain(difference(moved), basis)


def per_entry(f):
    """A number per degree, repeated over its entries."""
    return np.concatenate([np.full((2 * l + 1) ** 2, float(f(l))) for l in range(LMAX + 1)])


def slope(l, basis, omega):
    """Largest absolute row sum of omega . G: at most (l + 1/2) |omega|_1, in the real gauge sqrt(2) times that."""
    return (np.sqrt(2) if basis == "real" else 1) * (l + 0.5) * np.abs(omega).sum()


@pytest.mark.parametrize("basis", GAUGES)
def test_all_degrees_equal_wigners_sum_poles_included(basis):
    D = wigner(QUATERNIONS, LMAX, basis)
    for q, row in zip(QUATERNIONS, D):
        exact = plain(all_degrees(q, basis), basis)
        assert (np.abs(row - exact) <= per_entry(lambda l: bound(l, basis)) * 2.0**-53).all()
    assert np.abs(wigner(QUATERNIONS * [1, -1, -1, -1], LMAX, basis) - D).max() > 0.1  # planted error: the inverse


@pytest.mark.parametrize("basis", GAUGES)
def test_jvp_is_the_derivative_along_exp_omega_R(basis):
    found = wigner_jvp(QUATERNIONS, OMEGA, LMAX, basis)
    wrong = 0.0
    for q, omega, row in zip(QUATERNIONS, OMEGA, found):
        allowed = per_entry(lambda l, omega=omega: (bound(l, basis) + 8) * slope(l, basis, omega)) * 2.0**-53
        assert (np.abs(row - along(q, omega, basis)) <= allowed).all()
        wrong = max(wrong, np.abs(row - along(q, omega, basis, left=False)).max())
    assert wrong > 0.1  # planted error: omega on the other side of R


def cotangents(basis, seed):
    rng = np.random.default_rng(seed)
    g = rng.normal(size=(len(QUATERNIONS), STARTS[-1]))
    return g if basis == "real" else g + 1j * rng.normal(size=g.shape)


@pytest.mark.parametrize("basis", GAUGES)
def test_vjp_pairs_as_the_jvp_does(basis):
    g = cotangents(basis, 6)
    (omega_bar,) = wigner_vjp(g, QUATERNIONS, LMAX, basis)
    assert omega_bar.dtype == np.float64
    for k in range(3):
        found = wigner_jvp(QUATERNIONS, np.tile(np.eye(3)[k], (len(g), 1)), LMAX, basis)
        size = np.abs(g).sum(axis=1) * slope(LMAX, basis, [1, 0, 0])
        assert (np.abs((g * found).real.sum(axis=1) - omega_bar[:, k]) <= 2 * (g.shape[1] + 8) * 2.0**-53 * size).all()
        assert np.abs((g.conj() * found).real.sum(axis=1) + omega_bar[:, k]).max() > 0.1  # planted error: sign


@pytest.mark.parametrize("basis", GAUGES)
def test_vjp_jvp_is_the_mixed_second_derivative(basis):
    g, g_dot = cotangents(basis, 7), cotangents(basis, 8)
    (found,) = wigner_vjp_jvp(g, QUATERNIONS, g_dot, OMEGA, LMAX, basis)
    for e in (0, 4, 5, 9):
        q, omega = QUATERNIONS[e], OMEGA[e]
        size = (np.abs(g[e]).sum() * slope(LMAX, basis, omega) + np.abs(g_dot[e]).sum()) * slope(LMAX, basis, [1, 0, 0])
        for k in range(3):

            def value(s, t, e=e, k=k, q=q, omega=omega):
                turn = product(exponential(s * np.eye(3)[k]), product(exponential(t * omega), q))
                return mpmath.re(((g[e] + t * g_dot[e]) * all_degrees(turn, basis)).sum())

            exact = difference(lambda t, value=value: difference(lambda s: value(s, t)))
            assert abs(found[e, k] - float(exact)) <= (bound(LMAX, basis) + g.shape[1] + 16) * 2.0**-53 * size
    moved = wigner_vjp_jvp(g, QUATERNIONS, None, OMEGA, LMAX, basis)[0]
    fixed = wigner_vjp_jvp(g, QUATERNIONS, g_dot, None, LMAX, basis)[0]
    assert (moved + fixed == found).all()
    assert np.abs(moved - found).max() > 0.1  # planted error: D_bar held fixed


def test_generators_obey_the_algebra_of_rotations():
    q = np.array([[1.0, 0, 0, 0]])
    G = [wigner_jvp(q, np.eye(3)[k : k + 1], LMAX)[0] for k in range(3)]  # at the identity D = 1
    for l in range(LMAX + 1):
        x, y, z = (row[STARTS[l] : STARTS[l + 1]].reshape(2 * l + 1, -1) for row in G)
        assert np.abs(x @ y - y @ x - z).max() <= 4 * (2 * l + 1) * (bound(l, "real") + 8) * (l + 1) ** 2 * 2.0**-53
        assert not l or np.abs(y @ x - x @ y - z).max() > 0.1  # planted error: the other order


def test_degree_128_is_within_the_bound_and_orthogonal():
    D = wigner(QUATERNIONS[:2], 128)[:, -(257**2) :].reshape(2, 257, 257)
    for matrix in D:  # columns have length 1 within sqrt(257) entries of the bound
        assert np.abs(matrix @ matrix.T - np.eye(257)).max() <= 2 * np.sqrt(257) * bound(128, "real") * 2.0**-53


def test_float32_goes_through_the_same_kernels():
    narrow = wigner(QUATERNIONS[:4].astype(np.float32), LMAX, "complex")
    wide = wigner(QUATERNIONS[:4].astype(np.float32).astype(float), LMAX, "complex")
    assert narrow.dtype == np.complex64
    assert (np.abs(narrow - wide) <= per_entry(lambda l: bound(l, "complex")) * 2.0**-24).all()
    g = wide.astype(np.complex64)
    assert wigner_vjp(g, QUATERNIONS[:4].astype(np.float32), LMAX, "complex")[0].dtype == np.float32


def test_none_is_zero_and_out_is_written():
    g = cotangents("real", 9)
    assert wigner_jvp(QUATERNIONS, None, LMAX) is None
    assert wigner_vjp(g, QUATERNIONS, LMAX, needs=(False,)) == (None,)
    assert wigner_vjp_jvp(g, QUATERNIONS, None, None, LMAX) == (None,)
    out = np.empty_like(g)
    assert wigner(QUATERNIONS, LMAX, out=out) is out
    assert (out == wigner(QUATERNIONS * 4, LMAX)).all()  # a power of two changes no bit
    assert wigner(np.empty((0, 4)), 2).shape == (0, 35)


def test_wrong_arguments_are_named():
    with pytest.raises(GeometryError, match=r"wigner: 'q' must be nonzero, got .* at index 1"):
        wigner([[1.0, 0, 0, 0], [0.0, 0, 0, 0]], 1)
    with pytest.raises(ShapeError, match="wigner: 'q' must have shape"):
        wigner(np.zeros((2, 3)), 1)
    with pytest.raises(DTypeError, match="wigner: 'q' must be float64 or float32, got int64"):
        wigner(np.ones((2, 4), int), 1)
    with pytest.raises(ArgumentError, match="wigner: 'basis' must be 'real' or 'complex', got 'cubic'"):
        wigner(QUATERNIONS, 1, "cubic")
