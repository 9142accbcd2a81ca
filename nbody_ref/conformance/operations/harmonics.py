"""Harmonics of vectors, solid and spherical."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.certified.sums import Certified
from nbody_ref.conformance.formats import HALVES, rounded
from nbody_ref.conformance.operations.layouts import HarmonicColumns, Layout, Positions
from nbody_ref.conformance.operations.operation import Case, Operation, random, repeated_rows
from nbody_ref.conformance.truth.harmonic_truth import certify_harmonics

if TYPE_CHECKING:
    from nbody_ref.conformance.backend import Capabilities

__all__ = ["Harmonics"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Harmonics(Operation):
    """Real harmonics of vectors ``r`` (rows, 3), entry l(l+1)+m; solid ones carry the factor abs(r)^l."""

    lmax: int
    normalization: str = "integral"
    solid: bool = True
    names = ("solid", "spherical")
    differentiable = ("r",)
    described = ("lmax", "normalization")
    behaviour = ("determinism", "untouched", "strides", "homogeneity", "symmetry", "not a number")

    @property
    def name(self) -> str:
        return self.names[not self.solid]

    def layout(self, name: str) -> Layout:
        return Positions() if name == "r" else HarmonicColumns(self.lmax)

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        return (len(inputs["r"]), (self.lmax + 1) ** 2)

    def truth(self, inputs: dict[str, Array], order: int, tangent: str) -> dict[str, Certified]:
        def some(given: dict[str, Array]) -> dict[str, Certified]:
            return certify_harmonics(self, given["r"], order, given.get("cotangent"), given.get("r_dot"))

        return repeated_rows(inputs, ("r", "cotangent", "r_dot"), some)

    def slack(self, order: int) -> float:
        return 8.0 * self.lmax + 10.0 + 4.0 * order

    def slacks(self, name: str, order: int) -> Any:
        """A harmonic of degree l needs the recursion up to l."""
        if name == "r":
            return self.slack(order)
        return 8.0 * self.degrees + 10.0 + 4.0 * order

    @property
    def degrees(self) -> Array:
        """Degree of every column."""
        return np.concatenate([np.full(2 * l + 1, l) for l in range(self.lmax + 1)])

    def cases(self, dtype: str, orders: tuple[int, ...], seed: int = 0, first: bool = True) -> Iterator[Case]:
        """Generic and special directions; solid harmonics at the origin too. Another norm is a factor: values only."""
        size = (self.lmax + 1) ** 2
        for check, r in {"random": random((12, 3), dtype, "r", seed), "poles": _special(dtype, self.solid)}.items():
            g, v = random((len(r), size), dtype, check, seed), random(r.shape, dtype, "v", seed)
            for order in orders if first else (0,):
                inputs = {"r": r} | dict(list({"cotangent": g, "r_dot": v}.items())[:order])
                yield Case(check, self, inputs, order, "r" if order == 2 else "")

    def samples(self, dtype: str, order: int, seed: int) -> list[Case]:
        draw = np.random.default_rng([seed, 3])
        inputs = {"r": draw.standard_normal((9, 3)), "cotangent": draw.standard_normal((9, (self.lmax + 1) ** 2))}
        inputs["r_dot"] = draw.standard_normal((9, 3))
        given = {name: rounded(x, dtype) for name, x in list(inputs.items())[: order + 1]}
        return [Case("random", self, given, order, "r" if order == 2 else "")]

    def reach(self, inputs: dict[str, Array], name: str) -> tuple[Array, Array]:
        """The component along x, the rest of its row."""
        must = np.zeros(self.shape(inputs), bool)
        must[1, 3:4] = True
        return must, np.broadcast_to(np.arange(len(must))[:, None] == 1, must.shape)

    def scaled(self, out: Array, factor: float) -> Array:
        return np.asarray(out * (factor**self.degrees if self.solid else 1.0))

    @classmethod
    def shapes_of(cls, name: str, caps: Capabilities, dtype: str, seed: int, thorough: bool = False) -> Iterator[Case]:
        """Every degree, every normalization, numbers of rows; many rows are a few of them over and over."""
        solid = name == "solid"
        for l in range(caps.lmax + 1):
            yield from cls(l, "integral", solid).tiled("high degree", 4, dtype, caps.orders, seed)
        for norm in ("integral", "component", "norm"):
            for l in sorted({min(l, caps.lmax) for l in (0, 2, caps.lmax)}):
                yield from cls(l, norm, solid).tiled("norms", 3, dtype, caps.orders, seed)
        for rows in (0, 1, 31, 33, 65, 129, 257, 1025, 70_001, *((262_147,) if thorough else ())):
            for l in sorted({min(2, caps.lmax), caps.lmax if rows in (33, 129) or thorough else 0}):
                yield from cls(l, "integral", solid).tiled("rows", rows, dtype, caps.orders, seed)

    def tiled(self, check: str, rows: int, dtype: str, orders: tuple[int, ...], seed: int) -> Iterator[Case]:
        """Random positions, at most 7 different ones."""
        again = np.arange(rows) % 7
        few = {"r": random((7, 3), dtype, "r", check, seed), "r_dot": random((7, 3), dtype, "v", check, seed)}
        few["cotangent"] = random((7, (self.lmax + 1) ** 2), dtype, "g", check, seed)
        names, note = ("r", "cotangent", "r_dot"), f"l to {self.lmax}, {self.normalization}, {rows} rows"
        for order in orders:
            inputs = {name: few[name][again] for name in names[: order + 1]}
            yield Case(check, self, inputs, order, "r" if order == 2 else "", note=note)

    @classmethod
    def suite(cls, name: str, caps: Capabilities, basis: str = "real") -> tuple[Operation, ...]:
        norms = ("integral", "norm") if caps.lmax else ("integral",)
        return tuple(cls(caps.lmax, norm, name == "solid") for norm in norms)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Harmonics:
        return cls(data["lmax"], data["normalization"], data["operation"] == "solid")


def _special(dtype: str, solid: bool) -> Array:
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    near = np.array([[2.0**-k, -(2.0**-k) * 0.75, s] for k in (5, 11, 20) for s in (1.0, -1.0)])
    rows = [axes, near, np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [3.0, 4.0, 0.0]])]
    far = 2.0**4 if dtype in HALVES else 1e12
    rows += [np.zeros((1, 3))] if solid else [np.array([[1, -2, 1]]) / far, np.array([[1, 0.3, -2]]) * far]
    return rounded(np.concatenate(rows), dtype)
