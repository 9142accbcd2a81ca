r"""Wigner matrices :math:`D^l(R)`: how covariant fragments turn, eqs. (2) and (3) of the N-body paper.

Derivation: docs/derivations/wigner.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.errors import DTypeError, IrrepsError
from nbody_ref.irreps import Irreps
from nbody_ref.kernels.wigner import wigner
from nbody_ref.tables import real_to_complex

__all__ = ["representation", "wigner_D"]

Array = np.ndarray[Any, Any]


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
    |computed - exact| <= (12 sum_{j=1}^{2l} sqrt(j) + 4 l + 3) u in every entry, derived in docs/derivations/wigner.md.

    Examples
    --------
    >>> from scipy.spatial.transform import Rotation
    >>> wigner_D(1, Rotation.from_euler("z", 90, degrees=True)).round(3) + 0.0
    array([[ 0.,  0.,  1.],
           [ 0.,  1.,  0.],
           [-1.,  0.,  0.]])
    """
    if basis not in ("real", "complex"):
        raise IrrepsError(f"wigner_D: 'basis' must be 'real' or 'complex', got {basis!r}")
    U = real_to_complex(l)
    spin = _spin("wigner_D", rotation)
    flat = spin.reshape(-1, 2, 2)
    j = np.arange(2 * l + 1)
    root = np.sqrt(j / np.maximum(j[:, None], 1))
    D = np.zeros((len(flat), 2 * l + 1, 2 * l + 1), np.complex128)
    wigner(flat, root, D)
    D = D.reshape(*spin.shape[:-2], 2 * l + 1, 2 * l + 1)
    return D if basis == "complex" else np.ascontiguousarray((U @ D @ U.conj().T).real)


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
    """
    irreps = Irreps(irreps)
    if inversion and not irreps.has_parity and len(irreps):
        raise IrrepsError(f"Irreps.D: 'inversion' needs parts with a parity, got {irreps}, a type of SO(3)")
    stack = _spin("Irreps.D", rotation).shape[:-2]
    D = np.zeros((*stack, irreps.dim, irreps.dim), np.float64 if basis == "real" else np.complex128)
    for start, (mul, irrep) in zip(irreps.offsets, irreps):
        block = wigner_D(irrep.l, rotation, basis)
        if inversion and irrep.p is not None:
            block = irrep.p * block
        stop, d = start + mul * irrep.dim, irrep.dim
        spread = block[..., :, None, :, None] * np.eye(mul)[:, None, :]
        D[..., start:stop, start:stop] = spread.reshape(*stack, d * mul, d * mul)
    return D


def _spin(function: str, rotation: Any) -> Array:
    """SU(2) matrices exp(-i angle n.sigma / 2), (..., 2, 2), rows and columns m = -1/2, 1/2."""
    from scipy.spatial.transform import Rotation  # a heavy import that most of the package does without

    if not isinstance(rotation, Rotation):
        raise DTypeError(f"{function}: 'rotation' must be a scipy Rotation, got {type(rotation).__name__}")
    x, y, z, w = np.moveaxis(rotation.as_quat(), -1, 0)
    return np.stack([np.stack([w + 1j * z, y - 1j * x], -1), np.stack([-y - 1j * x, w - 1j * z], -1)], -2)
