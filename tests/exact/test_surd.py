"""Surds: exact algebra against sympy's radicals, rounding against mpmath at 2000 bits and against numpy's casts."""

import math
import random
import subprocess
import sys
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import DTypeError
from nbody_ref.exact.surd import FORMATS, Surd, round_fraction, surd_sum


def random_surd(rng, digits=6):
    return Surd(rng.choice((-1, 1)), rng.randrange(1, 10**digits), rng.randrange(1, 10**digits))


def cases(rng, count):
    """Surds over the whole range of every format, subnormals, thresholds and exact ties included."""
    for fmt, (precision, tiny, largest) in FORMATS.items():
        for _ in range(count):
            shift = 2 * rng.randrange(tiny - 3, largest + 3)
            core = random_surd(rng)
            yield fmt, core, shift
        for units in (1, 2**precision - 1, 2 ** (precision - 1), 2**precision - 3, 5):
            for offset in (-1, 0, 1):  # half a unit, and a hair to both sides
                value = Fraction(2 * units + 1, 2) + offset * Fraction(1, 10**30)
                for exponent in (tiny, 0, largest - precision + 1):
                    yield fmt, Surd(1, value.numerator**2, value.denominator**2), 2 * exponent


def scaled(core, shift):
    factor = Fraction(2) ** shift
    return Surd(core.sign, core.p * factor.numerator, core.q * factor.denominator)


def test_rounding_of_surds_is_correct_in_every_format(nearest):
    rng = random.Random(1)
    with mpmath.workprec(2000):
        for fmt, core, shift in cases(rng, 400):
            surd = scaled(core, shift)
            exact = surd.sign * mpmath.sqrt(mpmath.mpf(core.p) / core.q) * mpmath.mpf(2) ** (shift // 2)
            assert surd.round(fmt) == nearest(exact, fmt), (surd, fmt)


def test_rounding_of_rational_surds_equals_rounding_of_fractions():
    rng = random.Random(2)
    for fmt, (_, tiny, largest) in FORMATS.items():
        for _ in range(300):
            power = Fraction(2) ** rng.randrange(tiny, largest)
            value = Fraction(rng.randrange(-999, 999), rng.randrange(1, 999)) * power
            assert Surd.of(value).round(fmt) == round_fraction(value, fmt)


def test_fractions_round_as_python_divides_and_numpy_casts():
    rng = random.Random(3)
    for _ in range(3000):
        value = rng.uniform(-2, 2) * 2.0 ** rng.randrange(-170, 130)
        with np.errstate(over="ignore"):
            assert round_fraction(Fraction(value), "float32") == np.float32(value)
            assert round_fraction(Fraction(value), "float16") == np.float16(value)
        p, q = rng.getrandbits(200), rng.getrandbits(180) + 1
        assert round_fraction(Fraction(p, q)) == p / q  # CPython's true division is correctly rounded


def test_bfloat16_is_the_upper_half_of_float32():
    for bits in range(0x0000, 0x7F80, 7):
        value = float(np.array(bits << 16, dtype=np.uint32).view(np.float32))
        assert round_fraction(Fraction(value), "bfloat16") == value
    one_up = Fraction(1) + Fraction(1, 128)
    assert round_fraction(1 + Fraction(1, 256), "bfloat16") == 1.0  # tie to even
    assert round_fraction(1 + Fraction(3, 256), "bfloat16") == 1 + Fraction(2, 128)
    assert round_fraction(one_up, "bfloat16") == one_up


def test_rounding_is_done_once():
    """1 + 2^-24 + 2^-80 rounds to 1 + 2^-23 in float32; by way of float64 it would be 1: the planted error."""
    value = 1 + Fraction(1, 2**24) + Fraction(1, 2**80)
    assert round_fraction(value, "float32") == 1 + 2.0**-23
    assert Surd.of(value).round("float32") == 1 + 2.0**-23
    assert float(np.float32(round_fraction(value))) == 1.0


def test_overflow_threshold_is_half_a_unit_above_the_largest():
    for fmt, (precision, _, largest) in FORMATS.items():
        top = Fraction(2) ** (largest + 1)
        below = top - Fraction(2) ** (largest - precision)  # the tie between the largest number and 2^(largest + 1)
        assert round_fraction(below, fmt) == math.inf
        assert round_fraction(-below, fmt) == -math.inf
        assert round_fraction(below - Fraction(1, 10**9), fmt) == top - Fraction(2) ** (largest - precision + 1)


def test_algebra_agrees_with_squares_and_signs():
    rng = random.Random(4)
    for _ in range(500):
        a, b = random_surd(rng), random_surd(rng)
        assert (a * b).square() == a.square() * b.square() and (a * b).sign == a.sign * b.sign
        assert a / b * b == a and -a == a * -1 and abs(a).sign == 1
        signed = lambda s: s.sign * s.square()  # noqa: E731
        assert (a < b) == (signed(a) < signed(b)) and (a <= b) == (signed(a) <= signed(b))
        assert (a > b) == (b < a) and (a >= b) == (b <= a)
    assert Surd(1, 4, 9) == Fraction(2, 3) and hash(Surd(1, 4, 9)) == hash(Fraction(2, 3))
    assert Surd(-1, 8, 2) == -2 and 3 * Surd(1, 1, 3) == Surd(1, 3, 1) and 1 / Surd(1, 2, 1) == Surd(1, 1, 2)
    assert not Surd(1, 0, 5) and Surd(0, 3, 7) == 0 and str(Surd(-1, 2, 3)) == "-sqrt(2/3)"


def test_sum_of_commensurable_surds_is_exact_and_others_are_refused():
    assert surd_sum([Surd(1, 2, 1), Surd(-1, 8, 1), Surd(1, 1, 2)]) == Surd(-1, 1, 2)
    assert surd_sum([]) == 0
    with pytest.raises(ValueError, match="incommensurable"):
        surd_sum([Surd(1, 2, 1), Surd(1, 3, 1)])


def test_errors_name_what_is_wrong():
    with pytest.raises(DTypeError, match="'fmt' must be one of float64"):
        Surd(1, 1, 2).round("float128")
    with pytest.raises(ValueError, match="q > 0"):
        Surd(1, 1, 0)
    with pytest.raises(ZeroDivisionError):
        Surd(1, 1, 2) / Surd(0, 0, 1)
    with pytest.raises(TypeError):
        Surd(1, 1, 2) * 0.5


def test_exact_layer_loads_neither_numpy_nor_numba():
    code = "import sys, nbody_ref.exact; assert not {'numpy', 'numba', 'scipy', 'sympy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
