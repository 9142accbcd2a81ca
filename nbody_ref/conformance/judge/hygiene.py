"""Checks of behaviour that need more than one call, or more than values: bits, buffers, strides, symmetries, NaN."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nbody_ref.certified.sums import certify
from nbody_ref.conformance.backend import Backend, ResultError, call
from nbody_ref.conformance.formats import HALVES, rounded, smallest, to_storage, unit
from nbody_ref.conformance.operations.cases import Case, product_inputs
from nbody_ref.conformance.operations.composite import Multilinear, Programmed, RadialBasis
from nbody_ref.conformance.operations.composite_cases import composite_cases
from nbody_ref.conformance.operations.operation import Harmonics, Operation, Product
from nbody_ref.conformance.truth.product_terms import product_terms
from nbody_ref.irreps import Irreps

__all__ = ["CHECKS", "base_case"]

Array = np.ndarray[Any, Any]
Finding = tuple[bool, str]  # passed, what was found


def base_case(op: Operation, dtype: str, order: int = 0, seed: int = 0) -> Case | None:
    """Generic inputs of one operation; None where it has none."""
    if isinstance(op, Product):
        return Case("random", op, product_inputs(op, dtype, "hygiene", seed, order=order), order)
    if isinstance(op, Harmonics):
        draw = np.random.default_rng([seed, 3])
        inputs = {"r": draw.standard_normal((9, 3)), "cotangent": draw.standard_normal((9, (op.lmax + 1) ** 2))}
        if order == 0:
            del inputs["cotangent"]
        return Case("random", op, {k: rounded(x, dtype) for k, x in inputs.items()}, order)
    if isinstance(op, Multilinear | Programmed):
        return next(case for case in composite_cases(op, dtype, (order,), seed) if case.check == "random")
    return None


def determinism(backend: Backend, case: Case, dtype: str) -> Finding:
    """The same call gives the same bits, also after a call on other data and over memory full of NaN."""
    first = call(backend, case.op, dtype, case.inputs, case.order)
    factor = 0.5 if isinstance(case.op, RadialBasis) else -2.0  # lengths are positive
    other = {name: factor * x if x.dtype.kind == "f" else x for name, x in case.inputs.items()}
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
            expected = plain * _factor(case.op, 2.0**k)
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
    if not isinstance(case.op, Product):
        return True, ""
    gradients = call(backend, case.op, dtype, case.inputs, 1)
    g, caps = case.inputs["cotangent"], backend.capabilities
    roundoff = max(caps.unit(dtype), caps.store(dtype))
    plain = {name: x for name, x in case.inputs.items() if name != "cotangent"}
    for name in case.op.differentiable:
        v = np.roll(case.inputs[name], 1, axis=0)
        moved = plain | {name: v}
        truth, slope = certify(product_terms(case.op, moved), moved), case.truth[name]
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
            must, may = _reach(case, name, x)
            if np.isfinite(found[must]).any():
                return False, f"{poison} in {name} is swallowed"
            if not np.isfinite(found[~may]).all():
                return False, f"{poison} in {name} spreads to rows that do not depend on it"
    return True, ""


def _reach(case: Case, name: str, x: Array) -> tuple[Array, Array]:
    """Entries that depend on the poisoned one, and rows that may be touched."""
    op, at = case.op, x.shape[1]
    if isinstance(op, Product):
        terms = product_terms(op, case.inputs)
        must = np.zeros(terms.shape, bool)
        must.reshape(-1)[terms.out[terms.index(terms.places(name)[0]) == at]] = True
    else:
        must = np.zeros(case.truth["out"].value.shape, bool)
        must[1, 1:] = False
        must[1, 3] = op.lmax > 0  # the component along x
    return must, np.broadcast_to(must.any(axis=1, keepdims=True), must.shape)


CHECKS: dict[str, tuple[Callable[[Backend, Case, str], Finding], tuple[int, ...], str]] = {
    "determinism": (determinism, (0, 1), "races, stale or unzeroed buffers, accumulation into old results"),
    "untouched": (untouched, (0, 1), "inputs used as work space"),
    "strides": (strides, (0,), "strides or offsets ignored"),
    "homogeneity": (homogeneity, (0,), "an epsilon in a norm, hidden constants"),
    "symmetry": (symmetry, (0,), "axes, parity, component order"),
    "adjoint": (adjoint, (1,), "gradients of another function than the value"),
    "not a number": (not_a_number, (0,), "NaN swallowed or spread"),
}


COMPLEX_CHECKS = ("determinism", "untouched", "strides", "homogeneity")
COMPOSITE_CHECKS = ("determinism", "untouched", "strides", "symmetry")


def applicable(backend: Backend, op: Operation, dtype: str = "float64") -> Iterator[tuple[str, int]]:
    """Names and orders of the checks that a backend's declaration leaves."""
    caps = backend.capabilities
    for name, (_, orders, _) in CHECKS.items():
        same = caps.deterministic
        wanted = {"determinism": same, "homogeneity": same and dtype not in HALVES, "strides": not caps.contiguous_only}
        if isinstance(op, Multilinear | Programmed) and name not in COMPOSITE_CHECKS:
            continue
        if op.basis == "complex" and name not in COMPLEX_CHECKS:
            continue
        product_only = name == "adjoint" and not isinstance(op, Product)
        nan = name == "not a number" and not caps.propagates_nan
        if wanted.get(name, True) and not product_only and not nan:
            yield from ((name, order) for order in orders if order in caps.orders)


def _within(found: Array, plain: Array, case: Case, key: str, dtype: str) -> bool:
    """Agreement of two roundings of the same exact value."""
    truth = case.truth[key]
    room = 2 * (truth.n + case.slack) * unit(dtype) * truth.S + 4 * (truth.n + 1) * smallest(dtype)
    return bool(np.all(np.abs(found - plain) <= room))


def _factor(op: Operation, scale: float) -> Any:
    if not isinstance(op, Harmonics):
        return scale
    degrees = np.concatenate([np.full(2 * l + 1, l) for l in range(op.lmax + 1)])
    return scale**degrees if op.solid else 1.0


def _turned(case: Case, turn: Any, inversion: bool) -> tuple[dict[str, Array], Array]:
    """Inputs after a signed permutation, and the matrix that brings rows of results back."""
    op, inputs = case.op, dict(case.inputs)

    def matrix(irreps: Irreps) -> Array:
        return np.round(irreps.D(turn, inversion and irreps.has_parity))

    for name, x in inputs.items():
        layout = op.layout(name)
        if isinstance(layout, Irreps):
            inputs[name] = x @ matrix(layout).T
        elif layout == "positions":
            inputs[name] = x @ np.round(turn.as_matrix()).T * (-1 if inversion else 1)
    layout = op.layout("out")
    if isinstance(op, Harmonics):
        return inputs, matrix(Irreps.harmonics(op.lmax))
    return inputs, matrix(layout) if isinstance(layout, Irreps) else np.eye(op.shape(inputs)[-1])


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
