"""The mixing of eq. (9) against its definition, and its derivatives against exact theorems."""

import numpy as np
import pytest

from nbody_ref.errors import DTypeError, IrrepsError, ShapeError
from nbody_ref.ops import mixing as op
from nbody_ref.ops.mixing import MixingTable, mixing, mixing_vjp

TABLES = {
    "parts of one irrep concatenated": MixingTable.build("3x0e + 4x1o + 2x1o + 5x0e", "5x1o + 2x0e"),
    "irrep twice in the result": MixingTable.build("6x2", "1x2 + 3x2"),
    "scalars": MixingTable.build("7x0", "1x0"),
}


def definition(F, W, kind, table):
    """F W irrep by irrep, over any ring."""
    out = np.zeros((len(F), table.irreps_out.dim), F.dtype)
    for block, o in zip(table.blocks, table.irreps_out.offsets, strict=True):
        dim = block.irrep.dim
        parts = [
            F[:, at : at + part.dim].reshape(-1, dim, part.mul)
            for part, at in zip(table.irreps_in, table.irreps_in.offsets, strict=True)
            if part.irrep == block.irrep
        ]
        fragments = np.concatenate(parts, axis=2)
        for n, k in enumerate(kind):
            matrix = W[int(k), block.offset : block.offset + block.mul_in * block.mul_out]
            matrix = matrix.reshape(block.mul_in, block.mul_out)
            out[n, o : o + dim * block.mul_out] = (fragments[n] @ matrix).reshape(-1)
    return out


@pytest.fixture(params=TABLES)
def case(request, exact, allow):
    allow(op)
    table, n, n_kinds = TABLES[request.param], 9, 3
    kind = np.array([2, 0, 0, 2, 2, 0, 2, 2, 0])  # kind 1 does not occur
    return table, [exact.draw((n, table.irreps_in.dim), 1), exact.draw((n_kinds, table.n_weights), 2)], kind, exact


def test_mixing_is_its_definition_exactly(case):
    table, values, kind, exact = case
    found = mixing(*values, kind, table)
    assert found.dtype == exact.dtype
    assert (found == definition(*values, kind, table)).all()


def test_mixing_derivatives_are_exact(case):
    table, values, kind, exact = case
    quadruple = exact.quadruple(op, "mixing", values, (kind, table))
    assert quadruple.tangent_is_exact()
    assert quadruple.adjoint_is_exact()
    assert quadruple.second_is_exact()
    assert quadruple.second_is_symmetric()
    assert quadruple.absent_is_zero()


def swap(arrays):
    return arrays._replace(ins=np.concatenate([arrays.ins[2:4], arrays.ins[:2], arrays.ins[4:]]))


PLANTED = {
    "a block dropped in the forward": lambda a: (a[0]._replace(blocks=a[0].blocks[:-8]), a[1]),
    "a block dropped in the adjoint": lambda a: (a[0], a[1]._replace(blocks=a[1].blocks[8:])),
    "parts swapped": lambda a: (swap(a[0]), a[1]),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_errors_are_caught(planted, exact, allow, monkeypatch):
    allow(op)
    table, kind = MixingTable.build("4x1o + 4x1o + 4x0e", "4x1o + 4x0e"), np.array([0, 1, 1])
    wrong = PLANTED[planted](op._arrays(table))
    monkeypatch.setattr(op, "_arrays", lambda *_: wrong)
    assert_caught(table, kind, exact)


def test_a_block_that_is_not_transposed_is_caught(exact, allow, monkeypatch):
    allow(op)
    monkeypatch.setattr(op, "transposed", lambda W, arrays: W)
    assert_caught(MixingTable.build("4x1o", "4x1o"), np.array([0, 1, 1]), exact)


def assert_caught(table, kind, exact):
    values = [exact.draw((3, table.irreps_in.dim), 1), exact.draw((2, table.n_weights), 2)]
    right_value = (mixing(*values, kind, table) == definition(*values, kind, table)).all()
    assert not (right_value and exact.quadruple(op, "mixing", values, (kind, table)).all_hold())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_mixing_and_its_weight_gradient_are_within_the_derived_bounds(dtype):
    """Value: 41 channels are 10 fours and one, 3 within a four. Gradient: 16 (2l+1) fours, 3 within, the blocks."""
    table, rng, n = MixingTable.build("33x1 + 8x1", "5x1"), np.random.default_rng(2), 3000
    F, W = rng.standard_normal((n, 123)).astype(dtype), rng.standard_normal((2, 205)).astype(dtype)
    kind = rng.integers(0, 2, n)
    u, wide = np.finfo(dtype).eps / 2, [v.astype(np.longdouble) for v in (F, W)]
    found, wanted = mixing(F, W, kind, table), definition(*wide, kind, table)
    bound = (11 + 3) * u * definition(*map(abs, wide), kind, table)
    assert (abs(found - wanted) <= bound).all()
    assert not (abs(found * 1.001 - wanted) <= bound).all()
    g = rng.standard_normal(found.shape).astype(dtype)
    fragments = np.concatenate([wide[0][:, :99].reshape(n, 3, 33), wide[0][:, 99:].reshape(n, 3, 8)], axis=2)
    outer = np.einsum("nmi,nmo->nio", fragments, g.astype(np.longdouble).reshape(n, 3, 5)).reshape(n, -1)
    sizes = np.einsum("nmi,nmo->nio", abs(fragments), abs(g).astype(np.longdouble).reshape(n, 3, 5)).reshape(n, -1)
    W_bar = mixing_vjp(g, F, W, kind, table, needs=(False, True))[1]
    for k in range(2):
        error = abs(W_bar[k] - outer[kind == k].sum(0))
        assert (error <= (16 * 3 + 3 + n // 64 + 2) * u * sizes[kind == k].sum(0)).all()


def test_table_and_errors():
    table = TABLES["parts of one irrep concatenated"]
    assert [(str(block.irrep), *block[1:]) for block in table.blocks] == [("1o", 6, 5, 0), ("0e", 8, 2, 30)]
    assert table.n_weights == 46
    with pytest.raises(IrrepsError, match="'irreps_in' has no 2e"):
        MixingTable.build("3x0e", "1x2e")
    F, W, kind = np.ones((2, 26)), np.ones((1, 46)), np.zeros(2, int)
    with pytest.raises(ShapeError, match=r"mixing: 'W' must have shape \(any, 46\)"):
        mixing(F, W[:, 1:], kind, table)
    with pytest.raises(ShapeError, match=r"mixing: 'kind' must lie in 0\.\.0, got 0\.\.1"):
        mixing(F, W, np.array([0, 1]), table)
    with pytest.raises(DTypeError, match="mixing: 'kind' must be integers"):
        mixing(F, W, np.zeros(2), table)
    with pytest.raises(DTypeError, match="must share one dtype"):
        mixing(F, W.astype(np.float32), kind, table)
    with pytest.raises(ShapeError, match="mixing_vjp: 'y_bar'"):
        mixing_vjp(F, F, W, kind, table)
