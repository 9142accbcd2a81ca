"""All kinds of operations that come with the kit, by the names under which backends declare them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbody_ref.conformance.operations import blocks, diagrams, harmonics, networks, product, tables
from nbody_ref.conformance.operations.operation import REGISTRY, Operation
from nbody_ref.errors import DataError

__all__ = ["OPERATIONS", "REGISTRY", "operation_from_dict"]

ROOMS = (tables, harmonics, product, blocks, diagrams, networks)
OPERATIONS = tuple(n for room in ROOMS for n, kind in REGISTRY.items() if kind.__module__ == room.__name__)  # the kit's


def operation_from_dict(data: Mapping[str, Any]) -> Operation:
    """The operation that a description stands for.

    Raises
    ------
    DataError
        If it is none, or one of a model that is no network of this package.
    """
    name = data.get("operation")
    if name not in REGISTRY:
        raise DataError(f"conformance: 'operation' must be one of {', '.join(REGISTRY)}, got {name!r}")
    try:
        return REGISTRY[name].from_dict(data)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"conformance: this is no description of {name}: {error}") from error
