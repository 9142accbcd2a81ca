"""A potential says what lies outside its data: distances, compositions; observers stop there."""

import warnings

import numpy as np
import pytest
from ase import Atoms

from nbody_ref.errors import FileError
from nbody_ref.files import load_model, save_model
from nbody_ref.fit import load, relax
from nbody_ref.fit.support import LeftDataError, Support, Watch


def moved(frame, factor):
    """The hydrogen of the hydroxyl group, at `factor` times its distance from the oxygen."""
    positions = frame.positions.copy()
    o = int(np.flatnonzero(frame.numbers == 8)[0])
    h = min(np.flatnonzero(frame.numbers == 1), key=lambda k: np.linalg.norm(positions[k] - positions[o]))
    positions[h] = positions[o] + factor * (positions[h] - positions[o])
    return Atoms(frame.numbers, positions)


def test_frames_of_the_same_distribution_are_inside_and_a_stretched_bond_is_not(potential, frames):
    alarms = [bool(potential.outside(frame.numbers, frame.positions)) for frame in frames[40:]]
    assert np.mean(alarms) < 0.03
    atoms = moved(frames[0], 1.5)
    found = potential.outside(atoms.numbers, atoms.positions)
    assert found and any(text.startswith("pair H-O: atoms") and text.size > 0.1 for text in found)


def test_the_calculator_says_it_and_warns_once(potential, frames):
    atoms = moved(frames[0], 1.0)
    atoms.calc = potential.calculator()
    atoms.get_potential_energy()
    assert atoms.calc.results["outside"] == []
    atoms.positions[:] = moved(frames[0], 1.5).positions
    with pytest.warns(UserWarning, match="outside the training data"):
        atoms.get_potential_energy()
    atoms.rattle(1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        atoms.get_forces()
    assert atoms.calc.results["outside"]


def test_other_molecules_are_outside_and_two_far_apart_are_what_each_is(frames):
    support = Support.build(frames, frames.species, 5.0)
    two = np.concatenate([frames[0].positions, frames[1].positions + [30.0, 0, 0]])
    numbers = np.concatenate([frames[0].numbers, frames[1].numbers])
    assert support.outside(numbers, two) == []
    near = np.concatenate([frames[0].positions, frames[1].positions + [6.0, 0, 0]])
    assert any("composition C4H12O2" in text for text in support.outside(numbers, near))


def test_a_file_keeps_the_support_and_one_without_says_so(potential, tmp_path):
    potential.save(tmp_path / "a.safetensors")
    read = load(tmp_path / "a.safetensors")
    assert read.support == potential.support and "C2H6O" in read.summary()
    config, arrays, metadata = load_model(tmp_path / "a.safetensors")
    old = {name: value for name, value in config.items() if name != "support"}
    save_model(tmp_path / "old.safetensors", old, arrays, metadata)
    with pytest.warns(UserWarning, match="unknown support"):
        assert load(tmp_path / "old.safetensors").support is None
    wrong = {**config, "support": {**config["support"], "compositions": [[1]]}}
    save_model(tmp_path / "wrong.safetensors", wrong, arrays, metadata)
    with pytest.raises(FileError, match="support"):
        load(tmp_path / "wrong.safetensors")


def test_an_observer_stops_far_outside_or_after_its_patience_with_the_last_frame_inside(potential, frames):
    atoms = moved(frames[0], 1.0)
    atoms.calc = potential.calculator()
    watch = Watch(atoms, patience=2)
    atoms.get_forces()
    watch()
    inside = atoms.positions.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atoms.positions[:] = moved(frames[0], 1.35).positions
        atoms.get_forces()
        watch()
        watch()
        with pytest.raises(LeftDataError, match="for 3 steps") as stopped:
            watch()
        assert np.array_equal(stopped.value.last_inside.positions, inside)
        atoms.positions[:] = moved(frames[0], 2.2).positions  # where hydrogen of the methyl group may be, unbonded
        atoms.get_forces()
    with pytest.raises(LeftDataError, match=r"far, at step 1: atom 2 \(O\): the nearest H is at 2"):
        Watch(atoms)()


def test_a_relaxation_that_ends_outside_is_not_converged(potential, frames):
    assert relax(potential, moved(frames[0], 1.0), max_force=0.05).converged
    far = moved(frames[0], 2.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ended = relax(potential, far, max_force=100.0)  # at once
    assert ended.steps == 0 and not ended.converged
