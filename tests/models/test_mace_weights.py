"""Maps from MACE's published weights: against e3nn's formulas written out, and the order of its paths."""

import numpy as np
import pytest

from nbody_ref.fusion import FusionTable, dense_tensor, fuse
from nbody_ref.fusion.table import Term
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.models import mace_weights as maps
from nbody_ref.models.mace_paths import MACE, published_paths, symmetric
from nbody_ref.ops.mixing import MixingTable, mixing
from nbody_ref.ops.weight_map import weight_map

U = 2.0**-53
K = 200  # two products of up to 25 terms each, an entry of M, a sum over 23 paths, and the same once more
IN, OUT = Irreps("2x1o + 3x0e + 2x1o"), Irreps("2x0e + 4x1o")


def published_linear(x, w, n_kinds, kind, factors):
    """e3nn's Linear (n_kinds 0), or FullyConnectedTensorProduct with a one-hot vector: loops over its instructions."""
    out, at = np.zeros((len(x), OUT.dim)), 0
    for i, a in enumerate(IN):
        for b, o in zip(OUT, OUT.offsets, strict=True):
            if a.irrep != b.irrep:
                continue
            fan_in = sum(part.mul for part in IN if part.irrep == b.irrep) * max(n_kinds, 1)
            block = w[at : at + a.mul * max(n_kinds, 1) * b.mul].reshape(a.mul, max(n_kinds, 1), b.mul)
            at += block.size
            part = x[:, IN.offsets[i] : IN.offsets[i] + a.dim].reshape(len(x), a.irrep.dim, a.mul)
            for n in range(len(x)):
                mixed = factors[i] * part[n] @ block[:, kind[n] if n_kinds else 0] / np.sqrt(fan_in)
                out[n, o : o + mixed.size] += mixed.reshape(-1)
    assert at == len(w)
    return out


@pytest.mark.parametrize("n_kinds", [0, 3])
def test_linear_map_and_mixing_are_the_linear_layers_of_e3nn(n_kinds):
    rng, factors = np.random.default_rng(1), [1.0, -0.5, 2.0]
    table = maps.linear_map(IN, OUT, n_kinds, factors)
    kind = np.array([2, 0, 1, 1]) if n_kinds else np.zeros(4, int)
    x, w = rng.standard_normal((4, IN.dim)), rng.standard_normal(table.shape_in)
    found = mixing(x, weight_map(w, table), kind, MixingTable.build(IN, OUT))
    wanted = published_linear(x, w, n_kinds, kind, factors)
    S = published_linear(abs(x), abs(w), n_kinds, kind, np.abs(factors))
    k = 4 + 3 + 4  # four channels mixed; the factor, its root and quotient, and the product with the weight
    assert (abs(found - wanted) <= 2 * k * U * S).all()
    wrong = mixing(x, weight_map(w[::-1].copy(), table), kind, MixingTable.build(IN, OUT))
    assert not (abs(wrong - wanted) <= 2 * k * U * S).all()


def test_layer_map_divides_by_the_root_of_the_width():
    w = np.arange(6.0).reshape(3, 2)
    assert (weight_map(w, maps.layer_map(3, 2)) == (w.reshape(1, 6) * (1 / np.sqrt(3)))).all()


def test_paths_of_messages_are_sorted_by_their_result():
    table = maps.message_table(Irreps("4x0e + 4x1o"), Irreps("4x0e + 4x1o + 4x2e"), 2)
    found = [(part, l2, str(irrep)) for part, l2, irrep in table.paths]
    assert found == [
        (0, 0, "0e"),
        (1, 1, "0e"),
        (0, 1, "1o"),
        (1, 0, "1o"),
        (1, 2, "1o"),
        (0, 2, "2e"),
        (1, 1, "2e"),
    ]
    assert maps.path_signs(table, MACE) == [1, 1, -1, 1, -1, 1, -1]  # (-1)^l2, and -1 for 1 x 1 -> 0 and 1 x 2 -> 1


def test_reachable_leaves_out_what_has_no_input():
    assert maps.reachable(Irreps("4x0e"), Irreps("4x0e + 4x1o")) == Irreps("4x0e")


@pytest.mark.parametrize("root", ["0e", "1o", "2e"])
def test_contraction_map_keeps_the_weighted_sum_of_all_published_paths(root):
    """Every published path evaluated as drawn, against the independent ones with mapped weights."""
    rng, messages, root = np.random.default_rng(3), Irreps("2x0e + 2x1o + 2x2e"), Irrep.parse(root)
    published, both = published_paths(messages, 3, root), symmetric(messages, 3, root)
    table = maps.contraction_map(messages, 3, root, 1, MACE)
    w, x = rng.standard_normal(table.shape_in), rng.standard_normal((5, messages.dim))

    def values(terms):
        return fuse(x, FusionTable.build([messages], terms, order="drawn")).reshape(5, len(terms), root.dim, 2)

    signs = np.array([path.sign for path in published])
    path_terms = [Term(path.diagram, tuple((0, p) for p in path.parts)) for path in published]
    every = values(path_terms)
    wanted = np.einsum("npmc,p,pc->nmc", every, signs, w[0])
    mapped = weight_map(w, table).reshape(both.n_independent, 2)
    found = np.einsum("nimc,ic->nmc", values(both.terms), mapped)
    sizes = (abs(table.matrix) @ abs(w).reshape(-1)).reshape(both.n_independent, 2)
    S = np.einsum("nimc,ic->nmc", terms_sizes(messages, both.terms, x, root), sizes)
    S += np.einsum("npmc,pc->nmc", terms_sizes(messages, path_terms, x, root), abs(w[0]))
    assert (abs(found - wanted) <= K * U * S).all()
    unsigned = np.einsum("npmc,pc->nmc", every, w[0])
    assert not (abs(found - unsigned) <= K * U * S).all()  # planted error: signs of e3nn left out


def terms_sizes(messages, terms, x, root):
    """Sum of |C x x x| of every term, (states, terms, components, channels)."""
    found = np.zeros((len(x), len(terms), root.dim, 2))
    parts = [
        x[:, o : o + part.dim].reshape(len(x), part.irrep.dim, 2)
        for o, part in zip(messages.offsets, messages, strict=True)
    ]
    for k, term in enumerate(terms):
        legs = [abs(parts[p]) for _, p in term.sources]
        found[:, k] = np.einsum("abcm,nax,nbx,ncx->nmx", abs(dense_tensor(term.diagram)), *legs)
    return found
