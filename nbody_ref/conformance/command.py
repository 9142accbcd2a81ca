"""The command ``nbody-ref conform``: list, explain, run, gen, ver, mutants.

Exit status of ``run`` and ``ver``: 0 all passed, 1 something failed, 2 the backend broke, 3 nothing ran.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbody_ref.errors import DataError

__all__ = ["add_parser", "load_backend"]


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``conform`` to the subparsers of a command; returns its parser."""
    text = "Hold a kernel to account: values, gradients, second gradients, behaviour."
    parser: argparse.ArgumentParser = commands.add_parser("conform", help=text, description=text, allow_abbrev=False)
    inner = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    parser.set_defaults(run=lambda options: int(options.act(options)))
    shown = inner.add_parser("list", help="operations and checks", allow_abbrev=False)
    shown.set_defaults(act=_list)
    told = inner.add_parser("explain", help="what a check does, or what a planted error is", allow_abbrev=False)
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
    written.set_defaults(act=_gen)
    judged = inner.add_parser("ver", help="judge a program's answers to prompts", allow_abbrev=False)
    judged.add_argument("prompts", type=Path, metavar="PROMPTS")
    judged.add_argument("answers", type=Path, metavar="ANSWERS")
    _output_arguments(judged)
    judged.set_defaults(act=_ver)
    _run_arguments(inner.add_parser("run", help="run the suite on a backend", allow_abbrev=False))
    return parser


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--backend", metavar="MODULE:NAME", help="a Backend, its class, or a function that makes one")
    what.add_argument("--call", metavar="MODULE:FUNCTION", help="one function (op, inputs) -> array; needs one --op")
    parser.add_argument("--op", action="append", metavar="OP", help="only this operation (may be repeated)")
    parser.add_argument("--dtype", action="append", choices=["float64", "float32"], help="only this dtype")
    parser.add_argument("--check", action="append", metavar="NAME", help="only this check")
    parser.add_argument("--convention", default="nbody_ref", metavar="NAME", help="gauge of the function of --call")
    parser.add_argument("--lmax", type=int, metavar="L", help="largest degree of the function of --call")
    parser.add_argument("--seed", type=int, default=0)
    _output_arguments(parser)
    parser.set_defaults(act=_run)


def _output_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--html", type=Path, metavar="OUT")


def _list(options: argparse.Namespace) -> int:
    from nbody_ref import conventions
    from nbody_ref.conformance.backend import OPERATIONS

    print("operations: " + ", ".join(OPERATIONS))
    print("gauges:     " + ", ".join(n for n in conventions.names() if conventions.get(n).basis == "real"))
    for name, aim in _checks().items():
        print(f"{name:<14} {aim}")
    return 0


def _checks() -> dict[str, str]:
    from nbody_ref.conformance.cases import AIMS
    from nbody_ref.conformance.hygiene import CHECKS

    first = {"fingerprint": "conventions: axes, component order, signs, norms, layout; named instead of failed"}
    return first | AIMS | {name: aim for name, (_, _, aim) in CHECKS.items()}


def _explain(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.hygiene import CHECKS
    from nbody_ref.conformance.mutants import MUTANTS

    found = [f"check {name}: {aim}" for name, aim in _checks().items() if name == options.name]
    found += [(function.__doc__ or "").strip() for name, (function, _, _) in CHECKS.items() if name == options.name]
    found += [f"planted error {m.name}: {m.text}; shows in {', '.join(m.operations)}" for m in MUTANTS
              if m.name == options.name]
    if not found:
        raise DataError(f"conform explain: no check and no planted error is called {options.name!r}")
    print("\n".join(found))
    return 0


def _run(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.suite import run

    unknown = [name for name in options.check or () if name not in _checks()]
    if unknown:
        raise DataError(f"conform run: no check is called {unknown[0]!r}; see `nbody-ref conform list`")
    _known_operations("run", options.op or ())
    backend = _backend(options)
    names = tuple(options.op) if options.op else None
    dtypes = tuple(options.dtype) if options.dtype else None
    report = run(backend, names, dtypes, seed=options.seed, checks=tuple(options.check) if options.check else None)
    report.source = f"--backend {options.backend}" if options.backend else f"--call {options.call}"
    return _show(report, options)


def _known_operations(action: str, names: Sequence[str]) -> None:
    from nbody_ref.conformance.backend import OPERATIONS

    for name in names:
        if name not in OPERATIONS:
            raise DataError(f"conform {action}: --op must be one of {', '.join(OPERATIONS)}, got {name!r}")


def _show(report: Any, options: argparse.Namespace) -> int:
    from nbody_ref.conformance.page import page
    from nbody_ref.conformance.report import table, to_dict
    from nbody_ref.files import write_atomically

    print(table(report))
    if options.json is not None:
        write_atomically(options.json, (json.dumps(to_dict(report), indent=1, allow_nan=False) + "\n").encode())
    if options.html is not None:
        write_atomically(options.html, page(report).encode())
    return int(report.exit_code)


def _gen(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.exchange import generate

    _known_operations("gen", [options.op])
    count = generate(options.folder, options.op, options.dtype, lmax=options.lmax, seed=options.seed)
    print(f"{count} prompts in {options.folder}")
    return 0


def _ver(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.exchange import verify

    return _show(verify(options.prompts, options.answers), options)


def _backend(options: argparse.Namespace) -> Any:
    from nbody_ref.conformance.backend import FunctionBackend

    if options.backend is not None:
        return load_backend(options.backend)
    found = _load(options.call)
    if not options.op or len(options.op) != 1:
        raise DataError("conform run: --call needs exactly one --op, which says what the function computes")
    declared = {} if options.lmax is None else {"lmax": options.lmax}
    more = {name: getattr(found, name, None) for name in ("vjp", "double_vjp")}
    return FunctionBackend(options.op[0], found, **more, convention=options.convention, **declared)


def load_backend(text: str) -> Any:
    """The backend ``MODULE:NAME``: an instance, a class, or a function that makes one.

    Raises
    ------
    DataError
        If it cannot be loaded.
    """
    found = _load(text)
    return found() if isinstance(found, type) or not hasattr(found, "forward") else found


def _load(text: str) -> Any:
    module, colon, name = text.partition(":")
    if not colon:
        raise DataError(f"conform run: expected MODULE:NAME, got {text!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DataError(f"conform run: cannot load {text!r}: {error}") from error


def _mutants(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.model import Model
    from nbody_ref.conformance.selftest import SMALL, customary, hunt
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
        missed = "" if customary(planted) else " (allclose misses it)"
        print(f"{planted.name:<22} {', '.join(checks) if checks else 'SURVIVES'}{missed}", flush=True)
    print(f"{alive} alive or false alarms, {time.perf_counter() - start:.0f} s")
    return 1 if alive else 0
