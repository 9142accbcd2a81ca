"""Sums and programs of certified value, and enclosures: what the lowering of an operation is made of."""
