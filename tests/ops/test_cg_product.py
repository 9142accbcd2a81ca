"""The product against its definition written with loops, and its derivatives against exact theorems."""

import numpy as np
import pytest

from nbody_ref.errors import DTypeError, IrrepsError, ShapeError
from nbody_ref.ops import cg_product as op
from nbody_ref.ops.cg_product import ProductTable, cg_product, cg_product_jvp, cg_product_vjp
from nbody_ref.tables import cg_coo

TABLES = {
    "full": ProductTable.build("2x0e + 3x1o", "1x0e + 2x1o + 1x2e"),
    "full, some": ProductTable.build("2x1 + 3x2", "4x1", out=["1", "3"]),
    "channelwise": ProductTable.build("3x0e + 3x1o + 3x1e", "3x1o + 3x2e", "channelwise"),
    "repeats": ProductTable.build("2x1 + 5x2", "5x2", "channelwise", [(1, 0, "0"), (1, 0, "0"), (1, 0, "3")]),
    "squares": ProductTable.build("4x0 + 4x1 + 4x3", "4x0 + 4x1 + 4x3", "channelwise", [(i, i, "0") for i in range(3)]),
}


def definition(a, b, table, coupling):
    """The formula of the docstring, term by term, over any ring."""
    out = np.zeros((len(a), table.irreps_out.dim), a.dtype)
    for (i, j, irrep), o in zip(table.paths, table.irreps_out.offsets, strict=True):
        (mul_a, irrep_a), (mul_b, irrep_b) = table.irreps_a[i], table.irreps_b[j]
        channels = [(u, u, u) for u in range(mul_a)]
        if table.mode == "full":
            channels = [(u, v, u * mul_b + v) for u in range(mul_a) for v in range(mul_b)]
        for m1, m2, m, value in zip(*coupling(irrep_a.l, irrep_b.l, irrep.l), strict=True):
            for u, v, c in channels:
                left = a[:, table.irreps_a.offsets[i] + int(m1) * mul_a + u]
                right = b[:, table.irreps_b.offsets[j] + int(m2) * mul_b + v]
                out[:, o + int(m) * len(channels) + c] += value * left * right
    return out


def sizes(l1, l2, l):
    coo = cg_coo(l1, l2, l)
    return coo._replace(value=abs(coo.value))


@pytest.fixture(params=TABLES)
def case(request, exact, allow, monkeypatch):
    """A product over the integers: couplings are random integers where Clebsch-Gordan coefficients are not zero."""
    allow(op)
    table = TABLES[request.param]
    legs = op.product_arrays(table, exact.coupling, exact.real)
    monkeypatch.setattr(op, "_arrays", lambda *_: legs)
    return table, [exact.draw((3, table.irreps_a.dim), 1), exact.draw((3, table.irreps_b.dim), 2)], exact


def test_cg_product_is_its_definition_exactly(case):
    table, values, exact = case
    found = cg_product(*values, table)
    assert found.dtype == exact.dtype
    assert (found == definition(*values, table, exact.coupling)).all()


def test_cg_product_derivatives_are_exact(case):
    table, values, exact = case
    quadruple = exact.quadruple(op, "cg_product", values, (table,))
    assert quadruple.tangent_is_exact()
    assert quadruple.adjoint_is_exact()
    assert quadruple.second_is_exact()
    assert quadruple.second_is_symmetric()
    assert quadruple.absent_is_zero()


def flip(leg):
    return leg._replace(value=np.concatenate([[-leg.value[0]], leg.value[1:]]).astype(leg.value.dtype))


def swap(blocks):
    """Offsets in a of the last block taken from the first."""
    rows = blocks.reshape(-1, 8).copy()
    rows[-1, 4:6] = rows[0, 4:6]
    return rows.reshape(-1)


PLANTED = {
    "sign towards the result": lambda legs: (flip(legs[0]), *legs[1:]),
    "sign towards a": lambda legs: (legs[0], flip(legs[1]), legs[2]),
    "sign towards b": lambda legs: (*legs[:2], flip(legs[2])),
    "components of a swapped": lambda legs: (legs[0]._replace(blocks=swap(legs[0].blocks)), *legs[1:]),
    "block dropped": lambda legs: (legs[0], legs[1]._replace(blocks=legs[1].blocks[8:]), legs[2]),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_errors_are_caught(planted, exact, allow, monkeypatch):
    allow(op)
    table = ProductTable.build("1x0e + 2x1o", "2x1o")
    legs = PLANTED[planted](op.product_arrays(table, exact.coupling, exact.real))
    monkeypatch.setattr(op, "_arrays", lambda *_: legs)
    values = [exact.draw((3, table.irreps_a.dim), 1), exact.draw((3, table.irreps_b.dim), 2)]
    right_value = (cg_product(*values, table) == definition(*values, table, exact.coupling)).all()
    assert not (right_value and exact.quadruple(op, "cg_product", values, (table,)).all_hold())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", TABLES)
def test_cg_product_with_clebsch_gordan_is_within_the_derived_bound(name, dtype):
    """k: C a b and the table 3, the block 1, one for each block; at most 7 terms, hence 4 blocks."""
    table, rng = TABLES[name], np.random.default_rng(1)
    values = [rng.standard_normal((20, irreps.dim)).astype(dtype) for irreps in (table.irreps_a, table.irreps_b)]
    exact_values = [v.astype(np.longdouble) for v in values]
    wanted = definition(*exact_values, table, cg_coo)
    magnitude = definition(*map(abs, exact_values), table, sizes)
    bound = (4 + 4) * np.finfo(dtype).eps / 2 * magnitude
    found = cg_product(*values, table)
    assert (abs(found - wanted) <= bound).all()
    assert not (abs(1.001 * found - wanted) <= bound).all()


def test_scalar_and_cross_product_have_their_textbook_values():
    table = ProductTable.build("1x1", "1x1", out=["0", "1"])
    a, b = np.array([[1.0, 2.0, 3.0]]), np.array([[-2.0, 5.0, 0.5]])  # (y, z, x) order
    y = cg_product(a, b, table)
    cross = np.roll(np.cross(np.roll(a, 1), np.roll(b, 1)), -1)
    u = np.finfo(float).eps / 2
    assert abs(y[0, 0] + (a @ b.T)[0, 0] / np.sqrt(3)) <= 8 * u * (abs(a) @ abs(b).T)[0, 0]
    assert (abs(y[0, 1:] - cross[0] / np.sqrt(2)) <= 8 * u * abs(a).sum() * abs(b).sum()).all()


def test_path_order_and_errors():
    table = ProductTable.build("2x0e + 3x1o", "4x1o")
    assert [(i, j, str(irrep)) for i, j, irrep in table.paths] == [
        (0, 0, "1o"),
        (1, 0, "0e"),
        (1, 0, "1e"),
        (1, 0, "2e"),
    ]
    assert str(table.irreps_out) == "8x1o + 12x0e + 12x1e + 12x2e"
    with pytest.raises(IrrepsError, match="equal multiplicities"):
        ProductTable.build("2x0e", "3x1o", "channelwise")
    with pytest.raises(IrrepsError, match="'paths' has"):
        ProductTable.build("2x0e", "3x1o", paths=[(0, 0, "1e")])
    with pytest.raises(IrrepsError, match="no path"):
        ProductTable.build("2x0e", "3x1o", out=["4e"])
    a, b = np.ones((2, 11)), np.ones((2, 12))
    with pytest.raises(ShapeError, match=r"cg_product: 'b' must have shape \(2, 12\), got \(3, 12\)"):
        cg_product(a, np.ones((3, 12)), table)
    with pytest.raises(DTypeError, match="must share one dtype"):
        cg_product(a, b.astype(np.float32), table)
    with pytest.raises(ShapeError, match="cg_product_vjp: 'y_bar'"):
        cg_product_vjp(a, a, b, table)
    with pytest.raises(ShapeError, match="cg_product_jvp: 'a_dot'"):
        cg_product_jvp(a, b, b, None, table)
