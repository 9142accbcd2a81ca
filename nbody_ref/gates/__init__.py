"""Covariant aggregation rules made of declared terms, and the chain rule through them."""

from nbody_ref.gates.chain import Chain, Entry, Step
from nbody_ref.gates.named import zeroth_order
from nbody_ref.gates.terms import Bare, Directed, Gate, Product

__all__ = ["Bare", "Chain", "Directed", "Entry", "Gate", "Product", "Step", "zeroth_order"]
