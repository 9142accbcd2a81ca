r"""Programs over any ring: the definition of what a gate or a network computes, step by step, slow and obvious.

The same program that the kernels run in floating point is run here on Python numbers, each step written with the
functions of `nbody_ref.exact.definition`. Over Gaussian rationals in the monomial gauge the program of a network is
covariant with residual exactly zero; over 40-digit numbers in the gauge of the network it is the value that floating
point is held to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import product as cartesian
from typing import Any

from nbody_ref.errors import GeometryError, NBodyRefError
from nbody_ref.exact.definition import State, fragment_product
from nbody_ref.exact.definition import mixing as mix
from nbody_ref.exact.gauges import Gauge
from nbody_ref.exact.network import flatten, unflatten
from nbody_ref.exact.ring import Gauss
from nbody_ref.gates.chain import Chain, Step
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops.radial import InversePowers

__all__ = ["run"]

Row = list[Any]
Rows = list[Row]
Gauges = Callable[[str], Gauge]


def run(
    chain: Chain, leaves: Mapping[str, Sequence[Sequence[Any]]], batch: Mapping[str, Any], gauge: Gauge | Gauges
) -> dict[str, Rows]:
    """Run a program on Python numbers.

    Parameters
    ----------
    chain : Chain
    leaves : mapping of name to rows
        Positions, states and weights: nested sequences of ring elements in the layout of the arrays.
    batch : mapping
        As for `Chain.forward`.
    gauge : Gauge, or callable normalization -> Gauge
        Couplings and harmonics; harmonics have the normalization of the gauge, not that of the program, unless a
        callable makes one for each.

    Returns
    -------
    dict of name to rows
        Every variable. A length is represented by its square, so that even powers stay rational.

    Raises
    ------
    GeometryError
        If an odd power of an irrational length is asked for over an exact ring.
    NBodyRefError
        If the program uses radial functions other than inverse powers, which are defined over no ring.
    """
    values: dict[str, Rows] = {name: [list(row) for row in rows] for name, rows in leaves.items()}
    choose: Gauges = gauge if not isinstance(gauge, Gauge) else lambda normalization: gauge
    for step in chain.steps:
        inputs = [values[name] for name in step.inputs]
        statics = [s.read(batch) if hasattr(s, "read") else s for s in step.statics]
        values[step.output] = _step(step, inputs, statics, choose)
    return values


def _step(step: Step, inputs: list[Rows], statics: list[Any], gauge: Gauges) -> Rows:
    name = step.op.name
    if name in ("cast", "fragments"):  # another representation of the same numbers
        return inputs[0]
    if name == "concat":
        return [[x for part in parts for x in part] for parts in zip(*inputs, strict=True)]
    if name in ("distance", "pair_distance"):
        return [[r[0] * r[0] + r[1] * r[1] + r[2] * r[2]] for r in inputs[0]]
    if name == "solid":
        made = gauge(statics[1])
        return [[x for l in range(statics[0] + 1) for x in made.harmonic(l, r)] for r in inputs[0]]
    if name == "relative":
        pairs = zip(statics[0].senders, statics[0].receivers, strict=True)
        return [[x - y for x, y in zip(inputs[0][int(i)], inputs[1][int(j)])] for i, j in pairs]
    known: dict[str, Callable[..., Rows]] = {
        "affine": _affine,
        "radial": _radial,
        "radial_copies": _copies,
        "neighbour_sum": _sum,
        "mixing": _mixing,
        "channel_mixing": _paths,
        "take": _take,
        "add": _add,
        "rescale": _rescale,
        "bias": _bias,
        "complex_from_pairs": _complex,
    }
    if name in known:
        return known[name](*inputs, *statics)
    coupled: dict[str, Callable[..., Rows]] = {"message": _message, "cg_product": _product, "fuse": _fuse}
    if name in coupled:
        return coupled[name](*inputs, *statics, gauge("norm"))
    raise NBodyRefError(f"run: 'chain' has a step {name!r}, which has no definition over a ring")


def _affine(r: Rows, coefficients: Any) -> Rows:
    exact = isinstance(r[0][0], (int, Fraction))
    table = coefficients.tocsr()
    found = []
    for row in range(table.shape[0]):
        span = range(table.indptr[row], table.indptr[row + 1])
        terms = [(int(table.indices[k]), float(table.data[k])) for k in span]
        weights = [(atom, Fraction(w).limit_denominator(10**6) if exact else w) for atom, w in terms]
        found.append([sum(w * r[atom][axis] for atom, w in weights) for axis in range(3)])
    return found


def _radial(square: Rows, basis: Any, lmax: int) -> Rows:
    if not isinstance(basis, InversePowers):
        raise NBodyRefError(f"run: 'chain' must use inverse powers only, got {basis}")
    return [[_power(x[0], s + l) for l in range(lmax + 1) for s in basis.powers] for x in square]


def _power(square: Any, s: int) -> Any:
    """|r|^-s from r^2, None if it is irrational and the ring exact."""
    if isinstance(square, (int, Fraction)):
        square = Fraction(square)
        if s % 2 == 0:
            return square ** (-s // 2)
        length = Fraction(math.isqrt(square.numerator), math.isqrt(square.denominator))
        return length**-s if length * length == square else None
    return square ** (-s // 2) if s % 2 == 0 else 1 / (square ** ((s - 1) // 2) * square**0.5)


def _copies(R: Rows, table: Any) -> Rows:
    places = [l * table.n + i for l, i, mul in zip(table.degrees, table.index, table.muls) for _ in range(mul)]
    if any(row[place] is None for row in R for place in places):
        raise GeometryError("run: an odd power of an irrational length has no value in an exact ring")
    return [[row[place] for place in places] for row in R]


def _sum(x: Rows, edges: Any) -> Rows:
    zero = [0] * len(x[0]) if x else []
    found = [list(zero) for _ in range(edges.n_receivers)]
    for i, j in zip(edges.receivers, edges.senders, strict=True):
        found[int(i)] = [a + b for a, b in zip(found[int(i)], x[int(j)])]
    return found


def _mixing(F: Rows, W: Rows, kind: Any, table: Any) -> Rows:
    found = []
    for row, k in zip(F, kind, strict=True):
        weights = [
            (b.irrep, [W[int(k)][b.offset + c * b.mul_out : b.offset + (c + 1) * b.mul_out] for c in range(b.mul_in)])
            for b in table.blocks
        ]
        found.append(flatten(mix(unflatten(table.irreps_in, row), weights)))
    return found


def _take(x: Rows, spans: Any) -> Rows:
    return [[value for start, stop in spans for value in row[start:stop]] for row in x]


def _add(*states: Rows) -> Rows:
    return [[sum(entries[1:], entries[0]) for entries in zip(*rows)] for rows in zip(*states)]


def _rescale(x: Rows, runs: Any) -> Rows:
    factors = [Fraction(factor) for factor, count in runs for _ in range(count)]
    return [
        [value * (f if isinstance(value, int | Fraction | Gauss) else float(f)) for value, f in zip(row, factors)]
        for row in x
    ]


def _bias(x: Rows, b: Rows, kind: Any) -> Rows:
    return [[value + shift for value, shift in zip(row, b[int(k)])] for row, k in zip(x, kind, strict=True)]


def _complex(x: Rows) -> Rows:
    exact = bool(x) and isinstance(x[0][0], int | Fraction)
    return [[Gauss(a, b) if exact else a + 1j * b for a, b in zip(row[::2], row[1::2])] for row in x]


def _paths(F: Rows, W: Rows, kind: Any, table: Any) -> Rows:
    found = []
    for row, k in zip(F, kind, strict=True):
        state, row_out = unflatten(table.irreps_in, row), []
        for block in table.blocks:
            paths = [fragments for irrep, fragments in state if irrep == block.irrep]
            weights = [W[int(k)][block.offset + p * block.mul :] for p in range(block.n_paths)]
            fragments = []
            for c in range(block.mul):
                terms = [[v * w[c] for v in path[c]] for path, w in zip(paths, weights, strict=True)]
                fragments.append([sum(column[1:], column[0]) for column in zip(*terms, strict=True)])
            row_out.append((block.irrep, fragments))
        found.append(flatten(row_out))
    return found


def _fuse(*arguments: Any) -> Rows:
    """Every diagram by itself, vertex by vertex, as drawn."""
    *states, table, gauge = arguments
    rows = zip(*(_states(tau, x) for tau, x in zip(table.irreps, states, strict=True)), strict=True)

    def value(node: Any, legs: list[Row]) -> Row:
        return (
            legs[node]
            if isinstance(node, int)
            else fragment_product(value(node[1], legs), value(node[2], legs), node[0].l, gauge)
        )

    found = []
    for row in rows:
        parts = []
        for term in table.terms:
            legs = [row[s][p][1] for s, p in term.sources]
            channels = zip(*legs, strict=True) if table.mode == "channelwise" else cartesian(*legs)
            parts.append((term.diagram.root, [value(term.diagram.nodes, list(c)) for c in channels]))
        found.append(flatten(parts))
    return found


def _message(x: Rows, Y: Rows, w: Rows, edges: Any, table: Any, gauge: Gauge) -> Rows:
    messages = []
    for e, j in enumerate(edges.senders):
        psi, state, at = unflatten(table.irreps_in, x[int(j)]), [], 0
        for part, l, irrep in table.paths:
            y, fragments = Y[e][l * l : (l + 1) * (l + 1)], []
            for fragment in psi[part][1]:
                coupled = fragment_product(fragment, y, irrep.l, gauge)
                fragments.append([value * w[e][at] for value in coupled])
                at += 1
            state.append((irrep, fragments))
        messages.append(flatten(state))
    zero = [0] * table.irreps_out.dim
    found = [list(zero) for _ in range(edges.n_receivers)]
    for i, message in zip(edges.receivers, messages, strict=True):
        found[int(i)] = [a + b for a, b in zip(found[int(i)], message)]
    return found


def _product(a: Rows, b: Rows, table: Any, gauge: Gauge) -> Rows:
    return [
        flatten([_path(x, y, path, table.mode, gauge) for path in table.paths])
        for x, y in zip(_states(table.irreps_a, a), _states(table.irreps_b, b), strict=True)
    ]


def _states(irreps: Irreps, rows: Rows) -> list[State]:
    return [unflatten(irreps, row) for row in rows]


def _path(x: State, y: State, path: tuple[int, int, Irrep], mode: str, gauge: Gauge) -> tuple[Irrep, list[Row]]:
    i, j, irrep = path
    left, right = x[i][1], y[j][1]
    pairs = [(u, v) for u in left for v in right] if mode == "full" else list(zip(left, right, strict=True))
    return irrep, [fragment_product(u, v, irrep.l, gauge) for u, v in pairs]
