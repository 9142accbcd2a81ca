"""The command: what it writes, what it returns, and that no mistake of a user ends in a traceback."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule
from ase.io import read, write

from nbody_ref import cli
from nbody_ref.errors import DataError
from nbody_ref.fit.reading import ETHANOL

FAST = ["--size", "small", "--smoothness", "1.5", "--regularisation", "1e-4"]


def run(capsys, *arguments):
    """Exit status, output and errors; a traceback would surface as an exception."""
    try:
        status = cli.main([str(a) for a in arguments])
    except SystemExit as exit_:
        status = exit_.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sixteen labelled frames with labels as ASE's own calculators hold them."""
    path = tmp_path_factory.mktemp("data") / "small.xyz"
    write(path, read(ETHANOL, index="3:19"), format="extxyz")
    return path


@pytest.fixture(scope="module")
def fitted(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "new" / "fit"
    assert cli.main(["fit", str(data), "-o", str(folder), "--n-train", "12", *FAST]) == 0
    return folder


def test_fit_leaves_one_obviously_named_model_file(fitted):
    assert [p.name for p in fitted.glob("*.safetensors")] == ["potential.safetensors"]
    assert {p.name for p in fitted.iterdir()} == {
        "potential.safetensors",
        "report.html",
        "log.txt",
        "errors.json",
        "fit.toml",
    }
    log = (fitted / "log.txt").read_text()
    for words in ("'REF_energy'", "seed 0", "baseline", "memory", "predict the mean", "potential.safetensors"):
        assert words in log


def test_evaluate_writes_the_promised_keys(fitted, data, tmp_path, capsys):
    out, report = tmp_path / "errors.json", tmp_path / "r.html"
    model = fitted / "potential.safetensors"
    status, text, _ = run(capsys, "evaluate", model, data, "--json", out, "--report", report)
    assert status == 0 and "forces, meV/A" in text and report.exists()
    errors = json.loads(out.read_text())
    for key in ("energy_mae_meV", "energy_rmse_meV", "forces_mae_meV_per_A", "forces_rmse_meV_per_A"):
        assert 0 < errors[key] < 1000


def test_evaluate_takes_a_single_frame(fitted, data, tmp_path, capsys):
    write(tmp_path / "one.xyz", read(data, index=0), format="extxyz")
    status, text, _ = run(capsys, "evaluate", fitted / "potential.safetensors", tmp_path / "one.xyz")
    assert status == 0 and "errors on 1 frame " in text


def test_fit_with_a_separate_test_file(data, tmp_path, capsys):
    status, text, _ = run(capsys, "fit", data, "-o", tmp_path, "--test", data, "--seed", "3", *FAST)
    assert status == 0 and "test frames:" in text and "errors on 16 frames" in text
    assert "refitted to 16 frames" in text


def test_fit_of_all_weights_leaves_the_same_files(data, tmp_path, capsys):
    status, text, _ = run(capsys, "fit", data, "-o", tmp_path, *FAST, "--train", "all", "--steps", "1")
    assert status == 0 and "training 36864 covariant weights, at most 1 steps" in text
    assert {p.name for p in tmp_path.iterdir()} == {"potential.safetensors", "report.html", "log.txt", "fit.toml"}


MISTAKES = {
    "minutes without training": (["fit", "good.xyz", "--max-minutes", "1"], 2, "are for train='all'"),
    "one frame": (["fit", "one.xyz"], 1, "at least 5 different frames"),
    "empty file": (["fit", "empty.xyz"], 1, "is empty"),
    "no such file": (["fit", "nothing.xyz"], 1, "No such file"),
    "renamed labels": (["fit", "good.xyz", "--energy-key", "U0"], 1, "that are there: 'REF_energy'"),
    "units": (["fit", "good.xyz", "--units", "furlong,A"], 1, "units must be"),
    "too many to train on": (["fit", "good.xyz", "--n-train", "99"], 1, "cannot draw 99"),
    "memory": (["fit", "good.xyz", "--memory", "0.001"], 1, "--memory"),
    "output is a file": (["fit", "good.xyz", "-o", "good.xyz"], 1, "cannot make the folder"),
    "foreign model": (["evaluate", "good.xyz", "good.xyz"], 1, "not a safetensors file"),
    "no such model": (["info", "nothing.safetensors"], 1, "cannot read"),
    "unknown option": (["fit", "good.xyz", "--regularization", "1"], 2, "did you mean --regularisation?"),
    "unknown command": (["evalute", "x"], 2, "did you mean evaluate?"),
    "unknown choice": (["fit", "good.xyz", "--size", "smal"], 2, "did you mean small?"),
    "missing argument": (["evaluate"], 2, "required"),
    "negative seed": (["fit", "good.xyz", "--seed", "-1"], 2, "must be a whole number, not negative, got '-1'"),
    "negative seed of the start": (["quickstart", "--seed", "-1"], 2, "must be a whole number, not negative"),
    "negative degree": (["verify", "--lmax", "-1"], 2, "must be a whole number, not negative"),
    "no memory": (["fit", "good.xyz", "--memory", "nan"], 2, "'memory' must be a positive number of GB"),
    "endless cutoff": (["fit", "good.xyz", "--cutoff", "inf"], 2, "'cutoff' must be a positive length"),
    "smoothness": (["fit", "good.xyz", "--smoothness", "inf"], 2, "'smoothness' must be a number"),
    "regularisation": (["fit", "good.xyz", "--regularisation", "nan"], 2, "'regularisation' must be a number"),
    "small cutoff": (["fit", "good.xyz", "--cutoff", "0.4"], 1, "larger than a distance of two atoms"),
    "new element": (["fit", "good.xyz", "--test", "nitrogen.xyz"], 1, "test frame 0 holds N, which is not in the"),
    "log is a folder": (["fit", "good.xyz", "-o", "taken"], 1, "log.txt: Is a directory"),
    "not a number": (["fit", "good.xyz", "--seed", "x"], 2, "must be a whole number"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_end_in_one_line_and_a_status(name, data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.xyz").write_bytes(data.read_bytes())
    (tmp_path / "empty.xyz").write_text("")
    write(tmp_path / "one.xyz", read(data, index=0), format="extxyz")
    nitrogen = read(data, index=0)
    nitrogen.numbers[nitrogen.numbers == 8] = 7
    write(tmp_path / "nitrogen.xyz", nitrogen, format="extxyz")
    (tmp_path / "taken" / "log.txt").mkdir(parents=True)
    monkeypatch.setattr("nbody_ref.fit.solver.rows", lambda *arguments: pytest.fail("work has started"))
    arguments, wanted, message = MISTAKES[name]
    status, _, errors = run(capsys, *arguments)
    assert status == wanted and message in errors
    assert errors.startswith("nbody-ref") and errors.count("\n") == 1 and "Traceback" not in errors


def test_kcal_passed_as_ev_is_refused_and_accepted_with_units(data, tmp_path, capsys):
    images = read(data, index=":")
    for atoms in images:
        atoms.info["REF_energy"] *= 23.0605
        atoms.arrays["REF_forces"] *= 23.0605
    path = tmp_path / "kcal.xyz"
    write(path, images, format="extxyz")
    status, _, errors = run(capsys, "fit", path, "-o", tmp_path / "a", *FAST)
    assert status == 2 and "--units kcal/mol,A" in errors and "--anyway" in errors
    status, _, _ = run(capsys, "fit", path, "-o", tmp_path / "b", "--units", "kcal/mol,A", *FAST)
    assert status == 0


def test_interruption_ends_quietly(monkeypatch, capsys):
    monkeypatch.setattr(cli, "_quickstart", lambda options: (_ for _ in ()).throw(KeyboardInterrupt))
    status, _, errors = run(capsys, "quickstart")
    assert status == 130 and errors == "nbody-ref: interrupted\n"


def test_verify_passes_and_fails(monkeypatch, capsys):
    from nbody_ref.exact import checks

    status, text, _ = run(capsys, "verify", "--lmax", "1")
    assert status == 0 and "checks passed" in text
    results = checks.run(lmax=1)
    monkeypatch.setattr(checks, "run", lambda **options: [replace(results[0], failures=("planted",))])
    assert run(capsys, "verify")[0] == 1


def test_quickstart_passes_folder_and_seed(monkeypatch, tmp_path, capsys):
    from nbody_ref.fit import quickstart

    seen = {}
    monkeypatch.setattr(quickstart, "quickstart", lambda folder, seed: seen.update(folder=folder, seed=seed) or True)
    assert run(capsys, "quickstart", "-o", tmp_path / "q", "--seed", 4)[0] == 0
    assert seen == {"folder": tmp_path / "q", "seed": 4}


def test_info_and_help(fitted, capsys):
    status, text, _ = run(capsys, "info")
    assert status == 0 and "numpy" in text
    status, text, _ = run(capsys, "info", fitted / "potential.safetensors")
    assert status == 0 and "potential for H, C, O" in text and "hold-out" in text and len(text.splitlines()) < 26
    status, text, _ = run(capsys, "info", fitted / "potential.safetensors", "--record")
    assert status == 0 and json.loads(text)["test_split"]["seed"] == 0
    assert run(capsys)[0] == 2
    status, text, _ = run(capsys, "--help")
    assert status == 0 and all(name in text for name in ("quickstart", "fit", "evaluate", "verify", "info"))


def test_errors_of_the_programme_itself_are_not_hidden(monkeypatch):
    monkeypatch.setattr(cli, "_info", lambda options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["info"])
    monkeypatch.setattr(cli, "_info", lambda options: (_ for _ in ()).throw(DataError("said")))
    assert cli.main(["info"]) == 1


def test_help_imports_nothing_heavy():
    code = "import sys, nbody_ref.cli; print([m for m in ('numpy', 'numba', 'scipy', 'ase') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("target", [".", "/"])
def test_a_result_that_cannot_be_written_is_one_line(fitted, data, target, capsys):
    status, text, errors = run(capsys, "evaluate", fitted / "potential.safetensors", data, "--json", target)
    assert status == 1 and "forces, meV/A" in text and "is not the name of a file" in errors


def test_output_that_nobody_reads_any_more_ends_quietly(fitted):
    """As in ``nbody-ref info MODEL --record | head -1``: the reader leaves before anything is written."""
    code = "import sys; from nbody_ref.cli import main; sys.exit(main(sys.argv[1:]))"
    end, start = os.pipe()
    os.close(end)
    for arguments in (["info", str(fitted / "potential.safetensors"), "--record"], ["verify", "--lmax", "1"]):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, stdout=start, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 141 and done.stderr == ""
    os.close(start)


def test_an_interrupted_fit_writes_what_is_complete_and_returns_130(data, tmp_path, monkeypatch, capsys):
    from nbody_ref.fit import solver

    true_rows, calls = solver.rows, []

    def interrupted(network, chosen):
        calls.append(chosen)
        if len(calls) == 12:
            raise KeyboardInterrupt
        return true_rows(network, chosen)

    monkeypatch.setattr(solver, "rows", interrupted)
    monkeypatch.setattr(solver, "CHUNK_BYTES", 1.0)
    status, text, _ = run(capsys, "fit", data, "-o", tmp_path, *FAST)
    assert status == 130 and "the fit ends with these" in text
    assert (tmp_path / "potential.safetensors").exists()
    status, text, _ = run(capsys, "info", tmp_path / "potential.safetensors")
    assert status == 0 and "interrupted  True" in text


def test_copies_of_training_frames_are_no_test_frames(data, tmp_path, capsys):
    images = read(data, index=":8")
    path = tmp_path / "copies.xyz"
    write(path, [*images, *images], format="extxyz")
    status, text, _ = run(capsys, "fit", path, "-o", tmp_path / "a", "--n-train", "8", *FAST)
    assert status == 0 and "copies of training frames and are left out" in text
    status, text, _ = run(capsys, "fit", data, "-o", tmp_path / "b", "--test", path, *FAST)
    assert status == 0 and "16 of 16 test frames are copies of training frames" in text


def test_errors_of_an_earlier_fit_do_not_stay_beside_a_new_one(data, tmp_path, capsys):
    (tmp_path / "errors.json").write_text("{}")
    assert run(capsys, "fit", data, "-o", tmp_path, *FAST)[0] == 0
    assert not (tmp_path / "errors.json").exists()


def test_a_composition_that_the_data_leave_open_is_refused_by_name(data, tmp_path, capsys):
    """Ethanol without isolated atoms; methane has the same elements and another composition."""
    assert run(capsys, "fit", data, "-o", tmp_path, *FAST)[0] == 0
    methane = molecule("CH4")
    methane.info["REF_energy"], methane.arrays["REF_forces"] = -1094.0, np.zeros((5, 3))
    write(tmp_path / "methane.xyz", methane, format="extxyz")
    status, _, errors = run(capsys, "evaluate", tmp_path / "potential.safetensors", tmp_path / "methane.xyz")
    assert status == 1 and "frame 0 is CH4, and its energy does not follow from the training data" in errors


def test_check_is_zero_only_if_nothing_is_wrong(data, tmp_path, capsys):
    out = tmp_path / "check.json"
    assert run(capsys, "check", data, "--json", out)[0] == 0
    assert json.loads(out.read_text())["ok"] is True
    images = read(data, index=":")
    images[5].info["REF_energy"] += 5.0
    write(tmp_path / "wrong.xyz", images, format="extxyz")
    status, text, _ = run(capsys, "check", tmp_path / "wrong.xyz", "--json")
    found = json.loads(text)
    assert status == 1 and found["ok"] is False and found["findings"][0]["frames"] == [5]
    status, _, errors = run(capsys, "fit", tmp_path / "wrong.xyz", "-o", tmp_path / "a", *FAST)
    assert status == 2 and "frame 5" in errors and not (tmp_path / "a").exists()
    assert run(capsys, "fit", tmp_path / "wrong.xyz", "-o", tmp_path / "a", "--anyway", *FAST)[0] == 0


def test_an_earlier_fit_is_kept_unless_it_may_be_replaced(fitted, data, monkeypatch, capsys):
    before = (fitted / "potential.safetensors").read_bytes()
    status, _, errors = run(capsys, "fit", data, "-o", fitted, *FAST)
    assert status == 1 and "--overwrite" in errors and (fitted / "potential.safetensors").read_bytes() == before
    for answer, wanted in (("n", 1), ("y", 0)):
        monkeypatch.setattr("nbody_ref.fit.command.on_a_terminal", lambda: True)
        monkeypatch.setattr("builtins.input", lambda question, answer=answer: answer)
        monkeypatch.setattr("nbody_ref.fit.fit", lambda *a, **k: (_ for _ in ()).throw(DataError("it would begin")))
        status, _, errors = run(capsys, "fit", data, "-o", fitted, *FAST)
        assert status == 1 and ("it would begin" in errors) == (wanted == 0)


def test_several_files_and_patterns_are_one_set(data, tmp_path, capsys):
    images = read(data, index=":")
    for i, part in enumerate((images[:9], images[9:])):
        write(tmp_path / f"part{i}.xyz", part, format="extxyz")
    for files in ([tmp_path / "part0.xyz", tmp_path / "part1.xyz"], [f"{tmp_path}/part*.xyz"]):
        status, text, _ = run(capsys, "check", *files)
        assert status == 0 and text.startswith("16 frames")
    status, _, errors = run(capsys, "check", f"{tmp_path}/nothing*.xyz")
    assert status == 1 and "no file fits this pattern" in errors
