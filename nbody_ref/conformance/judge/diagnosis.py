"""The most likely cause of a wrong result: a planted error that gives the same numbers, or one path that is off.

A product is a sum over paths, so that an error in one path is a multiple of what that path contributes. The multiple is
found by least squares, and believed only if it explains every entry to within the gate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nbody_ref.conformance.backend import Backend, ResultError, call
from nbody_ref.conformance.judge.outcome import Outcome
from nbody_ref.conformance.operations.operation import Case
from nbody_ref.conformance.operations.product import TensorProduct
from nbody_ref.conformance.planted.model import Model
from nbody_ref.conformance.planted.mutants import MUTANTS

__all__ = ["likely_cause"]

Array = np.ndarray[Any, Any]
FACTORS = {-1.0: "has the opposite sign", 0.0: "is missing", 2.0: "is counted twice"}


def likely_cause(backend: Backend, case: Case, outcome: Outcome, dtype: str) -> str:
    """What explains a wrong result, in words; "" if nothing does.

    Parameters
    ----------
    backend : Backend
    case : Case
    outcome : Outcome
        The failure.
    dtype : str
    """
    found = call(backend, case.op, dtype, case.inputs, case.order, case.tangent)[outcome.result]
    truth = case.truth[outcome.result]
    room = 2 * (truth.n + case.slack) * backend.capabilities.unit(dtype) * truth.S
    return _planted(case, outcome, dtype, found, room) or _path(case, outcome.result, found, room)


def _planted(case: Case, outcome: Outcome, dtype: str, found: Array, room: Array) -> str:
    """The planted error whose wrong result is the one found."""
    for suspect in MUTANTS:
        if case.op.name not in suspect.operations:
            continue
        try:
            wrong = call(suspect.kernel(), case.op, dtype, case.inputs, case.order, case.tangent).get(outcome.result)
        except ResultError:
            continue
        right = case.truth[outcome.result].value
        if wrong is not None and _within(wrong, found, room) and not _within(wrong, right, room):
            return f"{suspect.text} (same result as the planted error {suspect.name!r})"
    return ""


def _path(case: Case, name: str, found: Array, room: Array) -> str:
    """The one path of a product whose contribution is off by a factor."""
    op, truth = case.op, case.truth[name]
    error = (found - truth.value) - truth.low
    if not isinstance(op, TensorProduct) or len(op.instructions) < 2 or not np.isfinite(error).all():
        return ""
    for p in range(len(op.instructions)):
        part = _contribution(op, p, case, name)
        size = float(np.sum(part * part))
        if not size:
            continue
        factor = float(np.sum(error * part)) / size
        if abs(factor) > 0 and _within(error, factor * part, room) and not _within(error, 0 * error, room):
            return _words(op, p, name, case.order, 1 + factor)
    return ""


def _words(op: TensorProduct, p: int, name: str, order: int, factor: float) -> str:
    what = "the value" if name == "out" else f"the {'second ' if order == 2 else ''}gradient in {name}"
    known = min(FACTORS, key=lambda known: abs(known - factor))
    how = FACTORS[known] if abs(known - factor) < 2.0**-8 else f"has the factor {factor:.6g}"
    mode, count = op.instructions[p].mode, len(op.instructions)
    l1, l2, l = op.degrees(p)
    return f"in {what}, path {p} of {count} ({l1} x {l2} -> {l}, {mode}) {how}, the other paths are right"


def _contribution(op: TensorProduct, p: int, case: Case, name: str) -> Array:
    """What path p adds to a result, in float64."""
    columns = slice(*op.weight_offsets[p : p + 2])
    inputs = {key: x[:, columns] if key in ("w", "w_dot") else x for key, x in case.inputs.items()}
    part = call(Model(), replace(op, instructions=(op.instructions[p],)), "float64", inputs, case.order, case.tangent)
    got = part.get(name)
    if name != "w":
        return np.zeros_like(case.truth[name].value) if got is None else got
    whole = np.zeros_like(case.truth[name].value)
    if got is not None:
        whole[:, columns] = got
    return whole


def _within(a: Array, b: Array, room: Array) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(np.all((np.abs(a - b) <= room) | (a == b)))
