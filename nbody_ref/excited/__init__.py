"""Several states: labels, networks for them, and dynamics that hop between surfaces; Tully's models as the test.

Modules are imported by name: `tully`, `labels`, `states`, `diabatic`, `surfaces`, `hops`, `swarm`, `wigner`, `report`,
`calculator` (ASE, mudslide, SHARC), `casscf` (PySCF, extra ``data``).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = [
    "calculator",
    "casscf",
    "diabatic",
    "hops",
    "labels",
    "report",
    "states",
    "surfaces",
    "swarm",
    "tully",
    "wigner",
]


def __getattr__(name: str) -> Any:
    """Load a module at its first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'nbody_ref.excited' has no attribute {name!r}")
    return import_module(f"nbody_ref.excited.{name}")
