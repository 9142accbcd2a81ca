"""Dynamics on several surfaces: conserved quantities, signs of states, restarts, rotations, Tully's models again."""

from dataclasses import replace
from functools import partial

import mpmath
import numpy as np
import pytest
from ase import units
from scipy.spatial.transform import Rotation

from nbody_ref.errors import ArgumentError, DataError, FileError, GeometryError, ShapeError
from nbody_ref.excited import hops, swarm, tully, wigner
from nbody_ref.excited.surfaces import Electronic, aligned, from_calculators, pairs

ATOMIC_TIME = 1e-15 / 41.341373335e15 * 1e15 * units.second  # a.u. of time in ASE's unit
ELECTRON = units._me / units._amu


def adiabatic(matrices, gradients, keep=("couplings", "vectors")):
    """Electronic of diabatic matrices (T, S, S) and their gradients (T, S, S, N, 3)."""
    energies, vectors = np.linalg.eigh(matrices)
    inner = np.einsum("tka,tklnx,tlb->tabnx", vectors, gradients, vectors)
    first, second = np.array(pairs(matrices.shape[1])).T
    forces = -np.einsum("taanx->tanx", inner)
    return Electronic(
        energies,
        forces,
        inner[:, first, second] if "couplings" in keep else None,
        vectors if "vectors" in keep else None,
    )


def cone(positions, keep=("couplings", "vectors")):
    """Three states of three atoms whose surfaces cross: linear and harmonic in distances, rotation invariant."""
    rel = positions[:, [1, 2, 2]] - positions[:, [0, 0, 1]]
    dist = np.linalg.norm(rel, axis=2)
    grad = np.zeros((len(positions), 3, 3, 3))  # distance, atom, xyz
    for k, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
        grad[:, k, j], grad[:, k, i] = rel[:, k] / dist[:, k, None], -rel[:, k] / dist[:, k, None]
    a, b, c = dist.T
    h, g = np.zeros((2, len(positions), 3, 3)), np.zeros((len(positions), 3, 3, 3, 3))
    h = np.zeros((len(positions), 3, 3))
    terms = {  # element: value, derivatives by the three distances
        (0, 0): (4 * ((a - 1) ** 2 + (b - 1) ** 2 + (c - 1.4) ** 2), (8 * (a - 1), 8 * (b - 1), 8 * (c - 1.4))),
        (1, 1): (2 - a + 4 * ((b - 1) ** 2 + (c - 1.5) ** 2), (-1 + 0 * a, 8 * (b - 1), 8 * (c - 1.5))),
        (2, 2): (3 - 0.5 * c + 2 * (a - 1) ** 2, (4 * (a - 1), 0 * b, -0.5 + 0 * c)),
        (0, 1): (0.5 * (b - c + 0.4), (0 * a, 0.5 + 0 * b, -0.5 + 0 * c)),
        (1, 2): (0.2 * (a - 1.2), (0.2 + 0 * a, 0 * b, 0 * c)),
    }
    for (i, j), (value, slopes) in terms.items():
        h[:, i, j] = h[:, j, i] = value
        g[:, i, j] = g[:, j, i] = np.einsum("kt,tknx->tnx", np.array(slopes), grad)
    return adiabatic(h, g, keep)


def random_signs(surfaces, seed=1):
    """The same surfaces with the sign of every state drawn anew in every call."""
    rng = np.random.default_rng(seed)

    def flipped(positions):
        found = surfaces(positions)
        signs = rng.choice([-1.0, 1.0], found.energies.shape)
        first, second = np.array(pairs(signs.shape[1])).T
        couplings = found.couplings
        if couplings is not None:
            couplings = couplings * (signs[:, first] * signs[:, second])[:, :, None, None]
        vectors = None if found.vectors is None else found.vectors * signs[:, None, :]
        return replace(found, couplings=couplings, vectors=vectors)

    return flipped


MASSES = np.array([12.0, 2.0, 1.0])
START = np.array([[0, 0, 0], [1.0, 0.1, 0], [-0.2, 1.0, 0.2]])


def swarm_of(surfaces, count=6, seed=3, state=1, turn=None):
    rng = np.random.default_rng(seed)
    positions = START + 0.05 * rng.standard_normal((count, 3, 3))
    velocities = 0.12 * rng.standard_normal((count, 3, 3))
    if turn is not None:
        positions, velocities = positions @ turn.T, velocities @ turn.T
    return swarm.start(surfaces, MASSES, positions, velocities, state)


def bits(found):
    """Everything that can be observed."""
    shown = (found.positions, found.velocities, found.state, np.array(found.history[-1][2]), np.array(found.hops))
    return [x.tobytes() for x in shown] + [np.abs(found.amplitudes).tobytes()]


FSSH = swarm.HopOptions(method="fssh", time_step=0.2, seed=5, guard=1.0)


@pytest.mark.parametrize(
    "options, keep",
    [
        (FSSH, ("couplings", "vectors")),
        (replace(FSSH, rescale="coupling", frustrated="reverse"), ("couplings",)),
        (replace(FSSH, method="lzsh", rescale="coupling"), ("couplings",)),
    ],
    ids=["vectors", "couplings", "landau-zener"],
)
def test_observables_do_not_depend_on_signs_of_states_to_the_bit(options, keep):
    plain = partial(cone, keep=keep)
    first = swarm.run(swarm_of(plain), plain, 150, options)
    flips = random_signs(plain)
    assert bits(first) == bits(swarm.run(swarm_of(flips), flips, 150, options))
    assert sum(hop.done for hop in first.hops) > 0, "nothing hopped: the test would be empty"


def test_signs_matter_where_they_are_not_fixed(monkeypatch):
    """Twin: without alignment the same run gives other numbers."""
    monkeypatch.setattr(swarm, "aligned", lambda new, old: new)
    plain = partial(cone, keep=("couplings",))
    first, flips = swarm.run(swarm_of(plain), plain, 100, FSSH), random_signs(plain)
    assert bits(first) != bits(swarm.run(swarm_of(flips), flips, 100, FSSH))


def test_norm_of_amplitudes_is_conserved_to_rounding():
    options = swarm.HopOptions(method="fssh", time_step=0.2, decoherence=False, guard=10)
    found = swarm.run(swarm_of(cone), cone, 60, options)
    norm = np.sum(np.abs(found.amplitudes) ** 2, axis=1)
    roundings = 60 * options.substeps * 40  # an eigenbasis of 3 states and two products with it, each substep
    assert 0 < np.abs(norm - 1).max() < roundings * 2**-53


def test_energy_is_conserved_to_second_order_in_the_time_step():
    drifts = []
    for step, count in ((0.1, 60), (0.05, 120)):
        found = swarm_of(cone, state=0)
        found.electronic = replace(found.electronic, couplings=None)
        swarm.run(found, cone, count, swarm.HopOptions(method="lzsh", time_step=step, guard=10))
        assert not found.hops
        total = np.array([row[2] for row in found.history])
        drifts.append(np.abs(total - total[0]).max())
    assert 3 < drifts[0] / drifts[1] < 5


def test_vectors_and_couplings_give_the_same_amplitudes_in_the_limit_of_short_steps():
    ends = []
    for keep in (("couplings", "vectors"), ("couplings",)):
        options = swarm.HopOptions(method="fssh", time_step=0.02, decoherence=False, seed=1, guard=10)
        plain = partial(cone, keep=keep)
        ends.append(swarm.run(swarm_of(plain, count=3), plain, 150, options))
    populations = [np.abs(end.amplitudes) ** 2 for end in ends]
    np.testing.assert_allclose(populations[0], populations[1], atol=2e-4)  # second order in 0.02 fs times the coupling


def test_rotated_molecule_gives_the_rotated_trajectory():
    """Two runs differ by rounding, which dynamics amplify: k u with k the steps times some 1e3 for 30 fs."""
    turn = Rotation.from_rotvec([0.3, -0.7, 0.4]).as_matrix()
    first = swarm.run(swarm_of(cone), cone, 150, FSSH)
    other = swarm.run(swarm_of(cone, turn=turn), cone, 150, FSSH)
    assert np.array_equal(first.state, other.state) and first.hops[0][:4] == other.hops[0][:4]
    np.testing.assert_allclose(first.positions @ turn.T, other.positions, atol=150 * 1e3 * 2**-53 * 10)


def test_interrupted_swarm_goes_on_to_the_same_bits(tmp_path):
    whole = swarm.run(swarm_of(cone), cone, 120, FSSH)
    half = swarm.run(swarm_of(cone), cone, 50, FSSH)
    half.save(tmp_path / "swarm.npz")
    again = swarm.run(swarm.Swarm.load(tmp_path / "swarm.npz"), cone, 70, FSSH)
    assert bits(whole) == bits(again) and len(again.history) == 121
    assert np.array_equal(whole.populations()[0], again.populations()[0])
    (tmp_path / "other.npz").write_bytes(b"nonsense")
    with pytest.raises(FileError, match="no swarm"):
        swarm.Swarm.load(tmp_path / "other.npz")


def test_trajectories_do_not_depend_on_their_company():
    """Half a swarm, numbered as in the whole, moves as in the whole: processes can share it."""
    whole = swarm_of(cone)
    part = swarm.start(cone, MASSES, whole.positions[3:], whole.velocities[3:], 1, number=np.arange(3, 6))
    whole, part = (swarm.run(x, cone, 100, FSSH) for x in (whole, part))
    assert whole.state[3:].tolist() == part.state.tolist()
    np.testing.assert_allclose(whole.positions[3:], part.positions, rtol=0, atol=1e-9)


def test_guards_end_a_trajectory():
    rough = replace(FSSH, time_step=3.0, guard=0.05)
    found = swarm.run(swarm_of(cone), cone, 100, rough)
    assert (found.status == swarm.ENERGY).any()

    def leaving(positions):
        return replace(cone(positions), outside=np.linalg.norm(positions[:, 1] - positions[:, 0], axis=1) > 1.3)

    found = swarm.run(swarm_of(leaving), leaving, 400, FSSH)
    assert (found.status == swarm.OUTSIDE).any() and found.history[-1][0].min() == -1


def test_hop_conserves_energy_along_velocity_and_along_coupling():
    rng = np.random.default_rng(0)
    masses, velocity, direction = np.array([1.0, 12.0]), *rng.standard_normal((2, 2, 3))
    direction += 2 * velocity

    def kinetic(v):
        return 0.5 * np.sum(masses[:, None] * v**2)

    for along in (masses[:, None] * velocity, direction):
        for gain in (0.3, -0.05):
            found = hops.rescale(velocity, masses, along, gain)
            assert abs(kinetic(found) - kinetic(velocity) - gain) < 20 * 2**-53 * kinetic(velocity)
        assert hops.rescale(velocity, masses, along, -1.01 * kinetic(velocity)) is None
        flipped = hops.rescale(velocity, masses, -along, 0.3)
        assert flipped.tobytes() == hops.rescale(velocity, masses, along, 0.3).tobytes()


def linear_crossing(slope, coupling, velocity, dt, steps, couplings=False):
    """Population that stays on the lower diabatic surface after a linear crossing passed at constant velocity."""
    times = dt * (np.arange(steps + 1) - steps / 2)
    x = velocity * times
    matrices = np.array([[slope * x / 2, coupling + 0 * x], [coupling + 0 * x, -slope * x / 2]]).transpose(2, 0, 1)
    energies, vectors = np.linalg.eigh(matrices)
    amplitudes, old = np.array([[1.0 + 0j, 0]]), None
    for i in range(steps + 1):
        new = aligned(Electronic(energies[i : i + 1], np.zeros((1, 2, 1, 3)), None, vectors[i : i + 1]), old)
        if old is not None:
            turn = hops.rotation(old, new, np.zeros((1, 1, 3)), dt)
            amplitudes = hops.propagate(amplitudes, old.energies, new.energies, turn, dt, 4)
        old = new
    return np.abs(amplitudes[0, 1]) ** 2


def test_landau_zener_probability_is_that_of_mpmath():
    """Of a linear crossing Z^3 / Z'' is 16 c^4 / (F v)^2, so P = exp(-2 pi c^2 / (hbar v F))."""
    for slope, coupling, velocity in ((2.0, 0.1, 0.3), (0.5, 0.05, 0.1), (3.0, 0.02, 1.0)):
        exact = mpmath.exp(-2 * mpmath.pi * mpmath.mpf(coupling) ** 2 / (hops.HBAR * mpmath.mpf(velocity) * slope))
        dt = 1e-3 * coupling / (slope * velocity)
        gaps = np.sqrt((slope * velocity * dt * np.array([-1.0, 0, 1])) ** 2 + 4 * coupling**2)
        found = hops.landau_zener(gaps, dt)
        # the difference quotient errs by h^2/12 Z''''/Z'' = (1e-3 / 4)^2; of the gap 1e-6 cancels: 2^-53 1e7
        assert abs(found - exact) < 1e-7 * max(1, -float(mpmath.log(exact)))
    assert (
        hops.landau_zener(np.array([1.0, 2.0, 3.0]), 0.1) == 0 and hops.landau_zener(np.array([np.inf, 1, 2]), 1) == 0
    )


def test_amplitudes_through_a_linear_crossing_follow_landau_and_zener():
    """Schroedinger's equation against the asymptotic formula; the rest falls as coupling / (slope x)."""
    slope, coupling, velocity = 2.0, 0.1, 0.3
    exact = float(mpmath.exp(-2 * mpmath.pi * coupling**2 / (hops.HBAR * velocity * slope)))
    found = linear_crossing(slope, coupling, velocity, 0.05, 1200)
    bound = 4 * coupling / (slope * velocity * 30)
    assert abs(found - exact) < bound
    assert abs(linear_crossing(slope, 1.3 * coupling, velocity, 0.05, 1200) - exact) > bound, "twin: another coupling"


def tully_surfaces(model):
    """One of Tully's models as surfaces of one atom that moves along x."""

    def surfaces(positions):
        x, h = positions[:, 0, 0] / units.Bohr, 1e-5
        matrices = tully.potential(model, x) * units.Hartree
        slopes = (tully.potential(model, x + h) - tully.potential(model, x - h)) / (2 * h) * units.Hartree / units.Bohr
        gradients = np.zeros((*matrices.shape, 1, 3))
        gradients[..., 0, 0] = slopes
        return adiabatic(matrices, gradients)

    return surfaces


@pytest.mark.parametrize("model, k, method", [("SAC", 30, "fssh"), ("SAC", 30, "lzsh")])
def test_general_dynamics_agree_with_the_one_dimensional_program(model, k, method):
    """100 trajectories against 20000 of the other program: three standard errors."""
    surfaces, count, dt = tully_surfaces(model), 100, 4.0
    speed = k / tully.MASS * units.Bohr / (units.fs * 0.02418884326)
    positions, velocities = np.zeros((2, count, 1, 3))
    positions[:, 0, 0], velocities[:, 0, 0] = -10 * units.Bohr, speed
    found = swarm.start(surfaces, np.array([tully.MASS * ELECTRON]), positions, velocities, 0)
    options = swarm.HopOptions(
        method=method, time_step=dt * 0.02418884326, decoherence=False, substeps=2, seed=2, guard=0.1
    )
    swarm.run(found, surfaces, int(20 * tully.MASS / k / dt * 1.05), options)
    wanted = tully.scatter(model, k, method, 20000)["T1"]
    assert (found.status == swarm.RUNNING).all() and (found.positions[:, 0, 0] > 0).all()
    assert abs(np.mean(found.state == 0) - wanted) < 3 * np.sqrt(wanted * (1 - wanted) / count)


def test_wigner_sample_has_the_width_and_the_speed_of_the_ground_state():
    basis = wigner.hessian(springs, START)
    omega, vectors = wigner.modes(START, MASSES, basis)
    positions, velocities = wigner.sample(START, MASSES, basis, 4000, seed=1)
    root = np.sqrt(np.repeat(MASSES, 3))
    q = ((positions - START).reshape(-1, 9) * root) @ vectors
    p = (velocities.reshape(-1, 9) * root) @ vectors
    spread = 5 * np.sqrt(2 / 4000)  # five standard errors of a variance
    np.testing.assert_allclose(np.var(q, axis=0), hops.HBAR / (2 * omega), rtol=spread)
    np.testing.assert_allclose(np.var(p, axis=0), hops.HBAR * omega / 2, rtol=spread)
    assert np.abs(np.einsum("i,tix->tx", MASSES, velocities)).max() < 1e-12
    hot, _ = wigner.sample(START, MASSES, basis, 4000, temperature=30000.0, seed=1)
    assert np.std(hot - START) > 1.2 * np.std(positions - START)


def springs(positions):
    """Three springs whose rest lengths are those of START: START is the minimum."""
    rel = positions[:, [1, 2, 2]] - positions[:, [0, 0, 1]]
    rest = np.linalg.norm(START[[1, 2, 2]] - START[[0, 0, 1]], axis=1)
    pull = 20 * (1 - rest[None] / np.linalg.norm(rel, axis=2))[:, :, None] * rel
    forces = np.zeros_like(positions)
    for k, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
        forces[:, i] += pull[:, k]
        forces[:, j] -= pull[:, k]
    return forces


def test_saddle_is_no_start():
    with pytest.raises(GeometryError, match="lowest frequency"):
        wigner.sample(START, MASSES, -np.eye(9), 3)


class Two:
    """A calculator of ASE's kind with two states."""

    implemented_properties = ("state_energies", "state_forces", "state_couplings")

    def calculate(self, atoms, properties):
        found = cone(atoms.positions[None])
        self.results = {
            "state_energies": found.energies[0],
            "state_forces": found.forces[0],
            "state_couplings": found.couplings[0],
            "outside": "",
        }


def test_any_calculator_that_gives_states_can_drive():
    surfaces = from_calculators([Two()], [6, 1, 1])
    found = swarm.run(swarm_of(surfaces, count=2), surfaces, 20, FSSH)
    plain = partial(cone, keep=("couplings",))
    again = swarm.run(swarm_of(plain, count=2), plain, 20, FSSH)
    np.testing.assert_allclose(found.positions, again.positions, rtol=0, atol=1e-10)


def test_what_cannot_be_is_refused():
    bare = partial(cone, keep=())
    with pytest.raises(DataError, match="no couplings"):
        swarm.run(swarm_of(bare), bare, 1, FSSH)
    with pytest.raises(ShapeError, match="'positions'"):
        swarm.start(cone, MASSES, START, START, 0)
    with pytest.raises(DataError, match="'state'"):
        swarm_of(cone, state=3)
    with pytest.raises(ArgumentError, match="'method'"):
        swarm.HopOptions(method="ehrenfest")
    with pytest.raises(ArgumentError, match="'guard'"):
        swarm.HopOptions(guard=-1.0)
