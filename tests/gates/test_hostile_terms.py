"""Terms of gates: any value in any field makes a term in plain Python values, or an error of the package in words."""

import json
import math
from dataclasses import MISSING, fields, replace
from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, NBodyRefError, SchemeError
from nbody_ref.gates import (
    Aggregation,
    Bare,
    Correlations,
    Directed,
    EdgeFusion,
    Fusion,
    FusionBlock,
    Gate,
    Pairs,
    Product,
)
from nbody_ref.gates.aggregation import aggregation_type, leg_type
from nbody_ref.gates.build import program
from nbody_ref.gates.named import first_order, relative, zeroth_order
from nbody_ref.gates.recoupling import first_order_weights, fragments, matrix, relative_weights
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops.radial import Bessel, InversePowers

RADIAL = InversePowers((0, 2))
LEG = Directed(RADIAL, 2, (0, 2), "norm", ("0e", "2e"), 2, 1, 1.5, 0)
TERMS = (
    Bare("centre", 2, 0),
    LEG,
    Product((LEG, Bare(mul=2)), ("0e", "1o"), 1, "channelwise", 3, True),
    Pairs(RADIAL, 1, (1,), "norm", ("0e",), 0),
    Fusion((LEG, LEG), FusionBlock(("0e",), (0, 1), 1, "diagonal"), True),
    Correlations(Directed(RADIAL, 2), 3, 4),
    Aggregation(1, 1, 0, 2, ("0e", "1o"), 500, 0),
    EdgeFusion(RADIAL, 1, ("0e",), "(oY)j", (0, 1), "sparse", True, "full", "learned", 2, (1,), "norm", 0),
)
BLOCK = FusionBlock(("0e", "1o"), (0, 1), 2, "mixed")
GATE = Gate((Bare(), LEG), "2x0e")
HOSTILE = (
    None,
    "x",
    "",
    "0e",
    5,
    -1,
    0,
    2.5,
    1.0,
    True,
    np.nan,
    np.inf,
    -np.inf,
    1j,
    [],
    (),
    {},
    {"0e": 1},
    {1, 2},
    [1, 1],
    (1.5,),
    ("centre",),
    ("0e", "0e"),
    (0, 1),
    [[0, 1], 2],
    object(),
    print,
    RADIAL,
    Bessel,
    LEG,
    (LEG,) * 9,
    BLOCK,
    np.int8(3),
    np.uint8(0),
    np.float32(1.5),
    np.float64("nan"),
    np.bool_(True),
    np.ones(2),
    np.arange(2),
    np.array(3),
    np.str_("all"),
    b"all",
    10**30,
    -(10**30),
    1e300,
    Fraction(1, 2),
    math.pi,
    Irrep(1, -1),
    (Irrep(0, 1),),
    range(2),
)


def plain(value):
    """Whether JSON holds the value as it is: no number of NumPy's, no bool in the place of a number."""
    if isinstance(value, dict):
        return all(plain(part) for part in value.values())
    if isinstance(value, list):
        return all(map(plain, value))
    return math.isfinite(value) if type(value) is float else type(value) in (int, str, bool, type(None))


def described(term):
    return term.to_dict() if isinstance(term, FusionBlock | Gate) else Gate((term,)).to_dict()


def answer(make, *arguments, **named):
    """The value, or the error of the package; anything else fails the test."""
    try:
        return make(*arguments, **named)
    except NBodyRefError as error:
        text = str(error)
        assert "'" in text or ": " in text
        return error


@pytest.mark.parametrize("term", [*TERMS, BLOCK, GATE], ids=lambda term: type(term).__name__)
def test_whatever_is_passed_the_answer_is_a_plain_term_or_an_error_of_the_package(term):
    for field in fields(term):
        for wrong in HOSTILE:
            made = answer(replace, term, **{field.name: wrong})
            if not isinstance(made, NBodyRefError):
                data = described(made)
                assert plain(data), (field.name, wrong)
                kind = type(made) if isinstance(made, FusionBlock | Gate) else Gate
                back = kind.from_dict(json.loads(json.dumps(data)))
                assert back == made or back.terms == (made,)


NUMBERS = {
    "mul": 1,
    "level": 0,
    "lmax": 2,
    "mixed_lmax": 0,
    "bond": 0,
    "total": 0,
    "order": 2,
    "degree": 0,
    "P": 0,
    "Q": 0,
    "S": 0,
    "children": 1,
    "max_dim": 1,
}


@pytest.mark.parametrize("term", TERMS, ids=lambda term: type(term).__name__)
def test_numbers_of_fragments_and_degrees_are_integers_in_range(term):
    for field in fields(term):
        if field.name not in NUMBERS or isinstance(getattr(term, field.name), str):
            continue
        least = NUMBERS[field.name]
        for wrong in (np.nan, "2", 2.0, np.float64(2), True, 1j, least - 3, 10**30, np.ones(1)):
            with pytest.raises(ArgumentError, match=f"{type(term).__name__}: '{field.name}' must be"):
                replace(term, **{field.name: wrong})
        for kind in (np.int8, np.uint8, np.int64):
            made = replace(term, **{field.name: kind(least)})
            assert type(getattr(made, field.name)) is int and made == replace(term, **{field.name: least})


def test_a_term_without_the_check_would_be_seen(monkeypatch):
    monkeypatch.setattr(Bare, "__post_init__", lambda self: None)
    with pytest.raises(AssertionError):
        test_whatever_is_passed_the_answer_is_a_plain_term_or_an_error_of_the_package(Bare())


def test_terms_in_numbers_of_numpy_are_equal_to_those_of_python():
    ours = Directed(Bessel(2, 5.0), 2, (0, 2), keep=("0e",), mul=3, mixed_lmax=1, smoothness=1.5)
    theirs = Directed(
        Bessel(np.int8(2), np.float32(5.0)),
        np.uint8(2),
        [np.int8(0), np.int64(2)],
        keep=[Irrep(0, 1)],
        mul=np.int16(3),
        mixed_lmax=np.int32(1),
        smoothness=np.float32(1.5),
    )
    assert ours == theirs and hash(ours) == hash(theirs)
    assert json.dumps(described(theirs)) == json.dumps(described(ours))


def test_smoothness_is_an_exponent_that_doubles_hold():
    for wrong in (np.nan, np.inf, "1", None, True, 1e300, 51):
        with pytest.raises(ArgumentError, match="Directed: 'smoothness' must be a number from -50 to 50"):
            Directed(RADIAL, 1, smoothness=wrong)


def test_one_irrep_is_no_list_of_irreps():
    with pytest.raises(ArgumentError, match=r"Product: 'keep' must be a tuple of irreps .*, got '0e'"):
        Product((Bare(), Bare()), "0e")
    with pytest.raises(ArgumentError, match="Directed: 'keep' must name each irrep once"):
        Directed(RADIAL, 1, keep=("0e", " 0e "))


@pytest.mark.parametrize("data", [None, 3, "x", [], {}, {"terms": 3, "out": None}, {"terms": [{}], "out": None}])
def test_what_describes_no_gate_is_refused(data):
    with pytest.raises(ArgumentError, match=r"Gate\.from_dict: "):
        Gate.from_dict(data)


def test_descriptions_with_a_name_too_many_or_too_few_are_refused():
    for term in TERMS:
        whole = Gate((term,)).to_dict()["terms"][0]
        needed = ["term", *(field.name for field in fields(term) if field.default is MISSING)]
        wrong = [{k: v for k, v in whole.items() if k != name} for name in needed] + [{**whole, "more": 1}]
        for data in wrong:
            with pytest.raises(ArgumentError, match=r"Gate\.from_dict: "):
                Gate.from_dict({"terms": [data], "out": None})
    with pytest.raises(ArgumentError, match="'data' must be what `to_dict` writes"):
        FusionBlock.from_dict({"keep": ["0e"], "more": 1})


def test_doors_of_the_gates_answer_anything_with_a_value_or_an_error_of_the_package():
    small = [wrong for wrong in HOSTILE if not (isinstance(wrong, int) and wrong > 9)]
    for wrong in small:
        for door, arguments in (
            (zeroth_order, ("1x0e",)),
            (first_order, ("1x0e", (0, 1))),
            (relative, ("1x0e", (0, 1))),
            (leg_type, ("1x0e", 1, 1, 1)),
            (aggregation_type, ("1x0e", 1, 1, 0, 2)),
            (program, (Gate((Bare(),)), "1x0e", 1, "float64", "real")),
            (fragments, ((0, 1), ["1x0e", "1x1o"], "1o")),
            (matrix, (["1x0e", "1x1o"], (0, 1), (1, 0), "1o", "real")),
            (first_order_weights, ("1x0e", "0e", np.ones((1, 1)), 1, "real")),
            (relative_weights, ("1x0e", "1o", np.ones((1, 1)), 1, "real")),
        ):
            for i in range(len(arguments)):
                answer(door, *arguments[:i], wrong, *arguments[i + 1 :])


def test_trees_and_legs_of_recoupling_must_fit():
    with pytest.raises(SchemeError, match="fragments: 'legs' must be 2 types, one for each leaf"):
        fragments((0, 1), [Irreps("1x0e")], "0e")
