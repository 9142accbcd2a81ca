r"""Recoupling between the paper's order of coupling and ours, exactly: which weights of one gate are those of another.

Eqs. (11) and (12) couple the states first, ((psi_i x psi_j) x r_i) x r_j. Summed legs couple each state with its own
vector first, (psi_i x r_i) x (psi_j x r_j). Both are bases of the same space of covariant maps, so the fragments of one
are an orthogonal matrix times those of the other:

.. math:: F_{paper} = F_{legs}\, T, \qquad F_{paper} W = F_{legs}\, (T W)

T is a 9j symbol (eq. (11)) or a 6j symbol (eq. (12)) for each choice of parts, times roots of dimensions and signs;
`nbody_ref.fusion.recoupling` gives every entry as one exact surd sum. Derivation: docs/derivations/gate_first_order.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product as all_pairs
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import DTypeError, SchemeError, ShapeError
from nbody_ref.exact import Surd
from nbody_ref.fusion import Diagram, recoupling
from nbody_ref.fusion.tree import check_tree, leaves
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.tables import check_basis

__all__ = [
    "Fragment",
    "first_order_matrix",
    "first_order_weights",
    "fragments",
    "matrix",
    "relative_matrix",
    "relative_weights",
    "to_array",
]

Array = np.ndarray[Any, Any]

Tree = Any
Channels = tuple[tuple[int, int], ...]
Matrix = list[list[Surd]]
PAPER_FIRST_ORDER, LEGS = (((0, 1), 2), 3), ((0, 2), (1, 3))
PAPER_RELATIVE, PAIRS = ((0, 1), 2), ((0, 2), 1)


class Fragment(NamedTuple):
    """One fragment of a product of states along a tree.

    irrep : Irrep
    parts : tuple of (leaf, part of that leaf's type), leaves ascending
    channels : tuple of (leaf, channel within the part), leaves ascending
    outputs : tuple of Irrep, of the vertices in post-order
    """

    irrep: Irrep
    parts: Channels
    channels: Channels
    outputs: tuple[Irrep, ...]


def fragments(tree: Tree, legs: Sequence[Irreps | str], irrep: Irrep | str) -> list[Fragment]:
    """Fragments of one irrep of a product of states, in the order of `exact.definition.product` nested along `tree`.

    Parameters
    ----------
    tree : int or nested pairs
        Order of coupling; leaf numbers index `legs`.
    legs : sequence of Irreps or str
        Type of each factor.
    irrep : Irrep or str

    Returns
    -------
    list of Fragment

    Raises
    ------
    SchemeError
        If `tree` is no binary tree with as many leaves as there are `legs`.
    IrrepsError
        If a type or the irrep is malformed, or groups are mixed.
    """
    tree, wanted, types = _checked("fragments", tree, legs, irrep)
    return [f for part in _parts(tree, types) for f in part if f.irrep == wanted]


def matrix(legs: Sequence[Irreps | str], source: Tree, target: Tree, irrep: Irrep | str, basis: str = "real") -> Matrix:
    r"""Exact matrix T with F_source = F_target T, for products of the same states along two trees.

    Parameters
    ----------
    legs : sequence of Irreps or str
        Type of each factor.
    source, target : int or nested pairs
        Two orders of coupling.
    irrep : Irrep or str
        Irrep of the product.
    basis : {"real", "complex"}
        Gauge of the couplings.

    Returns
    -------
    list of rows of Surd
        A row for every fragment of the target, a column for every fragment of the source, in the order of `fragments`.
        Orthogonal.

    Raises
    ------
    SchemeError, IrrepsError
        As `fragments`, for either tree; and for an unknown basis.
    """
    check_basis("matrix", basis)
    source, wanted, types = _checked("matrix", source, legs, irrep)
    target, _, _ = _checked("matrix", target, legs, irrep)
    columns, rows = fragments(source, legs, wanted), fragments(target, legs, wanted)
    result = []
    for row in rows:
        line = []
        for column in columns:
            same = row.parts == column.parts and row.channels == column.channels
            irreps = tuple(types[leaf][part].irrep for leaf, part in row.parts)
            line.append(_overlap(source, target, irreps, wanted, basis, column.outputs, row.outputs) if same else ZERO)
        result.append(line)
    return result


def first_order_matrix(psi: Irreps | str, irrep: Irrep | str, basis: str = "real") -> Matrix:
    """T of eq. (11): from ``((psi_i x psi_j) x r_i) x r_j`` to ``(psi_i x r_i) x (psi_j x r_j)``, for one exponent s.

    Parameters
    ----------
    psi : Irreps or str
        Type of the children's states.
    irrep : Irrep or str
        Irrep of the result.
    basis : {"real", "complex"}

    Returns
    -------
    list of rows of Surd
        Rows as the fragments of `named.first_order`, columns as those of `exact.definition.first_order`.

    Examples
    --------
    >>> first_order_matrix("1x0e", "0e")
    [[Surd(1, 1, 1)]]
    """
    tau = Irreps(psi)
    vector = _vector(tau)
    return matrix((tau, tau, vector, vector), PAPER_FIRST_ORDER, LEGS, irrep, basis)


def relative_matrix(psi: Irreps | str, irrep: Irrep | str, basis: str = "real") -> Matrix:
    """T of eq. (12): from ``(psi_i x psi_j) x r_ij`` to ``(psi_i x r_ij) x psi_j``, for one exponent s.

    Parameters, returns: as `first_order_matrix`, for `named.relative` and `exact.definition.relative`.
    """
    tau = Irreps(psi)
    return matrix((tau, tau, _vector(tau)), PAPER_RELATIVE, PAIRS, irrep, basis)


def first_order_weights(psi: Irreps | str, irrep: Irrep | str, W: Array, n_powers: int, basis: str = "real") -> Array:
    """Weights of `named.first_order` that make it the gate of eq. (11) with weights W, as the paper couples it.

    Parameters
    ----------
    psi : Irreps or str
        Type of the children's states.
    irrep : Irrep or str
        Irrep of the result; one call for each.
    W : (rows, mul) float or complex
        Rows in the order of `exact.definition.first_order`: exponent s, then fragment.
    n_powers : int
        Number of exponents.
    basis : {"real", "complex"}

    Returns
    -------
    (rows, mul) array
        T W for each s, rows in the order of the gate's mixing.

    Raises
    ------
    ShapeError, DTypeError
        If W has another number of rows, or is no array of numbers.
    IrrepsError
        As `first_order_matrix`.
    ArgumentError
        If `n_powers` is no positive integer.
    """
    return np.concatenate(_turned("first_order_weights", first_order_matrix(psi, irrep, basis), W, n_powers))


def relative_weights(psi: Irreps | str, irrep: Irrep | str, W: Array, n_powers: int, basis: str = "real") -> Array:
    """Weights of `named.relative` that make it the gate of eq. (12) as the paper couples it.

    Parameters, returns, raises: as `first_order_weights`, for `exact.definition.relative`.

    Notes
    -----
    The gate's rows run over the path of psi_i x r_ij, then the exponent, then the rest.
    """
    tau = Irreps(psi)
    blocks = _turned("relative_weights", relative_matrix(tau, irrep, basis), W, n_powers)
    rows = fragments(PAIRS, (tau, tau, _vector(tau)), irrep)
    first = [(row.parts[0], row.outputs[0]) for row in rows]
    order = [[k for k, path in enumerate(first) if path == wanted] for wanted in dict.fromkeys(first)]
    return np.concatenate([block[group] for group in order for block in blocks])


def _turned(function: str, exact: Matrix, W: Array, n_powers: int) -> list[Array]:
    """T W_s for each exponent."""
    T, n_powers = to_array(exact), check_integer(function, "n_powers", n_powers, 1)
    if not isinstance(W, np.ndarray) or W.dtype.kind not in "iufc":
        raise DTypeError(f"{function}: 'W' must be an array of numbers, got {W!r:.60}")
    if W.ndim != 2 or len(W) != n_powers * len(T):
        raise ShapeError(f"{function}: 'W' must have {n_powers} x {len(T)} rows, got shape {W.shape}")
    return [T @ block for block in np.split(W, n_powers)]


def to_array(exact: Matrix) -> Array:
    """The matrix in float64, every entry correctly rounded."""
    return np.array([[float(entry) for entry in row] for row in exact])


ZERO = Surd(0, 0)


def _checked(function: str, tree: Tree, legs: Any, irrep: Any) -> tuple[Tree, Irrep, list[Irreps]]:
    found = check_tree(function, tree)
    if not isinstance(legs, tuple | list) or len(legs) != len(leaves(found)):
        raise SchemeError(f"{function}: 'legs' must be {len(leaves(found))} types, one for each leaf, got {legs!r}")
    return found, Irrep.parse(irrep), [Irreps(leg) for leg in legs]


def _vector(psi: Irreps) -> Irreps:
    return Irreps([(1, Irrep(1, -1 if psi.has_parity else None))])


def _parts(tree: Tree, types: Sequence[Irreps]) -> list[list[Fragment]]:
    """Parts of the product, each a list of its fragments by channel."""
    if isinstance(tree, int):
        return [
            [Fragment(part.irrep, ((tree, i),), ((tree, c),), ()) for c in range(part.mul)]
            for i, part in enumerate(types[tree])
        ]
    found = []
    for a, b in all_pairs(_parts(tree[0], types), _parts(tree[1], types)):
        for irrep in a[0].irrep * b[0].irrep:
            found.append(list(_join(a, b, irrep)))
    return found


def _join(a: list[Fragment], b: list[Fragment], irrep: Irrep) -> Iterator[Fragment]:
    for x, y in all_pairs(a, b):
        parts, channels = tuple(sorted(x.parts + y.parts)), tuple(sorted(x.channels + y.channels))
        yield Fragment(irrep, parts, channels, (*x.outputs, *y.outputs, irrep))


@cache
def _overlap(
    source: Tree,
    target: Tree,
    irreps: tuple[Irrep, ...],
    root: Irrep,
    basis: str,
    source_outputs: tuple[Irrep, ...],
    target_outputs: tuple[Irrep, ...],
) -> Surd:
    found = _recoupling(source, target, irreps, root, basis)
    row = found.source.index(Diagram(source, irreps, source_outputs))
    entry: Surd = found.entries[row][found.target.index(Diagram(target, irreps, target_outputs))]
    return entry


@cache
def _recoupling(source: Tree, target: Tree, irreps: tuple[Irrep, ...], root: Irrep, basis: str) -> Any:
    return recoupling(source, target, list(irreps), root, basis)
