"""Checks of fields of frozen dataclasses: the rules of `nbody_ref.checks`, several fields at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbody_ref.checks import LARGEST, check_flag, check_integer, check_kind, check_list, check_word, set_fields
from nbody_ref.errors import ArgumentError
from nbody_ref.irreps import Irrep
from nbody_ref.ops.radial import Radial
from nbody_ref.tables import check_normalization

__all__ = ["check_flags", "check_harmonics", "check_integers", "check_irreps", "check_parts", "check_words"]


def check_integers(
    term: Any, least: Mapping[str, int], optional: Iterable[str] = (), lists: Iterable[str] = ()
) -> None:
    """Fields that are integers from the given values to a million.

    Those of `optional` may be None, those of `lists` are tuples of such integers.

    Raises
    ------
    ArgumentError
        If one is not.
    """
    for field, smallest in least.items():
        check = _integers if field in lists else check_integer
        if field not in optional or getattr(term, field) is not None:
            set_fields(term, check, field, least=smallest, most=LARGEST)


def check_words(term: Any, words: Mapping[str, tuple[str, ...]]) -> None:
    """Fields that are one of a few words.

    Raises
    ------
    ArgumentError
        If one is not.
    """
    for field, allowed in words.items():
        set_fields(term, check_word, field, words=allowed)


def check_flags(term: Any, *fields: str) -> None:
    """Fields that are True or False.

    Raises
    ------
    ArgumentError
        If one is not.
    """
    set_fields(term, check_flag, *fields)


def check_irreps(term: Any, field: str, needed: bool = False) -> None:
    """A field that lists irreps, each once, as a tuple of texts; None unless it is `needed`.

    Raises
    ------
    ArgumentError
        If it is no tuple, an entry occurs twice, or none is there and it is needed.
    IrrepsError
        If an entry is no irrep.
    """
    name, value = type(term).__name__, getattr(term, field)
    if value is None and not needed:
        return
    if not isinstance(value, tuple | list) or (needed and not value):
        raise ArgumentError(f"{name}: '{field}' must be a tuple of irreps such as ('0e', '1o'), got {value!r}")
    found = tuple(str(Irrep.parse(irrep)) for irrep in value)
    if len(set(found)) < len(found):
        raise ArgumentError(f"{name}: '{field}' must name each irrep once, got {value!r}")
    object.__setattr__(term, field, found)


def check_harmonics(term: Any) -> None:
    """The fields ``radial``, ``lmax``, ``degrees`` and ``normalization`` of functions of a direction and a distance.

    `degrees` is None, or a tuple of degrees up to `lmax`, at least one.

    Raises
    ------
    ArgumentError
        If one is not what it must be.
    """
    name = type(term).__name__
    check_kind(name, "radial", term.radial, Radial, "radial functions such as Bessel(8, 5.0)")
    check_integers(term, {"lmax": 0})
    if term.degrees is not None:
        set_fields(term, _integers, "degrees", least=0, most=LARGEST)
        if not term.degrees or max(term.degrees) > term.lmax:
            raise ArgumentError(f"{name}: 'degrees' must lie in 0..{term.lmax}, at least one, got {term.degrees}")
    check_normalization(name, term.normalization)


def check_parts(term: Any, field: str, kind: Any, words: str, least: int = 1, most: int | None = None) -> None:
    """A field that is a tuple of things of a class, from `least` to `most` of them.

    Raises
    ------
    ArgumentError
        If it is not.
    """
    name = type(term).__name__
    set_fields(term, check_list, field, words=words, least=least, most=most)
    for part in getattr(term, field):
        check_kind(name, field, part, kind, f"a tuple of {words}")


def _integers(function: str, name: str, value: Any, **limits: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple | list):
        raise ArgumentError(f"{function}: '{name}' must be a tuple of integers, got {value!r}")
    return tuple(check_integer(function, name, part, **limits) for part in value)
