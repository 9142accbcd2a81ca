"""Checks of arguments, one answer to each question for the whole package: is this an integer, a number, a word, a list?

Every check returns the value as plain Python or raises `ArgumentError`, whose message names the function, the argument,
what must hold and what came. Checks of arrays are in `nbody_ref.ops`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from math import isfinite
from numbers import Real
from typing import Any

from nbody_ref.errors import ArgumentError

__all__ = [
    "LARGEST",
    "as_integer",
    "as_number",
    "check_flag",
    "check_integer",
    "check_kind",
    "check_list",
    "check_number",
    "check_species",
    "check_word",
    "set_fields",
    "shown",
]

LARGEST = 1_000_000  # of any count or degree; what is larger fills the memory long before it is reached


def as_integer(value: Any) -> int | None:
    """`value` as one of Python's integers, or None if it is none.

    Integers of any kind are integers, NumPy's and arrays without axes too; True, 2.0 and "2" are not.

    Examples
    --------
    >>> as_integer(3), as_integer(True), as_integer(2.0)
    (3, None, None)
    """
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def as_number(value: Any) -> float | None:
    """`value` as a float, or None if it is no real number; arrays without axes are numbers, bools and texts are not.

    Examples
    --------
    >>> as_number(3), as_number("3"), as_number(True)
    (3.0, None, None)
    """
    plain = value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value
    if not isinstance(plain, Real) or isinstance(plain, bool):
        return None
    try:
        return float(plain)
    except OverflowError:
        return float("inf") if plain > 0 else float("-inf")  # type: ignore[operator]


def check_integer(function: str, name: str, value: Any, least: int | None = 0, most: int | None = None) -> int:
    """`value` as one of Python's integers: (l + 1)**2 of a small NumPy integer overflows, and True is no degree.

    Parameters
    ----------
    function, name : str
        What the message calls the function and the argument.
    value : int or NumPy integer
    least, most : int, optional
        Smallest and largest value allowed.

    Raises
    ------
    ArgumentError
        If `value` is no integer, is less than `least`, or is more than `most`.
    """
    found = as_integer(value)
    if found is None or (least is not None and found < least):
        rules = {None: "an integer", 0: "a non-negative integer", 1: "a positive integer"}
        raise _wrong(function, name, rules.get(least, f"an integer of at least {least}"), value)
    if most is not None and found > most:
        raise _wrong(function, name, f"at most {most}", value)
    return found


def check_number(
    function: str, name: str, value: Any, words: str = "a finite number", within: Callable[[float], bool] = isfinite
) -> float:
    """`value` as a float for which `within` holds, which `words` describe.

    Raises
    ------
    ArgumentError
        If it is no real number or does not lie within.
    """
    found = as_number(value)
    if found is None or found != found or not within(found):
        raise _wrong(function, name, words, value)
    return found


def check_word(function: str, name: str, value: Any, words: Collection[str]) -> str:
    """`value` as one of a few words.

    Raises
    ------
    ArgumentError
        If it is none of them.
    """
    if not isinstance(value, str) or value not in words:
        raise _wrong(function, name, " or ".join(repr(word) for word in words), value)
    return str(value)


def check_flag(function: str, name: str, value: Any) -> bool:
    """`value` if it is True or False (NumPy's too).

    Raises
    ------
    ArgumentError
        If it is neither.
    """
    if isinstance(value, bool):
        return value
    if type(value).__name__ in ("bool", "bool_") and getattr(value, "shape", None) == ():
        return bool(value)
    raise _wrong(function, name, "True or False", value)


def check_list(
    function: str, name: str, value: Any, words: str, least: int = 0, most: int | None = None
) -> tuple[Any, ...]:
    """`value` as a tuple of `least` to `most` things that `words` describe; texts and mappings are no lists.

    Raises
    ------
    ArgumentError
        If it is no list, or has another length.
    """
    try:
        found = None if isinstance(value, str | bytes | Mapping) else tuple(value)
    except TypeError:
        found = None
    if found is None:
        raise _wrong(function, name, f"a list of {words}", value)
    if len(found) < least or (most is not None and len(found) > most):
        rule = f"at least {least}" if most is None else f"{least} to {most}"
        raise ArgumentError(f"{function}: '{name}' must be {rule} {words}, got {len(found)}")
    return found


def check_kind(function: str, name: str, value: Any, kind: Any, words: str) -> None:
    """Whether `value` is of a class, which `words` describe.

    Raises
    ------
    ArgumentError
        If it is not.
    """
    if not isinstance(value, kind):
        raise _wrong(function, name, words, value)


def check_species(function: str, name: str, value: Any) -> tuple[int, ...]:
    """`value` as distinct atomic numbers, at least one.

    Raises
    ------
    ArgumentError
        If they are not.
    """
    try:
        found = tuple(as_integer(z) for z in value)
    except TypeError:
        found = ()
    numbers = tuple(z for z in found if z is not None and z >= 1)
    if not numbers or len(numbers) != len(found) or len(set(numbers)) != len(numbers):
        raise _wrong(function, name, "distinct atomic numbers, at least one", value)
    return numbers


def set_fields(owner: Any, check: Callable[..., Any], *fields: str, **limits: Any) -> None:
    """Replace fields of a frozen dataclass by what a check of this module returns for them.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Size:
    ...     width: int
    ...     def __post_init__(self): set_fields(self, check_integer, "width", least=1)
    """
    for field in fields:
        object.__setattr__(owner, field, check(type(owner).__name__, field, getattr(owner, field), **limits))


def _wrong(function: str, name: str, rule: str, value: Any) -> ArgumentError:
    return ArgumentError(f"{function}: '{name}' must be {rule}, got {shown(value)}")


def shown(value: Any) -> str:
    """`value` as a message shows it: its repr, at most 80 characters of it."""
    came = repr(value)
    return came if len(came) <= 80 else came[:77] + "..."
