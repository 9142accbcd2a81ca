"""Every switch of every named convention, held against SciPy, SymPy, typed formulas, and the libraries where installed.

One statement carries most of it: in the native gauge D(R) f(x) = f(R x), with f the fragments computed from SciPy. A
library's own numbers must satisfy it after translation. A wrong switch is wrong by order one, so the bound PEER only
makes room for the error of the library itself.
"""

import dataclasses
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.special
from scipy.spatial.transform import Rotation

from nbody_ref import conventions
from nbody_ref.conventions import convention
from nbody_ref.errors import IrrepsError, ShapeError
from nbody_ref.irreps import Irreps
from nbody_ref.tables import clebsch_gordan, real_to_complex

LMAX = 4
PEER = 2.0**-40
ANGLES = (0.7, -1.9, 2.3)
TRIPLES = [(l1, l2, l) for l1 in range(5) for l2 in range(5) for l in range(abs(l1 - l2), min(l1 + l2, 5) + 1)]
POINTS = np.array([[0.3, -0.8, 0.5], [-0.6, 0.1, -0.4], [0.2, 0.9, -0.7]])
POINTS /= np.linalg.norm(POINTS, axis=1, keepdims=True)
real_peers = pytest.mark.filterwarnings("ignore")


def peer(name):
    """An optional library; its own warnings at import are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def scipy_Y(r):
    """Y of SciPy for directions (..., 3), degrees side by side."""
    theta, phi = np.arccos(r[..., 2]), np.arctan2(r[..., 1], r[..., 0])
    return np.stack(
        [scipy.special.sph_harm_y(l, m, theta, phi) for l in range(LMAX + 1) for m in range(-l, l + 1)], axis=-1
    )


def fragments(r, basis):
    """Native covariant fragments of directions, all degrees side by side."""
    parts = []
    for l in range(LMAX + 1):
        f = scipy_Y(r)[..., l * l : (l + 1) ** 2].conj()
        parts.append((f @ real_to_complex(l).T).real if basis == "real" else f)
    return np.concatenate(parts, axis=-1)


def covariance_error(convention, D_of, rotation):
    """How far the translated D matrices are from moving native fragments as they must."""
    native = convention.rotation_to_native(rotation)
    x, y = fragments(POINTS, convention.basis), fragments(native.apply(POINTS), convention.basis)
    worst = 0.0
    for l in range(LMAX + 1):
        part = slice(l * l, (l + 1) ** 2)
        worst = max(worst, np.abs(x[:, part] @ convention.D_to_native(l, D_of(l)).T - y[:, part]).max())
    return worst


def harmonics_error(convention, Y, r):
    expected = fragments(convention.positions_to_native(r), convention.basis)
    return np.abs(convention.harmonics_to_native(Y) - expected).max()


def cg_error(convention, table, triples=TRIPLES):
    return max(
        np.abs(convention.cg_to_native(*t, table(*t)) - clebsch_gordan(*t, basis=convention.basis)).max()
        for t in triples
    )


def wrong(convention, **changes):
    return dataclasses.replace(convention, **changes)


# What can be known without the libraries


@pytest.mark.parametrize("name", conventions.names())
def test_there_and_back_is_exact(name):
    convention, rng = conventions.get(name), np.random.default_rng(7)

    def numbers(*shape):
        return rng.normal(size=shape) + (1j * rng.normal(size=shape) if convention.basis == "complex" else 0)

    Y, state, irreps = numbers(2, 25), numbers(3, 31), Irreps("3x1o + 2x0e + 4x2e")
    own = convention.normalization
    assert np.array_equal(convention.harmonics_to_native(convention.harmonics_from_native(Y, own), own), Y)
    assert np.array_equal(convention.state_to_native(irreps, convention.state_from_native(irreps, state)), state)
    D = numbers(2, 5, 5)
    assert np.array_equal(convention.D_to_native(2, convention.D_from_native(2, D)), D)
    assert np.array_equal(convention.gradient_to_native(convention.gradient_to_native(D)), D)
    C = rng.normal(size=(3, 5, 7))
    back = convention.cg_from_native(1, 2, 3, convention.cg_to_native(1, 2, 3, C))
    # two products and two rounded factors when there is a scale, nothing but signs otherwise
    assert np.all(np.abs(back - C) <= (4 * 2.0**-53 * np.abs(C) if convention.cg_norm == "unit" else 0))
    r, R = rng.normal(size=(4, 3)), Rotation.from_rotvec([0.1, -0.4, 0.8])
    assert np.array_equal(convention.positions_from_native(convention.positions_to_native(r)), r)
    turned = convention.rotation_from_native(convention.rotation_to_native(R))
    assert np.abs(turned.as_matrix() - R.as_matrix()).max() <= 64 * 2.0**-53
    moved = convention.rotation_to_native(R).apply(convention.positions_to_native(r))
    assert np.abs(moved - convention.positions_to_native(R.apply(r))).max() <= 64 * 2.0**-53 * np.abs(r).sum(1).max()


def test_scipy_harmonics_are_conjugate_fragments():
    scipy_, real = conventions.get("scipy"), fragments(POINTS, "real")
    f = scipy_.harmonics_to_native(scipy_Y(POINTS))
    assert np.array_equal(f, fragments(POINTS, "complex"))
    yzx = POINTS[:, [1, 2, 0]] * np.sqrt(3 / (4 * np.pi))
    assert np.abs(real[:, 1:4] - yzx).max() <= 16 * 2.0**-53
    assert harmonics_error(wrong(scipy_, conjugate=False), scipy_Y(POINTS), POINTS) > 0.1


def test_sympy_wigner_d():
    import sympy.physics.wigner as wigner

    sympy_ = conventions.get("sympy")

    def D_of(l):
        return np.array(wigner.wigner_d(l, *ANGLES).evalf(20).tolist(), dtype=np.complex128)

    rotation = sympy_.rotation_from_euler(*ANGLES)
    assert covariance_error(sympy_, D_of, rotation) < PEER
    assert covariance_error(wrong(sympy_, descending=False), D_of, rotation) > 0.1
    assert covariance_error(wrong(sympy_, conjugate_D=True), D_of, rotation) > 0.1
    assert covariance_error(sympy_, D_of, conventions.get("scipy").rotation_from_euler(*ANGLES)) > 0.1


def test_sympy_real_harmonics_keep_the_phase():
    import sympy

    znm = conventions.get("sympy-Znm")
    r = POINTS[:1]
    theta, phi = float(np.arccos(r[0, 2])), float(np.arctan2(r[0, 1], r[0, 0]))
    t, p = sympy.symbols("t p", real=True)
    Y = []
    for l in range(LMAX + 1):
        for m in range(-l, l + 1):
            y = sympy.Ynm(l, abs(m), t, p).expand(func=True).subs({t: theta, p: phi}).evalf(20)
            Y.append(complex(y).real if m == 0 else np.sqrt(2) * (complex(y).real if m > 0 else complex(y).imag))
    for l, m in ((1, 1), (2, -1), (3, 2), (1, -1)):  # SymPy's own function where it is quick, its definition elsewhere
        value = complex(sympy.Znm(l, m, t, p).expand(func=True).subs({t: theta, p: phi}).evalf(20)).real
        assert abs(value - Y[l * (l + 1) + m]) < PEER
    Y = np.array([Y])
    assert harmonics_error(znm, Y, r) < PEER
    assert harmonics_error(wrong(znm, odd_sign=False), Y, r) > 0.1


def e3nn_wigner_3j(l1, l2, l):
    """e3nn's formula, typed from its source: Q1^T Q2^T conj(Q3) of <l1 m1 l2 m2|l m>, Frobenius norm 1."""
    Q1, Q2, Q = ((-1j) ** degree * real_to_complex(degree).T for degree in (l1, l2, l))
    w = np.einsum("ai,bj,ck,abc->ijk", Q1, Q2, Q.conj(), clebsch_gordan(l1, l2, l, "complex"))
    assert np.abs(w.imag).max() < PEER
    return w.real / np.linalg.norm(w)


def test_e3nn_couplings_by_formula():
    e3nn = conventions.get("e3nn>=0.5")
    assert cg_error(e3nn, e3nn_wigner_3j) < PEER
    assert cg_error(wrong(e3nn, cg_sign="native"), e3nn_wigner_3j) > 0.1
    assert cg_error(wrong(e3nn, cg_sign="e3nn==0.4.4"), e3nn_wigner_3j) > 0.1
    assert cg_error(wrong(e3nn, cg_norm="columns"), e3nn_wigner_3j) > 0.1


def test_e3nn_cross_product_is_positive():
    w = conventions.get("e3nn>=0.5").cg_from_native(1, 1, 1, clebsch_gordan(1, 1, 1))
    assert abs(w[0, 1, 2] - 1 / 6**0.5) <= 4 * 2.0**-53  # documented: wigner_3j(1, 1, 1)[x, y, z] = +1/sqrt(6)


def test_e3nn_04_flips_eighteen_sorted_triples():
    old, new = conventions.get("e3nn==0.4.4"), conventions.get("e3nn>=0.5")

    def flipped(l1, l2, l):
        C = clebsch_gordan(l1, l2, l)
        return np.array_equal(old.cg_to_native(l1, l2, l, C), -new.cg_to_native(l1, l2, l, C))

    def every(order):
        return [
            (a, b, c)
            for a in range(9)
            for b in range(a, 9)
            for c in range(b, min(a + b, 8) + 1)
            if flipped(*order(a, b, c))
        ]

    found = every(lambda a, b, c: (a, b, c))
    assert len(found) == 18 and all(sum(t) % 2 for t in found)
    assert {(1, 2, 2), (3, 4, 6), (4, 4, 5), (5, 5, 5), (5, 8, 8)} <= set(found)
    assert not {(1, 1, 1), (2, 3, 4), (3, 3, 3), (2, 2, 3)} & set(found)
    assert every(lambda a, b, c: (c, a, b)) == every(lambda a, b, c: (b, a, c)) == found
    with pytest.raises(IrrepsError, match="end at degree 11"):
        old.cg_to_native(12, 12, 0, np.zeros((25, 25, 1)))


def test_moved_axes_are_a_rotation_of_components():
    """frame(l): what e3nn's fragments are without relabelling positions."""
    e3nn = conventions.get("e3nn>=0.5")
    here, there = fragments(POINTS, "real"), fragments(e3nn.positions_to_native(POINTS), "real")
    for l in range(LMAX + 1):
        part = slice(l * l, (l + 1) ** 2)
        assert np.abs(here[:, part] @ e3nn.frame(l).T - there[:, part]).max() < PEER
        assert np.array_equal(conventions.get("sphericart").frame(l), np.eye(2 * l + 1))
    assert np.abs(there[:, 1:4] - POINTS * np.sqrt(3 / (4 * np.pi))).max() < PEER  # e3nn's l = 1 is (x, y, z)


def test_cormorant_vectors_by_formula():
    """pos_to_rep of Cormorant: ((x - iy)/sqrt2, z, -(x + iy)/sqrt2), real and imaginary part last."""
    cormorant = conventions.get("cormorant")
    x, y, z = POINTS.T
    vector = np.stack([(x - 1j * y) / 2**0.5, z + 0j, -(x + 1j * y) / 2**0.5], axis=-1)
    Y = np.concatenate([np.ones((3, 1)), vector], axis=-1)
    native = cormorant.harmonics_to_native(np.stack([Y.real, Y.imag], axis=-1))
    assert np.abs(native - fragments(POINTS, "complex")[:, :4]).max() < PEER
    with pytest.raises(ShapeError, match=r"last axis must be \(re, im\)"):
        cormorant.harmonics_to_native(Y)


def test_layout_moves_the_channel():
    state = np.arange(8.0)[None]
    native = conventions.get("e3nn>=0.5").state_to_native("2x1o + 2x0e", state)
    assert native.tolist() == [[0.0, 3.0, 1.0, 4.0, 2.0, 5.0, 6.0, 7.0]]
    assert conventions.get("cuequivariance").state_to_native("2x1o + 2x0e", state).tolist() == state.tolist()


@pytest.mark.parametrize("normalization", ["component", "norm"])
def test_normalizations_hold_by_their_definition(normalization):
    Y = conventions.get("sphericart").harmonics_to_native(fragments(POINTS, "real"), normalization)
    for l in range(LMAX + 1):
        square = (Y[:, l * l : (l + 1) ** 2] ** 2).sum(axis=-1)
        assert np.abs(square - (2 * l + 1 if normalization == "component" else 1)).max() < PEER


def test_float32_stays_float32():
    for name in ("sympy-Znm", "mace"):
        assert conventions.get(name).harmonics_to_native(np.ones(9, np.float32)).dtype == np.float32


def test_bad_requests_are_named():
    e3nn = conventions.get("e3nn>=0.5")
    with pytest.raises(IrrepsError, match=r"'name' must be one of nbody_ref, .*, got 'e3nn'"):
        conventions.get("e3nn")
    with pytest.raises(ShapeError, match=r"'Y' must have \(lmax \+ 1\)\*\*2 components, got shape \(5,\)"):
        e3nn.harmonics_to_native(np.zeros(5))
    with pytest.raises(IrrepsError, match="'normalization' must be"):
        e3nn.harmonics_to_native(np.zeros(4), "Norm")
    with pytest.raises(ShapeError, match=r"'D' must have shape \(\.\.\., 5, 5\)"):
        e3nn.D_to_native(2, np.eye(3))
    with pytest.raises(ShapeError, match="'C' must have shape"):
        e3nn.cg_to_native(1, 1, 2, np.zeros((3, 3, 3)))
    with pytest.raises(ShapeError, match=r"type 2x1o has 6 components, got shape \(5,\)"):
        e3nn.state_to_native("2x1o", np.zeros(5))


# The libraries themselves, where installed


@pytest.fixture
def torch_double():
    """e3nn builds its generators in the default dtype, float32 unless told."""
    torch = peer("torch")
    old = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(old)


@real_peers
def test_e3nn_itself(torch_double):
    torch, o3 = torch_double, peer("e3nn.o3")
    e3nn = conventions.get("e3nn>=0.5")
    r = torch.tensor(POINTS)
    for normalization in ("integral", "component", "norm"):
        Y = o3.spherical_harmonics(list(range(LMAX + 1)), r, True, normalization).numpy()
        assert harmonics_error(wrong(e3nn, normalization=normalization), Y, POINTS) < PEER
        assert harmonics_error(wrong(e3nn, normalization=normalization, axes=(0, 1, 2)), Y, POINTS) > 0.1
    angles = torch.tensor(ANGLES, dtype=torch.float64)
    rotation = e3nn.rotation_from_euler(*ANGLES)
    assert covariance_error(e3nn, lambda l: o3.wigner_D(l, *angles).numpy(), rotation) < PEER
    assert np.abs(o3.angles_to_matrix(*angles).numpy() - rotation.as_matrix()).max() < PEER
    q = o3.angles_to_quaternion(*angles).numpy()
    assert np.abs(e3nn.rotation_from_quaternion(q).as_matrix() - rotation.as_matrix()).max() < PEER
    assert cg_error(e3nn, lambda *t: o3.wigner_3j(*t, dtype=torch.float64).numpy()) < PEER


@real_peers
def test_e3nn_states(torch_double):
    torch, o3 = torch_double, peer("e3nn.o3")
    e3nn, tau = conventions.get("e3nn>=0.5"), Irreps("2x1o + 3x0e + 2x2e")
    angles = torch.tensor(ANGLES, dtype=torch.float64)
    x = np.random.default_rng(3).normal(size=tau.dim)
    turned = o3.Irreps(str(tau)).D_from_angles(*angles).numpy() @ x
    ours, expected = e3nn.state_to_native(tau, x), []
    for start, (mul, irrep) in zip(tau.offsets, tau):
        F = ours[start : start + mul * irrep.dim].reshape(irrep.dim, mul)
        expected.append((e3nn.D_to_native(irrep.l, o3.wigner_D(irrep.l, *angles).numpy()) @ F).reshape(-1))
    assert np.abs(e3nn.state_to_native(tau, turned) - np.concatenate(expected)).max() < PEER


@real_peers
def test_e3nn_jax_itself():
    peer("jax")
    e3nn_jax = peer("e3nn_jax")
    convention = conventions.get("e3nn-jax")
    assert cg_error(convention, lambda *t: np.asarray(e3nn_jax.clebsch_gordan(*t))) < PEER
    irreps = e3nn_jax.Irreps.spherical_harmonics(LMAX)
    Y = e3nn_jax.spherical_harmonics(irreps, POINTS.astype(np.float32), True, "component").array
    assert harmonics_error(convention, np.asarray(Y, np.float64), POINTS) < 2.0**-16  # JAX computes in float32 here


@real_peers
def test_cuequivariance_itself():
    cue = peer("cuequivariance")
    convention = conventions.get("cuequivariance")
    assert cg_error(convention, lambda *t: cue.SO3.clebsch_gordan(*map(cue.SO3, t))[0]) < PEER
    for l in range(LMAX + 1):
        assert convention.D_to_native(l, np.eye(2 * l + 1)).shape == (2 * l + 1, 2 * l + 1)

    def D_of(l):
        return cue.SO3(l).rotation(np.array([1.0, 2.0, -0.5]), 0.9)

    axis = np.array([1.0, 2.0, -0.5])
    rotation = Rotation.from_rotvec(0.9 * axis / np.linalg.norm(axis))
    assert covariance_error(convention, D_of, rotation) < PEER


@real_peers
def test_sphericart_itself():
    sphericart = peer("sphericart")
    Y = sphericart.SphericalHarmonics(LMAX).compute(POINTS)
    assert harmonics_error(conventions.get("sphericart"), Y, POINTS) < PEER


@real_peers
def test_moble_itself():
    quaternionic, spherical = peer("quaternionic"), peer("spherical")
    moble = conventions.get("moble")
    q = quaternionic.array.from_euler_angles(*ANGLES)
    wigner = spherical.Wigner(LMAX)
    flat = wigner.D(q)

    def D_of(l):
        m = range(-l, l + 1)
        return np.array([[flat[wigner.Dindex(l, a, b)] for b in m] for a in m])

    rotation = moble.rotation_from_quaternion(q.ndarray)
    assert np.abs(rotation.as_matrix() - moble.rotation_from_euler(*ANGLES).as_matrix()).max() < PEER
    assert covariance_error(moble, D_of, rotation) < PEER
    assert covariance_error(wrong(moble, conjugate_D=False), D_of, rotation) > 0.1


@real_peers
def test_wigners_itself():
    wigners = peer("wigners")
    convention = conventions.get("wigners")
    assert cg_error(convention, wigners.clebsch_gordan_array) < PEER
    D = wigners.wigner_D_array(LMAX, *ANGLES)
    assert covariance_error(convention, lambda l: D[l], convention.rotation_from_euler(*ANGLES)) < PEER


@real_peers
def test_torch_gradient_is_the_conjugate():
    torch = peer("torch")
    z = torch.tensor(0.3 - 0.8j, dtype=torch.complex128, requires_grad=True)
    w = 0.5 + 0.2j
    (w * z).real.backward()
    # E = Re(w z), hence dE = Re(w dz) and z_bar = w
    assert conventions.get("torch").gradient_to_native(z.grad.numpy()) == w != z.grad.numpy()


def test_list_of_flipped_triples_is_the_one_measured():
    path = Path(__file__).parent.parent / "data" / "e3nn_0.4.4_flipped_triples.json"
    measured = {tuple(triple) for triple in json.loads(path.read_text())}
    assert measured == set(convention._E3NN_04_FLIPPED)


@pytest.mark.parametrize("name", [None, 5, "", "e3nn", [], {}, ["e3nn>=0.5"], np.array(["e3nn>=0.5"])])
def test_what_is_no_name_of_a_convention_is_refused(name):
    with pytest.raises(IrrepsError, match=r"conventions\.get: 'name' must be one of"):
        conventions.get(name)
