"""Solid harmonics beside sphericart's, in one process, one thread: microseconds, ratios and the limits of the machine.

    OMP_NUM_THREADS=1 python benchmarks/bench_harmonics.py

"values": `solid` into a given array against `SolidHarmonics.compute`, which allocates, and ("reuse") against the
peer's C function into the same array, without its Python door. "forces": `solid` and then `solid_vjp`, which is what an
energy and its forces need, against `compute_with_gradients` and the contraction of its Jacobian with the same
cotangent; "gradients" leaves the peer's contraction out; "reuse" is its C function into given arrays. Ratio = ours /
theirs, medians of batches in random order. The limit of the values is the larger of bytes moved / measured copy
bandwidth (long arrays only) and arithmetic instructions / their measured rate, one point at a time.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import sphericart

from nbody_ref.kernels._jit import kernel
from nbody_ref.ops.harmonics import solid, solid_vjp


def best(function: Callable[[], Any], seconds: float = 0.25) -> float:
    """Shortest time of one call, in microseconds, over batches that last `seconds` together."""
    function()
    start = time.perf_counter()
    function()
    once = max(time.perf_counter() - start, 1e-7)
    inner = max(1, int(2e-3 / once))
    shortest, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(inner):
            function()
        shortest = min(shortest, (time.perf_counter() - start) / inner)
    return float(shortest) * 1e6


def medians(*functions: Callable[[], Any], rounds: int = 25) -> list[float]:
    """Median microseconds per call of each function, in turns of random order, the first call of a turn untimed."""
    times, rng = np.empty((rounds, len(functions))), np.random.default_rng(1)
    for function in functions:
        function()
    inner = [max(5, int(1e3 / best(function, 0.01))) for function in functions]
    for row in times:
        for i in rng.permutation(len(functions)):
            function = functions[i]
            function()
            start = time.perf_counter()
            for _ in range(inner[i]):
                function()
            row[i] = (time.perf_counter() - start) / inner[i] * 1e6
    return [float(t) for t in np.median(times, axis=0)]


def peer_reuse(peer: Any, r: Any, *out: Any) -> Callable[[], Any]:
    """The peer's C function into given arrays: values, or values and Jacobian."""
    name = "sphericart_solid_harmonics_compute_array" + ("_with_gradients" if len(out) > 1 else "")
    function, arguments = getattr(peer._lib, name), [peer._calculator]
    for array in (r, *out):
        arguments += [array.ctypes.data_as(ctypes.POINTER(ctypes.c_double)), array.size]
    return lambda: function(*arguments)


@kernel(contract=True)
def _independent(n: Any) -> Any:
    """Ten independent chains of n fused products and sums: the highest scalar rate."""
    c, d = 0.999999, 1e-9
    p, q, r, s, t = 1.0, 1.1, 1.2, 1.3, 1.4
    u, v, w, x, y = 1.5, 1.6, 1.7, 1.8, 1.9
    for _ in range(n):
        p, q, r, s, t = p * c + d, q * c + d, r * c + d, s * c + d, t * c + d
        u, v, w, x, y = u * c + d, v * c + d, w * c + d, x * c + d, y * c + d
    return p + q + r + s + t + u + v + w + x + y


def instructions(lmax: int) -> int:
    """Arithmetic instructions per point of `kernels.harmonics_low.solid`, a product fused with a sum counted once."""
    total = 3
    for l in range(1, lmax + 1):
        total += 2 if l == 1 else 6  # c, v and their constants
        for m in range(l):
            total += (1, 3, 4)[min(l - m, 3) - 1] + (2 if m else 0)
    return total


def main() -> None:
    source = np.ones(4_000_000)
    target = np.empty_like(source)
    bandwidth = 2 * source.nbytes / best(lambda: np.copyto(target, source))  # bytes per microsecond
    rate = 10 * 10_000 / best(lambda: _independent(10_000))  # instructions per microsecond
    print(f"copy {bandwidth / 1e3:.1f} GB/s, {rate / 1e3:.1f} scalar instructions per ns")
    print("lmax       N | values ours    peer ratio reuse  limit | forces ours     peer ratio | gradients ratio reuse")
    rng = np.random.default_rng(0)
    for n in (1_000, 100_000):
        r = rng.normal(size=(n, 3))
        for lmax in range(1, 7):
            width = (lmax + 1) ** 2
            Y, Y_bar, peer = np.empty((n, width)), rng.normal(size=(n, width)), sphericart.SolidHarmonics(lmax)
            assert np.allclose(solid(r, lmax), peer.compute(r), rtol=1e-10, atol=1e-10)

            def forces(r: Any = r, lmax: int = lmax, Y: Any = Y, Y_bar: Any = Y_bar) -> Any:
                solid(r, lmax, out=Y)
                return solid_vjp(Y_bar, r, lmax)[0]

            def peer_forces(r: Any = r, peer: Any = peer, Y_bar: Any = Y_bar) -> Any:
                return np.einsum("nck,nk->nc", peer.compute_with_gradients(r)[1], Y_bar)

            assert np.allclose(forces(), peer_forces(), rtol=1e-9, atol=1e-9)
            dY = np.empty((n, 3, width))
            ours, theirs, reuse = medians(
                lambda: solid(r, lmax, out=Y),  # noqa: B023
                lambda: peer.compute(r),  # noqa: B023
                peer_reuse(peer, r, Y),
            )
            both, peers, jacobian, jacobian_reuse = medians(
                forces,
                peer_forces,
                lambda: peer.compute_with_gradients(r),  # noqa: B023
                peer_reuse(peer, r, Y, dY),
            )
            moved = n * 8 * (3 + width)
            limit = max(moved / bandwidth if n > 10_000 else 0.0, n * instructions(lmax) / rate)
            print(
                f"{lmax:4d} {n:7d} | {ours:11.1f} {theirs:7.1f} {ours / theirs:5.2f} {ours / reuse:5.2f} {limit:6.1f} |"
                f" {both:11.1f} {peers:8.1f} {both / peers:5.2f} | {both / jacobian:5.2f} {both / jacobian_reuse:5.2f}"
            )


if __name__ == "__main__":
    main()
