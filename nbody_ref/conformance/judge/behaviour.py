"""Checks of behaviour that need more than one call, or more than values: bits, buffers, strides, symmetries, NaN."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nbody_ref.conformance.backend import Backend, ResultError, call
from nbody_ref.conformance.formats import HALVES, smallest, to_storage, unit
from nbody_ref.conformance.operations.operation import AIMS, Case, Operation

__all__ = ["CHECKS", "applicable", "every_aim"]

Array = np.ndarray[Any, Any]
Finding = tuple[bool, str]  # passed, what was found


def determinism(backend: Backend, case: Case, dtype: str) -> Finding:
    """The same call gives the same bits, also after a call on other data and over memory full of NaN."""
    first = call(backend, case.op, dtype, case.inputs, case.order)
    other = {name: case.op.other * x if x.dtype.kind == "f" else x for name, x in case.inputs.items()}
    for k in range(4):
        if k % 2:
            call(backend, case.op, dtype, other, case.order)
        _poison(first, dtype)
        again = call(backend, case.op, dtype, case.inputs, case.order)
        for name, x in first.items():
            if x.tobytes() != again[name].tobytes():
                worst = np.nanmax(np.abs(x - again[name])) if x.size else 0.0
                when = "after a call on other data" if k % 2 else "when repeated"
                return False, f"{name} changes {when}, by up to {worst:.3g}"
    return True, ""


def untouched(backend: Backend, case: Case, dtype: str) -> Finding:
    """Inputs are not written to."""
    kept: list[tuple[Array, bytes]] = []

    def keep(array: Array) -> Array:
        kept.append((array, array.tobytes()))
        return array

    call(backend, case.op, dtype, case.inputs, case.order, view=keep)
    changed = sum(array.tobytes() != content for array, content in kept)
    return not changed, f"{changed} of {len(kept)} input arrays were changed" if changed else ""


def strides(backend: Backend, case: Case, dtype: str) -> Finding:
    """Arrays that are not contiguous are read as what they are."""
    plain = call(backend, case.op, dtype, case.inputs, case.order)
    for name, view in (("every second column of a wider array", _columns), ("a transposed array", _transposed)):
        found = call(backend, case.op, dtype, case.inputs, case.order, view=view)
        for key, x in plain.items():
            if not _within(found[key], x, case, key, dtype):
                return False, f"{key} is wrong when inputs are {name}"
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
        for poison in (np.nan, np.inf):
            x = case.inputs[name].copy()
            x[1, 0] = poison
            try:
                found = call(backend, op, dtype, case.inputs | {name: x})["out"]
            except ResultError:
                continue  # refused by an exception
            must, may = op.reach(case.inputs, name)
            if np.isfinite(found[must]).any():
                return False, f"{poison} in {name} is swallowed"
            if not np.isfinite(found[~may]).all():
                return False, f"{poison} in {name} spreads to rows that do not depend on it"
    return True, ""


CHECKS: dict[str, tuple[Callable[[Backend, Case, str], Finding], tuple[int, ...], str]] = {
    "determinism": (determinism, (0, 1), "races, stale or unzeroed buffers, accumulation into old results"),
    "untouched": (untouched, (0, 1), "inputs used as work space"),
    "strides": (strides, (0,), "strides or offsets ignored"),
    "homogeneity": (homogeneity, (0,), "an epsilon in a norm, hidden constants"),
    "symmetry": (symmetry, (0,), "axes, parity, component order"),
    "adjoint": (adjoint, (1,), "gradients of another function than the value"),
    "not a number": (not_a_number, (0,), "NaN swallowed or spread"),
}


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
    }
    for name, (_, orders, _) in CHECKS.items():
        if name in op.behaviour and declared.get(name, True):
            yield from ((name, order) for order in orders if order in caps.orders)


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


def _poison(results: dict[str, Array], dtype: str) -> None:
    """Leave NaN in freed memory of the sizes that results have."""
    for x in results.values():
        held = [to_storage(np.full(x.shape, np.nan), dtype) for _ in range(3)]
        del held


def _columns(array: Array) -> Array:
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _transposed(array: Array) -> Array:
    return np.ascontiguousarray(array.T).T
