"""Programs of this package's operations, written out as sums of terms and functions of one number.

Each step is translated from its definition: couplings are exact, harmonics are polynomials, radial functions are
enclosed. No kernel is called. docs/derivations/certified_programs.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nbody_ref.certified.functions import ActivationFunction, SquareRoot
from nbody_ref.certified.program import ONE, Apply, Program, Sum
from nbody_ref.certified.terms import Leg, Terms, complexified, width
from nbody_ref.conformance.operations.product import Instruction, TensorProduct, template
from nbody_ref.conformance.truth.harmonic_truth import absolute_recursion
from nbody_ref.errors import NBodyRefError
from nbody_ref.exact.harmonics import solid_harmonic
from nbody_ref.exact.surd import Surd
from nbody_ref.gates.chain import Chain, Entry, Step
from nbody_ref.irreps import Irreps
from nbody_ref.ops.radial_function import RadialFunction

__all__ = ["Lowered", "lower", "mixing_terms"]

Array = np.ndarray[Any, Any]


class Lowered:
    """A program of terms for a program of operations.

    Parameters
    ----------
    chain : Chain
    leaves : mapping of str to array
        The variables that the chain starts from; complex ones become pairs (re, im) side by side.
    batch : mapping
        As for `Chain.forward`.

    Attributes
    ----------
    program : Program
    constants : dict of str to array
        Values of leaves that the translation adds.

    Raises
    ------
    NBodyRefError
        If the chain has a step that has no translation: complex gauges, user's own operations.
    """

    def __init__(self, chain: Chain, leaves: Mapping[str, Array], batch: Mapping[str, Any]) -> None:
        self.values = {name: np.asarray(x) for name, x in leaves.items()}
        self.complex = {name for name, x in self.values.items() if x.dtype.kind == "c"}
        shapes = {name: x.shape for name, x in self.values.items()}
        wide = {name: (*shapes[name][:-1], 2 * shapes[name][-1]) for name in self.complex}
        self.program = Program(shapes | wide)
        self.constants: dict[str, Array] = {}
        for step in chain.steps:
            statics = [s.read(batch) if isinstance(s, Entry) else s for s in step.statics]
            if step.op.name not in RULES:
                raise NBodyRefError(f"conformance: a step {step.op.name!r} has no certified values")
            RULES[step.op.name](self, step, *statics)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a variable, in complex numbers where it is complex."""
        shape = self.program.shapes[name]
        return (*shape[:-1], shape[-1] // 2) if name in self.complex else shape

    def sum(self, out: str, *terms: Terms) -> str:
        """Append a sum; of complex variables, as sums of real and imaginary parts."""
        if not any(leg.name in self.complex for part in terms for leg in part.legs):
            return self.program.add(Sum(out, terms))
        self.complex.add(out)
        wide = (complexified(part, self.complex) for part in terms)
        return self.program.add(Sum(out, tuple(part for parts in wide for part in parts)))

    def constant(self, values: Any) -> str:
        """A leaf that is not differentiated."""
        name = f"constant {len(self.constants)}"
        self.constants[name] = np.asarray(values, np.float64)
        self.program.shapes[name] = self.constants[name].shape
        return name

    def linear(
        self,
        out: tuple[Array, Array],
        shape: tuple[int, ...],
        name: str,
        leg: tuple[Array, Array],
        sign: int = 1,
        slack: float = 1.0,
    ) -> Terms:
        """Terms with one variable: (rows, columns) of the result and of the variable."""
        coef = np.zeros(len(out[1]), np.int64)
        table = (Surd(sign, 1),)
        return Terms(out[0], out[1], shape, (Leg(name, *leg),), coef, table, {name: self.shape(name)}, slack=slack)


def lower(chain: Chain, leaves: Mapping[str, Array], batch: Mapping[str, Any]) -> Lowered:
    """Translate a chain that starts from given arrays."""
    return Lowered(chain, leaves, batch)


def kinds(x: Any) -> Array:
    """Indices as signed integers."""
    return np.asarray(x).astype(np.int64)


def _relative(low: Lowered, step: Step, edges: Any) -> None:
    shape, xyz, rows = (len(edges.senders), 3), np.arange(3), np.arange(len(edges.senders))
    pairs = zip(step.inputs, (edges.senders, edges.receivers), (1, -1))
    low.sum(step.output, *(low.linear((rows, xyz), shape, name, (kinds(to), xyz), s) for name, to, s in pairs))


def _distance(low: Lowered, step: Step, *entries: Any) -> None:
    name = step.inputs[0]
    shape = low.shape(name)
    rows, xyz, zero = np.arange(shape[0]), np.arange(3), np.zeros(3, np.int64)
    legs = (Leg(name, rows, xyz), Leg(name, rows, xyz))
    square = low.sum(f"{step.output}/square", Terms(rows, zero, (shape[0],), legs, zero, ONE, {name: shape}))
    low.program.add(Apply(step.output, square, SquareRoot(), 0, shape[0]))


def _radial(low: Lowered, step: Step, basis: Any, lmax: int) -> None:
    rows = low.shape(step.inputs[0])[0]
    low.program.add(Apply(step.output, step.inputs[0], RadialFunction(basis, lmax), 0, rows))


def _solid(low: Lowered, step: Step, lmax: int, normalization: str) -> None:
    low.sum(step.output, *solid_terms(step.inputs[0], low.shape(step.inputs[0])[0], lmax, normalization))


def solid_terms(name: str, rows: int, lmax: int, normalization: str) -> list[Terms]:
    """Solid harmonics of vectors as monomials; S is that of the recursion with positive signs."""
    every, found = np.arange(rows), []
    for l in range(lmax + 1):
        columns: list[int] = []
        monomials: list[tuple[int, ...]] = []
        table: list[Surd] = []
        sizes: list[float] = []
        for m in range(-l, l + 1):
            exact = solid_harmonic(l, m, normalization)
            for powers, size in absolute_recursion(l, m, normalization).items():
                columns.append(l * l + l + m)
                monomials.append(tuple(i for i in range(3) for _ in range(powers[i])))
                table.append(exact.scale * exact.terms.get(powers, 0))
                sizes.append(size)
        legs = tuple(Leg(name, every, np.array([axes[k] for axes in monomials])) for k in range(l))
        found.append(
            Terms(
                every,
                np.array(columns),
                (rows, (lmax + 1) ** 2),
                legs,
                np.arange(len(columns)),
                tuple(table),
                {name: (rows, 3)},
                normalization == "integral",
                tuple(sizes),
                8.0 * l + 12,
            )
        )
    return found


def _copies(low: Lowered, step: Step, table: Any) -> None:
    columns = zip(table.degrees, table.index, table.muls)
    places = np.array([l * table.n + i for l, i, mul in columns for _ in range(mul)])
    rows = np.arange(low.shape(step.inputs[0])[0])
    out = (rows, np.arange(len(places)))
    low.sum(step.output, low.linear(out, (len(rows), len(places)), step.inputs[0], (rows, places)))


def _message(low: Lowered, step: Step, edges: Any, table: Any) -> None:
    parity = table.irreps_in.has_parity
    harmonics = Irreps.harmonics(table.lmax, parity)
    paths = tuple(Instruction(part, l2, k, "uvu") for k, (part, l2, _) in enumerate(table.paths))
    product = TensorProduct(table.irreps_in, harmonics, table.irreps_out, paths, graph=True, basis=table.basis)
    out, x1, x2, w, coef, surds = template(product)
    every, shape = np.arange(len(edges.senders)), (edges.n_receivers, table.irreps_out.dim)
    rows = (kinds(edges.senders), every, every)
    legs = tuple(Leg(name, r, c) for name, r, c in zip(step.inputs, rows, (x1, x2, w)))
    shapes = {name: low.shape(name) for name in step.inputs}
    low.sum(step.output, Terms(kinds(edges.receivers), out, shape, legs, coef, surds, shapes))


def _product(low: Lowered, step: Step, table: Any) -> None:
    mode = "uvuv" if table.mode == "full" else "uuu"
    paths = tuple(Instruction(i, j, k, mode) for k, (i, j, _) in enumerate(table.paths))
    types = table.irreps_a, table.irreps_b, table.irreps_out
    out, x1, x2, _, coef, surds = template(TensorProduct(*types, paths, False, basis=table.basis))
    every = np.arange(low.shape(step.inputs[0])[0])
    legs = tuple(Leg(name, every, c) for name, c in zip(step.inputs, (x1, x2)))
    shapes = {name: low.shape(name) for name in step.inputs}
    low.sum(step.output, Terms(every, out, (len(every), table.irreps_out.dim), legs, coef, surds, shapes))


def _mixing(low: Lowered, step: Step, kind: Any, table: Any) -> None:
    shapes = {name: low.shape(name) for name in step.inputs}
    low.sum(step.output, mixing_terms(table.irreps_in, table.irreps_out, kinds(kind), step.inputs, shapes))


def mixing_terms(
    irreps_in: Irreps, irreps_out: Irreps, kind: Array, names: tuple[str, ...], shapes: dict[str, tuple[int, ...]]
) -> Terms:
    """Mixing, eq. (9): blocks of W in the order of the result's parts, each (all channels of that irrep, mul)."""
    found: list[list[Array]] = [[], [], []]
    start = 0
    for o, (mul, irrep) in zip(irreps_out.offsets, irreps_out):
        m, c = (x.reshape(-1) for x in np.indices((irrep.dim, mul)))
        for at, part in zip(irreps_in.offsets, irreps_in):
            for u in range(part.mul if part.irrep == irrep else 0):
                for column, values in zip(found, (o + m * mul + c, at + m * part.mul + u, start + c)):
                    column.append(values)
                start += mul
    out, f, w = (np.concatenate(column) for column in found)
    rows = np.arange(len(kind))
    legs = (Leg(names[0], rows, f), Leg(names[1], kind, w))
    return Terms(rows, out, (len(kind), irreps_out.dim), legs, np.zeros(len(out), np.int64), ONE, shapes)


def _neighbour_sum(low: Lowered, step: Step, edges: Any) -> None:
    name = step.inputs[0]
    dim = width(low.shape(name))
    out = (kinds(edges.receivers), np.arange(dim))
    leg = (kinds(edges.senders), np.arange(dim))
    low.sum(step.output, low.linear(out, (edges.n_receivers, dim), name, leg))


def _concat(low: Lowered, step: Step) -> None:
    dims = [low.shape(name)[1] for name in step.inputs]
    rows = np.arange(low.shape(step.inputs[0])[0])
    starts = np.cumsum([0, *dims])
    low.sum(
        step.output,
        *(
            low.linear((rows, at + np.arange(dim)), (len(rows), int(starts[-1])), name, (rows, np.arange(dim)))
            for at, dim, name in zip(starts, dims, step.inputs)
        ),
    )


def _same(low: Lowered, step: Step, *statics: Any) -> None:
    """Conversions to another precision, and sums of states."""
    shape = low.shape(step.inputs[0])
    whole = (np.arange(shape[0]), np.arange(width(shape)))
    low.sum(step.output, *(low.linear(whole, shape, name, whole) for name in step.inputs))


def _weighted(low: Lowered, step: Step, places: Array, factors: Array, slack: float = 3.0) -> None:
    """Columns `places` of a state times constants."""
    rows = np.arange(low.shape(step.inputs[0])[0])
    columns = np.arange(len(places))
    legs = (Leg(step.inputs[0], rows, places), Leg(low.constant(factors[None]), 0 * rows, columns))
    shapes = {leg.name: low.shape(leg.name) for leg in legs}
    zero = np.zeros(len(places), np.int64)
    low.sum(step.output, Terms(rows, columns, (len(rows), len(places)), legs, zero, ONE, shapes, slack=slack))


def _take(low: Lowered, step: Step, spans: Any) -> None:
    places = np.concatenate([np.arange(start, stop) for start, stop in spans])
    _weighted(low, step, places, np.ones(len(places)))


def _rescale(low: Lowered, step: Step, runs: Any) -> None:
    factors = np.concatenate([np.full(count, factor) for factor, count in runs])
    _weighted(low, step, np.arange(len(factors)), factors)


def _bias(low: Lowered, step: Step, kind: Any) -> None:
    shape = low.shape(step.inputs[0])
    rows, columns = np.arange(shape[0]), np.arange(shape[1])
    legs = zip(step.inputs, (rows, kinds(kind)))
    low.sum(step.output, *(low.linear((rows, columns), shape, name, (at, columns)) for name, at in legs))


def _activation(low: Lowered, step: Step, kind: Any) -> None:
    """Entry by entry: the state is read as one long column and put back."""
    name, shape = step.inputs[0], low.shape(step.inputs[0])
    count, dim = shape[0] * width(shape), width(shape)
    zero = np.zeros(1, np.int64)
    flat = f"{step.output}/entries"
    for_columns = [
        low.linear((dim * np.arange(shape[0]) + c, zero), (count,), name, (np.arange(shape[0]), zero + c), slack=0.5)
        for c in range(dim)
    ]
    low.sum(flat, *for_columns)
    low.program.add(Apply(f"{step.output}/values", flat, ActivationFunction(kind), 0, count))
    back = (dim * np.arange(shape[0]), np.arange(dim))
    low.sum(step.output, low.linear((np.arange(shape[0]), np.arange(dim)), shape, f"{step.output}/values", back))


def _squared_norms(low: Lowered, step: Step, irreps: Irreps) -> None:
    name, shape = step.inputs[0], low.shape(step.inputs[0])
    out: list[int] = []
    places: list[int] = []
    at = 0
    for start, part in zip(irreps.offsets, irreps):
        for m in range(part.irrep.dim):
            out += range(at, at + part.mul)
            places += range(start + m * part.mul, start + (m + 1) * part.mul)
        at += part.mul
    rows, columns = np.arange(shape[0]), np.array(places)
    legs = (Leg(name, rows, columns), Leg(name, rows, columns))
    zero = np.zeros(len(columns), np.int64)
    low.sum(step.output, Terms(rows, np.array(out), (shape[0], at), legs, zero, ONE, {name: shape}))


def _affine(low: Lowered, step: Step, matrix: Any) -> None:
    coo, name = matrix.tocoo(), step.inputs[0]
    shape = (matrix.shape[0], 3)
    every, xyz, zero = np.arange(coo.nnz), np.arange(3), np.zeros(3, np.int64)
    factors = low.constant(coo.data[:, None])
    legs = (Leg(name, kinds(coo.coords[1]), xyz), Leg(factors, every, zero))
    shapes = {name: low.shape(name), factors: (coo.nnz, 1)}
    low.sum(step.output, Terms(kinds(coo.coords[0]), xyz, shape, legs, zero, ONE, shapes))


RULES: dict[str, Callable[..., None]] = {
    "relative": _relative,
    "distance": _distance,
    "pair_distance": _distance,
    "radial": _radial,
    "solid": _solid,
    "radial_copies": _copies,
    "message": _message,
    "cg_product": _product,
    "mixing": _mixing,
    "neighbour_sum": _neighbour_sum,
    "concat": _concat,
    "cast": _same,
    "add": _same,
    "affine": _affine,
    "take": _take,
    "rescale": _rescale,
    "bias": _bias,
    "activation": _activation,
    "squared_norms": _squared_norms,
}
