"""Multipole moments passed up a hierarchy, and Coulomb energies of charges, dipoles and quadrupoles, as networks.

Oracles: moments summed over all charges at once; derivatives of 1/|r| by sympy. S is the sum of the sizes of the terms.
"""

import numpy as np
import pytest
import sympy

from nbody_ref import solid_harmonics
from nbody_ref.errors import GeometryError
from nbody_ref.network.multipoles import COULOMB, coulomb_network, moments, multipole_network
from nbody_ref.scheme import groups

U = 2.0**-53
Z = [8, 1, 1, 6, 1]
RNG = np.random.default_rng(0)
R, Q = RNG.standard_normal((5, 3)) * 1.4, RNG.standard_normal(5)
SCHEMES = {
    "atoms and molecule": groups(Z, {}),
    "two groups": groups(Z, {"a": [0, 1], "b": [2, 3, 4]}),
    "a group within a group, a loose atom": groups(Z, {"a": [0, 1], "b": [2, 3, 0, 1]}),
    "a group at its first atom": groups(Z, [("a", [0, 1, 2], {0: 1})]),
}


def given(charges, lmax):
    return np.concatenate([charges[:, None], np.zeros((len(charges), moments(lmax).dim - 1))], axis=1)


@pytest.mark.parametrize("name", SCHEMES)
def test_moments_of_all_levels_are_those_of_the_charges(name):
    """Every translation multiplies at most (2L)!/((2a)!(2b)!) <= 20 for L = 3; three levels of 60 roundings."""
    net = multipole_network([SCHEMES[name]], (1, 6, 8), 3)
    found = net.predict(net.graph([(R, Z, given(Q, 3))], [SCHEMES[name]]))
    centre = R.mean(axis=0)
    wanted, size = (f(Q[:, None] * solid_harmonics(3, R - centre, "norm")).sum(axis=0) for f in (np.asarray, np.abs))
    reach = np.abs(Q).sum() * (2 * np.linalg.norm(R - centre, axis=1).max()) ** 3
    for l in range(4):
        part = slice(l * l, (l + 1) ** 2)
        assert np.abs(found[f"moment {l}"][0] - wanted[part]).max() <= 180 * U * 20 * reach
    assert size[1:4].max() > 1e-3
    broken = net.with_parameters({k: np.where(np.abs(a - 1) < 1e-9, 0, a) for k, a in net.parameters.items()})
    gone = broken.predict(broken.graph([(R, Z, given(Q, 3))], [SCHEMES[name]]))["moment 1"][0]
    assert np.abs(gone - wanted[1:4]).max() > 1e-3  # planted error: factors one left out


def test_dipoles_of_the_atoms_join_those_of_their_charges():
    net = multipole_network([SCHEMES["two groups"]], (1, 6, 8), 1)
    mu = RNG.standard_normal((5, 3))  # x, y, z
    state = np.concatenate([Q[:, None], mu[:, [1, 2, 0]]], axis=1)
    found = net.predict(net.graph([(R, Z, state)], [SCHEMES["two groups"]]))["moment 1"][0]
    wanted = (mu + Q[:, None] * (R - R.mean(axis=0))).sum(axis=0)
    assert np.abs(found - wanted[[1, 2, 0]]).max() <= 60 * U * (np.abs(mu).sum() + np.abs(Q).sum() * 10)


def operators(q, mu, s):
    """Applied to a function of r: q f + mu . grad f + (s . grad)^2 f / 2, the multipoles q, mu and R^2(s)."""

    def apply(f, r, sign):
        def along(v, g):
            return sum(sympy.Float(float(c), 30) * sympy.diff(g, x) * sign for c, x in zip(v, r, strict=True))

        return sympy.Float(float(q), 30) * f + along(mu, f) + along(s, along(s, f)) / 2

    return apply


def test_energies_of_charges_dipoles_and_quadrupoles_are_derivatives_of_one_over_r():
    rng = np.random.default_rng(5)
    r, q, mu, s = (rng.standard_normal(shape) for shape in ((3, 3), 3, (3, 3), (3, 3)))
    r *= 2
    state = np.concatenate([q[:, None], mu[:, [1, 2, 0]], solid_harmonics(2, s, "norm")[:, 4:]], axis=1)
    net = coulomb_network((1, 8), 2, 1.0)
    graph = net.graph([(r, [8, 1, 1], state)], [groups([8, 1, 1], {})])
    x = sympy.symbols("x y z", real=True)
    energy, forces = sympy.Integer(0), np.zeros((3, 3))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        f = 1 / sympy.sqrt(sum(c**2 for c in x))  # r = r_i - r_j: gradients of i have the sign +, those of j -
        f = operators(q[j], mu[j], s[j])(operators(q[i], mu[i], s[i])(f, x, 1), x, -1)
        place = dict(zip(x, (sympy.Float(float(c), 30) for c in r[i] - r[j]), strict=True))
        energy += f.evalf(20, subs=place)
        slope = np.array([float(sympy.diff(f, c).evalf(20, subs=place)) for c in x])
        forces[i] -= slope
        forces[j] += slope
    size = sum(np.sum(np.abs(state[i])) * np.sum(np.abs(state[j])) for i in range(3) for j in range(3)) * 70
    found, ours = net.energy_and_forces(graph)
    nearest = min(np.linalg.norm(r[i] - r[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert abs(found[0] - float(energy)) <= 400 * U * size * max(1, nearest**-5)
    assert np.abs(ours - forces).max() <= 2000 * U * size * max(1, nearest**-6)
    turned = net.graph([(r, [8, 1, 1], state * np.repeat([1, -1, 1], [1, 3, 5]))], [groups([8, 1, 1], {})])
    assert abs(net.energy(turned)[0] - found[0]) > 1e-3  # planted error: dipoles the other way


def test_energy_of_charges_is_coulombs():
    net = coulomb_network((1, 6, 8))
    scheme = groups(Z, {})
    pairs = [(i, j) for i in range(5) for j in range(i)]
    terms = np.array([COULOMB * Q[i] * Q[j] / np.linalg.norm(R[i] - R[j]) for i, j in pairs])
    found, forces = net.energy_and_forces(net.graph([(R, Z, Q[:, None])], [scheme]))
    assert abs(found[0] - terms.sum()) <= 40 * U * np.abs(terms).sum()
    wanted = [sum(COULOMB * Q[i] * Q[j] * (R[i] - R[j]) / np.linalg.norm(R[i] - R[j]) ** 3 for j in range(5) if j != i)
              for i in range(5)]  # fmt: skip
    assert np.abs(forces - wanted).max() <= 80 * U * 10 * np.abs(terms).sum()
    with pytest.raises(GeometryError):
        net.graph([(R * [[1], [1], [1], [1], [0]] + [[0], [0], [0], [0], [1]] * R[:1], Z, Q[:, None])], [scheme])
