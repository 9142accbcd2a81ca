"""Programs in high precision, and the first-order gauge of their values and derivatives: docs/accuracy.md.

To first order, a rounding error in a variable reaches a result times the derivative of the result with respect to that
variable. Errors of forward steps reach a value through cotangents. A force is a derivative: errors of forward steps
reach it through tangents of cotangents, errors of reverse steps through tangents.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np
from _judge import of_surd, real_scale
from _polynomials import absolute, degrees, derivative, value
from _programs import Numbers, interpret, solid
from _radials import chain, function, sizes

from nbody_ref import exact
from nbody_ref.gates import Entry

Array = np.ndarray[Any, Any]
Values = Mapping[str, Array]


def binary(a: Any) -> Fraction:
    """A number of mpmath as the rational that it is."""
    sign, mantissa, exponent, _ = mpmath.mpf(a)._mpf_
    return Fraction((-1) ** sign * int(mantissa)) * Fraction(2) ** int(exponent)


@cache
def real_coupling(l1: int, l2: int, l: int) -> Array:
    """The package's real coefficients in mpmath."""
    C = np.full((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1), mpmath.mpf(0), object)
    for m1, m2, m, surd in exact.cg_table_real(l1, l2, l):
        sign, square = of_surd(surd)
        C[m1 + l1, m2 + l2, m + l] = sign * mpmath.sqrt(mpmath.mpf(square.numerator) / square.denominator)
    return C


def real_solid(r: Array, lmax: int, normalization: str) -> Array:
    """Real solid harmonics in mpmath: the rational components times their factors."""
    found = solid(np.vectorize(binary, otypes=[object])(r), lmax)
    for l in range(lmax + 1):
        norm = {"norm": mpmath.mpf(1), "component": mpmath.sqrt(2 * l + 1)}.get(normalization)
        norm = mpmath.sqrt((2 * l + 1) / (4 * mpmath.pi)) if norm is None else norm
        for m in range(-l, l + 1):
            factor, k = norm * mpmath.sqrt(real_scale(l, m)), l * (l + 1) + m
            found[:, k] = [factor * mpmath.mpf(a.numerator) / a.denominator for a in map(Fraction, found[:, k])]
    return found


def lengths(r: Array) -> Array:
    """Lengths in mpmath."""
    return np.array([mpmath.sqrt(s) for s in (r * r).sum(axis=1)], object)


def radials(dist: Array, basis: Any, lmax: int) -> Array:
    """The functions of the definitions in mpmath."""
    rows = [[[function(basis, n, l)(d) for n in range(basis.n)] for l in range(lmax + 1)] for d in dist]
    return np.array(rows, object)


TRUTH = Numbers(real_coupling, real_solid, lengths, radials)


def solid_size(r: Array, lmax: int, normalization: str) -> Array:
    """k S of solid harmonics: the recursion of the page on absolute values, times 4 l + 2."""
    found = np.zeros((len(r), (lmax + 1) ** 2))
    for e, (x, y, z) in enumerate(np.abs(r.astype(float))):
        s, c, v, diagonal = x * x + y * y + z * z, 1.0, 0.0, 1.0
        for m in range(lmax + 1):
            if m:
                c, v = (x, y) if m == 1 else (x * c + y * v, x * v + y * c)
                diagonal *= math.sqrt((2 if m == 1 else 1) * (2 * m - 1) / (2 * m))
            before, Q = 0.0, diagonal
            for l in range(m, lmax + 1):
                if l > m:
                    low = (l - m) * (l + m)
                    up = (2 * l - 1) * z * Q / math.sqrt(low) + math.sqrt(((l - 1) ** 2 - m * m) / low) * s * before
                    before, Q = Q, up
                w = {"norm": 1.0, "component": 2 * l + 1.0}.get(normalization, (2 * l + 1) / (4 * math.pi))
                found[e, l * (l + 1) - m] = (4 * l + 2) * math.sqrt(w) * Q * v
                found[e, l * (l + 1) + m] = (4 * l + 2) * math.sqrt(w) * Q * c
    return found


def radial_size(dist: Array, basis: Any, lmax: int) -> Array:
    """k S of radial functions, from the page."""
    rows = [
        [[chain(basis, n, l) * sizes(basis, n, l, float(d))[0] for n in range(basis.n)] for l in range(lmax + 1)]
        for d in dist
    ]
    return np.array(rows)


@cache
def positive_coupling(l1: int, l2: int, l: int) -> Array:
    """Absolute values of the coefficients."""
    return np.abs(real_coupling(l1, l2, l).astype(float))


SIZES = Numbers(positive_coupling, solid_size, lambda r: 3 * np.linalg.norm(r.astype(float), axis=1), radial_size)


def longest_product(table: Any) -> int:
    """k of a product: its most terms in pairs, and 4."""
    shapes = [(table.irreps_a[i].irrep.l, table.irreps_b[j].irrep.l, irrep.l) for i, j, irrep in table.paths]
    return max(-(-int((positive_coupling(*s) != 0).sum(axis=(0, 1)).max()) // 2) + 4 for s in shapes)


def most_edges(edges: Any) -> int:
    """Edges of the receiver that has most."""
    return int(np.diff(edges.row_ptr.astype(int)).max())


def fours(count: int) -> int:
    """Roundings of a sum of so many products, four at a time."""
    return count // 4 + count % 4 + 3


# k of a step whose size is given by its formula on absolute values, from its statics; the pages of docs/derivations.
# Where k is in the size already it is 1 here; operations that are not listed round nothing.
LONGEST: dict[str, Callable[..., int]] = {
    **dict.fromkeys(("solid", "radial", "distance", "pair_distance", "relative"), lambda *statics: 1),
    "message": lambda edges, t: most_edges(edges) + 2 * max(t.irreps_in[k].irrep.l for k, _, _ in t.paths) + 5,
    "neighbour_sum": lambda edges: max(most_edges(edges) - 1, 0),
    "mixing": lambda kind, table: max(fours(block.mul_in) for block in table.blocks),
    "cg_product": longest_product,
    "affine": lambda matrix: int(np.diff(matrix.tocsr().indptr).max()) + 1,
}


def longest(step: Any, statics: Sequence[Any]) -> int:
    """k of a step."""
    return LONGEST[step.op.name](*statics) if step.op.name in LONGEST else 0


def read(step: Any, batch: Mapping[str, Any]) -> list[Any]:
    """Statics of a step."""
    return [s.read(batch) if isinstance(s, Entry) else s for s in step.statics]


def first_order_gauge(net: Any, values: Values, batch: Mapping[str, Any], bars: Mapping[str, Any]) -> float:
    """Sum over the steps of |derivative by the step's result| k S; `bars` are these derivatives, by variable."""
    total = 0.0
    for step in net.chain.steps:
        if step.output not in bars:
            continue
        inputs = {
            name: values[name] if step.op.name in ("relative", "distance", "pair_distance") else np.abs(values[name])
            for name in step.inputs
        }
        size = np.abs(interpret([step], inputs, batch, SIZES)[step.output].astype(float))
        total += longest(step, read(step, batch)) * float(np.sum(np.abs(bars[step.output]) * size))
    return total


def most(index: Any) -> int:
    """How often the most frequent number occurs."""
    return int(np.bincount(np.asarray(index, int)).max()) if len(index) else 0


def entries(l1: int, l2: int, l: int) -> Array:
    """1 where a coefficient is not zero."""
    return positive_coupling(l1, l2, l) != 0


def longest_of_message(edges: Any, table: Any, slot: int) -> int:
    """k of (D3), (D4), (D5) of docs/derivations/message.md."""
    paths = [(k, l2, table.irreps_in[k].irrep.l, irrep.l) for k, l2, irrep in table.paths]
    if slot == 0:
        readers = Counter(k for k, *_ in paths)
        return most(edges.senders) * max(readers.values()) + 2 * max(l for *_, l in paths) + 5
    if slot == 1:
        pairs: Counter[int] = Counter()
        for _, l2, l1, l in paths:
            pairs[l2] += int(entries(l1, l2, l).sum(axis=(0, 2)).max())
        return max(pairs.values()) + max(part.mul for part in table.irreps_in) // 4 + 8
    return max(2 * l + 2 * l1 + 6 for _, _, l1, l in paths)


def longest_of_product(table: Any, slot: int) -> int:
    """k of (D2) and (D3) of docs/derivations/cg_product.md: terms of one component over paths and channels, and 4."""
    terms: Counter[int] = Counter()
    for path in table.paths:
        i, j, irrep = path
        places = entries(table.irreps_a[i].irrep.l, table.irreps_b[j].irrep.l, irrep.l)
        count = places.sum(axis=(1, 2) if slot == 0 else (0, 2))
        other = table.irreps_b[j].mul if slot == 0 else table.irreps_a[i].mul
        terms[path[slot]] += int(count.max()) * (other if table.mode == "full" else 1)
    return max(terms.values()) + 4


def longest_of_mixing(rows: int, table: Any, slot: int) -> int:
    """k of (D2) and (D3) of docs/derivations/mixing.md."""
    if slot == 0:
        return max(fours(block.mul_out) for block in table.blocks)
    return 16 * max(block.irrep.dim for block in table.blocks) - (-rows // 64) + 3


# k of the share of one input in the reverse pass, from rows of the first input, slot, statics; the pages of
# docs/derivations. 1 for concat and cast; others have k in their size.
REVERSE: dict[str, Callable[..., int]] = {
    "message": lambda rows, slot, edges, table: longest_of_message(edges, table, slot),
    "cg_product": lambda rows, slot, table: longest_of_product(table, slot),
    "mixing": lambda rows, slot, kind, table: longest_of_mixing(rows, table, slot),
    **dict.fromkeys(
        ("neighbour_sum", "relative"), lambda rows, slot, edges: most(edges.receivers if slot == 1 else edges.senders)
    ),
    "affine": lambda rows, slot, matrix: most(matrix.tocoo().col) + 1,
    "radial_copies": lambda rows, slot, table: int(sum(table.muls)),
}


def longest_reverse(step: Any, statics: Sequence[Any], slot: int, values: Values) -> int:
    """k of the share of one input."""
    rows = len(values[step.inputs[0]])
    return REVERSE[step.op.name](rows, slot, *statics) if step.op.name in REVERSE else 1


# |tangent| times the k S of the cotangent, where that is not linear in the tangent's place: bar, dot, x, statics.
SHARES: dict[str, Callable[..., float]] = {
    "solid": lambda bar, dot, x, *statics: float(np.sum(bar * solid_slope(np.abs(x), dot, *statics))),
    **dict.fromkeys(
        ("distance", "pair_distance"),
        lambda bar, dot, x, *edges: float(
            np.sum(5 * bar[:, None] * np.abs(x) / np.linalg.norm(x, axis=1)[:, None] * dot)
        ),
    ),
    "radial": lambda bar, dot, x, *statics: float(np.sum(bar * radial_slope(x, *statics) * dot[:, None, None])),
}


def radial_slope(dist: Array, basis: Any, lmax: int) -> Array:
    """k S of the derivative of radial functions."""
    k = (lmax + 1) * basis.n
    return np.array(
        [
            [
                [(chain(basis, n, l) + k) * sizes(basis, n, l, float(d))[1] for n in range(basis.n)]
                for l in range(lmax + 1)
            ]
            for d in dist
        ]
    )


def reverse_size(step: Any, slot: int, values: Values, batch: Mapping[str, Any], bar: Array, dot: Array) -> float:
    """<|tangent|, S of the cotangent of one input>; S is linear in the tangent's place, so no S is formed by itself."""
    name, x = step.op.name, values[step.inputs[0]].astype(float)
    bar, dot, statics = np.abs(bar).astype(float), np.abs(dot).astype(float), read(step, batch)
    if name in SHARES:
        return SHARES[name](bar, dot, x, *statics)
    inputs = {key: np.abs(values[key]) for key in step.inputs}
    if name in ("relative", "concat"):
        inputs = {key: np.zeros_like(array) for key, array in inputs.items()}
    names = [f"{i}" for i in range(len(step.inputs))]  # one variable may stand in two slots
    arrays = dict(zip(names, (inputs[key] for key in step.inputs)))
    arrays[names[slot]] = dot
    alone = type(step)(step.op, tuple(names), step.output, step.statics)
    size = np.abs(interpret([alone], arrays, batch, SIZES)[step.output].astype(float))
    return longest_reverse(step, statics, slot, values) * float(np.sum(bar * size))


def solid_slope(r: Array, dot: Array, lmax: int, normalization: str) -> Array:
    """k S of `solid_vjp` along |r_dot|: the derivative of the size of the value, docs/derivations/harmonics.md."""
    k, found = 4 * lmax + 10 + lmax * (lmax + 1) // 2, np.zeros((len(r), (lmax + 1) ** 2))
    for l, m in degrees(True, lmax):
        w = {"norm": 1.0, "component": 2 * l + 1.0}.get(normalization, (2 * l + 1) / (4 * math.pi))
        for axis in range(3):
            slope = derivative(absolute(l, m), axis)
            for e, point in enumerate(r):
                found[e, l * (l + 1) + m] += k * math.sqrt(w) * value(slope, [float(a) for a in point]) * dot[e, axis]
    return found


def reverse_gauge(net: Any, values: Values, batch: Mapping[str, Any], bars: Any, dots: Any) -> float:
    """Sum over the shares of all cotangents of |tangent of the input| k S, one more rounding for each share added."""
    readers = Counter(name for step in net.chain.steps for name in step.inputs)
    total = 0.0
    for step in net.chain.steps:
        for slot, name in enumerate(step.inputs):
            if step.output in bars and name in dots:
                share = reverse_size(step, slot, values, batch, bars[step.output], dots[name])
                total += share * (1 + readers[name])  # k + readers <= k (1 + readers)
    return total
