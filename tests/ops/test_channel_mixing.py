"""Weighted sums of paths against their definition, and their derivatives against exact theorems."""

import numpy as np
import pytest

from nbody_ref.errors import DTypeError, IrrepsError, ShapeError
from nbody_ref.ops import channel_mixing as op
from nbody_ref.ops.channel_mixing import ChannelMixingTable, channel_mixing, channel_mixing_vjp

TABLES = {
    "paths of two irreps, some unused": ChannelMixingTable.build("3x0e + 3x1o + 2x2e + 3x1o + 3x0e", "3x1o + 3x0e"),
    "irrep twice in the result": ChannelMixingTable.build("2x2 + 2x2", "2x2 + 2x2"),
    "one channel": ChannelMixingTable.build("1x0 + 1x0", "1x0"),
}


def definition(F, W, kind, table):
    """The sum over paths, irrep by irrep, over any ring."""
    out = np.zeros((len(F), table.irreps_out.dim), F.dtype)
    for block, o in zip(table.blocks, table.irreps_out.offsets, strict=True):
        pairs = zip(table.irreps_in, table.irreps_in.offsets, strict=True)
        paths = [F[:, at : at + part.dim] for part, at in pairs if part.irrep == block.irrep]
        for n, k in enumerate(kind):
            for p, path in enumerate(paths):
                at = block.offset + p * block.mul
                weighted = path[n].reshape(block.irrep.dim, block.mul) * W[int(k), at : at + block.mul]
                out[n, o : o + weighted.size] += weighted.reshape(-1)
    return out


@pytest.fixture(params=TABLES)
def case(request, exact, allow):
    allow(op)
    table, n, n_kinds = TABLES[request.param], 9, 3
    kind = np.array([2, 0, 0, 2, 2, 0, 2, 2, 0])  # kind 1 does not occur
    return table, [exact.draw((n, table.irreps_in.dim), 1), exact.draw((n_kinds, table.n_weights), 2)], kind, exact


def test_channel_mixing_is_its_definition_exactly(case):
    table, values, kind, exact = case
    found = channel_mixing(*values, kind, table)
    assert found.dtype == exact.dtype
    assert (found == definition(*values, kind, table)).all()


def test_channel_mixing_derivatives_are_exact(case):
    table, values, kind, exact = case
    quadruple = exact.quadruple(op, "channel_mixing", values, (kind, table))
    assert quadruple.tangent_is_exact()
    assert quadruple.adjoint_is_exact()
    assert quadruple.second_is_exact()
    assert quadruple.second_is_symmetric()
    assert quadruple.absent_is_zero()


PLANTED = {
    "a path dropped in the forward": lambda a: (a[0]._replace(paths=a[0].paths[:-5]), a[1]),
    "a path dropped in the adjoint": lambda a: (a[0], a[1]._replace(paths=a[1].paths[5:])),
    "the forward's places in the adjoint": lambda a: (a[0], a[0]),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_errors_are_caught(planted, exact, allow, monkeypatch):
    allow(op)
    table, kind = ChannelMixingTable.build("2x0e + 2x0e", "2x0e + 2x0e"), np.array([0, 1, 1])
    wrong = PLANTED[planted](op._arrays(table))
    monkeypatch.setattr(op, "_arrays", lambda *_: wrong)
    values = [exact.draw((3, table.irreps_in.dim), 1), exact.draw((2, table.n_weights), 2)]
    right_value = (channel_mixing(*values, kind, table) == definition(*values, kind, table)).all()
    assert not (right_value and exact.quadruple(op, "channel_mixing", values, (kind, table)).all_hold())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_channel_mixing_and_its_weight_gradient_are_within_the_derived_bounds(dtype):
    """Value: 7 paths and a product. Gradient: 64 nodes of 3 components to a block, then the blocks, and a product."""
    table, rng, n = ChannelMixingTable.build("5x1 + " * 6 + "5x1", "5x1"), np.random.default_rng(2), 1000
    F, W = rng.standard_normal((n, 105)).astype(dtype), rng.standard_normal((2, 35)).astype(dtype)
    kind = rng.integers(0, 2, n)
    u, wide = np.finfo(dtype).eps / 2, [v.astype(np.longdouble) for v in (F, W)]
    found, wanted = channel_mixing(F, W, kind, table), definition(*wide, kind, table)
    bound = (7 + 1) * u * definition(*map(abs, wide), kind, table)
    assert (abs(found - wanted) <= bound).all()
    assert not (abs(found * 1.001 - wanted) <= bound).all()
    g = rng.standard_normal(found.shape).astype(dtype)
    blocks, seeds = wide[0].reshape(n, 7, 3, 5), g.astype(np.longdouble).reshape(n, 3, 5)
    outer = np.einsum("npmc,nmc->npc", blocks, seeds).reshape(n, -1)
    sizes = np.einsum("npmc,nmc->npc", abs(blocks), abs(seeds)).reshape(n, -1)
    W_bar = channel_mixing_vjp(g, F, W, kind, table, needs=(False, True))[1]
    for k in range(2):
        error, size = abs(W_bar[k] - outer[kind == k].sum(0)), sizes[kind == k].sum(0)
        assert (error <= (64 * 3 + n // 64 + 2) * u * size).all()


def test_table_and_errors():
    table = TABLES["paths of two irreps, some unused"]
    assert [(str(block.irrep), *block[1:]) for block in table.blocks] == [("1o", 2, 3, 0), ("0e", 2, 3, 6)]
    assert table.n_weights == 12
    with pytest.raises(IrrepsError, match="got it nowhere"):
        ChannelMixingTable.build("3x0e", "1x2e")
    with pytest.raises(IrrepsError, match=r"got it with \[3\] channels"):
        ChannelMixingTable.build("3x0e", "2x0e")
    F, W, kind = np.ones((2, 34)), np.ones((1, 12)), np.zeros(2, int)
    with pytest.raises(ShapeError, match=r"channel_mixing: 'W' must have shape \(any, 12\)"):
        channel_mixing(F, W[:, 1:], kind, table)
    with pytest.raises(ShapeError, match=r"channel_mixing: 'kind' must lie in 0\.\.0, got 0\.\.1"):
        channel_mixing(F, W, np.array([0, 1]), table)
    with pytest.raises(DTypeError, match="must share one dtype"):
        channel_mixing(F, W.astype(np.float32), kind, table)
