"""Labels: SU(2) spins beside irreps of SO(3) and O(3)."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbody_ref.errors import ArgumentError, IrrepsError
from nbody_ref.fusion.label import Spin, as_label, check_basis, components, product, twice
from nbody_ref.irreps import Irrep


@settings(deadline=None)
@given(st.integers(0, 12), st.integers(0, 12))
def test_dimensions_of_a_product_of_spins_add_up(a, b):
    left, right = Spin(Fraction(a, 2)), Spin(Fraction(b, 2))
    series = left * right
    assert sum(spin.dim for spin in series) == left.dim * right.dim
    assert sum(spin.dim for spin in series[1:]) != left.dim * right.dim
    assert [twice(spin) for spin in series] == list(range(abs(a - b), a + b + 1, 2))


@pytest.mark.parametrize("j", [-1, "1/3", 0.3, "x", None, float("inf"), float("nan"), True, 1j, "1/0", [1]])
def test_a_spin_that_is_none_is_refused(j):
    with pytest.raises(IrrepsError, match="non-negative integer or half-integer"):
        Spin(j)


def test_components_ascend_from_minus_j():
    assert list(components(Spin("3/2"))) == [Fraction(-3, 2), Fraction(-1, 2), Fraction(1, 2), Fraction(3, 2)]
    assert list(components(Irrep(2))) == [-2, -1, 0, 1, 2]


def test_groups_are_never_mixed():
    for pair in ((Spin(1), Irrep(1)), (Irrep(1), Spin(1))):
        with pytest.raises(IrrepsError, match="cannot mix SU"):
            product(*pair)
    with pytest.raises(IrrepsError, match=r"cannot mix O\(3\) and SO\(3\)"):
        product(Irrep(1, -1), Irrep(1))
    with pytest.raises(IrrepsError, match="must be an Irrep, a Spin or text"):
        as_label("test", 3)


def test_spins_have_no_real_gauge():
    check_basis("test", "complex", [Spin(1)])
    with pytest.raises(IrrepsError, match="for spins"):
        check_basis("test", "real", [Spin(1)])
    with pytest.raises(ArgumentError, match="'complex' or 'real'"):
        check_basis("test", "imaginary", [])


def test_spins_of_numpys_integers_do_not_wrap_around():
    for j in (np.int8(100), np.uint8(200), np.float32(0.5)):
        spin = Spin(j)
        assert spin == Spin(Fraction(float(j))) and spin.dim == int(2 * float(j)) + 1
        assert type(spin.j.numerator) is int
    for other in (2, "1", Irrep(1), np.float64(2)):
        with pytest.raises(TypeError):
            Spin(1) * other
