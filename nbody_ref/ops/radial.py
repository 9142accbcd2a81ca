r"""Radial functions g_n(dist): inverse powers, Bessel functions and cosines of an exponential, the latter two cut off.

.. math:: R_{e,l,n} = g_n(d_e)\, d_e^{-l}

The factor d^-l turns solid harmonics into spherical ones, so a network may evaluate harmonics as polynomials.
Derivation: docs/derivations/radial.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import DTypeError, GeometryError, IrrepsError
from nbody_ref.kernels import radial as loops
from nbody_ref.ops._check import check_array, check_like, check_needs
from nbody_ref.tables import check_degree

__all__ = [
    "Bessel",
    "ExponentialCosine",
    "InversePowers",
    "Radial",
    "radial",
    "radial_from_dict",
    "radial_jvp",
    "radial_vjp",
    "radial_vjp_jvp",
]

Array = np.ndarray[Any, Any]
_BLOCK = 512  # edges
_LARGEST = 1000  # exponents and degrees of a cutoff: powers are formed by repeated multiplication


class Radial:
    """A family of `n` functions of a distance; subclasses are values that can be compared and written as JSON.

    A new family is a frozen dataclass with the number `n` and `fill`, named in `radial_from_dict`.
    """

    n: int

    def fill(self, d: Array, g: Array) -> None:
        """Write the derivatives of order 0..len(g) - 1 <= 2 at distances d (E,) into g (order + 1, E, n)."""
        raise TypeError(f"{type(self).__name__} must define fill(d, g)")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description, read back by `radial_from_dict`."""
        fields = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        return {"radial": type(self).__name__, **fields}


@dataclass(frozen=True)
class InversePowers(Radial):
    r"""The paper's radial functions, :math:`g_s(d) = d^{-s}` of eqs. (6), (10)-(12); s may be negative.

    Parameters
    ----------
    powers : tuple of int
    """

    powers: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self) -> None:
        try:
            powers = tuple(check_integer("InversePowers", "powers", s, -_LARGEST) for s in self.powers)
        except (IrrepsError, TypeError):
            powers = ()
        if not powers or max(powers) > _LARGEST:
            rule = f"integers from -{_LARGEST} to {_LARGEST}, at least one"
            raise IrrepsError(f"InversePowers: 'powers' must be {rule}, got {self.powers!r}")
        object.__setattr__(self, "powers", powers)

    @property
    def n(self) -> int:  # type: ignore[override]
        """Number of functions."""
        return len(self.powers)

    def fill(self, d: Array, g: Array) -> None:
        """Powers by repeated multiplication."""
        loops.inverse_powers(d, np.array(self.powers, np.int64), g)


@dataclass(frozen=True)
class Bessel(Radial):
    r"""Spherical Bessel functions of order zero with a polynomial cutoff,
    :math:`g_n(d) = \sqrt{2/r_c}\, \sin(n \pi d / r_c)/d\; f_p(d/r_c)`, n = 1..n.

    Parameters
    ----------
    n : int
    cutoff : float
        r_c, Angstrom.
    p : int
        Degree of the cutoff at small distance; value, first and second derivative vanish at r_c for every p >= 1.
    """

    n: int
    cutoff: float
    p: int = 6

    def __post_init__(self) -> None:
        _check_family(self, self.n, self.cutoff, self.p)

    def fill(self, d: Array, g: Array) -> None:
        """Exactly zero from the cutoff on."""
        loops.bessel(d, float(self.cutoff), self.p, g)


@dataclass(frozen=True)
class ExponentialCosine(Radial):
    r"""Cosines of an exponential with a polynomial cutoff,
    :math:`g_n(d) = \cos(n \pi e^{-d/\sigma})\, f_p(d/r_c)`, n = 0..n-1.

    The variable y = exp(-d / sigma) resolves short distances, where forces change fastest; n counts half waves in y.

    Parameters
    ----------
    n : int
    cutoff : float
        r_c, Angstrom.
    p : int
        As in `Bessel`.
    scale : float
        sigma, Angstrom.
    """

    n: int
    cutoff: float
    p: int = 4
    scale: float = 1.0

    def __post_init__(self) -> None:
        _check_family(self, self.n, self.cutoff, self.p)
        object.__setattr__(self, "scale", _length("ExponentialCosine", "scale", self.scale))

    def fill(self, d: Array, g: Array) -> None:
        """Exactly zero from the cutoff on."""
        loops.exponential_cosine(d, float(self.scale), float(self.cutoff), self.p, g)


def radial_from_dict(data: Mapping[str, Any]) -> Radial:
    """Inverse of `Radial.to_dict`.

    Raises
    ------
    IrrepsError
        If the family is unknown.
    """
    families: dict[str, Any] = {family.__name__: family for family in (InversePowers, Bessel, ExponentialCosine)}
    name = data.get("radial")
    if name not in families:
        raise IrrepsError(f"radial_from_dict: 'radial' must be one of {sorted(families)}, got {name!r}")
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k != "radial"}
    made: Radial = families[name](**fields)
    return made


def radial(dist: Any, basis: Radial, lmax: int) -> Array:
    r"""Radial functions over powers of the distance, :math:`R_{e,l,n} = g_n(d_e) d_e^{-l}`.

    Parameters
    ----------
    dist : (E,) float64 or float32
        Distances, positive; Angstrom where lengths have a unit.
    basis : Radial
    lmax : int
        Degrees 0..lmax.

    Returns
    -------
    (E, lmax + 1, n) same dtype

    Raises
    ------
    ShapeError, DTypeError
        If `dist` is not a vector of real floating numbers, or `basis` no `Radial`.
    IrrepsError
        If `lmax` is not a non-negative integer.
    GeometryError
        If a distance is not positive and finite.

    Notes
    -----
    Error bound k u S with k = 15 n + 2 p + 24 + 2 l (families with a cutoff) or 2 |s| + 12 + 2 l (inverse powers);
    S and the derivation: docs/derivations/radial.md. Gradient: `radial_vjp`.
    """
    return _divided("radial", dist, basis, lmax, 0)


def radial_jvp(dist: Any, dist_dot: Any, basis: Radial, lmax: int) -> Array | None:
    """Tangent of `radial`: R' d_dot."""
    if dist_dot is None:
        return None
    slope = _divided("radial_jvp", dist, basis, lmax, 1)
    v = check_array("radial_jvp", "dist_dot", dist_dot, (len(slope),), (slope.dtype,))
    return np.multiply(slope, v[:, None, None], out=slope)  # D2


def radial_vjp(
    y_bar: Any, dist: Any, basis: Radial, lmax: int, needs: tuple[bool, ...] | None = None
) -> tuple[Array | None]:
    """Cotangent of `radial`, (E,): the sum over degrees and functions of y_bar R'."""
    d, lmax = _check_distances("radial_vjp", dist, basis, lmax)
    y = check_array("radial_vjp", "y_bar", y_bar, (len(d), lmax + 1, basis.n), (d.dtype,))
    if not check_needs("radial_vjp", needs, 1)[0]:
        return (None,)
    d_bar = np.empty_like(d)
    for edges, g in _blocks(d, basis, 1):
        loops.contract(y[edges], d[edges], g, d_bar[edges])  # D4
    return (d_bar,)


def radial_vjp_jvp(
    y_bar: Any,
    dist: Any,
    y_bar_dot: Any,
    dist_dot: Any,
    basis: Radial,
    lmax: int,
    needs: tuple[bool, ...] | None = None,
) -> tuple[Array | None]:
    """Tangent of the cotangent, (E,): the sum of y_bar_dot R' + y_bar R'' d_dot; None if both tangents are."""
    d, lmax = _check_distances("radial_vjp_jvp", dist, basis, lmax)
    y = check_array("radial_vjp_jvp", "y_bar", y_bar, (len(d), lmax + 1, basis.n), (d.dtype,))
    y_dot = check_like("radial_vjp_jvp", "y_bar_dot", y_bar_dot, y)
    v = check_like("radial_vjp_jvp", "dist_dot", dist_dot, d)
    if not check_needs("radial_vjp_jvp", needs, 1)[0] or (y_dot is None and v is None):
        return (None,)
    d_bar_dot, curved = np.zeros_like(d), np.zeros_like(d)
    for edges, g in _blocks(d, basis, 1 if v is None else 2):
        if y_dot is not None:
            loops.contract(y_dot[edges], d[edges], g[:2], d_bar_dot[edges])  # D4
        if v is not None:
            loops.contract(y[edges], d[edges], g, curved[edges])  # D5
    return (d_bar_dot if v is None else d_bar_dot + curved * v,)  # D6


def _divided(function: str, dist: Any, basis: Radial, lmax: int, order: int) -> Array:
    """The derivative of that order of g_n(d) d^-l, (E, lmax + 1, n)."""
    d, lmax = _check_distances(function, dist, basis, lmax)
    R = np.empty((len(d), lmax + 1, basis.n), d.dtype)
    for edges, g in _blocks(d, basis, order):
        loops.divide(d[edges], g, R[edges])
    return R


def _blocks(d: Array, basis: Radial, order: int) -> Iterator[tuple[slice, Array]]:
    """Edges in blocks that stay in cache, with the derivatives g (order + 1, edges of the block, n) of each."""
    g = np.empty((order + 1, min(len(d), _BLOCK), basis.n), d.dtype)
    for start in range(0, len(d), _BLOCK):
        edges = slice(start, min(start + _BLOCK, len(d)))
        if edges.stop - start < g.shape[1]:
            g = np.empty((order + 1, edges.stop - start, basis.n), d.dtype)
        basis.fill(d[edges], g)
        yield edges, g


def _check_distances(function: str, dist: Any, basis: Radial, lmax: Any) -> tuple[Array, int]:
    """Distances, and lmax as a Python integer."""
    if not isinstance(basis, Radial):
        raise DTypeError(f"{function}: 'basis' must be a Radial such as Bessel, got {type(basis).__name__}")
    lmax = check_degree(function, "lmax", lmax)
    d = check_array(function, "dist", dist, (None,))
    if d.size and not (np.isfinite(d).all() and d.min() > 0):
        edge = int(np.argmax(~(np.isfinite(d) & (d > 0))))
        raise GeometryError(f"{function}: 'dist' must be positive and finite, got {d[edge]} at edge {edge}")
    return d, lmax


def _check_family(family: Radial, n: Any, cutoff: Any, p: Any) -> None:
    name = type(family).__name__
    n, p = check_integer(name, "n", n, 1), check_integer(name, "p", p, 1)
    if max(n, p) > _LARGEST:
        raise IrrepsError(f"{name}: 'n' and 'p' must be at most {_LARGEST}, got {n} and {p}")
    for key, value in (("n", n), ("cutoff", _length(name, "cutoff", cutoff)), ("p", p)):
        object.__setattr__(family, key, value)


def _length(name: str, argument: str, value: Any) -> float:
    """A positive length as a Python float, which is JSON; NumPy's float32 is not."""
    length = float(value) if isinstance(value, (int, float, np.integer, np.floating)) else 0.0
    if isinstance(value, bool) or not 0 < length < np.inf:
        raise GeometryError(f"{name}: '{argument}' must be a positive length in Angstrom, got {value!r}")
    return length
