"""What a fit may be told, with the defaults that were measured on ethanol."""

from __future__ import annotations

import difflib
import os
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Any

import numpy as np

from nbody_ref.checks import check_flag, check_integer, check_kind, check_number, check_word
from nbody_ref.errors import ArgumentError
from nbody_ref.fit.ridge import ENERGY_WEIGHT, SOLVERS
from nbody_ref.network.default import SIZES

__all__ = ["Options", "available_memory"]

# a size is the default for fewer force labels than this
LIMITS = {"small": 3_000, "medium": 12_000}


@dataclass(frozen=True)
class Options:
    """Choices of a fit, checked and turned into plain numbers.

    Parameters
    ----------
    cutoff : float
        Radius of neighbourhoods, Angstrom.
    size : {"auto", "small", "medium", "large", "xlarge", "xxlarge"}
        How many features; "auto" goes by the number of labels, as far as memory and `WORK` allow.
    smoothness : float or tuple of float
        Exponents to choose from: random weights of the n-th radial function fall as n^-smoothness.
    regularisation : float or tuple of float
        Values of lambda to choose from, relative to the mean square norm of the scaled force columns.
    holdout : float
        Part of the frames on which the choices are made; the final weights are fitted to all frames.
    solver : {"auto", "primal", "dual", "qr"}
        "auto": dual if columns outnumber rows, else primal. "qr" is the accurate reference, several times slower.
    memory : float, optional
        Most memory that may be used, GB; None: what is available now.
    seed : int
        Of the split and of the random weights.
    progress : bool
        Show a progress bar.
    curve : bool
        Record errors on the hold-out for a quarter and a half of the frames as well.
    errors : bool
        Record errors on all frames, each left out with what it depends on.
    energy_weight : float
        omega: an error of 1 eV in an energy counts as much as one of so many eV/Angstrom in a component of a force.
    anyway : bool
        Fit even if the data are found to be wrong (`nbody_ref.fit.check`).
    train : {"readout", "all"}
        "all": train the covariant weights as well, and keep them if the hold-out says so.
    max_minutes : float, optional
        Of the whole fit when all weights are trained; None: 20.
    steps : int, optional
        Of that training; None: as many as there is time for. Given, results do not depend on the machine's speed.
    checkpoint : path, optional
        Written after every step of that training; if it is there, the training goes on from it.

    Raises
    ------
    ArgumentError
        If a value is of another kind, NaN, infinite or out of range.

    Examples
    --------
    >>> from nbody_ref.fit import Options
    >>> Options(cutoff=4).cutoff
    4.0
    """

    cutoff: float = 5.0
    size: str = "auto"
    smoothness: tuple[float, ...] = (1.0, 1.5, 2.0)
    regularisation: tuple[float, ...] = tuple(10.0**-k for k in range(2, 12))
    holdout: float = 0.2
    solver: str = "auto"
    memory: float | None = None
    seed: int = 0
    progress: bool = True
    curve: bool = True
    errors: bool = True
    energy_weight: float = ENERGY_WEIGHT
    anyway: bool = False
    train: str = "readout"
    max_minutes: float | None = None
    steps: int | None = None
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        for name in ("smoothness", "regularisation"):
            self._set(name, _numbers(name, getattr(self, name)))
        for name, known in (("size", ("auto", *SIZES)), ("solver", ("auto", *SOLVERS)), ("train", ("readout", "all"))):
            self._set(name, check_word("fit", name, getattr(self, name), known))
        self._set("cutoff", check_number("fit", "cutoff", self.cutoff, "a positive length in Angstrom", _positive))
        part = check_number("fit", "holdout", self.holdout, "a number between 0 and 1", lambda x: 0 < x < 1)
        self._set("holdout", part)
        for name, words in (("memory", "a positive number of GB"), ("max_minutes", "a positive number")):
            if getattr(self, name) is not None:
                self._set(name, check_number("fit", name, getattr(self, name), words, _positive))
        weight = check_number("fit", "energy_weight", self.energy_weight, "a positive number (1/Angstrom)", _positive)
        self._set("energy_weight", weight)
        for name in ("progress", "curve", "errors", "anyway"):
            self._set(name, check_flag("fit", name, getattr(self, name)))
        self._set("seed", check_integer("fit", "seed", self.seed))
        if self.steps is not None:
            self._set("steps", check_integer("fit", "steps", self.steps, 1))
        if self.train == "readout" and (self.max_minutes, self.steps, self.checkpoint) != (None, None, None):
            raise ArgumentError("fit: 'max_minutes', 'steps' and 'checkpoint' are for train='all'")
        if self.checkpoint is not None:
            check_kind("fit", "checkpoint", self.checkpoint, str | os.PathLike, "the name of a file")
            self._set("checkpoint", os.fspath(self.checkpoint))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def build(cls, options: dict[str, Any]) -> Options:
        """Options by name; an unknown name is an error that suggests the nearest."""
        names = [f.name for f in fields(cls)]
        for name in options:
            if name not in names:
                near = difflib.get_close_matches(name, names, 1, 0.0)
                raise ArgumentError(f"fit: there is no option {name!r}; did you mean {near[0]!r}?")
        return cls(**options)

    def network_size(self, force_rows: int) -> str:
        """Size of the network for this many force labels."""
        if self.size != "auto":
            return self.size
        return next((name for name, limit in LIMITS.items() if force_rows < limit), "large")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def _positive(x: float) -> bool:
    return 0 < x < inf


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    """Numbers that are not negative, at least one; a single one is a list of one."""
    words = "a number that is not negative, or several of them to choose from"
    many = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)
    if many and not len(value):
        raise ArgumentError(f"fit: {name!r} must be {words}, got {value!r}")
    return tuple(check_number("fit", name, x, words, lambda x: 0 <= x < inf) for x in (value if many else [value]))


def available_memory() -> float:
    """Memory that can be used now, GB; all of the machine's where the system does not say more."""
    try:
        with open("/proc/meminfo") as file:
            line = next(line for line in file if line.startswith("MemAvailable"))
        return float(line.split()[1]) * 1024 / 1e9
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
