"""Every function of every op, every argument, whatever a user may pass: an answer, or an error of the package.

Layouts that hold the same numbers (Fortran order, negative strides, read-only, unaligned, lists) give the same bits.
"""

import numpy as np
import pytest

from nbody_ref.errors import NBodyRefError, ShapeError
from nbody_ref.ops import REGISTRY, harmonics

RNG = np.random.default_rng(0)


def like(shape, dtype):
    """Random numbers of a dtype."""
    parts = RNG.normal(size=(2, *shape))
    return (parts[0] + 1j * parts[1] if np.dtype(dtype).kind == "c" else parts[0]).astype(dtype)


def functions(op):
    """The four functions of an op: name, arguments made of its example, and how many of them are arrays."""
    arrays, statics = op.example(RNG)
    given = op.check(op.name, *arrays, *statics)
    dots = [like(n, x.dtype) for n, x in zip(given.dots or [x.shape for x in arrays], arrays, strict=True)]
    bar, bar_dot = like(given.shape, given.dtype), like(given.shape, given.dtype)
    n = len(arrays)
    yield op.name, (op.f, [*arrays, *statics], n)
    yield f"{op.name}_jvp", (op.jvp, [*arrays, *dots, *statics], 2 * n)
    yield f"{op.name}_vjp", (op.vjp, [bar, *arrays, *statics], 1 + n)
    yield f"{op.name}_vjp_jvp", (op.vjp_jvp, [bar, *arrays, bar_dot, *dots, *statics], 2 + 2 * n)


CASES = dict(case for op in REGISTRY.values() for case in functions(op))


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
    memory = RNG.normal(size=9)
    with pytest.raises(ShapeError, match="'out' must have its own memory"):
        harmonics.solid_harmonics(2, memory[:3], out=memory)
    with pytest.raises(ShapeError, match="'out' must have its own memory"):
        harmonics.spherical_harmonics(2, memory[6:], out=memory)
