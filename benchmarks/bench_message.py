"""Messages against e3nn and e3nn-jax: forward plus backward of the weighted 'uvu' product, one thread, one process.

Ours sums over neighbours and returns the gradients of nodes, edges and weights; the peers return one product per edge
and its gradients, without gather and scatter, which favours them. CPU time of the process; all take turns, so that a
busy machine slows all alike: one call untimed, then calls for 20 ms; the best turn of each counts. "limit" is what the
machine allows: the larger of the time for the arithmetic at the peak measured for code from the same compiler, and the
time for reading w twice and writing its gradient at the measured rate of a copy. Run with an interpreter that has
torch, e3nn and e3nn_jax:

    taskset -c 0 python benchmarks/bench_message.py [--cases 2:1000,3:1000,2:10000,3:10000] [--dtype float64]
"""

from __future__ import annotations

import argparse
import os
import time

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numba  # noqa: E402  after the variables that it and numpy read
import numpy as np  # noqa: E402

from nbody_ref.graphs import Edges  # noqa: E402
from nbody_ref.irreps import Irrep, Irreps  # noqa: E402
from nbody_ref.ops.message import (  # noqa: E402
    MessageTable,
    message,
    message_jvp,
    message_vjp,
    message_vjp_jvp,
)


def once(function):
    """CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def turn(function, seconds=0.02):
    """CPU seconds of one call: the mean of as many as take `seconds`, after one that is not timed."""
    n = max(1, round(seconds / max(once(function), 1e-6)))
    start = time.process_time()
    for _ in range(n):
        function()
    return (time.process_time() - start) / n


def copy_rate(n_bytes):
    """Bytes read and written per second when arrays of this size are copied."""
    a, b = np.ones(n_bytes // 8), np.ones(n_bytes // 8)
    return 2 * a.nbytes / min(turn(lambda: np.copyto(a, b), 0.005) for _ in range(20))


@numba.njit(fastmath={"contract"})
def fma_chains(out, x, m, n):
    """n rounds of 32 dependent multiply-adds on each of 256 numbers in cache: nothing but arithmetic."""
    f = m[0]
    for _ in range(n):
        for c in range(256):
            s = x[c]
            t = s
            for _ in range(32):
                t = t * f + s
            out[c] = t


def fma_peak(dtype):
    """Multiply-add rate of one thread in GF/s, measured."""
    out, x, m = np.zeros(256, dtype), np.ones(256, dtype), np.full(1, 0.5, dtype)
    fma_chains(out, x, m, 1)
    return max(2 * 32 * 256 * 2000 / once(lambda: fma_chains(out, x, m, 2000)) for _ in range(20)) / 1e9


def flops(table, n_edges):
    """Useful multiply-adds of forward plus backward, three contractions per path, two operations each."""
    per_edge = 0
    for part, _, irrep in table.paths:
        mul, irrep_x = table.irreps_in[part]
        per_edge += mul * irrep_x.dim * irrep.dim
    return 3 * 2 * per_edge * n_edges


def problem(lmax, n_edges, channels, dtype, seed=0):
    """Random signed states on a random graph with 20 neighbours on average."""
    rng = np.random.default_rng(seed)
    irreps = Irreps((channels, Irrep(l, (-1) ** l)) for l in range(lmax + 1))
    table = MessageTable.build(irreps, lmax, out=[Irrep(l, (-1) ** l) for l in range(lmax + 1)])
    n = max(n_edges // 20, 2)
    edges = Edges.build(rng.integers(0, n, n_edges), rng.integers(0, n, n_edges), n, n)
    shapes = (n, irreps.dim), (n_edges, table.dim_y), (n_edges, table.n_weights), (n, table.irreps_out.dim)
    return table, edges, [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def ours(table, edges, arrays):
    x, Y, w, g = arrays

    def run():
        message(x, Y, w, edges, table)
        message_vjp(g, x, Y, w, edges, table)

    return run


def second_order(table, edges, arrays):
    x, Y, w, g = arrays

    def run():
        message_jvp(x, Y, w, x, Y, w, edges, table)
        message_vjp_jvp(g, x, Y, w, g, x, Y, w, edges, table)

    return run


def paths_of(table):
    lmax = table.lmax
    sh = [(1, (l, (-1) ** l)) for l in range(lmax + 1)]
    out = [(table.irreps_in[part].mul, (irrep.l, irrep.p)) for part, _, irrep in table.paths]
    instructions = [(part, l2, i) for i, (part, l2, _) in enumerate(table.paths)]
    return sh, out, instructions


def e3nn_torch(table, n_edges, dtype):
    import torch
    from e3nn import o3

    torch.set_num_threads(1)
    torch.set_default_dtype(getattr(torch, dtype))
    sh, out, found = paths_of(table)
    irreps = o3.Irreps([(mul, (ir.l, ir.p)) for mul, ir in table.irreps_in])
    product = o3.TensorProduct(
        irreps,
        o3.Irreps(sh),
        o3.Irreps(out),
        [(*i, "uvu", True) for i in found],
        shared_weights=False,
        internal_weights=False,
    )
    x = torch.randn(n_edges, irreps.dim, requires_grad=True)
    y = torch.randn(n_edges, table.dim_y, requires_grad=True)
    w = torch.randn(n_edges, product.weight_numel, requires_grad=True)
    g = torch.randn(n_edges, product.irreps_out.dim)
    return lambda: torch.autograd.grad(product(x, y, w), (x, y, w), g)


def e3nn_jax_peer(table, n_edges, dtype):
    import jax

    if dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    import e3nn_jax as e3nn
    import jax.numpy as jnp
    from e3nn_jax.legacy import FunctionalTensorProduct

    sh, out, found = paths_of(table)
    irreps = e3nn.Irreps([(mul, (ir.l, ir.p)) for mul, ir in table.irreps_in])
    instructions = [(*i, "uvu", True) for i in found]
    product = FunctionalTensorProduct(irreps, e3nn.Irreps(sh), e3nn.Irreps(out), instructions)
    muls = [table.irreps_in[part].mul for part, _, _ in table.paths]
    ends = np.cumsum(muls)[:-1]

    def single(x, y, w):
        weights = [piece.reshape(mul, 1) for piece, mul in zip(jnp.split(w, ends), muls)]
        return product.left_right(weights, e3nn.IrrepsArray(irreps, x), e3nn.IrrepsArray(e3nn.Irreps(sh), y)).array

    def both(x, y, w, g):
        value, pull = jax.vjp(jax.vmap(single), x, y, w)
        return value, pull(g)

    rng = np.random.default_rng(1)
    dims = irreps.dim, table.dim_y, sum(muls), e3nn.Irreps(out).dim
    arrays = [jnp.asarray(rng.standard_normal((n_edges, dim)), dtype=dtype) for dim in dims]
    compiled = jax.jit(both)
    return lambda: jax.block_until_ready(compiled(*arrays))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", default="2:1000,3:1000,2:10000,3:10000")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    peak = fma_peak(options.dtype)
    print(f"one thread, {options.dtype}, multiply-add peak {peak:.0f} GF/s; forward + backward, best CPU ms")
    print(" L      E    ours  GF/s  limit  of limit  2nd order     e3nn  ratio  e3nn-jax  ratio")
    for case in options.cases.split(","):
        lmax, n_edges = map(int, case.split(":"))
        table, edges, arrays = problem(lmax, n_edges, options.channels, options.dtype)
        runs = [ours(table, edges, arrays), second_order(table, edges, arrays)]
        if not options.no_peers:
            runs += [e3nn_torch(table, n_edges, options.dtype), e3nn_jax_peer(table, n_edges, options.dtype)]
        for run in runs:
            run()
            run()
        repeats = options.repeats if n_edges < 5000 else max(options.repeats // 3, 3)
        best = 1e3 * np.min([[turn(run) for run in runs] for _ in range(repeats)], axis=0)
        rate = flops(table, n_edges) / best[0] / 1e6
        w = arrays[2].nbytes
        limit = max(flops(table, n_edges) / peak / 1e6, 1e3 * 3 * w / copy_rate(w))
        line = f"{lmax:2d} {n_edges:6d} {best[0]:7.2f} {rate:5.1f} {limit:6.2f} {limit / best[0]:8.0%} {best[1]:11.2f}"
        print(line + "".join(f" {b:8.2f} {b / best[0]:5.1f}x" for b in best[2:]), flush=True)


if __name__ == "__main__":
    main()
