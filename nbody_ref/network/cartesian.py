r"""Vectors and symmetric tensors as states, and back: dipoles are of type 1o, polarizabilities of type 0e + 2e.

A fragment of l = 1 holds the components (y, z, x). A tensor is a sum over l of its fragments with Clebsch-Gordan
coefficients, whose columns are orthonormal, so that squares are preserved:

.. math:: T_{ab} = \sum_{l, m} C^{1 1 l}_{a b m}\, s^l_m, \qquad s^l_m = \sum_{a, b} C^{1 1 l}_{a b m}\, T_{ab} .
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.errors import ShapeError
from nbody_ref.tables import clebsch_gordan

__all__ = ["from_tensor", "from_vector", "to_tensor", "to_vector"]

Array = np.ndarray[Any, Any]

_YZX = np.array([1, 2, 0])  # components of a fragment of l = 1
_XYZ = np.array([2, 0, 1])


def from_vector(vector: Array) -> Array:
    """State (..., 3) of type 1 of vectors (..., 3) with components x, y, z."""
    return np.asarray(_checked("from_vector", vector, (3,)))[..., _YZX]


def to_vector(state: Array) -> Array:
    """Vectors (..., 3) with components x, y, z of states (..., 3) of type 1."""
    return np.asarray(_checked("to_vector", state, (3,)))[..., _XYZ]


def from_tensor(tensor: Array) -> Array:
    """State (..., 6) of type 0 + 2 of symmetric tensors (..., 3, 3); an antisymmetric part is dropped."""
    tensor = _checked("from_tensor", tensor, (3, 3))[..., _YZX, :][..., _YZX]
    return np.concatenate([np.einsum("...ab,abm->...m", tensor, clebsch_gordan(1, 1, l)) for l in (0, 2)], axis=-1)


def to_tensor(state: Array) -> Array:
    """Symmetric tensors (..., 3, 3) of states (..., 6) of type 0 + 2."""
    state = _checked("to_tensor", state, (6,))
    scalar, rest = clebsch_gordan(1, 1, 0), clebsch_gordan(1, 1, 2)
    tensor = np.einsum("...m,abm->...ab", state[..., :1], scalar) + np.einsum("...m,abm->...ab", state[..., 1:], rest)
    return np.asarray(tensor[..., _XYZ, :][..., _XYZ])


def _checked(function: str, array: Array, shape: tuple[int, ...]) -> Array:
    array = np.asarray(array)
    if array.shape[-len(shape) :] != shape:
        wanted = ", ".join(map(str, shape))
        raise ShapeError(f"{function}: the argument must have shape (..., {wanted}), got {array.shape}")
    return array
