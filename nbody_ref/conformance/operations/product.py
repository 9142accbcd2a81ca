"""Weighted Clebsch-Gordan products of two states, row by row or over the edges of a graph.

A product is a list of instructions, each a Clebsch-Gordan coupling of two parts into a third with one rule for the
channels and one exact coefficient. Batched products and convolutions over the edges of a graph are the same thing with
different rows, so that one description, one truth and one set of checks serve them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.certified.couplings import CoupledColumns, CoupledPath, coupled_columns
from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.conformance.operations import misreadings, product_cases, product_shapes
from nbody_ref.conformance.operations.instruction import MODES, Instruction
from nbody_ref.conformance.operations.layouts import Layout, Place, State
from nbody_ref.conformance.operations.operation import Case, Multilinear, Operation, surd_from, surd_row, vertex_factor
from nbody_ref.conventions import Convention
from nbody_ref.errors import IrrepsError
from nbody_ref.exact.surd import Surd
from nbody_ref.irreps import Irrep, Irreps

if TYPE_CHECKING:
    from nbody_ref.conformance.backend import Capabilities

__all__ = ["MODES", "Instruction", "TensorProduct", "template"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TensorProduct(Multilinear):
    """Weighted Clebsch-Gordan product, one row at a time or gathered and summed over the edges of a graph.

    Parameters
    ----------
    irreps_1, irreps_2, irreps_out : Irreps
        Types of ``x1``, ``x2`` and the result.
    instructions : tuple of Instruction
    weighted : bool
        Whether there is an input ``w`` (rows, n_weights): instructions in order, letters of `MODES` in C order.
    basis : {"real", "complex"}
        Gauge of the coupling tensors. In the complex one everything is complex: widths of arrays count (re, im).
    graph : bool
        False: row b of x1, x2, w gives row b of the result. True: rows of x2 and w are edges; edge e takes row
        ``senders[e]`` of x1 and is added to row ``receivers[e]`` of the result, which has as many rows as x1.
    """

    irreps_1: Irreps
    irreps_2: Irreps
    irreps_out: Irreps
    instructions: tuple[Instruction, ...]
    weighted: bool = True
    graph: bool = False
    basis: str = "real"
    names = ("product", "convolution")
    complex_gauge = True

    def __post_init__(self) -> None:
        for i in self.instructions:
            _check_instruction(self, i)

    @property
    def name(self) -> str:
        return self.names[self.graph]

    @property
    def differentiable(self) -> tuple[str, ...]:  # type: ignore[override]
        """Inputs that have gradients."""
        return ("x1", "x2", "w") if self.weighted else ("x1", "x2")

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest degree that occurs."""
        return max(irreps.lmax for irreps in (self.irreps_1, self.irreps_2, self.irreps_out))

    @property
    def behaviour(self) -> tuple[str, ...]:  # type: ignore[override]
        """Rotations and gradients of pairs (re, im) are not those of the complex gauge."""
        every = ("determinism", "untouched", "strides", "homogeneity")
        return every if self.basis == "complex" else (*every, "symmetry", "adjoint", "not a number")

    @property
    def modes(self) -> frozenset[str]:
        """Channel rules that occur."""
        return frozenset(i.mode for i in self.instructions)

    @property
    def weight_offsets(self) -> tuple[int, ...]:
        """Where the weights of every instruction begin in a row of ``w``, and the length of the row."""
        return tuple(accumulate((prod(self.weight_shape(p)) for p in range(len(self.instructions))), initial=0))

    @property
    def n_weights(self) -> int:
        """Length of a row of ``w``."""
        return self.weight_offsets[-1] if self.weighted else 0

    def channels(self, p: int) -> dict[str, int]:
        """Size of every channel letter of instruction p."""
        i = self.instructions[p]
        first, second, _, result = MODES[i.mode]
        sizes = {first: self.irreps_1[i.i1].mul}
        sizes.setdefault(second, self.irreps_2[i.i2].mul)
        if len(result) == 1:
            sizes.setdefault(result, self.irreps_out[i.out].mul)
        return sizes

    def weight_shape(self, p: int) -> tuple[int, ...]:
        """Shape of the weights of instruction p."""
        sizes = self.channels(p)
        return tuple(sizes[letter] for letter in MODES[self.instructions[p].mode][2])

    def degrees(self, p: int) -> tuple[int, int, int]:
        """Degrees (l1, l2, l) of instruction p."""
        i = self.instructions[p]
        return self.irreps_1[i.i1].irrep.l, self.irreps_2[i.i2].irrep.l, self.irreps_out[i.out].irrep.l

    def path(self, p: int) -> str:
        """Instruction p in words."""
        l1, l2, l = self.degrees(p)
        return f"path {p} ({l1} x {l2} -> {l})"

    def alone(self, p: int) -> TensorProduct:
        """The same product with instruction p only."""
        return self.only([p])

    def in_gauge(self, convention: Convention) -> TensorProduct:
        """Coefficients that go with the coupling tensors of `convention`; exact."""
        found = [
            replace(i, coefficient=i.coefficient * vertex_factor(convention, *self.degrees(p)))
            for p, i in enumerate(self.instructions)
        ]
        return replace(self, instructions=tuple(found))

    def undeclared(self, caps: Capabilities) -> str:
        strange = self.modes - set(caps.modes)
        if strange:
            return f"modes {', '.join(sorted(strange))} are not declared"
        kind = "weights" if self.weighted else "products without weights"
        return "" if (caps.weighted if self.weighted else caps.unweighted) else f"{kind} are not declared"

    def layout(self, name: str) -> Layout:
        types = {"x1": self.irreps_1, "x2": self.irreps_2, "out": self.irreps_out}
        return State(types[name], self.basis == "complex") if name in types else Layout()

    def place(self, name: str, column: int) -> Place | None:
        """Parts of the result with the paths that lead to them; weights of a path."""
        layout = self.layout(name)
        if isinstance(layout, State):
            group, entry = layout.place(column)
            n = layout.part(column)
            paths = [self.path(p) for p, i in enumerate(self.instructions) if i.out == n] if name == "out" else []
            source = f" from {', '.join(paths[:3])}{' ...' if len(paths) > 3 else ''}" if name == "out" else ""
            return Place(group + source, entry)
        column //= 1 + (self.basis == "complex")
        p = max(n for n, start in enumerate(self.weight_offsets[:-1]) if start <= column)
        index = np.unravel_index(column - self.weight_offsets[p], self.weight_shape(p))
        return Place(self.path(p), f": weight {tuple(int(i) for i in index)}")

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        return (len(inputs["x1"]), self.irreps_out.dim * (1 + (self.basis == "complex")))

    def shapes(self, rows: int, nodes: int | None = None) -> dict[str, tuple[int, ...]]:
        """Shapes of inputs and result (``out``) for so many rows (edges) and nodes."""
        n = nodes if self.graph and nodes is not None else rows
        widths = {"x1": self.irreps_1.dim, "x2": self.irreps_2.dim, "out": self.irreps_out.dim, "w": self.n_weights}
        widths = {name: width * (1 + (self.basis == "complex")) for name, width in widths.items()}
        kept = widths if self.weighted else [name for name in widths if name != "w"]
        return {name: (rows if name in ("x2", "w") else n, widths[name]) for name in kept}

    def terms(self, inputs: Mapping[str, Array]) -> tuple[Terms, ...]:
        """One term for every coupling, channel and row."""
        out, x1, x2, w, coef, table = template(self)
        rows, nodes = len(inputs["x2"]), len(inputs["x1"])
        shapes = replace(self, basis="real").shapes(rows, nodes)
        b = np.arange(rows, dtype=np.int64)
        to, fro = (inputs["receivers"], inputs["senders"]) if self.graph else (b, b)
        legs = [Leg("x1", np.asarray(fro, np.int64), x1), Leg("x2", b, x2)]
        legs += [Leg("w", b, w)] if self.weighted else []
        return (Terms(np.asarray(to, np.int64), out, shapes["out"], tuple(legs), coef, table, shapes),)

    def parts(self, inputs: Mapping[str, Array]) -> list[tuple[str, Terms]]:
        found = []
        for p, i in enumerate(self.instructions):
            (terms,), (l1, l2, l) = self.only([p]).terms(inputs), self.degrees(p)
            start, shapes = self.weight_offsets[p], self.shapes(len(inputs["x2"]), len(inputs["x1"]))
            legs = tuple(leg._replace(columns=leg.columns + start) if leg.name == "w" else leg for leg in terms.legs)
            words = f"path {p} of {len(self.instructions)} ({l1} x {l2} -> {l}, {i.mode})"
            found.append((words, replace(terms, legs=legs, shapes=shapes)))
        return found

    def readings(self, inputs: dict[str, Array]) -> Iterator[Any]:
        return misreadings.readings(self, inputs)

    def extent(self, inputs: Mapping[str, Array]) -> dict[str, int]:
        found = super().extent(inputs) | {"rows": len(inputs["x2"])}
        if not self.graph:
            return found
        fans = [int(np.bincount(inputs[name]).max(initial=0)) for name in ("receivers", "senders")]
        return {"edges": found.pop("rows"), "nodes": len(inputs["x1"]), "fan": max(fans), **found}

    def reach(self, inputs: dict[str, Array], name: str) -> tuple[Array, Array]:
        (terms,) = self.terms(inputs)
        leg = terms.places(name)[0]
        must, rows = np.zeros(terms.shape, bool), np.zeros((terms.shape[0], 1), bool)
        must.reshape(-1)[terms.out[terms.index(leg) == inputs[name].shape[1]]] = True
        rows[terms.rows[terms.legs[leg].rows == 1]] = True
        return must, np.broadcast_to(rows, must.shape)

    def cases(self, dtype: str, orders: tuple[int, ...], seed: int = 0, first: bool = True) -> Iterator[Case]:
        return product_cases.product_cases(self, dtype, orders, seed, first)

    def samples(self, dtype: str, order: int, seed: int) -> list[Case]:
        return list(product_cases.all_orders("random", self, dtype, (order,), "hygiene", seed))

    @classmethod
    def suite(cls, name: str, caps: Capabilities, basis: str = "real") -> tuple[Operation, ...]:
        lmax = min(caps.lmax, 2)
        x = " + ".join(f"{mul}x{l}{'eo'[l % 2]}" for l, mul in enumerate((4, 3, 2)[: lmax + 1]))
        y = " + ".join(f"{mul}x{l}{'eo'[l % 2]}" for l, mul in enumerate((2, 1, 1)[: lmax + 1]))
        more: Any = {"graph": name == "convolution", "basis": basis}
        found = [
            cls.convolution(x, lmax, **more),
            cls.full(x, y, "uvuv", **more),
            cls.full(x, x, "uuu", **more),
            cls.connected(x, y, x, **more),
        ]
        found += [replace(found[1], weighted=True), replace(found[2], weighted=True)]
        return tuple(op for op in found if not op.undeclared(caps))

    @classmethod
    def shapes_of(cls, name: str, caps: Capabilities, dtype: str, seed: int, thorough: bool = False) -> Iterator[Case]:
        return product_shapes.product_shapes(cls, name, caps, dtype, seed, thorough)

    @classmethod
    def on_demand(cls, name: str, check: str, dtype: str, orders: tuple[int, ...], seed: int) -> Iterator[Case]:
        if name == "convolution" and check == "million":
            yield from product_cases.million_cases(
                cls.convolution("2x0e + 1x1o", 1, out=("0e", "1o")), dtype, orders, seed
            )

    @classmethod
    def convolution(
        cls, irreps_x: Irreps | str, lmax: int, out: Iterable[str] | None = None, **more: Any
    ) -> TensorProduct:
        """All paths "uvu" of x with the harmonics 0..lmax of edges, one part of the result for each path."""
        kept = None if out is None else {Irrep.parse(irrep) for irrep in out}
        return cls.coupled(irreps_x, Irreps.harmonics(lmax), "uvu", kept=kept, **{"graph": True} | more)

    @classmethod
    def full(cls, a: Irreps | str, b: Irreps | str, mode: str = "uvuv", **more: Any) -> TensorProduct:
        """All couplings of two states, one part of the result each; "uvuv" or "uuu"."""
        return cls.coupled(a, b, mode, **{"weighted": False} | more)

    @classmethod
    def coupled(
        cls,
        a: Irreps | str,
        b: Irreps | str,
        mode: str,
        width: int = 1,
        *,
        kept: set[Irrep] | None = None,
        lmax: int | None = None,
        above: int = -1,
        merged: bool = False,
        **more: Any,
    ) -> TensorProduct:
        """Couplings of two states in one mode, one part of the result for each; `merged`: for each type of part.

        `width`: channels of the result where the mode leaves them open; `kept`, `lmax`: types and degrees of results;
        `above`: only paths with a degree above this.
        """
        a, b = Irreps(a), Irreps(b)
        parts: list[tuple[int, Irrep]] = []
        instructions = []
        for i, first in enumerate(a):
            for j, second in enumerate(b):
                alike = mode not in ("uuu", "uuw") or first.mul == second.mul
                muls = {"u": first.mul, "v": second.mul, "uv": first.mul * second.mul, "w": width}
                for irrep in first.irrep * second.irrep if alike else ():
                    degrees = max(first.irrep.l, second.irrep.l, irrep.l)
                    if degrees <= above or (lmax is not None and irrep.l > lmax) or irrep not in (kept or {irrep}):
                        continue
                    part = (muls[MODES[mode][3]], irrep)
                    if not merged or part not in parts:
                        parts.append(part)
                    instructions.append(Instruction(i, j, parts.index(part) if merged else len(parts) - 1, mode))
        return cls(a, b, Irreps(parts), tuple(instructions), **more)

    def only(self, chosen: Iterable[int]) -> TensorProduct:
        """The product with some of its instructions."""
        return replace(self, instructions=tuple(self.instructions[p] for p in chosen))

    @classmethod
    def connected(cls, a: Irreps | str, b: Irreps | str, out: Irreps | str, **more: Any) -> TensorProduct:
        """Fully connected product "uvw": every coupling into every part, each scaled by 1/sqrt(its fan-in)."""
        a, b, c = Irreps(a), Irreps(b), Irreps(out)
        instructions = tuple(
            Instruction(i, j, k, "uvw", Surd(1, 1, first.mul * second.mul))
            for i, first in enumerate(a)
            for j, second in enumerate(b)
            for k, part in enumerate(c)
            if part.irrep in first.irrep * second.irrep
        )
        return cls(a, b, c, instructions, **more)

    def to_dict(self) -> dict[str, Any]:
        rows = [[i.i1, i.i2, i.out, i.mode, surd_row(i.coefficient)] for i in self.instructions]
        types = {key: str(getattr(self, key)) for key in ("irreps_1", "irreps_2", "irreps_out")}
        gauge = {} if self.basis == "real" else {"basis": self.basis}
        return {"operation": self.name, **types, "weighted": self.weighted, "instructions": rows, **gauge}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TensorProduct:
        rows = ((*row[:4], surd_from(row[4])) for row in data["instructions"])
        instructions = tuple(Instruction(i, j, k, mode, factor) for i, j, k, mode, factor in rows)
        a, b, c = (Irreps(data[key]) for key in ("irreps_1", "irreps_2", "irreps_out"))
        graph, basis = data["operation"] == "convolution", data.get("basis", "real")
        return cls(a, b, c, instructions, bool(data["weighted"]), graph, basis)


@lru_cache(maxsize=256)
def template(product: TensorProduct) -> CoupledColumns:
    """Columns of one row."""
    types = product.irreps_1, product.irreps_2, product.irreps_out
    paths = (CoupledPath(i.i1, i.i2, i.out, MODES[i.mode], i.coefficient) for i in product.instructions)
    return coupled_columns(types, paths, product.basis)


def _check_instruction(product: TensorProduct, i: Instruction) -> None:
    pairs = ((i.i1, product.irreps_1), (i.i2, product.irreps_2), (i.out, product.irreps_out))
    if i.mode not in MODES or not all(0 <= n < len(irreps) for n, irreps in pairs):
        raise IrrepsError(f"Product: {i} names a part or a mode that does not exist; modes are {', '.join(MODES)}")
    first, second, result = (irreps[n] for n, irreps in pairs)
    if result.irrep not in first.irrep * second.irrep:
        raise IrrepsError(f"Product: {i}: {first.irrep} x {second.irrep} does not contain {result.irrep}")
    sizes: dict[str, int] = {}
    letters = MODES[i.mode]
    for letter, mul in ((letters[0], first.mul), (letters[1], second.mul)):
        if sizes.setdefault(letter, mul) != mul:
            raise IrrepsError(f"Product: {i}: mode {i.mode} needs equal multiplicities, got {first} and {second}")
    wanted = first.mul * second.mul if letters[3] == "uv" else sizes.get(letters[3], result.mul)
    if wanted != result.mul:
        raise IrrepsError(f"Product: {i}: mode {i.mode} gives {wanted} channels, the result has {result}")
