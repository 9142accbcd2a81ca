"""Numbers of the original Cormorant: its energies and forces, its parameter counts, its arrays there and back.

`tests/data/cormorant_small.npz` holds parameters, molecules, energies and fourth-order differences of the energies that
the original program (class CormorantMD17, double precision) gave; `cormorant_witness` is a second program.
"""

import json
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from nbody_ref.cli import main
from nbody_ref.errors import FileError
from nbody_ref.fit import load
from nbody_ref.models.cormorant import Cormorant, CormorantSpec
from nbody_ref.models.cormorant_arrays import from_original, to_original
from nbody_ref.models.cormorant_import import import_cormorant

FILE = Path(__file__).parents[1] / "data" / "cormorant_small.npz"
U, CLOSE = 2.0**-53, 1e-12  # relative to the energy: what the original program, another summation order, is held to


def second_program():
    spec = util.spec_from_file_location("cormorant_witness", Path(__file__).with_name("cormorant_witness.py"))
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


witness = second_program()


def arrays():
    with np.load(FILE) as file:
        return {name: file[name] for name in file.files}


def parts(data):
    return json.loads(str(data["meta"])), {k[10:]: v for k, v in data.items() if k.startswith("parameter/")}


def molecules(data):
    for i in range(4):
        yield tuple(data[f"molecule/{i}/{key}"] for key in ("numbers", "positions", "energy", "forces"))


@pytest.fixture(scope="module")
def model():
    return import_cormorant(FILE).model


def energies(model, geometries):
    return model.energy(model.graph(geometries))


def test_energies_are_those_of_the_original_program_and_of_the_equations(model):
    meta, weights = parts(arrays())
    for z, r, energy, _ in molecules(arrays()):
        assert abs(energies(model, [(r, z)])[0] - energy) <= CLOSE * abs(energy)
        assert abs(witness.energy(meta, weights, z, r) - energy) <= CLOSE * abs(energy)


@pytest.mark.parametrize("wrong", ["sines of level 0", "constant of every atom", "charge scale", "a dot product"])
def test_another_architecture_has_other_energies(model, wrong):
    """Planted errors, each of them a deviation that equal parameter counts would not show."""
    weights, spec = dict(model.parameters), model.spec
    if wrong == "sines of level 0":
        weights["level1/frequencies"] = weights["level0/frequencies"]
    elif wrong == "constant of every atom":
        weights["shift"] = np.repeat(weights["shift"], len(spec.species), axis=0)
        spec = CormorantSpec(**{**spec.__dict__, "constant": "species"})
    elif wrong == "charge scale":
        spec = CormorantSpec(**{**spec.__dict__, "charge_scale": 9.0})
    else:
        weights["level1/edge1"] = weights["level1/edge1"].copy()
        weights["level1/edge1"][0, 3 * 3] = 0
    z, r, energy, _ = next(molecules(arrays()))
    assert abs(energies(Cormorant(spec, weights), [(r, z)])[0] - energy) > 1e6 * CLOSE * abs(energy)


def differences(model, z, r, h):
    """Forces by fourth-order differences with the step of the original program's."""
    moved = []
    for i, k, s in np.ndindex(len(z), 3, 4):
        moved.append((r.copy(), z))
        moved[-1][0][i, k] += (2, 1, -1, -2)[s] * h
    e = energies(model, moved).reshape(len(z), 3, 4)
    return (e @ [1.0, -8.0, 8.0, -1.0]) / (12 * h)


def test_forces_are_those_of_the_original_program_to_the_accuracy_of_its_differences(model):
    """Equal differences at equal steps to rounding; against them the gradient errs as the fourth power of the step."""
    z, r, energy, forces = list(molecules(arrays()))[2]
    gradient, h = model.energy_and_forces(model.graph([(r, z)]))[1], 1e-3
    ours, halved = (differences(model, z, r, step) for step in (h, h / 2))
    terms = abs(energy) + abs(model.parameters["readout"]).sum()  # bounds the terms of the readout, checked here below
    assert abs(ours - forces).max() <= 18 / 12 * 100 * U * terms / h
    errors = [abs(found - gradient).max() for found in (ours, halved)]
    assert 15.5 < errors[0] / errors[1] < 16.5 and errors[0] < 1e-7
    assert abs(-gradient - forces).max() > 1e6 * errors[0]  # planted error: the sign


@pytest.mark.parametrize(("channels", "count"), [(16, 154_241), (10, 62_465)])
def test_parameter_counts_are_those_of_the_original_program(channels, count):
    assert len(Cormorant(CormorantSpec((1, 6, 8), n_channels=channels)).parameters.as_real()) == count


SIZES = {
    "one level": {"n_levels": 1, "lmax": 2, "lmax_edge": 2},
    "states of degree 0": {"n_levels": 2, "lmax": 0, "lmax_edge": 1},
    "edges above states": {"n_levels": 2, "lmax": 1, "lmax_edge": 2},
    "states above edges": {"n_levels": 3, "lmax": 3, "lmax_edge": 1, "n_channels": 1},
    "even powers, odd pairs": {"n_levels": 2, "lmax": 1, "lmax_edge": 1, "n_sines": 1, "n_powers": 2},
    "one power": {"n_levels": 2, "lmax": 1, "lmax_edge": 1, "n_sines": 2, "n_powers": 0, "charge_power": 0},
    "species unsorted, another charge scale": {"n_levels": 2, "lmax": 1, "lmax_edge": 1, "charge_scale": 9.5},
}


def written(spec, seed=0):
    """`meta` and parameters of a random model, as the original program would write them."""
    model = Cormorant(spec, seed=seed)
    meta = {"species": list(spec.species), "n_channels": spec.n_channels, "maxl": spec.lmax, "max_sh": spec.lmax_edge,
            "levels": spec.n_levels, "charge_power": spec.charge_power, "charge_scale": spec.unit_charge,
            "basis_set": [spec.n_sines, spec.n_powers], "cutoff_type": "learn"}  # fmt: skip
    rng = np.random.default_rng(seed)
    return meta, {name: array + 0.1 * rng.standard_normal(array.shape) for name, array in to_original(model).items()}


@pytest.mark.parametrize("name", SIZES)
def test_other_sizes_give_the_energies_of_the_equations(name):
    species = (8, 1, 6) if "unsorted" in name else (1, 6, 8)
    spec = CormorantSpec(species, **{"n_channels": 2, "level_gain": 2.0, **SIZES[name]})
    meta, weights = written(spec)
    model = from_original(meta, weights)
    again = to_original(model)
    assert list(again) == list(weights) and all(np.array_equal(again[k], weights[k]) for k in weights)
    for z, r, *_ in molecules(arrays()):
        values = model.forward(model.graph([(r, z)]))[0]
        wanted = witness.energy(meta, weights, z, r)
        terms = (abs(values["readout/invariants"]) @ abs(model.parameters["readout"][0])).sum()
        assert abs(values[model.root][0, 0] - wanted) <= CLOSE * terms


def test_the_command_writes_a_potential_whose_energy_is_the_output(tmp_path, capsys):
    out = tmp_path / "out.safetensors"
    assert main(["import", "cormorant", str(FILE), "-o", str(out)]) == 0
    assert "1647 real numbers" in capsys.readouterr().out
    potential = load(out)
    for z, r, energy, _ in molecules(arrays()):
        atoms = Atoms(z, r, calculator=potential.calculator())
        assert abs(atoms.get_potential_energy() - energy) <= CLOSE * abs(energy)
        assert abs(atoms.get_potential_energies().sum() - energy) <= CLOSE * abs(energy)
    assert main(["info", str(out)]) == 0
    assert main(["import", "cormorant", str(tmp_path / "none.npz"), "-o", str(out)]) == 1


def with_meta(**changes):
    def change(data):
        meta = json.loads(str(data["meta"])) | changes
        data["meta"] = np.array(json.dumps({k: v for k, v in meta.items() if v != "absent"}))

    return change


def with_array(name, function):
    def change(data):
        found = function(data.pop(name))
        if found is not None:
            data[name] = found

    return change


EDGE = "parameter/cormorant_cg.edge_levels.0.cat_mix.mix_reps.weights.1"
MALFORMED = {
    "an array missing": (with_array(EDGE, lambda x: None), f"'{EDGE}' is missing"),
    "an array too wide": (with_array(EDGE, lambda x: np.concatenate([x, x], 1)), "must have shape"),
    "an array of integers": (with_array(EDGE, lambda x: x.astype(int)), "must be float64"),
    "an array of complex numbers": (with_array(EDGE, lambda x: x[..., 0] + 0j), "must have shape"),
    "NaN": (with_array(EDGE, lambda x: x * np.nan), "holds NaN or infinity"),
    "an unknown array": (lambda data: data.update({"parameter/other": np.zeros(3)}), "is not a parameter"),
    "meta missing": (with_array("meta", lambda x: None), "'meta' is missing"),
    "meta not a text": (with_array("meta", lambda x: np.zeros(3)), "'meta' must be one text"),
    "meta not JSON": (with_array("meta", lambda x: np.array("{")), "'meta' is not JSON"),
    "meta a list": (with_array("meta", lambda x: np.array("[1]")), "'meta' must be a JSON object"),
    "a size missing": (with_meta(maxl="absent"), "'meta' has no entry 'maxl'"),
    "a size of another kind": (with_meta(n_channels="3"), "'n_channels' must be"),
    "channels that are not there": (with_meta(n_channels=10**6), "must have shape"),
    "levels that are not there": (with_meta(levels=3), "is missing"),
    "degrees that are not there": (with_meta(maxl=10**6), "degrees reach 4"),
    "harmonics that are not there": (with_meta(max_sh=10**5), "is missing"),
    "a species twice": (with_meta(species=[1, 6, 6]), "'species' must be"),
    "species of another number": (with_meta(species=[1, 6, 7, 8]), "must have shape"),
    "no charge scale": (with_meta(charge_scale=0.0), "'charge_scale' must be"),
    "another cutoff": (with_meta(cutoff_type="hard"), "'cutoff_type' must be 'learn'"),
    "another count": (with_meta(n_parameters=1648), "counts 1648 parameters"),
    "another energy": (with_array("molecule/1/energy", lambda x: x + 1e-3), "molecule 1: its energy"),
    "no energy": (with_array("molecule/1/energy", lambda x: None), "'molecule/1/energy' is missing"),
    "an unknown atom": (with_array("molecule/2/numbers", lambda x: x + 8), "molecule 2: .*atomic number 16"),
    "positions of fewer atoms": (with_array("molecule/2/positions", lambda x: x[:2]), "molecule 2: "),
    "pickled objects": (with_array(EDGE, lambda x: np.array([{}, None])), "not a readable .npz file"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_files_are_refused_by_name(name, tmp_path):
    change, message = MALFORMED[name]
    data = arrays()
    change(data)
    np.savez(tmp_path / "wrong.npz", **data)
    with pytest.raises(FileError, match=message):
        import_cormorant(tmp_path / "wrong.npz")
    out = tmp_path / "out.safetensors"
    assert main(["import", "cormorant", str(tmp_path / "wrong.npz"), "-o", str(out)]) == 1 and not out.exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04K\x01.", FILE.read_bytes()[:9000]])
def test_what_is_no_archive_is_refused(content, tmp_path):
    (tmp_path / "wrong.npz").write_bytes(content)
    with pytest.raises(FileError, match=r"not a (readable )?\.npz file"):
        import_cormorant(tmp_path / "wrong.npz")
    with pytest.raises(FileError, match="cannot read"):
        import_cormorant(tmp_path)


def test_models_that_the_original_cannot_be_are_not_written():
    with pytest.raises(FileError, match="must be of the published form"):
        to_original(Cormorant(CormorantSpec((1, 8), n_levels=1, lmax=1, lmax_edge=1, n_channels=1, self_edge=False)))
