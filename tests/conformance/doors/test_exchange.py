"""Programs in other languages: prompts out, answers in, everything wrong with an answer has a name."""

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nbody_ref import clebsch_gordan, cli, conventions
from nbody_ref.conformance.doors.exchange import generate, read_tensors, tensors, verify
from nbody_ref.conformance.doors.report import describe
from nbody_ref.errors import DataError, FileError
from nbody_ref.irreps import Irreps

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "adapters" / "solid.cpp"


def built(folder, text):
    (folder / "solid.cpp").write_text(text)
    command = ["g++", "-std=c++17", "-O1", "-Wall", "-Werror", str(folder / "solid.cpp"), "-o", str(folder / "solid")]
    subprocess.run(command, check=True)
    return str(folder / "solid")


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_cpp_program_goes_the_whole_way(tmp_path, capsys):
    prompts, answers, text = tmp_path / "prompts", tmp_path / "answers", EXAMPLE.read_text()
    assert cli.main(["conform", "gen", str(prompts), "--op", "solid", "--lmax", "1"]) == 0
    ver = ["conform", "ver", str(prompts), str(answers), "--program"]
    assert cli.main([*ver, built(tmp_path, text)]) == 0
    out = capsys.readouterr().out
    assert "CONFORMANT" in out and "second gradient" in out, out
    wrong = text.replace("{b * g[i + 3], b * g[i + 1], b * g[i + 2]}", "{b * g[i + 3], b * g[i + 1], -b * g[i + 2]}")
    assert wrong != text and cli.main([*ver, built(tmp_path, wrong)]) == 1
    assert "r at row" in capsys.readouterr().out
    crashing = text.replace("const std::string prompt", "if (count) std::abort();\nconst std::string prompt")
    assert cli.main([*ver, built(tmp_path, crashing)]) == 2
    assert "SIGABRT" in capsys.readouterr().out


def answered(folder, change=None):
    """Prompts of couplings, answered from the table; `change` spoils one answer."""
    from nbody_ref import clebsch_gordan

    prompts, answers = folder / "p", folder / "a"
    answers.mkdir()
    generate(prompts, "coupling", "float64", lmax=1)
    for path in sorted(prompts.glob("0*.json")):
        op = json.loads(path.read_text())["operation"]
        C = clebsch_gordan(op["l1"], op["l2"], op["l"])
        (answers / path.with_suffix(".safetensors").name).write_bytes(tensors({"out": C}))
    if change is not None:
        change(answers)
    return verify(prompts, answers)


def test_right_answers_pass(tmp_path):
    report = answered(tmp_path)
    assert report.exit_code == 0 and report.count("pass") == 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a header needs at least 8"),
        (b"\xff" * 64, "does not begin"),
        (tensors({"out": np.zeros((1, 1, 1))})[:-3], "truncated"),
        (tensors({"out": np.zeros((1, 1, 1))}) + b"x", "belong to nothing"),
        (tensors({"out": np.zeros((1, 1, 2))}), "expected float64 of shape"),
        (tensors({"out": np.zeros((1, 1, 1), np.float32)}), "expected float64 of shape"),
        (tensors({"out": np.ones((1, 1, 1)), "more": np.zeros(1)}), "unexpected tensor"),
        (
            (76).to_bytes(8, "little")
            + b'{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"F64"}}  ',
            "twice",
        ),
    ],
)
def test_malformed_answers_are_named(tmp_path, content, words):
    report = answered(tmp_path, lambda folder: next(iter(sorted(folder.iterdir()))).write_bytes(content))
    assert report.exit_code == 2 and report.count("error") == 1
    assert words in report.failures[0].text, report.failures[0].text


def test_a_wrong_number_fails_and_no_folder_is_an_error(tmp_path):
    wrong = tensors({"out": np.full((1, 1, 1), 1.0 + 1e-9)})
    report = answered(tmp_path, lambda folder: next(iter(sorted(folder.iterdir()))).write_bytes(wrong))
    assert report.exit_code == 1 and report.count("fail") == 1
    with pytest.raises(DataError, match="no folder of prompts"):
        verify(tmp_path / "nowhere", tmp_path)
    with pytest.raises(FileError, match="no answer"):
        read_tensors(tmp_path / "nothing.safetensors")


def test_prompts_are_the_same_bytes_every_time(tmp_path):
    for name in ("one", "two"):
        generate(tmp_path / name, "rotation", "float32", lmax=1)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_prompts_keep_to_what_the_program_can_do_and_come_in_its_gauge(tmp_path, capsys):
    """A program in e3nn's gauge that has "uvu" and values only; its one wrong path is named."""
    gauge = conventions.get("e3nn>=0.5")
    (tmp_path / "can.json").write_text('{"modes": ["uvu"], "orders": [0], "unweighted": false}')
    wanted = ["conform", "gen", str(tmp_path / "p"), "--op", "convolution", "--lmax", "1"]
    more = ["--capabilities", str(tmp_path / "can.json"), "--convention", gauge.name]
    assert cli.main([*wanted, *more]) == 0
    tables = read_tensors(tmp_path / "p" / "tables" / "couplings.safetensors")
    assert np.allclose(tables["1 1 1"], gauge.cg_from_native(1, 1, 1, clebsch_gordan(1, 1, 1)))
    asked = [json.loads(path.read_text()) for path in sorted((tmp_path / "p").glob("0*.json"))]
    modes = {i[3] for row in asked for i in row["operation"]["instructions"]}
    assert {row["order"] for row in asked} == {0} and modes == {"uvu"}
    (tmp_path / "a").mkdir()
    for wrong in (False, True):
        for path in sorted((tmp_path / "p").glob("0*.json")):
            inputs = read_tensors(path.with_suffix(".safetensors"))
            out = by_hand(json.loads(path.read_text())["operation"], inputs, tables, gauge, wrong)
            (tmp_path / "a" / path.with_suffix(".safetensors").name).write_bytes(tensors({"out": out}))
        report = verify(tmp_path / "p", tmp_path / "a")
        assert bool(report.failures) == wrong, report.failures[0].text
    causes = {o.cause for o in report.failures}
    assert any("path 1 of" in cause and "has the opposite sign" in cause for cause in causes), causes
    assert "conform ver" in "\n".join(describe(report.failures[0], report))
    assert cli.main([*wanted, "--modes", "xyz"]) == 1 and "out of range" in capsys.readouterr().err


def by_hand(op, inputs, tables, gauge, wrong):
    """A convolution as another program would write it, from the tables that come with the prompts."""
    types = [Irreps(op[key]) for key in ("irreps_1", "irreps_2", "irreps_out")]
    rows = np.zeros((len(inputs["x2"]), types[2].dim))
    start = 0
    for p, (i, j, k, _, (sign, square)) in enumerate(op["instructions"]):
        parts = [t[n] for t, n in zip(types, (i, j, k))]
        C = sign * float(Fraction(square)) ** 0.5 * tables[" ".join(str(part.irrep.l) for part in parts)]
        x, y = (
            (inputs["x1"][inputs["senders"]], inputs["x2"])[n][:, types[n].offsets[q] :][:, : parts[n].dim]
            for n, q in ((0, i), (1, j))
        )
        x, y = (z.reshape(len(z), part.mul, part.irrep.dim) for z, part in ((x, parts[0]), (y, parts[1])))
        w = inputs["w"][:, start : start + parts[0].mul * parts[1].mul].reshape(len(rows), parts[0].mul, parts[1].mul)
        start += parts[0].mul * parts[1].mul
        found = np.einsum("ijk,bui,bvj,buv->buk", C, x, y, w) * (-1 if wrong and p == 1 else 1)
        rows[:, types[2].offsets[k] :][:, : parts[2].dim] += found.reshape(len(rows), parts[2].dim)
    out = np.zeros((len(inputs["x1"]), types[2].dim))
    np.add.at(out, inputs["receivers"], rows)
    return out
