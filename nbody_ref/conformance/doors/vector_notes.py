"""What vectors say about themselves: the bug classes that each check targets, and the conventions of every number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nbody_ref import conventions
from nbody_ref.exact.cg import cg_table_real
from nbody_ref.exact.harmonics import solid_harmonic
from nbody_ref.exact.wigner import wigner_D_real

__all__ = ["CHECK_FLAGS", "FLAGS", "conventions_block", "flags"]

# flag: (kind of bug, description, effect)
FLAGS: dict[str, tuple[str, str, str]] = {
    "convention": (
        "convention",
        "sign, order or norm of tables, conjugated or transposed matrices",
        "every model built on them is another model",
    ),
    "coefficient": (
        "value",
        "one structure constant wrong by any amount, a coefficient pruned",
        "small errors that no tolerance of 1e-4 sees",
    ),
    "selection rule": ("value", "a result that must vanish does not", "covariance is lost"),
    "formula": ("value", "a wrong formula, a path dropped, a factor missing", "wrong values"),
    "precision": ("precision", "operands or sums in a shorter format than declared", "forces lose digits"),
    "gradient": (
        "gradient",
        "the gradient of another function than the value; one path of one input",
        "molecular dynamics heats up while energies look right",
    ),
    "second gradient": (
        "gradient",
        "a contribution to the gradient of a gradient forgotten",
        "training on forces goes astray",
    ),
    "hidden path": (
        "memory",
        "a path that is right beside others and wrong alone, or the other way round",
        "depends on the model, not on the kernel's own test",
    ),
    "tail": ("index", "rows beyond a multiple of the block dropped", "depends on the number of edges"),
    "empty": ("index", "result uninitialised without rows", "garbage for isolated systems"),
    "layout": ("layout", "weights read as [channel][path]", "seen only where the two differ"),
    "lost addition": ("race", "additions lost or doubled, assignment instead of addition", "wrong sums"),
    "edge order": ("index", "receivers taken as sorted, self-loops or duplicates treated apart", "wrong sums"),
    "cancellation": ("precision", "sums that cancel, accumulated in a shorter format", "digits lost"),
    "denormal": ("range", "results below the normal range flushed to zero", "small contributions vanish"),
    "pole": ("geometry", "formulas that fail at or near the axes, an epsilon", "wrong near symmetry"),
    "large": ("index", "indices that wrap at 2^16", "wrong from some system size on"),
    "cutoff": ("geometry", "value or slope beyond or at the cutoff", "energy not conserved"),
}

CHECK_FLAGS = {
    "table": ("convention", "coefficient"),
    "impulse": ("coefficient", "selection rule"),
    "random": ("formula", "precision"),
    "cancellation": ("cancellation", "precision"),
    "alone": ("hidden path", "formula"),
    "orders": ("hidden path", "formula"),
    "sizes": ("tail", "empty"),
    "coincidence": ("layout",),
    "integers": ("lost addition", "precision"),
    "graph": ("edge order", "lost addition"),
    "large": ("large",),
    "denormals": ("denormal",),
    "poles": ("pole",),
}


def flags(check: str, operation: str, order: int) -> list[str]:
    """Bug classes that one vector targets."""
    found = list(CHECK_FLAGS.get(check, ("formula",)))
    if operation == "radial" and check == "poles":
        found = ["cutoff"]
    return found + {0: [], 1: ["gradient"], 2: ["second gradient"]}[order]


def conventions_block() -> dict[str, Any]:
    """The gauge of all numbers in words, and three fingerprints in hexadecimal floats by which it is recognised."""
    gauge = conventions.get("nbody_ref")
    fields: Mapping[str, Any] = vars(gauge)
    axes = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}
    harmonics = {
        name: [float(solid_harmonic(1, m, "integral").rounded_value(r)).hex() for m in (-1, 0, 1)]
        for name, r in axes.items()
    }
    coupling = np.zeros((3, 3, 3))
    for m1, m2, m, value in cg_table_real(1, 1, 1):
        coupling[m1 + 1, m2 + 1, m + 1] = value.round()
    turn = [[float(x.round()).hex() for x in row] for row in wigner_D_real(1, (1, 0, 0, 1))]
    return {
        "gauge": {
            key: value if isinstance(value, str | int | float | bool) else str(value) for key, value in fields.items()
        },
        "in words": "real harmonics without Condon-Shortley phase, components m = -l..l, axis z; states are parts of "
        "(2l+1, channels), channel fastest; rotations active; coupling tensors with orthonormal columns; "
        "gradients of sum(cotangent * result)",
        "harmonics of degree 1, integral, at x, y, z": harmonics,
        "coupling (1, 1, 1)": [[[x.hex() for x in row] for row in block] for block in coupling.tolist()],
        "D of degree 1, a quarter turn about z": turn,
    }
