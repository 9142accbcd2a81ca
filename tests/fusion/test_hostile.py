"""Doors of fusion: whatever is passed, the answer is a value or an error of the package, in words."""

from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, DTypeError, NBodyRefError, SchemeError, ShapeError
from nbody_ref.fusion import (
    Diagram,
    FusionTable,
    Spin,
    Term,
    all_terms,
    all_trees,
    balanced,
    braid_sign,
    count_labelings,
    coupling_norm,
    coupling_tensor,
    dense_tensor,
    evaluate_monomial,
    f_move_svg,
    f_move_text,
    f_symbol,
    fuse,
    fuse_jvp,
    fuse_vjp,
    fuse_vjp_jvp,
    integer_tensor,
    labelings,
    left_comb,
    recoupling,
    right_comb,
    svg,
    symmetric_basis,
    symmetric_dimension,
    text,
)
from nbody_ref.irreps import Irrep

COMB, LEGS, S = ((0, 1), 2), ["1o", "1o", "2e"], Spin(1)
DRAWN = Diagram(COMB, LEGS, ["2e", "0e"])
TERMS = all_terms(["2x0e + 2x1o"], (0, 1))
TABLE = FusionTable.build(["2x0e + 2x1o"], TERMS)
BASIS = symmetric_basis("0e + 1o", 2, "0e")
X, Y_BAR = np.ones((2, 8)), np.ones((2, TABLE.irreps_out.dim))
FULL, REDUCED = np.ones((3, len(BASIS.full))), np.ones((3, len(BASIS.reduced)))
DOORS = {
    "left_comb": (left_comb, (3,)),
    "right_comb": (right_comb, (3,)),
    "balanced": (balanced, (3,)),
    "all_trees": (lambda items: list(all_trees(items)), ([0, 1, 2],)),
    "Diagram": (Diagram, (COMB, LEGS, ["2e", "0e"])),
    "from_nodes": (Diagram.from_nodes, (DRAWN.nodes, DRAWN.legs)),
    "labelings": (labelings, (COMB, LEGS, "0e", 2, 99)),
    "count_labelings": (count_labelings, (COMB, LEGS, "0e", 2)),
    "text": (text, (DRAWN,)),
    "svg": (svg, (DRAWN, ["a", "b", "c"])),
    "f_move_text": (f_move_text, (["1"] * 3, "1", "1")),
    "f_move_svg": (f_move_svg, (["1"] * 3, "1", "1")),
    "coupling_tensor": (coupling_tensor, (DRAWN, "real", 99)),
    "integer_tensor": (integer_tensor, (DRAWN, 99)),
    "coupling_norm": (coupling_norm, (DRAWN,)),
    "dense_tensor": (dense_tensor, (DRAWN, "real", np.float64, 99)),
    "evaluate_monomial": (evaluate_monomial, (DRAWN, [[1, 2, 3], [1, 2, 3], [1, 2, 3, 4, 5]])),
    "evaluate_monomial, entries": (lambda x: evaluate_monomial(DRAWN, [[x] * 3, [1] * 3, [2] * 5]), (1,)),
    "fuse": (fuse, (X, TABLE)),
    "fuse_jvp": (fuse_jvp, (X, X, TABLE)),
    "fuse_vjp": (fuse_vjp, (Y_BAR, X, TABLE)),
    "fuse_vjp_jvp": (fuse_vjp_jvp, (Y_BAR, X, Y_BAR, X, TABLE)),
    "Spin": (Spin, ("1/2",)),
    "f_symbol": (f_symbol, (S,) * 6),
    "braid_sign": (braid_sign, (S,) * 3),
    "recoupling": (recoupling, (COMB, (0, (1, 2)), ["1"] * 3, "0", "real")),
    "symmetric_dimension": (symmetric_dimension, ("0e + 1o", 2, "0e")),
    "symmetric_basis": (symmetric_basis, ("0e + 1o", 2, "0e", "real", 99)),
    "matrix": (BASIS.matrix, (np.float64,)),
    "to_full": (BASIS.to_full, (REDUCED,)),
    "to_reduced": (BASIS.to_reduced, (FULL,)),
    "weights_to_reduced": (BASIS.weights_to_reduced, (FULL,)),
    "weights_to_full": (BASIS.weights_to_full, (REDUCED,)),
    "FusionTable.build": (FusionTable.build, (["2x0e + 2x1o"], TERMS, "channelwise", "cheapest", "real")),
    "all_terms": (all_terms, (["2x0e + 2x1o"], (0, 1), [0, 0], ["0e"], 2, 99)),
    "Term": (Term, (TERMS[0].diagram, ((0, 0),) * 2)),
}
HOSTILE = (
    None,
    "x",
    "",
    "0e",
    5,
    -1,
    0,
    2.5,
    True,
    np.nan,
    np.inf,
    1j,
    [],
    (),
    {},
    {"1o": 1},
    {1, 2},
    [1, 1],
    ("0e",),
    ("0e", "1o"),
    ((0, 0), 1),
    [[0, 1], 2],
    ((0,), (0,)),
    object(),
    print,
    np.int8(3),
    np.float32(1.5),
    np.ones(2),
    np.ones((2, 3)),
    np.array(3),
    np.array("x"),
    10**30,
    -(10**30),
    1e300,
    Fraction(1, 2),
    Irrep(1, -1),
    (Irrep(0, 1),),
    S,
    Spin("1/2"),
    DRAWN,
    TABLE,
    TERMS[0],
    b"1o",
    range(2),
    ["a", "b", 3],
    [DRAWN],
    [None] * 3,
    [["x"]] * 3,
)


@pytest.mark.parametrize("name", DOORS)
def test_whatever_is_passed_the_answer_is_a_value_or_an_error_of_the_package(name):
    door, arguments = DOORS[name]
    door(*arguments)
    for i in range(len(arguments)):
        for wrong in HOSTILE:
            try:
                door(*arguments[:i], wrong, *arguments[i + 1 :])
            except NBodyRefError as error:
                assert ": " in str(error)


def test_a_door_without_its_check_would_be_seen(monkeypatch):
    monkeypatch.setattr("nbody_ref.fusion.draw.check_type", lambda *arguments: None)
    with pytest.raises(AttributeError):
        test_whatever_is_passed_the_answer_is_a_value_or_an_error_of_the_package("svg")


def test_messages_name_the_argument_and_what_came():
    for call, error, message in (
        (lambda: text("x"), DTypeError, "text: 'diagram' must be of type Diagram, got str"),
        (lambda: svg(DRAWN, ["a"]), SchemeError, "svg: 'names' must have 3 entries"),
        (lambda: labelings(COMB, "1o", "0e"), ArgumentError, "labelings: 'legs' must be a list of labels, got '1o'"),
        (lambda: labelings(COMB, LEGS, "0e", np.nan), ArgumentError, "'bond_cutoff' must be a degree or None, got nan"),
        (
            lambda: labelings(COMB, LEGS, "0e", limit=2.0),
            ArgumentError,
            "'limit' must be a non-negative integer, got 2",
        ),
        (lambda: left_comb(10**9), ArgumentError, "left_comb: 'n' must be at most 256"),
        (lambda: all_trees([0, 0]), SchemeError, "all_trees: 'items' must be leaf numbers, each once"),
        (lambda: FusionTable.build("0e", TERMS), ArgumentError, "'irreps' must be a list of types"),
        (lambda: FusionTable.build(["2x0e"], [DRAWN]), DTypeError, "'terms' must be of type Term, got Diagram"),
        (lambda: all_terms(["1o"], (0, 1), roots="0e"), ArgumentError, "'roots' must be a list of irreps, got '0e'"),
        (lambda: Term(DRAWN, ((0, 0, 0),)), SchemeError, r"Term: 'sources' must be pairs \(state, part\)"),
        (lambda: BASIS.to_full("x"), DTypeError, "to_full: expected an array of float64"),
        (lambda: BASIS.to_full([[1.0], [1.0, 2.0]]), ShapeError, "to_full: expected an array of numbers"),
        (lambda: evaluate_monomial(DRAWN, 3), ShapeError, "'fragments' must be sequences of numbers, got 3"),
        (lambda: Diagram.from_nodes(((0, 1), 2), LEGS), SchemeError, "leaf numbers and"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_a_tree_deeper_than_any_computation_is_refused_before_it_is_walked():
    tree = 0
    for leaf in range(1, 5000):
        tree = (tree, leaf)
    with pytest.raises(SchemeError, match="'tree' must have at most 256 vertices between leaf and root"):
        labelings(tree, ["0e"] * 5000)


def test_numbers_of_numpy_count_like_those_of_python():
    assert left_comb(np.int8(3)) == COMB and type(left_comb(np.int8(3))[1]) is int
    assert labelings(COMB, LEGS, "0e", np.int8(2), np.int64(99)) == labelings(COMB, LEGS, "0e", 2, 99)
    assert labelings([[np.uint8(0), np.int64(1)], 2], LEGS, "0e") == labelings(COMB, LEGS, "0e")
    assert Term(TERMS[0].diagram, [[np.int8(0), np.uint64(0)]] * 2) == Term(TERMS[0].diagram, ((0, 0), (0, 0)))
    assert symmetric_dimension("0e + 1o", np.int8(3), "1o") == symmetric_dimension("0e + 1o", 3, "1o")


def test_recouplings_that_do_not_meet_are_not_multiplied():
    there, other = recoupling(COMB, (0, (1, 2)), ["1"] * 3, "0"), recoupling((1, (0, 2)), COMB, ["1"] * 3, "0")
    with pytest.raises(SchemeError, match="'other' must begin with the labelings that this one ends with"):
        _ = there @ other
    assert (there @ there.transpose).source == there.source


def test_complex_values_keep_their_imaginary_part_between_bases():
    values = np.array([1.0 + 2.0j] * len(BASIS.reduced))
    for turn in (BASIS.to_full, BASIS.weights_to_full):
        assert np.array_equal(turn(values), turn(values.real) + 1j * turn(values.imag))


def test_integers_of_numpy_do_not_wrap_around_in_a_coupling():
    small = [np.full(leg.dim, 100, np.int8) for leg in DRAWN.legs]
    assert evaluate_monomial(DRAWN, small) == evaluate_monomial(DRAWN, [[100] * leg.dim for leg in DRAWN.legs])
