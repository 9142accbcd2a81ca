"""Labels of the edges of a fusion diagram: irreps of SO(3) and O(3), or spins of SU(2).

`Irrep` serves the first two groups. `Spin` is a representation of SU(2), half-integers included; it exists for the
exact side only, since real states carry integer degrees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from nbody_ref.checks import check_list
from nbody_ref.errors import ArgumentError, IrrepsError
from nbody_ref.exact.ring import as_rational
from nbody_ref.irreps import Irrep

__all__ = [
    "Label",
    "Spin",
    "as_label",
    "as_labels",
    "check_basis",
    "components",
    "degree",
    "parity",
    "product",
    "twice",
]


@dataclass(frozen=True)
class Spin:
    """One irreducible representation of SU(2).

    Parameters
    ----------
    j : int, Fraction, float or str
        Non-negative integer or half-integer, such as ``Fraction(1, 2)`` or ``"1/2"``; stored as a Fraction.

    Raises
    ------
    IrrepsError
        If 2j is no non-negative integer.

    Examples
    --------
    >>> [str(spin) for spin in Spin("1/2") * Spin(1)]
    ['j=1/2', 'j=3/2']
    """

    j: Fraction

    def __post_init__(self) -> None:
        try:
            value = Fraction(self.j) if isinstance(self.j, str) else as_rational(self.j)
        except (ValueError, ZeroDivisionError):
            value = None
        if value is None or value < 0 or value.denominator > 2:
            raise IrrepsError(f"Spin: 'j' must be a non-negative integer or half-integer, got {self.j!r}")
        object.__setattr__(self, "j", value)

    @property
    def dim(self) -> int:
        """Number of components, 2j + 1."""
        return int(2 * self.j) + 1

    def __mul__(self, other: Spin) -> tuple[Spin, ...]:
        """Clebsch-Gordan series, j ascending in steps of one."""
        if not isinstance(other, Spin):
            return NotImplemented
        low = abs(self.j - other.j)
        return tuple(Spin(low + k) for k in range(int(self.j + other.j - low) + 1))

    def __str__(self) -> str:
        return f"j={self.j}"

    def __repr__(self) -> str:
        return f"Spin({str(self.j)!r})"


Label = Irrep | Spin


def as_label(function: str, value: Any) -> Label:
    """Return `value` as a label: an Irrep or Spin as it is, text read by `Irrep.parse`.

    Raises
    ------
    IrrepsError
        If it is none of these or the text is malformed.
    """
    if isinstance(value, (Irrep, Spin)):
        return value
    if isinstance(value, str):
        return Irrep.parse(value)
    raise IrrepsError(f"{function}: a label must be an Irrep, a Spin or text such as '1o', got {value!r}")


def as_labels(function: str, name: str, values: Any) -> tuple[Label, ...]:
    """Return a list of labels, each read by `as_label`.

    Raises
    ------
    SchemeError
        If it is no list.
    IrrepsError
        If an entry is no label.
    """
    return tuple(as_label(function, value) for value in check_list(function, name, values, "labels"))


def twice(label: Label) -> int:
    """Doubled degree, an integer for every group."""
    return int(2 * label.j) if isinstance(label, Spin) else 2 * label.l


def degree(label: Label) -> Any:
    """Degree l as an int, or j as a Fraction."""
    return label.j if isinstance(label, Spin) else label.l


def parity(label: Label) -> int | None:
    """Parity of an O(3) label, else None."""
    return None if isinstance(label, Spin) else label.p


def components(label: Label) -> Iterable[Any]:
    """Components m ascending: ints for integer degrees, else Fractions."""
    doubled = twice(label)
    return (Fraction(n, 2) if n % 2 else n // 2 for n in range(-doubled, doubled + 1, 2))


def product(a: Label, b: Label) -> tuple[Any, ...]:
    """Admissible labels of the product of two labels of one group, degree ascending.

    Raises
    ------
    IrrepsError
        If the groups differ.
    """
    if isinstance(a, Spin) and isinstance(b, Spin):
        return a * b
    if isinstance(a, Irrep) and isinstance(b, Irrep):
        return a * b
    raise IrrepsError(f"fusion: cannot mix SU(2) spins with irreps of SO(3) or O(3), got {a} and {b}")


def check_basis(function: str, basis: Any, labels: Iterable[Any]) -> None:
    """Raise unless `basis` is "complex", or "real" and no label is a spin.

    Raises
    ------
    ArgumentError
        It is another word.
    IrrepsError
        Half-integer degrees have no real gauge.
    """
    if not isinstance(basis, str) or basis not in ("complex", "real"):
        raise ArgumentError(f"{function}: 'basis' must be 'complex' or 'real', got {basis!r}")
    if basis == "real" and any(isinstance(label, Spin) for label in labels):
        raise IrrepsError(f"{function}: 'basis' must be 'complex' for spins of SU(2), got 'real'")
