"""nbody_ref: CPU reference of N-body networks and fusion diagrams, with exact-arithmetic checks.

Names that need NumPy or Numba are loaded when first used, so that ``import nbody_ref`` compiles nothing and
``import nbody_ref.exact`` needs the standard library only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbody_ref.errors import NBodyRefError
from nbody_ref.irreps import Irrep, Irreps

if TYPE_CHECKING:
    from nbody_ref import (
        after,
        conformance,
        conventions,
        exact,
        excited,
        fit,
        fusion,
        gates,
        lessons,
        models,
        network,
        ops,
        scheme,
    )
    from nbody_ref.fit.potential import load
    from nbody_ref.ops.harmonics import solid_harmonics, spherical_harmonics
    from nbody_ref.ops.wigner import wigner_D
    from nbody_ref.tables import clebsch_gordan

__all__ = [
    "Irrep",
    "Irreps",
    "NBodyRefError",
    "__version__",
    "after",
    "clebsch_gordan",
    "conformance",
    "conventions",
    "exact",
    "excited",
    "fit",
    "fusion",
    "gates",
    "lessons",
    "load",
    "models",
    "network",
    "ops",
    "scheme",
    "solid_harmonics",
    "spherical_harmonics",
    "wigner_D",
]
__version__ = "0.1.0"

_FUNCTIONS = {
    "clebsch_gordan": "nbody_ref.tables",
    "load": "nbody_ref.fit.potential",
    "solid_harmonics": "nbody_ref.ops.harmonics",
    "spherical_harmonics": "nbody_ref.ops.harmonics",
    "wigner_D": "nbody_ref.ops.wigner",
}
_MODULES = {
    "after",
    "conformance",
    "conventions",
    "exact",
    "excited",
    "fit",
    "fusion",
    "gates",
    "lessons",
    "models",
    "network",
    "ops",
    "scheme",
}


def __getattr__(name: str) -> Any:
    """Load a public name at its first use (PEP 562)."""
    if name in _FUNCTIONS:
        value = getattr(import_module(_FUNCTIONS[name]), name)
    elif name in _MODULES:
        value = import_module(f"nbody_ref.{name}")
    else:
        raise AttributeError(f"module 'nbody_ref' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
