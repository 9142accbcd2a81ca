"""Magnitudes, lengths and signs: what cannot be eV and Angstrom is refused, and correct data never are."""

import numpy as np
import pytest
from ase import units

from nbody_ref.errors import DataError
from nbody_ref.fit import ethanol
from nbody_ref.fit.frames import Frame, Frames
from nbody_ref.fit.units import check_plausible


def changed(frames, **parts):
    """Frames with positions, energies or forces multiplied by a factor."""
    return Frames(
        tuple(
            f._replace(positions=f.positions * parts.get("positions", 1.0), forces=f.forces * parts.get("forces", 1.0))
            for f in frames
        )
    )


@pytest.mark.parametrize("n", [4, 6, 300])
@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"positions": 1 / units.Bohr}, r"1\.[89]\d times the sum of covalent radii.*in bohr"),
        ({"positions": units.Bohr}, r"0\.5\d times .*in Angstrom, taken for bohr"),
        ({"positions": 10.0}, r"(9|10)\.\d+ times .*nm"),
        ({"forces": -1.0}, r"gradients, with the sign of forces flipped.*--trust-units"),
    ],
)
def test_other_lengths_and_signs_are_noticed(n, factors, message):
    frames = ethanol()[:n]
    check_plausible(frames)
    with pytest.raises(DataError, match=message):
        check_plausible(changed(frames, **factors))


def test_molecules_at_rest_and_single_frames_say_nothing_about_the_sign():
    rest = changed(ethanol()[:20], forces=-0.05)
    check_plausible(rest)
    check_plausible(changed(ethanol()[:1], forces=-1.0))


def test_differences_between_two_methods_may_have_either_sign():
    """Labels for corrections to a model whose bonds are too stiff by a fifth."""
    for sign in (1, -1):
        check_plausible(
            Frames(
                tuple(
                    f._replace(energy=0.2 * sign * (f.energy + 4212))
                    for f in changed(ethanol()[:50], forces=0.2 * sign)
                )
            )
        )


def test_bonds_that_were_held_fixed_say_nothing_about_the_sign():
    """One rigid geometry, turned; forces that follow the rounding of its lengths."""
    first, rng = ethanol()[0], np.random.default_rng(0)
    frames = []
    for _ in range(20):
        positions = first.positions + 1e-6 * rng.standard_normal((9, 3))
        frames.append(first._replace(positions=positions, forces=1e6 * (positions - first.positions)))
    check_plausible(Frames(tuple(frames)))


def test_pairs_of_atoms_and_noble_gases_may_be_far_apart():
    frames, rng = [], np.random.default_rng(1)
    for k in range(40):
        dist, force = 1.2 + 0.1 * k, 0.5 + 0.1 * rng.standard_normal()
        pair = np.array([[0.0, 0, 0], [0, 0, dist]])
        frames.append(Frame(np.array([1, 1]), pair, -31.0 + 0.01 * k, np.array([[0, 0, force], [0, 0, -force]])))
    check_plausible(Frames(tuple(frames)))
    argon = np.array([[0.0, 0, 0], [3.7, 0, 0], [0, 3.7, 0]])
    forces = np.array([[0.3, 0.3, 0], [-0.3, 0, 0], [0, -0.3, 0]])
    check_plausible(Frames(tuple(Frame(np.array([18] * 3), argon, -43000.0, forces) for _ in range(10))))


def test_forces_that_were_never_computed_are_noticed():
    with pytest.raises(DataError, match=r"all forces are exactly zero although energies vary by 0\.\d+ eV"):
        check_plausible(changed(ethanol()[:5], forces=0.0))
    check_plausible(changed(ethanol()[:1], forces=0.0))
