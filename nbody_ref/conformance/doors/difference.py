"""What changed between two reports, or between two folders of answers or vectors."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.conformance.doors.exchange import read_tensors
from nbody_ref.errors import DataError

__all__ = ["difference"]

Array = np.ndarray[Any, Any]
KEYS = ("operation", "dtype", "order", "check", "result", "note")


def difference(first: Path, second: Path, factor: float = 2.0) -> tuple[list[str], bool]:
    """Lines that tell two reports, or two folders of tensors, apart.

    Parameters
    ----------
    first, second : Path
        JSON reports, or folders with safetensors files.
    factor : float
        Growth of rho, from a report to the next, that is told even where both pass.

    Returns
    -------
    list of str, bool
        Lines, the last one a summary; whether anything is told.

    Raises
    ------
    DataError
        If the two are not of one kind, or are no reports.
    """
    if first.is_dir() and second.is_dir():
        lines = list(_folders(first, second))
    elif first.is_file() and second.is_file():
        lines = list(_reports(_report(first), _report(second), factor))
    else:
        raise DataError(f"conform diff: need two reports or two folders that exist, got {first} and {second}")
    return [*lines, f"{len(lines)} differences" if lines else "no differences"], bool(lines)


def _report(path: Path) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Outcomes of a report by what identifies them."""
    try:
        text = json.loads(path.read_text())
        if text["format"] != "nbody_ref conformance report":
            raise ValueError("another format")
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        seen: Counter[tuple[Any, ...]] = Counter()  # operations of one name come in the order of the suite
        for outcome in text["outcomes"]:
            key = tuple(outcome[name] for name in KEYS)
            found[*key, seen[key]] = outcome
            seen[key] += 1
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"conform diff: {path} is no report: {error}") from error


def _reports(a: dict[tuple[Any, ...], Any], b: dict[tuple[Any, ...], Any], factor: float) -> Iterator[str]:
    for key in {**a, **b}:
        name = " ".join(str(part) for part in key[:-1] if part != "")
        if key not in a or key not in b:
            yield f"{name}: only in the {'second' if key not in a else 'first'}"
            continue
        before, after = a[key], b[key]
        if before["status"] != after["status"]:
            yield f"{name}: {before['status']} -> {after['status']} {after['text']}".rstrip()
            continue
        rhos = [_rho(outcome) for outcome in (before, after)]
        if rhos[1] > factor * rhos[0] and rhos[1] > 1:
            yield f"{name}: rho {rhos[0]:.3g} -> {rhos[1]:.3g}"


def _rho(outcome: dict[str, Any]) -> float:
    return float(outcome["measured"]["rho"]) if outcome["measured"] else 0.0


def _folders(first: Path, second: Path) -> Iterator[str]:
    for name in sorted({path.name for folder in (first, second) for path in folder.glob("*.safetensors")}):
        missing = [folder for folder in (first, second) if not (folder / name).is_file()]
        if missing:
            yield f"{name}: not in {missing[0]}"
            continue
        a, b = read_tensors(first / name), read_tensors(second / name)
        for key in sorted({*a, *b}):
            if key not in a or key not in b:
                yield f"{name} {key}: not in {second if key in a else first}"
            elif (a[key].shape, a[key].dtype) != (b[key].shape, b[key].dtype):
                kinds = (f"{x.dtype} of shape {x.shape}" for x in (a[key], b[key]))
                yield f"{name} {key}: {' -> '.join(kinds)}"
            elif a[key].tobytes() != b[key].tobytes():
                yield f"{name} {key}: {_apart(a[key], b[key])}"


def _apart(a: Array, b: Array) -> str:
    """How far two arrays are apart, in ulps of the first."""
    wrong = (a != b) & ~(np.isnan(a) & np.isnan(b)) if a.dtype.kind == "f" else a != b
    if not wrong.any():
        return "other bits of the same values (signs of zeros, NaN)"
    with np.errstate(all="ignore"):
        gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
        size = np.spacing(np.abs(a)).astype(np.float64) if a.dtype.kind == "f" else 1.0
        ulps = np.where(wrong, gap / size, 0.0)
    at = np.unravel_index(int(np.argmax(np.where(np.isnan(ulps), np.inf, ulps))), a.shape)
    place = tuple(int(i) for i in at)
    return f"{int(wrong.sum())} of {a.size} entries differ, at {place} {a[at]!r} -> {b[at]!r}, {ulps[at]:.3g} ulp"
