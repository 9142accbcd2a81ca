"""Short names of the ops that programs are made of; an op need not stand here to be a step."""

from __future__ import annotations

from nbody_ref.ops.activation import ACTIVATION
from nbody_ref.ops.arrange import ADD, BIAS, RESCALE, TAKE
from nbody_ref.ops.arrange import COMPLEX_FROM_PAIRS as COMPLEX
from nbody_ref.ops.arrange import PAIRS_FROM_COMPLEX as PAIRS
from nbody_ref.ops.cg_product import CG_PRODUCT as PRODUCT
from nbody_ref.ops.distance import DISTANCE, RELATIVE
from nbody_ref.ops.gauge import FRAGMENTS
from nbody_ref.ops.harmonics import SOLID, SPHERICAL
from nbody_ref.ops.linear import CAST, CONCAT
from nbody_ref.ops.message import MESSAGE
from nbody_ref.ops.mixing import MIXING
from nbody_ref.ops.neighbour_sum import NEIGHBOUR_SUM as SUM
from nbody_ref.ops.norm import NORMS
from nbody_ref.ops.norm import SQUARED_NORMS as SQUARES
from nbody_ref.ops.radial import RADIAL
from nbody_ref.ops.radial_weights import RADIAL_COPIES as COPIES

__all__ = [
    "ACTIVATION",
    "ADD",
    "BIAS",
    "CAST",
    "COMPLEX",
    "CONCAT",
    "COPIES",
    "DISTANCE",
    "FRAGMENTS",
    "MESSAGE",
    "MIXING",
    "NORMS",
    "PAIRS",
    "PRODUCT",
    "RADIAL",
    "RELATIVE",
    "RESCALE",
    "SOLID",
    "SPHERICAL",
    "SQUARES",
    "SUM",
    "TAKE",
]
