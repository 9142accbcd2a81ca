"""Schemes that are written down by a rule: neighbourhoods of atoms, and groups that the user names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from numbers import Real
from typing import Any

from nbody_ref.checks import check_integer
from nbody_ref.errors import SchemeError
from nbody_ref.scheme.definition import Node, Scheme

__all__ = ["barycentre", "check_neighbours", "check_species", "groups", "neighbourhoods"]

LARGEST = 1_000_000  # nodes


def barycentre(weights: Mapping[int, int | Fraction | float]) -> dict[int, Fraction]:
    """Coefficients of a weighted centre, such as the centre of mass: weights divided by their sum, exactly.

    Parameters
    ----------
    weights : mapping from elementary part to int, Fraction or float
        A float stands for its exact value.

    Returns
    -------
    dict of Fraction
        Sums to one.

    Raises
    ------
    SchemeError
        If the weights sum to zero, or one is not a finite number.

    Examples
    --------
    >>> barycentre({0: 16, 1: 1, 2: 1})
    {0: Fraction(8, 9), 1: Fraction(1, 18), 2: Fraction(1, 18)}
    """
    if not isinstance(weights, Mapping):
        raise SchemeError(f"barycentre: 'weights' must map parts to numbers, got {weights!r}")
    exact = {check_integer("barycentre", "weights", i, None): _number(weight) for i, weight in weights.items()}
    total = sum(exact.values(), Fraction(0))
    if total == 0:
        raise SchemeError(f"barycentre: 'weights' must not sum to zero, got {dict(weights)}")
    return {i: weight / total for i, weight in exact.items()}


def neighbourhoods(neighbours: Sequence[Iterable[int]], species: Sequence[int], depth: int = 1) -> Scheme:
    """Atoms, neighbourhoods, neighbourhoods of neighbourhoods, ..., molecule (sec. 3 of the N-body paper).

    Parameters
    ----------
    neighbours : sequence over atoms of iterable of int
        Neighbours of each atom, without itself.
    species : sequence over atoms of int
        Atomic numbers; they make the kinds ``("atom", Z)`` and ``("neighbourhood", level, Z)``.
    depth : int
        Number of levels of neighbourhoods, at least 1. That of atom i at level k is made from those of its neighbours
        and its own at level k - 1, and sits at the atom.

    Returns
    -------
    Scheme
        Levels 0 (atoms), 1..depth, and the molecule at its centroid. Nodes are numbered level by level, atom by atom.

    Raises
    ------
    SchemeError
        If there is no atom, the two lists differ in length, or a neighbour is out of range, the atom itself, or listed
        twice.
    ArgumentError
        If `depth` is no positive integer.
    """
    species, depth = check_species("neighbourhoods", species), check_integer("neighbourhoods", "depth", depth, 1)
    n = len(species)
    around = [sorted([i, *js]) for i, js in enumerate(check_neighbours("neighbourhoods", neighbours, n))]
    if depth * n > LARGEST:
        raise SchemeError(f"neighbourhoods: 'depth' must give at most {LARGEST} nodes, got {depth} for {n} atoms")
    parts = [frozenset([i]) for i in range(n)]
    nodes = [Node(parts[i], kind=("atom", species[i])) for i in range(n)]
    for level in range(1, depth + 1):
        parts = [frozenset[int]().union(*(parts[j] for j in around[i])) for i in range(n)]
        below = (level - 1) * n
        nodes += [
            Node(parts[i], [below + j for j in around[i]], ("neighbourhood", level, species[i]), {i: 1})
            for i in range(n)
        ]
    nodes.append(Node(range(n), range(depth * n, (depth + 1) * n), ("molecule",)))
    return Scheme(nodes, n)


def groups(species: Sequence[int], groups: Mapping[str, Iterable[int]] | Iterable[Sequence[Any]]) -> Scheme:
    """Atoms, groups of atoms that the user names, molecule: the functional groups of ethanol for example.

    Parameters
    ----------
    species : sequence over atoms of int
        Atomic numbers; they make the kinds ``("atom", Z)``.
    groups : mapping of label to atoms, or sequence of (label, atoms) or (label, atoms, position)
        Groups may overlap, and may contain other groups, which are then shared sub-parts: a group is made from the
        largest groups within it and from its remaining atoms. Groups of one label share their weights. Position:
        affine coefficients over the atoms of the group; the centroid if left out.

    Returns
    -------
    Scheme
        Atoms, groups in the order given, and the molecule at its centroid, made from the groups that lie in no other
        and from the atoms in no group.

    Raises
    ------
    SchemeError
        If there is no atom, a group is empty, lists an atom twice or one that is not there, or two are the same.

    Examples
    --------
    >>> print(groups([8, 1, 1], {"OH": [0, 1]}))
    ('molecule',) {0, 1, 2} at 1/3 r0 + 1/3 r1 + 1/3 r2
    |-- 'OH' {0, 1} at 1/2 r0 + 1/2 r1
    |   |-- ('atom', 8) {0} at r0
    |   '-- ('atom', 1) {1} at r1
    '-- ('atom', 1) {2} at r2
    """
    species = check_species("groups", species)
    n = len(species)
    rows = _listed(groups)
    parts = [frozenset([i]) for i in range(n)]
    for label, atoms, _ in rows:
        part = [check_integer("groups", "groups", i, None) for i in atoms]
        if not part or len(set(part)) != len(part) or not all(0 <= i < n for i in part):
            raise SchemeError(f"groups: {label!r} must list different atoms in 0..{n - 1}, one at least, got {part}")
        if frozenset(part) in parts[n:]:
            raise SchemeError(f"groups: {label!r} must not have the atoms of a group before it, got {part}")
        parts.append(frozenset(part))
    nodes = [Node([i], kind=("atom", z)) for i, z in enumerate(species)]
    for (label, _, position), members in zip(rows, parts[n:], strict=True):
        nodes.append(Node(members, _children(members, n, parts), label, position))
    nodes.append(Node(range(n), _children(None, n, parts), ("molecule",)))
    return Scheme(nodes, n)


def check_species(function: str, species: Sequence[int]) -> list[int]:
    """Atomic numbers as Python's integers, one at least."""
    if isinstance(species, str) or _length(species) is None:
        raise SchemeError(f"{function}: 'species' must list atomic numbers, got {species!r}")
    if not _length(species):
        raise SchemeError(f"{function}: 'species' must have one entry per atom, one atom at least, got 0")
    return [check_integer(function, "species", z, None) for z in species]


def check_neighbours(function: str, neighbours: Sequence[Iterable[int]], n: int) -> list[list[int]]:
    """Neighbours of each atom, ascending; raises if one is out of range, the atom itself, or listed twice."""
    if _length(neighbours) != n:
        came = repr(neighbours) if _length(neighbours) is None else _length(neighbours)
        raise SchemeError(f"{function}: 'neighbours' must have one entry per atom, {n}, got {came}")
    found = []
    for i, given in enumerate(neighbours):
        if not hasattr(given, "__iter__"):
            raise SchemeError(f"{function}: 'neighbours' must list atoms, got {given!r} for atom {i}")
        js = [check_integer(function, "neighbours", j, None) for j in given]
        for j in js:
            if not 0 <= j < n:
                raise SchemeError(f"{function}: neighbours must lie in 0..{n - 1}, got {j} for atom {i}")
        if i in js or len(set(js)) != len(js):
            raise SchemeError(f"{function}: each atom must list each other atom once at most, got {js} for atom {i}")
        found.append(sorted(js))
    return found


def _length(values: Any) -> int | None:
    try:
        return len(values)
    except TypeError:
        return None


def _listed(groups: Any) -> list[tuple[Any, Any, Any]]:
    """(label, atoms, position) of each group."""
    try:
        rows = [tuple(row) for row in (groups.items() if isinstance(groups, Mapping) else groups)]
    except TypeError:
        rows = [()]
    if any(len(row) not in (2, 3) or not hasattr(row[1], "__iter__") for row in rows):
        raise SchemeError(f"groups: 'groups' must map labels to atoms, or list (label, atoms), got {groups!r}")
    return [(row[0], row[1], row[2] if len(row) == 3 else None) for row in rows]


def _children(part: frozenset[int] | None, n: int, parts: Sequence[frozenset[int]]) -> list[int]:
    """Groups that lie within `part` (None: the molecule) and in no other such group, then the atoms in none of them."""
    inside = [i for i in range(n, len(parts)) if part is None or parts[i] < part]
    chosen = [i for i in inside if not any(parts[i] < parts[j] for j in inside)]
    covered = frozenset[int]().union(*(parts[i] for i in chosen))
    return [*chosen, *sorted((frozenset(range(n)) if part is None else part) - covered)]


def _number(weight: Any) -> Fraction:
    if isinstance(weight, Fraction):
        return Fraction(int(weight.numerator), int(weight.denominator))
    if hasattr(weight, "__index__") and not isinstance(weight, bool):
        return Fraction(check_integer("barycentre", "weights", weight, None))
    if isinstance(weight, bool) or not isinstance(weight, Real) or not math.isfinite(weight):
        raise SchemeError(f"barycentre: 'weights' must be finite numbers, got {weight!r}")
    return Fraction(float(weight))
