r"""Radial functions with learned constants: sines over powers of the distance, and a soft cutoff.

.. math:: R_{e,(n,k)} = d_e^{-k} \sin(2\pi s_n d_e + \varphi_n), \qquad
          y_{e,c} = \sigma\Big(\frac{\max(\epsilon, |r_c|) - d_e}{\max(\epsilon, |w_c|)}\Big)

Both are Cormorant's (Anderson, Hy and Kondor 2019). Derivation: docs/derivations/learned_radial.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.errors import GeometryError
from nbody_ref.ops._check import check_array, check_like, check_needs
from nbody_ref.ops.activation import Activation, derivatives
from nbody_ref.tables import check_degree

__all__ = [
    "sine_powers",
    "sine_powers_jvp",
    "sine_powers_vjp",
    "sine_powers_vjp_jvp",
    "soft_cutoff",
    "soft_cutoff_jvp",
    "soft_cutoff_vjp",
    "soft_cutoff_vjp_jvp",
]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...] | None
Adjoints = tuple[Array | None, ...]

SMALLEST = 1e-3  # of a learned radius or width, Angstrom
_TURN = 2 * np.pi
_SIGMOID = Activation("sigmoid")


def sine_powers(dist: Any, s: Any, phi: Any, degree: int) -> Array:
    r"""Sines over powers of the distance, :math:`R_{e,(n,k)} = d_e^{-k} \sin(2\pi s_n d_e + \varphi_n)`, k = 0..degree.

    Parameters
    ----------
    dist : (E,) float64
        Positive; Angstrom.
    s, phi : (1, n) float64
        Learned frequencies, 1/Angstrom, and phases.
    degree : int
        Largest power K.

    Returns
    -------
    (E, n * (degree + 1)) float64
        k fastest.

    Raises
    ------
    ShapeError, DTypeError
        If an argument has another shape or dtype.
    GeometryError
        If a distance is not positive and finite.
    IrrepsError
        If `degree` is not a non-negative integer.

    Notes
    -----
    |computed - exact| <= (K + 8) u d^-k (1 + |2 pi s d| + |phi|). Gradient: `sine_powers_vjp`.
    """
    w = _waves("sine_powers", dist, s, phi, degree)
    return np.reshape(w.sin[:, :, None] * w.power[:, None, :], w.shape)  # D1


def sine_powers_jvp(dist: Any, s: Any, phi: Any, dist_dot: Any, s_dot: Any, phi_dot: Any, degree: int) -> Array | None:
    """Tangent of `sine_powers`; None where all tangents are None."""
    w = _waves("sine_powers_jvp", dist, s, phi, degree)
    if dist_dot is None and s_dot is None and phi_dot is None:
        return None
    angle_dot, power_dot, _ = _wave_tangents(w, dist_dot, s_dot, phi_dot)
    moved = (w.cos * angle_dot)[:, :, None] * w.power[:, None, :] + w.sin[:, :, None] * power_dot[:, None, :]
    return np.reshape(moved, w.shape)  # D2


def sine_powers_vjp(y_bar: Any, dist: Any, s: Any, phi: Any, degree: int, needs: Needs = None) -> Adjoints:
    r"""Cotangents of `sine_powers`, with A the angle and :math:`\bar A = \cos A \sum_k \bar y\, d^{-k}`."""
    w = _waves("sine_powers_vjp", dist, s, phi, degree)
    g = check_array("sine_powers_vjp", "y_bar", y_bar, w.shape)
    wanted = check_needs("sine_powers_vjp", needs, 3)
    angle_bar, power_bar, _ = _wave_cotangents(w, g)
    d_bar = _TURN * (angle_bar * w.s).sum(axis=1) + (power_bar * w.slope).sum(axis=1)  # D3
    s_bar = _TURN * (w.d[:, None] * angle_bar).sum(axis=0, keepdims=True)  # D4
    phi_bar = angle_bar.sum(axis=0, keepdims=True)  # D5
    return tuple(bar if want else None for bar, want in zip((d_bar, s_bar, phi_bar), wanted, strict=True))


def sine_powers_vjp_jvp(
    y_bar: Any,
    dist: Any,
    s: Any,
    phi: Any,
    y_bar_dot: Any,
    dist_dot: Any,
    s_dot: Any,
    phi_dot: Any,
    degree: int,
    needs: Needs = None,
) -> Adjoints:
    """Tangents of the cotangents of `sine_powers`; None where all tangents are None."""
    name = "sine_powers_vjp_jvp"
    w = _waves(name, dist, s, phi, degree)
    wanted = check_needs(name, needs, 3)
    if y_bar_dot is None and dist_dot is None and s_dot is None and phi_dot is None:
        return (None, None, None)
    g = check_array(name, "y_bar", y_bar, w.shape)
    angle_dot, power_dot, slope_dot = _wave_tangents(w, dist_dot, s_dot, phi_dot)
    angle_bar, power_bar, total = _wave_cotangents(w, g)
    g_dot = np.zeros_like(g) if y_bar_dot is None else check_like(name, "y_bar_dot", y_bar_dot, g)
    cube, cube_dot = (x.reshape(*w.sin.shape, w.power.shape[1]) for x in (g, np.asarray(g_dot)))
    total_dot = (cube_dot * w.power[:, None, :] + cube * power_dot[:, None, :]).sum(axis=2)
    angle_bar_dot = total_dot * w.cos - total * w.sin * angle_dot
    power_bar_dot = (cube_dot * w.sin[:, :, None] + cube * (w.cos * angle_dot)[:, :, None]).sum(axis=1)
    v, s_move = _or_zero("dist_dot", dist_dot, w.d), _or_zero("s_dot", s_dot, w.s)
    d_bar = _TURN * (angle_bar_dot * w.s + angle_bar * s_move).sum(axis=1)
    d_bar = d_bar + (power_bar_dot * w.slope + power_bar * slope_dot).sum(axis=1)  # D6
    s_bar = _TURN * (w.d[:, None] * angle_bar_dot + v[:, None] * angle_bar).sum(axis=0, keepdims=True)
    phi_bar = angle_bar_dot.sum(axis=0, keepdims=True)
    return tuple(bar if want else None for bar, want in zip((d_bar, s_bar, phi_bar), wanted, strict=True))


class _Waves(NamedTuple):
    d: Array
    s: Array
    sin: Array
    cos: Array
    power: Array  # d^-k, and its derivative
    slope: Array

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the result."""
        return len(self.d), self.sin.shape[1] * self.power.shape[1]


def _waves(function: str, dist: Any, s: Any, phi: Any, degree: int) -> _Waves:
    d = check_array(function, "dist", dist, (None,), (np.float64,))
    s = check_array(function, "s", s, (1, None), (np.float64,))
    phi = check_array(function, "phi", phi, s.shape, (np.float64,))
    degree = check_degree(function, "degree", degree)
    if d.size and not (np.isfinite(d).all() and d.min() > 0):
        edge = int(np.argmax(~(np.isfinite(d) & (d > 0))))
        raise GeometryError(f"{function}: 'dist' must be positive and finite, got {d[edge]} at edge {edge}")
    angle, k = _TURN * (d[:, None] * s) + phi, np.arange(degree + 1)
    power = d[:, None] ** -k.astype(float)
    return _Waves(d, s, np.sin(angle), np.cos(angle), power, -k * power / d[:, None])


def _wave_tangents(w: _Waves, dist_dot: Any, s_dot: Any, phi_dot: Any) -> tuple[Array, Array, Array]:
    """Tangents of the angle, of d^-k and of its slope."""
    v, k = _or_zero("dist_dot", dist_dot, w.d)[:, None], np.arange(w.power.shape[1])
    s_move, phi_move = _or_zero("s_dot", s_dot, w.s), _or_zero("phi_dot", phi_dot, w.s)
    angle_dot = _TURN * (v * w.s + w.d[:, None] * s_move) + phi_move
    return angle_dot, w.slope * v, -(k + 1) * w.slope / w.d[:, None] * v


def _wave_cotangents(w: _Waves, g: Array) -> tuple[Array, Array, Array]:
    """Cotangents of the angle and of d^-k, and the former without its cosine."""
    cube = g.reshape(*w.sin.shape, w.power.shape[1])
    total = (cube * w.power[:, None, :]).sum(axis=2)
    return total * w.cos, (cube * w.sin[:, :, None]).sum(axis=1), total


def soft_cutoff(dist: Any, radius: Any, width: Any) -> Array:
    r"""Soft cutoffs of learned radius and width, :math:`y_{e,c} = \sigma((a_c - d_e)/b_c)`.

    a and b are the absolute values of radius and width, but at least 0.001 Angstrom.

    Parameters
    ----------
    dist : (E,) float64
        Non-negative; Angstrom.
    radius, width : (1, n) float64
        Learned; Angstrom, of either sign.

    Returns
    -------
    (E, n) float64

    Raises
    ------
    ShapeError, DTypeError
        If an argument has another shape or dtype.

    Notes
    -----
    It does not vanish at any distance: the energy jumps where a neighbour list ends, by exp(-(cutoff - a)/b).
    |computed - exact| <= 8 u y (1 + |a - d|/b). Gradient: `soft_cutoff_vjp`.
    """
    return np.asarray(_cutoffs("soft_cutoff", dist, radius, width, 0).y[0])  # C1


def soft_cutoff_jvp(dist: Any, radius: Any, width: Any, dist_dot: Any, radius_dot: Any, width_dot: Any) -> Array | None:
    """Tangent of `soft_cutoff`; None where all tangents are None."""
    c = _cutoffs("soft_cutoff_jvp", dist, radius, width, 1)
    if dist_dot is None and radius_dot is None and width_dot is None:
        return None
    return np.asarray(c.y[1] * _cutoff_tangents(c, dist_dot, radius_dot, width_dot)[0])  # C2


def soft_cutoff_vjp(y_bar: Any, dist: Any, radius: Any, width: Any, needs: Needs = None) -> Adjoints:
    r"""Cotangents of `soft_cutoff`, from :math:`\bar u = \sigma'(u)\,\bar y` with u the argument."""
    c = _cutoffs("soft_cutoff_vjp", dist, radius, width, 1)
    g = check_array("soft_cutoff_vjp", "y_bar", y_bar, c.u.shape)
    wanted = check_needs("soft_cutoff_vjp", needs, 3)
    u_bar = g * c.y[1] / c.b
    bars = (
        -u_bar.sum(axis=1),  # C3
        c.turn_a * u_bar.sum(axis=0, keepdims=True),  # C4
        -c.turn_b * (u_bar * c.u).sum(axis=0, keepdims=True),  # C5
    )
    return tuple(bar if want else None for bar, want in zip(bars, wanted, strict=True))


def soft_cutoff_vjp_jvp(
    y_bar: Any,
    dist: Any,
    radius: Any,
    width: Any,
    y_bar_dot: Any,
    dist_dot: Any,
    radius_dot: Any,
    width_dot: Any,
    needs: Needs = None,
) -> Adjoints:
    """Tangents of the cotangents of `soft_cutoff`; None where all tangents are None."""
    name = "soft_cutoff_vjp_jvp"
    c = _cutoffs(name, dist, radius, width, 2)
    wanted = check_needs(name, needs, 3)
    if y_bar_dot is None and dist_dot is None and radius_dot is None and width_dot is None:
        return (None, None, None)
    g = check_array(name, "y_bar", y_bar, c.u.shape)
    g_dot = np.zeros_like(g) if y_bar_dot is None else np.asarray(check_like(name, "y_bar_dot", y_bar_dot, g))
    u_dot, b_dot = _cutoff_tangents(c, dist_dot, radius_dot, width_dot)
    u_bar = g * c.y[1] / c.b
    u_bar_dot = (g_dot * c.y[1] + g * c.y[2] * u_dot) / c.b - u_bar * b_dot / c.b
    bars = (
        -u_bar_dot.sum(axis=1),  # C6
        c.turn_a * u_bar_dot.sum(axis=0, keepdims=True),
        -c.turn_b * (u_bar_dot * c.u + u_bar * u_dot).sum(axis=0, keepdims=True),
    )
    return tuple(bar if want else None for bar, want in zip(bars, wanted, strict=True))


class _Cutoffs(NamedTuple):
    d: Array
    y: Array  # derivatives of the logistic function at u
    u: Array
    b: Array
    turn_a: Array  # derivatives of max(eps, |x|)
    turn_b: Array


def _cutoffs(function: str, dist: Any, radius: Any, width: Any, order: int) -> _Cutoffs:
    d = check_array(function, "dist", dist, (None,), (np.float64,))
    radius = check_array(function, "radius", radius, (1, None), (np.float64,))
    width = check_array(function, "width", width, radius.shape, (np.float64,))
    a, b = np.maximum(SMALLEST, abs(radius)), np.maximum(SMALLEST, abs(width))
    u = (a - d[:, None]) / b
    turns = (np.where(abs(x) > SMALLEST, np.sign(x), 0.0) for x in (radius, width))
    return _Cutoffs(d, derivatives(u, _SIGMOID, order), u, b, *turns)


def _cutoff_tangents(c: _Cutoffs, dist_dot: Any, radius_dot: Any, width_dot: Any) -> tuple[Array, Array]:
    v = _or_zero("dist_dot", dist_dot, c.d)[:, None]
    a_dot = c.turn_a * _or_zero("radius_dot", radius_dot, c.b)
    b_dot = c.turn_b * _or_zero("width_dot", width_dot, c.b)
    return (a_dot - v - c.u * b_dot) / c.b, b_dot


def _or_zero(name: str, dot: Any, like: Array) -> Array:
    found = check_like("learned_radial", name, dot, like)
    return np.zeros_like(like) if found is None else found
