"""The HTML page of a report: one file, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import isfinite
from typing import Any

import numpy as np

from nbody_ref.conformance.doors.report import (
    STATUSES,
    cells,
    covered,
    describe,
    first_failures,
    summary,
    to_dict,
    verdict,
)
from nbody_ref.conformance.judge.behaviour import every_aim
from nbody_ref.conformance.judge.outcome import ORDERS, Outcome, Report
from nbody_ref.conformance.judge.verdict import BINS

__all__ = ["page"]

WORDS = {"pass": "passed", "fail": "failed", "error": "broke", "xfail": "failed as expected", "skip": "skipped"}
STYLE = """
:root{--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--box:#f6f8fa;--paper:#fff;--good:#1a7f37;--goodbg:#dafbe1;--bad:#c21f2e;
--badbg:#ffebe9;--warnbg:#fff8c5;--bar:#0969da}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--box:#151b23;--paper:#0d1117;--good:#3fb950;
--goodbg:#12261e;--bad:#f85149;--badbg:#2d1517;--warnbg:#272115;--bar:#4493f8}}
body{font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif;max-width:66rem;margin:2.5rem auto;padding:0 1.2rem;
color:var(--ink);background:var(--paper)}
h1{font-size:1.7rem;margin:0}h2{font-size:1.15rem;margin:2.4rem 0 .6rem}p{margin:.4rem 0}.soft{color:var(--soft)}
small{color:var(--soft)}
.verdict{padding:.9rem 1.1rem;border-radius:.5rem;font-weight:600;margin:1rem 0;border-left:.35rem solid}
.good{background:var(--goodbg);border-color:var(--good)}.bad{background:var(--badbg);border-color:var(--bad)}
.tiles{display:flex;gap:.8rem;flex-wrap:wrap}.tile{border:1px solid var(--line);border-radius:.5rem;padding:.4rem 1rem}
.tile b{display:block;font-size:1.4rem;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.4rem .7rem;border-bottom:1px solid var(--line);vertical-align:middle}
th{font-weight:600}thead th{color:var(--soft);font-weight:500;font-size:.9em}
.n{text-align:right}.wide{overflow-x:auto}
.cell{border-radius:.35rem;padding:.15rem .6rem;display:inline-block;min-width:5rem;text-align:center}
.pass{background:var(--goodbg)}.note{background:var(--warnbg)}.fail{background:var(--badbg);color:var(--bad);font-weight:600}
article{border:1px solid var(--line);border-left:.35rem solid var(--bad);border-radius:.4rem;padding:.6rem 1rem;
margin:.8rem 0}
article b{display:block}article p{overflow-wrap:anywhere}code{font:13px/1.5 ui-monospace,Menlo,Consolas,monospace}
pre{background:var(--box);padding:.5rem .8rem;border-radius:.35rem;overflow-x:auto;margin:.5rem 0 0}
rect{fill:var(--bar)}text{fill:var(--soft);font-size:9px}
"""


def page(report: Report) -> str:
    """The report as a page: verdict, matrix of operation by dtype and order, failures, histograms of ulps."""
    kind = "bad" if report.exit_code else "good"
    about = to_dict(report)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Conformance of {escape(report.backend)}</title><style>{STYLE}</style>",
        f"<h1>{escape(report.backend)}</h1><p class=soft>Conformance report</p>",
        f"<p class='verdict {kind}'>{escape(verdict(report))}</p>",
        _tiles(report),
        "<h2>Largest error in every corner</h2>",
        _matrix(report),
        "<p class=soft>rho = |error| / (u S), where S is the sum of the absolute values of the terms and u the unit "
        "roundoff. Usual values of correct kernels are 1 to 5; the gate, which is a theorem, is the number of "
        "roundings of a sum and its terms.</p>",
        *_failures(report),
        f"<h2>What the verdict covers</h2><pre>{escape(chr(10).join(covered(report)))}</pre>",
        "<h2>What was checked</h2>",
        _checks(report),
        f"<p class=soft>Made by nbody_ref {about['nbody_ref']} on {escape(about['platform'])}; gauge "
        f"{escape(report.convention)}, seed {report.seed}.</p>",
    ]
    return "\n".join([*parts, "</html>\n"])


def _tiles(report: Report) -> str:
    shown = [(report.count(status), WORDS[status]) for status in STATUSES if report.count(status)]
    tiles = "".join(f"<div class=tile><b>{count}</b>{word}</div>" for count, word in shown)
    return f"<div class=tiles>{tiles}<div class=tile><b>{report.seconds:.0f} s</b>taken</div></div>"


def _matrix(report: Report) -> str:
    found = cells(report)
    dtypes = list(dict.fromkeys(dtype for _, dtype, _ in found))
    columns = [(dtype, order) for dtype in dtypes for order in range(3) if any(k[1:] == (dtype, order) for k in found)]
    head = "".join(f"<th>{escape(dtype)}<br>{ORDERS[order]}" for dtype, order in columns)
    rows = []
    for operation in dict.fromkeys(key[0] for key in found):
        row = "".join(f"<td>{_cell(found.get((operation, *column)))}" for column in columns)
        rows.append(f"<tr><th>{escape(operation)}{row}")
    return f"<div class=wide><table><thead><tr><th>{head}<tbody>{''.join(rows)}</table></div>"


def _cell(outcomes: list[Outcome] | None) -> str:
    if outcomes is None:
        return "<small>–</small>"
    if all(outcome.status == "skip" for outcome in outcomes):
        return "<small>not declared</small>"
    row = summary(outcomes)
    rho = f"{row['rho']:.3g}" if isfinite(row["rho"]) else "&infin;"
    title = f"{row['results']} results, {row['failed']} failed, rho {rho}, {row['ulps']:.3g} ulp at most"
    if row["failed"]:
        return f"<span class='cell fail' title='{title}'>{row['failed']} of {row['results']} fail</span>"
    kind = "pass" if row["rho"] < 8 else "note"
    return f"<span class='cell {kind}' title='{title}'>{rho}</span> <small>of {row['results']}</small>"


def _failures(report: Report) -> Iterator[str]:
    failures = list(first_failures(report))
    if failures:
        yield "<h2>What is wrong</h2>"
    for outcome in failures[:40]:
        what, *lines = (line.strip() for line in describe(outcome, report))
        again = lines.pop().removeprefix("again:").strip()
        cause = f"<b>{escape(outcome.cause)}</b>" if outcome.cause else ""
        yield (
            f"<article>{cause}<small>{escape(what)}</small><p>{escape(lines[0])}</p>"
            f"<pre><code>{escape(again)}</code></pre></article>"
        )
    if len(failures) > 40:
        yield f"<p class=soft>and {len(failures) - 40} more kinds of failure; the JSON report has all of them</p>"


def _checks(report: Report) -> str:
    rows: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in report.outcomes:
        rows.setdefault((outcome.operation, outcome.check), []).append(outcome)
    aims = every_aim()
    lines, before = [], ""
    place = {operation: k for k, operation in enumerate(dict.fromkeys(operation for operation, _ in rows))}
    for (operation, check), outcomes in sorted(rows.items(), key=lambda item: place[item[0][0]]):
        row = summary(outcomes)
        measured = [o.measured.histogram for o in outcomes if o.measured is not None]
        picture = _histogram(np.sum(measured, axis=0)) if measured else ""
        count = f"{row['results'] - row['failed'] - row['skipped']} of {row['results']}"
        count += f"<br><small>{row['skipped']} skipped</small>" if row["skipped"] else ""
        mark = " class='n fail'" if row["failed"] else " class=n"
        lines.append(
            f"<tr><td>{escape(operation) if operation != before else ''}<td>{escape(check)}<br>"
            f"<small>{escape(aims.get(check, ''))}</small><td{mark}>{count}<td>{picture}"
        )
        before = operation
    head = "<thead><tr><th>operation<th>check, and what it is aimed at<th class=n>passed<th>entries by ulps (log scale)"
    return f"<div class=wide><table>{head}<tbody>{''.join(lines)}</table></div>"


def _histogram(counts: Any) -> str:
    """Bars of log(1 + count), one for each bin of ulps, over their limits."""
    heights = np.log1p(np.asarray(counts, float))
    heights = 26 * heights / max(float(heights.max()), 1.0)
    bars = []
    for k, (height, count) in enumerate(zip(heights, counts)):
        name = f"at most {BINS[k]:g}" if isfinite(BINS[k]) else f"more than {BINS[k - 1]:g}"
        limit = {0.5: "½", 1024.0: "1k"}.get(BINS[k], f"{BINS[k]:g}" if isfinite(BINS[k]) else "∞")
        bars.append(
            f"<g><title>{name} ulp: {int(count)}</title><rect x='{20 * k}' y='{27 - height:.1f}' width=17 "
            f"height='{height + 0.5:.1f}' rx=1 /><text x='{20 * k + 8}' y=38 text-anchor=middle>{limit}</text></g>"
        )
    return f"<svg width='{20 * len(BINS)}' height=40 role=img aria-label='histogram of ulps'>{''.join(bars)}</svg>"
