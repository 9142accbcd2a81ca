"""Products of several states: sums of fusion diagrams, and weighted symmetric powers of one state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.conformance.operations.blocks import Rowwise, default_states
from nbody_ref.conformance.operations.layouts import Layout, State
from nbody_ref.conformance.operations.operation import Operation, surd_from, surd_row, vertex_factor
from nbody_ref.conformance.operations.product_shapes import WIDTHS, few
from nbody_ref.conventions import Convention
from nbody_ref.errors import IrrepsError
from nbody_ref.exact.surd import Surd
from nbody_ref.fusion import Diagram, Term, all_terms, symmetric_basis
from nbody_ref.fusion.diagram_terms import diagram_slack, diagram_tensor, diagram_terms
from nbody_ref.irreps import Irreps

if TYPE_CHECKING:
    from nbody_ref.conformance.backend import Capabilities

__all__ = ["DiagramSum", "SymmetricPower"]

Array = np.ndarray[Any, Any]
ONE = Surd(1, 1)


@dataclass(frozen=True)
class SymmetricPower(Rowwise):
    """Symmetric contraction: weighted powers of one state, channel by channel, weights chosen by the kind of the row.

    Inputs ``x`` (rows, irreps.dim), ``w`` (n_kinds, weights), ``kind`` (rows,). For every part of the result, then
    every power 1..order, then every independent path of `nbody_ref.fusion.symmetric_basis`: a weight for each channel.

    Parameters
    ----------
    irreps : Irreps
        All parts of one multiplicity.
    irreps_out : Irreps
        Parts of the same multiplicity.
    order : int
        Highest power.
    n_kinds : int
    convention : Convention, optional
        Whose coupling tensors the paths are made of; None: ours.
    """

    irreps: Irreps
    irreps_out: Irreps
    order: int = 3
    n_kinds: int = 2
    convention: Convention | None = None
    names = ("contraction",)
    differentiable = ("x", "w")
    described = ("irreps", "irreps_out", "order", "n_kinds")

    def __post_init__(self) -> None:
        if len({part.mul for part in (*self.irreps, *self.irreps_out)}) != 1:
            types = f"{self.irreps} and {self.irreps_out}"
            raise IrrepsError(f"Contraction: all parts must have one multiplicity, got {types}")

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest degree that occurs."""
        return max(self.irreps.lmax, self.irreps_out.lmax)

    def slack(self, order: int) -> float:
        """Two roundings more for each power than a product."""
        return 8.0 + 2 * self.order

    @property
    def paths(self) -> tuple[tuple[int, Any], ...]:
        """Part of the result, and `CombPath`, in the order of the weights."""
        return _paths(self)

    @property
    def n_weights(self) -> int:
        """Length of a row of ``w``."""
        return len(self.paths) * self.irreps[0].mul

    def layout(self, name: str) -> Layout:
        types = {"x": self.irreps, "out": self.irreps_out}
        return State(types[name]) if name in types else Layout()

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        return (len(inputs["x"]), self.irreps_out.dim)

    def sizes(self, rows: int) -> dict[str, tuple[int, ...]]:
        return {"x": (rows, self.irreps.dim), "w": (self.n_kinds, self.n_weights)}

    def in_gauge(self, convention: Convention) -> SymmetricPower:
        """Paths of the coupling tensors of `convention`, weights of ours."""
        return replace(self, convention=convention)

    def factor(self, k: int) -> Surd:
        """What path k, made of the coupling tensors of the convention, is to be multiplied by."""
        return ONE if self.convention is None else _gauge_factor(self.paths[k][1].diagram, self.convention)

    def terms(self, inputs: Mapping[str, Array]) -> tuple[Terms, ...]:
        """One group of terms for each path."""
        rows, mul = np.arange(len(inputs["x"])), self.irreps[0].mul
        shapes, kind, c = self.sizes(len(rows)), np.asarray(inputs["kind"], np.int64), np.arange(mul)
        found = []
        for k, (o, path) in enumerate(self.paths):
            tensor = diagram_tensor(path.diagram, self.factor(k))
            starts = [self.irreps.offsets[p] for p in path.parts]
            columns = [(at + m[:, None] * mul + c).reshape(-1) for at, m in zip(starts, tensor.components)]
            result = (self.irreps_out.offsets[o] + tensor.components[-1][:, None] * mul + c).reshape(-1)
            weight = np.tile(k * mul + c, len(tensor.table))
            legs = (*(Leg("x", rows, column) for column in columns), Leg("w", kind, weight))
            shape = (len(rows), self.irreps_out.dim)
            coef = np.repeat(np.arange(len(tensor.table)), mul)
            found.append(Terms(rows, result, shape, legs, coef, tensor.table, shapes, sizes=tensor.sizes))
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """The paths are listed in the order of the weights."""
        rows = [[o, list(path.parts), [str(x) for x in path.diagram.outputs]] for o, path in self.paths]
        return super().to_dict() | {"paths": rows}

    @classmethod
    def branches(cls, caps: Capabilities, thorough: bool) -> Iterator[tuple[str, Rowwise, int]]:
        for p, _ in WIDTHS:
            yield "channels", cls(few(caps.lmax, p, p), few(caps.lmax, p, p), 2), 3
        small, scalar = few(caps.lmax, 2, 2), few(0, 2)
        for rows in (1, 31, 65, 129, 1025, 70_001):
            yield "rows", cls(small, scalar, 1 if rows > 2000 else 2), rows
        for kinds in (1, 3, 5):
            yield "kinds", cls(small, scalar, 2, kinds), 2
        for power in range(1, caps.power + 1):
            yield "powers", cls(few(caps.lmax), few(caps.lmax), power), 3

    @classmethod
    def suite(cls, name: str, caps: Capabilities, basis: str = "real") -> tuple[Operation, ...]:
        even = default_states(caps.lmax)[1]
        return (cls(even, Irreps(part for part in even if part.irrep.l < 2), 3),)


@dataclass(frozen=True)
class DiagramSum(Rowwise):
    """A fusion block: one part of the result for each labelled diagram, inputs ``x0``, ``x1``, ... row by row.

    Parameters
    ----------
    irreps : tuple of Irreps
        Types of the states.
    diagrams : tuple of Term
        Diagrams and the parts on their legs.
    mode : {"channelwise", "full"}
        Channel c meets channel c; or every channel every other, the channel of a term counting its legs from left to
        right in the tree, the last one fastest.
    coefficients : tuple of Surd, optional
        Factor of every term, by `in_gauge`.
    """

    irreps: tuple[Irreps, ...]
    diagrams: tuple[Term, ...]
    mode: str = "channelwise"
    coefficients: tuple[Surd, ...] = ()
    names = ("fusion",)

    @property
    def differentiable(self) -> tuple[str, ...]:  # type: ignore[override]
        """Inputs that have gradients."""
        return tuple(f"x{k}" for k in range(len(self.irreps)))

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest degree that occurs."""
        return max(irreps.lmax for irreps in (*self.irreps, self.irreps_out))

    def slack(self, order: int) -> float:
        """Two roundings more for each leg than a product."""
        return diagram_slack(self.diagrams)

    @property
    def irreps_out(self) -> Irreps:
        """One part for each term."""
        muls = [[self.irreps[s][p].mul for s, p in term.sources] for term in self.diagrams]
        counts = [mul[0] if self.mode == "channelwise" else prod(mul) for mul in muls]
        return Irreps((count, term.diagram.root) for count, term in zip(counts, self.diagrams))

    def layout(self, name: str) -> Layout:
        return State(self.irreps_out if name == "out" else self.irreps[int(name[1:])])

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        return (len(inputs["x0"]), self.irreps_out.dim)

    def sizes(self, rows: int) -> dict[str, tuple[int, ...]]:
        return {f"x{k}": (rows, irreps.dim) for k, irreps in enumerate(self.irreps)}

    def in_gauge(self, convention: Convention) -> DiagramSum:
        """Coefficients that go with the coupling tensors of `convention`."""
        return replace(self, coefficients=tuple(_gauge_factor(term.diagram, convention) for term in self.diagrams))

    def terms(self, inputs: Mapping[str, Array]) -> tuple[Terms, ...]:
        """One group of terms for each diagram."""
        types, names, rows = (self.irreps, self.irreps_out), self.differentiable, len(inputs["x0"])
        return diagram_terms(types, self.diagrams, self.mode, names, rows, self.coefficients)

    def to_dict(self) -> dict[str, Any]:
        rows = []
        for term in self.diagrams:
            legs, outputs = ([str(x) for x in names] for names in (term.diagram.legs, term.diagram.outputs))
            rows.append(
                {"tree": term.diagram.tree, "legs": legs, "outputs": outputs, "sources": list(map(list, term.sources))}
            )
        signs, types = [surd_row(c) for c in self.coefficients], [str(irreps) for irreps in self.irreps]
        return {"operation": self.name, "irreps": types, "mode": self.mode, "terms": rows, "coefficients": signs}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DiagramSum:
        rows = data["terms"]
        terms = (Term(Diagram(_tuple(r["tree"]), r["legs"], r["outputs"]), _tuple(r["sources"])) for r in rows)
        types = tuple(Irreps(text) for text in data["irreps"])
        return cls(types, tuple(terms), data["mode"], tuple(surd_from(row) for row in data["coefficients"]))

    @classmethod
    def branches(cls, caps: Capabilities, thorough: bool) -> Iterator[tuple[str, Rowwise, int]]:
        for p, _ in WIDTHS:
            state = few(caps.lmax, p, p)
            yield "channels", cls((state,), all_terms([state], (0, 1))), 3
        small = few(caps.lmax, 2, 2)
        for rows in (1, 31, 65, 129, 1025, 70_001):
            yield "rows", cls((small,), all_terms([small], (0, 1), roots=["0e"])), rows

    @classmethod
    def suite(cls, name: str, caps: Capabilities, basis: str = "real") -> tuple[Operation, ...]:
        even = default_states(caps.lmax)[1]
        two, roots = Irreps(list(even)[:2]), ["0e", "1o"][: caps.lmax + 1]
        every = all_terms([even], ((0, 1), 2), roots=roots, bond_cutoff=caps.lmax)
        return cls((even,), every), cls((two, two), all_terms([two, two], (0, 1)), "full")


def _gauge_factor(diagram: Diagram, convention: Convention) -> Surd:
    """Our coupling of a diagram over that of a gauge."""
    total = ONE
    for triple in diagram.triples:
        l1, l2, l = (label.l for label in triple)  # type: ignore[union-attr]
        total = total * vertex_factor(convention, l1, l2, l)
    return total


@lru_cache(maxsize=64)
def _paths(op: SymmetricPower) -> tuple[tuple[int, Any], ...]:
    return tuple(
        (o, path)
        for o, part in enumerate(op.irreps_out)
        for n in range(1, op.order + 1)
        for path in symmetric_basis(str(op.irreps), n, part.irrep).paths
    )


def _tuple(value: Any) -> Any:
    """Lists of JSON as tuples."""
    return tuple(_tuple(x) for x in value) if isinstance(value, list | tuple) else value
