"""Vectors: the shipped set is whole and reproduces itself, old sets are read, damage is named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nbody_ref import cli
from nbody_ref.conformance.doors.vector_notes import CHECK_FLAGS, FLAGS, conventions_block
from nbody_ref.conformance.doors.vectors import core_folder, judge_vectors, read_vectors, round_up, write_vectors
from nbody_ref.conformance.operations.registry import operation_from_dict
from nbody_ref.conformance.planted.model import Model
from nbody_ref.conformance.planted.mutants import mutant
from nbody_ref.conformance.reference import Messages, Reference
from nbody_ref.conformance.reference_blocks import Blocks
from nbody_ref.errors import DataError, FileError

OLD = Path(__file__).parents[2] / "data" / "vectors-2026.11"
QUICK = ("coupling", "rotation", "solid", "contraction")


def test_the_core_set_is_whole_small_and_complete():
    found = read_vectors(core_folder())
    assert sum(path.stat().st_size for path in core_folder().iterdir()) < 5_000_000
    cases = [(name, case, row) for name in found.names for case, row in found.cases(name)]
    assert len(cases) > 400 and {name.rpartition("-")[0] for name, _, _ in cases} >= set(QUICK) | {"gate", "model"}
    for order in (0, 1, 2):
        assert {name for name, case, _ in cases if case.order == order} >= {"convolution-float32", "model-float64"}
    targeted = {flag for _, _, row in cases for flag in row["flags"]}
    assert targeted == set(FLAGS) - {"large"} == set(found.manifest["notes"]) - {"large"}


@pytest.mark.parametrize("backend", [Blocks(), Reference(), Messages(), Model()], ids=lambda backend: backend.name)
def test_correct_kernels_pass_the_core_set(backend):
    report = judge_vectors(backend, core_folder())
    assert report.failures == [] and report.count("pass") > 80


def test_planted_errors_fail_on_the_core_set():
    values = ("coefficient typo", "edge tail", "m reversed", "denormals flushed")
    for name in (*values, "weight gradient sign", "second: x1 constant"):
        assert judge_vectors(mutant(name).kernel(), core_folder()).failures, name


def test_the_core_set_is_reproduced_bit_for_bit(tmp_path):
    """A few operations here; all of both sets by ``nbody-ref conform vectors reproduce``."""
    write_vectors(tmp_path, operations=QUICK)
    for path in tmp_path.glob("*-*"):
        assert path.read_bytes() == (core_folder() / path.name).read_bytes(), path.name
    listed = json.loads((core_folder().parent / "core.sha256.json").read_text())
    files = read_vectors(core_folder()).manifest["files"]
    assert listed == {name: entry["sha256"] for name, entry in files.items()}


def test_an_old_set_is_still_read_and_still_true():
    old = read_vectors(OLD)
    assert old.manifest["date"] == "2026.11" and old.manifest["conventions"] == conventions_block()
    assert judge_vectors(Blocks(), OLD).failures == [] and judge_vectors(Model(), OLD).count("pass") > 20


def test_stored_values_are_what_the_truth_is():
    for name in ("solid-float64", "contraction-float32"):
        for case, _ in read_vectors(core_folder()).cases(name):
            stored = case.__dict__.pop("truth")
            for key, truth in case.truth.items():
                assert np.array_equal(truth.value, stored[key].value) and np.array_equal(truth.low, stored[key].low)
                assert (stored[key].S >= truth.S).all() and (stored[key].S <= 1.01 * truth.S).all()
            break


def test_every_operation_survives_its_description():
    found = read_vectors(core_folder())
    for name in found.names:
        listed = json.loads((core_folder() / f"{name}.json").read_text())
        for described in listed["operations"]:
            operation = operation_from_dict(described)
            again = json.loads(json.dumps(operation.to_dict()))
            assert operation_from_dict(again).to_dict() == operation.to_dict()
    with pytest.raises(DataError, match="'operation' must be one of"):
        operation_from_dict({"operation": "tensor"})
    with pytest.raises(DataError, match="no description of mixing"):
        operation_from_dict({"operation": "mixing"})


def test_descriptions_obey_the_schema():
    schema = json.loads((core_folder().parents[1] / "vectors.schema.json").read_text())
    row = schema["properties"]["cases"]["items"]
    for path in core_folder().glob("*-*.json"):
        text = json.loads(path.read_text())
        assert set(text) == set(schema["required"])
        for case in text["cases"]:
            assert set(case) == set(row["required"]) == set(row["properties"])
            assert 0 <= case["operation"] < len(text["operations"]) and set(case["flags"]) <= set(FLAGS)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(OLD, tmp_path / "set")
    return tmp_path / "set"


def test_damage_is_named(copy):
    def fails(text):
        with pytest.raises(FileError, match=text):
            list(read_vectors(copy).cases("coupling-float64"))

    path = copy / "coupling-float64.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"\1")
    fails("its sha256 differs")
    path.unlink()
    fails("cannot read")
    path.write_bytes(content)
    manifest = (copy / "manifest.json").read_text()
    (copy / "manifest.json").write_text(manifest.replace('"sha256": "', '"sha256": "0', 1))
    fails("was changed")
    (copy / "manifest.json").write_text("{}")
    fails("holds no vectors")
    with pytest.raises(DataError, match="must be one of core, full"):
        write_vectors(copy, "half")


def test_S_is_rounded_up_by_less_than_a_part_in_a_hundred():
    S = np.random.default_rng(0).uniform(0, 1, 1000) * 10.0 ** np.arange(-20, 20).repeat(25)
    found = round_up(S).astype(np.float64)
    assert (found >= S).all() and (found <= S * (1 + 2.0**-7)).all() and round_up(np.zeros(1))[0] == 0
    assert round_up(S).dtype == np.float32 and round_up(S * 1e-300).dtype == np.float64


def test_every_check_has_flags():
    assert {flag for flags in CHECK_FLAGS.values() for flag in flags} <= set(FLAGS)


def test_commands(tmp_path, capsys):
    assert cli.main(["conform", "vectors", "check"]) == 0
    assert cli.main(["conform", "vectors", "write", str(tmp_path / "a"), "--op", "coupling"]) == 0
    assert (
        cli.main(
            [
                "conform",
                "vectors",
                "judge",
                str(tmp_path / "a"),
                "--backend",
                "nbody_ref.conformance.planted.model:Model",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "core 2026.11" in out and "CONFORMANT" in out
    assert cli.main(["conform", "vectors", "write"]) == 1 and cli.main(["conform", "vectors", "judge"]) == 1
    assert cli.main(["conform", "vectors", "check", str(tmp_path)]) == 1
