"""Ethylene, two states: a network each, invariants, a diabatic matrix, on unseen trajectories and on random frames.

    python benchmarks/excited_ethylene.py [FILE.npz] [--size 16 12 4]

FILE: as `validation/make_states.py --collect` writes it; None: the frames that come with the package. "trajectory"
holds out the last trajectories, at least a fifth of the frames; "random" a fifth of all frames, whose neighbours in
time are then in the training set: the first is the honest one. "near" are frames with a gap below 2 eV. Results, with
the number of frames and of near ones: excited_ethylene.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import nbody_ref
from nbody_ref.excited.labels import StateFrames, read_states
from nbody_ref.excited.states import APPROACHES, fit_states

HERE = Path(__file__).resolve().parent
OURS = Path(nbody_ref.__file__).parent / "excited" / "data" / "ethylene.npz"
NEAR_EV = 2.0


def errors(model: object, frames: StateFrames) -> dict[str, list[float]]:
    """Mean absolute errors of energies and forces of each state, and of the gap: meV, meV/A."""
    if not len(frames):
        return {}
    found = model.surfaces(frames.positions)  # type: ignore[attr-defined]
    energy = np.abs(found.energies - frames.energies).mean(axis=0)
    force = np.abs(found.forces - frames.forces).mean(axis=(0, 2, 3))
    gap = np.abs(np.diff(found.energies, axis=1)[:, 0] - frames.gaps()).mean()
    energy, force = (1e3 * energy).round(1).tolist(), (1e3 * force).round(1).tolist()
    return {"E": energy, "F": force, "gap": [round(float(1e3 * gap), 1)]}


def splits(frames: StateFrames) -> dict[str, np.ndarray]:
    """What is held out."""
    last = [t for t in np.unique(frames.trajectory) if np.sum(frames.trajectory >= t) >= len(frames) / 5][-1]
    order = np.random.default_rng(0).permutation(len(frames))
    return {"trajectory": np.flatnonzero(frames.trajectory >= last), "random": np.sort(order[: len(order) // 5])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=OURS)
    parser.add_argument("--size", type=int, nargs=3, default=(16, 12, 4))
    given = parser.parse_args()
    frames, table = read_states(given.file), {}
    for name, held in splits(frames).items():
        train, test = frames[np.setdiff1d(np.arange(len(frames)), held)], frames[held]
        near = test[test.gaps() < NEAR_EV]
        for approach in APPROACHES:
            start = time.process_time()
            matrix = {"size": tuple(given.size), "regularisation": (1e-5,)}
            options = matrix if approach == "diabatic" else {"curve": False}
            model = fit_states(train, approach, **options)
            counts = {"train": len(train), "test": len(test), "near": len(near)}
            row = {**counts, "all": errors(model, test), "near the crossing": errors(model, near)}
            table[f"{name} {approach}"] = row | {"CPU seconds": round(time.process_time() - start, 1)}
            print(name, approach, table[f"{name} {approach}"], flush=True)
            (HERE / "excited_ethylene.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
