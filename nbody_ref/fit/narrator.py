"""What a fit tells while it runs: every sentence of it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.fit.copies import TOLERANCE, spread_of_copies
from nbody_ref.fit.data import FitData
from nbody_ref.fit.frames import Frames, symbols
from nbody_ref.fit.potential import told_errors
from nbody_ref.fit.splits import in_file

__all__ = ["Log", "Narrator"]

Array = np.ndarray[Any, Any]
Log = Callable[[str], None]


@dataclass(frozen=True)
class Narrator:
    """Sentences about a fit, passed on one line at a time.

    Parameters
    ----------
    say : function of str
    """

    say: Log

    def data(self, data: FitData, groups: Array) -> None:
        """Copies, frames, hold-out and baseline; `groups` as `nbody_ref.fit.copies.copies` gives them."""
        frames = data.frames
        copied = int(np.sum(groups != np.arange(len(frames))))
        if copied:
            self.say(
                f"{copied} of {len(frames)} frames are copies of others (distances agree to {TOLERANCE} A, energies to "
                f"{spread_of_copies(frames, groups):.2g} eV): copies stay on one side of the hold-out"
            )
        held = in_file(data.split, frames).listed("test")
        self.say(
            f"{len(frames)} frames of {_formulas(frames)}; choices on a hold-out, seed {data.split.seed}: frames {held}"
        )
        self.say(f"baseline ({data.baseline.kind}): {_baseline(data)}")

    def memory(self, columns: int, equations: int, solver: str, need: float) -> None:
        """Size of the problem and what it needs, GB."""
        self.say(f"{columns} weights, {equations} equations, {solver} solver, memory {need:.2f} GB")

    def smoothness(self, chosen: float, scores: Mapping[float, float], frames: int) -> None:
        """The exponent chosen, among others with their force errors in eV/Angstrom."""
        listed = ", ".join(f"{1e3 * score:.1f} with {exponent:g}" for exponent, score in scores.items())
        self.say(f"smoothness {chosen:g}: forces MAE on the hold-out {listed} (meV/A, fits to {frames} frames)")

    def solved(self, regularisation: float, errors: Mapping[str, float], frames: int) -> None:
        """The regularisation chosen, errors on the hold-out, and how many frames the readout was solved with."""
        self.say(
            f"regularisation {regularisation:.1e}; MAE on the hold-out: {told_errors(errors)}; readout refitted to "
            f"{frames} frames"
        )

    def nothing_learned(self, what: str) -> None:
        """Energies or forces are predicted no better than by their mean."""
        self.say(
            f"the {what} of the hold-out are predicted no better than by their mean: are there too few frames, or do "
            f"energies and forces not belong together?"
        )

    def interrupted_choosing(self) -> None:
        """Ctrl-C while exponents are compared."""
        self.say("interrupted while the smoothness was chosen: no fit is complete, nothing is kept")

    def interrupted_reading(self, done: int, of: int, enough: bool) -> None:
        """Ctrl-C while frames are read."""
        end = "the fit ends with these" if enough else "too few; nothing is kept"
        self.say(f"interrupted: {done} of {of} frames are read, {end}")

    def interrupted_solving(self, frames: int | None) -> None:
        """Ctrl-C while the readout is solved; `frames` of the last complete fit, None if there is none."""
        end = "no fit is complete, nothing is kept" if frames is None else f"this is the fit to {frames} frames"
        self.say(f"interrupted while the readout was solved: {end}")


def _baseline(data: FitData) -> str:
    """Energies of atoms if the data determine them, else those of molecules that they do determine."""
    baseline, frames = data.baseline, data.frames
    energies = baseline.energies
    if baseline.kind == "none":
        return "no energies are known; their zero is the mean over the frames of each composition"
    if not data.constants or len(baseline.compositions) == len(energies):
        named = zip(symbols(energies), energies.values(), strict=True)
        return ", ".join(f"{name} {energy:.4f} eV" for name, energy in named)
    labelled = frames[np.flatnonzero(frames.has_energy)]
    sums = dict(zip(labelled.formulas, baseline.energy(labelled), strict=True))
    listed = ", ".join(f"{name} {energy:.4f} eV" for name, energy in list(sums.items())[:4])
    more = f" and {len(sums) - 4} more" if len(sums) > 4 else ""
    return (
        f"{listed}{more}; without isolated atoms only sums over molecules like these are known: other compositions "
        f"will be refused"
    )


def _formulas(frames: Frames) -> str:
    names = sorted(set(frames.formulas))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
