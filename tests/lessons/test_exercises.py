"""Exercises take the right answer, name the cause of each listed wrong one, and answer anything else in words."""

import math
from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError
from nbody_ref.irreps import Irreps
from nbody_ref.lessons import check, exercises
from nbody_ref.lessons.reading import Arrays, Function, Unreadable, as_number, nested

NAMES = tuple(exercises())


class Hostile:
    """An object that raises whatever is done with it."""

    def __getattr__(self, name):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no")

    def __float__(self):
        raise RuntimeError("no")


def endless():
    found = []
    found.append(found)
    return found


GARBAGE = [
    None, True, "", "nonsense", "sqrt(-1)", "1/0", b"bytes", math.nan, math.inf, 1e300, 10**400, 1j, -12345.678, [],
    [[]], [1, [2]], {}, {"a": 1}, {1, 2}, object(), Hostile(), Hostile, len, lambda *a: None, lambda *a: a, lambda: 1,
    lambda *a: Hostile(), np.array([]), np.zeros((2, 2, 2)), np.full(3, np.nan), np.array(["x"]), np.array(None),
    Irreps("2x7o"), Fraction(1, 7), endless(), np.zeros(10**6), iter([1, 2]), range(3), [None], ["1", "x"], "9x99e",
    "1x0e + 1x0",
]  # fmt: skip


def test_there_are_three_exercises_for_each_of_twelve_lessons():
    lessons = [name.split(".")[0] for name in NAMES]
    assert all(lessons.count(str(k)) >= 3 for k in range(12)) and len(NAMES) >= 36


@pytest.mark.parametrize("name", NAMES)
def test_right_answer_is_right(name):
    result = check(name, exercises()[name].answer())
    assert result.ok and result and result.hint == "" and str(result) == f"{name}: right"


@pytest.mark.parametrize("name", NAMES)
def test_wrong_answers_get_the_hint_of_their_cause(name):
    exercise = exercises()[name]
    assert len(exercise.wrong) >= 3
    hints = []
    for answer, cause in exercise.wrong:
        result = check(name, answer)
        assert not result.ok and not result and cause in result.hint
        hints.append(result.hint)
    assert len(set(hints)) == len(hints)
    for hint in hints:
        assert len(hint) < 200


@pytest.mark.parametrize("name", NAMES)
def test_anything_else_gets_an_answer_in_words(name):
    for garbage in GARBAGE:
        result = check(name, garbage)
        assert not result.ok and len(result.hint) > 20, garbage


def test_unknown_exercise_is_named():
    for name in ("99.9", None, 4.2, ["4.2"], ""):
        with pytest.raises(ArgumentError, match=r"check: 'name' must be one of 0\.1, 0\.2"):
            check(name, 1)


@pytest.mark.parametrize(
    "name, answer, word",
    [
        ("5.3", lambda F, W: 2 * (F @ W), "factor: every number is 2 times"),
        ("5.3", lambda F, W: -(F @ W), "sign"),
        ("5.3", lambda F, W: -(F @ W) / 3, "sign and factor: every number is minus 1/3 times"),
        ("5.3", lambda F, W: np.conj(F @ W), "conjugated"),
        ("5.3", lambda F, W: np.round((F @ W), 1) + 0.01 * (np.arange(2) == 1), "partly right"),
        ("2.1", [[0, 0, 1], [-1, 0, 0], [0, 1, 0]], "axis order"),
        ("0.2", [-1 / 3, 8 / 3], "length"),
        ("8.2", [0.0, 0.0, 0.0], "none of the usual slips"),
        ("8.1", lambda y, a, b, C: np.zeros(3), "shape"),
        ("3.3", lambda state: 1 / 0, "ZeroDivisionError"),
        ("3.3", lambda a, b: a, "TypeError"),
        ("4.2", "1x1 + 1x2 + 1x3", "parity letters"),
        ("1.1", ["distnace"], "distnace"),
    ],
)
def test_other_mistakes_are_told_by_class(name, answer, word):
    result = check(name, answer)
    assert not result.ok and word in result.hint, result.hint


@pytest.mark.parametrize(
    "name, answer",
    [
        ("4.1", 0.4082),
        ("4.1", "sqrt(1/6)"),
        ("4.1", 6**-0.5),
        ("4.1", np.float32(6**-0.5)),
        ("3.1", np.array([1, 3, 3, 2, 1])),
        ("3.1", Irreps("1x0 + 3x1 + 3x2 + 2x3 + 1x4")),
        ("4.2", "3o + 2o + 1o"),
        ("1.1", "angle, distance, triple product"),
        ("7.2", ("B", "A")),
        (
            "6.2",
            lambda psi, r: -(psi * r[:, [1, 2, 0]]).sum(1) / 3**0.5 @ np.linalg.norm(r, axis=1)[:, None] ** [0, -1, -2],
        ),
        (
            "0.3",
            lambda x: np.array([sum((a - b) / np.linalg.norm(a - b) ** 3 for b in x if (a != b).any()) for a in x]),
        ),
    ],
)
def test_right_answers_of_many_forms(name, answer):
    assert check(name, answer).ok, check(name, answer)


def test_exact_answer_is_needed_to_the_digits_that_are_asked_for():
    assert not check("4.1", 0.41).ok
    assert not check("5.3", lambda F, W: (F @ W) * (1 + 1e-7)).ok


def test_numbers_are_read_from_texts():
    for text, value in (
        ("1/4", 0.25),
        ("-2*sqrt(9/4)", -3),
        (" sqrt(2) ", 2**0.5),
        ("0.125", 0.125),
        ("1/2*sqrt(4)", 1),
    ):
        assert as_number(text) == pytest.approx(value, rel=1e-15)
    with pytest.raises(Unreadable, match="all rows must have one shape"):
        nested([[1, 2], [3]])
    assert Arrays((2,)).read(np.array([1, 2])).shape == (2,)
    assert Function("f(x)", lambda: [(1,)]).read(lambda x: (x, [x, x])).values == (1, 1, 1)
