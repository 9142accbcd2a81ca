"""Objectives of trainings: their gradients are those of their values, regularisation included."""

import numpy as np
import pytest

from nbody_ref.errors import DataError
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.cross_validation import CrossValidation, _System
from nbody_ref.fit.objectives import Loss
from nbody_ref.fit.reading import ethanol
from nbody_ref.gates.terms import Bare, Directed, Gate
from nbody_ref.irreps import Irreps
from nbody_ref.network import Network, Spec, default
from nbody_ref.ops.radial import Bessel

EPS = np.finfo(float).eps


@pytest.fixture(scope="module")
def frames():
    return ethanol()[:12]


@pytest.fixture(scope="module")
def targets(frames):
    return frames.energies - Baseline.build(frames).energy(frames)


@pytest.fixture(scope="module")
def objective(frames, targets):
    network = default(frames.species, cutoff=4.0, size=(3, 3, 2), seed=1)
    return CrossValidation(network, frames, targets, [0, 1, 2], [10, 11], regularisation=1e-2)


def quotient(function, x, direction, h, roundings=1e6):
    """Central difference and what it may be off by: its change on doubling h, and the roundings of a value, whose
    number is the longest chain times the condition of the equations that are solved."""
    near = (function(x + h * direction) - function(x - h * direction)) / (2 * h)
    far = (function(x + 2 * h * direction) - function(x - 2 * h * direction)) / (4 * h)
    return near, abs(far - near) + roundings * EPS * abs(function(x)) / h


@pytest.mark.parametrize("which", ["covariant", "regularisation"])
def test_gradient_of_cross_validation_is_its_difference_quotient(objective, which):
    x, indices = objective.start(), [3, 4, 5, 6, 7, 8]
    direction = np.random.default_rng(0).standard_normal(len(x))
    direction[(slice(None, -1), -1)[which == "covariant"]] = 0.0
    _, gradient = objective.gradient(x, indices)
    slope, bound = quotient(lambda y: objective.gradient(y, indices)[0], x, direction, 1e-3)
    assert abs(gradient @ direction - slope) <= bound < 1e-3 * abs(slope)


def test_a_gradient_without_the_answer_of_the_readout_is_caught(objective, monkeypatch):
    """Planted: the readout taken as constant, so that only <s, dB w> is left."""
    x, indices = objective.start(), [3, 4, 5, 6, 7, 8]
    direction = np.append(np.random.default_rng(0).standard_normal(len(x) - 1), 0.0)
    slope, bound = quotient(lambda y: objective.gradient(y, indices)[0], x, direction, 1e-3)
    monkeypatch.setattr(CrossValidation, "pull", lambda self, network, indices, u, bar: 0.0)
    assert abs(objective.gradient(x, indices)[1] @ direction - slope) > bound


@pytest.mark.parametrize("constants", [True, False])
def test_what_is_read_off_on_unseen_frames_is_that_of_their_rows(frames, targets, constants):
    network = default(frames.species, cutoff=4.0, size=(2, 2, 1), seed=1)
    objective = CrossValidation(network, frames, targets, [0, 1, 2], [10, 11], constants, regularisation=1.0)
    b = objective.scaled(objective.design(network, [3, 4]), [3, 4])
    u = np.random.default_rng(2).standard_normal(b.shape[1])
    s = b @ u - np.concatenate([30 * targets[[3, 4]], frames[[3, 4]].forces.ravel()])
    squares, _, product = objective.unseen(network, [3, 4], u)
    size = np.abs(b) @ np.abs(u) + np.abs(s)
    assert abs(squares - s @ s) <= 400 * EPS * (size @ size)
    assert np.all(np.abs(product - b.T @ s) <= 400 * EPS * (np.abs(b).max(axis=0) * size.sum()))
    planted = b[:, ::-1].T @ s
    assert not np.all(np.abs(planted - b.T @ s) <= 400 * EPS * (np.abs(b).max(axis=0) * size.sum()))


def test_drawn_directions_are_orthogonal_and_long_enough(objective):
    """The squares of the components sum to the square of the whole vector where there are as many as coordinates."""
    objective.directions, few = 27, objective.drawn([3, 4])
    try:
        every = objective.drawn([3, 4])
    finally:
        objective.directions = 8
    assert few.shape == (8, 18, 3) and every.shape == (27, 18, 3)
    for directions, length in ((few, 27 / 8), (every, 1.0)):
        for atoms in (slice(9), slice(9, 18)):
            q = directions[:, atoms].reshape(len(directions), -1)
            assert np.all(np.abs(q @ q.T / length - np.eye(len(q))) <= 27 * EPS)
    np.testing.assert_array_equal(few, objective.drawn([3, 4]))
    assert not np.array_equal(few[:, :9], objective.drawn([4, 3])[:, 9:])  # drawn anew for other frames of a step


def test_gradient_does_not_depend_on_the_form_that_is_solved(frames, targets):
    """Many frames are solved through A^T A, few through A A^T; here both, for the same frames and weights."""
    network = default(frames.species, cutoff=4.0, size=(1, 1, 1), seed=1)
    found = CrossValidation(network, frames, targets, [0, 1, 2], [10, 11], regularisation=1.0)
    system = found.system(network, list(range(8)), 1.0)
    b = np.random.default_rng(1).standard_normal(system.a.shape[1])
    one = system.solve(b)
    system._dual = not system._dual
    gram = system.a @ system.a.T if system._dual else system.a.T @ system.a
    gram[np.diag_indices(len(gram))] += system.mu
    import scipy.linalg

    system._factor = scipy.linalg.cho_factor(gram, lower=True)[0]
    other = system.solve(b)
    condition = 1 + np.linalg.norm(system.a, 2) ** 2 / system.mu
    assert np.linalg.norm(one - other) <= 4 * len(b) * EPS * condition * np.linalg.norm(one)


def test_a_regularisation_too_small_for_float64_is_raised():
    """Of two equal columns; one ten-thousandth of a rounding of their squares holds nothing."""
    a, y = np.ones((3, 2)), np.ones(3)
    mu = 1e-4 * EPS
    found = _System.least(a, y, mu)
    assert found.mu > mu and np.all(np.isfinite(found.solve(a.T @ y)))
    assert _System.least(a, y, 0.5).mu == 0.5


@pytest.fixture(scope="module")
def dipoles(frames):
    """A network with two outputs, and labels of the second."""
    leg = Directed(Bessel(3, 4.0), 1, mul=2)
    outputs, gate = (("energy", "1x0e"), ("dipole", "1x1o")), Gate((leg,), Irreps("1x0e + 1x1o"))
    network = Network(Spec(frames.species, 4.0, (gate, Gate((Bare(),))), outputs=outputs))
    return network, np.random.default_rng(2).standard_normal((len(frames), 3))


def test_gradient_of_the_loss_is_its_difference_quotient(frames, targets, dipoles):
    network, labels = dipoles
    loss = Loss(network, frames, targets, [10, 11], {"dipole": labels}, {"dipole": 3.0})
    x = loss.start()
    direction = np.random.default_rng(3).standard_normal(len(x))
    _, gradient = loss.gradient(x, [0, 1, 2])
    slope, bound = quotient(lambda y: loss.gradient(y, [0, 1, 2])[0], x, direction, 1e-4, 200)
    assert abs(gradient @ direction - slope) <= bound
    without = Loss(network, frames, targets, [10, 11])  # planted: the dipole forgotten
    assert abs(without.gradient(x, [0, 1, 2])[1] @ direction - slope) > bound


def test_gradient_by_complex_weights_is_its_difference_quotient(frames, targets):
    """Real and imaginary parts alike; without the conjugation the imaginary parts would have the wrong sign."""
    gate = Gate((Directed(Bessel(3, 4.0), 1, mul=2), Bare("centre")), Irreps("1x0e"))
    spec = Spec(frames.species, 4.0, (gate, Gate((Bare(),))), dtype="complex128", basis="complex")
    loss = Loss(Network(spec, seed=4), frames, targets, [10, 11])
    x = loss.start()
    assert len(x) == 2 * loss.model.parameters.n
    for part in (0, 1):
        direction = np.zeros(len(x))
        direction[part::2] = np.random.default_rng(5).standard_normal(len(x) // 2)
        _, gradient = loss.gradient(x, [0, 1, 2])
        slope, bound = quotient(lambda y: loss.gradient(y, [0, 1, 2])[0], x, direction, 1e-4, 200)
        assert abs(gradient @ direction - slope) <= bound
        sign = np.where(np.arange(len(x)) % 2, -1.0, 1.0)
        assert part == 0 or abs((gradient * sign) @ direction - slope) > bound


def test_score_of_the_loss_is_the_root_of_its_value(frames, targets, dipoles):
    network, labels = dipoles
    loss = Loss(network, frames, targets, [10, 11], {"dipole": labels})
    x = loss.start()
    value, _ = loss.gradient(x, [10, 11])
    assert abs(loss.score(x) - np.sqrt(value)) <= 200 * EPS * np.sqrt(value)  # sums of two molecules, 54 terms


def test_labels_of_an_output_that_is_not_there_are_refused(frames, targets, dipoles):
    with pytest.raises(DataError, match="'charge' must be one of"):
        Loss(dipoles[0], frames, targets, [10], {"charge": np.zeros((12, 1))})
    with pytest.raises(DataError, match=r"'dipole' must be labels of shape \(12, 3\)"):
        Loss(dipoles[0], frames, targets, [10], {"dipole": np.zeros((12, 2))})
