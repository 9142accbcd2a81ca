"""The message in the frame of each edge equals the message: exactly over a ring, within the bound in floating point."""

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nbody_ref import exact, spherical_harmonics, wigner_D
from nbody_ref.errors import ArgumentError, GeometryError, ShapeError
from nbody_ref.exact.definition import fragment_product
from nbody_ref.exact.gauges import MONOMIAL
from nbody_ref.exact.network import rotate
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.wigner import monomial_D
from nbody_ref.graphs import Edges
from nbody_ref.ops import so2_message as op
from nbody_ref.ops.message import MessageTable, message
from nbody_ref.ops.so2_message import path_coefficients, so2_matrix, so2_message, to_polar_axis

U = 2.0**-53
EDGES = Edges.build([0, 0, 1, 1, 2, 2, 2], [1, 2, 0, 2, 0, 1, 2], 3, 3)
POLES = np.array([[0, 0, 1.0], [0, 0, -2.0], [1e-9, 0, -1.0], [0.3, -0.4, 0.0], [-1.0, 2e-7, 3.0]])
R = np.concatenate([POLES, np.random.default_rng(1).standard_normal((2, 3))])


def setting(basis, lmax=3, seed=0):
    table, rng = MessageTable.build("2x0e + 3x1o + 2x2e + 1x3o", lmax, basis=basis), np.random.default_rng(seed)
    x, w = rng.standard_normal((3, table.irreps_in.dim)), rng.standard_normal((7, table.n_weights))
    if basis == "complex":
        x, w = x + 1j * rng.standard_normal(x.shape), w + 1j * rng.standard_normal(w.shape)
    return x, w, table


def sizes(x, w, table, normalization):
    """S of every component: sum over edges of |w| |Y| |x|, norms of fragments."""
    pole, out, at = spherical_harmonics(table.lmax, np.array([0, 0, 1.0]), normalization), [], 0
    for part, l2, irrep in table.paths:
        start, p = table.irreps_in.offsets[part], table.irreps_in[part]
        norms = np.sqrt((abs(x[:, start : start + p.dim].reshape(3, -1, p.mul)) ** 2).sum(axis=1))
        S = np.zeros((3, p.mul))
        for e, (i, j) in enumerate(zip(EDGES.receivers, EDGES.senders, strict=True)):
            S[int(i)] += abs(w[e, at : at + p.mul]) * pole[l2 * (l2 + 1)] * norms[int(j)]
        out.append(np.repeat(S[:, None], irrep.dim, axis=1).reshape(3, -1))
        at += p.mul
    return np.concatenate(out, axis=1)


@pytest.mark.parametrize("normalization", ["component", "integral"])
@pytest.mark.parametrize("basis", ["real", "complex"])
def test_message_in_the_frame_of_the_edge_is_the_message(basis, normalization):
    x, w, table = setting(basis)
    Y = spherical_harmonics(3, R, normalization, basis)
    wanted, found = message(x, Y, w, EDGES, table), so2_message(x, R, w, EDGES, table, normalization)
    top = table.irreps_out.lmax
    k = 3 + (140 * top + 60) * sqrt(2 * top + 1) + 3 + 2 * 3 + 40  # and the bound of the other program, harmonics too
    bound = 2 * k * U * sizes(x, w, table, normalization)
    assert (abs(found - wanted) <= bound).all()


@pytest.mark.parametrize("basis", ["real", "complex"])
def test_planted_errors_are_caught(basis, monkeypatch):
    """The maps x_m -> x_-m with the other sign; the edge turned to the negative axis."""
    x, w, table = setting(basis)
    wanted = message(x, spherical_harmonics(3, R, "component", basis), w, EDGES, table)
    coefficients, turn = path_coefficients(table), to_polar_axis(R)
    flipped = [(a if basis == "real" else abs(a), -b) for a, b in coefficients]
    monkeypatch.setattr(op, "path_coefficients", lambda *_: flipped)
    assert abs(so2_message(x, R, w, EDGES, table) - wanted).max() > 1e-3
    monkeypatch.setattr(op, "path_coefficients", lambda *_: coefficients)
    assert abs(so2_message(x, R, w, EDGES, table) - wanted).max() < 1e-9
    monkeypatch.setattr(op, "to_polar_axis", lambda r: turn * [1, -1, 1, 1])
    assert abs(so2_message(x, R, w, EDGES, table) - wanted).max() > 1e-3


def applied(D, x):
    return [sum((d * v for d, v in zip(row[1:], x[1:], strict=True)), row[0] * x[0]) for row in D]


@pytest.mark.parametrize("q", [(2, 1, 0, 0), (1, -2, 3, 1), (3, 1, 2, -2)])
def test_equality_is_exact_over_gaussian_rationals(q):
    """A rational rotation takes a rational vector to the z axis; both programs give the same Gaussian rationals."""
    length = Fraction(5, 3)
    r = rotate([Fraction(0), Fraction(0), length], (q[0], -q[1], -q[2], -q[3]))  # the inverse rotation of (0, 0, d)
    assert rotate(r, q) == [0, 0, length]
    rng = np.random.default_rng(2)
    for l1, l2, l in exact.triples(3):
        x = [Gauss(int(a), int(b)) for a, b in rng.integers(-5, 6, (2 * l1 + 1, 2))]
        direct = fragment_product(x, MONOMIAL.harmonic(l2, r), l, MONOMIAL)
        D1, D = monomial_D(l1, q), monomial_D(l, q)
        turned = applied(D1, x)
        pole = MONOMIAL.harmonic(l2, [Fraction(0), Fraction(0), length])
        assert all(not value for m, value in enumerate(pole) if m != l2)  # one component only
        local = fragment_product(turned, pole, l, MONOMIAL)
        assert local == applied(D, direct)
        for m in range(-l, l + 1):  # and it couples m with m only
            alone = [value if i - l1 == m else 0 * value for i, value in enumerate(turned)]
            assert fragment_product(alone, pole, l, MONOMIAL)[m + l] == local[m + l]


def test_paths_and_maps_about_the_axis_are_one_set_of_weights_in_two_bases():
    for l1 in range(5):
        for l in range(5):
            O = so2_matrix(l1, l)
            assert len(O) == 2 * min(l1, l) + 1 == l1 + l - abs(l1 - l) + 1
            assert abs(O @ O.T - np.eye(len(O))).max() <= 4 * len(O) * U
    # exactly, for one pair: squares of a row add up to one, products of two rows to zero
    rows = [[exact.clebsch_gordan(2, m, l2, 0, 3, m) for m in range(-2, 3)] for l2 in range(1, 6)]
    for i, l2 in enumerate(range(1, 6)):
        for j in range(5):
            total = exact.surd_sum([a * b for a, b in zip(rows[i], rows[j], strict=True)])
            assert total == (exact.Surd(1, 49, (2 * l2 + 1) ** 2) if i == j else exact.Surd(0, 0, 1))


def test_coefficients_of_the_real_gauge_are_of_one_type():
    table = MessageTable.build("1x0 + 1x1 + 1x2", 3)
    for (part, l2, irrep), (a, b) in zip(table.paths, path_coefficients(table, "norm"), strict=True):
        l1, l = table.irreps_in[part].irrep.l, irrep.l
        odd = (l1 + l2 + l) % 2
        assert not (a if odd else b).any() and (b if odd else a).any()
        O, top = so2_matrix(l1, l), min(l1, l)
        row = O[l2 - abs(l1 - l)]
        m = np.arange(1, top + 1)
        scaled = row[top + m] if odd else row[m]
        values = (b if odd else a)[top + m] * sqrt(2 * (2 * l2 + 1) / (2 * l + 1))
        assert (abs(abs(scaled) - abs(values)) <= 4 * U).all()


def test_every_direction_is_turned_to_the_axis():
    turned = Rotation.from_quat(to_polar_axis(R)[:, [1, 2, 3, 0]]).apply(R)
    lengths = np.linalg.norm(R, axis=1)
    assert abs(turned - lengths[:, None] * [0, 0, 1]).max() <= 16 * U * lengths.max()
    D = wigner_D(2, Rotation.from_quat(to_polar_axis(R)[0, [1, 2, 3, 0]]))
    assert np.abs(D - np.eye(5)).max() <= 16 * U


def test_no_edges_and_wrong_arguments():
    x, _, table = setting("real")
    empty = Edges.build([], [], 3, 3)
    assert (so2_message(x, np.zeros((0, 3)), np.zeros((0, table.n_weights)), empty, table) == 0).all()
    with pytest.raises(GeometryError, match=r"to_polar_axis: 'r' must not be zero, got \[0\. 0\. 0\.\] at edge 1"):
        to_polar_axis(np.array([[1.0, 0, 0], [0, 0, 0]]))
    with pytest.raises(GeometryError, match="'r' must be finite"):
        to_polar_axis(np.array([[1.0, np.nan, 0]]))
    with pytest.raises(ShapeError, match=r"so2_message: 'w' must have shape \(7, "):
        so2_message(x, R, np.zeros((7, 2)), EDGES, table)
    with pytest.raises(ArgumentError, match="so2_matrix: 'l1' must be"):
        so2_matrix(-1, 2)
