"""Distances and radial functions with their derivatives: docs/derivations/distance.md and radial.md, by mpmath."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main
from _radials import chain, function, sizes

from nbody_ref.ops import distance, radial
from nbody_ref.ops.radial import Bessel, ExponentialCosine, InversePowers

U = mpmath.mpf(2) ** -53
LMAX = 3
FAMILIES = (
    InversePowers((0, 1, 2, 3)),
    InversePowers((-1, 5)),
    Bessel(6, 5.0),
    Bessel(3, 4.5, 2),
    ExponentialCosine(5, 5.0),
    ExponentialCosine(3, 4.0, 6, 0.75),
)


def suffixed(stem: str, name: str) -> str:
    """Name of one of the four functions."""
    return stem if name == "f" else f"{stem}_{name}"


def share(computed: Any, exact: Any, bound: Any) -> Any:
    """|error| / bound; where the bound is zero the result must be exact."""
    error = abs(mpmath.mpf(float(computed)) - exact)
    return error / bound if bound else (0 if error == 0 else 2)


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


@claim(
    "7.5",
    "docs/derivations/radial.md",
    "radial functions: value, jvp, vjp, vjp_jvp of every family, to the cutoff",
    "mpmath, Taylor coefficients of the definitions at 60 digits",
    SUBJECT,
    {
        "factor d^-l forgotten": {"f": lambda dist, basis: SUBJECT["f"](dist, basis)[:, :1].repeat(LMAX + 1, 1)},
        "the value for the slope": {"jvp": lambda dist, basis: SUBJECT["f"](dist, basis) * -1.0},
        "vjp: sign": {"vjp": lambda dist, basis: -SUBJECT["vjp"](dist, basis)},
        "vjp_jvp: stored in float32": {"vjp_jvp": lambda dist, basis: np.float32(SUBJECT["vjp_jvp"](dist, basis))},
    },
    "k u S, k of the page",
    rho=lambda case: ((suffixed("radial", case[4]), "float64", case[2]), chain(case[0], case[3], case[2])),
)
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
                                (basis, float(d), l, n, name),
                                share(found[name][e, l, n], exact, k * U * S[order]),
                            )


@claim(
    "7.6",
    "docs/derivations/radial.md",
    "radial functions are exactly zero from the cutoff on, derivatives too",
    "zero",
    SUBJECT,
    {"no cutoff": {"f": lambda dist, basis: SUBJECT["f"](dist * 0.5, basis)}},
)
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


DISTANCE = {
    "f": distance.distance,
    "jvp": distance.distance_jvp,
    "vjp": distance.distance_vjp,
    "vjp_jvp": distance.distance_vjp_jvp,
}


DISTANCE_K = {"f": 3, "jvp": 7, "vjp": 5, "vjp_jvp": 19}


@claim(
    "7.7",
    "docs/derivations/distance.md",
    "distance: value, jvp, vjp and vjp_jvp",
    "mpmath, 50 digits",
    DISTANCE,
    {
        "squared distance": {"f": lambda r: np.sum(r * r, axis=1)},
        "vjp not divided by the length": {"vjp": lambda g, r: (g[:, None] * r,)},
        "vjp_jvp not projected": {"vjp_jvp": lambda g, r, g_dot, v: ((g / distance.distance(r))[:, None] * v,)},
    },
    "k u S, k of the page",
    rho=lambda case: ((suffixed("distance", case[0]), "float64", 0), DISTANCE_K[case[0]]),
)
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
                yield ("f", e), share(found[0][e], d, DISTANCE_K["f"] * U * d)
                yield ("jvp", e), share(found[1][e], along, DISTANCE_K["jvp"] * U * size)
                bar, bar_dot = mpmath.mpf(float(g[e])), mpmath.mpf(float(g_dot[e]))
                for a in range(3):
                    unit = x[a] / d
                    yield ("vjp", e, a), share(found[2][e, a], bar * unit, DISTANCE_K["vjp"] * U * abs(bar * unit))
                    exact = bar_dot * unit + bar * (w[a] - unit * along) / d
                    bound = abs(bar) * (abs(w[a]) + abs(unit) * size) / d + abs(bar_dot * unit)
                    yield ("vjp_jvp", e, a), share(found[3][e, a], exact, DISTANCE_K["vjp_jvp"] * U * bound)


if __name__ == "__main__":
    sys.exit(main())
