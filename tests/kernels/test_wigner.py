"""Kernels of the Wigner matrices in the monomial gauge, where weights are rational and every identity holds with ==."""

from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.exact.wigner import monomial_D
from nbody_ref.kernels import wigner as loops

LMAX = 3
STARTS = [l * (4 * l * l - 1) // 3 for l in range(LMAX + 2)]
PHASES = ((Fraction(3, 5), Fraction(4, 5)), (Fraction(5, 13), Fraction(12, 13)))  # of a and of b


class Dual:
    """x + dx t with t^2 = 0."""

    def __init__(self, x, dx=0):
        self.x, self.dx = Fraction(x), Fraction(dx)

    def __add__(self, other):
        return Dual(self.x + other.x, self.dx + other.dx)

    def __sub__(self, other):
        return Dual(self.x - other.x, self.dx - other.dx)

    def __mul__(self, other):
        return Dual(self.x * other.x, self.x * other.dx + self.dx * other.x)

    def __neg__(self):
        return Dual(-self.x, -self.dx)


def matrices(turn, number=Fraction):
    """(real, imaginary) parts of M_l / N^l, l <= LMAX, by the kernel."""
    j, k = range(2 * LMAX + 1), range(2 * LMAX + 2)
    one = number(1)
    ones = np.array([[one for _ in k] for _ in j], object)
    down = np.array([[number(Fraction(max(n - i, 0), max(n, 1))) for i in k] for n in j], object)
    up = np.array([[number(Fraction(i, max(n, 1))) for i in k] for n in j], object)
    buffers = np.array([[number(0)] * (2 * LMAX + 2) ** 2 for _ in range(2)], object)
    phase, D = np.empty((4, 2 * LMAX + 1), object), np.empty((1, 2 * STARTS[-1]), object)
    limits = np.uintp(0), np.uintp(LMAX)
    loops.wigner_complex(np.array([turn], object), (ones, ones, down, up), one, *limits, *buffers, phase, D)
    return D[0, ::2], D[0, 1::2]


def turn_of(c, s):
    """Row of the kernel for a = c * phase, b = s * phase, and its quaternion."""
    (p, q), (r, t) = PHASES
    z1, z2 = (p * r + q * t, q * r - p * t), (p * r - q * t, q * r + p * t)
    return (c, s, *z1, *z2), (c * p, s * t, s * r, c * q)  # a = w + i z, b = y + i x


@pytest.mark.nojit
@pytest.mark.parametrize(
    "c, s", [(Fraction(7, 25), Fraction(24, 25)), (Fraction(1), Fraction(0)), (Fraction(0), Fraction(1))]
)
def test_kernel_equals_the_exact_monomial_matrices(c, s):
    turn, quaternion = turn_of(c, s)
    re, im = matrices(turn)
    for l in range(LMAX + 1):
        exact = [entry for row in monomial_D(l, quaternion) for entry in row]
        assert [(x, y) for x, y in zip(re[STARTS[l] :], im[STARTS[l] :])][: len(exact)] == [(z.re, z.im) for z in exact]
    wrong = matrices((*turn[:3], -turn[3], *turn[4:]))  # planted error: one phase conjugated
    assert (wrong[1] != im).any()


def check_derivative(sign):
    """d/dt D(exp(t e_y) R) = G_y D in the monomial gauge, R about y: the recursion on dual numbers against `act`."""
    c, s = Fraction(7, 25), Fraction(24, 25)
    one, zero = Dual(1), Dual(0)
    re, _ = matrices((Dual(c, -s / 2), Dual(s, c / 2), one, zero, one, zero), Dual)
    rows = []
    for l in range(LMAX + 1):
        width = 2 * l + 1
        for p in range(width):  # up^p down^(2l-p) has p factors up -> down / 2 and 2l - p factors down -> -up / 2
            start = STARTS[l] + p * width
            if p:
                rows.append((1, start - width, start, width, Fraction(p, 2)))
            if p < 2 * l:
                rows.append((1, start + width, start, width, sign * Fraction(2 * l - p, 2)))
    axis, row, column, width = np.array([r[:4] for r in rows], np.uintp).T
    value = np.array([r[4] for r in rows], object)
    D, out = np.array([[d.x for d in re]], object), np.array([[Fraction(0)] * len(re)], object)
    omega = np.array([[Fraction(0), Fraction(1), Fraction(0)]], object)
    loops.act(omega, D, out, axis, row, column, width, value)
    assert [d.dx for d in re] == list(out[0])


@pytest.mark.nojit
def test_derivative_is_generator_times_D():
    check_derivative(-1)


@pytest.mark.nojit
def test_a_generator_of_wrong_sign_is_seen():
    with pytest.raises(AssertionError):
        check_derivative(1)


def check_adjoint(shift):
    """<g, omega . G D> == <pair(g, D), omega> in integers, for any sparse G."""
    rng = np.random.default_rng(3)
    D, g = (rng.integers(-9, 10, (4, 30)).astype(float) for _ in range(2))
    omega = rng.integers(-9, 10, (4, 3)).astype(float)
    index = rng.integers(0, 3, 12), 5 * rng.integers(0, 6, 12), 5 * rng.integers(0, 6, 12), np.full(12, 5)
    axis, row, column, width = (np.array(i, np.uintp) for i in index)
    value = rng.integers(-9, 10, 12).astype(float)
    out, omega_bar = np.zeros_like(D), np.zeros_like(omega)
    loops.act(omega, D, out, axis, row, column, width, value)
    loops.pair(g, D, omega_bar, axis, column if shift else row, row if shift else column, width, value)
    assert (g * out).sum() == (omega_bar * omega).sum()


def test_pair_is_the_exact_adjoint_of_act():
    check_adjoint(False)


def test_a_transposed_generator_is_seen():
    with pytest.raises(AssertionError):
        check_adjoint(True)
