r"""Cormorant (Anderson, Hy and Kondor 2019) from its equations, (C0) to (C5) of docs/models/cormorant.md.

.. math::
    g^{l,s}_{ij} &= m_{ij}\, W^{l,s} \big[\, g^{l,s-1}_{ij},\; \psi^s_i \cdot \psi^s_j,\; R(r_{ij}) \,\big], \qquad
    G^l_{ij} = g^{l,s}_{ij}\, \mathcal Y^l(r_i - r_j), \\
    \psi^{s+1,l}_i &= W^{l,s} \Big[ \textstyle\sum_j (G_{ij} \otimes \psi^s_j)^l,\; \psi^{s,l}_i,\;
                      (\psi^s_i \otimes \psi^s_i)^l \Big]

Products go channel by channel; states, weights and harmonics are complex. The zeroth-order gate of eq. (10) with
learned radial functions, and a product of two central legs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbody_ref.gates import steps
from nbody_ref.gates.build import Builder, State
from nbody_ref.gates.chain import Values
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
    real_pairs,
    scalar_product,
)
from nbody_ref.models.cormorant_qm9 import message_input, perceptron_readout, scalars
from nbody_ref.models.cormorant_spec import CormorantSpec
from nbody_ref.ops.learned_radial import SINE_POWERS, SOFT_CUTOFF
from nbody_ref.ops.message import MessageTable
from nbody_ref.ops.mixing import MixingTable
from nbody_ref.ops.radial import InversePowers
from nbody_ref.ops.radial_weights import RadialTable

__all__ = ["Cormorant", "CormorantSpec"]

ATOMS = layers.ATOMS.kind


class Cormorant(PublishedModel):
    """Cormorant, and its variant with parities; see `CormorantSpec`.

    Examples
    --------
    >>> from nbody_ref.models import Cormorant, CormorantSpec
    >>> model = Cormorant(CormorantSpec((1, 8), n_levels=1))
    >>> model.species, model.parameters.n
    ((1, 8), 1617)
    """

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
        """Besides those of every model: powers of the charges, (C0), a zero distance and 1 / n for each of n atoms."""
        values, batch = super().leaves(graph)
        z = np.array(self.species, float)
        powers = (z / self.spec.unit_charge)[:, None] ** np.arange(self.spec.charge_power + 1.0)
        one_hot = np.eye(len(z))[batch["leaf kind"].astype(np.intp)]
        atoms = (one_hot[:, :, None] * powers).reshape(graph.n_atoms, -1)  # species-major
        sizes = np.diff(graph.frame_ptr.astype(np.intp)).astype(float)
        share = 1 / sizes[graph.frame.astype(np.intp), None]
        return values | {"atoms": atoms, "origin": np.zeros(graph.n_atoms), "share": share}, batch

    def program(self, builder: Builder) -> State:
        """Energies of atoms, (C0) to (C5)."""
        r = builder.emit(steps.RELATIVE, ("r", "r"), "edge/r_rel", layers.NEIGHBOURS)
        dist = builder.emit(steps.DISTANCE, (r,), "edge/dist")
        y = builder.harmonics(r, "edge/solid", self.spec.lmax_edge, "norm")  # (C1); of r_j - r_i, see `message`
        psi, invariants = self.inputs(builder, dist), list[State]()
        g: list[State] = []
        own: list[State] = []
        for s in range(self.spec.n_levels):
            radial = self.radial(builder, dist, f"level{s}")
            g, own = self.edges(builder, psi, g, own, (radial, dist), f"level{s}")
            psi = self.atoms(builder, psi, g, own, y, f"level{s}")
            invariants += self.invariants(builder, psi, f"level{s}")
        return self.readout(builder, invariants)

    def readout(self, builder: Builder, invariants: Sequence[State]) -> State:
        """Energies of atoms, linear in their invariants; the learned constant of a molecule in equal shares, (C5)."""
        if self.spec.readout == "perceptrons":
            return perceptron_readout(builder, self.spec, invariants)
        x, one = scalars(builder, invariants, "readout/invariants"), self.scalars(1)
        n = x.irreps.dim
        energy = mixed(builder, x, one, "readout", RealUniform((1, n), n**-0.5), ATOMS)
        energy = layers.scaled(builder, energy, self.spec.scale)
        if self.spec.constant == "molecule":
            shift = RealUniform((1, 1), n**-0.5)
            share = mixed(builder, builder.input("share", one), one, "shift", shift, ATOMS)
            return layers.total(builder, (energy, share), "readout/shifted")
        builder.parameters["shift"] = RealUniform((len(self.species), 1), 0.0)
        return builder.emit(steps.BIAS, (energy, "shift"), "readout/shifted", self.by_species.kind, irreps=one)

    def inputs(self, builder: Builder, dist: str) -> State:
        """States of degree 0 from the charges, by a real map to real and imaginary parts, (C0)."""
        n_in, n = len(self.species) * (self.spec.charge_power + 1), self.spec.n_channels
        charges = builder.input("atoms", self.scalars(n_in))
        if self.spec.input == "messages":
            near, own = (self.soft_cutoff(builder, d, "input", n_in) for d in (dist, "origin"))
            x = message_input(builder, self.spec, charges, self.sines(builder, dist, "input"), (near, own))
            return complex_pairs(builder, x, self.scalars(n), "psi0")
        weights = RealUniform((1, 2 * n * n_in), n_in**-0.5)
        x = mixed(builder, charges, self.scalars(2 * n), "input", weights, ATOMS)
        builder.parameters["input/bias"] = RealUniform((1, 2 * n), n_in**-0.5)
        shifted = builder.emit(steps.BIAS, (x, "input/bias"), "input/shifted", ATOMS)
        return complex_pairs(builder, shifted, self.scalars(n), "psi0")

    def radial(self, builder: Builder, dist: State, name: str) -> State:
        """Complex radial features of the edges at a level, the same for all degrees, (C2)."""
        n = self.spec.n_radial
        if self.spec.radial == "even powers":  # nothing to learn: those of the first level
            g = builder.emit(steps.RADIAL, (dist,), "edge/powers", InversePowers(tuple(range(0, -2 * n, -2))), 0)
            table = RadialTable(0, n, (0,) * n, (1,) * n, tuple(range(n)))
            return builder.emit(steps.COPIES, (builder.cast(g),), "edge/radial", table, irreps=self.scalars(n))
        return complex_pairs(builder, self.sines(builder, dist, name), self.scalars(n), f"{name}/radial")

    def sines(self, builder: Builder, dist: str, name: str) -> State:
        """Learned sines over powers of the distances, real, power fastest."""
        count = self.spec.n_sines + 1
        # s = 0..N twice; the first half starts as cosine for s = 0 and sines, the second as cosines
        phases = [np.pi / 2] + [0.0] * self.spec.n_sines + [np.pi / 2] * count
        builder.parameters[f"{name}/frequencies"] = Given(tuple(map(float, range(count))) * 2)
        builder.parameters[f"{name}/phases"] = Given(tuple(phases))
        inputs = (dist, f"{name}/frequencies", f"{name}/phases")
        irreps = self.scalars(2 * self.spec.n_radial)
        return builder.emit(SINE_POWERS, inputs, f"{name}/sines", self.spec.n_powers, irreps=irreps)

    def edges(
        self, builder: Builder, psi: State, g: list[State], own: list[State], edge: tuple[State, State], name: str
    ) -> tuple[list[State], list[State]]:
        """Scalars of the edges for each degree of harmonics, and of the edges from atoms to themselves, (C3).

        Degree l takes the dot products where the states have a part of degree l: before the first level, only l = 0.
        """
        (radial, dist), n, found = edge, self.spec.n_channels, []
        ends = [builder.emit(steps.SUM, (psi,), f"{name}/{e.part}", e, irreps=psi.irreps) for e in (RECEIVERS, SENDERS)]
        d = scalar_product(builder, ends[0], ends[1], f"{name}/dots")
        mask = self.masks(builder, (dist, "origin"), name)
        degrees = {part.irrep.l for part in psi.irreps}
        for l in range(self.spec.lmax_edge + 1):
            dots = [d] if l in degrees else []
            F = layers.joined(builder, [*g[l : l + 1], *dots, radial], f"{name}/edge{l}/features")
            weights = Drawn(MixingTable.build(F.irreps, self.scalars(n)), 1.0, uniform=False)
            g_l = mixed(builder, F, self.scalars(n), f"{name}/edge{l}", weights, layers.EDGES.kind)
            found.append(times(builder, mask[0], g_l))
        if not self.spec.self_edge:
            return found, []
        d = scalar_product(builder, psi, psi, f"{name}/own dots")
        F = layers.joined(builder, [*own, d], f"{name}/own features")
        rows = F.irreps.dim  # radial features vanish at distance zero: the first rows of W only
        W = builder.emit(steps.TAKE, (f"{name}/edge0",), f"{name}/own weights", ((0, rows * n),))
        table = MixingTable.build(F.irreps, self.scalars(n))
        out = builder.emit(steps.MIXING, (F, W), f"{name}/own", ATOMS, table, irreps=self.scalars(n))
        return found, [times(builder, mask[1], out)]

    def atoms(self, builder: Builder, psi: State, g: list[State], own: list[State], y: State, name: str) -> State:
        """The new states: [sum over neighbours, the state, its square] mixed, (C4)."""
        spec, tau = self.spec, psi.irreps
        ag = self.message(builder, psi, g, own, y, name)
        low = [i for a in tau for b in tau for i in a.irrep * b.irrep if i.l <= spec.lmax]
        terms = [ag, psi, builder.product(psi, psi, f"{name}/sq", out=low)]
        terms += self.more(builder, psi, g, y, name)
        F = layers.joined(builder, terms, f"{name}/fragments")
        out = channels(F.irreps, spec.n_channels)
        weights = Drawn(MixingTable.build(F.irreps, out), spec.level_gain, uniform=True)
        return mixed(builder, F, out, f"{name}/atoms", weights, ATOMS)

    def message(self, builder: Builder, psi: State, g: list[State], own: list[State], y: State, name: str) -> State:
        """The sum over j of G_ij x psi_j, and of the edge from i to itself; degree of G outer, part of psi inner."""
        spec, tau, n = self.spec, psi.irreps, self.spec.n_channels
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
        both = [(0, i, part.irrep) for i, part in enumerate(tau)]
        self_term = builder.product(own[0], psi, f"{name}/self edge", paths=both)
        found = [layers.total(builder, (first, self_term), f"{name}/ag first and self")]
        found += [layers.taken(builder, ag, rest, f"{name}/ag rest")] if rest else []
        return layers.joined(builder, found, f"{name}/ag all")

    def more(self, builder: Builder, psi: State, g: list[State], y: State, name: str) -> list[State]:
        """What a variant adds to the fragments of a level."""
        return []

    def invariants(self, builder: Builder, psi: State, name: str) -> list[State]:
        """Real scalars of a level, (C5): both parts of degree 0; of each fragment Re psi . psi and |psi|^2."""
        tau, n = psi.irreps, self.spec.n_channels
        zero = next(i for i, part in enumerate(tau) if part.irrep == Irrep.parse(self.scalar))
        first = real_pairs(builder, layers.taken(builder, psi, [(zero, 0, n)], f"{name}/psi 0"), f"{name}/re im")
        dots = scalar_product(builder, psi, psi, f"{name}/psi.psi")
        dots, count = real_pairs(builder, dots, f"{name}/re im psi.psi"), len(tau) * n
        squares = builder.emit(steps.SQUARES, (psi,), f"{name}/squares", tau)
        double = np.dtype("float64")
        squares = builder.emit(steps.CAST, (squares,), f"{name}/squares/float64", double, irreps=self.scalars(count))
        both = layers.joined(builder, [dots, squares], f"{name}/dots and squares")
        spans = tuple(span for c in range(count) for span in ((2 * c, 2 * c + 1), (2 * count + c, 2 * count + c + 1)))
        pairs = builder.emit(steps.TAKE, (both,), f"{name}/invariants", spans, irreps=self.scalars(2 * count))
        return [first, pairs]

    def masks(self, builder: Builder, distances: Sequence[str], name: str) -> list[State | None]:
        """The learned soft cutoff at some distances, one for each channel; nothing without a mask."""
        spec = self.spec
        if spec.mask == "none":
            return [None] * len(distances)
        found, dtype, irreps = list[State | None](), np.dtype(spec.dtype), self.scalars(spec.n_channels)
        for d in distances:
            real = self.soft_cutoff(builder, d, name, spec.n_channels)
            found.append(builder.emit(steps.CAST, (real,), f"{name}/mask at {d}", dtype, irreps=irreps))
        return found

    def soft_cutoff(self, builder: Builder, dist: str, name: str, n: int) -> State:
        """The learned soft cutoff at some distances for each of n channels, real."""
        names = (f"{name}/cutoff/radius", f"{name}/cutoff/width")
        for parameter, start in zip(names, (self.spec.soft_cutoff, self.spec.soft_width), strict=True):
            builder.parameters[parameter] = RealUniform((1, n), 0.0, start)
        return builder.emit(SOFT_CUTOFF, (dist, *names), f"{name}/cutoff at {dist}", irreps=self.scalars(n))


def times(builder: Builder, mask: State | None, x: State) -> State:
    """A state of scalars times a mask, if there is one."""
    return x if mask is None else builder.product(mask, x, f"{x}/masked")
