"""Causes by name: each of these mistakes, made in a kernel, is what the kit says it is."""

import numpy as np
import pytest

from nbody_ref.conformance import Product
from nbody_ref.conformance.judge.diagnosis import explain
from nbody_ref.conformance.operations.diagrams import SymmetricPower
from nbody_ref.conformance.operations.operation import with_orders
from nbody_ref.conformance.operations.product_cases import all_orders
from nbody_ref.conformance.planted.model import Model
from nbody_ref.conformance.reference_blocks import Blocks
from nbody_ref.irreps import Irreps

TYPES = Irreps("2x1o + 3x0e + 2x0e")
ROWS = Product.coupled(TYPES, TYPES, "uvw", 2, lmax=1, merged=True)
EDGES = Product.convolution(TYPES, 1)
DEEP = Product.full("2x0e + 2x1o + 2x2e", "2x0e + 2x1o + 2x2e", "uuu")
SAME = Product.full("2x0e + 2x1o", "2x0e + 2x1o", "uuu")


def case_of(op):
    case = next(all_orders("random", op, "float64", (0,), 3, rows=30, nodes=5))
    if op.graph:  # duplicates and self-loops
        case.inputs["senders"][:6], case.inputs["receivers"][:6] = 1, 2
        case.inputs["senders"][6:9], case.inputs["receivers"][6:9] = 4, 4
    return case


def value(op, inputs):
    return Model().forward(op, inputs)


def sorted_parts(x, irreps=TYPES):
    order = sorted(range(len(irreps)), key=lambda k: irreps[k].irrep.l)
    places = [np.arange(irreps.offsets[k], irreps.offsets[k] + irreps[k].dim) for k in order]
    return x[:, np.argsort(np.concatenate(places))]


def outermost(x, irreps=TYPES):
    blocks = [
        x[:, s : s + p.dim].reshape(len(x), p.mul, p.irrep.dim).swapaxes(1, 2) for s, p in zip(irreps.offsets, irreps)
    ]
    return np.concatenate([block.reshape(len(x), -1) for block in blocks], axis=1)


def transposed(op, w):
    shapes, ends = [op.weight_shape(p) for p in range(len(op.instructions))], op.weight_offsets
    blocks = [w[:, a:b].reshape(len(w), s[1], s[0], s[2]).swapaxes(1, 2) for a, b, s in zip(ends, ends[1:], shapes)]
    return np.concatenate([block.reshape(len(w), -1) for block in blocks], axis=1)


def merged(i):
    pairs = list(zip(i["senders"], i["receivers"]))
    keep = np.array([pairs.index(pair) == k for k, pair in enumerate(pairs)])
    return i | {"x2": i["x2"] * keep[:, None]}


def no_loops(i):
    return i | {"x2": i["x2"] * (i["senders"] != i["receivers"])[:, None]}


MISTAKES = {
    "x1 taken to have": (ROWS, lambda op, i: value(op, i | {"x1": sorted_parts(i["x1"])})),
    "x1 read with channels outermost": (ROWS, lambda op, i: value(op, i | {"x1": outermost(i["x1"])})),
    "weights read as": (ROWS, lambda op, i: value(op, i | {"w": transposed(op, i["w"])})),
    "weights of row 0": (ROWS, lambda op, i: value(op, i | {"w": np.broadcast_to(i["w"][:1], i["w"].shape)})),
    "operands x1 and x2 swapped": (SAME, lambda op, i: value(op, {"x1": i["x2"], "x2": i["x1"]})),
    "same ends merged": (EDGES, lambda op, i: value(op, merged(i))),
    "self-loops are left out": (
        EDGES,
        lambda op, i: value(op, i | {"x2": i["x2"] * (i["senders"] != i["receivers"])[:, None]}),
    ),
    "receivers taken as sorted": (EDGES, lambda op, i: value(op, i | {"receivers": np.sort(i["receivers"])})),
    "exchanged": (EDGES, lambda op, i: value(op, i | {"senders": i["receivers"], "receivers": i["senders"]})),
    "everything has the factor 1.5": (ROWS, lambda op, i: 1.5 * value(op, i)),
    "l1 + l2 + l is odd": (DEEP, lambda op, i: value(op, i) - 2 * value(odd(op), i)),
    "the result has degree 2": (DEEP, lambda op, i: value(op, i) - 2 * value(second(op), i)),
    "path 3 of": (ROWS, lambda op, i: value(op, i) - part(op, i, 3)),
    "path 5 of": (ROWS, lambda op, i: value(op, i) + 0.001 * part(op, i, 5)),
}


def odd(op):
    return op.only([p for p in range(len(op.instructions)) if sum(op.degrees(p)) % 2])


def second(op):
    return op.only([p for p in range(len(op.instructions)) if op.degrees(p)[2] == 2])


def part(op, i, p):
    return value(op.only([p]), i | {"w": i["w"][:, slice(*op.weight_offsets[p : p + 2])]})


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_named(words):
    op, wrong = MISTAKES[words]
    case = case_of(op)
    plain = {name: x for name, x in case.inputs.items() if name != "cotangent"}
    assert explain(case, "out", value(op, plain), 2.0**-53, "float64") == ""
    found = explain(case, "out", wrong(op, plain), 2.0**-53, "float64")
    assert words in found, found


def test_a_path_of_a_contraction_is_named():
    op = SymmetricPower(Irreps("2x0e + 2x1o"), Irreps("2x0e"), 2)
    inputs = op.inputs("float64", 0, 6)
    case = next(with_orders("random", op, inputs, "float64", (0,), 0))
    w = inputs["w"].copy()
    w[:, 2:4] *= -1
    found = explain(case, "out", Blocks().forward(op, inputs | {"w": w}), 2.0**-53, "float64")
    assert "path 1 of 3 has the opposite sign" in found
