r"""Radial functions g_n(dist): inverse powers, Bessel functions and cosines of an exponential, the latter two cut off.

.. math:: R_{e,l,n} = g_n(d_e)\, d_e^{-l}

The factor d^-l turns solid harmonics into spherical ones, so a network may evaluate harmonics as polynomials.
Derivation: docs/derivations/radial.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nbody_ref.certified.lowering import Lowering
from nbody_ref.certified.program import Apply
from nbody_ref.errors import DTypeError, GeometryError
from nbody_ref.kernels import radial as loops
from nbody_ref.ops._check import REAL, check_array
from nbody_ref.ops._op import Arguments, CheckedOp, Example, Gauges, Rows
from nbody_ref.ops.radial_families import (
    Bessel,
    ExponentialCosine,
    InversePowers,
    Radial,
    RadialFunction,
    radial_from_dict,
)
from nbody_ref.tables import check_degree

__all__ = [
    "RADIAL",
    "Bessel",
    "ExponentialCosine",
    "InversePowers",
    "Radial",
    "RadialFunction",
    "check_distances",
    "radial",
    "radial_from_dict",
    "radial_jvp",
    "radial_vjp",
    "radial_vjp_jvp",
]

Array = np.ndarray[Any, Any]
_BLOCK = 512  # edges
Needs = tuple[bool, ...]
Bars = tuple[Array, ...]


def radial(dist: Any, basis: Radial, lmax: int) -> Array:
    r"""Radial functions over powers of the distance, :math:`R_{e,l,n} = g_n(d_e) d_e^{-l}`.

    Parameters
    ----------
    dist : (E,) float64 or float32
        Distances, positive; Angstrom where lengths have a unit.
    basis : Radial
    lmax : int
        Degrees 0..lmax.

    Returns
    -------
    (E, lmax + 1, n) same dtype

    Raises
    ------
    ShapeError, DTypeError
        If `dist` is not a vector of real floating numbers, or `basis` no `Radial`.
    IrrepsError
        If `lmax` is not a non-negative integer.
    GeometryError
        If a distance is not positive and finite.

    Notes
    -----
    Error bound k u S with k = 15 n + 2 p + 24 + 2 l (families with a cutoff) or 2 |s| + 12 + 2 l (inverse powers);
    S and the derivation: docs/derivations/radial.md. Gradient: `radial_vjp`.

    Examples
    --------
    >>> from nbody_ref.ops.radial import radial
    >>> import numpy as np
    >>> from nbody_ref.ops.radial_families import InversePowers
    >>> radial(np.array([2.0]), InversePowers((0, 1)), 0)
    array([[[1. , 0.5]]])
    """
    return RADIAL.value(dist, basis, lmax)


class _Radial(CheckedOp):
    inputs, statics = ("dist",), ("basis", "lmax")

    def check(self, function: str, dist: Any, basis: Any, lmax: Any) -> Arguments:
        if not isinstance(basis, Radial):
            raise DTypeError(f"{function}: 'basis' must be a Radial such as Bessel, got {type(basis).__name__}")
        lmax = check_degree(function, "lmax", lmax)
        d = check_distances(function, dist)
        return Arguments((d,), (basis, lmax), (len(d), lmax + 1, basis.n), d.dtype)

    def forward(self, d: Array, basis: Radial, lmax: int, order: int = 0) -> Array:
        """The derivative of that order of g_n(d) d^-l."""
        R = np.empty((len(d), lmax + 1, basis.n), d.dtype)
        for edges, g in _blocks(d, basis, order):
            loops.divide(d[edges], g, R[edges])
        return R

    def tangent(self, d: Array, d_dot: Array, basis: Radial, lmax: int) -> Array:
        slope = self.forward(d, basis, lmax, 1)
        return np.multiply(slope, d_dot[:, None, None], out=slope)  # D2

    def cotangents(self, needs: Needs, y: Array, d: Array, basis: Radial, lmax: int) -> Bars:
        """The sum over degrees and functions of y_bar R', (E,)."""
        d_bar = np.empty_like(d)
        for edges, g in _blocks(d, basis, 1):
            loops.contract(y[edges], d[edges], g, d_bar[edges])  # D4
        return (d_bar,)

    def turning(self, needs: Needs, y: Array, d: Array, *rest: Any) -> Bars:
        """The sum of y_bar_dot R' + y_bar R'' d_dot."""
        y_dot, v, basis, _ = rest
        d_bar_dot, curved = np.zeros_like(d), np.zeros_like(d)
        for edges, g in _blocks(d, basis, 1 if v is None else 2):
            if y_dot is not None:
                loops.contract(y_dot[edges], d[edges], g[:2], d_bar_dot[edges])  # D4
            if v is not None:
                loops.contract(y[edges], d[edges], g, curved[edges])  # D5
        return (d_bar_dot if v is None else d_bar_dot + curved * v,)  # D6

    def example(self, rng: np.random.Generator) -> Example:
        return [np.abs(rng.normal(size=4)) + 0.1], [Bessel(3, 5.0), 1]

    def exact(self, gauges: Gauges, square: Rows, basis: Radial, lmax: int) -> Rows:
        """The distance is given by its square."""
        return [[g for l in range(lmax + 1) for g in basis.exact(x[0], l)] for x in square]

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, basis: Radial, lmax: int) -> None:
        low.program.add(Apply(out, inputs[0], RadialFunction(basis, lmax), 0, low.shape(inputs[0])[0]))


RADIAL = _Radial(radial)
radial_jvp, radial_vjp, radial_vjp_jvp = RADIAL.derivatives()


def check_distances(function: str, dist: Any, dtypes: Any = REAL) -> Array:
    """Return distances (E,), all positive and finite.

    Raises
    ------
    ShapeError, DTypeError, GeometryError
        If they are not; the edge is named.

    Examples
    --------
    >>> from nbody_ref.ops.radial import check_distances
    >>> import numpy as np
    >>> check_distances("f", np.array([1.0, 2.0]))
    array([1., 2.])
    """
    d = check_array(function, "dist", dist, (None,), dtypes)
    if d.size and not (np.isfinite(d).all() and d.min() > 0):
        edge = int(np.argmax(~(np.isfinite(d) & (d > 0))))
        raise GeometryError(f"{function}: 'dist' must be positive and finite, got {d[edge]} at edge {edge}")
    return d


def _blocks(d: Array, basis: Radial, order: int) -> Iterator[tuple[slice, Array]]:
    """Edges in blocks that stay in cache, with the derivatives g (order + 1, edges of the block, n) of each."""
    g = np.empty((order + 1, min(len(d), _BLOCK), basis.n), d.dtype)
    for start in range(0, len(d), _BLOCK):
        edges = slice(start, min(start + _BLOCK, len(d)))
        if edges.stop - start < g.shape[1]:
            g = np.empty((order + 1, edges.stop - start, basis.n), d.dtype)
        basis.fill(d[edges], g)
        yield edges, g
