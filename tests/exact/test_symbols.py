"""Symbols by second routes: sums over components, ladder-built coefficients, integrals of polynomials, sympy."""

import random
from fractions import Fraction
from itertools import product
from math import prod

import mpmath
import numpy as np
import pytest
import sympy
from sympy.physics import wigner

from nbody_ref.errors import ArgumentError, ShapeError
from nbody_ref.exact import (
    OverRootPi,
    Surd,
    clebsch_gordan,
    gaunt,
    nine_j,
    racah_w,
    real_gaunt,
    six_j,
    solid_harmonic,
    surd_sum,
    three_j,
)

HALF = Fraction(1, 2)


def spin(rng, top):
    return Fraction(rng.randrange(top + 1), 2)


def between(a, b):
    """Spins that a and b couple to."""
    low = abs(a - b)
    return [low + k for k in range(int(a + b - low) + 1)]


def components(j):
    return [k - j for k in range(int(2 * j) + 1)]


def from_sympy(value):
    square = sympy.expand(value**2)
    return Surd(int(sympy.sign(value)), int(square.p), int(square.q))


def sp(*labels):
    return [sympy.Rational(Fraction(x).numerator, Fraction(x).denominator) for x in labels]


def random_three(rng, top):
    a, b = spin(rng, top), spin(rng, top)
    c = rng.choice(between(a, b))
    m, n = rng.choice(components(a)), rng.choice(components(b))
    return (a, m, b, n, c, -m - n)


def random_six(rng, top):
    a, b, d = spin(rng, top), spin(rng, top), spin(rng, top)
    c, f = rng.choice(between(a, b)), rng.choice(between(b, d))
    return a, b, c, d, rng.choice([*(set(between(d, c)) & set(between(a, f))), spin(rng, top)]), f


def random_nine(rng, top):
    a, b, d, e = (spin(rng, top) for _ in range(4))
    c, f, g, h = (rng.choice(between(*pair)) for pair in ((a, b), (d, e), (a, d), (b, e)))
    return a, b, c, d, e, f, g, h, rng.choice(sorted(set(between(g, h)) & set(between(c, f))) or [Fraction(0)])


def test_three_j_equals_sympy_half_integers_included():
    rng = random.Random(1)
    for _ in range(150):
        labels = random_three(rng, 15)
        assert three_j(*labels) == from_sympy(wigner.wigner_3j(*sp(*labels[::2], *labels[1::2])))


def three_j_errors(function):
    """Labels up to 2 where a function breaks the symmetries or orthogonality that fix the 3j symbols up to one sign."""
    found = []
    for a, b in product([Fraction(k, 2) for k in range(5)], repeat=2):
        for c in between(a, b):
            sign = (-1) ** int(a + b + c)
            total = Fraction(0)
            for m, n in product(components(a), components(b)):
                if abs(m + n) > c:
                    continue
                x = function(a, m, b, n, c, -m - n)
                same = function(b, n, c, -m - n, a, m)
                odd = (function(b, n, a, m, c, -m - n), function(a, -m, b, -n, c, m + n))
                if x != same or any(x != y * sign for y in odd):
                    found.append((a, m, b, n, c))
                total += x.square()
            if total != 1:
                found.append((a, b, c))
            if function(a, a, b, -b, c, b - a).sign != (-1) ** int(a - b - (b - a)):
                found.append((a, b, c, "sign"))
    return found


def test_three_j_has_its_symmetries_norm_and_sign():
    assert not three_j_errors(three_j)


def test_lost_phase_of_a_half_integer_is_seen():
    def lost(*labels):  # (-1)^(j1 - j2 - m3) taken with j1 - j2 rounded to an integer
        value = three_j(*labels)
        return -value if labels[0].denominator == 2 and labels[2].denominator == 2 else value

    assert three_j_errors(lost)


def six_by_components(a, b, c, d, e, f):
    """The definition of 6j: four 3j symbols contracted over all components."""
    terms = [Surd(0, 0)]
    for m, n, q in product(components(a), components(b), components(d)):
        o, s = -m - n, q + n
        r = m + s
        if abs(o) <= c and abs(r) <= e and abs(s) <= f:
            phase = (-1) ** int(sum(j - k for j, k in zip((a, b, c, d, e, f), (m, n, o, q, r, s))))
            left = three_j(a, -m, b, -n, c, -o) * three_j(a, m, e, -r, f, s)
            terms.append(left * three_j(d, q, b, n, f, -s) * three_j(d, -q, e, r, c, o) * phase)
    return surd_sum(terms)


def couple(a, b, c):
    return c in between(a, b)


def test_six_j_equals_the_contraction_of_four_three_j():
    rng, seen = random.Random(2), 0
    for _ in range(80):
        a, b, c, d, e, f = labels = random_six(rng, 4)
        admissible = couple(a, b, c) and couple(a, e, f) and couple(d, b, f) and couple(d, e, c)
        assert six_j(*labels) == (six_by_components(*labels) if admissible else 0)
        seen += admissible
    assert seen > 30


def nine_by_components(a, b, c, d, e, f, g, h, i):
    """Overlap of ((a b)c (d e)f)i with ((a d)g (b e)h)i, six coefficients contracted, over its square root of dims."""
    terms = [Surd(0, 0)]
    for m, n, o in product(components(a), components(b), components(d)):
        p = i - m - n - o
        if abs(p) <= e and abs(m + n) <= c and abs(o + p) <= f and abs(m + o) <= g and abs(n + p) <= h:
            left = clebsch_gordan(a, m, b, n, c, m + n) * clebsch_gordan(d, o, e, p, f, o + p)
            right = clebsch_gordan(a, m, d, o, g, m + o) * clebsch_gordan(b, n, e, p, h, n + p)
            tops = clebsch_gordan(c, m + n, f, o + p, i, i) * clebsch_gordan(g, m + o, h, n + p, i, i)
            terms.append(left * right * tops)
    return surd_sum(terms) / Surd(1, *Fraction(prod(2 * x + 1 for x in (c, f, g, h))).as_integer_ratio())


def test_nine_j_equals_the_overlap_of_two_couplings():
    rng = random.Random(3)
    cases = [labels for labels in (random_nine(rng, 4) for _ in range(60)) if nine_j(*labels)]
    assert len(cases) > 30
    for labels in cases:
        assert nine_j(*labels) == nine_by_components(*labels)


def test_nine_j_equals_sympy():
    rng = random.Random(4)
    for labels in [random_nine(rng, 6) for _ in range(25)]:
        assert nine_j(*labels) == from_sympy(sympy.simplify(wigner.wigner_9j(*sp(*labels))))


def test_nine_j_with_a_zero_is_a_six_j():
    rng = random.Random(5)
    for _ in range(40):
        a, b, c, d, e, f = random_six(rng, 12)
        reduced = six_j(a, b, c, d, e, f) / Surd(1, *Fraction((2 * c + 1) * (2 * f + 1)).as_integer_ratio())
        assert nine_j(a, b, c, e, d, c, f, f, 0) == reduced * (-1) ** int(b + c + e + f if reduced else 0)


def test_racah_w_equals_sympy():
    rng = random.Random(6)
    for _ in range(60):
        a, b, e, d, c, f = labels = random_six(rng, 9)
        if couple(a, b, e) and couple(a, c, f) and couple(d, b, f) and couple(d, c, e):
            assert racah_w(a, b, c, d, e, f) == from_sympy(wigner.racah(*sp(a, b, c, d, e, f)))
        else:
            assert racah_w(a, b, c, d, e, f) == 0, labels


def double_factorial(n):
    return prod(range(n, 0, -2))


def integral(labels, basis):
    """Integral over the sphere of three harmonics, from their polynomials, times sqrt(pi)."""
    harmonics = [solid_harmonic(l, m, basis=basis) for l, m in zip(labels[::2], labels[1::2])]
    total = 0
    for picked in product(*(h.terms.items() for h in harmonics)):
        x, y, z = (sum(powers[k] for powers, _ in picked) for k in range(3))
        if not (x % 2 or y % 2 or z % 2):  # the mean of x^a y^b z^c over the sphere
            above = double_factorial(x - 1) * double_factorial(y - 1) * double_factorial(z - 1)
            total += prod((c for _, c in picked), start=Fraction(above, double_factorial(x + y + z + 1)))
    imaginary = getattr(total, "im", 0)
    assert imaginary == 0
    return prod((h.scale for h in harmonics), start=Surd(1, 1, 4)) * Fraction(getattr(total, "re", total))


DEGREES = [(0, 0, 0), (1, 1, 0), (1, 1, 2), (2, 2, 2), (1, 2, 3), (3, 2, 3), (2, 2, 4), (1, 1, 1), (1, 3, 1)]


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize(("function", "basis"), [(gaunt, "complex"), (real_gaunt, "real")])
def test_gaunt_is_the_integral_of_three_polynomials(function, basis, degrees):
    orders = product(*(range(-l, l + 1) for l in degrees))
    for labels in [[x for pair in zip(degrees, ms) for x in pair] for ms in orders]:
        assert function(*labels) == OverRootPi(integral(labels, basis)), labels


def test_gaunt_and_real_gaunt_equal_sympy():
    rng, nonzero = random.Random(7), 0
    for _ in range(400):
        l1, l2 = rng.randrange(6), rng.randrange(6)
        l3 = rng.randrange(abs(l1 - l2), l1 + l2 + 1, 2)
        m1, m2, m3 = (rng.randint(-l, l) for l in (l1, l2, l3))
        m3 = rng.choice([m3, min(l3, max(-l3, m1 + m2)), max(-l3, min(l3, -m1 - m2))])
        mine = gaunt(l1, m1, l2, m2, l3, m3), real_gaunt(l1, m1, l2, m2, l3, m3)
        if not any(mine) and nonzero > 25:
            continue
        theirs = [f(l1, l2, l3, m1, m2, m3) * sympy.sqrt(sympy.pi) for f in (wigner.gaunt, wigner.real_gaunt)]
        assert [x.surd for x in mine] == [from_sympy(x) for x in theirs]
        nonzero += any(mine)
    assert nonzero > 25


SYMBOLS = [
    (three_j, random_three),
    (six_j, random_six),
    (nine_j, random_nine),
]


@pytest.mark.parametrize(("function", "draw"), SYMBOLS)
@pytest.mark.parametrize("fmt", ["float64", "float32", "float16", "bfloat16"])
def test_rounding_is_to_the_nearest(function, draw, fmt, nearest):
    rng = random.Random(8)
    with mpmath.workdps(80):
        for labels in [draw(rng, 24) for _ in range(40)]:
            value = function(*labels)
            assert value.round(fmt) == nearest(value.sign * mpmath.sqrt(mpmath.mpf(value.p) / value.q), fmt)
            assert float(value) == value.round("float64")


def test_gaunt_is_rounded_to_the_nearest(nearest):
    rng = random.Random(9)
    with mpmath.workdps(80):
        for _ in range(60):
            l1, l2 = rng.randrange(30), rng.randrange(30)
            l3, m1, m2 = rng.randrange(abs(l1 - l2), l1 + l2 + 1, 2), rng.randint(-l1, l1), rng.randint(-l2, l2)
            for value in (gaunt(l1, m1, l2, m2, l3, -m1 - m2), real_gaunt(l1, m1, l2, m2, l3, abs(m1) + abs(m2))):
                size = mpmath.sqrt(mpmath.mpf(value.surd.p) / value.surd.q / mpmath.pi)
                assert float(value) == nearest(value.surd.sign * size, "float64")
                assert value.round("float32") == nearest(value.surd.sign * size, "float32")


def by_logarithms(labels):
    """3j symbol in 400 digits from Racah's sum with gamma functions: another formula and another arithmetic."""
    a, x, b, y, c, z = (mpmath.mpf(Fraction(v).numerator) / Fraction(v).denominator for v in labels)
    f = mpmath.factorial
    total = mpmath.mpf(0)
    for t in range(int(max(0, b - c - x, a - c + y)), int(min(a + b - c, a - x, b + y)) + 1):
        total += (-1) ** t / (
            f(t) * f(c - b + t + x) * f(c - a + t - y) * f(a + b - c - t) * f(a - t - x) * f(b - t + y)
        )
    delta = f(a + b - c) * f(a - b + c) * f(b + c - a) / f(a + b + c + 1)
    return (-1) ** int(a - b - z) * mpmath.sqrt(
        delta * f(a + x) * f(a - x) * f(b + y) * f(b - y) * f(c + z) * f(c - z)
    ) * total  # fmt: skip


@pytest.mark.parametrize(
    "labels",
    [
        (300, 10, 280, -50, 200, 40),
        (300, 0, 300, 0, 300, 0),
        (300.5, 0.5, 299, -7, 299.5, 6.5),
        (300, 300, 300, -300, 0, 0),
    ],
)
def test_three_j_of_spins_of_three_hundred(labels, nearest):
    with mpmath.workdps(400):
        assert float(three_j(*labels)) == nearest(by_logarithms(labels), "float64")


def test_six_j_and_nine_j_of_spins_of_three_hundred_are_orthogonal_and_reduce():
    a, b, d, e = 300, 299 + HALF, 298 + HALF, 1
    columns = between(d, e)
    rows = [c for c in between(a, b) if c in columns]
    assert rows
    for c, k in product(columns, repeat=2):
        total = Fraction(0)
        for f in sorted(set(between(a, e)) & set(between(d, b))):
            term = six_j(a, b, c, d, e, f) * six_j(a, b, k, d, e, f)
            total += term.as_fraction() * (2 * f + 1) * (2 * c + 1) if c == k else 0
        assert total == (1 if c == k else 0)
    assert nine_j(300, 300, 300, 300, 300, 300, 300, 300, 0) == six_j(*(300,) * 6) / 601  # (-1)^1200
    assert nine_j(300, 200, 250, 300, 200, 251, 300, 200, 300) == -nine_j(300, 200, 251, 300, 200, 250, 300, 200, 300)


def biedenharn_elliott(function, top, rng, count):
    """Labels where sum over x of three 6j is not the product of two, drawn up to doubled spin `top`."""
    wrong, seen = [], 0
    while seen < count:
        a, b, c, d, e, f = (Fraction(rng.randrange(top + 1), 2) for _ in range(6))
        g, h, j = (rng.choice(between(*pair)) for pair in ((a, d), (d, e), (a, f)))
        triads = (b, c, g), (c, f, h), (e, b, j), (g, h, j)
        if max(g, h, j) > Fraction(top, 2) or not all(couple(*triad) for triad in triads):
            continue
        seen += 1
        terms = [Surd(0, 0)]
        for x in sorted(set(between(a, b)) & set(between(c, d)) & set(between(e, f))):
            sign = (-1) ** int(a + b + c + d + e + f + g + h + j + x) * int(2 * x + 1)
            terms.append(function(a, b, x, c, d, g) * function(c, d, x, e, f, h) * function(e, f, x, b, a, j) * sign)
        if surd_sum(terms) != function(g, h, j, e, a, d) * function(g, h, j, f, b, c):
            wrong.append((a, b, c, d, e, f, g, h, j))
    return wrong


def test_biedenharn_elliott_holds_to_six():
    assert not biedenharn_elliott(six_j, 12, random.Random(10), 60)


def test_lost_sign_breaks_biedenharn_elliott():
    def wrong(*labels):
        return six_j(*labels) * (-1) ** int(labels[0] + labels[1] + labels[2])

    assert biedenharn_elliott(wrong, 6, random.Random(11), 30)


def nine_j_is_orthogonal(function, a, b, d, e, i):
    for c, f in [pair for pair in product(between(a, b), between(d, e)) if couple(*pair, i)][:3]:
        total = Fraction(0)
        for g, h in product(between(a, d), between(b, e)):
            square = function(a, b, c, d, e, f, g, h, i).square()
            total += square * (2 * g + 1) * (2 * h + 1) * (2 * c + 1) * (2 * f + 1)
        if total != 1:
            return False
    return True


def test_nine_j_is_orthogonal_to_six():
    rng = random.Random(12)
    for top in (4, 7, 12):
        a, b, d, e = (Fraction(rng.randrange(top - 2, top + 1), 2) for _ in range(4))
        assert nine_j_is_orthogonal(nine_j, a, b, d, e, (a + b + d + e) % 1 + 2)
    assert not nine_j_is_orthogonal(lambda *x: nine_j(*x) * Surd(1, 1, 1 + (x[6] == 1)), 1, 1, 1, 1, 0)


def test_zeros_are_zeros_and_not_errors():
    assert three_j(1, 0, 1, 0, 3, 0) == 0 and float(three_j(1, 0, 1, 0, 3, 0)) == 0.0  # triangle
    assert three_j(1, 0, 1, 1, 1, 0) == three_j(1, 2, 1, -2, 1, 0) == 0  # components
    assert three_j(HALF, HALF, 1, 0, 1, -1) == 0  # spins that sum to a half-integer
    assert six_j(1, 1, 3, 1, 1, 1) == six_j(HALF, 1, 1, 1, 1, 1) == racah_w(1, 1, 1, 1, 3, 1) == 0
    assert nine_j(1, 1, 3, 1, 1, 1, 1, 1, 1) == nine_j(HALF, 1, 1, 1, 1, 1, 1, 1, 1) == 0
    assert gaunt(1, 0, 1, 0, 1, 0) == real_gaunt(1, 1, 1, -1, 2, 0) == 0 and not gaunt(1, 0, 1, 0, 1, 0)
    assert gaunt(1, 5, 1, -5, 2, 0) == real_gaunt(1, 5, 1, 5, 2, 0) == 0  # beyond the degree


@pytest.mark.parametrize(
    ("function", "labels", "message"),
    [
        (three_j, (1, HALF, 1, 0, 1, 0), "three_j: 'm1' must differ from 'j1' by an integer, got m=Fraction"),
        (three_j, (1, 0, 1, 0, 1, 0.25), "three_j: 'm3' must be an integer or a half-integer, got 0.25"),
        (three_j, (1, 0, -1, 0, 1, 0), "three_j: 'j2' must not be negative, got -1"),
        (six_j, (1, 1, 1, 1, -0.5, 1), "six_j: 'j5' must not be negative, got -0.5"),
        (nine_j, (1, 1, 1, 1, 1, 1, 1, "1", 1), "nine_j: 'h' must be an integer or a half-integer, got '1'"),
        (gaunt, (1, 0, 0.5, 0, 1, 0), "gaunt: 'l2' must be an integer, got 0.5"),
        (real_gaunt, (1, 0.5, 1, 0, 1, 0), "real_gaunt: 'm1' must be an integer, got 0.5"),
    ],
)
def test_labels_that_cannot_be_are_refused(function, labels, message):
    with pytest.raises(ArgumentError, match=message):
        function(*labels)


def test_arrays_of_labels_give_arrays():
    j, m = np.arange(4)[:, None], np.array([0, 1])
    found = three_j(j, m, j, -m, 0, 0)
    assert found.shape == (4, 2) and found.dtype == object
    assert found.astype(float)[2, 1] == float(three_j(2, 1, 2, -1, 0, 0))
    assert nine_j([1, 2], 1, 1, [1, 2], 1, 1, 0, 0, 0) == [nine_j(k, 1, 1, k, 1, 1, 0, 0, 0) for k in (1, 2)]
    assert gaunt(1, [[0, 1], [1, 0]], 1, [[0, -1], [1, 0]], 2, 0)[0][1] == gaunt(1, 1, 1, -1, 2, 0)
    assert six_j(np.array([0.5]), 0.5, 1, 0.5, 0.5, 1)[0] == six_j(HALF, HALF, 1, HALF, HALF, 1)
    with pytest.raises(ShapeError, match="three_j: lists of labels must have one length, got"):
        three_j([1, 2], 0, [1, 2, 3], 0, 0, 0)
    with pytest.raises(ShapeError, match="six_j: arrays of labels must go together"):
        six_j(np.zeros(2), np.zeros(3), 0, 0, 0, 0)
    with pytest.raises(ArgumentError, match="'j1' must not be negative"):
        three_j(np.array([1, -1]), 0, 1, 0, 0, 0)


def test_number_over_root_pi_is_a_number():
    x = gaunt(0, 0, 0, 0, 0, 0)
    assert x == OverRootPi(Surd(1, 1, 4)) and x * 2 == OverRootPi(Surd(1, 1)) == 2 * x
    assert -x != x and x != Surd(1, 1, 4)
    assert str(x) == "sqrt(1/4/pi)" and str(-x) == "-sqrt(1/4/pi)" and len({x, x * 1, -x}) == 2
