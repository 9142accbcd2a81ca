"""Low precision emulated: numbers with fewer bits, and sums whose every partial result has fewer bits."""

from __future__ import annotations

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
