"""The network in one file is the library's to rounding, the definition's exactly; its gradients are derivatives."""

from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.exact import definition
from nbody_ref.exact.cg import cg_table_real, triples
from nbody_ref.exact.gauges import real_gauge
from nbody_ref.exact.network import rational_points
from nbody_ref.gates import Bare, Gate, zeroth_order
from nbody_ref.irreps import Irrep
from nbody_ref.lessons import tiny
from nbody_ref.network import Network, Spec

U = 2.0**-53
NUMBERS = np.array([8, 6, 1, 1])
SPECIES = (1, 6, 8)
Z = np.searchsorted(SPECIES, NUMBERS)
TYPES = [{1: 2}, {0: 2, 1: 1, 2: 2}, {1: 2}, {0: 1}]


def molecule(frames=2, seed=0):
    base = np.array([[0.0, 0.1, 0.2], [1.4, -0.1, 0.1], [-0.5, 0.8, -0.3], [1.9, 0.4, -0.9]])
    return base + 0.1 * np.random.default_rng(seed).standard_normal((frames, 4, 3))


def library(weights):
    """The same network as a declaration: eq. (10) on every level, the root a bare sum."""
    gates = [zeroth_order(" + ".join(f"{c}x{l}" for l, c in tau.items())) for tau in TYPES]
    network = Network(Spec(SPECIES, np.inf, (*gates, Gate((Bare(),))), group="SO(3)"))
    arrays = {}
    for level, W in enumerate(weights, start=1):
        names = [name for name in network.parameters if name.startswith(f"level{level}/")]
        assert len(names) == 1
        arrays[names[0]] = np.concatenate([W[l].reshape(len(SPECIES), -1) for l in W], axis=1)
    return network.with_parameters(arrays)


def gauge_of_sums(x, weights):
    """Size of what is added up: the same run on absolute values, per frame."""
    r = x[:, tiny.others(len(Z))] - x[:, :, None]
    size = {0: np.broadcast_to(np.eye(3)[Z][None, :, None], (len(x), len(Z), 1, 3))}
    for W in weights:
        grown = {}
        for l in W:
            parts = []
            for l1 in tiny.sources(size, l):
                C, child = np.abs(tiny.clebsch_gordan(l1, 1, l)), tiny.others(len(Z))
                u, _, g = tiny.geometry(r, tiny.POWERS)
                F = np.einsum("abm,tijac,tijb,tijs->timsc", C, size[l1][:, child], np.abs(u), g)
                parts.append(F.reshape(*F.shape[:3], -1))
            grown[l] = np.einsum("timk,ikc->timc", np.concatenate(parts, -1), np.abs(W[l])[Z])
        size = grown
    return size[0].sum((1, 2, 3))


def test_coefficients_are_the_exact_ones_rounded():
    for l1, l2, l in triples(4):
        expected = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1))
        for m1, m2, m, value in cg_table_real(l1, l2, l):
            expected[m1 + l1, m2 + l2, m + l] = value.round("float64")
        assert np.array_equal(tiny.clebsch_gordan(l1, l2, l), expected)


def test_network_equals_the_library():
    x, weights = molecule(), tiny.weights(3, TYPES, seed=1)
    network = library(weights)
    energy, forces = network.energy_and_forces(network.graph([(frame, NUMBERS) for frame in x]))
    tiny_energy, x_bar, _ = tiny.energy_and_gradients(x, Z, weights)
    # each level: a product of four factors, a sum over 3 children and one over at most 45 fragments; both sides
    k = 2 * 4 * (4 + 3 + 45 + 4)
    size = gauge_of_sums(x, weights)
    assert np.all(np.abs(tiny_energy - energy) <= k * U * size)
    # a derivative by a position replaces one factor r |r|^-s of a term by at most (1 + s) |r|^-s <= 3/|r| times it
    shortest = min(np.linalg.norm(x[:, i] - x[:, j], axis=1).min() for i in range(4) for j in range(i))
    bound = 2 * k * U * size.max() * 3 * len(weights) / shortest
    assert np.abs(-x_bar.reshape(-1, 3) - forces).max() <= bound


def test_comparison_with_the_library_sees_a_wrong_weight():
    x, weights = molecule(), tiny.weights(3, TYPES, seed=1)
    network = library(weights)
    energy = network.energy(network.graph([(frame, NUMBERS) for frame in x]))
    weights[1][2][0, 0, 0] *= 1 + 1e-6
    assert np.abs(tiny.energy_and_gradients(x, Z, weights)[0] - energy).max() > 1e3 * U * np.abs(energy).max()


def exact_state(seed, n, tau):
    rng = np.random.default_rng(seed)
    integers = {l: rng.integers(-9, 10, (1, n, 2 * l + 1, c)) for l, c in tau.items()}
    return {l: np.vectorize(Fraction, otypes=[object])(x.astype(object)) for l, x in integers.items()}


def state_of(psi, j):
    """State of one child, as the definition writes it."""
    return [(Irrep(l), [list(x[0, j, :, c]) for c in range(x.shape[-1])]) for l, x in psi.items()]


@pytest.mark.parametrize("tau", [{0: 2}, {0: 1, 1: 2}, {1: 1, 2: 1}])
def test_gate_over_fractions_is_the_definition_exactly(tau):
    points = rational_points(4)
    x = np.array(points, dtype=object)[None]
    child = tiny.others(4)
    r = x[:, child] - x[:, :, None]
    psi = exact_state(3, 4, tau)
    rng = np.random.default_rng(5)
    for l in (0, 1, 2):
        if not tiny.sources(psi, l):
            continue
        K = tiny.fragments(psi, r, l).shape[-1]
        W = np.vectorize(Fraction, otypes=[object])(rng.integers(-5, 6, (1, K, 2)).astype(object))
        got = tiny.gate(psi, r, {l: W}, np.zeros(4, int))[l]
        for i in range(4):
            children = [definition.Child(list(r[0, i, k]), state_of(psi, j)) for k, j in enumerate(child[i])]
            paths = definition.zeroth_order(children, real_gauge(Fraction), keep=[Irrep(l)])
            # the definition has s outermost, then the path; here the path is outermost
            n = len(paths) // 3
            F = [paths[s * n + path] for path in range(n) for s in range(3)]
            expected = definition.mixing(F, [(Irrep(l), W[0].tolist())])
            assert expected[0][1] == got[0, i].T.tolist()


def test_gradients_are_the_derivatives():
    """The complex step has no subtraction, hence no step size to choose."""
    x, weights, h = molecule(1), tiny.weights(3, TYPES, seed=2), 1e-30
    _, x_bar, W_bar = tiny.energy_and_gradients(x, Z, weights)
    v = np.random.default_rng(0).standard_normal(x.shape)
    along = tiny.energy_and_gradients(x + 1j * h * v, Z, weights)[0].imag / h
    k, size = 400, gauge_of_sums(x, weights) * 9 * np.abs(v).max()
    assert np.abs(along - (x_bar * v).sum()) <= k * U * size * 12
    for level, W in enumerate(weights):
        for l, w in W.items():
            steps = [dict(other) for other in weights]
            dw = np.random.default_rng(l).standard_normal(w.shape)
            steps[level][l] = w + 1j * h * dw
            complex_x = x + 0j
            along = tiny.energy_and_gradients(complex_x, Z, steps)[0].imag / h
            assert np.abs(along - (W_bar[level][l] * dw).sum()) <= k * U * size * np.abs(dw / w).max()


def test_loss_gradient_is_its_derivative():
    x, weights = molecule(3), tiny.weights(3, [{1: 2}, {0: 1}], seed=3)
    rng = np.random.default_rng(7)
    E, F = rng.standard_normal(3), rng.standard_normal(x.shape)
    _, gradient = tiny.loss_and_gradients(x, Z, weights, E, F)
    dW = [{l: rng.standard_normal(w.shape) for l, w in level.items()} for level in weights]

    def loss(t):
        moved = [{l: w + t * d[l] for l, w in level.items()} for level, d in zip(weights, dW)]
        return tiny.loss_and_gradients(x, Z, moved, E, F)[0]

    expected = sum((g[l] * d[l]).sum() for g, d in zip(gradient, dW) for l in d)
    # the loss is a polynomial of degree 4 in t: this five-point rule is exact but for rounding
    rule = (loss(-2) - 8 * loss(-1) + 8 * loss(1) - loss(2)) / 12
    assert abs(rule - expected) <= 1e4 * U * max(loss(-2), loss(2))
    assert abs(rule - 1.001 * expected) > 1e4 * U * max(loss(-2), loss(2))


def test_learning_lowers_the_loss_on_ethanol():
    frames, W = tiny.ethanol_frames(5), tiny.weights(3, [{1: 2}, {0: 1}])
    losses = tiny.learn(frames, W, steps=15, powers=np.array([2, 4, 6]))
    assert losses[-1] < 0.8 * losses[0]
