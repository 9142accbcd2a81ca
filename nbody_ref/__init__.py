"""nbody_ref: CPU reference of N-body networks and fusion diagrams, with exact-arithmetic checks."""

from nbody_ref.errors import NBodyRefError
from nbody_ref.irreps import Irrep, Irreps

__all__ = ["Irrep", "Irreps", "NBodyRefError", "__version__"]
__version__ = "0.1.0"
