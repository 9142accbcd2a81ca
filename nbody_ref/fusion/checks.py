"""Checks that only the doors of fusion share: how large a tree may be, and cutoffs of bonds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from nbody_ref.errors import ArgumentError
from nbody_ref.exact.ring import as_rational

__all__ = ["MOST_LEAVES", "check_cutoff"]

MOST_LEAVES = 256  # of a tree, and vertices on a way from a leaf to the root


def check_cutoff(function: str, value: Any) -> int | Fraction | None:
    """Largest degree of a bond, as an exact number; None: no bound.

    Raises
    ------
    ArgumentError
        If it is no degree.
    """
    if value is None:
        return None
    found = as_rational(value)
    if found is None:
        raise ArgumentError(f"{function}: 'bond_cutoff' must be a degree or None, got {value!r:.60}")
    return found.numerator if found.denominator == 1 else found
