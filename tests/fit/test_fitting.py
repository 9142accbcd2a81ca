"""Fits: they learn, they repeat, they say what they need, and they keep what they have when interrupted."""

import numpy as np
import pytest
from ase import Atoms

from nbody_ref.errors import DataError
from nbody_ref.fit import evaluate, fit, solver
from nbody_ref.fit.baseline import counts, pseudo_inverse
from nbody_ref.fit.frames import Frame, Frames
from nbody_ref.fit.ridge import ENERGY_WEIGHT, column_scale
from nbody_ref.fit.rows import column_orders, rows

U = 2.0**-53
FAST = {"size": "small", "smoothness": 1.5, "progress": False, "curve": False}


def test_forty_frames_give_a_potential_of_ethanol(potential, frames):
    errors = evaluate(potential, frames[100:200]).to_dict()
    # measured 35 and 5; a wrong sign or unit anywhere gives hundreds
    assert errors["forces_mae_meV_per_A"] < 55 and errors["energy_mae_meV"] < 12
    assert errors["mean"]["forces_mae_meV_per_A"] > 700 and errors["mean"]["energy_mae_meV"] > 80


def test_the_record_holds_split_choices_and_data(potential, frames):
    record = potential.metadata
    assert sorted(record["split"]["train"] + record["split"]["test"]) == list(range(40))
    assert record["indices"] == list(range(3, 43))  # isolated atoms come first in the file
    assert record["frames_used"] == 40 and record["data"]["sha256"] == frames.origin["sha256"]
    assert record["regularisation"] in record["options"]["regularisation"] and record["smoothness"] == 1.5
    assert record["holdout_errors"]["forces_mae_meV_per_A"] < 80


def test_a_fit_repeats_to_the_last_bit(frames):
    first, second = (fit(frames[:8], regularisation=1e-4, **FAST) for _ in range(2))
    name = first.network.readout
    assert np.array_equal(first.network.parameters[name], second.network.parameters[name])
    other = fit(frames[:8], regularisation=1e-4, seed=1, **FAST)
    assert not np.array_equal(first.network.parameters[name], other.network.parameters[name])


def test_primal_and_dual_are_one_potential(frames):
    predictions = []
    for name in ("primal", "dual"):
        potential = fit(frames[:10], solver=name, regularisation=1e-2, **FAST)
        predictions.append(potential.predict(frames[200:205].geometries))
    # rounding of either: u times the condition, at most columns / lambda = 3e5, times the 30^2 of energy rows: 3e-8
    assert np.abs(predictions[0].forces - predictions[1].forces).max() < 1e-7
    assert np.abs(predictions[0].energies - predictions[1].energies).max() < 1e-7


def moved_by_rounding(potential, data, test, shift, lam):
    """How far rounding may move the energies of test frames when all energies are shifted, eV.

    With A the scaled rows, y the labels and r = y - A x, the dual form solves (A A^T + mu) alpha = y, alpha = r / mu,
    within k u |A|^2 |alpha|, k = rows + 3 rows for the product and the Cholesky factor. As |A^T (A A^T + mu)^-1| is at
    most 1 / (2 sqrt(mu)), that and labels moved by d move x by (k u |A|^2 |alpha| + d) / (2 sqrt(mu)).
    """
    network = potential.network
    design, number = rows(network, data), counts(data, network.species)
    centre = np.eye(len(data)) - number @ pseudo_inverse(number)
    squares = np.sum(design.forces**2, axis=0)
    scale = column_scale(squares, len(design.forces), column_orders(network))
    a = np.concatenate([ENERGY_WEIGHT * centre @ design.energy, design.forces]) * scale
    weights = network.parameters[network.readout].ravel()
    x = np.divide(weights, scale, out=np.zeros_like(weights), where=scale > 0)
    y = np.concatenate([ENERGY_WEIGHT * centre @ data.energies, data.forces.ravel()])
    mu = lam * np.mean(squares * scale**2)
    largest = np.abs(data.energies).max() + shift
    d = ENERGY_WEIGHT * np.sqrt(len(data)) * 8 * len(data) * U * largest  # baseline, mean and difference of energies
    solve = 4 * len(a) * U * np.sum(a**2) * np.linalg.norm(y - a @ x) / mu
    ways = (rows(network, test).energy - np.mean(design.energy, axis=0)) * scale  # constants are a mean here
    return np.linalg.norm(ways, axis=1) * (2 * solve + d) / (2 * np.sqrt(mu)) + 64 * U * largest + noise(potential)


def noise(potential):
    """Rounding of predictions, as in test_potential.py."""
    return 2 * 400 * U * np.abs(potential.network.parameters[potential.network.readout]).sum()


def test_energies_of_atoms_shift_nothing_but_the_constants(frames):
    shift, lam, data, test = 1234.5, 1.0, Frames(frames.frames[:8]), frames[8:12]
    shifted = Frames(tuple(f._replace(energy=f.energy + shift) for f in data))
    a, b = (fit(part, regularisation=lam, **FAST) for part in (data, shifted))
    difference = b.predict(test.geometries).energies - a.predict(test.geometries).energies
    bound = moved_by_rounding(a, data, test, shift, lam)
    assert np.all(np.abs(difference - shift) <= bound)
    assert np.all(bound < 1e-7)  # an energy that is off by as much would be seen


def test_several_molecules_and_choices_of_smoothness(frames):
    lines = []
    water = []
    rng = np.random.default_rng(0)
    for _ in range(6):
        r = np.array([[0.0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]) + 0.03 * rng.standard_normal((3, 3))
        d1, d2 = np.linalg.norm(r[1] - r[0]), np.linalg.norm(r[2] - r[0])
        pull = [20 * (d - 0.96) * (r[0] - x) / d for d, x in ((d1, r[1]), (d2, r[2]))]
        energy = -2078.0 + 10 * (d1 - 0.96) ** 2 + 10 * (d2 - 0.96) ** 2
        water.append(Frame(np.array([8, 1, 1]), r, energy, np.array([-pull[0] - pull[1], *pull])))
    data = Frames((*frames[:6].frames, *water))
    fast = {**FAST, "smoothness": (1.0, 2.0), "regularisation": (1e-3, 1e-5), "curve": True}
    potential = fit(data, log=lines.append, **fast)
    assert potential.metadata["smoothness"] in (1.0, 2.0)
    assert any("C2H6O, H2O" in line for line in lines) and any("memory" in line for line in lines)
    assert any("least squares" in line and "other compositions will be refused" in line for line in lines)
    residual = potential.predict(data.geometries).energies - data.energies
    assert np.abs(residual).max() < 0.1


def test_learning_curve_has_points_before_the_end(frames):
    potential = fit(frames[:24], **{**FAST, "curve": True, "regularisation": (1e-3, 1e-4)})
    curve = potential.metadata["learning_curve"]
    counts = [point["frames"] for point in curve]
    assert len(curve) >= 3 and counts == sorted(set(counts)) and counts[-2:] == [19, 23]


def test_one_frame_is_too_few_and_says_so(frames):
    with pytest.raises(DataError, match=r"at least 5 different frames .* got 1 frame$"):
        fit(frames[:1])


def test_a_fit_that_needs_too_much_memory_is_refused_before_it_starts(frames, monkeypatch):
    monkeypatch.setattr(solver, "rows", lambda *arguments: pytest.fail("started"))
    lines = []
    with pytest.raises(DataError, match=r"would need .* GB, may use 0.0: .*--size small"):
        fit(frames[:10], log=lines.append, memory=0.01, **FAST)
    assert any("memory" in line for line in lines)


def test_copies_count_once_and_stay_on_one_side_of_the_hold_out(frames):
    with pytest.raises(DataError, match=r"at least 5 different frames .* got 12 frames, copies of 3"):
        fit(frames[[0, 1, 2] * 4], **FAST)
    lines = []
    order = [*range(8), *range(8), 3, 3]
    potential = fit(frames[order], log=lines.append, regularisation=1e-4, **FAST)
    assert any("10 of 18 frames are copies of others" in line and "energies to 0 eV" in line for line in lines)
    sides = [{order[i] for i in potential.metadata["split"][side]} for side in ("train", "test")]
    assert not sides[0] & sides[1] and sides[1]
    # a hold-out with copies in the training part would report no error at all
    assert potential.metadata["holdout_errors"]["forces_mae_meV_per_A"] > 20


def test_a_cutoff_without_neighbours_is_refused(frames):
    with pytest.raises(DataError, match=r"'cutoff' must be larger than a distance of two atoms, got 0.5 Angstrom"):
        fit(frames[:10], cutoff=0.5, **FAST)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("data.xyz", "got the name 'data.xyz': read the file by nbody_ref.fit.read_frames"),
        (None, "got NoneType"),
        (7, "got int"),
        ([1, 2], "got int at position 0"),
        (Atoms("H2"), "put it into a list"),
    ],
)
def test_what_is_no_list_of_frames_is_refused(wrong, message):
    with pytest.raises(DataError, match=message):
        fit(wrong)


def test_a_generator_of_atoms_is_as_good_as_a_list(frames):
    def labelled():
        for frame in frames[:6]:
            atoms = Atoms(frame.numbers, frame.positions)
            atoms.info["energy"], atoms.arrays["forces"] = frame.energy, frame.forces
            yield atoms

    assert fit(labelled(), regularisation=1e-4, **FAST).metadata["frames"] == 6
