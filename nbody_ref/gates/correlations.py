r"""All products of one density with itself, each once: the basis of the atomic cluster expansion.

The density of a neighbourhood has a fragment A_{z n l} for each species z, radial function n and degree l. A product of
`order` of them is labelled by a multiset of (z, n, l) and the couplings in between. Multisets are counted once, because
products commute, and bounded by the sum of n + l (n from 0):

.. math:: B_{a b} = [A_a A_b]^0, \quad B_{a b c} = [[A_a A_b]^{l_c} A_c]^0, \quad
          B_{a b c d, L} = [[A_a A_b]^L [A_c A_d]^L]^0, \qquad a \le b \le c \le d .

For two and three factors there is one invariant for each multiset of admissible degrees, and none is a combination of
others. For four, all L are listed; where factors repeat, some of these depend on others (`nbody_ref.fusion.symmetric`
counts how many do not).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from typing import Any, ClassVar, NamedTuple

from nbody_ref.checks import check_kind
from nbody_ref.errors import ArgumentError, IrrepsError
from nbody_ref.gates import fields, steps
from nbody_ref.gates.build import Builder, Place, State
from nbody_ref.gates.term import Term
from nbody_ref.gates.terms import Directed
from nbody_ref.irreps import Irrep, Irreps

__all__ = ["Correlations", "factors"]

MOST_FACTORS = 4


@dataclass(frozen=True)
class Correlations(Term):
    """Invariant products of a density with itself, up to an order and a degree.

    Parameters
    ----------
    leg : Directed
        The density, its fragments as they are (no `mul`).
    order : int
        Number of factors, 2 to 4.
    degree : int
        Largest sum of n + l over the factors, n counted from 0.

    Raises
    ------
    ArgumentError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.gates import Correlations, Directed
    >>> from nbody_ref.ops.radial_families import ExponentialCosine
    >>> leg = Directed(ExponentialCosine(3, 5.0), lmax=2)
    >>> Correlations(leg, order=3, degree=4).n_factors
    3
    """

    leg: Directed
    order: int
    degree: int

    reads: ClassVar[dict[str, Any]] = {"leg": Term.from_dict}

    def __post_init__(self) -> None:
        check_kind("Correlations", "leg", self.leg, Directed, "a Directed term")
        if self.leg.mul is not None or self.leg.keep is not None:
            raise ArgumentError("Correlations: 'leg' must be a density as it is, without 'mul' and 'keep'")
        fields.check_integers(self, {"order": 2, "degree": 0})
        if self.order > MOST_FACTORS:
            raise ArgumentError(f"Correlations: 'order' must be 2, 3 or {MOST_FACTORS}, got {self.order!r}")

    @property
    def n_factors(self) -> int:
        """The order."""
        return self.order

    def emit(self, builder: Builder, place: Place, name: str) -> State:
        """The products of the density; one invariant for each multiset, and how its coefficient is expected to fall."""
        density = self.leg.emit(builder, place, f"{name}/density")
        irreps, scalar = density.irreps, Irrep(0, 1 if density.irreps.has_parity else None)
        found = list(_labelled(irreps, self))
        if not found:
            raise IrrepsError(f"Correlations: 'degree' {self.degree} leaves no invariant of {self.order} factors")
        nodes = {node: i for i, node in enumerate(dict.fromkeys(node for label in found for node in label.nodes))}
        pair = builder.product(density, density, f"{name}/pairs", "full", nodes)
        if self.order > 2:
            right = density if self.order == 3 else pair
            seconds = (nodes[x.nodes[1]] if self.order == 4 else x.parts[2] for x in found)
            paths = [(nodes[x.nodes[0]], second, scalar) for x, second in zip(found, seconds, strict=True)]
            pair = builder.product(pair, right, f"{name}/product{self.order}", "full", paths)
        chosen = [_channels(label, irreps) for label in found]
        offsets = pair.irreps.offsets
        columns = [start + channel for start, kept in zip(offsets, chosen, strict=True) for channel in kept]
        type_out = Irreps((len(k), part.irrep) for part, k in zip(pair.irreps, chosen, strict=True) if k)
        result = builder.emit(steps.TAKE, (pair,), name, _spans(columns), irreps=type_out)
        falling = (prod(n + 1.0 for n in numbers) ** -self.leg.smoothness for numbers in factors(irreps, self))
        builder.decay[result] = tuple(falling)
        return result


def factors(irreps: Irreps, term: Correlations) -> list[tuple[int, ...]]:
    """Radial numbers n of the factors of each invariant, in the order of the columns."""
    found = []
    for label in _labelled(irreps, term):
        numbers = tuple(part % term.leg.radial.n for part in label.parts)
        found += [numbers] * len(_channels(label, irreps))
    return found


class _Label(NamedTuple):
    """A multiset of parts of the density, and the couplings (part, part, irrep) of its first two and last two."""

    parts: tuple[int, ...]
    nodes: tuple[tuple[int, int, Irrep], ...]


def _labelled(irreps: Irreps, term: Correlations) -> Iterator[_Label]:
    """All multisets of parts with their couplings to an invariant; the density lists l ascending, then n."""
    n = term.leg.radial.n
    cost = [part.irrep.l + i % n for i, part in enumerate(irreps)]
    scalar = Irrep(0, 1 if irreps.has_parity else None)

    def grow(parts: tuple[int, ...], left: int) -> Iterator[tuple[int, ...]]:
        if len(parts) == term.order:
            yield parts
            return
        for part in range(parts[-1] if parts else 0, len(irreps)):
            if cost[part] <= left:
                yield from grow((*parts, part), left - cost[part])

    for parts in grow((), term.degree):
        kinds = [irreps[part].irrep for part in parts]
        for bond in kinds[0] * kinds[1]:
            node = (parts[0], parts[1], bond)
            if term.order == 2 and bond == scalar:
                yield _Label(parts, (node,))
            elif term.order == 3 and bond == kinds[2]:
                yield _Label(parts, (node,))
            elif term.order == 4 and bond in kinds[2] * kinds[3]:
                yield _Label(parts, (node, (parts[2], parts[3], bond)))


def _channels(label: _Label, irreps: Irreps) -> list[int]:
    """Channels of a product, out of all combinations of species, that no other one repeats and that are not zero."""
    counts = [irreps[part].mul for part in label.parts]
    kept = []
    for channel, species in enumerate(product(*(range(n) for n in counts))):
        pairs = list(zip(label.parts, species, strict=True))
        repeated = any(a == b and u > v for (a, u), (b, v) in pairwise(pairs))
        zero = any(
            pairs[k] == pairs[k + 1] and (2 * irreps[node[0]].irrep.l - node[2].l) % 2
            for k, node in zip((0, 2), label.nodes, strict=False)
        )
        if not repeated and not zero:
            kept.append(channel)
    return kept


def _spans(columns: list[int]) -> tuple[tuple[int, int], ...]:
    """Ranges (start, stop) of ascending columns."""
    spans: list[tuple[int, int]] = []
    for column in columns:
        if spans and spans[-1][1] == column:
            spans[-1] = (spans[-1][0], column + 1)
        else:
            spans.append((column, column + 1))
    return tuple(spans)
