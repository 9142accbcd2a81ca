"""The ops that programs are made of, each with its four functions."""

from __future__ import annotations

from nbody_ref.gates.chain import op_of
from nbody_ref.ops import (
    activation,
    arrange,
    cg_product,
    distance,
    gauge,
    harmonics,
    linear,
    message,
    mixing,
    neighbour_sum,
    norm,
    radial,
    radial_weights,
)

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

RELATIVE, DISTANCE = op_of(distance, "relative"), op_of(distance, "distance")
SOLID, FRAGMENTS, RADIAL = op_of(harmonics, "solid"), op_of(gauge, "fragments"), op_of(radial, "radial")
COPIES, MESSAGE = op_of(radial_weights, "radial_copies"), op_of(message, "message")
SUM, MIXING = op_of(neighbour_sum, "neighbour_sum"), op_of(mixing, "mixing")
PRODUCT, CONCAT, CAST = op_of(cg_product, "cg_product"), op_of(linear, "concat"), op_of(linear, "cast")
SPHERICAL, ACTIVATION = op_of(harmonics, "spherical"), op_of(activation, "activation")
NORMS, SQUARES = op_of(norm, "norms"), op_of(norm, "squared_norms")
TAKE, ADD, RESCALE, BIAS = (op_of(arrange, name) for name in ("take", "add", "rescale", "bias"))
COMPLEX, PAIRS = op_of(arrange, "complex_from_pairs"), op_of(arrange, "pairs_from_complex")
