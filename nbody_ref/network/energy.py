r"""Anything with an energy that is a program of ops: energies, forces, and gradients of losses on both, written once.

N-body networks and the published models of `nbody_ref.models` differ in the program alone. Forces are the reverse pass,

.. math:: F_i = -\frac{\partial E}{\partial r_i},

and the gradient of a loss on them is forward over reverse, docs/derivations/chain.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from nbody_ref.errors import DTypeError, GeometryError, IrrepsError, NBodyRefError, ShapeError
from nbody_ref.gates.build import Builder
from nbody_ref.gates.chain import Array, Chain, Values
from nbody_ref.graphs import Graph, build_graph
from nbody_ref.irreps import Irreps
from nbody_ref.network.parameters import Parameters
from nbody_ref.ops._check import check_array

__all__ = ["EnergyModel", "real_part"]


class EnergyModel(ABC):
    """Base class of models whose root is a state of each frame.

    A subclass sets the attributes and says what its program starts from (`leaves`).

    Attributes
    ----------
    spec
        The description it was made from, with `to_dict`.
    species : tuple of int
        Atomic numbers the model knows.
    cutoff : float
        Neighbours are nearer than this, Angstrom.
    builder : Builder
        The program's types and parameters.
    chain : Chain
        The program.
    root : str
        Variable of the output, (n_frames, irreps_out.dim).
    last_level : str
        Variable of the states of the atoms that the root sums, (N, ...).
    parameters : Parameters
        The weights, variables of the program.
    """

    spec: Any
    species: tuple[int, ...]
    cutoff: float
    builder: Builder
    chain: Chain
    root: str
    last_level: str
    parameters: Parameters

    @abstractmethod
    def leaves(self, graph: Graph) -> tuple[Values, dict[str, Any]]:
        """Positions ``r``, other leaves and the weights, by variable; and the batch of edges and kinds."""

    @abstractmethod
    def with_parameters(self, arrays: Mapping[str, Array]) -> Self:
        """The same model with some weights replaced."""

    @property
    def given(self) -> Irreps:
        """Type of the states that the atoms come with; empty: they come with none."""
        return Irreps()

    def graph(self, frames: Iterable[tuple[Array, ...]]) -> Graph:
        """Batch molecules given as (positions (n, 3) in Angstrom, atomic numbers (n,)).

        Atoms that come with states add a third array (n, given.dim), in the real gauge.

        Raises
        ------
        ShapeError, DTypeError, GeometryError
            If `frames` are no such pairs, and as `nbody_ref.graphs.build_graph`.
        """
        try:
            positions, numbers, given = [], [], []
            for r, z, *states in frames:
                positions.append(r)
                numbers.append(z)
                given.append(states)
        except (TypeError, ValueError) as error:
            name = type(self).__name__
            raise ShapeError(f"{name}.graph: 'frames' must be pairs (positions, atomic numbers)") from error
        graph = build_graph(positions, numbers, self.cutoff)
        if not self.given and not any(given):
            return graph
        return replace(graph, given=_given(type(self).__name__, given, graph, self.given))

    @property
    def irreps_out(self) -> Irreps:
        """Type of the root's state."""
        return self.builder.irreps[self.root]

    @property
    def irreps(self) -> dict[str, Irreps]:
        """Type of every state of the program, by variable."""
        return self.builder.irreps

    def kinds(self, graph: Graph) -> Array:
        """Index of each atom's species, (N,) uintp.

        Raises
        ------
        DTypeError
            If `graph` is no Graph.
        GeometryError
            If an atom's species is unknown to the model, or neighbours were found with another cutoff than its own.
        """
        if not isinstance(graph, Graph):
            raise DTypeError(f"{type(self).__name__}: 'graph' must be made by its graph(), got {type(graph).__name__}")
        if graph.cutoff != self.cutoff:
            came = f"one of cutoff {graph.cutoff} Angstrom"
            raise GeometryError(f"{type(self).__name__}: 'graph' must have the cutoff {self.cutoff}, got {came}")
        kinds = np.zeros(len(graph.species), dtype=np.uintp)
        known = np.zeros(len(graph.species), dtype=bool)
        for i, z in enumerate(self.species):
            kinds[graph.species == z] = i
            known |= graph.species == z
        if not known.all():
            atom = int(np.argmin(known))
            raise GeometryError(
                f"{type(self).__name__}: atom {atom} has atomic number {int(graph.species[atom])}; "
                f"this model knows {self.species}"
            )
        return kinds

    def forward(self, graph: Graph) -> tuple[Values, dict[str, Any]]:
        """Run the network; returns every variable by name, and the batch of edges and kinds it ran on."""
        leaves, batch = self.leaves(graph)
        return self.chain.forward(leaves, batch), batch

    def states(self, graph: Graph) -> Array:
        """State of the root for each frame, (n_frames, irreps_out.dim)."""
        return self.forward(graph)[0][self.root]

    @property
    def outputs(self) -> dict[str, Irreps]:
        """Name and type of each output, side by side in the root's state: "energy" alone, by default."""
        return {"energy": self.irreps_out}

    def predict(self, graph: Graph) -> dict[str, Array]:
        """Every output, (n_frames, dim) float64 each, without forces."""
        return self._named(self.states(graph))

    def predict_with_forces(self, graph: Graph) -> dict[str, Array]:
        """Every output, and "forces" (N, 3), from one run forward and back."""
        values, batch = self.forward(graph)
        return {**self._named(values[self.root]), "forces": self._reverse(graph, values, batch, ())[1]}

    def node_energies_and_forces(self, graph: Graph) -> tuple[Array, Array]:
        """`node_energies` (N,) and forces (N, 3) from one run forward and back."""
        values, batch = self.forward(graph)
        return self._shares(values), self._reverse(graph, values, batch, ())[1]

    def _named(self, states: Array) -> dict[str, Array]:
        states = real_part(states)
        return {name: states[:, span] for name, span in self._spans().items()}

    def energy(self, graph: Graph) -> Array:
        """Energy of each frame, (n_frames,) float64, in the unit the weights were fitted in (eV).

        The real part of the root's state, if that is complex: the adjoint of Re is 1, so forces and gradients follow
        without further changes.
        """
        return real_part(self.states(graph)[:, self.energy_column()])

    def energy_and_forces(self, graph: Graph) -> tuple[Array, Array]:
        """Energies (n_frames,) and forces F = -dE/dr (N, 3), both float64."""
        values, batch = self.forward(graph)
        energy, forces, _ = self._reverse(graph, values, batch, ())
        return energy, forces

    def _reverse(
        self, graph: Graph, values: Values, batch: dict[str, Any], names: tuple[str, ...]
    ) -> tuple[Array, Array, Values]:
        """Energies, forces, and the cotangents of the energy that they came from."""
        column = self.energy_column()
        seed = np.zeros_like(values[self.root])
        seed[:, column] = 1
        bars = self.chain.vjp(values, batch, {self.root: seed}, ("r", *names))
        forces = -bars["r"] if "r" in bars else np.zeros_like(graph.positions)
        return real_part(values[self.root][:, column]), forces, bars

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

        def of_outputs(found: dict[str, Array]) -> tuple[float, dict[str, Array]]:
            value, energy_bar, forces_bar = loss(found["energy"][:, 0], found["forces"])
            shape = (len(found["energy"]),)
            energy_bar = check_array(type(self).__name__, "energy_bar", energy_bar, shape, (np.float64,))
            return value, {"energy": energy_bar[:, None], "forces": forces_bar}

        return self.outputs_gradient(graph, of_outputs, wrt)

    def outputs_gradient(
        self,
        graph: Graph,
        loss: Callable[[dict[str, Array]], tuple[float, dict[str, Array]]],
        wrt: Iterable[str] | None = None,
    ) -> tuple[float, Parameters]:
        """Value of a loss on all outputs and the forces, and its gradient with respect to the weights.

        Parameters
        ----------
        graph : Graph
        loss : callable
            From a dict of every output (n_frames, dim) and "forces" (N, 3) to the value and a dict of its derivatives;
            an output that is absent there has derivative zero.
        wrt : iterable of str, optional
            Names of the weights; None: all.

        Returns
        -------
        float, Parameters

        Raises
        ------
        ShapeError, DTypeError
            If a derivative has not the shape of what it belongs to, or is not float64.
        NBodyRefError
            If an output or a name in `wrt` is unknown.
        """
        names = tuple(self.parameters) if wrt is None else tuple(wrt)
        values, batch = self.forward(graph)
        _, forces, bars = self._reverse(graph, values, batch, names)
        root, spans = values[self.root], self._spans()
        value, wanted = loss({**self._named(root), "forces": forces})
        shapes = {**{name: (len(root), span.stop - span.start) for name, span in spans.items()}, "forces": forces.shape}
        wanted = _checked_bars(type(self).__name__, wanted, shapes)
        unknown = sorted(set(names) - set(self.parameters))
        if unknown:
            raise NBodyRefError(f"{type(self).__name__}: 'wrt' must name weights, got {unknown}")
        seed_dot = np.zeros_like(root)
        for name, span in spans.items():
            if name in wanted:
                seed_dot[:, span] = wanted[name]
        tangents = self.chain.jvp(values, batch, {"r": -wanted["forces"]} if "forces" in wanted else {})
        found = self.chain.vjp_jvp(values, batch, tangents, bars, names, {self.root: seed_dot})
        return value, Parameters({name: found.get(name, np.zeros_like(self.parameters[name])) for name in names})

    def node_energies(self, graph: Graph) -> Array:
        """Share of each atom's neighbourhood in the energy, (N,) float64; they add up to the energy of the frame."""
        return self._shares(self.forward(graph)[0])

    def _shares(self, values: Values) -> Array:
        if self.builder.irreps[self.last_level] != self.irreps_out:
            raise IrrepsError(
                f"{type(self).__name__}: no shares of atoms: '{self.last_level}' has type "
                f"{self.builder.irreps[self.last_level]}, the root {self.irreps_out}"
            )
        return real_part(values[self.last_level][:, self.energy_column()])

    def energy_column(self) -> int:
        """Column of the energy in the root's state.

        Raises
        ------
        IrrepsError
            If there is none: no output "energy", or one that is not a single scalar.
        """
        irreps = self.outputs.get("energy")
        if irreps is None or irreps.dim != 1 or irreps[0].irrep.l != 0:
            raise IrrepsError(f"{type(self).__name__}: an energy must be one scalar, the outputs are {self._told()}")
        return int(self._spans()["energy"].start)

    def _told(self) -> str:
        return ", ".join(f"{name} {irreps}" for name, irreps in self.outputs.items())

    def _spans(self) -> dict[str, slice]:
        spans, begin = {}, 0
        for name, irreps in self.outputs.items():
            spans[name] = slice(begin, begin + irreps.dim)
            begin += irreps.dim
        return spans


def _given(name: str, given: Sequence[Sequence[Any]], graph: Graph, irreps: Irreps) -> Array:
    """The states that the atoms of all frames come with, side by side."""
    for f, (states, n) in enumerate(zip(given, np.diff(graph.frame_ptr.astype(np.intp)), strict=True)):
        came = [np.shape(state) for state in states]
        if came != [(n, irreps.dim)] * bool(irreps):
            wanted = f"a state of shape {(int(n), irreps.dim)}, type {irreps}," if irreps else "no states of atoms,"
            raise ShapeError(f"{name}.graph: 'frames' must hold {wanted} got {came or 'none'} in frame {f}")
    return np.concatenate([np.asarray(states[0]) for states in given])


def _checked_bars(function: str, bars: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Derivatives of a loss by output: a row for each frame or atom, nothing is spread over several."""
    if not isinstance(bars, Mapping) or not set(bars) <= set(shapes):
        came = sorted(map(str, bars)) if isinstance(bars, Mapping) else type(bars).__name__
        raise NBodyRefError(f"{function}: a loss must give derivatives by output, {sorted(shapes)}, got {came}")
    return {name: check_array(function, f"{name}_bar", bar, shapes[name], (np.float64,)) for name, bar in bars.items()}


def real_part(x: Array) -> Array:
    """The real part in double precision."""
    return x.real.astype(np.float64)
