"""Model files: what is written comes back, and whatever is not such a file is refused with a reason."""

import hashlib
import json
import logging
import os
import random
import re
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbody_ref.errors import FileError
from nbody_ref.files import load_model, save_model, write_atomically

ARRAYS = {
    "a": np.arange(6.0).reshape(2, 3),
    "b": np.array([1 + 2j, -0.0 - 1j]),
    "c": np.float32(2.5) * np.ones((1, 0, 2), np.float32),
    "scalar": np.array(-3, dtype=np.int64),
}


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "model.safetensors"
    save_model(target, {"x": [1, {"y": None}]}, ARRAYS, {"note": "é"})
    return target


def raw(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def sign(content):
    """The file with the digest that belongs to it: sha256 with zeros in the digest's place."""
    found = re.search(rb'"digest": ?"([0-9a-f]{64})"', content)
    before, after = content[: found.start(1)], content[found.end(1) :]
    return before + hashlib.sha256(before + b"0" * 64 + after).hexdigest().encode() + after


def entry(shape, begin, end, dtype="F64"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_file_returns_what_was_saved(path):
    config, arrays, metadata = load_model(path)
    assert config == {"x": [1, {"y": None}]} and metadata == {"note": "é"}
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape
        assert arrays[name].tobytes() == np.asarray(array).tobytes()


def test_file_is_read_by_the_safetensors_library_and_holds_complex_as_re_im(path):
    from safetensors.numpy import load_file

    stored = load_file(path)
    assert stored["b"].tolist() == [[1.0, 2.0], [0.0, -1.0]]


def test_saving_leaves_no_temporary_file_and_replaces_the_old_one(path):
    save_model(path, {}, {"a": np.zeros(1)})
    assert os.listdir(path.parent) == [path.name]
    assert load_model(path).config == {}


def test_failed_save_keeps_the_old_file(path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(FileError, match="No space left"):
        save_model(path, {}, {"a": np.zeros(1)})
    assert os.listdir(path.parent) == [path.name] and load_model(path).config["x"]


@pytest.mark.parametrize("bad", [np.array([np.nan]), np.array([np.inf]), np.array(["s"]), np.array([object()])])
def test_saving_refuses_what_the_format_cannot_hold(tmp_path, bad):
    with pytest.raises(FileError, match=r"arrays\[w\]"):
        save_model(tmp_path / "m.safetensors", {}, {"w": bad})
    with pytest.raises(FileError, match="JSON"):
        save_model(tmp_path / "m.safetensors", {"x": float("nan")}, {})
    with pytest.raises(FileError, match="JSON"):
        save_model(tmp_path / "m.safetensors", {"x": object()}, {})


def test_every_truncation_is_refused(path):
    content = path.read_bytes()
    for length in [0, 1, 7, 8, 9, 60, *range(100, len(content), 37), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(FileError, match=r"truncated|not a safetensors"):
            load_model(path)


def test_trailing_bytes_are_refused(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(FileError, match="belong to nothing"):
        load_model(path)


FOREIGN = {
    "zip archive": b"PK\x03\x04" + bytes(50),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(50),
    ".npy": b"\x93NUMPY\x01\x00" + bytes(50),
    "pickle": b"\x80\x04\x95" + bytes(50),
    "not a safetensors file": b"9\nProperties=species:S:1:pos:R:3\nH 0 0 0\n",
    "not of this package|not a model of this package": raw({"x": entry([1], 0, 8)}, bytes(8)),
    "update nbody_ref": raw({"__metadata__": {"format": "nbody_ref model", "version": "99"}}),
    "not a number": raw({"__metadata__": {"format": "nbody_ref model", "version": "one"}}),
    "'config' is missing": raw({"__metadata__": {"format": "nbody_ref model", "version": "1"}}),
}


@pytest.mark.parametrize("reason", FOREIGN)
def test_foreign_file_is_refused_with_its_kind(tmp_path, reason):
    target = tmp_path / "m.safetensors"
    target.write_bytes(FOREIGN[reason])
    with pytest.raises(FileError, match=reason):
        load_model(target)


def test_missing_file_and_directory_are_file_errors(tmp_path):
    with pytest.raises(FileError, match="cannot read"):
        load_model(tmp_path / "nothing")
    with pytest.raises(FileError, match="cannot read"):
        load_model(tmp_path)
    with pytest.raises(FileError, match=r"cannot write"):
        save_model(tmp_path / "no" / "m", {}, {})


MALFORMED = {
    "twice": raw(b'{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"a":1}', bytes(8)),
    "hole": raw({"a": entry([1], 0, 8), "b": entry([1], 16, 24)}, bytes(24)),
    "overlaps": raw({"a": entry([2], 0, 16), "b": entry([1], 8, 16)}, bytes(16)),
    "does not fill": raw({"a": entry([3], 0, 16)}, bytes(16)),
    "truncated: its arrays": raw({"a": entry([3], 0, 24)}, bytes(16)),
    "knows F64": raw({"a": entry([1], 0, 8, "Q64")}, bytes(8)),
    "non-negative": raw({"a": entry([-1, -1], 0, 8)}, bytes(8)),
    "list of non-negative": raw({"a": entry([True], 0, 8)}, bytes(8)),
    r"\[begin, end\]": raw({"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8, 9]}}, bytes(8)),
    "exactly": raw({"a": {**entry([1], 0, 8), "extra": 1}}, bytes(8)),
    "must map strings": raw({"__metadata__": {"a": 1}}),
    "not JSON": raw(b'{"a":'),
    "holds NaN": raw(b'{"__metadata__": {}, "a": NaN}'),
    "UTF-8": raw(b'{"\xff":1}'),
    "not a safetensors": raw({}, length=2**60),
}


@pytest.mark.parametrize("reason", MALFORMED)
def test_malformed_header_is_refused(tmp_path, reason):
    target = tmp_path / "m.safetensors"
    target.write_bytes(MALFORMED[reason])
    with pytest.raises(FileError, match=reason):
        load_model(target)


def test_deep_nesting_is_refused(tmp_path):
    target = tmp_path / "m.safetensors"
    target.write_bytes(raw(b'{"a":' + b"[" * 200_000))
    with pytest.raises(FileError, match="not JSON"):
        load_model(target)


def test_repeated_key_inside_the_config_is_refused(tmp_path):
    texts = {"format": "nbody_ref model", "version": "1", "metadata": "{}", "complex": "[]", "config": '{"a":1,"a":2}'}
    target = tmp_path / "m.safetensors"
    target.write_bytes(raw({"__metadata__": texts}))
    with pytest.raises(FileError, match="'a' twice"):
        load_model(target)
    target.write_bytes(raw({"__metadata__": {**texts, "config": "{}", "complex": '["z"]'}}))
    with pytest.raises(FileError, match="complex array 'z'"):
        load_model(target)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(tmp_path_factory, content):
    target = tmp_path_factory.mktemp("fuzz") / "m"
    target.write_bytes(content)
    with pytest.raises(FileError):
        load_model(target)


def test_no_flipped_bit_passes(path):
    """200 in the arrays, 400 in the header, and every bit of the digest and of the version."""
    content, choose = path.read_bytes(), random.Random(3)
    end = 8 + int.from_bytes(content[:8], "little")
    bits = [choose.randrange(8 * end, 8 * len(content)) for _ in range(200)]
    bits += [choose.randrange(8 * end) for _ in range(400)]
    for word in (rb'"digest":"[0-9a-f]{64}"', rb'"version":"\d+"'):
        found = re.search(word, content)
        bits += range(8 * found.start(), 8 * found.end())
    for bit in bits:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(FileError):
            load_model(path)
    path.write_bytes(content)
    assert sign(content) == content and load_model(path).config


def test_two_changes_that_undo_each_other_in_a_sum_are_seen(path):
    content = bytearray(path.read_bytes())
    content[-8], content[-16] = content[-8] ^ 1, content[-16] ^ 1
    path.write_bytes(content)
    with pytest.raises(FileError, match="damaged"):
        load_model(path)


def test_a_file_is_the_same_bytes_whenever_it_is_written(path, tmp_path):
    save_model(tmp_path / "again", {"x": [1, {"y": None}]}, dict(reversed(ARRAYS.items())), {"note": "é"})
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_file_of_the_first_version_is_read_and_the_log_says_that_it_has_no_digest(tmp_path, caplog):
    texts = {"format": "nbody_ref model", "version": "1", "config": '{"a": 1}', "metadata": "{}", "complex": "[]"}
    (tmp_path / "old").write_bytes(raw({"__metadata__": texts, "x": entry([1], 0, 8)}, struct.pack("<d", 2.5)))
    with caplog.at_level(logging.WARNING):
        assert load_model(tmp_path / "old").arrays["x"] == [2.5]
    assert "without a digest" in caplog.text
    for texts["version"], reason in (("2", "damaged"), ("3", "update nbody_ref"), ("9" * 5000, "is not a number")):
        (tmp_path / "new").write_bytes(raw({"__metadata__": texts}))
        with pytest.raises(FileError, match=reason) as caught:
            load_model(tmp_path / "new")
        assert len(str(caught.value)) < 1000


def test_only_the_beginning_of_what_is_no_model_file_is_read(tmp_path):
    """A device without an end, a pipe without a writer, a folder, and 40 GB that hold nothing."""
    with open(tmp_path / "large", "wb") as file:
        file.truncate(40 * 2**30)
    os.mkfifo(tmp_path / "pipe")
    named = {"/dev/zero": "a device", "pipe": "a pipe", ".": "a folder", "large": "not a safetensors file"}
    for name, reason in named.items():
        with pytest.raises(FileError, match=reason):
            load_model(tmp_path / name)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_array_that_is_not_finite_is_refused_by_the_reader_too(tmp_path, bad):
    target = tmp_path / "model.safetensors"
    save_model(target, {}, {"a": np.zeros(3)})
    target.write_bytes(sign(target.read_bytes()[:-8] + struct.pack("<d", bad)))
    with pytest.raises(FileError, match="'a' holds NaN or infinity"):
        load_model(target)


def test_number_too_large_for_a_float_is_refused(path):
    path.write_bytes(path.read_bytes().replace(b'"x\\": [1,', b'"x\\": [1e999,'))
    content = path.read_bytes()
    grown = int.from_bytes(content[:8], "little") + 4
    path.write_bytes(struct.pack("<Q", grown) + content[8:])
    with pytest.raises(FileError, match="1e999"):
        load_model(path)


@pytest.mark.parametrize("name", [".", "/", "", None])
def test_what_is_no_name_of_a_file_is_a_file_error(name):
    with pytest.raises(FileError, match=r"cannot write"):
        save_model(name, {}, {"a": np.zeros(1)})
    with pytest.raises(FileError, match="cannot read"):
        load_model(name)


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_arrays_that_are_not_finite_are_refused_by_name(tmp_path, dtype, value):
    path = tmp_path / "model.safetensors"
    numbers = np.full((2, 3), 7, {"F64": np.float64, "F32": np.float32, "F16": np.float16}[dtype])
    save_model(path, {}, {"good": np.ones(2), "level1/term0": numbers, "z": np.ones(1, complex)})
    assert load_model(path).arrays["level1/term0"].shape == (2, 3)  # the twin that is finite
    content, old = path.read_bytes(), numbers.tobytes()
    numbers[1, 2] = value
    at = content.index(old)
    path.write_bytes(sign(content[:at] + numbers.tobytes() + content[at + numbers.nbytes :]))
    with pytest.raises(FileError, match=r"'level1/term0' holds NaN or infinity: -?(nan|inf) at index \(1, 2\)"):
        load_model(path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e400"])
def test_numbers_of_the_description_are_finite(tmp_path, number):
    texts = {"format": "nbody_ref model", "version": "1", "config": f'{{"constants": {{"1": {number}}}}}'}
    path = tmp_path / "m.safetensors"
    path.write_bytes(raw({"__metadata__": {**texts, "metadata": "{}", "complex": "[]"}}))
    with pytest.raises(FileError, match=f"'config' holds {number}"):
        load_model(path)
    path.write_bytes(raw({"__metadata__": {**texts, "config": "{}", "metadata": '{"a": 1e300}', "complex": "[]"}}))
    assert load_model(path).metadata == {"a": 1e300}


def test_paths_that_cannot_be_written_or_read_are_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    for path in (".", "..", "", "/", "folder", "folder/.", "file/x", "absent/x", "a\0b", tmp_path, "n" * 300):
        with pytest.raises(FileError, match=r"cannot write"):
            write_atomically(path, b"new")
    assert sorted(os.listdir()) == ["file", "folder"] and (tmp_path / "file").read_text() == "x"
    for path in (".", "", "absent", "file/x", "a\0b"):
        with pytest.raises(FileError, match="cannot read"):
            load_model(path)
    for path in (None, 5, b"x"):
        with pytest.raises(FileError, match=r"cannot read .* not the name of a file"):
            load_model(path)
        with pytest.raises(FileError, match=r"cannot write .* not the name of a file"):
            write_atomically(path, b"")
    write_atomically("n" * 250, b"new")  # a name that leaves no room for that of the temporary file
    assert (tmp_path / ("n" * 250)).read_bytes() == b"new" and len(os.listdir()) == 3


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match=r"cannot write .*: Permission denied"):
        write_atomically(tmp_path / "x", b"")


def test_denied_permission_is_named(tmp_path, monkeypatch):
    """As above, for users whom permissions do not bind."""
    monkeypatch.setattr("builtins.open", lambda *args, **kwargs: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(FileError, match=r"cannot write .*: denied"):
        write_atomically(tmp_path / "x", b"")


def test_other_byte_orders_come_back_as_the_same_numbers(tmp_path):
    save_model(tmp_path / "m", {}, {"a": np.arange(3, dtype=">f8"), "b": np.arange(2, dtype=">c8")})
    arrays = load_model(tmp_path / "m").arrays
    assert arrays["a"].tolist() == [0, 1, 2] and arrays["b"].tolist() == [0, 1]
    assert arrays["a"].dtype == np.float64 and arrays["b"].dtype == np.complex64


@pytest.mark.parametrize("name", ["__metadata__", 3, None])
def test_names_of_arrays_are_texts(tmp_path, name):
    with pytest.raises(FileError, match="names of 'arrays' must be texts"):
        save_model(tmp_path / "m", {}, {name: np.ones(1)})


@pytest.mark.parametrize("length", [0x280, 0x380, 0x480, 0x580])
def test_header_whose_length_reads_like_the_start_of_a_pickle_is_read(tmp_path, length):
    path = tmp_path / "model.safetensors"
    save_model(path, {"pad": ""}, {"x": np.zeros(2)})
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"]["config"] = json.dumps({"pad": " " * (length - len(json.dumps(header)))})
    padded = json.dumps(header).ljust(length)[:length].encode()
    path.write_bytes(sign(length.to_bytes(8, "little") + padded + content[end:]))
    np.testing.assert_array_equal(load_model(path).arrays["x"], np.zeros(2))
