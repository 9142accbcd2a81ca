"""Programs in any language: prompts are written as files, a program answers, the answers are judged.

A folder of prompts holds, for each case, ``NAME.safetensors`` with the inputs and ``NAME.json`` with the operation, the
order and the shapes of the results wanted; ``tables/couplings.safetensors`` holds the coupling tensors of the gauge.
The answer is ``NAME.safetensors`` in another folder, with one tensor for each result. Both are plain: 8 bytes of length
(little endian), a JSON header, the numbers in C order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from reprlib import repr as shorten
from typing import Any

import numpy as np

from nbody_ref import conventions
from nbody_ref.conformance.backend import Capabilities, result_shape
from nbody_ref.conformance.doors.subprocesses import answer
from nbody_ref.conformance.judge.diagnosis import explain
from nbody_ref.conformance.operations.instruction import MODES
from nbody_ref.conformance.operations.layouts import Layout
from nbody_ref.conformance.operations.operation import Case
from nbody_ref.conformance.operations.registry import REGISTRY
from nbody_ref.conformance.suite import Outcome, Report, judge, suite_cases
from nbody_ref.conventions import Convention
from nbody_ref.errors import DataError, FileError
from nbody_ref.files import checked_header, write_atomically
from nbody_ref.tables import clebsch_gordan

__all__ = ["answered", "generate", "read_tensors", "verify"]

Array = np.ndarray[Any, Any]
DTYPES = {"F64": np.float64, "F32": np.float32, "I64": np.int64}
MAX_DEGREE = 20
CAN = ("modes", "orders", "weighted", "unweighted", "empty", "flushes_denormals", "max_edges", "power")
CAUSES = 6  # failures that are looked into
TABLES = "tables/couplings.safetensors"
COUPLED = ("product", "convolution", "contraction", "fusion")
NAMES = {np.dtype(value): key for key, value in DTYPES.items()}


def generate(folder: Path, operation: str, dtype: str, *, lmax: int = 2, seed: int = 0, **can: Any) -> int:
    """Write prompts; returns how many.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    operation, dtype : str
    lmax, seed : int
    **can
        What the program can do, as far as it is less than everything: fields `CAN` of `Capabilities`; ``convention``,
        the gauge of inputs and results; ``shapes``, for prompts of the sizes at which kernels branch.

    Raises
    ------
    DataError
        If `lmax` or `seed` is negative, or `lmax` beyond 20, or a field of `can` is unknown or out of range.
    FileError
        If a file cannot be written.
    """
    if not 0 <= lmax <= MAX_DEGREE or seed < 0:
        raise DataError(f"conform gen: need 0 <= lmax <= {MAX_DEGREE} and seed >= 0, got {lmax} and {seed}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"conform gen: cannot make {folder}: {error.strerror}") from error
    can, count = _checked_abilities(can), 0
    gauge = conventions.get(can.get("convention", "nbody_ref"))
    for name, case in _named(operation, dtype, lmax, seed, can):
        text = {
            "check": case.check,
            "order": case.order,
            "tangent": case.tangent,
            "dtype": dtype,
            "operation": case.op.in_gauge(gauge).to_dict(),
            "results": {key: list(result_shape(case.op, case.inputs, key)) for key in case.truth},
        }
        write_atomically(folder / f"{name}.safetensors", tensors(_prompt(case, dtype, gauge)))
        write_atomically(folder / f"{name}.json", (json.dumps(text, indent=1) + "\n").encode())
        count += 1
    if operation in COUPLED:
        (folder / TABLES).parent.mkdir(exist_ok=True)
        write_atomically(folder / TABLES, tensors(_couplings(gauge, max(min(lmax, 8), 2) if can.get("shapes") else 2)))
    about = {"operation": operation, "dtype": dtype, "lmax": lmax, "seed": seed, "cases": count, "can": can}
    write_atomically(folder / "manifest.json", (json.dumps(about, indent=1) + "\n").encode())
    return count


def verify(prompts: Path, answers: Path) -> Report:
    """Judge the answers to a folder of prompts; whatever is wrong with an answer or a prompt is a named error.

    Raises
    ------
    DataError
        If `prompts` is not a folder that `generate` wrote.
    """
    operation, dtype, lmax, seed, count, can = _manifest(prompts)
    gauge = conventions.get(can.get("convention", "nbody_ref"))
    again = f"nbody-ref conform ver {prompts} {answers}"
    report = Report(f"answers in {answers}", gauge.name, seed=seed, again=again)
    caps, known = _capabilities(operation, dtype, lmax, can), set()
    report.declared, left = caps, CAUSES
    for name, case in _named(operation, dtype, lmax, seed, can):
        known.add(f"{name}.safetensors")
        note = f"prompt {name[:4]}: {case.note}"
        base = Outcome(case.check, operation, dtype, case.order, note=note, describe=case.op.to_dict())
        base.extent = case.op.extent(case.inputs)
        try:
            _intact(prompts, name, case, dtype, gauge)
            found = read_tensors(answers / f"{name}.safetensors", _room(case))
            _check(found, case, dtype)
        except FileError as error:
            report.outcomes.append(replace(base, status="error", text=str(error)))
            continue
        wide = {key: x.astype(np.float64) for key, x in found.items()}
        native = {key: _layout(case, key).to_native(gauge, x) for key, x in wide.items()}
        for outcome in judge(caps, case, dtype, native, base):
            if outcome.status == "fail" and left:
                left -= 1
                outcome.cause = (
                    explain(case, outcome.result, native[outcome.result], caps.unit(dtype), dtype) or outcome.cause
                )
            report.outcomes.append(outcome)
    for text in _strangers(answers, known, count):
        report.outcomes.append(Outcome("answers", operation, dtype, status="error", text=text))
    return report


def answered(command: Sequence[str], prompts: Path, answers: Path, timeout: float) -> Report:
    """Run a program on a folder of prompts, then `verify`; its crash or time-out is an error of its own.

    Answers that were there before are taken away, so that none can pass for one of this run.

    Raises
    ------
    DataError
        If `prompts` is not a folder that `generate` wrote.
    FileError
        If old answers cannot be taken away.
    """
    operation, dtype, *_ = _manifest(prompts)
    try:
        for old in answers.glob("*.safetensors"):
            old.unlink()
        wrong = answer(command, prompts, answers, timeout)
    except OSError as error:
        raise FileError(f"conform ver: {answers}: {error.strerror}") from error
    report = verify(prompts, answers)
    report.backend = f"{' '.join(command)}"
    if wrong:
        report.outcomes.insert(0, Outcome("program", operation, dtype, status="error", text=wrong))
    return report


def _couplings(gauge: Convention, lmax: int) -> dict[str, Array]:
    """Coupling tensors in a gauge, by "l1 l2 l"."""
    degrees = range(lmax + 1)
    triples = ((a, b, c) for a in degrees for b in degrees for c in range(abs(a - b), a + b + 1))
    return {f"{a} {b} {c}": gauge.cg_from_native(a, b, c, clebsch_gordan(a, b, c)) for a, b, c in triples}


def _layout(case: Case, name: str) -> Layout:
    return case.op.layout("out" if name == "cotangent" else name.removesuffix("_dot"))


def _checked_abilities(can: dict[str, Any]) -> dict[str, Any]:
    """Fields as JSON holds them."""
    for name, value in can.items():
        known = name in CAN or name in ("convention", "shapes")
        listed = name not in ("modes", "orders") or (isinstance(value, list | tuple) and len(value) > 0)
        if not known or not listed or not set(value if name == "modes" and listed else ()) <= set(MODES):
            raise DataError(
                f"conform gen: {name}={value!r} is none of {', '.join(CAN)}, convention, shapes, or out of range"
            )
        if name == "orders" and not set(value) <= {0, 1, 2}:
            raise DataError(f"conform gen: orders must be of 0, 1, 2, got {value!r}")
        if name == "convention" and (value not in conventions.names() or conventions.get(value).basis != "real"):
            raise DataError(f"conform gen: no real gauge is called {value!r}")
    return {name: list(value) if isinstance(value, tuple) else value for name, value in can.items()}


def _capabilities(operation: str, dtype: str, lmax: int, can: Mapping[str, Any]) -> Capabilities:
    fields: dict[str, Any] = {key: tuple(x) if isinstance(x, list) else x for key, x in can.items() if key in CAN}
    return Capabilities(operations=(operation,), dtypes=(dtype,), lmax=lmax, **fields)


def _manifest(prompts: Path) -> tuple[str, str, int, int, int, dict[str, Any]]:
    """What a folder of prompts is about."""
    try:
        about = json.loads((prompts / "manifest.json").read_text(encoding="utf-8"))
        found = tuple(about[key] for key in ("operation", "dtype", "lmax", "seed", "cases"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"conform ver: {prompts} is no folder of prompts: {error}") from error
    operation, dtype, lmax, seed, count = found
    can = about.get("can", {})
    whole = all(type(n) is int and 0 <= n for n in (lmax, seed, count))
    known = isinstance(operation, str) and operation in REGISTRY and dtype in ("float64", "float32")
    if not known or not whole or lmax > MAX_DEGREE:
        raise DataError(f"conform ver: the manifest of {prompts} says what `gen` cannot have written: {shorten(found)}")
    return operation, dtype, lmax, seed, count, _checked_abilities(can)


def _intact(prompts: Path, name: str, case: Case, dtype: str, gauge: Convention) -> None:
    """A prompt must still be what `generate` writes; otherwise the program was asked something else."""
    try:
        same = (prompts / f"{name}.safetensors").read_bytes() == tensors(_prompt(case, dtype, gauge))
    except OSError as error:
        raise FileError(f"prompt {name}.safetensors cannot be read: {error.strerror}") from error
    if not same:
        raise FileError(f"prompt {name}.safetensors was changed, or written by another version: run `gen` again")


def _prompt(case: Case, dtype: str, gauge: Convention) -> dict[str, Array]:
    given = {n: x if x.dtype.kind == "i" else _layout(case, n).from_native(gauge, x) for n, x in case.inputs.items()}
    return {name: x if x.dtype.kind == "i" else np.asarray(x).astype(dtype) for name, x in given.items()}


def _room(case: Case) -> int:
    """Bytes that an answer may have."""
    numbers = sum(int(np.prod(result_shape(case.op, case.inputs, key))) for key in case.truth)
    return 100_000 + 16 * numbers


def _strangers(answers: Path, known: set[str], count: int) -> Iterator[str]:
    """Answers to no prompt, and a number of prompts that is not that of the manifest."""
    if len(known) != count:
        yield f"the manifest says {count} prompts, this version writes {len(known)}: run `gen` again"
    if answers.is_dir():
        for path in sorted(answers.glob("*.safetensors")):
            if path.name not in known:
                yield f"{path.name!r} answers no prompt"


def tensors(arrays: dict[str, Array]) -> bytes:
    """Arrays in the safetensors format, names sorted, header padded to eight bytes."""
    header, data, position = {}, [], 0
    for name in sorted(arrays):
        x = np.ascontiguousarray(arrays[name])
        end = position + x.nbytes
        header[name] = {"dtype": NAMES[x.dtype], "shape": list(arrays[name].shape), "data_offsets": [position, end]}
        data.append(x.tobytes())
        position = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(data)


def read_tensors(path: Path, room: int | None = None) -> dict[str, Array]:
    """Arrays of a safetensors file after strict checks of its header.

    Parameters
    ----------
    path : Path
    room : int, optional
        Bytes that the file may have; a longer one is not read.

    Raises
    ------
    FileError
        If the file is missing, truncated, foreign, or not consistent with its own header.
    """
    try:
        if not path.is_file():
            raise FileError(f"no answer: {path.name} is {'no file' if path.exists() else 'not there'}")
        size = path.stat().st_size
        if room is not None and size > room:
            raise FileError(f"{path.name}: {size} bytes, where {room} would be plenty")
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"no answer: cannot read {path.name}: {error.strerror}") from error
    try:
        header = checked_header(content)
        start = 8 + int.from_bytes(content[:8], "little")
        return {name: _tensor(content, start, name, e) for name, e in header.items() if name != "__metadata__"}
    except FileError as error:
        raise FileError(f"{path.name}: {error}") from error


def _tensor(content: bytes, start: int, name: str, entry: Mapping[str, Any]) -> Array:
    if entry["dtype"] not in DTYPES:
        raise FileError(f"{name!r} has dtype {entry['dtype']}, expected one of {', '.join(DTYPES)}")
    begin, end = entry["data_offsets"]
    flat = np.frombuffer(content[start + begin : start + end], DTYPES[entry["dtype"]])
    try:
        return flat.reshape(entry["shape"])
    except ValueError as error:
        raise FileError(f"{name!r}: {error}") from error


def _named(operation: str, dtype: str, lmax: int, seed: int, can: Mapping[str, Any]) -> Iterator[tuple[str, Case]]:
    caps = _capabilities(operation, dtype, lmax, can)
    more = REGISTRY[operation].shapes_of(operation, caps, dtype, seed) if can.get("shapes") else ()
    for number, case in enumerate(chain(suite_cases(operation, caps, dtype, seed), more)):
        if not case.op.undeclared(caps):
            yield f"{number:04d}-{case.check.replace(' ', '-')}", case


def _check(found: dict[str, Array], case: Case, dtype: str) -> None:
    missing = [name for name in case.truth if name not in found]
    if missing:
        raise FileError(f"no tensor {', '.join(missing)} in the answer; there are: {', '.join(map(shorten, found))}")
    for name, x in found.items():
        if name not in case.truth:
            raise FileError(f"unexpected tensor {shorten(name)}; wanted are {', '.join(case.truth)}")
        shape = result_shape(case.op, case.inputs, name)
        if x.shape != shape or x.dtype != np.dtype(dtype):
            raise FileError(f"{name}: expected {dtype} of shape {shape}, got {x.dtype} of shape {x.shape}")
