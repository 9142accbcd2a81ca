r"""Sum over neighbours, the plain sum over children of eq. (10) without direction.

.. math:: y_{i,c} = \sum_{e:\,\mathrm{rec}(e)=i} x_{\mathrm{snd}(e),c}

Linear in x: y = A x with A the 0/1 matrix of the edges, so the adjoint sums along the transposed list.
Derivation: docs/derivations/neighbour_sum.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbody_ref.certified.lowering import Lowering, kinds
from nbody_ref.certified.terms import width
from nbody_ref.graphs import Edges
from nbody_ref.kernels.neighbour_sum import gather_sum
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_type
from nbody_ref.ops._op import Arguments, Example, Exponents, Gauges, Linear, Rows

__all__ = ["NEIGHBOUR_SUM", "neighbour_sum", "neighbour_sum_jvp", "neighbour_sum_vjp", "neighbour_sum_vjp_jvp"]

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

    Examples
    --------
    >>> from nbody_ref.ops.neighbour_sum import neighbour_sum
    >>> import numpy as np
    >>> from nbody_ref.graphs import Edges
    >>> edges = Edges.build(np.array([0, 0]), np.array([1, 2]), 3, 3)
    >>> neighbour_sum(np.array([[1.0], [2.0], [4.0]]), edges).ravel()
    array([6., 0., 0.])
    """
    return NEIGHBOUR_SUM.value(x, edges)


class _NeighbourSum(Linear):
    statics = ("edges",)

    def check(self, function: str, x: Any, edges: Any) -> Arguments:
        check_type(function, "edges", edges, Edges)
        x = check_array(function, "x", x, (edges.n_senders, None), REAL_OR_COMPLEX)
        return Arguments((x,), (edges,), (edges.n_receivers, x.shape[1]), x.dtype)

    def forward(self, x: Array, edges: Edges) -> Array:
        out = np.zeros((edges.n_receivers, x.shape[1]), x.dtype)
        gather_sum(out.reshape(-1), x.reshape(-1), edges.row_ptr, edges.senders, np.uintp(x.shape[1]))
        return out

    def adjoint(self, k: int, y_bar: Array, x: Array, edges: Edges) -> Array:
        r""".. math:: \bar x_{j,c} = \sum_{e:\,\mathrm{snd}(e)=j} \bar y_{\mathrm{rec}(e),c}"""
        out = np.zeros((edges.n_senders, y_bar.shape[1]), y_bar.dtype)
        receivers = edges.receivers[edges.t_edge]
        gather_sum(out.reshape(-1), y_bar.reshape(-1), edges.t_ptr, receivers, np.uintp(y_bar.shape[1]))  # D2
        return out

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(3, 5))], [Edges.build([0, 0, 1, 2], [1, 2, 2, 0], 3, 3)]

    def exact(self, gauges: Gauges, x: Rows, edges: Edges) -> Rows:
        return sum_to_receivers(edges, [x[int(j)] for j in edges.senders], len(x[0]) if x else 0)

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, edges: Edges) -> None:
        columns = np.arange(width(low.shape(inputs[0])))
        legs = (kinds(edges.receivers), columns), inputs[0], (kinds(edges.senders), columns)
        low.sum(out, low.linear(legs[0], (edges.n_receivers, len(columns)), *legs[1:]))

    def phase(self, known: Sequence[Exponents], edges: Any) -> Exponents:
        return known[0]


NEIGHBOUR_SUM = _NeighbourSum(neighbour_sum)
neighbour_sum_jvp, neighbour_sum_vjp, neighbour_sum_vjp_jvp = NEIGHBOUR_SUM.derivatives()


def sum_to_receivers(edges: Edges, messages: Rows, dim: int) -> Rows:
    """Sums over any ring of the messages of the edges of each receiver, one after the other."""
    found: Rows = [[0] * dim for _ in range(edges.n_receivers)]
    for i, message in zip(edges.receivers, messages, strict=True):
        found[int(i)] = [a + b for a, b in zip(found[int(i)], message)]
    return found
