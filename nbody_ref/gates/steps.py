"""The ops that programs are made of, each with its four functions."""

from __future__ import annotations

from nbody_ref.gates.chain import op_of
from nbody_ref.ops import (
    cg_product,
    distance,
    gauge,
    harmonics,
    linear,
    message,
    mixing,
    neighbour_sum,
    radial,
    radial_weights,
)

__all__ = [
    "CAST", "CONCAT", "COPIES", "DISTANCE", "FRAGMENTS", "MESSAGE",
    "MIXING", "PRODUCT", "RADIAL", "RELATIVE", "SOLID", "SUM",
]  # fmt: skip

RELATIVE, DISTANCE = op_of(distance, "relative"), op_of(distance, "distance")
SOLID, FRAGMENTS, RADIAL = op_of(harmonics, "solid"), op_of(gauge, "fragments"), op_of(radial, "radial")
COPIES, MESSAGE = op_of(radial_weights, "radial_copies"), op_of(message, "message")
SUM, MIXING = op_of(neighbour_sum, "neighbour_sum"), op_of(mixing, "mixing")
PRODUCT, CONCAT, CAST = op_of(cg_product, "cg_product"), op_of(linear, "concat"), op_of(linear, "cast")
