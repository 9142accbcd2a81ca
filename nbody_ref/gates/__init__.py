"""Covariant aggregation rules made of declared terms, and the chain rule through them."""

from nbody_ref.gates.aggregation import Aggregation
from nbody_ref.gates.chain import Chain, Entry, Step
from nbody_ref.gates.correlations import Correlations
from nbody_ref.gates.edge_fusion import EdgeFusion
from nbody_ref.gates.fusion_block import Fusion, FusionBlock
from nbody_ref.gates.named import first_order, relative, zeroth_order
from nbody_ref.gates.pairs import Pairs
from nbody_ref.gates.terms import Bare, Directed, Gate, Product, Term

__all__ = [
    "Aggregation",
    "Bare",
    "Chain",
    "Correlations",
    "Directed",
    "EdgeFusion",
    "Entry",
    "Fusion",
    "FusionBlock",
    "Gate",
    "Pairs",
    "Product",
    "Step",
    "Term",
    "first_order",
    "relative",
    "zeroth_order",
]
