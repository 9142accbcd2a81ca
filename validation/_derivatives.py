"""What the judges of derivatives share: hyper-dual differentiation of formulas, integer inputs, planted errors.

Integers stand in for the Clebsch-Gordan coefficients, at the places of those that are not zero and with their symmetry
under exchange of the factors, so that floating point is exact; every derivative is linear in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import _formulas
import numpy as np
from _formulas import Hyper

from nbody_ref.ops import cg_product, message_table
from nbody_ref.tables import CGTable, cg_coo

Array = np.ndarray[Any, Any]
Four = tuple[Callable[..., Any], ...]
JUDGE = "formula of the page in hyper-dual integers"


def _integer(l1: int, a: int, l2: int, b: int, l: int, c: int) -> int:
    if (l1, a) > (l2, b):
        return (-1) ** (l1 + l2 - l) * _integer(l2, b, l1, a, l, c)
    return (3 * a + 5 * b + 7 * c + l1) % 11 - 5 or 6


def integer_coupling(l1: int, l2: int, l: int, basis: str = "real", dtype: Any = np.float64) -> CGTable:
    """Integers in place of the coefficients, distinct enough that no two places can be confused."""
    table = cg_coo(l1, l2, l, basis, dtype)
    values = [_integer(l1, int(a), l2, int(b), l, int(c)) for a, b, c, _ in zip(*table)]
    return CGTable(table.m1, table.m2, table.m, np.array(values, dtype))


def dense(l1: int, l2: int, l: int) -> Array:
    """The same as an array (m1, m2, m)."""
    m1, m2, m, value = integer_coupling(l1, l2, l)
    C = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1), np.int64)
    C[m1, m2, m] = value.astype(np.int64)
    return C


def use_integer_couplings() -> None:
    """From now on the package's products and the formulas both have integers for coefficients."""
    cg_product.cg_coo = integer_coupling
    message_table.cg_coo = integer_coupling
    _formulas.coupling = dense


def draw(rng: np.random.Generator, shape: tuple[int, ...], numbers: str = "real") -> Array:
    """Signed integers, none zero, or Gaussian integers."""
    real = rng.integers(1, 5, shape) * rng.choice([-1, 1], shape)
    return real if numbers == "real" else real + 1j * draw(rng, shape)


def differs(found: Any, expected: Array) -> int:
    """Number of wrong entries; None stands for zero."""
    return np.count_nonzero(expected) if found is None else int(np.count_nonzero(found != expected))


def derivatives(f: Callable[..., Hyper], arrays: list[Array], dots: list[Array]) -> tuple[Any, Any, Any, Any]:
    """Value, tangent, and for each array the value's and the tangent's derivative by each of its entries."""
    plain = f(*(Hyper({0: a, 2: v}) for a, v in zip(arrays, dots))).parts
    slopes, bends = [], []
    for k, array in enumerate(arrays):
        first, second = [], []
        for index in np.ndindex(array.shape):
            seed = np.zeros_like(array)
            seed[index] = 1
            inputs = [
                Hyper({0: a, 2: v, **({1: seed} if i == k else {})}) for i, (a, v) in enumerate(zip(arrays, dots))
            ]
            found = f(*inputs).parts
            first.append(found.get(1, 0 * plain[0]))
            second.append(found.get(3, 0 * plain[0]))
        slopes.append(np.array(first).reshape(*array.shape, *plain[0].shape))
        bends.append(np.array(second).reshape(*array.shape, *plain[0].shape))
    return plain[0], plain.get(2, 0 * plain[0]), slopes, bends


def pulled(slopes: list[Array], bar: Array) -> list[Array]:
    """Sum over the result of bar times the derivative."""
    return [np.tensordot(slope, bar, bar.ndim) for slope in slopes]


def floats(arrays: Sequence[Array]) -> list[Array]:
    """The same integers in double precision."""
    return [np.asarray(a, np.complex128 if np.iscomplexobj(a) else np.float64) for a in arrays]


def changed(functions: Callable[..., Four], place: int, change: Callable[[Any], Any]) -> Callable[..., Four]:
    """Planted: one of the four functions returns something else."""

    def planted(*names: Any) -> Four:
        four = list(functions(*names))
        original = four[place]

        def wrong(*args: Any, **kwargs: Any) -> Any:
            found = original(*args, **kwargs)
            return tuple(map(change, found)) if isinstance(found, tuple) else change(found)

        four[place] = wrong
        return tuple(four)

    return planted


def flip_first(x: Any) -> Any:
    """The first number with the other sign."""
    if x is None:
        return None
    x = np.array(x)
    x.flat[0] *= -1
    return x


def drop_last(x: Any) -> Any:
    """The last row zero, as from a dropped path or edge."""
    if x is None:
        return None
    x = np.array(x)
    x[-1] = 0
    return x


def four_cases(
    four: Four,
    statics: Sequence[Any],
    arrays: list[Array],
    dots: list[Array],
    bars: Sequence[Array],
    truth: tuple[Any, Any, Any, Any],
) -> Iterator[tuple[Any, int]]:
    """Wrong entries of f, jvp, vjp, vjp_jvp, absent tangents and unneeded cotangents included."""
    f, jvp, vjp, both = four
    (value, tangent, slopes, bends), x, v = truth, floats(arrays), floats(dots)
    bar, bar_dot = floats(bars)
    yield "f", differs(f(*x, *statics), value)
    yield "jvp", differs(jvp(*x, *v, *statics), tangent)
    pull, turned, moved = pulled(slopes, bars[0]), pulled(slopes, bars[1]), pulled(bends, bars[0])
    for k, found in enumerate(vjp(bar, *x, *statics)):
        yield ("vjp", k), differs(found, pull[k])
    for k, found in enumerate(both(bar, *x, bar_dot, *v, *statics)):
        yield ("vjp_jvp", k), differs(found, moved[k] + turned[k])
    for k in range(len(x)):
        alone = [a if i == k else None for i, a in enumerate(v)]
        yield ("jvp", k, "alone"), differs(jvp(*x, *alone, *statics), np.tensordot(dots[k], slopes[k], dots[k].ndim))
        needs = tuple(i == k for i in range(len(x)))
        only = vjp(bar, *x, *statics, needs=needs)
        extra = sum(a is not None for i, a in enumerate(only) if i != k)
        yield ("vjp", k, "needs"), differs(only[k], pull[k]) + extra
    for k, found in enumerate(both(bar, *x, None, *v, *statics)):
        yield ("vjp_jvp", k, "constant cotangent"), differs(found, moved[k])
    for k, found in enumerate(both(bar, *x, bar_dot, *[None] * len(v), *statics)):
        yield ("vjp_jvp", k, "constant arrays"), differs(found, turned[k])
