"""Published networks as instances, each a page of code built from the parts of this package; loaded when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbody_ref.models.cofd import CoFD, CoFDSpec
    from nbody_ref.models.cormorant import Cormorant, CormorantSpec
    from nbody_ref.models.linear_ace import linear_ace
    from nbody_ref.models.mace import Mace, MaceSpec
    from nbody_ref.models.mofd import MoFD, MoFDSpec
    from nbody_ref.models.nequip import NequIP, NequIPSpec

__all__ = [
    "CoFD",
    "CoFDSpec",
    "Cormorant",
    "CormorantSpec",
    "Mace",
    "MaceSpec",
    "MoFD",
    "MoFDSpec",
    "NequIP",
    "NequIPSpec",
    "linear_ace",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{name.removesuffix('Spec').lower()}"), name)
    if name == "linear_ace":  # a function in a module of its own name, which importing it has put here
        globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
