"""Derivatives of the operations that know the group: change of gauge and Wigner matrices; docs/derivations.

Truth: the definition of the complex gauge, and matrix exponentials of generators in 110 digits, differentiated by
quotients of differences with steps of 10^-30.
"""

from __future__ import annotations

import sys
from functools import cache
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main
from _judge import hamilton

from nbody_ref import Irrep, Irreps
from nbody_ref.ops import gauge, wigner

Array = np.ndarray[Any, Any]
U = 2.0**-53
LMAX = 3


def complex_rows(l: int) -> Any:
    """M with conj(Y_complex) = M Y_real: v_m = (-1)^m (Y_m - i Y_-m) / sqrt 2, v_-m = (Y_m + i Y_-m) / sqrt 2."""
    M, half = mpmath.matrix(2 * l + 1, 2 * l + 1), mpmath.sqrt(mpmath.mpf(1) / 2)
    M[l, l] = 1
    for m in range(1, l + 1):
        M[l + m, l + m], M[l + m, l - m] = (-1) ** m * half, -((-1) ** m) * half * 1j
        M[l - m, l + m], M[l - m, l - m] = half, half * 1j
    return M


def as_array(M: Any) -> Array:
    """Rounded to double precision, real and imaginary part each."""
    return np.array([[complex(float(mpmath.re(a)), float(mpmath.im(a))) for a in M[i, :]] for i in range(M.rows)])


@cache
def block_diagonal(lmax: int) -> Array:
    """M of all degrees."""
    size = (lmax + 1) ** 2
    found = np.zeros((size, size), np.complex128)
    for l in range(lmax + 1):
        found[l * l : (l + 1) ** 2, l * l : (l + 1) ** 2] = as_array(complex_rows(l))
    return found


FRAGMENTS = {
    "f": gauge.fragments,
    "jvp": gauge.fragments_jvp,
    "vjp": gauge.fragments_vjp,
    "vjp_jvp": gauge.fragments_vjp_jvp,
    "states": (gauge.to_complex, gauge.to_real),
}


@claim(
    "7.10",
    "docs/derivations/gauge.md",
    "change of gauge: the four functions, every entry; states there and back",
    "definition of the complex gauge, mpmath",
    FRAGMENTS,
    {
        "Y for conj(Y)": {"f": lambda Y, lmax: gauge.fragments(Y, lmax).conj()},
        "adjoint conjugated": {"vjp": lambda g, Y, lmax: gauge.fragments_vjp(g.conj(), Y, lmax)},
        "tangent of the cotangent forgotten": {"vjp_jvp": lambda g, Y, g_dot, v, lmax: gauge.fragments_vjp(g, Y, lmax)},
        "states: there for back": {"states": (gauge.to_complex, gauge.to_complex)},
    },
)
def gauges(subject: SimpleNamespace, full: bool) -> Cases:
    for lmax in range(5 if full else 3):
        M, one = block_diagonal(lmax), np.eye((lmax + 1) ** 2)
        yield (lmax, "f"), np.count_nonzero(subject.f(one, lmax).T != M)
        yield (lmax, "jvp"), np.count_nonzero(subject.jvp(one, 2 * one, lmax).T != 2 * M)
        zero = np.zeros((2 * len(one), len(one)))
        units = np.concatenate([one, 1j * one])  # Re(bar v): bar = 1 picks Re M, bar = i picks -Im M
        rows = np.concatenate([M.real, -M.imag])
        yield (lmax, "vjp"), np.count_nonzero(subject.vjp(units, zero, lmax)[0] != rows)
        found = subject.vjp_jvp(3 * units, zero, units, zero, lmax)[0]
        yield (lmax, "vjp_jvp"), np.count_nonzero(found != rows)
        there, back = subject.states
        irreps = Irreps([(2, Irrep(l, 1)) for l in range(lmax + 1)])
        x = np.random.default_rng([60, lmax]).standard_normal((3, irreps.dim))
        blocks = [np.kron(M[l * l : (l + 1) ** 2, l * l : (l + 1) ** 2], np.eye(2)) for l in range(lmax + 1)]
        pieces = [x[:, s : s + p.dim] @ B.T for s, p, B in zip(irreps.offsets, irreps, blocks)]
        sizes = [abs(x[:, s : s + p.dim]) @ abs(B).T for s, p, B in zip(irreps.offsets, irreps, blocks)]
        y, exact, S = there(x, irreps), np.concatenate(pieces, 1), np.concatenate(sizes, 1)
        yield (lmax, "to complex"), int(np.any(abs(y - exact) > 8 * U * S))  # 4 u of the page, and as much of the judge
        yield (lmax, "to real"), int(np.any(abs(back(y, irreps) - x) > 16 * U * 2 * S))


@cache
def generators(l: int, basis: str) -> tuple[Any, Any, Any]:
    """G_k = -i J_k, from (J_x +- i J_y) |m> = sqrt((l -+ m)(l +- m + 1)) |m +- 1>."""
    n = 2 * l + 1
    up, z = mpmath.matrix(n, n), mpmath.matrix(n, n)
    for m in range(-l, l + 1):
        z[m + l, m + l] = m
        if m < l:
            up[m + l + 1, m + l] = mpmath.sqrt((l - m) * (l + m + 1))
    x, y = (up + up.T) / 2, (up - up.T) / 2j
    found = [-1j * J for J in (x, y, z)]
    if basis == "real":
        M = complex_rows(l)
        found = [M.H * G * M for G in found]
    return found[0], found[1], found[2]


def matrix(l: int, q: Any, basis: str) -> Any:
    """D^l by the exponential of the rotation vector."""
    w, *v = q
    length = mpmath.sqrt(mpmath.fsum(a * a for a in v))
    angle = 2 * mpmath.atan2(length, w)
    G = generators(l, basis)
    total = mpmath.zeros(2 * l + 1)
    for a, g in zip(v, G):
        total += g * (angle * a / length if length else 0)
    return mpmath.expm(total)


def turned(q: Any, *vectors: Any) -> Any:
    """The quaternion of exp(v_n) ... exp(v_1) R."""
    for v in vectors:
        length = mpmath.sqrt(mpmath.fsum(a * a for a in v))
        half = mpmath.sin(length / 2) / length if length else mpmath.mpf(0)
        q = hamilton((mpmath.cos(length / 2), *(half * a for a in v)), q)
    return q


@cache
def truth(number: int, basis: str) -> Any:
    """D and its derivatives along omega, e_k, and along both, by degree: (2l+1, 2l+1) arrays in mpmath."""
    q, omega = ([mpmath.mpf(float(a)) for a in row[number]] for row in (QUATERNIONS, OMEGA))
    norm = mpmath.sqrt(mpmath.fsum(a * a for a in q))
    q, h, found = [a / norm for a in q], mpmath.mpf(10) ** -30, []
    axes = [[h * (i == k) for i in range(3)] for k in range(3)]
    for l in range(LMAX + 1):
        here = matrix(l, q, basis)
        moved = matrix(l, turned(q, [h * a for a in omega]), basis)
        first = [matrix(l, turned(q, axis), basis) for axis in axes]
        both = [matrix(l, turned(q, [h * a for a in omega], axis), basis) for axis in axes]
        second = [(b - moved - a + here) / h**2 for a, b in zip(first, both)]
        found.append((here, (moved - here) / h, [(a - here) / h for a in first], second))
    return found


QUATERNIONS = np.array(
    [
        [0.3, -0.5, 0.7, 0.4],
        [1.0, 0, 0, 0],
        [0, 1.0, 0, 0],
        [0, 0, 0, 1.0],
        [1.0, 1e-9, -1e-12, 0],
        [-0.2, 1.3, 0.1, -0.6],
    ]
)
OMEGA = np.random.default_rng(61).standard_normal((len(QUATERNIONS), 3))
FOUR = {"f": wigner.wigner, "jvp": wigner.wigner_jvp, "vjp": wigner.wigner_vjp, "vjp_jvp": wigner.wigner_vjp_jvp}


def flat(parts: Any) -> list[Any]:
    """Entries of all degrees, row by row."""
    return [entry for part in parts for i in range(part.rows) for entry in part[i, :]]


@claim(
    "7.11",
    "docs/derivations/wigner.md",
    "Wigner matrices: f, jvp, vjp, vjp_jvp along rotations, two gauges",
    "exponentials of generators, differences in 110 digits",
    FOUR,
    {
        "D transposed": {"f": lambda q, *a: wigner.wigner(q * np.array([1.0, -1, -1, -1]), *a)},
        "turned after, not before": {"jvp": lambda q, omega, *a: -wigner.wigner_jvp(q, omega, *a)},
        "vjp: axes exchanged": {"vjp": lambda *a: (wigner.wigner_vjp(*a)[0][:, [1, 0, 2]],)},
        "vjp_jvp: motion of R ignored": {
            "vjp_jvp": lambda g, q, g_dot, omega, *a: wigner.wigner_vjp_jvp(g, q, g, None, *a)
        },
    },
    "k u, k of the page",
)
def rotations(subject: SimpleNamespace, full: bool) -> Cases:
    chosen = range(len(QUATERNIONS) if full else 1)
    with mpmath.workdps(110):
        for basis in ("real", "complex") if full else ("real",):
            wide = mpmath.sqrt(2) if basis == "real" else 1
            for number in chosen:
                exact = truth(number, basis)
                q, omega = QUATERNIONS[number : number + 1], OMEGA[number : number + 1]
                size = [(69 * l + 12 if basis == "real" else 49 * l + 4) * U for l in range(LMAX + 1)]
                slope = [float(wide * (l + 0.5)) for l in range(LMAX + 1)]
                per = np.concatenate([np.full((2 * l + 1) ** 2, l) for l in range(LMAX + 1)])
                D, D_dot = subject.f(q, LMAX, basis)[0], subject.jvp(q, omega, LMAX, basis)[0]
                many = np.repeat(q, 2 * len(per), 0)
                bars = np.concatenate([np.eye(len(per)), (1j if basis == "complex" else 1) * np.eye(len(per))])
                bars = bars.astype(D.dtype)
                back = subject.vjp(bars, many, LMAX, basis)[0]
                moved = subject.vjp_jvp(bars, many, None, np.repeat(omega, len(many), 0), LMAX, basis)[0]
                length = float(np.abs(omega).sum())
                by_axis = [flat([part[2][k] for part in exact]) for k in range(3)]
                twice = [flat([part[3][k] for part in exact]) for k in range(3)]
                for i, (value, tangent) in enumerate(zip(flat([e[0] for e in exact]), flat([e[1] for e in exact]))):
                    l = int(per[i])
                    case, near = (basis, number, i), size[l] + 8 * U
                    yield (*case, "f"), float(abs(mpmath.mpmathify(complex(D[i])) - value)) / size[l]
                    error = abs(mpmath.mpmathify(complex(D_dot[i])) - tangent)
                    yield (*case, "jvp"), float(error) / (slope[l] * length * near)
                    for row, factor in ((i, 1), (i + len(per), 1j if basis == "complex" else 1)):
                        for k in range(3):
                            error = abs(mpmath.mpf(float(back[row, k])) - mpmath.re(factor * by_axis[k][i]))
                            yield (*case, "vjp", k), float(error) / (slope[l] * near)
                            error = abs(mpmath.mpf(float(moved[row, k])) - mpmath.re(factor * twice[k][i]))
                            bound = slope[l] ** 2 * length * (near + 8 * U)
                            yield (*case, "vjp_jvp", k), float(error) / bound


if __name__ == "__main__":
    sys.exit(main())
