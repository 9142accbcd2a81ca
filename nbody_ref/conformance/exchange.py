"""Programs in any language: prompts are written as files, a program answers, the answers are judged.

A folder of prompts holds, for each case, ``NAME.safetensors`` with the inputs and ``NAME.json`` with the operation, the
order and the shapes of the results wanted. The answer is ``NAME.safetensors`` in another folder, with one tensor for
each result. Both are plain: 8 bytes of length (little endian), a JSON header, the numbers in C order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.conformance.backend import Capabilities, result_shape
from nbody_ref.conformance.cases import Case
from nbody_ref.conformance.suite import Outcome, Report, judge, suite_cases
from nbody_ref.errors import DataError, FileError
from nbody_ref.files import checked_header, write_atomically

__all__ = ["generate", "read_tensors", "verify"]

Array = np.ndarray[Any, Any]
DTYPES = {"F64": np.float64, "F32": np.float32, "I64": np.int64}
NAMES = {np.dtype(value): key for key, value in DTYPES.items()}


def generate(folder: Path, operation: str, dtype: str, *, lmax: int = 2, seed: int = 0) -> int:
    """Write prompts; returns how many.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    operation, dtype : str
    lmax, seed : int

    Raises
    ------
    FileError
        If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, case in _named(operation, dtype, lmax, seed):
        inputs = {key: x if x.dtype.kind == "i" else x.astype(dtype) for key, x in case.inputs.items()}
        text = {
            "check": case.check, "order": case.order, "tangent": case.tangent, "dtype": dtype,
            "operation": case.op.to_dict(),
            "results": {key: list(result_shape(case.op, case.inputs, key)) for key in case.truth},
        }  # fmt: skip
        write_atomically(folder / f"{name}.safetensors", tensors(inputs))
        write_atomically(folder / f"{name}.json", (json.dumps(text, indent=1) + "\n").encode())
        count += 1
    about = {"operation": operation, "dtype": dtype, "lmax": lmax, "seed": seed, "cases": count}
    write_atomically(folder / "manifest.json", (json.dumps(about, indent=1) + "\n").encode())
    return count


def verify(prompts: Path, answers: Path) -> Report:
    """Judge the answers to a folder of prompts; a missing or malformed answer is a named error.

    Raises
    ------
    DataError
        If `prompts` is not a folder that `generate` wrote.
    """
    try:
        about = json.loads((prompts / "manifest.json").read_text())
        operation, dtype, lmax, seed = (about[key] for key in ("operation", "dtype", "lmax", "seed"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"conform ver: {prompts} is no folder of prompts: {error}") from error
    report = Report(f"answers in {answers}", "nbody_ref", seed=seed)
    caps = Capabilities(dtypes=(dtype,), lmax=lmax)
    for name, case in _named(operation, dtype, lmax, seed):
        try:
            found = read_tensors(answers / f"{name}.safetensors")
            _check(found, case, dtype)
        except FileError as error:
            report.outcomes.append(Outcome(case.check, operation, dtype, case.order, status="error", text=str(error)))
            continue
        report.outcomes += judge(caps, case, dtype, {key: x.astype(np.float64) for key, x in found.items()})
    return report


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


def read_tensors(path: Path) -> dict[str, Array]:
    """Arrays of a safetensors file after strict checks of its header.

    Raises
    ------
    FileError
        If the file is missing, truncated, foreign, or not consistent with its own header.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"no answer: cannot read {path.name}: {error.strerror}") from error
    try:
        header = checked_header(content)
    except FileError as error:
        raise FileError(f"{path.name}: {error}") from error
    start = 8 + int.from_bytes(content[:8], "little")
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in DTYPES:
            raise FileError(f"{path.name}: {name!r} has dtype {entry['dtype']}, expected one of {', '.join(DTYPES)}")
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(content[start + begin : start + end], DTYPES[entry["dtype"]])
        found[name] = flat.reshape(entry["shape"])
    return found


def _named(operation: str, dtype: str, lmax: int, seed: int) -> Iterator[tuple[str, Case]]:
    caps = Capabilities(lmax=lmax, operations=(operation,))
    for number, case in enumerate(suite_cases(operation, caps, dtype, seed)):
        yield f"{number:04d}-{case.check.replace(' ', '-')}", case


def _check(found: dict[str, Array], case: Case, dtype: str) -> None:
    for name, x in found.items():
        if name not in case.truth:
            raise FileError(f"unexpected tensor {name!r}; wanted are {', '.join(case.truth)}")
        shape = result_shape(case.op, case.inputs, name)
        if x.shape != shape or x.dtype != np.dtype(dtype):
            raise FileError(f"{name}: expected {dtype} of shape {shape}, got {x.dtype} of shape {x.shape}")
