"""Wigner matrices: eqs. (2) and (3) of the N-body paper, exact at rational quaternions, floating point elsewhere."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main
from _judge import hamilton, multiply, of_surd, rational, turn, weight
from scipy.spatial.transform import Rotation

import nbody_ref
from nbody_ref import Irreps, exact

Matrix = list[list[Any]]


def forms_matrix(D: Any, j: int, norm: int) -> tuple[Any, Any]:
    """A matrix of (real, imaginary) surds on binary forms, as integers over sqrt(norm)^j."""
    parts = np.zeros((j + 1, j + 1), object), np.zeros((j + 1, j + 1), object)
    for a in range(j + 1):
        for b in range(j + 1):
            ratio = Fraction(weight(j, 2 * a - j), weight(j, 2 * b - j)) / Fraction(norm) ** j
            for part, value in zip(parts, D[a][b]):
                entry = rational(of_surd(value), ratio)
                if entry.denominator != 1:
                    raise ValueError(f"entry {a}, {b} of degree {j}/2 is no integer over sqrt({norm})^{j}")
                part[a, b] = int(entry)
    return parts


PAIRS = (((1, 2, 3, 4), (2, -1, 0, 5)), ((2, 1, 0, 0), (2, 0, 0, 1)), ((0, 1, 1, 0), (3, -2, 1, 1)))
DEGREE_12 = "all l = 0, 1/2, 1, ..., 12"


def conjugated(l: Any, q: Sequence[Any]) -> Any:
    """Planted: conj(D), the matrix that belongs to Y and not to conj(Y)."""
    return [[(re, -im) for re, im in row] for row in exact.wigner_D(l, q)]


def transposed(l: Any, q: Sequence[Any]) -> Any:
    """Planted: the transposed matrix, an anti-homomorphism; invisible where rotations commute."""
    return list(zip(*exact.wigner_D(l, q)))


def descending(l: Any, q: Sequence[Any]) -> Any:
    """Planted: components from l down to -l."""
    return [list(row)[::-1] for row in list(exact.wigner_D(l, q))[::-1]]


WRONG = {"D conjugated": {"D": conjugated}, "D transposed": {"D": transposed}, "m descending": {"D": descending}}


@claim(
    "2.1",
    "eq. (2)",
    f"D(R1) D(R2) = D(R1 R2), rotations that do not commute, {DEGREE_12}",
    "integer matrices, own quaternions",
    {"D": exact.wigner_D},
    {"D transposed": {"D": transposed}},
)
def homomorphism(subject: SimpleNamespace, full: bool) -> Cases:
    for p, q in PAIRS:
        norms = [sum(a * a for a in x) for x in (p, q)]
        for j in range(25 if full else 7):
            l = Fraction(j, 2)
            left = multiply(*(forms_matrix(subject.D(l, x), j, norm) for x, norm in zip((p, q), norms)))
            right = forms_matrix(subject.D(l, hamilton(p, q)), j, norms[0] * norms[1])
            yield (p, q, l), sum(np.count_nonzero(a - b) for a, b in zip(left, right))


@claim(
    "2.2",
    "eq. (2)",
    f"D is unitary, {DEGREE_12}",
    "integer matrices",
    {"D": exact.wigner_D},
    {
        "one entry conjugated": {
            "D": lambda l, q: [
                [(re, -im) if (a, b) == (0, 0) else (re, im) for b, (re, im) in enumerate(row)]
                for a, row in enumerate(exact.wigner_D(l, q))
            ]
        }
    },
)
def unitarity(subject: SimpleNamespace, full: bool) -> Cases:
    for q in (PAIRS[0][0], PAIRS[2][1]):
        norm = sum(a * a for a in q)
        for j in range(25 if full else 7):
            re, im = forms_matrix(subject.D(Fraction(j, 2), q), j, norm)
            metric = np.diag([weight(j, n) for n in range(-j, j + 1, 2)]).astype(object)
            # psi = sqrt(weight) a: D^+ D = 1 on psi reads A^+ G A = G on forms, G = diag(weight)
            square = multiply((re.T, -im.T), (metric @ re, metric @ im))
            yield (q, j), np.count_nonzero(square[0] - metric * norm**j) + np.count_nonzero(square[1])


@claim(
    "2.3",
    "docs/conventions.md",
    "a turn by g about z is diag(exp(-i m g)); D^1 in the order y, z, x is R; l <= 12",
    "powers of Gaussian integers, q r q^-1",
    {"D": exact.wigner_D, "real": exact.wigner_D_real},
    {
        "D conjugated": {"D": conjugated},
        "order x, y, z": {
            "real": lambda l, q: [
                [exact.wigner_D_real(l, q)[(a + 1) % 3][(b + 1) % 3] for b in range(3)] for a in range(3)
            ]
        },
    },
)
def conventions(subject: SimpleNamespace, full: bool) -> Cases:
    for w, z in ((2, 1), (1, -3), (0, 1)):
        for l in range(13 if full else 4):
            power = (1, 0)
            for _ in range(2 * l):  # (w + iz)^(2l), then each step to the right multiplies by (w - iz) / (w + iz)
                power = power[0] * w - power[1] * z, power[0] * z + power[1] * w
            D = subject.D(l, (w, 0, 0, z))
            norm = w * w + z * z
            for m in range(-l, l + 1):
                re, im = (rational(of_surd(part), 1) for part in D[m + l][m + l])
                step = Fraction(power[0], norm**l), Fraction(power[1], norm**l)
                yield (w, z, l, m), 0 if (re, im) == step else 1
                c, s = Fraction(w * w - z * z, norm), Fraction(-2 * w * z, norm)
                power = norm * (c * power[0] - s * power[1]) / norm, norm * (c * power[1] + s * power[0]) / norm
            off = [e for a, row in enumerate(D) for b, e in enumerate(row) if a != b]
            yield (w, z, l, "off the diagonal"), sum(bool(of_surd(part)[0]) for e in off for part in e)
    for q in ((1, 2, 3, 4), (2, -1, 0, 5)):
        columns = [turn(q, [Fraction(int(k == axis)) for k in range(3)]) for axis in (1, 2, 0)]
        D = subject.real(1, q)
        for a, row in enumerate((1, 2, 0)):
            for b in range(3):
                yield (q, a, b), rational(of_surd(D[a][b]), 1) - columns[b][row]


def half_angles(q: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
    """cos(b/2), sin(b/2), (a+g)/2, (a-g)/2 of R = Rz(a) Ry(b) Rz(g), from the quaternion, sign included."""
    w, x, y, z = (mpmath.mpf(a.numerator) / a.denominator for a in map(Fraction, q))
    norm = mpmath.sqrt(w * w + x * x + y * y + z * z)
    total = mpmath.atan2(z, w) if w or z else mpmath.mpf(0)
    difference = mpmath.atan2(-x, y) if x or y else mpmath.mpf(0)
    return mpmath.sqrt(w * w + z * z) / norm, mpmath.sqrt(x * x + y * y) / norm, total, difference


def wigner_sum(j: int, n1: int, n: int, c: Any, s: Any) -> Any:
    """d^l_{m'm}(b) by Wigner's formula, from cos(b/2) and sin(b/2)."""
    p1, q1, p, q = (j + n1) // 2, (j - n1) // 2, (j + n) // 2, (j - n) // 2
    total, f = mpmath.mpf(0), math.factorial
    for k in range(max(0, p - p1), min(p, q1) + 1):
        below = f(p - k) * f(k) * f(p1 - p + k) * f(q1 - k)
        total += (-1) ** (p1 - p + k) * c ** (j - (p1 - p) - 2 * k) * s ** (p1 - p + 2 * k) / mpmath.mpf(below)
    return total * mpmath.sqrt(mpmath.mpf(f(p1) * f(q1) * f(p) * f(q)))


def sum_entry(j: int, n1: int, n: int, q: Sequence[Any]) -> Any:
    """D^l_{m'm}(q) by Wigner's formula."""
    c, s, total, difference = half_angles(q)
    phase = -((n1 + n) * total + (n1 - n) * difference) / 2
    return mpmath.expj(phase) * wigner_sum(j, n1, n, c, s)


def rational_rotation(a: float, b: float, g: float) -> tuple[Fraction, ...]:
    """Quaternion of Rz(a) Ry(b) Rz(g), each part a rational within 10^-70."""
    c, s = mpmath.cos(mpmath.mpf(b) / 2), mpmath.sin(mpmath.mpf(b) / 2)
    total, difference = mpmath.mpf(a + g) / 2, mpmath.mpf(a - g) / 2
    parts = c * mpmath.cos(total), -s * mpmath.sin(difference), s * mpmath.cos(difference), c * mpmath.sin(total)
    return tuple(Fraction(int(mpmath.nint(part * 10**70)), 10**70) for part in parts)


POLES = (
    (1, 0, 0, 0),
    (0, 0, 1, 0),
    (0, 1, 0, 0),
    (0, 0, 0, 1),
    (10**15, 1, 0, 0),
    (1, -2, 10**12, 10**13),
    (3, 0, 0, 4),
)


def exact_cases(full: bool) -> Iterator[tuple[int, Sequence[Any], int]]:
    """(2l, quaternion, number of entries): angles in general position, poles, and near the poles."""
    general = [rational_rotation(1.25, 0.625, -2.5), rational_rotation(-0.75, 3.0, 0.5), (1, 2, 3, 4)]
    for q in (*general, *POLES) if full else (general[2], general[0], *POLES[:5:2]):
        for j in (1, 2, 3, 8, 17, 40, 60) if full else (1, 2, 4):
            yield j, q, 10**6 if j < 20 else 300


@claim(
    "2.4",
    "eq. (3)",
    "D^l_{m'm} = <l m'|R|l m> to 50 digits, l <= 30, half-integers, poles and near-poles",
    "Wigner's sum in mpmath",
    {"D": exact.wigner_D},
    WRONG,
    "10^-50",
)
def against_wigner_sum(subject: SimpleNamespace, full: bool) -> Cases:
    rng = random.Random(5)
    with mpmath.workdps(130):
        for j, q, count in exact_cases(full):
            D = subject.D(Fraction(j, 2), q)
            entries = [(a, b) for a in range(j + 1) for b in range(j + 1)]
            for a, b in entries if len(entries) <= count else rng.sample(entries, count):
                value = sum_entry(j, 2 * a - j, 2 * b - j, q)
                yield (j, q, a, b), abs(as_complex(D[a][b]) - value) * mpmath.mpf(10) ** 50


def as_complex(pair: Any) -> Any:
    """A pair of surds as an mpmath number."""
    parts = []
    for part in pair:
        sign, square = of_surd(part)
        parts.append(sign * mpmath.sqrt(mpmath.mpf(square.numerator) / square.denominator))
    return mpmath.mpc(*parts)


def exponential(l: int, angle: Any) -> Any:
    """exp(-i angle J_y) in fixed point with 400 bits: Taylor series of the scaled generator, then squarings."""
    bits, halvings = 400, 12
    one = 1 << bits
    K = np.zeros((2 * l + 1, 2 * l + 1), object)
    for m in range(-l, l):  # -i J_y = (J_- - J_+) / 2
        root = int(mpmath.nint(mpmath.sqrt((l - m) * (l + m + 1)) * angle / 2 ** (halvings + 1) * one))
        K[m + 1 + l, m + l], K[m + l, m + 1 + l] = -root, root
    identity = np.array([[one if a == b else 0 for b in range(2 * l + 1)] for a in range(2 * l + 1)], object)
    total, term, k = identity, identity, 0
    while np.any(term != 0) and np.any(term != -1):
        k += 1
        term = (term @ K >> bits) // k
        total = total + term
    for _ in range(halvings):
        total = total @ total >> bits
    return total, one


@claim(
    "2.5",
    "eq. (3)",
    "D = exp(-i a J_z) exp(-i b J_y) exp(-i g J_z) to 50 digits for real angles, l <= 30",
    "matrix exponential of the generators, 400 bits",
    {"D": exact.wigner_D},
    WRONG,
    "10^-50",
)
def against_exponential(subject: SimpleNamespace, full: bool) -> Cases:
    with mpmath.workdps(130):
        for a, b, g in (
            ((1.25, 0.625, -2.5), (-0.75, 3.0, 0.5), (0.5, 3.140625, 0.25)) if full else ((1.25, 0.625, -2.5),)
        ):
            q = rational_rotation(a, b, g)
            for l in (1, 2, 5, 12, 30) if full else (1, 2, 3):
                D, (d, one) = subject.D(l, q), exponential(l, mpmath.mpf(b))
                for m1 in range(-l, l + 1):
                    for m in range(-l, l + 1):
                        value = (
                            mpmath.expj(-(m1 * mpmath.mpf(a) + m * mpmath.mpf(g))) * mpmath.mpf(d[m1 + l, m + l]) / one
                        )
                        yield (a, b, g, l, m1, m), abs(as_complex(D[m1 + l][m + l]) - value) * mpmath.mpf(10) ** 50


def float_rotations(full: bool) -> Any:
    """Rotations in general position, at the poles and next to them."""
    rng = np.random.default_rng(6)
    special = [
        (0, 0, 0, 1),
        (1, 0, 0, 0),
        (0, 1, 0, 0),
        (0, 0, 1, 0),
        (1e-9, 0, 0, 1),
        (1, 1e-12, 0, 1e-13),
        (0.5, 0.5, 0.5, 0.5),
    ]
    return Rotation.from_quat(
        np.concatenate([rng.standard_normal((4 if full else 2, 4)), special if full else special[:5:4]])
    )


def kernel_bound(l: int, basis: str) -> int:
    """The bound of the page for a rotation of scipy, in units of u."""
    return 75 * l + 12 if basis == "real" else 53 * l + 4


def float_fault(l: int, rotation: Any, basis: str) -> Any:
    """Planted: a matrix stored in float32."""
    D = nbody_ref.wigner_D(l, rotation, basis)
    return D.astype(np.complex64 if basis == "complex" else np.float32).astype(D.dtype)


@claim(
    "2.6",
    "docs/derivations/wigner.md",
    "float64 D to degree 64, both gauges, poles included",
    "Wigner's sum at 150 digits",
    {"D": nbody_ref.wigner_D},
    {
        "D transposed": {"D": lambda l, R, basis: np.swapaxes(nbody_ref.wigner_D(l, R, basis), -1, -2)},
        "stored in float32": {"D": float_fault},
        "inverse rotation": {"D": lambda l, R, basis: nbody_ref.wigner_D(l, R.inv(), basis)},
    },
    "(53 l + 4) u, real gauge (75 l + 12) u",
    rho=lambda case: ((f"wigner_D, {case[4]}", "float64", case[0]), kernel_bound(case[0], case[4])),
)
def kernels(subject: SimpleNamespace, full: bool) -> Cases:
    rotations, rng = float_rotations(full), random.Random(7)
    quaternions = [[Fraction(float(w)), *(Fraction(float(a)) for a in v)] for *v, w in rotations.as_quat()]
    with mpmath.workdps(150):
        for l in (0, 1, 2, 3, 5, 8, 16, 32, 64) if full else (1, 2, 4):
            bound, real_bound = (kernel_bound(l, basis) * mpmath.mpf(2) ** -53 for basis in ("complex", "real"))
            D, real = (subject.D(l, rotations, basis) for basis in ("complex", "real"))
            rows = [(a, b) for a in range(-l, l + 1) for b in range(-l, l + 1)]
            for k, q in enumerate(quaternions):
                for m1, m in rows if len(rows) <= 60 else rng.sample(rows, 60):
                    value = sum_entry(2 * l, 2 * m1, 2 * m, q)
                    yield (l, k, m1, m, "complex"), abs(mpmath.mpc(complex(D[k, m1 + l, m + l])) - value) / bound
                    yield (
                        (l, k, m1, m, "real"),
                        abs(mpmath.mpf(float(real[k, m1 + l, m + l])) - real_entry(l, m1, m, q)) / real_bound,
                    )


def real_entry(l: int, m1: int, m: int, q: Sequence[Any]) -> Any:
    """(U D U^dagger)_{m'm} with U of Y_real = U conj(Y_complex)."""
    total = mpmath.mpc(0)
    for n1, u in unitary_row(m1):
        for n, v in unitary_row(m):
            total += u * mpmath.conj(v) * sum_entry(2 * l, 2 * n1, 2 * n, q)
    return total.real


def unitary_row(m: int) -> list[tuple[int, Any]]:
    """Row m of U: R_m = sqrt2 (-1)^m Re Y_m, R_-m = sqrt2 (-1)^m Im Y_m, m > 0, in terms of conj(Y)."""
    half, n = mpmath.sqrt(mpmath.mpf(1) / 2), abs(m)
    if m == 0:
        return [(0, mpmath.mpf(1))]
    sign = (-1) ** n
    return [(-n, half), (n, sign * half)] if m > 0 else [(-n, -1j * half), (n, 1j * sign * half)]


def no_parity(irreps: Irreps, rotation: Any, inversion: bool) -> Any:
    """Planted: the inversion ignored."""
    return irreps.D(rotation)


@claim(
    "2.7",
    "eq. (3)",
    "improper elements: D(R, inversion) = diag(p) D(R), parts and channels in their places",
    "blocks assembled by index",
    {"D": lambda irreps, R, inversion: irreps.D(R, inversion)},
    {
        "inversion ignored": {"D": no_parity},
        "parity (-1)^l instead of p": {
            "D": lambda irreps, R, inversion: Irreps(
                [(mul, nbody_ref.Irrep(ir.l, (-1) ** ir.l)) for mul, ir in irreps]
            ).D(R, inversion)
        },
    },
)
def improper(subject: SimpleNamespace, full: bool) -> Cases:
    R = Rotation.from_quat([1.0, -2.0, 0.5, 3.0])
    for text in ("2x0e + 1x1o", "1x1e + 3x2o + 1x0o", "2x3o + 1x3e"):
        irreps = Irreps(text)
        for inversion in (False, True):
            D, start = subject.D(irreps, R, inversion), 0
            expected = np.zeros((irreps.dim, irreps.dim))
            for mul, irrep in irreps:
                block = nbody_ref.wigner_D(irrep.l, R) * (irrep.p if inversion else 1)
                for a in range(irrep.dim):
                    for b in range(irrep.dim):
                        for c in range(mul):
                            expected[start + a * mul + c, start + b * mul + c] = block[a, b]
                start += irrep.dim * mul
            yield (text, inversion), np.count_nonzero(D != expected)


if __name__ == "__main__":
    sys.exit(main())
