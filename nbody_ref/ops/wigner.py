r"""Wigner matrices :math:`D^l(R)`: how covariant fragments turn, eqs. (2) and (3) of the N-body paper.

`wigner` and its derivatives take quaternions and give all degrees at once; `wigner_D` gives one, of a scipy Rotation.
A tangent of a rotation is a rotation vector omega: R moves to exp(omega) R. Derivation: docs/derivations/wigner.md.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nbody_ref.errors import ArgumentError, DTypeError, GeometryError, IrrepsError
from nbody_ref.irreps import Irreps
from nbody_ref.kernels import wigner as loops
from nbody_ref.ops._check import check_array, check_finite, check_out
from nbody_ref.ops._op import Arguments, CheckedOp, Example
from nbody_ref.tables import check_basis, check_degree, real_to_complex

__all__ = ["WIGNER", "representation", "wigner", "wigner_D", "wigner_jvp", "wigner_vjp", "wigner_vjp_jvp"]

LARGEST_MATRIX = 32768  # rows; 8 GB

Array = np.ndarray[Any, Any]
Bars = tuple[Array, ...]


def wigner(q: Any, lmax: int, basis: str = "real", out: Array | None = None) -> Array:
    r"""Representation matrices of all degrees up to lmax, eq. (3).

    .. math:: D^l_{m'm}(R) = \langle l m' | R | l m \rangle, \qquad D^l_{real} = U_l D^l U_l^\dagger

    Parameters
    ----------
    q : (n, 4) float64 or float32
        Quaternions (w, x, y, z) of active rotations, of any nonzero length.
    lmax : int
        Largest degree.
    basis : {"real", "complex"}
    out : (n, size), dtype of the result, optional
        Written and returned; C-contiguous.

    Returns
    -------
    (n, size) dtype of `q`, or the complex dtype of the same precision
        size = (lmax + 1)(2 lmax + 1)(2 lmax + 3) / 3. D^l starts at l(2l - 1)(2l + 1) / 3, row by row, ascending.

    Raises
    ------
    IrrepsError
        If `lmax` is not a non-negative integer or `basis` is unknown.
    ShapeError, DTypeError
        If `q` or `out` has the wrong shape or dtype.
    GeometryError
        If a quaternion is zero, NaN or infinite.

    Notes
    -----
    |computed - exact| <= (49 l + 4) u in every entry of the complex, (69 l + 12) u of the real gauge. Rotations about
    the polar axis and by pi are like all others. Derivatives: `wigner_jvp`, `wigner_vjp`, `wigner_vjp_jvp`.

    Examples
    --------
    >>> from nbody_ref.ops.wigner import wigner
    >>> import numpy as np
    >>> wigner(np.array([[1.0, 0.0, 0.0, 0.0]]), 1)[0] + 0.0
    array([1., 1., 0., 0., 0., 1., 0., 0., 0., 1.])
    """
    turn, lmax = _turn("wigner", q, lmax, basis)
    return _matrices("wigner", turn, 0, lmax, basis, out)


class _Wigner(CheckedOp):
    inputs, statics, result = ("q",), ("lmax", "basis"), "D"
    dots, defaults = ("omega",), {"basis": "real"}  # a rotation vector: R moves to exp(t omega) R
    likely = "arrays[0][:, :3]"

    def check(self, function: str, q: Any, lmax: Any, basis: Any = "real") -> Arguments:
        turn, lmax = _turn(function, q, lmax, basis)
        D = _matrices(function, turn, 0, lmax, basis)
        return Arguments((turn,), (D, lmax, basis), D.shape, D.dtype, ((len(turn), 3),))

    def tangent(self, turn: Array, omega: Array, D: Array, lmax: int, basis: str) -> Array:
        return _act(omega, D, lmax, basis)  # D1

    def cotangents(self, needs: tuple[bool, ...], g: Array, turn: Array, D: Array, lmax: int, basis: str) -> Bars:
        """omega_bar_k = Re sum of D_bar * (G_k D), (n, 3), without conjugation."""
        return (_pair(g, D, lmax, basis),)  # V1

    def turning(self, needs: tuple[bool, ...], g: Array, turn: Array, *rest: Any) -> Bars:
        g_dot, omega, D, lmax, basis = rest
        total = np.zeros((len(turn), 3), turn.dtype)
        if omega is not None:
            total += _pair(g, _act(omega, D, lmax, basis), lmax, basis)  # V2
        if g_dot is not None:
            total += _pair(g_dot, D, lmax, basis)  # V2
        return (total,)

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(2, 4))], [2, "real"]


WIGNER = _Wigner(wigner)
wigner_jvp, wigner_vjp, wigner_vjp_jvp = WIGNER.derivatives()


def wigner_D(l: int, rotation: Any, basis: str = "real") -> Array:
    r"""Representation matrix of a rotation on fragments of degree l, eq. (3).

    .. math:: D^l_{m'm}(R) = \langle l m' | R | l m \rangle, \qquad D^l_{real} = U_l D^l U_l^\dagger

    Parameters
    ----------
    l : int
        Degree.
    rotation : scipy.spatial.transform.Rotation
        Active rotations of column vectors, one or a stack of any shape.
    basis : {"real", "complex"}

    Returns
    -------
    (..., 2*l + 1, 2*l + 1) float64 (real) or complex128 (complex)
        Rows m', columns m, ascending. D(R1 * R2) = D(R1) D(R2); real harmonics obey Y(R r) = D(R) Y(r).

    Raises
    ------
    IrrepsError
        If `l` is not a non-negative integer or `basis` is unknown.
    DTypeError
        If `rotation` is not a scipy Rotation.

    Notes
    -----
    Computed from the quaternion by coupling 2l spins 1/2, an isometry at every step: no angles, so no special points.
    |computed - exact| <= (53 l + 4) u in every entry of the complex, (75 l + 12) u of the real gauge, derived in
    docs/derivations/wigner.md. All degrees at once, and derivatives: `wigner`.

    Examples
    --------
    >>> from scipy.spatial.transform import Rotation
    >>> wigner_D(1, Rotation.from_euler("z", 90, degrees=True)).round(3) + 0.0
    array([[ 0.,  0.,  1.],
           [ 0.,  1.,  0.],
           [-1.,  0.,  0.]])
    """
    l = check_degree("wigner_D", "l", l)
    check_basis("wigner_D", basis)
    quaternion = _quaternion("wigner_D", rotation)
    turn, _ = _turn("wigner_D", quaternion.reshape(-1, 4), l, basis)
    return _matrices("wigner_D", turn, l, l, basis).reshape(*quaternion.shape[:-1], 2 * l + 1, 2 * l + 1)


def representation(irreps: Irreps, rotation: Any, inversion: bool = False, basis: str = "real") -> Array:
    r"""Representation matrix on the flat state of a type tau: D^l x identity(mul), part beside part; see `Irreps.D`.

    Parameters
    ----------
    irreps : Irreps
    rotation : scipy.spatial.transform.Rotation
        One or a stack.
    inversion : bool
        Follow the rotation by r -> -r: a factor p for each part.
    basis : {"real", "complex"}

    Returns
    -------
    (..., dim, dim) float64 or complex128
        Block diagonal; within a part components are slow and channels fast.

    Raises
    ------
    IrrepsError
        If `inversion` is asked of a type without parities, or `basis` is unknown.
    DTypeError
        If `rotation` is not a scipy Rotation.
    ArgumentError
        If the matrix would have more than 32768 rows.

    Examples
    --------
    >>> from nbody_ref.ops.wigner import representation
    >>> from nbody_ref import Irreps
    >>> from scipy.spatial.transform import Rotation
    >>> representation(Irreps("1x0e + 1x1o"), Rotation.identity(), inversion=True).diagonal()
    array([ 1., -1., -1., -1.])
    """
    irreps = Irreps(irreps)
    check_basis("Irreps.D", basis)
    if not isinstance(inversion, (bool, np.bool_)):
        raise ArgumentError(f"Irreps.D: 'inversion' must be a bool, got {inversion!r}")
    if inversion and not irreps.has_parity and len(irreps):
        raise IrrepsError(f"Irreps.D: 'inversion' needs parts with a parity, got {irreps}, a type of SO(3)")
    stack = _quaternion("Irreps.D", rotation).shape[:-1]
    if irreps.dim > LARGEST_MATRIX:
        raise ArgumentError(f"Irreps.D: 'irreps' must have dim at most {LARGEST_MATRIX}, got {irreps.dim}")
    D = np.zeros((*stack, irreps.dim, irreps.dim), np.float64 if basis == "real" else np.complex128)
    for start, (mul, irrep) in zip(irreps.offsets, irreps):
        block = wigner_D(irrep.l, rotation, basis)
        if inversion and irrep.p is not None:
            block = irrep.p * block
        stop, d = start + mul * irrep.dim, irrep.dim
        spread = block[..., :, None, :, None] * np.eye(mul)[:, None, :]
        D[..., start:stop, start:stop] = spread.reshape(*stack, d * mul, d * mul)
    return D


def _quaternion(function: str, rotation: Any) -> Array:
    """Quaternions (..., 4), scalar first."""
    from scipy.spatial.transform import Rotation  # a heavy import that most of the package does without

    if not isinstance(rotation, Rotation):
        raise DTypeError(f"{function}: 'rotation' must be a scipy Rotation, got {type(rotation).__name__}")
    return np.ascontiguousarray(np.roll(rotation.as_quat(), 1, -1))


def _turn(function: str, q: Any, lmax: Any, basis: str) -> tuple[Array, int]:
    """c, s, Re Z1, Im Z1, Re Z2, Im Z2 of each rotation, (n, 6), and lmax as a Python integer; W1."""
    lmax = check_degree(function, "lmax", lmax)
    check_basis(function, basis)
    q = check_array(function, "q", q, (None, 4))
    check_finite(function, "q", q)
    largest = np.abs(q).max(axis=1, initial=0)
    if not largest.all():
        raise GeometryError(
            f"{function}: 'q' must be nonzero, got {q[np.argmin(largest)]} at index {np.argmin(largest)}"
        )
    w, x, y, z = np.ldexp(q, -np.frexp(largest)[1][:, None]).T
    turn = np.empty((len(q), 6), q.dtype)
    c, s = np.hypot(w, z), np.hypot(y, x)
    norm = np.hypot(c, s)
    turn[:, 0], turn[:, 1] = c / norm, s / norm
    (re_a, im_a), (re_b, im_b) = _phase(q[:, 0], q[:, 3]), _phase(q[:, 2], q[:, 1])
    turn[:, 2], turn[:, 3] = re_a * re_b + im_a * im_b, im_a * re_b - re_a * im_b
    turn[:, 4], turn[:, 5] = re_a * re_b - im_a * im_b, im_a * re_b + re_a * im_b
    return turn, lmax


def _phase(x: Array, y: Array) -> tuple[Array, Array]:
    """(x + i y) / |x + i y|, and 1 at zero; scaled first, since the length of subnormal numbers has few digits."""
    exponent = -np.frexp(np.maximum(np.abs(x), np.abs(y)))[1]
    x, y = np.ldexp(x, exponent), np.ldexp(y, exponent)
    length = np.hypot(x, y)
    pole = length == 0
    x[pole] = length[pole] = 1
    return x / length, y / length


def _matrices(function: str, turn: Array, lmin: int, lmax: int, basis: str, out: Array | None = None) -> Array:
    dtype = turn.dtype if basis == "real" else np.result_type(turn.dtype, np.complex64)
    shape, one = (len(turn), sum((2 * l + 1) ** 2 for l in range(lmin, lmax + 1))), turn.dtype.type(1)
    D = np.empty(shape, dtype) if out is None else check_out(function, out, shape, dtype)
    buffers = np.zeros((2, (2 * lmax + 2) ** 2), turn.dtype)
    phase, limits = np.empty((4, 2 * lmax + 1), turn.dtype), (np.uintp(lmin), np.uintp(lmax))
    weights = _weights(lmax, turn.dtype.type)
    if basis == "complex":
        loops.wigner_complex(turn, weights, one, *limits, buffers[0], buffers[1], phase, D.view(turn.dtype))
    else:
        half = np.sqrt(one / 2)
        loops.wigner_real(turn, weights, one, half, *limits, buffers[0], buffers[1], phase, D)
    return D


@cache
def _weights(lmax: int, dtype: Any) -> tuple[Array, ...]:
    """sqrt((j - k) / j) and sqrt(k / j), (2 lmax + 1, 2 lmax + 2), for the left and for the right."""
    j, k = np.maximum(np.arange(2 * lmax + 1), 1)[:, None], np.arange(2 * lmax + 2)
    down, up = (np.sqrt(np.maximum(n, 0) / j).astype(dtype) for n in (j - k, k + 0 * j))
    return down, up, down, up


@cache
def _generators(lmax: int, basis: str, dtype: Any) -> tuple[Array, ...]:
    """Non-zero entries of G_x, G_y, G_z of all degrees, (G1): axis, where rows begin in D, their length, values."""
    entries, start = [], 0
    for l in range(lmax + 1):
        m, width = np.arange(-l, l + 1), 2 * l + 1
        raising = np.diag(np.sqrt((l - m[:-1]) * (l + m[:-1] + 1.0)), -1)
        spin = (raising + raising.T) / 2, (raising - raising.T) / 2j, np.diag(m)
        U = real_to_complex(l) if basis == "real" else np.eye(width)
        G = np.stack([U @ (-1j * J) @ U.conj().T for J in spin])
        for row, axis, column in zip(*np.nonzero(np.abs(G.transpose(1, 0, 2)) > 0.25)):
            g = G[axis, row, column]
            exact = np.sqrt(np.rint(4 * abs(g) ** 2)) / 2  # 4 |g|^2 is an integer
            value = exact * complex(np.rint(g.real / abs(g)), np.rint(g.imag / abs(g)))
            entries.append((axis, start + row * width, start + column * width, width, value))
        start += width**2
    index = np.array([entry[:4] for entry in entries], np.uintp).reshape(-1, 4).T.copy()
    values = np.array([entry[4] for entry in entries], complex)
    return *index, (values.real if basis == "real" else values).astype(dtype)


def _act(omega: Array, D: Array, lmax: int, basis: str) -> Array:
    out = np.zeros_like(D)
    loops.act(omega, D, out, *_generators(lmax, basis, D.dtype.type))
    return out


def _pair(D_bar: Array, D: Array, lmax: int, basis: str) -> Array:
    omega_bar = np.zeros((len(D), 3), D.dtype)
    loops.pair(D_bar, D, omega_bar, *_generators(lmax, basis, D.dtype.type))
    return np.ascontiguousarray(omega_bar.real)
