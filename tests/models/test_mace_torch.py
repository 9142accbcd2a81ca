"""MACE against mace-torch itself, over configurations, directly and through `import_mace`; needs mace-torch.

Promised: energies and forces to 1e-12, weight gradients of a force loss to 1e-10, relative to the largest. Rounding is
at 1e-15, as `test_mace.py` shows with derived bounds.
"""

import warnings
from importlib import util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mace")

from nbody_ref.errors import FileError
from nbody_ref.models import mace_export
from nbody_ref.models.mace_import import convert, import_mace

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

PROMISED, PROMISED_GRADIENT = 1e-12, 1e-10


def _generator():
    spec = util.spec_from_file_location("mace_reference", Path(__file__).with_name("mace_reference.py"))
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = _generator()
HIDDEN = {0: "4x0e", 1: "4x0e + 4x1o", 2: "4x0e + 4x1o + 4x2e", "both parities": "4x0e + 4x1o + 4x1e + 4x2e"}


def config_of(L, lmax, correlation, residual, scaled=True, species=(1, 6, 8)):
    """Largest degree of the states and of A, nu of each layer, kind of the first interaction and of the others."""
    own = {"hidden": HIDDEN[L], "lmax": lmax, "correlation": list(correlation), "residual": list(residual)}
    own |= {"species": list(species), "energies": [-1.0 - z for z in species]}
    return MAKE.FIXED | own | ({"scale": 0.83, "shift": -0.31} if scaled else {})


CONFIGURATIONS = {
    "1 layer, nu 1, L 0": config_of(0, 1, (1,), (False,)),
    "1 layer, nu 3, L 0, residual": config_of(0, 3, (3,), (True,)),
    "2 layers, nu 1, L 1": config_of(1, 2, (1, 1), (False, True)),
    "2 layers, nu 2, L 1, no scale": config_of(1, 2, (2, 2), (False, True), scaled=False),
    "2 layers, nu 3, L 0": config_of(0, 3, (3, 3), (False, True)),
    "2 layers, nu 3, L 1": config_of(1, 3, (3, 3), (False, True)),
    "2 layers, nu 3, L 2, residual": config_of(2, 3, (3, 3), (True, True)),
    "2 layers, nu 2, L 2, no residual": config_of(2, 2, (2, 2), (False, False)),
    "3 layers, nu 2, L 2": config_of(2, 2, (2, 2, 2), (False, True, True)),
    "3 layers, nu 3, 1, 2, L 1": config_of(1, 3, (3, 1, 2), (True, True, True)),
    "2 layers, nu 3, L 1, one species": config_of(1, 2, (3, 3), (False, True), species=(6,)),
    "2 layers, nu 3, L 1, five species": config_of(1, 2, (3, 3), (False, True), species=(1, 6, 7, 8, 9)),
    "axial vectors, couplings of odd sum": config_of("both parities", 2, (3, 2), (False, True)),
    "degree 2 from nu 2 only": config_of(2, 1, (2, 2), (False, True)),
}


def torch_model(config, seed=0):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        return MAKE.torch_model(config)


def converted(model):
    return convert(mace_export.describe(model), mace_export.parameters(model), mace_export.constants(model), {})


def frames_of(config):
    """Five atoms, one alone, four."""
    rng, found = np.random.default_rng(3), []
    corners = 1.4 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    for n in (5, 1, 4):
        r = rng.uniform(-0.4, 0.4, (n, 3)) + corners[:n]
        found.append((r, rng.choice(config["species"], n)))
    return found


def differences(model, torch_one, config):
    """Largest difference of energies, forces and weight gradients, each relative to the largest of its array."""
    frames, rng = frames_of(config), np.random.default_rng(4)
    a, b = rng.standard_normal(3), rng.standard_normal((10, 3))
    energies, forces, gradients = MAKE.torch_results(torch_one, config, frames, a, b)
    graph = model.graph(frames)
    found, found_forces = model.energy_and_forces(graph)
    gradient = model.weight_gradient(graph, a, b)
    largest = max(abs(g).max() for g in gradients.values())
    of_weights = max(
        abs(gradient[n] - g).max() / max(abs(g).max(), 1e-3 * largest) for n, g in gradients.items() if n in gradient
    )
    return (
        abs(found - energies).max() / abs(energies).max(),
        abs(found_forces - forces).max() / abs(forces).max(),
        of_weights,
    )


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_energies_forces_and_weight_gradients_are_those_of_mace_torch(name):
    config = CONFIGURATIONS[name]
    theirs = torch_model(config)
    ours = converted(theirs)
    published = [n for n, w in theirs.named_parameters() if not mace_export.vanishes(theirs, n)]
    assert list(ours.model.parameters) == published
    assert ours.deviation < 1e-13
    energy, forces, gradient = differences(ours.model, theirs, config)
    assert energy <= PROMISED and forces <= PROMISED and gradient <= PROMISED_GRADIENT


def test_another_activation_of_the_last_readout(monkeypatch):
    monkeypatch.setattr(MAKE, "MORE", {"gate": torch.tanh})
    config = CONFIGURATIONS["2 layers, nu 1, L 1"]
    theirs = torch_model(config)
    ours = converted(theirs).model
    assert ours.spec.readout_activation.name == "tanh"
    assert max(differences(ours, theirs, config)) <= PROMISED


def test_a_planted_error_is_caught():
    config = CONFIGURATIONS["2 layers, nu 3, L 1"]
    theirs = torch_model(config)
    ours = converted(theirs).model
    name = "products.0.symmetric_contractions.contractions.1.weights_max"
    wrong = ours.with_parameters({name: ours.parameters[name][:, ::-1]})
    assert max(differences(wrong, theirs, config)[1:]) > 1e-6


def test_a_pickled_model_is_imported_saved_and_loaded(tmp_path):
    import nbody_ref

    config = CONFIGURATIONS["2 layers, nu 3, L 1"]
    theirs = torch_model(config, seed=5)
    torch.save(theirs, tmp_path / "trained.model")
    found = import_mace(tmp_path / "trained.model")
    assert found.versions["e3nn"] == "0.4.4"
    found.save(tmp_path / "trained.safetensors")
    potential = nbody_ref.load(tmp_path / "trained.safetensors")
    assert max(differences(potential.network, theirs, config)) <= PROMISED
    frames = frames_of(config)
    energies, forces, _ = MAKE.torch_results(theirs, config, frames, np.ones(3), np.ones((10, 3)))
    prediction = potential.predict(frames)
    assert abs(prediction.energies - energies).max() <= PROMISED * abs(energies).max()
    assert abs(prediction.forces - forces).max() <= PROMISED * abs(forces).max()


def test_reduced_couplings_of_cuequivariance_are_folded_into_ours(monkeypatch):
    pytest.importorskip("cuequivariance")
    from mace.modules import wrapper_ops

    monkeypatch.setattr(wrapper_ops, "CUET_AVAILABLE", True)
    monkeypatch.setattr(MAKE, "REDUCED", True)
    config = CONFIGURATIONS["2 layers, nu 3, L 1"]
    theirs = torch_model(config)
    ours = converted(theirs)
    assert ours.model.spec.product == "reduced"
    name = "products.0.symmetric_contractions.contractions.0.weights_max"
    assert dict(theirs.named_parameters())[name].shape == ours.model.parameters[name].shape == (3, 8, 4)
    frames = frames_of(config)
    energies, forces, _ = MAKE.torch_results(theirs, config, frames, np.ones(3), np.ones((10, 3)))
    found, found_forces = ours.model.energy_and_forces(ours.model.graph(frames))
    assert abs(found - energies).max() <= PROMISED * abs(energies).max()
    assert abs(found_forces - forces).max() <= PROMISED * abs(forces).max()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_models_made_in_single_precision_agree_to_single_precision(dtype):
    """Their couplings are rounded to 6e-8, and stay so when the model is turned to double; ours are exact."""
    config = CONFIGURATIONS["2 layers, nu 2, L 1, no scale"]
    theirs = torch_model(config).float()
    ours = converted(theirs if dtype == "float32" else theirs.double())
    assert 1e-9 < ours.deviation < 1e-6 and ours.model.spec.dtype == dtype
    frames = frames_of(config)
    energies, forces, _ = MAKE.torch_results(theirs.double(), config, frames, np.ones(3), np.ones((10, 3)))
    found, found_forces = ours.model.energy_and_forces(ours.model.graph(frames))
    worst = abs(found_forces - forces).max() / abs(forces).max()
    assert abs(found - energies).max() <= 1e-6 * abs(energies).max()
    assert PROMISED < worst <= (1e-4 if dtype == "float32" else 1e-6)


REFUSED = {
    r"a pair repulsion \(ZBL\)": {"pair_repulsion": True},
    r"several heads \(a, b\)": {"heads": ["a", "b"]},
    r"a transform of distances \(AgnesiTransform\)": {"distance_transform": "Agnesi"},
    r"a transform of distances \(SoftTransform\)": {"distance_transform": "Soft"},
    "radial functions of the kind GaussianBasis": {"radial_type": "gaussian"},
    "radial functions of the kind ChebychevBasis": {"radial_type": "chebyshev"},
    "a cutoff of messages instead of radial functions": {"apply_cutoff": False},
    "the option use_so3": {"use_so3": True},
    "the option use_agnostic_product": {"use_agnostic_product": True},
    "the option use_last_readout_only": {"use_last_readout_only": True},
    "keep_last_layer_irreps": {"keep_last_layer_irreps": True},
    "an interaction of the kind RealAgnosticDensityInteractionBlock": {"interaction_cls_first": "Density"},
    "an interaction of the kind RealAgnosticDensityResidualInteractionBlock": {"interaction_cls": "DensityResidual"},
    "an interaction of the kind RealAgnosticAttResidualInteractionBlock": {"interaction_cls": "AttResidual"},
    "the activation relu": {"gate": torch.nn.functional.relu},
}


@pytest.mark.parametrize("message", REFUSED)
def test_features_that_are_not_there_are_refused_by_name(message, monkeypatch):
    from mace.modules import blocks

    change = {
        k: getattr(blocks, f"RealAgnostic{v}InteractionBlock") if k.startswith("interaction") else v
        for k, v in REFUSED[message].items()
    }
    if "heads" in change:
        change["atomic_energies"] = np.ones((2, 3))
    monkeypatch.setattr(MAKE, "MORE", change)
    with pytest.raises(mace_export.Unsupported, match=message):
        mace_export.describe(torch_model(CONFIGURATIONS["2 layers, nu 2, L 1, no scale"]))


def test_other_models_and_refusals_of_the_program_are_named(tmp_path, monkeypatch):
    with pytest.raises(mace_export.Unsupported, match="the model is a Linear; only MACE and ScaleShiftMACE"):
        mace_export.describe(torch.nn.Linear(1, 1))
    monkeypatch.setattr(MAKE, "MORE", {"pair_repulsion": True})
    torch.save(torch_model(CONFIGURATIONS["1 layer, nu 1, L 0"]), tmp_path / "zbl.model")
    with pytest.raises(FileError, match=r"zbl\.model: the model has a pair repulsion \(ZBL\), which is not supported"):
        import_mace(tmp_path / "zbl.model")
    (tmp_path / "text.model").write_text("not a pickle")
    with pytest.raises(FileError, match="cannot be read as a model of mace-torch"):
        import_mace(tmp_path / "text.model")
