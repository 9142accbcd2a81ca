"""Proposition 1 of the N-body paper, eqs. (8) and (9), in both directions."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
from _claims import Cases, claim, main
from _judge import PRIME, rank_modulo, real_rotation

from nbody_ref import Irrep, Irreps
from nbody_ref.exact import Gauss, definition
from nbody_ref.exact.gauges import MONOMIAL
from nbody_ref.ops.mixing import MixingTable, mixing

GENERATORS = ((2, 1, 0, 0), (2, 0, 0, 1))
PAIRS = (
    ("3x0 + 2x1", "2x0 + 2x1"),
    ("1x0 + 2x1 + 1x2", "2x0 + 1x1 + 3x2"),
    ("2x1 + 1x0 + 1x1 + 2x2", "1x2 + 2x1"),
    ("2x0e + 1x0o + 2x1o", "1x0o + 2x1o + 1x0e"),
    ("2x1o + 1x1e + 1x2e + 1x2o", "1x1e + 1x2e + 2x1o"),
    ("2x3 + 2x1 + 1x4", "1x4 + 2x3 + 2x1"),
)


def parities(irreps: Irreps) -> list[int]:
    """Sign of the inversion on every component of the flat state."""
    return [part.irrep.p or 1 for part in irreps for _ in range(part.dim)]


def raising(irreps: Irreps) -> dict[int, tuple[int, int]]:
    """J_+ on binary forms, J+ a_m = (l - m) a_m at m + 1: column -> (row, entry) of the flat state."""
    found = {}
    for start, (mul, irrep) in zip(irreps.offsets, irreps):
        for k in range(irrep.dim - 1):
            for c in range(mul):
                found[start + k * mul + c] = start + (k + 1) * mul + c, 2 * irrep.l - k
    return found


def heights(irreps: Irreps) -> list[int]:
    """Eigenvalue m of J_z for every component."""
    return [m for part in irreps for m in range(-part.irrep.l, part.irrep.l + 1) for _ in range(part.mul)]


def commutant_complex(into: Irreps, out: Irreps) -> int:
    """Dimension of the linear maps that commute with J_z, J_+ and the inversion, modulo a prime: an upper bound.

    Any finite-dimensional map that commutes with J_z and J_+ commutes with J_-: it is a vector of weight zero killed by
    J_+ in a representation of SU(2), and such vectors are invariant.
    """
    p, q, m, n = parities(into), parities(out), heights(into), heights(out)
    unknown = {(i, k): None for i in range(out.dim) for k in range(into.dim) if q[i] == p[k] and n[i] == m[k]}
    number = {key: a for a, key in enumerate(unknown)}
    up_in, up_out = raising(into), raising(out)
    rows: dict[tuple[int, int], dict[int, int]] = {}
    for i, k in number:
        if i in up_out:  # (J L)[row, k] gets entry L[i, k]
            row, entry = up_out[i]
            rows.setdefault((row, k), {})[number[i, k]] = entry
    for k, (row, entry) in up_in.items():  # (L J)[i, k] = L[i, row] entry
        for i in range(out.dim):
            if (i, row) in number:
                at = rows.setdefault((i, k), {})
                at[number[i, row]] = at.get(number[i, row], 0) - entry
    return len(number) - rank_modulo(rows.values(), len(number))


def real_action(irreps: Irreps, q: Sequence[int]) -> Any:
    """The rotation on the flat state, times |q|^(2 lmax): integers."""
    norm, top = sum(a * a for a in q), irreps.lmax
    D = np.zeros((irreps.dim, irreps.dim), object)
    for start, (mul, irrep) in zip(irreps.offsets, irreps):
        block = real_rotation(irrep.l, q) * norm ** (top - irrep.l)
        for c in range(mul):
            at = [start + k * mul + c for k in range(irrep.dim)]
            D[np.ix_(at, at)] = block
    return D


def commutant_real(into: Irreps, out: Irreps) -> int:
    """Dimension of the real linear maps with D(q) L = L D(q) for both dense rotations and the inversion."""
    p, q = parities(into), parities(out)
    number = {key: a for a, key in enumerate((i, k) for i in range(out.dim) for k in range(into.dim) if q[i] == p[k])}
    rows = []
    for quaternion in GENERATORS:
        norm = sum(a * a for a in quaternion)
        A, B = real_action(out, quaternion), real_action(into, quaternion)
        A, B = A * norm ** max(0, into.lmax - out.lmax), B * norm ** max(0, out.lmax - into.lmax)
        for i in range(out.dim):
            for k in range(into.dim):
                row: dict[int, int] = {}
                for j in np.flatnonzero(A[i] != 0):
                    if (j, k) in number:
                        row[number[j, k]] = int(A[i, j]) % PRIME
                for j in np.flatnonzero(B[:, k] != 0):
                    if (i, j) in number:
                        row[number[i, j]] = (row.get(number[i, j], 0) - int(B[j, k])) % PRIME
                rows.append(row)
    return len(number) - rank_modulo(rows, len(number))


def weights(into: Irreps, out: Irreps) -> int:
    """The package's number of weights."""
    return MixingTable.build(into, out).n_weights


def blocks(into: Irreps, out: Irreps) -> Any:
    """The package's blocks of W."""
    return MixingTable.build(into, out).blocks


COUNTS = {
    "parity ignored": {"count": lambda a, b: weights(Irreps(plain(a)), Irreps(plain(b)))},
    "fragments of one part only": {"count": lambda a, b: sum(m * next(n for n, j in a if j == i) for m, i in b)},
    "components counted": {"count": lambda a, b: sum(k.mul_in * k.mul_out * k.irrep.dim for k in blocks(a, b))},
}


def plain(irreps: Irreps) -> list[tuple[int, Irrep]]:
    """Parts without parity, as (mul, irrep of SO(3))."""
    return [(mul, Irrep(irrep.l)) for mul, irrep in irreps]


@claim(
    "4.1",
    "Proposition 1, eq. (9)",
    "only if: covariant maps have dimension sum_l tau'_l tau_l, complex gauge",
    "rank of J L = L J' for J_z, J_+ and the inversion",
    {"count": weights},
    COUNTS,
)
def dimension_complex(subject: SimpleNamespace, full: bool) -> Cases:
    for into, out in PAIRS if full else PAIRS[:4]:
        yield (into, out), commutant_complex(Irreps(into), Irreps(out)) - subject.count(Irreps(into), Irreps(out))


@claim(
    "4.2",
    "Proposition 1, eq. (9)",
    "only if, real gauge: maps that commute with both dense rotations",
    "rank of D L = L D'",
    {"count": weights},
    COUNTS,
)
def dimension_real(subject: SimpleNamespace, full: bool) -> Cases:
    for into, out in PAIRS if full else PAIRS[:4]:
        yield (into, out), commutant_real(Irreps(into), Irreps(out)) - subject.count(Irreps(into), Irreps(out))


def apply(F: Any, W: Any, table: MixingTable) -> Any:
    """The package's mixing, float64; exact on small integers."""
    return mixing(F, W, np.zeros(len(F), np.int64), table)


def with_components(F: Any, W: Any, table: MixingTable) -> Any:
    """Planted: components mixed as well, each fragment's first component added to its second."""
    y = apply(F, W, table)
    for start, (mul, irrep) in zip(table.irreps_out.offsets, table.irreps_out):
        if irrep.l:
            y[:, start + mul : start + 2 * mul] += y[:, start : start + mul]
    return y


def with_degrees(F: Any, W: Any, table: MixingTable) -> Any:
    """Planted: the first component of the state added to the last, which mixes degrees or components."""
    y = apply(F, W, table)
    y[:, -1] += F[:, 0]
    return y


def other_order(F: Any, W: Any, table: MixingTable) -> Any:
    """Planted: channels slow and components fast, the other layout."""
    y = apply(F, W, table)
    for start, (mul, irrep) in zip(table.irreps_out.offsets, table.irreps_out):
        block = y[:, start : start + mul * irrep.dim].copy()
        y[:, start : start + mul * irrep.dim] = block.reshape(-1, irrep.dim, mul).transpose(0, 2, 1).reshape(len(y), -1)
    return y


@claim(
    "4.3",
    "Proposition 1, eq. (9)",
    "if: every mixing commutes with O(3), and different W give different maps",
    "integer matrices of the dense rotations",
    {"mixing": apply},
    {
        "components mixed": {"mixing": with_components},
        "degrees mixed": {"mixing": with_degrees},
        "layout exchanged": {"mixing": other_order},
    },
)
def mixings_commute(subject: SimpleNamespace, full: bool) -> Cases:
    for into, out in PAIRS if full else PAIRS[:4]:
        table = MixingTable.build(into, out)
        a, b = table.irreps_in, table.irreps_out
        maps = []
        for k in range(table.n_weights):
            W = np.zeros((1, table.n_weights))
            W[0, k] = 1.0
            L = subject.mixing(np.eye(a.dim), W, table).T  # columns are images of unit vectors
            maps.append({int(i): int(L.flat[i]) for i in np.flatnonzero(L)})
            L = L.astype(np.int64).astype(object)
            for q in GENERATORS:
                norm = sum(x * x for x in q)
                left = L @ real_action(a, q) * norm ** max(0, b.lmax - a.lmax)
                right = real_action(b, q) @ L * norm ** max(0, a.lmax - b.lmax)
                yield (into, out, k, q), np.count_nonzero(left - right)
            yield (
                (into, out, k, "parity"),
                np.count_nonzero(L * np.array(parities(a)) - np.array(parities(b))[:, None] * L),
            )
        yield (into, out, "independent"), rank_modulo(maps, a.dim * b.dim) - table.n_weights


def product(a: Any, b: Any) -> Any:
    """The package's product of states over the Gaussian rationals."""
    return definition.product(a, b, MONOMIAL)


@claim(
    "4.4",
    "Proposition 1",
    "where fragments depend linearly W is not unique: of n^2 fragments of psi x psi in one "
    "degree, n(n+1)/2 are independent if it is even, n(n-1)/2 if odd",
    "rank of values at integer points",
    {"product": product},
    {
        "exchange of the factors forgotten": {
            "product": lambda a, b: product(
                a, [(irrep, [[2 * x if k == 0 else x for k, x in enumerate(f)] for f in fs]) for irrep, fs in b]
            )
        }
    },
)
def dependent_fragments(subject: SimpleNamespace, full: bool) -> Cases:
    rng = random.Random(8)
    for l, n in ((1, 1), (1, 2), (1, 3), (2, 1), (2, 2)) if full else ((1, 1), (1, 2)):
        values: dict[int, list[list[int]]] = {}
        for _ in range(2 * n * n + 2):
            psi = [(Irrep(l), [[Gauss(rng.randrange(-99, 100), 0) for _ in range(2 * l + 1)] for _ in range(n)])]
            for irrep, fragments in subject.product(psi, psi):
                rows = values.setdefault(irrep.l, [[] for _ in fragments])
                for row, f in zip(rows, fragments):
                    row += [int(Fraction(x.re)) for x in f]
        for degree, rows in values.items():
            matrix = [{k: x % PRIME for k, x in enumerate(row) if x} for row in rows]
            # two fragments a, b of degree l: [a x b]^k = (-1)^(2l - k) [b x a]^k
            expected = n * (n + 1) // 2 if degree % 2 == 0 else n * (n - 1) // 2
            yield (l, n, degree), rank_modulo(matrix, len(rows[0])) - expected


if __name__ == "__main__":
    sys.exit(main())
