"""Causes in words: the path of a product that is off, by which factor, in which result."""

import numpy as np
import pytest

from nbody_ref import cli
from nbody_ref.conformance import Capabilities, Product
from nbody_ref.conformance.judge.diagnosis import likely_cause
from nbody_ref.conformance.judge.outcome import Outcome
from nbody_ref.conformance.operations.product_cases import all_orders
from nbody_ref.conformance.planted.model import Model
from nbody_ref.conformance.planted.mutants import mutant

OP = Product.convolution("2x0e + 2x1o + 2x2e", 2)


class OnePath(Model):
    """Path p is off by a factor, towards one leg only."""

    def __init__(self, p, factor, leg):
        self.p, self.factor, self.leg = p, factor, leg

    def tensor(self, op, p, dtype, towards):
        wrong = towards == self.leg and op.instructions[p] == OP.instructions[self.p]
        return super().tensor(op, p, dtype, towards) * (self.factor if wrong else 1)


def cause(kernel, leg, order, dtype="float64", op=OP):
    for case in all_orders("random", op, dtype, (order,), 0, rows=9, nodes=4):
        name = "cotangent" if leg == "out" and order == 2 else leg
        if name in case.truth:
            return likely_cause(kernel, case, Outcome("random", op.name, dtype, order, name), dtype)
    raise AssertionError("no such result")


KINDS = [(-1, "opposite sign"), (0, "missing"), (2, "twice"), (0.75, "factor 0.75")]


@pytest.mark.parametrize(("leg", "order"), [("out", 0), ("w", 1), ("x1", 1), ("x2", 1), ("w", 2), ("out", 2)])
@pytest.mark.parametrize(("dtype", "factor", "words"), [(d, *k) for d in ("float64", "float32") for k in KINDS][::3])
def test_the_path_that_is_off_is_named(leg, order, factor, words, dtype):
    p = 11
    text = cause(OnePath(p, factor, leg), leg, order, dtype)
    l1, l2, l = OP.degrees(p)
    assert f"path {p} of {len(OP.instructions)} ({l1} x {l2} -> {l}, uvu)" in text and words in text, text


def test_no_path_is_blamed_for_an_error_of_another_kind():
    for name in ("m reversed", "tf32"):
        kernel = mutant(name).kernel() if name == "tf32" else Model()
        if name == "m reversed":
            kernel.scatter = lambda op, key, rows, inputs: Model().scatter(op, key, rows[:, ::-1], inputs)
        assert "the other paths" not in cause(kernel, "out", 0, "float32")


def test_two_wrong_paths_are_not_blamed_on_one():
    class Two(Model):
        def tensor(self, op, p, dtype, towards):
            return super().tensor(op, p, dtype, towards) * (-1 if op.instructions[p] in OP.instructions[3:5] else 1)

    assert "the other paths" not in cause(Two(), "out", 0)
    text = cause(mutant("weight gradient sign").kernel(), "w", 1)  # three paths (1, 1, 1), each in its own columns
    assert "has the opposite sign" in text and "(1 x 1 -> 1" in text


NEWCOMER = '''
import numpy as np
from nbody_ref import clebsch_gordan
from nbody_ref.conformance import Backend, Capabilities


class Mine(Backend):
    """A kernel by hand: message passing with one product; its bug needs the product of 23 paths."""

    name = "my kernel 0.1"
    capabilities = Capabilities(operations=("convolution",), modes=("uvu",), unweighted=False, orders=(0, 1), lmax=3)

    def paths(self, op, inputs):
        start = 0
        for p, i in enumerate(op.instructions):
            places = [slice(t.offsets[k], t.offsets[k] + t[k].dim) for t, k in
                      ((op.irreps_1, i.i1), (op.irreps_2, i.i2), (op.irreps_out, i.out))]
            u, v = op.weight_shape(p)
            w = slice(start, start + u * v)
            start += u * v
            C = (clebsch_gordan(*op.degrees(p)) * float(i.coefficient)).astype(inputs["x1"].dtype)
            n = len(inputs["x2"])
            x = inputs["x1"][inputs["senders"]][:, places[0]].reshape(n, C.shape[0], u)
            y = inputs["x2"][:, places[1]].reshape(n, C.shape[1], v)
            yield p, C, x, y, inputs["w"][:, w].reshape(n, u, v), (*places, w)

    def forward(self, op, inputs):
        n = len(inputs["x2"])
        rows = np.zeros((n, op.irreps_out.dim), inputs["x1"].dtype)
        for p, C, x, y, w, (_, _, c, _) in self.paths(op, inputs):
            part = np.einsum("ijk,eiu,ejv,euv->eku", C, x, y, w, optimize=True)
            rows[:, c] += part.reshape(n, part.shape[1] * part.shape[2])
        out = np.zeros((len(inputs["x1"]), op.irreps_out.dim), rows.dtype)
        np.add.at(out, inputs["receivers"], rows)
        return out

    def vjp(self, op, inputs, cotangent):
        n, rows = len(inputs["x2"]), cotangent[inputs["receivers"]]
        x_bar, y_bar, w_bar = (np.zeros_like(inputs[k]) for k in ("x1", "x2", "w"))
        for p, C, x, y, w, (a, b, c, d) in self.paths(op, inputs):
            g = rows[:, c].reshape(n, C.shape[2], x.shape[2])
            to_x = np.einsum("ijk,eku,ejv,euv->eiu", C, g, y, w, optimize=True)
            np.add.at(x_bar[:, a], inputs["senders"], to_x.reshape(n, a.stop - a.start))
            y_bar[:, b] += np.einsum("ijk,eku,eiu,euv->ejv", C, g, x, w, optimize=True).reshape(n, b.stop - b.start)
            to_w = np.einsum("ijk,eku,eiu,ejv->euv", C, g, x, y, optimize=True).reshape(n, d.stop - d.start)
            w_bar[:, d] += -to_w if len(op.instructions) == 23 and p == 17 else to_w
        return {"x1": x_bar, "x2": y_bar, "w": w_bar}
'''


def test_a_newcomer_learns_path_input_and_cause_from_the_default_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "newcomer.py").write_text(NEWCOMER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert cli.main(["conform", "run", "--backend", "newcomer:Mine"]) == 1
    out = capsys.readouterr().out
    assert "FAIL convolution float64, gradient, check 'orders' [nequip-L-middle, as published]" in out
    assert "w at row" in out and "bad: path 17 (3 x 0 -> 3)" in out
    assert "likely: in the gradient in w, path 17 of 23 (3 x 0 -> 3, uvu) has the opposite sign" in out
    assert "FAIL convolution float64, value" not in out and " error" not in out
    assert np.isfinite(float(out.rsplit(" in ", 1)[1].split()[0]))
    assert Capabilities().lmax >= 3  # the default degree reaches the 23 paths
