"""MACE and Cormorant, with and without fusion blocks, on the same frames with the same budget.

    python benchmarks/compare_models.py [FRAMES.xyz] [--seconds 150 | --steps 2000] [--train 400] [--seeds 0 1]
                                        [--only MODEL ...] [-o RESULTS.json]

Without a file the ethanol frames of the package are taken. Every model is trained by `nbody_ref.fit.train`: all
weights, energies and forces, AdamW, the same frames, batches and step sizes. The budget is processor time or a number
of steps. The step size falls to zero over the steps, so that a run that is cut off is no result: for a budget of time
that of a step is measured first, and each model gets as many steps as fit. Results that the pages of docs/models show
are in benchmarks/compare_models*.json.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402  after the variables that it reads

from nbody_ref.fit import DescentOptions, ethanol, read_frames, split, train  # noqa: E402
from nbody_ref.fit.baseline import Baseline  # noqa: E402
from nbody_ref.models.cormorant import Cormorant, CormorantSpec  # noqa: E402
from nbody_ref.models.mace import Mace, MaceSpec  # noqa: E402

HOLDOUT, CHECKS = 0.1, 10
BLOCKS = (("neighbours", "neighbours"), ("centre", "neighbours", "neighbours"))
CORMORANT: dict[str, dict[str, Any]] = {
    "Cormorant": {},
    "Cormorant, as large": {"n_channels": 6},
    "Cormorant + fusion": {"fusion": BLOCKS, "fusion_bond": 1},
}
MACE: dict[str, dict[str, Any]] = {
    "MACE": {"product": "published"},
    "MACE, reduced": {"product": "reduced"},
    "MACE + fusion": {"product": "fusion", "bond_cutoff": 1},
    "MACE + fusion, bonds <= 0": {"product": "fusion", "bond_cutoff": 0},
}
COLUMNS = (
    "weights",
    "steps",
    "ms_per_gradient",
    "holdout_force_rmse",
    "energy_mae",
    "energy_rmse",
    "force_mae",
    "force_rmse",
    "cpu_seconds",
)


def geometries(frames: Any) -> list[Any]:
    """Positions and atomic numbers."""
    return [(frame.positions, frame.numbers) for frame in frames]


def model_of(name: str, frames: Any, cutoff: float, lmax: int, seed: int) -> Any:
    """Two layers of eight (MACE) or four complex (Cormorant) channels, scaled to the forces of the frames.

    MACE + fusion bounds the bonds of the products; Cormorant + fusion adds blocks of two and three legs to the terms of
    each level.
    """
    scale = float(np.sqrt(np.mean(np.concatenate([frame.forces for frame in frames]) ** 2)))
    if name in CORMORANT:
        sizes = {"n_levels": 2, "lmax": lmax, "lmax_edge": lmax, "n_channels": 4, "level_gain": 1.0, "scale": scale}
        return Cormorant(CormorantSpec(frames.species, **(sizes | CORMORANT[name])), seed=seed)
    sizes = {"hidden": "8x0e + 8x1o", "lmax": lmax, "radial_mlp": (16, 16), "readout": 8, "scale": scale}
    graph = Mace(MaceSpec(frames.species, cutoff, **sizes)).graph(geometries(frames))
    sizes["neighbours"] = graph.edges.n_edges / len(graph.positions)
    return Mace(MaceSpec(frames.species, cutoff, **sizes, **MACE[name]), seed=seed)


def errors(model: Any, frames: Any, baseline: Baseline) -> dict[str, float]:
    """Of energies of molecules, meV, and of components of forces, meV/Angstrom."""
    energies, forces = model.energy_and_forces(model.graph(geometries(frames)))
    differences = {
        "energy": energies + baseline.energy(frames) - frames.energies,
        "force": forces - np.concatenate([frame.forces for frame in frames]),
    }
    return {
        f"{name}_{kind}": round(1e3 * value, 2)
        for name, d in differences.items()
        for kind, value in (("mae", float(abs(d).mean())), ("rmse", float(np.sqrt(np.mean(d**2)))))
    }


def cost_of(model: Any, frames: Any, batch: int, n_holdout: int) -> tuple[float, float]:
    """Processor seconds of the gradient of a batch, and of a test on the hold-out: medians of a few."""
    parts = frames[list(range(batch))], frames[list(range(n_holdout))]
    small, large = (model.graph(geometries(part)) for part in parts)
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(8):
        start = time.process_time()
        model.weight_gradient(small, np.ones(batch), np.ones_like(small.positions))
        seconds[0].append(time.process_time() - start)
    for _ in range(3):
        start = time.process_time()
        model.energy_and_forces(large)
        seconds[1].append(time.process_time() - start)
    return float(np.median(seconds[0][2:])), float(np.median(seconds[1]))  # the first ones compile


def compared(name: str, training: Any, test: Any, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train one model and judge it on frames that it has not seen."""
    model, baseline = model_of(name, training, options.cutoff, options.lmax, seed), Baseline.build(training)
    gradient, check = cost_of(model, training, options.batch, round(HOLDOUT * len(training)))
    steps = options.steps or max(CHECKS, int((options.seconds - (CHECKS + 1) * check) / gradient))
    every = {"check_every": max(1, steps // CHECKS), "patience": 10**6}  # none ends early, whatever it reaches
    choice = DescentOptions(rate=options.rate, batch=options.batch, steps=steps, ema=0.99, seed=seed, **every)
    start = time.process_time()
    trained, state = train(model, training, choice, holdout=HOLDOUT)
    found = {"weights": int(np.size(model.parameters.as_real())), "steps": state.adam.step}
    return {
        **found,
        "ms_per_gradient": round(1e3 * gradient, 1),
        "cpu_seconds": round(time.process_time() - start, 1),
        "holdout_force_rmse": round(1e3 * state.best_score, 2),
        **errors(trained, test, baseline),
    }


def main() -> None:
    models = (*MACE, *CORMORANT)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("frames", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=150.0, help="of the processor, for the training of each model")
    parser.add_argument("--steps", type=int, help="of each model, instead of --seconds")
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--cutoff", type=float, default=4.0, help="Angstrom; of MACE, Cormorant takes all pairs")
    parser.add_argument("--lmax", type=int, default=2, help="of harmonics and, in Cormorant, of states")
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the split and of the initial weights")
    parser.add_argument(
        "--only", nargs="+", choices=models, default=["MACE", "MACE + fusion", "Cormorant", "Cormorant + fusion"]
    )
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    frames = ethanol() if options.frames is None else read_frames(options.frames)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    print(f"{'model':26}{'seed':>5}" + "".join(f"{column:>20}" for column in COLUMNS), flush=True)
    for seed in options.seeds:
        parts = split(len(frames), options.train, seed)
        for name in options.only:
            found = compared(name, frames[parts.train], frames[parts.test], options, seed)
            results[name].append(found)
            print(f"{name:26}{seed:>5}" + "".join(f"{found[column]:>20}" for column in COLUMNS), flush=True)
    if options.output:
        other = ("frames", "output", "only", "seconds" if options.steps else "steps")
        settings = {k: v for k, v in vars(options).items() if k not in other}
        source = "ethanol.xyz of the package" if options.frames is None else options.frames.name
        options.output.write_text(json.dumps({"frames": source, **settings, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
