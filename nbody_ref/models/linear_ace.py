r"""Linear ACE (Drautz 2019): the energy of an atom is linear in all invariant products of its neighbour density.

.. math::
    A_{i, z n l m} &= \sum_{j: z_j = z} R_n(r_{ij})\, Y_l^m(\hat r_{ij}) \\
    B_{i, \eta} &= \sum_m C_{\eta, m} \prod_{\xi = 1}^{\nu} A_{i, v_\xi}, \qquad v = (z n l m) \\
    E_i &= \sum_\eta c_{z_i \eta} B_{i, \eta}

As an N-body network it has one level of neighbourhoods: psi of a child is the one-hot vector of its species, A is the
term `Directed`, B the terms `Correlations`, and c the only weights, which `nbody_ref.fit.fit` solves for.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbody_ref.errors import NBodyRefError
from nbody_ref.gates.correlations import Correlations
from nbody_ref.gates.terms import Bare, Directed, Gate
from nbody_ref.irreps import Irreps
from nbody_ref.network import Network, Spec
from nbody_ref.ops.radial import ExponentialCosine, Radial

__all__ = ["linear_ace"]


def linear_ace(
    species: Sequence[int],
    degrees: Sequence[int] = (10, 7, 5),
    *,
    cutoff: float = 5.0,
    lmax: int = 3,
    radial: Radial | None = None,
    smoothness: float = 1.5,
) -> Network:
    """Linear ACE as a network to fit in closed form.

    Parameters
    ----------
    species : sequence of int
        Atomic numbers.
    degrees : sequence of int
        Largest sum of n + l (n from 0) over the factors of a product, for products of two, three and four densities;
        shorter: fewer orders. Single densities enter with every n.
    cutoff : float
        Angstrom.
    lmax : int
        Largest l of the density.
    radial : Radial, optional
        R_n; None: eight smooth ones of `ExponentialCosine`.
    smoothness : float
        The fit expects coefficients to fall as the product of (n + 1)^-smoothness.

    Returns
    -------
    Network
        Output 1x0e; its readout is c, shape (number of species, number of invariants).

    Raises
    ------
    NBodyRefError
        If there are more than three degrees.

    Examples
    --------
    >>> from nbody_ref.models.linear_ace import linear_ace
    >>> network = linear_ace([1, 8], degrees=(4, 3))
    >>> network.species, network.cutoff
    ((1, 8), 5.0)
    """
    if len(degrees) > 3:
        raise NBodyRefError(f"linear_ace: 'degrees' must be for products of two to four, got {len(degrees)} of them")
    functions = radial if radial is not None else ExponentialCosine(8, cutoff, p=3, scale=1.5)
    density = Directed(functions, lmax, smoothness=smoothness)
    products = (Correlations(density, order, degree) for order, degree in enumerate(degrees, start=2))
    gate = Gate((Bare("centre"), Directed(functions, 0), *products), Irreps("1x0e"))
    return Network(Spec(tuple(species), cutoff, (gate, Gate((Bare(),)))))
