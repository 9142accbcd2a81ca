"""Published models by name: how a model file says which one it holds."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from nbody_ref.errors import FileError
from nbody_ref.gates.chain import Array
from nbody_ref.models.base import PublishedModel

__all__ = ["MODELS", "model_from_dict"]

MODELS = {
    "CoFD": ("cofd", "CoFD", "CoFDSpec"),
    "Cormorant": ("cormorant", "Cormorant", "CormorantSpec"),
    "MACE": ("mace", "Mace", "MaceSpec"),
    "MoFD": ("mofd", "MoFD", "MoFDSpec"),
    "NequIP": ("nequip", "NequIP", "NequIPSpec"),
}


def model_from_dict(config: Mapping[str, Any], parameters: Mapping[str, Array]) -> PublishedModel:
    """A model from the `to_dict` of its spec, whose entry ``model`` names it, and its weights.

    Raises
    ------
    FileError
        If there is no model of that name.
    KeyError, TypeError, ValueError, NBodyRefError
        If the description or the weights do not fit.
    """
    name = config.get("model")
    if name not in MODELS:
        raise FileError(f"model_from_dict: 'model' must be one of {', '.join(MODELS)}, got {name!r}")
    module, model, spec = MODELS[name]
    found = import_module(f"nbody_ref.models.{module}")
    made: PublishedModel = getattr(found, model)(getattr(found, spec).from_dict(config), parameters)
    return made
