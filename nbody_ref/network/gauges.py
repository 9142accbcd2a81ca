r"""Networks from the real gauge to the complex one and back: a real network is a complex one with constrained weights.

A vertex of the real gauge is that of the complex gauge times i^s, s = (l1 + l2 + l) mod 2, between the unitary changes
of components U_l. So every fragment of a real network is i^e U_l times the fragment of the complex network, with e
counting odd vertices since the last mixing, and

.. math:: W_{complex} = i^{e(row)}\, W_{real}

makes the two networks the same function. Derivation: docs/derivations/gauge.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.errors import NBodyRefError
from nbody_ref.gates.chain import Array, Step
from nbody_ref.irreps import Irreps

if TYPE_CHECKING:
    from nbody_ref.network.network import Network

__all__ = ["row_phases", "to_complex", "to_real"]

_COMPLEX = {"float64": "complex128", "float32": "complex64"}
_REAL = {wide: narrow for narrow, wide in _COMPLEX.items()}
_POWERS_OF_I = np.array([1, 1j, -1, -1j])
Exponents = tuple[int, ...]


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
    exponents: dict[str, Exponents] = {}
    phases: dict[str, Array] = {}
    for step in network.chain.steps:
        if step.output in irreps:
            exponents[step.output] = _exponents(step, exponents, irreps)
        if step.op.name == "mixing":
            phases[step.inputs[1]] = _by_weight(step.statics[1], exponents.get(step.inputs[0]))
    if any(exponents[network.root]):
        raise NBodyRefError("to_complex: the root must be a mixing or a sum of mixed states, not a bare product")
    return phases


def _exponents(step: Step, known: dict[str, Exponents], irreps: dict[str, Irreps]) -> Exponents:
    """Power of i of every part of a step's output."""
    inputs = [known.get(name, (0,) * len(irreps.get(name, ()))) for name in step.inputs]
    if step.op.name == "neighbour_sum":
        return inputs[0]
    if step.op.name == "concat":
        return tuple(e for part in inputs for e in part)
    if step.op.name == "message":
        table = step.statics[1]
        return tuple((inputs[0][i] + _odd(table.irreps_in[i].irrep.l, l2, irrep.l)) % 4 for i, l2, irrep in table.paths)
    if step.op.name == "cg_product":
        table, (a, b) = step.statics[0], inputs
        return tuple(
            (a[i] + b[j] + _odd(table.irreps_a[i].irrep.l, table.irreps_b[j].irrep.l, irrep.l)) % 4
            for i, j, irrep in table.paths
        )
    return (0,) * len(irreps[step.output])  # mixed states, harmonics, scalars


def _odd(l1: int, l2: int, l: int) -> int:
    return (l1 + l2 + l) % 2


def _by_weight(table: Any, exponents: Exponents | None) -> Array:
    found = exponents or (0,) * len(table.irreps_in)
    phases = np.empty(table.n_weights, np.complex128)
    for irrep, mul_in, mul_out, offset in table.blocks:
        parts = zip(table.irreps_in, found, strict=True)
        rows = [e for part, e in parts if part.irrep == irrep for _ in range(part.mul)]
        phases[offset : offset + mul_in * mul_out] = np.repeat(_POWERS_OF_I[rows], mul_out)
    return phases


def _show(phase: complex) -> str:
    return {1: "1", 1j: "i", -1: "-1", -1j: "-i"}[complex(phase)]
