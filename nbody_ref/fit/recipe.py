"""``fit.toml``: what a fit was told, written beside its results, from which the same fit can be started again."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import nbody_ref
from nbody_ref.errors import DataError
from nbody_ref.files import write_atomically

__all__ = ["NAME", "read_recipe", "write_recipe"]

NAME = "fit.toml"
PATHS = ("file", "test")  # written relative to the folder of the recipe
NOT_WRITTEN = ("help", "output", "overwrite")


def write_recipe(path: Path, options: argparse.Namespace) -> None:
    """Write every option of a command that has a value; files as they are seen from the folder of the recipe."""
    lines = [f"# nbody-ref fit {path.name} repeats this fit (nbody_ref {nbody_ref.__version__})"]
    for key in _options(options.parser):
        value = getattr(options, key)
        if key in PATHS and value is not None:
            value = [_seen_from(path.parent, one) for one in value]
        if value is not None:
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def read_recipe(options: argparse.Namespace) -> None:
    """Fill options from the recipe that is their only file; what the command line gives counts more.

    Raises
    ------
    DataError
        If it cannot be read or is no TOML.
    SystemExit
        By `argparse`, with status 2: if a key is unknown (the nearest one is named) or a value cannot be.
    """
    path, parser = Path(options.file[0]), options.parser
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path} is no TOML: {error}") from error
    known = _options(parser)
    for key in found:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.0)[0]
            parser.error(f"{path}: there is no option {key!r}; did you mean {near!r}?")
    if not found.get("file"):
        parser.error(f"{path}: 'file' must list at least one file")
    for key in PATHS:
        if key in found:
            listed = found[key] if isinstance(found[key], list) else [found[key]]
            found[key] = [str(path.parent / str(one)) for one in listed]
    parsed = parser.parse_args(_arguments(found, known, parser, path))  # checks types and choices
    for key in known:
        if key == "file" or getattr(options, key) == parser.get_default(key):
            setattr(options, key, getattr(parsed, key))


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {action.dest: action for action in parser._actions if action.dest not in NOT_WRITTEN}


def _seen_from(folder: Path, file: str) -> str:
    try:
        return os.path.relpath(file, folder)
    except ValueError:  # on another drive
        return os.path.abspath(file)


def _arguments(found: dict[str, Any], known: dict[str, argparse.Action], parser: Any, path: Path) -> list[str]:
    """The command line that says the same."""
    arguments = []
    for key, value in found.items():
        flag = known[key].nargs == 0
        if flag != isinstance(value, bool) or isinstance(value, dict):
            parser.error(f"{path}: {key!r} must be {'true or false' if flag else 'a text or a number'}, got {value!r}")
        if key == "file":
            continue
        option = known[key].option_strings[0]
        many = value if isinstance(value, list) else [value]
        arguments += [option] * value if flag else [f"{option}={one}" for one in many]
    return [*arguments, "--", *found["file"]]
