"""Clebsch-Gordan coefficients: eq. (13) and sec. 4.1 of the N-body paper, both gauges."""

from __future__ import annotations

import random
import sys
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import mpmath
import sympy
from _claims import Cases, claim, main
from _judge import Squared, of_surd, rational, series, weight
from sympy.physics.quantum.cg import CG

from nbody_ref import exact
from nbody_ref.exact import Surd

Key = tuple[int, int, int]


def half(n: int) -> Any:
    """n / 2 as an int where it is one."""
    return n // 2 if n % 2 == 0 else Fraction(n, 2)


def cg(j1: int, n1: int, j2: int, n2: int, j: int, n: int) -> Surd:
    """The package's coefficient for doubled arguments."""
    return exact.clebsch_gordan(half(j1), half(n1), half(j2), half(n2), half(j), half(n))


def one_sign_flipped(j1: int, n1: int, j2: int, n2: int, j: int, n: int) -> Surd:
    """Planted: the sign of a single coefficient."""
    value = cg(j1, n1, j2, n2, j, n)
    return -value if (j1, n1, j2, n2, j) == (2, 2, 2, 0, 4) else value


def odd_sign(j1: int, n1: int, j2: int, n2: int, j: int, n: int) -> Surd:
    """Planted: another sign where l1 + l2 - l is odd, which no rotation test sees."""
    value = cg(j1, n1, j2, n2, j, n)
    return -value if (j1 + j2 - j) // 2 % 2 else value


def swapped(j1: int, n1: int, j2: int, n2: int, j: int, n: int) -> Surd:
    """Planted: the factors in the wrong order."""
    return cg(j2, n2, j1, n1, j, n)


def scaled(j1: int, n1: int, j2: int, n2: int, j: int, n: int) -> Surd:
    """Planted: columns of norm 1/sqrt(2l+1), a 3j symbol in disguise."""
    return cg(j1, n1, j2, n2, j, n) * Surd(1, 1, j + 1)


def by_way_of_float(j1: int, n1: int, j2: int, n2: int, j: int, n: int) -> Surd:
    """Planted: a float slipped into the exact layer; the right number to 16 digits."""
    value = cg(j1, n1, j2, n2, j, n)
    square = Fraction((value.p / value.q) ** 0.5) ** 2
    return Surd(value.sign, square.numerator, square.denominator)


def half_triples(top: int) -> list[tuple[int, int, int]]:
    """Doubled admissible triples with every degree at most top / 2."""
    return [(a, b, c) for a in range(top + 1) for b in range(top + 1) for c in series(a, b) if c <= top]


WRONG = {
    "one sign flipped": {"cg": one_sign_flipped},
    "sign where l1+l2-l is odd": {"cg": odd_sign},
    "factors swapped": {"cg": swapped},
    "columns not normalised": {"cg": scaled},
    "a float slipped in": {"cg": by_way_of_float},
}


def high_cases(count: int) -> list[tuple[int, ...]]:
    """Random coefficients with l1, l2 <= 8 < l, doubled arguments."""
    rng, found = random.Random(1), []
    while len(found) < count:
        l1, l2 = rng.randrange(1, 9), rng.randrange(1, 9)
        if l1 + l2 > 8:
            l, m1, m2 = rng.randrange(9, l1 + l2 + 1), rng.randrange(-l1, l1 + 1), rng.randrange(-l2, l2 + 1)
            if abs(m1 + m2) <= l:
                found.append((2 * l1, 2 * m1, 2 * l2, 2 * m2, 2 * l, 2 * (m1 + m2)))
    return found


@claim(
    "1.1",
    "eq. (13)",
    "coefficients equal sympy's: all triples l <= 8, half-integers to 7/2, samples to l = 8 + 8",
    "sympy.physics.quantum.cg",
    {"cg": cg},
    WRONG,
)
def against_sympy(subject: SimpleNamespace, full: bool) -> Cases:
    triples = [t for t in half_triples(16 if full else 6) if not any(j % 2 for j in t)] + half_triples(7 if full else 3)
    cases = [
        (j1, n1, j2, n - n1, j, n)
        for j1, j2, j in triples
        for n in range(-j, j + 1, 2)
        for n1 in range(max(-j1, n - j2), min(j1, n + j2) + 1, 2)
    ]
    for case in cases + high_cases(1000 if full else 5):
        args = [sympy.Rational(a, 2) for a in case]
        value = CG(*args).doit()
        sign, square = of_surd(subject.cg(*case))
        same = sympy.sign(value) == sign and value**2 == sympy.Rational(square.numerator, square.denominator)
        yield case, 0 if same else 1


def ladder_digits(j1: int, j2: int, j: int) -> dict[tuple[int, int], Any]:
    """<l1 m1 l2 m2|l m> by ladder operators on orthonormal vectors in mpmath: highest weight, then J-."""
    column = {j1: mpmath.mpf(1)}
    for n1 in range(j1, j - j2, -2):
        n2 = j - n1
        up1, up2 = (mpmath.sqrt(mpmath.mpf(a - b) * (a + b + 2)) for a, b in ((j1, n1 - 2), (j2, n2)))
        column[n1 - 2] = -column[n1] * up2 / up1
    norm = mpmath.sqrt(mpmath.fsum(a * a for a in column.values()))
    column = {n1: a / norm for n1, a in column.items()}
    found: dict[tuple[int, int], Any] = {}
    for n in range(j, -j - 1, -2):
        found.update({(n1, n): a for n1, a in column.items()})
        if n == -j:
            break
        lower: dict[int, Any] = {}
        for n1, a in column.items():
            n2 = n - n1
            for to, top, at in ((n1 - 2, j1, n1), (n1, j2, n2)):
                if at > -top:
                    lower[to] = lower.get(to, mpmath.mpf(0)) + a * mpmath.sqrt(mpmath.mpf(top + at) * (top - at + 2))
        down = mpmath.sqrt(mpmath.mpf(j + n) * (j - n + 2))
        column = {n1: a / down for n1, a in lower.items()}
    return found


@claim(
    "1.2",
    "eq. (13)",
    "coefficients to degree 60 agree to 50 digits with ladder operators in 160-digit arithmetic",
    "mpmath, J+ and J-",
    {"cg": cg},
    WRONG,
    "10^-50",
)
def to_fifty_digits(subject: SimpleNamespace, full: bool) -> Cases:
    some = [(2, 2, 4), (2, 2, 2), (4, 3, 5), (20, 16, 12)]
    many = [(120, 120, 120), (120, 119, 1), (120, 90, 60), (100, 80, 60), (61, 60, 59), (120, 2, 120), (40, 40, 80)]
    rng = random.Random(2)
    with mpmath.workdps(160):
        for j1, j2, j in some + many if full else some:
            values = list(ladder_digits(j1, j2, j).items())
            for (n1, n), value in values if len(values) < 500 else rng.sample(values, 500):
                sign, square = of_surd(subject.cg(j1, n1, j2, n - n1, j, n))
                ours = sign * mpmath.sqrt(mpmath.mpf(square.numerator) / square.denominator)
                yield (j1, n1, j2, n - n1, j, n), abs(ours - value) * mpmath.mpf(10) ** 50


def vectors(subject: SimpleNamespace, j1: int, j2: int) -> dict[tuple[int, int], tuple[dict[int, int], Fraction]]:
    """Columns (j, n) as integers v and a scale c: C[n1] = v[n1] sqrt(c weight(j1, n1) weight(j2, n2))."""
    found = {}
    for j in series(j1, j2):
        for n in range(-j, j + 1, 2):
            column = {}
            for n1 in range(max(-j1, n - j2), min(j1, n + j2) + 1, 2):
                sign, square = of_surd(subject.cg(j1, n1, j2, n - n1, j, n))
                if sign:
                    column[n1] = (sign, square / (weight(j1, n1) * weight(j2, n - n1)))
            scale = next(iter(column.values()))[1]
            ratios = {n1: rational(value, scale) for n1, value in column.items()}
            common = 1
            for ratio in ratios.values():
                common = common * ratio.denominator // sympy.igcd(common, ratio.denominator)
            found[j, n] = {n1: int(ratio * common) for n1, ratio in ratios.items()}, scale / int(common) ** 2
    return found


@claim(
    "1.3",
    "sec. 4.1",
    "columns orthonormal, all l1, l2 <= 12 (half-integers to 4)",
    "integer sums",
    {"cg": cg},
    {k: WRONG[k] for k in ("one sign flipped", "columns not normalised")},
)
def orthogonality(subject: SimpleNamespace, full: bool) -> Cases:
    for j1, j2 in pairs(full):
        found = vectors(subject, j1, j2)
        for n in range(-j1 - j2, j1 + j2 + 1, 2):
            degrees = [j for j in series(j1, j2) if j >= abs(n)]
            for j in degrees:
                v, scale = found[j, n]
                weighted = {n1: a * weight(j1, n1) * weight(j2, n - n1) for n1, a in v.items()}
                for k in degrees:
                    if k <= j:
                        total = sum(a * found[k, n][0].get(n1, 0) for n1, a in weighted.items())
                        yield (j1, j2, j, k, n), total * scale - 1 if j == k else total


@claim(
    "1.4",
    "sec. 4.1",
    "completeness: the squares and products over l sum to the unit matrix, all l1, l2 <= 12",
    "integer sums",
    {"cg": cg},
    {k: WRONG[k] for k in ("one sign flipped", "columns not normalised")},
)
def completeness(subject: SimpleNamespace, full: bool) -> Cases:
    for j1, j2 in pairs(full):
        found = vectors(subject, j1, j2)
        for n in range(-j1 - j2, j1 + j2 + 1, 2):
            columns = [found[j, n] for j in series(j1, j2) if j >= abs(n)]
            common = sympy.ilcm(*(scale.denominator for _, scale in columns), 1)
            whole = [(v, int(scale * int(common))) for v, scale in columns]
            row = range(max(-j1, n - j2), min(j1, n + j2) + 1, 2)
            for a in row:
                for b in range(a, row.stop, 2):
                    total = sum(scale * v.get(a, 0) * v.get(b, 0) for v, scale in whole)
                    size = weight(j1, a) * weight(j2, n - a)
                    yield (j1, j2, n, a, b), total * size - int(common) if a == b else total


def pairs(full: bool) -> list[tuple[int, int]]:
    """Doubled degrees of the two factors."""
    whole = [(2 * a, 2 * b) for a in range(13 if full else 4) for b in range(13 if full else 4)]
    return whole + [(a, b) for a in range(9 if full else 4) for b in range(9 if full else 4) if a % 2 or b % 2]


@claim(
    "1.5",
    "sec. 4.1",
    "exchange, reflection and cyclic symmetry, all triples l <= 8 and half-integers to 7/2",
    "surds compared",
    {"cg": cg},
    {k: WRONG[k] for k in ("one sign flipped", "factors swapped")}
    | {"columns not normalised": WRONG["columns not normalised"]},
)
def symmetries(subject: SimpleNamespace, full: bool) -> Cases:
    triples = [t for t in half_triples(16 if full else 6) if not any(j % 2 for j in t)] + half_triples(7 if full else 3)
    for j1, j2, j in triples:
        phase = (-1) ** ((j1 + j2 - j) // 2)
        for n in range(-j, j + 1, 2):
            for n1 in range(max(-j1, n - j2), min(j1, n + j2) + 1, 2):
                n2 = n - n1
                sign, square = of_surd(subject.cg(j1, n1, j2, n2, j, n))
                exchanged = of_surd(subject.cg(j2, n2, j1, n1, j, n))
                reflected = of_surd(subject.cg(j1, -n1, j2, -n2, j, -n))
                cycled = of_surd(subject.cg(j1, n1, j, -n, j2, -n2))
                cyclic = ((-1) ** ((j1 - n1) // 2) * cycled[0], cycled[1] * Fraction(j + 1, j2 + 1))
                ok = exchanged == reflected == (phase * sign, square) and cyclic == (sign, square)
                yield (j1, n1, j2, n2, j, n), 0 if ok else 1


def real_columns(m: int) -> list[tuple[int, int, int]]:
    """Component v_m of the complex gauge in the real one: (real component, power of i, sign), over sqrt 2 if m != 0.

    From R_m = sqrt2 (-1)^m Re Y_m and R_-m = sqrt2 (-1)^m Im Y_m for m > 0, with v = conj(Y), Y_-m = (-1)^m conj(Y_m).
    """
    if m == 0:
        return [(0, 0, 1)]
    odd = -1 if m % 2 else 1
    return [(m, 0, odd), (-m, 1, odd)] if m > 0 else [(-m, 0, 1), (m, 3, 1)]


def transformed(table: Any, power: int) -> dict[Key, dict[Fraction, list[int]]]:
    """i^power U C (U^dagger x U^dagger): per entry, square of the absolute value -> Gaussian integer coefficient."""
    found: dict[Key, dict[Fraction, list[int]]] = {}
    for m1, m2, m, value in table:
        sign, square = of_surd(value)
        for a, ka, sa in real_columns(m1):
            for b, kb, sb in real_columns(m2):
                for c, kc, sc in real_columns(m):
                    phase, size = (power + kc - ka - kb) % 4, sign * sa * sb * sc
                    radicand = square / 2 ** sum(k != 0 for k in (m1, m2, m))
                    at = found.setdefault((a, b, c), {}).setdefault(radicand, [0, 0])
                    at[phase % 2] += size if phase < 2 else -size
    return found


def single(sum_of_roots: dict[Fraction, list[int]]) -> Squared | None:
    """The sum as one real surd; None if it is not real or not a single surd."""
    terms = {square: c for square, c in sum_of_roots.items() if c != [0, 0]}
    if not terms:
        return 0, Fraction(0)
    if len(terms) > 1:
        return None
    square, (re, im) = next(iter(terms.items()))
    return None if im else ((re > 0) - (re < 0), square * re * re)


def real_cases(subject: SimpleNamespace, full: bool) -> Any:
    """All triples: degrees, complex table and the real table as a dictionary."""
    for l1, l2, l in [tuple(j // 2 for j in t) for t in half_triples(16 if full else 6) if not any(j % 2 for j in t)]:
        yield (l1, l2, l), exact.cg_table(l1, l2, l), {key[:3]: of_surd(key[3]) for key in subject.real(l1, l2, l)}


def mirrored(l1: int, l2: int, l: int) -> Any:
    """Planted: components m and -m exchanged on every leg, sines for cosines."""
    return [(-a, -b, -c, v) for a, b, c, v in exact.cg_table_real(l1, l2, l)]


def odd_real(l1: int, l2: int, l: int) -> Any:
    """Planted: couplings of odd l1 + l2 + l with the other sign."""
    return [(a, b, c, -v if (l1 + l2 + l) % 2 else v) for a, b, c, v in exact.cg_table_real(l1, l2, l)]


@claim(
    "1.6",
    "docs/conventions.md",
    "real gauge = i^s U C (U^+ x U^+), each entry one real surd, all triples l <= 8",
    "U from the definition of real harmonics, Gaussian integers",
    {"real": exact.cg_table_real},
    {"sines and cosines exchanged": {"real": mirrored}, "sign of odd triples": {"real": odd_real}},
)
def real_gauge(subject: SimpleNamespace, full: bool) -> Cases:
    for degrees, table, given in real_cases(subject, full):
        expected = transformed(table, sum(degrees) % 2)
        for key in expected.keys() | given.keys():
            value = single(expected.get(key, {}))
            yield (degrees, key), 0 if value is not None and value == given.get(key, (0, Fraction(0))) else 1


@claim(
    "1.7",
    "docs/conventions.md",
    "[a x b]^0 = -a.b / sqrt 3, [a x b]^1 = (a cross b) / sqrt 2, order (y, z, x)",
    "Levi-Civita symbol",
    {"real": exact.cg_table_real},
    {"sign of odd triples": {"real": odd_real}},
)
def vectors_multiply(subject: SimpleNamespace, full: bool) -> Cases:
    axis = {-1: 1, 0: 2, 1: 0}  # component m -> axis of (x, y, z)
    dot = {key[:3]: of_surd(key[3]) for key in subject.real(1, 1, 0)}
    cross = {key[:3]: of_surd(key[3]) for key in subject.real(1, 1, 1)}
    for a in axis:
        for b in axis:
            yield ("dot", a, b), 0 if dot.get((a, b, 0), (0, 0)) == ((-1, Fraction(1, 3)) if a == b else (0, 0)) else 1
            for c in axis:
                i, k, n = axis[a], axis[b], axis[c]
                epsilon = (i - k) * (k - n) * (n - i) // 2
                wanted = (epsilon, Fraction(1, 2)) if epsilon else (0, 0)
                yield ("cross", a, b, c), 0 if cross.get((a, b, c), (0, 0)) == wanted else 1


@claim(
    "1.8",
    "docs/conventions.md",
    "sqrt(2l+1) w3j of e3nn = (-1)^floor((l1+l2-l)/2) times the real gauge, all triples l <= 8",
    "the definition of e3nn's w3j (matrices Q_l, norm 1)",
    {"real": exact.cg_table_real},
    {"sign of odd triples": {"real": odd_real}},
)
def relation_to_e3nn(subject: SimpleNamespace, full: bool) -> Cases:
    # e3nn: w_ijk = sum Q1[a,i] Q2[b,j] conj(Q3[c,k]) C[a,b,c] / norm with Y = i^l Q_l R, hence Q_l^T = (-i)^l conj(U)
    # with the U that acts on v = conj(Y); the norm of C is sqrt(2l + 1).
    for degrees, table, given in real_cases(subject, full):
        l1, l2, l = degrees
        conjugated = transformed(table, 0)
        sign = (-1) ** ((l1 + l2 - l) // 2)
        for key in conjugated.keys() | given.keys():
            terms = {}
            for square, (re, im) in conjugated.get(key, {}).items():  # conj, then times (-i)^(l1 + l2 - l)
                value = complex(re, -im) * (-1j) ** ((l1 + l2 - l) % 4)
                terms[square] = [int(value.real), int(value.imag)]
            found = single(terms)
            ours = given.get(key, (0, Fraction(0)))
            yield (degrees, key), 0 if found is not None and found == (sign * ours[0], ours[1]) else 1


if __name__ == "__main__":
    sys.exit(main())
