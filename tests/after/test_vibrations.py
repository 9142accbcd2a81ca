"""Frequencies are those of a Hessian that is known in closed form; what is no minimum is named."""

import numpy as np
from ase import Atoms, units
from ase.build import molecule

from nbody_ref.after.vibrations import vibrations


class Springs:
    """A potential of springs between all atoms, or, with a negative constant, their opposite."""

    def __init__(self, rest, constant):
        self.rest, self.constant = rest, constant

    def forces(self, geometries):
        out = []
        for r, _ in geometries:
            d = r[:, None] - r[None]
            length = np.linalg.norm(d, axis=-1) + np.eye(len(r))
            rest = np.linalg.norm(self.rest[:, None] - self.rest[None], axis=-1) + np.eye(len(r))
            out.append((-self.constant * (length - rest) / length)[..., None] * d)
        return np.concatenate([f.sum(axis=1) for f in out])

    def calculator(self):
        return None


def test_the_frequency_of_a_diatomic_is_the_root_of_its_constant_over_its_reduced_mass():
    atoms = Atoms("CO", [[0, 0, 0], [0.3, 0.4, 1.1]])
    found = vibrations(Springs(atoms.positions, 119.0), atoms)
    m = np.prod(atoms.get_masses()) / atoms.get_masses().sum()
    hbar = units._hbar * 1e10 / np.sqrt(units._e * units._amu)
    # differences over h = 0.005 A of a force whose third derivative is 0: the fourth order of |r| leaves (h / r)^2
    assert found.linear and len(found.energies) == 1 and not found.imaginary
    assert abs(found.energies[0].real / (hbar * np.sqrt(119.0 / m)) - 1) < (0.005 / 1.2) ** 2
    assert found.zero_point_energy == found.energies[0].real / 2


def test_three_n_minus_six_modes_of_water_move_no_centre_of_mass():
    water = molecule("H2O")
    found = vibrations(Springs(water.positions, 30.0), water)
    assert len(found.energies) == 3 and not found.linear
    moved = np.einsum("kai,a->ki", found.modes, water.get_masses())
    assert np.abs(moved).max() < 64 * np.finfo(float).eps * water.get_masses().sum()


def test_imaginary_modes_are_named_with_their_atoms():
    water = molecule("H2O")
    found = vibrations(Springs(water.positions, -30.0), water)
    assert (found.wavenumbers < 0).all() and len(found.imaginary) == 3
    assert "i cm-1, which moves" in found.imaginary[0] and "H1" in "".join(found.imaginary)
