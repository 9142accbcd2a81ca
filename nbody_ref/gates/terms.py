r"""What a gate is made of: declared terms, eq. (6) restricted to what is practical.

A gate aggregates the states psi of its children. It is a list of terms, each a sum over children, or a product of
such sums; their fragments stand side by side as the columns of the matrices F of eq. (9), and the mixing W maps them
to the type `out`:

.. math:: \psi = \mathcal{L}\big(\mathrm{term}_1 \oplus \mathrm{term}_2 \oplus \ldots\big)

A term of the user's own needs no new code: it is declared from these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nbody_ref.errors import IrrepsError, SchemeError
from nbody_ref.fusion.tree import leaves
from nbody_ref.gates import fields
from nbody_ref.gates.aggregation import Aggregation
from nbody_ref.gates.correlations import Correlations
from nbody_ref.gates.fusion_block import FusionBlock
from nbody_ref.irreps import Irreps
from nbody_ref.ops.radial import Radial, radial_from_dict
from nbody_ref.tables import check_normalization

__all__ = [
    "Aggregation",
    "Bare",
    "Correlations",
    "Directed",
    "Fusion",
    "FusionBlock",
    "Gate",
    "Pairs",
    "Product",
    "Term",
]

MAX_LEGS = 4


@dataclass(frozen=True)
class Bare:
    r"""Sum of the states themselves, :math:`\sum_i \psi_{ch_i}`.

    Parameters
    ----------
    children : {"all", "centre"}
        All children, or only the one at the parent's own position.
    mul : int, optional
        Mix each irrep to `mul` fragments (a leg of a product needs equal numbers); None: leave them as they are.
    level : int, optional
        Level of the children that the sum runs over; None: the highest level at which there are any.

    Raises
    ------
    IrrepsError
        If a field is not what it must be.
    """

    children: str = "all"
    mul: int | None = None
    level: int | None = None

    def __post_init__(self) -> None:
        fields.check_words(self, {"children": ("all", "centre")})
        fields.check_integers(self, {"mul": 1, "level": 0}, ("mul", "level"))


@dataclass(frozen=True)
class Directed:
    r"""Sum of the states times radial functions and harmonics of the direction,
    :math:`\sum_i \psi_{ch_i} \otimes g_n(|r_i|)\, Y_l(r_i / |r_i|)`, over children at another position than the parent.

    Parameters
    ----------
    radial : Radial
        The functions g_n; one fragment comes out for each n, each child fragment, and each Clebsch-Gordan path.
    lmax : int
        Largest degree of the harmonics.
    degrees : tuple of int, optional
        The degrees themselves, none above `lmax`; None: 0..lmax. The paper's r_rel alone is ``(1,)``.
    normalization : {"component", "norm", "integral"}
        Of the harmonics; "norm" makes degree 1 the unit vector itself, in the order y, z, x.
    keep : tuple of str, optional
        Irreps of the sum to keep; None: all that occur.
    mul : int, optional
        Mix each irrep to `mul` fragments.
    mixed_lmax : int, optional
        Keep only degrees up to this one when mixing.
    smoothness : float
        The initial mixing weights of radial function n fall as (n + 1)**-smoothness, -50 to 50; larger is smoother.
    level : int, optional
        As in `Bare`.

    Raises
    ------
    IrrepsError
        If a field is not what it must be.
    """

    radial: Radial
    lmax: int
    degrees: tuple[int, ...] | None = None
    normalization: str = "component"
    keep: tuple[str, ...] | None = None
    mul: int | None = None
    mixed_lmax: int | None = None
    smoothness: float = 0.0
    level: int | None = None

    def __post_init__(self) -> None:
        fields.check_radial(self)
        fields.check_degrees(self)
        check_normalization(type(self).__name__, self.normalization)
        fields.check_irreps(self, "keep")
        fields.check_integers(self, {"mul": 1, "mixed_lmax": 0, "level": 0}, ("mul", "mixed_lmax", "level"))
        fields.check_number(self, "smoothness")


@dataclass(frozen=True)
class Product:
    r"""Tensor product of up to four summed legs, decomposed from the left: ((leg1 x leg2)^{l12} x leg3)^{l123} ...

    Parameters
    ----------
    legs : tuple of Bare and Directed
    keep : tuple of str
        Irreps kept at the end.
    bond : int, optional
        Largest degree of an intermediate coupling; None: no bound.
    mode : {"channelwise", "full"}
        Pair channel c with c (all legs need equal `mul`), or every channel with every other.
    total : int, optional
        Largest sum of the degrees of the legs; None: no bound.
    ordered : bool
        Keep only couplings with l1 <= l2 <= l3 ...; for legs of one kind the others are rearrangements.

    Raises
    ------
    IrrepsError
        If a field is not what it must be.
    """

    legs: tuple[Bare | Directed, ...]
    keep: tuple[str, ...]
    bond: int | None = None
    mode: str = "channelwise"
    total: int | None = None
    ordered: bool = False

    def __post_init__(self) -> None:
        fields.check_parts(self, "legs", Bare | Directed, "summed terms", 2, MAX_LEGS)
        fields.check_irreps(self, "keep", needed=True)
        fields.check_integers(self, {"bond": 0, "total": 0}, ("bond", "total"))
        fields.check_words(self, {"mode": ("channelwise", "full")})
        fields.check_flags(self, "ordered")


@dataclass(frozen=True)
class Pairs:
    r"""Sum over pairs of different children,
    :math:`\sum_{i \ne j} (\psi_{ch_i} \otimes g_n(r_{ij})\, Y_l(r_{ij}/|r_{ij}|)) \otimes \psi_{ch_j}`, where
    :math:`r_{ij} = r_{ch_i} - r_{ch_j}`; the children's own distances from the parent do not enter.

    Parameters
    ----------
    radial, lmax, degrees, normalization, level
        As in `Directed`.
    keep : tuple of str, optional
        Irreps of the whole product to keep; None: all that occur.

    Raises
    ------
    IrrepsError
        If a field is not what it must be.
    """

    radial: Radial
    lmax: int
    degrees: tuple[int, ...] | None = None
    normalization: str = "component"
    keep: tuple[str, ...] | None = None
    level: int | None = None

    def __post_init__(self) -> None:
        fields.check_radial(self)
        fields.check_degrees(self)
        check_normalization(type(self).__name__, self.normalization)
        fields.check_irreps(self, "keep")
        fields.check_integers(self, {"level": 0}, ("level",))


@dataclass(frozen=True)
class Fusion:
    """A fusion block, eq. (F6), on summed legs; `Product` is its special case of a left comb with channels paired.

    Parameters
    ----------
    legs : tuple of Bare and Directed
        Two or more; ``Bare("centre")`` is a central leg, a `Directed` one a neighbour leg, summed over children by
        itself: the sum over tuples of children, repetitions included, at the cost of one. Equal numbers of fragments.
    block : FusionBlock
    shared : bool
        Legs declared alike are one state, mixed by the same weights; otherwise each has weights of its own.

    Raises
    ------
    IrrepsError
        If a field is not what it must be.
    SchemeError
        If the tree of the block has another number of leaves than there are legs.
    """

    legs: tuple[Bare | Directed, ...]
    block: FusionBlock
    shared: bool = False

    def __post_init__(self) -> None:
        fields.check_parts(self, "legs", Bare | Directed, "summed terms", 2)
        fields.check_kind(self, "block", FusionBlock, "a FusionBlock")
        fields.check_flags(self, "shared")
        if self.block.tree is not None and len(leaves(self.block.tree)) != len(self.legs):
            came = f"{len(leaves(self.block.tree))} and {len(self.legs)}"
            raise SchemeError(f"Fusion: 'block' must have as many leaves as there are 'legs', got {came}")


Term = Bare | Directed | Product | Pairs | Aggregation | Fusion | Correlations


@dataclass(frozen=True)
class Gate:
    """A covariant aggregation rule Phi, eq. (5): terms, then one mixing per irrep.

    Parameters
    ----------
    terms : tuple of Bare, Directed, Product, Pairs, Aggregation, Fusion, Correlations
    out : Irreps, str or None
        Type of the parent's state. None: no mixing, the fragments are the state.

    Raises
    ------
    IrrepsError
        If a field is not what it must be.
    """

    terms: tuple[Term, ...]
    out: Irreps | None = None

    def __post_init__(self) -> None:
        fields.check_parts(self, "terms", Term, "terms such as Bare()")
        if self.out is not None:
            object.__setattr__(self, "out", Irreps(self.out))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description, read back by `from_dict`."""
        return {"terms": [_to_dict(t) for t in self.terms], "out": None if self.out is None else str(self.out)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Gate:
        """Inverse of `to_dict`.

        Raises
        ------
        IrrepsError, SchemeError, GeometryError
            If `data` is no description of a gate, or one that the terms refuse.
        """
        try:
            return cls(tuple(_from_dict(t) for t in data["terms"]), data["out"])
        except (KeyError, TypeError, AttributeError) as error:  # a name that is missing, unknown, or no name
            raise IrrepsError(f"Gate.from_dict: 'data' must be what `to_dict` writes: {error!r}") from error


def _to_dict(term: Term) -> dict[str, Any]:
    data: dict[str, Any] = {"term": type(term).__name__, **vars(term)}
    if isinstance(term, Product | Fusion):
        data["legs"] = [_to_dict(leg) for leg in term.legs]
    if isinstance(term, Directed | Pairs):
        data["radial"] = term.radial.to_dict()
    if isinstance(term, Correlations):
        data["leg"] = _to_dict(term.leg)
    if isinstance(term, Fusion):
        data["block"] = term.block.to_dict()
    return {k: list(v) if isinstance(v, tuple) else v for k, v in data.items()}


def _from_dict(data: dict[str, Any]) -> Any:
    found = {k: _tuple(v) for k, v in data.items() if k != "term"}
    kinds = {kind.__name__: kind for kind in (Bare, Directed, Product, Pairs, Aggregation, Fusion, Correlations)}
    if data.get("term") not in kinds:
        raise IrrepsError(f"Gate.from_dict: 'term' must be one of {sorted(kinds)}, got {data.get('term')!r}")
    if "radial" in found:
        found["radial"] = radial_from_dict(data["radial"])
    if "legs" in found:
        found["legs"] = tuple(_from_dict(leg) for leg in data["legs"])
    if "leg" in found:
        found["leg"] = _from_dict(data["leg"])
    if "block" in found:
        found["block"] = FusionBlock.from_dict(data["block"])
    return kinds[data["term"]](**found)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str | dict) else value
