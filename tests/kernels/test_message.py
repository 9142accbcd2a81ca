"""The loops of the message where the op does not lead them: ranges of outputs, and scratch that is used again."""

import numpy as np

from nbody_ref.graphs import Edges
from nbody_ref.kernels.message import message_adjoint, message_forward
from nbody_ref.ops.message import MessageTable, message, message_vjp


def problem():
    rng = np.random.default_rng(4)
    table = MessageTable.build("2x0e + 3x1o + 2x2e", 2)
    edges = Edges.build(rng.integers(0, 6, 40), rng.integers(0, 5, 40), 6, 5)
    shapes = (6, table.irreps_out.dim), (5, table.irreps_in.dim), (40, table.dim_y), (40, table.n_weights)
    return table, edges, [rng.standard_normal(shape) for shape in shapes]


def scratch():
    return [np.zeros(size) for size in (2000, 2000, 2000, 500, 500)]


def test_ranges_of_receivers_add_up_bit_by_bit():
    table, edges, (_, *values) = problem()
    whole, out, arrays = message(*values, edges, table), np.zeros((6, table.irreps_out.dim)), table.arrays(float)
    flat = tuple(a.reshape(-1) for a in values)
    M, M_dot, *_ = scratch()
    for first, last in ((4, 6), (0, 1), (1, 4)):  # any order, one scratch
        span = np.uintp(first), np.uintp(last)
        lists = edges.senders, edges.row_ptr
        message_forward(out.reshape(-1), flat, flat, (False,) * 3, *lists, *span, arrays, M, M_dot)
    assert (out == whole).all()


def test_ranges_of_senders_add_up_bit_by_bit():
    table, edges, all_values = problem()
    whole, arrays = message_vjp(*all_values, edges, table), table.arrays(float)
    bars = [np.zeros_like(a) for a in all_values[1:]]
    flat = tuple(a.reshape(-1) for a in all_values)
    M, M_dot, z, sink, _ = scratch()
    P = np.zeros(9 * 3)
    for first, last in ((3, 5), (0, 3)):
        message_adjoint(
            tuple(bar.reshape(-1) for bar in bars), sink, flat, flat, (True,) * 3, (False,) * 4, False,
            edges.receivers, edges.t_ptr, edges.t_edge, np.uintp(first), np.uintp(last), arrays, M, M_dot, z, P, 0.0,
        )  # fmt: skip
    assert all((bar == wanted).all() for bar, wanted in zip(bars, whole, strict=True))
    assert not sink.any()
