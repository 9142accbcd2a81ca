"""Programs and backends that crash, hang or cannot start: each is a named result, and the rest goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nbody_ref import cli
from nbody_ref.conformance import FunctionBackend, run
from nbody_ref.conformance.doors.exchange import answered, generate
from nbody_ref.conformance.doors.loading import load_object
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

def leaves():
    raise SystemExit(0)

def nothing_at_all():
    return None

def leave_at_call(op, inputs):
    raise SystemExit(0)

def end_at_call(op, inputs):
    os._exit(0)

def returns_none(op, inputs):
    return None

def is_interrupted(op, inputs):
    raise KeyboardInterrupt

class BaseOnly(BaseException):
    pass

def raises_base(op, inputs):
    raise BaseOnly("odd")

def spins(op, inputs):
    import subprocess
    started = [subprocess.Popen(["sleep", "600"], start_new_session=own) for own in (False, True)]
    if forked := os.fork():
        with open("pids", "w") as file:
            file.write(f"{os.getpid()} {forked} {started[0].pid} {started[1].pid}")
    else:
        os.setsid()
    while True:
        pass
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


@pytest.mark.parametrize("name", ["leaves", "nothing_at_all"])
def test_a_backend_that_leaves_or_is_none_is_an_error_of_the_command(mine, capsys, name):
    assert conform(name) == 1 and "nbody-ref: error: conform run: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("leave_at_call", "tried to end the process: SystemExit: 0"),
        ("end_at_call", "the process ended with status 0"),
    ],
)
def test_no_run_ends_well_without_a_verdict(mine, capsys, name, words):
    """Without a time-out, as most will run it."""
    assert cli.main(["conform", "run", "--call", f"under_test:{name}", "--op", "solid", "--lmax", "1"]) == 2
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "words"),
    [("returns_none", "must return an array, got None"), ("raises_base", "tried to end the process: BaseOnly: odd")],
)
def test_what_is_no_result_is_an_error_in_this_process_too(mine, name, words):
    backend = FunctionBackend("solid", load_object(f"under_test:{name}"), lmax=1)
    report = run(backend, dtypes=("float64",), checks=("value",))
    assert report.exit_code == 2 and words in report.outcomes[-1].text


def test_an_interrupted_kernel_is_no_verdict_either(mine, capsys):
    assert cli.main(["conform", "run", "--call", "under_test:is_interrupted", "--op", "solid", "--lmax", "1"]) != 0


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_command_whatever_ends_it(mine, number):
    call = ["-m", "nbody_ref.cli", "conform", "run", "--call", "under_test:spins", "--op", "solid", "--lmax", "1"]
    roots = os.pathsep.join((str(mine), str(Path(cli.__file__).parents[1])))
    command = subprocess.Popen([sys.executable, *call], env={**os.environ, "PYTHONPATH": roots}, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (mine / "pids").exists() or len((mine / "pids").read_text().split()) < 4:
        assert time.monotonic() < deadline and command.poll() is None
        time.sleep(0.1)
    pids = [int(pid) for pid in (mine / "pids").read_text().split()]
    assert not any(ended(pid) for pid in pids)  # the sight is sharp: they are seen while they run
    command.send_signal(number)
    command.communicate(timeout=60)
    assert command.returncode == (-number if number == signal.SIGKILL else 130)
    while not all(ended(pid) for pid in pids):
        assert time.monotonic() < deadline + 60
        time.sleep(0.1)


def ended(pid):
    """Whether there is no such process, or one that only waits to be asked for its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


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
    """Those of its session, and one that starts its own while its parent ends."""
    code = (
        f"import os, time; tell = lambda: open({str(tmp_path / 'pids')!r}, 'a').write(f'{{os.getpid()}} '); "
        "os.fork() or (os.setsid(), os.fork() and os._exit(0)); tell(); time.sleep(600)"
    )
    assert "ended after" in answer(python(code), tmp_path, tmp_path / "a", 2.0)
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 2 and all(ended(int(pid)) for pid in pids)


def test_the_command_runs_a_program(prompts, tmp_path, capsys):
    arguments = ["conform", "ver", str(prompts), str(tmp_path / "a"), "--program", f"{sys.executable} -c pass"]
    assert cli.main([*arguments, "--timeout", "60"]) == 2
    assert "no answer" in capsys.readouterr().out
    for wrong in ("0", "nan", "x", "-1"):
        with pytest.raises(SystemExit):
            cli.main([*arguments, "--timeout", wrong])
