"""Where a network of another program goes wrong: every step judged on that program's own inputs to the step.

A trace is a mapping of names to arrays, ``forward/NAME`` and ``adjoint/NAME`` for the variables of a model's program,
as `nbody_ref.network.trace.Trace.arrays` names them; it may hold some of them only. Every array of the trace is
compared with the certified result of the steps that lead to it from the arrays before it, so that an error is found in
the step that makes it and in no step that merely inherits it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.certified.program import Program
from nbody_ref.certified.program_sums import certify_program
from nbody_ref.conformance.formats import unit
from nbody_ref.conformance.judge.verdict import Measure, measure
from nbody_ref.conformance.operations.networks import to_pairs
from nbody_ref.conformance.truth.lowering import lower
from nbody_ref.errors import DataError, ShapeError
from nbody_ref.graphs import Graph
from nbody_ref.irreps import Irreps
from nbody_ref.network.energy import EnergyModel

__all__ = ["Bisection", "Stage", "bisect", "own_trace"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Stage:
    """One array of a trace, judged on the arrays of the trace that it was computed from.

    Parameters
    ----------
    name : str
        ``forward/NAME`` or ``adjoint/NAME``.
    operation : str
        What the program does in the last step to it.
    inputs : tuple of str
        Arrays of the trace, and leaves, that the truth was computed from.
    measured : Measure
    place : str
        The worst entry in words.
    """

    name: str
    operation: str
    inputs: tuple[str, ...]
    measured: Measure
    place: str

    def __str__(self) -> str:
        m = self.measured
        head = f"{'ok  ' if m.ok else 'FAIL'} {self.name:<44} {self.operation:<14} rho {m.rho:>9.3g}"
        if m.ok:
            return head
        worst = f"{self.place}: got {m.got:.9g}, exact {m.expected:.9g}"
        return f"{head} (gate {m.gate:.0f})\n     {worst}\n     from its own {', '.join(self.inputs)}"


@dataclass(frozen=True)
class Bisection:
    """Stages in the order of the program, values first, then adjoints.

    Parameters
    ----------
    stages : tuple of Stage
    missing : tuple of str
        Names that the trace could have had.
    """

    stages: tuple[Stage, ...]
    missing: tuple[str, ...]

    @property
    def first(self) -> Stage | None:
        """The first stage that is wrong; None if all are right."""
        return next((stage for stage in self.stages if not stage.measured.ok), None)

    def __str__(self) -> str:
        first = self.first
        wrong = sum(not stage.measured.ok for stage in self.stages)
        lines = [str(stage) for stage in self.stages]
        if self.missing:
            lines.append(f"not in the trace: {', '.join(self.missing[:6])}{' ...' if len(self.missing) > 6 else ''}")
        if first is None:
            return "\n".join([*lines, f"every stage is right: {len(self.stages)} of {len(self.stages)}"])
        end = f"first diverging stage: {first.name} ({first.operation}); {wrong} of {len(self.stages)} stages are wrong"
        return "\n".join([*lines, end])


def bisect(
    model: EnergyModel, graph: Graph, arrays: Mapping[str, Any], dtype: str = "float64", seed: Array | None = None
) -> Bisection:
    """Judge a trace stage by stage.

    Parameters
    ----------
    model : EnergyModel
        In float64; the program, and the weights.
    graph : Graph
    arrays : mapping of str to array
        The trace; edges in the order of the graph's edges, states in our gauge.
    dtype : {"float64", "float32"}
        Precision of the program under test.
    seed : (n_frames, irreps_out.dim), optional
        Cotangent of the root that adjoints belong to; None: ones.

    Raises
    ------
    DataError, ShapeError
        If the trace holds nothing that the program has, or an array of another shape.
    """
    leaves, batch = model.leaves(graph)
    low = lower(model.chain, leaves, batch)
    wrt = [name for name, x in leaves.items() if np.asarray(x).dtype.kind in "fc"]
    program, _ = low.program.reversed({model.root: "seed"}, wrt, "'")
    given = {name: to_pairs(x).astype(np.float64) for name, x in leaves.items()} | low.constants
    given["seed"] = np.ones(low.program.shapes[model.root]) if seed is None else np.asarray(seed, np.float64)
    operations = {step.output: step.op.name for step in model.chain.steps}
    wanted, known = _stages(low.program, program, (*operations, *wrt)), dict(given)
    found = []
    for name, variable in wanted.items():
        if name in arrays:
            theirs, plain = _checked(name, arrays[name], program.shapes[variable]), name.partition("/")[2]
            stage = name, operations.get(plain, "leaf"), model.irreps.get(plain)
            found.append(_judged(stage, theirs, program, (variable, known), dtype))
            known[variable] = theirs
    if not found:
        raise DataError(f"bisect: the trace holds none of {', '.join(list(wanted)[:6])} ...")
    return Bisection(tuple(found), tuple(name for name in wanted if name not in arrays))


def _judged(
    stage: tuple[str, str, Irreps | None],
    theirs: Array,
    program: Program,
    where: tuple[str, Mapping[str, Array]],
    dtype: str,
) -> Stage:
    """One array of the trace against what the arrays before it give."""
    variable, known = where
    part = _between(program, variable, known)
    truth = certify_program(part, {"out": variable}, known, least=2.0)["out"]
    measured = measure(theirs, truth, dtype, unit(dtype), 2.0)
    inputs = tuple(dict.fromkeys(x for step in part.steps for x in step.inputs if x in known))
    wide = stage[2] is not None and theirs.ndim == 2 and theirs.shape[1] == 2 * stage[2].dim
    return Stage(*stage[:2], inputs, measured, _place(stage[2], measured.worst, wide))


def _stages(forward: Program, longer: Program, variables: tuple[str, ...]) -> dict[str, str]:
    """Names of a trace, in the order of the program, to variables."""
    values = {f"forward/{step.out}": step.out for step in forward.steps if step.out in variables}
    bars = [step.out for step in longer.steps[len(forward.steps) :]]
    names = {name + "'": name for name in variables}
    return values | {f"adjoint/{names[bar]}": bar for bar in bars if bar in names}


def _between(program: Program, variable: str, known: Mapping[str, Any]) -> Program:
    """The steps that lead to a variable from what is known."""
    wanted, kept = {variable}, []
    for step in reversed(program.steps):
        if step.out in wanted:
            kept.append(step)
            wanted.update(name for name in step.inputs if name not in known)
    return Program(program.shapes, kept[::-1])


def _checked(name: str, array: Any, shape: tuple[int, ...]) -> Array:
    x = np.asarray(array)
    if x.dtype.kind == "c":
        x = to_pairs(np.conj(x) if name.startswith("adjoint/") else x)  # derivatives in (re, im)
    if x.size != int(np.prod(shape)) or x.dtype.kind != "f" or len(x) != shape[0]:
        raise ShapeError(f"bisect: {name!r} must be real, of shape {shape}, got {x.dtype} of shape {x.shape}")
    return x.astype(np.float64).reshape(shape)


def _place(irreps: Irreps | None, index: tuple[int, ...], complex_: bool = False) -> str:
    """A worst entry in words; of complex states, real and imaginary parts stand side by side."""
    if complex_ and len(index) == 2:
        return f"{_place(irreps, (index[0], index[1] // 2))} {('real', 'imaginary')[index[1] % 2]}"
    if irreps is None or len(index) != 2 or index[1] >= irreps.dim:
        return f"entry {index}"
    n = max(i for i, start in enumerate(irreps.offsets) if start <= index[1])
    m, channel = divmod(index[1] - irreps.offsets[n], irreps[n].mul)
    return f"row {index[0]}, part {n} ({irreps[n].irrep}) m={m - irreps[n].irrep.l} channel {channel}"


def own_trace(model: Any, graph: Graph) -> dict[str, Array]:
    """This package's own trace, an example of what ``--trace`` names."""
    from nbody_ref.network.trace import trace

    return trace(model, graph).arrays()


def bisect_command(options: argparse.Namespace) -> int:
    """``nbody-ref conform bisect``: 0 if every stage is right, 1 if not."""
    from nbody_ref.conformance.doors.loading import load_object
    from nbody_ref.conformance.operations.networks import default_models

    function = load_object(options.trace)
    if options.model is None:
        model: Any = default_models()[0].model
    else:
        from nbody_ref.fit import load

        model = load(options.model).network
    graph = model.graph(_frames(options, model))
    result = bisect(model, graph, function(model, graph), options.dtype)
    print(result)
    return int(result.first is not None)


def _frames(options: argparse.Namespace, model: EnergyModel) -> list[tuple[Array, Array]]:
    """Positions and species of the molecules asked for."""
    if options.frames is not None:
        from ase.io import read

        return [(atoms.positions, atoms.numbers) for atoms in read(str(options.frames), ":")]
    r = np.array([[0.0, 0, 0], [0.7, 0.8, 0.1], [-0.8, 0.4, 0.6], [0.2, -1.0, -0.3], [1.3, -0.4, 1.1]])
    return [(r, np.array([model.species[k % len(model.species)] for k in range(len(r))]))]
