"""Judging a result: rho = abs(error) / (u S) against the derived gate, ulps, bits, and where the worst error sits.

The gate of an entry is (n + slack) u S: n roundings at most for a sum of n terms in any order, and `slack` for the
products of a term and the rounding of its coefficients (docs/derivations/certified_sums.md). Nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, log2
from typing import Any

import numpy as np

from nbody_ref.certified.sums import Certified
from nbody_ref.conformance.formats import smallest, spacing
from nbody_ref.conformance.formats import unit as format_unit
from nbody_ref.conformance.operations.operation import Operation

__all__ = ["BINS", "Measure", "groups", "locate", "measure", "precision_name"]

Array = np.ndarray[Any, Any]
BINS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 64.0, 1024.0, inf)


@dataclass(frozen=True)
class Measure:
    """How far a result is from the truth.

    Parameters
    ----------
    ok : bool
        Every entry is within its gate.
    rho : float
        Largest abs(error) / (u S).
    gate : float
        n + slack of the entry where error / gate is largest.
    ulps : float
        Largest error in units in the last place of the exact value.
    bits : float
        -log2 of the largest abs(error) / S: the precision with which the backend computes.
    worst : tuple of int
        Where error / gate is largest.
    got, expected : float
        There.
    unclean : int
        Entries that must be exactly zero, hold noise below u times the largest of their row, and are let pass.
    bad : array of bool
        Entries outside their gate.
    histogram : tuple of int
        Entries with at most `BINS` ulps.
    typical : bool
        Most entries err as much as the worst one.
    """

    ok: bool
    rho: float
    gate: float
    ulps: float
    bits: float
    worst: tuple[int, ...]
    got: float
    expected: float
    unclean: int
    bad: Array = field(repr=False)
    histogram: tuple[int, ...] = ()
    typical: bool = False

    @property
    def unusual(self) -> bool:
        """Larger than what sums of signed terms give, though within the theorem."""
        return self.ok and self.rho > 4 + np.sqrt(max(self.gate, 0)) / 2


def measure(
    got: Array, truth: Certified, dtype: str, unit: float, slack: Any, exact: bool = False, store: float = 0.0
) -> Measure:
    """Compare a result with certified truth.

    Parameters
    ----------
    got : float64
        Result in our gauge.
    truth : Certified
    dtype : str
    unit : float
        Unit roundoff of the declared arithmetic.
    slack : float, or array that goes with the result
        Roundings of a term beside the n of the sum.
    exact : bool
        Allow no error at all.
    store : float
        Unit roundoff of results, if they are stored in a shorter format.
    """
    shape = got.shape
    got, value, low, S, n = (np.asarray(x).reshape(-1) for x in (got, truth.value, truth.low, truth.S, truth.n))
    tiny, slack = smallest(dtype), np.broadcast_to(slack, shape).reshape(-1)
    with np.errstate(all="ignore"):
        error = np.where(np.isfinite(got), np.abs((got - value) - low), inf)
        stored, least = store * np.abs(value), (8 * n + 8) * tiny
        own = (n + slack) * (unit * S) * (1 + store) + stored + np.where(S > 0, least, 0)
        limit = (0 * S if exact else own) + _radius(truth)
        bad = error > limit
        noise = bad & (S == 0) & (error <= unit * _row_scale(value, shape))
        bad &= ~noise
        below = ~bad & (unit * S < least)  # below the normal range errors are absolute
        rho = _largest_rho(error, unit * S + stored, noise | below)
        excess = np.where((error > 0) & ~noise, error / np.maximum(limit, tiny), 0.0)
        ulps = _ulps(error, value, dtype)
    at = int(np.argmax(excess)) if len(excess) else -1
    gate, counts = float(n[at] + slack[at]) if len(n) else 0.0, [(ulps <= top).sum() for top in BINS]
    figures = rho, gate, float(ulps.max(initial=0.0)), _bits(rho * unit)
    shares = int(noise.sum()), bad.reshape(shape), tuple(int(c) for c in np.diff([0, *counts]))
    typical = bool(bad.any()) and _typical(error, unit * S, bad.reshape(-1))
    return Measure(not bad.any(), *figures, *_worst(at, shape, got, value), *shares, typical)


def _typical(error: Array, size: Array, bad: Array) -> bool:
    """Whether the largest error is one of many alike: less precision everywhere, not one wrong term."""
    some = size > 0
    if not some.any():
        return False
    ratio = error[some] / size[some]
    return bool(bad[some].mean() > 0.6 and np.isfinite(ratio).all() and np.median(ratio) > ratio.max() / 64)


def _worst(at: int, shape: tuple[int, ...], got: Array, value: Array) -> tuple[tuple[int, ...], float, float]:
    """Place, result and exact value of one entry."""
    if at < 0:
        return (), 0.0, 0.0
    return tuple(int(i) for i in np.unravel_index(at, shape)), float(got[at]), float(value[at])


def _radius(truth: Certified) -> Any:
    """What the truth itself may be off by, where that is not negligible."""
    return 0.0 if truth.radius is None else np.asarray(truth.radius).reshape(-1)


def _largest_rho(error: Array, size: Array, excused: Array) -> float:
    ratio = np.where(size > 0, error / size, np.where(error > 0, inf, 0.0))
    ratio[excused] = 0
    return float(ratio.max(initial=0.0))


def _ulps(error: Array, value: Array, dtype: str) -> Array:
    """Errors in units in the last place of the exact value."""
    return np.asarray(np.where(value != 0, error / spacing(value, dtype), 0.0))


def _bits(relative: float) -> float:
    """Precision that a largest relative error stands for."""
    if not 0 < relative < inf:
        return inf if relative == 0 else 0.0
    return max(-log2(relative), 0.0)


def precision_name(bits: float, dtype: str) -> str:
    """What arithmetic an observed precision belongs to, if it is less than that of `dtype`."""
    own = -log2(format_unit(dtype))
    if bits >= own - 6 or bits < 5:
        return ""
    names = (
        (26.0, "between float32 and float64"),
        (20.0, "float32"),
        (13.5, "between TF32 and float32"),
        (9.0, "TF32 or float16"),
        (5.0, "bfloat16"),
    )
    return next(name for least, name in names if bits >= least)


def locate(op: Operation, name: str, index: tuple[int, ...]) -> str:
    """An entry in words: row, part or path, component, channel."""
    if not index:
        return "an empty result"
    place = op.place("out" if name == "cotangent" else name, index[1]) if len(index) == 2 else None
    return f"entry {index}" if place is None else f"row {index[0]}, {place.group}{place.entry}"


def groups(op: Operation, name: str, bad: Array) -> list[str]:
    """Parts, paths or degrees that hold bad entries."""
    columns = np.flatnonzero(bad.any(axis=0)) if bad.ndim == 2 else ()
    places = (op.place("out" if name == "cotangent" else name, int(column)) for column in columns)
    return list(dict.fromkeys(place.group for place in places if place is not None and place.group))


def _row_scale(value: Array, shape: tuple[int, ...]) -> Array:
    """Largest size in the row of every entry, or the whole array if it has no rows."""
    if len(shape) != 2 or not value.size:
        return np.full(value.shape, np.abs(value).max(initial=0.0))
    largest = np.abs(value.reshape(shape)).max(axis=1, keepdims=True, initial=0.0)
    return np.broadcast_to(largest, shape).reshape(-1)
