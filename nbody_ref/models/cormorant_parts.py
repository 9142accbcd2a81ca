"""Pieces of Cormorant that are not particular to its equations: initial weights, complex pairs, scalar products."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from nbody_ref.gates import steps
from nbody_ref.gates.build import Builder, State
from nbody_ref.gates.chain import Array, Entry
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops.mixing import MixingTable

__all__ = [
    "RECEIVERS",
    "SENDERS",
    "Drawn",
    "Given",
    "RealUniform",
    "channels",
    "complex_pairs",
    "mixed",
    "order",
    "real_pairs",
    "scalar_product",
]


def _at_senders(edges: Edges) -> Edges:
    return Edges.build(np.arange(edges.n_edges), edges.senders, edges.n_edges, edges.n_senders)


def _at_receivers(edges: Edges) -> Edges:
    return Edges.build(np.arange(edges.n_edges), edges.receivers, edges.n_edges, edges.n_receivers)


SENDERS, RECEIVERS = (Entry("neighbours", f.__name__, f) for f in (_at_senders, _at_receivers))


@dataclass(frozen=True)
class Drawn:
    """Blocks of weights drawn as gain times U(-1, 1) or N(0, 1) over the larger of (rows, columns)."""

    table: MixingTable
    gain: float
    uniform: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the parameter array."""
        return 1, self.table.n_weights

    def draw(self, rng: np.random.Generator, dtype: Any) -> Array:
        """Real and imaginary parts alike."""
        blocks = self.table.blocks
        scale = np.concatenate([np.full(b.mul_in * b.mul_out, self.gain / max(b.mul_in, b.mul_out)) for b in blocks])
        both = rng.uniform(-1, 1, (2, *self.shape)) if self.uniform else rng.standard_normal((2, *self.shape))
        return np.asarray((both[0] + 1j * both[1]) * scale, dtype)


@dataclass(frozen=True)
class RealUniform:
    """Real numbers drawn from U(-bound, bound), whatever the dtype of states."""

    shape: tuple[int, ...]
    bound: float
    mean: float = 0.0

    def draw(self, rng: np.random.Generator, dtype: Any) -> Array:
        """Double precision."""
        return self.mean + rng.uniform(-self.bound, self.bound, self.shape)


@dataclass(frozen=True)
class Given:
    """Real numbers that start at given values."""

    values: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the parameter array."""
        return 1, len(self.values)

    def draw(self, rng: np.random.Generator, dtype: Any) -> Array:
        """Double precision; nothing is drawn."""
        return np.array([self.values])


def order(irrep: Irrep) -> tuple[int, int]:
    """Degree ascending, even before odd."""
    return irrep.l, -(irrep.p or 0)


def channels(irreps: Irreps, n: int) -> Irreps:
    """Every irrep that occurs once, with n channels, degree ascending."""
    return Irreps((n, irrep) for irrep in sorted({part.irrep for part in irreps}, key=order))


def mixed(builder: Builder, x: State, out: Irreps, name: str, weights: Any, kind: Entry) -> State:
    """Mixing by the weights ``name`` of one kind, without constants."""
    builder.parameters[name] = weights
    table = MixingTable.build(x.irreps, out)
    return builder.emit(steps.MIXING, (x, name), f"{name}/mixed", kind, table, irreps=out)


def complex_pairs(builder: Builder, x: str, out: Irreps, name: str) -> State:
    """Pairs of real scalars as complex ones, in the precision of the states."""
    y = builder.emit(steps.COMPLEX, (x,), f"{name}/complex128")
    return builder.emit(steps.CAST, (y,), name, np.dtype(builder.dtype), irreps=out)


def real_pairs(builder: Builder, x: State, name: str) -> State:
    """Complex scalars as pairs of real ones in double precision."""
    y = builder.emit(steps.PAIRS, (x,), f"{name}/pairs")
    pairs = Irreps((2 * part.mul, part.irrep) for part in x.irreps)
    return builder.emit(steps.CAST, (y,), name, np.dtype("float64"), irreps=pairs)


def scalar_product(builder: Builder, a: State, b: State, name: str) -> State:
    """sum_m (-1)^m a_m b_-m of all fragments: the coupling to degree 0 times (-1)^l sqrt(2l + 1)."""
    tau = a.irreps
    scalar = Irrep(0, 1 if tau.has_parity else None)
    product = builder.product(a, b, f"{name}/coupled", paths=[(i, i, scalar) for i in range(len(tau))])
    runs = tuple(((-1) ** part.irrep.l * sqrt(part.irrep.dim), part.mul) for part in tau)
    return builder.emit(steps.RESCALE, (product,), name, runs, irreps=product.irreps)
