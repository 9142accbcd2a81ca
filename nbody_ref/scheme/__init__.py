"""Composition schemes, Definition 1 of the N-body paper: a system as a hierarchy of subsystems.

`Scheme` checks any hierarchy that is written by hand; `neighbourhoods`, `groups` and `clusters` write the usual ones.
"""

from nbody_ref.scheme.builders import barycentre, groups, neighbourhoods
from nbody_ref.scheme.clusters import clusters
from nbody_ref.scheme.definition import Node, Scheme

__all__ = ["Node", "Scheme", "barycentre", "clusters", "groups", "neighbourhoods"]
