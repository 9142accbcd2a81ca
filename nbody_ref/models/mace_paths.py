r"""The product basis of MACE: its paths in the published order, and the same functions in the symmetric reduced basis.

MACE couples copies of A along left combs, eq. (M3), and lists every path, although exchanging legs changes nothing and
most paths depend on others. Its weights W^nu of eq. (M4) are therefore folded exactly,

.. math:: \sum_\eta W_\eta B_\eta = \sum_i \Big( \sum_\eta W_\eta M_{\eta i} \Big) B_i ,

where i runs over the independent paths of `nbody_ref.fusion.symmetric_basis`, M is its exact expansion, and only those
are evaluated. Signs are those of e3nn 0.4.4. docs/models/mace.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod
from typing import NamedTuple

from nbody_ref.conventions import get
from nbody_ref.fusion import Diagram, Term, left_comb, symmetric_basis
from nbody_ref.fusion.label import twice
from nbody_ref.irreps import Irrep, Irreps

__all__ = [
    "MACE",
    "PublishedPath",
    "Symmetric",
    "coupling_sign",
    "published_paths",
    "symmetric",
]

MACE = "e3nn==0.4.4"  # mace-torch pins this version


class PublishedPath(NamedTuple):
    """A comb path as MACE lists it: parts of A on its legs, its diagram, and MACE's tensor over ours, +1 or -1."""

    parts: tuple[int, ...]
    diagram: Diagram
    sign: int


@cache
def published_paths(irreps: Irreps, n: int, root: Irrep, convention: str = MACE) -> tuple[PublishedPath, ...]:
    """All comb paths of n legs to `root` in the order of MACE's tensors U.

    The list grows leg by leg and is sorted by the irrep reached after each, odd parity before even at equal degree;
    sorting keeps the order of equals.

    Parameters
    ----------
    irreps : Irreps
        Type of A.
    n : int
        Correlation order nu.
    root : Irrep
        LM of eq. (M3).
    convention : str
        Whose couplings; see `nbody_ref.conventions.names`.

    Examples
    --------
    >>> [path.parts for path in published_paths(Irreps("8x0e + 8x1o"), 2, Irrep.parse("1o"))]
    [(0, 1), (1, 0)]
    """
    found: list[tuple[Irrep, tuple[int, ...], tuple[Irrep, ...]]] = [
        (part.irrep, (i,), ()) for i, part in enumerate(irreps)
    ]
    for _ in range(n - 1):
        grown = [
            (irrep, (*parts, j), (*outputs, irrep))
            for left, parts, outputs in found
            for j, part in enumerate(irreps)
            for irrep in left * part.irrep
        ]
        found = sorted(grown, key=lambda path: (path[0].l, path[0].p or 0))
    diagrams = (
        (parts, Diagram(left_comb(n), tuple(irreps[p].irrep for p in parts), outputs))
        for irrep, parts, outputs in found
        if irrep == root
    )
    return tuple(PublishedPath(parts, diagram, _sign(diagram, convention)) for parts, diagram in diagrams)


def _sign(diagram: Diagram, convention: str) -> int:
    """Product of the signs of all vertices."""
    degrees = (tuple(twice(label) // 2 for label in triple) for triple in diagram.triples)
    return prod(coupling_sign(convention, *triple) for triple in degrees)


def coupling_sign(convention: str, l1: int, l2: int, l: int) -> int:
    """Sign of a library's coupling, for e3nn sqrt(2l + 1) w3j(l1, l2, l), relative to ours."""
    return get(convention).coupling_sign(l1, l2, l)


@dataclass(frozen=True)
class Symmetric:
    """The nu-fold product of A to one irrep: independent paths and how the published ones expand in them.

    Attributes
    ----------
    terms : tuple of Term
        Independent comb diagrams; empty for nu = 1.
    expansion : tuple of (published path, independent path, coefficient)
        Nonzeros of the matrix M, signs of e3nn included.
    n_published, n_independent : int
    """

    terms: tuple[Term, ...]
    expansion: tuple[tuple[int, int, float], ...]
    n_published: int
    n_independent: int


@cache
def symmetric(irreps: Irreps, n: int, root: Irrep, convention: str = MACE) -> Symmetric:
    """Both bases of the n-fold product of A, and the exact matrix between them."""
    published = published_paths(irreps, n, root, convention)
    if not published:
        return Symmetric((), (), 0, 0)
    basis = symmetric_basis(irreps, n, root)
    row = {(path.parts, path.diagram.outputs): i for i, path in enumerate(basis.full)}
    expansion = []
    for k, path in enumerate(published):
        for i, value in basis.expansion[row[path.parts, path.diagram.outputs]]:
            expansion.append((k, i, path.sign * float(value.round("float64"))))
    terms = tuple(Term(path.diagram, tuple((0, p) for p in path.parts)) for path in basis.paths)
    return Symmetric(terms, tuple(expansion), len(published), len(basis.paths))
