"""The gate by degree and precision, docs/accuracy.md: the distribution of rho = |error| / (u S), every value certified.

One operation at a time on parts of one degree l, inputs of five kinds; complex products count by components.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from _certified import (
    KINDS,
    MODE,
    ROUNDOFF,
    components,
    inputs,
    message_k,
    mixing_k,
    product_k,
    share,
)
from _claims import Cases, claim, main
from _formulas import Hyper, message_of, mixing_of, neighbours_of, product_formula
from _low import FORMATS, rounded, short

from nbody_ref import Irrep
from nbody_ref.graphs import Edges
from nbody_ref.ops import cg_product, message, mixing, neighbour_sum

Array = np.ndarray[Any, Any]
LMAX = 8
EDGES = Edges.build([0, 0, 0, 0, 0, 1], [0, 1, 2, 3, 4, 1], 2, 5)
KIND = np.array([1, 0, 1], np.uintp)
Operation = tuple[Callable[..., Array], Callable[..., Hyper], tuple[tuple[int, ...], ...], int, Any]


@cache
def operations(l: int) -> dict[str, Operation]:
    """On parts of degree l: the package's function, its formula, shapes, number of couplings and k."""
    one, square = f"2x{l}", (l + 1) ** 2
    table = cg_product.ProductTable.build(one, one, "channelwise", out=(Irrep(l),))
    sent = message.MessageTable.build(one, l, paths=((0, l, Irrep(l)),))
    mixed = mixing.MixingTable.build(f"7x{l}", one)
    dim = 2 * l + 1
    neighbours = np.array([[4], [0]])
    return {
        "cg_product": (
            lambda a, b: cg_product.cg_product(a, b, table),
            product_formula(table),
            ((2, 2 * dim), (2, 2 * dim)),
            1,
            product_k(table),
        ),
        "message": (
            lambda *x: message.message(*x, EDGES, sent),
            message_of(sent, EDGES),
            ((5, 2 * dim), (6, square), (6, sent.n_weights)),
            1,
            message_k(sent, EDGES),
        ),
        "mixing": (
            lambda F, W: mixing.mixing(F, W, KIND, mixed),
            mixing_of(mixed, KIND),
            ((3, 7 * dim), (2, mixed.n_weights)),
            0,
            mixing_k(mixed),
        ),
        "neighbour_sum": (
            lambda x: neighbour_sum.neighbour_sum(x, EDGES),
            neighbours_of(EDGES, dim),
            ((5, dim),),
            0,
            neighbours,
        ),
    }


def run(name: str, l: int, arrays: list[Array]) -> Array:
    """The package's operation."""
    return operations(l)[name][0](*arrays)


def accumulators_of(bits: int) -> Callable[[str, int, list[Array]], Array]:
    """Planted: every partial sum of real numbers rounded to fewer bits."""

    def evaluate(name: str, l: int, arrays: list[Array]) -> Array:
        if arrays[0].dtype.kind == "c":
            return rounded(run(name, l, arrays), bits)
        MODE["now"] = "float"
        found = operations(l)[name][1](*(Hyper({0: short(x, bits)}) for x in arrays)).parts[0]
        return np.array([float(v) for v in found.flat]).reshape(found.shape).astype(arrays[0].dtype)

    return evaluate


def drawn(kind: str, shapes: Any, dtype: str, seed: int) -> list[Array]:
    """Inputs of one kind; complex ones have independent real and imaginary parts."""
    real = "float32" if dtype in ("float32", "complex64") else "float64"
    first = inputs(kind, shapes, real, seed)
    if dtype == real:
        return first
    return [(a + 1j * b).astype(dtype) for a, b in zip(first, inputs(kind, shapes, real, seed + 100))]


def certified(name: str, l: int, dtype: str, full: bool) -> Iterator[tuple[Any, list[Array], list[Any]]]:
    """Inputs, with values and S of their results."""
    _, formula, shapes, couplings, _ = operations(l)[name]
    for kind in KINDS if full else KINDS[::4]:
        for seed in range(2 if full else 1):
            arrays = drawn(kind, shapes, dtype, seed)
            yield (kind, seed), arrays, list(components(formula, arrays, couplings))


KEPT: dict[Any, Any] = {}


@claim(
    "8.10",
    "docs/accuracy.md",
    "gate and distribution of rho by operation, four precisions and degree l <= 8",
    "integers, 300-bit couplings",
    {"run": run},
    {f"{name} accumulation": {"run": accumulators_of(bits)} for name, bits in FORMATS.items()},
    "k u S, k of the page",
    rho=lambda case: (case[:3], case[3]),
)
def by_degree(subject: SimpleNamespace, full: bool) -> Cases:
    for l in range(LMAX + 1) if full else (0, 2):
        for name in operations(l):
            for dtype in ("float64", "float32", "complex128", "complex64") if full else ("float32",):
                key = name, l, dtype, full
                if key not in KEPT:
                    KEPT[key] = list(certified(*key))
                u = ROUNDOFF["float32" if dtype in ("float32", "complex64") else "float64"]
                for what, arrays, truth in KEPT[key]:
                    yield from compared(subject, (name, dtype, l), what, arrays, truth, u)


def compared(subject: SimpleNamespace, label: Any, what: Any, arrays: list[Array], truth: Any, u: Fraction) -> Cases:
    """Share of the gate of every real component."""
    name, _, l = label
    found = subject.run(name, l, arrays)
    extra = len(arrays) - 1 if found.dtype.kind == "c" else 0  # a complex product is a sum of two products
    for imaginary, (value, size) in enumerate(truth):
        numbers = found.imag if imaginary else found.real
        k = np.broadcast_to(operations(l)[name][4], value.shape)
        for index in np.ndindex(value.shape):
            chain = int(k[index]) + extra
            yield (
                (*label, chain, what, imaginary, index),
                share(numbers[index], value[index], size[index], chain, u),
            )


if __name__ == "__main__":
    sys.exit(main())
