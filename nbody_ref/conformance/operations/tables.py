"""Coupling tensors and rotation matrices: tables whose every entry is correctly rounded from an exact one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.certified.sums import Certified
from nbody_ref.conformance.operations.layouts import Couplings, Layout, Quaternions, Rotations
from nbody_ref.conformance.operations.operation import Case, Operation
from nbody_ref.exact.cg import cg_table, cg_table_real
from nbody_ref.exact.wigner import wigner_D, wigner_D_real

if TYPE_CHECKING:
    from nbody_ref.conformance.backend import Capabilities

__all__ = ["Coupling", "Rotation", "Table"]

Array = np.ndarray[Any, Any]
TURNS = [(0, 0, 0, 1), (1, 2, 3, 4), (-2, 1, 0, 3), (0, 0, 1, 1), (1, 0, 0, 0), (3, -1, 2, 0), (5, 7, -1, 2)]


class Table(Operation):
    """A table that is computed, or looked up, without differentiable inputs."""

    complex_gauge = True
    counted = False

    def exact(self, inputs: Mapping[str, Array]) -> tuple[Array, int]:
        """Correctly rounded entries, and the roundings of a recursion for them."""
        raise NotImplementedError

    def truth(self, inputs: dict[str, Array], order: int, tangent: str) -> dict[str, Certified]:
        exact, n = self.exact(inputs)
        return {"out": Certified(exact, np.zeros_like(exact), np.ones_like(exact), np.full(exact.shape, n))}


@dataclass(frozen=True)
class Coupling(Table):
    """The table C[m1, m2, m] of one triple of degrees; no inputs."""

    l1: int
    l2: int
    l: int
    basis: str = "real"
    names = ("coupling",)
    described = ("l1", "l2", "l")
    mixed = True

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest of the three degrees."""
        return max(self.l1, self.l2, self.l)

    def layout(self, name: str) -> Layout:
        return Couplings((self.l1, self.l2, self.l))

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        return (2 * self.l1 + 1, 2 * self.l2 + 1, 2 * self.l + 1)

    def cases(self, dtype: str, orders: tuple[int, ...], seed: int = 0, first: bool = True) -> Iterator[Case]:
        yield Case("table", self, {}, note=f"({self.l1}, {self.l2}, {self.l})")

    def exact(self, inputs: Mapping[str, Array]) -> tuple[Array, int]:
        exact = np.zeros(self.shape(inputs))
        for m1, m2, m, entry in (cg_table_real if self.basis == "real" else cg_table)(self.l1, self.l2, self.l):
            exact[self.l1 + m1, self.l2 + m2, self.l + m] = entry.round("float64")
        return exact, 4 * (self.l1 + self.l2 + self.l)

    @classmethod
    def suite(cls, name: str, caps: Capabilities, basis: str = "real") -> tuple[Operation, ...]:
        degrees = range(caps.lmax + 1)
        triples = ((a, b, c) for a in degrees for b in degrees for c in range(abs(a - b), min(a + b, caps.lmax) + 1))
        return tuple(cls(*triple, basis) for triple in triples)


@dataclass(frozen=True)
class Rotation(Table):
    """Matrices D^l (rows, 2l + 1, 2l + 1) of the rotations of ``quaternion`` (rows, 4), of any length but 0."""

    l: int
    basis: str = "real"
    names = ("rotation",)
    described = ("l",)

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Its degree."""
        return self.l

    def layout(self, name: str) -> Layout:
        return Quaternions() if name == "quaternion" else Rotations(self.l)

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        return (len(inputs["quaternion"]), 2 * self.l + 1, (2 * self.l + 1) * (1 + (self.basis == "complex")))

    def cases(self, dtype: str, orders: tuple[int, ...], seed: int = 0, first: bool = True) -> Iterator[Case]:
        yield Case("table", self, {"quaternion": np.array(TURNS, np.float64)}, note=f"l={self.l}")

    def exact(self, inputs: Mapping[str, Array]) -> tuple[Array, int]:
        turns = [(int(w), int(x), int(y), int(z)) for x, y, z, w in inputs["quaternion"]]
        D = np.array([_matrix(self.l, turn, self.basis) for turn in turns])
        return D, ceil(12 * sum(sqrt(j) for j in range(2 * self.l + 1))) + 12 * self.l

    @classmethod
    def suite(cls, name: str, caps: Capabilities, basis: str = "real") -> tuple[Operation, ...]:
        return tuple(cls(l, basis) for l in range(caps.lmax + 1))


@lru_cache(maxsize=1024)
def _matrix(l: int, turn: tuple[int, int, int, int], basis: str) -> list[list[float]]:
    """A rotation matrix, complex entries as (re, im) side by side."""
    if basis == "real":
        return [[x.round() for x in row] for row in wigner_D_real(l, turn)]
    return [[x.round() for entry in row for x in entry] for row in wigner_D(l, turn)]
