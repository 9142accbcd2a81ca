r"""Cormorant's input and readout for QM9: a message among the charges, and perceptrons around the sum over atoms.

.. math::
    m_i &= \sum_j \sigma\big((r_c - r_{ij})/w\big)\, \big(V f(r_{ij}) + b\big) \circ a_j, \qquad
    \psi^0_i = P_0\,[\,m_i,\, a_i\,], \\
    E &= P_2\Big(\textstyle\sum_i P_1(x_i)\Big), \qquad P(x) = W_2\, s(W_1 x + b_1) + b_2

with s the leaky rectifier, f the sines over powers of (C2), a_i the charges, x_i the invariants of atom i. The energy
is no sum over atoms: every atom of a molecule gets an equal share of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbody_ref.gates import steps
from nbody_ref.gates.build import Builder, State
from nbody_ref.gates.chain import Entry
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irreps
from nbody_ref.models import layers
from nbody_ref.models.cormorant_parts import SENDERS, RealUniform, mixed
from nbody_ref.models.cormorant_spec import CormorantSpec
from nbody_ref.models.layers import Rows
from nbody_ref.ops.activation import Activation

__all__ = ["message_input", "perceptron_readout", "scalars"]


def _onto_receivers(edges: Edges) -> Edges:
    return Edges.build(edges.receivers, np.arange(edges.n_edges), edges.n_receivers, edges.n_edges)


def _onto_atoms(edges: Edges) -> Edges:
    return Edges.build(edges.senders, edges.receivers, edges.n_senders, edges.n_receivers)


ONTO_RECEIVERS = Entry("neighbours", "onto receivers", _onto_receivers)
ONTO_ATOMS = Entry("molecule", "onto atoms", _onto_atoms)
MOLECULES = Rows(Entry("root kind"))


def message_input(
    builder: Builder, spec: CormorantSpec, charges: State, sines: State, masks: tuple[State, State]
) -> State:
    """Real parts and imaginary parts of the first states, from the charges of all atoms, its own among them.

    Parameters
    ----------
    builder : Builder
    spec : CormorantSpec
    charges : State
        Of the atoms.
    sines : State
        Of the edges.
    masks : tuple of State
        Of the edges, and of the atoms at distance zero.
    """
    n, (near, own) = charges.irreps.dim, masks
    phi = perceptron_layer(builder, sines, n, "input/radial", layers.EDGES)
    sent = builder.emit(steps.SUM, (charges,), "input/sent", SENDERS, irreps=charges.irreps)
    edges = builder.product(builder.product(near, phi, "input/masked"), sent, "input/messages")
    message = builder.emit(steps.SUM, (edges,), "input/sum", ONTO_RECEIVERS, irreps=charges.irreps)
    if spec.self_edge:  # the radial functions vanish at distance zero, their constants do not
        none = builder.emit(steps.RESCALE, (charges,), "input/none", ((0.0, n),))
        constant = builder.emit(
            steps.BIAS, (none, "input/radial/bias"), "input/constants", layers.ATOMS.kind, irreps=charges.irreps
        )
        own = builder.product(builder.product(own, constant, "input/own"), charges, "input/own message")
        message = layers.total(builder, (message, own), "input/message")
    both = scalars(builder, [message, charges], "input/both")
    return perceptron(builder, both, (spec.hidden, 2 * spec.n_channels), "input", layers.ATOMS)


def perceptron_readout(builder: Builder, spec: CormorantSpec, invariants: Sequence[State]) -> State:
    """Equal shares of the atoms in a function of the sum over atoms."""
    x = scalars(builder, invariants, "readout/invariants")
    x = perceptron(builder, x, (spec.hidden, spec.mixed), "readout/atoms", layers.ATOMS)
    total = builder.emit(steps.SUM, (x,), "readout/sum", Entry("molecule"), irreps=x.irreps)
    energy = perceptron(builder, total, (spec.hidden, 1), "readout/molecule", MOLECULES)
    energy = layers.scaled(builder, energy, spec.scale)
    spread = builder.emit(steps.SUM, (energy,), "readout/spread", ONTO_ATOMS, irreps=energy.irreps)
    return builder.product(builder.input("share", energy.irreps), spread, "readout/shares")


def perceptron(builder: Builder, x: State, widths: Sequence[int], name: str, rows: Rows) -> State:
    """Linear layers with constants and a leaky rectifier between them."""
    for i, width in enumerate(widths):
        x = layers.activate(builder, x, Activation("leaky_relu")) if i else x
        x = perceptron_layer(builder, x, width, f"{name}/{i}", rows)
    return x


def perceptron_layer(builder: Builder, x: State, width: int, name: str, rows: Rows) -> State:
    """Real scalars, linear in real scalars, and a constant each; drawn from U(-1, 1) / sqrt(inputs), as published."""
    n, out = x.irreps.dim, Irreps([(width, x.irreps[0].irrep)])
    y = mixed(builder, x, out, name, RealUniform((1, n * width), n**-0.5), rows.kind)
    builder.parameters[f"{name}/bias"] = RealUniform((1, width), n**-0.5)
    return builder.emit(steps.BIAS, (y, f"{name}/bias"), f"{name}/shifted", rows.kind, irreps=out)


def scalars(builder: Builder, states: Sequence[State], name: str) -> State:
    """Scalars side by side, as one part."""
    n = sum(state.irreps.dim for state in states)
    irreps = Irreps([(n, states[0].irreps[0].irrep)])
    return builder.emit(steps.CONCAT, tuple(states), name, irreps=irreps)
