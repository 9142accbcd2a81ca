"""The first wrong step of a network is found by its own inputs; differences of reports and folders are told."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nbody_ref import cli
from nbody_ref.conformance import Capabilities, run
from nbody_ref.conformance.doors.bisect import bisect, own_trace
from nbody_ref.conformance.doors.difference import difference
from nbody_ref.conformance.doors.exchange import tensors
from nbody_ref.conformance.doors.report import to_dict
from nbody_ref.conformance.operations.registry import REGISTRY
from nbody_ref.conformance.planted.model import Model
from nbody_ref.conformance.planted.mutants import mutant
from nbody_ref.errors import DataError, ShapeError
from nbody_ref.gates.chain import Chain
from nbody_ref.network import Network


def composite_operations(name, lmax):
    return REGISTRY[name].suite(name, Capabilities(lmax=lmax))


@pytest.fixture(scope="module")
def model():
    op = composite_operations("model", 2)[0]
    return op.model


@pytest.fixture(scope="module")
def graph(model):
    r = np.array([[0.0, 0, 0], [0.7, 0.8, 0.1], [-0.8, 0.4, 0.6], [0.2, -1.0, -0.3]])
    return model.graph([(r, np.array([6, 1, 1, 6]))])


def planted(model, graph, number, function, factor):
    """A trace of the same program with one of the four functions of one step scaled."""
    step = model.chain.steps[number]
    original = getattr(step.op, function)

    def changed(*arguments, **more):
        found = original(*arguments, **more)
        return found * factor if function == "f" else tuple(None if x is None else x * factor for x in found)

    steps = list(model.chain.steps)
    steps[number] = replace(step, op=step.op.with_functions(**{function: changed}))
    wrong = Network(model.spec, model.parameters)
    wrong.chain = Chain(tuple(steps))
    return own_trace(wrong, graph)


def test_a_correct_network_is_right_at_every_stage_in_both_precisions(model, graph):
    result = bisect(model, graph, own_trace(model, graph))
    assert result.first is None and len(result.stages) > 40 and "every stage is right" in str(result)
    weights = {k: x.astype("float32") for k, x in model.parameters.items()}
    single = Network(replace(model.spec, dtype="float32"), weights)
    double = model.with_parameters({k: x.astype("float64") for k, x in single.parameters.items()})
    trace = own_trace(single, graph)
    assert bisect(double, graph, trace, "float32").first is None
    assert bisect(double, graph, trace, "float64").first is not None


@pytest.mark.parametrize("function", ["f", "vjp"])
def test_the_step_that_is_wrong_is_found_and_no_other(model, graph, function):
    names = [step.output for step in model.chain.steps]
    for number in (names.index("level1/directed"), names.index("level1/mixing/mixed"), len(names) - 1):
        result = bisect(model, graph, planted(model, graph, number, function, 1 + 1e-9))
        step = model.chain.steps[number]
        wrong = {stage.name for stage in result.stages if not stage.measured.ok}
        if function == "f":
            assert wrong == {f"forward/{step.output}"} and result.first.operation == step.op.name
        else:
            assert wrong and all(name.partition("/")[2] in step.inputs for name in wrong)
        assert "first diverging stage" in str(result) and "from its own" in str(result)


def test_a_trace_may_hold_a_few_stages_only(model, graph):
    whole = planted(model, graph, [s.output for s in model.chain.steps].index("level1/directed"), "f", 1 + 1e-9)
    few = {name: whole[name] for name in ("forward/level1/mixing/mixed", "forward/root/sum/all", "adjoint/r")}
    result = bisect(model, graph, few)
    assert [stage.measured.ok for stage in result.stages[:2]] == [False, True]
    assert result.first.name == "forward/level1/mixing/mixed" and len(result.missing) > 30
    with pytest.raises(DataError, match="holds none of"):
        bisect(model, graph, {})
    with pytest.raises(ShapeError, match="must be real, of shape"):
        bisect(model, graph, {"forward/root/sum/all": np.zeros((3, 3))})


def test_command_bisects(tmp_path, monkeypatch, capsys):
    (tmp_path / "traced.py").write_text(
        "from nbody_ref.conformance.doors.bisect import own_trace\n"
        "def wrong(model, graph):\n    arrays = dict(own_trace(model, graph))\n"
        "    key = 'forward/level1/mixing/mixed'\n    arrays[key] = arrays[key] * 1.001\n    return arrays\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert cli.main(["conform", "bisect", "--trace", "nbody_ref.conformance.doors.bisect:own_trace"]) == 0
    assert cli.main(["conform", "bisect", "--trace", "traced:wrong"]) == 1
    assert "first diverging stage: forward/level1/mixing/mixed (mixing)" in capsys.readouterr().out


def test_reports_and_folders_are_told_apart(tmp_path, capsys):
    paths = [tmp_path / name for name in ("a.json", "b.json")]
    for path, kernel in zip(paths, (Model(), mutant("m reversed").kernel())):
        path.write_text(json.dumps(to_dict(run(kernel, ("solid",), ("float64",)))))
    assert difference(paths[0], paths[0]) == (["no differences"], False)
    lines, changed = difference(*paths)
    assert changed and any("pass -> fail" in line for line in lines)
    text = json.loads(paths[0].read_text())
    grown = [o for o in text["outcomes"] if o["measured"] and o["measured"]["rho"] > 1]
    grown[0]["measured"]["rho"] *= 3
    paths[1].write_text(json.dumps(text))
    assert "rho" in difference(*paths)[0][0] and difference(*paths, factor=4.0)[1] is False
    for name, value in (("x", 1.0), ("y", 1.0 + 2.0**-52)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.safetensors").write_bytes(tensors({"out": np.array([value, -0.0]), name: np.zeros(1)}))
    lines = difference(tmp_path / "x", tmp_path / "y")[0]
    assert "1 of 2 entries differ, at (0,) " in lines[0] and lines[0].endswith("1 ulp") and len(lines) == 4
    assert cli.main(["conform", "diff", str(tmp_path / "x"), str(tmp_path / "y")]) == 1
    assert cli.main(["conform", "diff", str(tmp_path / "x"), str(tmp_path / "x")]) == 0
    assert cli.main(["conform", "diff", str(tmp_path / "x"), str(paths[0])]) == 1
    with pytest.raises(DataError, match="is no report"):
        difference(tmp_path / "x" / "0.safetensors", paths[0])
