"""Wigner matrices against surds at rational quaternions, sympy, and the harmonics that they turn."""

import numpy as np
import pytest
import sympy
from scipy.spatial.transform import Rotation
from sympy.physics.quantum.spin import Rotation as SympyRotation

from nbody_ref import Irreps
from nbody_ref.errors import ArgumentError, DTypeError, IrrepsError
from nbody_ref.exact import wigner as exact
from nbody_ref.ops.harmonics import spherical_harmonics
from nbody_ref.ops.wigner import representation, wigner_D
from nbody_ref.tables import real_to_complex

U = np.finfo(float).eps / 2
QUATERNIONS = [(1, 2, 3, 4), (-3, 1, 0, 5), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (1, 0, -1, 0)]


def bound(l, basis="real", scipy=True):
    """Largest error of an entry; docs/derivations/wigner.md. A scipy Rotation rounds its quaternion."""
    return ((69 * l + 12 + 6 * l * scipy) if basis == "real" else (49 * l + 4 + 4 * l * scipy)) * U


def rotation(q):
    return Rotation.from_quat([q[1], q[2], q[3], q[0]])


def turns(n=8):
    """Random rotations, and those where Euler angles break down: by 0 or pi, about and across the polar axis."""
    special = [rotation(q) for q in QUATERNIONS[2:]] + [Rotation.from_rotvec([1e-9, 0, 0])]
    return [*Rotation.random(n, random_state=5), *special]


@pytest.mark.parametrize("q", QUATERNIONS)
@pytest.mark.parametrize("l", [0, 1, 2, 3, 6])
def test_D_equals_the_exact_surds_at_rational_quaternions(l, q):
    got = wigner_D(l, rotation(q), "complex")
    expected = np.array([[complex(float(a), float(b)) for a, b in row] for row in exact.wigner_D(l, q)])
    assert np.abs(got - expected).max() <= bound(l, "complex")
    real = np.array([[float(a) for a in row] for row in exact.wigner_D_real(l, q)])
    assert np.abs(wigner_D(l, rotation(q)) - real).max() <= bound(l)
    if l and q == (1, 2, 3, 4):  # planted errors: transposed, and conjugated
        assert np.abs(got.T - expected).max() > bound(l)
        assert np.abs(got.conj() - expected).max() > bound(l)


def test_D_is_accurate_at_degree_64():
    q = (1, 2, 3, 4)
    expected = np.array([[complex(float(a), float(b)) for a, b in row] for row in exact.wigner_D(64, q)])
    error = np.abs(wigner_D(64, rotation(q), "complex") - expected).max()
    assert error <= bound(64, "complex") <= 3.8e-13
    assert error <= 200 * U  # far inside the bound: the errors of 128 isometries hardly add up


@pytest.mark.parametrize("l", [1, 2])
def test_D_equals_sympy(l):
    a, b, g = sympy.Rational(7, 10), sympy.Rational(-3, 5), sympy.Rational(9, 4)
    R = Rotation.from_euler("ZYZ", [float(a), float(b), float(g)])
    got = wigner_D(l, R, "complex")
    for row in range(-l, l + 1):
        for column in range(-l, l + 1):
            entry = SympyRotation.D(l, row, column, a, b, g).doit().evalf(25)
            assert abs(got[row + l, column + l] - complex(entry)) <= bound(l) + 4 * l * U  # 2 l x angle roundings


@pytest.mark.parametrize("basis", ["real", "complex"])
def test_harmonics_turn_with_D(basis):
    lmax = 6
    r = np.random.default_rng(1).normal(size=(6, 3))
    r = np.concatenate([r, np.eye(3), -np.eye(3)])
    for R in turns():
        before, after = spherical_harmonics(lmax, r, basis=basis), spherical_harmonics(lmax, R.apply(r), basis=basis)
        for l in range(lmax + 1):
            block = slice(l * l, (l + 1) ** 2)
            turned = before[:, block] @ wigner_D(l, R, basis).T
            # |Y| <= sqrt((2l+1)/4 pi); 2l+1 products, both harmonics (8 l + 2, growth (1 + sqrt 2)^l), R.apply 8 l
            size = np.sqrt((2 * l + 1) / (4 * np.pi)) * (1 + np.sqrt(2)) ** l
            assert np.abs(after[:, block] - turned).max() <= np.sqrt(2 * l + 1) * (
                bound(l) + (2 * (8 * l + 2) + 8 * l + 2 * l + 1) * U * size
            )


def test_D_is_a_homomorphism_and_R1_R2_applies_R2_first():
    first, second = Rotation.random(2, random_state=3)
    for l in range(5):
        product = wigner_D(l, first) @ wigner_D(l, second)
        allowed = (2 * l + 1) * (3 * bound(l) + 8 * l * U)
        assert np.abs(wigner_D(l, first * second) - product).max() <= allowed
        assert np.abs(wigner_D(l, first.inv()) - wigner_D(l, first).T).max() <= 2 * bound(l)
        if l:
            assert np.abs(wigner_D(l, second * first) - product).max() > 1e-3  # planted error: the other order


def test_degree_one_is_the_rotation_matrix_in_the_order_y_z_x():
    for R in turns():
        assert np.abs(wigner_D(1, R) - R.as_matrix()[np.ix_([1, 2, 0], [1, 2, 0])]).max() <= bound(1) + 8 * U


def test_real_gauge_is_the_complex_one_turned_by_U():
    R = Rotation.random(random_state=8)
    for l in range(5):
        V = real_to_complex(l)
        assert np.abs((V @ wigner_D(l, R, "complex") @ V.conj().T).imag).max() <= 2 * bound(l)


def test_stacks_and_quaternion_signs():
    R = Rotation.random(6, random_state=2)
    D = wigner_D(3, R)
    assert D.shape == (6, 7, 7)
    assert (D[4] == wigner_D(3, R[4])).all()
    assert (wigner_D(3, Rotation.from_quat(-R.as_quat()[4])) == D[4]).all()
    assert wigner_D(0, R[0]).shape == (1, 1)


def test_representation_puts_components_slow_and_channels_fast():
    R = Rotation.random(random_state=4)
    tau = Irreps("2x1o + 1x0e + 3x2e")
    D = representation(tau, R)
    fragments = [np.random.default_rng(5).normal(size=(part.irrep.dim, part.mul)) for part in tau]
    state = np.concatenate([F.reshape(-1) for F in fragments])
    turned = np.concatenate([(wigner_D(p.irrep.l, R) @ F).reshape(-1) for p, F in zip(tau, fragments)])
    assert np.abs(D @ state - turned).max() <= 16 * U * np.abs(state).sum()
    assert (representation(tau, R) == tau.D(R)).all()
    assert representation(tau, Rotation.random(4, random_state=0), basis="complex").shape == (4, 22, 22)


def test_inversion_is_the_parity_of_each_part():
    R, tau = Rotation.random(random_state=6), Irreps("2x1o + 1x1e + 1x0o")
    signs = np.repeat([-1.0, 1.0, -1.0], [6, 3, 1])
    assert (representation(tau, R, inversion=True) == signs[:, None] * representation(tau, R)).all()
    with pytest.raises(IrrepsError, match=r"Irreps\.D: 'inversion' needs parts with a parity, got 2x1, a type of SO"):
        representation(Irreps("2x1"), R, inversion=True)


def test_wrong_arguments_are_named():
    R = Rotation.identity()
    with pytest.raises(DTypeError, match="wigner_D: 'rotation' must be a scipy Rotation, got ndarray"):
        wigner_D(1, np.eye(3))
    with pytest.raises(ArgumentError, match="wigner_D: 'basis' must be 'real' or 'complex', got 'cartesian'"):
        wigner_D(1, R, "cartesian")
    with pytest.raises(ArgumentError, match="must be a non-negative integer, got -1"):
        wigner_D(-1, R)
