r"""Radial functions g_n(dist): inverse powers, Bessel functions and cosines of an exponential, the latter two cut off.

.. math:: R_{e,l,n} = g_n(d_e)\, d_e^{-l}

The factor d^-l turns solid harmonics into spherical ones, so a network may evaluate harmonics as polynomials.
Derivation: docs/derivations/radial.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.errors import GeometryError, IrrepsError, ShapeError
from nbody_ref.ops._check import check_array

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


class Radial:
    """A family of `n` functions of a distance; subclasses are values that can be compared and written as JSON."""

    n: int

    def derivatives(self, d: Array, order: int) -> list[Array]:
        """g, g', ... up to `order` <= 2 at distances d (E,): a list of arrays (E, n)."""
        raise TypeError(f"{type(self).__name__} must define derivatives(d, order)")

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
        if not self.powers or not all(isinstance(s, int) for s in self.powers):
            raise IrrepsError(f"InversePowers: 'powers' must be integers, at least one, got {self.powers}")

    @property
    def n(self) -> int:  # type: ignore[override]
        """Number of functions."""
        return len(self.powers)

    def derivatives(self, d: Array, order: int) -> list[Array]:
        """d^-s, -s d^(-s-1), s (s+1) d^(-s-2)."""
        s = np.array(self.powers)
        factors = (np.ones_like(s), -s, s * (s + 1))
        return [factors[i] * _power(d, self.powers, i) for i in range(order + 1)]


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

    def derivatives(self, d: Array, order: int) -> list[Array]:
        """With s = sin(a d)/d: s' = (a cos(a d) - s)/d and s'' = -(a^2 sin(a d) + 2 s')/d."""
        a = np.pi * np.arange(1, self.n + 1) / self.cutoff
        x = d[:, None]
        sine = np.sin(a * x)
        s = sine / x
        found = [s]
        if order >= 1:
            found.append((a * np.cos(a * x) - s) / x)
        if order >= 2:
            found.append(-(a * a * sine + 2 * found[1]) / x)
        scale = np.sqrt(2.0 / self.cutoff)
        return _times_cutoff([scale * h for h in found], d, self.cutoff, self.p)


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
        if not self.scale > 0:
            raise GeometryError(f"ExponentialCosine: 'scale' must be a positive length, got {self.scale}")

    def derivatives(self, d: Array, order: int) -> list[Array]:
        """With z = n pi exp(-d / s), z' = -z / s: c' = z sin z / s and c'' = -z (sin z + z cos z) / s^2."""
        z = np.pi * np.arange(self.n) * np.exp(-d / self.scale)[:, None]
        cosine, sine = np.cos(z), np.sin(z)
        found = [cosine, z * sine / self.scale, -z * (sine + z * cosine) / self.scale**2][: order + 1]
        return _times_cutoff(found, d, self.cutoff, self.p)


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


def radial(dist: Array, basis: Radial, lmax: int) -> Array:
    r"""Radial functions over powers of the distance, :math:`R_{e,l,n} = g_n(d_e) d_e^{-l}`.

    Parameters
    ----------
    dist : (E,) float64
        Distances, positive; Angstrom where lengths have a unit.
    basis : Radial
    lmax : int
        Degrees 0..lmax.

    Returns
    -------
    (E, lmax + 1, n) float64

    Raises
    ------
    ShapeError, DTypeError
        If `dist` is not a vector of float64.
    GeometryError
        If a distance is not positive and finite.

    Notes
    -----
    Error bound and gradient: docs/derivations/radial.md, `radial_vjp`.
    """
    return _scaled("radial", dist, basis, lmax, 0)


def radial_jvp(dist: Array, dist_dot: Array | None, basis: Radial, lmax: int) -> Array | None:
    """Tangent of `radial`: R' d_dot."""
    if dist_dot is None:
        return None
    return _scaled("radial_jvp", dist, basis, lmax, 1) * dist_dot[:, None, None]  # D1


def radial_vjp(
    y_bar: Array, dist: Array, basis: Radial, lmax: int, needs: tuple[bool, ...] | None = None
) -> tuple[Array | None]:
    """Cotangent of `radial`: the sum over degrees and functions of y_bar R'."""
    slope = _scaled("radial_vjp", dist, basis, lmax, 1)
    _check_cotangent("radial_vjp", y_bar, slope)
    return (np.einsum("eln,eln->e", y_bar, slope),)  # D3


def radial_vjp_jvp(
    y_bar: Array,
    dist: Array,
    y_bar_dot: Array | None,
    dist_dot: Array | None,
    basis: Radial,
    lmax: int,
    needs: tuple[bool, ...] | None = None,
) -> tuple[Array | None]:
    """Tangent of the cotangent: the sum of y_bar_dot R' + y_bar R'' d_dot."""
    out: Array | None = None
    if y_bar_dot is not None:
        out = radial_vjp(y_bar_dot, dist, basis, lmax)[0]  # D4, first term
    if dist_dot is not None:
        curvature = _scaled("radial_vjp_jvp", dist, basis, lmax, 2)
        _check_cotangent("radial_vjp_jvp", y_bar, curvature)
        second = np.einsum("eln,eln->e", y_bar, curvature) * dist_dot  # D4, second term
        out = second if out is None else out + second
    return (out,)


def _scaled(function: str, dist: Array, basis: Radial, lmax: int, order: int) -> Array:
    """The derivative of that order of g_n(d) d^-l, (E, lmax + 1, n), by the product rule."""
    check_array(function, "dist", dist, (None,), ("float64",))
    if lmax < 0:
        raise IrrepsError(f"{function}: 'lmax' must be non-negative, got {lmax}")
    if dist.size and not (np.isfinite(dist).all() and dist.min() > 0):
        edge = int(np.argmax(~(np.isfinite(dist) & (dist > 0))))
        raise GeometryError(f"{function}: 'dist' must be positive and finite, got {dist[edge]} at edge {edge}")
    g = basis.derivatives(dist, order)
    l = np.arange(lmax + 1)
    powers = [_power(dist, tuple(l.tolist()), i)[:, :, None] for i in range(order + 1)]
    falling = (np.ones_like(l), -l, l * (l + 1))
    binomial = ((1,), (1, 1), (1, 2, 1))[order]
    terms = [  # D1: the derivative of order i of d^-l times that of order (order - i) of g
        b * falling[i][:, None] * powers[i] * g[order - i][:, None, :] for i, b in enumerate(binomial)
    ]
    total: Array = np.sum(terms, axis=0)
    return total


def _power(d: Array, s: tuple[int, ...], extra: int) -> Array:
    """d^-(s + extra) for integers s, (E, len(s))."""
    return np.stack([d ** -float(i + extra) for i in s], axis=1)


def _times_cutoff(h: list[Array], d: Array, cutoff: float, p: int) -> list[Array]:
    """Derivatives of h(d) f_p(d / cutoff), zero from the cutoff on."""
    f = [value[:, None] for value in _cutoff(d / cutoff, p, len(h) - 1)]
    f = [value / cutoff**i for i, value in enumerate(f)]
    found = [h[0] * f[0]]
    if len(h) > 1:
        found.append(h[1] * f[0] + h[0] * f[1])
    if len(h) > 2:
        found.append(h[2] * f[0] + 2 * h[1] * f[1] + h[0] * f[2])
    return found


def _cutoff(x: Array, p: int, order: int) -> list[Array]:
    """f = (1-x)^3 sum_{k<p} (k+1)(k+2)/2 x^k and its derivatives: sums of positive terms, so no digits cancel at 1."""
    x = np.minimum(x, 1.0)
    rest, c = 1.0 - x, p * (p + 1) * (p + 2) / 2
    series = np.zeros_like(x)
    for k in reversed(range(p)):
        series = series * x + (k + 1) * (k + 2) / 2
    found = [rest**3 * series]
    if order >= 1:
        found.append(-c * x ** (p - 1) * rest**2)
    if order >= 2:
        bracket = (p - 1) * rest - 2 * x
        found.append(-c * (x ** (p - 2) if p > 1 else 1.0 / x) * rest * bracket)
    return found


def _check_family(family: Radial, n: int, cutoff: float, p: int) -> None:
    name = type(family).__name__
    if n < 1 or p < 1:
        raise IrrepsError(f"{name}: 'n' and 'p' must be positive integers, got {n} and {p}")
    if not cutoff > 0:
        raise GeometryError(f"{name}: 'cutoff' must be a positive length in Angstrom, got {cutoff}")


def _check_cotangent(function: str, y_bar: Array, like: Array) -> None:
    if y_bar.shape != like.shape:
        raise ShapeError(f"{function}: 'y_bar' must have shape {like.shape}, got {y_bar.shape}")
