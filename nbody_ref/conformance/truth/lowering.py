"""Programs of this package's operations, written out as sums of terms and functions of one number.

Each op states its own terms, from its definition: couplings are exact, harmonics are polynomials, radial functions are
enclosed. No kernel is called. docs/derivations/certified_programs.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nbody_ref.certified.lowering import Lowering
from nbody_ref.gates.chain import Chain, statics_of

__all__ = ["lower"]

Array = np.ndarray[Any, Any]


def lower(chain: Chain, leaves: Mapping[str, Array], batch: Mapping[str, Any]) -> Lowering:
    """Translate a chain that starts from given arrays, complex ones as pairs (re, im) side by side.

    Raises
    ------
    NBodyRefError
        If the chain has a step that has no certified values.
    """
    low = Lowering(leaves)
    for step in chain.steps:
        step.op.lower(low, step.inputs, step.output, *statics_of(step, batch))
    return low
