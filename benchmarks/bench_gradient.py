"""What a gradient with respect to all weights costs, against energies and forces of the same batch.

A loss on energies and forces is differentiated by one forward, one reverse, one tangent and one tangent-of-reverse
pass (docs/derivations/chain.md), so that the cost must not depend on the number of weights and must grow in proportion
to the atoms. CPU time of one thread, the two in turns, best of the turns:

    python benchmarks/bench_gradient.py
"""

from __future__ import annotations

import os
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402  after the variables that it reads

from nbody_ref import network  # noqa: E402
from nbody_ref.fit.reading import ethanol  # noqa: E402
from nbody_ref.gates.terms import Bare, Directed, Gate  # noqa: E402
from nbody_ref.irreps import Irreps  # noqa: E402
from nbody_ref.ops.radial import Bessel  # noqa: E402


def once(function):
    """CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def compare(net, frames, repeats=7):
    """Best milliseconds of energies and forces, and of the loss's gradient, in turns."""
    graph = net.graph(frames)
    rng = np.random.default_rng(1)
    bars = rng.normal(size=graph.n_frames), rng.normal(size=graph.positions.shape)

    def gradient():
        net.loss_gradient(graph, lambda energy, forces: (0.0, *bars))

    runs = lambda: net.energy_and_forces(graph), gradient
    for run in runs:
        run()
    return 1e3 * np.min([[once(run) for run in runs] for _ in range(repeats)], axis=0)


def layered(mul, species, levels=2, cutoff=5.0):
    """Covariant layers of `mul` channels to degree 2 whose every weight is learned."""
    radial = Bessel(4, cutoff, 3)
    hidden = Irreps(f"{mul}x0e + {mul}x1o + {mul}x2e")
    layer = Gate((Bare("centre"), Directed(radial, 2, mul=mul)), hidden)
    gates = (*(layer for _ in range(levels)), Gate((Bare("centre"),), Irreps("1x0e")), Gate((Bare(),)))
    return network.Network(network.Spec(species, cutoff, gates))


def weights(net):
    return sum(array.size for array in net.parameters.values())


def cluster(n, seed=0):
    """n atoms at the density of a liquid, no two closer than 0.9 Angstrom."""
    rng, side = np.random.default_rng(seed), (n * 10.0) ** (1 / 3)
    grid = np.ceil(n ** (1 / 3)).astype(int)
    points = np.stack(np.meshgrid(*[np.arange(grid)] * 3, indexing="ij"), -1).reshape(-1, 3)[:n] * side / grid
    return points + rng.uniform(-0.3, 0.3, (n, 3)), rng.choice([1, 6, 8], n)


def main():
    frames = [(frame.positions, frame.numbers) for frame in ethanol()[:10]]
    print("ten frames of ethanol; milliseconds")
    print("network              weights   energy+forces   gradient   ratio")
    for name, net in networks():
        plain, full = compare(net, frames)
        print(f"{name:20s} {weights(net):7d} {plain:15.1f} {full:10.1f} {full / plain:7.2f}", flush=True)
    print("clusters at the density of a liquid, 4 Angstrom, 8 channels, 2 layers; microseconds per atom")
    print("atoms   energy+forces   gradient   ratio")
    net = layered(8, (1, 6, 8), cutoff=4.0)
    for n in (10, 30, 100, 300, 1000):
        plain, full = compare(net, [cluster(n)], 3)
        print(f"{n:5d} {1e3 * plain / n:15.1f} {1e3 * full / n:10.1f} {full / plain:7.2f}", flush=True)


def networks():
    species = (1, 6, 8)
    for size in ("small", "medium"):
        yield f"default, {size}", network.default(species, size=size)
    for mul in (2, 4, 8, 16, 32):
        yield f"2 layers of {mul}", layered(mul, species)


if __name__ == "__main__":
    main()
