"""Gates and whole models as operations: positions in, states or energies out, weights by name.

Value, gradient and second gradient of a model are energy, minus the forces and gradient in the weights, and the weight
gradient of a loss on forces (the second gradient along a tangent of the positions).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.certified.program import Program
from nbody_ref.conformance.formats import rounded
from nbody_ref.conformance.operations.blocks import BEHAVIOUR, CUTOFF
from nbody_ref.conformance.operations.layouts import Layout, Positions, State
from nbody_ref.conformance.operations.operation import Case, Operation, Programmed, random, with_orders
from nbody_ref.conformance.truth.lowering import lower
from nbody_ref.gates import Bare, Directed, Gate, Product
from nbody_ref.gates.build import Builder, program
from nbody_ref.gates.named import first_order, relative, zeroth_order
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irreps
from nbody_ref.models.base import PublishedModel
from nbody_ref.models.mace import Mace, MaceSpec
from nbody_ref.models.registry import model_from_dict
from nbody_ref.network import Network, Spec
from nbody_ref.network.energy import EnergyModel
from nbody_ref.ops.radial import Bessel

if TYPE_CHECKING:
    from nbody_ref.conformance.backend import Capabilities

__all__ = ["GateOperation", "ModelOperation", "default_models", "from_pairs", "model_of", "to_pairs"]

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
    names = ("gate",)
    behaviour = BEHAVIOUR

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
    def differentiable(self) -> tuple[str, ...]:  # type: ignore[override]
        """Inputs that have gradients."""
        return ("psi", "r_child", "r_parent", *self.weights)

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest degree of the states."""
        return max(self.irreps_in.lmax, self.irreps_out.lmax)

    def layout(self, name: str) -> Layout:
        if name in ("psi", "out"):
            return State(self.irreps_in if name == "psi" else self.irreps_out)
        return Positions() if name in ("r_child", "r_parent") else Layout()

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
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
        weights = {name: list(shape) for name, shape in self.weights.items()}
        fields = {"label": self.label, "gate": self.gate.to_dict(), "irreps_in": str(self.irreps_in)}
        return {"operation": self.name, **fields, "n_kinds": self.n_kinds, "weights": weights}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GateOperation:
        return cls(Gate.from_dict(data["gate"]), Irreps(data["irreps_in"]), data["n_kinds"], data["label"])

    def cases(self, dtype: str, orders: tuple[int, ...], seed: int = 0, first: bool = True) -> Iterator[Case]:
        """Three parents of unlike sizes; children on two sides, one at its parent's own position."""
        parents = random((3, 3), dtype, "parents", seed)
        senders = np.array([4, 0, 1, 5, 2, 3, 1, 5, 0, 2, 3])
        receivers = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2])
        found = {"psi": random((6, self.irreps_in.dim), dtype, "psi", seed), "r_parent": parents}
        found["r_child"] = random((6, 3), dtype, "children", seed, scale=2.0)
        found["r_child"][4] = parents[0]
        for name, shape in self.weights.items():
            found[name] = random(shape, dtype, name, seed, scale=0.5)
        found |= {"senders": senders, "receivers": receivers, "kind": np.array([0, self.n_kinds - 1, 0])}
        yield from with_orders("random", self, found, dtype, orders, seed, note=self.label)

    @classmethod
    def suite(cls, name: str, caps: Capabilities, basis: str = "real") -> tuple[Operation, ...]:
        state, out = Irreps("2x0e + 1x1o"), Irreps("2x0e + 2x1o")
        leg = Directed(Bessel(2, CUTOFF), min(max(caps.lmax, 1), 2), mul=2)
        named = {
            "eq. (10)": zeroth_order(out),
            "eq. (11)": first_order("1x0e + 1x1e", (0, 1)),
            "eq. (12)": relative("2x0e + 1x1o", (1, 2)),
            "products of summed legs": Gate((Bare("centre"), leg, Product((leg, leg), ("0e", "1o"))), out),
        }
        return tuple(cls(gate, state, 2, label) for label, gate in named.items())


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
    names = ("model",)
    behaviour = BEHAVIOUR
    mixed = True

    @cached_property
    def model(self) -> EnergyModel:
        """The model in float64."""
        return self.make("float64")

    @property
    def differentiable(self) -> tuple[str, ...]:  # type: ignore[override]
        """Inputs that have gradients."""
        return ("r", *self.model.parameters)

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest degree of the states."""
        return max(irreps.lmax for irreps in self.model.irreps.values())

    def layout(self, name: str) -> Layout:
        if name == "out" and not self.wide:
            return State(self.model.irreps_out)
        return Positions() if name == "r" else Layout()

    @cached_property
    def wide(self) -> bool:
        """Whether the root's state is complex, so that the result is (re, im) side by side."""
        return bool(getattr(self.model.spec, "is_complex", False))

    def shape(self, inputs: Mapping[str, Array]) -> tuple[int, ...]:
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
        weights = {name: list(to_pairs(x).shape) for name, x in self.model.parameters.items()}
        return {"operation": self.name, "label": self.label, "model": dict(self.description), "weights": weights}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelOperation:
        described = data["model"]
        if "published" in described:  # weights are inputs
            return model_of(model_from_dict(described["published"], None), data["label"])  # type: ignore[arg-type]
        return model_of(Network(Spec.from_dict(described["network"])), data["label"])

    def cases(self, dtype: str, orders: tuple[int, ...], seed: int = 0, first: bool = True) -> Iterator[Case]:
        """A molecule of four atoms and one of three, in one batch."""
        shape = np.array([[0.0, 0, 0], [0.7, 0.8, 0.1], [-0.8, 0.4, 0.6], [0.2, -1.0, -0.3]])
        r = np.concatenate([shape, shape[:3] * 1.1 + 0.5]) + 0.1 * random((7, 3), "float64", "r", seed)
        known = self.model.species
        species = np.array([known[i % len(known)] for i in (1, 0, 0, 1, 1, 0, 0)])
        shapes = {name: to_pairs(x).shape for name, x in self.model.parameters.items()}
        weights = {name: random(shape, dtype, name, seed, scale=0.5) for name, shape in shapes.items()}
        given = {"r": rounded(r, dtype), "species": species, "frame_ptr": np.array([0, 4, 7]), **weights}
        yield from with_orders("random", self, given, dtype, orders, seed, ("r",), note=self.label)

    @classmethod
    def suite(cls, name: str, caps: Capabilities, basis: str = "real") -> tuple[Operation, ...]:
        return default_models()


def model_of(make: Any, label: str) -> ModelOperation:
    """A model as an operation.

    Parameters
    ----------
    make : callable dtype -> EnergyModel, or EnergyModel
        A model must have a spec with a dtype; it is remade in other precisions.
    label : str
    """
    if isinstance(make, EnergyModel):
        model: Any = make

        def make(dtype: str) -> EnergyModel:
            if np.dtype(model.spec.dtype).kind == "c":
                dtype = np.result_type(dtype, np.complex64).name
            same = dtype == model.spec.dtype
            remade: EnergyModel = model if same else type(model)(replace(model.spec, dtype=dtype), seed=0)
            return remade

    made = make("float64")
    kind = "network" if isinstance(made, Network) else "published"
    described = made.spec.to_dict() if isinstance(made, Network | PublishedModel) else None
    return ModelOperation(label, make, {} if described is None else {kind: described})


@lru_cache(maxsize=1)
def default_models() -> tuple[ModelOperation, ...]:
    """A small network, and MACE."""
    return model_of(_network, "two levels of neighbourhoods"), model_of(_mace, "MACE")


def _network(dtype: str) -> Network:
    first = Gate((Bare("centre"), Directed(Bessel(2, CUTOFF), 2)), Irreps("2x0e + 2x1o + 1x2e"))
    leg = Directed(Bessel(1, CUTOFF), 1, mul=2)
    second = Gate((Bare("centre"), Product((leg, leg), ("0e",), bond=1)), Irreps("1x0e"))
    return Network(Spec((1, 6), CUTOFF, (first, second, Gate((Bare(),))), dtype), seed=0)


def _mace(dtype: str) -> Mace:
    few = {"n_radial": 2, "radial_mlp": (2,), "readout": 2, "energies": (-1.0, -2.0), "neighbours": 2.0}
    spec = MaceSpec((1, 6), CUTOFF, "2x0e", 1, (3,), (False,), dtype=dtype, **few)  # type: ignore[arg-type]
    return Mace(spec)
