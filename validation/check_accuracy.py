"""The accuracy law, docs/accuracy.md: |error| <= k u S for correct operations, and not for lower precision.

Truth is certified: inputs are dyadic rationals, couplings are enclosed by integers of 300 bits, and all sums are sums
of integers, so that the error of the truth itself is below 2^-200 of the bound it is compared with.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
from _certified import KINDS, MODE, inputs, integers, message_k, mixing_k, product_k, share, truth
from _claims import Cases, claim, main
from _formulas import (
    CHANNELWISE,
    EDGE_KIND,
    EDGES,
    FULL,
    KIND,
    MESSAGE,
    MIXING,
    N_RADIAL,
    PSI,
    SQUARE,
    WEIGHTS,
    A,
    B,
    Hyper,
    message_formula,
    mixing_formula,
    neighbour_formula,
    product_formula,
    weights_formula,
)
from _low import FORMATS, rounded, short

from nbody_ref.graphs import Edges
from nbody_ref.ops import cg_product, message, mixing, neighbour_sum, radial_weights

Array = np.ndarray[Any, Any]
NEIGHBOURS = np.bincount(EDGES.receivers.astype(int), minlength=EDGES.n_receivers)
OPERATIONS: dict[str, Any] = {
    "message": (
        lambda *x: message.message(*x, EDGES, MESSAGE),
        message_formula,
        ((4, PSI.dim), (6, 9), (6, MESSAGE.n_weights)),
        1,
        message_k(MESSAGE, EDGES),
    ),
    "cg_product, full": (
        lambda *x: cg_product.cg_product(*x, FULL),
        product_formula(FULL),
        ((2, A.dim), (2, B.dim)),
        1,
        product_k(FULL),
    ),
    "cg_product, channelwise": (
        lambda *x: cg_product.cg_product(*x, CHANNELWISE),
        product_formula(CHANNELWISE),
        ((2, SQUARE.dim), (2, SQUARE.dim)),
        1,
        product_k(CHANNELWISE),
    ),
    "mixing": (
        lambda *x: mixing.mixing(*x, KIND, MIXING),
        mixing_formula,
        ((4, MIXING.irreps_in.dim), (2, MIXING.n_weights)),
        0,
        mixing_k(MIXING),
    ),
    "neighbour_sum": (
        lambda x: neighbour_sum.neighbour_sum(x, EDGES),
        neighbour_formula,
        ((4, 3),),
        0,
        np.maximum(NEIGHBOURS[:, None] - 1, 0),
    ),
    "radial_weights": (
        lambda *x: radial_weights.radial_weights(*x, EDGE_KIND, WEIGHTS),
        weights_formula,
        ((6, 3, N_RADIAL), (2, WEIGHTS.n_parameters)),
        0,
        np.int64(-(-N_RADIAL // 4) + 3),
    ),
}


def shares(found: Array, arrays: list[Array], name: str, u: Fraction) -> Iterator[tuple[Any, float]]:
    """Share of the gate of every component."""
    _, formula, _, couplings, k = OPERATIONS[name]
    value, size = (truth(formula, arrays, couplings, absolute) for absolute in (False, True))
    chain = np.broadcast_to(k, value.shape)
    for index in np.ndindex(value.shape):
        yield index, share(found[index], value[index], size[index], int(chain[index]), u)


def run(name: str, arrays: list[Array]) -> Array:
    """The package's operation."""
    return OPERATIONS[name][0](*arrays)


def inputs_of(bits: int) -> Callable[[str, list[Array]], Array]:
    """Planted: inputs held with fewer bits, as by tensor cores or a smaller storage format."""
    return lambda name, arrays: run(name, [rounded(x, bits) for x in arrays])


def accumulators_of(bits: int) -> Callable[[str, list[Array]], Array]:
    """Planted: right inputs, couplings and products, every partial sum rounded to fewer bits."""

    def evaluate(name: str, arrays: list[Array]) -> Array:
        MODE["now"] = "float"
        found = OPERATIONS[name][1](*(Hyper({0: short(x, bits)}) for x in arrays)).parts[0]
        return np.array([float(v) for v in found.flat]).reshape(found.shape).astype(arrays[0].dtype)

    return evaluate


@claim(
    "8.6",
    "docs/accuracy.md",
    "|error| <= gamma_k S for every multilinear operation, two precisions: signed, "
    "positive, equal, badly scaled and cancelling inputs",
    "integers, 300-bit couplings",
    {"run": run},
    {
        "TF32 inputs": {"run": inputs_of(FORMATS["TF32"])},
        "bfloat16 inputs": {"run": inputs_of(FORMATS["bfloat16"])},
        "float16 accumulation": {"run": accumulators_of(FORMATS["float16"])},
        "bfloat16 accumulation": {"run": accumulators_of(FORMATS["bfloat16"])},
        "TF32 accumulation": {"run": accumulators_of(FORMATS["TF32"])},
        "rows reversed": {"run": lambda name, arrays: run(name, arrays)[::-1]},
    },
    "k u S, k of the page",
)
def accuracy(subject: SimpleNamespace, full: bool) -> Cases:
    names = list(OPERATIONS) if full else ["cg_product, channelwise", "mixing", "radial_weights"]
    for dtype, u in ((np.float32, Fraction(1, 2**24)), (np.float64, Fraction(1, 2**53))):
        for name in names:
            for kind in KINDS if full else KINDS[:2]:
                for seed in range(3 if full else 1):
                    arrays = inputs(kind, OPERATIONS[name][2], dtype, seed)
                    for index, found in shares(subject.run(name, arrays), arrays, name, u):
                        yield (np.dtype(dtype).name, name, kind, seed, index), found


def long_sum(n: int, x: Array) -> Array:
    """The package's sum of n neighbours."""
    edges = Edges.build(np.zeros(n, int), np.arange(n), 1, n)
    return neighbour_sum.neighbour_sum(x, edges)[0]


def sums_of(bits: int) -> Callable[[int, Array], Array]:
    """Planted: every partial sum rounded to fewer bits."""

    def evaluate(n: int, x: Array) -> Array:
        total = np.zeros(x.shape[1])
        for row in x.astype(np.float64):
            total = rounded(total + row, bits)
        return total.astype(x.dtype)

    return evaluate


@claim(
    "8.7",
    "docs/accuracy.md",
    "long sums of equal, positive and signed terms, to 10^4 terms, float32 and float64: (n - 1) u S",
    "integer sums",
    {"sum": long_sum},
    {
        "one term of 10^4 dropped, float64": {"sum": lambda n, x: long_sum(n - 1, x[:-1])},
        **{f"{name} accumulation": {"sum": sums_of(bits)} for name, bits in FORMATS.items()},
    },
    "(n - 1) u S",
)
def long_sums(subject: SimpleNamespace, full: bool) -> Cases:
    rng = np.random.default_rng(24)
    for dtype, u in ((np.float64, Fraction(1, 2**53)), (np.float32, Fraction(1, 2**24))):
        for n in (2, 10, 100, 1000, 10000) if full else (2, 100):
            x = np.stack([np.full(n, 0.1), np.abs(rng.standard_normal(n)), rng.standard_normal(n)], 1).astype(dtype)
            found = subject.sum(n, x)
            whole = integers(x)
            for column in range(3):
                exact_sum, size = whole[:, column].sum(), abs(whole[:, column]).sum()
                error = abs(Fraction(float(found[column])) - Fraction(exact_sum, 2**200))
                yield (np.dtype(dtype).name, n, column), float(error / ((n - 1) * u * Fraction(size, 2**200)))


if __name__ == "__main__":
    sys.exit(main())
