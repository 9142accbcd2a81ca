r"""Every scalar that a root holds, each with its own forces: several states, elements of a matrix, invariants.

With outputs :math:`s_k` of the root, values and :math:`F^k_i = -\partial s_k / \partial r_i` come from one run forward
and one back for each; the gradient of a loss on all of them is a sum over k of forward over reverse
(docs/derivations/chain.md, D5). Vectors for each atom are what the last level holds before the root sums it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from nbody_ref.errors import IrrepsError
from nbody_ref.graphs import Graph
from nbody_ref.network.energy import EnergyModel, real_part
from nbody_ref.network.parameters import Parameters
from nbody_ref.ops._check import check_array

__all__ = ["atom_outputs", "scalar_columns", "scalars_and_forces", "scalars_and_forces_jvp", "scalars_gradient"]

Array = np.ndarray[Any, Any]
Loss = Callable[[Array, Array], tuple[float, Array, Array]]


def scalar_columns(model: EnergyModel) -> list[int]:
    """Columns of the root's state that are scalars, in written order.

    Raises
    ------
    IrrepsError
        If there is none.
    """
    columns: list[int] = []
    begin = 0
    for part in model.irreps_out:
        if part.irrep.l == 0 and part.irrep.p != -1:
            columns += range(begin, begin + part.mul)
        begin += part.dim
    if not columns:
        raise IrrepsError(f"scalar_columns: the root has type {model.irreps_out}, which holds no scalar")
    return columns


def scalars_and_forces(model: EnergyModel, graph: Graph) -> tuple[Array, Array]:
    """Every scalar, (n_frames, S), and minus its derivative by the positions, (S, N, 3); float64."""
    values, batch = model.forward(graph)
    columns = scalar_columns(model)
    forces = np.stack([_pull(model, values, batch, column, ())[0] for column in columns])
    return real_part(values[model.root][:, columns]), forces


def scalars_and_forces_jvp(model: EnergyModel, graph: Graph, r_dot: Array) -> tuple[Array, Array]:
    """Tangents (n_frames, S) and (S, N, 3) of `scalars_and_forces` as atoms move along r_dot (N, 3)."""
    r_dot = check_array("scalars_and_forces_jvp", "r_dot", r_dot, graph.positions.shape, (np.float64,))
    values, batch = model.forward(graph)
    columns, tangents = scalar_columns(model), model.chain.jvp(values, batch, {"r": r_dot})
    still = np.zeros_like(values[model.root])
    forces = np.zeros((len(columns), *graph.positions.shape))
    for k, column in enumerate(columns):
        bars = _pull(model, values, batch, column, ())[1]
        found = model.chain.vjp_jvp(values, batch, tangents, bars, ("r",), {model.root: still})
        forces[k] -= found.get("r", 0.0)
    return real_part(tangents.get(model.root, still)[:, columns]), forces


def scalars_gradient(
    model: EnergyModel, graph: Graph, loss: Loss, wrt: Iterable[str] | None = None
) -> tuple[float, Parameters]:
    """Value of a loss on all scalars and their forces, and its gradient with respect to the weights.

    Parameters
    ----------
    model : EnergyModel
    graph : Graph
    loss : callable (scalars (n_frames, S), forces (S, N, 3)) -> (value, derivative by the first, by the second)
    wrt : iterable of str, optional
        Names of the weights; None: all.

    Returns
    -------
    float, Parameters

    Raises
    ------
    ShapeError, DTypeError
        If a derivative has not the shape of what it belongs to, or is not float64.
    """
    names = tuple(model.parameters) if wrt is None else tuple(wrt)
    values, batch = model.forward(graph)
    columns = scalar_columns(model)
    runs = [_pull(model, values, batch, column, names) for column in columns]
    forces = np.stack([force for force, _ in runs])
    scalars = real_part(values[model.root][:, columns])
    value, scalars_bar, forces_bar = loss(scalars, forces)
    scalars_bar = check_array("scalars_gradient", "scalars_bar", scalars_bar, scalars.shape, (np.float64,))
    forces_bar = check_array("scalars_gradient", "forces_bar", forces_bar, forces.shape, (np.float64,))
    total = {name: np.zeros_like(model.parameters[name]) for name in names}
    for k, (column, (_, bars)) in enumerate(zip(columns, runs, strict=True)):
        seed_dot = np.zeros_like(values[model.root])
        seed_dot[:, column] = scalars_bar[:, k]
        tangents = model.chain.jvp(values, batch, {"r": -forces_bar[k]})
        found = model.chain.vjp_jvp(values, batch, tangents, bars, names, {model.root: seed_dot})
        for name in names:
            if name in found:
                total[name] = total[name] + found[name]
    return value, Parameters(total)


def atom_outputs(model: EnergyModel, graph: Graph) -> Array:
    """What each atom's neighbourhood gives to the root, (N, irreps_out.dim): vectors for each atom, for instance.

    Raises
    ------
    IrrepsError
        If the root does more than sum states of its own type.
    """
    values, _ = model.forward(graph)
    if model.irreps[model.last_level] != model.irreps_out:
        raise IrrepsError(
            f"atom_outputs: '{model.last_level}' has type {model.irreps[model.last_level]}, the root {model.irreps_out}"
        )
    return real_part(values[model.last_level])


def _pull(model: EnergyModel, values: Any, batch: Any, column: int, names: tuple[str, ...]) -> tuple[Array, Any]:
    """Minus the derivative of one column of the root by the positions, and the cotangents it came from."""
    seed = np.zeros_like(values[model.root])
    seed[:, column] = 1
    bars = model.chain.vjp(values, batch, {model.root: seed}, ("r", *names))
    return (-bars["r"] if "r" in bars else np.zeros_like(values["r"])), bars
