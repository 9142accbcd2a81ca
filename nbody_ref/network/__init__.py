"""N-body networks: states, energies, forces, weights."""

from nbody_ref.network.default import default
from nbody_ref.network.layout import Schemes
from nbody_ref.network.network import Network
from nbody_ref.network.parameters import Parameters
from nbody_ref.network.spec import Spec
from nbody_ref.network.trace import Trace

__all__ = ["Network", "Parameters", "Schemes", "Spec", "Trace", "default"]
