"""What the lessons are made of: exercises that check themselves, and the whole network in one file (`tiny`).

>>> from nbody_ref.lessons import check
>>> check("3.1", [1, 3, 2, 2, 1])
3.1: not yet. the printed pattern: (1, 3, 2, .., 2, 1) is right for L = 2 only; count the pairs that give l = 2

Answers come from the exact layer (`nbody_ref.exact`), by another route than the lesson's own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from nbody_ref.errors import ArgumentError
from nbody_ref.lessons.exercise import Exercise, Result, Slip

__all__ = ["Exercise", "Result", "Slip", "check", "exercises"]


def exercises() -> dict[str, Exercise]:
    """All exercises by name, in the order of the lessons.

    Examples
    --------
    >>> exercise = exercises()["2.2"]
    >>> exercise.answer(), [cause for answer, cause in exercise.wrong]
    (-1, ['degree 1', 'the identity', 'm = 0 forgotten'])
    """
    return dict(_exercises())


@lru_cache(maxsize=1)
def _exercises() -> dict[str, Exercise]:
    from nbody_ref.lessons import diagrams, networks, products, symmetry

    rooms = (symmetry, products, networks, diagrams)
    return {exercise.name: exercise for room in rooms for exercise in room.EXERCISES}


def check(name: str, answer: Any) -> Result:
    """Check an answer to an exercise.

    Parameters
    ----------
    name : str
        Such as "4.2": lesson 4, exercise 2.
    answer : anything
        A number, a text such as "-sqrt(3/20)" or "1x1o + 1x2o", an array, a set of words, or a function, as the
        question asks. What cannot be read is not right, and the hint says what was asked for.

    Returns
    -------
    Result
        `.ok`, and a `.hint` that names the cause of a known slip.

    Raises
    ------
    ArgumentError
        If there is no exercise of that name.

    Examples
    --------
    >>> check("2.2", -1).ok
    True
    """
    found = exercises().get(name) if isinstance(name, str) else None
    if found is None:
        raise ArgumentError(f"check: 'name' must be one of {', '.join(exercises())}; got {name!r}")
    return found.check(answer)
