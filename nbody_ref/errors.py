"""Exceptions of the package: one base class, one subclass for each thing that a caller can get wrong.

A message names the function, the argument in quotes, what must hold and what came, for example
``cg_product: 'a' must have 5 components (l=2), got shape (4, 3)``.
"""

__all__ = [
    "ArgumentError",
    "DTypeError",
    "DataError",
    "FileError",
    "GeometryError",
    "IrrepsError",
    "NBodyRefError",
    "SchemeError",
    "ShapeError",
]

LONGEST = 1000  # characters of a line of a message: what came may be megabytes


class NBodyRefError(Exception):
    """Base class of every error that the package raises on purpose."""

    def __str__(self) -> str:
        lines = super().__str__().split("\n")
        return "\n".join(x if len(x) <= LONGEST else f"{x[:LONGEST]} ... ({len(x)} characters)" for x in lines)


class ArgumentError(NBodyRefError, ValueError):
    """An argument that is not what it must be: no integer, out of range, none of the words allowed."""


class IrrepsError(NBodyRefError, ValueError):
    """A type tau is malformed, or an irrep cannot occur where it was asked for."""


class SchemeError(NBodyRefError, ValueError):
    """A composition scheme violates Definition 1 of the N-body paper."""


class ShapeError(NBodyRefError, ValueError):
    """An array has the wrong shape."""


class DTypeError(NBodyRefError, TypeError):
    """An array has a dtype that the function does not compute in."""


class GeometryError(NBodyRefError, ValueError):
    """Positions at which a quantity does not exist: coincident points, NaN, infinity."""


class DataError(NBodyRefError, ValueError):
    """Training or test data that cannot be what it is said to be."""


class FileError(NBodyRefError, ValueError):
    """A file that is truncated, foreign, or inconsistent with its own header."""
