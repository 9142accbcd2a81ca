"""Hostile and broken files: each is refused by name, none gets as far as NumPy."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbody_ref import clebsch_gordan, cli
from nbody_ref.conformance.doors.exchange import generate, read_tensors, tensors, verify
from nbody_ref.errors import DataError, FileError


def entry(dtype="F64", shape=(1,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def file_of(header, data=b"\0" * 8):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


DEEP = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
HOSTILE = {
    "overlapping ranges": (file_of({"a": entry(), "b": entry()}), "overlaps"),
    "a hole": (file_of({"a": entry(), "b": entry(offsets=(16, 24))}, b"\0" * 24), "hole"),
    "header longer than the file": (b"\xff\0\0\0\0\0\0\0{}", "truncated"),
    "header of 2^63 bytes": (b"\xff" * 7 + b"\x7f{}", "does not begin"),
    "arrays of 2^62 bytes": (file_of({"a": entry(shape=(2**59,), offsets=(0, 2**62))}), "no array has"),
    "offsets beyond 64 bits": (file_of({"a": entry(shape=(1,), offsets=(2**70, 2**70 + 8))}), "non-negative integers"),
    "no numbers but a long axis": (file_of({"a": entry(shape=(0, 2**40, 2**40), offsets=(0, 0))}, b""), "'a'"),
    "a hundred axes": (file_of({"a": entry(shape=(1,) * 100)}), "no array has 100 axes"),
    "negative shape": (file_of({"a": entry(shape=(-1, -1))}), "non-negative"),
    "true as a size": (file_of({"a": entry(shape=(True,))}), "non-negative"),
    "shape of floats": (file_of({"a": entry(shape=(1.0,))}), "non-negative"),
    "ranges reversed": (file_of({"a": entry(offsets=(8, 0))}), "does not fill"),
    "three offsets": (file_of({"a": entry(offsets=(0, 4, 8))}), "begin, end"),
    "key given twice": (file_of(b'{"a":' + json.dumps(entry()).encode() + b',"a":{}}'), "twice"),
    "inner key given twice": (file_of(b'{"a":{"dtype":"F64","dtype":"F64","shape":[1],"data_offsets":[]}}'), "twice"),
    "dtype a list": (file_of({"a": entry(dtype=["F64"])}), "dtype"),
    "unknown dtype": (file_of({"a": entry(dtype="F8_E4M3")}), "dtype"),
    "half precision where double is known": (file_of({"a": entry(dtype="F16", shape=(4,))}), "F16"),
    "more in an entry": (file_of({"a": entry() | {"code": "import os"}}), "exactly"),
    "an entry that is a number": (file_of({"a": 7}), "exactly"),
    "a list for a header": (file_of(b"[1, 2]"), "does not begin"),
    "deep nesting": (file_of(DEEP), "not JSON"),
    "infinity": (file_of(b'{"a": Infinity}'), "holds Infinity"),
    "a number of 5000 digits": (
        file_of(b'{"a":{"dtype":"F64","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,8]}}'),
        "not JSON",
    ),
    "not UTF-8": (file_of(b'{"\xff":1}'), "UTF-8"),
    "a name of a million letters": (file_of({"a" * 10**6: entry()}), "a name of 1000000 characters"),
    "metadata that is no text": (file_of({"__metadata__": {"x": 1}, "a": entry()}), "strings"),
    "a pickle": (b"\x80\x04cos\nsystem\n(S'true'\ntR.", "pickle"),
    "bytes after the end": (file_of({"a": entry()}, b"\0" * 9), "belong to nothing"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused(tmp_path, name):
    content, words = HOSTILE[name]
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(FileError, match=words) as caught:
        read_tensors(path)
    assert len(str(caught.value)) < 600 and "x.safetensors" in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_to_a_file_gives_anything_but_arrays_or_a_named_error(tmp_path_factory, data):
    good = tensors({"out": np.arange(6.0).reshape(2, 3), "w": np.arange(2)})
    content = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if kind == "set":
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del content[at : at + data.draw(st.integers(1, 9))]
        else:
            piece = bytes(content[at : at + 9]) if kind == "repeat" else data.draw(st.binary(min_size=1, max_size=9))
            content[at:at] = piece
        if not content:
            break
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(content)
    try:
        found = read_tensors(path)
    except FileError:
        return
    assert all(isinstance(x, np.ndarray) for x in found.values())


@pytest.fixture
def asked(tmp_path):
    """Prompts of couplings and right answers."""
    prompts, answers = tmp_path / "p", tmp_path / "a"
    answers.mkdir()
    generate(prompts, "coupling", "float64", lmax=1)
    for path in sorted(prompts.glob("0*.json")):
        op = json.loads(path.read_text())["operation"]
        C = clebsch_gordan(op["l1"], op["l2"], op["l"])
        (answers / path.with_suffix(".safetensors").name).write_bytes(tensors({"out": C}))
    return prompts, answers


FIRST = "0000-table.safetensors"


def test_extra_missing_and_foreign_answers_are_named(asked):
    prompts, answers = asked
    assert verify(prompts, answers).exit_code == 0
    (answers / "9999-table.safetensors").write_bytes(b"")
    report = verify(prompts, answers)
    assert report.exit_code == 2 and "'9999-table.safetensors' answers no prompt" in report.failures[0].text
    (answers / "9999-table.safetensors").unlink()
    for content, words in (
        (tensors({}), "no tensor out in the answer; there are: "),
        (tensors({"OUT": np.ones((1, 1, 1))}), "no tensor out in the answer; there are: 'OUT'"),
        (tensors({"out": np.ones((1, 1, 1)), "w": np.ones(1)}), "unexpected tensor 'w'"),
        (tensors({"out": np.ones((1, 1))}), "expected float64 of shape"),
        (tensors({"out": np.ones((1, 1, 1), np.float32)}), "got float32"),
        (tensors({"out": np.ones((1, 1, 1), np.int64)}), "got int64"),
        (b"\0" * 200_000, "bytes, where"),
    ):
        (answers / FIRST).write_bytes(content)
        report = verify(prompts, answers)
        assert report.exit_code == 2 and words in report.failures[0].text, report.failures[0].text
    (answers / FIRST).write_bytes(tensors({"out": np.full((1, 1, 1), np.nan)}))
    assert verify(prompts, answers).exit_code == 1


def test_answers_that_are_no_files_are_named(asked):
    prompts, answers = asked
    (answers / FIRST).unlink()
    (answers / FIRST).mkdir()
    assert "is no file" in verify(prompts, answers).failures[0].text
    (answers / FIRST).rmdir()
    os.mkfifo(answers / FIRST)
    assert "is no file" in verify(prompts, answers).failures[0].text
    (answers / FIRST).unlink()
    (answers / FIRST).symlink_to("/dev/zero")
    assert "is no file" in verify(prompts, answers).failures[0].text


def test_prompts_that_were_changed_are_named(asked):
    prompts, answers = asked
    (prompts / FIRST).write_bytes((prompts / FIRST).read_bytes() + b" ")
    (prompts / "0001-table.safetensors").unlink()
    report = verify(prompts, answers)
    assert [o.status for o in report.failures] == ["error", "error"]
    assert "was changed" in report.failures[0].text and "cannot be read" in report.failures[1].text


@pytest.mark.parametrize(
    "change",
    [
        {"operation": "everything"},
        {"operation": ["coupling"]},
        {"dtype": "float128"},
        {"dtype": None},
        {"lmax": -1},
        {"lmax": 10**6},
        {"lmax": 1.0},
        {"lmax": True},
        {"seed": -1},
        {"seed": "0"},
        {"cases": None},
    ],
    ids=str,
)
def test_malformed_manifests_are_refused(asked, capsys, change):
    prompts, answers = asked
    about = json.loads((prompts / "manifest.json").read_text())
    (prompts / "manifest.json").write_text(json.dumps(about | change))
    with pytest.raises(DataError, match="cannot have written"):
        verify(prompts, answers)
    assert cli.main(["conform", "ver", str(prompts), str(answers)]) == 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", "{", '{"operation": "coupling"}', "\x00", "[" * 100_000])
def test_manifests_that_are_none_are_refused(asked, text):
    prompts, answers = asked
    (prompts / "manifest.json").write_text(text)
    with pytest.raises(DataError, match="no folder of prompts"):
        verify(prompts, answers)


def test_a_manifest_of_another_version_is_noticed(asked):
    prompts, answers = asked
    about = json.loads((prompts / "manifest.json").read_text())
    (prompts / "manifest.json").write_text(json.dumps(about | {"cases": 99}))
    assert "99 prompts" in verify(prompts, answers).failures[0].text
    with pytest.raises(DataError, match="lmax"):
        generate(prompts, "coupling", "float64", lmax=-1)
    with pytest.raises(FileError, match="cannot make"):
        generate(prompts / "manifest.json" / "x", "coupling", "float64")
