"""The planted errors of harmonics and rotations: name -> (the bug in words, method of `Model`, change of it)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nbody_ref.conformance.operations.harmonics import Harmonics

__all__ = ["HARMONICS"]

Array = np.ndarray[Any, Any]
Row = tuple[str, str, Callable[[Any, Any], Any]]


def _values(change: Callable[[Array, Harmonics, Array], Array]) -> Callable[[Any, Any], Any]:
    return lambda f, model: lambda op, r: change(f(op, r), op, r)


def _columns(lmax: int) -> tuple[Array, Array]:
    l = np.concatenate([np.full(2 * k + 1, k) for k in range(lmax + 1)])
    return l, np.concatenate([np.arange(-k, k + 1) for k in range(lmax + 1)])


def _reversed(Y: Array, op: Harmonics, r: Array) -> Array:
    l, m = _columns(op.lmax)
    return Y[:, l * l + l - m]


def _scaled(factor: Callable[[Array, Array], Array]) -> Callable[[Any, Any], Any]:
    return _values(lambda Y, op, r: Y * factor(*_columns(op.lmax)).astype(Y.dtype))


def _epsilon(f: Any, model: Any) -> Any:
    def harmonics(op: Harmonics, r: Array) -> Array:
        Y = np.asarray(f(op, r))
        if op.solid:
            return Y
        norm = np.linalg.norm(r, axis=1, keepdims=True)
        l = _columns(op.lmax)[0]
        return np.asarray(Y * ((norm / (norm + r.dtype.type(1e-6))) ** l).astype(Y.dtype))

    return harmonics


def _angles(f: Any, model: Any) -> Any:
    """The polar angle by arccos, as in many codes: half of the digits are lost near the poles."""

    def harmonics(op: Harmonics, r: Array) -> Array:
        norm = np.linalg.norm(r, axis=1)
        with np.errstate(all="ignore"):
            theta, phi = np.arccos(np.clip(r[:, 2] / norm, -1, 1)), np.arctan2(r[:, 1], r[:, 0])
        turned = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], 1)
        keep = np.where(norm > 0, norm, 0)[:, None]
        safe = np.where(norm[:, None] > 0, turned, 0).astype(r.dtype) * (keep if op.solid else 1)
        return np.asarray(f(op, safe.astype(r.dtype)))

    return harmonics


def _gradient(change: Callable[[Array, Array, Array], Array]) -> Callable[[Any, Any], Any]:
    return lambda f, model: lambda op, r, g: change(f(op, r, g), r, g)


def _unprojected(f: Any, model: Any) -> Any:
    def vjp(op: Harmonics, r: Array, g: Array) -> Array:
        if op.solid:
            return np.asarray(f(op, r, g))
        norm = np.linalg.norm(r, axis=1, keepdims=True)
        return np.asarray(f(replace(op, solid=True), r / norm, g) / norm)

    return vjp


def _double(name: str) -> Callable[[Any, Any], Any]:
    def wrap(f: Any, model: Any) -> Any:
        def double(op: Harmonics, r: Array, g: Array, v: Array) -> dict[str, Any]:
            found = dict(f(op, r, g, v))
            found[name] = np.zeros_like(found[name])
            return found

        return double

    return wrap


HARMONICS: dict[str, Row] = {
    "m reversed": ("components from l down to -l", "harmonics", _values(_reversed)),
    "Condon-Shortley": ("(-1)^m in real harmonics", "harmonics", _scaled(lambda l, m: (-1.0) ** m)),
    "no sqrt(2l+1)": ("factor sqrt(2l+1) missing", "harmonics", _scaled(lambda l, m: 1 / np.sqrt(2 * l + 1))),
    "no sqrt(2)": ("factor sqrt(2) missing for m != 0", "harmonics", _scaled(lambda l, m: np.where(m, 0.5**0.5, 1))),
    "axes": ("axes (y, z, x) for (x, y, z)", "harmonics", lambda f, model: lambda op, r: f(op, r[:, [1, 2, 0]])),
    "epsilon": ("r / (|r| + 1e-6) instead of r / |r|", "harmonics", _epsilon),
    "arccos": ("polar angle by arccos: digits lost near the poles", "harmonics", _angles),
    "no projector": ("gradient without the projection across r", "harmonics_vjp", _unprojected),
    "force sign": ("sign of the gradient", "harmonics_vjp", _gradient(lambda x, r, g: -x)),
    "force x, y swapped": (
        "x and y of the gradient swapped",
        "harmonics_vjp",
        _gradient(lambda x, r, g: x[:, [1, 0, 2]]),
    ),
    "no Hessian": ("second gradient in r forgotten", "harmonics_double", _double("r")),
    "no second value": ("second gradient in the cotangent forgotten", "harmonics_double", _double("cotangent")),
    "D transposed": (
        "D of the inverse rotation",
        "rotation",
        lambda f, model: lambda op, q: f(op, q).transpose(0, 2, 1),
    ),
    "quaternion order": (
        "quaternion read as (w, x, y, z)",
        "rotation",
        lambda f, model: lambda op, q: f(op, q[:, [1, 2, 3, 0]]),
    ),
}
