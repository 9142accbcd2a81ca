r"""Networks with fixed weights that carry multipole moments up a hierarchy exactly, and their Coulomb energy.

With :math:`R^l(r)` the solid harmonics of normalization "norm", the moments of degree L of parts at d from their parent
are, about the parent's own position,

.. math:: M^L = \sum_i \sum_{a + b = L} \sqrt{\tfrac{(2L)!}{(2a)!\,(2b)!}}\; \big[M_i^a \otimes R^b(d_i)\big]^L,

so charge, dipole and quadrupole of any part follow from those of its children, without error: sec. 4.0.1 of the N-body
paper, by bare and directed terms. Two bodies at :math:`r = r_i - r_j` have the energy

.. math:: E = \sum_{a + b = L} (-1)^a \sqrt{\tfrac{(2L)!}{(2a)!\,(2b)!}}\;
              [M_i^a \otimes M_j^b]^L \cdot R^L(r)\, |r|^{-2L - 1}.

Derivation: docs/multipoles.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import factorial, sqrt
from typing import Any

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.gates.pairs import Pairs
from nbody_ref.gates.terms import Bare, Directed, Gate
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.network.layout import Schemes
from nbody_ref.network.network import Network, Spec
from nbody_ref.ops.radial import InversePowers
from nbody_ref.scheme import Scheme

__all__ = ["COULOMB", "coulomb_network", "moments", "multipole_network"]

Array = np.ndarray[Any, Any]

COULOMB = 14.399645478425668  # e^2 / (4 pi eps_0) in eV Angstrom, CODATA 2018


def moments(lmax: int) -> Irreps:
    """Type of the moments of degrees 0..lmax: charge 0e, dipole 1o, quadrupole 2e, ..."""
    return Irreps([(1, Irrep(l, (-1) ** l)) for l in range(check_integer("moments", "lmax", lmax) + 1)])


def multipole_network(schemes: Sequence[Scheme], species: Sequence[int], lmax: int = 2) -> Network:
    """A network on composition schemes whose states are the moments of their parts, exactly.

    Parameters
    ----------
    schemes : sequence of Scheme
        Whatever their levels, kinds and positions.
    species : sequence of int
        Atomic numbers that occur.
    lmax : int
        Highest moment.

    Returns
    -------
    Network
        Atoms come with their own moments, `Spec.given` = `moments(lmax)`: a charge, a dipole (y, z, x), ...; the root's
        state is the moments of the whole about the root's position.
    """
    layout, tau = Schemes.like(list(schemes)), moments(lmax)
    lines = range(1, lmax + 1)
    terms = [
        (Bare(level=s), *(Directed(InversePowers((-b,)), b, (b,), "norm", level=s) for b in lines))
        for s in range(len(layout.kinds))
    ]
    gates = [Gate(tuple(t for s in sources for t in terms[s]), tau) for sources in layout.sources]
    outputs = tuple((f"moment {l}", str(Irreps([part]))) for l, part in enumerate(tau))
    spec = Spec(tuple(species), 1.0, tuple(gates), schemes=layout, outputs=outputs, given=str(tau))
    leaves = [spec.leaves, *[tau] * len(layout.kinds)]

    def weights(level: int, irrep: Irrep) -> Iterator[float]:
        """Of every fragment of an irrep: bare sums and products with harmonics, level by level of the children."""
        for s in layout.sources[level]:
            for b in range(lmax + 1):
                for i, part in enumerate(leaves[s]):
                    if irrep in part.irrep * Irrep(b, (-1) ** b):
                        moment = s > 0 or i > 0  # the first part of a leaf is its species
                        yield from [_weight(part.irrep.l, b, irrep.l) * moment] * part.mul

    return _with(Network(spec), lambda level: [x for part in tau for x in weights(level, part.irrep)])


def coulomb_network(species: Sequence[int], lmax: int = 0, factor: float = COULOMB) -> Network:
    """The Coulomb energy of a molecule of charges, dipoles, ... as a network of one gate of pairs, with forces.

    Parameters
    ----------
    species : sequence of int
    lmax : int
        Highest moment of an atom.
    factor : float
        Energy of two unit charges at unit distance; by default eV Angstrom.

    Returns
    -------
    Network
        On schemes of atoms below one root, such as ``groups(numbers, {})``. Atoms come with `moments(lmax)`: charges in
        e, dipoles in e Angstrom in the order y, z, x, quadrupoles as sum q R^2(r). The states are fixed: torques and
        induction are not part of it.
    """
    tau = moments(lmax)
    terms = tuple(Pairs(InversePowers((L + 1,)), L, (L,), "norm", ("0e",)) for L in range(2 * lmax + 1))
    kinds = Schemes(((("molecule",),),), ((0,),))
    spec = Spec(tuple(species), 1.0, (Gate(terms, Irreps("1x0e")),), schemes=kinds, given=str(tau))
    leaves = spec.leaves

    def weights() -> Iterator[float]:
        """Of every fragment: psi_i, harmonic, psi_j in the order of the products.

        The signs are (-1)^a and (-1)^L, for [[M_i R]^b M_j]^0 = (-1)^L [M_i M_j]^L . R / sqrt(2L + 1).
        """
        paths = (
            (i, L, j)
            for L in range(2 * lmax + 1)
            for i, one in enumerate(leaves)
            for middle in one.irrep * Irrep(L, (-1) ** L)
            for j, two in enumerate(leaves)
            if two.irrep == middle
        )
        for i, L, j in paths:  # the first part of a leaf is its species
            a, b = leaves[i].irrep.l, leaves[j].irrep.l
            weight = factor / 2 * (-1) ** (a + L) * sqrt(2 * L + 1) * _weight(a, b, L) if i and j else 0.0
            yield from [weight] * (leaves[i].mul * leaves[j].mul)

    return _with(Network(spec), lambda level: list(weights()))


def _weight(a: int, b: int, L: int) -> float:
    """sqrt((2L)! / ((2a)! (2b)!)) for L = a + b, else 0."""
    return sqrt(factorial(2 * L) / (factorial(2 * a) * factorial(2 * b))) if L == a + b else 0.0


def _with(network: Network, rows: Callable[[int], list[float]]) -> Network:
    """The network with these weights, level by level, for all kinds of nodes alike."""
    found = {}
    for level, (name, array) in enumerate(network.parameters.items()):
        found[name] = np.broadcast_to(np.array(rows(level)), array.shape)
    return network.with_parameters(found)
