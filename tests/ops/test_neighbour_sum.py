"""The sum over neighbours against its definition, and its derivatives against exact theorems."""

import numpy as np
import pytest

from nbody_ref.errors import DTypeError, ShapeError
from nbody_ref.graphs import Edges
from nbody_ref.ops import neighbour_sum as op
from nbody_ref.ops.neighbour_sum import neighbour_sum, neighbour_sum_vjp

EDGES = Edges.build([2, 0, 0, 2, 2, 0, 3], [1, 0, 3, 2, 3, 1, 3], 4, 5)  # receiver 1 and sender 4 have no edge


def definition(x, edges):
    out = np.zeros((4, 3), x.dtype)
    for i, j in zip(edges.receivers, edges.senders, strict=True):
        out[i] = out[i] + x[j]
    return out


def test_neighbour_sum_is_its_definition_exactly(exact, allow):
    allow(op)
    x = exact.draw((5, 3))
    assert (neighbour_sum(x, EDGES) == definition(x, EDGES)).all()


def test_neighbour_sum_derivatives_are_exact(exact, allow):
    allow(op)
    assert exact.quadruple(op, "neighbour_sum", (exact.draw((5, 3)),), (EDGES,)).all_hold()


def unchecked(**lists):
    """Edges whose lists contradict one another, as no caller can make them."""
    return tuple.__new__(Edges, (EDGES._asdict() | lists).values())


PLANTED = {
    "transposed list shifted": unchecked(t_edge=np.roll(EDGES.t_edge, 1)),
    "a sender wrong": unchecked(senders=np.roll(EDGES.senders, 1)),
    "an edge dropped in the adjoint": unchecked(t_ptr=np.minimum(EDGES.t_ptr, np.uintp(6))),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_errors_are_caught(planted, exact, allow):
    allow(op)
    assert not exact.quadruple(op, "neighbour_sum", (exact.draw((5, 3)),), (PLANTED[planted],)).all_hold()


def test_errors_name_the_argument():
    with pytest.raises(ShapeError, match=r"neighbour_sum: 'x' must have shape \(5, any\), got \(4, 3\)"):
        neighbour_sum(np.ones((4, 3)), EDGES)
    with pytest.raises(DTypeError, match="neighbour_sum: 'x' must be float64"):
        neighbour_sum(np.ones((5, 3), int), EDGES)
    with pytest.raises(ShapeError, match="neighbour_sum_vjp: 'y_bar'"):
        neighbour_sum_vjp(np.ones((5, 3)), np.ones((5, 3)), EDGES)
