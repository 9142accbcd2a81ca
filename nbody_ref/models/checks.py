"""Checks of fields that descriptions of models share, in terms of `nbody_ref.checks`."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

import numpy as np

from nbody_ref.checks import check_kind, check_number, set_fields
from nbody_ref.checks import check_species as checked
from nbody_ref.errors import ArgumentError
from nbody_ref.ops.activation import Activation, activation

__all__ = ["check_numbers", "check_radial_activation", "check_species"]


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


def check_radial_activation(spec: Any, field: str) -> None:
    """The function between the layers of a radial perceptron: zero at zero, so that what vanishes at the cutoff stays.

    Raises
    ------
    ArgumentError
        If it is none, or the energy would jump at the cutoff.
    """
    found, name = getattr(spec, field), type(spec).__name__
    check_kind(name, field, found, Activation, "an Activation")
    if found.name == "reciprocal" or activation(np.zeros(1), found)[0] != 0:
        rule = "zero at zero, or the energy jumps at the cutoff"
        raise ArgumentError(f"{name}: '{field}' must be {rule}, got {found.name!r}")
