"""Baselines: sums over atoms, exact where the data determine them."""

import numpy as np
import pytest

from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import Baseline, counts, independent, pseudo_inverse
from nbody_ref.fit.frames import Frame, Frames


def frames(compositions, energies, atoms=None):
    """Frames whose geometry does not matter."""
    made = []
    for numbers, energy in zip(compositions, energies):
        n = len(numbers)
        made.append(Frame(np.array(numbers), np.arange(3.0 * n).reshape(n, 3), energy, np.zeros((n, 3))))
    return Frames(tuple(made), atoms or {})


MIXED = [[1, 1], [1, 8, 1], [6, 1, 1, 1, 1], [6, 8]]
TRUE = {1: -13.5, 6: -1030.0, 8: -2043.25}


def total(numbers):
    return sum(TRUE[z] for z in numbers)


def test_least_squares_finds_the_energies_that_the_data_determine():
    data = frames(MIXED, [total(c) for c in MIXED])
    baseline = Baseline.build(data)
    assert baseline.kind == "least squares"
    for z, energy in TRUE.items():
        assert abs(baseline.energies[z] - energy) < 64 * 2**-53 * 2043 * 4  # condition of the counts is below 4
    assert np.allclose(baseline.energy(data), data.energies, rtol=1e-13, atol=0)


def test_least_squares_of_one_composition_is_the_mean_and_has_smallest_norm():
    data = frames([[6, 1, 1]] * 3, [-10.0, -11.0, -12.0])
    baseline = Baseline.build(data)
    assert np.allclose(baseline.energy(data), -11.0, rtol=1e-14)
    # the smallest solution of e_C + 2 e_H = -11 is proportional to the counts
    assert baseline.energies[1] == pytest.approx(2 * baseline.energies[6], rel=1e-13)


def test_isolated_atoms_are_taken_as_they_are():
    data = frames([[6, 1, 1]], [-5000.0], TRUE)
    baseline = Baseline.build(data)
    assert baseline.kind == "isolated" and baseline.energies == {1: -13.5, 6: -1030.0}
    assert baseline.energy(data)[0] == -1057.0


def test_isolated_atoms_of_some_species_only_are_refused():
    with pytest.raises(DataError, match="isolated atoms of H but none of C"):
        Baseline.build(frames([[6, 1, 1]], [-5000.0], {1: -13.5}))


def test_counts_are_integers_by_species():
    assert counts(frames(MIXED, range(4)), (1, 6, 8)).tolist() == [[2, 0, 0], [2, 0, 1], [4, 1, 0], [0, 1, 1]]


def test_pseudo_inverse_sees_one_composition_however_often_it_is_repeated():
    for repeats in (3, 950, 20_000):
        count = np.tile([[6.0, 2.0, 1.0]], (repeats, 1))
        pseudo = pseudo_inverse(count)
        assert np.linalg.matrix_rank(pseudo) == 1
        assert np.allclose(count[0] @ (pseudo @ np.full(repeats, -4200.0)), -4200.0, rtol=1e-12)


def test_independent_compositions_span_all_of_them_exactly():
    rows = [(6, 2, 1), (12, 4, 2), (4, 1, 0), (2, 0, 1), (8, 2, 1), (0, 0, 0)]
    assert independent(rows) == ((6, 2, 1), (4, 1, 0), (2, 0, 1))
    assert np.linalg.matrix_rank(np.array(rows)) == 3
    # numbers whose elimination in float64 would need a tolerance
    large = [(10**9, 10**9 + 1), (10**9 + 1, 10**9 + 2)]
    assert independent(large) == tuple(large)
    assert independent([large[0], tuple(7 * n for n in large[0])]) == (large[0],)


def test_least_squares_determine_the_combinations_of_their_compositions_and_nothing_else():
    one = Baseline.build(frames([[6, 1, 1]] * 3, [-10.0, -11.0, -12.0]))
    assert one.compositions == ((2, 1),)
    for numbers, known in (([1, 6, 1], True), ([6, 1, 1] * 2, True), ([6], False), ([6, 1], False), ([6, 6, 1], False)):
        assert one.determines(np.array(numbers)) == known
    several = Baseline.build(frames(MIXED, [total(c) for c in MIXED]))
    assert several.determines(np.array([6])) and several.determines(np.array([8, 8, 8, 1]))


def test_isolated_atoms_determine_every_composition():
    assert Baseline.build(frames([[6, 1, 1]], [-5000.0], TRUE)).determines(np.array([6]))
