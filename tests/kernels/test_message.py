"""The loops of the message where the op does not lead them: ranges of outputs, and scratch that is used again."""

import numpy as np

from nbody_ref.graphs import Edges
from nbody_ref.kernels.message import message_forward
from nbody_ref.kernels.message_adjoint import message_adjoint
from nbody_ref.ops.message import MessageTable, message, message_vjp


def problem():
    rng = np.random.default_rng(4)
    table = MessageTable.build("2x0e + 3x1o + 2x2e", 2)
    edges = Edges.build(rng.integers(0, 6, 40), rng.integers(0, 5, 40), 6, 5)
    shapes = (6, table.irreps_out.dim), (5, table.irreps_in.dim), (40, table.dim_y), (40, table.n_weights)
    return table, edges, [rng.standard_normal(shape) for shape in shapes]


def panels(*sizes):
    return tuple(np.zeros(int(size)) for size in sizes)


def test_ranges_of_receivers_add_up_bit_by_bit():
    table, edges, (_, *values) = problem()
    whole, out, arrays = message(*values, edges, table), np.zeros((6, table.irreps_out.dim)), table.arrays(float)
    flat = tuple(a.reshape(-1) for a in values)
    scratch = panels(*arrays.sizes[[5, 5, 6]])
    for first, last in ((4, 6), (0, 1), (1, 4)):  # any order, one scratch
        span = np.uintp(first), np.uintp(last)
        lists = edges.senders, edges.row_ptr
        message_forward(out.reshape(-1), flat, flat, (False,) * 3, *lists, *span, arrays, scratch, 0.0)
    assert (out == whole).all()


def test_ranges_of_senders_add_up_bit_by_bit():
    table, edges, all_values = problem()
    whole, arrays = message_vjp(*all_values, edges, table), table.arrays(float)
    bars = [np.zeros_like(a) for a in all_values[1:]]
    flat = tuple(a.reshape(-1) for a in all_values)
    scratch = panels(*arrays.sizes[[5, 5]], 9 * 32, *arrays.sizes[[8, 8, 7, 7, 2]])
    for first, last in ((3, 5), (0, 3)):
        message_adjoint(
            tuple(bar.reshape(-1) for bar in bars),
            flat,
            flat,
            (True,) * 3,
            (False,) * 4,
            False,
            edges.receivers,
            edges.t_ptr,
            edges.t_edge,
            np.uintp(first),
            np.uintp(last),
            arrays,
            scratch,
            0.0,
        )
    assert all((bar == wanted).all() for bar, wanted in zip(bars, whole, strict=True))
    assert not any(sink.any() for sink in (scratch[4], scratch[6], scratch[7]))


def test_channels_beyond_one_panel_and_odd_numbers_of_channels():
    """70 channels make three chunks; each channel must be what it is alone."""
    rng = np.random.default_rng(0)
    edges = Edges.build(rng.integers(0, 3, 20), rng.integers(0, 4, 20), 3, 4)
    wide, narrow = MessageTable.build("70x1o", 2), MessageTable.build("1x1o", 2)
    Y, g = rng.integers(-5, 6, (20, 9)).astype(float), rng.integers(-5, 6, (3, wide.irreps_out.dim)).astype(float)
    x, w = rng.integers(-5, 6, (4, 210)).astype(float), rng.integers(-5, 6, (20, wide.n_weights)).astype(float)
    out, (x_bar, Y_bar, w_bar) = message(x, Y, w, edges, wide), message_vjp(g, x, Y, w, edges, wide)
    total, size = 0.0, 0.0
    for c in (0, 31, 32, 63, 64, 69):
        alone = [np.ascontiguousarray(a.reshape(len(a), -1, 70)[:, :, c]) for a in (x, w, g)]
        assert (message(alone[0], Y, alone[1], edges, narrow) == out.reshape(3, -1, 70)[:, :, c]).all()
        bars = message_vjp(alone[2], alone[0], Y, alone[1], edges, narrow)
        assert (bars[0] == x_bar.reshape(4, -1, 70)[:, :, c]).all()
        assert (bars[2] == w_bar.reshape(20, -1, 70)[:, :, c]).all()
    for c in range(70):
        alone = [np.ascontiguousarray(a.reshape(len(a), -1, 70)[:, :, c]) for a in (x, w, g)]
        Y_one = message_vjp(alone[2], alone[0], Y, alone[1], edges, narrow, (False, True, False))[1]
        total, size = total + Y_one, size + abs(Y_one)
    terms = len(wide.arrays(float).terms) // 10
    assert (abs(total - Y_bar) <= (2 * 70 + terms + 20) * np.finfo(float).eps / 2 * (size.max() + 1)).all()
