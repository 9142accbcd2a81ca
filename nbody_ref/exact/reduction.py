r"""Reduction of a given representation to irreducible ones, eq. (2), by exact linear algebra.

.. math:: \rho(R) = C \Big[\bigoplus_l \bigoplus_{c=1}^{\tau_l} D^l(R)\Big] C^{-1}

Two rotations decide everything: by 2 arctan(1/2) about z and about x. The angle is no rational multiple of pi, so a
matrix that intertwines both intertwines all of SO(3). Derivation: docs/derivations/exact_reduction.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from nbody_ref.checks import check_integer
from nbody_ref.errors import ArgumentError, IrrepsError, ShapeError
from nbody_ref.exact.ring import Gauss, as_rational
from nbody_ref.exact.wigner import monomial_D, rotation_matrix
from nbody_ref.irreps import Irrep, Irreps

__all__ = ["Reduction", "cartesian_tensors", "null_space", "reduce_representation"]

Row = list[Any]
Matrix = Sequence[Sequence[Any]]
Representation = Callable[[tuple[int, int, int, int]], Matrix]
ABOUT_Z, ABOUT_X = (2, 0, 0, 1), (2, 1, 0, 0)


class Reduction(NamedTuple):
    """A type and a basis in which a representation is block diagonal.

    Attributes
    ----------
    irreps : Irreps
        Type tau, degrees ascending.
    C : list of rows of Gauss
        Columns in the layout of a state, part by part, (2l + 1, mul) with the channel fastest. Monomial gauge.
    """

    irreps: Irreps
    C: list[Row]

    def residual(self, representation: Representation, q: tuple[int, int, int, int]) -> list[Row]:
        """rho(q) C - C D(q), zero for every q if the reduction is right."""
        D = _block_diagonal(self.irreps, q)
        left, right = _times(_square("Reduction.residual", representation(q)), self.C), _times(self.C, D)
        return [[a - b for a, b in zip(x, y)] for x, y in zip(left, right)]


def reduce_representation(representation: Representation, inversion: Matrix | None = None) -> Reduction:
    r"""Type and basis of a representation of SO(3), or of O(3) if the matrix of the inversion is given, eq. (2).

    Parameters
    ----------
    representation : callable q -> d x d matrix
        Matrix of the rotation of an integer quaternion (w, x, y, z), of any norm: ints, Fractions or Gauss.
    inversion : d x d matrix, optional
        Matrix of r -> -r.

    Returns
    -------
    Reduction

    Raises
    ------
    IrrepsError
        If the matrices are those of no representation of SO(3) (spins one half for example), or the inversion's square
        is not one.
    ShapeError
        If a matrix is not square, or another is of another size.

    Notes
    -----
    Exact, residual zero. With multiplicities above one the basis of equal irreps is one choice of many (Schur).

    Examples
    --------
    >>> reduce_representation(cartesian_tensors(2)).irreps
    Irreps('1x0 + 1x1 + 1x2')
    """
    if not callable(representation):
        raise ArgumentError(f"reduce_representation: 'representation' must be a function of q, got {representation!r}")
    Z, X = (_square("reduce_representation", representation(q)) for q in (ABOUT_Z, ABOUT_X))
    others = [X] if inversion is None else [X, _square("reduce_representation", inversion)]
    if any(len(other) != len(Z) for other in others):
        sizes = [len(other) for other in (Z, *others)]
        raise ShapeError(f"reduce_representation: all matrices must be of one size, got {sizes}")
    if inversion is None:
        parities: list[tuple[int | None, list[Row]]] = [(None, [])]
    else:
        parities = [(p, _minus(others[1], Gauss(p, 0))) for p in (1, -1)]
    found: list[tuple[Irrep, list[list[Row]]]] = []
    total = 0
    for p, rows in parities:
        weights = _weight_spaces(Z, rows)
        total += sum(len(basis) for basis in weights.values())
        for l in sorted(m for m in weights if m >= 0):
            count = len(weights[l]) - len(weights.get(l + 1, []))
            fragments = _intertwiners(X, weights, l) if count else []
            if count < 0 or len(fragments) != count:
                raise _not_a_representation(f"{count} irreps of degree {l} by weights, {len(fragments)} found")
            if count:
                found.append((Irrep(l, p), fragments))
    if total != len(Z):
        raise _not_a_representation(f"weights 0, 1, -1, ... have {total} of {len(Z)} dimensions")
    found.sort(key=lambda part: (part[0].l, -(part[0].p or 0)))
    columns = [f[k] for irrep, fragments in found for k in range(irrep.dim) for f in fragments]
    C = [[column[i] for column in columns] for i in range(len(Z))]
    return Reduction(Irreps((len(fragments), irrep) for irrep, fragments in found), C)


def cartesian_tensors(rank: int) -> Representation:
    """The representation on tensors with `rank` indices, T_ij... -> R_ia R_jb ... T_ab..., last index fastest.

    Raises
    ------
    IrrepsError
        If `rank` is not an integer from 0 to 8: the matrices have 9^rank entries.
    """
    rank = check_integer("cartesian_tensors", "rank", rank)
    if rank > 8:
        raise ArgumentError(f"cartesian_tensors: 'rank' must be at most 8, got {rank}")

    def representation(q: tuple[int, int, int, int]) -> Matrix:
        matrix: list[Row] = [[1]]
        for _ in range(rank):
            matrix = [[a * b for a in row for b in turn] for row in matrix for turn in rotation_matrix(q)]
        return matrix

    return representation


def null_space(rows: Matrix, columns: int) -> list[Row]:
    """Basis of the vectors that every row annihilates, by Gauss-Jordan elimination over the Gaussian rationals.

    Parameters
    ----------
    rows : sequence of rows of Gauss
    columns : int
        Length of the vectors.

    Returns
    -------
    list of vectors
        One for each column without pivot, with a 1 there.

    Raises
    ------
    ShapeError
        If a row has not `columns` entries.
    IrrepsError
        If an entry is no exact number, or `columns` no number of columns.
    """
    columns, rows = check_integer("null_space", "columns", columns), _gauss("null_space", rows)
    if any(len(row) != columns for row in rows):
        raise ShapeError(f"null_space: 'rows' must have {columns} entries each, got {[len(row) for row in rows]}")
    return _null_space(rows, columns)


def _null_space(rows: Matrix, columns: int) -> list[Row]:
    reduced: dict[int, Row] = {}  # pivot column -> row with a 1 in it and zeros in all other pivot columns
    for row in rows:
        rest = list(row)
        for pivot, known in reduced.items():
            if rest[pivot]:
                rest = _subtract(rest, rest[pivot], known)
        pivot = next((j for j, x in enumerate(rest) if x), -1)
        if pivot < 0:
            continue
        scale = rest[pivot]
        rest = [x / scale if x else x for x in rest]
        for other, known in reduced.items():
            if known[pivot]:
                reduced[other] = _subtract(known, known[pivot], rest)
        reduced[pivot] = rest
    free = [j for j in range(columns) if j not in reduced]
    basis = []
    for j in free:
        vector = [Gauss(Fraction(0), Fraction(0)) for _ in range(columns)]
        vector[j] = Gauss(Fraction(1), Fraction(0))
        for pivot, known in reduced.items():
            vector[pivot] = -known[j]
        basis.append(vector)
    return basis


def _weight_spaces(Z: list[Row], extra: list[Row]) -> dict[int, list[Row]]:
    """Eigenvectors of the turn about z with eigenvalue that of component m, within the null space of `extra`."""
    d, found = len(Z), {}
    left = d if not extra else len(_null_space(extra, d))
    for m in sorted(range(-(d // 2), d // 2 + 1), key=abs):
        if left > 0:
            l = abs(m)
            basis = _null_space(_minus(Z, monomial_D(l, ABOUT_Z)[l + m][l + m]) + extra, d)
            left -= len(basis)
            if basis:
                found[m] = basis
    return found


def _intertwiners(X: list[Row], weights: dict[int, list[Row]], l: int) -> list[list[Row]]:
    """All fragments of degree l: for each, vectors c_m in weight space m with X c_m = sum over m' of c_m' D[m'][m]."""
    D, ms = monomial_D(l, ABOUT_X), range(-l, l + 1)
    spaces = [weights.get(m, []) for m in ms]
    turned = [[_apply(X, vector) for vector in space] for space in spaces]
    unknowns = [(m, k) for m, space in enumerate(spaces) for k in range(len(space))]
    zero = Gauss(Fraction(0), Fraction(0))
    rows = []
    for column in range(2 * l + 1):
        for i in range(len(X)):
            row = [spaces[m][k][i] * D[m][column] * -1 for m, k in unknowns]
            rows.append([a + turned[m][k][i] if m == column else a for a, (m, k) in zip(row, unknowns)])
    fragments = []
    for solution in _null_space(rows, len(unknowns)):
        vectors = [[zero] * len(X) for _ in ms]
        for factor, (m, k) in zip(solution, unknowns):
            if factor:
                vectors[m] = [a + factor * b for a, b in zip(vectors[m], spaces[m][k])]
        fragments.append(vectors)
    return fragments


def _block_diagonal(irreps: Irreps, q: tuple[int, int, int, int]) -> list[Row]:
    zero = Gauss(0, 0)
    D = [[zero] * irreps.dim for _ in range(irreps.dim)]
    for start, (mul, irrep) in zip(irreps.offsets, irreps):
        block = monomial_D(irrep.l, q)
        for i in range(irrep.dim):
            for j in range(irrep.dim):
                for c in range(mul):
                    D[start + i * mul + c][start + j * mul + c] = block[i][j]
    return D


def _times(a: Matrix, b: Matrix) -> list[Row]:
    columns = list(zip(*b))
    return [[sum((x * y for x, y in zip(row, column) if x and y), Gauss(0, 0)) for column in columns] for row in a]


def _apply(matrix: Matrix, vector: Row) -> Row:
    return [sum((x * y for x, y in zip(row, vector) if x and y), Gauss(0, 0)) for row in matrix]


def _subtract(row: Row, factor: Any, other: Row) -> Row:
    return [x - factor * y if y else x for x, y in zip(row, other)]


def _minus(matrix: list[Row], value: Any) -> list[Row]:
    return [[x - value if i == j else x for j, x in enumerate(row)] for i, row in enumerate(matrix)]


def _gauss(function: str, matrix: Matrix) -> list[Row]:
    try:
        return [[_exact(function, x) for x in row] for row in matrix]
    except TypeError as error:
        raise ShapeError(f"{function}: a matrix must be rows of numbers, got {matrix!r}") from error


def _exact(function: str, x: Any) -> Gauss:
    if isinstance(x, Gauss):
        return x
    value = as_rational(x)
    if value is None:
        raise ArgumentError(f"{function}: a matrix must hold integers, Fractions or Gauss, got {x!r}")
    return Gauss(value, Fraction(0))


def _square(function: str, matrix: Matrix) -> list[Row]:
    found = _gauss(function, matrix)
    if not found or any(len(row) != len(found) for row in found):
        raise ShapeError(f"{function}: matrices must be square, got rows of {[len(row) for row in found]}")
    return found


def _not_a_representation(why: str) -> IrrepsError:
    return IrrepsError(f"reduce_representation: 'representation' must be one of SO(3) or O(3), but {why}")
