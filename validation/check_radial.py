"""Distances and radial functions with their derivatives: docs/derivations/distance.md and radial.md, by mpmath."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main

from nbody_ref.ops import distance, radial
from nbody_ref.ops.radial import Bessel, ExponentialCosine, InversePowers

U = mpmath.mpf(2) ** -53
LMAX = 3
FAMILIES = (InversePowers((0, 1, 2, 3)), InversePowers((-1, 5)), Bessel(6, 5.0), Bessel(3, 4.5, 2),
            ExponentialCosine(5, 5.0), ExponentialCosine(3, 4.0, 6, 0.75))  # fmt: skip


def share(computed: Any, exact: Any, bound: Any) -> Any:
    """|error| / bound; where the bound is zero the result must be exact."""
    error = abs(mpmath.mpf(float(computed)) - exact)
    return error / bound if bound else (0 if error == 0 else 2)


def cutoff(x: Any, p: int) -> Any:
    """The polynomial in its published form, 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2)."""
    if x >= 1:
        return mpmath.mpf(0)
    return 1 - (p + 1) * (p + 2) * x**p / 2 + p * (p + 2) * x ** (p + 1) - p * (p + 1) * x ** (p + 2) / 2


def function(basis: Any, n: int, l: int) -> Any:
    """R_ln(d) from its definition."""
    if isinstance(basis, InversePowers):
        return lambda d: d ** -(basis.powers[n] + l)
    rc = mpmath.mpf(basis.cutoff)
    if isinstance(basis, Bessel):
        return lambda d: (
            mpmath.sqrt(2 / rc) * mpmath.sin((n + 1) * mpmath.pi * d / rc) / d * cutoff(d / rc, basis.p) / d**l
        )
    sigma = mpmath.mpf(basis.scale)
    return lambda d: mpmath.cos(n * mpmath.pi * mpmath.exp(-d / sigma)) * cutoff(d / rc, basis.p) / d**l


def sizes(basis: Any, n: int, l: int, d: float) -> list[float]:
    """S of value, first and second derivative: the table of the page and Leibniz' rule with plus signs."""
    if isinstance(basis, InversePowers):
        s = basis.powers[n]
        g = [abs(math.prod(range(s, s + k))) * d ** -(s + k) if k else d**-s for k in range(3)]
    else:
        rc, p, x = basis.cutoff, basis.p, d / basis.cutoff
        c = p * (p + 1) * (p + 2) / 2
        value = float(cutoff(mpmath.mpf(x), p))
        f = [value + c * x**p * (1 - x) ** 2, c * x ** (p - 1) * (1 - x) * (1 + x) / rc,
             c * x ** (p - 2) * ((p - 1) * (1 - x) + 2 * x) / rc**2]  # fmt: skip
        if isinstance(basis, Bessel):
            A, a = math.sqrt(2 / rc), (n + 1) * math.pi / rc
            h = [A / d, A * (a + 1 / d) / d, A * (a * a + 2 * (a + 1 / d) / d) / d]
        else:
            z = n * math.pi * math.exp(-d / basis.scale)
            h = [1.0, z / basis.scale, z * (1 + z) / basis.scale**2]
        g = [h[0] * f[0], h[1] * f[0] + h[0] * f[1], h[2] * f[0] + 2 * h[1] * f[1] + h[0] * f[2]]
    power = [d**-l, l * d ** -(l + 1), l * (l + 1) * d ** -(l + 2)]
    return [g[0] * power[0], g[1] * power[0] + g[0] * power[1], g[2] * power[0] + 2 * g[1] * power[1] + g[0] * power[2]]


def chain(basis: Any, n: int, l: int) -> int:
    """k of the page."""
    if isinstance(basis, InversePowers):
        return 2 * abs(basis.powers[n]) + 12 + 2 * l
    return 15 * (n + isinstance(basis, Bessel)) + 2 * basis.p + 24 + 2 * l


def distances(basis: Any, full: bool) -> Any:
    """From short to just inside the cutoff."""
    top = getattr(basis, "cutoff", 5.0)
    inside = top * (1 - np.array([1e-6, 1e-3]))
    some = np.array([0.03, 0.4, 0.97, 1.5, 2.25, 3.1, 3.9])
    return np.concatenate([some if full else some[::3], inside if full else inside[:1]])


def slope(name: str) -> Any:
    """Order of the derivative and the package's value of it, by one-hot cotangents or unit tangents."""

    def value(dist: Any, basis: Any) -> Any:
        return radial.radial(dist, basis, LMAX)

    def first(dist: Any, basis: Any) -> Any:
        return radial.radial_jvp(dist, np.ones_like(dist), basis, LMAX)

    def first_by_vjp(dist: Any, basis: Any) -> Any:
        return one_hot(lambda bar: radial.radial_vjp(bar, dist, basis, LMAX)[0], (len(dist), LMAX + 1, basis.n))

    def second(dist: Any, basis: Any) -> Any:
        ones = np.ones_like(dist)
        pull = lambda bar: radial.radial_vjp_jvp(bar, dist, None, ones, basis, LMAX)[0]  # noqa: E731
        return one_hot(pull, (len(dist), LMAX + 1, basis.n))

    return {"f": value, "jvp": first, "vjp": first_by_vjp, "vjp_jvp": second}[name]


def one_hot(pull: Any, shape: tuple[int, ...]) -> Any:
    """The pullback of every unit cotangent."""
    found = np.zeros(shape)
    for l in range(shape[1]):
        for n in range(shape[2]):
            bar = np.zeros(shape)
            bar[:, l, n] = 1.0
            found[:, l, n] = pull(bar)
    return found


ORDERS = {"f": 0, "jvp": 1, "vjp": 1, "vjp_jvp": 2}
SUBJECT = {name: slope(name) for name in ORDERS}


@claim("7.5", "docs/derivations/radial.md", "radial functions: value, jvp, vjp, vjp_jvp of every family, to the cutoff",
       "mpmath, Taylor coefficients of the definitions at 60 digits", SUBJECT,
       {"factor d^-l forgotten": {"f": lambda dist, basis: SUBJECT["f"](dist, basis)[:, :1].repeat(LMAX + 1, 1)},
        "the value for the slope": {"jvp": lambda dist, basis: SUBJECT["f"](dist, basis) * -1.0},
        "vjp: sign": {"vjp": lambda dist, basis: -SUBJECT["vjp"](dist, basis)},
        "vjp_jvp: stored in float32": {"vjp_jvp": lambda dist, basis: np.float32(SUBJECT["vjp_jvp"](dist, basis))}},
       "k u S, k of the page")  # fmt: skip
def radials(subject: SimpleNamespace, full: bool) -> Cases:
    with mpmath.workdps(60):
        for basis in FAMILIES if full else FAMILIES[::2]:
            dist = distances(basis, full)
            found = {name: getattr(subject, name)(dist, basis) for name in ORDERS}
            for e, d in enumerate(dist):
                for l in range(LMAX + 1):
                    for n in range(basis.n):
                        taylor = mpmath.taylor(function(basis, n, l), mpmath.mpf(float(d)), 2)
                        S, k = sizes(basis, n, l, float(d)), chain(basis, n, l)
                        for name, order in ORDERS.items():
                            exact = taylor[order] * (1, 1, 2)[order]
                            yield (
                                (str(basis), float(d), l, n, name),
                                share(found[name][e, l, n], exact, k * U * S[order]),
                            )


@claim("7.6", "docs/derivations/radial.md", "radial functions are exactly zero from the cutoff on, derivatives too",
       "zero", SUBJECT, {"no cutoff": {"f": lambda dist, basis: SUBJECT["f"](dist * 0.5, basis)}})  # fmt: skip
def beyond(subject: SimpleNamespace, full: bool) -> Cases:
    for basis in FAMILIES[2:]:
        dist = np.array([basis.cutoff, np.nextafter(basis.cutoff, 9.0), basis.cutoff + 1.0, 20.0])
        for name in ORDERS:
            yield (str(basis), name), np.count_nonzero(getattr(subject, name)(dist, basis))


def vectors(full: bool) -> Iterator[tuple[Any, Any]]:
    """Relative vectors and tangents: signed, on the axes, very short and very long."""
    rng = np.random.default_rng(12)
    special = [*np.eye(3), (-1, 0, 0), (1e-12, -2e-12, 0.5e-12), (3e12, 1e12, -2e12)]
    r = np.concatenate([rng.standard_normal((20 if full else 4, 3)), special])
    yield r, rng.standard_normal(r.shape)


DISTANCE = {"f": distance.distance, "jvp": distance.distance_jvp, "vjp": distance.distance_vjp,
            "vjp_jvp": distance.distance_vjp_jvp}  # fmt: skip


@claim("7.7", "docs/derivations/distance.md", "distance: value, jvp, vjp and vjp_jvp", "mpmath, 50 digits", DISTANCE,
       {"squared distance": {"f": lambda r: np.sum(r * r, axis=1)},
        "vjp not divided by the length": {"vjp": lambda g, r: (g[:, None] * r,)},
        "vjp_jvp not projected": {"vjp_jvp": lambda g, r, g_dot, v: ((g / distance.distance(r))[:, None] * v,)}},
       "k u S, k of the page")  # fmt: skip
def lengths(subject: SimpleNamespace, full: bool) -> Cases:
    with mpmath.workdps(50):
        for r, v in vectors(full):
            g, g_dot = np.random.default_rng(13).standard_normal((2, len(r)))
            found = subject.f(r), subject.jvp(r, v), subject.vjp(g, r)[0], subject.vjp_jvp(g, r, g_dot, v)[0]
            for e in range(len(r)):
                x, w = ([mpmath.mpf(float(a)) for a in row] for row in (r[e], v[e]))
                d = mpmath.sqrt(mpmath.fsum(a * a for a in x))
                along = mpmath.fsum(a * b for a, b in zip(x, w)) / d
                size = mpmath.fsum(abs(a * b) for a, b in zip(x, w)) / d
                yield ("f", e), share(found[0][e], d, 3 * U * d)
                yield ("jvp", e), share(found[1][e], along, 7 * U * size)
                bar, bar_dot = mpmath.mpf(float(g[e])), mpmath.mpf(float(g_dot[e]))
                for a in range(3):
                    unit = x[a] / d
                    yield ("vjp", e, a), share(found[2][e, a], bar * unit, 5 * U * abs(bar * unit))
                    exact = bar_dot * unit + bar * (w[a] - unit * along) / d
                    bound = abs(bar) * (abs(w[a]) + abs(unit) * size) / d + abs(bar_dot * unit)
                    yield ("vjp_jvp", e, a), share(found[3][e, a], exact, 19 * U * bound)


if __name__ == "__main__":
    sys.exit(main())
