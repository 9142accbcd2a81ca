"""Gauges: the conventions of other libraries by name, translations to and from ours, and fingerprints to tell them."""

from nbody_ref.conventions.convention import Convention
from nbody_ref.conventions.fingerprint import DIRECTIONS, QUATERNION, STATE, TRIPLES, TYPE, fingerprint, identify
from nbody_ref.conventions.named import get, names

__all__ = [
    "DIRECTIONS",
    "QUATERNION",
    "STATE",
    "TRIPLES",
    "TYPE",
    "Convention",
    "fingerprint",
    "get",
    "identify",
    "names",
]
