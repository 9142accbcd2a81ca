"""The package's own kernels pass, on every seed tried; a memory plan that one path alone breaks is caught."""

import numpy as np
import pytest

from nbody_ref.conformance import run
from nbody_ref.conformance.reference import Messages, Reference
from nbody_ref.graphs import Edges
from nbody_ref.ops.message import MessageTable, message_vjp

CHECKS = ("random", "alone", "impulse", "cancellation", "sizes")


@pytest.mark.parametrize("backend", [Messages(), Reference()], ids=lambda backend: backend.name)
def test_own_products_and_messages_are_conformant(backend):
    report = run(backend, tuple({"product", "convolution", "coupling"} & set(backend.capabilities.operations)))
    assert report.failures == [] and report.count("pass") > 200


@pytest.mark.parametrize("seed", range(1, 5))
def test_no_false_alarm_on_other_seeds(seed):
    assert run(Messages(), dtypes=("float32",), seed=seed, checks=("random", "cancellation")).failures == []
    assert run(Reference(), ("product",), ("float32",), seed=seed, checks=("random",)).failures == []


@pytest.mark.parametrize("path", range(19))
def test_message_gradient_of_one_path_among_wider_parts(path):
    """The widest part need not be on any path."""
    types = "4x0e + 3x1o + 2x2e"
    chosen = MessageTable.build(types, 2).paths[path]
    table = MessageTable.build(types, 2, [chosen])
    rng = np.random.default_rng(path)
    edges = Edges.build([0, 1, 2, 2, 1], [1, 2, 0, 1, 2], 3, 3)
    x, Y, w = rng.normal(size=(3, table.irreps_in.dim)), rng.normal(size=(5, 9)), rng.normal(size=(5, table.n_weights))
    Y_bar = message_vjp(rng.normal(size=(3, table.irreps_out.dim)), x, Y, w, edges, table)[1]
    l = chosen[1]
    assert not np.delete(Y_bar, slice(l * l, (l + 1) ** 2), axis=1).any() and Y_bar.any()
