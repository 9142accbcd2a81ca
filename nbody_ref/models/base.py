"""Published models as programs: what they share is the graph of neighbours, one-hot species, and the sum over atoms."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from copy import copy
from typing import Any, Protocol, Self

import numpy as np

from nbody_ref.errors import NBodyRefError
from nbody_ref.gates import steps
from nbody_ref.gates.build import Builder, State
from nbody_ref.gates.chain import Array, Entry, Values
from nbody_ref.graphs import Graph
from nbody_ref.irreps import Irreps
from nbody_ref.models.layers import Rows
from nbody_ref.network.energy import EnergyModel
from nbody_ref.network.layout import Neighbourhoods
from nbody_ref.network.parameters import draw

__all__ = ["ModelSpec", "PublishedModel"]


class ModelSpec(Protocol):
    """Everything about a model but its weights: a frozen value with `to_dict` and `from_dict`."""

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers, in the order of the one-hot vectors."""
        ...

    @property
    def cutoff(self) -> float:
        """Neighbours are nearer than this, Angstrom."""
        ...

    @property
    def dtype(self) -> str:
        """Of states and weights."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description."""
        ...


class PublishedModel(EnergyModel):
    """Base class of the models of this package: `program` writes the model down, everything else is here.

    Parameters
    ----------
    spec : ModelSpec
    parameters : mapping of str to array, optional
        None: drawn from `seed`.
    seed : int

    Raises
    ------
    NBodyRefError
        If some parameters are missing.
    ShapeError
        If one is unknown or of another shape.
    """

    basis: str = "real"

    def __init__(self, spec: Any, parameters: Mapping[str, Array] | None = None, seed: int = 0) -> None:
        self.spec, self.species, self.cutoff = spec, tuple(spec.species), float(spec.cutoff)
        self.builder = Builder(spec.dtype, self.basis)
        self.builder.input("species", Irreps([(len(self.species), self.scalar)]))
        atoms = self.program(self.builder)
        energies = self.builder.emit(steps.CAST, (atoms,), "atom energies", np.dtype("float64"), irreps=atoms.irreps)
        self.root = self.builder.emit(steps.SUM, (energies,), "energy", Entry("molecule"), irreps=atoms.irreps)
        self.last_level = energies
        self.chain = self.builder.chain()
        initial = draw(self.builder.parameters, seed, spec.dtype)
        self.parameters = initial if parameters is None else initial.replace(parameters)
        if parameters is not None and set(parameters) != set(initial):
            missing = sorted(set(initial) - set(parameters))
            raise NBodyRefError(f"{type(self).__name__}: parameters are missing: {missing}")

    @abstractmethod
    def program(self, builder: Builder) -> State:
        """Emit the model; returns the energies of atoms, real numbers.

        It may read `one_hot` (N, number of species), the variable ``r`` (N, 3), and the batch entries
        of `nbody_ref.network.layout.Neighbourhoods`.
        """

    @property
    def one_hot(self) -> State:
        """The species of the atoms, a state of the program."""
        return self.builder.state("species")

    @property
    def scalar(self) -> str:
        """Irrep of invariant scalars: "0e", or "0" for models of SO(3)."""
        return "0e"

    @property
    def by_species(self) -> Rows:
        """Weights of their own for each species."""
        return Rows(Entry("kind"), len(self.species))

    def leaves(self, graph: Graph) -> tuple[Values, dict[str, Any]]:
        """Positions, one-hot species and the weights; edges and kinds."""
        batch = Neighbourhoods(len(self.species), 1).batch(graph, self.kinds(graph))
        one_hot = np.eye(len(self.species), dtype=self.spec.dtype)[batch["leaf kind"].astype(np.intp)]
        return {"r": graph.positions, "species": one_hot, **self.parameters}, batch

    def with_parameters(self, arrays: Mapping[str, Array]) -> Self:
        """The same model with some weights replaced."""
        other = copy(self)  # the program is the same; building it again would cost more than a step of training
        other.parameters = self.parameters.replace(arrays)
        return other
