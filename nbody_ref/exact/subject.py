"""What the exact checks examine: the package's own definition, or one with an error planted in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nbody_ref.exact.cg import cg_table, cg_table_real
from nbody_ref.exact.gauges import MONOMIAL, Gauge
from nbody_ref.exact.harmonics import Harmonic, solid_harmonic
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.surd import Surd
from nbody_ref.exact.symbols import six_j
from nbody_ref.exact.wigner import monomial_matrix

__all__ = ["Outcome", "Subject"]

Outcome = tuple[int, list[str]]  # number of cases, descriptions of those that failed


@dataclass(frozen=True)
class Subject:
    """The functions under examination; `dataclasses.replace` plants an error in one of them.

    Parameters
    ----------
    cg, cg_real : callable (l1, l2, l) -> sequence of (m1, m2, m, Surd)
    matrix : callable (l, q) -> Gaussian-integer matrix M_l(q) of the monomial gauge
    harmonic : callable (l, m, normalization, basis) -> Harmonic
    six_j : callable (j1, ..., j6) -> Surd
    gauge : Gauge
        In which the gates and the network run.
    """

    cg: Callable[[int, int, int], Sequence[tuple[int, int, int, Surd]]] = cg_table
    cg_real: Callable[[int, int, int], Sequence[tuple[int, int, int, Surd]]] = cg_table_real
    matrix: Callable[[Any, Sequence[int]], Sequence[Sequence[Gauss]]] = monomial_matrix
    harmonic: Callable[[int, int, str, str], Harmonic] = solid_harmonic
    six_j: Callable[..., Surd] = six_j
    gauge: Gauge = MONOMIAL
