"""The oracle of every rounding test, shared as a fixture."""

import math
from fractions import Fraction

import mpmath
import pytest

from nbody_ref.exact.surd import FORMATS


@pytest.fixture(scope="session")
def nearest():
    """Function (mpf, format) -> nearest number of the format, ties to even: the definition, by mpmath."""

    def round_to(value, fmt):
        precision, tiny, largest = FORMATS[fmt]
        if value == 0:
            return 0.0
        ulp = max(mpmath.frexp(value)[1] - precision, tiny)
        scaled = abs(value) / mpmath.mpf(2) ** ulp
        units = int(mpmath.floor(scaled))
        rest = scaled - units
        units += rest > 0.5 or (rest == 0.5 and units % 2 == 1)
        result = math.inf if units * Fraction(2) ** ulp >= Fraction(2) ** (largest + 1) else math.ldexp(units, ulp)
        return result if value > 0 else -result

    return round_to
