r"""N-body networks, Definition 3: a composition scheme whose gates carry covariant states.

The leaves are atoms, with the one-hot vector of their species as state. Level t = 1, 2, ... aggregates level t - 1 by
its gate; the root aggregates the last level and its state is the output:

.. math:: \psi_j = \Phi_j(\hat r_{ch_1}, \ldots, |\hat r_{ch_1}|, \ldots, \psi_{ch_1}, \ldots), \qquad
          F_i = -\frac{\partial E}{\partial r_i}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.errors import GeometryError, IrrepsError, NBodyRefError
from nbody_ref.gates.build import Builder
from nbody_ref.gates.chain import Array, Chain, Values
from nbody_ref.graphs import Graph, build_graph
from nbody_ref.irreps import Irreps
from nbody_ref.network.layout import SchemeGraph
from nbody_ref.network.parameters import Parameters, draw
from nbody_ref.network.spec import Spec
from nbody_ref.scheme import Scheme

if TYPE_CHECKING:
    from nbody_ref.network.trace import Trace

__all__ = ["Network", "Spec"]


class Network:
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
        If a gate asks for irreps that cannot occur.
    """

    def __init__(self, spec: Spec, parameters: Mapping[str, Array] | None = None, seed: int = 0) -> None:
        self.spec = spec
        self._builder, self.root = _build(spec)
        self.chain: Chain = self._builder.chain()
        initial = draw(self._builder.parameters, seed, spec.dtype)
        self.parameters = initial if parameters is None else initial.replace(parameters)
        if parameters is not None and set(parameters) != set(initial):
            raise NBodyRefError(f"Network: parameters are missing: {sorted(set(initial) - set(parameters))}")

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers the network knows."""
        return self.spec.species

    @property
    def cutoff(self) -> float:
        """Radius of a neighbourhood, Angstrom."""
        return self.spec.cutoff

    @property
    def irreps_out(self) -> Irreps:
        """Type of the root's state."""
        return self._builder.irreps[self.root]

    @property
    def irreps(self) -> dict[str, Irreps]:
        """Type of every state of the program, by variable."""
        return self._builder.irreps

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
        return Network(self.spec, self.parameters.replace(arrays))

    def graph(self, frames: Iterable[tuple[Array, Array]], schemes: Iterable[Scheme] | None = None) -> Graph:
        """Batch molecules given as (positions (n, 3) in Angstrom, atomic numbers (n,)), with a scheme each if any."""
        pairs = list(frames)
        graph = build_graph([p for p, _ in pairs], [z for _, z in pairs], self.cutoff)
        return graph if schemes is None else SchemeGraph(**vars(graph), schemes=tuple(schemes))

    def kinds(self, graph: Graph) -> Array:
        """Index of each atom's species, (N,) uintp.

        Raises
        ------
        GeometryError
            If an atom's species is unknown to the network.
        """
        kinds = np.zeros(len(graph.species), dtype=np.uintp)
        known = np.zeros(len(graph.species), dtype=bool)
        for i, z in enumerate(self.species):
            kinds[graph.species == z] = i
            known |= graph.species == z
        if not known.all():
            atom = int(np.argmin(known))
            raise GeometryError(
                f"Network: atom {atom} has atomic number {int(graph.species[atom])}; this network knows {self.species}"
            )
        return kinds

    def forward(self, graph: Graph) -> tuple[Values, dict[str, Any]]:
        """Run the network; returns every variable by name, and the batch of edges and kinds it ran on."""
        leaves, batch = self._leaves(graph)
        return self.chain.forward(leaves, batch), batch

    def _leaves(self, graph: Graph) -> tuple[Values, dict[str, Any]]:
        batch = self.spec.layout.batch(graph, self.kinds(graph))
        one_hot = np.eye(len(self.species), dtype=self.spec.dtype)[batch["leaf kind"].astype(np.intp)]
        return {"r": graph.positions, "psi0": one_hot, **self.parameters}, batch

    def states(self, graph: Graph) -> Array:
        """State of the root for each frame, (n_frames, irreps_out.dim)."""
        return self.forward(graph)[0][self.root]

    def energy(self, graph: Graph) -> Array:
        """Energy of each frame, (n_frames,) float64, in the unit the weights were fitted in (eV).

        The real part of the root's state, if that is complex: the adjoint of Re is 1, so forces and gradients follow
        without further changes.
        """
        self._check_scalar(self.root)
        return _real(self.states(graph)[:, 0])

    def energy_and_forces(self, graph: Graph) -> tuple[Array, Array]:
        """Energies (n_frames,) and forces F = -dE/dr (N, 3), both float64."""
        self._check_scalar(self.root)
        values, batch = self.forward(graph)
        energy = values[self.root]
        bars = self.chain.vjp(values, batch, {self.root: np.ones_like(energy)}, ("r",))
        forces = -bars["r"] if "r" in bars else np.zeros_like(graph.positions)
        return _real(energy[:, 0]), forces

    def weight_gradient(
        self, graph: Graph, energy_bar: Array, forces_bar: Array, wrt: Iterable[str] | None = None
    ) -> Parameters:
        r"""Gradient with respect to the weights of a function of energies and forces, by forward over reverse.

        .. math:: \frac{\partial L}{\partial W} = \sum_f \bar E_f \frac{\partial E_f}{\partial W}
                  - \Big\langle \bar F, \frac{\partial^2 E}{\partial r\, \partial W} \Big\rangle

        Parameters
        ----------
        graph : Graph
        energy_bar : (n_frames,) float64
            dL/dE.
        forces_bar : (N, 3) float64
            dL/dF.
        wrt : iterable of str, optional
            Names of the weights; None: all.

        Returns
        -------
        Parameters
            Zero where the function does not depend on a weight.

        Notes
        -----
        One run of forward, jvp, vjp and vjp_jvp, whatever the number of weights: with r_dot = -F_bar and the seed's
        tangent E_bar, the tangent of W's cotangent is the whole gradient. docs/derivations/chain.md, D5.
        """
        return self.loss_gradient(graph, lambda energy, forces: (0.0, energy_bar, forces_bar), wrt)[1]

    def loss_gradient(
        self, graph: Graph, loss: Callable[[Array, Array], tuple[float, Array, Array]], wrt: Iterable[str] | None = None
    ) -> tuple[float, Parameters]:
        """Value of a loss on energies and forces, and its gradient with respect to the weights.

        Parameters
        ----------
        graph : Graph
        loss : callable (energy (n_frames,), forces (N, 3)) -> (value, dL/dE, dL/dF)
            Called once, between the reverse pass that gives the forces and the forward pass along dL/dF.
        wrt : iterable of str, optional
            Names of the weights; None: all.

        Returns
        -------
        float, Parameters

        Notes
        -----
        `weight_gradient` of the loss's own derivatives, without computing energies and forces twice.
        """
        self._check_scalar(self.root)
        names = tuple(self.parameters) if wrt is None else tuple(wrt)
        values, batch = self.forward(graph)
        energy = values[self.root]
        bars = self.chain.vjp(values, batch, {self.root: np.ones_like(energy)}, ("r", *names))
        forces = -bars["r"] if "r" in bars else np.zeros_like(graph.positions)
        value, energy_bar, forces_bar = loss(_real(energy[:, 0]), forces)
        tangents = self.chain.jvp(values, batch, {"r": -forces_bar})
        seed_dot = {self.root: energy_bar[:, None].astype(energy.dtype)}
        found = self.chain.vjp_jvp(values, batch, tangents, bars, names, seed_dot)
        return value, Parameters({name: found.get(name, np.zeros_like(self.parameters[name])) for name in names})

    @cached_property
    def last_level(self) -> str:
        """Variable of the states of the nodes below the root."""
        return self.chain.steps[-1].inputs[0] if self.spec.gates[-1].out is None else self._below_root

    @cached_property
    def _below_root(self) -> str:
        return next(step.inputs[0] for step in self.chain.steps if step.output.startswith("root/sum/"))

    def node_energies(self, graph: Graph) -> Array:
        """Share of each atom's neighbourhood in the energy, (N,) float64; they add up to the energy of the frame."""
        self._check_scalar(self.last_level)
        return _real(self.forward(graph)[0][self.last_level][:, 0])

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
        irreps, scalar = self._builder.irreps[self.readout_fragments], self._builder.irreps[self.last_level][0].irrep
        if all(part.irrep == scalar for part in irreps):
            return fragments
        spans = zip(irreps.offsets, irreps, strict=True)
        kept = [fragments[:, start : start + part.dim] for start, part in spans if part.irrep == scalar]
        return np.concatenate(kept, axis=1)

    def _run_upto_readout(self, graph: Graph) -> tuple[Any, ...]:
        _ = self.readout  # complains if there is none
        chain = self.chain.upto((self.readout_fragments,))
        leaves, batch = self._leaves(graph)
        return chain, chain.forward(leaves, batch), batch

    def _check_scalar(self, variable: str) -> None:
        irreps = self._builder.irreps[variable]
        if irreps.dim != 1 or irreps[0].irrep.l != 0:
            raise IrrepsError(f"Network: an energy must be one scalar, '{variable}' has type {irreps}")


def _real(x: Array) -> Array:
    return x.real.astype(np.float64)


def _build(spec: Spec) -> tuple[Builder, str]:
    builder, states = Builder(spec.dtype, spec.basis), ["psi0"]
    builder.irreps["psi0"] = spec.leaves
    for level, gate in enumerate(spec.gates, start=1):
        states.append(builder.gate(gate, spec.layout.place(builder, level, states)))
    return builder, states[-1]
