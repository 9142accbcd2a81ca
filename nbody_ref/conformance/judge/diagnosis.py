"""The most likely cause of a wrong result, the most definite one first.

A result is a sum over paths, so that an error in one path is a multiple of what that path contributes; a column may be
off by a factor; an input may have been misread; a planted error may give the same numbers. Each is believed only if it
explains every entry to within the gate. Only what nothing else explains is a matter of precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.certified.sums import Certified, certify
from nbody_ref.certified.terms import derivatives
from nbody_ref.conformance.backend import Backend, ResultError, call
from nbody_ref.conformance.judge.outcome import Outcome
from nbody_ref.conformance.operations.operation import Case, Multilinear
from nbody_ref.conformance.planted.mutants import MUTANTS

__all__ = ["Blame", "explain", "likely_cause"]

Array = np.ndarray[Any, Any]
FACTORS = {-1.0: "has the opposite sign", 0.0: "is missing", 2.0: "is counted twice"}
LARGE = 3_000  # entries; of larger results only single paths and factors are looked at


@dataclass
class Blame:
    """Causes of the failures of one operation; the first few are looked into.

    Parameters
    ----------
    backend : Backend
    dtype : str
    left : int
        How many are still looked into.
    """

    backend: Backend
    dtype: str
    left: int
    known: bool = False

    def cause(self, case: Case, outcome: Outcome) -> str:
        """What explains a failure; less precision only as long as no other cause has been found."""
        return self.of(case, outcome, None)

    def of(self, case: Case, outcome: Outcome, results: dict[str, Array] | None) -> str:
        """The same for results that are at hand."""
        if self.left <= 0:
            return "" if self.known else outcome.cause
        self.left -= 1
        if results is None:
            found = likely_cause(self.backend, case, outcome, self.dtype)
        else:
            unit = self.backend.capabilities.unit(self.dtype)
            found = explain(case, outcome.result, results[outcome.result], unit, self.dtype)
        self.known = self.known or bool(found)
        return found or outcome.cause


def likely_cause(backend: Backend, case: Case, outcome: Outcome, dtype: str) -> str:
    """What explains a wrong result of a backend, in words; "" if nothing does."""
    try:
        found = call(backend, case.op, dtype, case.inputs, case.order, case.tangent).get(outcome.result)
    except ResultError:
        return ""
    return "" if found is None else explain(case, outcome.result, found, backend.capabilities.unit(dtype), dtype)


def explain(case: Case, name: str, found: Array, unit: float, dtype: str) -> str:
    """What explains a wrong result.

    Parameters
    ----------
    case : Case
    name : str
        Of the result.
    found : float64
        In our gauge.
    unit : float
        Unit roundoff of the declared arithmetic.
    dtype : str
    """
    truth = case.truth[name]
    room = 2 * (truth.n + case.slack) * unit * truth.S
    if not np.isfinite(found).all() or _within(found, truth.value, room):
        return ""
    what = "the value" if name == "out" else f"the {'second ' if case.order == 2 else ''}gradient in {name}"
    for words in (_path(case, name, found, room), _columns(case, name, found, room)):
        if words:
            return f"in {what}, {words}"
    if found.size > LARGE:
        return ""
    return _reading(case, name, found, room) or _planted(case, name, dtype, found, room)


def _planted(case: Case, name: str, dtype: str, found: Array, room: Array) -> str:
    """The planted error whose wrong result is the one found."""
    for suspect in MUTANTS:
        if case.op.name not in suspect.operations:
            continue
        try:
            wrong = call(suspect.kernel(), case.op, dtype, case.inputs, case.order, case.tangent).get(name)
        except ResultError:
            continue
        right = case.truth[name].value
        if wrong is not None and _within(wrong, found, room) and not _within(wrong, right, room):
            return f"{suspect.text} (same result as the planted error {suspect.name!r})"
    return ""


def _contributions(case: Case, name: str) -> Iterator[tuple[str, Array]]:
    """What every path adds to a result."""
    op = case.op
    if not isinstance(op, Multilinear) or op.basis == "complex":
        return
    for words, terms in op.parts(case.inputs):
        part = derivatives((terms,), case.order, case.tangent, op.differentiable).get(name)
        if part is not None:
            yield words, certify(part, case.inputs).value


def _path(case: Case, name: str, found: Array, room: Array) -> str:
    """The one path whose contribution is off by a factor, or the few paths that are."""
    truth = case.truth[name]
    error = (found - truth.value) - truth.low
    parts = list(_contributions(case, name))
    if len(parts) < 2:
        return ""
    for words, part in parts:
        size = float(np.sum(part * part))
        factor = float(np.sum(error * part)) / size if size else 0.0
        if factor and _within(error, factor * part, room):
            return f"{words} {_how(1 + factor)}, the other paths are right"
    stack = np.stack([part.reshape(-1) for _, part in parts], axis=1)
    if stack.size > 4_000_000 or len(parts) >= error.size:
        return ""
    factors = np.linalg.lstsq(stack, error.reshape(-1), rcond=None)[0]
    off = np.abs(factors) > 2.0**-12
    kind = _kind(case, off)
    few = 1 < off.sum() <= max(len(parts) // 2, 2) or (kind and off.any())
    if not few or not _within(error.reshape(-1), stack[:, off] @ factors[off], room.reshape(-1)):
        return ""
    several = [f"{words} {_how(1 + float(f))}" for (words, _), f, wrong in zip(parts, factors, off) if wrong]
    return f"{'; '.join(several[:4])}{f' and {len(several) - 4} more' if len(several) > 4 else ''}{kind}"


def _kind(case: Case, off: Array) -> str:
    """What paths that are off have in common."""
    degrees = getattr(case.op, "degrees", None)
    if degrees is None:
        return ""
    triples = [degrees(p) for p in range(len(off))]
    kinds = {
        "l1 + l2 + l is odd": [sum(t) % 2 == 1 for t in triples],
        **{f"a degree is above {l}": [max(t) > l for t in triples] for l in range(max(map(max, triples)))},
        **{f"the result has degree {l}": [t[2] == l for t in triples] for l in range(max(map(max, triples)) + 1)},
    }
    return next((f": the paths where {words}" for words, which in kinds.items() if which == off.tolist()), "")


def _how(factor: float) -> str:
    known = min(FACTORS, key=lambda known: abs(known - factor))
    return FACTORS[known] if abs(known - factor) < 2.0**-8 else f"has the factor {factor:.6g}"


def _columns(case: Case, name: str, found: Array, room: Array) -> str:
    """Columns that are off by a factor each."""
    truth = case.truth[name].value
    if found.ndim != 2 or len(found) < 2 or not found.size:
        return ""
    size = np.sum(truth * truth, axis=0)
    factors = np.divide(np.sum(found * truth, axis=0), size, out=np.ones_like(size), where=size > 0)
    if not _within(found, factors * truth, room):
        return ""
    off = np.flatnonzero((np.abs(found - truth) > room).any(axis=0))
    common = factors[off[0]]
    alike = np.all(np.abs(factors[off] - common) <= 1e-3 * abs(common) + 2.0**-10)
    if alike and len(off) == int((size > 0).sum()):
        return f"everything {_how(float(common))}"
    places = [case.op.place("out" if name == "cotangent" else name, int(c)) for c in off]
    names = [f"column {c}" if place is None else f"{place.group}{place.entry}" for c, place in zip(off, places)]
    listed = [f"{word} {_how(float(factors[c]))}" for word, c in list(zip(names, off))[:4]]
    return f"{'; '.join(listed)}{f' and {len(off) - 4} columns more' if len(off) > 4 else ''}"


def _reading(case: Case, name: str, found: Array, room: Array) -> str:
    """An input that has been misread."""
    op = case.op
    if not isinstance(op, Multilinear) or op.basis == "complex":
        return ""
    for words, inputs, result in op.readings(case.inputs):
        truth: Certified | None = op.truth(inputs, case.order, case.tangent).get(name)
        if truth is not None and _within(result(name, truth.value), found, room):
            return words
    return ""


def _within(a: Array, b: Array, room: Array) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(np.all((np.abs(a - b) <= room) | (a == b)))
