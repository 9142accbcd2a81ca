"""Code under test in processes of their own, so that a crash or an endless loop of theirs is a result and not our end.

`answer` runs a program that answers prompts. `run_apart` runs the suite on a Python backend in a child process: a child
that dies or hangs is named with the call in which it did, and the next operation goes on in a new child. All that they
started ends with them: their process group, and on Linux also what left it, known by a variable of its environment.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from multiprocessing.connection import wait
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.conformance.backend import Backend
from nbody_ref.conformance.judge.outcome import Outcome, Report
from nbody_ref.conformance.operations.operation import Operation
from nbody_ref.errors import NBodyRefError

__all__ = ["answer", "run_apart"]

SHELL = "/bin/sh"
# reads until this process closes the pipe, however it ends; then ends the group $0, its leader, and all with mark $1
WATCH = """read -r _; kill -s KILL -- "-$0"; kill -s KILL "$0"
for _ in 1 2 3 4 5; do
  for found in $(grep -lsaF "$1" /proc/[0-9]*/environ); do
    found=${found#/proc/}; kill -s KILL "${found%/environ}"
  done
done"""
START = 600.0  # seconds in which a child must have loaded the backend; imports of tensor libraries are slow


def answer(command: Sequence[str], prompts: Path, answers: Path, timeout: float) -> str:
    """Run ``command PROMPTS ANSWERS``.

    Parameters
    ----------
    command : sequence of str
    prompts, answers : Path
        `answers` is made if it does not exist.
    timeout : float
        Seconds; then the program and all that it started are ended.

    Returns
    -------
    str
        What went wrong, "" if nothing did.
    """
    answers.mkdir(parents=True, exist_ok=True)
    run = _mark()
    try:
        program = subprocess.Popen(
            [*command, str(prompts), str(answers)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=os.environ | {run: "1"},
        )
    except (OSError, ValueError) as error:
        return f"the program cannot be started: {error}"
    with program.stderr or nullcontext(), _ended_with_us(program.pid, run):
        try:
            _, words = program.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _end_group(program.pid)
            program.wait()  # not for its words: what left its group may hold the pipe open
            return f"the program was ended after {timeout:g} s"
    if program.returncode == 0:
        return ""
    said = words.decode(errors="replace").strip().splitlines()
    last = f": {said[-1][:200]}" if said else ""
    return f"the program {_ending(program.returncode)}{last}"


def _mark() -> str:
    """A variable for the environment of what is started, so that what leaves its process group is found."""
    return f"NBODY_REF_RUN_{secrets.token_hex(16)}"


def _end_group(leader: int) -> None:
    """End a process that leads its session, and all that it started there."""
    for end in (getattr(os, "killpg", os.kill), os.kill):
        with suppress(OSError):  # gone already
            end(leader, getattr(signal, "SIGKILL", signal.SIGTERM))


@contextmanager
def _ended_with_us(leader: int, run: str) -> Iterator[None]:
    """Whatever ends the block, or this process, ends the process `leader` and all that it started, marked with `run`.

    The end of this process, SIGKILL included, is seen by a shell. Where there is none, or no /proc, processes that
    start a session of their own live on.
    """
    watcher = None
    if os.path.exists(SHELL):
        watcher = subprocess.Popen(
            [SHELL, "-c", WATCH, str(leader), run], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        _end_group(leader)
        if watcher is not None:
            watcher.communicate()


def _ending(code: int | None) -> str:
    """How a process came to its end."""
    if code is None:
        return "was ended"
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


class _Child:
    """A child process that works on tasks, (dtype, operation) each; it and all that it starts end with the block."""

    def __init__(self, load: Any, arguments: tuple[Any, ...], more: dict[str, Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, load, arguments, more))
        if os.name == "posix":
            ensure_running()  # Python's own helper outlives us and bears no mark
        run = _mark()
        os.environ[run] = "1"
        try:
            self.process.start()
        finally:
            del os.environ[run]
        theirs.close()
        self.end = ExitStack()
        self.end.enter_context(_ended_with_us(self.process.pid or 0, run))

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, kind: Any, *error: Any) -> None:
        """A child that is done may end by itself; one that is interrupted is ended."""
        self.pipe.close()
        wait([self.process.sentinel], timeout=5 if kind is None else 0)
        self.end.close()
        self.process.join()

    def hear(self, limit: float | None) -> tuple[str, Any]:
        """The next word; ("gone", how) if the child died, or was ended because it was silent for too long."""
        try:
            if self.pipe.poll(limit):
                kind, what = self.pipe.recv()
                return str(kind), what
            _end_group(self.process.pid or 0)
            self.process.join()
            return "gone", f"was ended after {limit:g} s"
        except (EOFError, OSError):
            self.process.join()
            return "gone", _ending(self.process.exitcode)


def run_apart(
    load: Callable[..., Any], arguments: tuple[Any, ...], timeout: float | None, wanted: Mapping[str, Any] | None = None
) -> Report:
    """Run the suite on a backend in child processes.

    Parameters
    ----------
    load : callable
        Gives the backend; a function of a module, called in the child with `arguments`.
    arguments : tuple
        Anything that can be sent to a process.
    timeout : float, optional
        Seconds that one call of the backend may take; None: as long as it likes.
    wanted : mapping, optional
        ``names``, ``dtypes`` and further arguments of `nbody_ref.conformance.run`.

    Raises
    ------
    NBodyRefError
        If the backend cannot be loaded.
    """
    start, more = time.perf_counter(), dict(wanted or {})
    names, dtypes = more.pop("names", None), more.pop("dtypes", None)
    report, tasks = Report("backend", "nbody_ref", seed=int(more.get("seed", 0))), None
    while tasks is None or tasks:
        with _Child(load, arguments, more) as child:
            kind, what = child.hear(START)
            if kind != "backend":
                raise NBodyRefError(what if kind == "refused" else f"conform run: on loading, the process {what}")
            report.backend, report.convention, caps = what
            report.declared = caps
            if tasks is None:
                tasks = [(d, n) for d in dtypes or caps.dtypes for n in names or caps.operations]
            child.pipe.send(tasks)
            tasks = tasks[_follow(child, report, tasks, timeout) :]
    report.seconds = time.perf_counter() - start
    return report


def _follow(child: _Child, report: Report, tasks: list[tuple[str, str]], timeout: float | None) -> int:
    """Take a child's outcomes until it is done or gone; returns how many tasks are settled."""
    settled, after, doing = 0, "at the beginning", ""
    while settled < len(tasks):
        kind, what = child.hear(timeout if doing else None)
        if kind == "gone":
            where = f"in {doing}, " if doing else ""
            text = f"the process {what}, {where}{after}; further checks of this operation and dtype did not run"
            dtype, name = tasks[settled]
            report.outcomes.append(Outcome("process", name, dtype, status="error", text=text))
            return settled + 1
        if kind == "outcome":
            report.outcomes.append(what)
            after = f"after check '{what.check}'"
        elif kind == "doing":
            doing = what
        else:
            settled, after = settled + 1, "at the beginning"
    return settled


class _Announcing(Backend):
    """A backend that says what it is about to do."""

    def __init__(self, backend: Backend, tell: Callable[[tuple[str, Any]], None]) -> None:
        self.backend, self.tell = backend, tell
        self.name, self.convention, self.capabilities = backend.name, backend.convention, backend.capabilities
        for name in ("asarray", "to_numpy", "operations", "kernel_calls", "forms"):
            setattr(self, name, getattr(backend, name))

    def _call(self, what: str, op: Operation, inputs: dict[str, Any], *more: Any) -> Any:
        sizes = ", ".join(f"{name} {tuple(np.shape(x))}" for name, x in inputs.items())
        self.tell(("doing", f"{what} of {op.name} with {sizes or 'no inputs'}"))
        try:
            return getattr(self.backend, what)(op, inputs, *more)
        finally:
            self.tell(("doing", ""))

    def forward(self, op: Operation, inputs: dict[str, Any]) -> Any:
        return self._call("forward", op, inputs)

    def vjp(self, op: Operation, inputs: dict[str, Any], cotangent: Any) -> Any:
        return self._call("vjp", op, inputs, cotangent)

    def double_vjp(self, op: Operation, inputs: dict[str, Any], cotangent: Any, tangents: dict[str, Any]) -> Any:
        return self._call("double_vjp", op, inputs, cotangent, tangents)


def _work(pipe: Any, load: Any, arguments: tuple[Any, ...], more: dict[str, Any]) -> None:
    """What a child does: load the backend, say what it declares, be told what to run, tell what comes out."""
    from nbody_ref.conformance.suite import run

    if hasattr(os, "setsid"):
        os.setsid()
    try:
        backend = load(*arguments)
    except NBodyRefError as error:
        pipe.send(("refused", str(error)))
        return
    pipe.send(("backend", (backend.name, backend.convention, backend.capabilities)))
    watched = _Announcing(backend, pipe.send)
    for dtype, name in pipe.recv():
        run(watched, (name,), (dtype,), progress=lambda outcome: pipe.send(("outcome", outcome)), **more)
        pipe.send(("done", name))
    pipe.close()
