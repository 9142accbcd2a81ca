"""Formats that chemists have: the same frames by every way in, with the units that files say."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.db import connect
from ase.io import read, write

from nbody_ref.errors import ArgumentError, DataError
from nbody_ref.fit import evaluate, read_frames
from nbody_ref.fit.reading import ETHANOL

KCAL = units.mol / units.kcal


@pytest.fixture(scope="module")
def images():
    return read(ETHANOL, index="3:9")


@pytest.fixture(scope="module")
def arrays(images):
    """Positions, numbers, energies and forces, eV and Angstrom."""
    labels = ([a.info["REF_energy"] for a in images], [a.arrays["REF_forces"] for a in images])
    return np.array([a.positions for a in images]), images[0].numbers, np.array(labels[0]), np.array(labels[1])


def same(frames, arrays, digits=1e-9):
    r, z, e, f = arrays
    assert len(frames) == len(r) and all(np.array_equal(frame.numbers, z) for frame in frames)
    np.testing.assert_allclose([frame.positions for frame in frames], r, rtol=0, atol=digits)
    np.testing.assert_allclose(frames.energies, e, rtol=1e-12)
    np.testing.assert_allclose([frame.forces for frame in frames], f, rtol=0, atol=100 * digits)
    return True


def test_npz_of_sgdml_says_its_units(arrays, tmp_path):
    r, z, e, f = arrays
    np.savez(
        tmp_path / "s.npz",
        R=r,
        z=z.astype(np.uint8),
        E=(e * KCAL)[:, None],
        F=f * KCAL,
        r_unit="Ang",
        e_unit="kcal/mol",
    )
    assert same(read_frames(tmp_path / "s.npz"), arrays)
    np.savez(tmp_path / "t.npz", R=r, z=z, E=e * KCAL, F=f * KCAL, name=np.array(b"x"))
    found = read_frames(tmp_path / "t.npz")  # by the size of energies
    assert same(found, arrays) and found.origin["units"] == "kcal/mol,A"
    np.savez(tmp_path / "e.npz", R=r, z=z, E=e, F=f)
    assert same(read_frames(tmp_path / "e.npz"), arrays)


def test_npz_of_rmd17(arrays, tmp_path):
    r, z, e, f = arrays
    np.savez(tmp_path / "r.npz", coords=r, nuclear_charges=z, energies=e * KCAL, forces=f * KCAL, old_energies=e)
    found = read_frames(tmp_path / "r.npz", units="kcal/mol,A")
    assert same(found, arrays) and any("old_energies" in finding.text for finding in found.findings)
    np.savez(tmp_path / "w.npz", coords=r, energies=e)
    with pytest.raises(DataError, match="it holds no numbers"):
        read_frames(tmp_path / "w.npz")


def test_folder_of_deepmd(arrays, tmp_path):
    r, z, e, f = arrays
    (tmp_path / "dp" / "set.000").mkdir(parents=True)
    (tmp_path / "dp" / "nopbc").touch()
    names = ["O", "C", "H"]
    symbols = Atoms(numbers=z).get_chemical_symbols()
    (tmp_path / "dp" / "type_map.raw").write_text("\n".join(names))
    (tmp_path / "dp" / "type.raw").write_text("\n".join(str(names.index(s)) for s in symbols))
    for name, array in (("coord", r.reshape(len(r), -1)), ("energy", e), ("force", f.reshape(len(r), -1))):
        np.save(tmp_path / "dp" / "set.000" / f"{name}.npy", array)
    assert same(read_frames(tmp_path / "dp"), arrays)
    with pytest.raises(DataError, match=r"holds no type\.raw"):
        read_frames(tmp_path / "dp" / "set.000")


def test_database_with_labels_in_its_data(arrays, tmp_path):
    """As SchNetPack writes them, with units in the metadata."""
    r, z, e, f = arrays
    with connect(tmp_path / "s.db") as database:
        for one in range(len(r)):
            database.write(Atoms(z, r[one]), data={"energy": np.array([e[one] * KCAL]), "forces": f[one] * KCAL})
        database.metadata = {"_distance_unit": "Ang", "_property_unit_dict": {"energy": "kcal/mol"}}
    assert same(read_frames(tmp_path / "s.db"), arrays)


def test_trajectories_packed_files_and_several_of_them(images, arrays, tmp_path):
    from ase.calculators.singlepoint import SinglePointCalculator

    made = []
    for atoms in images:
        one = Atoms(atoms.numbers, atoms.positions)
        one.calc = SinglePointCalculator(one, energy=atoms.info["REF_energy"], forces=atoms.arrays["REF_forces"])
        made.append(one)
    write(tmp_path / "a.traj", made)
    assert same(read_frames(tmp_path / "a.traj"), arrays)
    write(tmp_path / "a.xyz", images[:2], format="extxyz")
    (tmp_path / "b.xyz.gz").write_bytes(gzip.compress(_text(images[2:], tmp_path)))
    assert same(read_frames([tmp_path / "a.xyz", tmp_path / "b.xyz.gz"]), arrays, 1e-7)
    (tmp_path / "cut.xyz").write_bytes(_text(images, tmp_path)[:-200])
    with pytest.raises(DataError, match="in frame 5, which begins in line 56"):
        read_frames(tmp_path / "cut.xyz")


def _text(images, folder):
    write(folder / "text.xyz", images, format="extxyz")
    return (folder / "text.xyz").read_bytes()


def test_forces_have_a_unit_of_their_own_and_may_be_gradients(images, arrays, tmp_path):
    for atoms in (made := [a.copy() for a in images]):
        atoms.info["REF_energy"] /= units.Hartree
        atoms.arrays["REF_gradient"] = -atoms.arrays.pop("REF_forces") * units.Bohr / units.Hartree
    write(tmp_path / "g.xyz", made, format="extxyz")
    found = read_frames(tmp_path / "g.xyz", units="Ha,A", force_units="Ha/bohr", gradients=True)
    assert same(found, arrays, 1e-6)
    with pytest.raises(DataError, match="--forces-are-gradients"):
        read_frames(tmp_path / "g.xyz", units="Ha,A", force_units="Ha/bohr")
    with pytest.raises(DataError, match="force units must be an energy over a length"):
        read_frames(tmp_path / "g.xyz", force_units="Ha", gradients=True)
    with pytest.raises(ArgumentError, match="there is no option 'unit'"):
        read_frames(tmp_path / "g.xyz", unit="Ha,A")


def test_evaluate_takes_a_list_of_atoms(potential, images, arrays):
    found = evaluate(potential, images)
    places = {"energy_max_frame", "forces_max_frame"}  # in the list, and in the file, which begins with atoms
    other = evaluate(potential, read_frames(ETHANOL)[:6]).to_dict()
    assert {k: v for k, v in found.to_dict().items() if k not in places} == {
        k: other[k] for k in other if k not in places
    }
    only = [Atoms(a.numbers, a.positions, info={"energy": a.info["REF_energy"]}) for a in images]
    errors = evaluate(potential, only).to_dict()
    assert "energy_mae_meV" in errors and "forces_mae_meV_per_A" not in errors


def test_output_of_nwchem_by_ase():
    """RHF/STO-3G gradient of water by NWChem 7.0.2 (``nwchem water.nw``), lines about the machine taken out:

    geometry units angstrom noautosym nocenter noautoz; O 0 0 0.1; H 0 0.76 -0.48; H 0 -0.76 -0.47; end;
    basis; * library sto-3g; end; task scf gradient
    """
    found = read_frames([Path(__file__).parent.parent / "data" / "nwchem_water.out"])
    assert found.energies[0] == pytest.approx(-74.961804025610 * units.Hartree, rel=1e-9)
    gradient = np.array([[0, -0.007830, -0.072823], [0, -0.022831, 0.033625], [0, 0.030661, 0.039198]])
    np.testing.assert_allclose(found[0].forces, -gradient * units.Hartree / units.Bohr, rtol=0, atol=1e-3)


WATER = {  # RHF/STO-3G of the same water; GFN2-xTB has an energy of its own
    "pyscf_water.log": (-74.9618040368118, "PySCF 2.14, the input is in the log; lines about the machine taken out"),
    "psi4_water.out": (-74.9618, "Psi4 1.3.2: gradient('scf') of the same in an input file; read by cclib"),
    "xtb_water.engrad": (-5.070400193206, "xTB 6.5.1: xtb water.xyz --gfn 2 --grad; the layout is that of ORCA"),
}


@pytest.mark.parametrize("name", WATER)
def test_outputs_that_ase_does_not_read(name):
    if name.startswith("psi4"):
        pytest.importorskip("cclib")
    found = read_frames(Path(__file__).parent.parent / "data" / name)
    assert found.energies[0] == pytest.approx(WATER[name][0] * units.Hartree, rel=1e-7)
    np.testing.assert_allclose(found[0].positions, [[0, 0, 0.1], [0, 0.76, -0.48], [0, -0.76, -0.47]], atol=1e-6)
    gradient = np.array([[0, -0.007831, -0.072829], [0, -0.022831, 0.033628], [0, 0.030662, 0.039201]])
    if not name.startswith("xtb"):
        np.testing.assert_allclose(found[0].forces, -gradient * units.Hartree / units.Bohr, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found[0].forces.sum(axis=0), 0, atol=1e-3)


def test_a_log_without_the_geometry_of_a_later_gradient_is_refused(tmp_path):
    log = (Path(__file__).parent.parent / "data" / "pyscf_water.log").read_text()
    (tmp_path / "twice.log").write_text(log + log[log.index("converged SCF energy") :])
    with pytest.raises(DataError, match="gradient 1 of the log has no geometry"):
        read_frames(tmp_path / "twice.log")


def test_labels_that_files_call_differently_are_one_and_those_of_one_file_are_asked_for(images, arrays, tmp_path):
    other = [atoms.copy() for atoms in images[3:]]
    for atoms in other:
        atoms.info["energy"], atoms.arrays["forces"] = atoms.info.pop("REF_energy"), atoms.arrays.pop("REF_forces")
    write(tmp_path / "a.xyz", images[:3], format="extxyz")
    write(tmp_path / "b.xyz", other, format="extxyz")
    assert same(read_frames([tmp_path / "a.xyz", tmp_path / "b.xyz"]), arrays, 1e-7)
    write(tmp_path / "c.xyz", [*images[:3], *other], format="extxyz")
    with pytest.raises(
        DataError, match="3 frames have no 'REF_energy' but another energy, which is not read: frames 3-5"
    ):
        read_frames(tmp_path / "c.xyz")
