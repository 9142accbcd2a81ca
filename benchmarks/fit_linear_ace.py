"""Linear ACE fitted in closed form to a part of a file of frames, judged on the rest: sizes, time, errors.

    python benchmarks/fit_linear_ace.py FRAMES.xyz [--train 400] [--seed 0] [--degrees 6,4 8,6,4] [-o RESULTS.json]

The degrees are the largest sums of n + l over the factors of products of two, three, ... densities. Results that
docs/models/comparison.md shows are in benchmarks/fit_linear_ace.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from nbody_ref.fit import evaluate, fit, read_frames, split
from nbody_ref.models.linear_ace import linear_ace

ERRORS = ("energy_mae_meV", "energy_rmse_meV", "forces_mae_meV_per_A", "forces_rmse_meV_per_A")


def fitted(training: Any, test: Any, degrees: tuple[int, ...]) -> dict[str, Any]:
    """Errors on the test frames; smoothness and regularisation are chosen inside the training frames."""
    network, start = linear_ace(training.species, degrees), (time.process_time(), time.perf_counter())
    potential = fit(training, network=network, progress=False, curve=False)
    seconds = round(time.process_time() - start[0], 1), round(time.perf_counter() - start[1], 1)
    found = evaluate(potential, test).to_dict()
    coefficients = network.parameters[network.readout]
    return {
        "invariants": coefficients.shape[1],
        "coefficients": coefficients.size,
        "cpu_seconds": seconds[0],
        "wall_seconds": seconds[1],
        **{name: round(found[name], 3) for name in ERRORS},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("frames", type=Path)
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--degrees", nargs="+", default=["6,4", "8,6", "8,6,4"])
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    frames = read_frames(options.frames)
    parts = split(len(frames), options.train, options.seed)
    results: dict[str, Any] = {}
    for degrees in options.degrees:
        numbers = tuple(int(degree) for degree in degrees.split(","))
        results[degrees] = fitted(frames[parts.train], frames[parts.test], numbers)
        print(degrees, results[degrees], flush=True)
    if options.output:
        record = {
            "frames": options.frames.name,
            "train": options.train,
            "test": len(frames) - options.train,
            "seed": options.seed,
            "results": results,
        }
        options.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
