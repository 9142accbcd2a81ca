"""Theorems that the four functions of every multilinear op satisfy exactly, on integers, with == and no tolerance.

An op is handed over as its module, its name, its arrays and its statics. Numbers are small integers: Python integers
(environment nojit), or float64 and complex128 far below 2^53, where every sum is exact. Pairings are not conjugated.
"""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from nbody_ref.tables import CGTable, cg_coo


def integers(rng, shape, dtype):
    """Signed integers of at most one digit, never zero."""
    values = rng.integers(1, 6, shape) * rng.choice([-1, 1], shape)
    if dtype is object:
        return np.array(values.tolist(), dtype=object).reshape(shape)
    return values.astype(dtype) + (1j * rng.integers(-5, 6, shape) if dtype is np.complex128 else 0)


def integer_coupling(dtype, seed=5):
    """Couplings with the non-zeros of Clebsch-Gordan tables and random integer values."""

    real = np.float64 if dtype is np.complex128 else dtype

    def coupling(l1, l2, l):
        coo = cg_coo(l1, l2, l)
        values = integers(np.random.default_rng([seed, l1, l2, l]), coo.value.shape, real)
        return CGTable(coo.m1, coo.m2, coo.m, values)

    return coupling


def pairing(left, right):
    return sum((a * b).sum() for a, b in zip(left, right, strict=True) if a is not None and b is not None)


class Quadruple:
    """f, f_jvp, f_vjp and f_vjp_jvp of one op at one point, with two random directions and cotangents."""

    def __init__(self, module, name, arrays, statics, dtype=np.float64, seed=0):
        self.f, self.jvp, self.vjp, self.vjp_jvp = (
            getattr(module, name + suffix) for suffix in ("", "_jvp", "_vjp", "_vjp_jvp")
        )
        rng = np.random.default_rng(seed)
        self.arrays, self.statics = tuple(arrays), tuple(statics)
        self.y = self.f(*self.arrays, *self.statics)
        self.v, self.v2 = (tuple(integers(rng, a.shape, dtype) for a in arrays) for _ in range(2))
        self.g, self.g_dot, self.g_dot2 = (integers(rng, self.y.shape, dtype) for _ in range(3))

    def pull(self, t=0):
        """Cotangents at the point moved by t along the first direction, cotangent moved along."""
        moved = [a + t * v for a, v in zip(self.arrays, self.v, strict=True)]
        return self.vjp(self.g + t * self.g_dot, *moved, *self.statics)

    def tangent_is_exact(self):
        """12 f'(0) = f(-2) - 8 f(-1) + 8 f(1) - f(2) holds exactly for polynomials up to degree 4."""
        values = [
            self.f(*[a + t * v for a, v in zip(self.arrays, self.v, strict=True)], *self.statics)
            for t in (-2, -1, 1, 2)
        ]
        slope = values[0] - 8 * values[1] + 8 * values[2] - values[3]
        return bool((12 * self.jvp(*self.arrays, *self.v, *self.statics) == slope).all())

    def adjoint_is_exact(self):
        """<g, J v> == <J^T g, v>."""
        left = (self.g * self.jvp(*self.arrays, *self.v, *self.statics)).sum()
        return bool(left == pairing(self.pull(), self.v))

    def second_is_exact(self):
        """f_vjp_jvp is the derivative of f_vjp along the direction."""
        values = [self.pull(t) for t in (-2, -1, 1, 2)]
        found = self.vjp_jvp(self.g, *self.arrays, self.g_dot, *self.v, *self.statics)
        slopes = [a - 8 * b + 8 * c - d for a, b, c, d in zip(*values, strict=True)]
        return all(bool((12 * bar == slope).all()) for bar, slope in zip(found, slopes, strict=True))

    def second_is_symmetric(self):
        """The Hessian of <g, f(x)> in (g, x) is symmetric."""

        def hessian(g_dot, v):
            bars = self.vjp_jvp(self.g, *self.arrays, g_dot, *v, *self.statics)
            return (self.jvp(*self.arrays, *v, *self.statics), *bars)

        left = pairing(hessian(self.g_dot, self.v), (self.g_dot2, *self.v2))
        return bool(left == pairing(hessian(self.g_dot2, self.v2), (self.g_dot, *self.v)))

    def absent_is_zero(self):
        """None tangents act as zeros, unwanted cotangents are None, the others do not change."""
        zero = [a * 0 for a in self.arrays]
        for given in itertools.product((True, False), repeat=len(self.arrays)):
            dots = [v if use else None for v, use in zip(self.v, given, strict=True)]
            full = [v if use else z for v, z, use in zip(self.v, zero, given, strict=True)]
            if not same(self.jvp(*self.arrays, *dots, *self.statics), self.jvp(*self.arrays, *full, *self.statics)):
                return False
            for g_dot in (self.g_dot, None):
                known = self.g_dot if g_dot is not None else self.g * 0
                found = self.vjp_jvp(self.g, *self.arrays, g_dot, *dots, *self.statics, needs=given)
                wanted = self.vjp_jvp(self.g, *self.arrays, known, *full, *self.statics)
                if not all(same(a, b) if need else a is None for a, b, need in zip(found, wanted, given, strict=True)):
                    return False
            found, wanted = self.vjp(self.g, *self.arrays, *self.statics, needs=given), self.pull()
            if not all(same(a, b) if need else a is None for a, b, need in zip(found, wanted, given, strict=True)):
                return False
        return self.jvp(*self.arrays, *[None] * len(zero), *self.statics) is None

    def all_hold(self):
        return all(getattr(self, theorem)() for theorem in THEOREMS)


def same(found, wanted):
    """Equal, where None stands for zero."""
    return not np.any(wanted) if found is None else bool((found == wanted).all())


THEOREMS = ("tangent_is_exact", "adjoint_is_exact", "second_is_exact", "second_is_symmetric", "absent_is_zero")
RINGS = [np.float64, np.complex128, pytest.param(object, marks=pytest.mark.nojit)]


@pytest.fixture(params=RINGS, ids=["float64", "complex128", "integers"])
def ring(request):
    """Numbers of a theorem: float64 or complex128 with integer parts, compiled; Python integers, as plain Python."""
    return request.param


@pytest.fixture
def exact(ring):
    """Tools of this file for the chosen numbers."""

    def draw(shape, seed=0):
        return integers(np.random.default_rng([7, seed]), shape, ring)

    def quadruple(*args, **kwargs):
        return Quadruple(*args, dtype=ring, **kwargs)

    real = np.float64 if ring is np.complex128 else ring
    return SimpleNamespace(dtype=ring, real=real, draw=draw, coupling=integer_coupling(ring), quadruple=quadruple)


@pytest.fixture
def allow(monkeypatch, ring):
    """Let the checks of an op module pass Python integers."""

    def patch(*modules):
        for module in modules:
            if ring is object:
                monkeypatch.setattr(module, "REAL_OR_COMPLEX", (object,))

    return patch
