"""Checks of behaviour that need more than one call, or more than values: bits, buffers, layouts, symmetries, NaN."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from nbody_ref.conformance.backend import Backend, ResultError, call, raw_call
from nbody_ref.conformance.formats import HALVES, smallest, to_storage, unit
from nbody_ref.conformance.operations.operation import AIMS, Case, Operation

__all__ = ["CHECKS", "applicable", "every_aim", "poison"]

Array = np.ndarray[Any, Any]
Finding = tuple[bool, str]  # passed, what was found
AsArray = Callable[[Array], Any]


def determinism(backend: Backend, case: Case, dtype: str) -> Finding:
    """The same call gives the same bits: after a call on other data, over memory full of NaN, and many times."""
    first = _call(backend, case, dtype)
    other = _other(case)
    for k in range(case.op.repeats):
        if k % 2 and k < 4:
            _call(backend, other, dtype)
        poison([x.shape for x in first.values()], dtype)
        again = _call(backend, case, dtype)
        for name, x in first.items():
            if name not in again or x.tobytes() != again[name].tobytes():
                worst = np.nanmax(np.abs(x - again[name])) if name in again and x.size else 0.0
                when = "after a call on other data" if k % 2 and k < 4 else f"when repeated {k + 1} times"
                return False, f"{name} changes {when}, by up to {worst:.3g}"
    return True, ""


def reuse(backend: Backend, case: Case, dtype: str) -> Finding:
    """What one call has returned is not changed by the next."""
    read = raw_call(backend, case.op, dtype, case.inputs, case.order, case.tangent)
    before = {name: x.copy() for name, x in read().items()}
    _call(backend, _other(case), dtype)
    after = read()
    changed = [name for name, x in before.items() if x.tobytes() != after[name].tobytes()]
    return not changed, f"{', '.join(changed)} of a call changes when the next one runs" if changed else ""


def untouched(backend: Backend, case: Case, dtype: str) -> Finding:
    """Inputs, cotangents, tangents and indices are not written to."""
    kept: list[tuple[Any, bytes]] = []

    def content(given: Any) -> bytes:
        try:
            return backend.to_numpy(given).tobytes()
        except Exception:  # an array that only goes in
            return b""

    def keep(array: Array, asarray: AsArray) -> Any:
        given = asarray(array)
        kept.append((given, content(given)))
        return given

    _call(backend, case, dtype, view=keep)
    changed = [name for name, (given, before) in zip(case.inputs, kept) if content(given) != before]
    return not changed, f"the call changes its {', '.join(changed)}" if changed else ""


def strides(backend: Backend, case: Case, dtype: str) -> Finding:
    """Arrays that are not contiguous, do not begin where their memory begins, or repeat one number, are read right."""
    for words, view in LAYOUTS.items():
        plain = case
        if words == CONSTANT:
            ones = {name: np.ones_like(x) for name, x in case.inputs.items() if name == "cotangent"}
            if not ones:
                continue
            plain = Case(case.check, case.op, case.inputs | ones, case.order, case.tangent)
        right = _call(backend, plain, dtype)
        found = _call(backend, plain, dtype, view=view)
        for key, x in right.items():
            if not _same(found, key, x, dtype):
                return False, f"{key} is wrong when inputs are {words}"
    return True, ""


def indices(backend: Backend, case: Case, dtype: str) -> Finding:
    """Indices of 32 bits are refused, or read as the same numbers."""
    if not any(x.dtype.kind == "i" for x in case.inputs.values()):
        return True, ""
    plain = _call(backend, case, dtype)
    try:
        found = _call(backend, case, dtype, indices="int32")
    except ResultError:
        return True, ""  # refused
    for key, x in plain.items():
        if not _same(found, key, x, dtype):
            return False, f"{key} is wrong when indices are int32"
    return True, ""


def aliasing(backend: Backend, case: Case, dtype: str) -> Finding:
    """One array may stand for several inputs of its shape."""
    shapes: dict[Any, list[str]] = {}
    for name, x in case.inputs.items():
        if x.dtype.kind == "f":
            shapes.setdefault(x.shape, []).append(name)
    groups = [names for names in shapes.values() if len(names) > 1]
    if not groups:
        return True, ""
    same = {name: case.inputs[names[0]] for names in groups for name in names}
    equal = Case(case.check, case.op, case.inputs | same, case.order, case.tangent)
    memo: dict[Any, Any] = {}

    def share(array: Array, asarray: AsArray) -> Any:
        key = (array.shape, array.dtype.str, array.tobytes())
        return memo.setdefault(key, asarray(array))

    plain, found = _call(backend, equal, dtype), _call(backend, equal, dtype, view=share)
    for key, x in plain.items():
        if not _same(found, key, x, dtype):
            return False, f"{key} is wrong when {' and '.join(groups[0])} are one array"
    return True, ""


def threads(backend: Backend, case: Case, dtype: str) -> Finding:
    """Calls on different data from several threads do not mix."""
    cases = [case, _other(case)] * 3
    alone, interval = [_call(backend, one, dtype) for one in cases[:2]], sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda one: _call(backend, one, dtype), cases))
    finally:
        sys.setswitchinterval(interval)
    for k, results in enumerate(found):
        for key, x in alone[k % 2].items():
            if not _same(results, key, x, dtype):
                return False, f"{key} is wrong when three threads call at a time"
    return True, ""


def forms(backend: Backend, case: Case, dtype: str) -> Finding:
    """The kernel compiled, vectorised or traced gives what it gives when called."""
    plain = _call(backend, case, dtype)
    for words, other in backend.forms().items():
        found = _call(other, case, dtype)
        for key, x in plain.items():
            if not _same(found, key, x, dtype):
                return False, f"{key} is wrong in the form {words!r}"
    return True, ""


def homogeneity(backend: Backend, case: Case, dtype: str) -> Finding:
    """Scaling an input by a power of two scales the result exactly: no hidden constants, no epsilon in a norm."""
    plain = call(backend, case.op, dtype, case.inputs)["out"]
    for name in case.op.differentiable:
        for k in (3, -4):
            scaled = call(backend, case.op, dtype, case.inputs | {name: case.inputs[name] * 2.0**k})["out"]
            expected = case.op.scaled(plain, 2.0**k)
            if not np.array_equal(scaled, expected):
                size = np.max(np.abs(scaled - expected)) / np.max(np.abs(expected))
                return False, f"{name} times 2^{k} does not scale the result exactly; it differs by {size:.2g} of it"
    return True, ""


def symmetry(backend: Backend, case: Case, dtype: str) -> Finding:
    """Quarter turns about z, half turns about x and the inversion, which are exact in floating point."""
    from scipy.spatial.transform import Rotation as Turn

    plain = call(backend, case.op, dtype, case.inputs)["out"]
    group = [(Turn.from_euler("z", 90, degrees=True), False), (Turn.from_euler("x", 180, degrees=True), False)]
    for turn, inversion in [*group, (Turn.identity(), True)]:
        inputs, D = _turned(case, turn, inversion)
        found = call(backend, case.op, dtype, inputs)["out"]
        if not _within(found @ D, plain, case, "out", dtype):
            return False, f"not covariant under {'inversion' if inversion else turn.as_rotvec(degrees=True).round()}"
    return True, ""


def adjoint(backend: Backend, case: Case, dtype: str) -> Finding:
    """<cotangent, f(v)> = <gradient, v> for every linear input: gradient and value belong together."""
    gradients = call(backend, case.op, dtype, case.inputs, 1)
    g, caps = case.inputs["cotangent"], backend.capabilities
    roundoff = max(caps.unit(dtype), caps.store(dtype))
    plain = {name: x for name, x in case.inputs.items() if name != "cotangent"}
    for name in case.op.differentiable:
        v = np.roll(case.inputs[name], 1, axis=0)
        moved = plain | {name: v}
        truth, slope = case.op.truth(moved, 0, "")["out"], case.truth[name]
        left, right = np.sum(g * call(backend, case.op, dtype, moved)["out"]), np.sum(gradients[name] * v)
        bound = np.sum(np.abs(g) * truth.S * (truth.n + case.slack)) + np.sum(
            np.abs(v) * slope.S * (slope.n + case.slack)
        )
        if not abs(left - right) <= roundoff * bound:
            return False, f"gradient in {name} is not the adjoint of the value: {right:.9g} against {left:.9g}"
    return True, ""


def not_a_number(backend: Backend, case: Case, dtype: str) -> Finding:
    """NaN and infinity reach what depends on them, and no other row; or they are refused."""
    op = case.op
    for name in op.differentiable:
        for bad in (np.nan, np.inf):
            x = case.inputs[name].copy()
            x[1, 0] = bad
            try:
                found = call(backend, op, dtype, case.inputs | {name: x})["out"]
            except ResultError:
                continue  # refused by an exception
            must, may = op.reach(case.inputs, name)
            if np.isfinite(found[must]).any():
                return False, f"{bad} in {name} is swallowed"
            if not np.isfinite(found[~may]).all():
                return False, f"{bad} in {name} spreads to rows that do not depend on it"
    return True, ""


CHECKS: dict[str, tuple[Callable[[Backend, Case, str], Finding], tuple[int, ...], str]] = {
    "determinism": (determinism, (0, 1, 2), "races, stale or unzeroed buffers, accumulation into old results"),
    "reuse": (reuse, (0, 1, 2), "results that share a buffer with the next call"),
    "untouched": (untouched, (0, 1, 2), "inputs, cotangents or tangents used as work space"),
    "strides": (strides, (0, 1, 2), "strides, offsets or expanded cotangents ignored"),
    "indices": (indices, (0, 1, 2), "indices of 32 bits read as if they had 64"),
    "aliasing": (aliasing, (0, 1, 2), "inputs that share their memory"),
    "threads": (threads, (0, 1, 2), "work space shared between threads"),
    "forms": (forms, (0, 1, 2), "compiled, vectorised or traced kernels that differ from the eager one"),
    "homogeneity": (homogeneity, (0,), "an epsilon in a norm, hidden constants"),
    "symmetry": (symmetry, (0,), "axes, parity, component order"),
    "adjoint": (adjoint, (1,), "gradients of another function than the value"),
    "not a number": (not_a_number, (0,), "NaN swallowed or spread"),
}
ALWAYS = ("reuse", "indices", "aliasing", "threads", "forms")  # wherever results do not change from call to call


def every_aim() -> dict[str, str]:
    """What every check is aimed at."""
    return AIMS | {name: aim for name, (_, _, aim) in CHECKS.items()}


def applicable(backend: Backend, op: Operation, dtype: str = "float64") -> Iterator[tuple[str, int]]:
    """Names and orders of the checks that an operation has and a backend's declaration leaves."""
    caps = backend.capabilities
    declared = {
        "determinism": caps.deterministic,
        "homogeneity": caps.deterministic and dtype not in HALVES,
        "strides": not caps.contiguous_only,
        "not a number": caps.propagates_nan,
        "threads": caps.threads and _threads_are_safe(),
        "forms": bool(backend.forms()),
    }
    for name, (_, orders, _) in CHECKS.items():
        has = name in op.behaviour or (name in ALWAYS and bool(op.behaviour))
        if has and declared.get(name, True):
            yield from ((name, order) for order in orders if order in caps.orders)


def _call(backend: Backend, case: Case, dtype: str, **more: Any) -> dict[str, Array]:
    return call(backend, case.op, dtype, case.inputs, case.order, case.tangent, **more)


def _other(case: Case) -> Case:
    """The same call on other data."""
    inputs = {name: case.op.other * x if x.dtype.kind == "f" else x for name, x in case.inputs.items()}
    return Case(case.check, case.op, inputs, case.order, case.tangent)


def _threads_are_safe() -> bool:
    """Numba's own layer of threads ends the process when two threads call."""
    numba = sys.modules.get("numba")
    try:
        return numba is None or numba.threading_layer() != "workqueue"
    except ValueError:  # no parallel kernel has run
        return True


def _same(results: dict[str, Array], name: str, plain: Array, dtype: str) -> bool:
    """Whether two calls mean the same: what is read wrong differs by far more than roundings."""
    found = results.get(name, np.array(np.nan))
    return bool(
        np.all((np.abs(found - plain) <= unit(dtype) ** 0.5 * np.abs(plain).max(initial=0.0)) | (found == plain))
    )


def _within(found: Array, plain: Array, case: Case, key: str, dtype: str) -> bool:
    """Agreement of two roundings of the same exact value."""
    truth = case.truth[key]
    room = 2 * (truth.n + case.slack) * unit(dtype) * truth.S + 4 * (truth.n + 1) * smallest(dtype)
    return bool(np.all(np.abs(found - plain) <= room))


def _turned(case: Case, turn: Any, inversion: bool) -> tuple[dict[str, Array], Array]:
    """Inputs after a signed permutation, and the matrix that brings rows of results back."""
    op, inputs = case.op, dict(case.inputs)
    for name, x in inputs.items():
        matrix = op.layout(name).matrix(turn, inversion)
        inputs[name] = x if matrix is None else x @ np.round(matrix).T
    matrix = op.layout("out").matrix(turn, inversion)
    return inputs, np.eye(op.shape(inputs)[-1]) if matrix is None else np.round(matrix)


def poison(shapes: Iterable[tuple[int, ...]], dtype: str) -> None:
    """Leave NaN in freed memory of the sizes that results have."""
    for shape in shapes:
        held = [to_storage(np.full(shape, np.nan), dtype) for _ in range(3)]
        del held


def _filled(shape: tuple[int, ...], array: Array) -> Array:
    """Memory around an array, of NaN where its kind has one."""
    return np.full(shape, np.nan if array.dtype.kind in "fc" else 1, array.dtype)


def _columns(array: Array, asarray: AsArray) -> Any:
    wide = _filled((*array.shape[:-1], 2 * array.shape[-1]), array)
    wide[..., ::2] = array
    return _cut(wide, (..., slice(None, None, 2)), array, asarray)


def _offset(array: Array, asarray: AsArray) -> Any:
    long = _filled((array.shape[0] + 3, *array.shape[1:]), array)
    long[3:] = array
    return _cut(long, (slice(3, None),), array, asarray)


def _transposed(array: Array, asarray: AsArray) -> Any:
    return asarray(np.ascontiguousarray(array.T).T)


def _expanded(array: Array, asarray: AsArray) -> Any:
    """A constant array with strides of zero."""
    if array.dtype.kind == "i" or not array.size or (array != array.flat[0]).any():
        return asarray(array)
    return asarray(np.lib.stride_tricks.as_strided(array.reshape(-1)[:1], array.shape, (0,) * array.ndim))


def _cut(large: Array, at: Any, array: Array, asarray: AsArray) -> Any:
    """A view cut out of an array of the backend's own kind, where that can be cut; else out of NumPy's."""
    if array.dtype.kind == "i" or not array.ndim or not array.size:
        return asarray(array)
    try:
        found = asarray(large)[at]
        return found if tuple(found.shape) == array.shape else asarray(large[at])
    except (TypeError, IndexError, AttributeError, ValueError):
        return asarray(large[at])


CONSTANT = "an expanded cotangent of ones, as of sum().backward()"
LAYOUTS: dict[str, Callable[[Array, AsArray], Any]] = {
    "every second column of a wider array": _columns,
    "a transposed array": _transposed,
    "a part of a longer array, from its fourth row on": _offset,
    CONSTANT: _expanded,
}
