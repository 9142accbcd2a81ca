"""Networks in the complex gauge: covariant, the same as their real form, with gradients; SO(3) against O(3)."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nbody_ref.errors import IrrepsError, NBodyRefError
from nbody_ref.gates import Bare, Directed, Gate, Pairs, Product
from nbody_ref.irreps import Irreps
from nbody_ref.network import Network, Spec
from nbody_ref.ops import gauge
from nbody_ref.ops.radial import Bessel

U = {"float64": 2.0**-53, "complex128": 2.0**-53, "float32": 2.0**-24, "complex64": 2.0**-24}
NUMBERS = np.array([8, 1, 1, 6])
POSITIONS = np.array([[0.1, 0.0, -0.05], [0.9, 0.3, 0.2], [-0.4, 0.8, -0.3], [-0.2, -0.7, 0.9]])
# Per step at most 4 neighbours x 9 terms, twice for complex products, 40 terms of a mixing; gauge counts every step.
K = 2 * 80


def make(dtype="float64", basis="real", out="1x0e", seed=1):
    bessel = Bessel(3, 4.0)
    crossed = Product((Directed(bessel, 1, mul=2),) * 2, ("1e",), mode="full")
    first = Gate(
        (Directed(bessel, 2), Bare("centre"), Pairs(Bessel(2, 8.0), 1, keep=("0e", "1o")), crossed),
        "2x0e + 2x1o + 1x1e + 1x2e",
    )
    leg = Directed(bessel, 2, mul=2, mixed_lmax=1)
    keep = tuple(str(part.irrep) for part in Irreps(out))
    second = Gate((Directed(bessel, 2, keep=keep), Product((leg, leg, leg), keep, bond=2), Bare("all")), out)
    return Network(Spec((1, 6, 8), np.inf, (first, second, Gate((Bare(),))), dtype, basis=basis), seed=seed)


def graph_of(network, positions=POSITIONS):
    return network.graph([(positions, NUMBERS)])


def slope(network, v):
    """Energy, its rate along v, and the first-order rounding gauges of both: sums of |adjoint| |value|, section 6."""
    graph = graph_of(network)
    values, batch = network.forward(graph)
    wrt = ("r", "psi0", *network.parameters)
    one = {network.root: np.ones_like(values[network.root])}
    dots = network.chain.jvp(values, batch, {"r": v})
    bars = network.chain.vjp(values, batch, one, wrt)
    bars_dot = network.chain.vjp_jvp(values, batch, dots, bars, wrt)
    first = sum(np.sum(np.abs(bars[n]) * np.abs(values[n])) for n in bars)
    second = sum(np.sum(np.abs(bars_dot[n]) * np.abs(values[n])) for n in bars_dot)
    second += sum(np.sum(np.abs(bars[n]) * np.abs(dots[n])) for n in bars if n in dots)
    energy, forces = network.energy_and_forces(graph)
    return energy[0], -np.sum(forces * v), first, second


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_converted_network_is_the_same_function(dtype):
    real, v = make(dtype), np.random.default_rng(0).standard_normal((4, 3))
    other = real.to_complex()
    assert other.spec.basis == "complex" and other.forward(graph_of(other))[0][other.root].dtype.kind == "c"
    (e, f, s_e, s_f), (e_c, f_c, _, _) = slope(real, v), slope(other, v)
    assert abs(e - e_c) <= K * U[dtype] * s_e
    assert abs(f - f_c) <= K * U[dtype] * s_f


def test_states_of_the_converted_network_are_the_converted_states():
    real = make(out="1x0e + 2x1o + 1x2e")
    other = real.to_complex()
    one, two = real.forward(graph_of(real))[0], other.forward(graph_of(other))[0]
    for name in ("level1/mixing/mixed", real.root):
        wanted = gauge.to_complex(one[name], real.irreps[name])
        assert np.abs(two[name] - wanted).max() <= 1e3 * U["float64"] * np.abs(wanted).max()


def test_conversion_inverts_to_the_bit_and_refuses_unconstrained_weights():
    real = make()
    again = real.to_complex().to_real()
    assert again.spec == real.spec
    assert all(np.array_equal(again.parameters[k], real.parameters[k]) for k in real.parameters)
    with pytest.raises(NBodyRefError, match=r"must be real times .*: this network has no real form"):
        make("complex128", "complex").to_real()
    with pytest.raises(NBodyRefError, match="must be real"):
        real.to_complex().to_complex()
    with pytest.raises(NBodyRefError, match="complex gauge"):
        real.to_real()


def test_forgetting_the_powers_of_i_is_caught():
    real, v = make(), np.zeros((4, 3))
    other = real.to_complex()
    planted = other.with_parameters({k: a.astype(complex) for k, a in real.parameters.items()})
    e, _, size, _ = slope(real, v)
    assert abs(e - slope(planted, v)[0]) > K * U["float64"] * size


@pytest.mark.parametrize("inversion", [False, True])
@pytest.mark.parametrize(
    ("dtype", "basis"), [("complex128", "complex"), ("complex64", "complex"), ("complex128", "real")]
)
def test_network_with_complex_weights_is_covariant(dtype, basis, inversion):
    network, rotation = make(dtype, basis, "1x0e + 2x1o + 1x2e"), Rotation.random(random_state=4)
    turned = rotation.apply(POSITIONS) * (-1 if inversion else 1)
    before, after = (network.states(graph_of(network, r)) for r in (POSITIONS, turned))
    D = network.irreps_out.D(rotation, inversion, basis)
    values = network.forward(graph_of(network))[0]
    bars = network.chain.vjp(
        *network.forward(graph_of(network)), {network.root: np.ones_like(before)}, ("r", "psi0", *network.parameters)
    )
    size = sum(np.sum(np.abs(bars[n]) * np.abs(values[n])) for n in bars) * network.irreps_out.dim
    assert np.abs(before.imag).max() > 0.01
    assert np.abs(after - before @ D.T).max() <= K * U[dtype] * size
    if not inversion:
        other = network.irreps_out.D(rotation.inv(), inversion, basis)
        assert np.abs(after - before @ other.T).max() > K * U[dtype] * size


def test_energy_of_complex_weights_is_the_real_part_and_forces_its_gradient():
    network, v = make("complex128", "complex"), np.random.default_rng(2).standard_normal((4, 3))
    _, rate, _, _ = slope(network, v)
    errors = []
    for h in (1e-3, 5e-4):
        plus, minus = (network.energy(graph_of(network, POSITIONS + s * h * v))[0] for s in (1, -1))
        errors.append(abs((plus - minus) / (2 * h) - rate))
    assert errors[1] < errors[0] / 3.5 and errors[1] < 1e-3 * abs(rate)


def test_gradient_pairs_with_complex_weights_without_conjugation():
    """dL = Re sum(W_bar dW) in one complex direction of all weights; central differences at two steps."""
    network, rng = make("complex128", "complex"), np.random.default_rng(6)
    graph, target = graph_of(network), rng.standard_normal((4, 3))
    n, flat = network.parameters.n, network.parameters.flat()
    direction = rng.standard_normal(n) + 1j * rng.standard_normal(n)

    def loss(weights):
        energy, forces = network.with_parameters(network.parameters.from_flat(weights)).energy_and_forces(graph)
        return 0.5 * energy[0] ** 2 + 0.5 * np.sum((forces - target) ** 2)

    energy, forces = network.energy_and_forces(graph)
    gradient = network.weight_gradient(graph, energy, forces - target).flat()
    rate = np.sum((gradient * direction).real)
    errors = []
    for h in (1e-3, 5e-4):
        errors.append(abs((loss(flat + h * direction) - loss(flat - h * direction)) / (2 * h) - rate))
    assert errors[1] < errors[0] / 3.5 and errors[1] < 1e-3 * abs(rate)
    assert abs(np.sum((gradient.conj() * direction).real) - rate) > errors[0]


def pseudoscalar(group, out):
    """One neighbourhood around the carbon; ((r x r)^1 x r)^0 from three legs that see different species."""
    e, o = ("e", "o") if group == "O(3)" else ("", "")
    leg = Directed(Bessel(2, 4.0), 1, degrees=(1,), mul=3)
    product = Product((leg, leg, leg), (out,), mode="full")
    assert e or not o
    return Network(Spec((1, 6, 8), 4.0, (Gate((product,), f"1x{out}"), Gate((Bare(),))), group=group), seed=3)


def test_so3_network_sees_handedness_and_o3_energy_does_not():
    """r1.(r2 x r3) is invariant under rotations and changes sign under reflections: allowed in SO(3), odd in O(3)."""
    mirrored = POSITIONS * [1.0, 1.0, -1.0]
    energies = {}
    for group, out in (("SO(3)", "0"), ("O(3)", "0e"), ("O(3)", "0o")):
        if (group, out) == ("O(3)", "0e"):  # three odd vectors make no even scalar
            with pytest.raises(IrrepsError, match="no coupling"):
                pseudoscalar(group, out)
            continue
        network = pseudoscalar(group, out)
        energies[group] = [network.states(graph_of(network, r))[0, 0] for r in (POSITIONS, mirrored)]
        turned = Rotation.random(random_state=1).apply(POSITIONS)
        assert abs(network.states(graph_of(network, turned))[0, 0] - energies[group][0]) < 1e-12
    left, right = energies["SO(3)"]
    assert abs(left) > 1e-6 and abs(left + right) < 1e-12 * max(1.0, abs(left))
    assert energies["O(3)"][0] == left  # the same numbers, labelled 0o: not an energy of O(3)


def test_o3_energy_is_mirror_symmetric_where_so3_is_not():
    mirrored = POSITIONS * [1.0, 1.0, -1.0]
    bessel = Bessel(3, 4.0)
    gaps = {}
    for group, e in (("O(3)", "e"), ("SO(3)", "")):
        leg = Directed(bessel, 2, mul=3, mixed_lmax=2)
        second = Gate((Product((leg, leg, leg), (f"0{e}",)),), f"1x0{e}")
        hidden = "2x0e + 2x1o + 1x2e" if e else "2x0 + 2x1 + 1x2"
        spec = Spec((1, 6, 8), 4.0, (Gate((Directed(bessel, 2),), hidden), second, Gate((Bare(),))), group=group)
        network = Network(spec, seed=5)
        one, two = (network.energy(graph_of(network, r))[0] for r in (POSITIONS, mirrored))
        gaps[group] = abs(one - two) / abs(one)
    assert gaps["O(3)"] < 1e-10 < 1e-4 < gaps["SO(3)"]


def test_spec_with_gauge_and_group_survives_json():
    spec = make("complex64", "complex").spec
    assert Spec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    with pytest.raises(NBodyRefError, match="'basis' must be"):
        make("float64", "complex")
    with pytest.raises(NBodyRefError, match="'group' must be"):
        Spec((1,), 3.0, spec.gates, group="U(1)")
    with pytest.raises(NBodyRefError, match="'dtype' must be"):
        Spec((1,), 3.0, spec.gates, dtype="int8")
