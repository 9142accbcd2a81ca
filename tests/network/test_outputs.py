"""Several outputs: a dipole turns with the molecule, and every output has its share in the gradient of a loss."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nbody_ref.errors import IrrepsError, NBodyRefError, ShapeError
from nbody_ref.gates.terms import Bare, Directed, Gate, Product
from nbody_ref.irreps import Irreps
from nbody_ref.network import Network, Spec
from nbody_ref.network.cartesian import from_tensor, from_vector, to_tensor, to_vector
from nbody_ref.ops.radial import Bessel

OUTPUTS = (("energy", "1x0e"), ("dipole", "1x1o"), ("polarizability", "1x0e + 1x2e"))
NUMBERS = np.array([8, 1, 1, 6])


def made(outputs=OUTPUTS, out="1x0e + 1x1o + 1x0e + 1x2e"):
    leg = Directed(Bessel(3, 4.0), 2, mul=3)
    neighbourhood = Gate((leg, Product((leg, leg), ("0e", "1o", "2e"))), Irreps(out))
    return Network(Spec((1, 6, 8), 4.0, (neighbourhood, Gate((Bare(),))), outputs=outputs), seed=1)


def positions(seed=0):
    return np.random.default_rng(seed).standard_normal((4, 3)) * 1.2


@pytest.fixture(scope="module")
def network():
    return made()


def bound(network, graph):
    """First-order accuracy gauge of the root: rounding of every variable, carried by its adjoint (k = 64 a step)."""
    values, batch = network.forward(graph)
    total = 0.0
    for column in range(network.irreps_out.dim):
        seed = np.zeros_like(values[network.root])
        seed[:, column] = 1
        names = [step.output for step in network.chain.steps] + ["r"]
        bars = network.chain.vjp(values, batch, {network.root: seed}, names)
        total = max(total, sum(float(np.sum(np.abs(bars[n]) * np.abs(values[n]))) for n in names if n in bars))
    return 64 * np.finfo(float).eps / 2 * total


def test_outputs_turn_as_their_types_say(network):
    rotation, r = Rotation.from_rotvec([0.3, -1.1, 0.7]), positions()
    before, after = (network.predict(network.graph([(x, NUMBERS)])) for x in (r, rotation.apply(r)))
    limit = bound(network, network.graph([(r, NUMBERS)]))
    turn = rotation.as_matrix()
    np.testing.assert_allclose(after["energy"], before["energy"], rtol=0, atol=2 * limit)
    dipole = to_vector(before["dipole"]) @ turn.T
    np.testing.assert_allclose(to_vector(after["dipole"]), dipole, rtol=0, atol=6 * limit)
    tensor = turn @ to_tensor(before["polarizability"]) @ turn.T
    np.testing.assert_allclose(to_tensor(after["polarizability"]), tensor, rtol=0, atol=18 * limit)
    assert np.abs(to_vector(after["dipole"]) - to_vector(before["dipole"])).max() > 1e6 * limit


def test_inversion_reverses_the_dipole_and_keeps_the_rest(network):
    r = positions()
    before, after = (network.predict(network.graph([(x, NUMBERS)])) for x in (r, -r))
    np.testing.assert_array_equal(after["dipole"], -before["dipole"])
    np.testing.assert_array_equal(after["polarizability"], before["polarizability"])


def test_tensors_and_vectors_come_back_from_their_states():
    rng = np.random.default_rng(3)
    vector, tensor = rng.integers(-9, 9, (5, 3)).astype(float), rng.standard_normal((5, 3, 3))
    np.testing.assert_array_equal(to_vector(from_vector(vector)), vector)
    tensor = tensor + tensor.swapaxes(1, 2)
    size = np.abs(tensor).max(axis=(1, 2), keepdims=True)
    assert (np.abs(to_tensor(from_tensor(tensor)) - tensor) <= 30 * np.finfo(float).eps * size).all()  # 9 + 6 products
    squares = np.sum(from_tensor(tensor) ** 2, axis=1), np.sum(tensor**2, axis=(1, 2))
    assert (np.abs(squares[0] - squares[1]) <= 40 * np.finfo(float).eps * squares[1]).all()
    with pytest.raises(ShapeError, match=r"from_tensor.*\(\.\.\., 3, 3\)"):
        from_tensor(np.zeros((3, 2)))


def test_loss_gradient_of_all_outputs_is_its_difference_quotient(network):
    graph, rng = network.graph([(positions(1), NUMBERS), (positions(2), NUMBERS)]), np.random.default_rng(4)
    weights = {name: rng.standard_normal(x.shape) for name, x in network.predict(graph).items()}
    weights["forces"] = rng.standard_normal((8, 3))

    def loss(found):
        value = sum(float(np.sum(w * found[n] + 0.5 * found[n] ** 2)) for n, w in weights.items())
        return value, {n: w + found[n] for n, w in weights.items()}

    _, gradient = network.outputs_gradient(graph, loss)
    x, direction, h = network.parameters.flat(), rng.standard_normal(network.parameters.n), 1e-5

    def value(shift):
        moved = network.with_parameters(network.parameters.from_flat(x + shift * direction))
        return moved.outputs_gradient(graph, loss, wrt=())[0]

    slope = (value(h) - value(-h)) / (2 * h)
    wide = (value(2 * h) - value(-2 * h)) / (4 * h)  # its distance measures the truncation, and rounding is u L / h
    limit = abs(wide - slope) + 64 * np.finfo(float).eps * abs(value(0)) / h
    assert abs(gradient.flat() @ direction - slope) <= limit
    without = {n: w for n, w in weights.items() if n != "dipole"}
    planted = network.outputs_gradient(graph, lambda found: (0.0, {n: loss(found)[1][n] for n in without}))[1]
    assert abs(planted.flat() @ direction - slope) > limit


def test_outputs_that_do_not_fit_the_root_are_refused():
    with pytest.raises(IrrepsError, match="'outputs' must make up the root's type"):
        made((("energy", "1x0e"), ("dipole", "1x1e")), "1x0e + 1x1o")
    with pytest.raises(IrrepsError, match="an energy must be one scalar, the outputs are dipole 1x1o"):
        made((("dipole", "1x1o"),), "1x1o").energy(made().graph([(positions(), NUMBERS)]))
    with pytest.raises(NBodyRefError, match="names of their own"):
        made((("a", "1x0e"), ("a", "1x0e")), "1x0e + 1x0e")


def test_spec_with_outputs_comes_back_from_json(network):
    assert Spec.from_dict(network.spec.to_dict()) == network.spec
