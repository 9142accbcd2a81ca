"""Kernels of the solid and spherical harmonics with their derivatives: docs/derivations/harmonics.md."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main
from _polynomials import absolute, complex_polynomial, degrees, derivative, real_polynomial, value

import nbody_ref
from nbody_ref.ops import harmonics


def points(full: bool, dtype: Any) -> Any:
    """Signed random points, axes, poles and their neighbourhood (no underflow), short and long vectors, the origin."""
    e, f = (1e-9, -1e-12) if dtype is np.float64 else (1e-3, -1e-4)
    rng = np.random.default_rng(10)
    special = [
        (0, 0, 1),
        (0, 0, -2),
        (1, 0, 0),
        (0, -1, 0),
        (e, 0, 1),
        (e, f, -1),
        (0, 0, 0),
        (1e-3, 2e-3, -1e-3),
        (30, -20, 10),
        (1, -1, 0),
        (1, 1, 1),
    ]
    return np.concatenate([rng.standard_normal((12 if full else 4, 3)), special if full else special[:7:3]]).astype(
        dtype
    )


def exact_value(l: int, m: int, r: Any, axes: tuple[int, ...] = ()) -> Any:
    """A real solid harmonic of norm 1 at a float point, or a derivative of it, in mpmath."""
    return _exact_value(l, m, tuple(float(x) for x in r), axes)


@cache
def _exact_value(l: int, m: int, r: tuple[float, ...], axes: tuple[int, ...]) -> Any:
    constant, p = real_polynomial(l, m)
    for axis in axes:
        p = derivative(p, axis)
    total = value(p, [Fraction(x) for x in r])
    root = mpmath.sqrt(mpmath.mpf(constant.numerator) / constant.denominator)
    return root * total.numerator / total.denominator


def size(l: int, m: int, r: Any, axes: tuple[int, ...] = ()) -> float:
    """S at a point, or its derivative."""
    return _size(l, m, tuple(abs(float(x)) for x in r), axes)


@cache
def _size(l: int, m: int, r: tuple[float, ...], axes: tuple[int, ...]) -> float:
    S = absolute(l, m)
    for axis in axes:
        S = derivative(S, axis)
    return float(value(S, r))


NORMS = {
    "norm": lambda l: mpmath.mpf(1),
    "component": lambda l: mpmath.sqrt(2 * l + 1),
    "integral": lambda l: mpmath.sqrt((2 * l + 1) / (4 * mpmath.pi)),
}
ROUNDOFF = {np.float64: mpmath.mpf(2) ** -53, np.float32: mpmath.mpf(2) ** -24}
LMAX = 8


def share(computed: Any, exact: Any, bound: Any) -> Any:
    """|error| / bound; exact zero needs an exact zero."""
    error = abs(mpmath.mpf(float(computed)) - exact)
    return error / bound if bound else (0 if error == 0 else 2)


def no_condon(r: Any, lmax: int, normalization: str = "integral") -> Any:
    """Planted: sign (-1)^m on the components."""
    Y = harmonics.solid(r, lmax, normalization)
    m = np.concatenate([np.arange(-l, l + 1) for l in range(lmax + 1)])
    return Y * np.where(m % 2, -1, 1).astype(Y.dtype)


def slightly_short(r: Any, lmax: int, normalization: str = "integral") -> Any:
    """Planted: one constant off by 64 units in the last place, as from a table typed with 14 digits."""
    Y = harmonics.solid(r, lmax, normalization).copy()
    Y[:, 6] *= 1 + 64 * np.finfo(Y.dtype).eps
    return Y


@claim(
    "5.6",
    "docs/derivations/harmonics.md",
    "solid harmonics of the kernels, lmax = 0 to 8, two precisions, three normalizations; barring underflow",
    "Rodrigues' formula in rationals and mpmath",
    {"solid": harmonics.solid},
    {"sign (-1)^m": {"solid": no_condon}, "a constant wrong in the 14th digit": {"solid": slightly_short}},
    "(4l + 2) u S",
    rho=lambda case: (("solid", case[0], case[3]), 4 * case[3] + 2),
)
def solid_values(subject: SimpleNamespace, full: bool) -> Cases:
    with mpmath.workdps(50):
        for dtype, u in ROUNDOFF.items():
            r = points(full, dtype)
            for normalization, factor in NORMS.items():
                for top in range(LMAX + 1) if full else (4, LMAX):  # low degrees have kernels of their own
                    Y = subject.solid(r, top, normalization)
                    for l, m in degrees(True, top):
                        for k, point in enumerate(r):
                            bound = (4 * l + 2) * u * factor(l) * size(l, m, point)
                            exact, found = factor(l) * exact_value(l, m, point), Y[k, l * (l + 1) + m]
                            yield (dtype.__name__, normalization, top, l, m, k), share(found, exact, bound)


@claim(
    "5.7",
    "docs/derivations/harmonics.md",
    "spherical harmonics of the kernels, l <= 8, float64 and float32",
    "Rodrigues' formula, mpmath",
    {"spherical": harmonics.spherical},
    {"not normalised": {"spherical": harmonics.solid}},
    "(8l + 2) u S(|unit|)",
    rho=lambda case: (("spherical", case[0], case[1]), 8 * case[1] + 2),
)
def spherical_values(subject: SimpleNamespace, full: bool) -> Cases:
    with mpmath.workdps(50):
        for dtype, u in ROUNDOFF.items():
            r = points(full, dtype)
            r = r[np.abs(r).max(axis=1) > 0]
            Y = subject.spherical(r, LMAX, "norm")
            for l, m in degrees(True, LMAX if full else 4):
                for k, point in enumerate(r):
                    dist = mpmath.sqrt(mpmath.fsum(mpmath.mpf(float(x)) ** 2 for x in point))
                    unit = [abs(float(x) / float(dist)) for x in point]
                    bound = (8 * l + 2) * u * value(absolute(l, m), unit)
                    yield (
                        (dtype.__name__, l, m, k),
                        share(Y[k, l * (l + 1) + m], exact_value(l, m, point) / dist**l, bound),
                    )


def gradients(r: Any, lmax: int) -> Any:
    """(n, 3, lm) by the package's vjp of unit cotangents, norm 1."""
    count = (lmax + 1) ** 2
    bars = np.repeat(np.eye(count, dtype=r.dtype)[None], len(r), 0).reshape(-1, count)
    rows = np.repeat(r, count, 0)
    return harmonics.solid_vjp(bars, rows, lmax, "norm")[0].reshape(len(r), count, 3).transpose(0, 2, 1)


def tangents(r: Any, lmax: int) -> Any:
    """(n, 3, lm) by the package's jvp along the axes."""
    return np.stack(
        [harmonics.solid_jvp(r, np.broadcast_to(e, r.shape).copy(), lmax, "norm") for e in np.eye(3, dtype=r.dtype)], 1
    )


def hessians(r: Any, lmax: int) -> Any:
    """(n, 3, 3, lm) by the package's vjp_jvp of unit cotangents along the axes, norm 1."""
    count = (lmax + 1) ** 2
    bars = np.repeat(np.eye(count, dtype=r.dtype)[None], len(r), 0).reshape(-1, count)
    rows = np.repeat(r, count, 0)
    columns = []
    for e in np.eye(3, dtype=r.dtype):
        dots = np.broadcast_to(e, rows.shape).copy()
        columns.append(harmonics.solid_vjp_jvp(bars, rows, None, dots, lmax, "norm")[0].reshape(len(r), count, 3))
    return np.stack(columns, -1).transpose(0, 2, 3, 1)


def derivative_k(name: str, l: int, lmax: int) -> int:
    """k of the page."""
    pairs = lmax * (lmax + 1) // 2
    return {"vjp": 4 * lmax + 10 + pairs, "jvp": 5 * l + 4, "vjp_jvp": 5 * lmax + 16 + pairs}[name]


DERIVATIVES = {"gradient": gradients, "tangent": tangents, "hessian": hessians}


@claim(
    "5.8",
    "docs/derivations/harmonics.md",
    "gradients (vjp, jvp) and Hessians (vjp_jvp), kernels for lmax = 1 to 7",
    "polynomials differentiated in rationals, mpmath",
    DERIVATIVES,
    {
        "gradient: x and y exchanged": {"gradient": lambda r, lmax: gradients(r, lmax)[:, [1, 0, 2]]},
        "tangent: sign": {"tangent": lambda r, lmax: -tangents(r, lmax)},
        "Hessian: off-diagonal dropped": {"hessian": lambda r, lmax: hessians(r, lmax) * np.eye(3)[None, :, :, None]},
    },
    "k u S, k of the page",
    rho=lambda case: ((f"solid_{case[2]}", case[0], case[3]), derivative_k(case[2], case[3], case[1])),
)
def solid_derivatives(subject: SimpleNamespace, full: bool) -> Cases:
    with mpmath.workdps(50):
        for dtype, u in ROUNDOFF.items():
            r = points(full, dtype)
            for lmax in range(1, LMAX) if full else (3,):  # low degrees have kernels of their own
                first, second = (subject.gradient(r, lmax), subject.tangent(r, lmax)), subject.hessian(r, lmax)
                for l, m, a in ((l, m, a) for l, m in degrees(True, lmax) for a in range(3)):
                    at = l * (l + 1) + m
                    for k, point in enumerate(r):
                        S, exact = u * size(l, m, point, (a,)), exact_value(l, m, point, (a,))
                        for name, found in (("vjp", first[0]), ("jvp", first[1])):
                            bound = derivative_k(name, l, lmax) * S
                            yield (dtype.__name__, lmax, name, l, m, k, a), share(found[k, a, at], exact, bound)
                        for b in range(3):
                            S, exact = u * size(l, m, point, (a, b)), exact_value(l, m, point, (a, b))
                            bound = derivative_k("vjp_jvp", l, lmax) * S
                            case = (dtype.__name__, lmax, "vjp_jvp", l, m, k, a, b)
                            yield case, share(second[k, a, b, at], exact, bound)


def complex_values(r: Any, lmax: int) -> Any:
    """The public function in the complex basis."""
    return nbody_ref.solid_harmonics(lmax, r, "norm", "complex")


@claim(
    "5.9",
    "docs/conventions.md",
    "complex basis of the public function is conj(Y), Condon-Shortley, l <= 6",
    "Rodrigues' formula, mpmath",
    {"solid": complex_values},
    {"Y for conj(Y)": {"solid": lambda r, lmax: complex_values(r, lmax).conj()}},
    "(4l + 5) u S",
)
def complex_basis(subject: SimpleNamespace, full: bool) -> Cases:
    r, lmax = points(full, np.float64), 6 if full else 3
    Y = subject.solid(r, lmax)
    with mpmath.workdps(50):
        for l, m in degrees(True, lmax):
            constant, *pq = complex_polynomial(l, m)
            root = mpmath.sqrt(mpmath.mpf(constant.numerator) / constant.denominator)
            for k, point in enumerate(r):
                S = sum(value(absolute(l, s), np.abs(point)) for s in {m, -m}) / math.sqrt(2 if m else 1)
                for p, found in zip(pq, (Y[k, l * (l + 1) + m].real, Y[k, l * (l + 1) + m].imag)):
                    total = value(p, [Fraction(float(x)) for x in point]) if p else Fraction(0)
                    exact = root * total.numerator / total.denominator
                    yield (l, m, k), share(found, exact, (4 * l + 5) * ROUNDOFF[np.float64] * S)


def direction_gradients(r: Any, lmax: int) -> Any:
    """(n, 3, lm) by the package's vjp of spherical harmonics, norm 1."""
    count = (lmax + 1) ** 2
    bars = np.repeat(np.eye(count, dtype=r.dtype)[None], len(r), 0).reshape(-1, count)
    rows = np.repeat(r, count, 0)
    return harmonics.spherical_vjp(bars, rows, lmax, "norm")[0].reshape(len(r), count, 3).transpose(0, 2, 1)


def direction_tangents(r: Any, lmax: int) -> Any:
    """(n, 3, lm) by the package's jvp along the axes."""
    axes = np.eye(3, dtype=r.dtype)
    return np.stack([harmonics.spherical_jvp(r, np.broadcast_to(e, r.shape).copy(), lmax, "norm") for e in axes], 1)


def direction_hessians(r: Any, lmax: int) -> Any:
    """(n, 3, 3, lm) by the package's vjp_jvp of spherical harmonics, norm 1."""
    count = (lmax + 1) ** 2
    bars = np.repeat(np.eye(count, dtype=r.dtype)[None], len(r), 0).reshape(-1, count)
    rows, columns = np.repeat(r, count, 0), []
    for e in np.eye(3, dtype=r.dtype):
        dots = np.broadcast_to(e, rows.shape).copy()
        found = harmonics.spherical_vjp_jvp(bars, rows, None, dots, lmax, "norm")[0]
        columns.append(found.reshape(len(r), count, 3))
    return np.stack(columns, -1).transpose(0, 2, 3, 1)


def direction_truth(l: int, m: int, r: Any) -> tuple[Any, Any]:
    """Gradient and Hessian of p(r) |r|^-l in mpmath, p the solid harmonic; s = r.r."""
    x = [mpmath.mpf(float(a)) for a in r]
    s = mpmath.fsum(a * a for a in x)
    p, d = exact_value(l, m, r), [exact_value(l, m, r, (a,)) for a in range(3)]
    first = [(d[a] - l * x[a] * p / s) / s ** (mpmath.mpf(l) / 2) for a in range(3)]
    second = {}
    for a in range(3):
        for b in range(3):
            terms = exact_value(l, m, r, (a, b)) - l * (x[b] * d[a] + x[a] * d[b] + (a == b) * p) / s
            second[a, b] = (terms + l * (l + 2) * x[a] * x[b] * p / s**2) / s ** (mpmath.mpf(l) / 2)
    return first, second


def direction_sizes(l: int, m: int, r: Any) -> tuple[Any, Any]:
    """S of gradient and Hessian: (U1) to (U4) with absolute values."""
    dist = float(mpmath.sqrt(mpmath.fsum(mpmath.mpf(float(a)) ** 2 for a in r)))
    u = np.abs(r.astype(float)) / dist
    P = (np.eye(3) + np.outer(u, u)) / dist
    S = absolute(l, m)
    slope = np.array([value(derivative(S, a), u) for a in range(3)])
    bend = np.array([[value(derivative(derivative(S, a), b), u) for b in range(3)] for a in range(3)])
    moved = (P * (u @ slope) + np.outer(u, P.T @ slope) + np.outer(P @ slope, u)) / dist
    return P @ slope, P @ bend @ P + moved


DIRECTION = {"gradient": direction_gradients, "tangent": direction_tangents, "hessian": direction_hessians}


@claim(
    "5.10",
    "docs/derivations/harmonics.md",
    "spherical harmonics: gradients (vjp, jvp) and Hessians, l <= 4",
    "quotients of polynomials differentiated, mpmath",
    DIRECTION,
    {
        "gradient of the solid harmonic": {"gradient": gradients},
        "Hessian: (U4) missing": {"hessian": lambda r, lmax: hessians(r, lmax)},
        "tangent: sign": {"tangent": lambda r, lmax: -direction_tangents(r, lmax)},
    },
    "k u S, k of the page",
)
def spherical_derivatives(subject: SimpleNamespace, full: bool) -> Cases:
    L = 4 if full else 2
    pairs = L * (L + 1) // 2
    with mpmath.workdps(50):
        for dtype, u in ROUNDOFF.items():
            r = points(full, dtype)
            r = r[np.abs(r).max(axis=1) > 0]
            first, second = (subject.gradient(r, L), subject.tangent(r, L)), subject.hessian(r, L)
            for l, m in degrees(True, L):
                at = l * (l + 1) + m
                for k, point in enumerate(r):
                    (slope, bend), (S, T) = direction_truth(l, m, point), direction_sizes(l, m, point)
                    for a in range(3):
                        yield ("vjp", l, m, k, a), share(first[0][k, a, at], slope[a], (8 * L + 26 + pairs) * u * S[a])
                        yield ("jvp", l, m, k, a), share(first[1][k, a, at], slope[a], (9 * l + 20) * u * S[a])
                        for b in range(3):
                            bound = (9 * L + 56 + pairs) * u * T[a, b]
                            yield ("vjp_jvp", l, m, k, a, b), share(second[k, a, b, at], bend[a, b], bound)


if __name__ == "__main__":
    sys.exit(main())
