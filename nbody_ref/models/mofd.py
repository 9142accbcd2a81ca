r"""MoFD (Li et al. 2024): MACE's two-body interaction, then fusion blocks in place of its products, (D1) to (D5).

.. math::
    A_i &= W \sum_j R(r_{ij}) \big[ W h_j \otimes Y(\hat r_{ij}) \big] + W_{z_i} h_i, \\
    \tilde\Psi_{i, k} &= \sum_j w_k(r_{ij})\,
        \mathrm{FusionBlock}_k\big( A_i,\; Y(\hat r_{ij}),\; W A_j \big), \\
    h'_i &= W \big( \tilde\Psi_{i,k_1} \oplus \tilde\Psi_{i,k_2} \oplus \ldots \big) + W_{z_i} A_i, \qquad
    E = \sum_i \Big( s \sum_t \mathcal R_t(h^{(t)}_i) + b_{z_i} \Big)

Eq. (12) and figure 1 of the paper. Where they leave room the readings are fields of `MoFDSpec`: docs/models/mofd.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from nbody_ref.errors import IrrepsError
from nbody_ref.gates.build import Builder, State
from nbody_ref.gates.edge_fusion import EdgeBlock, EdgeLegs, check_block, fuse_edges
from nbody_ref.gates.fields import check_flags, check_integers, check_words
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.models import layers
from nbody_ref.models.base import PublishedModel
from nbody_ref.models.checks import check_numbers, check_radial_activation, check_species
from nbody_ref.ops.activation import Activation
from nbody_ref.ops.message import MessageTable
from nbody_ref.ops.radial import Bessel

__all__ = ["MoFD", "MoFDSpec"]

_SILU = Activation.normalized("silu")


@dataclass(frozen=True)
class MoFDSpec:
    """Everything about a MoFD but its weights.

    Parameters
    ----------
    species : tuple of int
        Atomic numbers.
    cutoff : float
        Angstrom.
    block : {"sparse", "dense"}
        Section 3.2 of the paper: one internal spin a diagram, concatenated and mixed; or all increasing tuples of them,
        nested, at once and unmixed. See `nbody_ref.gates.edge_fusion.EdgeBlock`.
    tree : {"(oj)Y", "(oY)j", "o(Yj)"}
        Figure 1 draws the first, eq. (12) lists the legs as the second; the third sums over neighbours first.
    internal_spins : tuple of int
    hidden : str
        Irreps of the states, each once, with one number of channels, 0e first.
    lmax : int
        Largest degree of the harmonics of edges.
    n_layers : int
    both_parities : bool
        Internal irreps of either parity; otherwise those of harmonics.
    skip : bool
        The terms W_z h of the two-body interaction and W_z A of the fusion.
    edge_weights : bool
        A perceptron in the distance weighs every diagram and channel of an edge; otherwise one number for each channel.
    n_radial, cutoff_degree : int
        Bessel functions and the degree p of their cutoff.
    radial_widths : tuple of int
        Hidden layers of the radial perceptrons.
    readout : int
        Width of the hidden layer of the last readout; those before it are linear.
    mean_neighbours : float
        Sums over neighbours are divided by its root.
    activation : Activation
        Of perceptrons, its constant included.
    scale : float
        Of the energies of atoms, eV; each species has a learned constant besides.
    dtype : {"float64", "float32"}

    Raises
    ------
    ArgumentError, IrrepsError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.models import MoFDSpec
    >>> MoFDSpec((1, 8), block="dense").n_layers
    2
    """

    species: tuple[int, ...]
    cutoff: float = 5.0
    block: str = "sparse"
    tree: str = "(oj)Y"
    internal_spins: tuple[int, ...] = (0, 1, 2)
    hidden: str = "16x0e + 16x1o + 16x2e"
    lmax: int = 2
    n_layers: int = 2
    both_parities: bool = False
    skip: bool = True
    edge_weights: bool = True
    n_radial: int = 8
    cutoff_degree: int = 5
    radial_widths: tuple[int, ...] = (64, 64, 64)
    readout: int = 16
    mean_neighbours: float = 1.0
    activation: Activation = _SILU
    scale: float = 1.0
    dtype: str = "float64"

    mode = "channelwise"
    keep = None

    def __post_init__(self) -> None:
        check_species(self)
        check_block(self)
        counts = ("n_layers", "n_radial", "cutoff_degree", "radial_widths", "readout")
        check_integers(self, {"lmax": 0, **dict.fromkeys(counts, 1)}, lists=("radial_widths",))
        check_numbers(self, ("scale",), positive=("cutoff", "mean_neighbours"))
        check_flags(self, "skip", "edge_weights")
        check_words(self, {"dtype": ("float64", "float32")})
        check_radial_activation(self, "activation")
        hidden = Irreps(self.hidden)
        object.__setattr__(self, "hidden", str(hidden))
        once = len(hidden.merged()) == len(hidden)
        if not hidden or hidden[0].irrep != Irrep(0, 1) or len({part.mul for part in hidden}) > 1 or not once:
            raise IrrepsError(
                "MoFDSpec: 'hidden' must be irreps of O(3), each once, all with the same number of channels, 0e first; "
                f"got {self.hidden}"
            )

    def states(self, layer: int) -> Irreps:
        """Type of the states after a layer, counted from 1; the last keeps scalars only."""
        hidden = Irreps(self.hidden)
        return Irreps([hidden[0]]) if layer == self.n_layers else hidden

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description."""
        return {"model": "MoFD", **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MoFDSpec:
        """Inverse of `to_dict`."""
        found: dict[str, Any] = {field.name: data[field.name] for field in fields(cls)}
        found["activation"] = Activation.from_dict(found["activation"])
        found |= {name: tuple(found[name]) for name in ("species", "internal_spins", "radial_widths")}
        return cls(**found)


class MoFD(PublishedModel):
    """MACE with fusion diagrams of centre, edge and neighbour; see `MoFDSpec`.

    Examples
    --------
    >>> model = MoFD(MoFDSpec((1, 8), hidden="4x0e + 4x1o", n_layers=1, radial_widths=(8,)), seed=0)
    >>> graph = model.graph([([[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]], [8, 1, 1])])
    >>> model.energy_and_forces(graph)[1].shape
    (3, 3)
    """

    spec: MoFDSpec

    def program(self, builder: Builder) -> State:
        """Energies of atoms, (D1) to (D5)."""
        spec = self.spec
        basis = layers.radial_basis(builder, Bessel(spec.n_radial, spec.cutoff, spec.cutoff_degree))
        y = layers.edge_harmonics(builder, spec.lmax)
        h = layers.linear(builder, self.one_hot, Irreps([Irreps(spec.hidden)[0]]), "embedding")  # (D1)
        energies = []
        for t in range(1, spec.n_layers + 1):
            A = self.two_body(builder, h, y, basis, f"layer{t}/two_body")
            h = self.fusion(builder, A, y, basis, t)
            energies.append(self.readout(builder, h, t))
        energy = layers.scaled(builder, layers.total(builder, energies, "readouts"), spec.scale)
        return layers.biased(builder, energy, "readout/shift", self.by_species)

    def two_body(self, builder: Builder, h: State, y: State, basis: State, name: str) -> State:
        """MACE's first half, (D2): a message with learned radial functions, a linear map, and the skip."""
        spec, wanted = self.spec, Irreps(self.spec.hidden)
        x = layers.linear(builder, h, h.irreps, f"{name}/up")
        table = MessageTable.build(h.irreps, spec.lmax, out=[part.irrep for part in wanted])
        widths, f = spec.radial_widths, spec.activation
        w = layers.radial_mlp(builder, basis, widths, table.n_weights, f, f"{name}/radial")
        total = layers.scaled(builder, layers.message(builder, x, y, w, table, f"{name}/sum"), self.per_neighbour)
        out = Irreps(part for part in wanted if total.irreps.count(part.irrep))
        return self.skipped(builder, layers.linear(builder, total, out, f"{name}/linear"), h, name)

    def fusion(self, builder: Builder, A: State, y: State, basis: State, t: int) -> State:
        """The many-body fusion, (D3) and (D4): blocks of every edge, summed; sparse ones are mixed."""
        spec, name, wanted = self.spec, f"layer{t}/fusion", self.spec.states(t)
        x = layers.linear(builder, A, A.irreps, f"{name}/neighbour")
        keep = tuple(str(part.irrep) for part in wanted)
        block = EdgeBlock(keep, spec.tree, spec.internal_spins, spec.block, spec.both_parities)
        legs = EdgeLegs(A, x, y, spec.lmax, layers.NEIGHBOURS)
        m = fuse_edges(builder, legs, block, _Perceptron(spec, basis), f"{name}/block", *self.by_species)
        m = layers.scaled(builder, m, self.per_neighbour)
        if spec.block == "sparse":
            m = layers.linear(builder, m, Irreps(p for p in wanted if m.irreps.count(p.irrep)), f"{name}/linear")
        return self.skipped(builder, m, A, name)

    def skipped(self, builder: Builder, m: State, h: State, name: str) -> State:
        """The sum with a map of an earlier state for each species, in the parts that both have."""
        kept = Irreps(part for part in m.irreps if h.irreps.count(part.irrep))
        if not self.spec.skip or not kept:
            return m
        factor = len(self.species) ** -0.5
        skip = layers.linear(builder, h, kept, f"{name}/skip", self.by_species, factor)
        return layers.added(builder, m, skip, f"{name}/h")

    def readout(self, builder: Builder, h: State, t: int) -> State:
        """(D5): linear in the scalars, a perceptron after the last layer."""
        name, spec = f"readout{t}", self.spec
        if t < spec.n_layers:
            return layers.linear(builder, h, "1x0e", name)
        hidden = layers.linear(builder, h, Irreps([(spec.readout, Irrep(0, 1))]), f"{name}/hidden")
        return layers.linear(builder, layers.activate(builder, hidden, spec.activation), "1x0e", name)

    @property
    def per_neighbour(self) -> float:
        """Factor of sums over neighbours."""
        return float(self.spec.mean_neighbours**-0.5)


class _Perceptron:
    """Numbers of edges, diagrams and channels from the distance, cut off with it."""

    n = 1

    def __init__(self, spec: MoFDSpec, basis: State) -> None:
        self.spec, self.basis, self.shared = spec, basis, not spec.edge_weights

    def emit(
        self, builder: Builder, degrees: Sequence[int], muls: Sequence[int], copies: Sequence[int], name: str
    ) -> State:
        """A perceptron in the radial functions; or one linear in them for each channel, the same for all diagrams."""
        spec = self.spec
        if spec.edge_weights:
            return layers.radial_mlp(builder, self.basis, spec.radial_widths, sum(muls), spec.activation, name)
        one = layers.linear(builder, self.basis, Irreps([(muls[0], Irrep(0, 1))]), f"{name}/0", layers.EDGES)
        return layers.joined(builder, [one] * len(muls), f"{name}/all")
