"""Shapes at which kernels of products branch: channels, rows, degrees, repeated parts, at every order.

Vector widths, blocks of threads and index types show at powers of two and just beyond them. All combinations would take
hours; here every width meets every rule for the channels and every order, every size every order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.conformance.formats import HALVES, normal, rounded
from nbody_ref.conformance.operations.operation import Case
from nbody_ref.conformance.operations.product_cases import all_orders, product_inputs
from nbody_ref.irreps import Irreps

if TYPE_CHECKING:
    from nbody_ref.conformance.backend import Capabilities
    from nbody_ref.conformance.operations.product import TensorProduct

__all__ = ["WIDTHS", "few", "product_shapes"]

WIDTHS = ((4, 5), (7, 8), (9, 16), (17, 15), (31, 32), (33, 40), (63, 64), (65, 67), (127, 128), (129, 131))
MORE_WIDTHS = ((255, 256), (257, 263), (512, 515), (1024, 1027))
ENTRIES = 60_000  # couplings of a product of all degrees; beyond, some of its paths are drawn
FAR = 60


def product_shapes(
    cls: type[TensorProduct], name: str, caps: Capabilities, dtype: str, seed: int, thorough: bool = False
) -> Iterator[Case]:
    """Cases of one name ("product" or "convolution") in all declared modes."""
    kinds = [weighted for weighted, declared in ((True, caps.weighted), (False, caps.unweighted)) if declared]
    modes = [mode for mode in caps.modes if kinds and (kinds[0] or mode not in ("uvw", "uuw"))]
    if not modes:
        return
    more: dict[str, Any] = {"graph": name == "convolution", "weighted": kinds[0]}
    orders = caps.orders
    for mode in modes:
        yield from _channels(cls, mode, caps, dtype, seed, thorough, more)
        op = _repeated(cls, mode, caps.lmax, more)
        yield from all_orders("repeated irreps", op, dtype, orders, seed, mode, rows=7, nodes=4, note=mode)
    for op in _all_degrees(cls, modes if thorough else modes[:1] + modes[1:][-1:], caps.lmax, seed, more):
        note = f"{len(op.instructions)} paths to degree {op.lmax}, {op.instructions[0].mode}"
        yield from all_orders("high degree", op, dtype, orders, seed, note, rows=3, nodes=2, note=note)
    yield from _rows(cls, modes[0], caps, dtype, seed, thorough, more)
    if dtype != "float16":
        yield from _scales(cls, modes[0], caps, dtype, seed, more)


def few(lmax: int, a: int = 1, b: int = 1) -> Irreps:
    """Scalars, and vectors if they are declared."""
    return Irreps([(a, "0e"), (b, "1o")] if lmax else [(a, "0e")])


def _channels(
    cls: type[TensorProduct], mode: str, caps: Capabilities, dtype: str, seed: int, thorough: bool, more: dict[str, Any]
) -> Iterator[Case]:
    """Wide first operands, second operands, and results, in turn as far as the mode has them."""
    for n, (p, q) in enumerate(WIDTHS + MORE_WIDTHS if thorough else WIDTHS):
        wide, narrow = few(caps.lmax, p, q), few(caps.lmax, *((1, 1), (2, 3), (3, 2))[n % 3])
        edge = few(caps.lmax) if more["graph"] else narrow  # over edges, "uvu" is a product with harmonics
        shapes = {
            "uvu": [(wide, edge, 0)],
            "uvv": [(narrow, wide, 0)],
            "uuu": [(wide, wide, 0)],
            "uuw": [(wide, wide, 3), (few(caps.lmax, 3, 3), few(caps.lmax, 3, 3), p)],
            "uvuv": [(wide, narrow, 0), (narrow, wide, 0)],
            "uvw": [(wide, narrow, 3), (narrow, wide, 2), (narrow, few(caps.lmax, 2, 1), q)],
        }[mode]
        if mode == "uvu" and n % 2 and not more["graph"]:
            shapes.append((narrow, wide, 0))
        other = {"uuu": p, "uuw": p, "uvu": 1 if more["graph"] else 2}
        shapes.append((few(0, p), few(0, other.get(mode, 2)), 3))  # scalars only
        for k, (a, b, width) in enumerate(shapes):
            op = cls.coupled(a, b, mode, width, lmax=1, **more)
            note = f"{a} with {b}, {mode}"
            yield from all_orders("channels", op, dtype, caps.orders, seed, n, k, rows=2 + n % 3, nodes=2, note=note)


def _repeated(cls: type[TensorProduct], mode: str, lmax: int, more: dict[str, Any]) -> TensorProduct:
    """The same irrep in several parts of every operand, unsorted; several paths lead to one part of the result."""
    same = mode in ("uuu", "uuw")
    a = Irreps([(2, "1o"), (3, "0e"), (2, "0e"), (3, "1o"), (2, "1o")] if lmax else [(2, "0e"), (3, "0e"), (2, "0e")])
    b = Irreps([(2, "0e"), (1, "1o"), (1, "0e"), (2, "1o")] if lmax else [(2, "0e"), (1, "0e"), (2, "0e")])
    if mode == "uvu" and more["graph"]:
        b = few(lmax)
    return cls.coupled(a, a if same else b, mode, 2, lmax=1, merged=True, **more)


def _all_degrees(
    cls: type[TensorProduct], modes: list[str], lmax: int, seed: int, more: dict[str, Any]
) -> Iterator[TensorProduct]:
    """Every path up to the declared degree that the small products do not have, one part of the result each."""
    if lmax < 3:
        return
    every = Irreps([(1, f"{l}{'eo'[l % 2]}") for l in range(lmax + 1)])
    for mode in modes:
        op = cls.coupled(every, every, mode, 1, lmax=lmax, above=2, **more)
        sizes = np.array([np.prod([2 * l + 1 for l in op.degrees(p)[:2]]) for p in range(len(op.instructions))])
        count = max(int(len(sizes) * min(1.0, ENTRIES / sizes.sum())), 1)
        chosen = sorted(np.random.default_rng([seed, lmax]).permutation(len(sizes))[:count])
        yield op.only(chosen) if count < len(sizes) else op


def _rows(
    cls: type[TensorProduct], mode: str, caps: Capabilities, dtype: str, seed: int, thorough: bool, more: dict[str, Any]
) -> Iterator[Case]:
    """Rows or edges, nodes and fans at every order; beyond 65536 with few terms to a row."""
    small, wide = (cls.coupled(few(caps.lmax, *n), few(caps.lmax), mode, 1, lmax=1, **more) for n in ((1, 1), (1, 1)))
    if mode not in ("uuu", "uuw"):
        wide = cls.coupled(few(caps.lmax, 33, 32), few(caps.lmax), mode, 2, lmax=1, **more)
    sizes = [(small, 31, 4), (small, 33, 40), (small, 65, 3), (small, 129, 130), (small, 257, 2), (small, 1025, 9)]
    sizes += [(small, 2100, 1), (wide, 517, 65)]
    if dtype not in HALVES:
        lean = small.only([p for p in range(len(small.instructions)) if small.degrees(p)[2] == min(caps.lmax, 1)])
        sizes += [(lean, 70_001, 66_003)] + ([(small, 262_147, 131_075), (wide, 9_001, 3)] if thorough else [])
    for op, rows, nodes in sizes:
        note = f"{rows} edges, {nodes} nodes" if op.graph else f"{rows} rows"
        yield from all_orders("rows", op, dtype, caps.orders, seed, rows=rows, nodes=nodes, note=note)


def _scales(
    cls: type[TensorProduct], mode: str, caps: Capabilities, dtype: str, seed: int, more: dict[str, Any]
) -> Iterator[Case]:
    """Operands far from one another in size, and gradients below the normal range."""
    op = cls.coupled(few(caps.lmax, 2, 2), few(caps.lmax, *((2, 2) if mode in ("uuu", "uuw") else ())), mode, 2, **more)
    for sign in (1, -1):
        for case in all_orders("scales", op, dtype, caps.orders, seed, rows=5, nodes=3, note=f"2^{sign * FAR}"):
            powers = {"x1": FAR, "x1_dot": FAR, "x2": -FAR, "x2_dot": -FAR}
            case.inputs = {
                name: x * 2.0 ** (sign * powers[name]) if name in powers else x for name, x in case.inputs.items()
            }
            yield case
    if 1 in caps.orders:
        inputs = product_inputs(op, dtype, "denormals", seed, rows=5, nodes=3, order=1)
        for name in op.differentiable:
            inputs[name] = np.sign(inputs[name])
        inputs["cotangent"] = rounded(inputs["cotangent"] * (normal(dtype) / 8), dtype)
        yield Case("denormals", op, inputs, 1, note=f"cotangent of size {normal(dtype) / 8:.0e}")
