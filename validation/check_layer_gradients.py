"""The four functions of the steps of published models that are polynomials, exactly; see `check_gradients.py`.

Parts taken, sums, constant factors, biases, complex pairs, channelwise mixing, maps of weights, squared norms: each is
written here as its page writes it, in hyper-dual integers or Gaussian integers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from _claims import Cases, claim, main
from _derivatives import JUDGE, Four, changed, derivatives, draw, drop_last, flip_first, four_cases
from _formulas import Hyper, contract, part, stack

from nbody_ref import Irreps
from nbody_ref.ops import arrange, channel_mixing, norm, weight_map

Array = np.ndarray[Any, Any]
N, SPANS, RUNS = 3, ((4, 6), (0, 3)), ((2.0, 2), (-3.0, 1), (5.0, 3))
KIND = np.array([1, 0, 1], np.uintp)
CHANNELS = channel_mixing.ChannelMixingTable.build("2x0e + 2x1o + 2x0e", "2x1o + 2x0e + 2x0e")
TAU = Irreps("2x0e + 1x1o + 2x1o")
MAP = weight_map.WeightMap.build((2, 3), (4,), [0, 0, 1, 3, 3], [0, 5, 2, 1, 1], [2.0, -1.0, 3.0, 1.0, 4.0])
DENSE = MAP.matrix.toarray().astype(np.int64)


def by_rows(one: Callable[..., list[Hyper]], dim: int) -> Callable[..., Hyper]:
    """A formula of one row, as a formula of states."""
    return lambda *x: stack([stack(one(n, *x)) for n in range(N)]).reshape(N, dim)


def scaled(factor: int, x: Hyper) -> Hyper:
    """An integer times a number."""
    return contract(",k->k", Hyper({0: np.int64(factor)}), x)


def take_row(n: int, x: Hyper) -> list[Hyper]:
    """Columns side by side."""
    return [x[n, start:stop] for start, stop in SPANS]


def rescale_row(n: int, x: Hyper) -> list[Hyper]:
    """Columns times constants."""
    ends = np.cumsum([0, *(count for _, count in RUNS)])
    return [scaled(int(factor), x[n, a:b]) for (factor, _), a, b in zip(RUNS, ends, ends[1:])]


def channel_row(n: int, F: Hyper, W: Hyper) -> list[Hyper]:
    """Paths of one irrep times weights, channel by channel."""
    table, blocks, at = CHANNELS, [], 0
    for mul, irrep in table.irreps_out:
        terms = []
        for k, other in enumerate(table.irreps_in):
            if other.irrep == irrep:
                weights = W[int(KIND[n]), at : at + mul]
                terms.append(contract("mc,c->mc", part(F[n], table.irreps_in, k), weights))
                at += mul
        blocks.append(sum(terms[1:], terms[0]))
    return blocks


def norms_row(n: int, x: Hyper) -> list[Hyper]:
    """Sums of squares over components."""
    return [contract("mc,mc->c", part(x[n], TAU, k), part(x[n], TAU, k)) for k in range(len(TAU))]


# module, name, formula, shapes, statics, numbers
STEPS: dict[str, Any] = {
    "take": (arrange, "take", by_rows(take_row, 5), ((N, 6),), (SPANS,), ("real", "complex")),
    "add": (
        arrange,
        "add",
        by_rows(lambda n, a, b, c: [a[n] + b[n] + c[n]], 4),
        ((N, 4),) * 3,
        (),
        ("real", "complex"),
    ),
    "rescale": (arrange, "rescale", by_rows(rescale_row, 6), ((N, 6),), (RUNS,), ("real", "complex")),
    "bias": (
        arrange,
        "bias",
        by_rows(lambda n, x, b: [x[n] + b[int(KIND[n])]], 4),
        ((N, 4), (2, 4)),
        (KIND,),
        ("real", "complex"),
    ),
    "channel_mixing": (
        channel_mixing,
        "channel_mixing",
        by_rows(channel_row, CHANNELS.irreps_out.dim),
        ((N, CHANNELS.irreps_in.dim), (2, CHANNELS.n_weights)),
        (KIND, CHANNELS),
        ("real", "complex"),
    ),
    "weight_map": (
        weight_map,
        "weight_map",
        lambda w: contract("ij,j->i", Hyper({0: DENSE}), w.reshape(6)),
        ((2, 3),),
        (MAP,),
        ("real", "complex"),
    ),
    "squared_norms": (norm, "squared_norms", by_rows(norms_row, 5), ((N, TAU.dim),), (TAU,), ("real",)),
}


def functions(name: str) -> Four:
    """f, jvp, vjp, vjp_jvp of the package."""
    module, stem = STEPS[name][:2]
    return tuple(getattr(module, stem + suffix) for suffix in ("", "_jvp", "_vjp", "_vjp_jvp"))


@cache
def truth(name: str, numbers: str) -> Any:
    """Arrays, tangents, cotangents and all derivatives, from the judge."""
    rng = np.random.default_rng([53, list(STEPS).index(name)])
    arrays, dots = ([draw(rng, shape, numbers) for shape in STEPS[name][3]] for _ in range(2))
    found = derivatives(STEPS[name][2], arrays, dots)
    return arrays, dots, [draw(rng, found[0].shape, numbers) for _ in range(2)], found


@claim(
    "7.12",
    "docs/derivations",
    "linear steps, channelwise mixing and squared norms: f, jvp, vjp, vjp_jvp",
    JUDGE,
    {"functions": functions},
    {
        "value: a sign": {"functions": changed(functions, 0, flip_first)},
        "jvp: a row dropped": {"functions": changed(functions, 1, drop_last)},
        "vjp: a sign": {"functions": changed(functions, 2, flip_first)},
        "vjp_jvp: a row dropped": {"functions": changed(functions, 3, drop_last)},
    },
)
def layers(subject: SimpleNamespace, full: bool) -> Cases:
    for name, (_, _, _, _, statics, kinds) in STEPS.items():
        for numbers in kinds if full else kinds[:1]:
            arrays, dots, bars, found = truth(name, numbers)
            for what, residual in four_cases(subject.functions(name), statics, arrays, dots, bars, found):
                yield (name, numbers, what), residual


if __name__ == "__main__":
    sys.exit(main())
