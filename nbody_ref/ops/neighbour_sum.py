r"""Sum over neighbours, the plain sum over children of eq. (10) without direction.

.. math:: y_{i,c} = \sum_{e:\,\mathrm{rec}(e)=i} x_{\mathrm{snd}(e),c}

Linear in x: y = A x with A the 0/1 matrix of the edges, so the adjoint sums along the transposed list.
Derivation: docs/derivations/neighbour_sum.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.graphs import Edges
from nbody_ref.kernels.neighbour_sum import gather_sum
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_like, check_needs, check_type

__all__ = ["neighbour_sum", "neighbour_sum_jvp", "neighbour_sum_vjp", "neighbour_sum_vjp_jvp"]

Array = np.ndarray[Any, Any]


def neighbour_sum(x: Array, edges: Edges) -> Array:
    r"""Sum of the senders' states at every receiver, the first sum of eq. (10).

    .. math:: y_{i,c} = \sum_{e:\,\mathrm{rec}(e)=i} x_{\mathrm{snd}(e),c}

    Parameters
    ----------
    x : (n_senders, dim) float64, float32, complex128 or complex64
    edges : Edges

    Returns
    -------
    (n_receivers, dim) same dtype
        Zero for a receiver without edges.

    Raises
    ------
    ShapeError
        If x does not have one row for each sender.
    DTypeError
        If the dtype is none of those above.

    Notes
    -----
    |computed - exact| <= (n - 1) u sum|x|, n neighbours. Derivation: docs/derivations/neighbour_sum.md; gradient
    `neighbour_sum_vjp`.
    """
    return forward(_checked("neighbour_sum", x, edges), edges)


def neighbour_sum_jvp(x: Array, x_dot: Array | None, edges: Edges) -> Array | None:
    """Tangent of `neighbour_sum`: the sum of the tangents; None for None."""
    dot = check_like("neighbour_sum_jvp", "x_dot", x_dot, _checked("neighbour_sum_jvp", x, edges))
    return None if dot is None else forward(dot, edges)


def neighbour_sum_vjp(
    y_bar: Array, x: Array, edges: Edges, needs: tuple[bool, ...] | None = None
) -> tuple[Array | None]:
    r"""Cotangent of `neighbour_sum`, :math:`\bar x_{j,c} = \sum_{e:\,\mathrm{snd}(e)=j} \bar y_{\mathrm{rec}(e),c}`."""
    if not check_needs("neighbour_sum_vjp", needs, 1)[0]:
        return (None,)
    x = _checked("neighbour_sum_vjp", x, edges)
    g = check_array("neighbour_sum_vjp", "y_bar", y_bar, (edges.n_receivers, x.shape[1]), (x.dtype,))
    return (adjoint(g, edges),)  # D2


def neighbour_sum_vjp_jvp(
    y_bar: Array,
    x: Array,
    y_bar_dot: Array | None,
    x_dot: Array | None,
    edges: Edges,
    needs: tuple[bool, ...] | None = None,
) -> tuple[Array | None]:
    """Tangent of the cotangent: `neighbour_sum_vjp` of y_bar_dot; None for None."""
    return (None,) if y_bar_dot is None else neighbour_sum_vjp(y_bar_dot, x, edges, needs)


def forward(x: Array, edges: Edges) -> Array:
    """A x, unchecked and over any ring."""
    out = np.zeros((edges.n_receivers, x.shape[1]), x.dtype)
    gather_sum(out.reshape(-1), x.reshape(-1), edges.row_ptr, edges.senders, np.uintp(x.shape[1]))
    return out


def adjoint(y_bar: Array, edges: Edges) -> Array:
    """A^T y_bar, unchecked and over any ring."""
    out = np.zeros((edges.n_senders, y_bar.shape[1]), y_bar.dtype)
    receivers = edges.receivers[edges.t_edge]
    gather_sum(out.reshape(-1), y_bar.reshape(-1), edges.t_ptr, receivers, np.uintp(y_bar.shape[1]))
    return out


def _checked(function: str, x: Array, edges: Edges) -> Array:
    check_type(function, "edges", edges, Edges)
    return check_array(function, "x", x, (edges.n_senders, None), REAL_OR_COMPLEX)
