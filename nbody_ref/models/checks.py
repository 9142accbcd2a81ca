"""Checks that the descriptions of models share: what a field must be, and plain Python numbers in every field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isnan
from numbers import Real
from typing import Any

from nbody_ref.errors import GeometryError, IrrepsError, NBodyRefError
from nbody_ref.irreps import check_integer

__all__ = ["check_flags", "check_integers", "check_numbers", "check_species", "check_words"]


def check_species(spec: Any) -> None:
    """Distinct atomic numbers, at least one, as a tuple of Python integers.

    Raises
    ------
    NBodyRefError
        If they are not.
    """
    name = type(spec).__name__
    try:
        species = tuple(check_integer(name, "species", z, 1) for z in spec.species)
    except (TypeError, IrrepsError):
        species = ()
    if not species or len(set(species)) != len(species):
        raise NBodyRefError(f"{name}: 'species' must be distinct atomic numbers, at least one, got {spec.species!r}")
    object.__setattr__(spec, "species", species)


def check_integers(spec: Any, least: Mapping[str, int], lists: Iterable[str] = ()) -> None:
    """Fields that are integers of at least the given values; those of `lists` are tuples of them.

    Raises
    ------
    IrrepsError
        If one is not.
    """
    name = type(spec).__name__
    for field, smallest in least.items():
        value = getattr(spec, field)
        if field in lists:
            if not isinstance(value, tuple | list):
                raise IrrepsError(f"{name}: '{field}' must be a tuple of integers, got {value!r}")
            found: Any = tuple(check_integer(name, field, v, smallest) for v in value)
        else:
            found = check_integer(name, field, value, smallest)
        object.__setattr__(spec, field, found)


def check_numbers(spec: Any, fields: Iterable[str], positive: Iterable[str] = (), infinite: Iterable[str] = ()) -> None:
    """Fields that are real and finite; those of `positive` greater than zero; those of `infinite` may be infinite.

    Raises
    ------
    GeometryError
        If one is not.
    """
    for field in (*fields, *positive):
        value = getattr(spec, field)
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else float("nan")
        wrong = isnan(number) or (abs(number) == float("inf") and field not in infinite)
        if wrong or (field in positive and not number > 0):
            rule = "positive" if field in positive else "finite"
            raise GeometryError(f"{type(spec).__name__}: '{field}' must be a {rule} number, got {value!r}")
        object.__setattr__(spec, field, number)


def check_words(spec: Any, words: Mapping[str, tuple[str, ...]]) -> None:
    """Fields that are one of a few words.

    Raises
    ------
    NBodyRefError
        If one is not.
    """
    for field, allowed in words.items():
        value = getattr(spec, field)
        if not isinstance(value, str) or value not in allowed:
            came = f"{', '.join(allowed)}, got {value!r}"
            raise NBodyRefError(f"{type(spec).__name__}: '{field}' must be one of {came}")


def check_flags(spec: Any, fields: Iterable[str]) -> None:
    """Fields that are True or False.

    Raises
    ------
    NBodyRefError
        If one is not.
    """
    for field in fields:
        if not isinstance(getattr(spec, field), bool):
            value = getattr(spec, field)
            raise NBodyRefError(f"{type(spec).__name__}: '{field}' must be True or False, got {value!r}")
