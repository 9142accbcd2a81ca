"""N-body networks: states, energies, forces, weights."""

from nbody_ref.network.default import default
from nbody_ref.network.layout import Schemes
from nbody_ref.network.network import Network, Spec
from nbody_ref.network.parameters import Parameters

__all__ = ["Network", "Parameters", "Schemes", "Spec", "default"]
