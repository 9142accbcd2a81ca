"""Covariance, proved and not sampled: sec. 4.1 and Definition 3 of the N-body paper. The argument: docs/evidence.md.

The quaternions 2 + i and 2 + k generate a dense subgroup of SO(3); with the inversion they cover O(3) by continuity.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import sympy
from _claims import Cases, claim, main
from _judge import (
    PRIME,
    hamilton,
    integers,
    ladder_cg,
    multiply,
    of_surd,
    rank_modulo,
    rational,
    series,
    symmetric_power,
    turn,
    weight,
)

from nbody_ref import Irrep, exact
from nbody_ref.exact import Gauss
from nbody_ref.exact.gauges import MONOMIAL

GENERATORS = ((2, 1, 0, 0), (2, 0, 0, 1))
Triple = tuple[int, int, int]


def triples(top: int) -> list[Triple]:
    """Admissible (l1, l2, l) up to a degree."""
    return [(a, b, c) for a in range(top + 1) for b in range(top + 1) for c in range(abs(a - b), min(a + b, top) + 1)]


def flip_entry(table: Callable[..., Any]) -> Callable[..., Any]:
    """Planted: the sign of one entry of each table with l1 = l2 = 1, l = 2."""

    def wrong(l1: int, l2: int, l: int) -> Any:
        entries = list(table(l1, l2, l))
        if (l1, l2, l) == (1, 1, 2):
            entries[2] = (*entries[2][:3], -entries[2][3])
        return entries

    return wrong


def exchange(table: Callable[..., Any]) -> Callable[..., Any]:
    """Planted: indices m1 and m2 swapped."""
    return lambda l1, l2, l: (
        [(b, a, c, v) for a, b, c, v in table(l2, l1, l)]
        if l1 != l2
        else [(-a, b, c, v) for a, b, c, v in table(l1, l2, l)]
    )


def odd_sign(l1: Any, l2: Any, l: Any) -> Any:
    """Planted: the other sign where l1 + l2 - l is odd; covariant and orthonormal all the same."""
    return [(*entry[:3], entry[3] * (-1) ** int(l1 + l2 - l)) for entry in exact.cg_table(l1, l2, l)]


def forms_coupling(table: Any, l1: int, l2: int, l: int) -> dict[Triple, Fraction]:
    """A table of the complex gauge on binary forms psi_m = sqrt((l+m)!(l-m)!) a_m, up to one factor."""
    scaled = {}
    for m1, m2, m, value in table:
        sign, square = of_surd(value)
        norm = weight(2 * l1, 2 * m1) * weight(2 * l2, 2 * m2) / Fraction(weight(2 * l, 2 * m))
        scaled[m1, m2, m] = sign, square * norm
    unit = next(iter(scaled.values()))[1]
    return {key: rational(value, unit) for key, value in scaled.items()}


@claim(
    "3.1",
    "sec. 4.1",
    "the product commutes with J_z, J_+ and J_-, complex gauge, all triples l <= 8",
    "generators on binary forms",
    {"cg": exact.cg_table},
    {"one sign flipped": {"cg": flip_entry(exact.cg_table)}, "m1 and m2 exchanged": {"cg": exchange(exact.cg_table)}},
)
def generators(subject: SimpleNamespace, full: bool) -> Cases:
    for l1, l2, l in triples(8 if full else 3):
        yield from commuting(forms_coupling(subject.cg(l1, l2, l), l1, l2, l), l1, l2, l)


def commuting(k: dict[Triple, Any], l1: int, l2: int, l: int) -> Cases:
    """How many equations J K = K J fail: J+ a_m = (l - m) a_m at m + 1, J- a_m = (l + m) a_m at m - 1."""
    yield (l1, l2, l, "z"), sum(m1 + m2 != m for m1, m2, m in k)
    for s in (1, -1):
        wrong = 0
        for m1 in range(-l1, l1 + 1):
            for m2 in range(-l2, l2 + 1):
                m = m1 + m2
                left = (l1 - s * m1) * k.get((m1 + s, m2, m + s), 0) + (l2 - s * m2) * k.get((m1, m2 + s, m + s), 0)
                wrong += left != (l - s * m) * k.get((m1, m2, m), 0)
        yield (l1, l2, l, s), wrong


def halved(l1: int, l2: int, l: int) -> Any:
    """Planted: one integer of the monomial gauge too small by one."""
    entries = [list(entry) for entry in MONOMIAL.coupling(l1, l2, l)]
    entries[len(entries) // 2][3] -= 1
    return entries


@claim(
    "3.15",
    "docs/conventions.md",
    "monomial gauge: couplings are integers, commute with J_z, J_+, J_- and are those of the complex gauge, l <= 8",
    "generators on binary forms",
    {"cg": MONOMIAL.coupling},
    {"one integer off by one": {"cg": halved}, "m1 and m2 exchanged": {"cg": exchange(MONOMIAL.coupling)}},
)
def monomial_generators(subject: SimpleNamespace, full: bool) -> Cases:
    for l1, l2, l in triples(8 if full else 3):
        k = {(a, b, c): v for a, b, c, v in subject.cg(l1, l2, l)}
        yield (l1, l2, l, "integers"), sum(not isinstance(v, int) or v == 0 for v in k.values())
        yield from commuting(k, l1, l2, l)
        complex_gauge = forms_coupling(exact.cg_table(l1, l2, l), l1, l2, l)
        ratios = {Fraction(v) / complex_gauge[key] if key in complex_gauge else None for key, v in k.items()}
        yield (l1, l2, l, "multiple"), 0 if len(ratios) == 1 and len(k) == len(complex_gauge) else 1


def scale(l: int, m: int) -> int:
    """Square of the factor between the real gauge and its rational form: 2 (l+m)! (l-m)!, half of it for m = 0."""
    return weight(2 * l, 2 * m) * (2 if m else 1)


def real_integers(matrix: Any, l: int, norm: int) -> Any:
    """A D matrix of the real gauge as integers over norm^l, components divided by `scale`."""
    rows = range(-l, l + 1)
    entries = [
        [rational(of_surd(matrix[a + l][b + l]), Fraction(scale(l, a), scale(l, b))) * norm**l for b in rows]
        for a in rows
    ]
    if any(entry.denominator != 1 for row in entries for entry in row):
        raise ValueError("not an integer matrix over |q|^2l")
    return np.array([[int(entry) for entry in row] for row in entries], object)


def real_coupling(table: Any, l1: int, l2: int, l: int) -> Any:
    """A table of the real gauge on components divided by `scale`, an integer tensor up to one factor."""
    scaled = {}
    for m1, m2, m, value in table:
        sign, square = of_surd(value)
        scaled[m1 + l1, m2 + l2, m + l] = sign, square * Fraction(scale(l1, m1) * scale(l2, m2), scale(l, m))
    unit = next(iter(scaled.values()))[1]
    K = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1), object)
    whole, _ = integers([rational(value, unit) for value in scaled.values()])
    for key, entry in zip(scaled, whole):
        K[key] = entry
    return K


def transposed_D(l: int, q: Sequence[int]) -> Any:
    """Planted: the transposed D matrix, that of the inverse rotation."""
    return list(zip(*exact.wigner_D_real(l, q)))


@claim(
    "3.2",
    "sec. 4.1",
    "D C(a, b) = C(D a, D b) for the two dense generators, real gauge, all triples l <= 8",
    "integer tensors",
    {"cg": exact.cg_table_real, "D": exact.wigner_D_real},
    {
        "one sign flipped": {"cg": flip_entry(exact.cg_table_real)},
        "m1 and m2 exchanged": {"cg": exchange(exact.cg_table_real)},
    },
)
def rotations(subject: SimpleNamespace, full: bool) -> Cases:
    for q in GENERATORS:
        norm = sum(a * a for a in q)
        M = [real_integers(subject.D(l, q), l, norm) for l in range(9 if full else 4)]
        for l1, l2, l in triples(8 if full else 3):
            K = real_coupling(subject.cg(l1, l2, l), l1, l2, l)
            turned = np.tensordot(M[l1], np.tensordot(M[l2], K, (0, 1)), (0, 1))  # n1, n2, m
            image = np.tensordot(K, M[l], (2, 1)) * norm ** (l1 + l2 - l)
            yield (q, l1, l2, l), np.count_nonzero(turned - image)


@claim(
    "3.3",
    "sec. 4.1",
    "D turns fragments of vectors as R turns vectors, both generators, l <= 8, complex gauge",
    "own quaternions, sympy's spherical harmonics as polynomials",
    {"D": exact.wigner_D},
    {
        "D transposed": {"D": lambda l, q: list(zip(*exact.wigner_D(l, q)))},
        "D conjugated": {"D": lambda l, q: [[(a, -b) for a, b in row] for row in exact.wigner_D(l, q)]},
    },
)
def fragments_turn(subject: SimpleNamespace, full: bool) -> Cases:
    point = (Fraction(2), Fraction(-3), Fraction(5))
    for q in (*GENERATORS, (1, 2, 3, 4)):
        image = turn(q, point)
        for l in range(9 if full else 4):
            before, after = ([direction(l, m, r) for m in range(-l, l + 1)] for r in (point, image))
            D = subject.D(l, q)
            for row in range(2 * l + 1):
                total = [Fraction(0), Fraction(0)]
                for column, (re, im) in enumerate(before):
                    ratio = Fraction(weight(2 * l, 2 * (row - l)), weight(2 * l, 2 * (column - l)))
                    a, b = (rational(of_surd(part), ratio) for part in D[row][column])
                    total[0] += a * re - b * im
                    total[1] += a * im + b * re
                yield (q, l, row - l), 0 if tuple(total) == after[row] else 1


def direction(l: int, m: int, r: Sequence[Fraction]) -> tuple[Fraction, Fraction]:
    """conj(r^l Y_lm) sqrt(4 pi / (2l+1)) / sqrt((l+m)! (l-m)!), from Rodrigues' formula for the Legendre functions.

    r^l Y_lm ~ (-1)^m sqrt((l-m)!/(l+m)!) (x + i y)^m sum_k p_k z^k r^(l-m-k), p = d^m P_l, for m >= 0.
    """
    x, y, z = r
    square = x * x + y * y + z * z
    t = sympy.Symbol("t")
    n = abs(m)
    p = sympy.Poly(sympy.diff((t * t - 1) ** l, t, l + n) / (2**l * sympy.factorial(l)), t)
    value = Fraction(0)
    for (k,), c in p.terms():
        value += Fraction(int(c.p), int(c.q)) * z**k * square ** ((l - n - k) // 2)
    re, im = Fraction(1), Fraction(0)
    for _ in range(n):
        re, im = re * x - im * y, re * y + im * x
    value /= int(sympy.factorial(l + n))
    if m >= 0:  # conj(Y_m) with Condon-Shortley phase
        return (-1) ** m * value * re, -((-1) ** m) * value * im
    return value * re, value * im  # conj(Y_-n) = (-1)^n Y_n, the phases cancel


@claim(
    "3.4",
    "sec. 4.1",
    "products l1 x l2 -> l: one up to a factor inside the triangle, none outside, all l <= 8",
    "rank of the equations X K = K X for J_z, J_+, J_-",
    {"product": lambda a, b: [c.l for c in Irrep(a) * Irrep(b)]},
    {
        "top degree missing": {"product": lambda a, b: range(abs(a - b), a + b)},
        "parity rule applied to degrees": {"product": lambda a, b: range(abs(a - b), a + b + 1, 2)},
    },
)
def one_product(subject: SimpleNamespace, full: bool) -> Cases:
    # The rank modulo a prime is at most the rational one, so the dimension found is an upper bound; claim 3.1 shows a
    # nonzero solution inside the triangle, so the bound is attained.
    top = 8 if full else 3
    for l1 in range(top + 1):
        for l2 in range(top + 1):
            allowed = list(subject.product(l1, l2))
            for l in range(top + 1):
                yield (l1, l2, l), solutions(l1, l2, l) - (l in allowed)


def solutions(l1: int, l2: int, l: int) -> int:
    """Dimension of the space of covariant products, modulo a prime."""
    unknowns = {
        (m1, m2): i
        for i, (m1, m2) in enumerate((a, b) for a in range(-l1, l1 + 1) for b in range(-l2, l2 + 1) if abs(a + b) <= l)
    }
    rows = []
    for s in (1, -1):
        for m1 in range(-l1, l1 + 1):
            for m2 in range(-l2, l2 + 1):
                m = m1 + m2
                if abs(m + s) > l:
                    continue
                terms = (((m1 + s, m2), l1 - s * m1), ((m1, m2 + s), l2 - s * m2), ((m1, m2), -(l - s * m)))
                rows.append({unknowns[key]: a % PRIME for key, a in terms if a and key in unknowns})
    return len(unknowns) - rank_modulo(rows, len(unknowns))


@claim(
    "3.5",
    "sec. 4.1",
    "uniqueness: the coefficients are the solution of the intertwining equations with norm 1 and "
    "<l1 l1 l2 l-l1|l l> > 0, all triples l <= 8, half-integers to 7/2",
    "exact ladder, no closed formula",
    {"cg": exact.cg_table},
    {"one sign flipped": {"cg": flip_entry(exact.cg_table)}, "sign of odd l1+l2-l": {"cg": odd_sign}},
)
def uniqueness(subject: SimpleNamespace, full: bool) -> Cases:
    doubled = [tuple(2 * k for k in t) for t in triples(8 if full else 3)]
    top = 7 if full else 3
    doubled += [
        (a, b, c) for a in range(top + 1) for b in range(top + 1) for c in series(a, b) if c <= top and (a % 2 or b % 2)
    ]
    for j1, j2, j in doubled:
        given = {key[:3]: of_surd(key[3]) for key in subject.cg(*(Fraction(k, 2) for k in (j1, j2, j)))}
        for n in range(-j, j + 1, 2):
            for n1 in range(max(-j1, n - j2), min(j1, n + j2) + 1, 2):
                key = tuple(Fraction(k, 2) for k in (n1, n - n1, n))
                yield (j1, n1, j2, n - n1, j), 0 if ladder_cg(j1, n1, j2, n - n1, j) == given.get(key, (0, 0)) else 1


@claim(
    "3.6",
    "docs/evidence.md",
    "(2+i) and (2+k) turn by an angle that is no rational multiple of pi, about x and z",
    "unique factorisation in Z[i]",
    {"generators": GENERATORS},
    {
        "a turn of order 4": {"generators": ((1, 1, 0, 0), (2, 0, 0, 1))},
        "one axis": {"generators": ((2, 1, 0, 0),) * 2},
    },
)
def dense(subject: SimpleNamespace, full: bool) -> Cases:
    # A turn of finite order needs (w + ix)^n = (w - ix)^n for some n > 0. Here w^2 + x^2 is a prime, 1 mod 4: w + ix
    # and w - ix are primes of Z[i] that are no associates, and unique factorisation forbids it.
    axes = set()
    for q in subject.generators:
        axes.add(tuple(a != 0 for a in q[1:]))
        norm = sum(a * a for a in q)
        yield (q, "splits"), 0 if sympy.isprime(norm) and norm % 4 == 1 else 1
    yield "two axes", 0 if len(axes) == 2 else 1


@claim(
    "3.7",
    "docs/evidence.md",
    "the numbers the gates run on are the field Q(i)",
    "sympy",
    {"Gauss": Gauss},
    {
        "product without the minus sign": {
            "Gauss": type(
                "Bad", (Gauss,), {"__mul__": lambda a, b: Gauss(a.re * b.re + a.im * b.im, a.re * b.im + a.im * b.re)}
            )
        }
    },
)
def gaussian_field(subject: SimpleNamespace, full: bool) -> Cases:
    rng = random.Random(3)
    for case in range(200 if full else 20):
        parts = [Fraction(rng.randrange(-9, 10), rng.randrange(1, 9)) for _ in range(4)]
        parts[2] += 20
        a, b = subject.Gauss(*parts[:2]), subject.Gauss(*parts[2:])
        x, y = (sympy.Rational(s) + sympy.I * sympy.Rational(t) for s, t in (parts[:2], parts[2:]))
        for ours, theirs in ((a + b, x + y), (a - b, x - y), (a * b, x * y), (a / b, x / y)):
            re, im = sympy.radsimp(sympy.expand(theirs)).as_real_imag()
            yield case, 0 if (sympy.Rational(ours.re), sympy.Rational(ours.im)) == (re, im) else 1


@claim(
    "3.11",
    "docs/conventions.md",
    "own matrices used above: a representation, and D^1 the active rotation of vectors",
    "quaternion product, q r q^-1",
    {"matrix": symmetric_power},
    {"acting from the other side": {"matrix": lambda j, q: symmetric_power(j, (q[0], -q[1], -q[2], -q[3]))}},
)
def judge_is_a_representation(subject: SimpleNamespace, full: bool) -> Cases:
    for p, q in ((GENERATORS), ((1, 2, 3, 4), (2, -1, 0, 5))):
        for j in range(17 if full else 7):
            left, right = multiply(subject.matrix(j, p), subject.matrix(j, q)), subject.matrix(j, hamilton(p, q))
            yield (p, q, j), sum(np.count_nonzero(a - b) for a, b in zip(left, right))
        r = (Fraction(2), Fraction(-3), Fraction(5))
        before, after = ([direction(1, m, s) for m in (-1, 0, 1)] for s in (r, turn(q, r)))
        re, im = subject.matrix(2, q)
        for row in range(3):
            total = [
                sum(re[row, k] * f[0] - im[row, k] * f[1] for k, f in enumerate(before)),
                sum(re[row, k] * f[1] + im[row, k] * f[0] for k, f in enumerate(before)),
            ]
            yield (q, row), 0 if tuple(a / sum(b * b for b in q) for a in total) == after[row] else 1


if __name__ == "__main__":
    sys.exit(main())
