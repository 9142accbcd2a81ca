"""Solid and spherical harmonics: secs. 4.0.1 and 4.1 of the N-body paper, docs/derivations/harmonics.md."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from types import SimpleNamespace

import sympy
from _claims import Cases, claim, main
from _judge import of_surd, rational, weight
from _polynomials import SQUARE, Poly, add, complex_polynomial, degrees, derivative, legendre, real_polynomial, times
from sympy.physics.wigner import clebsch_gordan as judge

from nbody_ref.exact import Harmonic, Surd, clebsch_gordan, solid_harmonic


def parts(harmonic: Harmonic) -> tuple[Poly, Poly]:
    """Terms of a package harmonic, real and imaginary."""
    re = {powers: Fraction(getattr(c, "re", c)) for powers, c in harmonic.terms.items()}
    im = {powers: Fraction(getattr(c, "im", 0)) for powers, c in harmonic.terms.items()}
    return add({}, re), add({}, im)


def shortley(l: int, m: int, normalization: str, basis: str) -> Harmonic:
    """Planted: without the Condon-Shortley phase in the complex gauge, with it in the real one."""
    h = solid_harmonic(l, m, normalization, basis)
    return Harmonic(h.scale * (-1) ** max(m if basis == "complex" else abs(m), 0), h.over_4pi, h.terms)


def unconjugated(l: int, m: int, normalization: str, basis: str) -> Harmonic:
    """Planted: Y instead of conj(Y); cosines and sines exchanged in the real gauge."""
    h = solid_harmonic(l, -m, normalization, basis)
    return Harmonic(h.scale * ((-1) ** abs(m) if basis == "complex" else 1), h.over_4pi, h.terms)


def missing_root_two(l: int, m: int, normalization: str, basis: str) -> Harmonic:
    """Planted: the factor sqrt 2 of m != 0 missing."""
    h = solid_harmonic(l, m, normalization, basis)
    return Harmonic(h.scale * Surd(1, 1, 2) if m else h.scale, h.over_4pi, h.terms)


def without_trace(l: int, m: int, normalization: str, basis: str) -> Harmonic:
    """Planted: one term missing, as from a mistyped coefficient."""
    h = solid_harmonic(l, m, normalization, basis)
    return Harmonic(h.scale, h.over_4pi, dict(list(h.terms.items())[: 1 if l == 2 else None]))


WRONG = {
    "Condon-Shortley phase": {"harmonic": shortley},
    "Y for conj(Y)": {"harmonic": unconjugated},
    "sqrt 2 missing": {"harmonic": missing_root_two},
}


@claim(
    "5.1",
    "sec. 4.1",
    "solid harmonics, both gauges, three normalizations, equal Rodrigues' formula, l <= 12",
    "sympy, polynomials",
    {"harmonic": solid_harmonic},
    WRONG,
)
def against_rodrigues(subject: SimpleNamespace, full: bool) -> Cases:
    for l, m in degrees(full, 12):
        constant, p = real_polynomial(l, m)
        square, *pq = complex_polynomial(l, m)
        for basis, wanted, squared in (("real", (p, {}), constant), ("complex", pq, square)):
            for normalization, factor, over in (
                ("norm", 1, False),
                ("component", 2 * l + 1, False),
                ("integral", 2 * l + 1, True),
            ):
                h = subject.harmonic(l, m, normalization, basis)
                scale = rational(of_surd(h.scale), squared * factor)
                same = all(not add(q, found, -scale) for q, found in zip(wanted, parts(h)))
                yield (l, m, basis, normalization), 0 if same and h.over_4pi == over else 1


@claim(
    "5.2",
    "sec. 4.1",
    "solid harmonics are homogeneous of degree l and their Laplacian vanishes, both gauges, l <= 12",
    "derivatives of polynomials",
    {"harmonic": solid_harmonic},
    {"one term missing": {"harmonic": without_trace}},
)
def harmonic_and_homogeneous(subject: SimpleNamespace, full: bool) -> Cases:
    for l, m in degrees(full, 12):
        for basis in ("real", "complex"):
            for p in parts(subject.harmonic(l, m, "norm", basis)):
                laplacian: Poly = {}
                for axis in range(3):
                    laplacian = add(laplacian, derivative(derivative(p, axis), axis))
                yield (l, m, basis), len(laplacian) + sum(sum(powers) != l for powers in p)


def sphere_mean(p: Poly) -> Fraction:
    """Integral over the unit sphere divided by 4 pi: monomials give (i-1)!!(j-1)!!(k-1)!!/(i+j+k+1)!!."""
    odd = lambda n: math.prod(range(n, 0, -2))  # noqa: E731
    total = Fraction(0)
    for powers, c in p.items():
        if not any(n % 2 for n in powers):
            total += Fraction(c) * Fraction(math.prod(odd(n - 1) for n in powers), odd(sum(powers) + 1))
    return total


@claim(
    "5.3",
    "sec. 4.1",
    "real harmonics are orthonormal on the sphere, l <= 8",
    "exact integrals of monomials",
    {"harmonic": solid_harmonic},
    {"sqrt 2 missing": WRONG["sqrt 2 missing"], "one term missing": {"harmonic": without_trace}},
)
def orthonormal(subject: SimpleNamespace, full: bool) -> Cases:
    every = list(degrees(full, 8))
    polynomials = {k: subject.harmonic(*k, "component", "real") for k in every}
    for i, a in enumerate(every):
        for b in every[: i + 1]:
            mean = sphere_mean(times(polynomials[a].terms, polynomials[b].terms))
            if a == b:
                yield (a, b), mean * of_surd(polynomials[a].scale)[1] - 1
            else:
                yield (a, b), mean


@claim(
    "5.4",
    "sec. 4.1",
    "addition theorem sum_m Y_m(r) Y_m(r') = |r|^l |r'|^l P_l(cos) as a polynomial identity, l <= 7",
    "Rodrigues' formula, polynomials in six variables",
    {"harmonic": solid_harmonic},
    {"sqrt 2 missing": WRONG["sqrt 2 missing"], "one term missing": {"harmonic": without_trace}},
)
def addition_theorem(subject: SimpleNamespace, full: bool) -> Cases:
    zero = (0, 0, 0)
    dot: Poly = {(1, 0, 0, 1, 0, 0): 1, (0, 1, 0, 0, 1, 0): 1, (0, 0, 1, 0, 0, 1): 1}
    squares = times({(*k, *zero): c for k, c in SQUARE.items()}, {(*zero, *k): c for k, c in SQUARE.items()})
    for l in range(8 if full else 4):
        left: Poly = {}
        for m in range(-l, l + 1):
            h = subject.harmonic(l, m, "norm", "real")
            ours = times({(*k, *zero): c for k, c in h.terms.items()}, {(*zero, *k): c for k, c in h.terms.items()})
            left = add(left, ours, of_surd(h.scale)[1])
        right: Poly = {}
        for k, c in enumerate(legendre(l, 0)):
            if c:
                power: Poly = {(0,) * 6: c}
                for factor, count in ((dot, k), (squares, (l - k) // 2)):
                    for _ in range(count):
                        power = times(power, factor)
                right = add(right, power)
        yield l, len(add(left, right, -1))


def product_of(subject: SimpleNamespace, l1: int, l2: int, l: int, m: int) -> tuple[Poly, Poly]:
    """[Y_l1 x Y_l2]^l_m over its expected constant, real and imaginary, for forms of unit factorial norm."""
    total: list[Poly] = [{}, {}]
    for m1 in range(max(-l1, m - l2), min(l1, m + l2) + 1):
        sign, square = of_surd(subject.cg(l1, m1, l2, m - m1, l, m))
        if not sign:
            continue
        a, b = subject.harmonic(l1, m1, "norm", "complex"), subject.harmonic(l2, m - m1, "norm", "complex")
        size = square * of_surd(a.scale)[1] * of_surd(b.scale)[1] / weight(2 * l, 2 * m)
        (p, q), (s, t) = parts(a), parts(b)
        factor = rational((sign, size / base(l1, l2, l)), 1)
        total[0] = add(add(total[0], times(p, s), factor), times(q, t), -factor)
        total[1] = add(add(total[1], times(p, t), factor), times(q, s), factor)
    return total[0], total[1]


def base(l1: int, l2: int, l: int) -> Fraction:
    """Square of <l1 0 l2 0|l 0>, from sympy."""
    found = judge(l1, l2, l, 0, 0, 0) ** 2
    return Fraction(int(found.p), int(found.q))


@claim(
    "5.5",
    "sec. 4.1",
    "[Y_l1 x Y_l2]^l = <l1 0 l2 0|l 0> |r|^(l1+l2-l) Y_l, l1 = 1 to l2 = 9, and all triples <= 4",
    "polynomial identity, constants from sympy",
    {"harmonic": solid_harmonic, "cg": clebsch_gordan},
    {
        "Y for conj(Y)": WRONG["Y for conj(Y)"],
        "factors swapped, m reversed": {"cg": lambda l1, m1, l2, m2, l, m: clebsch_gordan(l1, -m1, l2, m2, l, m2 - m1)},
    },
)
def recursion(subject: SimpleNamespace, full: bool) -> Cases:
    triples = [(1, l - 1, l) for l in range(1, 11 if full else 4)]
    top = 5 if full else 3
    triples += [
        (a, b, c)
        for a in range(top)
        for b in range(top)
        for c in range(abs(a - b), min(a + b, top - 1) + 1)
        if (a + b + c) % 2 == 0
    ]
    for l1, l2, l in triples:
        sign = int(sympy.sign(judge(l1, l2, l, 0, 0, 0)))
        for m in range(-l, l + 1):
            h = subject.harmonic(l, m, "norm", "complex")
            own = rational((of_surd(h.scale)[0], of_surd(h.scale)[1] / weight(2 * l, 2 * m)), 1) * sign
            for found, wanted in zip(product_of(subject, l1, l2, l, m), parts(h)):
                for _ in range((l1 + l2 - l) // 2):
                    wanted = times(wanted, SQUARE)
                yield (l1, l2, l, m), len(add(found, wanted, -own))


if __name__ == "__main__":
    sys.exit(main())
