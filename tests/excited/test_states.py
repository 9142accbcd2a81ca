"""Several states from networks: the three ways on surfaces that cross, files, calculators, other programs' formats."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from nbody_ref.cli import main
from nbody_ref.errors import DataError, FileError
from nbody_ref.excited import swarm
from nbody_ref.excited.calculator import sharc_answer
from nbody_ref.excited.labels import StateFrames
from nbody_ref.excited.states import fit_states, load_states
from nbody_ref.excited.surfaces import Electronic, aligned

NUMBERS = np.array([6, 1, 1])
GEOMETRY = np.array([[0, 0, 0], [1.0, 0.1, 0], [-0.2, 1.0, 0.2]])
MASSES = np.array([12.0, 2.0, 1.0])
SMALL = {"size": (8, 6, 2), "regularisation": (1e-5,), "iterations": 400}


def two_states(positions):
    """Surfaces of three atoms that cross where two distances are equal and the third is 1.25."""
    rel = positions[:, [1, 2, 2]] - positions[:, [0, 0, 1]]
    dist = np.linalg.norm(rel, axis=2)
    grad = np.zeros((len(positions), 3, 3, 3))
    for k, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
        grad[:, k, j], grad[:, k, i] = rel[:, k] / dist[:, k, None], -rel[:, k] / dist[:, k, None]
    a, b, c = dist.T
    well = 3 * ((a - 1) ** 2 + (b - 1) ** 2) + 4 * (c - 1.5) ** 2
    slopes = np.stack([6 * (a - 1), 6 * (b - 1), 8 * (c - 1.5)], axis=1)
    tilt, tilt_slopes = 2 * (c - 1.25), np.stack([0 * a, 0 * a, 2 + 0 * a], axis=1)
    mix, mix_slopes = 1.0 * (a - b), np.stack([1 + 0 * a, -1 + 0 * a, 0 * a], axis=1)
    h = np.array([[well + tilt, mix], [mix, well - tilt]]).transpose(2, 0, 1)
    parts = [[slopes + tilt_slopes, mix_slopes], [mix_slopes, slopes - tilt_slopes]]
    g = np.einsum("ijtk,tknx->tijnx", np.array(parts), grad)
    energies, vectors = np.linalg.eigh(h)
    inner = np.einsum("tka,tklnx,tlb->tabnx", vectors, g, vectors)
    forces = -np.stack([inner[:, 0, 0], inner[:, 1, 1]], axis=1)
    return Electronic(energies, forces, inner[:, 0, 1][:, None], vectors)


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(0)
    positions = GEOMETRY + 0.1 * rng.standard_normal((90, 3, 3))
    found = two_states(positions)
    signs = rng.choice([-1.0, 1.0], (90, 1, 1, 1))
    return StateFrames(NUMBERS, positions, found.energies, found.forces, signs * found.couplings, np.arange(90))


@pytest.fixture(scope="module")
def model(frames):
    return fit_states(frames[:60], "diabatic", **SMALL)


def errors(model, frames):
    found = model.surfaces(frames.positions)
    return np.abs(found.energies - frames.energies).mean(), np.abs(found.forces - frames.forces).mean()


def test_matrix_learns_energies_and_forces_near_the_crossing_too(frames, model):
    """Thirty unseen frames: a few % of the spread of the labels, and where the gap is below 1 eV not twice that."""
    test = frames[60:]
    near = test[test.gaps() < 1.0]
    assert len(near) > 3
    for part, factor in ((test, 1), (near, 2)):
        energy, force = errors(model, part)
        assert energy < factor * 0.02 * np.std(frames.energies) and force < factor * 0.04 * np.std(frames.forces)


def test_forces_of_states_are_derivatives_of_their_energies(frames, model):
    positions, t = frames.positions[60:63], 1e-5
    found = model.surfaces(positions)
    move = np.random.default_rng(1).standard_normal(positions.shape)
    slope = (model.surfaces(positions + t * move).energies - model.surfaces(positions - t * move).energies) / (2 * t)
    np.testing.assert_allclose(slope, -np.einsum("tsax,tax->ts", found.forces, move), rtol=1e-6, atol=1e-7)


def test_couplings_are_learned_up_to_their_sign(frames, model):
    test = frames[60:]
    found = model.surfaces(test.positions).couplings.reshape(len(test), -1)
    wanted = test.couplings.reshape(len(test), -1)
    cosine = np.abs(np.sum(found * wanted, axis=1)) / np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)
    assert np.median(cosine) > 0.95
    assert np.abs(found.reshape(-1, 3, 3).sum(axis=1)).max() < 1e-10, "translation-free"


def test_invariants_turn_a_constant_error_into_one_that_grows_as_the_gap_shrinks(frames):
    """Of the squared half gap D + e: half the gap errs by e / (2 sqrt(D)), the force difference by the same factor."""
    small = {"size": "small", "curve": False, "smoothness": 1.5, "cutoff": 4.0}
    model = fit_states(frames[:60], "invariants", **small)
    found = model.surfaces(frames.positions[60:])
    assert np.abs(found.energies.mean(axis=1) - frames.energies[60:].mean(axis=1)).mean() < 0.05
    error = np.abs(np.diff(found.energies, axis=1)[:, 0] - frames.gaps()[60:])
    near = frames.gaps()[60:] < 1.0
    assert error[near].mean() > error[~near].mean()
    with pytest.raises(DataError, match="two states"):
        three = replace(
            frames,
            energies=np.c_[frames.energies, frames.energies[:, 1] + 1],
            forces=np.repeat(frames.forces, 2, axis=1)[:, :3],
            couplings=np.repeat(frames.couplings, 3, axis=1),
        )
        fit_states(three, "invariants")


def test_file_gives_the_same_bits_and_others_are_refused(frames, model, tmp_path):
    model.save(tmp_path / "states.safetensors")
    again = load_states(tmp_path / "states.safetensors")
    first, second = model.surfaces(frames.positions[:5]), again.surfaces(frames.positions[:5])
    assert np.array_equal(first.energies, second.energies) and np.array_equal(first.forces, second.forces)
    (tmp_path / "x.safetensors").write_bytes(b"nonsense")
    with pytest.raises(FileError):
        load_states(tmp_path / "x.safetensors")
    with pytest.raises(DataError, match="save its models"):
        replace(model, approach="specific").save(tmp_path / "y")


def test_swarm_on_the_model_conserves_energy_and_stops_outside(frames, model):
    rng = np.random.default_rng(2)
    velocities = 0.03 * rng.standard_normal((8, 3, 3))
    made = swarm.start(model.surfaces, MASSES, frames.positions[:8], velocities, 1)
    options = swarm.HopOptions(method="fssh", time_step=0.2, guard=0.05, seed=1)
    swarm.run(made, model.surfaces, 60, options)
    total = np.array([row[2] for row in made.history])
    assert np.nanmax(np.abs(total - total[0])) < 0.05 and (made.status != swarm.ENERGY).all()
    far = model.surfaces(frames.positions[:1] * 2)
    assert far.outside.all() and not model.surfaces(frames.positions[:1]).outside.any()


def test_calculator_and_other_programs_formats(frames, model):
    atoms = Atoms("CHH", frames.positions[0])
    atoms.calc = model.calculator(state=1)
    found = model.surfaces(frames.positions[:1])
    assert atoms.get_potential_energy() == found.energies[0, 1]
    assert np.array_equal(atoms.get_forces(), found.forces[0, 1]) and atoms.calc.results["outside"] == ""
    text = sharc_answer(found)
    lines = text.splitlines()
    assert lines[0] == "! 1 Hamiltonian Matrix (2x2, complex)" and "! 3 Gradient Vectors (2x3x3, real)" in lines
    numbers = [float(x) for x in lines[2].split()]
    assert abs(numbers[0] * 27.211386024367243 - found.energies[0, 0]) < 1e-9
    start = lines.index("! 5 Non-adiabatic couplings (ddr) (2x2x3x3, real)")
    assert lines[start + 1] == "3 3 ! m1 1 s1 1 ms1 0   m2 1 s2 1 ms2 0"
    forward = np.array([[float(x) for x in line.split()] for line in lines[start + 6 : start + 9]])
    back = np.array([[float(x) for x in line.split()] for line in lines[start + 10 : start + 13]])
    np.testing.assert_allclose(forward, -back)


def test_mudslide_moves_our_model(frames, model):
    mudslide = pytest.importorskip("mudslide")
    from nbody_ref.excited.calculator import mudslide_model

    made = mudslide_model(model, MASSES)
    start = frames.positions[0].ravel() / 0.529177210903
    made.compute(start)
    found = aligned(model.surfaces(frames.positions[:1]), None)
    np.testing.assert_allclose(np.diag(made.hamiltonian) * 27.211386, found.energies[0], rtol=1e-6)
    run = mudslide.SurfaceHoppingMD(made, start, np.zeros(9), 1, dt=4.0, max_steps=20, seed_sequence=1)
    trace = run.simulate()
    totals = np.array([snapshot["energy"] for snapshot in trace])
    assert np.abs(totals - totals[0]).max() < 1e-3


def test_command_starts_from_the_wigner_function_and_goes_on_where_it_stopped(frames, model, tmp_path, capsys):
    model.save(tmp_path / "states.safetensors")
    write(tmp_path / "start.xyz", Atoms("CHH", [[0, 0, 0], [1.0, 0, 0], [-0.5, 0.87, 0]]))
    line = (
        f"hop {tmp_path}/states.safetensors --start {tmp_path}/start.xyz --trajectories 5 --time-step 0.2 --guard 0.5"
    )
    assert main([*line.split(), "-o", str(tmp_path / "a"), "--femtoseconds", "4"]) == 0
    assert main([*line.split(), "-o", str(tmp_path / "b"), "--femtoseconds", "2"]) == 0
    assert main([*line.split(), "-o", str(tmp_path / "b"), "--femtoseconds", "4"]) == 0
    whole, again = (swarm.Swarm.load(tmp_path / name / "swarm.npz") for name in "ab")
    assert np.array_equal(whole.positions, again.positions) and whole.hops == again.hops
    found = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert found["trajectories"] == 5 and abs(sum(found["populations"]) - 1) < 1e-5
    assert (tmp_path / "a" / "swarm.png").stat().st_size > 1000
    assert "trajectories of 4 fs" in capsys.readouterr().out
    assert main(["hop", str(tmp_path / "states.safetensors"), "-o", str(tmp_path / "c")]) == 1
    assert "--start" in capsys.readouterr().err


def test_parts_of_a_swarm_join_to_the_whole(frames, model):
    velocities = 0.03 * np.random.default_rng(2).standard_normal((6, 3, 3))
    options = swarm.HopOptions(method="fssh", time_step=0.2, guard=0.5, seed=1)
    parts = []
    for share in (np.arange(6), np.arange(0, 6, 2), np.arange(1, 6, 2)):
        made = swarm.start(model.surfaces, MASSES, frames.positions[share], velocities[share], 1, share)
        parts.append(swarm.run(made, model.surfaces, 20, options))
    joined = swarm.Swarm.joined(parts[1:])
    assert np.array_equal(joined.number, np.arange(6)) and np.array_equal(joined.state, parts[0].state)
    np.testing.assert_allclose(joined.positions, parts[0].positions, rtol=0, atol=1e-10)
    assert [h[:4] for h in joined.hops] == sorted([h[:4] for h in parts[0].hops], key=lambda h: (h[1], h[0]))
