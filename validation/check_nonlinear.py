"""Functions of one number, norms of fragments, and their derivatives: docs/derivations/activation.md, norm.md."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main

from nbody_ref import Irreps
from nbody_ref.ops import activation, norm
from nbody_ref.ops.activation import Activation

Array = np.ndarray[Any, Any]
ROUNDOFF = {"float64": mpmath.mpf(2) ** -53, "float32": mpmath.mpf(2) ** -24}
SMALLEST = {"float64": mpmath.mpf(2) ** -1074, "float32": mpmath.mpf(2) ** -149}
POINTS = (-60.0, -9.0, -2.5, -0.7, -1e-3, -1e-12, 1e-9, 0.02, 0.3, 1.1, 4.0, 17.0, 50.0)
FACTOR = 1.625  # exact in both precisions


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    return 1 / (1 + mpmath.exp(-x))


DEFINITIONS: dict[str, Callable[[Any], Any]] = {
    "silu": lambda x: x * sigmoid(x),
    "sigmoid": sigmoid,
    "tanh": mpmath.tanh,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "shifted_softplus": lambda x: mpmath.log1p(mpmath.exp(x)) - mpmath.log(2),
    "reciprocal": lambda x: 1 / x,
}


def sizes(name: str, x: Any) -> tuple[Any, Any, Any]:
    """S of the value and of two derivatives: the table of the page with plus signs."""
    s, t = sigmoid(x), sigmoid(-x)
    value = abs(DEFINITIONS[name](x))
    slope = 1 - mpmath.tanh(x) ** 2
    return {
        "silu": (abs(x) * s, s * (1 + abs(x) * t), s * t * (2 + abs(x))),
        "sigmoid": (s, s * t, s * t),
        "tanh": (value, slope, 2 * value * slope),
        "softplus": (value, s, s * t),
        "shifted_softplus": (max(x, 0) - mpmath.log((1 + mpmath.exp(-abs(x))) / 2), s, s * t),
        "reciprocal": (value, value**2, 2 * value**3),
    }[name]


@cache
def derivatives(name: str, point: float) -> tuple[Any, Any, Any]:
    """Value and two derivatives of the definition at a float."""
    with mpmath.workdps(200):
        x = mpmath.mpf(point)
        return DEFINITIONS[name](x), mpmath.diff(DEFINITIONS[name], x), mpmath.diff(DEFINITIONS[name], x, 2)


FOUR = {
    "f": activation.activation,
    "jvp": activation.activation_jvp,
    "vjp": activation.activation_vjp,
    "vjp_jvp": activation.activation_vjp_jvp,
}


def share(found: Any, exact: Any, bound: Any) -> float:
    """|error| / bound."""
    return float(abs(mpmath.mpf(float(found)) - exact) / bound)


@claim(
    "7.13",
    "docs/derivations/activation.md",
    "functions of one number: f, jvp, vjp, vjp_jvp, two precisions",
    "mpmath, derivatives of the definitions",
    FOUR,
    {
        "factor forgotten": {"f": lambda x, kind: activation.activation(x, Activation(kind.name))},
        "value for slope": {"jvp": lambda x, v, kind: activation.activation(x, kind) * v},
        "vjp: sign": {"vjp": lambda g, x, kind: (-activation.activation_vjp(g, x, kind)[0],)},
        "vjp_jvp: second derivative dropped": {
            "vjp_jvp": lambda g, x, g_dot, v, kind: activation.activation_vjp_jvp(g, x, g_dot, None, kind)
        },
    },
    "k u S, k = 16 + 3, and a few smallest numbers",
)
def functions(subject: SimpleNamespace, full: bool) -> Cases:
    with mpmath.workdps(120):
        for name in DEFINITIONS if full else list(DEFINITIONS)[:2]:
            kind = Activation(name, FACTOR)
            for dtype, u in ROUNDOFF.items():
                x = np.array(POINTS if full else POINTS[::4], dtype)
                v, g, g_dot = (np.random.default_rng([80, k]).standard_normal(len(x)).astype(dtype) for k in range(3))
                found = (
                    subject.f(x, kind),
                    subject.jvp(x, v, kind),
                    subject.vjp(g, x, kind)[0],
                    subject.vjp_jvp(g, x, g_dot, v, kind)[0],
                )
                for i, point in enumerate(x):
                    a, b, c, d = (mpmath.mpf(float(z[i])) for z in (x, v, g, g_dot))
                    s, S, scale = derivatives(name, float(point)), sizes(name, a), 19 * u * FACTOR
                    few = 8 * SMALLEST[dtype] * (1 + abs(b)) * (1 + abs(c)) * (1 + abs(d))  # where it underflows
                    for k, what, exact, size in (
                        (0, "f", s[0], S[0]),
                        (1, "jvp", s[1] * b, S[1] * abs(b)),
                        (2, "vjp", s[1] * c, S[1] * abs(c)),
                        (3, "vjp_jvp", s[1] * d + s[2] * b * c, S[1] * abs(d) + S[2] * abs(b * c)),
                    ):
                        yield (name, dtype, i, what), share(found[k][i], FACTOR * exact, scale * size + few)


TAU = Irreps("2x0e + 2x1o + 1x3o")
NORMS = {"f": norm.norms, "jvp": norm.norms_jvp, "vjp": norm.norms_vjp, "vjp_jvp": norm.norms_vjp_jvp}


def fragments() -> Iterator[tuple[int, list[int]]]:
    """Degree and columns of every fragment."""
    for start, (mul, irrep) in zip(TAU.offsets, TAU):
        for c in range(mul):
            yield irrep.l, [start + m * mul + c for m in range(irrep.dim)]


@claim(
    "7.14",
    "docs/derivations/norm.md",
    "norms of fragments: f, jvp, vjp, vjp_jvp, two precisions",
    "mpmath",
    NORMS,
    {
        "squared": {"f": lambda x, tau, e: norm.norms(x, tau, e) ** 2},
        "jvp not divided": {"jvp": lambda x, v, tau, e: norm.norms_jvp(x, v, tau, e) * norm.norms(x, tau, e)},
        "epsilon forgotten": {"vjp": lambda g, x, tau, e: norm.norms_vjp(g, x, tau, 0.0)},
        "vjp_jvp: motion of x dropped": {
            "vjp_jvp": lambda g, x, g_dot, v, tau, e: norm.norms_vjp_jvp(g, x, g_dot, None, tau, e)
        },
    },
    "k u S, k = 3 (2l + 4) + 16",
)
def lengths(subject: SimpleNamespace, full: bool) -> Cases:
    with mpmath.workdps(60):
        for dtype, u in ROUNDOFF.items():
            for seed, epsilon in ((0, 0.5), (1, 0.0)) if full else ((0, 0.5),):
                rng = np.random.default_rng([81, seed])
                x, v = (rng.standard_normal((2, TAU.dim)).astype(dtype) for _ in range(2))
                g, g_dot = (rng.standard_normal((2, 5)).astype(dtype) for _ in range(2))
                found = (
                    subject.f(x, TAU, epsilon),
                    subject.jvp(x, v, TAU, epsilon),
                    subject.vjp(g, x, TAU, epsilon)[0],
                    subject.vjp_jvp(g, x, g_dot, v, TAU, epsilon)[0],
                )
                for n in range(2):
                    for c, (l, columns) in enumerate(fragments()):
                        a, b = ([mpmath.mpf(float(z[n, k])) for k in columns] for z in (x, v))
                        bar, bar_dot = mpmath.mpf(float(g[n, c])), mpmath.mpf(float(g_dot[n, c]))
                        y = mpmath.sqrt(mpmath.fsum(p * p for p in a) + mpmath.mpf(epsilon) ** 2)
                        along = mpmath.fsum(p * q for p, q in zip(a, b)) / y
                        size, k = mpmath.fsum(abs(p * q) for p, q in zip(a, b)) / y, (3 * (2 * l + 4) + 16) * u
                        case = (dtype, seed, n, c)
                        yield (*case, "f"), share(found[0][n, c], y, k * y)
                        yield (*case, "jvp"), share(found[1][n, c], along, k * size)
                        for i, (p, q) in enumerate(zip(a, b)):
                            yield (*case, "vjp", i), share(found[2][n, columns[i]], bar * p / y, k * abs(bar * p) / y)
                            exact = bar_dot * p / y + bar * (q - p * along / y) / y
                            S = abs(bar_dot * p) / y + abs(bar) * (abs(q) + abs(p) * size / y) / y
                            yield (*case, "vjp_jvp", i), share(found[3][n, columns[i]], exact, k * S)


if __name__ == "__main__":
    sys.exit(main())
