"""Half precisions and large graphs: exact conversions, correct kernels pass, short accumulators are caught."""

import numpy as np
import pytest

from nbody_ref.certified.sums import Ball, add_up
from nbody_ref.certified.terms import derivatives
from nbody_ref.conformance import Backend, Capabilities, Product, run
from nbody_ref.conformance.formats import HALVES, from_storage, rounded, smallest, spacing, to_storage, unit, widest
from nbody_ref.conformance.operations.product_cases import million_cases
from nbody_ref.conformance.planted.model import Model
from nbody_ref.conformance.reference import Messages
from nbody_ref.errors import DTypeError
from nbody_ref.exact.surd import FORMATS, round_fraction
from nbody_ref.kernels import _threads
from nbody_ref.tables import clebsch_gordan


def only_terms(op, inputs):
    (terms,) = op.terms(inputs)
    return terms


@pytest.mark.parametrize("dtype", FORMATS)
def test_rounding_to_a_format_is_that_of_the_definition(dtype):
    from fractions import Fraction

    rng = np.random.default_rng(0)
    x = rng.standard_normal(400) * 2.0 ** rng.integers(-150, 128, 400)
    bits = FORMATS[dtype][0]
    ties = (1 + (2 * np.arange(20) + 1) * 2.0**-bits) * 2.0 ** rng.integers(-14, 15, 20)
    x = np.concatenate([x, ties, -ties, [0.0, widest(dtype), smallest(dtype), smallest(dtype) / 2]])
    found = rounded(x, dtype)
    for value, result in zip(x, found):
        assert result == round_fraction(Fraction(value), dtype)
    finite = found[np.isfinite(found)]
    assert np.array_equal(from_storage(to_storage(finite, dtype), dtype), finite)
    assert np.isnan(rounded(np.array([np.nan]), dtype)).all() and np.isinf(rounded(np.array([-np.inf]), dtype)).all()
    assert (spacing(np.array([1.0]), dtype) == 2 * unit(dtype)).all()


def test_what_is_not_of_a_format_is_refused():
    assert np.array_equal(from_storage(np.array([1.5], np.float32), "bfloat16"), [1.5])
    for x, dtype in (
        (np.array([1.001], np.float32), "bfloat16"),
        (np.zeros(1, np.int16), "bfloat16"),
        (np.zeros(1), "float16"),
    ):
        with pytest.raises(DTypeError):
            from_storage(x, dtype)
    with pytest.raises(DTypeError, match="must be one of"):
        unit("float8")


class Short(Model):
    """The model kernel with tables of any format."""

    def table(self, l1, l2, l, dtype):
        return clebsch_gordan(l1, l2, l, "real", np.float32).astype(dtype)


class Half(Backend):
    """Numbers stored in a short format, computed in float32, sums rounded to `sums`."""

    def __init__(self, dtype, sums="float32", declared="float32"):
        self.name, self.dtype, self.sums, self.kernel = f"{dtype} with {sums}", dtype, sums, Short()
        more = {"operations": ("product", "convolution", "solid"), "dtypes": (dtype,), "lmax": 2}
        self.capabilities = Capabilities(**more, accumulate=declared, propagates_nan=False)

    def asarray(self, array):
        if array.dtype.kind == "i":
            return array
        return from_storage(np.array(array), self.dtype).astype(np.float32)

    def forward(self, op, inputs):
        if self.sums == "float32":
            return self.kernel.forward(op, inputs)
        x = {k: v if v.dtype.kind == "i" else v.astype(np.float16) for k, v in inputs.items()}
        return np.asarray(self.kernel.forward(op, x), np.float32)

    def vjp(self, op, inputs, cotangent):
        return self.kernel.vjp(op, inputs, cotangent)

    def double_vjp(self, op, inputs, cotangent, tangents):
        return self.kernel.double_vjp(op, inputs, cotangent, tangents)

    def to_numpy(self, array):
        return to_storage(array, self.dtype)


@pytest.mark.parametrize("dtype", HALVES)
def test_correct_half_precision_kernels_pass(dtype):
    report = run(Half(dtype), products=1)
    assert report.failures == [] and report.count("pass") > 150


def test_sums_in_half_precision_are_caught_unless_declared():
    wrong = run(Half("float16", "float16"), ("convolution",), products=1, checks=("random", "graph"))
    assert {(o.status, o.order) for o in wrong.failures} == {("fail", 0)}
    declared = Half("float16", "float16", declared="")
    assert run(declared, ("convolution",), products=1, checks=("random", "graph")).failures == []


def test_large_graphs_are_certified_without_integers_and_with_any_number_of_threads(monkeypatch):
    (case, *_) = million_cases(Product.convolution("2x0e + 1x1o", 1, out=("0e", "1o")), "float64", (0,), 0, rows=20_000)
    truth = case.truth["out"]
    assert truth.exact == 0 and truth.n.max() > 100
    (terms,) = derivatives(only_terms(case.op, case.inputs), 0)["out"]
    balls = {name: Ball.exactly(case.inputs[name]) for name in ("x1", "x2", "w")}
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(_threads, "n_threads", lambda threads=threads: threads)
        monkeypatch.setattr(_threads, "SERIAL_BELOW", 0)
        _threads._pool.cache_clear()
        found.append(add_up((terms,), balls)[0])
    _threads._pool.cache_clear()
    assert all(a.tobytes() == b.tobytes() for other in found[1:] for a, b in zip(found[0], other))
    exact = np.bincount(case.inputs["receivers"], minlength=100)
    assert exact.sum() == 20_000


def test_a_million_edges_run_only_if_asked_for(monkeypatch):
    from nbody_ref.conformance.operations import product_cases

    monkeypatch.setattr(product_cases, "million_cases", lambda *given: million_cases(*given, rows=5000))
    report = run(Messages(), ("convolution",), ("float64",), checks=("million",))
    assert {o.check for o in report.outcomes} == {"fingerprint", "million"} and report.failures == []
