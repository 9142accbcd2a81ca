"""Numbers of cyclotomic fields against complex floats, and pairs of neighbourhoods that k legs cannot tell apart."""

import runpy
from collections import Counter
from fractions import Fraction
from itertools import product
from math import gcd, pi
from pathlib import Path

import numpy as np
import pytest

from nbody_ref import Irrep
from nbody_ref.errors import ArgumentError
from nbody_ref.exact.cyclotomic import Cyclotomic, cyclotomic_polynomial, on_a_circle
from nbody_ref.exact.definition import Child, Leg, legs_product
from nbody_ref.exact.gauges import MONOMIAL
from nbody_ref.exact.ring import Gauss


@pytest.mark.parametrize("n", [1, 2, 3, 8, 15, 36, 105])
def test_roots_of_the_polynomial_are_the_primitive_ones(n):
    values = [np.polyval(cyclotomic_polynomial(n)[::-1], np.exp(2j * pi * k / n)) for k in range(n)]
    assert [abs(v) < 1e-9 for v in values] == [gcd(k, n) == 1 for k in range(n)]
    assert len(cyclotomic_polynomial(n)) - 1 == sum(gcd(k, n) == 1 for k in range(n))


def value(x):
    return sum(float(c) * np.exp(2j * pi * k / x.n) for k, c in enumerate(x.coefficients))


def test_arithmetic_is_that_of_complex_numbers():
    rng = np.random.default_rng(0)
    for n in (5, 12, 36):
        a, b = (Cyclotomic(n, [Fraction(int(c), 3) for c in rng.integers(-5, 6, n)]) for _ in range(2))
        for found, wanted in ((a + b, value(a) + value(b)), (a * b, value(a) * value(b)), (a - b, value(a) - value(b)),
                              (2 - a, 2 - value(a)), (3 * a / 7, 3 * value(a) / 7)):  # fmt: skip
            assert abs(value(found) - wanted) < 1e-12
        assert a - a == 0 and not a - a and a * b == b * a and (a + b) * b == a * b + b * b and hash(a) == hash(a + 0)
    assert Cyclotomic.root(4, 1) * Cyclotomic.root(4, 1) == -1
    with pytest.raises(ValueError, match="of one field"):
        Cyclotomic.root(4, 1) + Cyclotomic.root(5, 1)
    with pytest.raises(ArgumentError, match="'n' must be a positive integer"):
        Cyclotomic(0, (1,))


# polygon, two sets of its corners, legs that cannot tell them apart, degrees of as many legs and one more that can
PAIRS = {
    2: (8, (0, 1), (0, 2), (1, 1)),
    3: (8, (0, 1, 2, 5), (0, 1, 3, 4), (1, 1, 2)),
    4: (18, (0, 1, 2, 3, 4, 6, 8, 14, 15), (0, 1, 2, 3, 5, 6, 7, 9, 13), (1, 1, 1, 3)),
}


def test_the_picture_of_the_page_shows_these_pairs():
    folder = Path(__file__).parents[2] / "docs" / "figures"
    made = runpy.run_path(str(folder / "make_universality.py"))
    assert made["PAIRS"] == {legs: pair[:3] for legs, pair in PAIRS.items()}
    for name, picture in made["figures"]().items():
        assert (folder / name).read_text(encoding="utf-8") == picture, "run docs/figures/make_universality.py"


def shape(corners, n):
    """A tuple of corners up to rotations and reflections of the polygon, the order of its points forgotten."""
    turned = [sorted((s * c - s * first) % n for c in corners) for s in (1, -1) for first in corners]
    return tuple(min(turned))


def shapes(corners, n, legs):
    return Counter(shape(some, n) for some in product(corners, repeat=legs))


@pytest.mark.parametrize("legs", PAIRS)
def test_tuples_of_fewer_legs_have_the_same_shapes(legs):
    """Integers: whatever k legs compute is a sum over tuples of k neighbours, and congruent tuples count alike."""
    n, one, two, _ = PAIRS[legs]
    for k in range(1, legs + 1):
        assert (shapes(one, n, k) == shapes(two, n, k)) == (k < legs)
    moved = (*two[:-1], (two[-1] + 1) % n)
    assert shapes(one, n, max(1, legs - 1)) != shapes(moved, n, max(1, legs - 1)) or legs == 2  # planted error


def invariants(corners, n, degrees):
    """All couplings to degree 0 of summed legs of these degrees, on a density of equal atoms; exact numbers."""
    children = [Child(on_a_circle(c, n), [(Irrep(0), [[Gauss(1, 0)]])]) for c in corners]
    found = legs_product(children, [Leg((l,)) for l in degrees], MONOMIAL, {Irrep(0)})
    return [x for _, fragments in found for (x,) in fragments]


@pytest.mark.parametrize("legs", PAIRS)
def test_as_many_legs_differ_and_fewer_do_not_exactly(legs):
    n, one, two, degrees = PAIRS[legs]
    assert any(a != b for a, b in zip(invariants(one, n, degrees), invariants(two, n, degrees), strict=True))
    fewer = {1: [(0,), (1,), (2,)], 2: [(1, 1), (2, 2), (3, 3)], 3: [(1, 1, 2), (1, 2, 3), (2, 2, 2), (3, 3, 2)]}
    for degrees in fewer[legs - 1]:
        a, b = invariants(one, n, degrees), invariants(two, n, degrees)
        assert all(x - y == 0 for x, y in zip(a, b, strict=True))
        assert legs < 3 or any(x != 0 for x in a)
