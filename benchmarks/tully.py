"""Tully's three models: wave packet, fewest switches and Landau-Zener hops, with another program as witness.

    python benchmarks/tully.py            compares with the committed tully.json
    python benchmarks/tully.py --write    writes it
    python benchmarks/tully.py --witness  mudslide's fewest switches against ours (needs mudslide; about five minutes)

Numbers are rounded to three digits; another machine's exponential may move a hop, so the comparison allows 0.005.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from nbody_ref.excited import tully

HERE = Path(__file__).resolve().parent
MOMENTA = {"SAC": (10, 20, 30), "DAC": (16, 30, 50), "ECR": (10, 20, 30)}
TRAJECTORIES = 1000


def table() -> dict[str, dict[str, float | int]]:
    """Every model, momentum and method."""
    found: dict[str, dict[str, float | int]] = {}
    for model, momenta in MOMENTA.items():
        for k in momenta:
            found[f"{model} {k} exact"] = rounded(tully.scatter(model, k))
            for method in ("fssh", "lzsh"):
                run = tully.hop(model, k, method, TRAJECTORIES)
                found[f"{model} {k} {method}"] = rounded(run.fractions) | {
                    "hops": run.hops,
                    "frustrated": run.frustrated,
                }
    return found


def rounded(fractions: dict[str, float]) -> dict[str, float | int]:
    return {way: round(p, 3) + 0.0 for way, p in fractions.items()}


def compare(found: dict[str, dict[str, float | int]], kept: dict[str, dict[str, float | int]]) -> None:
    """Exit with 1 if they differ."""
    wrong = [
        f"{name} {way}: {row[way]}, committed {kept.get(name, {}).get(way)}"
        for name, row in found.items()
        for way in ("T1", "T2", "R1", "R2")
        if abs(row[way] - kept.get(name, {}).get(way, np.inf)) > 0.005
    ]
    print("\n".join(wrong) or f"{len(found)} rows agree")
    raise SystemExit(bool(wrong))


def witness(trajectories: int = 200) -> None:
    """Mudslide's own models, propagator and hops; agreement within three standard errors of the difference."""
    import mudslide

    models = {
        "SAC": mudslide.models.TullySimpleAvoidedCrossing,
        "DAC": mudslide.models.TullyDualAvoidedCrossing,
        "ECR": mudslide.models.TullyExtendedCouplingReflection,
    }
    worst = 0.0
    for model, k in (("SAC", 20.0), ("DAC", 30.0), ("ECR", 30.0)):
        starts = mudslide.TrajGenConst(-10.0, k / tully.MASS, 0, seed=1)
        run = mudslide.BatchedTraj(
            models[model](), starts, mudslide.SurfaceHoppingMD, samples=trajectories, bounds=[[-10.5], [10.0]], dt=8.0
        )
        theirs = np.asarray(run.compute().outcomes).ravel()  # lower left, lower right, upper left, upper right
        ours = tully.scatter(model, k, "fssh", 20000)
        for way, p in zip(("R1", "T1", "R2", "T2"), theirs):
            off = abs(p - ours[way]) / max(np.sqrt(ours[way] * (1 - ours[way]) / trajectories), 1 / trajectories)
            worst = max(worst, off)
            print(
                f"{model} k={k:g} {way}: mudslide {p:.3f}, ours {ours[way]:.3f}, {off:.1f} standard errors", flush=True
            )
    raise SystemExit(worst > 3)


if __name__ == "__main__":
    path = HERE / "tully.json"
    if "--witness" in sys.argv:
        witness()
    elif "--write" in sys.argv:
        path.write_text(json.dumps(table(), indent=1) + "\n")
    else:
        compare(table(), json.loads(path.read_text()))
