"""The customary test of libraries beside the kit: positive inputs, float32, allclose with a correct kernel."""

import numpy as np

from nbody_ref.conformance import Capabilities, Coupling, Harmonics, Product, Rotation
from nbody_ref.conformance.operations.registry import REGISTRY
from nbody_ref.conformance.planted.mutants import MUTANTS, SUBTLE


def test_the_customary_test_misses_what_the_documentation_says():
    assert {planted.name for planted in MUTANTS if not customary(planted)} == SUBTLE


def customary(planted):
    """Whether it catches a planted error: values to 1e-4, gradients and second gradients to 1e-3."""
    wrong, right = planted.kernel(), planted.correct()
    if planted.base == "blocks":
        found = [op for name in planted.operations for op in REGISTRY[name].suite(name, Capabilities(lmax=2))]
        return any(_differ(wrong, right, op) for op in found)
    operations = (Product.convolution("8x0e + 8x1o + 8x2e", 2),)
    if planted.operations[0] != "product" and planted.method != "table":
        operations = (Harmonics(3, "integral", True), Harmonics(3, "integral", False), Rotation(2))
    elif planted.method == "table":
        operations += (Coupling(1, 1, 2), Coupling(1, 1, 1))
    draw = np.random.default_rng(0)
    for op in operations:
        inputs = _uniform(op, draw)
        with np.errstate(all="ignore"):
            for order in range(3 if op.differentiable else 1):
                if not _agree(_outputs(wrong, op, inputs, order), _outputs(right, op, inputs, order), order):
                    return True
    return False


def _differ(wrong, right, op):
    """Whether allclose sees it on the first inputs of an operation, with positive cotangents and tangents."""
    for case in op.cases("float32", (0, 1, 2), 0):
        plain, extra = {}, {}
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


def _uniform(op, draw):
    if isinstance(op, Product):
        shapes = op.shapes(64, 10)
        inputs = {name: draw.random(shape).astype(np.float32) for name, shape in shapes.items()}
        inputs["cotangent"] = inputs.pop("out")
        return inputs | {"senders": draw.integers(0, 10, 64), "receivers": draw.integers(0, 10, 64)}
    if isinstance(op, Harmonics):
        inputs = {"r": draw.random((64, 3)).astype(np.float32)}
        return inputs | {"cotangent": draw.random((64, (op.lmax + 1) ** 2)).astype(np.float32)}
    return {"quaternion": draw.random((8, 4)).astype(np.float32)}


def _outputs(kernel, op, inputs, order):
    plain = {name: x.copy() for name, x in inputs.items() if name != "cotangent"}
    if order == 0:
        return {"out": kernel.forward(op, plain)}
    if order == 1:
        return dict(kernel.vjp(op, plain, inputs["cotangent"]))
    tangents = {name: np.ones_like(plain[name]) for name in op.differentiable}
    return dict(kernel.double_vjp(op, plain, inputs["cotangent"], tangents))


def _agree(a, b, order):
    room = 1e-3 if order else 1e-4
    return all(np.allclose(a[name], b[name], rtol=room, atol=room) for name in b)
