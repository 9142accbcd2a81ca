"""The installed exact checks, what ``nbody-ref verify`` runs: theorems, number of cases, residual zero or not.

No tolerance occurs: every case is a comparison of integers, rationals or surds. Covariance under the two generating
rotations, by 2 arctan(1/2) about x and about z, is covariance under all of SO(3): the angle is no rational multiple of
pi, so their products are dense, and both sides of each identity are continuous. Orthonormality, covariance and the sign
of one entry per triple determine every Clebsch-Gordan coefficient.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from nbody_ref.errors import DataError, NBodyRefError
from nbody_ref.exact import algebra_checks, gate_checks
from nbody_ref.exact.subject import Outcome, Subject

__all__ = ["CHECKS", "Check", "Result", "run"]


@dataclass(frozen=True)
class Check:
    """A theorem and the function that examines it.

    Parameters
    ----------
    name : str
        Identifier, for `run(only=...)`.
    claim : str
        The theorem in words; ``{lmax}`` is filled in.
    function : callable (lmax, subject) -> (number of cases, failures)
    """

    name: str
    claim: str
    function: Callable[[int, Subject], Outcome]


@dataclass(frozen=True)
class Result:
    """Outcome of one check.

    Parameters
    ----------
    name, claim : str
    cases : int
        Number of identities examined.
    failures : tuple of str
        Those that do not hold, described.
    seconds : float
    """

    name: str
    claim: str
    cases: int
    failures: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether something was examined and every residual is exactly zero."""
        return self.cases > 0 and not self.failures

    def __str__(self) -> str:
        held = max(self.cases - len(self.failures), 0)
        verdict = "residual 0" if self.ok else f"FAILED, first: {self.failures[0] if self.failures else 'no case'}"
        return f"{held}/{self.cases} {self.claim}: {verdict} ({self.seconds:.2f} s)"


CHECKS = (
    Check(
        "cg_orthogonality",
        "Clebsch-Gordan columns orthonormal, all l1, l2 <= {lmax}",
        algebra_checks.orthogonality,
    ),
    Check(
        "cg_completeness",
        "Clebsch-Gordan rows complete, all l1, l2 <= {lmax}",
        algebra_checks.completeness,
    ),
    Check(
        "cg_covariance",
        "product (13) covariant under both generating rotations, all triples <= {lmax}",
        algebra_checks.covariance,
    ),
    Check(
        "cg_phases",
        "Condon-Shortley sign <l1 l1 l2 l-l1|l l> > 0, all triples <= {lmax}",
        algebra_checks.phases,
    ),
    Check(
        "cg_real_surds",
        "real gauge = i^s U C (U^+ x U^+), every entry one signed surd, all triples <= {lmax}",
        algebra_checks.real_gauge_surds,
    ),
    Check(
        "cg_rounding",
        "coefficients rounded to the nearest float64, degrees <= 6",
        algebra_checks.rounding,
    ),
    Check(
        "six_j",
        "6j symbols orthogonal, half-integers included",
        algebra_checks.six_j_orthogonality,
    ),
    Check(
        "wigner_homomorphism",
        "D(p) D(q) = D(p q), l = 0, 1/2, ..., {lmax}",
        algebra_checks.homomorphism,
    ),
    Check(
        "wigner_conventions",
        "turns about z are diag(exp(-i m g)), D^1 is the active rotation, l <= {lmax}",
        algebra_checks.conventions,
    ),
    Check(
        "harmonics_harmonic",
        "solid harmonics homogeneous, harmonic, normalized, l <= {lmax}",
        algebra_checks.harmonics_harmonic,
    ),
    Check(
        "harmonics_covariant",
        "solid harmonics covariant at rational points, l <= {lmax}",
        algebra_checks.harmonics_covariant,
    ),
    Check("gate_zeroth_order", "gate (10) covariant over Gaussian rationals, O(3)", gate_checks.zeroth_order_gate),
    Check("gate_first_order", "gate (11) covariant over Gaussian rationals, O(3)", gate_checks.first_order_gate),
    Check("gate_relative", "gate (12) covariant over Gaussian rationals, O(3)", gate_checks.relative_gate),
    Check("gate_legs", "product of three summed legs (6) covariant, O(3)", gate_checks.legs_gate),
    Check("gate_aggregation", "general rule (6), P, Q, S = 1, 1, 2, covariant, O(3)", gate_checks.aggregation_gate),
    Check("network", "two-layer N-body network (Definition 3) covariant, O(3)", gate_checks.network_covariance),
)


def run(
    lmax: int = 8,
    progress: Callable[[Result], None] | None = None,
    subject: Subject | None = None,
    only: Collection[str] | None = None,
) -> list[Result]:
    """Run the exact checks.

    Parameters
    ----------
    lmax : int
        Largest degree of the tables, at least 1; the gates use their own small degrees.
    progress : callable Result -> None, optional
        Called after each check, for example ``print``.
    subject : Subject, optional
        What to examine; the package's own definition by default.
    only : collection of str, optional
        Names of the checks to run; all by default.

    Returns
    -------
    list of Result
        In the order of `CHECKS`; the definition holds if all are ``ok``.

    Raises
    ------
    DataError
        If `lmax` is below 1 or `only` has an unknown name.

    Notes
    -----
    A table that makes a check impossible, a coefficient that is no surd of the right class for example, is a failure of
    that check, not an exception.
    """
    if lmax < 1:
        raise DataError(f"run: 'lmax' must be at least 1, got {lmax!r}")
    unknown = set(only or ()) - {check.name for check in CHECKS}
    if unknown:
        raise DataError(f"run: 'only' has unknown checks {sorted(unknown)}")
    results = []
    for check in CHECKS:
        if only is not None and check.name not in only:
            continue
        start = time.perf_counter()
        try:
            cases, failures = check.function(lmax, subject or Subject())
        except (NBodyRefError, ValueError) as error:
            cases, failures = 1, [str(error)]
        claim = check.claim.format(lmax=lmax)
        results.append(Result(check.name, claim, cases, tuple(failures), time.perf_counter() - start))
        if progress is not None:
            progress(results[-1])
    return results
