"""The commands: files, exit status, JSON, and what is refused before work starts."""

import json

import numpy as np
import pytest
from ase.build import molecule
from ase.io import read, write

from nbody_ref.after.command import SCHEMA


def test_predict_writes_what_the_calculator_says(run, files, potential, tmp_path):
    status, text, errors = run("predict", *files, "-o", tmp_path / "p", "--json")
    found = json.loads(text)  # nothing else is on the output
    assert status == 0 and found["schema"] == SCHEMA and found["frames"] == 2 and "next: " in errors
    images = read(tmp_path / "p" / "predictions.xyz", index=":")
    expected = potential.predict([(a.positions, a.numbers) for a in images])
    # extxyz holds eight digits behind the point
    assert np.abs([a.get_potential_energy() for a in images] - expected.energies).max() < 1e-7
    assert np.abs(np.concatenate([a.get_forces() for a in images]) - expected.forces).max() < 1e-7


def test_relax_then_vib_then_md(run, files, tmp_path, monkeypatch):
    monkeypatch.setattr("nbody_ref.after.dynamics.thermalise", lambda *arguments: None)  # 750 steps, tested elsewhere
    model, geometries = files
    status, text, _ = run("relax", model, geometries, "-o", tmp_path / "r", "--frame", 1)
    assert status == 0 and "converged in" in text and "nbody-ref vib" in text
    found = json.loads((tmp_path / "r" / "relax.json").read_text())
    assert found["converged"] and found["max_force_eV_per_A"] < 0.01 and found["outside"] == []
    status, text, _ = run("vib", model, tmp_path / "r" / "relaxed.xyz", "-o", tmp_path / "v")
    found = json.loads((tmp_path / "v" / "vib.json").read_text())
    assert len(found["wavenumbers_per_cm"]) == 21 and found["max_force_eV_per_A"] < 0.001
    assert len(read(tmp_path / "v" / "modes.xyz", index=":")) == 21
    assert (status == 0) == (not found["imaginary"]) == (found["thermochemistry"] is not None)
    arguments = ("md", model, tmp_path / "r" / "relaxed.xyz", "-o", tmp_path / "m", "--time-step", "1", "--ps")
    assert run(*arguments, "0.01")[0] == 0
    status, text, _ = run(*arguments, "0.02")
    assert status == 0 and "going on from 10 fs" in text and "20 fs, mean " in text


def test_relax_that_does_not_converge_says_so_by_its_status(run, files, tmp_path):
    write(tmp_path / "with_atom.xyz", [molecule("H"), read(files[1])], format="extxyz")  # it is not what is relaxed
    status, text, _ = run("relax", files[0], tmp_path / "with_atom.xyz", "-o", tmp_path, "--steps", "1")
    assert status == 1 and "frame 1 of 2" in text and "NOT converged" in text


def test_nothing_is_overwritten_unasked(run, files, tmp_path):
    assert run("predict", *files, "-o", tmp_path)[0] == 0
    status, _, errors = run("predict", *files, "-o", tmp_path)
    assert status == 1 and "--overwrite" in errors
    assert run("predict", *files, "-o", tmp_path, "--overwrite")[0] == 0


@pytest.mark.parametrize("command", ["predict", "relax", "md", "vib"])
def test_what_a_potential_does_not_know_is_refused_before_work(run, files, tmp_path, command):
    write(tmp_path / "a.xyz", molecule("CH3Cl"))
    status, _, errors = run(command, files[0], tmp_path / "a.xyz", "-o", tmp_path / "o")
    assert status == 1 and "Cl, which was not in the training data" in errors
    status, _, errors = run(command, files[0], tmp_path / "nothing.xyz", "-o", tmp_path / "o")
    assert status == 1 and "nothing.xyz" in errors


@pytest.mark.parametrize("wrong", [("md", "--temperature", "-3"), ("md", "--ps", "0"), ("vib", "--pressure", "0")])
def test_options_that_cannot_be_are_a_wrong_command_line(run, files, tmp_path, wrong):
    status, _, errors = run(wrong[0], *files, "-o", tmp_path / "o", *wrong[1:])
    assert status == 2 and "must be" in errors


def test_select_writes_the_frames_that_it_names(run, files, tmp_path):
    write(tmp_path / "pool.xyz", [molecule("H"), *read(files[1], index=":")], format="extxyz")
    status, text, _ = run("select", tmp_path / "pool.xyz", "-n", 1, "-o", tmp_path / "s", "--json")
    (chosen,) = json.loads(text)["selected"]
    picked, pool = read(tmp_path / "s" / "selected.xyz"), read(tmp_path / "pool.xyz", index=":")
    assert status == 0 and chosen and np.array_equal(picked.positions, pool[chosen].positions)
