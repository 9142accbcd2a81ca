"""Linear ACE: the counts of its invariants, and what its closed form reaches on real forces."""

import numpy as np
import pytest

from nbody_ref.errors import DataError, NBodyRefError
from nbody_ref.fit import ethanol, evaluate, fit, load
from nbody_ref.models.linear_ace import linear_ace
from nbody_ref.network import Network
from nbody_ref.ops.radial import Bessel


def test_number_of_invariants_is_that_of_the_multisets():
    """One species, radial functions n = 0, 1, l <= 1, degree 2. Pairs of (n, l) with equal l: (00, 00), (00, 10),
    (10, 10), (01, 01). Triples with an even sum of l: three of l = 0 with n sum <= 2 (000, 001, 011), and
    one l = 0 with two l = 1 of n = 0 (00, 01, 01); single densities: 2; the centre: 1."""
    network = linear_ace((1,), (2, 2), lmax=1, radial=Bessel(2, 5.0))
    assert network.parameters[network.readout].shape == (1, 1 + 2 + 4 + 4)


@pytest.mark.parametrize("n_species", [2, 3])
def test_species_of_equal_factors_are_counted_once(n_species):
    """(n l, n l) with S species has S (S + 1) / 2 unordered pairs, different (n l) have S^2."""
    network = linear_ace(tuple(range(1, n_species + 1)), (2,), lmax=1, radial=Bessel(2, 5.0))
    same, different = n_species * (n_species + 1) // 2, n_species**2
    singles = n_species * (1 + 2)
    assert network.parameters[network.readout].shape == (n_species, singles + 3 * same + different)


def test_closed_form_on_ethanol_beats_a_fifth_of_the_mean_force():
    frames = ethanol()
    network = linear_ace(frames.species, (6, 4))
    potential = fit(frames[:16], network=network, progress=False, curve=False)
    errors = evaluate(potential, frames[100:110]).to_dict()
    mean_force = float(np.mean([np.abs(frame.forces).mean() for frame in frames[100:110]])) * 1e3
    assert errors["forces_mae_meV_per_A"] < 0.2 * mean_force


def test_it_is_a_network_and_its_file_one_of_a_network(tmp_path):
    frames = ethanol()
    potential = fit(frames[:8], network=linear_ace(frames.species, (3, 2)), progress=False, curve=False)
    potential.save(tmp_path / "ace.safetensors")
    back, geometries = load(tmp_path / "ace.safetensors"), frames[100:103].geometries
    assert type(back.network) is Network and back.network.spec == potential.network.spec
    for ours, theirs in zip(potential.predict(geometries), back.predict(geometries), strict=True):
        assert np.array_equal(ours, theirs)


def test_what_cannot_be_is_refused():
    with pytest.raises(NBodyRefError, match="'degrees' must be for products of two to four, got 4"):
        linear_ace((1,), (2, 2, 2, 2))
    frames = ethanol()[:6]
    with pytest.raises(DataError, match="it knows H, C, not O"):
        fit(frames, network=linear_ace((1, 6), (4,)))
    with pytest.raises(DataError, match="no covariant weights"):
        fit(frames, network=linear_ace((1, 6, 8), (4,)), train="all")
