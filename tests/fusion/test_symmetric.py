"""Symmetric reduced bases: dimensions by characters, expansion proved on exact values."""

import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from math import comb

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, IrrepsError, SchemeError, ShapeError
from nbody_ref.exact import Surd
from nbody_ref.fusion import (
    CombPath,
    Diagram,
    Spin,
    coupling_norm,
    dense_tensor,
    evaluate_monomial,
    left_comb,
    recoupling,
    symmetric_basis,
    symmetric_dimension,
)
from nbody_ref.fusion.symmetric import _exchange
from nbody_ref.irreps import Irrep, Irreps

# lmax, legs: (all comb paths, symmetric dimension) for roots 0e, 1o, 2e; state 0e + 1o + ... of degree lmax
COUNTS = {
    (1, 2): [(2, 2), (2, 1), (1, 1)],
    (1, 3): [(4, 2), (6, 2), (3, 1)],
    (1, 4): [(10, 3), (16, 2), (12, 2)],
    (2, 2): [(3, 3), (4, 2), (4, 3)],
    (2, 3): [(11, 5), (21, 5), (23, 6)],
    (2, 4): [(55, 9), (124, 9), (148, 13)],
    (3, 2): [(4, 4), (6, 3), (7, 5)],
    (3, 3): [(23, 8), (51, 12), (65, 14)],
    (3, 4): [(204, 23), (520, 31), (720, 46)],
}
ROOTS = ("0e", "1o", "2e")


@pytest.mark.parametrize(("lmax", "n"), COUNTS)
def test_comb_paths_and_symmetric_dimensions_are_the_tabulated_integers(lmax, n):
    state = Irreps.harmonics(lmax)
    for root, wanted in zip(ROOTS, COUNTS[lmax, n]):
        basis = symmetric_basis(state, n, root)
        assert (len(basis.full), len(basis.reduced)) == wanted
        assert symmetric_dimension(state, n, root) == wanted[1]


def test_dimensions_without_parity_and_their_sums_over_orders():
    assert [symmetric_dimension("0+1+2", 3, str(l)) for l in range(3)] == [5, 6, 8]
    assert [symmetric_dimension("0+1+2+3", 3, str(l)) for l in range(3)] == [8, 16, 21]
    assert [symmetric_dimension("0+1+2+3", 4, str(l)) for l in range(3)] == [26, 45, 75]
    state = Irreps.harmonics(3)
    assert [sum(symmetric_dimension(state, n, root) for n in (1, 2, 3)) for root in ROOTS] == [13, 16, 20]


def newton_dimension(labels, n, root):
    """The same multiplicity from power sums: n h_n = sum over k of p_k h_(n-k), p_k(t) = character at t^k."""
    weights = [m for j in labels for m in range(-j, j + 1, 2)]
    h = [Counter({0: Fraction(1)})]
    for order in range(1, n + 1):
        total = Counter()
        for k in range(1, order + 1):
            for m in weights:
                for w, x in h[order - k].items():
                    total[w + k * m] += x / order
        h.append(total)
    return h[n][root] - h[n][root + 2]


@pytest.mark.parametrize(("labels", "n"), [((1,), 4), ((1, 2), 3), ((2, 2), 3), ((3, 4), 4), ((2, 4, 6), 5)])
def test_dimension_agrees_with_newtons_identities(labels, n):
    spins = [Spin(Fraction(j, 2)) for j in labels]
    top = n * max(labels)
    found = [symmetric_dimension(spins, n, Spin(Fraction(j, 2))) for j in range(top + 1)]
    assert found == [newton_dimension(labels, n, j) for j in range(top + 1)]
    assert sum(count * (j + 1) for j, count in enumerate(found)) == comb(sum(j + 1 for j in labels) + n - 1, n)


def values(basis, seed):
    """All comb paths on one random integer state, exact, in the rational gauge; and their norms."""
    rng = random.Random(seed)
    state = [[rng.randint(-4, 4) for _ in range(label.dim)] for label in basis.labels]
    return [evaluate_monomial(path.diagram, [state[p] for p in path.parts]) for path in basis.full]


def expands(basis, found):
    """Whether every path is the stated combination of independent ones, with ``==``."""
    norms = [coupling_norm(path.diagram) for path in basis.full]
    for k, row in enumerate(basis.expansion):
        for m in range(len(found[k])):
            terms = [
                (value * norms[basis.reduced[i]] / norms[k]).as_fraction() * found[basis.reduced[i]][m]
                for i, value in row
            ]
            if sum(terms) != found[k][m]:
                return False
    return True


CASES = [("0e+1o+2e", 3, "1o"), ("1o+1o+2e", 3, "2e"), ("0e+1o+2e+3o", 3, "0e"), ("1+2", 4, "1"), ("0e+1o", 4, "1o")]


@pytest.mark.parametrize(("state", "n", "root"), CASES)
def test_expansion_holds_exactly_on_integer_states(state, n, root):
    basis = symmetric_basis(state, n, root, basis="complex")
    for seed in range(3):
        assert expands(basis, values(basis, seed))
    k = next(k for k, row in enumerate(basis.expansion) if row and k not in basis.reduced)
    rows = list(basis.expansion)
    rows[k] = tuple((i, -x) for i, x in rows[k])
    wrong = replace(basis, expansion=tuple(rows))
    assert not all(expands(wrong, values(wrong, seed)) for seed in range(3))


@pytest.mark.parametrize(("state", "n", "root"), CASES)
def test_independent_paths_are_independent_by_exact_rank(state, n, root):
    basis = symmetric_basis(state, n, root, basis="complex")
    samples = [values(basis, seed) for seed in range(len(basis.reduced) + 2)]
    rows = [[Fraction(point[k][m]) for point in samples for m in range(len(point[k]))] for k in basis.reduced]
    assert rank(rows) == len(basis.reduced)
    everything = [
        [Fraction(point[k][m]) for point in samples for m in range(len(point[k]))] for k in range(len(basis.full))
    ]
    assert rank(everything) == len(basis.reduced)


def rank(rows):
    rows, found = [list(row) for row in rows], 0
    for column in range(len(rows[0])):
        pivot = next((r for r in range(found, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for r in range(found + 1, len(rows)):
            factor = rows[r][column] / rows[found][column]
            if factor:
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[found])]
        found += 1
    return found


@pytest.mark.parametrize(("state", "n", "root"), CASES)
def test_reduced_paths_are_the_first_that_earlier_ones_do_not_determine(state, n, root):
    basis = symmetric_basis(state, n, root, basis="complex")
    samples = [values(basis, seed) for seed in range(len(basis.reduced) + 2)]
    rows, kept = [], []
    for k, path in enumerate(basis.full):
        if list(path.parts) == sorted(path.parts):
            row = [Fraction(point[k][m]) for point in samples for m in range(len(point[k]))]
            if rank([*rows, row]) > len(rows):
                rows.append(row)
                kept.append(k)
    assert tuple(kept) == basis.reduced


def test_exchange_of_two_legs_is_their_recoupling():
    legs = [Irrep(l) for l in (1, 2, 1, 2)]
    comb = left_comb(4)
    for i, exchanged in enumerate([(((1, 0), 2), 3), (((0, 2), 1), 3), (((0, 1), 3), 2)]):
        matrix = recoupling(comb, exchanged, legs, "2")
        for a, row in zip(matrix.source, matrix.entries):
            found = dict(_exchange(legs, a.outputs, i))
            for b, value in zip(matrix.target, row):
                rational = Surd.of(found.get(b.outputs, Fraction(0)))
                assert value == rational * coupling_norm(a) / coupling_norm(b)


def test_maps_to_and_from_the_full_basis_are_lossless_and_fit_real_values():
    basis = symmetric_basis("0e+1o+2e", 3, "1o")
    rng = np.random.default_rng(5)
    state = [rng.standard_normal(label.dim) for label in basis.labels]

    def by_tensor(wrap):
        states = [[wrap(state[q]) for q in p.parts] for p in basis.full]
        tensors = [wrap(dense_tensor(p.diagram)) for p in basis.full]
        return np.array([np.einsum("abcm,a,b,c->m", C, *legs) for C, legs in zip(tensors, states)]).T

    full, size, u = by_tensor(lambda x: x), by_tensor(np.abs), 2.0**-53
    k = max(np.prod([label.dim for label in p.diagram.legs]) for p in basis.full) + 4  # sum, three products, rounded C
    reduced, M = basis.to_reduced(full), np.abs(basis.matrix(np.float64))
    spread = basis.to_reduced(size) @ M.T  # of the independent paths, over all of them
    bound = u * (k * size + (k + len(basis.reduced) + 2) * spread)
    assert np.all(np.abs(basis.to_full(reduced) - full) <= bound)
    wrong = symmetric_basis("0e+1o+2e", 3, "1o", basis="complex")
    assert np.any(np.abs(wrong.to_full(reduced) - full) > bound)  # the signs of the real gauge matter
    exact = rng.integers(-9, 10, (4, len(basis.reduced))).astype(float)
    assert np.array_equal(basis.to_reduced(basis.to_full(exact)), exact)
    assert np.array_equal(basis.weights_to_reduced(basis.weights_to_full(exact)), exact)
    weights = rng.standard_normal(len(basis.full))
    merged = basis.weights_to_reduced(weights)
    n = len(basis.full) + len(basis.reduced) + 4  # two sums over paths, products, rounded M
    bound = (bound + u * n * (size + spread)) @ np.abs(weights)
    assert np.all(np.abs(reduced @ merged - full @ weights) <= bound)
    assert np.any(np.abs(reduced @ basis.weights_to_reduced(np.roll(weights, 1)) - full @ weights) > bound)


def test_paths_name_their_parts():
    basis = symmetric_basis("1o", 2, "0e")
    assert basis.paths == (CombPath((0, 0), Diagram((0, 1), ["1o", "1o"], ["0e"])),)
    assert symmetric_basis("1o", 2, "1e").reduced == ()
    assert symmetric_basis("1o", 2, "1e").expansion == ((),)
    assert len(symmetric_basis("2e", 1, "2e").reduced) == 1


def test_spins_symmetrise_as_bosons():
    half = Spin("1/2")
    assert [symmetric_dimension([half], 3, spin) for spin in (half, Spin("3/2"))] == [0, 1]
    assert len(symmetric_basis([half], 3, half, basis="complex").reduced) == 0


def test_errors_name_what_is_wrong():
    for function in (symmetric_dimension, symmetric_basis):
        with pytest.raises(ArgumentError, match="'n' must be a positive integer, got 0"):
            function("1o", 0, "0e")
        with pytest.raises(SchemeError, match="'parts' must have at least one part"):
            function("", 2, "0e")
        with pytest.raises(IrrepsError, match="cannot mix"):
            function("1o", 2, "0")
    with pytest.raises(IrrepsError, match="for spins"):
        symmetric_basis([Spin(1)], 2, Spin(0))
    with pytest.raises(SchemeError, match=r"'limit' is 100 comb paths, but this state has 204"):
        symmetric_basis("0e+1o+2e+3o", 4, "0e", limit=100)
    basis = symmetric_basis("1o", 2, "0e")
    for method in (basis.to_full, basis.to_reduced, basis.weights_to_full, basis.weights_to_reduced):
        with pytest.raises(ShapeError, match="last axis must have length 1"):
            method(np.zeros((2, 3)))
