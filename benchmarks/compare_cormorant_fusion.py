"""Cormorant against Cormorant + fusion on the same frames with the same budget: weights, time, errors.

    python benchmarks/compare_cormorant_fusion.py [FRAMES.xyz] [--steps 1500] [--seeds 0 1] [-o RESULTS.json]

Without a file the ethanol frames of the package are taken. Every model takes the same number of AdamW steps on the same
batches; the time of the steps is measured besides. A second published model is about as large as that with blocks.
Results that docs/models/cormorant.md shows are in benchmarks/compare_cormorant_fusion.json.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402  after the variables that it reads

from nbody_ref.fit import ethanol, read_frames, split  # noqa: E402
from nbody_ref.fit.any_model import train  # noqa: E402
from nbody_ref.fit.baseline import Baseline  # noqa: E402
from nbody_ref.fit.descent import DescentOptions  # noqa: E402
from nbody_ref.models.cormorant import Cormorant, CormorantSpec  # noqa: E402

BLOCKS = (("neighbours", "neighbours"), ("centre", "neighbours", "neighbours"))
VARIANTS: dict[str, dict[str, Any]] = {
    "published": {},
    "published, as large": {"n_channels": 6},
    "fusion": {"fusion": BLOCKS, "fusion_bond": 1},
}


def model_of(frames: Any, change: dict[str, Any], seed: int) -> Cormorant:
    """Two levels of four channels up to degree 2, all pairs of a molecule, scaled to the forces of the frames."""
    scale = float(np.sqrt(np.mean(np.concatenate([frame.forces for frame in frames]) ** 2)))
    spec = CormorantSpec(frames.species, n_levels=2, lmax=2, lmax_edge=2, n_channels=4, level_gain=1.0, scale=scale)
    return Cormorant(replace(spec, **change), seed=seed)


def errors(model: Cormorant, frames: Any, baseline: Baseline) -> dict[str, float]:
    """Mean absolute errors of energies of molecules and of components of forces."""
    energies, forces = model.energy_and_forces(model.graph([(frame.positions, frame.numbers) for frame in frames]))
    de = energies + baseline.energy(frames) - frames.energies
    df = forces - np.concatenate([frame.forces for frame in frames])
    return {"energy_mae_meV": 1e3 * float(abs(de).mean()), "forces_mae_meV_per_A": 1e3 * float(abs(df).mean())}


def run(training: Any, test: Any, change: dict[str, Any], options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Train one model and judge it on frames that it has not seen."""
    baseline, model = Baseline.build(training), model_of(training, change, seed)
    graph = model.graph([(frame.positions, frame.numbers) for frame in training[list(range(5))]])
    model.weight_gradient(graph, np.ones(graph.n_frames), np.ones_like(graph.positions))  # compiles
    steps = {"steps": options.steps, "check_every": 50, "patience": 10**6}  # the same for all, whatever they reach
    choice = DescentOptions(rate=options.rate, batch=5, ema=0.99, seed=seed, **steps)
    start = time.process_time()
    trained, _ = train(model, training, choice)
    seconds = time.process_time() - start
    judged = {key: round(value, 2) for key, value in errors(trained, test, baseline).items()}
    return {"numbers": len(model.parameters.as_real()), "cpu_seconds": round(seconds, 1), **judged}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("frames", type=Path, nargs="?")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--train", type=int, default=200)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    frames = ethanol() if options.frames is None else read_frames(options.frames)
    results: dict[str, dict[str, Any]] = {name: {} for name in options.only}
    for seed in options.seeds:
        parts = split(len(frames), options.train, seed)
        for name in options.only:
            found = run(frames[parts.train], frames[parts.test], VARIANTS[name], options, seed)
            results[name] = {key: [*results[name].get(key, []), value] for key, value in found.items()}
            print(seed, name, found, flush=True)
    if options.output:
        source = "ethanol.xyz of the package" if options.frames is None else options.frames.name
        record = {"frames": source, "train": options.train, "test": len(frames) - options.train,
                  "steps": options.steps, "rate": options.rate, "seeds": options.seeds}  # fmt: skip
        options.output.write_text(json.dumps(record | {"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
