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
    if isinstance(found, type) or not hasattr(found, "forward"):
        found = _whatever_it_raises(text, found)
    for name in ("name", "convention", "capabilities", "forward"):
        if not hasattr(found, name):
            raise DataError(f"conform run: {text!r} must give a Backend, got {type(found).__name__} without {name!r}")
    return found


def load_object(text: str) -> Any:
    """What ``MODULE:NAME`` names."""
    module, colon, name = text.partition(":")
    if not colon:
        raise DataError(f"conform run: expected MODULE:NAME, got {text!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    found = _whatever_it_raises(text, importlib.import_module, module)
    if not hasattr(found, name):
        raise DataError(f"conform run: cannot load {text!r}: module {module!r} has no attribute {name!r}")
    return getattr(found, name)


def _whatever_it_raises(text: str, function: Any, *arguments: Any) -> Any:
    """Call code under test; SystemExit is an error like any other, and Ctrl-C is none."""
    try:
        return function(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise DataError(f"conform run: cannot load {text!r}: {type(error).__name__}: {error}") from error


def show(report: Any, options: argparse.Namespace) -> int:
    """Print a report, write what the options ask for, and give its exit status."""
    from nbody_ref.conformance.doors.page import page
    from nbody_ref.conformance.doors.report import markdown, table, to_dict
    from nbody_ref.conformance.judge.expectations import expect, read_expectations

    if options.expect is not None:
        expect(report, read_expectations(options.expect))
    print(table(report))
    if options.json is not None:
        write_atomically(options.json, (json.dumps(to_dict(report), indent=1, allow_nan=False) + "\n").encode())
    if getattr(options, "markdown", None) is not None:
        options.markdown.write_text(markdown(report), encoding="utf-8")
    if options.html is not None:
        write_atomically(options.html, page(report).encode())
    return int(report.exit_code)
