"""Correct kernels raise no alarm; every planted error is caught; reports say what and where."""

import functools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from nbody_ref import cli, conventions
from nbody_ref.conformance import Backend, Capabilities, FunctionBackend, Harmonics, Product, run
from nbody_ref.conformance.doors import command as conform
from nbody_ref.conformance.doors.page import page
from nbody_ref.conformance.doors.report import table, to_dict, verdict
from nbody_ref.conformance.doors.selftest import SMALL
from nbody_ref.conformance.doors.selftest import catchers as find
from nbody_ref.conformance.judge.verdict import measure, precision_name
from nbody_ref.conformance.operations.product_cases import product_cases
from nbody_ref.conformance.planted.model import Model
from nbody_ref.conformance.planted.mutants import MUTANTS, mutant

SCHEMA = Path(conform.__file__).parents[1] / "report.schema.json"


catchers = functools.cache(find)


@pytest.fixture(scope="module")
def correct():
    kernel = Model()
    kernel.capabilities = SMALL
    return run(kernel, products=1)


def test_correct_kernel_raises_no_alarm(correct):
    assert correct.failures == [] and correct.exit_code == 0 and correct.count("pass") > 700
    assert {o.dtype for o in correct.outcomes} == {"float32", "float64"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_alarm_on_other_seeds(seed):
    kernel = Model()
    kernel.capabilities = Capabilities(operations=("convolution",), dtypes=("float32",))
    assert run(kernel, seed=seed, products=1, checks=("random", "cancellation")).failures == []


@pytest.mark.parametrize("planted", MUTANTS, ids=lambda planted: planted.name)
def test_every_planted_error_is_caught(planted):
    assert catchers(planted)


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("index wrap", "large"),
        ("weight layout", "coincidence"),
        ("denormals flushed", "denormals"),
        ("NaN swallowed", "not a number"),
        ("NaN spread", "not a number"),
        ("strides ignored", "strides"),
        ("empty graph", "sizes"),
        ("overwritten result", "orders"),
    ],
)
def test_a_check_that_alone_catches_an_error(name, check):
    assert catchers(mutant(name)) == (check,)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("m reversed", "descending"),
        ("Condon-Shortley", "odd_sign True"),
        ("no sqrt(2l+1)", r"sqrt\(2l\+1\) missing"),
        ("no sqrt(2)", r"sqrt\(2\) missing"),
        ("axes", r"ours at \(y, z, x\)|e3nn"),
        ("D transposed", "inverse rotation"),
        ("quaternion order", "quaternion"),
        ("unit norm", r"1/sqrt\(2l\+1\)|e3nn"),
        ("odd sign", "opposite sign"),
    ],
)
def test_a_convention_mismatch_is_named_instead_of_failing_everywhere(name, words):
    planted = mutant(name)
    operation = "rotation" if planted.method == "rotation" else planted.operations[0]
    report = run(planted.kernel(), (operation,), ("float64",))
    assert [o.check for o in report.failures] == ["fingerprint"]
    assert re.search(words, report.failures[0].text), report.failures[0].text


@pytest.mark.parametrize("name", [n for n in conventions.names() if conventions.get(n).basis == "real"])
def test_a_correct_kernel_in_another_gauge_passes_if_declared_and_is_recognised_if_not(name):
    kernel = Foreign(name)
    assert run(kernel, dtypes=("float64",), products=1, checks=("random", "impulse", "table")).failures == []
    kernel.convention = "nbody_ref"
    found = [o for o in run(kernel, dtypes=("float64",), products=1, checks=("table",)).failures if o.status == "fail"]
    gauge = conventions.get(name)
    differs = gauge.axes != (0, 1, 2) or gauge.odd_sign or gauge.cg_sign != "native" or gauge.cg_norm != "columns"
    assert bool(found) == differs
    assert all(o.check == "fingerprint" for o in found)


class Foreign(Model):
    """The model kernel as a library in another gauge would have it."""

    def __init__(self, convention):
        self.convention = convention
        self.gauge = conventions.get(convention)

    def table(self, l1, l2, l, dtype):
        return self.gauge.cg_from_native(l1, l2, l, super().table(l1, l2, l, dtype)).astype(dtype)

    def harmonics(self, op, r):
        Y = super().harmonics(op, np.ascontiguousarray(self.gauge.positions_to_native(r)))
        return self.gauge.harmonics_to_native(Y, self.gauge.normalization)

    def harmonics_vjp(self, op, r, g):
        r, g = self.gauge.positions_to_native(r), self.gauge.harmonics_to_native(g, self.gauge.normalization)
        return self.gauge.positions_from_native(super().harmonics_vjp(op, np.ascontiguousarray(r), g))

    def harmonics_double(self, op, r, g, v):
        r, v = (np.ascontiguousarray(self.gauge.positions_to_native(x)) for x in (r, v))
        found = super().harmonics_double(op, r, self.gauge.harmonics_to_native(g, self.gauge.normalization), v)
        return {
            "r": self.gauge.positions_from_native(found["r"]),
            "cotangent": self.gauge.harmonics_to_native(found["cotangent"], self.gauge.normalization),
        }

    def rotation(self, op, q):
        from scipy.spatial.transform import Rotation

        from nbody_ref import wigner_D

        turn = self.gauge.rotation_to_native(self.gauge.rotation_from_quaternion(q.astype(float)))
        assert isinstance(turn, Rotation)
        return self.gauge.D_from_native(op.l, wigner_D(op.l, turn)).astype(q.dtype)

    def part(self, op, p, name, x):
        if name == "w" or self.gauge.layout == "ir_mul":
            return super().part(op, p, name, x)
        i = op.instructions[p]
        irreps, n = {"x1": (op.irreps_1, i.i1), "x2": (op.irreps_2, i.i2), "out": (op.irreps_out, i.out)}[name]
        start, part = irreps.offsets[n], irreps[n]
        return x[:, start : start + part.dim].reshape(len(x), part.mul, part.irrep.dim).swapaxes(1, 2)


def test_a_wrong_sign_in_the_weight_gradient_of_one_path_is_located_and_named():
    kernel = mutant("weight gradient sign").kernel()
    kernel.capabilities = Capabilities(operations=("convolution",), dtypes=("float64",))
    report = run(kernel, products=1)
    named = [o for o in report.failures if "in the gradient in w, path" in o.cause and "opposite sign" in o.cause]
    assert named and all(o.result == "w" and o.order > 0 and "(1 x 1 -> 1)" in o.text for o in named)
    assert "NOT CONFORMANT" in table(report) and report.exit_code == 1


@pytest.mark.parametrize(
    ("name", "word"), [("tf32", "TF32"), ("bfloat16 operands", "bfloat16"), ("float16 sums", "float16")]
)
def test_arithmetic_below_the_declared_precision_is_named(name, word):
    kernel = mutant(name).kernel()
    kernel.capabilities = Capabilities(operations=("convolution",), dtypes=("float32",), orders=(0,))
    causes = {o.cause for o in run(kernel, products=1, checks=("random", "alone")).failures}
    assert any(word in cause for cause in causes), causes


def test_declared_tf32_is_judged_as_tf32():
    kernel = mutant("tf32").kernel()
    kernel.capabilities = Capabilities(operations=("convolution",), dtypes=("float32",), math="tf32")
    assert run(kernel, products=1, checks=("random", "alone", "graph")).failures == []


def test_nothing_run_is_a_failure_and_broken_backends_are_errors():
    kernel = Model()
    assert run(kernel, ("solid",), ("float16",)).exit_code == 3
    kernel.capabilities = Capabilities(operations=())
    report = run(kernel)
    assert report.exit_code == 3 and "NOTHING RAN" in verdict(report)
    for answer, words in (
        (lambda op, inputs: 1 / 0, "ZeroDivisionError"),
        (lambda op, inputs: np.zeros(3), "expected shape"),
        (lambda op, inputs: np.zeros((len(inputs["r"]), 4), np.float32), "expected dtype"),
        (lambda op, inputs: "nonsense", "expected shape"),
    ):
        report = run(FunctionBackend("solid", answer, lmax=1), dtypes=("float64",))
        assert report.exit_code == 2 and words in report.failures[0].text


def test_zeros_and_constants_do_not_pass():
    def zeros(op, inputs):
        return np.zeros((len(inputs["r"]), (op.lmax + 1) ** 2))

    zero = FunctionBackend("solid", zeros, lmax=1, dtypes=("float64",))
    assert run(zero).exit_code == 1


def test_skips_come_from_the_declaration_only():
    kernel = Model()
    kernel.capabilities = Capabilities(operations=("convolution",), dtypes=("float64",), empty=False, max_edges=1000)
    skips = [o for o in run(kernel, products=1, checks=("sizes", "large")).outcomes if o.status == "skip"]
    assert {o.text for o in skips} == {"empty arrays are not declared", "more than 1000 edges are not declared"}


def test_measure_counts_noise_in_zeros_but_not_values_in_them():
    case = next(iter(product_cases(Product.convolution("1x1o", 1), "float64", (0,))))
    truth = case.truth["out"]
    zero = np.argwhere((truth.S == 0) & (np.abs(truth.value).max(axis=1, keepdims=True) > 0))[0]
    for size, ok, unclean in ((1e-18, True, 1), (1e-9, False, 0)):
        got = truth.value.copy()
        got[tuple(zero)] = size
        found = measure(got, truth, "float64", 2.0**-53, 8.0)
        assert (found.ok, found.unclean) == (ok, unclean)


def test_precisions_have_names():
    assert precision_name(11.2, "float32").startswith("TF32")
    assert precision_name(23.0, "float64") == "float32" and precision_name(50.0, "float64") == ""


def test_json_obeys_its_schema_and_the_page_is_self_contained(correct):
    with open(SCHEMA) as file:
        schema = json.load(file)
    broken = run(mutant("tf32").kernel(), ("convolution",), ("float32",), products=1, checks=("random",))
    for report in (correct, broken):
        text = json.dumps(to_dict(report), allow_nan=False)
        _validate(json.loads(text), schema, schema)
        html = page(report)
        assert html.count("<svg") > 0 and not re.search(r"(src|href)\s*=|<script|url\(", html)
    with pytest.raises(AssertionError):
        _validate({**to_dict(correct), "exit_code": 7}, schema, schema)


def _validate(value, schema, root):
    """The part of JSON schema that the file uses."""
    if "$ref" in schema:
        return _validate(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    if "anyOf" in schema:
        assert any(_valid(value, option, root) for option in schema["anyOf"]), value
    assert value == schema.get("const", value) and value in schema.get("enum", [value])
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    kind = schema.get("type")
    assert kind is None or (value is None if kind == "null" else isinstance(value, kinds[kind])), (value, kind)
    if kind == "object":
        known, more = schema.get("properties", {}), schema.get("additionalProperties", {})
        assert set(schema.get("required", ())) <= set(value) and (more is not False or set(value) <= set(known))
        for key, item in value.items():
            _validate(item, known.get(key, more or {}), root)
    if kind == "array":
        for item in value:
            _validate(item, schema.get("items", {}), root)
    return None


def _valid(value, schema, root):
    try:
        _validate(value, schema, root)
    except AssertionError:
        return False
    return True


def test_command_runs_a_backend_and_a_function(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text(
        "from nbody_ref import solid_harmonics\nfrom nbody_ref.conformance.planted.model import Model\n"
        "def solid(op, inputs):\n    return solid_harmonics(op.lmax, inputs['r'], op.normalization)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert cli.main(["conform", "run", "--backend", "mine:Model", "--op", "rotation", "--html", "r.html"]) == 0
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    base = ["conform", "run", "--call", "mine:solid", "--lmax", "3"]
    assert cli.main([*base, "--op", "solid", "--json", "r.json"]) in (0, 1)
    assert json.loads((tmp_path / "r.json").read_text())["counts"]["pass"] > 10
    assert cli.main([*base, "--op", "spherical"]) == 1
    out = capsys.readouterr().out
    again = "again:  nbody-ref conform run --call mine:solid --lmax 3 --op spherical"
    assert "factor r^l present" in out and again in out
    assert cli.main(["conform", "run", "--call", "mine:nothing", "--op", "solid"]) == 1
    assert "cannot load" in capsys.readouterr().err
    assert cli.main([*base, "--op", "solids"]) == 1 and "--op must be one of" in capsys.readouterr().err


def test_command_lists_explains_and_refuses(capsys):
    assert cli.main(["conform", "list"]) == 0 and cli.main(["conform", "explain", "coincidence"]) == 0
    assert cli.main(["conform", "mutants", "index wrap"]) == 0
    out = capsys.readouterr().out
    assert "large" in out and "as many channels as paths" in out and "e3nn>=0.5" in out
    assert cli.main(["conform", "explain", "nonsense"]) == 1


def test_outputs_may_be_any_array(correct):
    class Wrapped:
        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **more):
            return self.array.__dlpack__(**more)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    assert np.array_equal(Backend().to_numpy(Wrapped(np.arange(3.0))), np.arange(3.0))
    assert Harmonics(2).name == "solid" and correct.seconds > 0
