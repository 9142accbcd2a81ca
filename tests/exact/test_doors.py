"""What the definition lets in: integers of any kind, kept as Python's, and nothing that it would have to guess at.

NumPy's integers have 64 bits or less and wrap around without a word; an exact number that holds one is not exact.
"""

from fractions import Fraction

import numpy as np
import pytest

from nbody_ref import exact
from nbody_ref.errors import ArgumentError, DTypeError, GeometryError
from nbody_ref.exact import definition, gauges, network
from nbody_ref.exact.ring import Gauss, as_rational, divide, plain
from nbody_ref.exact.surd import Surd, round_fraction

BIG = 2**40
WIDE = np.int64(BIG)
HALF = Fraction(1, 2)
TURN = (1, 2, 3, 4)

CASES = {  # the same call with NumPy's integers and with Python's
    "Surd": lambda n: Surd(1, n, 1) * Surd(1, BIG, 1),
    "Surd.of": lambda n: Surd.of(n) * Surd.of(n),
    "Surd times": lambda n: Surd(1, n) * n,
    "times Surd": lambda n: n * Surd(1, n),
    "Surd over": lambda n: Surd(1, 3) / n / n,
    "over Surd": lambda n: n / Surd(1, 3),
    "Surd ==": lambda n: (Surd.of(n) == n, Surd.of(n) < n, Surd(1, 1) <= n, Surd(1, 1) > n, Surd(1, 1) >= n),
    "Surd of a Fraction": lambda n: Surd.of(Fraction(n)) * Fraction(n),
    "Gauss": lambda n: Gauss(n, n) * Gauss(n, 1),
    "Gauss +-": lambda n: (Gauss(n, 1) + n) * (n - Gauss(1, n)) * (Gauss(n) - n + 1),
    "Gauss times": lambda n: Gauss(BIG, 1) * n * n,
    "Gauss over": lambda n: Gauss(BIG, 1) / n,
    "Gauss of Fractions": lambda n: Gauss(Fraction(n), 1) * Gauss(Fraction(n), 1),
    "divide": lambda n: divide(n, BIG + 1),
    "round_fraction": lambda n: round_fraction(Fraction(n) ** 1, "float32"),
    "wigner_D": lambda n: exact.wigner_D(2, (n, 1, 2, 3)),
    "rotation_matrix": lambda n: exact.rotation_matrix((n, 1, 2, 3)),
    "quaternion_product": lambda n: exact.quaternion_product((n, n, 1, 1), (n, n, 1, 1)),
    "rotate": lambda n: network.rotate([n, 1, n], (BIG, 1, 1, 1)),
    "affine_position": lambda n: network.affine_position({0: Fraction(BIG), 1: 1 - Fraction(BIG)}, [[n] * 3, [0] * 3]),
    "unflatten": lambda n: network.unflatten("1x1", [n, n, n])[0][1][0][0] ** 2,
    "Harmonic.evaluate": lambda n: exact.solid_harmonic(2, 1, "norm").evaluate([n, n, n]),
    "monomial_fragments": lambda n: exact.monomial_fragments(2, [n, n, n]),
    "inverse_power": lambda n: definition.inverse_power(2)([n, n, 0]),
}


@pytest.mark.parametrize("name", CASES)
def test_numpy_integers_do_not_wrap_around(name):
    found, wanted = CASES[name](WIDE), CASES[name](BIG)
    assert repr(found) == repr(wanted)  # the same value, and of the same kind: no float, no int64


def test_the_planted_error_is_silent_in_numpy():
    with np.errstate(over="ignore"):
        assert WIDE * WIDE == 0


DEGREES = {
    "clebsch_gordan": lambda l: exact.clebsch_gordan(l, 0, 0, 0, l, 0),
    "cg_integer": lambda l: exact.cg_integer(l, 0, 0, 0, l),
    "cg_table": lambda l: exact.cg_table(l, 0, l),
    "cg_table_real": lambda l: exact.cg_table_real(l, 0, l),
    "clebsch_gordan_real": lambda l: exact.clebsch_gordan_real(l, 0, 0, 0, l, 0),
    "six_j": lambda l: exact.six_j(l, l, 0, l, l, 0),
    "three_j": lambda l: exact.three_j(l, 0, l, 0, 0, 0),
    "racah_w": lambda l: exact.racah_w(l, l, l, l, 0, 0),
    "nine_j": lambda l: exact.nine_j(l, l, 0, l, l, 0, 0, 0, 0),
    "gaunt": lambda l: exact.gaunt(l, 0, l, 0, 0, 0),
    "real_gaunt": lambda l: exact.real_gaunt(l, 0, l, 0, 0, 0),
    "real_unitary": exact.real_unitary,
    "triples": lambda l: list(exact.triples(l)),
    "wigner_D": lambda l: exact.wigner_D(l, TURN),
    "wigner_D_real": lambda l: exact.wigner_D_real(l, TURN),
    "rational_D": lambda l: exact.rational_D(l, TURN),
    "monomial_D": lambda l: exact.monomial_D(l, TURN),
    "monomial_matrix": lambda l: exact.monomial_matrix(l, TURN),
    "solid_harmonic": lambda l: exact.solid_harmonic(l, 0),
    "fragment_polynomial": lambda l: exact.fragment_polynomial(l, 0),
    "monomial_fragments": lambda l: exact.monomial_fragments(l, [1, 2, 3]),
    "monomial_coupling": lambda l: gauges.monomial_coupling(l, 0, l),
    "coupling_constant": lambda l: gauges.coupling_constant(l, 0, l),
}
SYMBOLS = ("three_j", "six_j", "racah_w", "nine_j", "gaunt", "real_gaunt")  # lists and arrays of labels are theirs


@pytest.mark.parametrize("name", DEGREES)
def test_degrees_of_any_integer_kind_agree_and_all_else_is_refused(name):
    wanted = repr(DEGREES[name](2))
    for kind in (np.int8, np.uint8, np.int64):
        assert repr(DEGREES[name](kind(2))) == wanted
    lists = () if name in SYMBOLS else ([1], np.array([1, 2]))
    for wrong in (None, "1", "x", True, np.nan, np.inf, -np.inf, 1j, -1, 0.3, np.float32(0.3), *lists):
        with pytest.raises(ArgumentError, match=f"{name}: '(l|l1|j1|a|lmax)' must"):
            DEGREES[name](wrong)


@pytest.mark.parametrize("name", ["real_unitary", "wigner_D_real", "rational_D", "monomial_D", "cg_table_real"])
def test_the_real_gauge_has_no_half_integers(name):
    with pytest.raises(ArgumentError, match=f"{name}: 'l1?' must be"):
        DEGREES[name](HALF)


@pytest.mark.parametrize("half", [HALF, 0.5, np.float64(0.5), np.float32(0.5)])
def test_half_integers_of_any_kind_agree(half):
    assert exact.clebsch_gordan(half, half, half, -half, 0, 0) == Surd(1, 1, 2)
    assert exact.wigner_D(half, TURN) == exact.wigner_D(HALF, TURN)


@pytest.mark.parametrize("q", [None, 5, (1, 2, 3), (0, 0, 0, 0), (1.0, 0, 0, 0), "1000", (np.nan, 0, 0, 1)])
def test_quaternions_are_four_rational_numbers(q):
    for f in (exact.rotation_matrix, lambda q: exact.wigner_D(1, q), lambda q: exact.rational_D(1, q)):
        with pytest.raises(GeometryError, match="'q' must be four rational numbers"):
            f(q)


def test_numbers_that_are_none_are_refused():
    for wrong in (True, 1.0, "1", None, np.True_):
        with pytest.raises(DTypeError, match="'sign', 'p' and 'q' must be integers"):
            Surd(1, wrong, 2)
        with pytest.raises(DTypeError, match=r"Surd\.of: 'value'"):
            Surd.of(wrong)
    for wrong in ("1", None, np.nan, np.inf, 1j):
        with pytest.raises(DTypeError, match="round_fraction: 'value'"):
            round_fraction(wrong)
    for operation in (lambda s: s < "1", lambda s: s + 1, lambda s: s * "1", lambda s: 0.5 / s, lambda s: s >= None):
        with pytest.raises(TypeError):
            operation(Surd(1, 2))
    assert Surd(1, 2) != "1" and Surd(1, 4) != 2.0 and Surd(1, 4) == 2
    with pytest.raises(ArgumentError, match="fragment_polynomial: 'm' must be an integer from -l to l"):
        exact.fragment_polynomial(1, np.uint8(2))
    with pytest.raises(GeometryError, match="'r' must be a vector"):
        exact.solid_harmonic(1, 0).evaluate([1, 2])
    with pytest.raises(GeometryError, match="quaternion_product: 'q' must have four entries"):
        exact.quaternion_product(TURN, 1)


def test_plain_keeps_what_is_no_integer():
    a = object()
    assert plain(a) is a and plain(0.5) == 0.5 and type(plain(np.uint8(3))) is int
    assert as_rational(np.float32(0.25)) == Fraction(1, 4) and as_rational("1") is None


@pytest.mark.parametrize("name", DEGREES)
def test_degrees_beyond_any_use_are_refused_at_once(name):
    for huge in (10**6, 10**30, float(10**8)):
        with pytest.raises(ArgumentError, match="must be"):
            DEGREES[name](huge)


def test_matrices_of_a_reduction_are_square_and_exact():
    from nbody_ref.errors import ShapeError
    from nbody_ref.exact.reduction import cartesian_tensors, null_space, reduce_representation

    with pytest.raises(ArgumentError, match="must be a function of q"):
        reduce_representation([[1]])
    wrong = (
        ([[1, 2]], ShapeError),
        ([], ShapeError),
        ([["1"]], ArgumentError),
        (5, ShapeError),
        ([[np.nan]], ArgumentError),
    )
    for matrix, error in wrong:
        with pytest.raises(error, match="reduce_representation: "):
            reduce_representation(lambda q, matrix=matrix: matrix)
    with pytest.raises(ShapeError, match="of one size"):
        reduce_representation(cartesian_tensors(1), [[1]])
    assert reduce_representation(lambda q: np.ones((1, 1), np.int8)).irreps.dim == 1
    for rank in (-1, 1.5, 9, None):
        with pytest.raises(ArgumentError, match="cartesian_tensors: 'rank'"):
            cartesian_tensors(rank)
    with pytest.raises(ShapeError, match="null_space: 'rows' must have 2 entries"):
        null_space([[1]], 2)
    with pytest.raises(ArgumentError, match="inverse_power: 's' must be an integer"):
        definition.inverse_power(0.5)
    with pytest.raises(DTypeError, match="surd_sum: 'terms' must list surds"):
        exact.surd_sum(5)
    assert exact.surd_sum([1, HALF, Surd(1, 1, 4)]) == 2
