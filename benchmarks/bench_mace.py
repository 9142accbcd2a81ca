"""MACE here against mace-torch, the same model on the same batch: energies and forces, and a training step's gradient.

CPU time of one thread, the two in turns, best of the turns; needs mace-torch:

    python benchmarks/bench_mace.py
"""

from __future__ import annotations

import os
import time
import warnings

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import mace  # noqa: E402, F401  before e3nn
import numpy as np  # noqa: E402
import torch  # noqa: E402
from ase.build import molecule  # noqa: E402
from e3nn import o3  # noqa: E402
from mace.modules import blocks, models  # noqa: E402

from nbody_ref.models import mace_export  # noqa: E402
from nbody_ref.models.mace_import import convert  # noqa: E402

MODELS = {
    "16x0e": ("16x0e", 2),
    "16x0e + 16x1o": ("16x0e + 16x1o", 3),
    "32x0e + 32x1o": ("32x0e + 32x1o", 3),
    "64x0e + 64x1o + 64x2e": ("64x0e + 64x1o + 64x2e", 3),
}


def torch_model(hidden, correlation):
    """Two layers with the defaults of mace-torch, of benzene's species."""
    torch.manual_seed(0)
    first, others = blocks.RealAgnosticInteractionBlock, blocks.RealAgnosticResidualInteractionBlock
    return models.ScaleShiftMACE(
        r_max=5.0,
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=3,
        interaction_cls_first=first,
        interaction_cls=others,
        num_interactions=2,
        num_elements=2,
        hidden_irreps=o3.Irreps(hidden),
        MLP_irreps=o3.Irreps("16x0e"),
        atomic_energies=np.zeros(2),
        avg_num_neighbors=10.0,
        atomic_numbers=[1, 6],
        correlation=correlation,
        gate=torch.nn.functional.silu,
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )


def once(function):
    """CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def compare(hidden, correlation, copies=4, turns=5):
    """Best milliseconds of (energies and forces, gradient) here and in torch."""
    theirs = torch_model(hidden, correlation)
    stored = mace_export.describe(theirs), mace_export.parameters(theirs), mace_export.constants(theirs)
    ours = convert(*stored, versions={}).model
    benzene, rng = molecule("C6H6"), np.random.default_rng(0)
    frames = [(benzene.positions + 0.1 * rng.standard_normal((12, 3)), benzene.numbers) for _ in range(copies)]
    graph = ours.graph(frames)
    edges = np.stack([graph.edges.senders, graph.edges.receivers]).astype(np.int64)
    zero = torch.zeros(edges.shape[1], 3)
    batch = {
        "positions": torch.tensor(graph.positions),
        "node_attrs": torch.eye(2)[ours.kinds(graph).astype(int)],
        "edge_index": torch.tensor(edges),
        "shifts": zero,
        "unit_shifts": zero,
        "cell": torch.zeros(3 * copies, 3),
        "batch": torch.tensor(graph.frame.astype(int)),
        "ptr": torch.tensor(graph.frame_ptr.astype(int)),
    }
    weights = [w for w in theirs.parameters() if w.requires_grad]

    def torch_gradient():
        out = theirs(dict(batch), training=True)
        torch.autograd.grad((out["forces"] ** 2).sum() + (out["energy"] ** 2).sum(), weights, allow_unused=True)

    def gradient():
        ours.loss_gradient(graph, lambda e, f: ((e**2).sum() + (f**2).sum(), 2 * e, 2 * f))

    runs = [lambda: ours.energy_and_forces(graph), gradient, lambda: theirs(dict(batch)), torch_gradient]
    for run in runs:
        run()  # compiles
    best = np.min([[once(run) for run in runs] for _ in range(turns)], axis=0)
    return 1e3 * best, graph


def main():
    warnings.filterwarnings("ignore")
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    print("CPU milliseconds of one thread: energies and forces; gradient of a loss on both. Here, mace-torch.")
    for name, (hidden, correlation) in MODELS.items():
        best, graph = compare(hidden, correlation)
        size = f"{graph.n_atoms} atoms, {graph.edges.n_edges} edges"
        times = f"{best[0]:.1f}, {best[2]:.1f}; {best[1]:.1f}, {best[3]:.1f}"
        print(f"{name}, nu {correlation}, {size}: {times}", flush=True)


if __name__ == "__main__":
    main()
