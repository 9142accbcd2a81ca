"""Irreps: the type tau of the N-body paper, Definition 2, and the selection rules of sec. 4.1.

A type says how many fragments of each degree a state carries. ``Irreps("8x0 + 4x1")`` is the paper's
tau = (8, 4) for SO(3); with a parity letter, ``Irreps("8x0e + 4x1o")``, it is a type of O(3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from nbody_ref.checks import LARGEST, as_integer, check_flag, check_integer, shown
from nbody_ref.errors import IrrepsError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Irrep", "Irreps", "Part"]

_IRREP = re.compile(r"^\s*(\d{1,9})\s*([eo]?)\s*$")
_LARGEST = 1_000_000  # parts of a type that are written by one call
_LETTER = {1: "e", -1: "o", None: ""}
_PARITY = {"e": 1, "o": -1, "": None}


@dataclass(frozen=True)
class Irrep:
    """One irreducible representation of O(3), or of SO(3) if `p` is None.

    Parameters
    ----------
    l : int
        Degree; the representation has 2l + 1 components m = -l..l.
    p : {1, -1, None}
        Parity: the inversion acts as multiplication by p. None: the group is SO(3) and inversion does not act.

    Raises
    ------
    IrrepsError
        If `l` is not a non-negative integer or `p` is none of the three.
    """

    l: int
    p: int | None = None

    __array_ufunc__ = None  # NumPy's numbers leave products to us

    def __post_init__(self) -> None:
        l, p = as_integer(self.l), None if self.p is None else as_integer(self.p)
        if l is None or l < 0:
            raise IrrepsError(f"Irrep: 'l' must be a non-negative integer, got {shown(self.l)}")
        if self.p is not None and p not in (1, -1):
            raise IrrepsError(f"Irrep: 'p' must be 1, -1 or None, got {shown(self.p)}")
        object.__setattr__(self, "l", l)
        object.__setattr__(self, "p", p)

    @classmethod
    def parse(cls, text: str | Irrep) -> Irrep:
        """Read ``"1o"``, ``"2e"`` or ``"1"``."""
        if isinstance(text, Irrep):
            return text
        match = _IRREP.match(text) if isinstance(text, str) else None
        if match is None:
            raise IrrepsError(
                f"Irrep: expected a degree and an optional letter e or o, such as '1o', got {shown(text)}"
            )
        return cls(int(match[1]), _PARITY[match[2]])

    @property
    def dim(self) -> int:
        """Number of components, 2l + 1."""
        return 2 * self.l + 1

    def __mul__(self, other: Irrep) -> tuple[Irrep, ...]:
        """Clebsch-Gordan series of a product, l ascending: |l1 - l2| <= l <= l1 + l2, parities multiply."""
        if not isinstance(other, Irrep):
            return NotImplemented
        if (self.p is None) != (other.p is None):
            raise IrrepsError(f"Irrep: cannot mix O(3) and SO(3) in one product, got {self} and {other}")
        p = None if self.p is None or other.p is None else self.p * other.p
        return tuple(Irrep(l, p) for l in range(abs(self.l - other.l), self.l + other.l + 1))

    def __str__(self) -> str:
        return f"{self.l}{_LETTER[self.p]}"

    def __repr__(self) -> str:
        return f"Irrep({self.l}, {self.p})"


class Part(NamedTuple):
    """`mul` fragments of one irrep: an array (..., 2l + 1, mul), the paper's F^l of eq. (9)."""

    mul: int
    irrep: Irrep

    @property
    def dim(self) -> int:
        """Number of components of the whole part."""
        return self.mul * self.irrep.dim

    def __str__(self) -> str:
        return f"{self.mul}x{self.irrep}"


IrrepsLike = Union["Irreps", str, Iterable[Any]]


class Irreps:
    """A type tau: parts in the order written, nothing sorted or merged behind the reader's back.

    Parameters
    ----------
    parts : str, Irreps, or iterable of (mul, irrep)
        ``"8x0e + 4x1o"``; a multiplicity of one may be left out. The empty string is the empty type.

    Raises
    ------
    IrrepsError
        If the text is malformed, a multiplicity is not a positive integer, or some parts carry a parity and
        others do not.

    Examples
    --------
    >>> tau = Irreps("8x0e + 4x1o")
    >>> tau.dim, tau.offsets, tau.lmax
    (20, (0, 8), 1)
    """

    __slots__ = ("_dim", "_hash", "parts")
    __array_ufunc__ = None  # NumPy's numbers leave products to us
    parts: tuple[Part, ...]
    _dim: int
    _hash: int

    def __init__(self, parts: IrrepsLike = ()) -> None:
        if isinstance(parts, Irreps):
            found = parts.parts
        elif isinstance(parts, str):
            found = tuple(_read_part(term) for term in parts.split("+")) if parts.strip() else ()
        else:
            found = tuple(_check_part(*pair) for pair in _pairs(parts))
        if len({part.irrep.p is None for part in found}) > 1:
            raise IrrepsError(
                f"Irreps: parts with and without a parity letter cannot be mixed, got {shown(_join(found))}"
            )
        object.__setattr__(self, "parts", _one_of_equal(found))
        object.__setattr__(self, "_dim", sum(part.dim for part in found))  # asked for at every call of an op
        object.__setattr__(self, "_hash", hash(found))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Irreps are immutable")

    def __reduce__(self) -> tuple[type[Irreps], tuple[tuple[Part, ...]]]:
        return Irreps, (self.parts,)  # copies and worker processes build a type anew, since no attribute can be set

    @classmethod
    def harmonics(cls, lmax: int, parity: bool = True) -> Irreps:
        """Type of the harmonics of one vector up to degree lmax: 1x0e + 1x1o + 1x2e + ..."""
        degrees = range(check_integer("Irreps.harmonics", "lmax", lmax, 0, LARGEST) + 1)
        parity = check_flag("Irreps.harmonics", "parity", parity)
        return cls((1, Irrep(l, (-1) ** l if parity else None)) for l in degrees)

    @property
    def dim(self) -> int:
        """Length of the flat state."""
        return self._dim

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each part starts in the flat state."""
        starts, total = [], 0
        for part in self.parts:
            starts.append(total)
            total += part.dim
        return tuple(starts)

    @property
    def lmax(self) -> int:
        """Largest degree present.

        Raises
        ------
        IrrepsError
            If the type is empty.
        """
        if not self.parts:
            raise IrrepsError("Irreps.lmax: the empty type has no degree")
        return max(part.irrep.l for part in self.parts)

    @property
    def has_parity(self) -> bool:
        """Whether this is a type of O(3) rather than SO(3)."""
        return bool(self.parts) and self.parts[0].irrep.p is not None

    def count(self, irrep: Irrep | str) -> int:
        """Multiplicity of one irrep, tau_l, summed over all parts."""
        wanted = Irrep.parse(irrep)
        return sum(part.mul for part in self.parts if part.irrep == wanted)

    def merged(self) -> Irreps:
        """Equal irreps put into one part, in order of first appearance: the columns that eq. (9) mixes."""
        total: dict[Irrep, int] = {}
        for part in self.parts:
            total[part.irrep] = total.get(part.irrep, 0) + part.mul
        return Irreps((mul, irrep) for irrep, mul in total.items())

    def D(self, rotation: Any, inversion: bool = False, basis: str = "real") -> np.ndarray[Any, Any]:
        """Representation matrix of a rotation on the flat state, eq. (3); see `nbody_ref.wigner_D`.

        Parameters
        ----------
        rotation : scipy.spatial.transform.Rotation
            Active rotation of column vectors; a single one.
        inversion : bool
            Follow the rotation by the inversion r -> -r.
        basis : {"real", "complex"}

        Returns
        -------
        (dim, dim) float64 or complex128

        Raises
        ------
        IrrepsError
            If `inversion` is asked of a type without parities.
        """
        from nbody_ref.ops.wigner import representation  # the one arrow that runs back: loaded when called

        return representation(self, rotation, inversion, basis)

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: int) -> Part:
        return self.parts[index]

    def __add__(self, other: Irreps | str) -> Irreps:
        return Irreps(self.parts + Irreps(other).parts)

    def __mul__(self, times: int) -> Irreps:
        if as_integer(times) is None:
            return NotImplemented
        return Irreps(self.parts * check_integer("Irreps", "times", times, 0, LARGEST))

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Irreps) and (self.parts is other.parts or self.parts == other.parts)

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return _join(self.parts)

    def __repr__(self) -> str:
        return f"Irreps({str(self)!r})"


@lru_cache(maxsize=4096)
def _one_of_equal(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The first of equal tuples, so that equal types are seen to be equal at once."""
    return parts


def _join(parts: Iterable[Part]) -> str:
    return " + ".join(str(part) for part in parts)


def _pairs(parts: Any) -> Iterator[tuple[Any, Any]]:
    try:
        pairs = [tuple(pair) for pair in parts]
    except TypeError:
        pairs = [()]
    if any(len(pair) != 2 for pair in pairs):
        raise IrrepsError(
            f"Irreps: 'parts' must be a text such as '8x0e + 4x1o' or pairs (mul, irrep), got {shown(parts)}"
        )
    return iter(pairs)


def _check_part(mul: Any, irrep: Irrep | str) -> Part:
    count = as_integer(mul)
    if count is None or count < 1:
        raise IrrepsError(f"Irreps: a multiplicity must be a positive integer, got {shown(mul)}")
    return Part(count, Irrep.parse(irrep))


def _read_part(term: str) -> Part:
    mul, cross, irrep = term.partition("x")
    if not cross:
        return _check_part(1, term)
    if not (mul.strip().isdecimal() and len(mul.strip()) < 10):
        raise IrrepsError(f"Irreps: expected terms such as '8x0e' or '1o', got {shown(term)}")
    return _check_part(int(mul), irrep)
