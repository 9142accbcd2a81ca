"""Surface hopping on Tully's one-dimensional two-state models: many trajectories, one after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["adiabatic", "diabatic", "potentials", "trajectories"]

Array = np.ndarray[Any, Any]

SAC, DAC, ECR = np.uintp(0), np.uintp(1), np.uintp(2)
X, V, HOPS, FRUSTRATED, DRIFT, NORM = (np.uintp(i) for i in range(6))  # columns of what a trajectory leaves


@kernel()
def diabatic(model: Any, p: Array, x: float) -> tuple[float, float, float, float, float, float]:
    """V11, V22, V12 and their derivatives at x; `p` (5,) are the constants A, B, C, D, E of Tully 1990."""
    if model == SAC:
        e = math.exp(-p[1] * abs(x))
        a, da = p[0] * (1 - e), p[0] * p[1] * e
        if x < 0:
            a = -a
        c = p[2] * math.exp(-p[3] * x * x)
        return a, -a, c, da, -da, -2 * p[3] * x * c
    if model == DAC:
        g = p[0] * math.exp(-p[1] * x * x)
        c = p[2] * math.exp(-p[3] * x * x)
        return 0.0, p[4] - g, c, 0.0, 2 * p[1] * x * g, -2 * p[3] * x * c
    e = p[1] * math.exp(-p[2] * abs(x))
    c = e if x < 0 else 2 * p[1] - e
    return p[0], -p[0], c, 0.0, 0.0, p[2] * e


@kernel()
def potentials(model: Any, p: Array, x: Array, out: Array) -> None:
    """V (n, 2, 2) at n positions."""
    for i in range(np.uintp(len(x))):
        a, b, c, _, _, _ = diabatic(model, p, x[i])
        out[i, np.uintp(0), np.uintp(0)], out[i, np.uintp(1), np.uintp(1)] = a, b
        out[i, np.uintp(0), np.uintp(1)], out[i, np.uintp(1), np.uintp(0)] = c, c


@kernel()
def adiabatic(model: Any, p: Array, x: float) -> tuple[float, float, float, float, float]:
    """E1, E2, dE1/dx, dE2/dx and the coupling <1|d/dx 2> (one of its two signs) at x."""
    a, b, c, da, db, dc = diabatic(model, p, x)
    half, dhalf = (a - b) / 2, (da - db) / 2
    g = math.sqrt(half * half + c * c)
    dg = (half * dhalf + c * dc) / g
    return (
        (a + b) / 2 - g,
        (a + b) / 2 + g,
        (da + db) / 2 - dg,
        (da + db) / 2 + dg,
        (half * dc - c * dhalf) / (2 * g * g),
    )


@kernel()
def trajectories(
    model: Any,
    p: Array,
    mass: float,
    k: float,
    box: Array,
    dt: float,
    amplitudes: bool,
    rng: Any,
    draws: Array,
    out: Array,
    state: Array,
) -> None:
    """Run trajectories from x = box[0] with momentum k on the lower surface until they leave box[1] < x < box[2].

    `out` (n, 6): position, velocity, hops, frustrated hops, largest error of the energy, norm of the amplitudes at the
    end; `state` (n,): surface at the end. `amplitudes`: fewest switches, else the Landau-Zener formula at minima of
    the gap. Atomic units. A hop falls where the product of all 1 - P since the last one sinks below a number uniform
    in (0, 1): the same law as a draw in each step. `draws` (n, m) holds the first m of these numbers, `rng` gives what
    follows.
    """
    for t in range(np.uintp(len(out))):
        x, v, s = box[0], k / mass, 0
        c0, c1 = complex(1.0), complex(0.0)
        e0, e1, g0, g1, d = adiabatic(model, p, x)
        start = mass * v * v / 2 + e0
        before, last, gap = math.inf, math.inf, e1 - e0
        used, alive, limit = np.uintp(0), 1.0, draws[t, np.uintp(0)]
        for column in (HOPS, FRUSTRATED, DRIFT):
            out[t, column] = 0.0
        while box[1] < x < box[2]:
            v -= dt / (2 * mass) * (g1 if s else g0)
            x += dt * v
            f0, f1, g0, g1, df = adiabatic(model, p, x)
            v -= dt / (2 * mass) * (g1 if s else g0)
            chance = 0.0
            if amplitudes:  # Schroedinger's equation with gap and coupling of the step's middle, solved exactly
                w, u = (e1 - e0 + f1 - f0) / 4, (d + df) / 2 * v
                rate = math.sqrt(w * w + u * u)
                cosine, sine = math.cos(rate * dt), math.sin(rate * dt) / rate
                old = abs(c1 if s else c0) ** 2
                c0, c1 = cosine * c0 + sine * (1j * w * c0 - u * c1), cosine * c1 + sine * (u * c0 - 1j * w * c1)
                chance = max(0.0, (old - abs(c1 if s else c0) ** 2) / old)
            before, last, gap = last, gap, f1 - f0
            if not amplitudes and last < before < math.inf and last < gap:
                chance = math.exp(-math.pi / 2 * dt * math.sqrt(last**3 / (before - 2 * last + gap)))
            e0, e1, d = f0, f1, df
            alive *= 1 - chance
            if alive < limit:
                used += np.uintp(1)
                alive, limit = 1.0, draws[t, used] if used < np.uintp(draws.shape[1]) else rng.random()
                left = v * v - 2 * (e0 - e1 if s else e1 - e0) / mass
                if left > 0:
                    v = math.copysign(math.sqrt(left), v)
                    s = 1 - s
                    out[t, HOPS] += 1
                else:
                    out[t, FRUSTRATED] += 1
            out[t, DRIFT] = max(out[t, DRIFT], abs(mass * v * v / 2 + (e1 if s else e0) - start))
        out[t, X], out[t, V], out[t, NORM], state[t] = x, v, abs(c0) ** 2 + abs(c1) ** 2, s
