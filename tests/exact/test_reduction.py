"""Eq. (2): any representation given by matrices is reduced with residual exactly zero."""

import random
from fractions import Fraction

import pytest

from nbody_ref.errors import IrrepsError, ShapeError
from nbody_ref.exact.reduction import cartesian_tensors, null_space, reduce_representation
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.wigner import monomial_D
from nbody_ref.irreps import Irreps

QUATERNIONS = ((2, 0, 0, 1), (2, 1, 0, 0), (1, -2, 3, 1), (1, 2, 2, 5))


def identity(d, factor=1):
    return [[factor if i == j else 0 for j in range(d)] for i in range(d)]


def scrambled(irreps, seed=0):
    """D in a random rational basis: S D S^-1 with S a product of shears."""
    tau, rng = Irreps(irreps), random.Random(seed)
    d = tau.dim
    shears = [(*rng.sample(range(d), 2), Fraction(rng.randrange(-3, 4), 2)) for _ in range(3 * d)]

    def conjugate(matrix):
        matrix = [list(row) for row in matrix]
        for i, j, x in shears:
            matrix[i] = [a + b * x for a, b in zip(matrix[i], matrix[j])]
            for row in matrix:
                row[j] = row[j] - row[i] * x
        return matrix

    def block(matrices):
        full = [[Gauss(0, 0)] * d for _ in range(d)]
        for start, part, matrix in zip(tau.offsets, tau, matrices):
            for i in range(part.irrep.dim):
                for j in range(part.irrep.dim):
                    for c in range(part.mul):
                        full[start + i * part.mul + c][start + j * part.mul + c] = matrix[i][j]
        return conjugate(full)

    rotation = lambda q: block([monomial_D(part.irrep.l, q) for part in tau])  # noqa: E731
    parity = block([identity(part.irrep.dim, Gauss(part.irrep.p or 1, 0)) for part in tau])
    return rotation, parity


def check(reduction, representation):
    d = reduction.irreps.dim
    assert len(reduction.C) == d and not null_space(reduction.C, d)
    for q in QUATERNIONS:
        assert not any(any(row) for row in reduction.residual(representation, q))


@pytest.mark.parametrize(
    ("rank", "tau"), [(0, "1x0"), (1, "1x1"), (2, "1x0 + 1x1 + 1x2"), (3, "1x0 + 3x1 + 2x2 + 1x3")]
)
def test_cartesian_tensors_are_reduced_exactly(rank, tau):
    found = reduce_representation(cartesian_tensors(rank))
    assert found.irreps == Irreps(tau)
    check(found, cartesian_tensors(rank))


def test_elasticity_tensor_with_inversion():
    found = reduce_representation(cartesian_tensors(2), identity(9))
    assert found.irreps == Irreps("1x0e + 1x1e + 1x2e")


@pytest.mark.parametrize("tau", ["2x0 + 1x1", "1x2 + 1x0 + 2x1", "1x3 + 1x2"])
def test_type_is_recovered_from_a_scrambled_basis(tau):
    representation, _ = scrambled(tau)
    found = reduce_representation(representation)
    assert {p.irrep: p.mul for p in found.irreps} == {p.irrep: p.mul for p in Irreps(tau)}
    check(found, representation)


def test_parities_are_recovered_from_a_scrambled_basis():
    representation, parity = scrambled("1x1o + 1x0o + 2x0e + 1x1e")
    found = reduce_representation(representation, parity)
    assert found.irreps == Irreps("2x0e + 1x0o + 1x1e + 1x1o")
    check(found, representation)


def test_what_is_no_representation_is_refused():
    tensors = cartesian_tensors(1)
    with pytest.raises(IrrepsError, match="must be one of SO"):
        reduce_representation(lambda q: [[2 * x for x in row] for row in tensors(q)])
    with pytest.raises(IrrepsError, match="must be one of SO"):  # z alone turns: no rotation about x
        reduce_representation(lambda q: tensors(q) if q[1] == 0 else identity(3))
    with pytest.raises(IrrepsError, match="must be one of SO"):
        reduce_representation(tensors, identity(3, 2))
    with pytest.raises(ShapeError, match="square"):
        reduce_representation(lambda q: [[1, 0]])


def test_a_wrong_column_is_caught():
    found = reduce_representation(cartesian_tensors(2))
    wrong = found._replace(C=[[*row[:4], *row[5:], row[4]] for row in found.C])
    assert any(any(row) for row in wrong.residual(cartesian_tensors(2), QUATERNIONS[1]))
