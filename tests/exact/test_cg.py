"""Clebsch-Gordan coefficients and 6j symbols against sympy's, and the theorems that fix the gauges."""

import random
from fractions import Fraction

import pytest
import sympy
from sympy.physics.wigner import clebsch_gordan as sympy_cg
from sympy.physics.wigner import wigner_6j as sympy_6j

from nbody_ref.errors import ArgumentError
from nbody_ref.exact import cg
from nbody_ref.exact.cg import (
    _real,
    _table,
    cg_integer,
    cg_table,
    cg_table_real,
    clebsch_gordan,
    clebsch_gordan_real,
    real_unitary,
    triples,
)
from nbody_ref.exact.surd import Surd, surd_sum
from nbody_ref.exact.symbols import six_j


def from_sympy(value):
    square = sympy.nsimplify(value**2)
    return Surd(int(sympy.sign(value)), int(square.p), int(square.q))


def half(doubled):
    return sympy.Rational(doubled, 2)


def as_tensor(table):
    return {(m1, m2, m): value for m1, m2, m, value in table}


def sympy_column(l1, l2, l):
    return {
        (m1, m - m1, m): from_sympy(value)
        for m in range(-l, l + 1)
        for m1 in range(max(-l1, m - l2), min(l1, m + l2) + 1)
        if (value := sympy_cg(l1, l2, l, m1, m - m1, m)) != 0
    }


@pytest.mark.parametrize("l1", range(5))
def test_every_coefficient_to_degree_four_equals_sympy(l1):
    for l2 in range(5):
        for l in range(abs(l1 - l2), min(l1 + l2, 4) + 1):
            assert as_tensor(cg_table(l1, l2, l)) == sympy_column(l1, l2, l)


def test_exchange_of_the_factors_gives_the_sign_of_the_triple():
    for l1, l2, l in triples(6):
        sign = (-1) ** (l1 + l2 - l)
        for table in (cg_table, cg_table_real):
            swapped = as_tensor(table(l2, l1, l))
            assert {(b, a, c): value * sign for (a, b, c), value in swapped.items()} == as_tensor(table(l1, l2, l))


def test_samples_to_degree_twenty_half_integers_included_equal_sympy():
    rng = random.Random(5)
    seen = 0
    while seen < 120:
        j1, j2 = rng.randrange(41), rng.randrange(41)
        j = rng.randrange(abs(j1 - j2), j1 + j2 + 1, 2)
        n1, n2 = rng.randrange(-j1, j1 + 1, 2), rng.randrange(-j2, j2 + 1, 2)
        if abs(n1 + n2) > j or j > 40:
            continue
        seen += 1
        ours = clebsch_gordan(*(Fraction(x, 2) for x in (j1, n1, j2, n2, j, n1 + n2)))
        assert ours == from_sympy(sympy_cg(*map(half, (j1, j2, j, n1, n2, n1 + n2))))


def test_table_and_single_coefficients_agree_and_are_ordered():
    for l1, l2, l in [(2, 3, 4), (Fraction(3, 2), 1, Fraction(5, 2)), (0.5, 0.5, 1)]:
        table = cg_table(l1, l2, l)
        assert list(table) == sorted(table, key=lambda e: (e[2], e[0], e[1]))
        assert all(clebsch_gordan(l1, m1, l2, m2, l, m) == value for m1, m2, m, value in table)
    assert cg_integer(1, 0, 1, 0, 2) > 0 and cg_integer(1, 0, 1, 0, 1) == 0


def test_orthonormal_columns_with_half_integers():
    for j1, j2 in [(1, 2), (3, 1), (3, 3), (4, 3)]:
        for j in range(abs(j1 - j2), j1 + j2 + 1, 2):
            table = cg_table(*(Fraction(x, 2) for x in (j1, j2, j)))
            for n in range(-j, j + 1, 2):
                column = [value for _, _, m, value in table if m == Fraction(n, 2)]
                assert sum(value.square() for value in column) == 1


def test_selection_rules_give_zero():
    assert not clebsch_gordan(1, 0, 1, 0, 3, 0)
    assert not clebsch_gordan(1, 1, 1, 0, 2, 0)
    assert not clebsch_gordan(1, 1, 1, 1, 0, 2)
    assert not clebsch_gordan(0.5, 0.5, 1, 0, 1, 0)
    assert not clebsch_gordan_real(1, 0, 1, 0, 3, 0)
    assert cg_table(1, 1, 3) == () == cg_table_real(1, 1, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.3, 0, 1, 0, 1, 0), "'l1' must be an integer or a half-integer"),
        ((1, 0.5, 1, 0, 1, 0), "'m1' must differ from 'l1' by an integer"),
        ((-1, 0, 1, 0, 1, 0), "'l1' must not be negative"),
    ],
)
def test_inadmissible_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        clebsch_gordan(*arguments)


def test_real_gauge_refuses_half_integers():
    with pytest.raises(ArgumentError, match="'l1' must be a non-negative integer"):
        clebsch_gordan_real(0.5, 0, 1, 0, 1, 0)
    with pytest.raises(ArgumentError, match="'l' must be a non-negative integer"):
        cg_table_real(1, 1, -1)


def test_real_gauge_of_vectors_is_dot_and_cross_product():
    """[a x b]^0 = -a.b / sqrt 3 and [a x b]^1 = + a cross b / sqrt 2, components (y, z, x)."""
    third, half_ = Surd(1, 1, 3), Surd(1, 1, 2)
    assert as_tensor(cg_table_real(1, 1, 0)) == {(m, m, 0): -third for m in (-1, 0, 1)}
    y, z, x = -1, 0, 1
    cross = {(x, y, z): half_, (y, z, x): half_, (z, x, y): half_}
    cross |= {(b, a, c): -value for (a, b, c), value in cross.items()}
    assert as_tensor(cg_table_real(1, 1, 1)) == cross


def sympy_unitary(l):
    matrix = sympy.zeros(2 * l + 1)
    for m, n, k, size in real_unitary(l):
        matrix[m + l, n + l] = sympy.I**k * sympy.sqrt(sympy.Rational(size.p, size.q))
    return matrix


def test_real_unitary_takes_conjugate_condon_shortley_harmonics_to_real_ones():
    theta, phi = sympy.Rational(7, 10), sympy.Rational(13, 10)
    for l in range(4):
        complex_ones = sympy.Matrix([sympy.Ynm(l, m, theta, phi).expand(func=True) for m in range(-l, l + 1)])
        ours = sympy_unitary(l) * complex_ones.conjugate()
        for m in range(-l, l + 1):
            size = sympy.sqrt(2) if m else 1
            plain = sympy.Ynm(l, abs(m), theta, 0).expand(func=True) * (-1) ** m  # Condon-Shortley phase taken off
            wave = sympy.cos(m * phi) if m >= 0 else sympy.sin(-m * phi)
            assert abs(sympy.N(ours[m + l] - size * plain * wave, 30)) < 1e-25


def test_real_gauge_is_the_unitary_transform_of_the_complex_gauge():
    """Against sympy matrices entry by entry; a flipped sign in one unitary entry breaks it (planted error)."""
    for l1, l2, l in [(1, 1, 2), (2, 1, 2), (2, 2, 1), (2, 3, 2)]:
        assert transformed(l1, l2, l, sympy_unitary(l)) == as_tensor(cg_table_real(l1, l2, l))
        wrong = sympy_unitary(l)
        wrong[0, 0] = -wrong[0, 0]
        assert transformed(l1, l2, l, wrong) != as_tensor(cg_table_real(l1, l2, l))


def transformed(l1, l2, l, unitary):
    left, right = sympy_unitary(l1).conjugate(), sympy_unitary(l2).conjugate()
    sums = {}
    for m1, m2, m, value in cg_table(l1, l2, l):
        number = value.sign * sympy.sqrt(sympy.Rational(value.p, value.q)) * sympy.I ** ((l1 + l2 + l) % 2)
        for a in {m1, -m1}:
            for b in {m2, -m2}:
                for c in {m, -m}:
                    term = number * left[a + l1, m1 + l1] * right[b + l2, m2 + l2] * unitary[c + l, m + l]
                    sums[a, b, c] = sums.get((a, b, c), 0) + term
    kept = {key: sympy.nsimplify(value) for key, value in sums.items()}
    if not all(value.is_real for value in kept.values()):
        return None
    return {key: from_sympy(value) for key, value in kept.items() if value != 0}


def test_real_gauge_single_entries_match_the_table():
    for l1, l2, l in triples(3):
        table = as_tensor(cg_table_real(l1, l2, l))
        for m1 in range(-l1, l1 + 1):
            for m2 in range(-l2, l2 + 1):
                for m in range(-l, l + 1):
                    assert clebsch_gordan_real(l1, m1, l2, m2, l, m) == table.get((m1, m2, m), Surd(0, 0, 1))


def test_a_real_entry_that_is_no_real_surd_is_refused(monkeypatch):
    """The terms of an entry must have one modulus and phases that add up to a real number: planted errors."""
    true = _table(2, 2, 4)
    real = _real.__wrapped__

    def planted(change):
        monkeypatch.setattr(cg, "_table", lambda *degrees: tuple(change(entry) for entry in true))
        return real(1, 1, 2)

    assert planted(lambda entry: entry) == _real(1, 1, 2)
    with pytest.raises(ArgumentError, match="not a single surd"):
        planted(lambda entry: entry if entry[0] < 1 else (*entry[:3], Surd(1, 1, 7)))
    with pytest.raises(ArgumentError, match="not real"):
        planted(lambda entry: entry if entry[0] < 1 else (*entry[:3], -entry[3]))


def test_symmetries_give_the_surds_of_the_formula():
    """Three quarters of a table come from the rest by two symmetries; each entry by its own formula."""
    for j1, j2, j in ((2, 4, 4), (4, 2, 4), (3, 4, 5), (4, 3, 1), (5, 5, 6)):
        for m1, m2, m, value in _table(j1, j2, j):
            half = Fraction(1, 2)
            assert value == clebsch_gordan(j1 * half, m1, j2 * half, m2, j * half, m)
        assert len(_table(j1, j2, j)) == sum(
            clebsch_gordan(j1 * half, Fraction(a, 2), j2 * half, Fraction(b, 2), j * half, Fraction(a + b, 2)).sign != 0
            for a in range(-j1, j1 + 1, 2)
            for b in range(-j2, j2 + 1, 2)
            if abs(a + b) <= j
        )


def test_six_j_equals_sympy_half_integers_included():
    rng = random.Random(6)
    nonzero = 0
    for _ in range(1500):
        doubled = [rng.randrange(8) for _ in range(6)]
        try:
            expected = sympy_6j(*map(half, doubled))
        except ValueError:  # a triad with a half-integer sum
            expected = sympy.Integer(0)
        assert six_j(*(Fraction(x, 2) for x in doubled)) == from_sympy(expected)
        nonzero += expected != 0
    assert nonzero > 30
    with pytest.raises(ArgumentError, match="'j2' must not be negative"):
        six_j(1, -1, 1, 1, 1, 1)


def test_six_j_recouples_three_spins():
    """Overlap of ((12)k,3)J with (1,(23)k')J from the coefficients themselves, against Racah's formula."""
    j1, j2, j3, total = 1, 2, 2, 2
    for k in range(1, 4):
        for q in range(0, 5):
            terms = [
                clebsch_gordan(j1, a, j2, b, k, a + b)
                * clebsch_gordan(k, a + b, j3, 1 - a - b, total, 1)
                * clebsch_gordan(j2, b, j3, 1 - a - b, q, 1 - a)
                * clebsch_gordan(j1, a, q, 1 - a, total, 1)
                for a in range(-j1, j1 + 1)
                for b in range(-j2, j2 + 1)
            ]
            sign = (-1) ** (j1 + j2 + j3 + total)
            racah = six_j(j1, j2, k, j3, total, q) * Surd(1, (2 * k + 1) * (2 * q + 1)) * sign
            assert surd_sum(terms) == racah
