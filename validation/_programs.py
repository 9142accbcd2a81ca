"""The steps of the package's programs as formulas, over any numbers: the judge's way to carry out a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import Any

import numpy as np

from nbody_ref import Irreps
from nbody_ref.gates import Bare, Directed, Entry, Gate, Product
from nbody_ref.graphs import Edges
from nbody_ref.network import Network, Spec
from nbody_ref.ops.radial import Bessel

Array = np.ndarray[Any, Any]


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
    """What a program is carried out with: couplings, harmonics of (r, lmax, norm), lengths, radial functions."""

    coupling: Callable[..., Array]
    solid: Callable[..., Array] = lambda r, lmax, normalization: solid(r, lmax)
    distance: Callable[[Array], Array] = lambda r: (r * r).sum(axis=1)
    radial: Callable[..., Array] = stand_in


def affine(r: Array, coefficients: Any) -> Array:
    """Rational combinations of points."""
    rational = np.vectorize(lambda a: Fraction(a).limit_denominator(64), otypes=[object])
    return np.asarray(rational(coefficients.toarray()) @ r)


# Formula of an operation: numbers, variables, statics. They are the judge's own: none is asked of the operation.
FORMULAS: dict[str, Callable[..., Array]] = {
    "relative": lambda n, a, b, edges: a[edges.senders] - b[edges.receivers],
    "distance": lambda n, r, *edges: n.distance(r),
    "pair_distance": lambda n, r, *edges: n.distance(r),
    "solid": lambda n, r, lmax, normalization: n.solid(r, lmax, normalization),
    "radial": lambda n, dist, basis, lmax: n.radial(dist, basis, lmax),
    "radial_copies": lambda n, R, table: copies(R, table),
    "message": lambda n, x, Y, w, edges, table: message(x, Y, w, edges, table, n.coupling),
    "neighbour_sum": lambda n, x, edges: gather(x[edges.senders], edges),
    "mixing": lambda n, F, W, kind, table: mixing(F, W, kind, table),
    "cg_product": lambda n, a, b, table: product(a, b, table, n.coupling),
    "concat": lambda n, *states: np.concatenate(states, axis=1),
    "affine": lambda n, r, coefficients: affine(r, coefficients),
    "cast": lambda n, x, dtype: x,
}


def interpret(steps: Any, values: dict[str, Array], batch: dict[str, Any], numbers: Numbers) -> dict[str, Array]:
    """Carry out a program; an operation that has no formula here is an error."""
    out = dict(values)
    for step in steps:
        if step.op.name not in FORMULAS:
            raise NotImplementedError(f"no formula for {step.op.name}")
        statics = [s.read(batch) if isinstance(s, Entry) else s for s in step.statics]
        out[step.output] = FORMULAS[step.op.name](numbers, *(out[name] for name in step.inputs), *statics)
    return out


def network() -> Network:
    """Two levels of neighbourhoods and a root with covariant outputs."""
    first = Gate((Bare("centre"), Directed(Bessel(2, 6.0), 2)), "2x0e + 2x1o + 1x2e")
    leg = Directed(Bessel(1, 6.0), 1, mul=2)
    second = Gate((Bare("centre"), Product((leg, leg), ("0e", "1o", "1e"), bond=1)), "2x0e + 1x1o + 1x1e")
    return Network(Spec((1, 6), 6.0, (first, second, Gate((Bare(),), "1x0e + 1x1o + 1x1e"))), seed=0)
