"""Exercises that check themselves: a question, the answer by an exact route, and the usual slips with their hints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any, NamedTuple

from nbody_ref.lessons.reading import Kind, Reading, Unreadable

__all__ = ["Exercise", "Result", "Slip"]

CONSTANTS = {
    "2": 2.0,
    "3": 3.0,
    "4": 4.0,
    "sqrt(2)": 2**0.5,
    "sqrt(3)": 3**0.5,
    "sqrt(5)": 5**0.5,
    "sqrt(7)": 7**0.5,
    "sqrt(4 pi)": 12.566370614359172**0.5,
}


class Slip(NamedTuple):
    """A wrong answer that is often given: what causes it, the answer, and what to look at."""

    cause: str
    answer: Any
    advice: str


@dataclass(frozen=True)
class Result:
    """What `check` says of an answer.

    Parameters
    ----------
    name : str
    ok : bool
    hint : str
        Empty for a right answer, else the cause of the mistake as far as it shows, and where to look.
    """

    name: str
    ok: bool
    hint: str = ""

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return f"{self.name}: right" if self.ok else f"{self.name}: not yet. {self.hint}"

    __repr__ = __str__


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lesson.

    Parameters
    ----------
    name : str
        Lesson and number, such as "4.2".
    question : str
    kind : Kind
        How an answer is read and compared.
    solve : callable () -> answer
        The answer, from the exact layer and by another route than the lesson's.
    slips : tuple of Slip
        Wrong answers with their causes.
    """

    name: str
    question: str
    kind: Kind
    solve: Callable[[], Any]
    slips: tuple[Slip, ...]

    def answer(self) -> Any:
        """The right answer, in a form that `check` takes."""
        return self.solve()

    @property
    def wrong(self) -> tuple[tuple[Any, str], ...]:
        """Pairs (wrong answer, its cause)."""
        return tuple((slip.answer, slip.cause) for slip in self.slips)

    @cached_property
    def _right(self) -> Reading:
        return self.kind.read(self.solve())

    def check(self, answer: Any) -> Result:
        """Whether `answer` is right, and what is wrong with it if not; never raises because of `answer`."""
        try:
            given = self.kind.read(answer)
        except Unreadable as error:
            return Result(self.name, False, f"not readable: {error}")
        except Exception as error:  # objects of a stranger may raise anything when they are looked at
            return Result(self.name, False, f"not readable: looking at the answer raised {type(error).__name__}")
        right = self._right
        if same(given, right, self.kind.tolerance):
            return Result(self.name, True)
        for slip in self.slips:
            if same(given, self.kind.read(slip.answer), self.kind.tolerance):
                return Result(self.name, False, f"{slip.cause}: {slip.advice}")
        return Result(self.name, False, next(diagnoses(given, right, self.kind.tolerance)))


def same(a: Reading, b: Reading, tolerance: float) -> bool:
    """Whether two readings agree: words and counts exactly, numbers up to `tolerance` times the largest of `b`."""
    if a.shape != b.shape or len(a.values) != len(b.values):
        return False
    if not a.values or not isinstance(b.values[0], complex) or not isinstance(a.values[0], complex):
        return a.values == b.values
    size = max(abs(value) for value in b.values)
    return all(abs(x - y) <= tolerance * (size or 1.0) for x, y in zip(a.values, b.values))


def diagnoses(given: Reading, right: Reading, tolerance: float) -> Iterator[str]:
    """What may be wrong with an answer that is no known slip, by class of error; the last is always something."""
    if right.values and isinstance(right.values[0], complex):
        yield from _of_numbers(given, right, tolerance)
    elif given.shape != right.shape:
        missing = len(given.values) < len(right.values)
        yield f"length: something is {'missing' if missing else 'too much'}, {len(given.values)} entries were read"
    yield "not the right answer, and none of the usual slips either: work the smallest case by hand and compare"


def _of_numbers(given: Reading, right: Reading, tolerance: float) -> Iterator[str]:
    if len(given.shape) == len(right.shape) == 2 and given.shape[::-1] == right.shape:
        for conjugate, name in ((False, "transposed"), (True, "transposed and conjugated")):
            if same(_transposed(given, conjugate), right, tolerance):
                yield f"{name}: rows and columns are exchanged; which index is summed with the state?"
    if given.shape != right.shape:
        if len(given.shape) == 1 and abs(given.shape[0] - right.shape[0]) == 1:
            yield f"length: {given.shape[0]} entries; degrees run from 0 to L, which makes L + 1 of them"
        yield f"shape: {_shape(given.shape)} came; look at which axis is which"
        return
    values = given.values
    if same(Reading(right.shape, tuple(v.conjugate() for v in values)), right, tolerance):
        yield "conjugated: every imaginary part has the other sign; Y turns with the conjugate of D, conj(Y) with D"
    for sign, word in ((1, ""), (-1, "sign and ")):
        for name, constant in ((("1", 1.0),) if sign < 0 else ()) + tuple(CONSTANTS.items()):
            for factor, told in ((constant, name), (1 / constant, f"1/{name}")):
                if same(Reading(right.shape, tuple(sign * v / factor for v in values)), right, tolerance):
                    yield _factor(word, told if constant != 1 else "")
    if any(same(Reading(right.shape, turned), right, tolerance) for turned in _reordered(given)):
        yield "axis order: the components are right but in another order; degree 1 is (y, z, x)"
    off = [abs(x - y) > tolerance * (max(map(abs, right.values)) or 1.0) for x, y in zip(values, right.values)]
    if 0 < sum(off) < len(off):
        yield f"partly right: {len(off) - sum(off)} of {len(off)} numbers are right; number {off.index(True)} is not"


def _reordered(given: Reading) -> Iterator[tuple[complex, ...]]:
    """Values with components of vectors in other orders: in rows, in columns, in both."""
    values, columns = given.values, given.shape[-1] if given.shape else 0
    for order in list(permutations(range(3)))[1:] if columns == 3 else []:
        rows = [values[k : k + 3] for k in range(0, len(values), 3)]
        yield tuple(row[i] for row in rows for i in order)
        if given.shape == (3, 3):
            yield tuple(x for i in order for x in rows[i])
            yield tuple(rows[i][j] for i in order for j in order)


def _factor(word: str, told: str) -> str:
    if not told:
        return "sign: every number has the other sign"
    return f"{word}factor: every number is {'minus ' if word else ''}{told} times the right one"


def _transposed(a: Reading, conjugate: bool) -> Reading:
    rows, columns = a.shape
    values = [a.values[i * columns + j] for j in range(columns) for i in range(rows)]
    return Reading((columns, rows), tuple(v.conjugate() for v in values) if conjugate else tuple(values))


def _shape(shape: tuple[int, ...]) -> str:
    return "an array of shape " + str(tuple(n for n in shape if n >= 0)) if shape else "a single number"
