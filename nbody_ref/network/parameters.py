"""Learned weights: an ordered mapping of names to arrays, with one flat view for optimisers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nbody_ref.errors import ShapeError
from nbody_ref.gates.build import Mixing

__all__ = ["Parameters", "draw"]

Array = np.ndarray[Any, Any]


class Parameters(Mapping[str, Array]):
    """Named weight arrays in the order in which the network uses them; read-only.

    Parameters
    ----------
    arrays : mapping of str to array
        Names are ``level/term/leg`` paths such as ``neighbourhood/term2/leg1``.
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
        if vector.shape != (self.n,):
            raise ShapeError(f"Parameters.from_flat: 'vector' must have shape ({self.n},), got {vector.shape}")
        arrays, start = {}, 0
        for name, array in self.items():
            arrays[name] = vector[start : start + array.size].reshape(array.shape)
            start += array.size
        return Parameters(arrays)

    def replace(self, arrays: Mapping[str, Array]) -> Parameters:
        """These parameters with some arrays replaced.

        Raises
        ------
        ShapeError
            If a name is unknown or a shape differs.
        """
        for name, array in arrays.items():
            if name not in self:
                raise ShapeError(f"Parameters: {name!r} is not a parameter of this network; it has {list(self)}")
            if np.shape(array) != self[name].shape:
                raise ShapeError(f"Parameters: {name!r} must have shape {self[name].shape}, got {np.shape(array)}")
        return Parameters({name: arrays.get(name, old) for name, old in self.items()})


def draw(mixings: Mapping[str, Mixing], seed: int, dtype: Any = np.float64) -> Parameters:
    """Initial weights W ~ N(0, 1 / fan_in), where a term may let the rows of some fragments start smaller.

    Row i of a block is drawn as s_i N(0, 1) / sqrt(sum_j s_j^2), so that fragments of unit second moment give
    outputs of unit second moment; without scales s_i = 1 and the variance is 1 / fan_in. Complex weights have real and
    imaginary parts of half that variance each.
    """
    rng, arrays = np.random.default_rng(seed), {}
    for name, mixing in mixings.items():
        draws = 2 if np.dtype(dtype).kind == "c" else 1
        weights = np.empty((draws, *mixing.shape))
        for irrep, mul_in, mul_out, offset in mixing.table.blocks:
            scale = np.asarray(mixing.row_scale.get(irrep, (1.0,) * mul_in))
            block = rng.standard_normal((draws, mixing.n_kinds, mul_in, mul_out))
            block *= (scale / np.linalg.norm(scale))[:, None]
            weights[:, :, offset : offset + mul_in * mul_out] = block.reshape(draws, mixing.n_kinds, -1)
        drawn = weights[0] if draws == 1 else (weights[0] + 1j * weights[1]) * np.sqrt(0.5)
        arrays[name] = drawn.astype(dtype)
    return Parameters(arrays)
