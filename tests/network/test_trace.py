"""A trace is the run itself: complete, named, and good for finding where another run departs."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nbody_ref.errors import NBodyRefError, ShapeError
from nbody_ref.gates import Bare, Directed, Gate, Product
from nbody_ref.network import Network, Schemes, Spec
from nbody_ref.ops.radial import Bessel
from nbody_ref.scheme import Node, Scheme

NUMBERS = np.array([8, 1, 1])
POSITIONS = np.array([[0.1, 0.0, -0.05], [0.9, 0.3, 0.2], [-0.4, 0.8, -0.3]])


def network(out="1x0e", dtype="float64", basis="real"):
    leg = Directed(Bessel(2, 4.0), 1, mul=2)
    first = Gate((Directed(Bessel(2, 4.0), 1), Bare("centre")), "2x0e + 1x1o")
    keep = tuple(part.partition("x")[2] for part in out.split(" + "))
    second = Gate((Product((leg, leg), keep), Directed(Bessel(2, 4.0), 1, keep=keep)), out)
    return Network(Spec((1, 8), 4.0, (first, second, Gate((Bare(),))), dtype, basis=basis), seed=1)


def graph_of(net, r=POSITIONS):
    return net.graph([(r, NUMBERS), (r[:2], NUMBERS[:2])])


def test_trace_holds_every_variable_and_the_forces():
    net = network()
    graph = graph_of(net)
    trace = net.trace(graph)
    assert set(trace.forward) == set(trace.adjoint) >= {step.output for step in net.chain.steps}
    energy, forces = net.energy_and_forces(graph)
    assert np.array_equal(trace.forward[net.root][:, 0], energy)
    assert np.array_equal(-trace.adjoint["r"], forces)
    assert all(trace.adjoint[name].shape == x.shape for name, x in trace.forward.items())


def test_records_name_level_node_kind_part_and_channel():
    net = network()
    trace = net.trace(graph_of(net))
    found = list(trace.records("level1/mixing/mixed", node=3))
    assert [(r.level, r.node, r.kind, r.part, str(r.irrep), r.channel) for r in found] == [
        ("level1", 3, 8, 0, "0e", 0),
        ("level1", 3, 8, 0, "0e", 1),
        ("level1", 3, 8, 1, "1o", 0),
    ]
    assert np.array_equal(np.concatenate([r.forward for r in found]), trace.forward["level1/mixing/mixed"][3])
    assert [r.kind for r in trace.records(net.root)] == ["molecule", "molecule"]
    assert "level1/mixing/mixed  node 3 (8)  part 1: 1o  channel 0  [" in str(found[2])
    assert "root" in str(trace) and "max|adj|" in str(trace)
    n = sum(x.shape[0] * sum(p.mul for p in trace.irreps[k]) for k, x in trace.forward.items() if k in trace.irreps)
    assert sum(1 for _ in trace.records()) == n


def test_traced_fragments_turn_with_their_irreps():
    """Every fragment of every node is covariant, forward and adjoint: the pairing is invariant."""
    net, rotation = network(), Rotation.random(random_state=2)
    one, two = (net.trace(graph_of(net, r)) for r in (POSITIONS, rotation.apply(POSITIONS)))
    for name, tau in one.irreps.items():
        D = tau.D(rotation)
        for x, y in ((one.forward, two.forward), (one.adjoint, two.adjoint)):
            size = max(np.abs(x[name]).max(), 1.0)
            assert np.abs(y[name] - x[name] @ D.T).max() <= 1e4 * 2.0**-53 * size, name  # k of test_network.py: 400


def test_first_difference_finds_the_step_that_was_changed():
    net = network()
    trace = net.trace(graph_of(net))
    assert trace.first_difference(trace.arrays()) is None
    name = "level2/term1/leg1"
    other = net.with_parameters({name: net.parameters[name] * (1 + 1e-9)})
    arrays = {k: v for k, v in other.trace(graph_of(net)).arrays().items() if not k.endswith(name)}
    found = trace.first_difference(arrays)
    assert found.variable == f"forward/{name}/mixed" and found.ratio > 1000
    planted = trace.arrays() | {"adjoint/r": -trace.adjoint["r"]}
    assert trace.first_difference(planted).variable == "adjoint/r"
    broken = trace.arrays() | {"forward/psi0": np.full_like(trace.forward["psi0"], np.nan)}
    assert trace.first_difference(broken).variable == "forward/psi0"


def test_trace_of_a_scheme_names_kinds_of_subsystems(tmp_path):
    scheme = Scheme(
        [
            Node([0], kind=8),
            Node([1], kind=1),
            Node([2], kind=1),
            Node([0, 1], [0, 1], "bond"),
            Node([1, 2], [1, 2], "pair"),
            Node(range(3), [3, 4], "all"),
        ]
    )
    gates = (Gate((Directed(Bessel(2, 4.0), 1),), "2x0e + 1x1o"), Gate((Directed(Bessel(2, 4.0), 1),), "1x1o"))
    net = Network(Spec((1, 8), 4.0, gates, schemes=Schemes.like([scheme])), seed=1)
    trace = net.trace(net.graph([(POSITIONS, NUMBERS)], [scheme]))
    assert [r.kind for r in trace.records("level1/mixing/mixed", irrep="1o")] == ["bond", "pair"]
    np.savez(tmp_path / "trace.npz", **trace.arrays())
    with np.load(tmp_path / "trace.npz") as saved:
        assert trace.first_difference(dict(saved), k=0.0) is None


def test_complex_networks_are_traced_and_mistakes_explained():
    net = network("1x0e + 1x1o", "complex64", "complex")
    trace = net.trace(graph_of(net), seed=np.ones((2, 4)))
    assert trace.adjoint["r"].dtype == np.float64 and trace.adjoint[net.root].dtype == np.complex64
    with pytest.raises(NBodyRefError, match="'variable' must be one of"):
        next(trace.records("nonsense"))
    with pytest.raises(ShapeError, match=r"'seed' must have shape \(2, 4\)"):
        net.trace(graph_of(net), seed=np.ones(2))
    with pytest.raises(ShapeError, match="must have shape"):
        trace.first_difference({"forward/r": np.zeros(3)})
