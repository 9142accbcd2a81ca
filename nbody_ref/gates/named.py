r"""Gates that the N-body paper names, as lists of declared terms."""

from __future__ import annotations

from typing import Any

from nbody_ref.checks import LARGEST, check_integer
from nbody_ref.errors import ArgumentError
from nbody_ref.gates.pairs import Pairs
from nbody_ref.gates.terms import Directed, Gate, Product
from nbody_ref.irreps import Irreps
from nbody_ref.ops.radial import InversePowers

__all__ = ["first_order", "relative", "zeroth_order"]


def zeroth_order(out: Irreps | str) -> Gate:
    r"""Zeroth-order interaction gate, eq. (10), sec. 4.0.1.

    .. math:: \Phi = \mathcal{L}\Big(\sum_i |r_i|^{-s}\,(\psi_{ch_i} \otimes r_i),\; s = 0, 1, 2\Big)

    Parameters
    ----------
    out : Irreps or str
        Type of the parent's state; only irreps that occur in psi x r.

    Returns
    -------
    Gate
        One term: r |r|^-s is the unit vector times |r|^(1-s), so the radial functions are the powers 1, 0, -1.
        Fragments of one degree are ordered by path (child part, then degree), then s, then child fragment.

    Raises
    ------
    IrrepsError
        If `out` is no type.

    Notes
    -----
    The paper prints the type of (1,..,1) x (0,1) as (1, 3, 2, .., 2, 1); by its own rule it is
    (1, 3, 3, .., 3, 2, 1), docs/paper_map.md.

    Examples
    --------
    >>> from nbody_ref.gates import zeroth_order
    >>> gate = zeroth_order("2x0e + 2x1o")
    >>> str(gate.out), gate.terms[0].radial.powers, gate.terms[0].degrees
    ('2x0e + 2x1o', (-1, 0, 1), (1,))
    """
    unit_times_powers = Directed(InversePowers((-1, 0, 1)), lmax=1, degrees=(1,), normalization="norm")
    return Gate((unit_times_powers,), Irreps(out))


def first_order(out: Irreps | str, powers: tuple[int, ...] = (0, 1, 2, 3)) -> Gate:
    r"""First-order interaction gate, eq. (11), sec. 4.0.2, factorised: O(k) for k children instead of O(k^2).

    .. math:: \Phi = \mathcal{L}\Big(A_s \otimes A_s,\; s = 0..3\Big), \qquad
              A_s = \sum_i |r_i|^{-s}\,(\psi_{ch_i} \otimes r_i)

    Parameters
    ----------
    out : Irreps or str
        Type of the parent's state.
    powers : tuple of int
        The exponents s, one term each.

    Returns
    -------
    Gate
        One product of two equal summed legs for each s, every channel with every other.

    Raises
    ------
    IrrepsError
        If `out` is no type.
    ArgumentError
        If `powers` are not integers.

    Notes
    -----
    The paper couples ((psi_i x psi_j) x r_i) x r_j. `recoupling.first_order_matrix` is the orthogonal matrix between
    its fragments and these, hence between the weights. The sum includes i = j, as printed; misprints of the equation
    are listed in docs/paper_map.md. docs/derivations/gate_first_order.md.

    Examples
    --------
    >>> from nbody_ref.gates import first_order
    >>> [leg.radial.powers for leg in first_order("1x0e", powers=(0, 1)).terms[1].legs]
    [(0,), (0,)]
    """
    tau = Irreps(out)
    keep = tuple(dict.fromkeys(str(part.irrep) for part in tau))
    exponents = _less_one("first_order", powers)
    legs = [Directed(InversePowers((s,)), lmax=1, degrees=(1,), normalization="norm") for s in exponents]
    return Gate(tuple(Product((leg, leg), keep, mode="full") for leg in legs), tau)


def relative(out: Irreps | str, powers: tuple[int, ...] = (0, 1, 2, 3)) -> Gate:
    r"""Relative first-order interaction gate, eq. (12), sec. 4.0.2, the sum taken over i != j.

    .. math:: \Phi = \mathcal{L}\Big(\sum_{i \ne j} |r_{ij}|^{-s}\,
              (\psi_{ch_i} \otimes r_{ij}) \otimes \psi_{ch_j},\; s = 0..3\Big), \qquad r_{ij} = r_{ch_i} - r_{ch_j}

    Parameters
    ----------
    out : Irreps or str
        Type of the parent's state.
    powers : tuple of int
        The exponents s.

    Returns
    -------
    Gate
        One term. Fragments of one degree are ordered by path of psi_i x r_ij, then s, then path of the second product.

    Raises
    ------
    IrrepsError
        If `out` is no type.
    ArgumentError
        If `powers` are not integers.
    GeometryError
        When evaluated, if two children of one parent are at the same position.

    Notes
    -----
    The paper's order of coupling, (psi_i x psi_j) x r_ij, is related by `recoupling.relative_matrix`. Its terms
    i = j are 0 times infinity and are left out. docs/derivations/gate_relative.md.

    Examples
    --------
    >>> from nbody_ref.gates import relative
    >>> relative("1x0e").terms[0].radial.powers
    (-1, 0, 1, 2)
    """
    tau = Irreps(out)
    keep = tuple(dict.fromkeys(str(part.irrep) for part in tau))
    radial = InversePowers(_less_one("relative", powers))
    return Gate((Pairs(radial, 1, (1,), "norm", keep),), tau)


def _less_one(function: str, powers: Any) -> tuple[int, ...]:
    """Exponents of the powers that the unit vector takes, from those of the vector."""
    if not isinstance(powers, tuple | list) or not powers:
        raise ArgumentError(f"{function}: 'powers' must be a tuple of integers, at least one, got {powers!r}")
    return tuple(check_integer(function, "powers", s, -LARGEST) - 1 for s in powers)
