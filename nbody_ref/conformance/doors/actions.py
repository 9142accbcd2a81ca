"""Actions of ``nbody-ref conform`` on files and networks: vectors, bisect, diff."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from nbody_ref.errors import DataError

__all__ = ["add_actions", "add_equivariance"]


def add_actions(inner: Any) -> None:
    """Add the actions to the subparsers of ``conform``."""
    _vectors(inner.add_parser("vectors", help="certified inputs and results as files", allow_abbrev=False))
    _bisect(inner.add_parser("bisect", help="the first step of a network that is wrong", allow_abbrev=False))
    _diff(inner.add_parser("diff", help="compare two reports, or two folders of tensors", allow_abbrev=False))


def _vectors(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "write: make a set in a folder. check: read a set (default: the one of the package) and compare its digests. "
        "judge: run a backend on a set. reproduce: make a set anew and compare it, bit for bit, with the published one."
    )
    parser.add_argument("what", choices=["write", "check", "judge", "reproduce"])
    parser.add_argument("folder", type=Path, nargs="?", metavar="DIR")
    parser.add_argument("--set", default="core", choices=["core", "full"], help="write and reproduce: which set")
    parser.add_argument("--op", action="append", metavar="OP", help="write: only this operation (may be repeated)")
    parser.add_argument("--backend", metavar="MODULE:NAME", help="judge: the backend")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--html", type=Path, metavar="OUT")
    parser.add_argument("--expect", type=Path, metavar="FILE", help="expected failures, with reason and expiry")
    parser.set_defaults(act=_run_vectors)


def _run_vectors(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.doors.loading import load_backend, show
    from nbody_ref.conformance.doors.vectors import core_folder, judge_vectors, read_vectors, reproduce, write_vectors

    folder = options.folder or core_folder()
    if options.what == "judge":
        if options.backend is None:
            raise DataError("conform vectors judge: name a --backend")
        report = judge_vectors(load_backend(options.backend), folder)
        report.source = f"--backend {options.backend}"
        return show(report, options)
    if options.what == "check":
        found = read_vectors(folder)
        count = sum(1 for name in found.names for _ in found.cases(name))
        print(f"{found.manifest['set']} {found.manifest['date']}: {count} cases, digest {found.manifest['digest']}")
        return 0
    if options.what == "write":
        if options.folder is None:
            raise DataError("conform vectors write: name a folder")
        chosen = {"operations": tuple(options.op)} if options.op else {}
        print(f"{write_vectors(folder, options.set, **chosen)} cases in {folder}")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        wrong = reproduce(options.folder or Path(temporary), options.set)
    print(f"{options.set}: " + (f"{len(wrong)} files differ: {', '.join(wrong)}" if wrong else "every file reproduced"))
    return int(bool(wrong))


def _bisect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trace",
        metavar="MODULE:FUNCTION",
        required=True,
        help="function (model, graph) -> arrays named as by NetworkTrace.arrays",
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="a saved network; default: a small one")
    parser.add_argument("--frames", type=Path, metavar="XYZ", help="molecules; default: one of seven atoms")
    parser.add_argument("--dtype", default="float64", choices=["float64", "float32"], help="precision of the backend")
    parser.set_defaults(act=_run_bisect)


def _run_bisect(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.doors.bisect import bisect_command

    return bisect_command(options)


def _diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", type=Path, metavar="A")
    parser.add_argument("second", type=Path, metavar="B")
    parser.add_argument("--factor", type=float, default=2.0, help="reports: growth of rho that is told (default 2)")
    parser.set_defaults(act=_run_diff)


def _run_diff(options: argparse.Namespace) -> int:
    from nbody_ref.conformance.doors.difference import difference

    lines, changed = difference(options.first, options.second, options.factor)
    print("\n".join(lines))
    return int(changed)


def add_equivariance(commands: Any) -> argparse.ArgumentParser:
    """Add ``equivariance`` to the subparsers of a command; returns its parser."""
    text = "whether a function turns with its inputs, and the likely mistake if not"
    parser: argparse.ArgumentParser = commands.add_parser(
        "equivariance", help=text, description=text, allow_abbrev=False
    )
    parser.add_argument("function", metavar="MODULE:FUNCTION")
    parser.add_argument(
        "--type",
        action="append",
        default=[],
        metavar="NAME=TYPE",
        help="how an input turns: vectors, scalars or irreps",
    )
    parser.add_argument("--out", metavar="TYPE", help="how the result turns")
    parser.add_argument("--rotation", metavar="MODULE:NAME", help="a rotation matrix of your own; default: R of MODULE")
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(run=_run_equivariance)
    return parser


def _run_equivariance(options: argparse.Namespace) -> int:
    import inspect

    from nbody_ref.conformance.doors.equivariance import equivariance
    from nbody_ref.conformance.doors.loading import load_object

    function = load_object(options.function)
    types = dict(text.split("=", 1) for text in options.type if "=" in text)
    rotation = load_object(options.rotation) if options.rotation else None
    if rotation is None:
        rotation = getattr(inspect.getmodule(function), "R", None)
    found = equivariance(function, types=types, out=options.out, rotation=rotation, seed=options.seed)
    print(found)
    return 0 if found.ok else 1
