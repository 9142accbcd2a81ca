"""Learned weights: an ordered mapping of names to arrays, with one flat view for optimisers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nbody_ref.errors import DTypeError, ShapeError
from nbody_ref.gates.weights import Weights
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array

__all__ = ["Parameters", "draw"]

Array = np.ndarray[Any, Any]


class Parameters(Mapping[str, Array]):
    """Named weight arrays in the order in which the network uses them; read-only.

    Parameters
    ----------
    arrays : mapping of str to array
        Names are ``level/term/leg`` paths such as ``neighbourhood/term2/leg1``.

    Examples
    --------
    >>> import numpy as np
    >>> from nbody_ref.network import Parameters
    >>> weights = Parameters({"root/mixing": np.ones((2, 3))})
    >>> weights.n, weights.flat().shape
    (6, (6,))
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = {name: np.array(array) for name, array in arrays.items()}
        for array in self._arrays.values():
            array.setflags(write=False)

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def n(self) -> int:
        """Number of weights."""
        return sum(array.size for array in self.values())

    def flat(self) -> Array:
        """All weights in one vector (n,), in order."""
        return np.concatenate([array.ravel() for array in self.values()]) if self._arrays else np.zeros(0)

    def from_flat(self, vector: Array) -> Parameters:
        """The inverse of `flat`, with the names and shapes of these parameters.

        Raises
        ------
        ShapeError
            If the vector has another length than `n`.
        """
        vector = check_array("Parameters.from_flat", "vector", vector, (self.n,), REAL_OR_COMPLEX)
        arrays, start = {}, 0
        for name, array in self.items():
            arrays[name] = vector[start : start + array.size].reshape(array.shape)
            start += array.size
        return Parameters(arrays)

    def as_real(self) -> Array:
        """All weights as real numbers in one vector, in order; a complex weight is two, its real and imaginary part.

        Of a gradient take the conjugates first (`conjugate`): with the pairing Re sum W_bar W_dot, the derivatives of a
        real function with respect to the parts of W are Re W_bar and -Im W_bar.
        """
        parts = [_real_view(array) for array in self.values()]
        return np.concatenate(parts) if parts else np.zeros(0)

    def from_real(self, vector: Array) -> Parameters:
        """The inverse of `as_real`, with the names, shapes and dtypes of these parameters.

        Raises
        ------
        ShapeError
            If the vector has another length than `as_real` gives.
        """
        sizes = {name: array.size * (2 if array.dtype.kind == "c" else 1) for name, array in self.items()}
        if np.shape(vector) != (sum(sizes.values()),):
            wanted = sum(sizes.values())
            raise ShapeError(f"Parameters.from_real: 'vector' must have shape ({wanted},), got {np.shape(vector)}")
        arrays, start = {}, 0
        for name, array in self.items():
            block = np.asarray(vector[start : start + sizes[name]], array.real.dtype)
            start += sizes[name]
            block = np.ascontiguousarray(block).view(array.dtype) if array.dtype.kind == "c" else block
            arrays[name] = block.reshape(array.shape)
        return Parameters(arrays)

    def conjugate(self) -> Parameters:
        """The conjugate of every weight: of a gradient, the direction of steepest ascent."""
        return Parameters({name: array.conj() for name, array in self.items()})

    def replace(self, arrays: Mapping[str, Array]) -> Parameters:
        """These parameters with some arrays replaced.

        Raises
        ------
        ShapeError, DTypeError
            If a name is unknown, or a shape or a dtype differs.
        """
        if not isinstance(arrays, Mapping):
            raise DTypeError(f"Parameters: 'arrays' must map names to arrays, got {type(arrays).__name__}")
        found = dict(self)
        for name, array in arrays.items():
            if name not in self:
                raise ShapeError(f"Parameters: {name!r} is not a parameter of this network; it has {list(self)}")
            found[name] = check_array("Parameters", name, array, self[name].shape, (self[name].dtype,))
        return Parameters(found)


def draw(weights: Mapping[str, Weights], seed: int, dtype: Any = np.float64) -> Parameters:
    """Initial values of all weights, in order, from one seed."""
    rng = np.random.default_rng(seed)
    return Parameters({name: array.draw(rng, dtype) for name, array in weights.items()})


def _real_view(array: Array) -> Array:
    flat = np.ascontiguousarray(array).ravel()
    return flat.view(flat.real.dtype).astype(np.float64) if flat.dtype.kind == "c" else flat.astype(np.float64)
