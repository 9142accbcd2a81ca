"""Programs and backends that crash, hang or cannot start: each is a named result, and the rest goes on."""

import os
import sys
import time

import pytest

from nbody_ref import cli
from nbody_ref.conformance.doors.exchange import answered, generate
from nbody_ref.conformance.doors.subprocesses import answer

BACKENDS = """
import os, time
from nbody_ref.conformance import Capabilities
from nbody_ref.conformance.planted.model import Model

class Crashes(Model):
    name = "crashes"
    capabilities = Capabilities(operations=("rotation", "coupling"), dtypes=("float64",), lmax=1)
    def rotation(self, op, q):
        if op.l == 1 and len(q) == 7:
            os.abort()
        return super().rotation(op, q)

class Hangs(Crashes):
    def rotation(self, op, q):
        if len(q) == 7:
            time.sleep(600)
        return super().rotation(op, q)

class Good(Model):
    capabilities = Crashes.capabilities

def dies():
    os._exit(7)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "under_test.py").write_text(BACKENDS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def conform(name, *more):
    return cli.main(["conform", "run", "--backend", f"under_test:{name}", "--timeout", "5", *more])


@pytest.mark.parametrize(("name", "words"), [("Crashes", "was ended by SIGABRT"), ("Hangs", "was ended after 5 s")])
def test_a_backend_that_dies_or_hangs_is_named_and_the_rest_runs(mine, capsys, name, words):
    assert conform(name) == 2
    out = capsys.readouterr().out
    assert words in out and "in forward of rotation with quaternion (7, 4)" in out and "further checks" in out
    assert "coupling     float64  value" in out and "1 error" in out, out


def test_a_good_backend_passes_apart_as_it_does_here(mine, capsys):
    assert conform("Good") == 0 and conform("Good", "--op", "coupling") == 0
    out = capsys.readouterr().out
    assert "CONFORMANT" in out and "PASSED what was asked for (--op coupling)" in out


def test_a_backend_that_cannot_be_loaded_is_an_error_of_the_command(mine, capsys):
    assert conform("dies") == 1 and "ended with status 7" in capsys.readouterr().err
    assert conform("nothing") == 1 and "cannot load" in capsys.readouterr().err


@pytest.fixture
def prompts(tmp_path):
    generate(tmp_path / "p", "coupling", "float64", lmax=1)
    return tmp_path / "p"


def python(code):
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/nowhere/at all"], "cannot be started"),
        (python("raise SystemExit(3)"), "ended with status 3"),
        (python("import sys; sys.exit('no device')"), "ended with status 1: no device"),
        (python("import os; os.abort()"), "was ended by SIGABRT"),
        (python("import time; time.sleep(600)"), "was ended after 1 s"),
    ],
)
def test_a_program_that_fails_is_named_and_its_answers_are_missing(prompts, tmp_path, command, words):
    start = time.perf_counter()
    report = answered(command, prompts, tmp_path / "a", 1.0 if "after" in words else 60.0)
    assert report.exit_code == 2 and words in report.outcomes[0].text and report.outcomes[0].check == "program"
    assert [o.text for o in report.outcomes[1:]].count("no answer: 0000-table.safetensors is not there") == 1
    assert time.perf_counter() - start < 30


def test_old_answers_do_not_pass_for_new_ones(prompts, tmp_path):
    from nbody_ref import clebsch_gordan
    from nbody_ref.conformance.doors.exchange import tensors

    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "0000-table.safetensors").write_bytes(tensors({"out": clebsch_gordan(0, 0, 0)}))
    report = answered(python("pass"), prompts, folder, 60.0)
    assert report.count("pass") == 0 and report.count("error") == 5


def test_children_of_a_program_end_with_it(tmp_path):
    code = (
        f"import subprocess, sys, time; p = subprocess.Popen(['sleep', '600']); "
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid)); time.sleep(600)"
    )
    assert "ended after" in answer(python(code), tmp_path, tmp_path / "a", 2.0)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(50):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().split()[2] == "Z":
                    break
            os.kill(pid, 0)
        except OSError:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the child still runs")


def test_the_command_runs_a_program(prompts, tmp_path, capsys):
    arguments = ["conform", "ver", str(prompts), str(tmp_path / "a"), "--program", f"{sys.executable} -c pass"]
    assert cli.main([*arguments, "--timeout", "60"]) == 2
    assert "no answer" in capsys.readouterr().out
    for wrong in ("0", "nan", "x", "-1"):
        with pytest.raises(SystemExit):
            cli.main([*arguments, "--timeout", wrong])
