"""Reading labels: each thing that a user can hand over by mistake is refused with a message that names it."""

import os
import threading

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from nbody_ref.errors import DataError
from nbody_ref.fit import ethanol, read_frames
from nbody_ref.fit.reading import ETHANOL, frames_from_atoms, unit_factors


@pytest.fixture
def images():
    """Six labelled methane-like geometries, ordinary magnitudes in eV and Angstrom."""
    rng = np.random.default_rng(3)
    out = []
    for _ in range(6):
        atoms = molecule("CH4")
        atoms.positions += 0.05 * rng.standard_normal((5, 3))
        atoms.info["REF_energy"] = -1094.0 + 0.1 * rng.standard_normal()
        atoms.arrays["REF_forces"] = rng.standard_normal((5, 3))
        out.append(atoms)
    return out


def through_file(tmp_path, images, **options):
    write(tmp_path / "data.xyz", images, format="extxyz")
    return read_frames(tmp_path / "data.xyz", **options)


def test_shipped_data_are_what_the_readme_says():
    frames = ethanol()
    assert len(frames) >= 200 and set(frames.formulas) == {"C2H6O"} and frames.species == (1, 6, 8)
    assert ETHANOL.stat().st_size < 1_000_000
    assert set(frames.atoms) == {1, 6, 8}
    net = np.array([frame.forces.sum(axis=0) for frame in frames])
    assert np.abs(net).max() < 1e-5  # a molecule exerts no force on itself; labels are rounded to 1e-6
    binding = frames.energies - 6 * frames.atoms[1] - 2 * frames.atoms[6] - frames.atoms[8]
    assert np.all((binding < -28) & (binding > -38))  # atomisation energy of ethanol, experiment: 33 eV


def test_ref_labels_are_preferred_and_stated(tmp_path, images):
    for atoms in images:
        atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=np.zeros((5, 3)))
    frames = through_file(tmp_path, images)
    assert (frames.origin["energy_key"], frames.origin["forces_key"]) == ("REF_energy", "REF_forces")
    # extended XYZ holds eight decimals
    assert np.allclose(frames[0].forces, images[0].arrays["REF_forces"], atol=0.5001e-8, rtol=0)
    assert len(frames.origin["sha256"]) == 64 and frames.origin["file"] == "data.xyz"


def test_labels_of_a_calculator_and_chosen_keys_are_read(images):
    for atoms in images:
        atoms.calc = SinglePointCalculator(
            atoms, energy=atoms.info.pop("REF_energy"), forces=atoms.arrays.pop("REF_forces")
        )
    assert frames_from_atoms(images).origin["energy_key"] == "energy"
    for atoms in images:
        atoms.info["U0"], atoms.arrays["F"] = -1000.0 + np.sum(atoms.positions), np.ones((5, 3))
    frames = frames_from_atoms(images, keys=("U0", "F"))
    assert frames[1].energy == images[1].info["U0"] and np.all(frames[1].forces == 1.0)


def test_indexing_by_number_slice_and_list(images):
    frames = frames_from_atoms(images)
    assert frames[2].energy == frames[[2]][0].energy == frames[2:][0].energy == frames[-4].energy
    assert len(frames[[0, 5]]) == 2 and len(frames[:0]) == 0 and frames[:0].forces.shape == (0, 3)


def test_isolated_atoms_become_the_baseline(images):
    images += [Atoms("H", info={"REF_energy": -13.6}), Atoms("C", info={"energy": -1029.0})]
    frames = frames_from_atoms(images)
    assert frames.atoms == {1: -13.6, 6: -1029.0} and len(frames) == 6


def test_molecules_of_different_composition_share_a_file(images):
    water = molecule("H2O")
    water.info["REF_energy"], water.arrays["REF_forces"] = -2078.0, np.full((3, 3), 0.5)
    frames = frames_from_atoms([*images, water])
    assert frames.formulas[-1] == "H2O" and frames.species == (1, 6, 8)


def test_missing_energies_name_the_keys_that_are_there(tmp_path, images):
    for atoms in images:
        atoms.info["U_total"] = atoms.info.pop("REF_energy")
    with pytest.raises(DataError, match=r"frame 0 has no energy.*'U_total'.*--energy-key"):
        through_file(tmp_path, images)


def test_missing_forces_name_the_keys_that_are_there(tmp_path, images):
    for atoms in images:
        atoms.arrays["grad"] = atoms.arrays.pop("REF_forces")
    with pytest.raises(DataError, match=r"frame 0 has no forces.*'grad'.*--forces-key"):
        through_file(tmp_path, images)


def test_labels_missing_in_a_later_frame_are_missing_and_said(images):
    del images[3].arrays["REF_forces"]
    found = frames_from_atoms(images)
    place = found.indices.index(3)
    assert found.has_forces.tolist() == [i != place for i in range(len(found))] and found.has_energy.all()
    assert np.isnan(found[place].forces).all()
    assert any("have no forces ('REF_forces'): frames 3" in finding.text for finding in found.findings)
    del images[2].info["REF_energy"]
    assert not frames_from_atoms(images).has_energy[found.indices.index(2)]
    with pytest.raises(DataError, match="no energy named 'nothing', nor has any other"):
        frames_from_atoms(images, keys=("nothing", None))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none_name_frame_and_atom(tmp_path, images, bad):
    forces = images[4].arrays["REF_forces"].copy()
    images[4].arrays["REF_forces"][2, 1] = bad
    with pytest.raises(DataError, match=r"frame 4, atom 2: 'REF_forces'"):
        through_file(tmp_path, images)
    images[4].arrays["REF_forces"] = forces
    images[3].positions[1, 0] = bad
    with pytest.raises(DataError, match=r"frame 3: the position of atom 1"):
        frames_from_atoms(images)
    images[1].info["REF_energy"] = bad
    with pytest.raises(DataError, match=r"frame 1: 'REF_energy'"):
        through_file(tmp_path, images[:2])


def test_text_where_a_number_must_be_is_refused(images):
    images[1].info["REF_energy"] = "low"
    with pytest.raises(DataError, match="must be a number, got 'low'"):
        frames_from_atoms(images)


def test_close_atoms_are_named(images):
    images[2].positions[3] = images[2].positions[1] + [0.0, 0.0, 0.25]
    with pytest.raises(DataError, match=r"frame 2: atoms 1 \(H\) and 3 \(H\) are 0.250 Angstrom apart"):
        frames_from_atoms(images)
    images[2].positions[3] = images[2].positions[1] + [0.0, 0.0, 0.31]
    assert len(frames_from_atoms(images)) == 6


def test_periodic_cell_is_refused_and_a_box_around_a_molecule_is_not(images):
    for atoms in images:
        atoms.cell = [20.0, 20.0, 20.0]
    assert len(frames_from_atoms(images)) == 6
    images[1].pbc = [True, False, False]
    with pytest.raises(DataError, match="frame 1 has a periodic cell"):
        frames_from_atoms(images)


def test_empty_missing_foreign_and_truncated_files(tmp_path, images):
    path = tmp_path / "data.xyz"
    path.write_text("")
    with pytest.raises(DataError, match="is empty"):
        read_frames(path)
    with pytest.raises(DataError, match="No such file"):
        read_frames(tmp_path / "nothing.xyz")
    path.write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="cannot read"):
        read_frames(path)
    write(path, images, format="extxyz")
    path.write_bytes(path.read_bytes()[:-90])
    with pytest.raises(DataError, match="cannot read"):
        read_frames(path)
    write(path, [Atoms("H", info={"energy": 1.0})], format="extxyz")
    with pytest.raises(DataError, match="no geometry of two or more atoms"):
        read_frames(path)


def test_a_file_cut_within_its_last_number_is_refused_wherever_it_shows(tmp_path, images):
    path = tmp_path / "data.xyz"
    write(path, images, format="extxyz")
    whole = path.read_bytes().rstrip()
    digits = whole[whole.rindex(b".") + 1 :]
    for kept in range(len(digits) + 1):
        path.write_bytes(whole[: len(whole) - len(digits) + kept])
        if kept == len(digits):
            assert len(read_frames(path)) == 6  # only the line end is gone: nothing is lost
        else:
            with pytest.raises(DataError, match=f"ends within a number: .* has {kept} decimals instead of 8"):
                read_frames(path)


def test_a_file_without_last_line_end_whose_decimals_vary_is_read(tmp_path):
    path = tmp_path / "data.xyz"
    head = "2\nenergy=-31.5 Properties=species:S:1:pos:R:3:forces:R:3\n"
    path.write_text(head + "H 0 0 0 0.1 0.0 0.25\nH 0 0 0.74 -0.1 0.0 -0.2")
    assert read_frames(path)[0].forces[1, 2] == -0.2


def converted(energy, length):
    """The shipped data as a careless user would pass them: numbers in other units."""
    frames = ethanol()[:40]
    images = []
    for frame in frames:
        atoms = Atoms(frame.numbers, frame.positions / length)
        atoms.info["REF_energy"] = frame.energy / energy
        atoms.arrays["REF_forces"] = frame.forces * length / energy
        images.append(atoms)
    return images


@pytest.mark.parametrize(
    "name, energy, length, word",
    [
        ("kcal/mol,A", units.kcal / units.mol, 1.0, "kcal/mol"),
        ("kJ/mol,A", units.kJ / units.mol, 1.0, "kcal/mol"),
        ("Ha,bohr", units.Hartree, units.Bohr, "Hartree"),
        ("Ha,A", units.Hartree, 1.0, "Hartree"),
    ],
)
def test_other_units_passed_as_ev_are_noticed_and_converted_when_told(name, energy, length, word):
    images = converted(energy, length)
    with pytest.raises(DataError, match=rf"{word}.*--units"):
        frames_from_atoms(images)
    told, want = frames_from_atoms(images, units=name), ethanol()[:40]
    assert len(frames_from_atoms(images, trust_units=True)) == 40
    # two roundings each way, relative to the magnitudes themselves
    assert np.allclose(told.energies, want.energies, rtol=8 * 2**-53, atol=0)
    assert np.allclose(told.forces, want.forces, rtol=16 * 2**-53, atol=0)


@pytest.mark.parametrize("shift", [0.0, 4209.0])
def test_energies_in_kcal_beside_forces_in_ev_are_noticed_without_their_absolute_size(shift):
    images = converted(1.0, 1.0)
    for atoms in images:
        atoms.info["REF_energy"] = (atoms.info["REF_energy"] + shift) * 23.06
    with pytest.raises(DataError, match=r"kcal/mol|different units"):
        frames_from_atoms(images)


def test_binding_energies_and_relaxed_geometries_pass(images):
    for atoms in images:
        atoms.info["REF_energy"] += 1077.0
    assert len(frames_from_atoms(images)) == 6
    for k, atoms in enumerate(images):
        atoms.info["REF_energy"] = -17.0 - 0.2 * k
        atoms.arrays["REF_forces"] *= 1e-3
    assert len(frames_from_atoms(images)) == 6


def test_unknown_units_are_refused():
    for bad in ("eV", "eV,parsec", "furlong,A", "eV,A,A", ""):
        with pytest.raises(DataError, match="kcal/mol,A"):
            unit_factors(bad)
    assert unit_factors("Hartree, Bohr") == (units.Hartree, units.Bohr)


def test_a_last_number_with_more_decimals_than_those_above_is_whole(tmp_path):
    """Only fewer decimals mean that a file was cut."""
    text = ETHANOL.read_text().rstrip("\n")
    (tmp_path / "more.xyz").write_text(text + "1")
    assert len(read_frames(tmp_path / "more.xyz")) == 300
    with pytest.raises(DataError, match="ends within a number"):
        (tmp_path / "fewer.xyz").write_text(text[:-1])
        read_frames(tmp_path / "fewer.xyz")


def test_a_file_is_read_once(tmp_path):
    """A pipe gives its content once; nothing that is hashed differs from what is parsed."""
    pipe = tmp_path / "pipe.xyz"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(ETHANOL.read_bytes()))
    writer.start()
    found = read_frames(pipe)
    writer.join()
    assert len(found) == 300 and found.origin["sha256"] == read_frames(ETHANOL).origin["sha256"]
