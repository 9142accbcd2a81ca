"""Wigner matrices against matrix exponentials in mpmath, sympy's d functions, and the theorems of a representation."""

import random
from fractions import Fraction

import mpmath
import pytest
import sympy
from sympy.physics.quantum.spin import Rotation

from nbody_ref.errors import ArgumentError, GeometryError
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.surd import surd_sum
from nbody_ref.exact.wigner import (
    monomial_D,
    monomial_matrix,
    quaternion_product,
    rational_D,
    rotation_matrix,
    wigner_D,
    wigner_D_real,
)

P, Q = (1, 2, 3, 4), (2, -1, 0, 5)  # they do not commute


def multiply(a, b, zero=0):
    return tuple(tuple(sum((x * y for x, y in zip(row, column)), zero) for column in zip(*b)) for row in a)


def to_mpf(surd):
    return surd.sign * mpmath.sqrt(mpmath.mpf(surd.p) / surd.q)


def exponential(j, q):
    """exp(-i angle n.J) from the ladder operators: the definition, in multiprecision; j = 2l."""
    dim, l = j + 1, mpmath.mpf(j) / 2
    jz = mpmath.diag([k - l for k in range(dim)])
    jp = mpmath.zeros(dim)
    for k in range(dim - 1):
        m = k - l
        jp[k + 1, k] = mpmath.sqrt(l * (l + 1) - m * (m + 1))
    jx, jy = (jp + jp.T) / 2, (jp - jp.T) / mpmath.mpc(0, 2)
    w, x, y, z = map(mpmath.mpf, q)
    length = mpmath.sqrt(x * x + y * y + z * z)
    angle = 2 * mpmath.atan2(length, w)
    return mpmath.expm(mpmath.mpc(0, -1) * angle / length * (x * jx + y * jy + z * jz))


@pytest.mark.parametrize("j", [0, 1, 2, 3, 4, 5, 8, 12])
def test_complex_gauge_is_the_exponential_of_the_angular_momentum(j):
    with mpmath.workdps(50):
        for q in (P, Q, (0, 3, -1, 2), (3, 0, 0, -1)):
            expected, ours = exponential(j, q), wigner_D(Fraction(j, 2), q)
            for row in range(j + 1):
                for column in range(j + 1):
                    real, imag = ours[row][column]
                    assert abs(mpmath.mpc(to_mpf(real), to_mpf(imag)) - expected[row, column]) < mpmath.mpf(10) ** -40


def test_samples_to_degree_twenty_equal_sympy_d_functions():
    """q = (1, 0, 2, 0): rotation about y by beta with cos(beta / 2) = 1 / sqrt 5, so D = d(beta)."""
    rng = random.Random(2)
    cosine = sympy.Rational(-3, 5)
    for l, count in [(1, 6), (2, 6), (4, 3), (9, 2), (20, 1)]:
        matrix = wigner_D(l, (1, 0, 2, 0))
        for _ in range(count):
            m, n = rng.randint(-l, l), rng.randint(-l, l)
            expected = sympy.N(Rotation.d(l, m, n, sympy.acos(cosine)).doit(), 40)
            real, imag = matrix[m + l][n + l]
            assert not imag and abs(to_mpf(real) - mpmath.mpf(float(expected))) < 1e-14


def test_homomorphism_is_exact_in_every_gauge():
    product = quaternion_product(P, Q)
    assert multiply(rotation_matrix(P), rotation_matrix(Q)) == rotation_matrix(product)
    for l in range(9):
        assert multiply(monomial_D(l, P), monomial_D(l, Q), Gauss(0)) == monomial_D(l, product)
        assert multiply(rational_D(l, P), rational_D(l, Q)) == rational_D(l, product)
    for j in (1, 3, 5):  # half-integers: the Gaussian integers themselves multiply
        l = Fraction(j, 2)
        assert multiply(monomial_matrix(l, P), monomial_matrix(l, Q), Gauss(0)) == monomial_matrix(l, product)


def test_homomorphism_fails_for_the_planted_transpose():
    """Rows and columns exchanged make an anti-homomorphism, which commuting rotations would not show."""

    def wrong(q):
        return tuple(zip(*rational_D(2, q)))

    assert multiply(wrong(P), wrong(Q)) != wrong(quaternion_product(P, Q))
    assert multiply(wrong(P), wrong(P)) == wrong(quaternion_product(P, P))


def test_degree_one_is_the_rotation_matrix_in_yzx_order():
    rotation, order = rotation_matrix(P), (1, 2, 0)
    matrix = wigner_D_real(1, P)
    assert all(matrix[i][k] == rotation[order[i]][order[k]] for i in range(3) for k in range(3))
    assert rotation_matrix((2, 0, 0, 1))[1][0] > 0  # active, counter-clockwise about z


def test_real_gauge_is_orthogonal():
    for l in range(6):
        matrix = wigner_D_real(l, P)
        for i, a in enumerate(matrix):
            for k, b in enumerate(matrix):
                by_class = [x * y for x, y in zip(a, b)]
                assert surd_sum(by_class) == (i == k)


def test_half_integer_representation_changes_sign_with_the_quaternion():
    minus = tuple(-part for part in P)
    assert wigner_D(1, minus) == wigner_D(1, P)
    assert wigner_D(0.5, minus) == tuple(tuple((-a, -b) for a, b in row) for row in wigner_D(0.5, P))


def test_rational_quaternions_mean_the_same_rotation():
    scaled = tuple(Fraction(part, 7) for part in P)
    assert rational_D(3, scaled) == rational_D(3, P) and rotation_matrix(scaled) == rotation_matrix(P)
    assert wigner_D(1.5, scaled) == wigner_D(1.5, P)


def test_errors_name_what_is_wrong():
    with pytest.raises(GeometryError, match="'q' must be four rational numbers"):
        rational_D(1, (0, 0, 0, 0))
    with pytest.raises(GeometryError, match="'q' must be four rational numbers"):
        rotation_matrix((1.0, 0, 0, 0))
    with pytest.raises(ArgumentError, match="'l' must be an integer"):
        rational_D(Fraction(1, 2), P)
    with pytest.raises(ArgumentError, match="'l' must be a non-negative integer or half-integer"):
        monomial_matrix(-1, P)
    with pytest.raises(ArgumentError, match="half-integers"):
        monomial_D(0.5, P)
