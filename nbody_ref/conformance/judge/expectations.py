"""Expected failures: each has a reason and an expiry, and none of them can rot.

A file of expectations has one line for each,

    convolution/float32/2/random/w | second gradients of weights are summed in bfloat16, fixed in 0.4 | 2027-03-01

identity (operation/dtype/order/check/result, with * and ? as in file names), reason, last day. Empty lines and lines
that begin with # are skipped. What fails as expected no longer counts as a failure. An expectation that passes, that
has expired or that names nothing that ran is a failure itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

from nbody_ref.conformance.judge.outcome import Outcome, Report
from nbody_ref.errors import DataError

__all__ = ["Expectation", "expect", "read_expectations"]


@dataclass(frozen=True)
class Expectation:
    """One expected failure.

    Parameters
    ----------
    pattern : str
        Identity of outcomes, with * and ?.
    reason : str
    expires : date
        Last day on which it is accepted.
    line : int
        Where it stands in its file.
    """

    pattern: str
    reason: str
    expires: date
    line: int = 0

    def covers(self, outcome: Outcome) -> bool:
        """Whether it speaks of an outcome."""
        return fnmatchcase(outcome.identity, self.pattern)


def read_expectations(path: Path) -> tuple[Expectation, ...]:
    """Read a file of expectations.

    Raises
    ------
    DataError
        If it cannot be read, or a line has no identity, no reason, or no date.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"conform: cannot read the expected failures in {path}: {error}") from error
    found = []
    for number, text in enumerate(lines, start=1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        fields = [field.strip() for field in text.split("|")]
        wanted = "'operation/dtype/order/check/result | reason | YYYY-MM-DD'"
        if len(fields) != 3 or fields[0].count("/") != 4 or len(fields[1]) < 8:
            raise DataError(f"conform: {path}, line {number}: expected {wanted}, got {text!r}")
        try:
            expires = date.fromisoformat(fields[2])
        except ValueError as error:
            raise DataError(f"conform: {path}, line {number}: {fields[2]!r} is no date YYYY-MM-DD") from error
        found.append(Expectation(fields[0], fields[1], expires, number))
    return tuple(found)


def expect(report: Report, expectations: tuple[Expectation, ...], today: date | None = None) -> None:
    """Mark the failures that are expected, and add a failure for every expectation that does not hold.

    Parameters
    ----------
    report : Report
        Changed in place.
    expectations : tuple of Expectation
    today : date, optional
    """
    today = today or date.today()
    added = []
    for expectation in expectations:
        covered = [outcome for outcome in report.outcomes if expectation.covers(outcome) and outcome.status != "skip"]
        failed = [outcome for outcome in covered if outcome.status in ("fail", "error", "xfail")]
        wrong = _does_not_hold(expectation, covered, failed, today, bool(report.selection))
        if wrong:
            operation, dtype, *_ = expectation.pattern.split("/")
            text = f"line {expectation.line}, {expectation.pattern!r} ({expectation.reason}): {wrong}"
            added.append(Outcome("expected failures", operation, dtype, status="fail", text=text))
        elif failed:
            for outcome in failed:
                outcome.status = "xfail"
                outcome.text = f"expected until {expectation.expires} ({expectation.reason}): {outcome.text}"
    report.outcomes += added


def _does_not_hold(
    expectation: Expectation, covered: list[Outcome], failed: list[Outcome], today: date, chosen: bool
) -> str:
    if today > expectation.expires:
        return f"expired on {expectation.expires}"
    if covered and not failed:
        return "passes; take the line out"
    if not covered and not chosen:
        return "names nothing that ran"
    return ""
