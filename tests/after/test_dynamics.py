"""Dynamics have the mean temperature that was asked for, go on to the same bits, and end where the data end."""

import numpy as np
import pytest
from ase import units
from ase.calculators.calculator import Calculator

from nbody_ref.after.dynamics import Settings, Walk
from nbody_ref.errors import ArgumentError, FileError
from nbody_ref.fit.dynamics import thermalise


class Harmonic(Calculator):
    """Every coordinate on a spring of its own, around where it began; outside beyond a length."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, rest, beyond=np.inf):
        super().__init__()
        self.rest, self.beyond = rest, beyond

    def calculate(self, atoms=None, properties=None, system_changes=None):
        super().calculate(atoms, properties, system_changes)
        d = self.atoms.positions - self.rest
        far = np.abs(d).max() > self.beyond
        why = [f"{np.abs(d).max():.2f} A from rest"] if far else []
        self.results = {"energy": 15.0 * np.sum(d**2), "forces": -30.0 * d, "outside": why}


class Model:
    """What a walk needs of a potential."""

    def __init__(self, atoms, beyond=np.inf):
        self.made = lambda: Harmonic(atoms.positions.copy(), beyond)
        self.network = type("Network", (), {"parameters": {"w": np.ones(3)}})

    def calculator(self):
        return self.made()


def walk(folder, atoms, steps, beyond=np.inf, **settings):
    folder.mkdir(exist_ok=True)  # 2 fs: omega dt is 1.1 for the fastest spring, below 2
    found = Walk(Model(atoms, beyond), Settings(time_step=2.0, **settings), folder)
    found.begin(atoms)
    found.run(steps)
    return found


def test_thermalised_atoms_have_the_stated_mean_temperature(atoms):
    molecule = atoms.copy()
    molecule.calc = Harmonic(atoms.positions.copy())
    thermalise(molecule, 300.0, np.random.default_rng(3), 2.0)
    # for harmonic motion total energy / (degrees of freedom k) is the mean temperature; six coordinates, the motions
    # of the whole, were emptied of kinetic energy only, so that what the mean misses of them is at most 6 / 27 of it
    mean = molecule.get_total_energy() / (21 * units.kB)
    assert 300 * (1 - 6 / 27) < mean < 300 * (1 + 6 / 27)


@pytest.mark.parametrize("ensemble", ["nve", "langevin"])
def test_a_walk_that_was_cut_short_goes_on_to_the_same_bits(tmp_path, atoms, ensemble):
    whole = walk(tmp_path / "a", atoms, 160, ensemble=ensemble)
    walk(tmp_path / "b", atoms, 60, ensemble=ensemble)
    with open(tmp_path / "b" / "trajectory.xyz", "ab") as file:
        file.write(b"torn off by a crash")
    again = walk(tmp_path / "b", atoms, 160, ensemble=ensemble)
    assert np.array_equal(whole.atoms.positions, again.atoms.positions)
    assert np.array_equal(whole.atoms.get_momenta(), again.atoms.get_momenta())
    for name in ("trajectory.xyz", "energies.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_state_of_other_settings_is_refused(tmp_path, atoms):
    walk(tmp_path, atoms, 20)
    with pytest.raises(FileError, match="another potential, start or settings"):
        walk(tmp_path, atoms, 20, temperature=310.0)


def test_a_walk_ends_outside_the_data_with_the_reason_and_stays_ended(tmp_path, atoms):
    found = walk(tmp_path, atoms, 300, beyond=0.05)
    assert found.step < 300 and "A from rest" in found.why[0]
    again = walk(tmp_path, atoms, 300, beyond=0.05)
    assert again.step == found.step and again.summary()["outside"] == found.why


@pytest.mark.parametrize("wrong", [{"temperature": -1.0}, {"ensemble": "npt"}, {"every": 0}, {"time_step": np.nan}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ArgumentError, match="md: "):
        Settings(**wrong)
