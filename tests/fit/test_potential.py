"""A fitted potential: physics of its numbers, its file, its calculator and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from scipy.spatial.transform import Rotation

import nbody_ref
from nbody_ref.errors import FileError, GeometryError, NBodyRefError
from nbody_ref.files import load_model, save_model
from nbody_ref.fit import evaluate, fit, load
from nbody_ref.fit.frames import Frames

U = 2.0**-53


@pytest.fixture
def atoms(potential, frames):
    made = Atoms(frames[50].numbers, frames[50].positions)
    made.calc = potential.calculator()
    return made


@pytest.fixture
def noise(potential):
    """Rounding of one prediction: k u S, S the sum of |weight x feature| over atoms and products."""
    weights = potential.network.parameters[potential.network.readout]
    return 400 * U * np.abs(weights).sum()


def test_energies_of_atoms_add_up_to_the_energy(atoms):
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy(), abs=64 * U * 4300)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()


def test_forces_are_minus_the_gradient_of_the_energy(atoms):
    """Central differences of the energy: error h^2 E'''/6 and rounding of E over 2 h."""
    rng = np.random.default_rng(0)
    start, h = atoms.positions.copy(), 1e-4
    for _ in range(3):
        direction = rng.standard_normal(start.shape)
        direction /= np.linalg.norm(direction)
        energies = []
        for sign in (1, -1):
            atoms.positions = start + sign * h * direction
            energies.append(atoms.get_potential_energy())
        atoms.positions = start
        slope = (energies[0] - energies[1]) / (2 * h)
        assert abs(slope + np.sum(atoms.get_forces() * direction)) < 1e-5
        assert abs(slope + 1.001 * np.sum(atoms.get_forces() * direction)) > 1e-5  # a force wrong by 0.1 % is seen


def test_energy_is_invariant_and_forces_turn_with_the_molecule(potential, frames, noise):
    r, z = frames[60].positions, frames[60].numbers
    want = potential.predict([(r, z)])
    turn = Rotation.random(random_state=4).as_matrix()
    order = np.random.default_rng(1).permutation(len(z))
    one = np.eye(3)
    for name, matrix, shift in (("rotation", turn, 0.0), ("inversion", -one, 0.0), ("translation", one, 3.0)):
        got = potential.predict([(r @ matrix.T + shift, z)])
        assert abs(got.energies[0] - want.energies[0]) < noise + 64 * U * 4300, name
        assert np.abs(got.forces - want.forces @ matrix.T).max() < 30 * noise, name
    got = potential.predict([(r[order], z[order])])
    assert np.abs(got.forces - want.forces[order]).max() < 30 * noise
    torque = np.cross(r, want.forces).sum(axis=0)
    assert np.abs(want.forces.sum(axis=0)).max() < 30 * noise and np.abs(torque).max() < 100 * noise
    assert 100 * noise < 1e-6  # the gauge itself is small beside forces of 1 eV/A


def test_atoms_far_apart_have_the_energy_of_isolated_atoms(potential, frames):
    """To the last bit: without neighbours every invariant that has a weight is zero."""
    apart = np.array([[0.0, 0, 0], [0, 0, 5.5], [0, 5.5, 0]])
    for numbers, positions in (([6], apart[:1]), ([1, 6, 8], apart)):
        found = potential.predict([(positions, np.array(numbers))])
        assert found.atom_energies.tolist() == [frames.atoms[z] for z in numbers]
        assert np.all(found.forces == 0.0)


def test_a_batch_gives_the_numbers_of_single_molecules(potential, frames):
    several = frames[[1, 70, 200]]
    whole = potential.predict(several.geometries)
    for i, geometry in enumerate(several.geometries):
        one = potential.predict([geometry])
        assert one.energies[0] == whole.energies[i]
        assert np.array_equal(one.forces, whole.forces[9 * i : 9 * i + 9])
    assert potential.predict([]).forces.shape == (0, 3)


def test_saved_potential_predicts_the_same_bits(potential, frames, tmp_path):
    potential.save(tmp_path / "p.safetensors")
    again = nbody_ref.load(tmp_path / "p.safetensors")
    want, got = (p.predict(frames[:3].geometries) for p in (potential, again))
    assert all(np.array_equal(a, b) for a, b in zip(want, got))
    assert again.metadata == potential.metadata and again.baseline == potential.baseline
    assert (tmp_path / "p.safetensors").stat().st_size < 1_000_000


def test_truncated_and_foreign_model_files_are_refused(potential, tmp_path):
    path = tmp_path / "p.safetensors"
    potential.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(FileError, match="truncated"):
        load(path)
    path.write_text("9\nethanol\nC 0 0 0\n")
    with pytest.raises(FileError, match="not a safetensors file"):
        load(path)
    save_model(path, {"kind": "tables"}, {"a": np.zeros(1)})
    with pytest.raises(FileError, match="holds a 'tables', not a potential"):
        load(path)


@pytest.mark.parametrize("part", ["network", "baseline", "constants", "arrays", "shape", "species"])
def test_descriptions_that_do_not_fit_together_are_refused(potential, tmp_path, part):
    path = tmp_path / "p.safetensors"
    potential.save(path)
    config, arrays, metadata = load_model(path)
    if part == "arrays":
        arrays.popitem()
    elif part == "shape":
        arrays[potential.network.readout] = np.zeros((3, 7))
    elif part == "species":
        config["constants"].pop("6")
    else:
        config[part] = {}
    save_model(path, config, arrays, metadata)
    with pytest.raises(FileError, match="does not fit together"):
        load(path)


def test_calculator_refuses_an_element_unseen_in_training(potential):
    atoms = molecule("CH3NO2")
    atoms.calc = potential.calculator()
    with pytest.raises(GeometryError, match=r"is N, which was not in the training data \(H, C, O\)"):
        atoms.get_potential_energy()


def test_calculator_refuses_a_periodic_cell(atoms):
    atoms.cell, atoms.pbc = [10, 10, 10], True
    with pytest.raises(GeometryError, match="periodic cell"):
        atoms.get_forces()


def test_calculator_refuses_close_atoms_and_nan_by_name(atoms):
    atoms.positions[4] = atoms.positions[0] + [0.1, 0, 0]
    with pytest.raises(GeometryError, match=r"atoms 0 \(C\) and 4 \(H\) are 0.100 Angstrom apart"):
        atoms.get_potential_energy()
    atoms.positions[4, 2] = np.nan
    with pytest.raises(GeometryError, match="position of atom 4 is NaN"):
        atoms.get_potential_energy()


def test_calculator_follows_changes_of_the_atoms(atoms):
    first = atoms.get_potential_energy()
    atoms.positions[0, 0] += 0.1
    assert atoms.get_potential_energy() != first
    water = molecule("H2O")
    water.calc = atoms.calc
    assert water.get_forces().shape == (3, 3)


@pytest.fixture(scope="module")
def bare(frames):
    """A potential of ethanol whose data had no isolated atoms: only the sum 6 H + 2 C + O is known."""
    fast = {"size": "small", "smoothness": 1.5, "regularisation": 1e-4, "progress": False, "curve": False}
    return fit(Frames(frames[:6].frames), **fast)


def acetylacetone():
    """C5H8O2 by its composition; where the atoms are does not matter here."""
    positions = np.array([[1.4 * (i % 4), 1.3 * (i // 4), 0.2 * i] for i in range(15)])
    return positions, np.array([6] * 5 + [8] * 2 + [1] * 8)


def test_energy_of_a_composition_that_the_data_leave_open_is_refused_and_forces_are_given(bare, frames, tmp_path):
    bare.save(tmp_path / "p.safetensors")
    for potential in (bare, load(tmp_path / "p.safetensors")):
        with pytest.raises(GeometryError, match=r"molecule 1 is C5H8O2, .* they hold C2H6O without isolated atoms"):
            potential.predict([frames.geometries[0], acetylacetone()])
        forces = potential.forces([acetylacetone()])
        assert forces.shape == (15, 3) and np.isfinite(forces).all() and np.abs(forces).max() > 0
        r, z = frames.geometries[0]
        assert np.array_equal(potential.forces([(r, z)]), potential.predict([(r, z)]).forces)
        # two ethanol molecules far apart are determined
        twice = potential.predict([(np.concatenate([r, r + 50.0]), np.concatenate([z, z]))])
        weights = potential.network.parameters[potential.network.readout]
        noise = 400 * U * np.abs(weights).sum() + 64 * U * np.abs(twice.atom_energies).sum()  # as in `noise`
        assert abs(twice.energies[0] - 2 * potential.predict([(r, z)]).energies[0]) < noise < 1e-6


def test_an_open_composition_has_any_energy_with_the_same_fit(bare, frames):
    """Why it is refused: 1 eV more for H and 6 eV less for O is the same fit of ethanol, and 4 eV for C5H8O2."""
    moved = {1: 1.0, 6: 0.0, 8: -6.0}
    energies = {z: e + moved[z] for z, e in bare.baseline.energies.items()}
    other = replace(bare, baseline=replace(bare.baseline, energies=energies))
    for geometry, change in ((frames.geometries[0], 0.0), (acetylacetone(), 8 - 2 * 6.0)):
        pair = [p._batches([geometry]) for p in (bare, other)]
        size = 64 * U * np.abs(pair[0].atom_energies).sum()
        assert abs(pair[1].energies[0] - pair[0].energies[0] - change) < size
        assert np.array_equal(pair[0].forces, pair[1].forces)


def test_calculator_gives_forces_of_an_open_composition_and_refuses_its_energy(bare):
    positions, numbers = acetylacetone()
    atoms = Atoms(numbers, positions)
    atoms.calc = bare.calculator()
    assert atoms.get_forces().shape == (15, 3)
    for ask in (atoms.get_potential_energy, atoms.get_potential_energies):
        with pytest.raises(GeometryError, match=r"C5H8O2.*Add the isolated atoms"):
            ask()


def test_evaluation_of_an_open_composition_is_refused(bare, frames):
    positions, numbers = acetylacetone()
    odd = frames[0]._replace(positions=positions, numbers=numbers, forces=np.zeros((15, 3)))
    with pytest.raises(GeometryError, match="frame 1 is C5H8O2"):
        evaluate(bare, Frames((frames[0], odd)))


BROKEN = {
    "text for a constant": ("config", lambda c: c["constants"].update({"1": "nan"})),
    "true for a constant": ("config", lambda c: c["constants"].update({"1": True})),
    "text for an energy": ("config", lambda c: c["baseline"]["energies"].update({"6": "-5"})),
    "unknown kind": ("config", lambda c: c["baseline"].update(kind="mean")),
    "no compositions": ("config", lambda c: c["baseline"].update(kind="least squares")),
    "composition of two": ("config", lambda c: c["baseline"].update(kind="least squares", compositions=[[1, 2]])),
    "half an atom": ("config", lambda c: c["baseline"].update(kind="least squares", compositions=[[1, 2, 0.5]])),
    "list of means": ("metadata", lambda m: m.update(mean_atom_energies=[1, 2])),
    "text for a mean": ("metadata", lambda m: m.update(mean_atom_energies={"1": "x"})),
    "curve without frames": ("metadata", lambda m: m.update(learning_curve=[{}])),
    "number for a curve": ("metadata", lambda m: m.update(learning_curve=3)),
    "list for data": ("metadata", lambda m: m.update(data=[])),
    "text for errors": ("metadata", lambda m: m.update(test_errors="small")),
    "errors of nothing": ("metadata", lambda m: m.update(holdout_errors={"frames": 1.0})),
    "text for an error": ("metadata", lambda m: m.update(holdout_errors={"energy_mae_meV": "small"})),
}


@pytest.mark.parametrize("part", BROKEN)
def test_records_with_wrong_entries_are_refused(potential, tmp_path, part):
    path = tmp_path / "p.safetensors"
    potential.save(path)
    config, arrays, metadata = load_model(path)
    which, spoil = BROKEN[part]
    spoil({"config": config, "metadata": metadata}[which])
    save_model(path, config, arrays, metadata)
    with pytest.raises(FileError, match="does not fit together"):
        load(path)


@pytest.mark.parametrize("wrong", [[5], 3, None, [([0, 0], 1, 2)], [("a", [1])]])
def test_geometries_that_are_no_pairs_are_refused(potential, wrong):
    with pytest.raises(GeometryError, match="'geometries' must be pairs"):
        potential.predict(wrong)


def test_summary_says_what_the_potential_is_of_and_how_large_its_errors_were(potential, bare):
    text = potential.summary()
    known = ("H, C, O", "trained on   C2H6O", "(baseline: isolated)")
    for words in (*known, "ethanol.xyz", "'REF_energy'", "hold-out", "meV"):
        assert words in text
    assert "combinations of C2H6O (baseline: least squares)" in bare.summary()
    replace(potential, metadata={}).summary()  # a potential made by hand has no record


@pytest.mark.parametrize(
    ("positions", "numbers", "message"),
    [
        ([[0.0, 0, 0]], [4294967297], "atom 0 is element 4294967297"),
        ([[0.0, 0, 0]], [-1], "atom 0 is element -1"),
        ([[0.0, 0, 0], [1, 0, 0]], [[8, 1]], r"numbers int64 of shape \(1, 2\) for molecule 0"),
        ([[0.0, 0, 0]], [8.0], "numbers float64"),
        ([[0.0, 0, 0]], [True], "numbers bool"),
        ([0.0, 0, 0], [8], r"positions of shape \(3,\)"),
        ([[0.0, 0, 0], [1e200, 0, 0]], [8, 1], "within 1e"),
        ([[0.0, 0, 0], [np.nan, 0, 0]], [8, 1], "must be finite"),
    ],
)
def test_what_is_no_molecule_is_said_in_words(potential, positions, numbers, message):
    with pytest.raises(NBodyRefError, match=message):
        potential.forces([(positions, numbers)])
