r"""Real solid and spherical harmonics: the fragments of a direction, sec. 4 of the N-body paper.

Solid harmonics, :math:`|r|^l Y_{lm}(r/|r|)`, are polynomials and are evaluated as such, so the poles and the origin are
points like all others. Index of (l, m): l(l+1) + m. Derivations: docs/derivations/harmonics.md.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from nbody_ref.certified.functions import InversePowersOfRoot
from nbody_ref.certified.harmonics import solid_terms
from nbody_ref.certified.lowering import Lowering
from nbody_ref.certified.program import Apply
from nbody_ref.errors import ArgumentError, GeometryError
from nbody_ref.kernels import distance as vectors
from nbody_ref.kernels import harmonics as loops
from nbody_ref.kernels import harmonics_low as low
from nbody_ref.ops._check import check_array, check_finite, check_out
from nbody_ref.ops._op import Arguments, CheckedOp, Example, Gauges, Rows
from nbody_ref.ops.distance import squared_lengths
from nbody_ref.tables import check_basis, check_degree, check_normalization, harmonic_table, real_to_complex

__all__ = [
    "SOLID",
    "SPHERICAL",
    "solid",
    "solid_harmonics",
    "solid_jvp",
    "solid_vjp",
    "solid_vjp_jvp",
    "spherical",
    "spherical_harmonics",
    "spherical_jvp",
    "spherical_vjp",
    "spherical_vjp_jvp",
]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...]
Bars = tuple[Array, ...]


def solid_harmonics(
    lmax: int, r: Any, normalization: str = "integral", basis: str = "real", out: Array | None = None
) -> Array:
    r"""Solid harmonics of all degrees up to lmax, polynomials in x, y, z.

    .. math:: \mathcal{Y}_{lm}(r) = |r|^l\, Y_{lm}(r / |r|)

    Parameters
    ----------
    lmax : int
        Largest degree.
    r : (..., 3) float64 or float32
        Vectors (x, y, z); the polar axis is z. Zero vectors are allowed.
    normalization : {"integral", "component", "norm"}
        Y orthonormal on the sphere; sum over m of Y^2 = 2l + 1; sum over m of Y^2 = 1.
    basis : {"real", "complex"}
        Real harmonics without Condon-Shortley phase, l = 1 proportional to (y, z, x); or **conj(Y^l_m)**, Y^l_m with
        that phase: the covariant fragment of the direction, which turns with `wigner_D(l, R, "complex")`.
    out : (..., (lmax + 1)**2), same dtype as the result, optional
        Written and returned; C-contiguous, in its own memory; real basis only.

    Returns
    -------
    (..., (lmax + 1)**2) dtype of `r`, or the complex dtype of the same precision
        Entry l(l+1) + m.

    Raises
    ------
    IrrepsError
        If `lmax` is not a non-negative integer, or `normalization` or `basis` is unknown.
    ShapeError, DTypeError
        If the last axis of `r` is not 3, its dtype is not real floating, or `out` does not fit.
    GeometryError
        If `r` contains NaN or an infinity, or a power of its length up to `lmax` is beyond the numbers of the dtype.

    Notes
    -----
    Barring underflow, |computed - exact| <= (4 l + 2) u S, S the same recursion on absolute values; the
    complex basis adds 3 u S. Gradient: `solid_vjp`; derivation: docs/derivations/harmonics.md.

    Examples
    --------
    >>> solid_harmonics(1, np.array([0.0, 0.0, 2.0]), "norm")
    array([1., 0., 2., 0.])
    """
    return _public("solid_harmonics", _solid, lmax, r, normalization, basis, out)


def spherical_harmonics(
    lmax: int, r: Any, normalization: str = "integral", basis: str = "real", out: Array | None = None
) -> Array:
    r"""Spherical harmonics :math:`Y_{lm}(r/|r|)` of all degrees up to lmax.

    Parameters
    ----------
    lmax, r, normalization, basis, out
        As in `solid_harmonics`; only the direction of `r` matters.

    Returns
    -------
    (..., (lmax + 1)**2) dtype of `r`, or the complex dtype of the same precision

    Raises
    ------
    IrrepsError, ShapeError, DTypeError
        As in `solid_harmonics`.
    GeometryError
        If `r` contains NaN or an infinity, or a zero vector while lmax >= 1: it has no direction.

    Notes
    -----
    Barring underflow, |computed - exact| <= (8 l + 2) u S, S the solid recursion on the absolute values of the unit
    vector. Gradient: `spherical_vjp`; derivation: docs/derivations/harmonics.md.

    Examples
    --------
    >>> spherical_harmonics(1, np.array([0.0, 0.0, -2.0]), "component")
    array([ 1.        ,  0.        , -1.73205081,  0.        ])
    """
    return _public("spherical_harmonics", _spherical, lmax, r, normalization, basis, out)


def solid(r: Any, lmax: int, normalization: str = "integral", out: Array | None = None) -> Array:
    """Real solid harmonics of vectors (n, 3) -> (n, (lmax + 1)**2); `solid_harmonics` in the chain form.

    Examples
    --------
    >>> from nbody_ref.ops.harmonics import solid
    >>> import numpy as np
    >>> solid(np.array([[0.0, 0.0, 2.0]]), 1, "norm")
    array([[1., 0., 2., 0.]])
    """
    return _solid("solid", r, lmax, normalization, out)


class _Solid(CheckedOp):
    inputs, statics, result = ("r",), ("lmax", "normalization"), "Y"
    defaults = {"normalization": "integral"}

    def check(self, function: str, r: Any, lmax: Any, normalization: Any = "integral") -> Arguments:
        r, lmax, _ = _prepare(function, r, lmax, normalization)
        return Arguments((r,), (lmax, normalization), (len(r), (lmax + 1) ** 2), r.dtype)

    def tangent(self, r: Array, v: Array, lmax: int, normalization: str) -> Array:
        Y_dot = np.empty((len(r), (lmax + 1) ** 2), r.dtype)
        table = harmonic_table(lmax, normalization, r.dtype.type)
        loops.solid_jvp(r.reshape(-1), v.reshape(-1), table, Y_dot.reshape(-1))  # D1-D4
        return Y_dot

    def cotangents(self, needs: Needs, g: Array, r: Array, lmax: int, normalization: str) -> Bars:
        """Sum over l, m of Y_bar grad Y, (n, 3)."""
        r_bar = np.empty_like(r)
        if lmax <= low.LMAX:
            diagonal, a, b, along_z, along_s, order = _by_degree(lmax, normalization, r.dtype.type)
            g_flat, r_flat, out = (array.reshape(-1) for array in (g, r, r_bar))
            low.solid_vjp(g_flat, r_flat, diagonal, a, b, along_z, along_s, order, out)  # V1-V7
        else:
            column, table = (
                np.empty((lmax + 1) * loops.LANES, r.dtype),
                harmonic_table(lmax, normalization, r.dtype.type),
            )
            loops.solid_vjp(g.reshape(-1), r.reshape(-1), table, column, r_bar.reshape(-1))  # V1-V7
        return (r_bar,)

    def turning(self, needs: Needs, g: Array, r: Array, *rest: Any) -> Bars:
        g_dot, v, lmax, normalization = rest
        if v is None:
            return self.cotangents(needs, g_dot, r, lmax, normalization)  # linear in Y_bar
        g_dot = np.zeros_like(g) if g_dot is None else g_dot
        r_bar_dot, columns = np.empty_like(r), np.empty((2, (lmax + 1) * loops.LANES), r.dtype)
        g_flat, r_flat, g_dot_flat, v_flat, out = (array.reshape(-1) for array in (g, r, g_dot, v, r_bar_dot))
        table = harmonic_table(lmax, normalization, r.dtype.type)
        loops.solid_vjp_jvp(g_flat, r_flat, g_dot_flat, v_flat, table, columns[0], columns[1], out)  # V1-V7
        return (r_bar_dot,)

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 3))], [2, "norm"]

    def exact(self, gauges: Gauges, r: Rows, lmax: int, normalization: str) -> Rows:
        gauge = gauges(normalization)
        return [[y for l in range(lmax + 1) for y in gauge.harmonic(l, row)] for row in r]

    def lower(self, program: Lowering, inputs: tuple[str, ...], out: str, lmax: int, normalization: str) -> None:
        program.sum(out, *solid_terms(inputs[0], program.shape(inputs[0])[0], lmax, normalization))


SOLID = _Solid(solid)
solid_jvp, solid_vjp, solid_vjp_jvp = SOLID.derivatives()


def spherical(r: Any, lmax: int, normalization: str = "integral", out: Array | None = None) -> Array:
    """Real spherical harmonics of vectors (n, 3) -> (n, (lmax + 1)**2); `spherical_harmonics` in the chain form.

    Examples
    --------
    >>> from nbody_ref.ops.harmonics import spherical
    >>> import numpy as np
    >>> spherical(np.array([[0.0, 0.0, 2.0]]), 1, "norm")
    array([[1., 0., 1., 0.]])
    """
    return _spherical("spherical", r, lmax, normalization, out)


class _Spherical(CheckedOp):
    inputs, statics, result = ("r",), ("lmax", "normalization"), "Y"
    defaults = {"normalization": "integral"}

    def check(self, function: str, r: Any, lmax: Any, normalization: Any = "integral") -> Arguments:
        r, u, dist, lmax = _unit(function, r, lmax, normalization)
        return Arguments((r,), (u, dist, lmax, normalization), (len(r), (lmax + 1) ** 2), r.dtype)

    def tangent(self, r: Array, v: Array, u: Array, dist: Array, *kind: Any) -> Array:
        """Only the part of r_dot across r counts."""
        return SOLID.tangent(u, _project(u, dist, v), *kind)  # U1

    def cotangents(self, needs: Needs, g: Array, r: Array, u: Array, dist: Array, *kind: Any) -> Bars:
        """Perpendicular to r, (n, 3)."""
        return (_project(u, dist, SOLID.cotangents(needs, g, u, *kind)[0]),)  # U2

    def turning(self, needs: Needs, g: Array, r: Array, *rest: Any) -> Bars:
        g_dot, v, u, dist, *kind = rest
        u_dot = None if v is None else _project(u, dist, v)  # U1
        r_bar_dot = _project(u, dist, SOLID.turning(needs, g, u, g_dot, u_dot, *kind)[0])  # U3
        if v is not None and u_dot is not None:
            u_bar = SOLID.cotangents(needs, g, u, *kind)[0]
            along, turning, stretch = _dot(u, u_bar), _dot(u_dot, u_bar), _dot(u, v)
            r_bar_dot -= (u_dot * along + u * turning + stretch * _project(u, dist, u_bar)) / dist[:, None]  # U4
        return (r_bar_dot,)

    def example(self, rng: np.random.Generator) -> Example:
        return SOLID.example(rng)

    def lower(self, program: Lowering, inputs: tuple[str, ...], out: str, lmax: int, normalization: str) -> None:
        """Solid harmonics over powers of the length."""
        every, columns = np.arange(program.shape(inputs[0])[0]), np.arange((lmax + 1) ** 2)
        square = squared_lengths(program, inputs[0], f"{out}/square")
        powers = program.program.add(Apply(f"{out}/powers", square, InversePowersOfRoot(lmax), 0, len(every)))
        solid = program.sum(f"{out}/solid", *solid_terms(inputs[0], len(every), lmax, normalization))
        degrees = np.concatenate([np.full(2 * l + 1, l) for l in range(lmax + 1)])
        legs = (solid, every, columns), (powers, every, degrees)
        program.sum(out, program.terms((every, columns), program.shape(solid), *legs))


SPHERICAL = _Spherical(spherical)
spherical_jvp, spherical_vjp, spherical_vjp_jvp = SPHERICAL.derivatives()


def _public(function: str, op: Any, lmax: int, r: Any, normalization: str, basis: str, out: Array | None) -> Array:
    """Leading axes, the check for NaN, and the complex basis around an op on (n, 3)."""
    check_basis(function, basis)
    lmax = check_degree(function, "lmax", lmax)
    check_normalization(function, normalization)
    found = check_array(function, "r", r, (..., 3))
    check_finite(function, "r", found)
    shape, rows = (*found.shape[:-1], (lmax + 1) ** 2), found.reshape(-1, 3)
    if basis == "real":
        if out is not None:
            flat = check_out(function, out, shape, found.dtype, found).reshape(len(rows), shape[-1])
            op(function, rows, lmax, normalization, flat)
            return out
        Y: Array = op(function, rows, lmax, normalization, None)
        return Y.reshape(shape)
    if out is not None:
        raise ArgumentError(f"{function}: 'out' needs basis 'real', got basis {basis!r}")
    Y = op(function, rows, lmax, normalization, None)
    fragments = np.empty(Y.shape, np.result_type(found.dtype, np.complex64))
    for l in range(lmax + 1):
        block = slice(l * l, (l + 1) ** 2)
        fragments[:, block] = Y[:, block] @ real_to_complex(l).conj()  # conj(Y_complex) = U^dagger Y_real
    return fragments.reshape(shape)


def _solid(function: str, r: Any, lmax: Any, normalization: str, out: Array | None) -> Array:
    r, lmax, table = _prepare(function, r, lmax, normalization)
    shape = (len(r), (lmax + 1) ** 2)
    Y = np.empty(shape, r.dtype) if out is None else check_out(function, out, shape, r.dtype, r)
    if lmax <= low.LMAX:
        diagonal, a, b, *_ = _by_degree(lmax, normalization, r.dtype.type)
        low.solid(r.reshape(-1), diagonal, a, b, Y.reshape(-1))
    else:
        loops.solid(r.reshape(-1), table, Y.reshape(-1))
    _check_overflow(function, r, lmax, Y)
    return Y


def _check_overflow(function: str, r: Array, lmax: int, Y: Array) -> None:
    """Raise if powers of finite vectors are no numbers any more; what is far from that is not looked at."""
    largest, top = float(np.abs(r).max(initial=0.5)), np.finfo(r.dtype)
    if lmax * math.log2(2 * largest) < math.log2(top.max) / 2:  # False for NaN
        return
    beyond = np.isfinite(r).all(axis=1) & ~np.isfinite(Y).all(axis=1)
    if beyond.any():
        row = int(np.argmax(beyond))
        rule = f"must be so short that its power {lmax} is a number of {r.dtype}"
        raise GeometryError(f"{function}: 'r' {rule}, got {r[row]} at row {row}")


def _spherical(function: str, r: Any, lmax: Any, normalization: str, out: Array | None) -> Array:
    r, u, _, lmax = _unit(function, r, lmax, normalization)
    if out is not None:
        check_out(function, out, (len(r), (lmax + 1) ** 2), r.dtype, r)
    return _solid(function, u, lmax, normalization, out)


def _prepare(function: str, r: Any, lmax: Any, normalization: str) -> tuple[Array, int, Any]:
    """r, lmax as a Python integer, and the table of the recursion."""
    lmax = check_degree(function, "lmax", lmax)
    check_normalization(function, normalization)
    r = check_array(function, "r", r, (None, 3))
    return r, lmax, harmonic_table(lmax, normalization, r.dtype.type)


@cache
def _by_degree(lmax: int, normalization: str, dtype: Any) -> Any:
    """Table of `kernels.harmonics_low`: diagonal; a, b, along_z, along_s with (l, m) at l(l-1)/2 + m; 0..lmax."""
    table = harmonic_table(lmax, normalization, dtype)
    places = [m * lmax - m * (m + 1) // 2 + l - 1 for l in range(1, lmax + 1) for m in range(l)]
    columns = (column[places] for column in (table.a, table.b, table.along_z, table.along_s))
    return (table.diagonal, *columns, np.arange(lmax + 1, dtype=dtype))


def _unit(function: str, r: Any, lmax: Any, normalization: str) -> tuple[Array, Array, Array, int]:
    """r, its unit vectors, its lengths (exactly scaled if a square leaves the range), and lmax as a Python integer."""
    r, lmax, _ = _prepare(function, r, lmax, normalization)
    dist, u = np.empty(len(r), r.dtype), np.empty_like(r)
    if lmax == 0:  # Y_00 is constant, at the origin too
        dist[:], u[:] = 1.0, 0.0
        return r, u, dist, lmax
    vectors.unit(r, dist, u)
    outside = ~((dist >= np.sqrt(np.finfo(r.dtype).tiny / np.finfo(r.dtype).eps)) & np.isfinite(dist))
    if outside.any():
        rows = r[outside]
        check_finite(function, "r", r)
        largest = np.abs(rows).max(axis=1)
        if not largest.all():
            e = int(np.flatnonzero(outside)[np.argmin(largest)])
            raise GeometryError(f"{function}: 'r' must be nonzero for lmax >= 1, got {r[e]} at index {e}")
        exponent = np.frexp(largest)[1]
        scaled, length, turned = np.ldexp(rows, -exponent[:, None]), np.empty(len(rows), r.dtype), np.empty_like(rows)
        vectors.unit(scaled, length, turned)
        dist[outside], u[outside] = np.ldexp(length, exponent), turned
    return r, u, dist, lmax


def _project(u: Array, dist: Array, w: Array) -> Array:
    out = np.empty_like(w)
    vectors.project(u, dist, w, out)
    return out


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(np.einsum("ni,ni->n", a, b)[:, None])
