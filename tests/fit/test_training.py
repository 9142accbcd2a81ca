"""Training by steps of networks with several outputs."""

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError
from nbody_ref.fit import Frames, Potential, ethanol, evaluate, split, train
from nbody_ref.fit.descent import DescentOptions
from nbody_ref.gates.terms import Bare, Directed, Gate, Product
from nbody_ref.irreps import Irreps
from nbody_ref.network import Network, Spec
from nbody_ref.network.cartesian import from_tensor, from_vector, to_tensor, to_vector
from nbody_ref.ops.radial import Bessel


@pytest.fixture(scope="module")
def charged():
    """Ethanol with the dipole and the second moments of charges that depend on the distance to the neighbours."""
    frames, dipoles, tensors = ethanol()[:24], [], []
    for frame in frames:
        r = frame.positions - frame.positions.mean(axis=0)
        near = np.linalg.norm(r[:, None] - r[None], axis=2)
        charge = np.exp(-near).sum(axis=1) * np.where(frame.numbers == 1, 0.3, -0.4)
        charge -= charge.mean()
        dipoles.append(charge @ r)
        tensors.append(np.einsum("i,ia,ib->ab", charge, r, r))
    return frames, np.array(dipoles), np.array(tensors)


@pytest.fixture(scope="module")
def network():
    outputs = (("energy", "1x0e"), ("dipole", "1x1o"), ("polarizability", "1x0e + 1x2e"))
    leg = Directed(Bessel(6, 6.0), 2, mul=6)
    gate = Gate((Bare("centre"), leg, Product((leg, leg), ("0e", "1o", "2e"))), Irreps("1x0e + 1x1o + 1x0e + 1x2e"))
    return Network(Spec((1, 6, 8), 6.0, (gate, Gate((Bare(),))), outputs=outputs), seed=3)


def test_dipole_and_polarizability_are_learned_beside_energy_and_forces(charged, network):
    frames, dipoles, tensors = charged
    labels = {"dipole": from_vector(dipoles), "polarizability": from_tensor(tensors)}
    options = DescentOptions(optimiser="lbfgs", steps=12, check_every=4)
    model, state = train(
        network, frames, options, holdout=0.25, others=labels, weights={"dipole": 10.0, "polarizability": 10.0}
    )
    assert state.best_score < 0.2 * state.history[0]["holdout"]
    found = model.predict(model.graph(frames.geometries))
    for label, guess in ((dipoles, to_vector(found["dipole"])), (tensors, to_tensor(found["polarizability"]))):
        assert np.linalg.norm(guess - label) < 0.5 * np.linalg.norm(label - label.mean(axis=0))


def test_holdout_that_leaves_nothing_is_refused(charged, network):
    for holdout in (0.0, 1.0, 0.001, np.nan):
        with pytest.raises(ArgumentError, match="'holdout' must be such that frames are left on both sides"):
            train(network, Frames(charged[0].frames[:5]), holdout=holdout)


def test_potential_of_several_outputs_has_the_forces_of_its_energy(charged, network):
    """Planted by the other outputs: their derivatives would be forces of a sum."""
    frames = charged[0][:2]
    graph = network.graph(frames.geometries)
    energy, forces = network.energy_and_forces(graph)
    potential = Potential.of(network, frames)
    found = potential.predict(frames.geometries)
    np.testing.assert_array_equal(found.forces, forces)
    total = energy + potential.baseline.energy(frames)
    assert np.all(np.abs(found.energies - total) <= 20 * np.finfo(float).eps * np.abs(total))  # sums of nine atoms


def test_the_log_calls_a_force_error_what_is_one(charged, network):
    """The loss, with energies times 30/A, is another number, a hundred times larger for an untrained network."""
    frames, lines = charged[0], []
    model, _ = train(network, frames, DescentOptions(steps=1, batch=2, rate=1e-9), holdout=0.25, log=lines.append)
    held = frames[list(split(24, 18, 0).test)]
    rms = [1e3 * np.sqrt(np.mean(evaluate(Potential.of(m, frames), held).force_errors ** 2)) for m in (network, model)]
    assert lines[1] == f"force error on the hold-out, rms: {rms[0]:.2f} -> {rms[1]:.2f} meV/A"
    assert "loss (energies times 30/A, forces and other outputs, rms) on the hold-out" in lines[0]
    assert "force error" not in lines[0] and " eV/A" in lines[0]
