"""What a run found, as a table for the terminal, as JSON, and as one HTML page."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np

import nbody_ref
from nbody_ref.conformance.judge.outcome import ORDERS
from nbody_ref.conformance.judge.verdict import BINS
from nbody_ref.conformance.suite import Outcome, Report

__all__ = ["describe", "table", "to_dict", "verdict"]

SCHEMA = "report.schema.json"
COUNTED = ("rows", "edges", "nodes")
SIZES = (*COUNTED, "fan", "multiplicity", "degree")
STATUSES = ("pass", "fail", "error", "xfail", "skip")


def verdict(report: Report) -> str:
    """The last line of a report."""
    counts = {status: report.count(status) for status in STATUSES}
    words = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    if report.exit_code == 3:
        return "NOTHING RAN: no check applies to what the backend declares; this is not a pass"
    if report.exit_code:
        return f"NOT CONFORMANT: {words}, in {report.seconds:.1f} s"
    end = "" if not counts["skip"] else "; skips come from the backend's own declaration"
    end += "" if not counts["xfail"] else "; xfail: failures that are expected, with reason and expiry"
    kind = "CONFORMANT for what is covered" + (" but for expected failures" if counts["xfail"] else "")
    if report.selection:
        kind = f"PASSED what was asked for ({report.selection}), which is not everything that is declared"
    return f"{kind}: {words}, in {report.seconds:.1f} s{end}"


def cells(report: Report) -> dict[tuple[str, str, int], list[Outcome]]:
    """Outcomes by operation, dtype and order."""
    found: dict[tuple[str, str, int], list[Outcome]] = {}
    for outcome in report.outcomes:
        found.setdefault((outcome.operation, outcome.dtype, outcome.order), []).append(outcome)
    return found


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """Worst figures of some outcomes."""
    measured = [o.measured for o in outcomes if o.measured is not None]
    return {
        "results": len(outcomes),
        "failed": sum(o.status in ("fail", "error") for o in outcomes),
        "skipped": sum(o.status == "skip" for o in outcomes),
        "rho": max((m.rho for m in measured), default=0.0),
        "ulps": max((m.ulps for m in measured), default=0.0),
        "bits": min((m.bits for m in measured), default=float("inf")),
    }


def table(report: Report, limit: int = 8) -> str:
    """Rows of operation, dtype and order, the first failures in words, and the verdict."""
    lines = [f"{report.backend} (gauge {report.convention})", ""]
    heads = f"{'operation':<12} {'dtype':<8} {'order':<16}"
    lines.append(f"{heads} {'results':>7} {'failed':>6} {'max rho':>9} {'bits':>6}")
    for (operation, dtype, order), outcomes in cells(report).items():
        row = summary(outcomes)
        bits = f"{row['bits']:.1f}" if isfinite(row["bits"]) else "-"
        lines.append(
            f"{operation:<12} {dtype:<8} {ORDERS[order]:<16} {row['results']:>7} {row['failed']:>6} "
            f"{row['rho']:>9.3g} {bits:>6}"
        )
    lines.append("")
    failures = list(first_failures(report))
    for outcome in failures[:limit]:
        lines += [*describe(outcome, report), ""]
    if len(failures) > limit:
        lines += [f"and {len(failures) - limit} more kinds of failure (--json has all of them)", ""]
    unclean = sum(o.measured.unclean for o in report.outcomes if o.measured is not None)
    if unclean:
        lines += [f"note: {unclean} entries that must be exactly zero hold noise below one rounding of their row", ""]
    if not report.failures:
        lines += [*covered(report), ""]
    return "\n".join([*lines, verdict(report)])


def covered(report: Report) -> list[str]:
    """The largest calls that were judged, and what is declared beyond them."""
    lines = ["covered, the largest of each:"] if report.coverage else []
    rows: dict[tuple[str, ...], list[str]] = {}
    for (operation, dtype, order), most in report.coverage.items():
        sizes = ", ".join(
            f"{most[key]} {key}" if key in COUNTED else f"{key} {most[key]}" for key in SIZES if key in most
        )
        rows.setdefault((operation, ORDERS[order], sizes), []).append(dtype)
    lines += [
        f"  {operation}, {order} ({', '.join(kinds)}): {text}" for (operation, order, text), kinds in rows.items()
    ]
    missing = report.uncovered
    return [*lines, "declared and not covered:", *(f"  {text}" for text in missing)] if missing else lines


def markdown(report: Report) -> str:
    """The report for the summary of a continuous-integration run."""
    rows = [
        f"| {operation} | {dtype} | {ORDERS[order]} | {row['results']} | {row['failed']} | {row['rho']:.3g} |"
        for (operation, dtype, order), outcomes in cells(report).items()
        for row in (summary(outcomes),)
    ]
    wrong = [f"- {line.strip()}" for o in first_failures(report) for line in describe(o, report)[:-1]]
    head = ["| operation | dtype | order | results | failed | max rho |", "|---|---|---|---|---|---|"]
    return "\n".join(
        [f"### {report.backend}", "", verdict(report), "", *head, *rows, "", *wrong, "", *covered(report), ""]
    )


def first_failures(report: Report) -> Iterator[Outcome]:
    """One failure, the one with a known cause if there is one, of each operation, dtype, order and result."""
    seen: dict[tuple[Any, ...], Outcome] = {}
    for outcome in report.failures:
        key = (outcome.operation, outcome.dtype, outcome.order, outcome.result, outcome.status)
        if key not in seen or (outcome.cause and not seen[key].cause):
            seen[key] = outcome
    yield from sorted(seen.values(), key=lambda o: not o.cause)


def describe(outcome: Outcome, report: Report) -> list[str]:
    """A failure in a few lines: what, where, why, and how to see it again."""
    note = f" [{outcome.note}]" if outcome.note else ""
    what = f"{outcome.status.upper()} {outcome.operation} {outcome.dtype}, {ORDERS[outcome.order]}"
    lines = [f"{what}, check '{outcome.check}'{note}", f"  {outcome.text}"]
    if outcome.cause:
        lines.append(f"  likely: {outcome.cause}")
    again = f"--op {outcome.operation} --dtype {outcome.dtype}"
    again += f" --check '{outcome.check}'" if outcome.check not in ("fingerprint", "declared") else ""
    again += f" --seed {report.seed}" if report.seed else ""
    return [*lines, f"  again:  {report.again or f'nbody-ref conform run {report.source} {again}'}"]


def to_dict(report: Report) -> dict[str, Any]:
    """The report as JSON content; its schema is `report.schema.json` beside this file."""
    return {
        "format": "nbody_ref conformance report",
        "version": 1,
        "nbody_ref": nbody_ref.__version__,
        "platform": f"{platform.platform()}, Python {platform.python_version()}, NumPy {np.__version__}",
        "backend": report.backend,
        "convention": report.convention,
        "seed": report.seed,
        "seconds": report.seconds,
        "exit_code": report.exit_code,
        "counts": {status: report.count(status) for status in STATUSES},
        "selection": report.selection,
        "coverage": [
            {"operation": name, "dtype": dtype, "order": order, **most}
            for (name, dtype, order), most in report.coverage.items()
        ],
        "not_covered": report.uncovered,
        "ulp_bins": [number(top) for top in BINS],
        "outcomes": [_outcome(outcome) for outcome in report.outcomes],
    }


def number(x: float) -> float | str:
    """JSON has no infinity."""
    return x if isfinite(x) else "inf"


def _outcome(o: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {
        key: getattr(o, key)
        for key in ("check", "operation", "dtype", "order", "result", "status", "note", "text", "cause")
    }
    found["describe"] = o.describe if o.status in ("fail", "error") else {}
    found["measured"] = None
    if o.measured is not None:
        m = o.measured
        found["measured"] = {
            "rho": number(m.rho),
            "gate": m.gate,
            "ulps": number(m.ulps),
            "bits": number(m.bits),
            "worst": list(m.worst),
            "got": number(m.got),
            "expected": number(m.expected),
            "unusual": bool(m.unusual),
            "unclean_zeros": m.unclean,
            "ulp_histogram": list(m.histogram),
        }
    return found
