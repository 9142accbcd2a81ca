"""Low precision emulated: numbers with fewer bits, and sums whose every partial result has fewer bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
FORMATS = {"float16": 11, "bfloat16": 8, "TF32": 11}  # bits of the significand; float16 and TF32 differ in range only


def rounded(x: Array, bits: int) -> Array:
    """Round to nearest, ties to even, to so many bits; range is not limited."""
    if x.dtype.kind == "c":
        return (rounded(x.real, bits) + 1j * rounded(x.imag, bits)).astype(x.dtype)
    mantissa, exponent = np.frexp(x.astype(np.float64))
    return np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits).astype(x.dtype)


def cut(x: float, bits: int) -> float:
    """The same for one number."""
    mantissa, exponent = math.frexp(x)
    return math.ldexp(round(math.ldexp(mantissa, bits)), exponent - bits)


class Short:
    """A number whose sums are rounded to fewer bits and whose products are not: an accumulator of low precision."""

    __slots__ = ("bits", "value")

    def __init__(self, value: float, bits: int) -> None:
        self.value, self.bits = value, bits

    def __add__(self, other: Any) -> Short:
        return Short(cut(self.value + float(other), self.bits), self.bits)

    def __mul__(self, other: Any) -> Short:
        return Short(self.value * float(other), self.bits)

    def __float__(self) -> float:
        return self.value

    __radd__, __rmul__ = __add__, __mul__


def short(x: Array, bits: int) -> Array:
    """Array of such numbers."""
    return np.array([Short(float(v), bits) for v in x.flat], object).reshape(x.shape)
