"""One answer to each question about an argument, in every room of the package."""

import numpy as np
import pytest

from nbody_ref import exact
from nbody_ref.checks import as_integer, as_number, check_flag, check_integer, check_list, check_number, check_word
from nbody_ref.errors import ArgumentError, IrrepsError
from nbody_ref.fusion import left_comb
from nbody_ref.gates import Bare, Gate
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irreps
from nbody_ref.network import Spec
from nbody_ref.network.default import default
from nbody_ref.ops.radial import Bessel
from nbody_ref.scheme import neighbourhoods

INTEGERS = (3, np.int8(3), np.uint64(3), np.array(3))
OTHERS = (True, np.True_, 3.0, np.float64(3), "3", None, 3j, [3], np.array([3, 3]), object())
DOORS = {
    "irreps": lambda n: Irreps.harmonics(n),
    "exact": lambda n: exact.cg_table_real(n, 1, 3),
    "fusion": lambda n: left_comb(n),
    "graphs": lambda n: Edges.build([0], [0], n, 1),
    "scheme": lambda n: neighbourhoods([[1], [0]], [1, 1], depth=n),
    "radial": lambda n: Bessel(n, 5.0),
    "network": lambda n: default((1, 6), seed=n),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_every_door_has_the_same_answer_to_what_is_an_integer(door):
    for value in INTEGERS:
        door(value)
    for value in OTHERS:
        with pytest.raises(ArgumentError, match="must be"):
            door(value)


def test_species_are_integers_not_bools():
    for species in ((True, 6), (1.0, 6), ("H",), (), (6, 6), 6, None):
        with pytest.raises(ArgumentError, match="Spec: 'species' must be distinct atomic numbers"):
            Spec(species, np.inf, (Gate((Bare(),)), Gate((Bare(),))))


def test_messages_are_short_whatever_came():
    with pytest.raises(ArgumentError) as caught:
        check_integer("f", "n", "x" * 10**6)
    assert len(str(caught.value)) < 150


def test_ranges_words_flags_and_lists():
    assert check_integer("f", "n", np.int8(-3), None) == -3
    with pytest.raises(ArgumentError, match="f: 'n' must be at most 4, got 5"):
        check_integer("f", "n", 5, 0, 4)
    for value in (np.nan, np.inf, "1", True, None):
        with pytest.raises(ArgumentError, match="f: 'x' must be a finite number"):
            check_number("f", "x", value)
    assert check_number("f", "x", np.float32(0.5)) == as_number(np.array(0.5)) == 0.5 and as_number(10**400) == np.inf
    assert check_flag("f", "b", np.True_) is True and as_integer(np.True_) is None
    for wrong in (1, "yes", None, np.ones(2, bool)):
        with pytest.raises(ArgumentError, match="True or False"):
            check_flag("f", "b", wrong)
    with pytest.raises(ArgumentError, match="'a' or 'b', got 'c'"):
        check_word("f", "w", "c", ("a", "b"))
    with pytest.raises(ArgumentError, match="1 to 2 things, got 3"):
        check_list("f", "v", [1, 2, 3], "things", 1, 2)
    for wrong in ("text", b"bytes", {1: 2}, 5):
        with pytest.raises(ArgumentError, match="a list of things"):
            check_list("f", "v", wrong, "things")


def test_irreps_errors_are_about_types_only():
    with pytest.raises(IrrepsError):
        Irreps("8x0q")
    assert not issubclass(ArgumentError, IrrepsError) and issubclass(ArgumentError, ValueError)
