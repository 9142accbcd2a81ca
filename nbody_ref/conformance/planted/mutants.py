"""Planted errors: the kit is tested against them, and a failing backend is compared with them.

Each is the model kernel with one method changed, named for what a developer would call the bug.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.conformance.backend import Backend
from nbody_ref.conformance.planted.model import Model
from nbody_ref.conformance.planted.mutant_blocks import BLOCKS
from nbody_ref.conformance.planted.mutant_harmonics import HARMONICS
from nbody_ref.conformance.planted.mutant_plans import PLANS
from nbody_ref.conformance.planted.mutant_products import PRODUCTS, TABLES

__all__ = ["MUTANTS", "SUBTLE", "Mutant", "mutant"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Mutant:
    """One planted error.

    Parameters
    ----------
    name : str
    text : str
        The bug in words.
    operations : tuple of str
        Where it can show.
    method : str
        Method that is changed.
    change : callable
        Takes the original bound method and the kernel, returns the wrong one.
    base : {"model", "blocks"}
        The correct kernel: `Model`, or this package's own `Blocks`.
    """

    name: str
    text: str
    operations: tuple[str, ...]
    method: str
    change: Callable[[Any, Any], Any]
    base: str = "model"

    def correct(self) -> Backend:
        """The kernel without this error."""
        from nbody_ref.conformance.reference_blocks import Blocks

        return Model() if self.base == "model" else Blocks()

    def kernel(self) -> Backend:
        """The kernel with this error."""
        kernel = self.correct()
        kernel.name = f"mutant: {self.name}"
        setattr(kernel, self.method, self.change(getattr(kernel, self.method), kernel))
        return kernel


MUTANTS = tuple(
    Mutant(name, text, operations, method, change)
    for operations, rows in (
        (("coupling", "product", "convolution"), TABLES),
        (("product", "convolution"), PRODUCTS | PLANS),
        (("solid", "spherical", "rotation"), HARMONICS),
    )
    for name, (text, method, change) in rows.items()
) + tuple(
    Mutant(name, text, operations, method, change, "blocks")
    for name, (text, operations, method, change) in BLOCKS.items()
)

# missed by the customary test: one batch of positive inputs in float32, allclose at 1e-4 (values) and 1e-3 (gradients)
SUBTLE = frozenset(
    (
        "coefficient typo",
        "edge tail",
        "channel tail",
        "index wrap",
        "random order",
        "stale output",
        "accumulated gradient",
        "weight layout",
        "denormals flushed",
        "NaN swallowed",
        "NaN spread",
        "strides ignored",
        "empty graph",
        "channel order",
        "epsilon",
        "arccos",
        "overwritten result",
        "degree 3 weights",
        "cutoff derivative",
        "fast exponential",
    )
)


def mutant(name: str) -> Mutant:
    """A planted error by name.

    Raises
    ------
    KeyError
        If there is none of that name.
    """
    for found in MUTANTS:
        if found.name == name:
            return found
    raise KeyError(f"no planted error {name!r}; see `nbody-ref conform mutants`")
