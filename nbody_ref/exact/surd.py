"""Signed square roots of rationals, and their correct rounding to the floating-point formats.

Every Clebsch-Gordan coefficient, every 6j symbol, and the real and the imaginary part of every Wigner D entry at a
rational quaternion is of the form ``sign * sqrt(p / q)``. Products of such numbers are again of this form, and their
order and their rounding are decided by integer arithmetic alone, so nothing here depends on a precision setting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Union

from nbody_ref.errors import DTypeError
from nbody_ref.exact.ring import as_rational, plain

__all__ = ["FORMATS", "Surd", "round_fraction", "surd_sum"]

# name: (bits of the significand, exponent of the smallest subnormal, largest binary exponent)
FORMATS = {
    "float64": (53, -1074, 1023),
    "float32": (24, -149, 127),
    "float16": (11, -24, 15),
    "bfloat16": (8, -133, 127),
}

SurdLike = Union["Surd", Fraction, int]


@dataclass(frozen=True, eq=False, slots=True)
class Surd:
    """The real number sign * sqrt(p / q), kept in lowest terms.

    Parameters
    ----------
    sign : {-1, 0, 1}
    p, q : int
        Radicand p / q, p >= 0 and q > 0; reduced on construction. Zero is always (0, 0, 1).

    Raises
    ------
    DTypeError
        If `sign`, `p` or `q` is no integer. NumPy's are taken, and kept as Python's, which do not wrap around.
    ValueError
        If one is outside these ranges.

    Examples
    --------
    >>> Surd(1, 2, 3) * Surd(-1, 1, 6)
    Surd(-1, 1, 9)
    >>> Surd(1, 1, 3).round("float32")
    0.5773502588272095
    """

    sign: int
    p: int
    q: int = 1

    def __post_init__(self) -> None:
        if not type(self.sign) is type(self.p) is type(self.q) is int:
            _set(self, *_integers(self.sign, self.p, self.q))
        if self.sign not in (-1, 0, 1) or self.p < 0 or self.q <= 0:
            raise ValueError(f"Surd: need sign in -1, 0, 1, p >= 0 and q > 0, got ({self.sign}, {self.p}, {self.q})")
        if self.sign == 0 or self.p == 0:
            _set(self, 0, 0, 1)
        else:
            common = math.gcd(self.p, self.q)
            if common != 1:
                _set(self, self.sign, self.p // common, self.q // common)

    @classmethod
    def reduced(cls, sign: int, p: int, q: int) -> Surd:
        """The surd of Python's integers in lowest terms: nothing is checked."""
        found = object.__new__(cls)
        _set(found, sign, p, q)
        return found

    @classmethod
    def of(cls, value: SurdLike) -> Surd:
        """Return `value` itself, or the surd equal to an int or a Fraction; DTypeError for anything else."""
        if isinstance(value, Surd):
            return value
        ratio = plain(value)
        if isinstance(value, bool) or not isinstance(ratio, (int, Fraction)):
            raise DTypeError(f"Surd.of: 'value' must be a Surd, a Fraction or an integer, got {value!r}")
        return cls((ratio > 0) - (ratio < 0), ratio.numerator**2, ratio.denominator**2)

    def square(self) -> Fraction:
        """Square, always rational."""
        return Fraction(self.p, self.q)

    def as_fraction(self) -> Fraction | None:
        """Return the value if it is rational, else None."""
        top, bottom = math.isqrt(self.p), math.isqrt(self.q)
        if top * top != self.p or bottom * bottom != self.q:
            return None
        return Fraction(self.sign * top, bottom)

    def round(self, fmt: str = "float64") -> float:
        """Nearest number of a format, ties to even; see `round_fraction` for formats, overflow and errors."""
        if self.sign == 0:
            return 0.0
        precision, tiny, _ = _format("Surd.round", fmt)
        exponent = (self.p.bit_length() - self.q.bit_length()) // 2 + 1  # 4^exponent >= p / q or nearly so
        while _scaled_less(self.p, self.q, 2 * exponent):
            exponent -= 1
        ulp = max(exponent - precision + 1, tiny)
        square, rest = _scaled_divmod(self.p, self.q, 2 * ulp - 2)  # (2 value / ulp)^2
        halves = math.isqrt(square)
        return self.sign * _assemble(halves, rest != 0 or halves * halves != square, ulp, fmt)

    def __float__(self) -> float:
        return self.round("float64")

    def __bool__(self) -> bool:
        return self.sign != 0

    def __neg__(self) -> Surd:
        return Surd.reduced(-self.sign, self.p, self.q) if self.sign else self

    def __abs__(self) -> Surd:
        return Surd(self.sign * self.sign, self.p, self.q)

    def __mul__(self, other: SurdLike) -> Surd:
        right = _surd(other)
        if right is None:
            return NotImplemented
        return Surd(self.sign * right.sign, self.p * right.p, self.q * right.q)

    __rmul__ = __mul__

    def __truediv__(self, other: SurdLike) -> Surd:
        right = _surd(other)
        if right is None:
            return NotImplemented
        if right.sign == 0:
            raise ZeroDivisionError("Surd: division by zero")
        return Surd(self.sign * right.sign, self.p * right.q, self.q * right.p)

    def __rtruediv__(self, other: SurdLike) -> Surd:
        left = _surd(other)
        return NotImplemented if left is None else left / self

    def __eq__(self, other: object) -> bool:
        right = _surd(other)
        if right is None:
            return NotImplemented
        return (self.sign, self.p, self.q) == (right.sign, right.p, right.q)

    def __hash__(self) -> int:
        ratio = self.as_fraction()
        return hash((self.sign, self.p, self.q)) if ratio is None else hash(ratio)

    def __lt__(self, other: SurdLike) -> bool:
        right = _surd(other)
        if right is None:
            return NotImplemented
        return self.sign * self.p * right.q < right.sign * right.p * self.q

    def __le__(self, other: SurdLike) -> bool:
        right = _surd(other)
        return NotImplemented if right is None else not right < self

    def __gt__(self, other: SurdLike) -> bool:
        right = _surd(other)
        return NotImplemented if right is None else right < self

    def __ge__(self, other: SurdLike) -> bool:
        right = _surd(other)
        return NotImplemented if right is None else not self < right

    def __repr__(self) -> str:
        return f"Surd({self.sign}, {self.p}, {self.q})"

    def __str__(self) -> str:
        ratio = self.as_fraction()
        if ratio is not None:
            return str(ratio)
        return f"{'-' if self.sign < 0 else ''}sqrt({Fraction(self.p, self.q)})"


def _surd(value: object) -> Surd | None:
    """Return `value` as a surd if it is a Surd, a Fraction or an integer, else None."""
    if isinstance(value, Surd):
        return value
    found = plain(value)
    return Surd.of(found) if isinstance(found, (int, Fraction)) else None


def _integers(*values: object) -> tuple[int, ...]:
    found = tuple(plain(value) for value in values)
    if any(isinstance(value, bool) for value in values) or not all(type(x) is int for x in found):
        raise DTypeError(f"Surd: 'sign', 'p' and 'q' must be integers, got {', '.join(map(repr, values))}")
    return found


def _set(surd: Surd, sign: int, p: int, q: int) -> None:
    object.__setattr__(surd, "sign", sign)
    object.__setattr__(surd, "p", p)
    object.__setattr__(surd, "q", q)


def surd_sum(terms: list[Surd]) -> Surd:
    """Exact sum of surds that are rational multiples of one another.

    Parameters
    ----------
    terms : list of Surd

    Returns
    -------
    Surd
        The sum; zero for an empty list.

    Raises
    ------
    DTypeError
        If `terms` is no list of surds, Fractions or integers.
    ValueError
        If two nonzero terms have an irrational quotient: their sum is not a surd.
    """
    try:
        nonzero = [surd for surd in map(Surd.of, terms) if surd]
    except TypeError as error:
        raise DTypeError(f"surd_sum: 'terms' must list surds, got {terms!r}") from error
    if not nonzero:
        return Surd(0, 0, 1)
    total = Fraction(0)
    for term in nonzero:
        ratio = (term / nonzero[0]).as_fraction()
        if ratio is None:
            raise ValueError(f"surd_sum: {term} and {nonzero[0]} are incommensurable, the sum is not a single surd")
        total += ratio
    return nonzero[0] * total


def round_fraction(value: Fraction | int, fmt: str = "float64") -> float:
    """Round a rational to the nearest number of a format, ties to even.

    Parameters
    ----------
    value : Fraction or int
    fmt : {"float64", "float32", "float16", "bfloat16"}

    Returns
    -------
    float
        A Python float that holds a number of that format: subnormals included, infinity beyond the overflow
        threshold. One rounding only, never by way of float64.

    Raises
    ------
    DTypeError
        If `fmt` is not one of the four, or `value` no finite number.

    Examples
    --------
    >>> round_fraction(Fraction(1, 3), "bfloat16")
    0.333984375
    """
    precision, tiny, _ = _format("round_fraction", fmt)
    ratio = as_rational(value)
    if ratio is None:
        raise DTypeError(f"round_fraction: 'value' must be a rational number, got {value!r}")
    if ratio == 0:
        return 0.0
    p, q = abs(ratio.numerator), ratio.denominator
    exponent = p.bit_length() - q.bit_length() + 1
    while _scaled_less(p, q, exponent):
        exponent -= 1
    ulp = max(exponent - precision + 1, tiny)
    halves, rest = _scaled_divmod(p, q, ulp - 1)
    size = _assemble(halves, rest != 0, ulp, fmt)
    return size if ratio > 0 else -size


def _format(function: str, fmt: str) -> tuple[int, int, int]:
    if not isinstance(fmt, str) or fmt not in FORMATS:
        raise DTypeError(f"{function}: 'fmt' must be one of {', '.join(FORMATS)}, got {fmt!r}")
    return FORMATS[fmt]


def _scaled_less(p: int, q: int, exponent: int) -> bool:
    """Whether p / q < 2^exponent."""
    return p < q << exponent if exponent >= 0 else p << -exponent < q


def _scaled_divmod(p: int, q: int, exponent: int) -> tuple[int, int]:
    """Quotient and remainder of p / q by 2^exponent."""
    return divmod(p, q << exponent) if exponent >= 0 else divmod(p << -exponent, q)


def _assemble(halves: int, sticky: bool, ulp: int, fmt: str) -> float:
    """Round `halves` half-units (plus something below one half-unit if `sticky`) of 2^ulp to even."""
    units, half = halves >> 1, halves & 1
    if half and (sticky or units & 1):
        units += 1
    if units.bit_length() + ulp > FORMATS[fmt][2] + 1:
        return math.inf
    return math.ldexp(units, ulp)
