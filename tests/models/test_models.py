"""What every published model must do: symmetry within the accuracy law, derivatives that are slopes, batches, files.

S is the first-order gauge of docs/accuracy.md: the sum over all variables of |adjoint| |value|. K counts the roundings
along the longest way through two layers, there and back.
"""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nbody_ref.fit import Potential, load
from nbody_ref.fit.baseline import Baseline
from nbody_ref.models import cofd, cormorant, mace, mofd, nequip

U = 2.0**-53
K = 2 * (4 + 12 + 40 + 2 * (20 + 3 * 40 + 20) + 40)
NUMBERS = np.array([6, 8, 1, 1, 1, 1])
METHANOL = np.array(
    [
        [-0.047131, 0.664389, 0.0],
        [-0.047131, -0.758551, 0.0],
        [-1.092995, 0.969785, 0.0],
        [0.878534, -1.048458, 0.0],
        [0.437145, 1.080376, 0.891772],
        [0.437145, 1.080376, -0.891772],
    ]
)
SPECIES, CUTOFF = (1, 6, 8), 4.0


def nequip_of(**others):
    fixed = {"n_layers": 2, "lmax": 2, "n_radial": 4, "radial_widths": (6,), "mean_neighbours": 5.0}
    return lambda: nequip.NequIP(nequip.NequIPSpec(SPECIES, CUTOFF, **fixed | others), seed=1)


def tensor_field_network():
    spec = nequip.NequIPSpec.tensor_field_network(
        SPECIES, CUTOFF, hidden="5x0e + 3x1o + 2x2e", n_layers=2, lmax=2, n_radial=4, radial_widths=(6,)
    )
    model = nequip.NequIP(spec, seed=1)
    rng = np.random.default_rng(0)  # biases start at zero
    return model.with_parameters(
        {k: 0.1 * rng.standard_normal(a.shape) for k, a in model.parameters.items() if k.endswith("bias")}
    )


def cormorant_of(**others):
    fixed = {"n_levels": 2, "lmax": 2, "lmax_edge": 2, "n_channels": 3, "level_gain": 3.0, "jumps": True}
    return lambda: cormorant.Cormorant(cormorant.CormorantSpec(SPECIES, CUTOFF, **fixed | others), seed=2)


def mace_of(**others):
    fixed = {"hidden": "3x0e + 3x1o", "lmax": 2, "n_radial": 4, "radial_mlp": (6,), "readout": 3, "neighbours": 3.0}
    return lambda: mace.Mace(mace.MaceSpec(SPECIES, CUTOFF, **fixed | others), seed=3)


def mofd_of(**others):
    fixed = {"hidden": "3x0e + 3x1o", "n_radial": 4, "radial_widths": (6,), "readout": 3, "mean_neighbours": 5.0}
    return lambda: mofd.MoFD(mofd.MoFDSpec(SPECIES, CUTOFF, **fixed | others), seed=4)


def cofd_of(**others):
    fixed = {"n_levels": 2, "lmax": 1, "lmax_edge": 2, "n_channels": 3, "level_gain": 3.0, "jumps": True}
    fixed["internal_spins"] = (0, 1)
    return lambda: cofd.CoFD(cofd.CoFDSpec(SPECIES, CUTOFF, **fixed | others), seed=5)


MODELS = {
    "NequIP": nequip_of(hidden="4x0e + 2x0o + 3x1o + 2x1e + 2x2e", residual=True),
    "NequIP, norms": nequip_of(hidden="4x0e + 3x1o + 2x2e", nonlinearity="norm", self_connection=False),
    "tensor field network": tensor_field_network,
    "MACE": mace_of(scale=0.7, shift=-0.2, energies=(-1.0, -2.0, -3.0)),
    "MACE, reduced basis": mace_of(product="reduced", residual=(True, True)),
    "MoFD": mofd_of(),
    "MoFD, centre and edge first": mofd_of(tree="(oY)j", both_parities=True, skip=False, edge_weights=False),
    "MoFD, dense": mofd_of(block="dense", tree="o(Yj)", n_layers=1),
    "Cormorant, O(3)": cormorant_of(group="O(3)"),
    "CoFD, O(3)": cofd_of(group="O(3)", tree="(oY)j"),
}
ROTATIONS_ONLY = {
    "Cormorant": cormorant_of(),
    "Cormorant for QM9": cormorant_of(input="messages", readout="perceptrons", hidden=5, mixed=3, lmax=1, lmax_edge=1),
    "CoFD": cofd_of(),
    "CoFD, bare edges": cofd_of(tree="o(Yj)", edge="bare", level_gain=1.0, lmax_edge=1),
    "CoFD, dense": cofd_of(block="dense", n_levels=1),
}


@pytest.fixture(scope="module", params=[*MODELS, *ROTATIONS_ONLY])
def model(request):
    return {**MODELS, **ROTATIONS_ONLY}[request.param]()


def molecule(seed=0):
    return METHANOL + 0.05 * np.random.default_rng(seed).standard_normal(METHANOL.shape)


def run(model, positions, v, numbers=NUMBERS):
    """Energy, its slope along v by reverse and by forward passes, forces, and the gauges of both numbers."""
    graph = model.graph([(positions, numbers)])
    values, batch = model.forward(graph)
    chain, wrt = model.chain, ("r", *model.parameters)
    one = np.ones_like(values[model.root])
    bars = chain.vjp(values, batch, {model.root: one}, wrt)
    dots = chain.jvp(values, batch, {"r": v})
    bars_dot = chain.vjp_jvp(values, batch, dots, bars, wrt)
    S = sum(np.sum(np.abs(x) * np.abs(values[n])) for n, x in bars.items())
    slope_S = sum(np.sum(np.abs(x) * np.abs(values[n])) for n, x in bars_dot.items())
    slope_S += sum(np.sum(np.abs(x) * np.abs(dots[n])) for n, x in bars.items() if n in dots)
    energy, forces = model.energy_and_forces(graph)
    return energy[0], forces, dots[model.root][0, 0].real, S, slope_S


def direction(seed=5):
    return np.random.default_rng(seed).standard_normal(METHANOL.shape)


@pytest.mark.parametrize("seed", range(2))
def test_rotation_leaves_energy_and_turns_forces(model, seed):
    rotation, v = Rotation.random(random_state=seed), direction()
    energy, forces, _, S, slope_S = run(model, molecule(), v)
    turned, turned_forces, _, _, _ = run(model, rotation.apply(molecule()), rotation.apply(v))
    assert abs(turned - energy) <= K * U * S
    assert abs(np.sum(turned_forces * rotation.apply(v)) - np.sum(forces * v)) <= K * U * slope_S
    assert abs(np.sum(turned_forces * v) - np.sum(forces * v)) > K * U * slope_S  # planted error: not turned


@pytest.mark.parametrize("name", MODELS)
def test_reflection_leaves_energy_and_reflects_forces(name):
    model = MODELS[name]()
    mirror, v = np.array([1.0, 1.0, -1.0]), direction()
    energy, forces, _, S, slope_S = run(model, molecule(), v)
    other, other_forces, _, _, _ = run(model, mirror * molecule(), mirror * v)
    assert abs(other - energy) <= K * U * S
    assert abs(np.sum(other_forces * mirror * v) - np.sum(forces * v)) <= K * U * slope_S


def test_translation_by_a_dyadic_vector_changes_no_bit(model):
    positions = np.round(molecule() * 2**20) / 2**20
    one, two = (model.energy_and_forces(model.graph([(r, NUMBERS)])) for r in (positions, positions + [4, -8, 16]))
    assert one[0] == two[0] and np.array_equal(one[1], two[1])


def test_relabelling_like_atoms_relabels_forces(model):
    order, v = np.array([0, 1, 4, 2, 5, 3]), direction()
    energy, forces, _, S, slope_S = run(model, molecule(), v)
    other, other_forces, _, _, _ = run(model, molecule()[order], v[order], NUMBERS[order])
    assert abs(other - energy) <= K * U * S
    assert abs(np.sum(other_forces * v[order]) - np.sum(forces * v)) <= K * U * slope_S


def test_forward_and_reverse_slopes_agree(model):
    v = direction()
    _, forces, slope, _, slope_S = run(model, molecule(), v)
    assert abs(slope + np.sum(forces * v)) <= K * U * slope_S
    assert abs(slope - np.sum(forces * v)) > K * U * slope_S


def test_forces_are_minus_the_gradient(model):
    """Central differences at two steps: the error falls as the square of the step."""
    v = direction()
    slope = run(model, molecule(), v)[2]
    errors = []
    for h in (2e-3, 1e-3):
        plus, minus = (model.energy(model.graph([(molecule() + s * h * v, NUMBERS)]))[0] for s in (1, -1))
        errors.append(abs((plus - minus) / (2 * h) - slope))
    assert errors[1] < errors[0] / 3.5 and errors[1] < 1e-2 * abs(slope)


def test_weight_gradient_of_a_force_loss_is_the_slope(model):
    graph = model.graph([(molecule(), NUMBERS), (molecule(1)[:4], NUMBERS[:4])])
    rng = np.random.default_rng(6)
    energy_target, forces_target = rng.standard_normal(2), rng.standard_normal(graph.positions.shape)

    def loss(energy, forces):
        de, df = energy - energy_target, forces - forces_target
        return (de**2).sum() + (df**2).sum(), 2 * de, 2 * df

    gradient = model.loss_gradient(graph, loss)[1]
    moves = {
        k: rng.standard_normal(a.shape) + (1j * rng.standard_normal(a.shape) if a.dtype.kind == "c" else 0)
        for k, a in model.parameters.items()
    }
    slope = sum(np.sum(gradient[k] * moves[k]).real for k in moves)
    errors = []
    for h in (4e-4, 2e-4):
        ends = []
        for s in (1, -1):
            moved = model.with_parameters({k: a + s * h * moves[k] for k, a in model.parameters.items()})
            ends.append(loss(*moved.energy_and_forces(graph))[0])
        errors.append(abs((ends[0] - ends[1]) / (2 * h) - slope))
    assert errors[1] < errors[0] / 3.5 and errors[1] < 1e-2 * abs(slope)


def test_batch_equals_molecules_one_by_one(model):
    frames = [(molecule(), NUMBERS), (molecule(7)[:3], NUMBERS[:3]), (molecule(2), NUMBERS)]
    graph = model.graph(frames)
    energy, forces = model.energy_and_forces(graph)
    for i, frame in enumerate(frames):
        alone, alone_forces = model.energy_and_forces(model.graph([frame]))
        assert energy[i] == alone[0] and np.array_equal(forces[graph.frame == i], alone_forces)


def test_isolated_atoms_have_energies_and_no_forces(model):
    graph = model.graph([(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 9.0]]), np.array([8, 1]))])
    energy, forces = model.energy_and_forces(graph)
    assert np.isfinite(energy).all() and (forces == 0).all()


def test_description_and_weights_make_the_same_model(model):
    spec = type(model.spec).from_dict(json.loads(json.dumps(model.spec.to_dict())))
    assert spec == model.spec
    again, graph = type(model)(spec, dict(model.parameters)), model.graph([(molecule(), NUMBERS)])
    assert again.energy(graph) == model.energy(graph)


def test_potential_in_a_file_is_the_same_potential(model, tmp_path):
    """A file names its model; weights of both kinds, real and complex, come back bit by bit."""
    energies = {1: -13.6, 6: -1030.0, 8: -2040.0}
    potential = Potential(model, Baseline(energies, "isolated"), dict.fromkeys(SPECIES, 0.25))
    potential.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert type(again.network) is type(model) and again.network.spec == model.spec
    frames = [(molecule(), NUMBERS), (molecule(3), NUMBERS)]
    one, two = potential.predict(frames), again.predict(frames)
    assert np.array_equal(one.energies, two.energies) and np.array_equal(one.forces, two.forces)
    alone = model.energy(model.graph(frames)) + sum(energies[int(z)] + 0.25 for z in NUMBERS)
    assert np.abs(one.energies - alone).max() <= 16 * U * np.abs(alone).max()
