r"""Gates that the N-body paper names, as lists of declared terms."""

from __future__ import annotations

from nbody_ref.gates.terms import Directed, Gate
from nbody_ref.irreps import Irreps
from nbody_ref.ops.radial import InversePowers

__all__ = ["zeroth_order"]


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

    Notes
    -----
    The paper prints the type of (1,..,1) x (0,1) as (1, 3, 2, .., 2, 1); by its own rule it is
    (1, 3, 3, .., 3, 2, 1), docs/paper_map.md.
    """
    unit_times_powers = Directed(InversePowers((-1, 0, 1)), lmax=1, degrees=(1,), normalization="norm")
    return Gate((unit_times_powers,), Irreps(out))
