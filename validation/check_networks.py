"""States of whole networks in float64 against 40 digits: Definition 3, docs/accuracy.md."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main
from _judge import of_surd, real_scale
from _programs import Numbers, interpret, network, solid
from _radials import chain, function, sizes

from nbody_ref import exact
from nbody_ref.gates import Entry
from nbody_ref.network import Network

Array = np.ndarray[Any, Any]


@cache
def real_coupling(l1: int, l2: int, l: int) -> Array:
    """The package's real coefficients in mpmath."""
    C = np.full((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1), mpmath.mpf(0), object)
    for m1, m2, m, value in exact.cg_table_real(l1, l2, l):
        sign, square = of_surd(value)
        C[m1 + l1, m2 + l2, m + l] = sign * mpmath.sqrt(mpmath.mpf(square.numerator) / square.denominator)
    return C


def real_solid(r: Array, lmax: int, normalization: str) -> Array:
    """Real solid harmonics in mpmath: the rational components times their factors."""
    found = solid(np.vectorize(lambda a: Fraction(int(mpmath.floor(a * 2**200)), 2**200), otypes=[object])(r), lmax)
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
    rows = [[[chain(basis, n, l) * sizes(basis, n, l, float(d))[0] for n in range(basis.n)] for l in range(lmax + 1)]
            for d in dist]  # fmt: skip
    return np.array(rows)


@cache
def positive_coupling(l1: int, l2: int, l: int) -> Array:
    """Absolute values of the coefficients."""
    return np.abs(real_coupling(l1, l2, l).astype(float))


SIZES = Numbers(positive_coupling, solid_size, lambda r: 3 * np.linalg.norm(r.astype(float), axis=1), radial_size)


def longest(step: Any, statics: Sequence[Any]) -> int:
    """k of a step whose size is given by its formula on absolute values; the pages of docs/derivations."""
    name = step.op.name
    if name in ("solid", "radial", "distance", "pair_distance"):
        return 1  # k is in the size already
    if name == "relative":
        return 1
    if name == "message":
        edges, table = statics
        most = max(table.irreps_in[part].irrep.l for part, _, _ in table.paths)
        return int(np.diff(edges.row_ptr.astype(int)).max()) + 2 * most + 5
    if name == "neighbour_sum":
        return max(int(np.diff(statics[0].row_ptr.astype(int)).max()) - 1, 0)
    if name == "mixing":
        return max(block.mul_in // 4 + block.mul_in % 4 + 3 for block in statics[1].blocks)
    if name == "cg_product":
        table = statics[0]
        shapes = [(table.irreps_a[i].irrep.l, table.irreps_b[j].irrep.l, irrep.l) for i, j, irrep in table.paths]
        return max(-(-int((positive_coupling(*s) != 0).sum(axis=(0, 1)).max()) // 2) + 4 for s in shapes)
    if name == "affine":
        return int(np.diff(statics[0].tocsr().indptr).max()) + 1
    return 0


def first_order_gauge(net: Network, values: dict[str, Array], batch: dict[str, Any], bar: Array) -> float:
    """Sum over the steps of |cotangent of the result| k S, docs/accuracy.md."""
    bars = net.chain.vjp(values, batch, {net.root: bar}, [name for name in values if values[name].dtype.kind == "f"])
    total = 0.0
    for step in net.chain.steps:
        if step.output not in bars:
            continue
        statics = [s.read(batch) if isinstance(s, Entry) else s for s in step.statics]
        inputs = {
            name: values[name] if step.op.name in ("relative", "distance") else np.abs(values[name])
            for name in step.inputs
        }
        size = np.abs(interpret([step], inputs, batch, SIZES)[step.output].astype(float))
        total += longest(step, statics) * float(np.sum(np.abs(bars[step.output]) * size))
    return total


def package_state(net: Network, r: Array, numbers: Sequence[int]) -> Array:
    """The root's state by the package."""
    graph = net.graph([(r, np.array(numbers))])
    return net.forward(graph)[0][net.root]


def wrong_sign(net: Network, r: Array, numbers: Sequence[int]) -> Array:
    """Planted: one weight with the other sign."""
    name = next(iter(net.parameters))
    changed = net.parameters[name].copy()
    changed.flat[0] *= -1
    return package_state(net.with_parameters({name: changed}), r, numbers)


@claim("3.14", "Definition 3", "states of a whole network in float64 equal the program at 40 digits",
       "program carried out in mpmath with the published definitions", {"state": package_state},
       {"a weight's sign": {"state": wrong_sign},
        "positions in float32": {"state": lambda net, r, z: package_state(net, np.float32(r).astype(float), z)}},
       "sum over steps of |cotangent| k u S")  # fmt: skip
def values(subject: SimpleNamespace, full: bool) -> Cases:
    net, species = network(), [6, 1, 1, 6]
    with mpmath.workdps(40):
        for seed in range(4 if full else 1):
            r = np.random.default_rng(seed).standard_normal((4, 3))
            found = subject.state(net, r, species)
            floats, batch = net.forward(net.graph([(r, np.array(species))]))
            computed = {step.output for step in net.chain.steps}
            number = np.vectorize(lambda a: mpmath.mpf(float(a)), otypes=[object])
            leaves = {name: number(a) for name, a in floats.items() if name not in computed}
            exact_state = interpret(net.chain.steps, leaves, batch, TRUTH)[net.root]
            for k in range(net.irreps_out.dim):
                bar = np.zeros_like(floats[net.root])
                bar[0, k] = 1.0
                gauge = first_order_gauge(net, floats, batch, bar) * 2.0**-53
                yield (seed, k), float(abs(mpmath.mpf(float(found[0, k])) - exact_state[0, k])) / gauge


if __name__ == "__main__":
    sys.exit(main())
