"""Kernels of the harmonics as plain Python over the rationals, on harmonics without square roots: no tolerance."""

from fractions import Fraction

import numpy as np
import pytest

from nbody_ref.kernels import harmonics as loops
from nbody_ref.tables import HarmonicTable


def rational_table(lmax):
    """Table of R_l^m = (2m-1)!! ..., for which every coefficient is rational."""
    pairs = [(l, m) for m in range(lmax + 1) for l in range(m + 1, lmax + 1)]
    diagonal = [Fraction(1)]
    for m in range(1, lmax + 1):
        diagonal.append(diagonal[-1] * (2 * m - 1))
    rows = zip(*((Fraction(2 * l - 1, l - m), Fraction(1 - l - m, l - m), l + m, -1 if m else 0) for l, m in pairs))
    return HarmonicTable(*(np.array(list(row), object) for row in (diagonal, *rows, (0, 1))))


def exact_arrays(lmax, n=5):
    rng = np.random.default_rng(12)
    draw = [rng.integers(-4, 5, n * k).astype(object) for k in (3, 3, 3, (lmax + 1) ** 2, (lmax + 1) ** 2)]
    return [np.array([int(x) for x in array], object) for array in draw]


@pytest.mark.nojit
def test_solid_adjoints_are_exact_and_harmonic_over_the_rationals():
    lmax, n = 4, 5
    table, width = rational_table(lmax), (lmax + 1) ** 2
    r, v, w, g, g_dot = exact_arrays(lmax)
    zero = np.array([0] * (n * width), object)

    def new(size):
        return np.array([None] * size, object)

    def pull(g, g_dot, v):
        columns, out, out_dot = new(2 * (lmax + 1) * loops.LANES), new(3 * n), new(3 * n)
        half = (lmax + 1) * loops.LANES
        loops.solid_vjp(g, r, table, columns[:half], out)
        loops.solid_vjp_jvp(g, r, g_dot, v, table, columns[:half], columns[half:], out_dot)
        return out, out_dot

    Y, Y_dot = new(n * width), new(n * width)
    loops.solid(r, table, Y)
    loops.solid_jvp(r, v, table, Y_dot)
    r_bar, r_bar_dot = pull(g, g_dot, v)
    assert (g * Y_dot).sum() == (r_bar * v).sum()  # <g, J v> = <J^T g, v>
    assert (g * Y_dot).sum() + 1 != (r_bar * v).sum()
    along_v, along_w = pull(g, zero, v)[1], pull(g, zero, w)[1]
    assert (along_v * w).sum() == (along_w * v).sum()  # the Hessian is symmetric
    assert (r_bar_dot == along_v + pull(g_dot, zero, v)[0]).all()  # product rule in Y_bar
    loops.solid_jvp(r, r, table, Y_dot)
    degree = np.array([l for l in range(lmax + 1) for _ in range(2 * l + 1)] * n, object)
    assert (Y_dot == degree * Y).all()  # Euler: r . grad Y = l Y
    axes = [np.array([int(i == k) for _ in range(n) for i in range(3)], object) for k in range(3)]
    laplace = sum(pull(g, zero, axis)[1][k::3] for k, axis in enumerate(axes))
    assert (laplace == 0).all()  # every component is harmonic
