"""Certified truth: correctly rounded values, their remainders, and S for the accuracy law.

Double-double sums with a proven bound decide almost every rounding; what they leave undecided is decided in integers,
at growing precision, after exact zeros have been recognised. Nothing here shares code with the kernels under test.
Proofs: docs/derivations/certified_sums.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import isqrt
from typing import Any

import numpy as np

from nbody_ref.conformance.double_double import product_sums
from nbody_ref.conformance.terms import Terms
from nbody_ref.exact.harmonics import pi_enclosure
from nbody_ref.exact.surd import Surd, round_fraction

__all__ = ["Certified", "RootSum", "certify", "evaluate_exactly", "round_root_sum"]

Array = np.ndarray[Any, Any]
RootSum = dict[Fraction, Fraction]  # sum of Q sqrt(r), as {r: Q}
U = 2.0**-53
SAFE = (2.0**-200, 2.0**200)
MAX_BITS = 4096


@dataclass(frozen=True)
class Certified:
    """Truth of one result.

    Parameters
    ----------
    value : float64
        Exact value, correctly rounded.
    low : float64
        Remainder: abs(exact - value - low) <= (4 n + 20) 2^-106 S.
    S : float64
        Sum of the absolute values of the terms.
    n : int64
        Number of terms that do not vanish.
    exact : int
        How many entries integers had to decide.
    """

    value: Array
    low: Array
    S: Array
    n: Array
    exact: int = 0


def certify(terms: Terms, inputs: Mapping[str, Array]) -> Certified:
    """Correctly rounded sums of terms at floating-point inputs.

    Parameters
    ----------
    terms : Terms
    inputs : mapping of str to array
        Finite floats, taken as the exact dyadic rationals that they are.
    """
    size = int(np.prod(terms.shape))
    order = np.argsort(terms.out, kind="stable")
    ptr = np.concatenate([[0], np.cumsum(np.bincount(terms.out, minlength=size))]).astype(np.int64)
    arrays = [np.ascontiguousarray(inputs[name], np.float64).reshape(-1) for name in terms.legs]
    index = [leg[order] for leg in terms.legs.values()]
    while len(arrays) < 3:
        arrays.append(np.ones(1))
        index.append(np.zeros(len(order), np.int64))
    c_hi, c_lo = _split_table(terms.table)
    hi, lo, S, n = np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size, np.int64)
    (i0, i1, i2), (x0, x1, x2) = index, arrays
    product_sums(ptr, i0, i1, i2, x0, x1, x2, terms.coef[order], c_hi, c_lo, hi, lo, S, n)
    if all(_safe(array) for array in arrays):
        bound = (4 * n + 20) * (U * U) * S * (1 + 2.0**-40)
        open_ = np.flatnonzero(hi + (lo - bound) != hi + (lo + bound))
        value = hi + lo
        low = lo - (value - hi)
    else:
        open_, value, low = np.arange(size), hi.copy(), lo.copy()
    for j in open_:
        rows = slice(ptr[j], ptr[j + 1])
        root_sum = _root_sum([leg[rows] for leg in index], arrays, terms.coef[order[rows]], terms.table)
        value[j], low[j] = round_root_sum(root_sum)
        if not np.isfinite(S[j]) or S[j] < SAFE[0]:
            sizes = _root_sum([leg[rows] for leg in index], arrays, terms.coef[order[rows]], terms.table, signed=False)
            S[j], n[j] = round_root_sum(sizes)[0], rows.stop - rows.start
    shape = terms.shape
    return Certified(value.reshape(shape), low.reshape(shape), S.reshape(shape), n.reshape(shape), len(open_))


def evaluate_exactly(terms: Terms, inputs: Mapping[str, Array]) -> list[RootSum]:
    """Every entry as an exact sum of rationals times square roots; slow, for tests and for undecided entries."""
    arrays = [np.asarray(inputs[name], np.float64).reshape(-1) for name in terms.legs]
    found = []
    for j in range(int(np.prod(terms.shape))):
        rows = np.flatnonzero(terms.out == j)
        index = [leg[rows] for leg in terms.legs.values()]
        found.append(_root_sum(index, arrays, terms.coef[rows], terms.table))
    return found


def round_root_sum(root_sum: RootSum, over_4pi: bool = False) -> tuple[float, float]:
    """Correctly rounded sum of Q sqrt(r), and the rounded remainder.

    Parameters
    ----------
    root_sum : dict of Fraction to Fraction
        Radicand r to coefficient Q. Zero is recognised exactly if the radicands are squarefree; otherwise an
        enclosure that still holds zero at 4096 bits is taken for zero.
    over_4pi : bool
        Divide by sqrt(4 pi).
    """
    terms = [(Q, r) for r, Q in root_sum.items() if Q]
    if not terms:
        return 0.0, 0.0
    if not over_4pi and len(terms) == 1 and terms[0][1] == 1:
        exact = terms[0][0]
        value = round_fraction(exact)
        return value, round_fraction(exact - Fraction(value))
    size = max(_log2(Q) + _log2(r) // 2 for Q, r in terms)
    bits = 160
    while bits <= MAX_BITS:
        low, high = _enclose(terms, bits - size, over_4pi)
        ends = {round_fraction(low), round_fraction(high)}
        if len(ends) == 1 and (low > 0) == (high > 0):
            value = ends.pop()
            return value, round_fraction((low + high) / 2 - Fraction(value))
        bits *= 2
    return 0.0, 0.0


def _enclose(terms: list[tuple[Fraction, Fraction]], bits: int, over_4pi: bool) -> tuple[Fraction, Fraction]:
    """Rationals below and above the sum; every root errs by less than one unit of 2^-bits."""
    pi_low, pi_high = pi_enclosure(max(bits, 64) + 64) if over_4pi else (Fraction(1, 4), Fraction(1, 4))
    low = high = 0
    for Q, r in terms:
        square = Q * Q * r * (Fraction(4) ** bits) / 4
        down, up = isqrt(int(square / pi_high)), isqrt(int(square / pi_low)) + 1
        low, high = (low + down, high + up) if Q > 0 else (low - up, high - down)
    return low * Fraction(2) ** -bits, high * Fraction(2) ** -bits


def _log2(ratio: Fraction) -> int:
    return abs(ratio.numerator).bit_length() - ratio.denominator.bit_length()


def _root_sum(
    index: list[Array], arrays: list[Array], coef: Array, table: tuple[Surd, ...], signed: bool = True
) -> RootSum:
    total: RootSum = {}
    for t, c in enumerate(coef):
        rational, radicand = _squarefree(table[c])
        for leg, array in zip(index, arrays):
            rational *= Fraction(float(array[leg[t]]))
        total[radicand] = total.get(radicand, Fraction(0)) + (rational if signed else abs(rational))
    return total


@lru_cache(maxsize=65536)
def _squarefree(surd: Surd) -> tuple[Fraction, Fraction]:
    """Q and squarefree r with surd = Q sqrt(r)."""
    rest, root, free, prime = surd.p * surd.q, 1, 1, 2
    while prime * prime <= rest and prime < 10_000:
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        root, free = root * prime ** (power // 2), free * prime ** (power % 2)
        prime += 1
    whole = isqrt(rest)
    root, free = (root * whole, free) if whole * whole == rest else (root, free * rest)
    return Fraction(surd.sign * root, surd.q), Fraction(free)


@lru_cache(maxsize=64)
def _split_table(table: tuple[Surd, ...]) -> tuple[Array, Array]:
    """Coefficients as two floats; relative error below 2^-106."""
    pairs: Iterable[tuple[float, float]] = (_split(surd) for surd in table)
    hi, lo = np.array([*pairs, (0.0, 0.0)]).T
    return np.ascontiguousarray(hi), np.ascontiguousarray(lo)


def _split(surd: Surd) -> tuple[float, float]:
    rational, radicand = _squarefree(surd)
    return round_root_sum({radicand: rational})


def _safe(array: Array) -> bool:
    """Whether no product or splitting can leave the range of exact transformations."""
    sizes = np.abs(array[array != 0])
    return not sizes.size or bool(sizes.min() >= SAFE[0] and sizes.max() <= SAFE[1])
