"""Covariant aggregation rules made of declared terms, and the chain rule through them."""

from nbody_ref.gates.aggregation import Aggregation
from nbody_ref.gates.chain import Chain, Entry, Step
from nbody_ref.gates.named import first_order, relative, zeroth_order
from nbody_ref.gates.terms import Bare, Correlations, Directed, Fusion, FusionBlock, Gate, Pairs, Product

__all__ = [
    "Aggregation",
    "Bare",
    "Chain",
    "Correlations",
    "Directed",
    "Entry",
    "Fusion",
    "FusionBlock",
    "Gate",
    "Pairs",
    "Product",
    "Step",
    "first_order",
    "relative",
    "zeroth_order",
]
