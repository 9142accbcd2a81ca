r"""MACE (Batatia et al. 2022) written from the parts of this package, equations (M0) to (M6) of docs/models/mace.md.

.. math::
    h^{(0)}_i &= W \delta_{z_i}, \qquad
    A^{(t)}_i = \frac{1}{\bar n} W \sum_{j} R^{(t)}(r_{ij})\, [W h^{(t)}_j \times Y(\hat r_{ij})], \\
    m^{(t)}_i &= \sum_{\nu, \eta} W^{(t),\nu}_{z_i \eta} \big[ A_i \times \cdots \times A_i \big]_\eta, \qquad
    h^{(t+1)}_i = W m^{(t)}_i + W_{z_i} h^{(t)}_i, \\
    E &= \sum_i \Big( E_{0, z_i} + \mathrm{shift} + \mathrm{scale} \sum_t \mathcal R_t(h^{(t+1)}_i) \Big)

Parameters carry the names, shapes and order of mace-torch; models of its own basis have fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from nbody_ref.fusion import FusionTable, Term
from nbody_ref.fusion.fuse import FUSE
from nbody_ref.gates import steps
from nbody_ref.gates.build import Builder, State
from nbody_ref.gates.chain import Values
from nbody_ref.gates.weights import Dense
from nbody_ref.graphs import Graph
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.models import layers
from nbody_ref.models import mace_weights as maps
from nbody_ref.models.base import PublishedModel
from nbody_ref.models.layers import ATOMS, EDGES, Rows
from nbody_ref.models.mace_paths import symmetric
from nbody_ref.models.mace_spec import MaceSpec
from nbody_ref.ops.channel_mixing import CHANNEL_MIXING, ChannelMixingTable
from nbody_ref.ops.mixing import MixingTable
from nbody_ref.ops.radial import Bessel
from nbody_ref.ops.weight_map import WEIGHT_MAP, WeightMap

__all__ = ["Mace", "MaceSpec"]

_MODULES = ("node_embedding", "interactions", "products", "readouts")
_DOUBLE = np.dtype(np.float64)


class Mace(PublishedModel):
    """MACE and ScaleShiftMACE; parameters and errors as `PublishedModel`.

    Parameters
    ----------
    spec : MaceSpec
    parameters : mapping of str to array, optional
        By the names of mace-torch; None: drawn from `seed` with its distributions.
    seed : int

    Raises
    ------
    IrrepsError
        If a part of the states cannot be reached from A.

    Examples
    --------
    >>> from nbody_ref.models import Mace, MaceSpec
    >>> model = Mace(MaceSpec((1, 8), cutoff=5.0, hidden="4x0e"))
    >>> model.species, model.parameters.n
    ((1, 8), 20348)
    """

    spec: MaceSpec

    def leaves(self, graph: Graph) -> tuple[Values, dict[str, Any]]:
        """As every model, and the constants of the energy: scale, and E0 + shift of each species."""
        values, batch = super().leaves(graph)
        spec = self.spec
        constants = np.array([[spec.scale, *(e0 + spec.shift for e0 in spec.energies)]])
        return values | {"scale, E0 + shift": constants}, batch

    def program(self, builder: Builder) -> State:
        """Energies of atoms, (M0) to (M6)."""
        spec = self.spec
        y = layers.edge_harmonics(builder, spec.lmax)
        bessel = layers.radial_basis(builder, Bessel(spec.n_radial, spec.cutoff, spec.p))
        h = self.linear(self.one_hot, Irreps([(spec.channels, "0e")]), "node_embedding.linear.weight")  # M0
        energies = []
        for t in range(spec.layers):
            h = self.layer(h, y, bessel, t)
            energies.append(self.readout(h, t))
        weights = builder.parameters  # in the order of modules, as published
        builder.parameters = {n: weights[n] for n in sorted(weights, key=lambda n: _MODULES.index(n.split(".")[0]))}
        return self.atom_energies(energies)

    def layer(self, h: State, y: State, bessel: State, t: int) -> State:
        """One interaction, (M1) and (M2), and one product, (M3) to (M5)."""
        spec, name = self.spec, f"interactions.{t}"
        up = self.linear(h, h.irreps, f"{name}.linear_up.weight")
        table = maps.message_table(up.irreps, spec.messages, spec.lmax)
        R = self.radial_network(bessel, f"{name}.conv_tp_weights", table.n_weights)
        total = layers.message(self.builder, up, y, R, table, f"{name}/sum over neighbours")
        factors = [sign / spec.neighbours for sign in maps.path_signs(table, spec.convention)]
        A = self.linear(total, spec.messages, f"{name}.linear.weight", factors=factors)
        if not spec.residual[t]:
            A = self.linear(A, spec.messages, f"{name}.skip_tp.weight", by_species=True)
            return self.update(self.contraction(A, t), None, t)
        reached = maps.reachable(h.irreps, spec.states(t))
        skip = self.linear(h, reached, f"{name}.skip_tp.weight", by_species=True)
        return self.update(self.contraction(A, t), skip, t)

    def radial_network(self, x: State, name: str, n_out: int) -> State:
        """R of (M1): layers x W / sqrt(width), with an activation between them and no bias; (E, n_out)."""
        widths = (self.spec.n_radial, *self.spec.radial_mlp, n_out)
        for k, (n_in, n) in enumerate(pairwise(widths)):
            W = self.learn(f"{name}.layer{k}.weight", maps.layer_map(n_in, n))
            x = self.mix(x, W, Irreps([(n, "0e")]), f"{name}.layer{k}", EDGES)
            if k < len(widths) - 2:
                x = layers.activate(self.builder, x, self.spec.radial_activation)
        return x

    def contraction(self, A: State, t: int) -> State:
        """Symmetric contraction, (M3) and (M4): products of A, weighted by species, path and channel."""
        b, nu, out = self.builder, self.spec.correlation[t], self.spec.states(t)
        terms = {n: {part.irrep: self.terms(n, part.irrep) for part in out} for n in range(2, nu + 1)}
        products = [A]
        for n, by_root in terms.items():
            every = [term for found in by_root.values() for term in found]
            if every:
                table = FusionTable.build([A.irreps], every)
                products.append(b.emit(FUSE, (A,), f"products.{t}/A^{n}", table, irreps=table.irreps_out))
        fragments = layers.joined(b, products, f"products.{t}/A to A^{nu}")
        mixing = ChannelMixingTable.build(fragments.irreps, out)
        W = self.contraction_weights({n: {root: len(x) for root, x in found.items()} for n, found in terms.items()}, t)
        return b.emit(CHANNEL_MIXING, (fragments, W), f"products.{t}/message", self.by_species.kind, mixing, irreps=out)

    def terms(self, n: int, root: Irrep) -> tuple[Term, ...]:
        """Diagrams of n copies of A that are evaluated."""
        return symmetric(self.spec.messages, n, root, self.spec.convention).terms

    def contraction_weights(self, counts: Mapping[int, Mapping[Irrep, int]], t: int) -> str:
        """Weights of all paths of all irreps, (species, paths * channels); published with the highest power first."""
        spec, z, nu = self.spec, len(self.species), self.spec.correlation[t]
        arrays: list[str] = []
        for i, part in enumerate(spec.states(t)):
            name, found = f"products.{t}.symmetric_contractions.contractions.{i}", []
            for n in range(nu, 0, -1):
                if n == 1 or spec.product == "published":
                    table = maps.contraction_map(spec.messages, n, part.irrep, z, spec.convention)
                else:
                    table = maps.flat_map((z, counts[n][part.irrep], part.mul))
                own = "weights_max" if n == nu else f"weights.{nu - n - 1}"
                if table.shape_in[1]:
                    found.append(self.learn(f"{name}.{own}", table, 1.0 / table.shape_in[1]))
            arrays += reversed(found)
        return arrays[0] if len(arrays) == 1 else self.builder.emit(steps.CONCAT, tuple(arrays), f"products.{t}/W")

    def update(self, m: State, skip: State | None, t: int) -> State:
        """(M5): a linear map of the message, and the skip in the parts that it reaches."""
        b, out = self.builder, self.spec.states(t)
        h = self.linear(m, out, f"products.{t}.linear.weight")
        if skip is None:
            return h
        reached, pieces = [part.irrep for part in skip.irreps], []
        for i, part in enumerate(out):
            piece = layers.taken(b, h, [(i, 0, part.mul)], f"h{t + 1}/{part}/message")
            if part.irrep in reached:
                where = [(reached.index(part.irrep), 0, part.mul)]
                other = layers.taken(b, skip, where, f"h{t + 1}/{part}/skip")
                piece = layers.total(b, (piece, other), f"h{t + 1}/{part}")
            pieces.append(piece)
        return layers.joined(b, pieces, f"h{t + 1}")

    def readout(self, h: State, t: int) -> State:
        """(M6): linear in the scalars, but for the last of several layers."""
        spec, name = self.spec, f"readouts.{t}"
        if t == 0 or t < spec.layers - 1:
            return self.linear(h, Irreps("1x0e"), f"{name}.linear.weight")
        hidden = self.linear(h, Irreps([(spec.readout, "0e")]), f"{name}.linear_1.weight")
        active = layers.activate(self.builder, hidden, spec.readout_activation)
        return self.linear(active, Irreps("1x0e"), f"{name}.linear_2.weight")

    def atom_energies(self, energies: list[State]) -> State:
        """Scale, shift and E0 of each atom, in float64."""
        b, both = self.builder, []
        for x in (layers.total(b, energies, "readouts"), self.one_hot):
            both.append(b.emit(steps.CAST, (x,), f"{x}/float64", _DOUBLE, irreps=x.irreps))
        fragments = layers.joined(b, both, "readouts and species")
        return self.mix(fragments, "scale, E0 + shift", Irreps("1x0e"), "energies of atoms", ATOMS)

    def linear(
        self, x: State, out: Irreps, name: str, by_species: bool = False, factors: list[float] | None = None
    ) -> State:
        """e3nn's `Linear`, or a linear map for each species; a factor for each part of x."""
        n_kinds = len(self.species) if by_species else 0
        W = self.learn(name, maps.linear_map(x.irreps, out, n_kinds, factors))
        return self.mix(x, W, out, name.removesuffix(".weight"), self.by_species if by_species else ATOMS)

    def mix(self, x: State, W: str, out: Irreps, name: str, rows: Rows) -> State:
        """Channels of x mixed by W, eq. (9) of the N-body paper."""
        table = MixingTable.build(x.irreps, out)
        return self.builder.emit(steps.MIXING, (x, W), name, rows.kind, table, irreps=out)

    def learn(self, name: str, table: WeightMap, scale: float = 1.0) -> str:
        """A published parameter; returns its mapped form."""
        self.builder.parameters[name] = Dense(table.shape_in, scale)
        return self.builder.emit(WEIGHT_MAP, (name,), f"{name}/mapped", table)
