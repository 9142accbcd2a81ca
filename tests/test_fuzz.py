"""Whatever comes through a public door, the answer is a value or an error of the package: never a raw exception.

Doors: texts of irreps, schemes, geometries, descriptions in model files, command lines, frames. With NBODY_REF_FUZZ=300
in the environment 300 inputs are tried at each door, else 40.
"""

import contextlib
import io
import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbody_ref import Irreps, cli
from nbody_ref.errors import NBodyRefError
from nbody_ref.files import load_model, save_model
from nbody_ref.fit.potential import Potential, load
from nbody_ref.fit.reading import ethanol, load_frames
from nbody_ref.graphs import build_graph
from nbody_ref.network import default
from nbody_ref.scheme import Node, Scheme, clusters, groups, neighbourhoods

FUZZ = settings(
    max_examples=int(os.environ.get("NBODY_REF_FUZZ", "40")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
ODD = st.sampled_from(
    [None, True, -1, 0, 1, 2, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", "x", "1x0e", "9" * 5000]
    + [b"x", 1j, [], {}, [[]], {"a": 1}, np.float32(1), np.int8(1), np.ones(2), np.ones((1, 3)), object(), print]
)
SMALL = st.integers(-1, 4)
NESTED = st.recursive(ODD | SMALL | st.floats(), lambda inner: st.lists(inner, max_size=3), max_leaves=6)


def answer(call, *arguments, **named):
    """What a call gives; None if it refuses in words."""
    try:
        return call(*arguments, **named)
    except NBodyRefError as error:
        assert len(str(error)) < 3000
        return None


@FUZZ
@given(st.text("0123456789xeoyl+ -.", max_size=14) | NESTED)
def test_irreps(text):
    found = answer(Irreps, text)
    assert found is None or Irreps(str(found)) == found


@FUZZ
@given(NESTED, NESTED, NESTED)
def test_schemes(a, b, c):
    for build in (groups, neighbourhoods, clusters):
        answer(build, a, b)
        answer(build, [1, 8, 1], b)
        answer(build, [[1], [0, 2], [1]], b)
    answer(neighbourhoods, [[1], [0]], [1, 1], c)
    answer(lambda: Scheme([Node(a, b, c)], [1, 2]))
    answer(Scheme, a, b)


@FUZZ
@given(NESTED, NESTED, NESTED)
def test_geometries(positions, numbers, cutoff):
    good = [[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]]
    answer(build_graph, positions, numbers, cutoff)
    answer(build_graph, good, [[1, 8]], cutoff)
    answer(build_graph, good, [numbers], 3.0)
    answer(build_graph, [positions], [[1, 8]], 3.0)
    answer(build_graph, good, [[1, 8]], 3.0, cells=positions, min_distance=cutoff)


@FUZZ
@given(st.lists(st.lists(st.floats(), min_size=3, max_size=3), min_size=2, max_size=3), st.floats())
def test_geometries_of_any_floats(positions, cutoff):
    answer(build_graph, [positions], [[1] * len(positions)], cutoff)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "potential.safetensors"
    Potential.of(default((1, 6, 8), size=(2, 2, 1)), ethanol()[:4]).save(path)
    return load_model(path)


LEAVES = st.sampled_from([None, True, -1, 3, 1e308, "", "x", "2x9e", [], {}, [1], 10**40])


@FUZZ
@given(st.data())
def test_descriptions_in_model_files(saved, tmp_path_factory, data):
    """One leaf or branch of the description is another; the digest is made anew."""
    config = json.loads(json.dumps(saved.config))
    at = config
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else list(range(len(at)))))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.integers(0, 3)) == 0:
            at[key] = data.draw(LEAVES)
            break
        at = at[key]
    path = tmp_path_factory.mktemp("fuzz") / "potential.safetensors"
    save_model(path, config, saved.arrays)
    answer(load, path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.xyz").write_text("1\nenergy=1.0\nH 0 0 0\n")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    (tmp_path / "dir").mkdir()
    return tmp_path


COMMANDS = ("fit", "check", "evaluate", "info", "conform", "import", "predict", "doctor?", "tables", "")
WORDS = st.sampled_from(
    ["good.xyz", "empty", "noise", "dir", "nowhere", "", "-", "--", "-o", "out", "--seed", "-1", "nan", "1e999"]
    + [
        "--units",
        "eV,A",
        "eV",
        "--cutoff",
        "0",
        "--memory",
        "--steps",
        "--e0",
        "H:x",
        "--test",
        "--n-train",
        "9" * 5000,
    ]
    + ["list", "run", "explain", "--op", "solid", "--call", "x:y", "os:getcwd", "\0", "\ud800", "--json", "9" * 5000]
)


@FUZZ
@given(st.sampled_from(COMMANDS), st.lists(WORDS, max_size=5))
def test_command_lines(folder, command, words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main([command, *words])
        except SystemExit as end:
            status = end.code
    assert status in (0, 1, 2) and "Traceback" not in err.getvalue()


HEAD = 'Properties=species:S:1:pos:R:3:REF_forces:R:3 REF_energy=-1.5 pbc="F F F"'
GOOD = f"2\n{HEAD}\nH 0 0 0 0 0 0.1\nH 0 0 0.8 0 0 -0.1\n"


@FUZZ
@given(
    st.integers(0, len(GOOD)), st.integers(0, 8), st.binary(max_size=6) | st.sampled_from([b"nan", b"1e999", b"\n2\n"])
)
def test_frames(tmp_path_factory, at, gone, put):
    path = tmp_path_factory.mktemp("fuzz") / "frames.xyz"
    text = GOOD.encode() * 2
    path.write_bytes(text[:at] + put + text[at + gone :])
    answer(load_frames, path)
