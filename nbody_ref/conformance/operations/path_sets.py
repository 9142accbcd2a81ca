"""Path sets of published models: the products that users run, not the ones that a test author thinks of.

A wrong gradient shipped because the one product in which it showed, 23 paths of degrees up to 3, was in no test. Here
are the products of MACE, NequIP and Allegro as those programs build them, each runnable with its published numbers of
channels or, by `reduced`, with few. The order of instructions is a part of a product (memory plans follow it), so every
set is also run in other orders, and every path alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

from nbody_ref.conformance.operations.operation import Case
from nbody_ref.conformance.operations.product import Instruction, TensorProduct
from nbody_ref.conformance.operations.product_cases import all_orders
from nbody_ref.errors import DataError
from nbody_ref.irreps import Irrep, Irreps

__all__ = ["PathSet", "arrangements", "path_set", "path_sets", "published_products", "reduced"]

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class PathSet:
    """The product of one layer of a published model.

    Parameters
    ----------
    name : str
    about : str
        Which model and layer, and where its numbers come from.
    product : TensorProduct
        With the published numbers of channels.
    full : bool
        Run with these numbers of channels instead of few.
    """

    name: str
    about: str
    product: TensorProduct
    full: bool = False
    behaviour: ClassVar[tuple[str, ...]] = ()

    def cases(self, dtype: str, orders: Sizes, seed: int = 0, first: bool = True) -> Iterator[Case]:
        """All paths in several orders, then every path alone; second gradients in the published order only."""
        product = self.product if self.full else reduced(self.product)
        low = tuple(order for order in orders if order < 2)
        rows, nodes = (3, 3) if self.full else (8, 4)
        for number, (name, ordered) in enumerate(arrangements(product, seed)):
            taken, more = low if number else orders, {"rows": rows, "nodes": nodes, "note": f"{self.name}, {name}"}
            yield from all_orders("orders", ordered, dtype, taken, seed, self.name, **more)
        for p in range(len(product.instructions)):
            more = {"rows": 3, "nodes": 2, "note": f"{self.name}, path {p}"}
            yield from all_orders("alone", product.alone(p), dtype, low, seed, p, **more)


@cache
def path_sets() -> tuple[PathSet, ...]:
    """All of them."""
    found = _nequip()
    both = " + ".join(f"32x{l}{p}" for l in range(3) for p in "eo")
    about = "NequIP with parity, l_max 2, 32 features, middle layer (pseudovectors occur)"
    found.append(PathSet("nequip-parity", about, _uvu(both, 2, Irreps(both))))
    return (*found, *_mace(), *_allegro())


def _nequip() -> list[PathSet]:
    found = []
    presets = {"S": (128, 64), "M": (128, 64, 32), "L": (128, 64, 32, 32), "XL": (320, 96, 64, 32, 32)}
    for size, widths in presets.items():
        lmax = len(widths) - 1
        hidden = _natural(widths)
        about = f"NequIP preset {size} (l_max {lmax}, no parity, {widths}), {{}} layer; nequip.model.NequIPGNNModel"
        first, last = Irreps("32x0e"), Irreps("1x0e")
        for layer, x, target in (("first", first, hidden), ("middle", hidden, hidden), ("last", hidden, last)):
            if layer != "middle" or size != "S":  # two layers only
                found.append(PathSet(f"nequip-{size}-{layer}", about.format(layer), _uvu(x, lmax, target)))
    return found


def _mace() -> list[PathSet]:
    found = []
    for size, degree in {"small": 0, "medium": 1, "large": 2}.items():
        target = _natural((128,) * 4)
        about = f"MACE-MP-0 {size} (128 channels, hidden l <= {degree}, max_ell 3), {{}} interaction"
        found.append(PathSet(f"mace-{size}-first", about.format("first"), _by_result(_uvu("128x0e", 3, target))))
        hidden = _natural((128,) * (degree + 1))
        found.append(PathSet(f"mace-{size}-second", about.format("second"), _by_result(_uvu(hidden, 3, target))))
    return found


def _allegro() -> list[PathSet]:
    found = []
    track = _natural((64,) * 4)
    about = "Allegro-OAM-L (l_max 3, no parity, 64 tensor features, four layers), {} layer; weights (path, channel)"
    found.append(PathSet("allegro-L-middle", about.format("first three"), _uuu(track, track, track)))
    found.append(PathSet("allegro-L-last", about.format("last"), _uuu(track, track, Irreps("64x0e"))))
    full = Irreps(" + ".join(f"32x{l}{p}" for l in range(3) for p in "eo"))
    about = "Allegro with all parities, l_max 2, 32 tensor features, second layer"
    found.append(PathSet("allegro-parity", about, _uuu(full, _natural((32,) * 3), full)))
    return found


def path_set(name: str) -> PathSet:
    """A path set by name.

    Raises
    ------
    DataError
        If there is none of that name.
    """
    for found in path_sets():
        if found.name == name:
            return found
    raise DataError(f"no path set is called {name!r}; there are {', '.join(s.name for s in path_sets())}")


def reduced(product: TensorProduct, widths: Sizes = (3, 2, 1)) -> TensorProduct:
    """The same paths with few channels; parts of unequal widths stay unequal as far as `widths` reaches.

    Parameters
    ----------
    product : TensorProduct
    widths : tuple of int
        For the largest multiplicity, the next one, and so on; the last serves all others.
    """
    muls = sorted({part.mul for irreps in (product.irreps_1, product.irreps_2) for part in irreps} - {1}, reverse=True)
    new = {1: 1} | {mul: widths[min(k, len(widths) - 1)] for k, mul in enumerate(muls)}

    def few(irreps: Irreps) -> Irreps:
        return Irreps([(new.get(part.mul, part.mul), part.irrep) for part in irreps])

    a, b, c = few(product.irreps_1), few(product.irreps_2), few(product.irreps_out)
    return replace(product, irreps_1=a, irreps_2=b, irreps_out=c)


def arrangements(product: TensorProduct, seed: int = 0) -> Iterator[tuple[str, TensorProduct]]:
    """The product with its instructions in several orders (and hence its weights); results are the same parts.

    Yields
    ------
    (name of the order, TensorProduct)
    """
    rows = list(product.instructions)
    shuffled = rows.copy()
    random.Random(seed).shuffle(shuffled)
    size = {p: product.irreps_out[i.out].dim for p, i in enumerate(rows)}
    widest = [rows[p] for p in sorted(size, key=lambda p: -size[p])]
    seen = []
    for name, chosen in (
        ("as published", rows),
        ("reversed", rows[::-1]),
        ("widest result first", widest),
        ("narrowest result first", widest[::-1]),
        (f"shuffled by {seed}", shuffled),
    ):
        if chosen not in seen:
            seen.append(chosen)
            yield name, replace(product, instructions=tuple(chosen))


DEFAULT = (
    "nequip-S-last",
    "nequip-M-middle",
    "nequip-L-middle",
    "nequip-XL-middle",
    "nequip-parity",
    "mace-medium-second",
    "mace-large-second",
    "allegro-L-middle",
    "allegro-parity",
)  # the widest layers of each model


def published_products(name: str, caps: Any, wanted: tuple[str, ...] | None) -> list[PathSet]:
    """Path sets, as far as they are declared: those named, in full; else those of the default run, with few channels.

    Parameters
    ----------
    name : str
        "product", row by row; or "convolution" over edges, which not all of them are in the published model.
    caps : Capabilities
    wanted : tuple of str, optional
    """
    found: list[PathSet] = []
    if name not in TensorProduct.names:
        return found
    for chosen in map(path_set, DEFAULT if wanted is None else wanted):
        op = replace(chosen.product, graph=name == "convolution")
        occurs = chosen.product.graph or name == "product"
        if occurs and (wanted is not None or op.lmax <= caps.lmax) and not op.undeclared(caps):
            found.append(replace(chosen, product=op, full=wanted is not None))
    return found


def _natural(widths: Sizes) -> Irreps:
    """Parts of natural parity, degrees 0, 1, 2, ..."""
    return Irreps([(mul, Irrep(l, 1 - 2 * (l % 2))) for l, mul in enumerate(widths)])


def _uvu(x: Irreps | str, lmax: int, target: Irreps) -> TensorProduct:
    """Harmonics times features, results sorted by type; instructions over x, then harmonics, then degrees."""
    loose = TensorProduct.convolution(x, lmax, [str(part.irrep) for part in target])
    return _sorted_results(loose)


def _sorted_results(product: TensorProduct) -> TensorProduct:
    """Parts of the result by degree, odd before even (e3nn's order), ties in the order of instructions."""
    parts = list(product.irreps_out)
    order = sorted(range(len(parts)), key=lambda k: (parts[k].irrep.l, parts[k].irrep.p))
    place = {old: new for new, old in enumerate(order)}
    rows = tuple(replace(i, out=place[i.out]) for i in product.instructions)
    return replace(product, irreps_out=Irreps([parts[k] for k in order]), instructions=rows)


def _by_result(product: TensorProduct) -> TensorProduct:
    """Instructions in the order of their results."""
    return replace(product, instructions=tuple(sorted(product.instructions, key=lambda i: i.out)))


def _uuu(a: Irreps, b: Irreps, out: Irreps) -> TensorProduct:
    """All couplings into every part of the result, one weight for each path and channel; results outermost."""
    rows = tuple(
        Instruction(i, j, k, "uuu")
        for k, part in enumerate(out)
        for i, first in enumerate(a)
        for j, second in enumerate(b)
        if part.irrep in first.irrep * second.irrep
    )
    return TensorProduct(a, b, out, rows)
