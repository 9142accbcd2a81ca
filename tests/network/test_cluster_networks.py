"""Networks on all clusters up to three atoms, and on groups that the user names: covariance exactly, forces, symmetry.

Tolerances in floats: k u S with k = 400, the longest chain of roundings (three levels of products of a few tens of
terms), and S the size of energy or forces as the first-order gauge has it.
"""

from itertools import permutations

import numpy as np
import pytest

from nbody_ref.exact.gauges import MONOMIAL, Gauge
from nbody_ref.exact.network import flatten, rotate, transform, unflatten
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.wigner import monomial_D
from nbody_ref.gates import Bare, Directed, Gate, Product
from nbody_ref.gates.over_ring import run
from nbody_ref.network import Network, Schemes, Spec
from nbody_ref.ops.radial import Bessel, InversePowers
from nbody_ref.scheme import clusters, groups

U = 2.0**-53
NUMBERS = np.array([8, 6, 1, 1])
POINTS = [[1, 0, 2], [-3, 1, 0], [0, 2, -1], [2, -2, 1]]
SCHEMES = {
    "clusters": clusters(NUMBERS, 3),
    "clusters of neighbours": clusters(NUMBERS, 3, [[1, 2, 3], [0, 2], [0, 1], [0]]),
    "groups": groups(NUMBERS, [("CO", [0, 1]), ("COH", [0, 1, 2], {1: 1}), ("OH", [0, 3])]),
}


def even(level=None):
    """Terms whose powers of lengths are all even, so that rational positions stay rational."""
    first = Directed(InversePowers((1,)), 1, degrees=(1,), level=level)
    return first, Directed(InversePowers((0, 2)), 2, degrees=(0, 2), keep=("0e", "1o", "2e"), level=level)


def exact_network(name):
    scheme = SCHEMES[name]
    out = "2x0e + 1x1o + 1x2e"
    gates = [Gate((Bare(), *even()), out) for _ in range(max(scheme.levels) - 1)]
    top = [term for level in Schemes.like([scheme]).sources[-1] for term in (Bare(level=level), *even(level))]
    return Network(Spec((1, 6, 8), 9.0, (*gates, Gate(tuple(top), out)), schemes=Schemes.like([scheme])), seed=3)


def exact_states(network, scheme, points, gauge=MONOMIAL):
    """Every variable of the program over the Gaussian rationals, with small random integer weights."""
    positions = np.array([[float(x) for x in r] for r in points])
    leaves, batch = network.leaves(network.graph([(positions, NUMBERS)], [scheme]))
    rng = np.random.default_rng(5)
    ring = {"r": points, "psi0": [[int(x) for x in row] for row in leaves["psi0"]]}
    for name, array in network.parameters.items():
        weights = rng.integers(-2, 3, (*array.shape, 2)).tolist()
        ring[name] = [[Gauss(a, b) for a, b in row] for row in weights]
    return run(network.chain, ring, batch, gauge)


def uncovariant(name, q, inversion=False, gauge=MONOMIAL):
    network, scheme = exact_network(name), SCHEMES[name]
    before = exact_states(network, scheme, POINTS, gauge)
    moved = [[x + shift for x, shift in zip(rotate(r, q, inversion), (5, -2, 1))] for r in POINTS]
    after = exact_states(network, scheme, moved, gauge)
    assert all(
        any(fragment)
        for _, fragments in unflatten(network.irreps_out, before[network.root][0])
        for fragment in fragments
    )
    bad = []
    for variable, tau in network.irreps.items():
        states = [unflatten(tau, x) for x in before[variable]]
        turned = [flatten(transform(state, lambda l: monomial_D(l, q), inversion)) for state in states]
        if turned != after[variable]:
            bad.append(variable)
    return bad


@pytest.mark.parametrize(("q", "inversion"), [((2, 1, 0, 0), False), ((1, -2, 3, 1), True)])
@pytest.mark.parametrize("name", SCHEMES)
def test_every_state_is_covariant_and_translation_invariant_with_residual_zero(name, q, inversion):
    assert uncovariant(name, q, inversion) == []


def test_a_wrong_sign_in_the_harmonics_is_caught():
    def harmonic(l, r):
        return [-x if m == 0 else x for m, x in enumerate(MONOMIAL.harmonic(l, r))]

    assert uncovariant("clusters", (2, 1, 0, 0), gauge=Gauge("wrong", MONOMIAL.coupling, harmonic, MONOMIAL.vector))


def energy_network(name, seed=0):
    """A network in floats whose every level has directed terms and products, with an energy at its root."""
    scheme, bessel = SCHEMES[name], Bessel(3, 9.0)
    leg = Directed(bessel, 1, mul=2, mixed_lmax=1)
    gates = [
        Gate((Bare(), Directed(bessel, 2), Product((leg, leg), ("0e", "1o"))), "3x0e + 2x1o")
        for _ in range(max(scheme.levels) - 1)
    ]
    layout = Schemes.like([scheme])
    top = [term for s in layout.sources[-1] for term in (Bare(level=s), Directed(bessel, 1, keep=("0e",), level=s))]
    return Network(Spec((1, 6, 8), 9.0, (*gates, Gate(tuple(top), "1x0e")), schemes=layout), seed=seed)


R = np.array(POINTS, float) * 0.7 + np.random.default_rng(2).uniform(-0.2, 0.2, (4, 3))


@pytest.mark.parametrize("name", SCHEMES)
def test_forces_and_weight_gradients_are_slopes_of_the_energy(name):
    """Central differences fall by a factor of four as the step is halved; those of a wrong sign do not fall at all."""
    network = energy_network(name)
    graph = network.graph([(R, NUMBERS)], [SCHEMES[name]])
    rng = np.random.default_rng(1)
    v, w = rng.standard_normal(R.shape), rng.standard_normal(network.parameters.n)
    _, forces = network.energy_and_forces(graph)
    gradient = network.weight_gradient(graph, np.ones(1), np.zeros_like(R)).flat()
    flat = network.parameters.flat()

    def moved(t):
        return network.energy(graph.with_positions(R + t * v))[0]

    def weighted(t):
        return network.with_parameters(network.parameters.from_flat(flat + t * w)).energy(graph)[0]

    for f, slope, steps in ((moved, -np.sum(forces * v), (4e-3, 2e-3)), (weighted, gradient @ w, (2e-2, 1e-2))):
        errors, planted = ([abs((f(h) - f(-h)) / (2 * h) - s * slope) for h in steps] for s in (1, -1))
        assert errors[1] < errors[0] / 3.5 and planted[1] > planted[0] / 1.1
    assert np.abs(forces.sum(axis=0)).max() <= 400 * U * np.abs(forces).sum()  # positions of nodes are differentiable


def test_the_energy_of_clusters_does_not_depend_on_the_order_of_atoms():
    network = energy_network("clusters")
    energy, forces = network.energy_and_forces(network.graph([(R, NUMBERS)], [SCHEMES["clusters"]]))
    size = 400 * U * (np.abs(forces * R).sum() + abs(energy[0]))
    for order in list(permutations(range(4)))[1::5]:
        order = list(order)
        graph = network.graph([(R[order], NUMBERS[order])], [clusters(NUMBERS[order], 3)])
        other, turned = network.energy_and_forces(graph)
        assert abs(other[0] - energy[0]) <= size
        assert np.abs(turned - forces[order]).max() <= 400 * U * np.abs(forces).sum()
        wrong = network.energy(network.graph([(R[order], NUMBERS)], [SCHEMES["clusters"]]))  # elements stay behind
        assert abs(wrong[0] - energy[0]) > size or np.array_equal(NUMBERS[order], NUMBERS)


def test_a_network_on_pairs_is_a_sum_over_pairs():
    """Root terms that read level 1 alone are additive: the energy of far away pairs is the sum of theirs."""
    scheme = clusters([1, 1, 8, 8], 2, [[1], [0], [3], [2]])
    pair = Gate((Bare(), Directed(InversePowers((1, 2)), 1)), "2x0e")
    network = Network(Spec((1, 8), 9.0, (pair, Gate((Bare(level=1),), "1x0e")), schemes=Schemes.like([scheme])), seed=1)
    r, z = R + [[0, 0, 0], [0, 0, 0], [50, 0, 0], [50, 0, 0]], np.array([1, 1, 8, 8])
    both = network.energy(network.graph([(r, z)], [scheme]))[0]
    halves = [network.energy(network.graph([(r[s], z[s])], [clusters(z[s], 2)]))[0] for s in (slice(2), slice(2, 4))]
    assert abs(both - sum(halves)) <= 100 * U * sum(map(abs, halves))
    assert abs(both - halves[0]) > 1e-3 * abs(both)
