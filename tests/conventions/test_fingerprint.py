"""Fingerprints tell gauges apart, and name the libraries where those are installed."""

import warnings

import numpy as np
import pytest
import scipy.special
from scipy.spatial.transform import Rotation

from nbody_ref import Irreps, conventions
from nbody_ref.conventions import DIRECTIONS, QUATERNION, STATE, TRIPLES, TYPE
from nbody_ref.errors import IrrepsError
from nbody_ref.tables import clebsch_gordan

real_peers = pytest.mark.filterwarnings("ignore")
SAME = {  # gauges that nothing asked here tells apart
    "sphericart": "nbody_ref",
    "featomic": "nbody_ref",
    "openequivariance": "e3nn>=0.5",
    "wigners": "scipy",
}


def peer(name):
    """An optional library; its own warnings at import are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def euler(name):
    """Angles that the library needs for the rotation that its gauge means by `QUATERNION`."""
    gauge = conventions.get(name)
    return gauge.euler_sign * gauge.rotation_from_quaternion(QUATERNION).as_euler(gauge.euler)


@pytest.mark.parametrize("name", conventions.names())
def test_every_gauge_is_recognised_by_its_fingerprint_and_no_other_is(name):
    found = conventions.identify(conventions.fingerprint(name))
    first = SAME.get(name, name)
    assert name in found
    assert {SAME.get(other, other) for other in found} == {first}


def test_a_slip_of_order_one_is_no_gauge():
    harmonics = conventions.fingerprint("e3nn>=0.5")["harmonics"].copy()
    harmonics[:, 3] *= -1
    assert conventions.identify({"harmonics": harmonics}) == ()
    couplings = conventions.fingerprint("e3nn>=0.5")["couplings"].copy()
    couplings[np.argmax(np.abs(couplings))] *= -1
    assert conventions.identify({"couplings": couplings}) == ()


def test_rounding_does_not_matter():
    for key, value in conventions.fingerprint("e3nn-jax").items():
        if value.dtype.kind == "f":
            assert "e3nn-jax" in conventions.identify({key: value.astype(np.float32)})


def test_fingerprints_of_our_own_gauge_are_our_own_functions():
    import nbody_ref

    found = conventions.fingerprint("nbody_ref")
    u = 2.0**-53
    Y = nbody_ref.spherical_harmonics(2, DIRECTIONS)
    assert np.all(np.abs(found["harmonics"] - Y) <= (8 * 2 + 2 + 4) * u * np.abs(Y).max(axis=1, keepdims=True))
    rotation = Rotation.from_quat(QUATERNION)
    D = np.concatenate([nbody_ref.wigner_D(l, rotation).reshape(-1) for l in (1, 2)])
    assert np.all(np.abs(found["D"] - D) <= (75 * 2 + 12) * u)
    C = np.concatenate([clebsch_gordan(*t).reshape(-1) for t in TRIPLES])
    assert np.array_equal(found["couplings"], C) and np.array_equal(found["state"], STATE)


def test_scipy_is_named():
    theta, phi = np.arccos(DIRECTIONS[:, 2]), np.arctan2(DIRECTIONS[:, 1], DIRECTIONS[:, 0])
    Y = np.stack([scipy.special.sph_harm_y(l, m, theta, phi) for l in range(3) for m in range(-l, l + 1)], axis=-1)
    assert conventions.identify({"harmonics": Y}) == ("scipy", "moble", "wigners", "gelib")
    assert "scipy" not in conventions.identify({"harmonics": Y.conj()})


def test_sympy_is_named():
    import sympy
    import sympy.physics.quantum.cg
    import sympy.physics.wigner

    angles = euler("sympy")
    D = [np.array(sympy.physics.wigner.wigner_d(l, *angles).evalf(20).tolist(), complex).reshape(-1) for l in (1, 2)]
    CG = sympy.physics.quantum.cg.CG
    rows = [
        float(CG(a, m1, b, m2, c, m).doit())
        for a, b, c in TRIPLES
        for m1 in range(a, -a - 1, -1)
        for m2 in range(b, -b - 1, -1)
        for m in range(c, -c - 1, -1)
    ]
    assert conventions.identify({"D": np.concatenate(D), "couplings": np.array(rows)}) == ("sympy",)


def test_bad_requests_are_named():
    with pytest.raises(IrrepsError, match=r"'values' must have some of D, couplings, .*, got \['C'\]"):
        conventions.identify({"C": 1.0})
    with pytest.raises(IrrepsError, match="'values' must have some of"):
        conventions.identify({})
    assert conventions.get("e3nn-0.4") is conventions.get("e3nn==0.4.4")
    assert conventions.get("spherical") is conventions.get("moble")


@pytest.mark.parametrize("name", conventions.names())
def test_states_with_sorted_parts_come_back(name):
    gauge, tau = conventions.get(name), Irreps(TYPE)
    there = gauge.state_from_native(tau, STATE, arranged=True)
    assert np.array_equal(gauge.state_to_native(tau, there, arranged=True), STATE)
    sorted_type, places = gauge.arranged(tau)
    assert [sorted_type[i] for i in np.argsort(places)] == list(tau)
    assert np.array_equal(gauge.state_from_native(tau, STATE), there) == (gauge.irreps_order == "written")


# The libraries themselves, where installed


@real_peers
def test_e3nn_is_named():
    torch, o3 = peer("torch"), peer("e3nn.o3")
    old = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        q = torch.tensor(QUATERNION)
        answers = {
            "harmonics": o3.spherical_harmonics([0, 1, 2], torch.tensor(DIRECTIONS), True, "integral").numpy(),
            "D": np.concatenate([o3.Irrep(l, 1).D_from_quaternion(q).numpy().reshape(-1) for l in (1, 2)]),
            "couplings": np.concatenate([o3.wigner_3j(*t).numpy().reshape(-1) for t in TRIPLES]),
        }
    finally:
        torch.set_default_dtype(old)
    assert conventions.identify(answers) == ("e3nn>=0.5", "openequivariance")
    gauge = conventions.get("e3nn>=0.5")
    assert gauge.arranged(TYPE)[0] == Irreps(str(o3.Irreps(TYPE).sort().irreps))
    full = o3.FullTensorProduct("1x0e + 1x1o", "1x1o + 1x0e").irreps_out
    assert gauge.arranged(str(full))[0] == Irreps(str(full))


@real_peers
def test_e3nn_jax_is_named():
    peer("jax")
    e3nn_jax = peer("e3nn_jax")
    types, q = [e3nn_jax.Irrep(l, (-1) ** l) for l in range(3)], QUATERNION.astype(np.float32)
    Y = e3nn_jax.spherical_harmonics(e3nn_jax.Irreps([(1, t) for t in types]), DIRECTIONS, True, "component")
    answers = {
        "harmonics": np.asarray(Y.array),
        "D": np.concatenate([np.asarray(t.D_from_quaternion(q)).reshape(-1) for t in types[1:]]),
        "couplings": np.concatenate([np.asarray(e3nn_jax.clebsch_gordan(*t)).reshape(-1) for t in TRIPLES]),
    }
    assert "e3nn-jax" in conventions.identify(answers)
    assert conventions.get("e3nn-jax").arranged(TYPE)[0] == Irreps(str(e3nn_jax.Irreps(TYPE).sort().irreps))


@real_peers
def test_cuequivariance_is_named():
    cue = peer("cuequivariance")
    gauge = conventions.get("cuequivariance")
    rotvec = gauge.rotation_from_quaternion(QUATERNION).as_rotvec()
    angle = float(np.linalg.norm(rotvec))
    D = [cue.SO3(l).rotation(rotvec / angle, angle).reshape(-1) for l in (1, 2)]
    C = [cue.SO3.clebsch_gordan(*map(cue.SO3, t))[0].reshape(-1) for t in TRIPLES]
    assert conventions.identify({"D": np.concatenate(D), "couplings": np.concatenate(C)}) == ("cuequivariance",)
    assert gauge.arranged(TYPE)[0] == Irreps(str(cue.Irreps("O3", TYPE.replace(" ", "")).sort().irreps))


@real_peers
def test_sphericart_is_named():
    Y = peer("sphericart").SphericalHarmonics(2).compute(DIRECTIONS)
    assert conventions.identify({"harmonics": Y}) == ("nbody_ref", "sphericart", "featomic")


@real_peers
def test_spherical_is_named():
    quaternionic, spherical = peer("quaternionic"), peer("spherical")
    table = spherical.Wigner(2)
    flat = table.D(quaternionic.array(*QUATERNION))
    D = [flat[table.Dindex(l, a, b)] for l in (1, 2) for a in range(-l, l + 1) for b in range(-l, l + 1)]
    assert conventions.identify({"D": np.array(D)}) == ("moble",)


@real_peers
def test_wigners_is_named():
    wigners = peer("wigners")
    D = wigners.wigner_D_array(2, *euler("wigners"))
    C = [wigners.clebsch_gordan_array(*t).reshape(-1) for t in TRIPLES]
    answers = {"D": np.concatenate([np.asarray(D[l]).reshape(-1) for l in (1, 2)]), "couplings": np.concatenate(C)}
    found = conventions.identify(answers)
    assert "wigners" in found and not {"sympy", "moble", "e3nn>=0.5"} & set(found)


@real_peers
def test_torch_is_named():
    torch = peer("torch")
    z = torch.tensor(0.3 - 0.8j, dtype=torch.complex128, requires_grad=True)
    ((0.5 - 0.25j) * z).real.backward()
    assert conventions.identify({"gradient": z.grad.numpy()}) == ("gelib", "torch")
