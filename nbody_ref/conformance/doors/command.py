"""The command ``nbody-ref conform``: list, explain, run, gen, ver, vectors, bisect, diff, mutants.

Exit status of ``run`` and ``ver``: 0 all passed, 1 something failed, 2 the backend broke, 3 nothing ran.
"""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbody_ref.conformance.doors.actions import add_actions, add_equivariance
from nbody_ref.errors import DataError

DTYPES = ("float64", "float32", "float16", "bfloat16")
__all__ = ["add_equivariance", "add_parser"]


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``conform`` to the subparsers of a command; returns its parser."""
    text = "Hold a kernel to account: values, gradients, second gradients, behaviour."
    parser: argparse.ArgumentParser = commands.add_parser("conform", help=text, description=text, allow_abbrev=False)
    inner = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    parser.set_defaults(run=_acted)
    shown = inner.add_parser("list", help="operations and checks", allow_abbrev=False)
    shown.set_defaults(act=_list)
    told = inner.add_parser("explain", help="what a check, a planted error or a path set is", allow_abbrev=False)
    told.add_argument("name", metavar="NAME")
    told.set_defaults(act=_explain)
    planted = inner.add_parser("mutants", help="plant errors in a model kernel; all must be caught", allow_abbrev=False)
    planted.add_argument("names", metavar="NAME", nargs="*", help="only these")
    planted.set_defaults(act=_mutants)
    written = inner.add_parser("gen", help="write prompts for a program in any language", allow_abbrev=False)
    written.add_argument("folder", type=Path, metavar="DIR")
    written.add_argument("--op", required=True, metavar="OP")
    written.add_argument("--dtype", default="float64", choices=["float64", "float32"])
    written.add_argument("--lmax", type=int, default=2)
    written.add_argument("--seed", type=int, default=0)
    written.add_argument("--convention", metavar="NAME", help="gauge of inputs and results")
    written.add_argument("--modes", nargs="+", metavar="MODE", help="channel rules that the program has")
    written.add_argument("--orders", nargs="+", type=int, metavar="K", help="0 values, 1 gradients, 2 second gradients")
    written.add_argument("--shapes", action="store_true", default=None, help="sizes at which kernels branch, too")
    written.add_argument("--capabilities", type=Path, metavar="FILE", help="the same and more as JSON")
    written.set_defaults(act=_gen)
    judged = inner.add_parser("ver", help="judge a program's answers to prompts", allow_abbrev=False)
    judged.add_argument("prompts", type=Path, metavar="PROMPTS")
    judged.add_argument("answers", type=Path, metavar="ANSWERS")
    judged.add_argument("--program", metavar="COMMAND", help="first run COMMAND PROMPTS ANSWERS")
    judged.add_argument("--timeout", type=_seconds, default=600.0, metavar="S", help="seconds that it may take")
    _output_arguments(judged)
    judged.set_defaults(act=_ver)
    _run_arguments(inner.add_parser("run", help="run the suite on a backend", allow_abbrev=False))
    add_actions(inner)
    return parser


def _acted(options: argparse.Namespace) -> int:
    """The exit status; code under test that ends the program has not given one."""
    try:
        return int(options.act(options))
    except SystemExit as error:
        raise DataError(f"conform {options.action}: the code under test ended the program: {error.code!r}") from error


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--backend", metavar="MODULE:NAME", help="a Backend, its class, or a function that makes one")
    what.add_argument("--call", metavar="MODULE:FUNCTION", help="one function (op, inputs) -> array; needs one --op")
    parser.add_argument("--op", action="append", metavar="OP", help="only this operation (may be repeated)")
    parser.add_argument("--dtype", action="append", choices=list(DTYPES), help="only this dtype")
    parser.add_argument("--check", action="append", metavar="NAME", help="only this check")
    parser.add_argument("--convention", default="nbody_ref", metavar="NAME", help="gauge of the function of --call")
    parser.add_argument("--lmax", type=int, metavar="L", help="largest degree of the function of --call")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--paths",
        action="append",
        metavar="NAME",
        help="only this path set of a published model, with its published numbers of channels",
    )
    parser.add_argument("--thorough", action="store_true", help="larger shapes, every mode at every degree")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        metavar="S",
        help="seconds that a call may take; a call that takes longer is a result, as a crash always is",
    )
    _output_arguments(parser)
    parser.set_defaults(act=_run)


def _seconds(text: str) -> float:
    """A positive number, or the reason why not for argparse."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def _output_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--expect", type=Path, metavar="FILE", help="expected failures, with reason and expiry")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--html", type=Path, metavar="OUT")
    parser.add_argument("--markdown", type=Path, metavar="OUT", help="a summary for a continuous-integration run")


def _list(options: argparse.Namespace) -> int:
    from nbody_ref import conventions
    from nbody_ref.conformance.judge.behaviour import every_aim
    from nbody_ref.conformance.operations.path_sets import path_sets
    from nbody_ref.conformance.operations.registry import OPERATIONS

    print("operations: " + ", ".join(OPERATIONS))
    print("gauges:     " + ", ".join(n for n in conventions.names() if conventions.get(n).basis == "real"))
    for name, aim in every_aim().items():
        print(f"{name:<14} {aim}")
    print("path sets:  " + ", ".join(chosen.name for chosen in path_sets()))
    return 0


def _explain(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.judge.behaviour import CHECKS, every_aim
    from nbody_ref.conformance.operations.path_sets import path_sets
    from nbody_ref.conformance.planted.mutants import MUTANTS

    found = [f"check {name}: {aim}" for name, aim in every_aim().items() if name == options.name]
    found += [(function.__doc__ or "").strip() for name, (function, _, _) in CHECKS.items() if name == options.name]
    found += [
        f"planted error {m.name}: {m.text}; shows in {', '.join(m.operations)}"
        for m in MUTANTS
        if m.name == options.name
    ]
    found += [
        f"path set {s.name}: {s.about}; {len(s.product.instructions)} paths, {s.product.irreps_1} with "
        f"{s.product.irreps_2}"
        for s in path_sets()
        if s.name == options.name
    ]
    if not found:
        raise DataError(f"conform explain: no check, planted error or path set is called {options.name!r}")
    print("\n".join(found))
    return 0


def _run(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.doors.loading import show
    from nbody_ref.conformance.doors.subprocesses import run_apart
    from nbody_ref.conformance.judge.behaviour import every_aim
    from nbody_ref.conformance.operations.path_sets import path_set

    unknown = [name for name in options.check or () if name not in every_aim()]
    if unknown:
        raise DataError(f"conform run: no check is called {unknown[0]!r}; see `nbody-ref conform list`")
    _known_operations("run", options.op or ())
    for name in options.paths or ():
        path_set(name)
    wanted = _wanted(options)
    report = run_apart(_backend, (_source(options),), options.timeout, wanted)
    report.source = _named(options)
    asked = ("dtype", "check", "paths", *(("op",) if options.backend else ()))  # a function has one operation
    chosen = {name: getattr(options, name) or () for name in asked}
    report.selection = ", ".join(
        f"{len(texts)} {name}s" if len(texts) > 4 else " ".join(f"--{name} {text}" for text in texts)
        for name, texts in chosen.items()
        if texts
    )
    return show(report, options)


def _wanted(options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `run`; None for what was not asked for."""
    given = {"names": options.op, "dtypes": options.dtype, "checks": options.check, "products": options.paths}
    return {"seed": options.seed, "thorough": options.thorough} | {
        key: None if value is None else tuple(value) for key, value in given.items()
    }


def _named(options: argparse.Namespace) -> str:
    """What was run, as options of the command."""
    if options.backend:
        return f"--backend {options.backend}"
    more = {"lmax": options.lmax, "convention": None if options.convention == "nbody_ref" else options.convention}
    return f"--call {options.call}" + "".join(f" --{k} {shlex.quote(str(v))}" for k, v in more.items() if v is not None)


def _source(options: argparse.Namespace) -> dict[str, Any]:
    """What names the backend; may be sent to another process."""
    return {key: getattr(options, key) for key in ("backend", "call", "op", "convention", "lmax")}


def _known_operations(action: str, names: Sequence[str]) -> None:
    from nbody_ref.conformance.operations.registry import REGISTRY

    for name in names:
        if name not in REGISTRY:
            raise DataError(f"conform {action}: --op must be one of {', '.join(REGISTRY)}, got {name!r}")


def _gen(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.doors.exchange import generate

    _known_operations("gen", [options.op])
    can = {} if options.capabilities is None else _abilities(options.capabilities)
    given = {name: getattr(options, name) for name in ("convention", "modes", "orders", "shapes")}
    can |= {name: value for name, value in given.items() if value is not None}
    count = generate(options.folder, options.op, options.dtype, lmax=options.lmax, seed=options.seed, **can)
    print(f"{count} prompts in {options.folder}")
    return 0


def _abilities(path: Path) -> dict[str, Any]:
    """A capability file: one JSON object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"conform gen: cannot read {path}: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"conform gen: {path} must hold one object, got {found!r}")
    return found


def _ver(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.doors.exchange import answered, verify
    from nbody_ref.conformance.doors.loading import show

    if options.program is None:
        return show(verify(options.prompts, options.answers), options)
    command = shlex.split(options.program)
    return show(answered(command, options.prompts, options.answers, options.timeout), options)


def _backend(source: dict[str, Any]) -> Any:
    from nbody_ref.conformance.backend import FunctionBackend
    from nbody_ref.conformance.doors.loading import load_backend, load_object

    if source["backend"] is not None:
        return load_backend(source["backend"])
    found, op = load_object(source["call"]), source["op"]
    if not op or len(op) != 1:
        raise DataError("conform run: --call needs exactly one --op, which says what the function computes")
    declared = {} if source["lmax"] is None else {"lmax": source["lmax"]}
    more = {name: getattr(found, name, None) for name in ("vjp", "double_vjp")}
    return FunctionBackend(op[0], found, **more, convention=source["convention"], **declared)


def _mutants(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.doors.selftest import SMALL, hunt
    from nbody_ref.conformance.planted.model import Model
    from nbody_ref.conformance.planted.mutants import SUBTLE
    from nbody_ref.conformance.suite import run

    start, alive = time.perf_counter(), 0
    if not options.names:
        kernel = Model()
        kernel.capabilities = SMALL
        report = run(kernel, dtypes=("float32",), products=1)
        print(f"{'correct kernel':<22} {'no alarm' if not report.failures else 'FALSE ALARM'}")
        alive += bool(report.failures)
    for planted, checks in hunt(tuple(options.names)):
        alive += not checks
        missed = " (allclose misses it)" if planted.name in SUBTLE else ""
        print(f"{planted.name:<22} {', '.join(checks) if checks else 'SURVIVES'}{missed}", flush=True)
    print(f"{alive} alive or false alarms, {time.perf_counter() - start:.0f} s")
    return 1 if alive else 0
