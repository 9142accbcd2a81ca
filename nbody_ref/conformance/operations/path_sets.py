"""Path sets of published models: the products that users run, not the ones that a test author thinks of.

A wrong gradient shipped because the one product in which it showed, 23 paths of degrees up to 3, was in no test. Here
are the products of MACE, NequIP and Allegro as those programs build them, each runnable with its published numbers of
channels or, by `reduced`, with few. The order of instructions is a part of a product (memory plans follow it), so every
set is also run in other orders, and every path alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from nbody_ref.conformance.operations.cases import Case, all_orders
from nbody_ref.conformance.operations.operation import Instruction, Product
from nbody_ref.errors import DataError
from nbody_ref.irreps import Irrep, Irreps

__all__ = [
    "PATH_AIMS",
    "PathSet",
    "default_sets",
    "named_sets",
    "orders",
    "path_set",
    "path_set_cases",
    "path_sets",
    "reduced",
]

PATH_AIMS = {
    "orders": "products of published models, their paths in several orders: memory plans, paths that disturb each other"
}
Sizes = tuple[int, ...]


@dataclass(frozen=True)
class PathSet:
    """The product of one layer of a published model.

    Parameters
    ----------
    name : str
    about : str
        Which model and layer, and where its numbers come from.
    product : Product
        With the published numbers of channels.
    """

    name: str
    about: str
    product: Product


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


def reduced(product: Product, widths: Sizes = (3, 2, 1)) -> Product:
    """The same paths with few channels; parts of unequal widths stay unequal as far as `widths` reaches.

    Parameters
    ----------
    product : Product
    widths : tuple of int
        For the largest multiplicity, the next one, and so on; the last serves all others.
    """
    muls = sorted({part.mul for irreps in (product.irreps_1, product.irreps_2) for part in irreps} - {1}, reverse=True)
    new = {1: 1} | {mul: widths[min(k, len(widths) - 1)] for k, mul in enumerate(muls)}

    def few(irreps: Irreps) -> Irreps:
        return Irreps([(new.get(part.mul, part.mul), part.irrep) for part in irreps])

    a, b, c = few(product.irreps_1), few(product.irreps_2), few(product.irreps_out)
    return replace(product, irreps_1=a, irreps_2=b, irreps_out=c)


def orders(product: Product, seed: int = 0) -> Iterator[tuple[str, Product]]:
    """The product with its instructions in several orders (and hence its weights); results are the same parts.

    Yields
    ------
    (name of the order, Product)
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


def default_sets(name: str, lmax: int) -> list[PathSet]:
    """What the default run takes, with few channels: the widest layers of each model up to a degree.

    Parameters
    ----------
    name : {"product", "convolution"}
        Under which a backend declares that it can do this.
    lmax : int
    """
    wanted = (
        "nequip-S-last",
        "nequip-M-middle",
        "nequip-L-middle",
        "nequip-XL-middle",
        "nequip-parity",
        "mace-medium-second",
        "mace-large-second",
        "allegro-L-middle",
        "allegro-parity",
    )
    return [s for s in named_sets(name, wanted) if s.product.lmax <= lmax]


def named_sets(name: str, wanted: Iterable[str]) -> list[PathSet]:
    """Path sets as products row by row, or as convolutions over edges if they occur in convolutions."""
    found = [path_set(text) for text in wanted]
    return [
        replace(s, product=replace(s.product, graph=name == "convolution"))
        for s in found
        if name == "product" or (name == "convolution" and s.product.graph)
    ]


def path_set_cases(
    chosen: PathSet, dtype: str, derivatives: Sizes, seed: int = 0, full: bool = False
) -> Iterator[Case]:
    """Every path alone, then all of them in several orders; values and gradients, second gradients in one order.

    Parameters
    ----------
    chosen : PathSet
    dtype : str
    derivatives : tuple of int
        Orders of differentiation.
    seed : int
    full : bool
        Published numbers of channels instead of few.
    """
    product = chosen.product if full else reduced(chosen.product)
    low = tuple(order for order in derivatives if order < 2)
    rows, nodes = (3, 3) if full else (8, 4)
    for number, (name, ordered) in enumerate(orders(product, seed)):
        taken = derivatives if number == 0 else low
        note = f"{chosen.name}, {name}"
        yield from all_orders("orders", ordered, dtype, taken, seed, chosen.name, rows=rows, nodes=nodes, note=note)
    for p in range(len(product.instructions)):
        note = f"{chosen.name}, path {p}"
        yield from all_orders("alone", product.alone(p), dtype, low, seed, p, rows=3, nodes=2, note=note)


def _natural(widths: Sizes) -> Irreps:
    """Parts of natural parity, degrees 0, 1, 2, ..."""
    return Irreps([(mul, Irrep(l, 1 - 2 * (l % 2))) for l, mul in enumerate(widths)])


def _uvu(x: Irreps | str, lmax: int, target: Irreps) -> Product:
    """Harmonics times features, results sorted by type; instructions over x, then harmonics, then degrees."""
    loose = Product.convolution(x, lmax, [str(part.irrep) for part in target])
    return _sorted_results(loose)


def _sorted_results(product: Product) -> Product:
    """Parts of the result by degree, odd before even (e3nn's order), ties in the order of instructions."""
    parts = list(product.irreps_out)
    order = sorted(range(len(parts)), key=lambda k: (parts[k].irrep.l, parts[k].irrep.p))
    place = {old: new for new, old in enumerate(order)}
    rows = tuple(replace(i, out=place[i.out]) for i in product.instructions)
    return replace(product, irreps_out=Irreps([parts[k] for k in order]), instructions=rows)


def _by_result(product: Product) -> Product:
    """Instructions in the order of their results."""
    return replace(product, instructions=tuple(sorted(product.instructions, key=lambda i: i.out)))


def _uuu(a: Irreps, b: Irreps, out: Irreps) -> Product:
    """All couplings into every part of the result, one weight for each path and channel; results outermost."""
    rows = tuple(
        Instruction(i, j, k, "uuu")
        for k, part in enumerate(out)
        for i, first in enumerate(a)
        for j, second in enumerate(b)
        if part.irrep in first.irrep * second.irrep
    )
    return Product(a, b, out, rows)
