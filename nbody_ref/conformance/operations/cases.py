"""Inputs that bring errors to light, each with the bugs it is aimed at; truth is certified when first asked for.

Everything is deterministic in the seed. Inputs are numbers of the dtype under test, so that their rounding is never
charged to the kernel.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, sqrt
from typing import Any

import numpy as np

from nbody_ref.certified.program import program_derivatives
from nbody_ref.certified.program_sums import certify_program
from nbody_ref.certified.sums import Certified, certify
from nbody_ref.certified.terms import derivatives
from nbody_ref.conformance.formats import HALVES, normal, rounded
from nbody_ref.conformance.operations.composite import Multilinear, Programmed
from nbody_ref.conformance.operations.operation import Coupling, Harmonics, Operation, Product, Rotation, result_shape
from nbody_ref.conformance.truth.harmonic_truth import certify_harmonics
from nbody_ref.conformance.truth.product_terms import product_derivatives
from nbody_ref.exact.cg import cg_table, cg_table_real
from nbody_ref.exact.wigner import wigner_D, wigner_D_real

__all__ = ["AIMS", "Case", "harmonic_cases", "million_cases", "product_cases", "table_cases"]

Array = np.ndarray[Any, Any]
AIMS = {
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
    "high degree": "the largest degree declared",
}
PRODUCT_SLACK, TABLE_SLACK = 8.0, 8.0


@dataclass
class Case:
    """One call of a backend, and what it must give.

    Parameters
    ----------
    check : str
        Key of `AIMS`.
    op : Operation
    inputs : dict
        In our gauge; with "cotangent" and f"{tangent}_dot" where the order asks for them.
    order : {0, 1, 2}
    tangent : str
    exact : bool
        No rounding can occur: bits must agree.
    note : str
    """

    check: str
    op: Operation
    inputs: dict[str, Array]
    order: int = 0
    tangent: str = ""
    exact: bool = False
    note: str = ""
    cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def slack(self) -> float:
        """Roundings of a term beside those of the sum; docs/derivations/certified_sums.md."""
        if isinstance(self.op, Product):
            return PRODUCT_SLACK
        if isinstance(self.op, Multilinear | Programmed):
            return self.op.slack if isinstance(self.op, Multilinear) else 0.0
        if isinstance(self.op, Harmonics):
            return 8.0 * self.op.lmax + 10.0 + 4.0 * self.order
        return TABLE_SLACK

    @cached_property
    def truth(self) -> dict[str, Certified]:
        """Certified results by name."""
        op = self.op
        if isinstance(op, Product):
            terms = product_derivatives(op, self.inputs, self.order, self.tangent)
            return {name: certify(t, self.inputs) for name, t in terms.items()}
        if isinstance(op, Multilinear):
            every = derivatives(op.terms(self.inputs), self.order, self.tangent, op.differentiable)
            return {name: certify(t, self.inputs) for name, t in every.items()}
        if isinstance(op, Programmed):
            program, out, constants = op.lowered(self.inputs)
            longer, results = program_derivatives(program, out, op.differentiable, self.order, self.tangent)
            found = certify_program(longer, results, self.inputs | constants)
            return {name: found[name].reshaped(result_shape(op, self.inputs, name)) for name in found}
        if isinstance(op, Harmonics):
            g, v = self.inputs.get("cotangent"), self.inputs.get("r_dot")
            return certify_harmonics(op, self.inputs["r"], self.order, g, v)
        return {"out": _table_truth(op, self.inputs)}


def random(shape: tuple[int, ...], dtype: str, *seeds: Any, scale: float = 1.0) -> Array:
    """Signed normal numbers of a dtype, as float64."""
    words = [seed if isinstance(seed, int) else zlib.crc32(str(seed).encode()) for seed in seeds]
    return rounded(np.random.default_rng(words).standard_normal(shape) * scale, dtype)


def product_inputs(
    op: Product, dtype: str, *seeds: Any, rows: int = 24, nodes: int = 7, scale: float = 1.0, order: int = 0
) -> dict[str, Array]:
    """Random inputs, with cotangent and tangents where the order needs them."""
    shapes = op.shapes(rows, nodes)
    found = {name: random(shapes[name], dtype, name, *seeds, scale=scale) for name in op.differentiable}
    if op.graph:
        draw = np.random.default_rng([rows, nodes, 5])
        found["senders"] = draw.integers(0, max(nodes, 1), rows)
        found["receivers"] = draw.integers(0, max(nodes, 1), rows)
    if order:
        found["cotangent"] = random(shapes["out"], dtype, "g", *seeds, scale=scale)
    if order == 2:
        found |= {f"{name}_dot": random(shapes[name], dtype, "v", name, *seeds) for name in op.differentiable}
    return found


def all_orders(
    check: str, op: Product, dtype: str, orders: tuple[int, ...], *seeds: Any, **more: Any
) -> Iterator[Case]:
    """The same inputs at every order, second gradients for one tangent at a time."""
    note = more.pop("note", "")
    for order in orders:
        inputs = product_inputs(op, dtype, check, *seeds, order=order, **more)
        for tangent in op.differentiable if order == 2 else ("",):
            yield Case(check, op, inputs, order, tangent, note=note)


def product_cases(op: Product, dtype: str, orders: tuple[int, ...], seed: int = 0) -> Iterator[Case]:
    """Cases of one product; gradients beside values where the backend has them."""
    low = tuple(order for order in orders if order < 2)
    yield _impulse(op)
    for scale in (1.0, 2.0**-3, 2.0**3) if dtype in HALVES else (1.0, 2.0**-20, 2.0**20):
        only = orders if scale == 1.0 else low
        yield from all_orders("random", op, dtype, only, seed, scale=scale, note=f"scale {scale:g}")
    for p in range(len(op.instructions)):
        yield from all_orders("alone", op.alone(p), dtype, low, seed, p, rows=5, nodes=3, note=f"path {p}")
    for rows in (0, 1, 2, 3, 31, 32, 33, 63, 65, 129):
        yield from all_orders("sizes", op, dtype, low, seed, rows=rows, nodes=max(min(rows, 9), 2), note=f"{rows} rows")
    yield _denormal(op, dtype, seed)
    if op.graph:
        yield from _graph_cases(op, dtype, orders, seed)


def _impulse(op: Product) -> Case:
    """All pairs of unit vectors at once, weights distinct powers of two: every structure constant stands alone."""
    shapes = op.shapes(1)
    d1, d2 = shapes["x1"][1], shapes["x2"][1]
    i, j = (index.reshape(-1) for index in np.indices((d1, d2)))
    rows = len(i)
    inputs: dict[str, Array] = {"x1": np.zeros((rows, d1)), "x2": np.zeros((rows, d2))}
    inputs["x1"][np.arange(rows), i] = 2.0 ** (i % 3)
    inputs["x2"][np.arange(rows), j] = 2.0 ** -(j % 5)
    if op.weighted:
        inputs["w"] = np.broadcast_to(2.0 ** (np.arange(shapes["w"][1]) % 13 - 6.0), (rows, shapes["w"][1])).copy()
    if op.graph:
        inputs |= {"senders": np.arange(rows), "receivers": np.arange(rows)[::-1].copy()}
    return Case("impulse", op, inputs, note=f"{rows} pairs of unit vectors")


def _denormal(op: Product, dtype: str, seed: int) -> Case:
    """Inputs at the edge of the normal range; every product with a coefficient below one is denormal."""
    inputs = product_inputs(op, dtype, "denormals", seed, rows=6, nodes=4)
    tiny = normal(dtype)
    inputs["x1"] = rounded(inputs["x1"] * (tiny / 8), dtype)
    for name in op.differentiable[1:]:
        inputs[name] = np.sign(inputs[name])
    return Case("denormals", op, inputs, note=f"x1 of size {tiny / 8:.0e}")


def _graph_cases(op: Product, dtype: str, orders: tuple[int, ...], seed: int) -> Iterator[Case]:
    low = tuple(order for order in orders if order < 2)
    for note, senders, receivers in _graphs(48, 7):
        for case in all_orders("graph", op, dtype, low, seed, rows=48, nodes=7, note=note):
            case.inputs |= {"senders": senders, "receivers": receivers}
            yield case
    if op.weighted:
        yield _cancellation(op, dtype, seed)
    scalar = Product.convolution("3x0e", 0, basis=op.basis)
    for rows in () if dtype in HALVES else (1, 100, 5000):
        yield _integers(scalar, rows, seed)
    square = Product.convolution("3x0e", 2, basis=op.basis)
    yield from all_orders("coincidence", square, dtype, orders, seed, note="3 channels, 3 paths")
    if dtype not in HALVES:
        yield _integers(Product.convolution("1x0e", 0, basis=op.basis), 66_000, seed, "large")


def million_cases(dtype: str, orders: tuple[int, ...], seed: int, rows: int = 1_000_000) -> Iterator[Case]:
    """A million edges between a hundred nodes, 10^4 terms to a sum, values and gradients."""
    op = Product.convolution("2x0e + 1x1o", 1, out=("0e", "1o"))
    low = tuple(order for order in orders if order < 2)
    yield from all_orders("million", op, dtype, low, seed, rows=rows, nodes=100, note=f"{rows} edges")


def _cancellation(op: Product, dtype: str, seed: int) -> Case:
    inputs = product_inputs(op, dtype, "cancellation", seed, rows=40, nodes=5)
    for name in ("senders", "receivers"):
        inputs[name] = np.repeat(inputs[name][::2], 2)
    inputs["x2"] = np.repeat(inputs["x2"][::2], 2, axis=0)
    inputs["w"][1::2] = -rounded(inputs["w"][::2] * (1 + 2.0**-10), dtype)
    return Case("cancellation", op, inputs, note="edges in pairs, a part in 1024 survives")


def _graphs(rows: int, nodes: int) -> Iterator[tuple[str, Array, Array]]:
    draw = np.random.default_rng(9)
    senders, receivers = draw.integers(0, nodes, rows), np.sort(draw.integers(0, nodes, rows))
    yield "sorted receivers", senders, receivers
    yield "reversed receivers", senders, receivers[::-1].copy()
    yield "self-loops and duplicates", receivers.copy(), receivers
    yield "all edges at one node", senders, np.full(rows, nodes - 1)
    yield "isolated nodes", senders % 3, receivers % 2


def _integers(op: Product, rows: int, seed: int, check: str = "integers") -> Case:
    draw = np.random.default_rng([rows, seed])
    nodes = 5
    shapes = op.shapes(rows, nodes)
    inputs: dict[str, Array] = {n: draw.integers(-7, 8, shapes[n]).astype(np.float64) for n in op.differentiable}
    inputs |= {name: draw.integers(0, nodes, rows) for name in ("senders", "receivers")}
    return Case(check, op, inputs, exact=True, note=f"{rows} edges")


def harmonic_cases(op: Harmonics, dtype: str, orders: tuple[int, ...], seed: int = 0) -> Iterator[Case]:
    """Generic and special directions; solid harmonics at the origin too."""
    size = (op.lmax + 1) ** 2
    places = {"random": random((12, 3), dtype, "r", seed), "poles": _special(dtype, op.solid)}
    for check, r in places.items():
        extra = {"cotangent": random((len(r), size), dtype, check, seed), "r_dot": random(r.shape, dtype, "v", seed)}
        for order in orders:
            inputs = {"r": r} | dict(list(extra.items())[:order])
            yield Case(check, op, inputs, order, "r" if order == 2 else "")


def _special(dtype: str, solid: bool) -> Array:
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    near = np.array([[2.0**-k, -(2.0**-k) * 0.75, s] for k in (5, 11, 20) for s in (1.0, -1.0)])
    rows = [axes, near, np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [3.0, 4.0, 0.0]])]
    far = 2.0**4 if dtype in HALVES else 1e12
    rows += [np.zeros((1, 3))] if solid else [np.array([[1, -2, 1]]) / far, np.array([[1, 0.3, -2]]) * far]
    return rounded(np.concatenate(rows), dtype)


def table_cases(operation: str, lmax: int, basis: str = "real") -> Iterator[Case]:
    """All coupling tables, or all rotation matrices, up to a degree."""
    if operation == "coupling":
        for l1 in range(lmax + 1):
            for l2 in range(lmax + 1):
                for l in range(abs(l1 - l2), min(l1 + l2, lmax) + 1):
                    yield Case("table", Coupling(l1, l2, l, basis), {}, note=f"({l1}, {l2}, {l})")
    else:
        turns = [(0, 0, 0, 1), (1, 2, 3, 4), (-2, 1, 0, 3), (0, 0, 1, 1), (1, 0, 0, 0), (3, -1, 2, 0), (5, 7, -1, 2)]
        for l in range(lmax + 1):
            yield Case("table", Rotation(l, basis), {"quaternion": np.array(turns, np.float64)}, note=f"l={l}")


def _table_truth(op: Operation, inputs: dict[str, Array]) -> Certified:
    if isinstance(op, Coupling):
        exact = np.zeros((2 * op.l1 + 1, 2 * op.l2 + 1, 2 * op.l + 1))
        for m1, m2, m, entry in (cg_table_real if op.basis == "real" else cg_table)(op.l1, op.l2, op.l):
            exact[op.l1 + m1, op.l2 + m2, op.l + m] = entry.round("float64")
        n = 4 * (op.l1 + op.l2 + op.l)
    elif isinstance(op, Rotation):
        turns = [(int(w), int(x), int(y), int(z)) for x, y, z, w in inputs["quaternion"]]
        if op.basis == "real":
            D = [[[x.round() for x in row] for row in wigner_D_real(op.l, turn)] for turn in turns]
        else:
            D = [[[x.round() for entry in row for x in entry] for row in wigner_D(op.l, turn)] for turn in turns]
        exact = np.array(D)
        n = ceil(12 * sum(sqrt(j) for j in range(2 * op.l + 1))) + 12 * op.l
    else:
        raise TypeError(f"no table of {op}")
    return Certified(exact, np.zeros_like(exact), np.ones_like(exact), np.full(exact.shape, n))
