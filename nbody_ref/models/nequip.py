r"""NequIP (Batzner et al. 2022) and tensor field networks (Thomas et al. 2018), (N0) to (N5) of docs/models/nequip.md.

.. math::
    h^{(0)}_i &= W \delta_{z_i}, \\
    A_i &= \frac{1}{\sqrt{\bar n}} \sum_{j} R(r_{ij})\, \big[ W h_j \otimes Y(\hat r_{ij}) \big], \qquad
    h'_i = W A_i + W_{z_i} h_i, \\
    h &\leftarrow \mathrm{gate}(h') \quad (+\, h), \qquad
    E = \sum_i \big( s\, W W h^{(T)}_i + b_{z_i} \big)

The zeroth-order gate of eq. (10) with learned radial functions in place of inverse powers, all degrees of harmonics,
and a nonlinearity between levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import sqrt
from typing import Any

from nbody_ref.errors import IrrepsError, NBodyRefError
from nbody_ref.gates.build import Builder, State
from nbody_ref.gates.fields import check_flags, check_integers, check_words
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.models import layers
from nbody_ref.models.base import PublishedModel
from nbody_ref.models.checks import check_numbers, check_radial_activation, check_species
from nbody_ref.ops.activation import Activation
from nbody_ref.ops.message import MessageTable
from nbody_ref.ops.radial import Bessel

__all__ = ["NequIP", "NequIPSpec"]


_SILU, _TANH = Activation.normalized("silu"), Activation.normalized("tanh")


@dataclass(frozen=True)
class NequIPSpec:
    """Everything about a NequIP model but its weights.

    Parameters
    ----------
    species : tuple of int
        Atomic numbers.
    cutoff : float
        Angstrom.
    hidden : str
        Irreps of the states; what a layer cannot reach is left out there.
    lmax : int
        Largest degree of the harmonics of edges.
    n_layers : int
    n_radial, cutoff_degree : int
        Bessel functions and the degree p of their cutoff.
    radial_widths : tuple of int
        Hidden layers of the radial perceptron.
    mean_neighbours : float
        The sum over neighbours is divided by its root.
    nonlinearity : {"gate", "norm", "norm with bias"}
        The last is that of tensor field networks, eta(|x| + b) x without division.
    even, odd : Activation
        On scalars and gates of either parity, and in the norm nonlinearity; constants included.
    radial_activation : Activation
    self_connection, residual : bool
        The terms W_z h and + h.
    scale : float
        Of the energies of atoms, eV; each species has a learned constant besides.
    dtype : {"float64", "float32"}

    Raises
    ------
    NBodyRefError, IrrepsError, GeometryError
        If a field is not what it must be.

    Examples
    --------
    >>> from nbody_ref.models import NequIPSpec
    >>> NequIPSpec((1, 8), cutoff=5.0).hidden
    '32x0e + 32x1o'
    """

    species: tuple[int, ...]
    cutoff: float
    hidden: str = "32x0e + 32x1o"
    lmax: int = 1
    n_layers: int = 4
    n_radial: int = 8
    cutoff_degree: int = 6
    radial_widths: tuple[int, ...] = (64, 64)
    mean_neighbours: float = 1.0
    nonlinearity: str = "gate"
    even: Activation = _SILU
    odd: Activation = _TANH
    radial_activation: Activation = _SILU
    self_connection: bool = True
    residual: bool = False
    scale: float = 1.0
    dtype: str = "float64"

    def __post_init__(self) -> None:
        check_species(self)
        least = {"lmax": 0, "n_layers": 1, "n_radial": 1, "cutoff_degree": 1, "radial_widths": 1}
        check_integers(self, least, lists=("radial_widths",))
        check_numbers(self, ("scale",), positive=("cutoff", "mean_neighbours"))
        check_flags(self, "self_connection", "residual")
        words = {"nonlinearity": ("gate", "norm", "norm with bias"), "dtype": ("float64", "float32")}
        check_words(self, words)
        for name in ("even", "odd", "radial_activation"):
            if not isinstance(getattr(self, name), Activation):
                raise NBodyRefError(f"NequIPSpec: '{name}' must be an Activation, got {getattr(self, name)!r}")
        object.__setattr__(self, "hidden", str(Irreps(self.hidden)))
        check_radial_activation(self, "radial_activation")
        hidden = Irreps(self.hidden)
        if not hidden.count("0e") or len(hidden.merged()) != len(hidden):
            raise IrrepsError(f"NequIPSpec: 'hidden' must hold scalars 0e, and each irrep once, got {self.hidden}")

    @classmethod
    def tensor_field_network(cls, species: tuple[int, ...], cutoff: float, **others: Any) -> NequIPSpec:
        """As Thomas et al.: norm nonlinearity with shifted softplus and bias, no self-connection with species."""
        function = Activation("shifted_softplus")
        fixed: dict[str, Any] = {"nonlinearity": "norm with bias", "self_connection": False, "even": function}
        return cls(species, cutoff, **(fixed | {"radial_activation": function} | others))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description."""
        return {"model": "NequIP", **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NequIPSpec:
        """Inverse of `to_dict`."""
        found: dict[str, Any] = {field.name: data[field.name] for field in fields(cls)}
        for name in ("even", "odd", "radial_activation"):
            found[name] = Activation.from_dict(found[name])
        found |= {name: tuple(found[name]) for name in ("species", "radial_widths")}
        return cls(**found)


class NequIP(PublishedModel):
    """NequIP, or a tensor field network; see `NequIPSpec`.

    Examples
    --------
    >>> from nbody_ref.models import NequIP, NequIPSpec
    >>> model = NequIP(NequIPSpec((1, 8), cutoff=5.0, n_layers=2))
    >>> model.species, model.parameters.n
    ((1, 8), 44626)
    """

    spec: NequIPSpec

    def program(self, builder: Builder) -> State:
        """Energies of atoms, (N0) to (N5)."""
        spec, scalars = self.spec, Irreps(self.spec.hidden).count("0e")
        bessel = Bessel(spec.n_radial, spec.cutoff, spec.cutoff_degree)
        basis = layers.radial_basis(builder, bessel, factor=sqrt(2 / spec.cutoff))  # (N2): their 2/rc, not its root
        y = layers.edge_harmonics(builder, spec.lmax)
        h = layers.linear(builder, self.one_hot, f"{scalars}x0e", "embedding")  # (N0)
        for t in range(1, spec.n_layers + 1):
            h = self.layer(builder, h, y, basis, f"layer{t}")
        h = layers.linear(builder, h, f"{max(1, scalars // 2)}x0e", "readout/hidden")  # (N5)
        h = layers.scaled(builder, layers.linear(builder, h, "1x0e", "readout/energy"), spec.scale)
        return layers.biased(builder, h, "readout/shift", self.by_species)

    def layer(self, builder: Builder, h: State, y: State, basis: State, name: str) -> State:
        """One level: message, self-interaction, self-connection, nonlinearity; (N1), (N3), (N4)."""
        spec, tau = self.spec, h.irreps
        wanted = Irreps(part for part in Irreps(spec.hidden) if _reached(tau, spec.lmax, part.irrep))
        inner = _with_gates(wanted, tau, spec.lmax) if spec.nonlinearity == "gate" else wanted
        x = layers.linear(builder, h, tau, f"{name}/linear_1")
        table = MessageTable.build(tau, spec.lmax, out=[part.irrep for part in inner])
        w = layers.radial_mlp(
            builder, basis, spec.radial_widths, table.n_weights, spec.radial_activation, f"{name}/radial"
        )
        a = layers.message(builder, x, y, w, table, f"{name}/A")  # (N1)
        a = layers.scaled(builder, a, spec.mean_neighbours**-0.5)
        new = layers.linear(builder, a, inner, f"{name}/linear_2")  # (N3)
        if spec.self_connection:
            kept = Irreps(part for part in inner if tau.count(part.irrep))
            if kept:
                rows, factor = self.by_species, len(spec.species) ** -0.5
                direct = layers.linear(builder, h, kept, f"{name}/self_connection", rows, factor)
                new = layers.added(builder, new, direct, f"{name}/sum")
        out = self.nonlinear(builder, new, f"{name}/h")  # (N4)
        if spec.residual and out.irreps == tau:
            return layers.total(builder, (h, out), f"{name}/residual")
        return out

    def nonlinear(self, builder: Builder, x: State, name: str) -> State:
        """The nonlinearity between levels, (N4)."""
        spec = self.spec
        if spec.nonlinearity == "gate":
            functions = {1: spec.even, -1: spec.odd}
            return layers.gate(builder, x, functions, functions, name)
        plain = spec.nonlinearity == "norm with bias"
        return layers.norm_gate(builder, x, spec.even, name, normalize=not plain, bias=plain)


def _reached(tau: Irreps, lmax: int, irrep: Irrep) -> bool:
    return any(irrep in part.irrep * Irrep(l, (-1) ** l) for part in tau for l in range(lmax + 1))


def _with_gates(wanted: Irreps, tau: Irreps, lmax: int) -> Irreps:
    """Scalars, with one more for each fragment of degree l >= 1, then those fragments."""
    gates = sum(part.mul for part in wanted if part.irrep.l)
    even = Irrep(0, 1 if _reached(tau, lmax, Irrep(0, 1)) else -1)
    scalars = [part for part in wanted if part.irrep.l == 0 and part.irrep != even]
    last = (wanted.count(even) + gates, even)
    return Irreps([*scalars, *([last] if last[0] else []), *(part for part in wanted if part.irrep.l)])
