"""This package's own radial functions, mixing, contractions, fusion blocks, gates and models as a backend.

nbody-ref conform run --backend nbody_ref.conformance.reference_blocks:Blocks
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np

from nbody_ref.conformance.backend import Backend, Capabilities
from nbody_ref.conformance.operations.diagrams import DiagramSum, SymmetricPower
from nbody_ref.conformance.operations.networks import GateOperation, ModelOperation, from_pairs, to_pairs
from nbody_ref.fusion import FusionTable, Term, fuse, fuse_jvp, fuse_vjp, fuse_vjp_jvp
from nbody_ref.gates.build import program
from nbody_ref.gates.chain import Chain
from nbody_ref.network.energy import EnergyModel
from nbody_ref.ops import mixing, radial

__all__ = ["Blocks"]

Array = np.ndarray[Any, Any]
Inputs = Mapping[str, Any]


class Blocks(Backend):
    """The four functions of every operation, as the package computes them."""

    name = "nbody_ref blocks"
    capabilities = Capabilities(
        operations=("radial", "mixing", "contraction", "fusion", "gate", "model"), lmax=2, propagates_nan=False
    )

    def forward(self, op: Any, inputs: dict[str, Any]) -> Any:
        return RUNS[op.name](op, inputs)["out"]

    def vjp(self, op: Any, inputs: dict[str, Any], cotangent: Any) -> Mapping[str, Any]:
        return RUNS[op.name](op, inputs, cotangent)

    def double_vjp(
        self, op: Any, inputs: dict[str, Any], cotangent: Any, tangents: dict[str, Any]
    ) -> Mapping[str, Any]:
        return RUNS[op.name](op, inputs, cotangent, tangents)


def _four(
    functions: tuple[Callable[..., Any], ...],
    statics: Callable[[Any, Inputs], tuple[Any, ...]],
    op: Any,
    inputs: Inputs,
    g: Any = None,
    tangents: Inputs | None = None,
) -> dict[str, Any]:
    """The three orders from the four functions of an operation."""
    f, jvp, vjp, vjp_jvp = functions
    values, more = tuple(inputs[name] for name in op.differentiable), statics(op, inputs)
    if g is None:
        return {"out": f(*values, *more)}
    if tangents is None:
        return dict(zip(op.differentiable, vjp(g, *values, *more)))
    dots = tuple(tangents.get(name) for name in op.differentiable)
    found = dict(zip(op.differentiable, vjp_jvp(g, *values, None, *dots, *more)))
    return found | {"cotangent": jvp(*values, *dots, *more)}


@lru_cache(maxsize=64)
def _fusion_table(op: DiagramSum) -> FusionTable:
    return FusionTable.build(op.irreps, op.diagrams, op.mode, "drawn")


def _contraction(op: SymmetricPower, inputs: Inputs, g: Any = None, tangents: Inputs | None = None) -> dict[str, Any]:
    """Paths by fusion tables, then weights: the sum of y = w P(x) over powers."""
    x, weights, kind = inputs["x"], inputs["w"], np.asarray(inputs["kind"], np.intp)
    dots = tangents or {}
    x_dot, w_dot = dots.get("x"), dots.get("w")
    out = np.zeros((len(x), op.irreps_out.dim), x.dtype)
    out_dot, found = np.zeros_like(out), {"x": np.zeros_like(x), "w": np.zeros_like(weights)}
    for table, places, columns in _powers(op):
        P, w = fuse(x, table), weights[kind][:, columns]
        P_dot = None if x_dot is None else fuse_jvp(x, x_dot, table)
        np.add.at(out.T, places, (P * w).T)
        for left, right in ((P_dot, w), (P, None if w_dot is None else w_dot[kind][:, columns])):
            if left is not None and right is not None:
                np.add.at(out_dot.T, places, (left * right).T)
        if g is None:
            continue
        of_w, bar = g[:, places], g[:, places] * w  # cotangents of P's rows in w and of P
        if tangents is None:
            found["x"] += fuse_vjp(bar, x, table)[0]
            _add_weights(found["w"], kind, columns, of_w * P)
            continue
        bar_dot = None if w_dot is None else of_w * w_dot[kind][:, columns]
        moved = fuse_vjp_jvp(bar, x, bar_dot, x_dot, table)[0]
        found["x"] += 0 if moved is None else moved
        if P_dot is not None:
            _add_weights(found["w"], kind, columns, of_w * P_dot)
    if g is None:
        return {"out": out}
    return found if tangents is None else found | {"cotangent": out_dot}


def _add_weights(total: Array, kind: Array, columns: Array, rows: Array) -> None:
    """Rows added to the weights of their kinds; several columns of a row belong to one weight."""
    np.add.at(total, (kind[:, None], columns[None]), rows)


@lru_cache(maxsize=64)
def _powers(op: SymmetricPower) -> list[tuple[FusionTable, Array, Array]]:
    """For each power: its paths, the column of the result and of the weights for every column of their values."""
    found = []
    mul = op.irreps[0].mul
    for n in range(1, op.order + 1):
        chosen = [(k, o, path) for k, (o, path) in enumerate(op.paths) if len(path.parts) == n]
        terms = [Term(path.diagram, tuple((0, p) for p in path.parts)) for _, _, path in chosen]
        table = FusionTable.build([op.irreps], terms, order="drawn")
        places = [op.irreps_out.offsets[o] + np.arange(op.irreps_out[o].dim) for _, o, _ in chosen]
        columns = [np.tile(k * mul + np.arange(mul), op.irreps_out[o].irrep.dim) for k, o, _ in chosen]
        found.append((table, np.concatenate(places), np.concatenate(columns)))
    return found


def _gate_program(op: GateOperation, inputs: Inputs, dtype: str) -> tuple[Chain, str, dict[str, Any], Any]:
    chain, out = _gate(op, dtype)
    values: dict[str, Any] = {name: inputs[name] for name in op.differentiable}
    for name in ("r_child", "r_parent"):
        values[name] = np.asarray(values[name], np.float64)
    return chain, out, values, op.batch(inputs)


def _model_program(op: ModelOperation, inputs: Inputs, dtype: str) -> tuple[Chain, str, dict[str, Any], Any]:
    model = _model(op, dtype)
    return model.chain, model.root, *op.leaves(model, inputs)


def _chained(
    made: Callable[..., Any], op: Any, inputs: Inputs, g: Any = None, tangents: Inputs | None = None
) -> dict[str, Any]:
    """A program of the package and its derivatives."""
    chain, out, values, batch = made(op, inputs, str(inputs[op.differentiable[-1]].dtype))
    values = chain.forward(values, batch)
    if g is None:
        return {"out": to_pairs(values[out])}
    names, g = op.differentiable, np.conj(from_pairs(g, values[out].dtype))  # Re of a product without conjugation
    bars = chain.vjp(values, batch, {out: g}, names)
    if tangents is None:
        return {name: _like(bars, name, inputs) for name in names}
    dots = {name: from_pairs(dot, values[name].dtype) for name, dot in tangents.items()}
    moved = chain.jvp(values, batch, dots)
    second = chain.vjp_jvp(values, batch, moved, bars, names)
    along = {"cotangent": to_pairs(moved[out])} if out in moved else {}
    return {name: _like(second, name, inputs) for name in names} | along


def _like(found: Inputs, name: str, inputs: Inputs) -> Array:
    """A gradient in the precision of its input; zero where there is none."""
    bar = np.asarray(found.get(name, np.zeros_like(inputs[name])))
    return to_pairs(np.conj(bar)).astype(inputs[name].dtype)  # pairs: derivatives in (re, im)


@lru_cache(maxsize=64)
def _gate(op: GateOperation, dtype: str) -> tuple[Chain, str]:
    builder, out = program(op.gate, op.irreps_in, op.n_kinds, dtype)
    return builder.chain(), out


@lru_cache(maxsize=64)
def _model(op: ModelOperation, dtype: str) -> EnergyModel:
    return op.make(dtype)


def _mixing_statics(op: Any, inputs: Inputs) -> tuple[Any, ...]:
    return inputs["kind"], mixing.MixingTable.build(op.irreps_in, op.irreps_out)


RADIAL = radial.radial, radial.radial_jvp, radial.radial_vjp, radial.radial_vjp_jvp
MIXING = mixing.mixing, mixing.mixing_jvp, mixing.mixing_vjp, mixing.mixing_vjp_jvp
FUSE = fuse, fuse_jvp, fuse_vjp, fuse_vjp_jvp
RUNS: dict[str, Callable[..., dict[str, Any]]] = {
    "radial": partial(_four, RADIAL, lambda op, inputs: (op.family, op.lmax)),
    "mixing": partial(_four, MIXING, _mixing_statics),
    "fusion": partial(_four, FUSE, lambda op, inputs: (_fusion_table(op),)),
    "contraction": _contraction,
    "gate": partial(_chained, _gate_program),
    "model": partial(_chained, _model_program),
}
