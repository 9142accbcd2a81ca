"""True errors of a fit: every frame predicted by the fit that has seen neither it nor what it depends on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.fit.blocks import Blocks, alone, merged
from nbody_ref.fit.copies import copies
from nbody_ref.fit.data import FitData
from nbody_ref.fit.leave_out import Taken, left_out
from nbody_ref.fit.ridge import Equations, Solution
from nbody_ref.fit.rows import Rows

__all__ = ["LeftOut", "errors_left_out"]

Array = np.ndarray[Any, Any]

MIN_BLOCKS = 4  # with fewer, leaving out what is beside a block leaves too little


class LeftOut(NamedTuple):
    """Errors on frames that were left out, prediction minus label; NaN where there is no label or no prediction.

    Parameters
    ----------
    energies : (F,) float64
        eV.
    forces : (N, 3) float64
        eV/Angstrom.
    parts : (F,) intp
        Frames that were left out together.
    independent : int
        Number of independent frames; 1: errors are a lower bound of those on other frames.
    """

    energies: Array
    forces: Array
    parts: Array
    independent: int


def errors_left_out(
    data: FitData, system: Equations, solution: Solution, order: Sequence[int], rows_of: Callable[[list[int]], Rows]
) -> LeftOut:
    """Errors of the fits that leave out one block after another.

    Parameters
    ----------
    data : FitData
    system : Equations
        Filled with the frames `order`, solver "primal" or "dual".
    solution : Solution
    order : sequence of int
        Frames in the order in which they were taken in.
    rows_of : function
        Rows of some frames.
    """
    known = data.blocks or alone(len(data.frames))
    of, outs, asked = _parts(known, copies(data.frames), order)
    labels, place = data.labels(order), {frame: k for k, frame in enumerate(order)}
    e, f = labels.energy_factors, labels.forces_factors
    e_row, f_row = np.cumsum(e > 0) - 1, np.cumsum(f > 0) - 1
    first = np.concatenate([[0], np.cumsum(3 * data.frames[order].n_atoms)])

    def coordinates(frames: Sequence[int]) -> Array:
        found = np.concatenate([np.arange(first[place[i]], first[place[i] + 1]) for i in frames])
        return np.asarray(found[f[found] > 0])

    def taken(frames: Sequence[int]) -> Taken:
        return Taken([int(e_row[place[i]]) for i in frames if e[place[i]] > 0], list(f_row[coordinates(frames)]))

    def force_rows(part: int) -> Array:
        block = rows_of(outs[part])
        return np.asarray(data.labels(outs[part]).weighted(*block)[1])

    flat = labels.forces.ravel()[f > 0] * f[f > 0]
    found = left_out(system, solution, [taken(out) for out in outs], force_rows, flat)
    energies, forces = np.full(len(data.frames), np.nan), np.full(int(first[-1]), np.nan)
    for out, inside, (de, df) in zip(outs, asked, found, strict=True):
        spread = dict(zip([i for i in out if e[place[i]] > 0], de, strict=True))
        for i in inside:
            energies[i] = spread.get(i, np.nan) / e[place[i]] if e[place[i]] > 0 else np.nan
        js, mine = coordinates(out), set(coordinates(inside).tolist())
        for j, value in zip(js, df, strict=True):
            if int(j) in mine:
                forces[j] = value / f[j]
    return LeftOut(energies, _in_place(data, order, first, forces), of, known.count)


def _in_place(data: FitData, order: Sequence[int], first: Array, forces: Array) -> Array:
    """Values by coordinate from the order of taking in to the order of the frames; NaN for frames not taken in."""
    starts = np.concatenate([[0], np.cumsum(3 * data.frames.n_atoms)])
    out = np.full(int(starts[-1]), np.nan)
    for k, i in enumerate(order):
        out[starts[i] : starts[i + 1]] = forces[first[k] : first[k + 1]]
    return np.asarray(out.reshape(-1, 3))


def _parts(known: Blocks, same: Array, order: Sequence[int]) -> tuple[Array, list[list[int]], list[list[int]]]:
    """What is left out together, frame by frame; and for each part all that is left out, and what is asked."""
    of, taken = merged(known.parts(), same), set(order)
    beside = known.beside() if known.count >= MIN_BLOCKS else {}
    members = {b: np.flatnonzero(known.of == b).tolist() for b in beside}
    outs, asked = [], []
    for part in np.unique(of[list(order)]):
        inside = [i for i in np.flatnonzero(of == part).tolist() if i in taken]
        near = {j for i in inside for b in beside.get(int(known.of[i]), ()) for j in members[b] if j in taken}
        asked.append(inside)
        outs.append([*inside, *sorted(near - set(inside))])
    return of, outs, asked
