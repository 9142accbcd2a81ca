r"""The message of eq. (10) in the frame of each edge: rotations about one axis instead of Clebsch-Gordan sums (eSCN).

Turn the edge to the polar axis by R_e; its harmonics have the component m = 0 only, and each path couples m with +-m:

.. math::
    M(x, Y(r_e)) = D(R_e)^{-1} M\big(D(R_e)\, x,\; Y(z)\big), \qquad
    M(x', Y(z))_m = a_m x'_m + b_m x'_{-m}, \qquad a_m + b_m = Y^{l_2}_0(z)\, C_{\pm m, 0, m}

An identity, not an approximation (Passaro and Zitnick 2023 use it the other way round, with a and b learned). It serves
as a second program for the same numbers. Derivation: docs/derivations/so2_message.md.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nbody_ref import exact
from nbody_ref.errors import GeometryError
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irreps
from nbody_ref.ops._check import check_array, check_finite
from nbody_ref.ops.harmonics import spherical_harmonics
from nbody_ref.ops.message_table import MessageTable
from nbody_ref.ops.wigner import wigner
from nbody_ref.tables import check_degree, clebsch_gordan

__all__ = ["path_coefficients", "so2_matrix", "so2_message", "to_polar_axis"]

Array = np.ndarray[Any, Any]


def so2_message(x: Any, r: Any, w: Any, edges: Edges, table: MessageTable, normalization: str = "component") -> Array:
    r"""What `nbody_ref.ops.message` makes of x, the spherical harmonics of r, and w; each edge in its own frame.

    Parameters
    ----------
    x : (n_senders, table.irreps_in.dim) float64 (real gauge) or complex128 (complex gauge)
        States of the senders.
    r : (E, 3) float64
        Vectors of the edges, of any length but zero.
    w : (E, table.n_weights) dtype of `x`
        Weights of path p and channel c, as in `message`.
    edges : Edges
    table : MessageTable
    normalization : {"component", "norm", "integral"}
        Of the harmonics.

    Returns
    -------
    (n_receivers, table.irreps_out.dim) dtype of `x`

    Raises
    ------
    ShapeError, DTypeError
        If a shape or dtype does not match.
    GeometryError
        If a vector is zero, NaN or infinite.

    Notes
    -----
    |computed - exact| <= k u S with S the sum over edges of |w| |Y^{l2}| |x|, norms of fragments, and
    k = n + (140 l + 60) sqrt(2l + 1) for n neighbours and the largest degree l. Work grows as l^3 for a pair of parts,
    where the dense coupling has l^5; this function is written for clarity, not for speed.

    Examples
    --------
    >>> from nbody_ref.ops.so2_message import so2_message
    >>> import numpy as np
    >>> from nbody_ref.ops.message import MESSAGE
    >>> (x, Y, w), (edges, table) = MESSAGE.example(np.random.default_rng(0))
    >>> so2_message(x, np.ones((len(Y), 3)), w, edges, table).shape[1] == table.irreps_out.dim
    True
    """
    dtype = np.complex128 if table.basis == "complex" else np.float64
    x = check_array("so2_message", "x", x, (edges.n_senders, table.irreps_in.dim), (dtype,))
    r = check_array("so2_message", "r", r, (edges.n_edges, 3), (np.float64,))
    w = check_array("so2_message", "w", w, (edges.n_edges, table.n_weights), (dtype,))
    turn = wigner(to_polar_axis(r), max(table.irreps_in.lmax, table.irreps_out.lmax), table.basis)
    local = _turned(x[edges.senders.astype(np.intp)], table.irreps_in, turn, inverse=False)  # D1
    messages, at, found = [], 0, _parts(local, table.irreps_in)
    for (part, _, irrep), (a, b) in zip(table.paths, path_coefficients(table, normalization), strict=True):
        fragment, mul = found[part], table.irreps_in[part].mul
        weights = w[:, None, at : at + mul]
        coupled = np.zeros((len(r), irrep.dim, mul), dtype)
        m = min(table.irreps_in[part].irrep.l, irrep.l)
        inner, outer = (slice(l - m, l + m + 1) for l in (table.irreps_in[part].irrep.l, irrep.l))
        middle = fragment[:, inner]
        coupled[:, outer] = (a[:, None] * middle + b[:, None] * middle[:, ::-1]) * weights  # D2
        messages.append(coupled.reshape(len(r), irrep.dim * mul))
        at += mul
    every = np.concatenate(messages, axis=1) if len(r) else np.zeros((0, table.irreps_out.dim), dtype)
    back = _turned(every, table.irreps_out, turn, inverse=True)  # D1
    out = np.zeros((edges.n_receivers, table.irreps_out.dim), dtype)
    np.add.at(out, edges.receivers.astype(np.intp), back)
    return out


def to_polar_axis(r: Any) -> Array:
    """Quaternions (w, x, y, z) of rotations that turn vectors r (E, 3) to the positive z axis; no special directions.

    Vectors of the lower half space are first turned by pi about x.

    Raises
    ------
    GeometryError
        If a vector is zero, NaN or infinite.

    Examples
    --------
    >>> from nbody_ref.ops.so2_message import to_polar_axis
    >>> import numpy as np
    >>> to_polar_axis(np.array([[0.0, 0.0, 2.0]])) + 0.0
    array([[2., 0., 0., 0.]])
    """
    r = check_array("to_polar_axis", "r", r, (None, 3), (np.float64,))
    check_finite("to_polar_axis", "r", r)
    length = np.sqrt((r * r).sum(axis=1))
    if not length.all():
        edge = int(length.argmin())
        raise GeometryError(f"to_polar_axis: 'r' must not be zero, got {r[edge]} at edge {edge}")
    x, y, z = (r / length[:, None]).T
    zero = np.zeros_like(x)
    upper = np.stack([1 + z, y, -x, zero], axis=1)
    lower = np.stack([y, 1 - z, zero, x], axis=1)  # (1 - z, -y, -x, 0) after (0, 1, 0, 0), the turn about x
    return np.where((z >= 0)[:, None], upper, lower)


def path_coefficients(table: MessageTable, normalization: str = "component") -> list[tuple[Array, Array]]:
    """For each path the vectors (a_m), (b_m), m = -M..M with M the smaller of the degrees of input and result.

    One of them is zero: in the real gauge a for odd l1 + l2 + l and b for even, in the complex gauge always b.

    Examples
    --------
    >>> from nbody_ref.ops.so2_message import path_coefficients
    >>> from nbody_ref.ops.message_table import MessageTable
    >>> len(path_coefficients(MessageTable.build("1x1o", 1)))
    4
    """
    pole = spherical_harmonics(table.lmax, np.array([0.0, 0.0, 1.0]), normalization)
    found = []
    for part, l2, irrep in table.paths:
        l1, l = table.irreps_in[part].irrep.l, irrep.l
        top = min(l1, l)
        m = np.arange(-top, top + 1)
        C = clebsch_gordan(l1, l2, l, table.basis)[:, l2, :] * pole[l2 * (l2 + 1)]
        a, b = C[l1 + m, l + m].copy(), C[l1 - m, l + m].copy()
        b[top] = 0.0
        found.append((a, b))
    return found


def so2_matrix(l1: int, l: int) -> Array:
    r"""Orthogonal matrix between weights of the paths l1, l2 -> l and of maps that commute with turns about z.

    .. math:: O_{l_2, m} = \sqrt{(2 - \delta_{m0})\,\frac{2 l_2 + 1}{2 l + 1}}\; \langle l_1 m\, l_2 0 | l m \rangle

    Parameters
    ----------
    l1, l : int
        Degrees of input and result.

    Returns
    -------
    (2M + 1, 2M + 1) float64, read-only, correctly rounded
        M = min(l1, l). Rows: l2 = abs(l1 - l)..l1 + l. Columns: m = 0..M of the maps ``x[m] -> x[m]``, which belong to
        even l1 + l2 + l, then m = 1..M of ``x[m] -> x[-m]``, which belong to odd; zero in rows of the other type.

    Raises
    ------
    IrrepsError
        If a degree is not a non-negative integer.

    Notes
    -----
    As many l2 as there are such maps, and O is orthogonal: nothing is lost either way. docs/derivations/so2_message.md.

    Examples
    --------
    >>> from nbody_ref.ops.so2_message import so2_matrix
    >>> so2_matrix(0, 1)
    array([[1.]])
    """
    return _so2_matrix(check_degree("so2_matrix", "l1", l1), check_degree("so2_matrix", "l", l))


@cache
def _so2_matrix(l1: int, l: int) -> Array:
    top = min(l1, l)
    found = np.zeros((2 * top + 1, 2 * top + 1))
    for row, l2 in enumerate(range(abs(l1 - l), l1 + l + 1)):
        odd = (l1 + l2 + l) % 2
        for m in range(odd, top + 1):
            c = exact.clebsch_gordan(l1, m, l2, 0, l, m)
            square = exact.Surd(c.sign, c.p * (2 * l2 + 1) * (2 if m else 1), c.q * (2 * l + 1)) if c else c
            found[row, top + m if odd else m] = square.round("float64")
    found.flags.writeable = False
    return found


def _turned(x: Array, irreps: Irreps, turn: Array, inverse: bool) -> Array:
    """States (E, dim) turned by the matrices of their edges, or back."""
    parts = []
    for part, block in zip(irreps, _parts(x, irreps), strict=True):
        l, dim = part.irrep.l, part.irrep.dim
        start = l * (2 * l - 1) * (2 * l + 1) // 3
        D = turn[:, start : start + dim * dim].reshape(-1, dim, dim)
        D = D.conj().transpose(0, 2, 1) if inverse else D
        parts.append(np.einsum("eij,ejc->eic", D, block).reshape(len(x), part.dim))
    return np.concatenate(parts, axis=1)


def _parts(x: Array, irreps: Irreps) -> list[Array]:
    return [
        x[:, start : start + part.dim].reshape(len(x), part.irrep.dim, part.mul)
        for start, part in zip(irreps.offsets, irreps, strict=True)
    ]
