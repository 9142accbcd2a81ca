"""Products of one density with itself: each once, none missing, and equal to their definition."""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from nbody_ref.errors import ArgumentError
from nbody_ref.gates.correlations import Correlations, factors
from nbody_ref.gates.terms import Bare, Directed, Gate
from nbody_ref.irreps import Irreps
from nbody_ref.network import Network, Spec
from nbody_ref.ops.radial import Bessel
from nbody_ref.tables import clebsch_gordan

EPS = np.finfo(float).eps
LMAX = 2


def made(order, degree, species=(1, 6), n=2, lmax=LMAX):
    leg = Directed(Bessel(n, 5.0), lmax)
    gate = Gate((Correlations(leg, order, degree),), Irreps("1x0e"))
    return Network(Spec(species, 5.0, (gate, Gate((Bare(),)))), seed=0)


def environments(count, n_atoms=7, seed=0, species=(1, 6)):
    """Features are those of atom 0, at the origin; the others lie around it."""
    rng = np.random.default_rng(seed)
    numbers, found = np.array([species[i % len(species)] for i in range(n_atoms)]), []
    while len(found) < count:
        r = np.vstack([np.zeros(3), rng.standard_normal((n_atoms - 1, 3)) * 1.3])
        if pdist(r).min() > 0.3:
            found.append((r, numbers))
    return found


def first_atoms(network, frames):
    graph = network.graph(frames)
    return network.readout_features(graph)[graph.frame_ptr[:-1].astype(int)]


def density(network, frames):
    """A_{l}[z, n, m] of the first atoms."""
    graph = network.graph(frames)
    values, _ = network.forward(graph)
    name = next(k for k in values if k.endswith("/directed"))
    irreps, first = network.irreps[name], values[name][graph.frame_ptr[:-1].astype(int)]
    found = {}
    for i, (part, start) in enumerate(zip(irreps, irreps.offsets, strict=True)):
        block = first[:, start : start + part.dim].reshape(len(first), 2 * part.irrep.l + 1, part.mul)
        for z in range(part.mul):
            found[part.irrep.l, i % 2, z] = block[:, :, z]
    return found


@pytest.mark.parametrize(("order", "degree"), [(2, 4), (3, 4)])
def test_every_multiset_comes_once_and_is_its_definition(order, degree):
    """For two and three factors there is one invariant for each multiset of (l, n, z) whose degrees couple."""
    network, frames = made(order, degree), environments(5)
    a, columns = density(network, frames), []
    for labels in combinations_with_replacement(sorted(a), order):
        ls = [l for l, _, _ in labels]
        if sum(l + n for l, n, _ in labels) > degree or sum(ls) % 2:
            continue
        if order == 2 and ls[0] == ls[1]:
            c = clebsch_gordan(ls[0], ls[1], 0)[:, :, 0]
            columns.append(np.einsum("fa,fb,ab->f", *(a[x] for x in labels), c))
        elif order == 3 and abs(ls[0] - ls[1]) <= ls[2] <= ls[0] + ls[1]:
            pair, close = clebsch_gordan(ls[0], ls[1], ls[2]), clebsch_gordan(ls[2], ls[2], 0)[:, :, 0]
            columns.append(np.einsum("fa,fb,fc,abd,dc->f", *(a[x] for x in labels), pair, close))
    found, expected = first_atoms(network, frames), np.array(columns).T
    assert found.shape == expected.shape
    scale = np.abs(expected).max() * 200 * EPS  # sums of at most 125 products of three densities
    for column in expected.T:  # in whatever order, and up to the sign of the coupling's order
        near = np.minimum(np.abs(found - column[:, None]).max(axis=0), np.abs(found + column[:, None]).max(axis=0))
        assert near.min() <= scale
    assert len({tuple(np.round(np.abs(c) / scale / 10)) for c in found.T}) == found.shape[1]


@pytest.mark.parametrize(("order", "degree"), [(2, 4), (3, 4)])
def test_none_is_a_combination_of_the_others(order, degree):
    network = made(order, degree)
    columns = network.parameters[network.readout].shape[1]
    features = first_atoms(network, environments(3 * columns))
    features /= np.linalg.norm(features, axis=0)
    values = np.linalg.svd(features, compute_uv=False)
    limit = EPS * max(features.shape) * values[0]
    assert values[-1] > 100 * limit
    twice = np.concatenate([features, features[:, :1] * 0.5], axis=1)  # planted: one of them counted twice
    assert np.linalg.svd(twice, compute_uv=False)[-1] <= limit


def test_four_factors_span_all_invariant_quartics():
    """One species, one radial function, l <= 1: the quartic invariants of a scalar a and a vector v are a^4, a^2 v.v
    and (v.v)^2."""
    network = made(4, 4, species=(1,), n=1, lmax=1)
    features = first_atoms(network, environments(40, species=(1,)))
    features /= np.linalg.norm(features, axis=0)
    values = np.linalg.svd(features, compute_uv=False)
    assert int(np.sum(values > EPS * 40 * values[0] * 10)) == 3


def test_radial_numbers_of_the_factors_are_those_of_the_columns():
    network = made(3, 4)
    term = network.spec.gates[0].terms[0]
    name = next(k for k in network.irreps if k.endswith("/directed"))
    numbers = factors(network.irreps[name], term)
    assert len(numbers) == network.parameters[network.readout].shape[1]
    assert {len(x) for x in numbers} == {3}
    assert set(product((0, 1), repeat=3)) >= set(numbers)


def test_spec_comes_back_from_json():
    spec = made(3, 4).spec
    assert Spec.from_dict(spec.to_dict()) == spec


def test_impossible_correlations_are_refused():
    leg = Directed(Bessel(2, 5.0), LMAX)
    with pytest.raises(ArgumentError, match="'order' must be 2, 3 or 4, got 5"):
        Correlations(leg, 5, 4)
    with pytest.raises(ArgumentError, match="'degree' must be a non-negative integer, got -1"):
        Correlations(leg, 2, -1)
    with pytest.raises(ArgumentError, match="'leg' must be a density as it is"):
        Correlations(Directed(Bessel(2, 5.0), LMAX, mul=3), 2, 4)
