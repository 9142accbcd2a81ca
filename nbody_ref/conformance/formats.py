"""Floating-point formats of backends: float64, float32, float16 and bfloat16, which NumPy does not have.

A bfloat16 array is handed over as the uint16 array of its bit patterns, and taken back as such, or as a wider array of
numbers that bfloat16 has.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.errors import DTypeError
from nbody_ref.exact.surd import FORMATS

__all__ = ["HALVES", "from_storage", "rounded", "smallest", "spacing", "to_storage", "unit", "widest"]

Array = np.ndarray[Any, Any]
HALVES = ("float16", "bfloat16")


def _bits(dtype: str) -> tuple[int, int, int]:
    """Bits of the significand, exponent of the smallest subnormal, largest exponent."""
    if dtype not in FORMATS:
        raise DTypeError(f"conformance: 'dtype' must be one of {', '.join(FORMATS)}, got {dtype!r}")
    return FORMATS[dtype]


def unit(dtype: str) -> float:
    """Unit roundoff u = 2^-p."""
    return float(2.0 ** -_bits(dtype)[0])


def smallest(dtype: str) -> float:
    """Smallest positive number."""
    return float(2.0 ** _bits(dtype)[1])


def normal(dtype: str) -> float:
    """Smallest positive normal number."""
    bits, low, _ = _bits(dtype)
    return float(2.0 ** (low + bits - 1))


def widest(dtype: str) -> float:
    """Largest finite number."""
    bits, _, high = _bits(dtype)
    return float((2 - 2.0 ** (1 - bits)) * 2.0**high)


def spacing(x: Array, dtype: str) -> Array:
    """Units in the last place of float64 numbers, seen as numbers of a format."""
    bits, low, _ = _bits(dtype)
    exponent = np.frexp(rounded(x, dtype))[1]
    return np.asarray(np.ldexp(1.0, np.maximum(exponent - bits, low)))


def rounded(x: Any, dtype: str) -> Array:
    """Nearest numbers of a format, ties to even, as float64."""
    x = np.asarray(x, np.float64)
    if dtype != "bfloat16":
        with np.errstate(over="ignore"):
            return np.asarray(x.astype(dtype), np.float64)
    bits, low, _ = _bits(dtype)
    quantum = np.maximum(np.frexp(x)[1] - bits, low)
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.ldexp(np.rint(np.ldexp(x, -quantum)), quantum)
    found = np.where(np.abs(found) > widest(dtype), np.copysign(np.inf, x), found)
    return np.asarray(np.where(np.isfinite(x), found, x))


def to_storage(x: Any, dtype: str) -> Array:
    """Float64 numbers as an array of a format; bfloat16 as bit patterns."""
    if dtype != "bfloat16":
        return np.array(x, dtype)
    return (rounded(x, dtype).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def from_storage(x: Array, dtype: str) -> Array:
    """An array of a format as float64.

    Raises
    ------
    DTypeError
        If it is none.
    """
    if dtype == "bfloat16" and x.dtype == np.uint16:
        return (x.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    if dtype == "bfloat16" and x.dtype in (np.float32, np.float64):
        if not np.array_equal(rounded(x, dtype), x.astype(np.float64), equal_nan=True):
            raise DTypeError("holds numbers that bfloat16 does not have")
        return x.astype(np.float64)
    if dtype == "bfloat16" or x.dtype != np.dtype(dtype):
        raise DTypeError(f"expected dtype {dtype}, got {x.dtype}")
    return x.astype(np.float64)
