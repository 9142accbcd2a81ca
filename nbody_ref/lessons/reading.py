"""How an answer is read: numbers, arrays, types, words and functions become a shape and a flat tuple of plain values.

Whatever a learner hands in, a list, an array, a text such as ``"-sqrt(3/20)"``, is brought to one form before it is
compared. What cannot be read raises `Unreadable`, whose message is the hint. The standard library is enough.
"""

from __future__ import annotations

import cmath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any, Protocol

from nbody_ref.errors import IrrepsError
from nbody_ref.irreps import Irreps

__all__ = ["Arrays", "Degrees", "Function", "Kind", "Number", "Reading", "Unreadable", "Words", "as_number", "nested"]

MOST = 20_000  # numbers in an answer
SURD = re.compile(r"([+-]?)\s*(?:(\d+(?:/\d+)?)\s*\*\s*)?(sqrt)?\s*\(?\s*(\d+(?:\.\d+)?)(?:\s*/\s*(\d+))?\s*\)?")


class Unreadable(Exception):
    """An answer of another form than the question asks for; the message says which form that is."""


@dataclass(frozen=True)
class Reading:
    """An answer in plain form: the shape of what came, and its values in order."""

    shape: tuple[int, ...]
    values: tuple[Any, ...]


class Kind(Protocol):
    """What an exercise knows about the form of its answer."""

    @property
    def tolerance(self) -> float:
        """Largest difference of a right answer, relative to its largest number."""
        ...

    def read(self, answer: Any) -> Reading:
        """Bring an answer to plain form, or raise `Unreadable`."""
        ...


def as_number(value: Any) -> complex:
    """A number of any kind as a complex one: of Python, of NumPy, a surd, a Gaussian number, or a text.

    Examples
    --------
    >>> as_number("-sqrt(1/4)"), as_number("3/4")
    ((-0.5+0j), (0.75+0j))
    """
    if isinstance(value, bool) or value is None:
        raise Unreadable(f"a number is asked for, got {value!r}")
    if isinstance(value, str):
        return _text_number(value)
    found = value.item() if hasattr(value, "item") and getattr(value, "size", 0) == 1 else value
    try:
        number = complex(float(found)) if not hasattr(found, "__complex__") else complex(found)
    except (TypeError, ValueError, OverflowError) as error:
        raise Unreadable(f"a number is asked for, got {_short(value)}") from error
    if not cmath.isfinite(number):
        raise Unreadable(f"a finite number is asked for, got {number.real if number.imag == 0 else number}")
    return number


def _text_number(text: str) -> complex:
    match = SURD.fullmatch(text.strip())
    if not match or (match[5] and int(match[5]) == 0):
        raise Unreadable(f"a number such as 0.5, '3/4' or '-sqrt(3/20)' is asked for, got {_short(text)}")
    sign, factor, root, above, below = match.groups()
    value = float(Fraction(above) / Fraction(below or 1))
    value = value**0.5 if root else value
    return complex((-1 if sign == "-" else 1) * float(Fraction(factor or 1)) * value)


def nested(answer: Any) -> Reading:
    """Shape and values of nested sequences or of an array of any library.

    Raises
    ------
    Unreadable
        If rows have different lengths, there are too many numbers, or something is none.
    """
    if getattr(answer, "size", 0) > MOST:
        raise Unreadable(f"at most {MOST} numbers can be read, got {answer.size}")
    plain = answer.tolist() if hasattr(answer, "tolist") else answer
    if isinstance(plain, (str, bytes)) or not isinstance(plain, (list, tuple)):
        return Reading((), (as_number(plain),))
    if len(plain) > MOST:
        raise Unreadable(f"at most {MOST} numbers can be read, got {len(plain)} rows")
    rows = [nested(row) for row in plain]
    shapes = {row.shape for row in rows}
    if len(shapes) > 1:
        raise Unreadable(f"all rows must have one shape, got {sorted(shapes)}")
    values = tuple(value for row in rows for value in row.values)
    if len(values) > MOST:
        raise Unreadable(f"at most {MOST} numbers can be read, got {len(values)}")
    return Reading((len(rows), *(rows[0].shape if rows else ())), values)


@dataclass(frozen=True)
class Number:
    """One number; decimals to four digits are enough, fractions and roots may be given as texts."""

    tolerance: float = 5e-4

    def read(self, answer: Any) -> Reading:
        """One number, also as an array of one element."""
        return Reading((), (as_number(answer),))


@dataclass(frozen=True)
class Arrays:
    """Numbers in rows and columns."""

    shape: tuple[int, ...]
    tolerance: float = 5e-4

    def read(self, answer: Any) -> Reading:
        """Nested sequences or an array; an array of texts is read text by text."""
        found = nested(answer)
        if not found.shape and self.shape:
            raise Unreadable(f"an array of shape {self.shape} is asked for, got a single number")
        return found


@dataclass(frozen=True)
class Degrees:
    """A type: how many fragments of each irrep, as `Irreps`, as text, or as counts for l = 0, 1, 2, ..."""

    parity: bool = True
    tolerance: float = 0.0

    def read(self, answer: Any) -> Reading:
        """Counts by degree and parity, sorted; the order of the parts is no matter here."""
        if isinstance(answer, (list, tuple)) or hasattr(answer, "tolist"):
            counts = nested(answer)
            if len(counts.shape) != 1 or any(v.imag or v.real != int(v.real) or v.real < 0 for v in counts.values):
                raise Unreadable(f"counts for l = 0, 1, 2, ... are asked for, got {_short(answer)}")
            found: dict[tuple[int, int | None], int] = {(l, None): int(v.real) for l, v in enumerate(counts.values)}
        else:
            try:
                found = {}
                for mul, irrep in Irreps(answer if isinstance(answer, (str, Irreps)) else str(answer)):
                    found[irrep.l, irrep.p] = found.get((irrep.l, irrep.p), 0) + mul
            except (IrrepsError, TypeError) as error:
                raise Unreadable(f"a type such as '2x0e + 1x1o' is asked for, got {_short(answer)}") from error
        if self.parity and any(p is None for _, p in found):
            raise Unreadable("a type with parity letters is asked for, such as '2x0e + 1x1o'")
        kept = {(l, p if self.parity else 0): count for (l, p), count in found.items() if count}
        length = max((l for l, _ in kept), default=-1) + 1
        return Reading((length,), tuple(sorted(kept.items())))


@dataclass(frozen=True)
class Words:
    """Some of several words, in any order."""

    allowed: tuple[str, ...]
    tolerance: float = 0.0

    def read(self, answer: Any) -> Reading:
        """A word or a collection of words."""
        if isinstance(answer, str):
            answer = [answer] if answer.strip() in self.allowed else answer.split(",")
        if not isinstance(answer, Iterable):
            raise Unreadable(f"some of {', '.join(self.allowed)} are asked for, got {_short(answer)}")
        chosen = {word.strip() if isinstance(word, str) else str(word) for word in islice(answer, 100)}
        unknown = sorted(chosen - set(self.allowed))
        if unknown:
            raise Unreadable(f"some of {', '.join(self.allowed)} are asked for, got {_short(', '.join(unknown))}")
        return Reading((len(chosen),), tuple(sorted(chosen)))


@dataclass(frozen=True)
class Function:
    """A function, called on `inputs`; its values are compared, all outputs of one call side by side.

    Parameters
    ----------
    signature : str
        What it takes and returns, for hints.
    inputs : callable () -> sequence of argument tuples
    """

    signature: str
    inputs: Callable[[], Sequence[tuple[Any, ...]]]
    tolerance: float = 1e-9

    def read(self, answer: Any) -> Reading:
        """Values on all inputs; what the function raises becomes the hint."""
        if not callable(answer):
            raise Unreadable(f"a function {self.signature} is asked for, got {_short(answer)}")
        calls = []
        for arguments in self.inputs():
            try:
                value = answer(*arguments)
            except Exception as error:  # whatever a learner's function does wrong is told, not raised
                raise Unreadable(f"your function raised {type(error).__name__}: {_short(str(error), 200)}") from None
            parts = value if isinstance(value, tuple) else (value,)
            calls.append([nested(part) for part in parts])
        shape = tuple(size for part in calls[0] for size in (*part.shape, -1))
        return Reading(shape, tuple(value for call in calls for part in call for value in part.values))


def _short(value: Any, length: int = 60) -> str:
    try:
        text = repr(value)
    except Exception:  # the repr of a stranger's object may do anything
        text = f"an object of type {type(value).__name__}"
    return text if len(text) <= length else text[: length - 3] + "..."
