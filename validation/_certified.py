"""Certified values of multilinear operations and of S, docs/accuracy.md: dyadic inputs, 300-bit couplings, integers.

The error of the truth itself is below 2^-200 of the bound it is compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import product as every
from typing import Any

import _formulas
import numpy as np
from _formulas import Hyper
from _judge import of_surd

from nbody_ref import clebsch_gordan, exact

Array = np.ndarray[Any, Any]
ROUNDOFF = {"float32": Fraction(1, 2**24), "float64": Fraction(1, 2**53)}
KINDS = ("signed", "positive", "equal", "sizes", "cancelling")
BITS = 300


@cache
def coupling(l1: int, l2: int, l: int) -> Array:
    """2^BITS times the real coupling, rounded down: integers."""
    C = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1), object)
    for a, b, c, value in exact.cg_table_real(l1, l2, l):
        sign, square = of_surd(value)
        C[a + l1, b + l2, c + l] = sign * math.isqrt((square.numerator << 2 * BITS) // square.denominator)
    return C


@cache
def float_coupling(l1: int, l2: int, l: int) -> Array:
    """The package's table as Python floats."""
    return clebsch_gordan(l1, l2, l).astype(object)


COUPLINGS = {"exact": coupling, "absolute": lambda *l: abs(coupling(*l)), "float": float_coupling}
MODE = {"now": "exact"}  # which of these the formulas use
_formulas.coupling = lambda l1, l2, l: COUPLINGS[MODE["now"]](l1, l2, l)


def integers(x: Array) -> Array:
    """2^200 times the numbers, exactly."""
    found = np.array([int(Fraction(float(v)) * 2**200) for v in x.flat], object)
    return found.reshape(x.shape)


def truth(formula: Callable[..., Hyper], arrays: Sequence[Array], couplings: int, absolute: bool) -> Array:
    """Exact value, or S, as an array of Fractions."""
    MODE["now"] = "absolute" if absolute else "exact"
    whole = [abs(integers(a)) if absolute else integers(a) for a in arrays]
    found = formula(*(Hyper({0: a}) for a in whole)).parts[0]
    unit = 1 << (200 * len(arrays) + BITS * couplings)
    return np.array([Fraction(int(v), unit) for v in found.flat], object).reshape(found.shape)


def per_part(irreps: Any, k: Callable[[int], int]) -> Array:
    """k of every component of a flat state, given by part."""
    return np.concatenate([np.full(part.dim, k(i)) for i, part in enumerate(irreps)])


def degree(irreps: Any, k: int) -> int:
    """Degree of a part."""
    return irreps[k].irrep.l


def product_k(table: Any) -> Array:
    """ceil(n/2) + 4, n the largest number of terms of a component."""

    def count(p: int) -> int:
        i, j, irrep = table.paths[p]
        C = coupling(degree(table.irreps_a, i), degree(table.irreps_b, j), irrep.l)
        return -(-int((C != 0).sum(axis=(0, 1)).max()) // 2) + 4

    return per_part(table.irreps_out, count)


def mixing_k(table: Any) -> Array:
    """mul/4 + mul mod 4 + 3, mul channels in all."""

    def count(p: int) -> int:
        mul = table.irreps_in.count(table.irreps_out[p].irrep)
        return mul // 4 + mul % 4 + 3

    return per_part(table.irreps_out, count)


def message_k(table: Any, edges: Any) -> Array:
    """Neighbours of the receiver and 2 l1 + 5."""
    degrees = [degree(table.irreps_in, part) for part, _, _ in table.paths]
    neighbours = np.bincount(edges.receivers.astype(int), minlength=edges.n_receivers)
    return neighbours[:, None] + per_part(table.irreps_out, lambda p: 2 * degrees[p] + 5)


def inputs(kind: str, shapes: Sequence[tuple[int, ...]], dtype: Any, seed: int) -> list[Array]:
    """Signed, positive, equal, of very different sizes, or nearly cancelling numbers."""
    rng = np.random.default_rng([23, seed])
    found = []
    for shape in shapes:
        x = rng.standard_normal(shape)
        if kind == "positive":
            x = np.abs(x)
        elif kind == "equal":
            x = np.full(shape, 0.7)
        elif kind == "sizes":
            x *= 2.0 ** rng.integers(-20, 20, shape)
        elif kind == "cancelling":
            x = rng.choice([-1.0, 1.0], shape) * (1 + x * 2.0**-20)
        found.append(x.astype(dtype))
    return found


def share(found: float, value: Fraction, size: Fraction, k: int, u: Fraction) -> float:
    """|error| / (gamma_k S); without terms, or with k = 0, the result must be exact."""
    if not math.isfinite(found):
        return math.inf
    error, gate = abs(Fraction(float(found)) - value), k * u / (1 - k * u) * size
    return float(error / gate) if gate else (0.0 if error <= Fraction(1, 2**190) * max(size, 1) else 2.0)


def components(formula: Callable[..., Hyper], arrays: Sequence[Array], couplings: int) -> Iterator[tuple[Any, Any]]:
    """Value and S of the real part, and of the imaginary part if there is one: complex products by components."""
    if arrays[0].dtype.kind != "c":
        yield truth(formula, arrays, couplings, False), truth(formula, arrays, couplings, True)
        return
    for odd in (0, 1):
        value, size = 0, 0
        for choice in every((0, 1), repeat=len(arrays)):
            if sum(choice) % 2 == odd:
                parts = [a.imag if imag else a.real for a, imag in zip(arrays, choice)]
                value = value + truth(formula, parts, couplings, False) * (-1) ** (sum(choice) // 2)
                size = size + truth(formula, parts, couplings, True)
        yield value, size
