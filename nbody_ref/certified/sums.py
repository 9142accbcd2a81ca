"""Certified truth: correctly rounded values, their remainders, and S for the accuracy law.

Double-double sums with a proven bound decide almost every rounding; what they leave undecided is decided in integers,
at growing precision, after exact zeros have been recognised. Nothing here shares code with the kernels under test.
Proofs: docs/derivations/certified_sums.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import isqrt
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.certified.double_double import add_terms
from nbody_ref.certified.terms import Terms, width
from nbody_ref.exact.harmonics import pi_enclosure
from nbody_ref.exact.surd import Surd, round_fraction
from nbody_ref.kernels._threads import run_blocks

__all__ = ["Ball", "Certified", "RootSum", "add_up", "certify", "evaluate_exactly", "round_root_sum"]

Array = np.ndarray[Any, Any]
RootSum = dict[Fraction, Fraction]  # sum of Q sqrt(r), as {r: Q}
U = 2.0**-53
SAFE = 2.0**-200
MAX_BITS = 4096


@dataclass(frozen=True)
class Certified:
    """Truth of one result.

    Parameters
    ----------
    value : float64
        Exact value, correctly rounded.
    low : float64
        Remainder: abs(exact - value - low) <= (4 n + 8 legs) 2^-106 S, or `radius`.
    S : float64
        Sum of the absolute values of the terms.
    n : int64
        Number of terms that do not vanish.
    exact : int
        How many entries integers had to decide.
    radius : float64, optional
        Bound of the remainder's error where it is larger: results of programs.
    undecided : int
        Results of programs whose rounding the radius leaves open.
    """

    value: Array
    low: Array
    S: Array
    n: Array
    exact: int = 0
    radius: Array | None = None
    undecided: int = 0

    def reshaped(self, shape: tuple[int, ...]) -> Certified:
        """The same entries in another shape."""
        radius = None if self.radius is None else self.radius.reshape(shape)
        value, low, S, n = (x.reshape(shape) for x in (self.value, self.low, self.S, self.n))
        return Certified(value, low, S, n, self.exact, radius, self.undecided)

    def taken(self, rows: Array) -> Certified:
        """Some rows, perhaps several times."""
        value, low, S, n = (x[rows] for x in (self.value, self.low, self.S, self.n))
        return Certified(
            value, low, S, n, self.exact, None if self.radius is None else self.radius[rows], self.undecided
        )


class Ball(NamedTuple):
    """Numbers known as hi + lo with an error of at most rad, arrays of one shape."""

    hi: Array
    lo: Array
    rad: Array

    @classmethod
    def exactly(cls, x: Any) -> Ball:
        """Floats as the dyadic rationals that they are."""
        array = np.asarray(x, np.float64)
        return cls(array, np.zeros_like(array), np.zeros_like(array))


def certify(terms: Terms | Sequence[Terms], inputs: Mapping[str, Array]) -> Certified:
    """Correctly rounded sums of terms at floating-point inputs.

    Parameters
    ----------
    terms : Terms or sequence of Terms
        A sequence is added up.
    inputs : mapping of str to array
        Finite floats, taken as the exact dyadic rationals that they are.
    """
    parts = (terms,) if isinstance(terms, Terms) else tuple(terms)
    ball, S, n = add_up(parts, {leg.name: Ball.exactly(inputs[leg.name]) for part in parts for leg in part.legs})
    value = ball.hi + ball.lo
    safe = all(_safe(np.asarray(inputs[leg.name], np.float64), len(part.legs)) for part in parts for leg in part.legs)
    value, low = value.reshape(-1), (ball.lo - (value - ball.hi)).reshape(-1)
    S, n, hi, lo, rad = (x.reshape(-1) for x in (S, n, *ball))
    open_ = np.flatnonzero(hi + (lo - rad) != hi + (lo + rad)) if safe else np.arange(len(value))
    for j in open_:
        value[j], low[j] = round_root_sum(_entry(parts, inputs, int(j)))
        if not np.isfinite(S[j]) or S[j] < SAFE:
            sizes = _entry(parts, inputs, int(j), signed=False)
            S[j], n[j] = round_root_sum(sizes)[0], sum(int((part.out == j).sum()) for part in parts)
    shape = parts[0].shape
    return Certified(value.reshape(shape), low.reshape(shape), S.reshape(shape), n.reshape(shape), len(open_))


def add_up(parts: Sequence[Terms], inputs: Mapping[str, Ball]) -> tuple[Ball, Array, Array]:
    """Sums of terms in double-double arithmetic with their error bound (T4), S and numbers of terms.

    Independent rows of the result run on several threads; the bits do not depend on their number.
    """
    shape = (parts[0].shape[0], width(parts[0].shape))
    hi, lo, rad, S, n = (np.zeros(shape, kind) for kind in (float, float, float, float, np.int64))
    for part in parts:
        arrays = [inputs[leg.name] for leg in part.legs] or [Ball.exactly(np.ones(1))]
        x = [np.concatenate([np.ravel(array[k]) for array in arrays]) for k in range(3)]
        ends = np.cumsum([0, *(array.hi.size for array in arrays)])
        starts = [end + leg.rows * width(part.shapes[leg.name]) for end, leg in zip(ends, part.legs)]
        order = np.argsort(part.rows, kind="stable")
        ptr = np.concatenate([[0], np.cumsum(np.bincount(part.rows, minlength=shape[0]))]).astype(np.int64)
        c_hi, c_lo = _split_table(part.table, part.over_4pi)
        c_size = np.abs(c_hi) if part.sizes is None else np.array([*part.sizes, 0.0])
        columns = [leg.columns for leg in part.legs]
        index = (_matrix(starts, len(order)), _matrix(columns, len(part.columns)))
        common = (ptr, order, *index, part.columns, part.coef, *x, c_hi, c_lo, c_size, hi, lo, rad, S, n)

        def block(first: Any, last: Any, common: Any = common) -> None:
            add_terms(first, last, *common)

        run_blocks(block, ptr, len(order) * len(part.columns) * (len(columns) + 1))
    legs = max(len(part.legs) for part in parts)
    rad = (rad + (4 * n + 8 * legs) * (U * U) * S) * (1 + 2.0**-40)
    whole = parts[0].shape
    return Ball(hi.reshape(whole), lo.reshape(whole), rad.reshape(whole)), S.reshape(whole), n.reshape(whole)


def coefficients(terms: Terms) -> Array:
    """The table of coefficients in float64."""
    return _split_table(terms.table, terms.over_4pi)[0]


def _matrix(rows: list[Array], length: int) -> Array:
    return np.array(rows, np.int64).reshape(len(rows), length)


def evaluate_exactly(terms: Terms, inputs: Mapping[str, Array]) -> list[RootSum]:
    """Every entry as an exact sum of rationals times square roots; slow, for tests."""
    return [_entry((terms,), inputs, j) for j in range(int(np.prod(terms.shape)))]


def _entry(parts: Sequence[Terms], inputs: Mapping[str, Array], j: int, signed: bool = True) -> RootSum:
    """One entry of the result as an exact sum of roots."""
    total: RootSum = {}
    for part in parts:
        g, column = divmod(j, width(part.shape))
        for e in np.flatnonzero(part.rows == g):
            for t in np.flatnonzero(part.columns == column):
                rational, radicand = _squarefree(part.table[part.coef[t]])
                for leg in part.legs:
                    array = inputs[leg.name]
                    at = leg.rows[e] * width(part.shapes[leg.name]) + leg.columns[t]
                    rational *= Fraction(float(np.ravel(array)[at]))
                total[radicand] = total.get(radicand, Fraction(0)) + (rational if signed else abs(rational))
    return total


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


@lru_cache(maxsize=256)
def _split_table(table: tuple[Surd, ...], over_4pi: bool = False) -> tuple[Array, Array]:
    """Coefficients as two floats; relative error below 2^-106."""
    pairs: Iterable[tuple[float, float]] = (_split(surd, over_4pi) for surd in table)
    hi, lo = np.array([*pairs, (0.0, 0.0)]).T
    return np.ascontiguousarray(hi), np.ascontiguousarray(lo)


def _split(surd: Surd, over_4pi: bool) -> tuple[float, float]:
    rational, radicand = _squarefree(surd)
    return round_root_sum({radicand: rational}, over_4pi)


def _safe(array: Array, legs: int) -> bool:
    """Whether no product of so many legs, and no splitting, can leave the range of exact transformations."""
    sizes, most = np.abs(array[array != 0]), 2.0 ** (600 // max(legs, 3))
    return not sizes.size or bool(sizes.min() >= 1 / most and sizes.max() <= most)
