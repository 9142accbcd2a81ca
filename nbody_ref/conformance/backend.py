"""Plugging in: what a backend offers, what it declares, and how arrays go in and come out.

A backend is any object with the attributes and methods of `Backend`. It may receive NumPy arrays and return anything
that NumPy, ``__array__`` or ``__dlpack__`` can turn into an array; a tensor on a device is brought over by its own
``to_numpy``. This package imports no library of tensors: a backend brings its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref import conventions
from nbody_ref.conformance.complex_gauge import complex_from_native, complex_to_native
from nbody_ref.conformance.formats import from_storage, to_storage, unit
from nbody_ref.conformance.operations.layouts import Couplings, Quaternions
from nbody_ref.conformance.operations.operation import Operation, result_shape
from nbody_ref.conformance.operations.product import MODES
from nbody_ref.conformance.operations.registry import REGISTRY
from nbody_ref.conventions import Convention
from nbody_ref.errors import DTypeError, IrrepsError, NBodyRefError, ShapeError

__all__ = ["Backend", "Capabilities", "FunctionBackend", "ResultError", "call", "raw_call", "result_shape"]

Array = np.ndarray[Any, Any]
TABLES_AND_PRODUCTS = ("coupling", "rotation", "solid", "spherical", "product", "convolution")


class ResultError(NBodyRefError):
    """A backend failed, or returned something that cannot be a result."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a backend says it can do; the only source of skips.

    Parameters
    ----------
    operations : tuple of str
        Of "coupling", "rotation", "solid", "spherical", "product", "convolution", "radial", "mixing", "contraction",
        "fusion", "gate", "model".
    dtypes : tuple of str
        Of "float64", "float32", "float16", "bfloat16"; bfloat16 arrays are uint16 bit patterns.
    lmax : int
        Largest degree.
    orders : tuple of int
        0 values, 1 gradients, 2 gradients of gradients.
    modes : tuple of str
        Channel rules of products.
    weighted, unweighted : bool
        Products with and without weights.
    math : {"ieee", "tf32", "bf16"}
        Precision of multiplications; anything but "ieee" widens the gate accordingly, and the report says so.
    accumulate : str
        Format of sums and products where it is wider than the dtype, such as "float32" for "bfloat16".
    deterministic : bool
        The same call gives the same bits.
    flushes_denormals : bool
    contiguous_only : bool
        Strided arrays are not accepted.
    empty : bool
        No rows and no edges are accepted.
    propagates_nan : bool
        A NaN in an input reaches exactly the results that depend on it; otherwise it may be refused by an exception.
    max_edges : int
    power : int
        Highest power of a symmetric contraction.
    accelerated : bool
        The backend counts the calls of its kernel (`Backend.kernel_calls`); a result without one fails.
    threads : bool
        Several threads may call at a time; not tried where Numba's own layer of threads would end the process.
    """

    operations: tuple[str, ...] = TABLES_AND_PRODUCTS
    dtypes: tuple[str, ...] = ("float64", "float32")
    lmax: int = 4
    orders: tuple[int, ...] = (0, 1, 2)
    modes: tuple[str, ...] = tuple(MODES)
    weighted: bool = True
    unweighted: bool = True
    math: str = "ieee"
    accumulate: str = ""
    deterministic: bool = True
    flushes_denormals: bool = False
    contiguous_only: bool = False
    empty: bool = True
    propagates_nan: bool = True
    max_edges: int = 2**31 - 1
    power: int = 3
    accelerated: bool = False
    threads: bool = True

    def unit(self, dtype: str) -> float:
        """Unit roundoff of the declared arithmetic."""
        own = min(unit(dtype), unit(self.accumulate or dtype))
        return max(own, {"ieee": 0.0, "tf32": 2.0**-11, "bf16": 2.0**-8}[self.math])

    def store(self, dtype: str) -> float:
        """Unit roundoff of results, if the declared arithmetic has more bits; else zero."""
        return unit(dtype) if unit(dtype) > self.unit(dtype) else 0.0


class Backend:
    """Base class of backends; override what you have.

    Attributes
    ----------
    name : str
    convention : str
        One of `nbody_ref.conventions.names()`: positions, components, layouts and signs are translated. In a complex
        gauge, states, weights and cotangents are complex128 or complex64, and coupling tensors complex ones.
    capabilities : Capabilities
    """

    name = "backend"
    convention = "nbody_ref"
    capabilities = Capabilities()

    def forward(self, op: Operation, inputs: dict[str, Any]) -> Any:
        """Value of an operation; `inputs` and their shapes are those of the operation's class."""
        raise NotImplementedError

    def vjp(self, op: Operation, inputs: dict[str, Any], cotangent: Any) -> Mapping[str, Any]:
        """Gradients of sum(cotangent * result) in ``op.differentiable`` inputs, by name."""
        raise NotImplementedError

    def double_vjp(
        self, op: Operation, inputs: dict[str, Any], cotangent: Any, tangents: dict[str, Any]
    ) -> Mapping[str, Any]:
        """Gradients of sum over the named tangents of sum(tangent * vjp[name]), in every input and in "cotangent".

        This is what training on forces needs. Names may be missing where the gradient vanishes identically.
        """
        raise NotImplementedError

    def operations(self, name: str) -> tuple[Operation, ...] | None:
        """Operations of this name to test instead of those of the suite, a model of your own for example."""
        return None

    def kernel_calls(self) -> int:
        """How often the kernel under test has run; by it a silent fallback is seen. See `Capabilities.accelerated`."""
        raise NotImplementedError

    def forms(self) -> Mapping[str, Backend]:
        """Other forms in which the same kernel ships, by name: compiled, vectorised, traced."""
        return {}

    def asarray(self, array: Array) -> Any:
        """A NumPy array (a private copy, perhaps strided) as the kind of array that this backend takes."""
        return array

    def to_numpy(self, array: Any) -> Array:
        """A result as a NumPy array."""
        return _to_numpy(array)


class FunctionBackend(Backend):
    """One function as a backend.

    Parameters
    ----------
    operation : str
        What it computes, one of the operations of `Capabilities`.
    forward : callable (op, inputs) -> array
    vjp : callable (op, inputs, cotangent) -> mapping, optional
    double_vjp : callable (op, inputs, cotangent, tangents) -> mapping, optional
    convention : str
    **declared
        Further fields of `Capabilities`.
    """

    def __init__(
        self,
        operation: str,
        forward: Callable[..., Any],
        vjp: Callable[..., Any] | None = None,
        double_vjp: Callable[..., Any] | None = None,
        convention: str = "nbody_ref",
        **declared: Any,
    ) -> None:
        if operation not in REGISTRY:
            raise IrrepsError(f"FunctionBackend: 'operation' must be one of {', '.join(REGISTRY)}, got {operation!r}")
        given = {"forward": forward, "vjp": vjp, "double_vjp": double_vjp}
        for name, function in given.items():
            if function is not None:
                setattr(self, name, function)
        orders = tuple(order for order, function in enumerate(given.values()) if function is not None)
        self.name = getattr(forward, "__name__", operation)
        self.convention = convention
        self.capabilities = Capabilities(operations=(operation,), **{"orders": orders} | declared)


def call(
    backend: Backend,
    op: Operation,
    dtype: str,
    inputs: Mapping[str, Array],
    order: int = 0,
    tangent: str = "",
    view: Callable[[Array, Callable[[Array], Any]], Any] | None = None,
    indices: str = "int64",
) -> dict[str, Array]:
    """Run a backend on inputs in our gauge, and give its results back in our gauge as float64.

    Parameters
    ----------
    backend : Backend
    op : Operation
    dtype : str
    inputs : mapping
        Inputs, and for gradients "cotangent" and f"{tangent}_dot".
    order : {0, 1, 2}
    tangent : str
        Input along which the second gradient is taken.
    view : callable (array, asarray), optional
        Hands an array over in another layout (strides, offsets).
    indices : {"int64", "int32"}
        Kind of the index arrays.

    Raises
    ------
    ResultError
        If the backend raises, or returns wrong names, shapes or dtypes.
    """
    return raw_call(backend, op, dtype, inputs, order, tangent, view, indices)()


def raw_call(
    backend: Backend,
    op: Operation,
    dtype: str,
    inputs: Mapping[str, Array],
    order: int = 0,
    tangent: str = "",
    view: Callable[[Array, Callable[[Array], Any]], Any] | None = None,
    indices: str = "int64",
) -> Callable[[], dict[str, Array]]:
    """Run a backend as `call` does; what is returned reads its results, which are still in its own hands."""
    gauge = _gauge(backend, op)
    foreign = {name: to_foreign(gauge, op, name, array, dtype) for name, array in inputs.items()}
    try:
        given = {name: _handed_over(backend, x, view, indices) for name, x in foreign.items()}
        with np.errstate(all="ignore"):
            results = _results(backend, op.in_gauge(gauge), given, order, tangent)
    except Exception as error:  # whatever the code under test raises is a finding
        raise ResultError(f"{type(error).__name__}: {error}") from error

    def read() -> dict[str, Array]:
        try:
            arrays = {name: backend.to_numpy(x) for name, x in results.items() if x is not None}
        except Exception as error:
            raise ResultError(f"{type(error).__name__}: {error}") from error
        return {name: _checked(gauge, op, name, x, dtype, inputs) for name, x in arrays.items()}

    return read


def _gauge(backend: Backend, op: Operation) -> Convention:
    gauge = conventions.get(backend.convention)
    if gauge.basis != op.basis:
        raise IrrepsError(f"conformance: {op.name} is of the {op.basis} gauge, {backend.name} declares {gauge.name!r}")
    return gauge


def _results(backend: Backend, op: Operation, given: dict[str, Any], order: int, tangent: str) -> Mapping[str, Any]:
    """What the backend returns, by name.

    Raises
    ------
    ResultError
        If it returns nothing, or tries to end the process.
    """
    try:
        found = _asked(backend, op, given, order, tangent)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, Exception):
            raise
        raise ResultError(f"tried to end the process: {type(error).__name__}: {error}") from error
    if not isinstance(found, Mapping) or (order == 0 and found["out"] is None):
        came = "None" if order == 0 else type(found).__name__
        raise ResultError(f"must return {'an array' if order == 0 else 'arrays by name'}, got {came}")
    return found


def _asked(backend: Backend, op: Operation, given: dict[str, Any], order: int, tangent: str) -> Any:
    plain = {name: x for name, x in given.items() if name != "cotangent" and not name.endswith("_dot")}
    if order == 0:
        return {"out": backend.forward(op, plain)}
    if order == 1:
        return backend.vjp(op, plain, given["cotangent"])
    return backend.double_vjp(op, plain, given["cotangent"], {tangent: given[f"{tangent}_dot"]})


def to_foreign(gauge: Convention, op: Operation, name: str, array: Array, dtype: str) -> Array:
    """One input (a cotangent and a tangent are laid out like what they belong to) in the backend's gauge."""
    x = np.asarray(array)
    if x.dtype.kind in "iu":
        return x.copy()
    layout = op.layout("out" if name == "cotangent" else name.removesuffix("_dot"))
    if op.basis == "complex" and not isinstance(layout, Quaternions):
        return complex_from_native(gauge, layout, name, x, dtype)
    return to_storage(layout.from_native(gauge, x), dtype)


def _checked(gauge: Convention, op: Operation, name: str, x: Array, dtype: str, inputs: Mapping[str, Array]) -> Array:
    allowed = ("out",) if not op.differentiable else (*op.differentiable, "cotangent", "out")
    if name not in allowed:
        raise ResultError(f"there is no input {name!r} to have a gradient; inputs are {', '.join(op.differentiable)}")
    wanted, layout = result_shape(op, inputs, name), op.layout("out" if name == "cotangent" else name)
    pairs = op.basis == "complex" and not isinstance(layout, Couplings)
    if pairs:
        wanted = (*wanted[:-1], wanted[-1] // 2, *((2,) if gauge.storage == "re_im" else ()))
    if x.shape != wanted:
        raise ResultError(f"{name}: expected shape {wanted}, got {x.shape}")
    try:
        if pairs:
            return complex_to_native(gauge, layout, name, x, dtype)
        if op.basis == "complex":
            x = np.real(x).astype(np.float64)
        wide = op.mixed and x.dtype.kind == "f"
        return np.asarray(layout.to_native(gauge, x.astype(np.float64) if wide else from_storage(x, dtype)))
    except (ShapeError, DTypeError) as error:
        raise ResultError(f"{name}: {error}") from error


def _handed_over(
    backend: Backend, x: Array, view: Callable[[Array, Callable[[Array], Any]], Any] | None, indices: str
) -> Any:
    """An array as the backend takes it; bfloat16 patterns are no indices."""
    if x.dtype.kind == "i":
        x = x.astype(indices)
    return backend.asarray(x) if view is None else view(x, backend.asarray)


def _to_numpy(array: Any) -> Array:
    if str(getattr(array, "dtype", "")).endswith("bfloat16") and hasattr(array, "float"):
        array = array.float()  # torch: NumPy has no such dtype
    for method in ("detach", "cpu", "numpy"):
        array = getattr(array, method)() if hasattr(array, method) else array
    if isinstance(array, np.ndarray) or hasattr(array, "__array__"):
        return np.asarray(array)
    return np.from_dlpack(array) if hasattr(array, "__dlpack__") else np.asarray(array)
