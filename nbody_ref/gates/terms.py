r"""The terms that most gates are made of: sums over children, bare or with a direction, and their products."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from nbody_ref.checks import check_number, set_fields
from nbody_ref.errors import IrrepsError
from nbody_ref.gates import fields, steps
from nbody_ref.gates.build import Builder, Place, State, placed
from nbody_ref.gates.term import Gate, Term
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops import message, radial_weights
from nbody_ref.ops.radial import Radial, radial_from_dict

__all__ = ["Bare", "Directed", "Gate", "Leg", "Product", "Term", "read_legs"]

MAX_LEGS = 4
STEEPEST = 50.0  # exponents of a million that a double still holds
Scale = dict[Irrep, tuple[float, ...]]


class Leg(Term, named=False):
    """One sum over children, mixed to equal numbers of fragments if `mul` says so; products are made of them."""

    mul: int | None

    @abstractmethod
    def total(self, builder: Builder, place: Place) -> tuple[State, Irreps, Scale]:
        """The sum, the type that mixing may start from, and how fragments scale its initial weights."""

    def emit(self, builder: Builder, place: Place, name: str) -> State:
        """The sum, mixed; the weights are called `name`."""
        total, wanted, scale = self.total(builder, place)
        if self.mul is None:
            return total
        return builder.mix(
            total, Irreps((self.mul, part.irrep) for part in wanted.merged()), name, place.shared, 1, scale
        )


@dataclass(frozen=True)
class Bare(Leg):
    r"""Sum of the states themselves, :math:`\sum_i \psi_{ch_i}`.

    Parameters
    ----------
    children : {"all", "centre"}
        All children, or only the one at the parent's own position.
    mul : int, optional
        Mix each irrep to `mul` fragments (a leg of a product needs equal numbers); None: leave them as they are.
    level : int, optional
        Level of the children that the sum runs over; None: the highest level at which there are any.
    keep : tuple of str, optional
        Irreps of the states to keep; None: all.

    Raises
    ------
    ArgumentError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.gates import Bare
    >>> Bare("centre", mul=4).to_dict()["children"]
    'centre'
    """

    children: str = "all"
    mul: int | None = None
    level: int | None = None
    keep: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        fields.check_words(self, {"children": ("all", "centre")})
        fields.check_irreps(self, "keep")
        fields.check_integers(self, {"mul": 1, "level": 0}, ("mul", "level"))

    @property
    def n_factors(self) -> int:
        """None: no neighbour's position enters."""
        return 0

    @property
    def reach(self) -> float:
        """Every child counts, wherever it is, unless only the centre does."""
        return inf if self.children == "all" else 0.0

    def total(self, builder: Builder, place: Place) -> tuple[State, Irreps, Scale]:
        """The sum over children of psi, or of those of its parts that are kept."""
        source = place.source(self.level)
        psi = source.psi if self.keep is None else _kept(builder, source.psi, self.keep)
        edges = source.all if self.children == "all" else placed(source.centre, place, 'Bare("centre")')
        name = f"{place.name}/sum/{self.children}"
        total = builder.emit(steps.SUM, (psi,), name, edges, irreps=psi.irreps)
        builder.sums[total] = psi
        return total, total.irreps, {}


@dataclass(frozen=True)
class Directed(Leg):
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
    ArgumentError, IrrepsError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.gates import Directed
    >>> from nbody_ref.ops.radial_families import InversePowers
    >>> Directed(InversePowers((1, 2)), lmax=2).n_factors
    1
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

    reads: ClassVar[dict[str, Any]] = {"radial": radial_from_dict}

    def __post_init__(self) -> None:
        fields.check_harmonics(self)
        fields.check_irreps(self, "keep")
        fields.check_integers(self, {"mul": 1, "mixed_lmax": 0, "level": 0}, ("mul", "mixed_lmax", "level"))
        words = f"a number from {-STEEPEST:g} to {STEEPEST:g}"
        set_fields(self, check_number, "smoothness", words=words, within=lambda x: abs(x) <= STEEPEST)

    def total(self, builder: Builder, place: Place) -> tuple[State, Irreps, Scale]:
        """The sum over children of psi x g_n Y_l."""
        source = place.source(self.level)
        psi, n = source.psi.irreps, self.radial.n
        keep = None if self.keep is None else tuple(Irrep.parse(k) for k in self.keep)
        degrees = range(self.lmax + 1) if self.degrees is None else self.degrees
        every = message.MessageTable.build(psi, self.lmax, out=keep, basis=builder.basis).paths
        paths = tuple(path for path in every if path[1] in degrees for _ in range(n))
        index = tuple(range(n)) * (len(paths) // n)
        table = message.MessageTable.build(psi, self.lmax, paths=paths, basis=builder.basis)
        edges = placed(source.directed, place, "Directed")
        r, dist, where = builder.displacements(source, place, edges)
        y, g = builder.functions(r, dist, where, self)
        copies = radial_weights.RadialTable.build(table, n, index)
        w = builder.emit(steps.COPIES, (g,), f"{where}/{self.radial}/copies of {psi}", copies)
        name = f"{place.name}/directed"
        total = builder.emit(steps.MESSAGE, (source.psi, y, w), name, edges, table, irreps=table.irreps_out)
        scale: Scale = {}
        for part, i in zip(total.irreps, index, strict=True):
            scale[part.irrep] = scale.get(part.irrep, ()) + ((i + 1.0) ** -self.smoothness,) * part.mul
        most = self.lmax if self.mixed_lmax is None else self.mixed_lmax
        return total, Irreps(part for part in total.irreps if part.irrep.l <= most), scale


def _kept(builder: Builder, psi: State, keep: tuple[str, ...]) -> State:
    """The parts of a state that are of certain irreps."""
    wanted, offsets = {Irrep.parse(irrep) for irrep in keep}, psi.irreps.offsets
    found = [(start, part) for start, part in zip(offsets, psi.irreps) if part.irrep in wanted]
    if not found:
        raise IrrepsError(f"Bare: 'keep' must name irreps of the states, {psi.irreps}, got {keep}")
    spans = tuple((start, start + part.dim) for start, part in found)
    return builder.emit(steps.TAKE, (psi,), f"{psi}/{','.join(keep)}", spans, irreps=Irreps(p for _, p in found))


def read_legs(data: Any) -> tuple[Term, ...]:
    """Terms from their descriptions."""
    return tuple(Term.from_dict(leg) for leg in data)


@dataclass(frozen=True)
class Product(Term):
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
    ArgumentError, IrrepsError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.gates import Directed, Product
    >>> from nbody_ref.ops.radial_families import InversePowers
    >>> leg = Directed(InversePowers((1,)), lmax=1, mul=2)
    >>> Product((leg, leg), ("0e",)).n_factors
    2
    """

    legs: tuple[Leg, ...]
    keep: tuple[str, ...]
    bond: int | None = None
    mode: str = "channelwise"
    total: int | None = None
    ordered: bool = False

    reads: ClassVar[dict[str, Any]] = {"legs": read_legs}

    def __post_init__(self) -> None:
        fields.check_parts(self, "legs", Leg, "summed terms", 2, MAX_LEGS)
        fields.check_irreps(self, "keep", needed=True)
        fields.check_integers(self, {"bond": 0, "total": 0}, ("bond", "total"))
        fields.check_words(self, {"mode": ("channelwise", "full")})
        fields.check_flags(self, "ordered")

    @property
    def n_factors(self) -> int:
        """One for each leg."""
        return len(self.legs)

    def emit(self, builder: Builder, place: Place, name: str) -> State:
        """Legs coupled from the left, along the paths that reach what is kept."""
        legs = [leg.emit(builder, place, f"{name}/leg{i + 1}") for i, leg in enumerate(self.legs)]
        types = [leg.irreps for leg in legs]
        combs = sorted(self._combs(types))
        if not combs:
            raise IrrepsError(f"Product: no coupling of {[str(t) for t in types]} gives any of {self.keep}")
        state, nodes = legs[0], {(i,): i for i in range(len(types[0]))}
        for depth, leg in enumerate(legs[1:], start=1):
            reached = sorted({comb[: 2 * depth + 1] for comb in combs})
            paths = [(nodes[c[: 2 * depth - 1]], c[2 * depth - 1], _irrep(types[0], c[-1])) for c in reached]
            state = builder.product(state, leg, f"{name}/product{depth + 1}", self.mode, paths)
            nodes = {comb: i for i, comb in enumerate(reached)}
        return state

    def _combs(self, types: list[Irreps]) -> Iterator[tuple[Any, ...]]:
        """All left combs (part1, part2, irrep12, part3, irrep123, ...) that end in an irrep kept; irreps as (l, p)."""
        keep = {(ir.l, ir.p or 0) for ir in map(Irrep.parse, self.keep)}
        bound = max(t.lmax for t in types) * len(types) if self.bond is None else self.bond

        def grow(comb: tuple[Any, ...], coupled: Irrep, degrees: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
            depth = len(degrees)
            if depth == len(types):
                yield comb
                return
            for j, part in enumerate(types[depth]):
                too_high = self.total is not None and sum(degrees) + part.irrep.l > self.total
                if too_high or (self.ordered and part.irrep.l < degrees[-1]):
                    continue
                for irrep in coupled * part.irrep:
                    code = (irrep.l, irrep.p or 0)
                    final = depth + 1 == len(types)
                    if (final and code in keep) or (not final and irrep.l <= bound):
                        yield from grow((*comb, j, code), irrep, (*degrees, part.irrep.l))

        for i, part in enumerate(types[0]):
            yield from grow((i,), part.irrep, (part.irrep.l,))


def _irrep(like: Irreps, code: tuple[int, int]) -> Irrep:
    return Irrep(code[0], code[1] if like.has_parity else None)
