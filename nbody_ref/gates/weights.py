"""Weights that a program asks for: their shapes, and how they are drawn at the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from nbody_ref.irreps import Irrep
from nbody_ref.ops.channel_mixing import ChannelMixingTable
from nbody_ref.ops.mixing import MixingTable

__all__ = ["Dense", "Mixing", "Paths", "Weights"]

Array = np.ndarray[Any, Any]


class Weights(Protocol):
    """A learned array of a program."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        ...

    def draw(self, rng: np.random.Generator, dtype: Any) -> Array:
        """Initial values."""
        ...


@dataclass(frozen=True)
class Mixing:
    """A learned array W of shape (n_kinds, table.n_weights), and the scale of each row when it is drawn at random."""

    table: MixingTable
    n_kinds: int
    row_scale: dict[Irrep, tuple[float, ...]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the parameter array."""
        return self.n_kinds, self.table.n_weights

    def scales(self) -> Array:
        """s_i / sqrt(sum_j s_j^2) for each weight, (table.n_weights,): what it is drawn with."""
        found = np.empty(self.table.n_weights)
        for irrep, mul_in, mul_out, offset in self.table.blocks:
            scale = np.asarray(self.row_scale.get(irrep, (1.0,) * mul_in))
            found[offset : offset + mul_in * mul_out] = np.repeat(scale / np.linalg.norm(scale), mul_out)
        return found

    def draw(self, rng: np.random.Generator, dtype: Any) -> Array:
        """W ~ N(0, 1 / fan_in), where a term may let the rows of some fragments start smaller.

        Row i of a block is drawn as s_i N(0, 1) / sqrt(sum_j s_j^2), so that fragments of unit second moment give
        outputs of unit second moment; without scales s_i = 1 and the variance is 1 / fan_in. Complex weights have real
        and imaginary parts of half that variance each.
        """
        draws = 2 if np.dtype(dtype).kind == "c" else 1
        weights = np.empty((draws, *self.shape))
        for _, mul_in, mul_out, offset in self.table.blocks:
            block = rng.standard_normal((draws, self.n_kinds, mul_in, mul_out))
            weights[:, :, offset : offset + mul_in * mul_out] = block.reshape(draws, self.n_kinds, -1)
        weights *= self.scales()
        return _joined(weights).astype(dtype)


@dataclass(frozen=True)
class Paths:
    """A weight for each path and channel, (n_kinds, table.n_weights), drawn as N(0, 1 / number of paths)."""

    table: ChannelMixingTable
    n_kinds: int

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the parameter array."""
        return self.n_kinds, self.table.n_weights

    def draw(self, rng: np.random.Generator, dtype: Any) -> Array:
        """Complex weights have real and imaginary parts of half that variance each."""
        draws = 2 if np.dtype(dtype).kind == "c" else 1
        scale = np.concatenate([np.full(b.n_paths * b.mul, b.n_paths**-0.5) for b in self.table.blocks])
        return np.asarray(_joined(rng.standard_normal((draws, *self.shape))) * scale, dtype)


@dataclass(frozen=True)
class Dense:
    """A learned array of any shape, drawn as `mean` + N(0, scale^2)."""

    shape: tuple[int, ...]
    scale: float = 1.0
    mean: float = 0.0

    def draw(self, rng: np.random.Generator, dtype: Any) -> Array:
        """Independent Gaussian entries; complex ones have real and imaginary parts of half the variance each."""
        draws = 2 if np.dtype(dtype).kind == "c" else 1
        return (self.mean + self.scale * _joined(rng.standard_normal((draws, *self.shape)))).astype(dtype)


def _joined(draws: Array) -> Array:
    return np.asarray(draws[0] if len(draws) == 1 else (draws[0] + 1j * draws[1]) * np.sqrt(0.5))
