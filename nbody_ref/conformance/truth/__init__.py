"""Certified values of operations and of whole networks."""
