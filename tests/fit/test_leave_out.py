"""Errors on frames that were left out are those of fits that never saw them; blocks are what depends on each other."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nbody_ref.fit import Frames, fit, solver
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.blocks import blocks, merged
from nbody_ref.fit.data import FitData
from nbody_ref.fit.evaluation import evaluate_left_out
from nbody_ref.fit.honest import errors_left_out
from nbody_ref.fit.narrator import Narrator
from nbody_ref.fit.options import Options
from nbody_ref.fit.solver import Task
from nbody_ref.fit.splits import Split

FAST = {"size": "small", "smoothness": 1.5, "progress": False, "curve": False}
LAMBDA = 1e-4


@pytest.mark.parametrize("isolated", [True, False])
@pytest.mark.parametrize("name", ["dual", "primal"])
def test_errors_left_out_are_those_of_a_fit_without_the_frame(frames, name, isolated):
    """Solved again without it, its columns scaled alike and mu the same."""
    some = replace(frames[:12], atoms=frames.atoms if isolated else {})
    data = FitData(some, Baseline.build(some), Split(tuple(range(12)), (), 0))
    task = Task(data, Options.build(FAST), Narrator(lambda line: None))
    network, order = task.network(1.5), list(range(12))
    with threadpool_limits(limits=1, user_api="blas"):
        whole = solver.equations(data, network, name)
        solver._add([whole], data, order, solver.design(data, network, order))
        solution = next(whole.solve([LAMBDA]))
        found = errors_left_out(data, whole, solution, order, lambda ids: solver.design(data, network, ids))
        rest = [i for i in order if i != 7]
        part = solver.equations(data, network, name, whole.scale())
        solver._add([part], data, rest, solver.design(data, network, rest))
        ratio = np.mean(whole._squares * whole.scale() ** 2) / np.mean(part._squares * whole.scale() ** 2)
        without = next(part.solve([LAMBDA * ratio]))
        (de, df), _ = solver.residuals(without, solver.design(data, network, [7]), data, [7])
    rows, _, _ = whole.energy_rows()
    size = np.sum((30.0 * rows * whole.scale()) ** 2) + np.sum(whole._squares * whole.scale() ** 2)
    bound = 10 * np.finfo(float).eps * size / (LAMBDA * np.mean(whole._squares * whole.scale() ** 2))  # of u |A|^2 / mu
    assert abs(found.energies[7] - de[0]) <= bound
    np.testing.assert_allclose(found.forces[63:72].ravel(), df, rtol=0, atol=bound)
    (seen, _), _ = solver.residuals(solution, solver.design(data, network, [7]), data, [7])
    assert abs(seen[0] - de[0]) > bound  # errors of training are others


def test_a_fit_records_errors_of_all_frames_with_their_error_bars(potential, frames):
    errors = potential.metadata["left_out_errors"]
    assert errors["n_frames"] == 40 and errors["n_independent"] > 30
    assert 0 < errors["forces_mae_error_meV_per_A"] < 0.3 * errors["forces_mae_meV_per_A"]
    found = evaluate_left_out(potential, frames[:40])
    assert found.to_dict() == errors and "independent frames: energy" in found.table()
    training = np.abs(potential.predict(frames[:40].geometries).forces - frames[:40].forces).mean()
    assert errors["forces_mae_meV_per_A"] > 2000 * training  # what was learned from is no test


def trajectory(frames, steps, time=1.0, mass=12.0):
    """A diatomic molecule that vibrates slowly, in steps of `time` fs, by its exact motion."""
    del frames
    omega, unit = 0.02, 0.09822694743  # 1/fs, of the slow vibration; fs in ASE's unit of time
    made = []
    for k in range(steps):
        x = 0.1 * np.sin(omega * k * time)
        force = -mass * (omega / unit) ** 2 * x
        r = np.array([[-0.6 - x, 0, 0], [0.6 + x, 0, 0]])
        made.append((np.array([6, 6]), r, 0.0, np.array([[-force, 0, 0], [force, 0, 0]])))
    from nbody_ref.fit.frames import Frame

    return Frames(tuple(Frame(*one) for one in made))


def test_frames_of_a_short_trajectory_are_one_and_forces_say_their_time(frames):
    found = blocks(trajectory(frames, 90))
    assert found.count == 1 and found.femtoseconds == pytest.approx(1.0, rel=0.02)
    assert len(np.unique(found.parts())) == 5


def test_frames_of_a_long_trajectory_are_blocks_and_others_stand_for_themselves(frames):
    found = blocks(trajectory(frames, 1000))
    assert 2 <= found.count <= 10 and len(found.pairs) == found.count - 1
    assert blocks(frames[::3]).count == 100


def test_a_scan_is_no_trajectory(frames):
    from nbody_ref.fit.frames import Frame

    pairs = [np.array([[0, 0, 0], [0, 0, r]]) for r in np.linspace(0.9, 1.6, 30)]
    assert blocks(Frames(tuple(Frame(np.array([7, 7]), r, 0.0, np.zeros((2, 3))) for r in pairs))).count == 30


def test_groups_are_merged_where_they_share_a_frame():
    found = merged(np.array([0, 0, 1, 2, 3]), np.array([5, 6, 6, 7, 8]))
    assert found[0] == found[1] == found[2] and len(set(found.tolist())) == 3


def test_frames_with_one_label_are_used_for_what_they_have(frames):
    """Energies only, forces only, some of each: what is missing is never asked, and never NaN."""
    nothing = np.full((9, 3), np.nan)
    cases = {
        "energies": Frames(tuple(f._replace(forces=nothing) for f in frames[:30]), frames.atoms),
        "forces": Frames(tuple(f._replace(energy=np.nan) for f in frames[:30])),
        "some": Frames(
            tuple(f._replace(forces=nothing) if i % 3 else f for i, f in enumerate(frames[:30])), frames.atoms
        ),
    }
    for name, data in cases.items():
        potential = fit(data, **FAST)
        prediction = potential.predict(frames[100:140].geometries)
        assert np.isfinite(prediction.energies).all() and np.isfinite(prediction.forces).all()
        error = np.abs(prediction.forces - frames[100:140].forces).mean()
        assert error < (0.08 if name == "forces" else 0.5) * np.abs(frames[100:140].forces).mean()
        labelled = prediction.energies - frames[100:140].energies
        assert np.std(labelled) < (0.05 if name == "forces" else 0.12)
        assert ("energy_mae_meV" in potential.metadata["holdout_errors"]) == (name != "forces")


def test_weights_of_frames_are_heeded(frames):
    """Weight nothing: the wrong energy of a frame is as if it were not there."""
    good, wrong = frames[:12], frames[5]._replace(energy=frames[5].energy + 3.0, energy_weight=0.0)
    spoiled = Frames((*good.frames[:5], wrong, *good.frames[6:]), frames.atoms)
    missing = Frames((*good.frames[:5], wrong._replace(energy=np.nan), *good.frames[6:]), frames.atoms)
    found = [
        fit(x, regularisation=1e-4, anyway=True, **FAST).predict(good.geometries).energies for x in (spoiled, missing)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-6)
