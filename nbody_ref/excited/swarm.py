"""Trajectories that hop between surfaces: many at once, from a seed, restartable to the bit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import units

from nbody_ref.checks import check_flag, check_integer, check_number, check_word
from nbody_ref.errors import DataError, FileError, ShapeError
from nbody_ref.excited import hops
from nbody_ref.excited.surfaces import Electronic, Surfaces, aligned

__all__ = ["Hop", "HopOptions", "Swarm", "run", "start"]

Array = np.ndarray[Any, Any]

RUNNING, ENERGY, OUTSIDE = range(3)
WHY = ("running", "energy not conserved", "outside the data")


@dataclass(frozen=True)
class HopOptions:
    """Choices of a swarm.

    Parameters
    ----------
    method : {"lzsh", "fssh"}
        Landau-Zener at minima of gaps, or fewest switches.
    time_step : float
        fs.
    rescale : {"velocity", "coupling"}
        What a hop changes: the length of the velocity, or its component along the coupling.
    frustrated : {"keep", "reverse"}
        A hop that lacks kinetic energy leaves the velocity, or turns its component along that direction.
    decoherence : bool
        Energy-based, of fewest switches.
    substeps : int
        Of the amplitudes, for each step.
    guard : float
        eV; a trajectory whose total energy is off by more ends there.
    seed : int
    """

    method: str = "lzsh"
    time_step: float = 0.5
    rescale: str = "velocity"
    frustrated: str = "keep"
    decoherence: bool = True
    substeps: int = 20
    guard: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        check_word("HopOptions", "method", self.method, ("lzsh", "fssh"))
        check_word("HopOptions", "rescale", self.rescale, ("velocity", "coupling"))
        check_word("HopOptions", "frustrated", self.frustrated, ("keep", "reverse"))
        check_flag("HopOptions", "decoherence", self.decoherence)
        check_integer("HopOptions", "substeps", self.substeps, least=1)
        check_integer("HopOptions", "seed", self.seed)
        for name in ("time_step", "guard"):
            check_number("HopOptions", name, getattr(self, name), "a positive number", lambda x: 0 < x < np.inf)


class Hop(NamedTuple):
    """One hop, or one that was frustrated.

    Parameters
    ----------
    trajectory, step, origin, target : int
    gap : float
        eV, positive.
    done : bool
        False: frustrated.
    """

    trajectory: int
    step: int
    origin: int
    target: int
    gap: float
    done: bool


@dataclass
class Swarm:
    """Everything that the next step depends on, and what was seen.

    Parameters
    ----------
    masses : (N,) float64
        Atomic mass units.
    positions, velocities : (T, N, 3) float64
        Angstrom; Angstrom per ASE's unit of time.
    state : (T,) int
    amplitudes : (T, S) complex128
    gaps : (2, T, S) float64
        Of the active state to every other, two steps ago and one step ago; infinite where unknown.
    electronic : Electronic
    total : (T,) float64
        Energy at the start, eV.
    status : (T,) int
        Index into `WHY`.
    number : (T,) int
        Of the trajectory in the whole swarm: random numbers belong to it.
    step : int
    history : list of (state, potential energy, total energy), each (T,)
        One entry for each step; NaN and -1 after a trajectory's end.
    hops : list of Hop
    geometries : list of (N, 3) float64
        Of `hops`.
    """

    masses: Array
    positions: Array
    velocities: Array
    state: Array
    amplitudes: Array
    gaps: Array
    electronic: Electronic
    total: Array
    status: Array
    number: Array
    step: int = 0
    history: list[tuple[Array, Array, Array]] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)
    geometries: list[Array] = field(default_factory=list)

    def populations(self) -> tuple[Array, Array]:
        """Share of the trajectories that still run in each state, and its binomial standard error, (steps, S) each."""
        states = np.array([state for state, _, _ in self.history])
        alive = np.maximum((states >= 0).sum(axis=1, keepdims=True), 1)
        share = np.stack([(states == s).sum(axis=1) for s in range(self.amplitudes.shape[1])], axis=1) / alive
        return share, np.sqrt(share * (1 - share) / alive)

    @classmethod
    def joined(cls, parts: Sequence[Swarm]) -> Swarm:
        """One swarm of several that ran apart, in the order of the numbers of their trajectories."""
        first, order = parts[0], np.argsort(np.concatenate([part.number for part in parts]))
        arrays: dict[str, Any] = {}
        for name in PER_TRAJECTORY:
            arrays[name] = np.concatenate([getattr(part, name) for part in parts])[order]
        gaps = np.concatenate([part.gaps for part in parts], axis=1)[:, order]
        columns = [[getattr(part.electronic, field.name) for part in parts] for field in fields(Electronic)]
        electronic: list[Any] = [None if c[0] is None else np.concatenate(c)[order] for c in columns]
        length = max(len(part.history) for part in parts)
        rows: list[Any] = []
        for i in range(length):
            known = [p.history[i] if i < len(p.history) else _ended(len(p.state)) for p in parts]
            rows.append(tuple(np.concatenate([row[k] for row in known])[order] for k in range(3)))
        jumps = sorted(
            (pair for part in parts for pair in zip(part.hops, part.geometries, strict=True)),
            key=lambda pair: (pair[0].step, pair[0].trajectory),
        )
        rest: dict[str, Any] = {"hops": [j for j, _ in jumps], "geometries": [g for _, g in jumps], "history": rows}
        steps = max(part.step for part in parts)
        return cls(first.masses, electronic=Electronic(*electronic), gaps=gaps, step=steps, **arrays, **rest)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one ``.npz`` file, atomically."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        for part in fields(Electronic):
            value = getattr(self.electronic, part.name)
            if value is not None:
                arrays[f"electronic_{part.name}"] = value
        history = [np.array([row[i] for row in self.history]) for i in range(3)]
        arrays |= dict(zip(HISTORY, history, strict=True))
        arrays["hops"] = np.array([tuple(map(float, hop)) for hop in self.hops]).reshape(-1, len(Hop._fields))
        arrays["geometries"] = np.array(self.geometries).reshape(-1, len(self.masses), 3)
        temporary = Path(f"{os.fspath(path)}.tmp.npz")
        np.savez(temporary, step=self.step, **arrays)
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Swarm:
        """Inverse of `save`.

        Raises
        ------
        FileError
            If the file is none of `save`.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                found = dict(data)
            parts: list[Any] = [found.get(f"electronic_{part.name}") for part in fields(Electronic)]
            kept: list[Any] = [tuple(row) for row in zip(*(found[name] for name in HISTORY), strict=True)]
            jumps = [
                Hop(int(t), int(n), int(a), int(b), float(gap), bool(done)) for t, n, a, b, gap, done in found["hops"]
            ]
            arrays = {name: found[name] for name in ARRAYS}
            rest: dict[str, Any] = {"history": kept, "hops": jumps, "geometries": list(found["geometries"])}
            return cls(**arrays, electronic=Electronic(*parts), step=int(found["step"]), **rest)
        except (OSError, KeyError, ValueError) as error:
            raise FileError(f"{path}: holds no swarm: {error}") from error


ARRAYS = "masses positions velocities state amplitudes gaps total status number".split()
PER_TRAJECTORY = "positions velocities state amplitudes total status number".split()
HISTORY = "history_state history_potential history_total".split()


def start(
    surfaces: Surfaces,
    masses: Array,
    positions: Array,
    velocities: Array,
    state: int | Array,
    number: Array | None = None,
) -> Swarm:
    """A swarm before its first step.

    Parameters
    ----------
    surfaces : Surfaces
    masses : (N,) float64
    positions, velocities : (T, N, 3) float64
        Angstrom; Angstrom per ASE's unit of time, `nbody_ref.excited.wigner.sample` for instance.
    state : int or (T,) int
    number : (T,) int, optional
        None: 0, 1, 2, ...

    Returns
    -------
    Swarm

    Raises
    ------
    ShapeError
        If positions, velocities and masses do not belong together.
    DataError
        If there is no such state.
    """
    positions, velocities = np.array(positions, dtype=np.float64), np.array(velocities, dtype=np.float64)
    if positions.ndim != 3 or positions.shape != velocities.shape or positions.shape[1:] != (len(masses), 3):
        raise ShapeError(f"start: 'positions' and 'velocities' must be (T, {len(masses)}, 3), got {positions.shape}")
    electronic = aligned(surfaces(positions), None).copy()
    n, s = electronic.energies.shape
    states = np.broadcast_to(np.asarray(state, dtype=np.intp), n).copy()
    if states.min() < 0 or states.max() >= s:
        raise DataError(f"start: 'state' must be one of 0..{s - 1}, got {state}")
    amplitudes = np.eye(s, dtype=np.complex128)[states]
    swarm = Swarm(
        np.asarray(masses, dtype=np.float64),
        positions,
        velocities,
        states,
        amplitudes,
        np.full((2, n, s), np.inf),
        electronic,
        np.zeros(n),
        np.zeros(n, dtype=np.intp),
        np.arange(n) if number is None else np.asarray(number),
    )
    swarm.total = _kinetic(swarm, np.arange(n)) + electronic.energies[np.arange(n), states]
    _record(swarm)
    return swarm


def run(swarm: Swarm, surfaces: Surfaces, steps: int, options: HopOptions | None = None) -> Swarm:
    """Move a swarm on, in place, by `steps` steps or until all its trajectories have ended.

    Parameters
    ----------
    swarm : Swarm
    surfaces : Surfaces
    steps : int
    options : HopOptions, optional

    Returns
    -------
    Swarm
        The same one.

    Raises
    ------
    DataError
        If fewest switches or rescaling along couplings are asked of surfaces that have neither couplings nor vectors.
    """
    choice = options or HopOptions()
    bare = swarm.electronic.couplings is None
    if (choice.rescale == "coupling" and bare) or (
        choice.method == "fssh" and bare and swarm.electronic.vectors is None
    ):
        raise DataError(f"run: '{choice.method}', rescaling by '{choice.rescale}': these surfaces give no couplings")
    for _ in range(steps):
        alive = np.flatnonzero(swarm.status == RUNNING)
        if not len(alive):
            break
        _advance(swarm, surfaces, choice, alive)
        _record(swarm)
    return swarm


def _advance(swarm: Swarm, surfaces: Surfaces, choice: HopOptions, alive: Array) -> None:
    """One step of velocity Verlet, amplitudes, hops, and the guards."""
    dt, mass = choice.time_step * units.fs, swarm.masses[:, None]
    rows, state = np.arange(len(alive)), swarm.state[alive]
    old = swarm.electronic[alive]
    swarm.velocities[alive] += dt / 2 * old.forces[rows, state] / mass
    move = dt * swarm.velocities[alive]
    swarm.positions[alive] += move
    new = aligned(surfaces(swarm.positions[alive]), old)
    swarm.velocities[alive] += dt / 2 * new.forces[rows, state] / mass
    swarm.step += 1
    gap = np.abs(new.energies - new.energies[rows, state][:, None])
    if choice.method == "fssh":
        before = swarm.amplitudes[alive]
        turn = hops.rotation(old, new, move, dt)
        after = hops.propagate(before, old.energies, new.energies, turn, dt, choice.substeps)
        chances = hops.switches(before, after, state)
        if choice.decoherence:
            after = hops.decohere(after, new.energies, state, _kinetic(swarm, alive), dt)
        swarm.amplitudes[alive] = after
    else:
        chances = hops.landau_zener(np.stack([*swarm.gaps[:, alive], gap]), dt)
        chances[rows, state] = 0
    swarm.gaps[:, alive] = np.stack([swarm.gaps[1, alive], gap])
    swarm.electronic.put(alive, new)
    draws = np.random.Generator(np.random.Philox(key=[choice.seed, swarm.step])).random(int(swarm.number.max()) + 1)
    ladder = np.cumsum(chances, axis=1)
    for i in np.flatnonzero(draws[swarm.number[alive]] < ladder[:, -1]):
        target = int(np.searchsorted(ladder[i], draws[swarm.number[alive[i]]], side="right"))
        _hop(swarm, choice, int(alive[i]), target)
    total = _kinetic(swarm, alive) + new.energies[rows, swarm.state[alive]]
    swarm.status[alive[~(np.abs(total - swarm.total[alive]) <= choice.guard)]] = ENERGY
    if new.outside is not None:
        swarm.status[alive[new.outside]] = OUTSIDE


def _hop(swarm: Swarm, choice: HopOptions, t: int, target: int) -> None:
    """Hop, or note that it is frustrated."""
    origin, energies = int(swarm.state[t]), swarm.electronic.energies[t]
    direction = swarm.masses[:, None] * swarm.velocities[t]
    if choice.rescale == "coupling":
        direction = swarm.electronic.coupling(origin, target, t)
    found = hops.rescale(swarm.velocities[t], swarm.masses, direction, float(energies[origin] - energies[target]))
    if found is not None:
        swarm.velocities[t], swarm.state[t] = found, target
        swarm.gaps[:, t] = np.inf
    elif choice.frustrated == "reverse":
        unit = direction / swarm.masses[:, None]
        along = np.sum(direction * swarm.velocities[t]) / np.sum(direction * unit)
        swarm.velocities[t] -= 2 * along * unit
    gap = abs(float(energies[origin] - energies[target]))
    swarm.hops.append(Hop(int(swarm.number[t]), swarm.step, origin, target, gap, found is not None))
    swarm.geometries.append(swarm.positions[t].copy())


def _ended(count: int) -> tuple[Array, Array, Array]:
    """A row of the history in which no trajectory runs."""
    return np.full(count, -1), np.full(count, np.nan), np.full(count, np.nan)


def _kinetic(swarm: Swarm, chosen: Array) -> Array:
    found: Array = 0.5 * np.sum(swarm.masses[:, None] * swarm.velocities[chosen] ** 2, axis=(1, 2))
    return found


def _record(swarm: Swarm) -> None:
    everyone = np.arange(len(swarm.state))
    running = swarm.status == RUNNING
    potential = swarm.electronic.energies[everyone, swarm.state]
    total = _kinetic(swarm, everyone) + potential
    gone = np.where(running, 0.0, np.nan)
    swarm.history.append((np.where(running, swarm.state, -1), potential + gone, total + gone))
