"""Backends by name, and reports to where the options of a command want them."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from typing import Any

from nbody_ref.errors import DataError
from nbody_ref.files import write_atomically

__all__ = ["load_backend", "load_object", "show"]


def load_backend(text: str) -> Any:
    """The backend ``MODULE:NAME``: an instance, a class, or a function that makes one.

    Raises
    ------
    DataError
        If it cannot be loaded.
    """
    found = load_object(text)
    return found() if isinstance(found, type) or not hasattr(found, "forward") else found


def load_object(text: str) -> Any:
    """What ``MODULE:NAME`` names."""
    module, colon, name = text.partition(":")
    if not colon:
        raise DataError(f"conform run: expected MODULE:NAME, got {text!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DataError(f"conform run: cannot load {text!r}: {error}") from error


def show(report: Any, options: argparse.Namespace) -> int:
    """Print a report, write what the options ask for, and give its exit status."""
    from nbody_ref.conformance.doors.page import page
    from nbody_ref.conformance.doors.report import table, to_dict
    from nbody_ref.conformance.judge.expectations import expect, read_expectations

    if options.expect is not None:
        expect(report, read_expectations(options.expect))
    print(table(report))
    if options.json is not None:
        write_atomically(options.json, (json.dumps(to_dict(report), indent=1, allow_nan=False) + "\n").encode())
    if options.html is not None:
        write_atomically(options.html, page(report).encode())
    return int(report.exit_code)
