"""The closed form: three solvers, one minimum, checked against the objective as it is written."""

import numpy as np
import pytest

from nbody_ref.errors import NBodyRefError
from nbody_ref.fit.ridge import ENERGY_WEIGHT, PAIR_PRIOR, PRODUCT_PRIOR, Equations
from nbody_ref.fit.rows import Rows

N_FRAMES, ATOMS, SPECIES = 12, 3, 2


def problem(columns, seed=0):
    """Random rows of twelve frames of two compositions, and random labels."""
    rng = np.random.default_rng(seed)
    spread = 10.0 ** rng.uniform(-3, 3, columns)
    energy = rng.standard_normal((N_FRAMES, columns)) * spread
    forces = rng.standard_normal((N_FRAMES * 3 * ATOMS, columns)) * spread
    counts = np.array([[1.0, 2.0] if i % 2 else [2.0, 1.0] for i in range(N_FRAMES)])
    orders = rng.integers(0, 4, columns)
    return energy, forces, rng.standard_normal(N_FRAMES), rng.standard_normal((N_FRAMES * ATOMS, 3)), counts, orders


def filled(solver, columns, chunk=5, seed=0):
    energy, forces, e, f, counts, orders = problem(columns, seed)
    equations = Equations(orders, solver)
    for a in range(0, N_FRAMES, chunk):
        frames, atoms = slice(a, a + chunk), slice(3 * ATOMS * a, 3 * ATOMS * (a + chunk))
        rows = Rows(energy[frames], forces[atoms])
        equations.add(rows, e[frames], f.reshape(-1)[atoms].reshape(-1, 3), counts[frames])
    return equations


def loss_gradient(solution, columns, lam, seed=0):
    """Gradient of the objective written in the docstring, in weights scaled by D, and in the constants."""
    energy, forces, e, f, counts, orders = problem(columns, seed)
    scale = PRODUCT_PRIOR**orders * np.where(orders == 1, PAIR_PRIOR, 1.0) / np.sqrt((forces**2).mean(axis=0))
    w, c = solution.weights, solution.constants
    centred = energy - counts @ np.linalg.lstsq(counts, energy, rcond=None)[0]
    stacked = np.concatenate([ENERGY_WEIGHT * centred, forces]) * scale
    mu = lam * np.sum((forces * scale) ** 2) / columns
    de, df = energy @ w + counts @ c - e, forces @ w - f.ravel()
    size = np.linalg.norm(stacked.T @ np.concatenate([ENERGY_WEIGHT * e, f.ravel()]))
    by_weight = scale * (ENERGY_WEIGHT**2 * energy.T @ de + forces.T @ df) + mu * w / scale
    return np.abs(by_weight).max() / size, np.abs(counts.T @ de).max()


@pytest.mark.parametrize("columns", [7, 300])
@pytest.mark.parametrize("solver", ["primal", "dual", "qr"])
@pytest.mark.parametrize("lam", [1e-2, 1e-5])
def test_every_solver_stands_at_the_minimum_of_the_documented_objective(solver, columns, lam):
    solution = next(filled(solver, columns).solve([lam]))
    by_weight, by_constant = loss_gradient(solution, columns, lam)
    assert by_weight < 300 * 2**-53 / lam  # rounding of the solve grows with its condition, at most 1/lambda
    assert by_constant < 300 * 2**-53 / lam
    wrong = type(solution)(solution.weights * (1 + 1e-6), solution.constants, lam)
    assert loss_gradient(wrong, columns, lam)[0] > 1e-9


@pytest.mark.parametrize("columns", [7, 300])
def test_the_solution_does_not_depend_on_the_order_or_size_of_chunks(columns):
    whole = next(filled("primal", columns, chunk=N_FRAMES).solve([1e-3])).weights
    parts = next(filled("primal", columns, chunk=1).solve([1e-3])).weights
    assert np.linalg.norm((whole - parts) / np.abs(whole).max()) < 1e-10


def test_without_constants_energies_are_fitted_as_they_are():
    energy, forces, _, _, counts, orders = problem(15)
    true = np.random.default_rng(9).standard_normal(15)
    equations = Equations(orders, "primal", constants=False)
    equations.add(Rows(energy, forces), energy @ true, (forces @ true).reshape(-1, 3), counts)
    solution = next(equations.solve([1e-13]))
    assert np.all(solution.constants == 0.0)
    assert np.allclose(energy @ solution.weights, energy @ true, rtol=1e-6, atol=1e-6 * np.abs(energy @ true).max())


def test_constants_cost_nothing():
    """Adding any energy for each atom to the labels changes the constants by exactly that, and no weight."""
    _, _, e, f, counts, orders = problem(40)
    energy, forces = problem(40)[:2]
    found = []
    for shift in ([0.0, 0.0], [-1000.0, 250.0]):
        equations = Equations(orders, "primal")
        equations.add(Rows(energy, forces), e + counts @ shift, f, counts)
        found.append(next(equations.solve([1e-4])))
    assert np.allclose(found[0].weights, found[1].weights, rtol=1e-6, atol=1e-8 * np.abs(found[0].weights).max())
    assert np.allclose(found[1].constants - found[0].constants, [-1000.0, 250.0], rtol=1e-9)


def test_a_column_that_no_force_depends_on_gets_no_weight():
    energy, forces, e, f, counts, orders = problem(10)
    forces[:, 3] = 0.0
    for solver in ("primal", "dual", "qr"):
        equations = Equations(orders, solver)
        equations.add(Rows(energy, forces), e, f, counts)
        weights = next(equations.solve([1e-4])).weights
        assert weights[3] == 0.0 and np.all(np.delete(weights, 3) != 0.0)


def test_qr_keeps_digits_that_the_gram_matrix_loses():
    """Two columns that differ by 1e-9: their Gram matrix is singular in float64, their triangular factor is not."""
    rng = np.random.default_rng(1)
    forces = rng.standard_normal((90, 2))
    forces[:, 1] = forces[:, 0] + 1e-9 * forces[:, 1]
    true = np.array([2.0, -1.0])
    found = {}
    for solver in ("primal", "qr"):
        equations = Equations(np.zeros(2, dtype=int), solver)
        rows = Rows(np.zeros((10, 2)), forces)
        equations.add(rows, np.zeros(10), (forces @ true).reshape(-1, 3), np.ones((10, 1)))
        found[solver] = next(equations.solve([1e-24])).weights
    assert np.abs(found["qr"] - true).max() < 1e-5
    assert not np.abs(found["primal"] - true).max() < 1e-2


def test_unknown_solver_is_refused():
    with pytest.raises(NBodyRefError, match="primal, dual, qr"):
        Equations(np.zeros(1), "svd")
