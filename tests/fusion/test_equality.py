"""Layers shown equal: spans of diagrams decided over the rationals, coefficients held to recoupling and to floats."""

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError
from nbody_ref.fusion import f_symbol, labelings
from nbody_ref.fusion.equality import compare_layers, express
from nbody_ref.fusion.evaluate import dense_tensor

LEGS, LEFT, RIGHT = ["1o", "2e", "1o"], ((0, 1), 2), (0, (1, 2))


def layer(tree, root="2e", legs=LEGS, spins=range(9)):
    diagrams = list(labelings(tree, legs, root))
    return [d for d in diagrams if d.outputs[0].l in spins]


def test_all_bonds_of_either_tree_are_the_same_layer_with_the_coefficients_of_f_moves():
    one, two = layer(LEFT, "2e"), layer(RIGHT, "2e")
    found = compare_layers(one, two)
    assert found.equal and found.dimensions == (len(one),) * 3
    for d in two:
        for k, c in express(d, one).items():
            bond = one[k].outputs[0]
            assert c == f_symbol(*d.legs[:2], bond, d.legs[2], d.root, d.outputs[0])


def test_a_cut_of_the_bonds_makes_layers_differ():
    found = compare_layers(layer(LEFT, spins=(1, 2)), layer(RIGHT, spins=(1, 2)))
    assert not found.equal and found.dimensions[2] > found.dimensions[0]
    assert "is no combination of these" in str(found)


def test_on_equal_legs_paths_depend_on_one_another():
    """Three equal vectors have one invariant of degree 1, |v|^2 v, so that all paths to 1o are multiples of one."""
    one = layer(LEFT, "1o", ["1o"] * 3)
    assert compare_layers(one[:1], one[1:]).dimensions == (1, 2, 3)
    found = compare_layers(one[:1], one[1:], [(0, 1, 2)])
    assert found.equal and found.dimensions == (1, 1, 1)
    assert str(found).count(" = 0") == 1  # the cross product of a vector with itself
    v = np.random.default_rng(0).standard_normal(3)
    values = [np.einsum("abcm,a,b,c->m", dense_tensor(d), v, v, v) for d in one]
    for d, value in zip(one[1:], values[1:], strict=True):
        wanted = sum(float(c) * values[k] for k, c in express(d, one[:1], [(0, 1, 2)]).items())
        assert np.abs(value - wanted).max() <= 50 * 2.0**-53 * np.abs(v).max() ** 3


def test_the_derivation_is_printed():
    text = str(compare_layers(layer(LEFT, "0e", ["1o", "1o", "2e"]), layer(RIGHT, "0e", ["1o", "1o", "2e"])))
    assert text.splitlines()[0] == "((0 1)_2e 2)_0e = + 1 (0 (1 2)_1o)_0e"


def test_layers_that_cannot_be_compared_are_refused():
    with pytest.raises(ArgumentError, match="the same legs and root"):
        compare_layers(layer(LEFT), layer(LEFT, "1e"))
    with pytest.raises(ArgumentError, match="'same' must join legs of one label"):
        express(layer(LEFT)[0], layer(LEFT), [(0, 1)])
    with pytest.raises(ArgumentError, match="at least 1 Diagrams"):
        compare_layers([], layer(LEFT))
