"""Models that other programs trained, as model files that `nbody_ref.load` reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from nbody_ref.files import save_model
from nbody_ref.models.base import PublishedModel

__all__ = ["save_imported"]


def save_imported(path: str | os.PathLike[str], model: PublishedModel, record: Mapping[str, Any]) -> None:
    """Write a potential whose energy is the model's output and nothing else.

    Parameters
    ----------
    path : path
    model : PublishedModel
    record : mapping
        Where it comes from; JSON.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    spec = model.spec
    zero = {str(z): 0.0 for z in spec.species}  # energies of isolated atoms, if any, are part of the model
    config = {
        "kind": "potential",
        "network": spec.to_dict(),
        "baseline": {"kind": "isolated", "energies": zero, "compositions": []},
        "constants": zero,
    }
    save_model(path, config, dict(model.parameters), {"imported": dict(record)})
