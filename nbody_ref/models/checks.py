"""Checks of fields that descriptions of models share, in terms of `nbody_ref.checks`."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

from nbody_ref.checks import check_number, set_fields
from nbody_ref.checks import check_species as checked

__all__ = ["check_numbers", "check_species"]


def check_species(spec: Any) -> None:
    """The field ``species``: distinct atomic numbers, at least one, as a tuple of Python integers.

    Raises
    ------
    ArgumentError
        If they are not.
    """
    set_fields(spec, checked, "species")


def check_numbers(spec: Any, fields: Iterable[str], positive: Iterable[str] = (), infinite: Iterable[str] = ()) -> None:
    """Fields that are real and finite; those of `positive` greater than zero; those of `infinite` may be infinite.

    Raises
    ------
    ArgumentError
        If one is not.
    """
    for field in (*fields, *positive):
        above, free = field in positive, field in infinite
        words = f"a {'positive' if above else 'finite'} number"
        set_fields(
            spec,
            check_number,
            field,
            words=words,
            within=lambda x, above=above, free=free: (free or isfinite(x)) and (not above or x > 0),
        )
