"""The installed checks pass on the definition, and each of them sees the error planted for it."""

from dataclasses import replace
from fractions import Fraction

import pytest

from nbody_ref.errors import DataError
from nbody_ref.exact.cg import cg_table, cg_table_real
from nbody_ref.exact.checks import CHECKS, run
from nbody_ref.exact.gauges import MONOMIAL, monomial_coupling
from nbody_ref.exact.harmonics import solid_harmonic
from nbody_ref.exact.subject import Subject
from nbody_ref.exact.surd import Surd
from nbody_ref.exact.symbols import six_j
from nbody_ref.exact.wigner import monomial_matrix


def altered(table, triple, change):
    """`table` with one entry of one triple sent through `change`."""

    def wrong(l1, l2, l):
        entries = list(table(l1, l2, l))
        if (l1, l2, l) == triple:
            entries[len(entries) // 2] = change(*entries[len(entries) // 2])
        return entries

    return wrong


def flip(m1, m2, m, value):
    return m1, m2, m, -value


def foreign(m1, m2, m, value):
    return m1, m2, m, Surd(1, 2, 7)


def negated(l1, l2, l):
    """The whole triple (1, 1, 1) with the other sign: orthonormal and covariant, and still wrong."""
    return [flip(*entry) if (l1, l2, l) == (1, 1, 1) else entry for entry in cg_table(l1, l2, l)]


def scaled(l1, l2, l):
    factor = Surd(1, 49, 36) if (l1, l2, l) == (1, 1, 2) else 1
    return [(*key, value * factor) for *key, value in cg_table(l1, l2, l)]


def shortened(l1, l2, l):
    table = cg_table(l1, l2, l)
    return [e for e in table if e[2] != l] if (l1, l2, l) == (1, 2, 2) else table


def transposed(l, q):
    return tuple(zip(*monomial_matrix(l, q)))


def conjugated(l, q):
    return [[z.conjugate() for z in row] for row in monomial_matrix(l, q)]


def wrong_harmonic(l, m, normalization, basis):
    harmonic = solid_harmonic(l, m, normalization, basis)
    if (l, m) != (2, 0):
        return harmonic
    return replace(harmonic, terms={**harmonic.terms, (0, 0, 2): harmonic.terms[0, 0, 2] + Fraction(1, 1000)})


def wrong_six_j(*spins):
    return -six_j(*spins) if spins == (Fraction(1, 2),) * 2 + (1,) + (Fraction(1, 2),) * 2 + (1,) else six_j(*spins)


WRONG_GAUGE = replace(MONOMIAL, coupling=altered(monomial_coupling, (1, 1, 1), flip))

PLANTED = [
    (Subject(cg=altered(cg_table, (2, 1, 2), flip)), {"cg_orthogonality", "cg_completeness", "cg_covariance"}),
    (Subject(cg=negated), {"cg_phases", "cg_real_surds"}),
    (Subject(cg=scaled), {"cg_orthogonality", "cg_completeness"}),
    (Subject(cg=shortened), {"cg_orthogonality", "cg_completeness", "cg_covariance"}),
    (Subject(cg=altered(cg_table, (1, 1, 2), foreign)), {"cg_covariance", "cg_orthogonality"}),
    (Subject(cg_real=altered(cg_table_real, (2, 2, 1), flip)), {"cg_real_surds"}),
    (Subject(matrix=transposed), {"wigner_homomorphism", "harmonics_covariant", "cg_covariance", "network"}),
    (Subject(matrix=conjugated), {"wigner_conventions", "harmonics_covariant"}),
    (Subject(harmonic=wrong_harmonic), {"harmonics_harmonic", "harmonics_covariant"}),
    (Subject(six_j=wrong_six_j), {"six_j"}),
    (Subject(gauge=WRONG_GAUGE), {"gate_zeroth_order", "gate_first_order", "gate_relative", "gate_legs", "network"}),
    (Subject(gauge=WRONG_GAUGE), {"gate_aggregation"}),
]


def test_definition_passes_every_check_to_degree_four():
    seen = []
    results = run(4, progress=seen.append)
    assert results == seen and [r.name for r in results] == [c.name for c in CHECKS]
    assert all(result.ok and "residual 0" in str(result) for result in results)
    assert {r.name: r.cases for r in results}["cg_covariance"] == 2 * 65  # 65 admissible triples to degree 4


@pytest.mark.parametrize(("subject", "expected"), PLANTED)
def test_planted_error_is_caught(subject, expected):
    failed = {result.name for result in run(2, subject=subject, only=expected) if not result.ok}
    assert failed == expected


def test_every_check_has_a_planted_error_that_it_catches():
    caught = set().union(*(names for _, names in PLANTED))
    assert caught | {"cg_rounding"} == {check.name for check in CHECKS}


def test_misrounded_coefficients_are_caught(monkeypatch):
    true_round = Surd.round
    monkeypatch.setattr(Surd, "round", lambda self, fmt="float64": true_round(self, "float32"))
    (result,) = run(2, only=["cg_rounding"])
    assert not result.ok and "FAILED, first: <" in str(result)


def test_bad_arguments_are_refused():
    with pytest.raises(DataError, match="'lmax' must be at least 1"):
        run(0)
    with pytest.raises(DataError, match="unknown checks"):
        run(1, only=["nonsense"])
