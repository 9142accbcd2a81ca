"""Types tau: algebra by hypothesis, selection rules by dimension, and the paper's worked example, corrected."""

import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbody_ref.errors import ArgumentError, IrrepsError
from nbody_ref.irreps import Irrep, Irreps, Part

degrees = st.integers(0, 6)
so3 = st.builds(Irrep, degrees)
o3 = st.builds(Irrep, degrees, st.sampled_from([1, -1]))


def types(irrep):
    return st.lists(st.tuples(st.integers(1, 9), irrep), max_size=5).map(Irreps)


any_type = st.one_of(types(so3), types(o3))


@given(any_type)
def test_text_is_read_back(tau):
    assert Irreps(str(tau)) == tau and hash(Irreps(str(tau))) == hash(tau)
    assert eval(repr(tau), {"Irreps": Irreps}) == tau
    assert pickle.loads(pickle.dumps(tau)) == tau  # worker processes receive types this way


@given(st.one_of(st.tuples(types(so3), types(so3)), st.tuples(types(o3), types(o3))))
def test_sum_puts_parts_side_by_side(pair):
    a, b = pair
    total = a + b
    assert total.parts == a.parts + b.parts and total.dim == a.dim + b.dim
    assert total.offsets == a.offsets + tuple(a.dim + offset for offset in b.offsets)
    assert 3 * a == a + a + a == a * 3


@given(any_type)
def test_offsets_tile_the_state(tau):
    ends = [start + part.dim for start, part in zip(tau.offsets, tau)]
    assert list(tau.offsets) == [0, *ends][: len(tau)] and tau.dim == (ends or [0])[-1]
    assert [tau[i] for i in range(len(tau))] == list(tau)


@given(any_type)
def test_merging_keeps_counts_and_forgets_order_only(tau):
    merged = tau.merged()
    assert merged.dim == tau.dim and merged.merged() == merged
    assert len({part.irrep for part in merged}) == len(merged)
    for part in merged:
        assert tau.count(part.irrep) == part.mul == merged.count(str(part.irrep))


@given(st.one_of(st.tuples(so3, so3), st.tuples(o3, o3)))
def test_clebsch_gordan_series_preserves_dimension_and_commutes(pair):
    a, b = pair
    series = a * b
    assert sum(irrep.dim for irrep in series) == a.dim * b.dim
    assert series == b * a and [irrep.l for irrep in series] == list(range(abs(a.l - b.l), a.l + b.l + 1))
    assert {irrep.p for irrep in series} == {None if a.p is None else a.p * b.p}


@given(so3, so3, so3)
def test_clebsch_gordan_series_is_associative(a, b, c):
    left = Counter(irrep for ab in a * b for irrep in ab * c)
    right = Counter(irrep for bc in b * c for irrep in a * bc)
    assert left == right


def product_type(tau, other):
    """Multiplicities kappa of the product of two types (tuples over l), counted with the selection rule."""
    found = Counter()
    for l1, n1 in enumerate(tau):
        for l2, n2 in enumerate(other):
            for irrep in Irrep(l1) * Irrep(l2):
                found[irrep.l] += n1 * n2
    return tuple(found[l] for l in range(max(found) + 1))


@pytest.mark.parametrize(
    ("lmax", "corrected"), [(1, (1, 2, 1)), (2, (1, 3, 2, 1)), (3, (1, 3, 3, 2, 1)), (6, (1, 3, 3, 3, 3, 3, 2, 1))]
)
def test_erratum_e1_type_of_the_product_with_a_vector(lmax, corrected):
    """Sec. 4.0.1 prints (1, 3, 2, ..., 2, 1), which holds for L = 2 only; the dimensions decide."""
    found = product_type((1,) * (lmax + 1), (0, 1))
    assert found == corrected
    assert sum(n * (2 * l + 1) for l, n in enumerate(found)) == 3 * (lmax + 1) ** 2
    printed = (1, 3, *(2,) * (lmax - 1), 1)
    agrees = sum(n * (2 * l + 1) for l, n in enumerate(printed)) == 3 * (lmax + 1) ** 2
    assert agrees == (lmax == 2)


def test_harmonics_alternate_parity():
    assert str(Irreps.harmonics(3)) == "1x0e + 1x1o + 1x2e + 1x3o"
    assert str(Irreps.harmonics(2, parity=False)) == "1x0 + 1x1 + 1x2"
    assert Irreps.harmonics(3).dim == 16 and Irreps.harmonics(3).has_parity


def test_order_is_as_written():
    tau = Irreps("2x1o + 0e + 1x1o")
    assert str(tau) == "2x1o + 1x0e + 1x1o" and tau.lmax == 1
    assert tau.merged() == Irreps("3x1o + 0e") and tau[0] == Part(2, Irrep(1, -1))
    assert Irreps("") == Irreps() and Irreps("").dim == 0 and not Irreps("").has_parity


@pytest.mark.parametrize(
    "text", ["8x0e + 4x1", "8x", "x1", "0x1", "-1x1", "1.5", "1a", "2x1e +", "8*0e", "1x-1", "1xo"]
)
def test_malformed_types_are_refused(text):
    with pytest.raises(IrrepsError):
        Irreps(text)


@pytest.mark.parametrize("bad", [{"l": -1}, {"l": True}, {"l": 1.0}, {"l": 1, "p": 0}, {"l": 1, "p": 2}])
def test_malformed_irreps_are_refused(bad):
    with pytest.raises(IrrepsError, match=r"Irrep: '[lp]' must be"):
        Irrep(**bad)


def test_groups_do_not_mix():
    with pytest.raises(IrrepsError, match=r"cannot mix O\(3\) and SO\(3\)"):
        Irrep(1, 1) * Irrep(1)
    with pytest.raises(IrrepsError, match="cannot be mixed"):
        Irreps("1o") + Irreps("1")


def test_types_are_immutable():
    tau = Irreps("1o")
    with pytest.raises(AttributeError):
        tau.parts = ()
    with pytest.raises(IrrepsError, match="no degree"):
        _ = Irreps("").lmax


def test_numpy_integers_are_integers_and_become_ints():
    one, eight = np.int64(1), np.uint8(200)
    irrep = Irrep(one, np.int8(-1))
    assert irrep == Irrep(1, -1)
    assert (type(irrep.l), type(irrep.p)) == (int, int)
    assert Irreps([(eight, irrep)]).dim == 600  # no arithmetic in eight bits


@pytest.mark.parametrize(("l", "p"), [(True, 1), (1, True), (1, 1.0), (1.0, 1), (1, 0), ("1o", None)])
def test_what_is_no_integer_is_refused_by_an_irrep(l, p):
    with pytest.raises(IrrepsError, match=r"Irrep: '[lp]' must be"):
        Irrep(l, p)


@pytest.mark.parametrize("parts", [8, None, [8, 4], [(8, "0e", 3)], [(8, 0)], "²x0e", [(True, "0e")]])
def test_what_is_no_type_is_refused_with_its_own_error(parts):
    with pytest.raises(IrrepsError):
        Irreps(parts)


def test_product_with_what_is_no_irrep_is_a_type_error():
    with pytest.raises(TypeError, match="unsupported operand"):
        Irrep(1, 1) * 2


@pytest.mark.parametrize("times", [2.0, None, "2", True, [2]])
def test_a_type_is_repeated_by_integers_only(times):
    with pytest.raises(TypeError):
        Irreps("1x0e") * times
    with pytest.raises(TypeError):
        times * Irreps("1x0e")


def test_numpy_numbers_leave_products_to_types():
    tau = Irreps("1x0e")
    assert np.int8(2) * tau == tau * np.uint8(2) == tau + tau
    for factor in (np.float64(2), np.array([1, 2]), np.ones((2, 2))):
        for product in (lambda f: f * tau, lambda f: tau * f, lambda f: f * Irrep(1), lambda f: Irrep(1) * f):
            with pytest.raises(TypeError):
                product(factor)
    for times in (-1, 10**30):
        with pytest.raises(ArgumentError, match="'times' must be"):
            tau * times


def test_types_beyond_any_use_are_refused_at_once():
    for text in ("1" * 5000, "1x" + "1" * 5000, "1" * 5000 + "x0e"):
        with pytest.raises(IrrepsError):
            Irreps(text)
    with pytest.raises(ArgumentError, match="'lmax' must be at most"):
        Irreps.harmonics(10**9)
    with pytest.raises(ArgumentError, match="'parity' must be True or False"):
        Irreps.harmonics(2, parity="yes")


def test_a_type_built_twice_is_one_key_with_its_length():
    texts = "2x0e + 3x1o", [(2, "0e"), (3, "1o")], [(np.int64(2), Irrep(0, 1)), (3, Irrep(1, -1))]
    types = [Irreps(text) for text in texts]
    assert len(set(types)) == 1 and len({id(irreps.parts) for irreps in types}) == 1
    assert all(irreps.dim == sum(part.dim for part in irreps) == 11 for irreps in types)
    others = Irreps("2x0e + 3x1e"), Irreps("2x0e + 1x1o + 2x1o"), Irreps("3x1o + 2x0e")
    assert all(types[0] != other for other in others)
