"""Descriptions of products by other libraries, read into ours; with the libraries themselves in tests/peers."""

import json
from fractions import Fraction

import numpy as np
import pytest

from nbody_ref import clebsch_gordan, conventions
from nbody_ref.conformance.operations.product import MODES
from nbody_ref.conformance.operations.product import TensorProduct as Product
from nbody_ref.conformance.operations.readers import from_e3nn, from_segmented, to_e3nn
from nbody_ref.conformance.planted.model import Model
from nbody_ref.errors import IrrepsError

TYPES = ("2x0e + 3x1o", "2x0e + 3x1o", "3x0e + 3x1o + 6x2e")
U = 2.0**-53


def description(subscripts="uvw,iu,jv,kw+ijk", sizes=(2, 3, 4), triples=((1, 1, 0), (1, 1, 2)), factors=(1.0, 0.5)):
    """A segmented tensor product by hand, in the gauge of cuEquivariance."""
    gauge = conventions.get("cuequivariance")
    u, v, w = sizes
    letters = subscripts.partition("+")[0].split(",")
    blocks = [f * gauge.cg_from_native(*t, clebsch_gordan(*t)) for t, f in zip(triples, factors)]
    extent = {"u": u, "v": v, "w": w, "i": 3, "j": 3}
    operands = [[[extent[c] for c in letters[n]]] for n in range(len(letters) - 1)]
    if len(letters) == 4:
        operands[0] = operands[0] * len(triples)
    operands.append([[extent.get(c, 2 * t[2] + 1) for c in letters[-1]] for t in triples])
    weighted = len(letters) == 4
    indices = [([p] if weighted else []) + [0, 0, p] for p in range(len(triples))]
    paths = {"indices": indices, "coefficients": [b.tolist() for b in blocks]}
    return {"subscripts": subscripts, "operands": [{"segments": s} for s in operands], "paths": paths}


def test_factors_of_e3nn_are_its_formula_exactly():
    rows = [(0, 0, 0, "uvw", True), (1, 1, 0, "uvw", True, 2.0), (0, 1, 1, "uvw", True), (1, 0, 1, "uvw", True)]
    signs = {0: 1, 1: -1, 2: 1, 3: 1}  # [1 x 1]^0 of e3nn is the opposite of ours
    for irrep, path, squares in (
        ("component", "element", (Fraction(1, 13), Fraction(2, 13), Fraction(1, 12), Fraction(1, 12))),
        ("component", "path", (Fraction(1, 8), Fraction(2, 18), Fraction(1, 12), Fraction(1, 12))),
        ("norm", "none", (Fraction(1), Fraction(18), Fraction(1), Fraction(1))),
        ("none", "none", (Fraction(1), Fraction(2), Fraction(1, 3), Fraction(1, 3))),
    ):
        op = from_e3nn(*TYPES, rows, irrep_normalization=irrep, path_normalization=path)
        assert [i.coefficient.square() for i in op.instructions] == list(squares)
        assert {p: i.coefficient.sign for p, i in enumerate(op.instructions)} == signs


def test_variances_enter_e3nn_factors():
    rows = [(0, 0, 0, "uvw", True), (1, 1, 0, "uvw", True)]
    op = from_e3nn(*TYPES, rows, variances=([2.0, 1.0], [1.0, 0.5], [3.0, 1.0, 1.0]))
    share = 2 * 4 + Fraction(9, 2)
    assert [i.coefficient.square() for i in op.instructions] == [3 / share, 3 / share]


@pytest.mark.parametrize("convention", ["e3nn>=0.5", "e3nn==0.4.4"])
def test_writing_for_e3nn_and_reading_back_is_the_identity(convention):
    op = Product.connected("2x0e+1x1o", "1x1o+1x2e", "2x1o+1x1e+1x2e")
    a, b, c, rows, signs = to_e3nn(op, convention)
    none = {"irrep_normalization": "none", "path_normalization": "none", "convention": convention}
    back = from_e3nn(a, b, c, rows, **none)
    for i, j, sign in zip(op.instructions, back.instructions, signs):
        assert (i.i1, i.i2, i.out, i.mode) == (j.i1, j.i2, j.out, j.mode)
        assert i.coefficient == j.coefficient * sign


def test_e3nn_paths_with_and_without_weights_are_two_products():
    rows = [(0, 0, 0, "uvw", True), (0, 1, 1, "uvw", True), (1, 1, 2, "uuu", False)]
    types = ("2x0e + 3x1o", "2x0e + 3x1o", "3x0e + 3x1o + 3x2e")
    with pytest.raises(IrrepsError, match="with and without weights"):
        from_e3nn(*types, rows)
    heavy, light = (from_e3nn(*types, rows, weighted=w) for w in (True, False))
    assert (len(heavy.instructions), heavy.weighted) == (2, True)
    assert (len(light.instructions), light.weighted) == (1, False)


def test_unknown_modes_and_normalisations_of_e3nn_are_refused():
    with pytest.raises(IrrepsError, match="uvu<v"):
        from_e3nn("2x0e", "2x0e", "2x0e", [(0, 0, 0, "uvu<v", True)])
    with pytest.raises(IrrepsError, match="normalisation"):
        from_e3nn("2x0e", "2x0e", "4x0e", [(0, 0, 0, "uvuv", True)], irrep_normalization="integral")


PATTERNS = {
    "uvw": "uvw,iu,jv,kw+ijk",
    "uvu": "uv,iu,jv,ku+ijk",
    "uvv": "uv,iu,jv,kv+ijk",
    "uuw": "uw,iu,ju,kw+ijk",
    "uuu": "u,iu,ju,ku+ijk",
    "uvuv": "uv,iu,jv,kuv+ijk",
}


@pytest.mark.parametrize(
    ("mode", "weighted"), [(m, w) for m in MODES for w in (True, False) if w or m not in ("uvw", "uuw")]
)
def test_segmented_products_are_read_in_every_mode(mode, weighted):
    """Values of the product as read against a direct contraction of the description."""
    text = PATTERNS[mode] if weighted else PATTERNS[mode].partition(",")[2]
    given = description(text)
    op = from_segmented(json.dumps(given))
    assert op.modes == {mode} and op.weighted == weighted
    assert [i.coefficient.square() for i in op.instructions] == [1, Fraction(1, 4)]
    rng = np.random.default_rng(1)
    inputs = {name: rng.standard_normal(op.shapes(1)[name]) for name in op.differentiable}
    letters, out = text.partition("+")[0].split(","), []
    for index, block in zip(given["paths"]["indices"], given["paths"]["coefficients"]):
        arrays = [
            inputs["x1"].reshape(given["operands"][-3]["segments"][0]),
            inputs["x2"].reshape(given["operands"][-2]["segments"][0]),
        ]
        if weighted:
            size = op.n_weights // 2
            w = inputs["w"][0, index[0] * size : (index[0] + 1) * size]
            arrays.insert(0, w.reshape(given["operands"][0]["segments"][0]))
        out.append(np.einsum(",".join(letters[:-1]) + ",ijk->" + letters[-1], *arrays, np.array(block)).reshape(-1))
    expected, found = np.concatenate(out), Model().forward(op, inputs)[0]
    assert np.max(np.abs(found - expected)) <= 200 * U * np.max(np.abs(expected))  # sums of at most 54 + 6 roundings, S


def test_order_of_weights_is_that_of_their_segments():
    given = description()
    given["paths"] = {key: rows[::-1] for key, rows in given["paths"].items()}
    assert from_segmented(given) == from_segmented(description())


def test_a_letter_for_one_channel_may_be_left_out():
    given = description("uv,iu,jv,ku+ijk", (4, 1, 4))
    short = json.loads(json.dumps(given))
    short["subscripts"] = "u,iu,j,ku+ijk"
    short["operands"][0]["segments"] = [[4], [4]]
    short["operands"][2]["segments"] = [[3]]
    assert from_segmented(short) == from_segmented(given)


def test_parities_come_from_outside_and_must_fit():
    op = from_segmented(description(), ("2x1o", "3x1o", "4x0e + 4x2e"))
    assert str(op.irreps_out) == "4x0e + 4x2e"
    with pytest.raises(IrrepsError, match="segments say"):
        from_segmented(description(), ("2x1o", "3x2e", "4x0e + 4x2e"))


def spoiled(**changes):
    return {**description(), **changes}


def test_descriptions_that_are_no_products_are_refused():
    flat = np.zeros((3, 3, 1))
    typo = np.array(description()["paths"]["coefficients"][0]) + np.eye(3)[:, :, None] * [[[0.1]], [[0]], [[0]]]
    one = {"indices": [[0, 0, 0, 0]]}
    for given, words in (
        ("nonsense", "no description"),
        ({}, "no description"),
        ([1], "no description"),
        (spoiled(subscripts="uvw,u,v,w"), "flattened"),
        (spoiled(subscripts="u,iu,ju,ku,lu+ijkl"), "symmetric"),
        (spoiled(subscripts="wvu,iu,jv,kw+ijk"), "none of the modes"),
        (spoiled(subscripts="uvx,iu,jv,kw+ijk"), "no state has"),
        (spoiled(subscripts="uvw,uu,jv,kw+ijk"), "must have the component"),
        (spoiled(paths={**one, "coefficients": [flat.tolist()]}), "exactly one path"),
        (spoiled(paths={"indices": [[0, 0, 0, 0], [1, 0, 0, 7]], "coefficients": [flat.tolist()] * 2}), "not exist"),
        (spoiled(paths={"indices": [[0, 0, 0, 0], [1, 0, 0, 1]], "coefficients": [flat.tolist()] * 2}), "couple no"),
        (spoiled(paths={"indices": [[0, 0, 0, 0], [1, 0, 0, 0]], "coefficients": [typo.tolist()] * 2}), "no multiple"),
        (spoiled(operands=[{"segments": [[2, 3, 4]]}] * 4), "whole degree|numbers of"),
        (spoiled(paths={"indices": [[0, 0]], "coefficients": [[]]}), "do not agree"),
    ):
        with pytest.raises(IrrepsError, match=words):
            from_segmented(given)


def test_the_reader_notices_a_planted_sign():
    """Twin of the tests above: the opposite block gives the opposite factor."""
    given = description()
    given["paths"]["coefficients"][1] = (-np.array(given["paths"]["coefficients"][1])).tolist()
    right, wrong = from_segmented(description()), from_segmented(given)
    assert wrong.instructions[0] == right.instructions[0]
    assert wrong.instructions[1].coefficient == -right.instructions[1].coefficient
