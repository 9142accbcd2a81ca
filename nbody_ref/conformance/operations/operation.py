"""What a kernel computes, as data that answers for itself: truth, gate, cases, behaviour, words and JSON.

Every kind of operation is a class that registers itself under the names by which a backend declares it. Nothing else in
the kit knows which kinds there are.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.certified.program import Program, program_derivatives
from nbody_ref.certified.program_sums import certify_program
from nbody_ref.certified.sums import Certified, certify
from nbody_ref.certified.terms import Terms, complexified, derivatives
from nbody_ref.conformance.formats import rounded
from nbody_ref.conformance.operations.layouts import Layout, Place, State
from nbody_ref.conventions import Convention
from nbody_ref.exact.surd import Surd
from nbody_ref.irreps import Irreps

if TYPE_CHECKING:
    from nbody_ref.conformance.backend import Capabilities

__all__ = [
    "AIMS",
    "REGISTRY",
    "Case",
    "Multilinear",
    "Operation",
    "Programmed",
    "random",
    "repeated_rows",
    "result_shape",
    "surd_from",
    "surd_row",
    "vertex_factor",
    "with_orders",
]

Array = np.ndarray[Any, Any]
ONE = Surd(1, 1)
REGISTRY: dict[str, type[Operation]] = {}  # the kind of operation that a backend declares by a name
AIMS = {
    "fingerprint": "conventions: axes, component order, signs, norms, layout; named instead of failed",
    "table": "values and signs of coupling and rotation matrices, conjugated or transposed matrices",
    "impulse": "single wrong coefficients, of any size; selection rules (zeros must be zero)",
    "random": "signed values at three scales: wrong formulas, lost precision",
    "cancellation": "terms that cancel to a part in a thousand: accumulation in a shorter format",
    "alone": "every path by itself: paths that hide behind others, memory plans",
    "sizes": "numbers of rows around 32, 64, 128: tails that are dropped; one row and none",
    "coincidence": "as many channels as paths: weights read in the wrong layout",
    "integers": "sums of small integers, exact in any order: lost or doubled additions, half-precision sums",
    "graph": "sorted, reversed and random edges, self-loops, all edges at one node, isolated nodes",
    "large": "more than 65536 edges: indices that wrap",
    "million": "10^6 edges, every entry certified; runs only if asked for by name",
    "denormals": "products below the normal range: values flushed to zero without saying so",
    "poles": "directions at and near the axes and the diagonals, lengths from 1e-12 to 1e12",
    "channels": "numbers of channels around 4, 8, 16, 32, 64, 128 and odd ones beyond: tails of vectors and blocks",
    "rows": "rows, edges and nodes around 32 to 1024 and beyond 65536, fans beyond 1024, at every order",
    "high degree": "every degree, and every path of degrees, up to the largest declared",
    "norms": "harmonics in every normalization, gradients too",
    "repeated irreps": "the same irrep in several parts of every operand, several paths to one part of the result",
    "scales": "operands of sizes 2^60 and 2^-60: overflow on the way, an epsilon",
    "kinds": "one kind of rows and five, some of them without a row",
    "powers": "every power of a contraction up to the largest declared",
    "orders": "products of published models, paths in several orders: memory plans, paths that disturb each other",
}


class Operation:
    """What a backend computes; subclasses are frozen data.

    Attributes
    ----------
    names : tuple of str
        Names by which backends declare this kind; a class that has its own is found in `REGISTRY`.
    differentiable : tuple of str
        Inputs that have gradients, in the order in which they are documented.
    lmax : int
        Largest degree that occurs.
    basis : {"real", "complex"}
        In the complex gauge, arrays hold (re, im) side by side; a backend gets complex numbers.
    mixed : bool
        Results may come in another precision than asked for: tables, energies.
    complex_gauge : bool
        Whether backends that declare a complex gauge are judged.
    behaviour : tuple of str
        Checks of behaviour that apply, beside those of values.
    other : float
        What inputs may be multiplied by to make others.
    repeats : int
        Calls in which a kernel may settle on one of its variants; few where calls are slow.
    described : tuple of str
        Fields that make up the JSON description.
    counted : bool
        Whether a run of so many operations of a name counts them; tables are one by one too small for that.
    """

    names: tuple[str, ...] = ()
    differentiable: tuple[str, ...] = ()
    lmax: int
    basis: str = "real"
    mixed = False
    complex_gauge = False
    behaviour: tuple[str, ...] = ()
    other = -2.0
    repeats = 12
    described: tuple[str, ...] = ()
    counted = True

    def __init_subclass__(cls) -> None:
        REGISTRY.update(dict.fromkeys(cls.__dict__.get("names", ()), cls))

    @property
    def name(self) -> str:
        """Under which a backend declares that it can do this."""
        return self.names[0]

    def layout(self, name: str) -> Layout:
        """How an input, or the result ``out``, is laid out."""
        return Layout()

    def place(self, name: str, column: int) -> Place | None:
        """An entry of a row of an array in words, if it has a name."""
        return self.layout(name).place(column)

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        """Shape of the result."""
        raise NotImplementedError

    def in_gauge(self, convention: Convention) -> Operation:
        """The same operation with the coefficients that go with the coupling tensors of `convention`."""
        return self

    def undeclared(self, caps: Capabilities) -> str:
        """Why a backend's declaration leaves this operation out; "" if it does not."""
        return ""

    def truth(self, inputs: dict[str, Array], order: int, tangent: str) -> dict[str, Certified]:
        """Certified results of one order by name."""
        raise NotImplementedError

    def slack(self, order: int) -> float:
        """Roundings of a correct kernel beside the n of a sum of n terms; docs/derivations/certified_sums.md."""
        return 8.0

    def slacks(self, name: str, order: int) -> Any:
        """The same for every column of a result, where columns differ."""
        return self.slack(order)

    def extent(self, inputs: Mapping[str, Array]) -> dict[str, int]:
        """How large a call is, for what a run has covered."""
        first = inputs.get(self.differentiable[0]) if self.differentiable else None
        states = [
            layout.irreps for layout in map(self.layout, (*self.differentiable, "out")) if isinstance(layout, State)
        ]
        found = {"rows": 1 if first is None else len(first), "degree": self.lmax}
        return found | ({"multiplicity": max(part.mul for irreps in states for part in irreps)} if states else {})

    def cases(self, dtype: str, orders: tuple[int, ...], seed: int = 0, first: bool = True) -> Iterator[Case]:
        """Cases that compare values; shapes and graphs need the first operation of a name only."""
        raise NotImplementedError

    def samples(self, dtype: str, order: int, seed: int) -> list[Case]:
        """Generic inputs, for the checks of behaviour; second gradients for every tangent."""
        every = (case for case in self.cases(dtype, (order,), seed) if case.check == "random" and case.scale == 1)
        return list(every)

    def reach(self, inputs: dict[str, Array], name: str) -> tuple[Array, Array]:
        """Entries that depend on entry (1, 0) of an input, and those that may."""
        raise NotImplementedError

    def scaled(self, out: Array, factor: float) -> Array:
        """The result if an input is multiplied by a power of two."""
        return out * factor

    @classmethod
    def suite(cls, name: str, caps: Capabilities, basis: str = "real") -> tuple[Operation, ...]:
        """Operations of one name in the default suite, as far as they are declared."""
        raise NotImplementedError

    @classmethod
    def shapes_of(cls, name: str, caps: Capabilities, dtype: str, seed: int, thorough: bool = False) -> Iterator[Case]:
        """Cases of the shapes at which kernels branch, at every order; `thorough`: larger ones too."""
        return iter(())

    @classmethod
    def on_demand(cls, name: str, check: str, dtype: str, orders: tuple[int, ...], seed: int) -> Iterator[Case]:
        """Cases of checks that run only if they are asked for."""
        return iter(())

    def to_dict(self) -> dict[str, Any]:
        """JSON description."""
        gauge = {} if self.basis == "real" else {"basis": self.basis}
        fields = {key: getattr(self, key) for key in self.described}
        plain = {key: str(x) if isinstance(x, Irreps) else x for key, x in fields.items()}
        return {"operation": self.name, **plain, **gauge}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Operation:
        """Inverse of `to_dict`."""
        values = {key: Irreps(data[key]) if key.startswith("irreps") else data[key] for key in cls.described}
        return cls(**values, **{key: data[key] for key in ("basis",) if key in data})


@dataclass
class Case:
    """One call of a backend, and what it must give; truth is certified when first asked for.

    Parameters
    ----------
    check : str
        Key of `AIMS`.
    op : Operation
    inputs : dict
        In our gauge; with "cotangent" and f"{tangent}_dot" where the order asks for them. Numbers of the dtype under
        test, so that their rounding is never charged to the kernel.
    order : {0, 1, 2}
    tangent : str
    exact : bool
        No rounding can occur: bits must agree.
    note : str
    scale : float
        By which random inputs were multiplied.
    """

    check: str
    op: Operation
    inputs: dict[str, Array]
    order: int = 0
    tangent: str = ""
    exact: bool = False
    note: str = ""
    scale: float = 1.0
    cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def slack(self) -> float:
        """Roundings of a term beside those of the sum."""
        return self.op.slack(self.order)

    @cached_property
    def truth(self) -> dict[str, Certified]:
        """Certified results by name."""
        return self.op.truth(self.inputs, self.order, self.tangent)


class Multilinear(Operation):
    """An operation that is a sum of terms."""

    def terms(self, inputs: Mapping[str, Array]) -> tuple[Terms, ...]:
        """The terms for the rows of `inputs`; in the complex gauge, of complex numbers."""
        raise NotImplementedError

    def parts(self, inputs: Mapping[str, Array]) -> list[tuple[str, Terms]]:
        """The terms path by path, each path in words."""
        return [
            (f"path {p} of {len(found)}", terms) for found in (self.terms(inputs),) for p, terms in enumerate(found)
        ]

    def readings(
        self, inputs: dict[str, Array]
    ) -> Iterator[tuple[str, dict[str, Array], Callable[[str, Array], Array]]]:
        """Ways to misread the inputs: in words, the inputs as misread, and what that does to a result of a name."""
        return iter(())

    def sizes(self, rows: int) -> dict[str, tuple[int, ...]]:
        """Shapes of differentiable inputs for so many rows."""
        raise NotImplementedError

    def truth(self, inputs: dict[str, Array], order: int, tangent: str) -> dict[str, Certified]:
        found = derivatives(self.terms(inputs), order, tangent, self.differentiable)
        if self.basis == "complex":  # complex numbers without conjugation
            pairs = {name: (complexified(terms) for terms in parts) for name, parts in found.items()}
            found = {name: tuple(part for terms in parts for part in terms) for name, parts in pairs.items()}
        return {name: certify(terms, inputs) for name, terms in found.items()}


def repeated_rows(
    inputs: Mapping[str, Array], names: Sequence[str], certify_some: Callable[[dict[str, Array]], dict[str, Certified]]
) -> dict[str, Certified]:
    """Truth of an operation that treats every row alike, with the same rows certified once."""
    present = [name for name in names if name in inputs]
    rows = len(inputs[present[0]])
    if rows <= 16:
        return certify_some(dict(inputs))
    table = np.concatenate([np.asarray(inputs[name], np.float64).reshape(rows, -1) for name in present], axis=1)
    _, first, back = np.unique(table, axis=0, return_index=True, return_inverse=True)
    found = certify_some(dict(inputs) | {name: inputs[name][first] for name in present})
    return {name: truth.taken(back.reshape(-1)) for name, truth in found.items()}


class Programmed(Operation):
    """An operation that is a program of sums and functions of one number."""

    repeats = 4

    def lowered(self, inputs: Mapping[str, Array]) -> tuple[Program, str, dict[str, Array]]:
        """The program, the variable of its result, and the values of leaves beside the differentiable inputs."""
        raise NotImplementedError

    def truth(self, inputs: dict[str, Array], order: int, tangent: str) -> dict[str, Certified]:
        program, out, constants = self.lowered(inputs)
        longer, results = program_derivatives(program, out, self.differentiable, order, tangent)
        found = certify_program(longer, results, inputs | constants)
        return {name: found[name].reshaped(result_shape(self, inputs, name)) for name in found}

    def samples(self, dtype: str, order: int, seed: int) -> list[Case]:
        return super().samples(dtype, order, seed)[:1]

    def slack(self, order: int) -> float:
        return 0.0


def random(shape: tuple[int, ...], dtype: str, *seeds: Any, scale: float = 1.0) -> Array:
    """Signed normal numbers of a dtype, as float64; the same for the same seeds, words or integers."""
    words = [seed if isinstance(seed, int) else zlib.crc32(str(seed).encode()) for seed in seeds]
    return rounded(np.random.default_rng(words).standard_normal(shape) * scale, dtype)


def with_orders(
    check: str,
    op: Operation,
    inputs: dict[str, Array],
    dtype: str,
    orders: tuple[int, ...],
    seed: int,
    tangents: tuple[str, ...] | None = None,
    **more: Any,
) -> Iterator[Case]:
    """The same inputs at every order, second gradients for one tangent at a time."""
    for order in orders:
        given = dict(inputs)
        if order:
            given["cotangent"] = random(op.shape(inputs), dtype, "g", seed)
        for tangent in (tangents or op.differentiable) if order == 2 else ("",):
            extra = {f"{tangent}_dot": random(inputs[tangent].shape, dtype, "v", tangent, seed)} if tangent else {}
            yield Case(check, op, given | extra, order, tangent, **more)


def result_shape(op: Operation, inputs: Mapping[str, Array], name: str) -> tuple[int, ...]:
    """Shape of a result or of a gradient."""
    return op.shape(inputs) if name in ("out", "cotangent") else tuple(inputs[name].shape)


def vertex_factor(convention: Convention, l1: int, l2: int, l: int) -> Surd:
    """Our coupling tensor over that of a gauge, component orders apart."""
    centre = convention.cg_to_native(l1, l2, l, np.ones((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1)))[l1, l2, l]
    return Surd(1 if centre > 0 else -1, 2 * l + 1 if convention.cg_norm == "unit" else 1)


def surd_row(surd: Surd) -> list[Any]:
    """A surd as JSON: its sign, and its square as a ratio."""
    return [surd.sign, str(surd.square())]


def surd_from(row: Any) -> Surd:
    """Inverse of `surd_row`."""
    ratio = Fraction(row[1])
    return Surd(row[0], ratio.numerator, ratio.denominator)
