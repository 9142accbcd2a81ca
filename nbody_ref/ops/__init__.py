"""Operations on arrays, each with its derivatives; `REGISTRY` has all of them by name."""

from nbody_ref.ops._op import REGISTRY

__all__ = ["REGISTRY"]
