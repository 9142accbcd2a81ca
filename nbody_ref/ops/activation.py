r"""Functions of one number, applied to every scalar: silu, sigmoid, tanh, softplus, leaky_relu, 1/x.

.. math:: y_i = c\, s(x_i)

Covariant on scalars only: a component of a fragment of degree l >= 1 is not a scalar. The N-body paper has no such
functions; Cormorant's readout, tensor field networks and MACE do. Derivation: docs/derivations/activation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import factorial, isfinite
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.certified.enclosure import Enclosed, enclosed_exp, enclosed_log1p
from nbody_ref.certified.functions import ZERO, Function, Jet
from nbody_ref.certified.lowering import Lowering
from nbody_ref.certified.program import Apply
from nbody_ref.certified.terms import width
from nbody_ref.errors import NBodyRefError
from nbody_ref.kernels.activation import activate
from nbody_ref.ops._check import check_array, check_type
from nbody_ref.ops._op import Arguments, CheckedOp, Example

__all__ = [
    "ACTIVATION",
    "Activation",
    "ActivationFunction",
    "activation",
    "activation_jvp",
    "activation_vjp",
    "activation_vjp_jvp",
    "derivatives",
]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...]
Bars = tuple[Array, ...]


def sigmoid_jet(x: Fraction, order: int) -> Jet:
    """1 / (1 + exp(-x)) and its derivatives, polynomials in itself since s' = s - s^2."""
    y = enclosed_exp(-abs(x))  # at most one
    below, spread = 1 + y.mid, y.rad
    s = Enclosed((1 if x >= 0 else y.mid) / below, 4 * spread).cut()
    polynomial, jet = {1: 1}, []
    for _ in range(order + 1):
        total, power = ZERO, Enclosed(Fraction(1))
        for k in range(1, max(polynomial) + 1):
            power = power * s
            total = total + power.times(polynomial.get(k, 0))
        jet.append(total)
        slope: dict[int, int] = {}
        for k, c in polynomial.items():
            slope[k] = slope.get(k, 0) + k * c
            slope[k + 1] = slope.get(k + 1, 0) - k * c
        polynomial = slope
    return jet


def _silu(x: Fraction, order: int) -> Enclosed:
    jet = sigmoid_jet(x, order)
    return jet[order].times(x) + (jet[order - 1].times(order) if order else ZERO)


def _tanh(x: Fraction, order: int) -> Enclosed:
    """2 s(2x) - 1."""
    return sigmoid_jet(2 * x, order)[order].times(2**order).times(2) + Enclosed(Fraction(-1 if order == 0 else 0))


def _softplus(x: Fraction, order: int) -> Enclosed:
    """log(1 + exp(x)) = max(x, 0) + log(1 + exp(-abs(x)))."""
    if order:
        return sigmoid_jet(x, order - 1)[-1]
    return Enclosed(max(x, Fraction(0))) + enclosed_log1p(enclosed_exp(-abs(x)))


def _shifted_softplus(x: Fraction, order: int) -> Enclosed:
    """log(1/2 + exp(x)/2)."""
    return _softplus(x, order) + (ZERO if order else enclosed_log1p(Enclosed(Fraction(1))).times(-1))


def _leaky_relu(x: Fraction, order: int) -> Enclosed:
    """x above zero, the float nearest x/100 below; the derivative at zero is the left one."""
    slope = Fraction(1 if x > 0 else 0.01)
    return Enclosed((slope * x, slope)[order]) if order < 2 else ZERO


def _reciprocal(x: Fraction, order: int) -> Enclosed:
    return Enclosed((-1) ** order * factorial(order) / x ** (order + 1))


class _Shape(NamedTuple):
    """A function of one number: code of the kernel, 1/sqrt(mean s(z)^2) for z ~ N(0, 1), enclosed derivatives, S."""

    code: int
    unit: float | None
    jet: Callable[[Fraction, int], Enclosed]
    size: Callable[[float, int], float] = lambda x, order: 2 * (1 + x) * (1, 2, 6)[order]


_SHAPES = {
    "silu": _Shape(0, 1.676532470331091, _silu, lambda x, order: (1 + x) ** 2 * (1, 2, 6)[order]),
    "sigmoid": _Shape(1, 1.8462285453386054, lambda x, order: sigmoid_jet(x, order)[order]),
    "tanh": _Shape(2, 1.5925374197228315, _tanh),
    "softplus": _Shape(3, 1.0418668355353018, _softplus),
    "shifted_softplus": _Shape(4, 1.8755962561350417, _shifted_softplus),
    "leaky_relu": _Shape(5, 1.4141428569978354, _leaky_relu),
    "reciprocal": _Shape(6, None, _reciprocal, lambda x, order: factorial(order) / x ** (order + 1)),
}


BLOCK = 4096  # numbers whose exponentials stay in the nearest cache
WITHOUT_EXPONENTIAL = tuple(_SHAPES[name].code for name in ("leaky_relu", "reciprocal"))


@dataclass(frozen=True)
class Activation:
    """A function of one number and the constant it is multiplied by.

    Parameters
    ----------
    name : {"silu", "sigmoid", "tanh", "softplus", "shifted_softplus", "leaky_relu", "reciprocal"}
        x/(1+exp(-x)); 1/(1+exp(-x)); tanh x; log(1+exp(x)); that minus log 2; x, but 0.01 x for x <= 0; 1/x.
    factor : float
        The constant c. Libraries of the e3nn family multiply by 1/sqrt(mean s(z)^2), z ~ N(0, 1), often estimated
        from random numbers: give the number that the trained model was made with, or see `normalized`.

    Raises
    ------
    NBodyRefError
        If the name is unknown or the factor is not finite.

    Examples
    --------
    >>> from nbody_ref.ops.activation import Activation
    >>> Activation("silu", 2.0).factor
    2.0
    """

    name: str
    factor: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in _SHAPES:
            raise NBodyRefError(f"Activation: 'name' must be one of {sorted(_SHAPES)}, got {self.name!r}")
        if isinstance(self.factor, bool) or not isinstance(self.factor, Real) or not isfinite(self.factor):
            raise NBodyRefError(f"Activation: 'factor' must be finite, got {self.factor}")

    @classmethod
    def normalized(cls, name: str) -> Activation:
        """With the factor for which the second moment is one: mean of (c s(z))^2 = 1 for z ~ N(0, 1).

        Raises
        ------
        NBodyRefError
            If the name is unknown, or the function has no second moment (the reciprocal).
        """
        known = {key: shape.unit for key, shape in _SHAPES.items() if shape.unit is not None}
        if name not in known:
            raise NBodyRefError(f"Activation: 'name' must be one of {sorted(known)}, got {name!r}")
        return cls(name, known[name])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description."""
        return {"name": self.name, "factor": self.factor}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Activation:
        """Inverse of `to_dict`."""
        return cls(str(data["name"]), float(data["factor"]))


def activation(x: Any, kind: Activation) -> Array:
    r"""A function of one number, applied entry by entry: :math:`y_i = c\,s(x_i)`.

    Parameters
    ----------
    x : (...) float64 or float32
        Scalars; any shape.
    kind : Activation

    Returns
    -------
    (...) same shape and dtype

    Raises
    ------
    DTypeError
        If `x` is neither.

    Notes
    -----
    |computed - exact| <= 16 u S, S the sum of the sizes of the terms of |y| (docs/derivations/activation.md). Computed
    in float64 and rounded once. leaky_relu has a kink at zero; its derivative there is the left one, 0.01. Gradient:
    `activation_vjp`.

    Examples
    --------
    >>> from nbody_ref.ops.activation import Activation, activation
    >>> import numpy as np
    >>> activation(np.array([[0.0, 1.0]]), Activation("tanh")).round(4)
    array([[0.    , 0.7616]])
    """
    return ACTIVATION.value(x, kind)


class _Activation(CheckedOp):
    statics = ("kind",)

    def check(self, function: str, x: Any, kind: Any) -> Arguments:
        check_type(function, "kind", kind, Activation)
        x = check_array(function, "x", x, (...,))
        return Arguments((x,), (kind,), x.shape, x.dtype)

    def forward(self, x: Array, kind: Activation) -> Array:
        return np.asarray(derivatives(x, kind, 0)[0])

    def tangent(self, x: Array, x_dot: Array, kind: Activation) -> Array:
        return np.asarray(derivatives(x, kind, 1)[1] * x_dot)  # D2

    def cotangents(self, needs: Needs, y_bar: Array, x: Array, kind: Activation) -> Bars:
        r""":math:`\bar x = c s'(x) \bar y`."""
        return (derivatives(x, kind, 1)[1] * y_bar,)  # D3

    def turning(
        self, needs: Needs, y_bar: Array, x: Array, y_bar_dot: Array | None, x_dot: Array | None, kind: Activation
    ) -> Bars:
        g = derivatives(x, kind, 1 if x_dot is None else 2)
        terms = [] if y_bar_dot is None else [g[1] * y_bar_dot]
        terms += [] if x_dot is None else [g[2] * y_bar * x_dot]
        return (sum(terms[1:], terms[0]),)  # D4

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(4, 3))], [Activation("silu")]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, kind: Activation) -> None:
        """Entry by entry: the state is read as one long column and put back."""
        name, shape = inputs[0], low.shape(inputs[0])
        dim, zero, rows = width(shape), np.zeros(1, np.int64), np.arange(shape[0])
        legs = [((dim * rows + c, zero), (shape[0] * dim,), name, (rows, zero + c)) for c in range(dim)]
        flat = low.sum(f"{out}/entries", *(low.linear(*leg, slack=0.5) for leg in legs))
        values = low.program.add(Apply(f"{out}/values", flat, ActivationFunction(kind), 0, shape[0] * dim))
        columns = np.arange(dim)
        low.sum(out, low.linear((rows, columns), shape, values, (dim * rows, columns)))


ACTIVATION = _Activation(activation)
activation_jvp, activation_vjp, activation_vjp_jvp = ACTIVATION.derivatives()


@dataclass(frozen=True)
class ActivationFunction(Function):
    """An activation enclosed, with the k of docs/derivations/activation.md.

    Examples
    --------
    >>> from nbody_ref.ops.activation import Activation, ActivationFunction
    >>> ActivationFunction(Activation("tanh")).kind.name
    'tanh'
    """

    kind: Activation

    def kink(self, x: Fraction, spread: float) -> bool:
        """The leaky rectifier's, at zero."""
        return self.kind.name == "leaky_relu" and abs(x) <= spread and spread > 0

    def derivative(self, x: Fraction, order: int) -> Sequence[Enclosed]:
        """c times that of the function."""
        return [_SHAPES[self.kind.name].jet(x, order).times(Fraction(self.kind.factor))]

    def sizes(self, x: float, order: int) -> Sequence[float]:
        """S: all terms of the function and its derivative with positive signs."""
        return [abs(self.kind.factor) * _SHAPES[self.kind.name].size(abs(x), order)]

    def roundings(self, order: int) -> Sequence[float]:
        """k of docs/derivations/activation.md."""
        return [16.0]


def derivatives(x: Array, kind: Activation, order: int) -> Array:
    """Derivatives of order 0..order, (order + 1, ...).

    Examples
    --------
    >>> from nbody_ref.ops.activation import Activation, derivatives
    >>> import numpy as np
    >>> derivatives(np.zeros(1), Activation("tanh"), 2).ravel() + 0.0
    array([0., 1., 0.])
    """
    g = np.empty((order + 1, *x.shape), x.dtype)
    flat, rows, code = x.reshape(-1), g.reshape(order + 1, -1), _SHAPES[kind.name].code
    exponentials = np.empty(min(BLOCK, x.size))
    for start in range(0, x.size, BLOCK):
        part = flat[start : start + BLOCK]
        e = exponentials[: len(part)]
        if code not in WITHOUT_EXPONENTIAL:
            np.exp(np.multiply(np.abs(part, out=e), -2.0 if kind.name == "tanh" else -1.0, out=e), out=e)  # D1
        activate(flat, e, code, kind.factor, np.uintp(start), rows)
    return g
