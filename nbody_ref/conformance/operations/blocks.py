"""Radial functions and linear maps of channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.certified.program import Apply, Program
from nbody_ref.certified.sums import Certified
from nbody_ref.certified.terms import Terms
from nbody_ref.conformance.formats import rounded, spacing
from nbody_ref.conformance.operations.layouts import Layout, State
from nbody_ref.conformance.operations.operation import (
    Case,
    Multilinear,
    Operation,
    Programmed,
    random,
    repeated_rows,
    with_orders,
)
from nbody_ref.conformance.operations.product_shapes import WIDTHS, few
from nbody_ref.irreps import Irreps
from nbody_ref.ops.mixing import MixingTable, mixing_terms
from nbody_ref.ops.radial import Bessel, ExponentialCosine, InversePowers, Radial, radial_from_dict
from nbody_ref.ops.radial_families import RadialFunction

if TYPE_CHECKING:
    from nbody_ref.conformance.backend import Capabilities

__all__ = ["BEHAVIOUR", "CUTOFF", "LinearMix", "RadialBasis", "Rowwise", "default_states"]

Array = np.ndarray[Any, Any]
CUTOFF = 5.0
BEHAVIOUR = ("determinism", "untouched", "strides", "symmetry")


def default_states(lmax: int) -> tuple[Irreps, Irreps]:
    """States of the default suite up to a degree: of unlike multiplicities, and of equal ones to degree 2."""
    unlike = Irreps((mul, f"{l}{'eo'[l % 2]}") for l, mul in enumerate((3, 2, 2)[: lmax + 1]))
    return unlike, Irreps((2, f"{l}{'eo'[l % 2]}") for l in range(min(lmax, 2) + 1))


@dataclass(frozen=True)
class RadialBasis(Programmed):
    """Radial functions of ``dist`` (rows,), g_n(d) d^-l, result (rows, lmax + 1, n)."""

    family: Radial
    lmax: int
    names = ("radial",)
    differentiable = ("dist",)
    behaviour = BEHAVIOUR
    other = 0.5  # lengths are positive

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        return (len(inputs["dist"]), self.lmax + 1, self.family.n)

    def lowered(self, inputs: Mapping[str, Array]) -> tuple[Program, str, dict[str, Array]]:
        """One function of many columns."""
        rows = len(inputs["dist"])
        program = Program({"dist": (rows,)})
        return program, program.add(Apply("out", "dist", RadialFunction(self.family, self.lmax), 0, rows)), {}

    def cases(self, dtype: str, orders: tuple[int, ...], seed: int = 0, first: bool = True) -> Iterator[Case]:
        """Distances at random; short ones, the cutoff and its neighbours, beyond it, and zeros of the waves."""
        step = float(spacing(np.asarray(CUTOFF), dtype))
        special = [2.0**-6, 0.01, 1.25, 2.5 + 2.0**-20, CUTOFF * (1 - 2.0**-12), CUTOFF - step, CUTOFF + step, CUTOFF]
        some = np.random.default_rng([seed, 2]).uniform(0.4, CUTOFF, 10)
        for check, dist in (("random", some), ("poles", [*special, 6.0, 100.0])):
            yield from with_orders(check, self, {"dist": rounded(dist, dtype)}, dtype, orders, seed)

    def truth(self, inputs: dict[str, Array], order: int, tangent: str) -> dict[str, Certified]:
        return repeated_rows(
            inputs, ("dist", "cotangent", "dist_dot"), lambda some: super(RadialBasis, self).truth(some, order, tangent)
        )

    @classmethod
    def shapes_of(cls, name: str, caps: Capabilities, dtype: str, seed: int, thorough: bool = False) -> Iterator[Case]:
        """Many functions; every degree; numbers of rows, a few distances over and over."""
        some = rounded(np.random.default_rng([seed, 11]).uniform(0.4, CUTOFF, 7), dtype)
        sizes = (0, 1, 31, 33, 65, 129, 1025, 70_001)
        every = [("rows", cls(Bessel(3, CUTOFF), min(caps.lmax, 1)), rows) for rows in sizes]
        every += [("channels", cls(Bessel(n, CUTOFF), 0), 3) for n in (1, 8, 17, 33)]
        every += [("high degree", cls(InversePowers((0, 1)), l), 3) for l in range(min(caps.lmax, 6) + 1)]
        for check, op, rows in every:
            again = np.arange(rows) % 7
            for case in with_orders(check, op, {"dist": some}, dtype, caps.orders, seed, note=f"{rows} rows"):
                case.inputs = {key: x[again] for key, x in case.inputs.items()}
                yield case

    @classmethod
    def suite(cls, name: str, caps: Capabilities, basis: str = "real") -> tuple[Operation, ...]:
        families = (InversePowers((-1, 0, 1, 2, 3)), Bessel(4, CUTOFF, 6), ExponentialCosine(3, CUTOFF, 4, 1.5))
        return tuple(cls(family, min(caps.lmax, 3)) for family in families)

    def to_dict(self) -> dict[str, Any]:
        return {"operation": self.name, "basis": self.family.to_dict(), "lmax": self.lmax}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RadialBasis:
        return cls(radial_from_dict(data["basis"]), data["lmax"])


class Rowwise(Multilinear):
    """A sum of terms row by row, perhaps with weights that are chosen by the kind of the row."""

    n_kinds = 0
    behaviour = BEHAVIOUR
    tails: tuple[int, ...] = (0, 1, 33)

    def inputs(self, dtype: str, seed: int, rows: int, scale: float = 1.0) -> dict[str, Array]:
        """Random inputs."""
        found = {name: random(shape, dtype, name, seed, rows, scale=scale) for name, shape in self.sizes(rows).items()}
        if self.n_kinds:
            found["kind"] = np.random.default_rng([seed, rows, 6]).integers(0, self.n_kinds, rows)
        return found

    def cases(self, dtype: str, orders: tuple[int, ...], seed: int = 0, first: bool = True) -> Iterator[Case]:
        low = tuple(order for order in orders if order < 2)
        for scale in (1.0, 2.0**-10, 2.0**10):
            chosen, given = orders if scale == 1.0 else low, self.inputs(dtype, seed, 5, scale)
            yield from with_orders("random", self, given, dtype, chosen, seed, note=f"scale {scale:g}", scale=scale)
        for rows in self.tails:
            yield from with_orders("sizes", self, self.inputs(dtype, seed, rows), dtype, low, seed, note=f"{rows} rows")

    @classmethod
    def branches(cls, caps: Capabilities, thorough: bool) -> Iterator[tuple[str, Rowwise, int]]:
        """Checks, operations and numbers of rows of the shapes at which kernels branch."""
        return iter(())

    @classmethod
    def shapes_of(cls, name: str, caps: Capabilities, dtype: str, seed: int, thorough: bool = False) -> Iterator[Case]:
        for number, (check, op, rows) in enumerate(cls.branches(caps, thorough)):
            given, note = op.inputs(dtype, seed + number, rows), f"{rows} rows"
            yield from with_orders(check, op, given, dtype, caps.orders, seed, note=note)


@dataclass(frozen=True)
class LinearMix(Rowwise):
    """Linear map of the channels of every irrep, eq. (9), with weights chosen by the kind of the row.

    Inputs ``F`` (rows, irreps_in.dim), ``W`` (n_kinds, weights), ``kind`` (rows,). The weights are one block for each
    part of the result, (all channels of that irrep in the order written, mul) row-major.
    """

    irreps_in: Irreps
    irreps_out: Irreps
    n_kinds: int = 2
    names = ("mixing",)
    differentiable = ("F", "W")
    described = ("irreps_in", "irreps_out", "n_kinds")
    tails = (0, 1, 2, 31, 33, 65)

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest degree that occurs."""
        return self.irreps_in.lmax

    @property
    def n_weights(self) -> int:
        """Length of a row of ``W``."""
        return sum(self.irreps_in.count(part.irrep) * part.mul for part in self.irreps_out)

    def layout(self, name: str) -> Layout:
        types = {"F": self.irreps_in, "out": self.irreps_out}
        return State(types[name]) if name in types else Layout()

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        return (len(inputs["F"]), self.irreps_out.dim)

    def sizes(self, rows: int) -> dict[str, tuple[int, ...]]:
        return {"F": (rows, self.irreps_in.dim), "W": (self.n_kinds, self.n_weights)}

    def terms(self, inputs: Mapping[str, Array]) -> tuple[Terms, ...]:
        """F times W."""
        kind = np.asarray(inputs["kind"], np.int64)
        table = MixingTable(self.irreps_in, self.irreps_out)
        return (mixing_terms(table, kind, ("F", "W"), self.sizes(len(kind))),)

    @classmethod
    def branches(cls, caps: Capabilities, thorough: bool) -> Iterator[tuple[str, Rowwise, int]]:
        for p, q in WIDTHS:
            yield "channels", cls(few(caps.lmax, p, 3), few(caps.lmax, 2, q)), 3
            yield "channels", cls(few(caps.lmax, 3, q), few(caps.lmax, p, 2), 1), 2
        small = cls(few(caps.lmax, 2, 1), few(caps.lmax, 1, 2))
        for rows in (1, 31, 33, 65, 129, 257, 1025, 2100, 70_001):
            yield "rows", small, rows
        for kinds in (1, 3, 5):
            yield "kinds", cls(small.irreps_in, small.irreps_out, kinds), 2
        every = Irreps([(2, f"{l}{'eo'[l % 2]}") for l in range(caps.lmax + 1)])
        yield "high degree", cls(every, every), 3
        yield "repeated irreps", cls(Irreps([*every, *every]), Irreps([*every, *every])), 3

    @classmethod
    def suite(cls, name: str, caps: Capabilities, basis: str = "real") -> tuple[Operation, ...]:
        a, b = default_states(caps.lmax)
        return (cls(Irreps([*a, *b]), Irreps([*b, *a])),)
