r"""What a gate is made of: a list of declared terms, eq. (6) restricted to what is practical.

A gate aggregates the states psi of its children. Each term is a sum over children, or a product of such sums; their
fragments stand side by side as the columns of the matrices F of eq. (9), and the mixing W maps them to the type `out`:

.. math:: \psi = \mathcal{L}\big(\mathrm{term}_1 \oplus \mathrm{term}_2 \oplus \ldots\big)

A new kind of term is one frozen dataclass that inherits from `Term` and emits itself; descriptions in files find it by
the name of its class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from nbody_ref.checks import check_word
from nbody_ref.errors import ArgumentError
from nbody_ref.gates import fields, steps
from nbody_ref.irreps import Irreps
from nbody_ref.ops.radial import Radial

if TYPE_CHECKING:
    from nbody_ref.gates.build import Builder, Place, State

__all__ = ["Gate", "Term"]


class Term(ABC):
    """A declared term: it knows its steps, its description, and what a fit must know of its fragments.

    Examples
    --------
    >>> from nbody_ref.gates import Bare, Term
    >>> Term.from_dict({"term": "Bare", "children": "all"}) == Bare()
    True
    """

    kinds: ClassVar[dict[str, type[Term]]] = {}
    reads: ClassVar[dict[str, Callable[[Any], Any]]] = {}
    """How fields that are no plain values are read back from a description."""

    def __init_subclass__(cls, named: bool = True) -> None:
        if named:
            Term.kinds[cls.__name__] = cls

    @abstractmethod
    def emit(self, builder: Builder, place: Place, name: str) -> State:
        """Append the steps of the term where a gate stands; variables of its own begin with `name`."""

    @property
    def n_factors(self) -> int:
        """Number of sums over children that are multiplied in each of its fragments."""
        return 1

    @property
    def reach(self) -> float:
        """Distance from the parent, Angstrom, at which a child contributes nothing any more; infinite: at none.

        That of the radial functions and terms it is made of. A term that adds a child's share without a function that
        vanishes must say `math.inf`.
        """
        return max((_reach(value) for value in vars(self).values()), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description, read back by `from_dict`."""
        return {"term": type(self).__name__} | {name: _plain(value) for name, value in vars(self).items()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Term:
        """The term of any kind that `to_dict` described.

        Raises
        ------
        ArgumentError
            If there is no term of that name, or a field is not what it must be.
        KeyError, TypeError, AttributeError
            If names are missing or unknown, or `data` is no mapping.
        """
        kind = Term.kinds[check_word("Gate.from_dict", "term", data.get("term"), sorted(Term.kinds))]
        found = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k != "term"}
        return kind(**{name: kind.reads[name](value) if name in kind.reads else value for name, value in found.items()})


@dataclass(frozen=True)
class Gate:
    """A covariant aggregation rule Phi, eq. (5): terms, then one mixing per irrep.

    Parameters
    ----------
    terms : tuple of Term
        Bare, Directed, Product, Pairs, Aggregation, Fusion, Correlations, EdgeFusion, or of a class of the user's own.
    out : Irreps, str or None
        Type of the parent's state. None: no mixing, the fragments are the state.

    Raises
    ------
    ArgumentError
        If `terms` is no tuple of terms.
    IrrepsError
        If `out` is no type.

    Examples
    --------
    >>> from nbody_ref.gates import Bare, Gate
    >>> gate = Gate((Bare(),), "2x0e")
    >>> Gate.from_dict(gate.to_dict()) == gate
    True
    """

    terms: tuple[Term, ...]
    out: Irreps | None = None

    def __post_init__(self) -> None:
        fields.check_parts(self, "terms", Term, "terms such as Bare()")
        if self.out is not None:
            object.__setattr__(self, "out", Irreps(self.out))

    def emit(self, builder: Builder, place: Place) -> State:
        """Append the steps of the gate; returns the parents' states, ``psi`` of the place."""
        found = [term.emit(builder, place, f"{place.name}/term{i + 1}") for i, term in enumerate(self.terms)]
        fragments = found[0]
        if len(found) > 1:
            irreps = Irreps(part for state in found for part in state.irreps)
            fragments = builder.emit(steps.CONCAT, tuple(found), f"{place.name}/fragments", irreps=irreps)
        if self.out is None:
            return fragments
        return builder.mix(fragments, self.out, f"{place.name}/mixing", place.kind, place.n_kinds)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description, read back by `from_dict`."""
        return {"terms": [term.to_dict() for term in self.terms], "out": None if self.out is None else str(self.out)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Gate:
        """Inverse of `to_dict`.

        Raises
        ------
        ArgumentError, IrrepsError, SchemeError, GeometryError
            If `data` is no description of a gate, or one that the terms refuse.
        """
        try:
            return cls(tuple(Term.from_dict(term) for term in data["terms"]), data["out"])
        except (KeyError, TypeError, AttributeError) as error:  # a name that is missing, unknown, or no name
            raise ArgumentError(f"Gate.from_dict: 'data' must be what `to_dict` writes: {error!r}") from error


def _reach(value: Any) -> float:
    if isinstance(value, Term):
        return value.reach
    if isinstance(value, Radial):
        return float(getattr(value, "cutoff", inf))
    return max(map(_reach, value), default=0.0) if isinstance(value, tuple) else 0.0


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value.to_dict() if hasattr(value, "to_dict") else value
