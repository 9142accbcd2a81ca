"""The run: every check that a backend's declaration leaves, judged, with the most likely cause of what fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from nbody_ref import conventions
from nbody_ref.conformance.backend import Backend, Capabilities, ResultError, call
from nbody_ref.conformance.complex_gauge import COVERED
from nbody_ref.conformance.formats import HALVES
from nbody_ref.conformance.judge import hygiene
from nbody_ref.conformance.judge.diagnosis import likely_cause
from nbody_ref.conformance.judge.fingerprint import fingerprint
from nbody_ref.conformance.judge.outcome import Outcome, Report
from nbody_ref.conformance.judge.verdict import Measure, groups, locate, measure, precision_name
from nbody_ref.conformance.operations.cases import Case, harmonic_cases, million_cases, product_cases, table_cases
from nbody_ref.conformance.operations.composite import Multilinear, Programmed
from nbody_ref.conformance.operations.composite_cases import COMPOSITE, composite_cases, composite_operations
from nbody_ref.conformance.operations.operation import Harmonics, Operation, Product
from nbody_ref.conformance.operations.path_sets import PathSet, default_sets, named_sets, path_set_cases

__all__ = ["Outcome", "Report", "judge", "operations", "run", "skipped", "suite_cases"]

Array = np.ndarray[Any, Any]
SUSPECTS = 3  # failing results of one operation that are compared with the planted errors


def operations(name: str, backend: Backend) -> list[Operation | None]:
    """What stands for an operation in the default suite; None for tables."""
    own = backend.operations(name)
    basis = conventions.get(backend.convention).basis
    return suite_operations(name, backend.capabilities, basis) if own is None else list(own)


def suite_cases(name: str, caps: Capabilities, dtype: str, seed: int) -> Iterator[Case]:
    """All cases of one operation that compare values."""
    for number, op in enumerate(suite_operations(name, caps)):
        yield from _cases(name, op, caps.lmax, dtype, caps.orders, seed, number)


def suite_operations(name: str, caps: Capabilities, basis: str = "real") -> list[Operation | None]:
    """What stands for an operation, as far as it is declared."""
    if name in ("coupling", "rotation"):
        return [None]
    if name in ("solid", "spherical"):
        norms = ("integral", "norm") if caps.lmax else ("integral",)
        return [Harmonics(caps.lmax, norm, name == "solid") for norm in norms]
    if name in COMPOSITE:
        return list(composite_operations(name, caps.lmax))
    lmax = min(caps.lmax, 2)
    x = " + ".join(f"{mul}x{l}{'eo'[l % 2]}" for l, mul in enumerate((4, 3, 2)[: lmax + 1]))
    y = " + ".join(f"{mul}x{l}{'eo'[l % 2]}" for l, mul in enumerate((2, 1, 1)[: lmax + 1]))
    more: Any = {"graph": name == "convolution", "basis": basis}
    found = [
        Product.convolution(x, lmax, **more),
        Product.full(x, y, "uvuv", **more),
        Product.full(x, x, "uuu", **more),
        Product.connected(x, y, x, **more),
    ]
    found += [replace(found[1], weighted=True), replace(found[2], weighted=True)]
    return [op for op in found if op.modes <= set(caps.modes) and (caps.weighted if op.weighted else caps.unweighted)]


def run(
    backend: Backend,
    names: tuple[str, ...] | None = None,
    dtypes: tuple[str, ...] | None = None,
    *,
    seed: int = 0,
    checks: tuple[str, ...] | None = None,
    progress: Callable[[Outcome], None] | None = None,
    causes: bool = True,
    products: int | tuple[str, ...] | None = None,
) -> Report:
    """Run the conformance suite.

    Parameters
    ----------
    names : tuple of str, optional
        Operations; by default all that the backend declares.
    dtypes : tuple of str, optional
        By default all that it declares.
    seed : int
    checks : tuple of str, optional
        Names of checks; by default all.
    progress : callable, optional
        Told of every outcome.
    causes : bool
        Compare failures with the planted errors.
    products : int or tuple of str, optional
        Use only so many of the suite's own products; or only the path sets of these names, with their published numbers
        of channels. By default all products, and the path sets with few channels.
    """
    start, plan = time.perf_counter(), _Plan(seed, checks, causes, products)
    report = Report(backend.name, backend.convention, seed=seed)
    for outcome in _everything(backend, names, dtypes, plan):
        report.outcomes.append(outcome)
        if progress is not None:
            progress(outcome)
    report.seconds = time.perf_counter() - start
    return report


@dataclass(frozen=True)
class _Plan:
    """What of the suite is run; see `run`."""

    seed: int
    checks: tuple[str, ...] | None
    causes: bool
    products: int | tuple[str, ...] | None


def _everything(
    backend: Backend, names: tuple[str, ...] | None, dtypes: tuple[str, ...] | None, plan: _Plan
) -> Iterator[Outcome]:
    caps = backend.capabilities
    for dtype in caps.dtypes if dtypes is None else dtypes:
        for name in caps.operations if names is None else names:
            first = _fingerprint(backend, name, dtype)
            yield first
            if first.check == "fingerprint" and first.status == "pass":
                yield from _operation(backend, name, dtype, plan)


def _fingerprint(backend: Backend, name: str, dtype: str) -> Outcome:
    """The first check, or why there is none."""
    caps, basis = backend.capabilities, conventions.get(backend.convention).basis
    if dtype not in caps.dtypes or name not in caps.operations:
        return Outcome("declared", name, dtype, status="skip", text="not declared by the backend")
    if basis == "complex" and name not in COVERED:
        return Outcome("declared", name, dtype, status="skip", text="the declared gauge is complex: not covered")
    try:
        mismatch = "" if basis == "complex" else fingerprint(backend, name, dtype, caps.lmax)
    except ResultError as error:
        return Outcome("fingerprint", name, dtype, status="error", text=str(error))
    if mismatch:
        return Outcome("fingerprint", name, dtype, status="fail", text=mismatch, cause="convention mismatch")
    return Outcome("fingerprint", name, dtype)


def _operation(backend: Backend, name: str, dtype: str, plan: _Plan) -> Iterator[Outcome]:
    caps, basis, chosen = backend.capabilities, conventions.get(backend.convention).basis, plan.products
    found = [] if isinstance(chosen, tuple) else operations(name, backend)[:chosen]
    sets = _path_sets(name, caps, chosen) if basis == "real" else []
    if not found and not sets:
        yield Outcome("declared", name, dtype, status="skip", text="no product of the suite has the declared modes")
    suspects = SUSPECTS if plan.causes and basis == "real" and dtype not in HALVES else 0
    for number, op in enumerate([*found, *sets]):
        if isinstance(op, PathSet):
            cases = _published(op, dtype, caps.orders, plan.seed, isinstance(chosen, tuple))
        else:
            cases = _cases(name, op, caps.lmax, dtype, caps.orders, plan.seed, number, basis)
        for case in cases:
            if plan.checks is not None and case.check not in plan.checks:
                continue
            for outcome in _judge(backend, case, dtype):
                if outcome.status == "fail" and suspects and not outcome.cause:
                    outcome.cause, suspects = likely_cause(backend, case, outcome, dtype), suspects - 1
                yield outcome
        if op is not None and not isinstance(op, PathSet):
            yield from _hygiene(backend, op, dtype, plan.seed, plan.checks)
    if name == "convolution" and basis == "real" and "million" in (plan.checks or ()):
        for case in million_cases(dtype, caps.orders, plan.seed):
            yield from _judge(backend, case, dtype)


def _path_sets(name: str, caps: Capabilities, products: int | tuple[str, ...] | None) -> list[PathSet]:
    """Path sets to run for one operation, as far as they are declared."""
    if isinstance(products, int):
        return []
    found = default_sets(name, caps.lmax) if products is None else named_sets(name, products)
    return [s for s in found if s.product.modes <= set(caps.modes) and caps.weighted]


@lru_cache(maxsize=32)
def _published(chosen: PathSet, dtype: str, orders: tuple[int, ...], seed: int, full: bool) -> tuple[Case, ...]:
    return tuple(path_set_cases(chosen, dtype, orders, seed, full))


@lru_cache(maxsize=128)
def _cases(
    name: str,
    op: Operation | None,
    lmax: int,
    dtype: str,
    orders: tuple[int, ...],
    seed: int,
    number: int,
    basis: str = "real",
) -> tuple[Case, ...]:
    """Cases of one operation, kept with their truth for the next backend."""
    if isinstance(op, Harmonics):
        return tuple(harmonic_cases(op, dtype, (0,) if number else orders, seed))  # a norm is a factor
    if isinstance(op, Product):
        found = tuple(product_cases(op, dtype, orders, seed))
        kept = ("impulse", "random", "alone") if number else ()  # shapes and graphs need one product only
        return tuple(case for case in found if not kept or case.check in kept)
    if isinstance(op, Multilinear | Programmed):
        return tuple(composite_cases(op, dtype, orders, seed))
    return tuple(table_cases(name, lmax, basis))


def _judge(backend: Backend, case: Case, dtype: str) -> Iterator[Outcome]:
    caps = backend.capabilities
    note = case.note + (f", tangent of {case.tangent}" if case.tangent else "")
    base = Outcome(case.check, case.op.name, dtype, case.order, note=note, describe=case.op.to_dict())
    reason = skipped(backend, case)
    if reason:
        yield replace(base, status="skip", text=reason)
        return
    try:
        found = call(backend, case.op, dtype, case.inputs, case.order, case.tangent)
    except ResultError as error:
        yield replace(base, status="error", text=str(error))
        return
    yield from judge(caps, case, dtype, found, base)


def judge(
    caps: Capabilities, case: Case, dtype: str, found: dict[str, Array], base: Outcome | None = None
) -> Iterator[Outcome]:
    """Compare results in our gauge with the truth of a case."""
    base = base or Outcome(case.check, case.op.name, dtype, case.order, note=case.note, describe=case.op.to_dict())
    for name, truth in case.truth.items():
        if name not in found and not np.any(truth.value):
            continue
        if name not in found:
            yield replace(base, result=name, status="fail", text=f"no gradient in {name} was returned")
            continue
        result = measure(found[name], truth, dtype, caps.unit(dtype), case.slack, case.exact, caps.store(dtype))
        outcome = replace(base, result=name, measured=result)
        if not result.ok:
            outcome.status, outcome.text = "fail", _words(case.op, name, result)
            precision = precision_name(result.bits, dtype)
            outcome.cause = f"behaves like {precision}: {result.bits:.1f} bits" if precision else ""
        yield outcome


def skipped(backend: Backend, case: Case) -> str:
    """Reason, from the declaration only."""
    caps, rows = backend.capabilities, _rows(case)
    if isinstance(case.op, Product) and not case.op.modes <= set(caps.modes):
        return f"modes {', '.join(sorted(case.op.modes - set(caps.modes)))} are not declared"
    if isinstance(case.op, Product) and not (caps.weighted if case.op.weighted else caps.unweighted):
        return "weights are not declared" if case.op.weighted else "products without weights are not declared"
    if rows == 0 and not caps.empty:
        return "empty arrays are not declared"
    if rows > caps.max_edges:
        return f"more than {caps.max_edges} edges are not declared"
    if case.check == "denormals" and caps.flushes_denormals:
        return "the backend declares that it flushes denormals"
    return ""


def _rows(case: Case) -> int:
    """Edges, or rows of the first input there is."""
    found = [case.inputs[name] for name in ("x2", *case.op.differentiable) if name in case.inputs]
    return len(found[0]) if found else 1


def _words(op: Operation, name: str, result: Measure) -> str:
    parts = groups(op, name, result.bad)
    listed = f"; bad: {', '.join(parts[:4])}{f' and {len(parts) - 4} more' if len(parts) > 4 else ''}" if parts else ""
    return (
        f"{name} at {locate(op, name, result.worst)}: got {result.got:.9g}, exact {result.expected:.9g}, "
        f"rho {result.rho:.3g} (gate {result.gate:.0f}), {result.ulps:.3g} ulp{listed}"
    )


def _hygiene(
    backend: Backend, op: Operation, dtype: str, seed: int, checks: tuple[str, ...] | None
) -> Iterator[Outcome]:
    for name, order in hygiene.applicable(backend, op, dtype):
        if checks is not None and name not in checks:
            continue
        case = hygiene.base_case(op, dtype, order, seed)
        if case is None:
            continue
        outcome = Outcome(name, op.name, dtype, order, describe=op.to_dict())
        try:
            passed, text = hygiene.CHECKS[name][0](backend, case, dtype)
        except ResultError as error:
            passed, text, outcome.status = False, str(error), "error"
        if not passed:
            outcome.status = "error" if outcome.status == "error" else "fail"
            outcome.text, outcome.cause = text, hygiene.CHECKS[name][2]
        yield outcome
