"""Wigner matrices of all degrees up to 8 of 10,000 rotations, beside spherical's, in one process, one thread.

    OMP_NUM_THREADS=1 python benchmarks/bench_wigner.py [lmax] [rotations]

Both write complex matrices into a given array; the real gauge, its jvp and its vjp are ours alone and stand beside the
same figure. Ratio = ours / theirs, medians of calls in turn. The limit is the larger of bytes written / measured rate
of writing and arithmetic instructions / their measured rate without vectors.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import quaternionic
import spherical

from nbody_ref.kernels._jit import kernel
from nbody_ref.ops.wigner import wigner, wigner_jvp, wigner_vjp


def medians(functions: dict[str, Callable[[], Any]], rounds: int = 15) -> dict[str, float]:
    """Median milliseconds of one call; the functions take turns."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: float(np.median(row)) for name, row in times.items()}


@kernel(contract=True)
def _independent(n: Any) -> Any:
    """Ten independent chains of n fused products and sums."""
    c, d = 0.999999, 1e-9
    p, q, r, s, t = 1.0, 1.1, 1.2, 1.3, 1.4
    u, v, w, x, y = 1.5, 1.6, 1.7, 1.8, 1.9
    for _ in range(n):
        p, q, r, s, t = p * c + d, q * c + d, r * c + d, s * c + d, t * c + d
        u, v, w, x, y = u * c + d, v * c + d, w * c + d, x * c + d, y * c + d
    return p + q + r + s + t + u + v + w + x + y


def main() -> None:
    lmax, n = (int(a) for a in (sys.argv[1:] + ["8", "10000"][len(sys.argv) - 1 :]))
    q = np.random.default_rng(0).normal(size=(n, 4))
    q /= np.linalg.norm(q, axis=1)[:, None]
    peer, turns, D = spherical.Wigner(lmax), quaternionic.array(q), wigner(q, lmax, "complex")
    real, theirs = wigner(q, lmax), peer.D(turns)
    assert np.allclose(D, theirs.conj(), atol=1e-10)  # the peer turns frames where we turn vectors
    omega, g = np.random.default_rng(1).normal(size=(n, 3)), np.random.default_rng(2).normal(size=real.shape)
    chains = 100_000
    found = medians(
        {
            "peer": lambda: peer.D(turns, out=theirs),
            "complex": lambda: wigner(q, lmax, "complex", out=D),
            "real": lambda: wigner(q, lmax, out=real),
            "jvp": lambda: wigner_jvp(q, omega, lmax),
            "vjp": lambda: wigner_vjp(g, q, lmax),
            "write": lambda: D.fill(1.0),
            "rate": lambda: _independent(chains),
        }
    )
    steps = sum(8 * j * (j + 1) for j in range(1, 2 * lmax + 1))
    emitted = 5 * sum((2 * l + 1) ** 2 for l in range(lmax + 1))
    limit = max(found["write"], n * (steps + emitted) / (10 * chains) * found["rate"])
    print(f"lmax {lmax}, {n} rotations, milliseconds")
    for name in ("complex", "real", "jvp", "vjp"):
        print(f"{name:8s} ours {found[name]:8.2f}  peer {found['peer']:8.2f}  ratio {found[name] / found['peer']:5.2f}")
    print(f"limit: scalar instructions or writing {limit:.2f}; writing alone {found['write']:.2f}")


if __name__ == "__main__":
    main()
