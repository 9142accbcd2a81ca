"""The sub-command ``nbody-ref table``: symbols on request."""

from __future__ import annotations

import argparse
import sys
from fractions import Fraction
from typing import Any

from nbody_ref.errors import ArgumentError
from nbody_ref.exact.symbol_table import SYMBOLS, symbol_header, symbol_json

__all__ = ["add_parser"]


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of a parser; returns it."""
    text = "Exact tables of 3j, 6j, 9j symbols and Gaunt coefficients, as JSON or a C header, on standard output."
    parser: argparse.ArgumentParser = commands.add_parser("table", help=text, description=text, allow_abbrev=False)
    parser.add_argument("symbol", choices=list(SYMBOLS))
    parser.add_argument("--largest", default="2", metavar="J", help="largest spin, such as 2 or 5/2 (default: 2)")
    parser.add_argument("--integer", action="store_true", help="leave half-integer spins out")
    parser.add_argument("--form", choices=["json", "c"], default="json", help="(default: json)")
    parser.set_defaults(run=_run, parser=parser)
    return parser


def _run(options: argparse.Namespace) -> int:
    try:
        largest = Fraction(options.largest)
    except (ValueError, ZeroDivisionError) as error:
        raise ArgumentError(f"table: 'largest' must be a spin such as 2 or 5/2, got {options.largest!r}") from error
    write = symbol_header if options.form == "c" else symbol_json
    sys.stdout.write(write(options.symbol, largest, options.integer))
    return 0
