"""Exact checks of the tables: Clebsch-Gordan coefficients, 6j symbols, Wigner matrices, harmonics.

Every function takes (lmax, subject) and returns the number of cases and the failures. Surds are first brought to the
monomial gauge, where they are integers; all sums are then integer sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import factorial, lcm
from operator import mul
from typing import Any

from nbody_ref.exact.cg import real_unitary, triples
from nbody_ref.exact.gauges import coupling_constant, coupling_from_table
from nbody_ref.exact.harmonics import monomial_fragments
from nbody_ref.exact.network import rotate
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.subject import Outcome, Subject
from nbody_ref.exact.surd import Surd, surd_sum
from nbody_ref.exact.wigner import quaternion_product

__all__ = [
    "GENERATORS",
    "completeness",
    "conventions",
    "covariance",
    "harmonics_covariant",
    "harmonics_harmonic",
    "homomorphism",
    "orthogonality",
    "phases",
    "real_gauge_surds",
    "rounding",
    "six_j_orthogonality",
]

GENERATORS = ((2, 1, 0, 0), (2, 0, 0, 1))  # turns by 2 arctan(1/2) about x and z: dense in SO(3), with their products
Integers = list[list[int]]
Table = Callable[[int, int, int], Sequence[tuple[int, int, int, Surd]]]


def orthogonality(lmax: int, subject: Subject) -> Outcome:
    """Columns (l, m) and (l', m) of every product are orthonormal: all l, l' up to l1 + l2."""
    failures: list[str] = []
    cases = 0
    for l1 in range(lmax + 1):
        for l2 in range(lmax + 1):
            columns = _columns(subject.cg, l1, l2, failures)
            labels = [(l, m) for l in range(abs(l1 - l2), l1 + l2 + 1) for m in range(-l, l + 1)]
            for l, m in labels:
                left = columns.get((l, m), {})
                for k in range(max(abs(l1 - l2), abs(m)), l + 1):
                    cases += 1
                    right = columns.get((k, m), {})
                    total = sum(s * right[m1] * _weights(l1, m1, l2, m - m1) for m1, s in left.items() if m1 in right)
                    scale = coupling_constant(l1, l2, l).square() * _weight(l, m)
                    if total * scale != (l == k):
                        failures.append(f"columns ({l}, {m}) and ({k}, {m}) of {l1} x {l2}")
    return cases, failures


def completeness(lmax: int, subject: Subject) -> Outcome:
    """Sum over l of C[m1, m2, l] C[m1', m2', l] is the unit matrix: the products l1 x l2 are exhausted."""
    failures: list[str] = []
    cases = 0
    for l1 in range(lmax + 1):
        for l2 in range(lmax + 1):
            columns = _columns(subject.cg, l1, l2, failures)
            degrees = range(abs(l1 - l2), l1 + l2 + 1)
            scales = {l: coupling_constant(l1, l2, l).square() for l in degrees}
            unit = lcm(*(scale.denominator for scale in scales.values()))
            whole = {l: int(scale * unit) for l, scale in scales.items()}
            for m in range(-l1 - l2, l1 + l2 + 1):
                present = [(whole[l] * _weight(l, m), columns[l, m]) for l in degrees if (l, m) in columns]
                row = range(max(-l1, m - l2), min(l1, m + l2) + 1)
                for a in row:
                    for b in range(a, row.stop):
                        total = sum(scale * s.get(a, 0) * s.get(b, 0) for scale, s in present)
                        cases += 1
                        if total * _weights(l1, a, l2, m - a) != (unit if a == b else 0):
                            failures.append(f"rows ({a}, {m - a}) and ({b}, {m - b}) of {l1} x {l2}")
    return cases, failures


def covariance(lmax: int, subject: Subject) -> Outcome:
    """K(M_l1 a, M_l2 b) = N^(l1 + l2 - l) M_l K(a, b) for all a, b, under both generating rotations."""
    cases, failures = 0, []
    for q in GENERATORS:
        norm = sum(part * part for part in q)
        parts = [_parts(subject.matrix(l, q)) for l in range(lmax + 1)]
        for l1, l2, l in triples(lmax):
            cases += 1
            try:
                coupling = coupling_from_table(subject.cg(l1, l2, l), l1, l2, l)
            except ValueError as error:
                failures.append(str(error))
                continue
            if not _covariant((l1, l2, l), coupling, parts, norm ** (l1 + l2 - l)):
                failures.append(f"product {l1} x {l2} -> {l} under quaternion {q}")
    return cases, failures


def phases(lmax: int, subject: Subject) -> Outcome:
    """<l1 l1 l2 l-l1 | l l> > 0: with orthonormality and covariance it determines every coefficient."""
    cases, failures = 0, []
    for l1, l2, l in triples(lmax):
        cases += 1
        if not any((m1, m) == (l1, l) and value > 0 for m1, _, m, value in subject.cg(l1, l2, l)):
            failures.append(f"product {l1} x {l2} -> {l}")
    return cases, failures


def conventions(lmax: int, subject: Subject) -> Outcome:
    """A turn by g about z is diag(exp(-i m g)), and D^1 is the active rotation of the vector (x, y, z)."""
    cases, failures = 0, []
    for w, z in ((2, 1), (1, -3)):
        low, high = Gauss(w, -z), Gauss(w, z)
        for l in range(lmax + 1):
            cases += 1
            rows = enumerate(subject.matrix(l, (w, 0, 0, z)))
            if any(entry != (i == k) * low**k * high ** (2 * l - k) for i, row in rows for k, entry in enumerate(row)):
                failures.append(f"degree {l}, turn about z by twice the angle of {w} + {z}i")
    for q in ((1, 2, 3, 4), (2, -1, 0, 5)):
        cases += 1
        norm = sum(part * part for part in q)
        images = [monomial_fragments(1, rotate(r, q))[1] for r in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
        fragments = [monomial_fragments(1, r)[1] for r in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
        for image, f in zip(images, fragments):
            if [sum((a * b for a, b in zip(row, f)), Gauss(0)) / norm for row in subject.matrix(1, q)] != image:
                failures.append(f"rotation of vectors by {q}")
    return cases, failures


def real_gauge_surds(lmax: int, subject: Subject) -> Outcome:
    """C_real = i^s U C (U^dagger x U^dagger) entry by entry, and every entry is one real signed surd."""
    cases, failures = 0, []
    columns: dict[int, list[tuple[int, int]]] = {}
    for m, n, k, _ in real_unitary(lmax):
        columns.setdefault(n, []).append((m, k))
    for l1, l2, l in triples(lmax):
        cases += 1
        terms: dict[tuple[int, int, int], list[tuple[int, Surd]]] = {}
        for n1, n2, n, value in subject.cg(l1, l2, l):
            for m1, k1 in columns[n1]:
                for m2, k2 in columns[n2]:
                    for m, k in columns[n]:
                        phase = (l1 + l2 + l) % 2 + k - k1 - k2 + 1 - value.sign
                        terms.setdefault((m1, m2, m), []).append((phase % 4, value))
        given = {(m1, m2, m): value for m1, m2, m, value in subject.cg_real(l1, l2, l)}
        if any(not _is_entry(key, terms.get(key, []), given.get(key)) for key in terms.keys() | given.keys()):
            failures.append(f"real table of {l1} x {l2} -> {l}")
    return cases, failures


def homomorphism(lmax: int, subject: Subject) -> Outcome:
    """D(p) D(q) = D(p q) for quaternions that do not commute, half-integer degrees included."""
    pairs = [((1, 2, 3, 4), (2, -1, 0, 5)), ((2, 1, 0, 0), (2, 0, 0, 1)), ((0, 1, 1, 0), (3, -2, 1, 1))]
    cases, failures = 0, []
    for p, q in pairs:
        for j in range(2 * lmax + 1):
            cases += 1
            l = Fraction(j, 2)
            a, b = (_parts(subject.matrix(l, part)) for part in (p, q))
            if _multiply(a, b) != _parts(subject.matrix(l, quaternion_product(p, q))):
                failures.append(f"degree {l}, quaternions {p} and {q}")
    return cases, failures


def harmonics_harmonic(lmax: int, subject: Subject) -> Outcome:
    """Solid harmonics are homogeneous polynomials of degree l with vanishing Laplacian, and sum to |r|^(2l)."""
    cases, failures = 0, []
    point = (2, -3, 5)
    for l in range(lmax + 1):
        total = Fraction(0)
        for m in range(-l, l + 1):
            cases += 1
            harmonic = subject.harmonic(l, m, "norm", "real")
            total += harmonic.value(point).square()
            if any(sum(powers) != l for powers in harmonic.terms) or _laplacian(harmonic.terms):
                failures.append(f"harmonic ({l}, {m})")
        if total != 38**l:
            failures.append(f"sum over m of the squares for l = {l}")
    return cases, failures


def harmonics_covariant(lmax: int, subject: Subject) -> Outcome:
    """conj(Y)(R r) = D(R) conj(Y)(r) at rational points, in the monomial gauge."""
    cases, failures = 0, []
    for q in (*GENERATORS, (1, 2, 3, 4)):
        norm = sum(part * part for part in q)
        for r in ((2, -3, 5), (Fraction(1, 3), 4, -1)):
            turned = rotate(r, q)
            for l in range(lmax + 1):
                cases += 1
                forms = [subject.harmonic(l, m, "norm", "complex") for m in range(-l, l + 1)]
                before, after = [h.evaluate(r) for h in forms], [h.evaluate(turned) for h in forms]
                image = [sum((a * b for a, b in zip(row, before)), Gauss(0)) for row in subject.matrix(l, q)]
                if image != [value * norm**l for value in after]:
                    failures.append(f"degree {l}, quaternion {q}, point {r}")
    return cases, failures


def six_j_orthogonality(lmax: int, subject: Subject) -> Outcome:
    """Sum over k of (2k+1)(2q+1) {j1 j2 k; j3 J q} {j1 j2 k; j3 J q'} = delta(q, q'), half-integers included."""
    cases, failures = 0, []
    top = min(lmax, 5) + 1
    for doubled in [(a, b, c, d) for a in range(top) for b in range(top) for c in range(top) for d in range(top)]:
        if sum(doubled) % 2:
            continue
        j1, j2, j3, total = (Fraction(j, 2) for j in doubled)
        outer = [q for q in _series(j2, j3) if q in _series(j1, total)]
        for q in outer:
            for r in outer:
                cases += 1
                terms = []
                for k in _series(j1, j2):
                    symbols = subject.six_j(j1, j2, k, j3, total, q) * subject.six_j(j1, j2, k, j3, total, r)
                    terms.append(symbols * ((2 * k + 1) * (2 * q + 1)))
                if surd_sum(terms) != (q == r):
                    failures.append(f"spins {j1}, {j2}, {j3} -> {total}, intermediate {q} and {r}")
    return cases, failures


def rounding(lmax: int, subject: Subject) -> Outcome:
    """The float64 of every coefficient lies within half a unit in the last place: squares compared as integers."""
    cases, failures = 0, []
    for l1, l2, l in triples(min(lmax, 6)):
        for m1, m2, m, value in subject.cg(l1, l2, l):
            cases += 1
            size = abs(float(value))
            low = (Fraction(size) + Fraction(math.nextafter(size, 0))) / 2
            high = (Fraction(size) + Fraction(math.nextafter(size, 2))) / 2
            if not low * low <= value.square() <= high * high:
                failures.append(f"<{l1} {m1} {l2} {m2}|{l} {m}>")
    return cases, failures


def _columns(cg: Table, l1: int, l2: int, failures: list[str]) -> dict[tuple[int, int], dict[int, Any]]:
    """Columns (l, m) of the product as m1 -> S, the coupling without its factorials."""
    columns: dict[tuple[int, int], dict[int, Any]] = {}
    for l in range(abs(l1 - l2), l1 + l2 + 1):
        try:
            coupling = coupling_from_table(cg(l1, l2, l), l1, l2, l)
        except ValueError as error:
            failures.append(str(error))
            continue
        for m1, m2, m, entry in coupling:
            ratio = Fraction(entry, _weights(l1, m1, l2, m2))
            columns.setdefault((l, m), {})[m1] = ratio.numerator if ratio.denominator == 1 else ratio
    return columns


def _covariant(degrees: tuple[int, int, int], coupling: Any, parts: Sequence[Any], power: int) -> bool:
    """Whether the coupling intertwines the matrices; they are given as (real, imaginary) integer matrices."""
    l1, l2, l = degrees
    (a_re, a_im), (b_re, b_im), (c_re, c_im) = ([_transpose(part) for part in parts[k]] for k in degrees)
    by_m: dict[int, list[tuple[int, int, Any]]] = {m: [] for m in range(-l, l + 1)}
    table: dict[tuple[int, int], Any] = {}
    for m1, m2, m, entry in coupling:
        if m1 + m2 != m:
            return False
        by_m[m].append((m1 + l1, m2 + l2, entry))
        table[m1 + l1, m2 + l2] = entry
    for m, entries in by_m.items():
        firsts, seconds = [e[0] for e in entries], [e[1] for e in entries]
        rights = [([b_re[n][k] for k in seconds], [b_im[n][k] for k in seconds]) for n in range(2 * l2 + 1)]
        for n1 in range(2 * l1 + 1):
            real = [a_re[n1][k] * entry for k, (_, _, entry) in zip(firsts, entries)]
            imag = [a_im[n1][k] * entry for k, (_, _, entry) in zip(firsts, entries)]
            for n2, (right, left) in enumerate(rights):
                n, factor = n1 - l1 + n2 - l2 + l, power * table.get((n1, n2), 0)
                inside = 0 <= n <= 2 * l
                if sum(map(mul, real, right)) - sum(map(mul, imag, left)) != (inside and c_re[n][m + l] * factor):
                    return False
                if sum(map(mul, real, left)) + sum(map(mul, imag, right)) != (inside and c_im[n][m + l] * factor):
                    return False
    return True


def _is_entry(key: tuple[int, int, int], terms: list[tuple[int, Surd]], given: Surd | None) -> bool:
    """Whether the phases times the common surd make the given entry, zero if None."""
    real = sum((1, 0, -1, 0)[phase] for phase, _ in terms)
    imag = sum((0, 1, 0, -1)[phase] for phase, _ in terms)
    if imag or len({abs(value) for _, value in terms}) > 1:
        return False
    if given is None or not terms:
        return given is None and real == 0
    halvings = 1 << sum(m != 0 for m in key)
    return given == Surd((real > 0) - (real < 0), terms[0][1].p * real * real, terms[0][1].q * halvings)


def _parts(matrix: Sequence[Sequence[Gauss]]) -> tuple[Integers, Integers]:
    return [[z.re for z in row] for row in matrix], [[z.im for z in row] for row in matrix]


def _transpose(matrix: Integers) -> Integers:
    return [list(column) for column in zip(*matrix)]


def _multiply(a: tuple[Integers, Integers], b: tuple[Integers, Integers]) -> tuple[Integers, Integers]:
    (a_re, a_im), (b_re, b_im) = a, (_transpose(b[0]), _transpose(b[1]))
    real = [[sum(map(mul, x, u)) - sum(map(mul, y, v)) for u, v in zip(b_re, b_im)] for x, y in zip(a_re, a_im)]
    imag = [[sum(map(mul, x, v)) + sum(map(mul, y, u)) for u, v in zip(b_re, b_im)] for x, y in zip(a_re, a_im)]
    return real, imag


def _laplacian(terms: dict[tuple[int, int, int], Any]) -> dict[tuple[int, ...], Any]:
    found: dict[tuple[int, ...], Any] = {}
    for powers, a in terms.items():
        for axis, n in enumerate(powers):
            lower = tuple(power - 2 * (k == axis) for k, power in enumerate(powers))
            found[lower] = found.get(lower, 0) + a * (n * (n - 1))
    return {powers: a for powers, a in found.items() if a}


def _series(a: Fraction, b: Fraction) -> list[Fraction]:
    return [abs(a - b) + k for k in range(int(a + b - abs(a - b)) + 1)]


def _weight(l: int, m: int) -> int:
    return factorial(l + m) * factorial(l - m)


def _weights(l1: int, m1: int, l2: int, m2: int) -> int:
    return _weight(l1, m1) * _weight(l2, m2)
