"""What a kernel computes, as data: products of states, harmonics, rotation matrices and coupling tables.

A product is a list of instructions, each a Clebsch-Gordan coupling of two parts into a third with one rule for the
channels and one exact coefficient. Batched products and convolutions over the edges of a graph are the same thing with
different rows, so that one description, one truth and one set of checks serve them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from nbody_ref.conventions import Convention
from nbody_ref.errors import IrrepsError
from nbody_ref.exact.surd import Surd
from nbody_ref.irreps import Irrep, Irreps

__all__ = [
    "MODES",
    "Coupling",
    "Harmonics",
    "Instruction",
    "Layout",
    "Operation",
    "Product",
    "Rotation",
    "result_shape",
]

Array = np.ndarray[Any, Any]
Layout = Irreps | str  # a state's type; or "plain", "positions", "harmonics", "quaternion", "rotation", "coupling"
ONE = Surd(1, 1)
# mode: channel letters of (part 1, part 2, weight, result)
MODES = {
    "uvw": ("u", "v", "uvw", "w"),
    "uvu": ("u", "v", "uv", "u"),
    "uvv": ("u", "v", "uv", "v"),
    "uuw": ("u", "u", "uw", "w"),
    "uuu": ("u", "u", "u", "u"),
    "uvuv": ("u", "v", "uv", "uv"),
}


class Operation:
    """What a backend computes; subclasses are data.

    Attributes
    ----------
    name : str
        Under which a backend declares that it can do this.
    differentiable : tuple of str
        Inputs that have gradients, in the order in which they are documented.
    lmax : int
        Largest degree that occurs.
    """

    lmax: int
    mixed = False  # results may come in another precision than asked for: tables, energies
    basis: str = "real"  # in the complex gauge, arrays hold (re, im) side by side; a backend gets complex numbers

    @property
    def name(self) -> str:
        """Under which a backend declares that it can do this."""
        raise NotImplementedError

    @property
    def differentiable(self) -> tuple[str, ...]:
        """Inputs that have gradients."""
        return ()

    def layout(self, name: str) -> Layout:
        """How an input, or the result ``out``, is laid out."""
        return "plain"

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        """Shape of the result."""
        raise NotImplementedError

    def in_gauge(self, convention: Convention) -> Operation:
        """The same operation with the coefficients that go with the coupling tensors of `convention`."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """JSON description."""
        raise NotImplementedError


@dataclass(frozen=True)
class Instruction:
    """One path: parts `i1` and `i2` are coupled into part `out`.

    Parameters
    ----------
    i1, i2, out : int
        Numbers of parts.
    mode : str
        One of `MODES`: which channels meet, as in "uvu": result u = sum over v of w[u, v] a[u] b[v].
    coefficient : Surd
        Exact factor of the path.
    """

    i1: int
    i2: int
    out: int
    mode: str = "uvu"
    coefficient: Surd = ONE


@dataclass(frozen=True)
class Product(Operation):
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

    def __post_init__(self) -> None:
        for i in self.instructions:
            _check_instruction(self, i)

    @property
    def name(self) -> str:
        """Under which a backend declares that it can do this."""
        return "convolution" if self.graph else "product"

    @property
    def differentiable(self) -> tuple[str, ...]:
        """Inputs that have gradients."""
        return ("x1", "x2", "w") if self.weighted else ("x1", "x2")

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest degree that occurs."""
        return max(irreps.lmax for irreps in (self.irreps_1, self.irreps_2, self.irreps_out))

    @property
    def modes(self) -> frozenset[str]:
        """Channel rules that occur."""
        return frozenset(i.mode for i in self.instructions)

    @property
    def n_weights(self) -> int:
        """Length of a row of ``w``."""
        return sum(int(np.prod(self.weight_shape(p))) for p in range(len(self.instructions))) if self.weighted else 0

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

    def alone(self, p: int) -> Product:
        """The same product with instruction p only."""
        return replace(self, instructions=(self.instructions[p],))

    def in_gauge(self, convention: Convention) -> Product:
        """Coefficients that go with the coupling tensors of `convention`; exact."""
        found = [
            replace(i, coefficient=i.coefficient * vertex_factor(convention, *self.degrees(p)))
            for p, i in enumerate(self.instructions)
        ]
        return replace(self, instructions=tuple(found))

    def layout(self, name: str) -> Layout:
        """States; weights are plain."""
        types = {"x1": self.irreps_1, "x2": self.irreps_2, "out": self.irreps_out}
        return types.get(name, "plain")

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        """Shape of the result."""
        return (len(inputs["x1"]), self.irreps_out.dim * (1 + (self.basis == "complex")))

    def shapes(self, rows: int, nodes: int | None = None) -> dict[str, tuple[int, ...]]:
        """Shapes of inputs and result (``out``) for so many rows (edges) and nodes."""
        n = nodes if self.graph and nodes is not None else rows
        widths = {"x1": self.irreps_1.dim, "x2": self.irreps_2.dim, "out": self.irreps_out.dim, "w": self.n_weights}
        widths = {name: width * (1 + (self.basis == "complex")) for name, width in widths.items()}
        kept = widths if self.weighted else [name for name in widths if name != "w"]
        return {name: (rows if name in ("x2", "w") else n, widths[name]) for name in kept}

    @classmethod
    def convolution(cls, irreps_x: Irreps | str, lmax: int, out: Iterable[str] | None = None, **more: Any) -> Product:
        """All paths "uvu" of x with the harmonics 0..lmax of edges, one part of the result for each path."""
        x, y = Irreps(irreps_x), Irreps.harmonics(lmax)
        kept = None if out is None else {Irrep.parse(irrep) for irrep in out}
        parts: list[tuple[int, Irrep]] = []
        instructions = []
        for a, part in enumerate(x):
            for b, edge in enumerate(y):
                for irrep in part.irrep * edge.irrep:
                    if kept is None or irrep in kept:
                        instructions.append(Instruction(a, b, len(parts), "uvu"))
                        parts.append((part.mul, irrep))
        return cls(x, y, Irreps(parts), tuple(instructions), **{"graph": True} | more)

    @classmethod
    def full(cls, a: Irreps | str, b: Irreps | str, mode: str = "uvuv", **more: Any) -> Product:
        """All couplings of two states, one part of the result each; "uvuv" or "uuu"."""
        a, b = Irreps(a), Irreps(b)
        parts: list[tuple[int, Irrep]] = []
        instructions = []
        for i, first in enumerate(a):
            for j, second in enumerate(b):
                if mode == "uuu" and first.mul != second.mul:
                    continue
                for irrep in first.irrep * second.irrep:
                    instructions.append(Instruction(i, j, len(parts), mode))
                    parts.append((first.mul * (second.mul if mode == "uvuv" else 1), irrep))
        return cls(a, b, Irreps(parts), tuple(instructions), **{"weighted": False} | more)

    @classmethod
    def connected(cls, a: Irreps | str, b: Irreps | str, out: Irreps | str, **more: Any) -> Product:
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
        """JSON description."""
        rows = [
            [i.i1, i.i2, i.out, i.mode, [i.coefficient.sign, str(i.coefficient.square())]] for i in self.instructions
        ]
        types = {key: str(getattr(self, key)) for key in ("irreps_1", "irreps_2", "irreps_out")}
        gauge = {} if self.basis == "real" else {"basis": self.basis}
        return {"operation": self.name, **types, "weighted": self.weighted, "instructions": rows, **gauge}

    @classmethod
    def from_dict(cls, text: Mapping[str, Any]) -> Product:
        """Inverse of `to_dict`."""
        instructions = []
        for i1, i2, out, mode, (sign, square) in text["instructions"]:
            ratio = Fraction(square)
            instructions.append(Instruction(i1, i2, out, mode, Surd(sign, ratio.numerator, ratio.denominator)))
        a, b, c = (Irreps(text[key]) for key in ("irreps_1", "irreps_2", "irreps_out"))
        graph, basis = text["operation"] == "convolution", text.get("basis", "real")
        return cls(a, b, c, tuple(instructions), bool(text["weighted"]), graph, basis)


@dataclass(frozen=True)
class Harmonics(Operation):
    """Real harmonics of vectors ``r`` (rows, 3), entry l(l+1)+m; solid ones carry the factor abs(r)^l."""

    lmax: int
    normalization: str = "integral"
    solid: bool = True

    @property
    def name(self) -> str:
        """Under which a backend declares that it can do this."""
        return "solid" if self.solid else "spherical"

    @property
    def differentiable(self) -> tuple[str, ...]:
        """Inputs that have gradients."""
        return ("r",)

    def layout(self, name: str) -> Layout:
        """Positions and harmonics."""
        return "positions" if name == "r" else "harmonics"

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        """Shape of the result."""
        return (len(inputs["r"]), (self.lmax + 1) ** 2)

    def to_dict(self) -> dict[str, Any]:
        """JSON description."""
        return {"operation": self.name, "lmax": self.lmax, "normalization": self.normalization}


@dataclass(frozen=True)
class Rotation(Operation):
    """Matrices D^l (rows, 2l + 1, 2l + 1) of the rotations of ``quaternion`` (rows, 4), of any length but 0."""

    l: int
    basis: str = "real"
    name = "rotation"
    differentiable = ()

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Its degree."""
        return self.l

    def layout(self, name: str) -> Layout:
        """A quaternion in, a matrix out."""
        return "quaternion" if name == "quaternion" else "rotation"

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        """Shape of the result."""
        return (len(inputs["quaternion"]), 2 * self.l + 1, (2 * self.l + 1) * (1 + (self.basis == "complex")))

    def to_dict(self) -> dict[str, Any]:
        """JSON description."""
        return {"operation": self.name, "l": self.l} | ({} if self.basis == "real" else {"basis": self.basis})


@dataclass(frozen=True)
class Coupling(Operation):
    """The table C[m1, m2, m] of one triple of degrees; no inputs."""

    l1: int
    l2: int
    l: int
    basis: str = "real"
    name = "coupling"
    differentiable = ()
    mixed = True

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest of the three degrees."""
        return max(self.l1, self.l2, self.l)

    def layout(self, name: str) -> Layout:
        """A coupling tensor."""
        return "coupling"

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        """Shape of the result."""
        return (2 * self.l1 + 1, 2 * self.l2 + 1, 2 * self.l + 1)

    def to_dict(self) -> dict[str, Any]:
        """JSON description."""
        gauge = {} if self.basis == "real" else {"basis": self.basis}
        return {"operation": self.name, "l1": self.l1, "l2": self.l2, "l": self.l, **gauge}


def result_shape(op: Operation, inputs: Mapping[str, Array], name: str) -> tuple[int, ...]:
    """Shape of a result or of a gradient."""
    return op.shape(inputs) if name in ("out", "cotangent") else tuple(inputs[name].shape)


def vertex_factor(convention: Convention, l1: int, l2: int, l: int) -> Surd:
    """Our coupling tensor over that of a gauge, component orders apart."""
    centre = convention.cg_to_native(l1, l2, l, np.ones((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1)))[l1, l2, l]
    return Surd(1 if centre > 0 else -1, 2 * l + 1 if convention.cg_norm == "unit" else 1)


def _check_instruction(product: Product, i: Instruction) -> None:
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
