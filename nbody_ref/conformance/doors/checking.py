"""One line in a user's own tests: is this function right on these inputs, and are its gradients?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import nbody_ref
from nbody_ref.conformance.backend import Backend, Capabilities, ResultError, call
from nbody_ref.conformance.doors.callables import Called, framework, guarded, plain, positional
from nbody_ref.conformance.doors.recognise import recognise
from nbody_ref.conformance.formats import HALVES, from_storage, rounded
from nbody_ref.conformance.judge import behaviour
from nbody_ref.conformance.judge.diagnosis import Blame
from nbody_ref.conformance.judge.outcome import ORDERS, Outcome
from nbody_ref.conformance.operations.operation import Case, Operation, random, result_shape
from nbody_ref.conformance.suite import judge

__all__ = ["Checked", "check"]

Array = np.ndarray[Any, Any]
SECONDS = 4.0  # after which no further call is begun
ROWS = 300  # of the user's own inputs that are judged, drawn after the call
SIZES = (1, 0, 2, 33, 65, 129, 1025)
SCHEMA = "nbody_ref check"


@dataclass(frozen=True)
class Checked:
    """What a check has found.

    Attributes
    ----------
    ok : bool
        Something was judged, and nothing failed.
    text : str
        The answer in words.
    outcomes : tuple of Outcome
    question : str
        What has to be said before anything can be judged; "" if nothing.
    """

    ok: bool
    text: str
    outcomes: tuple[Outcome, ...] = field(default=(), repr=False)
    question: str = ""

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return self.ok

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """What failed or broke."""
        return tuple(o for o in self.outcomes if o.status in ("fail", "error"))

    def to_json(self) -> str:
        """The answer as JSON; its schema is `check.schema.json` beside the kit."""
        rows = [
            {
                key: getattr(o, key)
                for key in ("check", "operation", "dtype", "order", "result", "status", "text", "cause")
            }
            for o in self.outcomes
        ]
        about = {"format": SCHEMA, "version": 1, "nbody_ref": nbody_ref.__version__}
        return json.dumps({**about, "ok": self.ok, "text": self.text, "question": self.question, "outcomes": rows})

    def markdown(self) -> str:
        """A table for the summary of a continuous-integration run."""
        lines = [f"### {'Right' if self.ok else 'Wrong' if not self.question else 'Not judged'}", "", self.text, ""]
        if self.failures:
            lines += ["| check | order | result | what | likely cause |", "|---|---|---|---|---|"]
            lines += [
                f"| {o.check} | {ORDERS[o.order]} | {o.result} | {o.text} | {o.cause} |" for o in self.failures[:20]
            ]
        return "\n".join(lines)


def check(
    function: Any,
    inputs: Any,
    order: int = 2,
    *,
    op: Operation | None = None,
    irreps: Any = None,
    convention: str | None = None,
    seconds: float = SECONDS,
) -> Checked:
    """Whether a function, its gradients and its second gradients are right, on the user's own inputs and close to them.

    Parameters
    ----------
    function : callable
        Of arrays, NumPy's, PyTorch's or JAX's; a module; or a function of (op, inputs). NumPy functions have gradients
        if they have attributes ``vjp`` and ``double_vjp``, as of `Backend`.
    inputs : array, sequence or mapping of arrays
        Arguments in their order, or by name.
    order : {0, 1, 2}
        Highest order of differentiation.
    op : Operation, optional
        What it computes; by default it is recognised: harmonics by their values, e3nn's products by their attributes.
    irreps : three Irreps or str, optional
        Types of two states and of their product.
    convention : str, optional
        Gauge of the function; by default the one in which most values are right.
    seconds : float
        After which, the user's own inputs having been judged, no further call is begun.

    Returns
    -------
    Checked
        With ``.ok``, ``.text`` and ``.to_json()``.

    Examples
    --------
    >>> import numpy as np, nbody_ref
    >>> from nbody_ref.conformance import check
    >>> r = np.random.default_rng(0).normal(size=(5, 3))
    >>> check(lambda r: nbody_ref.spherical_harmonics(2, r), r, order=0).ok
    True
    """
    given = positional(function, inputs) if not _takes_op(function) else dict(inputs)
    kind, arrays = framework(given), {name: plain(x) for name, x in given.items()}
    dtypes = {str(x.dtype) for x in arrays.values() if x.dtype.kind == "f"}
    if len(dtypes) != 1:
        return _asked(f"inputs must be float arrays of one precision, got {', '.join(sorted(dtypes)) or 'none'}")
    dtype = dtypes.pop()
    found: Any = guarded(lambda: function(*given.values())) if op is None and not _takes_op(function) else None
    if isinstance(found, Exception):
        return _broken(f"{type(found).__name__}: {found}")
    names: tuple[str, ...]
    if op is not None:
        gauge = convention or "nbody_ref"
        names = tuple(given) if set(op.differentiable) <= set(given) else (*op.differentiable,)[: len(given)]
    elif _takes_op(function):
        return _asked("say what it computes: op=... of nbody_ref.conformance")
    else:
        answer = recognise(function, arrays, plain(found), irreps, convention)
        if isinstance(answer, str):
            return _asked(answer)
        op, names, gauge = answer
    example = next(iter(given.values()))
    backend = Called(function, names, kind, gauge, Capabilities(operations=(op.name,), dtypes=(dtype,)), example)
    orders = tuple(k for k in backend.orders if k <= order)
    backend.capabilities = Capabilities(operations=(op.name,), dtypes=(dtype,), orders=orders, lmax=op.lmax)
    own = _own(backend, op, dict(zip(names, arrays.values())), dtype)
    outcomes = list(_outcomes(backend, op, own, dtype, seconds))
    return _answer(op, gauge, outcomes, orders, order)


def _takes_op(function: Any) -> bool:
    return next(iter(positional(function, [None])), "") == "op"


def _own(backend: Backend, op: Operation, inputs: dict[str, Array], dtype: str) -> dict[str, Array]:
    """The user's inputs in our gauge."""
    from nbody_ref import conventions

    gauge = conventions.get(backend.convention)
    plain_ = {n: x if x.dtype.kind in "iu" else from_storage(x, dtype) for n, x in inputs.items()}
    return {n: x if x.dtype.kind in "iu" else np.asarray(op.layout(n).to_native(gauge, x)) for n, x in plain_.items()}


def _outcomes(backend: Called, op: Operation, own: dict[str, Array], dtype: str, seconds: float) -> Iterator[Outcome]:
    """The user's own inputs at every order; behaviour; other sizes, while there is time."""
    caps, blame = backend.capabilities, Blame(backend, dtype, 4 if dtype not in HALVES else 0)
    for case in _cases(op, own, dtype, caps.orders):
        yield from _judged(backend, case, dtype, blame)
    until = time.perf_counter() + seconds
    sized = (case for rows in SIZES for case in _cases(op, _resized(op, own, dtype, rows), dtype, caps.orders))
    for case in sized if len(own[op.differentiable[0]]) and not _indexed(own) else ():
        if time.perf_counter() > until:
            return
        yield from _judged(backend, case, dtype, blame)
    for name, order in behaviour.applicable(backend, op, dtype):
        if name not in ("untouched", "strides", "determinism", "reuse", "aliasing"):
            continue
        for case in _cases(op, _first(own), dtype, (order,)):
            if time.perf_counter() > until:
                return
            outcome = Outcome(name, op.name, dtype, order)
            try:
                passed, outcome.text = behaviour.CHECKS[name][0](backend, case, dtype)
                outcome.status = "pass" if passed else "fail"
            except ResultError as error:
                outcome.status, outcome.text = "error", str(error)
            outcome.cause = behaviour.CHECKS[name][2] if outcome.status != "pass" else ""
            yield outcome


def _indexed(own: dict[str, Array]) -> bool:
    return any(x.dtype.kind in "iu" for x in own.values())


def _first(own: dict[str, Array]) -> dict[str, Array]:
    return own if _indexed(own) else {name: x[:17] for name, x in own.items()}


def _resized(op: Operation, own: dict[str, Array], dtype: str, rows: int) -> dict[str, Array]:
    """Other numbers of rows, of the sizes that the user's numbers have."""
    some = {name: np.abs(x).max(initial=0.0) or 1.0 for name, x in own.items()}
    return {
        name: rounded(random((rows, *x.shape[1:]), "float64", name, rows) * min(some[name], 4.0) / 2, dtype)
        for name, x in own.items()
    }


def _cases(op: Operation, inputs: dict[str, Array], dtype: str, orders: tuple[int, ...]) -> Iterator[Case]:
    note = f"{len(inputs[op.differentiable[0]])} rows"
    for order in orders:
        more = {"cotangent": random(op.shape(inputs), dtype, "g")} if order else {}
        for tangent in op.differentiable if order == 2 else ("",):
            dots = {f"{tangent}_dot": random(inputs[tangent].shape, dtype, "v", tangent)} if tangent else {}
            yield Case("inputs", op, inputs | more | dots, order, tangent, note=note)


def _judged(backend: Called, case: Case, dtype: str, blame: Blame) -> Iterator[Outcome]:
    """One call; of many rows, some are judged, chosen after the answer is in."""
    base = Outcome(case.check, case.op.name, dtype, case.order, note=case.note, extent=case.op.extent(case.inputs))
    try:
        found = call(backend, case.op, dtype, case.inputs, case.order, case.tangent)
    except ResultError as error:
        base.status, base.text = "error", str(error)
        yield base
        return
    rows = len(case.inputs[case.op.differentiable[0]])
    if rows > ROWS and not _indexed(case.inputs):
        draw = np.random.default_rng().permutation(rows)[: ROWS - 40]
        kept = np.unique(np.concatenate([draw, np.arange(20), np.arange(rows - 20, rows)]))
        inputs = {name: x[kept] for name, x in case.inputs.items()}
        wrong = [n for n, x in found.items() if x.shape != result_shape(case.op, case.inputs, n)]
        found = {name: x[kept] for name, x in found.items() if name not in wrong}
        case = Case(case.check, case.op, inputs, case.order, case.tangent, note=case.note)
    for outcome in judge(backend.capabilities, case, dtype, found, base):
        if outcome.status == "fail":
            outcome.cause = blame.of(case, outcome, found)
        yield outcome


def _answer(op: Operation, gauge: str, outcomes: list[Outcome], orders: tuple[int, ...], order: int) -> Checked:
    failures = [o for o in outcomes if o.status in ("fail", "error")]
    judged = [o for o in outcomes if o.status == "pass" and o.measured is not None]
    ok = bool(judged) and not failures
    what = f"{op.name} (gauge {gauge}): {_about(op)}"
    missing = [ORDERS[k] for k in range(order + 1) if k not in orders]
    lines = [f"{'right' if ok else 'WRONG'}: {what}"]
    seen: set[tuple[Any, ...]] = set()
    for o in sorted(failures, key=lambda o: not o.cause):
        key = (o.order, o.result, o.check if o.check != "inputs" else "")
        if key not in seen and len(seen) < 6:
            lines.append(f"  {ORDERS[o.order]}, {o.check}{f' [{o.note}]' if o.note else ''}: {o.text}")
            lines += [f"    likely: {o.cause}"] if o.cause else []
        seen.add(key)
    sizes = sorted({o.extent["rows"] for o in judged if "rows" in o.extent})
    done = ", ".join(ORDERS[k] for k in orders)
    lines.append(f"  judged: {done}; {len(outcomes)} results, rows {', '.join(map(str, sizes))}")
    if missing:
        lines.append(f"  not judged: {', '.join(missing)}; the function has no way to it (attributes vjp, double_vjp)")
    return Checked(ok, "\n".join(lines), tuple(outcomes))


def _about(op: Operation) -> str:
    fields = {key: value for key, value in op.to_dict().items() if key not in ("operation", "weighted", "instructions")}
    text = ", ".join(f"{key} {value}" for key, value in fields.items())
    paths = getattr(op, "instructions", ())
    if paths:
        factors = ", ".join(f"{float(i.coefficient):.6g}" for i in paths[:8])
        text += f"; {len(paths)} paths, {paths[0].mode}, with factors {factors}{' ...' if len(paths) > 8 else ''}"
    return text


def _asked(question: str) -> Checked:
    return Checked(False, f"not judged: {question}", (), question)


def _broken(text: str) -> Checked:
    return Checked(False, f"WRONG: the call failed: {text}", (Outcome("inputs", "", "", status="error", text=text),))
