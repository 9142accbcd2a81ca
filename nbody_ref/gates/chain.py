r"""Straight-line programs of ops and their chain rule, written once.

A gate, and a whole network, is a list of steps ``output = op(inputs, statics)``. Every op brings its four
hand-derived functions; what remains is to run them in order:

.. math::
    \dot y = \sum_i \partial_i f\,\dot x_i, \qquad
    \bar x_i \mathrel{+}= (\partial_i f)^T \bar y, \qquad
    \dot{\bar x}_i \mathrel{+}= (\partial_i f)^T \dot{\bar y} + \frac{d}{dt}\big[(\partial_i f)^T\big] \bar y

The last line is the tangent of the second: forward-over-reverse, docs/derivations/chain.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.ops._op import Op

__all__ = ["Array", "Chain", "Entry", "Op", "Step", "Values", "statics_of"]

Array = np.ndarray[Any, Any]
Values = dict[str, Array]


@dataclass(frozen=True)
class Entry:
    """The name of something in the batch: an edge list, the kinds of the nodes of a level.

    With `derive`, a function of that thing; its value is kept in the batch under ``name/part``, if the batch is a dict,
    so that it is formed only for programs that read it, and once.

    Examples
    --------
    >>> from nbody_ref.gates import Entry
    >>> batch = {"edges": [3, 4]}
    >>> Entry("edges", "count", len).read(batch), batch["edges/count"]
    (2, 2)
    """

    name: str
    part: str = ""
    derive: Callable[[Any], Any] | None = None

    def read(self, batch: Mapping[str, Any]) -> Any:
        """The thing itself."""
        key = f"{self.name}/{self.part}" if self.derive else self.name
        if self.derive is None or key in batch:
            return batch[key]
        made = self.derive(batch[self.name])
        if isinstance(batch, dict):
            batch[key] = made
        return made


@dataclass(frozen=True)
class Step:
    """One line of a program: ``output = op(*inputs, *statics)``.

    Inputs are names of variables. A static is handed on as it is, unless it is an `Entry` of the batch.

    Examples
    --------
    >>> import nbody_ref.gates.steps as steps
    >>> from nbody_ref.gates import Step
    >>> Step(steps.CONCAT, ("a", "b"), "ab").output
    'ab'
    """

    op: Op
    inputs: tuple[str, ...]
    output: str
    statics: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Chain:
    """A program and its derivatives.

    `values` hold every variable by name (leaves, parameters, and, after `forward`, all that was computed: a trace of
    the run). `batch` holds what is not differentiated. Tangents and cotangents that are absent are zero.

    Examples
    --------
    >>> from nbody_ref.network import default
    >>> chain = default([1]).chain
    >>> len(chain.upto(["root/psi"]).steps) < len(chain.steps)
    True
    """

    steps: tuple[Step, ...]

    def upto(self, targets: Iterable[str]) -> Chain:
        """The steps that the targets depend on, in order."""
        wanted, kept = set(targets), []
        for step in reversed(self.steps):
            if step.output in wanted:
                kept.append(step)
                wanted.update(step.inputs)
        return Chain(tuple(reversed(kept)))

    def depends(self, sources: Iterable[str]) -> set[str]:
        """Names of the variables that depend on any of the sources, the sources included."""
        active = set(sources)
        for step in self.steps:
            if active.intersection(step.inputs):
                active.add(step.output)
        return active

    def forward(self, values: Mapping[str, Array], batch: Mapping[str, Any]) -> Values:
        """Run the program; returns the given values together with every variable it computed."""
        out = dict(values)
        for step in self.steps:
            out[step.output] = step.op.f(*_get(out, step), *statics_of(step, batch))
        return out

    def jvp(self, values: Mapping[str, Array], batch: Mapping[str, Any], tangents: Mapping[str, Array]) -> Values:
        """Tangents of every variable that depends on those given; `values` come from `forward`."""
        out = dict(tangents)
        for step in self.steps:
            dots = [out.get(name) for name in step.inputs]
            if any(dot is not None for dot in dots):
                y_dot = step.op.jvp(*_get(values, step), *dots, *statics_of(step, batch))
                if y_dot is not None:
                    out[step.output] = y_dot
        return out

    def vjp(
        self, values: Mapping[str, Array], batch: Mapping[str, Any], bars: Mapping[str, Array], wrt: Iterable[str]
    ) -> Values:
        """Cotangents of `wrt` and of what lies between, for seeds `bars`; work that `wrt` does not need is skipped."""
        active, out = self.depends(wrt), dict(bars)
        for step in reversed(self.steps):
            y_bar = out.get(step.output)
            needs = tuple(name in active for name in step.inputs)
            if y_bar is not None and any(needs):
                x_bars = step.op.vjp(y_bar, *_get(values, step), *statics_of(step, batch), needs=needs)
                _accumulate(out, step, x_bars)
        return out

    def vjp_jvp(
        self,
        values: Mapping[str, Array],
        batch: Mapping[str, Any],
        tangents: Mapping[str, Array],
        bars: Mapping[str, Array],
        wrt: Iterable[str],
        bars_dot: Mapping[str, Array] | None = None,
    ) -> Values:
        """Tangents of the cotangents of `wrt`.

        `values`, `tangents` and `bars` come from `forward`, `jvp` and `vjp` (the latter run for at least the same
        `wrt`); `bars_dot` are the tangents of the seeds, absent where the seeds are constant.
        """
        active, out = self.depends(wrt), dict(bars_dot or {})
        for step in reversed(self.steps):
            y_bar, y_bar_dot = bars.get(step.output), out.get(step.output)
            needs = tuple(name in active for name in step.inputs)
            if (y_bar is None and y_bar_dot is None) or not any(needs):
                continue
            dots = [tangents.get(name) for name in step.inputs]
            if y_bar_dot is None and all(dot is None for dot in dots):
                continue
            arrays, statics = _get(values, step), statics_of(step, batch)
            seed = y_bar if y_bar is not None else np.zeros_like(y_bar_dot)
            _accumulate(out, step, step.op.vjp_jvp(seed, *arrays, y_bar_dot, *dots, *statics, needs=needs))
        return out


def _get(values: Mapping[str, Array], step: Step) -> list[Array]:
    return [values[name] for name in step.inputs]


def statics_of(step: Step, batch: Mapping[str, Any]) -> list[Any]:
    """The statics of a step, entries of the batch read."""
    return [static.read(batch) if isinstance(static, Entry) else static for static in step.statics]


def _accumulate(out: Values, step: Step, x_bars: tuple[Array | None, ...]) -> None:
    for name, x_bar in zip(step.inputs, x_bars, strict=True):
        if x_bar is not None:
            out[name] = out[name] + x_bar if name in out else x_bar
