"""Checks that the doors of fusion share: counts, lists, cutoffs; every number leaves as one of Python's."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from numbers import Integral
from typing import Any

from nbody_ref.errors import IrrepsError, SchemeError
from nbody_ref.exact.ring import as_rational

__all__ = ["MOST_LEAVES", "check_count", "check_cutoff", "check_list"]

MOST_LEAVES = 256  # of a tree, and vertices on a way from a leaf to the root


def check_count(function: str, name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """`value` as a Python integer from `least` to `most`.

    Raises
    ------
    SchemeError
        If it is no integer, or out of this range.
    """
    integer = isinstance(value, Integral) and not isinstance(value, bool)
    if not integer or value < least:
        rule = {0: "a non-negative integer", 1: "a positive integer"}.get(least, f"an integer of at least {least}")
        raise SchemeError(f"{function}: '{name}' must be {rule}, got {value!r:.60}")
    if most is not None and value > most:
        raise SchemeError(f"{function}: '{name}' must be at most {most}, got {value!r:.20}")
    return int(value)


def check_list(function: str, name: str, values: Any, words: str) -> tuple[Any, ...]:
    """`values` as a tuple; a text and a mapping are no lists of anything.

    Raises
    ------
    SchemeError
        If they are no list of `words`.
    """
    try:
        found = None if isinstance(values, str | bytes | Mapping) else tuple(values)
    except TypeError:
        found = None
    if found is None:
        raise SchemeError(f"{function}: '{name}' must be a list of {words}, got {values!r:.60}")
    return found


def check_cutoff(function: str, value: Any) -> int | Fraction | None:
    """Largest degree of a bond, as an exact number; None: no bound.

    Raises
    ------
    IrrepsError
        If it is no degree.
    """
    if value is None:
        return None
    found = as_rational(value)
    if found is None:
        raise IrrepsError(f"{function}: 'bond_cutoff' must be a degree or None, got {value!r:.60}")
    return found.numerator if found.denominator == 1 else found
