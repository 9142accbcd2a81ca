"""Checks that declared terms and descriptions of models share: what a field must be, plain Python values in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from numbers import Real
from typing import Any

from nbody_ref.checks import check_integer
from nbody_ref.errors import IrrepsError
from nbody_ref.irreps import Irrep
from nbody_ref.ops.radial import Radial

__all__ = [
    "check_degrees",
    "check_flags",
    "check_integers",
    "check_irreps",
    "check_kind",
    "check_number",
    "check_parts",
    "check_radial",
    "check_words",
]

LARGEST = 1_000_000  # of any count or degree; what is larger fills the memory long before it is reached
STEEPEST = 50.0  # exponents of a million that a double still holds


def check_integers(
    term: Any, least: Mapping[str, int], optional: Iterable[str] = (), lists: Iterable[str] = ()
) -> None:
    """Fields that are integers from the given values to a million.

    Those of `optional` may be None, those of `lists` are tuples of such integers.

    Raises
    ------
    IrrepsError
        If one is not.
    """
    name = type(term).__name__
    for field, smallest in least.items():
        value = getattr(term, field)
        if value is None and field in optional:
            continue
        if field in lists and not isinstance(value, tuple | list):
            raise IrrepsError(f"{name}: '{field}' must be a tuple of integers, got {value!r}")
        values = value if field in lists else (value,)
        found = tuple(check_integer(name, field, v, smallest) for v in values)
        if max(found, default=0) > LARGEST:
            raise IrrepsError(f"{name}: '{field}' must be at most {LARGEST}, got {max(found)!r:.20}")
        object.__setattr__(term, field, found if field in lists else found[0])


def check_irreps(term: Any, field: str, needed: bool = False) -> None:
    """A field that lists irreps, each once, as a tuple of texts; None unless it is `needed`.

    Raises
    ------
    IrrepsError
        If it is no tuple, an entry is no irrep or occurs twice, or none is there and it is needed.
    """
    name, value = type(term).__name__, getattr(term, field)
    if value is None and not needed:
        return
    if not isinstance(value, tuple | list) or (needed and not value):
        raise IrrepsError(f"{name}: '{field}' must be a tuple of irreps such as ('0e', '1o'), got {value!r}")
    found = tuple(str(Irrep.parse(irrep)) for irrep in value)
    if len(set(found)) < len(found):
        raise IrrepsError(f"{name}: '{field}' must name each irrep once, got {value!r}")
    object.__setattr__(term, field, found)


def check_words(term: Any, words: Mapping[str, tuple[str, ...]]) -> None:
    """Fields that are one of a few words.

    Raises
    ------
    IrrepsError
        If one is not.
    """
    for field, allowed in words.items():
        value = getattr(term, field)
        if not isinstance(value, str) or value not in allowed:
            listed = " or ".join(repr(word) for word in allowed)
            raise IrrepsError(f"{type(term).__name__}: '{field}' must be {listed}, got {value!r}")
        object.__setattr__(term, field, str(value))


def check_flags(term: Any, *fields: str) -> None:
    """Fields that are True or False.

    Raises
    ------
    IrrepsError
        If one is not.
    """
    for field in fields:
        if not isinstance(getattr(term, field), bool):
            came = repr(getattr(term, field))
            raise IrrepsError(f"{type(term).__name__}: '{field}' must be True or False, got {came}")


def check_number(term: Any, field: str) -> None:
    """A field that is an exponent: a real number between -50 and 50.

    Raises
    ------
    IrrepsError
        If it is not.
    """
    value = getattr(term, field)
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else float("nan")
    if not (isfinite(number) and abs(number) <= STEEPEST):
        rule = f"a number from {-STEEPEST:g} to {STEEPEST:g}"
        raise IrrepsError(f"{type(term).__name__}: '{field}' must be {rule}, got {value!r:.40}")
    object.__setattr__(term, field, number)


def check_degrees(term: Any) -> None:
    """The fields ``lmax`` and ``degrees``: a degree, and None or a tuple of degrees up to it, at least one.

    Raises
    ------
    IrrepsError
        If they are not.
    """
    check_integers(term, {"lmax": 0})
    name, value = type(term).__name__, term.degrees
    if value is None:
        return
    if not isinstance(value, tuple | list):
        raise IrrepsError(f"{name}: 'degrees' must be a tuple of degrees or None, got {value!r}")
    found = tuple(check_integer(name, "degrees", degree) for degree in value)
    if not found or max(found) > term.lmax:
        raise IrrepsError(f"{name}: 'degrees' must lie in 0..{term.lmax}, at least one, got {value}")
    object.__setattr__(term, "degrees", found)


def check_radial(term: Any) -> None:
    """The field ``radial``: radial functions.

    Raises
    ------
    IrrepsError
        If it is none.
    """
    check_kind(term, "radial", Radial, "radial functions such as Bessel(8, 5.0)")


def check_kind(term: Any, field: str, kind: Any, words: str) -> None:
    """A field that is of a class, which `words` describe.

    Raises
    ------
    IrrepsError
        If it is not.
    """
    if not isinstance(getattr(term, field), kind):
        raise IrrepsError(f"{type(term).__name__}: '{field}' must be {words}, got {getattr(term, field)!r}")


def check_parts(term: Any, field: str, kind: Any, words: str, least: int = 1, most: int = LARGEST) -> None:
    """A field that is a tuple of things of a class, from `least` to `most` of them.

    Raises
    ------
    IrrepsError
        If it is not.
    """
    name, value = type(term).__name__, getattr(term, field)
    if not isinstance(value, tuple | list) or not all(isinstance(part, kind) for part in value):
        raise IrrepsError(f"{name}: '{field}' must be a tuple of {words}, got {value!r}")
    if not least <= len(value) <= most:
        rule = f"{least} to {most}" if most < LARGEST else f"at least {least}" if least > 1 else "one or more"
        raise IrrepsError(f"{name}: '{field}' must be {rule} {words}, got {len(value)}")
    object.__setattr__(term, field, tuple(value))
