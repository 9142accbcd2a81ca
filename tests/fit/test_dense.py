"""Gram matrices and factors in blocks are those of one piece."""

import numpy as np
import pytest
import scipy.linalg

from nbody_ref.fit.dense import add_gram, cholesky, outer_gram, solve_cholesky

U = 2.0**-53


def matrices(n, m, seed=0):
    rows = np.random.default_rng(seed).standard_normal((m, n))
    return rows, rows.T @ rows


@pytest.mark.parametrize(("n", "block"), [(7, 100), (40, 16), (41, 8), (50, 7), (33, 16)])
def test_gram_matrix_in_blocks(n, block):
    rows, whole = matrices(n, 60)
    start = np.asfortranarray(np.tril(np.ones((n, n))))
    found = add_gram(start, rows, block)
    allowed = 62 * U * (np.abs(rows).T @ np.abs(rows) + 1)
    assert (np.abs(np.tril(found - whole - 1)) <= np.tril(allowed)).all()
    assert (np.triu(found, 1) == 0).all()  # nothing above the diagonal is touched
    again = outer_gram(np.ascontiguousarray(rows.T), block) + np.ones((n, n))
    assert (np.abs(np.tril(again - whole - 1)) <= np.tril(allowed)).all()


@pytest.mark.parametrize(("n", "block"), [(7, 100), (40, 16), (41, 8), (50, 7), (33, 16)])
def test_factor_in_blocks_gives_back_the_matrix(n, block):
    _, whole = matrices(n, 90)
    factor = np.tril(cholesky(np.asfortranarray(np.tril(whole)), block))
    size = np.abs(factor) @ np.abs(factor).T
    assert (
        np.abs(factor @ factor.T - whole) <= (n + 2) * U * size
    ).all()  # Higham, theorem 10.3, with one rounding more
    x = solve_cholesky(factor, whole @ np.ones(n))
    assert np.abs(x - 1).max() <= 8 * n * U * np.linalg.cond(whole)
    spoilt = factor.copy()
    spoilt[-1, 0] += 1e-6 * abs(spoilt).max()  # the twin that is wrong
    assert not (np.abs(spoilt @ spoilt.T - whole) <= (n + 2) * U * size).all()


@pytest.mark.parametrize("block", [4, 100])
def test_what_is_not_positive_definite_is_refused(block):
    _, whole = matrices(20, 30)
    whole[15, 15] = -1.0
    with pytest.raises(scipy.linalg.LinAlgError):
        cholesky(np.asfortranarray(np.tril(whole)), block)
