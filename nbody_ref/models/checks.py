"""Checks of fields that only descriptions of models have, beside those of `nbody_ref.gates.fields`."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan
from numbers import Real
from typing import Any

from nbody_ref.errors import GeometryError, IrrepsError, NBodyRefError
from nbody_ref.irreps import check_integer

__all__ = ["check_numbers", "check_species"]


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
