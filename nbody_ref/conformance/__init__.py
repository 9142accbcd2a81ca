"""Conformance kit: tell the author of a kernel what is wrong, where, and by how many ulps.

A backend (`Backend`, or one function in a `FunctionBackend`) declares what it can do; `run` compares values,
gradients and second gradients with certified truth, checks behaviour, and names conventions and causes. Guide:
docs/conformance.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbody_ref.conformance.backend import Backend, Capabilities, FunctionBackend, ResultError
    from nbody_ref.conformance.doors.checking import check
    from nbody_ref.conformance.operations.harmonics import Harmonics
    from nbody_ref.conformance.operations.product import Instruction
    from nbody_ref.conformance.operations.product import TensorProduct as Product
    from nbody_ref.conformance.operations.tables import Coupling, Rotation
    from nbody_ref.conformance.suite import Outcome, Report, run

__all__ = [
    "Backend",
    "Capabilities",
    "Coupling",
    "FunctionBackend",
    "Harmonics",
    "Instruction",
    "Outcome",
    "Product",
    "Report",
    "ResultError",
    "Rotation",
    "check",
    "run",
]

_HOMES = {
    "backend": ("Backend", "Capabilities", "FunctionBackend", "ResultError"),
    "operations.harmonics": ("Harmonics",),
    "operations.product": ("Instruction", "Product"),
    "operations.tables": ("Coupling", "Rotation"),
    "suite": ("Outcome", "Report", "run"),
    "doors.checking": ("check",),
}


def __getattr__(name: str) -> Any:
    """Load a public name at its first use: the command line needs none of them to print its help."""
    for home, names in _HOMES.items():
        if name in names:
            found = "TensorProduct" if name == "Product" else name
            return getattr(import_module(f"nbody_ref.conformance.{home}"), found)
    raise AttributeError(f"module 'nbody_ref.conformance' has no attribute {name!r}")
