"""Straight-line programs whose steps are sums of terms or functions of one number, and their adjoints as programs.

Both kinds of steps are closed under derivatives, so the gradient of a program is a program again, and so is the
gradient of that: no operation needs a derivative formula of its own. docs/derivations/certified_programs.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from nbody_ref.certified.functions import Function
from nbody_ref.certified.terms import Leg, Terms
from nbody_ref.exact.surd import Surd

__all__ = ["Apply", "Program", "Sum", "program_derivatives"]

ONE = (Surd(1, 1),)


@dataclass(frozen=True)
class Sum:
    """Variable `out` = sum of terms of other variables."""

    out: str
    terms: tuple[Terms, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the variable."""
        return self.terms[0].shape

    @property
    def inputs(self) -> tuple[str, ...]:
        """Variables that it reads."""
        return tuple(dict.fromkeys(leg.name for terms in self.terms for leg in terms.legs))


@dataclass(frozen=True)
class Apply:
    """Variable `out` (E, columns) = derivative of some order of the columns of a function at `arg` (E,)."""

    out: str
    arg: str
    function: Function
    order: int
    rows: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the variable."""
        return (self.rows, self.function.columns)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Variables that it reads."""
        return (self.arg,)


@dataclass
class Program:
    """Steps in order, and the shapes of all variables, leaves included."""

    shapes: dict[str, tuple[int, ...]]
    steps: list[Sum | Apply] = field(default_factory=list)

    def add(self, step: Sum | Apply) -> str:
        """Append a step; returns its variable."""
        self.steps.append(step)
        self.shapes[step.out] = step.shape
        return step.out

    def depends(self, sources: Iterable[str]) -> set[str]:
        """Variables that depend on any of the sources, the sources included."""
        active = set(sources)
        for step in self.steps:
            if active.intersection(step.inputs):
                active.add(step.out)
        return active

    def upto(self, targets: Iterable[str]) -> Program:
        """The steps that the targets need."""
        wanted, kept = set(targets), []
        for step in reversed(self.steps):
            if step.out in wanted:
                kept.append(step)
                wanted.update(step.inputs)
        return Program(self.shapes, kept[::-1])

    def reversed(self, seeds: Mapping[str, str], wrt: Iterable[str], mark: str) -> tuple[Program, dict[str, str]]:
        """The program followed by its adjoint.

        Parameters
        ----------
        seeds : mapping of str to str
            Variable to the leaf that holds its cotangent.
        wrt : iterable of str
            Leaves whose cotangents are wanted.
        mark : str
            Ending of the names of cotangents.

        Returns
        -------
        Program, dict of str to str
            The longer program, and the variables of the cotangents of `wrt`; those that vanish identically are missing.
        """
        wanted = tuple(wrt)
        active = self.depends(wanted)
        longer = Program(dict(self.shapes), list(self.steps))
        collected: dict[str, list[Terms]] = {}
        for name, seed in seeds.items():
            longer.shapes[seed] = self.shapes[name]
            collected[name] = [identity(seed, self.shapes[name])]
        bars: dict[str, str] = {}
        for step in reversed(self.steps):
            if step.out in collected:
                bar = bars[step.out] = _close(longer, step.out, collected.pop(step.out), mark)
                _spread(longer, step, bar, active, collected, mark)
        for name in wanted:
            if name in collected:
                bars[name] = _close(longer, name, collected.pop(name), mark)
        return longer, {name: bars[name] for name in wanted if name in bars}


def program_derivatives(
    program: Program, out: str, inputs: Iterable[str], order: int, tangent: str = ""
) -> tuple[Program, dict[str, str]]:
    """Program and variables of all results of one order, named as by `nbody_ref.certified.terms.derivatives`."""
    if order == 0:
        return program, {"out": out}
    names = tuple(inputs)
    first, bars = program.reversed({out: "cotangent"}, names if order == 1 else (tangent,), "'")
    if order == 1:
        return first, bars
    if tangent not in bars:
        return first, {}
    return first.reversed({bars[tangent]: f"{tangent}_dot"}, (*names, "cotangent"), "''")


def identity(name: str, shape: tuple[int, ...]) -> Terms:
    """A copy of a variable."""
    rows, columns = (np.arange(n, dtype=np.int64) for n in (shape[0], int(np.prod(shape[1:], dtype=np.int64))))
    coef = np.zeros(len(columns), np.int64)
    return Terms(rows, columns, shape, (Leg(name, rows, columns),), coef, ONE, {name: shape}, slack=0.0)


def _close(program: Program, name: str, terms: list[Terms], mark: str) -> str:
    """The cotangent of a variable, all contributions having been found."""
    if len(terms) == 1 and terms[0].slack == 0 and len(terms[0].legs) == 1:
        return terms[0].legs[0].name
    return program.add(Sum(name + mark, tuple(terms)))


def _spread(
    program: Program, step: Sum | Apply, bar: str, active: set[str], collected: dict[str, list[Terms]], mark: str
) -> None:
    """Contributions of one step to the cotangents of its inputs."""
    if isinstance(step, Sum):
        for terms in step.terms:
            for k, leg in enumerate(terms.legs):
                if leg.name in active:
                    collected.setdefault(leg.name, []).append(terms.towards(k, bar))
    elif step.arg in active:
        slope = f"{step.out}{mark}/slope"
        program.add(Apply(slope, step.arg, step.function, step.order + 1, step.rows))
        rows, columns = (np.arange(n, dtype=np.int64) for n in step.shape)
        zero = np.zeros_like(columns)
        shapes = {bar: step.shape, slope: step.shape, step.arg: program.shapes[step.arg]}
        legs = (Leg(bar, rows, columns), Leg(slope, rows, columns))
        terms = Terms(rows, zero, program.shapes[step.arg], legs, zero, ONE, shapes, slack=4.0)
        collected.setdefault(step.arg, []).append(terms)
