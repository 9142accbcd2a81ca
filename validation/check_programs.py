"""Programs of gates and networks: the steps that the package emits, run over rationals and in mpmath.

Claims 7.1 to 7.4 hold each step to its formula; here the judge's own formulas carry out the emitted program over the
rationals, in a rational form of the real gauge (components divided by square roots that do not depend on the channel,
one factor for each triple of degrees left out). Radial functions are replaced by rational functions of the squared
length: covariance cannot depend on which function of the length it is.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import factorial
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main
from _judge import of_surd, rational, real_rotation, real_scale, turn
from _radials import chain, function, sizes

from nbody_ref import Irreps, exact
from nbody_ref.gates import Bare, Directed, Entry, Gate, Pairs, Product, first_order, relative, zeroth_order
from nbody_ref.gates.build import program
from nbody_ref.graphs import Edges
from nbody_ref.network import Network, Spec
from nbody_ref.ops.radial import Bessel, InversePowers

Array = np.ndarray[Any, Any]
ELEMENTS = [(q, inversion) for q in ((2, 1, 0, 0), (2, 0, 0, 1)) for inversion in (False, True)]


@cache
def coupling(l1: int, l2: int, l: int) -> Array:
    """The package's real coefficients on rational components, up to one factor for each triple."""
    scaled = {}
    for m1, m2, m, value in exact.cg_table_real(l1, l2, l):
        sign, square = of_surd(value)
        ratio = Fraction(real_scale(l1, m1) * real_scale(l2, m2), real_scale(l, m))
        scaled[m1 + l1, m2 + l2, m + l] = sign, square * ratio
    unit = next(iter(scaled.values()))[1]
    C = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1), object)
    for key, value in scaled.items():
        C[key] = rational(value, unit)
    return C


def wrong_coupling(l1: int, l2: int, l: int) -> Array:
    """Planted: one entry of 1 x 1 -> 1 doubled."""
    C = coupling(l1, l2, l)
    if (l1, l2, l) == (1, 1, 1):
        C = C.copy()
        C[0, 1] *= 2
    return C


def legendre(l: int, m: int) -> list[Fraction]:
    """Coefficients of the m-th derivative of P_l, from (l) P_l = (2l-1) t P_(l-1) - (l-1) P_(l-2)."""
    rows = [[Fraction(1)], [Fraction(0), Fraction(1)]]
    for k in range(2, l + 1):
        up = [Fraction(0), *(Fraction(2 * k - 1, k) * c for c in rows[-1])]
        down = [Fraction(k - 1, k) * c for c in rows[-2]] + [Fraction(0)] * 2
        rows.append([a - b for a, b in zip(up, down)])
    p = rows[l]
    for _ in range(m):
        p = [k * c for k, c in enumerate(p)][1:]
    return p


def solid(r: Array, lmax: int) -> Array:
    """Solid harmonics on rational components, index l(l+1)+m."""
    found = np.zeros((len(r), (lmax + 1) ** 2), object)
    for e, (x, y, z) in enumerate(r):
        s = x * x + y * y + z * z
        for l in range(lmax + 1):
            c, v = Fraction(1), Fraction(0)
            for m in range(l + 1):
                Q = sum(a * z**k * s ** ((l - m - k) // 2) for k, a in enumerate(legendre(l, m)) if a)
                found[e, l * (l + 1) - m] = Q * v / factorial(l + m)
                found[e, l * (l + 1) + m] = Q * c / factorial(l + m)
                c, v = x * c - y * v, x * v + y * c
    return found


def part(x: Array, irreps: Irreps, k: int) -> Array:
    """Part k of states (N, dim), as (N, 2l + 1, mul)."""
    mul, irrep = irreps[k]
    start = irreps.offsets[k]
    return x[:, start : start + mul * irrep.dim].reshape(len(x), irrep.dim, mul)


def side_by_side(blocks: Sequence[Array]) -> Array:
    """Parts as states again."""
    return np.concatenate([block.reshape(len(block), -1) for block in blocks], axis=1)


def gather(values: Array, edges: Edges) -> Array:
    """Sum over the edges of each receiver."""
    out = np.zeros((edges.n_receivers, *values.shape[1:]), object)
    for e, i in enumerate(edges.receivers):
        out[i] = out[i] + values[e]
    return out


def message(x: Array, Y: Array, w: Array, edges: Edges, table: Any, C: Callable[..., Array]) -> Array:
    """sum_e w C x Y."""
    blocks, at, x = [], 0, x[edges.senders]
    for k, l2, irrep in table.paths:
        mul, l1 = table.irreps_in[k].mul, table.irreps_in[k].irrep.l
        y = Y[:, l2 * l2 : (l2 + 1) ** 2]
        both = np.einsum("ijk,ej->eik", C(l1, l2, irrep.l), y)
        both = np.einsum("eik,eic->ekc", both, part(x, table.irreps_in, k))
        blocks.append(both * w[:, None, at : at + mul])
        at += mul
    return gather(side_by_side(blocks), edges)


def product(a: Array, b: Array, table: Any, C: Callable[..., Array]) -> Array:
    """sum C a b."""
    blocks = []
    for i, j, irrep in table.paths:
        K = C(table.irreps_a[i].irrep.l, table.irreps_b[j].irrep.l, irrep.l)
        left = np.einsum("ijk,niu->njku", K, part(a, table.irreps_a, i))
        spec = "njku,njv->nkuv" if table.mode == "full" else "njku,nju->nku"
        blocks.append(np.einsum(spec, left, part(b, table.irreps_b, j)))
    return side_by_side(blocks)


def mixing(F: Array, W: Array, kind: Array, table: Any) -> Array:
    """F^l W^l."""
    blocks = []
    for irrep, mul_in, mul_out, at in table.blocks:
        stacked = [part(F, table.irreps_in, k) for k, p in enumerate(table.irreps_in) if p.irrep == irrep]
        rows = W[:, at : at + mul_in * mul_out].reshape(-1, mul_in, mul_out)[np.asarray(kind, int)]
        blocks.append(np.einsum("nmc,ncd->nmd", np.concatenate(stacked, axis=2), rows))
    return side_by_side(blocks)


def copies(R: Array, table: Any) -> Array:
    """One radial function per path."""
    columns = [np.repeat(R[:, l2, n][:, None], mul, 1) for l2, n, mul in zip(table.degrees, table.index, table.muls)]
    return np.concatenate(columns, axis=1)


def stand_in(square: Array, basis: Any, lmax: int) -> Array:
    """A rational function of the squared length for each degree and number."""
    found = np.zeros((len(square), lmax + 1, basis.n), object)
    for e, s in enumerate(square):
        for l in range(lmax + 1):
            for n in range(basis.n):
                found[e, l, n] = Fraction(l + n + 1) / (s + n + 2)
    return found


@dataclass(frozen=True)
class Numbers:
    """What a program is carried out with: couplings, harmonics of (r, lmax, normalization), lengths, radial functions."""

    coupling: Callable[..., Array]
    solid: Callable[..., Array] = lambda r, lmax, normalization: solid(r, lmax)
    distance: Callable[[Array], Array] = lambda r: (r * r).sum(axis=1)
    radial: Callable[..., Array] = stand_in


def interpret(steps: Any, values: dict[str, Array], batch: dict[str, Any], numbers: Numbers) -> dict[str, Array]:
    """Carry out a program; an operation that has no formula here is an error."""
    out, C = dict(values), numbers.coupling
    for step in steps:
        statics = [s.read(batch) if isinstance(s, Entry) else s for s in step.statics]
        x = [out[name] for name in step.inputs]
        name = step.op.name
        if name == "relative":
            out[step.output] = x[0][statics[0].senders] - x[1][statics[0].receivers]
        elif name in ("distance", "pair_distance"):
            out[step.output] = numbers.distance(x[0])
        elif name == "solid":
            out[step.output] = numbers.solid(x[0], *statics)
        elif name == "radial":
            out[step.output] = numbers.radial(x[0], *statics)
        elif name == "radial_copies":
            out[step.output] = copies(x[0], statics[0])
        elif name == "message":
            out[step.output] = message(*x, *statics, C)
        elif name == "neighbour_sum":
            out[step.output] = gather(x[0][statics[0].senders], statics[0])
        elif name == "mixing":
            out[step.output] = mixing(*x, *statics)
        elif name == "cg_product":
            out[step.output] = product(*x, *statics, C)
        elif name == "concat":
            out[step.output] = np.concatenate(x, axis=1)
        elif name == "affine":
            matrix = np.vectorize(lambda a: Fraction(a).limit_denominator(64), otypes=[object])(statics[0].toarray())
            out[step.output] = matrix @ x[0]
        elif name == "cast":
            out[step.output] = x[0]
        else:
            raise NotImplementedError(f"no formula for {name}")
    return out


def act(x: Array, irreps: Irreps, q: Sequence[int], inversion: bool) -> Array:
    """The action of O(3) on states."""
    norm = sum(a * a for a in q)
    blocks = []
    for k, (_, irrep) in enumerate(irreps):
        D = real_rotation(irrep.l, q) * Fraction(irrep.p if inversion else 1, norm**irrep.l)
        blocks.append(np.einsum("ab,nbc->nac", D, part(x, irreps, k)))
    return side_by_side(blocks)


def move(r: Array, q: Sequence[int], inversion: bool) -> Array:
    """The action of O(3) on positions."""
    turned = np.array([turn(q, row) for row in r], object).reshape(-1, 3)
    return -turned if inversion else turned


def draw(rng: random.Random, *shape: int) -> Array:
    """Small rationals."""
    flat = [Fraction(rng.randrange(-6, 7), rng.randrange(1, 3)) for _ in range(int(np.prod(shape)))]
    return np.array(flat, object).reshape(shape)


LEG = Directed(InversePowers((1, 2)), 2, mul=2, mixed_lmax=2)
TERMS = (
    Bare(), Directed(Bessel(2, 5.0), 2), Product((LEG, Bare(mul=2), LEG), ("0e", "1o", "1e"), bond=2),
    Pairs(InversePowers((2,)), 2, (2,), "norm", ("0e", "2e")),
)  # fmt: skip
MANY = Gate(TERMS, "2x0e + 2x1o + 1x2e")
GATES = {
    "(10)": (zeroth_order("2x0e + 2x1o + 1x2e"), "1x0e + 1x1o + 1x2e"),
    "(11)": (first_order("1x0e + 2x1e + 1x2e", (0, 2)), "1x0e + 1x1o"),
    "(12)": (relative("1x0e + 2x1o + 1x1e", (0, 1)), "1x0e + 1x1o"),
    "(6), legs and pairs": (MANY, "2x0e + 1x1o"),
}  # fmt: skip


def run_gate(name: str, C: Callable[..., Array], r: Array, psi: Array, rng_seed: int) -> tuple[Array, Irreps]:
    """A gate on three children of one parent, weights small integers."""
    gate, irreps = GATES[name]
    builder, output = program(gate, irreps)
    n = len(r)
    edges = Edges.build(np.zeros(n, int), np.arange(n), 1, n)
    none, zero = Edges.build([], [], 1, n), np.zeros(1, np.uintp)
    batch = {"all": edges, "directed": edges, "centre": none, "kind": zero, "shared": zero}
    rng = random.Random(rng_seed)
    weights = {key: draw(rng, *p.shape) for key, p in builder.parameters.items()}
    parent = sum(r) / Fraction(n)
    values = {"psi": psi, "r_child": r, "r_parent": parent.reshape(1, 3), **weights}
    return interpret(builder.chain().steps, values, batch, Numbers(C))[output], builder.irreps[output]


WRONG = {"one coefficient doubled": {"coupling": wrong_coupling}}


@claim("3.12", "eqs. (6), (10)-(12)", "programs of the package's gates: O(3), translations and renumbering",
       "program carried out over rationals", {"coupling": coupling}, WRONG)  # fmt: skip
def gates(subject: SimpleNamespace, full: bool) -> Cases:
    for name, (_, irreps) in GATES.items():
        rng = random.Random(40)
        r, psi = draw(rng, 3, 3), draw(rng, 3, Irreps(irreps).dim)
        before, out = run_gate(name, subject.coupling, r, psi, 1)
        yield (name, "not zero"), 0 if all(np.any(part(before, out, k) != 0) for k in range(len(out))) else 1
        for q, inversion in ELEMENTS if full else ELEMENTS[1:2]:
            turned = act(psi, Irreps(irreps), q, inversion)
            after, _ = run_gate(name, subject.coupling, move(r, q, inversion), turned, 1)
            yield (name, q, inversion), np.count_nonzero(after - act(before, out, q, inversion))
        shifted, _ = run_gate(name, subject.coupling, r + draw(rng, 3), psi, 1)
        yield (name, "translation"), np.count_nonzero(shifted - before)
        order = [2, 0, 1]
        renumbered, _ = run_gate(name, subject.coupling, r[order], psi[order], 1)
        yield (name, "renumbering"), np.count_nonzero(renumbered - before)


def network() -> Network:
    """Two levels of neighbourhoods and a root with covariant outputs."""
    first = Gate((Bare("centre"), Directed(Bessel(2, 6.0), 2)), "2x0e + 2x1o + 1x2e")
    leg = Directed(Bessel(1, 6.0), 1, mul=2)
    second = Gate((Bare("centre"), Product((leg, leg), ("0e", "1o", "1e"), bond=1)), "2x0e + 1x1o + 1x1e")
    return Network(Spec((1, 6), 6.0, (first, second, Gate((Bare(),), "1x0e + 1x1o + 1x1e"))), seed=0)


def run_network(C: Callable[..., Array], r: Array, numbers: Sequence[int]) -> tuple[Array, Irreps]:
    """The root's state over rationals; the graph and its batch come from the package."""
    net = network()
    values, batch = net.forward(net.graph([(r.astype(float), np.array(numbers))]))
    computed = {step.output for step in net.chain.steps}
    rng = random.Random(41)
    leaves: dict[str, Array] = {}
    for name, array in values.items():
        if name not in computed:
            weights = name in net.parameters
            leaves[name] = draw(rng, *array.shape) if weights else np.vectorize(Fraction, otypes=[object])(array)
    leaves["r"] = r
    return interpret(net.chain.steps, leaves, batch, Numbers(C))[net.root], net.irreps_out


@claim("3.13", "Definition 3", "program of a network with scalar, vector and pseudovector outputs: the same",
       "program carried out over rationals", {"coupling": coupling}, WRONG)  # fmt: skip
def networks(subject: SimpleNamespace, full: bool) -> Cases:
    numbers = [6, 1, 1, 6]
    for seed in range(2 if full else 1):
        r = draw(random.Random(seed), 4, 3) / 2
        before, out = run_network(subject.coupling, r, numbers)
        yield (seed, "not zero"), 0 if all(np.any(part(before, out, k) != 0) for k in range(len(out))) else 1
        for q, inversion in ELEMENTS if full else ELEMENTS[1:2]:
            after, _ = run_network(subject.coupling, move(r, q, inversion), numbers)
            yield (seed, q, inversion), np.count_nonzero(after - act(before, out, q, inversion))
        shifted, _ = run_network(subject.coupling, r + np.array([Fraction(1, 2), 3, -1], object), numbers)
        yield (seed, "translation"), np.count_nonzero(shifted - before)
        order = [3, 1, 0, 2]
        renumbered, _ = run_network(subject.coupling, r[order], [numbers[i] for i in order])
        yield (seed, "renumbering"), np.count_nonzero(renumbered - before)


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
