r"""Functions of one number, applied to every scalar: silu, sigmoid, tanh, softplus, leaky_relu, 1/x.

.. math:: y_i = c\, s(x_i)

Covariant on scalars only: a component of a fragment of degree l >= 1 is not a scalar. The N-body paper has no such
functions; Cormorant's readout, tensor field networks and MACE do. Derivation: docs/derivations/activation.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np

from nbody_ref.errors import NBodyRefError
from nbody_ref.kernels.activation import activate
from nbody_ref.ops._check import check_array, check_like, check_needs, check_type

__all__ = ["Activation", "activation", "activation_jvp", "activation_vjp", "activation_vjp_jvp", "derivatives"]

Array = np.ndarray[Any, Any]
Needs = tuple[bool, ...] | None

_CODES = {"silu": 0, "sigmoid": 1, "tanh": 2, "softplus": 3, "shifted_softplus": 4, "leaky_relu": 5, "reciprocal": 6}
# 1 / sqrt(mean of s(z)^2) for z ~ N(0, 1)
_UNIT_SECOND_MOMENT = {
    "silu": 1.676532470331091,
    "sigmoid": 1.8462285453386054,
    "tanh": 1.5925374197228315,
    "softplus": 1.0418668355353018,
    "shifted_softplus": 1.8755962561350417,
    "leaky_relu": 1.4141428569978354,
}


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
    """

    name: str
    factor: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in _CODES:
            raise NBodyRefError(f"Activation: 'name' must be one of {sorted(_CODES)}, got {self.name!r}")
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
        if name not in _UNIT_SECOND_MOMENT:
            raise NBodyRefError(f"Activation: 'name' must be one of {sorted(_UNIT_SECOND_MOMENT)}, got {name!r}")
        return cls(name, _UNIT_SECOND_MOMENT[name])

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
    """
    x = _checked("activation", x, kind)
    return np.asarray(derivatives(x, kind, 0)[0])


def activation_jvp(x: Any, x_dot: Any, kind: Activation) -> Array | None:
    """Tangent of `activation`: c s'(x) x_dot; None for None."""
    x = _checked("activation_jvp", x, kind)
    x_dot = check_like("activation_jvp", "x_dot", x_dot, x)
    return None if x_dot is None else np.asarray(derivatives(x, kind, 1)[1] * x_dot)  # D2


def activation_vjp(y_bar: Any, x: Any, kind: Activation, needs: Needs = None) -> tuple[Array | None]:
    """Cotangent of `activation`: c s'(x) y_bar."""
    x = _checked("activation_vjp", x, kind)
    y_bar = check_array("activation_vjp", "y_bar", y_bar, x.shape, (x.dtype,))
    if not check_needs("activation_vjp", needs, 1)[0]:
        return (None,)
    return (derivatives(x, kind, 1)[1] * y_bar,)  # D3


def activation_vjp_jvp(
    y_bar: Any, x: Any, y_bar_dot: Any, x_dot: Any, kind: Activation, needs: Needs = None
) -> tuple[Array | None]:
    """Tangent of the cotangent: c s'(x) y_bar_dot + c s''(x) x_dot y_bar; None where both tangents are."""
    x = _checked("activation_vjp_jvp", x, kind)
    y_bar = check_array("activation_vjp_jvp", "y_bar", y_bar, x.shape, (x.dtype,))
    y_bar_dot, x_dot = (
        check_like("activation_vjp_jvp", name, dot, x) for name, dot in (("y_bar_dot", y_bar_dot), ("x_dot", x_dot))
    )
    if not check_needs("activation_vjp_jvp", needs, 1)[0] or (y_bar_dot is None and x_dot is None):
        return (None,)
    g = derivatives(x, kind, 1 if x_dot is None else 2)
    terms = [] if y_bar_dot is None else [g[1] * y_bar_dot]
    terms += [] if x_dot is None else [g[2] * y_bar * x_dot]
    return (terms[0] if len(terms) == 1 else terms[0] + terms[1],)  # D4


def _checked(function: str, x: Any, kind: Activation) -> Array:
    check_type(function, "kind", kind, Activation)
    return check_array(function, "x", x, (...,))


def derivatives(x: Array, kind: Activation, order: int) -> Array:
    """Derivatives of order 0..order, (order + 1, ...)."""
    g = np.empty((order + 1, *x.shape), x.dtype)
    activate(x.reshape(-1), _CODES[kind.name], kind.factor, g.reshape(order + 1, -1))
    return g
