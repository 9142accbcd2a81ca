"""From declared terms to a straight-line program.

`Builder` grows the program of a network. Each method emits the steps of one thing that the paper names and returns
the variable that holds it. A variable is named after what it is, so that two terms that need the same thing share it
and a trace of a run reads like the paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import IrrepsError, SchemeError
from nbody_ref.gates import emit, steps
from nbody_ref.gates.aggregation import Aggregation
from nbody_ref.gates.chain import Chain, Entry, Op, Step
from nbody_ref.gates.correlations import emit_correlations
from nbody_ref.gates.fusion_block import fuse_legs
from nbody_ref.gates.terms import Bare, Correlations, Directed, Fusion, Gate, Pairs, Product, Term
from nbody_ref.gates.weights import Mixing, Weights
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops import cg_product, message, mixing, radial_weights
from nbody_ref.tables import check_basis

__all__ = ["Builder", "Place", "Source", "program"]

DTYPES = ("float64", "float32", "complex128", "complex64")


@dataclass(frozen=True)
class Source:
    """Children of a gate at one level: names of their states and positions, and of the edges to their parents.

    Attributes
    ----------
    psi, r : str
        Variables: the children's states and positions.
    all, directed, centre : Entry
        Edges from all children, from those at another position than the parent, from the one at the parent's own; None
        where the parent has no position: a molecule above neighbourhoods.
    """

    psi: str
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
    """A program under construction: its steps, the type of every state in it, and its parameters in order."""

    dtype: str = "float64"
    basis: str = "real"
    steps: list[Step] = field(default_factory=list)
    irreps: dict[str, Irreps] = field(default_factory=dict)
    parameters: dict[str, Weights] = field(default_factory=dict)
    _emitted: dict[tuple[Any, ...], str] = field(default_factory=dict)
    _precision: dict[str, str] = field(default_factory=dict)

    def chain(self) -> Chain:
        """The finished program."""
        return Chain(tuple(self.steps))

    def emit(self, op: Op, inputs: tuple[str, ...], output: str, *statics: Any) -> str:
        """Append a step, unless the same one was emitted before; returns the variable that holds the result."""
        key = (op.name, inputs, statics)
        if key not in self._emitted:
            taken = sum(name.partition("#")[0] == output for name in self._emitted.values())
            self._emitted[key] = f"{output}#{taken + 1}" if taken else output
            self.steps.append(Step(op, inputs, self._emitted[key], statics))
        return self._emitted[key]

    def gate(self, gate: Gate, place: Place) -> str:
        """Emit a gate; returns the variable of the parents' states, ``psi`` of the place."""
        found = [self.term(term, place, f"{place.name}/term{i + 1}") for i, term in enumerate(gate.terms)]
        fragments = found[0]
        if len(found) > 1:
            fragments = self.emit(steps.CONCAT, tuple(found), f"{place.name}/fragments")
            self.irreps[fragments] = Irreps(part for name in found for part in self.irreps[name])
        if gate.out is None:
            return fragments
        return self.mix(fragments, gate.out, f"{place.name}/mixing", place.kind, place.n_kinds)

    def term(self, term: Term, place: Place, name: str) -> str:
        """Emit one declared term."""
        if isinstance(term, Product):
            legs = [self.term(leg, place, f"{name}/leg{i + 1}") for i, leg in enumerate(term.legs)]
            return self.product(term, legs, name)
        if isinstance(term, Fusion):
            numbers = [term.legs.index(leg) if term.shared else i for i, leg in enumerate(term.legs)]
            legs = [self.term(leg, place, f"{name}/leg{i + 1}") for i, leg in zip(numbers, term.legs, strict=True)]
            return fuse_legs(self, legs, term.block, name, place.kind, place.n_kinds)
        if isinstance(term, Correlations):
            return emit_correlations(self, term, self.term(term.leg, place, f"{name}/density"), name)
        if isinstance(term, Pairs):
            return emit.pairs(self, term, place)
        if isinstance(term, Aggregation):
            return emit.aggregation(self, term, place)
        if isinstance(term, Bare):
            total = self.bare(term, place)
            scale: dict[Irrep, tuple[float, ...]] = {}
            wanted = self.irreps[total]
        else:
            total, scale = self.directed(term, place)
            most = term.lmax if term.mixed_lmax is None else term.mixed_lmax
            wanted = Irreps(part for part in self.irreps[total] if part.irrep.l <= most)
        if term.mul is None:
            return total
        out = Irreps((term.mul, part.irrep) for part in wanted.merged())
        return self.mix(total, out, name, place.shared, 1, scale)

    def bare(self, term: Bare, place: Place) -> str:
        """The sum over children of psi."""
        source = place.source(term.level)
        edges = source.all if term.children == "all" else _placed(source.centre, place, 'Bare("centre")')
        total = self.emit(steps.SUM, (source.psi,), f"{place.name}/sum/{term.children}", edges)
        self.irreps[total] = self.irreps[source.psi]
        return total

    def directed(self, term: Directed, place: Place) -> tuple[str, dict[Irrep, tuple[float, ...]]]:
        """The sum over children of psi x g_n Y_l, and how its fragments scale initial weights."""
        source = place.source(term.level)
        psi, n = self.irreps[source.psi], term.radial.n
        keep = None if term.keep is None else tuple(Irrep.parse(k) for k in term.keep)
        degrees = range(term.lmax + 1) if term.degrees is None else term.degrees
        every = message.MessageTable.build(psi, term.lmax, out=keep, basis=self.basis).paths
        paths = tuple(path for path in every if path[1] in degrees for _ in range(n))
        index = tuple(range(n)) * (len(paths) // n)
        table = message.MessageTable.build(psi, term.lmax, paths=paths, basis=self.basis)
        edges = _placed(source.directed, place, "Directed")
        where = f"{source.r}-{place.r}[{edges.name}]"
        r = self.emit(steps.RELATIVE, (source.r, place.r), f"{where}/r_rel", edges)
        dist = self.emit(steps.DISTANCE, (r,), f"{where}/dist")
        y, g = self.functions(r, dist, where, term)
        copies = radial_weights.RadialTable.build(table, n, index)
        w = self.emit(steps.COPIES, (g,), f"{where}/{term.radial}/copies of {psi}", copies)
        total = self.emit(steps.MESSAGE, (source.psi, y, w), f"{place.name}/directed", edges, table)
        self.irreps[total] = table.irreps_out
        scale: dict[Irrep, tuple[float, ...]] = {}
        for part, i in zip(table.irreps_out, index, strict=True):
            scale[part.irrep] = scale.get(part.irrep, ()) + ((i + 1.0) ** -term.smoothness,) * part.mul
        return total, scale

    def functions(self, r: str, dist: str, where: str, term: Directed | Pairs) -> tuple[str, str]:
        """Harmonics and radial functions of relative vectors and their lengths, in the precision of the states."""
        g = self.emit(steps.RADIAL, (dist,), f"{where}/{term.radial}/radial{term.lmax}", term.radial, term.lmax)
        y = self.harmonics(r, f"{where}/solid{term.lmax}/{term.normalization}", term.lmax, term.normalization)
        return y, self.cast(g)

    def harmonics(self, r: str, name: str, lmax: int, normalization: str) -> str:
        """Solid harmonics of vectors as fragments of the gauge: real, or conj(Y) of the complex gauge."""
        single = np.dtype(self.dtype) in (np.float32, np.complex64)
        precision = "float32" if single else "float64"
        y = self.emit(steps.SOLID, (self.cast(r, precision),), name, lmax, normalization)
        self._precision[y] = precision
        if self.basis == "complex":
            return self.emit(steps.FRAGMENTS, (y,), f"{name}/complex", lmax)
        return self.cast(y)

    def cast(self, name: str, dtype: str | None = None) -> str:
        """A real variable in the precision of the states, or in `dtype`."""
        wanted = self.dtype if dtype is None else dtype
        now = self._precision.get(name, "float64")
        if now == wanted:
            return name
        cast = self.emit(steps.CAST, (name,), f"{name}/{wanted}", np.dtype(wanted))
        self._precision[cast] = wanted
        return cast

    def product(self, term: Product, legs: list[str], name: str) -> str:
        """The product of summed legs, coupled from the left along the paths that reach what is kept."""
        types = [self.irreps[leg] for leg in legs]
        combs = sorted(_combs(term, types))
        if not combs:
            raise IrrepsError(f"Product: no coupling of {[str(t) for t in types]} gives any of {term.keep}")
        state, nodes = legs[0], {(i,): i for i in range(len(types[0]))}
        for depth, leg in enumerate(legs[1:], start=1):
            reached = sorted({comb[: 2 * depth + 1] for comb in combs})
            paths = tuple((nodes[c[: 2 * depth - 1]], c[2 * depth - 1], _irrep(types[0], c[-1])) for c in reached)
            both = self.irreps[state], types[depth]
            table = cg_product.ProductTable.build(*both, term.mode, paths=paths, basis=self.basis)
            state = self.emit(steps.PRODUCT, (state, leg), f"{name}/product{depth + 1}", table)
            self.irreps[state] = table.irreps_out
            nodes = {comb: i for i, comb in enumerate(reached)}
        return state

    def mix(
        self,
        fragments: str,
        out: Irreps,
        name: str,
        kind: Entry,
        n_kinds: int,
        scale: dict[Irrep, tuple[float, ...]] | None = None,
    ) -> str:
        """The mixing of eq. (9), F W, with one W for each kind of node."""
        table = mixing.MixingTable.build(self.irreps[fragments], out)
        self.parameters[name] = Mixing(table, n_kinds, scale or {})
        mixed = self.emit(steps.MIXING, (fragments, name), f"{name}/mixed", kind, table)
        self.irreps[mixed] = out
        return mixed


def _placed(edges: Entry | None, place: Place, term: str) -> Entry:
    """The edges, if the parents have positions."""
    if edges is None:
        raise SchemeError(
            f"{place.name}: a term {term} needs parents with a position; a molecule above neighbourhoods has none, "
            f"its gate sums states: Bare(), Pairs or products of them"
        )
    return edges


def _irrep(like: Irreps, code: tuple[int, int]) -> Irrep:
    return Irrep(code[0], code[1] if like.has_parity else None)


def _combs(term: Product, types: list[Irreps]) -> Iterator[tuple[Any, ...]]:
    """All left combs (part1, part2, irrep12, part3, irrep123, ...) that end in an irrep kept; irreps as (l, p)."""
    keep = {(ir.l, ir.p or 0) for ir in map(Irrep.parse, term.keep)}
    bound = max(t.lmax for t in types) * len(types) if term.bond is None else term.bond

    def grow(comb: tuple[Any, ...], coupled: Irrep, degrees: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
        depth = len(degrees)
        if depth == len(types):
            yield comb
            return
        for j, part in enumerate(types[depth]):
            too_high = term.total is not None and sum(degrees) + part.irrep.l > term.total
            if too_high or (term.ordered and part.irrep.l < degrees[-1]):
                continue
            for irrep in coupled * part.irrep:
                code = (irrep.l, irrep.p or 0)
                final = depth + 1 == len(types)
                if (final and code in keep) or (not final and irrep.l <= bound):
                    yield from grow((*comb, j, code), irrep, (*degrees, part.irrep.l))

    for i, part in enumerate(types[0]):
        yield from grow((i,), part.irrep, (part.irrep.l,))


def program(
    gate: Gate, irreps_in: Irreps | str, n_kinds: int = 1, dtype: str = "float64", basis: str = "real"
) -> tuple[Builder, str]:
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
    Builder, str
        The program, and the variable of the parents' states. Its leaves are ``psi`` (children, irreps_in.dim),
        ``r_child`` and ``r_parent`` (.., 3), and the parameters of the builder; its batch entries are the edges
        ``all``, ``directed`` and ``centre``, and ``kind`` and ``shared``, one index for each parent.

    Raises
    ------
    IrrepsError, SchemeError
        If an argument is not what it must be, or the terms cannot be built on such states.
    """
    if not isinstance(gate, Gate):
        raise IrrepsError(f"program: 'gate' must be a Gate, got {gate!r}")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise IrrepsError(f"program: 'dtype' must be one of {', '.join(DTYPES)}, got {dtype!r}")
    check_basis("program", basis)
    n_kinds = check_integer("program", "n_kinds", n_kinds, 1)
    builder = Builder(dtype, basis)
    builder.irreps["psi"] = Irreps(irreps_in)
    children = Source("psi", "r_child", Entry("all"), Entry("directed"), Entry("centre"))
    place = Place("gate", "r_parent", {0: children}, 0, Entry("kind"), Entry("shared"), n_kinds)
    return builder, builder.gate(gate, place)
