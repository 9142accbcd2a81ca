"""Data, fits in closed form, evaluation and the calculator: from labelled geometries to a molecule that moves."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbody_ref.fit.baseline import Baseline
    from nbody_ref.fit.checking import Check, WrongDataError, check
    from nbody_ref.fit.descent import DescentOptions
    from nbody_ref.fit.dynamics import nve, relax
    from nbody_ref.fit.evaluation import Evaluation, evaluate
    from nbody_ref.fit.fitting import fit
    from nbody_ref.fit.frames import Frame, Frames
    from nbody_ref.fit.options import Options
    from nbody_ref.fit.potential import Potential, Prediction, load
    from nbody_ref.fit.preparation import Prepared, prepare
    from nbody_ref.fit.reading import ethanol, frames_from_atoms, read_frames
    from nbody_ref.fit.report import write_report
    from nbody_ref.fit.splits import Split, split
    from nbody_ref.fit.training import train

_HOME = {
    "Baseline": "baseline",
    "Check": "checking",
    "DescentOptions": "descent",
    "Evaluation": "evaluation",
    "Frame": "frames",
    "Frames": "frames",
    "Options": "options",
    "Potential": "potential",
    "Prediction": "potential",
    "Prepared": "preparation",
    "Split": "splits",
    "WrongDataError": "checking",
    "check": "checking",
    "ethanol": "reading",
    "evaluate": "evaluation",
    "fit": "fitting",
    "frames_from_atoms": "reading",
    "load": "potential",
    "nve": "dynamics",
    "prepare": "preparation",
    "read_frames": "reading",
    "relax": "dynamics",
    "split": "splits",
    "train": "training",
    "write_report": "report",
}

__all__ = [
    "Baseline",
    "Check",
    "DescentOptions",
    "Evaluation",
    "Frame",
    "Frames",
    "Options",
    "Potential",
    "Prediction",
    "Prepared",
    "Split",
    "WrongDataError",
    "check",
    "ethanol",
    "evaluate",
    "fit",
    "frames_from_atoms",
    "load",
    "nve",
    "prepare",
    "read_frames",
    "relax",
    "split",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Load a public name at its first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'nbody_ref.fit' has no attribute {name!r}")
    value = getattr(import_module(f"nbody_ref.fit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
