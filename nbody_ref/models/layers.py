r"""Layers that published models are made of, as steps of a program.

Each function emits steps into a `nbody_ref.gates.build.Builder` and returns the state that results. Weights are
stored as their authors store them, drawn from N(0, 1); the constants that go with them are steps of their own:

.. math:: y = \frac{f}{\sqrt{\mathrm{fan\,in}}}\; F\, W

so that nothing is hidden in a product, and a trained model's numbers can be put in unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from nbody_ref.errors import IrrepsError
from nbody_ref.gates import steps
from nbody_ref.gates.build import Builder, State
from nbody_ref.gates.chain import Array, Entry
from nbody_ref.gates.weights import Dense
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.ops.activation import Activation
from nbody_ref.ops.message import MessageTable
from nbody_ref.ops.mixing import MixingTable
from nbody_ref.ops.radial import Radial
from nbody_ref.ops.radial_weights import RadialTable

__all__ = [
    "ATOMS",
    "EDGES",
    "NEIGHBOURS",
    "Rows",
    "activate",
    "added",
    "biased",
    "edge_harmonics",
    "gate",
    "joined",
    "linear",
    "message",
    "norm_gate",
    "radial_basis",
    "radial_mlp",
    "scaled",
    "taken",
    "total",
]

NEIGHBOURS = Entry("neighbours")


def _zeros(edges: Edges) -> Array:
    return np.zeros(edges.n_edges, np.uintp)


class Rows(NamedTuple):
    """Which of `n_kinds` sets of weights each row of a state uses."""

    kind: Entry
    n_kinds: int = 1


ATOMS = Rows(Entry("shared"))
EDGES = Rows(Entry("neighbours", "zeros", _zeros))


def radial_basis(builder: Builder, basis: Radial, name: str = "edge", factor: float = 1.0) -> State:
    """The radial functions of every edge as scalars, (E, basis.n)."""
    r = builder.emit(steps.RELATIVE, ("r", "r"), f"{name}/r_rel", NEIGHBOURS)
    dist = builder.emit(steps.DISTANCE, (r,), f"{name}/dist")
    g = builder.emit(steps.RADIAL, (dist,), f"{name}/radial", basis, 0)
    table = RadialTable(0, basis.n, (0,) * basis.n, (1,) * basis.n, tuple(range(basis.n)))
    flat = builder.emit(
        steps.COPIES, (builder.cast(g),), f"{name}/basis", table, irreps=Irreps([(basis.n, Irrep(0, 1))])
    )
    return scaled(builder, flat, factor)


def edge_harmonics(builder: Builder, lmax: int, normalization: str = "component", name: str = "edge") -> State:
    """Spherical harmonics of the unit vectors from receiver to sender, (E, (lmax + 1)**2)."""
    r = builder.emit(steps.RELATIVE, ("r", "r"), f"{name}/r_rel", NEIGHBOURS)
    y = builder.emit(steps.SPHERICAL, (r,), f"{name}/harmonics", lmax, normalization)
    if builder.basis == "complex":
        return builder.emit(steps.FRAGMENTS, (y,), f"{name}/fragments", lmax)
    return builder.cast(y)


def linear(builder: Builder, x: State, out: Irreps | str, name: str, rows: Rows = ATOMS, factor: float = 1.0) -> State:
    """Mixing of channels by weights ``name`` ~ N(0, 1) times ``factor / sqrt(fan in)``, one set for each kind of row.

    The blocks of the weights are those of `nbody_ref.ops.mixing.MixingTable`: parts of `out` in written order, each
    (channels in, channels out), row-major.
    """
    table = MixingTable.build(x.irreps, Irreps(out))
    builder.parameters[name] = Dense((rows.n_kinds, table.n_weights))
    runs = tuple((factor / block.mul_in**0.5, block.mul_in * block.mul_out) for block in table.blocks)
    W = builder.emit(steps.RESCALE, (name,), f"{name}/scaled", runs)
    return builder.emit(steps.MIXING, (x, W), f"{name}/out", rows.kind, table, irreps=table.irreps_out)


def biased(builder: Builder, x: State, name: str, rows: Rows = ATOMS, mean: float = 0.0) -> State:
    """A learned constant for each scalar, drawn as `mean`, added.

    Raises
    ------
    IrrepsError
        If `x` has parts other than scalars.
    """
    _check_scalars("biased", x.irreps)
    builder.parameters[name] = Dense((rows.n_kinds, x.irreps.dim), 0.0, mean)
    return builder.emit(steps.BIAS, (x, name), f"{name}/out", rows.kind, irreps=x.irreps)


def scaled(builder: Builder, x: State, factor: float) -> State:
    """A state times a constant."""
    if factor == 1.0:
        return x
    return builder.emit(steps.RESCALE, (x,), f"{x}/scaled", ((factor, x.irreps.dim),), irreps=x.irreps)


def total(builder: Builder, states: Sequence[State], name: str) -> State:
    """Sum of states of one type."""
    return builder.emit(steps.ADD, tuple(states), name, irreps=states[0].irreps)


def added(builder: Builder, x: State, some: State, name: str) -> State:
    """Sum of a state and one that has only some of its parts, in the same order."""
    if some.irreps == x.irreps:
        return total(builder, (x, some), name)
    pieces, at = [], 0
    for i, part in enumerate(x.irreps):
        piece = taken(builder, x, [(i, 0, part.mul)], f"{name}/new{i}")
        if at < len(some.irreps) and part == some.irreps[at]:
            other = taken(builder, some, [(at, 0, part.mul)], f"{name}/direct{i}")
            piece, at = total(builder, (piece, other), f"{name}/{i}"), at + 1
        pieces.append(piece)
    return joined(builder, pieces, name)


def joined(builder: Builder, states: Sequence[State], name: str) -> State:
    """States side by side."""
    if len(states) == 1:
        return states[0]
    return builder.emit(
        steps.CONCAT, tuple(states), name, irreps=Irreps(part for state in states for part in state.irreps)
    )


def taken(builder: Builder, x: State, pieces: Sequence[tuple[int, int, int]], name: str) -> State:
    """Pieces of parts side by side: (number of the part, first channel, channels).

    Raises
    ------
    IrrepsError
        If a piece does not lie in its part, or is less than the whole of a part of degree l >= 1.
    """
    irreps, spans, found = x.irreps, [], []
    for i, first, mul in pieces:
        part = irreps[i]
        whole = part.irrep.l == 0 or (first, mul) == (0, part.mul)
        if not (0 <= first < first + mul <= part.mul and whole):
            raise IrrepsError(f"taken: part {i} of {irreps} has no channels {first}..{first + mul} to take")
        start = irreps.offsets[i] + first
        spans.append((start, start + mul * part.irrep.dim))
        found.append((mul, part.irrep))
    return builder.emit(steps.TAKE, (x,), name, tuple(spans), irreps=Irreps(found))


def activate(builder: Builder, x: State, function: Activation, name: str = "") -> State:
    """A function of one number on every scalar.

    Raises
    ------
    IrrepsError
        If `x` has parts other than scalars, or pseudoscalars on which the function is not odd.
    """
    _check_scalars("activate", x.irreps)
    odd = any(part.irrep.p == -1 for part in x.irreps)
    if odd and function.name != "tanh":
        raise IrrepsError(f"activate: pseudoscalars need an odd function (tanh), got {function.name!r}")
    return builder.emit(steps.ACTIVATION, (x,), name or f"{x}/{function.name}", function, irreps=x.irreps)


def radial_mlp(
    builder: Builder,
    basis: State,
    widths: Sequence[int],
    out: int,
    activation: Activation,
    name: str,
    rows: Rows = EDGES,
) -> State:
    r"""Weights of messages from a multilayer perceptron in the radial functions, without biases.

    .. math:: h_{k+1} = a\big(h_k W_k / \sqrt{\dim h_k}\big), \qquad w = h_n W_n / \sqrt{\dim h_n}

    Parameters
    ----------
    builder : Builder
    basis : State
        Variable of scalars of the edges, from `radial_basis`.
    widths : sequence of int
        Hidden layers.
    out : int
        Numbers of an edge, `MessageTable.n_weights`.
    activation : Activation
        With its constant factor.
    name : str
        The weights are called ``name/0``, ``name/1``, ...; each (1, in * out), row-major (in, out).
    rows : Rows
        Which weights an edge uses.

    Returns
    -------
    State
        (E, out), the `w` of `nbody_ref.ops.message`.
    """
    h = basis
    for i, width in enumerate((*widths, out)):
        h = linear(builder, h, Irreps([(int(width), Irrep(0, 1))]), f"{name}/{i}", rows)
        h = h if i == len(widths) else activate(builder, h, activation)
    return h


def message(builder: Builder, x: State, y: str, w: str, table: MessageTable, name: str) -> State:
    """Sum over neighbours of w times the coupling of their state with the harmonics of the edge."""
    return builder.emit(steps.MESSAGE, (x, y, w), name, NEIGHBOURS, table, irreps=table.irreps_out)


def gate(
    builder: Builder,
    x: State,
    on_scalars: Mapping[int, Activation],
    on_gates: Mapping[int, Activation],
    name: str,
) -> State:
    """Gate nonlinearity: scalars through a function of one number; other fragments times a gate each.

    Parameters
    ----------
    builder : Builder
    x : State
        Its parts of degree zero hold the scalars that stay and, at the end of the last of them, the gates: one for each
        fragment of the parts of degree l >= 1.
    on_scalars, on_gates : mapping of parity (1 or -1) to Activation
        On scalars of either parity, and on gates.
    name : str

    Returns
    -------
    str
        The scalars, then the gated parts. The gate multiplies all components of a fragment, which is the coupling of
        degree 0 with l to l and commutes with rotations; a pseudoscalar gate turns the parity.

    Raises
    ------
    IrrepsError
        If there are too few gates.
    """
    irreps = x.irreps
    wanted = Irreps(part for part in irreps if part.irrep.l)
    scalars = [i for i, part in enumerate(irreps) if part.irrep.l == 0]
    kept, n_gates = {i: irreps[i].mul for i in scalars}, sum(part.mul for part in wanted)
    if not scalars or irreps[scalars[-1]].mul < n_gates:
        raise IrrepsError(f"gate: '{x}' of type {irreps} must end its scalars with {n_gates} gates")
    kept[scalars[-1]] -= n_gates
    found = []
    for i, mul in kept.items():
        if mul:
            some = taken(builder, x, [(i, 0, mul)], f"{name}/scalars{i}")
            found.append(activate(builder, some, on_scalars[irreps[i].irrep.p or 1]))
    if wanted:
        ends = accumulate((part.mul for part in wanted), initial=kept[scalars[-1]])
        pieces = [(scalars[-1], first, part.mul) for first, part in zip(ends, wanted, strict=False)]
        gates = taken(builder, x, pieces, f"{name}/gates")
        gates = activate(builder, gates, on_gates[irreps[scalars[-1]].irrep.p or 1])
        rest = taken(builder, x, [(i, 0, p.mul) for i, p in enumerate(irreps) if p.irrep.l], f"{name}/gated")
        found.append(_multiplied(builder, gates, rest, f"{name}/product"))
    return joined(builder, found, name)


def norm_gate(
    builder: Builder,
    x: State,
    function: Activation,
    name: str,
    epsilon: float = 1e-8,
    normalize: bool = True,
    bias: bool = False,
) -> State:
    r"""Norm nonlinearity, :math:`y = \eta(|x| + b)\, x / |x|`, or without the division :math:`y = \eta(|x| + b)\, x`.

    Parameters
    ----------
    builder : Builder
    x : State
    function : Activation
        The function eta.
    name : str
        The biases b, one for each fragment, are the weights ``name/bias``.
    epsilon : float
        The norm is sqrt(sum of squares + epsilon^2). With 0 its derivatives at x = 0 are taken as zero.
    normalize, bias : bool

    Raises
    ------
    IrrepsError
        If fragments are to be normalized and `epsilon` is not positive.
    """
    if normalize and not epsilon > 0:
        raise IrrepsError(f"norm_gate: 'epsilon' must be positive where fragments are normalized, got {epsilon}")
    irreps = x.irreps
    even = Irreps((part.mul, Irrep(0, None if part.irrep.p is None else 1)) for part in irreps)
    norms = builder.emit(steps.NORMS, (x,), f"{name}/norms", irreps, epsilon, irreps=even)
    shifted = biased(builder, norms, f"{name}/bias") if bias else norms
    scale = activate(builder, shifted, function)
    if normalize:
        inverse = activate(builder, norms, Activation("reciprocal"))
        scale = _multiplied(builder, scale, inverse, f"{name}/scale")
    return _multiplied(builder, scale, x, name)


def _multiplied(builder: Builder, scalars: State, x: State, name: str) -> State:
    """Part by part, channel by channel: the coupling of degree 0 with l to l, whose coefficient is 1."""
    pairs = enumerate(zip(scalars.irreps, x.irreps, strict=True))
    return builder.product(scalars, x, name, paths=[(i, i, (a.irrep * b.irrep)[0]) for i, (a, b) in pairs])


def _check_scalars(function: str, irreps: Irreps) -> None:
    if any(part.irrep.l for part in irreps):
        raise IrrepsError(f"{function}: every part must be a scalar, got {irreps}")
