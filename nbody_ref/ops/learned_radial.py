r"""Radial functions with learned constants: sines over powers of the distance, and a soft cutoff.

.. math:: R_{e,(n,k)} = d_e^{-k} \sin(2\pi s_n d_e + \varphi_n), \qquad
          y_{e,c} = \sigma\Big(\frac{\max(\epsilon, |r_c|) - d_e}{\max(\epsilon, |w_c|)}\Big)

Both are Cormorant's (Anderson, Hy and Kondor 2019). Derivation: docs/derivations/learned_radial.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.certified.lowering import Lowering
from nbody_ref.certified.program import ONE, Apply, Sum
from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.certified.waves import Waves
from nbody_ref.errors import NBodyRefError
from nbody_ref.ops._check import check_array
from nbody_ref.ops._op import Arguments, CheckedOp, Example
from nbody_ref.ops.activation import Activation, ActivationFunction, derivatives
from nbody_ref.ops.radial import check_distances
from nbody_ref.ops.radial_families import InversePowers, RadialFunction
from nbody_ref.tables import check_degree

__all__ = [
    "SINE_POWERS",
    "SOFT_CUTOFF",
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
Needs = tuple[bool, ...]
Bars = tuple[Array, ...]

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

    Examples
    --------
    >>> from nbody_ref.ops.learned_radial import sine_powers
    >>> import numpy as np
    >>> sine_powers(np.array([2.0]), np.array([[0.125]]), np.array([[0.0]]), 1)
    array([[1. , 0.5]])
    """
    return SINE_POWERS.value(dist, s, phi, degree)


class _SinePowers(CheckedOp):
    inputs, statics = ("dist", "s", "phi"), ("degree",)

    def check(self, function: str, dist: Any, s: Any, phi: Any, degree: Any) -> Arguments:
        d = check_distances(function, dist, (np.float64,))
        s = check_array(function, "s", s, (1, None), (np.float64,))
        phi = check_array(function, "phi", phi, s.shape, (np.float64,))
        degree = check_degree(function, "degree", degree)
        angle, k = _TURN * (d[:, None] * s) + phi, np.arange(degree + 1)
        power = d[:, None] ** -k.astype(float)
        w = _Waves(d, s, np.sin(angle), np.cos(angle), power, -k * power / d[:, None])
        return Arguments((d, s, phi), (w,), (len(d), s.shape[1] * (degree + 1)), d.dtype)

    def forward(self, dist: Array, s: Array, phi: Array, w: _Waves) -> Array:
        return np.reshape(w.sin[:, :, None] * w.power[:, None, :], w.shape)  # D1

    def tangent(self, dist: Array, s: Array, phi: Array, *rest: Any) -> Array:
        *dots, w = rest
        angle_dot, power_dot, _ = _wave_tangents(w, *dots)
        moved = (w.cos * angle_dot)[:, :, None] * w.power[:, None, :] + w.sin[:, :, None] * power_dot[:, None, :]
        return np.reshape(moved, w.shape)  # D2

    def cotangents(self, needs: Needs, g: Array, dist: Array, s: Array, phi: Array, w: _Waves) -> Bars:
        r"""With A the angle, from :math:`\bar A = \cos A \sum_k \bar y\, d^{-k}`."""
        angle_bar, power_bar, _ = _wave_cotangents(w, g)
        d_bar = _TURN * (angle_bar * w.s).sum(axis=1) + (power_bar * w.slope).sum(axis=1)  # D3
        s_bar = _TURN * (w.d[:, None] * angle_bar).sum(axis=0, keepdims=True)  # D4
        return d_bar, s_bar, angle_bar.sum(axis=0, keepdims=True)  # D5

    def turning(self, needs: Needs, g: Array, dist: Array, s: Array, phi: Array, *rest: Any) -> Bars:
        g_dot, *dots, w = rest
        angle_dot, power_dot, slope_dot = _wave_tangents(w, *dots)
        angle_bar, power_bar, total = _wave_cotangents(w, g)
        cube, cube_dot = (x.reshape(*w.sin.shape, w.power.shape[1]) for x in (g, _or_zero(g_dot, g)))
        total_dot = (cube_dot * w.power[:, None, :] + cube * power_dot[:, None, :]).sum(axis=2)
        angle_bar_dot = total_dot * w.cos - total * w.sin * angle_dot
        power_bar_dot = (cube_dot * w.sin[:, :, None] + cube * (w.cos * angle_dot)[:, :, None]).sum(axis=1)
        v, s_move = _or_zero(dots[0], w.d), _or_zero(dots[1], w.s)
        d_bar = _TURN * (angle_bar_dot * w.s + angle_bar * s_move).sum(axis=1)
        d_bar = d_bar + (power_bar_dot * w.slope + power_bar * slope_dot).sum(axis=1)  # D6
        s_bar = _TURN * (w.d[:, None] * angle_bar_dot + v[:, None] * angle_bar).sum(axis=0, keepdims=True)
        return d_bar, s_bar, angle_bar_dot.sum(axis=0, keepdims=True)

    def example(self, rng: np.random.Generator) -> Example:
        return [np.abs(rng.normal(size=4)) + 0.1, rng.normal(size=(1, 3)), rng.normal(size=(1, 3))], [3]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, degree: int) -> None:
        """sin(2 pi s d + phi) = sin(2 pi s d) cos(phi) + cos(2 pi s d) sin(phi), over powers of d."""
        (d, s, phi), add = inputs, low.program.add
        E, n = low.shape(d)[0], low.shape(s)[1]
        e, j = np.indices((E, n))
        turns = add(Sum(f"{out}/turns", (low.flat([(d, e), (s, j)], E * n),)))
        waves = add(Apply(f"{out}/waves", turns, Waves(True), 0, E * n))
        phases = add(Sum(f"{out}/phases", (low.flat([(phi, j[:1])], n),)))
        phase = add(Apply(f"{out}/phase", phases, Waves(False), 0, n))
        inverse = add(Apply(f"{out}/powers", d, RadialFunction(InversePowers(tuple(range(degree + 1))), 0), 0, E))
        every, (i, k) = np.arange(E), np.indices((n, degree + 1)).reshape(2, -1)
        shapes: dict[str, tuple[int, ...]] = {waves: (E * n * 2,), phase: (2 * n,), inverse: (E, degree + 1)}
        found, zero = [], np.zeros(len(i), np.int64)
        for a, b in ((0, 1), (1, 0)):
            legs = (Leg(waves, 2 * n * every, 2 * i + a), Leg(phase, 0 * every, 2 * i + b), Leg(inverse, every, k))
            found.append(Terms(every, i * (degree + 1) + k, (E, len(i)), legs, zero, ONE, shapes))
        add(Sum(out, tuple(found)))


SINE_POWERS = _SinePowers(sine_powers)
sine_powers_jvp, sine_powers_vjp, sine_powers_vjp_jvp = SINE_POWERS.derivatives()


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


def _wave_tangents(w: _Waves, dist_dot: Any, s_dot: Any, phi_dot: Any) -> tuple[Array, Array, Array]:
    """Tangents of the angle, of d^-k and of its slope."""
    v, k = _or_zero(dist_dot, w.d)[:, None], np.arange(w.power.shape[1])
    s_move, phi_move = _or_zero(s_dot, w.s), _or_zero(phi_dot, w.s)
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

    Examples
    --------
    >>> from nbody_ref.ops.learned_radial import soft_cutoff
    >>> import numpy as np
    >>> soft_cutoff(np.array([2.0]), np.array([[2.0]]), np.array([[0.5]]))
    array([[0.5]])
    """
    return SOFT_CUTOFF.value(dist, radius, width)


class _SoftCutoff(CheckedOp):
    inputs = ("dist", "radius", "width")

    def check(self, function: str, dist: Any, radius: Any, width: Any) -> Arguments:
        d = check_array(function, "dist", dist, (None,), (np.float64,))
        radius = check_array(function, "radius", radius, (1, None), (np.float64,))
        width = check_array(function, "width", width, radius.shape, (np.float64,))
        a, b = np.maximum(SMALLEST, abs(radius)), np.maximum(SMALLEST, abs(width))
        turns = (np.where(abs(x) > SMALLEST, np.sign(x), 0.0) for x in (radius, width))
        u = (a - d[:, None]) / b
        return Arguments((d, radius, width), (_Cutoffs(u, b, *turns),), u.shape, d.dtype)

    def forward(self, dist: Array, radius: Array, width: Array, c: _Cutoffs) -> Array:
        return np.asarray(derivatives(c.u, _SIGMOID, 0)[0])  # C1

    def tangent(self, dist: Array, radius: Array, width: Array, *rest: Any) -> Array:
        *dots, c = rest
        return np.asarray(derivatives(c.u, _SIGMOID, 1)[1] * _cutoff_tangents(c, *dots)[0])  # C2

    def cotangents(self, needs: Needs, g: Array, dist: Array, radius: Array, width: Array, c: _Cutoffs) -> Bars:
        r"""From :math:`\bar u = \sigma'(u)\,\bar y` with u the argument."""
        u_bar = g * derivatives(c.u, _SIGMOID, 1)[1] / c.b
        return (
            -u_bar.sum(axis=1),  # C3
            c.turn_a * u_bar.sum(axis=0, keepdims=True),  # C4
            -c.turn_b * (u_bar * c.u).sum(axis=0, keepdims=True),  # C5
        )

    def turning(self, needs: Needs, g: Array, dist: Array, radius: Array, width: Array, *rest: Any) -> Bars:
        g_dot, *dots, c = rest
        y, (u_dot, b_dot) = derivatives(c.u, _SIGMOID, 2), _cutoff_tangents(c, *dots)
        u_bar = g * y[1] / c.b
        u_bar_dot = (_or_zero(g_dot, g) * y[1] + g * y[2] * u_dot) / c.b - u_bar * b_dot / c.b
        return (
            -u_bar_dot.sum(axis=1),  # C6
            c.turn_a * u_bar_dot.sum(axis=0, keepdims=True),
            -c.turn_b * (u_bar_dot * c.u + u_bar * u_dot).sum(axis=0, keepdims=True),
        )

    def example(self, rng: np.random.Generator) -> Example:
        return [np.abs(rng.normal(size=4)) + 0.1, rng.normal(size=(1, 3)), rng.normal(size=(1, 3))], []

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str) -> None:
        """sigma((|a| - d) / |b|) for learned a, b of either sign, both beyond the smallest."""
        (d, a, b), add = inputs, low.program.add
        E, n = low.shape(d)[0], low.shape(a)[1]
        e, j = np.indices((E, n))
        if any((np.abs(np.ravel(low.values[name])) <= SMALLEST).any() for name in (a, b)):
            raise NBodyRefError(f"conformance: a learned cutoff of {SMALLEST} or less has no derivative in its weight")
        signs = [low.constant(np.sign(np.ravel(low.values[name]))[None]) for name in (a, b)]
        width = add(Sum(f"{out}/width", (low.flat([(b, j[:1]), (signs[1], j[:1])], n),)))
        inverse = add(Apply(f"{out}/inverse", width, RadialFunction(InversePowers((1,)), 0), 0, n))
        first = low.flat([(a, j), (signs[0], j), (inverse, j)], E * n, slack=8.0)
        second = low.flat([(d, e), (inverse, j)], E * n, sign=-1, slack=8.0)
        argument = add(Sum(f"{out}/argument", (first, second)))
        values = add(Apply(f"{out}/values", argument, ActivationFunction(_SIGMOID), 0, E * n))
        rows, columns = np.arange(E), np.arange(n)
        add(Sum(out, (low.linear((rows, columns), (E, n), values, (n * rows, columns)),)))


SOFT_CUTOFF = _SoftCutoff(soft_cutoff)
soft_cutoff_jvp, soft_cutoff_vjp, soft_cutoff_vjp_jvp = SOFT_CUTOFF.derivatives()


class _Cutoffs(NamedTuple):
    u: Array
    b: Array
    turn_a: Array  # derivatives of max(eps, |x|)
    turn_b: Array


def _cutoff_tangents(c: _Cutoffs, dist_dot: Any, radius_dot: Any, width_dot: Any) -> tuple[Array, Array]:
    v = _or_zero(dist_dot, c.u[:, 0])[:, None]
    a_dot = c.turn_a * _or_zero(radius_dot, c.b)
    b_dot = c.turn_b * _or_zero(width_dot, c.b)
    return (a_dot - v - c.u * b_dot) / c.b, b_dot


def _or_zero(dot: Any, like: Array) -> Array:
    return np.zeros_like(like) if dot is None else np.asarray(dot)
