"""Leaves with a given state, Def. 3 item 2: any irreps, through graphs, schemes, files and calculators.

S is the first-order gauge of docs/accuracy.md, K the roundings along the longest way through two levels.
"""

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from nbody_ref import Irreps
from nbody_ref.errors import ArgumentError, GeometryError, IrrepsError, ShapeError
from nbody_ref.fit import Potential, load
from nbody_ref.fit.baseline import Baseline
from nbody_ref.gates import Bare, Directed, Gate
from nbody_ref.network import Network, Schemes, Spec
from nbody_ref.ops.radial import InversePowers
from nbody_ref.scheme import groups

U, K = 2.0**-53, 400
GIVEN = Irreps("1x0e + 1x1o + 1x2e")
R = np.array([[0.0, 0, 0], [1.1, 0, 0.2], [-0.3, 1.2, 0], [0.1, 0.4, -1.3]])
Z = np.array([8, 1, 1, 6])
PSI = np.random.default_rng(1).standard_normal((4, GIVEN.dim))


def network(**options):
    level = Gate((Bare(), Directed(InversePowers((0, 1)), 2)), "3x0e + 3x1o + 2x2e")
    readout = Gate((Bare("centre", keep=("0e",)), Directed(InversePowers((1,)), 1, keep=("0e",))), "1x0e")
    return Network(Spec((1, 6, 8), np.inf, (level, readout, Gate((Bare(),))), given=str(GIVEN), **options), seed=2)


def gauge(net, graph):
    values, batch = net.forward(graph)
    bars = net.chain.vjp(values, batch, {net.root: np.ones_like(values[net.root])}, ("r", *net.parameters))
    return sum(np.sum(np.abs(x) * np.abs(values[n])) for n, x in bars.items())


def energy(net, r=R, psi=PSI):
    return net.energy(net.graph([(r, Z, psi)]))[0]


def test_energy_depends_on_states_that_turn_with_the_molecule():
    net, rotation = network(), Rotation.random(random_state=3)
    bound = K * U * gauge(net, net.graph([(R, Z, PSI)]))
    turned = PSI @ GIVEN.D(rotation).T
    assert abs(energy(net, rotation.apply(R), turned) - energy(net)) <= bound
    assert abs(energy(net, -R, PSI @ GIVEN.D(Rotation.identity(), inversion=True).T) - energy(net)) <= bound
    assert abs(energy(net, rotation.apply(R)) - energy(net)) > 1e6 * bound  # planted error: states not turned
    assert abs(energy(net, psi=2 * PSI) - energy(net)) > 1e6 * bound


def test_complex_gauge_takes_the_same_states():
    net = network()
    bound = 2 * K * U * gauge(net, net.graph([(R, Z, PSI)]))
    assert abs(energy(net.to_complex()) - energy(net)) <= bound
    assert abs(energy(net.to_complex().to_real()) - energy(net)) <= bound


def test_forces_are_minus_the_gradient_at_fixed_states():
    net, v = network(), np.random.default_rng(4).standard_normal(R.shape)
    slope = -np.sum(net.energy_and_forces(net.graph([(R, Z, PSI)]))[1] * v)
    errors = [abs((energy(net, R + h * v) - energy(net, R - h * v)) / (2 * h) - slope) for h in (2e-3, 1e-3)]
    assert errors[1] < errors[0] / 3.5 and errors[1] < 1e-3 * abs(slope)


def test_a_batch_keeps_states_with_their_atoms():
    net = network()
    both = net.energy(net.graph([(R, Z, PSI), (R[:2], Z[:2], PSI[2:])]))
    assert both[0] == energy(net)
    assert both[1] == net.energy(net.graph([(R[:2], Z[:2], PSI[2:])]))[0]


def test_states_reach_the_leaves_of_schemes_in_the_order_of_the_atoms():
    """A bare sum over the atoms of a group; groups listed against the order of the atoms."""
    scheme = groups(Z.tolist(), {"first": [3, 1], "second": [2, 0]})
    sums = Gate((Bare(),), None)
    layout = Schemes.like([scheme])
    net = Network(Spec((1, 6, 8), 5.0, (sums, sums), schemes=layout, given=str(GIVEN)))
    values, _ = net.forward(net.graph([(R, Z, PSI)], [scheme]))
    bound = 2 * U * np.abs(PSI).sum(axis=0)
    for row, members in zip(values["level1/sum/all"], ([3, 1], [2, 0]), strict=True):
        assert (np.abs(row[3:] - PSI[members].sum(axis=0)) <= bound).all()
    assert values[net.root][0, :3].tolist() == [2.0, 1.0, 1.0]


def test_a_potential_in_a_file_reads_states_from_the_atoms(tmp_path):
    net = network()
    potential = Potential(net, Baseline({1: 0.0, 6: 0.0, 8: 0.0}, "isolated"), {1: 0.0, 6: 0.0, 8: 0.0})
    potential.save(tmp_path / "given.safetensors")
    again = load(tmp_path / "given.safetensors")
    assert again.network.spec == net.spec
    atoms = Atoms(Z, R, calculator=again.calculator())
    with pytest.raises(GeometryError, match=r"'atoms.arrays\[\"given\"\]' must be \(4, 9\), got none"):
        atoms.get_potential_energy()
    bound = K * U * gauge(net, net.graph([(R, Z, PSI)]))
    atoms.set_array("given", PSI)
    first = atoms.get_potential_energy()
    assert abs(first - energy(net)) <= bound
    atoms.arrays["given"][0] += 1.0  # in place: the calculator notices
    assert abs(atoms.get_potential_energy() - first) > 1e6 * bound


@pytest.mark.parametrize("irreps", ["0e + 1x1o", "1x0", "3"])
def test_wrong_types_are_refused(irreps):
    if irreps == "0e + 1x1o":
        assert Spec((1,), np.inf, (Gate((Bare(),), "1x0e"),) * 2, given=irreps).given == "1x0e + 1x1o"
        return
    with pytest.raises((ArgumentError, IrrepsError)):
        Spec((1,), np.inf, (Gate((Bare(),), "1x0e"),) * 2, given=irreps)


def test_wrong_states_are_refused_by_frame():
    net = network()
    wanted = r"must hold a state of shape \(4, 9\), type 1x0e \+ 1x1o \+ 1x2e"
    for frame in ((R, Z), (R, Z, PSI[:3]), (R, Z, PSI, PSI)):
        with pytest.raises(ShapeError, match=wanted):
            net.graph([(R, Z, PSI), frame])
    with pytest.raises(ShapeError, match="'given' must be finite"):
        net.graph([(R, Z, PSI * np.nan)])
    plain = Network(Spec((1, 6, 8), np.inf, (Gate((Bare(),), "1x0e"),) * 2))
    with pytest.raises(ShapeError, match="must hold no states of atoms, got"):
        plain.graph([(R, Z, PSI)])
    with pytest.raises(ShapeError, match="must give each atom 9 numbers, got 0"):
        net.energy(plain.graph([(R, Z)]))


def test_keep_takes_parts_of_the_states_before_they_are_summed():
    net = network()
    assert str(net.irreps["level2/sum/centre"]) == "3x0e"
    types = {step.output: step.inputs for step in net.chain.steps}
    assert types["level2/sum/centre"] == ("level1/mixing/mixed/0e",)
    with pytest.raises(IrrepsError, match="'keep' must name irreps of the states"):
        Network(Spec((1,), np.inf, (Gate((Bare(),), "1x0e"), Gate((Bare(keep=("3o",)),), "1x3o"))))
    assert Gate.from_dict(Gate((Bare(keep=("0e",)),), "1x0e").to_dict()).terms[0].keep == ("0e",)
