"""Derivatives of the loss on matrices, forces of every scalar, and files of several states."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nbody_ref.errors import DataError
from nbody_ref.excited.diabatic import adiabatic, matrix_loss, packed, unpacked
from nbody_ref.excited.labels import StateFrames, read_states, without_translation
from nbody_ref.excited.surfaces import pairs
from nbody_ref.gates.terms import Bare, Directed, Gate, Product
from nbody_ref.irreps import Irreps
from nbody_ref.network import Network, Spec
from nbody_ref.network.scalars import atom_outputs, scalars_and_forces, scalars_and_forces_jvp, scalars_gradient
from nbody_ref.ops.radial import ExponentialCosine

NUMBERS = np.array([6, 1, 1])
GEOMETRY = np.array([[0, 0, 0], [1.0, 0.1, 0], [-0.2, 1.0, 0.2]])


def labels(states=3, frames=4, seed=0):
    rng = np.random.default_rng(seed)
    n = len(pairs(states))
    return StateFrames(
        NUMBERS,
        GEOMETRY + 0.05 * rng.standard_normal((frames, 3, 3)),
        np.sort(rng.standard_normal((frames, states)), axis=1),
        rng.standard_normal((frames, states, 3, 3)),
        rng.standard_normal((frames, n, 3, 3)),
        np.arange(frames),
    )


def matrices(states=3, frames=4, seed=1):
    rng = np.random.default_rng(seed)
    n = states * (states + 1) // 2
    h = unpacked(rng.standard_normal((frames, n)), states)
    g = np.moveaxis(unpacked(rng.standard_normal((frames, 3, 3, n)), states), (1, 2), (3, 4))
    return h, g


@pytest.mark.parametrize("states", [2, 3])
def test_loss_gradient_is_its_derivative(states):
    """Central differences with h = 1e-5: truncation 1e-10 of the third derivative, rounding u / h."""
    wanted, (h, g) = labels(states), matrices(states)
    wanted.couplings[1] = wanted.forces[2, 1] = np.nan  # labels that are not there
    _, by_h, by_g = matrix_loss(h, g, wanted)
    rng = np.random.default_rng(2)
    for which in (0, 1):
        move = rng.standard_normal((h, g)[which].shape)
        move = move + np.swapaxes(move, 1, 2)
        ends = []
        for t in (1e-5, -1e-5):
            shifted = (h + t * move, g) if which == 0 else (h, g + t * move)
            ends.append(matrix_loss(*shifted, wanted)[0])
        slope = np.sum((by_h, by_g)[which] * move)
        assert abs((ends[0] - ends[1]) / 2e-5 - slope) < 1e-6 * abs(slope) + 1e-6


def test_loss_does_not_see_signs_of_labels():
    wanted, (h, g) = labels(), matrices()
    signs = np.random.default_rng(3).choice([-1.0, 1.0], (4, 3))
    first, second = np.array(pairs(3)).T
    flipped = replace(wanted, couplings=wanted.couplings * (signs[:, first] * signs[:, second])[:, :, None, None])
    for a, b in zip(matrix_loss(h, g, wanted), matrix_loss(h, g, flipped)):
        assert np.array_equal(a, b)
    wrong = replace(wanted, couplings=wanted.couplings * np.array([-1.0, 1, 1])[None, :, None, None])
    assert matrix_loss(h, g, wrong)[0] != matrix_loss(h, g, wanted)[0], "twin: an impossible flip counts"


def test_adiabatic_forces_are_derivatives_of_eigenvalues():
    h, g = matrices()
    found, t = adiabatic(h, g), 1e-6
    slope = (np.linalg.eigvalsh(h + t * g[..., 1, 2]) - np.linalg.eigvalsh(h - t * g[..., 1, 2])) / (2 * t)
    np.testing.assert_allclose(found.forces[:, :, 1, 2], -slope, atol=1e-8)
    assert np.allclose(packed(h)[:, :3], h[:, range(3), range(3)]) and np.allclose(packed(h)[:, 3], 2 * h[:, 0, 1])


def network(out="3x0e"):
    radial = ExponentialCosine(3, 4.0)
    leg = Directed(radial, 2, mul=3)
    odd = ("1o",) if "1o" in out else ()
    gate = Gate((Bare("centre"), Product((leg, leg), ("0e", *odd))), Irreps(out))
    return Network(Spec((1, 6), 4.0, (gate, Gate((Bare(),)))), seed=3)


def test_forces_of_every_scalar_and_gradients_of_losses_on_them():
    net = network()
    graph = net.graph([(GEOMETRY, NUMBERS), (1.1 * GEOMETRY, NUMBERS)])
    scalars, forces = scalars_and_forces(net, graph)
    assert scalars.shape == (2, 3) and forces.shape == (3, 6, 3)
    rng, t = np.random.default_rng(0), 1e-5
    move = rng.standard_normal((6, 3))
    ends = [
        scalars_and_forces(net, net.graph([(r, NUMBERS) for r in (graph.positions + s * t * move).reshape(2, 3, 3)]))
        for s in (1, -1)
    ]
    slope, force_slope = ((a - b) / (2 * t) for a, b in zip(*ends))
    along = -np.einsum("sfax,fax->fs", forces.reshape(3, 2, 3, 3), move.reshape(2, 3, 3))
    np.testing.assert_allclose(slope, along, rtol=1e-6, atol=1e-8)
    scalar_dots, force_dots = scalars_and_forces_jvp(net, graph, move)
    np.testing.assert_allclose(scalar_dots, along, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(force_dots, force_slope, rtol=1e-5, atol=1e-6)

    a, b = rng.standard_normal(scalars.shape), rng.standard_normal(forces.shape)

    def loss(s, f):
        return float(np.sum(a * s**2) + np.sum(b * f)), 2 * a * s, b

    value, gradient = scalars_gradient(net, graph, loss)
    for name in net.parameters:
        move = rng.standard_normal(net.parameters[name].shape)
        ends = [loss(*scalars_and_forces(net.with_parameters({name: net.parameters[name] + s * t * move}), graph))[0]
                for s in (1, -1)]  # fmt: skip
        slope = np.sum(gradient[name] * move)
        assert abs((ends[0] - ends[1]) / (2 * t) - slope) < 1e-6 * (abs(slope) + abs(value))


def test_one_scalar_is_the_energy_to_the_bit():
    net = network("1x0e")
    graph = net.graph([(GEOMETRY, NUMBERS)])
    energy, forces = net.energy_and_forces(graph)
    scalars, all_forces = scalars_and_forces(net, graph)
    assert np.array_equal(scalars[:, 0], energy) and np.array_equal(all_forces[0], forces)


def test_vectors_for_each_atom_rotate_and_add_up_to_the_root():
    net, turn = network("1x0e + 1x1o"), Rotation.from_rotvec([0.3, 0.8, -0.4])
    graph = net.graph([(GEOMETRY, NUMBERS)])
    atoms = atom_outputs(net, graph)
    np.testing.assert_allclose(atoms.sum(axis=0), net.states(graph)[0], rtol=1e-13, atol=1e-14)
    turned = atom_outputs(net, net.graph([(turn.apply(GEOMETRY), NUMBERS)]))
    np.testing.assert_allclose(turned, atoms @ net.irreps_out.D(turn).T, atol=1e-12)
    assert np.abs(atoms[:, 1:]).max() > 1e-3


def test_files_of_states_are_read_in_every_layout(tmp_path):
    wanted = labels(states=2)
    bohr, hartree = 0.5291772105638411, 27.211386024367243
    gap = (wanted.energies[:, 1] - wanted.energies[:, 0])[:, None, None, None]
    np.savez(
        tmp_path / "a.npz",
        Z=NUMBERS,
        R=wanted.positions / bohr,
        energy=wanted.energies / hartree,
        forces=wanted.forces.transpose(0, 2, 1, 3) / hartree * bohr,
        nacs=(wanted.couplings / gap).transpose(0, 2, 1, 3) * bohr,
    )
    np.savez(
        tmp_path / "b.npz",
        atNums=NUMBERS,
        atXYZ=wanted.positions,
        energies=wanted.energies,
        gradients=-wanted.forces,
        H=wanted.couplings,
        trajid=wanted.trajectory,
    )
    for file, options in (("a.npz", {"energy": "Hartree", "length": "Bohr"}), ("b.npz", {})):
        found = read_states(tmp_path / file, **options)
        for name in ("positions", "energies", "forces", "couplings"):
            np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-7, atol=1e-12)
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    for i in range(2):
        frames = [Atoms("CHH", r) for r in wanted.positions]
        for t, atoms in enumerate(frames):
            atoms.calc = SinglePointCalculator(atoms, energy=wanted.energies[t, i], forces=wanted.forces[t, i])
        write(tmp_path / f"s{i}.xyz", frames, format="extxyz")
    found = read_states([tmp_path / "s0.xyz", tmp_path / "s1.xyz"])
    np.testing.assert_allclose(found.forces, wanted.forces, atol=1e-8)
    assert np.isnan(found.couplings).all()
    frames = [Atoms("CHH", r) for r in wanted.positions]
    for t, atoms in enumerate(frames):
        atoms.info["energies"] = wanted.energies[t]
        atoms.arrays |= {"forces_0": wanted.forces[t, 0], "couplings_0_1": wanted.couplings[t, 0]}
    write(tmp_path / "one.xyz", frames, format="extxyz")
    found = read_states(tmp_path / "one.xyz")
    np.testing.assert_allclose(found.couplings, wanted.couplings, atol=1e-8)
    assert np.isnan(found.forces[:, 1]).all() and np.isfinite(found.forces[:, 0]).all()


def test_ambiguous_axes_and_wrong_labels_are_refused(tmp_path):
    wanted = labels(states=3)
    np.savez(tmp_path / "a.npz", Z=NUMBERS, R=wanted.positions, E=wanted.energies, F=wanted.forces)
    with pytest.raises(DataError, match="atoms_first"):
        read_states(tmp_path / "a.npz")
    assert np.array_equal(read_states(tmp_path / "a.npz", atoms_first=False).forces, wanted.forces)
    np.savez(tmp_path / "b.npz", Z=NUMBERS, R=wanted.positions, E=wanted.energies[:, ::-1])
    with pytest.raises(DataError, match="ascend"):
        read_states(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", Z=NUMBERS, R=wanted.positions)
    with pytest.raises(DataError, match="energies"):
        read_states(tmp_path / "c.npz")
    moved = wanted.positions.copy()
    moved[2, 1, 0] = np.nan
    with pytest.raises(DataError, match="frame 2"):
        replace(wanted, positions=moved)


def test_translation_is_what_the_mean_over_atoms_holds():
    rng = np.random.default_rng(0)
    free = rng.standard_normal((5, 1, 3, 3))
    free -= free.mean(axis=2, keepdims=True)
    np.testing.assert_allclose(without_translation(free + rng.standard_normal((5, 1, 1, 3))), free, atol=1e-14)
