"""The kit tested against itself: planted errors must be caught, the correct kernel must raise no alarm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nbody_ref.conformance.backend import Backend, Capabilities
from nbody_ref.conformance.operations.composite_cases import composite_cases, composite_operations
from nbody_ref.conformance.operations.operation import Coupling, Harmonics, Operation, Product, Rotation
from nbody_ref.conformance.planted.mutants import MUTANTS, Mutant, mutant
from nbody_ref.conformance.suite import run

__all__ = ["SMALL", "catchers", "customary", "hunt"]

SMALL = Capabilities(lmax=3)


def hunt(names: tuple[str, ...] = ()) -> Iterator[tuple[Mutant, tuple[str, ...]]]:
    """Every planted error, or those named, with the checks that catch it."""
    for planted in [mutant(name) for name in names] if names else MUTANTS:
        yield planted, catchers(planted)


def catchers(planted: Mutant) -> tuple[str, ...]:
    """Names of the checks that fail on a planted error, in float32."""
    kernel = planted.kernel()
    if planted.base == "blocks":
        report = run(kernel, planted.operations, ("float32",), causes=False)
        return tuple(dict.fromkeys(outcome.check for outcome in report.failures))
    kernel.capabilities = SMALL
    where = tuple(name for name in planted.operations if name != "product")
    report = run(kernel, where, ("float32",), causes=False, products=1)
    if not report.failures and "product" in planted.operations:
        kernel.capabilities = Capabilities(lmax=3, operations=("product",), modes=("uvuv", "uvw"))
        report = run(kernel, ("product",), ("float32",), causes=False, products=1)
    if not report.failures and "convolution" in planted.operations:
        kernel.capabilities = Capabilities(lmax=3, orders=(0, 1), modes=("uvu",))
        report = run(kernel, ("convolution",), ("float32",), causes=False, checks=("orders",))
    return tuple(dict.fromkeys(outcome.check for outcome in report.failures))


def customary(planted: Mutant) -> bool:
    """Whether the customary test catches it: one batch of positive inputs, float32, allclose against a correct kernel.

    Values to 1e-4, gradients and second gradients to 1e-3, as in the suites that reference libraries ship.
    """
    wrong, right = planted.kernel(), planted.correct()
    if planted.base == "blocks":
        return any(_differ(wrong, right, op) for name in planted.operations for op in composite_operations(name, 2))
    graph, chosen = np.random.default_rng(0), planted.operations[0]
    operations: tuple[Operation, ...] = (Product.convolution("8x0e + 8x1o + 8x2e", 2),)
    if chosen != "product" and planted.method != "table":
        operations = (Harmonics(3, "integral", True), Harmonics(3, "integral", False), Rotation(2))
    elif planted.method == "table":
        operations += (Coupling(1, 1, 2), Coupling(1, 1, 1))
    for op in operations:
        inputs = _uniform(op, graph)
        with np.errstate(all="ignore"):
            for order in range(3 if op.differentiable else 1):
                if not _agree(_outputs(wrong, op, inputs, order), _outputs(right, op, inputs, order), order):
                    return True
    return False


def _differ(wrong: Backend, right: Backend, op: Operation) -> bool:
    """Whether allclose sees it on the first inputs of an operation, with positive cotangents and tangents."""
    for case in composite_cases(op, "float32", (0, 1, 2), 0):
        plain: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, x in case.inputs.items():
            if name == "cotangent" or name.endswith("_dot"):
                extra[name.removesuffix("_dot")] = abs(x).astype(np.float32)
            else:
                plain[name] = x if x.dtype.kind == "i" else x.astype(np.float32)
        g = extra.pop("cotangent", None)
        outputs = []
        for kernel in (wrong, right):
            if case.order == 0:
                outputs.append({"out": kernel.forward(op, plain)})
            else:
                found = kernel.vjp(op, plain, g) if case.order == 1 else kernel.double_vjp(op, plain, g, extra)
                outputs.append({name: x for name, x in found.items() if x is not None})
        if not _agree(outputs[0], outputs[1], case.order):
            return True
        if case.order == 2:
            break
    return False


def _uniform(op: Operation, draw: np.random.Generator) -> dict[str, Any]:
    if isinstance(op, Product):
        shapes = op.shapes(64, 10)
        inputs: dict[str, Any] = {name: draw.random(shape).astype(np.float32) for name, shape in shapes.items()}
        inputs["cotangent"] = inputs.pop("out")
        inputs |= {"senders": draw.integers(0, 10, 64), "receivers": draw.integers(0, 10, 64)}
    elif isinstance(op, Harmonics):
        inputs = {"r": draw.random((64, 3)).astype(np.float32)}
        inputs["cotangent"] = draw.random((64, (op.lmax + 1) ** 2)).astype(np.float32)
    else:
        inputs = {"quaternion": draw.random((8, 4)).astype(np.float32)}
    return inputs


def _outputs(kernel: Backend, op: Operation, inputs: Mapping[str, Any], order: int) -> dict[str, Any]:
    plain = {name: x.copy() for name, x in inputs.items() if name != "cotangent"}
    if order == 0:
        return {"out": kernel.forward(op, plain)}
    if order == 1:
        return dict(kernel.vjp(op, plain, inputs["cotangent"]))
    tangents = {name: np.ones_like(plain[name]) for name in op.differentiable}
    return dict(kernel.double_vjp(op, plain, inputs["cotangent"], tangents))


def _agree(a: Mapping[str, Any], b: Mapping[str, Any], order: int) -> bool:
    room = 1e-3 if order else 1e-4
    return all(np.allclose(a[name], b[name], rtol=room, atol=room) for name in b)
