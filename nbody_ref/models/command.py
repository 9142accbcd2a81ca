"""The sub-command ``nbody-ref import``: models of other programs to model files of this package."""

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
    text = "Convert a trained model of another program to a model file."
    parser: argparse.ArgumentParser = commands.add_parser("import", help=text, description=text, allow_abbrev=False)
    told = "mace: a MACE or ScaleShiftMACE of mace-torch; cormorant: arrays named as the original program names them"
    parser.add_argument("library", choices=list(READERS), help=told)
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="mace: what its training wrote, a pickle; cormorant: .npz"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="by custom .safetensors")
    parser.add_argument("--trust", action="store_true", help="mace: MODEL is from someone you trust, do not ask")
    parser.add_argument("--python", metavar="PROGRAM", help="mace: interpreter that has mace-torch (default: this one)")
    parser.set_defaults(run=_run, parser=parser)
    return parser


def _run(options: argparse.Namespace) -> int:
    READERS[options.library](options)
    return 0


def _mace(options: argparse.Namespace) -> None:
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


def _cormorant(options: argparse.Namespace) -> None:
    from nbody_ref.models.cormorant_import import import_cormorant

    found = import_cormorant(options.model)
    found.save(options.output)
    spec, n = found.model.spec, len(found.model.parameters.as_real())
    print(
        f"{options.output}: Cormorant for atomic numbers {', '.join(map(str, spec.species))}, {spec.n_levels} levels, "
        f"{spec.n_channels} channels, degrees up to {spec.lmax}, {n} real numbers"
    )
    if found.deviations:
        worst = max(found.deviations)
        print(f"Energies of the file's {len(found.deviations)} molecules: reproduced to {worst:.1e} of their terms.")


def _ask(model: Path) -> None:
    """Continue only if a person at a terminal says yes."""
    warning = WARNING.format(model=model)
    if not sys.stdin.isatty():
        raise FileError(f"{warning} Say --trust if you trust it.")
    print(warning)
    if input("Do you trust it? Type yes to go on: ").strip().lower() != "yes":
        raise FileError(f"{model}: not read")


READERS = {"mace": _mace, "cormorant": _cormorant}
