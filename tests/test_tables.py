"""Tables against sympy, against the defining identity of the real gauge, and against integers."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.special
import sympy.physics.wigner

from nbody_ref.errors import ArgumentError, DTypeError
from nbody_ref.tables import cg_coo, clebsch_gordan, real_to_complex

LMAX = 3
TRIPLES = [
    (l1, l2, l) for l1 in range(LMAX + 1) for l2 in range(LMAX + 1) for l in range(abs(l1 - l2), min(l1 + l2, LMAX) + 1)
]
UNIT = 2.0**-53


def is_rounded_root(value: float, p: int, q: int, dtype) -> bool:
    """Whether |value| is a float nearest to sqrt(p/q): compare squares of the two half-way points exactly."""
    low = (Fraction(float(np.nextafter(value, dtype(0)))) + Fraction(float(value))) / 2
    high = (Fraction(float(np.nextafter(value, dtype(np.inf)))) + Fraction(float(value))) / 2
    return low**2 <= Fraction(p, q) <= high**2


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_complex_table_is_correctly_rounded_square_root(dtype):
    for l1, l2, l in TRIPLES:
        C = clebsch_gordan(l1, l2, l, "complex", dtype)
        assert C.dtype == dtype and C.shape == (2 * l1 + 1, 2 * l2 + 1, 2 * l + 1)
        for (i, j, k), value in np.ndenumerate(C):
            truth = sympy.physics.wigner.clebsch_gordan(l1, l2, l, i - l1, j - l2, k - l)
            assert int(np.sign(value)) == int(sympy.sign(truth))
            if value:
                square = sympy.Rational(truth**2)
                assert is_rounded_root(abs(value), int(square.p), int(square.q), dtype)


def test_rounding_check_sees_one_ulp():
    value = np.float64(1 / 3) ** 0.5
    assert is_rounded_root(value, 1, 3, np.float64)
    assert not is_rounded_root(np.nextafter(value, 1), 1, 3, np.float64)


def real_table_from_complex(l1, l2, l):
    U1, U2, U = real_to_complex(l1), real_to_complex(l2), real_to_complex(l)
    C = clebsch_gordan(l1, l2, l, "complex")
    return 1j ** ((l1 + l2 + l) % 2) * np.einsum("ia,jb,kc,abc->ijk", U1.conj(), U2.conj(), U, C)


def test_real_table_is_the_complex_one_seen_through_the_unitary():
    for triple in TRIPLES:
        # 8 terms at most, each a product of four rounded factors: k = 7 + 4*2, S <= sum |U U U C| <= sqrt(8)
        assert np.abs(real_table_from_complex(*triple) - clebsch_gordan(*triple)).max() <= 15 * UNIT * 8**0.5


def test_wrong_phase_of_the_real_gauge_is_seen():
    assert np.abs(-1j * real_table_from_complex(1, 2, 2) - clebsch_gordan(1, 2, 2)).max() > 0.1


def test_columns_are_orthonormal():
    for l1, l2, l in TRIPLES:
        C = clebsch_gordan(l1, l2, l)
        gram = np.einsum("ijk,ijn->kn", C, C)
        k = 2 + (2 * l1 + 1) * (2 * l2 + 1)
        assert np.abs(gram - np.eye(2 * l + 1)).max() <= k * UNIT


def test_coo_lists_the_dense_table_in_order():
    for triple in TRIPLES:
        for basis in ("real", "complex"):
            m1, m2, m, value = cg_coo(*triple, basis)
            dense = np.zeros_like(clebsch_gordan(*triple, basis))
            dense[m1, m2, m] = value
            assert np.array_equal(dense, clebsch_gordan(*triple, basis)) and np.all(value != 0)
            assert {index.dtype for index in (m1, m2, m)} == {np.dtype(np.uintp)}
            keys = list(zip(m.tolist(), m1.tolist(), m2.tolist()))
            assert keys == sorted(keys)


def test_unitary_turns_conjugate_complex_harmonics_into_real_ones():
    theta, phi = 2.1, -0.7
    for l in range(5):
        Y = np.array([scipy.special.sph_harm_y(l, m, theta, phi) for m in range(-l, l + 1)])
        real = real_to_complex(l) @ Y.conj()
        m = np.arange(1, l + 1)
        expected = np.zeros(2 * l + 1)
        expected[l] = Y[l].real
        expected[l + m] = 2**0.5 * (-1.0) ** m * Y[l + m].real
        expected[l - m] = 2**0.5 * (-1.0) ** m * Y[l + m].imag
        # both sides come from the same scipy values: two products, one sum
        assert np.abs(real - expected).max() <= 8 * UNIT * np.abs(Y).max()
        assert np.abs(real_to_complex(l) @ real_to_complex(l).conj().T - np.eye(2 * l + 1)).max() <= 4 * UNIT


def test_vectors_couple_to_dot_and_cross_product():
    a, b = np.array([0.3, -0.2, 0.9]), np.array([1.0, 0.5, -0.7])
    yzx = [1, 2, 0]
    scalar = np.einsum("ijk,i,j->k", clebsch_gordan(1, 1, 0), a[yzx], b[yzx])
    vector = np.einsum("ijk,i,j->k", clebsch_gordan(1, 1, 1), a[yzx], b[yzx])
    size = np.abs(a) @ np.abs(b)
    assert abs(scalar[0] + a @ b / 3**0.5) <= 6 * UNIT * size
    assert np.abs(vector - np.cross(a, b)[yzx] / 2**0.5).max() <= 6 * UNIT * 2 * size


def test_tables_are_shared_and_read_only():
    assert clebsch_gordan(1, 1, 2) is clebsch_gordan(1, 1, 2, basis="real", dtype="float64")
    for array in (clebsch_gordan(1, 1, 2), *cg_coo(1, 1, 2), real_to_complex(2)):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_bad_requests_are_named():
    with pytest.raises(ArgumentError, match=r"\|l1 - l2\| <= l <= l1 \+ l2"):
        clebsch_gordan(1, 1, 3)
    with pytest.raises(ArgumentError, match="'l2' must be a non-negative integer, got -1"):
        clebsch_gordan(1, -1, 0)
    with pytest.raises(ArgumentError, match="'l' must be"):
        real_to_complex(1.5)
    with pytest.raises(ArgumentError, match="'basis'"):
        clebsch_gordan(1, 1, 1, basis="Real")
    with pytest.raises(DTypeError, match="float16"):
        cg_coo(1, 1, 1, dtype=np.float16)


def test_large_degrees_stay_exact():
    C = clebsch_gordan(30, 30, 0, "complex")
    assert is_rounded_root(abs(C[0, 60, 0]), 1, 61, np.float64)
