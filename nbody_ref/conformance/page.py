"""The HTML page of a report: one file, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape
from math import isfinite
from typing import Any

import numpy as np

from nbody_ref.conformance.report import ORDERS, cells, describe, first_failures, summary, to_dict, verdict
from nbody_ref.conformance.suite import Outcome, Report
from nbody_ref.conformance.verdict import BINS

__all__ = ["page"]

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2rem}.sub{color:#57606a;margin-top:.2rem}
.verdict{padding:.7rem 1rem;border-radius:.4rem;font-weight:600}.good{background:#dafbe1}.bad{background:#ffebe9}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d0d7de;vertical-align:top}
td.n{text-align:right}pre{background:#f6f8fa;padding:.8rem;border-radius:.4rem;overflow-x:auto;white-space:pre-wrap}
.cell{border-radius:.3rem;padding:.1rem .4rem;display:inline-block;min-width:4.5rem;text-align:center}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}th,td{border-color:#30363d}
pre{background:#161b22}.good{background:#12361f}.bad{background:#4a1518}.sub{color:#9aa4af}.cell{color:#0d1117}}
"""


def page(report: Report) -> str:
    """The report as a page: verdict, matrix of operation by dtype and order, failures, histograms of ulps."""
    kind = "bad" if report.exit_code else "good"
    about = to_dict(report)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Conformance of {escape(report.backend)}</title><style>{STYLE}</style>",
        f"<h1>{escape(report.backend)}</h1><p class=sub>gauge {escape(report.convention)}, seed {report.seed}, "
        f"nbody_ref {about['nbody_ref']}, {escape(about['platform'])}</p>",
        f"<p class='verdict {kind}'>{escape(verdict(report))}</p>",
        "<h2>Largest error, in units of u S</h2>", _matrix(report),
        "<p class=sub>rho = |error| / (u S): S is the sum of the absolute values of the terms, u the unit roundoff. "
        "A correct kernel stays below the number of roundings of its longest sum; usual values are 1 to 5.</p>",
    ]  # fmt: skip
    failures = list(first_failures(report))
    if failures:
        parts.append("<h2>Failures</h2>")
        parts += [f"<pre>{escape(chr(10).join(describe(outcome, report)))}</pre>" for outcome in failures[:40]]
    parts += ["<h2>Checks</h2>", _checks(report)]
    return "\n".join([*parts, "</html>\n"])


def _matrix(report: Report) -> str:
    found = cells(report)
    columns = list(dict.fromkeys((dtype, order) for _, dtype, order in sorted(found, key=lambda key: key[1:])))
    head = "".join(f"<th>{dtype}<br>{ORDERS[order]}" for dtype, order in columns)
    rows = []
    for operation in dict.fromkeys(key[0] for key in found):
        row = "".join(f"<td>{_cell(found.get((operation, *column)))}" for column in columns)
        rows.append(f"<tr><th>{operation}{row}")
    return f"<table><tr><th>{head}{''.join(rows)}</table>"


def _cell(outcomes: list[Outcome] | None) -> str:
    if outcomes is None:
        return "–"
    if all(outcome.status == "skip" for outcome in outcomes):
        return "<span class=sub>not declared</span>"
    row = summary(outcomes)
    text = f"{row['rho']:.3g}" if isfinite(row["rho"]) else "&infin;"
    colour = "#ff8182" if row["failed"] else ("#aceebb" if row["rho"] < 8 else "#fae17d")
    title = f"{row['results']} results, {row['failed']} failed, {row['ulps']:.3g} ulp at most"
    return f"<span class=cell style='background:{colour}' title='{title}'>{text}{' !' if row['failed'] else ''}</span>"


def _checks(report: Report) -> str:
    rows: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in report.outcomes:
        rows.setdefault((outcome.operation, outcome.check), []).append(outcome)
    lines = []
    for (operation, check), outcomes in rows.items():
        row = summary(outcomes)
        measured = [o.measured.histogram for o in outcomes if o.measured is not None]
        picture = _histogram(np.sum(measured, axis=0)) if measured else ""
        lines.append(
            f"<tr><td>{operation}<td>{check}<td class=n>{row['results']}<td class=n>{row['failed']}"
            f"<td class=n>{row['skipped']}<td>{picture}"
        )
    head = "<tr><th>operation<th>check<th>results<th>failed<th>skipped<th>ulps of all entries"
    return f"<table>{head}{''.join(lines)}</table>"


def _histogram(counts: Any) -> str:
    """Bars of log(1 + count), one for each bin of ulps."""
    heights = np.log1p(np.asarray(counts, float))
    heights = 24 * heights / max(float(heights.max()), 1.0)
    bars = []
    for k, (height, count) in enumerate(zip(heights, counts)):
        name = f"at most {BINS[k]:g}" if isfinite(BINS[k]) else f"more than {BINS[k - 1]:g}"
        colour = "#2da44e" if BINS[k] <= 4 else ("#bf8700" if BINS[k] <= 64 else "#cf222e")
        bars.append(
            f"<rect x='{14 * k}' y='{25 - height:.1f}' width=12 height='{height + 1:.1f}' fill='{colour}'>"
            f"<title>{name} ulp: {int(count)}</title></rect>"
        )
    return f"<svg width='{14 * len(BINS)}' height=26 role=img aria-label='histogram of ulps'>{''.join(bars)}</svg>"
