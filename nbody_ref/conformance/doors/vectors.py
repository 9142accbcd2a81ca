"""Vectors: inputs and certified results as files, for programs that cannot call Python, and to hold this package to.

A set is a folder. ``OPERATION-DTYPE.json`` lists cases: operation, order, tangent, the bug classes that the case is
aimed at; ``OPERATION-DTYPE.safetensors`` holds, for case NNNN, ``NNNN/in/NAME`` and for each result
``NNNN/out/NAME/value`` (the correctly rounded exact value), ``/low`` (the rounded remainder), ``/S`` and ``/n``: a
correct kernel with unit roundoff u errs by at most (n + slack) u S. ``manifest.json`` holds conventions, notes on the
bug classes, and sha256 of every file. Results of programs that vanish identically are zero by enclosure only: their
exact values lie within 2^-80 S, and the list says how many they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import nbody_ref
from nbody_ref.certified.sums import Certified
from nbody_ref.conformance.backend import Backend, Capabilities, ResultError, call
from nbody_ref.conformance.doors.exchange import read_tensors, tensors
from nbody_ref.conformance.doors.vector_core import core_cases
from nbody_ref.conformance.doors.vector_notes import FLAGS, conventions_block, flags
from nbody_ref.conformance.judge.outcome import Outcome, Report
from nbody_ref.conformance.operations.operation import Case
from nbody_ref.conformance.operations.registry import OPERATIONS, operation_from_dict
from nbody_ref.conformance.suite import judge, skipped, suite_cases
from nbody_ref.errors import DataError, FileError
from nbody_ref.files import write_atomically

__all__ = ["SETS", "VectorSet", "core_folder", "judge_vectors", "read_vectors", "reproduce", "write_vectors"]

Array = np.ndarray[Any, Any]
FORMAT, VERSION = "nbody_ref vectors", 1
DATE = "2026.11"  # of the sets; a change of any expected value is a new set
DTYPES = ("float64", "float32")
SETS = ("core", "full")
FULL = Capabilities(operations=OPERATIONS, lmax=4)
BITS = 8  # of S, which is rounded up: a gate needs no more, and the same bits come out on every machine


@dataclass(frozen=True)
class VectorSet:
    """A set that was read and whose digests agree.

    Parameters
    ----------
    folder : Path
    manifest : dict
    """

    folder: Path
    manifest: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """OPERATION-DTYPE of every pair of files."""
        return tuple(name.removesuffix(".json") for name in self.manifest["files"] if name.endswith(".json"))

    def cases(self, name: str) -> Iterator[tuple[Case, dict[str, Any]]]:
        """Cases of one pair of files with their stored truth, and their descriptions.

        Raises
        ------
        FileError
            If a file is not what the manifest says.
        DataError
            If a description is none.
        """
        listed = json.loads(_intact(self, f"{name}.json"))
        _intact(self, f"{name}.safetensors")
        arrays = read_tensors(self.folder / f"{name}.safetensors")
        parts: dict[str, dict[str, Array]] = {}
        for key, x in arrays.items():
            number, _, rest = key.partition("/")
            parts.setdefault(number, {})[rest] = x
        for row in listed["cases"]:
            described = row | {"operation": listed["operations"][row["operation"]]}
            yield _case(described, parts.get(row["id"], {})), described


def core_folder() -> Path:
    """The set that comes with the package."""
    return Path(str(files("nbody_ref.conformance") / "data" / "core"))


def write_vectors(folder: Path, chosen: str = "core", operations: tuple[str, ...] = OPERATIONS) -> int:
    """Make a set; returns the number of cases.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    chosen : {"core", "full"}
    operations : tuple of str

    Raises
    ------
    DataError
        If the name of the set is unknown.
    FileError
        If a file cannot be written.
    """
    if chosen not in SETS:
        raise DataError(f"conform vectors: the set must be one of {', '.join(SETS)}, got {chosen!r}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"conform vectors: cannot make {folder}: {error.strerror}") from error
    digests, total = {}, 0
    for operation in operations:
        for dtype in DTYPES:
            described, rows, arrays = _rows(operation, dtype, chosen)
            about = {"format": FORMAT, "version": VERSION, "dtype": dtype, "operations": described, "cases": rows}
            text = json.dumps(about, separators=(",", ":"))
            for ending, content in (("json", text.encode() + b"\n"), ("safetensors", tensors(arrays))):
                name = f"{operation}-{dtype}.{ending}"
                write_atomically(folder / name, content)
                digests[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            total += len(rows)
    write_atomically(folder / "manifest.json", (json.dumps(_manifest(chosen, digests), indent=1) + "\n").encode())
    return total


def _rows(operation: str, dtype: str, chosen: str) -> tuple[list[Any], list[dict[str, Any]], dict[str, Array]]:
    """Descriptions of operations and cases, and arrays, of one operation and dtype."""
    source = core_cases(operation, dtype) if chosen == "core" else suite_cases(operation, FULL, dtype, 0)
    rows: list[dict[str, Any]] = []
    described: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    for number, case in enumerate(source):
        name = f"{number:04d}"
        for key, x in case.inputs.items():
            arrays[f"{name}/in/{key}"] = x.astype(np.int64) if x.dtype.kind in "iu" else x.astype(dtype)
        zeros = 0
        for key, truth in case.truth.items():
            value, low, zero = _decided(truth, f"{operation} {name} {key}")
            zeros += zero
            stored = {"value": value, "low": low, "S": round_up(truth.S), "n": truth.n.astype(np.float32)}
            arrays |= {f"{name}/out/{key}/{part}": x for part, x in stored.items()}
        text = case.op.to_dict()
        if text not in described:
            described.append(text)
        rows.append(
            {
                "id": name,
                "check": case.check,
                "order": case.order,
                "tangent": case.tangent,
                "note": case.note,
                "flags": flags(case.check, operation, case.order),
                "exact": case.exact,
                "slack": case.slack,
                "results": list(case.truth),
                "zeros": zeros,
                "operation": described.index(text),
            }
        )
    return described, rows, arrays


def _decided(truth: Certified, where: str) -> tuple[Array, Array, int]:
    """Value and remainder; entries that no interval can tell from zero become zero, and are counted.

    Raises
    ------
    DataError
        If an entry is undecided otherwise: its exact value sits next to a rounding boundary.
    """
    if not truth.undecided or truth.radius is None:
        return truth.value, truth.low, 0
    value, low, rad = truth.value, truth.low, truth.radius
    open_ = value + (low - rad) != value + (low + rad)
    zero = open_ & (np.abs(value) + rad <= 2.0**-80 * truth.S)
    if (open_ & ~zero).any():
        raise DataError(f"conform vectors: {where}: {int((open_ & ~zero).sum())} entries are undecided")
    return np.where(zero, 0.0, value), np.where(zero, 0.0, low), int(zero.sum())


def round_up(S: Array) -> Array:
    """S with 8 significant bits, rounded up; as float32 unless some of it is beyond the range of float32."""
    mantissa, exponent = np.frexp(S)
    found = np.asarray(np.ldexp(np.ceil(mantissa * 2.0**BITS), exponent - BITS))
    sizes = found[found > 0]
    fits = not sizes.size or (sizes.min() >= 2.0**-126 and sizes.max() < 2.0**127)
    return found.astype(np.float32) if fits else found


def _manifest(chosen: str, digests: Mapping[str, Any]) -> dict[str, Any]:
    lines = "".join(f"{name} {entry['sha256']}\n" for name, entry in sorted(digests.items()))
    notes = {
        name: {"bugType": kind, "description": text, "effect": effect} for name, (kind, text, effect) in FLAGS.items()
    }
    return {
        "format": FORMAT,
        "version": VERSION,
        "set": chosen,
        "date": DATE,
        "nbody_ref": nbody_ref.__version__,
        "numpy": np.__version__,
        "rounding": "to nearest, ties to even, of the exact result",
        "notes": notes,
        "conventions": conventions_block(),
        "files": dict(digests),
        "digest": hashlib.sha256(lines.encode()).hexdigest(),
    }


def read_vectors(folder: Path) -> VectorSet:
    """Open a set, of this or an earlier version, after checking its manifest against the digest in it.

    Raises
    ------
    FileError
        If there is none, or its manifest is not consistent.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        known = manifest["format"] == FORMAT and 1 <= manifest["version"] <= VERSION
        listed = {str(name): entry["sha256"] for name, entry in manifest["files"].items()}
        digest = manifest["digest"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{folder} holds no vectors: {error}") from error
    lines = "".join(f"{name} {sha}\n" for name, sha in sorted(listed.items()))
    if not known or hashlib.sha256(lines.encode()).hexdigest() != digest:
        raise FileError(f"{folder}: the manifest is of another format, or was changed")
    if any(Path(name).name != name for name in listed):
        raise FileError(f"{folder}: the manifest names files outside of its folder")
    return VectorSet(folder, manifest)


def _intact(vectors: VectorSet, name: str) -> bytes:
    """Content of a file whose digest agrees."""
    entry = vectors.manifest["files"].get(name)
    if entry is None:
        raise FileError(f"{vectors.folder}: the manifest does not list {name}")
    try:
        content = (vectors.folder / name).read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {vectors.folder / name}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise FileError(f"{vectors.folder / name} is not the file that the manifest lists: its sha256 differs")
    return content


def _case(row: Mapping[str, Any], arrays: Mapping[str, Array]) -> Case:
    """A case whose truth is the stored one."""
    try:
        inputs = {
            key.removeprefix("in/"): x if x.dtype.kind == "i" else x.astype(np.float64)
            for key, x in arrays.items()
            if key.startswith("in/")
        }
        op = operation_from_dict(row["operation"])
        case = Case(row["check"], op, inputs, row["order"], row["tangent"], row["exact"], row["note"])
        parts = ("value", "low", "S", "n")
        truth = {name: [arrays[f"out/{name}/{part}"] for part in parts] for name in row["results"]}
    except (KeyError, TypeError) as error:
        raise FileError(f"vectors: case {row.get('id')!r} is incomplete: {error}") from error
    found = {}
    for name, (value, low, S, n) in truth.items():
        found[name] = Certified(value, low, S.astype(np.float64), n.astype(np.int64), radius=2.0**-80 * S)
    case.__dict__["truth"] = found
    return case


def judge_vectors(backend: Backend, folder: Path) -> Report:
    """Run a backend on a set of vectors: no truth is computed, and nothing is drawn at random."""
    vectors, caps = read_vectors(folder), backend.capabilities
    report = Report(backend.name, backend.convention)
    for name in vectors.names:
        operation, _, dtype = name.rpartition("-")
        if operation not in caps.operations or dtype not in caps.dtypes:
            continue
        for case, row in vectors.cases(name):
            base = Outcome(
                case.check,
                operation,
                dtype,
                case.order,
                note=f"vector {row['id']}: {case.note}",
                describe=row["operation"],
            )
            reason = skipped(backend, case)
            if reason:
                base.status, base.text = "skip", reason
                report.outcomes.append(base)
                continue
            try:
                found = call(backend, case.op, dtype, case.inputs, case.order, case.tangent)
                report.outcomes += judge(caps, case, dtype, found, base)
            except ResultError as error:
                base.status, base.text = "error", str(error)
                report.outcomes.append(base)
    return report


def reproduce(folder: Path, chosen: str) -> list[str]:
    """Make a set anew into an empty folder and name the files that differ from the digests that come with the package.

    Raises
    ------
    FileError
        If the package lists no such set.
    """
    listed = core_folder().parent / f"{chosen}.sha256.json"
    try:
        wanted = json.loads(listed.read_text())
    except (OSError, ValueError) as error:
        raise FileError(f"conform vectors: no digests of the set {chosen!r}: {error}") from error
    write_vectors(folder, chosen)
    found = read_vectors(folder).manifest["files"]
    return sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name, {}).get("sha256"))
