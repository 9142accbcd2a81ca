"""What a fit may be told, with the defaults that were measured on ethanol."""

from __future__ import annotations

import difflib
import os
from dataclasses import asdict, dataclass, fields
from typing import Any

from nbody_ref.errors import DataError
from nbody_ref.fit.ridge import SOLVERS
from nbody_ref.network.default import SIZES

__all__ = ["Options", "available_memory"]

# a size is the default for fewer force labels than this
LIMITS = {"small": 3_000, "medium": 12_000}


@dataclass(frozen=True)
class Options:
    """Choices of a fit.

    Parameters
    ----------
    cutoff : float
        Radius of neighbourhoods, Angstrom.
    size : {"auto", "small", "medium", "large"}
        How many features; "auto" goes by the number of labels.
    smoothness : tuple of float
        Exponents to choose from: random weights of the n-th radial function fall as n^-smoothness.
    regularisation : tuple of float
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

    def __post_init__(self) -> None:
        for name in ("smoothness", "regularisation"):
            if not getattr(self, name) or min(getattr(self, name)) < 0:
                raise DataError(f"fit: {name!r} must hold non-negative numbers, got {getattr(self, name)!r}")
        if self.size not in ("auto", *SIZES):
            raise DataError(f"fit: 'size' must be one of auto, {', '.join(SIZES)}, got {self.size!r}")
        if self.solver not in ("auto", *SOLVERS):
            raise DataError(f"fit: 'solver' must be one of auto, {', '.join(SOLVERS)}, got {self.solver!r}")
        if not 0 < self.holdout < 1:
            raise DataError(f"fit: 'holdout' must lie between 0 and 1, got {self.holdout}")
        if not self.cutoff > 0:
            raise DataError(f"fit: 'cutoff' must be a positive length in Angstrom, got {self.cutoff}")

    @classmethod
    def build(cls, options: dict[str, Any]) -> Options:
        """Options by name; an unknown name is an error that suggests the nearest."""
        names = [f.name for f in fields(cls)]
        for name in options:
            if name not in names:
                near = difflib.get_close_matches(name, names, 1, 0.0)
                raise DataError(f"fit: there is no option {name!r}; did you mean {near[0]!r}?")
        given = dict(options)
        for name in ("smoothness", "regularisation"):
            if isinstance(given.get(name), int | float):
                given[name] = (float(given[name]),)
        return cls(**given)

    def network_size(self, force_rows: int) -> str:
        """Size of the network for this many force labels."""
        if self.size != "auto":
            return self.size
        return next((name for name, limit in LIMITS.items() if force_rows < limit), "large")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def available_memory() -> float:
    """Memory that can be used now, GB; all of the machine's where the system does not say more."""
    try:
        with open("/proc/meminfo") as file:
            line = next(line for line in file if line.startswith("MemAvailable"))
        return float(line.split()[1]) * 1024 / 1e9
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
