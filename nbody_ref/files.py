"""Model files: arrays in the safetensors format with a JSON description, read strictly.

A file is 8 bytes (length of the header, little endian), the header (JSON: name -> dtype, shape, data_offsets, and
``__metadata__``, a mapping of strings), then the arrays side by side. The header is checked here, byte by byte against
the file, before the safetensors library sees it: what a library forgives today (a key given twice, a hole between
arrays) two readers may understand differently tomorrow. Nothing is pickled, so that opening a file runs no code.

A complex array is stored as a real one with a trailing axis (re, im). ``digest`` in the metadata is the sha256 of the
whole file with zeros in the digest's own place: one bit that changed, in the numbers or in the description, and the
file is refused. Files of version 1 have none; they are read, and the log says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as shorten
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.errors import FileError

__all__ = ["ModelFile", "checked_header", "load_model", "read_checked", "save_model", "strict_json", "write_atomically"]

Array = np.ndarray[Any, Any]

FORMAT = "nbody_ref model"
VERSION = 2
UNSIGNED = 1  # the last version without a digest
ZEROS = "0" * 64  # in the place of the digest while it is made
MAX_HEADER = 100_000_000  # bytes, the limit of the safetensors format
MAX_AXES, MAX_LENGTH = 32, 2**48  # NumPy and the address space hold no more
MAX_NAME = 1000
LOG = logging.getLogger(__name__)
ITEM_SIZE = {"F64": 8, "F32": 4, "F16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1}
FOREIGN = {
    b"PK\x03\x04": "a zip archive (a PyTorch or .npz file?)",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUM": "a NumPy .npy file",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
}


class ModelFile(NamedTuple):
    """What a model file holds.

    Parameters
    ----------
    config : dict
        JSON description from which the model is built.
    arrays : dict of str to array
    metadata : dict
        JSON record of how the model came about: data, split, errors.
    """

    config: dict[str, Any]
    arrays: dict[str, Array]
    metadata: dict[str, Any]


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file under a temporary name beside it and rename, so that `path` is never half a file.

    Raises
    ------
    FileError
        If `path` is not the name of a file, is a folder, or cannot be written.
    """
    target = _path("write", path)
    if target.name in ("", ".."):
        raise FileError(f"cannot write {target}: it is not the name of a file")
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except (OSError, ValueError) as error:  # a ValueError: a null byte in the name
        raise FileError(f"cannot write {target}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)


def save_model(
    path: str | os.PathLike[str],
    config: Mapping[str, Any],
    arrays: Mapping[str, Array],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a model file, atomically.

    Parameters
    ----------
    path : path
        By custom its name ends in ``.safetensors``.
    config, metadata : mapping
        Anything that JSON can hold; NaN and infinity are refused.
    arrays : mapping of str to array
        Real, integer or complex arrays of any shape, all finite.

    Raises
    ------
    FileError
        If an array is not finite or has a dtype without a place in the format, if `config` or `metadata` is not JSON,
        or if the file cannot be written.
    """
    tensors, complex_names = {}, []
    for name, given in arrays.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise FileError(f"save_model: names of 'arrays' must be texts, and not '__metadata__', got {name!r}")
        array = np.ascontiguousarray(given).reshape(np.shape(given))
        if array.dtype.kind not in "fiuc" or array.dtype.itemsize > (16 if array.dtype.kind == "c" else 8):
            raise FileError(f"save_model: 'arrays[{name}]' must be real, integer or complex, got {array.dtype}")
        if not np.isfinite(array).all():
            raise FileError(f"save_model: 'arrays[{name}]' must be finite, it holds NaN or infinity")
        if array.dtype.kind == "c":
            complex_names.append(name)
            array = np.stack([array.real, array.imag], axis=-1)
        tensors[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
    texts = {"format": FORMAT, "version": str(VERSION)}
    for key, value in (("config", config), ("metadata", metadata or {}), ("complex", complex_names)):
        try:
            texts[key] = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise FileError(f"save_model: {key!r} must be JSON: {error}") from error
    write_atomically(path, _signed(_serialized(tensors, texts | {"digest": ZEROS}), ZEROS))


def _serialized(arrays: Mapping[str, Array], texts: Mapping[str, str]) -> bytes:
    """A safetensors file, the same bytes for the same content: wide numbers first, so that all are aligned."""
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(texts)}
    position = 0
    for name in names:
        array = arrays[name]
        kind = {"f": "F", "i": "I", "u": "U"}[array.dtype.kind] + str(8 * array.itemsize)
        end = position + array.nbytes
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    little = (np.ascontiguousarray(arrays[name], arrays[name].dtype.newbyteorder("<")) for name in names)
    return b"".join([len(text).to_bytes(8, "little"), text, *(array.tobytes() for array in little)])


def _signed(content: bytes, old: str) -> bytes:
    """The file with its digest in the place of `old`."""
    before, _, after = content.partition(old.encode())
    return before + hashlib.sha256(before + ZEROS.encode() + after).hexdigest().encode() + after


def load_model(path: str | os.PathLike[str]) -> ModelFile:
    """Read a model file written by `save_model`.

    Parameters
    ----------
    path : path

    Returns
    -------
    ModelFile

    Raises
    ------
    FileError
        If there is no such file, or it is a device, a pipe or a folder; if a bit of it changed since it was written; if
        it is truncated, longer than its header says, or not a safetensors file; if the
        header is malformed (a key given twice, arrays that overlap or leave a hole, a size that does not follow from
        dtype and shape); if a number is NaN or infinite; if it was not written by this package, or by a later format
        version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = read_checked(path)
        texts = checked_header(content).get("__metadata__", {})
        config, metadata, complex_names = _description(texts)
        _check_digest(content, texts, path)
        arrays = dict(load(content))
        for name in complex_names:
            arrays[name] = _as_complex(arrays, name)
        _check_finite(arrays)
    except (SafetensorError, FileError) as error:
        raise FileError(f"{path}: {error}") from error
    return ModelFile(config, arrays, metadata)


def read_checked(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a safetensors file; of anything else, however large, only the first few are read.

    Raises
    ------
    FileError
        If there is no such file, if it is no ordinary file, or if it does not begin with a header that fits into it.
    """
    source = _path("read", path)
    try:
        status = source.stat()
        if not stat.S_ISREG(status.st_mode):
            raise FileError(f"cannot read it: {_kind(status.st_mode)}, not a file")
        with open(source, "rb") as file:
            first = file.read(16)
            _check_start(first, status.st_size)
            return first + file.read()
    except (OSError, ValueError, OverflowError) as error:  # a ValueError: a null byte in the name
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot read it: {getattr(error, 'strerror', None) or error}") from error


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _check_digest(content: bytes, texts: Mapping[str, str], path: Any) -> None:
    """Whether the file is as it was written."""
    digest = texts.get("digest", "")
    if texts.get("version") == str(UNSIGNED) and "digest" not in texts:
        LOG.warning("%s: an older file, without a digest: whether its bits are as written cannot be told", path)
        return
    if not re.fullmatch("[0-9a-f]{64}", digest) or _signed(content, digest) != content:
        raise FileError("damaged: its bits are not those that were written (the digest differs)")


def _path(what: str, path: Any) -> Path:
    try:
        return Path(path)
    except TypeError as error:
        raise FileError(f"cannot {what} {path!r}: it is not the name of a file") from error


def _check_finite(arrays: Mapping[str, Array]) -> None:
    for name, array in arrays.items():
        finite = np.isfinite(array)
        if not finite.all():
            index = tuple(int(i) for i in np.argwhere(~finite)[0])
            raise FileError(f"array {shorten(name)} holds NaN or infinity: {array[index]} at index {index}")


def strict_json(text: str, what: str) -> Any:
    """JSON without repeated keys, NaN or infinity, else a FileError that calls it `what`."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in items]
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise FileError(f"{what} gives the key {shorten(twice)} twice")
        return dict(items)

    def constant(name: str) -> Any:
        raise FileError(f"{what} holds {name}")

    def finite(digits: str) -> float:
        number = float(digits)
        return number if math.isfinite(number) else constant(digits)  # 1e999

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=finite)
    except FileError:
        raise
    except (ValueError, RecursionError) as error:
        raise FileError(f"{what} is not JSON ({type(error).__name__})") from error


def checked_header(content: bytes) -> dict[str, Any]:
    """The header of a safetensors file, after every check that can be made without looking into the arrays.

    Parameters
    ----------
    content : bytes
        The whole file.

    Returns
    -------
    dict
        Name to dtype, shape and data_offsets, and ``__metadata__`` if there is any.

    Raises
    ------
    FileError
        If the file is foreign, truncated or longer than its header says, or the header is malformed.
    """
    length = _check_start(content[:16], len(content))
    try:
        text = content[8 : 8 + length].decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError("the header is not UTF-8") from error
    header = strict_json(text, "the header")
    if not isinstance(header, dict):
        raise FileError("the header is not a JSON object")
    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise FileError("'__metadata__' in the header must map strings to strings")
    _check_tiling({k: v for k, v in header.items() if k != "__metadata__"}, len(content) - 8 - length)
    return header


def _check_start(first: bytes, size: int) -> int:
    """Length of the header, from the first 16 bytes of a file of `size` bytes."""
    for magic, kind in FOREIGN.items():
        if first.startswith(magic) and first[8:9] != b"{":  # a header of 1152 bytes begins like a pickle
            raise FileError(f"not a safetensors file but {kind}")
    if size < 8:
        raise FileError(f"not a safetensors file: it has {size} bytes, a header needs at least 8")
    length = int.from_bytes(first[:8], "little")
    if length > MAX_HEADER or first[8:9] != b"{":
        raise FileError("not a safetensors file: it does not begin with the length of a JSON header")
    if 8 + length > size:
        raise FileError(f"truncated: the header ends at byte {8 + length}, the file at byte {size}")
    return length


def _check_tiling(entries: Mapping[str, Any], size: int) -> None:
    """Arrays must lie side by side, without hole or overlap, and end where the file ends."""
    ranges = sorted((*_byte_range(name, entry), name) for name, entry in entries.items())
    position = 0
    for begin, end, name in ranges:
        if begin != position:
            kind = "overlaps the one before it" if begin < position else "leaves a hole before it"
            raise FileError(f"array {shorten(name)} begins at byte {begin} of the data, not at {position}: it {kind}")
        position = end
    if position > size:
        raise FileError(f"truncated: its arrays need {position} bytes, {size} are there")
    if position < size:
        raise FileError(f"{size - position} bytes after the last array belong to nothing")


def _byte_range(name: str, entry: Any) -> tuple[int, int]:
    """Offsets of one array, after checking that they agree with its dtype and shape."""
    if len(name) > MAX_NAME:
        raise FileError(f"array {shorten(name)}: a name of {len(name)} characters")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise FileError(f"array {shorten(name)} must have exactly 'dtype', 'shape' and 'data_offsets' in the header")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_SIZE:
        raise FileError(f"array {shorten(name)} has dtype {shorten(dtype)}; this reader knows {', '.join(ITEM_SIZE)}")
    for what, value in (("shape", shape), ("data_offsets", offsets)):
        if not isinstance(value, list) or not all(type(n) is int and 0 <= n < 2**63 for n in value):
            raise FileError(
                f"array {shorten(name)}: {what!r} must be a list of non-negative integers, got {shorten(value)}"
            )
    if len(offsets) != 2:
        raise FileError(f"array {shorten(name)}: 'data_offsets' must be [begin, end], got {shorten(offsets)}")
    if len(shape) > MAX_AXES or any(n > MAX_LENGTH for n in shape):
        raise FileError(f"array {shorten(name)}: no array has {len(shape)} axes {shorten(shape)}")
    if math.prod(shape) * ITEM_SIZE[dtype] != offsets[1] - offsets[0]:
        raise FileError(
            f"array {shorten(name)}: {dtype} of shape {shape} does not fill bytes {offsets[0]} to {offsets[1]}"
        )
    return offsets[0], offsets[1]


def _description(texts: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Config, metadata and names of complex arrays, from the strings of ``__metadata__``."""
    if texts.get("format") != FORMAT:
        came = shorten(texts.get("format"))
        raise FileError(f"a safetensors file, but not a model of this package: its 'format' is {came}")
    version = texts.get("version", "")
    if not re.fullmatch("[1-9][0-9]{0,5}", version):
        raise FileError(f"format version {shorten(version)} is not a number")
    if int(version) > VERSION:
        raise FileError(f"written in format version {version}, this package reads up to {VERSION}: update nbody_ref")
    parsed: list[Any] = []
    wanted: dict[str, type] = {"config": dict, "metadata": dict, "complex": list}
    for key, kind in wanted.items():
        if key not in texts:
            raise FileError(f"{key!r} is missing in the header")
        value = strict_json(texts[key], f"{key!r}")
        if not isinstance(value, kind):
            raise FileError(f"{key!r} must be a JSON {'object' if kind is dict else 'list'}")
        parsed.append(value)
    config, metadata, names = parsed
    return config, metadata, names


def _as_complex(arrays: Mapping[str, Array], name: Any) -> Array:
    """View a trailing (re, im) axis as one complex number."""
    array = arrays.get(name) if isinstance(name, str) else None
    if array is None or array.ndim == 0 or array.shape[-1] != 2 or array.dtype not in (np.float32, np.float64):
        raise FileError(f"complex array {name!r} must be there as real numbers with a trailing axis (re, im)")
    return np.asarray(array[..., 0] + 1j * array[..., 1])
