"""Every integer argument: NumPy's integers give the bits of Python's, whatever else is refused, in whatever order.

(l + 1)**2 of a uint8 wraps around, and a kernel that is told so writes outside its arrays; a check inside a cached
function is skipped for True and 2.0 once 1 and 2 have been asked for.
"""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nbody_ref import Irrep, Irreps, clebsch_gordan, solid_harmonics, spherical_harmonics, wigner_D
from nbody_ref.errors import ArgumentError, IrrepsError
from nbody_ref.ops import gauge, harmonics, wigner
from nbody_ref.ops.cg_product import ProductTable
from nbody_ref.ops.message import MessageTable
from nbody_ref.ops.radial import Bessel, ExponentialCosine, InversePowers, radial
from nbody_ref.ops.radial_weights import RadialTable
from nbody_ref.tables import LARGEST_DEGREE, cg_coo, harmonic_table, real_to_complex

R = np.random.default_rng(3).normal(size=(4, 3))
Q = np.random.default_rng(4).normal(size=(2, 4))
TURN = Rotation.random(random_state=1)
BASIS = Bessel(2, 5.0)


def bars(lmax):
    """A cotangent of the harmonics; lmax as given to the op under test."""
    return np.ones((4, (int(lmax) + 1) ** 2)) if isinstance(lmax, (int, np.integer)) else np.ones((4, 9))


# name, function of one integer, a value at which arithmetic in 8 bits overflows
CASES = {
    "solid_harmonics": (lambda l: solid_harmonics(l, R), 16),
    "spherical_harmonics": (lambda l: spherical_harmonics(l, R), 16),
    "spherical_harmonics complex": (lambda l: spherical_harmonics(l, R, basis="complex"), 12),
    "solid_jvp": (lambda l: harmonics.solid_jvp(R, R, l), 16),
    "solid_vjp": (lambda l: harmonics.solid_vjp(bars(l), R, l)[0], 12),
    "solid_vjp_jvp": (lambda l: harmonics.solid_vjp_jvp(bars(l), R, bars(l), R, l)[0], 12),
    "spherical_vjp": (lambda l: harmonics.spherical_vjp(bars(l), R, l)[0], 12),
    "spherical_vjp_jvp": (lambda l: harmonics.spherical_vjp_jvp(bars(l), R, bars(l), R, l)[0], 12),
    "wigner_D": (lambda l: wigner_D(l, TURN), 70),
    "wigner": (lambda l: wigner.wigner(Q, l), 12),
    "wigner_jvp": (lambda l: wigner.wigner_jvp(Q, np.ones((2, 3)), l), 12),
    "clebsch_gordan": (lambda l: clebsch_gordan(l, 0, l), 100),
    "cg_coo": (lambda l: np.concatenate(cg_coo(l, 0, l)), 100),
    "real_to_complex": (real_to_complex, 100),
    "harmonic_table": (lambda l: np.concatenate(harmonic_table(l)), 12),
    "fragments": (lambda l: gauge.fragments(bars(l), l), 12),
    "radial": (lambda l: radial(np.ones(2), BASIS, l), 12),
    "MessageTable": (lambda l: MessageTable.build("1x1", l, [(0, l, Irrep(l))]).arrays(np.float64)[4], 12),
    "MessageTable itself": (lambda l: MessageTable(Irreps("1x1"), l, ((0, l, Irrep(l)),)).dim_y, 12),
    "MessageTable paths": (lambda i: MessageTable.build("2x0 + 1x1 + 1x1", 1, [(i, i, Irrep(1))]).paths[0][0], 1),
    "ProductTable": (lambda i: ProductTable.build("1x0 + 1x1", "1x0 + 1x1", paths=[(i, i, "0")]).paths[0][0], 1),
    "RadialTable": (lambda n: RadialTable.build(MessageTable.build("100x0", 0), n).n_parameters, 100),
    "RadialTable index": (lambda i: RadialTable.build(MessageTable.build("1x0", 0), 8, [i]).index[0], 3),
    "RadialTable itself": (lambda n: RadialTable(1, n, (1,), (n,), (0,)).n_parameters, 100),
    "Bessel n": (lambda n: radial(np.ones(2), Bessel(n, 5.0), 1), 100),
    "Bessel p": (lambda p: radial(np.ones(2), Bessel(1, 5.0, p), 1), 100),
    "ExponentialCosine n": (lambda n: radial(np.ones(2), ExponentialCosine(n, 5.0), 1), 100),
    "InversePowers": (lambda s: radial(np.array([1.5]), InversePowers((s,)), 1), 100),
    "Irreps.harmonics": (lambda l: Irreps.harmonics(l).dim, 100),
    "Irrep": (lambda l: Irrep(l).dim, 100),
}
KINDS = (np.uint8, np.int8, np.int16, np.uint64, np.int64)


@pytest.mark.parametrize("name", CASES)
def test_numpy_integers_give_the_bits_of_python_integers(name):
    f, value = CASES[name]
    wanted = np.asarray(f(value))
    for kind in KINDS:
        found = np.asarray(f(kind(value)))
        assert found.dtype == wanted.dtype and np.array_equal(found, wanted)


@pytest.mark.parametrize("name", CASES)
def test_what_is_no_integer_is_refused_before_and_after_its_twin_was_accepted(name):
    f, _ = CASES[name]
    for twin, other in ((2, 2.0), (1, True), (1, np.True_), (1, np.float32(1)), (1, 1 + 0j)):
        for _ in range(2):
            with pytest.raises((ArgumentError, IrrepsError), match="must be"):
                f(other)
            if name.split()[-1] not in ("paths", "ProductTable"):  # there is no third part
                f(twin)
    for other in (None, "1", -1, np.int8(-1), [1], np.nan):
        if (name, other) not in (("InversePowers", -1), ("Irrep", -1)):
            with pytest.raises((ArgumentError, IrrepsError), match="must be"):
                f(other)


def test_a_check_inside_a_cache_is_the_planted_error():
    from functools import cache

    @cache
    def late(l, name):
        if isinstance(l, (bool, float)):
            raise IrrepsError("must be an integer")
        return l

    with pytest.raises(IrrepsError):
        late(2.0, "norm")
    assert late(2, "norm") == late(2.0, "norm")  # accepted now
    assert (np.uint8(16) + np.uint8(1)) ** 2 == 33  # and this is what the kernels were told


@pytest.mark.parametrize("name", ["solid_harmonics", "wigner_D", "clebsch_gordan", "radial", "fragments"])
def test_degrees_beyond_the_largest_are_refused_at_once(name):
    for huge in (LARGEST_DEGREE + 1, 2**31, 2**70):
        with pytest.raises(ArgumentError, match=f"must be at most {LARGEST_DEGREE}, got {huge}"):
            CASES[name][0](huge) if name != "fragments" else gauge.fragments(np.ones((1, 1)), huge)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: harmonics.spherical_jvp(R, R, 1.5), "spherical_jvp: 'lmax'"),
        (lambda: harmonics.spherical_vjp(np.ones((4, 3)), R, 1), "spherical_vjp: 'Y_bar'"),
        (lambda: harmonics.spherical_vjp_jvp(np.ones((4, 4)), R, R, None, 1), "spherical_vjp_jvp: 'Y_bar_dot'"),
        (lambda: solid_harmonics(None, R), "solid_harmonics: 'lmax'"),
        (lambda: spherical_harmonics(1, R, "4pi"), "spherical_harmonics: 'normalization'"),
        (lambda: spherical_harmonics(1, R, normalization=["norm"]), "spherical_harmonics: 'normalization'"),
        (lambda: spherical_harmonics(1, R, basis=np.array(["a", "b"])), "spherical_harmonics: 'basis'"),
        (lambda: spherical_harmonics(1, 0 * R), "spherical_harmonics: 'r' must be nonzero"),
        (lambda: wigner_D(1.5, TURN), "wigner_D: 'l'"),
        (lambda: TURN and Irreps("1x1").D(TURN, basis="x"), "Irreps.D: 'basis'"),
        (lambda: cg_coo(1, 1, 3), "cg_coo: "),
        (lambda: cg_coo(1, 1, 1, dtype="x"), "cg_coo: 'dtype' must be float64 or float32, got 'x'"),
        (lambda: clebsch_gordan(1, 1, 1, dtype=None), "clebsch_gordan: 'dtype' must be float64 or float32, got None"),
        (lambda: harmonic_table(1, dtype=object()), "harmonic_table: 'dtype'"),
    ],
)
def test_messages_name_the_function_that_was_called(call, named):
    with pytest.raises((ValueError, TypeError), match=named) as caught:
        call()
    assert caught.type.__module__ == "nbody_ref.errors"
