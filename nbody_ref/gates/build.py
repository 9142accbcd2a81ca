"""From declared terms to a straight-line program.

`Builder` grows the program of a network. Each method emits the steps of one thing that the paper names and returns
the variable that holds it. A variable is named after what it is, so that two terms that need the same thing share it
and a trace of a run reads like the paper.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.checks import check_integer, check_kind, check_word
from nbody_ref.errors import SchemeError
from nbody_ref.gates import steps
from nbody_ref.gates.chain import Chain, Entry, Op, Step
from nbody_ref.gates.term import Gate
from nbody_ref.gates.weights import Mixing, Weights
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops import cg_product, mixing
from nbody_ref.tables import check_basis

if TYPE_CHECKING:
    from nbody_ref.gates.edge_fusion import EdgeFusion
    from nbody_ref.gates.pairs import Pairs
    from nbody_ref.gates.terms import Directed

__all__ = ["Builder", "Place", "Source", "State", "placed", "program"]

DTYPES = ("float64", "float32", "complex128", "complex64")


class State(str):
    """A variable of a program: its name, and the type of the state that it holds.

    Parameters
    ----------
    name : str
    types : dict of str to Irreps
        Types of all states of the program, which it looks itself up in.
    """

    types: dict[str, Irreps]

    def __new__(cls, name: str, types: dict[str, Irreps]) -> State:
        found = super().__new__(cls, name)
        found.types = types
        return found

    def __getnewargs__(self) -> tuple[str, dict[str, Irreps]]:  # type: ignore[override]
        return str(self), self.types

    @property
    def irreps(self) -> Irreps:
        """Type of the state."""
        return self.types[self]


@dataclass(frozen=True)
class Source:
    """Children of a gate at one level: names of their states and positions, and of the edges to their parents.

    Attributes
    ----------
    psi : State
        The children's states.
    r : str
        Variable: their positions.
    all, directed, centre : Entry
        Edges from all children, from those at another position than the parent, from the one at the parent's own; None
        where the parent has no position: a molecule above neighbourhoods.
    """

    psi: State
    r: str
    all: Entry
    directed: Entry | None
    centre: Entry | None


@dataclass(frozen=True)
class Place:
    """Where a gate stands: its children and the batch entries it reads.

    Attributes
    ----------
    name : str
        Name of the level, first part of the names of its variables and parameters.
    r : str
        Variable: the parents' positions.
    sources : dict of int to Source
        Children by level.
    below : int
        The level that a term reads if it names none.
    kind : Entry
        Kind of each parent, an index below `n_kinds`.
    shared : Entry
        Zeros, one for each parent: the kind of weights that all parents share.
    n_kinds : int
    """

    name: str
    r: str
    sources: dict[int, Source]
    below: int
    kind: Entry
    shared: Entry
    n_kinds: int

    def source(self, level: int | None) -> Source:
        """The children at a level.

        Raises
        ------
        SchemeError
            If there are none.
        """
        wanted = self.below if level is None else level
        if wanted not in self.sources:
            raise SchemeError(f"{self.name}: 'level' must be one of {sorted(self.sources)}, got {wanted}")
        return self.sources[wanted]


@dataclass
class Builder:
    """A program under construction.

    Attributes
    ----------
    dtype, basis : str
        Of the states.
    steps : list of Step
    irreps : dict of str to Irreps
        Type of every state.
    parameters : dict of str to Weights
        In the order in which they are drawn.
    sums : dict of str to str
        For each bare sum over children, the states that it sums.
    decay : dict of str to tuple of float
        For fragments that are not mixed before a readout: how the coefficients of its columns are expected to fall.
    """

    dtype: str = "float64"
    basis: str = "real"
    steps: list[Step] = field(default_factory=list)
    irreps: dict[str, Irreps] = field(default_factory=dict)
    parameters: dict[str, Weights] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    decay: dict[str, tuple[float, ...]] = field(default_factory=dict)
    _emitted: dict[tuple[Any, ...], State] = field(default_factory=dict)
    _times: dict[str, int] = field(default_factory=dict)
    _precision: dict[str, str] = field(default_factory=dict)

    def chain(self) -> Chain:
        """The finished program."""
        return Chain(tuple(self.steps))

    def input(self, name: str, irreps: Irreps | str) -> State:
        """A state that the program is given."""
        self.irreps[name] = Irreps(irreps)
        return self.state(name)

    def state(self, name: str) -> State:
        """The variable of that name."""
        return State(name, self.irreps)

    def emit(self, op: Op, inputs: tuple[str, ...], output: str, *statics: Any, irreps: Irreps | None = None) -> State:
        """Append a step, unless the same one was emitted before; returns the variable of the result.

        Parameters
        ----------
        op : Op
        inputs : tuple of str
        output : str
            Its name; one that is taken is numbered.
        *statics : object
        irreps : Irreps, optional
            Type of the result, if it is a state.
        """
        key = (op.name, inputs, statics)
        if key not in self._emitted:
            times = self._times[output] = self._times.get(output, 0) + 1
            self._emitted[key] = self.state(output if times == 1 else f"{output}#{times}")
            self.steps.append(Step(op, tuple(map(str, inputs)), str(self._emitted[key]), statics))
        if irreps is not None:
            self.irreps[str(self._emitted[key])] = irreps
        return self._emitted[key]

    def displacements(self, source: Source, place: Place, edges: Entry) -> tuple[State, State, str]:
        """Relative vectors of children and parents, their lengths, and what to call what is made of them."""
        where = f"{source.r}-{place.r}[{edges.name}]"
        r = self.emit(steps.RELATIVE, (source.r, place.r), f"{where}/r_rel", edges)
        return r, self.emit(steps.DISTANCE, (r,), f"{where}/dist"), where

    def functions(self, r: State, dist: State, where: str, term: Directed | EdgeFusion | Pairs) -> tuple[State, State]:
        """Harmonics and radial functions of relative vectors and their lengths, in the precision of the states."""
        g = self.emit(steps.RADIAL, (dist,), f"{where}/{term.radial}/radial{term.lmax}", term.radial, term.lmax)
        y = self.harmonics(r, f"{where}/solid{term.lmax}/{term.normalization}", term.lmax, term.normalization)
        return y, self.cast(g)

    def harmonics(self, r: State, name: str, lmax: int, normalization: str) -> State:
        """Solid harmonics of vectors as fragments of the gauge: real, or conj(Y) of the complex gauge."""
        single = np.dtype(self.dtype) in (np.float32, np.complex64)
        precision = "float32" if single else "float64"
        y = self.emit(steps.SOLID, (self.cast(r, precision),), name, lmax, normalization)
        self._precision[y] = precision
        if self.basis == "complex":
            return self.emit(steps.FRAGMENTS, (y,), f"{name}/complex", lmax)
        return self.cast(y)

    def cast(self, name: State, dtype: str | None = None) -> State:
        """A real variable in the precision of the states, or in `dtype`."""
        wanted = self.dtype if dtype is None else dtype
        now = self._precision.get(name, "float64")
        if now == wanted:
            return name
        cast = self.emit(steps.CAST, (name,), f"{name}/{wanted}", np.dtype(wanted))
        self._precision[cast] = wanted
        return cast

    def product(
        self,
        a: State,
        b: State,
        name: str,
        mode: str = "channelwise",
        paths: Iterable[cg_product.ProductPath] | None = None,
        out: Collection[Irrep | str] | None = None,
    ) -> State:
        """Products of two states along paths; see `nbody_ref.ops.cg_product.ProductTable.build`."""
        table = cg_product.ProductTable.build(a.irreps, b.irreps, mode, paths, out, self.basis)
        return self.emit(steps.PRODUCT, (a, b), name, table, irreps=table.irreps_out)

    def mix(
        self,
        fragments: State,
        out: Irreps,
        name: str,
        kind: Entry,
        n_kinds: int,
        scale: dict[Irrep, tuple[float, ...]] | None = None,
    ) -> State:
        """The mixing of eq. (9), F W, with one W for each kind of node."""
        table = mixing.MixingTable.build(fragments.irreps, out)
        self.parameters[name] = Mixing(table, n_kinds, scale or {})
        return self.emit(steps.MIXING, (fragments, name), f"{name}/mixed", kind, table, irreps=out)


def placed(edges: Entry | None, place: Place, term: str) -> Entry:
    """The edges, if the parents have positions.

    Raises
    ------
    SchemeError
        If they have none.
    """
    if edges is None:
        raise SchemeError(
            f"{place.name}: a term {term} needs parents with a position; a molecule above neighbourhoods has none, "
            f"its gate sums states: Bare(), Pairs or products of them"
        )
    return edges


def program(
    gate: Gate, irreps_in: Irreps | str, n_kinds: int = 1, dtype: str = "float64", basis: str = "real"
) -> tuple[Builder, State]:
    """A gate on its own, for trying out, testing and teaching.

    Parameters
    ----------
    gate : Gate
    irreps_in : Irreps or str
        Type of the children's states.
    n_kinds : int
        Kinds of parents, each with its own W.
    dtype : {"float64", "float32", "complex128", "complex64"}
        Of states and weights.
    basis : {"real", "complex"}
        Gauge of the states.

    Returns
    -------
    Builder, State
        The program, and the variable of the parents' states. Its leaves are ``psi`` (children, irreps_in.dim),
        ``r_child`` and ``r_parent`` (.., 3), and the parameters of the builder; its batch entries are the edges
        ``all``, ``directed`` and ``centre``, and ``kind`` and ``shared``, one index for each parent.

    Raises
    ------
    ArgumentError
        If an argument is not what it must be.
    IrrepsError, SchemeError
        If the terms cannot be built on such states.
    """
    check_kind("program", "gate", gate, Gate, "a Gate")
    check_word("program", "dtype", dtype, DTYPES)
    check_basis("program", basis)
    n_kinds = check_integer("program", "n_kinds", n_kinds, 1)
    builder = Builder(dtype, basis)
    children = Source(builder.input("psi", irreps_in), "r_child", Entry("all"), Entry("directed"), Entry("centre"))
    place = Place("gate", "r_parent", {0: children}, 0, Entry("kind"), Entry("shared"), n_kinds)
    return builder, gate.emit(builder, place)
