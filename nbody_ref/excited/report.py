"""What a swarm did, as numbers and one picture: populations, hops, energies."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.excited.swarm import WHY, Swarm

__all__ = ["draw", "summary", "write_report"]

Array = np.ndarray[Any, Any]


def summary(swarm: Swarm, time_step: float) -> dict[str, Any]:
    """Numbers for people and programs: populations at the end with standard errors, hops, ends, largest drift."""
    share, error = swarm.populations()
    totals = np.array([row[2] for row in swarm.history])
    drift = np.abs(totals - totals[0])
    done = [hop for hop in swarm.hops if hop.done]
    return {
        "trajectories": len(swarm.state),
        "femtoseconds": round(time_step * (len(swarm.history) - 1), 6),
        "populations": [round(float(x), 6) for x in share[-1]],
        "standard_errors": [round(float(x), 6) for x in error[-1]],
        "hops": len(done),
        "frustrated_hops": len(swarm.hops) - len(done),
        "median_gap_of_hops_eV": round(float(np.median([hop.gap for hop in done])), 6) if done else None,
        "largest_energy_drift_eV": float(np.nanmax(drift)),
        "ends": {("reached the end" if i == 0 else why): int(np.sum(swarm.status == i)) for i, why in enumerate(WHY)},
    }


def draw(swarm: Swarm, time_step: float) -> Any:
    """A figure of matplotlib: populations with error bars, hops by time and gap, total energies."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.2), layout="constrained")
    populations, hops, energies = figure.subplots(1, 3)
    share, error = swarm.populations()
    times = time_step * np.arange(len(share))
    for s in range(share.shape[1]):
        populations.plot(times, share[:, s], label=f"S{s}")
        populations.fill_between(times, share[:, s] - error[:, s], share[:, s] + error[:, s], alpha=0.3)
    populations.set(xlabel="time (fs)", ylabel="population", ylim=(-0.03, 1.03))
    populations.legend()
    for done, marker in ((True, "o"), (False, "x")):
        chosen = [hop for hop in swarm.hops if hop.done == done]
        label = "hops" if done else "frustrated"
        hops.plot([time_step * hop.step for hop in chosen], [hop.gap for hop in chosen], marker, label=label)
    hops.set(xlabel="time (fs)", ylabel="gap (eV)", xlim=(0, max(times[-1], time_step)))
    hops.legend()
    totals = np.array([row[2] for row in swarm.history])
    energies.plot(times, 1e3 * (totals - totals[0]), linewidth=0.6)
    energies.set(xlabel="time (fs)", ylabel="error of the total energy (meV)")
    return figure


def write_report(swarm: Swarm, folder: str | os.PathLike[str], time_step: float, numbers: Array) -> dict[str, Any]:
    """Write ``summary.json``, ``swarm.png`` and the geometries of all hops, ``hops.xyz``; returns the summary."""
    from ase import Atoms
    from ase.io import write

    place = Path(folder)
    found = summary(swarm, time_step)
    (place / "summary.json").write_text(json.dumps(found, indent=1) + "\n")
    draw(swarm, time_step).savefig(place / "swarm.png", dpi=120)
    frames = []
    for hop, geometry in zip(swarm.hops, swarm.geometries, strict=True):
        frames.append(Atoms(numbers, geometry))
        frames[-1].info = hop._asdict()
    if frames:
        write(place / "hops.xyz", frames, format="extxyz")
    return found
