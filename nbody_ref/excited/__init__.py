"""Several states: invariants, couplings, and dynamics that hop between surfaces."""
