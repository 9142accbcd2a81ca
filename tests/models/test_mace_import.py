"""Conversion of what mace-torch stores, from plain numbers: couplings checked, other bases folded, the rest refused."""

import json
import sys
from dataclasses import replace
from math import pi, sqrt

import numpy as np
import pytest

import nbody_ref
from nbody_ref.conventions import get
from nbody_ref.errors import FileError
from nbody_ref.fusion import dense_tensor
from nbody_ref.models import command
from nbody_ref.models.mace import Mace, MaceSpec
from nbody_ref.models.mace_import import convert, import_mace
from nbody_ref.models.mace_paths import published_paths, symmetric
from nbody_ref.tables import clebsch_gordan

U_ROUND = 2.0**-53
SPEC = MaceSpec(
    (1, 6, 8),
    4.0,
    hidden="2x0e + 2x1o",
    lmax=2,
    correlation=(3, 2),
    n_radial=3,
    radial_mlp=(5,),
    readout=3,
    neighbours=2.5,
    energies=(-1.0, -2.0, -3.0),
)
CONFIG = {k: v for k, v in SPEC.to_dict().items() if k not in ("model", "dtype", "product", "tree", "convention")}
FRAMES = [(np.array([[0, 0, 0], [1.1, 0.1, 0], [0, 1.2, 0.2], [0.3, 0.1, 1.3]]), np.array([6, 1, 8, 1]))]


def stored_tensor(spec, nu, root, convention):
    """U of all paths as a dense array, places of A first but for the components of the result, as mace-torch has it."""
    messages, paths = spec.messages, published_paths(spec.messages, nu, root, convention)
    starts = [part.irrep.l**2 for part in messages]
    found = np.zeros((root.dim, *[messages.dim // spec.channels] * nu, len(paths)))
    for k, path in enumerate(paths):
        places = [slice(starts[p], starts[p] + messages[p].irrep.dim) for p in path.parts]
        tensor = dense_tensor(path.diagram) if nu > 1 else np.eye(root.dim)
        found[(slice(None), *places, k)] = path.sign * np.moveaxis(tensor, -1, 0)
    return found[0] if root.l == 0 else found


def stored(spec=SPEC, convention="e3nn==0.4.4"):
    """What the buffers of a model hold."""
    found = {
        "radial_embedding.bessel_fn.bessel_weights": pi / spec.cutoff * np.arange(1, spec.n_radial + 1),
        "radial_embedding.bessel_fn.prefactor": np.array(sqrt(2 / spec.cutoff)),
    }
    for l1, l2, l in ((1, 2, 1), (1, 1, 2), (2, 2, 2)):
        sign = get(convention).coupling_sign(l1, l2, l)
        found[f"interactions.1.conv_tp._w3j_{l1}_{l2}_{l}"] = sign * clebsch_gordan(l1, l2, l) / sqrt(2 * l + 1)
    for t, nu_max in enumerate(spec.correlation):
        for i, part in enumerate(spec.states(t)):
            for nu in range(1, nu_max + 1):
                name = f"products.{t}.symmetric_contractions.contractions.{i}.U_matrix_{nu}"
                found[name] = stored_tensor(spec, nu, part.irrep, convention)
    return found


MODEL = Mace(SPEC, seed=4)


def bound(model):
    """1000 u times the first-order gauge of the energy."""
    values, batch = model.forward(model.graph(FRAMES))
    wrt = ("r", *model.parameters)
    bars = model.chain.vjp(values, batch, {model.root: np.ones_like(values[model.root])}, wrt)
    return 1000 * U_ROUND * sum(np.sum(abs(x) * abs(values[n])) for n, x in bars.items())


def test_published_weights_stay_bit_for_bit():
    found = convert(CONFIG, MODEL.parameters, stored(), {"e3nn": "0.4.4"})
    assert found.model.spec == SPEC and found.deviation < 1e-13
    assert all(np.array_equal(found.model.parameters[name], w) for name, w in MODEL.parameters.items())


def test_signs_of_a_newer_e3nn_are_recognised():
    """Bonds of unnatural parity, such as 1o x 2e -> 2o, have other signs there; it shows from degree 3 on."""
    spec = replace(SPEC, hidden="1x0e + 1x2e", lmax=3, correlation=(3, 1))
    config, model = CONFIG | {"hidden": spec.hidden, "lmax": 3, "correlation": [3, 1]}, Mace(spec, seed=4)
    found = convert(config, model.parameters, stored(spec, "e3nn>=0.5"), {}).model
    assert found.spec.convention == "e3nn>=0.5"
    assert all(np.array_equal(found.parameters[name], w) for name, w in model.parameters.items())
    graph = model.graph(FRAMES)
    assert abs(found.energy(graph) - model.energy(graph)) > bound(model)


def test_another_basis_of_the_same_functions_is_folded_into_ours():
    """Independent paths mixed at random stand for a reduced basis; folded back the energies must be the same."""
    rng, constants, weights = np.random.default_rng(1), stored(), {}
    reduced = Mace(MaceSpec.from_dict(SPEC.to_dict() | {"product": "reduced"}), seed=5)
    weights = dict(reduced.parameters)
    for name, U in constants.items():
        if ".U_matrix_" not in name:
            continue
        t, i, nu = (int(name.split(".")[1]), int(name.split(".")[4]), int(name[-1]))
        both = symmetric(SPEC.messages, nu, SPEC.states(t)[i].irrep)
        ours = np.zeros((*U.shape[:-1], both.n_independent))
        for term in range(both.n_independent):
            k = next(k for k, j, _ in both.expansion if j == term and sum(k == q for q, _, _ in both.expansion) == 1)
            value = next(v for q, j, v in both.expansion if q == k)
            ours[..., term] = U[..., k] / value
        mix = rng.standard_normal((both.n_independent, both.n_independent))
        constants[name] = ours @ mix  # U' = B mix, so that weights w' with mix w' = w give the same function
        below = SPEC.correlation[t] - nu
        key = f"{name.rpartition('.')[0]}." + (f"weights.{below - 1}" if below else "weights_max")
        weights[key] = np.einsum("ij,zjc->zic", np.linalg.inv(mix), weights[key])
    found = convert(CONFIG, weights, constants, {})
    assert found.model.spec.product == "reduced" and found.deviation < 1e-12
    graph = reduced.graph(FRAMES)
    assert abs(found.model.energy(graph) - reduced.energy(graph)) <= 100 * bound(reduced)
    wrong = convert(CONFIG, reduced.parameters, constants, {})  # planted error: weights of another basis
    assert abs(wrong.model.energy(graph) - reduced.energy(graph)) > 100 * bound(reduced)


def test_constants_of_single_precision_are_told():
    rounded = {name: array.astype(np.float32) for name, array in stored().items()}
    weights = {name: w.astype(np.float32) for name, w in MODEL.parameters.items()}
    found = convert(CONFIG, weights, rounded, {})
    assert found.model.spec.dtype == "float32" and 1e-9 < found.deviation < 1e-6


def damaged(name, change):
    constants = stored()
    key = next(key for key in constants if name in key)
    constants[key] = change(constants[key].copy())
    return constants


DAMAGES = {
    "trained Bessel functions": damaged("bessel_weights", lambda w: w * 1.01),
    "a coupling of another sign": damaged("_w3j_1_2_1", lambda C: -C),
    "a scaled coupling": damaged("_w3j_2_2_2", lambda C: C * 1.07),
    "a product that is none of the symmetric functions": damaged(
        "U_matrix_2", lambda U: U + np.eye(9, k=1)[:, :, None]
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_constants_that_are_not_those_of_mace_are_refused(name):
    with pytest.raises(FileError, match="'constants' differ from the exact ones"):
        convert(CONFIG, MODEL.parameters, DAMAGES[name], {})


def test_weights_that_do_not_fit_are_refused():
    weights = dict(MODEL.parameters)
    with pytest.raises(FileError, match=r"'lora_A\.weight' is not a parameter"):
        convert(CONFIG, weights | {"lora_A.weight": np.ones(3)}, stored(), {})
    del weights["node_embedding.linear.weight"]
    with pytest.raises(FileError, match="parameters are missing"):
        convert(CONFIG, weights, stored(), {})
    with pytest.raises(FileError, match="must be all float64 or all float32"):
        convert(CONFIG, weights | {"node_embedding.linear.weight": np.ones(6, np.float16)}, stored(), {})
    with pytest.raises(FileError, match="does not fit together"):
        convert(CONFIG | {"colour": 1}, MODEL.parameters, stored(), {})


@pytest.fixture
def interpreter(tmp_path):
    """A program that answers like an interpreter with mace-torch: it writes what `stored` says."""
    folder = tmp_path / "answers"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"config": CONFIG, "versions": {"mace-torch": "test"}}))
    np.savez(folder / "parameters.npz", **MODEL.parameters)
    np.savez(folder / "constants.npz", **stored())
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nexec cp {folder}/* $3\n")
    program.chmod(0o755)
    (tmp_path / "trained.model").write_bytes(b"a pickle that this test never reads")
    return program


def test_an_imported_file_is_a_potential_with_a_calculator(interpreter, tmp_path):
    found = import_mace(tmp_path / "trained.model", str(interpreter))
    found.save(tmp_path / "m.safetensors")
    potential = nbody_ref.load(tmp_path / "m.safetensors")
    assert potential.network.spec == SPEC and potential.metadata["imported"]["versions"] == {"mace-torch": "test"}
    assert potential.predict(FRAMES).energies == MODEL.energy(MODEL.graph(FRAMES))
    from ase import Atoms

    atoms = Atoms(FRAMES[0][1], FRAMES[0][0], calculator=potential.calculator())
    assert atoms.get_potential_energy() == MODEL.energy(MODEL.graph(FRAMES))[0]


def run(arguments):
    import argparse

    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    options = parser.parse_args(["import", "mace", *map(str, arguments)])
    return options.run(options)


def test_the_command_asks_for_trust(interpreter, tmp_path, monkeypatch, capsys):
    arguments = [tmp_path / "trained.model", "-o", tmp_path / "m.safetensors", "--python", interpreter]
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(FileError, match=r"is a pickle: reading it runs code.*Say --trust"):
        run(arguments)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    with pytest.raises(FileError, match="not read"):
        run(arguments)
    assert not (tmp_path / "m.safetensors").exists()
    monkeypatch.setattr("builtins.input", lambda prompt: "yes")
    assert run(arguments) == 0
    assert run([*arguments, "--trust"]) == 0
    assert "MACE for atomic numbers 1, 6, 8, hidden 2x0e + 2x1o, 2 layers" in capsys.readouterr().out
    assert nbody_ref.load(tmp_path / "m.safetensors").network.species == (1, 6, 8)


def test_the_command_is_part_of_nbody_ref(interpreter, tmp_path, capsys):
    from nbody_ref.cli import main

    arguments = ["import", "mace", str(tmp_path / "trained.model"), "-o", str(tmp_path / "m.safetensors")]
    assert main([*arguments, "--trust", "--python", str(interpreter)]) == 0
    assert main(["info", str(tmp_path / "m.safetensors")]) == 0
    assert "529 weights of MACE" in capsys.readouterr().out
    assert main(["import", "mace", str(tmp_path / "none.model"), "-o", "x", "--trust"]) == 1
    assert capsys.readouterr().err.endswith("none.model: no such file\n")


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(FileError, match=r"none\.model: no such file"):
        import_mace(tmp_path / "none.model")
    (tmp_path / "some.model").write_text("")
    with pytest.raises(FileError, match="'python' cannot be run"):
        import_mace(tmp_path / "some.model", str(tmp_path / "nowhere"))
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'mace'\" >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(FileError, match="has no mace-torch; install the extra 'mace'"):
        import_mace(tmp_path / "some.model", str(program))
    program.write_text("#!/bin/sh\necho 'the model has wings, which is not supported' > $3/refused.txt\nexit 3\n")
    with pytest.raises(FileError, match=r"some\.model: the model has wings, which is not supported"):
        import_mace(tmp_path / "some.model", str(program))


def test_this_process_never_reads_the_pickle(interpreter, tmp_path):
    import_mace(tmp_path / "trained.model", str(interpreter))
    assert "torch" not in sys.modules or "mace" in sys.modules
