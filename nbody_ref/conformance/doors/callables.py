"""A user's function or module as a backend: NumPy, PyTorch or JAX, gradients by whatever it has.

PyTorch and JAX are looked at only if the inputs belong to them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nbody_ref.conformance.backend import Backend, Capabilities
from nbody_ref.conformance.operations.operation import Operation

__all__ = ["Called", "framework", "plain", "positional"]

Array = np.ndarray[Any, Any]


def framework(inputs: Mapping[str, Any]) -> str:
    """Whose arrays these are: "torch", "jax" or "numpy"."""
    for x in inputs.values():
        home = type(x).__module__.partition(".")[0]
        if home in ("torch", "jax", "jaxlib"):
            return home.removesuffix("lib")
    return "numpy"


def plain(x: Any) -> Array:
    """An array of the user's as a NumPy array."""
    return Backend().to_numpy(x)


def positional(function: Any, inputs: Any) -> dict[str, Any]:
    """Inputs by name: as they are given, or in the order of the function's parameters."""
    if isinstance(inputs, Mapping):
        return dict(inputs)
    given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    called = getattr(function, "forward", function)
    try:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        names = [p.name for p in inspect.signature(called).parameters.values() if p.kind in kinds]
    except (TypeError, ValueError):
        names = []
    return dict(zip([*names[: len(given)], *(f"input {k}" for k in range(len(names), len(given)))], given))


class Called(Backend):
    """The function as a backend of one operation.

    Parameters
    ----------
    function : callable
        Of arrays; or of (op, inputs) if its first parameter is called ``op``. Attributes ``vjp`` and ``double_vjp``, if
        it has them, are its gradients as those of a `Backend`.
    order : tuple of str
        Inputs of the operation in the order of the function's arguments.
    kind : {"numpy", "torch", "jax"}
    convention : str
    caps : Capabilities
    example : array
        One of the user's arrays; its device is the one that inputs are put on.
    """

    def __init__(
        self, function: Any, order: tuple[str, ...], kind: str, convention: str, caps: Capabilities, example: Any
    ) -> None:
        self.function, self.order, self.kind, self.convention, self.capabilities = (
            function,
            order,
            kind,
            convention,
            caps,
        )
        self.device = getattr(example, "device", None) if kind == "torch" else None
        self.name = getattr(function, "__name__", type(function).__name__)
        first = next(iter(positional(function, [None])), "")
        self.takes_op = first == "op"

    def asarray(self, array: Array) -> Any:
        if self.kind == "torch":
            import torch

            return torch.from_numpy(array).to(self.device)
        if self.kind == "jax":
            import jax.numpy as jnp

            return jnp.asarray(array)
        return array

    def forward(self, op: Operation, inputs: dict[str, Any]) -> Any:
        if self.takes_op:
            return self.function(op, inputs)
        return self.function(*(inputs[name] for name in self.order))

    def vjp(self, op: Operation, inputs: dict[str, Any], cotangent: Any) -> Mapping[str, Any]:
        if hasattr(self.function, "vjp"):
            found: Mapping[str, Any] = self.function.vjp(op, inputs, cotangent)
            return found
        return (self._torch if self.kind == "torch" else self._jax)(op, inputs, cotangent, None)

    def double_vjp(
        self, op: Operation, inputs: dict[str, Any], cotangent: Any, tangents: dict[str, Any]
    ) -> Mapping[str, Any]:
        if hasattr(self.function, "double_vjp"):
            found: Mapping[str, Any] = self.function.double_vjp(op, inputs, cotangent, tangents)
            return found
        return (self._torch if self.kind == "torch" else self._jax)(op, inputs, cotangent, tangents)

    @property
    def orders(self) -> tuple[int, ...]:
        """Orders of differentiation that there is a way to."""
        if self.kind != "numpy":
            return (0, 1, 2)
        return tuple(
            n for n, name in enumerate(("forward", "vjp", "double_vjp")) if not n or hasattr(self.function, name)
        )

    def _torch(self, op: Operation, inputs: dict[str, Any], cotangent: Any, tangents: Any) -> dict[str, Any]:
        import torch

        x = {name: inputs[name].detach().clone().requires_grad_() for name in op.differentiable}
        g = cotangent if tangents is None else cotangent.detach().clone().requires_grad_()
        more = {"allow_unused": True, "create_graph": tangents is not None}
        first = torch.autograd.grad(self.forward(op, {**inputs, **x}), list(x.values()), g, **more)
        bars = dict(zip(x, first))
        if tangents is None:
            return {name: bar for name, bar in bars.items() if bar is not None}
        terms = [(tangent * bars[name]).sum() for name, tangent in tangents.items() if bars[name] is not None]
        if not terms or not sum(terms).requires_grad:
            return {}
        second = torch.autograd.grad(sum(terms), [*x.values(), g], allow_unused=True)
        return {name: bar for name, bar in zip([*x, "cotangent"], second) if bar is not None}

    def _jax(self, op: Operation, inputs: dict[str, Any], cotangent: Any, tangents: Any) -> dict[str, Any]:
        import jax

        names = op.differentiable

        def pulled(x: dict[str, Any], g: Any) -> Any:
            return jax.vjp(lambda y: self.forward(op, {**inputs, **y}), x)[1](g)[0]

        x = {name: inputs[name] for name in names}
        if tangents is None:
            return dict(pulled(x, cotangent))

        def loss(x: dict[str, Any], g: Any) -> Any:
            bars = pulled(x, g)
            return sum((tangent * bars[name]).sum() for name, tangent in tangents.items())

        of_x, of_g = jax.grad(loss, argnums=(0, 1))(x, cotangent)
        return {**of_x, "cotangent": of_g}


def guarded(function: Callable[[], Any]) -> Any:
    """What a call gives, or the exception that it raises."""
    try:
        with np.errstate(all="ignore"):
            return function()
    except Exception as error:  # whatever the code under test raises is a finding
        return error
