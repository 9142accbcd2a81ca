"""An op in a file of the user's own works everywhere without any other edit: in a program, over a ring, in the kit."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOY = '''
"""y[n, c] = 3 x[n, c] w[0, c]."""

import numpy as np

from nbody_ref.ops._check import REAL, check_array, check_same_dtype
from nbody_ref.ops._op import Arguments, Multilinear


def toy(x, w):
    """Three times the product, column by column."""
    return TOY.value(x, w)


class _Toy(Multilinear):
    inputs = ("x", "w")

    def check(self, function, x, w):
        x = check_array(function, "x", x, (None, None), REAL)
        w = check_array(function, "w", w, (1, x.shape[1]), REAL)
        check_same_dtype(function, x=x, w=w)
        return Arguments((x, w), (), x.shape, x.dtype)

    def forward(self, x, w, out=None):
        return 3 * x * w if out is None else out + 3 * x * w

    def adjoint(self, k, y_bar, x, w, out=None):
        bar = 3 * y_bar * w if k == 0 else 3 * (y_bar * x).sum(axis=0, keepdims=True)
        return bar if out is None else out + bar

    def example(self, rng):
        return [rng.normal(size=(4, 2)), rng.normal(size=(1, 2))], []

    def exact(self, gauges, x, w):
        return [[3 * a * b for a, b in zip(row, w[0])] for row in x]

    def lower(self, low, inputs, out):
        shape = low.shape(inputs[0])
        rows, columns = np.arange(shape[0]), np.arange(shape[1])
        three = low.constant([[3.0]])
        legs = (inputs[0], rows, columns), (inputs[1], 0 * rows, columns), (three, 0 * rows, 0 * columns)
        low.sum(out, low.terms((rows, columns), shape, *legs))


TOY = _Toy(toy)
toy_jvp, toy_vjp, toy_vjp_jvp = TOY.derivatives()
'''


@pytest.fixture
def own_op(tmp_path, monkeypatch):
    """The module, imported from a temporary file and forgotten afterwards."""
    from nbody_ref.ops import _op

    (tmp_path / "own_toy_op.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    import own_toy_op

    yield own_toy_op
    del sys.modules["own_toy_op"], _op._KNOWN["toy"]


def numbers(*shape, seed=0):
    import numpy as np

    return np.random.default_rng(seed).integers(-9, 10, shape).astype(float)


def test_its_derivatives_are_exact(own_op, exact):
    if exact.dtype is float:
        assert exact.quadruple(own_op, "toy", [exact.draw((4, 2)), exact.draw((1, 2), 1)], ()).all_hold()


def test_it_is_a_step_of_a_program_and_its_truth_is_certified(own_op):
    """Value, gradient and second gradient of two steps, bit for bit; over fractions too."""
    from nbody_ref.certified.program import program_derivatives
    from nbody_ref.certified.program_sums import certify_program
    from nbody_ref.conformance.truth.lowering import lower
    from nbody_ref.exact.gauges import MONOMIAL
    from nbody_ref.gates import Chain, Step
    from nbody_ref.gates.over_ring import run
    from nbody_ref.ops.linear import CONCAT

    steps = Step(own_op.TOY, ("x", "w"), "y"), Step(CONCAT, ("y", "x"), "z")
    chain, leaves = Chain(steps), {"x": numbers(4, 2), "w": numbers(1, 2, seed=1)}
    values, bar = chain.forward(leaves, {}), numbers(4, 4, seed=2)
    assert (values["y"] == 3 * leaves["x"] * leaves["w"]).all()
    bars = chain.vjp(values, {}, {"z": bar}, ("x", "w"))
    low = lower(chain, leaves, {})
    given = leaves | low.constants | {"cotangent": bar}
    for order, wanted in ((0, {"out": values["z"]}), (1, {"x": bars["x"], "w": bars["w"]})):
        program, names = program_derivatives(low.program, "z", ("x", "w"), order)
        found = certify_program(program, names, given)
        assert all((found[name].value.reshape(x.shape) == x).all() for name, x in wanted.items())
    rows = run(chain, {"x": [[Fraction(1, 3)]], "w": [[Fraction(1, 2)]]}, {}, MONOMIAL)
    assert rows["z"] == [[Fraction(1, 2), Fraction(1, 3)]]


@pytest.mark.parametrize("checked", [True, False])
def test_the_hostile_arguments_find_it(tmp_path, checked):
    """The test of all ops in a process that has imported the file; without a check of its own it is noticed."""
    check = 'check_array(function, "w", w, (1, x.shape[1]), REAL)'
    (tmp_path / "own_toy_op.py").write_text(TOY if checked else TOY.replace(check, "w"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "own_toy_op", "-p", "no:cacheprovider", "-k", "whatever and toy"]
        + ["tests/ops/test_hostile_arguments.py"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (0 if checked else 1) and "4 " in done.stdout.splitlines()[-1], done.stdout
