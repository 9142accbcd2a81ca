"""The accuracy law, docs/accuracy.md: |error| <= k u S for correct operations, and not for lower precision.

Truth is certified: inputs are dyadic rationals, couplings are enclosed by integers of 300 bits, and all sums are sums
of integers, so that the error of the truth itself is below 2^-200 of the bound it is compared with.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any

import _formulas
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

from nbody_ref import exact
from nbody_ref.graphs import Edges
from nbody_ref.ops import cg_product, message, mixing, neighbour_sum, radial_weights

Array = np.ndarray[Any, Any]
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
