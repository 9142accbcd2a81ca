"""Every function of every op, every argument, whatever a user may pass: an answer, or an error of the package.

Layouts that hold the same numbers (Fortran order, negative strides, read-only, unaligned, lists) give the same bits.
"""

import numpy as np
import pytest
import scipy.sparse

from nbody_ref.errors import NBodyRefError, ShapeError
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irreps
from nbody_ref.ops import (
    activation,
    arrange,
    cg_product,
    distance,
    gauge,
    harmonics,
    learned_radial,
    linear,
    message,
    mixing,
    neighbour_sum,
    norm,
    radial,
    radial_weights,
    wigner,
)

RNG = np.random.default_rng(0)
EDGES = Edges.build([0, 0, 1, 2], [1, 2, 2, 0], 3, 3)
MESSAGE = message.MessageTable.build("2x0e + 2x1o", 1)
PRODUCT = cg_product.ProductTable.build("2x0e + 1x1o", "1x1o")
MIXING = mixing.MixingTable.build("2x0e + 3x1o", "4x1o + 1x0e")
TAU = Irreps("2x0e + 1x1o")
RADIAL = radial_weights.RadialTable.build(MESSAGE, 3)
COPIES = radial_weights.RadialTable.build(MESSAGE, 3, [0] * len(MESSAGE.paths))
KIND = np.array([0, 1, 0, 1], np.uintp)


def draw(*shape):
    return RNG.normal(size=shape)


# module, name, differentiated arrays, statics, shape and dtype of the result
OPS = [
    (harmonics, "solid", [draw(4, 3)], [2, "norm"], draw(4, 9)),
    (harmonics, "spherical", [draw(4, 3)], [2, "norm"], draw(4, 9)),
    (gauge, "fragments", [draw(4, 9)], [2], draw(4, 9) + 0j),
    (radial, "radial", [np.abs(draw(4)) + 0.1], [radial.Bessel(3, 5.0), 1], draw(4, 2, 3)),
    (
        radial_weights,
        "radial_weights",
        [draw(4, 2, 3), draw(2, RADIAL.n_parameters)],
        [KIND, RADIAL],
        draw(4, RADIAL.n_weights),
    ),
    (radial_weights, "radial_copies", [draw(4, 2, 3)], [COPIES], draw(4, COPIES.n_weights)),
    (distance, "relative", [draw(3, 3), draw(3, 3)], [EDGES], draw(4, 3)),
    (distance, "distance", [draw(4, 3)], [EDGES], draw(4)),
    (neighbour_sum, "neighbour_sum", [draw(3, 5)], [EDGES], draw(3, 5)),
    (
        message,
        "message",
        [draw(3, 8), draw(4, 4), draw(4, MESSAGE.n_weights)],
        [EDGES, MESSAGE],
        draw(3, MESSAGE.irreps_out.dim),
    ),
    (cg_product, "cg_product", [draw(3, 5), draw(3, 3)], [PRODUCT], draw(3, PRODUCT.irreps_out.dim)),
    (mixing, "mixing", [draw(3, 11), draw(2, MIXING.n_weights)], [KIND[:3], MIXING], draw(3, 13)),
    (activation, "activation", [draw(4, 3)], [activation.Activation("silu")], draw(4, 3)),
    (norm, "norms", [draw(4, 5)], [TAU, 0.5], draw(4, 3)),
    (norm, "squared_norms", [draw(4, 5)], [TAU], draw(4, 3)),
    (arrange, "take", [draw(4, 5)], [((0, 2), (1, 5))], draw(4, 6)),
    (arrange, "add", [draw(4, 5), draw(4, 5)], [], draw(4, 5)),
    (arrange, "rescale", [draw(4, 5)], [((2.0, 3), (0.5, 2))], draw(4, 5)),
    (arrange, "bias", [draw(4, 5), draw(2, 5)], [KIND], draw(4, 5)),
    (arrange, "complex_from_pairs", [draw(4, 6)], [], draw(4, 3) + 0j),
    (arrange, "pairs_from_complex", [draw(4, 3) + 0j], [], draw(4, 6)),
    (learned_radial, "sine_powers", [np.abs(draw(4)) + 0.1, draw(1, 3), draw(1, 3)], [3], draw(4, 12)),
    (learned_radial, "soft_cutoff", [np.abs(draw(4)) + 0.1, draw(1, 3), draw(1, 3)], [], draw(4, 3)),
    (linear, "concat", [draw(3, 2), draw(3, 4)], [], draw(3, 6)),
    (linear, "cast", [draw(3, 2)], [np.float32], draw(3, 2).astype(np.float32)),
    (linear, "affine", [draw(3, 3)], [scipy.sparse.csr_array(np.eye(3))], draw(3, 3)),
]
D = wigner.wigner(draw(2, 4), 2)
CASES = {
    "wigner": (wigner.wigner, [draw(2, 4), 2, "real"], 1),
    "wigner_jvp": (wigner.wigner_jvp, [draw(2, 4), draw(2, 3), 2, "real"], 2),
    "wigner_vjp": (wigner.wigner_vjp, [D, draw(2, 4), 2, "real"], 2),
    "wigner_vjp_jvp": (wigner.wigner_vjp_jvp, [D, draw(2, 4), D, draw(2, 3), 2, "real"], 4),
}
for _module, _name, _arrays, _statics, _bar in OPS:
    _dots = [draw(*x.shape).astype(x.dtype) for x in _arrays]
    CASES |= {
        _name: (getattr(_module, _name), [*_arrays, *_statics], len(_arrays)),
        f"{_name}_jvp": (getattr(_module, f"{_name}_jvp"), [*_arrays, *_dots, *_statics], 2 * len(_arrays)),
        f"{_name}_vjp": (getattr(_module, f"{_name}_vjp"), [_bar, *_arrays, *_statics], 1 + len(_arrays)),
        f"{_name}_vjp_jvp": (
            getattr(_module, f"{_name}_vjp_jvp"),
            [_bar, *_arrays, _bar.copy(), *_dots, *_statics],
            2 + 2 * len(_arrays),
        ),
    }


def hostile(value):
    """What may come in place of an argument."""
    yield from (None, "x", 5, -1, 2.5, True, [], (), {}, "", int, print, 1j, np.nan, object(), [[1, 2], [3]], 10**30)
    yield from (np.float64(1), np.ma.masked, np.zeros(0), np.ones((1, 1, 1, 1)), np.array(["a"]))
    if isinstance(value, np.ndarray):
        for dtype in (np.int64, np.float16, np.longdouble, object, bool, value.dtype.newbyteorder(">"), "U5"):
            yield value.real.astype(dtype)
        yield from (value * 1j, value[None], value[:-1], value[:0], value[..., :0], np.ma.array(value))
        if value.dtype.kind in "fc":
            yield from (value * np.nan, value * np.inf, value * 0, value.real.astype(np.float32))


def unaligned(x):
    memory = np.zeros(x.nbytes + 1, np.uint8)
    view = memory[1:].view(x.dtype) if x.itemsize == 1 else np.frombuffer(memory, x.dtype, x.size, 1)
    view = view.reshape(x.shape)
    view[...] = x
    return view


def read_only(x):
    copy = x.copy()
    copy.setflags(write=False)
    return copy


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "negative strides": lambda x: x[::-1].copy()[::-1],
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "unaligned": unaligned,
    "read-only": read_only,
    "list": lambda x: x.tolist(),
}


def same(found, wanted):
    if isinstance(found, tuple):
        return all(same(a, b) for a, b in zip(found, wanted, strict=True))
    return np.array_equal(found, wanted) and getattr(found, "dtype", None) == getattr(wanted, "dtype", None)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")  # infinities times zeros: they stay visible as NaN
def test_whatever_is_passed_the_answer_is_a_number_or_an_error_of_the_package(name):
    function, arguments, _ = CASES[name]
    function(*arguments)
    for i, argument in enumerate(arguments):
        for wrong in hostile(argument):
            try:
                function(*arguments[:i], wrong, *arguments[i + 1 :])
            except NBodyRefError as error:
                assert ": " in str(error)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_the_layout_of_an_array_does_not_change_a_bit(name, layout):
    function, arguments, count = CASES[name]
    if name.startswith(("cast_vjp", "pairs_from_complex")) and layout == "list":
        return  # a list is float64, and a cotangent must have the dtype of the result
    if layout == "read-only" and name not in ("solid", "wigner", "mixing", "message", "cg_product"):
        return  # a kernel is compiled anew for read-only arrays, which takes its time
    wanted = function(*arguments)
    for i in range(count):
        other = LAYOUTS[layout](arguments[i])
        assert same(function(*arguments[:i], other, *arguments[i + 1 :]), wanted)


@pytest.mark.parametrize("name", [name for name in CASES if name.endswith(("_vjp", "_vjp_jvp"))])
def test_flags_of_wanted_adjoints_are_checked_by_every_op(name):
    function, arguments, _ = CASES[name]
    count = len(function(*arguments))
    for wrong in ((True,) * (count + 1), (), True, "x" * (count + 1), [[True]], [[True, False], True]):
        with pytest.raises(ShapeError, match="'needs' must have"):
            function(*arguments, needs=wrong)
    assert function(*arguments, needs=(False,) * count) == (None,) * count
    numpy_flags = function(*arguments, needs=np.ones(count, bool))
    assert same(numpy_flags, function(*arguments)) and None not in [type(x) for x in numpy_flags]


@pytest.mark.parametrize("name", ["solid", "spherical", "wigner"])
def test_out_that_cannot_be_written_is_refused(name):
    function, arguments, _ = CASES[name]
    wanted = function(*arguments)
    for make, error in (
        (lambda: read_only(wanted), "writable"),
        (lambda: np.asfortranarray(wanted) if len(wanted) > 1 else wanted[:, ::1], "contiguous"),
        (lambda: wanted[:-1], "shape"),
        (lambda: wanted.astype(np.float32), "float64"),
        (lambda: wanted.tolist(), "NumPy array"),
        (lambda: 5, "NumPy array"),
    ):
        with pytest.raises(NBodyRefError, match=f"'out' must .*{error}"):
            function(*arguments, out=make())
    out = np.full_like(wanted, np.nan)
    assert function(*arguments, out=out) is out and np.array_equal(out, wanted)


def test_out_in_the_memory_of_an_argument_is_refused():
    memory = draw(9)
    with pytest.raises(ShapeError, match="'out' must have its own memory"):
        harmonics.solid_harmonics(2, memory[:3], out=memory)
    with pytest.raises(ShapeError, match="'out' must have its own memory"):
        harmonics.spherical_harmonics(2, memory[6:], out=memory)
