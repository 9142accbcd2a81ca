"""Correct rounding to four formats, and correctly rounded tables: docs/accuracy.md, decided in rationals."""

from __future__ import annotations

import math
import random
import struct
import sys
from collections.abc import Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main
from _judge import of_surd

from nbody_ref import clebsch_gordan, exact
from nbody_ref.exact import Surd, round_fraction
from nbody_ref.exact.harmonics import round_over_root_4pi
from nbody_ref.tables import harmonic_table

Array = np.ndarray[Any, Any]
FORMATS = {
    "float64": (53, -1022, 1023),
    "float32": (24, -126, 127),
    "float16": (11, -14, 15),
    "bfloat16": (8, -126, 127),
}


def grid(value: Fraction, fmt: str) -> tuple[Fraction, Fraction]:
    """Spacing of the format at |value|, and its largest finite number."""
    bits, low, high = FORMATS[fmt]
    exponent = low
    if value:
        size = abs(value)
        exponent = size.numerator.bit_length() - size.denominator.bit_length()
        exponent += 1 if size >= Fraction(2) ** (exponent + 1) else 0
        exponent -= 1 if size < Fraction(2) ** exponent else 0
    return Fraction(2) ** (max(exponent, low) - bits + 1), (2 - Fraction(2) ** (1 - bits)) * Fraction(2) ** high


def compare(square: Fraction, value: Fraction) -> int:
    """Sign of sqrt(square) - value for value >= 0."""
    return (square > value * value) - (square < value * value)


def misrounded(found: float, sign: int, square: Fraction, fmt: str) -> int:
    """0 if `found` is sign sqrt(square) rounded to nearest, ties to even, in the format."""
    if square == 0:
        return 0 if found == 0 else 1
    if math.isinf(found):
        top = grid(Fraction(1), fmt)[1]
        return 0 if (found > 0) == (sign > 0) and compare(square, top + grid(top, fmt)[0] / 2) >= 0 else 1
    size = Fraction(abs(found))
    up = grid(size, fmt)[0]
    if (size / up).denominator != 1 or size > grid(size, fmt)[1] or (size and (found > 0) != (sign > 0)):
        return 1  # no number of the format, or the wrong sign
    down = (
        up / 2 if size and size == Fraction(2) ** (size.numerator.bit_length() - size.denominator.bit_length()) else up
    )
    down = max(down, grid(Fraction(0), fmt)[0])
    high, low = compare(square, size + up / 2), compare(square, size - down / 2) if size else 1
    even = (size / up) % 2 == 0
    return 0 if (high < 0 or (high == 0 and even)) and (low > 0 or (low == 0 and even)) else 1


def twice(value: float, fmt: str) -> float:
    """A float64 rounded once more, to a smaller format."""
    if fmt == "float64":
        return value
    with np.errstate(over="ignore"):
        if fmt != "bfloat16":
            return float(np.dtype(fmt).type(value))
        bits = struct.unpack("<I", struct.pack("<f", np.float32(value)))[0]
        bits += 0x7FFF + ((bits >> 16) & 1)
        return struct.unpack("<f", struct.pack("<I", bits & 0xFFFF0000))[0]


def hard_fractions(full: bool) -> Iterator[Fraction]:
    """Random rationals, ties, near-ties that catch a second rounding, subnormals, the edge of overflow."""
    rng = random.Random(20)
    for bits, low, high in FORMATS.values():
        one = Fraction(2) ** (1 - bits)
        for k in (0, 1, 2, 3):
            tie = 1 + (2 * k + 1) * one / 2
            for tiny in (Fraction(0), Fraction(1, 2**60), -Fraction(1, 2**60), Fraction(1, 2**90)):
                yield tie + tiny
                yield -(tie + tiny) * Fraction(2) ** (low + 3)
                yield (tie + tiny) * Fraction(2) ** (low - bits + 3)
        top = (2 - one) * Fraction(2) ** high
        yield from (top, top + one * Fraction(2) ** (high - 1), top + one * Fraction(2) ** (high - 2), top * 2)
        yield from (
            Fraction(2) ** (low - bits + 1),
            Fraction(2) ** (low - bits),
            Fraction(3) * Fraction(2) ** (low - bits - 1),
        )
    for _ in range(3000 if full else 200):
        yield Fraction(rng.randrange(-(2**70), 2**70), rng.randrange(1, 2**70)) * Fraction(2) ** rng.randrange(
            -160, 130
        )


@claim(
    "8.1",
    "docs/accuracy.md",
    "rationals rounded correctly to float64, float32, float16, bfloat16: ties, subnormals, overflow",
    "comparison with the midpoints in rationals",
    {"round": round_fraction},
    {
        "rounded twice": {"round": lambda value, fmt: twice(round_fraction(value), fmt)},
        "ties away from zero": {"round": lambda value, fmt: round_fraction(value * (1 + Fraction(1, 2**200)), fmt)},
        "truncated": {
            "round": lambda value, fmt: round_fraction(value - value * Fraction(2) ** (-FORMATS[fmt][0] - 1), fmt)
        },
    },
)
def rationals(subject: SimpleNamespace, full: bool) -> Cases:
    for value in hard_fractions(full):
        for fmt in FORMATS:
            sign = (value > 0) - (value < 0)
            yield (value, fmt), misrounded(subject.round(value, fmt), sign, value * value, fmt)


def hard_surds(full: bool) -> Iterator[Surd]:
    """Random surds and surds next to a tie of every format."""
    rng = random.Random(21)
    for bits, low, _ in FORMATS.values():
        for k in (0, 1, 5):
            tie = 1 + (2 * k + 1) * Fraction(2) ** -bits
            for tiny in (Fraction(0), Fraction(1, 2**70), -Fraction(1, 2**70)):
                square = (tie * tie + tiny) * Fraction(4) ** rng.choice([0, -3, low - bits // 2])
                yield Surd(1, square.numerator, square.denominator)
    for _ in range(2000 if full else 200):
        yield Surd(rng.choice([-1, 1]), rng.randrange(1, 2**90), rng.randrange(1, 2**90))


@claim(
    "8.2",
    "docs/accuracy.md",
    "surds rounded correctly to the four formats, never by way of float64",
    "squares compared with squared midpoints",
    {"round": Surd.round},
    {
        "rounded twice": {"round": lambda value, fmt: twice(value.round("float64"), fmt)},
        "square root of a rounded ratio": {
            "round": lambda value, fmt: twice(value.sign * math.sqrt(value.p / value.q), fmt)
        },
    },
)
def surds(subject: SimpleNamespace, full: bool) -> Cases:
    for value in hard_surds(full):
        for fmt in FORMATS:
            yield (value, fmt), misrounded(subject.round(value, fmt), *of_surd(value), fmt)


@claim(
    "8.3",
    "docs/accuracy.md",
    "every entry of the coupling tables, both gauges, float64 and float32, all triples l <= 8",
    "squares compared with squared midpoints",
    {"table": clebsch_gordan},
    {
        "last bit of the largest entry": {"table": lambda *a: nudged(clebsch_gordan(*a))},
        "float32 in place of float64": {
            "table": lambda l1, l2, l, basis, dtype: clebsch_gordan(l1, l2, l, basis, np.float32)
        },
    },
)
def tables(subject: SimpleNamespace, full: bool) -> Cases:
    for l1, l2, l in exact.triples(8 if full else 3):
        for basis, source in (("real", exact.cg_table_real), ("complex", exact.cg_table)):
            truth = {(a + l1, b + l2, c + l): of_surd(v) for a, b, c, v in source(l1, l2, l)}
            for dtype in (np.float64, np.float32):
                table = subject.table(l1, l2, l, basis, dtype)
                wrong = np.count_nonzero(table) - len(truth)
                for key, (sign, square) in truth.items():
                    wrong += misrounded(float(table[key]), sign, square, np.dtype(dtype).name)
                yield (l1, l2, l, basis, np.dtype(dtype).name), wrong


def as_tables(D: Any) -> Iterator[Surd]:
    """Real and imaginary parts of a matrix."""
    for row in D:
        for entry in row:
            yield from entry


@claim(
    "8.9",
    "docs/accuracy.md",
    "every coupling, both gauges, l <= 6, every Re and Im of D at rational quaternions, l <= 8: four formats",
    "squares compared with squared midpoints",
    {"round": Surd.round},
    {
        "rounded twice": {"round": lambda value, fmt: twice(value.round("float32"), fmt)},
        "truncated": {"round": lambda value, fmt: value.round(fmt) * (1 - 2.0 ** -FORMATS[fmt][0])},
    },
)
def four_formats(subject: SimpleNamespace, full: bool) -> Cases:
    values: set[Surd] = set()
    for l1, l2, l in exact.triples(6 if full else 2):
        values.update(v for table in (exact.cg_table, exact.cg_table_real) for *_, v in table(l1, l2, l))
    for q in ((1, 2, 3, 4), (2, -1, 0, 5), (0, 1, 1, 0)):
        for l in range(9 if full else 3):
            values.update(as_tables(exact.wigner_D(l, q)))
    for value in sorted(values, key=lambda v: (v.sign, v.p, v.q)):
        for fmt in FORMATS:
            yield (value, fmt), misrounded(subject.round(value, fmt), *of_surd(value), fmt)


def nudged(table: Array) -> Array:
    """Planted: one entry off by a unit in the last place."""
    found = table.copy()
    k = np.argmax(np.abs(found))
    found.flat[k] = np.nextafter(found.flat[k], found.dtype.type(0))
    return found


@claim(
    "8.4",
    "docs/derivations/harmonics.md",
    "constants of the harmonics over sqrt(4 pi), correctly rounded, four formats",
    "mpmath.iv, 300 bits",
    {"round": round_over_root_4pi},
    {"rounded twice": {"round": lambda value, fmt: twice(value.round("float64") / math.sqrt(4 * math.pi), fmt)}},
)
def over_pi(subject: SimpleNamespace, full: bool) -> Cases:
    rng = random.Random(22)
    mpmath.iv.prec = 300
    for _ in range(2000 if full else 300):
        value = Surd(rng.choice([-1, 1]), rng.randrange(1, 2**40), rng.randrange(1, 2**40))
        enclosure = mpmath.iv.mpf(value.p) / value.q / (4 * mpmath.iv.pi)
        ends = [ends_of(end) for end in (enclosure.a, enclosure.b)]
        for fmt in FORMATS:
            found = subject.round(value, fmt)
            yield (value, fmt), sum(misrounded(found, value.sign, end, fmt) for end in ends)


def ends_of(end: Any) -> Fraction:
    """One end of an interval as a rational."""
    _, man, exp, _ = end._mpi_[0]
    return Fraction(int(man)) * Fraction(2) ** exp


@claim(
    "8.5",
    "docs/derivations/harmonics.md",
    "the recursion table of the harmonics, correctly rounded, l <= 16, two formats",
    "closed formulas of the page",
    {"table": harmonic_table},
    {"last bit": {"table": lambda *a: harmonic_table(*a)._replace(a=nudged(harmonic_table(*a).a))}},
)
def recursion_table(subject: SimpleNamespace, full: bool) -> Cases:
    lmax = 16 if full else 5
    for dtype in ("float64", "float32"):
        for normalization in ("norm", "component"):
            table = subject.table(lmax, normalization, np.dtype(dtype).type)
            w = (lambda l: 1) if normalization == "norm" else (lambda l: 2 * l + 1)
            k = 0
            for m in range(lmax + 1):
                factors = (Fraction(2 * i - 1, 2 * i) for i in range(1, m + 1))
                diagonal = Fraction(2 if m else 1) * w(m) * math.prod(factors, start=Fraction(1))
                yield (dtype, normalization, m), misrounded(float(table.diagonal[m]), 1, diagonal, dtype)
                for l in range(m + 1, lmax + 1):
                    low = (l - m) * (l + m)
                    a = Fraction((2 * l - 1) ** 2 * w(l), low * w(l - 1))
                    b = Fraction(((l - 1) ** 2 - m * m) * w(l), low * w(l - 2)) if l > m + 1 else Fraction(0)
                    yield (dtype, normalization, l, m, "a"), misrounded(float(table.a[k]), 1, a, dtype)
                    yield (dtype, normalization, l, m, "b"), misrounded(float(table.b[k]), -1, b, dtype)
                    k += 1


if __name__ == "__main__":
    sys.exit(main())
