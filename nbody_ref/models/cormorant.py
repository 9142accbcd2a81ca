r"""Cormorant (Anderson, Hy and Kondor 2019) from its equations, (C0) to (C5) of docs/models/cormorant.md.

.. math::
    g^{l,s}_{ij} &= m_{ij}\, W^{l,s} \big[\, g^{l,s-1}_{ij},\; \psi^s_i \cdot \psi^s_j,\; R(r_{ij}) \,\big], \qquad
    G^l_{ij} = g^{l,s}_{ij}\, \mathcal Y^l(r_i - r_j), \\
    \psi^{s+1,l}_i &= W^{l,s} \Big[ \textstyle\sum_j (G_{ij} \otimes \psi^s_j)^l,\; \psi^{s,l}_i,\;
                      (\psi^s_i \otimes \psi^s_i)^l,\; \text{fusion blocks} \Big]

Products go channel by channel; states, weights and harmonics are complex. The zeroth-order gate of eq. (10) with
learned radial functions, and a product of two central legs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbody_ref.gates import steps
from nbody_ref.gates.build import Builder
from nbody_ref.gates.chain import Values, op_of
from nbody_ref.gates.fusion_block import FusionBlock, fuse_legs
from nbody_ref.graphs import Graph
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.models import layers
from nbody_ref.models.base import PublishedModel
from nbody_ref.models.cormorant_parts import (
    RECEIVERS,
    SENDERS,
    Drawn,
    Given,
    RealUniform,
    channels,
    complex_pairs,
    mixed,
    order,
    real_pairs,
    scalar_product,
)
from nbody_ref.models.cormorant_spec import CormorantSpec
from nbody_ref.ops import learned_radial
from nbody_ref.ops.cg_product import ProductTable
from nbody_ref.ops.message import MessageTable
from nbody_ref.ops.mixing import MixingTable
from nbody_ref.ops.radial import InversePowers
from nbody_ref.ops.radial_weights import RadialTable

__all__ = ["Cormorant", "CormorantSpec"]

_SINES, _CUTOFF = op_of(learned_radial, "sine_powers"), op_of(learned_radial, "soft_cutoff")
ATOMS = layers.ATOMS.kind


class Cormorant(PublishedModel):
    """Cormorant, its variant with parities, and its variant with fusion blocks; see `CormorantSpec`."""

    spec: CormorantSpec
    basis = "complex"

    @property
    def scalar(self) -> str:
        """Irrep of invariant scalars."""
        return "0e" if self.spec.group == "O(3)" else "0"

    def scalars(self, n: int) -> Irreps:
        """Type of n scalars."""
        return Irreps(f"{n}x{self.scalar}")

    def leaves(self, graph: Graph) -> tuple[Values, dict[str, Any]]:
        """Besides those of every model: powers of the charges, (C0), and a zero distance for each atom."""
        values, batch = super().leaves(graph)
        z = np.array(self.species, float)
        powers = (z / z.max())[:, None] ** np.arange(self.spec.charge_power + 1.0)
        one_hot = np.eye(len(z))[batch["leaf kind"].astype(np.intp)]
        atoms = (one_hot[:, :, None] * powers).reshape(graph.n_atoms, -1)  # species-major
        return values | {"atoms": atoms, "origin": np.zeros(graph.n_atoms)}, batch

    def program(self, builder: Builder) -> str:
        """Energies of atoms, (C0) to (C5)."""
        r = builder.emit(steps.RELATIVE, ("r", "r"), "edge/r_rel", layers.NEIGHBOURS)
        dist = builder.emit(steps.DISTANCE, (r,), "edge/dist")
        y = builder.harmonics(r, "edge/solid", self.spec.lmax_edge, "norm")  # (C1); of r_j - r_i, see `message`
        radial = self.radial(builder, dist)
        psi, invariants = self.inputs(builder), list[str]()
        g: list[str] = []
        own: list[str] = []
        for s in range(self.spec.n_levels):
            g, own = self.edges(builder, psi, g, own, (radial, dist), f"level{s}")
            psi = self.atoms(builder, psi, g, own, y, f"level{s}")
            invariants += self.invariants(builder, psi, f"level{s}")
        x = builder.emit(steps.CONCAT, tuple(invariants), "readout/invariants")
        n = sum(builder.irreps[name].dim for name in invariants)
        builder.irreps[x] = self.scalars(n)
        energy = mixed(builder, x, self.scalars(1), "readout", RealUniform((1, n), n**-0.5), ATOMS)
        builder.parameters["shift"] = RealUniform((len(self.species), 1), 0.0)
        energy = layers.scaled(builder, energy, self.spec.scale)
        shifted = builder.emit(steps.BIAS, (energy, "shift"), "readout/shifted", self.by_species.kind)
        builder.irreps[shifted] = self.scalars(1)
        return shifted

    def inputs(self, builder: Builder) -> str:
        """States of degree 0 from the charge: a real linear map to real and imaginary parts, (C0)."""
        n_in, n = len(self.species) * (self.spec.charge_power + 1), self.spec.n_channels
        builder.irreps["atoms"] = self.scalars(n_in)
        weights = RealUniform((1, 2 * n * n_in), n_in**-0.5)
        x = mixed(builder, "atoms", self.scalars(2 * n), "input", weights, ATOMS)
        builder.parameters["input/bias"] = RealUniform((1, 2 * n), n_in**-0.5)
        x = builder.emit(steps.BIAS, (x, "input/bias"), "input/shifted", ATOMS)
        return complex_pairs(builder, x, self.scalars(n), "psi0")

    def radial(self, builder: Builder, dist: str) -> str:
        """Complex radial features of the edges, the same for all degrees, (C2)."""
        spec, n = self.spec, self.spec.n_radial
        if spec.radial == "even powers":
            g = builder.emit(steps.RADIAL, (dist,), "edge/powers", InversePowers(tuple(range(0, -2 * n, -2))), 0)
            table = RadialTable(0, n, (0,) * n, (1,) * n, tuple(range(n)))
            out = builder.emit(steps.COPIES, (builder.cast(g),), "edge/radial", table)
            builder.irreps[out] = self.scalars(n)
            return out
        count = spec.n_sines + 1
        # s = 0..N twice; the first half starts as cosine for s = 0 and sines, the second as cosines
        phases = [np.pi / 2] + [0.0] * spec.n_sines + [np.pi / 2] * count
        builder.parameters["radial/frequencies"] = Given(tuple(map(float, range(count))) * 2)
        builder.parameters["radial/phases"] = Given(tuple(phases))
        inputs = (dist, "radial/frequencies", "radial/phases")
        flat = builder.emit(_SINES, inputs, "edge/sines", spec.n_powers)
        return complex_pairs(builder, flat, self.scalars(n), "edge/radial")

    def edges(
        self, builder: Builder, psi: str, g: list[str], own: list[str], edge: tuple[str, str], name: str
    ) -> tuple[list[str], list[str]]:
        """Scalars of the edges for each degree of harmonics, and of the edges from atoms to themselves, (C3)."""
        (radial, dist), n, found = edge, self.spec.n_channels, []
        ends = [builder.emit(steps.SUM, (psi,), f"{name}/{e.part}", e) for e in (RECEIVERS, SENDERS)]
        for end in ends:
            builder.irreps[end] = builder.irreps[psi]
        d = scalar_product(builder, ends[0], ends[1], f"{name}/dots")
        mask = self.masks(builder, (dist, "origin"), name)
        for l in range(self.spec.lmax_edge + 1):
            F = layers.joined(builder, [*g[l : l + 1], d, radial], f"{name}/edge{l}/features")
            table = MixingTable.build(builder.irreps[F], self.scalars(n))
            weights = Drawn(table, 1.0, uniform=False)
            g_l = mixed(builder, F, self.scalars(n), f"{name}/edge{l}", weights, layers.EDGES.kind)
            found.append(self.times(builder, mask[0], g_l))
        if not self.spec.self_edge:
            return found, []
        d = scalar_product(builder, psi, psi, f"{name}/own dots")
        F = layers.joined(builder, [*own, d], f"{name}/own features")
        rows = builder.irreps[F].dim  # radial features vanish at distance zero: the first rows of W only
        W = builder.emit(steps.TAKE, (f"{name}/edge0",), f"{name}/own weights", ((0, rows * n),))
        table = MixingTable.build(builder.irreps[F], self.scalars(n))
        out = builder.emit(steps.MIXING, (F, W), f"{name}/own", ATOMS, table)
        builder.irreps[out] = self.scalars(n)
        return found, [self.times(builder, mask[1], out)]

    def atoms(self, builder: Builder, psi: str, g: list[str], own: list[str], y: str, name: str) -> str:
        """The new states: [sum over neighbours, the state, its square] and fusion blocks, mixed, (C4)."""
        spec, tau = self.spec, builder.irreps[psi]
        ag = self.message(builder, psi, g, own, y, name)
        low = [i for a in tau for b in tau for i in a.irrep * b.irrep if i.l <= spec.lmax]
        square = ProductTable.build(tau, tau, "channelwise", out=low, basis=self.basis)
        sq = builder.emit(steps.PRODUCT, (psi, psi), f"{name}/sq", square)
        builder.irreps[sq] = square.irreps_out
        terms = [ag, psi, sq]
        if spec.fusion:
            wanted = channels(builder.irreps[ag], spec.n_channels)
            gain = Drawn(MixingTable.build(builder.irreps[ag], wanted), spec.level_gain, uniform=True)
            legs = {"centre": psi, "neighbours": mixed(builder, ag, wanted, f"{name}/leg", gain, ATOMS)}
            for i, block in enumerate(spec.fusion):
                terms.append(self.fused(builder, [legs[leg] for leg in block], f"{name}/fusion{i}"))
        F = layers.joined(builder, terms, f"{name}/fragments")
        out = channels(builder.irreps[F], spec.n_channels)
        table = MixingTable.build(builder.irreps[F], out)
        return mixed(builder, F, out, f"{name}/atoms", Drawn(table, spec.level_gain, uniform=True), ATOMS)

    def message(self, builder: Builder, psi: str, g: list[str], own: list[str], y: str, name: str) -> str:
        """The sum over j of G_ij x psi_j, and of the edge from i to itself; degree of G outer, part of psi inner."""
        spec, tau, n = self.spec, builder.irreps[psi], self.spec.n_channels
        paths, spans, signs = [], [], []
        for l1 in range(spec.lmax_edge + 1):
            for i, part in enumerate(tau):
                harmonic = Irrep(l1, None if part.irrep.p is None else (-1) ** l1)
                for irrep in harmonic * part.irrep:
                    if irrep.l <= spec.lmax:
                        paths.append((i, l1, irrep))
                        spans.append((l1 * n, (l1 + 1) * n))
                        # the harmonics are those of r_j - r_i = -(r_i - r_j), and coupled after psi, not before it
                        signs.append((float((-1) ** (l1 + l1 + part.irrep.l - irrep.l)), n))
        table = MessageTable.build(tau, spec.lmax_edge, paths=paths, basis=self.basis)
        w = builder.emit(steps.TAKE, (layers.joined(builder, g, f"{name}/g"),), f"{name}/w unsigned", tuple(spans))
        w = builder.emit(steps.RESCALE, (w,), f"{name}/w", tuple(signs))
        ag = layers.message(builder, psi, y, w, table, f"{name}/ag")
        if not own:
            return ag
        few = len(tau)  # the first paths have l1 = 0: psi itself
        first = layers.taken(builder, ag, [(i, 0, n) for i in range(few)], f"{name}/ag first")
        rest = [(i, 0, n) for i in range(few, len(paths))]
        both = ProductTable.build(
            self.scalars(n), tau, "channelwise", [(0, i, p.irrep) for i, p in enumerate(tau)], basis=self.basis
        )
        self_term = builder.emit(steps.PRODUCT, (own[0], psi), f"{name}/self edge", both)
        first = layers.total(builder, (first, self_term), f"{name}/ag first and self")
        return layers.joined(
            builder, [first, *([layers.taken(builder, ag, rest, f"{name}/ag rest")] if rest else [])], f"{name}/ag all"
        )

    def fused(self, builder: Builder, legs: Sequence[str], name: str) -> str:
        """A fusion block on these legs, to all irreps that it reaches."""
        reached, bond = {part.irrep for part in builder.irreps[legs[0]]}, self.spec.fusion_bond
        for i, leg in enumerate(legs[1:], start=2):
            found = {c for a in reached for part in builder.irreps[leg] for c in a * part.irrep}
            top = self.spec.lmax if i == len(legs) or bond is None else bond
            reached = {c for c in found if c.l <= top or (i < len(legs) and bond is None)}
        keep = tuple(str(irrep) for irrep in sorted(reached, key=order))
        block = FusionBlock(keep, None, bond, self.spec.fusion_weights)
        return fuse_legs(builder, legs, block, name, self.by_species.kind, self.by_species.n_kinds)

    def invariants(self, builder: Builder, psi: str, name: str) -> list[str]:
        """Real scalars of a level, (C5): both parts of degree 0; of each fragment Re psi . psi and |psi|^2."""
        tau, n = builder.irreps[psi], self.spec.n_channels
        zero = next(i for i, part in enumerate(tau) if part.irrep == Irrep.parse(self.scalar))
        first = real_pairs(builder, layers.taken(builder, psi, [(zero, 0, n)], f"{name}/psi 0"), f"{name}/re im")
        dots = scalar_product(builder, psi, psi, f"{name}/psi.psi")
        dots, count = real_pairs(builder, dots, f"{name}/re im psi.psi"), len(tau) * n
        squares = builder.emit(steps.SQUARES, (psi,), f"{name}/squares", tau)
        squares = builder.emit(steps.CAST, (squares,), f"{name}/squares/float64", np.dtype("float64"))
        builder.irreps[squares] = self.scalars(count)
        both = layers.joined(builder, [dots, squares], f"{name}/dots and squares")
        spans = tuple(span for c in range(count) for span in ((2 * c, 2 * c + 1), (2 * count + c, 2 * count + c + 1)))
        pairs = builder.emit(steps.TAKE, (both,), f"{name}/invariants", spans)
        builder.irreps[pairs] = self.scalars(2 * count)
        return [first, pairs]

    def masks(self, builder: Builder, distances: Sequence[str], name: str) -> list[str]:
        """The learned soft cutoff at some distances, one for each channel; nothing without a mask."""
        spec = self.spec
        if spec.mask == "none":
            return [""] * len(distances)
        shape, found = (1, spec.n_channels), []
        builder.parameters[f"{name}/cutoff/radius"] = RealUniform(shape, 0.0, spec.soft_cutoff)
        builder.parameters[f"{name}/cutoff/width"] = RealUniform(shape, 0.0, spec.soft_width)
        for d in distances:
            inputs = (d, f"{name}/cutoff/radius", f"{name}/cutoff/width")
            real = builder.emit(_CUTOFF, inputs, f"{name}/cutoff at {d}")
            out = builder.emit(steps.CAST, (real,), f"{name}/mask at {d}", np.dtype(spec.dtype))
            builder.irreps[out] = self.scalars(spec.n_channels)
            found.append(out)
        return found

    def times(self, builder: Builder, mask: str, x: str) -> str:
        """A state of scalars times a mask."""
        if not mask:
            return x
        table = ProductTable.build(builder.irreps[mask], builder.irreps[x], "channelwise", basis=self.basis)
        out = builder.emit(steps.PRODUCT, (mask, x), f"{x}/masked", table)
        builder.irreps[out] = table.irreps_out
        return out
