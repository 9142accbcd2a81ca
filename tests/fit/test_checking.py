"""What is wrong with data is said by name, with what to pass; what is right passes."""

import json

import numpy as np
import pytest
from ase import Atoms, units
from ase.io import read, write
from scipy.spatial.transform import Rotation

from nbody_ref.fit import Frames, WrongDataError, check, fit
from nbody_ref.fit.blocks import blocks
from nbody_ref.fit.frames import Frame
from nbody_ref.fit.reading import ETHANOL

KCAL = units.mol / units.kcal
ORDER = np.random.default_rng(1).permutation(30)


@pytest.fixture(scope="module")
def images():
    return read(ETHANOL, index=":33")


def changed(images, change, atom=lambda energy: energy):
    """Frames of the file, isolated atoms first, after `change` of (place among the molecules, atoms)."""
    out = [atoms.copy() for atoms in images]
    for i, atoms in enumerate(out):
        if len(atoms) == 1:
            atoms.info["REF_energy"] = atom(atoms.info["REF_energy"])
        else:
            change(i - 3, atoms)
    return out


def scaled(e, f, r=1.0):
    def change(i, atoms):
        atoms.info["REF_energy"] *= e
        atoms.arrays["REF_forces"] = atoms.arrays["REF_forces"] * f
        atoms.positions *= r

    return change


def energies_of(other):
    def change(i, atoms):
        atoms.info["REF_energy"] = other(i, atoms.info["REF_energy"])

    return change


def forces_of(other):
    def change(i, atoms):
        atoms.arrays["REF_forces"] = other(i, atoms.arrays["REF_forces"])

    return change


def noted(name, value):
    return lambda i, atoms: atoms.info.__setitem__(name, value(i))


HA = 1 / units.Hartree
TURN = Rotation.from_rotvec([0.5, 0.4, 0.3])
WRONG = {
    "Hartree and Hartree/bohr, positions in Angstrom": (
        scaled(HA, HA * units.Bohr),
        "--units Ha,A --force-units Ha/bohr",
    ),
    "Hartree/bohr beside eV": (scaled(1, HA * units.Bohr), "Pass what is true: --force-units Ha/bohr"),
    "energies in kcal/mol": (scaled(KCAL, 1), "--units kcal/mol,A"),
    "forces in kcal/mol": (scaled(1, KCAL), "--force-units kcal/mol/A"),
    "converted the wrong way": (scaled(KCAL**2, KCAL**2), "kcal/mol the wrong way, multiplied instead of divided"),
    "gradients": (scaled(1, -1), "--forces-are-gradients"),
    "one energy": (energies_of(lambda i, e: e + 5 * (i == 11)), "eV in frame 14 (others"),
    "a tenth of that": (energies_of(lambda i, e: e + 0.5 * (i == 11)), "eV in frame 14"),
    "one frame's forces": (
        forces_of(lambda i, f: f * (1 + (i == 11))),
        "forces that all others say are wrong: frame 14",
    ),
    "zero energies": (energies_of(lambda i, e: 0.0), "--ignore energies"),
    "another orientation": (forces_of(lambda i, f: TURN.apply(f)), "turn the molecule as a whole"),
    "a fixed atom": (forces_of(lambda i, f: f * (np.arange(9) > 0)[:, None]), "do not add up to zero"),
    "charges": (noted("charge", lambda i: i % 2), "molecules of different charge are mixed: charge 0 in frames 3, 5"),
    "spins": (noted("spin", lambda i: 1 + 2 * (i % 2)), "different spin are mixed"),
    "energies of atomisation": (energies_of(lambda i, e: e + 4175.0), "--e0 none"),
    "three states": (energies_of(lambda i, e: e + 4 * (i % 3)), "are states, methods or charges mixed"),
    "energies per atom": (energies_of(lambda i, e: e / 9), "are energies per atom"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_what_to_pass(name, images):
    change, words = WRONG[name]
    atom = (lambda e: e / 9) if name == "energies per atom" else (lambda e: e)
    result = check(changed(images, change, atom))
    assert not result.ok and words in str(result), str(result)


def test_shuffled_energies_and_forces_are_told_from_right_ones(images):
    shuffled = [atoms.copy() for atoms in images]
    for i, k in enumerate(ORDER):
        shuffled[3 + i].info["REF_energy"] = images[3 + k].info["REF_energy"]
    assert "do not follow from the forces" in str(check(shuffled))
    shuffled = [atoms.copy() for atoms in images]
    for i, k in enumerate(ORDER):
        shuffled[3 + i].arrays["REF_forces"] = images[3 + k].arrays["REF_forces"].copy()
    assert not check(shuffled).ok


def morse(lengths, depth=9.9, stiff=2.69, rest=1.098, shift=-2970.0, number=7):
    """Pairs of atoms with the energy and forces of a Morse curve."""
    frames = []
    for r in lengths:
        x = np.exp(-stiff * (r - rest))
        pull = -2 * depth * stiff * (1 - x) * x
        energy = shift + depth * ((1 - x) ** 2 - 1)
        forces = np.array([[0, 0, -pull], [0, 0, pull]])
        frames.append(Frame(np.array([number] * 2), np.array([[0, 0, 0], [0, 0, r]]), energy, forces))
    return Frames(tuple(frames))


RIGHT = {
    "as it is": scaled(1, 1),
    "relative energies": energies_of(lambda i, e: e + 4202.0),
    "differences between two methods": lambda i, atoms: scaled(0.02, 0.02)(i, atoms),
    "an excited state": energies_of(lambda i, e: e + 6.0),
    "one charge": noted("charge", lambda i: 0),
    "no forces": lambda i, atoms: atoms.arrays.pop("REF_forces"),
    "some forces": lambda i, atoms: atoms.arrays.pop("REF_forces") if i % 3 == 0 else None,
    "some energies": lambda i, atoms: atoms.info.pop("REF_energy") if i % 3 == 0 else None,
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name, images):
    molecules = [atoms for atoms in images if len(atoms) > 1]
    result = check(changed(molecules, lambda i, atoms: RIGHT[name](i + 3, atoms)))
    assert result.ok, str(result)


@pytest.mark.parametrize(
    "frames",
    [
        morse(np.linspace(0.9, 1.6, 30)),
        morse(np.random.default_rng(0).uniform(0.9, 1.6, 30)),
        morse(np.linspace(0.45, 3.0, 40), 4.75, 1.94, 0.741, -27.2, 1),
        morse(np.linspace(3.3, 7.0, 30), 0.0123, 1.7, 3.76, -28680.0, 18),
    ],
    ids=["N2 scan", "N2 at random", "H2 to its atoms", "argon"],
)
def test_scans_and_dimers_pass(frames):
    assert check(frames).ok, str(check(frames))
    flipped = Frames(tuple(frame._replace(forces=-frame.forces) for frame in frames))
    assert frames[0].numbers[0] == 18 or not check(flipped).ok


def test_isolated_atoms_that_disagree_or_are_dummies_are_named(images):
    twice = [*images, images[0].copy()]
    twice[-1].info["REF_energy"] += 1.0
    assert "isolated atoms of H disagree: -13.5576 eV in frame 0, -12.5576 eV in frame 33" in str(check(twice))
    dummies = changed(images, lambda i, atoms: None, atom=lambda e: 0.0)
    assert "dummies" in str(check(dummies))
    assert check(dummies, e0="none").ok and check(dummies, e0={"H": -13.5576, "C": -1026.77, 8: -2037.575}).ok
    assert "isolated atoms of H, C but none of O" in str(check(images[:2] + images[3:]))


def test_a_fit_is_refused_with_all_that_is_wrong_unless_it_is_wanted(images):
    wrong = changed(images, scaled(1, HA * units.Bohr))
    with pytest.raises(WrongDataError, match="--force-units Ha/bohr") as caught:
        fit(wrong, size="small", smoothness=1.5, progress=False)
    assert caught.value.check.wrong
    fast = {"size": "small", "smoothness": 1.5, "regularisation": 1e-3, "progress": False, "curve": False}
    assert fit(wrong, anyway=True, **fast).metadata["frames"] == 30


def test_the_result_is_json_and_says_what_was_seen(images, tmp_path):
    write(tmp_path / "data.xyz", images, format="extxyz")
    found = check(tmp_path / "data.xyz").to_dict()
    json.dumps(found, allow_nan=False)
    assert found["ok"] and found["frames"] == 30 and found["compositions"] == {"C2H6O": 30}
    assert found["energy_key"] == "REF_energy" and found["independent"] == 30
    assert 0.85 < found["slope"] < 1.15 and found["forces_explained"] > 0.9
    low, high = found["distances"]["H-O"]
    assert 0.8 < low < 1.0 and high > 3.0


def test_keys_that_are_not_read_are_said(images):
    def more(i, atoms):
        atoms.info.update(stress=np.eye(3), dipole=np.ones(3), config_weight=2.0)

    text = str(check(changed(images, more)))
    assert "not read: config_type, dipole, stress" in text


def test_molecules_in_a_box_are_unwrapped_and_their_images_checked(images):
    def boxed(size):
        def change(i, atoms):
            atoms.set_cell([size] * 3)
            atoms.pbc = True
            atoms.positions -= atoms.positions[0]
            atoms.wrap()

        return changed(images[3:], change)

    whole = check(images[3:], molecule=True).record["distances"]
    found = check(boxed(20.0), molecule=True)
    assert found.ok
    for pair, limits in whole.items():
        np.testing.assert_allclose(found.record["distances"][pair], limits, rtol=0, atol=1e-7)
    near = check(boxed(7.0), molecule=True)
    assert "from its image" in str(near) and not near.ok
    assert isinstance(images[3], Atoms)


def test_energies_of_a_pseudopotential_are_not_taken_for_hartree():
    """Valence energies of HCl, -421 eV, are what all its electrons have in Hartree; its bond says that they are eV."""
    lengths = np.random.default_rng(0).normal(1.27, 0.05, 40)
    right = morse(lengths, 4.6, 1.87, 1.27, -421.0, 17)
    right = Frames(tuple(frame._replace(numbers=np.array([1, 17])) for frame in right))
    assert check(right).ok, str(check(right))
    hartree = [frame._replace(energy=frame.energy * HA, forces=frame.forces * HA * units.Bohr) for frame in right]
    assert not check(Frames(tuple(frame._replace(energy=frame.energy - 445.0) for frame in hartree))).ok


def test_frames_that_share_a_slow_motion_are_not_independent():
    """A torsion that takes 20 frames beside bonds that forget at once; and the same frames in another order."""
    rng, n = np.random.default_rng(0), 80
    slow = np.sin(2 * np.pi * np.arange(n) / 20)
    base = np.array([[0.0, 0, 0], [1.1, 0, 0], [1.6, 1.0, 0.3], [2.7, 1.1, 0.0]])
    frames = []
    for k in range(n):
        r = base + 0.02 * rng.standard_normal((4, 3))
        r[3, 2] += 0.5 * slow[k]
        frames.append(Frame(np.array([6, 6, 6, 6]), r, 0.0, np.full((4, 3), np.nan)))
    assert 4 <= blocks(Frames(tuple(frames))).count < n / 3
    assert blocks(Frames(tuple(frames[k] for k in rng.permutation(n)))).count > 0.9 * n
