"""What fusion blocks can express: n neighbour legs fit every invariant of degree n in the density, and none beyond.

Targets are polynomials in the neighbours' positions written without harmonics. A least-squares fit of exact features
leaves rounding; a fit of features that cannot express the target leaves a sizeable part of it.
"""

import numpy as np
import pytest

from nbody_ref.errors import IrrepsError
from nbody_ref.gates import Directed, Fusion, FusionBlock, Gate
from nbody_ref.gates.build import program
from nbody_ref.graphs import Edges
from nbody_ref.ops.radial import InversePowers

EXACT, SIZEABLE = 2.0**-36, 0.05  # of the target's own deviation


def features(environments, n, powers, lmax, keep, bond=None):
    """Fragments of a block of n equal neighbour legs, sum of |r|^p Y_l; (environments, fragments, 2 J + 1)."""
    leg = Directed(InversePowers(tuple(-p for p in powers)), lmax, normalization="norm")
    if n == 1:
        gate = Gate((Directed(leg.radial, lmax, normalization="norm", keep=(keep,)),))
    else:
        gate = Gate((Fusion((leg,) * n, FusionBlock((keep,), bond=bond), True),))
    builder, out = program(gate, "1x0e")
    sizes = [len(e) for e in environments]
    receivers = np.repeat(np.arange(len(sizes)), sizes)
    edges = Edges.build(receivers, np.arange(sum(sizes)), len(sizes), sum(sizes))
    leaves = {"psi": np.ones((sum(sizes), 1)), "r_child": np.concatenate(environments)}
    leaves["r_parent"] = np.zeros((len(sizes), 3))
    values = builder.chain().forward(leaves, {"all": edges, "directed": edges})[out]
    dim = builder.irreps[out][0].irrep.dim
    return values.reshape(len(sizes), -1, dim)


def left_over(environments, target, *block, **options):
    """Part of the target that the best linear combination of the fragments leaves; features outnumbered by data."""
    F = features(environments, *block, **options)
    rows, wanted = F.transpose(0, 2, 1).reshape(-1, F.shape[1]), np.asarray(target, float).reshape(-1)
    rank = np.linalg.matrix_rank(rows)
    assert len(wanted) > 2 * rank
    sizes = np.linalg.norm(rows, axis=0)
    columns = rows[:, sizes > 1e-12 * sizes.max()]  # antisymmetric couplings of equal legs vanish
    columns = columns / np.linalg.norm(columns, axis=0)
    solution = np.linalg.lstsq(columns, wanted, rcond=1e-13)[0]
    return np.linalg.norm(columns @ solution - wanted) / np.linalg.norm(wanted - wanted.mean())


def environments(count, neighbours=6, seed=0):
    return list(np.random.default_rng(seed).uniform(-1, 1, (count, neighbours, 3)))


def gram(r):
    return r @ r.T


INVARIANTS = {
    1: lambda r: (r**2).sum(),
    2: lambda r: (gram(r) ** 2).sum(),
    3: lambda r: np.einsum("ij,jk,ki->", gram(r), gram(r), gram(r)),
    4: lambda r: np.einsum("ij,jk,kl,li->", gram(r), gram(r), gram(r), gram(r)),
}


@pytest.mark.parametrize("degree", INVARIANTS)
def test_n_legs_fit_invariants_of_degree_n_and_not_of_the_next(degree):
    """Each neighbour enters with two factors r, hence |r|^2 Y_0 and |r|^2 Y_2."""
    samples = environments(400)
    target = [INVARIANTS[degree](r) for r in samples]
    assert left_over(samples, target, degree, (2,), 2, "0e") < EXACT
    if degree > 1:
        assert left_over(samples, target, degree - 1, (2,), 2, "0e") > SIZEABLE


def test_two_legs_do_not_fit_three_however_many_radial_functions():
    samples = environments(600)
    target = [INVARIANTS[3](r) for r in samples]
    assert left_over(samples, target, 2, (0, 1, 2, 3), 4, "0e") > SIZEABLE


def test_a_bond_cutoff_restricts_the_class():
    """Four legs through bonds of degree 0 are products of two-leg invariants: the ring of four is not among them."""
    samples = environments(400)
    target = [INVARIANTS[4](r) for r in samples]
    assert left_over(samples, target, 4, (2,), 2, "0e", bond=0) > SIZEABLE / 10
    assert left_over(samples, target, 4, (2,), 2, "0e", bond=2) < EXACT


def vector(r):
    """sum over j, k of (r_j . r_k) r_j: degree 2 in r_j, 1 in r_k; components y, z, x."""
    return np.einsum("jk,jc->c", gram(r), r)[[1, 2, 0]]


def tensor(r):
    """Traceless symmetric part of a x b, a = sum r, b = sum |r|^2 r, contracted with real harmonics of degree 2."""
    a, b = r.sum(axis=0), ((r**2).sum(axis=1)[:, None] * r).sum(axis=0)
    t = (np.outer(a, b) + np.outer(b, a)) / 2
    x, y, z = range(3)
    return np.array(
        [2 * t[x, y], 2 * t[y, z], (2 * t[z, z] - t[x, x] - t[y, y]) / np.sqrt(3), 2 * t[x, z], t[x, x] - t[y, y]]
    )


@pytest.mark.parametrize(("target", "keep", "powers"), [(vector, "1o", (1, 2)), (tensor, "2e", (1, 3))])
def test_two_legs_fit_covariants_of_degree_two_and_one_leg_does_not(target, keep, powers):
    samples = environments(150, seed=2)
    wanted = [target(r) for r in samples]
    assert left_over(samples, wanted, 2, powers, 2, keep) < EXACT
    assert left_over(samples, wanted, 1, (0, 1, 2, 3), 2, keep) > SIZEABLE


def pseudoscalar(r):
    """a . (b x c) with a, b, c = sum |r|^p r, p = 0, 1, 2: changes sign in a mirror."""
    length = np.linalg.norm(r, axis=1)[:, None]
    return np.linalg.det([(length**p * r).sum(axis=0) for p in (0, 1, 2)])


def test_three_legs_fit_pseudoscalars_and_two_have_none():
    samples = environments(200, seed=3)
    wanted = [pseudoscalar(r) for r in samples]
    assert left_over(samples, wanted, 3, (1, 2, 3), 1, "0o") < EXACT
    assert left_over(samples, wanted, 3, (1, 2, 3), 1, "0e") > 0.5  # invariants do not see the handedness
    with pytest.raises(IrrepsError, match="gives 0o"):
        features(samples, 2, (1, 2, 3), 3, "0o")


def on_a_circle(places, of=8):
    angle = 2 * np.pi * np.array(places) / of
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))[0]  # in general orientation
    return np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1) @ turn


def test_pairs_that_two_legs_cannot_tell_apart_are_told_apart_by_three():
    """{0, 1, 2, 5} and {0, 1, 3, 4} of eight places on a circle: the same angles between pairs, not congruent."""
    pair = [on_a_circle([0, 1, 2, 5]), on_a_circle([0, 1, 3, 4])]
    angles = [np.sort(gram(r).ravel()) for r in pair]
    assert np.abs(angles[0] - angles[1]).max() < EXACT
    for n, told_apart in ((2, False), (3, True)):
        one, two = features(pair, n, (0,), 4, "0e")[..., 0]
        assert (np.abs(one - two).max() > 1) == told_apart
        assert told_apart or np.abs(one - two).max() < EXACT * np.abs(one).max()


def test_mirror_images_are_told_apart_by_pseudoscalars_of_three_legs_only():
    r = environments(1, 5, seed=7)[0]
    pair = [r, r * [1, 1, -1]]
    even = features(pair, 3, (1, 2, 3), 2, "0e")[..., 0]
    odd = features(pair, 3, (1, 2, 3), 2, "0o")[..., 0]
    assert np.abs(even[0] - even[1]).max() < EXACT * np.abs(even).max()
    assert np.abs(odd[0] + odd[1]).max() < EXACT * np.abs(odd).max() and np.abs(odd).max() > SIZEABLE
