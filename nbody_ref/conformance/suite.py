"""The run: every check that a backend's declaration leaves, judged, with the most likely cause of what fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from nbody_ref import conventions
from nbody_ref.conformance.backend import Backend, Capabilities, ResultError, call
from nbody_ref.conformance.formats import HALVES
from nbody_ref.conformance.judge import behaviour
from nbody_ref.conformance.judge.behaviour import poison
from nbody_ref.conformance.judge.diagnosis import Blame
from nbody_ref.conformance.judge.fingerprint import fingerprint
from nbody_ref.conformance.judge.outcome import Outcome, Report
from nbody_ref.conformance.judge.verdict import Measure, groups, locate, measure, precision_name
from nbody_ref.conformance.operations.operation import Case, Operation, result_shape
from nbody_ref.conformance.operations.path_sets import PathSet, published_products
from nbody_ref.conformance.operations.registry import REGISTRY

__all__ = ["Outcome", "Report", "judge", "operations", "run", "skipped", "suite_cases"]

Array = np.ndarray[Any, Any]
UNCOUNTED = "declared as accelerated, but kernel_calls() does not say how often the kernel ran"
SILENT = "the kernel did not run: its counter stands still"
SUSPECTS = 3  # failing results of one operation that are compared with the planted errors


def operations(name: str, backend: Backend, products: int | tuple[str, ...] | None = None) -> list[Operation | PathSet]:
    """What stands for an operation in a run: the backend's own, or those of the suite; and published products."""
    caps, basis = backend.capabilities, conventions.get(backend.convention).basis
    own = backend.operations(name)
    found = REGISTRY[name].suite(name, caps, basis) if own is None else own
    if isinstance(products, int):
        return list(found[:products] if REGISTRY[name].counted else found)
    published = published_products(name, caps, products) if basis == "real" else []
    return [*(found if products is None else ()), *published]


def suite_cases(name: str, caps: Capabilities, dtype: str, seed: int) -> Iterator[Case]:
    """All cases of the suite's operations of one name that compare values."""
    for number, op in enumerate(REGISTRY[name].suite(name, caps)):
        yield from _cases(op, dtype, caps.orders, seed, not number)


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
    thorough: bool = False,
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
        of channels. By default all products, the path sets with few channels, and the shapes at which kernels branch.
    thorough : bool
        Larger shapes, every mode at every degree, and a million edges.
    """
    start, plan = time.perf_counter(), _Plan(seed, checks, causes, products, thorough)
    report = Report(backend.name, backend.convention, seed=seed, declared=backend.capabilities)
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
    thorough: bool = False


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
    if basis == "complex" and not REGISTRY[name].complex_gauge:
        return Outcome("declared", name, dtype, status="skip", text="the declared gauge is complex: not covered")
    try:
        mismatch = "" if basis == "complex" else fingerprint(backend, name, dtype, caps.lmax)
    except ResultError as error:
        return Outcome("fingerprint", name, dtype, status="error", text=str(error))
    if mismatch:
        return Outcome("fingerprint", name, dtype, status="fail", text=mismatch, cause="convention mismatch")
    return Outcome("fingerprint", name, dtype)


def _operation(backend: Backend, name: str, dtype: str, plan: _Plan) -> Iterator[Outcome]:
    caps, basis, wanted = backend.capabilities, conventions.get(backend.convention).basis, plan.checks
    chosen = operations(name, backend, plan.products)
    if not chosen:
        yield Outcome("declared", name, dtype, status="skip", text="no product of the suite has the declared modes")
    blame = Blame(backend, dtype, SUSPECTS if plan.causes and basis == "real" and dtype not in HALVES else 0)
    for number, op in enumerate(chosen):
        yield from _judged(backend, _cases(op, dtype, caps.orders, plan.seed, not number), dtype, wanted, blame)
        if isinstance(op, Operation):
            yield from _behaviour(backend, op, dtype, plan.seed, wanted)
    if basis == "real" and plan.products is None and backend.operations(name) is None:
        shapes = REGISTRY[name].shapes_of(name, caps, dtype, plan.seed, plan.thorough)
        yield from _judged(backend, shapes, dtype, wanted, blame)
    for check in wanted or (("million",) if plan.thorough else ()):
        more = REGISTRY[name].on_demand(name, check, dtype, caps.orders, plan.seed) if basis == "real" else ()
        yield from _judged(backend, more, dtype, None, blame)


@lru_cache(maxsize=256)
def _cases(op: Operation | PathSet, dtype: str, orders: tuple[int, ...], seed: int, first: bool) -> tuple[Case, ...]:
    """Cases of one operation, kept with their truth for the next backend."""
    return tuple(op.cases(dtype, orders, seed, first))


def _judged(
    backend: Backend, cases: Iterable[Case], dtype: str, wanted: tuple[str, ...] | None, blame: Blame
) -> Iterator[Outcome]:
    """Outcomes of cases, failures with their cause."""
    for case in cases:
        if wanted is None or case.check in wanted:
            for outcome in _judge(backend, case, dtype):
                if outcome.status == "fail":
                    outcome.cause = blame.cause(case, outcome)
                yield outcome


def _judge(backend: Backend, case: Case, dtype: str) -> Iterator[Outcome]:
    caps = backend.capabilities
    note = case.note + (f", tangent of {case.tangent}" if case.tangent else "")
    base = Outcome(case.check, case.op.name, dtype, case.order, note=note, describe=case.op.to_dict())
    reason = skipped(backend, case)
    if reason:
        yield replace(base, status="skip", text=reason)
        return
    base.extent, before = case.op.extent(case.inputs), _kernel_calls(backend)
    poison([result_shape(case.op, case.inputs, name) for name in (*case.op.differentiable, "out")], dtype)
    try:
        found = call(backend, case.op, dtype, case.inputs, case.order, case.tangent)
    except ResultError as error:
        yield replace(base, status="error", text=str(error))
        return
    if caps.accelerated and _rows(case) and (before is None or _kernel_calls(backend) == before):
        text = UNCOUNTED if before is None else SILENT
        yield replace(base, result="kernel", status="fail", text=text, cause="a silent fallback")
    yield from judge(caps, case, dtype, found, base)


def _kernel_calls(backend: Backend) -> int | None:
    """The backend's own count, where it declares one."""
    try:
        return backend.kernel_calls() if backend.capabilities.accelerated else 0
    except NotImplementedError:
        return None


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
        slack = case.op.slacks(name, case.order)
        result = measure(found[name], truth, dtype, caps.unit(dtype), slack, case.exact, caps.store(dtype))
        outcome = replace(base, result=name, measured=result)
        if not result.ok:
            outcome.status, outcome.text = "fail", _words(case.op, name, result)
            precision = precision_name(result.bits, dtype) if result.typical else ""
            outcome.cause = f"behaves like {precision}: {result.bits:.1f} bits" if precision else ""
        yield outcome


def skipped(backend: Backend, case: Case) -> str:
    """Reason, from the declaration only."""
    caps, rows = backend.capabilities, _rows(case)
    reason = case.op.undeclared(caps)
    if reason:
        return reason
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


def _behaviour(
    backend: Backend, op: Operation, dtype: str, seed: int, checks: tuple[str, ...] | None
) -> Iterator[Outcome]:
    for name, order in behaviour.applicable(backend, op, dtype):
        if checks is not None and name not in checks:
            continue
        outcome = Outcome(name, op.name, dtype, order, describe=op.to_dict())
        check, _, aim = behaviour.CHECKS[name]
        for case in op.samples(dtype, order, seed):
            found = replace(outcome, note=f"tangent of {case.tangent}" if case.tangent else "")
            try:
                passed, found.text = check(backend, case, dtype)
                found.status = "pass" if passed else "fail"
            except ResultError as error:
                found.status, found.text = "error", str(error)
            found.cause = aim if found.status != "pass" else ""
            yield found
