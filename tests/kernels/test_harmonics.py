"""Kernels of the harmonics on harmonics without square roots, where every identity holds with ==.

As plain Python over the rationals to degree 6; compiled, in float64, to degree 2, where all constants are halves.
"""

from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.kernels import harmonics as loops
from nbody_ref.kernels import harmonics_low as low
from nbody_ref.tables import HarmonicTable

POINTS = 5


def rational_table(lmax, dtype):
    """Table of Q_m^m = (2m-1)!! without normalization, for which every coefficient is rational."""
    pairs = [(l, m) for m in range(lmax + 1) for l in range(m + 1, lmax + 1)]
    diagonal = [Fraction(1)]
    for m in range(1, lmax + 1):
        diagonal.append(diagonal[-1] * (2 * m - 1))
    rows = zip(*((Fraction(2 * l - 1, l - m), Fraction(1 - l - m, l - m), l + m, -1 if m else 0) for l, m in pairs))
    return HarmonicTable(*(np.array(list(row), object).astype(dtype) for row in (diagonal, *rows, (0, 1))))


def integers(seed, size, dtype):
    return np.array([int(x) for x in np.random.default_rng(seed).integers(-4, 5, size)], object).astype(dtype)


def pull(g, r, g_dot, v, table):
    """Adjoint and its tangent."""
    width = len(table.diagonal) * loops.LANES
    column, column_dot, r_bar, r_bar_dot = (np.zeros(n, r.dtype) for n in (width, width, len(r), len(r)))
    loops.solid_vjp(g, r, table, column, r_bar)
    loops.solid_vjp_jvp(g, r, g_dot, v, table, column, column_dot, r_bar_dot)
    return r_bar, r_bar_dot


def check_identities(lmax, dtype):
    table, width = rational_table(lmax, dtype), (lmax + 1) ** 2
    r, v, w = (integers(seed, 3 * POINTS, dtype) for seed in (1, 2, 3))
    g, g_dot = (integers(seed, width * POINTS, dtype) for seed in (4, 5))
    zero, Y, Y_dot, grown = (np.zeros(width * POINTS, dtype) for _ in range(4))
    loops.solid(r, table, Y)
    loops.solid_jvp(r, v, table, Y_dot)
    r_bar, r_bar_dot = pull(g, r, g_dot, v, table)
    assert (g * Y_dot).sum() == (r_bar * v).sum()  # <g, J v> = <J^T g, v>
    along_v, along_w = pull(g, r, zero, v, table)[1], pull(g, r, zero, w, table)[1]
    assert (along_v * w).sum() == (along_w * v).sum()  # the Hessian is symmetric
    assert (r_bar_dot == along_v + pull(g_dot, r, zero, v, table)[0]).all()  # product rule in Y_bar
    loops.solid_jvp(r, r, table, grown)
    degree = np.array([l for l in range(lmax + 1) for _ in range(2 * l + 1)] * POINTS, object).astype(dtype)
    assert (grown == degree * Y).all()  # Euler: r . grad Y = l Y
    axes = [np.array([int(i == k) for _ in range(POINTS) for i in range(3)], object).astype(dtype) for k in range(3)]
    laplace = sum(pull(g, r, zero, axis, table)[1][k::3] for k, axis in enumerate(axes))
    assert (laplace == 0).all()  # every component is harmonic
    straight, pulled = np.zeros(len(Y), dtype), np.zeros(len(r), dtype)
    places = [m * lmax - m * (m + 1) // 2 + l - 1 for l in range(1, lmax + 1) for m in range(l)]
    columns = [column[places] for column in (table.a, table.b, table.along_z, table.along_s)]
    low.solid(r, table.diagonal, *columns[:2], straight)
    low.solid_vjp(g, r, table.diagonal, *columns, np.arange(lmax + 1).astype(dtype), pulled)
    assert (straight == Y).all()  # written out or looped over, the same polynomials
    assert (pulled == r_bar).all()


@pytest.mark.nojit
def test_adjoints_are_exact_and_components_harmonic_over_the_rationals():
    for lmax in (1, 3, 6):
        check_identities(lmax, object)


def test_adjoints_are_exact_and_components_harmonic_in_compiled_halves():
    check_identities(2, np.float64)


@pytest.mark.parametrize("field", ["a", "b", "along_z", "along_s"])
def test_a_wrong_constant_breaks_an_identity(field, monkeypatch):
    right = rational_table

    def wrong(lmax, dtype):
        table = right(lmax, dtype)
        changed = getattr(table, field).copy()
        changed[1 if field == "b" else -1] *= 2  # b ends with a zero
        return table._replace(**{field: changed})

    monkeypatch.setitem(check_identities.__globals__, "rational_table", wrong)
    with pytest.raises(AssertionError):
        check_identities(2, np.float64)
