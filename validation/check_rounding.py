"""Rounding and the accuracy law: docs/accuracy.md.

Truth is certified: inputs are dyadic rationals, couplings are enclosed by integers of 300 bits, and all sums are sums
of integers, so that the error of the truth itself is below 2^-200 of the bound it is compared with.
"""

from __future__ import annotations

import math
import random
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any

import _formulas
import mpmath
import numpy as np
from _claims import Cases, claim, main
from _formulas import (
    CHANNELWISE,
    EDGE_KIND,
    EDGES,
    FULL,
    KIND,
    MESSAGE,
    MIXING,
    N_RADIAL,
    PSI,
    SQUARE,
    WEIGHTS,
    A,
    B,
    Hyper,
    message_formula,
    mixing_formula,
    neighbour_formula,
    product_formula,
    weights_formula,
)
from _judge import of_surd

from nbody_ref import clebsch_gordan, exact
from nbody_ref.exact import Surd, round_fraction
from nbody_ref.exact.harmonics import round_over_root_4pi
from nbody_ref.graphs import Edges
from nbody_ref.ops import cg_product, message, mixing, neighbour_sum, radial_weights
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


BITS = 300


@cache
def coupling(l1: int, l2: int, l: int) -> Array:
    """2^BITS times the real coupling, rounded down: integers."""
    C = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1), object)
    for a, b, c, value in exact.cg_table_real(l1, l2, l):
        sign, square = of_surd(value)
        C[a + l1, b + l2, c + l] = sign * math.isqrt((square.numerator << 2 * BITS) // square.denominator)
    return C


MODE = {"absolute": False}
_formulas.coupling = lambda l1, l2, l: abs(coupling(l1, l2, l)) if MODE["absolute"] else coupling(l1, l2, l)


def integers(x: Array) -> Array:
    """2^200 times the numbers, exactly."""
    found = np.array([int(Fraction(float(v)) * 2**200) for v in x.flat], object)
    return found.reshape(x.shape)


def truth(formula: Callable[..., Hyper], arrays: Sequence[Array], couplings: int, absolute: bool) -> Array:
    """Exact value, or S, as an array of Fractions."""
    MODE["absolute"] = absolute
    whole = [abs(integers(a)) if absolute else integers(a) for a in arrays]
    found = formula(*(Hyper({0: a}) for a in whole)).parts[0]
    unit = 1 << (200 * len(arrays) + BITS * couplings)
    return np.array([Fraction(int(v), unit) for v in found.flat], object).reshape(found.shape)


def per_part(irreps: Any, k: Callable[[int], int]) -> Array:
    """k of every component of a flat state, given by part."""
    return np.concatenate([np.full(part.dim, k(i)) for i, part in enumerate(irreps)])


def degree(irreps: Any, k: int) -> int:
    """Degree of a part."""
    return irreps[k].irrep.l


def product_k(table: Any) -> Array:
    """ceil(n/2) + 4, n the largest number of terms of a component."""

    def count(p: int) -> int:
        i, j, irrep = table.paths[p]
        C = coupling(degree(table.irreps_a, i), degree(table.irreps_b, j), irrep.l)
        return -(-int((C != 0).sum(axis=(0, 1)).max()) // 2) + 4

    return per_part(table.irreps_out, count)


def mixing_k() -> Array:
    """mul/4 + mul mod 4 + 3, mul channels in all."""

    def count(p: int) -> int:
        mul = MIXING.irreps_in.count(MIXING.irreps_out[p].irrep)
        return mul // 4 + mul % 4 + 3

    return per_part(MIXING.irreps_out, count)


MESSAGE_DEGREES = [degree(PSI, part) for part, _, _ in MESSAGE.paths]
NEIGHBOURS = np.bincount(EDGES.receivers.astype(int), minlength=EDGES.n_receivers)
OPERATIONS: dict[str, Any] = {
    "message": (lambda *x: message.message(*x, EDGES, MESSAGE), message_formula,
                ((4, PSI.dim), (6, 9), (6, MESSAGE.n_weights)), 1,
                NEIGHBOURS[:, None] + per_part(MESSAGE.irreps_out, lambda p: 2 * MESSAGE_DEGREES[p] + 5)),
    "cg_product, full": (lambda *x: cg_product.cg_product(*x, FULL), product_formula(FULL),
                         ((2, A.dim), (2, B.dim)), 1, product_k(FULL)),
    "cg_product, channelwise": (lambda *x: cg_product.cg_product(*x, CHANNELWISE), product_formula(CHANNELWISE),
                                ((2, SQUARE.dim), (2, SQUARE.dim)), 1, product_k(CHANNELWISE)),
    "mixing": (lambda *x: mixing.mixing(*x, KIND, MIXING), mixing_formula,
               ((4, MIXING.irreps_in.dim), (2, MIXING.n_weights)), 0, mixing_k()),
    "neighbour_sum": (lambda x: neighbour_sum.neighbour_sum(x, EDGES), neighbour_formula, ((4, 3),), 0,
                      np.maximum(NEIGHBOURS[:, None] - 1, 0)),
    "radial_weights": (lambda *x: radial_weights.radial_weights(*x, EDGE_KIND, WEIGHTS), weights_formula,
                       ((6, 3, N_RADIAL), (2, WEIGHTS.n_parameters)), 0, np.int64(-(-N_RADIAL // 4) + 3)),
}  # fmt: skip


def inputs(kind: str, shapes: Sequence[tuple[int, ...]], dtype: Any, seed: int) -> list[Array]:
    """Signed, positive, equal, of very different sizes, or nearly cancelling numbers."""
    rng = np.random.default_rng([23, seed])
    found = []
    for shape in shapes:
        x = rng.standard_normal(shape)
        if kind == "positive":
            x = np.abs(x)
        elif kind == "equal":
            x = np.full(shape, 0.7)
        elif kind == "sizes":
            x *= 2.0 ** rng.integers(-20, 20, shape)
        elif kind == "cancelling":
            x = rng.choice([-1.0, 1.0], shape) * (1 + x * 2.0**-20)
        found.append(x.astype(dtype))
    return found


def shares(found: Array, arrays: list[Array], name: str, u: Fraction) -> Iterator[tuple[Any, float]]:
    """|error| / (k u S) of every component; a component without terms, or k = 0, must be exact."""
    _, formula, _, couplings, k = OPERATIONS[name]
    value, size = (truth(formula, arrays, couplings, absolute) for absolute in (False, True))
    chain = np.broadcast_to(k, value.shape)
    for index in np.ndindex(value.shape):
        number = float(found[index])
        if not math.isfinite(number):
            yield index, math.inf
            continue
        error = abs(Fraction(number) - value[index])
        gate = int(chain[index]) * u / (1 - int(chain[index]) * u) * size[index]
        yield (
            index,
            float(error / gate) if gate else (0.0 if error <= Fraction(1, 2**190) * max(size[index], 1) else 2.0),
        )


def run(name: str, arrays: list[Array]) -> Array:
    """The package's operation."""
    return OPERATIONS[name][0](*arrays)


def emulated(bits: int) -> Callable[[str, list[Array]], Array]:
    """Planted: inputs held with fewer bits, as by tensor cores or a smaller storage format."""

    def rounded(name: str, arrays: list[Array]) -> Array:
        short = []
        for x in arrays:
            mantissa, exponent = np.frexp(x.astype(np.float64))
            short.append(np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits).astype(x.dtype))
        return run(name, short)

    return rounded


def accumulated(bits: int) -> Callable[[str, list[Array]], Array]:
    """Planted: right inputs, result accumulated with fewer bits, emulated by a rounding of the result."""

    def rounded(name: str, arrays: list[Array]) -> Array:
        found = run(name, arrays)
        mantissa, exponent = np.frexp(found.astype(np.float64))
        return np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits).astype(found.dtype)

    return rounded


KINDS = ("signed", "positive", "equal", "sizes", "cancelling")


@claim("8.6", "docs/accuracy.md", "|error| <= gamma_k S for every multilinear operation, two precisions: signed, "
       "positive, equal, badly scaled and cancelling inputs", "integers, 300-bit couplings", {"run": run},
       {"TF32 inputs": {"run": emulated(11)}, "bfloat16 inputs": {"run": emulated(8)},
        "float16 accumulation": {"run": accumulated(11)}, "bfloat16 accumulation": {"run": accumulated(8)},
        "rows reversed": {"run": lambda name, arrays: run(name, arrays)[::-1]}},
       "k u S, k of the page")  # fmt: skip
def accuracy(subject: SimpleNamespace, full: bool) -> Cases:
    names = list(OPERATIONS) if full else ["cg_product, channelwise", "mixing", "radial_weights"]
    for dtype, u in ((np.float32, Fraction(1, 2**24)), (np.float64, Fraction(1, 2**53))):
        for name in names:
            for kind in KINDS if full else KINDS[:2]:
                for seed in range(3 if full else 1):
                    arrays = inputs(kind, OPERATIONS[name][2], dtype, seed)
                    for index, share in shares(subject.run(name, arrays), arrays, name, u):
                        yield (np.dtype(dtype).name, name, kind, seed, index), share


def long_sum(n: int, x: Array) -> Array:
    """The package's sum of n neighbours."""
    edges = Edges.build(np.zeros(n, int), np.arange(n), 1, n)
    return neighbour_sum.neighbour_sum(x, edges)[0]


def half_precision(n: int, x: Array) -> Array:
    """Planted: float16 accumulation."""
    total = np.zeros(x.shape[1], np.float16)
    for row in x.astype(np.float16):
        total = total + row
    return total.astype(x.dtype)


def tf32(n: int, x: Array) -> Array:
    """Planted: every partial sum rounded to 11 bits, as an accumulator of TF32 width."""
    total = np.zeros(x.shape[1])
    for row in x.astype(np.float64):
        mantissa, exponent = np.frexp(total + row)
        total = np.ldexp(np.rint(np.ldexp(mantissa, 11)), exponent - 11)
    return total.astype(x.dtype)


@claim(
    "8.7",
    "docs/accuracy.md",
    "long sums of equal, positive and signed terms, to 10^4 terms, float32 and float64: (n - 1) u S",
    "integer sums",
    {"sum": long_sum},
    {
        "one term of 10^4 dropped, float64": {"sum": lambda n, x: long_sum(n - 1, x[:-1])},
        "float16 accumulation": {"sum": half_precision},
        "TF32 accumulation": {"sum": tf32},
    },
    "(n - 1) u S",
)
def long_sums(subject: SimpleNamespace, full: bool) -> Cases:
    rng = np.random.default_rng(24)
    for dtype, u in ((np.float64, Fraction(1, 2**53)), (np.float32, Fraction(1, 2**24))):
        for n in (2, 10, 100, 1000, 10000) if full else (2, 100):
            x = np.stack([np.full(n, 0.1), np.abs(rng.standard_normal(n)), rng.standard_normal(n)], 1).astype(dtype)
            found = subject.sum(n, x)
            whole = integers(x)
            for column in range(3):
                exact_sum, size = whole[:, column].sum(), abs(whole[:, column]).sum()
                error = abs(Fraction(float(found[column])) - Fraction(exact_sum, 2**200))
                yield (np.dtype(dtype).name, n, column), float(error / ((n - 1) * u * Fraction(size, 2**200)))


if __name__ == "__main__":
    sys.exit(main())
