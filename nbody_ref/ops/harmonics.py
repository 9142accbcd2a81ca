r"""Real solid and spherical harmonics: the fragments of a direction, sec. 4 of the N-body paper.

Solid harmonics, :math:`|r|^l Y_{lm}(r/|r|)`, are polynomials and are evaluated as such, so the poles and the origin are
points like all others. Index of (l, m): l(l+1) + m. Derivations: docs/derivations/harmonics.md.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nbody_ref.errors import GeometryError, IrrepsError
from nbody_ref.kernels import distance as vectors
from nbody_ref.kernels import harmonics as loops
from nbody_ref.kernels import harmonics_low as low
from nbody_ref.ops._check import check_array, check_finite, check_like, check_needs, check_out
from nbody_ref.tables import check_basis, check_degree, check_normalization, harmonic_table, real_to_complex

__all__ = [
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
Needs = tuple[bool, ...] | None


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
        If `r` contains NaN or an infinity.

    Notes
    -----
    Barring underflow and overflow, |computed - exact| <= (4 l + 2) u S, S the same recursion on absolute values; the
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
    """Real solid harmonics of vectors (n, 3) -> (n, (lmax + 1)**2); `solid_harmonics` in the chain form."""
    return _solid("solid", r, lmax, normalization, out)


def solid_jvp(r: Any, r_dot: Any, lmax: int, normalization: str = "integral") -> Array | None:
    """Tangent of `solid`: (r_dot . grad) Y, (n, (lmax + 1)**2)."""
    r, lmax, table = _prepare("solid_jvp", r, lmax, normalization)
    v = check_like("solid_jvp", "r_dot", r_dot, r)
    if v is None:
        return None
    Y_dot = np.empty((len(r), (lmax + 1) ** 2), r.dtype)
    loops.solid_jvp(r.reshape(-1), v.reshape(-1), table, Y_dot.reshape(-1))  # D1-D4
    return Y_dot


def solid_vjp(
    Y_bar: Any, r: Any, lmax: int, normalization: str = "integral", needs: Needs = None
) -> tuple[Array | None]:
    """Adjoint of `solid`: sum over l, m of Y_bar grad Y, (n, 3)."""
    r, lmax, table = _prepare("solid_vjp", r, lmax, normalization)
    g = check_array("solid_vjp", "Y_bar", Y_bar, (len(r), (lmax + 1) ** 2), (r.dtype,))
    if not check_needs("solid_vjp", needs, 1)[0]:
        return (None,)
    r_bar = np.empty_like(r)
    if lmax <= low.LMAX:
        diagonal, a, b, along_z, along_s, order = _by_degree(lmax, normalization, r.dtype.type)
        g_flat, r_flat, out = (array.reshape(-1) for array in (g, r, r_bar))
        low.solid_vjp(g_flat, r_flat, diagonal, a, b, along_z, along_s, order, out)  # V1-V7
    else:
        column = np.empty((lmax + 1) * loops.LANES, r.dtype)
        loops.solid_vjp(g.reshape(-1), r.reshape(-1), table, column, r_bar.reshape(-1))  # V1-V7
    return (r_bar,)


def solid_vjp_jvp(
    Y_bar: Any, r: Any, Y_bar_dot: Any, r_dot: Any, lmax: int, normalization: str = "integral", needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of `solid_vjp`, (n, 3); None if both tangents are."""
    r, lmax, table = _prepare("solid_vjp_jvp", r, lmax, normalization)
    g = check_array("solid_vjp_jvp", "Y_bar", Y_bar, (len(r), (lmax + 1) ** 2), (r.dtype,))
    g_dot = check_like("solid_vjp_jvp", "Y_bar_dot", Y_bar_dot, g)
    v = check_like("solid_vjp_jvp", "r_dot", r_dot, r)
    if not check_needs("solid_vjp_jvp", needs, 1)[0] or (g_dot is None and v is None):
        return (None,)
    if v is None:
        return solid_vjp(g_dot, r, lmax, normalization)  # linear in Y_bar
    g_dot = np.zeros_like(g) if g_dot is None else g_dot
    r_bar_dot, columns = np.empty_like(r), np.empty((2, (lmax + 1) * loops.LANES), r.dtype)
    g_flat, r_flat, g_dot_flat, v_flat = (array.reshape(-1) for array in (g, r, g_dot, v))
    out = r_bar_dot.reshape(-1)
    loops.solid_vjp_jvp(g_flat, r_flat, g_dot_flat, v_flat, table, columns[0], columns[1], out)  # V1-V7
    return (r_bar_dot,)


def spherical(r: Any, lmax: int, normalization: str = "integral", out: Array | None = None) -> Array:
    """Real spherical harmonics of vectors (n, 3) -> (n, (lmax + 1)**2); `spherical_harmonics` in the chain form."""
    return _spherical("spherical", r, lmax, normalization, out)


def spherical_jvp(r: Any, r_dot: Any, lmax: int, normalization: str = "integral") -> Array | None:
    """Tangent of `spherical`: only the part of r_dot across r counts."""
    r, u, dist, lmax = _unit("spherical_jvp", r, lmax, normalization)
    v = check_like("spherical_jvp", "r_dot", r_dot, r)
    return None if v is None else solid_jvp(u, _project(u, dist, v), lmax, normalization)  # U1


def spherical_vjp(
    Y_bar: Any, r: Any, lmax: int, normalization: str = "integral", needs: Needs = None
) -> tuple[Array | None]:
    """Adjoint of `spherical`, (n, 3), perpendicular to r."""
    r, u, dist, lmax = _unit("spherical_vjp", r, lmax, normalization)
    g = check_array("spherical_vjp", "Y_bar", Y_bar, (len(r), (lmax + 1) ** 2), (r.dtype,))
    u_bar = solid_vjp(g, u, lmax, normalization, check_needs("spherical_vjp", needs, 1))[0]
    return (None if u_bar is None else _project(u, dist, u_bar),)  # U2


def spherical_vjp_jvp(
    Y_bar: Any, r: Any, Y_bar_dot: Any, r_dot: Any, lmax: int, normalization: str = "integral", needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of `spherical_vjp`, (n, 3); None if both tangents are."""
    r, u, dist, lmax = _unit("spherical_vjp_jvp", r, lmax, normalization)
    g = check_array("spherical_vjp_jvp", "Y_bar", Y_bar, (len(r), (lmax + 1) ** 2), (r.dtype,))
    g_dot, v = (check_like("spherical_vjp_jvp", *dot) for dot in (("Y_bar_dot", Y_bar_dot, g), ("r_dot", r_dot, r)))
    u_dot = None if v is None else _project(u, dist, v)  # U1
    wanted = check_needs("spherical_vjp_jvp", needs, 1)
    u_bar_dot = solid_vjp_jvp(g, u, g_dot, u_dot, lmax, normalization, wanted)[0]
    if u_bar_dot is None:
        return (None,)
    r_bar_dot = _project(u, dist, u_bar_dot)  # U3
    u_bar = solid_vjp(g, u, lmax, normalization)[0]
    if v is not None and u_dot is not None and u_bar is not None:
        along, turning, stretch = _dot(u, u_bar), _dot(u_dot, u_bar), _dot(u, v)
        r_bar_dot -= (u_dot * along + u * turning + stretch * _project(u, dist, u_bar)) / dist[:, None]  # U4
    return (r_bar_dot,)


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
        raise IrrepsError(f"{function}: 'out' needs basis 'real', got basis {basis!r}")
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
    return Y


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
