"""States of whole networks in float64 against 40 digits: Definition 3, docs/accuracy.md."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main
from _gauge import TRUTH, first_order_gauge
from _programs import interpret, network

from nbody_ref.network import Network

Array = np.ndarray[Any, Any]


def package_state(net: Network, r: Array, numbers: Sequence[int]) -> Array:
    """The root's state by the package."""
    graph = net.graph([(r, np.array(numbers))])
    return net.forward(graph)[0][net.root]


def wrong_sign(net: Network, r: Array, numbers: Sequence[int]) -> Array:
    """Planted: one weight with the other sign."""
    name = next(iter(net.parameters))
    changed = net.parameters[name].copy()
    changed.flat[0] *= -1
    return package_state(net.with_parameters({name: changed}), r, numbers)


@claim(
    "3.14",
    "Definition 3",
    "states of a whole network in float64 equal the program at 40 digits",
    "program carried out in mpmath with the published definitions",
    {"state": package_state},
    {
        "a weight's sign": {"state": wrong_sign},
        "positions in float32": {"state": lambda net, r, z: package_state(net, np.float32(r).astype(float), z)},
    },
    "sum over steps of |cotangent| k u S",
)
def values(subject: SimpleNamespace, full: bool) -> Cases:
    net, species = network(), [6, 1, 1, 6]
    with mpmath.workdps(40):
        for seed in range(4 if full else 1):
            r = np.random.default_rng(seed).standard_normal((4, 3))
            found = subject.state(net, r, species)
            floats, batch = net.forward(net.graph([(r, np.array(species))]))
            computed = {step.output for step in net.chain.steps}
            number = np.vectorize(lambda a: mpmath.mpf(float(a)), otypes=[object])
            leaves = {name: number(a) for name, a in floats.items() if name not in computed}
            exact_state = interpret(net.chain.steps, leaves, batch, TRUTH)[net.root]
            for k in range(net.irreps_out.dim):
                bar = np.zeros_like(floats[net.root])
                bar[0, k] = 1.0
                names = [name for name, array in floats.items() if array.dtype.kind == "f"]
                bars = net.chain.vjp(floats, batch, {net.root: bar}, names)
                gauge = first_order_gauge(net, floats, batch, bars) * 2.0**-53
                yield (seed, k), float(abs(mpmath.mpf(float(found[0, k])) - exact_state[0, k])) / gauge


if __name__ == "__main__":
    sys.exit(main())
