"""Definition 3: a whole N-body network, evaluated node by node over any ring, and the action of rotations on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from nbody_ref.checks import check_integer
from nbody_ref.errors import SchemeError, ShapeError
from nbody_ref.exact.definition import Child, State, Vector
from nbody_ref.exact.ring import plain
from nbody_ref.exact.wigner import rotation_matrix
from nbody_ref.irreps import Irreps
from nbody_ref.scheme import Scheme

__all__ = [
    "affine_position",
    "evaluate",
    "evaluate_scheme",
    "flatten",
    "rational_points",
    "rotate",
    "transform",
    "unflatten",
]

Gate = Callable[[list[Child]], State]
Matrix = Sequence[Sequence[Any]]


def evaluate(
    children: Sequence[Sequence[int]],
    positions: Sequence[Vector],
    leaf_states: Mapping[int, State],
    gates: Mapping[int, Gate],
    own: Collection[tuple[int, int]] = (),
) -> list[State]:
    r"""States of all nodes of an N-body network, Definition 3.

    .. math:: \psi_j = \Phi_j(r_{ch_1} - r_j, \ldots;\ \psi_{ch_1}, \ldots)

    Parameters
    ----------
    children : sequence of sequences of int
        Children of every node, as node numbers; empty for a leaf.
    positions : sequence of (x, y, z)
        Position of every node over any ring.
    leaf_states : mapping of node -> state
    gates : mapping of node -> callable (list of Child) -> state
        Aggregation rule of every inner node: a gate of `definition` followed by `mixing`.
    own : collection of (parent, child), optional
        Children that sit at their parent's position by declaration.

    Returns
    -------
    list of state
        One per node.

    Raises
    ------
    SchemeError
        If the graph has a cycle, or a leaf has no state, or an inner node no gate.
    """
    states: dict[int, State] = {}
    under_way: set[int] = set()

    def visit(node: int) -> State:
        if node in states:
            return states[node]
        if node in under_way:
            raise SchemeError(f"evaluate: node {node} is its own descendant")
        source: Mapping[int, Any] = gates if children[node] else leaf_states
        if node not in source:
            raise SchemeError(f"evaluate: {'inner node' if children[node] else 'leaf'} {node} has no rule")
        under_way.add(node)
        if children[node]:
            arguments = []
            for child in children[node]:
                r_rel = [x - y for x, y in zip(positions[child], positions[node])]
                arguments.append(Child(r_rel, visit(child), (node, child) in own))
            states[node] = gates[node](arguments)
        else:
            states[node] = leaf_states[node]
        return states[node]

    return [visit(node) for node in range(len(children))]


def evaluate_scheme(
    scheme: Scheme, positions: Sequence[Vector], leaf_states: Mapping[int, State], gates: Mapping[Hashable, Gate]
) -> list[State]:
    """States of all nodes of an N-body network on a composition scheme, Definitions 1 and 3.

    Parameters
    ----------
    scheme : Scheme
        A child whose position has the coefficients of its parent's is an `own` child.
    positions : sequence of (x, y, z)
        Position of every elementary part.
    leaf_states : mapping of elementary part -> state
    gates : mapping of kind -> callable (list of Child) -> state
        Nodes of one kind share their gate.

    Returns
    -------
    list of state
        One per node; that of the whole system is number ``scheme.root``.

    Raises
    ------
    SchemeError
        If a part has no state or a kind no gate.
    """
    nodes = scheme.nodes
    leaves = {i: min(node.part) for i, node in enumerate(nodes) if not node.children}
    pairs = [(i, child) for i, node in enumerate(nodes) for child in node.children]
    return evaluate(
        [node.children for node in nodes],
        [affine_position(node.position, positions) for node in nodes],
        {i: leaf_states[part] for i, part in leaves.items() if part in leaf_states},
        {i: gates[node.kind] for i, node in enumerate(nodes) if node.children and node.kind in gates},
        {(i, child) for i, child in pairs if nodes[i].position == nodes[child].position},
    )


def affine_position(coefficients: Mapping[int, Any], positions: Sequence[Vector]) -> list[Any]:
    """Position of a node as an affine combination of leaf positions; the coefficients must sum to one.

    Raises
    ------
    SchemeError
        If they do not: the position would not follow a translation.
    """
    if not isinstance(coefficients, Mapping):
        raise SchemeError(f"affine_position: 'coefficients' must map parts to numbers, got {coefficients!r}")
    if sum(coefficients.values()) != 1:
        raise SchemeError(f"affine_position: 'coefficients' must sum to 1, got {sum(coefficients.values())}")
    return [sum(weight * plain(positions[leaf][axis]) for leaf, weight in coefficients.items()) for axis in range(3)]


def transform(state: State, matrix: Callable[[int], Matrix], inversion: bool = False) -> State:
    """Action of a rotation on a state, eq. (3): every fragment of degree l is multiplied by matrix(l).

    Parameters
    ----------
    state : state
    matrix : callable l -> (2l + 1) x (2l + 1)
        Representation matrix in the gauge of the state, such as ``lambda l: monomial_D(l, q)``.
    inversion : bool
        Follow by the inversion, multiplication by the parity.

    Returns
    -------
    state
    """
    result: State = []
    for irrep, fragments in state:
        sign = irrep.p if inversion and irrep.p is not None else 1
        rows = matrix(irrep.l)
        turned = [[sum(a * x for a, x in zip(row, fragment)) * sign for row in rows] for fragment in fragments]
        result.append((irrep, turned))
    return result


def rotate(r: Vector, q: Sequence[int | Fraction], inversion: bool = False) -> list[Any]:
    """Position turned by a rational quaternion (w, x, y, z), then inverted if asked."""
    sign = -1 if inversion else 1
    return [sign * sum(a * plain(x) for a, x in zip(row, r)) for row in rotation_matrix(q)]


def rational_points(count: int, q: Sequence[int] = (1, 2, 3, 4)) -> list[list[Fraction]]:
    r"""Points whose distances from the origin and from each other are all rational, in general orientation.

    Parameters
    ----------
    count : int
    q : quaternion that turns the construction away from the axes.

    Returns
    -------
    list of [x, y, z] of Fraction

    Notes
    -----
    The points (cos 2a, sin 2a, 3/4) with rational cos a and sin a lie on a circle; they are 5/4 from the origin and
    2 |sin(a - b)| from each other. cos a = (1 - t^2)/(1 + t^2), sin a = 2t/(1 + t^2) for t = 1/2, 1/3, ...
    """
    points = []
    for k in range(check_integer("rational_points", "count", count)):
        t = Fraction((-1) ** k, k + 2)
        cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
        points.append(rotate([cosine**2 - sine**2, 2 * cosine * sine, Fraction(3, 4)], q))
    return points


def flatten(state: State) -> list[Any]:
    """Flat state in the layout of the arrays: part after part, (2l + 1, mul) each, channel fastest."""
    return [f[k] for irrep, fragments in state for k in range(irrep.dim) for f in fragments]


def unflatten(irreps: Irreps | str, flat: Sequence[Any]) -> State:
    """State from a flat sequence of `irreps.dim` ring elements; the inverse of `flatten`.

    Raises
    ------
    ShapeError
        If `flat` has the wrong length.
    """
    tau = Irreps(irreps)
    try:
        came = len(flat)
    except TypeError:
        came = 0
    if came != tau.dim:
        raise ShapeError(f"unflatten: 'flat' must have {tau.dim} components, got {came}")
    state: State = []
    for start, (mul, irrep) in zip(tau.offsets, tau):
        columns = [[plain(flat[start + k * mul + c]) for k in range(irrep.dim)] for c in range(mul)]
        state.append((irrep, columns))
    return state
