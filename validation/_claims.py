"""Claims: what a script of this folder examines, prints and records.

A claim is a function ``(subject, full)`` that yields pairs (case, residual). `subject` holds the functions on trial,
taken from `nbody_ref`; everything else in the function is the judge and comes from sympy, mpmath or the script itself.
A residual is either exact, and must equal zero, or |error| / bound, and must not exceed one. Each claim is examined
again with errors planted in the subject, and each of them must be caught.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

Cases = Iterator[tuple[Any, Any]]
EXACT = "0"


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes
    ----------
    number : str
    equation : str
        Where the papers or our documentation say it.
    statement : str
    judge : str
        What the package is compared with.
    function : callable (subject, full) -> iterator of (case, residual)
        `full` is False for the quick selection.
    subject : dict
        Functions on trial by name.
    planted : dict of name -> dict
        Errors: replacements of entries of `subject`.
    bound : str
        EXACT, or the formula of the bound to which residuals are scaled.
    rho : callable, optional
        From a case to ((operation, dtype, degree), k), if residuals are shares of a bound k u S; the distribution of
        |error| / (u S) is then part of what is measured.
    """

    number: str
    equation: str
    statement: str
    judge: str
    function: Callable[[SimpleNamespace, bool], Cases]
    subject: Mapping[str, Any]
    planted: Mapping[str, Mapping[str, Any]]
    bound: str
    rho: Callable[[Any], tuple[Any, float]] | None = None


CLAIMS: list[Claim] = []


def claim(
    number: str,
    equation: str,
    statement: str,
    judge: str,
    subject: Mapping[str, Any],
    planted: Mapping[str, Mapping[str, Any]],
    bound: str = EXACT,
    rho: Callable[[Any], tuple[Any, float]] | None = None,
) -> Callable[[Any], Any]:
    """Register the decorated function as a claim of this script."""
    if not planted:
        raise ValueError(f"claim {number}: a check that nothing can fail is no check; plant an error")

    def register(function: Callable[[SimpleNamespace, bool], Cases]) -> Any:
        CLAIMS.append(Claim(number, equation, statement, judge, function, subject, planted, bound, rho))
        return function

    return register


def holds(residual: Any, bound: str) -> bool:
    """Whether a residual is exactly zero or, where there is a bound, at most one; NaN is not."""
    return bool(residual == 0) if bound == EXACT else bool(residual <= 1)


def examine(claim: Claim, full: bool) -> dict[str, Any]:
    """Run all cases; returns number, first failures and the largest residual."""
    cases, failures, worst = 0, [], 0.0
    groups: dict[Any, list[float]] = {}
    for case, residual in claim.function(SimpleNamespace(**claim.subject), full):
        cases += 1
        if not holds(residual, claim.bound):
            failures.append(f"{case}: residual {residual}")
        if claim.bound != EXACT:
            worst = max(worst, float(residual))
        if claim.rho:
            label, k = claim.rho(case)
            groups.setdefault(label, []).append(float(residual) * k)
    spread = [[*label, len(found), *quantiles(found)] for label, found in groups.items()]
    return {"cases": cases, "failures": failures[:5], "failed": len(failures), "worst": worst, "rho": spread}


def quantiles(found: list[float]) -> tuple[float, float, float]:
    """Median, 99th percentile and maximum."""
    found = sorted(found)
    return found[len(found) // 2], found[min(len(found) - 1, len(found) * 99 // 100)], found[-1]


def caught(claim: Claim, changes: Mapping[str, Any]) -> bool:
    """Whether an error planted in the subject makes a case fail; the package may also refuse it outright."""
    try:
        cases = claim.function(SimpleNamespace(**{**claim.subject, **changes}), False)
        return any(not holds(residual, claim.bound) for _, residual in cases)
    except (ValueError, ArithmeticError):
        return True


def all_caught(claim: Claim) -> bool:
    """Whether every planted error of a claim is caught, one line each."""
    twins = {name: caught(claim, changes) for name, changes in claim.planted.items()}
    for name, found in twins.items():
        print(f"{'ok  ' if found else 'FAIL'} {claim.number:5} planted: {name} {'caught' if found else 'MISSED'}")
    return all(twins.values())


def report(claim: Claim, full: bool) -> dict[str, Any]:
    """Examine a claim and its planted errors, print one line, return the record."""
    start = time.perf_counter()
    outcome = examine(claim, full)
    twins = {name: caught(claim, changes) for name, changes in claim.planted.items()}
    ok = outcome["cases"] > 0 and not outcome["failed"] and all(twins.values())
    residual = "residual 0" if claim.bound == EXACT else f"at most {outcome['worst']:.3g} of {claim.bound}"
    if outcome["failed"]:
        residual = f"{outcome['failed']} FAILED, first: {outcome['failures'][0]}"
    errors = ", ".join(f"{name} {'caught' if found else 'MISSED'}" for name, found in twins.items())
    seconds = time.perf_counter() - start
    print(
        f"{'ok  ' if ok else 'FAIL'} {claim.number:5} {claim.statement} [{claim.equation}; judge: {claim.judge}]: "
        f"{outcome['cases']} cases, {residual}; planted: {errors} ({seconds:.1f} s)",
        flush=True,
    )
    return {
        "number": claim.number,
        "equation": claim.equation,
        "claim": claim.statement,
        "judge": claim.judge,
        "cases": outcome["cases"],
        "bound": claim.bound,
        "holds": not outcome["failed"] and outcome["cases"] > 0,
        "planted": {name: "caught" if found else "missed" for name, found in twins.items()},
        "measured": outcome["worst"],
        "rho": outcome["rho"],
        "ok": ok,
    }


def main(argv: list[str] | None = None) -> int:
    """Command line of every script: ``check_x.py [--quick | --planted] [--only NUMBER] [--json FILE]``."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--quick", action="store_true", help="a small selection of the cases")
    parser.add_argument("--only", metavar="NUMBER", help="one claim, or all of a group: 8.6, 8")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the records here")
    parser.add_argument("--planted", action="store_true", help="only the planted errors: each must be caught")
    options = parser.parse_args(argv)
    chosen = [c for c in CLAIMS if not options.only or f"{c.number}.".startswith(f"{options.only}.")]
    if options.planted:
        return 0 if chosen and all(all_caught(c) for c in chosen) else 1
    records = [report(c, not options.quick) for c in chosen]
    if options.json:
        options.json.write_text(json.dumps(records, indent=1) + "\n")
    return 0 if records and all(record["ok"] for record in records) else 1
