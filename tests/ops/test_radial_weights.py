"""Radial weights and copies against their definitions, and their derivatives against exact theorems."""

import numpy as np
import pytest

from nbody_ref.errors import IrrepsError, ShapeError
from nbody_ref.ops import radial_weights as op
from nbody_ref.ops.message import MessageTable
from nbody_ref.ops.radial_weights import RadialTable, radial_copies, radial_weights

MESSAGE = MessageTable.build("2x0e + 3x1o", 2)
TABLE = RadialTable.build(MESSAGE, 6, [i % 6 for i in range(len(MESSAGE.paths))])
KIND = np.array([1, 0, 1, 2])


def definition(R, V, kind, table):
    w = np.zeros((len(R), table.n_weights), R.dtype)
    for e, k in enumerate(kind):
        o = 0
        for l2, mul in zip(table.degrees, table.muls, strict=True):
            block = V[int(k), table.n * o : table.n * (o + mul)].reshape(table.n, mul)
            w[e, o : o + mul] = sum(R[e, l2, n] * block[n] for n in range(table.n))
            o += mul
    return w


def definition_of_copies(R, table):
    columns = [R[:, l2, n] for l2, n, mul in zip(table.degrees, table.index, table.muls) for _ in range(mul)]
    return np.stack(columns, axis=1)


@pytest.fixture
def values(exact, allow):
    allow(op)
    return exact.draw((4, 3, 6), 1), exact.draw((3, TABLE.n_parameters), 2)


def test_radial_weights_are_their_definition_exactly(values):
    assert (radial_weights(*values, KIND, TABLE) == definition(*values, KIND, TABLE)).all()


def test_radial_copies_are_their_definition_exactly(values):
    assert (radial_copies(values[0], TABLE) == definition_of_copies(values[0], TABLE)).all()


def test_radial_weights_derivatives_are_exact(values, exact):
    assert exact.quadruple(op, "radial_weights", values, (KIND, TABLE)).all_hold()


def test_radial_copies_derivatives_are_exact(values, exact):
    assert exact.quadruple(op, "radial_copies", values[:1], (TABLE,)).all_hold()


def test_planted_errors_are_caught(values, exact, monkeypatch):
    right = op._arrays(TABLE)
    for wrong in (
        (right[0]._replace(blocks=right[0].blocks[:-8]), right[1]),
        (right[0], right[1]._replace(blocks=right[1].blocks[8:])),
    ):
        monkeypatch.setattr(op, "_arrays", lambda *_, wrong=wrong: wrong)
        same = (radial_weights(*values, KIND, TABLE) == definition(*values, KIND, TABLE)).all()
        assert not (same and exact.quadruple(op, "radial_weights", values, (KIND, TABLE)).all_hold())
    at, mul = op._copies(TABLE)
    monkeypatch.setattr(op, "_copies", lambda *_: (np.roll(at, 1), mul))
    assert not (radial_copies(values[0], TABLE) == definition_of_copies(values[0], TABLE)).all()


def test_errors_name_the_argument():
    with pytest.raises(IrrepsError, match="RadialTable: 'index' must give"):
        RadialTable.build(MESSAGE, 2, [0])
    with pytest.raises(IrrepsError, match="below 2"):
        RadialTable.build(MESSAGE, 2, [2] * len(MESSAGE.paths))
    with pytest.raises(ShapeError, match=r"radial_copies: 'R' must have shape \(any, 3, 6\), got \(4, 3, 5\)"):
        radial_copies(np.ones((4, 3, 5)), TABLE)
    with pytest.raises(ShapeError, match="radial_weights: 'V'"):
        radial_weights(np.ones((4, 3, 6)), np.ones((3, 5)), KIND, TABLE)
    with pytest.raises(IrrepsError, match="radial_copies: 'table'"):
        radial_copies(np.ones((4, 3, 6)), RadialTable.build(MESSAGE, 6))
