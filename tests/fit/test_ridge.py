"""The closed form: three solvers, one minimum, checked against the objective as it is written."""

import numpy as np
import pytest

from nbody_ref.errors import NBodyRefError
from nbody_ref.fit.ridge import ENERGY_WEIGHT, PAIR_PRIOR, PRODUCT_PRIOR, Equations, column_scale
from nbody_ref.fit.rows import Rows

U = 2.0**-53
N_FRAMES, ATOMS = 12, 3


def problem(columns, seed=0):
    """Random rows of twelve frames of two compositions, and random labels."""
    rng = np.random.default_rng(seed)
    spread = 10.0 ** rng.uniform(-3, 3, columns)  # columns that differ as much as features do
    energy = rng.standard_normal((N_FRAMES, columns)) * spread
    forces = rng.standard_normal((N_FRAMES * 3 * ATOMS, columns)) * spread
    counts = np.array([[1.0, 2.0] if i % 2 else [2.0, 1.0] for i in range(N_FRAMES)])
    orders = rng.integers(0, 4, columns)
    return energy, forces, rng.standard_normal(N_FRAMES), rng.standard_normal((N_FRAMES * ATOMS, 3)), counts, orders


def filled(solver, columns, chunk=5, seed=0, last=N_FRAMES):
    energy, forces, e, f, counts, orders = problem(columns, seed)
    equations = Equations(orders, solver)
    for a in range(0, last, chunk):
        b = min(a + chunk, last)
        frames, atoms = slice(a, b), slice(3 * ATOMS * a, 3 * ATOMS * b)
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


class Law:
    """How far rounding may move a solution of the normal equations H x = b, H = A^T A + mu, x = D^-1 w.

    A^T A is summed over m rows that carry some 20 roundings each (scale, weight, projection), and its Cholesky factor R
    solves a problem whose H is off by gamma_(3 n + 1) ||R|^T |R||, at most that times trace H (Higham, Accuracy and
    Stability, theorem 10.4). Hence |H dx| <= r, |dx| <= r / mu and, as dx^T H dx <= r^2 / mu, |A dx| <= r / sqrt(mu).
    """

    def __init__(self, columns, lam, constants=True):
        energy, forces, e, f, counts, orders = problem(columns)
        scale = PRODUCT_PRIOR**orders * np.where(orders == 1, PAIR_PRIOR, 1.0) / np.sqrt((forces**2).mean(axis=0))
        part = counts @ np.linalg.pinv(counts) if constants else np.zeros((N_FRAMES,) * 2)
        self.scale, self.orders, self.data = scale, orders, (energy, forces, e, f, counts)
        self.a = np.concatenate([ENERGY_WEIGHT * (energy - part @ energy), forces]) * scale
        self.y = np.concatenate([ENERGY_WEIGHT * (e - part @ e), f.ravel()])
        self.mu = lam * np.sum((forces * scale) ** 2) / columns

    def residual(self, weights, labels=None):
        """r, for weights that were found with these labels."""
        m, n = self.a.shape
        x, trace = np.linalg.norm(weights / self.scale), np.sum(self.a**2)
        y = np.linalg.norm(self.y if labels is None else labels)
        return U * ((m + 20) * (trace * x + np.sqrt(trace) * y) + (3 * n + 1) * (trace + n * self.mu) * x)


@pytest.mark.parametrize("columns", [7, 300])
def test_the_solution_does_not_depend_on_the_order_or_size_of_chunks(columns):
    law = Law(columns, 1e-1)
    whole = next(filled("primal", columns, chunk=N_FRAMES).solve([1e-1])).weights
    parts = next(filled("primal", columns, chunk=1).solve([1e-1])).weights
    bound = 2 * law.residual(whole) / law.mu
    assert np.linalg.norm((whole - parts) / law.scale) <= bound
    other = next(filled("primal", columns, seed=0, last=N_FRAMES - 1).solve([1e-1])).weights
    assert np.linalg.norm((whole - other) / law.scale) > bound  # a frame that is left out is seen


def test_without_constants_energies_are_fitted_as_they_are():
    """Where weights exist that fit everything, |A (x - x_true)| <= sqrt(mu) |x_true|: their objective is no smaller."""
    columns, lam = 15, 1e-9
    law, true = Law(columns, lam, constants=False), np.random.default_rng(9).standard_normal(columns)
    energy, forces, _, _, counts = law.data
    labels = np.concatenate([ENERGY_WEIGHT * energy @ true, forces @ true])
    equations = Equations(law.orders, "primal", constants=False)
    equations.add(Rows(energy, forces), energy @ true, (forces @ true).reshape(-1, 3), counts)
    solution = next(equations.solve([lam]))
    assert np.all(solution.constants == 0.0)
    exact = np.sqrt(law.mu) * np.linalg.norm(true / law.scale)
    bound = (exact + law.residual(solution.weights, labels) / np.sqrt(law.mu)) / ENERGY_WEIGHT
    assert np.linalg.norm(energy @ solution.weights - energy @ true) <= bound
    # energies that are off by a constant for each atom, as a fit with constants may leave them, are seen
    assert np.linalg.norm(counts @ np.array([1e-2, -1e-2])) > bound


def test_constants_cost_nothing():
    """Adding any energy for each atom to the labels changes the constants by exactly that, and no weight."""
    columns, lam, shift = 40, 1e-1, np.array([-1000.0, 250.0])
    law, found = Law(columns, lam), []
    energy, forces, e, f, counts = law.data
    for added in (0 * shift, shift):
        equations = Equations(law.orders, "primal")
        equations.add(Rows(energy, forces), e + counts @ added, f, counts)
        found.append(next(equations.solve([lam])))
    # what the projection leaves of the shift by rounding is a change of the labels
    rounding = 20 * U * np.linalg.norm(counts) * np.linalg.norm(shift)
    moved = 2 * law.residual(found[0].weights) / law.mu + ENERGY_WEIGHT * rounding / (2 * np.sqrt(law.mu))
    assert np.linalg.norm((found[1].weights - found[0].weights) / law.scale) <= moved
    by_weights = np.linalg.norm(np.linalg.pinv(counts) @ energy * law.scale) * moved
    allowed = by_weights + np.linalg.norm(np.linalg.pinv(counts)) * 2 * rounding
    difference = found[1].constants - found[0].constants
    assert np.linalg.norm(difference - shift) <= allowed < 1e-6 * np.linalg.norm(shift)


def test_a_column_that_no_force_depends_on_gets_no_weight():
    energy, forces, e, f, counts, orders = problem(10)
    forces[:, 3] = 0.0
    for solver in ("primal", "dual", "qr"):
        equations = Equations(orders, solver)
        equations.add(Rows(energy, forces), e, f, counts)
        weights = next(equations.solve([1e-4])).weights
        assert weights[3] == 0.0 and np.all(np.delete(weights, 3) != 0.0)


def test_qr_keeps_digits_that_the_gram_matrix_loses():
    """Two columns that differ by 1e-9: their Gram matrix is singular in float64, their triangular factor is not.

    An orthogonal solution is that of a matrix off by m n u |A| (Higham, theorem 20.3; here the residual is zero), which
    moves it by that times the condition number; lambda adds mu / sigma_min^2.
    """
    rng = np.random.default_rng(1)
    forces = rng.standard_normal((90, 2))
    forces[:, 1] = forces[:, 0] + 1e-9 * forces[:, 1]
    true, lam = np.array([2.0, -1.0]), 1e-24
    found = {}
    for solver in ("primal", "qr"):
        equations = Equations(np.zeros(2, dtype=int), solver)
        rows = Rows(np.zeros((10, 2)), forces)
        equations.add(rows, np.zeros(10), (forces @ true).reshape(-1, 3), np.ones((10, 1)))
        found[solver] = next(equations.solve([lam])).weights
    largest, smallest = np.linalg.svd(forces, compute_uv=False)
    bound = (90 * 2 * U * largest / smallest + lam * 90 / smallest**2) * np.linalg.norm(true)
    assert np.linalg.norm(found["qr"] - true) <= bound
    assert not np.linalg.norm(found["primal"] - true) <= 100 * bound


@pytest.mark.parametrize("chunk", [1, 5, N_FRAMES])
@pytest.mark.parametrize("columns", [7, 60, 300])
def test_qr_and_dual_are_one_solution_however_many_rows_and_chunks(columns, chunk):
    """More columns than rows, fewer, and a triangle that is formed on the way (60 columns, 108 rows)."""
    law = Law(columns, 1e-1)
    dual = next(filled("dual", columns).solve([1e-1])).weights
    qr = next(filled("qr", columns, chunk).solve([1e-1])).weights
    assert np.linalg.norm((qr - dual) / law.scale) <= 2 * law.residual(dual) / law.mu


def test_without_regularisation_a_singular_problem_has_no_solution():
    for solver in ("primal", "qr"):
        equations = Equations(np.zeros(2, dtype=int), solver)
        equations.add(
            Rows(np.zeros((1, 2)), np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])),
            np.zeros(1),
            np.zeros((1, 3)),
            np.ones((1, 1)),
        )
        assert np.isnan(next(equations.solve([0.0])).weights).all()


def test_priors_are_those_that_were_tuned():
    """Single legs are ten times larger than the rule for products makes them, and each further leg halves a column."""
    scale = column_scale(np.full(4, 8.0), 2, np.array([0, 1, 2, 3]))
    np.testing.assert_array_equal(scale, np.array([1.0, 10 * 0.5, 0.5**2, 0.5**3]) / 2.0)


def test_unknown_solver_is_refused():
    with pytest.raises(NBodyRefError, match="primal, dual, qr"):
        Equations(np.zeros(1), "svd")
