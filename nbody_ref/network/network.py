r"""N-body networks, Definition 3: a composition scheme whose gates carry covariant states.

The leaves are atoms, with the one-hot vector of their species and whatever they come with as state. Level t = 1, 2,
... aggregates level t - 1 by its gate; the root aggregates the last level and its state is the output:

.. math:: \psi_j = \Phi_j(\hat r_{ch_1}, \ldots, |\hat r_{ch_1}|, \ldots, \psi_{ch_1}, \ldots), \qquad
          F_i = -\frac{\partial E}{\partial r_i}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import DTypeError, IrrepsError, NBodyRefError, ShapeError
from nbody_ref.gates.build import Builder
from nbody_ref.gates.chain import Array, Values
from nbody_ref.graphs import Graph
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.network.energy import EnergyModel
from nbody_ref.network.layout import SchemeGraph
from nbody_ref.network.parameters import draw
from nbody_ref.network.spec import Spec
from nbody_ref.ops.gauge import to_complex
from nbody_ref.scheme import Scheme

if TYPE_CHECKING:
    from nbody_ref.network.trace import Trace

__all__ = ["Network", "Spec"]


class Network(EnergyModel):
    """An N-body network, on neighbourhoods that it finds itself or on composition schemes given with the molecules.

    Parameters
    ----------
    spec : Spec
    parameters : Parameters, optional
        None: drawn from `seed`.
    seed : int

    Raises
    ------
    ShapeError
        If `parameters` do not fit the spec.
    IrrepsError
        If a gate asks for irreps that cannot occur, or `seed` is not a non-negative integer.
    DTypeError
        If `spec` is no Spec, or `parameters` have another dtype than it says.

    Examples
    --------
    >>> from nbody_ref.network import default
    >>> network = default([1, 8])
    >>> graph = network.graph([([[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]], [8, 1, 1])])
    >>> energies, forces = network.energy_and_forces(graph)  # eV, eV/Angstrom
    >>> energies.shape, forces.shape
    ((1,), (3, 3))
    """

    def __init__(self, spec: Spec, parameters: Mapping[str, Array] | None = None, seed: int = 0) -> None:
        if not isinstance(spec, Spec):
            raise DTypeError(f"Network: 'spec' must be a Spec, got {type(spec).__name__}")
        seed = check_integer("Network", "seed", seed)
        self.spec, self.species, self.cutoff = spec, spec.species, spec.cutoff
        self.builder = Builder(spec.dtype, spec.basis)
        self.root, self.last_level = _build(self.builder, spec)
        self.chain = self.builder.chain()
        initial = draw(self.builder.parameters, seed, spec.dtype)
        self.parameters = initial if parameters is None else initial.replace(parameters)
        if parameters is not None and set(parameters) != set(initial):
            raise NBodyRefError(f"Network: parameters are missing: {sorted(set(initial) - set(parameters))}")

        if self.spec.outputs and _parts(self.outputs.values()) != _parts([self.irreps_out]):
            raise IrrepsError(f"Network: 'outputs' must make up the root's type {self.irreps_out}, got {self._told()}")

    @property
    def outputs(self) -> dict[str, Irreps]:
        """Name and type of each output, from the spec."""
        return {name: Irreps(irreps) for name, irreps in self.spec.outputs} or super().outputs

    def trace(self, graph: Graph, seed: Array | None = None) -> Trace:
        """Every variable of a run, forward and adjoint, by name; see `nbody_ref.network.trace.trace`."""
        from nbody_ref.network.trace import trace

        return trace(self, graph, seed)

    def to_complex(self) -> Network:
        """The same function in the complex gauge; see `nbody_ref.network.gauges.to_complex`."""
        from nbody_ref.network.gauges import to_complex

        return to_complex(self)

    def to_real(self) -> Network:
        """The same function in the real gauge, if the weights allow; see `nbody_ref.network.gauges.to_real`."""
        from nbody_ref.network.gauges import to_real

        return to_real(self)

    def with_parameters(self, arrays: Mapping[str, Array]) -> Network:
        """The same network with some weights replaced."""
        other = copy(self)  # the program is the same
        other.parameters = self.parameters.replace(arrays)
        return other

    @property
    def given(self) -> Irreps:
        """Type of the states that the atoms come with, from the spec."""
        return Irreps(self.spec.given)

    def graph(self, frames: Iterable[tuple[Array, ...]], schemes: Iterable[Scheme] | None = None) -> Graph:
        """Batch molecules given as (positions (n, 3) in Angstrom, atomic numbers (n,)), with a scheme each if any.

        A third array of a frame holds the states that its atoms come with, see `Spec.given`.
        """
        graph = super().graph(frames)
        if schemes is None:
            return graph
        found = tuple(schemes) if isinstance(schemes, Iterable) else (schemes,)
        return SchemeGraph(**vars(graph), schemes=found)

    def leaves(self, graph: Graph) -> tuple[Values, dict[str, Any]]:
        """Positions, one-hot species, the states that atoms come with, and the weights; edges and kinds of the layout.

        Raises
        ------
        ShapeError
            If the graph holds no states of the atoms, or of another size, where the spec asks for some.
        """
        batch = self.spec.layout.batch(graph, self.kinds(graph))
        psi = np.eye(len(self.species), dtype=self.spec.dtype)[batch["leaf kind"].astype(np.intp)]
        came = 0 if graph.given is None else graph.given.shape[1]
        if came != self.given.dim:
            raise ShapeError(f"Network: 'graph' must give each atom {self.given.dim} numbers, got {came}")
        if graph.given is not None:
            given = graph.given[batch["leaf atom"].astype(np.intp)]
            given = to_complex(given, self.given) if self.spec.basis == "complex" else given
            psi = np.concatenate([psi, given.astype(self.spec.dtype)], axis=1)
        return {"r": graph.positions, "psi0": psi, **self.parameters}, batch

    @cached_property
    def readout(self) -> str:
        """Name of the weights that the energy is linear in: the mixing below the root, shape (n_kinds, P)."""
        step = next(s for s in self.chain.steps if s.output == self.last_level)
        if step.op.name != "mixing" or self.spec.gates[-1].out is not None:
            raise NBodyRefError("Network.readout: the root must be a bare sum of states mixed at the level below")
        return step.inputs[1]

    @cached_property
    def readout_fragments(self) -> str:
        """Variable that the readout mixes."""
        return next(s.inputs[0] for s in self.chain.steps if s.output == self.last_level)

    def readout_features(self, graph: Graph) -> Array:
        """Invariants of each atom before the readout, (N, P): the energy is their sum times the readout weights."""
        _, values, _ = self._run_upto_readout(graph)
        return self._scalars(values[self.readout_fragments])

    def readout_features_jvp(self, graph: Graph, r_dot: Array) -> Array:
        """Tangent of `readout_features` along velocities r_dot (N, 3)."""
        chain, values, batch = self._run_upto_readout(graph)
        dots = chain.jvp(values, batch, {"r": r_dot})
        return self._scalars(dots.get(self.readout_fragments, np.zeros_like(values[self.readout_fragments])))

    def _scalars(self, fragments: Array) -> Array:
        """The columns that the readout mixes: the invariant fragments, in written order."""
        irreps, scalar = self.builder.irreps[self.readout_fragments], self.builder.irreps[self.last_level][0].irrep
        if all(part.irrep == scalar for part in irreps):
            return fragments
        spans = zip(irreps.offsets, irreps, strict=True)
        kept = [fragments[:, start : start + part.dim] for start, part in spans if part.irrep == scalar]
        return np.concatenate(kept, axis=1)

    def _run_upto_readout(self, graph: Graph) -> tuple[Any, ...]:
        _ = self.readout  # complains if there is none
        chain = self.chain.upto((self.readout_fragments,))
        leaves, batch = self.leaves(graph)
        return chain, chain.forward(leaves, batch), batch


def _build(builder: Builder, spec: Spec) -> tuple[str, str]:
    """The root, and the state of which it is, or mixes, a bare sum; the root itself if there is none."""
    states, first = [builder.input("psi0", spec.leaves)], 0
    for level, gate in enumerate(spec.gates, start=1):
        place, first = spec.layout.place(builder, level, states), len(builder.steps)
        states.append(gate.emit(builder, place))
    if spec.gates[-1].out is None:
        return states[-1], builder.steps[-1].inputs[0]
    sums = (builder.sums[step.output] for step in builder.steps[first:] if step.output in builder.sums)
    return states[-1], next(sums, states[-1])


def _parts(types: Iterable[Irreps]) -> list[tuple[int, Irrep]]:
    """All parts in written order."""
    return [(part.mul, part.irrep) for irreps in types for part in irreps]
