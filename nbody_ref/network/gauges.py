r"""Networks from the real gauge to the complex one and back: a real network is a complex one with constrained weights.

A vertex of the real gauge is that of the complex gauge times i^s, s = (l1 + l2 + l) mod 2, between the unitary changes
of components U_l. So every fragment of a real network is i^e U_l times the fragment of the complex network, with e
counting odd vertices since the last mixing, and

.. math:: W_{complex} = i^{e(row)}\, W_{real}

makes the two networks the same function. Derivation: docs/derivations/gauge.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nbody_ref.errors import NBodyRefError
from nbody_ref.gates.chain import Array
from nbody_ref.ops._op import Exponents

if TYPE_CHECKING:
    from nbody_ref.network.network import Network

__all__ = ["row_phases", "to_complex", "to_real"]

_COMPLEX = {"float64": "complex128", "float32": "complex64"}
_REAL = {wide: narrow for narrow, wide in _COMPLEX.items()}


def to_complex(network: Network) -> Network:
    """The same function of the atoms in the complex gauge, with complex weights.

    Parameters
    ----------
    network : Network
        Of basis "real" and a real dtype.

    Returns
    -------
    Network
        Its states are `nbody_ref.ops.gauge.to_complex` of those of `network`; weights are multiplied by powers of i,
        without rounding.

    Raises
    ------
    NBodyRefError
        If the network is complex already, or its root is an unmixed product that carries a factor i.
    """
    if network.spec.is_complex:
        raise NBodyRefError(f"to_complex: 'network' must be real, got dtype {network.spec.dtype!r}")
    spec = replace(network.spec, basis="complex", dtype=_COMPLEX[network.spec.dtype])
    phases = row_phases(network)
    weights = {name: phases[name] * array for name, array in network.parameters.items()}
    return type(network)(spec, {name: array.astype(spec.dtype) for name, array in weights.items()})


def to_real(network: Network) -> Network:
    """The inverse of `to_complex`, for complex networks whose weights satisfy the constraint.

    Raises
    ------
    NBodyRefError
        If the network is not in the complex gauge, or a weight is not real times the power of i of its row; the weight
        is named.
    """
    if network.spec.basis != "complex":
        raise NBodyRefError(f"to_real: 'network' must be in the complex gauge, got basis {network.spec.basis!r}")
    phases, weights = row_phases(network), {}
    for name, array in network.parameters.items():
        turned = phases[name].conj() * array
        if turned.imag.any():
            kind, place = (int(i) for i in np.argwhere(turned.imag != 0)[0])
            raise NBodyRefError(
                f"to_real: weight {place} of kind {kind} of {name!r} must be real times {_show(phases[name][place])}, "
                f"got {array[kind, place]}: this network has no real form"
            )
        weights[name] = turned.real.astype(_REAL[network.spec.dtype])
    return type(network)(replace(network.spec, basis="real", dtype=_REAL[network.spec.dtype]), weights)


def row_phases(network: Network) -> dict[str, Array]:
    """Powers of i, (n_weights,) complex, that the weights of a real network are multiplied by in the complex gauge.

    Raises
    ------
    NBodyRefError
        If the root's own fragments carry a factor i or -1.
    """
    irreps = network.irreps
    known: dict[str, Exponents] = {}
    phases: dict[str, Array] = {}
    for step in network.chain.steps:
        inputs = [known.get(name) or (0,) * len(irreps.get(name, ())) for name in step.inputs]
        if step.output in irreps:
            known[step.output] = step.op.phase(inputs, *step.statics) or (0,) * len(irreps[step.output])
        found = step.op.weight_phase(inputs, *step.statics)
        if found is not None:
            phases[step.inputs[found[0]]] = found[1]
    if any(known[network.root]):
        raise NBodyRefError("to_complex: the root must be a mixing or a sum of mixed states, not a bare product")
    return phases


def _show(phase: complex) -> str:
    return {1: "1", 1j: "i", -1: "-1", -1j: "-i"}[complex(phase)]
