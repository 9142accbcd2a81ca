"""The message against its definition written with loops, and its derivatives against exact theorems."""

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, DTypeError, IrrepsError, ShapeError
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops import message as op
from nbody_ref.ops import message_table
from nbody_ref.ops.message import MessageTable, message, message_jvp, message_vjp
from nbody_ref.tables import cg_coo

EDGES = Edges.build([2, 0, 0, 2, 2, 0, 3], [1, 0, 3, 2, 3, 1, 3], 4, 5)  # receiver 1 and sender 4 have no edge
TABLES = {
    "all paths": MessageTable.build("2x0e + 3x1o + 2x1e", 2),
    "repeats": MessageTable.build("2x1", 2, paths=[(0, 1, "1"), (0, 1, "1"), (0, 2, "3"), (0, 0, "1")]),
    "high degrees": MessageTable.build("1x4 + 2x5", 4, out=["0", "1", "4", "5"]),
    "one scalar": MessageTable.build("1x0e", 0),
}


def definition(x, Y, w, edges, table, coupling):
    """The formula of the docstring, term by term, over any ring."""
    out = np.zeros((edges.n_receivers, table.irreps_out.dim), x.dtype)
    for e, (i, j) in enumerate(zip(edges.receivers, edges.senders, strict=True)):
        first = 0
        for (part, l2, irrep), o in zip(table.paths, table.irreps_out.offsets, strict=True):
            mul, irrep_x = table.irreps_in[part]
            for m1, m2, m, value in zip(*coupling(irrep_x.l, l2, irrep.l), strict=True):
                for c in range(mul):
                    state = x[j, table.irreps_in.offsets[part] + int(m1) * mul + c]
                    out[i, o + int(m) * mul + c] += w[e, first + c] * value * state * Y[e, l2 * l2 + int(m2)]
            first += mul
    return out


def shapes(table, edges=EDGES):
    return (edges.n_senders, table.irreps_in.dim), (edges.n_edges, table.dim_y), (edges.n_edges, table.n_weights)


def sizes(l1, l2, l):
    coo = cg_coo(l1, l2, l)
    return coo._replace(value=abs(coo.value))


@pytest.fixture(params=TABLES)
def case(request, exact, allow, monkeypatch):
    """A message over the integers: couplings are random integers where Clebsch-Gordan coefficients are not zero."""
    allow(op)
    table = TABLES[request.param]
    arrays = message_table.message_arrays(table, exact.coupling, exact.real)
    monkeypatch.setattr(message_table, "_arrays", lambda *_: arrays)
    return table, [exact.draw(shape, seed) for seed, shape in enumerate(shapes(table))], exact, arrays


def test_message_is_its_definition_exactly(case):
    table, values, exact, _ = case
    found, wanted = message(*values, EDGES, table), definition(*values, EDGES, table, exact.coupling)
    assert found.dtype == exact.dtype
    assert (found == wanted).all()
    assert not found[1].any()


def test_message_derivatives_are_exact(case):
    table, values, exact, _ = case
    quadruple = exact.quadruple(op, "message", values, (EDGES, table))
    assert quadruple.tangent_is_exact()
    assert quadruple.adjoint_is_exact()
    assert quadruple.second_is_exact()
    assert quadruple.second_is_symmetric()
    assert quadruple.absent_is_zero()


def flipped(values):
    return np.concatenate([[-values[0]], values[1:]]).astype(values.dtype)


def rolled(table, columns, column):
    wrong = table.reshape(-1, columns).copy()
    wrong[:, column] = np.roll(wrong[:, column], 1)
    return wrong.reshape(-1)


PLANTED = {
    "sign of a folded coupling": lambda a: a._replace(fold_v=flipped(a.fold_v)),
    "sign of a term of the edge adjoint": lambda a: a._replace(term_v=flipped(a.term_v)),
    "component of Y swapped": lambda a: a._replace(fold_j=np.roll(a.fold_j, 1)),
    "M not transposed in the adjoint": lambda a: a._replace(fold_at_t=a.fold_at),
    "first and second term of an entry mixed up": lambda a: a._replace(
        sizes=np.where(np.arange(10) == 4, len(a.fold_at), a.sizes)
    ),
    "a block of rows dropped": lambda a: a._replace(
        rows=a.rows[:-13], row_ends=a.row_ends - (a.row_ends == a.row_ends[-1])
    ),
    "a row of a block sent to its neighbour's place": lambda a: a._replace(out_rows=rolled(a.out_rows, 3, 0)),
    "a block of the adjoint dropped": lambda a: a._replace(pull_ends=a.pull_ends - (a.pull_ends == a.pull_ends[-1])),
    "weights of the adjoint's rows mixed up": lambda a: a._replace(pulls=rolled(a.pulls, 9, 5)),
    "rows of z mixed up": lambda a: a._replace(pulls=rolled(a.pulls, 9, 8)),
    "a block of terms dropped": lambda a: a._replace(terms=a.terms[10:], term_v=a.term_v[4:]),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_errors_are_caught(planted, exact, allow, monkeypatch):
    allow(op)
    table = TABLES["all paths"]
    wrong = PLANTED[planted](message_table.message_arrays(table, exact.coupling, exact.real))
    monkeypatch.setattr(message_table, "_arrays", lambda *_: wrong)
    values = [exact.draw(shape, seed) for seed, shape in enumerate(shapes(table))]
    right_value = (message(*values, EDGES, table) == definition(*values, EDGES, table, exact.coupling)).all()
    assert not (right_value and exact.quadruple(op, "message", values, (EDGES, table)).all_hold())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_message_with_clebsch_gordan_is_within_the_derived_bound(dtype):
    """k: the table 1, M 2, a product, 2 l1 sums, the weight 1, n neighbours: n + 2 l1 + 5; l1 = 3 here."""
    table, rng = MessageTable.build("3x0e + 2x1o + 9x2e + 1x3o", 3), np.random.default_rng(3)
    n = 40
    edges = Edges.build(rng.integers(0, 3, n), rng.integers(0, 6, n), 3, 6)
    values = [rng.standard_normal(shape).astype(dtype) for shape in shapes(table, edges)]
    wide = [v.astype(np.longdouble) for v in values]
    wanted, magnitude = definition(*wide, edges, table, cg_coo), definition(*map(abs, wide), edges, table, sizes)
    most = np.bincount(edges.receivers.astype(int)).max()
    bound = (most + 2 * 3 + 5) * np.finfo(dtype).eps / 2 * magnitude
    found = message(*values, edges, table)
    assert found.dtype == dtype
    assert (abs(found - wanted) <= bound).all()
    assert not (abs(1.001 * found - wanted) <= bound).all()


def test_path_order_and_types():
    table = MessageTable.build("2x0e + 3x1o", 1)
    assert [(p, l2, str(irrep)) for p, l2, irrep in table.paths] == [
        (0, 0, "0e"),
        (0, 1, "1o"),
        (1, 0, "1o"),
        (1, 1, "0e"),
        (1, 1, "1e"),
        (1, 1, "2e"),
    ]
    assert str(table.irreps_out) == "2x0e + 2x1o + 3x1o + 3x0e + 3x1e + 3x2e"
    assert table.n_weights == 16
    assert hash(table) == hash(MessageTable.build(Irreps("2x0e + 3x1o"), 1))
    assert MessageTable.build("1x1", 1, out=["1"]).paths == ((0, 0, Irrep(1)), (0, 1, Irrep(1)))


def test_complex_basis_agrees_with_the_unitary_change_of_gauge():
    """A message of complex states in the complex gauge is U_l applied to the one in the real gauge."""
    from nbody_ref.tables import real_to_complex

    rng = np.random.default_rng(0)
    paths = [(0, 2, "1"), (0, 2, "2")]
    build = {basis: MessageTable.build("2x1", 2, paths=paths, basis=basis) for basis in ("real", "complex")}
    x, Y, w = (rng.standard_normal(s) + 1j * rng.standard_normal(s) for s in shapes(build["real"]))
    to = [real_to_complex(l) for l in range(3)]
    x_real = np.einsum("ab,nbc->nac", to[1], x.reshape(-1, 3, 2)).reshape(len(x), -1)
    Y_real = np.concatenate([Y[:, l * l : (l + 1) ** 2] @ to[l].T for l in range(3)], axis=1)
    in_complex = message(x, Y, w, EDGES, build["complex"])
    in_real = message(x_real, Y_real, w, EDGES, build["real"])
    phases = [1j ** ((1 + 2 + l) % 2) for l in (1, 2)]  # C_real = i^s U C (U x U)^dagger
    blocks = (0, 6), (6, 16)
    for l, phase, (a, b) in zip((1, 2), phases, blocks, strict=True):
        turned = np.einsum("ab,nbc->nac", to[l], in_complex[:, a:b].reshape(-1, 2 * l + 1, 2)).reshape(4, -1)
        assert abs(phase * turned - in_real[:, a:b]).max() < 64 * np.finfo(float).eps * abs(in_real).max()


def test_errors_name_the_argument():
    table = TABLES["all paths"]
    x, Y, w = (np.ones(shape) for shape in shapes(table))
    with pytest.raises(ShapeError, match=r"message: 'Y' must have shape \(7, 9\), got \(7, 4\)"):
        message(x, Y[:, :4], w, EDGES, table)
    with pytest.raises(DTypeError, match=r"message: 'x', 'Y', 'w' must share one dtype"):
        message(x, Y, w.astype(np.float32), EDGES, table)
    with pytest.raises(DTypeError, match="message: 'x' must be float64"):
        message(x.astype(int), Y, w, EDGES, table)
    with pytest.raises(ShapeError, match=r"message_vjp: 'y_bar'"):
        message_vjp(x, x, Y, w, EDGES, table)
    with pytest.raises(ShapeError, match=r"message_jvp: 'x_dot'"):
        message_jvp(x, Y, w, Y, None, None, EDGES, table)
    with pytest.raises(IrrepsError, match="no path"):
        MessageTable.build("2x1o", 1, out=["5e"])
    with pytest.raises(IrrepsError, match="'paths' has"):
        MessageTable.build("2x1o", 1, paths=[(0, 1, "1o")])
    with pytest.raises(ArgumentError, match="'lmax'"):
        MessageTable.build("2x1o", -1)
