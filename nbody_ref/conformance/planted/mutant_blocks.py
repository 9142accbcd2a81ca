"""Planted errors of radial functions, mixing, contractions, fusion blocks, gates and models.

name -> (the bug in words, operations, method of `Blocks`, change of it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["BLOCKS"]

Array = np.ndarray[Any, Any]
Change = Callable[[Any, Any], Any]


def _of_result(change: Callable[[Any, Array], Array]) -> Change:
    """Change the value."""
    return lambda f, kernel: lambda op, inputs: change(op, np.array(f(op, inputs)))


def _of_inputs(change: Callable[[Any, dict[str, Any]], Mapping[str, Any]]) -> Change:
    """Change the inputs before the call."""
    return lambda f, kernel: lambda op, inputs, *more: f(op, {**inputs, **change(op, inputs)}, *more)


def _of_gradient(name: str, change: Callable[[Any, Array, Mapping[str, Any]], Array]) -> Change:
    """Change the gradient in one input; "" changes the last one."""

    def wrap(f: Any, kernel: Any) -> Any:
        def vjp(op: Any, inputs: dict[str, Any], *more: Any) -> dict[str, Any]:
            found = dict(f(op, inputs, *more))
            key = name or op.differentiable[-1]
            if key in found and found[key] is not None:
                found[key] = change(op, np.array(found[key]), inputs)
            return found

        return vjp

    return wrap


def _near_cutoff(op: Any, gradient: Array, inputs: Mapping[str, Any]) -> Array:
    reach = getattr(op.family, "cutoff", None)
    return gradient if reach is None else np.where(inputs["dist"] > 0.8 * reach, 0, gradient).astype(gradient.dtype)


def _square_power(op: Any, inputs: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """Weights of the second power of a contraction, scaled."""
    mul, w = op.irreps[0].mul, np.array(inputs["w"])
    for k, (_, path) in enumerate(op.paths):
        if len(path.parts) == 2:
            w[:, k * mul : (k + 1) * mul] *= w.dtype.type(factor)
    return {"w": w}


def _one_leg(f: Any, kernel: Any) -> Any:
    """x appears twice in a square, and is differentiated once."""

    def vjp(op: Any, inputs: dict[str, Any], g: Any) -> dict[str, Any]:
        found = dict(f(op, inputs, g))
        return found | {"x": f(op, {**inputs, **_square_power(op, inputs, 0.5)}, g)["x"]}

    return vjp


def _last_row_of_kind(f: Any, kernel: Any) -> Any:
    """Assignment instead of addition where several rows have one kind."""

    def vjp(op: Any, inputs: dict[str, Any], g: Any) -> dict[str, Any]:
        kind, last = np.asarray(inputs["kind"]), np.zeros(len(g), bool)
        for row in range(len(kind)):
            last[row] = not np.any(kind[row + 1 :] == kind[row])
        return dict(f(op, inputs, g)) | {"W": f(op, inputs, (g * last[:, None]).astype(g.dtype))["W"]}

    return vjp


def _absolute(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Positions far from the origin, as float32 has them: the difference of two neighbours loses its last digits."""
    shift = np.float32(4096.0)
    moved = {}
    for name in ("r_child", "r_parent"):
        r = np.asarray(inputs[name])
        moved[name] = ((r.astype(np.float32) + shift) - shift).astype(r.dtype)
    return moved


BLOCKS: dict[str, tuple[str, tuple[str, ...], str, Change]] = {
    "cutoff derivative": (
        "derivative of a radial function forgotten close to its cutoff",
        ("radial",),
        "vjp",
        _of_gradient("dist", _near_cutoff),
    ),
    "fast exponential": (
        "radial function to 2e-5",
        ("radial",),
        "forward",
        _of_result(lambda op, y: y * y.dtype.type(1 + 2e-5)),
    ),
    "first kind": (
        "weights of kind 0 used for all kinds",
        ("mixing", "contraction"),
        "forward",
        _of_inputs(lambda op, inputs: {"kind": np.asarray(inputs["kind"]) * 0}),
    ),
    "last row of a kind": (
        "weight gradient assigned instead of added for rows of one kind",
        ("mixing",),
        "vjp",
        _last_row_of_kind,
    ),
    "multiplicity": (
        "factor 2! in the square of a symmetric contraction",
        ("contraction",),
        "forward",
        _of_inputs(lambda op, inputs: _square_power(op, inputs, 2.0)),
    ),
    "one leg": ("gradient of a square differentiates one factor only", ("contraction",), "vjp", _one_leg),
    "fusion sign": (
        "sign of the gradient in the last state of a fusion block",
        ("fusion",),
        "vjp",
        _of_gradient("", lambda op, g, inputs: -g),
    ),
    "parent gradient": (
        "gradient in the position of the parent forgotten",
        ("gate",),
        "vjp",
        _of_gradient("r_parent", lambda op, g, inputs: 0 * g),
    ),
    "absolute positions": (
        "differences of positions far from the origin formed in float32",
        ("gate",),
        "forward",
        _of_inputs(lambda op, inputs: _absolute(inputs)),
    ),
    "force for gradient": (
        "forces returned where the gradient of the energy is asked for",
        ("model",),
        "vjp",
        _of_gradient("r", lambda op, g, inputs: -g),
    ),
    "energy of pairs": ("every pair counted twice", ("model",), "forward", _of_result(lambda op, y: 2 * y)),
    "training weights": (
        "gradient of a force loss in the last weights forgotten",
        ("model",),
        "double_vjp",
        _of_gradient("", lambda op, g, inputs: 0 * g),
    ),
}
