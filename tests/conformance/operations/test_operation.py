"""An operation of one's own: one class, and the whole kit knows it."""

from dataclasses import dataclass

import numpy as np

from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.conformance import Backend, Capabilities, FunctionBackend, run
from nbody_ref.conformance.operations.blocks import Rowwise
from nbody_ref.conformance.operations.operation import REGISTRY
from nbody_ref.conformance.operations.registry import OPERATIONS, operation_from_dict
from nbody_ref.exact.surd import Surd


@dataclass(frozen=True)
class Scaled(Rowwise):
    """y = sqrt(2) w x, entry by entry."""

    width: int = 3
    names = ("scaled",)
    differentiable = ("x", "w")
    described = ("width",)
    lmax = 0

    def shape(self, inputs):
        return inputs["x"].shape

    def sizes(self, rows):
        return {"x": (rows, self.width), "w": (rows, self.width)}

    def terms(self, inputs):
        rows, columns = np.arange(len(inputs["x"])), np.arange(self.width)
        legs, shapes = (Leg("x", rows, columns), Leg("w", rows, columns)), self.sizes(len(rows))
        return (Terms(rows, columns, shapes["x"], legs, 0 * columns, (Surd(1, 2),), shapes),)

    @classmethod
    def suite(cls, name, caps, basis="real"):
        return (cls(),)


class Mine(Backend):
    capabilities = Capabilities(operations=("scaled",), lmax=0, propagates_nan=False)

    def forward(self, op, inputs):
        return inputs["x"] * inputs["w"] * inputs["x"].dtype.type(2**0.5)

    def vjp(self, op, inputs, g):
        root = g.dtype.type(2**0.5)
        return {"x": g * inputs["w"] * root, "w": g * inputs["x"] * root}

    def double_vjp(self, op, inputs, g, tangents):
        root, dots = g.dtype.type(2**0.5), {name: tangents.get(name, 0 * g) for name in ("x", "w")}
        along = (dots["x"] * inputs["w"] + dots["w"] * inputs["x"]) * root
        return {"x": g * dots["w"] * root, "w": g * dots["x"] * root, "cotangent": along}


def test_a_class_of_ones_own_is_judged_described_and_declared():
    report = run(Mine())
    assert report.failures == [] and {o.order for o in report.outcomes if o.check == "random"} == {0, 1, 2}
    assert operation_from_dict(Scaled(4).to_dict()) == Scaled(4)
    assert "scaled" in REGISTRY and "scaled" not in OPERATIONS  # of the kit itself
    wrong = FunctionBackend("scaled", lambda op, inputs: inputs["x"] * inputs["w"], lmax=0)
    assert {o.order for o in run(wrong).failures} == {0}
