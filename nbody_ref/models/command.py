"""The sub-command ``nbody-ref import``: models of other libraries to model files of this package."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from nbody_ref.errors import FileError

__all__ = ["add_parser"]

WARNING = (
    "{model} is a pickle: reading it runs code of whoever wrote it, with your rights. "
    "It will be read by a process of its own, which does not make it safe."
)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of a parser; returns it."""
    text = "Convert a trained model of another library to a model file."
    parser: argparse.ArgumentParser = commands.add_parser("import", help=text, description=text, allow_abbrev=False)
    parser.add_argument("library", choices=["mace"], help="mace: a MACE or ScaleShiftMACE of mace-torch")
    parser.add_argument("model", type=Path, metavar="MODEL", help="the file that its training wrote, a pickle")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="by custom .safetensors")
    parser.add_argument("--trust", action="store_true", help="MODEL is from someone you trust: do not ask")
    parser.add_argument("--python", metavar="PROGRAM", help="interpreter that has mace-torch (default: this one)")
    parser.set_defaults(run=_run, parser=parser)
    return parser


def _run(options: argparse.Namespace) -> int:
    from nbody_ref.models.mace_import import ROUNDED_DOUBLE, import_mace

    if not options.trust:
        _ask(options.model)
    found = import_mace(options.model, options.python)
    found.save(options.output)
    spec = found.model.spec
    print(
        f"{options.output}: MACE for atomic numbers {', '.join(map(str, spec.species))}, hidden {spec.hidden}, "
        f"{spec.layers} layers, correlation {', '.join(map(str, spec.correlation))}, "
        f"{found.model.parameters.n} weights in {spec.dtype}"
    )
    if found.deviation > ROUNDED_DOUBLE:
        print(
            f"The model stores couplings and radial constants to {found.deviation:.0e}; exact ones are used here, "
            f"and results differ accordingly."
        )
    return 0


def _ask(model: Path) -> None:
    """Continue only if a person at a terminal says yes."""
    warning = WARNING.format(model=model)
    if not sys.stdin.isatty():
        raise FileError(f"{warning} Say --trust if you trust it.")
    print(warning)
    if input("Do you trust it? Type yes to go on: ").strip().lower() != "yes":
        raise FileError(f"{model}: not read")
