"""Gates and whole models as operations: positions in, states or energies out, weights by name.

Value, gradient and second gradient of a model are energy, minus the forces and gradient in the weights, and the weight
gradient of a loss on forces (the second gradient along a tangent of the positions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from nbody_ref.certified.program import Program
from nbody_ref.conformance.operations.composite import Programmed
from nbody_ref.conformance.operations.operation import Layout
from nbody_ref.conformance.truth.lowering_models import lower
from nbody_ref.gates.build import Builder, program
from nbody_ref.gates.terms import Gate
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irreps
from nbody_ref.network.energy import EnergyModel

__all__ = ["GateOperation", "ModelOperation", "from_pairs", "to_pairs"]

Array = np.ndarray[Any, Any]


def from_pairs(x: Any, dtype: Any) -> Array:
    """Weights in the dtype of a model; for a complex one, from (re, im) side by side."""
    x = np.asarray(x)
    z = x[..., ::2] + 1j * x[..., 1::2] if np.dtype(dtype).kind == "c" else x
    return np.asarray(z.astype(dtype))


def to_pairs(x: Any) -> Array:
    """The inverse, in float64."""
    z: Array = np.asarray(x)
    if z.dtype.kind != "c":
        return z
    pairs = np.stack([z.real, z.imag], axis=-1).astype(np.float64)
    return np.asarray(pairs.reshape(*z.shape[:-1], 2 * z.shape[-1]))


@dataclass(frozen=True)
class GateOperation(Programmed):
    """One gate on the children of some parents, eqs. (10) to (12) and any other gate of declared terms.

    Inputs ``psi`` (children, irreps_in.dim), ``r_child`` and ``r_parent`` (.., 3), one array for each weight, by the
    names of `weights`; ``senders``, ``receivers`` (edges,) child and parent of every edge, ``kind`` (parents,). The
    result has one row for each parent. Edges between equal positions are of the kind "centre" of
    `nbody_ref.gates.Bare`.
    """

    gate: Gate
    irreps_in: Irreps
    n_kinds: int = 2
    label: str = ""
    name = "gate"

    @cached_property
    def built(self) -> tuple[Builder, str]:
        """Program of this package's operations, and the variable of its result."""
        return program(self.gate, self.irreps_in, self.n_kinds)

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights by name."""
        return {name: mixing.shape for name, mixing in self.built[0].parameters.items()}

    @property
    def irreps_out(self) -> Irreps:
        """Type of the result."""
        return self.built[0].irreps[self.built[1]]

    @property
    def differentiable(self) -> tuple[str, ...]:
        """Inputs that have gradients."""
        return ("psi", "r_child", "r_parent", *self.weights)

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest degree of the states."""
        return max(self.irreps_in.lmax, self.irreps_out.lmax)

    def layout(self, name: str) -> Layout:
        """States, positions, weights."""
        states: dict[str, Layout] = {"psi": self.irreps_in, "r_child": "positions", "r_parent": "positions"}
        return self.irreps_out if name == "out" else states.get(name, "plain")

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        """Shape of the result."""
        return (len(inputs["r_parent"]), self.irreps_out.dim)

    def batch(self, inputs: Mapping[str, Array]) -> dict[str, Any]:
        """Edges and kinds as the program reads them."""
        to, fro = np.asarray(inputs["receivers"]), np.asarray(inputs["senders"])
        sizes = len(inputs["r_parent"]), len(inputs["r_child"])
        apart = (np.asarray(inputs["r_child"])[fro] != np.asarray(inputs["r_parent"])[to]).any(axis=1)
        found = {"all": np.ones(len(to), bool), "directed": apart, "centre": ~apart}
        edges = {name: Edges.build(to[kept], fro[kept], *sizes) for name, kept in found.items()}
        kind = np.asarray(inputs["kind"]).astype(np.uintp)
        return {**edges, "kind": kind, "shared": np.zeros(len(kind), np.uintp)}

    def lowered(self, inputs: Mapping[str, Array]) -> tuple[Program, str, dict[str, Array]]:
        """The program of the gate as sums and functions."""
        builder, out = self.built
        low = lower(builder.chain(), {name: inputs[name] for name in self.differentiable}, self.batch(inputs))
        return low.program, out, low.constants

    def to_dict(self) -> dict[str, Any]:
        """JSON description."""
        weights = {name: list(shape) for name, shape in self.weights.items()}
        return {
            "operation": self.name,
            "label": self.label,
            "gate": self.gate.to_dict(),
            "irreps_in": str(self.irreps_in),
            "n_kinds": self.n_kinds,
            "weights": weights,
        }


@dataclass(frozen=True, eq=False)
class ModelOperation(Programmed):
    """A whole model on given molecules: any `EnergyModel` whose program is made of this package's steps.

    Inputs ``r`` (atoms, 3) and one array for each weight, by the names of the model's parameters, complex ones with
    (re, im) side by side; ``species`` (atoms,)
    atomic numbers, ``frame_ptr`` (frames + 1,). The result is the root's state of each frame, (frames, dim), for an
    energy model (frames, 1).

    Parameters
    ----------
    label : str
    make : callable dtype -> EnergyModel
        The model in a precision; its own weights do not matter.
    description : dict
        What a program in another language needs to build the model.
    """

    label: str
    make: Callable[[str], EnergyModel]
    description: Mapping[str, Any] = field(default_factory=dict)
    name = "model"
    mixed = True

    @cached_property
    def model(self) -> EnergyModel:
        """The model in float64."""
        return self.make("float64")

    @property
    def differentiable(self) -> tuple[str, ...]:
        """Inputs that have gradients."""
        return ("r", *self.model.parameters)

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest degree of the states."""
        return max(irreps.lmax for irreps in self.model.irreps.values())

    def layout(self, name: str) -> Layout:
        """Positions, a state, weights."""
        if name == "out" and not self.wide:
            return self.model.irreps_out
        return "positions" if name == "r" else "plain"

    @cached_property
    def wide(self) -> bool:
        """Whether the root's state is complex, so that the result is (re, im) side by side."""
        return bool(getattr(self.model.spec, "is_complex", False))  # type: ignore[attr-defined]

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
        """Shape of the result."""
        return (len(inputs["frame_ptr"]) - 1, self.model.irreps_out.dim * (1 + self.wide))

    def leaves(self, model: EnergyModel, inputs: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Any]]:
        """Leaves and batch of a model with the weights of `inputs`."""
        ends = [int(i) for i in inputs["frame_ptr"]]
        r, z = np.asarray(inputs["r"], np.float64), np.asarray(inputs["species"])
        graph = model.graph([(r[a:b], z[a:b]) for a, b in pairwise(ends)])
        values, batch = model.leaves(graph)
        weights = {name: from_pairs(inputs[name], values[name].dtype) for name in model.parameters}
        return {**values, **weights}, batch

    def lowered(self, inputs: Mapping[str, Array]) -> tuple[Program, str, dict[str, Array]]:
        """The program of the model as sums and functions."""
        values, batch = self.leaves(self.model, inputs)
        low = lower(self.model.chain, values, batch)
        fixed = {name: to_pairs(x) for name, x in values.items() if name not in self.differentiable}
        return low.program, self.model.root, low.constants | fixed

    def to_dict(self) -> dict[str, Any]:
        """JSON description."""
        weights = {name: list(to_pairs(x).shape) for name, x in self.model.parameters.items()}
        return {"operation": self.name, "label": self.label, "model": dict(self.description), "weights": weights}
