"""Coupling tensors: orthonormal (F2), complete (F3), covariant, all with ``==``."""

import random
from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, DTypeError, IrrepsError, SchemeError, ShapeError
from nbody_ref.exact import Surd, surd_sum
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.wigner import monomial_matrix
from nbody_ref.fusion import (
    Diagram,
    Spin,
    balanced,
    coupling_norm,
    coupling_tensor,
    dense_tensor,
    evaluate_monomial,
    integer_tensor,
    labelings,
    left_comb,
    right_comb,
)
from nbody_ref.fusion.evaluate import overlap
from nbody_ref.fusion.label import components, degree

HALF = Spin("1/2")
CASES = [
    (((0, 1), 2), ["1", "2", "2"], "real"),
    (((2, 0), 1), ["1o", "1o", "2e"], "complex"),
    (((0, 2), (1, 3)), ["1", "1", "1", "1"], "real"),
    (balanced(4), [HALF, Spin(1), HALF, HALF], "complex"),
    (left_comb(4), ["1", "0", "1", "1"], "complex"),
]


def by_root(tensor, m):
    return {key: value for key, value in tensor.items() if key[-1] == m}


@pytest.mark.parametrize(("tree", "legs", "basis"), CASES)
def test_labelled_diagrams_are_orthonormal_exactly(tree, legs, basis):
    tensors = [(d, coupling_tensor(d, basis)) for d in labelings(tree, legs)]
    for i, (a, x) in enumerate(tensors):
        for k, (b, y) in enumerate(tensors):
            for m in components(a.root):
                for n in components(b.root):
                    left = {key[:-1]: value for key, value in by_root(x, m).items()}
                    right = {key[:-1]: value for key, value in by_root(y, n).items()}
                    assert overlap(left, right) == (i == k and m == n)


@pytest.mark.parametrize(("tree", "legs", "basis"), CASES)
def test_labelled_diagrams_are_complete_exactly_and_not_with_one_left_out(tree, legs, basis):
    diagrams = labelings(tree, legs)

    def resolves(chosen):
        rows: dict = {}
        for diagram in chosen:
            for key, value in coupling_tensor(diagram, basis).items():
                rows.setdefault(key[:-1], {})[diagram, key[-1]] = value
        space = list(product(*(list(components(leg)) for leg in diagrams[0].legs)))
        return all(overlap(rows.get(a, {}), rows.get(b, {})) == (a == b) for a in space for b in space)

    assert resolves(diagrams)
    assert not resolves(diagrams[1:])


@pytest.mark.parametrize("tree", [((0, 2), 1), ((1, 0), 2), (0, (1, 2))])
def test_integer_tensor_times_its_norm_is_the_coupling_tensor(tree):
    for legs in (["1", "2", "2"], [HALF, Spin("3/2"), Spin(1)]):
        for diagram in labelings(tree, legs):
            integers, norm = integer_tensor(diagram), coupling_norm(diagram)
            tensor = coupling_tensor(diagram)
            assert {key[:-1] for key in tensor} == set(integers)
            for key, value in tensor.items():
                rescaled = norm * integers[key[:-1]]
                for label, m in zip(diagram.legs, key):
                    rescaled = rescaled / Surd(1, factorial(int(degree(label) + m)) * factorial(int(degree(label) - m)))
                j, m = degree(diagram.root), key[-1]
                assert value == rescaled * Surd(1, factorial(int(j + m)) * factorial(int(j - m)))


def rotated(label, q, fragment):
    return [sum((c * x for c, x in zip(row, fragment)), 0) for row in monomial_matrix(degree(label), q)]


@pytest.mark.parametrize(
    ("tree", "legs"),
    [(balanced(4), ["1", "2", "1", "1"]), (right_comb(3), ["2", "1", "2"]), (left_comb(3), [HALF, Spin("3/2"), HALF])],
)
def test_evaluation_over_gaussian_rationals_is_covariant_with_residual_zero(tree, legs):
    rng, q = random.Random(3), (2, -1, 3, 1)
    norm = sum(x * x for x in q)
    for diagram in labelings(tree, legs):
        fragments = [
            [Gauss(rng.randint(-5, 5), Fraction(rng.randint(-5, 5), 3)) for _ in range(leg.dim)] for leg in diagram.legs
        ]
        turned = [rotated(leg, q, fragment) for leg, fragment in zip(diagram.legs, fragments)]
        power = int(sum(degree(leg) for leg in diagram.legs) - degree(diagram.root))  # M_l = N^l D_l
        image = rotated(diagram.root, q, evaluate_monomial(diagram, fragments))
        assert evaluate_monomial(diagram, turned) == [norm**power * x for x in image]
        turned[0][0] = turned[0][0] + 1
        assert evaluate_monomial(diagram, turned) != [norm**power * x for x in image]


def test_integer_tensor_is_what_evaluation_contracts_with():
    diagram = Diagram(((0, 2), 1), ["1", "2", "1"], ["2", "1"])
    for ms, value in integer_tensor(diagram).items():
        fragments = [[int(n == m) for n in components(leg)] for leg, m in zip(diagram.legs, ms)]
        assert evaluate_monomial(diagram, fragments)[sum(ms) + 1] == value


def test_real_tensor_is_the_product_of_real_vertices():
    diagram = Diagram(((0, 1), 2), ["1", "1", "1"], ["1", "0"])
    triple = coupling_tensor(diagram, "real")  # (a cross b) . c in (y, z, x) order, over -sqrt(6)
    assert triple[-1, 0, 1, 0] == Surd(-1, 1, 6)
    assert triple[0, -1, 1, 0] == Surd(1, 1, 6)
    assert len(triple) == 6


def test_dense_tensor_rounds_every_entry_once():
    for dtype in (np.float64, np.float32):
        diagram = Diagram(((0, 1), 2), ["1", "2", "2"], ["2", "1"])
        dense = dense_tensor(diagram, dtype=dtype)
        assert dense.dtype == dtype and dense.shape == (3, 5, 5, 3)
        exact = coupling_tensor(diagram, "real")
        assert np.count_nonzero(dense) == len(exact)
        for (a, b, c, m), value in exact.items():
            assert dense[a + 1, b + 2, c + 2, m + 1] == value.round(np.dtype(dtype).name)


def test_overlap_of_foreign_tensors_is_refused():
    with pytest.raises(ValueError, match="incommensurable"):
        overlap({0: Surd(1, 1), 1: Surd(1, 1)}, {0: Surd(1, 2), 1: Surd(1, 3)})
    assert surd_sum([]) == 0


def test_errors_name_what_is_wrong():
    diagram = Diagram((0, 1), ["1", "1"], ["0"])
    with pytest.raises(ArgumentError, match="'complex' or 'real'"):
        coupling_tensor(diagram, "e3nn")
    with pytest.raises(IrrepsError, match="for spins"):
        coupling_tensor(Diagram((0, 1), [HALF, HALF], [Spin(0)]), "real")
    with pytest.raises(ShapeError, match="'fragments' must have 2 entries, got 1"):
        evaluate_monomial(diagram, [[1, 2, 3]])
    with pytest.raises(ShapeError, match="fragment 1 of 'fragments' must have 3 components, got 2"):
        evaluate_monomial(diagram, [[1, 2, 3], [1, 2]])
    big = Diagram(left_comb(8), ["3"] * 8, ["0", "3"] * 3 + ["0"])
    for function in (coupling_tensor, integer_tensor):
        with pytest.raises(SchemeError, match=r"'limit' is 1000000 combinations .* have 5764801"):
            function(big)


@pytest.mark.parametrize("dtype", [None, "x", 5, "float16", complex, object()])
def test_dense_tensors_are_real_floats_of_two_precisions(dtype):
    diagram = labelings(left_comb(2), ["1", "1"], "1")[0]
    with pytest.raises(DTypeError, match="dense_tensor: 'dtype' must be float64 or float32"):
        dense_tensor(diagram, dtype=dtype)
    assert dense_tensor(diagram, dtype=np.float32).dtype == np.float32
