"""Errors planted at the shapes where kernels branch and at every order are caught and named; correct kernels pass."""

import numpy as np
import pytest

from nbody_ref.conformance import Capabilities, FunctionBackend, run
from nbody_ref.conformance.doors.page import page
from nbody_ref.conformance.doors.report import markdown, table, to_dict
from nbody_ref.conformance.judge.behaviour import CHECKS, every_aim
from nbody_ref.conformance.operations.registry import OPERATIONS, REGISTRY
from nbody_ref.conformance.planted.model import Model
from nbody_ref.ops import harmonics as loops

SHAPES = ("channels", "rows", "high degree", "repeated irreps", "scales", "denormals")


class Kernel(Model):
    """The model kernel with one mode, and a change of what `product` gives."""

    def __init__(self, change=None, **declared):
        more = {"operations": ("product",), "modes": ("uuu",), "dtypes": ("float32",), "unweighted": False}
        self.capabilities, self.change = Capabilities(**more | declared), change

    def product(self, op, legs, inputs, towards):
        found = super().product(op, legs, inputs, towards)
        return found if self.change is None else self.change(self, op, legs, inputs, towards, found)


def failing(kernel, *checks):
    report = run(kernel, checks=checks)
    assert report.count("error") == 0, report.failures[0].text
    return {(o.check, o.order, o.result) for o in report.failures}, report


def test_the_correct_kernel_passes_every_shape_and_order():
    found, report = failing(Kernel(lmax=3), *SHAPES)
    assert not found and {o.order for o in report.outcomes if o.check == "rows"} == {0, 1, 2}
    most = report.coverage["product", "float32", 2]
    assert most["rows"] > 65536 and most["multiplicity"] == 131 and most["degree"] == 3


def test_the_verdict_says_what_it_covers_and_what_is_declared_beyond():
    kernel = Kernel(operations=("convolution",), modes=("uvu",), lmax=2, orders=(0,), max_edges=100_000)
    report = run(kernel, checks=("rows", "repeated irreps"))
    text = table(report)
    assert "70001 edges, 66003 nodes" in text and "CONFORMANT for what is covered" in text
    assert "degrees above 1" in text and "more than 70001 rows or edges, of 100000 declared" in text
    assert to_dict(report)["coverage"][0]["edges"] == 70_001 and "66003 nodes" in page(report) + markdown(report)


def tail(multiple):
    """The last channels beyond a multiple are lost, in wide parts only."""

    def change(self, op, legs, inputs, towards, found):
        if towards == "out":
            for start, part in zip(op.irreps_out.offsets, op.irreps_out):
                block = found[:, start : start + part.dim].reshape(len(found), part.irrep.dim, part.mul)
                if part.mul > multiple:
                    block[:, :, part.mul // multiple * multiple :] = 0
        return found

    return change


@pytest.mark.parametrize("multiple", [4, 8, 32, 64, 128])
def test_tails_of_channels_are_caught(multiple):
    found, _ = failing(Kernel(tail(multiple), orders=(0,)), "channels")
    assert ("channels", 0, "out") in found


def lost_beyond(rows, name):
    def change(self, op, legs, inputs, towards, found):
        if towards == name and len(found) > rows:
            found[rows:] = 0
        return found

    return change


@pytest.mark.parametrize(("rows", "name"), [(2000, "w"), (1024, "x2"), (65536, "x1"), (65536, "out")])
def test_rows_that_are_lost_beyond_a_size_are_caught(rows, name):
    found, _ = failing(Kernel(lost_beyond(rows, name), orders=(0, 1)), "rows")
    assert any(result == name for _, _, result in found)


def test_wrong_signs_above_a_degree_are_caught_and_named():
    class High(Kernel):
        def tensor(self, op, p, dtype, towards):
            return super().tensor(op, p, dtype, towards) * (-1 if max(op.degrees(p)) > 4 else 1)

    report = run(High(lmax=6, orders=(0,)), checks=("high degree",))
    assert report.failures and "degree is above 4" in report.failures[0].cause


def test_a_factor_in_one_path_is_no_matter_of_precision():
    class Off(Kernel):
        def tensor(self, op, p, dtype, towards):
            return super().tensor(op, p, dtype, towards) * (1.01 if p == 1 and towards == "w" else 1)

    report = run(Off(), checks=("random",))
    causes = {o.cause for o in report.failures}
    assert any("path 1 of" in cause and "has the factor 1.01" in cause for cause in causes)
    assert not any("behaves like" in cause for cause in causes)


HYGIENE = {
    "cotangent overwritten": "untouched",
    "accumulates": "determinism",
    "noise": "determinism",
    "buffer": "reuse",
    "expanded": "strides",
    "offset": "strides",
}


class Second(Kernel):
    """Bad behaviour in second gradients only."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.kept, self.draw = kind, {}, np.random.default_rng(0)

    def double_vjp(self, op, inputs, cotangent, tangents):
        given = cotangent
        base = cotangent.base
        if self.kind == "expanded" and 0 in cotangent.strides:
            given = np.zeros_like(np.ascontiguousarray(cotangent))
        if self.kind == "offset" and base is not None and base.ndim == 2 and len(base) > len(cotangent):
            given = base[: len(cotangent)]
        found = dict(super().double_vjp(op, inputs, np.nan_to_num(given), tangents))
        if self.kind == "cotangent overwritten":
            cotangent *= 2
        for name, x in found.items():
            key = (op, name, x.shape, x.dtype)
            if self.kind == "accumulates":
                found[name] = self.kept[key] = x + self.kept.get(key, 0)
            if self.kind == "noise":
                found[name] = x * (1 + self.draw.choice([0, 2.0**-22], x.shape)).astype(x.dtype)
            if self.kind == "buffer":
                found[name] = self.kept.setdefault(key, x)
                found[name][...] = x
        return found


@pytest.mark.parametrize("kind", HYGIENE)
def test_bad_behaviour_in_second_gradients_is_caught(kind):
    report = run(Second(kind), checks=(HYGIENE[kind],))
    assert {(o.check, o.order) for o in report.failures} == {(HYGIENE[kind], 2)}


def test_good_behaviour_passes_every_check_of_behaviour():
    assert run(Kernel(), checks=tuple(CHECKS)).failures == []


class Solid:
    """Solid harmonics with gradients, and one change."""

    def __init__(self, change=lambda op, x: x):
        self.change = change

    def __call__(self, op, inputs):
        return self.change(op, np.array(loops.solid(inputs["r"], op.lmax, op.normalization)))

    def vjp(self, op, inputs, g):
        return {"r": loops.solid_vjp(g, inputs["r"], op.lmax, op.normalization)[0]}


def solid(change=lambda op, x: x, **more):
    f = Solid(change)
    return FunctionBackend("solid", f, f.vjp, **{"lmax": 4, "dtypes": ("float32",)} | more)


def component(op, Y):
    return Y * Y.dtype.type(1.0001) if op.normalization == "component" else Y


def low_degrees(op, Y):
    if op.lmax <= 2:
        Y[:, 3:4] *= -1
    return Y


def beyond_32(op, Y):
    Y[32:] = 0
    return Y


def six_digits(op, Y):
    Y[:, 0] = Y.dtype.type(0.282095) if op.normalization == "integral" else Y[:, 0]
    return Y


@pytest.mark.parametrize(
    ("change", "check"),
    [(component, "norms"), (low_degrees, "high degree"), (beyond_32, "rows"), (six_digits, "high degree")],
)
def test_errors_of_harmonics_are_caught(change, check):
    report = run(solid(change, orders=(0,)))
    assert report.exit_code == 1 and check in {o.check for o in report.failures}


def test_correct_harmonics_pass():
    report = run(solid())
    assert report.failures == [], report.failures[0].text


def test_degree_zero_alone_passes():
    def spherical(op, inputs):
        value = 1 / np.sqrt(4 * np.pi) if op.normalization == "integral" else 1.0
        return np.full((len(inputs["r"]), 1), value, inputs["r"].dtype)

    assert run(FunctionBackend("spherical", spherical, lmax=0)).failures == []


def test_a_silent_fallback_is_not_conformant():
    class Counting(Kernel):
        calls = 0

        def kernel_calls(self):
            return self.calls

        def forward(self, op, inputs):
            self.calls += len(inputs["x1"]) < 100 or not self.silent
            return super().forward(op, inputs)

    for silent in (False, True):
        kernel = Counting(accelerated=True, orders=(0,))
        kernel.silent = silent
        report = run(kernel, checks=("rows",))
        assert bool(report.failures) == silent
    assert all(o.cause == "a silent fallback" for o in report.failures)
    assert run(Kernel(accelerated=True, orders=(0,)), checks=("rows",)).exit_code == 1


def test_every_check_that_is_listed_runs_somewhere():
    caps = Capabilities(operations=OPERATIONS, lmax=3)
    found = {"fingerprint", "million", "orders", *CHECKS}
    for name in OPERATIONS:
        found |= {case.check for case in REGISTRY[name].shapes_of(name, caps, "float32", 0)}
        if name not in ("gate", "model"):
            for number, op in enumerate(REGISTRY[name].suite(name, caps)):
                found |= {case.check for case in op.cases("float32", (0,), 0, not number)}
    assert found == set(every_aim())
