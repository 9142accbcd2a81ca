"""Permutation-symmetric reduced bases: which comb diagrams of one state multiplied with itself are independent.

Fed with the same state on all n legs, the labelings of a comb are linearly dependent: exchanging two legs changes
nothing. This module counts the independent ones by characters, picks them canonically, and expands all others in them.
Steps S1 to S5: docs/derivations/fusion_symmetric.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product as cartesian
from typing import Any

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import DTypeError, SchemeError, ShapeError
from nbody_ref.exact import Surd, six_j
from nbody_ref.fusion.checks import MOST_LEAVES
from nbody_ref.fusion.diagram import LIMIT, Diagram, count_over, labelings
from nbody_ref.fusion.evaluate import coupling_norm
from nbody_ref.fusion.label import Label, Spin, as_label, as_labels, check_basis, parity, product, twice
from nbody_ref.fusion.recoupling import braid_sign, gauge_power
from nbody_ref.fusion.tree import left_comb
from nbody_ref.irreps import Irreps
from nbody_ref.ops._check import REAL_OR_COMPLEX
from nbody_ref.tables import check_dtype

__all__ = ["CombPath", "SymmetricBasis", "check_state", "symmetric_basis", "symmetric_dimension"]

Array = np.ndarray[Any, Any]
Parts = tuple[int, ...]
Row = dict[tuple[Parts, tuple[Label, ...]], Fraction]


def symmetric_dimension(parts: Any, n: int, root: Any) -> int:
    r"""How often `root` occurs in the n-th symmetric power of a state, by its character.

    .. math:: \sum_n x^n \chi_{\mathrm{Sym}^n}(t) = \prod_{a} \prod_{m=-j_a}^{j_a} \frac{1}{1 - x\,p_a\,t^m}

    The multiplicity of J is the coefficient of t^J less that of t^(J+1), taken within one parity.

    Parameters
    ----------
    parts : Irreps, str, or sequence of labels
        The state, each part as one fragment whatever its multiplicity (products go channel by channel).
    n : int
        Number of legs.
    root : Irrep, Spin or str

    Returns
    -------
    int

    Raises
    ------
    SchemeError
        If `n` is not an integer from 1 to 256 or there are no parts.
    IrrepsError
        If groups are mixed.

    Examples
    --------
    >>> [symmetric_dimension("0e + 1o + 2e + 3o", 3, root) for root in ("0e", "1o", "2e")]
    [8, 12, 14]
    """
    labels, n, wanted = check_state("symmetric_dimension", parts, n, root)
    counts: dict[tuple[int, int, int], int] = {(0, 0, 1): 1}  # (legs used, doubled M, parity) -> multisets
    for label in labels:
        p, top = parity(label) or 1, twice(label)
        for m in range(-top, top + 1, 2):
            for used in range(1, n + 1):  # ascending: a component may be taken again
                for (k, total, sign), ways in [item for item in counts.items() if item[0][0] == used - 1]:
                    key = (k + 1, total + m, sign * p)
                    counts[key] = counts.get(key, 0) + ways
    j, sign = twice(wanted), parity(wanted) or 1
    return counts.get((n, j, sign), 0) - counts.get((n, j + 2, sign), 0)


@dataclass(frozen=True)
class CombPath:
    """A labelled left comb whose leg a carries part `parts[a]` of the state.

    Examples
    --------
    >>> from nbody_ref.fusion import symmetric_basis
    >>> symmetric_basis(["1o"], 2, "0e").full[0].parts
    (0, 0)
    """

    parts: Parts
    diagram: Diagram


@dataclass(frozen=True)
class SymmetricBasis:
    """All comb paths of a state, an independent set of them, and the exact expansion of all in that set.

    Parameters
    ----------
    labels : tuple of labels
        Parts of the state.
    full : tuple of CombPath
        All comb paths: parts lexicographically ascending, then in the order of `labelings`.
    reduced : tuple of int
        Positions in `full` of the independent paths. They have ascending parts, and among equal parts each is the
        first that the ones before it do not determine.
    expansion : tuple of tuples of (int, Surd)
        Row k: path k of `full` is the sum of coefficient times independent path.

    Examples
    --------
    >>> from nbody_ref.fusion import symmetric_basis
    >>> basis = symmetric_basis(["1o"], 3, "1o")
    >>> len(basis.full), len(basis.reduced)
    (3, 1)
    """

    labels: tuple[Label, ...]
    full: tuple[CombPath, ...]
    reduced: tuple[int, ...]
    expansion: tuple[tuple[tuple[int, Surd], ...], ...]

    @property
    def paths(self) -> tuple[CombPath, ...]:
        """The independent paths."""
        return tuple(self.full[k] for k in self.reduced)

    def matrix(self, dtype: Any = np.float64) -> Array:
        """Expansion as a (full, reduced) array: values_full = matrix @ values_reduced; entries correctly rounded.

        Raises
        ------
        DTypeError
            If `dtype` is neither float64 nor float32.
        """
        name = check_dtype("matrix", dtype)
        found = np.zeros((len(self.full), len(self.reduced)), name)
        for k, row in enumerate(self.expansion):
            for i, value in row:
                found[k, i] = value.round(name)
        return found

    def to_full(self, values: Any) -> Array:
        """Values (..., reduced) of the independent paths to those (..., full) of all."""
        found = _axis("to_full", values, len(self.reduced))
        out: Array = np.matmul(found, self.matrix(found.real.dtype).T)
        return out

    def to_reduced(self, values: Any) -> Array:
        """Values (..., full) to (..., reduced), a selection: the inverse of `to_full` on all values that can occur."""
        return _axis("to_reduced", values, len(self.full))[..., list(self.reduced)]

    def weights_to_reduced(self, weights: Any) -> Array:
        """Weights (..., full) to the weights (..., reduced) with the same weighted sum for every state."""
        found = _axis("weights_to_reduced", weights, len(self.full))
        out: Array = np.matmul(found, self.matrix(found.real.dtype))
        return out

    def weights_to_full(self, weights: Any) -> Array:
        """Weights (..., reduced) to weights (..., full), zero on the dependent paths."""
        found = _axis("weights_to_full", weights, len(self.reduced))
        out = np.zeros((*found.shape[:-1], len(self.full)), found.dtype)
        out[..., list(self.reduced)] = found
        return out


def symmetric_basis(parts: Any, n: int, root: Any, basis: str = "real", limit: int = LIMIT) -> SymmetricBasis:
    """Reduced basis of the n-fold product of a state with itself, exact, in canonical order.

    Parameters
    ----------
    parts, n, root
        As in `symmetric_dimension`.
    basis : {"real", "complex"}
        Gauge of the values; it changes signs of the expansion (D7), not the choice of paths. Spins need "complex".
    limit : int
        Most comb paths to list.

    Returns
    -------
    SymmetricBasis
        With `symmetric_dimension` independent paths.

    Raises
    ------
    SchemeError, IrrepsError
        As `symmetric_dimension`, and for more than `limit` comb paths.

    Examples
    --------
    >>> basis = symmetric_basis("0e + 1o + 2e + 3o", 3, "0e")
    >>> len(basis.full), len(basis.reduced)
    (23, 8)
    """
    labels, n, wanted = check_state("symmetric_basis", parts, n, root)
    limit = check_integer("symmetric_basis", "limit", limit, 0)
    check_basis("symmetric_basis", basis, labels)
    comb, choices = left_comb(n), cartesian(range(len(labels)), repeat=n)
    count = count_over(comb, [labels] * n, wanted)
    if count > limit:
        raise SchemeError(f"symmetric_basis: 'limit' is {limit} comb paths, but this state has {count}")
    full = [CombPath(c, d) for c in choices for d in labelings(comb, [labels[p] for p in c], wanted)]
    solved: dict[Parts, dict[tuple[Label, ...], dict[tuple[Label, ...], Fraction]]] = {}
    for path in full:
        if list(path.parts) == sorted(path.parts) and path.parts not in solved:
            solved[path.parts] = _solve(labels, path.parts, wanted)
    free = {(p, k): None for p, rows in solved.items() for k, row in rows.items() if row == {k: 1}}
    reduced = [k for k, path in enumerate(full) if (path.parts, path.diagram.outputs) in free]
    index = {(full[k].parts, full[k].diagram.outputs): i for i, k in enumerate(reduced)}
    gauge = [_gauge(full[k].diagram, basis) for k in reduced]
    expansion = []
    for path in full:
        row, (norm, power) = _expand(labels, path, solved), _gauge(path.diagram, basis)
        terms = sorted((index[key], value) for key, value in row.items())
        expansion.append(tuple((i, norm / gauge[i][0] * (-x if (power - gauge[i][1]) % 4 else x)) for i, x in terms))
    return SymmetricBasis(labels, tuple(full), tuple(reduced), tuple(expansion))


def _gauge(diagram: Diagram, basis: str) -> tuple[Surd, int]:
    """Factor from the rational gauge to the one asked for: a positive surd and a power of i."""
    return coupling_norm(diagram), gauge_power(diagram.nodes, diagram.legs) if basis == "real" else 0


def check_state(function: str, parts: Any, n: Any, root: Any) -> tuple[tuple[Label, ...], int, Label]:
    """Labels of the parts, number of legs and label of the root, checked; errors as `symmetric_dimension`."""
    n = check_integer(function, "n", n, 1, MOST_LEAVES)
    source = [part.irrep for part in Irreps(parts)] if isinstance(parts, (str, Irreps)) else parts
    labels, wanted = as_labels(function, "parts", source), as_label(function, root)
    if not labels:
        raise SchemeError(f"{function}: 'parts' must have at least one part")
    for label in labels:
        product(label, wanted)  # raises if the groups differ
    return labels, n, wanted


def _solve(
    labels: Sequence[Label], parts: Parts, root: Label
) -> dict[tuple[Label, ...], dict[tuple[Label, ...], Fraction]]:
    """Every labeling of ascending parts in terms of the first independent ones, in the rational gauge (S4)."""
    legs = [labels[p] for p in parts]
    keys = [diagram.outputs for diagram in labelings(left_comb(len(parts)), legs, root)]
    column = {key: i for i, key in enumerate(keys)}
    relations = []
    for i in range(len(parts) - 1):
        if parts[i] == parts[i + 1]:
            for key in keys:
                relation = [Fraction(0)] * len(keys)
                relation[column[key]] = Fraction(-1)
                for other, value in _exchange(legs, key, i):
                    relation[column[other]] += value
                relations.append(relation)
    rows = _eliminate(relations, len(keys))
    found = {}
    for k, key in enumerate(keys):
        row = rows.get(k)
        found[key] = {key: Fraction(1)} if row is None else {keys[i]: -x for i, x in enumerate(row) if x and i != k}
    return found


def _eliminate(relations: list[list[Fraction]], width: int) -> dict[int, list[Fraction]]:
    """Reduced echelon form with pivots as far to the right as can be: pivot column -> its row, scaled to one."""
    rows: dict[int, list[Fraction]] = {}
    for relation in relations:
        for pivot, row in rows.items():
            if relation[pivot]:
                relation = [x - relation[pivot] * y for x, y in zip(relation, row)]
        pivot = next((k for k in range(width - 1, -1, -1) if relation[k]), -1)
        if pivot < 0:
            continue
        relation = [x / relation[pivot] for x in relation]
        for other, row in rows.items():
            if row[pivot]:
                rows[other] = [x - row[pivot] * y for x, y in zip(row, relation)]
        rows[pivot] = relation
    return rows


def _expand(labels: Sequence[Label], path: CombPath, solved: dict[Parts, Any]) -> Row:
    """Rational coefficients of a path on the independent ones: sort its parts by exchanges, then look up (S5)."""
    parts, terms = list(path.parts), {path.diagram.outputs: Fraction(1)}
    while parts != sorted(parts):
        i = next(k for k in range(len(parts) - 1) if parts[k] > parts[k + 1])
        legs = [labels[p] for p in parts]
        moved: dict[tuple[Label, ...], Fraction] = {}
        for key, x in terms.items():
            for other, value in _exchange(legs, key, i):
                moved[other] = moved.get(other, Fraction(0)) + x * value
        parts[i], parts[i + 1], terms = parts[i + 1], parts[i], moved
    row: Row = {}
    for key, x in terms.items():
        for free, value in solved[tuple(parts)][key].items():
            row[tuple(parts), free] = row.get((tuple(parts), free), Fraction(0)) + x * value
    return {key: value for key, value in row.items() if value}


def _exchange(legs: Sequence[Label], outputs: tuple[Label, ...], i: int) -> list[tuple[tuple[Label, ...], Fraction]]:
    """Exchange of legs i and i + 1 of a comb: its outputs in terms of those of the exchanged comb (S2, S3)."""
    if i == 0:
        return [(outputs, Fraction(braid_sign(legs[0], legs[1], outputs[0])))]
    before = legs[0] if i == 1 else outputs[i - 2]
    b, c, k, root = legs[i], legs[i + 1], outputs[i - 1], outputs[i]
    found = []
    for new in product(before, c):
        if root in product(new, b):
            value = _exchange_rational(*(twice(x) for x in (before, b, c, k, new, root)))
            if value:
                found.append(((*outputs[: i - 1], new, *outputs[i:]), value))
    return found


@lru_cache(maxsize=65536)
def _exchange_rational(before: int, b: int, c: int, k: int, new: int, root: int) -> Fraction:
    """Overlap of ((A b)k c)J with ((A c)k' b)J, times N'/N of the two couplings: rational. Doubled degrees."""
    A, B, C, K, N, J = (Fraction(x, 2) for x in (before, b, c, k, new, root))
    sign = -1 if (b + c + k + new) // 2 % 2 else 1
    value = six_j(B, A, K, C, J, N) * Surd(sign, (k + 1) * (new + 1))
    ratio = _comb_norm(before, c, new, b, root) / _comb_norm(before, b, k, c, root)
    rational: Fraction | None = (value * ratio).as_fraction()
    if rational is None:  # excluded by S3
        raise ArithmeticError(f"fusion: exchange of {(A, B, C, K, N, J)} is not rational in the integer gauge")
    return rational


@lru_cache(maxsize=65536)
def _comb_norm(before: int, b: int, k: int, c: int, root: int) -> Surd:
    legs = [Spin(Fraction(x, 2)) for x in (before, b, c)]
    return coupling_norm(Diagram(((0, 1), 2), tuple(legs), (Spin(Fraction(k, 2)), Spin(Fraction(root, 2)))))


def _axis(function: str, values: Any, count: int) -> Array:
    try:
        found = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise ShapeError(f"{function}: expected an array of numbers: {error}") from error
    if found.dtype.kind in "iu":
        found = found.astype(np.float64)
    if found.dtype not in REAL_OR_COMPLEX:
        raise DTypeError(f"{function}: expected an array of float64, float32, or complex numbers, got {found.dtype}")
    if found.ndim == 0 or found.shape[-1] != count:
        raise ShapeError(f"{function}: the last axis must have length {count}, got shape {found.shape}")
    return found
