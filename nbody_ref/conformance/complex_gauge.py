"""Backends in complex gauges: complex numbers at the door, real and imaginary parts side by side inside the kit.

A product of complex states without conjugation is a multilinear map of real and imaginary parts, so that truth and
gates are those of real products (docs/derivations/certified_sums.md). What a convention declares is translated here:
states of Y instead of conj(Y), gradients that are conjugate, (re, im) as a last axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.conformance.operations.layouts import Layout
from nbody_ref.conventions import Convention
from nbody_ref.errors import DTypeError, ShapeError

__all__ = ["complex_from_native", "complex_to_native"]

Array = np.ndarray[Any, Any]
NUMBERS = {"float64": np.complex128, "float32": np.complex64}


def complex_from_native(gauge: Convention, layout: Layout, name: str, x: Array, dtype: str) -> Array:
    """An array of pairs (..., 2 n) as complex numbers (..., n) in a gauge, with a last axis (re, im) if it has one.

    Cotangents, and tangents of second gradients, go with gradients.
    """
    z = x[..., ::2] + 1j * x[..., 1::2]
    if name == "cotangent" or name.endswith("_dot"):
        z = gauge.gradient_to_native(z)
    if not layout.plain:
        z = _plain(layout.from_native(gauge, z), gauge)
    elif gauge.conjugate:
        z = np.conj(z)
    z = z.astype(NUMBERS[dtype])
    return np.stack([z.real, z.imag], axis=-1) if gauge.storage == "re_im" else z


def complex_to_native(gauge: Convention, layout: Layout, name: str, x: Array, dtype: str) -> Array:
    """A result of a backend as pairs (..., 2 n) in our complex gauge, float64.

    Raises
    ------
    DTypeError, ShapeError
        If it is no such array.
    """
    pairs = gauge.storage == "re_im"
    wanted = np.dtype(dtype if pairs else NUMBERS[dtype])
    if x.dtype != wanted or (pairs and x.shape[-1:] != (2,)):
        raise DTypeError(f"expected dtype {wanted}{' with a last axis (re, im)' if pairs else ''}, got {x.dtype}")
    z = x[..., 0] + 1j * x[..., 1] if pairs else x
    z = z.astype(np.complex128)
    if not layout.plain:
        z = layout.to_native(gauge, _written(z, gauge))
    elif gauge.conjugate:
        z = np.conj(z)
    if name not in ("out", "cotangent"):
        z = gauge.gradient_to_native(z)
    found = np.empty((*z.shape[:-1], 2 * z.shape[-1]))
    found[..., ::2], found[..., 1::2] = z.real, z.imag
    return found


def _plain(z: Array, gauge: Convention) -> Array:
    """Complex numbers from what a convention writes."""
    if gauge.storage == "re_im" and z.shape[-1] != 2:
        raise ShapeError(f"{gauge.name}: the last axis must be (re, im), got shape {z.shape}")
    return np.asarray(z[..., 0] + 1j * z[..., 1]) if gauge.storage == "re_im" else z


def _written(z: Array, gauge: Convention) -> Array:
    return np.stack([z.real, z.imag], axis=-1) if gauge.storage == "re_im" else z
