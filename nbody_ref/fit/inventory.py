"""What labelled frames are: compositions, temperature, distances, keys, as a record."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.fit.blocks import Blocks
from nbody_ref.fit.consistency import Consistency
from nbody_ref.fit.frames import Frames, pair_distances, symbols

__all__ = ["inventory"]

Array = np.ndarray[Any, Any]

MANY = 20  # frames that have a temperature
BOLTZMANN = 8.617333262e-5  # eV/K


def inventory(frames: Frames, groups: Array, known: Blocks, compared: Consistency | None) -> dict[str, Any]:
    """JSON-ready record of frames: compositions, charge, independent frames, temperature, distances, keys.

    Parameters
    ----------
    frames : Frames
    groups : (F,) intp
        Of `copies`.
    known : Blocks
    compared : Consistency or None
    """
    formulas = frames.formulas
    record: dict[str, Any] = {
        "frames": len(frames),
        "compositions": {name: formulas.count(name) for name in sorted(set(formulas))},
        "energies": int(frames.has_energy.sum()),
        "forces": int(frames.has_forces.sum()),
        "isolated_atoms": dict(zip(symbols(frames.atoms), frames.atoms.values(), strict=True)),
        "copies": int(np.sum(groups != np.arange(len(frames)))),
        "independent": known.count,
        "femtoseconds": known.femtoseconds,
        "distances": _distances(frames),
        "slope": None if compared is None or not compared.n else compared.slope,
        "correlation": None if compared is None or not compared.n else compared.correlation,
        "forces_explained": None if compared is None else compared.explained,
    }
    kept = ("energy_key", "forces_key", "units", "force_units", "charge", "spin", "file", "sha256")
    record |= {name: frames.origin.get(name) for name in kept if name in frames.origin or name.endswith("key")}
    return record | _temperature(frames, formulas)


def _temperature(frames: Frames, formulas: list[str]) -> dict[str, Any]:
    """From the spread of energies, kT times the root of half the number of vibrations in a thermal sample."""
    nothing = {"temperature": None, "temperature_from": None}
    energies, n = frames.energies[frames.has_energy], int(frames.n_atoms[0]) if len(frames) else 0
    if len(set(formulas)) != 1 or len(energies) < MANY or n < 3:
        return nothing
    low, high = np.quantile(energies, [0.1587, 0.8413])  # of a normal distribution: two deviations apart
    found = (high - low) / 2 / np.sqrt((3 * n - 6) / 2) / BOLTZMANN
    return {"temperature": float(found), "temperature_from": "if energies are those of one thermal sample"}


def _distances(frames: Frames) -> dict[str, tuple[float, float]]:
    """Least and largest distance of each pair of elements, Angstrom."""
    found: dict[tuple[int, int], tuple[float, float]] = {}
    dist, kinds = pair_distances(frames.frames), [frame.numbers.tobytes() for frame in frames]
    for kind in dict.fromkeys(kinds):
        same = np.array([d for d, other in zip(dist, kinds, strict=True) if other == kind])
        numbers = frames[kinds.index(kind)].numbers
        i, j = np.triu_indices(len(numbers), 1)
        code = 1000 * np.minimum(numbers[i], numbers[j]) + np.maximum(numbers[i], numbers[j])
        for one in np.unique(code):
            least, most = found.get(divmod(int(one), 1000), (np.inf, 0.0))
            here = same[:, code == one]
            found[divmod(int(one), 1000)] = (min(least, float(here.min())), max(most, float(here.max())))
    return {"-".join(symbols(pair)): limits for pair, limits in sorted(found.items())}
