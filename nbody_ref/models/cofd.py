r"""CoFD (Li et al. 2024): Cormorant with a fusion block on every edge, eq. (11) of the paper.

.. math::
    F^s_i = \Big[ F^{s-1}_i \oplus \big(F^{s-1}_i \otimes F^{s-1}_i\big) \oplus
        \sum_j \Big( \big(Y(x_{ij}) \otimes F^{s-1}_j\big)\, g_{ij} \oplus F^{fusion}_{ij} \Big) \Big] W

The block has three legs: the state of atom i, that of atom j, and the edge that joins them, so that the equivariant
parts of both atoms meet. All else is `nbody_ref.models.cormorant`. Readings: docs/models/cofd.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nbody_ref.gates import steps
from nbody_ref.gates.build import Builder, State
from nbody_ref.gates.edge_fusion import EdgeBlock, EdgeLegs, check_block, fuse_edges
from nbody_ref.gates.fields import check_words
from nbody_ref.irreps import Irrep
from nbody_ref.models import layers
from nbody_ref.models.cormorant import Cormorant
from nbody_ref.models.cormorant_parts import order
from nbody_ref.models.cormorant_spec import CormorantSpec
from nbody_ref.ops.radial import InversePowers
from nbody_ref.ops.radial_weights import RadialTable

__all__ = ["CoFD", "CoFDSpec"]


@dataclass(frozen=True)
class CoFDSpec(CormorantSpec):
    """A Cormorant and the block of its edges.

    Parameters
    ----------
    species, cutoff, ...
        As in `CormorantSpec`.
    block, tree, internal_spins, both_parities
        As in `nbody_ref.gates.edge_fusion.EdgeBlock`; the paper's results are of sparse blocks.
    edge : {"learned", "bare"}
        "learned": the edge enters as g_ij Y(x_ij), what Cormorant calls the state of an edge; "bare": as Y(x_ij), to
        the letter of eq. (11), where the block grows with the distance and does not end smoothly at a cutoff.

    Raises
    ------
    ArgumentError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.models import CoFDSpec
    >>> CoFDSpec((1, 8)).species
    (1, 8)
    """

    block: str = "sparse"
    tree: str = "(oj)Y"
    internal_spins: tuple[int, ...] = (0, 1, 2)
    both_parities: bool = False
    edge: str = "learned"

    model = "CoFD"
    mode = "channelwise"
    keep = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_block(self)
        check_words(self, {"edge": ("learned", "bare")})


class CoFD(Cormorant):
    """Cormorant with fusion diagrams; see `CoFDSpec`.

    Examples
    --------
    >>> model = CoFD(CoFDSpec((1, 8), n_levels=1, n_channels=2), seed=0)
    >>> graph = model.graph([([[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]], [8, 1, 1])])
    >>> model.energy_and_forces(graph)[1].shape
    (3, 3)
    """

    spec: CoFDSpec

    def more(self, builder: Builder, psi: State, g: list[State], y: State, name: str) -> list[State]:
        """The block of every edge, summed over neighbours: F_fusion of eq. (11)."""
        spec, parity = self.spec, psi.irreps.has_parity
        reached = {Irrep(l, p) for l in range(spec.lmax + 1) for p in ((1, -1) if parity else (None,))}
        keep = tuple(str(irrep) for irrep in sorted(reached, key=order))
        block = EdgeBlock(keep, spec.tree, spec.internal_spins, spec.block, spec.both_parities)
        legs = EdgeLegs(psi, psi, y, spec.lmax_edge, layers.NEIGHBOURS)
        weights = (
            _Learned(layers.joined(builder, g, f"{name}/g"), spec.n_channels) if spec.edge == "learned" else _Bare()
        )
        return [fuse_edges(builder, legs, block, weights, f"{name}/fusion", *self.by_species)]


class _Learned:
    """The numbers g_ij of the edge's degree, for all diagrams."""

    n, shared = 1, True

    def __init__(self, g: State, channels: int) -> None:
        self.g, self.channels = g, channels

    def emit(
        self, builder: Builder, degrees: Sequence[int], muls: Sequence[int], copies: Sequence[int], name: str
    ) -> State:
        """Columns of g."""
        spans = tuple((l * self.channels, (l + 1) * self.channels) for l in degrees)
        return builder.emit(steps.TAKE, (self.g,), name, spans)


class _Bare:
    """Ones."""

    n, shared = 1, True

    def emit(
        self, builder: Builder, degrees: Sequence[int], muls: Sequence[int], copies: Sequence[int], name: str
    ) -> State:
        """The zeroth power of the distance."""
        one = builder.emit(steps.RADIAL, ("edge/dist",), "edge/ones", InversePowers((0,)), 0)
        zeros = (0,) * len(degrees)
        table = RadialTable(0, 1, zeros, tuple(muls), zeros)
        return builder.emit(steps.COPIES, (builder.cast(one),), name, table)
