r"""Regularised linear least squares on energies and forces, solved three ways.

Energies E (F) and forces f (M) of the training frames, with rows A_E and A_f (`nbody_ref.fit.rows`), give

.. math:: \min_{w, c}\; \omega^2 \|A_E w + N c - E\|^2 + \|A_f w - f\|^2 + \mu\, \|D^{-1} w\|^2,

where N counts the atoms of each species and c, one constant for each, is free of charge; D scales the columns to unit
root mean square of their force rows, times 2^-legs (5 for one leg): products of more legs start smaller. The constants
are eliminated first: with P = 1 - N N^+ the energies enter as P A_E and P E, and c = N^+ (E - A_E w) afterwards. Above
isolated atoms there are no constants (P = 1, c = 0), so that the energy of atoms far apart is that of isolated atoms.

With A the scaled rows, one below the other (energies times omega), y their labels, and mu lambda times the mean square
norm of the scaled force columns (of the energy columns where no force is known):

- primal: (A^T A + mu) D^-1 w = A^T y, Cholesky; A^T A is accumulated frame by frame, A never exists as a whole;
- dual:   D^-1 w = A^T (A A^T + mu)^-1 y, Cholesky, when columns outnumber rows;
- qr:     A itself is kept, as its triangular factor as soon as rows outnumber columns, and |A D^-1 w - y|^2 +
  mu |D^-1 w|^2 is made smallest by orthogonal transformations: twice the digits, several times the time.

In exact arithmetic the three are one solution. Rounding separates them where mu comes near u |A|^2 (primal, dual).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.linalg

from nbody_ref.errors import NBodyRefError
from nbody_ref.fit.baseline import pseudo_inverse
from nbody_ref.fit.dense import add_gram, cholesky, outer_gram, solve_cholesky
from nbody_ref.fit.rows import Rows

__all__ = ["SOLVERS", "Equations", "Solution", "column_scale"]

Array = np.ndarray[Any, Any]

SOLVERS = ("primal", "dual", "qr")
ENERGY_WEIGHT = 30.0  # omega, 1/Angstrom
PRODUCT_PRIOR = 0.5  # D falls by this factor with each leg of a product
PAIR_PRIOR = 10.0  # and is larger by this one for single legs, which carry most of the binding energy


@dataclass(frozen=True)
class Solution:
    """Readout weights, and one constant for each species.

    Parameters
    ----------
    weights : (columns,) float64
    constants : (S,) float64
        eV for one atom of each species.
    regularisation : float
        lambda.
    """

    weights: Array
    constants: Array
    regularisation: float


@dataclass
class Equations:
    """Rows of a fit, taken in frame by frame.

    Parameters
    ----------
    orders : (columns,) int
        Number of legs behind each column.
    solver : {"primal", "dual", "qr"}
        What is kept of the force rows: their Gram matrix, themselves, or their triangular factor.
    constants : bool
        Whether each species has a constant c.
    fixed_scale : (columns,) float64, optional
        D; None: by the rule above.
    smoothness : (columns,) float64, optional
        Further factors of D by that rule.
    """

    orders: Array
    solver: str
    constants: bool = True
    fixed_scale: Array | None = None
    smoothness: Array | None = None
    _energy: list[tuple[Array, Array, Array]] = field(default_factory=list)  # rows, labels, counts
    _blocks: list[tuple[Array, Array]] = field(default_factory=list)  # force rows and labels: dual, qr
    _gram: Array | None = None  # lower triangle, Fortran order; or R with Q^T f as its last column
    _product: Array | None = None  # A_f^T f
    _squares: Array | None = None  # of every column
    n_force_rows: int = 0

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            raise NBodyRefError(f"Equations: 'solver' must be one of {', '.join(SOLVERS)}, got {self.solver!r}")

    def add(self, rows: Rows, energies: Array, forces: Array, counts: Array) -> None:
        """Take in the rows of some frames with their labels and numbers of atoms of each species."""
        self._energy.append((rows.energy, energies, counts))
        labels = forces.ravel()
        self.n_force_rows += len(labels)
        squares = np.einsum("rc,rc->c", rows.forces, rows.forces)
        self._squares = squares if self._squares is None else self._squares + squares
        if self.solver == "dual":
            self._blocks.append((rows.forces, labels))
        elif self.solver == "primal":
            columns = rows.forces.shape[1]
            if self._gram is None:
                self._gram, self._product = np.zeros((columns, columns), order="F"), np.zeros(columns)
            self._gram = add_gram(self._gram, rows.forces)
            self._product += rows.forces.T @ labels
        else:
            self._keep(rows.forces, labels)

    def _keep(self, block: Array, labels: Array) -> None:
        """Keep a block; as soon as rows outnumber columns, all of them become one triangle, labels as a last column."""
        self._blocks.append((block, labels))
        if sum(len(labels) for _, labels in self._blocks) >= block.shape[1]:
            self._gram = _triangle(self._all_rows())
            self._blocks = []

    def _all_rows(self) -> Array:
        """Force rows with their labels as a last column, in factored form as far as they are."""
        rows = [np.column_stack(block) for block in self._blocks]
        return np.vstack([np.zeros((0, len(self.orders) + 1)) if self._gram is None else self._gram, *rows])

    def scale(self) -> Array:
        """D, one factor for each column; zero for a column that no force depends on."""
        if self.fixed_scale is not None:
            return self.fixed_scale
        squares = np.zeros(0) if self._squares is None else self._squares
        scale = column_scale(squares, self.n_force_rows, self.orders)
        return scale if self.smoothness is None else scale * self.smoothness

    def solve(self, regularisations: Sequence[float]) -> Iterator[Solution]:
        """Solutions for several lambda, largest work shared.

        Yields
        ------
        Solution
            For each lambda in turn; weights are NaN where the matrix is not positive definite in float64 (lambda too
            small for the primal form).
        """
        rows, energies, counts = self.energy_rows()
        scale, pseudo = self.scale(), pseudo_inverse(counts) if self.constants else np.zeros(counts.T.shape)
        energy_rows = ENERGY_WEIGHT * (rows - counts @ (pseudo @ rows)) * scale
        energy_labels = ENERGY_WEIGHT * (energies - counts @ (pseudo @ energies))
        solve = {"primal": self._primal, "dual": self._dual, "qr": self._qr}[self.solver]
        unit = self.unit(energy_rows, scale)
        shifts = [value * unit for value in regularisations]
        found = solve(energy_rows, energy_labels, scale, shifts)
        for regularisation, scaled in zip(regularisations, found, strict=True):
            weights = scaled * scale
            yield Solution(weights, pseudo @ (energies - rows @ weights), regularisation)

    def energy_rows(self) -> tuple[Array, Array, Array]:
        """Rows of all energies, their labels, and numbers of atoms of each species."""
        rows, energies, counts = (np.concatenate(part) for part in zip(*self._energy, strict=True))
        return rows, energies, counts

    def unit(self, energy_rows: Array, scale: Array) -> float:
        """mu over lambda: the mean square norm of the scaled columns."""
        if self.n_force_rows and self._squares is not None:
            return float(np.mean(self._squares * scale**2))
        return float(np.sum(energy_rows**2)) / len(scale)

    def gram(self, a: Array, scale: Array) -> Array:
        """Lower triangle of A^T A with the scaled energy rows `a`, by the primal solver."""
        gram = np.zeros((len(scale),) * 2, order="F") if self._gram is None else self._gram * scale[:, None]
        gram *= scale
        return add_gram(gram, a)

    def stacked(self, a: Array, scale: Array) -> Array:
        """A as a whole below the scaled energy rows `a`, by the dual solver."""
        stacked = np.concatenate([a, *(block for block, _ in self._blocks)])
        stacked[len(a) :] *= scale
        return stacked

    def _primal(self, a: Array, y: Array, scale: Array, shifts: Sequence[float]) -> Iterator[Array]:
        gram = self.gram(a, scale)
        right = a.T @ y + (0.0 if self._product is None else self._product * scale)
        yield from (_positive_solve(gram, right, shift) for shift in shifts)

    def _dual(self, a: Array, y: Array, scale: Array, shifts: Sequence[float]) -> Iterator[Array]:
        stacked = self.stacked(a, scale)
        labels = np.concatenate([y, *(labels for _, labels in self._blocks)])
        gram = outer_gram(stacked)
        yield from (stacked.T @ _positive_solve(gram, labels, shift) for shift in shifts)

    def _qr(self, a: Array, y: Array, scale: Array, shifts: Sequence[float]) -> Iterator[Array]:
        """A is reduced once to a square matrix of min(rows, columns), by an orthogonal factor on the longer side."""
        stacked = self._all_rows()
        stacked[:, :-1] *= scale
        stacked = np.vstack([stacked, np.column_stack([a, y])])
        if len(stacked) > len(scale):
            small, back = _triangle(stacked), None
        else:
            back, upper = scipy.linalg.qr(stacked[:, :-1].T, mode="economic", check_finite=False)
            small = np.column_stack([upper.T, stacked[:, -1]])
        n = small.shape[1] - 1
        for shift in shifts:
            bordered = np.vstack([small, np.sqrt(shift) * np.eye(n, n + 1)])
            upper = _triangle(bordered)
            try:
                reduced = scipy.linalg.solve_triangular(upper[:n, :n], upper[:n, n], check_finite=False)
            except scipy.linalg.LinAlgError:
                reduced = np.full(n, np.nan)
            yield reduced if back is None else back @ reduced


def _triangle(matrix: Array) -> Array:
    """R of a QR factorisation, as many rows as columns or fewer; the matrix is overwritten."""
    upper = scipy.linalg.qr(matrix, mode="r", overwrite_a=True, check_finite=False)[0]
    return np.asarray(upper[: matrix.shape[1]])


def column_scale(squares: Array, n_rows: int, orders: Array) -> Array:
    """D from the sums of squares of the force columns; zero for a column that no force depends on.

    Parameters
    ----------
    squares : (columns,) float64
    n_rows : int
        Force rows that were summed over.
    orders : (columns,) int
        Number of legs behind each column.
    """
    rms = np.sqrt(squares / max(n_rows, 1))
    prior = PRODUCT_PRIOR**orders * np.where(orders == 1, PAIR_PRIOR, 1.0)
    return np.where(rms > 1e-12 * rms.max(initial=0.0), prior / np.where(rms > 0, rms, 1.0), 0.0)


def _positive_solve(lower: Array, right: Array, shift: float) -> Array:
    """Solve (K + shift) x = right from the lower triangle of K, which is kept."""
    shifted = lower.copy(order="F")
    shifted[np.diag_indices(len(shifted))] += shift
    try:
        factor = cholesky(shifted)
    except scipy.linalg.LinAlgError:
        return np.full(len(right), np.nan)
    return solve_cholesky(factor, right)
