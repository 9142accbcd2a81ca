r"""The potential that a fit starts from: fixed covariant layers with a readout that is linear in its weights.

Atoms -> neighbourhoods -> molecule. A neighbourhood sums its atoms into one density for each species and radial
function, mixes that density into random channels by weights that are smooth in the distance, and forms invariants of
two to five bodies as products of one to four mixed densities. The energy is linear in the invariants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

from nbody_ref.checks import check_integer
from nbody_ref.errors import ArgumentError
from nbody_ref.gates.terms import Bare, Directed, Gate, Product
from nbody_ref.irreps import Irreps
from nbody_ref.network.network import Network, Spec
from nbody_ref.ops.radial import ExponentialCosine

__all__ = ["SIZES", "default"]

# channels of products of two, three and four densities
SIZES = {
    "small": (64, 64, 16),
    "medium": (64, 80, 32),
    "large": (64, 96, 48),
    "xlarge": (96, 160, 96),
    "xxlarge": (128, 220, 140),
}
LMAX = 3
TOTAL_DEGREE = 6  # of products of four densities


def default(
    species: Sequence[int],
    cutoff: float = 5.0,
    smoothness: float = 1.5,
    size: str | tuple[int, int, int] = "small",
    n_radial: int = 8,
    seed: int = 0,
) -> Network:
    """Network for fitting a small molecule in closed form.

    Parameters
    ----------
    species : sequence of int
        Atomic numbers that occur.
    cutoff : float
        Radius of a neighbourhood, Angstrom.
    smoothness : float
        Weights of radial function n are drawn with variance proportional to (n + 1)**(-2 smoothness).
    size : {"small", "medium", "large", "xlarge", "xxlarge"} or tuple of int
        Channels of products of two, three and four densities; "small" suits tens of frames, "xxlarge" a thousand.
    n_radial : int
        Radial functions.
    seed : int
        Of the random weights.

    Returns
    -------
    Network
        Output 1x0e; `Network.readout` names the weights to solve for, shape (number of species, P).

    Raises
    ------
    ArgumentError
        If `size` is neither a known name nor three positive integers, or `n_radial`, `seed` or `smoothness` no number
        that is needed there.
    NBodyRefError, GeometryError
        If `species` are not distinct atomic numbers, or `cutoff` is not a positive length.

    Examples
    --------
    >>> from nbody_ref.network import default
    >>> network = default([1, 6, 8], cutoff=4.0)
    >>> network.cutoff, network.species
    (4.0, (1, 6, 8))
    """
    pairs, triples, quadruples = _channels(size)
    n_radial, seed = check_integer("default", "n_radial", n_radial, 1), check_integer("default", "seed", seed)
    if not isinstance(smoothness, Real) or isinstance(smoothness, bool) or not math.isfinite(smoothness):
        raise ArgumentError(f"default: 'smoothness' must be a finite number, got {smoothness!r}")
    smoothness = float(smoothness)  # NumPy's numbers are not JSON
    radial = ExponentialCosine(n_radial, cutoff, p=3, scale=1.5)

    def legs(count: int, mul: int) -> tuple[Directed, ...]:
        return (Directed(radial, LMAX, mul=mul, smoothness=smoothness),) * count

    terms = (
        Bare("centre"),
        Directed(radial, 0),
        Product(legs(2, pairs), ("0e",)),
        Product(legs(3, triples), ("0e",), ordered=True),
        Product(legs(4, quadruples), ("0e",), bond=LMAX, total=TOTAL_DEGREE, ordered=True),
    )
    neighbourhood = Gate(terms, Irreps("1x0e"))
    return Network(Spec(tuple(species), radial.cutoff, (neighbourhood, Gate((Bare(),)))), seed=seed)


def _channels(size: str | tuple[int, int, int]) -> tuple[int, int, int]:
    found = SIZES.get(size) if isinstance(size, str) else size
    if not isinstance(found, (tuple, list)) or len(found) != 3:
        raise ArgumentError(f"default: 'size' must be one of {sorted(SIZES)} or three numbers, got {size!r}")
    pairs, triples, quadruples = (check_integer("default", "size", mul, 1) for mul in found)
    return pairs, triples, quadruples
