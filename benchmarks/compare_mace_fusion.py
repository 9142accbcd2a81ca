"""MACE against MACE + fusion on the same frames with the same budget: weights, time, errors.

    python benchmarks/compare_mace_fusion.py FRAMES.xyz [--steps 2000] [--train 200] [--seeds 0 1] [-o RESULTS.json]

Every model takes the same number of AdamW steps on the same batches; the time of a step is measured besides. Results
that docs/models/mace.md shows are in benchmarks/compare_mace_fusion.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.fit import read_frames, split
from nbody_ref.fit.any_model import train
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.descent import DescentOptions
from nbody_ref.models.mace import Mace, MaceSpec

VARIANTS: dict[str, dict[str, Any]] = {
    "published": {"product": "published"},
    "reduced": {"product": "reduced"},
    "fusion, bonds <= 1": {"product": "fusion", "bond_cutoff": 1},
    "fusion, bonds <= 0": {"product": "fusion", "bond_cutoff": 0},
}


def model_of(frames: Any, change: dict[str, Any], cutoff: float, seed: int) -> Mace:
    """Two layers of eight channels, scaled to the forces of the frames."""
    positions = [(frame.positions, frame.numbers) for frame in frames]
    spec = MaceSpec(frames.species, cutoff, hidden="8x0e + 8x1o", radial_mlp=(16, 16), readout=8)
    neighbours = Mace(spec).graph(positions).edges.n_edges / sum(len(z) for _, z in positions)
    scale = float(np.sqrt(np.mean(np.concatenate([frame.forces for frame in frames]) ** 2)))
    changed = spec.to_dict() | {"neighbours": neighbours, "scale": scale} | change
    return Mace(MaceSpec.from_dict(changed), seed=seed)


def errors(model: Mace, frames: Any, baseline: Baseline) -> dict[str, float]:
    """Mean absolute errors of energies of molecules and of components of forces."""
    found = [model.energy_and_forces(model.graph([(frame.positions, frame.numbers)])) for frame in frames]
    energies = np.array([energy[0] for energy, _ in found]) + baseline.energy(frames)
    de, df = energies - frames.energies, np.concatenate([f - frame.forces for (_, f), frame in zip(found, frames)])
    return {"energy_mae_meV": 1e3 * float(abs(de).mean()), "forces_mae_meV_per_A": 1e3 * float(abs(df).mean())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("frames", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--train", type=int, default=200)
    parser.add_argument("--cutoff", type=float, default=4.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    frames = read_frames(options.frames)
    results: dict[str, dict[str, Any]] = {name: {} for name in VARIANTS}
    for seed in options.seeds:
        parts = split(len(frames), options.train, seed)
        for name, change in VARIANTS.items():
            found = run(frames[parts.train], frames[parts.test], change, options, seed)
            results[name] = {key: [*results[name].get(key, []), value] for key, value in found.items()}
            print(seed, name, found, flush=True)
    if options.output:
        record = {"frames": options.frames.name, "train": options.train, "test": len(frames) - options.train,
                  "steps": options.steps, "cutoff": options.cutoff, "seeds": options.seeds}  # fmt: skip
        options.output.write_text(json.dumps(record | {"results": results}, indent=1) + "\n")


def run(training: Any, test: Any, change: dict[str, Any], options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Train one model and judge it on frames that it has not seen."""
    baseline, model = Baseline.build(training), model_of(training, change, options.cutoff, seed)
    graph = model.graph([(frame.positions, frame.numbers) for frame in training[list(range(5))]])
    model.weight_gradient(graph, np.ones(graph.n_frames), np.ones_like(graph.positions))  # compiles
    steps = {"steps": options.steps, "check_every": 50, "patience": 10**6}  # the same for all, whatever they reach
    choice = DescentOptions(rate=0.01, batch=5, ema=0.99, seed=seed, **steps)
    start = time.process_time()
    trained, _ = train(model, training, choice)
    seconds = time.process_time() - start
    contraction = sum(w.size for n, w in model.parameters.items() if ".symmetric_contractions." in n)
    judged = {key: round(value, 2) for key, value in errors(trained, test, baseline).items()}
    return {"weights": model.parameters.n, "of_contractions": contraction, "cpu_seconds": round(seconds, 1), **judged}


if __name__ == "__main__":
    main()
